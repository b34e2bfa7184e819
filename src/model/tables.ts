import { GrowableTable } from '../base/columns';
import type { StringTable } from '../base/stringTable';
import type { BundleFact } from './bundle';
import { ContextBit } from './events';
import type { LogRecord } from './log';
import type { Address, Bytes, LineNumber, Nanoseconds, Slots } from './units';

/** What became of an attempt to map. */
export const Outcome = {
  /** The trace holds no result (only swiotlb_bounced, or cut off). */
  unknown: 0,
  served: 1,
  failed: 2,
  /** Element of a failed scatterlist that got slots and released them at once. */
  rolledBack: 3,
} as const;

/** How a request's end was found. */
export const Pairing = {
  /** Never unmapped in the trace. */
  open: 0,
  exact: 1,
  /** Address matched, size differed. */
  sizeMismatch: 2,
  /** The address was mapped again before its unmap was seen; the end is the new map. */
  reused: 3,
  /** Only the unmap was seen: the mapping existed before the trace. enterNs is NaN, mapLine 0. */
  unseenMap: 4,
  /** No unmap evidence in this trace at all: the lifetime is assumed by the replay. */
  assumed: 5,
} as const;

/** Which lines a request was built from. */
export const EvidenceBit = {
  bounced: 1,
  dmaMap: 2,
  probeEnter: 4,
  probeReturn: 8,
  dmaUnmap: 16,
  probeUnmapEnter: 32,
  probeUnmapReturn: 64,
  scatterlist: 128,
  console: 256,
  /** The mapping did not bounce: its dma address lies in no pool and nothing says it bounced. */
  direct: 512,
  /** The outcome follows from absence (failed scatterlist), not from a printed result. */
  inferredOutcome: 1024,
  /** The context column was missing: treated as atomic, counted as assumed. */
  contextAssumed: 2048,
  /** The CPU or lifetime lies in a stretch with lost events. */
  nearLoss: 4096,
  /** swiotlb_bounced printed FORCE. */
  forced: 8192,
  /** The end was inferred (lost unmap), not recorded. */
  inferredUnmap: 16384,
  /** A probe printed alloc_align_mask: `allocAlignBits` is recorded, not taken as 0. */
  alignPrinted: 32768,
} as const;

/**
 * One row per attempt to map. Indices: source, device and pool columns index the tables below.
 * Lines are one-based; 0 means none. Times are NaN when unknown or when the clock gives order only.
 */
export const requestColumns = {
  source: 'u8',
  device: 'u16',
  /** -1 unknown. */
  cpu: 'i16',
  pid: 'i32',
  /** ContextBit set of events.ts. */
  context: 'u8',
  /** Direction code. */
  direction: 'u8',
  /** DmaAttribute set. */
  attributes: 'u16',
  /** Mapping size as the caller asked, without padding. */
  sizeBytes: 'u32',
  /** Bits of alloc_align_mask (0xfff is 12), 0 for everything that comes through swiotlb_map. */
  allocAlignBits: 'u8',
  /** NaN unknown. */
  original: 'f64',
  /**
   * NaN when failed or unknown. For direct mappings the plain dma address.
   * Failed with an address: slots were found, dma_capable refused the address, and the call gave them back.
   */
  recordedBounce: 'f64',
  outcome: 'u8',
  /** First evidence of the attempt. */
  enterNs: 'f64',
  /** From enterNs to the line with the result; 0 when one line is all there is, NaN without time or result. */
  mapDurationNs: 'f32',
  /** Release began (probe entry), or the only unmap event; NaN when never unmapped. */
  unmapEnterNs: 'f64',
  /** From unmapEnterNs to the line after the release; 0 when one line is all there is. */
  unmapDurationNs: 'f32',
  /** First request of the scatterlist this element belongs to, -1 for single mappings. */
  sgGroup: 'i32',
  sgIndex: 'u16',
  sgCount: 'u16',
  /** Line of the first evidence. */
  enterLine: 'u32',
  /** Line of the result (probe return or dma event); equals enterLine when there is only one. */
  mapLine: 'u32',
  /** Line where the release begins (probe entry, or the dma event when there is no probe). */
  unmapLine: 'u32',
  /** Line of the probe return or dma event after the release; equals unmapLine when there is only one. */
  unmapExitLine: 'u32',
  /** Line of the joined "buffer is full" message in its own source; 0 none. */
  consoleLine: 'u32',
  evidence: 'u16',
  pairing: 'u8',
  /** The attempt before, failed or rolled back, that this one repeats; -1 none. Several retries form a chain. */
  retryOf: 'i32',
  /** CPU and context level of the unmap event, see `packUnmapWhere`; 0 unknown. */
  unmapWhere: 'u16',
} as const;

/** Context levels that interrupt one another on a CPU: a higher one may run inside a lower one. */
export const ContextLevel = { process: 0, softIrq: 1, hardIrq: 2, nmi: 3 } as const;

/** The level of a ContextBit set; process when the context is unknown. */
export function contextLevel(context: number): number {
  if ((context & ContextBit.nmi) !== 0) {
    return ContextLevel.nmi;
  }
  if ((context & ContextBit.hardIrq) !== 0) {
    return ContextLevel.hardIrq;
  }
  return (context & ContextBit.softIrq) !== 0 ? ContextLevel.softIrq : ContextLevel.process;
}

/** `unmapWhere` of an unmap event: 1 + 4 * CPU + context level; 0 when the CPU is unknown. */
export function packUnmapWhere(cpu: number, context: number): number {
  return cpu < 0 || cpu > 16000 ? 0 : 1 + 4 * cpu + contextLevel(context);
}

/** CPU of a packed `unmapWhere`, -1 unknown. */
export function unmapCpuOf(where: number): number {
  return where === 0 ? -1 : (where - 1) >>> 2;
}

/** ContextLevel of a packed `unmapWhere`; process when unknown. */
export function unmapLevelOf(where: number): number {
  return where === 0 ? ContextLevel.process : (where - 1) & 3;
}

export type RequestTable = GrowableTable<typeof requestColumns>;
export function createRequestTable(capacity?: number): RequestTable {
  return new GrowableTable(requestColumns, capacity);
}

export const PoolKind = { boot: 0, grown: 1, transient: 2, restricted: 3 } as const;
export const poolKindNames = ['boot', 'grown', 'transient', 'restricted'] as const;

/** Pools the trace itself names (probes, boot lines). Inference from addresses happens in analysis/geometry. */
export const poolColumns = {
  kind: 'u8',
  start: 'f64',
  slots: 'u32',
  /** 0 unknown. */
  areas: 'u32',
  addedNs: 'f64',
  /** NaN: still there at the end. */
  removedNs: 'f64',
  /** Line at which alloc_pool began / returned; 0 none. */
  allocLine: 'u32',
  /** Line at which the pool became usable (worker return); 0 none. */
  addedLine: 'u32',
  removedLine: 'u32',
  source: 'u8',
} as const;
export type PoolTable = GrowableTable<typeof poolColumns>;

export const sampleColumns = {
  source: 'u8',
  line: 'u32',
  timeNs: 'f64',
  /** String-table index of the restricted pool's directory, 0 for the default pool. */
  pool: 'u32',
  /** -1 unknown, as in the next three. */
  nslabs: 'f64',
  used: 'f64',
  hiwater: 'f64',
  transient: 'f64',
} as const;
export type SampleTable = GrowableTable<typeof sampleColumns>;

/** Free blocks of 2^order pages from `/proc/buddyinfo`: one row per zone, time and order. */
export const freePageColumns = {
  source: 'u8',
  line: 'u32',
  /** NaN unknown. */
  timeNs: 'f64',
  node: 'u16',
  /** String-table index of the zone's name (`DMA32`, `Normal`, …). */
  zone: 'u32',
  order: 'u8',
  blocks: 'f64',
} as const;
export type FreePageTable = GrowableTable<typeof freePageColumns>;

export const FactKind = {
  pageAllocation: 0,
  workerQueued: 1,
  workerStarted: 2,
  workerDone: 3,
  functionDuration: 4,
} as const;
export const factColumns = {
  source: 'u8',
  line: 'u32',
  timeNs: 'f64',
  kind: 'u8',
  /** -1 unknown. */
  order: 'i8',
  ok: 'u8',
  durationNs: 'f64',
  /** String-table index of the function for functionDuration. */
  symbol: 'u32',
} as const;
export type FactTable = GrowableTable<typeof factColumns>;

/** Sync and coherent calls are too many for a row each: one row per device, kind and time bucket. */
export const CallKind = { syncForDevice: 0, syncForCpu: 1, coherentAlloc: 2, coherentFree: 3 } as const;
export const callColumns = {
  device: 'u16',
  kind: 'u8',
  /** Start of the bucket; NaN for order-only clocks. */
  timeNs: 'f64',
  count: 'u32',
  bytes: 'f64',
  /** Of `count`, how many hit an address inside a known bounced mapping. */
  bounced: 'u32',
} as const;
export type CallTable = GrowableTable<typeof callColumns>;

/** Where the kernel says that events are missing. */
export const lossColumns = {
  source: 'u8',
  line: 'u32',
  /** -1 unknown. */
  cpu: 'i16',
} as const;
export type LossTable = GrowableTable<typeof lossColumns>;

/** A device as the trace names it. */
export interface Device {
  readonly id: number;
  readonly name: string;
  /** From log lines or the class guess of events; '' unknown. */
  driver: string;
  /** Bits of the DMA mask from swiotlb_bounced or overflow lines; -1 unknown. */
  dmaMaskBits: number;
  /** First line that named the mask; 0 none. */
  dmaMaskLine: LineNumber;
  dmaMaskSource: number;
  /** Requests of this device said FORCE at least once. */
  forced: boolean;
  /** DMA address minus physical address as its events showed it: a bus offset or an encryption bit. NaN not known. */
  dmaOffset: Bytes;
}

/**
 * The original address is not as it was printed: swiotlb_bounced prints the DMA address, and no other event of the
 * attempt tells the physical one. The offset of its device was taken off.
 */
export function isOriginalDerived(evidence: number, dmaOffset: number): boolean {
  const tellsPhysical = EvidenceBit.dmaMap | EvidenceBit.probeEnter | EvidenceBit.probeReturn;
  const isPrinted = dmaOffset === 0 || Number.isNaN(dmaOffset);
  return !isPrinted && (evidence & EvidenceBit.bounced) !== 0 && (evidence & tellsPhysical) === 0;
}

export interface Source {
  readonly id: number;
  /** As the user named it; '' for untitled documents. */
  readonly path: string;
  /** Format id of trace/formats.ts. */
  readonly format: string;
  /** Clock name when the input tells, else ''. */
  readonly clock: string;
  /** 'ns' has time; 'order' gives order only. */
  readonly timeUnit: 'ns' | 'order';
  /** Add to the source's times to get the reference clock; 0 for the reference itself. */
  readonly offsetNs: Nanoseconds;
  /** Uncertainty of that offset; NaN when the clocks could not be joined. */
  readonly offsetErrorNs: Nanoseconds;
  /** Online CPUs from a trace header (`#P:4`); absent when no header names them. */
  readonly cpusOnline?: number;
  /** Kernel release from a trace header (latency format, trace.dat); absent when no header names it. */
  readonly release?: string;
  /** Its samples are of a table without a header, whose columns were told by their numbers; that one is not there says nothing. */
  readonly areColumnsInferred?: boolean;
  /** Absolute time of the source's first event: whole seconds and nanoseconds of its own clock; null without time. */
  readonly origin: { readonly seconds: number; readonly nanoseconds: number } | null;
}

/** One log failure line and what it was joined to. */
export interface LogFailure {
  readonly record: LogRecord;
  /** Row of the request table, -1 when the line stands alone. */
  readonly request: number;
  /** Device row, -1 unknown. */
  readonly device: number;
  /** Callbacks suppressed that the kernel reported for the episode after this line. */
  suppressed: number;
  /** Index in `logFailures` of the entry that tells the same failure (a log beside console events); -1 or absent: none. */
  readonly duplicateOf?: number;
}

/** Per-input ledger: understood + counted + notUnderstood = lines. */
export interface SourceLedger {
  readonly source: number;
  readonly lines: number;
  readonly understood: number;
  readonly counted: number;
  readonly notUnderstood: number;
  /** Event name → lines, for everything that is counted only. */
  readonly countedByName: Readonly<Record<string, number>>;
  /** Event name → lines, for what was understood. */
  readonly understoodByName: Readonly<Record<string, number>>;
  readonly notUnderstoodExamples: readonly { readonly line: LineNumber; readonly text: string }[];
  readonly lostEvents: number;
  readonly lostByCpu: Readonly<Record<string, number>>;
  /** entries-in-buffer < entries-written: events overwritten before the trace was saved; 0 none, -1 unknown. */
  readonly overwritten: number;
  /** CPU to the time of its first event, relative to the source's origin; absent without times or CPUs. */
  readonly firstTimeByCpu?: Readonly<Record<string, number>>;
}

/** Everything the trace says, after pairing. Readers treat it as immutable. */
export interface TraceTables {
  readonly strings: StringTable;
  readonly sources: readonly Source[];
  readonly devices: readonly Device[];
  readonly requests: RequestTable;
  readonly pools: PoolTable;
  readonly samples: SampleTable;
  readonly facts: FactTable;
  /** What `/proc/buddyinfo` said; absent: nothing. */
  readonly freePages?: FreePageTable;
  readonly calls: CallTable;
  /** In file order; absent: none. */
  readonly losses?: LossTable;
  readonly logs: readonly LogRecord[];
  readonly logFailures: readonly LogFailure[];
  /** What the files beside the trace say, and drivers of devices; absent: nothing. */
  readonly bundleFacts?: readonly BundleFact[];
  /** Which kinds of evidence occur at all (EvidenceBit set). */
  readonly evidence: number;
  readonly firstTimeNs: Nanoseconds;
  readonly lastTimeNs: Nanoseconds;
  readonly counts: TimelineCounts;
}

export interface TimelineCounts {
  readonly requests: number;
  readonly bounced: number;
  readonly direct: number;
  readonly failed: number;
  readonly rolledBack: number;
  readonly unknownOutcome: number;
  readonly open: number;
  readonly unseenMaps: number;
  readonly unpairedUnmaps: number;
  readonly reused: number;
  readonly sizeMismatch: number;
  readonly retries: number;
  readonly inferredUnmaps: number;
}

/** A pool as plain data. */
export interface PoolRow {
  readonly id: number;
  readonly kind: (typeof poolKindNames)[number];
  readonly start: Address;
  readonly slots: Slots;
  readonly areas: number;
}
