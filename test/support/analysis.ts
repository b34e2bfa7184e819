import type { Analysis } from '../../src/analysis/analysis';
import type { Geometry } from '../../src/model/geometry';
import { emptyLogRecord, type LogKind, type LogRecord } from '../../src/model/log';
import type { LogFailure, SourceLedger, TraceTables } from '../../src/model/tables';
import { Outcome } from '../../src/model/tables';
import type { GeometryOptions, RequestRow } from './replayTables';
import { geometryOf, tablesOf } from './replayTables';

export interface HandMade {
  readonly requests?: readonly RequestRow[];
  readonly devices?: readonly string[];
  readonly geometry?: GeometryOptions;
  readonly logs?: readonly LogRecord[];
  readonly logFailures?: readonly LogFailure[];
  readonly evidence?: number;
  readonly lines?: number;
  readonly lostEvents?: number;
  readonly timeUnit?: 'ns' | 'order';
}

/** An analysis of hand-made tables, for what is easier to draw than to record. */
export function handMade(input: HandMade): Analysis {
  const rows = input.requests ?? [];
  const base = tablesOf(rows, {
    ...(input.devices === undefined ? {} : { devices: input.devices }),
    ...(input.timeUnit === undefined ? {} : { timeUnit: input.timeUnit }),
  });
  const tables: TraceTables = {
    ...base,
    logs: input.logs ?? [],
    logFailures: input.logFailures ?? [],
    evidence: input.evidence ?? 0xffff,
    counts: { ...base.counts, failed: rows.filter((row) => row.outcome === Outcome.failed).length },
  };
  const ledger: SourceLedger = {
    source: 0,
    lines: input.lines ?? rows.length + 1,
    understood: input.lines ?? rows.length + 1,
    counted: 0,
    notUnderstood: 0,
    countedByName: {},
    understoodByName: {},
    notUnderstoodExamples: [],
    lostEvents: input.lostEvents ?? 0,
    lostByCpu: {},
    overwritten: 0,
  };
  const geometry: Geometry = geometryOf(input.geometry);
  return { tables, geometry, overrides: {}, sourceLedgers: [ledger], problems: [], file: 'hand-made' };
}

/** A log record with everything else absent. */
export function logRecord(kind: LogKind, fields: Partial<LogRecord>): LogRecord {
  return { kind, ...emptyLogRecord, line: 1, ...fields };
}

/** A "buffer is full" line that joined no request. */
export function bufferFull(
  fields: Partial<LogRecord> & { readonly suppressed?: number; readonly request?: number },
): LogFailure {
  const { suppressed = 0, request = -1, ...record } = fields;
  return { record: logRecord('buffer-full', record), request, device: -1, suppressed };
}
