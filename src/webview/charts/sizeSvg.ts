import { escapeHtml } from '../../base/escape';
import { formatBytes } from '../../base/format';
import { SLOT_BYTES } from '../../model/units';
import { ratioAt, ratioScale, type SizeSeries } from '../sizeCurve';
import type { SizeChartModel } from './sizeChart';
import { type ChartTheme, runStyle } from './theme';

const width = 760;
const height = 420;
const plot = { left: 76, right: 736, top: 74, bottom: 362 };

/** The size curve as an SVG document that stands alone: no script, no style sheet, no reference. */
export function sizeSvg(
  model: SizeChartModel & { readonly title: string; readonly nameOf: (series: SizeSeries) => string },
  theme: ChartTheme,
): string {
  const points = model.series.flatMap((series) => series.points);
  const scale = ratioScale(points);
  const slots = points.map((point) => point.slots);
  const first = Math.log2(Math.min(...slots));
  const last = Math.max(Math.log2(Math.max(...slots)), first + 1);
  const x = (size: number) => plot.left + ((Math.log2(size) - first) / (last - first)) * (plot.right - plot.left);
  const y = (ratio: number) => plot.bottom - (scale.height(ratio) / scale.top) * (plot.bottom - plot.top);
  const text = (at: { x: number; y: number }, content: string, more = '') =>
    `<text x="${round(at.x)}" y="${round(at.y)}" fill="${theme.text}" ${more}>${escapeHtml(content)}</text>`;
  const rule = (x1: number, y1: number, x2: number, y2: number, colour: string, dash = '') =>
    `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}"${dash === '' ? '' : ` stroke-dasharray="${dash}"`}/>`;
  const parts: string[] = [
    `<rect width="${width}" height="${height}" fill="${theme.background}"/>`,
    text({ x: plot.left, y: 26 }, model.title, 'font-weight="600" font-size="15"'),
  ];
  for (let decade = 0; decade <= scale.top; decade++) {
    const at = plot.bottom - (decade / scale.top) * (plot.bottom - plot.top);
    parts.push(rule(plot.left, at, plot.right, at, theme.grid));
    parts.push(text({ x: plot.left - 8, y: at + 4 }, scale.label(decade), 'text-anchor="end"'));
  }
  const step = Math.ceil((last - first) / 8);
  for (let power = Math.ceil(first); power <= last; power += step) {
    const at = x(2 ** power);
    parts.push(rule(at, plot.top, at, plot.bottom, theme.grid));
    parts.push(text({ x: at, y: plot.bottom + 18 }, formatBytes(2 ** power * SLOT_BYTES), 'text-anchor="middle"'));
  }
  parts.push(text({ x: (plot.left + plot.right) / 2, y: plot.bottom + 40 }, 'pool size', 'text-anchor="middle"'));
  parts.push(
    text(
      { x: 0, y: 0 },
      'requests that fail',
      `text-anchor="middle" transform="translate(18 ${(plot.top + plot.bottom) / 2}) rotate(-90)"`,
    ),
  );
  if (model.today !== null && first <= Math.log2(model.today) && Math.log2(model.today) <= last) {
    parts.push(rule(x(model.today), plot.top, x(model.today), plot.bottom, theme.muted, '4 4'));
    parts.push(text({ x: x(model.today) + 4, y: plot.top + 12 }, 'today'));
  }
  let legendX = plot.left;
  model.series.forEach((series, index) => {
    const style = runStyle(series.policy, index);
    const colour = theme.series[style.series] ?? theme.text;
    const dash = (series.isSingleArea ? [1, 3] : style.dash).join(' ');
    const dashes = dash === '' ? '' : ` stroke-dasharray="${dash}"`;
    const line = series.points.map((point) => `${round(x(point.slots))},${round(y(point.failureRatio))}`).join(' ');
    parts.push(`<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="2"${dashes}/>`);
    for (const point of series.points) {
      const fill = point.proven ? theme.background : colour;
      parts.push(
        `<circle cx="${round(x(point.slots))}" cy="${round(y(point.failureRatio))}" r="3" fill="${fill}" stroke="${colour}"/>`,
      );
    }
    const name = model.nameOf(series);
    parts.push(
      `<line x1="${legendX}" y1="48" x2="${legendX + 26}" y2="48" stroke="${colour}" stroke-width="2.5"${dashes}/>`,
    );
    parts.push(text({ x: legendX + 32, y: 52 }, name));
    legendX += 32 + name.length * 7 + 20;
  });
  const leading = model.series[0]?.points ?? [];
  const ring = (size: number | null, radii: readonly number[], label: string, place: 'above' | 'left') => {
    const ratio = size === null ? null : ratioAt(leading, size);
    if (size !== null && ratio !== null) {
      for (const radius of radii) {
        parts.push(
          `<circle cx="${round(x(size))}" cy="${round(y(ratio))}" r="${radius}" fill="none" stroke="${theme.text}" stroke-width="2"/>`,
        );
      }
      parts.push(
        place === 'above'
          ? text({ x: x(size), y: y(ratio) - 18 }, label, 'text-anchor="middle" font-weight="600"')
          : text({ x: x(size) - 11, y: y(ratio) - 5 }, label, 'text-anchor="end"'),
      );
    }
  };
  if (model.knee !== model.recommended) {
    ring(model.knee, [7], 'knee', 'left');
  }
  ring(model.recommended, [8, 11], model.parameter ?? 'recommended', 'above');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" role="img">`,
    `<title>${escapeHtml(model.title)}</title>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
