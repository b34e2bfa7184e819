import { ledgerLine, ledgerNote } from '../analysis/ledger';
import { describeCauseCounts, describeNoFailure } from '../analysis/verdict';
import { formatCount, formatSlotsAndBytes, formatTime, plural } from '../base/format';
import type { Cause } from '../model/cause';
import type { DiagnoseReport, EpisodeReport, FailureReport, Guidance } from '../model/reports';
import type { Terminal } from './terminal';
import { printable, wrap } from './terminal';

/** Findings shown in full; the rest is a line, and all of it is in --json. */
const episodesShown = 12;

/** The diagnosis for a person: the verdict, one block per episode, what helps once per cause, the pool, warnings. */
export function diagnoseText(report: DiagnoseReport, terminal: Terminal): string {
  const { style } = terminal;
  const blocks: string[] = [headline(report, terminal)];
  const advised = new Set<string>();
  const shown = mostImportant(report.episodes);
  for (const index of shown) {
    const episode = report.episodes[index];
    const first = report.failures.find((failure) => failure.episode === index);
    if (episode !== undefined && first !== undefined) {
      blocks.push(episodeBlock(episode, first, advised, terminal));
    }
  }
  const hidden = report.episodes.length - shown.length;
  if (hidden > 0) {
    blocks.push(style.dim(`… and ${plural(hidden, 'more episode')} (--json lists all).`));
  }
  const pool = poolText(report);
  if (pool !== '') {
    blocks.push(`${style.bold('Pool')}      ${pool}`);
  }
  if (report.warnings.length > 0) {
    blocks.push(warningsBlock(report, terminal));
  }
  if (report.guidance !== null) {
    blocks.push(guidanceText(report.guidance, terminal));
  }
  if (report.ledger.exact + report.ledger.derived + report.ledger.assumed + report.ledger.lost > 0) {
    const assumed = report.ledger.notes
      .filter((note) => note.level === 'assumed')
      .map((note) => wrap(ledgerNote(note), terminal.width, '    ', '  • '));
    blocks.push([style.dim(`Ledger    ${ledgerLine(report.ledger)}`), ...assumed].join('\n'));
  }
  return `${blocks.join('\n\n')}\n`;
}

function headline(report: DiagnoseReport, terminal: Terminal): string {
  const { style } = terminal;
  const file = report.file === '-' ? 'standard input' : printable(report.file);
  if (report.failures.length === 0) {
    const unread = report.guidance?.kind === 'empty' || report.guidance?.kind === 'not-a-trace';
    if (unread) {
      return `${style.bold(file)}: nothing to diagnose.`;
    }
    return report.unknownResults === 0
      ? `${style.good('No mapping failed')} in ${file}.`
      : wrap(`${file}: ${describeNoFailure(report.unknownResults)}.`, terminal.width);
  }
  const counts = new Map<Cause, number>();
  for (const failure of report.failures) {
    counts.set(failure.cause, (counts.get(failure.cause) ?? 0) + 1);
  }
  const total = report.failures.length;
  const suppressed = report.episodes.reduce((sum, episode) => sum + episode.suppressed, 0);
  const more = suppressed > 0 ? ` (and ${formatCount(suppressed)} more whose message was suppressed)` : '';
  const line = `${plural(total, 'mapping')} failed in ${file}: ${describeCauseCounts(counts)}${more}.`;
  return wrap(line, terminal.width)
    .split('\n')
    .map((part) => style.bad(style.bold(part)))
    .join('\n');
}

/** Episodes in the order of the file, of the largest ones. */
function mostImportant(episodes: readonly EpisodeReport[]): readonly number[] {
  return episodes
    .map((episode, index) => ({ index, weight: episode.count + episode.suppressed }))
    .sort((a, b) => b.weight - a.weight || a.index - b.index)
    .slice(0, episodesShown)
    .map(({ index }) => index)
    .sort((a, b) => a - b);
}

function episodeBlock(episode: EpisodeReport, first: FailureReport, advised: Set<string>, terminal: Terminal): string {
  const { style, width } = terminal;
  const who = [first.device, first.driver].filter((part) => part !== null && part !== '').join(' ');
  const when = first.timeNs === null ? '' : ` · +${formatTime(first.timeNs)}`;
  const place = `${shortName(first.file)}:${first.line}`;
  const lines = [
    `${style.bold(place)}${who === '' ? '' : ` · ${printable(who)}`}${when}`,
    wrap(printable(first.message), width, '  '),
  ];
  if (episode.message !== '') {
    lines.push(style.dim(wrap(printable(episode.message), width, '  ')));
  }
  const fresh = first.advice.filter((advice) => !advised.has(advice));
  if (fresh.length === 0) {
    lines.push(style.dim('  What helps: as above.'));
  } else {
    lines.push(fresh.length < first.advice.length ? '  What helps, besides the above:' : '  What helps:');
    for (const advice of fresh) {
      advised.add(advice);
      lines.push(wrap(advice, width, '    ', '  • '));
    }
  }
  return lines.join('\n');
}

/** The pool as the boot lines tell it; '' when they do not. */
function poolText(report: DiagnoseReport): string {
  const mapped = [...report.boot].reverse().find((line) => line.kind === 'pool-mapped');
  if (mapped === undefined || typeof mapped['slots'] !== 'number') {
    return '';
  }
  const areas = [...report.boot].reverse().find((line) => line.kind === 'area-num');
  const count = typeof areas?.['count'] === 'number' ? `, ${plural(areas['count'], 'area')}` : '';
  const start = typeof mapped['start'] === 'string' ? ` at ${mapped['start']}` : '';
  return `${formatSlotsAndBytes(mapped['slots'])}${start}${count} (${shortName(mapped.file)}:${mapped.line})`;
}

function warningsBlock(report: DiagnoseReport, terminal: Terminal): string {
  const { style, width } = terminal;
  return [
    style.bold('Warnings'),
    ...report.warnings.map((warning) =>
      wrap(`${shortName(warning.file)}:${warning.line} ${printable(warning.message)}`, width, '    ', '  • '),
    ),
  ].join('\n');
}

/** What was found, what to do next, and the commands ready to copy. */
export function guidanceText(guidance: Guidance, terminal: Terminal): string {
  const { style, width } = terminal;
  return [
    style.bold(guidance.title),
    wrap(printable(guidance.found), width, '  '),
    wrap(guidance.next, width, '  '),
    ...guidance.commands.map((command) => `    ${command}`),
  ].join('\n');
}

function shortName(file: string): string {
  return file === '-' || file === '' ? 'stdin' : printable(file.slice(file.lastIndexOf('/') + 1));
}
