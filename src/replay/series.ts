import type { ReplaySeries } from '../model/replayResult';
import type { Bytes, Nanoseconds } from '../model/units';
import type { PolicyState } from './policy';

const columnNames = [
  'timeNs',
  'usedSlots',
  'hiwaterSlots',
  'capacitySlots',
  'transientSlots',
  'memoryBytes',
  'failures',
  'stalledNs',
] as const;
type SeriesColumns = Record<(typeof columnNames)[number], Float64Array>;

/** Collects the levels of a replay after each step, their peaks, and the time integral of the memory held. */
export class SeriesRecorder {
  capacityPeakSlots = 0;
  memoryPeakBytes: Bytes = 0;
  transientPeakSlots = 0;
  usedPeakSlots = 0;
  private columns: SeriesColumns;
  private length = 0;
  private readonly keepPoints: boolean;
  private lastNs: Nanoseconds;
  private lastMemoryBytes: Bytes = 0;
  private byteNs = 0;
  private readonly endNs: Nanoseconds;

  /** The integral ends with the trace, so that policies that stall stay comparable. */
  constructor(startNs: Nanoseconds, endNs: Nanoseconds, keepPoints: boolean) {
    this.lastNs = startNs;
    this.endNs = endNs;
    this.keepPoints = keepPoints;
    this.columns = allocate(keepPoints ? 1024 : 0);
  }

  record(nowNs: Nanoseconds, state: PolicyState, failures: number, stalledNs: Nanoseconds): void {
    const untilNs = Math.min(nowNs, this.endNs);
    this.byteNs += this.lastMemoryBytes * (untilNs - this.lastNs);
    this.lastNs = untilNs;
    this.lastMemoryBytes = state.memoryBytes;
    this.usedPeakSlots = Math.max(this.usedPeakSlots, state.usedSlots);
    this.capacityPeakSlots = Math.max(this.capacityPeakSlots, state.capacitySlots);
    this.transientPeakSlots = Math.max(this.transientPeakSlots, state.transientSlots);
    this.memoryPeakBytes = Math.max(this.memoryPeakBytes, state.memoryBytes);
    if (this.keepPoints) {
      this.append(nowNs, state, failures, stalledNs);
    }
  }

  /** Bytes held times seconds, from the start to the end of the trace. */
  byteSeconds(): number {
    return (this.byteNs + this.lastMemoryBytes * (this.endNs - this.lastNs)) / 1e9;
  }

  finish(): ReplaySeries {
    const series: Record<string, Float64Array> = {};
    for (const name of columnNames) {
      series[name] = this.columns[name].slice(0, this.length);
    }
    return { ...(series as SeriesColumns), length: this.length };
  }

  private append(nowNs: Nanoseconds, state: PolicyState, failures: number, stalledNs: Nanoseconds): void {
    if (this.length === this.columns.timeNs.length) {
      const grown = allocate(this.length * 2);
      for (const name of columnNames) {
        grown[name].set(this.columns[name]);
      }
      this.columns = grown;
    }
    const index = this.length++;
    const columns = this.columns;
    columns.timeNs[index] = nowNs;
    columns.usedSlots[index] = state.usedSlots;
    columns.hiwaterSlots[index] = state.hiwaterSlots;
    columns.capacitySlots[index] = state.capacitySlots;
    columns.transientSlots[index] = state.transientSlots;
    columns.memoryBytes[index] = state.memoryBytes;
    columns.failures[index] = failures;
    columns.stalledNs[index] = stalledNs;
  }
}

function allocate(capacity: number): SeriesColumns {
  return Object.fromEntries(columnNames.map((name) => [name, new Float64Array(capacity)])) as SeriesColumns;
}
