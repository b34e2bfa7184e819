import { Direction, EventKind, type TraceEvent } from '../model/events';
import type { LogRecord } from '../model/log';
import { EvidenceBit, Outcome, Pairing, packUnmapWhere } from '../model/tables';
import type { Attempt, Context, Contexts } from './contexts';
import { isEncryptionBit, withoutEncryption } from './devices';
import type { FailedLists } from './failedLists';
import { LiveState } from './liveMappings';
import { fitsPaddedSize } from './paddedSize';
import type { SourceState } from './sourceState';
import type { UnmapPairing } from './unmapPairing';

/** A context keeps at most so many unfinished attempts; without any dma event to finish them, far fewer. */
const MAX_ATTEMPTS = 16384;
const MAX_ATTEMPTS_WITHOUT_DMA = 512;
/** How far back an event looks for its attempt inside one context. */
const MAX_LOOK_BACK = 2048;
/** Bus offsets and encryption bits are multiples of this. */
const SMALLEST_DMA_OFFSET = 0x100000;

/** Joins the events of one attempt to map: tracepoint, probes, dma event, console line, scatterlist. */
export class MapPairing {
  private readonly state: SourceState;
  private readonly contexts: Contexts;
  private readonly unmaps: UnmapPairing;
  private readonly failedLists: FailedLists;

  constructor(state: SourceState, contexts: Contexts, unmaps: UnmapPairing, failedLists: FailedLists) {
    this.state = state;
    this.contexts = contexts;
    this.unmaps = unmaps;
    this.failedLists = failedLists;
  }

  /** swiotlb_bounced: every attempt, before it is made. */
  onBounced(event: TraceEvent, context: Context): void {
    this.state.hasBounced = true;
    event.original = withoutEncryption(event.original, this.state.shared.devices.offsetOf(event.device));
    const row = this.state.startRequest(event, EvidenceBit.bounced | (event.forced ? EvidenceBit.forced : 0));
    const { device: devices, original } = this.state.shared.requests.columns;
    const device = devices[row];
    // Until another event tells the physical address; the attempt keeps the printed one, which that event is compared with.
    original[row] = this.state.bounceAddress(device, event.original);
    const info = this.state.shared.devices.rows[device];
    if (event.dmaMaskBits >= 0 && info.dmaMaskBits !== event.dmaMaskBits) {
      info.dmaMaskBits = event.dmaMaskBits;
      info.dmaMaskLine = event.line;
      info.dmaMaskSource = event.source;
    }
    info.forced ||= event.forced;
    this.begin(context, row, device, event, EvidenceBit.bounced);
  }

  onProbeMapEnter(event: TraceEvent, context: Context): void {
    const device = this.state.shared.devices.rowOf(event.device);
    const at = this.findAttempt(
      context,
      event,
      device,
      EvidenceBit.bounced,
      EvidenceBit.probeEnter | EvidenceBit.probeReturn | EvidenceBit.console,
    );
    if (at >= 0) {
      const attempt = context.attempts[at];
      this.adopt(attempt, event, EvidenceBit.probeEnter);
      this.noteAlignment(attempt.row, event);
      return;
    }
    const row = this.state.startRequest(event, EvidenceBit.probeEnter);
    this.noteAlignment(row, event);
    this.begin(context, row, device, event, EvidenceBit.probeEnter);
  }

  onProbeMapReturn(event: TraceEvent, context: Context): void {
    const device = this.state.shared.devices.rowOf(event.device);
    let at = this.findAttempt(context, event, device, EvidenceBit.probeEnter, EvidenceBit.probeReturn);
    if (at < 0) {
      at = this.findAttempt(
        context,
        event,
        device,
        EvidenceBit.bounced,
        EvidenceBit.probeEnter | EvidenceBit.probeReturn,
      );
    }
    let row: number;
    if (at >= 0) {
      const attempt = context.attempts[at];
      row = attempt.row;
      this.adopt(attempt, event, EvidenceBit.probeReturn);
      attempt.failed = event.failed;
      // A direct call of swiotlb_tbl_map_single: no tracepoint will follow.
      if (this.state.hasBounced && (attempt.seen & EvidenceBit.bounced) === 0) {
        this.contexts.drop(context, at);
      }
    } else {
      row = this.state.startRequest(event, EvidenceBit.probeReturn);
      if (!this.state.hasBounced) {
        this.begin(context, row, device, event, EvidenceBit.probeReturn).failed = event.failed;
      }
    }
    this.noteAlignment(row, event);
    this.answer(row, event);
  }

  /** The same by function_graph, which names neither device nor size: only an attempt that is under way gets it. */
  onFunctionReturn(event: TraceEvent, context: Context): void {
    const device = this.state.shared.devices.rowOf(event.device);
    const at = this.findAttempt(context, event, device, EvidenceBit.bounced, EvidenceBit.probeReturn);
    if (at >= 0) {
      const attempt = context.attempts[at];
      this.adopt(attempt, event, EvidenceBit.probeReturn);
      attempt.failed = event.failed;
      this.answer(attempt.row, event);
    }
  }

  /** What swiotlb_tbl_map_single returned. */
  private answer(row: number, event: TraceEvent): void {
    this.setResult(row, event);
    if (event.failed) {
      this.state.setOutcome(row, Outcome.failed);
      return;
    }
    this.state.setOutcome(row, Outcome.served);
    this.state.shared.pools.noteBounced(event.dma);
    this.unmaps.mapAt(event.dma, row);
  }

  /** dma_map_page: after the attempt, failures included. */
  onMapPage(event: TraceEvent, context: Context): void {
    this.state.hasDmaMap = true;
    const device = this.state.shared.devices.rowOf(event.device);
    const at = this.findAttempt(context, event, device, 0, EvidenceBit.dmaMap);
    if (at >= 0) {
      const attempt = context.attempts[at];
      const row = attempt.row;
      this.adopt(attempt, event, EvidenceBit.dmaMap);
      const isProbed = (attempt.seen & EvidenceBit.probeReturn) !== 0;
      this.contexts.drop(context, at);
      this.completeMap(row, device, event, event.dma, isProbed);
    } else {
      const row = this.findProbed(event, device, event.dma);
      if (row >= 0) {
        this.state.shared.requests.columns.evidence[row] |= EvidenceBit.dmaMap;
        this.state.setDirection(row, event);
      } else {
        this.startPlain(event, device, event.dma);
      }
    }
    if (context.isExact) {
      this.failedLists.close(context);
    }
  }

  /** dma_map_sg: after all elements, successes only. */
  onMapSg(event: TraceEvent, context: Context): void {
    this.state.hasDmaMap = true;
    this.failedLists.note();
    const count = event.sgCount;
    if (count === 0) {
      return;
    }
    const device = this.state.shared.devices.rowOf(event.device);
    const total = Math.max(count, event.sgTotal);
    const rows = new Array<number>(count).fill(-1);
    const attempts = context.attempts;
    const first = attempts.length - total;
    if (first >= 0 && attempts[first].original !== event.sgOriginal[0]) {
      this.learnOffset(context, device, event.sgOriginal[0], event.sgSizes[0], first);
    }
    // Walk both backwards: elements that bounced have an attempt, in the same order.
    let last = attempts.length - 1;
    let tailStart = attempts.length;
    if (total > count) {
      last = this.findCutEnd(attempts, device, event, total);
      tailStart = last + 1;
    }
    let oldest = tailStart;
    for (let i = count - 1; i >= 0 && last >= 0; i--) {
      const at = this.findElement(attempts, last, device, event, i, MAX_LOOK_BACK);
      if (at >= 0) {
        rows[i] = attempts[at].row;
        attempts[at].seen |= EvidenceBit.dmaMap;
        oldest = at;
        last = at - 1;
      }
    }
    const tailRows: number[] = [];
    for (let i = tailStart; i < attempts.length && tailRows.length < total - count; i++) {
      if (attempts[i].device === device && (attempts[i].seen & EvidenceBit.bounced) !== 0)
        attempts[i].seen |= EvidenceBit.dmaMap;
      tailRows.push(attempts[i].row);
    }
    const list = this.fillList(event, device, rows, tailRows, total);
    this.dropFinished(context, oldest);
    if (context.isExact) {
      this.failedLists.close(context);
    }
    this.failedLists.noteMapped(list);
  }

  /**
   * A "buffer is full" line printed through the trace belongs to the attempt that is being made on its CPU.
   * Returns the request's row, or -1.
   */
  joinConsole(record: LogRecord): number {
    const device = this.state.shared.devices.findName(record.device);
    for (let level = 2; level >= 0; level--) {
      const attempts = this.contexts.peek(record.cpu, record.pid, level)?.attempts ?? [];
      const oldest = Math.max(0, attempts.length - 8);
      for (let i = attempts.length - 1; i >= oldest; i--) {
        const attempt = attempts[i];
        if (
          attempt.device === device &&
          (attempt.seen & (EvidenceBit.probeReturn | EvidenceBit.console)) === 0 &&
          fitsPaddedSize(attempt.sizeBytes, record.sizeBytes)
        ) {
          attempt.seen |= EvidenceBit.console;
          attempt.failed = true;
          const columns = this.state.shared.requests.columns;
          columns.evidence[attempt.row] |= EvidenceBit.console;
          columns.consoleLine[attempt.row] = record.line;
          this.state.setOutcome(attempt.row, Outcome.failed);
          return attempt.row;
        }
      }
    }
    return -1;
  }

  /** Is this row's attempt still waiting for its dma event? */
  isUnderWay(context: Context, row: number): boolean {
    return context.attempts.some((attempt) => attempt.row === row);
  }

  private completeMap(row: number, device: number, event: TraceEvent, dma: number, isProbed: boolean): void {
    this.state.setDirection(row, event);
    if (event.failed) {
      this.state.setOutcome(row, Outcome.failed);
      if (isProbed) {
        this.releaseRefused(row, event);
      } else {
        this.setResult(row, event);
      }
      return;
    }
    const bounce = this.state.bounceAddress(device, dma);
    if (isProbed) {
      // Behind an IOMMU the DMA address is not the bounce address; the dma_unmap line will name the former.
      if (bounce !== this.state.shared.requests.columns.recordedBounce[row]) {
        this.unmaps.mapAt(bounce, row);
      }
      return;
    }
    this.setResult(row, event);
    this.state.shared.requests.columns.recordedBounce[row] = bounce;
    this.state.setOutcome(row, Outcome.served);
    this.state.shared.pools.noteBounced(bounce);
    this.unmaps.mapAt(bounce, row);
  }

  /** The probe showed slots, the dma event a failure: dma_capable refused the address, and the call gave them back. */
  private releaseRefused(row: number, event: TraceEvent): void {
    const columns = this.state.shared.requests.columns;
    const bounce = columns.recordedBounce[row];
    if (Number.isNaN(bounce) || columns.unmapLine[row] !== 0) {
      return;
    }
    const entry = this.unmaps.live.find(bounce, row);
    if (entry >= 0) {
      this.unmaps.live.remove(bounce, entry);
    }
    columns.pairing[row] = Pairing.exact;
    columns.evidence[row] |= EvidenceBit.inferredUnmap;
    this.state.setReleased(row, event.timeNs, event.line, packUnmapWhere(event.cpu, event.context));
  }

  /** A mapping of which only its dma event is known. */
  private startPlain(event: TraceEvent, device: number, dma: number): number {
    const row = this.state.startRequest(event, EvidenceBit.dmaMap);
    this.state.setDirection(row, event);
    const columns = this.state.shared.requests.columns;
    columns.mapDurationNs[row] = !Number.isNaN(event.timeNs) ? 0 : Number.NaN;
    if (event.failed) {
      columns.outcome[row] = Outcome.failed;
      columns.evidence[row] |= this.state.hasBounced ? EvidenceBit.direct : 0;
      return row;
    }
    columns.outcome[row] = Outcome.served;
    const bounce = this.state.bounceAddress(device, dma);
    if (this.state.shared.pools.contains(bounce)) {
      columns.recordedBounce[row] = bounce;
    } else {
      columns.recordedBounce[row] = dma;
      columns.evidence[row] |= EvidenceBit.direct;
    }
    this.unmaps.mapAt(columns.recordedBounce[row], row);
    return row;
  }

  /** Writes the elements of a mapped list: `rows[i]` is the attempt's row or -1 for an element without one. */
  private fillList(event: TraceEvent, device: number, rows: number[], tailRows: number[], total: number): number[] {
    for (let i = 0; i < rows.length; i++) {
      const dma = event.sgDma[i];
      event.failed = false;
      event.original = event.sgOriginal[i];
      event.sizeBytes = event.sgSizes[i];
      if (rows[i] < 0) {
        const probed = this.findProbed(event, device, dma);
        rows[i] = probed >= 0 ? probed : this.startPlain(event, device, dma);
      } else {
        const row = rows[i];
        const columns = this.state.shared.requests.columns;
        if (!Number.isNaN(event.original)) {
          columns.original[row] = event.original;
        }
        this.completeMap(row, device, event, dma, (columns.evidence[row] & EvidenceBit.probeReturn) !== 0);
      }
      this.state.setDirection(rows[i], event);
    }
    const columns = this.state.shared.requests.columns;
    for (const row of tailRows) {
      if (columns.outcome[row] === Outcome.unknown) {
        this.state.setOutcome(row, Outcome.served);
        columns.evidence[row] |= EvidenceBit.inferredOutcome;
        this.setResult(row, event);
      }
      this.state.setDirection(row, event);
    }
    const all = tailRows.length === 0 ? rows : rows.concat(tailRows);
    for (let i = 0; i < all.length; i++) {
      const row = all[i];
      columns.evidence[row] |= EvidenceBit.dmaMap | EvidenceBit.scatterlist;
      columns.sgGroup[row] = all[0];
      columns.sgIndex[row] = Math.min(i, 65535);
      columns.sgCount[row] = Math.min(total, 65535);
    }
    this.unmaps.lists.add({ device, originals: event.sgOriginal.slice(0, rows.length), total, rows: all });
    return all;
  }

  /** Position of the last printed element of a cut list: by counting when every element bounced, else by address. */
  private findCutEnd(attempts: readonly Attempt[], device: number, event: TraceEvent, total: number): number {
    const printed = event.sgCount - 1;
    const first = attempts.length - total;
    if (
      first >= 0 &&
      this.findElement(attempts, first, device, event, 0, 0) === first &&
      this.findElement(attempts, first + printed, device, event, printed, 0) === first + printed
    ) {
      return first + printed;
    }
    return this.findElement(attempts, attempts.length - 1, device, event, printed, MAX_ATTEMPTS);
  }

  private findElement(
    attempts: readonly Attempt[],
    from: number,
    device: number,
    event: TraceEvent,
    i: number,
    lookBack: number,
  ): number {
    const end = Math.max(0, from - lookBack);
    for (let at = from; at >= end; at--) {
      const attempt = attempts[at];
      if (
        attempt.device === device &&
        (attempt.seen & EvidenceBit.dmaMap) === 0 &&
        !attempt.failed &&
        attempt.sizeBytes === event.sgSizes[i] &&
        this.isSameBuffer(attempt, event.sgOriginal[i])
      )
        return at;
    }
    return -1;
  }

  private dropFinished(context: Context, from: number): void {
    const attempts = context.attempts;
    let kept = from;
    for (let at = from; at < attempts.length; at++) {
      if ((attempts[at].seen & EvidenceBit.dmaMap) === 0) {
        const swap = attempts[kept];
        attempts[kept] = attempts[at];
        attempts[at] = swap;
        kept++;
      }
    }
    this.contexts.dropRange(context, kept, attempts.length);
  }

  /** The newest attempt of the context that this event can belong to: has all of `need`, none of `without`. */
  private findAttempt(context: Context, event: TraceEvent, device: number, need: number, without: number): number {
    const at = this.searchAttempt(context, event, device, need, without);
    const newest = context.attempts.length - 1;
    return at < 0 && this.learnOffset(context, device, event.original, event.sizeBytes, newest)
      ? this.searchAttempt(context, event, device, need, without)
      : at;
  }

  private searchAttempt(context: Context, event: TraceEvent, device: number, need: number, without: number): number {
    const attempts = context.attempts;
    const end = Math.max(0, attempts.length - MAX_LOOK_BACK);
    for (let at = attempts.length - 1; at >= end; at--) {
      const attempt = attempts[at];
      if (
        (attempt.seen & need) === need &&
        (attempt.seen & without) === 0 &&
        (attempt.device === device || event.device === 0 || this.state.isUnnamed(attempt.device)) &&
        (attempt.sizeBytes === event.sizeBytes || event.sizeBytes < 0 || attempt.sizeBytes < 0) &&
        this.isSameBuffer(attempt, event.original)
      )
        return at;
    }
    return -1;
  }

  /**
   * Compares an attempt's original address with a physical address.
   * swiotlb_bounced prints phys_to_dma(original): with the encryption bit, or moved by the bus offset.
   */
  private isSameBuffer(attempt: Attempt, original: number): boolean {
    const difference = attempt.original - original;
    if (difference === 0 || Number.isNaN(difference)) {
      return true;
    }
    return (
      (attempt.seen & (EvidenceBit.bounced | EvidenceBit.probeEnter)) === EvidenceBit.bounced &&
      this.state.shared.devices.rows[attempt.device].dmaOffset === difference
    );
  }

  /** Learns a device's DMA offset from the newest attempt when nothing matches as it is. */
  private learnOffset(context: Context, device: number, original: number, sizeBytes: number, at: number): boolean {
    const attempt = context.attempts[at];
    if (attempt === undefined || !Number.isNaN(this.state.shared.devices.rows[device].dmaOffset)) {
      return false;
    }
    const difference = attempt.original - original;
    const isPlausible = difference !== 0 && difference % SMALLEST_DMA_OFFSET === 0;
    if (
      !isPlausible ||
      attempt.device !== device ||
      attempt.sizeBytes !== sizeBytes ||
      (attempt.seen & (EvidenceBit.bounced | EvidenceBit.probeEnter)) !== EvidenceBit.bounced
    ) {
      return false;
    }
    this.learn(device, difference);
    return true;
  }

  private learn(device: number, offset: number): void {
    const { devices, requests } = this.state.shared;
    devices.learnOffset(device, offset, requests.length);
  }

  private begin(context: Context, row: number, device: number, event: TraceEvent, seen: number): Attempt {
    const limit = this.state.hasDmaMap ? MAX_ATTEMPTS : MAX_ATTEMPTS_WITHOUT_DMA;
    if (context.attempts.length >= limit) {
      this.contexts.dropRange(context, 0, limit / 2);
    }
    return this.contexts.push(context, row, device, event.original, event.sizeBytes, seen);
  }

  /** Adds an event's facts to an attempt that an earlier event began. */
  private adopt(attempt: Attempt, event: TraceEvent, bit: number): void {
    const columns = this.state.shared.requests.columns;
    const row = attempt.row;
    const original = event.original;
    if (!Number.isNaN(original)) {
      if (attempt.original !== original) {
        const difference = attempt.original - original;
        if (!Number.isNaN(difference)) {
          this.learn(attempt.device, difference);
        }
        attempt.original = original;
        columns.original[row] = original;
      } else if (
        attempt.seen === EvidenceBit.bounced &&
        // Equal because the encryption bit was already taken off?
        !isEncryptionBit(this.state.shared.devices.rows[attempt.device].dmaOffset)
      ) {
        this.learn(attempt.device, 0);
      }
    }
    if (attempt.sizeBytes < 0 && event.sizeBytes >= 0) {
      attempt.sizeBytes = event.sizeBytes;
      columns.sizeBytes[row] = event.sizeBytes;
    }
    if (event.device !== 0 && this.state.isUnnamed(attempt.device)) {
      attempt.device = this.state.shared.devices.rowOf(event.device);
      columns.device[row] = attempt.device;
    }
    if (event.direction !== Direction.none) {
      this.state.setDirection(row, event);
    }
    attempt.seen |= bit;
    columns.evidence[row] |= bit;
    this.state.shared.requests.version++;
  }

  private noteAlignment(row: number, event: TraceEvent): void {
    if (event.allocAlignMask < 0) {
      return;
    }
    const columns = this.state.shared.requests.columns;
    columns.allocAlignBits[row] = maskBits(event.allocAlignMask);
    columns.evidence[row] |= EvidenceBit.alignPrinted;
  }

  private setResult(row: number, event: TraceEvent): void {
    const columns = this.state.shared.requests.columns;
    columns.mapLine[row] = event.line;
    columns.mapDurationNs[row] = event.timeNs - columns.enterNs[row];
    if (!event.failed && (event.kind === EventKind.probeMapReturn || event.kind === EventKind.functionDuration)) {
      columns.recordedBounce[row] = event.dma;
    }
    this.state.shared.requests.version++;
  }

  /** A request whose probe return was seen without a tracepoint before it, still waiting for its dma event. */
  private findProbed(event: TraceEvent, device: number, dma: number): number {
    const columns = this.state.shared.requests.columns;
    let entry = this.unmaps.live.first(this.state.bounceAddress(device, dma));
    for (; entry >= 0; entry = this.unmaps.live.next[entry]) {
      const row = this.unmaps.live.row[entry];
      if (
        this.unmaps.live.state[entry] === LiveState.open &&
        (columns.evidence[row] & (EvidenceBit.probeReturn | EvidenceBit.dmaMap)) === EvidenceBit.probeReturn &&
        columns.device[row] === device &&
        columns.sizeBytes[row] === event.sizeBytes &&
        columns.pid[row] === event.pid
      ) {
        return row;
      }
    }
    return -1;
  }
}

/** alloc_align_mask 0xfff is 12 bits; absent and 0 are 0. */
function maskBits(mask: number): number {
  return mask > 0 ? 32 - Math.clz32(mask) : 0;
}
