import type { SeriesView } from '../../protocol/views';
import { clampRange, panRange, type Range, zoomRange } from './scale';
import { type ChartTheme, type RunStyle, withAlpha } from './theme';

export interface OverviewModel {
  readonly whole: Range;
  readonly range: Range;
  readonly runs: readonly { readonly series: SeriesView | null; readonly style: RunStyle; readonly isFront: boolean }[];
  readonly failureTimesNs: readonly number[];
  /** A time in words. */
  readonly describe: (timeNs: number) => string;
}

const edge = 8;

/** The whole trace in a strip; the visible range is a window that can be moved, resized and drawn anew. */
export class Overview {
  private readonly canvas: HTMLCanvasElement;
  private readonly onRange: (range: Range) => void;
  private theme: ChartTheme;
  private model: OverviewModel | null = null;
  private drag: {
    readonly kind: 'move' | 'left' | 'right' | 'new';
    readonly startX: number;
    readonly start: Range;
  } | null = null;

  constructor(canvas: HTMLCanvasElement, theme: ChartTheme, onRange: (range: Range) => void) {
    this.canvas = canvas;
    this.theme = theme;
    this.onRange = onRange;
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener('pointerdown', (event) => this.begin(event));
    canvas.addEventListener('pointermove', (event) => this.move(event));
    canvas.addEventListener('pointerup', () => {
      this.drag = null;
    });
    canvas.addEventListener('dblclick', () => this.model !== null && this.onRange(this.model.whole));
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  setTheme(theme: ChartTheme): void {
    this.theme = theme;
    this.draw();
  }

  show(model: OverviewModel): void {
    this.model = model;
    this.draw();
  }

  private draw(): void {
    const { canvas, model, theme } = this;
    const context = canvas.getContext('2d');
    const { clientWidth: width, clientHeight: height } = canvas;
    if (context === null || model === null || width === 0) {
      return;
    }
    this.describe(model);
    const ratio = window.devicePixelRatio;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    context.scale(ratio, ratio);
    const top = Math.max(
      1,
      ...model.runs.flatMap((run) => (run.series === null ? [] : [maximum(run.series.usedSlots)])),
    );
    for (const run of model.runs) {
      if (run.series !== null) {
        this.drawRun(context, run.series, run.style, run.isFront, top, width, height);
      }
    }
    context.fillStyle = theme.error;
    for (const timeNs of model.failureTimesNs) {
      context.fillRect(this.xOf(timeNs) - 0.5, height - 3, 1, 3);
    }
    const left = this.xOf(model.range.fromNs);
    const right = this.xOf(model.range.toNs);
    context.fillStyle = withAlpha(theme.background, 0.72);
    context.fillRect(0, 0, left, height);
    context.fillRect(right, 0, width - right, height);
    context.strokeStyle = theme.muted;
    context.lineWidth = 1;
    context.strokeRect(left + 0.5, 0.5, Math.max(1, right - left - 1), height - 1);
    context.fillStyle = theme.muted;
    context.fillRect(left, height / 2 - 6, 3, 12);
    context.fillRect(right - 3, height / 2 - 6, 3, 12);
  }

  private drawRun(
    context: CanvasRenderingContext2D,
    series: SeriesView,
    style: RunStyle,
    isFront: boolean,
    top: number,
    width: number,
    height: number,
  ): void {
    const colour = this.theme.series[style.series] ?? this.theme.text;
    const y = (slots: number) => height - 2 - (slots / top) * (height - 6);
    context.beginPath();
    let last = y(0);
    context.moveTo(0, last);
    for (let i = 0; i < series.timeNs.length; i++) {
      const x = this.xOf(series.timeNs[i]!);
      context.lineTo(x, last);
      last = y(series.usedSlots[i]!);
      context.lineTo(x, last);
    }
    context.lineTo(width, last);
    if (isFront) {
      context.lineTo(width, height);
      context.lineTo(0, height);
      context.fillStyle = withAlpha(colour, 0.3);
      context.fill();
    } else {
      context.strokeStyle = withAlpha(colour, 0.8);
      context.lineWidth = 1;
      context.stroke();
    }
  }

  private begin(event: PointerEvent): void {
    const { model } = this;
    if (model === null || event.button !== 0) {
      return;
    }
    this.canvas.setPointerCapture(event.pointerId);
    const left = this.xOf(model.range.fromNs);
    const right = this.xOf(model.range.toNs);
    const x = event.offsetX;
    const isWhole = model.range.toNs - model.range.fromNs === model.whole.toNs - model.whole.fromNs;
    const kind =
      Math.abs(x - left) <= edge && !isWhole
        ? 'left'
        : Math.abs(x - right) <= edge && !isWhole
          ? 'right'
          : left < x && x < right && !isWhole
            ? 'move'
            : 'new';
    this.drag = { kind, startX: x, start: model.range };
  }

  private move(event: PointerEvent): void {
    const { drag, model } = this;
    if (drag === null || model === null) {
      return;
    }
    const x = Math.min(Math.max(event.offsetX, 0), this.canvas.clientWidth);
    const deltaNs = this.timeOf(x) - this.timeOf(drag.startX);
    const { start, kind } = drag;
    if (kind === 'new') {
      if (3 < Math.abs(x - drag.startX)) {
        this.send(this.timeOf(drag.startX), this.timeOf(x));
      }
    } else if (kind === 'move') {
      this.onRange(clampRange({ fromNs: start.fromNs + deltaNs, toNs: start.toNs + deltaNs }, model.whole));
    } else if (kind === 'left') {
      this.send(this.timeOf(x), start.toNs);
    } else {
      this.send(start.fromNs, this.timeOf(x));
    }
  }

  private key(event: KeyboardEvent): void {
    const { model } = this;
    if (model === null || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const { range, whole } = model;
    const middleNs = (range.fromNs + range.toNs) / 2;
    const ranges: Readonly<Record<string, Range>> = {
      ArrowLeft: panRange(range, whole, -0.1),
      ArrowRight: panRange(range, whole, 0.1),
      PageUp: panRange(range, whole, -1),
      PageDown: panRange(range, whole, 1),
      Home: clampRange({ fromNs: whole.fromNs, toNs: whole.fromNs + (range.toNs - range.fromNs) }, whole),
      End: clampRange({ fromNs: whole.toNs - (range.toNs - range.fromNs), toNs: whole.toNs }, whole),
      '+': zoomRange(range, whole, middleNs, 0.5),
      '=': zoomRange(range, whole, middleNs, 0.5),
      '-': zoomRange(range, whole, middleNs, 2),
      '0': whole,
    };
    const next = ranges[event.key];
    if (next !== undefined) {
      event.preventDefault();
      this.onRange(next);
    }
  }

  /** The window as the value of a slider: where it begins, and in words to where it goes. */
  private describe({ range, whole, describe }: OverviewModel): void {
    const { canvas } = this;
    canvas.setAttribute('aria-valuemin', String(Math.round(whole.fromNs)));
    canvas.setAttribute('aria-valuemax', String(Math.round(whole.toNs)));
    canvas.setAttribute('aria-valuenow', String(Math.round(range.fromNs)));
    canvas.setAttribute('aria-valuetext', `${describe(range.fromNs)} to ${describe(range.toNs)}`);
  }

  private send(aNs: number, bNs: number): void {
    if (aNs !== bNs) {
      this.onRange({ fromNs: Math.min(aNs, bNs), toNs: Math.max(aNs, bNs) });
    }
  }

  private xOf(timeNs: number): number {
    const { whole } = this.model!;
    return ((timeNs - whole.fromNs) / Math.max(whole.toNs - whole.fromNs, 1)) * this.canvas.clientWidth;
  }

  private timeOf(x: number): number {
    const { whole } = this.model!;
    return whole.fromNs + (x / Math.max(this.canvas.clientWidth, 1)) * (whole.toNs - whole.fromNs);
  }
}

function maximum(values: readonly number[]): number {
  return values.reduce((top, value) => Math.max(top, value), 0);
}
