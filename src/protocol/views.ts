import type { Cause } from '../model/cause';
import type { EvidenceLevel } from '../model/evidence';

/**
 * What the panel shows, as plain data. The server fills these from the reports of `analysis` (names are kept where the
 * meaning is the same); nothing here knows a table or a document. Unknown values are null, never 0 and never NaN,
 * because everything here crosses process borders as JSON.
 * Times are nanoseconds since the first event of the analysis; with an order-only clock they count events.
 */

/**
 * Values a policy's parameters are set to; absent ones take the policy's default.
 * Beside the parameters there is `bounceAll`: true replays every DMA mapping as if it had to bounce (dry run).
 */
export type PolicySettings = Readonly<Record<string, number | string | boolean>>;

/** Names a replay: the same key gives the same result for the same bytes. */
export interface RunKey {
  /** Policy id, or `recorded` for the policy and geometry the trace was recorded with. */
  readonly policy: string;
  readonly set: PolicySettings;
}

/** Name of the setting that makes a replay a dry run. */
export const bounceAllSetting = 'bounceAll';

export function runId(key: RunKey): string {
  const set = Object.entries(key.set).sort(([a], [b]) => (a < b ? -1 : 1));
  return set.length === 0 ? key.policy : `${key.policy}(${set.map(([name, value]) => `${name}=${value}`).join(',')})`;
}

/** A line of one of the trace's files. */
export interface LineRef {
  readonly file: string;
  readonly line: number;
}

export interface SourceView {
  /** Path as the analysis names it; the key for `reveal`. */
  readonly file: string;
  readonly uri: string;
  readonly format: string;
  readonly lines: number;
  readonly clock: string;
}

export interface EvidenceView {
  readonly level: EvidenceLevel;
  readonly text: string;
  readonly file: string | null;
  readonly line: number | null;
}

export interface PoolView {
  readonly kind: string;
  readonly start: string | null;
  readonly slots: number | null;
  readonly areas: number | null;
}

export interface GeometryView {
  readonly kernel: string | null;
  readonly dynamic: boolean | null;
  readonly cpus: number | null;
  readonly pools: readonly PoolView[];
  /** Field name → where its value comes from. */
  readonly evidence: Readonly<Record<string, EvidenceView>>;
  readonly devices: readonly {
    readonly name: string;
    readonly dmaMaskBits: number | null;
    readonly minAlignMask: string | null;
    readonly evidence: string;
  }[];
}

export interface LedgerView {
  readonly understood: number;
  readonly counted: number;
  readonly notUnderstood: number;
  readonly exact: number;
  readonly derived: number;
  readonly assumed: number;
  readonly lost: number;
  readonly countedByName: Readonly<Record<string, number>>;
  readonly notUnderstoodExamples: readonly { readonly file: string; readonly line: number; readonly text: string }[];
  readonly notes: readonly { readonly level: EvidenceLevel | 'lost'; readonly count: number; readonly text: string }[];
}

export interface GuidanceView {
  readonly title: string;
  readonly found: string;
  readonly next: string;
  readonly commands: readonly string[];
}

export interface FailureView extends LineRef {
  readonly timeNs: number | null;
  readonly device: string | null;
  readonly driver: string | null;
  readonly sizeBytes: number | null;
  readonly totalSlots: number | null;
  readonly usedSlots: number | null;
  readonly cause: Cause;
  readonly message: string;
  readonly advice: readonly string[];
  readonly marks: readonly string[];
  readonly episode: number;
}

export interface EpisodeView {
  readonly file: string;
  readonly firstLine: number;
  readonly lastLine: number;
  readonly count: number;
  readonly suppressed: number;
  readonly cause: Cause;
  readonly device: string | null;
  readonly message: string;
  /** From the episode's first failure. */
  readonly advice: readonly string[];
  readonly marks: readonly string[];
}

export interface PolicyParamView {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly default: number | string | boolean;
  readonly source: string;
  readonly min: number | null;
  readonly max: number | null;
}

export interface PolicyView {
  readonly id: string;
  readonly title: string;
  readonly explanation: string;
  readonly params: readonly PolicyParamView[];
  readonly source: string;
}

/** debugfs observations: recorded, not modelled. */
export interface SamplesView {
  readonly timeNs: readonly number[];
  readonly usedSlots: readonly number[];
  /** How many there were before thinning. */
  readonly total: number;
}

/** Everything the panel says before any replay. */
export interface TraceView {
  readonly uri: string;
  readonly name: string;
  readonly sources: readonly SourceView[];
  readonly lines: number;
  readonly events: number;
  readonly requests: number;
  readonly bounced: number;
  readonly hasTime: boolean;
  /** Clock reading at time 0, null for order-only clocks. */
  readonly origin: { readonly seconds: number; readonly nanoseconds: number } | null;
  readonly lastTimeNs: number | null;
  /** Policy id the trace was recorded under, as far as the evidence goes. */
  readonly recordedPolicy: string;
  readonly geometry: GeometryView;
  readonly ledger: LedgerView;
  readonly guidance: GuidanceView | null;
  readonly failureCount: number;
  readonly failuresByCause: Readonly<Partial<Record<Cause, number>>>;
  /** First ones, in file order. */
  readonly failures: readonly FailureView[];
  readonly episodes: readonly EpisodeView[];
  readonly boot: readonly {
    readonly file: string;
    readonly line: number;
    readonly kind: string;
    readonly text: string;
  }[];
  readonly warnings: readonly {
    readonly file: string;
    readonly line: number;
    readonly code: string;
    readonly message: string;
  }[];
  readonly policies: readonly PolicyView[];
  readonly samples: SamplesView | null;
  /** Sentences about damaged or incomplete input. */
  readonly problems: readonly string[];
}

export interface FailureMark extends LineRef {
  readonly timeNs: number;
  readonly cause: Cause;
  readonly device: string | null;
  readonly sizeBytes: number | null;
}

/** One replay. Field names are those of the command line's `replay` object. */
export interface RunView {
  readonly key: RunKey;
  /**
   * `recorded`: outcomes, slots and capacity are those of the trace itself; only the costs come from a replay of the
   * recorded policy. `modelled`: everything comes from a replay.
   */
  readonly basis: 'recorded' | 'modelled';
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
    readonly estimatedNs: number | null;
  };
  readonly assumed: {
    readonly lifetimes: number;
    readonly retriesDropped: number;
    readonly contexts: number;
    readonly counterfactual: number;
  };
  /** Slots in use of the recorded run that no mapping of the trace accounts for: replays do not have them. */
  readonly unseenSlots: number;
  /** What this replay assumed beyond the trace's own ledger. */
  readonly notes: LedgerView['notes'];
  /** In time order, thinned to `failed` at most; every one of them names a line. */
  readonly failures: readonly FailureMark[];
  /** Extent of the series. */
  readonly fromNs: number;
  readonly toNs: number;
}

/** A window of a run's step functions, decimated so that peaks survive (min and max of each bucket are kept). */
export interface SeriesView {
  readonly timeNs: readonly number[];
  readonly usedSlots: readonly number[];
  readonly hiwaterSlots: readonly number[];
  readonly capacitySlots: readonly number[];
  readonly transientSlots: readonly number[];
  readonly memoryBytes: readonly number[];
}

export interface VerifyView {
  readonly generation: string;
  readonly requests: number;
  readonly checked: number;
  readonly exact: number;
  readonly learned: number;
  readonly givenBase: number;
  readonly undecided: number;
  readonly mismatched: readonly {
    readonly line: number;
    readonly recorded: string;
    readonly modelled: string;
    readonly why: string;
  }[];
  readonly mismatchedCount: number;
  readonly skipped: Readonly<Record<string, number>>;
  /** File whose lines `mismatched` names. */
  readonly file: string;
}

/** Share of the checked requests that came out exactly, rounded down: 100 % means all of them. */
export function exactShare({ exact, checked }: Pick<VerifyView, 'exact' | 'checked'>): string {
  return `${Math.floor((exact / checked) * 10_000) / 100} %`;
}

/** Which pool size a trace needs; field names are those of the command line's `size` object. */
export interface SizeView {
  readonly bounceAll: boolean;
  readonly replayable: boolean;
  readonly curve: readonly {
    readonly policy: string;
    readonly slots: number;
    readonly areas: number;
    readonly bytes: number;
    readonly failed: number;
    readonly failureRatio: number;
    readonly peakBytes: number;
    readonly proven: boolean;
  }[];
  readonly smallest: readonly {
    readonly policy: string;
    readonly slots: number | null;
    readonly bootParameter: string | null;
    readonly bytesAfterRounding: number | null;
    readonly areas: number | null;
    readonly headroom: number;
    readonly kneeSlots: number | null;
  }[];
  readonly unusedBytes: number | null;
  readonly advice: readonly string[];
  /** Where a kernel parameter goes. */
  readonly howToApply: string;
  /** CPUs that areas and rounding were worked out for. */
  readonly cpus: number;
}

export interface FindingView {
  readonly markdown: string;
}

/** The pool at a line of the trace, in one run. */
export interface CursorView {
  readonly timeNs: number;
  readonly usedSlots: number;
  readonly capacitySlots: number;
}
