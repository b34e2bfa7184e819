import { formatCount, plural } from '../../base/format';
import type { LineQuery, OutcomeChoice, TraceMarks } from '../../protocol/traceEditor';
import { fill, h } from '../dom';

export const emptyQuery: LineQuery = {
  text: '',
  isRegex: false,
  matchCase: false,
  device: null,
  event: null,
  outcome: null,
};

/** Whether a query asks for anything. */
export function asksAnything(query: LineQuery): boolean {
  return query.text !== '' || query.device !== null || query.event !== null || query.outcome !== null;
}

const outcomeWords: Readonly<Record<OutcomeChoice, string>> = {
  failed: 'Failed',
  served: 'Served (map lines)',
  held: 'Never unmapped',
  finding: 'With a finding',
};

/** How long typing rests before it is looked for. */
const restMs = 150;

/** A button that is on or off. */
export function toggle(label: string, title: string, onChange: (isOn: boolean) => void): HTMLButtonElement {
  const button = h(
    'button',
    {
      type: 'button',
      class: 'toggle',
      title,
      'aria-label': title,
      'aria-pressed': 'false',
      click: () => {
        const isOn = button.getAttribute('aria-pressed') !== 'true';
        button.setAttribute('aria-pressed', String(isOn));
        onChange(isOn);
      },
    },
    label,
  );
  return button;
}

export function setPressed(button: HTMLElement, isOn: boolean): void {
  button.setAttribute('aria-pressed', String(isOn));
}

/** An input with the two switches every text question has. */
class TextQuestion {
  readonly input: HTMLInputElement;
  readonly matchCase: HTMLButtonElement;
  readonly isRegex: HTMLButtonElement;
  private timer = 0;

  constructor(id: string, label: string, onChange: () => void) {
    this.input = h('input', {
      id,
      type: 'text',
      placeholder: label,
      'aria-label': label,
      spellcheck: 'false',
      autocomplete: 'off',
      input: () => {
        window.clearTimeout(this.timer);
        this.timer = window.setTimeout(onChange, restMs);
      },
    });
    this.matchCase = toggle('Aa', 'Match case', onChange);
    this.isRegex = toggle('.*', 'Regular expression', onChange);
  }

  value(): Pick<LineQuery, 'text' | 'matchCase' | 'isRegex'> {
    return {
      text: this.input.value,
      matchCase: this.matchCase.getAttribute('aria-pressed') === 'true',
      isRegex: this.isRegex.getAttribute('aria-pressed') === 'true',
    };
  }

  set({ text, matchCase, isRegex }: Pick<LineQuery, 'text' | 'matchCase' | 'isRegex'>): void {
    this.input.value = text;
    setPressed(this.matchCase, matchCase);
    setPressed(this.isRegex, isRegex);
  }
}

export interface FindEvents {
  readonly changed: (query: LineQuery | null) => void;
  readonly next: (isForward: boolean) => void;
  readonly closed: () => void;
}

/** Ctrl+F: looks through the whole file; the count grows while it does. */
export class FindBar {
  readonly element: HTMLElement;
  private readonly question: TextQuestion;
  private readonly count: HTMLElement;
  private readonly events: FindEvents;

  constructor(events: FindEvents) {
    this.events = events;
    this.question = new TextQuestion('find-text', 'Find', () => this.tell());
    this.count = h('span', { id: 'find-count', role: 'status' });
    const button = (label: string, title: string, click: () => void) =>
      h('button', { type: 'button', class: 'icon', title, 'aria-label': title, click }, label);
    this.element = h(
      'div',
      { id: 'find', class: 'bar', role: 'search', hidden: true },
      h('span', { class: 'field' }, this.question.input, this.question.matchCase, this.question.isRegex),
      this.count,
      button('↑', 'Previous match (Shift+Enter, Shift+F3)', () => events.next(false)),
      button('↓', 'Next match (Enter, F3)', () => events.next(true)),
      button('✕', 'Close (Escape)', () => this.close()),
    );
    this.question.input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') {
        event.preventDefault();
        events.next(!event.shiftKey);
      }
    });
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  open(text: string): void {
    const wasOpen = this.isOpen;
    this.element.hidden = false;
    if (text !== '') {
      this.question.input.value = text;
    }
    this.question.input.focus();
    this.question.input.select();
    if (!wasOpen || text !== '') {
      this.tell();
    }
  }

  close(): void {
    if (this.isOpen) {
      this.element.hidden = true;
      this.events.changed(null);
      this.events.closed();
    }
  }

  /** `index` from 1 when the cursor is on a match, else 0. */
  showCount(count: number, index: number, isRunning: boolean, isFull: boolean, error: string | null): void {
    const isEmpty = this.question.input.value === '';
    this.element.classList.toggle('none', !isEmpty && !isRunning && count === 0 && error === null);
    this.element.classList.toggle('broken', error !== null);
    const total = `${formatCount(count)}${isFull ? ' or more' : ''}${isRunning ? ' …' : ''}`;
    this.count.textContent = isEmpty
      ? ''
      : (error ??
        (count === 0 && !isRunning
          ? 'No lines'
          : index === 0
            ? `${total} ${count === 1 ? 'line' : 'lines'}`
            : `${formatCount(index)} of ${total}`));
  }

  private tell(): void {
    const value = this.question.value();
    this.events.changed(value.text === '' ? null : { ...emptyQuery, ...value });
  }
}

export interface FilterEvents {
  readonly changed: (query: LineQuery) => void;
  readonly onlyMatching: (isOn: boolean) => void;
  readonly closed: () => void;
}

/** What is asked for, and always in sight while it is: chips with what each condition says. */
export class FilterBar {
  readonly element: HTMLElement;
  readonly chips: HTMLElement;
  private readonly question: TextQuestion;
  private readonly device: HTMLSelectElement;
  private readonly event: HTMLSelectElement;
  private readonly outcome: HTMLSelectElement;
  private readonly events: FilterEvents;
  private query: LineQuery = emptyQuery;
  private isOnlyMatching = true;
  private drawnChips = '';
  private readonly count = h('span', { id: 'filter-count', role: 'status' });

  constructor(events: FilterEvents) {
    this.events = events;
    this.question = new TextQuestion('filter-text', 'Filter by text', () => this.tell());
    const select = (id: string, label: string) =>
      h('select', { id, 'aria-label': label, title: label, change: () => this.tell() });
    this.device = select('filter-device', 'Device');
    this.event = select('filter-event', 'Event');
    this.outcome = select('filter-outcome', 'Outcome');
    this.element = h(
      'div',
      { id: 'filter', class: 'bar', role: 'group', 'aria-label': 'Filter', hidden: true },
      h('span', { class: 'field' }, this.question.input, this.question.matchCase, this.question.isRegex),
      this.device,
      this.event,
      this.outcome,
      h(
        'button',
        { type: 'button', class: 'icon', title: 'Close (Escape)', 'aria-label': 'Close', click: () => this.close() },
        '✕',
      ),
    );
    this.chips = h('div', { id: 'chips', role: 'group', 'aria-label': 'Active filters', hidden: true });
    this.setChoices(null);
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  open(): void {
    this.element.hidden = false;
    this.question.input.focus();
    this.question.input.select();
  }

  close(): void {
    if (this.isOpen) {
      this.element.hidden = true;
      this.events.closed();
    }
  }

  /** Puts a filter in, as if it had been typed. */
  set(query: LineQuery): void {
    this.query = query;
    this.question.set(query);
    this.device.value = query.device ?? '';
    this.event.value = query.event ?? '';
    this.outcome.value = query.outcome ?? '';
    this.events.changed(query);
  }

  setChoices(marks: TraceMarks | null): void {
    const put = (select: HTMLSelectElement, any: string, values: readonly (readonly [string, string])[]) => {
      const chosen = select.value;
      fill(
        select,
        h('option', { value: '' }, any),
        values.map(([value, label]) => h('option', { value }, label)),
      );
      select.value = chosen;
      select.disabled = values.length === 0;
    };
    put(this.device, 'Any device', marks?.devices.map((name) => [name, name] as const) ?? []);
    put(this.event, 'Any event', marks?.events.map((name) => [name, name] as const) ?? []);
    put(this.outcome, 'Any outcome', marks === null ? [] : Object.entries(outcomeWords));
    this.device.value = this.query.device ?? '';
    this.event.value = this.query.event ?? '';
    this.outcome.value = this.query.outcome ?? '';
  }

  showChips(count: number, lineCount: number, isRunning: boolean, isFull: boolean, error: string | null): void {
    const { query } = this;
    this.chips.hidden = !asksAnything(query);
    this.count.textContent =
      error ??
      `${formatCount(count)}${isFull ? ' or more' : ''}${isRunning ? ' …' : ''} of ${plural(lineCount, 'line')}`;
    const key = JSON.stringify([query, this.isOnlyMatching]);
    if (this.drawnChips === key) {
      // Buttons stay where they are while the count runs.
      return;
    }
    this.drawnChips = key;
    const chip = (label: string, value: string, rest: Partial<LineQuery>) =>
      h(
        'span',
        { class: 'chip' },
        `${label}: ${value}`,
        h(
          'button',
          {
            type: 'button',
            title: 'Remove this filter',
            'aria-label': `Remove the filter ${label}: ${value}`,
            click: () => this.set({ ...query, ...rest }),
          },
          '✕',
        ),
      );
    const text = query.isRegex ? `/${query.text}/${query.matchCase ? '' : 'i'}` : query.text;
    fill(
      this.chips,
      query.text === '' ? null : chip('Text', text, { text: '' }),
      query.device === null ? null : chip('Device', query.device, { device: null }),
      query.event === null ? null : chip('Event', query.event, { event: null }),
      query.outcome === null ? null : chip('Outcome', outcomeWords[query.outcome], { outcome: null }),
      h(
        'label',
        { class: 'check' },
        h('input', {
          id: 'only-matching',
          type: 'checkbox',
          checked: this.isOnlyMatching,
          change: (event) => {
            this.isOnlyMatching = (event.target as HTMLInputElement).checked;
            this.events.onlyMatching(this.isOnlyMatching);
          },
        }),
        'Only matching',
      ),
      this.count,
      h('button', { type: 'button', class: 'link', click: () => this.set(emptyQuery) }, 'Clear'),
    );
  }

  setOnlyMatching(isOn: boolean): void {
    this.isOnlyMatching = isOn;
  }

  private tell(): void {
    this.query = {
      ...this.question.value(),
      device: this.device.value || null,
      event: this.event.value || null,
      outcome: (this.outcome.value || null) as OutcomeChoice | null,
    };
    this.events.changed(this.query);
  }
}

export interface GoToEvents {
  readonly go: (line: number) => void;
  readonly closed: () => void;
}

/** Ctrl+G. */
export class GoToBar {
  readonly element: HTMLElement;
  private readonly input: HTMLInputElement;
  private readonly events: GoToEvents;

  constructor(events: GoToEvents) {
    this.events = events;
    this.input = h('input', { id: 'go-to-line', type: 'text', inputmode: 'numeric', 'aria-label': 'Line', size: 12 });
    this.element = h(
      'form',
      {
        id: 'go-to',
        class: 'bar',
        hidden: true,
        submit: (event) => {
          event.preventDefault();
          const line = Number(this.input.value.replaceAll(/[,\s]/g, ''));
          this.close();
          if (Number.isInteger(line) && 0 < line) {
            events.go(line);
          }
        },
      },
      h('label', { for: 'go-to-line' }, 'Go to line '),
      this.input,
    );
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  open(lineCount: number): void {
    this.element.hidden = false;
    this.input.placeholder = `1 to ${formatCount(lineCount)}`;
    this.input.value = '';
    this.input.focus();
  }

  close(): void {
    if (this.isOpen) {
      this.element.hidden = true;
      this.events.closed();
    }
  }
}
