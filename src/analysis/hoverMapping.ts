import { formatHex } from '../base/address';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatRange,
  formatSlots,
  formatSlotsAndBytes,
  plural,
} from '../base/format';
import { type Cause, causes } from '../model/cause';
import { ContextBit, Direction, DmaAttribute, directionNames, isAtomic } from '../model/events';
import type { EvidenceLevel } from '../model/evidence';
import type { LogRecord } from '../model/log';
import type { ReplayResult } from '../model/replayResult';
import { ReplayOutcome } from '../model/replayResult';
import type { HoverCard, HoverLine, ShownFinding } from '../model/reports';
import { EvidenceBit, isOriginalDerived, Outcome, Pairing } from '../model/tables';
import { SLOT_BYTES } from '../model/units';
import type { Analysis } from './analysis';
import { poolSizeCauses } from './codeLenses';
import { judgeRequest } from './judgeRequest';
import type { LineEntry } from './lineIndex';
import { LineRole } from './lineIndex';
import { nextRetries } from './navigation';
import { minAlignMaskOf, requestPaddedBytes, type SlotRange, slotRangeOf } from './occupancy';
import { messagesOf } from './recordIndex';
import { slotCauses, topHolders } from './topHolders';
import { causeTitle, describeFailure } from './verdict';

/** The part of a hover query that a mapping card needs. */
export interface MappingQuery {
  readonly line: number;
  readonly lineText: string;
  readonly source: number;
  readonly replay?: ReplayResult | null;
  readonly recorded?: ReplayResult | null;
  /** See `HoverQuery.finding`. */
  readonly finding?: ShownFinding | null;
}

/** The card of one request, seen from one of its lines. */
export function mappingCard(analysis: Analysis, entry: LineEntry, query: MappingQuery): HoverCard {
  const { row } = entry;
  const { columns } = analysis.tables.requests;
  const outcome = columns.outcome[row];
  const bounce = columns.recordedBounce[row];
  const onUnmap = (entry.roles & (LineRole.enter | LineRole.map)) === 0;
  const lines = [
    whoLine(analysis, row, true),
    ...addressLines(analysis, row, query.lineText),
    ...listLines(analysis, row),
    ...(outcome === Outcome.failed ? failureLines(analysis, row, query) : lifetimeLines(analysis, row, onUnmap)),
    ...copyLines(analysis, row),
    ...modelledLines(analysis, row, query.replay ?? null),
    ...reproducedLines(analysis, row, query.recorded ?? null),
  ];
  return {
    range: wholeLine(query),
    verdict: outcome === Outcome.failed ? failedVerdict(analysis, row, query) : verdictOf(analysis, row, onUnmap),
    tone: outcome === Outcome.failed ? 'failed' : outcome === Outcome.served ? 'served' : 'unknown',
    badge: Number.isNaN(bounce) ? null : formatHex(bounce),
    lines,
    ...nextSteps(analysis, row, query.recorded ?? null),
  };
}

/** Where to look next: at the pool and who has it, and where the pool's size decides, at sizes. */
function nextSteps(
  analysis: Analysis,
  row: number,
  recorded: ReplayResult | null,
): Pick<HoverCard, 'actions' | 'cause' | 'place'> {
  const { columns } = analysis.tables.requests;
  const line = columns.mapLine[row] || columns.enterLine[row] || columns.unmapLine[row];
  const place = { file: fileOf(analysis, columns.source[row]), line };
  if (isDirect(analysis, row)) {
    return {};
  }
  if (columns.outcome[row] !== Outcome.failed) {
    return slotRangeOf(analysis, row) === null ? {} : { actions: ['slotMap', 'whoHeld'], place };
  }
  const { cause } = judgeRequest(analysis, row, joinedRecord(analysis, row), recorded);
  const size = poolSizeCauses.has(cause) ? (['size'] as const) : [];
  return { actions: ['slotMap', 'whoHeld', ...size, 'explain'], cause, place };
}

/** A line of a whole scatterlist. */
export function scatterlistCard(analysis: Analysis, entries: readonly LineEntry[], query: MappingQuery): HoverCard {
  const { columns } = analysis.tables.requests;
  const rows = entries.map((entry) => entry.row);
  const direct = rows.every((row) => (columns.evidence[row] & EvidenceBit.direct) !== 0);
  const failed = rows.find((row) => columns.outcome[row] === Outcome.failed);
  const slots = rows.reduce((sum, row) => sum + (isDirect(analysis, row) ? 0 : neededSlots(analysis, row)), 0);
  const bytes = rows.reduce((sum, row) => sum + columns.sizeBytes[row], 0);
  const onUnmap = entries.every((entry) => (entry.roles & (LineRole.enter | LineRole.map)) === 0);
  const size = direct ? formatBytes(bytes) : `${formatSlotsAndBytes(slots)} for ${formatBytes(bytes)}`;
  const what = onUnmap ? 'Scatterlist released' : failed === undefined ? 'Scatterlist' : 'Scatterlist failed';
  const elements = rows.slice(0, 8).map((row): HoverLine => {
    const range = slotRangeOf(analysis, row);
    const place = range === null ? '' : `, ${slotNumbers(range)}`;
    const address = Number.isNaN(columns.recordedBounce[row]) ? '' : ` at ${formatHex(columns.recordedBounce[row])}`;
    return {
      level: 'recorded',
      text: `${columns.sgIndex[row] + 1}: ${formatBytes(columns.sizeBytes[row])}${address}${place}`,
      links: [],
    };
  });
  const more = rows.length - elements.length;
  return {
    range: wholeLine(query),
    verdict: `${what} · ${plural(rows.length, 'element')}, ${size}${direct ? ', not bounced' : ''}`,
    tone: failed === undefined ? 'served' : 'failed',
    badge: null,
    lines: [
      whoLine(analysis, rows[0], false),
      ...elements,
      ...(more > 0
        ? [line('recorded', `… and ${plural(more, 'more element')}. Point at an address for its element.`)]
        : []),
      ...lifetimeLines(analysis, rows[0], onUnmap),
    ],
  };
}

/** Next to its finding the card only names the cause. */
function failedVerdict(analysis: Analysis, row: number, { recorded, finding }: MappingQuery): string {
  const message = joinedRecord(analysis, row);
  const { cause, numbers } = judgeRequest(analysis, row, message, recorded ?? null);
  return finding === null || finding === undefined
    ? `Failed · ${describeFailure(cause, numbers, message)}`
    : shortVerdict(cause, neededSlots(analysis, row));
}

/** `Failed · Fragmented · 52 slots · 104 KiB`; slots that are not known are left out. */
export function shortVerdict(cause: Cause, slots: number): string {
  return `Failed · ${causeTitle(cause)}${slots > 0 ? ` · ${formatSlotsAndBytes(slots)}` : ''}`;
}

/** Which flood a further line of it belongs to; the finding of the first one says it itself. */
export function episodeLines({ finding }: Pick<MappingQuery, 'finding'>): readonly HoverLine[] {
  const episode = finding?.episode ?? null;
  if (episode === null || episode.count < 2 || finding?.isFirst === true) {
    return [];
  }
  const label = `line ${formatCount(episode.firstLine)}`;
  const text = `One of ${formatCount(episode.count)} like this, from ${label} to line ${formatCount(episode.lastLine)}`;
  return [{ level: 'derived', text, links: [{ label, file: episode.file, line: episode.firstLine }] }];
}

/** What the card of a bounced request says of its place and size; null for a direct one. */
export function slotsOfRequest(
  analysis: Analysis,
  row: number,
): { readonly bounce: number; readonly slots: number; readonly sizeBytes: number } | null {
  const { columns } = analysis.tables.requests;
  return isDirect(analysis, row)
    ? null
    : {
        bounce: columns.recordedBounce[row],
        slots: neededSlots(analysis, row),
        sizeBytes: columns.sizeBytes[row],
      };
}

function verdictOf(analysis: Analysis, row: number, onUnmap: boolean): string {
  const { columns } = analysis.tables.requests;
  const size = `${formatSlots(neededSlots(analysis, row))} (${formatBytes(neededSlots(analysis, row) * SLOT_BYTES)})`;
  if (isDirect(analysis, row)) {
    const bytes = columns.sizeBytes[row] > 0 ? ` · ${formatBytes(columns.sizeBytes[row])}` : '';
    return onUnmap ? `Unmapped${bytes}, was not bounced` : `Direct${bytes}, not bounced: no slots needed`;
  }
  switch (columns.outcome[row]) {
    case Outcome.rolledBack:
      return `Rolled back · ${size}: a later element of the list failed`;
    case Outcome.unknown:
      return `Attempt · ${size}, the trace does not tell the result`;
    default: {
      const range = slotRangeOf(analysis, row);
      const verb = onUnmap ? 'Released' : 'Served';
      if (range === null) {
        return `${verb} · ${size} in a pool this trace does not name`;
      }
      const slots = `${formatSlots(range.slots)} (${formatBytes(range.slots * SLOT_BYTES)})`;
      const area = range.area >= 0 && range.pool.kind !== 'transient' ? `, area ${formatCount(range.area)}` : '';
      return `${verb} · ${slots} in ${range.pool.kind} pool${area}, ${slotNumbers(range)}`;
    }
  }
}

function slotNumbers(range: SlotRange): string {
  return `${range.slots === 1 ? 'slot' : 'slots'} ${formatRange(range.firstSlot, range.firstSlot + range.slots - 1)}`;
}

/** Device and driver, direction, CPU and context, how much of the slots is used. */
function whoLine(analysis: Analysis, row: number, withSize: boolean): HoverLine {
  const { tables } = analysis;
  const { columns } = tables.requests;
  const device = tables.devices[columns.device[row]];
  const parts: string[] = [];
  if (device !== undefined && device.name !== '') {
    parts.push(device.driver === '' ? device.name : `${device.name} ${device.driver}`);
  }
  if (columns.direction[row] !== Direction.none) {
    parts.push(directionNames[columns.direction[row]]);
  }
  parts.push(describeWhere(columns.cpu[row], columns.context[row]));
  if (withSize && !isDirect(analysis, row) && columns.sizeBytes[row] > 0) {
    const slots = neededSlots(analysis, row);
    const mask = minAlignMaskOf(analysis.geometry, columns.device[row]);
    const why = mask > 0 ? ` (min_align_mask ${formatHex(mask)})` : '';
    const [size, inSlots] = [formatBytes(columns.sizeBytes[row]), formatBytes(slots * SLOT_BYTES)];
    const isHeld = columns.outcome[row] === Outcome.served;
    const asked = size === inSlots ? `${size} asked for` : `${size} asked for, ${inSlots} in slots`;
    parts.push(`${isHeld ? `${size} of ${inSlots} used` : asked}${why}`);
  }
  const attributes = describeAttributes(columns.attributes[row]);
  if (attributes !== '') {
    parts.push(attributes);
  }
  return line('recorded', parts.filter((part) => part !== '').join(' · '));
}

function describeWhere(cpu: number, context: number): string {
  const where = cpu >= 0 ? `CPU ${cpu}` : '';
  if ((context & ContextBit.known) === 0) {
    return where;
  }
  const state = contextWords.find(([bit]) => (context & bit) !== 0)?.[1];
  const words = state ?? (isAtomic(context) ? 'atomic' : 'may sleep');
  return where === '' ? words : `${where}, ${words}`;
}

const contextWords: readonly (readonly [number, string])[] = [
  [ContextBit.nmi, 'NMI'],
  [ContextBit.hardIrq, 'hard irq'],
  [ContextBit.softIrq, 'soft irq'],
  [ContextBit.irqsOff, 'irqs off'],
  [ContextBit.bhOff, 'bottom halves off'],
  [ContextBit.preemptOff, 'preemption off'],
];

function describeAttributes(attributes: number): string {
  const names = Object.entries(attributeNames)
    .filter(([bit]) => (attributes & Number(bit)) !== 0)
    .map(([, name]) => name);
  return names.join('|');
}

const attributeNames: Readonly<Record<number, string>> = {
  [DmaAttribute.weakOrdering]: 'WEAK_ORDERING',
  [DmaAttribute.writeCombine]: 'WRITE_COMBINE',
  [DmaAttribute.noKernelMapping]: 'NO_KERNEL_MAPPING',
  [DmaAttribute.skipCpuSync]: 'SKIP_CPU_SYNC',
  [DmaAttribute.forceContiguous]: 'FORCE_CONTIGUOUS',
  [DmaAttribute.allocSinglePages]: 'ALLOC_SINGLE_PAGES',
  [DmaAttribute.noWarn]: 'NO_WARN',
  [DmaAttribute.privileged]: 'PRIVILEGED',
  [DmaAttribute.mmio]: 'MMIO',
};

/** Addresses that the line itself does not show. */
function addressLines(analysis: Analysis, row: number, lineText: string): HoverLine[] {
  const { columns } = analysis.tables.requests;
  const original = columns.original[row];
  const bounce = columns.recordedBounce[row];
  if (Number.isNaN(original)) {
    return [];
  }
  const isShown = (address: number) => lineText.includes(address.toString(16));
  // Where a bounced mapping lies stands beside the verdict.
  const isSaid = bounce === original || isShown(bounce) || !isDirect(analysis, row);
  const parts = [
    ...(isShown(original) ? [] : [`original address ${formatHex(original)}`]),
    ...(Number.isNaN(bounce) || isSaid ? [] : [`device address ${formatHex(bounce)}`]),
  ].join(' · ');
  const { dmaOffset } = analysis.tables.devices[columns.device[row]];
  const level = isOriginalDerived(columns.evidence[row], dmaOffset) ? 'derived' : 'recorded';
  return parts === '' ? [] : [line(level, parts.charAt(0).toUpperCase() + parts.slice(1))];
}

function listLines(analysis: Analysis, row: number): HoverLine[] {
  const { columns } = analysis.tables.requests;
  if (columns.sgCount[row] <= 1) {
    return [];
  }
  return [
    line('recorded', `Element ${columns.sgIndex[row] + 1} of ${formatCount(columns.sgCount[row])} of a scatterlist`),
  ];
}

function lifetimeLines(analysis: Analysis, row: number, onUnmap: boolean): HoverLine[] {
  const { columns } = analysis.tables.requests;
  const file = fileOf(analysis, columns.source[row]);
  if (columns.outcome[row] === Outcome.rolledBack) {
    return [];
  }
  switch (columns.pairing[row]) {
    case Pairing.assumed:
      return [line('assumed', 'Its end is assumed: this trace has no unmap events.')];
    case Pairing.open:
      return columns.outcome[row] === Outcome.served ? [line('recorded', 'Still mapped when the trace ends')] : [];
    case Pairing.unseenMap:
      return [line('derived', 'Mapped before the trace began')];
    default: {
      const lived = columns.unmapEnterNs[row] - columns.enterNs[row];
      const lives = Number.isFinite(lived)
        ? `${onUnmap ? 'Lived' : 'Lives'} ${formatDuration(lived)}`
        : 'Lifetime unknown (the clock gives order only)';
      const target = onUnmap ? columns.mapLine[row] : columns.unmapLine[row];
      const label = onUnmap ? `mapped at line ${formatCount(target)}` : `unmapped at line ${formatCount(target)}`;
      const inferred =
        columns.pairing[row] !== Pairing.exact || (columns.evidence[row] & EvidenceBit.inferredUnmap) !== 0;
      const remark = pairingRemark(columns.pairing[row]);
      return [
        {
          level: inferred ? 'derived' : 'recorded',
          text: `${lives} → ${target > 0 ? label : 'its other end is not in the trace'}${remark}`,
          links: target > 0 ? [{ label, file, line: target }] : [],
        },
      ];
    }
  }
}

/** Every bounced map copies into the pool; the unmap copies back what the device wrote (swiotlb_bounce). */
function copyLines(analysis: Analysis, row: number): HoverLine[] {
  const { columns } = analysis.tables.requests;
  const known = columns.outcome[row] === Outcome.served && columns.direction[row] !== Direction.none;
  if (!known || isDirect(analysis, row) || columns.pairing[row] === Pairing.unseenMap) {
    return [];
  }
  const back =
    columns.direction[row] !== Direction.toDevice &&
    columns.unmapLine[row] > 0 &&
    (columns.attributes[row] & DmaAttribute.skipCpuSync) === 0;
  const times = back ? 'twice (in and back)' : 'once';
  return [line('derived', `Copied ${formatBytes(columns.sizeBytes[row])} ${times}`)];
}

/** The model of the recorded kernel came to the same address by itself. */
function reproducedLines(analysis: Analysis, row: number, recorded: ReplayResult | null): HoverLine[] {
  const bounce = analysis.tables.requests.columns.recordedBounce[row];
  const same =
    recorded !== null &&
    recorded.requests.outcome[row] === ReplayOutcome.served &&
    recorded.requests.bounceAddress[row] === bounce;
  return same ? [line('modelled', 'Reproduced: the model of the recorded kernel gives this address, too')] : [];
}

function pairingRemark(pairing: number): string {
  if (pairing === Pairing.reused) {
    return ' (its unmap was not seen; the slots were used again there)';
  }
  return pairing === Pairing.sizeMismatch ? ' (the unmap names another size)' : '';
}

/** The event, the holders, the joined message and retries of a failure. */
function failureLines(analysis: Analysis, row: number, query: MappingQuery): HoverLine[] {
  const { columns } = analysis.tables.requests;
  const file = fileOf(analysis, columns.source[row]);
  const lines: HoverLine[] = [...episodeLines(query)];
  // What the finding lists beside the card is not listed twice.
  const isSaid = query.finding?.isFirst === true;
  const at = columns.mapLine[row] || columns.enterLine[row];
  if ((at !== query.line || columns.source[row] !== query.source) && !isSaid) {
    lines.push(linkLine('recorded', 'The failed mapping', analysis, { source: columns.source[row], line: at }, query));
  }
  const message = joinedRecord(analysis, row);
  const { cause, numbers } = judgeRequest(analysis, row, message, query.recorded ?? null);
  if ((slotCauses.has(cause) || cause === 'unknown') && !isSaid) {
    const holders = topHolders(analysis, { source: columns.source[row], line: at }, numbers.totalSlots);
    const shares = holders.map(({ name, slots, share, leaks, oldestLine }) => {
      const leaking = leaks ? ', never returned' : '';
      const since = oldestLine > 0 ? `, oldest from line ${formatCount(oldestLine)}` : '';
      return `${name} ${formatSlots(slots)} (${formatPercent(share)}${leaking}${since})`;
    });
    if (shares.length > 0) {
      lines.push({
        level: 'derived',
        text: `Holders now: ${shares.join(', ')}`,
        links: holders
          .filter(({ oldestLine }) => oldestLine > 0)
          .map(({ oldestLine }) => ({ label: `line ${formatCount(oldestLine)}`, file, line: oldestLine })),
      });
    }
  }
  if (message !== null && !query.lineText.includes(message.text) && !isSaid) {
    lines.push(linkLine('recorded', `Kernel message: ${message.text}`, analysis, message, query));
  }
  if (columns.retryOf[row] >= 0) {
    const earlier = columns.mapLine[columns.retryOf[row]];
    lines.push({
      level: 'derived',
      text: `Repeats the failed request at line ${formatCount(earlier)}`,
      links: [{ label: `line ${formatCount(earlier)}`, file, line: earlier }],
    });
  }
  const retry = findRetry(analysis, row);
  if (retry !== null) {
    const later = columns.enterNs[retry.row] - columns.enterNs[row];
    const when = Number.isFinite(later) ? ` ${formatDuration(later)} later` : '';
    const target = columns.mapLine[retry.row];
    lines.push({
      level: 'derived',
      text: retry.served
        ? `Retry at line ${formatCount(target)} succeeded${when}`
        : `${plural(retry.attempts, 'retry', 'retries')} until line ${formatCount(target)}, none succeeded`,
      links: [{ label: `line ${formatCount(target)}`, file, line: target }],
    });
  }
  return lines;
}

/** A sentence with the line it is about; lines of another file say which. */
function linkLine(
  level: EvidenceLevel,
  text: string,
  analysis: Analysis,
  place: { readonly source: number; readonly line: number },
  query: MappingQuery,
): HoverLine {
  const file = fileOf(analysis, place.source);
  const name = place.source === query.source ? '' : ` of ${file.slice(file.lastIndexOf('/') + 1)}`;
  return { level, text, links: [{ label: `line ${formatCount(place.line)}${name}`, file, line: place.line }] };
}

/** The last attempt of the same request after this one, or the first that succeeded. */
function findRetry(
  analysis: Analysis,
  row: number,
): { readonly row: number; readonly served: boolean; readonly attempts: number } | null {
  const { outcome } = analysis.tables.requests.columns;
  const nextOf = nextRetries(analysis.tables);
  let last = -1;
  let attempts = 0;
  for (let next = nextOf.get(row); next !== undefined; next = nextOf.get(next)) {
    attempts++;
    last = next;
    if (outcome[next] === Outcome.served) {
      return { row: next, served: true, attempts };
    }
  }
  return last < 0 ? null : { row: last, served: false, attempts };
}

function modelledLines(analysis: Analysis, row: number, replay: ReplayResult | null): HoverLine[] {
  if (replay === null || !replay.replayable || row >= replay.requests.outcome.length) {
    return [];
  }
  const { columns } = analysis.tables.requests;
  const { requests, policy } = replay;
  switch (requests.outcome[row]) {
    case ReplayOutcome.failed: {
      const cause = causes[requests.cause[row]];
      const also = columns.outcome[row] === Outcome.failed ? 'fails too' : 'fails here';
      return [
        line('modelled', `${policy}: ${also}${cause === undefined ? '' : ` (${causeTitle(cause).toLowerCase()})`}`),
      ];
    }
    case ReplayOutcome.droppedRetry:
      return [line('modelled', `${policy}: not needed, the first attempt is served`)];
    case ReplayOutcome.served: {
      const address = requests.bounceAddress[row];
      if (address === columns.recordedBounce[row]) {
        return [line('modelled', `${policy}: same place`)];
      }
      const where = modelledPlace(analysis, row, replay);
      const verb =
        columns.outcome[row] === Outcome.failed
          ? 'would have served it'
          : Number.isNaN(columns.recordedBounce[row])
            ? 'served'
            : 'another place';
      return [line('modelled', `${policy}: ${verb} (${where})`)];
    }
    default:
      return [];
  }
}

/** Pools that the model adds lie where its page allocator put them, so only places in the boot pool get an address. */
function modelledPlace(analysis: Analysis, row: number, { pools, requests }: ReplayResult): string {
  const pool = pools.find((candidate) => candidate.id === requests.pool[row]);
  if (pool?.kind === 'transient') {
    return `a transient pool of ${formatSlotsAndBytes(pool.slots)}`;
  }
  const slot = `${pool?.kind ?? 'unknown'} pool, slot ${formatCount(requests.slot[row])}`;
  const { level } = analysis.geometry.pools[0]?.start.evidence ?? { level: 'assumed' };
  const isPlaced = pool?.kind === 'boot' && level !== 'assumed' && level !== 'default';
  return isPlaced ? `${slot}, ${formatHex(requests.bounceAddress[row])}` : slot;
}

/** The log message that was joined to a request; null when none. */
function joinedRecord(analysis: Analysis, row: number): LogRecord | null {
  const joined = messagesOf(analysis, row);
  return (joined.find((failure) => failure.record.totalSlots >= 0) ?? joined[0])?.record ?? null;
}

function neededSlots(analysis: Analysis, row: number): number {
  return Math.max(1, Math.ceil(requestPaddedBytes(analysis, row) / SLOT_BYTES));
}

function isDirect(analysis: Analysis, row: number): boolean {
  return (analysis.tables.requests.columns.evidence[row] & EvidenceBit.direct) !== 0;
}

function fileOf(analysis: Analysis, source: number): string {
  return analysis.tables.sources[source]?.path ?? analysis.file;
}

function line(level: EvidenceLevel, text: string): HoverLine {
  return { level, text, links: [] };
}

export function wholeLine(query: Pick<MappingQuery, 'line' | 'lineText'>): HoverCard['range'] {
  const text = query.lineText.replace(/[\r\n]+$/, '');
  return { line: query.line, startColumn: text.length - text.trimStart().length, endColumn: text.length };
}
