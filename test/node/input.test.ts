import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listMembers } from '../../src/node/captureFolder';
import { type InputFailure, unpack } from '../../src/node/decompress';
import { openInput } from '../../src/node/input';
import { maxShownBytes, readLines } from '../../src/node/readLines';
import { fixturePath, readFixture } from '../support/fixtures';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'swiotlb-lens-input-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, bytes: Uint8Array | string): string {
  const target = path.join(folder, name);
  writeFileSync(target, bytes);
  return target;
}

/** Everything a part gives, and how it ended. */
async function readAll(target: string): Promise<{ text: string; failure: InputFailure | null; compression: string }> {
  const opened = await openInput(target);
  if (!opened.ok) {
    throw new Error(opened.failure.message);
  }
  const [part] = opened.parts;
  const chunks: Uint8Array[] = [];
  for await (const chunk of part.chunks) {
    chunks.push(Uint8Array.from(chunk));
  }
  return { text: Buffer.concat(chunks).toString(), failure: part.failure(), compression: part.compression() };
}

/** Cuts bytes into small chunks. */
async function* sliced(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) {
    yield bytes.subarray(start, start + size);
  }
}

async function unpackAll(bytes: Uint8Array, size: number): Promise<{ text: string; failure: InputFailure | null }> {
  const unpacked = unpack(sliced(bytes, size));
  const chunks: Uint8Array[] = [];
  for await (const chunk of unpacked.chunks) {
    chunks.push(Uint8Array.from(chunk));
  }
  return { text: Buffer.concat(chunks).toString(), failure: unpacked.failure() };
}

const text = Array.from({ length: 20_000 }, (_, index) => `line ${index} ${(index * 7919) % 104729}`).join('\n');
/** A real zstd frame: one of the repository's own fixtures. */
const zstdFixture = 'vectors/boot-v6.12.117.jsonl.zst';

describe('opening an input', () => {
  it.runIf(process.platform === 'linux')('reads a pipe by name once and whole', async () => {
    const pipe = path.join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const packed = file('packed-for-pipe', gzipSync(text));
    // Opening it for writing waits for a reader.
    const writer = spawn('sh', ['-c', 'exec cat "$1" > "$2"', 'sh', packed, pipe], { stdio: 'ignore' });
    const ended = new Promise((resolve) => writer.once('exit', resolve));
    expect(await readAll(pipe)).toEqual({ text, failure: null, compression: 'gzip' });
    expect(await ended).toBe(0);
  });

  it('passes plain bytes unchanged', async () => {
    expect(await readAll(file('plain.txt', text))).toEqual({ text, failure: null, compression: 'none' });
  });

  it('knows gzip by its bytes, whatever the name says', async () => {
    for (const name of ['a.gz', 'a.txt']) {
      expect(await readAll(file(name, gzipSync(text)))).toEqual({ text, failure: null, compression: 'gzip' });
    }
  });

  it('reads several gzip members one after the other', async () => {
    const twice = Buffer.concat([gzipSync('one\n'), gzipSync('two\n')]);
    expect(await readAll(file('two.gz', twice))).toMatchObject({ text: 'one\ntwo\n', failure: null });
  });

  it('reads zstd, also renamed', async () => {
    const expected = Buffer.from(readFixture(zstdFixture.replace(/\.zst$/, ''))).toString();
    expect(await readAll(fixturePath(zstdFixture))).toEqual({ text: expected, failure: null, compression: 'zstd' });
  });

  it('takes chunks of any size', async () => {
    const packed = gzipSync(text);
    for (const size of [1, 3, 1000]) {
      const part = size === 1 ? gzipSync('short text') : packed;
      expect(await unpackAll(part, size)).toEqual({ text: size === 1 ? 'short text' : text, failure: null });
    }
  });

  it('gives what a cut archive still holds, and says that it is cut', async () => {
    const packed = gzipSync(text);
    const { text: part, failure } = await readAll(file('cut.gz', packed.subarray(0, packed.length / 2)));
    expect(part.length).toBeGreaterThan(text.length / 4);
    expect(text.startsWith(part)).toBe(true);
    expect(failure).toMatchObject({ code: 'decompress-failed' });
    expect(failure?.message).toMatch(/gzip data is damaged or cut off/);
  });

  it('gives what stands before damage in an archive', async () => {
    const packed = Buffer.from(gzipSync(text));
    packed.fill(0xff, packed.length - 2000, packed.length - 1500);
    const { text: part, failure } = await readAll(file('damaged.gz', packed));
    expect(part.slice(0, 10_000)).toBe(text.slice(0, 10_000));
    expect(failure).toMatchObject({ code: 'decompress-failed' });
  });

  it('says the same of zstd', async () => {
    const whole = readFixture(zstdFixture.replace(/\.zst$/, ''));
    const { readFileSync } = await import('node:fs');
    const packed = readFileSync(fixturePath(zstdFixture));
    const cut = await readAll(file('cut.zst', packed.subarray(0, packed.length - 200)));
    expect(cut.failure).toMatchObject({ code: 'decompress-failed' });
    expect(Buffer.from(whole).toString().startsWith(cut.text)).toBe(true);
  });

  it('says in words what does not open', async () => {
    expect(await openInput(path.join(folder, 'nowhere.txt'))).toEqual({
      ok: false,
      failure: { code: 'not-found', message: 'no such file or folder' },
    });
    const empty = mkdtempSync(path.join(folder, 'empty-'));
    expect(await openInput(empty)).toMatchObject({ ok: false, failure: { code: 'nothing-found' } });
  });

  it('reads an empty file as no bytes', async () => {
    expect(await readAll(file('empty.txt', ''))).toEqual({ text: '', failure: null, compression: 'none' });
  });

  it('reads a folder as its members, the trace first', async () => {
    const capture = mkdtempSync(path.join(folder, 'capture-'));
    for (const name of [
      'dmesg.txt',
      'trace.txt.gz',
      'debugfs.csv',
      'ops.csv',
      'trace.dat',
      'cmdline.txt',
      'notes.md',
    ]) {
      writeFileSync(path.join(capture, name), 'x');
    }
    const opened = await openInput(capture);
    expect(opened.ok && opened.parts.map((part) => path.basename(part.path))).toEqual([
      'trace.txt.gz',
      'dmesg.txt',
      'debugfs.csv',
      'cmdline.txt',
    ]);
    expect(opened.ok && opened.skipped.map(({ name }) => name)).toEqual(['notes.md', 'ops.csv', 'trace.dat']);
  });

  it('streams a sparse file of 2 GiB without holding it', async () => {
    const sparse = file('sparse.txt', '');
    truncateSync(sparse, 2 ** 31);
    const opened = await openInput(sparse);
    let bytes = 0;
    if (opened.ok) {
      for await (const chunk of opened.parts[0].chunks) {
        bytes += chunk.length;
        if (bytes >= 2 ** 26) {
          break;
        }
      }
    }
    expect(bytes).toBe(2 ** 26);
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(2 ** 28);
  });
});

describe('members of a capture folder', () => {
  it('of a file and its packed copy only the plain one is read', () => {
    const { members, skipped } = listMembers(['trace.txt', 'trace.txt.gz', 'dmesg.txt.zst']);
    expect(members).toEqual(['trace.txt', 'dmesg.txt.zst']);
    expect(skipped).toEqual([{ name: 'trace.txt.gz', why: 'the packed copy of trace.txt' }]);
  });
  it('settings, ground truth and reports are left out with a reason', () => {
    const names = ['trace_options.txt', 'tracer.txt', 'pool_state.txt', 'trace_cmd_report.txt.gz'];
    expect(listMembers(names).members).toEqual([]);
    expect(listMembers(names).skipped).toHaveLength(names.length);
  });
  it('a binary trace stands in where there is no text', () => {
    const names = ['trace.dat', 'dmesg.txt', 'trace_cmd_report.txt', 'trace_clock.txt', 'trace_options.txt'];
    expect(listMembers(names).members).toEqual(['trace.dat', 'dmesg.txt', 'trace_clock.txt']);
  });
  it('the usual members are all read', () => {
    const names = [
      'trace_pipe.txt.gz',
      'console.txt',
      'my.log',
      'debugfs.csv',
      'cmdline.txt',
      'config.txt',
      'version.txt',
      'uname.txt',
    ];
    expect([...listMembers(names).members].sort()).toEqual([...names].sort());
  });
});

describe('reading lines back', () => {
  it('gives lines by offset and count', async () => {
    const target = file('lines.txt', 'one\ntwo\r\ngröße\nlast');
    expect(await readLines(target, 0, 0, 1)).toEqual([{ byteOffset: 0, text: 'one' }]);
    expect(await readLines(target, 4, 0, 2)).toEqual([
      { byteOffset: 4, text: 'two' },
      { byteOffset: 9, text: 'größe' },
    ]);
    expect(await readLines(target, 0, 3, 5)).toEqual([{ byteOffset: 17, text: 'last' }]);
    expect(await readLines(target, 0, 9, 1)).toEqual([]);
    expect(await readLines(path.join(folder, 'nowhere'), 0, 0, 1)).toEqual([]);
  });
  it('ends a line at a carriage return alone, at the end of a block too', async () => {
    // The blocks that are read have 65,536 bytes.
    const first = 'x'.repeat(65_535);
    const target = file('returns.txt', `${first}\r\ntwo\rthree\r\r\nfive`);
    expect((await readLines(target, 0, 1, 9)).map(({ byteOffset, text: line }) => [byteOffset, line])).toEqual([
      [65_537, 'two'],
      [65_541, 'three'],
      [65_547, ''],
      [65_549, 'five'],
    ]);
  });
  it('gives the same of a packed file', async () => {
    const plain = file('many.txt', text);
    const packed = file('many.txt.gz', gzipSync(text));
    const offset = text.indexOf('line 15000 ');
    expect(await readLines(packed, offset, 3, 2)).toEqual(await readLines(plain, offset, 3, 2));
    expect((await readLines(packed, offset, 3, 1))[0].text).toMatch(/^line 15003 /);
  });
  it('shows no more than the limit of a huge line', async () => {
    const target = file('huge.txt', `${'x'.repeat(3_000_000)}\nnext\n`);
    const lines = await readLines(target, 0, 0, 2);
    expect(lines[0].text).toHaveLength(maxShownBytes);
    expect(lines[1]).toEqual({ byteOffset: 3_000_001, text: 'next' });
  });
});
