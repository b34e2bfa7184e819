import { platform } from '#platform';
import type { AnalysisData, AnalysisJob } from '../analysis/threadJobs';
import { FailureError } from '../protocol/result';

/** The standard cancellation token of a request. */
export interface Cancelled {
  readonly isCancellationRequested: boolean;
  onCancellationRequested(listener: () => void): { dispose(): void };
}

export const neverCancelled: Cancelled = {
  isCancellationRequested: false,
  onCancellationRequested: () => ({ dispose: () => undefined }),
};

/** Tests of the server alone go without. */
export function hasThreads(): boolean {
  return platform.threads() !== null;
}

/** Does one job on a thread of its own, which ends with it, also when it is cancelled. There are threads. */
export async function onThread<Result>(
  data: AnalysisData,
  job: AnalysisJob,
  cancelled: Cancelled,
  messageWhenCancelled: string,
): Promise<Result> {
  let stop: () => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(new FailureError({ kind: 'cancelled', message: messageWhenCancelled }));
  });
  // Also when nobody races against it any more.
  stopped.catch(() => undefined);
  if (cancelled.isCancellationRequested) {
    stop();
    return stopped;
  }
  const listener = cancelled.onCancellationRequested(stop);
  const pool = platform.threads()!.start<AnalysisJob, Result>(1, data);
  try {
    return await Promise.race([pool.run(job), stopped]);
  } finally {
    listener.dispose();
    await pool.close();
  }
}
