import type { RunView, SamplesView, SeriesView, TraceView } from '../../protocol/views';
import type { TimeFormat } from '../format';
import type { Range } from './scale';
import type { RunStyle } from './theme';

/** A run as the charts show it. */
export interface ShownRun {
  readonly id: string;
  readonly label: string;
  readonly run: RunView;
  readonly style: RunStyle;
  readonly isFront: boolean;
  readonly isRecorded: boolean;
  /** The visible window; null while it is on its way. */
  readonly series: SeriesView | null;
}

/** The charts that share the time axis, from top to bottom. */
export const plots = ['slots', 'pools', 'transient', 'memory', 'stalls'] as const;
export type Plot = (typeof plots)[number];

export interface TimelineModel {
  readonly runs: readonly ShownRun[];
  readonly samples: SamplesView | null;
  /** Slots in use of the run in front with shorter and with longer assumed lifetimes; null when none are assumed. */
  readonly band: readonly [SeriesView, SeriesView] | null;
  readonly range: Range;
  readonly whole: Range;
  readonly time: TimeFormat;
  readonly hasTime: boolean;
  readonly showCapacity: boolean;
}

/** Failures are drawn for the recording and for the run in front: more would hide each other. */
export function marksFailures(run: ShownRun): boolean {
  return run.isFront || run.isRecorded;
}

export function frontOf(model: TimelineModel): ShownRun | undefined {
  return model.runs.find((run) => run.isFront);
}

/** Which other lifetimes are drawn around a run; null when hardly any of its own are assumed. */
export function bandOf(run: RunView, trace: Pick<TraceView, 'samples'> | null): 'scaled' | 'quartiles' | null {
  const { lifetimes } = run.assumed;
  if (run.basis === 'recorded' || lifetimes === 0 || lifetimes * 100 < run.requests) {
    return null;
  }
  // What failed had no lifetime.
  if (lifetimes < run.served) {
    return 'quartiles';
  }
  return trace?.samples === null ? 'scaled' : null;
}
