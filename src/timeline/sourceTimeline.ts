import { Direction, EventKind, type TraceEvent } from '../model/events';
import type { LogRecord } from '../model/log';
import { CallKind, EvidenceBit, FactKind, Outcome, Pairing, packUnmapWhere } from '../model/tables';
import { type Attempt, type Context, Contexts } from './contexts';
import { LiveMappings, LiveState } from './liveMappings';
import { MappedLists } from './scatterlists';
import { endAtReuse } from './settle';
import type { SharedTables } from './shared';

/** A context keeps at most so many unfinished attempts; without any dma event to finish them, far fewer. */
const MAX_ATTEMPTS = 16384;
const MAX_ATTEMPTS_WITHOUT_DMA = 512;
/** How far back an event looks for its attempt inside one context. */
const MAX_LOOK_BACK = 2048;
/** Lists longer than this may have had a dma_map_sg line that did not fit the ring buffer (kernels before [TRUNCATED]). */
const MAX_PRINTABLE_LIST = 128;
/** Largest padding the kernel adds to a size in "buffer is full": min_align_mask plus alloc_align_mask. */
const MAX_PADDING = 0x20000;
/** A DMA address that differs from the physical one by this power of two or more carries an encryption bit. */
const LOWEST_ENCRYPTION_BIT = 2 ** 40;
/** How many mappings of one address may wait for an unmap line that is printed late. */
const MAX_LATE = 8;
/** Bus offsets and encryption bits are multiples of this. */
const SMALLEST_DMA_OFFSET = 0x100000;
const MAX_FACTS = 1_000_000;

/**
 * Pairs the events of one source (design.md "From events to requests").
 * A request's row is written at the first evidence of the attempt, so rows are in line order, and completed by later
 * evidence: the result, the scatterlist it belongs to, its unmap.
 */
export class SourceTimeline {
  readonly id: number;
  private readonly shared: SharedTables;
  private readonly contexts = new Contexts();
  private readonly live = new LiveMappings();
  private readonly lists = new MappedLists();
  /** Failed lists that wait for a sign that this trace records dma_map_sg at all. */
  private undecidedLists: number[][] = [];
  private hasBounced = false;
  private hasDmaMap = false;
  private hasScatterlists = false;
  private hasUnmapProbe = false;
  private hasWorkerReturn = false;
  private hasWorkqueue = false;
  private lastLossLine = 0;
  hasUnmaps = false;
  requests = 0;
  unpairedUnmaps = 0;
  firstTimeNs = Number.NaN;
  lastTimeNs = Number.NaN;
  /** `mono=` and `boot=` markers: trace time, CLOCK_MONOTONIC and CLOCK_BOOTTIME of the same moment (absolute). */
  readonly markers: { readonly timeNs: number; readonly monoNs: number; readonly bootNs: number }[] = [];

  constructor(id: number, shared: SharedTables) {
    this.id = id;
    this.shared = shared;
  }

  /** Line of the last loss, 0 none. */
  get lossLine(): number {
    return this.lastLossLine;
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
        this.onBounced(event, this.contexts.of(event));
        return;
      case EventKind.mapPage:
        this.onMapPage(event, this.contexts.of(event));
        return;
      case EventKind.unmapPage:
        this.onUnmapPage(event, this.contexts.of(event));
        return;
      case EventKind.mapSg:
        this.onMapSg(event, this.contexts.of(event));
        return;
      case EventKind.unmapSg:
        this.onUnmapSg(event, this.contexts.of(event));
        return;
      case EventKind.mapSgError:
        this.hasScatterlists = true;
        this.hasDmaMap = true;
        this.closeLists(this.contexts.of(event));
        return;
      case EventKind.probeMapEnter:
        this.onProbeMapEnter(event, this.contexts.of(event));
        return;
      case EventKind.probeMapReturn:
        this.onProbeMapReturn(event, this.contexts.of(event));
        return;
      case EventKind.probeUnmapEnter:
        this.onProbeUnmapEnter(event, this.contexts.of(event));
        return;
      case EventKind.probeUnmapReturn:
        this.onProbeUnmapReturn(event, this.contexts.of(event));
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
        return;
      default:
        return;
    }
  }

  /** Events of a CPU (-1: any) are missing here: what was under way there cannot be completed. */
  lost(line: number, cpu: number): void {
    this.lastLossLine = line;
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
    const device = this.shared.devices.findName(record.device);
    for (let level = 2; level >= 0; level--) {
      const context = this.contexts.find(record.cpu, record.pid, level, true);
      const attempts = context.attempts;
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
          const columns = this.shared.requests.columns;
          columns.evidence[attempt.row] |= EvidenceBit.console;
          columns.consoleLine[attempt.row] = record.line;
          this.setOutcome(attempt.row, Outcome.failed);
          return attempt.row;
        }
      }
    }
    return -1;
  }

  /**
   * Before a snapshot: what can be said without waiting for more.
   * The newest list of a context stays undecided (its dma event may still come) unless its failure was printed.
   */
  settle(): void {
    this.shared.pools.settleAdded(this.id, this.hasWorkerReturn);
    if (!this.hasDmaMap) {
      return;
    }
    for (const context of this.contexts.onCpu(-1)) {
      if (context.isExact && context.attempts.length > 1) {
        this.settleLists(context);
      }
    }
  }

  private settleLists(context: Context): void {
    const attempts = context.attempts;
    let first = 0;
    for (let at = 1; at < attempts.length; at++) {
      if (startsNewList(attempts, first, at)) {
        this.closeList(attempts, first, at);
        first = at;
      }
    }
    if (attempts.length - first > 1 && attempts[attempts.length - 1].failed) {
      this.closeList(attempts, first, attempts.length);
      first = attempts.length;
    }
    this.contexts.dropRange(context, 0, first);
  }

  // --- maps ---

  private onBounced(event: TraceEvent, context: Context): void {
    this.hasBounced = true;
    const row = this.startRequest(event, EvidenceBit.bounced | (event.forced ? EvidenceBit.forced : 0));
    const device = this.shared.requests.columns.device[row];
    const info = this.shared.devices.rows[device];
    if (event.dmaMaskBits >= 0 && info.dmaMaskBits !== event.dmaMaskBits) {
      info.dmaMaskBits = event.dmaMaskBits;
      info.dmaMaskLine = event.line;
      info.dmaMaskSource = event.source;
    }
    info.forced ||= event.forced;
    this.begin(context, row, device, event, EvidenceBit.bounced);
  }

  private onProbeMapEnter(event: TraceEvent, context: Context): void {
    const device = this.shared.devices.rowOf(event.device);
    const at = this.findAttempt(
      context,
      event,
      device,
      EvidenceBit.bounced,
      EvidenceBit.probeEnter | EvidenceBit.probeReturn | EvidenceBit.console,
    );
    const columns = this.shared.requests.columns;
    if (at >= 0) {
      const attempt = context.attempts[at];
      this.adopt(attempt, event, EvidenceBit.probeEnter);
      columns.allocAlignBits[attempt.row] = maskBits(event.allocAlignMask);
      return;
    }
    const row = this.startRequest(event, EvidenceBit.probeEnter);
    this.shared.requests.columns.allocAlignBits[row] = maskBits(event.allocAlignMask);
    this.begin(context, row, device, event, EvidenceBit.probeEnter);
  }

  private onProbeMapReturn(event: TraceEvent, context: Context): void {
    const device = this.shared.devices.rowOf(event.device);
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
      if (this.hasBounced && (attempt.seen & EvidenceBit.bounced) === 0) {
        this.contexts.drop(context, at);
      }
    } else {
      row = this.startRequest(event, EvidenceBit.probeReturn);
      if (!this.hasBounced) {
        this.begin(context, row, device, event, EvidenceBit.probeReturn).failed = event.failed;
      }
    }
    this.setResult(row, event);
    if (event.allocAlignMask >= 0) {
      this.shared.requests.columns.allocAlignBits[row] = maskBits(event.allocAlignMask);
    }
    if (event.failed) {
      this.setOutcome(row, Outcome.failed);
      return;
    }
    this.setOutcome(row, Outcome.served);
    this.shared.pools.noteBounced(event.dma);
    this.mapAt(event.dma, row);
  }

  private onMapPage(event: TraceEvent, context: Context): void {
    this.hasDmaMap = true;
    const device = this.shared.devices.rowOf(event.device);
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
        this.shared.requests.columns.evidence[row] |= EvidenceBit.dmaMap;
        this.setDirection(row, event);
      } else {
        this.startPlain(event, device, event.dma);
      }
    }
    if (context.isExact) {
      this.closeLists(context);
    }
  }

  private completeMap(row: number, device: number, event: TraceEvent, dma: number, isProbed: boolean): void {
    this.setDirection(row, event);
    if (event.failed) {
      this.setOutcome(row, Outcome.failed);
      if (isProbed) {
        this.releaseRefused(row, event);
      } else {
        this.setResult(row, event);
      }
      return;
    }
    const bounce = this.bounceAddress(device, dma);
    if (isProbed) {
      // Behind an IOMMU the DMA address is not the bounce address; the dma_unmap line will name the former.
      if (bounce !== this.shared.requests.columns.recordedBounce[row]) {
        this.mapAt(bounce, row);
      }
      return;
    }
    this.setResult(row, event);
    this.shared.requests.columns.recordedBounce[row] = bounce;
    this.setOutcome(row, Outcome.served);
    this.shared.pools.noteBounced(bounce);
    this.mapAt(bounce, row);
  }

  /** The probe showed slots, the dma event a failure: dma_capable refused the address, and the call gave them back. */
  private releaseRefused(row: number, event: TraceEvent): void {
    const columns = this.shared.requests.columns;
    const bounce = columns.recordedBounce[row];
    if (Number.isNaN(bounce) || columns.unmapLine[row] !== 0) {
      return;
    }
    const entry = this.live.find(bounce, row);
    if (entry >= 0) {
      this.live.remove(bounce, entry);
    }
    columns.pairing[row] = Pairing.exact;
    columns.evidence[row] |= EvidenceBit.inferredUnmap;
    this.setReleased(row, event.timeNs, event.line, packUnmapWhere(event.cpu, event.context));
  }

  /** A mapping of which only its dma event is known. */
  private startPlain(event: TraceEvent, device: number, dma: number): number {
    const row = this.startRequest(event, EvidenceBit.dmaMap);
    this.setDirection(row, event);
    const columns = this.shared.requests.columns;
    columns.mapDurationNs[row] = !Number.isNaN(event.timeNs) ? 0 : Number.NaN;
    if (event.failed) {
      columns.outcome[row] = Outcome.failed;
      columns.evidence[row] |= this.hasBounced ? EvidenceBit.direct : 0;
      return row;
    }
    columns.outcome[row] = Outcome.served;
    const bounce = this.bounceAddress(device, dma);
    if (this.shared.pools.contains(bounce)) {
      columns.recordedBounce[row] = bounce;
    } else {
      columns.recordedBounce[row] = dma;
      columns.evidence[row] |= EvidenceBit.direct;
    }
    this.mapAt(columns.recordedBounce[row], row);
    return row;
  }

  private onMapSg(event: TraceEvent, context: Context): void {
    this.hasDmaMap = true;
    this.noteScatterlists();
    const count = event.sgCount;
    if (count === 0) {
      return;
    }
    const device = this.shared.devices.rowOf(event.device);
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
    this.fillList(event, device, rows, tailRows, total);
    this.dropFinished(context, oldest);
    if (context.isExact) {
      this.closeLists(context);
    }
  }

  /** Writes the elements of a mapped list: `rows[i]` is the attempt's row or -1 for an element without one. */
  private fillList(event: TraceEvent, device: number, rows: number[], tailRows: number[], total: number): void {
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
        const columns = this.shared.requests.columns;
        if (!Number.isNaN(event.original)) {
          columns.original[row] = event.original;
        }
        this.completeMap(row, device, event, dma, (columns.evidence[row] & EvidenceBit.probeReturn) !== 0);
      }
      this.setDirection(rows[i], event);
    }
    const columns = this.shared.requests.columns;
    for (const row of tailRows) {
      if (columns.outcome[row] === Outcome.unknown) {
        this.setOutcome(row, Outcome.served);
        columns.evidence[row] |= EvidenceBit.inferredOutcome;
        this.setResult(row, event);
      }
      this.setDirection(row, event);
    }
    const all = tailRows.length === 0 ? rows : rows.concat(tailRows);
    for (let i = 0; i < all.length; i++) {
      const row = all[i];
      columns.evidence[row] |= EvidenceBit.dmaMap | EvidenceBit.scatterlist;
      columns.sgGroup[row] = all[0];
      columns.sgIndex[row] = Math.min(i, 65535);
      columns.sgCount[row] = Math.min(total, 65535);
    }
    this.lists.add({ device, originals: event.sgOriginal.slice(0, rows.length), total, rows: all });
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
        (attempt.device === device || event.device === 0 || this.isUnnamed(attempt.device)) &&
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
      this.shared.devices.dmaOffset[attempt.device] === difference
    );
  }

  /** Learns a device's DMA offset from the newest attempt when nothing matches as it is. */
  private learnOffset(context: Context, device: number, original: number, sizeBytes: number, at: number): boolean {
    const attempt = context.attempts[at];
    if (attempt === undefined || !Number.isNaN(this.shared.devices.dmaOffset[device])) {
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
    this.shared.devices.dmaOffset[device] = difference;
    return true;
  }

  private isUnnamed(device: number): boolean {
    return this.shared.devices.rows[device].name === '';
  }

  private startRequest(event: TraceEvent, evidence: number): number {
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

  private begin(context: Context, row: number, device: number, event: TraceEvent, seen: number): Attempt {
    const limit = this.hasDmaMap ? MAX_ATTEMPTS : MAX_ATTEMPTS_WITHOUT_DMA;
    if (context.attempts.length >= limit) {
      this.contexts.dropRange(context, 0, limit / 2);
    }
    return this.contexts.push(context, row, device, event.original, event.sizeBytes, seen);
  }

  /** Adds an event's facts to an attempt that an earlier event began. */
  private adopt(attempt: Attempt, event: TraceEvent, bit: number): void {
    const columns = this.shared.requests.columns;
    const row = attempt.row;
    const original = event.original;
    if (!Number.isNaN(original)) {
      if (attempt.original !== original) {
        const difference = attempt.original - original;
        if (!Number.isNaN(difference)) {
          this.shared.devices.dmaOffset[attempt.device] = difference;
        }
        attempt.original = original;
        columns.original[row] = original;
      } else if (attempt.seen === EvidenceBit.bounced) {
        this.shared.devices.dmaOffset[attempt.device] = 0;
      }
    }
    if (attempt.sizeBytes < 0 && event.sizeBytes >= 0) {
      attempt.sizeBytes = event.sizeBytes;
      columns.sizeBytes[row] = event.sizeBytes;
    }
    if (event.device !== 0 && this.isUnnamed(attempt.device)) {
      attempt.device = this.shared.devices.rowOf(event.device);
      columns.device[row] = attempt.device;
    }
    if (event.direction !== Direction.none) {
      this.setDirection(row, event);
    }
    attempt.seen |= bit;
    columns.evidence[row] |= bit;
    this.shared.requests.version++;
  }

  private setDirection(row: number, event: TraceEvent): void {
    const columns = this.shared.requests.columns;
    columns.direction[row] = event.direction;
    columns.attributes[row] |= event.attributes;
  }

  private setResult(row: number, event: TraceEvent): void {
    const columns = this.shared.requests.columns;
    columns.mapLine[row] = event.line;
    columns.mapDurationNs[row] = event.timeNs - columns.enterNs[row];
    if (!event.failed && event.kind === EventKind.probeMapReturn) {
      columns.recordedBounce[row] = event.dma;
    }
    this.shared.requests.version++;
  }

  private setOutcome(row: number, outcome: number): void {
    this.shared.requests.columns.outcome[row] = outcome;
    this.shared.requests.version++;
  }

  /** phys of a bounce address that a dma event printed: bounce buffers are unencrypted, but may lie behind a bus offset. */
  private bounceAddress(device: number, dma: number): number {
    const offset = this.shared.devices.dmaOffset[device];
    return Number.isNaN(offset) || offset === 0 || offset >= LOWEST_ENCRYPTION_BIT ? dma : dma - offset;
  }

  /** A request whose probe return was seen without a tracepoint before it, still waiting for its dma event. */
  private findProbed(event: TraceEvent, device: number, dma: number): number {
    const columns = this.shared.requests.columns;
    let entry = this.live.first(this.bounceAddress(device, dma));
    for (; entry >= 0; entry = this.live.next[entry]) {
      const row = this.live.row[entry];
      if (
        this.live.state[entry] === LiveState.open &&
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

  // --- failed scatterlists ---

  private noteScatterlists(): void {
    if (!this.hasScatterlists) {
      this.hasScatterlists = true;
      for (const rows of this.undecidedLists) {
        this.failList(rows);
      }
      this.undecidedLists = [];
    }
  }

  /**
   * Something else happens in this context: the attempts that wait for their dma event got none.
   * dma_map_page prints failures, so these are elements of lists that failed (dma_map_sg prints only success).
   */
  private closeLists(context: Context): void {
    const attempts = context.attempts;
    if (attempts.length === 0) {
      return;
    }
    if (this.hasDmaMap) {
      let first = 0;
      for (let at = 1; at <= attempts.length; at++) {
        if (at === attempts.length || startsNewList(attempts, first, at)) {
          this.closeList(attempts, first, at);
          first = at;
        }
      }
    }
    this.contexts.dropRange(context, 0, attempts.length);
  }

  private closeList(attempts: readonly Attempt[], from: number, to: number): void {
    const last = attempts[to - 1];
    const rows: number[] = [];
    for (let at = from; at < to; at++) {
      if ((attempts[at].seen & EvidenceBit.bounced) === 0) {
        return;
      }
      rows.push(attempts[at].row);
    }
    const isRecorded = last.failed;
    if (!isRecorded && ((last.seen & EvidenceBit.probeReturn) !== 0 || rows.length > MAX_PRINTABLE_LIST)) {
      return;
    }
    if (isRecorded || this.hasScatterlists) {
      this.failList(rows);
    } else if (this.undecidedLists.length < MAX_ATTEMPTS) {
      this.undecidedLists.push(rows);
    }
  }

  private failList(rows: readonly number[]): void {
    const { columns } = this.shared.requests;
    const failed = rows[rows.length - 1];
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      columns.sgGroup[row] = rows[0];
      columns.sgIndex[row] = Math.min(i, 65535);
      columns.sgCount[row] = Math.min(rows.length, 65535);
      columns.evidence[row] |= EvidenceBit.scatterlist;
      if (columns.outcome[row] === Outcome.unknown) {
        columns.evidence[row] |= EvidenceBit.inferredOutcome;
      }
      if (row === failed) {
        columns.outcome[row] = Outcome.failed;
        continue;
      }
      columns.outcome[row] = Outcome.rolledBack;
      if (columns.unmapLine[row] === 0) {
        const bounce = columns.recordedBounce[row];
        const entry = this.live.find(bounce, row);
        if (entry >= 0) {
          this.live.remove(bounce, entry);
        }
        columns.pairing[row] = Pairing.exact;
        columns.evidence[row] |= EvidenceBit.inferredUnmap;
        columns.unmapEnterNs[row] = columns.enterNs[failed];
        columns.unmapDurationNs[row] = 0;
        columns.unmapLine[row] = columns.mapLine[failed];
        columns.unmapExitLine[row] = columns.mapLine[failed];
        columns.unmapWhere[row] = packUnmapWhere(columns.cpu[failed], columns.context[failed]);
      }
    }
    this.shared.requests.version++;
  }

  // --- unmaps ---

  /** A mapping appears at an address: whatever was there has ended. */
  private mapAt(address: number, row: number): void {
    const { live } = this;
    const columns = this.shared.requests.columns;
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
          if ((columns.evidence[old] & EvidenceBit.direct) === 0) {
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
    live.add(address, row);
  }

  /** The bounced mapping of `entry` was not unmapped so far, and `row` now has its address. */
  private supersede(address: number, entry: number, row: number, lateDone: number): void {
    const { live } = this;
    const columns = this.shared.requests.columns;
    const old = live.row[entry];
    if (lateDone >= 0) {
      // Two mappings, one unmap, and a third mapping: the unmap belonged to the second, the first still lacks its own.
      const first = live.row[lateDone];
      this.setReleased(old, live.timeNs[lateDone], live.line[lateDone], live.where[lateDone]);
      columns.evidence[old] |= EvidenceBit.dmaUnmap;
      columns.pairing[old] = Pairing.exact;
      live.remove(address, entry);
      columns.evidence[first] &= ~EvidenceBit.dmaUnmap;
      this.setReused(first, live.by[lateDone]);
      live.state[lateDone] = LiveState.overdue;
      return;
    }
    this.setReused(old, row);
    // Only dma_unmap_page comes after the release; probes and dma_unmap_sg would have been seen.
    const mayBeLate =
      !this.hasUnmapProbe &&
      (columns.evidence[old] & EvidenceBit.scatterlist) === 0 &&
      !(this.lastLossLine > columns.enterLine[old]);
    if (mayBeLate) {
      live.state[entry] = LiveState.late;
      live.by[entry] = row;
    } else {
      live.remove(address, entry);
    }
  }

  /** The mapping of `row` ended when `by` took its address: after its own map had returned, before that of `by` did. */
  private setReused(row: number, by: number): void {
    endAtReuse(this.shared.requests, row, by);
  }

  private setReleased(row: number, timeNs: number, line: number, where: number): void {
    const columns = this.shared.requests.columns;
    columns.unmapEnterNs[row] = timeNs;
    columns.unmapDurationNs[row] = !Number.isNaN(timeNs) ? 0 : Number.NaN;
    columns.unmapLine[row] = line;
    columns.unmapExitLine[row] = line;
    columns.unmapWhere[row] = where;
    this.shared.requests.version++;
  }

  /** The mapping an unmap at this address ends: oldest first, same size before any size, overdue ones last. */
  private findOpen(address: number, device: number, event: TraceEvent): number {
    const { live } = this;
    const columns = this.shared.requests.columns;
    let fallback = -1;
    let overdue = -1;
    for (let entry = live.first(address); entry >= 0; entry = live.next[entry]) {
      const state = live.state[entry];
      if (state !== LiveState.open && state !== LiveState.late && state !== LiveState.overdue) {
        continue;
      }
      const row = live.row[entry];
      if (columns.device[row] !== device && event.device !== 0 && !this.isUnnamed(columns.device[row])) {
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
    const { device: devices } = this.shared.requests.columns;
    for (let entry = live.first(address); entry >= 0; entry = live.next[entry]) {
      if (
        live.state[entry] === state &&
        (context < 0 || live.context[entry] === context) &&
        (devices[live.row[entry]] === device || this.isUnnamed(devices[live.row[entry]]))
      ) {
        return entry;
      }
    }
    return -1;
  }

  private onUnmapPage(event: TraceEvent, context: Context): void {
    this.hasUnmaps = true;
    this.closeOnOther(context);
    const device = this.shared.devices.rowOf(event.device);
    let address = this.bounceAddress(device, event.dma);
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
    this.startUnseen(event, address, EvidenceBit.dmaUnmap);
  }

  /** The dma_unmap_page line of a release whose probe was seen. */
  private confirmRelease(row: number, event: TraceEvent): void {
    const columns = this.shared.requests.columns;
    columns.evidence[row] |= EvidenceBit.dmaUnmap;
    if ((columns.evidence[row] & EvidenceBit.probeUnmapReturn) === 0) {
      columns.unmapDurationNs[row] = event.timeNs - columns.unmapEnterNs[row];
      columns.unmapExitLine[row] = event.line;
    }
    this.shared.requests.version++;
  }

  private closePage(address: number, entry: number, event: TraceEvent): void {
    const { live } = this;
    const columns = this.shared.requests.columns;
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
      this.setReleased(row, event.timeNs, event.line, where);
      live.remove(address, entry);
      return;
    }
    // Released before the address was mapped again (where `setReused` put it), printed after.
    columns.unmapDurationNs[row] = event.timeNs - columns.unmapEnterNs[row];
    columns.unmapExitLine[row] = event.line;
    columns.unmapWhere[row] = where;
    this.shared.requests.version++;
    columns.evidence[row] &= ~EvidenceBit.inferredUnmap;
    live.state[entry] = LiveState.lateDone;
    live.timeNs[entry] = event.timeNs;
    live.line[entry] = event.line;
    live.where[entry] = where;
  }

  private onUnmapSg(event: TraceEvent, context: Context): void {
    this.hasUnmaps = true;
    this.noteScatterlists();
    this.closeOnOther(context);
    if (event.sgCount === 0) {
      return;
    }
    const device = this.shared.devices.rowOf(event.device);
    const list = this.lists.take(device, event.sgOriginal, event.sgCount);
    if (list === undefined) {
      this.unpairedUnmaps += this.hasUnmapProbe ? 0 : event.sgCount;
      return;
    }
    const columns = this.shared.requests.columns;
    const where = packUnmapWhere(event.cpu, event.context);
    for (const row of list.rows) {
      columns.evidence[row] |= EvidenceBit.dmaUnmap;
      if (columns.unmapLine[row] !== 0) {
        continue;
      }
      this.setReleased(row, event.timeNs, event.line, where);
      columns.pairing[row] = Pairing.exact;
      const bounce = columns.recordedBounce[row];
      const entry = this.live.find(bounce, row);
      if (entry < 0) {
        continue;
      }
      if (this.hasUnmapProbe) {
        this.live.state[entry] = LiveState.awaitsProbe;
      } else {
        this.live.remove(bounce, entry);
      }
    }
  }

  private onProbeUnmapEnter(event: TraceEvent, context: Context): void {
    this.hasUnmaps = true;
    this.hasUnmapProbe = true;
    this.shared.pools.onUnmapProbe(event);
    this.shared.pools.noteBounced(event.dma);
    const address = event.dma;
    const device = this.shared.devices.rowOf(event.device);
    const columns = this.shared.requests.columns;
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
        this.closeOnOther(context);
        return;
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
    this.setReleased(row, event.timeNs, event.line, where);
    columns.evidence[row] |= EvidenceBit.probeUnmapEnter;
    context.unmapping.push(row);
    // Given back inside the call that mapped it: a list being rolled back, or an address that dma_capable refused.
    if (!isUnderWay(context.attempts, row)) {
      this.closeOnOther(context);
    }
  }

  private onProbeUnmapReturn(event: TraceEvent, context: Context): void {
    const columns = this.shared.requests.columns;
    const stack = context.unmapping;
    for (let at = stack.length - 1; at >= 0; at--) {
      const row = stack[at];
      if (columns.recordedBounce[row] === event.dma || Number.isNaN(event.dma)) {
        columns.evidence[row] |= EvidenceBit.probeUnmapReturn;
        columns.unmapDurationNs[row] = event.timeNs - columns.unmapEnterNs[row];
        columns.unmapExitLine[row] = event.line;
        this.shared.requests.version++;
        stack.length = at;
        return;
      }
    }
    if (stack.length > 64) {
      stack.length = 0;
    }
  }

  /** An unmap whose map nobody saw: the mapping existed before the trace, or its map was lost. */
  private startUnseen(event: TraceEvent, address: number, evidence: number): number {
    const row = this.startRequest(event, evidence);
    const columns = this.shared.requests.columns;
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
    columns.evidence[row] = evidence | (this.lastLossLine > 0 ? EvidenceBit.nearLoss : 0);
    if (evidence === EvidenceBit.dmaUnmap) {
      const { pools } = this.shared;
      const isBounced = pools.hasRanges() ? pools.contains(address) : pools.isNearBounced(address);
      columns.evidence[row] |= isBounced ? 0 : EvidenceBit.direct;
    }
    this.setReleased(row, event.timeNs, event.line, packUnmapWhere(event.cpu, event.context));
    return row;
  }

  private closeOnOther(context: Context): void {
    if (context.isExact && context.attempts.length > 0) {
      this.closeLists(context);
    }
  }

  // --- everything else ---

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
    const address = this.bounceAddress(device, dma);
    if (pools.contains(address)) {
      return true;
    }
    const entry = this.live.first(address);
    return entry >= 0 && (this.shared.requests.columns.evidence[this.live.row[entry]] & EvidenceBit.direct) === 0;
  }

  private onCoherent(event: TraceEvent, kind: number): void {
    const device = this.shared.devices.rowOf(event.device);
    const isBounced = this.shared.pools.contains(this.bounceAddress(device, event.dma));
    this.shared.calls.add(device, kind, event.timeNs, event.sizeBytes, isBounced);
  }

  private onMarker(event: TraceEvent): void {
    const monoNs = secondsAfter(event.text, 'mono=');
    const bootNs = secondsAfter(event.text, 'boot=');
    if (!Number.isNaN(event.timeNs) && (!Number.isNaN(monoNs) || !Number.isNaN(bootNs))) {
      this.markers.push({ timeNs: event.timeNs, monoNs, bootNs });
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
    columns.source[row] = this.id;
    columns.line[row] = event.line;
    columns.timeNs[row] = event.timeNs;
    columns.kind[row] = kind;
    columns.order[row] = event.order;
    columns.ok[row] = event.failed ? 0 : 1;
    columns.durationNs[row] = event.durationNs;
    columns.symbol[row] = event.symbol;
  }
}

/** "buffer is full (sz: N)" prints the padded size since 6.9, the plain one before. */
export function fitsPaddedSize(sizeBytes: number, paddedBytes: number): boolean {
  return paddedBytes < 0 || (paddedBytes >= sizeBytes && paddedBytes <= sizeBytes + MAX_PADDING);
}

/** Attempts [first, at) are one list; does attempt `at` belong to another one? */
function startsNewList(attempts: readonly Attempt[], first: number, at: number): boolean {
  const head = attempts[first];
  const attempt = attempts[at];
  return (
    attempts[at - 1].failed ||
    attempt.device !== head.device ||
    (attempt.original === head.original && attempt.sizeBytes === head.sizeBytes)
  );
}

function isUnderWay(attempts: readonly Attempt[], row: number): boolean {
  for (let at = attempts.length - 1; at >= 0; at--) {
    if (attempts[at].row === row) return true;
  }
  return false;
}

function workqueueFact(phase: number): number {
  return phase === 0 ? FactKind.workerQueued : phase === 1 ? FactKind.workerStarted : FactKind.workerDone;
}

/** alloc_align_mask 0xfff is 12 bits; absent and 0 are 0. */
function maskBits(mask: number): number {
  return mask > 0 ? 32 - Math.clz32(mask) : 0;
}

/** Nanoseconds of `key<seconds>.<fraction>` inside a text, NaN when absent. */
function secondsAfter(text: string, key: string): number {
  const at = text.indexOf(key);
  if (at < 0) {
    return Number.NaN;
  }
  const match = /^(\d{1,9})(?:\.(\d{1,9}))?/.exec(text.slice(at + key.length));
  return match === null ? Number.NaN : Number(match[1]) * 1e9 + Number((match[2] ?? '').padEnd(9, '0'));
}
