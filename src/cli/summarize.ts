import { writeFile } from 'node:fs/promises';
import type { Analysis } from '../analysis/analysis';
import { info } from '../analysis/info';
import { summaryRow } from '../analysis/summary';
import { type Context, Ending, forEachInput, printJson } from './commands';
import { readVersion } from './package';
import { type FleetRow, parquetOf } from './parquet';

export interface SummarizeFlags {
  readonly parquet?: string;
}

/** One line of JSON per input, for tables of many machines; one input is held at a time. */
export async function runSummarize(
  files: readonly string[],
  context: Context,
  { parquet }: SummarizeFlags,
): Promise<number> {
  const ending = new Ending(context);
  const table: FleetRow[] = [];
  const add = (row: FleetRow) => {
    printJson(context, row);
    if (parquet !== undefined) {
      table.push(row);
    }
  };
  const use = (analysis: Analysis) => {
    const row = summaryRow(analysis);
    add(row);
    ending.check(row, info(analysis).ledger);
  };
  // Inputs that cannot be read get a row, too: a fleet must not lose a machine without a trace.
  await forEachInput(files, context, ending, use, add);
  if (parquet !== undefined) {
    await writeFile(parquet, parquetOf(table, `swiotlb-lens ${readVersion()}`));
  }
  return ending.code();
}
