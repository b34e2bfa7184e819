import { formatBytes, formatCount, formatPercent, joinWords, plural } from '../base/format';
import type { Guidance, SizeReport } from '../model/reports';
import { table } from './table';
import { printable, type Terminal, wrap } from './terminal';
import { guidanceText } from './textDiagnose';

/** The size to set, first; then how the failures fall as the pool grows. */
export function sizeText(report: SizeReport, guidance: Guidance | null, terminal: Terminal): string {
  const { style, width } = terminal;
  const file = report.file === '-' ? 'standard input' : printable(report.file);
  if (!report.replayable) {
    const next = guidance === null ? '' : `\n${guidanceText(guidance, terminal)}\n`;
    return `${style.bold(`${file} has no requests to size a pool by.`)}\n${next}`;
  }
  const smallest = report.smallest.map((entry) => [
    entry.policy,
    entry.slots === null ? 'none of the sizes' : formatCount(entry.slots),
    entry.bootParameter ?? '–',
    entry.bytesAfterRounding === null ? '–' : formatBytes(entry.bytesAfterRounding),
    formatPercent(entry.headroom),
  ]);
  const blocks = [
    style.bold(`The smallest pool for ${file}:`),
    table(['policy', '>slots', 'parameter', '>after rounding', '>headroom'], smallest, terminal),
    variantsText(report, terminal),
    report.advice.map((advice) => wrap(advice, width, '    ', '  • ')).join('\n'),
    areasText(report, terminal),
    curveTable(report, terminal),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** Whether the recommended pools would still do; '' where nothing had to be assumed. */
function variantsText({ smallest, curve }: SizeReport, terminal: Terminal): string {
  const all = smallest.flatMap(({ policy, bootParameter, variants }) =>
    variants.map((variant) => ({ policy, bootParameter, ...variant })),
  );
  if (all.length === 0) {
    return '';
  }
  // What no size helps against may still differ from what is assumed: such failures are not avoidable, and count.
  const leastFailed = (policy: string) =>
    Math.min(...curve.filter((point) => point.policy === policy).map((point) => point.failed));
  if (all.every(({ policy, failed, avoidable }) => avoidable === 0 && failed <= leastFailed(policy))) {
    const names = joinWords([...new Set(all.map(({ name }) => name))]);
    return wrap(`They would do as well where what had to be assumed is otherwise (${names}).`, terminal.width);
  }
  const rows = all.map(({ policy, bootParameter, name, failed, avoidable, peakBytes }) => [
    policy,
    bootParameter ?? '–',
    name,
    formatCount(failed),
    formatCount(avoidable),
    formatBytes(peakBytes),
  ]);
  const header = ['policy', 'parameter', 'assumed otherwise', '>failed', '>avoidable', '>memory peak'];
  return `The same pools where what had to be assumed is otherwise:\n${table(header, rows, terminal)}`;
}

/** Whether fewer areas would do. */
function areasText({ areas }: SizeReport, terminal: Terminal): string {
  if (areas.length < 2) {
    return '';
  }
  const rows = areas.map(({ areas: count, bootParameter, failed, areaLocks, contendedLocks }) => [
    formatCount(count),
    bootParameter,
    formatCount(failed),
    formatCount(areaLocks),
    formatCount(contendedLocks),
  ]);
  const header = ['>areas', 'parameter', '>failed', '>area locks', '>contended (proxy)'];
  return `The fixed pool with fewer areas:\n${table(header, rows, terminal)}`;
}

/** One row per size, one column per policy: requests that fail. */
function curveTable(report: SizeReport, terminal: Terminal): string {
  const merged = columnsOf(report);
  const sizes = [...new Set(report.curve.map((point) => point.slots))].sort((a, b) => a - b);
  const rows = sizes.map((slots) => [
    formatCount(slots),
    formatBytes(slots * 2048),
    ...[...merged.values()].map((column) => {
      const failed = column.get(slots);
      return failed === undefined ? '–' : formatCount(failed);
    }),
  ]);
  const header = ['>slots', '>size', ...[...merged.keys()].map((name) => `>${name}`)];
  const shown = untilFlat(rows);
  const more = shown.length < rows.length ? `\n${terminal.style.dim('… and no change up to')} ${rows.at(-1)?.[1]}` : '';
  return `Requests that fail by pool size:\n${table(header, shown, terminal)}${more}`;
}

/** Rows up to the first from which nothing changes any more, and one after it. */
function untilFlat(rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const failures = rows.map((row) => row.slice(2).join());
  const last = failures.at(-1);
  let flatFrom = failures.length;
  while (flatFrom > 0 && failures[flatFrom - 1] === last) {
    flatFrom--;
  }
  return rows.slice(0, flatFrom + 2);
}

/**
 * A small pool has room for fewer areas than the machine would like: it stands in the same column. Where a size was
 * tried with one area besides, that is a column of its own.
 */
function columnsOf(report: SizeReport): Map<string, Map<number, number>> {
  const most = new Map<string, number>();
  for (const { policy, areas } of report.curve) {
    most.set(policy, Math.max(areas, most.get(policy) ?? 0));
  }
  const columns = new Map<string, Map<number, number>>();
  for (const { policy, areas, slots, failed } of report.curve) {
    const isBeside = report.curve.some(
      (point) => point.policy === policy && point.slots === slots && point.areas > areas,
    );
    const name = isBeside
      ? `${policy}, ${plural(areas, 'area')}`
      : `${policy}, ${plural(most.get(policy) ?? 0, 'area')}`;
    const column = columns.get(name) ?? new Map<number, number>();
    column.set(slots, failed);
    columns.set(name, column);
  }
  return columns;
}
