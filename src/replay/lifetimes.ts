import { assert } from '../base/assert';
import { lowerBound, upperBound } from '../base/bisect';
import { Outcome, Pairing, type TraceTables } from '../model/tables';
import { bytesToSlots, type Nanoseconds, type Slots } from '../model/units';
import { clockOffsetNs, type ReplayPlan } from './plan';

/** Fewer lifetimes than this and a class is widened (design.md, "From events to requests" 6). */
const fewestInClass = 8;

/**
 * Size class of a request: 0 for one slot, then one class per doubling, up to 8 for a whole segment.
 * Requests of one class tend to come from one kind of I/O.
 */
export function sizeClassOf(sizeBytes: number): number {
  return Math.ceil(Math.log2(Math.max(1, bytesToSlots(sizeBytes))));
}

/** What the replay assumes about mappings whose end the trace does not say. */
export interface Lifetimes {
  /**
   * Lifetime of a request that failed in the trace and is served now: that of its retry, else the quantile of the
   * served requests of the same device, direction and size class, widened while there are fewer than 8.
   * Infinity: such mappings were still held at the end.
   */
  counterfactual(row: number): Nanoseconds;
  /** Lifetime of a request in a trace without any unmap evidence. */
  withoutEvidence(row: number): Nanoseconds;
  /** How `withoutEvidence` was found. */
  readonly fit: LifetimeFit | null;
}

/** One lifetime per size class, found by following the debugfs samples. */
export interface LifetimeFit {
  readonly byClassNs: ReadonlyMap<number, Nanoseconds>;
  /** Slots that were in use before the first request, by the same fit. */
  readonly baselineSlots: Slots;
  /** Mean distance between modelled and sampled `used`. */
  readonly meanErrorSlots: number;
  readonly samples: number;
}

export interface LifetimeOptions {
  /** For traces without unmap evidence and samples; steps instead of nanoseconds for order-only clocks. */
  readonly assumedLifetime: Nanoseconds;
  /** 0.5 is the median. */
  readonly quantile: number;
  /** Multiplies every assumed lifetime: 0.1 and 10 show how much depends on it. */
  readonly scale: number;
}

/** What the replays of one trace share, whatever they assume. */
interface KnownLifetimes {
  readonly fit: LifetimeFit | null;
  classes: RecordedLifetimes | undefined;
}

/** A sizing replays one plan dozens of times, and a fit takes as long as some replays. */
const known = new WeakMap<ReplayPlan, KnownLifetimes>();

function knownLifetimes(tables: TraceTables, plan: ReplayPlan): KnownLifetimes {
  let found = known.get(plan);
  if (found === undefined) {
    found = { fit: fitLifetimes(tables, plan), classes: undefined };
    known.set(plan, found);
  }
  return found;
}

/** `plan` must be that of the tables. */
export function createLifetimes(tables: TraceTables, plan: ReplayPlan, options: LifetimeOptions): Lifetimes {
  const shared = knownLifetimes(tables, plan);
  const { fit } = shared;

  function withoutEvidence(row: number): Nanoseconds {
    const fitted = fit?.byClassNs.get(sizeClassOf(tables.requests.columns.sizeBytes[row]));
    return (fitted ?? options.assumedLifetime) * options.scale;
  }

  function counterfactual(row: number): Nanoseconds {
    const retried = lifetimeOfRetry(tables, plan, row);
    if (!Number.isNaN(retried)) {
      return retried;
    }
    shared.classes ??= collectLifetimes(tables, plan);
    const recorded = shared.classes.quantile(row, options.quantile);
    return Number.isNaN(recorded) ? withoutEvidence(row) : recorded * options.scale;
  }

  return { counterfactual, withoutEvidence, fit };
}

/** Recorded lifetime, Infinity when still held at the end, NaN when nothing is known. */
function recordedLifetime(tables: TraceTables, plan: ReplayPlan, row: number): Nanoseconds {
  const { outcome, pairing } = tables.requests.columns;
  if (outcome[row] === Outcome.failed || outcome[row] === Outcome.rolledBack) {
    return Number.NaN;
  }
  if (pairing[row] === Pairing.assumed || pairing[row] === Pairing.unseenMap || Number.isNaN(plan.birthNs[row])) {
    return Number.NaN;
  }
  const lifetime = plan.deathNs[row] - plan.birthNs[row];
  return Number.isNaN(lifetime) ? Number.POSITIVE_INFINITY : Math.max(0, lifetime);
}

function lifetimeOfRetry(tables: TraceTables, plan: ReplayPlan, row: number): Nanoseconds {
  let retry = plan.retryBy[row];
  while (retry >= 0) {
    const lifetime = recordedLifetime(tables, plan, retry);
    if (!Number.isNaN(lifetime)) {
      return lifetime;
    }
    const next = plan.retryBy[retry];
    if (next <= retry) {
      break;
    }
    retry = next;
  }
  return Number.NaN;
}

interface RecordedLifetimes {
  quantile(row: number, quantile: number): Nanoseconds;
}

/** Lifetimes of served requests by (device, direction, size class), and by ever wider classes. */
function collectLifetimes(tables: TraceTables, plan: ReplayPlan): RecordedLifetimes {
  const { device, direction, sizeBytes } = tables.requests.columns;
  const byClass = new Map<string, number[] | Float64Array>();
  const keysOf = (row: number): string[] => {
    const sizeClass = sizeClassOf(sizeBytes[row]);
    return [
      `${device[row]}/${direction[row]}/${sizeClass}`,
      `${device[row]}/${direction[row]}`,
      `${device[row]}`,
      'all',
    ];
  };
  for (let row = 0; row < tables.requests.length; row++) {
    const lifetime = recordedLifetime(tables, plan, row);
    if (Number.isNaN(lifetime)) {
      continue;
    }
    for (const key of keysOf(row)) {
      const list = byClass.get(key) as number[] | undefined;
      if (list === undefined) {
        byClass.set(key, [lifetime]);
      } else {
        list.push(lifetime);
      }
    }
  }
  const sorted = new Map<string, Float64Array>();
  const sortedClass = (key: string): Float64Array => {
    let list = sorted.get(key);
    if (list === undefined) {
      list = Float64Array.from(byClass.get(key) ?? []).sort();
      sorted.set(key, list);
    }
    return list;
  };
  return {
    quantile(row, quantile) {
      let widest: Float64Array | undefined;
      for (const key of keysOf(row)) {
        const list = sortedClass(key);
        if (list.length >= fewestInClass) {
          return pickQuantile(list, quantile);
        }
        widest = list.length > 0 ? list : widest;
      }
      return widest === undefined ? Number.NaN : pickQuantile(widest, quantile);
    },
  };
}

function pickQuantile(sorted: Float64Array, quantile: number): Nanoseconds {
  return sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))];
}

/** Candidate lifetimes: 1 µs to 1000 s, eight per decade. */
const candidatesNs = Array.from({ length: 73 }, (_, index) => 1e3 * 10 ** (index / 8));
const fewestSamples = 3;

/**
 * Finds one lifetime per size class such that the modelled `used` follows the debugfs samples, by coordinate descent
 * over a logarithmic grid. Slots in use before the trace appear as a constant baseline.
 * Null when the trace has unmap evidence, no time, or too few samples among its requests.
 */
function fitLifetimes(tables: TraceTables, plan: ReplayPlan): LifetimeFit | null {
  const { pairing, sizeBytes, outcome } = tables.requests.columns;
  const arrivals = new Map<number, { times: number[]; slots: number[] }>();
  for (let row = 0; row < tables.requests.length; row++) {
    // A failed request takes no slots, and one that was unmapped says its own lifetime.
    if (pairing[row] !== Pairing.assumed || outcome[row] === Outcome.failed || Number.isNaN(plan.birthNs[row])) {
      continue;
    }
    const sizeClass = sizeClassOf(sizeBytes[row]);
    let list = arrivals.get(sizeClass);
    if (list === undefined) {
      list = { times: [], slots: [] };
      arrivals.set(sizeClass, list);
    }
    list.times.push(plan.birthNs[row]);
    list.slots.push(bytesToSlots(sizeBytes[row]));
  }
  const samples = plan.hasTime ? usableSamples(tables, plan) : [];
  if (arrivals.size === 0 || samples.length < fewestSamples) {
    return null;
  }

  const classIds = [...arrivals.keys()].sort((a, b) => a - b);
  const modelled = classIds.map((sizeClass) => modelUse(arrivals.get(sizeClass)!, samples));
  const { choice, score } = searchLifetimes(modelled, samples);
  return {
    byClassNs: new Map(classIds.map((sizeClass, index) => [sizeClass, candidatesNs[choice[index]]])),
    baselineSlots: Math.round(score.baseline),
    meanErrorSlots: score.absolute,
    samples: samples.length,
  };
}

interface FitScore {
  readonly squared: number;
  readonly absolute: number;
  readonly baseline: Slots;
}

/** Coordinate descent from several common lifetimes; the best end wins, so that one bad valley does no harm. */
function searchLifetimes(
  modelled: readonly (readonly Float64Array[])[],
  samples: readonly UsedSample[],
): { readonly choice: readonly number[]; readonly score: FitScore } {
  let best: { choice: readonly number[]; score: FitScore } | undefined;
  for (let start = 4; start < candidatesNs.length; start += 8) {
    const end = descend(modelled, samples, start);
    if (best === undefined || end.score.squared < best.score.squared) {
      best = end;
    }
  }
  assert(best !== undefined, 'there is at least one start');
  return best;
}

const mostRounds = 20;

function descend(
  modelled: readonly (readonly Float64Array[])[],
  samples: readonly UsedSample[],
  start: number,
): { readonly choice: readonly number[]; readonly score: FitScore } {
  const choice = modelled.map(() => start);
  const total = new Float64Array(samples.length);
  addChoice(total, modelled, choice);
  const trial = new Float64Array(samples.length);
  let score = distance(total, samples);
  for (let round = 0; round < mostRounds; round++) {
    const before = score.squared;
    for (let index = 0; index < modelled.length; index++) {
      for (let candidate = 0; candidate < candidatesNs.length; candidate++) {
        const taken = modelled[index][choice[index]];
        const tried = modelled[index][candidate];
        for (let i = 0; i < trial.length; i++) {
          trial[i] = total[i] - taken[i] + tried[i];
        }
        const trialScore = distance(trial, samples);
        if (trialScore.squared < score.squared) {
          score = trialScore;
          choice[index] = candidate;
          total.set(trial);
        }
      }
    }
    if (score.squared >= before) {
      break;
    }
  }
  return { choice, score };
}

interface UsedSample {
  readonly timeNs: Nanoseconds;
  readonly used: Slots;
}

function usableSamples(tables: TraceTables, plan: ReplayPlan): UsedSample[] {
  const { source, timeNs, used, pool } = tables.samples.columns;
  const samples: UsedSample[] = [];
  for (let row = 0; row < tables.samples.length; row++) {
    const atNs = timeNs[row] + clockOffsetNs(tables, source[row]);
    const isInside = atNs >= plan.startNs && atNs <= plan.endNs;
    if (isInside && used[row] >= 0 && pool[row] === 0) {
      samples.push({ timeNs: atNs, used: used[row] });
    }
  }
  return samples;
}

/** Slots in use at each sample for each candidate lifetime: arrivals in (sample - lifetime, sample]. */
function modelUse(
  arrivals: { readonly times: readonly number[]; readonly slots: readonly number[] },
  samples: readonly UsedSample[],
): Float64Array[] {
  const sums = new Float64Array(arrivals.times.length + 1);
  for (let i = 0; i < arrivals.times.length; i++) {
    sums[i + 1] = sums[i] + arrivals.slots[i];
  }
  return candidatesNs.map((lifetimeNs) =>
    Float64Array.from(
      samples,
      ({ timeNs }) => sums[upperBound(arrivals.times, timeNs)] - sums[lowerBound(arrivals.times, timeNs - lifetimeNs)],
    ),
  );
}

function addChoice(
  total: Float64Array,
  modelled: readonly (readonly Float64Array[])[],
  choice: readonly number[],
): void {
  for (let index = 0; index < modelled.length; index++) {
    const use = modelled[index][choice[index]];
    for (let i = 0; i < total.length; i++) {
      total[i] += use[i];
    }
  }
}

function distance(modelled: Float64Array, samples: readonly UsedSample[]): FitScore {
  let sum = 0;
  for (let i = 0; i < modelled.length; i++) {
    sum += samples[i].used - modelled[i];
  }
  const baseline = Math.max(0, sum / modelled.length);
  let squared = 0;
  let absolute = 0;
  for (let i = 0; i < modelled.length; i++) {
    const difference = samples[i].used - modelled[i] - baseline;
    squared += difference * difference;
    absolute += Math.abs(difference);
  }
  return { squared, absolute: absolute / modelled.length, baseline };
}
