import type { ReplayAnswer } from '../analysis/replay';
import { replayData } from '../analysis/threadJobs';
import { FailureError } from '../protocol/result';
import { type RunKey, runId } from '../protocol/views';
import { shareWork } from './sharedWork';
import { type Cancelled, hasThreads, neverCancelled, onThread } from './thread';
import type { Trace } from './trace';

/**
 * Makes a replay on another thread where it takes long, so that hovers are answered meanwhile; the trace has it then.
 * Two questions for the same one wait together.
 * Rejects only when it was cancelled: what else goes wrong is told where the replay is asked for.
 */
export async function prepareRun(trace: Trace, key: RunKey, cancelled: Cancelled): Promise<void> {
  if (!trace.hasRequests || trace.isQuick(key) || !hasThreads()) {
    return;
  }
  await shareWork(trace, `replay ${runId(key)}`, cancelled, 'The replay was cancelled.', (abandoned) =>
    make(trace, key, abandoned),
  );
}

/** Causes of failures come from the replay of the recorded kernel: to be awaited before `diagnose`. */
export async function prepareFindings(trace: Trace): Promise<void> {
  if (trace.analysis.tables.counts.failed > 0) {
    await prepareRun(trace, { policy: 'recorded', set: {} }, neverCancelled);
  }
}

async function make(trace: Trace, key: RunKey, cancelled: Cancelled): Promise<void> {
  try {
    const data = replayData(trace.analysis);
    trace.keepRun(
      key,
      await onThread<ReplayAnswer>(data, trace.requestOf(key), cancelled, 'The replay was cancelled.'),
    );
  } catch (error) {
    if (error instanceof FailureError) {
      throw error;
    }
  }
}
