import { limitAreas } from '../allocator/sizes';
import type { Cause } from '../model/cause';
import type { Geometry } from '../model/geometry';
import type { ReplayResult } from '../model/replayResult';
import { EvidenceBit, Outcome, Pairing, type TraceTables } from '../model/tables';
import { type Bytes, SEGMENT_BYTES, SEGMENT_SLOTS, type Slots, slotsToBytes } from '../model/units';
import type { Environment } from './environment';
import { type ReplayPlan, StepKind } from './plan';
import type { Policy } from './policy';
import { type ReplayOptions, replay } from './replay';
import type { ParamSettings } from './settings';

/** Failures that no pool size can prevent. */
const unavoidable: ReadonlySet<Cause> = new Set<Cause>([
  'over-size',
  'address-limit',
  'bounce-disabled',
  'attribute-mismatch',
]);

/** One trace under one policy with one boot pool. */
export interface SizePoint {
  readonly policy: string;
  readonly slots: Slots;
  readonly areas: number;
  readonly requests: number;
  readonly failed: number;
  /** Of the failed: those that another pool size could have served. */
  readonly avoidable: number;
  readonly peakBytes: Bytes;
  /** Not replayed: proven to fail the same requests as a smaller size, or as the fixed pool of this size. */
  readonly proven: boolean;
}

/** What all points of a curve share. */
export interface SizingContext {
  readonly tables: TraceTables;
  readonly geometry: Geometry;
  readonly plan: ReplayPlan;
  readonly options: ReplayOptions;
  readonly set: ParamSettings;
  /** A fresh machine for each replay, so that points do not depend on their order. */
  createEnvironment(): Environment;
}

/** 1 MiB to 2 GiB: with areas the kernel rounds every size up to a power of two. */
export const defaultSizes: readonly Slots[] = Array.from({ length: 12 }, (_, index) => 512 * 2 ** index);

/** Areas a pool of that size gets on a machine that would like `areas`. */
export function areasFor(slots: Slots, areas: number): number {
  return Math.max(1, limitAreas(areas, slots));
}

/** True when a policy has a boot pool whose size can be chosen. */
export function isSizable(policy: Policy): boolean {
  return policy.params.some((param) => param.name === 'poolSlots');
}

export function sizePoint(context: SizingContext, policy: Policy, slots: Slots, areas: number): SizePoint {
  const hasAreas = policy.params.some((param) => param.name === 'areas');
  const set = { ...context.set, poolSlots: slots, ...(hasAreas ? { areas: areasFor(slots, areas) } : {}) };
  const result = replay(
    context.tables,
    context.geometry,
    policy,
    set,
    context.createEnvironment(),
    { ...context.options, keepSeries: false },
    context.plan,
  );
  return pointOf(policy.id, slots, hasAreas ? areasFor(slots, areas) : 1, result);
}

function pointOf(policy: string, slots: Slots, areas: number, result: ReplayResult): SizePoint {
  let avoidable = 0;
  for (const [cause, count] of Object.entries(result.failuresByCause)) {
    avoidable += unavoidable.has(cause as Cause) ? 0 : (count ?? 0);
  }
  return {
    policy,
    slots,
    areas,
    requests: result.requestCount,
    failed: result.failed,
    avoidable,
    peakBytes: result.memory.peakBytes,
    proven: false,
  };
}

/**
 * An upper bound of the mappings that are live at once, whatever the policy: mappings whose end is assumed count as
 * never ending.
 */
export function mostLiveMappings(context: Pick<SizingContext, 'tables' | 'plan' | 'options'>): number {
  const { plan, tables, options } = context;
  const { sizeBytes, evidence } = tables.requests.columns;
  const endsInTrace = new Uint8Array(tables.requests.length);
  let live = plan.startRows.length;
  let most = live;
  for (let step = 0; step < plan.stepCount; step++) {
    const row = plan.stepRow[step];
    // A dry run may split a large request; each part is a mapping.
    const isSplit = options.bounceAll && (evidence[row] & EvidenceBit.direct) !== 0;
    const mappings = isSplit ? Math.ceil(sizeBytes[row] / (SEGMENT_BYTES / 2)) : 1;
    if (plan.stepKind[step] === StepKind.birth) {
      live += mappings;
      most = Math.max(most, live);
      endsInTrace[row] = 1;
    } else if (plan.stepKind[step] === StepKind.death && endsInTrace[row] === 1 && hasRecordedEnd(tables, row)) {
      live -= mappings;
    }
  }
  return most;
}

function hasRecordedEnd(tables: TraceTables, row: number): boolean {
  const { outcome, pairing } = tables.requests.columns;
  const isServedOrUnknown = outcome[row] === Outcome.served || outcome[row] === Outcome.unknown;
  return isServedOrUnknown && pairing[row] !== Pairing.assumed;
}

/**
 * The points of one policy, sizes ascending.
 *
 * Sizes need not all be replayed. A mapping lies in one segment, so with fewer live mappings than segments there is a
 * free segment at any time, and any request that can be served at all is served. From there on a larger pool fails the
 * same requests; without misses a policy never allocates, so it differs in nothing but the pool's own memory.
 *
 * `fixed` is the curve of the fixed pool with the same areas, when there is one: a policy that acts only on a miss does
 * the same where that pool misses nothing.
 */
export function sizeCurve(
  context: SizingContext,
  policy: Policy,
  sizes: readonly Slots[],
  areas: number,
  fixed: readonly SizePoint[] = [],
): SizePoint[] {
  const live = mostLiveMappings(context);
  const points: SizePoint[] = [];
  for (const slots of sizes) {
    const before = points.at(-1);
    const same = policy.actsOnlyOnMiss === true ? fixed.find((point) => point.slots === slots) : undefined;
    if (same !== undefined && same.avoidable === 0 && refusesOversize(context.geometry)) {
      points.push({ ...same, policy: policy.id, proven: true });
      continue;
    }
    const isSettled =
      before !== undefined &&
      before.avoidable === 0 &&
      before.slots / SEGMENT_SLOTS > live &&
      before.peakBytes === slotsToBytes(before.slots);
    points.push(
      isSettled
        ? { ...before, slots, areas: areasFor(slots, areas), peakBytes: slotsToBytes(slots), proven: true }
        : sizePoint(context, policy, slots, areas),
    );
  }
  return points;
}

/** Before 6.8 a mapping above 256 KiB was a miss like any other. */
function refusesOversize(geometry: Geometry): boolean {
  return geometry.generation.value === '6.8' || geometry.generation.value === '6.12';
}

/**
 * The smallest pool from which on no size of the curve fails avoidably, refined between it and the next smaller size.
 * Null when even the largest one fails.
 */
export function smallestPool(context: SizingContext, policy: Policy, curve: readonly SizePoint[]): SizePoint | null {
  let index = curve.length;
  while (index > 0 && curve[index - 1].avoidable === 0) {
    index--;
  }
  if (index === curve.length) {
    return null;
  }
  let best = curve[index];
  if (index === 0) {
    return best;
  }
  const low = curve[index - 1].slots;
  const step = Math.max(SEGMENT_SLOTS * best.areas, (best.slots - low) / refinements);
  for (let slots = best.slots - step; slots > low; slots -= step) {
    if (slots % (SEGMENT_SLOTS * best.areas) !== 0) {
      break;
    }
    const point = sizePoint(context, policy, slots, best.areas);
    if (point.avoidable > 0) {
      break;
    }
    best = point;
  }
  return best;
}

/** Steps between two sizes of the curve. */
const refinements = 8;

/** The knee: the first size after which no larger one saves a tenth of the failures of the smallest size. */
export function kneeOf(curve: readonly SizePoint[]): SizePoint | null {
  const first = curve[0];
  if (first === undefined) {
    return null;
  }
  const least = Math.min(...curve.map((point) => point.avoidable));
  return curve.find((point) => point.avoidable - least <= first.avoidable / 10) ?? null;
}
