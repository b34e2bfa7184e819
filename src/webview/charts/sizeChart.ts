import {
  Chart,
  type ChartDataset,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  type ScatterDataPoint,
} from 'chart.js';
import { formatBytes } from '../../base/format';
import { SLOT_BYTES } from '../../model/units';
import { type RatioScale, ratioAt, ratioScale, type SizeSeries } from '../sizeCurve';
import { createLineChart } from './lineChart';
import { type ChartTheme, runStyle } from './theme';

Chart.register(LineController, LineElement, PointElement, LinearScale);

export interface SizeChartModel {
  readonly series: readonly SizeSeries[];
  /** Slots of the recommended pool of the first series' policy. */
  readonly recommended: number | null;
  readonly knee: number | null;
  readonly today: number | null;
  /** What to set for the recommended pool. */
  readonly parameter: string | null;
}

export interface SizeChartEvents {
  /** Slots of the size under the pointer or keyboard cursor; null when there is none. */
  readonly cursor: (slots: number | null) => void;
  /** A size was picked. */
  readonly choose: (slots: number) => void;
  /** What is to be said about a size. */
  readonly describe: (slots: number) => string;
}

type Point = ScatterDataPoint;

/** Failure ratio against pool size, both logarithmic. */
export class SizeChart {
  private readonly chart: Chart<'line', Point[]>;
  private theme: ChartTheme;
  private readonly canvas: HTMLCanvasElement;
  private readonly events: SizeChartEvents;
  private model: SizeChartModel | null = null;
  /** Index into `sizes`. */
  private cursor: number | null = null;

  constructor(canvas: HTMLCanvasElement, theme: ChartTheme, events: SizeChartEvents) {
    this.canvas = canvas;
    this.theme = theme;
    this.events = events;
    this.chart = createLineChart(canvas, { top: 12, right: 14 }, (chart) => this.drawMarks(chart));
    canvas.addEventListener('pointermove', (event) => this.moveTo(this.nearest(event.offsetX)));
    canvas.addEventListener('pointerleave', () => this.moveTo(null));
    canvas.addEventListener('click', () => this.choose());
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  setTheme(theme: ChartTheme): void {
    this.theme = theme;
    this.draw();
  }

  show(model: SizeChartModel): void {
    this.model = model;
    this.draw();
  }

  destroy(): void {
    this.chart.destroy();
  }

  /** The curve at twice the size of the screen. */
  picture(): HTMLCanvasElement {
    const { chart } = this;
    const before = chart.options.devicePixelRatio;
    chart.options.devicePixelRatio = 2;
    chart.resize();
    const picture = document.createElement('canvas');
    picture.width = chart.canvas.width;
    picture.height = chart.canvas.height;
    picture.getContext('2d')!.drawImage(chart.canvas, 0, 0);
    chart.options.devicePixelRatio = before ?? window.devicePixelRatio;
    chart.resize();
    return picture;
  }

  private sizes(): number[] {
    const all = this.model?.series.flatMap((series) => series.points.map((point) => point.slots)) ?? [];
    return [...new Set(all)].sort((a, b) => a - b);
  }

  private nearest(x: number): number | null {
    const scale = this.chart.scales['x'];
    const distances = this.sizes().map((slots) => Math.abs((scale?.getPixelForValue(Math.log2(slots)) ?? 0) - x));
    return distances.length === 0 ? null : distances.indexOf(Math.min(...distances));
  }

  private key(event: KeyboardEvent): void {
    const last = this.sizes().length - 1;
    const at = this.cursor ?? -1;
    const moves: Readonly<Record<string, number | null>> = {
      ArrowLeft: Math.max(0, at - 1),
      ArrowRight: Math.min(last, at + 1),
      Home: 0,
      End: last,
      Escape: null,
    };
    if (event.key === 'Enter') {
      this.choose();
    } else if (Object.hasOwn(moves, event.key) && 0 <= last) {
      this.moveTo(moves[event.key]!);
    } else {
      return;
    }
    event.preventDefault();
  }

  private choose(): void {
    const slots = this.cursor === null ? undefined : this.sizes()[this.cursor];
    if (slots !== undefined) {
      this.events.choose(slots);
    }
  }

  private moveTo(cursor: number | null): void {
    if (cursor === this.cursor) {
      return;
    }
    this.cursor = cursor;
    this.describe();
    this.events.cursor(cursor === null ? null : (this.sizes()[cursor] ?? null));
    this.chart.draw();
  }

  private describe(): void {
    const sizes = this.sizes();
    const slots = sizes[this.cursor ?? 0];
    this.canvas.setAttribute('aria-valuemin', '0');
    this.canvas.setAttribute('aria-valuemax', String(Math.max(0, sizes.length - 1)));
    this.canvas.setAttribute('aria-valuenow', String(this.cursor ?? 0));
    this.canvas.setAttribute('aria-valuetext', slots === undefined ? '' : this.events.describe(slots));
  }

  /** The cursor, and what to set beside its ring. */
  private drawMarks({ ctx: context, chartArea: area, scales }: Chart<'line', Point[]>): void {
    const { model, theme } = this;
    const x = scales['x'];
    const y = scales['y'];
    if (model === null || x === undefined || y === undefined) {
      return;
    }
    context.save();
    const slots = this.cursor === null ? undefined : this.sizes()[this.cursor];
    if (slots !== undefined) {
      const at = Math.round(x.getPixelForValue(Math.log2(slots))) + 0.5;
      context.strokeStyle = theme.cursor;
      context.beginPath();
      context.moveTo(at, area.top);
      context.lineTo(at, area.bottom);
      context.stroke();
    }
    const ratio = model.recommended === null ? null : ratioAt(model.series[0]?.points ?? [], model.recommended);
    if (model.recommended !== null && model.parameter !== null && ratio !== null) {
      context.font = `600 ${theme.fontSize + 1}px ${theme.font}`;
      context.fillStyle = theme.text;
      const { width } = context.measureText(model.parameter);
      const at = x.getPixelForValue(Math.log2(model.recommended));
      const left = Math.min(Math.max(at - width / 2, area.left + 4), area.right - width - 4);
      const scale = ratioScale(model.series.flatMap((series) => series.points));
      const bottom = y.getPixelForValue(scale.height(ratio)) - 18;
      // Over the curve, which runs through where the text stands.
      context.globalAlpha = 0.85;
      context.fillStyle = theme.background;
      context.fillRect(left - 3, bottom - theme.fontSize, width + 6, theme.fontSize + 5);
      context.globalAlpha = 1;
      context.fillStyle = theme.text;
      context.fillText(model.parameter, left, bottom);
    }
    context.restore();
  }

  private draw(): void {
    const { model, theme, chart } = this;
    const sizes = model?.series[0]?.points.map((point) => point.slots) ?? [];
    if (model === null || sizes.length === 0) {
      return;
    }
    const scale = ratioScale(model.series.flatMap((series) => series.points));
    // Chart.js draws the first dataset on top.
    chart.data.datasets = [
      ...this.rings(model, scale),
      ...model.series.map((series, index) => this.line(series, index, scale)),
      ...this.today(model, scale),
    ];
    const ticks = {
      color: theme.muted,
      font: { family: theme.font, size: theme.fontSize },
      autoSkip: true,
      maxRotation: 0,
    };
    const border = { color: theme.grid };
    const grid = { color: theme.grid };
    const title = (text: string) => ({
      display: true,
      text,
      color: theme.muted,
      font: { family: theme.font, size: theme.fontSize },
    });
    chart.options.scales = {
      x: {
        type: 'linear',
        min: Math.log2(Math.min(...sizes)),
        max: Math.log2(Math.max(...sizes)),
        ticks: { ...ticks, stepSize: 1, callback: (value) => formatBytes(2 ** Number(value) * SLOT_BYTES) },
        border,
        grid,
        title: title('pool size'),
      },
      y: {
        type: 'linear',
        min: 0,
        max: scale.top,
        ticks: { ...ticks, stepSize: 1, callback: (value) => scale.label(Number(value)) },
        border,
        grid,
        title: title('requests that fail'),
      },
    };
    this.describe();
    chart.update('none');
  }

  private line(series: SizeSeries, index: number, scale: RatioScale): ChartDataset<'line', Point[]> {
    const style = runStyle(series.policy, index);
    const colour = this.theme.series[style.series]!;
    return {
      data: series.points.map((point) => ({ x: Math.log2(point.slots), y: scale.height(point.failureRatio) })),
      borderColor: colour,
      borderWidth: this.theme.highContrast ? 2.5 : 2,
      borderDash: series.isSingleArea ? [1, 3] : [...style.dash],
      // The first and the last point are points, too.
      clip: 6,
      pointRadius: series.isSingleArea ? 2 : 3.5,
      pointBorderColor: colour,
      // Hollow: proven without a replay of its own.
      pointBackgroundColor: series.points.map((point) => (point.proven ? this.theme.background : colour)),
    };
  }

  /** The recommended pool ringed twice, the knee once. */
  private rings({ series, recommended, knee }: SizeChartModel, scale: RatioScale): ChartDataset<'line', Point[]>[] {
    const points = series[0]?.points ?? [];
    const ring = (slots: number | null, radius: number, colour: string): ChartDataset<'line', Point[]>[] => {
      const ratio = slots === null ? null : ratioAt(points, slots);
      return slots === null || ratio === null
        ? []
        : [
            {
              data: [{ x: Math.log2(slots), y: scale.height(ratio) }],
              showLine: false,
              clip: 20,
              pointRadius: radius,
              pointBorderWidth: 2,
              pointBorderColor: colour,
              pointBackgroundColor: 'transparent',
            },
          ];
    };
    return [
      ...ring(recommended, 8, this.theme.text),
      ...ring(recommended, 11, this.theme.text),
      ...ring(knee, 7, this.theme.muted),
    ];
  }

  private today({ today }: SizeChartModel, scale: RatioScale): ChartDataset<'line', Point[]>[] {
    if (today === null) {
      return [];
    }
    const x = Math.log2(today);
    return [
      {
        data: [
          { x, y: 0 },
          { x, y: scale.top },
        ],
        borderColor: this.theme.muted,
        borderWidth: 1,
        borderDash: [4, 4],
        pointRadius: 0,
      },
    ];
  }
}
