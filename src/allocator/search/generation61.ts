import type { Planner, SearchPlan } from './searchPlan';
import { isContiguous, wrap } from './searchPlan';

/**
 * swiotlb_do_find_slots of 6.0 to 6.2 (read in 6.1.192, with its back-ported split of the two masks).
 * The start index is rounded up to the stride, in slot numbers, not addresses, and the walk ends only when it meets
 * its start again. With a device mask the candidates may miss the start for ever: the kernel then spins with
 * interrupts off.
 */
export const plan61: Planner = (plan, pool, area, index, request, pageSize) => {
  const areaSlots = pool.areaSlots;
  const alignMask = (request.allocAlignMask | 0x7ff) >>> 0;
  const copiedMask = (request.minAlignMask & ~alignMask) >>> 0;
  let stride = (copiedMask >>> 11) + 1;
  if (request.sizeBytes >= pageSize) {
    stride = Math.max(stride, stride * (pageSize >>> 11));
  }
  stride = Math.max(stride, (alignMask >>> 11) + 1);
  const start = wrap((index + stride - 1) & ~(stride - 1), areaSlots);
  const tested = request.original === 0 ? 0 : copiedMask >>> 11;
  const wanted = ((request.original >>> 0) & copiedMask) >>> 11;
  const base = pool.tableSlot + area * areaSlots;
  if (!isContiguous(tested) || (stride & (stride - 1)) !== 0) {
    listWalk(plan, base, areaSlots, start, tested, wanted, stride);
    return;
  }
  const phase = (wanted - base) & tested;
  plan.candidates = null;
  plan.step = stride;
  plan.first = start + ((phase - start) & tested);
  plan.stride = 0;
  plan.limit = areaSlots;
  plan.wrapFirst = phase;
  // After the wrap the walk goes 0, 1, … phase, phase + stride, …; start is a multiple of the stride.
  plan.endless = start !== 0 && phase !== 0;
  plan.wrapLimit = plan.endless ? areaSlots : start;
};

/** The walk taken literally; a second wrap means that it has become periodic. */
function listWalk(
  plan: SearchPlan,
  base: number,
  areaSlots: number,
  start: number,
  tested: number,
  wanted: number,
  stride: number,
): void {
  const candidates: number[] = [];
  let at = start;
  let wraps = 0;
  do {
    let next = at + 1;
    if (((base + at) & tested) === wanted) {
      candidates.push(at);
      next = at + stride;
    }
    at = wrap(next, areaSlots);
    if (at !== next) {
      wraps++;
    }
  } while (at !== start && wraps < 2);
  plan.candidates = candidates;
  plan.endless = at !== start;
}
