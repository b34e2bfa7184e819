import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { captureMembers } from '../../src/server/captureFolder';
import { Documents } from '../../src/server/documents';
import { LineOffsets, readLine } from '../../src/server/lineOffsets';

describe('documents', () => {
  const uri = 'file:///t/trace.txt';
  const insert = (text: string) => ({
    range: { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } },
    text,
  });

  it('leave the text on disk when the editor says so', () => {
    const documents = new Documents();
    documents.setOnDisk(uri);
    documents.open(uri, 'swiotlb-trace', 1, '');
    expect(documents.get(uri)).toEqual({ uri, text: null });
  });

  it('take the whole text with the first change, then pieces, and drop it on save', () => {
    const documents = new Documents();
    documents.setOnDisk(uri);
    documents.open(uri, 'swiotlb-trace', 1, '');
    documents.change(uri, 2, [insert('all of it')]);
    documents.change(uri, 3, [insert('yes, ')]);
    expect(documents.get(uri)?.text?.getText()).toBe('yes, all of it');
    documents.setOnDisk(uri);
    expect(documents.get(uri)?.text).toBeNull();
    documents.change(uri, 4, [insert('new text')]);
    expect(documents.get(uri)?.text?.getText()).toBe('new text');
  });

  it('keep an empty dirty document apart from one on disk', () => {
    const documents = new Documents();
    documents.open(uri, 'swiotlb-trace', 1, '');
    expect(documents.get(uri)?.text?.getText()).toBe('');
    documents.close(uri);
    expect(documents.get(uri)).toBeUndefined();
  });
});

describe('capture folders', () => {
  const check = (name: string, siblings: string[], expected: string[]) =>
    expect(captureMembers(name, siblings)).toEqual(expected);

  it('join a trace with its companions', () => {
    check(
      'trace.txt',
      ['README.md', 'cmdline.txt', 'debugfs.csv', 'dmesg.txt', 'ops.csv', 'trace.txt', 'trace.txt.gz'],
      ['trace.txt', 'cmdline.txt', 'debugfs.csv', 'dmesg.txt'],
    );
  });

  it('join a log with the trace beside it, one only', () => {
    check('dmesg.txt', ['dmesg.txt', 'trace.txt.zst', 'trace_pipe.txt'], ['dmesg.txt', 'trace.txt.zst']);
    check('dmesg.txt', ['dmesg.txt', 'trace.txt', 'trace.txt.gz'], ['dmesg.txt', 'trace.txt']);
  });

  it('take a packed companion only without its plain copy', () => {
    check('trace.txt', ['dmesg.txt', 'dmesg.txt.gz', 'config.txt.gz'], ['trace.txt', 'config.txt.gz', 'dmesg.txt']);
  });

  it('leave log folders and other names alone', () => {
    check('kern.log', ['kern.log', 'dmesg', 'syslog', 'trace.txt'], ['kern.log']);
    check('dmesg', ['kern.log', 'dmesg'], ['dmesg']);
    check('my trace.txt', ['dmesg.txt'], ['my trace.txt']);
  });
});

describe('line offsets', () => {
  it('find every line of a file however it was cut into chunks', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'lines-'));
    const file = path.join(folder, 'f');
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.string({ maxLength: 12 }), { minLength: 1, maxLength: 900 }),
          fc.integer({ min: 1, max: 4000 }),
          fc.constantFrom('\n', '\r\n', '\r', '\r\r\n'),
          async (texts, cut, end) => {
            const lines = texts.map((text) => text.replace(/[\r\n]/g, ''));
            const bytes = Buffer.from(lines.join(end));
            writeFileSync(file, bytes);
            const offsets = new LineOffsets();
            for (let at = 0; at < bytes.length; at += cut) {
              offsets.push(bytes.subarray(at, at + cut));
            }
            // A serial console's empty lines are lines.
            const step = end === '\r\r\n' ? 2 : 1;
            for (const line of [1, Math.ceil(lines.length / 2), lines.length]) {
              expect(await readLine(file, offsets, (line - 1) * step + 1)).toBe(lines[line - 1]);
            }
          },
        ),
        { numRuns: 40 },
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
