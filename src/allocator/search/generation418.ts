import type { Planner } from './searchPlan';
import { wrap } from './searchPlan';

/**
 * swiotlb_tbl_map_single before areas (read in 4.18–4.20; until 5.19 with additions that are not modelled).
 * One index for the whole pool, no device mask; from one page up the index moves in pages.
 */
export const plan418: Planner = (plan, pool, _area, index, request, pageSize) => {
  const stride = request.sizeBytes >= pageSize ? pageSize >>> 11 : 1;
  const start = wrap((index + stride - 1) & ~(stride - 1), pool.areaSlots);
  plan.candidates = null;
  plan.endless = false;
  plan.step = stride;
  plan.first = start;
  plan.stride = 0;
  plan.limit = pool.areaSlots;
  plan.wrapFirst = 0;
  plan.wrapLimit = start;
};
