import * as path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AnalysedParams, analysedNotification, runRequest, traceRequest } from '../../src/protocol/lsp';
import type { Result } from '../../src/protocol/result';
import { LspServer } from '../support/lsp';

const trace = fileURLToPath(new URL('../../media/samples/full-1MiB/trace.txt', import.meta.url));
const uri = pathToFileURL(trace).href;

let server: LspServer;
let settings: Record<string, unknown> = {};
/** Of another folder of the workspace. */
const otherSettings = { geometry: { cpus: 9 } };
const otherUri = pathToFileURL(fileURLToPath(new URL('../../media/samples/growth/trace.txt', import.meta.url))).href;

beforeAll(async () => {
  server = await LspServer.start((asked) => (asked === otherUri ? otherSettings : settings));
  const first = analysed();
  await server.openFromDisk(uri);
  await first;
}, 60_000);

afterAll(() => server.stop());

function answerOf<T>(result: Result<T>): T {
  if (!result.ok) {
    throw new Error(`${result.error.kind}: ${result.error.message}`);
  }
  return result.value;
}

function analysed(): Promise<AnalysedParams> {
  return new Promise((resolve) => {
    const listening = server.onNotification<AnalysedParams>(analysedNotification.method, (params) => {
      if (params.uri === uri) {
        listening.dispose();
        resolve(params);
      }
    });
  });
}

/** Changes settings as a user does; resolves when the trace was interpreted anew. */
async function change(changed: Record<string, unknown>): Promise<AnalysedParams> {
  const done = analysed();
  settings = changed;
  await server.settingsChanged();
  return done;
}

const run = async (policy: string) => answerOf(await server.ask(runRequest, { uri, run: { policy, set: {} } }));
const view = async () => answerOf(await server.ask(traceRequest, { uri }));

describe('settings of a document', () => {
  it('count without a restart, and only as long as they are set', async () => {
    const before = await run('fixed');
    await change({ replay: { dropRetries: false, context: 'alwaysAtomic', assumedLifetimeMs: 5 } });
    const during = await run('fixed');
    expect(during.params['dropRetries']).toMatchObject({ value: false, level: 'user' });
    expect(during.params['context']).toMatchObject({ value: 'alwaysAtomic', level: 'user' });
    expect(during.params['assumedLifetimeNs']).toMatchObject({ value: 5e6, level: 'user' });
    expect(during.assumed.retriesDropped).toBe(0);
    await change({});
    expect(await run('fixed')).toEqual(before);
  });

  it('make another reading of the trace; opening it again does not', async () => {
    const { reading } = await view();
    server.close(uri);
    const again = analysed();
    await server.openFromDisk(uri);
    expect((await again).reading).toBe(reading);
    const changed = await change({ replay: { dropRetries: false } });
    expect(changed.reading).not.toBe(reading);
    expect((await view()).reading).toBe(changed.reading);
    await change({});
  });

  it('name the devices whose requests may sleep', async () => {
    await change({ replay: { context: 'perDevice', sleepableDevices: ['0000:00:05.0'] } });
    const named = await run('rfc-v2');
    expect(named.params['sleepableDevices']).toMatchObject({ value: '0000:00:05.0', level: 'user' });
    expect(named.params['context']).toMatchObject({ value: 'perDevice', level: 'user' });
    await change({});
  });

  it('say what the trace does not tell about the kernel; files are not read again for that', async () => {
    const before = await view();
    await change({ geometry: { cpus: 7, minAlign: { '0000:00:05.0': '0x1ff' } } });
    const during = await view();
    expect(during.geometry.cpus).toBe(7);
    expect(during.geometry.evidence['cpus']).toMatchObject({ level: 'user' });
    expect(during.geometry.devices.find(({ name }) => name === '0000:00:05.0')?.minAlignMask).toBe('0x1ff');
    expect(during.lines).toBe(before.lines);
    await change({});
    expect((await view()).geometry).toEqual(before.geometry);
  });

  it('are those of its own folder, with several traces open at once', async () => {
    await server.openFromDisk(otherUri);
    const other = answerOf(await server.ask(traceRequest, { uri: otherUri }));
    expect(other.geometry.cpus).toBe(9);
    expect((await view()).geometry.cpus).toBe(4);
    await change({ geometry: { cpus: 5 } });
    expect((await view()).geometry.cpus).toBe(5);
    expect(answerOf(await server.ask(traceRequest, { uri: otherUri })).geometry.cpus).toBe(9);
    await server.close(otherUri);
    await change({});
  });

  it('decide what is read together', async () => {
    await change({ captureFolders: false });
    expect((await view()).sources.map(({ file }) => path.basename(file))).toEqual(['trace.txt']);
    await change({});
    expect((await view()).sources.length).toBeGreaterThan(2);
  });

  it('choose what a hover compares with', async () => {
    const { failures } = await view();
    const line = failures.find(({ file }) => file.endsWith('trace.txt'))!.line;
    const hover = async () => JSON.stringify((await server.hover(uri, line, 60))?.contents);
    expect(await hover()).toContain('dynamic:');
    await change({ hover: { policy: 'none' } });
    expect(await hover()).not.toContain('dynamic:');
    await change({});
  });

  it('that are wrong keep their default and are named in the log', async () => {
    const problems: string[] = [];
    const listening = server.onNotification<{ message: string }>('window/logMessage', ({ message }) => {
      problems.push(message);
    });
    await change({
      hover: { policy: 'best' },
      replay: { assumedLifetimeMs: -1, context: 5 },
      deviceClasses: { '0000:00:05.0': 'disk' },
      geometry: { cpus: 3, poolStart: 'low', colour: 'red', minAlign: { a: 'x' } },
    });
    expect((await view()).geometry.cpus).toBe(3);
    const text = problems.join('\n');
    for (const name of [
      'hover.policy',
      'assumedLifetimeMs',
      'context',
      'deviceClasses',
      'poolStart',
      'colour',
      'minAlign',
    ]) {
      expect(text).toContain(name);
    }
    listening.dispose();
    await change({});
  });
});
