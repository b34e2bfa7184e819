import type { Planner } from './searchPlan';
import { planCountedWalk, planNothing } from './searchPlan';

/**
 * swiotlb_search_pool_area of 6.9 and later (read in 6.12; unchanged in 7.x).
 * The allocation's alignment is tested on addresses; the device's mask only adds the bits above it, copied from
 * the original address. A device without a mask gets page alignment from one page up.
 */
export const plan612: Planner = (plan, pool, area, index, request, pageSize) => {
  let alignMask = request.allocAlignMask;
  if (alignMask === 0 && request.minAlignMask === 0 && request.sizeBytes >= pageSize) {
    alignMask = pageSize - 1;
  }
  alignMask = (alignMask | 0x7ff) >>> 0;
  if (pool.tableMisaligned) {
    planNothing(plan);
    return;
  }
  const copiedMask = (request.minAlignMask & ~alignMask) >>> 0;
  const stride = (Math.max(alignMask, copiedMask) >>> 11) + 1;
  if (request.original === 0) {
    planCountedWalk(plan, pool, area, index, alignMask, 0, stride);
    return;
  }
  const tested = (alignMask | copiedMask) >>> 0;
  planCountedWalk(plan, pool, area, index, tested, ((request.original >>> 0) & copiedMask) >>> 0, stride);
};
