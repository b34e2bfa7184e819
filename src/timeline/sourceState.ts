import type { TraceEvent } from '../model/events';
import { EvidenceBit } from '../model/tables';
import { isBusOffset } from './devices';
import type { SharedTables } from './shared';

/** What a source has shown so far, and how its rows are written. */
export class SourceState {
  readonly id: number;
  readonly shared: SharedTables;
  /** swiotlb:swiotlb_bounced is recorded: a call of swiotlb_tbl_map_single without it is a direct one. */
  hasBounced = false;
  /** dma map events are recorded: an attempt without one has failed as part of a list. */
  hasDmaMap = false;
  /** dma_map_sg or dma_unmap_sg was seen. */
  hasScatterlists = false;
  /** Entry probes on unmaps: a mapping that loses its address without one has lost its unmap. */
  hasUnmapProbe = false;
  /** Any unmap evidence. */
  hasUnmaps = false;
  /** Line of the last loss, 0 none. */
  lastLossLine = 0;
  requests = 0;
  /** Elements of dma_unmap_sg lists that no known list matches; they get no row. */
  unpairedUnmaps = 0;

  constructor(id: number, shared: SharedTables) {
    this.id = id;
    this.shared = shared;
  }

  /** Writes a row for an event that begins a request (or is all there is of it). */
  startRequest(event: TraceEvent, evidence: number): number {
    const { requests, devices } = this.shared;
    const row = requests.addRow();
    const columns = requests.columns;
    this.requests++;
    columns.source[row] = this.id;
    columns.device[row] = devices.rowOf(event.device);
    columns.cpu[row] = event.cpu > 32767 ? -1 : event.cpu;
    columns.pid[row] = event.pid;
    columns.context[row] = event.context;
    columns.direction[row] = event.direction;
    columns.attributes[row] = event.attributes;
    columns.sizeBytes[row] = Math.max(0, event.sizeBytes);
    columns.original[row] = event.original;
    columns.recordedBounce[row] = Number.NaN;
    columns.enterNs[row] = event.timeNs;
    columns.mapDurationNs[row] = Number.NaN;
    columns.unmapEnterNs[row] = Number.NaN;
    columns.unmapDurationNs[row] = Number.NaN;
    columns.sgGroup[row] = -1;
    columns.enterLine[row] = event.line;
    columns.mapLine[row] = event.line;
    columns.evidence[row] = (event.context & 1) === 0 ? evidence | EvidenceBit.contextAssumed : evidence;
    columns.retryOf[row] = -1;
    return row;
  }

  setDirection(row: number, event: TraceEvent): void {
    const columns = this.shared.requests.columns;
    columns.direction[row] = event.direction;
    columns.attributes[row] |= event.attributes;
  }

  setOutcome(row: number, outcome: number): void {
    this.shared.requests.columns.outcome[row] = outcome;
    this.shared.requests.version++;
  }

  /** The release as one moment; a later event may widen it. */
  setReleased(row: number, timeNs: number, line: number, where: number): void {
    const columns = this.shared.requests.columns;
    columns.unmapEnterNs[row] = timeNs;
    columns.unmapDurationNs[row] = !Number.isNaN(timeNs) ? 0 : Number.NaN;
    columns.unmapLine[row] = line;
    columns.unmapExitLine[row] = line;
    columns.unmapWhere[row] = where;
    this.shared.requests.version++;
  }

  /** phys of a bounce address that a dma event printed: bounce buffers are unencrypted, but may lie behind a bus offset. */
  bounceAddress(device: number, dma: number): number {
    const offset = this.shared.devices.rows[device].dmaOffset;
    return isBusOffset(offset) ? dma - offset : dma;
  }

  /** The device row of evidence that names no device. */
  isUnnamed(device: number): boolean {
    return this.shared.devices.rows[device].name === '';
  }
}
