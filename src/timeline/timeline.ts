import type { StringTable } from '../base/stringTable';
import type { TraceSink } from '../model/events';
import type { Source, TraceTables } from '../model/tables';

/** What is known about a source once its reader has ended (or so far). */
export type SourceMeta = Pick<Source, 'format' | 'clock' | 'timeUnit' | 'origin'>;

/**
 * Turns events into requests (design.md "From events to requests").
 * Sources may be fed one after the other or interleaved; events of one source come in file order.
 */
export interface Timeline extends TraceSink {
  /** Adds a row to the source table and returns its index: the `source` of every event, record and sample. */
  openSource(path: string): number;
  /** Tells what the reader learnt. May be called again while a file grows; `snapshot` works before it, too. */
  closeSource(id: number, meta: SourceMeta): void;
  /**
   * The tables as of now. Attempts and failed lists still waiting for evidence are settled as "cut off" in the
   * snapshot's counts only: later input may still complete them. Rows are append-only; `requests.version` grows when
   * an older row was patched.
   */
  snapshot(): TraceTables;
}

export function createTimeline(_strings: StringTable): Timeline {
  throw new Error('the timeline is being written');
}
