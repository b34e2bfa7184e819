import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CancellationTokenSource } from 'vscode-languageserver/node';
import { type RequestName, runRequest, traceRequest, verifyRequest } from '../../src/protocol/lsp';
import type { Result } from '../../src/protocol/result';
import { LspServer } from '../support/lsp';

/** More than are replayed or verified on the thread that answers. */
const requests = 110_000;

let server: LspServer;
let folder: string;
let uri: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'shared-'));
  const file = path.join(folder, 'trace.txt');
  writeFileSync(file, manyMappings());
  uri = pathToFileURL(file).href;
  server = await LspServer.start(undefined, { hasThreads: true });
  const trace = await server.ask(traceRequest, { uri });
  expect(trace).toMatchObject({ ok: true, value: { requests } });
}, 120_000);

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** Mappings of one page in a pool of 1 MiB, sixteen at a time. */
function manyMappings(): string {
  const lines = [
    '# tracer: nop',
    '  boot-1  [000] d..1.     0.000001: console: [    0.000001] software IO TLB: mapped [mem 0x000000007d000000-0x000000007d100000] (1MB)',
  ];
  const at = (index: number) => `  fio-1  [000] d..1.     ${(1 + index / 1e5).toFixed(6)}:`;
  for (let index = 0; index < requests; index++) {
    const bounce = (0x7d000000 + (index % 16) * 4096).toString(16);
    if (16 <= index) {
      lines.push(`${at(index)} dma_unmap_phys: 0000:00:05.0 dir=TO_DEVICE dma_addr=${bounce} size=4096 attrs=`);
    }
    const fields = `dma_addr=${bounce} size=4096 phys_addr=${(0x100000000 + index * 4096).toString(16)} attrs=`;
    lines.push(`${at(index)} dma_map_phys: 0000:00:05.0 dir=TO_DEVICE ${fields}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Two ask for the same; the first one stops waiting once both are on their way. */
async function askTwice<P, T>(name: RequestName<P, Result<T>>, params: P) {
  const impatient = new CancellationTokenSource();
  const first = server.ask(name, params, impatient.token);
  const second = server.ask(name, params);
  // Answered after both were begun.
  await server.ask(traceRequest, { uri });
  impatient.cancel();
  return { first: await first, second: await second };
}

describe('two who ask for the same', () => {
  it('replay: the second has its answer although the first cancels', async () => {
    const { first, second } = await askTwice(runRequest, { uri, run: { policy: 'dynamic', set: {} } });
    expect(first).toMatchObject({ ok: false, error: { kind: 'cancelled' } });
    expect(second).toMatchObject({ ok: true, value: { requests } });
  });

  it('verification: the second has its answer although the first cancels', async () => {
    const { first, second } = await askTwice(verifyRequest, { uri });
    expect(first).toMatchObject({ ok: false, error: { kind: 'cancelled' } });
    expect(second).toMatchObject({ ok: true, value: { requests } });
  });

  it('replay that was cancelled alone: is made when it is asked for again', async () => {
    const impatient = new CancellationTokenSource();
    const run = { policy: 'transient', set: {} };
    const alone = server.ask(runRequest, { uri, run }, impatient.token);
    await server.ask(traceRequest, { uri });
    impatient.cancel();
    expect(await alone).toMatchObject({ ok: false, error: { kind: 'cancelled' } });
    expect(await server.ask(runRequest, { uri, run })).toMatchObject({ ok: true, value: { requests } });
  });
}, 60_000);
