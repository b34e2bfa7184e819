import { Chart, Filler, LinearScale, LineController, LineElement, PointElement } from 'chart.js';
import { formatBytes, formatCount, formatDuration, formatSlotsAndBytes, plural } from '../../base/format';
import type { FailureMark, LineRef } from '../../protocol/views';
import { causeWords } from '../words';
import { axesOf, type SlotsExtent, slotsExtent } from './axes';
import { colourOf, datasetsOf, type MarkPoint, type Point } from './datasets';
import { listenToGestures } from './gestures';
import { keyAction } from './keys';
import { createLineChart } from './lineChart';
import { frontOf, marksFailures, type Plot, plots, type ShownRun, type TimelineModel } from './model';
import { poolRows, poolsAt } from './poolRows';
import { type MarkCluster, type Range, valueAt } from './scale';
import { type ChartTheme, withAlpha } from './theme';

Chart.register(LineController, LineElement, PointElement, LinearScale, Filler);

export type { ShownRun, TimelineModel } from './model';

export interface TimelineEvents {
  readonly range: (range: Range) => void;
  readonly cursor: (timeNs: number | null) => void;
  /** A failure mark was picked. */
  readonly reveal: (place: LineRef) => void;
  /** A place on the time axis was picked. */
  readonly revealTime: (timeNs: number) => void;
  readonly capacityHidden: (extent: SlotsExtent) => void;
  readonly help: () => void;
}

interface Figure {
  readonly plot: Plot;
  readonly canvas: HTMLCanvasElement;
  readonly overlay: HTMLCanvasElement;
  readonly chart: Chart<'line', Point[]>;
  selection: { readonly fromX: number; readonly toX: number } | null;
}

/** Pixels around a failure mark that count as on it. */
const markPixels = 10;
/** Height of a row of the pools chart, and what its chart takes besides. */
const poolRowPixels = 17;
const poolPaddingPixels = 12;
/** What a time axis with its title takes, for charts that have none on the page. */
const timeAxisPixels = 44;

/** The charts of the panel: one time axis, one cursor, one visible range. */
export class Timeline {
  private readonly figures: readonly Figure[];
  private readonly events: TimelineEvents;
  private theme: ChartTheme;
  private model: TimelineModel | null = null;
  private cursorNs: number | null = null;
  private editorNs: number | null = null;

  constructor(canvases: Readonly<Record<Plot, HTMLCanvasElement>>, theme: ChartTheme, events: TimelineEvents) {
    this.events = events;
    this.theme = theme;
    this.figures = plots.map((plot) => this.createFigure(plot, canvases[plot]));
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

  /** Another range will be drawn: keys and mouse go on from there at once. */
  setRange(range: Range): void {
    if (this.model !== null) {
      this.model = { ...this.model, range };
    }
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

  /** Keys of the time axis, wherever in the panel they were pressed; false when the key means nothing here. */
  key(event: KeyboardEvent): boolean {
    const { model } = this;
    if (model === null || event.ctrlKey || event.metaKey || event.altKey) {
      return false;
    }
    const action = keyAction(event.key, event.shiftKey, model, this.cursorNs ?? this.editorNs);
    switch (action?.kind) {
      case undefined:
        return false;
      case 'cursor':
        this.step(action.timeNs);
        break;
      case 'range':
        this.events.range(action.range);
        break;
      case 'reveal':
        this.revealAt(this.cursorNs ?? this.editorNs ?? (model.range.fromNs + model.range.toNs) / 2);
        break;
      case 'help':
        this.events.help();
    }
    event.preventDefault();
    return true;
  }

  /** A chart with its marks and a time axis at twice the size of the screen, on the background of the theme. */
  picture(plot: Plot): HTMLCanvasElement {
    const { chart } = this.figures.find((figure) => figure.plot === plot)!;
    const { model, theme } = this;
    const picture = document.createElement('canvas');
    if (model === null || chart.width === 0) {
      return picture;
    }
    const { width, height } = chart;
    const before = chart.options.devicePixelRatio;
    const hadAxis = chart.options.scales?.['x']?.title?.display === true;
    chart.options.devicePixelRatio = 2;
    chart.options.scales = axesOf(plot, model, {
      theme,
      slots: slotsExtent(model),
      widthPixels: width,
      isLast: true,
    });
    chart.resize(width, height + (hadAxis ? 0 : timeAxisPixels));
    chart.update('none');
    try {
      picture.width = chart.canvas.width;
      picture.height = chart.canvas.height;
      const context = picture.getContext('2d')!;
      context.fillStyle = this.theme.background;
      context.fillRect(0, 0, picture.width, picture.height);
      context.drawImage(chart.canvas, 0, 0);
      if (plot === 'pools') {
        context.scale(2, 2);
        this.drawPoolLabels(context, chart);
      }
    } finally {
      chart.options.devicePixelRatio = before ?? window.devicePixelRatio;
      this.draw();
    }
    return picture;
  }

  private createFigure(plot: Plot, canvas: HTMLCanvasElement): Figure {
    const overlay = document.createElement('canvas');
    overlay.className = 'overlay';
    overlay.setAttribute('aria-hidden', 'true');
    canvas.after(overlay);
    const chart = createLineChart(canvas, { top: 6, right: 2 });
    const figure: Figure = { plot, canvas, overlay, chart, selection: null };
    this.listen(figure);
    return figure;
  }

  private listen(figure: Figure): void {
    const { canvas, chart } = figure;
    listenToGestures(
      {
        canvas,
        area: () => chart.chartArea ?? null,
        timeAt: (x) => chart.scales['x']!.getValueForPixel(x) ?? 0,
        range: () => this.model,
      },
      {
        cursor: (timeNs) => this.moveCursor(timeNs),
        range: (range) => this.events.range(range),
        click: (x, y) => {
          const mark = this.markAt(figure, x, y);
          if (mark === null) {
            this.events.revealTime(chart.scales['x']!.getValueForPixel(x) ?? 0);
          } else {
            this.events.reveal(mark.first);
          }
        },
        isOnMark: (x, y) => this.markAt(figure, x, y) !== null,
        selection: (ends) => {
          figure.selection = ends;
          this.drawOverlay(figure);
        },
      },
    );
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  private draw(): void {
    const { model, theme } = this;
    if (model === null) {
      return;
    }
    const slots = slotsExtent(model);
    this.events.capacityHidden(slots);
    this.sizePools(model);
    const shown = this.figures.filter((figure) => figure.canvas.closest('[hidden]') === null);
    const widthPixels = this.figures[0]!.canvas.parentElement?.clientWidth ?? 1000;
    for (const figure of shown) {
      const { chart, plot } = figure;
      const isLast = figure === shown[shown.length - 1];
      chart.data.datasets = datasetsOf(plot, model, theme, this.plotWidth());
      chart.options.scales = axesOf(plot, model, { theme, slots, widthPixels, isLast });
      chart.options.font = { family: theme.font, size: theme.fontSize };
      figure.canvas.parentElement?.classList.toggle('plot-last', isLast);
      chart.resize();
      chart.update('none');
      describe(plot, figure.canvas, model, this.cursorNs);
    }
    this.drawOverlays();
  }

  private sizePools(model: TimelineModel): void {
    const front = frontOf(model);
    const rows = front === undefined ? 1 : Math.max(1, poolRows(front.run, model.whole).length);
    const holder = this.figures.find(({ plot }) => plot === 'pools')!.canvas.parentElement;
    if (holder !== null) {
      holder.style.height = `${rows * poolRowPixels + poolPaddingPixels}px`;
    }
  }

  private drawOverlays(): void {
    for (const figure of this.figures) {
      this.drawOverlay(figure);
    }
  }

  private drawOverlay(figure: Figure): void {
    const { overlay, chart, selection, plot } = figure;
    const { chartArea: area } = chart;
    const context = overlay.getContext('2d');
    if (context === null || area === undefined || this.model === null || chart.width === 0) {
      return;
    }
    const ratio = window.devicePixelRatio;
    overlay.width = Math.round(chart.width * ratio);
    overlay.height = Math.round(chart.height * ratio);
    overlay.style.width = `${chart.width}px`;
    overlay.style.height = `${chart.height}px`;
    context.scale(ratio, ratio);
    if (plot === 'pools') {
      this.drawPoolLabels(context, chart);
    }
    const scale = chart.scales['x']!;
    const vertical = (timeNs: number, colour: string, dash: number[]) => {
      const x = Math.round(scale.getPixelForValue(timeNs)) + 0.5;
      if (area.left <= x && x <= area.right + 1) {
        context.strokeStyle = colour;
        context.setLineDash(dash);
        context.beginPath();
        context.moveTo(x, area.top);
        context.lineTo(x, area.bottom);
        context.stroke();
      }
    };
    if (this.editorNs !== null) {
      vertical(this.editorNs, this.theme.editorCursor, [3, 3]);
    }
    if (this.cursorNs !== null) {
      vertical(this.cursorNs, this.theme.cursor, []);
      if (plot === 'slots' || plot === 'transient') {
        this.drawCursorDots(context, figure);
      }
    }
    if (selection !== null) {
      context.fillStyle = this.theme.selection;
      const left = Math.min(selection.fromX, selection.toX);
      context.fillRect(left, area.top, Math.abs(selection.toX - selection.fromX), area.bottom - area.top);
    }
  }

  private drawCursorDots(context: CanvasRenderingContext2D, figure: Figure): void {
    const column = figure.plot === 'slots' ? 'usedSlots' : 'transientSlots';
    const x = figure.chart.scales['x']!.getPixelForValue(this.cursorNs!);
    for (const run of this.model!.runs) {
      const value = run.series === null ? null : valueAt(run.series, column, this.cursorNs!);
      if (value !== null) {
        context.fillStyle = colourOf(run, this.theme);
        context.beginPath();
        context.arc(x, figure.chart.scales['y']!.getPixelForValue(value), 3, 0, 2 * Math.PI);
        context.fill();
      }
    }
  }

  /** What each row of the pools chart is, over its bar. */
  private drawPoolLabels(context: CanvasRenderingContext2D, chart: Chart<'line', Point[]>): void {
    const front = this.model === null ? undefined : frontOf(this.model);
    if (front === undefined || this.model === null) {
      return;
    }
    const { left, right } = chart.chartArea;
    context.font = `${this.theme.fontSize}px ${this.theme.font}`;
    context.textBaseline = 'middle';
    poolRows(front.run, this.model.whole).forEach((row, index) => {
      const pixel = (timeNs: number) => Math.min(Math.max(chart.scales['x']!.getPixelForValue(timeNs), left), right);
      const start = pixel(Math.min(...row.spans.map((span) => span.fromNs)));
      const { width } = context.measureText(row.label);
      // Inside a long bar, after a short one where there is room, else before it.
      const end = pixel(Math.max(...row.spans.map((span) => span.toNs)));
      const isInside = row.kind === 'single' && width + 14 < end - start;
      const x = isInside ? start + 7 : end + width + 12 < right ? end + 8 : Math.max(left + 4, start - width - 8);
      const y = chart.scales['y']!.getPixelForValue(index);
      context.fillStyle = withAlpha(this.theme.background, 0.8);
      context.fillRect(x - 3, y - 7, width + 6, 14);
      context.fillStyle = this.theme.text;
      context.fillText(row.label, x, y + 0.5);
    });
  }

  /** Moves the cursor by keyboard; the range follows when the cursor leaves it. */
  private step(timeNs: number | null): void {
    const model = this.model!;
    this.moveCursor(timeNs);
    const { range } = model;
    if (timeNs !== null && (timeNs < range.fromNs || range.toNs < timeNs)) {
      const half = (range.toNs - range.fromNs) / 2;
      this.events.range({ fromNs: timeNs - half, toNs: timeNs + half });
    }
    for (const { plot, canvas } of this.figures) {
      describe(plot, canvas, model, this.cursorNs);
    }
  }

  private moveCursor(timeNs: number | null): void {
    this.cursorNs = timeNs;
    this.events.cursor(timeNs);
    this.drawOverlays();
  }

  /** To the line of a failure that is drawn at the time, else to the line nearest to it. */
  private revealAt(timeNs: number): void {
    const model = this.model!;
    const nearNs = ((model.range.toNs - model.range.fromNs) / this.plotWidth()) * 3;
    let best: FailureMark | null = null;
    for (const mark of model.runs.filter(marksFailures).flatMap(({ run }) => run.failures)) {
      const distance = Math.abs(mark.timeNs - timeNs);
      if (distance <= nearNs && (best === null || distance < Math.abs(best.timeNs - timeNs))) {
        best = mark;
      }
    }
    if (best === null) {
      this.events.revealTime(timeNs);
    } else {
      this.events.reveal(best);
    }
  }

  private markAt(figure: Figure, x: number, y: number): MarkCluster | null {
    let best: MarkCluster | null = null;
    let bestDistance = markPixels;
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

/** Failures of a run that are drawn at a time, give or take two pixels. */
export function failuresNear(model: TimelineModel, { run }: ShownRun, timeNs: number): readonly FailureMark[] {
  const widthNs = (model.range.toNs - model.range.fromNs) / 400;
  return run.failures.filter((mark) => Math.abs(mark.timeNs - timeNs) <= widthNs);
}

/** What a chart shows at a time as one sentence, for screen readers. */
export function spoken(plot: Plot, model: TimelineModel, timeNs: number): string {
  if (plot === 'pools') {
    const front = frontOf(model);
    return front === undefined ? '' : `${front.label}: ${poolsAt(front.run, model.whole, timeNs)}`;
  }
  const [column, format] = levelOf[plot];
  const parts = model.runs.flatMap((shown) => {
    const level = shown.series === null ? null : valueAt(shown.series, column, timeNs);
    const near = plot === 'slots' ? failuresNear(model, shown, timeNs)[0] : undefined;
    return [
      level === null ? '' : `${shown.label} ${format(level)}`,
      near === undefined
        ? ''
        : `${shown.label} fails here: ${causeWords[near.cause].label}, line ${formatCount(near.line)}`,
    ];
  });
  return parts.filter((part) => part !== '').join(', ');
}

/** The level that a chart draws. */
const levelOf = {
  slots: ['usedSlots', formatSlotsAndBytes],
  transient: ['transientSlots', formatSlotsAndBytes],
  memory: ['memoryBytes', formatBytes],
  stalls: ['stalledNs', formatDuration],
} as const satisfies Record<Exclude<Plot, 'pools'>, readonly [string, (value: number) => string]>;

function describe(plot: Plot, canvas: HTMLCanvasElement, model: TimelineModel, cursorNs: number | null): void {
  const { range } = model;
  const at = cursorNs ?? range.fromNs;
  const failures = model.runs.map((run) => `${run.label}: ${plural(run.run.failed, 'failure')}`).join(', ');
  const spanNs = range.toNs - range.fromNs;
  canvas.setAttribute('aria-valuemin', String(Math.round(range.fromNs)));
  canvas.setAttribute('aria-valuemax', String(Math.round(range.toNs)));
  canvas.setAttribute('aria-valuenow', String(Math.round(at)));
  canvas.setAttribute(
    'aria-valuetext',
    cursorNs === null && plot === 'slots' ? failures : `${model.time.absolute(at, spanNs)}: ${spoken(plot, model, at)}`,
  );
}
