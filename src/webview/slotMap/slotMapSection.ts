import { formatCount, formatSlots } from '../../base/format';
import type { SlotMapMemory } from '../../protocol/panel';
import { type SlotColouring, type SlotsView, slotColourings } from '../../protocol/slots';
import type { LineRef } from '../../protocol/views';
import type { ChartTheme } from '../charts/theme';
import type { ShownRun } from '../charts/timeline';
import { fill, h } from '../dom';
import { framed } from '../exporting';
import type { PanelSection, SectionHost, SectionState } from '../sections/section';
import { classify, colouringTitles } from './classes';
import { eventText, notesOf } from './describe';
import { keyList } from './keyList';
import { mapLegend } from './legend';
import { type MapData, mapData } from './mapData';
import { mapSvg } from './mapSvg';
import { mapTable, mapTableExport } from './mapTable';
import { css, type MapTheme, type Rgb, readMapTheme } from './mapTheme';
import { MapView } from './mapView';
import { paintMap } from './paint';
import { Scrubber } from './scrubber';

/** What is to be shown next; the newest wish wins, older ones are never asked for. */
type Wish =
  | { readonly kind: 'time'; readonly timeNs: number; readonly isFollowing: boolean }
  | { readonly kind: 'move'; readonly what: 'event' | 'failure'; readonly direction: 'next' | 'previous' }
  | { readonly kind: 'firstFailure' }
  | { readonly kind: 'line'; readonly line: number; readonly isFollowing: boolean };

interface Side {
  readonly view: MapView;
  readonly picker: HTMLSelectElement;
  /** Run shown; null: this side is closed. */
  runId: string | null;
  data: MapData | null;
}

/** Pools × segments × slots at one moment, of one run or of two. */
export class SlotMapSection implements PanelSection {
  readonly id = 'slot-map';
  readonly title = 'Slot map';
  private host!: SectionHost;
  private state: SectionState | null = null;
  private theme!: MapTheme;
  private sides: readonly [Side, Side] | null = null;
  private scrubber: Scrubber | null = null;
  private colouring: SlotColouring = 'device';
  /** A file that grows, or a reload of the window, must not throw the reader back to the start. */
  private kept: SlotMapMemory | null = null;
  /** The moment is one from before; the line that the editor stands on all the while is no reason to leave it. */
  private isBack = false;
  private standingLine: number | null = null;
  /** The side that steps are taken on; the other one follows in time. */
  private lead: 0 | 1 = 0;
  private hasChosen = false;
  private atNs = 0;
  /** Until then the editor moves because somebody followed a mapping to its line: the moment stays. */
  private revealedUntilMs = 0;
  private wish: Wish | null = null;
  private pendingLine: number | null = null;
  private isBusy = false;
  private isGone = false;
  private readonly line = h('p', { id: 'map-event', role: 'status' });
  private readonly spoken = h('p', { class: 'visually-hidden', 'aria-live': 'polite' });
  private readonly notice = h('p', { id: 'map-notice', class: 'muted', role: 'status' });
  private readonly legend = h('ul', { id: 'map-legend', class: 'legend', 'aria-label': 'Legend of the slot map' });
  private readonly notes = h('ul', { id: 'map-notes', class: 'plain muted' });
  private readonly table = h('div', { class: 'scroll' });
  private readonly tableHolder = h(
    'details',
    { class: 'data-table', 'data-table': 'slot-map', toggle: () => this.fillTable() },
    h('summary', null, 'Slots as a table'),
    this.table,
  );
  private readonly keys = keyList();

  mount(host: SectionHost): void {
    this.host = host;
    this.kept = host.slotMap();
    this.colouring = this.kept?.colouring ?? 'device';
    this.isBack = this.kept?.atNs != null;
    this.theme = readMapTheme();
    const first = this.side(0, 'Slots of the first run');
    const second = this.side(1, 'Slots of the second run');
    this.sides = [first, second];
    const scrubber = h('canvas', {
      id: 'slot-scrubber',
      role: 'slider',
      tabindex: 0,
      'aria-label': 'Moment that the slot map shows',
      'aria-orientation': 'horizontal',
    });
    this.scrubber = new Scrubber(scrubber, host.theme(), {
      time: (timeNs) => this.want({ kind: 'time', timeNs, isFollowing: false }),
      key: (event) => this.scrubKey(event) || this.timeKey(event),
    });
    fill(
      host.body,
      h(
        'div',
        { class: 'map-bar' },
        this.colourPicker(),
        runLabel('Run', first),
        runLabel('beside', second),
        this.zoomButtons(),
      ),
      h('div', { class: 'map-moment' }, this.stepButtons(), this.line, this.notice),
      h('div', { class: 'maps' }, first.view.element, second.view.element),
      scrubber,
      this.legend,
      this.notes,
      this.spoken,
      this.tableHolder,
      this.keys,
    );
    host.exportable({
      id: 'slot-map',
      title: 'Slot map',
      png: () => this.exportPng(),
      svg: () => this.exportSvg(),
      table: () => mapTableExport(this.sides?.[this.lead].data ?? null),
    });
  }

  update(state: SectionState): void {
    const before = this.state;
    this.state = state;
    const runs = (of: SectionState | null) => of?.runs.map((run) => run.id).join() ?? '';
    const isChanged = before === null || runs(before) !== runs(state) || before.front?.id !== state.front?.id;
    if (isChanged) {
      this.chooseRuns(state);
    }
    if (state.runs.length === 0) {
      fill(this.line, emptyText(state));
      return;
    }
    if (this.pendingLine !== null) {
      this.want({ kind: 'line', line: this.pendingLine, isFollowing: false });
      this.pendingLine = null;
    } else if (before === null) {
      this.want(this.beginning(state));
    } else if (isChanged) {
      this.want({ kind: 'time', timeNs: this.atNs, isFollowing: true });
    }
    this.drawScrubber();
  }

  /** A command wants the moment of a line of the trace. */
  showLine(line: number): void {
    if (this.state === null || this.state.runs.length === 0) {
      this.pendingLine = line;
    } else {
      this.want({ kind: 'line', line, isFollowing: false });
    }
  }

  /** Several events may have one time: the editor is followed by its line. */
  onCursor(timeNs: number | null, source: 'charts' | 'editor'): void {
    const isNew = timeNs !== this.atNs && source === 'charts';
    if (timeNs !== null && isNew && this.state !== null && 0 < this.state.runs.length) {
      this.want({ kind: 'time', timeNs, isFollowing: true });
    }
  }

  editorAt(line: number): void {
    if (this.isBack) {
      this.standingLine ??= line;
      if (line === this.standingLine) {
        return;
      }
      this.isBack = false;
    }
    if (this.revealedUntilMs < performance.now() && this.state !== null && 0 < this.state.runs.length) {
      this.want({ kind: 'line', line, isFollowing: true });
    }
  }

  onTheme(theme: ChartTheme): void {
    this.theme = readMapTheme();
    this.scrubber?.setTheme(theme);
    for (const { view } of this.sides ?? []) {
      view.setTheme(this.theme);
    }
    this.drawLegend();
  }

  private keep(change: Partial<SlotMapMemory>): void {
    this.kept = { colouring: this.colouring, atNs: null, runs: null, ...this.kept, ...change };
    this.host.keepSlotMap(this.kept);
  }

  destroy(): void {
    this.isGone = true;
    this.scrubber?.destroy();
    for (const { view } of this.sides ?? []) {
      view.destroy();
    }
  }

  // Controls ---------------------------------------------------------------

  private side(index: 0 | 1, label: string): Side {
    const picker = h('select', {
      class: 'map-run',
      'data-side': index,
      change: () => {
        this.hasChosen = true;
        this.setRun(index, picker.value === '' ? null : picker.value);
        this.keep({ runs: { first: this.sides![0].runId, second: this.sides![1].runId } });
        this.want({ kind: 'time', timeNs: this.atNs, isFollowing: true });
      },
    });
    const view = new MapView(label, this.theme, {
      detail: (move) => this.host.ask('slotDetail', { run: this.runOf(index)!.run.key, move }),
      reveal: (place) => this.reveal(place),
      key: (event) => this.timeKey(event),
      say: (text) => {
        this.spoken.textContent = text;
      },
      focus: () => {
        this.lead = index;
        this.sides?.forEach((side, at) => {
          side.view.element.classList.toggle('lead', at === index);
        });
      },
    });
    return { view, picker, runId: null, data: null };
  }

  private colourPicker(): HTMLElement {
    const select: HTMLSelectElement = h(
      'select',
      {
        id: 'map-colour',
        change: () => {
          this.colouring = select.value as SlotColouring;
          this.keep({ colouring: this.colouring });
          this.draw();
        },
      },
      slotColourings.map((name) =>
        h('option', { value: name, selected: name === this.colouring }, colouringTitles[name]),
      ),
    );
    return h('label', null, 'Colour by ', select);
  }

  private zoomButtons(): HTMLElement {
    const button = (label: string, title: string, factor: number) =>
      h(
        'button',
        { type: 'button', class: 'secondary', title, 'aria-label': title, click: () => this.zoom(factor) },
        label,
      );
    return h(
      'span',
      { class: 'map-zoom', role: 'group', 'aria-label': 'Zoom of the slot map' },
      button('−', 'Smaller rows (-)', 0.5),
      button('+', 'Larger rows (+)', 2),
      button('Fit', 'Show all rows (0)', 0),
    );
  }

  private stepButtons(): HTMLElement {
    const button = (
      id: string,
      label: string,
      title: string,
      what: 'event' | 'failure',
      direction: 'next' | 'previous',
    ) =>
      h(
        'button',
        { type: 'button', class: 'secondary', id, title, click: () => this.want({ kind: 'move', what, direction }) },
        label,
      );
    return h(
      'span',
      { class: 'map-steps', role: 'group', 'aria-label': 'Steps in time' },
      button('map-previous-failure', '◂ Failure', 'Previous failure (p)', 'failure', 'previous'),
      button('map-previous-event', '◂ Event', 'Previous event (,)', 'event', 'previous'),
      button('map-next-event', 'Event ▸', 'Next event (.)', 'event', 'next'),
      button('map-next-failure', 'Failure ▸', 'Next failure (n)', 'failure', 'next'),
    );
  }

  private timeKey(event: KeyboardEvent): boolean {
    const move = (what: 'event' | 'failure', direction: 'next' | 'previous') => () =>
      this.want({ kind: 'move', what, direction });
    const actions: Readonly<Record<string, () => void>> = {
      '.': move('event', 'next'),
      ',': move('event', 'previous'),
      n: move('failure', 'next'),
      p: move('failure', 'previous'),
      '+': () => this.zoom(2),
      '=': () => this.zoom(2),
      '-': () => this.zoom(0.5),
      '0': () => this.zoom(0),
      '?': () => {
        this.keys.open = !this.keys.open;
      },
    };
    const action = actions[event.key];
    action?.();
    return action !== undefined;
  }

  private scrubKey(event: KeyboardEvent): boolean {
    const { state } = this;
    if (state === null) {
      return false;
    }
    const { fromNs, toNs } = state.range;
    const stepNs = (toNs - fromNs) / (event.shiftKey ? 20 : 200);
    const times: Readonly<Record<string, number>> = {
      ArrowLeft: this.atNs - stepNs,
      ArrowRight: this.atNs + stepNs,
      Home: fromNs,
      End: toNs,
    };
    const timeNs = times[event.key];
    if (timeNs !== undefined) {
      const inside = Math.min(Math.max(timeNs, state.whole.fromNs), state.whole.toNs);
      this.want({ kind: 'time', timeNs: inside, isFollowing: false });
    }
    return timeNs !== undefined;
  }

  private zoom(factor: number): void {
    for (const { view } of this.sides ?? []) {
      view.zoom(factor);
    }
  }

  // Runs -------------------------------------------------------------------

  private chooseRuns(state: SectionState): void {
    const [first, second] = this.sides!;
    const has = (id: string | null) => id !== null && state.runs.some((run) => run.id === id);
    const { first: before = null, second: beside = null } = this.kept?.runs ?? {};
    if (!this.hasChosen && has(before)) {
      this.hasChosen = true;
      this.setRun(0, before);
      this.setRun(1, has(beside) ? beside : null);
    } else if (!this.hasChosen || !has(first.runId)) {
      const front = state.front?.id ?? state.runs[0]?.id ?? null;
      const recorded = state.runs.find((run) => run.isRecorded)?.id ?? front;
      this.setRun(0, recorded);
      this.setRun(1, front === recorded ? null : front);
    } else if (second.runId !== null && !has(second.runId)) {
      this.setRun(1, null);
    }
    const option = (run: ShownRun, chosen: string | null) =>
      h('option', { value: run.id, selected: run.id === chosen }, run.label);
    fill(
      first.picker,
      state.runs.map((run) => option(run, first.runId)),
    );
    fill(
      second.picker,
      h('option', { value: '', selected: second.runId === null }, 'nothing'),
      state.runs.map((run) => option(run, second.runId)),
    );
  }

  private setRun(index: 0 | 1, id: string | null): void {
    const side = this.sides![index];
    side.runId = id;
    side.data = null;
    side.view.element.hidden = id === null;
    side.view.element.parentElement?.classList.toggle('two', this.sides![1].runId !== null);
    if (this.sides![this.lead].runId === null) {
      this.lead = 0;
    }
  }

  private runOf(index: 0 | 1): ShownRun | null {
    const id = this.sides?.[index].runId;
    return this.state?.runs.find((run) => run.id === id) ?? null;
  }

  /** The first failure, else the moment with most slots in use: where there is something to see. */
  private beginning(state: SectionState): Wish {
    const known = this.kept?.atNs ?? state.cursorNs;
    if (known !== null) {
      // What is kept may be of a longer recording.
      const timeNs = Math.min(Math.max(known, state.whole.fromNs), state.whole.toNs);
      return { kind: 'time', timeNs, isFollowing: true };
    }
    if (0 < (this.runOf(this.lead)?.run.failed ?? 0)) {
      return { kind: 'firstFailure' };
    }
    const series = this.runOf(this.lead)?.series ?? null;
    const top = series === null ? -1 : series.usedSlots.indexOf(Math.max(...series.usedSlots));
    return { kind: 'time', timeNs: series?.timeNs[top] ?? state.range.fromNs, isFollowing: true };
  }

  // Moments ----------------------------------------------------------------

  private want(wish: Wish): void {
    this.wish = wish;
    if (!this.isBusy) {
      void this.serve();
    }
  }

  /** One question at a time; scrubbing fast skips what nobody waits for any more. */
  private async serve(): Promise<void> {
    this.isBusy = true;
    try {
      while (this.wish !== null && !this.isGone) {
        const wish = this.wish;
        this.wish = null;
        await this.fulfil(wish);
      }
    } catch (error) {
      if (!this.isGone) {
        fill(
          this.line,
          h('span', { class: 'error', role: 'alert' }, error instanceof Error ? error.message : String(error)),
        );
      }
    } finally {
      this.isBusy = false;
    }
  }

  private async fulfil(wish: Wish): Promise<void> {
    const run = this.runOf(this.lead);
    if (run === null) {
      return;
    }
    const lead = this.sides![this.lead];
    const view = await this.askLead(run, wish, lead.data);
    if (view === null) {
      if (!isFollowing(wish)) {
        this.tell(whyNot(wish, run));
      } else if (lead.data === null && this.state !== null) {
        // The editor is where nothing happens yet.
        this.want(this.beginning({ ...this.state, cursorNs: null }));
      }
      return;
    }
    const atNs = wish.kind === 'time' ? wish.timeNs : view.timeNs;
    const other = this.sides![this.lead === 0 ? 1 : 0];
    const otherRun = this.runOf(this.lead === 0 ? 1 : 0);
    const otherView = otherRun === null ? null : await this.host.ask('slots', { run: otherRun.run.key, timeNs: atNs });
    if (this.isGone || lead.runId !== run.id) {
      return;
    }
    this.tell('');
    this.atNs = atNs;
    this.keep({ atNs });
    lead.data = mapData(view);
    other.data = otherView === null ? null : mapData(otherView);
    this.draw();
    if (view.event?.failure !== null && wish.kind !== 'time') {
      lead.view.showFailure();
    }
    if (!isFollowing(wish)) {
      this.tellOthers();
    }
  }

  /** Below the moment, and read aloud. */
  private tell(text: string): void {
    this.notice.textContent = text;
  }

  private askLead(run: ShownRun, wish: Wish, shown: MapData | null): Promise<SlotsView | null> {
    const { key } = run.run;
    switch (wish.kind) {
      case 'time':
        return this.host.ask('slots', { run: key, timeNs: wish.timeNs });
      case 'line':
        return this.host.ask('slotLine', { run: key, line: wish.line });
      case 'firstFailure':
        return this.host.ask('slotStep', { run: key, step: 0, kind: 'failure', direction: 'next' });
      default:
        return this.host.ask('slotStep', {
          run: key,
          step: shown?.view.step ?? 0,
          kind: wish.what,
          direction: wish.direction,
        });
    }
  }

  /** The charts follow; the visible part of the time axis does, too. */
  private tellOthers(): void {
    const { state, atNs } = this;
    if (state !== null && (atNs < state.range.fromNs || state.range.toNs < atNs)) {
      const half = (state.range.toNs - state.range.fromNs) / 2;
      this.host.setRange({ fromNs: atNs - half, toNs: atNs + half });
    }
    this.host.setCursor(atNs);
  }

  // Drawing ----------------------------------------------------------------

  private draw(): void {
    const { state, sides } = this;
    if (state === null || sides === null) {
      return;
    }
    ([0, 1] as const).forEach((index) => {
      const { data, view } = sides[index];
      const run = this.runOf(index);
      if (data !== null && run !== null) {
        view.element.classList.toggle('lead', index === this.lead);
        view.show(
          titleOf(run, data),
          data,
          classify(data, this.colouring),
          state.time,
          sides[index === 0 ? 1 : 0].data,
        );
      }
    });
    const lead = sides[this.lead].data;
    if (lead !== null) {
      this.drawLine(lead, state);
      fill(
        this.notes,
        [...new Set(sides.flatMap(({ data }) => (data === null ? [] : notesOf(data.view))))].map((note) =>
          h('li', null, note),
        ),
      );
    }
    this.drawLegend();
    this.drawScrubber();
    this.fillTable();
  }

  private drawLine(data: MapData, { time, range }: SectionState): void {
    const { view } = data;
    const place = view.event?.place ?? null;
    const at = time.absolute(this.atNs, Math.min(1e6, range.toNs - range.fromNs));
    fill(
      this.line,
      h('span', { class: 'map-at' }, at),
      h('span', { class: view.event?.failure === null || view.event === null ? '' : 'fails' }, eventText(data)),
      place === null
        ? null
        : h(
            'button',
            { type: 'button', class: 'link', 'data-map-line': place.line, click: () => this.reveal(place) },
            `line ${formatCount(place.line)}`,
          ),
      h(
        'span',
        { class: 'muted' },
        `step ${formatCount(view.step - view.firstStep)} of ${formatCount(view.lastStep - view.firstStep)}`,
      ),
    );
  }

  private drawLegend(): void {
    const maps = (this.sides ?? []).flatMap(({ data }) => (data === null ? [] : [classify(data, this.colouring)]));
    fill(this.legend, mapLegend(maps, this.theme));
  }

  private drawScrubber(): void {
    const { state } = this;
    if (state === null || this.scrubber === null) {
      return;
    }
    const data = this.sides![this.lead].data;
    this.scrubber.show({
      run: this.runOf(this.lead),
      range: state.range,
      atNs: this.atNs,
      isFailure: data?.view.event?.failure != null,
      valueText:
        data === null
          ? ''
          : `${state.time.absolute(this.atNs, state.range.toNs - state.range.fromNs)}: ${eventText(data)}`,
    });
  }

  private fillTable(): void {
    const data = this.sides?.[this.lead].data ?? null;
    if (this.tableHolder.open && data !== null) {
      fill(
        this.table,
        mapTable(data, (move) => void this.follow(move)),
      );
    }
  }

  private reveal(place: LineRef): void {
    this.revealedUntilMs = performance.now() + 2000;
    this.host.reveal(place);
  }

  /** To the line that made a mapping, else to the one that ended it. */
  private async follow(move: number): Promise<void> {
    const run = this.runOf(this.lead);
    const detail = run === null ? null : await this.host.ask('slotDetail', { run: run.run.key, move });
    const place = detail?.map ?? detail?.unmap ?? null;
    if (place !== null) {
      this.reveal(place);
    }
  }

  // Files ------------------------------------------------------------------

  private exportPng(): HTMLCanvasElement {
    const canvas = document.createElement('canvas');
    const { view, data } = this.sides![this.lead];
    const run = this.runOf(this.lead);
    const whole = view.wholePicture();
    if (whole === null || data === null || run === null || this.state === null) {
      return canvas;
    }
    // Browsers refuse to make canvases much larger than this.
    const ratio = Math.max(0.5, Math.min(2, 12_000 / (whole.height + 8)));
    paintMap(canvas, whole.picture, { scrollTop: 0, width: whole.width, height: whole.height + 8, ratio });
    const { classes } = classify(data, this.colouring);
    const legend = classes.flatMap(({ sign, label, mappings }, index) =>
      mappings === 0 ? [] : [{ label: `${sign} ${label}`, colour: css(this.coloursOf()[index]!), dash: [] }],
    );
    return framed(canvas, titleOf(run, data), this.momentText(data), legend, this.host.theme());
  }

  private coloursOf(): readonly Rgb[] {
    return this.colouring === 'age' || this.colouring === 'size' ? this.theme.ramp : this.theme.classes;
  }

  private momentText(data: MapData): string {
    return `${this.state!.trace.name} · ${this.state!.time.absolute(this.atNs, 1e6)} · ${eventText(data)}`;
  }

  private exportSvg(): string {
    const side = this.sides![this.lead];
    const run = this.runOf(this.lead);
    const whole = side.view.wholePicture();
    if (whole === null || side.data === null || run === null || this.state === null) {
      return '';
    }
    return mapSvg(whole.picture, {
      title: titleOf(run, side.data),
      subtitle: this.momentText(side.data),
      width: whole.width,
    });
  }
}

/** Somebody else moved, and the map goes along. */
function isFollowing(wish: Wish): boolean {
  return (wish.kind === 'time' || wish.kind === 'line') && wish.isFollowing;
}

/** There are mappings, but no run of them took a slot. */
function emptyText({ trace }: SectionState): string {
  return trace.bounced === 0
    ? 'Nothing bounced in this trace, so no slot was taken. A dry run for a confidential VM, under Pool size, replays its mappings as if they had to bounce.'
    : 'No run of this trace could be made, so there are no slots to draw.';
}

function whyNot(wish: Wish, { label }: ShownRun): string {
  if (wish.kind === 'line') {
    return 'No request at or before that line.';
  }
  if (wish.kind !== 'move') {
    return 'There is nothing to show there.';
  }
  const where = wish.direction === 'next' ? 'after' : 'before';
  return `${label}: no ${wish.what} ${where} this moment.`;
}

/** `Recorded: 382 slots in use, 130 free, largest hole 37`. */
function titleOf(run: ShownRun, data: MapData): string {
  const used = data.slots.reduce((sum, slots) => sum + slots, 0);
  const hole = data.view.largestHole?.slots ?? 0;
  return `${run.label}: ${formatSlots(used)} in use, ${formatCount(data.view.freeSlots)} free, largest hole ${formatCount(hole)}`;
}

function runLabel(text: string, { picker }: Side): HTMLElement {
  return h('label', null, `${text} `, picker);
}
