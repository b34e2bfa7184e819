import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { captureOf } from '../../src/node/archive';
import { openInput, openPart } from '../../src/node/input';
import { readLines } from '../../src/node/readLines';
import { fixturePath, readFixture } from '../support/fixtures';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'swiotlb-lens-archive-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, bytes: Uint8Array): string {
  const target = path.join(folder, name);
  writeFileSync(target, bytes);
  return target;
}

async function tar(entries: Readonly<Record<string, string | Uint8Array>>): Promise<Buffer> {
  const packed = pack();
  for (const [name, body] of Object.entries(entries)) {
    packed.entry({ name }, Buffer.from(body));
  }
  packed.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of packed) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) {
    all.push(Uint8Array.from(chunk));
  }
  return Buffer.concat(all).toString();
}

/** Base name and text of every part, and everything that went wrong. */
async function readBundle(target: string) {
  const opened = await openInput(target);
  const parts: Record<string, string> = {};
  if (!opened.ok) {
    return { failure: opened.failure.code, parts, order: [], damage: null, skipped: [] };
  }
  for (const part of opened.parts) {
    parts[path.basename(part.path)] = await textOf(part.chunks);
  }
  return {
    failure: null,
    parts,
    order: Object.keys(parts),
    damage: opened.damage,
    skipped: opened.skipped.map(({ name }) => name),
  };
}

const lines = Array.from({ length: 3000 }, (_, index) => `line ${index} ${(index * 7919) % 104729}`).join('\n');
const capture = {
  'c/uname.txt': '6.12.117\n',
  'c/dmesg.txt': lines,
  'c/trace.txt': `${lines}\n${lines}`,
  'c/notes.md': 'notes',
  'c/kprobe_events.txt': 'p:swl/map swiotlb_tbl_map_single\n',
};
const expected = {
  'kprobe_events.txt': capture['c/kprobe_events.txt'],
  'trace.txt': capture['c/trace.txt'],
  'dmesg.txt': lines,
  'uname.txt': '6.12.117\n',
};

describe('archives', () => {
  it('are read as the folder they hold, plain or packed, whatever their name', async () => {
    const bytes = await tar(capture);
    for (const target of [file('a.tar', bytes), file('a.tgz', gzipSync(bytes)), file('a.bin', gzipSync(bytes))]) {
      const { parts, order, damage, skipped } = await readBundle(target);
      expect(parts).toEqual(expected);
      expect(order).toEqual(Object.keys(expected));
      expect(damage).toBeNull();
      expect(skipped).toEqual(['c/notes.md']);
    }
  });

  it('packed with xz and zstd give the bytes of the folder', async () => {
    const names = readdirSync(fixturePath('bundle/capture')).map((name) => name.replace(/\.gz$/, ''));
    for (const suffix of ['xz', 'zst']) {
      const { parts, damage } = await readBundle(fixturePath(`bundle/capture.tar.${suffix}`));
      expect(damage).toBeNull();
      expect(
        Object.keys(parts)
          .map((name) => name.replace(/\.gz$/, ''))
          .sort(),
      ).toEqual([...names].sort());
      expect(parts['trace.txt']).toBe(Buffer.from(readFixture('bundle/capture/trace.txt')).toString());
    }
  });

  it('hold packed files, too; of a file and its packed copy one is read', async () => {
    const bytes = await tar({ 'trace.txt.gz': gzipSync(lines), 'dmesg.txt': 'x', 'dmesg.txt.gz': gzipSync('y') });
    expect((await readBundle(file('inner.tar', bytes))).parts).toEqual({ 'trace.txt.gz': lines, 'dmesg.txt': 'x' });
  });

  it('with long names and leading dots are understood', async () => {
    const deep = `./${'very-long-folder-name/'.repeat(9)}trace.txt`;
    expect((await readBundle(file('deep.tar', await tar({ [deep]: lines })))).parts).toEqual({ 'trace.txt': lines });
  });

  it('of one file are that file, whatever its name', async () => {
    expect((await readBundle(file('one.tar', await tar({ 'odd name': 'text' })))).parts).toEqual({
      'odd name': 'text',
    });
  });

  it('without anything known say so', async () => {
    const bytes = await tar({ 'a.md': 'x', 'b.md': 'y' });
    expect(await readBundle(file('other.tar', bytes))).toMatchObject({ failure: 'nothing-found' });
  });

  it('cut off anywhere give what could be read and a sentence, and never hang', async () => {
    const bytes = await tar(capture);
    for (let length = 600; length < bytes.length - 1024; length += 7919) {
      const { parts, damage, failure } = await readBundle(file('cut.tar', bytes.subarray(0, length)));
      expect(damage?.code ?? failure, `${length} bytes`).toMatch(/archive-damaged|nothing-found/);
      for (const [name, text] of Object.entries(parts)) {
        expect((expected as Record<string, string>)[name]?.startsWith(text), `${name} at ${length}`).toBe(true);
      }
    }
    const gzip = gzipSync(bytes);
    const { parts, damage } = await readBundle(file('cut.tgz', gzip.subarray(0, gzip.length - 4000)));
    expect(damage?.message).toMatch(/gzip data is damaged or cut off/);
    expect(parts['uname.txt']).toBe('6.12.117\n');
    expect(parts['dmesg.txt'].length).toBeGreaterThan(1000);
  });

  it('above what is kept in memory are read again for each large file', async () => {
    const large = 'x'.repeat(5_000_000);
    const target = file('large.tar', await tar({ 'c/trace.txt': large, 'c/dmesg.txt': 'small' }));
    expect((await readBundle(target)).parts).toEqual({ 'trace.txt': large, 'dmesg.txt': 'small' });
  });

  it('give lines of a member back by its path', async () => {
    const target = file('lines.tgz', gzipSync(await tar(capture)));
    const member = path.join(target, 'c', 'dmesg.txt');
    expect(await textOf(openPart(member, 0).chunks)).toBe(lines);
    const [line] = await readLines(member, lines.indexOf('line 256 '), 2, 1);
    expect(line.text).toMatch(/^line 258 /);
    const missing = openPart(path.join(target, 'c', 'nowhere'), 0);
    expect(await textOf(missing.chunks)).toBe('');
  });

  it('with several folders read the one that looks most like a capture', () => {
    const member = (name: string) => ({ name, sizeBytes: 1, bytes: null });
    const found = captureOf(['a/trace.txt', 'b/trace.txt', 'b/dmesg.txt', 'b/._dmesg.txt'].map(member));
    expect(found.members.map(({ name }) => name)).toEqual(['b/trace.txt', 'b/dmesg.txt']);
    expect(found.skipped).toContainEqual({ name: 'a/trace.txt', why: 'in another folder of the archive' });
  });

  it('hostile bytes behind a good first header never throw', async () => {
    const bytes = await tar(capture);
    for (let seed = 1; seed <= 40; seed++) {
      const damaged = Uint8Array.from(bytes);
      for (let i = 0; i < 40; i++) {
        damaged[512 + ((seed * 7919 + i * 104729) % (bytes.length - 512))] ^= 0x55;
      }
      await readBundle(file('damaged.tar', damaged));
    }
  });
});

describe('xz', () => {
  it('cut off gives what stands before and a sentence', async () => {
    const packed = readFileSync(fixturePath('bundle/capture.tar.xz'));
    const part = openPart(file('cut.xz', packed.subarray(0, packed.length - 200)), 0);
    await textOf(part.chunks);
    expect(part.compression()).toBe('xz');
    expect(part.failure()).toMatchObject({ code: 'decompress-failed' });
    expect(part.failure()?.message).toMatch(/xz data is damaged or cut off/);
  });
});
