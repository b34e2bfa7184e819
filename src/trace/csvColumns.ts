/** What a table without a header is taken for; indices of columns, -1 for one that is not there. */
export interface CsvColumns {
  readonly time: number;
  /** Of the time; null when it cannot be told. */
  readonly unit: 's' | 'ms' | 'us' | 'ns' | null;
  readonly nslabs: number;
  readonly used: number;
  readonly hiwater: number;
}

/** Pools are sized in segments. */
const segmentSlots = 128;
/** Nobody samples files faster. */
const fastestNs = 1e5;

/**
 * Tells the columns of samples by their shape: the time rises from row to row, the size of the pool is a constant number
 * of segments, `used` is never above it and goes down again, the high-water mark never falls and is never below `used`.
 * Null when these leave nothing, or more than one answer. `isAll`: there are no more rows, so that columns that are the
 * same in every row need not be told apart.
 */
export function inferColumns(rows: readonly (readonly string[])[], isAll: boolean): CsvColumns | null {
  const width = rows[0]?.length ?? 0;
  if (rows.length < 3 || width < 3) {
    return null;
  }
  const columns = Array.from({ length: width }, (_, index) => rows.map((row) => numberOf(row[index])));
  const rising = columns.map(isRising);
  const time = rising.findIndex((rises, index) => rises && !isCount(columns[index]));
  if (time < 0) {
    return null;
  }
  const counters = columns.map((_, index) => index).filter((index) => !rising[index] && columns[index].every(isSlots));
  // Columns of zeros could be any counter; they are taken only when nothing else was in use to the end.
  const isIdle = isAll && !counters.some((index) => falls(columns[index]));
  const found = new Map<string, Omit<CsvColumns, 'time' | 'unit'>>();
  for (const withMark of [true, false]) {
    for (const nslabs of counters) {
      const total = columns[nslabs][0];
      if (total === 0 || total % segmentSlots !== 0 || columns[nslabs].some((value) => value !== total)) {
        continue;
      }
      for (const used of counters) {
        const marks = withMark ? counters : [-1];
        for (const hiwater of marks) {
          const isInUse = isIdle ? columns[used].every((value) => value === 0) : falls(columns[used]);
          if (isInUse && isUse(columns, nslabs, used, hiwater, counters)) {
            const known = [nslabs, used, isIdle ? -1 : hiwater];
            const shape = known.map((index) => (isAll ? columns[index]?.join() : index)).join(';');
            const other = found.get(shape);
            const isHigher =
              other !== undefined && other.hiwater >= 0 && columns[other.hiwater][0] < columns[hiwater][0];
            found.set(shape, other === undefined || isHigher ? { nslabs, used, hiwater } : other);
          }
        }
      }
    }
    if (found.size > 0) {
      break;
    }
  }
  const [only] = found.values();
  return found.size === 1 && only !== undefined ? { ...only, time, unit: unitOf(rows.map((row) => row[time])) } : null;
}

function isUse(
  columns: readonly (readonly number[])[],
  nslabs: number,
  used: number,
  hiwater: number,
  counters: readonly number[],
): boolean {
  if (used === nslabs || hiwater === nslabs || used === hiwater) {
    return false;
  }
  const values = columns[used];
  const total = columns[nslabs][0];
  if (values.some((value) => value > total)) {
    return false;
  }
  if (hiwater < 0) {
    // What else moves may be what is used just as well.
    return counters.every((other) => other === used || isConstant(columns[other]));
  }
  const marks = columns[hiwater];
  return marks.every((mark, row) => mark >= values[row] && mark <= total && (row === 0 || mark >= marks[row - 1]));
}

function numberOf(cell: string): number {
  return /^\d+(?:[.,]\d+)?$/.test(cell) ? Number(cell.replace(',', '.')) : Number.NaN;
}

function isSlots(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 32;
}

function falls(values: readonly number[]): boolean {
  return values.some((value, row) => row > 0 && value < values[row - 1]);
}

function isConstant(values: readonly number[]): boolean {
  return values.every((value) => value === values[0]);
}

/** Goes up in nearly every row and never down. */
function isRising(values: readonly number[]): boolean {
  const steps = values.slice(1).map((value, row) => value - values[row]);
  return steps.every((step) => step >= 0) && steps.filter((step) => step > 0).length >= 0.8 * steps.length;
}

/** 0, 1, 2, …: the number of the row is no time. */
function isCount(values: readonly number[]): boolean {
  return values[0] <= 1 && values.every((value, row) => value === values[0] + row);
}

/** A fraction means seconds, ten digits the seconds of the epoch; of longer numbers the steps tell. */
function unitOf(cells: readonly string[]): CsvColumns['unit'] {
  if (cells.some((cell) => /[.,]/.test(cell))) {
    return 's';
  }
  const digits = cells[0].length;
  if (digits < 11) {
    return digits === 10 ? 's' : null;
  }
  const steps = cells.slice(1).map((cell, row) => Number(cell) - Number(cells[row]));
  const middle = steps.sort((a, b) => a - b)[steps.length >> 1];
  if (middle >= fastestNs || digits > 17) {
    return 'ns';
  }
  return digits === 13 ? 'ms' : digits === 16 ? 'us' : null;
}
