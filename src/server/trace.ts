import { platform } from '#platform';
import type { Analysis } from '../analysis/analysis';
import { diagnose } from '../analysis/diagnose';
import { info } from '../analysis/info';
import { recordedPolicy } from '../analysis/recorded';
import { type RecordedUse, recordedUse } from '../analysis/recordedUse';
import { withOverrides } from '../analysis/reinterpret';
import { type ReplayAnswer, replayReport } from '../analysis/replay';
import type { ReplayRequest } from '../analysis/replaySetup';
import { uncertaintyReport } from '../analysis/uncertainty';
import { verifyReport } from '../analysis/verify';
import type { DiagnoseReport, InfoReport, SizeReport, UncertaintyReport, VerifyReport } from '../model/reports';
import { bounceAllSetting, type RunKey, runId } from '../protocol/views';
import type { LineOffsets } from './lineOffsets';
import { type DocumentSettings, defaultSettings } from './settings';

/** One file of an analysed capture. Its index in `Trace.members` is the row of the source table. */
export interface Member {
  readonly uri: string;
  /** As the analysis names it. */
  readonly path: string;
  readonly lineOffsets: LineOffsets;
  /** The bytes came from the file at `path`: lines can be read from it. */
  readonly isFile: boolean;
  /** Packed, binary or inside an archive: lines cannot be read back by byte offset. */
  readonly isPacked: boolean;
  /** Size and modification time of the file when it was read; '' for texts. */
  readonly stamp: string;
  /** Why the file could not be read to its end, else null. */
  readonly failure: string | null;
}

/** At most so many replays of a trace are kept; each holds a few columns per request. */
const keptRuns = 12;

/** Requests that are replayed in well under a second. */
const quickRequests = 100_000;

/** An analysed capture with everything derived from it, made on first use and kept. */
export class Trace {
  /** Unlike any other, also of a server that was there before. */
  readonly reading = crypto.randomUUID();
  readonly analysis: Analysis;
  readonly members: readonly Member[];
  private readonly runs = new Map<string, { readonly key: RunKey; readonly answer: ReplayAnswer }>();
  private readonly sizes = new Map<string, SizeReport>();
  private readonly uncertainties = new Map<string, UncertaintyReport>();
  private madeDiagnose: DiagnoseReport | undefined;
  private madeInfo: InfoReport | undefined;
  private madeVerify: VerifyReport | undefined;
  private madeUse: RecordedUse | null | undefined;

  readonly settings: DocumentSettings;

  /** The run that the panel shows; null: none. */
  front: RunKey | null = null;

  /** `analysis` was made with the geometry that `settings` give. */
  constructor(analysis: Analysis, members: readonly Member[], settings: DocumentSettings = defaultSettings) {
    this.analysis = analysis;
    this.members = members;
    this.settings = settings;
  }

  /** Of a capture that is still being read: findings come without the replay that tells close causes apart. */
  static partial(analysis: Analysis, members: readonly Member[], settings: DocumentSettings): Trace {
    const trace = new Trace(analysis, members, settings);
    trace.madeDiagnose = diagnose(analysis, { recorded: null });
    return trace;
  }

  /** The same events under other settings; what was derived from them is made anew. */
  withSettings(settings: DocumentSettings): Trace {
    return new Trace(withOverrides(this.analysis, settings.geometry), this.members, settings);
  }

  get hasRequests(): boolean {
    return 0 < this.analysis.tables.requests.length;
  }

  get uris(): readonly string[] {
    return this.members.map((member) => member.uri);
  }

  /** Row of the source table; an archive stands for the file in it that the answer is about. -1: not of this trace. */
  sourceOf(uri: string): number {
    const exact = this.members.findIndex((member) => member.uri === uri);
    // Editors write the same location in other ways.
    const path = exact === -1 ? platform.pathOf(uri) : null;
    if (path === null) {
      return exact;
    }
    const same = this.members.findIndex((member) => member.path === path);
    return same !== -1 || this.membersIn(uri).length === 0
      ? same
      : this.members.findIndex((member) => member.path === this.analysis.file);
  }

  /** The member of this location, or all in the archive at this location. */
  membersIn(uri: string): readonly Member[] {
    const { separator } = platform.paths;
    const path = platform.pathOf(uri);
    const inside = path === null ? null : `${path}${separator}`;
    return this.members.filter(
      (member) =>
        member.uri === uri || (inside !== null && member.isFile && `${member.path}${separator}`.startsWith(inside)),
    );
  }

  memberOfPath(path: string): Member | undefined {
    return this.members.find((member) => member.path === path);
  }

  diagnose(): DiagnoseReport {
    this.madeDiagnose ??= diagnose(this.analysis, {
      recorded: 0 < this.analysis.tables.counts.failed ? this.recorded() : null,
    });
    return this.madeDiagnose;
  }

  info(): InfoReport {
    this.madeInfo ??= info(this.analysis);
    return this.madeInfo;
  }

  /** The pool as the trace itself shows it; null when it does not. */
  recordedUse(): RecordedUse | null {
    if (this.madeUse === undefined) {
      this.madeUse = this.hasRequests ? recordedUse(this.analysis, this.diagnose()) : null;
    }
    return this.madeUse;
  }

  get isVerified(): boolean {
    return this.madeVerify !== undefined;
  }

  verify(): VerifyReport {
    this.madeVerify ??= verifyReport(this.analysis);
    return this.madeVerify;
  }

  /** A report that was made elsewhere. */
  keepVerify(report: VerifyReport): void {
    this.madeVerify = report;
  }

  /** Replay of the recorded policy and geometry; null when there is nothing to replay. */
  recorded(): ReplayAnswer['result'] | null {
    if (!this.hasRequests) {
      return null;
    }
    const { report, result } = this.run({ policy: 'recorded', set: {} });
    return report.replayable ? result : null;
  }

  /**
   * What a card compares a mapping with: the run in front of the panel, else the policy of the settings, unless the
   * kernel has it already.
   * Null where making it would keep the reader of a hover waiting.
   */
  comparison(): ReplayAnswer['result'] | null {
    const { hoverPolicy } = this.settings;
    const inFront = this.front === null || this.front.policy === 'recorded' ? null : this.front;
    if (hoverPolicy === null && inFront === null) {
      return null;
    }
    const key: RunKey = inFront ?? { policy: hoverPolicy ?? '', set: {} };
    if (!this.hasRequests || !this.isQuick(key) || recordedPolicy(this.analysis) === key.policy) {
      return null;
    }
    const { report, result } = this.run(key);
    return report.replayable ? result : null;
  }

  /** The replay of the recorded kernel for a card; null where making it would keep the reader waiting. */
  recordedNow(): ReplayAnswer['result'] | null {
    return this.isQuick({ policy: 'recorded', set: {} }) ? this.recorded() : null;
  }

  /** `run` answers at once, or nearly so. */
  isQuick(key: RunKey): boolean {
    return this.runs.has(runId(key)) || this.analysis.tables.requests.length <= quickRequests;
  }

  knownSize(id: string): SizeReport | null {
    return this.sizes.get(id) ?? null;
  }

  /** A finished sizing is kept; one that failed or was cancelled is not. */
  async size(id: string, make: () => Promise<SizeReport>): Promise<SizeReport> {
    const known = this.sizes.get(id);
    if (known !== undefined) {
      return known;
    }
    const made = await make();
    this.sizes.set(id, made);
    return made;
  }

  /** The replays that are kept, oldest first. */
  finishedRuns(): readonly RunKey[] {
    return [...this.runs.values()].map(({ key }) => key);
  }

  run(key: RunKey): ReplayAnswer {
    const id = runId(key);
    const known = this.runs.get(id);
    if (known !== undefined) {
      return known.answer;
    }
    const made = replayReport(this.analysis, this.requestOf(key));
    this.keepRun(key, made);
    return made;
  }

  /** A replay that was made elsewhere. */
  keepRun(key: RunKey, answer: ReplayAnswer): void {
    const oldest = [...this.runs.keys()].find((other) => other !== 'recorded');
    if (keptRuns <= this.runs.size && oldest !== undefined) {
      this.runs.delete(oldest);
    }
    this.runs.set(runId(key), { key, answer });
  }

  /** Nothing where the trace itself is shown: it hangs on no assumption. */
  uncertainty(key: RunKey): UncertaintyReport {
    const id = runId(key);
    const known = this.uncertainties.get(id);
    if (known !== undefined) {
      return known;
    }
    const isModelled = this.hasRequests && (key.policy !== 'recorded' || this.recordedUse() === null);
    const made = isModelled
      ? uncertaintyReport(this.analysis, this.requestOf(key))
      : { sensitivity: null, classVariants: null, contextVariants: null, attributeVariants: null };
    this.uncertainties.set(id, made);
    return made;
  }

  requestOf(key: RunKey): ReplayRequest {
    const policy = key.policy === 'recorded' ? recordedPolicy(this.analysis) : key.policy;
    const { [bounceAllSetting]: bounceAll, ...set } = key.set;
    return { policy, set: { ...this.settings.replay, ...set }, bounceAll: bounceAll === true };
  }
}
