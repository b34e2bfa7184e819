import { formatHex } from '../base/address';
import type { LogKind, LogRecord } from '../model/log';
import { failureLogKinds } from '../model/log';
import type { BootReport } from '../model/reports';
import { SLOT_BYTES } from '../model/units';
import type { Analysis } from './analysis';

/** Records that are neither a failure nor a fact about the machine's start. */
const otherKinds: ReadonlySet<LogKind> = new Set<LogKind>(['suppressed', 'lockup', 'grow-failed', 'config']);

/** What the log says about how the pool was set up, line by line. */
export function bootReports(analysis: Analysis): readonly BootReport[] {
  const reports: BootReport[] = [];
  for (const record of analysis.tables.logs) {
    const isBoot = !failureLogKinds.has(record.kind) && !otherKinds.has(record.kind);
    // Thousands of command lines of a fleet log say nothing without the parameter.
    if (isBoot && !(record.kind === 'command-line' && record.value === '')) {
      reports.push(bootReport(analysis, record));
    }
  }
  return reports;
}

function bootReport(analysis: Analysis, record: LogRecord): BootReport {
  const file = analysis.tables.sources[record.source]?.path ?? analysis.file;
  const sizeBytes = poolBytes(record);
  return {
    file,
    line: record.line,
    kind: record.kind,
    text: record.text,
    timeNs: Number.isFinite(record.timeNs) ? record.timeNs : null,
    start: Number.isFinite(record.start) ? formatHex(record.start) : null,
    end: Number.isFinite(record.end) ? formatHex(record.end) : null,
    sizeBytes,
    slots: sizeBytes === null ? null : Math.floor(sizeBytes / SLOT_BYTES),
    count: record.count >= 0 ? record.count : null,
    value: record.value === '' ? null : record.value,
  };
}

function poolBytes(record: LogRecord): number | null {
  if (Number.isFinite(record.start) && Number.isFinite(record.end) && record.end > record.start) {
    return record.end - record.start;
  }
  return record.sizeBytes >= 0 ? record.sizeBytes : null;
}

interface BootFacts {
  readonly poolLine: LogRecord | null;
  readonly isEncrypted: boolean;
  readonly parameter: string | null;
}

/** Asked once per failure, of which a log may have 10^5. */
const factsOf = new WeakMap<Analysis, BootFacts>();

function bootFacts(analysis: Analysis): BootFacts {
  let facts = factsOf.get(analysis);
  if (facts === undefined) {
    const { logs } = analysis.tables;
    facts = {
      poolLine: logs.filter(({ kind }) => kind === 'pool-mapped').at(-1) ?? null,
      isEncrypted: logs.some(({ kind }) => kind === 'memory-encryption'),
      parameter: logs.filter(({ kind, value }) => kind === 'command-line' && value !== '').at(-1)?.value ?? null,
    };
    factsOf.set(analysis, facts);
  }
  return facts;
}

/** The line that says where the pool is; the last one counts, as the pool may be set up twice. */
export function poolLine(analysis: Analysis): LogRecord | null {
  return bootFacts(analysis).poolLine;
}

/** Memory encryption: every DMA must bounce, and pool size follows the guest's memory. */
export function isEncrypted(analysis: Analysis): boolean {
  return bootFacts(analysis).isEncrypted;
}

/** Value of `swiotlb=` on the recorded command line; null when there is none, or no command line. */
export function bootParameterOf(analysis: Analysis): string | null {
  return bootFacts(analysis).parameter;
}
