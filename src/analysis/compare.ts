import type { ReplayResult } from '../model/replayResult';
import type { CompareReport } from '../model/reports';
import type { Analysis } from './analysis';
import { replayReport } from './replay';
import { checkSomePolicyTakes, type ReplayRequest, settingsFor } from './replaySetup';
import { uncertaintyReport } from './uncertainty';

export interface CompareRequest extends Omit<ReplayRequest, 'policy'> {
  readonly policies: readonly string[];
}

export interface CompareAnswer {
  readonly report: CompareReport;
  readonly results: readonly ReplayResult[];
}

/** The same trace under several policies. A parameter is given to the policies that have it. */
export function compareReport(analysis: Analysis, request: CompareRequest): CompareAnswer {
  checkSomePolicyTakes(request.policies, request.set ?? {});
  const answers = request.policies.map((policy) =>
    compared(analysis, { ...request, policy, set: settingsFor(policy, request.set ?? {}) }),
  );
  return compareAnswers(answers, (answer) => answer.report.policy);
}

/** One policy on several traces (before and after a change). The winner is named by its file. */
export function compareTraces(analyses: readonly Analysis[], request: ReplayRequest): CompareAnswer {
  return compareAnswers(
    analyses.map((analysis) => compared(analysis, request)),
    (answer) => answer.report.file,
  );
}

interface Compared {
  readonly result: ReplayResult;
  readonly report: CompareReport['results'][number];
}

function compared(analysis: Analysis, request: ReplayRequest): Compared {
  const { result, report } = replayReport(analysis, request);
  return { result, report: { ...report, ...uncertaintyReport(analysis, request) } };
}

function compareAnswers(answers: readonly Compared[], nameOf: (answer: Compared) => string): CompareAnswer {
  const replayable = answers.filter((answer) => answer.report.replayable);
  const byFailures = [...replayable].sort(
    (a, b) => a.report.failed - b.report.failed || a.report.memory.peakBytes - b.report.memory.peakBytes,
  );
  const byMemory = [...replayable].sort(
    (a, b) =>
      a.report.memory.peakBytes - b.report.memory.peakBytes ||
      (a.report.memory.byteSeconds ?? 0) - (b.report.memory.byteSeconds ?? 0) ||
      a.report.failed - b.report.failed,
  );
  return {
    results: answers.map((answer) => answer.result),
    report: {
      results: answers.map((answer) => answer.report),
      best: {
        fewestFailures: byFailures[0] === undefined ? null : nameOf(byFailures[0]),
        leastMemory: byMemory[0] === undefined ? null : nameOf(byMemory[0]),
      },
    },
  };
}
