import { plan66 } from './generation66';
import type { Planner } from './searchPlan';

/**
 * 6.8 searches an area as 6.3–6.7 do. What changed is around it (see search/rules.ts): pools are visited area-major
 * (55c543865b76) and dynamic kernels refuse more than 256 KiB at once (3dc2f2092082).
 */
export const plan68: Planner = plan66;
