import { existsSync } from 'node:fs';
import path from 'node:path';
import { verifyData } from '../analysis/threadJobs';
import type { VerifyReport } from '../model/reports';
import { createWorkerPool } from '../node/workerPool';
import { FailureError } from '../protocol/result';
import type { VerifyView } from '../protocol/views';
import type { SizeContext } from './size';
import type { Trace } from './trace';

/** Below that many requests starting a thread takes longer than verifying. */
const fewestForThread = 50_000;
const workerFile = path.join(__dirname, 'worker.js');
const shownMismatches = 100;

export async function verifyView(trace: Trace, cancelled: SizeContext['cancelled']): Promise<VerifyView> {
  const report = await verifyOf(trace, cancelled);
  return { ...report, mismatched: report.mismatched.slice(0, shownMismatches) };
}

/** Verifies on another thread where it takes long, so that hovers are answered meanwhile. Kept by the trace. */
export function verifyOf(trace: Trace, cancelled: SizeContext['cancelled']): Promise<VerifyReport> {
  const isSmall = trace.analysis.tables.requests.length < fewestForThread;
  return trace.verify(isSmall || !existsSync(workerFile) ? null : () => onThread(trace, cancelled));
}

async function onThread(trace: Trace, cancelled: SizeContext['cancelled']): Promise<VerifyReport> {
  const pool = createWorkerPool<null, VerifyReport>(workerFile, 1, verifyData(trace.analysis));
  let stop: () => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(new FailureError({ kind: 'cancelled', message: 'Verifying was cancelled.' }));
  });
  // Also when nobody races against it any more.
  stopped.catch(() => undefined);
  const listener = cancelled.onCancellationRequested(stop);
  if (cancelled.isCancellationRequested) {
    stop();
  }
  try {
    return await Promise.race([pool.run(null), stopped]);
  } finally {
    listener.dispose();
    await pool.close();
  }
}
