import { type Bytes, SEGMENT_SLOTS } from '../../model/units';
import type { Pool } from '../pool';
import type { GenerationRules } from './rules';
import { createSearchPlan, type SearchPlan, type SearchRequest, wrapLimitOf } from './searchPlan';

/** `find`: the area has no place for the request. */
export const NOT_FOUND = -1;
/** `find`: the kernel's loop would never end (6.0–6.2). */
export const LOCKUP = -2;

/**
 * Searches one area as the kernel of a generation does. Changes nothing but bounds inside the pool's index:
 * the caller takes the slots (`pool.take`) and moves `pool.areaIndex` to `indexAfter`.
 */
export class AreaSearch {
  /** Candidates that reached the boundary test in the last `find`: the kernel's probes. */
  probes = 0;
  /** False: nobody asks for `probes`, and a search that must fail ends before it is planned. */
  countsProbes = true;
  private readonly rules: GenerationRules;
  private readonly pageSize: Bytes;
  private readonly plan: SearchPlan = createSearchPlan();

  constructor(rules: GenerationRules, pageSize: Bytes) {
    this.rules = rules;
    this.pageSize = pageSize;
  }

  /** Slot of the pool, NOT_FOUND or LOCKUP. `index` is usually `pool.areaIndex[area]`; any slot of the area will do. */
  find(pool: Pool, area: number, index: number, request: SearchRequest): number {
    this.probes = 0;
    const count = request.slots;
    if (this.rules.countsFreeSlots && count > pool.areaSlots - pool.areaUsed[area]) {
      return NOT_FOUND;
    }
    if (!this.countsProbes && !this.rules.mayNotEnd && (count > SEGMENT_SLOTS || pool.runBound(area) < count)) {
      return NOT_FOUND;
    }
    pool.useBoundary(request.segBoundaryMask);
    const plan = this.plan;
    this.rules.plan(plan, pool, area, index, request, this.pageSize);
    const base = area * pool.areaSlots;
    if (plan.candidates !== null) {
      return this.findListed(pool, base, count, plan.candidates, plan.endless);
    }
    if (count > SEGMENT_SLOTS || pool.runBound(area) < count) {
      this.probes = progressionLength(plan);
      return plan.endless ? LOCKUP : NOT_FOUND;
    }
    const first = plan.first;
    const stepShift = 31 - Math.clz32(plan.step);
    if (first < plan.limit) {
      // Next fit: mostly the first candidate is free.
      if (pool.boundarySlots === 0 && pool.fits(base + first, count)) {
        this.probes = 1;
        return base + first;
      }
      const slot = this.findFrom(pool, area, first, plan.limit, count);
      if (slot >= 0) {
        this.probes = ((slot - first) >> stepShift) + 1;
        return base + slot;
      }
      this.probes = ((plan.limit - 1 - first) >> stepShift) + 1;
    }
    const wrapLimit = wrapLimitOf(plan);
    if (plan.wrapFirst < wrapLimit) {
      const slot = this.findFrom(pool, area, plan.wrapFirst, wrapLimit, count);
      if (slot >= 0) {
        this.probes += ((slot - plan.wrapFirst) >> stepShift) + 1;
        return base + slot;
      }
      this.probes += ((wrapLimit - 1 - plan.wrapFirst) >> stepShift) + 1;
    }
    pool.tightenArea(area, count);
    return plan.endless ? LOCKUP : NOT_FOUND;
  }

  /** area.index after slots were taken at `slot` of the pool. */
  indexAfter(pool: Pool, area: number, slot: number, count: number): number {
    const index = slot - area * pool.areaSlots + count;
    return index >= pool.areaSlots ? 0 : index;
  }

  /** Every slot the last planned search would look at, relative to the area, if none of them fitted. */
  candidates(pool: Pool, area: number, index: number, request: SearchRequest): number[] {
    pool.useBoundary(request.segBoundaryMask);
    const plan = this.plan;
    this.rules.plan(plan, pool, area, index, request, this.pageSize);
    if (plan.candidates !== null) {
      return [...plan.candidates];
    }
    const candidates: number[] = [];
    for (let slot = plan.first; slot < plan.limit; slot += plan.step) {
      candidates.push(slot);
    }
    const wrapLimit = wrapLimitOf(plan);
    for (let slot = plan.wrapFirst; slot < wrapLimit; slot += plan.step) {
      candidates.push(slot);
    }
    return candidates;
  }

  private findFrom(pool: Pool, area: number, first: number, limit: number, count: number): number {
    const step = this.plan.step;
    if (pool.boundarySlots === 0) {
      return pool.find(area, first, step, limit, count);
    }
    return findWithinBoundaries(pool, area, first, step, limit, count);
  }

  private findListed(pool: Pool, base: number, count: number, candidates: readonly number[], endless: boolean): number {
    for (const candidate of candidates) {
      this.probes++;
      if (count <= SEGMENT_SLOTS && !spans(pool, base + candidate, count) && pool.fits(base + candidate, count)) {
        return base + candidate;
      }
    }
    return endless ? LOCKUP : NOT_FOUND;
  }
}

/** Candidates in all. */
function progressionLength(plan: SearchPlan): number {
  const { first, limit, wrapFirst, step } = plan;
  const stepShift = 31 - Math.clz32(step);
  const wrapLimit = wrapLimitOf(plan);
  return (
    (first < limit ? ((limit - 1 - first) >> stepShift) + 1 : 0) +
    (wrapFirst < wrapLimit ? ((wrapLimit - 1 - wrapFirst) >> stepShift) + 1 : 0)
  );
}

/** iommu_is_span_boundary: would the run cross a multiple of the device's segment boundary? */
function spans(pool: Pool, slot: number, count: number): boolean {
  const between = pool.boundarySlots;
  return between !== 0 && ((pool.tableShift + slot) % between) + count > between;
}

/** As `pool.find`; a run that crosses a boundary sends the search to that boundary. */
function findWithinBoundaries(
  pool: Pool,
  area: number,
  first: number,
  step: number,
  limit: number,
  count: number,
): number {
  const between = pool.boundarySlots;
  if (count > between) {
    return NOT_FOUND;
  }
  const shift = pool.tableShift + area * pool.areaSlots;
  let slot = pool.find(area, first, step, limit, count);
  while (slot >= 0) {
    const into = (shift + slot) % between;
    if (into + count <= between) {
      return slot;
    }
    const next = slot + between - into;
    const candidate = next + ((first - next) & (step - 1));
    if (candidate >= limit) {
      return NOT_FOUND;
    }
    slot = pool.find(area, candidate, step, limit, count);
  }
  return NOT_FOUND;
}
