import { assert } from '../base/assert';
import { type Address, SEGMENT_SLOTS, SLOT_BYTES, type Slots } from '../model/units';
import type { PoolSpec } from './types';

/** Segments summarised by one entry of the middle level of the index. */
const GROUP_SHIFT = 3;
const GROUP_MASK = (1 << GROUP_SHIFT) - 1;
const WORDS_PER_SEGMENT = SEGMENT_SLOTS / 32;
/** Every 2^i-th bit of a word, for i to 5. */
const EVERY = [-1, 0x55555555, 0x11111111, 0x01010101, 0x00010001, 1] as const;

export interface PoolOptions {
  /** Slots per page: 2 for 4 KiB pages, 8 for 16 KiB, 32 for 64 KiB. */
  readonly pageSlots: Slots;
  /**
   * Until 6.7 the free counts of a last, partial segment reach to the segment's end, past the end of the pool
   * (swiotlb_init_io_tlb_mem). Such kernels may place a run that overruns the pool.
   */
  readonly tailOverrun: boolean;
}

/**
 * The slots of one pool and their areas (struct io_tlb_pool): who is free, and where the next search starts.
 * Knows nothing about requests, masks or versions: those are in search/.
 *
 * The kernel keeps `list`, the count of free slots up to the end of the run or segment, for every slot.
 * That is a function of which slots are free, so only a bitmap is kept and `list` is derived.
 *
 * Over the bitmap lies an index of free runs: for each segment, for each group of 8 segments and for each area an
 * upper bound of the longest free run, and of the longest part of a run that starts on a page.
 * A release raises bounds at once; taking slots leaves them too high, and the next search that is misled
 * tightens them, at most once per taken run, so a search does not pay for the slots in use.
 */
export class Pool {
  /** Changes only when an empty transient pool is used again, as `start` and `end` do. */
  id: number;
  readonly kind: PoolSpec['kind'];
  /** Physical and DMA address of slot 0. */
  start: Address;
  /** Exclusive end of the pool's addresses. */
  end: Address;
  /** nslabs. */
  readonly slots: Slots;
  /** nareas. */
  readonly areas: number;
  /** area_nslabs. */
  readonly areaSlots: Slots;
  /** area.index: relative to the area's first slot, where its next search starts. Writable. */
  readonly areaIndex: Int32Array;
  /** area.used: changed only by `take` and `release`. */
  readonly areaUsed: Int32Array;
  /** Slots of the run that starts at a slot; 0 where none starts. */
  readonly runSlots: Uint8Array;
  /** pad_slots, at the slot of the bounce address. */
  readonly padSlots: Uint8Array;

  /** One bit per slot, 1 free; slots past the end are 0, except with `tailOverrun`. */
  private readonly free: Int32Array;
  /** Slots past the end are free only because the initial counts say so (`tailOverrun`). */
  private tailImplied: boolean;
  private readonly pageMask: number;
  /** Slots that start a page are congruent to this modulo the page. */
  private readonly pagePhase: number;
  private readonly areaShift: number;
  private readonly areaSegments: number;
  private readonly areaGroups: number;
  private readonly segmentRun: Uint8Array;
  private readonly segmentPage: Uint8Array;
  /** 1: slots were taken since the bounds of the segment were exact. */
  private readonly segmentStale: Uint8Array;
  private readonly groupRun: Uint8Array;
  private readonly groupPage: Uint8Array;
  private readonly areaRun: Uint8Array;
  private readonly areaPage: Uint8Array;

  // Per boundary mask, see useBoundary. Devices of one machine rarely differ in it.
  private boundaryMask = Number.NaN;
  /** Low 32 bits of the slot number of tbl_dma, and whether tbl_dma is no multiple of a slot. */
  tableSlot = 0;
  tableMisaligned = false;
  /** nr_slots(tbl_dma). */
  tableShift = 0;
  /** Slots between boundaries, 0 when the pool lies between two of them. */
  boundarySlots = 0;

  constructor(id: number, spec: PoolSpec, options: PoolOptions) {
    assert(spec.slots > 0 && spec.areas > 0, 'a pool has slots and areas');
    const areaSlots = Math.floor(spec.slots / spec.areas);
    assert(
      spec.areas === 1 || (areaSlots * spec.areas === spec.slots && areaSlots % SEGMENT_SLOTS === 0),
      'areas consist of whole segments',
    );
    this.id = id;
    this.kind = spec.kind;
    this.start = spec.start;
    this.end = spec.start + spec.slots * SLOT_BYTES;
    this.slots = spec.slots;
    this.areas = spec.areas;
    this.areaSlots = areaSlots;
    this.areaIndex = new Int32Array(spec.areas);
    this.areaUsed = new Int32Array(spec.areas);
    this.runSlots = new Uint8Array(spec.slots);
    this.padSlots = new Uint8Array(spec.slots);
    this.pageMask = options.pageSlots - 1;
    this.pagePhase = -Math.floor(spec.start / SLOT_BYTES) & this.pageMask;
    this.areaShift = (areaSlots & (areaSlots - 1)) === 0 ? 31 - Math.clz32(areaSlots) : -1;
    this.areaSegments = Math.ceil(areaSlots / SEGMENT_SLOTS);
    this.areaGroups = (this.areaSegments + GROUP_MASK) >> GROUP_SHIFT;
    const segments = this.areaSegments * spec.areas;
    this.free = new Int32Array(segments * WORDS_PER_SEGMENT).fill(-1);
    this.segmentRun = new Uint8Array(segments).fill(SEGMENT_SLOTS);
    this.segmentPage = new Uint8Array(segments).fill(SEGMENT_SLOTS);
    this.segmentStale = new Uint8Array(segments).fill(1);
    this.groupRun = new Uint8Array(this.areaGroups * spec.areas).fill(SEGMENT_SLOTS);
    this.groupPage = new Uint8Array(this.areaGroups * spec.areas).fill(SEGMENT_SLOTS);
    this.areaRun = new Uint8Array(spec.areas).fill(SEGMENT_SLOTS);
    this.areaPage = new Uint8Array(spec.areas).fill(SEGMENT_SLOTS);
    this.tailImplied = options.tailOverrun;
    if (!options.tailOverrun) {
      this.clear(spec.slots, segments * SEGMENT_SLOTS - spec.slots);
    }
  }

  /**
   * Makes an empty pool a new one of the same size at another place; false when its slots lie differently on pages there.
   * Transient pools come and go by the million, and their arrays are most of what a replay would allocate.
   */
  renew(id: number, start: Address): boolean {
    assert(
      this.kind === 'transient' && !this.tailImplied && this.areaUsed[0] === 0,
      'only an empty pool can be renewed',
    );
    if ((-Math.floor(start / SLOT_BYTES) & this.pageMask) !== this.pagePhase) {
      return false;
    }
    this.id = id;
    this.start = start;
    this.end = start + this.slots * SLOT_BYTES;
    this.areaIndex[0] = 0;
    this.boundaryMask = Number.NaN;
    return true;
  }

  contains(address: Address): boolean {
    return address >= this.start && address < this.end;
  }

  areaOf(slot: number): number {
    return this.areaShift >= 0 ? slot >> this.areaShift : Math.floor(slot / this.areaSlots);
  }

  isFree(slot: number): boolean {
    return ((this.free[slot >> 5] >>> (slot & 31)) & 1) === 1;
  }

  /** slot.list: free slots from here to the end of the run or segment, 0 when in use. */
  list(slot: number): Slots {
    return this.isFree(slot) ? this.runEnd(slot) - slot : 0;
  }

  freeSlots(area: number): Slots {
    return this.areaSlots - this.areaUsed[area];
  }

  /** area.used summed over the areas. */
  usedSlots(): Slots {
    let used = 0;
    for (let area = 0; area < this.areas; area++) {
      used += this.areaUsed[area];
    }
    return used;
  }

  /** Are the slots from `slot` free and in one segment? */
  fits(slot: number, count: Slots): boolean {
    if ((slot & (SEGMENT_SLOTS - 1)) + count > SEGMENT_SLOTS) {
      return false;
    }
    let word = slot >> 5;
    const bit = slot & 31;
    if (bit + count <= 32) {
      const wanted = (-1 >>> (32 - count)) << bit;
      return (this.free[word] & wanted) === wanted;
    }
    let rest = count - (32 - bit);
    const head = -1 << bit;
    if ((this.free[word] & head) !== head) {
      return false;
    }
    while (rest >= 32) {
      if (this.free[++word] !== -1) {
        return false;
      }
      rest -= 32;
    }
    const tail = rest === 0 ? 0 : -1 >>> (32 - rest);
    return rest === 0 || (this.free[word + 1] & tail) === tail;
  }

  /** Marks a run in use. The slots must be free; `areaIndex` is the caller's business. */
  take(slot: number, count: Slots, pad: Slots): void {
    this.clear(slot, count);
    if (this.tailImplied && slot + count >= this.slots) {
      // Counts that reached past the pool's end were never written there: what is behind the run reads as in use.
      this.tailImplied = false;
      this.clear(slot + count, this.areas * this.areaSegments * SEGMENT_SLOTS - slot - count);
    }
    this.segmentStale[slot >> 7] = 1;
    this.runSlots[slot] = count;
    if (pad !== 0) {
      this.padSlots[slot + pad] = pad;
    }
    this.areaUsed[this.areaOf(slot)] += count;
  }

  /** Frees a run that `take` marked (swiotlb_release_slots). */
  release(slot: number, count: Slots, pad: Slots): void {
    this.set(slot, count);
    this.runSlots[slot] = 0;
    if (pad !== 0) {
      this.padSlots[slot + pad] = 0;
    }
    const area = this.areaOf(slot);
    this.areaUsed[area] -= count;
    const first = this.runStart(slot);
    const end = this.runEnd(slot + count - 1);
    const segment = slot >> 7;
    const run = end - first;
    if (this.segmentRun[segment] < run) {
      this.segmentRun[segment] = run;
    }
    const page = end - (first + ((this.pagePhase - first) & this.pageMask));
    if (page > 0 && this.segmentPage[segment] < page) {
      this.segmentPage[segment] = page;
    }
    const group = area * this.areaGroups + ((segment - area * this.areaSegments) >> GROUP_SHIFT);
    if (this.groupRun[group] < run) {
      this.groupRun[group] = run;
      if (this.areaRun[area] < run) {
        this.areaRun[area] = run;
      }
    }
    if (page > 0 && this.groupPage[group] < page) {
      this.groupPage[group] = page;
      if (this.areaPage[area] < page) {
        this.areaPage[area] = page;
      }
    }
  }

  /**
   * The first slot of first, first + step, … < limit with `count` free slots in one segment from it on; -1 when none.
   * Slots are relative to the area; step is a power of two.
   */
  find(area: number, first: number, step: number, limit: number, count: Slots): number {
    const onPages = step > this.pageMask && ((first - this.pagePhase) & this.pageMask) === 0;
    if ((onPages ? this.areaPage : this.areaRun)[area] < count) {
      return -1;
    }
    const segmentBound = onPages ? this.segmentPage : this.segmentRun;
    const groupBound = onPages ? this.groupPage : this.groupRun;
    const segmentBase = area * this.areaSegments;
    const groupBase = area * this.areaGroups;
    const segmentEnd = (limit + SEGMENT_SLOTS - 1) >> 7;
    const stepMask = step - 1;
    // When no candidate run crosses a word of the bitmap, all candidates of a word are tested at once.
    const phase = first & stepMask;
    const inWord = phase + count <= step && step <= 32 ? EVERY[31 - Math.clz32(step)] << phase : 0;
    let segment = first >> 7;
    let bit = first & (SEGMENT_SLOTS - 1);
    let group = segment >> GROUP_SHIFT;
    let wholeGroup = bit === 0 && (segment & GROUP_MASK) === 0;
    while (segment < segmentEnd) {
      const groupEnd = Math.min((group + 1) << GROUP_SHIFT, segmentEnd);
      if (groupBound[groupBase + group] >= count) {
        let best = 0;
        for (; segment < groupEnd; segment++) {
          const at = segmentBase + segment;
          let bound = segmentBound[at];
          if (bound >= count) {
            const hit =
              inWord !== 0
                ? this.findInWords(at, bit, inWord, count)
                : this.findInSegment(at, bit, (first - (segment << 7)) & stepMask, stepMask, count);
            if (hit >= 0) {
              const slot = (segment << 7) + hit;
              return slot < limit ? slot : -1;
            }
            if (this.segmentStale[at] === 1) {
              this.tightenSegment(at);
              bound = segmentBound[at];
            }
          }
          bit = 0;
          if (bound > best) {
            best = bound;
          }
        }
        if (wholeGroup && (segment & GROUP_MASK) === 0) {
          groupBound[groupBase + group] = best;
        }
      }
      segment = groupEnd;
      bit = 0;
      group++;
      wholeGroup = true;
    }
    return -1;
  }

  /** No free run inside one segment of the area is longer. */
  runBound(area: number): Slots {
    return this.areaRun[area];
  }

  /**
   * Lowers the bounds of an area to what its segments say; for callers whose search of the whole area found nothing.
   * The search has left every segment that misled it with exact bounds, but not every group: it may have begun inside one.
   */
  tightenArea(area: number, count: Slots): void {
    if (this.areaRun[area] < count) {
      return;
    }
    let run = 0;
    let page = 0;
    const base = area * this.areaGroups;
    const segmentBase = area * this.areaSegments;
    for (let group = 0; group < this.areaGroups; group++) {
      const at = base + group;
      if (this.groupRun[at] >= count) {
        let groupRun = 0;
        let groupPage = 0;
        const end = segmentBase + Math.min(this.areaSegments, (group + 1) << GROUP_SHIFT);
        for (let segment = segmentBase + (group << GROUP_SHIFT); segment < end; segment++) {
          groupRun = Math.max(this.segmentRun[segment], groupRun);
          groupPage = Math.max(this.segmentPage[segment], groupPage);
        }
        this.groupRun[at] = groupRun;
        this.groupPage[at] = groupPage;
      }
      run = Math.max(this.groupRun[at], run);
      page = Math.max(this.groupPage[at], page);
    }
    this.areaRun[area] = run;
    this.areaPage[area] = page;
  }

  /** The longest free run inside one segment of the area, if it is longer than `atLeast`; else `atLeast`. Exact. */
  largestFreeRun(area: number, atLeast: Slots): Slots {
    let best = atLeast;
    if (this.areaRun[area] <= best) {
      return best;
    }
    const segmentBase = area * this.areaSegments;
    const groupBase = area * this.areaGroups;
    let areaBound = 0;
    for (let group = 0; group < this.areaGroups; group++) {
      let groupBound = this.groupRun[groupBase + group];
      if (groupBound > best) {
        groupBound = 0;
        const end = segmentBase + Math.min(this.areaSegments, (group + 1) << GROUP_SHIFT);
        for (let at = segmentBase + (group << GROUP_SHIFT); at < end; at++) {
          if (this.segmentRun[at] > best && this.segmentStale[at] === 1) {
            this.tightenSegment(at);
          }
          const bound = this.segmentRun[at];
          groupBound = Math.max(bound, groupBound);
        }
        this.groupRun[groupBase + group] = groupBound;
        best = Math.max(groupBound, best);
      }
      areaBound = Math.max(groupBound, areaBound);
    }
    this.areaRun[area] = areaBound;
    return best;
  }

  /** FNV-1a-32 over `list` of every slot as two little-endian bytes: equal hashes, equal free runs. */
  listHash(): number {
    let hash = 0x811c9dc5;
    for (let slot = 0; slot < this.slots; slot++) {
      const list = this.list(slot);
      hash = Math.imul(hash ^ (list & 0xff), 0x01000193);
      hash = Math.imul(hash ^ (list >> 8), 0x01000193);
    }
    return hash >>> 0;
  }

  /**
   * Prepares the fields that depend on a device's segment boundary mask (Infinity: all ones).
   * Alignment tests use the *masked* base, as the kernel does.
   */
  useBoundary(mask: Address): void {
    if (mask === this.boundaryMask) {
      return;
    }
    this.boundaryMask = mask;
    const table = mask === Number.POSITIVE_INFINITY ? this.start : andAddress(this.start, mask);
    this.tableSlot = Math.floor(table / SLOT_BYTES) | 0;
    this.tableMisaligned = table % SLOT_BYTES !== 0;
    this.tableShift = Math.ceil(table / SLOT_BYTES);
    const between = mask === Number.POSITIVE_INFINITY ? mask : Math.floor(mask / SLOT_BYTES) + 1;
    const last = this.tableShift + Math.ceil(this.slots / SEGMENT_SLOTS) * SEGMENT_SLOTS - 1;
    const crossed = Math.floor(this.tableShift / between) !== Math.floor(last / between);
    this.boundarySlots = between === Number.POSITIVE_INFINITY || !crossed ? 0 : between;
  }

  /** `phase`: bits of the segment that are candidates are congruent to it modulo the step. */
  private findInSegment(segment: number, from: number, phase: number, stepMask: number, count: Slots): number {
    const free = this.free;
    const base = segment * WORDS_PER_SEGMENT;
    let bit = from;
    while (bit + count <= SEGMENT_SLOTS) {
      let index = bit >> 5;
      let word = free[base + index] & (-1 << (bit & 31));
      while (word === 0) {
        if (++index === WORDS_PER_SEGMENT) {
          return -1;
        }
        word = free[base + index];
      }
      const first = (index << 5) + 31 - Math.clz32(word & -word);
      word = ~free[base + index] & (-1 << (first & 31));
      while (word === 0 && ++index < WORDS_PER_SEGMENT) {
        word = ~free[base + index];
      }
      const end = word === 0 ? SEGMENT_SLOTS : (index << 5) + 31 - Math.clz32(word & -word);
      const candidate = first + ((phase - first) & stepMask);
      if (candidate + count <= end) {
        return candidate;
      }
      bit = end;
    }
    return -1;
  }

  /** As `findInSegment`; `candidates`: the bits of every word that are. */
  private findInWords(segment: number, from: number, candidates: number, count: Slots): number {
    const free = this.free;
    const base = segment * WORDS_PER_SEGMENT;
    let index = from >> 5;
    let word = candidates & (-1 << (from & 31));
    for (;;) {
      let runs = free[base + index];
      for (let length = 1; length < count; length *= 2) {
        runs &= runs >>> Math.min(length, count - length);
      }
      word &= runs;
      if (word !== 0) {
        return (index << 5) + 31 - Math.clz32(word & -word);
      }
      if (++index === WORDS_PER_SEGMENT) {
        return -1;
      }
      word = candidates;
    }
  }

  /** Makes the bounds of a segment exact. */
  private tightenSegment(segment: number): void {
    const end = Math.min((segment + 1) * SEGMENT_SLOTS, this.slots);
    let run = 0;
    let page = 0;
    let slot = segment * SEGMENT_SLOTS;
    while (slot < end) {
      const word = this.free[slot >> 5] & (-1 << (slot & 31));
      if (word === 0) {
        slot = (slot | 31) + 1;
        continue;
      }
      const first = (slot & ~31) + 31 - Math.clz32(word & -word);
      if (first >= end) {
        break;
      }
      slot = this.runEnd(first);
      run = Math.max(run, slot - first);
      page = Math.max(page, slot - first - ((this.pagePhase - first) & this.pageMask));
    }
    this.segmentRun[segment] = run;
    this.segmentPage[segment] = page;
    this.segmentStale[segment] = 0;
  }

  /** First slot of the free run around a free slot, inside the segment. */
  private runStart(slot: number): number {
    let index = slot >> 5;
    const lowest = (slot >> 7) * WORDS_PER_SEGMENT;
    let word = ~this.free[index] & ~(-1 << (slot & 31));
    while (word === 0) {
      if (index === lowest) {
        return lowest << 5;
      }
      word = ~this.free[--index];
    }
    return (index << 5) + 32 - Math.clz32(word);
  }

  /** Exclusive end of the free run around a free slot, inside the segment. */
  private runEnd(slot: number): number {
    let index = slot >> 5;
    const behind = ((slot >> 7) + 1) * WORDS_PER_SEGMENT;
    let word = ~this.free[index] & (-1 << (slot & 31));
    while (word === 0) {
      if (++index === behind) {
        return behind << 5;
      }
      word = ~this.free[index];
    }
    return (index << 5) + 31 - Math.clz32(word & -word);
  }

  private clear(slot: number, count: Slots): void {
    const free = this.free;
    let index = slot >> 5;
    let bit = slot & 31;
    if (count <= 32 - bit && count > 0) {
      free[index] &= ~((-1 >>> (32 - count)) << bit);
      return;
    }
    while (count > 0) {
      const inWord = Math.min(count, 32 - bit);
      free[index++] &= ~((-1 >>> (32 - inWord)) << bit);
      count -= inWord;
      bit = 0;
    }
  }

  private set(slot: number, count: Slots): void {
    const free = this.free;
    let index = slot >> 5;
    let bit = slot & 31;
    if (count <= 32 - bit) {
      free[index] |= (-1 >>> (32 - count)) << bit;
      return;
    }
    while (count > 0) {
      const inWord = Math.min(count, 32 - bit);
      free[index++] |= (-1 >>> (32 - inWord)) << bit;
      count -= inWord;
      bit = 0;
    }
  }
}

/** Bitwise and of two addresses below 2^53. */
function andAddress(address: Address, mask: Address): Address {
  const high = Math.floor(address / 4294967296) & Math.floor(mask / 4294967296);
  return (high >>> 0) * 4294967296 + ((address & mask) >>> 0);
}
