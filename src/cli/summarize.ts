import { info } from '../analysis/info';
import { summaryRow } from '../analysis/summary';
import { type Context, Ending, forEachInput, printJson, UsageError } from './commands';

export interface SummarizeFlags {
  readonly parquet?: string;
}

/** What `--parquet` says in this build. */
export const noParquet =
  'this build has no Parquet writer; DuckDB makes the file from the rows: ' +
  `swiotlb-lens summarize FILE… | duckdb -c "COPY (FROM read_json('/dev/stdin')) TO 'out.parquet'"`;

/** One line of JSON per input, for tables of many machines; one input is held at a time. */
export async function runSummarize(
  files: readonly string[],
  context: Context,
  { parquet }: SummarizeFlags,
): Promise<number> {
  if (parquet !== undefined) {
    throw new UsageError(noParquet);
  }
  // Inputs that cannot be read get a row, too: a fleet must not lose a machine without a trace.
  const rows = { ...context, flags: { ...context.flags, json: true } };
  const ending = new Ending(rows);
  await forEachInput(files, rows, ending, (analysis) => {
    const row = summaryRow(analysis);
    printJson(rows, row);
    ending.check(row, info(analysis).ledger);
  });
  return ending.code();
}
