import type { LogKind, LogRecord } from '../model/log';
import type { TraceTables } from '../model/tables';

/** Where a fact stands, as `known()` takes it. */
export interface FactPlace {
  readonly source: number;
  readonly line: number;
}

/** Log facts about the boot that the trace belongs to: of several boots in one log, the last one counts. */
export interface BootFacts {
  /** Records of that boot by kind, in order. */
  first(kind: LogKind): LogRecord | undefined;
  last(kind: LogKind): LogRecord | undefined;
  all(kind: LogKind): readonly LogRecord[];
  /** Value of a `CONFIG_…` line: 'y', 'm', 'n' or a number; undefined when no line names it. */
  config(name: string): { readonly value: string; readonly at: FactPlace } | undefined;
}

/** Boot facts, grouped by kind. A log that holds several boots (kern.log) is cut at its last "Linux version" line. */
export function collectBootFacts(tables: TraceTables): BootFacts {
  const cut = lastBootLines(tables.logs);
  const byKind = new Map<LogKind, LogRecord[]>();
  for (const record of tables.logs) {
    if (record.line < (cut.get(record.source) ?? 0)) {
      continue;
    }
    const list = byKind.get(record.kind);
    if (list === undefined) {
      byKind.set(record.kind, [record]);
    } else {
      list.push(record);
    }
  }
  const configs = new Map<string, { value: string; at: FactPlace }>();
  for (const record of byKind.get('config') ?? []) {
    const equals = record.value.indexOf('=');
    if (equals > 0) {
      configs.set(record.value.slice(0, equals), { value: record.value.slice(equals + 1), at: placeOf(record) });
    }
  }
  return {
    first: (kind) => byKind.get(kind)?.[0],
    last: (kind) => byKind.get(kind)?.at(-1),
    all: (kind) => byKind.get(kind) ?? [],
    config: (name) => configs.get(name) ?? configs.get(`CONFIG_${name}`),
  };
}

/** What the kernel's own list of symbols, or a probe it accepted, says about a function. */
export interface SymbolFacts {
  /** A list of symbols was given, so that a missing one means something. */
  readonly isListed: boolean;
  /** Where the function is named; compiler suffixes do not count. */
  find(name: string): (FactPlace & { readonly how: string }) | undefined;
}

/** Functions of the recording kernel by `/proc/kallsyms` and by the probes that were set. */
export function collectSymbolFacts(tables: TraceTables): SymbolFacts {
  const places = new Map<string, FactPlace & { readonly how: string }>();
  let isListed = false;
  for (const fact of tables.bundleFacts ?? []) {
    if (fact.kind === 'kernel-symbol' || fact.kind === 'probe-definition') {
      const isSymbol = fact.kind === 'kernel-symbol';
      const name = fact.symbol.replace(/\..*$/, '');
      // A list that was cut down to a few names proves nothing by what it lacks.
      isListed ||= isSymbol && name === 'swiotlb_tbl_map_single';
      if (!places.has(name)) {
        const how = isSymbol ? `The kernel has the function ${name}` : `A probe was set on the function ${name}`;
        places.set(name, { source: fact.source, line: fact.line, how });
      }
    }
  }
  return { isListed, find: (name) => places.get(name) };
}

export function placeOf(record: LogRecord): FactPlace {
  return { source: record.source, line: record.line };
}

/** Line of the last kernel-version record per source, where a source has more than one. */
function lastBootLines(logs: readonly LogRecord[]): Map<number, number> {
  const lines = new Map<number, number>();
  for (const record of logs) {
    if (record.kind === 'kernel-version' && !record.viaTrace) {
      lines.set(record.source, record.line);
    }
  }
  return lines;
}
