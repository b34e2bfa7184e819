import type { GenerationRules } from '../../allocator/search/rules';
import { limitAreas } from '../../allocator/sizes';
import type { PoolSpec } from '../../allocator/types';
import { maskOfBits } from '../../base/address';
import { GrowableTable } from '../../base/columns';
import type { Geometry } from '../../model/geometry';
import {
  ContextLevel,
  contextLevel,
  EvidenceBit,
  Outcome,
  Pairing,
  PoolKind,
  type TraceTables,
  unmapCpuOf,
  unmapLevelOf,
} from '../../model/tables';
import { type Address, SEGMENT_SLOTS, SLOT_BYTES, SLOT_SHIFT } from '../../model/units';
import {
  type Candidate,
  isAlignUnprinted,
  type Placed,
  type Settled,
  settleAlignments,
  type Unprinted,
} from './allocAlign';
import { CpuOrder } from './cpuOrder';
import { createPaddedRequest, type MapArguments, type PaddedRequest, padRequest } from './paddedRequest';

export const OpKind = {
  /** Served at a recorded place of a listed or restricted pool. */
  placed: 0,
  /** Served from a transient pool of its own: every listed pool was searched in vain. */
  transient: 1,
  failed: 2,
  /** Served, but no line tells where: the model's own placement stands in. */
  unplaced: 3,
  /** Seen only by its unmap: in use since before the trace. */
  older: 4,
} as const;

/** Why a request cannot be checked; keys of `skipped`. */
export const SkipReason = {
  none: 0,
  noResult: 1,
  noAddress: 2,
  noPool: 3,
  otherSource: 4,
  noOriginal: 5,
  rolledBack: 6,
  noBytes: 7,
} as const;
export const skipTexts = [
  '',
  'the trace does not hold the result',
  'the trace does not hold the bounce address',
  'the bounce address lies in no known pool',
  'recorded in another file than most requests',
  'the trace does not hold the original address',
  'served and released with its scatterlist; the trace does not hold the address',
  'a request of no bytes',
] as const;

const opColumns = {
  /** Row of the request table. */
  row: 'i32',
  kind: 'u8',
  /** SkipReason: simulated, but not checked. */
  skip: 'u8',
  /** The map happened between these order keys (lines; halves where a line bounds both sides). */
  begin: 'f64',
  end: 'f64',
  /** The same for the release; Infinity when there is none. */
  releaseBegin: 'f64',
  releaseEnd: 'f64',
  /** Index into `pools`; -1 outside of listed pools. */
  pool: 'i32',
  /** First slot, padding included; -1 unknown. */
  slot: 'i32',
  slots: 'i32',
} as const;
export type OpTable = GrowableTable<typeof opColumns>;

/**
 * Between these order keys something happened that the trace does not tell: events were lost, or the result of an attempt
 * is not recorded.
 */
export interface Gap {
  readonly begin: number;
  readonly end: number;
  /** CPU whose events are missing, -1 any. */
  readonly cpu: number;
  /** Releases may be missing, too. */
  readonly isLoss: boolean;
}

/** A grown pool became visible somewhere between these order keys. */
export interface PoolAddition {
  readonly begin: number;
  readonly end: number;
  /** Index into `pools`. */
  readonly pool: number;
}

export interface Operations {
  readonly table: OpTable;
  /** Boot pool, then grown pools in the order of their addition, then restricted ones. */
  readonly pools: readonly PoolSpec[];
  readonly additions: readonly PoolAddition[];
  /** Index of the first restricted pool in `pools`. */
  readonly firstRestricted: number;
  /** Restricted pool of a device (row of the device table), by what it was seen to use. */
  readonly restrictedOf: ReadonlyMap<number, number>;
  /** Requests that bounced, or tried to. */
  readonly requests: number;
  /** Requests that take no part at all, by SkipReason. */
  readonly leftOut: Int32Array;
  /** Both ends of every map and release are recorded. */
  readonly bothProbes: boolean;
  /** From this line on a map that the end of the trace cuts off may hold slots; Infinity when there is none. */
  readonly cutOffFrom: number;
  readonly gaps: readonly Gap[];
  /** Releases that are not in the trace: some (lost), or all (their events were not enabled). */
  readonly releasesMissing: 'none' | 'some' | 'all';
  /** Mappings whose alloc_align_mask no line prints: which slots they hold for sure, and which perhaps. */
  readonly unsure: ReadonlyMap<number, Settled>;
  /** The alloc_align_mask of a row is not printed and was found out from the places around it. */
  hasLearnedMask(row: number): boolean;
  /** Takes another of the masks that are possible for an unsure mapping. */
  choose(op: number, candidate: Candidate): void;
  argumentsOf(row: number): MapArguments;
  pad(row: number): PaddedRequest;
}

/** Rows of the request table that are checked; mappings of earlier rows only hold their slots. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

interface Transient {
  readonly start: Address;
  readonly end: Address;
  readonly line: number;
}

/** The requests of a trace as operations with an interval each (linearizability.md 1–4). */
export function buildOperations(
  tables: TraceTables,
  geometry: Geometry,
  rules: GenerationRules,
  range: RowRange,
): Operations {
  const requests = tables.requests;
  const columns = requests.columns;
  const source = mainSource(tables);
  const first = Math.min(range.from, requests.length);
  const rows = Math.min(range.to, requests.length);
  const cpuOrder = new CpuOrder(requests, source, first, rows);
  const memory = collectPools(tables, geometry, source);
  const masks = new Map(
    geometry.devices.map(({ device, minAlignMask, segBoundaryBits }) => [
      device,
      { minAlignMask: minAlignMask.value, segBoundaryMask: maskOfBits(segBoundaryBits.value) },
    ]),
  );
  const noMasks = { minAlignMask: 0, segBoundaryMask: maskOfBits(64) };
  const table: OpTable = new GrowableTable(opColumns, Math.max(16, rows - first));
  const leftOut = new Int32Array(skipTexts.length);
  const restrictedOf = new Map<number, number>();
  const padded = createPaddedRequest();
  let total = 0;
  let bothProbes = true;
  let cutOffFrom = Number.POSITIVE_INFINITY;
  const gaps = lossGaps(tables, source, cpuOrder);
  const releasesMissing = missingReleases(tables);

  /** Row → alloc_align_mask where no line prints it and the places around it tell. */
  const settled = new Map<number, number>();
  const argumentsOf = (row: number): MapArguments => {
    const device = masks.get(columns.device[row]) ?? noMasks;
    const alignBits = columns.allocAlignBits[row];
    return {
      original: Number.isNaN(columns.original[row]) ? 0 : columns.original[row],
      sizeBytes: columns.sizeBytes[row],
      allocAlignMask: settled.get(row) ?? (alignBits > 0 ? 2 ** alignBits - 1 : 0),
      minAlignMask: device.minAlignMask,
      segBoundaryMask: device.segBoundaryMask,
    };
  };
  const pad = (row: number): PaddedRequest => padRequest(padded, rules, argumentsOf(row));

  const startLine = first < rows ? columns.enterLine[first] : 0;
  for (let row = 0; row < rows; row++) {
    const evidence = columns.evidence[row];
    if (
      (evidence & EvidenceBit.direct) !== 0 ||
      (row < first && columns.unmapLine[row] > 0 && columns.unmapLine[row] <= startLine)
    ) {
      continue;
    }
    const older = row < first || columns.pairing[row] === Pairing.unseenMap;
    total += older ? 0 : 1;
    if (columns.source[row] !== source) {
      leftOut[SkipReason.otherSource] += older ? 0 : 1;
      continue;
    }
    const outcome = columns.outcome[row];
    if (!older && outcome === Outcome.unknown) {
      leftOut[SkipReason.noResult]++;
      const level = contextLevel(columns.context[row]);
      const begin = columns.enterLine[row];
      const end = cpuOrder.after(columns.cpu[row], begin, level, columns.pid[row]);
      if (end === Number.POSITIVE_INFINITY) {
        cutOffFrom = Math.min(cutOffFrom, begin);
      } else {
        gaps.push({ begin, end, cpu: columns.cpu[row], isLoss: false });
      }
      continue;
    }
    const address = columns.recordedBounce[row];
    if (older && Number.isNaN(address)) {
      continue;
    }
    // A probe may show the slots of a map that then fails: the device could not reach them, and they were given back.
    const failed = outcome === Outcome.failed && Number.isNaN(address);
    let kind: number = failed ? OpKind.failed : OpKind.placed;
    let skip: number = SkipReason.none;
    let pool = -1;
    if (!failed && Number.isNaN(address)) {
      kind = OpKind.unplaced;
      skip = outcome === Outcome.rolledBack ? SkipReason.rolledBack : SkipReason.noAddress;
    } else if (!failed) {
      pool = memory.find(address, older ? columns.unmapLine[row] || Number.POSITIVE_INFINITY : columns.mapLine[row]);
      if (pool < 0 && (older || !geometry.dynamic.value)) {
        leftOut[SkipReason.noPool] += older ? 0 : 1;
        continue;
      }
      kind = older ? OpKind.older : pool < 0 ? OpKind.transient : OpKind.placed;
    }
    if (kind !== OpKind.older && Number.isNaN(columns.original[row])) {
      leftOut[SkipReason.noOriginal]++;
      continue;
    }
    const request = pad(row);
    if (request.slots === 0) {
      leftOut[SkipReason.noBytes] += older ? 0 : 1;
      continue;
    }
    const op = table.addRow();
    const ops = table.columns;
    ops.row[op] = row;
    ops.kind[op] = kind;
    ops.skip[op] = skip;
    ops.pool[op] = pool;
    // More than a segment cannot be placed; what a record says beyond is not followed slot by slot.
    ops.slots[op] = Math.min(request.slots, SEGMENT_SLOTS);
    ops.slot[op] = pool < 0 ? -1 : slotOf(memory.pools[pool], address, older ? 0 : request.pad);
    if (older) {
      const offset = (address - memory.pools[pool].start) % SLOT_BYTES;
      ops.slots[op] = Math.min(SEGMENT_SLOTS, Math.ceil((columns.sizeBytes[row] + offset) / SLOT_BYTES));
      ops.begin[op] = Number.NEGATIVE_INFINITY;
      ops.end[op] = Number.NEGATIVE_INFINITY;
    } else {
      mapInterval(tables, row, cpuOrder, table, op);
      if (columns.enterLine[row] === columns.mapLine[row]) {
        bothProbes = false;
      }
    }
    releaseInterval(tables, row, cpuOrder, table, op);
    if (releasesMissing === 'all') {
      // Released some time, and nobody saw it.
      ops.releaseBegin[op] = Math.min(ops.releaseBegin[op], ops.end[op]);
    }
    if (Number.isFinite(ops.releaseEnd[op]) && columns.unmapLine[row] === columns.unmapExitLine[row]) {
      bothProbes = false;
    }
    if (pool >= memory.firstRestricted) {
      restrictedOf.set(columns.device[row], pool);
    }
  }
  deferOlder(table, tables, memory.pools);
  const isUnprinted = (row: number): boolean => isAlignUnprinted(columns.evidence[row]);
  const unsure = settleUnprinted(table, tables, memory.pools, isUnprinted, argumentsOf, rules, geometry, settled);
  return {
    table,
    pools: memory.pools,
    additions: memory.additions,
    firstRestricted: memory.firstRestricted,
    restrictedOf,
    requests: total,
    leftOut,
    bothProbes,
    cutOffFrom,
    gaps,
    releasesMissing,
    unsure,
    hasLearnedMask: (row) => (settled.get(row) ?? 0) > 0,
    choose: (op, { mask, first, slots }) => {
      table.columns.slot[op] = first;
      table.columns.slots[op] = slots;
      settled.set(table.columns.row[op], mask);
    },
    argumentsOf,
    pad,
  };
}

function missingReleases({ requests, counts, losses }: TraceTables): Operations['releasesMissing'] {
  const { unmapLine, evidence, outcome } = requests.columns;
  for (let row = 0; row < requests.length; row++) {
    const isRecorded = unmapLine[row] > 0 && (evidence[row] & EvidenceBit.inferredUnmap) === 0;
    if (isRecorded && outcome[row] === Outcome.served) {
      return counts.unpairedUnmaps > 0 || losses !== undefined ? 'some' : 'none';
    }
  }
  return 'all';
}

/**
 * A mapping seen only by its unmap holds its slots since before the trace, unless another one was recorded in them in the
 * meantime: then its own map was lost, and it holds them from the other one's release on.
 */
function deferOlder(table: OpTable, tables: TraceTables, pools: readonly PoolSpec[]): void {
  const { row, kind, pool, slot, slots, end, begin, releaseBegin, releaseEnd } = table.columns;
  const { mapLine, unmapLine } = tables.requests.columns;
  const steps: { readonly line: number; readonly op: number }[] = [];
  let some = false;
  for (let op = 0; op < table.length; op++) {
    const isOlder = kind[op] === OpKind.older;
    some ||= isOlder;
    if (slot[op] >= 0 && (isOlder || kind[op] === OpKind.placed)) {
      steps.push({ line: (isOlder ? unmapLine : mapLine)[row[op]] || Number.POSITIVE_INFINITY, op });
    }
  }
  if (!some) {
    return;
  }
  const lastUser = pools.map((spec) => new Int32Array(spec.slots).fill(-1));
  for (const { op } of steps.sort((a, b) => a.line - b.line || a.op - b.op)) {
    const users = lastUser[pool[op]];
    const until = Math.min(users.length, slot[op] + slots[op]);
    if (kind[op] === OpKind.older) {
      for (let at = slot[op]; at < until; at++) {
        if (users[at] >= 0) {
          begin[op] = Math.max(begin[op], releaseEnd[users[at]]);
        }
      }
      // Where the other one has no end before, nothing can be said.
      end[op] = begin[op] < releaseBegin[op] ? begin[op] : Number.NEGATIVE_INFINITY;
    }
    users.fill(op, slot[op], until);
  }
}

/** Losses of the source. What was lost happened between the CPU's last event and the line that tells. */
function lossGaps(tables: TraceTables, source: number, cpuOrder: CpuOrder): Gap[] {
  const gaps: Gap[] = [];
  const { losses } = tables;
  for (let row = 0; row < (losses?.length ?? 0); row++) {
    const { source: sources, line, cpu } = losses!.columns;
    if (sources[row] === source) {
      const begin = cpu[row] < 0 ? 0 : cpuOrder.before(cpu[row], line[row], ContextLevel.nmi, -1);
      gaps.push({ begin, end: line[row], cpu: cpu[row], isLoss: true });
    }
  }
  return gaps;
}

/** Leaves one order of all operations: a map takes effect as it returns, a release as it begins. */
export function shrinkToPoints(table: OpTable): void {
  const { begin, end, releaseBegin, releaseEnd } = table.columns;
  for (let op = 0; op < table.length; op++) {
    begin[op] = Math.max(begin[op], end[op] - 0.5);
    releaseEnd[op] = Math.min(releaseEnd[op], releaseBegin[op] + 0.25);
  }
}

/** Gives mappings of unknown alloc_align_mask the mask, and thereby the run, that the places around them tell. */
function settleUnprinted(
  table: OpTable,
  tables: TraceTables,
  pools: readonly PoolSpec[],
  isUnprinted: (row: number) => boolean,
  argumentsOf: (row: number) => MapArguments,
  rules: GenerationRules,
  geometry: Geometry,
  settled: Map<number, number>,
): Map<number, Settled> {
  const ops = table.columns;
  const { mapLine, unmapLine, recordedBounce } = tables.requests.columns;
  const order: number[] = [];
  let some = false;
  for (let op = 0; op < table.length; op++) {
    if (ops.kind[op] === OpKind.placed) {
      order.push(op);
      some ||= isUnprinted(ops.row[op]);
    } else if (ops.kind[op] === OpKind.failed && isUnprinted(ops.row[op])) {
      // What fails without a mask fails with one too, so the most demanding mask is the one that can be wrong least.
      settled.set(ops.row[op], geometry.pageSize.value - 1);
    }
  }
  const unsure = new Map<number, Settled>();
  if (!some) {
    return unsure;
  }
  order.sort((a, b) => mapLine[ops.row[a]] - mapLine[ops.row[b]]);
  const unprinted: Unprinted[] = [];
  const placed = order.map((op, at): Placed => {
    const row = ops.row[op];
    const pool = pools[ops.pool[op]];
    const given = argumentsOf(row);
    if (isUnprinted(row)) {
      unprinted.push({ at, given, addressSlot: slotOf(pool, recordedBounce[row], 0) });
    }
    return {
      pool: ops.pool[op],
      area: Math.floor(ops.slot[op] / (pool.slots / pool.areas)),
      first: ops.slot[op],
      slots: ops.slots[op],
      given,
      mapLine: mapLine[row],
      unmapLine: unmapLine[row] || Number.POSITIVE_INFINITY,
    };
  });
  for (const [at, found] of settleAlignments(unprinted, placed, pools, rules, geometry.pageSize.value)) {
    const op = order[at];
    ops.slot[op] = placed[at].first;
    ops.slots[op] = placed[at].slots;
    settled.set(ops.row[op], found.mask);
    if (found.candidates.length > 1) {
      unsure.set(op, found);
    }
  }
  return unsure;
}

/** First slot of a mapping whose bounce address lies `pad` slots after it. */
function slotOf(pool: PoolSpec, address: Address, pad: number): number {
  return Math.floor((address - pool.start) / 2 ** SLOT_SHIFT) - pad;
}

/** The source with the most bouncing requests: lines of different files have no common order. */
function mainSource(tables: TraceTables): number {
  const counts = new Map<number, number>();
  const { source, evidence } = tables.requests.columns;
  for (let row = 0; row < tables.requests.length; row++) {
    if ((evidence[row] & EvidenceBit.direct) === 0) {
      counts.set(source[row], (counts.get(source[row]) ?? 0) + 1);
    }
  }
  let best = 0;
  let most = -1;
  for (const [id, count] of counts) {
    if (count > most) {
      best = id;
      most = count;
    }
  }
  return best;
}

function mapInterval(tables: TraceTables, row: number, cpuOrder: CpuOrder, table: OpTable, op: number): void {
  const columns = tables.requests.columns;
  const level = contextLevel(columns.context[row]);
  const cpu = columns.cpu[row];
  let begin = columns.enterLine[row];
  let end = columns.mapLine[row] || begin;
  const evidence = columns.evidence[row];
  if (begin === end) {
    if ((evidence & (EvidenceBit.bounced | EvidenceBit.probeEnter)) === 0) {
      begin = cpuOrder.before(cpu, end, level, columns.pid[row]);
    } else {
      // Only the attempt is recorded; the result follows from what did not happen.
      end = cpuOrder.after(cpu, begin, level, columns.pid[row]);
    }
  }
  const next = row + 1;
  const listed =
    columns.sgGroup[row] >= 0 && next < tables.requests.length && columns.sgGroup[next] === columns.sgGroup[row];
  if (listed && (evidence & EvidenceBit.probeReturn) === 0 && columns.enterLine[next] > columns.enterLine[row]) {
    // The elements of a list are mapped one after the other.
    end = Math.min(end, columns.enterLine[next]);
  }
  table.columns.begin[op] = Math.min(begin, end - 0.5);
  table.columns.end[op] = end;
}

function releaseInterval(tables: TraceTables, row: number, cpuOrder: CpuOrder, table: OpTable, op: number): void {
  const columns = tables.requests.columns;
  const evidence = columns.evidence[row];
  const ops = table.columns;
  let begin: number = columns.unmapLine[row];
  let end: number = columns.unmapExitLine[row] || begin;
  if (begin === 0) {
    ops.releaseBegin[op] = Number.POSITIVE_INFINITY;
    ops.releaseEnd[op] = Number.POSITIVE_INFINITY;
    return;
  }
  const where = columns.unmapWhere[row];
  const cpu = unmapCpuOf(where);
  const level = unmapLevelOf(where);
  if (columns.outcome[row] === Outcome.rolledBack && (evidence & EvidenceBit.inferredUnmap) !== 0) {
    // Released after the element that failed, whose end is the next event of that task.
    end = cpuOrder.after(columns.cpu[row], begin, contextLevel(columns.context[row]), columns.pid[row]) + 0.25;
  } else if (columns.outcome[row] === Outcome.failed) {
    begin = ops.end[op];
  } else if ((evidence & EvidenceBit.inferredUnmap) !== 0) {
    // Nobody saw it: at the latest when the slots are mapped again.
    begin = ops.end[op];
    end = Number.POSITIVE_INFINITY;
  } else if (begin === end) {
    const before = (evidence & EvidenceBit.probeUnmapEnter) !== 0 || (evidence & EvidenceBit.scatterlist) !== 0;
    if (before) {
      end = cpuOrder.after(cpu, begin, level, -1);
    } else {
      begin = cpuOrder.before(cpu, end, level, -1);
    }
  }
  ops.releaseBegin[op] = Math.max(ops.end[op], Math.min(begin, end - 0.5));
  ops.releaseEnd[op] = Math.max(end, ops.releaseBegin[op]);
}

interface PoolMemory {
  readonly pools: readonly PoolSpec[];
  readonly additions: readonly PoolAddition[];
  readonly firstRestricted: number;
  /** Listed or restricted pool that holds the address at a line; -1 none. */
  find(address: Address, line: number): number;
}

function collectPools(tables: TraceTables, geometry: Geometry, source: number): PoolMemory {
  const pools: PoolSpec[] = [];
  const additions: PoolAddition[] = [];
  const boot = geometry.pools.find((pool) => pool.kind === 'boot');
  const bootSpec = boot === undefined ? null : usablePool('boot', boot.start.value, boot.slots.value, boot.areas.value);
  if (bootSpec !== null) {
    pools.push(bootSpec);
  }
  // Without a boot pool there is no list that pools could be added to.
  for (const grown of bootSpec === null ? [] : grownPools(tables, geometry, source)) {
    additions.push({ begin: grown.begin, end: grown.end, pool: pools.length });
    pools.push(grown.spec);
  }
  const firstRestricted = pools.length;
  for (const pool of geometry.pools) {
    const spec = pool.kind === 'restricted' ? usablePool('restricted', pool.start.value, pool.slots.value, 1) : null;
    if (spec !== null) {
      pools.push(spec);
    }
  }
  const firstLine = new Float64Array(pools.length);
  for (const addition of additions) {
    firstLine[addition.pool] = addition.begin;
  }
  let last = 0;
  const holds = (pool: number, address: Address, line: number): boolean =>
    address >= pools[pool].start &&
    address < pools[pool].start + pools[pool].slots * SLOT_BYTES &&
    line >= firstLine[pool];
  return {
    pools,
    additions,
    firstRestricted,
    find(address, line) {
      if (pools.length > 0 && holds(last, address, line)) {
        return last;
      }
      for (let pool = pools.length - 1; pool >= 0; pool--) {
        if (holds(pool, address, line)) {
          last = pool;
          return pool;
        }
      }
      return -1;
    },
  };
}

interface GrownPool {
  readonly spec: PoolSpec;
  readonly begin: number;
  readonly end: number;
}

/** Grown pools in the order of their addition: from probes, else as the geometry inferred them from addresses. */
function grownPools(tables: TraceTables, geometry: Geometry, source: number): GrownPool[] {
  const found: GrownPool[] = [];
  const { kind, start, slots, areas, allocLine, addedLine, source: poolSource } = tables.pools.columns;
  for (let row = 0; row < tables.pools.length; row++) {
    if (kind[row] !== PoolKind.grown || poolSource[row] !== source) {
      continue;
    }
    const known = areas[row] > 0 ? areas[row] : limitAreas(geometry.defaultAreas.value, slots[row]);
    const spec = usablePool('grown', start[row], slots[row], known);
    if (spec === null) {
      continue;
    }
    found.push(
      addedLine[row] > 0
        ? { spec, begin: allocLine[row] || addedLine[row] - 0.5, end: addedLine[row] }
        : { spec, ...firstUse(tables, source, spec) },
    );
  }
  for (const pool of geometry.recordedPools) {
    const spec =
      pool.kind === 'grown' ? usablePool('grown', pool.start.value, pool.slots.value, pool.areas.value) : null;
    if (spec !== null && !found.some((other) => other.spec.start === spec.start)) {
      found.push({ spec, ...firstUse(tables, source, spec) });
    }
  }
  return found.sort((a, b) => a.end - b.end || a.begin - b.begin);
}

/** More slots than any machine has; what claims more is a damaged line. */
const MAX_POOL_SLOTS = 2 ** 21;

/** A pool as the allocator can hold it: areas are a power of two and consist of whole segments; null when it is no pool. */
function usablePool(kind: PoolSpec['kind'], start: Address, slots: number, areas: number): PoolSpec | null {
  if (!(start >= 0) || !(slots > 0) || slots > MAX_POOL_SLOTS) {
    return null;
  }
  let usable = 2 ** Math.floor(Math.log2(Math.max(1, areas)));
  while (usable > 1 && slots % (usable * SEGMENT_SLOTS) !== 0) {
    usable /= 2;
  }
  return { kind, start, slots, areas: usable };
}

/**
 * Nobody saw the pool being added: not later than the first mapping in it. Not much earlier either, since the newest
 * pool is searched first and was empty.
 */
function firstUse(
  tables: TraceTables,
  source: number,
  pool: PoolSpec,
): { readonly begin: number; readonly end: number } {
  const columns = tables.requests.columns;
  const end = pool.start + pool.slots * SLOT_BYTES;
  for (let row = 0; row < tables.requests.length; row++) {
    const address = columns.recordedBounce[row];
    if (address >= pool.start && address < end && columns.source[row] === source && columns.mapLine[row] > 0) {
      const line = columns.enterLine[row];
      return { begin: line - 0.5, end: Math.max(columns.mapLine[row] - 0.25, line) };
    }
  }
  return { begin: Number.POSITIVE_INFINITY, end: Number.POSITIVE_INFINITY };
}

/** Transient pools that probes name, by line of allocation. */
export function transientPools(tables: TraceTables): Transient[] {
  const found: Transient[] = [];
  const { kind, start, slots, allocLine } = tables.pools.columns;
  for (let row = 0; row < tables.pools.length; row++) {
    if (kind[row] === PoolKind.transient) {
      found.push({ start: start[row], end: start[row] + slots[row] * SLOT_BYTES, line: allocLine[row] });
    }
  }
  return found.sort((a, b) => a.line - b.line);
}
