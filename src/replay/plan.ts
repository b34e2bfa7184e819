import { upperBound } from '../base/bisect';
import { allocateBuffer } from '../base/columns';
import { DmaAttribute } from '../model/events';
import { CallKind, EvidenceBit, Outcome, Pairing, type TraceTables } from '../model/tables';
import type { Nanoseconds } from '../model/units';

/** What a step of the plan does. */
export const StepKind = {
  /** The request of that row is attempted. */
  birth: 0,
  /** The mapping of that row ends. */
  death: 1,
  /** A mapping that did not bounce ends: the kernel looks its address up in vain. */
  lookup: 2,
} as const;

/**
 * The order of everything a replay does, independent of the policy: built once per trace, walked once per policy.
 *
 * Steps stand in the order of the lines at which the kernel enters the allocator (first evidence of a map, begin of a
 * release): for serial traces that is the recorded order, and for concurrent ones it is closer to the order in which the
 * area locks were taken than the order of the results is.
 */
export interface ReplayPlan {
  /** False: the clock gives order only and all times below count steps. */
  readonly hasTime: boolean;
  readonly stepCount: number;
  readonly stepKind: Uint8Array;
  /** Row of the request table. */
  readonly stepRow: Int32Array;
  /** Non-decreasing. */
  readonly stepNs: Float64Array;
  /** Per request row: time of the attempt, NaN when the row is not replayed. */
  readonly birthNs: Float64Array;
  /** Per request row: recorded end, NaN when there is none. */
  readonly deathNs: Float64Array;
  /** Rows whose mapping existed before the trace, in the order of their recorded ends. */
  readonly startRows: Int32Array;
  /** Per request row: the last row that repeats it, -1 none. */
  readonly retryBy: Int32Array;
  /** Rows of the call table that are syncs, in the order of time. */
  readonly syncRows: Int32Array;
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
  /**
   * Per request row: 1 where there is nothing special to consider, whatever happens to it: served in the recording, no
   * scatterlist, no retry, no assumed end or context.
   */
  readonly isPlain: Uint8Array;
  /** Births in the plan. */
  readonly requestCount: number;
  /** Rows left out because they did not bounce. */
  readonly directCount: number;
}

export interface PlanOptions {
  /** Dry run: mappings that did not bounce are replayed as if they had to. */
  readonly bounceAll: boolean;
}

/** True when a replay would try to serve the row during the trace. */
function isReplayed(evidence: number, attributes: number, sizeBytes: number, bounceAll: boolean): boolean {
  if (sizeBytes === 0) {
    return false;
  }
  if ((evidence & EvidenceBit.direct) === 0) {
    return true;
  }
  // Memory-mapped I/O of a peer device never bounces, whatever the machine.
  return bounceAll && (attributes & DmaAttribute.mmio) === 0;
}

/** Add to times of a source to get those of the reference; 0 where the clocks could not be joined. */
export function clockOffsetNs({ sources }: TraceTables, source: number): Nanoseconds {
  const offsetNs = sources[source]?.offsetNs ?? 0;
  return Number.isFinite(offsetNs) ? offsetNs : 0;
}

export function createReplayPlan(tables: TraceTables, options: PlanOptions): ReplayPlan {
  const rows = tables.requests.length;
  const columns = tables.requests.columns;
  // In shared memory where there is any: replays on several threads walk the same plan.
  const birthNs = new Float64Array(allocateBuffer(rows * 8)).fill(Number.NaN);
  const deathNs = new Float64Array(allocateBuffer(rows * 8)).fill(Number.NaN);
  const retryBy = new Int32Array(allocateBuffer(rows * 4)).fill(-1);
  const startRows: number[] = [];
  const groupFailed = findFailedGroups(tables);
  const steps = new StepList(rows * 2);
  let hasTime = false;
  let requestCount = 0;
  let directCount = 0;

  const offsets = tables.sources.map((_, source) => clockOffsetNs(tables, source));

  for (let row = 0; row < rows; row++) {
    const evidence = columns.evidence[row];
    const offsetNs = offsets[columns.source[row]] ?? 0;
    const isUnseen = columns.pairing[row] === Pairing.unseenMap;
    const retryOf = columns.retryOf[row];
    if (retryOf >= 0) {
      retryBy[retryOf] = row;
    }
    if (!isReplayed(evidence, columns.attributes[row], columns.sizeBytes[row], options.bounceAll)) {
      directCount++;
      if (columns.unmapLine[row] > 0) {
        steps.add(
          StepKind.lookup,
          row,
          columns.source[row],
          columns.unmapLine[row],
          columns.unmapEnterNs[row] + offsetNs,
        );
      }
      continue;
    }
    if (isUnseen) {
      startRows.push(row);
    } else {
      hasTime ||= !Number.isNaN(columns.enterNs[row]);
      requestCount++;
      steps.add(StepKind.birth, row, columns.source[row], columns.enterLine[row], columns.enterNs[row] + offsetNs);
    }
    // The rollback of a failed scatterlist follows from the failure itself, in the replay as in the kernel.
    const isRolledBack = columns.outcome[row] === Outcome.rolledBack && groupFailed.has(columns.sgGroup[row]);
    if (hasEnd(columns.unmapLine[row], columns.unmapEnterNs[row]) && !isRolledBack) {
      steps.add(StepKind.death, row, columns.source[row], columns.unmapLine[row], columns.unmapEnterNs[row] + offsetNs);
    }
  }

  const order = steps.sorted();
  const stepCount = order.length;
  const stepKind = new Uint8Array(allocateBuffer(stepCount));
  const stepRow = new Int32Array(allocateBuffer(stepCount * 4));
  const stepNs = new Float64Array(allocateBuffer(stepCount * 8));
  let nowNs = Number.NaN;
  for (let i = 0; i < stepCount; i++) {
    const step = order[i];
    const kind = steps.kinds[step];
    const row = steps.rows[step];
    const timeNs = hasTime ? steps.times[step] : i;
    // Time stamps of different CPUs may step back a little; the order of lines is what counts.
    nowNs = nowNs >= timeNs || Number.isNaN(timeNs) ? nowNs : timeNs;
    stepKind[i] = kind;
    stepRow[i] = row;
    stepNs[i] = nowNs;
    if (kind === StepKind.birth) {
      birthNs[row] = nowNs;
    } else if (kind === StepKind.death) {
      deathNs[row] = nowNs;
    }
  }
  backfillLeadingTimes(stepNs, birthNs, deathNs, stepKind, stepRow);
  startRows.sort((a, b) => compareTimes(deathNs[a], deathNs[b]) || a - b);

  return {
    hasTime,
    stepCount,
    stepKind,
    stepRow,
    stepNs,
    birthNs,
    deathNs,
    startRows: Int32Array.from(startRows),
    retryBy,
    syncRows: sortedSyncRows(tables),
    isPlain: findPlainRows(tables),
    startNs: stepCount === 0 ? 0 : stepNs[0],
    endNs: stepCount === 0 ? 0 : stepNs[stepCount - 1],
    requestCount,
    directCount,
  };
}

function hasEnd(unmapLine: number, unmapEnterNs: Nanoseconds): boolean {
  return unmapLine > 0 || !Number.isNaN(unmapEnterNs);
}

function compareTimes(a: Nanoseconds, b: Nanoseconds): number {
  if (Number.isNaN(a) || Number.isNaN(b)) {
    return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  }
  return a - b;
}

/** Lists of which the failing element is known. */
function findFailedGroups(tables: TraceTables): Set<number> {
  const { outcome, sgGroup } = tables.requests.columns;
  const groups = new Set<number>();
  for (let row = 0; row < tables.requests.length; row++) {
    if (sgGroup[row] >= 0 && outcome[row] === Outcome.failed) {
      groups.add(sgGroup[row]);
    }
  }
  return groups;
}

/** Steps before the first one with a time take that time. */
function backfillLeadingTimes(
  stepNs: Float64Array,
  birthNs: Float64Array,
  deathNs: Float64Array,
  stepKind: Uint8Array,
  stepRow: Int32Array,
): void {
  const first = stepNs.findIndex((timeNs) => !Number.isNaN(timeNs));
  const timeNs = first < 0 ? 0 : stepNs[first];
  const end = first < 0 ? stepNs.length : first;
  for (let i = 0; i < end; i++) {
    stepNs[i] = timeNs;
    if (stepKind[i] === StepKind.birth) {
      birthNs[stepRow[i]] = timeNs;
    } else if (stepKind[i] === StepKind.death) {
      deathNs[stepRow[i]] = timeNs;
    }
  }
}

function findPlainRows(tables: TraceTables): Uint8Array {
  const { outcome, sgGroup, retryOf, pairing, evidence } = tables.requests.columns;
  const isPlain = new Uint8Array(allocateBuffer(tables.requests.length));
  for (let row = 0; row < tables.requests.length; row++) {
    const isAlone = sgGroup[row] < 0 && retryOf[row] < 0;
    const isKnown = pairing[row] !== Pairing.assumed && (evidence[row] & EvidenceBit.contextAssumed) === 0;
    isPlain[row] = isAlone && isKnown && outcome[row] === Outcome.served ? 1 : 0;
  }
  return isPlain;
}

function sortedSyncRows(tables: TraceTables): Int32Array {
  const { kind, timeNs } = tables.calls.columns;
  const rows: number[] = [];
  for (let row = 0; row < tables.calls.length; row++) {
    if (kind[row] === CallKind.syncForDevice || kind[row] === CallKind.syncForCpu) {
      rows.push(row);
    }
  }
  rows.sort((a, b) => compareTimes(timeNs[a], timeNs[b]) || a - b);
  return Int32Array.from(rows);
}

/** At the same line mappings end before others begin: an address is reused only once it is free. */
function rank(kind: number): number {
  return kind === StepKind.birth ? 1 : 0;
}

class StepList {
  readonly kinds: Uint8Array;
  readonly rows: Int32Array;
  readonly sources: Uint8Array;
  readonly lines: Float64Array;
  readonly times: Float64Array;
  private count = 0;

  constructor(capacity: number) {
    this.kinds = new Uint8Array(capacity);
    this.rows = new Int32Array(capacity);
    this.sources = new Uint8Array(capacity);
    this.lines = new Float64Array(capacity);
    this.times = new Float64Array(capacity);
  }

  add(kind: number, row: number, source: number, line: number, timeNs: Nanoseconds): void {
    const index = this.count++;
    this.kinds[index] = kind;
    this.rows[index] = row;
    this.sources[index] = source;
    this.lines[index] = line;
    this.times[index] = timeNs;
  }

  /** Indices of the steps in the order of lines; several sources are merged by time. */
  sorted(): Uint32Array {
    this.inferMissingLines();
    const isOneSource = this.hasOneSource();
    const lineLimit = this.lineLimit();
    if (isOneSource && lineLimit < this.count * 8) {
      return this.sortedByCounting(lineLimit);
    }
    if (isOneSource && this.rowLimit() < 2 ** 24 && lineLimit < 2 ** 26) {
      return this.sortedByPackedKey();
    }
    const order = Uint32Array.from({ length: this.count }, (_, index) => index);
    const comparator = isOneSource
      ? (a: number, b: number) => this.compareLines(a, b)
      : (a: number, b: number) =>
          compareTimes(this.times[a], this.times[b]) || this.sources[a] - this.sources[b] || this.compareLines(a, b);
    return order.sort(comparator);
  }

  private compareLines(a: number, b: number): number {
    return this.lines[a] - this.lines[b] || rank(this.kinds[a]) - rank(this.kinds[b]) || this.rows[a] - this.rows[b];
  }

  /** Most lines of a trace are steps: one pass counts the steps of each (line, rank), another one puts them there. */
  private sortedByCounting(lineLimit: number): Uint32Array {
    const starts = new Uint32Array(2 * lineLimit + 3);
    for (let i = 0; i < this.count; i++) {
      starts[this.lines[i] * 2 + rank(this.kinds[i]) + 1]++;
    }
    for (let key = 1; key < starts.length; key++) {
      starts[key] += starts[key - 1];
    }
    const order = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) {
      order[starts[this.lines[i] * 2 + rank(this.kinds[i])]++] = i;
    }
    return order;
  }

  /** (line, rank, row) in one exact Float64: sorting plain numbers is several times faster than a comparator. */
  private sortedByPackedKey(): Uint32Array {
    const keys = new Float64Array(this.count);
    for (let i = 0; i < this.count; i++) {
      keys[i] = (this.lines[i] * 2 + rank(this.kinds[i])) * 2 ** 25 + i;
    }
    keys.sort();
    const order = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) {
      order[i] = keys[i] % 2 ** 25;
    }
    return order;
  }

  private rowLimit(): number {
    return this.count / 2;
  }

  private lineLimit(): number {
    let most = 0;
    for (let i = 0; i < this.count; i++) {
      most = Math.max(most, this.lines[i]);
    }
    return most;
  }

  private hasOneSource(): boolean {
    for (let i = 1; i < this.count; i++) {
      if (this.sources[i] !== this.sources[0]) {
        return false;
      }
    }
    return true;
  }

  /** An end that was inferred may have a time but no line: it happened before the first map of a later time. */
  private inferMissingLines(): void {
    const missing: number[] = [];
    for (let i = 0; i < this.count; i++) {
      if (this.lines[i] === 0) {
        missing.push(i);
      }
    }
    if (missing.length === 0) {
      return;
    }
    const births: number[] = [];
    for (let i = 0; i < this.count; i++) {
      if (this.kinds[i] === StepKind.birth && !Number.isNaN(this.times[i]) && this.lines[i] > 0) {
        births.push(i);
      }
    }
    births.sort((a, b) => this.times[a] - this.times[b]);
    const times = births.map((i) => this.times[i]);
    const afterAll = this.lineLimit() + 1;
    for (const i of missing) {
      const next = births[upperBound(times, this.times[i])];
      this.lines[i] = next === undefined ? afterAll : this.lines[next];
      if (next !== undefined) {
        this.sources[i] = this.sources[next];
      }
    }
  }
}
