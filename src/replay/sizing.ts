import { limitAreas } from '../allocator/sizes';
import type { Cause } from '../model/cause';
import type { Geometry } from '../model/geometry';
import type { ReplayResult } from '../model/replayResult';
import type { TraceTables } from '../model/tables';
import { type Bytes, SEGMENT_SLOTS, type Slots, slotsToBytes } from '../model/units';
import { type AlwaysServed, isAlwaysServed } from './alwaysServed';
import type { CostModel } from './costModel';
import type { Environment } from './environment';
import type { ReplayPlan } from './plan';
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
  /** Requests whose end the trace does not say. */
  readonly assumedLifetimes: number;
  /** Locks of areas taken, and those of them contended (a proxy); null where nobody asked, or without a clock. */
  readonly locks: { readonly taken: number; readonly contended: number } | null;
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

/** `costModel`: also counts the locks, which takes a whole replay. */
export function sizePoint(
  context: SizingContext,
  policy: Policy,
  slots: Slots,
  areas: number,
  costModel: CostModel | null = null,
): SizePoint {
  const hasAreas = policy.params.some((param) => param.name === 'areas');
  const set = { ...context.set, poolSlots: slots, ...(hasAreas ? { areas: areasFor(slots, areas) } : {}) };
  const result = replay(
    context.tables,
    context.geometry,
    policy,
    set,
    context.createEnvironment(),
    { ...context.options, keepSeries: false, ...(costModel === null ? { summaryOnly: true } : { costModel }) },
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
    assumedLifetimes: result.assumed.lifetimes,
    locks:
      result.cost.contendedLocks === null
        ? null
        : { taken: result.cost.areaLocks, contended: result.cost.contendedLocks },
    proven: false,
  };
}

/** One replay of a sizing: a policy with a boot pool of that size. */
export interface SizeJob {
  readonly policy: string;
  readonly slots: Slots;
  readonly areas: number;
  /** Settings that differ from those of the sizing. */
  readonly set?: ParamSettings;
  /** Count the locks, too. */
  readonly countsLocks?: boolean;
}

/**
 * A sizing in progress: yields the replays it needs next, all independent of one another, and takes their points in the
 * same order. The driver may run them in any order and on any number of threads: the answer is the same.
 */
export type Sizing<T> = Generator<readonly SizeJob[], T, readonly SizePoint[]>;

/** Runs a sizing on this thread. */
export function runSizing<T>(sizing: Sizing<T>, run: (job: SizeJob) => SizePoint): T {
  let step = sizing.next();
  while (step.done !== true) {
    step = sizing.next(step.value.map(run));
  }
  return step.value;
}

/** Runs a sizing wherever `run` runs its jobs: those of one step at the same time. */
export async function runSizingInParallel<T>(sizing: Sizing<T>, run: (job: SizeJob) => Promise<SizePoint>): Promise<T> {
  let step = sizing.next();
  while (step.done !== true) {
    step = sizing.next(await Promise.all(step.value.map(run)));
  }
  return step.value;
}

/** A curve to draw: one policy on a machine that would like so many areas. */
export interface CurveSpec {
  readonly policy: Policy;
  readonly areas: number;
}

/** What is known before the first replay. */
export interface CurveFacts {
  readonly alwaysServed: AlwaysServed;
  readonly geometry: Geometry;
}

/**
 * The points of some curves, sizes ascending.
 *
 * Sizes need not all be replayed. Where a miss is impossible (`alwaysServedFrom`) a pool fails the same requests as a
 * smaller one that missed nothing; without misses a policy never allocates, so it differs in nothing but the pool's own
 * memory.
 *
 * A policy that acts only on a miss does the same as the fixed pool of the same size and areas where that one misses
 * nothing.
 */
export function* sizeCurves(
  specs: readonly CurveSpec[],
  sizes: readonly Slots[],
  facts: CurveFacts,
): Sizing<SizePoint[][]> {
  const curves = specs.map(() => new Array<SizePoint | undefined>(sizes.length).fill(undefined));
  for (;;) {
    const jobs: SizeJob[] = [];
    const places: { curve: number; index: number }[] = [];
    let isComplete = true;
    for (let curve = 0; curve < specs.length; curve++) {
      for (let index = 0; index < sizes.length; index++) {
        if (curves[curve][index] !== undefined) {
          continue;
        }
        const found = derivePoint(specs, curves, curve, index, sizes, facts);
        if (found === 'replay') {
          const { policy, areas } = specs[curve];
          jobs.push({ policy: policy.id, slots: sizes[index], areas });
          places.push({ curve, index });
        } else if (found !== 'later') {
          curves[curve][index] = found;
          continue;
        }
        isComplete = false;
      }
    }
    if (isComplete) {
      return curves as SizePoint[][];
    }
    if (jobs.length === 0) {
      continue;
    }
    const points = yield jobs;
    for (const [job, point] of points.entries()) {
      curves[places[job].curve][places[job].index] = point;
    }
  }
}

/** A point that needs no replay; `later` while the point that decides about it is not there yet. */
function derivePoint(
  specs: readonly CurveSpec[],
  curves: readonly (readonly (SizePoint | undefined)[])[],
  curve: number,
  index: number,
  sizes: readonly Slots[],
  { alwaysServed, geometry }: CurveFacts,
): SizePoint | 'replay' | 'later' {
  const { policy, areas } = specs[curve];
  const slots = sizes[index];
  if (policy.actsOnlyOnMiss === true && refusesOversize(geometry)) {
    const fixed = specs.findIndex((spec) => spec.policy.id === 'fixed' && spec.areas === areas);
    const same = fixed < 0 ? null : curves[fixed][index];
    if (same === undefined) {
      return 'later';
    }
    if (same !== null && same.avoidable === 0) {
      return { ...same, policy: policy.id, proven: true };
    }
  }
  if (index === 0 || !isAlwaysServed(alwaysServed, slots, areasFor(slots, areas))) {
    return 'replay';
  }
  const before = curves[curve][index - 1];
  if (before === undefined) {
    return 'later';
  }
  const isSettled = before.avoidable === 0 && before.peakBytes === slotsToBytes(before.slots);
  return isSettled
    ? { ...before, slots, areas: areasFor(slots, areas), peakBytes: slotsToBytes(slots), proven: true }
    : 'replay';
}

/** Before 6.8 a mapping above 256 KiB was a miss like any other. */
function refusesOversize(geometry: Geometry): boolean {
  return geometry.generation.value === '6.8' || geometry.generation.value === '6.12';
}

/**
 * Failures of a curve that no size prevents, though their cause does not say so: a request whose alignment leaves no
 * place even in an empty segment, for example. They are what is left where a miss is impossible for all others; 0 when
 * the curve does not reach that far.
 */
export function hopelessIn(curve: readonly SizePoint[], alwaysServed: AlwaysServed): number {
  const last = curve[curve.length - 1];
  return last !== undefined && isAlwaysServed(alwaysServed, last.slots, last.areas) ? last.avoidable : 0;
}

/** The point without failures that no size prevents. */
export function withoutHopeless(point: SizePoint, hopeless: number): SizePoint {
  return hopeless === 0 ? point : { ...point, avoidable: Math.max(0, point.avoidable - hopeless) };
}

/**
 * Per curve the smallest pool from which on no size fails avoidably, refined between it and the next smaller size.
 * Null when even the largest one fails.
 */
export function* smallestPools(
  policies: readonly string[],
  curves: readonly (readonly SizePoint[])[],
  /** Per curve, already left out of its points. */
  hopeless: readonly number[],
): Sizing<(SizePoint | null)[]> {
  const searches = curves.map(startRefining);
  for (;;) {
    const jobs: SizeJob[] = [];
    const asking: { readonly search: Refining; readonly hopeless: number }[] = [];
    for (const [curve, search] of searches.entries()) {
      if (search.next !== null && search.best !== null) {
        jobs.push({ policy: policies[curve], slots: search.next, areas: search.best.areas });
        asking.push({ search, hopeless: hopeless[curve] ?? 0 });
      }
    }
    if (jobs.length === 0) {
      return searches.map((search) => search.best);
    }
    const points = yield jobs;
    for (const [job, point] of points.entries()) {
      goOnRefining(asking[job].search, withoutHopeless(point, asking[job].hopeless));
    }
  }
}

interface Refining {
  best: SizePoint | null;
  /** Size to try next, null when the search is over. */
  next: Slots | null;
  readonly low: Slots;
  readonly step: Slots;
}

function startRefining(curve: readonly SizePoint[]): Refining {
  let index = curve.length;
  while (index > 0 && curve[index - 1].avoidable === 0) {
    index--;
  }
  const best = index === curve.length ? null : curve[index];
  if (best === null || index === 0) {
    return { best, next: null, low: 0, step: 0 };
  }
  const low = curve[index - 1].slots;
  const step = Math.max(SEGMENT_SLOTS * best.areas, (best.slots - low) / refinements);
  return { best, low, step, next: nextSize(best.slots - step, best.areas, low) };
}

function goOnRefining(search: Refining, point: SizePoint): void {
  if (point.avoidable > 0) {
    search.next = null;
    return;
  }
  search.best = point;
  search.next = nextSize(point.slots - search.step, point.areas, search.low);
}

/** Null for sizes that are no whole segments per area, or were tried already. */
function nextSize(slots: Slots, areas: number, low: Slots): Slots | null {
  return slots > low && slots % (SEGMENT_SLOTS * areas) === 0 ? slots : null;
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
