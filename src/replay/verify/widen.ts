import { lowerBound } from '../../base/bisect';
import { type TraceTables, unmapCpuOf } from '../../model/tables';
import type { Nanoseconds } from '../../model/units';
import { OpKind, type OpTable } from './operations';

/** CPU clocks of real machines may disagree: widths to try, narrowest first (linearizability.md 16). */
export const WIDTHS_NS: readonly Nanoseconds[] = [5000, 20000];

/**
 * Moves both ends of every interval outwards, as far as the order on each CPU and of a map before its own release
 * allows. Blunts the check, so it is for traces that the recorded intervals do not explain.
 */
export function widenIntervals(tables: TraceTables, table: OpTable, widthNs: Nanoseconds): void {
  const clock = lineClock(tables);
  if (clock.lines.length === 0) {
    return;
  }
  const { begin, end, releaseBegin, releaseEnd, kind, row } = table.columns;
  const { cpu, unmapWhere } = tables.requests.columns;
  const spans: Span[] = [];
  for (let op = 0; op < table.length; op++) {
    if (kind[op] !== OpKind.older) {
      spans.push({ op, isMap: true, cpu: cpu[row[op]], begin: begin[op], end: end[op] });
    }
    if (Number.isFinite(releaseEnd[op])) {
      spans.push({
        op,
        isMap: false,
        cpu: unmapCpuOf(unmapWhere[row[op]]),
        begin: releaseBegin[op],
        end: releaseEnd[op],
      });
    }
  }
  spans.sort((a, b) => a.begin - b.begin);
  const earliest = new Float64Array(spans.length).fill(Number.NEGATIVE_INFINITY);
  const latest = new Float64Array(spans.length).fill(Number.POSITIVE_INFINITY);
  const lastOnCpu = new Map<number, number>();
  const mapOf = new Map<number, number>();
  const keepOrder = (before: number | undefined, after: number): void => {
    if (before !== undefined && spans[before].end <= spans[after].begin) {
      const between = (spans[before].end + spans[after].begin) / 2;
      latest[before] = Math.min(latest[before], between);
      earliest[after] = Math.max(earliest[after], between);
    }
  };
  for (const [at, span] of spans.entries()) {
    if (span.cpu >= 0) {
      keepOrder(lastOnCpu.get(span.cpu), at);
      lastOnCpu.set(span.cpu, at);
    }
    if (span.isMap) {
      mapOf.set(span.op, at);
    } else {
      keepOrder(mapOf.get(span.op), at);
    }
  }
  for (const [at, span] of spans.entries()) {
    const from = Math.min(span.begin, Math.max(earliest[at], clock.moved(span.begin, -widthNs)));
    const to = Math.max(span.end, Math.min(latest[at], clock.moved(span.end, widthNs)));
    if (span.isMap) {
      begin[span.op] = from;
      end[span.op] = to;
    } else {
      releaseBegin[span.op] = from;
      releaseEnd[span.op] = to;
    }
  }
}

interface Span {
  readonly op: number;
  readonly isMap: boolean;
  readonly cpu: number;
  readonly begin: number;
  readonly end: number;
}

/** Lines against times, from the requests. */
function lineClock(tables: TraceTables): {
  readonly lines: Float64Array;
  moved(line: number, byNs: Nanoseconds): number;
} {
  const { enterLine, mapLine, enterNs, mapDurationNs } = tables.requests.columns;
  const times = new Map<number, number>();
  for (let row = 0; row < tables.requests.length; row++) {
    if (!Number.isNaN(enterNs[row]) && enterLine[row] > 0) {
      times.set(enterLine[row], enterNs[row]);
      if (!Number.isNaN(mapDurationNs[row])) {
        times.set(mapLine[row], enterNs[row] + mapDurationNs[row]);
      }
    }
  }
  const lines = Float64Array.from(times.keys()).sort();
  const timeNs = Float64Array.from(lines, (line) => times.get(line) ?? Number.NaN);
  const last = lines.length - 1;
  return {
    lines,
    moved(line, byNs) {
      const at = Math.min(last, lowerBound(lines, line));
      const target = Math.min(last, lowerBound(timeNs, timeNs[at] + byNs));
      return byNs < 0 ? Math.min(line, lines[target]) : Math.max(line, lines[target]);
    },
  };
}
