import { describe, expect, it } from 'vitest';
import { FailureError } from '../../src/protocol/result';
import type { RunKey } from '../../src/protocol/views';
import { runId } from '../../src/protocol/views';
import { Runs } from '../../src/webview/runs';
import { frontKey, initialState, shownKeys } from '../../src/webview/state';
import { mockPolicy, mockRun, mockTrace } from './mockTrace';

const trace = mockTrace({
  policies: [
    mockPolicy('fixed', ['poolSlots', 'seed']),
    mockPolicy('dynamic', ['seed']),
    mockPolicy('transient', ['seed']),
  ],
});

function panelWith(answer: (key: RunKey) => Partial<ReturnType<typeof mockRun>> = () => ({})) {
  const state = initialState();
  const asked: string[] = [];
  const runs = new Runs(state, async (key) => {
    asked.push(runId(key));
    return mockRun({
      key,
      policy: key.policy,
      basis: key.policy === 'recorded' ? 'recorded' : 'modelled',
      ...answer(key),
    });
  });
  return { state, runs, asked };
}

describe('the runs of a panel', () => {
  it('are asked for once, and let go of when they are hidden', async () => {
    const { state, runs, asked } = panelWith();
    runs.begin([{ policy: 'dynamic', set: {} }]);
    runs.reset(trace);
    await runs.loadMissing();
    await runs.loadMissing();
    expect(asked).toEqual(['recorded', 'dynamic']);
    runs.press({ policy: 'dynamic', set: {} });
    runs.prune();
    expect([...state.runs.keys()]).toEqual(['recorded']);
    expect(frontKey(state).policy).toBe('recorded');
  });

  it('of an earlier recording lose the classes of devices that are gone, and nothing else', async () => {
    const { state, runs, asked } = panelWith();
    const deviceClass = 'gone=block,0000:00:05.0=net';
    state.assumptions = { seed: 7, deviceClass };
    runs.begin([{ policy: 'dynamic', set: { seed: 7, deviceClass } }]);
    runs.reset(
      mockTrace({
        policies: trace.policies.map(({ id, params }) =>
          mockPolicy(id, [...params.map(({ name }) => name), 'deviceClass']),
        ),
      }),
    );
    await runs.loadMissing();
    expect(asked).toEqual(['recorded', 'dynamic(deviceClass="0000:00:05.0=net",seed=7)']);
    expect(frontKey(state).policy).toBe('dynamic');
    expect(state.assumptions).toEqual({ seed: 7, deviceClass: '0000:00:05.0=net' });
  });

  it('all get another assumption, except what the trace itself shows', async () => {
    const { state, runs, asked } = panelWith();
    runs.begin([{ policy: 'dynamic', set: {} }]);
    runs.reset(trace);
    await runs.loadMissing();
    runs.assume({ seed: 7 });
    await runs.loadMissing();
    expect(asked).toEqual(['recorded', 'dynamic', 'dynamic(seed=7)']);
    expect(runId(frontKey(state))).toBe('dynamic(seed=7)');
    runs.choose({ policy: 'transient', set: {} });
    expect(state.front).toBe('transient(seed=7)');
    runs.assume({});
    expect(shownKeys(state).map((key) => runId(key))).toEqual(['recorded', 'dynamic', 'transient']);
  });

  it('show the recording under the assumptions where it is a replay', async () => {
    const { state, runs, asked } = panelWith(() => ({ basis: 'modelled' }));
    runs.reset(trace);
    await runs.loadMissing();
    runs.assume({ seed: 7 });
    await runs.loadMissing();
    expect(asked).toEqual(['recorded', 'recorded(seed=7)']);
    expect(state.front).toBe('recorded(seed=7)');
  });

  it('go into the dry run together and out again; the recording stays out of it', async () => {
    const { state, runs } = panelWith();
    runs.reset(trace);
    await runs.loadMissing();
    runs.setDryRun(true);
    expect(shownKeys(state).map((key) => runId(key))).toEqual(['recorded', 'dynamic(bounceAll=true)']);
    expect(state.front).toBe('dynamic(bounceAll=true)');
    runs.setDryRun(false);
    expect(state.front).toBe('dynamic');
  });

  it('keep the error of one that cannot be made, and drop answers about an earlier reading', async () => {
    const state = initialState();
    const waiting: (() => void)[] = [];
    const runs = new Runs(state, async (key) => {
      if (key.policy === 'dynamic') throw new Error('no such parameter');
      await new Promise<void>((resolve) => waiting.push(resolve));
      return mockRun({ key });
    });
    runs.begin([{ policy: 'dynamic', set: {} }]);
    runs.reset(trace);
    const first = runs.loadMissing();
    runs.reset(trace);
    const second = runs.loadMissing();
    waiting[0]!();
    await first;
    expect(state.runs.has('recorded')).toBe(false);
    waiting[1]!();
    await second;
    expect(state.runs.has('recorded')).toBe(true);
    expect(state.failed.get('dynamic')).toBe('no such parameter');
  });

  it('go away when they are cancelled, and begin anew at the next press', async () => {
    const state = initialState();
    let isCancelled = true;
    const runs = new Runs(state, async (key) => {
      if (isCancelled && key.policy !== 'transient') {
        throw new FailureError({ kind: 'cancelled', message: 'It was cancelled.' });
      }
      return mockRun({ key });
    });
    runs.begin([{ policy: 'transient', set: {} }]);
    runs.choose({ policy: 'dynamic', set: {} });
    runs.reset(trace);
    await runs.loadMissing();
    expect(shownKeys(state).map((key) => key.policy)).not.toContain('dynamic');
    expect(frontKey(state).policy).not.toBe('dynamic');
    // Without the recording the panel has nothing to stand on: that is said, not hidden.
    expect(state.failed.get('recorded')).toBe('It was cancelled.');
    isCancelled = false;
    runs.choose({ policy: 'dynamic', set: {} });
    await runs.loadMissing();
    expect(state.runs.has('dynamic')).toBe(true);
    expect(frontKey(state).policy).toBe('dynamic');
  });
});
