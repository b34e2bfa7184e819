import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer';
import type { SummaryRow } from '../analysis/summary';
import { causes } from '../model/cause';

/** An input that could not be read has a row, too. */
export type FleetRow = SummaryRow | { readonly file: string; readonly error: string };

type Type = 'STRING' | 'INT64' | 'DOUBLE' | 'BOOLEAN' | 'JSON';
type Field = Exclude<keyof SummaryRow, 'failuresByCause'>;

/** Fixed, so that files of different days can be read as one table, whatever was unknown in each. */
const types: Readonly<Record<Field, Type>> = {
  file: 'STRING',
  format: 'STRING',
  lines: 'INT64',
  kernel: 'STRING',
  dynamic: 'BOOLEAN',
  cpus: 'INT64',
  poolSlots: 'INT64',
  poolAreas: 'INT64',
  // Clocks are joined by fractions of a nanosecond.
  durationNs: 'DOUBLE',
  requests: 'INT64',
  bounced: 'INT64',
  failed: 'INT64',
  episodes: 'INT64',
  suppressed: 'INT64',
  largestFailedBytes: 'INT64',
  usedHighWaterSlots: 'INT64',
  capacityPeakSlots: 'INT64',
  transientPeakSlots: 'INT64',
  devices: 'INT64',
  largestHolder: 'STRING',
  largestHolderSlots: 'INT64',
  leakSuspected: 'BOOLEAN',
  warnings: 'JSON',
  understood: 'INT64',
  counted: 'INT64',
  notUnderstood: 'INT64',
  exact: 'INT64',
  derived: 'INT64',
  assumed: 'INT64',
  lost: 'INT64',
  completeness: 'INT64',
};

/**
 * The rows of `summarize` as a Parquet file: a column per field, `error`, and a column `failuresByCause.<cause>` per
 * cause. Unknown is null; a cause that did not occur in an input that was read is 0.
 */
export function parquetOf(rows: readonly FleetRow[], createdBy: string): Uint8Array {
  const columnData: ColumnSource[] = [
    ...(Object.entries(types) as [Field, Type][]).map(([name, type]) => ({
      name,
      type,
      data: rows.map((row) => cell(type, (row as Partial<SummaryRow>)[name])),
    })),
    ...causes.map((cause) => ({
      name: `failuresByCause.${cause}`,
      type: 'INT64' as const,
      data: rows.map((row) => ('error' in row ? null : BigInt(row.failuresByCause[cause] ?? 0))),
    })),
    { name: 'error', type: 'STRING', data: rows.map((row) => ('error' in row ? row.error : null)) },
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData, createdBy }));
}

function cell(type: Type, value: unknown): unknown {
  if (value === undefined || value === null) {
    return null;
  }
  return type === 'INT64' && typeof value === 'number' ? BigInt(value) : value;
}
