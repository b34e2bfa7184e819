import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Analysis } from '../analysis/analysis';
import { type SizeRequest, sizeReport, sizeReportOn } from '../analysis/size';
import type { SizeReport } from '../model/reports';
import { createWorkerPool } from '../node/workerPool';
import { packageRoot } from './package';

/** Below that many requests starting threads takes longer than the replays. */
const fewestForThreads = 50_000;
const mostThreads = 8;
const workerFile = path.join(packageRoot, 'dist', 'worker.js');

/** The size report, its replays on as many threads as the machine has CPUs where that pays. */
export async function sizeWithThreads(analysis: Analysis, request: SizeRequest, threads?: number): Promise<SizeReport> {
  const count = threads ?? (analysis.tables.requests.length < fewestForThreads ? 1 : os.availableParallelism());
  if (count < 2 || !existsSync(workerFile)) {
    return sizeReport(analysis, request);
  }
  return sizeReportOn(analysis, request, (data) => createWorkerPool(workerFile, Math.min(count, mostThreads), data));
}
