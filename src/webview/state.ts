import type { SlotMapMemory } from '../protocol/panel';
import {
  bounceAllSetting,
  type PolicySettings,
  type RunKey,
  type RunView,
  runId,
  type TraceView,
  type VerifyView,
} from '../protocol/views';
import type { Range } from './charts/scale';
import { type TimeFormat, type TimeMode, timeFormat } from './format';

export const recordedKey: RunKey = { policy: 'recorded', set: {} };

/** What the panel shows; one object, changed only by panel.ts and what it hands the object to. */
export interface PanelState {
  trace: TraceView | null;
  /** Beside the recorded run, in the order they were added. */
  shown: readonly RunKey[];
  /** `runId` of the run in front. */
  front: string;
  readonly runs: Map<string, RunView>;
  /** Sentences of runs that could not be made. */
  readonly failed: Map<string, string>;
  range: Range;
  /** How times are written. */
  timeMode: TimeMode;
  time: TimeFormat;
  verify: VerifyView | 'none' | 'running' | { readonly error: string };
  showCapacity: boolean;
  /** Every DMA mapping bounces in the replays: a dry run for a confidential VM. */
  bounceAll: boolean;
  /** Settings that every replay of the panel gets, as far as its policy has them. */
  assumptions: PolicySettings;
  /** The trace to compare with, as picked; its answers come later. */
  other: string | null;
  /** What the user wrote down about this trace. */
  notes: string;
  /** What the slot map showed last; null: it was not looked at. */
  slotMap: SlotMapMemory | null;
}

export function initialState(): PanelState {
  return {
    trace: null,
    shown: [],
    front: runId(recordedKey),
    runs: new Map(),
    failed: new Map(),
    range: { fromNs: 0, toNs: 1 },
    timeMode: 'clock',
    time: timeFormat({ hasTime: true, origin: null }),
    verify: 'none',
    showCapacity: false,
    bounceAll: false,
    assumptions: {},
    other: null,
    notes: '',
    slotMap: null,
  };
}

/**
 * The run that stands for the trace itself. What the trace shows does not depend on assumptions; where it has to be
 * replayed to be shown, it does.
 */
export function recordedKeyOf({ trace, runs, assumptions }: PanelState): RunKey {
  const isReplayed = runs.get(runId(recordedKey))?.basis === 'modelled';
  return trace === null || !isReplayed ? recordedKey : withAssumptions(trace, recordedKey, {}, assumptions);
}

/** The recorded run first, then the others in the order they were added. */
export function shownKeys(state: PanelState): readonly RunKey[] {
  return [recordedKeyOf(state), ...state.shown];
}

/** The run in front, the recorded one when that is gone. */
export function frontKey(state: PanelState): RunKey {
  const keys = shownKeys(state);
  return keys.find((key) => runId(key) === state.front) ?? keys[0]!;
}

/** Takes the old assumptions out of a run's settings and puts the new ones in, as far as its policy has them. */
export function withAssumptions(trace: TraceView, key: RunKey, old: PolicySettings, next: PolicySettings): RunKey {
  const id = key.policy === 'recorded' ? trace.recordedPolicy : key.policy;
  const params = new Set(trace.policies.find((policy) => policy.id === id)?.params.map((param) => param.name) ?? []);
  const own = Object.entries(key.set).filter(([name, value]) => !Object.hasOwn(old, name) || old[name] !== value);
  const taken = Object.entries(next).filter(([name]) => params.has(name));
  return { ...key, set: Object.fromEntries([...taken, ...own]) };
}

/** A run in or out of the dry run; what was recorded stays what it is. */
export function withDryRun(key: RunKey, bounceAll: boolean): RunKey {
  if (key.policy === 'recorded' || (key.set[bounceAllSetting] === true) === bounceAll) {
    return key;
  }
  const { [bounceAllSetting]: _, ...set } = key.set;
  return { ...key, set: bounceAll ? { ...set, [bounceAllSetting]: true } : set };
}

/** Adds a run and brings it to the front; another setting of the same policy replaces the earlier one. */
export function withRun(shown: readonly RunKey[], key: RunKey): readonly RunKey[] {
  if (key.policy === 'recorded' || shown.some((other) => runId(other) === runId(key))) {
    return shown;
  }
  const index = shown.findIndex((other) => other.policy === key.policy);
  return index < 0 ? [...shown, key] : shown.map((other, i) => (i === index ? key : other));
}

/** A press on a policy's button: shows it in front, or hides it when it is in front already. */
export function pressed(
  shown: readonly RunKey[],
  front: string,
  key: RunKey,
): { readonly shown: readonly RunKey[]; readonly front: string } {
  const id = runId(key);
  if (key.policy === 'recorded') {
    return { shown, front: id };
  }
  const present = shown.some((other) => runId(other) === id);
  if (present && front === id) {
    const rest = shown.filter((other) => runId(other) !== id);
    const next = rest[rest.length - 1];
    return { shown: rest, front: next === undefined ? runId(recordedKey) : runId(next) };
  }
  return { shown: withRun(shown, key), front: id };
}

/** From the first step of any run to the last. */
export function wholeRange({ runs }: Pick<PanelState, 'runs'>): Range {
  let fromNs = Number.POSITIVE_INFINITY;
  let toNs = Number.NEGATIVE_INFINITY;
  for (const run of runs.values()) {
    if (run.replayable) {
      fromNs = Math.min(fromNs, run.fromNs);
      toNs = Math.max(toNs, run.toNs);
    }
  }
  return fromNs < toNs ? { fromNs, toNs } : { fromNs: 0, toNs: 1 };
}

export function isWhole(state: Pick<PanelState, 'runs' | 'range'>): boolean {
  const whole = wholeRange(state);
  return state.range.fromNs === whole.fromNs && state.range.toNs === whole.toNs;
}
