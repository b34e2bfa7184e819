import { encryptedGuestBytes, sizeBootPool, unalignedBounceBytes } from '../allocator/bootSizing';
import { slotsToBytes } from '../model/units';

/** A machine and its `swiotlb=` parameter. */
export interface BootSizeRequest {
  /** `swiotlb=512,4,force`, a whole command line that contains it, or the bare value; '' for none. */
  readonly parameter: string;
  readonly cpus: number;
  /** null: unknown; then the machine is taken to need a pool. */
  readonly memoryBytes: number | null;
  readonly arch: 'x86' | 'arm64';
  readonly encrypted: boolean;
}

/** What a kernel makes of the parameter: the JSON of the `boot` command. */
export interface BootSizeReport {
  readonly parameter: string | null;
  /** 0: the kernel sets up no pool. */
  readonly nslabs: number;
  readonly areas: number;
  readonly bytes: number;
  readonly force: boolean;
  readonly noforce: boolean;
  readonly steps: readonly string[];
  readonly messages: readonly string[];
}

const GIB = 1024 ** 3;
/** Machines with more memory than this have some of it above 4 GiB: PCs keep a hole for devices below. */
const memoryBelow4GiB = { x86: 3 * GIB, arm64: 4 * GIB } as const;

/** Boot sizing of a machine that does not exist yet: parser, architecture rules, rounding. */
export function bootSize(request: BootSizeRequest): BootSizeReport {
  const parameter = parameterValue(request.parameter);
  const { memoryBytes, arch, encrypted } = request;
  const assumed: string[] = [];
  const reachesAbove = memoryBytes !== null && memoryBytes > memoryBelow4GiB[arch];
  if (memoryBytes === null) {
    assumed.push('The memory size is not given: the machine is taken to have memory above 4 GiB, so it needs a pool.');
  }
  if (encrypted && memoryBytes === null) {
    assumed.push('Without the memory size the 6 % rule of encrypted guests cannot be applied.');
  }
  // arm64 without memory out of reach still wants a small pool, for buffers that share cache lines.
  const unalignedOnly = arch === 'arm64' && memoryBytes !== null && !reachesAbove && !encrypted;
  const archAdjustBytes =
    memoryBytes === null
      ? null
      : encrypted && arch === 'x86'
        ? encryptedGuestBytes(memoryBytes)
        : unalignedOnly
          ? unalignedBounceBytes(memoryBytes)
          : null;
  const sizing = sizeBootPool({
    parameter,
    possibleCpus: request.cpus,
    archAdjustBytes,
    addressingLimited: memoryBytes === null || reachesAbove || encrypted || unalignedOnly,
    verbose: true,
  });
  const slots = sizing.pool?.slots ?? 0;
  return {
    parameter: parameter === null ? null : `swiotlb=${parameter}`,
    nslabs: slots,
    areas: sizing.pool?.areas ?? 0,
    bytes: slotsToBytes(slots),
    force: sizing.force,
    noforce: sizing.noforce,
    steps: [...assumed, ...sizing.steps],
    messages: sizing.messages.map((message) => `software IO TLB: ${message}`),
  };
}

/** The last `swiotlb=` of a command line counts; text without one is the value itself. */
function parameterValue(text: string): string | null {
  const given = [...text.matchAll(/(?:^|\s)swiotlb=(\S*)/g)].at(-1)?.[1];
  if (given !== undefined) {
    return given;
  }
  const value = text.trim();
  return value === '' || /\s/.test(value) ? null : value;
}
