import type { Cause } from '../model/cause';
import type { Analysis } from './analysis';
import { devicesReport } from './devices';
import { diagnose } from './diagnose';
import { info } from './info';
import { recordedReplay } from './recorded';
import { recordedUse } from './recordedUse';

/** One input as one flat row, for tables of many machines: the JSON of the `summarize` command. */
export interface SummaryRow {
  readonly file: string;
  readonly format: string;
  readonly lines: number;
  /** Kernel generation of the allocator. */
  readonly kernel: string | null;
  readonly dynamic: boolean | null;
  readonly cpus: number | null;
  readonly poolSlots: number | null;
  readonly poolAreas: number | null;
  /** Null without a clock that counts time. */
  readonly durationNs: number | null;
  readonly requests: number;
  readonly bounced: number;
  readonly failed: number;
  readonly failuresByCause: Readonly<Partial<Record<Cause, number>>>;
  /** Groups of failures that belong together. */
  readonly episodes: number;
  /** Messages that the kernel's rate limit held back. */
  readonly suppressed: number;
  readonly largestFailedBytes: number | null;
  /** What the trace itself shows; null where it does not, as in logs. */
  readonly usedHighWaterSlots: number | null;
  readonly capacityPeakSlots: number | null;
  readonly transientPeakSlots: number | null;
  readonly devices: number;
  /** The device that held the most slots, with the slots; null where ends of mappings are unknown. */
  readonly largestHolder: string | null;
  readonly largestHolderSlots: number | null;
  readonly leakSuspected: boolean;
  readonly warnings: readonly string[];
  readonly understood: number;
  readonly counted: number;
  readonly notUnderstood: number;
  readonly exact: number;
  readonly derived: number;
  readonly assumed: number;
  readonly lost: number;
  /** 0 to 100. */
  readonly completeness: number;
}

export function summaryRow(analysis: Analysis): SummaryRow {
  const facts = info(analysis);
  const { ledger, geometry } = facts;
  const hasRequests = analysis.tables.requests.length > 0;
  const recorded = analysis.tables.counts.failed === 0 ? null : recordedReplay(analysis);
  const report = diagnose(analysis, { recorded });
  const use = hasRequests ? recordedUse(analysis, report) : null;
  const { devices } = devicesReport(analysis);
  const holder = devices.find(({ peakSlots }) => peakSlots !== null && peakSlots > 0);
  const boot = geometry.pools.find(({ kind }) => kind === 'boot');
  const failuresByCause: Partial<Record<Cause, number>> = {};
  let largestFailedBytes: number | null = null;
  for (const { cause, sizeBytes } of report.failures) {
    failuresByCause[cause] = (failuresByCause[cause] ?? 0) + 1;
    largestFailedBytes = sizeBytes === null ? largestFailedBytes : Math.max(largestFailedBytes ?? 0, sizeBytes);
  }
  return {
    file: facts.file,
    format: facts.format,
    lines: facts.lines,
    kernel: geometry.kernel,
    dynamic: geometry.dynamic,
    cpus: geometry.cpus,
    poolSlots: boot?.slots ?? null,
    poolAreas: boot?.areas ?? null,
    durationNs: facts.firstTimeNs === null || facts.lastTimeNs === null ? null : facts.lastTimeNs - facts.firstTimeNs,
    requests: facts.requests,
    bounced: facts.bounced,
    failed: report.failures.length,
    failuresByCause,
    episodes: report.episodes.length,
    suppressed: ledger.suppressedMessages,
    largestFailedBytes,
    usedHighWaterSlots: use?.usedHighWaterSlots ?? null,
    capacityPeakSlots: use?.capacityPeakSlots ?? null,
    transientPeakSlots: use?.transient.peakSlots ?? null,
    devices: devices.length,
    largestHolder: holder?.name ?? null,
    largestHolderSlots: holder?.peakSlots ?? null,
    leakSuspected: devices.some((device) => device.leakSuspected),
    warnings: [...new Set(report.warnings.map(({ code }) => code))],
    understood: ledger.understood,
    counted: ledger.counted,
    notUnderstood: ledger.notUnderstood,
    exact: ledger.exact,
    derived: ledger.derived,
    assumed: ledger.assumed,
    lost: ledger.lost,
    completeness: ledger.completeness.score,
  };
}
