import { formatCount, plural } from '../../base/format';
import { Channel } from '../../protocol/channel';
import {
  type AnalysisState,
  type EditorHostMethods,
  type EditorMethods,
  type EditorStart,
  editorMethods,
  type FileState,
  type Found,
  type LineFinding,
  type LineQuery,
  type QuerySlot,
  type Stamp,
  type TraceMarks,
  unreadFile,
} from '../../protocol/traceEditor';
import { byId, fill, h } from '../dom';
import { asksAnything, emptyQuery, FilterBar, FindBar, GoToBar, setPressed, toggle } from './bars';
import { Card } from './card';
import { Facts } from './facts';
import { type KeyAction, keyAction } from './keyActions';
import { keysPanel } from './keys';
import { LineSet } from './lineSet';
import { LineStore } from './lineStore';
import { columnAt, type RowModel, Rows, rowIdOf } from './rows';
import { drawRuler, type RulerModel, rowAtRuler } from './ruler';
import {
  clampTop,
  maxTop,
  pageRows,
  type ScrollGeometry,
  scrollHeight,
  scrollTopOf,
  topOfScroll,
  topToShow,
  visibleRows,
} from './scroll';
import { headLength, patternOf } from './segments';
import { stampText, type TimeMode, timeModes } from './stamps';

declare function acquireVsCodeApi(): {
  postMessage(message: unknown): void;
  setState(state: unknown): void;
  getState(): unknown;
};

/** How long the mouse rests before a card is asked for. */
const hoverMs = 350;
/** Lines looked at for the first time stamp: headers have none. */
const firstLines = 64;
/** An arrow key moves long lines so far. */
const sidewaysPixels = 40;

const timeWords: Readonly<Record<TimeMode, string>> = {
  delta: 'Time: since the row above',
  start: 'Time: since the start',
  boot: 'Time: since boot',
  absolute: 'Time: absolute',
};

/** What the page keeps when its window is reloaded. */
interface Memory {
  readonly top: number;
  readonly cursor: number;
  readonly timeMode: TimeMode;
  readonly filter: LineQuery;
  readonly isOnlyMatching: boolean;
}

interface Question {
  id: number;
  query: LineQuery | null;
  readonly lines: LineSet;
  isRunning: boolean;
  isFull: boolean;
  error: string | null;
}

const api = acquireVsCodeApi();

class TraceView {
  private readonly channel = new Channel<EditorMethods, EditorHostMethods>({
    methods: editorMethods,
    handlers: {
      state: (state) => this.onState(state),
      found: (found) => this.onFound(found),
      findings: ({ findings }) => this.onFindings(findings),
      analysis: (analysis) => this.onAnalysis(analysis),
      marks: (marks) => this.onMarks(marks),
      goTo: ({ line }) => {
        this.goToLine(line);
        return null;
      },
    },
    post: (message) => api.postMessage(message),
    onBug: (name, error) => this.announce(`${name}: ${String(error)}`),
  });

  private state: FileState = unreadFile;
  private analysis: AnalysisState = { phase: 'reading', done: 0, message: '', failureCount: 0 };
  private marks: TraceMarks | null = null;
  private findings = new Map<number, LineFinding[]>();
  private findingsVersion = 0;
  private ruled: { readonly key: string; readonly marks: RulerModel['marks'] } = { key: '', marks: [] };
  private failures: Uint32Array = new Uint32Array(0);
  private failureSet = new Set<number>();
  private readonly store = new LineStore(
    (lines) => this.channel.call('lines', { lines }),
    () => this.draw(),
  );
  private firstStamp: Stamp | null = null;
  private readonly questions: Record<QuerySlot, Question> = { find: question(), filter: question() };
  private findPattern: RegExp | null = null;
  private isOnlyMatching = true;
  /** Row at the upper edge, with its fraction. */
  private top = 0;
  /** One-based lines. */
  private cursor = 1;
  private anchor = 1;
  private timeMode: TimeMode = 'delta';
  private timeWidth = { key: '', digits: 0 };
  private isFollowing = false;
  private rowHeight = 20;
  /** The scrollbar's own events are told from those of the user by where it was put. */
  private scrollbarAt = 0;
  private isDrawing = false;
  private hoverTimer = 0;
  private cardQuestion = 0;

  private readonly view = h('div', {
    id: 'view',
    role: 'grid',
    tabindex: 0,
    'aria-label': 'Lines of the trace',
    'aria-multiselectable': 'true',
    'aria-readonly': 'true',
  });
  private readonly rowsHolder = h('div', { id: 'rows', role: 'presentation' });
  private readonly rows = new Rows(this.rowsHolder);
  private readonly spacer = h('div', { class: 'spacer' });
  private readonly scrollbar = h('div', { id: 'scrollbar', 'aria-hidden': 'true', tabindex: -1 }, this.spacer);
  private readonly ruler = h('canvas', { id: 'ruler', 'aria-hidden': 'true' });
  private readonly live = h('div', { id: 'live', class: 'visually-hidden', role: 'status', 'aria-live': 'polite' });
  private readonly facts = new Facts({
    nextFailure: () => this.nextFailure(true),
    analysis: (action) => this.ask(this.channel.call('analysis', { action })),
  });
  private readonly failureBox = h('p', { id: 'failure', role: 'alert', hidden: true });
  private readonly memberSelect = h('select', {
    id: 'member',
    title: 'File in the archive',
    'aria-label': 'File in the archive',
    hidden: true,
    change: (event) => this.ask(this.channel.call('member', { name: (event.target as HTMLSelectElement).value })),
  });
  private readonly timeSelect = h(
    'select',
    {
      id: 'time-mode',
      title: 'What the time column shows (t)',
      'aria-label': 'Time column',
      change: (event) => this.setTimeMode((event.target as HTMLSelectElement).value as TimeMode),
    },
    timeModes.map((mode) => h('option', { value: mode }, timeWords[mode])),
  );
  private readonly followButton = toggle('Follow', 'Follow the end of the file (l)', (isOn) => this.setFollowing(isOn));
  private readonly textButton = h(
    'button',
    { id: 'as-text', type: 'button', click: () => this.ask(this.channel.call('openAsText', null)) },
    'Open as text',
  );
  private readonly keys = keysPanel(() => this.view.focus());
  private readonly find = new FindBar({
    changed: (query) => this.startQuestion('find', query),
    next: (isForward) => this.nextMatch(isForward),
    closed: () => this.view.focus(),
  });
  private readonly filter = new FilterBar({
    changed: (query) => this.setFilter(query),
    onlyMatching: (isOn) => this.setOnlyMatching(isOn),
    closed: () => this.view.focus(),
  });
  private readonly goTo = new GoToBar({
    go: (line) => this.goToLine(line),
    closed: () => this.view.focus(),
  });
  private readonly card = new Card({
    show: (uri, line) => {
      this.card.close();
      this.ask(this.channel.call('show', { uri, line }));
    },
    act: (index) => {
      this.card.close();
      this.ask(this.channel.call('act', { index }));
    },
  });

  async start(): Promise<void> {
    this.build();
    this.listen();
    const start: EditorStart = await this.channel.call('ready', null);
    byId('status').dataset['state'] = 'ready';
    document.body.dataset['state'] = 'ready';
    this.restore(api.getState() as Partial<Memory> | undefined);
    this.onState(start.state);
    this.onFindings(start.findings);
    this.onAnalysis(start.analysis);
    if (start.marks !== null) {
      this.onMarks(start.marks);
    }
    if (start.line !== null) {
      this.goToLine(start.line);
    }
    this.view.focus();
  }

  private build(): void {
    const button = (id: string, label: string, title: string, click: () => void) =>
      h('button', { id, type: 'button', title, click }, label);
    this.view.append(this.rowsHolder);
    fill(
      byId('content'),
      h(
        'div',
        { id: 'toolbar', role: 'toolbar', 'aria-label': 'Trace' },
        this.memberSelect,
        button('open-find', 'Find', 'Find in the file (Ctrl+F)', () => this.find.open('')),
        button('open-filter', 'Filter', 'Filter lines (f)', () => this.filter.open()),
        this.timeSelect,
        this.followButton,
        h('span', { class: 'spacer' }),
        this.facts.work,
        this.facts.facts,
        this.textButton,
        button('open-keys', '?', 'Keys (?)', () => this.keys.open()),
      ),
      this.facts.progress,
      this.find.element,
      this.filter.element,
      this.goTo.element,
      this.filter.chips,
      this.failureBox,
      h('div', { id: 'body' }, this.view, this.ruler, this.scrollbar),
      this.card.element,
      this.keys.element,
      this.live,
    );
    this.followButton.id = 'follow';
    this.timeSelect.value = this.timeMode;
    this.measure();
  }

  // What the extension tells ------------------------------------------------------

  private onState(state: FileState): null {
    const before = this.state;
    this.state = state;
    if (state.generation !== before.generation) {
      this.store.clear();
      this.rows.reset();
      this.firstStamp = null;
      if (before.generation !== 0) {
        this.cursor = Math.min(this.cursor, Math.max(1, state.lineCount));
        this.anchor = this.cursor;
      }
    } else if (state.lineCount !== before.lineCount) {
      // It may have been half a line.
      this.store.forget(before.lineCount);
    }
    if (this.firstStamp === null && 0 < state.lineCount) {
      void this.findFirstStamp();
    }
    if (state.members.join('\n') !== before.members.join('\n')) {
      fill(
        this.memberSelect,
        state.members.map((name) => h('option', { value: name }, name)),
      );
    }
    this.memberSelect.value = state.member;
    this.memberSelect.hidden = state.members.length < 2;
    this.textButton.hidden = state.isPacked;
    this.failureBox.hidden = state.failure === null;
    this.failureBox.textContent = state.failure;
    if (this.isFollowing) {
      this.toEnd();
    }
    this.showFacts();
    this.draw();
    return null;
  }

  private onFound({ slot, id, lines, isDone, isFull, error }: Found): null {
    const asked = this.questions[slot];
    if (asked.id !== id) {
      return null;
    }
    const wasEmpty = asked.lines.length === 0;
    asked.lines.append(lines);
    asked.isRunning = !isDone;
    asked.isFull = isFull;
    asked.error = error;
    if (slot === 'find' && wasEmpty && 0 < lines.length && !asked.lines.has(this.cursor)) {
      // The first match from where the user is, as soon as one is known.
      this.goToLine(asked.lines.after(this.cursor - 1), false);
    }
    if (slot === 'filter' && this.isFollowing) {
      this.toEnd();
    }
    if (isDone) {
      this.rows.reset();
      this.announceCount(slot);
    }
    this.showCounts();
    this.draw();
    return null;
  }

  private onFindings(findings: readonly LineFinding[]): null {
    this.findings = new Map();
    this.findingsVersion++;
    for (const finding of findings) {
      const known = this.findings.get(finding.line);
      if (known === undefined) {
        this.findings.set(finding.line, [finding]);
      } else {
        known.push(finding);
      }
    }
    this.rows.reset();
    this.showFacts();
    this.draw();
    return null;
  }

  private onAnalysis(analysis: AnalysisState): null {
    const wasReading = this.analysis.phase === 'reading';
    this.analysis = analysis;
    if (wasReading && analysis.phase === 'done') {
      this.announce(`Analysed: ${plural(analysis.failureCount, 'failed mapping')}.`);
    }
    this.showFacts();
    return null;
  }

  private onMarks(marks: TraceMarks): null {
    this.marks = marks;
    this.failures = Uint32Array.from(marks.failures);
    this.failureSet = new Set(marks.failures);
    this.filter.setChoices(marks);
    this.rows.reset();
    this.showFacts();
    this.draw();
    return null;
  }

  private async findFirstStamp(): Promise<void> {
    const { generation, lineCount } = this.state;
    const lines = Array.from({ length: Math.min(firstLines, lineCount) }, (_, index) => index + 1);
    const shown = await this.channel.call('lines', { lines }).catch(() => []);
    if (generation === this.state.generation) {
      this.firstStamp = shown.find(({ stamp }) => stamp !== null)?.stamp ?? null;
      this.draw();
    }
  }

  // Questions -------------------------------------------------------------------------

  private startQuestion(slot: QuerySlot, query: LineQuery | null): void {
    const asked = this.questions[slot];
    asked.id++;
    asked.query = query;
    asked.lines.clear();
    asked.isRunning = query !== null;
    asked.isFull = false;
    asked.error = null;
    if (slot === 'find') {
      this.findPattern = patternOf(query);
    }
    const { id } = asked;
    this.channel.call('query', { slot, id, query }).catch((error: unknown) => {
      if (asked.id === id) {
        asked.isRunning = false;
        asked.error = error instanceof Error ? error.message : String(error);
        this.showCounts();
      }
    });
    this.rows.reset();
    this.showCounts();
    this.draw();
  }

  private setFilter(query: LineQuery): void {
    const line = this.cursor;
    this.startQuestion('filter', asksAnything(query) ? query : null);
    this.remember();
    if (!asksAnything(query)) {
      this.goToLine(line);
    } else {
      this.top = 0;
      this.draw();
    }
  }

  private setOnlyMatching(isOn: boolean): void {
    this.isOnlyMatching = isOn;
    this.filter.setOnlyMatching(isOn);
    this.showCounts();
    this.rows.reset();
    this.goToLine(this.cursor);
    this.remember();
  }

  private nextMatch(isForward: boolean): void {
    const { lines } = this.questions.find;
    let line = this.cursor;
    // Inside a filter only matches that can be seen count.
    for (let i = 0; i < lines.length; i++) {
      line = isForward ? lines.after(line) : lines.before(line);
      if (this.isShown(line)) {
        this.goToLine(line);
        this.showCounts();
        this.announceCount('find');
        return;
      }
    }
  }

  private nextFailure(isForward: boolean): void {
    const lines = new LineSet();
    lines.append(this.failures.length > 0 ? this.failures : this.linesWithErrors());
    let line = this.cursor;
    for (let i = 0; i < lines.length; i++) {
      line = isForward ? lines.after(line) : lines.before(line);
      if (this.isShown(line)) {
        this.goToLine(line);
        this.announce(`Failure ${lines.countBelow(line) + 1} of ${lines.length}, line ${line}.`);
        return;
      }
    }
    this.announce('No failure in this file.');
  }

  private linesWithErrors(): Uint32Array {
    const lines = [...this.findings].filter(([, found]) => found.some(({ severity }) => severity === 'error'));
    return Uint32Array.from(lines.map(([line]) => line).sort((a, b) => a - b));
  }

  // Rows and lines ------------------------------------------------------------------------

  private get isFiltered(): boolean {
    return this.isOnlyMatching && this.questions.filter.query !== null;
  }

  private get rowCount(): number {
    return this.isFiltered ? this.questions.filter.lines.length : this.state.lineCount;
  }

  private lineOf(row: number): number {
    return this.isFiltered ? this.questions.filter.lines.at(row) : row + 1;
  }

  /** The row of a line, or of the next line that is shown. */
  private rowOf(line: number): number {
    const row = this.isFiltered ? this.questions.filter.lines.countBelow(line) : line - 1;
    return Math.min(Math.max(0, row), Math.max(0, this.rowCount - 1));
  }

  private isShown(line: number): boolean {
    return !this.isFiltered || this.questions.filter.lines.has(line);
  }

  private geometry(): ScrollGeometry {
    return { rowCount: this.rowCount, rowHeight: this.rowHeight, viewHeight: this.rowsHeight() };
  }

  private rowsHeight(): number {
    return Math.max(this.rowHeight, this.view.clientHeight);
  }

  private goToLine(line: number, isCentred = true): void {
    const last = Math.max(1, this.isFiltered ? this.lineOf(this.rowCount - 1) : this.state.lineCount);
    this.setCursor(Math.min(Math.max(1, line), this.state.isComplete ? last : Math.max(last, line)), false, isCentred);
  }

  private setCursor(line: number, isSelecting: boolean, isCentred: boolean): void {
    this.cursor = line;
    if (!isSelecting) {
      this.anchor = line;
    }
    this.top = topToShow(this.geometry(), this.top, this.rowOf(line), isCentred);
    this.card.close();
    this.showCounts();
    this.draw();
    this.tellCursor();
  }

  private moveRows(rows: number, isSelecting: boolean): void {
    if (rows < 0) {
      this.setFollowing(false);
    }
    const row = Math.min(Math.max(0, this.rowOf(this.cursor) + rows), Math.max(0, this.rowCount - 1));
    this.setCursor(this.lineOf(row), isSelecting, false);
  }

  private scrollBy(rows: number): void {
    const top = clampTop(this.geometry(), this.top + rows);
    if (top < this.top) {
      this.setFollowing(false);
    }
    if (top !== this.top) {
      this.top = top;
      this.card.close();
      this.draw();
    }
  }

  private toEnd(): void {
    this.top = maxTop(this.geometry());
    this.cursor = Math.max(1, this.lineOf(Math.max(0, this.rowCount - 1)));
    this.anchor = this.cursor;
    this.tellCursor();
  }

  private setFollowing(isOn: boolean): void {
    if (isOn !== this.isFollowing) {
      this.isFollowing = isOn;
      setPressed(this.followButton, isOn);
      this.announce(isOn ? 'Following the end of the file.' : 'Not following any more.');
    }
    if (isOn) {
      this.toEnd();
      this.draw();
    }
  }

  private setTimeMode(mode: TimeMode): void {
    this.timeMode = mode;
    this.timeSelect.value = mode;
    this.rows.reset();
    this.draw();
    this.remember();
  }

  // Drawing ---------------------------------------------------------------------------------

  private measure(): void {
    const size = Number.parseFloat(getComputedStyle(this.view).fontSize) || 13;
    this.rowHeight = Math.max(14, Math.round(size * 1.5));
    document.documentElement.style.setProperty('--row-height', `${this.rowHeight}px`);
  }

  /** Once per frame, however often it is asked for. */
  private draw(): void {
    if (!this.isDrawing) {
      this.isDrawing = true;
      requestAnimationFrame(() => {
        this.isDrawing = false;
        this.drawNow();
      });
    }
  }

  private drawNow(): void {
    const geometry = this.geometry();
    this.top = clampTop(geometry, this.top);
    const { first, last } = visibleRows(geometry, this.top);
    const lines: number[] = [];
    for (let row = first; row <= last; row++) {
      lines.push(this.lineOf(row));
    }
    this.store.want(this.wanted(first, last, lines));
    const models = lines.map((line, index) => this.modelOf(line, first + index, lines[index - 1]));
    this.setWidths(models);
    this.rows.draw(models, (first - this.top) * this.rowHeight);
    this.view.setAttribute('aria-rowcount', String(this.rowCount));
    const isOnScreen = lines.includes(this.cursor);
    if (isOnScreen) {
      this.view.setAttribute('aria-activedescendant', rowIdOf(this.cursor));
    } else {
      this.view.removeAttribute('aria-activedescendant');
    }
    this.drawScrollbar(geometry);
    this.drawMarks();
  }

  /** The gutter is as wide as its widest number and time so far: it does not jump while scrolling. */
  private setWidths(models: readonly RowModel[]): void {
    const { style } = document.documentElement;
    style.setProperty('--digits', String(formatCount(this.state.lineCount).length));
    const widest = Math.max(0, ...models.map(({ time }) => time.length));
    const key = `${this.timeMode} ${this.state.generation}`;
    this.timeWidth =
      this.timeWidth.key === key ? { key, digits: Math.max(this.timeWidth.digits, widest) } : { key, digits: widest };
    style.setProperty('--time-digits', String(this.timeWidth.digits));
  }

  /** What is visible first, then a screen below and one above. */
  private wanted(first: number, last: number, lines: readonly number[]): number[] {
    const screen = last - first + 1;
    const around: number[] = [...lines];
    if (0 < first) {
      around.push(this.lineOf(first - 1));
    }
    for (let row = last + 1; row <= Math.min(last + screen, this.rowCount - 1); row++) {
      around.push(this.lineOf(row));
    }
    for (let row = first - 2; Math.max(0, first - screen) <= row; row--) {
      around.push(this.lineOf(row));
    }
    return around;
  }

  private modelOf(line: number, row: number, above: number | undefined): RowModel {
    const shown = this.store.get(line);
    const previous = above ?? (0 < row ? this.lineOf(row - 1) : undefined);
    const { find, filter } = this.questions;
    const [from, to] = this.selection();
    return {
      line,
      row: row + 1,
      shown,
      time: stampText(this.timeMode, shown?.stamp ?? null, {
        first: this.firstStamp,
        previous: previous === undefined ? null : (this.store.get(previous)?.stamp ?? null),
        bootSeconds: this.marks?.bootSeconds ?? null,
      }),
      findings: this.findings.get(line) ?? [],
      isFailure: this.failureSet.has(line),
      // Only where the reading thread matched: an expression that takes forever has not.
      pattern: find.query !== null && find.lines.has(line) ? this.findPattern : null,
      isCursor: line === this.cursor,
      isSelected: from < to && from <= line && line <= to,
      isDimmed: filter.query !== null && !this.isOnlyMatching && !filter.lines.has(line),
    };
  }

  private drawScrollbar(geometry: ScrollGeometry): void {
    this.spacer.style.height = `${scrollHeight(geometry)}px`;
    const wanted = scrollTopOf(geometry, this.top);
    if (Math.abs(this.scrollbar.scrollTop - wanted) > 0.5) {
      this.scrollbar.scrollTop = wanted;
    }
    this.scrollbarAt = this.scrollbar.scrollTop;
  }

  private drawMarks(): void {
    const { find, filter } = this.questions;
    const key = [
      this.rowCount,
      find.id,
      find.lines.length,
      this.isFiltered ? filter.id : '',
      this.findingsVersion,
      this.failures.length,
    ].join(' ');
    if (this.ruled.key !== key) {
      // Not while scrolling: only when there are other marks.
      this.ruled = { key, marks: this.ruledMarks() };
    }
    drawRuler(this.ruler, { rowCount: this.rowCount, marks: this.ruled.marks, cursorRow: this.rowOf(this.cursor) });
  }

  private ruledMarks(): RulerModel['marks'] {
    const rowsOf = (lines: ArrayLike<number>): ArrayLike<number> => {
      const rows: number[] = [];
      const stride = Math.max(1, Math.floor(lines.length / 20_000));
      for (let i = 0; i < lines.length; i += stride) {
        const line = lines[i] ?? 0;
        if (this.isShown(line)) {
          rows.push(this.rowOf(line));
        }
      }
      return rows;
    };
    const warnings = [...this.findings]
      .filter(([, found]) => found.some(({ severity }) => severity === 'warning'))
      .map(([line]) => line)
      .sort((a, b) => a - b);
    return [
      { kind: 'match', rows: rowsOf(this.questions.find.lines.view()) },
      { kind: 'warning', rows: rowsOf(warnings) },
      { kind: 'error', rows: rowsOf(this.failures.length > 0 ? this.failures : this.linesWithErrors()) },
    ];
  }

  private showFacts(): void {
    this.facts.show(this.state, this.analysis);
  }

  private showCounts(): void {
    const { find, filter } = this.questions;
    const index = find.lines.has(this.cursor) ? find.lines.countBelow(this.cursor) + 1 : 0;
    this.find.showCount(find.lines.length, index, find.isRunning, find.isFull, find.error);
    this.filter.showChips(filter.lines.length, this.state.lineCount, filter.isRunning, filter.isFull, filter.error);
  }

  private announceCount(slot: QuerySlot): void {
    const { lines, error } = this.questions[slot];
    this.announce(error ?? (slot === 'filter' ? `${plural(lines.length, 'line')} match the filter.` : ''));
  }

  private announce(text: string): void {
    if (text !== '') {
      this.live.textContent = text;
    }
  }

  // Cards -----------------------------------------------------------------------------------

  private async showCard(line: number, column: number, x: number, y: number): Promise<boolean> {
    const mine = ++this.cardQuestion;
    const card = await this.channel.call('card', { line, column }).catch(() => null);
    const here = (this.findings.get(line) ?? []).filter(
      ({ startColumn, endColumn }) => startColumn <= column && column <= endColumn,
    );
    if (mine !== this.cardQuestion || (card === null && here.length === 0)) {
      return false;
    }
    this.card.open(card, here, x, y, this.rowHeight);
    return true;
  }

  /** The card of the cursor's line, at its message. */
  private async showCardAtCursor(): Promise<void> {
    const element = document.getElementById(rowIdOf(this.cursor));
    const text = element?.querySelector('.text');
    if (element === null || !text) {
      return;
    }
    const { left } = text.getBoundingClientRect();
    const { top } = element.getBoundingClientRect();
    const finding = this.findings.get(this.cursor)?.[0];
    const column = finding?.startColumn ?? this.messageColumn();
    if (await this.showCard(this.cursor, column, Math.max(8, left), top)) {
      this.card.focus();
    } else {
      this.announce('Nothing to say about this line.');
    }
  }

  /** Where the message of the cursor's line begins. */
  private messageColumn(): number {
    const shown = this.store.get(this.cursor);
    return shown === undefined ? 0 : headLength(shown.text, shown.tokens);
  }

  /** Enter: from a map to its unmap and back, by the first link of the card. */
  private async goToPartner(): Promise<void> {
    const column = this.messageColumn();
    const card = await this.channel.call('card', { line: this.cursor, column }).catch(() => null);
    const link = card?.lines.flatMap(({ links }) => links).find(({ line }) => line !== this.cursor);
    if (link === undefined) {
      this.announce('This line leads to no other.');
    } else {
      await this.channel.call('show', { uri: link.uri, line: link.line }).catch(() => null);
    }
  }

  // Selection -------------------------------------------------------------------------------

  private selection(): readonly [number, number] {
    return [Math.min(this.anchor, this.cursor), Math.max(this.anchor, this.cursor)];
  }

  private async copy(): Promise<void> {
    const [from, to] = this.selection();
    const range = this.isFiltered
      ? { from: this.rowOf(from), to: this.rowOf(to), ofFilter: true }
      : { from, to, ofFilter: false };
    const wanted = range.to - range.from + 1;
    const { lines } = await this.channel.call('copy', range);
    this.announce(
      lines < wanted
        ? `Copied ${formatCount(lines)} of ${formatCount(wanted)} lines: there is no room for more.`
        : `Copied ${plural(lines, 'line')}.`,
    );
    this.flash(
      lines < wanted
        ? `Copied ${formatCount(lines)} of ${formatCount(wanted)} lines`
        : `Copied ${plural(lines, 'line')}`,
    );
  }

  /** Says something in the toolbar for a moment. */
  private flash(text: string): void {
    const note = h('span', { class: 'flash' }, text);
    this.facts.facts.before(note);
    window.setTimeout(() => note.remove(), 2500);
  }

  // Keys and mouse ----------------------------------------------------------------------------

  private listen(): void {
    window.addEventListener('message', (event) => void this.channel.receive(event.data));
    window.addEventListener(
      'keydown',
      (event) => {
        if (this.onKey(event)) {
          event.preventDefault();
          // VS Code listens behind us: Ctrl+G and the like are ours here.
          event.stopImmediatePropagation();
        }
      },
      true,
    );
    document.addEventListener('copy', (event) => {
      if (!this.isTextSelected() && !isTyping()) {
        event.preventDefault();
        void this.copy();
      }
    });
    this.view.addEventListener('wheel', (event) => this.onWheel(event), { passive: false });
    this.scrollbar.addEventListener('scroll', () => {
      if (Math.abs(this.scrollbar.scrollTop - this.scrollbarAt) > 1) {
        const top = topOfScroll(this.geometry(), this.scrollbar.scrollTop);
        if (top < this.top) {
          this.setFollowing(false);
        }
        this.top = top;
        this.scrollbarAt = this.scrollbar.scrollTop;
        this.card.close();
        this.draw();
      }
    });
    this.ruler.addEventListener('pointerdown', (event) => {
      this.setCursor(this.lineOf(rowAtRuler(this.ruler, event.clientY, this.rowCount)), false, true);
    });
    new ResizeObserver(() => {
      this.measure();
      this.draw();
    }).observe(this.view);
    // The theme is on the body's class: the strip's colours are read from it.
    new MutationObserver(() => this.draw()).observe(document.body, { attributes: true, attributeFilter: ['class'] });
    this.listenToMouse();
    this.listenToTouch();
  }

  private listenToMouse(): void {
    let isSelecting = false;
    this.view.addEventListener('mousedown', (event) => {
      const line = lineAt(event.target);
      if (line !== null && event.button === 2) {
        // The menu's commands are about the line it was opened on.
        const [from, to] = this.selection();
        if (line < from || to < line) {
          this.setCursor(line, false, false);
        }
      }
      if (line === null || event.button !== 0) {
        return;
      }
      isSelecting = true;
      // Pressing on selected text would drag it away.
      if (event.detail < 2) {
        window.getSelection()?.removeAllRanges();
      }
      this.setFollowing(false);
      this.setCursor(line, event.shiftKey, false);
      this.view.focus({ preventScroll: true });
    });
    window.addEventListener('mouseup', () => {
      isSelecting = false;
      this.view.classList.remove('selecting-lines');
    });
    this.view.addEventListener('mousemove', (event) => {
      const line = lineAt(event.target);
      window.clearTimeout(this.hoverTimer);
      if (isSelecting && (event.buttons & 1) !== 0) {
        if (line !== null && line !== this.cursor) {
          // Beyond one row whole lines are selected: rows come and go under the mouse.
          window.getSelection()?.removeAllRanges();
          this.view.classList.add('selecting-lines');
          this.setCursor(line, true, false);
        }
        return;
      }
      const text = (event.target as Element).closest('.text');
      if (line !== null && text !== null && !this.isTextSelected()) {
        const { clientX, clientY } = event;
        this.hoverTimer = window.setTimeout(() => void this.hover(line, text, clientX, clientY), hoverMs);
      }
    });
    this.view.addEventListener('mouseleave', () => window.clearTimeout(this.hoverTimer));
    document.addEventListener('mousedown', (event) => {
      if (!this.card.element.contains(event.target as Node)) {
        this.card.close();
      }
    });
  }

  private async hover(line: number, text: Element, x: number, y: number): Promise<void> {
    const column = columnAt(text, x, y);
    const row = text.parentElement?.getBoundingClientRect();
    if (column !== null && row !== undefined) {
      const isShown = await this.showCard(line, column, x, row.top);
      if (!isShown) {
        this.card.close();
      }
    }
  }

  private listenToTouch(): void {
    let y: number | null = null;
    this.view.addEventListener(
      'touchstart',
      (event) => {
        y = event.touches[0]?.clientY ?? null;
      },
      { passive: true },
    );
    this.view.addEventListener(
      'touchmove',
      (event) => {
        const now = event.touches[0]?.clientY;
        if (y !== null && now !== undefined) {
          this.scrollBy((y - now) / this.rowHeight);
          y = now;
        }
      },
      { passive: true },
    );
  }

  private onWheel(event: WheelEvent): void {
    if (event.ctrlKey || Math.abs(event.deltaY) <= Math.abs(event.deltaX) || event.shiftKey) {
      return;
    }
    event.preventDefault();
    const unit = event.deltaMode === 0 ? 1 / this.rowHeight : event.deltaMode === 1 ? 1 : pageRows(this.geometry());
    this.scrollBy(event.deltaY * unit);
  }

  /** True when the key is ours. */
  private onKey(event: KeyboardEvent): boolean {
    const focus = isTyping() ? 'field' : document.activeElement instanceof HTMLButtonElement ? 'button' : 'lines';
    const action = keyAction(event, focus);
    if (action === null || (this.keys.isOpen && action.do !== 'escape')) {
      return false;
    }
    return this.perform(action);
  }

  /** False when there is nothing to do, so that the key is somebody else's. */
  private perform(action: KeyAction): boolean {
    switch (action.do) {
      case 'escape':
        return this.escape();
      case 'copy':
        if (this.isTextSelected()) {
          return false;
        }
        void this.copy();
        return true;
      case 'move':
        this.moveRows(action.direction * (action.by === 'page' ? pageRows(this.geometry()) : 1), action.isSelecting);
        return true;
      case 'toEdge':
        this.toEdge(action.edge, action.isSelecting);
        return true;
      case 'sideways':
        this.view.scrollLeft += action.direction * sidewaysPixels;
        return true;
      case 'failure':
        this.nextFailure(action.direction === 1);
        return true;
      case 'match':
        if (this.find.isOpen) {
          this.nextMatch(action.direction === 1);
          return true;
        }
        this.find.open(this.selectedText());
        return true;
      case 'find':
        this.find.open(this.selectedText());
        return true;
      case 'filter':
        this.filter.open();
        return true;
      case 'goTo':
        this.goTo.open(this.state.lineCount);
        return true;
      case 'selectAll':
        this.anchor = this.lineOf(0);
        this.cursor = this.lineOf(Math.max(0, this.rowCount - 1));
        this.draw();
        return true;
      case 'time':
        this.setTimeMode(timeModes[(timeModes.indexOf(this.timeMode) + 1) % timeModes.length] ?? 'delta');
        this.announce(timeWords[this.timeMode]);
        return true;
      case 'onlyMatching':
        this.setOnlyMatching(!this.isOnlyMatching);
        return true;
      case 'follow':
        this.setFollowing(!this.isFollowing);
        return true;
      case 'card':
        void this.showCardAtCursor();
        return true;
      case 'partner':
        void this.goToPartner();
        return true;
      case 'keys':
        this.keys.open();
        return true;
    }
  }

  private toEdge(edge: 'first' | 'last', isSelecting: boolean): void {
    if (edge === 'first') {
      this.setFollowing(false);
    }
    this.setCursor(this.lineOf(edge === 'first' ? 0 : Math.max(0, this.rowCount - 1)), isSelecting, false);
  }

  private escape(): boolean {
    if (this.keys.isOpen) {
      this.keys.close();
    } else if (this.card.isOpen) {
      this.card.close();
      this.view.focus();
    } else if (this.goTo.isOpen) {
      this.goTo.close();
    } else if (this.find.isOpen) {
      this.find.close();
    } else if (this.filter.isOpen) {
      this.filter.close();
    } else if (this.anchor !== this.cursor) {
      this.anchor = this.cursor;
      this.draw();
    } else {
      return false;
    }
    return true;
  }

  private isTextSelected(): boolean {
    const selection = window.getSelection();
    return selection !== null && !selection.isCollapsed && this.rowsHolder.contains(selection.anchorNode);
  }

  private selectedText(): string {
    const text = this.isTextSelected() ? (window.getSelection()?.toString() ?? '') : '';
    return text.includes('\n') ? '' : text;
  }

  // Memory -----------------------------------------------------------------------------------

  private tellCursor(): void {
    this.ask(this.channel.call('cursor', { line: Math.max(1, this.cursor) }));
    this.remember();
  }

  private remember(): void {
    const { top, cursor, timeMode, isOnlyMatching } = this;
    const filter = this.questions.filter.query ?? emptyQuery;
    api.setState({ top, cursor, timeMode, filter, isOnlyMatching } satisfies Memory);
  }

  private restore(memory: Partial<Memory> | undefined): void {
    this.timeMode = timeModes.find((mode) => mode === memory?.timeMode) ?? this.timeMode;
    this.timeSelect.value = this.timeMode;
    this.isOnlyMatching = memory?.isOnlyMatching ?? true;
    this.filter.setOnlyMatching(this.isOnlyMatching);
    this.cursor = memory?.cursor ?? 1;
    this.anchor = this.cursor;
    if (memory?.filter !== undefined && asksAnything({ ...emptyQuery, ...memory.filter })) {
      this.filter.set({ ...emptyQuery, ...memory.filter });
    }
    this.top = memory?.top ?? 0;
  }

  private ask(call: Promise<unknown>): void {
    call.catch((error: unknown) => this.announce(error instanceof Error ? error.message : String(error)));
  }
}

function question(): Question {
  return { id: 0, query: null, lines: new LineSet(), isRunning: false, isFull: false, error: null };
}

function lineAt(target: EventTarget | null): number | null {
  const row = target instanceof Element ? target.closest<HTMLElement>('.row') : null;
  return row === null ? null : Number(row.dataset['line']);
}

function isTyping(): boolean {
  return document.activeElement instanceof HTMLInputElement || document.activeElement instanceof HTMLSelectElement;
}

void new TraceView().start();
