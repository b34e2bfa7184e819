import type { Address, LineNumber } from './units';

interface BundlePlace {
  /** Index into the source table. */
  readonly source: number;
  readonly line: LineNumber;
}

/** One argument of a probe as its definition gives it, e.g. `size` and `$arg3:u64`. */
export interface ProbeArgument {
  readonly name: string;
  readonly value: string;
}

/** A line of `kprobe_events` or `dynamic_events`. */
export interface ProbeDefinition extends BundlePlace {
  readonly kind: 'probe-definition';
  /** Name of the event, without its group. */
  readonly event: string;
  /** The probed function with its compiler suffix (`swiotlb_alloc_pool.isra.0`), without offset and module. */
  readonly symbol: string;
  readonly isReturn: boolean;
  readonly arguments: readonly ProbeArgument[];
}

/** A line of `kprobe_profile`: how often a probe was hit, and how often the kernel could not take the hit. */
export interface ProbeProfile extends BundlePlace {
  readonly kind: 'probe-profile';
  readonly event: string;
  readonly hits: number;
  readonly missed: number;
}

/** A counter of `per_cpu/cpuN/stats` that tells losses. */
export interface RingCounter extends BundlePlace {
  readonly kind: 'ring-counter';
  /** -1 when no heading names it. */
  readonly cpu: number;
  /** overrun: overwritten by newer events. commit overrun, dropped events: never written. */
  readonly counter: 'overrun' | 'commit overrun' | 'dropped events';
  readonly count: number;
}

/** A symbol of the running kernel (`/proc/kallsyms`) that has to do with bounce buffers. */
export interface KernelSymbol extends BundlePlace {
  readonly kind: 'kernel-symbol';
  readonly symbol: string;
}

/** Which driver a device has: from a log line of the driver, or from a list of devices. */
export interface DeviceDriver extends BundlePlace {
  readonly kind: 'device-driver';
  readonly device: string;
  readonly driver: string;
  /** -1 unknown. */
  readonly dmaMaskBits: number;
}

/** The clock that was chosen in `trace_clock`. */
export interface TraceClock extends BundlePlace {
  readonly kind: 'trace-clock';
  /** `local`, `global`, `mono`, … */
  readonly clock: string;
}

/** A range of `/proc/iomem` that has to do with bounce buffers: RAM, or a pool that is listed by name. */
export interface MemoryRange extends BundlePlace {
  readonly kind: 'memory-range';
  readonly isPool: boolean;
  readonly start: Address;
  /** One past the last byte. */
  readonly end: Address;
}

/** What the files beside a trace say about the recording and the machine. */
export type BundleFact =
  | ProbeDefinition
  | ProbeProfile
  | RingCounter
  | KernelSymbol
  | DeviceDriver
  | TraceClock
  | MemoryRange;
