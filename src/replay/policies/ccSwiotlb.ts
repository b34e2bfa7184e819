import type { AllocatorCost, DeviceMasks, MapFailure, Placement } from '../../allocator/types';
import { low32 } from '../../base/address';
import type { Cause } from '../../model/cause';
import type { Geometry } from '../../model/geometry';
import type { ReplayPool } from '../../model/replayResult';
import { type Address, type Bytes, type Nanoseconds, SLOT_BYTES } from '../../model/units';
import type { Environment } from '../environment';
import type { MapRequest, MapResult, Policy, PolicyInstance, PolicyParam, PolicyState } from '../policy';
import { masksByDevice, type ParamValues, resolveParams, unlimitedMasks } from './boot';
import { poolParams, transientParams } from './params';

const listOfCounts = { pattern: /^\d+(\s*,\s*\d+)*$/, words: 'whole numbers separated by commas' };

const params: readonly PolicyParam[] = [
  ...poolParams.filter((param) => param.name === 'encrypted'),
  ...transientParams.filter((param) => param.name === 'maxPageOrder'),
  {
    name: 'classes',
    title: 'Slot sizes of the classes, ascending, in bytes',
    unit: 'bytes',
    default: '512,2048,4096,16384,524288',
    source: 'the series, patch 2/4',
    form: listOfCounts,
  },
  {
    name: 'watermarks',
    title: 'Slots each class is filled up to (cc_swiotlb=)',
    unit: 'slots',
    default: '256,16384,8192,1024,32',
    source: 'the series, patch 2/4: about 96 MiB',
    form: listOfCounts,
  },
  {
    name: 'wakeDelayNs',
    title: 'From waking the filling thread (kccd) until it runs',
    unit: 'ns',
    default: 100e3,
    defaultSteps: 2,
    source: 'assumption: a scheduler wake-up',
    min: 0,
  },
  {
    name: 'starvedNs',
    title: 'How much longer the thread waits because of work of higher priority',
    unit: 'ns',
    default: 0,
    source: 'Andi Kleen’s objection: the thread may be starved',
    min: 0,
  },
  {
    name: 'roundNs',
    title: 'Time of one filling round of up to 4 MiB (allocation, decryption, slot array)',
    unit: 'ns',
    default: 1e6,
    defaultSteps: 10,
    source: 'assumption',
    min: 0,
  },
];

const never = Number.POSITIVE_INFINITY;
/** Bytes of an xarray node. */
const xarrayNodeBytes = 576;

/** Slots of one class that come from one allocation, handed out in order until they are used up. */
interface FreshRun {
  next: Address;
  readonly end: Address;
  readonly chunk: number;
}

/** One size class: freed slots come back first, newest first; new ones wait behind them. */
interface SizeClass {
  readonly bytes: Bytes;
  readonly watermark: number;
  free: number;
  readonly recycled: { readonly address: Address; readonly chunk: number }[];
  readonly fresh: FreshRun[];
}

interface LiveSlot {
  readonly sizeClass: SizeClass;
  readonly address: Address;
  readonly chunk: number;
  readonly wasteBytes: Bytes;
}

/** policies.md (g): five lists of equal slots, filled up by a thread. */
class CcSwiotlbInstance implements PolicyInstance {
  private readonly environment: Environment;
  private readonly params: ParamValues;
  private readonly classes: SizeClass[];
  private readonly masks: DeviceMasks[];
  private readonly pageSize: Bytes;
  private readonly encrypted: boolean;
  private readonly roundBytes: Bytes;
  private readonly chunks: ReplayPool[] = [];
  private readonly live = new Map<Address, LiveSlot>();
  private readonly cost: AllocatorCost = { areaLocks: 0, probes: 0, poolsVisited: 0, lookups: 0, listSteps: 0 };
  private lockWatch: ((pool: number, area: number) => void) | null = null;
  private nowNs: Nanoseconds = 0;
  private usedBytes: Bytes = 0;
  private highWaterBytes: Bytes = 0;
  private capacityBytes: Bytes = 0;
  private memoryBytes: Bytes = 0;
  private wasteBytes: Bytes = 0;
  private wastePeakBytes: Bytes = 0;
  private conversions = 0;
  private pageAllocations = 0;
  private runs = 0;
  private wakeAt = never;
  private roundAt = never;
  /** Class the thread is at, and bytes still to add to it. */
  private filling = 0;
  private fillBytes: Bytes = 0;

  constructor(geometry: Geometry, values: ParamValues, environment: Environment) {
    this.environment = environment;
    this.params = values;
    this.encrypted = values.get('encrypted') === true;
    this.pageSize = geometry.pageSize.value;
    this.masks = masksByDevice(geometry, this.encrypted);
    this.roundBytes = this.pageSize * 2 ** Number(values.get('maxPageOrder'));
    const marks = numbers(String(values.get('watermarks')));
    this.classes = numbers(String(values.get('classes'))).map((bytes, index) => ({
      bytes,
      watermark: marks[index] ?? 0,
      free: 0,
      recycled: [],
      fresh: [],
    }));
    this.populateAtBoot();
  }

  watchLocks(watch: (pool: number, area: number) => void): void {
    this.lockWatch = watch;
  }

  map(request: MapRequest): MapResult {
    this.nowNs = request.nowNs;
    const minAlignMask = (this.masks[request.device] ?? unlimitedMasks(false)).minAlignMask;
    const offset = (low32(request.original) & minAlignMask) >>> 0;
    const bytes = request.sizeBytes + offset;
    const align = Math.max(minAlignMask, request.allocAlignMask);
    // First class that is large enough and whose size bit the alignment does not claim; a full class is not passed over.
    const sizeClass = this.classes.find((candidate) => bytes <= candidate.bytes && (align & candidate.bytes) === 0);
    this.cost.probes++;
    if (sizeClass === undefined) {
      const largest = this.classes.at(-1)?.bytes ?? 0;
      return this.failure(bytes > largest ? 'over-size' : 'alignment', bytes);
    }
    this.lock(sizeClass);
    const slot = takeSlot(sizeClass);
    if (slot === null) {
      this.wakeIfLow();
      return this.failure('class-empty', bytes);
    }
    this.wakeIfLow();
    this.lock(null);
    if (!this.environment.allocateMeta(xarrayNodeBytes, false)) {
      giveBack(sizeClass, slot);
      return this.failure('allocation-failed', bytes);
    }
    const address = slot.address + offset;
    this.live.set(address, { sizeClass, ...slot, wasteBytes: sizeClass.bytes - request.sizeBytes });
    this.usedBytes += sizeClass.bytes;
    this.highWaterBytes = Math.max(this.highWaterBytes, this.usedBytes);
    this.wasteBytes += sizeClass.bytes - request.sizeBytes;
    this.wastePeakBytes = Math.max(this.wastePeakBytes, this.wasteBytes);
    const start = this.chunks[slot.chunk].start;
    const placement: Placement = {
      pool: slot.chunk,
      slot: Math.floor((address - start) / SLOT_BYTES),
      firstSlot: Math.floor((slot.address - start) / SLOT_BYTES),
      slots: Math.ceil(sizeClass.bytes / SLOT_BYTES),
      address,
      pad: 0,
      transient: false,
    };
    return { ok: true, placement, stallNs: 0 };
  }

  /** Slots of classes have no addresses of the recording's pool. */
  adopt(): null {
    return null;
  }

  unmap(placement: Placement, _device: number, nowNs: Nanoseconds): void {
    this.nowNs = nowNs;
    const slot = this.live.get(placement.address);
    if (slot === undefined) {
      return;
    }
    this.live.delete(placement.address);
    this.lock(null);
    this.lock(slot.sizeClass);
    this.lookup(0, 1);
    giveBack(slot.sizeClass, slot);
    this.usedBytes -= slot.sizeClass.bytes;
    this.wasteBytes -= slot.wasteBytes;
  }

  /** The lock of a class, or of the xarray that knows the live slots; both are those of all CPUs. */
  private lock(sizeClass: SizeClass | null): void {
    this.cost.areaLocks++;
    this.lockWatch?.(0, sizeClass === null ? 0 : 1 + this.classes.indexOf(sizeClass));
  }

  /** A descent of the xarray, 64 ways per level. */
  lookup(_device: number, count: number): void {
    this.cost.lookups += count;
    this.cost.listSteps += count * Math.ceil(Math.log2(this.live.size + 1) / 6);
  }

  nextEventAt(): Nanoseconds {
    return Math.min(this.wakeAt, this.roundAt);
  }

  runEvent(): void {
    this.nowNs = Math.max(this.nowNs, this.nextEventAt());
    if (this.roundAt !== never) {
      this.finishRound();
      return;
    }
    this.wakeAt = never;
    this.runs++;
    this.filling = 0;
    this.fillBytes = 0;
    this.startRound();
  }

  pools(): readonly ReplayPool[] {
    return this.chunks;
  }

  state(): PolicyState {
    return {
      usedSlots: Math.ceil(this.usedBytes / SLOT_BYTES),
      hiwaterSlots: Math.ceil(this.highWaterBytes / SLOT_BYTES),
      capacitySlots: Math.floor(this.capacityBytes / SLOT_BYTES),
      transientSlots: 0,
      memoryBytes: this.memoryBytes,
      roundingWasteBytes: this.wastePeakBytes,
      transientCount: 0,
      transientFailed: 0,
      workerRuns: this.runs,
      pageAllocations: this.pageAllocations,
      conversions: this.conversions,
      cost: this.cost,
    };
  }

  private failure(cause: Cause, bytes: Bytes): MapResult {
    const freeBytes = this.classes.reduce((sum, { bytes: size, free }) => sum + size * free, 0);
    const largest = this.classes.reduce((most, { bytes: size, free }) => (free > 0 ? Math.max(most, size) : most), 0);
    const failure: MapFailure = {
      cause,
      printedBytes: bytes,
      freeSlots: Math.floor(freeBytes / SLOT_BYTES),
      largestHole: Math.floor(largest / SLOT_BYTES),
    };
    return { ok: false, failure, stallNs: 0 };
  }

  /** Any class below half its mark wakes the thread, whichever class was asked for. */
  private wakeIfLow(): void {
    if (this.wakeAt !== never || this.roundAt !== never) {
      return;
    }
    if (this.classes.some(({ free, watermark }) => free < Math.floor(watermark / 2))) {
      this.wakeAt = this.nowNs + Number(this.params.get('wakeDelayNs')) + Number(this.params.get('starvedNs'));
    }
  }

  private populateAtBoot(): void {
    for (const sizeClass of this.classes) {
      let bytes = sizeClass.bytes * sizeClass.watermark;
      while (bytes > 0 && this.addChunk(sizeClass, Math.min(bytes, this.roundBytes), 'boot')) {
        bytes -= Math.min(bytes, this.roundBytes);
      }
    }
  }

  /** The thread goes through the classes: one above its mark is skipped, any other gets a full watermark's worth. */
  private startRound(): void {
    while (this.fillBytes === 0 && this.filling < this.classes.length) {
      const { free, watermark, bytes } = this.classes[this.filling];
      if (free > watermark || watermark === 0) {
        this.filling++;
      } else {
        this.fillBytes = watermark * bytes;
      }
    }
    this.roundAt = this.filling < this.classes.length ? this.nowNs + Number(this.params.get('roundNs')) : never;
  }

  private finishRound(): void {
    const bytes = Math.min(this.fillBytes, this.roundBytes);
    this.roundAt = never;
    if (!this.addChunk(this.classes[this.filling], bytes, 'grown')) {
      // The thread gives up: the classes behind this one get nothing until it is woken again.
      return;
    }
    this.fillBytes -= bytes;
    if (this.fillBytes === 0) {
      this.filling++;
    }
    this.startRound();
    if (this.roundAt === never) {
      this.wakeIfLow();
    }
  }

  private addChunk(sizeClass: SizeClass, bytes: Bytes, kind: 'boot' | 'grown'): boolean {
    const order = Math.max(0, Math.ceil(Math.log2(bytes / this.pageSize)));
    this.pageAllocations++;
    const start = this.environment.allocatePages(order, 'NORMAL', true);
    if (start === null) {
      return false;
    }
    const count = Math.floor(bytes / sizeClass.bytes);
    this.chunks.push({
      id: this.chunks.length,
      kind,
      start,
      slots: Math.floor(bytes / SLOT_BYTES),
      areas: 1,
      addedAtNs: kind === 'boot' ? null : this.nowNs,
      removedAtNs: null,
    });
    sizeClass.fresh.push({ next: start, end: start + count * sizeClass.bytes, chunk: this.chunks.length - 1 });
    sizeClass.free += count;
    this.capacityBytes += count * sizeClass.bytes;
    // alloc_pages_exact gives back what is left of the power of two.
    this.memoryBytes += Math.ceil(bytes / this.pageSize) * this.pageSize;
    this.conversions += this.encrypted ? Math.ceil(bytes / this.pageSize) : 0;
    return true;
  }
}

function takeSlot(sizeClass: SizeClass): { address: Address; chunk: number } | null {
  const recycled = sizeClass.recycled.pop();
  if (recycled !== undefined) {
    sizeClass.free--;
    return recycled;
  }
  const run = sizeClass.fresh[0];
  if (run === undefined) {
    return null;
  }
  const address = run.next;
  run.next += sizeClass.bytes;
  if (run.next >= run.end) {
    sizeClass.fresh.shift();
  }
  sizeClass.free--;
  return { address, chunk: run.chunk };
}

function giveBack(sizeClass: SizeClass, slot: { readonly address: Address; readonly chunk: number }): void {
  sizeClass.recycled.push({ address: slot.address, chunk: slot.chunk });
  sizeClass.free++;
}

function numbers(text: string): number[] {
  return text
    .split(',')
    .map(Number)
    .filter((value) => Number.isFinite(value) && value >= 0);
}

export const ccSwiotlbPolicy: Policy = {
  id: 'cc-swiotlb',
  title: 'cc-swiotlb',
  explanation:
    'No boot pool: five lists of slots of 512 B, 2, 4, 16 and 512 KiB. A mapping takes a slot of the first class that ' +
    'fits; when that class is empty it fails, although larger slots may be free. A thread refills a class below half its ' +
    'mark, and every class at or below its mark along with it; nothing shrinks. It fails when the thread is starved by ' +
    'work of higher priority or outrun by bandwidth, and when the xarray node cannot be had in atomic context.',
  params,
  source: 'Guorui Yu, cc-swiotlb, RFC (28 January 2023)',
  create: (geometry, values, environment) => new CcSwiotlbInstance(geometry, values, environment),
  resolveParams: (geometry, settings) => resolveParams(params, geometry, settings),
};
