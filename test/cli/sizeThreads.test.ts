import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { type SizeRequest, sizeReport, sizeReportOn } from '../../src/analysis/size';
import type { SizingData } from '../../src/analysis/sizeJobs';
import { createWorkerPool } from '../../src/node/workerPool';
import type { SizeJob, SizePoint } from '../../src/replay/sizing';
import { mirrorMinAlign, readMirrorTrace } from '../support/mirror';
import { geometryOf } from '../support/replayTables';
import { workload } from '../support/workload';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'swiotlb-lens-worker-'));
const bundle = path.join(folder, 'worker.cjs');

beforeAll(async () => {
  await build({
    absWorkingDir: root,
    entryPoints: ['src/cli/worker.ts'],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'error',
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function check(analysis: Analysis, request: SizeRequest): Promise<SizeJob[]> {
  const jobs: SizeJob[] = [];
  const start = (data: SizingData) => {
    const pool = createWorkerPool<SizeJob, SizePoint>(bundle, 3, data);
    return {
      run(job: SizeJob) {
        jobs.push(job);
        return pool.run(job);
      },
      close: () => pool.close(),
    };
  };
  const parallel = await sizeReportOn(analysis, request, start);
  expect(parallel).toEqual(sizeReport(analysis, request));
  return jobs;
}

describe('sizing on threads', () => {
  it('gives the report of one thread, on a made-up load', async () => {
    const analysis: Analysis = {
      tables: workload({ seed: 11, requests: 3000, live: 400 }),
      geometry: geometryOf({ slots: 2048, areas: 4 }),
      overrides: {},
      sourceLedgers: [],
      problems: [],
      file: 'trace.txt',
    };
    const policies = ['fixed', 'transient', 'dynamic', 'may-sleep', 'throttle'];
    const jobs = await check(analysis, { policies, set: { fragmentation: 0.2 } });
    // Sizes that are proven equal are not sent to a thread.
    expect(jobs.length).toBeLessThan(12 * 6);
    expect(new Set(jobs.map((job) => JSON.stringify(job))).size).toBe(jobs.length);
  });

  it('gives the report of one thread on a capture, with and without a dry run', async () => {
    const fixed = readMirrorTrace('mirror-fix-64MiB-4area.trace.txt');
    await check(fixed, { overrides: { minAlign: mirrorMinAlign } });
    const direct = readMirrorTrace('mirror-dmaonly-direct.trace.txt');
    await check(direct, { bounceAll: true, policies: ['fixed', 'dynamic'], sizes: [512, 4096, 32768] });
  });

  it('a thread that fails fails the report', async () => {
    const pool = createWorkerPool<SizeJob, SizePoint>(bundle, 2, { tables: {}, policies: new Map() });
    await expect(pool.run({ policy: 'fixed', slots: 512, areas: 1 })).rejects.toThrow();
    await pool.close();
  });
});
