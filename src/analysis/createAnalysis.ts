import { StringTable } from '../base/stringTable';
import type { GeometryOverrides } from '../model/geometry';
import { type Problem, problemCatalogue } from '../model/problem';
import { Pairing } from '../model/tables';
import { createTimeline, type SourceMeta } from '../timeline/timeline';
import { ProbeArguments } from '../trace/probeArguments';
import { createTraceReader, type ReaderSummary, type TraceReader } from '../trace/reader';
import type { Analysis, AnalysisBuilder } from './analysis';
import { inferGeometry } from './geometry';

/** Starts an analysis: open the sources (in any order, also interleaved), push their bytes, ask for snapshots. */
export function createAnalysis(): AnalysisBuilder {
  const strings = new StringTable();
  const timeline = createTimeline(strings);
  const probes = new ProbeArguments();
  const deviceNames = new Map<string, string>();
  const readers: TraceReader[] = [];
  const paths: string[] = [];

  return {
    openSource({ path }) {
      const id = timeline.openSource(path);
      const reader = createTraceReader({ source: id, path, strings, sink: timeline, probes, deviceNames });
      readers.push(reader);
      paths.push(path);
      return {
        id,
        push: (chunk) => reader.push(chunk),
        wantsMore: () => reader.wantsMore(),
        pause: () => {
          reader.pause();
          timeline.closeSource(id, toMeta(reader.summary()));
        },
        end: () => {
          reader.end();
          timeline.closeSource(id, toMeta(reader.summary()));
        },
      };
    },

    snapshot(overrides: GeometryOverrides = {}): Analysis {
      const summaries = readers.map((reader) => reader.summary());
      for (const [id, summary] of summaries.entries()) {
        timeline.closeSource(id, toMeta(summary));
      }
      const tables = timeline.snapshot();
      return {
        tables,
        geometry: inferGeometry(tables, overrides),
        overrides,
        sourceLedgers: summaries.map((summary) => summary.ledger),
        problems: [...readerProblems(summaries), ...unpairedProblems(tables)],
        file: paths[mainSource(summaries, tables)] ?? '',
      };
    },
  };
}

/** Of a capture's many files an empty or a strange one is nothing to worry about, as long as another one is understood. */
function readerProblems(summaries: readonly ReaderSummary[]): Problem[] {
  const isUnderstood = summaries.some((summary) => summary.recognised);
  return summaries.flatMap(({ problems }) =>
    problems.map((problem) =>
      isUnderstood && unreadable.has(problem.code) ? { ...problem, severity: 'info' as const } : problem,
    ),
  );
}

const unreadable: ReadonlySet<string> = new Set(['empty-input', 'not-a-trace', 'csv-no-header', 'binary-input']);

function toMeta(summary: ReaderSummary): SourceMeta {
  const { cpusOnline, release } = summary.header;
  return {
    format: summary.format,
    clock: summary.clock,
    timeUnit: summary.timeUnit,
    origin: summary.origin,
    ...(cpusOnline > 0 ? { cpusOnline } : {}),
    ...(release !== '' ? { release } : {}),
    ...(summary.areColumnsInferred ? { areColumnsInferred: true } : {}),
  };
}

/** The input that the answer is about: the one with requests, else the first with anything of the field, else the first. */
function mainSource(summaries: readonly ReaderSummary[], tables: Analysis['tables']): number {
  const requests = new Array<number>(summaries.length).fill(0);
  const { source } = tables.requests.columns;
  for (let row = 0; row < tables.requests.length; row++) {
    requests[source[row]]++;
  }
  const most = Math.max(0, ...requests);
  if (most > 0) {
    return requests.indexOf(most);
  }
  const withField = summaries.findIndex((summary) => summary.hasField);
  return Math.max(0, withField);
}

/** Unmaps whose map is not in the trace, once per source. */
function unpairedProblems(tables: Analysis['tables']): Problem[] {
  const { source, pairing, unmapLine } = tables.requests.columns;
  const found = new Map<number, { line: number; count: number }>();
  for (let row = 0; row < tables.requests.length; row++) {
    if (pairing[row] === Pairing.unseenMap) {
      const known = found.get(source[row]);
      if (known === undefined) {
        found.set(source[row], { line: unmapLine[row], count: 1 });
      } else {
        known.count++;
      }
    }
  }
  return [...found].map(([id, { line, count }]) => ({
    code: 'unpaired-unmap',
    severity: problemCatalogue['unpaired-unmap'].severity,
    message: `${count} unmaps end mappings that were made before the trace, or whose map was lost.`,
    source: id,
    line,
    count,
  }));
}
