import { escapeHtml } from '../../base/escape';
import { formatBytes, formatCount, formatSlotsAndBytes } from '../../base/format';
import { seriesWindow } from '../replay';
import type { ReportChart } from './blocks';

/** Size of a chart in user units; the page scales it to its width. */
const width = 960;
const left = 64;
const right = 24;
const top = 6;
const axisHeight = 34;
const stripHeight = 112;
const stripHead = 20;
const stripGap = 8;
const sizesHeight = 260;
const plotWidth = width - left - right;

/** Styles of lines that the page defines: `.l0` … */
export const lineStyles = 6;

/** A chart as an `svg` element without script, style or reference: the page's style sheet gives it its colours. */
export function chartSvg(chart: ReportChart): string {
  return chart.kind === 'slots' ? slotsChart(chart) : sizesChart(chart);
}

/** What the lines mean, in the order of their styles; strips carry their names themselves. */
export function legendOf(chart: ReportChart): readonly string[] {
  return chart.kind === 'slots' ? [] : chart.lines.map(({ name }) => name);
}

/** One strip per run over the same axes: lines that mostly agree would hide each other. */
function slotsChart({ title, runs, hasTime }: Extract<ReportChart, { kind: 'slots' }>): string {
  const drawn = runs.filter((run) => run.series.length > 0);
  const fromNs = Math.min(...drawn.map(({ series }) => series.timeNs[0]!));
  const toNs = Math.max(fromNs + 1, ...drawn.map(({ series }) => series.timeNs[series.length - 1]!));
  const windows = runs.map(({ series }) => seriesWindow(series, fromNs, toNs, plotWidth / 2));
  const usedTop = Math.max(1, ...windows.map((window) => Math.max(0, ...window.usedSlots)));
  const capacityTop = Math.max(0, ...windows.map((window) => Math.max(0, ...window.capacitySlots)));
  // A capacity far above the use would flatten everything else.
  const showCapacity = capacityTop <= usedTop * 4;
  const highest = Math.max(usedTop, showCapacity ? capacityTop : 0) * 1.04;
  const step = 2 ** Math.max(0, Math.ceil(Math.log2(highest / 3)));
  const most = Math.ceil(highest / step) * step;
  const x = (timeNs: number): number => left + ((timeNs - fromNs) / (toNs - fromNs)) * plotWidth;
  const parts: string[] = [];
  for (const [index, window] of windows.entries()) {
    const head = top + index * stripHeight;
    const y = (slots: number): number => head + stripHead + (1 - slots / most) * (stripHeight - stripHead - stripGap);
    const style = `l${index % lineStyles}`;
    for (let slots = 0; slots <= most; slots += step) {
      parts.push(gridLine(y(slots)), label(left - 8, y(slots) + 4, 'end', formatCount(slots)));
    }
    parts.push(`<text class="name" x="${left}" y="${head + 12}">${escapeHtml(runs[index]!.name)}</text>`);
    if (showCapacity) {
      parts.push(`<path class="capacity" d="${steps(window.timeNs, window.capacitySlots, x, y)}"/>`);
    }
    parts.push(`<path class="area ${style}" d="${area(window.timeNs, window.usedSlots, x, y)}"/>`);
    parts.push(failureMarks(window.timeNs, window.failures, x, y(most) + 4));
  }
  const height = top + windows.length * stripHeight + axisHeight;
  for (const at of roundTicks(fromNs, toNs, 8)) {
    parts.push(label(x(at), height - 12, 'middle', hasTime ? formatSeconds(at, toNs - fromNs) : formatCount(at)));
  }
  const told = runs
    .map(({ name }, index) => `${name}: at most ${formatSlotsAndBytes(Math.max(0, ...windows[index]!.usedSlots))}`)
    .join('; ');
  return svg(title, `${told}. Crosses are failures; the dashed line is the capacity of the pools.`, height, parts);
}

/** Round values between two, about so many. */
function roundTicks(from: number, to: number, count: number): number[] {
  const rough = (to - from) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => rough <= candidate) ?? rough;
  const ticks: number[] = [];
  for (let k = Math.ceil(from / step); k * step <= to; k++) {
    ticks.push(k * step);
  }
  return ticks;
}

/** As many digits as the extent needs. */
function formatSeconds(timeNs: number, spanNs: number): string {
  const digits = Math.min(6, Math.max(0, Math.ceil(1 - Math.log10(spanNs / 1e9))));
  return `${(timeNs / 1e9).toFixed(digits)} s`;
}

/** One cross per few pixels at most. */
function failureMarks(
  timeNs: readonly number[],
  failures: readonly number[],
  x: (timeNs: number) => number,
  cy: number,
): string {
  let path = '';
  let last = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < timeNs.length; i++) {
    const at = x(timeNs[i]!);
    if ((failures[i] ?? 0) > (failures[i - 1] ?? 0) && at - last >= 5) {
      last = at;
      path += `M${px(at - 3)} ${px(cy - 3)}l6 6m0 -6l-6 6`;
    }
  }
  return path === '' ? '' : `<path class="mark" d="${path}"/>`;
}

function sizesChart({ title, lines, recommendedBytes }: Extract<ReportChart, { kind: 'sizes' }>): string {
  const all = lines.flatMap(({ points }) => points);
  const sizes = [...new Set(all.map((point) => point.bytes))].sort((a, b) => a - b);
  const first = Math.log2(sizes[0] ?? 1);
  const last = Math.max(first + 1, Math.log2(sizes[sizes.length - 1] ?? 2));
  const most = Math.max(1, ...all.map((point) => point.failed));
  const decades = Math.max(1, Math.ceil(Math.log10(most)));
  const x = (bytes: number): number => left + ((Math.log2(bytes) - first) / (last - first)) * plotWidth;
  // A logarithm has no zero: it gets a line of its own below the decades.
  const zero = sizesHeight - axisHeight;
  const one = zero - 24;
  const y = (failed: number): number => (failed <= 0 ? zero : one - (Math.log10(failed) / decades) * (one - top));
  const parts = [gridLine(zero), label(left - 8, zero + 4, 'end', '0')];
  for (let decade = 0; decade <= decades; decade++) {
    parts.push(gridLine(y(10 ** decade)), label(left - 8, y(10 ** decade) + 4, 'end', formatCount(10 ** decade)));
  }
  for (const [index, bytes] of sizes.entries()) {
    const anchor = index === 0 ? 'start' : index === sizes.length - 1 ? 'end' : 'middle';
    parts.push(label(x(bytes), sizesHeight - 12, anchor, formatBytes(bytes)));
  }
  for (const [index, { points }] of lines.entries()) {
    const style = `l${index % lineStyles}`;
    const path = points
      .map(({ bytes, failed }, i) => `${i === 0 ? 'M' : 'L'}${px(x(bytes))} ${px(y(failed))}`)
      .join('');
    const dots = points.map(({ bytes, failed }) => dot(x(bytes), y(failed), 3)).join('');
    parts.push(`<path class="line ${style}" d="${path}"/>`, `<path class="dot ${style}" d="${dots}"/>`);
  }
  if (recommendedBytes !== null && sizes.length > 0) {
    const at = Math.min(left + plotWidth, Math.max(left, x(recommendedBytes)));
    parts.push(`<path class="ring" d="${dot(at, zero, 7)}"/>`);
  }
  const ring = recommendedBytes === null ? '' : ` The ring is ${formatBytes(recommendedBytes)}, the size to set.`;
  return svg(title, `Logarithmic in both directions.${ring}`, sizesHeight, parts);
}

function svg(title: string, description: string, height: number, parts: readonly string[]): string {
  return (
    `<svg viewBox="0 0 ${width} ${height}" role="img">` +
    `<title>${escapeHtml(title)}</title><desc>${escapeHtml(description)}</desc>${parts.join('')}</svg>`
  );
}

/** A step function filled down to zero. */
function area(
  timeNs: readonly number[],
  levels: readonly number[],
  x: (timeNs: number) => number,
  y: (slots: number) => number,
): string {
  const line = steps(timeNs, levels, x, y);
  return line === '' ? '' : `${line}V${px(y(0))}H${px(x(timeNs[0]!))}Z`;
}

/** A step function: each level holds until the next time. */
function steps(
  timeNs: readonly number[],
  levels: readonly number[],
  x: (timeNs: number) => number,
  y: (slots: number) => number,
): string {
  let path = '';
  for (let i = 0; i < timeNs.length; i++) {
    path += i === 0 ? `M${px(x(timeNs[i]!))} ${px(y(levels[i]!))}` : `H${px(x(timeNs[i]!))}V${px(y(levels[i]!))}`;
  }
  return path;
}

function dot(cx: number, cy: number, radius: number): string {
  return `M${px(cx - radius)} ${px(cy)}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0`;
}

function gridLine(y: number): string {
  return `<path class="grid" d="M${left} ${px(y)}H${width - right}"/>`;
}

function label(x: number, y: number, anchor: 'start' | 'middle' | 'end', text: string): string {
  return `<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}">${escapeHtml(text)}</text>`;
}

/** A tenth of a unit is finer than anybody sees. */
function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
