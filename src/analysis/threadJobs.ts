import { GrowableTable } from '../base/columns';
import { StringTable } from '../base/stringTable';
import type { VerifyReport } from '../model/reports';
import type { TraceTables } from '../model/tables';
import type { SizeJob, SizePoint } from '../replay/sizing';
import type { Analysis } from './analysis';
import { type ReplayAnswer, replayReport } from './replay';
import type { ReplayRequest } from './replaySetup';
import { runSizeJob, type SizingData } from './sizeJobs';
import { verifyReport } from './verify';

/** What a thread that verifies or replays is given: columns are shared, the rest is copied. */
export interface AnalysisData {
  readonly analysis: Analysis;
}

export type ThreadData = SizingData | AnalysisData;

/** A replay, or null to verify; a sizing has jobs of its own. */
export type AnalysisJob = ReplayRequest | null;

/** Verifying needs no texts: the messages of a log may be many. */
export function verifyData(analysis: Analysis): AnalysisData {
  const tables = { ...analysis.tables, strings: new StringTable(), logs: [], logFailures: [] };
  return { analysis: { ...analysis, tables } };
}

export function replayData(analysis: Analysis): AnalysisData {
  return { analysis };
}

/** Gives the data of a thread its methods back after a structured clone. */
export function revivedData(data: ThreadData): ThreadData {
  return 'analysis' in data
    ? { analysis: { ...data.analysis, tables: revivedTables(data.analysis.tables) } }
    : { ...data, tables: revivedTables(data.tables) };
}

/** Does one job of a thread. */
export function runThreadJob(data: ThreadData, job: SizeJob | AnalysisJob): SizePoint | VerifyReport | ReplayAnswer {
  if ('analysis' in data) {
    return job === null ? verifyReport(data.analysis) : replayReport(data.analysis, job as ReplayRequest);
  }
  return runSizeJob(data, job as SizeJob);
}

function revivedTables(tables: TraceTables): TraceTables {
  const table = <T extends object>(plain: T): T => Object.assign(Object.create(GrowableTable.prototype), plain);
  return {
    ...tables,
    strings: Object.assign(Object.create(StringTable.prototype), tables.strings),
    requests: table(tables.requests),
    pools: table(tables.pools),
    samples: table(tables.samples),
    facts: table(tables.facts),
    calls: table(tables.calls),
    ...(tables.freePages === undefined ? {} : { freePages: table(tables.freePages) }),
  };
}
