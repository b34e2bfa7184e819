import type { Cause } from '../model/cause';
import type { Analysis } from './analysis';
import { diagnose } from './diagnose';

/** What a log alone proves, for comparing one before a change with one after it. */
export interface LogSummary {
  readonly file: string;
  /** Failures seen; those that rate limiting swallowed are in `suppressed`. */
  readonly failures: number;
  readonly failuresByCause: Readonly<Partial<Record<Cause, number>>>;
  readonly suppressed: number;
  /** Largest pool that a line names; null when none does. */
  readonly totalSlots: number | null;
  /** Most slots that a line shows in use. */
  readonly peakUsedSlots: number | null;
  readonly largestBytes: number | null;
}

/** Null unless no input can be replayed and every one has a line of the pool: then their logs are compared. */
export function compareLogs(analyses: readonly Analysis[]): readonly LogSummary[] | null {
  const areLogs = analyses.every(({ tables }) => tables.requests.length === 0 && tables.logs.length > 0);
  return areLogs ? analyses.map(summaryOf) : null;
}

function summaryOf(analysis: Analysis): LogSummary {
  const { failures, episodes } = diagnose(analysis, { recorded: null });
  const failuresByCause: Partial<Record<Cause, number>> = {};
  let totalSlots: number | null = null;
  let peakUsedSlots: number | null = null;
  let largestBytes: number | null = null;
  for (const failure of failures) {
    failuresByCause[failure.cause] = (failuresByCause[failure.cause] ?? 0) + 1;
    totalSlots = most(totalSlots, failure.totalSlots);
    peakUsedSlots = most(peakUsedSlots, failure.usedSlots);
    largestBytes = most(largestBytes, failure.sizeBytes);
  }
  const boot = analysis.geometry.pools.find((pool) => pool.kind === 'boot');
  if (totalSlots === null && boot !== undefined && boot.slots.evidence.level !== 'assumed' && boot.slots.value > 0) {
    totalSlots = boot.slots.value;
  }
  return {
    file: analysis.file,
    failures: failures.length,
    failuresByCause,
    suppressed: episodes.reduce((sum, episode) => sum + episode.suppressed, 0),
    totalSlots,
    peakUsedSlots,
    largestBytes,
  };
}

function most(a: number | null, b: number | null): number | null {
  return b === null ? a : Math.max(a ?? b, b);
}
