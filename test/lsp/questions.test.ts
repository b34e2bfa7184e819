import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CancellationTokenSource } from 'vscode-languageserver/node';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { devicesReport } from '../../src/analysis/devices';
import { replayReport } from '../../src/analysis/replay';
import { sizeReport } from '../../src/analysis/size';
import { uncertaintyReport } from '../../src/analysis/uncertainty';
import { devicesRequest } from '../../src/protocol/devices';
import {
  type AnalysisFailedParams,
  analysisFailedNotification,
  cursorRequest,
  findingRequest,
  reportRequest,
  runRequest,
  type SizeProgressParams,
  sizeProgressNotification,
  sizeRequest,
  traceRequest,
  uncertaintyRequest,
} from '../../src/protocol/lsp';
import type { Result } from '../../src/protocol/result';
import type { RunKey } from '../../src/protocol/views';
import { LspServer } from '../support/lsp';

const sample = fileURLToPath(new URL('../../media/samples/full-1MiB/', import.meta.url));
const tracePath = path.join(sample, 'trace.txt');
const traceUri = pathToFileURL(tracePath).href;
const dmesgUri = pathToFileURL(path.join(sample, 'dmesg.txt')).href;
const lines = readFileSync(tracePath, 'utf8').split('\n');
const failingLine = lines.findIndex((line) => line.includes('dma_addr=ffffffffffffffff')) + 1;
const question = { uri: traceUri, bounceAll: false, cpus: null, headroom: 0.2, set: {} };

let server: LspServer;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'questions-'));
  server = await LspServer.start();
}, 60_000);

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

function answerOf<T>(result: Result<T>): T {
  if (!result.ok) {
    throw new Error(`${result.error.kind}: ${result.error.message}\n${server.errors.join('\n')}`);
  }
  return result.value;
}

/** The sample as the command line reads it: the server must not compute anything of its own. */
function sampleAnalysis() {
  const builder = createAnalysis();
  for (const name of ['trace.txt', 'cmdline.txt', 'debugfs.csv', 'dmesg.txt']) {
    const file = path.join(sample, name);
    if (existsSync(file)) {
      const source = builder.openSource({ path: file });
      source.push(readFileSync(file));
      source.end();
    }
  }
  return builder.snapshot();
}

describe('pool size', () => {
  it('is what the analysis says, with progress on the way', async () => {
    const counts: number[] = [];
    const listener = server.onNotification<SizeProgressParams>(sizeProgressNotification.method, ({ replays }) =>
      counts.push(replays),
    );
    const view = answerOf(await server.ask(sizeRequest, question));
    listener.dispose();
    const report = sizeReport(sampleAnalysis(), { headroom: 0.2 });
    expect(view.curve).toEqual(report.curve);
    expect(view.smallest).toEqual(report.smallest);
    expect(view.unusedBytes).toBe(report.unusedBytes);
    expect([...view.advice, view.howToApply].sort()).toEqual([...report.advice].sort());
    expect(counts.length).toBeGreaterThan(5);
    expect(counts).toEqual(counts.map((_, index) => index + 1));
  });

  it('follows what the panel assumes, where the policy has it', async () => {
    const set = { lifetimeScale: 10, dropRetries: false, workerDelayNs: 5e6 };
    const view = answerOf(await server.ask(sizeRequest, { ...question, set }));
    const assumed = sizeReport(sampleAnalysis(), { headroom: 0.2, set });
    expect(view.curve).toEqual(assumed.curve);
    expect(view.curve).not.toEqual(answerOf(await server.ask(sizeRequest, question)).curve);
  });

  it('is cancelled between two replays, and other questions are answered meanwhile', async () => {
    const source = new CancellationTokenSource();
    const listener = server.onNotification<SizeProgressParams>(sizeProgressNotification.method, () => source.cancel());
    const sizing = server.ask(sizeRequest, { ...question, headroom: 0.37 }, source.token);
    const trace = answerOf(await server.ask(traceRequest, { uri: traceUri }));
    expect(trace.requests).toBeGreaterThan(4000);
    const result = await sizing;
    listener.dispose();
    expect(result).toMatchObject({ ok: false, error: { kind: 'cancelled' } });
  });

  it('of a log without requests says what is missing', async () => {
    const uri = pathToFileURL(path.join(folder, 'log.txt')).href;
    writeFileSync(
      path.join(folder, 'log.txt'),
      '[   12.345678] nvme 0000:05:00.0: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used 32768 (slots)\n',
    );
    const view = answerOf(await server.ask(sizeRequest, { ...question, uri }));
    expect(view).toMatchObject({ replayable: false, curve: [] });
    expect(view.advice.join(' ')).toMatch(/record a trace/);
  });
});

describe('dry run', () => {
  it('is a setting of a run', async () => {
    const run = { policy: 'dynamic', set: { bounceAll: true } };
    const view = answerOf(await server.ask(runRequest, { uri: traceUri, run }));
    const { report } = replayReport(sampleAnalysis(), { policy: 'dynamic', bounceAll: true });
    expect(view).toMatchObject({ requests: report.requests, failed: report.failed });
    expect(view.key).toEqual(run);
  });
});

describe('what a run hangs on', () => {
  it('is what the command line says, and nothing for what is recorded', async () => {
    const run = { policy: 'may-sleep', set: {} };
    const view = answerOf(await server.ask(uncertaintyRequest, { uri: traceUri, run }));
    expect(view).toEqual(uncertaintyReport(sampleAnalysis(), { policy: 'may-sleep' }));
    expect(view.sensitivity!.variants.map(({ name }) => name)).toContain('75th percentile');
    const recorded = { policy: 'recorded', set: {} };
    expect(answerOf(await server.ask(uncertaintyRequest, { uri: traceUri, run: recorded })).sensitivity).toBeNull();
  });
});

describe('report', () => {
  it('holds the runs that were asked for, as a page or as Markdown', async () => {
    const runs: RunKey[] = [
      { policy: 'recorded', set: {} },
      { policy: 'fixed', set: { poolSlots: 4096 } },
    ];
    const size = { bounceAll: false, cpus: null, headroom: 0.2, set: {} };
    const html = answerOf(await server.ask(reportRequest, { uri: traceUri, runs, format: 'html', size })).text;
    const { report } = replayReport(sampleAnalysis(), { policy: 'fixed', set: { poolSlots: 4096 } });
    expect(html).toMatch(/^<!DOCTYPE html>/);
    expect(html).toContain(`<td>fixed(poolSlots=4096)</td><td>modelled</td><td class="n">${report.failed}</td>`);
    expect(html).toContain(sizeReport(sampleAnalysis(), { headroom: 0.2 }).smallest[0]!.bootParameter);
    const markdown = answerOf(await server.ask(reportRequest, { uri: traceUri, runs, format: 'md', size: null })).text;
    expect(markdown).toMatch(/\n\| recorded \| recorded \| \d+ \|/);
    expect(markdown).not.toContain('## Pool size');
  });
});

describe('devices', () => {
  it('are those of the report, with sizes and lifetimes that add up to it', async () => {
    const view = answerOf(await server.ask(devicesRequest, { uri: traceUri }));
    const report = devicesReport(sampleAnalysis());
    expect(view.devices).toMatchObject(report.devices);
    for (const device of view.devices) {
      const total = (of: (size: (typeof device.sizes)[number]) => number) =>
        device.sizes.reduce((sum, size) => sum + of(size), 0);
      expect(total((size) => size.bytes)).toBe(device.bytes);
      expect(total((size) => size.wasteBytes)).toBe(device.wasteBytes);
      expect(total((size) => size.failed)).toBe(device.failed);
      expect(device.quantilesNs?.median ?? null).toBe(device.medianLifetimeNs);
    }
    expect(view.hasTime).toBe(true);
  });
});

describe('the pool at a line', () => {
  it('is that of the run asked for', async () => {
    const at = (run: { policy: string; set: Record<string, number> }) =>
      server.ask(cursorRequest, { uri: traceUri, line: failingLine, run }).then(answerOf);
    const recorded = await at({ policy: 'recorded', set: {} });
    const fixed = await at({ policy: 'fixed', set: { poolSlots: 4096 } });
    expect(recorded?.capacitySlots).toBe(512);
    expect(fixed?.capacitySlots).toBe(4096);
    expect(fixed?.timeNs).toBe(recorded?.timeNs);
    // The failed mapping is in a transient pool there, beside a full one.
    const dynamic = (await at({ policy: 'dynamic', set: {} }))!;
    expect(dynamic.usedSlots).toBeGreaterThan(512);
    expect(dynamic.capacitySlots).toBeGreaterThanOrEqual(dynamic.usedSlots);
  });
});

describe('a finding as Markdown', () => {
  const findingAt = async (uri: string, line: number) =>
    answerOf(await server.ask(findingRequest, { uri, line })).markdown;

  it('is the failure at the line, from the trace as from the log', async () => {
    const fromTrace = await findingAt(traceUri, failingLine);
    expect(fromTrace).toMatch(/^\*\*(Fragmented|Pool full)/);
    expect(fromTrace).toContain(`trace.txt, line ${failingLine.toLocaleString('en-US')} · device 0000:00:05.0`);
    expect(fromTrace).toMatch(/What helps:\n\n- /);
    expect(fromTrace).toMatch(/_SWIOTLB Lens: .*pool of 512 slots/);
    const log = readFileSync(path.join(sample, 'dmesg.txt'), 'utf8').split('\n');
    const message = log.findIndex((line) => line.includes('swiotlb buffer is full')) + 1;
    expect(await findingAt(dmesgUri, message)).toMatch(/^\*\*(Fragmented|Pool full)/);
  });

  it('is the mapping at a line that was served, else a summary', async () => {
    const served = lines.findIndex((line) => line.includes('dma_map_page') && !line.includes('ffffffffffffffff')) + 1;
    expect(await findingAt(traceUri, served)).toMatch(/^\*\*Served/);
    expect(await findingAt(traceUri, 1)).toMatch(/^\*\*\d+ failed mappings\*\*\n\n- /);
  });

  it('turns nothing of a trace into markup', async () => {
    const file = path.join(folder, 'hostile.txt');
    writeFileSync(
      file,
      '[   12.345678] <img/src=x> [a](http://b): swiotlb buffer is full (sz: 524288 bytes), total 32768 (slots), used 3 (slots)\n',
    );
    const markdown = await findingAt(pathToFileURL(file).href, 1);
    expect(markdown).not.toMatch(/(?<!\\)<img|(?<!\\)\]\(http/);
  });
});

describe('a document that cannot be analysed', () => {
  it('is told, so that missing findings are not taken for none', async () => {
    const told = new Promise<AnalysisFailedParams>((resolve) => {
      server.onNotification<AnalysisFailedParams>(analysisFailedNotification.method, resolve);
    });
    const uri = pathToFileURL(path.join(folder, 'gone.txt')).href;
    await server.openFromDisk(uri);
    const { uri: about, message } = await told;
    expect(about).toBe(uri);
    expect(message).toMatch(/gone\.txt/);
  });
});
