import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runRequest, traceRequest } from '../../src/protocol/lsp';
import type { Result } from '../../src/protocol/result';
import { episodeFailuresRequest, finishedRunsRequest, geometryRowsRequest } from '../../src/protocol/sideViews';
import { LspServer } from '../support/lsp';

const uri = pathToFileURL(fileURLToPath(new URL('../../media/samples/full-1MiB/trace.txt', import.meta.url))).href;

let server: LspServer;

beforeAll(async () => {
  server = await LspServer.start();
  await server.openFromDisk(uri);
}, 60_000);

afterAll(() => server.stop());

function answerOf<T>(result: Result<T>): T {
  if (!result.ok) {
    throw new Error(`${result.error.kind}: ${result.error.message}`);
  }
  return result.value;
}

describe('the views of the side bar', () => {
  it('get every fact of the kernel with its evidence and the line that says so', async () => {
    const rows = answerOf(await server.ask(geometryRowsRequest, { uri }));
    const poolSlots = rows.find(({ field }) => field === 'poolSlots')!;
    expect(poolSlots).toMatchObject({ value: '512', shown: '512 slots · 1 MiB', level: 'recorded' });
    expect(poolSlots.file).toMatch(/dmesg\.txt$/);
    expect(poolSlots.line).toBeGreaterThan(0);
    // What nothing tells is there too, marked as such.
    expect(rows.find(({ field }) => field === 'pageSize')).toMatchObject({
      value: '4096',
      level: 'default',
      line: null,
    });
    expect(rows.filter(({ field }) => field === 'dmaMaskBits').map(({ device }) => device)).toContain('0000:00:05.0');
    // A recorded pool needs no parameter to size it.
    expect(rows.some(({ field }) => field === 'boot')).toBe(false);
  });

  it('get the failures of an episode in pages', async () => {
    const { episodes, failureCount } = answerOf(await server.ask(traceRequest, { uri }));
    let seen = 0;
    for (const [episode, { count, firstLine, lastLine }] of episodes.entries()) {
      const all = answerOf(await server.ask(episodeFailuresRequest, { uri, episode, skip: 0, count: 10_000 }));
      expect(all).toHaveLength(count);
      expect([all[0].line, all[all.length - 1].line]).toEqual([firstLine, lastLine]);
      const second = answerOf(await server.ask(episodeFailuresRequest, { uri, episode, skip: 1, count: 2 }));
      expect(second).toEqual(all.slice(1, 3));
      seen += all.length;
    }
    expect(seen).toBe(failureCount);
  });

  it('get the replays made so far, with the numbers of the panel', async () => {
    const before = answerOf(await server.ask(finishedRunsRequest, { uri }));
    expect(before.some(({ key }) => key.policy === 'transient')).toBe(false);
    const run = answerOf(await server.ask(runRequest, { uri, run: { policy: 'transient', set: {} } }));
    const after = answerOf(await server.ask(finishedRunsRequest, { uri }));
    expect(after.find(({ key }) => key.policy === 'transient')).toMatchObject({
      failed: run.failed,
      served: run.served,
      usedHighWaterSlots: run.usedHighWaterSlots,
      peakBytes: run.memory.peakBytes,
    });
  });
});
