import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { binaryTraceLines, isBinaryTrace } from '../../src/analysis/binaryTrace';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { type LineSource, type LineSourceOptions, openLineSource } from '../../src/node/lineSource';
import { fixturePath } from '../support/fixtures';

let folder = '';
const opened: LineSource[] = [];
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'line-source-'));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((source) => source.close()));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, bytes: Uint8Array | string): string {
  const target = path.join(folder, name);
  writeFileSync(target, bytes);
  return target;
}

async function openLines(target: string, options: LineSourceOptions = {}): Promise<LineSource> {
  const result = await openLineSource(target, options);
  if (!result.ok) {
    throw new Error(result.failure.message);
  }
  opened.push(result.source);
  return result.source;
}

async function allLines(source: LineSource): Promise<string[]> {
  await source.whenComplete();
  return source.lines(1, source.lineCount + 1);
}

const renderer = { matches: isBinaryTrace, lines: binaryTraceLines };
const rows = Array.from({ length: 50_000 }, (_, index) => `line ${index + 1} ${(index * 7919) % 104729} größe`);
const text = `${rows.join('\n')}\n`;

async function tar(members: Readonly<Record<string, string>>): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of Object.entries(members)) {
    archive.entry({ name }, content);
  }
  archive.finalize();
  const parts: Buffer[] = [];
  for await (const part of archive) {
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}

describe('lines of an input, read anywhere', () => {
  it.each([
    ['plain', () => file('plain.txt', text)],
    ['gzip', () => file('packed.gz', gzipSync(text))],
    ['UTF-16', () => file('utf16.txt', Buffer.from(`\ufeff${text}`, 'utf16le'))],
    ['UTF-16 in gzip', () => file('utf16.gz', gzipSync(Buffer.from(`\ufeff${text}`, 'utf16le')))],
  ])('%s: the same lines everywhere', async (_, make) => {
    const source = await openLines(make());
    await source.whenComplete();
    expect(source.lineCount).toBe(rows.length);
    for (const from of [1, 2, 255, 256, 257, 1000, 49_990]) {
      expect(await source.lines(from, from + 30)).toEqual(rows.slice(from - 1, from + 29));
    }
    expect(await source.lines(rows.length + 1, rows.length + 5)).toEqual([]);
    expect(await allLines(source)).toEqual(rows);
  });

  it.each(['capture.tar.zst', 'capture.tar.xz'])('a member of %s', async (archive) => {
    const source = await openLines(path.join(fixturePath(`bundle/${archive}`), 'capture/trace.txt'));
    const expected = gunzipSync(readFileSync(fixturePath('bundle/capture/trace.txt.gz')))
      .toString()
      .split('\n');
    const lines = await allLines(source);
    expect(lines).toHaveLength(expected.length - 1);
    expect(`${lines.join('\n')}\n`).toBe(expected.join('\n'));
  });

  it('a member that is dmesg.txt.gz', async () => {
    const member = path.join(fixturePath('bundle/capture.tar.xz'), 'capture/dmesg.txt.gz');
    const expected = gunzipSync(readFileSync(fixturePath('bundle/capture/dmesg.txt.gz'))).toString();
    expect(`${(await allLines(await openLines(member))).join('\n')}\n`).toBe(expected);
  });

  it('a member that is not there', async () => {
    const source = await openLines(path.join(fixturePath('bundle/capture.tar.xz'), 'capture/nothing.txt'));
    expect(await allLines(source)).toEqual([]);
    expect(source.failure).toMatchObject({ code: 'not-found' });
  });

  it('a member of a plain tar', async () => {
    const archive = file('two.tar', await tar({ 'c/dmesg.txt': '[1.0] one\n[2.0] two\n', 'c/trace.txt': text }));
    expect(await allLines(await openLines(path.join(archive, 'c/dmesg.txt')))).toEqual(['[1.0] one', '[2.0] two']);
    expect(await allLines(await openLines(path.join(archive, 'c/trace.txt')))).toEqual(rows);
  });

  it.each(['v6', 'v7zlib', 'v7zstd', 'v7none'])(
    'a trace.dat (%s) as the lines the analysis counts',
    async (variant) => {
      const bytes = gunzipSync(readFileSync(fixturePath(`trace/trace-${variant}.dat.gz`)));
      const analysis = createAnalysis();
      const input = analysis.openSource({ path: 'trace.dat' });
      const source = await openLines(file(`trace-${variant}.dat`, bytes), {
        renderer,
        onBytes: (chunk) => input.push(chunk),
      });
      const lines = await allLines(source);
      input.end();
      const { tables, sourceLedgers } = analysis.snapshot();
      expect(lines.length).toBe(sourceLedgers[0].lines);
      expect(tables.requests.length).toBeGreaterThan(0);
      const { columns } = tables.requests;
      for (let row = 0; row < tables.requests.length; row++) {
        // Mappings from before the trace have no line of their own.
        if (columns.enterLine[row] > 0) {
          const { name } = tables.devices[columns.device[row]];
          expect(lines[columns.enterLine[row] - 1]).toMatch(new RegExp(`: (?:swiotlb_bounced|dma_map).*${name}`));
        }
      }
      expect(await allLines(await openLines(fixturePath(`trace/trace-${variant}.dat.gz`), { renderer }))).toEqual(
        lines,
      );
    },
  );

  it('knows lines without an end, with carriage returns, with a byte order mark, and empty ones', async () => {
    expect(await allLines(await openLines(file('odd.txt', '\ufeffone\r\n\n\r\nlast')))).toEqual([
      'one',
      '',
      '',
      'last',
    ]);
    expect(await allLines(await openLines(file('none.txt', '')))).toEqual([]);
    expect(await allLines(await openLines(file('newline.txt', '\n')))).toEqual(['']);
  });

  it('ends lines at a carriage return alone, wherever the index and the blocks are cut', async () => {
    // 2 MiB in which every boundary of a block, and every entry of the index, meets another byte of a line end.
    const texts = Array.from({ length: 150_000 }, (_, index) => `${index}`.padEnd(index % 13, 'x'));
    const ends = ['\r', '\r\n', '\n', '\r'];
    const plain = await allLines(await openLines(file('plain.txt', texts.map((text) => `${text}\n`).join(''))));
    for (const shift of [0, 1, 2, 3]) {
      const text = texts.map((line, index) => line + ends[(index + shift) % ends.length]).join('');
      // Lone returns before an LF would be pairs: every text has a character.
      const source = await openLines(file(`returns${shift}.txt`, text));
      expect(await allLines(source)).toEqual(plain);
      expect(await source.lines(100_001, 100_003)).toEqual(plain.slice(100_000, 100_002));
      await source.close();
    }
    expect(await allLines(await openLines(file('serial.txt', 'a\r\r\nb\r\n\rc\r')))).toEqual(['a', '', 'b', '', 'c']);
  });

  it('cuts a huge line and goes on after it', async () => {
    const source = await openLines(file('huge.txt', `first\n${'x'.repeat(5_000_000)}\nnext\n`));
    const lines = await allLines(source);
    expect(lines).toHaveLength(3);
    expect(lines[1]).toBe('x'.repeat(65_536));
    expect(lines[2]).toBe('next');
  });

  it('goes through all lines in stretches, and stops where the reader stops', async () => {
    const source = await openLines(file('stretches.txt', text));
    const found: number[] = [];
    for await (const { first, texts } of source.stretches(1)) {
      for (const [index, line] of texts.entries()) {
        if (line.endsWith('7 größe')) {
          found.push(first + index);
        }
      }
    }
    expect(found).toEqual(rows.flatMap((row, index) => (row.endsWith('7 größe') ? [index + 1] : [])));
    for await (const { first, texts } of source.stretches(40_000, 40_010)) {
      expect({ first, texts }).toEqual({ first: 40_000, texts: rows.slice(39_999, 40_009) });
    }
  });

  it('gives what a cut archive still holds, and says why it ends', async () => {
    const packed = gzipSync(text);
    const source = await openLines(file('cut.gz', packed.subarray(0, packed.length / 2)));
    const lines = await allLines(source);
    expect(lines.length).toBeGreaterThan(1000);
    expect(lines.slice(0, 1000)).toEqual(rows.slice(0, 1000));
    expect(source.failure).toMatchObject({ code: 'decompress-failed' });
  });

  it('says that a file is not there', async () => {
    expect(await openLineSource(path.join(folder, 'nowhere.txt'))).toMatchObject({
      ok: false,
      failure: { code: 'not-found' },
    });
  });

  it('leaves no temporary file behind', async () => {
    // A place of its own: other tests leave theirs at any time.
    const place = mkdtempSync(path.join(tmpdir(), 'spool-'));
    vi.stubEnv('TMPDIR', place);
    const large = gzipSync(Buffer.alloc(20 << 20, 'a line of some length, again and again\n'));
    const source = await openLines(file('large.gz', large));
    await source.whenComplete();
    expect(source.lineCount).toBe(Math.ceil((20 << 20) / 39));
    expect(await source.lines(400_000, 400_001)).toEqual(['a line of some length, again and again']);
    expect(tmpdir()).toBe(place);
    await source.close();
    expect(readdirSync(place)).toEqual([]);
    vi.unstubAllEnvs();
    rmSync(place, { recursive: true });
  });

  it('keeps memory bounded: a file of 200 MiB, mostly a hole', async () => {
    const target = file('sparse.txt', '');
    truncateSync(target, 200 << 20);
    const handle = openSync(target, 'r+');
    writeSync(handle, '\nin the middle\n', 100 << 20);
    closeSync(handle);
    const source = await openLines(target);
    await source.whenComplete();
    expect(source.lineCount).toBe(3);
    expect(await source.lines(2, 3)).toEqual(['in the middle']);
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(100 << 20);
  });
});

describe('lines of a file that changes', () => {
  it('reads only what is new', async () => {
    const target = file('growing.txt', 'one\ntwo\nthr');
    let bytes = 0;
    const source = await openLines(target, { onBytes: (chunk) => (bytes += chunk.length) });
    expect(await allLines(source)).toEqual(['one', 'two', 'thr']);
    expect(await source.refresh()).toBe('same');
    appendFileSync(target, 'ee\nfour\n');
    expect(await source.refresh()).toBe('grown');
    expect(await allLines(source)).toEqual(['one', 'two', 'three', 'four']);
    expect(bytes).toBe('one\ntwo\nthree\nfour\n'.length);
  });

  it.each([
    ['cut', (target: string) => writeFileSync(target, 'new\n')],
    ['written anew, longer', (target: string) => writeFileSync(target, 'something else\nand more of it\n')],
    [
      'replaced by another file',
      (target: string) => {
        writeFileSync(`${target}.next`, 'one\ntwo\nthree of another\n');
        renameSync(`${target}.next`, target);
      },
    ],
    ['packed', (target: string) => writeFileSync(target, gzipSync('packed now\n'))],
  ])('begins again when it was %s', async (name, change) => {
    const target = file(`changing ${name}.txt`, 'one\ntwo\n');
    let pushed: string[] = [];
    const source = await openLines(target, {
      onBytes: (chunk) => pushed.push(Buffer.from(chunk).toString()),
      onRestart: () => {
        pushed = [];
      },
    });
    await source.whenComplete();
    change(target);
    expect(await source.refresh()).toBe('restarted');
    const lines = await allLines(source);
    expect(`${lines.join('\n')}\n`).toBe(pushed.join(''));
    expect(lines).not.toContain('two\nthree');
  });
});
