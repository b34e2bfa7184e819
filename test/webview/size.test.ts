import { describe, expect, it } from 'vitest';
import { otherRows, sideNames } from '../../src/webview/sections/other';
import { withParam } from '../../src/webview/sections/params';
import { ratioAt, ratioScale, recommendedSlots, type SizePointView, sizeSeries } from '../../src/webview/sizeCurve';
import { withDryRun } from '../../src/webview/state';
import { mockRun, mockTrace } from './mockTrace';

function point(policy: string, slots: number, areas: number, failureRatio: number): SizePointView {
  return { policy, slots, areas, bytes: slots * 2048, failed: 1, failureRatio, peakBytes: 0, proven: false };
}

const curve = [
  point('fixed', 512, 4, 0.02),
  point('fixed', 1024, 8, 0.0004),
  point('fixed', 512, 1, 0.01),
  point('fixed', 1024, 1, 0),
  point('dynamic', 512, 4, 0),
];

describe('size curve', () => {
  it('is cut into one line per policy and number of areas', () => {
    const found = sizeSeries(curve).map(({ policy, isSingleArea, points }) => [policy, isSingleArea, points.length]);
    expect(found).toEqual([
      ['fixed', false, 2],
      ['fixed', true, 2],
      ['dynamic', false, 1],
    ]);
    expect(sizeSeries([])).toEqual([]);
  });

  it('has a line for "none" a decade below the smallest ratio', () => {
    const scale = ratioScale(curve);
    expect(scale.height(0)).toBe(0);
    expect(scale.height(0.0001)).toBeCloseTo(1);
    expect(scale.height(1)).toBeCloseTo(scale.top);
    expect(Array.from({ length: scale.top + 1 }, (_, height) => scale.label(height))).toEqual([
      'none',
      '0.01 %',
      '0.1 %',
      '1 %',
      '10 %',
      '100 %',
    ]);
    expect(ratioScale([]).label(0)).toBe('none');
  });

  it('takes the ratio of the next smaller size, and none where there is none', () => {
    const { points } = sizeSeries(curve)[0]!;
    expect(ratioAt(points, 1024)).toBe(0.0004);
    expect(ratioAt(points, 900)).toBe(0.02);
    expect(ratioAt(points, 100)).toBeNull();
  });

  it('has no recommendation where no size is enough', () => {
    const entry = { policy: 'fixed', slots: 640, areas: 4, headroom: 0.2, kneeSlots: null, variants: [] };
    expect(recommendedSlots({ ...entry, bootParameter: 'swiotlb=1024', bytesAfterRounding: 2 ** 21 })).toBe(1024);
    expect(recommendedSlots({ ...entry, slots: null, bootParameter: null, bytesAfterRounding: null })).toBeNull();
    expect(recommendedSlots(undefined)).toBeNull();
  });
});

describe('settings of a run', () => {
  it('are set and taken out one by one', () => {
    const key = withParam({ policy: 'dynamic', set: {} }, 'workerDelayNs', 1000);
    expect(key).toEqual({ policy: 'dynamic', set: { workerDelayNs: 1000 } });
    expect(withParam(key, 'dropRetries', false).set).toEqual({ workerDelayNs: 1000, dropRetries: false });
    expect(withParam(key, 'workerDelayNs', '').set).toEqual({});
  });

  it('say that it is a dry run, and what was recorded never is one', () => {
    const key = { policy: 'fixed', set: { poolSlots: 512 } };
    const dry = withDryRun(key, true);
    expect(dry.set).toEqual({ poolSlots: 512, bounceAll: true });
    expect(withDryRun(dry, false)).toEqual(key);
    expect(withDryRun({ policy: 'recorded', set: {} }, true).set).toEqual({});
  });
});

describe('two traces', () => {
  const before = mockTrace({ failureCount: 78, failuresByCause: { fragmented: 61, 'pool-full': 17 } });
  const after = mockTrace({
    uri: 'file:///captures/fixed/trace.txt',
    failureCount: 17,
    failuresByCause: { 'pool-full': 17 },
  });

  it('are compared by what the files say when one cannot be replayed', () => {
    const rows = otherRows({ trace: before, run: mockRun() }, { trace: after, run: null });
    expect(rows.map(({ id, values, tone }) => [id, values, tone])).toEqual([
      ['failures', [78, 17], 'good'],
      ['failures.pool-full', [17, 17], ''],
      ['failures.fragmented', [61, 0], 'good'],
    ]);
  });

  it('are compared by their replays when both have one', () => {
    const rows = otherRows(
      { trace: before, run: mockRun({ failed: 3 }) },
      { trace: after, run: mockRun({ failed: 9 }) },
    );
    expect(rows.find(({ id }) => id === 'failed')).toMatchObject({ values: [3, 9], tone: 'bad' });
  });

  it('get names that differ', () => {
    expect(sideNames(before, after)).toEqual(['storage / trace.txt', 'fixed / trace.txt']);
    expect(sideNames(before, { ...after, name: 'fixed' })).toEqual(['storage', 'fixed']);
    expect(new Set(sideNames(before, before)).size).toBe(2);
  });
});
