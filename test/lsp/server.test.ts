import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MarkupContent } from 'vscode-languageserver/node';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { replayReport } from '../../src/analysis/replay';
import { cursorRequest, runRequest, seriesRequest, traceRequest, verifyRequest } from '../../src/protocol/lsp';
import type { Result } from '../../src/protocol/result';
import type { TraceView } from '../../src/protocol/views';
import { LspServer } from '../support/lsp';

const sample = fileURLToPath(new URL('../../media/samples/full-1MiB/', import.meta.url));
const traceUri = pathToFileURL(path.join(sample, 'trace.txt')).href;
const dmesgUri = pathToFileURL(path.join(sample, 'dmesg.txt')).href;
const traceLines = readFileSync(path.join(sample, 'trace.txt'), 'utf8').split('\n');
const dmesgLines = readFileSync(path.join(sample, 'dmesg.txt'), 'utf8').split('\n');
const overSize =
  '[   12.345678] nvme 0000:05:00.0: swiotlb buffer is full (sz: 524288 bytes), total 32768 (slots), used 3 (slots)\n';

const recorded = { policy: 'recorded', set: {} };

let server: LspServer;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'documents-'));
  server = await LspServer.start();
}, 60_000);

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

afterEach(() => {
  expect(server.isAlive()).toBe(true);
  expect(server.errors).toEqual([]);
});

function answerOf<T>(result: Result<T>): T {
  if (!result.ok) {
    throw new Error(`${result.error.kind}: ${result.error.message}`);
  }
  return result.value;
}

function write(name: string, content: string | Uint8Array): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return pathToFileURL(file).href;
}

async function traceOf(uri: string): Promise<TraceView> {
  return answerOf(await server.ask(traceRequest, { uri }));
}

describe('a trace that is a clean file', () => {
  it('is read from disk and analysed with the files beside it', async () => {
    await server.openFromDisk(traceUri);
    const trace = await traceOf(traceUri);
    expect(trace.sources.map((source) => path.basename(source.file))).toEqual([
      'trace.txt',
      'cmdline.txt',
      'debugfs.csv',
      'dmesg.txt',
    ]);
    expect(trace.requests).toBeGreaterThan(4000);
    expect(trace.geometry.pools[0]).toMatchObject({ slots: 512, areas: 4, start: '0x7da8e000' });
    expect(trace.samples?.timeNs.length).toBeGreaterThan(50);
    expect(trace.guidance).toBeNull();
  });

  it('gets one finding per episode, and quiet marks on its further lines', async () => {
    // Findings come while the trace is still read; the last ones are the whole.
    const isHint = ({ severity }: { severity?: number }) => severity === 4;
    const found = await server.diagnosticsOf(traceUri, (diagnostics) => 60 < diagnostics.filter(isHint).length);
    const errors = found.filter(({ severity, code }) => severity !== 4 && /^(pool-full|fragmented)/.test(String(code)));
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.length).toBeLessThan(10);
    expect(errors[0].message).toMatch(/^(Pool full|Fragmented)/);
    expect(errors[0].message).toMatch(/… and \d+ more like this until line [\d,]+/);
    expect(errors[0].source).toBe('swiotlb');
    // Every failure of this capture was tried again with success.
    expect(errors[0].severity).toBe(2);
    expect(errors[0].message).toMatch(/Every one of them succeeded when it was tried again\./);
    expect(errors[0].relatedInformation?.length).toBeGreaterThan(1);
    for (const { range } of found) {
      const text = traceLines[range.start.line];
      expect(text.slice(range.start.character)).toMatch(/^(dma_map_page|swiotlb_bounced|dma_map_sg|console): |^nvme /);
      expect(range.end.character).toBeGreaterThan(range.start.character);
    }
  });

  it('gives the log beside it the same findings on its messages', async () => {
    await server.openFromDisk(dmesgUri);
    const found = await server.diagnosticsOf(dmesgUri, (diagnostics) => 0 < diagnostics.length);
    const messages = dmesgLines.flatMap((line, index) => (line.includes('swiotlb buffer is full') ? [index] : []));
    expect(found.map((diagnostic) => diagnostic.range.start.line)).toEqual(expect.arrayContaining(messages));
    const first = found.find((diagnostic) => diagnostic.range.start.line === messages[0])!;
    expect(first.relatedInformation?.some((related) => related.location.uri === traceUri)).toBe(true);
    expect(dmesgLines[messages[0]].slice(first.range.start.character)).toMatch(/^(nvme|swiotlb)/);
  });

  it('has a card with the verdict, and links, on a failing line', async () => {
    const line = traceLines.findIndex((text) => text.includes('dma_addr=ffffffffffffffff')) + 1;
    const hover = await server.hover(traceUri, line, traceLines[line - 1].indexOf('dma_map_page') + 2);
    const { value } = hover!.contents as MarkupContent;
    expect(value).toMatch(/^\*\*Failed/);
    expect(value).toMatch(/dynamic/i);
    expect(value).toMatch(/\]\(file:\/\/\/.*trace\.txt#L\d+\)/);
  });

  it('says nothing where there is nothing to say', async () => {
    expect(await server.hover(traceUri, 2, 0)).toBeNull();
    expect(await server.hover(traceUri, 10_000_000, 0)).toBeNull();
  });

  it('replays with the numbers of the analysis', async () => {
    const builder = createAnalysis();
    for (const name of ['trace.txt', 'cmdline.txt', 'debugfs.csv', 'dmesg.txt']) {
      const source = builder.openSource({ path: path.join(sample, name) });
      source.push(readFileSync(path.join(sample, name)));
      source.end();
    }
    const analysis = builder.snapshot();
    for (const policy of ['fixed', 'transient', 'dynamic']) {
      const view = answerOf(await server.ask(runRequest, { uri: traceUri, run: { policy, set: {} } }));
      const { report } = replayReport(analysis, { policy });
      expect(view).toMatchObject({
        basis: 'modelled',
        failed: report.failed,
        served: report.served,
        failuresByCause: report.failuresByCause,
        usedHighWaterSlots: report.usedHighWaterSlots,
        memory: report.memory,
        cost: report.cost,
      });
      expect(view.failures).toHaveLength(report.failed);
    }
  });

  it('shows as recorded what the kernel itself counted', async () => {
    const run = answerOf(await server.ask(runRequest, { uri: traceUri, run: { policy: 'recorded', set: {} } }));
    expect(run.basis).toBe('recorded');
    const failedEvents = traceLines.filter((line) => line.includes('dma_addr=ffffffffffffffff')).length;
    expect(run.failed).toBeGreaterThanOrEqual(failedEvents);
    const lastSample = readFileSync(path.join(sample, 'debugfs.csv'), 'utf8').trimEnd().split('\n').at(-1)!.split(',');
    expect(run.usedHighWaterSlots).toBe(Number(lastSample[4]));
  });

  it('gives decimated windows that keep the peak', async () => {
    const run = { policy: 'recorded', set: {} };
    const { fromNs, toNs, usedHighWaterSlots } = answerOf(await server.ask(runRequest, { uri: traceUri, run }));
    const ask = async (buckets: number) =>
      answerOf(await server.ask(seriesRequest, { uri: traceUri, run, fromNs, toNs, buckets }));
    const coarse = await ask(20);
    const fine = await ask(2000);
    expect(coarse.timeNs.length).toBeLessThan(300);
    expect(fine.timeNs.length).toBeGreaterThan(coarse.timeNs.length);
    expect(Math.max(...coarse.usedSlots)).toBe(Math.max(...fine.usedSlots));
    expect(Math.max(...coarse.hiwaterSlots)).toBe(usedHighWaterSlots);
  });

  it('knows the pool at the cursor as the kernel printed it', async () => {
    const line = traceLines.findIndex((text) => text.includes('swiotlb buffer is full')) + 1;
    const used = Number(/used (\d+) \(slots\)/.exec(traceLines[line - 1])![1]);
    expect(answerOf(await server.ask(cursorRequest, { uri: traceUri, line, run: recorded }))).toMatchObject({
      usedSlots: used,
      capacitySlots: 512,
    });
    expect(answerOf(await server.ask(cursorRequest, { uri: traceUri, line: 1, run: recorded }))).toBeNull();
  });

  it('verifies the model against the recorded addresses', async () => {
    const view = answerOf(await server.ask(verifyRequest, { uri: traceUri }));
    expect(view.checked).toBeGreaterThan(3000);
    expect(view.exact + view.learned).toBeGreaterThan(view.checked * 0.9);
    expect(view.file).toMatch(/trace\.txt$/);
  });
});

describe('questions that cannot be answered', () => {
  it('get a reason, and the server goes on', async () => {
    const failureOf = async (call: Promise<Result<unknown>>) => {
      const result = await call;
      return result.ok ? null : result.error;
    };
    const run = { policy: 'dynamic', set: {} };
    expect(await failureOf(server.ask(traceRequest, { uri: 'file:///no/such/trace.txt' }))).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/no such file|not.*found|does not exist/i),
    });
    expect(await failureOf(server.ask(traceRequest, { uri: pathToFileURL(folder).href }))).toMatchObject({
      kind: 'unavailable',
    });
    expect(await failureOf(server.ask(traceRequest, { uri: 'untitled:never-opened' }))).toMatchObject({
      kind: 'unavailable',
    });
    expect(await failureOf(server.ask(traceRequest, {} as never))).toMatchObject({ kind: 'invalid' });
    expect(
      await failureOf(server.ask(runRequest, { uri: traceUri, run: { policy: 'no-such', set: {} } })),
    ).toMatchObject({ kind: 'invalid', message: expect.stringContaining('dynamic') });
    expect(
      await failureOf(server.ask(runRequest, { uri: traceUri, run: { policy: 'fixed', set: { poolSlots: -1 } } })),
    ).toMatchObject({ kind: 'invalid' });
    expect(
      await failureOf(server.ask(seriesRequest, { uri: traceUri, run, fromNs: 0, toNs: 1, buckets: 1e9 })),
    ).toMatchObject({ kind: 'invalid' });
  });
});

describe('an untitled document', () => {
  const uri = 'untitled:Untitled-1';

  it('is diagnosed from its text', async () => {
    await server.open(uri, overSize);
    const [finding] = await server.diagnosticsOf(uri, (diagnostics) => 0 < diagnostics.length);
    expect(finding.code).toBe('over-size');
    expect(finding.message).toMatch(/^Over-size: 512 KiB cannot be bounced/);
    expect(overSize.slice(finding.range.start.character, finding.range.end.character)).toContain(
      'swiotlb buffer is full',
    );
  });

  it('is diagnosed again when it changes', async () => {
    await server.change(uri, 2, 'nothing here\n');
    expect(await server.diagnosticsOf(uri, (diagnostics) => diagnostics.length === 0)).toEqual([]);
    await server.change(uri, 3, overSize.repeat(30));
    const found = await server.diagnosticsOf(uri, (diagnostics) => 0 < diagnostics.length);
    expect(found.filter((diagnostic) => diagnostic.severity === 1)).toHaveLength(1);
  });

  it('says what a log proves and how to record more', async () => {
    const trace = await traceOf(uri);
    expect(trace.requests).toBe(0);
    expect(trace.failureCount).toBe(30);
    expect(trace.guidance?.commands.length).toBeGreaterThan(0);
    const run = answerOf(await server.ask(runRequest, { uri, run: { policy: 'dynamic', set: {} } }));
    expect(run.replayable).toBe(false);
    expect(run.missing.length).toBeGreaterThan(0);
  });

  it('loses its findings when it is closed', async () => {
    await server.close(uri);
    expect(await server.diagnosticsOf(uri, (diagnostics) => diagnostics.length === 0)).toEqual([]);
  });
});

describe('a dirty document', () => {
  it('is analysed by its text, and by the file again once saved', async () => {
    const uri = write('unsaved.dmesg', 'a quiet file\n');
    await server.openFromDisk(uri);
    expect(await server.diagnosticsOf(uri)).toEqual([]);
    await server.change(uri, 2, overSize);
    expect(await server.diagnosticsOf(uri, (diagnostics) => diagnostics.length === 1)).toHaveLength(1);
    // Undone: the file is the text again.
    await server.openFromDisk(uri);
    expect(await server.diagnosticsOf(uri, (diagnostics) => diagnostics.length === 0)).toEqual([]);
    await server.close(uri);
  });
});

describe('input that is no trace', () => {
  const check = async (uri: string, found: RegExp) => {
    const trace = await traceOf(uri);
    expect(trace.requests).toBe(0);
    expect(trace.guidance, uri).not.toBeNull();
    expect(`${trace.guidance!.title} ${trace.guidance!.found}`).toMatch(found);
    expect(await server.hover(uri, 1, 0)).toBeNull();
  };

  it('is named, with what to do next', async () => {
    await check(write('empty.txt', ''), /empty/i);
    await check(write('data.json', '{"a": [1, 2, 3]}\n'.repeat(100)), /not a swiotlb trace/i);
    await check(
      write(
        'binary.bin',
        Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 256),
      ),
      /binary|not a swiotlb/i,
    );
    await check(write('long.txt', 'x'.repeat(5_000_000)), /not a swiotlb|long/i);
  });

  it('may be huge and empty', async () => {
    const uri = write('sparse.txt', '');
    truncateSync(fileURLToPath(uri), 2 ** 31);
    await check(uri, /binary|not a swiotlb|empty/i);
  }, 60_000);

  it('may be a trace without anything of the field', async () => {
    const line = '     a-1   [000] d..2.   1.000001: sched_switch: prev_comm=a prev_pid=1\n';
    await check(
      write('sched.txt', `# tracer: nop\n#\n${line.repeat(50)}`),
      /no (swiotlb|mapping|dma)|without|neither/i,
    );
  });
});

describe('hostile input', () => {
  it('is shown as text', async () => {
    const name = '<img/src=x/onerror=alert(1)>';
    const uri = write('hostile.txt', overSize.replace('0000:05:00.0', name));
    copyFileSync(fileURLToPath(uri), path.join(folder, 'copy.txt'));
    await server.openFromDisk(uri);
    const [finding] = await server.diagnosticsOf(uri, (diagnostics) => 0 < diagnostics.length);
    expect(finding.code).toBe('over-size');
    const hover = await server.hover(uri, 1, 60);
    const value = (hover?.contents as MarkupContent | undefined)?.value ?? '';
    expect(value).not.toMatch(/(?<!\\)<img/);
    await server.close(uri);
  });
});
