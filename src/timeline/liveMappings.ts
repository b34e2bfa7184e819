import { AddressMap } from './addressMap';

/** What a mapping at an address still waits for. */
export const LiveState = {
  /** Mapped; its unmap has not been seen. */
  open: 0,
  /** Its unmap probe was seen; the dma_unmap_page line of the same call may follow. */
  awaitsDmaLine: 1,
  /** Its dma_unmap_sg line was seen; the unmap probe of the same call may follow. */
  awaitsProbe: 2,
  /** The address was mapped again before the unmap was seen: dma_unmap_page is printed after the release. */
  late: 3,
  /** Was late; the next dma_unmap_page was taken for its unmap. */
  lateDone: 4,
  /** Was lateDone, but that unmap belonged to a later mapping: takes an unmap only when nothing else can. */
  overdue: 5,
} as const;

const NONE = -1;

/**
 * Mappings by address, oldest first. One is the rule; several happen when an unmap line comes late
 * and for buffers that are mapped twice without bouncing.
 * Entries live in parallel arrays; `-1` ends a chain.
 */
export class LiveMappings {
  private readonly heads = new AddressMap();
  row = new Int32Array(256);
  next = new Int32Array(256);
  state = new Uint8Array(256);
  /** Context that ran the unmap probe. */
  context = new Int32Array(256);
  /** late, lateDone: row of the mapping that took the address over. */
  by = new Int32Array(256);
  /** lateDone: time and line of the unmap it was given, to hand on when that proves wrong. */
  timeNs = new Float64Array(256);
  line = new Uint32Array(256);
  where = new Uint16Array(256);
  private used = 0;
  private free = NONE;

  /** First entry at the address, -1 none. */
  first(address: number): number {
    return this.heads.get(address);
  }

  /** Appends an open mapping. */
  add(address: number, row: number): number {
    const entry = this.take();
    this.row[entry] = row;
    this.next[entry] = NONE;
    this.state[entry] = LiveState.open;
    this.context[entry] = NONE;
    const head = this.heads.get(address);
    if (head < 0) {
      this.heads.set(address, entry);
      return entry;
    }
    let tail = head;
    while (this.next[tail] >= 0) {
      tail = this.next[tail];
    }
    this.next[tail] = entry;
    return entry;
  }

  remove(address: number, entry: number): void {
    const head = this.heads.get(address);
    if (head === entry) {
      this.heads.set(address, this.next[entry]);
    } else {
      let before = head;
      while (before >= 0 && this.next[before] !== entry) {
        before = this.next[before];
      }
      if (before < 0) {
        return;
      }
      this.next[before] = this.next[entry];
    }
    this.next[entry] = this.free;
    this.free = entry;
  }

  /** Entry of a row at an address, -1 none. */
  find(address: number, row: number): number {
    let entry = this.heads.get(address);
    while (entry >= 0 && this.row[entry] !== row) {
      entry = this.next[entry];
    }
    return entry;
  }

  private take(): number {
    if (this.free >= 0) {
      const entry = this.free;
      this.free = this.next[entry];
      return entry;
    }
    if (this.used === this.row.length) {
      this.grow();
    }
    return this.used++;
  }

  private grow(): void {
    const capacity = this.row.length * 2;
    this.row = copyInto(new Int32Array(capacity), this.row);
    this.next = copyInto(new Int32Array(capacity), this.next);
    this.state = copyInto(new Uint8Array(capacity), this.state);
    this.context = copyInto(new Int32Array(capacity), this.context);
    this.by = copyInto(new Int32Array(capacity), this.by);
    this.timeNs = copyInto(new Float64Array(capacity), this.timeNs);
    this.line = copyInto(new Uint32Array(capacity), this.line);
    this.where = copyInto(new Uint16Array(capacity), this.where);
  }
}

function copyInto<T extends { set(source: T): void }>(target: T, source: T): T {
  target.set(source);
  return target;
}
