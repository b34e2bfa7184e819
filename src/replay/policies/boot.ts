import { limitAreas, roundUpToSegment } from '../../allocator/sizes';
import type { DeviceMasks, IoTlbSpec, PoolSpec } from '../../allocator/types';
import { maskOfBits } from '../../base/address';
import { type Evidence, type Known, known } from '../../model/evidence';
import { type Generation, type Geometry, generations } from '../../model/geometry';
import type { ReplayParam } from '../../model/replayResult';
import { type Address, DEFAULT_POOL_SLOTS, SEGMENT_SLOTS, SLOT_BYTES, type Slots } from '../../model/units';
import type { PolicyParam } from '../policy';
import type { ParamSettings } from '../settings';

/** Values of a policy's parameters by name, as `Policy.create` gets them. */
export type ParamValues = ReadonlyMap<string, number | string | boolean>;

/** x86: ZONE_DMA ends at 16 MiB. */
export const zoneDmaLimit: Address = 0xffffff;
/** Where a boot pool is assumed when nothing tells: it ends here. */
const assumedPoolEnd: Address = 0x7c000000;

/** The boot pool of the replayed kernel, each value with where it comes from. */
export interface BootGeometry {
  readonly start: Known<Address>;
  readonly slots: Known<Slots>;
  readonly areas: Known<number>;
}

/** The boot pool as recorded, or what this kernel would have by default. */
export function bootGeometry(geometry: Geometry): BootGeometry {
  const pool = geometry.pools.find((candidate) => candidate.kind === 'boot');
  const slots =
    pool !== undefined && pool.slots.value >= 0
      ? pool.slots
      : isTold(geometry.defaultSlots)
        ? geometry.defaultSlots
        : known(
            DEFAULT_POOL_SLOTS,
            'assumed',
            'Nothing tells the size of the boot pool: 64 MiB, the kernel’s default.',
          );
  const areas =
    pool !== undefined && pool.areas.value > 0
      ? pool.areas
      : isTold(geometry.defaultAreas)
        ? geometry.defaultAreas
        : known(powerOfTwoFrom(geometry.cpus.value), 'assumed', 'One area per CPU, as the kernel does by default.');
  const start =
    pool !== undefined && Number.isFinite(pool.start.value)
      ? pool.start
      : known(assumedPoolEnd - slots.value * SLOT_BYTES, 'assumed', 'Nothing tells where the boot pool lies.');
  return { start, slots, areas };
}

/** A size that the user or the input names, though nothing names the pool's place: a dry run, for example. */
function isTold(value: Known<number>): boolean {
  return value.value > 0 && value.evidence.level !== 'assumed' && value.evidence.level !== 'default';
}

function powerOfTwoFrom(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, count)));
}

/** Resolves one parameter: the user's value, else that of the geometry, else the declared default. */
export function resolveParams(
  params: readonly PolicyParam[],
  geometry: Geometry,
  settings: ParamSettings,
  fromGeometry: Readonly<Record<string, Known<number | string | boolean>>> = {},
): ReplayParam[] {
  const boot = bootGeometry(geometry);
  const slots = settings['poolSlots'] === undefined ? boot.slots.value : Number(settings['poolSlots']);
  const found: Readonly<Record<string, Known<number | string | boolean>>> = {
    poolStart: boot.start,
    poolSlots: boot.slots,
    areas: fittingAreas(boot.areas, slots),
    generation: geometry.generation,
    ...fromGeometry,
  };
  return params.map((param) => {
    const given = settings[param.name];
    if (given !== undefined) {
      return paramOf(param, given, { level: 'user', text: 'given by the user' });
    }
    const derived = found[param.name];
    return derived === undefined
      ? paramOf(param, param.default, { level: 'default', text: param.source })
      : paramOf(param, derived.value, derived.evidence);
  });
}

function paramOf(param: PolicyParam, value: number | string | boolean, evidence: Evidence): ReplayParam {
  return { name: param.name, value, unit: param.unit, evidence };
}

/** The recorded number of areas may be too many for a smaller pool; the kernel then lowers it (limit_nareas). */
function fittingAreas(areas: Known<number>, slots: Slots): Known<number> {
  const fitting = usableAreas(areas.value, roundUpToSegment(slots));
  return fitting === areas.value
    ? areas
    : known(fitting, 'derived', `${areas.value} areas do not fit into ${slots} slots: each needs whole segments.`);
}

/** The largest power of two of areas, up to the wanted number, that divides the pool into whole segments. */
function usableAreas(wanted: number, slots: Slots): number {
  let areas = 2 ** Math.floor(Math.log2(Math.max(1, limitAreas(Math.max(1, Math.floor(wanted)), slots))));
  while (areas > 1 && slots % (areas * SEGMENT_SLOTS) !== 0) {
    areas /= 2;
  }
  return areas;
}

/** Dynamic kernels begin with 6.6: an older recording is replayed with the newest search. */
export function dynamicGeneration(geometry: Geometry): Known<Generation> {
  const { value } = geometry.generation;
  return value === '6.6' || value === '6.8' || value === '6.12'
    ? geometry.generation
    : known('6.12', 'assumed', `The recorded kernel (${value}) has no dynamic pools: replayed as 6.9 and later.`);
}

function generationFrom(value: unknown): Generation {
  return generations.find((generation) => generation === value) ?? '6.12';
}

/** The allocator's set-up for a policy. */
export function ioTlbSpec(
  geometry: Geometry,
  params: ParamValues,
  options: { readonly dynamic: boolean; readonly canGrow: boolean },
): IoTlbSpec {
  const slots = roundUpToSegment(Number(params.get('poolSlots')));
  const areas = usableAreas(Number(params.get('areas')), slots);
  const boot: PoolSpec | null =
    slots > 0 ? { kind: 'boot', start: Number(params.get('poolStart')), slots, areas } : null;
  const isRecorded = bootGeometry(geometry).slots.value === slots && geometry.defaultSlots.value > 0;
  return {
    generation: generationFrom(params.get('generation')),
    dynamic: options.dynamic,
    canGrow: options.canGrow,
    pageSize: geometry.pageSize.value,
    maxPageOrder: Number(params.get('maxPageOrder') ?? 10),
    // default_nslabs is what the boot pool was asked for: a pool size given for the replay replaces it.
    defaultSlots: isRecorded ? geometry.defaultSlots.value : slots,
    defaultAreas: areas,
    physLimit: geometry.physLimit.value,
    zoneDmaLimit,
    boot,
  };
}

/** Masks by row of the device table. Devices the geometry does not know have no limits. */
export function masksByDevice(geometry: Geometry, encrypted: boolean): DeviceMasks[] {
  const masks: DeviceMasks[] = [];
  for (const device of geometry.devices) {
    masks[device.device] = {
      dmaMask: maskOfBits(device.dmaMaskBits.value > 0 ? device.dmaMaskBits.value : 64),
      busDmaLimit: device.busLimitBits.value > 0 ? maskOfBits(device.busLimitBits.value) : 0,
      minAlignMask: Math.max(0, device.minAlignMask.value),
      segBoundaryMask: maskOfBits(device.segBoundaryBits.value > 0 ? device.segBoundaryBits.value : 64),
      forceUnencrypted: encrypted,
    };
  }
  return masks;
}

/** A device about which nothing is known. */
export function unlimitedMasks(encrypted: boolean): DeviceMasks {
  return {
    dmaMask: Number.POSITIVE_INFINITY,
    busDmaLimit: 0,
    minAlignMask: 0,
    segBoundaryMask: Number.POSITIVE_INFINITY,
    forceUnencrypted: encrypted,
  };
}
