import { inferGeometry } from '../../src/analysis/geometry';
import { StringTable } from '../../src/base/stringTable';
import type { Geometry, GeometryOverrides } from '../../src/model/geometry';
import type { TraceTables } from '../../src/model/tables';
import { createTimeline } from '../../src/timeline/timeline';
import { createTraceReader } from '../../src/trace/reader';
import { readFixture, readFixtureText } from './fixtures';

export interface Recorded {
  readonly tables: TraceTables;
  readonly geometry: Geometry;
}

export interface RecordedOptions {
  /** Without the boot lines: everything must come from the trace itself. */
  readonly traceOnly?: boolean;
  readonly overrides?: GeometryOverrides;
  /** Changes the trace's lines before they are read. */
  readonly edit?: (lines: string[]) => string[];
}

const cache = new Map<string, Recorded>();

/** A capture of test/fixtures/verify, read and with its geometry. Unedited ones are read once. */
export function recorded(name: string, options: RecordedOptions = {}): Recorded {
  const plain = options.edit === undefined && options.overrides === undefined;
  const key = `${name} ${options.traceOnly === true}`;
  const known = plain ? cache.get(key) : undefined;
  if (known !== undefined) {
    return known;
  }
  const sources: [string, Uint8Array][] = [[`${name}.trace.txt`, readFixture(`verify/${name}.trace.txt`)]];
  if (options.edit !== undefined) {
    const lines = new TextDecoder('latin1').decode(sources[0][1]).split('\n');
    sources[0][1] = new TextEncoder().encode(options.edit(lines).join('\n'));
  }
  if (options.traceOnly !== true) {
    sources.push([`${name}.dmesg.txt`, readFixture(`verify/${name}.dmesg.txt`)]);
  }
  const tables = tablesOfSources(sources);
  const result = { tables, geometry: inferGeometry(tables, options.overrides ?? {}) };
  if (plain) {
    cache.set(key, result);
  }
  return result;
}

/** The tables of texts that are read as one bundle. */
export function tablesOfSources(sources: readonly (readonly [string, Uint8Array])[]): TraceTables {
  const strings = new StringTable();
  const timeline = createTimeline(strings);
  for (const [path, bytes] of sources) {
    const source = timeline.openSource(path);
    const reader = createTraceReader({ source, path, strings, sink: timeline });
    reader.push(bytes);
    reader.end();
    const { format, clock, timeUnit, origin, header } = reader.summary();
    const { cpusOnline, release } = header;
    timeline.closeSource(source, { format, clock, timeUnit, origin, cpusOnline, release });
  }
  return timeline.snapshot();
}

/** area.index of every area as the driver read it after the run, by start of the pool. */
export function truthIndices(name: string): Map<number, number[]> {
  const found = new Map<number, number[]>();
  let current: number[] = [];
  for (const line of readFixtureText(`verify/${name}.pools.txt`).split('\n')) {
    const pool = /^pool \d+ start=0x([0-9a-f]+)/.exec(line);
    if (pool !== null) {
      current = [];
      found.set(Number.parseInt(pool[1], 16), current);
    }
    const area = /^ area \d+ used=\d+ index=(\d+)/.exec(line);
    if (area !== null) {
      current.push(Number(area[1]));
    }
  }
  return found;
}
