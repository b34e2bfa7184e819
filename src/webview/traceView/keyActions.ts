/** A key as the browser tells it. */
export interface KeyPress {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
}

/** What has the focus: keys that write text or press a button are left to it. */
export type Focus = 'lines' | 'button' | 'field';

/** What a key does to the lines. */
export type KeyAction =
  | { readonly do: 'move'; readonly by: 'row' | 'page'; readonly direction: 1 | -1; readonly isSelecting: boolean }
  | { readonly do: 'toEdge'; readonly edge: 'first' | 'last'; readonly isSelecting: boolean }
  | { readonly do: 'sideways' | 'failure'; readonly direction: 1 | -1 }
  | { readonly do: 'match'; readonly direction: 1 | -1 }
  | { readonly do: Plain };

type Plain =
  | 'escape'
  | 'find'
  | 'filter'
  | 'goTo'
  | 'selectAll'
  | 'copy'
  | 'time'
  | 'onlyMatching'
  | 'follow'
  | 'card'
  | 'partner'
  | 'keys';

const plainKeys: Readonly<Record<string, Plain>> = {
  '/': 'find',
  f: 'filter',
  t: 'time',
  o: 'onlyMatching',
  l: 'follow',
  h: 'card',
  Enter: 'partner',
  '?': 'keys',
};

/** The action of a key; null when the key is not ours. */
export function keyAction({ key, ctrlKey, metaKey, shiftKey, altKey }: KeyPress, focus: Focus): KeyAction | null {
  const isCommand = ctrlKey || metaKey;
  if (key === 'Escape') {
    return { do: 'escape' };
  }
  if (key === 'F3') {
    return { do: 'match', direction: shiftKey ? -1 : 1 };
  }
  if (altKey) {
    return null;
  }
  if (isCommand) {
    return commandAction(key, shiftKey, focus);
  }
  if (focus === 'field' || (focus === 'button' && (key === 'Enter' || key === ' '))) {
    return null;
  }
  switch (key) {
    case 'ArrowDown':
    case 'ArrowUp':
      return { do: 'move', by: 'row', direction: key === 'ArrowDown' ? 1 : -1, isSelecting: shiftKey };
    case 'PageDown':
    case 'PageUp':
      return { do: 'move', by: 'page', direction: key === 'PageDown' ? 1 : -1, isSelecting: shiftKey };
    case 'Home':
    case 'End':
      return { do: 'toEdge', edge: key === 'Home' ? 'first' : 'last', isSelecting: shiftKey };
    case 'ArrowRight':
    case 'ArrowLeft':
      return { do: 'sideways', direction: key === 'ArrowRight' ? 1 : -1 };
    case 'n':
      return { do: 'failure', direction: 1 };
    case 'p':
    case 'N':
      return { do: 'failure', direction: -1 };
    default:
      return Object.hasOwn(plainKeys, key) ? { do: plainKeys[key]! } : null;
  }
}

function commandAction(key: string, shiftKey: boolean, focus: Focus): KeyAction | null {
  if (!shiftKey && key.toLowerCase() === 'f') {
    return { do: 'find' };
  }
  if (!shiftKey && key.toLowerCase() === 'g') {
    return { do: 'goTo' };
  }
  if (focus === 'field') {
    return null;
  }
  switch (key) {
    case 'Home':
    case 'End':
      return { do: 'toEdge', edge: key === 'Home' ? 'first' : 'last', isSelecting: shiftKey };
    case 'a':
      return { do: 'selectAll' };
    case 'c':
      return { do: 'copy' };
    default:
      return null;
  }
}
