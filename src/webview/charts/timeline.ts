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
import { formatBytes, formatCount, formatSlotsAndBytes, plural } from '../../base/format';
import { SLOT_BYTES } from '../../model/units';
import type { FailureMark, RunView, SamplesView, SeriesView } from '../../protocol/views';
import type { TimeFormat } from '../format';
import { causeWords } from '../words';
import {
  clusterMarks,
  type MarkCluster,
  powerOfTwoScale,
  type Range,
  slotsScale,
  stepAt,
  ticksOf,
  timeTicks,
  valueAt,
  zoomRange,
} from './scale';
import type { ChartTheme, RunStyle } from './theme';

Chart.register(LineController, LineElement, PointElement, LinearScale, Filler);

export interface ShownRun {
  readonly id: string;
  readonly label: string;
  readonly run: RunView;
  readonly style: RunStyle;
  readonly isFront: boolean;
  readonly isRecorded: boolean;
  /** The visible window; null while it is on its way. */
  readonly series: SeriesView | null;
}

export interface TimelineModel {
  readonly runs: readonly ShownRun[];
  readonly samples: SamplesView | null;
  /** Slots in use of the run in front with shorter and with longer assumed lifetimes; null when none are assumed. */
  readonly band: readonly [SeriesView, SeriesView] | null;
  readonly range: Range;
  readonly whole: Range;
  readonly time: TimeFormat;
  readonly hasTime: boolean;
  readonly showCapacity: boolean;
}

export interface TimelineEvents {
  readonly range: (range: Range) => void;
  readonly cursor: (timeNs: number | null) => void;
  readonly reveal: (mark: FailureMark) => void;
  readonly capacityHidden: (hidden: boolean, capacitySlots: number) => void;
  readonly help: () => void;
}

type Plot = 'slots' | 'transient' | 'memory';
type Point = ScatterDataPoint;
interface MarkPoint extends Point {
  cluster: MarkCluster;
}

interface Figure {
  readonly plot: Plot;
  readonly canvas: HTMLCanvasElement;
  readonly overlay: HTMLCanvasElement;
  readonly chart: Chart<'line', Point[]>;
}

/** The charts of the panel: one time axis, one cursor, one visible range. */
export class Timeline {
  private readonly figures: Figure[];
  private readonly events: TimelineEvents;
  private theme: ChartTheme;
  private model: TimelineModel | null = null;
  private cursorNs: number | null = null;
  private editorNs: number | null = null;
  private drag: { figure: Figure; fromX: number; toX: number } | null = null;

  constructor(canvases: Readonly<Record<Plot, HTMLCanvasElement>>, theme: ChartTheme, events: TimelineEvents) {
    this.events = events;
    this.theme = theme;
    this.figures = (['slots', 'transient', 'memory'] as const).map((plot) => this.createFigure(plot, canvases[plot]));
  }

  setTheme(theme: ChartTheme): void {
    this.theme = theme;
    this.draw();
  }

  /** Pixels between the left and right end of the time axis. */
  plotWidth(): number {
    const area = this.figures[0]!.chart.chartArea;
    return area === undefined ? 800 : Math.max(50, Math.round(area.right - area.left));
  }

  show(model: TimelineModel): void {
    this.model = model;
    this.draw();
  }

  /** Where the time cursor is; null when it is nowhere. */
  cursor(): number | null {
    return this.cursorNs;
  }

  /** Moves the time cursor from outside of the charts. */
  setCursor(timeNs: number | null): void {
    this.moveCursor(timeNs);
  }

  /** The canvases go away. */
  destroy(): void {
    for (const { chart } of this.figures) {
      chart.destroy();
    }
  }

  /** Where the editor's cursor is; null when it is elsewhere. */
  setEditorCursor(timeNs: number | null): void {
    this.editorNs = timeNs;
    this.drawOverlays();
  }

  private createFigure(plot: Plot, canvas: HTMLCanvasElement): Figure {
    const overlay = document.createElement('canvas');
    overlay.className = 'overlay';
    overlay.setAttribute('aria-hidden', 'true');
    canvas.after(overlay);
    const chart = new Chart<'line', Point[]>(canvas, {
      type: 'line',
      data: { datasets: [] },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        parsing: false,
        normalized: true,
        events: [],
        layout: { padding: { top: 6, right: 2 } },
        scales: { x: { type: 'linear' }, y: { type: 'linear' } },
      },
    });
    const figure: Figure = { plot, canvas, overlay, chart };
    this.listen(figure);
    return figure;
  }

  private draw(): void {
    const { model } = this;
    if (model === null) {
      return;
    }
    for (const figure of this.figures) {
      const { chart } = figure;
      chart.data.datasets = this.datasetsOf(figure.plot, model);
      chart.options.scales = this.scalesOf(figure.plot, model);
      chart.options.font = { family: this.theme.font, size: this.theme.fontSize };
      chart.update('none');
      describe(figure.canvas, model, this.cursorNs);
    }
    this.drawOverlays();
  }

  private datasetsOf(plot: Plot, model: TimelineModel): ChartDataset<'line', Point[]>[] {
    const datasets: ChartDataset<'line', Point[]>[] = [];
    // The front run is drawn last, on top.
    const runs = [...model.runs].sort((a, b) => Number(a.isFront) - Number(b.isFront));
    if (plot === 'slots') {
      datasets.push(...this.band(model));
    }
    for (const run of runs) {
      if (run.series === null) {
        continue;
      }
      if (plot === 'slots') {
        datasets.push(...this.slotsDatasets(run, run.series, model.range.toNs));
      } else {
        const column = plot === 'memory' ? 'memoryBytes' : 'transientSlots';
        datasets.push(
          this.line(run, points(run.series, column, model.range.toNs), run.isFront ? 1.75 : 1.25, run.isFront),
        );
      }
    }
    if (plot === 'slots') {
      if (model.samples !== null) {
        datasets.push(this.sampleDots(model.samples, model.range));
      }
      for (const run of runs) {
        if (run.series !== null && (run.isFront || run.isRecorded)) {
          datasets.push(this.marks(run, run.series, model.range));
        }
      }
    }
    // Chart.js draws the first dataset on top.
    return datasets.reverse();
  }

  private slotsDatasets(run: ShownRun, series: SeriesView, toNs: number): ChartDataset<'line', Point[]>[] {
    const used = this.line(run, points(series, 'usedSlots', toNs), run.isFront ? 2 : 1.5, run.isFront);
    if (!run.isFront && !run.isRecorded) {
      return [used];
    }
    const colour = this.colour(run);
    return [
      { ...this.line(run, points(series, 'capacitySlots', toNs), 1.5, false), borderColor: colour, borderDash: [1, 3] },
      { ...this.line(run, points(series, 'hiwaterSlots', toNs), 1, false), borderColor: colour, borderDash: [8, 3] },
      used,
    ];
  }

  private band({ band, runs, range }: TimelineModel): ChartDataset<'line', Point[]>[] {
    const front = runs.find((run) => run.isFront);
    if (band === null || front === undefined) {
      return [];
    }
    const [low, high] = band.map((series) => this.line(front, points(series, 'usedSlots', range.toNs), 0.75, false));
    const edge = { borderColor: withAlpha(this.colour(front), 0.5), borderDash: [] };
    return [
      { ...low!, ...edge },
      { ...high!, ...edge, fill: '+1', backgroundColor: withAlpha(this.colour(front), 0.18) },
    ];
  }

  private line(run: ShownRun, data: Point[], width: number, filled: boolean): ChartDataset<'line', Point[]> {
    const colour = this.colour(run);
    return {
      data,
      borderColor: colour,
      borderWidth: this.theme.highContrast ? width + 0.5 : width,
      borderDash: [...run.style.dash],
      stepped: 'before',
      pointRadius: 0,
      fill: filled && !this.theme.highContrast ? 'origin' : false,
      backgroundColor: withAlpha(colour, 0.14),
    };
  }

  private marks(run: ShownRun, series: SeriesView, range: Range): ChartDataset<'line', Point[]> {
    const perPixelNs = (range.toNs - range.fromNs) / this.plotWidth();
    const data: MarkPoint[] = clusterMarks(run.run.failures, range.fromNs, range.toNs, perPixelNs * 5).map(
      (cluster) => ({
        x: cluster.timeNs,
        y: valueAt(series, 'usedSlots', cluster.timeNs) ?? 0,
        cluster,
      }),
    );
    return {
      data,
      showLine: false,
      pointStyle: run.style.mark,
      pointRadius: data.map((point) => Math.min(9, 4 + Math.log2(point.cluster.count))),
      pointBorderColor: this.theme.error,
      pointBackgroundColor: withAlpha(this.theme.error, 0.5),
      pointBorderWidth: 1.75,
    };
  }

  private sampleDots(samples: SamplesView, range: Range): ChartDataset<'line', Point[]> {
    const data: Point[] = [];
    for (let i = 0; i < samples.timeNs.length; i++) {
      const x = samples.timeNs[i]!;
      if (range.fromNs <= x && x <= range.toNs) {
        data.push({ x, y: samples.usedSlots[i]! });
      }
    }
    return {
      data,
      showLine: false,
      pointStyle: 'circle',
      pointRadius: 1.75,
      pointBorderWidth: 1,
      pointBorderColor: this.theme.text,
      pointBackgroundColor: this.theme.background,
    };
  }

  private scalesOf(plot: Plot, model: TimelineModel) {
    const { theme } = this;
    const spanNs = model.range.toNs - model.range.fromNs;
    const font = { family: theme.font, size: theme.fontSize };
    const isLast = plot === 'memory';
    // No room for a second axis; the bytes stay in the line under the title.
    const isNarrow = (this.figures?.[0]?.canvas.parentElement?.clientWidth ?? 1000) < 440;
    const x = {
      type: 'linear' as const,
      min: model.range.fromNs,
      max: model.range.toNs,
      grid: { color: theme.grid, drawTicks: false },
      border: { color: theme.grid },
      ticks: {
        display: isLast || plot === 'slots',
        color: theme.muted,
        font,
        maxRotation: 0,
        autoSkip: false,
        padding: 6,
        callback: (value: number | string) => model.time.tick(Number(value), spanNs),
      },
      afterBuildTicks: (scale: { width: number; ticks: { value: number }[] }) => {
        const count = Math.max(2, Math.floor(scale.width / 90));
        scale.ticks = timeTicks(model.range, model.time.originNs, count).map((value) => ({ value }));
      },
      title: { display: isLast, text: model.time.axisTitle, color: theme.muted, font },
    };
    const vertical = plot === 'slots' ? this.slotsExtent(model) : this.extentOf(plot, model);
    const axis = (format: (value: number) => string, unit: number, position: 'left' | 'right') => ({
      type: 'linear' as const,
      position,
      min: 0,
      max: vertical.max * unit,
      // Fixed widths keep the time axes of all charts under each other.
      afterFit: (scale: { width: number }) => {
        scale.width = isNarrow ? (position === 'left' ? axisWidth - 14 : 8) : axisWidth;
      },
      afterBuildTicks: (scale: { ticks: { value: number }[] }) => {
        scale.ticks = ticksOf(vertical).map((value) => ({ value: value * unit }));
      },
      grid: { color: theme.grid, drawTicks: false, drawOnChartArea: position === 'left' },
      border: { display: false },
      ticks: {
        color: theme.muted,
        font,
        padding: 6,
        autoSkip: false,
        display: position === 'left' || !isNarrow,
        callback: (value: number | string) => format(Number(value)),
      },
    });
    return plot === 'memory'
      ? { x, y: axis(formatBytes, 1, 'left'), right: { ...axis(() => '', 1, 'right') } }
      : { x, y: axis(formatCount, 1, 'left'), right: axis(formatBytes, SLOT_BYTES, 'right') };
  }

  private slotsExtent(model: TimelineModel): { readonly max: number; readonly step: number } {
    let used = model.band === null ? 0 : Math.max(...model.band.map((series) => highest(series.usedSlots)));
    let capacity = 0;
    for (const { series, isFront, isRecorded } of model.runs) {
      if (series !== null) {
        used = Math.max(used, highest(series.usedSlots));
        if (isFront || isRecorded) {
          used = Math.max(used, highest(series.hiwaterSlots));
          capacity = Math.max(capacity, highest(series.capacitySlots));
        }
      }
    }
    const scale = slotsScale(used, capacity, model.showCapacity);
    this.events.capacityHidden(scale.capacityHidden, capacity);
    return scale;
  }

  private extentOf(
    plot: 'transient' | 'memory',
    model: TimelineModel,
  ): { readonly max: number; readonly step: number } {
    const tops = model.runs.map(({ series }) =>
      series === null ? 0 : highest(plot === 'memory' ? series.memoryBytes : series.transientSlots),
    );
    return powerOfTwoScale(Math.max(0, ...tops), 3);
  }

  private colour(run: ShownRun): string {
    return this.theme.series[run.style.series] ?? this.theme.text;
  }

  private drawOverlays(): void {
    for (const figure of this.figures) {
      this.drawOverlay(figure);
    }
  }

  private drawOverlay(figure: Figure): void {
    const { overlay, chart } = figure;
    const { chartArea: area } = chart;
    const context = overlay.getContext('2d');
    if (context === null || area === undefined || this.model === null) {
      return;
    }
    const ratio = window.devicePixelRatio;
    overlay.width = Math.round(chart.width * ratio);
    overlay.height = Math.round(chart.height * ratio);
    overlay.style.width = `${chart.width}px`;
    overlay.style.height = `${chart.height}px`;
    context.scale(ratio, ratio);
    const scale = chart.scales['x']!;
    const vertical = (timeNs: number, colour: string, dash: number[]) => {
      const x = Math.round(scale.getPixelForValue(timeNs)) + 0.5;
      if (area.left <= x && x <= area.right) {
        context.strokeStyle = colour;
        context.setLineDash(dash);
        context.beginPath();
        context.moveTo(x, area.top);
        context.lineTo(x, area.bottom);
        context.stroke();
      }
    };
    if (this.editorNs !== null) {
      vertical(this.editorNs, this.theme.series[1]!, [3, 3]);
    }
    if (this.cursorNs !== null) {
      vertical(this.cursorNs, this.theme.cursor, []);
      if (figure.plot !== 'memory') {
        this.drawCursorDots(context, figure);
      }
    }
    if (this.drag?.figure === figure) {
      const left = Math.min(this.drag.fromX, this.drag.toX);
      context.fillStyle = this.theme.selection;
      context.fillRect(left, area.top, Math.abs(this.drag.toX - this.drag.fromX), area.bottom - area.top);
    }
  }

  private drawCursorDots(context: CanvasRenderingContext2D, figure: Figure): void {
    const column = figure.plot === 'slots' ? 'usedSlots' : 'transientSlots';
    const x = figure.chart.scales['x']!.getPixelForValue(this.cursorNs!);
    for (const run of this.model!.runs) {
      const value = run.series === null ? null : valueAt(run.series, column, this.cursorNs!);
      if (value !== null) {
        context.fillStyle = this.colour(run);
        context.beginPath();
        context.arc(x, figure.chart.scales['y']!.getPixelForValue(value), 3, 0, 2 * Math.PI);
        context.fill();
      }
    }
  }

  private listen(figure: Figure): void {
    const { canvas } = figure;
    canvas.addEventListener('pointermove', (event) => {
      if (this.drag?.figure === figure) {
        this.drag.toX = this.clampX(figure, event.offsetX);
        this.drawOverlay(figure);
      }
      this.moveCursor(this.timeAt(figure, event.offsetX));
      canvas.classList.toggle('on-mark', this.markAt(figure, event.offsetX, event.offsetY) !== null);
    });
    canvas.addEventListener('pointerleave', () => {
      if (this.drag === null) {
        this.moveCursor(null);
      }
    });
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button === 0) {
        canvas.setPointerCapture(event.pointerId);
        const x = this.clampX(figure, event.offsetX);
        this.drag = { figure, fromX: x, toX: x };
      }
    });
    canvas.addEventListener('pointerup', (event) => this.endDrag(figure, event));
    canvas.addEventListener('pointercancel', () => {
      this.drag = null;
      this.drawOverlay(figure);
    });
    canvas.addEventListener('dblclick', () => {
      if (this.model !== null) {
        this.events.range(this.model.whole);
      }
    });
    canvas.addEventListener('wheel', (event) => this.wheel(figure, event), { passive: false });
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  private endDrag(figure: Figure, event: PointerEvent): void {
    const { drag } = this;
    this.drag = null;
    this.drawOverlay(figure);
    if (drag === null || this.model === null) {
      return;
    }
    if (Math.abs(drag.toX - drag.fromX) < 4) {
      const mark = this.markAt(figure, event.offsetX, event.offsetY);
      if (mark !== null) {
        this.events.reveal(mark.first);
      }
      return;
    }
    const a = this.timeAt(figure, drag.fromX);
    const b = this.timeAt(figure, drag.toX);
    this.events.range({ fromNs: Math.min(a, b), toNs: Math.max(a, b) });
  }

  private wheel(figure: Figure, event: WheelEvent): void {
    if (this.model === null || !(event.ctrlKey || event.metaKey)) {
      return;
    }
    event.preventDefault();
    const { range, whole } = this.model;
    this.events.range(zoomRange(range, whole, this.timeAt(figure, event.offsetX), event.deltaY < 0 ? 0.8 : 1.25));
  }

  private key(event: KeyboardEvent): void {
    const { model } = this;
    if (model === null || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const { range, whole } = model;
    const spanNs = range.toNs - range.fromNs;
    const at = this.cursorNs ?? (range.fromNs + range.toNs) / 2;
    const actions: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => this.step(at - spanNs / (event.shiftKey ? 20 : 200)),
      ArrowRight: () => this.step(at + spanNs / (event.shiftKey ? 20 : 200)),
      Home: () => this.step(range.fromNs),
      End: () => this.step(range.toNs),
      '.': () => this.step(this.neighbour(at, 1)),
      ',': () => this.step(this.neighbour(at, -1)),
      n: () => this.step(this.neighbourFailure(at, 1)),
      p: () => this.step(this.neighbourFailure(at, -1)),
      '+': () => this.events.range(zoomRange(range, whole, at, 0.5)),
      '=': () => this.events.range(zoomRange(range, whole, at, 0.5)),
      '-': () => this.events.range(zoomRange(range, whole, at, 2)),
      '0': () => this.events.range(whole),
      Enter: () => {
        const mark = this.nearestFailure(at);
        if (mark !== null) {
          this.events.reveal(mark);
        }
      },
      Escape: () => this.moveCursor(null),
      '?': () => this.events.help(),
    };
    const action = actions[event.key];
    if (action !== undefined) {
      event.preventDefault();
      action();
    }
  }

  /** Moves the cursor by keyboard; the range follows when the cursor leaves it. */
  private step(timeNs: number): void {
    const { range, whole } = this.model!;
    const inside = Math.min(Math.max(timeNs, whole.fromNs), whole.toNs);
    this.moveCursor(inside);
    if (inside < range.fromNs || range.toNs < inside) {
      const half = (range.toNs - range.fromNs) / 2;
      this.events.range({ fromNs: inside - half, toNs: inside + half });
    }
    for (const { canvas } of this.figures) {
      describe(canvas, this.model!, this.cursorNs);
    }
  }

  private moveCursor(timeNs: number | null): void {
    this.cursorNs = timeNs;
    this.events.cursor(timeNs);
    this.drawOverlays();
  }

  private neighbour(timeNs: number, direction: 1 | -1): number {
    const series = this.front()?.series;
    if (series === null || series === undefined) {
      return timeNs;
    }
    let index = stepAt(series.timeNs, timeNs);
    while (0 <= index + direction && index + direction < series.timeNs.length) {
      index += direction;
      if (series.timeNs[index] !== timeNs) {
        return series.timeNs[index]!;
      }
    }
    return timeNs;
  }

  private neighbourFailure(timeNs: number, direction: 1 | -1): number {
    const times = this.visibleFailures().map((mark) => mark.timeNs);
    const later = direction === 1 ? times.filter((time) => timeNs < time) : times.filter((time) => time < timeNs);
    return later.length === 0 ? timeNs : direction === 1 ? Math.min(...later) : Math.max(...later);
  }

  private nearestFailure(timeNs: number): FailureMark | null {
    let best: FailureMark | null = null;
    for (const mark of this.visibleFailures()) {
      if (best === null || Math.abs(mark.timeNs - timeNs) < Math.abs(best.timeNs - timeNs)) {
        best = mark;
      }
    }
    return best;
  }

  private visibleFailures(): FailureMark[] {
    return this.model!.runs.filter((run) => run.isFront || run.isRecorded).flatMap((run) => [...run.run.failures]);
  }

  private front(): ShownRun | undefined {
    return this.model?.runs.find((run) => run.isFront);
  }

  private timeAt(figure: Figure, x: number): number {
    return figure.chart.scales['x']!.getValueForPixel(this.clampX(figure, x)) ?? 0;
  }

  private clampX(figure: Figure, x: number): number {
    const { left, right } = figure.chart.chartArea;
    return Math.min(Math.max(x, left), right);
  }

  private markAt(figure: Figure, x: number, y: number): MarkCluster | null {
    let best: MarkCluster | null = null;
    let bestDistance = 10;
    for (const dataset of figure.chart.data.datasets) {
      for (const point of dataset.data as Partial<MarkPoint>[]) {
        if (point.cluster === undefined) {
          break;
        }
        const dx = figure.chart.scales['x']!.getPixelForValue(point.x!) - x;
        const dy = figure.chart.scales['y']!.getPixelForValue(point.y!) - y;
        const distance = Math.hypot(dx, dy);
        if (distance < bestDistance) {
          bestDistance = distance;
          best = point.cluster;
        }
      }
    }
    return best;
  }
}

/** Space for `262,144` and `1,023 MiB`. */
const axisWidth = 62;

/** Failures of a run that are drawn at a time, give or take two pixels. */
export function failuresNear(model: TimelineModel, { run }: ShownRun, timeNs: number): readonly FailureMark[] {
  const widthNs = (model.range.toNs - model.range.fromNs) / 400;
  return run.failures.filter((mark) => Math.abs(mark.timeNs - timeNs) <= widthNs);
}

/** The levels at a time as one sentence, for screen readers. */
function spoken(model: TimelineModel, timeNs: number): string {
  const parts = model.runs.flatMap((shown) => {
    const used = shown.series === null ? null : valueAt(shown.series, 'usedSlots', timeNs);
    const near = failuresNear(model, shown, timeNs)[0];
    return [
      used === null ? '' : `${shown.label} ${formatSlotsAndBytes(used)}`,
      near === undefined
        ? ''
        : `${shown.label} fails here: ${causeWords[near.cause].label}, line ${formatCount(near.line)}`,
    ];
  });
  return parts.filter((part) => part !== '').join(', ');
}

function describe(canvas: HTMLCanvasElement, model: TimelineModel, cursorNs: number | null): void {
  const { range } = model;
  const at = cursorNs ?? range.fromNs;
  const failures = model.runs.map((run) => `${run.label}: ${plural(run.run.failed, 'failure')}`).join(', ');
  const spanNs = range.toNs - range.fromNs;
  canvas.setAttribute('aria-valuemin', String(Math.round(range.fromNs)));
  canvas.setAttribute('aria-valuemax', String(Math.round(range.toNs)));
  canvas.setAttribute('aria-valuenow', String(Math.round(at)));
  canvas.setAttribute(
    'aria-valuetext',
    cursorNs === null ? failures : `${model.time.absolute(at, spanNs)}: ${spoken(model, at)}`,
  );
}

/** The steps as points; the last one is held until the right end. */
function points(series: SeriesView, column: keyof Omit<SeriesView, 'timeNs'>, toNs: number): Point[] {
  const values = series[column];
  const steps = series.timeNs.map((x, index) => ({ x, y: values[index] ?? 0 }));
  const last = steps[steps.length - 1];
  return last !== undefined && last.x < toNs ? [...steps, { x: toNs, y: last.y }] : steps;
}

function highest(values: readonly number[]): number {
  let top = 0;
  for (const value of values) {
    if (top < value) {
      top = value;
    }
  }
  return top;
}

/** `#rrggbb` or `rgb()` with another alpha; other notations are returned as they are. */
export function withAlpha(colour: string, alpha: number): string {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/i.exec(colour);
  if (hex !== null) {
    const [red, green, blue] = hex.slice(1, 4).map((part) => Number.parseInt(part, 16));
    return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
  }
  const rgb = /^rgba?\(([\d.]+)[ ,]+([\d.]+)[ ,]+([\d.]+)/.exec(colour);
  return rgb === null ? colour : `rgba(${rgb[1]}, ${rgb[2]}, ${rgb[3]}, ${alpha})`;
}
