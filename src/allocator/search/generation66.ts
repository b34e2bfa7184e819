import type { Planner } from './searchPlan';
import { planCountedWalk } from './searchPlan';

/**
 * swiotlb_do_find_slots / swiotlb_area_find_slots of 6.3 to 6.8.
 * All alignment is one mask whose bits are copied from the original address: a request of a page or more keeps the
 * original's position within a pair of slots instead of starting on a page, and a request without original address
 * (swiotlb_alloc) gets no alignment at all.
 */
export const plan66: Planner = (plan, pool, area, index, request, pageSize) => {
  let mask = request.minAlignMask | request.allocAlignMask;
  if (request.sizeBytes >= pageSize) {
    mask |= pageSize - 1;
  }
  mask = (mask & ~0x7ff) >>> 0;
  const stride = (mask >>> 11) + 1;
  if (request.original === 0) {
    planCountedWalk(plan, pool, area, index, 0, 0, stride);
    return;
  }
  planCountedWalk(plan, pool, area, index, mask, ((request.original >>> 0) & mask) >>> 0, stride);
};
