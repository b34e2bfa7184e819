import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plots, type TimelineModel } from '../../src/webview/charts/model';
import {
  clampRange,
  clusterMarks,
  powerOfTwoScale,
  slotsScale,
  ticksOf,
  timeTicks,
  valueAt,
  zoomRange,
} from '../../src/webview/charts/scale';
import { runStyle } from '../../src/webview/charts/theme';
import { spoken } from '../../src/webview/charts/timeline';
import { timeFormat } from '../../src/webview/format';
import { highestOfSteps } from '../../src/webview/sections/dataTable';
import { mockFailures, mockRun, mockSeries } from './mockTrace';

describe('vertical scale', () => {
  it('covers the top with few power-of-two steps', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1 << 24 }), fc.integer({ min: 2, max: 8 }), (top, steps) => {
        const scale = powerOfTwoScale(top, steps);
        expect(scale.max).toBeGreaterThanOrEqual(top);
        expect(Math.log2(scale.step) % 1).toBe(0);
        expect(ticksOf(scale).length).toBeLessThanOrEqual(steps + 1);
        expect(ticksOf(scale).at(-1)).toBe(scale.max);
      }),
    );
  });

  it('hides a capacity that would flatten the rest, until asked', () => {
    expect(slotsScale(500, 512, false)).toMatchObject({ capacityHidden: false });
    expect(slotsScale(500, 32768, false)).toMatchObject({ capacityHidden: true });
    expect(slotsScale(500, 32768, true)).toMatchObject({ capacityHidden: false });
    expect(slotsScale(500, 32768, false).max).toBeLessThan(1000);
    expect(slotsScale(500, 32768, true).max).toBeGreaterThanOrEqual(32768);
  });
});

describe('time axis', () => {
  it('has ticks at round readings of the clock', () => {
    const ticks = timeTicks({ fromNs: 0, toNs: 1e9 }, 36_146_000, 5);
    expect(ticks.map((tick) => (tick + 36_146_000) / 1e6)).toEqual([200, 400, 600, 800, 1000]);
  });

  it('writes what the trace prints', () => {
    const time = timeFormat({ hasTime: true, origin: { seconds: 4, nanoseconds: 36_146_000 } });
    expect(time.absolute(1_092_491_000, 1e4)).toBe('5.1286370 s');
    expect(time.tick(963_854_000, 1e9)).toBe('5.00');
    expect(time.tick(963_853_999, 1e9)).toBe('5.00');
    expect(time.relative(1_204_000)).toBe('+1.204 ms');
  });

  it('puts ticks on round readings of the clock, whole seconds too', () => {
    const time = timeFormat({ hasTime: true, origin: { seconds: 7, nanoseconds: 700_000_000 } });
    const ticks = timeTicks({ fromNs: 0, toNs: 192e9 }, time.originNs, 4);
    expect(ticks.map((tick) => time.tick(tick, 192e9))).toEqual(['50.0', '100.0', '150.0']);
    const long = timeFormat({ hasTime: true, origin: { seconds: 1_700_000_123, nanoseconds: 5 } });
    expect(long.tick(timeTicks({ fromNs: 0, toNs: 30e9 }, long.originNs, 3)[0]!, 30e9)).toBe('1,700,000,130.0');
  });

  it('counts events when the clock gives order only', () => {
    const time = timeFormat({ hasTime: false, origin: null });
    expect(time.absolute(1204, 5000)).toBe('event 1,204');
    expect(time.axisTitle).toMatch(/order only/);
  });
});

describe('ticks of a narrow chart', () => {
  it('are two at least, where a round step gives as many', () => {
    // 1.255 s with room for one label: full seconds would give one tick.
    expect(timeTicks({ fromNs: 0, toNs: 1.255e9 }, 36_146_000, 2).length).toBeGreaterThan(1);
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 1e12 }),
        fc.integer({ min: 0, max: 1e9 }),
        fc.integer({ min: 1, max: 12 }),
        (spanNs, originNs, count) => {
          const ticks = timeTicks({ fromNs: 0, toNs: spanNs }, originNs, count);
          expect(ticks.length).toBeGreaterThan(0);
          expect(ticks.length).toBeLessThan(2 * count + 12);
          expect(ticks.every((tick) => 0 <= tick && tick <= spanNs)).toBe(true);
        },
      ),
    );
  });
});

describe('the table of a chart', () => {
  it('loses no peak, however short', () => {
    const series = {
      ...mockSeries(1, 512, 1, 0, 100),
      timeNs: [0, 31, 32, 90],
      usedSlots: [5, 800, 6, 7],
    };
    const range = { fromNs: 0, toNs: 100 };
    expect(highestOfSteps(series, 'usedSlots', range, 4)).toEqual([5, 800, 6, 7]);
    expect(highestOfSteps(series, 'usedSlots', range, 1)).toEqual([800]);
    // Before the first step nothing is known.
    expect(highestOfSteps({ ...series, timeNs: [60, 70, 80, 90] }, 'usedSlots', range, 2)).toEqual([null, 800]);
  });
});

describe('what a chart says', () => {
  const run = mockRun({
    failures: [],
    pools: [{ id: 0, kind: 'boot', start: '0x0', slots: 512, areas: 1, addedAtNs: null, removedAtNs: null }],
  });
  const model: TimelineModel = {
    runs: [
      {
        id: 'recorded',
        label: 'Recorded',
        run,
        style: runStyle('recorded', 0),
        isFront: true,
        isRecorded: true,
        series: {
          timeNs: [0],
          usedSlots: [3],
          hiwaterSlots: [4],
          capacitySlots: [512],
          transientSlots: [1],
          memoryBytes: [1 << 20],
          stalledNs: [1e6],
        },
      },
    ],
    samples: null,
    band: null,
    range: { fromNs: 0, toNs: 100 },
    whole: { fromNs: 0, toNs: 100 },
    time: timeFormat({ hasTime: true, origin: null }),
    hasTime: true,
    showCapacity: false,
  };

  it('is what it draws: each has levels of its own', () => {
    expect(plots.map((plot) => spoken(plot, model, 50))).toEqual([
      'Recorded 3 slots · 6 KiB',
      'Recorded: 1 boot',
      'Recorded 1 slot · 2 KiB',
      'Recorded 1 MiB',
      'Recorded 1 ms',
    ]);
  });
});

describe('range', () => {
  const whole = { fromNs: 100, toNs: 10_100 };

  it('of a memory may be anything with two numbers', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e18, max: 1e18, noNaN: true }),
        fc.double({ min: -1e18, max: 1e18, noNaN: true }),
        (fromNs, toNs) => {
          const range = clampRange({ fromNs, toNs }, whole);
          expect(range.fromNs).toBeLessThan(range.toNs);
          expect(range.fromNs).toBeGreaterThanOrEqual(whole.fromNs - 1e-6);
          expect(range.toNs).toBeLessThanOrEqual(whole.toNs + 1e-6);
        },
      ),
    );
  });

  it('stays inside the whole, whatever is asked', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e5, max: 1e5, noNaN: true }),
        fc.double({ min: 1, max: 1e5, noNaN: true }),
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        (start, span, factor) => {
          const range = clampRange({ fromNs: start, toNs: start + span }, whole);
          const zoomed = zoomRange(range, whole, (range.fromNs + range.toNs) / 2, factor);
          for (const { fromNs, toNs } of [range, zoomed]) {
            expect(fromNs).toBeGreaterThanOrEqual(whole.fromNs - 1e-6);
            expect(toNs).toBeLessThanOrEqual(whole.toNs + 1e-6);
            expect(toNs).toBeGreaterThan(fromNs);
          }
        },
      ),
    );
  });

  it('zooms around the cursor', () => {
    const zoomed = zoomRange(whole, whole, 5100, 0.5);
    expect(zoomed).toEqual({ fromNs: 2600, toNs: 7600 });
  });
});

describe('steps and marks', () => {
  it('reads the step that holds', () => {
    const series = { ...mockSeries(1, 512, 10, 0, 100), timeNs: [0, 10, 20], usedSlots: [1, 2, 3] };
    expect([-1, 0, 9, 10, 25].map((at) => valueAt(series, 'usedSlots', at))).toEqual([null, 1, 1, 2, 3]);
  });

  it('joins marks that would share pixels and loses none', () => {
    const marks = mockFailures(78);
    const clusters = clusterMarks(marks, 0, 2e9, 5e6);
    // Two causes take turns: each has marks of its own.
    expect(clusters.length).toBeLessThan(16);
    expect(new Set(clusters.map((cluster) => cluster.first.cause))).toEqual(new Set(['fragmented', 'pool-full']));
    expect(clusters.reduce((sum, cluster) => sum + cluster.count, 0)).toBe(78);
    expect(clusters[0].first).toBe(marks[0]);
    expect(clusterMarks(marks, 0, 2e9, 1)).toHaveLength(78);
    expect(clusterMarks(marks, 0, 1, 1)).toEqual([]);
  });

  it('tells policies apart without colour', () => {
    const styles = ['recorded', 'dynamic', 'transient', 'fixed'].map((policy) => runStyle(policy, 0));
    expect(new Set(styles.map((style) => style.dash.join(' '))).size).toBe(4);
    expect(new Set(styles.map((style) => style.series)).size).toBe(4);
  });
});
