import { formatCount } from '../../base/format';
import type { LineFinding, ShownLine } from '../../protocol/traceEditor';
import { fill, h } from '../dom';
import { headLength, matchesIn, type Overlay, segments } from './segments';

/** What a row shows; rows are drawn again only when this changed. */
export interface RowModel {
  /** One-based line of the file. */
  readonly line: number;
  /** One-based place in the list. */
  readonly row: number;
  readonly shown: ShownLine | undefined;
  readonly time: string;
  readonly findings: readonly LineFinding[];
  readonly isFailure: boolean;
  /** Where the search matched, when it did. */
  readonly pattern: RegExp | null;
  readonly isCursor: boolean;
  readonly isSelected: boolean;
  /** Not one of the lines the filter is for. */
  readonly isDimmed: boolean;
}

/** Marks differ by form, too: colour alone says nothing. */
const marks = { error: '✖', warning: '▲', info: 'i', hint: '✖' } as const;
const ranks = ['error', 'warning', 'info', 'hint'] as const;

/** A pool of row elements: as many as fit on the screen, whatever the length of the list. */
export class Rows {
  private readonly holder: HTMLElement;
  private slots: Slot[] = [];

  constructor(holder: HTMLElement) {
    this.holder = holder;
  }

  /** Draws the rows from the upper edge on; `offset` is where the first one begins, in pixels. */
  draw(models: readonly RowModel[], offset: number): void {
    // A row that stays on the screen keeps its element: scrolling by one row draws one.
    const byLine = new Map(this.slots.map((slot) => [slot.line, slot]));
    const wanted = new Set(models.map(({ line }) => line));
    const free = this.slots.filter(({ line }) => !wanted.has(line));
    const used: Slot[] = models.map(({ line }) => byLine.get(line) ?? free.pop() ?? this.create());
    for (const slot of free) {
      slot.element.hidden = true;
      slot.element.id = '';
      slot.element.className = 'row';
      slot.line = 0;
      slot.drawn = '';
      this.holder.append(slot.element);
    }
    for (const [index, model] of models.entries()) {
      const slot = used[index]!;
      slot.line = model.line;
      slot.element.hidden = false;
      const drawn = contentKey(model);
      if (slot.drawn !== drawn) {
        slot.drawn = drawn;
        drawContent(slot.element, model);
      }
      drawState(slot.element, model);
    }
    for (const [index, { element }] of used.entries()) {
      const there = this.holder.children[index] ?? null;
      if (there !== element) {
        this.holder.insertBefore(element, there);
      }
    }
    this.slots = [...used, ...free];
    this.holder.style.transform = `translateY(${offset}px)`;
  }

  /** Draws everything anew at the next call, e.g. because findings came. */
  reset(): void {
    for (const slot of this.slots) {
      slot.drawn = '';
    }
  }

  private create(): Slot {
    return { element: h('div', { class: 'row', role: 'row' }), line: 0, drawn: '' };
  }
}

interface Slot {
  readonly element: HTMLElement;
  line: number;
  drawn: string;
}

/** The row of a line, when it is on the screen. */
export function rowIdOf(line: number): string {
  return `line-${line}`;
}

function contentKey({ line, shown, time, findings, isFailure, pattern }: RowModel): string {
  return `${line} ${time} ${findings.length} ${isFailure} ${pattern?.source ?? ''} ${shown?.text.length ?? -1}`;
}

/** Classes and attributes only: text that the user is selecting stays in place. */
function drawState(element: HTMLElement, { row, isCursor, isSelected, isDimmed, isFailure }: RowModel): void {
  element.setAttribute('aria-rowindex', String(row));
  element.setAttribute('aria-selected', String(isSelected));
  element.classList.toggle('cursor', isCursor);
  element.classList.toggle('selected', isSelected);
  element.classList.toggle('dimmed', isDimmed);
  element.classList.toggle('failure', isFailure);
}

function drawContent(element: HTMLElement, model: RowModel): void {
  const { line, shown, time, findings, isFailure } = model;
  element.id = rowIdOf(line);
  element.dataset['line'] = String(line);
  const worst = ranks.find((rank) => findings.some(({ severity }) => severity === rank));
  const mark = worst ?? (isFailure ? 'hint' : undefined);
  fill(
    element,
    h(
      'span',
      { class: 'gutter', role: 'rowheader' },
      mark === undefined
        ? h('span', { class: 'mark' })
        : h('span', { class: `mark mark-${mark}`, role: 'img', 'aria-label': labelOf(mark, findings) }, marks[mark]),
      h('span', { class: 'number' }, formatCount(line)),
      h('span', { class: 'time' }, time),
    ),
    h('span', { class: 'text', role: 'gridcell' }, shown === undefined ? '' : contentOf(shown, model)),
  );
}

function labelOf(mark: keyof typeof marks, findings: readonly LineFinding[]): string {
  const word = { error: 'Error', warning: 'Warning', info: 'Information', hint: 'Failure' }[mark];
  const message = findings.find(({ severity }) => severity === mark)?.message.split('\n')[0];
  return message === undefined ? word : `${word}: ${message}`;
}

function contentOf(shown: ShownLine, { findings, pattern }: RowModel): (Node | string)[] {
  const overlays: Overlay[] = [
    ...findings.map(({ startColumn, endColumn, severity }) => ({
      start: startColumn,
      end: endColumn,
      className: `squiggle-${severity}`,
    })),
    ...matchesIn(shown.text, pattern, 'match'),
  ];
  const head: (Node | string)[] = [];
  const message: (Node | string)[] = [];
  const headEnd = headLength(shown.text, shown.tokens);
  let column = 0;
  for (const { text, classes } of segments(shown.text, shown.tokens, overlays)) {
    (column < headEnd ? head : message).push(classes === '' ? text : h('span', { class: classes }, text));
    column += text.length;
  }
  // Where there is little room the message comes first; the time has its own column.
  const parts: (Node | string)[] = head.length === 0 ? message : [h('span', { class: 'head' }, head), ...message];
  if (0 < shown.cut) {
    parts.push(h('span', { class: 'cut' }, ` … ${formatCount(shown.cut)} more characters`));
  }
  return parts;
}

/** Column of a point in a row's text; null beside the text. */
export function columnAt(textElement: Element, x: number, y: number): number | null {
  const position = caretAt(x, y);
  if (position === null || !textElement.contains(position.node)) {
    return null;
  }
  let column = 0;
  const walker = document.createTreeWalker(textElement, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    if (node === position.node) {
      return column + position.offset;
    }
    column += node.textContent?.length ?? 0;
  }
  return null;
}

interface Caret {
  readonly node: Node;
  readonly offset: number;
}

/** The standard's way, and that of browsers before it. */
function caretAt(x: number, y: number): Caret | null {
  const ask = document as unknown as {
    caretPositionFromPoint?: (x: number, y: number) => { offsetNode: Node; offset: number } | null;
    caretRangeFromPoint?: (x: number, y: number) => Range | null;
  };
  if (ask.caretPositionFromPoint !== undefined) {
    const found = ask.caretPositionFromPoint(x, y);
    return found === null ? null : { node: found.offsetNode, offset: found.offset };
  }
  const range = ask.caretRangeFromPoint?.(x, y) ?? null;
  return range === null ? null : { node: range.startContainer, offset: range.startOffset };
}
