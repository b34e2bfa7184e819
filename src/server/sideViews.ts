import { geometryRows } from '../analysis/geometryRows';
import type { EpisodeParams, FinishedRunView, GeometryRowView } from '../protocol/sideViews';
import type { FailureView } from '../protocol/views';
import type { Trace } from './trace';
import { runView } from './views';

export function geometryRowsView(trace: Trace): readonly GeometryRowView[] {
  return geometryRows(trace.analysis);
}

export function episodeFailuresView(trace: Trace, { episode, skip, count }: EpisodeParams): readonly FailureView[] {
  return trace
    .diagnose()
    .failures.filter((failure) => failure.episode === episode)
    .slice(skip, skip + count);
}

export function finishedRunsView(trace: Trace): readonly FinishedRunView[] {
  return trace.finishedRuns().map((key) => {
    const run = runView(trace, key);
    return {
      key,
      basis: run.basis,
      title: run.title,
      replayable: run.replayable,
      requests: run.requests,
      served: run.served,
      failed: run.failed,
      usedHighWaterSlots: run.usedHighWaterSlots,
      capacityPeakSlots: run.capacityPeakSlots,
      peakBytes: run.memory.peakBytes,
      assumedLifetimes: run.assumed.lifetimes,
    };
  });
}
