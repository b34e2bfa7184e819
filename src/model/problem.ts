import type { LineNumber } from './units';

export type ProblemSeverity = 'info' | 'dataLoss' | 'error';

/** Something about the input the user should know. Never thrown; capped per code and then counted. */
export interface Problem {
  readonly code: ProblemCode;
  readonly severity: ProblemSeverity;
  /** Neutral sentence naming what was found and what was expected; adapters add the file name. */
  readonly message: string;
  readonly source: number;
  readonly line: LineNumber;
  /** How many times this code occurred in the source, this one and those not listed. */
  readonly count: number;
}

/** Every code, its severity and a sentence of help. */
export const problemCatalogue = {
  'empty-input': { severity: 'error', help: 'The file has no bytes. Record a trace, or save the log again.' },
  'not-a-trace': { severity: 'error', help: 'Nothing here is an ftrace, kernel log or debugfs line.' },
  'binary-input': { severity: 'error', help: 'The bytes are not text and no known binary trace format.' },
  'line-too-long': { severity: 'dataLoss', help: 'A line longer than the limit was skipped.' },
  'bad-line': { severity: 'dataLoss', help: 'A line looked like an event but could not be understood.' },
  'torn-line': { severity: 'dataLoss', help: 'The line is cut off or two lines are glued together.' },
  'lost-events': { severity: 'dataLoss', help: 'The kernel dropped events; enlarge buffer_size_kb.' },
  'overwritten-start': { severity: 'dataLoss', help: 'The ring buffer overwrote its oldest events.' },
  'address-too-large': { severity: 'dataLoss', help: 'An address above 2^53 cannot be represented exactly.' },
  'size-too-large': { severity: 'dataLoss', help: 'A size above 4 GiB was clamped.' },
  'clock-backwards': { severity: 'info', help: 'Time stamps go back by more than CPU skew explains.' },
  'clock-order-only': { severity: 'info', help: 'This clock gives the order of events, not their time.' },
  'decompress-failed': { severity: 'error', help: 'The compressed data is damaged; what came before was analysed.' },
  'instance-left-out': { severity: 'info', help: 'A trace instance repeats events, or has another clock.' },
  'truncated-list': { severity: 'dataLoss', help: 'The kernel cut a scatterlist event at 128 entries.' },
  'unpaired-unmap': { severity: 'info', help: 'An unmap whose map is not in the trace.' },
  'csv-columns-inferred': {
    severity: 'info',
    help: 'A table of samples without a header; its columns were told by their numbers.',
  },
  'csv-no-header': { severity: 'error', help: 'A table of numbers without a header, whose columns cannot be told.' },
  'csv-bad-row': { severity: 'dataLoss', help: 'A row of the samples could not be understood.' },
} as const satisfies Record<string, { severity: ProblemSeverity; help: string }>;

export type ProblemCode = keyof typeof problemCatalogue;
