import type { StringTable } from '../base/stringTable';
import type { TraceSink } from '../model/events';
import type { Problem } from '../model/problem';
import type { SourceLedger } from '../model/tables';

export interface TraceReaderOptions {
  /** Index of the source in the source table; copied into every event, record and problem. */
  readonly source: number;
  /** As the user named it; only its base name is used, and only as a weak hint (a `.csv` or a bare debugfs value). */
  readonly path: string;
  readonly strings: StringTable;
  readonly sink: TraceSink;
}

/** Turns bytes into events. Never throws for bad input; memory does not grow with the input. */
export interface TraceReader {
  /** The next bytes, split anywhere. The array is not kept. */
  push(chunk: Uint8Array): void;
  /** No more bytes: the unfinished last line is read as a line. */
  end(): void;
  /** May be asked at any time; covers everything read so far. */
  summary(): ReaderSummary;
}

/** What the header of an ftrace file says; -1 or '' where it does not. */
export interface TraceHeader {
  readonly tracer: string;
  readonly cpusOnline: number;
  readonly entriesInBuffer: number;
  readonly entriesWritten: number;
  /** Kernel release from a latency header, a trace.dat or a perf header. */
  readonly release: string;
}

export interface ReaderSummary {
  /** Id of the dominant format, see trace/formats.ts; 'unknown' when nothing was recognised. */
  readonly format: string;
  /** Clock name when the input tells ('counter', 'uptime', 'dmesg', …), else ''. */
  readonly clock: string;
  /** 'order': time stamps only give the order of events. */
  readonly timeUnit: 'ns' | 'order';
  /** First time stamp of the source, on its own clock; null when there was none. */
  readonly origin: { readonly seconds: number; readonly nanoseconds: number } | null;
  readonly header: TraceHeader;
  readonly ledger: SourceLedger;
  readonly problems: readonly Problem[];
  /** Byte offset of every 256th line: element i is the start of line 256 i + 1. */
  readonly lineOffsets: readonly number[];
  /** Anything of a trace, a kernel log or debugfs samples was found. */
  readonly recognised: boolean;
  /** Any swiotlb or dma event, sample or log line was found. */
  readonly hasField: boolean;
  /** Plain words for what an unrecognised input is: 'gzip archive', 'JSON', 'plain text without kernel messages', 'empty', …; '' when recognised. */
  readonly looksLike: string;
}

/** A reader for one source. The format is found by content, line by line: a log and a trace in one file both work. */
export function createTraceReader(options: TraceReaderOptions): TraceReader {
  let lines = 0;
  let bytes = 0;
  return {
    push(chunk) {
      bytes += chunk.length;
      for (const byte of chunk) {
        lines += byte === 10 ? 1 : 0;
      }
    },
    end() {},
    summary() {
      return {
        format: 'unknown',
        clock: '',
        timeUnit: 'order',
        origin: null,
        header: { tracer: '', cpusOnline: -1, entriesInBuffer: -1, entriesWritten: -1, release: '' },
        ledger: {
          source: options.source,
          lines,
          understood: 0,
          counted: 0,
          notUnderstood: lines,
          countedByName: {},
          understoodByName: {},
          notUnderstoodExamples: [],
          lostEvents: 0,
          lostByCpu: {},
          overwritten: -1,
        },
        problems: [],
        lineOffsets: [0],
        recognised: false,
        hasField: false,
        looksLike: bytes === 0 ? 'empty' : '',
      };
    },
  };
}
