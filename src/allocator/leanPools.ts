import type { Address, Bytes } from '../model/units';

/** Ids of transient pools without a `Pool`. */
export const leanIds = 2 ** 30;

/** Transient pools as numbers, and the queue of those that wait for RCU. */
export class LeanPools {
  waiting = 0;
  private starts = new Float64Array(256);
  private sizes = new Int32Array(256);
  private orders = new Int8Array(256);
  /** Unused indices, from the top. */
  private unused: Int32Array = Int32Array.from({ length: 256 }, (_, index) => index);
  private unusedCount = 256;
  /** A ring: as long as there are indices it cannot overflow. */
  private queue = new Int32Array(256);
  private head = 0;

  add(start: Address, bytes: Bytes, order: number): number {
    if (this.unusedCount === 0) {
      this.grow();
    }
    const index = this.unused[--this.unusedCount];
    this.starts[index] = start;
    this.sizes[index] = bytes;
    this.orders[index] = order;
    return index;
  }

  start(index: number): Address {
    return this.starts[index];
  }
  bytes(index: number): Bytes {
    return this.sizes[index];
  }
  order(index: number): number {
    return this.orders[index];
  }

  retire(index: number): void {
    this.queue[(this.head + this.waiting++) & (this.queue.length - 1)] = index;
  }

  /** The one that waits longest. */
  next(): number {
    return this.queue[this.head];
  }

  remove(): void {
    this.unused[this.unusedCount++] = this.queue[this.head];
    this.head = (this.head + 1) & (this.queue.length - 1);
    this.waiting--;
  }

  private grow(): void {
    const size = this.starts.length;
    const starts = new Float64Array(size * 2);
    starts.set(this.starts);
    this.starts = starts;
    const sizes = new Int32Array(size * 2);
    sizes.set(this.sizes);
    this.sizes = sizes;
    const orders = new Int8Array(size * 2);
    orders.set(this.orders);
    this.orders = orders;
    this.unused = Int32Array.from({ length: size * 2 }, (_, index) => size + index);
    this.unusedCount = size;
    const queue = new Int32Array(size * 2);
    for (let i = 0; i < this.waiting; i++) {
      queue[i] = this.queue[(this.head + i) & (size - 1)];
    }
    this.queue = queue;
    this.head = 0;
  }
}
