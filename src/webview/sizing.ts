import type { SizeQuestion } from '../protocol/panel';
import type { PolicySettings, SizeView } from '../protocol/views';
import { SizeChart, type SizeChartModel } from './charts/sizeChart';
import { sizeSvg } from './charts/sizeSvg';
import { type ChartTheme, readTheme, runStyle } from './charts/theme';
import { fill, h } from './dom';
import { framed } from './exporting';
import type { Exportable } from './sections/section';
import {
  type SizeActions,
  seriesLabel,
  sizeAnswer,
  sizeLegend,
  sizeReadout,
  sizeTable,
  smallestTable,
} from './sections/size';
import { recommendedSlots, sizeSeries } from './sizeCurve';

export interface SizingDeps extends SizeActions {
  readonly ask: (question: SizeQuestion) => Promise<SizeView>;
  readonly cancel: () => void;
  /** Slots of the recorded pool. */
  readonly today: number | null;
  /** CPUs of the recorded machine. */
  readonly cpus: number | null;
  /** What every replay of the panel assumes. */
  readonly assumptions: () => PolicySettings;
  readonly onAnswer: (view: SizeView) => Promise<void>;
  readonly exportable: (item: Exportable) => void;
  /** Back to the trace as it was recorded. */
  readonly leaveDryRun: () => void;
}

/** Headrooms to choose from, as shares. */
const headrooms = [0, 0.1, 0.2, 0.5, 1];
const usualHeadroom = 0.2;

/** The block that tries pool sizes: its question, its progress and its answer. */
export class Sizing {
  private readonly holder: HTMLElement;
  private readonly deps: SizingDeps;
  private readonly cpus: HTMLInputElement;
  private readonly headroom: HTMLSelectElement;
  private readonly go: HTMLButtonElement;
  private readonly progress = h('span', { id: 'size-progress', role: 'status' });
  private readonly verdict = h('p', { id: 'dry-run-verdict', hidden: true });
  private readonly body = h('div', { id: 'size-body' });
  private readonly title = h('h2', { id: 'size-title' });
  private chart: SizeChart | null = null;
  private bounceAll = false;
  private isRunning = false;
  /** Grows with every question; answers to earlier ones are dropped. */
  private asked = 0;

  constructor(holder: HTMLElement, deps: SizingDeps) {
    this.holder = holder;
    this.deps = deps;
    const again = () => this.again();
    this.cpus = h('input', {
      id: 'size-cpus',
      type: 'number',
      min: 1,
      max: 8192,
      value: deps.cpus ?? '',
      placeholder: 'as recorded',
      change: again,
    });
    this.headroom = h(
      'select',
      { id: 'size-headroom', change: again },
      headrooms.map((share) =>
        h('option', { value: share, selected: share === usualHeadroom }, `${Math.round(share * 100)} %`),
      ),
    );
    this.go = h('button', {
      id: 'size-go',
      type: 'button',
      class: 'secondary',
      click: () => (this.isRunning ? this.deps.cancel() : void this.run()),
    });
    this.setBounceAll(false);
  }

  /** A dry run replays every DMA mapping as if it had to bounce. */
  setBounceAll(bounceAll: boolean): void {
    this.bounceAll = bounceAll;
    this.clear();
    this.title.textContent = bounceAll ? 'Dry run for a confidential VM' : 'Pool size';
    this.verdict.hidden = true;
    const leave = h(
      'button',
      { type: 'button', class: 'link', id: 'leave-dry-run', click: () => this.deps.leaveDryRun() },
      'Leave the dry run',
    );
    fill(
      this.holder,
      this.title,
      this.verdict,
      h(
        'div',
        { class: 'size-question' },
        h('label', null, 'CPUs ', this.cpus),
        h('label', null, 'Headroom ', this.headroom),
        this.go,
        this.progress,
        h('span', { class: 'spacer' }),
        bounceAll ? leave : null,
      ),
      this.body,
    );
    this.renderQuestion('');
  }

  /** What the dry run found beside the size. */
  setVerdict(text: string): void {
    this.verdict.textContent = text;
    this.verdict.hidden = text === '';
  }

  setTheme(theme: ChartTheme): void {
    this.chart?.setTheme(theme);
  }

  replaysDone(count: number): void {
    if (this.isRunning) {
      this.renderQuestion(`Trying sizes: ${count} replays so far …`);
    }
  }

  destroy(): void {
    this.asked++;
    this.chart?.destroy();
    this.chart = null;
  }

  /** The question is another one now: asked anew where there was an answer or one was on its way. */
  again(): void {
    if (this.body.childElementCount !== 0 || this.isRunning) {
      void this.run();
    }
  }

  async run(): Promise<void> {
    const mine = ++this.asked;
    this.isRunning = true;
    this.holder.dataset['state'] = 'running';
    this.renderQuestion('Trying sizes …');
    let message = '';
    try {
      const cpus = Math.round(Number(this.cpus.value));
      const view = await this.deps.ask({
        bounceAll: this.bounceAll,
        cpus: 1 <= cpus ? Math.min(cpus, 8192) : null,
        headroom: Number(this.headroom.value),
        set: this.deps.assumptions(),
      });
      if (mine === this.asked) {
        this.show(view);
        await this.deps.onAnswer(view);
      }
    } catch (error) {
      message = error instanceof Error ? error.message : String(error);
    }
    if (mine === this.asked) {
      this.isRunning = false;
      this.holder.dataset['state'] = message === '' ? 'done' : 'stopped';
      this.renderQuestion(message);
    }
  }

  private offer(view: SizeView, model: SizeChartModel, chart: SizeChart): void {
    const { deps } = this;
    const title = view.bounceAll ? 'Requests that fail by pool size, dry run' : 'Requests that fail by pool size';
    deps.exportable({
      id: 'size-curve',
      title,
      png: () => {
        const theme = readTheme();
        const legend = model.series.map((series, index) => {
          const style = runStyle(series.policy, index);
          const dash = series.isSingleArea ? [1, 3] : style.dash;
          return { label: seriesLabel(series, deps), colour: theme.series[style.series] ?? theme.text, dash };
        });
        return framed(chart.picture(), title, model.parameter ?? '', legend, theme);
      },
      svg: () => sizeSvg({ ...model, title, nameOf: (series) => seriesLabel(series, deps) }, readTheme()),
      table: () => ({
        columns: ['policy', 'slots', 'bytes', 'areas', 'failed', 'failureRatio', 'peakBytes', 'proven'],
        rows: view.curve.map((point) => [
          point.policy,
          point.slots,
          point.bytes,
          point.areas,
          point.failed,
          point.failureRatio,
          point.peakBytes,
          point.proven,
        ]),
      }),
    });
  }

  private renderQuestion(message: string): void {
    this.go.textContent = this.isRunning ? 'Cancel' : 'Find the pool size';
    this.progress.textContent = message;
  }

  private clear(): void {
    this.asked++;
    this.isRunning = false;
    this.chart?.destroy();
    this.chart = null;
    fill(this.body);
    delete this.holder.dataset['state'];
  }

  private show(view: SizeView): void {
    const { deps } = this;
    this.chart?.destroy();
    this.chart = null;
    if (!view.replayable) {
      fill(
        this.body,
        view.advice.map((line) => h('p', null, line)),
      );
      return;
    }
    const today = this.bounceAll ? null : deps.today;
    const canvas = h('canvas', {
      id: 'chart-size',
      role: 'slider',
      tabindex: 0,
      'aria-orientation': 'horizontal',
      'aria-label': 'Requests that fail by pool size; arrow keys go through the sizes, Enter replays with one',
    });
    const series = sizeSeries(view.curve);
    const describe = (slots: number) => sizeReadout(series, slots, deps);
    const usual = 'Point at the curve, or focus it and use the arrow keys; a click or Enter replays with that size.';
    const readout = h('p', { id: 'size-readout', class: 'muted' }, usual);
    fill(
      this.body,
      sizeAnswer(view, today, deps),
      h('ul', { class: 'legend', 'aria-label': 'Legend of the size curve' }, sizeLegend(view, today, deps)),
      readout,
      h(
        'div',
        { class: 'size-figure' },
        h('div', { class: 'plot plot-size' }, canvas),
        h('div', { class: 'scroll' }, sizeTable(view, today, deps)),
      ),
      h('div', { class: 'scroll' }, smallestTable(view, deps)),
    );
    const chart = new SizeChart(canvas, readTheme(), {
      cursor: (slots) => {
        readout.textContent = slots === null ? usual : describe(slots);
      },
      choose: (slots) => deps.replay('fixed', slots),
      describe,
    });
    const best = view.smallest[0];
    const model = {
      series,
      recommended: recommendedSlots(best),
      knee: best?.kneeSlots ?? null,
      today,
      parameter: best?.bootParameter ?? null,
    };
    chart.show(model);
    this.chart = chart;
    this.offer(view, model, chart);
  }
}
