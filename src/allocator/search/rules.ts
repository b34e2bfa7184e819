import type { Generation } from '../../model/geometry';
import { plan61 } from './generation61';
import { plan66 } from './generation66';
import { plan68 } from './generation68';
import { plan418 } from './generation418';
import { plan612 } from './generation612';
import type { Planner } from './searchPlan';

/** What differs between the generations around the search of one area. */
export interface GenerationRules {
  readonly generation: Generation;
  readonly plan: Planner;
  /** One lock and one index for the whole pool. */
  readonly singleArea: boolean;
  /** min_align_mask is honoured. */
  readonly deviceMask: boolean;
  /** 6.9+: the padding covers alloc_align_mask (pad_slots) and the printed size includes it. */
  readonly prePadding: boolean;
  /** The loop over an area may miss its start for ever. */
  readonly mayNotEnd: boolean;
  /** Areas with too few free slots are left at once (area.used). */
  readonly countsFreeSlots: boolean;
  /** Dynamic kernels refuse more than 256 KiB before any search. */
  readonly refusesOversize: boolean;
  /** Dynamic kernels search all areas of a pool before the next pool. */
  readonly poolMajor: boolean;
  /** Free counts of a partial last segment reach past the pool's end. */
  readonly tailOverrun: boolean;
  /** io_tlb_used_hiwater exists. */
  readonly hasHiwater: boolean;
  /** io_tlb_transient_nslabs exists. */
  readonly hasTransientCounter: boolean;
}

const areas = { singleArea: false, deviceMask: true, countsFreeSlots: true, mayNotEnd: false };

export const generationRules: Readonly<Record<Generation, GenerationRules>> = {
  '4.18': {
    generation: '4.18',
    plan: plan418,
    singleArea: true,
    deviceMask: false,
    prePadding: false,
    countsFreeSlots: false,
    mayNotEnd: false,
    refusesOversize: false,
    poolMajor: true,
    tailOverrun: true,
    hasHiwater: false,
    hasTransientCounter: false,
  },
  '6.1': {
    ...areas,
    generation: '6.1',
    plan: plan61,
    mayNotEnd: true,
    prePadding: false,
    refusesOversize: false,
    poolMajor: true,
    tailOverrun: true,
    hasHiwater: false,
    hasTransientCounter: false,
  },
  '6.6': {
    ...areas,
    generation: '6.6',
    plan: plan66,
    prePadding: false,
    refusesOversize: false,
    poolMajor: true,
    tailOverrun: true,
    hasHiwater: true,
    hasTransientCounter: false,
  },
  '6.8': {
    ...areas,
    generation: '6.8',
    plan: plan68,
    prePadding: false,
    refusesOversize: true,
    poolMajor: false,
    tailOverrun: false,
    hasHiwater: true,
    hasTransientCounter: false,
  },
  '6.12': {
    ...areas,
    generation: '6.12',
    plan: plan612,
    prePadding: true,
    refusesOversize: true,
    poolMajor: false,
    tailOverrun: false,
    hasHiwater: true,
    hasTransientCounter: true,
  },
};
