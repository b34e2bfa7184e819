import { StringTable } from '../../src/base/stringTable';
import {
  EventKind,
  type FreePagesRecord,
  type SampleRecord,
  type TraceEvent,
  type TraceSink,
} from '../../src/model/events';
import type { LogRecord } from '../../src/model/log';
import { createTraceReader, type ReaderSummary } from '../../src/trace/reader';

/** An event with names instead of numbers and without what is absent. */
export type PlainEvent = Record<string, unknown> & { kind: string; line: number };

export interface Collected {
  readonly events: PlainEvent[];
  readonly logs: LogRecord[];
  readonly samples: SampleRecord[];
  readonly freePages: FreePagesRecord[];
  readonly lost: { cpu: number; count: number; line: number }[];
  readonly summary: ReaderSummary;
}

const kindNames = new Map(Object.entries(EventKind).map(([name, code]) => [code as number, name]));

/** Reads text or bytes in one piece, or cut at the given offsets, and returns plain copies of everything delivered. */
export function collect(
  input: string | Uint8Array,
  options: { path?: string; cuts?: readonly number[] } = {},
): Collected {
  const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input;
  const strings = new StringTable();
  const collected: Omit<Collected, 'summary'> = { events: [], logs: [], samples: [], freePages: [], lost: [] };
  const sink: TraceSink = {
    event: (event) => collected.events.push(plainEvent(event, strings)),
    log: (record) => collected.logs.push(record),
    sample: (record) => collected.samples.push(record),
    freePages: (record) => collected.freePages.push(record),
    lost: ({ cpu, count, line }) => collected.lost.push({ cpu, count, line }),
  };
  const reader = createTraceReader({ source: 0, path: options.path ?? 'trace.txt', strings, sink });
  let last = 0;
  for (const cut of [...(options.cuts ?? []), bytes.length]) {
    // A copy: the reader must not keep a view of the caller's buffer.
    const chunk = Uint8Array.from(bytes.subarray(last, cut));
    reader.push(chunk);
    chunk.fill(0x58);
    last = cut;
  }
  reader.end();
  const summary = reader.summary();
  const { lines, understood, counted, notUnderstood } = summary.ledger;
  if (lines !== understood + counted + notUnderstood) {
    throw new Error(`the ledger does not add up: ${JSON.stringify(summary.ledger)}`);
  }
  return { ...collected, summary };
}

/** Lines as an editor counts them, but none behind the last line end. */
export function lineCountOf(bytes: Uint8Array): number {
  const lines = Buffer.from(bytes)
    .toString('latin1')
    .split(/\r\n|\r|\n/);
  return lines[lines.length - 1] === '' ? lines.length - 1 : lines.length;
}

const stringFields = new Set(['comm', 'device', 'symbol']);
const absent: Record<string, unknown> = {
  comm: 0,
  device: 0,
  symbol: 0,
  context: 0,
  direction: 0,
  attributes: 0,
  error: 0,
  failed: false,
  forced: false,
  toDevice: false,
  sgTruncated: false,
  sgCount: 0,
  text: '',
};

function plainEvent(event: TraceEvent, strings: StringTable): PlainEvent {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(event)) {
    if (key === 'source' || value === -1 || Number.isNaN(value) || absent[key] === value) {
      continue;
    }
    if (Array.isArray(value)) {
      if (value.length > 0) {
        plain[key] = [...value];
      }
    } else if (stringFields.has(key)) {
      plain[key] = strings.get(value as number);
    } else {
      plain[key] = value;
    }
  }
  plain['kind'] = kindNames.get(event.kind);
  return plain as PlainEvent;
}

/** Event kinds and how often, in the order of first appearance. */
export function countKinds(events: readonly PlainEvent[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of events) {
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}
