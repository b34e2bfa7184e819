import type { Address, Bytes, Slots } from '../../model/units';
import type { Pool } from '../pool';

/** What one search of an area looks for. The caller reuses the object. */
export interface SearchRequest {
  /** nr_slots of sizeBytes. */
  slots: Slots;
  /** Size as the search sees it: padding included where the version includes it. */
  sizeBytes: Bytes;
  /** Original address; 0 asks for no particular one (swiotlb_alloc). */
  original: Address;
  minAlignMask: number;
  /** alloc_align_mask, 0 for plain DMA mappings. */
  allocAlignMask: number;
  /** Segment boundary mask, Infinity for all ones. */
  segBoundaryMask: Address;
}

/**
 * The slots a search would look at one after the other if none of them fitted, relative to the area.
 * They depend on masks, addresses and the area's index, never on what is free: what is free only decides where
 * the search stops. In nearly all cases they are two progressions, one up to the area's end and one after the
 * wrap to slot 0, so the free runs can be asked for the first that fits and the kernel's probes can be computed.
 */
export interface SearchPlan {
  /** Power of two. */
  step: number;
  /** first, first + step, … < limit. */
  first: number;
  limit: number;
  /** The same after the wrap. */
  wrapFirst: number;
  /** Ask `wrapLimitOf`: known only then if a counted walk reaches the end. */
  wrapLimit: number;
  /** Counted walks: where the walk starts, and its stride; stride 0: `wrapLimit` is set. */
  index: number;
  stride: number;
  /** When nothing fits the kernel never stops (6.0–6.2). */
  endless: boolean;
  /** Set when the candidates are no progressions: all of them, in order; then only `endless` counts besides. */
  candidates: readonly number[] | null;
}

/**
 * Fills `plan` for a search of `area` that starts at `index`; `pool.useBoundary` was called.
 * One per generation.
 */
export type Planner = (
  plan: SearchPlan,
  pool: Pool,
  area: number,
  index: number,
  request: SearchRequest,
  pageSize: Bytes,
) => void;

export function createSearchPlan(): SearchPlan {
  return {
    step: 1,
    first: 0,
    limit: 0,
    wrapFirst: 0,
    wrapLimit: 0,
    index: 0,
    stride: 0,
    endless: false,
    candidates: null,
  };
}

/** Is the mask of the form 2^k - 1? */
export function isContiguous(mask: number): boolean {
  return (mask & (mask + 1)) === 0;
}

/** Index 0 follows the last slot; never a modulo. */
export function wrap(index: number, areaSlots: Slots): number {
  return index >= areaSlots ? 0 : index;
}

/**
 * The walk of 6.3 and later: single steps over slots whose address does not match, strides over those that do,
 * at most `areaSlots` steps in all, where steps and strides count alike.
 * A slot matches when (address & testedMask) equals wantedBits; both cover address bits 11 and up.
 */
export function planCountedWalk(
  plan: SearchPlan,
  pool: Pool,
  area: number,
  index: number,
  testedMask: number,
  wantedBits: number,
  stride: number,
): void {
  const areaSlots = pool.areaSlots;
  const tested = testedMask >>> 11;
  const base = pool.tableSlot + area * areaSlots;
  if (!isContiguous(tested)) {
    listCountedWalk(plan, base, areaSlots, index, tested, wantedBits >>> 11, stride);
    return;
  }
  const period = tested + 1;
  const step = Math.ceil(stride / period) * period;
  if ((step & (step - 1)) !== 0) {
    listCountedWalk(plan, base, areaSlots, index, tested, wantedBits >>> 11, stride);
    return;
  }
  const phase = (wantedBits >>> 11) - base;
  plan.candidates = null;
  plan.endless = false;
  plan.step = step;
  plan.first = index + ((phase - index) & tested);
  plan.limit = areaSlots;
  plan.wrapFirst = phase & tested;
  plan.index = index;
  plan.stride = stride;
}

/** Exclusive end of the candidates after the wrap. */
export function wrapLimitOf(plan: SearchPlan): number {
  const { first, limit, step, index, stride } = plan;
  if (stride === 0) {
    return plan.wrapLimit;
  }
  if (first >= limit) {
    return index;
  }
  const last = limit - 1 - ((limit - 1 - first) & (step - 1));
  // Steps walked when the index returns to 0: a stride may overshoot the end, single steps stop at it.
  const walked = last + stride >= limit ? last + stride - index : limit - index;
  return limit - walked;
}

/** The same walk taken literally, for masks that are no contiguous low bits. */
function listCountedWalk(
  plan: SearchPlan,
  base: number,
  areaSlots: Slots,
  index: number,
  tested: number,
  wanted: number,
  stride: number,
): void {
  const candidates: number[] = [];
  let at = index;
  for (let walked = 0; walked < areaSlots; ) {
    if (((base + at) & tested) === wanted) {
      candidates.push(at);
      at = wrap(at + stride, areaSlots);
      walked += stride;
    } else {
      at = wrap(at + 1, areaSlots);
      walked++;
    }
  }
  plan.candidates = candidates;
  plan.endless = false;
}

/** No slot can match: the walk probes nothing. */
export function planNothing(plan: SearchPlan): void {
  plan.candidates = null;
  plan.endless = false;
  plan.step = 1;
  plan.first = 0;
  plan.limit = 0;
  plan.wrapFirst = 0;
  plan.wrapLimit = 0;
  plan.stride = 0;
}
