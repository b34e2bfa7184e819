import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Documents } from '../../src/server/documents';
import { defaultSettings } from '../../src/server/settings';
import { TraceStore } from '../../src/server/traceStore';
import { fixturePath } from '../support/fixtures';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'swiotlb-lens-store-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function createStore(): TraceStore {
  const documents = { get: () => undefined } as unknown as Documents;
  return new TraceStore({ documents, settings: async () => defaultSettings, onProgress: () => undefined });
}

const uriOf = (name: string) => pathToFileURL(path.join(folder, name)).href;

describe('captures in the editor', () => {
  it('an archive gives the same analysis as the trace in its folder', async () => {
    for (const name of readdirSync(fixturePath('bundle/capture'))) {
      copyFileSync(path.join(fixturePath('bundle/capture'), name), path.join(folder, name));
    }
    copyFileSync(fixturePath('bundle/capture.tar.xz'), path.join(folder, 'packed.txz'));
    const opened = await createStore().get(uriOf('trace.txt.gz'));
    const packed = await createStore().get(uriOf('packed.txz'));
    expect(packed.analysis.tables.counts).toEqual(opened.analysis.tables.counts);
    expect(packed.analysis.tables.counts.requests).toBeGreaterThan(100);
    const plain = (file: string) => path.basename(file).replace(/\.gz$/, '');
    const files = (trace: typeof packed) => trace.members.map((member) => plain(member.path)).sort();
    expect(files(packed)).toEqual(files(opened));
    expect(packed.info().geometry.kernel).toBe(opened.info().geometry.kernel);
  });

  it('an analysis of an archive is kept while the archive is as it was', async () => {
    const store = createStore();
    copyFileSync(fixturePath('bundle/capture.tar.zst'), path.join(folder, 'kept.tar.zst'));
    const trace = await store.get(uriOf('kept.tar.zst'));
    await store.refresh(uriOf('kept.tar.zst'));
    expect(await store.get(uriOf('kept.tar.zst'))).toBe(trace);
    copyFileSync(fixturePath('bundle/capture.tar.xz'), path.join(folder, 'kept.tar.zst'));
    await store.refresh(uriOf('kept.tar.zst'));
    expect(await store.get(uriOf('kept.tar.zst'))).not.toBe(trace);
  });

  it('a long one gives findings while it is being read, and the same in the end', async () => {
    const partial: number[] = [];
    const documents = { get: () => undefined } as unknown as Documents;
    const store = new TraceStore({
      documents,
      settings: async () => ({ ...defaultSettings, captureFolders: false }),
      onProgress: () => undefined,
      firstPartialMs: 0,
      onPartial: async (_, trace) => void partial.push(trace.diagnose().failures.length),
    });
    const { pathname } = new URL('../../media/samples/full-1MiB/trace.txt', import.meta.url);
    const uri = pathToFileURL(decodeURIComponent(pathname)).href;
    const last = (await store.get(uri)).diagnose().failures.length;
    expect(partial.length).toBeGreaterThan(0);
    expect(partial).toEqual([...partial].sort((a, b) => a - b));
    expect(partial.every((count) => count <= last)).toBe(true);
    expect(last).toBe((await createStore().get(uri)).diagnose().failures.length);
  });
});
