import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { devicesRequest, sharesRequest } from '../../src/protocol/devices';
import { runRequest } from '../../src/protocol/lsp';
import type { Result } from '../../src/protocol/result';
import {
  type SlotsView,
  slotDetailRequest,
  slotLineRequest,
  slotStepRequest,
  slotsRequest,
} from '../../src/protocol/slots';
import { readFixture } from '../support/fixtures';
import { LspServer } from '../support/lsp';

const tracePath = fileURLToPath(new URL('../../media/samples/full-1MiB/trace.txt', import.meta.url));
const uri = pathToFileURL(tracePath).href;
const lines = readFileSync(tracePath, 'utf8').split('\n');
const failingLine = lines.findIndex((line) => line.includes('dma_addr=ffffffffffffffff')) + 1;
const recorded = { policy: 'recorded', set: {} };
const dynamic = { policy: 'dynamic', set: {} };

let server: LspServer;
beforeAll(async () => {
  server = await LspServer.start();
}, 60_000);
afterAll(() => server.stop());

function answerOf<T>(result: Result<T>): T {
  if (!result.ok) {
    throw new Error(`${result.error.kind}: ${result.error.message}\n${server.errors.join('\n')}`);
  }
  return result.value;
}

function int32(text: string): number[] {
  const bytes = Buffer.from(text, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readInt32LE(index * 4));
}

const usedOf = (view: SlotsView) => int32(view.mappings.slots).reduce((sum, slots) => sum + slots, 0);

describe('the slot map', () => {
  it('of a failing line shows the request that failed, and what was free', async () => {
    const view = answerOf(await server.ask(slotLineRequest, { uri, run: recorded, line: failingLine }))!;
    expect(view).toMatchObject({ basis: 'recorded', hasTime: true, event: { kind: 'failed' } });
    const neededSlots = Math.ceil(Number(/size=(\d+)/.exec(lines[failingLine - 1]!)![1]) / 2048);
    expect(view.event).toMatchObject({ place: { line: failingLine }, slots: neededSlots, failure: { neededSlots } });
    expect(view.pools).toMatchObject([{ kind: 'boot', slots: 512, areas: 4, usedSlots: usedOf(view) }]);
    expect(view.freeSlots).toBe(512 - usedOf(view));
    expect(view.largestHole!.slots).toBeLessThan(neededSlots);
    expect(view.devices.reduce((sum, device) => sum + device.slots, 0)).toBe(usedOf(view));
  });

  it('steps to the next failure and back, and through events', async () => {
    const step = async (from: number, kind: 'event' | 'failure', direction: 'next' | 'previous') =>
      answerOf(await server.ask(slotStepRequest, { uri, run: recorded, step: from, kind, direction }));
    const start = answerOf(await server.ask(slotsRequest, { uri, run: recorded, timeNs: -1e18 }));
    expect(start.step).toBe(start.firstStep);
    expect(start.event).toBeNull();
    const first = (await step(start.step, 'failure', 'next'))!;
    expect(first.event?.place?.line).toBe(failingLine);
    const second = (await step(first.step, 'failure', 'next'))!;
    expect(second.step).toBeGreaterThan(first.step);
    expect(await step(second.step, 'failure', 'previous')).toEqual(first);
    expect(await step(first.step, 'failure', 'previous')).toBeNull();
    expect((await step(first.step, 'event', 'previous'))!.step).toBe(first.step - 1);
  });

  it('of a replay has its pools and serves what the recording could not', async () => {
    const recordedView = answerOf(await server.ask(slotLineRequest, { uri, run: recorded, line: failingLine }))!;
    const view = answerOf(await server.ask(slotLineRequest, { uri, run: dynamic, line: failingLine }))!;
    expect(view).toMatchObject({ basis: 'modelled', event: { kind: 'taken', place: { line: failingLine } } });
    expect(view.pools.map((pool) => pool.kind)).toContain('transient');
    const ranks = (of: SlotsView) => of.devices.map(({ name, rank }) => [name, rank]);
    expect(ranks(view)).toEqual(ranks(recordedView));
  });

  it('tells about one mapping, with lines to go to', async () => {
    const view = answerOf(await server.ask(slotLineRequest, { uri, run: recorded, line: failingLine }))!;
    const move = int32(view.mappings.move).at(-1)!;
    const detail = answerOf(await server.ask(slotDetailRequest, { uri, run: recorded, move }));
    expect(detail.slots).toBe(int32(view.mappings.slots).at(-1));
    expect(lines[detail.map!.line - 1]).toContain(detail.bounce!.slice(2));
    expect(lines[detail.map!.line - 1]).toContain(`size=${detail.sizeBytes}`);
    const wrong = await server.ask(slotDetailRequest, { uri, run: recorded, move: 2 ** 30 });
    expect(wrong).toMatchObject({ ok: false, error: { kind: 'invalid' } });
  });

  it('refuses what is no step', async () => {
    const params = { uri, run: recorded, step: -1, kind: 'event', direction: 'next' } as const;
    expect(await server.ask(slotStepRequest, params)).toMatchObject({ ok: false, error: { kind: 'invalid' } });
  });
});

describe('inputs that show less', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'slots-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const open = (name: string, text: string | Uint8Array) => {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    return pathToFileURL(file).href;
  };
  const slotsOf = async (of: string) => answerOf(await server.ask(slotsRequest, { uri: of, run: recorded, timeNs: 0 }));

  it('give an empty map for a log, and no shares', async () => {
    const log =
      '[   12.345678] nvme 0000:05:00.0: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used 9 (slots)\n';
    const of = open('log.txt', log);
    expect(await slotsOf(of)).toMatchObject({ lastStep: 0, mappings: { count: 0 }, event: null });
    const params = { uri: of, run: recorded, fromNs: 0, toNs: 1e9, buckets: 10 };
    expect(answerOf(await server.ask(sharesRequest, params)).devices).toEqual([]);
    expect(answerOf(await server.ask(slotLineRequest, { uri: of, run: recorded, line: 1 }))).toBeNull();
  });

  it('count steps where the clock gives order only, and nothing has a lifetime', async () => {
    const of = open('counter.txt', readFixture('captures/h8_clock_counter/trace.txt'));
    const view = await slotsOf(of);
    expect(view).toMatchObject({ basis: 'modelled', hasTime: false });
    const next = { uri: of, run: recorded, step: view.firstStep, kind: 'event', direction: 'next' } as const;
    const after = answerOf(await server.ask(slotStepRequest, next))!;
    expect(after.step).toBe(view.firstStep + 1);
    expect(Number.isInteger(after.timeNs)).toBe(true);
    const devices = answerOf(await server.ask(devicesRequest, { uri: of }));
    expect(devices).toMatchObject({ hasTime: false, lifetimeEdgesNs: null });
  });

  it('say that a map without recorded addresses is modelled', async () => {
    const of = open('bounced.txt', readFixture('captures/a1_fixed_bounced_only/trace.txt'));
    expect(await slotsOf(of)).toMatchObject({ basis: 'modelled', hasTime: true, run: recorded });
  });
});

describe('shares of the devices', () => {
  it('reach the high water of the run', async () => {
    const run = answerOf(await server.ask(runRequest, { uri, run: recorded }));
    const { fromNs, toNs } = run;
    const shares = answerOf(await server.ask(sharesRequest, { uri, run: recorded, fromNs, toNs, buckets: 100 }));
    const totals = shares.timeNs.map((_, index) =>
      shares.devices.reduce((sum, device) => sum + device.slots[index]!, 0),
    );
    expect(Math.max(...totals)).toBe(run.usedHighWaterSlots);
    expect(shares.timeNs.length).toBeLessThanOrEqual(102);
  });
});
