import { describe, expect, it } from 'vitest';
import { type Focus, type KeyPress, keyAction } from '../../src/webview/traceView/keyActions';

const none = { ctrlKey: false, metaKey: false, shiftKey: false, altKey: false };
const press = (key: string, held: Partial<KeyPress> = {}, focus: Focus = 'lines') =>
  keyAction({ ...none, key, ...held }, focus);

describe('keys of the trace editor', () => {
  it('move and select', () => {
    expect(press('ArrowDown')).toEqual({ do: 'move', by: 'row', direction: 1, isSelecting: false });
    expect(press('PageUp', { shiftKey: true })).toEqual({ do: 'move', by: 'page', direction: -1, isSelecting: true });
    expect(press('Home', { ctrlKey: true })).toEqual({ do: 'toEdge', edge: 'first', isSelecting: false });
  });

  it('find, go to and copy with Ctrl, or the command key of a Mac', () => {
    for (const held of [{ ctrlKey: true }, { metaKey: true }]) {
      expect(press('f', held)).toEqual({ do: 'find' });
      expect(press('g', held)).toEqual({ do: 'goTo' });
      expect(press('c', held)).toEqual({ do: 'copy' });
    }
  });

  it('walk failures and matches in both directions', () => {
    expect(press('n')).toEqual({ do: 'failure', direction: 1 });
    expect(press('p')).toEqual({ do: 'failure', direction: -1 });
    expect(press('F3', { shiftKey: true }, 'field')).toEqual({ do: 'match', direction: -1 });
  });

  it('belong to a field while somebody writes in it, and to a button that they would press', () => {
    for (const key of ['n', 'f', '?', 'ArrowDown', 'Home', 'Enter', 'constructor']) {
      expect(press(key, {}, 'field')).toBeNull();
    }
    expect(press('a', { ctrlKey: true }, 'field')).toBeNull();
    expect(press('Enter', {}, 'button')).toBeNull();
    expect(press(' ', {}, 'button')).toBeNull();
    expect(press('n', {}, 'button')).toEqual({ do: 'failure', direction: 1 });
    expect(press('Escape', {}, 'field')).toEqual({ do: 'escape' });
  });

  it('that are not ours go to VS Code', () => {
    expect(press('P', { ctrlKey: true, shiftKey: true })).toBeNull();
    expect(press('F1')).toBeNull();
    expect(press('n', { altKey: true })).toBeNull();
    expect(press('toString')).toBeNull();
  });
});
