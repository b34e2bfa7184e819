import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { analysedNotification, analysisFailedNotification } from '../../src/protocol/lsp';
import { LspServer } from '../support/lsp';

const sample = fileURLToPath(new URL('../../media/samples/full-1MiB/trace.txt', import.meta.url));

it('reading a large file can be stopped, and is taken up again when it is opened again', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'cancel-'));
  const file = path.join(folder, 'large.ftrace');
  const text = readFileSync(sample);
  writeFileSync(file, Buffer.concat(Array.from({ length: 40 }, () => text)));
  const uri = pathToFileURL(file).href;
  const server = await LspServer.start(undefined, { capabilities: { window: { workDoneProgress: true } } });
  try {
    const begun = server.cancelProgress();
    const failed = new Promise<{ message: string }>((resolve) => {
      server.onNotification<{ uri: string; message: string }>(analysisFailedNotification.method, resolve);
    });
    await server.openFromDisk(uri);
    expect(await begun).toMatchObject({ kind: 'begin', cancellable: true, message: 'analysing large.ftrace' });
    expect((await failed).message).toMatch(/cancelled; open the file again/);

    const analysed = new Promise<{ requests: number }>((resolve) => {
      server.onNotification<{ requests: number }>(analysedNotification.method, resolve);
    });
    await server.close(uri);
    writeFileSync(file, text);
    await server.openFromDisk(uri);
    expect((await analysed).requests).toBeGreaterThan(4000);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}, 60_000);
