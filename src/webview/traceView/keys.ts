import { h } from '../dom';

const keys: readonly (readonly [string, string])[] = [
  ['↑ ↓ PgUp PgDn', 'move the cursor (Shift: select lines)'],
  ['Home End', 'first, last line'],
  ['n p', 'next, previous failure'],
  ['Enter', 'go to the other end: map, unmap, message'],
  ['h', 'what is known about this line'],
  ['Ctrl+F /', 'find; F3, Shift+F3: next, previous match'],
  ['f', 'filter; o: only matching lines, or all'],
  ['Ctrl+G', 'go to line'],
  ['t', 'what the time column shows'],
  ['l', 'follow the end of a growing file'],
  ['Ctrl+C Ctrl+A', 'copy the selected lines, select all'],
  ['Escape', 'close what is open'],
];

/** The list of keys, over the lines. */
export function keysPanel(onClose: () => void): {
  readonly element: HTMLElement;
  readonly isOpen: boolean;
  open(): void;
  close(): void;
} {
  const closer = h('button', { type: 'button', class: 'icon', 'aria-label': 'Close', click: () => close() }, '✕');
  const element = h(
    'div',
    { id: 'keys', role: 'dialog', 'aria-label': 'Keys', hidden: true },
    h('header', null, h('h2', null, 'Keys'), closer),
    h(
      'dl',
      null,
      keys.flatMap(([names, meaning]) => [
        h(
          'dt',
          null,
          names.split(' ').flatMap((name) => [h('kbd', null, name), ' ']),
        ),
        h('dd', null, meaning),
      ]),
    ),
  );
  const close = () => {
    element.hidden = true;
    onClose();
  };
  return {
    element,
    get isOpen() {
      return !element.hidden;
    },
    open: () => {
      element.hidden = false;
      closer.focus();
    },
    close,
  };
}
