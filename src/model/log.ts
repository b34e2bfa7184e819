import type { Address, Bytes, LineNumber, Nanoseconds, Slots } from './units';

/** What a kernel log line can say. Failures first, then facts about boot and configuration. */
export type LogKind =
  /** `swiotlb buffer is full (sz: N bytes)[, total T (slots), used U (slots)]`. */
  | 'buffer-full'
  /** `DMA: Out of SW-IOMMU space for N bytes [at device D]` (old kernels, follows buffer-full). */
  | 'out-of-space'
  /** `swiotlb: coherent allocation failed …`. */
  | 'coherent-failed'
  /** `swiotlb addr A+N overflow (mask M, bus limit B).`, `DMA addr …`, or the older `overflow A+N of DMA mask M bus limit B`. */
  | 'overflow'
  /** `Can not allocate SWIOTLB buffer earlier …`. */
  | 'no-pool'
  /** `DMA bounce buffers are inactive, unable to map unaligned transaction.` */
  | 'bounce-inactive'
  /** `DMA pool exhausted for DEV`. */
  | 'atomic-pool-exhausted'
  /** `software IO TLB: Failed to allocate new pool`. */
  | 'grow-failed'
  /** `F: K callbacks suppressed`. */
  | 'suppressed'
  /** cc-swiotlb: `No memory for cc-swiotlb buffer (sz: N bytes)`, `Fail to alloc cc swiotlb slot`. */
  | 'class-empty'
  /** cc-swiotlb: `Fail to insert index with error 0x…`: a slot was there, memory for its entry in the index was not. */
  | 'index-failed'
  /** A soft lockup / RCU stall whose text names a swiotlb search function. */
  | 'lockup'
  /** `software IO TLB: mapped [mem A-B] (XMB)` in all its historical forms, and `Placing …`, `… at phys A - B`. */
  | 'pool-mapped'
  | 'area-num'
  | 'size-roundup'
  | 'size-adjusted'
  /** `… size adjusted A -> B slabs`. */
  | 'slabs-adjusted'
  | 'size-reduced'
  | 'no-low-mem'
  | 'pool-alloc-failed'
  | 'memory-encryption'
  | 'pool-torn-down'
  | 'restricted-pool'
  | 'software-bounce'
  | 'command-line'
  | 'kernel-version'
  | 'cpus'
  | 'atomic-pool'
  | 'config'
  | 'memory';

export const failureLogKinds: ReadonlySet<LogKind> = new Set<LogKind>([
  'buffer-full',
  'out-of-space',
  'coherent-failed',
  'overflow',
  'no-pool',
  'bounce-inactive',
  'atomic-pool-exhausted',
  'class-empty',
  'index-failed',
]);

/** One understood log line. Fields that the line does not carry are -1, NaN or ''. */
export interface LogRecord {
  readonly kind: LogKind;
  readonly source: number;
  readonly line: LineNumber;
  readonly byteOffset: number;
  /** Zero-based UTF-16 columns of the message part inside the line, prefix stripped. */
  readonly startColumn: number;
  readonly endColumn: number;
  readonly timeNs: Nanoseconds;
  /** The line came as a printk:console event inside a trace. */
  readonly viaTrace: boolean;
  /** CPU and task of that event; -1 for plain logs. */
  readonly cpu: number;
  readonly pid: number;
  readonly device: string;
  readonly driver: string;
  /** Message text without prefix. */
  readonly text: string;
  readonly sizeBytes: Bytes;
  readonly totalSlots: Slots;
  readonly usedSlots: Slots;
  /** suppressed: how many callbacks; area-num: areas; cpus: possible CPUs; slabs-adjusted: new slots. */
  readonly count: number;
  /** pool-mapped, restricted-pool: first byte. overflow: the address. */
  readonly start: Address;
  /** pool-mapped: one past the last byte. */
  readonly end: Address;
  /** overflow: bits of the mask; -1 otherwise. */
  readonly maskBits: number;
  /** overflow: bus limit; NaN otherwise. */
  readonly busLimit: number;
  /** command-line: the swiotlb= value ('' when none); kernel-version: the release; config: `NAME=value`. */
  readonly value: string;
}

/** A record with everything absent. */
export const emptyLogRecord: Omit<LogRecord, 'kind'> = {
  source: 0,
  line: 0,
  byteOffset: 0,
  startColumn: 0,
  endColumn: 0,
  timeNs: Number.NaN,
  viaTrace: false,
  cpu: -1,
  pid: -1,
  device: '',
  driver: '',
  text: '',
  sizeBytes: -1,
  totalSlots: -1,
  usedSlots: -1,
  count: -1,
  start: Number.NaN,
  end: Number.NaN,
  maskBits: -1,
  busLimit: Number.NaN,
  value: '',
};
