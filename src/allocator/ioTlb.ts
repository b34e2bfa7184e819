import { assert } from '../base/assert';
import type { Cause } from '../model/cause';
import {
  type Address,
  type Bytes,
  MIN_POOL_SLOTS,
  SEGMENT_BYTES,
  SEGMENT_SLOTS,
  SLOT_BYTES,
  SLOT_SHIFT,
  type Slots,
} from '../model/units';
import { LeanPools, leanIds } from './leanPools';
import { Pool } from './pool';
import { AreaSearch, LOCKUP, NOT_FOUND } from './search/areaSearch';
import { type GenerationRules, generationRules } from './search/rules';
import type { SearchRequest } from './search/searchPlan';
import { limitAreas, pageOrder, roundUpToSegment } from './sizes';
import type {
  AllocatorCost,
  AllocatorPort,
  DeviceMasks,
  IoTlbSpec,
  MapFailure,
  MessageSink,
  Placement,
  PoolSpec,
  Zone,
} from './types';

/** Bytes of struct io_tlb_pool and of each struct io_tlb_area behind it (6.12, 64 bit). */
const POOL_DESCRIPTOR_BYTES = 96;
const AREA_DESCRIPTOR_BYTES = 16;
/** Bytes of struct io_tlb_slot (64 bit). */
const SLOT_DESCRIPTOR_BYTES = 24;
const FOUR_GIB_LIMIT = 0xffffffff;

/** A device as the allocator knows it: its masks, its transient pools and the sticky dma_uses_io_tlb. */
export class TlbDevice {
  readonly masks: DeviceMasks;
  /** From `masks`, one pointer nearer to the search. */
  readonly minAlignMask: number;
  readonly segBoundaryMask: Address;
  /** min_not_zero(*dma_mask, bus_dma_limit); Infinity none. */
  readonly addressLimit: Address;
  /** Newest first (dma_io_tlb_pools). */
  readonly transientPools: Pool[] = [];
  /** dma_uses_io_tlb: set by the first mapping; until then look-ups walk no list. */
  usesIoTlb = false;

  constructor(masks: DeviceMasks) {
    this.masks = masks;
    this.minAlignMask = masks.minAlignMask;
    this.segBoundaryMask = masks.segBoundaryMask;
    const limit = masks.dmaMask === 0 ? Number.POSITIVE_INFINITY : masks.dmaMask;
    this.addressLimit = masks.busDmaLimit === 0 ? limit : Math.min(limit, masks.busDmaLimit);
  }
}

export interface IoTlbOptions {
  /** Gets the kernel's log lines; without it none are made up. */
  readonly messages?: MessageSink;
  /** Id of the first pool; ids count up from here. */
  readonly firstPoolId?: number;
}

/** Which result `map` and `allocate` gave. */
export function isFailure(result: Placement | MapFailure): result is MapFailure {
  return (result as { readonly cause?: Cause }).cause !== undefined;
}

/** Sets up an allocator with its first pool. Throws only on a spec that is no geometry (areas of partial segments). */
export function createIoTlb(spec: IoTlbSpec, port: AllocatorPort, options: IoTlbOptions = {}): IoTlb {
  return new IoTlb(spec, port, options);
}

/** A pool whose memory was got but that is not listed yet (between swiotlb_alloc_pool and add_mem_pool). */
export interface PreparedPool {
  readonly pool: Pool;
}

/** Memory behind a pool that was allocated at run time. */
interface PoolMemory {
  /** 2^order pages, or -1: from the atomic coherent pool. */
  readonly order: number;
  readonly bytes: Bytes;
}

/**
 * The software IO TLB of one struct io_tlb_mem: listed pools, transient pools of its devices, counters.
 * Deterministic; every operation is atomic, in the order of the calls. Which thread runs when is the caller's matter:
 * - a map that finds no slot in a growing dynamic allocator sets `pendingWork`; the caller lets the worker run
 *   (`runWorker`, or `startWorker` and later `finishWorker`) whenever its model of time says so;
 * - an unmapped transient buffer is queued; `freeNextTransient` gives its memory back after the RCU grace period.
 */
export class IoTlb {
  readonly spec: IoTlbSpec;
  readonly rules: GenerationRules;
  /** Search order: newest first, the first pool last. */
  readonly listed: Pool[] = [];
  /** Running totals; take differences for one operation. */
  readonly cost: AllocatorCost = { areaLocks: 0, probes: 0, poolsVisited: 0, lookups: 0, listSteps: 0 };
  /** The growth worker is queued. Queueing it again before it starts does nothing. */
  pendingWork = false;
  /** mem.nslabs: slots of listed pools (io_tlb_nslabs). */
  totalSlots: Slots = 0;
  /** Slots in use in all pools, transient ones included (mem.total_used). */
  totalUsed: Slots = 0;
  /** The most `totalUsed` has been since the last reset. Counted in every generation. */
  hiwater: Slots = 0;
  /** Slots of live transient pools (io_tlb_transient_nslabs). */
  transientSlots: Slots = 0;
  /** Transient pools that got a mapping, and attempts that did not. */
  transientCount = 0;
  transientFailed = 0;
  /** Worker runs that got a pool, and runs that did not. */
  workerRuns = 0;
  workerFailed = 0;
  /** Memory of all pools that was not given back yet, transient pools waiting for RCU included; atomic pool excluded. */
  memoryBytes: Bytes = 0;
  /** Part of `memoryBytes` behind no slot: 2^order rounding. */
  roundingWasteBytes: Bytes = 0;
  /** Page allocations tried (slot arrays and descriptors excluded), and how many of them failed. */
  pageAllocations = 0;
  pageAllocationsFailed = 0;
  /** set_memory_decrypted and set_memory_encrypted calls for pools; they cost only in encrypted guests. */
  conversions = 0;

  /** Told of each acquisition of the lock of an area of a listed pool; null: nobody asks. */
  lockWatch: ((pool: number, area: number) => void) | null = null;

  /**
   * Same placements, failures and memory, at less work: `cost` is not kept, and a transient pool is a few numbers
   * instead of a `Pool` (its id is at least `leanIds`; such a mapping ends with `unmapSlots`).
   * Set before the first operation, for replays that want totals only.
   */
  get isLean(): boolean {
    return this.lean;
  }
  set isLean(lean: boolean) {
    this.lean = lean;
    this.search.countsProbes = !lean;
  }

  private lean = false;
  /** The page allocator has no block for more: a pool is then smaller than the request. */
  private readonly largestBlockSlots: Slots;
  private readonly dynamic: boolean;
  private readonly deviceMask: boolean;
  private readonly port: AllocatorPort;
  private readonly messages: MessageSink | undefined;
  private readonly search: AreaSearch;
  /** By id minus the first id; undefined: freed. */
  private readonly byId: (Pool | undefined)[] = [];
  private readonly firstPoolId: number;
  private readonly memory = new Map<number, PoolMemory>();
  /** Oldest first, from `rcuHead` on. */
  private readonly waitingForRcu: Pool[] = [];
  private rcuHead = 0;
  /** Empty transient pools to use again, by slots. */
  private readonly spare = new Map<Slots, Pool[]>();
  private nextPoolId: number;
  private readonly leanPools = new LeanPools();
  /** By slots: where a search of an empty transient pool is tried. */
  private readonly emptyPools: (Pool | undefined)[] = [];
  /** Which of `leanPools` the last operation got, -1: it got slots of a listed pool. */
  private foundLean = -1;
  // The last operation's result, see lastPlacement and lastFailure.
  private foundPool: Pool | null = null;
  private foundSlot = 0;
  private foundPad = 0;
  private printedBytes: Bytes = 0;
  /** null: no slots were found, `transientCause` and the pools tell why. */
  private failedWith: Cause | null = null;
  private transientCause: Cause | null = null;
  private readonly request: SearchRequest = {
    slots: 0,
    sizeBytes: 0,
    original: 0,
    minAlignMask: 0,
    allocAlignMask: 0,
    segBoundaryMask: Number.POSITIVE_INFINITY,
  };

  constructor(spec: IoTlbSpec, port: AllocatorPort, options: IoTlbOptions) {
    this.spec = spec;
    this.largestBlockSlots = (spec.pageSize / SLOT_BYTES) * 2 ** spec.maxPageOrder;
    this.dynamic = spec.dynamic;
    this.port = port;
    this.messages = options.messages;
    this.firstPoolId = options.firstPoolId ?? 0;
    this.nextPoolId = this.firstPoolId;
    this.rules = generationRules[spec.generation];
    this.deviceMask = this.rules.deviceMask;
    this.search = new AreaSearch(this.rules, spec.pageSize);
    if (spec.boot !== null && spec.boot.slots > 0) {
      this.addPool(spec.boot);
    }
  }

  /** Lists a pool that was not allocated through the port, at the head of the search order; counts its memory. */
  addPool(spec: PoolSpec): Pool {
    const pool = this.createPool(spec);
    this.list(pool);
    this.memoryBytes += pool.slots * SLOT_BYTES;
    return pool;
  }

  /** A pool that was not freed yet. */
  pool(id: number): Pool {
    const pool = this.byId[id - this.firstPoolId];
    assert(pool !== undefined, `pool ${id} is gone`);
    return pool;
  }

  /** io_tlb_used as this kernel shows and prints it. */
  get used(): Slots {
    return this.spec.debugFs === false ? this.listedUsed() : this.totalUsed;
  }

  /** Transient buffers that were unmapped and wait for the RCU grace period. */
  get rcuPending(): number {
    return this.waitingForRcu.length - this.rcuHead + this.leanPools.waiting;
  }

  /**
   * swiotlb_tbl_map_single (and, with `checkCapable`, swiotlb_map around it).
   * @param sizeBytes mapping_size, without padding
   * @param allocAlignMask 0 for plain DMA; the IOMMU's granule - 1 on that path
   * @param checkCapable refuse (and release again) a bounce address the device cannot reach
   * @param allocSizeBytes until 6.8 the caller's alloc_size; absent: sizeBytes rounded up to allocAlignMask + 1
   */
  map(
    cpu: number,
    device: TlbDevice,
    original: Address,
    sizeBytes: Bytes,
    allocAlignMask: number,
    checkCapable: boolean,
    allocSizeBytes?: Bytes,
  ): Placement | MapFailure {
    const address = this.mapAddress(cpu, device, original, sizeBytes, allocAlignMask, checkCapable, allocSizeBytes);
    return address >= 0 ? this.lastPlacement(address) : this.lastFailure();
  }

  /**
   * As `map`, without making an object: the bounce address, or -1 when there are no slots.
   * `lastPlacement` and `lastFailure` tell the rest, until the next operation.
   */
  mapAddress(
    cpu: number,
    device: TlbDevice,
    original: Address,
    sizeBytes: Bytes,
    allocAlignMask: number,
    checkCapable: boolean,
    allocSizeBytes?: Bytes,
  ): Address {
    const minAlignMask = this.deviceMask ? device.minAlignMask : 0;
    let offset: number;
    let paddedBytes: Bytes;
    if (this.rules.prePadding) {
      if (allocAlignMask >= this.spec.pageSize && this.totalSlots !== 0) {
        this.messages?.message('WARN', 'Alloc alignment may prevent fulfilling requests with max mapping_size');
      }
      offset = ((original >>> 0) & minAlignMask & (allocAlignMask | 0x7ff)) >>> 0;
      paddedBytes = sizeBytes + offset;
      if (allocAlignMask !== 0) {
        paddedBytes = roundUp(paddedBytes, allocAlignMask + 1);
      }
      this.printedBytes = paddedBytes;
    } else {
      offset = (original >>> 0) & minAlignMask & 0x7ff;
      this.printedBytes = allocSizeBytes ?? roundUp(sizeBytes, allocAlignMask + 1);
      paddedBytes = this.printedBytes + offset;
    }
    this.failedWith = null;
    if (this.totalSlots === 0) {
      this.failedWith = 'no-pool';
      this.messages?.message(
        'warn',
        "Can not allocate SWIOTLB buffer earlier and can't now provide you with the DMA bounce buffer",
      );
      return -1;
    }
    const first = this.findSlots(cpu, device, original, paddedBytes, allocAlignMask, minAlignMask);
    if (first < 0) {
      if (first === LOCKUP) {
        this.failedWith = 'lockup';
      } else {
        this.messages?.message('warn', this.fullMessage());
      }
      return -1;
    }
    const pad = offset >>> SLOT_SHIFT;
    this.foundPad = pad;
    if (this.foundLean >= 0) {
      return this.finishLean(device, first + pad, offset, sizeBytes, checkCapable);
    }
    const pool = this.foundPool as Pool;
    if (pad !== 0) {
      pool.padSlots[first + pad] = pad;
    }
    const address = pool.start + (first + pad) * SLOT_BYTES + (offset & 0x7ff);
    if (checkCapable && address + sizeBytes - 1 > device.addressLimit) {
      this.endMapping(device, pool, first, this.request.slots, pad);
      this.messages?.message('WARN', 'swiotlb addr overflow');
      this.failedWith = 'address-limit';
      return -1;
    }
    return address;
  }

  /**
   * swiotlb_alloc: pages from a restricted pool, no bounce.
   * Until 6.8 without alignment of its own; 6.9+ aligned to the size rounded up to a power of two of pages.
   */
  allocate(cpu: number, device: TlbDevice, sizeBytes: Bytes): Placement | MapFailure {
    const { pageSize } = this.spec;
    const alignMask = this.rules.prePadding ? pageSize * 2 ** pageOrder(sizeBytes, pageSize) - 1 : 0;
    this.printedBytes = sizeBytes;
    this.failedWith = null;
    if (this.totalSlots === 0) {
      this.failedWith = 'no-pool';
      return this.lastFailure();
    }
    const first = this.findSlots(cpu, device, 0, sizeBytes, alignMask, this.deviceMask ? device.minAlignMask : 0);
    if (first < 0) {
      this.failedWith = first === LOCKUP ? 'lockup' : null;
      return this.lastFailure();
    }
    const pool = this.foundPool as Pool;
    this.foundPad = 0;
    const address = pool.start + first * SLOT_BYTES;
    if (this.rules.prePadding && address % pageSize !== 0) {
      this.messages?.message('WARN', 'Cannot allocate pages from non page-aligned swiotlb addr');
      this.endMapping(device, pool, first, this.request.slots, 0);
      this.failedWith = 'alignment';
      return this.lastFailure();
    }
    return this.lastPlacement(address);
  }

  /** The placement of the last operation, which gave the bounce address. */
  lastPlacement(address: Address): Placement {
    const firstSlot = this.foundSlot;
    const pad = this.foundPad;
    return {
      pool: this.lastPoolId,
      slot: firstSlot + pad,
      firstSlot,
      slots: this.request.slots,
      address,
      pad,
      transient: this.lastIsTransient,
    };
  }

  /** Parts of `lastPlacement` without an object. */
  get lastPoolId(): number {
    return this.foundLean >= 0 ? leanIds + this.foundLean : (this.foundPool as Pool).id;
  }
  get lastFirstSlot(): number {
    return this.foundSlot;
  }
  get lastPad(): Slots {
    return this.foundPad;
  }
  get lastSlots(): Slots {
    return this.request.slots;
  }
  get lastIsTransient(): boolean {
    return this.foundLean >= 0 || (this.foundPool as Pool).kind === 'transient';
  }

  /** As the cause of `lastFailure`, without looking for holes: `fragmented` stands for `alignment`, too. */
  lastCause(): Cause {
    if (this.failedWith !== null) {
      return this.failedWith;
    }
    if (this.request.slots > SEGMENT_SLOTS) {
      return 'over-size';
    }
    if (this.transientCause !== null) {
      return this.transientCause;
    }
    return this.totalSlots - this.listedUsed() < this.request.slots ? 'pool-full' : 'fragmented';
  }

  /** Why the last operation failed. Looks for the largest hole, which costs more than the failure itself. */
  lastFailure(): MapFailure {
    const freeSlots = this.totalSlots - this.listedUsed();
    const largestHole = this.largestFreeRun();
    const count = this.request.slots;
    let cause = this.failedWith;
    if (cause === null) {
      if (count > SEGMENT_SLOTS) {
        cause = 'over-size';
      } else if (this.transientCause !== null) {
        cause = this.transientCause;
      } else if (freeSlots < count) {
        cause = 'pool-full';
      } else {
        cause = largestHole >= count ? 'alignment' : 'fragmented';
      }
    }
    return { cause, printedBytes: this.printedBytes, freeSlots, largestHole };
  }

  /**
   * Ends a mapping or allocation: frees what was allocated, whatever size the caller of the kernel would pass.
   * A transient pool leaves its device at once; its memory waits for `freeNextTransient`.
   */
  unmap(device: TlbDevice, placement: Placement): void {
    this.unmapSlots(device, placement.pool, placement.firstSlot, placement.slots, placement.pad);
  }

  /** As `unmap`, from the parts of the placement. */
  unmapSlots(device: TlbDevice, poolId: number, firstSlot: number, slots: Slots, pad: Slots): void {
    if (poolId >= leanIds) {
      this.totalUsed -= slots;
      this.transientSlots -= slots;
      this.leanPools.retire(poolId - leanIds);
      return;
    }
    const pool = this.byId[poolId - this.firstPoolId];
    assert(pool !== undefined, 'the mapping belongs to a pool of this allocator');
    this.endMapping(device, pool, firstSlot, slots, pad);
  }

  /**
   * As `unmap`, by bounce address, as the kernel does it: needs no placement and touches less memory.
   * False: no live mapping of the device starts there.
   */
  unmapAddress(device: TlbDevice, address: Address): boolean {
    const pool = this.poolAt(device, address);
    if (pool === null) {
      return false;
    }
    const offset = this.deviceMask ? (address >>> 0) & device.minAlignMask & 0x7ff : 0;
    const slot = ((address - offset - pool.start) / SLOT_BYTES) | 0;
    const pad = pool.padSlots[slot];
    const slots = pool.runSlots[slot - pad];
    if (slots === 0) {
      return false;
    }
    this.endMapping(device, pool, slot - pad, slots, pad);
    return true;
  }

  /**
   * The look-up that a sync, or an unmap of a mapping that did not bounce, costs (swiotlb_find_pool, is_swiotlb_buffer).
   * Static kernels compare one range; dynamic ones walk the lists, but only for devices that ever bounced.
   */
  lookup(device: TlbDevice, address: Address): Pool | null {
    const pool = this.poolAt(device, address);
    this.countLookup(device, pool);
    return pool;
  }

  /** swiotlb_dyn_alloc: the whole worker run. The new pool, or null when there was no memory. */
  runWorker(): Pool | null {
    const prepared = this.startWorker();
    return prepared === null ? null : this.finishWorker(prepared);
  }

  /** The worker starts: it may be queued again from now on. Gets the memory of the next pool; null when there is none. */
  startWorker(): PreparedPool | null {
    this.pendingWork = false;
    const { defaultSlots, defaultAreas, physLimit } = this.spec;
    const pool = this.allocatePool(null, 'grown', MIN_POOL_SLOTS, defaultSlots, defaultAreas, physLimit);
    if (pool === null) {
      this.workerFailed++;
      this.messages?.message('warn', 'Failed to allocate new pool');
      return null;
    }
    // Transient pools may come and go before the pool is listed: its id must not be given twice.
    this.byId[pool.id - this.firstPoolId] = pool;
    return { pool };
  }

  /** The worker lists its pool. */
  finishWorker(prepared: PreparedPool): Pool {
    this.workerRuns++;
    this.list(prepared.pool);
    return prepared.pool;
  }

  /** Gives back the memory of the transient pool that waits longest. False: none waits. */
  freeNextTransient(): boolean {
    if (this.leanPools.waiting > 0) {
      this.freeLean();
      return true;
    }
    if (this.rcuHead === this.waitingForRcu.length) {
      return false;
    }
    const pool = this.waitingForRcu[this.rcuHead++];
    if (this.rcuHead > 1024 && this.rcuHead * 2 > this.waitingForRcu.length) {
      this.waitingForRcu.splice(0, this.rcuHead);
      this.rcuHead = 0;
    }
    this.freeMemory(pool);
    this.keepSpare(pool);
    return true;
  }

  /**
   * Unlists an empty grown pool; its memory waits for `freeNextTransient`.
   * No kernel does this: it serves replays of proposed policies that shrink.
   */
  removePool(pool: Pool): void {
    const at = this.listed.indexOf(pool);
    assert(at >= 0 && pool.kind === 'grown' && pool.usedSlots() === 0, 'only empty grown pools can be removed');
    this.listed.splice(at, 1);
    this.totalSlots -= pool.slots;
    this.byId[pool.id - this.firstPoolId] = undefined;
    this.waitingForRcu.push(pool);
  }

  /** Writing 0 to io_tlb_used_hiwater: it restarts from 0, not from the current use. */
  hiwaterReset(): void {
    this.hiwater = 0;
  }

  /** The areas' [index, used] and the free lists' hash of the listed pools, then of the device's transient pools. */
  dump(device: TlbDevice): { id: number; listHash: number; areas: [number, number][] }[] {
    return [...this.listed, ...device.transientPools].map((pool) => ({
      id: pool.id,
      listHash: pool.listHash(),
      areas: Array.from({ length: pool.areas }, (_, area) => [pool.areaIndex[area], pool.areaUsed[area]]),
    }));
  }

  /** The longest free run in any area of a listed pool. */
  largestFreeRun(): Slots {
    let best = 0;
    for (const pool of this.listed) {
      for (let area = 0; area < pool.areas; area++) {
        best = pool.largestFreeRun(area, best);
      }
    }
    return best;
  }

  /** swiotlb_find_slots: first slot, NOT_FOUND or LOCKUP; sets `foundPool`. */
  private findSlots(
    cpu: number,
    device: TlbDevice,
    original: Address,
    sizeBytes: Bytes,
    allocAlignMask: number,
    minAlignMask: number,
  ): number {
    const request = this.request;
    request.slots = slotsFor(sizeBytes);
    request.sizeBytes = sizeBytes;
    request.original = original;
    request.minAlignMask = minAlignMask;
    request.allocAlignMask = allocAlignMask;
    request.segBoundaryMask = device.segBoundaryMask;
    this.transientCause = null;
    this.foundLean = -1;

    if (!this.dynamic) {
      this.cost.poolsVisited++;
      const slot = this.searchPool(this.listed[0], cpu);
      device.usesIoTlb ||= slot >= 0;
      return slot;
    }
    if (this.rules.refusesOversize && sizeBytes > SEGMENT_BYTES) {
      return NOT_FOUND;
    }
    let slot = this.rules.poolMajor ? this.searchPoolMajor(cpu) : this.searchAreaMajor(cpu);
    if (slot === NOT_FOUND && this.spec.canGrow) {
      this.pendingWork = true;
      slot = this.lean && request.slots <= this.largestBlockSlots ? this.mapLean(device) : this.mapTransient(device);
    }
    device.usesIoTlb ||= slot >= 0;
    return slot;
  }

  /** Every area of a pool, from the CPU's own on. */
  private searchPool(pool: Pool, cpu: number): number {
    const start = cpu & (pool.areas - 1);
    let area = start;
    do {
      const slot = this.searchArea(pool, area);
      if (slot !== NOT_FOUND) {
        return slot;
      }
      area = area + 1 >= pool.areas ? 0 : area + 1;
    } while (area !== start);
    return NOT_FOUND;
  }

  private searchPoolMajor(cpu: number): number {
    for (const pool of this.listed) {
      this.cost.poolsVisited++;
      const slot = this.searchPool(pool, cpu);
      if (slot !== NOT_FOUND) {
        return slot;
      }
    }
    return NOT_FOUND;
  }

  /** 6.8+: the CPU's own area of every pool, then the next area of every pool; default_nareas rounds, whatever a pool has. */
  private searchAreaMajor(cpu: number): number {
    for (let round = 0; round < this.spec.defaultAreas; round++) {
      for (const pool of this.listed) {
        if (round === 0) {
          this.cost.poolsVisited++;
        }
        if (round >= pool.areas) {
          continue;
        }
        const slot = this.searchArea(pool, (cpu + round) & (pool.areas - 1));
        if (slot !== NOT_FOUND) {
          return slot;
        }
      }
    }
    return NOT_FOUND;
  }

  /** Searches one area under its lock and takes the slots. */
  private searchArea(pool: Pool, area: number): number {
    const search = this.search;
    const count = this.request.slots;
    this.cost.areaLocks++;
    if (this.lockWatch !== null && pool.kind !== 'transient') {
      this.lockWatch(pool.id, area);
    }
    const slot = search.find(pool, area, pool.areaIndex[area], this.request);
    this.cost.probes += search.probes;
    if (slot < 0) {
      return slot;
    }
    pool.take(slot, count, 0);
    pool.areaIndex[area] = search.indexAfter(pool, area, slot, count);
    this.totalUsed += count;
    if (this.totalUsed > this.hiwater) {
      this.hiwater = this.totalUsed;
    }
    this.foundPool = pool;
    this.foundSlot = slot;
    return slot;
  }

  /** A pool of exactly the wanted slots for this mapping alone; NOT_FOUND sets `transientCause`. */
  private mapTransient(device: TlbDevice): number {
    const want = this.request.slots;
    const pool = this.allocatePool(device, 'transient', want, want, 1, device.addressLimit);
    if (pool === null) {
      this.transientFailed++;
      return NOT_FOUND;
    }
    const slot = this.searchArea(pool, 0);
    if (slot < 0) {
      this.transientCause = 'alignment';
      this.transientFailed++;
      this.reject(pool);
      return slot;
    }
    this.cost.areaLocks++;
    device.transientPools.unshift(pool);
    this.transientSlots += pool.slots;
    this.transientCount++;
    return slot;
  }

  /** As `mapTransient`, without a `Pool`; asks the port for the same in the same order. */
  private mapLean(device: TlbDevice): number {
    const slots = this.request.slots;
    const { pageSize } = this.spec;
    const atomic = device.masks.forceUnencrypted;
    this.transientCause = 'allocation-failed';
    const hasDescriptor = this.port.allocateMeta(POOL_DESCRIPTOR_BYTES + AREA_DESCRIPTOR_BYTES, false);
    const start = hasDescriptor ? this.allocateSlots(slots, device.addressLimit, false, atomic) : null;
    if (start === null) {
      this.transientFailed++;
      return NOT_FOUND;
    }
    const bytes = slots * SLOT_BYTES;
    const order = atomic ? -1 : pageOrder(bytes, pageSize);
    if (!atomic) {
      const held = pageSize * (1 << order);
      this.memoryBytes += held;
      this.roundingWasteBytes += held - bytes;
    }
    const hasArray = this.port.allocateSlotArray(pageOrder(SLOT_DESCRIPTOR_BYTES * slots, pageSize), false);
    const slot = hasArray ? this.searchEmpty(slots, start) : NOT_FOUND;
    if (slot < 0) {
      this.transientCause = hasArray ? 'alignment' : 'allocation-failed';
      this.transientFailed++;
      this.freeLeanMemory(start, bytes, order);
      return slot;
    }
    this.transientCause = null;
    this.foundLean = this.leanPools.add(start, bytes, order);
    this.foundSlot = slot;
    this.totalUsed += slots;
    this.hiwater = Math.max(this.hiwater, this.totalUsed);
    this.transientSlots += slots;
    this.transientCount++;
    return slot;
  }

  /** Where a pool of exactly the wanted slots, all free, takes the request. */
  private searchEmpty(slots: Slots, start: Address): number {
    let pool = this.emptyPools[slots];
    if (pool === undefined || this.rules.tailOverrun || !pool.renew(-1, start)) {
      const options = { pageSlots: this.spec.pageSize / SLOT_BYTES, tailOverrun: this.rules.tailOverrun };
      pool = new Pool(-1, { kind: 'transient', start, slots, areas: 1 }, options);
      this.emptyPools[slots] = pool;
    }
    return this.search.find(pool, 0, 0, this.request);
  }

  /** The rest of `mapAddress` for a mapping in a transient pool without a `Pool`. */
  private finishLean(
    device: TlbDevice,
    slot: number,
    offset: number,
    sizeBytes: Bytes,
    checkCapable: boolean,
  ): Address {
    const address = this.leanPools.start(this.foundLean) + slot * SLOT_BYTES + (offset & 0x7ff);
    if (checkCapable && address + sizeBytes - 1 > device.addressLimit) {
      this.unmapSlots(device, leanIds + this.foundLean, 0, this.request.slots, 0);
      this.messages?.message('WARN', 'swiotlb addr overflow');
      this.failedWith = 'address-limit';
      return -1;
    }
    return address;
  }

  private freeLean(): void {
    const index = this.leanPools.next();
    this.freeLeanMemory(this.leanPools.start(index), this.leanPools.bytes(index), this.leanPools.order(index));
    this.leanPools.remove();
  }

  private freeLeanMemory(start: Address, bytes: Bytes, order: number): void {
    if (order < 0) {
      this.port.freeAtomic(start, bytes);
      return;
    }
    const held = this.spec.pageSize * (1 << order);
    this.memoryBytes -= held;
    this.roundingWasteBytes -= held - bytes;
    this.conversions++;
    this.port.freePages(start, order);
  }

  private endMapping(device: TlbDevice, pool: Pool, firstSlot: number, slots: Slots, pad: Slots): void {
    if (this.dynamic) {
      this.countLookup(device, pool);
      if (pool.kind === 'transient') {
        pool.release(firstSlot, slots, pad);
        this.retireTransient(device, pool);
        return;
      }
    }
    assert(pool.runSlots[firstSlot] === slots, 'the mapping is live');
    this.cost.areaLocks++;
    this.lockWatch?.(pool.id, Math.floor((firstSlot * pool.areas) / pool.slots));
    pool.release(firstSlot, slots, pad);
    this.totalUsed -= slots;
  }

  private retireTransient(device: TlbDevice, pool: Pool): void {
    const at = device.transientPools.indexOf(pool);
    assert(at >= 0, 'the transient pool belongs to the device');
    device.transientPools.splice(at, 1);
    this.cost.areaLocks++;
    this.totalUsed -= pool.slots;
    this.transientSlots -= pool.slots;
    this.byId[pool.id - this.firstPoolId] = undefined;
    this.waitingForRcu.push(pool);
  }

  /** swiotlb_alloc_pool: descriptor, slots (halving down to `min`), slot array. The pool is in no list yet. */
  private allocatePool(
    device: TlbDevice | null,
    kind: 'grown' | 'transient',
    min: Slots,
    wanted: Slots,
    wantedAreas: number,
    limit: Address,
  ): Pool | null {
    const { pageSize, maxPageOrder } = this.spec;
    const canBlock = kind === 'grown';
    const cap = (pageSize / SLOT_BYTES) * 2 ** maxPageOrder;
    let slots = wanted;
    let areas = wantedAreas;
    if (slots > cap) {
      slots = cap;
      areas = limitAreas(areas, slots);
    }
    this.transientCause = 'allocation-failed';
    if (!this.port.allocateMeta(POOL_DESCRIPTOR_BYTES + AREA_DESCRIPTOR_BYTES * areas, canBlock)) {
      return null;
    }
    const atomic = !canBlock && device?.masks.forceUnencrypted === true;
    let start = this.allocateSlots(slots, limit, canBlock, atomic);
    while (start === null) {
      if (slots <= min) {
        return null;
      }
      slots = roundUpToSegment(slots / 2);
      areas = limitAreas(areas, slots);
      start = this.allocateSlots(slots, limit, canBlock, atomic);
    }
    const bytes = slots * SLOT_BYTES;
    const order = atomic ? -1 : pageOrder(bytes, pageSize);
    const pool = this.spareOrNew({ kind, start, slots, areas });
    this.byId[pool.id - this.firstPoolId] = pool;
    this.memory.set(pool.id, { order, bytes });
    if (!atomic) {
      this.memoryBytes += pageSize * 2 ** order;
      this.roundingWasteBytes += pageSize * 2 ** order - bytes;
    }
    if (!this.port.allocateSlotArray(pageOrder(SLOT_DESCRIPTOR_BYTES * slots, pageSize), canBlock)) {
      this.reject(pool);
      return null;
    }
    this.transientCause = null;
    return pool;
  }

  /** swiotlb_alloc_tlb: memory for slots, below the limit. */
  private allocateSlots(slots: Slots, limit: Address, canBlock: boolean, atomic: boolean): Address | null {
    const bytes = slots * SLOT_BYTES;
    if (atomic) {
      const start = this.port.allocateAtomic(bytes);
      this.transientCause = start === null ? 'atomic-pool-empty' : null;
      return start;
    }
    const order = pageOrder(bytes, this.spec.pageSize);
    let zone: Zone = limit <= this.spec.zoneDmaLimit ? 'DMA' : limit <= FOUR_GIB_LIMIT ? 'DMA32' : 'NORMAL';
    for (;;) {
      this.pageAllocations++;
      const start = this.port.allocatePages(order, zone, canBlock);
      if (start === null) {
        this.pageAllocationsFailed++;
        return null;
      }
      if (start + bytes - 1 <= limit) {
        this.conversions++;
        return start;
      }
      this.port.freePages(start, order);
      if (zone === 'DMA') {
        this.pageAllocationsFailed++;
        return null;
      }
      zone = zone === 'NORMAL' ? 'DMA32' : 'DMA';
    }
  }

  private freeMemory(pool: Pool): void {
    const memory = this.memory.get(pool.id);
    assert(memory !== undefined, 'the pool was allocated at run time');
    this.memory.delete(pool.id);
    if (memory.order < 0) {
      this.port.freeAtomic(pool.start, memory.bytes);
      return;
    }
    const held = this.spec.pageSize * 2 ** memory.order;
    this.memoryBytes -= held;
    this.roundingWasteBytes -= held - memory.bytes;
    this.conversions++;
    this.port.freePages(pool.start, memory.order);
  }

  private spareOrNew(spec: PoolSpec): Pool {
    const id = this.nextPoolId++;
    const spare = spec.kind === 'transient' ? this.spare.get(spec.slots)?.pop() : undefined;
    if (spare?.renew(id, spec.start) === true) {
      return spare;
    }
    return new Pool(id, spec, {
      pageSlots: this.spec.pageSize / SLOT_BYTES,
      tailOverrun: this.rules.tailOverrun,
    });
  }

  /** Counts that reach past a pool's end are not restored by a release: such pools are not used again. */
  private keepSpare(pool: Pool): void {
    if (pool.kind !== 'transient' || this.rules.tailOverrun) {
      return;
    }
    const spare = this.spare.get(pool.slots);
    if (spare === undefined) {
      this.spare.set(pool.slots, [pool]);
    } else {
      spare.push(pool);
    }
  }

  private createPool(spec: PoolSpec): Pool {
    const single = this.rules.singleArea && spec.areas !== 1;
    const pool = new Pool(this.nextPoolId++, single ? { ...spec, areas: 1 } : spec, {
      pageSlots: this.spec.pageSize / SLOT_BYTES,
      tailOverrun: this.rules.tailOverrun,
    });
    this.byId[pool.id - this.firstPoolId] = pool;
    return pool;
  }

  /** A rejected pool uses up no id. */
  private reject(pool: Pool): void {
    this.freeMemory(pool);
    this.byId[pool.id - this.firstPoolId] = undefined;
    if (this.nextPoolId === pool.id + 1) {
      this.nextPoolId = pool.id;
    }
    this.keepSpare(pool);
  }

  private list(pool: Pool): void {
    this.listed.unshift(pool);
    this.totalSlots += pool.slots;
  }

  private poolAt(device: TlbDevice, address: Address): Pool | null {
    const listed = this.listed;
    for (let at = 0; at < listed.length; at++) {
      if (listed[at].contains(address)) {
        return listed[at];
      }
    }
    for (const pool of device.transientPools) {
      if (pool.contains(address)) {
        return pool;
      }
    }
    return null;
  }

  /** `pool`: where the walk ends, null at the end of both lists. */
  private countLookup(device: TlbDevice, pool: Pool | null): void {
    this.cost.lookups++;
    if (!this.dynamic || !device.usesIoTlb) {
      return;
    }
    const listedAt = pool === null ? -1 : this.listed.indexOf(pool);
    if (listedAt >= 0) {
      this.cost.listSteps += listedAt + 1;
      return;
    }
    const transientAt = pool === null ? -1 : device.transientPools.indexOf(pool);
    this.cost.listSteps += this.listed.length + (transientAt >= 0 ? transientAt + 1 : device.transientPools.length);
  }

  private listedUsed(): Slots {
    let used = 0;
    for (const pool of this.listed) {
      used += pool.usedSlots();
    }
    return used;
  }

  private fullMessage(): string {
    const head = `swiotlb buffer is full (sz: ${this.printedBytes} bytes)`;
    return this.rules.singleArea ? head : `${head}, total ${this.totalSlots} (slots), used ${this.used} (slots)`;
  }
}

/** nr_slots, at least 1; integers below 2^30 take the short way. */
function slotsFor(sizeBytes: Bytes): Slots {
  const slots =
    sizeBytes < 0x40000000 ? (sizeBytes + SLOT_BYTES - 1) >>> SLOT_SHIFT : Math.ceil(sizeBytes / SLOT_BYTES);
  return slots === 0 ? 1 : slots;
}

function roundUp(bytes: Bytes, multiple: Bytes): Bytes {
  return Math.ceil(bytes / multiple) * multiple;
}
