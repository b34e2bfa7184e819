import { verifyData } from '../analysis/threadJobs';
import type { VerifyReport } from '../model/reports';
import type { VerifyView } from '../protocol/views';
import { shareWork } from './sharedWork';
import { type Cancelled, hasThreads, onThread } from './thread';
import type { Trace } from './trace';

/** Below that many requests starting a thread takes longer than verifying. */
const fewestForThread = 50_000;
const shownMismatches = 100;

export async function verifyView(trace: Trace, cancelled: Cancelled): Promise<VerifyView> {
  const report = await verifyOf(trace, cancelled);
  return { ...report, mismatched: report.mismatched.slice(0, shownMismatches) };
}

/** Verifies on another thread where it takes long, so that hovers are answered meanwhile. Kept by the trace. */
export async function verifyOf(trace: Trace, cancelled: Cancelled): Promise<VerifyReport> {
  const isSmall = trace.analysis.tables.requests.length < fewestForThread;
  if (trace.isVerified || isSmall || !hasThreads()) {
    return trace.verify();
  }
  const message = 'Verifying was cancelled.';
  return shareWork(trace, 'verify', cancelled, message, async (abandoned) => {
    const report = await onThread<VerifyReport>(verifyData(trace.analysis), null, abandoned, message);
    trace.keepVerify(report);
    return report;
  });
}
