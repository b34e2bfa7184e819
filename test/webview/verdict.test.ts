import { describe, expect, it } from 'vitest';
import type { RunView, TraceView } from '../../src/protocol/views';
import { verdict } from '../../src/webview/verdict';
import { mockRun, mockTrace } from './mockTrace';

const recorded = mockRun();
const nothingFailed = { failed: 0, failuresByCause: {}, failures: [] };

function check(
  trace: TraceView,
  front: RunView | null,
  tone: string,
  headline: RegExp | string,
  base: RunView | null = recorded,
): void {
  const found = verdict(trace, base, front);
  expect(found.tone).toBe(tone);
  expect(found.headline).toMatch(headline);
}

function replayOf(policy: string, title: string, changes: Partial<RunView>): RunView {
  return mockRun({ key: { policy, set: {} }, policy, title, ...changes });
}

describe('the verdict', () => {
  it('is about the move, not about the recording, in a dry run', () => {
    const key = { policy: 'dynamic', set: { bounceAll: true } };
    const nothing = mockRun({ replayable: false, requests: 0 });
    const served = replayOf('dynamic', 'Dynamic pools', { key, ...nothingFailed });
    check(mockTrace(), served, 'good', /^Dry run: dynamic pools would serve this load/i, nothing);
    const failing = replayOf('dynamic', 'Dynamic pools', { key, failed: 3 });
    check(mockTrace(), failing, 'bad', /^Dry run: .* 3 mappings would fail/, nothing);
  });

  it('says that nothing bounced where every mapping went directly to its buffer', () => {
    const nothing = mockRun({ replayable: false, requests: 0, ...nothingFailed });
    const direct = mockTrace({ requests: 40, bounced: 0, failureCount: 0, episodes: [] });
    check(direct, null, 'neutral', /^Nothing bounced: all 40 mappings went directly/, nothing);
    check({ ...direct, requests: 0 }, null, 'neutral', /nothing to replay/, nothing);
  });

  it('says how many failed and why, before any replay', () => {
    check(mockTrace(), recorded, 'bad', '78 of 14,477 mappings failed: 61 fragmented, 17 pool full.');
  });

  it('says that nothing failed', () => {
    const run = mockRun(nothingFailed);
    check(mockTrace(), run, 'good', 'Nothing failed: all 14,477 mappings got their slots.', run);
  });

  it('says that a policy would have served everything', () => {
    const front = replayOf('dynamic', 'Dynamic pools', nothingFailed);
    check(mockTrace(), front, 'good', 'Dynamic pools would have served all 78 mappings that failed.');
    check(mockTrace(), front, 'good', /served the mapping that failed/, mockRun({ failed: 1 }));
  });

  it('names the size of a fixed pool', () => {
    const front = replayOf('fixed', 'Fixed pool', {
      ...nothingFailed,
      params: { poolSlots: { value: 32768, unit: 'slots', level: 'user', source: '' } },
    });
    check(mockTrace(), front, 'good', /^A fixed pool of 64 MiB would have served/);
  });

  it('says what still fails', () => {
    const front = replayOf('transient', 'Transient pools', { failed: 3, failuresByCause: { 'allocation-failed': 3 } });
    check(mockTrace(), front, 'mixed', /from 78 to 3; 3 still fail: allocation failed/);
  });

  it('does not sell a policy that does not help', () => {
    check(mockTrace(), replayOf('x', 'Policy X', {}), 'bad', /Policy X would not have helped: 78 mappings fail/);
    check(mockTrace(), replayOf('x', 'Policy X', { failed: 90 }), 'bad', /failed more often: 90 instead of 78/);
  });

  it('says that no pool size can help when every failure is over-size', () => {
    const run = mockRun({ failuresByCause: { 'over-size': 78 } });
    expect(verdict(mockTrace(), run, run).detail).toMatch(/^No pool size can help/);
  });

  it('speaks for a log without requests', () => {
    check(mockTrace({ requests: 0 }), null, 'bad', '78 mappings failed: 61 fragmented, 17 pool full.', null);
    const guidance = { title: 'Not a swiotlb trace', found: 'This is JSON.', next: '', commands: [] };
    const nothing = mockTrace({ requests: 0, failureCount: 0, episodes: [], guidance });
    check(nothing, null, 'neutral', 'Not a swiotlb trace', null);
  });

  it('warns when replays lack much of what was held', () => {
    const held = mockRun({ unseenSlots: 240 });
    const front = replayOf('dynamic', 'Dynamic pools', nothingFailed);
    expect(verdict(mockTrace(), held, front).detail).toMatch(/240 slots that no mapping .* are missing in the replays/);
    expect(verdict(mockTrace(), held, held).detail).not.toMatch(/missing/);
    expect(verdict(mockTrace(), recorded, front).detail).not.toMatch(/missing/);
  });

  it('says that lifetimes are assumed when the recorded curve is a model', () => {
    const run = mockRun({
      ...nothingFailed,
      basis: 'modelled',
      assumed: { lifetimes: 9, retriesDropped: 0, contexts: 0, counterfactual: 0 },
    });
    expect(verdict(mockTrace(), run, run).detail).toMatch(/Lifetimes are assumed, fitted to the debugfs samples/);
    expect(verdict(mockTrace({ samples: null }), run, run).detail).toMatch(
      /Lifetimes are assumed: this trace has no unmap/,
    );
  });

  it('keeps what is recorded apart from what a replay gives', () => {
    const model = { basis: 'modelled' as const };
    const quiet = mockTrace({ failureCount: 0, episodes: [] });
    const fits = mockRun({ ...nothingFailed, ...model });
    check(quiet, fits, 'neutral', 'No failure is recorded, and none happens in a replay.', fits);
    const fails = mockRun(model);
    check(quiet, fails, 'mixed', /^No failure is recorded, but 78 of 14,477 mappings fail in a replay/, fails);
    check(mockTrace(), fits, 'bad', /^78 mappings failed/, fits);
  });

  it('tells the price: peak, memory, worker runs', () => {
    const front = replayOf('dynamic', 'Dynamic pools', {
      ...nothingFailed,
      usedHighWaterSlots: 1204,
      memory: { peakBytes: 5452595, byteSeconds: 1, roundingWasteBytes: 0 },
      workerRuns: 2,
      transient: { count: 45, peakSlots: 1, failed: 0 },
    });
    expect(verdict(mockTrace(), recorded, front).detail).toBe(
      'Peak use 1 MiB → 2.4 MiB · memory held 1 MiB → 5.2 MiB · 2 worker runs · 45 transient pools.',
    );
  });
});
