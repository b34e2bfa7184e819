import type { TlbDevice } from '../../allocator/ioTlb';
import { pageOrder } from '../../allocator/sizes';
import type { Placement, Zone } from '../../allocator/types';
import type { Geometry } from '../../model/geometry';
import type { ReplayPool } from '../../model/replayResult';
import { type Address, type Bytes, bytesToSlots, type Nanoseconds, type Slots } from '../../model/units';
import type { Environment } from '../environment';
import type { MapRequest, MapResult, PolicyParam, PolicyState } from '../policy';
import { type ReclaimWatch, watchReclaim } from '../reclaim';
import { blockDevices, blockIoParams } from './blockIo';
import { type ParamValues, zoneDmaLimit } from './boot';
import { IoTlbInstance } from './ioTlbInstance';
import { poolParams, transientParams } from './params';

/** Parameters of both versions of the RFC. */
export const rfcParams: readonly PolicyParam[] = [
  ...poolParams,
  ...transientParams.filter((param) => param.name === 'maxPageOrder'),
  ...blockIoParams,
  {
    name: 'allocationNs',
    title: 'What a blocking page allocation takes',
    unit: 'ns',
    default: 5e3,
    defaultSteps: 0,
    source: 'assumption: some microseconds without reclaim',
    min: 0,
  },
  {
    name: 'reclaimNs',
    title: 'What reclaim adds to a blocking allocation',
    unit: 'ns',
    default: 5e6,
    defaultSteps: 50,
    source: 'assumption: some page write-outs',
    min: 0,
  },
];

/** Where the two versions differ. */
export interface RfcVersion {
  /** v1 allocates with GFP_KERNEL where it may sleep, v2 with GFP_NOIO. */
  readonly gfp: 'KERNEL' | 'NOIO';
  /** v1 keeps all buffers in one maple tree, v2 one list per device, most recently used first. */
  readonly index: 'tree' | 'list';
}

interface DynamicBuffer {
  readonly start: Address;
  readonly order: number;
  readonly slots: Slots;
  /** From the atomic coherent pool: its bytes, else 0. */
  readonly atomicBytes: Bytes;
}

const descriptorBytes = 64;
const treeNodeBytes = 256;
const fourGibLimit = 0xffffffff;
/** Stands for the index of buffers where locks are counted by pool and area. */
const lockPool = -1;

/** policies.md (b): one page allocation per mapping first, the fixed pool when that is refused or fails. */
export class RfcInstance extends IoTlbInstance {
  private readonly version: RfcVersion;
  private readonly watch: ReclaimWatch;
  private readonly block: ReadonlySet<number>;
  private readonly buffers = new Map<number, DynamicBuffer>();
  /** v2: pool ids per device, most recently used first. */
  private readonly lists = new Map<number, number[]>();
  private readonly bufferPools: { -readonly [K in keyof ReplayPool]: ReplayPool[K] }[] = [];
  private readonly poolOf = new Map<number, { -readonly [K in keyof ReplayPool]: ReplayPool[K] }>();
  /** The fixed pool has id 0. */
  private nextId = 1;
  private dynamicSlots: Slots = 0;
  private dynamicBytes: Bytes = 0;
  private wasteBytes: Bytes = 0;
  private wastePeakBytes: Bytes = 0;
  private dynamicCount = 0;
  private dynamicFailed = 0;
  private dynamicAllocations = 0;
  private dynamicConversions = 0;
  private highWater: Slots = 0;
  private lockWatch: ((pool: number, area: number) => void) | null = null;

  constructor(geometry: Geometry, values: ParamValues, environment: Environment, version: RfcVersion) {
    const watch = watchReclaim(environment);
    super(geometry, values, watch.environment, { dynamic: false, grows: false });
    this.version = version;
    this.watch = watch;
    this.block = blockDevices(geometry, values);
  }

  override watchLocks(watch: (pool: number, area: number) => void): void {
    super.watchLocks(watch);
    this.lockWatch = watch;
  }

  override map(request: MapRequest): MapResult {
    this.nowNs = request.nowNs;
    const device = this.device(request.device);
    const isEligible =
      request.sizeBytes >= this.pageSize && request.allocAlignMask === 0 && device.masks.minAlignMask === 0;
    if (!isEligible) {
      return super.map(request);
    }
    this.watch.reset();
    const placement = this.allocate(request, device);
    const hasReclaimed = this.watch.reclaims() > 0;
    if (hasReclaimed && this.version.gfp === 'KERNEL' && this.block.has(request.device)) {
      if (placement !== null) {
        this.free(placement.pool, request.device);
      }
      const failure = { cause: 'deadlock', printedBytes: request.sizeBytes, freeSlots: -1, largestHole: -1 } as const;
      return { ok: false, failure, stallNs: 0 };
    }
    const stallNs = this.stallOf(request.maySleep, hasReclaimed);
    if (placement !== null) {
      return { ok: true, placement, stallNs };
    }
    this.dynamicFailed++;
    const fallback = super.map(request);
    return fallback.ok === null ? fallback : { ...fallback, stallNs: stallNs + fallback.stallNs };
  }

  override unmap(placement: Placement, device: number, nowNs: Nanoseconds): void {
    this.nowNs = nowNs;
    this.countSearch(device, placement.pool);
    if (!this.buffers.has(placement.pool)) {
      super.unmap(placement, device, nowNs);
      return;
    }
    this.free(placement.pool, device);
  }

  override lookup(device: number, count: number): void {
    for (let i = 0; i < Math.min(count, 1); i++) {
      const before = this.tlb.cost.listSteps;
      this.countSearch(device, -1);
      this.tlb.cost.listSteps += (this.tlb.cost.listSteps - before) * (count - 1);
    }
    this.tlb.cost.lookups += count;
  }

  override pools(): readonly ReplayPool[] {
    return [...super.pools(), ...this.bufferPools];
  }

  override state(): PolicyState {
    const fixed = super.state();
    this.highWater = Math.max(this.highWater, fixed.usedSlots + this.dynamicSlots);
    return {
      ...fixed,
      usedSlots: fixed.usedSlots + this.dynamicSlots,
      hiwaterSlots: this.highWater,
      transientSlots: this.dynamicSlots,
      memoryBytes: fixed.memoryBytes + this.dynamicBytes,
      roundingWasteBytes: this.wastePeakBytes,
      transientCount: this.dynamicCount,
      transientFailed: this.dynamicFailed,
      pageAllocations: this.dynamicAllocations,
      conversions: fixed.conversions + this.dynamicConversions,
    };
  }

  private stallOf(maySleep: boolean, hasReclaimed: boolean): Nanoseconds {
    const name = hasReclaimed ? 'reclaimNs' : 'allocationNs';
    return maySleep ? Number(this.params.get(name)) : 0;
  }

  private allocate(request: MapRequest, device: TlbDevice): Placement | null {
    const { sizeBytes, maySleep } = request;
    const { environment } = this.watch;
    if (!environment.allocateMeta(descriptorBytes, maySleep)) {
      return null;
    }
    const bytes = Math.ceil(sizeBytes / this.pageSize) * this.pageSize;
    const order = pageOrder(bytes, this.pageSize);
    const isAtomicPool = this.encrypted && !maySleep;
    this.dynamicAllocations++;
    const start = isAtomicPool
      ? environment.allocateAtomic(bytes)
      : this.allocatePages(order, bytes, device.addressLimit, maySleep);
    if (start === null) {
      return null;
    }
    // The tree's node is always allocated without blocking: the tree is under a spinlock.
    if (this.version.index === 'tree' && !environment.allocateMeta(treeNodeBytes, false)) {
      if (isAtomicPool) {
        environment.freeAtomic(start, bytes);
      } else {
        environment.freePages(start, order);
      }
      return null;
    }
    return this.keep(request, { start, order, slots: bytesToSlots(bytes), atomicBytes: isAtomicPool ? bytes : 0 });
  }

  private allocatePages(order: number, bytes: Bytes, limit: Address, canBlock: boolean): Address | null {
    let zone: Zone = limit <= zoneDmaLimit ? 'DMA' : limit <= fourGibLimit ? 'DMA32' : 'NORMAL';
    for (;;) {
      const start = this.watch.environment.allocatePages(order, zone, canBlock);
      if (start === null || start + bytes - 1 <= limit) {
        return start;
      }
      this.watch.environment.freePages(start, order);
      if (zone === 'DMA') {
        return null;
      }
      zone = zone === 'NORMAL' ? 'DMA32' : 'DMA';
    }
  }

  private keep(request: MapRequest, buffer: DynamicBuffer): Placement {
    const id = this.nextId++;
    const pool: ReplayPool = {
      id,
      kind: 'transient',
      start: buffer.start,
      slots: buffer.slots,
      areas: 1,
      addedAtNs: this.nowNs,
      removedAtNs: null,
    };
    this.buffers.set(id, buffer);
    this.bufferPools.push(pool);
    this.poolOf.set(id, pool);
    if (this.version.index === 'list') {
      this.list(request.device).unshift(id);
    }
    this.count(buffer, 1);
    this.dynamicCount++;
    this.lock(request.device);
    this.highWater = Math.max(this.highWater, this.tlb.totalUsed + this.dynamicSlots);
    return {
      pool: id,
      slot: 0,
      firstSlot: 0,
      slots: buffer.slots,
      address: buffer.start,
      pad: 0,
      transient: true,
    };
  }

  private free(id: number, device: number): void {
    const buffer = this.buffers.get(id);
    const pool = this.poolOf.get(id);
    if (buffer === undefined || pool === undefined) {
      return;
    }
    this.buffers.delete(id);
    this.poolOf.delete(id);
    pool.removedAtNs = this.nowNs;
    const list = this.list(device);
    const at = list.indexOf(id);
    if (at >= 0) {
      list.splice(at, 1);
    }
    this.count(buffer, -1);
    if (buffer.atomicBytes > 0) {
      this.watch.environment.freeAtomic(buffer.start, buffer.atomicBytes);
    } else {
      this.watch.environment.freePages(buffer.start, buffer.order);
    }
  }

  /** Adds a buffer to the levels, or takes it away. Each change of hands converts the pages of an encrypted guest. */
  private count(buffer: DynamicBuffer, sign: 1 | -1): void {
    this.dynamicSlots += sign * buffer.slots;
    if (buffer.atomicBytes > 0) {
      return;
    }
    const held = this.pageSize * 2 ** buffer.order;
    this.dynamicBytes += sign * held;
    this.wasteBytes += sign * (held - bytesOf(buffer.slots));
    this.wastePeakBytes = Math.max(this.wastePeakBytes, this.wasteBytes);
    this.dynamicConversions += this.encrypted ? 2 ** buffer.order : 0;
  }

  /** The search for a buffer by address: a descent in the tree, or a walk that moves what it finds to the front. */
  private countSearch(device: number, id: number): void {
    const { cost } = this.tlb;
    this.lock(device);
    if (this.version.index === 'tree') {
      cost.listSteps += Math.ceil(Math.log2(this.buffers.size + 1));
      return;
    }
    const list = this.list(device);
    const at = id < 0 ? -1 : list.indexOf(id);
    cost.listSteps += at < 0 ? list.length : at + 1;
    if (at > 0) {
      list.splice(at, 1);
      list.unshift(id);
    }
  }

  /** v1: one lock for the tree of all devices; v2: one per device. */
  private lock(device: number): void {
    this.tlb.cost.areaLocks++;
    this.lockWatch?.(lockPool, this.version.index === 'tree' ? 0 : device);
  }

  private list(device: number): number[] {
    let list = this.lists.get(device);
    if (list === undefined) {
      list = [];
      this.lists.set(device, list);
    }
    return list;
  }
}

function bytesOf(slots: Slots): Bytes {
  return slots * 2048;
}
