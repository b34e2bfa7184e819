import { Chart, Filler, LinearScale, LineController, LineElement, PointElement } from 'chart.js';
import { formatCount } from '../../base/format';
import type { SlotsExtent } from './axes';
import { datasetsOf, type Point } from './datasets';
import { createLineChart } from './lineChart';
import type { ShownRun, TimelineModel } from './model';
import { ticksOf, timeTicks } from './scale';
import type { ChartTheme } from './theme';

Chart.register(LineController, LineElement, PointElement, LinearScale, Filler);

/** One run on axes that it shares with its neighbours. */
export interface SmallModel extends Pick<TimelineModel, 'whole' | 'time' | 'hasTime'> {
  readonly run: ShownRun;
  readonly extent: SlotsExtent;
}

/** A small chart of slots in use, high water, capacity and failures of one run over its whole time. */
export class SmallChart {
  private readonly chart: Chart<'line', Point[]>;
  private theme: ChartTheme;
  private model: SmallModel | null = null;
  private cursorNs: number | null = null;

  constructor(canvas: HTMLCanvasElement, theme: ChartTheme) {
    this.theme = theme;
    this.chart = createLineChart(canvas, { top: 6, right: 8 }, (chart) => this.drawCursor(chart));
  }

  show(model: SmallModel, theme: ChartTheme): void {
    this.model = model;
    this.theme = theme;
    const { chart } = this;
    const shown: TimelineModel = {
      runs: [{ ...model.run, isFront: true }],
      samples: null,
      band: null,
      range: model.whole,
      whole: model.whole,
      time: model.time,
      hasTime: model.hasTime,
      showCapacity: true,
    };
    const spanNs = model.whole.toNs - model.whole.fromNs;
    const { extent } = model;
    const few = { max: extent.max, step: extent.max / extent.step <= 3 ? extent.step : extent.step * 2 };
    const ticks = {
      color: theme.muted,
      font: { family: theme.font, size: theme.fontSize - 1 },
      maxRotation: 0,
      autoSkip: false,
    };
    const grid = { color: theme.grid, drawTicks: false };
    chart.data.datasets = datasetsOf('slots', shown, theme, chart.width || 300);
    chart.options.scales = {
      x: {
        type: 'linear',
        min: model.whole.fromNs,
        max: model.whole.toNs,
        grid,
        border: { color: theme.grid },
        afterBuildTicks: (axis) => {
          const count = Math.max(2, Math.floor(axis.width / model.time.tickPixels));
          axis.ticks = timeTicks(model.whole, model.time.originNs, count).map((value) => ({ value }));
        },
        ticks: { ...ticks, callback: (value) => model.time.tick(Number(value), spanNs) },
      },
      y: {
        type: 'linear',
        min: 0,
        max: extent.max,
        grid,
        border: { display: false },
        afterFit: (axis) => {
          axis.width = 52;
        },
        afterBuildTicks: (axis) => {
          axis.ticks = ticksOf(few)
            .filter((value) => value <= extent.max)
            .map((value) => ({ value }));
        },
        ticks: { ...ticks, callback: (value) => formatCount(Number(value)) },
      },
    };
    chart.update('none');
  }

  setCursor(timeNs: number | null): void {
    if (timeNs !== this.cursorNs) {
      this.cursorNs = timeNs;
      this.chart.draw();
    }
  }

  destroy(): void {
    this.chart.destroy();
  }

  private drawCursor(chart: Chart<'line', Point[]>): void {
    const { cursorNs, model } = this;
    if (cursorNs === null || model === null || cursorNs < model.whole.fromNs || model.whole.toNs < cursorNs) {
      return;
    }
    const { top, bottom } = chart.chartArea;
    const x = Math.round(chart.scales['x']!.getPixelForValue(cursorNs)) + 0.5;
    chart.ctx.save();
    chart.ctx.strokeStyle = this.theme.cursor;
    chart.ctx.beginPath();
    chart.ctx.moveTo(x, top);
    chart.ctx.lineTo(x, bottom);
    chart.ctx.stroke();
    chart.ctx.restore();
  }
}
