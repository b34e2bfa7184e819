import { describe, expect, it } from 'vitest';
import { panelMemory, panelState, savedPanel } from '../../src/protocol/panel';
import { ValidationError } from '../../src/protocol/validate';
import { labelOf } from '../../src/webview/labels';
import { assumptionsOf } from '../../src/webview/sections/assumptions';
import { classFields, withClass } from '../../src/webview/sections/deviceClasses';
import { initialState, recordedKeyOf, withAssumptions } from '../../src/webview/state';
import { mockPolicy, mockRun, mockTrace } from './mockTrace';

const trace = mockTrace({
  recordedPolicy: 'fixed',
  policies: [
    mockPolicy('fixed', ['areas', 'seed']),
    mockPolicy('dynamic', ['areas', 'workerDelayNs', 'seed']),
    mockPolicy('cc', ['seed']),
  ],
});

describe('assumptions', () => {
  it('are what every policy has, and what the trace is silent about', () => {
    expect(assumptionsOf(trace).map(({ param }) => param.name)).toEqual(['areas', 'seed']);
  });

  it('go into the settings of the policies that know them and out again', () => {
    const key = { policy: 'dynamic', set: { workerDelayNs: 5 } };
    const changed = withAssumptions(trace, key, {}, { areas: 4, seed: 2 });
    expect(changed.set).toEqual({ areas: 4, seed: 2, workerDelayNs: 5 });
    expect(withAssumptions(trace, changed, { areas: 4, seed: 2 }, {}).set).toEqual({ workerDelayNs: 5 });
    expect(withAssumptions(trace, { policy: 'cc', set: {} }, {}, { areas: 4, seed: 2 }).set).toEqual({ seed: 2 });
  });

  it('leave alone what the user set for one run', () => {
    const key = { policy: 'dynamic', set: { areas: 8 } };
    expect(withAssumptions(trace, key, { areas: 4 }, { areas: 2 }).set).toEqual({ areas: 8 });
  });

  it('concern the recorded run only where it is a replay itself', () => {
    const state = { ...initialState(), trace, assumptions: { seed: 2 } };
    state.runs.set('recorded', mockRun({ basis: 'recorded' }));
    expect(recordedKeyOf(state).set).toEqual({});
    state.runs.set('recorded', mockRun({ basis: 'modelled' }));
    expect(recordedKeyOf(state).set).toEqual({ seed: 2 });
  });

  it('shared by all runs do not make one of them another', () => {
    const run = mockRun({ title: 'Dynamic pools' });
    expect(labelOf({ policy: 'dynamic', set: { seed: 2 } }, run, { seed: 2 })).toBe('Dynamic');
    expect(labelOf({ policy: 'dynamic', set: { seed: 3 } }, run, { seed: 2 })).toBe('Dynamic (changed)');
  });
});

describe('classes of devices', () => {
  const found = (name: string, deviceClass: 'block' | 'net' | 'other' | 'unknown') => ({
    name,
    dmaMaskBits: null,
    minAlignMask: null,
    evidence: '',
    deviceClass,
    classEvidence: { level: 'derived' as const, text: 'by its driver' },
  });
  const machine = mockTrace({
    geometry: {
      ...mockTrace().geometry,
      devices: [found('0000:00:05.0', 'block'), found('pcie@1,0', 'unknown'), found('constructor', 'unknown')],
    },
  });

  it('are as found, until the user says otherwise for one of them', () => {
    expect(classFields(machine, {}).map(({ value, isSet }) => [value, isSet])).toEqual([
      ['block', false],
      ['unknown', false],
      ['unknown', false],
    ]);
    const settings = { deviceClass: withClass(machine, {}, 'pcie@1,0', 'block') };
    expect(classFields(machine, settings)[1]).toMatchObject({ value: 'block', found: 'unknown', isSet: true });
    const both = { deviceClass: withClass(machine, settings, 'constructor', 'net') };
    expect(both).toEqual({ deviceClass: 'pcie@1,0=block,constructor=net' });
    expect(classFields(machine, both).map(({ value }) => value)).toEqual(['block', 'block', 'net']);
  });

  it('go back to what was found, and leave no setting behind', () => {
    const settings = { deviceClass: 'pcie@1,0=net' };
    expect(withClass(machine, settings, 'pcie@1,0', 'unknown')).toBe('');
    expect(withClass(machine, settings, '0000:00:05.0', 'block')).toBe('pcie@1,0=net');
  });

  it('offer unknown only where it is what the trace leaves open', () => {
    expect(classFields(machine, {}).map(({ choices }) => choices.includes('unknown'))).toEqual([false, true, true]);
  });

  it('of devices that this trace does not have are left out', () => {
    expect(withClass(machine, { deviceClass: 'gone=net,pcie@1,0=net' }, '0000:00:05.0', 'other')).toBe(
      'pcie@1,0=net,0000:00:05.0=other',
    );
  });

  it('have fields of their own: no text field beside them', () => {
    const policies = [mockPolicy('fixed', ['seed', 'deviceClass'])];
    expect(assumptionsOf({ policies }).map(({ param }) => param.name)).toEqual(['seed']);
  });
});

describe('the memory of a panel', () => {
  const memory = {
    runs: [{ policy: 'dynamic', set: { seed: 2 } }],
    front: 'dynamic(seed=2)',
    range: { fromNs: 0, toNs: 5 },
    timeMode: 'relative',
    assumptions: { seed: 2 },
    notes: 'the second disk',
    slotMap: { colouring: 'age', atNs: 4.5, runs: { first: 'recorded', second: null } },
  };

  it('survives JSON, from this version and from the first', () => {
    expect(panelMemory(JSON.parse(JSON.stringify(memory)))).toEqual(memory);
    expect(panelState({ uri: 'file:///a', runs: [] })).toMatchObject({
      runs: [],
      front: null,
      range: null,
      notes: null,
      slotMap: null,
    });
    // Saved before the slot map was remembered.
    const { slotMap: _, ...older } = memory;
    expect(savedPanel({ ...older, version: 1 })).toMatchObject({ ...older, slotMap: null });
  });

  it('is refused when it is anything else', () => {
    for (const wrong of [
      { ...memory, version: 2 },
      { ...memory, version: 1, notes: 5 },
      { ...memory, version: 1, range: { fromNs: 0 } },
      { ...memory, version: 1, timeMode: 'dali' },
      { ...memory, version: 1, script: 'x' },
      { ...memory, version: 1, slotMap: { ...memory.slotMap, colouring: 'url(x)' } },
      { ...memory, version: 1, slotMap: { ...memory.slotMap, atNs: Number.NaN } },
      { ...memory, version: 1, slotMap: { ...memory.slotMap, runs: ['recorded', null] } },
      [memory],
    ]) {
      expect(() => savedPanel(wrong)).toThrow(ValidationError);
    }
    expect(savedPanel({ ...memory, version: 1 })).toMatchObject(memory);
  });
});
