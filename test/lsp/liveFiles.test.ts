import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type AnalysedParams,
  analysedNotification,
  cancelAnalysisNotification,
  cardRequest,
  closeFileNotification,
  cursorRequest,
  findingRequest,
  marksRequest,
  openFileNotification,
  outcomeRequest,
  runRequest,
  traceRequest,
} from '../../src/protocol/lsp';
import type { Result } from '../../src/protocol/result';
import { fixturePath } from '../support/fixtures';
import { LspServer } from '../support/lsp';

const sample = fileURLToPath(new URL('../../media/samples/full-1MiB/', import.meta.url));
const traceText = readFileSync(path.join(sample, 'trace.txt'), 'utf8');
const traceLines = traceText.split('\n');
const full = (used: number, at: number) =>
  `[${at.toFixed(6).padStart(12)}] nvme 0000:05:00.0: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used ${used} (slots)\n`;
const quiet =
  '[    1.000000] Linux version 6.12.0\n[    1.100000] software IO TLB: mapped [mem 0x0000000076000000-0x000000007a000000] (64MB)\n';

let server: LspServer;
let folder: string;
const analysed: AnalysedParams[] = [];

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'live-'));
  server = await LspServer.start();
  server.onNotification<AnalysedParams>(analysedNotification.method, (params) => analysed.push(params));
}, 60_000);
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  expect(server.isAlive()).toBe(true);
  expect(server.errors).toEqual([]);
});

function write(name: string, content: string | Uint8Array): { readonly file: string; readonly uri: string } {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return { file, uri: pathToFileURL(file).href };
}

function answerOf<T>(result: Result<T>): T {
  if (!result.ok) {
    throw new Error(`${result.error.kind}: ${result.error.message}`);
  }
  return result.value;
}

const errorsOf = (uri: string, count: number) =>
  server.diagnosticsOf(uri, (found) => found.filter(({ severity }) => severity === 1).length === count);

/** Bytes read by all analyses, as of the last one of this document. */
async function readBytesAfter(uri: string, before: number): Promise<number> {
  await vi.waitFor(() => expect(analysed.slice(before).some((params) => params.uri === uri)).toBe(true), 10_000);
  return analysed.findLast((params) => params.uri === uri)!.readBytes;
}

describe.each([
  ['an open document', (uri: string) => server.openFromDisk(uri), (uri: string) => server.close(uri)],
  [
    'a file in the custom editor',
    (uri: string) => server.notify(openFileNotification.method, { uri }),
    (uri: string) => server.notify(closeFileNotification.method, { uri }),
  ],
])('%s that grows', (kind, openIt, closeIt) => {
  const name = kind.replaceAll(' ', '-');

  it('gets the findings of its new lines, and only the new bytes are read', async () => {
    const { file, uri } = write(`${name}.log`, quiet + full(32_768, 2));
    await openIt(uri);
    await errorsOf(uri, 1);
    const atFirst = await readBytesAfter(uri, 0);
    for (let step = 1; step <= 3; step++) {
      const known = analysed.length;
      const more = `[${(2 + step * 10).toFixed(6).padStart(12)}] usb 1-1: new device\n${full(32_000, 3 + step * 10)}`;
      appendFileSync(file, more);
      const found = await server.diagnosticsOf(uri, (all) =>
        all.some(({ range }) => range.start.line === 2 + step * 2),
      );
      expect(found.some(({ message }) => String(message).startsWith('Fragmented'))).toBe(true);
      expect(await readBytesAfter(uri, known)).toBe(atFirst + more.length * step);
    }
    await closeIt(uri);
    await server.diagnosticsOf(uri, (all) => all.length === 0);
  });

  it('a line that was written in two halves counts once it is whole', async () => {
    const { file, uri } = write(`${name}-halves.log`, quiet);
    await openIt(uri);
    await readBytesAfter(uri, 0);
    const line = full(32_768, 2);
    let known = analysed.length;
    appendFileSync(file, line.slice(0, 60));
    await readBytesAfter(uri, known);
    known = analysed.length;
    appendFileSync(file, line.slice(60));
    const [found] = await errorsOf(uri, 1);
    expect(found.message).toMatch(/^Pool full/);
    expect(found.range.start.line).toBe(2);
    await closeIt(uri);
  });

  it('begins again when it is cut, rewritten or replaced by another file', async () => {
    const { file, uri } = write(`${name}-cut.log`, quiet + full(32_768, 2));
    await openIt(uri);
    await errorsOf(uri, 1);
    truncateSync(file, quiet.length);
    await errorsOf(uri, 0);
    appendFileSync(file, full(32_768, 5));
    await errorsOf(uri, 1);
    // Rotation: the name is another file's now.
    renameSync(file, `${file}.1`);
    writeFileSync(file, `${quiet}[    1.200000] x\n${full(32_000, 2)}`);
    const [found] = await server.diagnosticsOf(uri, (all) => all.some(({ range }) => range.start.line === 3));
    expect(found.message).toMatch(/^Fragmented/);
    // Gone and back.
    rmSync(file);
    await errorsOf(uri, 0);
    writeFileSync(file, full(32_768, 2));
    await server.diagnosticsOf(uri, (all) => all.some(({ range }) => range.start.line === 0));
    await closeIt(uri);
  });
});

describe('a file that is no document', () => {
  it('answers everything a document does', async () => {
    const { uri } = write('trace-packed.txt.gz', gzipSync(traceText));
    await server.notify(openFileNotification.method, { uri });
    await server.diagnosticsOf(uri, (found) => 0 < found.length);
    const failed = traceLines.flatMap((text, index) => (text.includes('dma_addr=ffffffffffffffff') ? [index + 1] : []));
    const marks = answerOf(await server.ask(marksRequest, { uri }));
    expect(marks.failures).toEqual(expect.arrayContaining(failed));
    expect(marks.devices).toContain('0000:00:05.0');
    expect(marks.events).toEqual(expect.arrayContaining(['dma_map_page', 'dma_unmap_page', 'swiotlb_bounced']));
    expect(answerOf(await server.ask(outcomeRequest, { uri, outcome: 'failed' }))).toEqual(marks.failures);
    const served = answerOf(await server.ask(outcomeRequest, { uri, outcome: 'served' }));
    expect(served.length).toBeGreaterThan(3000);
    expect(served.every((line) => /dma_map_(page|sg)/.test(traceLines[line - 1]))).toBe(true);

    const line = failed[0];
    const text = traceLines[line - 1];
    const card = answerOf(await server.ask(cardRequest, { uri, line, column: text.indexOf('dma_map'), text }));
    expect(card?.verdict).toMatch(/^Failed/);
    expect(card?.actions.map(({ title }) => title)).toContain('Show slot map');
    expect(card?.lines.flatMap(({ links }) => links).every((link) => link.uri === uri && 0 < link.line)).toBe(true);
    const run = { policy: 'dynamic', set: {} };
    expect(answerOf(await server.ask(runRequest, { uri, run })).failed).toBe(0);
    expect(answerOf(await server.ask(cursorRequest, { uri, line, run }))).not.toBeNull();
    expect(answerOf(await server.ask(findingRequest, { uri, line })).markdown).toMatch(/trace-packed\.txt\.gz, line /);
    await server.notify(closeFileNotification.method, { uri });
    await server.diagnosticsOf(uri, (found) => found.length === 0);
  });

  it('has findings per file when it is an archive, and each file can be asked about', async () => {
    const archive = pack();
    archive.entry({ name: 'run/dmesg.txt' }, quiet + full(32_768, 2));
    archive.entry({ name: 'run/trace.txt' }, traceText);
    archive.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of archive) {
      chunks.push(chunk);
    }
    const { uri } = write('run.tar', Buffer.concat(chunks));
    await server.notify(openFileNotification.method, { uri });
    const inside = `${uri}/run/trace.txt`;
    await server.diagnosticsOf(inside, (found) => 0 < found.length);
    expect(answerOf(await server.ask(traceRequest, { uri: inside })).sources.map((source) => source.uri)).toContain(
      inside,
    );
    expect(answerOf(await server.ask(marksRequest, { uri: inside })).failures.length).toBeGreaterThan(70);
    await server.notify(closeFileNotification.method, { uri });
    await server.diagnosticsOf(inside, (found) => found.length === 0);
  });

  it('is analysed by its lines when it is a binary trace', async () => {
    const { uri } = write('trace.dat', gunzipSync(readFileSync(fixturePath('trace/trace-v7zlib.dat.gz'))));
    await server.notify(openFileNotification.method, { uri });
    const marks = answerOf(await server.ask(marksRequest, { uri }));
    expect(marks.events.length).toBeGreaterThan(0);
    await server.notify(closeFileNotification.method, { uri });
  });

  it('is read as text when it is UTF-16: a hover knows the word it stands on', async () => {
    const text = `${traceLines.slice(0, 400).join('\n')}\n`;
    const line = traceLines.findIndex((found) => found.includes('dma_mask=')) + 1;
    const column = traceLines[line - 1].indexOf('dma_mask=') + 2;
    const cards: unknown[] = [];
    for (const [name, content] of [
      ['utf16.trace', Buffer.from(`\ufeff${text}`, 'utf16le')],
      ['utf8.trace', text],
    ] as const) {
      const { uri } = write(name, content);
      await server.openFromDisk(uri);
      answerOf(await server.ask(traceRequest, { uri })); // It has been read.
      const hover = await server.hover(uri, line, column);
      cards.push([hover?.range, JSON.stringify(hover?.contents).replaceAll(name, '')]);
    }
    expect(cards[0]).toEqual(cards[1]);
    expect(cards[1]).toEqual([expect.anything(), expect.stringMatching(/mask/i)]);
  });

  it('that was cancelled is analysed only when asked for again', async () => {
    const { uri } = write('big.txt', traceText.repeat(20));
    await server.notify(openFileNotification.method, { uri });
    await server.notify(cancelAnalysisNotification.method, { uri });
    const refused = await server.ask(marksRequest, { uri });
    expect(refused.ok ? null : refused.error.kind).toBe('cancelled');
    await server.notify(openFileNotification.method, { uri });
    await server.notify(closeFileNotification.method, { uri });
    expect(answerOf(await server.ask(marksRequest, { uri })).failures.length).toBeGreaterThan(70);
    await server.notify(closeFileNotification.method, { uri });
  }, 60_000);
});
