import { parseRelease } from './geometryKernel';

/** How the map probe can be written; the first that the kernel accepts is taken. */
export type MapProbeStyle = 'fprobe' | 'fprobe-pair' | 'kprobe' | 'kprobe-pair';

/** The kernels one capture script is for. */
export interface CaptureKernels {
  readonly id: string;
  readonly title: string;
  /** First and last release as major * 1000 + minor; `last` null: and everything later. */
  readonly first: number;
  readonly last: number | null;
  /** Kernels of this range on which the script itself was run. */
  readonly triedOn: readonly string[];
  /** Null: the functions' arguments differ too much, only events are recorded. */
  readonly probes: CaptureProbes | null;
}

export interface CaptureProbes {
  readonly styles: readonly MapProbeStyle[];
  /** Arguments of swiotlb_tbl_map_single before and since 6.10, which dropped alloc_size; null: not in this range. */
  readonly mapArgumentsBefore610: string | null;
  readonly mapArguments: string | null;
  /** The first that the kernel has: the inline wrapper came in 6.11. */
  readonly unmapSymbols: readonly string[];
  /** Fields of the pool that swiotlb_alloc_pool returns; null: the range has no dynamic pools. */
  readonly poolNewArguments: string | null;
  /** Fields around the rcu_head that swiotlb_dyn_free gets; null: offsets not verified. */
  readonly poolFreeArguments: string | null;
}

const deviceName = 'dev=+0(+0($arg1)):string';
/** Arguments that swiotlb_tbl_map_single has at the same places in every kernel since 6.0. */
export const requestArguments = `${deviceName} orig=$arg2:x64 size=$arg3:u64`;
const mapArgumentsBefore610 = `${requestArguments} amask=$arg5:x32 dir=$arg6:s32`;
const mapArguments = `${requestArguments} amask=$arg4:x32 dir=$arg5:s32 attrs=$arg6:x64`;
const unmapSymbols = ['__swiotlb_tbl_unmap_single', 'swiotlb_tbl_unmap_single'];

/** Arguments of both unmap functions that are wanted stand at the same places. */
export const unmapArguments = `${deviceName} tlb=$arg2:x64 size=$arg3:u64`;

/** Fields by name, where the kernel has BTF: right whatever the layout. */
const poolNewByName =
  'start=$retval->start:x64 end=$retval->end:x64 nslabs=$retval->nslabs:u64 nareas=$retval->nareas:u32';
/** struct io_tlb_pool of 6.12 with 64-bit pointers. */
const poolNewByOffset = 'start=+0($retval):x64 end=+8($retval):x64 nslabs=+24($retval):u64 nareas=+36($retval):u32';
const poolFreeByOffset = 'start=-80($arg1):x64 end=-72($arg1):x64';

const fprobesFirst: readonly MapProbeStyle[] = ['fprobe', 'fprobe-pair', 'kprobe', 'kprobe-pair'];

/** Oldest first; every release belongs to exactly one. */
export const captureKernels: readonly CaptureKernels[] = [
  {
    id: '5.19',
    title: 'Linux before 6.0',
    first: 0,
    last: 5_999,
    triedOn: [],
    probes: null,
  },
  {
    id: '6.1',
    title: 'Linux 6.0 to 6.5',
    first: 6_000,
    last: 6_005,
    triedOn: ['6.1.192 (Debian 6.1.0-56-cloud-amd64)'],
    probes: {
      styles: ['kprobe-pair'],
      mapArgumentsBefore610,
      mapArguments: null,
      unmapSymbols: ['swiotlb_tbl_unmap_single'],
      poolNewArguments: null,
      poolFreeArguments: null,
    },
  },
  {
    id: '6.6',
    title: 'Linux 6.6 to 6.11',
    first: 6_006,
    last: 6_011,
    triedOn: [],
    probes: {
      styles: fprobesFirst,
      mapArgumentsBefore610,
      mapArguments,
      unmapSymbols,
      poolNewArguments: poolNewByName,
      poolFreeArguments: null,
    },
  },
  {
    id: '6.12',
    title: 'Linux 6.12 to 6.17',
    first: 6_012,
    last: 6_017,
    triedOn: ['6.12.117 (Debian 6.12.117+deb12-cloud-amd64)'],
    probes: {
      styles: fprobesFirst,
      mapArgumentsBefore610: null,
      mapArguments,
      unmapSymbols,
      poolNewArguments: poolNewByOffset,
      poolFreeArguments: poolFreeByOffset,
    },
  },
  {
    id: '6.18',
    title: 'Linux 6.18 and later',
    first: 6_018,
    last: null,
    triedOn: [],
    probes: {
      styles: fprobesFirst,
      mapArgumentsBefore610: null,
      mapArguments,
      unmapSymbols,
      poolNewArguments: poolNewByName,
      poolFreeArguments: null,
    },
  },
];

/** The range of a release such as `6.12`, `6.1.0-56-cloud-amd64`; null when the text holds no version. */
export function captureKernelsFor(release: string): CaptureKernels | null {
  const parsed = parseRelease(release);
  if (parsed === null) {
    return null;
  }
  const code = parsed.major * 1000 + Math.min(parsed.minor, 999);
  return captureKernels.find(({ first, last }) => first <= code && (last === null || code <= last)) ?? null;
}
