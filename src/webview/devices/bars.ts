import { BarController, BarElement, CategoryScale, Chart, type ChartDataset, LinearScale } from 'chart.js';
import { formatCount } from '../../base/format';
import { powerOfTwoScale, ticksOf } from '../charts/scale';
import type { ChartTheme } from '../charts/theme';
import { chartPicture } from './chartPicture';

Chart.register(BarController, BarElement, CategoryScale, LinearScale);

export interface BarSeries {
  readonly values: readonly number[];
  readonly fill: string | CanvasPattern;
  readonly border: string;
}

export interface BarsModel {
  readonly ticks: readonly string[];
  /** What each bar says, in full. */
  readonly texts: readonly string[];
  /** On top of each other, the first one at the bottom. */
  readonly series: readonly BarSeries[];
  readonly xTitle: string;
  readonly yTitle: string;
  readonly format: (value: number) => string;
  /** Bytes: ticks at powers of two, where they are round numbers. */
  readonly isBytes: boolean;
}

/** Beside the bars: the vertical axis with its title. */
const axisRoom = 70;

/** A histogram that is read bar by bar, by pointer or arrow keys. */
export class Bars {
  private readonly canvas: HTMLCanvasElement;
  private readonly chart: Chart<'bar', number[]>;
  private readonly say: (text: string) => void;
  private theme: ChartTheme;
  private model: BarsModel | null = null;
  private selected = -1;

  constructor(canvas: HTMLCanvasElement, theme: ChartTheme, say: (text: string) => void) {
    this.canvas = canvas;
    this.theme = theme;
    this.say = say;
    this.chart = new Chart<'bar', number[]>(canvas, {
      type: 'bar',
      data: { labels: [], datasets: [] },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        events: [],
        layout: { padding: { top: 6 } },
      },
    });
    canvas.addEventListener('keydown', (event) => this.key(event));
    canvas.addEventListener('blur', () => this.select(-1));
    canvas.addEventListener('pointermove', (event) => this.select(this.barAt(event.offsetX)));
    canvas.addEventListener('pointerleave', () => this.select(-1));
  }

  setTheme(theme: ChartTheme): void {
    this.theme = theme;
    this.draw();
  }

  show(model: BarsModel): void {
    this.model = model;
    this.selected = -1;
    this.canvas.setAttribute('aria-valuemin', '0');
    this.canvas.setAttribute('aria-valuemax', String(Math.max(0, model.texts.length - 1)));
    this.canvas.setAttribute('aria-valuenow', '0');
    this.canvas.setAttribute('aria-valuetext', model.texts[0] ?? '');
    this.draw();
  }

  picture(): HTMLCanvasElement {
    return chartPicture(this.chart as unknown as Chart, this.theme.background);
  }

  destroy(): void {
    this.chart.destroy();
  }

  private draw(): void {
    const { model, theme, chart } = this;
    if (model === null) {
      return;
    }
    const font = { family: theme.font, size: theme.fontSize };
    const tops = model.texts.map((_, index) => model.series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0));
    const scale = powerOfTwoScale(Math.max(0, ...tops), 4);
    const title = (text: string) => ({ display: true, text, color: theme.muted, font });
    chart.data.labels = [...model.ticks];
    chart.data.datasets = model.series.map(
      ({ values, fill, border }): ChartDataset<'bar', number[]> => ({
        data: [...values],
        backgroundColor: fill,
        borderColor: values.map((_, index) => (index === this.selected ? theme.text : border)),
        borderWidth: values.map((_, index) => (index === this.selected ? 2 : 1)),
        categoryPercentage: 1,
        barPercentage: 0.92,
      }),
    );
    const room = (chart.canvas.parentElement?.clientWidth ?? 600) - axisRoom;
    const shown = fittingTicks(model.ticks, room / (theme.fontSize * 0.62));
    chart.options.scales = {
      x: {
        stacked: true,
        grid: { display: false },
        border: { color: theme.grid },
        ticks: {
          color: theme.muted,
          font,
          maxRotation: 0,
          autoSkip: false,
          callback: (_, index) => shown[index] ?? '',
        },
        title: title(model.xTitle),
      },
      y: {
        stacked: true,
        beginAtZero: true,
        ...(model.isBytes ? { max: scale.max } : {}),
        afterBuildTicks: (axis) => {
          if (model.isBytes) {
            axis.ticks = ticksOf(scale).map((value) => ({ value }));
          }
        },
        grid: { color: theme.grid, drawTicks: false },
        border: { display: false },
        ticks: { color: theme.muted, font, maxTicksLimit: 5, callback: (value) => model.format(Number(value)) },
        title: title(model.yTitle),
      },
    };
    chart.update('none');
  }

  private key(event: KeyboardEvent): void {
    const last = (this.model?.texts.length ?? 0) - 1;
    const wanted: Readonly<Record<string, number>> = {
      ArrowRight: Math.min(last, this.selected + 1),
      ArrowLeft: Math.max(0, this.selected < 0 ? last : this.selected - 1),
      Home: 0,
      End: last,
      Escape: -1,
    };
    const next = event.ctrlKey || event.metaKey || event.altKey ? undefined : wanted[event.key];
    if (next !== undefined) {
      event.preventDefault();
      this.select(next);
    }
  }

  private barAt(x: number): number {
    const { left, right } = this.chart.chartArea;
    const count = this.model?.texts.length ?? 0;
    return x < left || right <= x ? -1 : Math.floor(((x - left) / (right - left)) * count);
  }

  private select(index: number): void {
    if (index === this.selected || this.model === null) {
      return;
    }
    this.selected = index;
    this.say(this.model.texts[index] ?? '');
    this.canvas.setAttribute('aria-valuenow', String(Math.max(0, index)));
    this.canvas.setAttribute('aria-valuetext', this.model.texts[index] ?? '');
    this.draw();
  }
}

/** Labels that would run into each other are left out evenly: the text of a selected bar has them all. */
export function fittingTicks(ticks: readonly string[], roomCharacters: number): readonly string[] {
  const labelled = ticks.flatMap((tick, index) => (tick === '' ? [] : [index]));
  const longest = Math.max(0, ...ticks.map((tick) => tick.length));
  // One character of space between two of them.
  const stride = Math.max(1, Math.ceil((labelled.length * (longest + 1)) / Math.max(1, roomCharacters)));
  return ticks.map((tick, index) => (labelled.indexOf(index) % stride === 0 ? tick : ''));
}

/** Counts are whole: a tick between two of them stays empty. */
export function axisCount(value: number): string {
  return Number.isInteger(value) ? formatCount(value) : '';
}
