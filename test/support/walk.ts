/**
 * The allocator's search, taken literally: one slot descriptor per slot, one loop step per slot looked at.
 * An independent statement of the rules (kernel/dma/swiotlb.c of the versions named below) that shares no code with
 * src/allocator. It is slow on purpose; tests and the bench compare the shipped search with it.
 */

export type WalkGeneration = '4.18' | '6.1' | '6.6' | '6.8' | '6.12';

export interface WalkDevice {
  readonly minAlignMask: number;
  /** Infinity: all ones. */
  readonly segBoundaryMask: number;
}

export const WALK_NOT_FOUND = -1;
export const WALK_LOCKUP = -2;

const SEGMENT = 128;

export class WalkPool {
  readonly generation: WalkGeneration;
  readonly start: number;
  readonly slots: number;
  readonly areas: number;
  readonly areaSlots: number;
  readonly pageSize: number;
  /** slot.list, with one segment of zeroed slack behind the pool. */
  readonly list: Int32Array;
  /** slot.alloc_size. */
  readonly allocSize: Int32Array;
  readonly index: Int32Array;
  readonly used: Int32Array;
  probes = 0;

  constructor(generation: WalkGeneration, start: number, slots: number, areas: number, pageSize: number) {
    this.generation = generation;
    this.start = start;
    this.slots = slots;
    this.areas = areas;
    this.areaSlots = slots / areas;
    this.pageSize = pageSize;
    this.list = new Int32Array(slots + SEGMENT);
    this.allocSize = new Int32Array(slots + SEGMENT);
    this.index = new Int32Array(areas);
    this.used = new Int32Array(areas);
    const bounded = generation === '6.8' || generation === '6.12';
    for (let i = 0; i < slots; i++) {
      const toSegmentEnd = SEGMENT - (i % SEGMENT);
      this.list[i] = bounded ? Math.min(toSegmentEnd, slots - i) : toSegmentEnd;
    }
  }

  /** First slot for `allocSize` bytes in the area, from `index` on; nothing is changed. */
  search(area: number, index: number, device: WalkDevice, orig: number, allocSize: number, alignMask: number): number {
    this.probes = 0;
    switch (this.generation) {
      case '4.18':
        return this.search418(index, device, allocSize);
      case '6.1':
        return this.search61(area, index, device, orig, allocSize, alignMask);
      case '6.6':
      case '6.8':
        return this.search66(area, index, device, orig, allocSize, alignMask);
      case '6.12':
        return this.search612(area, index, device, orig, allocSize, alignMask);
    }
  }

  /** Marks the run and moves the area's index behind it. */
  take(area: number, slot: number, allocSize: number, offset: number): void {
    const n = Math.ceil(allocSize / 2048);
    for (let i = slot; i < slot + n; i++) {
      this.list[i] = 0;
      this.allocSize[i] = allocSize - (offset + (i - slot) * 2048);
    }
    let count = 0;
    for (let i = slot - 1; i >= 0 && i % SEGMENT !== SEGMENT - 1 && this.list[i] !== 0; i--) {
      this.list[i] = ++count;
    }
    const next = slot - area * this.areaSlots + n;
    this.index[area] = next < this.areaSlots ? next : 0;
    this.used[area] += n;
  }

  /** Frees the run that starts at `slot`. */
  release(slot: number, offset: number): void {
    const n = Math.ceil((this.allocSize[slot] + offset) / 2048);
    const segmentEnd = Math.ceil((slot + 1) / SEGMENT) * SEGMENT;
    let count = slot + n < segmentEnd ? this.list[slot + n] : 0;
    for (let i = slot + n - 1; i >= slot; i--) {
      this.list[i] = ++count;
      this.allocSize[i] = 0;
    }
    for (let i = slot - 1; i >= 0 && i % SEGMENT !== SEGMENT - 1 && this.list[i] !== 0; i--) {
      this.list[i] = ++count;
    }
    this.used[Math.floor(slot / this.areaSlots)] -= n;
  }

  /** 6.9 and later. */
  private search612(
    area: number,
    index: number,
    device: WalkDevice,
    orig: number,
    allocSize: number,
    aam: number,
  ): number {
    const n = Math.ceil(allocSize / 2048);
    if (aam === 0 && device.minAlignMask === 0 && allocSize >= this.pageSize) {
      aam = this.pageSize - 1;
    }
    aam = (aam | 0x7ff) >>> 0;
    const im = (device.minAlignMask & ~aam) >>> 0;
    const stride = (Math.max(aam, im) >>> 11) + 1;
    if (n > this.areaSlots - this.used[area]) {
      return WALK_NOT_FOUND;
    }
    const base = area * this.areaSlots;
    const tbl = this.tblDma(device);
    const tblLow = tbl >>> 0;
    const origLow = orig >>> 0;
    let checked = 0;
    while (checked < this.areaSlots) {
      const s = base + index;
      const t = (tblLow + s * 2048) >>> 0;
      if ((t & aam) !== 0 || (orig !== 0 && (t & im) !== (origLow & im))) {
        index = this.wrap(index + 1);
        checked++;
        continue;
      }
      this.probes++;
      if (!this.spans(tbl, s, n, device) && this.list[s] >= n) {
        return s;
      }
      index = this.wrap(index + stride);
      checked += stride;
    }
    return WALK_NOT_FOUND;
  }

  /** 6.3 to 6.8. */
  private search66(
    area: number,
    index: number,
    device: WalkDevice,
    orig: number,
    allocSize: number,
    aam: number,
  ): number {
    const n = Math.ceil(allocSize / 2048);
    let im = device.minAlignMask | aam;
    if (allocSize >= this.pageSize) {
      im |= this.pageSize - 1;
    }
    im = (im & ~0x7ff) >>> 0;
    const stride = (im >>> 11) + 1;
    if (n > this.areaSlots - this.used[area]) {
      return WALK_NOT_FOUND;
    }
    const base = area * this.areaSlots;
    const tbl = this.tblDma(device);
    let checked = 0;
    while (checked < this.areaSlots) {
      const s = base + index;
      const t = ((tbl >>> 0) + s * 2048) >>> 0;
      if (orig !== 0 && (t & im) !== ((orig >>> 0) & im)) {
        index = this.wrap(index + 1);
        checked++;
        continue;
      }
      this.probes++;
      if (!this.spans(tbl, s, n, device) && this.list[s] >= n) {
        return s;
      }
      index = this.wrap(index + stride);
      checked += stride;
    }
    return WALK_NOT_FOUND;
  }

  /** 6.0 to 6.2; a walk that comes to slot 0 for the third time goes on for ever. */
  private search61(
    area: number,
    index: number,
    device: WalkDevice,
    orig: number,
    allocSize: number,
    aam: number,
  ): number {
    const n = Math.ceil(allocSize / 2048);
    aam = (aam | 0x7ff) >>> 0;
    const im = (device.minAlignMask & ~aam) >>> 0;
    let stride = (im >>> 11) + 1;
    if (allocSize >= this.pageSize) {
      stride = Math.max(stride, stride * (this.pageSize / 2048));
    }
    stride = Math.max(stride, (aam >>> 11) + 1);
    if (n > this.areaSlots - this.used[area]) {
      return WALK_NOT_FOUND;
    }
    const base = area * this.areaSlots;
    const tbl = this.tblDma(device);
    const start = this.wrap((index + stride - 1) & ~(stride - 1));
    let at = start;
    let wraps = 0;
    do {
      const s = base + at;
      const t = ((tbl >>> 0) + s * 2048) >>> 0;
      let next = at + 1;
      if (orig === 0 || (t & im) === ((orig >>> 0) & im)) {
        this.probes++;
        if (!this.spans(tbl, s, n, device) && this.list[s] >= n) {
          return s;
        }
        next = at + stride;
      }
      at = this.wrap(next);
      if (at !== next && ++wraps === 3) {
        return WALK_LOCKUP;
      }
    } while (at !== start);
    return WALK_NOT_FOUND;
  }

  /** Before areas; device masks do not exist. */
  private search418(index: number, device: WalkDevice, size: number): number {
    const n = Math.ceil(size / 2048);
    const stride = size >= this.pageSize ? this.pageSize / 2048 : 1;
    const tbl = this.tblDma(device);
    const start = this.wrap(Math.ceil(index / stride) * stride);
    let at = start;
    do {
      this.probes++;
      if (!this.spans(tbl, at, n, device) && this.list[at] >= n) {
        return at;
      }
      at = this.wrap(at + stride);
    } while (at !== start);
    return WALK_NOT_FOUND;
  }

  private wrap(index: number): number {
    return index >= this.areaSlots ? 0 : index;
  }

  private tblDma(device: WalkDevice): number {
    if (device.segBoundaryMask === Number.POSITIVE_INFINITY) {
      return this.start;
    }
    return Number(BigInt(this.start) & BigInt(device.segBoundaryMask));
  }

  private spans(tbl: number, slot: number, n: number, device: WalkDevice): boolean {
    if (device.segBoundaryMask === Number.POSITIVE_INFINITY) {
      return false;
    }
    const slotsPerBoundary = Math.floor(device.segBoundaryMask / 2048) + 1;
    return ((Math.ceil(tbl / 2048) + slot) % slotsPerBoundary) + n > slotsPerBoundary;
  }
}

export interface WalkMapping {
  readonly firstSlot: number;
  readonly slots: number;
  readonly address: number;
  readonly pad: number;
  readonly offset: number;
}

/** A fixed pool: every area once, from the CPU's own on. */
export class WalkTlb {
  readonly pool: WalkPool;
  totalUsed = 0;
  hiwater = 0;
  areaLocks = 0;
  probes = 0;

  constructor(pool: WalkPool) {
    this.pool = pool;
  }

  /** null: no slots. Generation 6.12. */
  map(cpu: number, device: WalkDevice, orig: number, mappingSize: number, alignMask: number): WalkMapping | null {
    const { pool } = this;
    let offset = ((orig >>> 0) & device.minAlignMask & (alignMask | 0x7ff)) >>> 0;
    let size = mappingSize + offset;
    if (alignMask !== 0) {
      size = Math.ceil(size / (alignMask + 1)) * (alignMask + 1);
    }
    const first = cpu & (pool.areas - 1);
    let area = first;
    let slot = WALK_NOT_FOUND;
    do {
      this.areaLocks++;
      slot = pool.search(area, pool.index[area], device, orig, size, alignMask);
      this.probes += pool.probes;
      if (slot >= 0) {
        break;
      }
      area = area + 1 >= pool.areas ? 0 : area + 1;
    } while (area !== first);
    if (slot < 0) {
      return null;
    }
    const pad = offset >>> 11;
    offset &= 0x7ff;
    pool.take(area, slot, size, offset);
    const slots = Math.ceil(size / 2048);
    this.totalUsed += slots;
    this.hiwater = Math.max(this.hiwater, this.totalUsed);
    return { firstSlot: slot, slots, address: pool.start + (slot + pad) * 2048 + offset, pad, offset };
  }

  /** Ends the mapping that starts at a slot; `offset` into the slot is that of the original address. */
  unmap(firstSlot: number, offset: number): void {
    this.areaLocks++;
    this.totalUsed -= Math.ceil((this.pool.allocSize[firstSlot] + offset) / 2048);
    this.pool.release(firstSlot, offset);
  }
}
