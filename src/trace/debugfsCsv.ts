import Papa from 'papaparse';
import { Byte, decodeUtf8, isDigit, skipBlanks } from './bytes';
import { type ReaderContext, Verdict, type VerdictCode } from './context';
import { type CsvColumns, inferColumns } from './csvColumns';
import type { EntryLine } from './journalEntries';
import { stripPrefix } from './logPrefix';

type Column = 'time' | 'nslabs' | 'used' | 'hiwater' | 'transient' | 'pool';
type TimeUnit = 's' | 'ms' | 'us' | 'ns' | 'auto' | 'unknown';

/** The header row, or a first row of numbers alone, must come among the first lines. */
export const headerReach = 20;
/** Rows without a header are looked at when there are so many of them, and twice as many, up to the last. */
const firstRows = 16;
export const mostRows = 4096;

/**
 * Samples of /sys/kernel/debug/swiotlb as a table with a header row: any delimiter, column order and quoting.
 * The only file that imports papaparse.
 */
export class DebugfsCsv {
  private readonly context: ReaderContext;
  private columns: (Column | null)[] | null = null;
  private delimiter = '';
  private timeUnit: TimeUnit = 'auto';
  /** The columns were told by their numbers. */
  isInferred = false;
  /** Rows of numbers alone, until it is clear what they are. */
  private held: { readonly at: EntryLine; readonly cells: readonly string[] }[] = [];
  /** Rows of a table whose columns could not be told. */
  unclear: { readonly line: number; readonly columns: number; readonly rows: number } | null = null;
  rows = 0;

  constructor(context: ReaderContext) {
    this.context = context;
  }

  get active(): boolean {
    return this.columns !== null;
  }

  /** Understands the header row once; afterwards every line is a row. */
  parse(buffer: Uint8Array, start: number, end: number): VerdictCode {
    if (end - start > 4096) {
      return Verdict.notMine;
    }
    if (this.columns === null) {
      return this.context.line <= headerReach && maybeHeader(buffer, start, end)
        ? this.parseHeader(decodeUtf8(buffer, start, end))
        : Verdict.notMine;
    }
    const text = decodeUtf8(buffer, start, end);
    // Without a header a table may end where something else begins.
    return this.isInferred && !isNumbersOnly(text) ? Verdict.notMine : this.parseRow(text);
  }

  /** Rows are held, each counted nowhere so far. */
  get heldRows(): number {
    return this.held.length;
  }

  /** Takes a row of numbers alone, where a table without a header may stand. False: the line is none, `decide` is due for those held. */
  hold(buffer: Uint8Array, start: number, end: number): boolean {
    const { context } = this;
    const first = skipBlanks(buffer, start, end);
    const mayBegin = this.columns === null && this.unclear === null && context.line <= headerReach;
    if (
      !(this.held.length > 0 || mayBegin) ||
      end - start > 200 ||
      !(isDigit(buffer[first]) || buffer[first] === Byte.quote)
    ) {
      return false;
    }
    const text = decodeUtf8(buffer, start, end);
    if (!isNumbersOnly(text)) {
      return false;
    }
    const delimiter = this.held.length > 0 ? this.delimiter : delimiterOf(text);
    const cells = cellsOf(text, delimiter);
    const isFit = this.held.length === 0 ? cells.length >= 3 : cells.length === this.held[0].cells.length;
    if (!isFit) {
      return false;
    }
    this.delimiter = delimiter;
    const { line, byteOffset, skippedNuls } = context;
    this.held.push({ at: { line, byteOffset, skippedNuls, bytes: buffer.slice(start, end) }, cells });
    return true;
  }

  /** Enough rows are held for another look at what they are. */
  get isDue(): boolean {
    const { length } = this.held;
    return length >= firstRows && (length & (length - 1)) === 0;
  }

  /**
   * Finds out what the columns of the held rows are. The rows, to be read as such or, if that is not clear, as anything
   * else; null when more rows may tell. `isAll`: no more rows come.
   */
  decide(isAll: boolean): EntryLine[] | null {
    const { held } = this;
    const columns = inferColumns(
      held.map(({ cells }) => cells),
      isAll,
    );
    if (columns === null && !isAll && held.length < mostRows) {
      return null;
    }
    this.held = [];
    const first = held[0];
    if (columns !== null) {
      this.take(columns, first.cells.length, first.at.line);
    } else if (held.length > 2) {
      this.unclear = { line: first.at.line, columns: first.cells.length, rows: held.length };
    }
    return held.map(({ at }) => at);
  }

  private take(inferred: CsvColumns, width: number, line: number): void {
    const columns: (Column | null)[] = Array.from({ length: width }, () => null);
    columns[inferred.time] = 'time';
    columns[inferred.nslabs] = 'nslabs';
    columns[inferred.used] = 'used';
    if (inferred.hiwater >= 0) {
      columns[inferred.hiwater] = 'hiwater';
    }
    this.columns = columns;
    this.isInferred = true;
    this.timeUnit = inferred.unit ?? 'unknown';
    const names = columns.map((column) =>
      column === 'time' ? `time_${inferred.unit ?? '?'}` : column === 'hiwater' ? 'used_hiwater' : (column ?? 'other'),
    );
    const unit = inferred.unit === null ? ' The unit of the time is unknown, so the samples have none.' : '';
    this.context.problem(
      'csv-columns-inferred',
      `The table has no header: by their numbers its columns were taken for ${names.join(',')}.${unit} Write a line like this one above the first row to say what they are.`,
      line,
    );
  }

  private parseHeader(text: string): VerdictCode {
    const delimiter = delimiterOf(text);
    const result = Papa.parse<string[]>(text, { delimiter, skipEmptyLines: true });
    const cells = result.data[0] ?? [];
    const columns: (Column | null)[] = [];
    let timeRank = Number.POSITIVE_INFINITY;
    let timeUnit: TimeUnit = 'auto';
    cells.forEach((cell, index) => {
      const name = cell
        .trim()
        .toLowerCase()
        .replace(/^#\s*/, '')
        .replace(/^\S*\//, '')
        .replace(/^(?:io_tlb|slots)_/, '')
        .replace(/\s*[([]\s*slots?\s*[)\]]$|[\s_]slots$/, '');
      const time = timeColumn(name);
      if (time !== null) {
        columns[index] = null;
        if (time.rank < timeRank) {
          timeRank = time.rank;
          timeUnit = time.unit;
          const previous = columns.indexOf('time');
          if (previous >= 0) {
            columns[previous] = null;
          }
          columns[index] = 'time';
          this.context.clock = name.startsWith('mono') ? 'mono' : name.startsWith('boot') ? 'boot' : '';
        }
        return;
      }
      columns[index] = columnNames.get(name) ?? null;
    });
    if (!columns.includes('used') || columns.filter((column) => column !== null).length < 2) {
      return Verdict.notMine;
    }
    this.columns = columns;
    this.delimiter = delimiter;
    this.timeUnit = timeUnit;
    this.context.name('debugfs header').understood++;
    return Verdict.understood;
  }

  private parseRow(text: string): VerdictCode {
    const { context, columns } = this;
    const cells = cellsOf(text, this.delimiter);
    const numbers = { nslabs: -1, used: -1, hiwater: -1, transient: -1 };
    let pool = '';
    let timeNs = Number.NaN;
    let valid = cells.length >= 2;
    columns?.forEach((column, index) => {
      const cell = (cells[index] ?? '').trim();
      if (column === null || cell === '') {
        return;
      }
      if (column === 'pool') {
        pool = cell === 'swiotlb' || cell === 'default' ? '' : cell;
      } else if (column === 'time') {
        timeNs = this.time(cell);
        valid = valid && (!Number.isNaN(timeNs) || this.timeUnit === 'unknown');
      } else if (/^\d{1,15}$/.test(cell)) {
        numbers[column] = Number(cell);
      } else {
        valid = false;
      }
    });
    if (valid && numbers.used < 0 && numbers.nslabs < 0 && numbers.hiwater < 0 && context.terminated) {
      // A kernel without a pool has none of the files: the row says just that.
      context.name('debugfs sample without values').understood++;
      return Verdict.understood;
    }
    if (this.isInferred && numbers.used > numbers.nslabs) {
      valid = false;
    }
    if (!valid || (numbers.used < 0 && numbers.nslabs < 0)) {
      // The header again, as appended files have it.
      if (/used/.test(text) && !/\d{3}/.test(text)) {
        return Verdict.understood;
      }
      // A cut last row is torn and not wrong.
      context.problem(
        context.terminated ? 'csv-bad-row' : 'torn-line',
        `Row '${text.slice(0, 80)}' does not fit its header.`,
      );
      return Verdict.bad;
    }
    if (!context.terminated && cells.length < (columns?.length ?? 0)) {
      context.problem('torn-line', `Row '${text.slice(0, 80)}' is cut off.`);
      return Verdict.bad;
    }
    this.rows++;
    context.hasField = true;
    context.name(this.isInferred ? 'debugfs sample, columns inferred' : 'debugfs sample').understood++;
    context.sink.sample({ source: context.source, line: context.line, timeNs, pool, ...numbers });
    return Verdict.understood;
  }

  private time(cell: string): number {
    if (this.timeUnit === 'unknown') {
      return Number.NaN;
    }
    const match = /^(\d{1,19})(?:[.,](\d+))?$/.exec(cell);
    if (match === null) {
      const prefix = stripPrefix(`${cell} `);
      return this.context.relativeNs(prefix.seconds, prefix.nanoseconds, prefix.family);
    }
    const unit = this.timeUnit === 'auto' ? guessUnit(match[1], match[2]) : this.timeUnit;
    const digits = { s: 0, ms: 3, us: 6, ns: 9 }[unit];
    // Split the digits so that the seconds and the rest stay integers.
    const whole = match[1].padStart(digits + 1, '0');
    const seconds = whole.slice(0, whole.length - digits);
    const fraction = (whole.slice(whole.length - digits) + (match[2] ?? '')).slice(0, 9).padEnd(9, '0');
    return this.context.relativeNs(Number(seconds), Number(fraction), 'boot');
  }
}

/** The cells of a row of numbers. */
export function numberCells(text: string): string[] {
  return cellsOf(text, delimiterOf(text));
}

function cellsOf(text: string, delimiter: string): string[] {
  const cells = Papa.parse<string[]>(text.trim(), { delimiter }).data[0] ?? [];
  // Columns that are aligned with blanks have several of them in a row.
  return (delimiter === ' ' ? cells.filter((cell) => cell !== '') : cells).map((cell) => cell.trim());
}

/** Numbers and what may stand between them; cells may be empty. */
export function isNumbersOnly(text: string): boolean {
  return (
    /^[\d\s.,;|"]+$/.test(text) && /^\s*"?\d[^\s,;|]*(?:\s*[,;|]|\s+\d)/.test(text) && !/[.]{2}|\d\.\d+\./.test(text)
  );
}

/** The most frequent one; blanks only where there is no other, they also stand inside of names. */
function delimiterOf(text: string): string {
  const count = (delimiter: string): number => text.split(delimiter).length;
  const [best = ','] = [',', ';', '\t', '|'].sort((a, b) => count(b) - count(a));
  return count(best) > 1 ? best : ' ';
}

const columnNames: ReadonlyMap<string, Column> = new Map<string, Column>([
  ['nslabs', 'nslabs'],
  ['total', 'nslabs'],
  ['slots', 'nslabs'],
  ['used', 'used'],
  ['used_slots', 'used'],
  ['used_hiwater', 'hiwater'],
  ['hiwater', 'hiwater'],
  ['high_water', 'hiwater'],
  ['transient_nslabs', 'transient'],
  ['transient', 'transient'],
  ['pool', 'pool'],
  ['dir', 'pool'],
]);

const unitNames: ReadonlyMap<string, TimeUnit> = new Map(
  (
    [
      ['s', 's sec secs seconds'],
      ['ms', 'ms msec msecs millis milliseconds'],
      ['us', 'us usec usecs micros microseconds'],
      ['ns', 'ns nsec nanos nanoseconds'],
    ] as const
  ).flatMap(([unit, names]) => names.split(' ').map((name) => [name, unit] as const)),
);

const timeNames: ReadonlySet<string> = new Set(
  'mono monotonic boot boottime uptime time timestamp ts t clock elapsed date datetime epoch realtime wall'.split(' '),
);

/** Which column is the time, the one closest to the trace clock first: `mono_s`, `Time (ms)`, `seconds_since_boot`, … */
function timeColumn(name: string): { readonly rank: number; readonly unit: TimeUnit } | null {
  const [base = '', ...rest] = name.split(/[\s_()[\]]+/).filter((word) => word !== '');
  const [unit = base, ...more] = rest[0] === 'since' ? rest.slice(2) : rest;
  const isTime = timeNames.has(base) || unitNames.has(base);
  if (!isTime || more.length > 0 || (unit !== base && !unitNames.has(unit))) {
    return null;
  }
  const rank = base.startsWith('mono') ? 0 : base.startsWith('boot') || base === 'uptime' ? 1 : 2;
  return { rank, unit: unitNames.get(unit) ?? 'auto' };
}

/** Without a unit in the header: a fraction means seconds, a long integer nanoseconds. */
function guessUnit(whole: string, fraction: string | undefined): 's' | 'ns' {
  return fraction === undefined && whole.length >= 11 ? 'ns' : 's';
}

/** `used` as a word, cheap enough for every early line. */
function maybeHeader(buffer: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i + 4 <= end; i++) {
    if (
      (buffer[i] | 32) === 117 &&
      (buffer[i + 1] | 32) === 115 &&
      (buffer[i + 2] | 32) === 101 &&
      (buffer[i + 3] | 32) === 100
    ) {
      return !/[[\]()]/.test(decodeUtf8(buffer, start, end).replace(/[([]\s*(?:[num]?s|slots?)\s*[)\]]/gi, ''));
    }
  }
  return false;
}
