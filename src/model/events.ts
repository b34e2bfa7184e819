import type { BundleFact } from './bundle';
import type { LogRecord } from './log';
import type { Address, Bytes, LineNumber, Nanoseconds, Slots } from './units';

/**
 * What a trace reader hands to the timeline: events of the field, already stripped of their text.
 * Numeric codes instead of strings because millions of them pass by.
 */
export const EventKind = {
  none: 0,
  /** swiotlb:swiotlb_bounced: an attempt, printed before the allocation; `original` is set, `dma` is not. */
  bounced: 1,
  /** dma:dma_map_page | dma_map_phys | dma_map_resource. `dma` NaN with `failed` set when all ones. */
  mapPage: 2,
  /** dma:dma_unmap_page | dma_unmap_phys | dma_unmap_resource: printed after the release. */
  unmapPage: 3,
  /** dma:dma_map_sg: arrays `sgDma`, `sgSizes`, `sgOriginal`; only printed on success. */
  mapSg: 4,
  /** dma:dma_unmap_sg: `sgOriginal` only; printed before the release. */
  unmapSg: 5,
  /** dma:dma_map_sg_err: `sgOriginal`, `error`. */
  mapSgError: 6,
  /** dma:dma_sync_single_for_* : `dma`, `sizeBytes`, `toDevice`. */
  sync: 7,
  /** dma:dma_sync_sg_for_*: `sgDma`, `sgSizes`, `toDevice`. */
  syncSg: 8,
  /** dma:dma_alloc, dma_alloc_pages, dma_alloc_sgt. */
  coherentAlloc: 9,
  /** dma:dma_free, dma_free_pages, dma_free_sgt. */
  coherentFree: 10,
  /** Entry probe on swiotlb_tbl_map_single: `original`, `sizeBytes`, `allocAlignMask`. */
  probeMapEnter: 11,
  /** Return probe on swiotlb_tbl_map_single: `dma` is the bounce address (or `failed`); `original`/`sizeBytes` when the probe carries them, else NaN/-1. */
  probeMapReturn: 12,
  /** Entry probe on (__)swiotlb_tbl_unmap_single: `dma`, `sizeBytes`, maybe `poolStart`/`poolEnd`/`transient`. */
  probeUnmapEnter: 13,
  probeUnmapReturn: 14,
  /** Entry probe on swiotlb_alloc_pool. */
  probePoolAllocEnter: 15,
  /** Return probe on swiotlb_alloc_pool: `poolStart`, `poolEnd`, `poolSlots`, `poolAreas`; `failed` when it gave no pool. */
  probePoolAllocReturn: 16,
  /** Entry of the growth worker swiotlb_dyn_alloc. */
  probeWorkerEnter: 17,
  /** Return of the growth worker: a pool allocated inside it is usable now. */
  probeWorkerReturn: 18,
  /** swiotlb_dyn_free: a transient pool is freed after its grace period; `poolStart`, `poolEnd`. */
  probePoolFree: 19,
  /** tracing_mark_write; the text is in `text`. */
  marker: 20,
  /** Any other probe on a swiotlb function (search internals): `symbol` says which. */
  probeOther: 21,
  /** workqueue:workqueue_queue_work / execute_start / execute_end for swiotlb_dyn_alloc: `phase` 0, 1, 2. */
  workqueue: 22,
  /** kmem:mm_page_alloc: `order`; `failed` when it gave no page. */
  pageAlloc: 23,
  /** Duration of a function from function_graph: `symbol`, `durationNs`. */
  functionDuration: 24,
  /** swiotlb_unbounced (cc-swiotlb) and other field events kept for counting. */
  unbounced: 25,
} as const;
export type EventKindCode = (typeof EventKind)[keyof typeof EventKind];

/** DMA direction as printed; `none` also when the event does not carry one. */
export const Direction = { none: 0, toDevice: 1, fromDevice: 2, bidirectional: 3 } as const;
export type DirectionCode = (typeof Direction)[keyof typeof Direction];
export const directionNames = ['none', 'to device', 'from device', 'bidirectional'] as const;

/** Execution context decoded from the ftrace flags column. */
export const ContextBit = {
  /** The flags column (or binary flags) was there. Without it all other bits are 0 and the context is unknown. */
  known: 1,
  irqsOff: 2,
  hardIrq: 4,
  softIrq: 8,
  nmi: 16,
  bhOff: 32,
  preemptOff: 64,
  needResched: 128,
} as const;
const atomicBits =
  ContextBit.irqsOff |
  ContextBit.hardIrq |
  ContextBit.softIrq |
  ContextBit.nmi |
  ContextBit.bhOff |
  ContextBit.preemptOff;

/** True when sleeping was surely impossible; false also covers "unknown" (see `ContextBit.known`). */
export function isAtomic(context: number): boolean {
  return (context & atomicBits) !== 0;
}

/** DMA attribute bits, numbered as in the kernel's dma-mapping.h (1 << n); printed by name in events. */
export const DmaAttribute = {
  weakOrdering: 1 << 1,
  writeCombine: 1 << 2,
  noKernelMapping: 1 << 4,
  skipCpuSync: 1 << 5,
  forceContiguous: 1 << 6,
  allocSinglePages: 1 << 7,
  noWarn: 1 << 8,
  privileged: 1 << 9,
  mmio: 1 << 10,
} as const;

/** One event. The reader reuses a single object: sinks copy what they keep. Unset numbers are NaN (addresses, times) or -1. */
export interface TraceEvent {
  kind: EventKindCode;
  source: number;
  /** One-based line (or record number in binary traces). */
  line: LineNumber;
  /** Offset of the line's first byte in the (uncompressed) source. */
  byteOffset: number;
  /** NaN when the clock gives order only. Relative to the source's origin. */
  timeNs: Nanoseconds;
  cpu: number;
  pid: number;
  /** Interned task name, 0 when absent. */
  comm: number;
  /** ContextBit set. */
  context: number;
  /** Interned device name, 0 when the event has none. */
  device: number;
  direction: DirectionCode;
  /** DmaAttribute set. */
  attributes: number;
  sizeBytes: Bytes;
  /** Bounce or DMA address; NaN when absent or all ones (then `failed`). */
  dma: Address;
  /** The buffer's own physical address. */
  original: Address;
  /** The result was the all-ones failure sentinel (or a null pool). */
  failed: boolean;
  /** swiotlb_bounced printed FORCE. */
  forced: boolean;
  /** Bits of the device's DMA mask from swiotlb_bounced; -1 when absent. */
  dmaMaskBits: number;
  /** alloc_align_mask from a probe; -1 when absent. */
  allocAlignMask: number;
  /** Scatterlist arrays, valid up to their counts. */
  sgCount: number;
  readonly sgDma: number[];
  readonly sgSizes: number[];
  readonly sgOriginal: number[];
  /** The kernel printed [TRUNCATED] or fewer entries than the list has. */
  sgTruncated: boolean;
  /** Entries the list really has when printed (nents total), else -1. */
  sgTotal: number;
  toDevice: boolean;
  error: number;
  poolStart: Address;
  poolEnd: Address;
  poolSlots: Slots;
  poolAreas: number;
  /** The probe says the pool is transient: 1, is not: 0, does not say: -1. */
  transient: number;
  /** Interned probed symbol or function name, 0 when absent. */
  symbol: number;
  phase: number;
  order: number;
  durationNs: number;
  text: string;
}

export function createTraceEvent(): TraceEvent {
  return resetTraceEvent({ sgDma: [], sgSizes: [], sgOriginal: [] } as unknown as TraceEvent);
}

/** Puts every field back to "absent", keeping the array objects. */
export function resetTraceEvent(event: TraceEvent): TraceEvent {
  event.kind = EventKind.none;
  event.source = 0;
  event.line = 0;
  event.byteOffset = 0;
  event.timeNs = Number.NaN;
  event.cpu = -1;
  event.pid = -1;
  event.comm = 0;
  event.context = 0;
  event.device = 0;
  event.direction = Direction.none;
  event.attributes = 0;
  event.sizeBytes = -1;
  event.dma = Number.NaN;
  event.original = Number.NaN;
  event.failed = false;
  event.forced = false;
  event.dmaMaskBits = -1;
  event.allocAlignMask = -1;
  event.sgCount = 0;
  event.sgTruncated = false;
  event.sgTotal = -1;
  event.toDevice = false;
  event.error = 0;
  event.poolStart = Number.NaN;
  event.poolEnd = Number.NaN;
  event.poolSlots = -1;
  event.poolAreas = -1;
  event.transient = -1;
  event.symbol = 0;
  event.phase = -1;
  event.order = -1;
  event.durationNs = Number.NaN;
  event.text = '';
  return event;
}

/** One debugfs observation (a CSV row, or one pass of `grep .`). Missing files are -1. */
export interface SampleRecord {
  readonly source: number;
  readonly line: LineNumber;
  /** Relative to the source's origin; NaN when the sample has no time. */
  readonly timeNs: Nanoseconds;
  /** Directory name of a restricted pool, '' for the default pool. */
  readonly pool: string;
  readonly nslabs: Slots;
  readonly used: Slots;
  readonly hiwater: Slots;
  readonly transient: Slots;
}

/** One zone of `/proc/buddyinfo`. */
export interface FreePagesRecord {
  readonly source: number;
  readonly line: LineNumber;
  /** Relative to the source's origin; NaN when nothing tells the time. */
  readonly timeNs: Nanoseconds;
  /** NUMA node. */
  readonly node: number;
  /** `DMA`, `DMA32`, `Normal`, … */
  readonly zone: string;
  /** Free blocks of 2^order pages, by order. */
  readonly free: readonly number[];
}

/** Lost events: `count` is -1 when the kernel did not say how many; `cpu` is -1 when unknown. */
export interface LostRecord {
  readonly source: number;
  readonly line: LineNumber;
  readonly cpu: number;
  readonly count: number;
}

/** A text that the log and the trace may both have: what joins their clocks. */
export interface ClockMark {
  readonly source: number;
  /** Relative to the source's origin. */
  readonly timeNs: Nanoseconds;
  /** A number for the text, the same for the same text. */
  readonly text: number;
  /** The text is an event of a trace (console, a marker), not a line of a log. */
  readonly viaTrace: boolean;
}

/** Where a reader delivers. Calls come in file order. */
export interface TraceSink {
  event(event: TraceEvent): void;
  log(record: LogRecord): void;
  sample(record: SampleRecord): void;
  lost(record: LostRecord): void;
  /** Facts of the files beside a trace; absent where nobody wants them. */
  bundleFact?(fact: BundleFact): void;
  /** Free pages by order; absent where nobody wants them. */
  freePages?(record: FreePagesRecord): void;
  /** Texts with a time; absent where nobody wants them. */
  clockMark?(mark: ClockMark): void;
}
