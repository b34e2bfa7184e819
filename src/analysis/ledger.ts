import { formatCount } from '../base/format';
import { isAtomic } from '../model/events';
import type { LogRecord } from '../model/log';
import type { ProblemCode } from '../model/problem';
import type { LedgerReport, SourceLedgerReport } from '../model/reports';
import { EvidenceBit, isOriginalDerived, Outcome, Pairing, type SourceLedger } from '../model/tables';
import type { Analysis } from './analysis';
import { completenessOf } from './completeness';
import { lifetimeNote } from './guidance';
import { type RecordingLosses, recordingLosses } from './losses';

type Note = LedgerReport['notes'][number];

const cache = new WeakMap<Analysis, LedgerReport>();
const examplesShown = 10;

/**
 * What the result rests on. Lines: understood + counted + notUnderstood = lines.
 * Requests: exact + derived + assumed = requests, each by its weakest evidence. `lost` counts events and lines that the
 * input says are missing.
 */
export function ledgerOf(analysis: Analysis): LedgerReport {
  let report = cache.get(analysis);
  if (report === undefined) {
    report = buildLedger(analysis);
    cache.set(analysis, report);
  }
  return report;
}

function buildLedger(analysis: Analysis): LedgerReport {
  const lines = { understood: 0, counted: 0, notUnderstood: 0 };
  const countedByName: Record<string, number> = {};
  const examples: { file: string; line: number; text: string }[] = [];
  for (const ledger of analysis.sourceLedgers) {
    lines.understood += ledger.understood;
    lines.counted += ledger.counted;
    lines.notUnderstood += ledger.notUnderstood;
    for (const [name, count] of Object.entries(ledger.countedByName)) {
      countedByName[name] = (countedByName[name] ?? 0) + count;
    }
    const file = analysis.tables.sources[ledger.source]?.path ?? analysis.file;
    for (const example of ledger.notUnderstoodExamples.slice(0, examplesShown - examples.length)) {
      examples.push({ file, line: example.line, text: example.text });
    }
  }
  const requests = classifyRequests(analysis);
  const recording = recordingLosses(analysis);
  const losses = countLosses(analysis, recording);
  const sources = analysis.sourceLedgers.map((ledger) => sourceReport(analysis, ledger));
  return {
    ...lines,
    exact: requests.exact,
    derived: requests.derived,
    assumed: requests.assumed,
    lost: losses.lost,
    countedByName,
    notUnderstoodExamples: examples,
    notes: [
      ...requests.notes,
      ...losses.notes,
      ...clockNotes(analysis, sources, recording),
      ...lineNotes(lines.notUnderstood),
    ],
    sources,
    probeLosses: recording.probes,
    ringLosses: recording.rings,
    earliestCommonTimeNs: recording.earliestCommonTimeNs,
    suppressedMessages: suppressedMessages(analysis),
    truncatedLists: problemCount(analysis, 'truncated-list'),
    completeness: completenessOf(analysis, { ...lines, lost: losses.lost }),
  };
}

function sourceReport(analysis: Analysis, ledger: SourceLedger): SourceLedgerReport {
  const source = analysis.tables.sources[ledger.source];
  const jumps = analysis.problems.filter(
    (problem) => problem.code === 'clock-backwards' && problem.source === ledger.source,
  );
  return {
    file: source?.path ?? analysis.file,
    format: source?.format ?? 'unknown',
    lines: ledger.lines,
    understood: ledger.understood,
    counted: ledger.counted,
    notUnderstood: ledger.notUnderstood,
    countedByName: ledger.countedByName,
    notUnderstoodExamples: ledger.notUnderstoodExamples,
    lostEvents: Math.max(0, ledger.lostEvents),
    lostByCpu: ledger.lostByCpu,
    overwritten: ledger.overwritten < 0 ? null : ledger.overwritten,
    clockJumps: jumps.reduce((sum, { count }) => sum + count, 0),
    firstClockJumpLine: jumps[0]?.line ?? null,
  };
}

function problemCount(analysis: Analysis, code: ProblemCode): number {
  return analysis.problems.filter((problem) => problem.code === code).reduce((sum, problem) => sum + problem.count, 0);
}

/** Once per notice: a log beside a trace repeats the console events of the trace. */
function suppressedMessages(analysis: Analysis): number {
  const bySource = new Map<number, number>();
  for (const { kind, count, value, source } of analysis.tables.logs) {
    if (kind === 'suppressed' && count > 0 && /swiotlb/.test(value)) {
      bySource.set(source, (bySource.get(source) ?? 0) + count);
    }
  }
  return Math.max(0, ...bySource.values());
}

function clockNotes(
  analysis: Analysis,
  sources: readonly SourceLedgerReport[],
  recording: RecordingLosses,
): readonly Note[] {
  const notes: Note[] = [];
  const { columns, length } = analysis.tables.samples;
  const inferred = analysis.tables.sources.filter(({ areColumnsInferred }) => areColumnsInferred === true);
  for (const { id } of inferred) {
    let count = 0;
    for (let row = 0; row < length; row++) {
      count += columns.source[row] === id ? 1 : 0;
    }
    const said = analysis.problems.find(({ code, source }) => code === 'csv-columns-inferred' && source === id);
    notes.push({ level: 'derived', count, text: `Samples of a table. ${said?.message ?? ''}`.trim() });
  }
  const jumps = sources.reduce((sum, source) => sum + source.clockJumps, 0);
  if (jumps > 0) {
    notes.push({ level: 'derived', count: jumps, text: 'Places where the time goes back.' });
  }
  if (recording.earliestCommonTimeNs !== null) {
    notes.push({
      level: 'derived',
      count: recording.overwrittenCpus,
      text: `CPUs whose oldest events are overwritten; all CPUs are in the trace from ${formatSeconds(recording.earliestCommonTimeNs)} s on.`,
    });
  }
  return notes;
}

function formatSeconds(timeNs: number): string {
  return (timeNs / 1e9).toFixed(6);
}

interface Classified {
  readonly exact: number;
  readonly derived: number;
  readonly assumed: number;
  readonly notes: readonly Note[];
}

/** One pass over the requests: each counted once, by the weakest thing it rests on. */
function classifyRequests(analysis: Analysis): Classified {
  const { requests, devices } = analysis.tables;
  const { columns, length } = requests;
  const count = {
    exact: 0,
    derived: 0,
    assumed: 0,
    inferredOutcome: 0,
    unknownOutcome: 0,
    contextAssumed: 0,
    lifetimeAssumed: 0,
    endInferred: 0,
    addressDerived: 0,
    unseenMap: 0,
    open: 0,
    atomic: 0,
    nearLoss: 0,
  };
  for (let row = 0; row < length; row++) {
    const evidence = columns.evidence[row];
    const pairing = columns.pairing[row];
    const outcome = columns.outcome[row];
    const contextAssumed = (evidence & EvidenceBit.contextAssumed) !== 0;
    const noLifetime = pairing === Pairing.assumed && outcome !== Outcome.failed;
    const inferredOutcome = (evidence & EvidenceBit.inferredOutcome) !== 0 || outcome === Outcome.rolledBack;
    const inferredEnd =
      (evidence & EvidenceBit.inferredUnmap) !== 0 || pairing === Pairing.reused || pairing === Pairing.sizeMismatch;
    const addressDerived = isOriginalDerived(evidence, devices[columns.device[row]].dmaOffset);
    count.addressDerived += addressDerived ? 1 : 0;
    count.inferredOutcome += inferredOutcome ? 1 : 0;
    count.unknownOutcome += outcome === Outcome.unknown ? 1 : 0;
    count.contextAssumed += contextAssumed ? 1 : 0;
    count.lifetimeAssumed += noLifetime ? 1 : 0;
    count.endInferred += inferredEnd ? 1 : 0;
    count.unseenMap += pairing === Pairing.unseenMap ? 1 : 0;
    count.open += pairing === Pairing.open && outcome === Outcome.served ? 1 : 0;
    count.atomic += isAtomic(columns.context[row]) ? 1 : 0;
    count.nearLoss += (evidence & EvidenceBit.nearLoss) !== 0 ? 1 : 0;
    if (contextAssumed || noLifetime || outcome === Outcome.unknown) {
      count.assumed++;
    } else if (inferredOutcome || inferredEnd || addressDerived || pairing === Pairing.unseenMap) {
      count.derived++;
    } else {
      count.exact++;
    }
  }
  const notes: Note[] = [];
  const add = (level: Note['level'], number: number, text: string) => {
    if (number > 0) {
      notes.push({ level, count: number, text });
    }
  };
  add('recorded', count.exact, 'Requests whose result and end are in the trace.');
  add('derived', count.inferredOutcome, 'Results that follow from missing events (failed scatterlists print none).');
  add('derived', count.endInferred, 'Ends that follow from the slots being used again.');
  add(
    'derived',
    count.addressDerived,
    'Original addresses of attempts without a dma event: the DMA offset of their device was taken off.',
  );
  add('derived', count.unseenMap, 'Mappings from before the trace, seen only by their unmap.');
  add('recorded', count.open, 'Mappings still open when the trace ends.');
  add('assumed', count.lifetimeAssumed, lifetimeNote(analysis) ?? 'Mappings whose end is assumed.');
  add('assumed', count.unknownOutcome, 'Attempts without a recorded result.');
  add('assumed', count.contextAssumed, 'No flags column: the context is taken as atomic.');
  add('lost', count.nearLoss, 'Requests next to lost events: their ends may be missing.');
  return { exact: count.exact, derived: count.derived, assumed: count.assumed, notes };
}

function countLosses(
  analysis: Analysis,
  recording: RecordingLosses,
): { readonly lost: number; readonly notes: readonly Note[] } {
  const notes: Note[] = [];
  let lost = 0;
  const add = (count: number, text: string) => {
    if (count > 0) {
      lost += count;
      notes.push({ level: 'lost', count, text });
    }
  };
  const dropped = analysis.sourceLedgers.reduce((sum, ledger) => sum + Math.max(0, ledger.lostEvents), 0);
  const overwritten = analysis.sourceLedgers.reduce((sum, ledger) => sum + Math.max(0, ledger.overwritten), 0);
  add(dropped, 'Events the kernel dropped (LOST EVENTS).');
  add(overwritten, 'Events overwritten before the trace was saved.');
  // The same events again, as the ring buffer counted them: only what the trace itself does not tell comes on top.
  add(
    Math.max(0, (recording.ringTotal ?? 0) - dropped - overwritten),
    'More events the ring buffer lost, by its statistics.',
  );
  add(
    recording.probes.reduce((sum, probe) => sum + probe.missed, 0),
    `Probe hits the kernel missed without a mark in the trace (${recording.probes.map(({ probe, missed }) => `${formatCount(missed)} ${probe}`).join(', ')}).`,
  );
  for (const code of ['torn-line', 'line-too-long', 'truncated-list'] as const) {
    add(problemCount(analysis, code), lossTexts[code]);
  }
  const unpaired = analysis.tables.counts.unpairedUnmaps;
  if (unpaired > 0) {
    notes.push({ level: 'derived', count: unpaired, text: 'Unmaps without a map.' });
  }
  const suppressed = suppressedWithoutEvents(analysis);
  add(suppressed, 'Failure messages the kernel or the logger did not write, with no event to tell what they were.');
  return { lost, notes };
}

const lossTexts = {
  'torn-line': 'Lines cut off or glued together.',
  'line-too-long': 'Lines too long to read.',
  'truncated-list': 'Scatterlists of which the kernel printed only the first entries (128 at most).',
} as const;

/** Notices of suppressed messages with no failure of their log before them, so that no episode has them. */
export function suppressedBeforeFailures(analysis: Analysis): readonly LogRecord[] {
  const { tables } = analysis;
  const firstFailure = new Map<number, number>();
  for (const { record } of tables.logFailures) {
    const known = firstFailure.get(record.source) ?? Number.POSITIVE_INFINITY;
    firstFailure.set(record.source, Math.min(known, record.line));
  }
  return tables.logs.filter(
    (record) =>
      record.kind === 'suppressed' &&
      record.count > 0 &&
      /swiotlb/.test(record.value) &&
      record.line < (firstFailure.get(record.source) ?? Number.POSITIVE_INFINITY),
  );
}

/** A suppressed message is a loss only where no event saw the failure. */
export function suppressedWithoutEvents(analysis: Analysis): number {
  const hasEvents = analysis.tables.requests.length > 0;
  let suppressed = hasEvents ? 0 : suppressedBeforeFailures(analysis).reduce((sum, record) => sum + record.count, 0);
  for (const failure of analysis.tables.logFailures) {
    if (failure.request < 0) {
      suppressed += failure.suppressed;
    }
  }
  return suppressed;
}

function lineNotes(notUnderstood: number): readonly Note[] {
  return notUnderstood > 0
    ? [
        {
          level: 'lost',
          count: notUnderstood,
          text: 'Lines that could not be understood.',
        },
      ]
    : [];
}

/** One line for people: `14,212 exact · 3 derived · 0 assumed · 0 lost`. */
export function ledgerLine(ledger: LedgerReport): string {
  return `${formatCount(ledger.exact)} exact · ${formatCount(ledger.derived)} derived · ${formatCount(ledger.assumed)} assumed · ${formatCount(ledger.lost)} lost`;
}

/** `derived (38): Results that follow from …`. */
export function ledgerNote({ level, count, text }: LedgerReport['notes'][number]): string {
  return `${level}${count > 0 ? ` (${formatCount(count)})` : ''}: ${text}`;
}
