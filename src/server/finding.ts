import { hoverAt } from '../analysis/hover';
import { recordAt } from '../analysis/recordIndex';
import { describeNoFailure } from '../analysis/verdict';
import { escapeMarkdown } from '../base/escape';
import { formatCount, plural } from '../base/format';
import type { FailureReport, ShownFinding } from '../model/reports';
import type { FindingView } from '../protocol/views';
import { toHover } from './toLsp';
import type { Trace } from './trace';

/** Episodes that a summary lists; a report is read by people. */
const maxEpisodes = 10;

/** The failure at a line, else the mapping at it, else what the whole trace says, as Markdown to paste into a report. */
export function findingView(trace: Trace, uri: string, line: number): FindingView {
  const failure = failureAt(trace, uri, line);
  const parts = failure === undefined ? (mappingAt(trace, uri, line) ?? summary(trace)) : failureParts(trace, failure);
  return { markdown: `${[...parts, context(trace)].join('\n\n')}\n` };
}

/** The failure that a line shows: as its event, or as its kernel message. */
export function failureAt(trace: Trace, uri: string, line: number): FailureReport | undefined {
  const source = trace.sourceOf(uri);
  const path = trace.members[source]?.path ?? trace.analysis.file;
  const isMessage = recordAt(trace.analysis, source, line) !== null;
  const isAt = (failure: FailureReport) =>
    (failure.file === path && failure.line === line) ||
    (isMessage && failure.related.some((related) => related.file === path && related.line === line));
  return trace.diagnose().failures.find(isAt);
}

/** What the editor shows of a line that has a finding of a failure; null for other lines. */
export function shownFindingAt(trace: Trace, uri: string, line: number): ShownFinding | null {
  const failure = failureAt(trace, uri, line);
  if (failure === undefined) {
    return null;
  }
  const episode = trace.diagnose().episodes[failure.episode] ?? null;
  const isFirst = episode !== null && episode.file === failure.file && episode.firstLine === failure.line;
  return { isFirst, episode };
}

function failureParts(trace: Trace, failure: FailureReport): string[] {
  const episode = trace.diagnose().episodes[failure.episode];
  const more =
    episode === undefined || episode.count < 2
      ? []
      : [
          `One of ${plural(episode.count, 'failure')} like this, lines ${formatCount(episode.firstLine)} to ${formatCount(episode.lastLine)}.`,
        ];
  return [
    `**${escapeMarkdown(failure.message)}**`,
    [
      `${nameOf(failure.file)}, line ${formatCount(failure.line)}`,
      failure.device === null ? null : `device ${escapeMarkdown(failure.device)}`,
      failure.driver === null ? null : `driver ${escapeMarkdown(failure.driver)}`,
      `cause \`${[failure.cause, ...failure.marks].join(', ')}\``,
    ]
      .filter((part) => part !== null)
      .join(' · '),
    ...more,
    ...list('What helps:', failure.advice),
  ];
}

function mappingAt(trace: Trace, uri: string, line: number): string[] | null {
  const card = hoverAt(trace.analysis, {
    source: trace.sourceOf(uri),
    line,
    lineText: '',
    character: 0,
    recorded: trace.recorded(),
    replay: trace.comparison(),
  });
  if (card === null) {
    return null;
  }
  const path = trace.members[trace.sourceOf(uri)]?.path ?? trace.analysis.file;
  const { contents } = toHover(card, () => null);
  return [(contents as { value: string }).value, `${nameOf(path)}, line ${formatCount(line)}`];
}

function summary(trace: Trace): string[] {
  const { failures, episodes, guidance, unknownResults } = trace.diagnose();
  if (failures.length === 0) {
    return guidance === null
      ? [`**${describeNoFailure(unknownResults)}.**`]
      : [`**${escapeMarkdown(guidance.title)}**`, escapeMarkdown(guidance.found)];
  }
  const lines = episodes
    .slice(0, maxEpisodes)
    .map(
      (episode) =>
        `${episode.message} (${plural(episode.count, 'failure')}, ${nameOf(episode.file, false)} from line ${formatCount(episode.firstLine)})`,
    );
  const rest =
    episodes.length <= maxEpisodes ? [] : [`… and ${plural(episodes.length - maxEpisodes, 'more episode')}.`];
  const advice = [...new Set(failures.flatMap((failure) => failure.advice))];
  return [
    `**${plural(failures.length, 'failed mapping')}**`,
    ...list(null, lines),
    ...rest,
    ...list('What helps:', advice),
  ];
}

/** What the finding was made from. */
function context(trace: Trace): string {
  const { geometry, lines, bounced } = trace.info();
  const pool = geometry.pools.find((candidate) => candidate.slots !== null);
  const facts = [
    geometry.kernel === null ? null : `Linux ${escapeMarkdown(geometry.kernel)}`,
    pool === undefined || pool.slots === null ? null : `pool of ${formatCount(pool.slots)} slots`,
    geometry.cpus === null ? null : plural(geometry.cpus, 'CPU'),
    0 < bounced ? plural(bounced, 'bounced mapping') : plural(lines, 'line'),
  ].filter((fact) => fact !== null);
  return `_SWIOTLB Lens: ${facts.join(' · ')}_`;
}

function list(title: string | null, lines: readonly string[]): string[] {
  if (lines.length === 0) {
    return [];
  }
  const items = lines.map((line) => `- ${escapeMarkdown(line)}`).join('\n');
  return title === null ? [items] : [`${title}\n\n${items}`];
}

function nameOf(file: string, isMarkup = true): string {
  const name = file.slice(file.lastIndexOf('/') + 1);
  return isMarkup ? escapeMarkdown(name) : name;
}
