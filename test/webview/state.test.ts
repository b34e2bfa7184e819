import { describe, expect, it } from 'vitest';
import { poolSizeChoices } from '../../src/webview/fixedSizes';
import { pressed, recordedKey, withRun } from '../../src/webview/state';

const dynamic = { policy: 'dynamic', set: {} };
const fixed = { policy: 'fixed', set: { poolSlots: 1024 } };
const larger = { policy: 'fixed', set: { poolSlots: 2048 } };

describe('shown policies', () => {
  it('adds a run once and replaces another setting of the same policy', () => {
    expect(withRun([dynamic], dynamic)).toEqual([dynamic]);
    expect(withRun([dynamic, fixed], larger)).toEqual([dynamic, larger]);
    expect(withRun([dynamic], recordedKey)).toEqual([dynamic]);
  });

  it('brings a pressed policy to the front, and hides it when it is there', () => {
    const first = pressed([], 'recorded', dynamic);
    expect(first).toEqual({ shown: [dynamic], front: 'dynamic' });
    const second = pressed(first.shown, first.front, fixed);
    expect(second).toEqual({ shown: [dynamic, fixed], front: 'fixed(poolSlots=1024)' });
    expect(pressed(second.shown, second.front, dynamic).front).toBe('dynamic');
    expect(pressed(second.shown, second.front, fixed)).toEqual({ shown: [dynamic], front: 'dynamic' });
    expect(pressed([dynamic], 'dynamic', dynamic)).toEqual({ shown: [], front: 'recorded' });
  });

  it('never hides the recorded run', () => {
    expect(pressed([dynamic], 'recorded', recordedKey)).toEqual({ shown: [dynamic], front: 'recorded' });
  });
});

describe('sizes of a fixed pool', () => {
  it('are powers of two, with the recorded and the chosen one among them', () => {
    const choices = poolSizeChoices(512, 5000);
    expect(choices[0]).toEqual({ slots: 512, label: '1 MiB (as recorded)' });
    expect(choices.map((choice) => choice.slots)).toContain(5000);
    expect(choices.at(-1)?.label).toBe('8 GiB');
  });
});
