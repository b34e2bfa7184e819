import { sizeBootPool } from '../allocator/bootSizing';
import type { MemoryRange } from '../model/bundle';
import { type Known, known } from '../model/evidence';
import type { Generation, GeometryOverrides, PoolGeometry } from '../model/geometry';
import { EvidenceBit, Outcome, PoolKind, type TraceTables } from '../model/tables';
import { DEFAULT_POOL_SLOTS, MIN_POOL_SLOTS, SEGMENT_SLOTS, SLOT_BYTES, type Slots } from '../model/units';
import { type BootFacts, placeOf } from './geometryFacts';

export interface BootPool {
  readonly pool: PoolGeometry | null;
  readonly defaultSlots: Known<Slots>;
  readonly defaultAreas: Known<number>;
}

interface KernelFacts {
  readonly generation: Generation;
  readonly pageSize: number;
  readonly cpus: Known<number>;
}

/** Start, size and areas of the pool made at boot. */
export function inferBootPool(
  tables: TraceTables,
  facts: BootFacts,
  overrides: GeometryOverrides,
  kernel: KernelFacts,
): BootPool {
  const range = bounceRange(tables);
  const sizing = bootSizing(facts, overrides, kernel);
  const slots = inferSlots(tables, facts, overrides, range, sizing);
  const areas = inferAreas(tables, facts, overrides, kernel, slots.value, sizing);
  const start = inferStart(tables, facts, overrides, range, slots.value);
  // Without one recorded address a pool is known when something names its size.
  const isKnown = start !== null || !['assumed', 'default'].includes(slots.evidence.level);
  const pool: PoolGeometry | null =
    !isKnown || slots.value === 0 ? null : { id: 0, kind: 'boot', start: start ?? unknownStart, slots, areas };
  return { pool, defaultSlots: slots, defaultAreas: defaultAreas(facts, overrides, areas) };
}

const unknownStart = known(Number.NaN, 'assumed', 'Nothing in the input tells where the pool begins.');

/** What boot sizing makes of a `swiotlb=` parameter; `given` is it when the user said so. */
interface Sizing {
  readonly slots: Known<Slots>;
  readonly areas: Known<number>;
  readonly given: boolean;
}

function bootSizing(facts: BootFacts, overrides: GeometryOverrides, kernel: KernelFacts): Sizing | null {
  const line = facts.last('command-line');
  const given = overrides.boot !== undefined;
  const parameter =
    overrides.boot?.replace(/^swiotlb=/, '') ?? (line === undefined || line.value === '' ? null : line.value);
  if (parameter === null) {
    return null;
  }
  const sized = sizeBootPool({
    parameter,
    possibleCpus: kernel.cpus.value,
    archAdjustBytes: null,
    addressingLimited: true,
    verbose: false,
  });
  const level = given ? 'user' : 'derived';
  const text = `Boot sizing of swiotlb=${parameter} on ${kernel.cpus.value} CPUs.`;
  const at = given || line === undefined ? undefined : placeOf(line);
  return {
    slots: known(sized.pool?.slots ?? 0, level, text, at),
    areas: known(sized.pool?.areas ?? 1, level, text, at),
    given,
  };
}

/** default_nareas: the "area num" line names it before it is limited to the pool's segments. */
function defaultAreas(facts: BootFacts, overrides: GeometryOverrides, areas: Known<number>): Known<number> {
  const line = facts.last('area-num');
  if (overrides.areas !== undefined || overrides.boot !== undefined || line === undefined || line.count <= 0) {
    return areas;
  }
  return known(line.count, 'recorded', 'The boot line names the number of areas.', placeOf(line));
}

interface BounceRange {
  readonly low: number;
  /** One past the highest byte. */
  readonly high: number;
  readonly lowRow: number;
}

/** Lowest and highest recorded bounce address; low is Infinity when there is none. */
function bounceRange(tables: TraceTables): BounceRange {
  const { recordedBounce, evidence, sizeBytes, outcome } = tables.requests.columns;
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  let lowRow = -1;
  for (let row = 0; row < tables.requests.length; row++) {
    const address = recordedBounce[row];
    if (Number.isNaN(address) || (evidence[row] & EvidenceBit.direct) !== 0 || outcome[row] === Outcome.failed) {
      continue;
    }
    if (address < low) {
      low = address;
      lowRow = row;
    }
    high = Math.max(high, address + sizeBytes[row]);
  }
  return { low, high, lowRow };
}

function bootRow(tables: TraceTables): number {
  const { kind } = tables.pools.columns;
  for (let row = 0; row < tables.pools.length; row++) {
    if (kind[row] === PoolKind.boot) {
      return row;
    }
  }
  return -1;
}

/** The pool as a range of physical memory with its name; the largest, where restricted pools have one, too. */
function listedPool(tables: TraceTables): MemoryRange | undefined {
  let found: MemoryRange | undefined;
  for (const fact of tables.bundleFacts ?? []) {
    const isLarger =
      found === undefined || (fact.kind === 'memory-range' && fact.end - fact.start > found.end - found.start);
    if (fact.kind === 'memory-range' && fact.isPool && isLarger) {
      found = fact;
    }
  }
  return found;
}

const listedText = 'The list of physical memory names the pool.';

function inferSlots(
  tables: TraceTables,
  facts: BootFacts,
  overrides: GeometryOverrides,
  range: BounceRange,
  sizing: Sizing | null,
): Known<Slots> {
  if (overrides.poolSlots !== undefined) {
    return known(overrides.poolSlots, 'user', 'Given by the user.');
  }
  if (sizing?.given === true) {
    return sizing.slots;
  }
  const mapped = facts.last('pool-mapped');
  if (mapped !== undefined && mapped.end > mapped.start) {
    return known(
      Math.floor((mapped.end - mapped.start) / SLOT_BYTES),
      'recorded',
      'The boot line names the pool.',
      placeOf(mapped),
    );
  }
  const row = bootRow(tables);
  const pools = tables.pools.columns;
  if (row >= 0 && pools.slots[row] > 0) {
    return known(pools.slots[row], 'recorded', 'The trace names the pool.', {
      source: pools.source[row],
      line: pools.allocLine[row],
    });
  }
  const listed = listedPool(tables);
  if (listed !== undefined) {
    return known(Math.floor((listed.end - listed.start) / SLOT_BYTES), 'recorded', listedText, listed);
  }
  const samples = tables.samples.columns;
  for (let sample = 0; sample < tables.samples.length; sample++) {
    if (samples.nslabs[sample] >= 0 && samples.pool[sample] === 0) {
      const at = { source: samples.source[sample], line: samples.line[sample] };
      return known(samples.nslabs[sample], 'recorded', 'The first debugfs sample of io_tlb_nslabs.', at);
    }
  }
  for (const failure of tables.logFailures) {
    if (failure.record.totalSlots >= 0) {
      return known(
        failure.record.totalSlots,
        'recorded',
        'A "buffer is full" line names the total.',
        placeOf(failure.record),
      );
    }
  }
  if (sizing !== null && sizing.slots.value > 0) {
    return sizing.slots;
  }
  if (range.low < range.high) {
    const spanned = Math.ceil((range.high - range.low) / SLOT_BYTES);
    const power = Math.min(2 ** 19, Math.max(512, 2 ** Math.ceil(Math.log2(spanned))));
    return known(power, 'assumed', `The recorded addresses span ${spanned} slots; taken as the next power of two.`);
  }
  return known(DEFAULT_POOL_SLOTS, 'default', 'The kernel default is 64 MiB.');
}

function inferAreas(
  tables: TraceTables,
  facts: BootFacts,
  overrides: GeometryOverrides,
  kernel: KernelFacts,
  slots: Slots,
  sizing: Sizing | null,
): Known<number> {
  if (overrides.areas !== undefined) {
    return known(overrides.areas, 'user', 'Given by the user.');
  }
  if (sizing?.given === true && overrides.poolSlots === undefined) {
    return sizing.areas;
  }
  if (kernel.generation === '4.18') {
    return known(1, 'derived', 'Areas exist since 6.0.');
  }
  const line = facts.last('area-num');
  if (line !== undefined && line.count > 0) {
    return known(limitAreas(line.count, slots), 'recorded', 'The boot line names the number of areas.', placeOf(line));
  }
  const row = bootRow(tables);
  const pools = tables.pools.columns;
  if (row >= 0 && pools.areas[row] > 0) {
    return known(limitAreas(pools.areas[row], slots), 'recorded', 'The trace names the pool.', {
      source: pools.source[row],
      line: pools.allocLine[row],
    });
  }
  if (sizing !== null && facts.last('cpus') !== undefined) {
    return sizing.areas;
  }
  const rounded = 2 ** Math.ceil(Math.log2(Math.max(1, kernel.cpus.value)));
  return known(
    limitAreas(rounded, slots),
    'derived',
    `One area per possible CPU, rounded up to a power of two (${kernel.cpus.value} CPUs).`,
  );
}

function inferStart(
  tables: TraceTables,
  facts: BootFacts,
  overrides: GeometryOverrides,
  range: BounceRange,
  slots: Slots,
): Known<number> | null {
  if (overrides.poolStart !== undefined) {
    return known(overrides.poolStart, 'user', 'Given by the user.');
  }
  const mapped = facts.last('pool-mapped');
  if (mapped !== undefined && !Number.isNaN(mapped.start)) {
    return known(mapped.start, 'recorded', 'The boot line names the pool.', placeOf(mapped));
  }
  const row = bootRow(tables);
  const pools = tables.pools.columns;
  if (row >= 0 && !Number.isNaN(pools.start[row])) {
    return known(pools.start[row], 'recorded', 'The trace names the pool.', {
      source: pools.source[row],
      line: pools.allocLine[row],
    });
  }
  const listed = listedPool(tables);
  if (listed !== undefined) {
    return known(listed.start, 'recorded', listedText, listed);
  }
  if (range.lowRow < 0) {
    return null;
  }
  const page = Math.floor(range.low / 4096) * 4096;
  const at = {
    source: tables.requests.columns.source[range.lowRow],
    line: tables.requests.columns.mapLine[range.lowRow],
  };
  return known(
    page,
    'assumed',
    `The page of the lowest recorded bounce address; the pool of ${slots} slots may begin below it.`,
    at,
  );
}

/** Row of the first mapping that lies in none of the pools made at boot; -1 when there is none. */
export function firstOutside(tables: TraceTables, pools: readonly PoolGeometry[]): number {
  const { recordedBounce, evidence, outcome } = tables.requests.columns;
  for (let row = 0; row < tables.requests.length; row++) {
    const address = recordedBounce[row];
    if (Number.isNaN(address) || (evidence[row] & EvidenceBit.direct) !== 0 || outcome[row] === Outcome.failed) {
      continue;
    }
    const inside = pools.some(
      ({ start, slots }) => address >= start.value && address < start.value + slots.value * SLOT_BYTES,
    );
    if (!inside) {
      return row;
    }
  }
  return -1;
}

/** limit_nareas: every area holds at least one segment. */
export function limitAreas(areas: number, slots: Slots): number {
  return slots < SEGMENT_SLOTS * areas ? Math.max(1, Math.floor(slots / SEGMENT_SLOTS)) : areas;
}

/**
 * Grown pools that no probe names, from the bounce addresses outside of the boot pool. Grown pools lie below 4 GiB and
 * start on a multiple of their size; a transient pool starts on a multiple of its own, and holds one mapping.
 */
export function inferGrownPools(
  tables: TraceTables,
  boot: PoolGeometry,
  defaults: { readonly slots: Slots; readonly areas: number; readonly pageSize: number },
): PoolGeometry[] {
  const growth = recordedGrowth(tables);
  const cap = (defaults.pageSize / SLOT_BYTES) * 1024;
  const slots = growth.slots > 0 ? growth.slots : Math.min(cap, Math.max(MIN_POOL_SLOTS, defaults.slots));
  const blockBytes = defaults.pageSize * 2 ** Math.ceil(Math.log2((slots * SLOT_BYTES) / defaults.pageSize));
  const blocks = new Map<number, { row: number; addresses: Set<number>; grown: boolean }>();
  const { recordedBounce, evidence, outcome, sizeBytes } = tables.requests.columns;
  const bootEnd = boot.start.value + boot.slots.value * SLOT_BYTES;
  for (let row = 0; row < tables.requests.length; row++) {
    const address = recordedBounce[row];
    const inBoot = address >= boot.start.value && address < bootEnd;
    if (Number.isNaN(address) || inBoot || address >= 2 ** 32 || (evidence[row] & EvidenceBit.direct) !== 0) {
      continue;
    }
    if (outcome[row] === Outcome.failed) {
      continue;
    }
    const start = Math.floor(address / blockBytes) * blockBytes;
    let block = blocks.get(start);
    if (block === undefined) {
      block = { row, addresses: new Set(), grown: false };
      blocks.set(start, block);
    }
    const page = Math.floor(address / defaults.pageSize) * defaults.pageSize;
    const pages = Math.max(1, Math.ceil(sizeBytes[row] / defaults.pageSize));
    const alignment = defaults.pageSize * 2 ** Math.ceil(Math.log2(pages));
    block.grown ||= page % alignment !== 0;
    if (block.addresses.size < MANY_ADDRESSES) {
      block.addresses.add(page);
    }
  }
  const found = [...blocks.entries()]
    .filter(([, block]) => block.grown || block.addresses.size >= MANY_ADDRESSES)
    .sort((a, b) => a[1].row - b[1].row);
  const requests = tables.requests.columns;
  return found.map(([start, block], index) => {
    const at = { source: requests.source[block.row], line: requests.mapLine[block.row] };
    const text = 'Inferred from bounce addresses outside of the boot pool.';
    const size =
      growth.slots > 0 ? `io_tlb_nslabs grew by ${slots}.` : 'The worker asks for the boot size, at most 4 MiB.';
    return {
      id: index,
      kind: 'grown',
      start: known(start, 'derived', text, at),
      slots: known(slots, 'derived', size),
      areas: known(
        limitAreas(defaults.areas, slots),
        'derived',
        'The areas of the boot pool, limited to one segment each.',
      ),
    };
  });
}

/** So many different pages in one block are no coincidence of transient pools. */
const MANY_ADDRESSES = 24;

/** Smallest step by which io_tlb_nslabs grew; 0 when it never did or was not sampled. */
function recordedGrowth(tables: TraceTables): { readonly slots: Slots } {
  const { nslabs, pool } = tables.samples.columns;
  let before = -1;
  let smallest = 0;
  for (let row = 0; row < tables.samples.length; row++) {
    if (pool[row] !== 0 || nslabs[row] < 0) {
      continue;
    }
    const step = nslabs[row] - before;
    if (before >= 0 && step > 0 && (smallest === 0 || step < smallest)) {
      smallest = step;
    }
    before = nslabs[row];
  }
  return { slots: smallest };
}
