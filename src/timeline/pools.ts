import { GrowableTable } from '../base/columns';
import type { TraceEvent } from '../model/events';
import type { LogRecord } from '../model/log';
import { PoolKind, type PoolTable, poolColumns } from '../model/tables';
import { SLOT_BYTES } from '../model/units';

/**
 * The growth worker never asks for less than this (swiotlb_alloc_pool halves only while above IO_TLB_MIN_SLABS = 512),
 * and a transient pool holds one mapping of at most 256 KiB plus alignment: the size alone tells them apart.
 */
const SMALLEST_GROWN_SLOTS = 256;

/** Neighbouring known bounce addresses this close belong to the same pool: a grown pool has at most 4 MiB. */
const BLOCK_BYTES = 262144;
const BLOCK_GAP = 16;

/** Pools the inputs themselves name: boot lines, probes on pool allocation and release, pool columns of unmap probes. */
export class PoolTracker {
  readonly table: PoolTable = new GrowableTable(poolColumns, 16);
  /** Grows whenever `contains` may answer differently for an old address. */
  version = 0;
  private starts: number[] = [];
  private ends: number[] = [];
  private lastHit = 0;
  private lastAreas = new Map<number, number>();
  /** 256 KiB blocks in which a mapping surely bounced. */
  private readonly blocks = new Set<number>();
  private lastBlock = Number.NaN;

  /** The address lies in a boot, grown or restricted pool. Transient pools come and go and are not asked for here. */
  contains(address: number): boolean {
    const { starts, ends } = this;
    const hit = this.lastHit;
    if (hit < starts.length && address >= starts[hit] && address < ends[hit]) {
      return true;
    }
    for (let i = 0; i < starts.length; i++) {
      if (address >= starts[i] && address < ends[i]) {
        this.lastHit = i;
        return true;
      }
    }
    return false;
  }

  hasRanges(): boolean {
    return this.starts.length > 0;
  }

  /** Remembers where a mapping surely bounced, to judge unmaps whose map nobody saw. */
  noteBounced(address: number): void {
    const block = Math.floor(address / BLOCK_BYTES);
    if (block !== this.lastBlock && !Number.isNaN(block)) {
      this.lastBlock = block;
      this.blocks.add(block);
    }
  }

  /** Pools are unknown, but mappings around this address bounced. */
  isNearBounced(address: number): boolean {
    const block = Math.floor(address / BLOCK_BYTES);
    if (this.blocks.has(block)) {
      return true;
    }
    let below = false;
    let above = false;
    for (let distance = 1; distance <= BLOCK_GAP; distance++) {
      below ||= this.blocks.has(block - distance);
      above ||= this.blocks.has(block + distance);
    }
    return below && above;
  }

  onLog(record: LogRecord): void {
    if (record.kind === 'area-num' && record.count > 0) {
      this.lastAreas.set(record.source, record.count);
      this.setBootAreas(record.source, record.count);
      return;
    }
    if (record.kind === 'pool-mapped' && record.end > record.start) {
      this.addNamed(PoolKind.boot, record.start, (record.end - record.start) / SLOT_BYTES, record);
    }
    if (record.kind === 'restricted-pool' && !Number.isNaN(record.start) && record.sizeBytes > 0) {
      this.addNamed(PoolKind.restricted, record.start, record.sizeBytes / SLOT_BYTES, record);
    }
  }

  /** A swiotlb_alloc_pool return. Returns the row, or -1 when the allocation failed. */
  onAllocated(event: TraceEvent): number {
    if (event.failed || !(event.poolEnd > event.poolStart)) {
      return -1;
    }
    const slots = event.poolSlots > 0 ? event.poolSlots : Math.floor((event.poolEnd - event.poolStart) / SLOT_BYTES);
    const isGrown = slots >= SMALLEST_GROWN_SLOTS;
    const row = this.addRow(isGrown ? PoolKind.grown : PoolKind.transient, event.poolStart, slots, event.source);
    const columns = this.table.columns;
    columns.areas[row] = Math.max(0, event.poolAreas);
    columns.allocLine[row] = event.line;
    columns.addedNs[row] = event.timeNs;
    if (!isGrown) {
      columns.addedLine[row] = event.line;
    }
    return row;
  }

  isGrown(row: number): boolean {
    return this.table.columns.kind[row] === PoolKind.grown;
  }

  /** The growth worker returned: its pool is in the list now. */
  onUsable(row: number, event: TraceEvent): void {
    const columns = this.table.columns;
    columns.addedNs[row] = event.timeNs;
    columns.addedLine[row] = event.line;
    this.table.version++;
  }

  /** Pools whose worker's return was never probed count from the allocation. */
  settleAdded(source: number, hasWorkerReturn: boolean): void {
    const { kind, allocLine, addedLine, source: sources } = this.table.columns;
    for (let row = 0; row < this.table.length && !hasWorkerReturn; row++) {
      if (sources[row] === source && kind[row] === PoolKind.grown && addedLine[row] === 0 && allocLine[row] > 0) {
        addedLine[row] = allocLine[row];
        this.table.version++;
      }
    }
  }

  /** swiotlb_dyn_free, or the unmap of a transient pool's only mapping when nobody probes swiotlb_dyn_free. */
  onRemoved(start: number, event: TraceEvent): void {
    const { kind, start: starts, removedNs, removedLine } = this.table.columns;
    for (let row = this.table.length - 1; row >= 0; row--) {
      if (starts[row] === start && kind[row] === PoolKind.transient) {
        removedNs[row] = event.timeNs;
        removedLine[row] = event.line;
        this.table.version++;
        return;
      }
    }
  }

  /** Pool columns of an unmap probe: they name every pool that is in use. */
  onUnmapProbe(event: TraceEvent): void {
    const start = event.poolStart;
    if (!(event.poolEnd > start) || (event.transient !== 1 && this.contains(start))) {
      return;
    }
    const slots = Math.floor((event.poolEnd - start) / SLOT_BYTES);
    if (event.transient === 1) {
      if (!this.hasLiveTransient(start)) {
        this.addRow(PoolKind.transient, start, slots, event.source);
      }
      this.onRemoved(start, event);
      return;
    }
    // Which kind is not said: a trace without boot lines names its boot pool here first.
    if (event.transient === -1 && (slots < SMALLEST_GROWN_SLOTS || this.hasLiveTransient(start))) {
      return;
    }
    this.addRow(this.hasBootPool() ? PoolKind.grown : PoolKind.boot, start, slots, event.source);
  }

  private hasBootPool(): boolean {
    const { kind } = this.table.columns;
    for (let row = 0; row < this.table.length; row++) {
      if (kind[row] === PoolKind.boot) {
        return true;
      }
    }
    return false;
  }

  private hasLiveTransient(start: number): boolean {
    const { kind, start: starts, removedLine } = this.table.columns;
    for (let row = this.table.length - 1; row >= 0; row--) {
      if (starts[row] === start && kind[row] === PoolKind.transient) {
        return removedLine[row] === 0;
      }
    }
    return false;
  }

  private setBootAreas(source: number, areas: number): void {
    const columns = this.table.columns;
    for (let row = this.table.length - 1; row >= 0; row--) {
      if (columns.source[row] === source && columns.kind[row] === PoolKind.boot) {
        columns.areas[row] = areas;
        this.table.version++;
        return;
      }
    }
  }

  private addNamed(kind: number, start: number, slots: number, record: LogRecord): void {
    const row = this.findLasting(start, slots) ?? this.addRow(kind, start, slots, record.source);
    const columns = this.table.columns;
    const areas = kind === PoolKind.restricted ? 1 : (this.lastAreas.get(record.source) ?? 0);
    columns.kind[row] = kind;
    columns.areas[row] = areas || columns.areas[row];
    columns.source[row] = record.source;
    columns.allocLine[row] = record.line;
    columns.addedLine[row] = record.line;
    this.table.version++;
  }

  /** A pool that is there to stay, as unmap probes or another log already named it. */
  private findLasting(start: number, slots: number): number | undefined {
    const columns = this.table.columns;
    for (let row = 0; row < this.table.length; row++) {
      if (columns.start[row] === start && columns.slots[row] === slots && columns.kind[row] !== PoolKind.transient) {
        return row;
      }
    }
    return undefined;
  }

  private addRow(kind: number, start: number, slots: number, source: number): number {
    const row = this.table.addRow();
    const columns = this.table.columns;
    columns.kind[row] = kind;
    columns.start[row] = start;
    columns.slots[row] = slots;
    columns.addedNs[row] = Number.NaN;
    columns.removedNs[row] = Number.NaN;
    columns.source[row] = source;
    if (kind !== PoolKind.transient) {
      this.starts.push(start);
      this.ends.push(start + slots * SLOT_BYTES);
      this.version++;
    }
    return row;
  }
}
