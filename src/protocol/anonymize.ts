import type { RequestName } from './lsp';
import type { Result } from './result';

export interface AnonymizeParams {
  /** Files of one capture, all `file:`; empty when `text` is given. */
  readonly uris: readonly string[];
  /** Where the copy goes: a file for one file, a folder for several. '' with `text`. */
  readonly target: string;
  /** The text of a document that is no clean file. */
  readonly text: string | null;
}

export interface AnonymizedView {
  /** What was written, in the order of the input. */
  readonly uris: readonly string[];
  /** The rewritten text, when a text was given. */
  readonly text: string | null;
  /** What was replaced and what was not. */
  readonly sentences: readonly string[];
}

/** Needs no analysis. Can be cancelled; nothing is left behind then. */
export const anonymizeRequest: RequestName<AnonymizeParams, Result<AnonymizedView>> = {
  method: 'swiotlbLens/anonymize',
};
