import type { StringTable } from '../base/stringTable';
import type { Device } from '../model/tables';

/** The device column is 16 bits wide: hostile input with more names shares the last row. */
const MAX_DEVICES = 65535;

/** The device table: one row per name, in order of appearance. The row of the empty name stands for "not said". */
export class DeviceTable {
  readonly rows: Device[] = [];
  /** String-table index to row, -1 none. */
  private byString = new Int32Array(256).fill(-1);
  /**
   * Per row: DMA address minus physical address as the trace showed it (bus offset or encryption bit), NaN not known yet.
   */
  readonly dmaOffset: number[] = [];
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
      });
      this.dmaOffset.push(Number.NaN);
    }
    return row;
  }
}
