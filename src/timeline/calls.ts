import { GrowableTable } from '../base/columns';
import { type CallTable, callColumns } from '../model/tables';

/** Width of a bucket of the call table. */
export const CALL_BUCKET_NS = 10_000_000;

/** Counts sync and coherent calls per device, kind and time bucket. */
export class CallCounter {
  readonly table: CallTable = new GrowableTable(callColumns, 64);
  /** Row of the bucket being filled, per device * 4 + kind; -1 none. */
  private current = new Int32Array(64).fill(-1);

  add(device: number, kind: number, timeNs: number, sizeBytes: number, isBounced: boolean): void {
    const slot = device * 4 + kind;
    if (slot >= this.current.length) {
      const grown = new Int32Array(Math.max(slot + 1, this.current.length * 2)).fill(-1);
      grown.set(this.current);
      this.current = grown;
    }
    const bucketNs = Math.floor(timeNs / CALL_BUCKET_NS) * CALL_BUCKET_NS;
    let row = this.current[slot];
    // NaN (order-only clocks) never equals: those keep their one bucket.
    if (row < 0 || (!Number.isNaN(bucketNs) && this.table.columns.timeNs[row] !== bucketNs)) {
      row = this.table.addRow();
      this.current[slot] = row;
      const columns = this.table.columns;
      columns.device[row] = device;
      columns.kind[row] = kind;
      columns.timeNs[row] = bucketNs;
    }
    const columns = this.table.columns;
    columns.count[row]++;
    columns.bytes[row] += Math.max(0, sizeBytes);
    columns.bounced[row] += isBounced ? 1 : 0;
    this.table.version++;
  }
}
