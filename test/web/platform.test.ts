import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openInput } from '../../src/node/input';
import { openLineSource } from '../../src/node/lineSource';
import { readLines } from '../../src/node/readLines';
import { rewriteInputs } from '../../src/node/rewriteInput';
import { Channel } from '../../src/protocol/channel';
import { type DiskMethods, type DiskReply, diskMethods, type NoMethods } from '../../src/protocol/disk';
import { connectDisk, disk } from '../../src/web/disk';
import { gunzip } from '../../src/web/gunzip';
import { pathOf, paths, uriOf } from '../../src/web/paths';
import { platform } from '../../src/web/platform';
import { readFixture } from '../support/fixtures';

// The code that Node and a browser share, as a browser gets it.
vi.mock('#platform', () => import('../../src/web/platform'));

/** What the extension would find in VS Code's file systems, by location. */
const files = new Map<string, { bytes: Uint8Array; mtimeMs: number }>();
const asked: string[] = [];

const folder = 'vscode-vfs://github/owner/a%20repository';

function put(name: string, bytes: Uint8Array): string {
  const uri = `${folder}/${name}`;
  files.set(uri, { bytes, mtimeMs: files.size + 1 });
  return pathOf(uri)!;
}

function found<T>(uri: string, answer: (file: { bytes: Uint8Array; mtimeMs: number }) => T): DiskReply<T> {
  const file = files.get(uri);
  return file === undefined ? { code: 'ENOENT', message: 'not there' } : { value: answer(file) };
}

beforeAll(() => {
  const { port1, port2 } = new MessageChannel();
  const extension = new Channel<DiskMethods, NoMethods>({
    methods: diskMethods,
    handlers: {
      status: ({ uri }) =>
        uri === folder
          ? { value: { sizeBytes: 0, mtimeMs: 0, isFolder: true } }
          : found(uri, ({ bytes, mtimeMs }) => ({ sizeBytes: bytes.length, mtimeMs, isFolder: false })),
      list: () => ({ value: [...files.keys()].map((uri) => paths.basename(pathOf(uri)!)) }),
      read: ({ uri }) => {
        asked.push(uri);
        return found(uri, ({ bytes }) => Uint8Array.from(bytes));
      },
      write: ({ uri, bytes }) => {
        files.set(uri, { bytes, mtimeMs: 1 });
        return { value: null };
      },
      createFolder: () => ({ value: null }),
      remove: ({ uri }) => {
        files.delete(uri);
        return { value: null };
      },
    },
    post: (message) => port1.postMessage(message),
    onBug: (_, error) => {
      throw error;
    },
  });
  port1.onmessage = ({ data }) => void extension.receive(data);
  connectDisk(port2);
  return () => {
    port1.close();
    port2.close();
  };
});

beforeEach(() => {
  files.clear();
  asked.length = 0;
});

async function all(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

async function* sliced(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

const text = Array.from({ length: 20_000 }, (_, index) => `line ${index} ${(index * 7919) % 104729}`).join('\n');

describe('locations of a browser window', () => {
  it('go to a path and back, whatever the names', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.includes('/'));
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (names) => {
        const path = `vscode-remote://host%2Bx/${names.join('/')}`;
        expect(pathOf(uriOf(path))).toBe(path);
        expect(paths.basename(path)).toBe(names.at(-1));
        expect(paths.join(paths.dirname(path), names.at(-1)!)).toBe(path);
      }),
    );
  });

  it('are written as VS Code writes them', () => {
    expect(uriOf('file:///a b/(1)/ü.txt')).toBe('file:///a%20b/%281%29/%C3%BC.txt');
    expect(pathOf('vscode-vfs://github/o/r/trace.txt')).toBe('vscode-vfs://github/o/r/trace.txt');
  });

  it('are none for texts without a file, other versions of files, and what is damaged', () => {
    for (const uri of ['untitled:Untitled-1', 'git:/a/b?%7B%7D', 'git://x/a?ref', 'file:///%zz', '']) {
      expect(pathOf(uri)).toBe(null);
    }
  });

  it('end at the top', () => {
    const top = paths.dirname('file:///trace.txt');
    expect(paths.dirname(top)).toBe(top);
    expect(paths.join(top, 'trace.txt')).toBe('file:///trace.txt');
  });
});

describe('gzip in a browser', () => {
  it('unpacks in steps of any size', async () => {
    const packed = gzipSync(text);
    for (const size of [packed.length, 1000]) {
      expect((await all(gunzip(sliced(packed, size)))).toString()).toBe(text);
    }
  });

  it('gives what came before the damage, and says that there is some', async () => {
    const packed = gzipSync(text);
    const parts: Uint8Array[] = [];
    const reading = (async () => {
      for await (const chunk of gunzip(sliced(packed.subarray(0, packed.length - 100), 4096))) parts.push(chunk);
    })();
    await expect(reading).rejects.toThrow();
    const read = Buffer.concat(parts).toString();
    expect(read.length).toBeGreaterThan(text.length / 2);
    expect(text.startsWith(read)).toBe(true);
  });

  it('ends when nobody wants more', async () => {
    let closed = false;
    async function* source() {
      try {
        yield* sliced(gzipSync(text), 1000);
      } finally {
        closed = true;
      }
    }
    for await (const chunk of gunzip(source())) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(closed).toBe(true);
  });
});

describe('files of a browser window', () => {
  it('are unpacked like those of Node', async () => {
    const zst = put('events.jsonl.zst', readFixture('vectors/boot-v6.12.117.jsonl.zst'));
    const gz = put('trace.txt.gz', gzipSync(text));
    for (const [path, start] of [
      [zst, '{'],
      [gz, 'line 0'],
    ] as const) {
      const opened = await openInput(path);
      const [part] = opened.ok ? opened.parts : [];
      expect((await all(part!.chunks)).toString().startsWith(start)).toBe(true);
      expect(part!.failure()).toBe(null);
    }
    const archive = await openInput(put('run.tar.xz', readFixture('bundle/capture.tar.xz')));
    const parts = archive.ok ? archive.parts : [];
    expect(parts.map((part) => paths.basename(part.path))).toEqual(
      expect.arrayContaining(['trace.txt', 'dmesg.txt.gz']),
    );
    for (const part of parts) {
      expect((await all(part.chunks)).length).toBeGreaterThan(0);
      expect(part.failure()).toBe(null);
    }
  });

  it('are fetched once to be opened, and again when they were written', async () => {
    const path = put('trace.txt', new TextEncoder().encode('one\ntwo\n'));
    await openInput(path);
    expect((await readLines(path, 0, 1, 1)).map((line) => line.text)).toEqual(['two']);
    expect(asked).toEqual([uriOf(path)]);
    put('trace.txt', new TextEncoder().encode('one\nnew\n'));
    files.get(uriOf(path))!.mtimeMs = 99;
    expect((await readLines(path, 0, 1, 1)).map((line) => line.text)).toEqual(['new']);
    expect(asked).toHaveLength(2);
  });

  it('that are not there say so as on a disk', async () => {
    const opened = await openInput(pathOf(`${folder}/none.txt`)!);
    expect(opened).toMatchObject({ ok: false, failure: { code: 'not-found' } });
  });

  it('are read line by line, packed or not, and anew when they were written', async () => {
    for (const path of [put('trace.txt', new TextEncoder().encode(text)), put('trace.txt.gz', gzipSync(text))]) {
      const opened = await openLineSource(path);
      const source = opened.ok ? opened.source : null;
      await source!.whenComplete();
      expect(await source!.lines(19_999, 20_002)).toEqual(text.split('\n').slice(-2));
      put(paths.basename(path), path.endsWith('.gz') ? gzipSync('new') : new TextEncoder().encode('new'));
      files.get(uriOf(path))!.mtimeMs = 99;
      expect(await source!.refresh()).toBe('restarted');
      await source!.whenComplete();
      expect(await source!.lines(1, 3)).toEqual(['new']);
      await source!.close();
    }
  });

  it('are followed while they grow', async () => {
    const path = put('trace.txt', new TextEncoder().encode('one\ntwo\n'));
    const opened = await openLineSource(path);
    const source = opened.ok ? opened.source : null;
    await source!.whenComplete();
    expect(await source!.refresh()).toBe('same');
    put('trace.txt', new TextEncoder().encode('one\ntwo\nthree\n'));
    expect(await source!.refresh()).toBe('grown');
    expect(await source!.lines(1, 9)).toEqual(['one', 'two', 'three']);
    await source!.close();
  });

  it('are rewritten beside themselves', async () => {
    const path = put('trace.txt.gz', gzipSync(text));
    const target = paths.join(paths.dirname(path), 'copy.txt');
    const upper = {
      push: (chunk: Uint8Array) => new TextEncoder().encode(new TextDecoder().decode(chunk).toUpperCase()),
      end: () => new Uint8Array(0),
    };
    const written = await rewriteInputs(
      [path],
      { path: target, isFolder: false },
      { survey: () => upper, rewrite: () => upper },
    );
    expect(written).toMatchObject({ ok: true, files: [target] });
    expect((await all(disk.stream(target))).toString()).toBe(text.toUpperCase());
  });

  it('are written, packed where their name says so', async () => {
    const path = pathOf(`${folder}/copy.txt.gz`)!;
    await disk.write(path, sliced(new TextEncoder().encode(text), 5000));
    expect((await all(gunzip(disk.stream(path)))).toString()).toBe(text);
  });
});

it('text that was unpacked is held and read at any place', async () => {
  const spool = platform.createSpool();
  for (const part of ['ab', 'c', 'defg']) await spool.append(new TextEncoder().encode(part));
  const target = new Uint8Array(3);
  expect([await spool.read(1, target), new TextDecoder().decode(target)]).toEqual([3, 'bcd']);
  expect(await spool.read(6, target)).toBe(1);
  expect(await spool.read(7, target)).toBe(0);
});

it('base64 is that of Node', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20_000 }), (bytes) => {
      expect(platform.base64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
    }),
    { numRuns: 20 },
  );
});
