import type { Bytes, LineNumber, Nanoseconds, Slots } from './units';

/** Sizes and lifetimes of the bounced mappings of a trace, from the recording alone: no model takes part. */
export interface LifetimeStats {
  /**
   * Borders of the lifetime classes in nanoseconds, ascending, four per decade; class 0 is below the first border, the
   * last class above the last one. Null when the trace does not show lifetimes: no clock, or no unmaps.
   */
  readonly lifetimeEdgesNs: readonly Nanoseconds[] | null;
  /** Classes of slots a mapping takes: 1, 2, 3–4, … 65–128, and what is above a segment. */
  readonly sizeClasses: readonly SizeClass[];
  /** Lifetimes below this are short: the two copies and searches are most of what such a mapping costs. */
  readonly shortNs: Nanoseconds;
  /** One per device that maps, in the order of the device table. */
  readonly devices: readonly DeviceLifetimes[];
}

export interface SizeClass {
  readonly fromSlots: Slots;
  /** Included; null: no upper border. */
  readonly toSlots: Slots | null;
}

export interface DeviceLifetimes {
  /** Row of the device table. */
  readonly device: number;
  readonly name: string;
  /** Recorded lifetimes per class of `lifetimeEdgesNs`; null without them. */
  readonly lifetimes: readonly number[] | null;
  /** Shortest, median, 90th and 99th percentile, longest; null without recorded lifetimes. */
  readonly quantilesNs: {
    readonly shortest: Nanoseconds;
    readonly median: Nanoseconds;
    readonly p90: Nanoseconds;
    readonly p99: Nanoseconds;
    readonly longest: Nanoseconds;
  } | null;
  /** Bounced mappings per class of `sizeClasses`, bytes asked for, and what rounding to slots added. */
  readonly sizes: readonly {
    readonly mappings: number;
    readonly failed: number;
    readonly bytes: Bytes;
    readonly wasteBytes: Bytes;
  }[];
  /** Mappings with a recorded lifetime below `shortNs`, and the bytes copied for them; null without lifetimes. */
  readonly short: { readonly mappings: number; readonly bytes: Bytes; readonly ofMappings: number } | null;
  /** Its mappings only grow; null when nothing says so. */
  readonly leak: {
    readonly open: number;
    readonly openSlots: Slots;
    readonly mapped: number;
    /** The oldest mapping that is still open. */
    readonly oldest: { readonly file: string; readonly line: LineNumber };
  } | null;
}
