import type { CardView, LineFinding } from '../../protocol/traceEditor';
import { fill, h } from '../dom';

export interface CardEvents {
  readonly show: (uri: string, line: number) => void;
  /** By index in the card's actions. */
  readonly act: (index: number) => void;
}

/** The hover's card: what the findings of the line say, then what is known about the place. */
export class Card {
  readonly element: HTMLElement;
  private readonly events: CardEvents;

  constructor(events: CardEvents) {
    this.events = events;
    this.element = h('div', {
      id: 'card',
      role: 'dialog',
      'aria-label': 'About this line',
      tabindex: -1,
      hidden: true,
    });
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  /** Below the point, or above it where there is no room. */
  open(card: CardView | null, findings: readonly LineFinding[], x: number, y: number, rowHeight: number): void {
    fill(
      this.element,
      findings
        .filter(({ severity }) => severity !== 'hint' || card === null)
        .map(({ severity, message, code }) =>
          h(
            'div',
            { class: `card-finding card-${severity}` },
            message.split('\n').map((line) => h('p', null, line)),
            h('p', { class: 'card-code' }, code === '' ? 'swiotlb' : `swiotlb(${code})`),
          ),
        ),
      card === null ? null : this.cardBody(card),
    );
    this.element.hidden = false;
    const { width, height } = this.element.getBoundingClientRect();
    const left = Math.max(4, Math.min(x, window.innerWidth - width - 12));
    const below = y + rowHeight;
    const top = below + height < window.innerHeight || y < height ? below : y - height - 4;
    this.element.style.left = `${left}px`;
    this.element.style.top = `${Math.max(4, Math.min(top, window.innerHeight - height - 4))}px`;
  }

  close(): void {
    this.element.hidden = true;
  }

  focus(): void {
    (this.element.querySelector<HTMLElement>('button') ?? this.element).focus();
  }

  private cardBody(card: CardView): HTMLElement {
    return h(
      'div',
      { class: `card-body tone-${card.tone}` },
      h(
        'p',
        { class: 'card-verdict' },
        h('strong', null, card.verdict),
        card.badge === null ? null : h('code', { class: 'card-badge' }, card.badge),
      ),
      card.lines.map((line) => h('p', null, this.lineOf(line))),
      card.actions.length === 0
        ? null
        : h(
            'p',
            { class: 'card-actions' },
            card.actions.flatMap(({ title }, index) => [
              index === 0 ? '' : ' · ',
              h('button', { type: 'button', class: 'link', click: () => this.events.act(index) }, title),
            ]),
          ),
    );
  }

  /** Words of the text that are a link's label become the link; other links follow. */
  private lineOf({ level, text, links }: CardView['lines'][number]): (Node | string)[] {
    const parts: (Node | string)[] = level === '' ? [] : [h('em', null, `${level}: `)];
    const following: Node[] = [];
    let rest = text;
    for (const { label, uri, line } of links) {
      const button = h(
        'button',
        { type: 'button', class: 'link', 'data-line': line, click: () => this.events.show(uri, line) },
        label,
      );
      const at = rest.indexOf(label);
      if (at < 0) {
        following.push(button);
      } else {
        parts.push(rest.slice(0, at), button);
        rest = rest.slice(at + label.length);
      }
    }
    parts.push(rest);
    for (const button of following) {
      parts.push(' · ', button);
    }
    return parts.filter((part) => part !== '');
  }
}
