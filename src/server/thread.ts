import { existsSync } from 'node:fs';
import path from 'node:path';
import type { AnalysisData, AnalysisJob } from '../analysis/threadJobs';
import { createWorkerPool } from '../node/workerPool';
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

const workerFile = path.join(__dirname, 'worker.js');

/** The bundle of the threads is there; tests of the server alone go without. */
export function hasThreads(): boolean {
  return existsSync(workerFile);
}

/** Does one job on a thread of its own, which ends with it, also when it is cancelled. */
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
  const pool = createWorkerPool<AnalysisJob, Result>(workerFile, 1, data);
  try {
    return await Promise.race([pool.run(job), stopped]);
  } finally {
    listener.dispose();
    await pool.close();
  }
}
