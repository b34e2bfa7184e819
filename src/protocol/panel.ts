import type { UncertaintyReport } from '../model/reports';
import { method } from './channel';
import type { DevicesView, SharesView } from './devices';
import { type SlotDetailView, type SlotsView, slotColourings } from './slots';
import {
  bool,
  finite,
  integer,
  listOf,
  nothing,
  nullable,
  object,
  oneOf,
  settings,
  text,
  type Validated,
} from './validate';
import type { CursorView, RunView, SeriesView, SizeView, TraceView, VerifyView } from './views';

/** Messages between the replay panel (webview) and the extension, both directions; see channel.ts. */

const runKey = object({ policy: text(64), set: settings });
const timeNs = finite(-1e18, 1e18);
const slotStep = integer(0, 2 ** 31);
const uri = text(8192);
/** Longest notes of a user. */
export const maxNotes = 20_000;

const memoryFields = {
  /** Runs beside the recorded one. */
  runs: listOf(runKey, 20),
  /** `runId` of the run in front; null: the last one. */
  front: nullable(text(4096)),
  /** The visible part of the time axis; null: all of it. */
  range: nullable(object({ fromNs: timeNs, toNs: timeNs })),
  timeMode: nullable(oneOf('clock', 'relative', 'sinceBoot')),
  /** Settings that all runs share. */
  assumptions: nullable(settings),
  notes: nullable(text(maxNotes)),
  /** Null: the slot map was not looked at. */
  slotMap: nullable(
    object({
      colouring: oneOf(...slotColourings),
      /** Moment on the time axis. */
      atNs: nullable(timeNs),
      /** `runId` of the two sides, null: that side is closed; null for both: nobody chose. */
      runs: nullable(object({ first: nullable(text(4096)), second: nullable(text(4096)) })),
    }),
  ),
};

/** What a panel shows: kept across a reload of the window, and saved beside the trace when the user wants it. */
export const panelMemory = object(memoryFields);
export type PanelMemory = Validated<typeof panelMemory>;
export type SlotMapMemory = NonNullable<PanelMemory['slotMap']>;

/** `setState` of the webview API. */
export const panelState = object({ uri, ...memoryFields });

/** The file beside a trace. */
export const savedPanel = object({ version: integer(1, 1), ...memoryFields });

/** Formats of what can be exported. */
export const exportFormats = ['png', 'svg', 'csv', 'json'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** What the panel offers to export. */
export const exportOffers = listOf(
  object({ id: text(64), title: text(200), formats: listOf(oneOf(...exportFormats), exportFormats.length) }),
  200,
);
export type ExportOffers = Validated<typeof exportOffers>;

/** The content of a file: text, or bytes as Base64. */
export const exportData = object({ encoding: oneOf('utf8', 'base64'), data: text(200_000_000) });
export type ExportData = Validated<typeof exportData>;

/** What a command wants to be seen. 'verify' also asks for the fidelity; 'size' and 'dryRun' try pool sizes at once. */
export const panelFocuses = ['replay', 'compare', 'verify', 'size', 'dryRun', 'other', 'slotMap'] as const;
export type PanelFocus = (typeof panelFocuses)[number];

/** What the panel may ask of the extension. */
export const hostMethods = {
  /** The panel's script runs; the answer says what to show. */
  ready: method<null, PanelStart>(nothing),
  trace: method<null, TraceView>(nothing),
  run: method<{ readonly run: { readonly policy: string; readonly set: Settings } }, RunView>(object({ run: runKey })),
  series: method<
    {
      readonly run: { readonly policy: string; readonly set: Settings };
      readonly fromNs: number;
      readonly toNs: number;
      readonly buckets: number;
    },
    SeriesView
  >(object({ run: runKey, fromNs: timeNs, toNs: timeNs, buckets: integer(1, 8192) })),
  verify: method<null, VerifyView>(nothing),
  devices: method<null, DevicesView>(nothing),
  shares: method<
    {
      readonly run: { readonly policy: string; readonly set: Settings };
      readonly fromNs: number;
      readonly toNs: number;
      readonly buckets: number;
    },
    SharesView
  >(object({ run: runKey, fromNs: timeNs, toNs: timeNs, buckets: integer(1, 8192) })),
  /** The slots of a run at a time. */
  slots: method<
    {
      readonly run: { readonly policy: string; readonly set: Settings };
      readonly timeNs: number;
    },
    SlotsView
  >(object({ run: runKey, timeNs })),
  slotStep: method<
    {
      readonly run: { readonly policy: string; readonly set: Settings };
      readonly step: number;
      readonly kind: 'event' | 'failure';
      readonly direction: 'next' | 'previous';
    },
    SlotsView | null
  >(
    object({
      run: runKey,
      step: slotStep,
      kind: oneOf('event', 'failure'),
      direction: oneOf('next', 'previous'),
    }),
  ),
  /** After what a line of the panel's document tells. */
  slotLine: method<
    { readonly run: { readonly policy: string; readonly set: Settings }; readonly line: number },
    SlotsView | null
  >(object({ run: runKey, line: integer(1, 2 ** 31) })),
  slotDetail: method<
    { readonly run: { readonly policy: string; readonly set: Settings }; readonly move: number },
    SlotDetailView
  >(object({ run: runKey, move: slotStep })),
  /** Shows a line in its editor. */
  reveal: method<{ readonly file: string; readonly line: number }, null>(
    object({ file: text(4096), line: integer(1, 2 ** 31) }),
  ),
  /** Shows the line nearest to a time of the time axis; false when there is none. */
  revealTime: method<{ readonly timeNs: number }, boolean>(object({ timeNs })),
  copy: method<{ readonly text: string }, null>(object({ text: text(200_000) })),
  /** Runs another of the extension's commands on the same trace. */
  command: method<{ readonly command: PanelCommand }, null>(
    object({ command: oneOf('addPolicy', 'openSample', 'compareWith', 'export') }),
  ),
  /** How much a run hangs on what it assumes; takes more replays. */
  uncertainty: method<{ readonly run: { readonly policy: string; readonly set: Settings } }, UncertaintyReport>(
    object({ run: runKey }),
  ),
  /** Keeps what the panel shows for a reload of the window. */
  remember: method<PanelMemory, null>(panelMemory),
  /** Writes it beside the trace; the answer names the file. */
  save: method<PanelMemory, { readonly file: string }>(panelMemory),
  /** Tries pool sizes; takes a while and can be cancelled by `cancelSize`. */
  size: method<SizeQuestion, SizeView>(
    object({ bounceAll: bool, cpus: nullable(integer(1, 8192)), headroom: finite(0, 10), set: settings }),
  ),
  cancelSize: method<null, null>(nothing),
  /** Ends the replays and the verification under way: each is answered with `cancelled`. */
  cancelWork: method<null, null>(nothing),
  /** The same policy on another trace, one the user picked. */
  other: method<
    { readonly uri: string; readonly run: { readonly policy: string; readonly set: Settings } },
    { readonly trace: TraceView; readonly run: RunView | null }
  >(object({ uri, run: runKey })),
  /** A window of the other trace's run. */
  otherSeries: method<
    {
      readonly uri: string;
      readonly run: { readonly policy: string; readonly set: Settings };
      readonly fromNs: number;
      readonly toNs: number;
      readonly buckets: number;
    },
    SeriesView
  >(object({ uri, run: runKey, fromNs: timeNs, toNs: timeNs, buckets: integer(1, 8192) })),
  /** Another run is in front now. */
  front: method<{ readonly run: { readonly policy: string; readonly set: Settings }; readonly label: string }, null>(
    object({ run: runKey, label: text(200) }),
  ),
};
export type HostMethods = typeof hostMethods;

/** What the extension may ask of the panel. */
export const panelMethods = {
  /** A replay command ran while the panel was open: these runs too, the last one in front. */
  show: method<
    {
      readonly runs: readonly { readonly policy: string; readonly set: Settings }[];
      readonly focus: PanelFocus;
      readonly other: string | null;
      readonly line: number | null;
    },
    null
  >(
    object({
      runs: listOf(runKey, 20),
      focus: oneOf(...panelFocuses),
      other: nullable(text(8192)),
      line: nullable(integer(1, 2 ** 31)),
    }),
  ),
  /** What can be exported now. */
  exportOffers: method<null, ExportOffers>(nothing),
  exportOne: method<{ readonly id: string; readonly format: ExportFormat }, ExportData>(
    object({ id: text(64), format: oneOf(...exportFormats) }),
  ),
  sizeProgress: method<{ readonly replays: number }, null>(object({ replays: integer(0, 1e6) })),
  /** The trace was analysed again. */
  reload: method<null, null>(nothing),
  /** The editor's cursor moved to a line of the trace; null when it left it. */
  cursor: method<{ readonly line: number | null; readonly at: CursorView | null }, null>(
    object({
      line: nullable(integer(1, 2 ** 31)),
      at: nullable(object({ timeNs, usedSlots: finite(), capacitySlots: finite() })),
    }),
  ),
};
export type PanelMethods = typeof panelMethods;

type Settings = Readonly<Record<string, number | string | boolean>>;

export interface SizeQuestion {
  readonly bounceAll: boolean;
  /** Of the machine that will run the load; null: as recorded. */
  readonly cpus: number | null;
  readonly headroom: number;
  /** Assumptions of the panel. */
  readonly set: Settings;
}

export type PanelCommand = 'addPolicy' | 'openSample' | 'compareWith' | 'export';

export interface PanelStart {
  /** The document's uri; the panel remembers it across a reload of the window. */
  readonly uri: string;
  /** Runs beside the recorded one, the one in front last. */
  readonly runs: readonly { readonly policy: string; readonly set: Settings }[];
  readonly focus: PanelFocus;
  /** Uri of a trace to compare with. */
  readonly other: string | null;
  /** Line of the document that `slotMap` is about. */
  readonly line: number | null;
  /** How the panel looked before, from a reload or from the file beside the trace. */
  readonly memory: PanelMemory | null;
  /** Why a file beside the trace was not read; null when there is nothing to say. */
  readonly memoryProblem: string | null;
}
