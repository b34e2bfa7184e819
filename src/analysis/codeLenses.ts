import { formatCount, plural } from '../base/format';
import type { Cause } from '../model/cause';
import type { DiagnoseReport, EpisodeReport } from '../model/reports';
import type { LineNumber } from '../model/units';
import type { Analysis } from './analysis';
import { causeTitle, describeCauseCounts } from './verdict';

/** What a click on a lens is for; the adapter knows the command. */
export type LensAction = 'problems' | 'replay' | 'size' | 'slotMap' | 'whoHeld' | 'explain' | 'capture' | 'showIgnored';

/** A remark above a line that can be clicked. */
export interface CodeLensReport {
  readonly line: LineNumber;
  readonly title: string;
  /** Null: text only. */
  readonly action: LensAction | null;
  /** Of the episode, null for the whole input. */
  readonly cause: Cause | null;
}

/** More episodes than this are a list to look at elsewhere. */
const maxEpisodes = 100;

/** Causes where the size of the pool decides. */
export const poolSizeCauses: ReadonlySet<Cause> = new Set<Cause>([
  'pool-full',
  'fragmented',
  'alignment',
  'growth-too-late',
  'allocation-failed',
]);

/**
 * The lenses of one source: what it says as a whole at its top, and each episode of failures at its first line.
 * Only what can work is offered: no replay without requests, no pool size where none would help.
 */
export function codeLensesOf(
  analysis: Analysis,
  report: DiagnoseReport,
  source: number,
  ignored: ReadonlySet<number> = new Set(),
): readonly CodeLensReport[] {
  const file = analysis.tables.sources[source]?.path;
  const lenses: CodeLensReport[] = [];
  const add = (line: LineNumber, title: string, action: LensAction | null, cause: Cause | null = null) =>
    lenses.push({ line, title, action, cause });
  const replayable = analysis.tables.requests.length > 0;
  const sizeMatters = report.episodes.some(({ cause }) => poolSizeCauses.has(cause));
  if (replayable || report.failures.length > 0) {
    add(1, summaryOf(analysis, report), report.failures.length > 0 ? 'problems' : null);
  }
  if (replayable) {
    add(1, 'Replay with dynamic pools', 'replay');
    add(1, 'Find the pool size', 'size');
    add(1, 'Show slot map', 'slotMap');
  } else if (report.failures.length > 0) {
    add(1, 'To replay this, record a trace: Create capture script', 'capture');
  }
  if (ignored.size > 0) {
    const failures = report.failures.filter(({ episode }) => ignored.has(episode)).length;
    add(1, `${plural(ignored.size, 'episode')} ignored (${plural(failures, 'failure')}): show again`, 'showIgnored');
  }
  const own = report.episodes.flatMap((episode, index) => (episode.file === file ? [{ episode, index }] : []));
  for (const { episode, index } of own.slice(0, maxEpisodes)) {
    if (ignored.has(index)) {
      continue;
    }
    const { cause, firstLine } = episode;
    add(firstLine, titleOf(episode), 'explain', cause);
    if (replayable) {
      add(firstLine, 'Replay with dynamic pools', 'replay', cause);
      if (sizeMatters && poolSizeCauses.has(cause)) {
        add(firstLine, 'Find the pool size', 'size', cause);
        add(firstLine, 'Who held the slots', 'whoHeld', cause);
      }
      add(firstLine, 'Show slot map', 'slotMap', cause);
    }
  }
  return lenses;
}

/** `78 of 4,012 requests failed: 61 fragmented and 17 pool full`. */
export function summaryOf(analysis: Analysis, report: DiagnoseReport): string {
  const { counts } = analysis.tables;
  const attempts = counts.requests - counts.direct;
  const inTrace = report.failures.filter(({ request }) => request !== null).length;
  if (report.failures.length === 0) {
    if (attempts === 0) {
      return 'No request was bounced';
    }
    const unknown = report.unknownResults;
    if (unknown === attempts) {
      return `${plural(attempts, 'attempt')} to bounce: the trace does not tell whether any failed`;
    }
    const result = unknown === 0 ? 'none failed' : `no failure recorded, ${formatCount(unknown)} without a result`;
    return `${plural(attempts, 'bounced request')}, ${result}`;
  }
  const causes = new Map<Cause, number>();
  for (const { cause } of report.failures) {
    causes.set(cause, (causes.get(cause) ?? 0) + 1);
  }
  const failed = report.failures.length;
  const who =
    inTrace === failed && attempts > 0
      ? `${formatCount(failed)} of ${plural(attempts, 'bounced request')} failed`
      : `${plural(failed, 'mapping')} failed`;
  return `${who}: ${describeCauseCounts(causes)}`;
}

function titleOf({ cause, count, device, suppressed }: EpisodeReport): string {
  const parts = [
    count === 1 ? causeTitle(cause) : `${causeTitle(cause)} × ${formatCount(count)}`,
    ...(device === null ? [] : [device]),
    ...(suppressed > 0 ? [`${plural(suppressed, 'more message')} suppressed`] : []),
  ];
  return parts.join(' · ');
}
