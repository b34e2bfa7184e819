import { method } from './channel';
import {
  bool,
  finite,
  integer,
  listOf,
  nothing,
  nullable,
  object,
  oneOf,
  text,
  ValidationError,
  type Validator,
} from './validate';

/**
 * Messages of the custom trace editor, see channel.ts. Three parties: the editor's page (webview), the extension and
 * the thread that reads the file's lines. Questions about lines go through the extension to the thread; findings,
 * cards and outcomes come from the language server, so that reading a line never waits for the analysis.
 */

const line = integer(1, 2 ** 32 - 1);

/** Sorted numbers of lines. A typed array crosses both borders as it is: millions of lines are no JSON. */
const lineNumbers: Validator<Uint32Array> = (value, at = '') => {
  if (!(value instanceof Uint32Array)) {
    throw new ValidationError(`${at === '' ? 'the message' : at} must be a Uint32Array`);
  }
  return value;
};

/** Kinds of tokens by their number in `ShownLine.tokens`; the names are those of analysis/lineTokens.ts. */
export const tokenKinds = [
  'time',
  'cpu',
  'task',
  'flags',
  'event',
  'function',
  'device',
  'field',
  'address',
  'size',
  'keyword',
  'number',
  'failure',
  'comment',
] as const;

/** `boot`: seconds since boot. `wall`: seconds since 1970, UTC as far as the line tells. `count`: no time, only order. */
export const stampClocks = ['boot', 'wall', 'count'] as const;

/** The time stamp of a line as it is printed. */
export interface Stamp {
  readonly clock: (typeof stampClocks)[number];
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
}

/** A line as the editor draws it. */
export interface ShownLine {
  readonly line: number;
  readonly text: string;
  /** Characters that are not in `text`, because the line is very long. */
  readonly cut: number;
  /** Triples: first column, length, index into `tokenKinds`. */
  readonly tokens: readonly number[];
  readonly stamp: Stamp | null;
}

/** How far the file has been read. */
export interface FileState {
  /** Lines known so far. */
  readonly lineCount: number;
  /** The end of the file was reached; it may still grow. */
  readonly isComplete: boolean;
  /** 0 to 1, of the file on disk. */
  readonly done: number;
  /** Grows when what is shown is not a continuation of what was: the file was cut or replaced. */
  readonly generation: number;
  /** Why reading ended early, else null. */
  readonly failure: string | null;
  /** Files inside an archive; empty for other files. */
  readonly members: readonly string[];
  /** The member that is shown; '' for other files. */
  readonly member: string;
  /** Packed or binary: VS Code has no text editor for it. */
  readonly isPacked: boolean;
}

/** Before anything was read. */
export const unreadFile: FileState = {
  lineCount: 0,
  isComplete: false,
  done: 0,
  generation: 0,
  failure: null,
  members: [],
  member: '',
  isPacked: false,
};

export const fileState: Validator<FileState> = object({
  lineCount: integer(0, 2 ** 32 - 1),
  isComplete: bool,
  done: finite(0, 1),
  generation: integer(0, 2 ** 31),
  failure: nullable(text(10_000)),
  members: listOf(text(4096)),
  member: text(4096),
  isPacked: bool,
});

/** Which lines are looked for; all conditions together. */
export interface LineQuery {
  readonly text: string;
  readonly isRegex: boolean;
  readonly matchCase: boolean;
  readonly device: string | null;
  readonly event: string | null;
  readonly outcome: OutcomeChoice | null;
}

/** Lines by what became of the request on them. `held`: never unmapped. */
export const outcomeChoices = ['failed', 'served', 'held', 'finding'] as const;
export type OutcomeChoice = (typeof outcomeChoices)[number];

const lineQuery: Validator<LineQuery> = object({
  text: text(10_000),
  isRegex: bool,
  matchCase: bool,
  device: nullable(text()),
  event: nullable(text()),
  outcome: nullable(oneOf(...outcomeChoices)),
});

/** Two questions may run at a time. */
export const querySlots = ['find', 'filter'] as const;
export type QuerySlot = (typeof querySlots)[number];

/** A step of an answer: the lines found since the step before. */
export interface Found {
  readonly slot: QuerySlot;
  /** As given to `query`; steps of older questions are late and mean nothing. */
  readonly id: number;
  readonly lines: Uint32Array;
  /** Every line up to here was looked at. */
  readonly scannedTo: number;
  readonly isDone: boolean;
  /** There are more lines than are listed. */
  readonly isFull: boolean;
  /** The expression cannot be used; one sentence. */
  readonly error: string | null;
}

export const found: Validator<Found> = object({
  slot: oneOf(...querySlots),
  id: integer(0, 2 ** 31),
  lines: lineNumbers,
  scannedTo: integer(0, 2 ** 32 - 1),
  isDone: bool,
  isFull: bool,
  error: nullable(text(1000)),
});

/** A finding of the analysis on a line. Columns are zero-based. */
export interface LineFinding {
  readonly line: number;
  readonly startColumn: number;
  readonly endColumn: number;
  readonly severity: 'error' | 'warning' | 'info' | 'hint';
  readonly message: string;
  readonly code: string;
}

const finding: Validator<LineFinding> = object({
  line,
  startColumn: integer(0, 2 ** 31),
  endColumn: integer(0, 2 ** 31),
  severity: oneOf('error', 'warning', 'info', 'hint'),
  message: text(100_000),
  code: text(),
});

/** The analysis, as far as it is. */
export interface AnalysisState {
  readonly phase: 'reading' | 'done' | 'failed' | 'cancelled';
  /** 0 to 1 while reading. */
  readonly done: number;
  /** Why there is none. */
  readonly message: string;
  readonly failureCount: number;
}

const analysisState: Validator<AnalysisState> = object({
  phase: oneOf('reading', 'done', 'failed', 'cancelled'),
  done: finite(0, 1),
  message: text(100_000),
  failureCount: integer(0, 2 ** 32),
});

/** What the trace holds that a filter can ask for, and where its failures are. */
export interface TraceMarks {
  readonly failures: readonly number[];
  readonly devices: readonly string[];
  readonly events: readonly string[];
  /** Seconds since 1970 at boot, when a line of the log says so; null when none does. */
  readonly bootSeconds: number | null;
}

/** What there is to say about a place: a card of analysis/hover.ts with its links resolved. */
export interface CardView {
  readonly verdict: string;
  readonly tone: 'served' | 'failed' | 'unknown' | 'info';
  readonly badge: string | null;
  readonly lines: readonly {
    /** How it is known, e.g. 'modelled'; '' where it is recorded. */
    readonly level: string;
    readonly text: string;
    readonly links: readonly { readonly label: string; readonly uri: string; readonly line: number }[];
  }[];
  /** What can be done about it; the page asks for one by its index. */
  readonly actions: readonly {
    readonly title: string;
    readonly command: string;
    readonly arguments: readonly unknown[];
  }[];
}

export interface EditorStart {
  readonly name: string;
  readonly state: FileState;
  readonly analysis: AnalysisState;
  readonly findings: readonly LineFinding[];
  readonly marks: TraceMarks | null;
  /** Line to show first; null: wherever the page was before. */
  readonly line: number | null;
}

/** A range of lines, both ends included; or of the lines a filter found, by index from 0. */
export interface CopyRange {
  readonly from: number;
  readonly to: number;
  readonly ofFilter: boolean;
}

/** What the editor's page may ask of the extension. */
export const editorHostMethods = {
  ready: method<null, EditorStart>(nothing),
  lines: method<{ readonly lines: readonly number[] }, readonly ShownLine[]>(object({ lines: listOf(line, 2000) })),
  /** Starts looking for lines, or ends it. The answer comes in steps. */
  query: method<{ readonly slot: QuerySlot; readonly id: number; readonly query: LineQuery | null }, null>(
    object({ slot: oneOf(...querySlots), id: integer(0, 2 ** 31), query: nullable(lineQuery) }),
  ),
  card: method<{ readonly line: number; readonly column: number }, CardView | null>(
    object({ line, column: integer(0, 2 ** 31) }),
  ),
  /** Runs an action of the card that was asked for last. */
  act: method<{ readonly index: number }, null>(object({ index: integer(0, 100) })),
  show: method<{ readonly uri: string; readonly line: number }, null>(object({ uri: text(8192), line })),
  /** Puts the text of lines on the clipboard; says how many there was room for. */
  copy: method<CopyRange, { readonly lines: number }>(
    object({ from: integer(0, 2 ** 32), to: integer(0, 2 ** 32), ofFilter: bool }),
  ),
  cursor: method<{ readonly line: number }, null>(object({ line })),
  member: method<{ readonly name: string }, null>(object({ name: text(4096) })),
  analysis: method<{ readonly action: 'cancel' | 'start' }, null>(object({ action: oneOf('cancel', 'start') })),
  openAsText: method<null, null>(nothing),
};
export type EditorHostMethods = typeof editorHostMethods;

/** What the extension may ask of the editor's page. */
export const editorMethods = {
  state: method<FileState, null>(fileState),
  found: method<Found, null>(found),
  findings: method<{ readonly findings: readonly LineFinding[] }, null>(object({ findings: listOf(finding) })),
  analysis: method<AnalysisState, null>(analysisState),
  marks: method<TraceMarks, null>(
    object({
      failures: listOf(line, 1_000_000),
      devices: listOf(text()),
      events: listOf(text()),
      bootSeconds: nullable(finite()),
    }),
  ),
  goTo: method<{ readonly line: number }, null>(object({ line })),
};
export type EditorMethods = typeof editorMethods;

/** What the extension asks of the thread that reads lines. */
export const lineReaderMethods = {
  lines: method<{ readonly lines: readonly number[] }, readonly ShownLine[]>(object({ lines: listOf(line, 2000) })),
  query: method<
    {
      readonly slot: QuerySlot;
      readonly id: number;
      readonly query: LineQuery | null;
      /** Only these lines may match; null: all. */
      readonly among: Uint32Array | null;
    },
    null
  >(
    object({
      slot: oneOf(...querySlots),
      id: integer(0, 2 ** 31),
      query: nullable(lineQuery),
      among: nullable(lineNumbers),
    }),
  ),
  text: method<CopyRange, { readonly text: string; readonly lines: number }>(
    object({ from: integer(0, 2 ** 32), to: integer(0, 2 ** 32), ofFilter: bool }),
  ),
  member: method<{ readonly name: string }, null>(object({ name: text(4096) })),
  /** Removes what the thread wrote to disk; the thread may then be terminated. */
  close: method<null, null>(nothing),
};
export type LineReaderMethods = typeof lineReaderMethods;

/** What the thread tells the extension. */
export const lineReaderEvents = {
  state: method<FileState, null>(fileState),
  found: method<Found, null>(found),
};
export type LineReaderEvents = typeof lineReaderEvents;
