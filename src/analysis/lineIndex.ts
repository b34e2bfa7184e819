import { lowerBound } from '../base/bisect';
import type { TraceTables } from '../model/tables';
import { Outcome } from '../model/tables';
import type { Analysis } from './analysis';

/** What a line is to a request. A line may be several of these at once. */
export const LineRole = {
  /** First evidence of the attempt. */
  enter: 1,
  /** Line with the result. */
  map: 2,
  /** The release begins. */
  unmap: 4,
  /** The line after the release. */
  unmapExit: 8,
} as const;

/** Requests by line of one source, sorted by line and, inside a line, by row. */
export interface LineIndex {
  readonly lines: Uint32Array;
  readonly rows: Int32Array;
  readonly roles: Uint8Array;
}

/** One request that a line belongs to. */
export interface LineEntry {
  readonly row: number;
  /** LineRole set. */
  readonly roles: number;
}

const cache = new WeakMap<TraceTables, Map<number, LineIndex>>();

/** The requests of a source by line; built on first use and kept as long as the tables live. */
export function lineIndexOf(analysis: Analysis, source: number): LineIndex {
  let bySource = cache.get(analysis.tables);
  if (bySource === undefined) {
    bySource = new Map();
    cache.set(analysis.tables, bySource);
  }
  let index = bySource.get(source);
  if (index === undefined) {
    index = buildLineIndex(analysis.tables, source);
    bySource.set(source, index);
  }
  return index;
}

/** Every request the line belongs to, in the order of the request table; empty when none. */
export function requestsOnLine(analysis: Analysis, source: number, line: number): readonly LineEntry[] {
  const index = lineIndexOf(analysis, source);
  const entries: LineEntry[] = [];
  for (let i = lowerBound(index.lines, line); i < index.lines.length && index.lines[i] === line; i++) {
    entries.push({ row: index.rows[i], roles: index.roles[i] });
  }
  return entries;
}

/**
 * Counting sort by line. A row contributes at most four entries; roles of one row on one line are merged.
 * Rows of failed and unknown outcome take part too.
 */
function buildLineIndex(tables: TraceTables, source: number): LineIndex {
  const { columns, length } = tables.requests;
  let maxLine = 0;
  let total = 0;
  for (let row = 0; row < length; row++) {
    if (columns.source[row] !== source) {
      continue;
    }
    forEachLine(tables, row, (line) => {
      total++;
      if (line > maxLine) {
        maxLine = line;
      }
    });
  }
  const starts = new Uint32Array(maxLine + 2);
  for (let row = 0; row < length; row++) {
    if (columns.source[row] === source) {
      forEachLine(tables, row, (line) => {
        starts[line + 1]++;
      });
    }
  }
  for (let line = 1; line < starts.length; line++) {
    starts[line] += starts[line - 1];
  }
  const index: LineIndex = {
    lines: new Uint32Array(total),
    rows: new Int32Array(total),
    roles: new Uint8Array(total),
  };
  for (let row = 0; row < length; row++) {
    if (columns.source[row] === source) {
      forEachLine(tables, row, (line, roles) => {
        const at = starts[line]++;
        index.lines[at] = line;
        index.rows[at] = row;
        index.roles[at] = roles;
      });
    }
  }
  return index;
}

function forEachLine(tables: TraceTables, row: number, visit: (line: number, roles: number) => void): void {
  const { columns } = tables.requests;
  const enter = columns.enterLine[row];
  const map = columns.mapLine[row];
  const unmap = columns.unmapLine[row];
  const exit = columns.unmapExitLine[row];
  if (enter > 0) {
    visit(enter, map === enter || map === 0 ? LineRole.enter | LineRole.map : LineRole.enter);
  }
  if (map > 0 && map !== enter) {
    visit(map, LineRole.map);
  }
  // An element rolled back inside its failed list shares the failure's line: that line is its map, not an unmap of its own.
  const rolledBack = columns.outcome[row] === Outcome.rolledBack;
  if (unmap > 0 && !(rolledBack && (unmap === map || unmap === enter))) {
    visit(unmap, exit === unmap || exit === 0 ? LineRole.unmap | LineRole.unmapExit : LineRole.unmap);
  }
  if (exit > 0 && exit !== unmap) {
    visit(exit, LineRole.unmapExit);
  }
}
