import { pageOrder } from '../allocator/sizes';
import type { Zone } from '../allocator/types';
import { createRandom } from '../base/random';
import type { Evidence, Known } from '../model/evidence';
import { FactKind, type FactTable, PoolKind, type PoolTable, type TraceTables } from '../model/tables';
import type { Address, Bytes, Nanoseconds } from '../model/units';

/** What the machine around the allocator answers. Implementations: seeded model, facts of the trace, recorded script. */
export interface Environment {
  /** Pages of 2^order; null when the allocation fails. */
  allocatePages(order: number, zone: Zone, canBlock: boolean): Address | null;
  freePages(start: Address, order: number): void;
  /** From the atomic coherent pool of encrypted guests; null when it is empty. */
  allocateAtomic(bytes: Bytes): Address | null;
  freeAtomic(start: Address, bytes: Bytes): void;
  /** Metadata and slot arrays. */
  allocateMeta(bytes: Bytes, canBlock: boolean): boolean;
  /** Parameters of policies that this trace or this machine gives a better value for, by parameter name. */
  readonly calibrated: ReadonlyMap<string, Known<number | string | boolean>>;
  /** Each value of the environment with where it comes from. */
  readonly evidence: Readonly<Record<string, Evidence>>;
}

/** An address range that page allocations never touch: a boot pool. `end` is exclusive. */
export interface ReservedRange {
  readonly start: Address;
  readonly end: Address;
}

export interface EnvironmentSettings {
  readonly seed: number;
  /** 0: every allocation up to the largest order succeeds; 1: only single pages do. */
  readonly fragmentation: Known<number>;
  /** Size of the atomic coherent pool (`coherent_pool=`). */
  readonly atomicPoolBytes: Known<Bytes>;
  readonly pageSize: Bytes;
  /** MAX_PAGE_ORDER. */
  readonly maxPageOrder: number;
  readonly reserved: readonly ReservedRange[];
  /** Share of page allocations of an order that succeeded in the trace; overrides the fragmentation model. */
  readonly successByOrder: ReadonlyMap<number, Known<number>>;
  readonly calibrated: ReadonlyMap<string, Known<number | string | boolean>>;
}

/** Zone borders of x86-64 with 2 GiB of memory below the PCI hole; NORMAL begins at 4 GiB. */
const zones: Readonly<Record<Zone, { readonly low: Address; readonly high: Address }>> = {
  DMA: { low: 0x100000, high: 0x1000000 },
  DMA32: { low: 0x1000000, high: 0x80000000 },
  NORMAL: { low: 0x100000000, high: 0x2000000000 },
};
const atomicPoolBase: Address = 0x1000000 / 2;

/**
 * A seeded model of the page allocator: blocks of 2^order pages at their natural alignment, handed out from the top of
 * the zone downwards (as the buddy allocator tends to after boot), freed blocks used again first, newest first.
 * An allocation of order k succeeds with probability (1 - f)^k, or (1 - f²)^k when the caller may block and so let
 * reclaim and compaction work.
 */
export function createModelEnvironment(settings: EnvironmentSettings): Environment {
  const { pageSize, maxPageOrder, reserved } = settings;
  const random = createRandom(settings.seed);
  const nextTop: Record<Zone, Address> = { DMA: zones.DMA.high, DMA32: zones.DMA32.high, NORMAL: zones.NORMAL.low };
  /** Per zone and order. */
  const freed: Record<Zone, Address[][]> = { DMA: [], DMA32: [], NORMAL: [] };
  const atomicFree: ReservedRange[] = [{ start: atomicPoolBase, end: atomicPoolBase + settings.atomicPoolBytes.value }];

  /** By order, of allocations that may block and of those that may not; transient pools ask by the million. */
  const chances = [false, true].map((canBlock) =>
    Array.from({ length: Math.max(0, maxPageOrder) + 1 }, (_, order) => chance(order, canBlock)),
  );

  function chance(order: number, canBlock: boolean): number {
    const recorded = settings.successByOrder.get(order);
    if (recorded !== undefined && !canBlock) {
      return recorded.value;
    }
    const f = settings.fragmentation.value;
    return (1 - (canBlock ? f * f : f)) ** order;
  }

  function succeeds(order: number, canBlock: boolean): boolean {
    const probability = chances[canBlock ? 1 : 0][order];
    return probability >= 1 || random() < probability;
  }

  function overlapsReserved(start: Address, bytes: Bytes): ReservedRange | undefined {
    return reserved.find((range) => start < range.end && range.start < start + bytes);
  }

  /** Below 4 GiB from the top down; above it from the bottom up, so that devices with small masks still reach it. */
  function carve(zone: Zone, bytes: Bytes): Address | null {
    let start = zone === 'NORMAL' ? Math.ceil(nextTop.NORMAL / bytes) * bytes : alignDown(nextTop[zone] - bytes, bytes);
    for (;;) {
      if (start < zones[zone].low || start + bytes > zones[zone].high) {
        return null;
      }
      const hit = overlapsReserved(start, bytes);
      if (hit === undefined) {
        break;
      }
      start = zone === 'NORMAL' ? Math.ceil(hit.end / bytes) * bytes : alignDown(hit.start - bytes, bytes);
    }
    nextTop[zone] = zone === 'NORMAL' ? start + bytes : start;
    return start;
  }

  return {
    allocatePages(order, zone, canBlock) {
      if (order > maxPageOrder || !succeeds(order, canBlock)) {
        return null;
      }
      return freed[zone][order]?.pop() ?? carve(zone, pageSize * 2 ** order);
    },
    freePages(start, order) {
      const lists = freed[zoneAt(start)];
      const list = lists[order];
      if (list === undefined) {
        lists[order] = [start];
      } else {
        list.push(start);
      }
    },
    allocateAtomic(bytes) {
      // First fit at the block's own power of two, as gen_pool does with its order-aligned algorithm.
      const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, pageSize)));
      for (let i = 0; i < atomicFree.length; i++) {
        const range = atomicFree[i];
        const start = Math.ceil(range.start / size) * size;
        if (start + bytes <= range.end) {
          atomicFree.splice(
            i,
            1,
            ...[
              { start: range.start, end: start },
              { start: start + bytes, end: range.end },
            ].filter((rest) => rest.end > rest.start),
          );
          return start;
        }
      }
      return null;
    },
    freeAtomic(start, bytes) {
      atomicFree.push({ start, end: start + bytes });
      atomicFree.sort((a, b) => a.start - b.start);
      for (let i = atomicFree.length - 1; i > 0; i--) {
        if (atomicFree[i - 1].end === atomicFree[i].start) {
          atomicFree.splice(i - 1, 2, { start: atomicFree[i - 1].start, end: atomicFree[i].end });
        }
      }
    },
    allocateMeta(bytes, canBlock) {
      const order = pageOrder(bytes, pageSize);
      // Up to order 3 the page allocator tries until it succeeds (PAGE_ALLOC_COSTLY_ORDER).
      return order <= 3 || (order <= maxPageOrder && succeeds(order, canBlock));
    },
    calibrated: settings.calibrated,
    evidence: {
      fragmentation: settings.fragmentation.evidence,
      atomicPoolBytes: settings.atomicPoolBytes.evidence,
      ...Object.fromEntries(
        [...settings.successByOrder].map(([order, value]) => [`successOfOrder${order}`, value.evidence]),
      ),
      ...Object.fromEntries([...settings.calibrated].map(([name, value]) => [name, value.evidence])),
    },
  };
}

function zoneAt(address: Address): Zone {
  if (address >= zones.NORMAL.low) {
    return 'NORMAL';
  }
  return address >= zones.DMA32.low ? 'DMA32' : 'DMA';
}

function alignDown(address: Address, bytes: Bytes): Address {
  return Math.floor(address / bytes) * bytes;
}

/** Fewer recorded values than this say nothing about a machine. */
const fewestFacts = 3;
const fewestAllocations = 16;

/**
 * Parameters and success ratios that the trace itself recorded.
 * Without the worker's queueing (`workqueue:*`) its delay follows from `pools`: a miss queues it and takes a transient
 * buffer at the same moment.
 */
export function calibrateFromFacts(
  facts: FactTable,
  pools?: PoolTable,
): Pick<EnvironmentSettings, 'successByOrder' | 'calibrated'> {
  const queueNs: number[] = [];
  const runNs: number[] = [];
  let queuedAt = Number.NaN;
  let startedAt = Number.NaN;
  const tries = new Map<number, { count: number; ok: number }>();
  const { kind, timeNs, order, ok } = facts.columns;
  for (let row = 0; row < facts.length; row++) {
    switch (kind[row]) {
      case FactKind.workerQueued:
        queuedAt = timeNs[row];
        break;
      case FactKind.workerStarted:
        startedAt = timeNs[row];
        if (startedAt >= queuedAt) {
          queueNs.push(startedAt - queuedAt);
        }
        queuedAt = Number.NaN;
        break;
      case FactKind.workerDone:
        if (timeNs[row] >= startedAt) {
          runNs.push(timeNs[row] - startedAt);
        }
        startedAt = Number.NaN;
        break;
      case FactKind.pageAllocation:
        countTry(tries, order[row], ok[row] === 1);
        break;
      default:
    }
  }

  const calibrated = new Map<string, Known<number | string | boolean>>();
  calibrateMedian(calibrated, 'workerDelayNs', 'recorded', queueNs, 'from queueing to start of the growth worker');
  if (queueNs.length === 0 && pools !== undefined) {
    const what = 'from a miss (its transient buffer) to the next start of the growth worker';
    calibrateMedian(calibrated, 'workerDelayNs', 'derived', delaysAfterMisses(facts, pools), what);
  }
  calibrateMedian(calibrated, 'workerRunNs', 'recorded', runNs, 'run time of the growth worker');
  const successByOrder = new Map<number, Known<number>>();
  for (const [triedOrder, { count, ok: succeeded }] of tries) {
    if (count >= fewestAllocations) {
      const text = `${succeeded} of ${count} page allocations of order ${triedOrder} in the trace succeeded`;
      successByOrder.set(triedOrder, { value: succeeded / count, evidence: { level: 'recorded', text } });
    }
  }
  return { successByOrder, calibrated };
}

/** Per start of the worker the time since the first transient buffer after the start before. */
function delaysAfterMisses(
  { columns: facts, length }: FactTable,
  { columns: pools, length: count }: PoolTable,
): number[] {
  const delays: number[] = [];
  const misses: { readonly source: number; readonly atNs: Nanoseconds }[] = [];
  for (let row = 0; row < count; row++) {
    if (pools.kind[row] === PoolKind.transient && !Number.isNaN(pools.addedNs[row])) {
      misses.push({ source: pools.source[row], atNs: pools.addedNs[row] });
    }
  }
  misses.sort((a, b) => a.source - b.source || a.atNs - b.atNs);
  let source = -1;
  let next = 0;
  for (let row = 0; row < length; row++) {
    if (facts.kind[row] !== FactKind.workerStarted) {
      continue;
    }
    if (facts.source[row] !== source) {
      source = facts.source[row];
      next = misses.findIndex((miss) => miss.source === source);
    }
    let firstNs = Number.NaN;
    for (; next >= 0 && next < misses.length; next++) {
      const { source: from, atNs } = misses[next];
      if (from !== source || atNs > facts.timeNs[row]) {
        break;
      }
      firstNs = Number.isNaN(firstNs) ? atNs : firstNs;
    }
    if (!Number.isNaN(firstNs)) {
      delays.push(facts.timeNs[row] - firstNs);
    }
  }
  return delays;
}

/** Zones that pools come from; DMA is too small, and movable memory serves no kernel allocation. */
const poolZones: ReadonlySet<string> = new Set(['DMA32', 'Normal']);

/**
 * Per order, how often `/proc/buddyinfo` showed a free block of it or a larger one, in the zone that had it oftenest.
 * Snapshots say what was free, not what was asked for: derived. Empty without snapshots.
 */
export function successFromFreePages(
  { freePages, strings }: Pick<TraceTables, 'freePages' | 'strings'>,
  maxPageOrder: number,
): ReadonlyMap<number, Known<number>> {
  const success = new Map<number, Known<number>>();
  if (freePages === undefined || freePages.length === 0) {
    return success;
  }
  const { source, line, zone, order, blocks } = freePages.columns;
  /** Per zone, for each line of it the largest order with a free block. */
  const largest = new Map<number, Map<number, number>>();
  for (let row = 0; row < freePages.length; row++) {
    if (!poolZones.has(strings.get(zone[row]))) {
      continue;
    }
    let lines = largest.get(zone[row]);
    if (lines === undefined) {
      lines = new Map();
      largest.set(zone[row], lines);
    }
    const key = source[row] * 2 ** 32 + line[row];
    lines.set(key, Math.max(lines.get(key) ?? -1, blocks[row] > 0 ? order[row] : -1));
  }
  for (let tried = 0; tried <= maxPageOrder && largest.size > 0; tried++) {
    let share = 0;
    let snapshots = 0;
    for (const lines of largest.values()) {
      let enough = 0;
      for (const top of lines.values()) {
        enough += top >= tried ? 1 : 0;
      }
      if (snapshots === 0 || enough / lines.size > share) {
        share = enough / lines.size;
        snapshots = lines.size;
      }
    }
    const text = `a block of order ${tried} or more was free in ${Math.round(share * snapshots)} of ${snapshots} lines of buddyinfo`;
    success.set(tried, { value: share, evidence: { level: 'derived', text } });
  }
  return success;
}

function countTry(tries: Map<number, { count: number; ok: number }>, order: number, ok: boolean): void {
  if (order < 0) {
    return;
  }
  const entry = tries.get(order) ?? { count: 0, ok: 0 };
  entry.count++;
  entry.ok += ok ? 1 : 0;
  tries.set(order, entry);
}

function calibrateMedian(
  calibrated: Map<string, Known<number | string | boolean>>,
  name: string,
  level: 'recorded' | 'derived',
  values: readonly number[],
  what: string,
): void {
  if (values.length < fewestFacts) {
    return;
  }
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.floor(sorted.length / 2)];
  calibrated.set(name, {
    value,
    evidence: { level, text: `median of ${values.length} ${level}: ${what}` },
  });
}
