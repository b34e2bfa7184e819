import type { Range } from '../charts/scale';
import type { ChartTheme } from '../charts/theme';
import { withAlpha } from '../charts/theme';
import type { ShownRun } from '../charts/timeline';

export interface ScrubberModel {
  readonly run: ShownRun | null;
  readonly range: Range;
  readonly atNs: number;
  /** Whether the moment is a failure's. */
  readonly isFailure: boolean;
  readonly valueText: string;
}

export interface ScrubberEvents {
  readonly time: (timeNs: number) => void;
  /** True: done. */
  readonly key: (event: KeyboardEvent) => boolean;
}

/** The time axis of the charts once more, as a slider: slots in use, failures, and a handle. */
export class Scrubber {
  readonly canvas: HTMLCanvasElement;
  private readonly events: ScrubberEvents;
  private readonly watcher: ResizeObserver;
  private theme: ChartTheme;
  private model: ScrubberModel | null = null;
  private isDragging = false;

  constructor(canvas: HTMLCanvasElement, theme: ChartTheme, events: ScrubberEvents) {
    this.canvas = canvas;
    this.theme = theme;
    this.events = events;
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(canvas);
    this.listen();
  }

  destroy(): void {
    this.watcher.disconnect();
  }

  setTheme(theme: ChartTheme): void {
    this.theme = theme;
    this.draw();
  }

  show(model: ScrubberModel): void {
    this.model = model;
    const { canvas } = this;
    canvas.setAttribute('aria-valuemin', String(Math.round(model.range.fromNs)));
    canvas.setAttribute('aria-valuemax', String(Math.round(model.range.toNs)));
    canvas.setAttribute('aria-valuenow', String(Math.round(model.atNs)));
    canvas.setAttribute('aria-valuetext', model.valueText);
    this.draw();
  }

  private draw(): void {
    const { canvas, model, theme } = this;
    const context = canvas.getContext('2d');
    if (context === null || model === null) {
      return;
    }
    const { clientWidth: width, clientHeight: height } = canvas;
    const ratio = window.devicePixelRatio;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    context.scale(ratio, ratio);
    const base = height - 6.5;
    this.drawUse(context, model, width, base);
    context.strokeStyle = theme.grid;
    context.beginPath();
    context.moveTo(0, base);
    context.lineTo(width, base);
    context.stroke();
    this.drawFailures(context, model, width, base);
    const x = this.xOf(model.atNs, width);
    context.strokeStyle = theme.cursor;
    context.fillStyle = model.isFailure ? theme.error : theme.cursor;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, height);
    context.stroke();
    context.beginPath();
    context.moveTo(x - 6, height);
    context.lineTo(x + 6, height);
    context.lineTo(x, height - 9);
    context.closePath();
    context.fill();
  }

  private drawUse(context: CanvasRenderingContext2D, { run }: ScrubberModel, width: number, base: number): void {
    const series = run?.series ?? null;
    if (run === null || series === null || series.timeNs.length === 0) {
      return;
    }
    const top = Math.max(1, ...series.usedSlots);
    const yOf = (slots: number) => base - (slots / top) * (base - 6);
    context.beginPath();
    context.moveTo(this.xOf(series.timeNs[0]!, width), base);
    let before = base;
    series.timeNs.forEach((timeNs, index) => {
      const x = this.xOf(timeNs, width);
      context.lineTo(x, before);
      before = yOf(series.usedSlots[index]!);
      context.lineTo(x, before);
    });
    context.lineTo(width, before);
    context.lineTo(width, base);
    context.closePath();
    const colour = this.theme.series[run.style.series] ?? this.theme.text;
    context.fillStyle = withAlpha(colour, 0.22);
    context.fill();
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.stroke();
  }

  private drawFailures(context: CanvasRenderingContext2D, model: ScrubberModel, width: number, base: number): void {
    const { run, range } = model;
    context.strokeStyle = this.theme.error;
    context.lineWidth = 1.5;
    let last = Number.NEGATIVE_INFINITY;
    for (const { timeNs } of run?.run.failures ?? []) {
      const x = this.xOf(timeNs, width);
      if (timeNs < range.fromNs || range.toNs < timeNs || x - last < 3) {
        continue;
      }
      last = x;
      context.beginPath();
      context.moveTo(x - 3, base - 3);
      context.lineTo(x + 3, base + 3);
      context.moveTo(x - 3, base + 3);
      context.lineTo(x + 3, base - 3);
      context.stroke();
    }
  }

  private listen(): void {
    const { canvas } = this;
    const scrub = (event: PointerEvent) => {
      const { model } = this;
      if (model !== null) {
        const share = Math.min(1, Math.max(0, event.offsetX / Math.max(1, canvas.clientWidth)));
        this.events.time(model.range.fromNs + share * (model.range.toNs - model.range.fromNs));
      }
    };
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button === 0) {
        canvas.setPointerCapture(event.pointerId);
        this.isDragging = true;
        scrub(event);
      }
    });
    canvas.addEventListener('pointermove', (event) => {
      if (this.isDragging) {
        scrub(event);
      }
    });
    for (const end of ['pointerup', 'pointercancel'] as const) {
      canvas.addEventListener(end, () => {
        this.isDragging = false;
      });
    }
    canvas.addEventListener('keydown', (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey && this.events.key(event)) {
        event.preventDefault();
      }
    });
  }

  private xOf(timeNs: number, width: number): number {
    const { fromNs, toNs } = this.model!.range;
    return ((timeNs - fromNs) / Math.max(1, toNs - fromNs)) * width;
  }
}
