import { ledgerLine, ledgerNote } from '../analysis/ledger';
import { describeCauseCounts } from '../analysis/verdict';
import { formatBytes, formatCount, formatDuration, formatSetting, formatSlotsAndBytes, plural } from '../base/format';
import type { Cause } from '../model/cause';
import type { ReplaySeries } from '../model/replayResult';
import type { CompareReport, Guidance, LedgerReport, ReplayReport } from '../model/reports';
import { table } from './table';
import type { Terminal } from './terminal';
import { printable, wrap } from './terminal';
import { guidanceText } from './textDiagnose';
import { compareUncertaintyText } from './textUncertainty';

/** One replay for a person: what it would have done, what it would have cost, what was assumed. */
export function replayText(
  report: ReplayReport,
  series: ReplaySeries | null,
  guidance: Guidance | null,
  terminal: Terminal,
): string {
  const { style } = terminal;
  if (!report.replayable) {
    return notReplayable(report, guidance, terminal);
  }
  const blocks = [boldWrapped(verdictOf(report), terminal)];
  if (series !== null && series.length > 1) {
    blocks.push(chart(series, terminal));
  }
  const rows: (readonly [string, string])[] = [
    ['peak used', formatSlotsAndBytes(report.usedHighWaterSlots)],
    ['capacity peak', formatSlotsAndBytes(report.capacityPeakSlots)],
    ['memory peak', `${formatBytes(report.memory.peakBytes)}${wasteOf(report)}`],
    ['transient', transientText(report)],
    ['worker runs', formatCount(report.workerRuns)],
    ['stalls', stallText(report)],
    ['copied', formatBytes(report.copiedBytes)],
    [
      'search',
      `${formatCount(report.cost.probes)} probes, ${formatCount(report.cost.areaLocks)} area locks, ${formatCount(report.cost.lookups)} look-ups`,
    ],
    ['contention', contentionText(report)],
    ['cost', costText(report)],
  ];
  blocks.push(rows.map(([name, value]) => `${style.dim(name.padEnd(14))}${value}`).join('\n'));
  blocks.push(paramText(report, terminal));
  blocks.push(assumptions(report.ledger, terminal));
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** Line by line, as some terminals end a style with the line. */
function boldWrapped(text: string, { style, width }: Terminal): string {
  return wrap(text, width).split('\n').map(style.bold).join('\n');
}

function verdictOf(report: ReplayReport): string {
  const file = report.file === '-' ? 'standard input' : printable(report.file);
  const requests = plural(report.requests, 'request');
  if (report.requests === 0) {
    return `${report.policy}: there is nothing to replay in ${file}: no request of this trace bounced.`;
  }
  if (report.failed === 0) {
    return `${report.policy}: no failure among ${requests} of ${file}.`;
  }
  const counts = new Map(Object.entries(report.failuresByCause) as [Cause, number][]);
  return `${report.policy}: ${formatCount(report.failed)} of ${requests} fail in ${file} (${describeCauseCounts(counts)}).`;
}

/** Not a dead end: what is missing, and the commands that record it. */
function notReplayable(report: ReplayReport, guidance: Guidance | null, terminal: Terminal): string {
  const { width } = terminal;
  const missing = report.missing.map((what) => wrap(what, width, '    ', '  • '));
  const verdict = boldWrapped(`${printable(report.file)} cannot be replayed. Missing:`, terminal);
  const next = guidance === null ? '' : `\n${guidanceText(guidance, terminal)}\n`;
  return `${[verdict, ...missing].join('\n')}\n${next}`;
}

function wasteOf(report: ReplayReport): string {
  const waste = report.memory.roundingWasteBytes;
  return waste > 0 ? ` (${formatBytes(waste)} of it rounding)` : '';
}

function transientText(report: ReplayReport): string {
  const { count, peakSlots, failed } = report.transient;
  if (count === 0 && failed === 0) {
    return '0';
  }
  const failures = failed > 0 ? `, ${formatCount(failed)} failed` : '';
  return `${plural(count, 'pool')}, at most ${formatSlotsAndBytes(peakSlots)} at once${failures}`;
}

function contentionText(report: ReplayReport): string {
  const { contendedLocks, areaLocks } = report.cost;
  return contendedLocks === null ? '–' : `${formatCount(contendedLocks)} of ${plural(areaLocks, 'area lock')} (proxy)`;
}

/** An estimate is worth what its times are worth. */
function costText(report: ReplayReport): string {
  const { estimatedNs } = report.cost;
  const level = report.params['searchNs']?.level;
  return estimatedNs === null
    ? '–'
    : `about ${formatDuration(estimatedNs)} in the allocator (times: ${level ?? 'default'})`;
}

function stallText(report: ReplayReport): string {
  const { count, totalNs, maxNs } = report.stalls;
  return count === 0
    ? '0'
    : `${formatCount(count)}, ${formatDuration(totalNs)} together, longest ${formatDuration(maxNs)}`;
}

/** Parameters that were given or found; the defaults are only named, they are in --json and `policies`. */
function paramText(report: ReplayReport, terminal: Terminal): string {
  const { style, width } = terminal;
  const entries = Object.entries(report.params);
  const told = entries.filter(([, param]) => param.level !== 'default');
  const defaults = entries.filter(([, param]) => param.level === 'default');
  const blocks: string[] = [];
  if (told.length > 0) {
    const rows = told.map(([name, param]) => [name, formatSetting(param.value, param.unit), param.level, param.source]);
    blocks.push(table(['parameter', 'value', 'from', 'because'], rows, terminal));
  }
  if (defaults.length > 0) {
    const list = defaults.map(([name, param]) => `${name} ${formatSetting(param.value, param.unit)}`).join(', ');
    blocks.push(style.dim(wrap(`By default: ${list}.`, width)));
  }
  return blocks.join('\n\n');
}

/** What the numbers rest on, so that nobody takes an assumption for a fact. */
function assumptions(ledger: LedgerReport, terminal: Terminal): string {
  const { style, width } = terminal;
  const notes = ledger.notes
    .filter((note) => note.level !== 'recorded')
    .map((note) => wrap(ledgerNote(note), width, '    ', '  • '));
  return [`${style.dim('Ledger')}    ${ledgerLine(ledger)}`, ...notes].join('\n');
}

/** Policies or traces side by side, the differences first. */
export function compareText(report: CompareReport, guidance: Guidance | null, terminal: Terminal): string {
  const { style } = terminal;
  const [head] = report.results;
  if (head !== undefined && report.results.every(({ replayable }) => !replayable)) {
    return notReplayable(head, guidance, terminal);
  }
  const sameFile = new Set(report.results.map((result) => result.file)).size === 1;
  const base = (file: string) => printable(file.replace(/\/+$/, '').replace(/^.*\//, ''));
  const distinct = new Set(report.results.map((result) => base(result.file))).size === report.results.length;
  const traceName = (file: string) => (distinct ? base(file) : printable(file));
  const nameOf = (result: ReplayReport) => (sameFile ? result.policy : `${traceName(result.file)} ${result.policy}`);
  const bestName = (name: string) => style.bold(sameFile ? name : traceName(name));
  const header = [
    sameFile ? 'policy' : 'trace and policy',
    '>failed',
    '>served',
    '>peak used',
    '>memory peak',
    '>transient',
    '>worker runs',
    '>stalls',
    '>probes',
  ];
  const rows = report.results.map((result) =>
    result.replayable
      ? [
          nameOf(result),
          formatCount(result.failed),
          formatCount(result.served),
          formatCount(result.usedHighWaterSlots),
          formatBytes(result.memory.peakBytes),
          formatCount(result.transient.count),
          formatCount(result.workerRuns),
          result.stalls.count === 0 ? '–' : formatDuration(result.stalls.totalNs),
          formatCount(result.cost.probes),
        ]
      : [nameOf(result), `not replayable: ${result.missing.join('; ')}`],
  );
  const best = [
    report.best.fewestFailures === null ? '' : `Fewest failures: ${bestName(report.best.fewestFailures)}.`,
    report.best.leastMemory === null ? '' : `Least memory: ${bestName(report.best.leastMemory)}.`,
  ].filter((line) => line !== '');
  const first = report.results[0];
  const title = sameFile && first !== undefined ? `${printable(first.file)}\n` : '';
  const ledger = first === undefined ? '' : `\n${assumptions(first.ledger, terminal)}\n`;
  const uncertain = compareUncertaintyText(report.results, nameOf, terminal);
  return `${title}${best.join(' ')}\n\n${table(header, rows, terminal)}\n${uncertain}${ledger}`;
}

const chartHeight = 8;
const bars = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** Slots in use over time as columns of blocks, the peak of each column; `×` below marks columns with failures. */
export function chart(series: ReplaySeries, terminal: Terminal): string {
  const { style } = terminal;
  const columns = Math.max(20, Math.min(100, terminal.width - 12));
  const { peaks, failed } = bucketize(series, columns);
  const top = Math.max(1, ...peaks);
  const rows: string[] = [];
  for (let row = chartHeight; row >= 1; row--) {
    const label = row === chartHeight ? formatCount(top) : row === 1 ? '0' : '';
    const cells = peaks.map((peak) => {
      const filled = (peak / top) * chartHeight * 8 - (row - 1) * 8;
      return bars[Math.max(0, Math.min(8, Math.round(filled)))] ?? ' ';
    });
    rows.push(`${style.dim(label.padStart(9))} ${cells.join('').trimEnd()}`);
  }
  if (failed.some((count) => count > 0)) {
    const marks = failed.map((count) => (count > 0 ? '×' : ' ')).join('');
    rows.push(`${style.dim('failures'.padStart(9))} ${style.bad(marks.trimEnd())}`);
  }
  const first = series.timeNs[0] ?? 0;
  const last = series.timeNs[series.length - 1] ?? 0;
  const from = `${(first / 1e9).toFixed(1)} s`;
  const to = `${(last / 1e9).toFixed(1)} s`;
  rows.push(style.dim(`${' '.repeat(10)}${from}${to.padStart(Math.max(1, columns - from.length))}`));
  return `${style.dim('slots in use')}\n${rows.join('\n')}`;
}

/** The level of a step function lasts until its next point, so a quiet column shows the level before it. */
function bucketize(series: ReplaySeries, columns: number): { peaks: number[]; failed: number[] } {
  const first = series.timeNs[0] ?? 0;
  const span = Math.max(1, (series.timeNs[series.length - 1] ?? first) - first);
  const peaks: number[] = [];
  const failed: number[] = [];
  let i = 0;
  let level = 0;
  let failures = 0;
  for (let column = 0; column < columns; column++) {
    const end = first + (span * (column + 1)) / columns;
    let peak = level;
    const before = failures;
    while (i < series.length && ((series.timeNs[i] ?? 0) < end || column === columns - 1)) {
      level = series.usedSlots[i] ?? 0;
      failures = series.failures[i] ?? 0;
      peak = Math.max(peak, level);
      i++;
    }
    peaks.push(peak);
    failed.push(failures - before);
  }
  return { peaks, failed };
}
