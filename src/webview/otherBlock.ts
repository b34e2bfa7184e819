import { type RunKey, type RunView, runId, type SeriesView, type TraceView } from '../protocol/views';
import { slotsExtent } from './charts/axes';
import type { ShownRun } from './charts/model';
import type { SmallModel } from './charts/small';
import { SmallChart } from './charts/small';
import { type ChartTheme, readTheme, runStyle } from './charts/theme';
import { fill, h } from './dom';
import { timeFormat } from './format';
import { otherSection, type Side, sideNames } from './sections/other';
import { sentenceOf } from './status';

export interface OtherDeps {
  readonly ask: (uri: string, run: RunKey) => Promise<{ readonly trace: TraceView; readonly run: RunView | null }>;
  readonly series: (run: RunView, key: RunKey) => Promise<SeriesView>;
  readonly otherSeries: (uri: string, run: RunView, key: RunKey) => Promise<SeriesView>;
}

/** The comparison with another trace: a table, and a chart of each on the same vertical axis. */
export class OtherBlock {
  private readonly holder: HTMLElement;
  private readonly deps: OtherDeps;
  private shows = '';
  private charts: SmallChart[] = [];
  private models: SmallModel[] = [];

  constructor(holder: HTMLElement, deps: OtherDeps) {
    this.holder = holder;
    this.deps = deps;
  }

  /** Shows the run of both traces; asks only when that is another pair. */
  async show(before: Side, uri: string, key: RunKey, label: string): Promise<void> {
    const mine = `${runId(key)} ${uri}`;
    this.holder.hidden = false;
    if (this.shows === mine) {
      return;
    }
    this.shows = mine;
    try {
      const after = await this.deps.ask(uri, key);
      if (this.shows !== mine) {
        return;
      }
      this.destroyCharts();
      const sides = [before, after] as const;
      const plots = sides.map(() => h('canvas', { role: 'img' }));
      const hasCharts = sides.every(({ run }) => run?.replayable === true);
      fill(this.holder, otherSection(before, after, label, hasCharts ? figures(sides, plots) : null));
      if (!hasCharts) {
        return;
      }
      const series = await Promise.all([
        this.deps.series(before.run!, key),
        this.deps.otherSeries(uri, after.run!, key),
      ]);
      if (this.shows === mine) {
        this.models = smallModels(sides, series, key, label);
        this.charts = plots.map((canvas) => new SmallChart(canvas, readTheme()));
        this.setTheme(readTheme());
      }
    } catch (error) {
      if (this.shows === mine) {
        fill(
          this.holder,
          h('p', { class: 'error', role: 'alert' }, `The other trace cannot be shown: ${sentenceOf(error)}`),
        );
      }
    }
  }

  setTheme(theme: ChartTheme): void {
    this.charts.forEach((chart, index) => {
      chart.show(this.models[index]!, theme);
    });
  }

  destroy(): void {
    this.shows = '';
    this.destroyCharts();
  }

  private destroyCharts(): void {
    for (const chart of this.charts) {
      chart.destroy();
    }
    this.charts = [];
  }
}

function figures(sides: readonly [Side, Side], plots: readonly HTMLCanvasElement[]): HTMLElement {
  const names = sideNames(sides[0].trace, sides[1].trace);
  return h(
    'div',
    { class: 'multiples' },
    plots.map((canvas, index) => {
      canvas.setAttribute('aria-label', `Slots in use over time, ${names[index]}; the table below has the numbers`);
      return h(
        'figure',
        { class: 'small' },
        h('figcaption', null, names[index]),
        h('div', { class: 'small-plot' }, canvas),
      );
    }),
  );
}

/** Each on its own time axis, from its own beginning; slots on the same scale. */
function smallModels(
  sides: readonly [Side, Side],
  series: readonly SeriesView[],
  key: RunKey,
  label: string,
): SmallModel[] {
  const runs = sides.map(
    (side, index): ShownRun => ({
      id: String(index),
      label,
      run: side.run!,
      style: runStyle(key.policy, 0),
      isFront: true,
      isRecorded: false,
      series: series[index]!,
    }),
  );
  const time = timeFormat(sides[0].trace, 'relative');
  const whole = { fromNs: 0, toNs: 1 };
  const extent = slotsExtent({
    runs,
    samples: null,
    band: null,
    range: whole,
    whole,
    time,
    hasTime: true,
    showCapacity: false,
  });
  return runs.map((run, index) => ({
    run,
    extent,
    whole: { fromNs: run.run.fromNs, toNs: Math.max(run.run.toNs, run.run.fromNs + 1) },
    time: timeFormat(sides[index]!.trace, 'relative'),
    hasTime: sides[index]!.trace.hasTime,
  }));
}
