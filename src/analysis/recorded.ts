import type { ReplayResult } from '../model/replayResult';
import type { Analysis } from './analysis';
import { replayReport } from './replay';

const cache = new WeakMap<Analysis, ReplayResult | null>();

/** Id of the policy the kernel of the recording follows. */
export function recordedPolicy(analysis: Analysis): 'fixed' | 'dynamic' {
  return analysis.geometry.dynamic.value ? 'dynamic' : 'fixed';
}

/** The replay of the recorded kernel, computed once; null when the input has nothing to replay. */
export function recordedReplay(analysis: Analysis): ReplayResult | null {
  let result = cache.get(analysis);
  if (result === undefined) {
    const answer =
      analysis.tables.requests.length === 0
        ? null
        : replayReport(analysis, { policy: recordedPolicy(analysis), keepSeries: false });
    result = answer?.report.replayable === true ? answer.result : null;
    cache.set(analysis, result);
  }
  return result;
}
