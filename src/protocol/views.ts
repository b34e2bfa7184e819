import type { Cause } from '../model/cause';
import type { EvidenceLevel } from '../model/evidence';
import type {
  BootReport,
  EpisodeReport,
  FailureReport,
  Guidance,
  LedgerReport,
  PoliciesReport,
  PolicyParamReport,
  ReplayReport,
  SeriesWindow,
  SizeReport,
  VerifyReport,
  WarningReport,
} from '../model/reports';

/**
 * What the panel shows, as plain data: the parts of the reports of `analysis` that it draws, and what only the panel
 * needs. Nothing here knows a table or a document. Unknown values are null, never 0 and never NaN,
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
  return set.length === 0
    ? key.policy
    : `${key.policy}(${set.map(([name, value]) => `${name}=${worded(value)}`).join(',')})`;
}

/** Texts that hold what separates settings are quoted: they must not read like two. */
function worded(value: PolicySettings[string]): string {
  return typeof value === 'string' && /[,=()"]/.test(value) ? JSON.stringify(value) : String(value);
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
    /** As found, whatever a run sets. */
    readonly deviceClass: 'block' | 'net' | 'other' | 'unknown';
    readonly classEvidence: Pick<EvidenceView, 'level' | 'text'>;
  }[];
}

export type LedgerView = Pick<
  LedgerReport,
  | 'understood'
  | 'counted'
  | 'notUnderstood'
  | 'exact'
  | 'derived'
  | 'assumed'
  | 'lost'
  | 'countedByName'
  | 'notUnderstoodExamples'
  | 'completeness'
  | 'notes'
>;

export type GuidanceView = Omit<Guidance, 'kind'>;

export type FailureView = Pick<
  FailureReport,
  | 'file'
  | 'line'
  | 'timeNs'
  | 'device'
  | 'driver'
  | 'sizeBytes'
  | 'totalSlots'
  | 'usedSlots'
  | 'cause'
  | 'message'
  | 'advice'
  | 'marks'
  | 'episode'
>;

/** Advice and marks are those of the episode's first failure. */
export type EpisodeView = EpisodeReport & Pick<FailureReport, 'advice' | 'marks'>;

export type PolicyParamView = PolicyParamReport;
export type PolicyView = PoliciesReport['policies'][number];

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
  /** Names this analysis: one of other bytes, or under other settings, has another name. */
  readonly reading: string;
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
  /** Attempts whose result the trace does not tell. */
  readonly unknownResults: number;
  readonly failuresByCause: Readonly<Partial<Record<Cause, number>>>;
  /** First ones, in file order. */
  readonly failures: readonly FailureView[];
  readonly episodes: readonly EpisodeView[];
  readonly boot: readonly Pick<BootReport, 'file' | 'line' | 'kind' | 'text'>[];
  readonly warnings: readonly Pick<WarningReport, 'file' | 'line' | 'code' | 'message'>[];
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

/** One replay: the command line's `replay` object, and what the charts need besides. */
export interface RunView extends Omit<ReplayReport, 'file' | 'ledger'> {
  readonly key: RunKey;
  /**
   * `recorded`: outcomes, slots and capacity are those of the trace itself; only the costs come from a replay of the
   * recorded policy. `modelled`: everything comes from a replay.
   */
  readonly basis: 'recorded' | 'modelled';
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
export type SeriesView = Omit<SeriesWindow, 'failures'>;

/** Its `file` is the one whose lines `mismatched` names. */
export type VerifyView = Omit<VerifyReport, 'widenedNs'>;

/** Above this share of undecided requests a verification proves too little to be called clean. */
const mostUndecided = 0.05;

type Verified = Pick<VerifyView, 'exact' | 'checked' | 'undecided'>;

/** True where so much is left open, e.g. without any unmap event, that the exact share alone would mislead. */
export function isLargelyUndecided({ checked, undecided }: Verified): boolean {
  return undecided > checked * mostUndecided;
}

/** Share of the checked requests that came out exactly, rounded down: 100 % means all of them. */
export function exactShare(verified: Verified): string {
  const { exact, checked, undecided } = verified;
  const share = `${Math.floor((exact / checked) * 10_000) / 100} %`;
  return isLargelyUndecided(verified) ? `${share} · ${Math.floor((undecided / checked) * 100)} % undecided` : share;
}

/** Which pool size a trace needs: the command line's `size` object, and what the panel needs besides. */
export interface SizeView extends Omit<SizeReport, 'file'> {
  readonly bounceAll: boolean;
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
  /** Every slot there is at that moment, those of transient pools too: never less than are in use. */
  readonly capacitySlots: number;
}
