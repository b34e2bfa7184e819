import { EventKind, type TraceEvent } from '../model/events';
import type { LogRecord } from '../model/log';
import { CallKind, EvidenceBit, FactKind } from '../model/tables';
import type { ClockMarker, ClockReading } from './clocks';
import { type Context, Contexts } from './contexts';
import { FailedLists } from './failedLists';
import { MapPairing } from './mapPairing';
import type { SharedTables } from './shared';
import { SourceState } from './sourceState';
import { UnmapPairing } from './unmapPairing';

const MAX_FACTS = 1_000_000;
/** A day of one per second. */
const MAX_MARKERS = 100_000;

/**
 * Pairs the events of one source (design.md "From events to requests").
 * A request's row is written at the first evidence of the attempt, so rows are in line order, and completed by later
 * evidence: the result, the scatterlist it belongs to, its unmap.
 */
export class SourceTimeline {
  readonly state: SourceState;
  private readonly shared: SharedTables;
  private readonly contexts = new Contexts();
  private readonly unmaps: UnmapPairing;
  private readonly failedLists: FailedLists;
  private readonly maps: MapPairing;
  private hasWorkerReturn = false;
  private hasWorkqueue = false;
  firstTimeNs = Number.NaN;
  lastTimeNs = Number.NaN;
  /** `mono=` and `boot=` markers. */
  readonly markers: ClockMarker[] = [];

  constructor(id: number, shared: SharedTables) {
    this.shared = shared;
    this.state = new SourceState(id, shared);
    this.unmaps = new UnmapPairing(this.state);
    this.failedLists = new FailedLists(this.state, this.contexts, this.unmaps);
    this.maps = new MapPairing(this.state, this.contexts, this.unmaps, this.failedLists);
  }

  event(event: TraceEvent): void {
    const timeNs = event.timeNs;
    if (!Number.isNaN(timeNs)) {
      if (!(this.firstTimeNs <= timeNs)) {
        this.firstTimeNs = timeNs;
      }
      if (!(this.lastTimeNs >= timeNs)) {
        this.lastTimeNs = timeNs;
      }
    }
    switch (event.kind) {
      case EventKind.bounced:
        this.maps.onBounced(event, this.contexts.of(event));
        return;
      case EventKind.mapPage:
        this.maps.onMapPage(event, this.contexts.of(event));
        return;
      case EventKind.unmapPage:
        this.onUnmapPage(event, this.contexts.of(event));
        return;
      case EventKind.mapSg:
        this.maps.onMapSg(event, this.contexts.of(event));
        return;
      case EventKind.unmapSg:
        this.onUnmapSg(event, this.contexts.of(event));
        return;
      case EventKind.mapSgError:
        this.onMapSgError(this.contexts.of(event));
        return;
      case EventKind.probeMapEnter:
        this.maps.onProbeMapEnter(event, this.contexts.of(event));
        return;
      case EventKind.probeMapReturn:
        this.maps.onProbeMapReturn(event, this.contexts.of(event));
        return;
      case EventKind.probeUnmapEnter:
        this.onProbeUnmapEnter(event, this.contexts.of(event));
        return;
      case EventKind.probeUnmapReturn:
        this.unmaps.onProbeUnmapReturn(event, this.contexts.of(event));
        return;
      case EventKind.sync:
        this.onSync(event);
        return;
      case EventKind.syncSg:
        this.onSyncSg(event);
        return;
      case EventKind.coherentAlloc:
        this.onCoherent(event, CallKind.coherentAlloc);
        return;
      case EventKind.coherentFree:
        this.onCoherent(event, CallKind.coherentFree);
        return;
      case EventKind.marker:
        this.onMarker(event);
        return;
      case EventKind.probePoolAllocReturn:
        this.onPoolAllocated(event, this.contexts.of(event));
        return;
      case EventKind.probeWorkerEnter:
        this.onWorkerEnter(event);
        return;
      case EventKind.probeWorkerReturn:
        this.onWorkerReturn(event, this.contexts.of(event));
        return;
      case EventKind.probePoolFree:
        this.shared.pools.onRemoved(event.poolStart, event);
        return;
      case EventKind.workqueue:
        this.hasWorkqueue = true;
        this.addFact(event, workqueueFact(event.phase));
        return;
      case EventKind.pageAlloc:
        this.addFact(event, FactKind.pageAllocation);
        return;
      case EventKind.functionDuration:
        this.addFact(event, FactKind.functionDuration);
        if (event.failed || !Number.isNaN(event.dma)) {
          this.onResultOfFunction(event);
        }
        return;
      default:
        return;
    }
  }

  /** Events of a CPU (-1: any) are missing here: what was under way there cannot be completed. */
  lost(line: number, cpu: number): void {
    this.state.lastLossLine = line;
    const { evidence } = this.shared.requests.columns;
    for (const context of this.contexts.onCpu(cpu)) {
      for (const attempt of context.attempts) {
        evidence[attempt.row] |= EvidenceBit.nearLoss;
      }
      this.contexts.dropRange(context, 0, context.attempts.length);
      context.unmapping.length = 0;
      context.workerPool = -1;
    }
  }

  /**
   * A "buffer is full" line printed through the trace belongs to the attempt that is being made on its CPU.
   * Returns the request's row, or -1.
   */
  joinConsole(record: LogRecord): number {
    return this.maps.joinConsole(record);
  }

  /** Before a snapshot: what can be said without waiting for more. */
  settle(): void {
    this.shared.pools.settleAdded(this.state.id, this.hasWorkerReturn);
    this.unmaps.flushHeld(Number.POSITIVE_INFINITY);
    if (!this.state.hasDmaMap) {
      return;
    }
    for (const context of this.contexts.onCpu(-1)) {
      if (context.isExact && context.attempts.length > 1) {
        this.failedLists.settle(context);
      }
    }
  }

  private onMapSgError(context: Context): void {
    this.state.hasDmaMap = true;
    this.failedLists.note();
    this.failedLists.close(context);
  }

  private onUnmapPage(event: TraceEvent, context: Context): void {
    this.failedLists.closeOnOther(context);
    this.unmaps.onUnmapPage(event, context);
  }

  private onUnmapSg(event: TraceEvent, context: Context): void {
    this.failedLists.note();
    this.failedLists.closeOnOther(context);
    this.unmaps.onUnmapSg(event);
  }

  private onProbeUnmapEnter(event: TraceEvent, context: Context): void {
    const row = this.unmaps.onProbeUnmapEnter(event, context);
    // Given back inside the call that mapped it: a list being rolled back, or an address that dma_capable refused.
    if (!this.maps.isUnderWay(context, row)) {
      this.failedLists.closeOnOther(context);
    }
  }

  private onSync(event: TraceEvent): void {
    const device = this.shared.devices.rowOf(event.device);
    const kind = event.toDevice ? CallKind.syncForDevice : CallKind.syncForCpu;
    this.shared.calls.add(device, kind, event.timeNs, event.sizeBytes, this.isBounceAddress(device, event.dma));
  }

  private onSyncSg(event: TraceEvent): void {
    const device = this.shared.devices.rowOf(event.device);
    const kind = event.toDevice ? CallKind.syncForDevice : CallKind.syncForCpu;
    for (let i = 0; i < event.sgCount; i++) {
      const isBounced = this.isBounceAddress(device, event.sgDma[i]);
      this.shared.calls.add(device, kind, event.timeNs, event.sgSizes[i], isBounced);
    }
  }

  private isBounceAddress(device: number, dma: number): boolean {
    const { pools } = this.shared;
    const address = this.state.bounceAddress(device, dma);
    if (pools.contains(address)) {
      return true;
    }
    const entry = this.unmaps.live.first(address);
    return (
      entry >= 0 && (this.shared.requests.columns.evidence[this.unmaps.live.row[entry]] & EvidenceBit.direct) === 0
    );
  }

  private onCoherent(event: TraceEvent, kind: number): void {
    const device = this.shared.devices.rowOf(event.device);
    const isBounced = this.shared.pools.contains(this.state.bounceAddress(device, event.dma));
    this.shared.calls.add(device, kind, event.timeNs, event.sizeBytes, isBounced);
  }

  /** function_graph with return values: what the allocator answered to the attempt that is under way. */
  private onResultOfFunction(event: TraceEvent): void {
    const name = this.shared.strings.get(event.symbol);
    if (name === 'swiotlb_tbl_map_single' || name === 'swiotlb_map') {
      this.maps.onFunctionReturn(event, this.contexts.of(event));
    }
  }

  private onMarker(event: TraceEvent): void {
    const mono = secondsAfter(event.text, 'mono=');
    const boot = secondsAfter(event.text, 'boot=');
    if (!Number.isNaN(event.timeNs) && (mono !== null || boot !== null) && this.markers.length < MAX_MARKERS) {
      this.markers.push({ timeNs: event.timeNs, mono, boot });
    }
  }

  private onPoolAllocated(event: TraceEvent, context: Context): void {
    const row = this.shared.pools.onAllocated(event);
    if (row >= 0 && this.shared.pools.isGrown(row)) {
      context.workerPool = row;
    }
  }

  private onWorkerEnter(event: TraceEvent): void {
    if (!this.hasWorkqueue) {
      this.addFact(event, FactKind.workerStarted);
    }
  }

  private onWorkerReturn(event: TraceEvent, context: Context): void {
    this.hasWorkerReturn = true;
    if (context.workerPool >= 0) {
      this.shared.pools.onUsable(context.workerPool, event);
      context.workerPool = -1;
    }
    if (!this.hasWorkqueue) {
      this.addFact(event, FactKind.workerDone);
    }
  }

  private addFact(event: TraceEvent, kind: number): void {
    const { facts } = this.shared;
    if (facts.length >= MAX_FACTS) {
      return;
    }
    const row = facts.addRow();
    const columns = facts.columns;
    columns.source[row] = this.state.id;
    columns.line[row] = event.line;
    columns.timeNs[row] = event.timeNs;
    columns.kind[row] = kind;
    columns.order[row] = event.order;
    columns.ok[row] = event.failed ? 0 : 1;
    columns.durationNs[row] = event.durationNs;
    columns.symbol[row] = event.symbol;
  }
}

function workqueueFact(phase: number): number {
  return phase === 0 ? FactKind.workerQueued : phase === 1 ? FactKind.workerStarted : FactKind.workerDone;
}

/** `key<seconds>.<fraction>` inside a text, null when absent. */
function secondsAfter(text: string, key: string): ClockReading | null {
  const at = text.indexOf(key);
  const match = at < 0 ? null : /^(\d{1,9})(?:\.(\d{1,9}))?/.exec(text.slice(at + key.length));
  if (match === null) {
    return null;
  }
  const fraction = match[2] ?? '';
  return { ns: Number(match[1]) * 1e9 + Number(fraction.padEnd(9, '0')), stepNs: 10 ** (9 - fraction.length) };
}
