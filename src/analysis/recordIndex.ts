import type { LogRecord } from '../model/log';
import type { LogFailure, TraceTables } from '../model/tables';
import type { Analysis } from './analysis';

interface RecordIndex {
  /** By line and source, see `keyOf`; the first record of a line wins. */
  readonly byPlace: ReadonlyMap<number, LogRecord>;
  readonly failureOf: ReadonlyMap<LogRecord, LogFailure>;
  /** Messages joined to a row of the request table. */
  readonly byRequest: ReadonlyMap<number, readonly LogFailure[]>;
}

const cache = new WeakMap<TraceTables, RecordIndex>();

/** The kernel message on a line; null when it is none that the reader understands. */
export function recordAt(analysis: Analysis, source: number, line: number): LogRecord | null {
  return indexOf(analysis).byPlace.get(keyOf(source, line)) ?? null;
}

/** Row of the request table a failure message was joined to; -1 when it stands alone or is no failure message. */
export function requestOfRecord(analysis: Analysis, record: LogRecord): number {
  return indexOf(analysis).failureOf.get(record)?.request ?? -1;
}

/** Messages that were joined to a request, in the order of the log. */
export function messagesOf(analysis: Analysis, row: number): readonly LogFailure[] {
  return indexOf(analysis).byRequest.get(row) ?? [];
}

function keyOf(source: number, line: number): number {
  return line * 256 + source;
}

function indexOf({ tables }: Analysis): RecordIndex {
  let index = cache.get(tables);
  if (index === undefined) {
    index = buildIndex(tables);
    cache.set(tables, index);
  }
  return index;
}

function buildIndex(tables: TraceTables): RecordIndex {
  const byPlace = new Map<number, LogRecord>();
  const failureOf = new Map<LogRecord, LogFailure>();
  const byRequest = new Map<number, LogFailure[]>();
  const addPlace = (record: LogRecord) => {
    const key = keyOf(record.source, record.line);
    if (!byPlace.has(key)) {
      byPlace.set(key, record);
    }
  };
  tables.logs.forEach(addPlace);
  for (const failure of tables.logFailures) {
    addPlace(failure.record);
    failureOf.set(failure.record, failure);
    if (failure.request >= 0) {
      const known = byRequest.get(failure.request);
      if (known === undefined) {
        byRequest.set(failure.request, [failure]);
      } else {
        known.push(failure);
      }
    }
  }
  return { byPlace, failureOf, byRequest };
}
