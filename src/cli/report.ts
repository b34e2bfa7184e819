import { writeFile } from 'node:fs/promises';
import { diagnose } from '../analysis/diagnose';
import { recordedPolicy } from '../analysis/recorded';
import { recordedUse } from '../analysis/recordedUse';
import { replayReport } from '../analysis/replay';
import { checkSomePolicyTakes, settingsFor } from '../analysis/replaySetup';
import { modelledRun, type ReportParts, type ReportRun, recordedRun } from '../analysis/report/content';
import { htmlReport } from '../analysis/report/html';
import { markdownReport } from '../analysis/report/markdown';
import { uncertaintyReport } from '../analysis/uncertainty';
import { verifyReport } from '../analysis/verify';
import { type Context, Ending, forEachInput, printJson, UsageError } from './commands';
import { sizeWithThreads } from './sizing';

export interface ReportFlags {
  readonly output?: string;
  readonly format?: 'html' | 'md';
  readonly policies?: readonly string[];
  readonly size: boolean;
  readonly set: Readonly<Record<string, string>>;
  readonly bounceAll: boolean;
}

const defaultPolicies = ['fixed', 'transient', 'dynamic'];

/** Everything about an input as one page. The geometry options describe the replayed kernel. */
export async function runReport(file: string, context: Context, flags: ReportFlags): Promise<number> {
  const ending = new Ending(context);
  const { output = '-' } = flags;
  const format = flags.format ?? (/\.(md|markdown)$/i.test(output) ? 'md' : 'html');
  const policies = flags.policies ?? defaultPolicies;
  if (context.flags.json === true && output === '-') {
    throw new UsageError('with --json the report needs a place of its own: -o FILE');
  }
  checkSomePolicyTakes(policies, flags.set);
  await forEachInput([file], { ...context, overrides: {} }, ending, async (analysis) => {
    const { cpus, ...overrides } = context.overrides;
    const { set, bounceAll } = flags;
    const { terminal } = context;
    const hasRequests = analysis.tables.requests.length > 0;
    const runs: ReportRun[] = [];
    // One page may tell one recorded truth only: a dry run replaces it by what might be.
    const recorded = hasRequests && !bounceAll ? replayReport(analysis, { policy: recordedPolicy(analysis) }) : null;
    const diagnosis = diagnose(analysis, {
      recorded: recorded?.report.replayable === true && analysis.tables.counts.failed > 0 ? recorded.result : null,
    });
    if (recorded?.report.replayable === true) {
      runs.push(recordedRun(recordedUse(analysis, diagnosis), recorded));
    }
    for (const policy of hasRequests ? policies : []) {
      terminal.progress(`replaying ${policy}`);
      const request = { policy, set: settingsFor(policy, set), bounceAll, overrides: context.overrides };
      runs.push(modelledRun(policy, replayReport(analysis, request), uncertaintyReport(analysis, request)));
    }
    if (hasRequests && flags.size) {
      terminal.progress('trying pool sizes');
    }
    const parts: ReportParts = {
      diagnosis,
      runs,
      size:
        hasRequests && flags.size
          ? await sizeWithThreads(analysis, { set, bounceAll, overrides, ...(cpus === undefined ? {} : { cpus }) })
          : null,
      verify: hasRequests ? verifyReport(analysis) : null,
      isDryRun: hasRequests && bounceAll,
    };
    terminal.progress('');
    const text = format === 'md' ? markdownReport(analysis, parts) : htmlReport(analysis, parts);
    if (output === '-') {
      terminal.out(text);
    } else {
      await writeFile(output, text);
    }
    if (context.flags.json === true) {
      const object = { file: diagnosis.file, format, output, failures: diagnosis.failures.length };
      printJson(context, { ...object, policies: runs.map((run) => run.name) });
    }
    ending.check(diagnosis, diagnosis.ledger);
  });
  return ending.code();
}
