import type { Cause } from './cause';
import type { Evidence } from './evidence';
import type { Address, Bytes, Nanoseconds, Slots } from './units';

/** Outcome codes of `ReplayRequests.outcome`. */
export const ReplayOutcome = {
  served: 0,
  failed: 1,
  /** Repeats a request that is served now. */
  droppedRetry: 2,
  /** Did not bounce, or has no size. */
  notReplayed: 3,
  /** Mapped before the trace began: it takes slots from the start but is not counted as a request. */
  existedBefore: 4,
  /** Element of a scatterlist after the one that failed: the kernel gave up before it. */
  notAttempted: 5,
  /** Its caller still slept when the trace ended. */
  stillBlocked: 6,
} as const;

/** One row per request of the trace, in the order of the request table. */
export interface ReplayRequests {
  /** ReplayOutcome. */
  readonly outcome: Uint8Array;
  /** Index into `causes`; 255 when served. */
  readonly cause: Uint8Array;
  /** Id of the pool in `ReplayResult.pools`, -1 when failed. */
  readonly pool: Int32Array;
  /** First slot of the bounce address inside the pool (after pre-padding), -1 when failed. */
  readonly slot: Int32Array;
  /** NaN when failed. */
  readonly bounceAddress: Float64Array;
  /** Slots allocated, padding included; 0 when failed. */
  readonly slots: Uint32Array;
  /** For failures: largest free run the search could have used, -1 unknown. */
  readonly largestHole: Int32Array;
  /** For failures: free slots in listed pools, -1 unknown. */
  readonly freeSlots: Int32Array;
}

/** Step functions: value holds from timeNs[i] until timeNs[i + 1]. With order-only clocks timeNs counts events. */
export interface ReplaySeries {
  readonly timeNs: Float64Array;
  readonly usedSlots: Float64Array;
  readonly hiwaterSlots: Float64Array;
  readonly capacitySlots: Float64Array;
  readonly transientSlots: Float64Array;
  readonly memoryBytes: Float64Array;
  /** Failures so far. */
  readonly failures: Float64Array;
  /** How long mappings were held up so far, all added up; NaN where a trace does not show it. */
  readonly stalledNs: Float64Array;
  readonly length: number;
}

export interface ReplayPool {
  readonly id: number;
  readonly kind: 'boot' | 'grown' | 'transient' | 'restricted';
  readonly start: Address;
  readonly slots: Slots;
  readonly areas: number;
  readonly addedAtNs: Nanoseconds | null;
  readonly removedAtNs: Nanoseconds | null;
}

export interface ReplayFailure {
  /** Row of the request table. */
  readonly request: number;
  readonly line: number;
  readonly source: number;
  readonly timeNs: Nanoseconds | null;
  readonly cause: Cause;
}

export interface ReplayParam {
  readonly name: string;
  readonly value: number | string | boolean;
  readonly unit: string;
  readonly evidence: Evidence;
}

/** The minimum of cli.md's `replay` object, plus the columns and series behind it. */
export interface ReplayResult {
  readonly policy: string;
  readonly params: readonly ReplayParam[];
  readonly replayable: boolean;
  /** Facts that a replay would need and the input does not have. */
  readonly missing: readonly string[];
  /** served + failed, without dropped retries. */
  readonly requestCount: number;
  readonly served: number;
  readonly failed: number;
  readonly failuresByCause: Readonly<Partial<Record<Cause, number>>>;
  readonly usedHighWaterSlots: Slots;
  readonly capacityPeakSlots: Slots;
  readonly transient: { readonly count: number; readonly peakSlots: Slots; readonly failed: number };
  readonly pools: readonly ReplayPool[];
  readonly memory: {
    readonly peakBytes: Bytes;
    /** null for order-only clocks. */
    readonly byteSeconds: number | null;
    readonly roundingWasteBytes: Bytes;
  };
  readonly copiedBytes: Bytes;
  readonly stalls: { readonly count: number; readonly totalNs: Nanoseconds; readonly maxNs: Nanoseconds };
  readonly workerRuns: number;
  readonly cost: {
    readonly areaLocks: number;
    readonly probes: number;
    readonly poolsVisited: number;
    readonly lookups: number;
    readonly listSteps: number;
    readonly pageAllocations: number;
    readonly conversions: number;
    /**
     * Times a lock (of an area; of a class or an index of buffers where the policy has those) was taken by another CPU
     * within the search time of the one before. null: no clock, or totals only.
     */
    readonly contendedLocks: number | null;
    /** Searches, releases and allocations of pools at the times of `costModel`; copies and stalls excluded. */
    readonly estimatedNs: number | null;
  };
  /** What `estimatedNs` and `contendedLocks` rest on; empty without a calibration. */
  readonly costModel: readonly ReplayParam[];
  readonly assumed: {
    /** Requests whose end the trace does not say. */
    readonly lifetimes: number;
    readonly retriesDropped: number;
    readonly contexts: number;
    /** Served here, failed in the recording (or the other way round): their lifetimes cannot be recorded. */
    readonly counterfactual: number;
    /** Requests above the device's largest mapping that were split as the block layer would (dry run only). */
    readonly splits: number;
    /** Mappings from before the trace that could not be put at their recorded address. */
    readonly movedFromBefore: number;
    /** Slots taken from the start because the debugfs samples show them in use. */
    readonly baselineSlots: Slots;
  };
  /** Plain sentences about what was assumed, for people. */
  readonly notes: readonly string[];
  readonly requests: ReplayRequests;
  readonly series: ReplaySeries;
  readonly failures: readonly ReplayFailure[];
  /** False: the clock gives order only, times count events. */
  readonly hasTime: boolean;
}
