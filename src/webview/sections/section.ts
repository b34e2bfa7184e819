import type { ParamsOf, ResultOf } from '../../protocol/channel';
import type { HostMethods, SlotMapMemory } from '../../protocol/panel';
import type { LineRef, TraceView } from '../../protocol/views';
import type { Range } from '../charts/scale';
import type { ChartTheme } from '../charts/theme';
import type { ShownRun } from '../charts/timeline';
import type { TimeFormat } from '../format';

/**
 * A block of the panel that looks after itself: a drawing with its own questions to the extension.
 *
 * To add one: implement `PanelSection`, and add its factory to `panelSections` in `sections/index.ts`.
 * The panel makes a new one for every reading of the trace and puts an empty `<section id>` with its heading at the end
 * of the charts; `mount` fills `host.body`.
 * Calls come in this order: `mount` once, then `update` whenever the runs, the run in front, the range or the time
 * format changed, `onCursor` and `onTheme` as they happen, `destroy` once.
 * `update`, `onCursor` and `onTheme` are held back until the section is near the visible part of the page (or
 * `host.activate` was called), so that what nobody looks at costs nothing; the first `update` brings the current state.
 * Errors that `update` throws, and promises it returns that are rejected, are shown in the section, not on the page.
 */
export interface PanelSection {
  /** Of the `<section>` element; commands scroll to it. */
  readonly id: string;
  readonly title: string;
  mount(host: SectionHost): void;
  update(state: SectionState): void | Promise<void>;
  /** The time under the pointer or keyboard cursor, in any chart, else the editor's cursor; null when there is none. */
  onCursor(timeNs: number | null, source: 'charts' | 'editor'): void;
  onTheme(theme: ChartTheme): void;
  /** A command wants the moment of a line of the document; sections without moments leave it out. */
  showLine?(line: number): void;
  /** The editor's cursor moved to a line of the document; more exact than the time of `onCursor`. */
  editorAt?(line: number): void;
  destroy(): void;
}

/** What a section sees of the panel; a new object for every `update`. */
export interface SectionState {
  readonly trace: TraceView;
  /** The recorded run first, then the shown policies; only those that could be replayed. */
  readonly runs: readonly ShownRun[];
  /** One of `runs`; null when there is none. */
  readonly front: ShownRun | null;
  /** The visible part of the time axis that all charts share. */
  readonly range: Range;
  /** From the first step of any run to the last. */
  readonly whole: Range;
  readonly time: TimeFormat;
  readonly cursorNs: number | null;
}

/** What a section may do. */
export interface SectionHost {
  /** Empty at `mount`; the section's heading stands above it. */
  readonly body: HTMLElement;
  /** Asks the extension; rejects with a sentence to show. Add methods to `hostMethods` in `src/protocol/panel.ts`. */
  ask<K extends keyof HostMethods & string>(
    name: K,
    params: ParamsOf<HostMethods[K]>,
  ): Promise<ResultOf<HostMethods[K]>>;
  /** Goes to a line of the trace. */
  reveal(place: LineRef): void;
  /** Moves the cursor that all charts share; `onCursor` of this section is called, too. */
  setCursor(timeNs: number | null): void;
  /** Shows another part of the time axis, in all charts. */
  setRange(range: Range): void;
  theme(): ChartTheme;
  /** What the slot map showed before the trace was read anew or the window reloaded; null: nothing. */
  slotMap(): SlotMapMemory | null;
  keepSlotMap(shown: SlotMapMemory): void;
  /** Offers something in the Export menu; offered again under the same id it replaces the earlier one. */
  exportable(what: Exportable): void;
  /** Calls `update` now even though the section is not in view. */
  activate(): void;
}

/** Something the Export menu offers: each function that is there is one format. */
export interface Exportable {
  /** Becomes part of the file's name: `size-curve`. */
  readonly id: string;
  readonly title: string;
  /** False while there is nothing of it to export; absent: there always is. */
  readonly isShown?: () => boolean;
  /** A drawing at twice its size on the screen, on an opaque background. */
  readonly png?: () => HTMLCanvasElement | Promise<HTMLCanvasElement>;
  /** A whole SVG document, without scripts and references. */
  readonly svg?: () => string | Promise<string>;
  /** Written as CSV or JSON. */
  readonly table?: () => ExportTable | Promise<ExportTable>;
}

/** Rows under named columns, units in the names; null where a value is unknown. */
export interface ExportTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | boolean | null)[])[];
}
