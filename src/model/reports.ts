import type { Cause } from './cause';
import type { EvidenceLevel } from './evidence';
import type { Problem } from './problem';

/**
 * Plain data that answers a question, in editor terms (lines, columns, labels, numbers).
 * These are the JSON objects of the command line too: names are a contract, unknown values are null, never 0.
 * Lines and columns: lines are one-based, columns zero-based UTF-16.
 */
export interface LedgerReport {
  readonly understood: number;
  readonly counted: number;
  readonly notUnderstood: number;
  readonly exact: number;
  readonly derived: number;
  readonly assumed: number;
  readonly lost: number;
  readonly countedByName: Readonly<Record<string, number>>;
  readonly notUnderstoodExamples: readonly { readonly file: string; readonly line: number; readonly text: string }[];
  /** Sentences for people: what was derived or assumed and how often, what was lost. */
  readonly notes: readonly { readonly level: EvidenceLevel | 'lost'; readonly count: number; readonly text: string }[];
  /** The same per input; understood + counted + notUnderstood = lines of each. */
  readonly sources: readonly SourceLedgerReport[];
  /** Probe hits that the kernel missed without a mark in the trace. */
  readonly probeLosses: readonly ProbeLoss[];
  /** CPUs whose ring buffer lost events, by its own statistics. */
  readonly ringLosses: readonly RingLoss[];
  /** From here on all CPUs are in the trace; null: from its start, or unknown. */
  readonly earliestCommonTimeNs: number | null;
  /** Messages that the kernel's rate limit held back, whether events tell them or not. */
  readonly suppressedMessages: number;
  /** Scatterlists that the kernel printed only in part. */
  readonly truncatedLists: number;
  readonly completeness: CompletenessReport;
}

export interface SourceLedgerReport {
  readonly file: string;
  readonly format: string;
  readonly lines: number;
  readonly understood: number;
  readonly counted: number;
  readonly notUnderstood: number;
  readonly countedByName: Readonly<Record<string, number>>;
  readonly notUnderstoodExamples: readonly { readonly line: number; readonly text: string }[];
  readonly lostEvents: number;
  /** CPU ('unknown' where the kernel did not say) to lost events. */
  readonly lostByCpu: Readonly<Record<string, number>>;
  /** Events overwritten before the trace was saved; null when its header does not say. */
  readonly overwritten: number | null;
  /** Places where the time goes back by more than CPUs differ. */
  readonly clockJumps: number;
  readonly firstClockJumpLine: number | null;
}

export interface ProbeLoss {
  readonly probe: string;
  /** Null when no definition of the probe was given. */
  readonly symbol: string | null;
  readonly hits: number;
  readonly missed: number;
  readonly file: string;
  readonly line: number;
}

export interface RingLoss {
  /** Null when no heading names it. */
  readonly cpu: number | null;
  readonly overwritten: number;
  readonly dropped: number;
  readonly file: string;
  readonly line: number;
}

/** How much of what a trace can tell the input tells. The parts' `got` add up to the score (rounded down). */
export interface CompletenessReport {
  /** 0 to 100. */
  readonly score: number;
  readonly parts: readonly CompletenessPart[];
}

export interface CompletenessPart {
  readonly name: string;
  /** The weights add up to 100. */
  readonly weight: number;
  readonly got: number;
  readonly text: string;
  /** Null when the part is whole. */
  readonly howToImprove: string | null;
}

export interface InfoReport {
  readonly file: string;
  readonly format: string;
  readonly lines: number;
  readonly events: number;
  readonly requests: number;
  readonly bounced: number;
  readonly firstTimeNs: number | null;
  readonly lastTimeNs: number | null;
  readonly geometry: GeometryReport;
  readonly ledger: LedgerReport;
  readonly sources: readonly {
    readonly file: string;
    readonly format: string;
    readonly lines: number;
    readonly clock: string;
    /** Add to its times to get those of the reference source; null when the clocks cannot be joined. */
    readonly offsetNs: number | null;
    /** Null: the offset is a guess from where the clocks begin, or there is none. */
    readonly offsetErrorNs: number | null;
  }[];
  /** Set when nothing of the field was found: what the file is, and the commands that would record a trace. */
  readonly guidance: Guidance | null;
  readonly problems: readonly Problem[];
}

export interface GeometryReport {
  readonly kernel: string | null;
  readonly dynamic: boolean | null;
  readonly pools: readonly {
    readonly start: string | null;
    readonly slots: number | null;
    readonly areas: number | null;
    readonly kind: string;
  }[];
  readonly cpus: number | null;
  readonly evidence: Readonly<
    Record<
      string,
      { readonly level: EvidenceLevel; readonly text: string; readonly line?: number; readonly file?: string }
    >
  >;
  readonly devices: readonly {
    readonly name: string;
    readonly driver: string | null;
    readonly dmaMaskBits: number | null;
    readonly minAlignMask: string | null;
    readonly evidence: string;
  }[];
}

/** A page instead of an empty chart: what was found and what to do next. */
export interface Guidance {
  /** What kind of input it is; `empty` and `not-a-trace` mean that nothing could be read at all. */
  readonly kind:
    | 'empty'
    | 'not-a-trace'
    | 'log-with-failures'
    | 'log-without-failures'
    | 'trace-of-something-else'
    | 'durations'
    | 'samples';
  readonly title: string;
  readonly found: string;
  readonly next: string;
  /** Shell commands to copy, in order; empty when none would help. */
  readonly commands: readonly string[];
}

export interface LineRange {
  readonly line: number;
  readonly startColumn: number;
  readonly endColumn: number;
}

export interface FailureReport {
  readonly file: string;
  readonly line: number;
  /** Of the message in a log line; both 0 where the whole line is meant (events of a trace). */
  readonly startColumn: number;
  readonly endColumn: number;
  /** 'log' for a kernel message alone, 'trace' when an event recorded the failure. */
  readonly source: 'log' | 'trace';
  readonly timeNs: number | null;
  readonly device: string | null;
  readonly driver: string | null;
  readonly sizeBytes: number | null;
  readonly totalSlots: number | null;
  readonly usedSlots: number | null;
  readonly suppressed: number | null;
  readonly cause: Cause;
  /** Verdict first, one or two sentences. */
  readonly message: string;
  /** What would help; never "raise swiotlb=" where that cannot help. */
  readonly advice: readonly string[];
  /** Marks beside the cause, e.g. 'leak-suspected'. */
  readonly marks: readonly string[];
  readonly related: readonly { readonly file: string; readonly line: number; readonly message: string }[];
  /** Index into `episodes`. */
  readonly episode: number;
  /** Row of the request table, null for a log line that joined none. */
  readonly request: number | null;
}

/** Failures that belong together: one flood of messages. */
export interface EpisodeReport {
  readonly file: string;
  readonly firstLine: number;
  readonly lastLine: number;
  readonly count: number;
  readonly cause: Cause;
  readonly device: string | null;
  readonly suppressed: number;
  readonly message: string;
}

export interface BootReport {
  readonly file: string;
  readonly line: number;
  readonly kind: string;
  readonly text: string;
  readonly [fact: string]: string | number | boolean | null;
}

export interface WarningReport {
  readonly file: string;
  readonly line: number;
  readonly startColumn: number;
  readonly endColumn: number;
  readonly code: string;
  readonly message: string;
}

export interface DiagnoseReport {
  readonly file: string;
  readonly failures: readonly FailureReport[];
  /** Attempts whose result the input does not tell, those that its end cut off left out: without a failure among the rest, nobody knows whether one failed. */
  readonly unknownResults: number;
  readonly boot: readonly BootReport[];
  readonly episodes: readonly EpisodeReport[];
  readonly warnings: readonly WarningReport[];
  readonly guidance: Guidance | null;
  readonly ledger: LedgerReport;
}

export interface VerifyReport {
  readonly file: string;
  readonly generation: string;
  /** Everything that could be checked in principle: bounced requests with a recorded result. */
  readonly requests: number;
  readonly checked: number;
  /** The model gave the recorded address (or the recorded failure). */
  readonly exact: number;
  /** Explained after learning state from before the trace. */
  readonly learned: number;
  /** Of the checked: the base of a grown or transient pool was taken from the record. */
  readonly givenBase: number;
  readonly undecided: number;
  /** First 100. */
  readonly mismatched: readonly {
    readonly line: number;
    readonly recorded: string;
    readonly modelled: string;
    readonly why: string;
  }[];
  readonly mismatchedCount: number;
  /** Intervals were widened by so much on both sides because clocks of CPUs disagree; 0 not. */
  readonly widenedNs: number;
  readonly skipped: Readonly<Record<string, number>>;
}

export interface ReplayReport {
  readonly file: string;
  readonly policy: string;
  readonly title: string;
  readonly params: Readonly<
    Record<
      string,
      {
        readonly value: number | string | boolean;
        readonly unit: string;
        readonly level: EvidenceLevel;
        readonly source: string;
      }
    >
  >;
  readonly replayable: boolean;
  readonly missing: readonly string[];
  readonly requests: number;
  readonly served: number;
  readonly failed: number;
  readonly failuresByCause: Readonly<Partial<Record<Cause, number>>>;
  readonly usedHighWaterSlots: number;
  readonly capacityPeakSlots: number;
  readonly transient: { readonly count: number; readonly peakSlots: number; readonly failed: number };
  readonly pools: readonly {
    readonly id: number;
    readonly kind: string;
    readonly start: string;
    readonly slots: number;
    readonly areas: number;
    readonly addedAtNs: number | null;
    readonly removedAtNs: number | null;
  }[];
  readonly memory: {
    readonly peakBytes: number;
    readonly byteSeconds: number | null;
    readonly roundingWasteBytes: number;
  };
  readonly copiedBytes: number;
  readonly stalls: { readonly count: number; readonly totalNs: number; readonly maxNs: number };
  readonly workerRuns: number;
  readonly cost: {
    readonly areaLocks: number;
    readonly probes: number;
    readonly poolsVisited: number;
    readonly lookups: number;
    readonly listSteps: number;
    readonly pageAllocations: number;
    readonly conversions: number;
    readonly contendedLocks: number | null;
    readonly estimatedNs: number | null;
  };
  readonly assumed: {
    readonly lifetimes: number;
    readonly retriesDropped: number;
    readonly contexts: number;
    readonly counterfactual: number;
  };
  readonly ledger: LedgerReport;
}

/** The numbers that a replay with another assumption is compared by. */
export interface VariantNumbers {
  readonly failed: number;
  readonly stalls: ReplayReport['stalls'];
  readonly usedHighWaterSlots: number;
  readonly peakBytes: number;
}

/** How much a result depends on lifetimes that the trace does not say. */
export interface LifetimeSensitivity {
  readonly assumedLifetimes: number;
  /** `25th percentile`, `median`, `75th percentile`, `0.1 ×` and `10 ×`, in this order. */
  readonly variants: readonly (VariantNumbers & {
    readonly name: string;
    readonly set: Readonly<Record<string, number | string | boolean>>;
  })[];
}

/** What a device of unknown class would mean for a policy that treats block devices differently. */
export interface ClassVariant extends VariantNumbers {
  readonly unknownClass: 'block' | 'other';
}

/** What it would mean for a policy that may block if no map could sleep: the flags only show where none can. */
export interface ContextVariant extends VariantNumbers {
  readonly context: 'fromFlags' | 'alwaysAtomic';
}

/** Which memory devices need: no event carries the attribute, so a policy that asks for it has two answers. */
export interface AttributeVariant extends VariantNumbers {
  readonly devicesNeed: 'shared' | 'private';
}

/** How much a replay hangs on what the trace does not say. */
export interface UncertaintyReport {
  /** Null: no lifetime had to be assumed. */
  readonly sensitivity: LifetimeSensitivity | null;
  /** Null: the policy does not ask for classes, all are known, or the user has chosen. */
  readonly classVariants: readonly ClassVariant[] | null;
  /** Null: the policy never blocks, no map of the trace may sleep, or the user has chosen. */
  readonly contextVariants: readonly ContextVariant[] | null;
  /** Null: the policy does not ask which memory a device needs, or the user has named the devices. */
  readonly attributeVariants: readonly AttributeVariant[] | null;
}

export interface CompareReport {
  /** Each with what it hangs on. */
  readonly results: readonly (ReplayReport & UncertaintyReport)[];
  readonly best: { readonly fewestFailures: string | null; readonly leastMemory: string | null };
}

/** One thing assumed otherwise, e.g. lifetimes at another quantile of the known ones. */
export interface SizeVariant {
  readonly name: string;
  readonly set: Readonly<Record<string, number | string | boolean>>;
  readonly failed: number;
  /** Of the failed: those that another pool size could have served. */
  readonly avoidable: number;
  readonly peakBytes: number;
}

/** The JSON object of the `size` command. */
export interface SizeReport {
  readonly file: string;
  readonly replayable: boolean;
  readonly curve: readonly {
    readonly policy: string;
    readonly slots: number;
    readonly areas: number;
    readonly bytes: number;
    readonly failed: number;
    readonly failureRatio: number;
    readonly peakBytes: number;
    /** Not replayed: proven to fail the same requests as a smaller size, or as the fixed pool of this size. */
    readonly proven: boolean;
  }[];
  readonly smallest: readonly {
    readonly policy: string;
    /** Smallest size without avoidable failures, before headroom; null when every size of the curve fails. */
    readonly slots: number | null;
    readonly bootParameter: string | null;
    /** What the kernel makes of the parameter, headroom included. */
    readonly bytesAfterRounding: number | null;
    readonly areas: number | null;
    readonly headroom: number;
    /** The size after which more memory saves little. */
    readonly kneeSlots: number | null;
    /** The recommended pool, headroom included, where what had to be assumed is otherwise; empty: nothing had to be. */
    readonly variants: readonly SizeVariant[];
  }[];
  /** The recommended fixed pool with fewer areas, as `swiotlb=slots,areas` sets them; empty without a clock. */
  readonly areas: readonly {
    readonly areas: number;
    readonly bootParameter: string;
    readonly failed: number;
    /** Locks of areas taken, and those of them taken by another CPU within a search time of the last one: a proxy. */
    readonly areaLocks: number;
    readonly contendedLocks: number;
  }[];
  /** Memory of today's pool that a smaller one would leave free without one more failure; null when unknown. */
  readonly unusedBytes: number | null;
  readonly advice: readonly string[];
}

/** One setting of a policy, or one that every replay has. */
export interface PolicyParamReport {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly default: number | string | boolean;
  readonly source: string;
  /** Null: no limit. */
  readonly min: number | null;
  readonly max: number | null;
  /** The words it takes; null: any number or text. */
  readonly choices: readonly string[] | null;
}

export interface PoliciesReport {
  readonly policies: readonly {
    readonly id: string;
    readonly title: string;
    readonly explanation: string;
    readonly source: string;
    readonly params: readonly PolicyParamReport[];
  }[];
}

/** A part of a series for a chart: all columns share the times. */
export interface SeriesWindow {
  readonly timeNs: readonly number[];
  readonly usedSlots: readonly number[];
  readonly hiwaterSlots: readonly number[];
  readonly capacitySlots: readonly number[];
  readonly transientSlots: readonly number[];
  readonly memoryBytes: readonly number[];
  readonly failures: readonly number[];
  /** How long mappings were held up so far, all added up; null where a trace does not show it. */
  readonly stalledNs: readonly (number | null)[];
}

/** One device of the `devices` command. */
export interface DeviceReport {
  readonly name: string;
  readonly driver: string | null;
  readonly class: string | null;
  /** Attempts to bounce, and of them those that got no slots. */
  readonly requests: number;
  readonly failed: number;
  /** Mappings that needed no bounce. */
  readonly direct: number;
  /** Most slots held at once; null when the trace does not tell when mappings end. */
  readonly peakSlots: number | null;
  /** Bytes asked for by bounced mappings, and what rounding to slots added to them. */
  readonly bytes: number;
  readonly wasteBytes: number;
  /** null without recorded ends or without a clock. */
  readonly medianLifetimeNs: number | null;
  readonly openAtEnd: number;
  readonly leakSuspected: boolean;
  readonly dmaMaskBits: number | null;
  readonly minAlignMask: string | null;
  /** Its first line in the input; null when it is only known from elsewhere. */
  readonly first: { readonly file: string; readonly line: number } | null;
}

/** Who uses the pool: the JSON of the `devices` command, largest user first. */
export interface DevicesReport {
  readonly file: string;
  readonly devices: readonly DeviceReport[];
}

/** A hover, as blocks; the adapters turn it into Markdown or HTML. */
export interface HoverCard {
  readonly range: LineRange;
  /** Line one: what happened, e.g. "Served · 17 slots (34 KiB) in boot pool, area 3, slots 2,304–2,320". */
  readonly verdict: string;
  readonly tone: 'served' | 'failed' | 'unknown' | 'info';
  /** Bounce address or similar, shown at the right of the verdict. */
  readonly badge: string | null;
  readonly lines: readonly HoverLine[];
  /** What one may want to see next; absent: nothing. */
  readonly actions?: readonly HoverAction[];
  /** Why it failed, where it did. */
  readonly cause?: Cause;
  /** Where the mapping was made: what the actions are about, also on its kernel message in another file. */
  readonly place?: { readonly file: string; readonly line: number };
}

/** What an editor shows of a failing line by itself: the sentence and what helps. */
export interface ShownFinding {
  /** It is the first of its episode, whose finding names holders and messages too. */
  readonly isFirst: boolean;
  readonly episode: EpisodeReport | null;
}

export type HoverAction = 'slotMap' | 'whoHeld' | 'size' | 'explain';

export interface HoverLine {
  readonly level: EvidenceLevel;
  readonly text: string;
  /** Line links inside the same or another source. */
  readonly links: readonly { readonly label: string; readonly file: string; readonly line: number }[];
}
