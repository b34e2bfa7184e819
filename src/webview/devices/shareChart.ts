import {
  Chart,
  type ChartDataset,
  Filler,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  type ScatterDataPoint,
} from 'chart.js';
import { formatCount } from '../../base/format';
import type { SharesView } from '../../protocol/devices';
import { createLineChart } from '../charts/lineChart';
import { type Range, stepAt, timeTicks } from '../charts/scale';
import type { ChartTheme } from '../charts/theme';
import type { TimeFormat } from '../format';
import { chartPicture } from './chartPicture';

Chart.register(LineController, LineElement, PointElement, LinearScale, Filler);

type Point = ScatterDataPoint;

export interface ShareStyle {
  readonly sign: string;
  readonly fill: string | CanvasPattern;
  readonly line: string;
  readonly ink: string;
}

export interface ShareModel {
  readonly shares: SharesView;
  readonly range: Range;
  readonly time: TimeFormat;
  readonly styles: readonly ShareStyle[];
  readonly cursorNs: number | null;
}

/** As in the charts above: fixed widths keep the time axes under each other. */
const axisWidth = 62;

/** Slots in use, one band per device, the largest holder at the bottom. */
export class ShareChart {
  private readonly chart: Chart<'line', Point[]>;
  private theme: ChartTheme;
  private model: ShareModel | null = null;

  constructor(canvas: HTMLCanvasElement, theme: ChartTheme) {
    this.theme = theme;
    this.chart = createLineChart(canvas, { top: 6, right: 2 }, () => this.drawMarks());
  }

  setTheme(theme: ChartTheme): void {
    this.theme = theme;
  }

  /** Pixels of the time axis. */
  plotWidth(): number {
    const area = this.chart.chartArea;
    return area === undefined ? 800 : Math.max(50, Math.round(area.right - area.left));
  }

  timeAt(x: number): number | null {
    const { left, right } = this.chart.chartArea;
    return x < left || right < x ? null : (this.chart.scales['x']!.getValueForPixel(x) ?? null);
  }

  show(model: ShareModel): void {
    this.model = model;
    const { theme, chart } = this;
    const { shares, range, time, styles } = model;
    const spanNs = range.toNs - range.fromNs;
    const font = { family: theme.font, size: theme.fontSize };
    const isNarrow = (chart.canvas.parentElement?.clientWidth ?? 1000) < 440;
    const tops = stackTops(shares);
    chart.data.datasets = shares.devices.map(
      (_, index): ChartDataset<'line', Point[]> => ({
        data: shares.timeNs.map((x, at) => ({ x, y: tops[index]![at]! })),
        borderColor: styles[index]!.line,
        borderWidth: 1,
        backgroundColor: styles[index]!.fill as string,
        fill: index === 0 ? 'origin' : '-1',
        stepped: 'before',
        pointRadius: 0,
      }),
    );
    chart.options.scales = {
      x: {
        type: 'linear',
        min: range.fromNs,
        max: range.toNs,
        grid: { color: theme.grid, drawTicks: false },
        border: { color: theme.grid },
        ticks: {
          color: theme.muted,
          font,
          maxRotation: 0,
          autoSkip: false,
          padding: 6,
          callback: (value) => time.tick(Number(value), spanNs),
        },
        afterBuildTicks: (scale) => {
          const count = Math.max(2, Math.floor(scale.width / time.tickPixels));
          scale.ticks = timeTicks(range, time.originNs, count).map((value) => ({ value }));
        },
        title: { display: true, text: time.axisTitle, color: theme.muted, font },
      },
      y: {
        type: 'linear',
        min: 0,
        afterFit: (scale) => {
          scale.width = isNarrow ? axisWidth - 14 : axisWidth;
        },
        grid: { color: theme.grid, drawTicks: false },
        border: { display: false },
        ticks: {
          color: theme.muted,
          font,
          padding: 6,
          maxTicksLimit: 6,
          // Slots are whole.
          precision: 0,
          callback: (value) => formatCount(Number(value)),
        },
      },
      right: {
        type: 'linear',
        position: 'right',
        afterFit: (scale) => {
          scale.width = isNarrow ? 8 : axisWidth;
        },
        grid: { display: false },
        border: { display: false },
        ticks: { display: false },
      },
    };
    chart.update('none');
  }

  setCursor(timeNs: number | null): void {
    if (this.model !== null) {
      this.model = { ...this.model, cursorNs: timeNs };
      this.chart.draw();
    }
  }

  /** The slider's value, for readers. */
  describe(timeNs: number, text: string): void {
    const { canvas } = this.chart;
    const { fromNs, toNs } = this.model?.range ?? { fromNs: timeNs, toNs: timeNs };
    canvas.setAttribute('aria-valuemin', String(Math.round(fromNs)));
    canvas.setAttribute('aria-valuemax', String(Math.round(toNs)));
    canvas.setAttribute('aria-valuenow', String(Math.round(timeNs)));
    canvas.setAttribute('aria-valuetext', text);
  }

  picture(): HTMLCanvasElement {
    return chartPicture(this.chart as unknown as Chart, this.theme.background);
  }

  destroy(): void {
    this.chart.destroy();
  }

  /** The sign of each device where its band is thickest, and the cursor of all charts. */
  private drawMarks(): void {
    const { model, chart, theme } = this;
    const { ctx: context, chartArea: area } = chart;
    if (model === null || area === undefined) {
      return;
    }
    const { shares, styles, cursorNs } = model;
    const [x, y] = [chart.scales['x']!, chart.scales['y']!];
    const tops = stackTops(shares);
    context.save();
    context.font = `600 11px ${theme.font}`;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    shares.devices.forEach(({ slots }, index) => {
      const place = thickest(shares, slots);
      const from = x.getPixelForValue(shares.timeNs[place] ?? 0);
      const to = x.getPixelForValue(shares.timeNs[place + 1] ?? shares.timeNs[place] ?? 0);
      const top = y.getPixelForValue(tops[index]![place] ?? 0);
      const bottom = y.getPixelForValue((tops[index]![place] ?? 0) - (slots[place] ?? 0));
      if (14 <= bottom - top) {
        const middle = Math.min(area.right - 8, Math.max(area.left + 8, (from + to) / 2));
        context.fillStyle = styles[index]!.line;
        context.fillRect(middle - 6, (top + bottom) / 2 - 7, 12, 14);
        context.fillStyle = styles[index]!.ink;
        context.fillText(styles[index]!.sign, middle, (top + bottom) / 2 + 0.5);
      }
    });
    if (cursorNs !== null && model.range.fromNs <= cursorNs && cursorNs <= model.range.toNs) {
      const at = Math.round(x.getPixelForValue(cursorNs)) + 0.5;
      context.strokeStyle = theme.cursor;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(at, area.top);
      context.lineTo(at, area.bottom);
      context.stroke();
    }
    context.restore();
  }
}

/** Upper borders of the bands. */
export function stackTops({ timeNs, devices }: SharesView): readonly (readonly number[])[] {
  let below: readonly number[] = timeNs.map(() => 0);
  return devices.map(({ slots }) => {
    below = below.map((value, index) => value + slots[index]!);
    return below;
  });
}

/** The step at which a band covers most of the picture: slots times time. */
function thickest({ timeNs }: SharesView, slots: readonly number[]): number {
  let best = 0;
  let most = -1;
  slots.forEach((value, index) => {
    const lasts = (timeNs[index + 1] ?? timeNs[index]!) - timeNs[index]!;
    if (most < value * lasts) {
      most = value * lasts;
      best = index;
    }
  });
  return best;
}

/** Each device's slots at a time. */
export function sharesAt(shares: SharesView, timeNs: number): readonly number[] {
  const index = Math.max(0, stepAt(shares.timeNs, timeNs));
  return shares.devices.map(({ slots }) => slots[index] ?? 0);
}
