/**
 * The curve of pool sizes: `npm run bench -- size`.
 *
 * 12 sizes (1 MiB to 2 GiB) × fixed, transient, dynamic on 1 M made-up mappings, four areas.
 * "All replayed" replays every point, "curves" leaves out the sizes that are proven to be equal to others; both must
 * give the same points. The report also draws the curve of one area and refines the smallest sizes; on one thread and
 * on several it must be the same.
 */
import os from 'node:os';
import { isMainThread, threadId } from 'node:worker_threads';
import type { Analysis } from '../../src/analysis/analysis';
import { policyOf } from '../../src/analysis/replaySetup';
import { type SizeRequest, sizeReport, sizeReportOn } from '../../src/analysis/size';
import { contextOf, sizingData } from '../../src/analysis/sizeJobs';
import { revivedData, runThreadJob } from '../../src/analysis/threadJobs';
import type { SizeReport } from '../../src/model/reports';
import { createWorkerPool, type WorkerPool } from '../../src/node/workerPool';
import { serveJobs } from '../../src/node/workerServe';
import { alwaysServedFrom } from '../../src/replay/alwaysServed';
import { defaultSizes, runSizingInParallel, type SizeJob, type SizePoint, sizeCurves } from '../../src/replay/sizing';
import { geometryOf } from '../support/replayTables';
import { workload } from '../support/workload';

const REQUESTS = 1_000_000;
/** The made-up load has a request per microsecond; five times slower is 200,000 requests a second. */
const SLOWER = 5;
const THREADS = 2;
const policies = ['fixed', 'transient', 'dynamic'];

interface Measured<T> {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly value: T;
}

async function measure<T>(work: () => Promise<T> | T): Promise<Measured<T>> {
  const before = process.cpuUsage();
  const start = performance.now();
  const value = await work();
  const { user, system } = process.cpuUsage(before);
  return { value, wallMs: performance.now() - start, cpuMs: (user + system) / 1000 };
}

const pool = (data: unknown): WorkerPool<SizeJob, SizePoint> =>
  createWorkerPool<SizeJob, SizePoint>(new URL(import.meta.url), THREADS, data);

async function main(): Promise<void> {
  const analysis: Analysis = {
    tables: workload({ seed: 3, requests: REQUESTS, live: 900 }),
    geometry: geometryOf({ start: 0x3a000000, slots: 32768, areas: 4 }),
    overrides: {},
    sourceLedgers: [],
    problems: [],
    file: 'made up',
  };
  const { enterNs, unmapEnterNs } = analysis.tables.requests.columns;
  for (let row = 0; row < REQUESTS; row++) {
    enterNs[row] = enterNs[row]! * SLOWER;
    unmapEnterNs[row] = unmapEnterNs[row]! * SLOWER;
  }
  const request: SizeRequest = { policies, cpus: 4 };
  const jobs: SizeJob[] = policies.flatMap((policy) =>
    defaultSizes.map((slots): SizeJob => ({ policy, slots, areas: 4 })),
  );
  const data = sizingData(analysis, policies.map(policyOf), {});

  const alone = await measure(() => sizeReport(analysis, request));
  const threads = await measure(() => sizeReportOn(analysis, request, pool));
  const allThreads = await measure(async () => {
    const workers = pool(data);
    const points = await Promise.all(jobs.map((job) => workers.run(job)));
    await workers.close();
    return points;
  });
  const curves = await measure(async () => {
    const specs = policies.map((id) => ({ policy: policyOf(id), areas: 4 }));
    const facts = { geometry: data.geometry, alwaysServed: alwaysServedFrom(contextOf(data, 'fixed')) };
    const workers = pool(data);
    const points = await runSizingInParallel(sizeCurves(specs, defaultSizes, facts), (job) => workers.run(job));
    await workers.close();
    return points.flat();
  });
  const unproven = curves.value.map((point) => ({ ...point, proven: false }));
  if (JSON.stringify(unproven) !== JSON.stringify(allThreads.value)) {
    throw new Error('a size that was said to be proven is not');
  }
  if (JSON.stringify(alone.value) !== JSON.stringify(threads.value satisfies SizeReport)) {
    throw new Error('threads change the report');
  }
  const proven = alone.value.curve.filter((point) => point.proven).length;
  console.log(`${THREADS} threads, load average ${os.loadavg()[0]!.toFixed(1)} on ${os.cpus().length} CPUs`);
  console.log('| 12 sizes × 3 policies, 1 M mappings | wall, s | CPU, s | CPU / 2, s | target |');
  console.log('| --- | ---: | ---: | ---: | ---: |');
  const line = (name: string, { wallMs, cpuMs }: Measured<unknown>, target: string) =>
    console.log(
      `| ${name} | ${(wallMs / 1000).toFixed(1)} | ${(cpuMs / 1000).toFixed(1)} | ${(cpuMs / 2000).toFixed(1)} | ${target} |`,
    );
  line('two threads, all 36 replayed', allThreads, '< 6');
  const skipped = curves.value.filter((point) => point.proven).length;
  line(`two threads, curves (${skipped} of 36 points proven)`, curves, '< 3');
  line(`one thread, report (${proven} of ${alone.value.curve.length} points proven, one area as well)`, alone, '');
  line('two threads, report', threads, '');
  if (allThreads.cpuMs / THREADS > 6000 || curves.cpuMs / THREADS > 3000) {
    console.log('MISSED');
    process.exitCode = 1;
  }
}

if (isMainThread && threadId === 0) {
  await main();
} else {
  serveJobs(runThreadJob, revivedData);
}
