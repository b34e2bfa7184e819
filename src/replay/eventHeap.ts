/** A binary heap of (time, row) pairs; equal times come out in the order they went in. */
export class EventHeap {
  private times = new Float64Array(64);
  private orders = new Float64Array(64);
  private rows = new Int32Array(64);
  private count = 0;
  private pushed = 0;

  get length(): number {
    return this.count;
  }

  /** Time of the earliest entry, Infinity when empty. */
  nextAt(): number {
    return this.count === 0 ? Number.POSITIVE_INFINITY : this.times[0];
  }

  push(time: number, row: number): void {
    if (this.count === this.times.length) {
      this.grow();
    }
    let index = this.count++;
    const order = this.pushed++;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.times[parent] <= time) {
        break;
      }
      this.move(parent, index);
      index = parent;
    }
    this.times[index] = time;
    this.orders[index] = order;
    this.rows[index] = row;
  }

  /** Removes the earliest entry and returns its row, -1 when empty. */
  pop(): number {
    if (this.count === 0) {
      return -1;
    }
    const row = this.rows[0];
    const last = --this.count;
    if (last > 0) {
      this.sink(this.times[last], this.orders[last], this.rows[last]);
    }
    return row;
  }

  private sink(time: number, order: number, row: number): void {
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= this.count) {
        break;
      }
      if (child + 1 < this.count && this.isBefore(child + 1, this.times[child], this.orders[child])) {
        child++;
      }
      if (!this.isBefore(child, time, order)) {
        break;
      }
      this.move(child, index);
      index = child;
    }
    this.times[index] = time;
    this.orders[index] = order;
    this.rows[index] = row;
  }

  private isBefore(index: number, time: number, order: number): boolean {
    return this.times[index] < time || (this.times[index] === time && this.orders[index] < order);
  }

  private move(from: number, to: number): void {
    this.times[to] = this.times[from];
    this.orders[to] = this.orders[from];
    this.rows[to] = this.rows[from];
  }

  private grow(): void {
    const size = this.times.length * 2;
    const times = new Float64Array(size);
    times.set(this.times);
    this.times = times;
    const orders = new Float64Array(size);
    orders.set(this.orders);
    this.orders = orders;
    const rows = new Int32Array(size);
    rows.set(this.rows);
    this.rows = rows;
  }
}
