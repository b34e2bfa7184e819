import type { StringTable } from '../base/stringTable';
import type { Device } from '../model/tables';

/** A DMA address that differs from the physical one by this power of two or more carries an encryption bit. */
const LOWEST_ENCRYPTION_BIT = 2 ** 40;

/** Whether a device's DMA offset is the encryption bit of the machine (bit 47 or 51 on AMD) and not that of a bus. */
export function isEncryptionBit(offset: number): boolean {
  return offset >= LOWEST_ENCRYPTION_BIT && Number.isInteger(Math.log2(offset));
}

/** Whether the offset is that of a bus: known, not zero, and no encryption bit. */
export function isBusOffset(offset: number): boolean {
  return offset !== 0 && !Number.isNaN(offset) && !isEncryptionBit(offset);
}

/** An address as swiotlb_bounced prints it, as a physical one: its device's encryption bit removed. */
export function withoutEncryption(address: number, offset: number): number {
  return isEncryptionBit(offset) && address >= offset ? address - offset : address;
}

/** The device column is 16 bits wide: hostile input with more names shares the last row. */
const MAX_DEVICES = 65535;

/** The device table: one row per name, in order of appearance. The row of the empty name stands for "not said". */
export class DeviceTable {
  readonly rows: Device[] = [];
  /** String-table index to row, -1 none. */
  private byString = new Int32Array(256).fill(-1);
  /** Per row: requests below this one were written before the device's bus offset was known. */
  private readonly learntAt: number[] = [];
  private readonly strings: StringTable;

  constructor(strings: StringTable) {
    this.strings = strings;
  }

  /** Row of an interned name. */
  rowOf(name: number): number {
    if (name < this.byString.length) {
      const row = this.byString[name];
      if (row >= 0) {
        return row;
      }
    }
    return this.add(name);
  }

  /** `dmaOffset` of an interned name; NaN not known yet. */
  offsetOf(name: number): number {
    return this.rows[this.rowOf(name)].dmaOffset;
  }

  /** An event told the offset; `requests` is how many there are so far. */
  learnOffset(row: number, offset: number, requests: number): void {
    const device = this.rows[row];
    if (isBusOffset(offset) && !isBusOffset(device.dmaOffset)) {
      this.learntAt[row] = requests;
    }
    device.dmaOffset = offset;
  }

  /** Per row, once: how many requests were written before the bus offset was known; 0 nothing to do. */
  takeUnsettled(): readonly number[] {
    return this.rows.map((_, row) => {
      const until = this.learntAt[row] ?? 0;
      this.learntAt[row] = 0;
      return until;
    });
  }

  rowOfName(name: string): number {
    return this.rowOf(this.strings.intern(name));
  }

  /** Row of a name that was already seen, else -1. */
  findName(name: string): number {
    const index = this.strings.indexOf(name);
    return index >= 0 && index < this.byString.length ? this.byString[index] : -1;
  }

  private add(name: number): number {
    if (name >= this.byString.length) {
      const grown = new Int32Array(Math.max(name + 1, this.byString.length * 2)).fill(-1);
      grown.set(this.byString);
      this.byString = grown;
    }
    const isShared = this.rows.length >= MAX_DEVICES;
    const row = Math.min(this.rows.length, MAX_DEVICES);
    this.byString[name] = row;
    if (!isShared || this.rows.length === MAX_DEVICES) {
      this.rows.push({
        id: row,
        name: isShared ? '(further devices)' : this.strings.get(name),
        driver: '',
        dmaMaskBits: -1,
        dmaMaskLine: 0,
        dmaMaskSource: -1,
        forced: false,
        dmaOffset: Number.NaN,
      });
    }
    return row;
  }
}
