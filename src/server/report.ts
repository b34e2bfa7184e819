import { modelledRun, recordedRun } from '../analysis/report/content';
import { htmlReport } from '../analysis/report/html';
import { markdownReport } from '../analysis/report/markdown';
import type { ReportParams } from '../protocol/lsp';
import { bounceAllSetting, runId } from '../protocol/views';
import { type SizeContext, sizeOf } from './size';
import type { Trace } from './trace';
import { verifyOf } from './verify';

/** Everything about a trace as one text, with the runs that somebody compares. */
export async function reportText(trace: Trace, params: ReportParams, context: SizeContext): Promise<string> {
  const parts = {
    diagnosis: trace.diagnose(),
    runs: (trace.hasRequests ? params.runs : []).map((key) => {
      const answer = trace.run(key);
      return key.policy === 'recorded'
        ? recordedRun(trace.recordedUse(), answer)
        : modelledRun(runId(key), answer, trace.uncertainty(key));
    }),
    size: trace.hasRequests && params.size !== null ? await sizeOf(trace, params.size, context) : null,
    verify: trace.hasRequests ? await verifyOf(trace, context.cancelled) : null,
    isDryRun: params.size?.bounceAll === true || params.runs.some((key) => key.set[bounceAllSetting] === true),
  };
  return params.format === 'md' ? markdownReport(trace.analysis, parts) : htmlReport(trace.analysis, parts);
}
