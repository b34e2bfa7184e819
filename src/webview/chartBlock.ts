import { formatSlotsAndBytes } from '../base/format';
import { type LineRef, type PolicySettings, type RunKey, runId } from '../protocol/views';
import type { SlotsExtent } from './charts/axes';
import { bandOf, type Plot } from './charts/model';
import { Overview } from './charts/overview';
import { poolsAt } from './charts/poolRows';
import { clampRange, type Range } from './charts/scale';
import { type ChartTheme, readTheme } from './charts/theme';
import { Timeline, type TimelineModel } from './charts/timeline';
import { byId, fill, h } from './dom';
import { labelOf } from './labels';
import { type TableKind, tableKinds } from './page';
import { dataTable } from './sections/dataTable';
import { legend } from './sections/legend';
import { styleOf } from './sections/policies';
import { readoutRows } from './sections/readout';
import { type AskSeries, SeriesCache } from './series';
import { isWhole, type PanelState, shownKeys, wholeRange } from './state';

/** The overview is a strip: this many columns are enough at any width. */
const overviewBuckets = 600;

export interface ChartBlockDeps {
  readonly state: PanelState;
  readonly askSeries: AskSeries;
  readonly reveal: (place: LineRef) => void;
  readonly revealTime: (timeNs: number) => void;
  readonly failed: (title: string, error: unknown) => void;
  /** The charts show something else now. */
  readonly drawn: () => void;
  readonly cursor: () => void;
  /** Another range is shown. */
  readonly ranged: () => void;
}

/** The charts on the shared time axis with their legend, readout, tables and overview; fetches the windows they show. */
export class ChartBlock {
  private readonly deps: ChartBlockDeps;
  private readonly series: SeriesCache;
  private timeline: Timeline | null = null;
  private overview: Overview | null = null;
  private editorNs: number | null = null;
  /** Grows with every trace; windows of an earlier one are dropped. */
  private generation = 0;
  private rangeTimer = 0;
  /** A drawing that is due. */
  private frame = 0;

  constructor(deps: ChartBlockDeps) {
    this.deps = deps;
    this.series = new SeriesCache(deps.askSeries);
  }

  /** The page was built anew. */
  create(): void {
    const theme = readTheme();
    const canvas = (plot: string) => byId<HTMLCanvasElement>(`chart-${plot}`);
    this.timeline = new Timeline(
      {
        slots: canvas('slots'),
        pools: canvas('pools'),
        transient: canvas('transient'),
        memory: canvas('memory'),
        stalls: canvas('stalls'),
      },
      theme,
      {
        range: (range) => this.setRange(range),
        cursor: (timeNs) => {
          this.showReadout(timeNs);
          this.deps.cursor();
        },
        reveal: this.deps.reveal,
        revealTime: this.deps.revealTime,
        capacityHidden: (extent) => this.showCapacityNote(extent),
        help: toggleHelp,
      },
    );
    this.timeline.setEditorCursor(this.editorNs);
    this.overview = new Overview(byId('overview'), theme, (range) => this.setRange(range));
  }

  /** Nothing of the trace so far may be shown any more. */
  clear(): void {
    this.generation++;
    this.series.clear();
    this.timeline?.destroy();
    this.timeline = null;
    this.overview = null;
  }

  setTheme(theme: ChartTheme): void {
    this.timeline?.setTheme(theme);
    this.overview?.setTheme(theme);
  }

  /** A key of the time axis that no element took. */
  key(event: KeyboardEvent): boolean {
    return this.timeline?.key(event) ?? false;
  }

  /** The pointer's or keyboard's place on the time axis, else the editor's. */
  cursorNs(): number | null {
    return this.timeline?.cursor() ?? this.editorNs;
  }

  /** Whose place `cursorNs` is. */
  cursorSource(): 'charts' | 'editor' {
    return this.timeline?.cursor() == null ? 'editor' : 'charts';
  }

  setCursor(timeNs: number | null): void {
    this.timeline?.setCursor(timeNs);
  }

  /** Where the editor's cursor is; the visible range follows it. */
  setEditorCursor(timeNs: number | null): void {
    const { timeline } = this;
    const moved = timeNs !== this.editorNs;
    this.editorNs = timeNs;
    if (timeline === null) {
      // The page is on its way, or the trace has nothing to draw: charts that come later begin with this place.
      return;
    }
    if (timeNs !== null && moved) {
      // Whoever moved last is the cursor; a pointer that rests on a chart takes it back with its next movement.
      timeline.setCursor(null);
    }
    const { range } = this.deps.state;
    const whole = wholeRange(this.deps.state);
    const isOutside = timeNs !== null && (timeNs < range.fromNs || range.toNs < timeNs);
    if (isOutside && whole.fromNs <= timeNs && timeNs <= whole.toNs) {
      const half = (range.toNs - range.fromNs) / 2;
      this.setRange({ fromNs: timeNs - half, toNs: timeNs + half });
    }
    timeline.setEditorCursor(timeNs);
    this.showReadout(timeline.cursor());
    this.deps.cursor();
  }

  picture(plot: Plot): HTMLCanvasElement {
    return this.timeline!.picture(plot);
  }

  setRange(range: Range): void {
    const { state } = this.deps;
    state.range = clampRange(range, wholeRange(state));
    this.timeline?.setRange(state.range);
    this.showRange();
    this.drawSoon();
    this.deps.ranged();
    window.clearTimeout(this.rangeTimer);
    this.rangeTimer = window.setTimeout(() => void this.refresh(), 60);
  }

  /** The visible range in words. */
  showRange(): void {
    const { range, time, trace } = this.deps.state;
    const spanNs = range.toNs - range.fromNs;
    const unit = trace?.hasTime === true ? time.unit : '';
    byId('range').textContent = `${time.tick(range.fromNs, spanNs)}–${time.tick(range.toNs, spanNs)}${unit}`;
    byId('reset-range').hidden = isWhole(this.deps.state);
  }

  /** Asks for the windows of every shown run that are not there yet, then draws. */
  async refresh(): Promise<void> {
    const { timeline } = this;
    const { state } = this.deps;
    if (timeline === null || state.runs.size === 0) {
      return;
    }
    const mine = this.generation;
    this.draw();
    // The first drawing decides how wide the plot is.
    const width = timeline.plotWidth();
    const wanted = shownKeys(state).filter((key) => state.runs.get(runId(key))?.replayable === true);
    try {
      await Promise.all([
        ...wanted.map((key) => this.series.fetch(key, state.range, width, true)),
        ...wanted.map((key) => this.series.fetch(key, wholeRange(state), overviewBuckets, false)),
        ...this.bandKeys().map((key) => this.series.fetch(key, state.range, width, true)),
      ]);
    } catch (error) {
      if (mine === this.generation) {
        this.deps.failed('The charts could not be drawn.', error);
      }
      return;
    }
    if (mine === this.generation) {
      this.draw();
      for (const kind of tableKinds) {
        this.fillTable(kind);
      }
      this.deps.drawn();
    }
  }

  /** At most one drawing per frame, however fast the range moves. */
  private drawSoon(): void {
    if (this.frame === 0) {
      this.frame = window.requestAnimationFrame(() => {
        this.frame = 0;
        this.draw();
      });
    }
  }

  draw(): void {
    const model = this.model();
    const { trace, range } = this.deps.state;
    const { timeline, overview } = this;
    if (model === null || trace === null || timeline === null || overview === null) {
      return;
    }
    const { runs } = model;
    byId('transient-block').hidden = runs.every(({ run }) => run.transient.count === 0);
    byId('stalls-block').hidden = runs.every(({ run }) => run.stalls.count === 0);
    byId('pools-block').hidden = runs.every(({ run, isFront }) => !isFront || run.pools.length === 0);
    timeline.show(model);
    fill(byId('legend'), legend(trace, model));
    this.showReadout(timeline.cursor());
    const whole = wholeRange(this.deps.state);
    overview.show({
      whole,
      range,
      runs: runs.map(({ id, style, isFront }) => ({
        series: this.series.exact(id, whole, overviewBuckets),
        style,
        isFront,
      })),
      failureTimesNs: runs.find((shown) => shown.isFront)?.run.failures.map((mark) => mark.timeNs) ?? [],
      describe: (timeNs) => model.time.absolute(timeNs, range.toNs - range.fromNs),
    });
  }

  /** The table beside a chart, when it is open. */
  fillTable(kind: TableKind): void {
    const details = document.querySelector<HTMLDetailsElement>(`details[data-table="${kind}"]`);
    const holder = details?.querySelector('.scroll');
    const model = this.model();
    if (details?.open === true && holder && model !== null) {
      fill(holder, dataTable(kind, model));
    }
  }

  model(): TimelineModel | null {
    const { trace, range, showCapacity, time } = this.deps.state;
    return trace === null || this.timeline === null
      ? null
      : {
          runs: this.shownRuns(),
          samples: trace.samples,
          band: this.band(),
          range,
          whole: wholeRange(this.deps.state),
          time,
          hasTime: trace.hasTime,
          showCapacity,
        };
  }

  /** The runs that could be replayed, the recorded one first. */
  shownRuns(): TimelineModel['runs'] {
    const { state } = this.deps;
    const width = this.timeline?.plotWidth() ?? 0;
    return shownKeys(state).flatMap((key) => {
      const id = runId(key);
      const run = state.runs.get(id);
      if (run === undefined || !run.replayable) {
        return [];
      }
      const isRecorded = key.policy === 'recorded';
      return [
        {
          id,
          label: labelOf(key, run, state.assumptions),
          run,
          style: styleOf(key.policy, state.shown),
          isFront: state.front === id || (isRecorded && !state.runs.has(state.front)),
          isRecorded,
          series: this.series.get(id, state.range, width),
        },
      ];
    });
  }

  /** The whole of a run, thinned, for pictures of all of it; null while it is on its way. */
  overviewOf(id: string): TimelineModel['runs'][number]['series'] {
    return this.series.exact(id, wholeRange(this.deps.state), overviewBuckets);
  }

  /**
   * The run in front with other lifetimes, to draw how much depends on them: a tenth and ten times where all of them are
   * assumed and no samples say more, the quartiles of the known ones where a part is; none where hardly any is.
   */
  private bandKeys(): RunKey[] {
    const { state } = this.deps;
    const key = shownKeys(state).find((other) => runId(other) === state.front);
    const run = state.runs.get(state.front);
    const kind = run === undefined ? null : bandOf(run, state.trace);
    if (key === undefined || kind === null) {
      return [];
    }
    const sets: readonly PolicySettings[] =
      kind === 'scaled'
        ? [{ lifetimeScale: 0.1 }, { lifetimeScale: 10 }]
        : [{ lifetimeQuantile: 0.25 }, { lifetimeQuantile: 0.75 }];
    return sets.map((set) => ({ ...key, set: { ...key.set, ...set } }));
  }

  private band(): TimelineModel['band'] {
    const width = this.timeline?.plotWidth() ?? 0;
    const [low, high] = this.bandKeys().map((key) => this.series.get(runId(key), this.deps.state.range, width));
    return low && high ? [low, high] : null;
  }

  private showReadout(timeNs: number | null): void {
    const model = this.model();
    const at = timeNs ?? this.editorNs;
    fill(byId('readout'), model === null ? null : readoutRows(model, at, timeNs === null && at !== null));
    const front = model?.runs.find((run) => run.isFront)?.run;
    byId('pools-readout').textContent =
      front === undefined ? '' : `${poolsAt(front, model!.whole, at)}${at === null ? ' in all' : ' at the cursor'}`;
  }

  private showCapacityNote({ capacityHidden, capacitySlots }: SlotsExtent): void {
    const { state } = this.deps;
    const note = byId('capacity-note');
    note.hidden = !capacityHidden && !state.showCapacity;
    const toggle = (label: string) => {
      const click = () => {
        state.showCapacity = !state.showCapacity;
        this.draw();
      };
      return h('button', { type: 'button', class: 'link', click }, label);
    };
    if (capacityHidden) {
      fill(note, `The capacity, ${formatSlotsAndBytes(capacitySlots)}, is above the chart. `, toggle('Show it'));
    } else if (state.showCapacity) {
      fill(note, toggle('Fit to the slots in use'));
    }
  }
}

function toggleHelp(): void {
  const keys = byId<HTMLDetailsElement>('keys');
  keys.open = !keys.open;
  if (keys.open) {
    keys.scrollIntoView({ block: 'nearest' });
  }
}
