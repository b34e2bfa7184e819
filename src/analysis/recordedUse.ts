import { upperBound } from '../base/bisect';
import type { Cause } from '../model/cause';
import type { ReplaySeries } from '../model/replayResult';
import type { DiagnoseReport } from '../model/reports';
import { EvidenceBit, Outcome, Pairing, PoolKind } from '../model/tables';
import { type Nanoseconds, type Slots, slotsToBytes } from '../model/units';
import type { Analysis } from './analysis';
import { slotRangeOf } from './occupancy';

/** What the trace itself shows of the pool over time: no model takes part. */
export interface RecordedUse {
  readonly requests: number;
  readonly served: number;
  readonly failed: number;
  readonly failuresByCause: Readonly<Partial<Record<Cause, number>>>;
  readonly usedHighWaterSlots: Slots;
  readonly capacityPeakSlots: Slots;
  readonly transient: { readonly count: number; readonly peakSlots: Slots };
  readonly memoryPeakBytes: number;
  readonly byteSeconds: number;
  /** Slots held by mappings that the trace never shows; derived from debugfs samples or log counters, else 0. */
  readonly baselineSlots: Slots;
  readonly baselineFrom: 'samples' | 'log' | 'nothing';
  readonly failures: readonly RecordedFailure[];
  readonly series: ReplaySeries;
}

export interface RecordedFailure {
  readonly file: string;
  readonly line: number;
  readonly timeNs: Nanoseconds;
  readonly cause: Cause;
  readonly device: string | null;
  readonly sizeBytes: number | null;
}

/** Changes of the levels as columns, unsorted; a request makes at most two. */
interface Changes {
  readonly timeNs: Float64Array;
  readonly used: Int32Array;
  readonly transient: Int32Array;
  length: number;
}

/**
 * Slots in use by the recorded bounce addresses and lifetimes, the pool's size and the recorded failures.
 * Null when the trace does not show them: no times, no bounce addresses, or no unmaps at all.
 */
export function recordedUse(analysis: Analysis, report: DiagnoseReport): RecordedUse | null {
  const { tables } = analysis;
  const { columns, length } = tables.requests;
  const changes: Changes = {
    timeNs: new Float64Array(2 * length),
    used: new Int32Array(2 * length),
    transient: new Int32Array(2 * length),
    length: 0,
  };
  let requests = 0;
  let placed = 0;
  let transientCount = 0;
  let withoutTime = 0;
  for (let row = 0; row < length; row++) {
    if ((columns.evidence[row] & EvidenceBit.direct) !== 0) {
      continue;
    }
    const isBefore = columns.pairing[row] === Pairing.unseenMap;
    requests += isBefore ? 0 : 1;
    if (columns.outcome[row] !== Outcome.served || columns.pairing[row] === Pairing.assumed) {
      continue;
    }
    const range = slotRangeOf(analysis, row);
    if (range === null) {
      continue;
    }
    const offsetNs = tables.sources[columns.source[row]].offsetNs;
    const bornNs = isBefore ? Number.NEGATIVE_INFINITY : columns.enterNs[row] + orZero(columns.mapDurationNs[row]);
    if (Number.isNaN(bornNs)) {
      withoutTime++;
      continue;
    }
    placed += isBefore ? 0 : 1;
    const isTransient = range.pool.kind === 'transient';
    transientCount += isTransient && !isBefore ? 1 : 0;
    const transient = isTransient ? range.pool.slots.value : 0;
    addChange(changes, bornNs + offsetNs, range.slots, transient);
    const endNs = columns.unmapEnterNs[row] + orZero(columns.unmapDurationNs[row]) + offsetNs;
    if (!Number.isNaN(endNs)) {
      addChange(changes, endNs, -range.slots, -transient);
    }
  }
  if (placed === 0 || placed < withoutTime) {
    return null;
  }
  return assemble(analysis, report, { changes, requests, transientCount });
}

function addChange(changes: Changes, timeNs: Nanoseconds, used: Slots, transient: Slots): void {
  const at = changes.length++;
  changes.timeNs[at] = timeNs;
  changes.used[at] = used;
  changes.transient[at] = transient;
}

function assemble(
  analysis: Analysis,
  report: DiagnoseReport,
  seen: { readonly changes: Changes; readonly requests: number; readonly transientCount: number },
): RecordedUse {
  const failures = recordedFailures(report);
  const fromNs = firstTimeOf(seen.changes);
  const capacity = capacitySteps(analysis, fromNs);
  const levels = levelsOf(seen.changes, fromNs);
  const { baselineSlots, baselineFrom } = baselineOf(analysis, levels);
  const series = seriesOf(levels, baselineSlots, capacity, failures, highWaterSamples(analysis));
  const { startNs, endNs } = requestSpan(analysis);
  let memoryPeakBytes = 0;
  let byteNs = 0;
  for (let i = 0; i < series.length; i++) {
    memoryPeakBytes = Math.max(memoryPeakBytes, series.memoryBytes[i]);
    const untilNs = Math.min(series.timeNs[i + 1] ?? endNs, endNs);
    byteNs += series.memoryBytes[i] * Math.max(0, untilNs - Math.max(series.timeNs[i], startNs));
  }
  const failuresByCause: Partial<Record<Cause, number>> = {};
  for (const failure of failures) {
    failuresByCause[failure.cause] = (failuresByCause[failure.cause] ?? 0) + 1;
  }
  return {
    requests: seen.requests,
    served: seen.requests - failures.length,
    failed: failures.length,
    failuresByCause,
    usedHighWaterSlots: series.hiwaterSlots[series.length - 1] ?? 0,
    capacityPeakSlots: highest(series.capacitySlots),
    transient: { count: seen.transientCount, peakSlots: highest(series.transientSlots) },
    memoryPeakBytes,
    byteSeconds: byteNs / 1e9,
    baselineSlots,
    baselineFrom,
    failures,
    series,
  };
}

/** What takes the place of a replay's numbers where the trace itself shows them. */
export function recordedNumbers(use: RecordedUse) {
  return {
    requests: use.requests,
    served: use.served,
    failed: use.failed,
    failuresByCause: use.failuresByCause,
    usedHighWaterSlots: use.usedHighWaterSlots,
    capacityPeakSlots: use.capacityPeakSlots,
    transient: { ...use.transient, failed: 0 },
    memory: { peakBytes: use.memoryPeakBytes, byteSeconds: use.byteSeconds, roundingWasteBytes: 0 },
  };
}

/** First to last step of the requests: the time a replay takes its integrals over, so that both compare. */
function requestSpan(analysis: Analysis): { readonly startNs: Nanoseconds; readonly endNs: Nanoseconds } {
  const { requests, sources } = analysis.tables;
  const { enterNs, unmapEnterNs, source } = requests.columns;
  let startNs = Number.POSITIVE_INFINITY;
  let endNs = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < requests.length; row++) {
    const { offsetNs } = sources[source[row]];
    for (const timeNs of [enterNs[row] + offsetNs, unmapEnterNs[row] + offsetNs]) {
      // Unknown times are NaN and pass both comparisons by.
      if (timeNs < startNs) {
        startNs = timeNs;
      }
      if (timeNs > endNs) {
        endNs = timeNs;
      }
    }
  }
  return { startNs, endNs };
}

/** Failures of requests; a log line that joined none is a finding, but no request of this trace. */
function recordedFailures(report: DiagnoseReport): RecordedFailure[] {
  return report.failures
    .filter((failure) => failure.request !== null && failure.timeNs !== null)
    .map(({ file, line, timeNs, cause, device, sizeBytes }) => ({
      file,
      line,
      timeNs: timeNs!,
      cause,
      device,
      sizeBytes,
    }))
    .sort((a, b) => a.timeNs - b.timeNs);
}

interface Levels {
  readonly timeNs: Float64Array;
  readonly used: Float64Array;
  readonly transient: Float64Array;
}

/** First change with a time; what existed before the trace begins there too, and never after time 0. */
function firstTimeOf({ timeNs, length }: Changes): Nanoseconds {
  let first = 0;
  for (let i = 0; i < length; i++) {
    first = timeNs[i] !== Number.NEGATIVE_INFINITY && timeNs[i] < first ? timeNs[i] : first;
  }
  return first;
}

function levelsOf(changes: Changes, fromNs: Nanoseconds): Levels {
  const order = Uint32Array.from({ length: changes.length }, (_, index) => index);
  order.sort((a, b) => compareTimes(changes.timeNs[a], changes.timeNs[b]) || a - b);
  const levels = {
    timeNs: new Float64Array(order.length),
    used: new Float64Array(order.length),
    transient: new Float64Array(order.length),
  };
  let used = 0;
  let transient = 0;
  for (let i = 0; i < order.length; i++) {
    used += changes.used[order[i]];
    transient += changes.transient[order[i]];
    levels.timeNs[i] = Math.max(changes.timeNs[order[i]], fromNs);
    levels.used[i] = used;
    levels.transient[i] = transient;
  }
  return levels;
}

/** Two mappings from before the trace are equally old; their difference would be NaN. */
function compareTimes(a: Nanoseconds, b: Nanoseconds): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The kernel's own counter minus what the trace shows, at every moment both are known: its median is what was mapped
 * before the trace and never unmapped in it. Transient pools are in neither counter.
 */
function baselineOf(analysis: Analysis, levels: Levels): Pick<RecordedUse, 'baselineSlots' | 'baselineFrom'> {
  const { samples, sources, logs } = analysis.tables;
  const fromSamples: number[] = [];
  for (let row = 0; row < samples.length; row++) {
    const source = sources[samples.columns.source[row]];
    const used = samples.columns.used[row];
    if (samples.columns.pool[row] === 0 && used >= 0 && !Number.isNaN(source.offsetErrorNs)) {
      pushDifference(fromSamples, levels, samples.columns.timeNs[row] + source.offsetNs, used);
    }
  }
  if (fromSamples.length > 0) {
    return { baselineSlots: Math.max(0, median(fromSamples)), baselineFrom: 'samples' };
  }
  const fromLog: number[] = [];
  for (const record of logs) {
    if (record.kind === 'buffer-full' && record.usedSlots >= 0 && record.viaTrace) {
      pushDifference(fromLog, levels, record.timeNs + sources[record.source].offsetNs, record.usedSlots);
    }
  }
  return fromLog.length > 0
    ? { baselineSlots: Math.max(0, median(fromLog)), baselineFrom: 'log' }
    : { baselineSlots: 0, baselineFrom: 'nothing' };
}

function pushDifference(differences: number[], levels: Levels, timeNs: Nanoseconds, used: Slots): void {
  const at = upperBound(levels.timeNs, timeNs) - 1;
  if (0 <= at && at + 1 < levels.timeNs.length) {
    differences.push(used - (levels.used[at] - levels.transient[at]));
  }
}

/** The kernel's high-water mark where debugfs recorded it. */
function highWaterSamples(analysis: Analysis): { timeNs: number[]; slots: number[] } {
  const { samples, sources } = analysis.tables;
  const found = { timeNs: [] as number[], slots: [] as number[] };
  for (let row = 0; row < samples.length; row++) {
    const source = sources[samples.columns.source[row]];
    const hiwater = samples.columns.hiwater[row];
    if (samples.columns.pool[row] === 0 && hiwater >= 0 && !Number.isNaN(source.offsetErrorNs)) {
      found.timeNs.push(samples.columns.timeNs[row] + source.offsetNs);
      found.slots.push(hiwater);
    }
  }
  return found;
}

interface Steps {
  readonly timeNs: number[];
  readonly slots: number[];
}

/** Slots of listed pools: the boot pool, plus grown pools from the moment the trace shows them. */
function capacitySteps(analysis: Analysis, fromNs: Nanoseconds): Steps {
  const { pools, samples, sources } = analysis.tables;
  const boot = analysis.geometry.pools.find((pool) => pool.kind === 'boot')?.slots.value ?? 0;
  const changes = [{ timeNs: fromNs, slots: boot }];
  for (let row = 0; row < pools.length; row++) {
    if (pools.columns.kind[row] === PoolKind.grown) {
      const offsetNs = sources[pools.columns.source[row]].offsetNs;
      const addedNs = pools.columns.addedNs[row] + offsetNs;
      changes.push({ timeNs: Number.isNaN(addedNs) ? fromNs : addedNs, slots: pools.columns.slots[row] });
      const removedNs = pools.columns.removedNs[row] + offsetNs;
      if (!Number.isNaN(removedNs)) {
        changes.push({ timeNs: removedNs, slots: -pools.columns.slots[row] });
      }
    }
  }
  changes.sort((a, b) => a.timeNs - b.timeNs);
  const steps: Steps = { timeNs: [], slots: [] };
  let now = 0;
  for (const change of changes) {
    now += change.slots;
    steps.timeNs.push(change.timeNs);
    steps.slots.push(now);
  }
  return changes.length > 1 ? steps : (sampledCapacity(samples, sources) ?? steps);
}

/** Pools that no event shows still change debugfs' io_tlb_nslabs. */
function sampledCapacity(samples: Analysis['tables']['samples'], sources: Analysis['tables']['sources']): Steps | null {
  const steps: Steps = { timeNs: [], slots: [] };
  for (let row = 0; row < samples.length; row++) {
    const source = sources[samples.columns.source[row]];
    const nslabs = samples.columns.nslabs[row];
    const isUsable = samples.columns.pool[row] === 0 && nslabs >= 0 && !Number.isNaN(source.offsetErrorNs);
    if (isUsable && nslabs !== steps.slots[steps.slots.length - 1]) {
      steps.timeNs.push(samples.columns.timeNs[row] + source.offsetNs);
      steps.slots.push(nslabs);
    }
  }
  return steps.timeNs.length === 0 ? null : steps;
}

/** All levels on one list of times. */
function seriesOf(
  levels: Levels,
  baselineSlots: Slots,
  capacity: Steps,
  failures: readonly RecordedFailure[],
  highWater: Steps,
): ReplaySeries {
  const timeNs = mergedTimes(levels.timeNs, capacity.timeNs, failures, highWater.timeNs);
  const { length } = timeNs;
  const column = () => new Float64Array(length);
  const series = {
    timeNs,
    usedSlots: column(),
    hiwaterSlots: column(),
    capacitySlots: column(),
    transientSlots: column(),
    memoryBytes: column(),
    failures: column(),
    stalledNs: column().fill(Number.NaN),
    length,
  };
  let level = -1;
  let step = 0;
  let failure = 0;
  let sample = 0;
  let high = 0;
  for (let i = 0; i < length; i++) {
    const now = timeNs[i];
    while (level + 1 < levels.timeNs.length && levels.timeNs[level + 1] <= now) {
      level++;
      high = Math.max(high, levels.used[level] + baselineSlots);
    }
    while (step + 1 < capacity.timeNs.length && capacity.timeNs[step + 1] <= now) {
      step++;
    }
    while (failure < failures.length && failures[failure].timeNs <= now) {
      failure++;
    }
    while (sample < highWater.timeNs.length && highWater.timeNs[sample] <= now) {
      high = Math.max(high, highWater.slots[sample]);
      sample++;
    }
    const transient = level < 0 ? 0 : levels.transient[level];
    series.usedSlots[i] = (level < 0 ? 0 : levels.used[level]) + baselineSlots;
    series.hiwaterSlots[i] = high;
    series.capacitySlots[i] = capacity.slots[step] ?? 0;
    series.transientSlots[i] = transient;
    series.memoryBytes[i] = slotsToBytes(series.capacitySlots[i] + transient);
    series.failures[i] = failure;
  }
  return series;
}

/** Every moment something is known, once each, from the first level on. */
function mergedTimes(
  levels: Float64Array,
  capacity: readonly number[],
  failures: readonly RecordedFailure[],
  highWater: readonly number[],
): Float64Array {
  const firstNs = levels[0] ?? 0;
  const others = [...capacity, ...failures.map((failure) => failure.timeNs), ...highWater].filter(
    (at) => at >= firstNs,
  );
  const times = new Float64Array(levels.length + others.length);
  times.set(levels);
  times.set(others, levels.length);
  times.sort();
  let kept = 0;
  for (let i = 0; i < times.length; i++) {
    if (i === 0 || times[i] !== times[i - 1]) {
      times[kept++] = times[i];
    }
  }
  return times.slice(0, kept);
}

function highest(values: Float64Array): number {
  let top = 0;
  for (const value of values) {
    top = Math.max(top, value);
  }
  return top;
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >>> 1];
}

/** A duration column is NaN where the result has no time of its own. */
function orZero(durationNs: number): number {
  return Number.isNaN(durationNs) ? 0 : durationNs;
}
