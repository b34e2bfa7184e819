import type { LogRecord } from '../model/log';
import type { TraceTables } from '../model/tables';
import { EvidenceBit, Outcome, Pairing, PoolKind } from '../model/tables';
import type { LineNumber } from '../model/units';
import type { Analysis } from './analysis';
import { poolLine } from './boot';
import { requestsOfLine } from './lineCompanions';
import { type LineEntry, LineRole, lineIndexOf } from './lineIndex';
import { lineTokens } from './lineTokens';
import { poolOfAddress, slotRangeOf } from './occupancy';
import { messagesOf, recordAt, requestOfRecord } from './recordIndex';

/** What a line is to the thing that was asked about. */
export type PlaceUse =
  /** First evidence of an attempt to map. */
  | 'attempt'
  /** The line with the result. */
  | 'map'
  | 'unmap'
  /** The kernel message of a failure. */
  | 'message'
  /** Another attempt at the same request. */
  | 'retry'
  /** The line that sets up a pool. */
  | 'pool'
  | 'device';

/** A line of one of the sources. */
export interface LinePlace {
  /** Row of the source table. */
  readonly source: number;
  readonly line: LineNumber;
  readonly use: PlaceUse;
}

/** A place in a text. */
export interface PlaceQuery {
  readonly source: number;
  readonly line: LineNumber;
  readonly lineText: string;
  /** Zero-based UTF-16 column. */
  readonly character: number;
}

/** So many lines of a device or pool are listed; more than anybody reads. */
const maxReferences = 1000;
/** Retries of one request that are followed. */
const maxRetries = 64;

/**
 * Where the thing under the cursor comes from: the first line of a device for its name, the line that set up the pool
 * for the address of a map, else the other end of the mapping (map and unmap lead to each other, a failure to its
 * kernel message and back).
 */
export function definitionsAt(analysis: Analysis, query: PlaceQuery): readonly LinePlace[] {
  const word = wordAt(query);
  if (word?.kind === 'device') {
    const first = firstLineOfDevice(analysis, deviceRow(analysis, word.text));
    return first === null ? [] : [first];
  }
  if (word?.kind === 'address' && !isReleaseLine(analysis, query)) {
    const pool = poolPlace(analysis, Number.parseInt(word.text.replace(/^0x/, ''), 16));
    if (pool !== null && !isAt(pool, query)) {
      return [pool];
    }
  }
  return partnersOf(analysis, query.source, query.line, query.lineText);
}

/** An address that is given back was given by the map. */
function isReleaseLine(analysis: Analysis, { source, line, lineText }: PlaceQuery): boolean {
  const entries = requestsOfLine(analysis, source, line, lineText);
  return entries.length > 0 && entries.every(({ roles }) => (roles & (LineRole.enter | LineRole.map)) === 0);
}

/** The other end of what happens on a line; empty when the trace does not have it. */
export function partnersOf(
  analysis: Analysis,
  source: number,
  line: LineNumber,
  lineText: string,
): readonly LinePlace[] {
  const { columns } = analysis.tables.requests;
  const places: LinePlace[] = [];
  for (const { row, roles } of entriesAt(analysis, source, line, lineText)) {
    const at = columns.source[row];
    const mapLine = columns.mapLine[row] || columns.enterLine[row];
    const isMap = (roles & (LineRole.enter | LineRole.map)) !== 0;
    if (columns.outcome[row] === Outcome.failed) {
      const onMessage = at !== source || (line !== mapLine && line !== columns.enterLine[row]);
      places.push(...(onMessage ? [{ source: at, line: mapLine, use: 'map' as const }] : messagePlaces(analysis, row)));
    } else if (isMap && columns.unmapLine[row] > 0) {
      places.push({ source: at, line: columns.unmapLine[row], use: 'unmap' });
    } else if (!isMap && mapLine > 0) {
      places.push({ source: at, line: mapLine, use: 'map' });
    }
  }
  const record = places.length === 0 ? recordAt(analysis, source, line) : null;
  const pool = record === null ? null : bootPlace(analysis);
  if (pool !== null && record?.kind === 'buffer-full') {
    places.push(pool);
  }
  return distinct(places).filter((place) => place.source !== source || place.line !== line);
}

/** Every line that belongs to what is under the cursor: a device, a pool, else the mappings of the line. */
export function referencesAt(analysis: Analysis, query: PlaceQuery): readonly LinePlace[] {
  const word = wordAt(query);
  if (word?.kind === 'device') {
    return linesOfDevice(analysis, deviceRow(analysis, word.text));
  }
  const places = linesOfMapping(analysis, query.source, query.line, query.lineText);
  if (places.length > 0) {
    return places;
  }
  const pool = bootPlace(analysis);
  return pool !== null && isAt(pool, query) ? failuresOfPool(analysis, pool) : [];
}

/** All lines of the mappings that a line is part of, with kernel messages and retries, in order. */
export function linesOfMapping(
  analysis: Analysis,
  source: number,
  line: LineNumber,
  lineText: string,
): readonly LinePlace[] {
  const { columns } = analysis.tables.requests;
  const places: LinePlace[] = [];
  const entries = entriesAt(analysis, source, line, lineText);
  for (const { row } of entries) {
    const at = columns.source[row];
    const add = (place: LineNumber, use: PlaceUse) => {
      if (place > 0) {
        places.push({ source: at, line: place, use });
      }
    };
    add(columns.enterLine[row], 'attempt');
    add(columns.mapLine[row], 'map');
    if (columns.outcome[row] !== Outcome.rolledBack) {
      add(columns.unmapLine[row], 'unmap');
      add(columns.unmapExitLine[row], 'unmap');
    }
    places.push(...messagePlaces(analysis, row));
    for (const other of retriesOf(analysis, row)) {
      add(columns.mapLine[other] || columns.enterLine[other], 'retry');
      places.push(...messagePlaces(analysis, other));
    }
  }
  const own = entries[0];
  if (own !== undefined && !places.some((place) => place.source === source && place.line === line)) {
    places.push({ source, line, use: (own.roles & LineRole.unmap) !== 0 ? 'unmap' : 'map' });
  }
  return distinct(places).sort((a, b) => a.source - b.source || a.line - b.line);
}

/** A device with the line to begin reading at. */
export interface DevicePlace extends LinePlace {
  readonly name: string;
  readonly driver: string;
}

/** Devices whose name or driver has the text in it, case aside; all of them for an empty text. */
export function devicesNamed(analysis: Analysis, text: string): readonly DevicePlace[] {
  const wanted = text.toLowerCase();
  return analysis.tables.devices.flatMap((device) => {
    const isWanted = `${device.name} ${device.driver}`.toLowerCase().includes(wanted);
    const place = isWanted && device.name !== '' ? firstLineOfDevice(analysis, device.id) : null;
    return place === null ? [] : [{ ...place, name: device.name, driver: device.driver }];
  });
}

/** The line that sets up a pool an address lies in; null when no line does. */
export function poolPlace(analysis: Analysis, address: number): LinePlace | null {
  const pool = poolOfAddress(analysis.geometry, address);
  if (pool === null) {
    return null;
  }
  const { source, line } = pool.start.evidence;
  const named: LinePlace | null =
    source !== undefined && line !== undefined && line > 0 ? { source, line, use: 'pool' } : null;
  return pool.kind === 'boot' ? (bootPlace(analysis) ?? named) : named;
}

/** Requests of a line; a kernel message stands for the request it was joined to. */
function entriesAt(analysis: Analysis, source: number, line: LineNumber, lineText: string): readonly LineEntry[] {
  const entries = requestsOfLine(analysis, source, line, lineText);
  const record = entries.length === 0 ? recordAt(analysis, source, line) : null;
  const row = record === null ? -1 : requestOfRecord(analysis, record);
  return row < 0 ? entries : [{ row, roles: 0 }];
}

function messagePlaces(analysis: Analysis, row: number): readonly LinePlace[] {
  return messagesOf(analysis, row).map(({ record }) => messagePlace(record));
}

function messagePlace(record: LogRecord): LinePlace {
  return { source: record.source, line: record.line, use: 'message' };
}

/** The boot line with the pool's addresses. */
function bootPlace(analysis: Analysis): LinePlace | null {
  const record = poolLine(analysis);
  if (record !== null) {
    return { source: record.source, line: record.line, use: 'pool' };
  }
  const { columns, length } = analysis.tables.pools;
  for (let row = 0; row < length; row++) {
    if (columns.kind[row] === PoolKind.boot && columns.allocLine[row] > 0) {
      return { source: columns.source[row], line: columns.allocLine[row], use: 'pool' };
    }
  }
  return null;
}

function failuresOfPool(analysis: Analysis, pool: LinePlace): readonly LinePlace[] {
  const places: LinePlace[] = [pool];
  for (const { record } of analysis.tables.logFailures) {
    if (places.length <= maxReferences) {
      places.push(messagePlace(record));
    }
  }
  const { columns, length } = analysis.tables.requests;
  for (let row = 0; row < length && places.length <= maxReferences; row++) {
    if (columns.outcome[row] === Outcome.failed) {
      places.push({ source: columns.source[row], line: columns.mapLine[row] || columns.enterLine[row], use: 'map' });
    }
  }
  return distinct(places);
}

const nextRetryCache = new WeakMap<TraceTables, ReadonlyMap<number, number>>();

/** Row of a request to the row that repeats it. */
export function nextRetries(tables: TraceTables): ReadonlyMap<number, number> {
  let next = nextRetryCache.get(tables);
  if (next === undefined) {
    const found = new Map<number, number>();
    const { retryOf } = tables.requests.columns;
    for (let row = 0; row < tables.requests.length; row++) {
      if (retryOf[row] >= 0) {
        found.set(retryOf[row], row);
      }
    }
    next = found;
    nextRetryCache.set(tables, next);
  }
  return next;
}

/** The other attempts at the same request, before and after. */
function retriesOf(analysis: Analysis, row: number): readonly number[] {
  const { retryOf } = analysis.tables.requests.columns;
  const rows: number[] = [];
  for (let other = retryOf[row]; other >= 0 && rows.length < maxRetries; other = retryOf[other]) {
    rows.push(other);
  }
  const next = nextRetries(analysis.tables);
  for (let other = next.get(row); other !== undefined && rows.length < maxRetries; other = next.get(other)) {
    rows.push(other);
  }
  return rows;
}

const recoveredCache = new WeakMap<TraceTables, ReadonlySet<number>>();

/** A later attempt at the same request got slots: the driver came through. */
export function isRecovered({ tables }: Analysis, row: number): boolean {
  let recovered = recoveredCache.get(tables);
  if (recovered === undefined) {
    const { outcome } = tables.requests.columns;
    const found = new Set<number>();
    // A retry comes after what it repeats, so the last of a chain is looked at first.
    for (const [earlier, later] of [...nextRetries(tables)].sort(([a], [b]) => b - a)) {
      if (outcome[later] === Outcome.served || found.has(later)) {
        found.add(earlier);
      }
    }
    recovered = found;
    recoveredCache.set(tables, recovered);
  }
  return recovered.has(row);
}

function deviceRow(analysis: Analysis, name: string): number {
  return analysis.tables.devices.find((device) => device.name === name)?.id ?? -1;
}

const firstLineCache = new WeakMap<TraceTables, readonly (LinePlace | null)[]>();

function firstLineOfDevice(analysis: Analysis, device: number): LinePlace | null {
  const { tables } = analysis;
  let first = firstLineCache.get(tables);
  if (first === undefined) {
    first = firstLinesOfDevices(tables);
    firstLineCache.set(tables, first);
  }
  return first[device] ?? null;
}

/** Requests first, as a trace says more than a log; a device of which there is only a message gets its line. */
function firstLinesOfDevices(tables: TraceTables): readonly (LinePlace | null)[] {
  const found: (LinePlace | null)[] = tables.devices.map(() => null);
  const { columns, length } = tables.requests;
  let missing = found.length;
  for (let row = 0; row < length && missing > 0; row++) {
    const line = columns.enterLine[row] || columns.mapLine[row] || columns.unmapLine[row];
    if (found[columns.device[row]] === null && line > 0) {
      found[columns.device[row]] = { source: columns.source[row], line, use: 'device' };
      missing--;
    }
  }
  for (const { device, record } of tables.logFailures) {
    if (device >= 0 && found[device] === null) {
      found[device] = { source: record.source, line: record.line, use: 'device' };
    }
  }
  for (const device of tables.devices) {
    if (found[device.id] === null && device.dmaMaskLine > 0) {
      found[device.id] = { source: device.dmaMaskSource, line: device.dmaMaskLine, use: 'device' };
    }
  }
  return found;
}

function linesOfDevice(analysis: Analysis, device: number): readonly LinePlace[] {
  const { tables } = analysis;
  const places: LinePlace[] = [];
  for (const { record, device: of } of tables.logFailures) {
    if (of === device && places.length < maxReferences) {
      places.push(messagePlace(record));
    }
  }
  for (const source of tables.sources) {
    const index = lineIndexOf(analysis, source.id);
    let last = 0;
    for (let i = 0; i < index.rows.length && places.length < maxReferences; i++) {
      const isNew = index.lines[i] !== last;
      if (isNew && tables.requests.columns.device[index.rows[i]] === device) {
        last = index.lines[i];
        const isMap = (index.roles[i] & (LineRole.enter | LineRole.map)) !== 0;
        places.push({ source: source.id, line: last, use: isMap ? 'map' : 'unmap' });
      }
    }
  }
  return distinct(places).sort((a, b) => a.source - b.source || a.line - b.line);
}

/** One mapping that holds slots at some line. */
export interface HeldMapping {
  /** Row of the request table. */
  readonly row: number;
  readonly source: number;
  /** 0 when it was mapped before the trace began. */
  readonly mapLine: LineNumber;
  readonly unmapLine: LineNumber;
  /** Row of the device table. */
  readonly device: number;
  readonly slots: number;
}

/** Everything that holds slots just before a line of a source: the oldest first, those from before the trace at the start. */
export function heldAt(analysis: Analysis, source: number, atLine: LineNumber): readonly HeldMapping[] {
  const { columns, length } = analysis.tables.requests;
  const held: HeldMapping[] = [];
  for (let row = 0; row < length; row++) {
    const mapLine = columns.mapLine[row];
    const unseen = columns.pairing[row] === Pairing.unseenMap;
    const isHeld =
      columns.source[row] === source &&
      columns.outcome[row] === Outcome.served &&
      (columns.evidence[row] & EvidenceBit.direct) === 0 &&
      columns.pairing[row] !== Pairing.assumed &&
      (unseen || (mapLine > 0 && mapLine < atLine)) &&
      (columns.unmapLine[row] === 0 || columns.unmapLine[row] > atLine);
    const range = isHeld ? slotRangeOf(analysis, row) : null;
    if (range !== null) {
      held.push({
        row,
        source,
        mapLine: unseen ? 0 : mapLine,
        unmapLine: columns.unmapLine[row],
        device: columns.device[row],
        slots: range.slots,
      });
    }
  }
  return held.sort((a, b) => a.mapLine - b.mapLine || a.row - b.row);
}

function isAt(place: LinePlace, query: PlaceQuery): boolean {
  return place.source === query.source && place.line === query.line;
}

/** The first use of each line. */
function distinct(places: readonly LinePlace[]): LinePlace[] {
  const seen = new Set<string>();
  return places.filter((place) => {
    const key = `${place.source}:${place.line}`;
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/** The device name or address under the cursor. */
function wordAt({
  lineText,
  character,
}: PlaceQuery): { readonly kind: 'device' | 'address'; readonly text: string } | null {
  const token = lineTokens(lineText).find(({ start, length }) => character >= start && character <= start + length);
  if (token === undefined || (token.kind !== 'device' && token.kind !== 'address')) {
    return null;
  }
  return { kind: token.kind, text: lineText.slice(token.start, token.start + token.length) };
}
