import { lineAtTime, stepOfRequest } from '../analysis/lineAtTime';
import { lineIndexOf } from '../analysis/lineIndex';
import { recordedPolicy } from '../analysis/recorded';
import { type RecordedUse, recordedNumbers } from '../analysis/recordedUse';
import { policiesReport, type ReplayAnswer, seriesWindow } from '../analysis/replay';
import { upperBound } from '../base/bisect';
import type { Cause } from '../model/cause';
import type { Geometry } from '../model/geometry';
import { problemCatalogue } from '../model/problem';
import type { ReplayResult, ReplaySeries } from '../model/replayResult';
import type { DiagnoseReport, InfoReport, LedgerReport } from '../model/reports';
import type {
  CursorView,
  EvidenceView,
  FailureMark,
  LedgerView,
  LineRef,
  RunKey,
  RunView,
  SamplesView,
  SeriesView,
  TraceView,
} from '../protocol/views';
import type { Trace } from './trace';

/** The parts of the reports that the panel draws. */

/** What the panel lists at most; the counts stay whole. */
const maxFailures = 200;
const maxEpisodes = 200;
const maxMarks = 5000;
const maxSamples = 2000;

export function traceView(trace: Trace, uri: string): TraceView {
  const info = trace.info();
  const report = trace.diagnose();
  const { analysis } = trace;
  const { hasTime, origin, lastTimeNs } = clockOf(trace);
  return {
    uri,
    reading: trace.reading,
    name: nameOf(trace, uri),
    sources: info.sources.map((source, index) => ({ ...source, uri: trace.members[index]?.uri ?? uri })),
    lines: info.lines,
    events: info.events,
    requests: info.requests,
    bounced: info.bounced,
    hasTime,
    origin,
    lastTimeNs,
    recordedPolicy: recordedPolicy(analysis),
    geometry: geometryView(info, analysis.geometry),
    ledger: ledgerView(info.ledger),
    guidance: info.guidance,
    failureCount: report.failures.length,
    unknownResults: report.unknownResults,
    failuresByCause: countByCause(report),
    failures: report.failures.slice(0, maxFailures),
    episodes: episodeViews(report),
    boot: report.boot.map(({ file, line, kind, text }) => ({ file, line, kind, text })),
    warnings: report.warnings.map(({ file, line, code, message }) => ({ file, line, code, message })),
    policies: policiesReport().policies,
    samples: samplesView(trace),
    problems: [
      ...trace.members.flatMap((member) => (member.failure === null ? [] : [`${member.path}: ${member.failure}`])),
      ...info.problems.map(({ code, message, count }) => {
        const help = problemCatalogue[code].help;
        return `${message}${message.endsWith('.') ? '' : '.'} ${help}${count < 2 ? '' : ` (${count} times)`}`;
      }),
    ],
  };
}

function countByCause({ failures }: DiagnoseReport): TraceView['failuresByCause'] {
  const counts: Partial<Record<Cause, number>> = {};
  for (const { cause } of failures) {
    counts[cause] = (counts[cause] ?? 0) + 1;
  }
  return counts;
}

/** The capture's folder when several files are read together, else the file's name. */
function nameOf(trace: Trace, uri: string): string {
  const parts = decodeURIComponent(uri.replace(/^[^:]*:(?:\/\/[^/]*)?/, '')).split('/');
  const file = parts[parts.length - 1] ?? uri;
  const folder = parts[parts.length - 2] ?? '';
  return 1 < trace.members.length && folder !== '' ? `${folder} / ${file}` : file;
}

/** The reference clock: its source's first event is time 0. */
function clockOf(trace: Trace): Pick<TraceView, 'hasTime' | 'origin' | 'lastTimeNs'> {
  const { tables } = trace.analysis;
  const recorded = trace.recorded();
  const main = tables.sources.find((source) => source.path === trace.analysis.file) ?? tables.sources[0];
  const hasTime = recorded === null ? main?.timeUnit === 'ns' && main.origin !== null : recorded.hasTime;
  const reference = tables.sources.find((source) => source.offsetNs === 0 && source.origin !== null) ?? main;
  return {
    hasTime,
    origin: hasTime ? ((main?.offsetNs === 0 ? main.origin : reference?.origin) ?? null) : null,
    lastTimeNs: hasTime && Number.isFinite(tables.lastTimeNs) ? tables.lastTimeNs : null,
  };
}

function geometryView(info: InfoReport, found: Geometry): TraceView['geometry'] {
  const { kernel, dynamic, cpus, pools, devices } = info.geometry;
  const evidence: Record<string, EvidenceView> = {};
  for (const [name, { level, text, file, line }] of Object.entries(info.geometry.evidence)) {
    evidence[name] = { level, text, file: file ?? null, line: line ?? null };
  }
  const classes = new Map(found.devices.map(({ name, deviceClass }) => [name, deviceClass]));
  return {
    kernel,
    dynamic,
    cpus,
    pools,
    devices: devices
      .filter((device) => device.name !== '')
      .map((device) => {
        const known = classes.get(device.name);
        return {
          ...device,
          deviceClass: known?.value ?? 'unknown',
          classEvidence: { level: known?.evidence.level ?? 'default', text: known?.evidence.text ?? '' },
        };
      }),
    evidence,
  };
}

function ledgerView(ledger: LedgerReport): LedgerView {
  return { ...ledger, notUnderstoodExamples: ledger.notUnderstoodExamples.slice(0, 20) };
}

function episodeViews(report: DiagnoseReport): TraceView['episodes'] {
  const firsts = new Map<number, DiagnoseReport['failures'][number]>();
  for (const failure of report.failures) {
    if (!firsts.has(failure.episode)) {
      firsts.set(failure.episode, failure);
    }
  }
  return report.episodes.slice(0, maxEpisodes).map((episode, index) => {
    const first = firsts.get(index);
    const driver = first?.driver;
    return {
      ...episode,
      device: episode.device === null || !driver ? episode.device : `${episode.device} (${driver})`,
      message: first?.message ?? episode.message,
      advice: first?.advice ?? [],
      marks: first?.marks ?? [],
    };
  });
}

function samplesView(trace: Trace): SamplesView | null {
  const { samples, sources } = trace.analysis.tables;
  const { columns, length } = samples;
  const timeNs: number[] = [];
  const usedSlots: number[] = [];
  const stride = Math.max(1, Math.ceil(length / maxSamples));
  for (let row = 0; row < length; row += stride) {
    const offset = sources[columns.source[row]!]?.offsetNs ?? Number.NaN;
    const error = sources[columns.source[row]!]?.offsetErrorNs ?? Number.NaN;
    const at = columns.timeNs[row]! + offset;
    // Samples whose clock could not be joined with the trace's would stand at a wrong place.
    if (columns.pool[row] === 0 && 0 <= columns.used[row]! && Number.isFinite(at) && Number.isFinite(error)) {
      timeNs.push(at);
      usedSlots.push(columns.used[row]!);
    }
  }
  return timeNs.length === 0 ? null : { timeNs, usedSlots, total: length };
}

/** A replay, or for the recorded run what the trace itself shows, with only the costs from a replay. */
export function runView(trace: Trace, key: RunKey): RunView {
  const replayed = replayView(trace, key, trace.run(key));
  const use = key.policy === 'recorded' ? trace.recordedUse() : null;
  if (use === null) {
    return replayed;
  }
  const last = use.series.timeNs[use.series.length - 1] ?? 0;
  const stride = Math.max(1, Math.ceil(use.failures.length / maxMarks));
  return {
    ...replayed,
    basis: 'recorded',
    ...recordedNumbers(use),
    unseenSlots: use.baselineSlots,
    notes: baselineNote(use),
    failures: use.failures.filter((_, index) => index % stride === 0),
    fromNs: use.series.timeNs[0] ?? 0,
    toNs: last,
  };
}

function baselineNote({ baselineSlots, baselineFrom }: RecordedUse): RunView['notes'] {
  if (baselineSlots === 0) {
    return [];
  }
  const counter = baselineFrom === 'samples' ? 'debugfs samples' : 'counters in the failure messages';
  const text = `slots held by mappings that the trace never shows, from the ${counter}: added to the slots in use`;
  return [{ level: 'derived', count: baselineSlots, text }];
}

function replayView(trace: Trace, key: RunKey, { report, result }: ReplayAnswer): RunView {
  const { series } = result;
  const last = series.length === 0 ? 0 : series.timeNs[series.length - 1]!;
  const { file: _, ledger, ...numbers } = report;
  return {
    ...numbers,
    key,
    basis: 'modelled',
    pools: report.pools.slice(0, 1000),
    unseenSlots: 0,
    // The report repeats the trace's own notes first.
    notes: ledger.notes.slice(trace.info().ledger.notes.length),
    failures: failureMarks(trace, result),
    fromNs: series.length === 0 ? 0 : series.timeNs[0]!,
    toNs: last,
  };
}

function failureMarks(trace: Trace, result: ReplayResult): FailureMark[] {
  const { requests, devices, sources } = trace.analysis.tables;
  const stride = Math.max(1, Math.ceil(result.failures.length / maxMarks));
  const marks: FailureMark[] = [];
  for (let i = 0; i < result.failures.length; i += stride) {
    const failure = result.failures[i]!;
    const timeNs = failure.timeNs ?? stepOfFailure(result, i + 1);
    if (timeNs !== null && Number.isFinite(timeNs)) {
      marks.push({
        file: sources[failure.source]?.path ?? trace.analysis.file,
        line: failure.line,
        timeNs,
        cause: failure.cause,
        device: devices[requests.columns.device[failure.request]!]?.name || null,
        sizeBytes: requests.columns.sizeBytes[failure.request] ?? null,
      });
    }
  }
  return marks;
}

/** Order-only clocks: the step at which the running count of failures reached `count`. */
function stepOfFailure({ series }: ReplayResult, count: number): number | null {
  let low = 0;
  let high = series.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (series.failures[middle]! < count) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < series.length ? series.timeNs[low]! : null;
}

/** The steps behind `runView`. */
function seriesOf(trace: Trace, key: RunKey): ReplaySeries {
  const use = key.policy === 'recorded' ? trace.recordedUse() : null;
  return use?.series ?? trace.run(key).result.series;
}

export function seriesView(trace: Trace, key: RunKey, fromNs: number, toNs: number, buckets: number): SeriesView {
  const { failures: _, ...levels } = seriesWindow(seriesOf(trace, key), fromNs, toNs, buckets);
  return levels;
}

/** The line of the trace nearest to a time of the shared time axis; null when there is none. */
export function lineAtView(trace: Trace, timeNs: number): LineRef | null {
  const found = lineAtTime(trace.analysis, timeNs);
  const member = found === null ? undefined : trace.members[found.source];
  return found === null || member === undefined ? null : { file: member.path, line: found.line };
}

/** A run at a line: at the last request that begins at or before it. */
export function cursorView(trace: Trace, uri: string, line: number, run: RunKey): CursorView | null {
  const source = trace.sourceOf(uri);
  const recorded = trace.recorded();
  if (source < 0 || recorded === null) {
    return null;
  }
  const index = lineIndexOf(trace.analysis, source);
  const at = upperBound(index.lines, line) - 1;
  if (at < 0) {
    return null;
  }
  const { columns } = trace.analysis.tables.requests;
  const row = index.rows[at]!;
  const isMap = index.lines[at] === columns.enterLine[row] || index.lines[at] === columns.mapLine[row];
  const offsetNs = trace.analysis.tables.sources[source]?.offsetNs ?? 0;
  const timeNs = recorded.hasTime
    ? (isMap ? columns.enterNs[row]! : columns.unmapEnterNs[row]!) + offsetNs
    : stepOfRequest(trace.analysis, row, isMap);
  const series = seriesOf(trace, run);
  const step = upperBound(series.timeNs, timeNs, series.length) - 1;
  if (!Number.isFinite(timeNs) || step < 0) {
    return null;
  }
  return {
    timeNs,
    usedSlots: series.usedSlots[step]!,
    capacitySlots: series.capacitySlots[step]! + series.transientSlots[step]!,
  };
}
