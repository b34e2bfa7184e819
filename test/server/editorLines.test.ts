import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { FileState, Found, LineQuery } from '../../src/protocol/traceEditor';
import { EditorLines } from '../../src/server/editorLines';
import { fixturePath } from '../support/fixtures';

let folder = '';
const readers: EditorLines[] = [];
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'line-reader-'));
});
afterEach(async () => {
  await Promise.all(readers.splice(0).map((reader) => reader.close()));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, bytes: Uint8Array | string): string {
  const target = path.join(folder, name);
  writeFileSync(target, bytes);
  return target;
}

interface Opened {
  readonly reader: EditorLines;
  readonly states: FileState[];
  readonly steps: Found[];
  last(): FileState;
  /** All lines of a question, once it is done. */
  answer(id: number): Promise<number[]>;
}

async function open(target: string): Promise<Opened> {
  const states: FileState[] = [];
  const steps: Found[] = [];
  const reader = new EditorLines(target, {
    state: (state) => states.push(state),
    found: (found) => steps.push(found),
  });
  readers.push(reader);
  await reader.open();
  const last = () => states.at(-1)!;
  await vi.waitFor(() => expect(last().isComplete).toBe(true), 10_000);
  return {
    reader,
    states,
    steps,
    last,
    answer: async (id) => {
      const mine = () => steps.filter((step) => step.id === id);
      await vi.waitFor(() => expect(mine().at(-1)?.isDone).toBe(true), 10_000);
      return mine().flatMap(({ lines }) => [...lines]);
    },
  };
}

const nothing: LineQuery = { text: '', isRegex: false, matchCase: true, device: null, event: null, outcome: null };
const traceText = gunzipSync(readFileSync(fixturePath('vscode/trace.txt.gz'))).toString();
const traceLines = traceText.split('\n').slice(0, -1);
const numbersOf = (matches: (text: string) => boolean) =>
  traceLines.flatMap((text, index) => (matches(text) ? [index + 1] : []));

describe('a packed trace', () => {
  it('gives the lines asked for, in any order, with tokens and stamps', async () => {
    const { reader, last } = await open(file('trace.txt.gz', gzipSync(traceText)));
    expect(last()).toMatchObject({ lineCount: traceLines.length, isPacked: true, members: [], failure: null });
    const shown = await reader.lines([20_000, 20_001, 5, 99_999_999]);
    expect(shown.map(({ line }) => line)).toEqual([20_000, 20_001, 5]);
    expect(shown.map(({ text }) => text)).toEqual([traceLines[19_999], traceLines[20_000], traceLines[4]]);
    expect(shown[0].tokens.length).toBeGreaterThan(12);
    expect(shown[0].stamp?.clock).toBe('boot');
  });

  it('is searched as a whole: plain text, expressions, case', async () => {
    const { reader, answer } = await open(file('search.txt.gz', gzipSync(traceText)));
    reader.query('find', 1, { ...nothing, text: 'dma_addr=ffffffffffffffff' }, null);
    expect(await answer(1)).toEqual(numbersOf((text) => text.includes('dma_addr=ffffffffffffffff')));
    reader.query('find', 2, { ...nothing, text: 'size=(4096|8192)\\b', isRegex: true }, null);
    expect(await answer(2)).toEqual(numbersOf((text) => /size=(4096|8192)\b/.test(text)));
    reader.query('find', 3, { ...nothing, text: 'TRACER: NOP', matchCase: false }, null);
    expect(await answer(3)).toEqual([1]);
  });

  it('is filtered by device and event, not by what only contains their names', async () => {
    const { reader, answer } = await open(
      file('filter.txt.gz', gzipSync(`${traceText}x 10000:00:05.0 dma_map_page: y\n`)),
    );
    reader.query('filter', 1, { ...nothing, device: '0000:00:05.0', event: 'dma_map_page' }, null);
    const expected = numbersOf((text) => /(?<!un)dma_map_page: 0000:00:05\.0 /.test(text));
    expect(expected.length).toBeGreaterThan(100);
    expect(await answer(1)).toEqual(expected);
    // A question among given lines asks no others.
    const among = Uint32Array.from(expected.slice(10, 20));
    reader.query('filter', 2, { ...nothing, device: '0000:00:05.0' }, among);
    expect(await answer(2)).toEqual([...among]);
    reader.query('filter', 3, nothing, among);
    expect(await answer(3)).toEqual([...among]);
    const { text, lines } = await reader.text({ from: 2, to: 4, ofFilter: true });
    expect(lines).toBe(3);
    expect(text).toBe(
      [...among]
        .slice(2, 5)
        .map((line) => traceLines[line - 1])
        .join('\n'),
    );
  });

  it('an expression that is none gets a reason; a new question silences the old one', async () => {
    const { reader, answer, steps } = await open(file('broken.txt.gz', gzipSync(traceText)));
    reader.query('find', 1, { ...nothing, text: '(', isRegex: true }, null);
    await answer(1);
    expect(steps[0].error).toMatch(/Invalid regular expression/);
    reader.query('find', 2, { ...nothing, text: 'dma' }, null);
    reader.query('find', 3, { ...nothing, text: 'no such text' }, null);
    expect(await answer(3)).toEqual([]);
    expect(steps.some(({ id, isDone }) => id === 2 && isDone)).toBe(false);
  });

  it('is copied in ranges of any size', async () => {
    const { reader } = await open(file('copy.txt.gz', gzipSync(traceText)));
    const { text, lines } = await reader.text({ from: 1000, to: 30_000, ofFilter: false });
    expect(lines).toBe(29_001);
    expect(text).toBe(traceLines.slice(999, 30_000).join('\n'));
  });
});

describe('other inputs', () => {
  it('a binary trace is shown as lines', async () => {
    const { reader, last } = await open(
      file('trace.dat', gunzipSync(readFileSync(fixturePath('trace/trace-v7zlib.dat.gz')))),
    );
    expect(last()).toMatchObject({ isPacked: true, failure: null });
    expect(last().lineCount).toBeGreaterThan(50);
    const [first, second] = await reader.lines([1, 2]);
    expect(first.text).toBe('# tracer: nop');
    expect(second.text).toMatch(/\[\d{3}\] .*\d+\.\d{9}: \w+:/);
  });

  it('an archive is its largest file first, and the others by choice', async () => {
    const archive = pack();
    archive.entry({ name: 'run/dmesg.txt' }, '[    1.000000] software IO TLB: x\n');
    archive.entry({ name: 'run/trace.txt' }, traceText);
    archive.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of archive) {
      chunks.push(chunk);
    }
    const { reader, last } = await open(file('run.tar', Buffer.concat(chunks)));
    expect(last()).toMatchObject({ member: 'run/trace.txt', lineCount: traceLines.length, isPacked: true });
    expect([...last().members].sort()).toEqual(['run/dmesg.txt', 'run/trace.txt']);
    const { generation } = last();
    await reader.showMember('run/dmesg.txt');
    await vi.waitFor(() => expect(last()).toMatchObject({ member: 'run/dmesg.txt', lineCount: 1 }));
    expect(last().generation).toBeGreaterThan(generation);
  });

  it('a file that is not there says so', async () => {
    const { reader, last } = await open(path.join(folder, 'no-such-file'));
    expect(last()).toMatchObject({ lineCount: 0, failure: expect.stringMatching(/no such file/) });
    expect(await reader.lines([1])).toEqual([]);
  });

  it('very long lines are cut where they are drawn', async () => {
    const { reader } = await open(file('long.txt', `${'x'.repeat(20_000)}\nshort\n`));
    const [long, short] = await reader.lines([1, 2]);
    expect([long.text.length, long.cut]).toEqual([5000, 15_000]);
    expect([short.text, short.cut]).toEqual(['short', 0]);
  });
});

describe('a file that grows', () => {
  it('is followed, and what is looked for is found in the new lines too', async () => {
    const target = file('live.txt', 'one match\ntwo\nhalf a ma');
    const { reader, last, answer, steps } = await open(target);
    reader.query('find', 1, { ...nothing, text: 'match' }, null);
    expect(await answer(1)).toEqual([1]);
    appendFileSync(target, 'tch\nfour match\n');
    await vi.waitFor(() => expect(last().lineCount).toBe(4), 5_000);
    await vi.waitFor(() => expect(steps.flatMap(({ lines }) => [...lines])).toEqual([1, 3, 4]), 5_000);
    const { generation } = last();
    writeFileSync(target, 'anew\n');
    await vi.waitFor(() => expect(last().lineCount).toBe(1), 5_000);
    expect(last().generation).toBeGreaterThan(generation);
  });
});
