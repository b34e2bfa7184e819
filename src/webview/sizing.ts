import type { SizeQuestion } from '../protocol/panel';
import type { SizeView } from '../protocol/views';
import { SizeChart } from './charts/sizeChart';
import { type ChartTheme, readTheme } from './charts/theme';
import { fill, h } from './dom';
import { type SizeActions, sizeAnswer, sizeLegend, sizeTable, smallestTable } from './sections/size';
import { recommendedSlots, sizeSeries } from './sizeCurve';

export interface SizingDeps extends SizeActions {
  readonly ask: (question: SizeQuestion) => Promise<SizeView>;
  readonly cancel: () => void;
  /** Slots of the recorded pool. */
  readonly today: number | null;
  /** CPUs of the recorded machine. */
  readonly cpus: number | null;
  readonly onAnswer: (view: SizeView) => Promise<void>;
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
    const again = () => {
      if (this.body.childElementCount !== 0 || this.isRunning) {
        void this.run();
      }
    };
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
      role: 'img',
      'aria-label': 'Requests that fail by pool size; the table beside it has the numbers',
    });
    fill(
      this.body,
      sizeAnswer(view, today, deps),
      h('ul', { class: 'legend', 'aria-label': 'Legend of the size curve' }, sizeLegend(view, today, deps)),
      h(
        'div',
        { class: 'size-figure' },
        h('div', { class: 'plot plot-size' }, canvas),
        h('div', { class: 'scroll' }, sizeTable(view, today, deps)),
      ),
      h('div', { class: 'scroll' }, smallestTable(view, deps)),
    );
    this.chart = new SizeChart(canvas, readTheme());
    this.chart.show({
      series: sizeSeries(view.curve),
      recommended: recommendedSlots(view.smallest[0]),
      knee: view.smallest[0]?.kneeSlots ?? null,
      today,
    });
  }
}
