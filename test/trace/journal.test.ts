import { describe, expect, it } from 'vitest';
import { collect } from './collect';

/** Entries as journald keeps them; journalctl prints the fields in any order, and the stamps often behind the message. */
const entries = [
  { message: 'software IO TLB: mapped [mem 0x000000007bfd9000-0x000000007ffd9000] (64MB)', microseconds: 105_000 },
  {
    message: 'nvme 0000:00:05.0: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used 32760 (slots)',
    microseconds: 5_140_900,
  },
  { message: 'Started "Daily" {job}: [1, 2], C:\\temp', microseconds: 6_000_000 },
  {
    message: 'ata größe: swiotlb buffer is full (sz: 8192 bytes), total 512 (slots), used 500 (slots)',
    microseconds: 7_000_001,
  },
];
const objects = entries.map(({ message, microseconds }, index) => ({
  __CURSOR: `s=0;i=${index};b=1`,
  PRIORITY: '4',
  MESSAGE: message,
  _TRANSPORT: 'kernel',
  _KERNEL_SUBSYSTEM: ['pci', 'pci'],
  SYSLOG_IDENTIFIER: 'kernel',
  _SOURCE_MONOTONIC_TIMESTAMP: String(microseconds),
  __MONOTONIC_TIMESTAMP: String(microseconds + 17),
}));
/** Messages with bytes that are no text become lists of bytes. */
const lists = objects.map((entry) => ({ ...entry, MESSAGE: [...new TextEncoder().encode(entry.MESSAGE)] }));
const json = (value: unknown) => JSON.stringify(value);
const pretty = (value: unknown) => JSON.stringify(value, null, '\t').replace(/": /g, '" : ');

const styles: Record<string, string> = {
  json: objects.map((entry) => `${json(entry)}\n`).join(''),
  'json, several on a line': `${objects.map(json).join('')}\n`,
  'json, several on a line with blanks': `${objects.map(json).join(' ')}\n`,
  'json-pretty': objects.map((entry) => `${pretty(entry)}\n`).join(''),
  'json-pretty with CRLF': objects.map((entry) => `${pretty(entry)}\n`.replaceAll('\n', '\r\n')).join(''),
  'json-pretty with lists of bytes': lists.map((entry) => `${pretty(entry)}\n`).join(''),
  'json-seq': objects.map((entry) => `\u001e${json(entry)}\n`).join(''),
  'json-seq, pretty': objects.map((entry) => `\u001e${pretty(entry)}\n`).join(''),
  'json-sse': objects.map((entry) => `data: ${json(entry)}\n\n`).join(''),
  'json-sse with lists of bytes': lists.map((entry) => `data: ${json(entry)}\n\n`).join(''),
  'an array on a line': `${json(objects)}\n`,
  'an array on a line, lists of bytes': `${json(lists)}\n`,
  'an array, an entry a line': `[\n${objects.map(json).join(',\n')}\n]\n`,
  'an array, pretty': `${pretty(objects)}\n`,
  'an array, pretty, brackets joined': `[${objects.map(pretty).join(', ')}]\n`,
  'hits of a search': `${pretty({ hits: objects.map((entry) => ({ _id: 'x', _source: entry })) })}\n`,
};

describe('journals as JSON', () => {
  it.each(Object.entries(styles))('%s', (style, text) => {
    const whole = collect(text, { path: 'journal.json' });
    expect(
      whole.logs.map(({ kind, sizeBytes, usedSlots, timeNs, device }) => [kind, sizeBytes, usedSlots, timeNs, device]),
    ).toEqual([
      ['pool-mapped', 64 << 20, -1, 0, ''],
      ['buffer-full', 4096, 32760, 5_035_900_000, '0000:00:05.0'],
      ['buffer-full', 8192, 500, 6_895_001_000, 'größe'],
    ]);
    expect(whole.summary.format).toBe('kernel-log');
    expect(whole.summary.problems).toEqual([]);
    // The place of a message is where it stands.
    const lines = text.split(/\r?\n/);
    for (const { line, startColumn, endColumn, text: message } of whole.logs) {
      if (style.includes('lists')) {
        expect(lines[line - 1].slice(startColumn)).toMatch(/^\[/);
        expect(endColumn).toBeLessThanOrEqual(lines[line - 1].length);
      } else {
        expect(lines[line - 1].slice(startColumn, endColumn)).toBe(message);
      }
    }
    const bytes = new TextEncoder().encode(text);
    for (const step of [1, 7, 100]) {
      const cuts = Array.from({ length: Math.floor((bytes.length - 1) / step) }, (_, index) => (index + 1) * step);
      expect(collect(text, { path: 'journal.json', cuts })).toEqual(whole);
    }
  });

  it('an entry that is cut off at any line loses nothing that stands before it', () => {
    const lines = styles['json-pretty'].split('\n');
    const ends = [3, 14, 25].map((line) => lines.findIndex((text, index) => index >= line && text === '}'));
    for (let count = 1; count < lines.length; count++) {
      const { logs, summary } = collect(lines.slice(0, count).join('\n'));
      expect(summary.ledger.lines).toBe(count);
      const known = ends.filter((end) => end < count).length;
      expect(logs.length).toBeGreaterThanOrEqual(Math.min(known, 2));
    }
  });

  it('JSON without a message, and braces that are none, are lines as before', () => {
    const line =
      '[    1.000000] nvme 0000:00:05.0: swiotlb buffer is full (sz: 4096 bytes), total 4 (slots), used 4 (slots)';
    for (const before of [
      '{\n  "a": 1\n}',
      '{',
      '{\n{\n"x": {',
      '[\n{',
      '{\n "MESSAGE": "half',
      '}, {',
      '{\n'.repeat(5000),
    ]) {
      const { logs, summary } = collect(`${before}\n${line}\n`);
      expect(logs.map(({ kind }) => kind)).toEqual(['buffer-full']);
      expect(summary.ledger.lines).toBe(before.split('\n').length + 1);
    }
  });
});
