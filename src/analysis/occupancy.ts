import { low32 } from '../base/address';
import { upperBound } from '../base/bisect';
import type { Geometry, PoolGeometry } from '../model/geometry';
import type { TraceTables } from '../model/tables';
import { EvidenceBit, Outcome, Pairing } from '../model/tables';
import type { Address, Bytes, Slots } from '../model/units';
import { SEGMENT_SLOTS, SLOT_BYTES } from '../model/units';
import type { Analysis } from './analysis';
import { type LineIndex, LineRole, lineIndexOf } from './lineIndex';

/** Where a recorded bounce address lies, and which slots the mapping takes. Follows from recorded facts: derived. */
export interface SlotRange {
  readonly pool: PoolGeometry;
  /** Position in `Geometry.pools` followed by `Geometry.recordedPools`. */
  readonly poolIndex: number;
  readonly firstSlot: number;
  readonly slots: Slots;
  /** Area of the first slot; -1 when the number of areas is unknown. */
  readonly area: number;
}

/** The pools' state when a request failed, from the recorded addresses of the other mappings. */
export interface FailureFacts {
  readonly neededSlots: Slots;
  /** Slots of listed pools at that time; -1 unknown. */
  readonly totalSlots: Slots;
  /** Slots held by mappings the trace shows; a lower bound when mappings from before the trace were never seen. */
  readonly usedSlots: Slots;
  /** Longest free run inside one segment of 128 slots; an upper bound when mappings are unseen. -1 unknown. */
  readonly largestHole: Slots;
  /** A run is long enough, but no start in it satisfies alignment and the device's masks. */
  readonly misaligned: boolean;
  /** Free slots the request could have used by this state: another mapping not in the trace must have held them. */
  readonly placeable: boolean;
}

/** Slots of one device at a moment. */
export interface Holder {
  /** Row of the device table. */
  readonly device: number;
  readonly slots: Slots;
  readonly mappings: number;
  /** Line of its oldest mapping that is still held; 0 when all are from before the trace. */
  readonly oldestLine: number;
}

/** Device masks that decide where a run may start. */
interface AlignmentRules {
  readonly minAlignMask: number;
  readonly pageMask: number;
}

/** Bytes the kernel searches for: the size plus the offset it keeps (allocator.md 3.3); what 6.9+ prints as `sz`. */
export function paddedBytes(original: Address, sizeBytes: Bytes, minAlignMask: number, allocAlignBits: number): Bytes {
  const allocAlignMask = allocAlignBits > 0 ? 2 ** allocAlignBits - 1 : 0;
  const offset = Number.isNaN(original)
    ? 0
    : (low32(original) & minAlignMask & (allocAlignMask | (SLOT_BYTES - 1))) >>> 0;
  const padded = sizeBytes + offset;
  return allocAlignMask === 0 ? padded : Math.ceil(padded / (allocAlignMask + 1)) * (allocAlignMask + 1);
}

/** min_align_mask of a device as inferred or given; 0 when nothing says otherwise. */
export function minAlignMaskOf(geometry: Geometry, device: number): number {
  const known = geometry.devices[device];
  if (known !== undefined && known.device === device) {
    return known.minAlignMask.value;
  }
  return geometry.devices.find((candidate) => candidate.device === device)?.minAlignMask.value ?? 0;
}

/** Padded bytes of a row of the request table. */
export function requestPaddedBytes(analysis: Analysis, row: number): Bytes {
  const { columns } = analysis.tables.requests;
  return paddedBytes(
    columns.original[row],
    columns.sizeBytes[row],
    minAlignMaskOf(analysis.geometry, columns.device[row]),
    columns.allocAlignBits[row],
  );
}

/** Pools of a geometry in search order for addresses: few permanent ones, and maybe thousands of transient ones by start. */
interface PoolDirectory {
  readonly pools: readonly PoolGeometry[];
  /** Positions in `pools`, by start address. */
  readonly byStart: readonly number[];
  readonly starts: Float64Array;
}

const directories = new WeakMap<Geometry, PoolDirectory>();

function directoryOf(geometry: Geometry): PoolDirectory {
  let directory = directories.get(geometry);
  if (directory === undefined) {
    const pools = [...geometry.pools, ...geometry.recordedPools];
    const byStart = pools
      .map((_, position) => position)
      .filter((position) => !Number.isNaN(pools[position].start.value))
      .sort((a, b) => pools[a].start.value - pools[b].start.value || a - b);
    directory = { pools, byStart, starts: Float64Array.from(byStart, (position) => pools[position].start.value) };
    directories.set(geometry, directory);
  }
  return directory;
}

/** Boot and restricted pools, then the grown and transient ones of the recording. */
export function allPools(geometry: Geometry): readonly PoolGeometry[] {
  return directoryOf(geometry).pools;
}

/** How many pools that start below an address are looked at: transient pools reuse addresses with other sizes. */
const overlapLimit = 16;

/** Position of the pool an address lies in, permanent pools first; -1 when none. */
function poolAt(directory: PoolDirectory, address: Address): number {
  let found = -1;
  const last = upperBound(directory.starts, address) - 1;
  for (let i = last; i >= 0 && i > last - overlapLimit; i--) {
    const position = directory.byStart[i];
    const pool = directory.pools[position];
    if (address < pool.start.value + pool.slots.value * SLOT_BYTES) {
      if (pool.kind !== 'transient') {
        return position;
      }
      found = position;
    }
  }
  return found;
}

/** The slots a served request occupies; null when its address is in no known pool (direct mapping, unknown pool). */
export function slotRangeOf(analysis: Analysis, row: number): SlotRange | null {
  const { columns } = analysis.tables.requests;
  const bounce = columns.recordedBounce[row];
  if (Number.isNaN(bounce) || (columns.evidence[row] & EvidenceBit.direct) !== 0) {
    return null;
  }
  const mask = minAlignMaskOf(analysis.geometry, columns.device[row]);
  const alignMask = columns.allocAlignBits[row] > 0 ? 2 ** columns.allocAlignBits[row] - 1 : 0;
  // Without the original address (only the unmap was seen) the low bits of the bounce address carry the same offset.
  const reference = Number.isNaN(columns.original[row]) ? bounce : columns.original[row];
  const offset = (low32(reference) & mask & (alignMask | (SLOT_BYTES - 1))) >>> 0;
  const padSlots = Math.floor(offset / SLOT_BYTES);
  const slots = Math.max(
    1,
    Math.ceil(paddedBytes(reference, columns.sizeBytes[row], mask, columns.allocAlignBits[row]) / SLOT_BYTES),
  );
  const directory = directoryOf(analysis.geometry);
  const poolIndex = poolAt(directory, bounce);
  if (poolIndex < 0) {
    return null;
  }
  const pool = directory.pools[poolIndex];
  const firstSlot = Math.floor((bounce - pool.start.value) / SLOT_BYTES) - padSlots;
  const areas = pool.areas.value;
  return {
    pool,
    poolIndex,
    firstSlot,
    slots,
    area: areas > 0 ? Math.floor(firstSlot / Math.max(1, Math.floor(pool.slots.value / areas))) : -1,
  };
}

/** The pool an address lies in, permanent ones first; null when in none. */
export function poolOfAddress(geometry: Geometry, address: Address): PoolGeometry | null {
  const directory = directoryOf(geometry);
  return directory.pools[poolAt(directory, address)] ?? null;
}

const factsCache = new WeakMap<Analysis, ReadonlyMap<number, FailureFacts>>();

/** The state of the pools at every failed request, by row of the request table. Computed once per analysis. */
export function failureFactsOf(analysis: Analysis): ReadonlyMap<number, FailureFacts> {
  let facts = factsCache.get(analysis);
  if (facts === undefined) {
    facts = analysis.tables.counts.failed === 0 ? new Map() : sweep(analysis);
    factsCache.set(analysis, facts);
  }
  return facts;
}

/** Who holds slots just before a line of a source, largest first. */
export function holdersAt(analysis: Analysis, source: number, atLine: number): readonly Holder[] {
  const { columns, length } = analysis.tables.requests;
  const slotsByDevice = new Map<number, { slots: number; mappings: number; oldestLine: number }>();
  for (let row = 0; row < length; row++) {
    if (columns.source[row] !== source || (columns.evidence[row] & EvidenceBit.direct) !== 0) {
      continue;
    }
    const bornBefore =
      columns.pairing[row] === Pairing.unseenMap || (columns.mapLine[row] > 0 && columns.mapLine[row] < atLine);
    const alive = bornBefore && (columns.unmapLine[row] === 0 || columns.unmapLine[row] > atLine);
    if (!alive || columns.outcome[row] !== Outcome.served || columns.pairing[row] === Pairing.assumed) {
      continue;
    }
    const range = slotRangeOf(analysis, row);
    if (range === null) {
      continue;
    }
    const held = slotsByDevice.get(columns.device[row]);
    const line = columns.pairing[row] === Pairing.unseenMap ? 0 : columns.mapLine[row];
    if (held === undefined) {
      slotsByDevice.set(columns.device[row], { slots: range.slots, mappings: 1, oldestLine: line });
    } else {
      held.slots += range.slots;
      held.mappings++;
      held.oldestLine = held.oldestLine === 0 ? line : Math.min(held.oldestLine, line || held.oldestLine);
    }
  }
  return [...slotsByDevice]
    .map(([device, held]) => ({ device, ...held }))
    .sort((a, b) => b.slots - a.slots || a.device - b.device);
}

/** Slots of one pool as bytes, with the longest free run of each segment kept until a slot in it changes. */
class PoolMap {
  used = 0;
  listed: boolean;
  private readonly pool: PoolGeometry;
  private readonly taken: Uint8Array;
  private readonly longest: Uint8Array;
  private readonly dirty: Uint8Array;

  constructor(pool: PoolGeometry) {
    this.pool = pool;
    this.listed = pool.kind === 'boot';
    this.taken = new Uint8Array(pool.slots.value);
    const segments = Math.ceil(pool.slots.value / SEGMENT_SLOTS);
    this.longest = new Uint8Array(segments);
    this.dirty = new Uint8Array(segments).fill(1);
  }

  get slots(): Slots {
    return this.taken.length;
  }

  /** Sets slots; those that changed are appended to `changed`. */
  mark(firstSlot: number, slots: number, value: 0 | 1, changed?: number[]): void {
    const end = Math.min(this.taken.length, firstSlot + slots);
    for (let slot = Math.max(0, firstSlot); slot < end; slot++) {
      if (this.taken[slot] !== value) {
        this.taken[slot] = value;
        this.used += value === 1 ? 1 : -1;
        this.dirty[Math.floor(slot / SEGMENT_SLOTS)] = 1;
        changed?.push(slot);
      }
    }
  }

  longestRun(): number {
    let best = 0;
    for (let segment = 0; segment < this.longest.length; segment++) {
      if (this.dirty[segment] === 1) {
        this.longest[segment] = this.measureSegment(segment);
        this.dirty[segment] = 0;
      }
      best = Math.max(best, this.longest[segment]);
    }
    return best;
  }

  /** Is there a free run of `slots` whose start has the right address bits? Call after `longestRun`. */
  hasPlace(slots: number, original: Address, rules: AlignmentRules): boolean {
    const wanted = low32(Number.isNaN(original) ? 0 : original);
    const copiedBits = (rules.minAlignMask & ~(rules.pageMask | (SLOT_BYTES - 1))) >>> 0;
    for (let segment = 0; segment < this.longest.length; segment++) {
      if (this.longest[segment] < slots) {
        continue;
      }
      const end = Math.min(this.taken.length, (segment + 1) * SEGMENT_SLOTS);
      let run = 0;
      for (let slot = end - 1; slot >= segment * SEGMENT_SLOTS; slot--) {
        run = this.taken[slot] === 1 ? 0 : run + 1;
        if (run < slots) {
          continue;
        }
        const address = low32(this.pool.start.value + slot * SLOT_BYTES);
        const pageAligned = (address & rules.pageMask) === 0;
        const matches = Number.isNaN(original) || original === 0 || ((address ^ wanted) & copiedBits) === 0;
        if (pageAligned && matches) {
          return true;
        }
      }
    }
    return false;
  }

  private measureSegment(segment: number): number {
    const end = Math.min(this.taken.length, (segment + 1) * SEGMENT_SLOTS);
    let run = 0;
    let best = 0;
    for (let slot = segment * SEGMENT_SLOTS; slot < end; slot++) {
      run = this.taken[slot] === 1 ? 0 : run + 1;
      best = Math.max(best, run);
    }
    return best;
  }
}

/** Walks each source in line order, keeps the occupied slots, and looks at the state whenever a request fails. */
function sweep(analysis: Analysis): ReadonlyMap<number, FailureFacts> {
  const { tables } = analysis;
  const facts = new Map<number, FailureFacts>();
  const pools = allPools(analysis.geometry);
  for (const source of sourcesWithFailures(tables)) {
    const maps = pools.map((pool) => new PoolMap(pool));
    occupyFromStart(analysis, source, maps);
    const index = lineIndexOf(analysis, source);
    const { columns } = tables.requests;
    for (let i = 0; i < index.lines.length; i++) {
      const row = index.rows[i];
      const roles = index.roles[i];
      if ((roles & LineRole.map) !== 0) {
        if (columns.outcome[row] === Outcome.failed) {
          facts.set(row, factsAt(analysis, row, maps, index, i));
        } else if (columns.outcome[row] === Outcome.served) {
          markRow(analysis, row, maps, 1);
        }
      }
      if ((roles & LineRole.unmap) !== 0) {
        markRow(analysis, row, maps, 0);
      }
    }
  }
  return facts;
}

function sourcesWithFailures(tables: TraceTables): ReadonlySet<number> {
  const { columns, length } = tables.requests;
  const sources = new Set<number>();
  for (let row = 0; row < length; row++) {
    if (columns.outcome[row] === Outcome.failed) {
      sources.add(columns.source[row]);
    }
  }
  return sources;
}

/** Mappings whose unmap alone is in the trace held their slots from the start. */
function occupyFromStart(analysis: Analysis, source: number, maps: readonly PoolMap[]): void {
  const { columns, length } = analysis.tables.requests;
  for (let row = 0; row < length; row++) {
    if (columns.source[row] === source && columns.pairing[row] === Pairing.unseenMap) {
      markRow(analysis, row, maps, 1);
    }
  }
}

/** How far back in-flight attempts of other CPUs are looked for. */
const inFlightEntries = 512;

/**
 * The state when a request failed. Lines of several CPUs overlap: where the state at its last line shows a place, slots
 * that were released while it searched, or that attempts in flight had already taken, were not free for it.
 */
function factsAt(
  analysis: Analysis,
  row: number,
  maps: readonly PoolMap[],
  index: LineIndex,
  position: number,
): FailureFacts {
  const now = factsNow(analysis, row, maps);
  if (!now.placeable) {
    return now;
  }
  const { columns } = analysis.tables.requests;
  const begin = columns.enterLine[row];
  const end = index.lines[position];
  const undo = maps.map((): number[] => []);
  for (let i = position; i >= 0 && (index.lines[i] >= begin || i > position - inFlightEntries); i--) {
    const other = index.rows[i];
    const released = index.lines[i] >= begin && (index.roles[i] & (LineRole.unmap | LineRole.unmapExit)) !== 0;
    const inFlight = (index.roles[i] & LineRole.enter) !== 0 && columns.mapLine[other] > end;
    if ((released || inFlight) && columns.outcome[other] === Outcome.served) {
      const range = slotRangeOf(analysis, other);
      if (range !== null) {
        maps[range.poolIndex].mark(range.firstSlot, range.slots, 1, undo[range.poolIndex]);
      }
    }
  }
  const facts = factsNow(analysis, row, maps);
  undo.forEach((slots, pool) => {
    for (const slot of slots) {
      maps[pool].mark(slot, 1, 0);
    }
  });
  return facts.placeable ? now : facts;
}

function markRow(analysis: Analysis, row: number, maps: readonly PoolMap[], value: 0 | 1): void {
  const range = slotRangeOf(analysis, row);
  if (range === null) {
    return;
  }
  const map = maps[range.poolIndex];
  map.mark(range.firstSlot, range.slots, value);
  // A grown pool is in the kernel's list at the latest when a mapping lies in it.
  if (range.pool.kind === 'grown') {
    map.listed = true;
  }
}

function factsNow(analysis: Analysis, row: number, maps: readonly PoolMap[]): FailureFacts {
  const { columns } = analysis.tables.requests;
  const neededSlots = Math.max(1, Math.ceil(requestPaddedBytes(analysis, row) / SLOT_BYTES));
  const listed = maps.filter((map) => map.listed && map.slots > 0);
  const totalSlots = listed.reduce((sum, map) => sum + map.slots, 0);
  if (totalSlots === 0) {
    return { neededSlots, totalSlots: -1, usedSlots: -1, largestHole: -1, misaligned: false, placeable: false };
  }
  const usedSlots = listed.reduce((sum, map) => sum + map.used, 0);
  const largestHole = Math.max(...listed.map((map) => map.longestRun()));
  const longEnough = largestHole >= neededSlots;
  const rules = alignmentRules(analysis, row);
  const placeable = longEnough && listed.some((map) => map.hasPlace(neededSlots, columns.original[row], rules));
  return { neededSlots, totalSlots, usedSlots, largestHole, misaligned: longEnough && !placeable, placeable };
}

/** Since 6.9 requests of a page and more start on a page unless the device asks for its own alignment (allocator.md 4). */
function alignmentRules(analysis: Analysis, row: number): AlignmentRules {
  const { columns } = analysis.tables.requests;
  const minAlignMask = minAlignMaskOf(analysis.geometry, columns.device[row]);
  const allocAlignMask = columns.allocAlignBits[row] > 0 ? 2 ** columns.allocAlignBits[row] - 1 : 0;
  const pageSize = analysis.geometry.pageSize.value;
  const wholePages = allocAlignMask === 0 && minAlignMask === 0 && columns.sizeBytes[row] >= pageSize;
  return { minAlignMask, pageMask: wholePages ? pageSize - 1 : allocAlignMask };
}
