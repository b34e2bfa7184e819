import { createIoTlb, type IoTlb, isFailure, type PreparedPool, TlbDevice } from '../../allocator/ioTlb';
import type { Pool } from '../../allocator/pool';
import type { AllocatorPort, IoTlbSpec, MapFailure, Placement, PoolSpec } from '../../allocator/types';
import { low32 } from '../../base/address';
import type { Cause } from '../../model/cause';
import type { Geometry } from '../../model/geometry';
import type { ReplayPool } from '../../model/replayResult';
import { type Address, type Bytes, bytesToSlots, type Nanoseconds, SLOT_BYTES, type Slots } from '../../model/units';
import type { Environment } from '../environment';
import type { MapRequest, MapResult, PolicyInstance, PolicyState, SummaryInstance } from '../policy';
import { ioTlbSpec, masksByDevice, type ParamValues, unlimitedMasks } from './boot';

export interface IoTlbInstanceOptions {
  /** CONFIG_SWIOTLB_DYNAMIC with transient pools. */
  readonly dynamic: boolean;
  /** The growth worker runs. */
  readonly grows: boolean;
  /** A miss may take a transient pool; without it, true where `dynamic` is. */
  readonly canGrow?: boolean;
  /** What differs from the allocator of the geometry. */
  readonly spec?: Partial<IoTlbSpec>;
}

/** A pool given by the user instead of the worker. */
interface ScheduledPool extends PoolSpec {
  /** Before that many attempts to map, or at that time; the other one is Infinity. */
  readonly beforeAttempt: number;
  readonly atNs: Nanoseconds;
}

const never = Number.POSITIVE_INFINITY;

/** `START:SLOTS:AREAS@#N` or `…@NS`, separated by blanks; what does not read like that is left out. */
export function parseAddedPools(text: string): ScheduledPool[] {
  const pools: ScheduledPool[] = [];
  for (const item of text.split(/[\s;]+/)) {
    const match = /^(0x[0-9a-f]+|\d+):(\d+):(\d+)@(#?)(\d+(?:\.\d+)?)$/i.exec(item);
    if (match === null) {
      continue;
    }
    const at = Number(match[5]);
    const isAttempt = match[4] === '#';
    pools.push({
      kind: 'grown',
      start: Number(match[1]),
      slots: Number(match[2]),
      areas: Number(match[3]),
      beforeAttempt: isAttempt ? at : never,
      atNs: isAttempt ? never : at,
    });
  }
  return pools;
}

type MutableState = { -readonly [K in keyof PolicyState]: PolicyState[K] };
type MutablePool = { -readonly [K in keyof ReplayPool]: ReplayPool[K] };

/**
 * The kernel's own allocator as a policy: fixed, with transient pools, with the growth worker.
 * Variants override single steps.
 */
export class IoTlbInstance implements PolicyInstance, SummaryInstance {
  protected readonly tlb: IoTlb;
  protected readonly params: ParamValues;
  protected readonly environment: Environment;
  protected readonly encrypted: boolean;
  /** The allocator reads `canGrow` at each miss: policies that first try something else switch it. */
  protected readonly spec: { -readonly [K in keyof IoTlbSpec]: IoTlbSpec[K] };
  protected nowNs: Nanoseconds = 0;
  private readonly devices: TlbDevice[];
  private readonly poolList: MutablePool[] = [];
  private readonly poolById = new Map<number, MutablePool>();
  private readonly scheduled: ScheduledPool[];
  private readonly grows: boolean;
  protected readonly pageSize: Bytes;
  protected readonly workerDelayNs: Nanoseconds;
  protected readonly workerRunNs: Nanoseconds;
  private readonly rcuDelayNs: Nanoseconds;
  private attempts = 0;
  /** Areas whose first search index is known. */
  private readonly begun = new Set<number>();
  private workerStartAt = never;
  private workerFinishAt = never;
  private prepared: PreparedPool | null = null;
  private lastWorkerFailed = false;
  /** Due times and pool ids of transient pools in their grace period, oldest first. */
  private readonly rcuDueAt: Nanoseconds[] = [];
  private readonly rcuPool: number[] = [];
  private rcuHead = 0;
  private convertedPages = 0;
  private readonly isPlain: boolean;
  readonly found = { pool: 0, firstSlot: 0, slots: 0, pad: 0, transient: false };
  private readonly current: MutableState;

  constructor(geometry: Geometry, params: ParamValues, environment: Environment, options: IoTlbInstanceOptions) {
    // Variants override single steps, which the short way does not take.
    this.isPlain = new.target === IoTlbInstance;
    this.params = params;
    this.environment = environment;
    this.encrypted = params.get('encrypted') === true;
    this.pageSize = geometry.pageSize.value;
    const canGrow = options.canGrow ?? options.dynamic;
    this.spec = { ...ioTlbSpec(geometry, params, { dynamic: options.dynamic, canGrow }), ...options.spec };
    this.tlb = createIoTlb(this.spec, portFor(environment, this.pageSize));
    this.beginWhereGiven(Number(params.get('startIndex') ?? -1));
    const masks = masksByDevice(geometry, this.encrypted);
    this.devices = [];
    for (let device = 0; device < masks.length; device++) {
      this.devices[device] = new TlbDevice(masks[device] ?? unlimitedMasks(this.encrypted));
    }
    this.scheduled = parseAddedPools(String(params.get('addedPools') ?? ''));
    this.grows = options.grows && this.scheduled.length === 0;
    this.workerDelayNs = Number(params.get('workerDelayNs') ?? 0);
    this.workerRunNs = Number(params.get('workerRunNs') ?? 0);
    this.rcuDelayNs = Number(params.get('rcuDelayNs') ?? 0);
    this.current = {
      usedSlots: 0,
      hiwaterSlots: 0,
      capacitySlots: 0,
      transientSlots: 0,
      memoryBytes: 0,
      roundingWasteBytes: 0,
      transientCount: 0,
      transientFailed: 0,
      workerRuns: 0,
      pageAllocations: 0,
      conversions: 0,
      cost: this.tlb.cost,
    };
    for (const pool of this.tlb.listed) {
      this.notePool(pool, null);
      this.convert(pool);
    }
  }

  watchLocks(watch: (pool: number, area: number) => void): void {
    this.tlb.lockWatch = watch;
  }

  summary(): SummaryInstance | null {
    if (!this.isPlain) {
      return null;
    }
    this.tlb.isLean = true;
    return this;
  }

  mapSummary(request: MapRequest): boolean {
    this.nowNs = request.nowNs;
    if (this.scheduled.length > 0) {
      this.addScheduled((pool) => pool.beforeAttempt <= this.attempts);
    }
    this.attempts++;
    const { tlb, found } = this;
    const { cpu, original, sizeBytes, allocAlignMask } = request;
    const device = this.device(request.device);
    const address = tlb.mapAddress(cpu, device, original, sizeBytes, allocAlignMask, allocAlignMask === 0);
    this.queueWorker();
    if (address < 0) {
      return false;
    }
    found.pool = tlb.lastPoolId;
    found.firstSlot = tlb.lastFirstSlot;
    found.slots = tlb.lastSlots;
    found.pad = tlb.lastPad;
    found.transient = tlb.lastIsTransient;
    return true;
  }

  failureCause(): Cause {
    return this.tlb.lastCause();
  }

  unmapSummary(pool: number, firstSlot: number, slots: Slots, pad: Slots, device: number, nowNs: Nanoseconds): boolean {
    this.nowNs = nowNs;
    const pending = this.tlb.rcuPending;
    this.tlb.unmapSlots(this.device(device), pool, firstSlot, slots, pad);
    if (this.tlb.rcuPending === pending) {
      return false;
    }
    this.waitForRcu(pool);
    return true;
  }

  map(request: MapRequest): MapResult {
    this.nowNs = request.nowNs;
    if (this.scheduled.length > 0) {
      this.addScheduled((pool) => pool.beforeAttempt <= this.attempts);
    }
    this.attempts++;
    const device = this.device(request.device);
    const { cpu, original, sizeBytes, allocAlignMask } = request;
    // Only swiotlb_map checks whether the device reaches the buffer; the IOMMU path maps it to an address of its own.
    const result = this.tlb.map(cpu, device, original, sizeBytes, allocAlignMask, allocAlignMask === 0);
    this.queueWorker();
    return this.answer(result, 0);
  }

  /** The allocator's word as the answer to a request. */
  protected answer(result: Placement | MapFailure, stallNs: Nanoseconds): MapResult {
    if (isFailure(result)) {
      return { ok: false, failure: this.explain(result), stallNs };
    }
    if (result.transient && !this.tlb.isLean) {
      this.noteTransient(result);
    }
    return { ok: true, placement: result, stallNs };
  }

  /** Runs the growth worker's whole job at once; false when there was no memory. */
  protected growNow(): boolean {
    const pool = this.tlb.runWorker();
    this.lastWorkerFailed = pool === null;
    if (pool !== null) {
      this.notePool(pool, this.nowNs);
      this.convert(pool);
    }
    return pool !== null;
  }

  /** Unlists an empty pool; its memory goes back after the grace period. */
  protected removePool(pool: Pool): void {
    this.tlb.removePool(pool);
    this.convert(pool);
    this.waitForRcu(pool.id);
  }

  private waitForRcu(pool: number): void {
    this.rcuDueAt.push(this.nowNs + this.rcuDelayNs);
    this.rcuPool.push(pool);
  }

  adopt(request: MapRequest, bounceAddress: Address): Placement | null {
    const device = this.device(request.device);
    const pool = this.tlb.listed.find((candidate) => candidate.contains(bounceAddress));
    if (pool === undefined) {
      return null;
    }
    const offset = (low32(bounceAddress) & device.masks.minAlignMask & (SLOT_BYTES - 1)) >>> 0;
    const slot = Math.floor((bounceAddress - offset - pool.start) / SLOT_BYTES);
    const slots = bytesToSlots(request.sizeBytes + offset);
    if (slot < 0 || slot + slots > pool.slots || !pool.fits(slot, slots)) {
      return null;
    }
    pool.take(slot, slots, 0);
    this.tlb.totalUsed += slots;
    this.tlb.hiwater = Math.max(this.tlb.hiwater, this.tlb.totalUsed);
    device.usesIoTlb = true;
    return { pool: pool.id, slot, firstSlot: slot, slots, address: bounceAddress, pad: 0, transient: false };
  }

  /** The user's `startIndex`: no recorded address moves it any more. */
  private beginWhereGiven(startIndex: number): void {
    if (startIndex < 0) {
      return;
    }
    for (const pool of this.tlb.listed) {
      pool.areaIndex.fill(Math.floor(startIndex) % pool.areaSlots);
      for (let area = 0; area < pool.areas; area++) {
        this.begun.add(area);
      }
    }
  }

  beginAt({ device, original, allocAlignMask }: MapRequest, bounceAddress: Address): boolean {
    const pool = this.tlb.listed.find((candidate) => candidate.contains(bounceAddress));
    if (pool === undefined) {
      return false;
    }
    const { minAlignMask } = this.device(device).masks;
    const padded = (low32(original) & minAlignMask & (allocAlignMask | (SLOT_BYTES - 1))) >>> 0;
    const slot = Math.max(0, Math.floor((bounceAddress - padded - pool.start) / SLOT_BYTES));
    const area = pool.areaOf(slot);
    if (this.begun.has(area)) {
      return false;
    }
    this.begun.add(area);
    pool.areaIndex[area] = slot - area * pool.areaSlots;
    return true;
  }

  unmap(placement: Placement, device: number, nowNs: Nanoseconds): void {
    this.nowNs = nowNs;
    this.tlb.unmap(this.device(device), placement);
    if (!this.tlb.spec.dynamic) {
      // is_swiotlb_buffer compares one range; the allocator counts only walks of lists.
      this.tlb.cost.lookups++;
    }
    if (placement.transient) {
      this.waitForRcu(placement.pool);
    }
  }

  lookup(device: number, count: number): void {
    const tlbDevice = this.device(device);
    const { lookups, listSteps } = this.tlb.cost;
    this.tlb.lookup(tlbDevice, Number.NaN);
    const steps = this.tlb.cost.listSteps - listSteps;
    this.tlb.cost.lookups = lookups + count;
    this.tlb.cost.listSteps = listSteps + steps * count;
  }

  nextEventAt(): Nanoseconds {
    return Math.min(this.workerAt(), this.rcuAt(), this.scheduledAt());
  }

  runEvent(): void {
    const nextNs = this.nextEventAt();
    this.nowNs = Math.max(this.nowNs, nextNs);
    if (nextNs === this.scheduledAt()) {
      this.addScheduled((pool) => pool.atNs <= nextNs);
    } else if (nextNs === this.workerAt()) {
      this.runWorkerStep(nextNs);
    } else {
      this.freeTransient(nextNs);
    }
  }

  pools(): readonly ReplayPool[] {
    return this.poolList;
  }

  state(): PolicyState {
    const { current, tlb } = this;
    current.usedSlots = tlb.totalUsed;
    current.hiwaterSlots = tlb.hiwater;
    current.capacitySlots = tlb.totalSlots;
    current.transientSlots = tlb.transientSlots;
    current.memoryBytes = tlb.memoryBytes;
    current.roundingWasteBytes = Math.max(current.roundingWasteBytes, tlb.roundingWasteBytes);
    current.transientCount = tlb.transientCount;
    current.transientFailed = tlb.transientFailed;
    current.workerRuns = tlb.workerRuns + tlb.workerFailed;
    current.pageAllocations = tlb.pageAllocations;
    current.conversions = this.convertedPages;
    return current;
  }

  protected device(row: number): TlbDevice {
    let device = this.devices[row];
    if (device === undefined) {
      device = new TlbDevice(unlimitedMasks(this.encrypted));
      this.devices[row] = device;
    }
    return device;
  }

  /** Queues the growth worker when a search has missed and it is not queued yet. */
  protected queueWorker(): void {
    if (this.grows && this.tlb.pendingWork && this.workerStartAt === never) {
      this.workerStartAt = this.nowNs + this.workerDelayNs;
    }
  }

  /** The cause as this policy sees it. */
  protected explain(failure: MapFailure): MapFailure {
    if (!this.grows || failure.cause !== 'alignment' || this.lastWorkerFailed) {
      return failure;
    }
    // Every pool was searched in vain and a buffer-sized pool cannot give this alignment: only an earlier growth could.
    return { ...failure, cause: 'growth-too-late' };
  }

  protected notePool(pool: Pool, addedAtNs: Nanoseconds | null): void {
    this.record({
      id: pool.id,
      kind: pool.kind,
      start: pool.start,
      slots: pool.slots,
      areas: pool.areas,
      addedAtNs,
      removedAtNs: null,
    });
  }

  /** set_memory_decrypted or _encrypted of a pool's pages; free in guests without encryption. */
  protected convert(pool: { readonly slots: Slots }): void {
    if (this.encrypted) {
      this.convertedPages += Math.ceil((pool.slots * SLOT_BYTES) / this.pageSize);
    }
  }

  private record(pool: MutablePool): void {
    this.poolList.push(pool);
    this.poolById.set(pool.id, pool);
  }

  private noteTransient(placement: Placement): void {
    this.record({
      id: placement.pool,
      kind: 'transient',
      start: this.tlb.pool(placement.pool).start,
      slots: placement.slots,
      areas: 1,
      addedAtNs: this.nowNs,
      removedAtNs: null,
    });
    // Atomic allocations of encrypted guests come from a pool that is shared already: nothing to convert.
  }

  private workerAt(): Nanoseconds {
    return this.prepared === null ? this.workerStartAt : this.workerFinishAt;
  }

  private rcuAt(): Nanoseconds {
    return this.rcuHead < this.rcuDueAt.length ? this.rcuDueAt[this.rcuHead] : never;
  }

  private scheduledAt(): Nanoseconds {
    if (this.scheduled.length === 0) {
      return never;
    }
    let at = never;
    for (const pool of this.scheduled) {
      at = Math.min(at, pool.atNs);
    }
    return at;
  }

  private addScheduled(isDue: (pool: ScheduledPool) => boolean): void {
    for (let i = 0; i < this.scheduled.length; i++) {
      if (isDue(this.scheduled[i])) {
        const [spec] = this.scheduled.splice(i--, 1);
        const pool = this.tlb.addPool(spec);
        this.notePool(pool, this.nowNs);
        this.convert(pool);
      }
    }
  }

  private runWorkerStep(nowNs: Nanoseconds): void {
    if (this.prepared === null) {
      this.workerStartAt = never;
      this.prepared = this.tlb.startWorker();
      this.lastWorkerFailed = this.prepared === null;
      this.workerFinishAt = nowNs + this.workerRunNs;
      return;
    }
    const pool = this.tlb.finishWorker(this.prepared);
    this.prepared = null;
    this.workerFinishAt = never;
    this.notePool(pool, nowNs);
    this.convert(pool);
    // A miss during the run queued the worker again: it starts no earlier than now.
    this.workerStartAt = this.workerStartAt === never ? never : Math.max(this.workerStartAt, nowNs);
  }

  private freeTransient(nowNs: Nanoseconds): void {
    const id = this.rcuPool[this.rcuHead++];
    this.tlb.freeNextTransient();
    const pool = this.poolById.get(id);
    if (pool !== undefined) {
      pool.removedAtNs = nowNs;
      this.poolById.delete(id);
    }
    if (this.rcuHead === this.rcuDueAt.length) {
      this.rcuHead = 0;
      this.rcuDueAt.length = 0;
      this.rcuPool.length = 0;
    }
  }
}

function portFor(environment: Environment, pageSize: Bytes): AllocatorPort {
  return {
    allocatePages: (order, zone, canBlock) => environment.allocatePages(order, zone, canBlock),
    freePages: (start, order) => environment.freePages(start, order),
    allocateAtomic: (bytes) => environment.allocateAtomic(bytes),
    freeAtomic: (start, bytes) => environment.freeAtomic(start, bytes),
    allocateMeta: (bytes, canBlock) => environment.allocateMeta(bytes, canBlock),
    allocateSlotArray: (order, canBlock) => environment.allocateMeta(pageSize * 2 ** order, canBlock),
  };
}
