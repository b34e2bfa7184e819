import type { UncertaintyReport } from '../model/reports';
import type { Result } from './result';
import type { CardView, OutcomeChoice, TraceMarks } from './traceEditor';
import type {
  CursorView,
  FindingView,
  LineRef,
  PolicySettings,
  RunKey,
  RunView,
  SeriesView,
  SizeView,
  TraceView,
  VerifyView,
} from './views';

/**
 * Requests and notifications beyond the language server protocol, one constant each.
 * Client: src/extension/client.ts. Server: src/server/requests.ts. Every request is answered with a `Result`.
 */
export interface RequestName<P, R> {
  readonly method: string;
  /** Only in the type system. */
  readonly types?: (params: P) => R;
}

export type LspParams<N> = N extends RequestName<infer P, infer _R> ? P : never;
export type LspReply<N> = N extends RequestName<infer _P, infer R> ? R : never;

export interface DocumentParams {
  readonly uri: string;
}
export interface RunParams extends DocumentParams {
  readonly run: RunKey;
}
export interface SeriesParams extends RunParams {
  readonly fromNs: number;
  readonly toNs: number;
  /** About one per device pixel column; the reply has at most four times as many points. */
  readonly buckets: number;
}
export interface CursorParams extends RunParams {
  readonly line: number;
}
export interface LineAtParams extends DocumentParams {
  readonly timeNs: number;
}
export interface FindingParams extends DocumentParams {
  readonly line: number;
}
export interface CardParams extends DocumentParams {
  readonly line: number;
  /** Zero-based. */
  readonly column: number;
  /** The line's text: of packed and binary files only the editor has it at hand. */
  readonly text: string;
}
export interface OutcomeParams extends DocumentParams {
  readonly outcome: OutcomeChoice;
}
export interface SizeParams extends DocumentParams {
  /** Dry run for a confidential VM: every DMA mapping of the trace bounces. */
  readonly bounceAll: boolean;
  /** Of the machine that will run the load; null: as recorded. */
  readonly cpus: number | null;
  /** Share to add to the smallest size, e.g. 0.2. */
  readonly headroom: number;
  /** What the replays assume, as far as a policy has the parameter; sizes and areas are what is tried. */
  readonly set: PolicySettings;
}

export interface ReportParams extends DocumentParams {
  /** To compare, in the order of display. */
  readonly runs: readonly RunKey[];
  /** A web page that loads nothing, or Markdown. */
  readonly format: 'html' | 'md';
  /** With the answer of `sizeRequest`, which takes many replays; null without. */
  readonly size: Omit<SizeParams, 'uri'> | null;
}

export const traceRequest: RequestName<DocumentParams, Result<TraceView>> = { method: 'swiotlbLens/trace' };
export const runRequest: RequestName<RunParams, Result<RunView>> = { method: 'swiotlbLens/run' };
/**
 * What a run hangs on: the same replay with other assumed lifetimes, unknown classes and contexts, to draw as a band
 * or a line beside it ("failed 12 (9 to 14)"). Up to nine more replays: ask after the run is shown. All null where
 * nothing had to be assumed, and for runs that are recorded.
 */
export const uncertaintyRequest: RequestName<RunParams, Result<UncertaintyReport>> = {
  method: 'swiotlbLens/uncertainty',
};
export const seriesRequest: RequestName<SeriesParams, Result<SeriesView>> = { method: 'swiotlbLens/series' };
export const verifyRequest: RequestName<DocumentParams, Result<VerifyView>> = { method: 'swiotlbLens/verify' };
/** Null when the line has no time or nothing was replayed. */
export const cursorRequest: RequestName<CursorParams, Result<CursorView | null>> = { method: 'swiotlbLens/cursor' };

/** The line nearest to a time of the panel's time axis; null when the trace has none. */
export const lineAtRequest: RequestName<LineAtParams, Result<LineRef | null>> = { method: 'swiotlbLens/lineAt' };

/** Takes many replays: tells its progress by `sizeProgressNotification` and ends early when it is cancelled. */
export const sizeRequest: RequestName<SizeParams, Result<SizeView>> = { method: 'swiotlbLens/size' };
/** The whole report as one text, to save or to paste: summary, charts (HTML only), tables, ledger. */
export const reportRequest: RequestName<ReportParams, Result<{ readonly text: string }>> = {
  method: 'swiotlbLens/report',
};
/** What there is to say about a line, else about the whole trace, to paste into a report. */
export const findingRequest: RequestName<FindingParams, Result<FindingView>> = { method: 'swiotlbLens/finding' };

/** The hover's card for the custom editor; null where there is nothing to say. */
export const cardRequest: RequestName<CardParams, Result<CardView | null>> = { method: 'swiotlbLens/card' };
export const marksRequest: RequestName<DocumentParams, Result<TraceMarks>> = { method: 'swiotlbLens/marks' };
/** Sorted lines of a file by what became of the requests on them. */
export const outcomeRequest: RequestName<OutcomeParams, Result<readonly number[]>> = { method: 'swiotlbLens/outcome' };

/** The scripts that record a capture, one per range of kernels, oldest first. Needs no document. */
export const captureScriptsRequest: RequestName<object, Result<readonly CaptureScriptView[]>> = {
  method: 'swiotlbLens/captureScripts',
};

export interface CaptureScriptView {
  readonly title: string;
  /** On which kernels it was run. */
  readonly tried: string;
  readonly script: string;
}

/**
 * Client to server, just before `didOpen` and just after `didSave`: the file on disk is the document's text.
 * The `didOpen` that follows carries an empty text; the next `didChange` carries all of it.
 */
export const textOnDiskNotification: { readonly method: string } = { method: 'swiotlbLens/textOnDisk' };

/**
 * Client to server: a file is shown in an editor that is no document of the protocol. Its findings are published by
 * uri as for documents, those of an archive by the uris of its members, until it is closed as often as it was opened.
 */
export const openFileNotification: { readonly method: string } = { method: 'swiotlbLens/openFile' };
export const closeFileNotification: { readonly method: string } = { method: 'swiotlbLens/closeFile' };
/** Client to server: stop analysing a file; what was found so far is dropped. */
export const cancelAnalysisNotification: { readonly method: string } = { method: 'swiotlbLens/cancelAnalysis' };

/** Server to client: how far a file opened by `openFileNotification` has been read. */
export const readingNotification: { readonly method: string } = { method: 'swiotlbLens/reading' };

export interface ReadingParams extends DocumentParams {
  /** 0 to 1. */
  readonly done: number;
  /** Failures found so far. */
  readonly failureCount: number;
}

/** Server to client: a document was analysed (again); panels showing it ask anew. */
export const analysedNotification: { readonly method: string } = { method: 'swiotlbLens/analysed' };

export interface AnalysedParams extends DocumentParams {
  /** As in `TraceView`: who has this reading already has nothing to ask. */
  readonly reading: string;
  readonly failureCount: number;
  readonly requests: number;
  /** Bytes of files that all analyses have taken so far: one that grows costs its new bytes only. */
  readonly readBytes: number;
  /** 0 to 100: how much of what a trace can tell this one tells. */
  readonly completeness: number;
}

/** Server to client: a document could not be analysed, so that what the editor shows of it says nothing. */
export const analysisFailedNotification: { readonly method: string } = { method: 'swiotlbLens/analysisFailed' };

export interface AnalysisFailedParams extends DocumentParams {
  /** One sentence. */
  readonly message: string;
}

/** Server to client, while `sizeRequest` runs. */
export const sizeProgressNotification: { readonly method: string } = { method: 'swiotlbLens/sizeProgress' };

export interface SizeProgressParams extends DocumentParams {
  /** Replays done so far; how many there will be depends on what they find. */
  readonly replays: number;
}
