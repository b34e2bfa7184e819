import { method } from './channel';
import { finite, integer, listOf, nothing, nullable, object, oneOf, settings, text } from './validate';
import type { CursorView, RunView, SeriesView, TraceView, VerifyView } from './views';

/** Messages between the replay panel (webview) and the extension, both directions; see channel.ts. */

const runKey = object({ policy: text(64), set: settings });
const timeNs = finite(-1e18, 1e18);

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
  /** Shows a line in its editor. */
  reveal: method<{ readonly file: string; readonly line: number }, null>(
    object({ file: text(4096), line: integer(1, 2 ** 31) }),
  ),
  copy: method<{ readonly text: string }, null>(object({ text: text(200_000) })),
  /** Runs another of the extension's commands on the same trace. */
  command: method<{ readonly command: PanelCommand }, null>(object({ command: oneOf('addPolicy', 'openSample') })),
};
export type HostMethods = typeof hostMethods;

/** What the extension may ask of the panel. */
export const panelMethods = {
  /** A replay command ran while the panel was open: these runs too, the last one in front. */
  show: method<{ readonly runs: readonly { readonly policy: string; readonly set: Settings }[] }, null>(
    object({ runs: listOf(runKey, 20) }),
  ),
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

export type PanelCommand = 'addPolicy' | 'openSample';

/** What a panel keeps across a reload of the window (`setState` of the webview API). */
export const panelMemory = object({ uri: text(8192), runs: listOf(runKey, 20) });

export interface PanelStart {
  /** The document's uri; the panel remembers it across a reload of the window. */
  readonly uri: string;
  /** Runs beside the recorded one, the one in front last. */
  readonly runs: readonly { readonly policy: string; readonly set: Settings }[];
  /** 'verify' also asks for the fidelity at once. */
  readonly focus: 'replay' | 'compare' | 'verify';
}
