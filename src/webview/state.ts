import { bounceAllSetting, type RunKey, type RunView, runId, type TraceView, type VerifyView } from '../protocol/views';
import type { Range } from './charts/scale';

export const recordedKey: RunKey = { policy: 'recorded', set: {} };

/** What the panel shows; one object, changed only by panel.ts. */
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
  verify: VerifyView | 'none' | 'running' | { readonly error: string };
  showCapacity: boolean;
  /** Every DMA mapping bounces in the replays: a dry run for a confidential VM. */
  bounceAll: boolean;
  /** The trace to compare with, as picked; its answers come later. */
  other: string | null;
}

export function initialState(): PanelState {
  return {
    trace: null,
    shown: [],
    front: runId(recordedKey),
    runs: new Map(),
    failed: new Map(),
    range: { fromNs: 0, toNs: 1 },
    verify: 'none',
    showCapacity: false,
    bounceAll: false,
    other: null,
  };
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
