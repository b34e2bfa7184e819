import { GrowableTable } from '../base/columns';
import { StringTable } from '../base/stringTable';
import type { VerifyReport } from '../model/reports';
import type { TraceTables } from '../model/tables';
import type { SizeJob, SizePoint } from '../replay/sizing';
import type { Analysis } from './analysis';
import { runSizeJob, type SizingData } from './sizeJobs';
import { verifyReport } from './verify';

/** What a thread that verifies is given. */
export interface VerifyData {
  readonly verify: Pick<Analysis, 'tables' | 'geometry' | 'file'>;
}

export type ThreadData = SizingData | VerifyData;

/** The data of a thread that verifies: columns are shared, texts stay behind. */
export function verifyData({ tables, geometry, file }: Analysis): VerifyData {
  return {
    verify: { tables: { ...tables, strings: new StringTable(), logs: [], logFailures: [] }, geometry, file },
  };
}

/** Gives the data of a thread its methods back after a structured clone. */
export function revivedData(data: ThreadData): ThreadData {
  return 'verify' in data
    ? { verify: { ...data.verify, tables: revivedTables(data.verify.tables) } }
    : { ...data, tables: revivedTables(data.tables) };
}

/** Does what a thread is for: one replay of a sizing, or the one verification. */
export function runThreadJob(data: ThreadData, job: SizeJob | null): SizePoint | VerifyReport {
  if ('verify' in data) {
    return verifyReport(data.verify);
  }
  if (job === null) {
    throw new Error('a sizing needs a job');
  }
  return runSizeJob(data, job);
}

function revivedTables(tables: TraceTables): TraceTables {
  const table = <T extends object>(plain: T): T => Object.assign(Object.create(GrowableTable.prototype), plain);
  return {
    ...tables,
    requests: table(tables.requests),
    pools: table(tables.pools),
    samples: table(tables.samples),
    facts: table(tables.facts),
    calls: table(tables.calls),
  };
}
