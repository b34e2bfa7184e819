import { formatCount, formatPercent, formatTimeSpan, plural } from '../base/format';
import type { Cause } from '../model/cause';
import type { LogKind, LogRecord } from '../model/log';
import type { ReplayResult } from '../model/replayResult';
import type { DiagnoseReport, EpisodeReport, FailureReport } from '../model/reports';
import type { LogFailure } from '../model/tables';
import { Outcome } from '../model/tables';
import { adviceFor } from './advice';
import type { Analysis } from './analysis';
import { bootParameterOf, bootReports, isEncrypted, poolLine } from './boot';
import { guidanceFor } from './guidance';
import { judgeRequest } from './judgeRequest';
import { suspectedLeaks } from './leaks';
import { ledgerOf } from './ledger';
import { slotCauses, type TopHolder, topHolders } from './topHolders';
import type { FailureNumbers } from './verdict';
import { describeFailure, isBounceOverflow, isCcSwiotlb, judgeLine, numbersOfLine } from './verdict';
import { warningsOf } from './warnings';

/** Devices whose oldest mappings a finding leads to: hovers list them all, above the card. */
const holdersNamed = 2;

/** What a related place says that is the message of a failure. */
export const kernelMessageRemark = 'The kernel message of this failure.';

export interface DiagnoseOptions {
  /** Replay of the recorded policy and geometry; gives causes and holes that counting cannot. */
  readonly recorded?: ReplayResult | null;
}

/** Failures of one device and cause further apart than this are separate episodes; the kernel's own limit window is 5 s. */
const episodeGapNs = 10e9;
/** Looking for holders walks all requests, so only the first episodes get it. */
const episodesWithHolders = 64;

/** Every failure once, why it happened and what helps; floods grouped; what else the input says about the pool. */
export function diagnose(analysis: Analysis, options: DiagnoseOptions = {}): DiagnoseReport {
  const found = collectFailures(analysis, options.recorded ?? null);
  const episodes = groupEpisodes(analysis, found);
  return {
    file: analysis.file,
    failures: found.map((failure) => reportOf(analysis, failure, episodes)),
    unknownResults: unknownResults(analysis),
    boot: bootReports(analysis),
    episodes: episodes.map((episode) => episode.report),
    warnings: warningsOf(analysis),
    guidance: guidanceFor(analysis),
    ledger: ledgerOf(analysis),
  };
}

/** Attempts without a result, except those that were under way when the trace ended: the last one of each CPU. */
function unknownResults({ tables }: Analysis): number {
  const { counts, requests } = tables;
  const { columns, length } = requests;
  if (counts.unknownOutcome === 0 || counts.unknownOutcome === counts.requests - counts.direct) {
    return counts.unknownOutcome;
  }
  const seen = new Set<number>();
  let underWay = 0;
  for (let row = length - 1; row >= 0; row--) {
    const key = columns.source[row] * 65536 + columns.cpu[row];
    underWay += !seen.has(key) && columns.outcome[row] === Outcome.unknown ? 1 : 0;
    seen.add(key);
  }
  return counts.unknownOutcome - underWay;
}

/** A failure before it is put into words. */
interface FoundFailure {
  readonly kind: 'log' | 'trace';
  readonly source: number;
  readonly line: number;
  /** The message the failure is known by, or that joined it. */
  readonly record: LogRecord | null;
  /** Further messages of the same failure. */
  readonly others: LogRecord[];
  readonly timeNs: number;
  readonly deviceRow: number;
  readonly device: string;
  readonly driver: string;
  readonly cause: Cause;
  readonly numbers: FailureNumbers;
  /** Messages the kernel suppressed after this one; -1 when there is no message. */
  suppressed: number;
  readonly row: number;
  episode: number;
}

function collectFailures(analysis: Analysis, recorded: ReplayResult | null): FoundFailure[] {
  const joined = joinedMessages(analysis);
  const inTrace = traceFailures(analysis, recorded, joined);
  const failures = [...inTrace, ...attachWarnings(inTrace, logFailures(analysis)), ...lockups(analysis)];
  attachSecondMessages(analysis, failures);
  return failures.sort((a, b) => a.source - b.source || a.line - b.line);
}

function joinedMessages(analysis: Analysis): ReadonlyMap<number, LogFailure[]> {
  const joined = new Map<number, LogFailure[]>();
  for (const failure of analysis.tables.logFailures) {
    if (failure.request >= 0) {
      const list = joined.get(failure.request);
      if (list === undefined) {
        joined.set(failure.request, [failure]);
      } else {
        list.push(failure);
      }
    }
  }
  return joined;
}

function traceFailures(
  analysis: Analysis,
  recorded: ReplayResult | null,
  joined: ReadonlyMap<number, LogFailure[]>,
): FoundFailure[] {
  const { tables } = analysis;
  const { columns, length } = tables.requests;
  const failures: FoundFailure[] = [];
  for (let row = 0; row < length; row++) {
    if (columns.outcome[row] !== Outcome.failed) {
      continue;
    }
    const messages = joined.get(row) ?? [];
    const best = messages.find((message) => message.record.totalSlots >= 0) ?? messages[0];
    const record = best?.record ?? null;
    const device = tables.devices[columns.device[row]];
    const { cause, numbers } = judgeRequest(analysis, row, record, recorded);
    failures.push({
      kind: 'trace',
      source: columns.source[row],
      line: columns.mapLine[row] || columns.enterLine[row],
      record,
      others: messages.map((message) => message.record).filter((other) => other !== record),
      timeNs: columns.enterNs[row],
      deviceRow: columns.device[row],
      device: device?.name ?? record?.device ?? '',
      driver: device?.driver || record?.driver || '',
      cause,
      numbers,
      suppressed: best === undefined ? -1 : messages.reduce((sum, message) => sum + message.suppressed, 0),
      row,
      episode: -1,
    });
  }
  return failures;
}

/** The second message that old kernels print for one failure, and the message of the caller. */
const followUps: ReadonlySet<LogKind> = new Set<LogKind>(['out-of-space', 'coherent-failed']);
/** A follow-up comes from the same call; with only whole lines to go by it is one of the next few. */
const followUpLines = 8;
const followUpNs = 50e6;

/** Messages that no event explains: each is a failure, except second messages about the same one. */
function logFailures(analysis: Analysis): FoundFailure[] {
  const failures: FoundFailure[] = [];
  const places = new MessagePlaces();
  for (const failure of analysis.tables.logFailures) {
    if (failure.request >= 0) {
      continue;
    }
    const { record } = failure;
    const warning = places.warningBefore(record);
    if (warning !== null) {
      failures.splice(failures.indexOf(warning), 1);
    }
    const first = places.firstMessageOf(record);
    if (first !== null) {
      first.others.push(record);
      first.suppressed += failure.suppressed;
      continue;
    }
    const line = foundFromRecord(analysis, record, failure.device, failure.suppressed);
    const found = warning?.record?.kind === 'index-failed' ? { ...line, cause: warning.cause } : line;
    if (warning !== null && warning.record !== null) {
      found.others.push(warning.record);
    }
    failures.push(found);
    places.add(found);
  }
  return dropEchoes(analysis, failures);
}

function foundFromRecord(analysis: Analysis, record: LogRecord, deviceRow: number, suppressed: number): FoundFailure {
  const device = analysis.tables.devices[deviceRow];
  return {
    kind: 'log',
    source: record.source,
    line: record.line,
    record,
    others: [],
    timeNs: record.timeNs,
    deviceRow,
    device: record.device || device?.name || '',
    driver: record.driver || device?.driver || '',
    cause: judgeLine(record),
    numbers: numbersOfLine(record),
    suppressed,
    row: -1,
    episode: -1,
  };
}

/** Failures by the place of their message. */
class MessagePlaces {
  private readonly byPlace = new Map<string, FoundFailure>();

  add(failure: FoundFailure): void {
    if (failure.record !== null) {
      this.byPlace.set(`${failure.record.source}:${failure.record.line}`, failure);
    }
  }

  /** cc-swiotlb prints why before the message with the size, without one (some once per boot): a single failure. */
  warningBefore(record: LogRecord): FoundFailure | null {
    if (record.kind !== 'class-empty' || record.sizeBytes < 0) {
      return null;
    }
    for (let line = record.line - 1; line >= record.line - followUpLines; line--) {
      const earlier = this.byPlace.get(`${record.source}:${line}`);
      const first = earlier?.record;
      const isWarning = first?.kind === 'index-failed' || (first?.kind === 'class-empty' && first.sizeBytes < 0);
      if (earlier === undefined || first === undefined || first === null || !isWarning) {
        continue;
      }
      const near = !(Math.abs(record.timeNs - first.timeNs) > followUpNs);
      if (near && first.device === record.device) {
        this.byPlace.delete(`${record.source}:${line}`);
        return earlier;
      }
    }
    return null;
  }

  /** The failure whose message this one repeats in other words; null when it stands for itself. */
  firstMessageOf(record: LogRecord): FoundFailure | null {
    if (!followUps.has(record.kind)) {
      return null;
    }
    for (let line = record.line - 1; line >= record.line - followUpLines; line--) {
      const earlier = this.byPlace.get(`${record.source}:${line}`);
      const first = earlier?.record;
      if (earlier === undefined || first === undefined || first === null || first.kind !== 'buffer-full') {
        continue;
      }
      const sameDevice = record.device === '' || first.device === '' || record.device === first.device;
      const near = !(Math.abs(record.timeNs - first.timeNs) > followUpNs);
      const already = earlier.others.some((other) => other.kind === record.kind);
      if (sameDevice && record.sizeBytes === first.sizeBytes && near && !already) {
        return earlier;
      }
    }
    return null;
  }
}

/** Second messages that the tables already left out belong to their failure as a place to look at. */
function attachSecondMessages(analysis: Analysis, failures: readonly FoundFailure[]): void {
  const places = new MessagePlaces();
  for (const failure of failures) {
    places.add(failure);
  }
  const known = new Set(analysis.tables.logFailures.map((failure) => failure.record));
  for (const record of analysis.tables.logs) {
    if (followUps.has(record.kind) && !known.has(record)) {
      places.firstMessageOf(record)?.others.push(record);
    }
  }
}

/** A bundle has the same message twice: as a console event of the trace and as a line of the log. */
function dropEchoes(analysis: Analysis, failures: FoundFailure[]): FoundFailure[] {
  if (analysis.tables.sources.length < 2) {
    return failures;
  }
  const kept: FoundFailure[] = [];
  const waiting = new Map<string, FoundFailure[]>();
  const bySource = [...failures].sort((a, b) => Number(b.record?.viaTrace) - Number(a.record?.viaTrace));
  for (const failure of bySource) {
    const key = failure.record === null ? '' : `${failure.record.device} ${failure.record.text}`;
    const echoes = waiting.get(key);
    const original = echoes?.find((candidate) => candidate.source !== failure.source);
    if (original !== undefined && failure.record !== null && original.record?.viaTrace !== failure.record.viaTrace) {
      echoes?.splice(echoes.indexOf(original), 1);
      original.others.push(failure.record);
      original.suppressed = Math.max(original.suppressed, failure.suppressed);
      continue;
    }
    kept.push(failure);
    if (failure.record?.viaTrace === true) {
      waiting.set(key, [...(echoes ?? []), failure]);
    }
  }
  return kept;
}

/** Overflow warnings are printed once per boot: where events show such failures of the device, it is one of them. */
function attachWarnings(inTrace: readonly FoundFailure[], messages: readonly FoundFailure[]): FoundFailure[] {
  return messages.filter((message) => {
    if (message.record?.kind !== 'overflow') {
      return true;
    }
    const event = inTrace.find(
      (failure) => failure.cause === 'address-limit' && (message.device === '' || failure.device === message.device),
    );
    event?.others.push(message.record);
    return event === undefined;
  });
}

/** A stuck search prints one report per CPU and every 20 s or so; the episode groups them. */
function lockups(analysis: Analysis): FoundFailure[] {
  return analysis.tables.logs
    .filter((record) => record.kind === 'lockup')
    .map((record) => {
      const device = analysis.tables.devices.findIndex(
        (candidate) => record.device !== '' && candidate.name === record.device,
      );
      return foundFromRecord(analysis, record, device, -1);
    });
}

interface Episode {
  readonly members: FoundFailure[];
  report: EpisodeReport;
}

function groupEpisodes(analysis: Analysis, failures: readonly FoundFailure[]): Episode[] {
  const groups: FoundFailure[][] = [];
  const current = new Map<string, FoundFailure[]>();
  const groupNumbers = new Map<FoundFailure[], number>();
  for (const failure of failures) {
    const key = `${failure.source} ${failure.cause} ${failure.device}`;
    let group = current.get(key);
    const last = group?.[group.length - 1];
    if (group === undefined || (last !== undefined && failure.timeNs - last.timeNs > episodeGapNs)) {
      group = [];
      current.set(key, group);
      groupNumbers.set(group, groups.length);
      groups.push(group);
    }
    failure.episode = groupNumbers.get(group) ?? -1;
    group.push(failure);
  }
  return groups.map((members) => ({ members, report: episodeReport(analysis, members) }));
}

function episodeReport(analysis: Analysis, members: readonly FoundFailure[]): EpisodeReport {
  const first = members[0];
  const last = members[members.length - 1];
  const suppressed = members.reduce((sum, member) => sum + (member.row < 0 ? Math.max(0, member.suppressed) : 0), 0);
  return {
    file: fileOf(analysis, first.source),
    firstLine: first.line,
    lastLine: last.line,
    count: members.length,
    cause: first.cause,
    device: first.device || null,
    suppressed,
    message: episodeMessage(first, last, members.length, suppressed),
  };
}

/** Continues the first failure's sentence; empty for a failure that stands alone. */
function episodeMessage(first: FoundFailure, last: FoundFailure, count: number, suppressed: number): string {
  if (count === 1 && suppressed === 0) {
    return '';
  }
  const where = first.device === '' ? [] : [first.device];
  const when = Number.isFinite(last.timeNs - first.timeNs) ? [formatTimeSpan(first.timeNs, last.timeNs)] : [];
  const detail = [...where, ...when].join(', ');
  const inBrackets = detail === '' ? '' : ` (${detail})`;
  const more =
    count === 1
      ? ''
      : `… and ${formatCount(count - 1)} more like this until line ${formatCount(last.line)}${inBrackets}`;
  if (suppressed === 0) {
    return `${more}.`;
  }
  const hidden = `the kernel suppressed ${plural(suppressed, 'more message')}`;
  return more === '' ? `… and ${hidden}${inBrackets}.` : `${more}; ${hidden}.`;
}

function reportOf(analysis: Analysis, failure: FoundFailure, episodes: readonly Episode[]): FailureReport {
  const { numbers, record } = failure;
  const isFirst = episodes[failure.episode].members[0] === failure;
  const leaks = suspectedLeaks(analysis).some((leak) => leak.device === failure.deviceRow);
  const wantsHolders = isFirst && failure.row >= 0 && failure.episode < episodesWithHolders;
  const holders =
    wantsHolders && slotCauses.has(failure.cause) ? topHolders(analysis, failure, numbers.totalSlots) : [];
  const known = numbers.level !== 'modelled';
  return {
    file: fileOf(analysis, failure.source),
    line: failure.line,
    startColumn: failure.kind === 'log' && record !== null ? record.startColumn : 0,
    endColumn: failure.kind === 'log' && record !== null ? record.endColumn : 0,
    source: failure.kind,
    timeNs: Number.isFinite(failure.timeNs) ? failure.timeNs : null,
    device: failure.device || null,
    driver: failure.driver || null,
    sizeBytes: numbers.sizeBytes >= 0 ? numbers.sizeBytes : null,
    totalSlots: known && numbers.totalSlots >= 0 ? numbers.totalSlots : null,
    usedSlots: known && numbers.usedSlots >= 0 ? numbers.usedSlots : null,
    suppressed: failure.suppressed >= 0 ? failure.suppressed : null,
    cause: failure.cause,
    message: describeFailure(failure.cause, numbers, record) + holderText(failure, holders),
    advice: adviceFor(failure.cause, {
      numbers,
      geometry: analysis.geometry,
      driver: failure.driver,
      bounceOverflow: record?.kind !== 'overflow' || isBounceOverflow(record),
      ccSwiotlb: isCcSwiotlb(record),
      encrypted: isEncrypted(analysis),
      leak: leaks,
      replayable: failure.row >= 0,
      parameter: bootParameterOf(analysis),
    }),
    marks: leaks ? ['leak-suspected'] : [],
    related: related(analysis, failure, isFirst, holders),
    episode: failure.episode,
    request: failure.row >= 0 ? failure.row : null,
  };
}

/** Where slots are the problem, who has them belongs to the verdict. */
function holderText(failure: FoundFailure, holders: readonly TopHolder[]): string {
  const slotsMatter = failure.cause === 'pool-full' || failure.cause === 'fragmented';
  const top = holders[0];
  if (!slotsMatter || top === undefined || top.share < 0.3) {
    return '';
  }
  const name = top.driver === '' ? top.name : `${top.name} (${top.driver})`;
  return ` ${formatPercent(top.share)} of the pool is held by ${name}${top.leaks ? ', and it does not return them' : ''}.`;
}

function related(
  analysis: Analysis,
  failure: FoundFailure,
  isFirst: boolean,
  holders: readonly TopHolder[],
): FailureReport['related'] {
  const lines: { file: string; line: number; message: string }[] = [];
  const own = failure.kind === 'trace' && failure.record !== null ? [failure.record] : [];
  const messages = [...own, ...failure.others];
  for (const message of messages) {
    lines.push({
      file: fileOf(analysis, message.source),
      line: message.line,
      message: kernelMessageRemark,
    });
  }
  const pool = isFirst ? poolLine(analysis) : null;
  if (pool !== null) {
    lines.push({ file: fileOf(analysis, pool.source), line: pool.line, message: 'The pool was set up here.' });
  }
  for (const holder of holders.slice(0, holdersNamed)) {
    if (holder.oldestLine > 0) {
      lines.push({
        file: fileOf(analysis, failure.source),
        line: holder.oldestLine,
        message: `${holder.name} holds ${plural(holder.slots, 'slot')} (${formatPercent(holder.share)}); its oldest mapping still held begins here.`,
      });
    }
  }
  return lines;
}

function fileOf(analysis: Analysis, source: number): string {
  return analysis.tables.sources[source]?.path ?? analysis.file;
}
