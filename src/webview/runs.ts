import { FailureError } from '../protocol/result';
import {
  bounceAllSetting,
  type PolicySettings,
  type RunKey,
  type RunView,
  runId,
  type TraceView,
} from '../protocol/views';
import { clampRange } from './charts/scale';
import { withDefaults } from './fixedSizes';
import { withKnownDevices } from './sections/deviceClasses';
import {
  frontKey,
  isWhole,
  type PanelState,
  pressed,
  recordedKey,
  recordedKeyOf,
  shownKeys,
  wholeRange,
  withAssumptions,
  withDryRun,
  withRun,
} from './state';

/** Which runs the panel shows, which one is in front, and the answers to them. Changes the state, draws nothing. */
export class Runs {
  private readonly state: PanelState;
  private readonly ask: (key: RunKey) => Promise<RunView>;
  /** Grows with every reading of the trace: answers to questions about an earlier one are dropped. */
  private generation = 0;

  constructor(state: PanelState, ask: (key: RunKey) => Promise<RunView>) {
    this.state = state;
    this.ask = ask;
  }

  /** Runs to begin with, the last one in front; before the trace is there. */
  begin(runs: readonly RunKey[]): void {
    const { state } = this;
    state.bounceAll = runs.some((run) => run.set[bounceAllSetting] === true);
    for (const run of runs) {
      state.shown = withRun(state.shown, run);
      state.front = runId(run);
    }
  }

  /** The trace was read (again): the same runs have to be made anew. */
  reset(trace: TraceView): void {
    const { state } = this;
    this.generation++;
    state.trace = trace;
    const front = state.shown.find((key) => runId(key) === state.front);
    state.shown = state.shown.map((key) => this.prepared(key));
    state.front = front === undefined ? state.front : runId(this.prepared(front));
    state.runs.clear();
    state.failed.clear();
    // Kept from another recording, the class of a device that is not there would make every replay fail.
    this.assume(withKnownDevices(trace, state.assumptions));
  }

  /** Shows a run in front. */
  choose(wanted: RunKey): void {
    const key = this.prepared(wanted);
    this.state.shown = withRun(this.state.shown, key);
    this.state.front = runId(key);
  }

  /** Shows runs without bringing them to the front; returns them as they are shown. */
  add(wanted: readonly RunKey[]): readonly RunKey[] {
    const keys = wanted.map((key) => this.prepared(key));
    for (const key of keys) {
      this.state.shown = withRun(this.state.shown, key);
    }
    return keys;
  }

  /** A press on a run's button: in front, or away when it is in front already. */
  press(wanted: RunKey): void {
    const { state } = this;
    const next = pressed(state.shown, state.front, this.prepared(wanted));
    state.shown = next.shown;
    state.front = next.front;
    state.front = runId(frontKey(state));
  }

  /** Every replay gets these assumptions in place of those so far. */
  assume(assumptions: PolicySettings): void {
    const { state } = this;
    const { trace } = state;
    if (trace === null) {
      return;
    }
    const old = state.assumptions;
    const front = frontKey(state);
    state.assumptions = assumptions;
    state.shown = state.shown.map((key) => withAssumptions(trace, key, old, assumptions));
    state.front = runId(
      front.policy === 'recorded' ? recordedKeyOf(state) : withAssumptions(trace, front, old, assumptions),
    );
  }

  /**
   * Switches every replay between the trace as recorded and the dry run.
   * The recording is no dry run: where it was in front, dynamic pools come there.
   */
  setDryRun(bounceAll: boolean): void {
    const { state } = this;
    const front = frontKey(state);
    state.bounceAll = bounceAll;
    state.shown = state.shown.map((key) => withDryRun(key, bounceAll));
    state.front = runId(withDryRun(front, bounceAll));
    if (bounceAll && front.policy === 'recorded') {
      this.choose({ policy: 'dynamic', set: {} });
    }
  }

  isMissing(key: RunKey): boolean {
    return !this.state.runs.has(runId(key)) && !this.state.failed.has(runId(key));
  }

  /** Makes the shown runs that are not there yet. */
  async loadMissing(): Promise<void> {
    const mine = this.generation;
    if (this.isMissing(recordedKey)) {
      // What the recording is made of decides under which name it is shown.
      await this.load(recordedKey);
    }
    if (mine !== this.generation) {
      return;
    }
    await Promise.all(
      shownKeys(this.state)
        .filter((key) => this.isMissing(key))
        .map((key) => this.load(key)),
    );
  }

  /** Lets go of answers and errors of runs that are not shown any more. */
  prune(): void {
    const { state } = this;
    const wasWhole = isWhole(state);
    const ids = new Set([recordedKey, ...shownKeys(state)].map((key) => runId(key)));
    for (const answers of [state.runs, state.failed]) {
      for (const id of [...answers.keys()]) {
        if (!ids.has(id)) {
          answers.delete(id);
        }
      }
    }
    const whole = wholeRange(state);
    state.range = wasWhole ? whole : clampRange(state.range, whole);
  }

  private async load(key: RunKey): Promise<void> {
    const { state } = this;
    const mine = this.generation;
    const id = runId(key);
    try {
      const run = await this.ask(key);
      if (mine === this.generation) {
        // A dry run has steps where the recording has none: who sees the whole trace goes on doing so.
        const wasWhole = isWhole(state);
        state.runs.set(id, run);
        if (wasWhole) {
          state.range = wholeRange(state);
        }
      }
    } catch (error) {
      if (mine !== this.generation) {
        return;
      }
      if (isCancelled(error) && id !== runId(recordedKey)) {
        this.withdraw(key);
      } else {
        state.failed.set(id, error instanceof Error ? error.message : String(error));
      }
    }
  }

  /** A run that nobody waits for any more: its button is as before, and another press begins it anew. */
  private withdraw(key: RunKey): void {
    const { state } = this;
    state.shown = state.shown.filter((other) => runId(other) !== runId(key));
    state.front = runId(frontKey(state));
  }

  /** A run with the settings that this panel gives every one of its kind. */
  private prepared(key: RunKey): RunKey {
    const { trace, assumptions, bounceAll } = this.state;
    if (trace === null) {
      return key;
    }
    const assumed = key.policy === 'recorded' ? key : withAssumptions(trace, key, {}, assumptions);
    return withDryRun(withDefaults(trace, assumed), bounceAll);
  }
}

function isCancelled(error: unknown): boolean {
  return error instanceof FailureError && error.failure.kind === 'cancelled';
}
