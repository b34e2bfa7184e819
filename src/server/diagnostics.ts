import { type Diagnostic, type DiagnosticRelatedInformation, DiagnosticSeverity } from 'vscode-languageserver';
import { poolSizeCauses } from '../analysis/codeLenses';
import { kernelMessageRemark } from '../analysis/diagnose';
import { isRecovered } from '../analysis/navigation';
import { formatCount } from '../base/format';
import type { Cause } from '../model/cause';
import type { LogRecord } from '../model/log';
import type { EpisodeReport, FailureReport, LineRange } from '../model/reports';
import type { DocLink } from './docs';
import type { Documents } from './documents';
import { episodeKey } from './ignored';
import { lineReader, messageColumn } from './lineText';
import { toDiagnostic, toRange, toWarning } from './toLsp';
import type { Member, Trace } from './trace';

/** Findings per file that are listed; the rest is in the panel and the episodes' counts. */
const maxListed = 500;
/** Quiet marks on the further lines of a flood: shown in the text, not in the Problems view. */
const maxHints = 1000;
/** An episode with more failures than this is one finding with a count. */
const listedPerEpisode = 3;

/** A line with a finding on it, before its columns are known. */
interface Finding {
  readonly failure: FailureReport;
  readonly line: number;
  /** The kernel message on that line, when the line is one. */
  readonly record: LogRecord | undefined;
  readonly isFirst: boolean;
  /** Else it is a quiet mark on a further line of a flood. */
  readonly isListed: boolean;
}

/**
 * The diagnostics of one file of a capture. Each failure is reported on its own line; where the failure is known by a
 * trace event, its kernel message in the log file gets the same finding, so that the log alone reads right too.
 * Nothing is said of ignored episodes (indices of the report's).
 */
export async function diagnosticsOf(
  trace: Trace,
  member: Member,
  documents: Documents,
  options: { readonly ignored: ReadonlySet<number>; readonly link: DocLink },
): Promise<Diagnostic[]> {
  const report = trace.diagnose();
  const source = trace.members.indexOf(member);
  const records = new Map<number, LogRecord>();
  for (const { record } of trace.analysis.tables.logFailures) {
    if (record.source === source) {
      records.set(record.line, record);
    }
  }
  const found: Finding[] = [];
  const perEpisode = new Map<number, number>();
  for (const failure of report.failures) {
    const line = options.ignored.has(failure.episode) ? null : lineInFile(failure, member.path, records);
    if (line === null) {
      continue;
    }
    const nth = perEpisode.get(failure.episode) ?? 0;
    perEpisode.set(failure.episode, nth + 1);
    const isFlood = listedPerEpisode < (report.episodes[failure.episode]?.count ?? 1);
    const isListed = nth === 0 || !isFlood;
    found.push({
      failure,
      line,
      record: records.get(line),
      isFirst: nth === 0,
      isListed,
    });
  }
  const listed = found.filter(({ isListed }) => isListed).slice(0, maxListed);
  const hints = found.filter(({ isListed }) => !isListed).slice(0, maxHints);
  const lost = episodesWithLoss(trace);
  const reader = lineReader(member, documents);
  const diagnostics: Diagnostic[] = [];
  for (const finding of [...listed, ...hints]) {
    const { failure } = finding;
    const episode = report.episodes[failure.episode];
    diagnostics.push(
      toDiagnostic(failure, await rangeOf(finding, reader.line), {
        episode: finding.isFirst ? episodeText(episode, lost.has(failure.episode), member) : '',
        ...(episode === undefined ? {} : { data: { episode: episodeKey(episode) } }),
        href: options.link(failure.cause),
        severity: finding.isListed ? severityOf(failure.cause, lost.has(failure.episode)) : DiagnosticSeverity.Hint,
        related: finding.isListed ? relatedOf(trace, finding, member) : [],
      }),
    );
  }
  const warnings = report.warnings.filter((warning) => warning.file === member.path).slice(0, maxListed);
  for (const warning of warnings) {
    const range = hasColumns(warning) ? warning : await messageRangeOf(warning.line, reader.line);
    diagnostics.push(toWarning({ ...warning, ...range }, options.link(warning.code)));
  }
  return diagnostics;
}

/** Episodes in which at least one request was lost for good, as far as the input tells. */
function episodesWithLoss(trace: Trace): ReadonlySet<number> {
  const lost = new Set<number>();
  for (const { episode, request } of trace.diagnose().failures) {
    if (!lost.has(episode) && (request === null || !isRecovered(trace.analysis, request))) {
      lost.add(episode);
    }
  }
  return lost;
}

/** What a later try got over is a warning; what no try can get over is none; without a cause nobody knows how bad it is. */
function severityOf(cause: Cause, isLost: boolean): DiagnosticSeverity {
  const isError = cause !== 'unknown' && (isLost || !poolSizeCauses.has(cause));
  return isError ? DiagnosticSeverity.Error : DiagnosticSeverity.Warning;
}

function episodeText(episode: EpisodeReport | undefined, isLost: boolean, member: Member): string {
  const recovered =
    isLost || episode === undefined
      ? ''
      : episode.count === 1
        ? 'A retry succeeded.'
        : 'Every one of them succeeded when it was tried again.';
  return [episode === undefined ? '' : messageIn(episode, member), recovered].filter((part) => part !== '').join(' ');
}

/** In another file than that of the failures, its line number says of which file it is. */
function messageIn({ message, file, lastLine }: EpisodeReport, member: Member): string {
  const line = `until line ${formatCount(lastLine)}`;
  return file === member.path ? message : message.replace(line, `${line} of ${file.replace(/^.*[\\/]/, '')}`);
}

/** Where a failure shows in a file: on its own line, or on a kernel message joined to it. */
function lineInFile(failure: FailureReport, path: string, records: ReadonlyMap<number, LogRecord>): number | null {
  if (failure.file === path) {
    return failure.line;
  }
  return failure.related.find((related) => related.file === path && records.has(related.line))?.line ?? null;
}

function relatedOf(
  trace: Trace,
  { failure, line, record, isFirst }: Finding,
  member: Member,
): readonly DiagnosticRelatedInformation[] {
  const messages = failure.related.filter(({ message }) => message === kernelMessageRemark);
  // A capture has the message twice, as an event and in the log: one leads there, none on the message itself.
  const own = record !== undefined ? null : (messages.find(({ file }) => file === member.path) ?? messages[0]);
  const places = failure.related.filter((place) => place.message !== kernelMessageRemark || place === own);
  const episode = trace.diagnose().episodes[failure.episode];
  if (!isFirst && episode !== undefined) {
    places.unshift({ file: episode.file, line: episode.firstLine, message: 'The first failure of this episode.' });
  }
  if (failure.file !== member.path) {
    places.unshift({ file: failure.file, line: failure.line, message: 'The failed mapping in the trace.' });
  }
  return places
    .filter((place) => place.file !== member.path || place.line !== line)
    .flatMap((place) => {
      const uri = trace.memberOfPath(place.file)?.uri;
      const range = toRange({ line: place.line, startColumn: 0, endColumn: 0 });
      return uri === undefined ? [] : [{ location: { uri, range }, message: place.message }];
    });
}

async function rangeOf(finding: Finding, textOf: (line: number) => Promise<string>): Promise<LineRange> {
  const { failure, line, record } = finding;
  if (record !== undefined) {
    return { line, startColumn: record.startColumn, endColumn: record.endColumn };
  }
  return hasColumns(failure) ? failure : messageRangeOf(line, textOf);
}

/** The message part of a line. */
async function messageRangeOf(line: number, textOf: (line: number) => Promise<string>): Promise<LineRange> {
  const text = await textOf(line);
  return { line, startColumn: messageColumn(text), endColumn: Math.max(1, text.trimEnd().length) };
}

function hasColumns({ startColumn, endColumn }: LineRange): boolean {
  return startColumn < endColumn;
}
