import { isContiguous } from '../allocator/search/searchPlan';
import type { Geometry } from '../model/geometry';
import { EvidenceBit, Outcome, Pairing, type TraceTables } from '../model/tables';
import {
  type Address,
  type Bytes,
  SEGMENT_BYTES,
  SEGMENT_SLOTS,
  SLOT_BYTES,
  type Slots,
  slotsToBytes,
} from '../model/units';
import { type ReplayPlan, StepKind } from './plan';
import { bootGeometry, masksByDevice } from './policies/boot';
import type { ParamSettings } from './settings';

/** From which pool on a miss is impossible, whatever was placed where. From `alwaysServedFrom`. */
export interface AlwaysServed {
  /** A pool with more segments than this, one per area not counted, serves every request that can be served at all. */
  readonly segments: number;
  /** Where the pool begins. */
  readonly start: Address;
  /** Lowest end of what a device reaches: above it a slot can be found and refused. */
  readonly addressLimit: Address;
  /** Bytes between the segment boundaries of devices that have some. */
  readonly boundaryBytes: readonly Bytes[];
}

/**
 * Suppose a request of n slots, whose candidates stand c slots apart, misses in a segment. Then every free run of the
 * segment is at most g = n + c - 2 slots long. A segment with k mappings of t slots together has at most k + 1 free
 * runs, so 128 - t <= (k + 1) * g. If it misses in all S segments, and the pool holds L mappings of U slots, the sum
 * is S * (128 - g) <= U + L * g. With more segments than that there is no miss; neither is there one with an empty
 * segment, that is with more segments than mappings.
 *
 * The walk over an area may leave out what lies less than a stride before its start: one segment per area is not
 * counted. Mappings whose end is assumed count as never ending.
 */
export function alwaysServedFrom(context: {
  readonly tables: TraceTables;
  readonly geometry: Geometry;
  readonly plan: ReplayPlan;
  readonly options: { readonly bounceAll: boolean };
  readonly set: ParamSettings;
}): AlwaysServed {
  const { plan, tables, options, geometry, set } = context;
  const { sizeBytes, evidence, allocAlignBits, device, pairing } = tables.requests.columns;
  const { minAlignMask, ...reach } = reachOf(geometry);
  const { start } = bootGeometry(geometry);
  // Slots that only samples show are held by nobody in the plan.
  let isKnown = !(tables.samples.length > 0 && pairing.includes(Pairing.assumed));
  const isLive = new Uint8Array(tables.requests.length);
  let live = 0;
  let used = 0;
  let segments = 0;
  const slotsOf = (row: number): Slots => {
    const alignBytes = 2 ** allocAlignBits[row];
    const pad = Math.min(minAlignMask[device[row]] ?? 0, Math.max(alignBytes, SLOT_BYTES) - 1);
    return Math.ceil((Math.ceil((sizeBytes[row] + pad) / alignBytes) * alignBytes) / SLOT_BYTES);
  };
  const partsOf = (row: number): number =>
    // A dry run may split a large request; each part is a mapping.
    options.bounceAll && (evidence[row] & EvidenceBit.direct) !== 0
      ? Math.ceil(sizeBytes[row] / (SEGMENT_BYTES / 2))
      : 1;
  for (const row of plan.startRows) {
    live++;
    used += slotsOf(row);
    isLive[row] = 1;
  }
  for (let step = 0; step < plan.stepCount && isKnown; step++) {
    const row = plan.stepRow[step];
    const slots = slotsOf(row);
    const parts = partsOf(row);
    if (plan.stepKind[step] === StepKind.birth) {
      const mask = Math.max(minAlignMask[device[row]] ?? 0, 2 ** allocAlignBits[row] - 1);
      // Some generations step by pages on top of the mask.
      const step = Math.max(1, geometry.pageSize.value / SLOT_BYTES) * Math.ceil((mask + 1) / SLOT_BYTES);
      isKnown = isContiguous(mask) && step <= SEGMENT_SLOTS;
      const gap = Math.min(slots, SEGMENT_SLOTS) + step - 2;
      const others = live + parts - 1;
      const slotsOfOthers = used + (parts - 1) * SEGMENT_SLOTS;
      const dense = gap < SEGMENT_SLOTS ? (slotsOfOthers + others * gap) / (SEGMENT_SLOTS - gap) : others;
      segments = Math.max(segments, Math.min(others, dense));
      live += parts;
      used += slots + (parts - 1) * SEGMENT_SLOTS;
      isLive[row] = 1;
    } else if (plan.stepKind[step] === StepKind.death && isLive[row] === 1 && hasRecordedEnd(tables, row)) {
      live -= parts;
      used -= slots + (parts - 1) * SEGMENT_SLOTS;
      isLive[row] = 0;
    }
  }
  const poolStart = Number(set['poolStart'] ?? start.value);
  return { segments: isKnown ? segments : Number.POSITIVE_INFINITY, start: poolStart, ...reach };
}

/** What the devices of a machine ask of a pool's place; masks by row of the device table. */
function reachOf(geometry: Geometry): Pick<AlwaysServed, 'addressLimit' | 'boundaryBytes'> & {
  readonly minAlignMask: readonly number[];
} {
  const masks = masksByDevice(geometry, false);
  const known = masks.filter((mask) => mask !== undefined);
  const limits = known.flatMap(({ dmaMask, busDmaLimit }) => [dmaMask, busDmaLimit === 0 ? dmaMask : busDmaLimit]);
  return {
    minAlignMask: masks.map((mask) => mask.minAlignMask),
    addressLimit: Math.min(Number.POSITIVE_INFINITY, ...limits) + 1,
    boundaryBytes: known.map(({ segBoundaryMask }) => segBoundaryMask + 1).filter(Number.isFinite),
  };
}

/** True: no request that can be served at all finds such a pool without room for it. */
export function isAlwaysServed(
  { segments, start, addressLimit, boundaryBytes }: AlwaysServed,
  slots: Slots,
  areas: number,
): boolean {
  const end = start + slotsToBytes(slots);
  return (
    Math.floor(slots / SEGMENT_SLOTS) - areas > segments &&
    end <= addressLimit &&
    start % SLOT_BYTES === 0 &&
    boundaryBytes.every((bytes) => Math.floor(start / bytes) === Math.floor((end - 1) / bytes))
  );
}

function hasRecordedEnd(tables: TraceTables, row: number): boolean {
  const { outcome, pairing } = tables.requests.columns;
  const isServedOrUnknown = outcome[row] === Outcome.served || outcome[row] === Outcome.unknown;
  return isServedOrUnknown && pairing[row] !== Pairing.assumed;
}
