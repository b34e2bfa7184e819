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
import { type ChartTheme, runStyle } from './theme';

Chart.register(LineController, LineElement, PointElement, LinearScale);

export interface SizeChartModel {
  readonly series: readonly SizeSeries[];
  /** Slots of the recommended pool of the first series' policy. */
  readonly recommended: number | null;
  readonly knee: number | null;
  readonly today: number | null;
}

type Point = ScatterDataPoint;

/** Failure ratio against pool size, both logarithmic. */
export class SizeChart {
  private readonly chart: Chart<'line', Point[]>;
  private theme: ChartTheme;
  private model: SizeChartModel | null = null;

  constructor(canvas: HTMLCanvasElement, theme: ChartTheme) {
    this.theme = theme;
    this.chart = new Chart<'line', Point[]>(canvas, {
      type: 'line',
      data: { datasets: [] },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        parsing: false,
        normalized: true,
        events: [],
        layout: { padding: { top: 12, right: 14 } },
        scales: { x: { type: 'linear' }, y: { type: 'linear' } },
      },
    });
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
