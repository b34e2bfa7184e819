import { type Diagnostic, type DiagnosticRelatedInformation, DiagnosticSeverity } from 'vscode-languageserver/node';
import type { LogRecord } from '../model/log';
import type { FailureReport, LineRange } from '../model/reports';
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
  readonly severity: DiagnosticSeverity;
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
      severity: isListed ? DiagnosticSeverity.Error : DiagnosticSeverity.Hint,
    });
  }
  const listed = found.filter((finding) => finding.severity === DiagnosticSeverity.Error).slice(0, maxListed);
  const hints = found.filter((finding) => finding.severity === DiagnosticSeverity.Hint).slice(0, maxHints);
  const reader = lineReader(member, documents);
  const diagnostics: Diagnostic[] = [];
  for (const finding of [...listed, ...hints]) {
    const { failure } = finding;
    const episode = report.episodes[failure.episode];
    diagnostics.push(
      toDiagnostic(failure, await rangeOf(finding, reader.line), {
        episode: finding.isFirst ? (episode?.message ?? '') : '',
        ...(episode === undefined ? {} : { data: { episode: episodeKey(episode) } }),
        href: options.link(failure.cause),
        severity: finding.severity,
        related: finding.severity === DiagnosticSeverity.Error ? relatedOf(trace, failure, member, finding.line) : [],
      }),
    );
  }
  const warnings = report.warnings.filter((warning) => warning.file === member.path).slice(0, maxListed);
  return [
    ...diagnostics,
    ...warnings.map((warning) => toWarning(atLeastOneColumn(warning), options.link(warning.code))),
  ];
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
  failure: FailureReport,
  member: Member,
  line: number,
): readonly DiagnosticRelatedInformation[] {
  const places = [...failure.related];
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
  if (failure.startColumn < failure.endColumn) {
    return failure;
  }
  const text = await textOf(line);
  return { line, startColumn: messageColumn(text), endColumn: Math.max(1, text.trimEnd().length) };
}

function atLeastOneColumn<T extends LineRange>(range: T): T {
  return range.startColumn < range.endColumn ? range : { ...range, endColumn: range.startColumn + 1000 };
}
