import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { causes } from '../../src/model/cause';
import type { RunView } from '../../src/protocol/views';
import { causeMark } from '../../src/webview/charts/causeMarks';
import { type KeyAction, keyAction, keyHelp } from '../../src/webview/charts/keys';
import type { ShownRun, TimelineModel } from '../../src/webview/charts/model';
import { poolRows, poolsAt } from '../../src/webview/charts/poolRows';
import { panRange, roundScale, ticksOf } from '../../src/webview/charts/scale';
import { runStyle } from '../../src/webview/charts/theme';
import { timeFormat, timeModesOf } from '../../src/webview/format';
import { mockFailures, mockRun, mockSeries, mockTrace } from './mockTrace';

function modelOf(changes: Partial<TimelineModel> = {}): TimelineModel {
  const shown: ShownRun = {
    id: 'dynamic',
    label: 'Dynamic',
    run: mockRun({ failures: mockFailures(3) }),
    style: runStyle('dynamic', 0),
    isFront: true,
    isRecorded: false,
    series: mockSeries(1, 500, 100, 0, 1000),
  };
  return {
    runs: [shown],
    samples: null,
    band: null,
    range: { fromNs: 0, toNs: 1000 },
    whole: { fromNs: 0, toNs: 2000 },
    time: timeFormat({ hasTime: true, origin: null }),
    hasTime: true,
    showCapacity: false,
    ...changes,
  };
}

/** Where a key moves the cursor to. */
function cursorAfter(key: string, at: number, model = modelOf()): number | null {
  const action = keyAction(key, false, model, at);
  if (action?.kind !== 'cursor') throw new Error(`'${key}' does not move the cursor`);
  return action.timeNs;
}

describe('keys of the time axis', () => {
  it('go to the next and previous change', () => {
    // Steps at 0, 10, 20 …
    expect(cursorAfter('.', 15)).toBe(20);
    expect(cursorAfter('.', 20)).toBe(30);
    expect(cursorAfter(',', 15)).toBe(10);
    expect(cursorAfter(',', 10)).toBe(0);
  });

  it('leave the visible range where it has no further change', () => {
    expect(cursorAfter('.', 990)).toBeGreaterThan(1000);
    expect(cursorAfter('.', 2000)).toBe(2000);
  });

  it('go from failure to failure and stay at the last', () => {
    const [first, second, third] = mockFailures(3).map((mark) => mark.timeNs);
    const model = modelOf({ whole: { fromNs: 0, toNs: 2e9 } });
    expect(cursorAfter('n', 0, model)).toBe(first);
    expect(cursorAfter('n', first!, model)).toBe(second);
    expect(cursorAfter('p', third!, model)).toBe(second);
    expect(cursorAfter('n', third!, model)).toBe(third);
  });

  it('never leave the whole, whatever is pressed', () => {
    const keys = ['ArrowLeft', 'ArrowRight', 'Home', 'End', '.', ',', 'n', 'p', '+', '-', 'w', 's', 'a', 'd', '0'];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...keys), { maxLength: 30 }), fc.boolean(), (pressed, isShift) => {
        let model = modelOf();
        let at: number | null = 500;
        for (const key of pressed) {
          const action: KeyAction = keyAction(key, isShift, model, at)!;
          if (action.kind === 'cursor') at = action.timeNs;
          if (action.kind === 'range') model = { ...model, range: action.range };
          expect(at).toBeGreaterThanOrEqual(0);
          expect(at).toBeLessThanOrEqual(2000);
          expect(model.range.fromNs).toBeGreaterThanOrEqual(-1e-6);
          expect(model.range.toNs).toBeLessThanOrEqual(2000 + 1e-6);
          expect(model.range.fromNs).toBeLessThan(model.range.toNs);
        }
      }),
    );
  });

  it('all do something that the list of keys names', () => {
    const listed = new Set(keyHelp.flatMap(([keys]) => keys.split(' ')));
    const names: Readonly<Record<string, string>> = { '←': 'ArrowLeft', '→': 'ArrowRight', '−': '-', Esc: 'Escape' };
    for (const key of listed) {
      expect(keyAction(names[key] ?? key, false, modelOf(), 5), key).not.toBeNull();
    }
    expect(keyAction('x', false, modelOf(), 5)).toBeNull();
  });
});

describe('marks', () => {
  it('tell the usual causes apart by shape, in text as on the canvas', () => {
    const usual = [
      'fragmented',
      'pool-full',
      'over-size',
      'alignment',
      'growth-too-late',
      'allocation-failed',
    ] as const;
    expect(new Set(usual.map((cause) => causeMark(cause).point)).size).toBe(usual.length);
    const bySign = new Map(causes.map((cause) => [causeMark(cause).sign, causeMark(cause).point]));
    for (const cause of causes) expect(bySign.get(causeMark(cause).sign)).toBe(causeMark(cause).point);
  });
});

describe('pools', () => {
  const pool = (id: number, kind: string, addedAtNs: number | null, removedAtNs: number | null) => ({
    id,
    kind: kind as RunView['pools'][number]['kind'],
    start: '0x0',
    slots: 512,
    areas: 1,
    addedAtNs,
    removedAtNs,
  });
  const whole = { fromNs: 0, toNs: 100 };

  it('have a row each as they come and go; transient ones share one', () => {
    const run = mockRun({
      pools: [
        pool(2, 'grown', 40, 80),
        pool(0, 'boot', null, null),
        pool(3, 'transient', 10, 20),
        pool(4, 'transient', 30, 31),
      ],
      transient: { count: 5, peakSlots: 1, failed: 0 },
    });
    const rows = poolRows(run, whole);
    expect(rows.map((row) => row.label)).toEqual(['boot 512 slots', 'grown 512 slots', 'the first 2 of 5 transient']);
    expect(rows.map((row) => row.spans.length)).toEqual([1, 1, 2]);
    expect(rows[0]!.spans[0]).toEqual(whole);
    expect(poolsAt(run, whole, 50)).toBe('1 grown, 1 boot');
    expect(poolsAt(run, whole, 15)).toBe('1 boot, 1 transient');
    expect(poolsAt(run, whole, null)).toBe('1 grown, 1 boot, 2 transient');
  });

  it('share the last row when they are many', () => {
    const run = mockRun({ pools: Array.from({ length: 30 }, (_, id) => pool(id, 'grown', id, null)) });
    const rows = poolRows(run, whole);
    expect(rows).toHaveLength(6);
    expect(rows[5]!.label).toBe('25 more');
    expect(rows.reduce((sum, row) => sum + row.spans.length, 0)).toBe(30);
  });
});

describe('times', () => {
  const trace = { hasTime: true, origin: { seconds: 93_784, nanoseconds: 500_000_000 } };

  it('are since boot, with days', () => {
    const time = timeFormat(trace, 'sinceBoot');
    expect(time.absolute(1e9, 1e9)).toBe('1 d 2:03:05.50 since boot');
    expect(timeFormat({ ...trace, origin: { seconds: 59, nanoseconds: 0 } }, 'sinceBoot').tick(1e9, 1e9)).toBe(
      '0:01:00.00',
    );
  });

  it('are since the first event, with a sign', () => {
    const time = timeFormat(trace, 'relative');
    expect(time.absolute(1.5e9, 1e9)).toBe('+1.50 s');
    expect(time.absolute(-0.5e9, 1e9)).toBe('−0.50 s');
    expect(time.originNs).toBe(0);
  });

  it('can be chosen only where there are several ways', () => {
    const clocked = (clock: string) => [{ ...mockTrace().sources[0]!, clock }];
    expect(timeModesOf({ hasTime: true, sources: clocked('local') })).toEqual(['clock', 'relative', 'sinceBoot']);
    expect(timeModesOf({ hasTime: true, sources: clocked('tai') })).toEqual(['clock', 'relative']);
    expect(timeModesOf({ hasTime: false, sources: clocked('counter') })).toEqual([]);
  });
});

describe('scales', () => {
  it('of times cover the top with few round steps', () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e15, noNaN: true }), (top) => {
        const scale = roundScale(top, 3);
        expect(scale.max).toBeGreaterThanOrEqual(top);
        expect(ticksOf(scale).length).toBeLessThanOrEqual(5);
      }),
    );
  });

  it('move without changing their length', () => {
    expect(panRange({ fromNs: 10, toNs: 30 }, { fromNs: 0, toNs: 100 }, 0.5)).toEqual({ fromNs: 20, toNs: 40 });
    expect(panRange({ fromNs: 10, toNs: 30 }, { fromNs: 0, toNs: 100 }, -5)).toEqual({ fromNs: 0, toNs: 20 });
  });
});
