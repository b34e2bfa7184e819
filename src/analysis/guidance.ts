import { formatCount, joinWords, plural } from '../base/format';
import { failureLogKinds } from '../model/log';
import type { ProblemCode } from '../model/problem';
import type { Guidance } from '../model/reports';
import { EvidenceBit, FactKind } from '../model/tables';
import { formats } from '../trace/formats';
import type { Analysis } from './analysis';
import { captureCommandsFor } from './captureCommands';

/**
 * What to do next when the input cannot answer: null when it holds requests with ends, the normal case.
 * Each guidance says what was found, what is missing, and the commands that get it.
 */
export function guidanceFor(analysis: Analysis): Guidance | null {
  const { tables } = analysis;
  if (isEmpty(analysis)) {
    return withCommands(analysis, {
      kind: 'empty',
      title: 'Nothing to read',
      found: 'The input is empty.',
      next: 'Save the log again (dmesg > dmesg.txt), or record a trace with these commands as root:',
    });
  }
  const headless = analysis.problems.find(({ code }) => code === 'csv-no-header');
  if (!isRecognised(analysis) && headless !== undefined) {
    return withCommands(analysis, {
      kind: 'not-a-trace',
      title: 'A table without a header',
      found: headless.message,
      next: 'Or record a trace with the samples beside it, with these commands as root:',
    });
  }
  if (!isRecognised(analysis)) {
    return withCommands(analysis, {
      kind: 'not-a-trace',
      title: 'Not a swiotlb trace',
      found: describeUnrecognised(analysis),
      next: 'Open an ftrace text, a kernel log or debugfs samples. These commands, run as root, record a trace:',
    });
  }
  if (tables.requests.length === 0 && hasFailureLines(analysis)) {
    return withCommands(analysis, {
      kind: 'log-with-failures',
      title: 'A log without a trace',
      found: `This is a kernel log with ${plural(tables.logFailures.length, 'failure line')}. It proves the causes shown, but not who held the slots.`,
      next: 'To replay this load under other policies, record a trace while it runs, with these commands as root:',
    });
  }
  if (tables.requests.length === 0) {
    return withoutRequests(analysis);
  }
  return null;
}

/** True when the input holds a trace, a kernel log or samples at all; false means exit code 3. */
export function isRecognised(analysis: Analysis): boolean {
  const { tables } = analysis;
  if (tables.requests.length > 0 || tables.logs.length > 0 || tables.samples.length > 0 || tables.pools.length > 0) {
    return true;
  }
  return tables.sources.some(
    (source) =>
      source.format !== '' && source.format !== 'unknown' && !hasProblem(analysis, source.id, unreadableCodes),
  );
}

const unreadableCodes: readonly ProblemCode[] = ['empty-input', 'not-a-trace', 'csv-no-header', 'binary-input'];

function hasProblem(analysis: Analysis, source: number, codes: readonly ProblemCode[]): boolean {
  return analysis.problems.some((problem) => problem.source === source && codes.includes(problem.code));
}

function isEmpty(analysis: Analysis): boolean {
  const { sources } = analysis.tables;
  return sources.every((source) => {
    if (hasProblem(analysis, source.id, ['binary-input', 'not-a-trace'])) {
      return false;
    }
    const ledger = analysis.sourceLedgers.find((candidate) => candidate.source === source.id);
    return ledger === undefined || ledger.lines === 0;
  });
}

function hasFailureLines(analysis: Analysis): boolean {
  return (
    analysis.tables.logFailures.length > 0 || analysis.tables.logs.some((record) => failureLogKinds.has(record.kind))
  );
}

/** Facts of the field without any request: a log without failures, samples, or a trace of something else. */
function withoutRequests(analysis: Analysis): Guidance {
  const { tables } = analysis;
  const pool = analysis.geometry.pools.find((candidate) => candidate.kind === 'boot');
  const poolKnown = pool !== undefined && pool.slots.evidence.level === 'recorded';
  const poolText = poolKnown ? ` The pool has ${formatCount(pool.slots.value)} slots.` : '';
  const durations = timedFunctions(analysis);
  if (durations !== '') {
    return withCommands(analysis, {
      kind: 'durations',
      title: 'Durations without mappings',
      found: `This function_graph trace times ${durations}. It has no event of a mapping: no device, size or address.${poolText} The durations calibrate the costs of a replay when a trace with events is read together with this one.`,
      next: 'Record the events too (the tracer nop is enough), with these commands as root:',
    });
  }
  if (isTrace(analysis)) {
    return withCommands(analysis, {
      kind: 'trace-of-something-else',
      title: 'A trace without swiotlb events',
      found: `This is a trace of ${countedEvents(analysis)}, but none of swiotlb or dma.${poolText}`,
      next: 'Enable those events and record again, with these commands as root:',
    });
  }
  if (tables.logs.length > 0) {
    return withCommands(analysis, {
      kind: 'log-without-failures',
      title: 'No failure in this log',
      found: `This kernel log has ${plural(tables.logs.length, 'line')} about bounce buffers or the kernel, and no failed mapping.${poolText}`,
      next: 'To see how full the pool gets and who uses it, record a trace with these commands as root:',
    });
  }
  if (tables.samples.length > 0) {
    return withCommands(analysis, {
      kind: 'samples',
      title: 'Samples without a trace',
      found: `This has ${plural(tables.samples.length, 'sample')} of the pool's counters and no mapping.${poolText}`,
      next: 'To see who holds the slots, record a trace beside the samples, with these commands as root:',
    });
  }
  return withCommands(analysis, {
    kind: 'log-without-failures',
    title: 'No swiotlb line in this log',
    found: 'This is a kernel log, but no line of it is about bounce buffers.',
    next: 'Save the whole log from boot (dmesg > dmesg.txt), or record a trace with these commands as root:',
  });
}

function isTrace(analysis: Analysis): boolean {
  return analysis.tables.sources.some(({ format }) => formats.tryGet(format)?.family === 'trace');
}

/** `31,006 calls of swiotlb functions (swiotlb_map 7,016, …)`; '' when function_graph recorded none. */
function timedFunctions(analysis: Analysis): string {
  const { facts, strings } = analysis.tables;
  const calls = new Map<number, number>();
  let total = 0;
  for (let row = 0; row < facts.length; row++) {
    if (facts.columns.kind[row] === FactKind.functionDuration) {
      const symbol = facts.columns.symbol[row];
      calls.set(symbol, (calls.get(symbol) ?? 0) + 1);
      total++;
    }
  }
  const most = [...calls].sort((a, b) => b[1] - a[1]).slice(0, 3);
  const names = most.map(([symbol, count]) => `${strings.get(symbol)} ${formatCount(count)}`);
  const more = calls.size > names.length ? ', …' : '';
  return total === 0 ? '' : `${plural(total, 'call')} of swiotlb functions (${names.join(', ')}${more})`;
}

function countedEvents(analysis: Analysis): string {
  const counts = new Map<string, number>();
  for (const ledger of analysis.sourceLedgers) {
    for (const [name, count] of Object.entries(ledger.countedByName)) {
      counts.set(name, (counts.get(name) ?? 0) + count);
    }
  }
  const names = [...counts].sort((a, b) => b[1] - a[1]);
  if (names.length === 0) {
    const lines = analysis.sourceLedgers.reduce((sum, ledger) => sum + ledger.lines, 0);
    return plural(lines, 'line');
  }
  const shown = names.slice(0, 3).map(([name, count]) => `${formatCount(count)} ${name}`);
  const rest = names.length - shown.length;
  return joinWords(rest > 0 ? [...shown, plural(rest, 'other kind')] : shown);
}

function describeUnrecognised(analysis: Analysis): string {
  const problem = analysis.problems.find((candidate) => unreadableCodes.includes(candidate.code));
  if (problem !== undefined && problem.message !== '') {
    return problem.message;
  }
  return 'No line of this input is an ftrace event, a kernel log line or a debugfs sample.';
}

function withCommands(analysis: Analysis, guidance: Omit<Guidance, 'commands'>): Guidance {
  return { ...guidance, commands: captureCommandsFor(analysis).commands };
}

/** The sentence for traces of swiotlb_bounced alone; null when ends are recorded. */
export function lifetimeNote(analysis: Analysis): string | null {
  const ends = EvidenceBit.dmaUnmap | EvidenceBit.probeUnmapEnter | EvidenceBit.probeUnmapReturn;
  if (analysis.tables.requests.length === 0 || (analysis.tables.evidence & ends) !== 0) {
    return null;
  }
  return 'Lifetimes are assumed: nothing in this trace tells when a mapping ends.';
}
