import { describe, expect, it } from 'vitest';
import { ChartBlock } from '../../src/webview/chartBlock';
import { initialState } from '../../src/webview/state';

describe('charts that are not there', () => {
  it('keep where the editor is, and touch no page', () => {
    // There is no document here: whatever looks for an element throws, as it does in a panel of a log alone.
    let told = 0;
    const charts = new ChartBlock({
      state: initialState(),
      askSeries: () => Promise.reject(new Error('nobody asks for windows')),
      reveal: () => undefined,
      revealTime: () => undefined,
      failed: (title) => expect.fail(title),
      drawn: () => undefined,
      cursor: () => told++,
      ranged: () => undefined,
    });
    charts.setEditorCursor(0.5);
    charts.setEditorCursor(7);
    charts.clear();
    expect(charts.cursorNs()).toBe(7);
    expect(charts.cursorSource()).toBe('editor');
    expect(told).toBe(0);
  });
});
