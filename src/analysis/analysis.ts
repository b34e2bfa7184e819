import type { Geometry, GeometryOverrides } from '../model/geometry';
import type { Problem } from '../model/problem';
import type { SourceLedger, TraceTables } from '../model/tables';

/** One input being read: a file, stdin, a member of a bundle or a document of the editor. */
export interface SourceInput {
  readonly id: number;
  /** Uncompressed bytes, split anywhere. */
  push(chunk: Uint8Array): void;
  /** False once it is sure that nothing will be recognised (binary data): the caller may stop reading. */
  wantsMore(): boolean;
  /** No more for now: like `end`, but a last line without its end waits on, and `push` may continue. */
  pause(): void;
  end(): void;
}

/** A finished (or so far read) analysis: immutable for its readers. */
export interface Analysis {
  readonly tables: TraceTables;
  readonly geometry: Geometry;
  readonly overrides: GeometryOverrides;
  readonly sourceLedgers: readonly SourceLedger[];
  readonly problems: readonly Problem[];
  /** Path of the main input as the user named it. */
  readonly file: string;
}

export interface AnalysisBuilder {
  openSource(options: { readonly path: string }): SourceInput;
  /** The analysis of everything read so far; may be called again after more input. */
  snapshot(overrides?: GeometryOverrides): Analysis;
}
