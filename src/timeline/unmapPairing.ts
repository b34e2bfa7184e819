import type { TraceEvent } from '../model/events';
import { EvidenceBit, Outcome, Pairing, packUnmapWhere } from '../model/tables';
import type { Context } from './contexts';
import { LiveMappings, LiveState } from './liveMappings';
import { type MappedList, MappedLists } from './scatterlists';
import { endAtReuse } from './settle';
import type { SourceState } from './sourceState';

/** How many mappings of one address may wait for an unmap line that is printed late. */
const MAX_LATE = 8;

/** Without time stamps an unmap may stand this many lines before its map. */
const MAX_DISORDER_LINES = 300;

/** Ends mappings: by their unmap, or by another mapping that has their address. */
export class UnmapPairing {
  readonly live = new LiveMappings();
  readonly lists = new MappedLists((list) => this.hasEnded(list));
  private readonly state: SourceState;
  /** Pairs (row, row that has its address now) from the time before the first unmap. */
  private reuses: number[] = [];
  /** Unmaps of a trace without time that came before the map they seem to end. */
  private held: TraceEvent[] = [];

  constructor(state: SourceState) {
    this.state = state;
  }

  /** A mapping appears at an address: whatever was there has ended. */
  mapAt(address: number, row: number): void {
    const { live } = this;
    const columns = this.state.shared.requests.columns;
    let lateDone = -1;
    let late = 0;
    for (let entry = live.first(address); entry >= 0; ) {
      const following = live.next[entry];
      const old = live.row[entry];
      switch (live.state[entry]) {
        case LiveState.open:
          if (old === row) {
            return;
          }
          if (columns.unmapLine[old] !== 0) {
            // Known by two addresses (behind an IOMMU), and ended by the other one.
            live.remove(address, entry);
          } else if ((columns.evidence[old] & EvidenceBit.direct) === 0) {
            this.supersede(address, entry, row, lateDone);
            lateDone = -1;
          }
          break;
        case LiveState.late:
        case LiveState.overdue:
          if (++late > MAX_LATE) {
            live.remove(address, entry);
          }
          break;
        case LiveState.lateDone:
          if (lateDone >= 0) {
            live.remove(address, lateDone);
          }
          lateDone = entry;
          break;
        case LiveState.awaitsDmaLine:
          if (following >= 0) {
            live.remove(address, entry);
          }
          break;
        default:
          live.remove(address, entry);
      }
      entry = following;
    }
    if (lateDone >= 0) {
      live.remove(address, lateDone);
    }
    if (this.held.length === 0 || !this.takeHeld(address, row)) {
      live.add(address, row);
    }
  }

  /** dma_unmap_page: printed after the release. */
  onUnmapPage(event: TraceEvent, context: Context): void {
    this.noteUnmaps();
    const device = this.state.shared.devices.rowOf(event.device);
    let address = this.state.bounceAddress(device, event.dma);
    if (address !== event.dma && this.live.first(address) < 0) {
      address = event.dma;
    }
    let entry = this.findInState(address, device, LiveState.awaitsDmaLine, context.id);
    if (entry < 0) {
      const open = this.findOpen(address, device, event);
      if (open >= 0) {
        this.closePage(address, open, event);
        return;
      }
      entry = this.findInState(address, device, LiveState.awaitsDmaLine, -1);
    }
    if (entry >= 0) {
      this.confirmRelease(this.live.row[entry], event);
      this.live.remove(address, entry);
      return;
    }
    if (Number.isNaN(event.timeNs)) {
      this.hold(event, address);
    } else {
      this.startUnseen(event, address, EvidenceBit.dmaUnmap);
    }
  }

  /** dma_unmap_sg: printed before the release, names the list by original addresses. */
  onUnmapSg(event: TraceEvent): void {
    this.noteUnmaps();
    if (event.sgCount === 0) {
      return;
    }
    const device = this.state.shared.devices.rowOf(event.device);
    const list = this.lists.take(device, event.sgOriginal, event.sgCount);
    if (list === undefined) {
      this.state.unpairedUnmaps += this.state.hasUnmapProbe ? 0 : event.sgCount;
      return;
    }
    const columns = this.state.shared.requests.columns;
    const where = packUnmapWhere(event.cpu, event.context);
    for (const row of list.rows) {
      columns.evidence[row] |= EvidenceBit.dmaUnmap;
      if (columns.unmapLine[row] !== 0) {
        continue;
      }
      this.state.setReleased(row, event.timeNs, event.line, where);
      columns.pairing[row] = Pairing.exact;
      const bounce = columns.recordedBounce[row];
      const entry = this.live.find(bounce, row);
      if (entry < 0) {
        continue;
      }
      if (this.state.hasUnmapProbe) {
        this.live.state[entry] = LiveState.awaitsProbe;
      } else {
        this.live.remove(bounce, entry);
      }
    }
  }

  /** Entry of (__)swiotlb_tbl_unmap_single. Returns the row that ends. */
  onProbeUnmapEnter(event: TraceEvent, context: Context): number {
    this.noteUnmaps();
    this.state.hasUnmapProbe = true;
    this.state.shared.pools.onUnmapProbe(event);
    this.state.shared.pools.noteBounced(event.dma);
    const address = event.dma;
    const device = this.state.shared.devices.rowOf(event.device);
    const columns = this.state.shared.requests.columns;
    const where = packUnmapWhere(event.cpu, event.context);
    let entry = this.findInState(address, device, LiveState.awaitsProbe, -1);
    let row: number;
    if (entry >= 0) {
      row = this.live.row[entry];
      this.live.remove(address, entry);
    } else {
      entry = this.findOpen(address, device, event);
      if (entry < 0) {
        row = this.startUnseen(event, address, EvidenceBit.probeUnmapEnter);
        entry = this.live.add(address, row);
        this.live.state[entry] = LiveState.awaitsDmaLine;
        this.live.context[entry] = context.id;
        context.unmapping.push(row);
        return row;
      }
      row = this.live.row[entry];
      columns.pairing[row] =
        columns.sizeBytes[row] === event.sizeBytes || event.sizeBytes < 0 ? Pairing.exact : Pairing.sizeMismatch;
      columns.evidence[row] &= ~EvidenceBit.inferredUnmap;
      if ((columns.evidence[row] & (EvidenceBit.dmaMap | EvidenceBit.scatterlist)) === EvidenceBit.dmaMap) {
        this.live.state[entry] = LiveState.awaitsDmaLine;
        this.live.context[entry] = context.id;
      } else {
        this.live.remove(address, entry);
      }
    }
    this.state.setReleased(row, event.timeNs, event.line, where);
    columns.evidence[row] |= EvidenceBit.probeUnmapEnter;
    context.unmapping.push(row);
    return row;
  }

  onProbeUnmapReturn(event: TraceEvent, context: Context): void {
    const columns = this.state.shared.requests.columns;
    const stack = context.unmapping;
    for (let at = stack.length - 1; at >= 0; at--) {
      const row = stack[at];
      if (columns.recordedBounce[row] === event.dma || Number.isNaN(event.dma)) {
        columns.evidence[row] |= EvidenceBit.probeUnmapReturn;
        columns.unmapDurationNs[row] = event.timeNs - columns.unmapEnterNs[row];
        columns.unmapExitLine[row] = event.line;
        this.state.shared.requests.version++;
        stack.length = at;
        return;
      }
    }
    if (stack.length > 64) {
      stack.length = 0;
    }
  }

  /**
   * The first element's address was taken by another mapping (or its probe was seen) without a dma_unmap_sg line:
   * lines of long lists do not fit the ring buffer. Elements that were not printed ended with it.
   */
  private hasEnded(list: MappedList): boolean {
    const columns = this.state.shared.requests.columns;
    const [head] = list.rows;
    if (columns.unmapLine[head] === 0) {
      return false;
    }
    for (const row of list.rows) {
      if (columns.unmapLine[row] === 0 && Number.isNaN(columns.recordedBounce[row])) {
        this.state.setReleased(row, columns.unmapEnterNs[head], columns.unmapLine[head], 0);
        columns.pairing[row] = Pairing.reused;
        columns.evidence[row] |= EvidenceBit.inferredUnmap;
      }
    }
    return true;
  }

  private noteUnmaps(): void {
    if (this.state.hasUnmaps) {
      return;
    }
    this.state.hasUnmaps = true;
    for (let i = 0; i < this.reuses.length; i += 2) {
      endAtReuse(this.state.shared.requests, this.reuses[i], this.reuses[i + 1]);
    }
    this.reuses = [];
  }

  /**
   * Coarse clocks (jiffies) print the events of one tick CPU by CPU: an unmap may come before its map.
   * It waits for a while before it counts as the end of a mapping that nobody saw.
   */
  private hold(event: TraceEvent, address: number): void {
    this.flushHeld(event.line);
    this.held.push({ ...event, dma: address });
  }

  /** Unmaps held for long enough end mappings from before the trace. */
  flushHeld(line: number): void {
    const due = this.held.findIndex((event) => event.line + MAX_DISORDER_LINES >= line);
    const flushed = this.held.splice(0, due < 0 ? this.held.length : due);
    for (const event of flushed) {
      this.startUnseen(event, event.dma, EvidenceBit.dmaUnmap);
    }
  }

  /** Ends a mapping by the held unmap it seems to belong to. */
  private takeHeld(address: number, row: number): boolean {
    const columns = this.state.shared.requests.columns;
    const line = columns.mapLine[row];
    const at = this.held.findIndex(
      (event) =>
        event.dma === address &&
        event.sizeBytes === columns.sizeBytes[row] &&
        event.line + MAX_DISORDER_LINES >= line &&
        this.state.shared.devices.rowOf(event.device) === columns.device[row],
    );
    if (at < 0) {
      return false;
    }
    const [event] = this.held.splice(at, 1);
    this.state.setReleased(row, Number.NaN, line, packUnmapWhere(event.cpu, event.context));
    columns.pairing[row] = Pairing.exact;
    columns.evidence[row] |= EvidenceBit.dmaUnmap | EvidenceBit.inferredUnmap;
    return true;
  }

  /** The bounced mapping of `entry` was not unmapped so far, and `row` now has its address. */
  private supersede(address: number, entry: number, row: number, lateDone: number): void {
    const { live } = this;
    const columns = this.state.shared.requests.columns;
    const old = live.row[entry];
    if (lateDone >= 0) {
      // Two mappings, one unmap, and a third mapping: the unmap belonged to the second, the first still lacks its own.
      const first = live.row[lateDone];
      this.state.setReleased(old, live.timeNs[lateDone], live.line[lateDone], live.where[lateDone]);
      columns.evidence[old] |= EvidenceBit.dmaUnmap;
      columns.pairing[old] = Pairing.exact;
      live.remove(address, entry);
      columns.evidence[first] &= ~EvidenceBit.dmaUnmap;
      endAtReuse(this.state.shared.requests, first, live.by[lateDone]);
      live.state[lateDone] = LiveState.overdue;
      return;
    }
    if (this.state.hasUnmaps) {
      endAtReuse(this.state.shared.requests, old, row);
    } else {
      // Nothing in this trace says when mappings end (so far): that the address came round again is no lifetime.
      this.reuses.push(old, row);
    }
    // Only dma_unmap_page comes after the release; probes and dma_unmap_sg would have been seen.
    const mayBeLate =
      !this.state.hasUnmapProbe &&
      (columns.evidence[old] & EvidenceBit.scatterlist) === 0 &&
      !(this.state.lastLossLine > columns.enterLine[old]);
    if (mayBeLate) {
      live.state[entry] = LiveState.late;
      live.by[entry] = row;
    } else {
      live.remove(address, entry);
    }
  }

  /** The mapping an unmap at this address ends: oldest first, same size before any size, overdue ones last. */
  private findOpen(address: number, device: number, event: TraceEvent): number {
    const { live } = this;
    const columns = this.state.shared.requests.columns;
    let fallback = -1;
    let overdue = -1;
    for (let entry = live.first(address); entry >= 0; entry = live.next[entry]) {
      const state = live.state[entry];
      if (state !== LiveState.open && state !== LiveState.late && state !== LiveState.overdue) {
        continue;
      }
      const row = live.row[entry];
      if (columns.device[row] !== device && event.device !== 0 && !this.state.isUnnamed(columns.device[row])) {
        continue;
      }
      const isSameSize = columns.sizeBytes[row] === event.sizeBytes || event.sizeBytes < 0;
      if (state === LiveState.overdue) {
        overdue = isSameSize && overdue < 0 ? entry : overdue;
      } else if (isSameSize) {
        return entry;
      } else if (state === LiveState.open && fallback < 0) {
        fallback = entry;
      }
    }
    return overdue >= 0 ? overdue : fallback;
  }

  private findInState(address: number, device: number, state: number, context: number): number {
    const { live } = this;
    const { device: devices } = this.state.shared.requests.columns;
    for (let entry = live.first(address); entry >= 0; entry = live.next[entry]) {
      if (
        live.state[entry] === state &&
        (context < 0 || live.context[entry] === context) &&
        (devices[live.row[entry]] === device || this.state.isUnnamed(devices[live.row[entry]]))
      ) {
        return entry;
      }
    }
    return -1;
  }

  /** The dma_unmap_page line of a release whose probe was seen. */
  private confirmRelease(row: number, event: TraceEvent): void {
    const columns = this.state.shared.requests.columns;
    columns.evidence[row] |= EvidenceBit.dmaUnmap;
    if ((columns.evidence[row] & EvidenceBit.probeUnmapReturn) === 0) {
      columns.unmapDurationNs[row] = event.timeNs - columns.unmapEnterNs[row];
      columns.unmapExitLine[row] = event.line;
    }
    this.state.shared.requests.version++;
  }

  private closePage(address: number, entry: number, event: TraceEvent): void {
    const { live } = this;
    const columns = this.state.shared.requests.columns;
    const row = live.row[entry];
    const isLate = columns.pairing[row] === Pairing.reused;
    if (columns.unmapLine[row] !== 0 && !isLate) {
      this.confirmRelease(row, event);
      live.remove(address, entry);
      return;
    }
    columns.evidence[row] |= EvidenceBit.dmaUnmap;
    columns.pairing[row] = columns.sizeBytes[row] === event.sizeBytes ? Pairing.exact : Pairing.sizeMismatch;
    const where = packUnmapWhere(event.cpu, event.context);
    if (!isLate) {
      this.state.setReleased(row, event.timeNs, event.line, where);
      live.remove(address, entry);
      return;
    }
    // Released before the address was mapped again (where `setReused` put it), printed after.
    columns.unmapDurationNs[row] = event.timeNs - columns.unmapEnterNs[row];
    columns.unmapExitLine[row] = event.line;
    columns.unmapWhere[row] = where;
    this.state.shared.requests.version++;
    columns.evidence[row] &= ~EvidenceBit.inferredUnmap;
    live.state[entry] = LiveState.lateDone;
    live.timeNs[entry] = event.timeNs;
    live.line[entry] = event.line;
    live.where[entry] = where;
  }

  /** An unmap whose map nobody saw: the mapping existed before the trace, or its map was lost. */
  private startUnseen(event: TraceEvent, address: number, evidence: number): number {
    const row = this.state.startRequest(event, evidence);
    const columns = this.state.shared.requests.columns;
    columns.cpu[row] = -1;
    columns.pid[row] = -1;
    columns.context[row] = 0;
    columns.recordedBounce[row] = address;
    columns.original[row] = Number.NaN;
    columns.outcome[row] = Outcome.served;
    columns.pairing[row] = Pairing.unseenMap;
    columns.enterNs[row] = Number.NaN;
    columns.enterLine[row] = 0;
    columns.mapLine[row] = 0;
    columns.evidence[row] = evidence | (this.state.lastLossLine > 0 ? EvidenceBit.nearLoss : 0);
    if (evidence === EvidenceBit.dmaUnmap) {
      const { pools } = this.state.shared;
      const isBounced = pools.hasRanges() ? pools.contains(address) : pools.isNearBounced(address);
      columns.evidence[row] |= isBounced ? 0 : EvidenceBit.direct;
    }
    this.state.setReleased(row, event.timeNs, event.line, packUnmapWhere(event.cpu, event.context));
    return row;
  }
}
