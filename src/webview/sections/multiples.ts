import { formatBytes, formatCount, plural } from '../../base/format';
import { SLOT_BYTES } from '../../model/units';
import { slotsExtent } from '../charts/axes';
import type { ShownRun, TimelineModel } from '../charts/model';
import { SmallChart } from '../charts/small';
import { type ChartTheme, readTheme } from '../charts/theme';
import { fill, h } from '../dom';
import { listCauses } from '../verdict';
import { swatch } from './policies';

export interface MultiplesModel extends Pick<TimelineModel, 'whole' | 'time' | 'hasTime'> {
  /** With series over the whole time. */
  readonly runs: readonly ShownRun[];
}

/** One small chart per run, all on the same axes. */
export class Multiples {
  private readonly holder: HTMLElement;
  private readonly choose: (run: ShownRun) => void;
  private charts: { readonly id: string; readonly chart: SmallChart }[] = [];
  private model: MultiplesModel | null = null;

  /** `choose` is called for the run whose title was pressed. */
  constructor(holder: HTMLElement, choose: (run: ShownRun) => void) {
    this.holder = holder;
    this.choose = choose;
  }

  show(model: MultiplesModel): void {
    this.model = model;
    const isSame =
      model.runs.length === this.charts.length && model.runs.every((run, i) => run.id === this.charts[i]?.id);
    if (!isSame) {
      this.rebuild(model);
    }
    this.titles(model);
    this.draw(readTheme());
  }

  setTheme(theme: ChartTheme): void {
    this.draw(theme);
  }

  setCursor(timeNs: number | null): void {
    for (const { chart } of this.charts) {
      chart.setCursor(timeNs);
    }
  }

  destroy(): void {
    for (const { chart } of this.charts) {
      chart.destroy();
    }
    this.charts = [];
  }

  private rebuild({ runs }: MultiplesModel): void {
    this.destroy();
    const canvases = runs.map((run) => h('canvas', { role: 'img', 'data-small': run.id }));
    fill(
      this.holder,
      runs.map((_, index) =>
        h('figure', { class: 'small' }, h('figcaption', null), h('div', { class: 'small-plot' }, canvases[index])),
      ),
    );
    const theme = readTheme();
    this.charts = runs.map((run, index) => ({ id: run.id, chart: new SmallChart(canvases[index]!, theme) }));
  }

  private titles({ runs }: MultiplesModel): void {
    const figures = [...this.holder.querySelectorAll('figure')];
    runs.forEach((shown, index) => {
      const { run } = shown;
      const outcome = `${formatCount(run.failed)} failed · peak ${formatBytes(run.usedHighWaterSlots * SLOT_BYTES)}`;
      const causes = run.failed === 0 ? '' : ` (${listCauses(run.failuresByCause)})`;
      figures[index]!.classList.toggle('front', shown.isFront);
      fill(
        figures[index]!.querySelector('figcaption')!,
        h(
          'button',
          { type: 'button', class: 'small-title', title: 'Bring to the front', click: () => this.choose(shown) },
          swatch(shown.style, true),
          shown.label,
        ),
        h('span', { class: 'muted' }, ` ${outcome}`),
      );
      figures[index]!.querySelector('canvas')!.setAttribute(
        'aria-label',
        `Slots in use over time, ${shown.label}: ${plural(run.failed, 'failure')}${causes}, ${outcome}; the comparison table has the numbers`,
      );
    });
  }

  private draw(theme: ChartTheme): void {
    const { model } = this;
    if (model === null) {
      return;
    }
    const range = model.whole;
    const all = { ...model, runs: model.runs.map((run) => ({ ...run, isFront: true })) };
    const extent = slotsExtent({ ...all, samples: null, band: null, range, showCapacity: false });
    model.runs.forEach((run, index) => {
      this.charts[index]?.chart.show({ run, extent, whole: range, time: model.time, hasTime: model.hasTime }, theme);
    });
  }
}
