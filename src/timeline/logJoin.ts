import { lowerBound } from '../base/bisect';
import type { LogRecord } from '../model/log';
import { EvidenceBit, type LogFailure, Outcome, type RequestTable } from '../model/tables';
import type { ClockOffset } from './clocks';
import type { DeviceTable } from './devices';
import { fitsPaddedSize } from './paddedSize';

/** Width of the search around a line when the clocks are joined: the line is printed inside the attempt. */
const JOINED_WINDOW_NS = 5_000_000;
/** The same when both clocks only count from boot (measured: up to 1.9 s apart). */
const GUESSED_WINDOW_NS = 2_500_000_000;
/** How many lines after a console event its request's result may come. */
const RESULT_WITHIN_LINES = 400;
/** `DMA: Out of SW-IOMMU space` of old kernels follows `buffer is full` of the same failure. */
const FOLLOW_UP_LINES = 3;

/** So many lines of the same text are looked at for the one that tells the same failure. */
const MAX_EQUAL_TRIED = 64;

/** A failure line on its way into the table. */
export interface PendingFailure {
  readonly record: LogRecord;
  request: number;
  device: number;
  suppressed: number;
  /** Index of the entry that tells the same failure (the console event of a dmesg line), -1 none. */
  duplicateOf: number;
}

/** Keeps the failure lines of all sources and finds the requests they belong to. */
export class FailureLog {
  readonly failures: PendingFailure[] = [];
  private readonly lastOfSource = new Map<number, PendingFailure>();
  private readonly devices: DeviceTable;

  constructor(devices: DeviceTable) {
    this.devices = devices;
  }

  /** `request`: the row when the line was printed inside a known attempt, else -1. */
  add(record: LogRecord, request: number): void {
    if (this.isFollowUp(record)) {
      return;
    }
    const failure: PendingFailure = {
      record,
      request,
      device: record.device === '' ? -1 : this.devices.rowOfName(record.device),
      suppressed: 0,
      duplicateOf: -1,
    };
    this.failures.push(failure);
    this.lastOfSource.set(record.source, failure);
  }

  /** `F: K callbacks suppressed` tells how many failures of the last burst were not printed. */
  addSuppressed(record: LogRecord): void {
    const last = this.lastOfSource.get(record.source);
    if (last !== undefined && record.count > 0 && /swiotlb|swiotlb_|report_addr|dma/.test(record.text)) {
      last.suppressed += record.count;
    }
  }

  ofSource(source: number): LogRecord[] {
    return this.failures.filter((failure) => failure.record.source === source).map((failure) => failure.record);
  }

  /** Joins what is not joined yet. `offsets` holds one entry per source, relative to `reference`. */
  join(requests: RequestTable, reference: number, offsets: readonly ClockOffset[]): void {
    const open = this.failures.filter((failure) => failure.request < 0 && isAboutOneRequest(failure.record));
    for (const failure of open) {
      if (failure.record.source === reference) {
        this.joinOwnLine(requests, failure);
      }
    }
    this.joinDuplicates(reference, offsets);
    const byTime = new CandidateIndex(requests, reference);
    for (const failure of open) {
      const offset = offsets[failure.record.source];
      if (
        failure.request < 0 &&
        failure.duplicateOf < 0 &&
        failure.record.source !== reference &&
        offset.isComparable
      ) {
        this.joinByTime(requests, byTime, failure, offset);
      }
    }
  }

  private isFollowUp(record: LogRecord): boolean {
    const last = this.lastOfSource.get(record.source);
    return (
      record.kind === 'out-of-space' &&
      last !== undefined &&
      last.record.kind === 'buffer-full' &&
      record.line - last.record.line <= FOLLOW_UP_LINES &&
      (record.device === '' || record.device === last.record.device)
    );
  }

  /** A line in the trace itself, before the only event of its request (no swiotlb_bounced, no entry probe). */
  private joinOwnLine(requests: RequestTable, failure: PendingFailure): void {
    const { record, device } = failure;
    const columns = requests.columns;
    for (let row = firstRowFrom(requests, record.source, record.line); row < requests.length; row++) {
      if (columns.source[row] !== record.source || columns.enterLine[row] === 0) {
        continue;
      }
      if (columns.enterLine[row] > record.line + RESULT_WITHIN_LINES) {
        return;
      }
      if (
        columns.outcome[row] === Outcome.failed &&
        (columns.evidence[row] & EvidenceBit.console) === 0 &&
        columns.device[row] === device &&
        (columns.cpu[row] === record.cpu || record.cpu < 0) &&
        fitsPaddedSize(columns.sizeBytes[row], record.sizeBytes)
      ) {
        this.take(requests, failure, row);
        return;
      }
    }
  }

  /** A log next to a trace with console events says everything twice. */
  private joinDuplicates(reference: number, offsets: readonly ClockOffset[]): void {
    const byText = new Map<string, number[]>();
    for (const [index, { record }] of this.failures.entries()) {
      if (record.source === reference) {
        const known = byText.get(record.text);
        if (known === undefined) {
          byText.set(record.text, [index]);
        } else {
          known.push(index);
        }
      }
    }
    const taken = new Set(this.failures.map((failure) => failure.duplicateOf));
    /** Where the search in a list of equal texts begins, per source: both are in order, so that a flood stays linear. */
    const starts = new Map<string, number>();
    for (const failure of this.failures) {
      const { record } = failure;
      if (record.source === reference || failure.duplicateOf >= 0 || failure.request >= 0) {
        continue;
      }
      const offset = offsets[record.source];
      const timeNs = record.timeNs + offset.offsetNs;
      const windowNs = windowOf(offset);
      const equal = byText.get(record.text) ?? [];
      const key = `${record.source} ${record.text}`;
      let at = starts.get(key) ?? 0;
      const isPast = (index: number): boolean =>
        taken.has(index) || (offset.isComparable && this.failures[index].record.timeNs < timeNs - windowNs);
      while (at < equal.length && isPast(equal[at])) {
        at++;
      }
      starts.set(key, at);
      const same = equal.slice(at, at + MAX_EQUAL_TRIED).find((index) => {
        const difference = Math.abs(this.failures[index].record.timeNs - timeNs);
        return !taken.has(index) && (difference <= windowNs || !offset.isComparable);
      });
      if (same !== undefined) {
        const original = this.failures[same];
        taken.add(same);
        failure.duplicateOf = same;
        failure.request = original.request;
        // Both inputs print how many lines were suppressed: count them once.
        original.suppressed = Math.max(original.suppressed, failure.suppressed);
        failure.suppressed = 0;
      }
    }
  }

  private joinByTime(
    requests: RequestTable,
    index: CandidateIndex,
    failure: PendingFailure,
    offset: ClockOffset,
  ): void {
    const { record, device } = failure;
    const columns = requests.columns;
    const isJoined = !Number.isNaN(offset.offsetErrorNs);
    const timeNs = record.timeNs + offset.offsetNs;
    const windowNs = windowOf(offset);
    let best = -1;
    let bestScore = Number.POSITIVE_INFINITY;
    for (let at = index.from(timeNs - windowNs); at < index.rows.length; at++) {
      const row = index.rows[at];
      const difference = columns.enterNs[row] - timeNs;
      if (difference > windowNs) {
        break;
      }
      if (
        columns.device[row] !== device ||
        (columns.evidence[row] & EvidenceBit.console) !== 0 ||
        !fitsPaddedSize(columns.sizeBytes[row], record.sizeBytes) ||
        // Without a printed result only a joined clock can tell which attempt failed.
        (columns.outcome[row] !== Outcome.failed && !isJoined)
      ) {
        continue;
      }
      // The kernel prints the first failures of a burst: with a guessed clock, the order decides.
      const score = isJoined ? Math.abs(difference) : at;
      if (score < bestScore) {
        best = row;
        bestScore = score;
      }
    }
    if (best >= 0) {
      this.take(requests, failure, best);
    }
  }

  private take(requests: RequestTable, failure: PendingFailure, row: number): void {
    const columns = requests.columns;
    failure.request = row;
    columns.evidence[row] |= EvidenceBit.console;
    columns.consoleLine[row] = failure.record.line;
    columns.outcome[row] = Outcome.failed;
    requests.version++;
  }
}

/** The failure table as readers see it. */
export function toLogFailures(pending: readonly PendingFailure[]): LogFailure[] {
  return pending.map((failure) => ({ ...failure }));
}

function isAboutOneRequest(record: LogRecord): boolean {
  return record.kind === 'buffer-full' || record.kind === 'out-of-space';
}

function windowOf(offset: ClockOffset): number {
  return Number.isNaN(offset.offsetErrorNs) ? GUESSED_WINDOW_NS : JOINED_WINDOW_NS + 2 * offset.offsetErrorNs;
}

/** First row of a source whose result is not before a line. Rows are in line order, unseen maps aside. */
function firstRowFrom(requests: RequestTable, source: number, line: number): number {
  const { enterLine, unmapLine, source: sources } = requests.columns;
  let row = requests.length;
  while (row > 0) {
    const at = row - 1;
    // A row's first line: an unseen map has only its unmap.
    const first = enterLine[at] || unmapLine[at];
    if (sources[at] === source && first < line) {
      break;
    }
    row--;
  }
  return row;
}

/** Failed requests (or attempts without a result) of the reference source in time order. */
class CandidateIndex {
  readonly rows: number[] = [];
  private readonly times: number[] = [];

  constructor(requests: RequestTable, source: number) {
    const { outcome, source: sources, enterNs } = requests.columns;
    for (let row = 0; row < requests.length; row++) {
      const isCandidate = outcome[row] === Outcome.failed || outcome[row] === Outcome.unknown;
      if (isCandidate && sources[row] === source && !Number.isNaN(enterNs[row])) {
        this.rows.push(row);
        this.times.push(enterNs[row]);
      }
    }
  }

  from(timeNs: number): number {
    return lowerBound(this.times, timeNs);
  }
}
