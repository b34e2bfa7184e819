import { lowerBound } from '../base/bisect';
import type { LineNumber, Nanoseconds } from '../model/units';
import { StepKind } from '../replay/plan';
import type { Analysis } from './analysis';
import { planOf } from './replaySetup';

/** One-based line of a source; `source` is a row of the source table. */
export interface LineAtTime {
  readonly source: number;
  readonly line: LineNumber;
}

/**
 * The line of the trace at which the kernel mapped or released nearest to a time: a step of the replays.
 * `timeNs` is on the time axis of a replay: nanoseconds since the first event, or steps when the clock gives order only.
 * Of steps at the same time the first one counts. Null for a trace without requests.
 */
export function lineAtTime(analysis: Analysis, timeNs: Nanoseconds): LineAtTime | null {
  const plan = planOf(analysis.tables, false);
  const { columns } = analysis.tables.requests;
  const lineOf = (step: number): LineNumber => {
    const row = plan.stepRow[step]!;
    return plan.stepKind[step] === StepKind.birth
      ? columns.mapLine[row] || columns.enterLine[row]
      : columns.unmapLine[row];
  };
  const at = lowerBound(plan.stepNs, timeNs, plan.stepCount);
  // Ends that were inferred have no line of their own.
  let after = at;
  while (after < plan.stepCount && lineOf(after) === 0) {
    after++;
  }
  let before = at - 1;
  while (0 <= before && lineOf(before) === 0) {
    before--;
  }
  // Of the steps before, the first one with that time.
  while (0 < before && plan.stepNs[before - 1] === plan.stepNs[before] && lineOf(before - 1) !== 0) {
    before--;
  }
  const isAfter =
    after < plan.stepCount && (before < 0 || plan.stepNs[after]! - timeNs <= timeNs - plan.stepNs[before]!);
  const step = isAfter ? after : before;
  return step < 0 ? null : { source: columns.source[plan.stepRow[step]!]!, line: lineOf(step) };
}

/** With a clock that gives order only: the step at which a request was attempted or ended, NaN when it was not. */
export function stepOfRequest(analysis: Analysis, row: number, isMap: boolean): number {
  const plan = planOf(analysis.tables, false);
  return (isMap ? plan.birthNs[row] : plan.deathNs[row]) ?? Number.NaN;
}
