import { formatCount, formatSlotsAndBytes, formatTimeSpan, plural } from '../base/format';
import type { DiagnoseReport, EpisodeReport } from '../model/reports';
import { Outcome, PoolKind, poolKindNames } from '../model/tables';
import type { LineNumber, Nanoseconds } from '../model/units';
import type { Analysis } from './analysis';
import { poolLine } from './boot';
import { LineRole, lineIndexOf } from './lineIndex';
import { causeTitle } from './verdict';

/** A part of a trace or log with a name: what an outline shows. Lines are one-based and inclusive. */
export interface TraceSymbol {
  readonly name: string;
  readonly detail: string;
  readonly kind: 'group' | 'phase' | 'pool' | 'episode' | 'device';
  readonly firstLine: LineNumber;
  readonly lastLine: LineNumber;
  readonly children: readonly TraceSymbol[];
}

/** More entries of one kind than this make an outline useless. */
const maxPerGroup = 200;

/** The outline of one source: when the load came in phases those, then episodes of failures, pools and devices. */
export function symbolsOf(analysis: Analysis, report: DiagnoseReport, source: number): readonly TraceSymbol[] {
  return [
    ...groupOf('Failures', episodeSymbols(analysis, report, source)),
    ...groupOf('Pools', poolSymbols(analysis, source)),
    ...groupOf('Devices', deviceSymbols(analysis, source)),
    ...groupOf('Phases', phaseSymbols(analysis, source)),
  ];
}

function groupOf(name: string, children: readonly TraceSymbol[]): TraceSymbol[] {
  if (children.length === 0) {
    return [];
  }
  const shown = children.slice(0, maxPerGroup);
  return [
    {
      name,
      detail: formatCount(children.length),
      kind: 'group',
      firstLine: Math.min(...shown.map((child) => child.firstLine)),
      lastLine: Math.max(...shown.map((child) => child.lastLine)),
      children: shown,
    },
  ];
}

function episodeSymbols(analysis: Analysis, report: DiagnoseReport, source: number): TraceSymbol[] {
  return episodesIn(analysis, report, source).map(({ episode, firstNs, lastNs }) => {
    const when = Number.isFinite(lastNs - firstNs) ? [formatTimeSpan(firstNs, lastNs)] : [];
    return {
      name:
        episode.count === 1
          ? causeTitle(episode.cause)
          : `${causeTitle(episode.cause)} × ${formatCount(episode.count)}`,
      detail: [...(episode.device === null ? [] : [episode.device]), ...when].join(' · '),
      kind: 'episode',
      firstLine: episode.firstLine,
      lastLine: Math.max(episode.firstLine, episode.lastLine),
      children: [],
    };
  });
}

interface TimedEpisode {
  readonly episode: EpisodeReport;
  /** NaN without time. */
  readonly firstNs: Nanoseconds;
  readonly lastNs: Nanoseconds;
}

function episodesIn(analysis: Analysis, report: DiagnoseReport, source: number): readonly TimedEpisode[] {
  const file = analysis.tables.sources[source]?.path;
  const times = report.episodes.map(() => ({ first: Number.NaN, last: Number.NaN }));
  for (const { episode, timeNs } of report.failures) {
    const time = times[episode];
    if (time !== undefined && timeNs !== null) {
      time.first = Number.isNaN(time.first) ? timeNs : time.first;
      time.last = timeNs;
    }
  }
  return report.episodes.flatMap((episode, index) =>
    episode.file === file ? [{ episode, firstNs: times[index].first, lastNs: times[index].last }] : [],
  );
}

function poolSymbols(analysis: Analysis, source: number): TraceSymbol[] {
  const symbols: TraceSymbol[] = [];
  const boot = poolLine(analysis);
  if (boot !== null && boot.source === source) {
    const slots = analysis.geometry.pools[0]?.slots.value ?? Number.NaN;
    symbols.push(poolSymbol('boot pool', slots, boot.line));
  }
  const { columns, length } = analysis.tables.pools;
  const transient: { count: number; firstLine: number } = { count: 0, firstLine: 0 };
  for (let row = 0; row < length; row++) {
    const line = columns.allocLine[row] || columns.addedLine[row];
    if (columns.source[row] !== source || line === 0) {
      continue;
    }
    if (columns.kind[row] === PoolKind.transient) {
      transient.count++;
      transient.firstLine ||= line;
    } else if (columns.kind[row] !== PoolKind.boot || line !== boot?.line) {
      symbols.push(poolSymbol(`${poolKindNames[columns.kind[row]]} pool`, columns.slots[row], line));
    }
  }
  if (transient.count > 0) {
    const name = plural(transient.count, 'transient pool');
    symbols.push({ ...poolSymbol(name, Number.NaN, transient.firstLine), detail: 'the first one is here' });
  }
  return symbols;
}

function poolSymbol(name: string, slots: number, line: LineNumber): TraceSymbol {
  const detail = slots > 0 ? formatSlotsAndBytes(slots) : '';
  return { name, detail, kind: 'pool', firstLine: line, lastLine: line, children: [] };
}

interface DeviceTally {
  firstLine: number;
  mapped: number;
  failed: number;
}

function deviceSymbols(analysis: Analysis, source: number): TraceSymbol[] {
  const { tables } = analysis;
  const { columns, length } = tables.requests;
  const tallies = new Map<number, DeviceTally>();
  const tallyOf = (device: number, line: LineNumber): DeviceTally => {
    let tally = tallies.get(device);
    if (tally === undefined) {
      tally = { firstLine: line, mapped: 0, failed: 0 };
      tallies.set(device, tally);
    }
    return tally;
  };
  for (let row = 0; row < length; row++) {
    const line = columns.enterLine[row] || columns.mapLine[row] || columns.unmapLine[row];
    if (columns.source[row] === source && line > 0) {
      const tally = tallyOf(columns.device[row], line);
      tally.mapped++;
      tally.failed += columns.outcome[row] === Outcome.failed ? 1 : 0;
    }
  }
  for (const { record, device, request } of tables.logFailures) {
    if (record.source === source && device >= 0 && request < 0) {
      tallyOf(device, record.line).failed++;
    }
  }
  return [...tallies]
    .sort(([, a], [, b]) => b.failed - a.failed || b.mapped - a.mapped)
    .map(([row, tally]) => {
      const device = tables.devices[row];
      const failed = tally.failed === 0 ? [] : [`${formatCount(tally.failed)} failed`];
      const mapped = tally.mapped === 0 ? [] : [plural(tally.mapped, 'mapping')];
      return {
        name: [device?.name ?? '', device?.driver ?? ''].filter((part) => part !== '').join(' '),
        detail: [...mapped, ...failed].join(', '),
        kind: 'device' as const,
        firstLine: tally.firstLine,
        lastLine: tally.firstLine,
        children: [],
      };
    })
    .filter(({ name }) => name !== '');
}

/** The load was quiet for so long between two phases. */
const quietNs = 1e9;
/** A trace that pauses all the time has no phases that anybody would look for. */
const maxPhases = 50;

function phaseSymbols(analysis: Analysis, source: number): TraceSymbol[] {
  const { columns, length } = analysis.tables.requests;
  const phases: {
    firstLine: number;
    lastLine: number;
    firstNs: number;
    lastNs: number;
    requests: number;
    failed: number;
  }[] = [];
  for (let row = 0; row < length; row++) {
    const line = columns.enterLine[row];
    const timeNs = columns.enterNs[row];
    if (columns.source[row] !== source || line === 0 || Number.isNaN(timeNs)) {
      continue;
    }
    const last = phases[phases.length - 1];
    const failed = columns.outcome[row] === Outcome.failed ? 1 : 0;
    if (last === undefined || timeNs - last.lastNs >= quietNs) {
      phases.push({ firstLine: line, lastLine: line, firstNs: timeNs, lastNs: timeNs, requests: 1, failed });
    } else {
      last.lastLine = Math.max(last.lastLine, line);
      last.lastNs = Math.max(last.lastNs, timeNs);
      last.requests++;
      last.failed += failed;
    }
  }
  if (phases.length < 2 || phases.length > maxPhases) {
    return [];
  }
  return phases.map((phase) => ({
    name: formatTimeSpan(phase.firstNs, phase.lastNs),
    detail: `${plural(phase.requests, 'request')}${phase.failed === 0 ? '' : `, ${formatCount(phase.failed)} failed`}`,
    kind: 'phase',
    firstLine: phase.firstLine,
    lastLine: phase.lastLine,
    children: [],
  }));
}

/** Lines that fold together; the first one stays visible. */
export interface FoldedLines {
  readonly firstLine: LineNumber;
  readonly lastLine: LineNumber;
}

const shortestRun = 4;

/**
 * What may be folded in one source: episodes of failures, and runs of adjacent lines that say the same of one device.
 * Ranges are nested or apart, in order; at most `limit`, the longest.
 */
export function foldingOf(
  analysis: Analysis,
  report: DiagnoseReport,
  source: number,
  limit: number,
): readonly FoldedLines[] {
  const episodes = episodesIn(analysis, report, source)
    .map(({ episode }) => ({ firstLine: episode.firstLine, lastLine: episode.lastLine, first: true }))
    .filter(({ firstLine, lastLine }) => lastLine - firstLine + 1 >= shortestRun);
  const runs = [...eventRuns(analysis, source), ...messageRuns(analysis, source)].map((run) => ({
    ...run,
    first: false,
  }));
  const chosen = [...episodes, ...runs]
    .sort((a, b) => Number(b.first) - Number(a.first) || b.lastLine - b.firstLine - (a.lastLine - a.firstLine))
    .slice(0, limit)
    .sort((a, b) => a.firstLine - b.firstLine || b.lastLine - a.lastLine);
  const kept: FoldedLines[] = [];
  const open: FoldedLines[] = [];
  for (const { firstLine, lastLine } of chosen) {
    while (open.length > 0 && open[open.length - 1].lastLine < firstLine) {
      open.pop();
    }
    const around = open[open.length - 1];
    // Two ranges that cross cannot both fold, and two that begin together would share their mark.
    if (around === undefined || (lastLine <= around.lastLine && firstLine > around.firstLine)) {
      const range = { firstLine, lastLine };
      kept.push(range);
      open.push(range);
    }
  }
  return kept;
}

/** Collects runs of adjacent lines that are the same in some way. */
class Runs {
  readonly found: FoldedLines[] = [];
  private first = 0;
  private last = 0;
  private what: string | number = '';

  /** Lines come in order; a line may come more than once. */
  add(line: LineNumber, what: string | number): void {
    if (what !== this.what || line > this.last + 1) {
      this.end();
      this.first = line;
      this.what = what;
    }
    this.last = line;
  }

  end(): void {
    if (this.last - this.first + 1 >= shortestRun) {
      this.found.push({ firstLine: this.first, lastLine: this.last });
    }
  }
}

/** Adjacent lines on which the same happens to requests of one device. */
function eventRuns(analysis: Analysis, source: number): readonly FoldedLines[] {
  const { device, outcome } = analysis.tables.requests.columns;
  const index = lineIndexOf(analysis, source);
  const runs = new Runs();
  for (let i = 0; i < index.rows.length; i++) {
    const row = index.rows[i];
    const isMap = (index.roles[i] & (LineRole.enter | LineRole.map)) !== 0;
    runs.add(index.lines[i], device[row] * 4 + (isMap ? 1 : 0) + (outcome[row] === Outcome.failed ? 2 : 0));
  }
  runs.end();
  return runs.found;
}

/** Adjacent messages of one kind about one device. */
function messageRuns(analysis: Analysis, source: number): readonly FoldedLines[] {
  const runs = new Runs();
  for (const { record } of analysis.tables.logFailures) {
    if (record.source === source && !record.viaTrace) {
      runs.add(record.line, `${record.kind} ${record.device}`);
    }
  }
  runs.end();
  return runs.found;
}
