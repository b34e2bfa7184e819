import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StringTable } from '../../src/base/stringTable';
import { maxLineBytes } from '../../src/trace/lineSplitter';
import { createTraceReader, type ReaderSummary } from '../../src/trace/reader';
import { listFixtures, readFixture } from '../support/fixtures';
import { type Collected, collect, lineCountOf } from './collect';

const traces = listFixtures('trace')
  .filter(
    (name) =>
      !name.startsWith('trace-dat-report') &&
      (name.endsWith('.txt.gz') || name.endsWith('.csv') || name.endsWith('snap.txt')),
  )
  .map((name) => `trace/${name.replace(/\.gz$/, '')}`);
const logs = ['logs/dmesg-full.txt', 'logs/flood-console.txt'];

/** The first whole lines of a fixture, small enough to be tried at every byte. */
function head(path: string, bytes: number): Uint8Array {
  const all = readFixture(path);
  return all.subarray(0, all.lastIndexOf(10, bytes) + 1);
}

/** Everything that may not depend on how the bytes were cut. */
function essence({ events, logs, samples, lost, summary }: Collected): unknown {
  return { events, logs, samples, lost, summary };
}

describe('chunks', () => {
  it('give the same result wherever they are cut', () => {
    const inputs = [...traces, ...logs].map((path) => ({ path, bytes: head(path, 12_000) }));
    const whole = inputs.map(({ bytes, path }) => essence(collect(bytes, { path })));
    fc.assert(
      fc.property(fc.nat(inputs.length - 1), fc.array(fc.nat(12_000), { maxLength: 40 }), (which, offsets) => {
        const { bytes, path } = inputs[which];
        const cuts = offsets.filter((offset) => offset < bytes.length).sort((a, b) => a - b);
        expect(essence(collect(bytes, { path, cuts }))).toEqual(whole[which]);
      }),
      { numRuns: 150 },
    );
  });

  it('of one byte give the same result', () => {
    for (const path of [
      'trace/default-dma.txt',
      'trace/function-graph.txt',
      'logs/dmesg-full.txt',
      'trace/debugfs.csv',
    ]) {
      const bytes = head(path, 6000);
      const cuts = Array.from(bytes, (_, index) => index);
      expect(essence(collect(bytes, { path, cuts })), path).toEqual(essence(collect(bytes, { path })));
    }
  });
});

/** A cut directly behind `attrs=` cannot be told from an empty list of attributes. */
function certain({ events }: Collected): unknown {
  return events.map(({ attributes: _, ...event }) => event);
}

function lastHeaderByte(bytes: Uint8Array): number {
  let start = 0;
  while (bytes[start] === 35) {
    start = bytes.indexOf(10, start) + 1;
  }
  return start;
}

describe('a cut-off input', () => {
  for (const path of [...traces, ...logs]) {
    it(`of ${path} gives its whole lines and at most one torn line`, () => {
      const all = readFixture(path);
      // Header and some lines; for logs a part with failures.
      const start = path.startsWith('logs/') ? all.lastIndexOf(10, all.length - 1200) + 1 : lastHeaderByte(all);
      const bytes = all.subarray(start, all.indexOf(10, start + 800) + 1);
      let lineStart = 0;
      let whole = collect(bytes.subarray(0, 0), { path });
      for (let end = 1; end < bytes.length; end++) {
        const cut = collect(bytes.subarray(0, end), { path });
        if (bytes[end - 1] === 10) {
          lineStart = end;
          whole = cut;
          continue;
        }
        const lineEnd = bytes.indexOf(10, end);
        const complete = collect(bytes.subarray(0, lineEnd + 1), { path });
        // Either nothing more than the whole lines gave, or the last line as it really is.
        const delivered = cut.events.length + cut.logs.length + cut.samples.length;
        if (delivered > whole.events.length + whole.logs.length + whole.samples.length && lineStart > 0) {
          const shown = { at: end, text: new TextDecoder().decode(bytes.subarray(lineStart, end)) };
          expect({ ...shown, events: certain(cut) }).toEqual({ ...shown, events: certain(complete) });
          expect(cut.samples).toEqual(complete.samples);
          expect(cut.logs.map(({ kind, sizeBytes }) => [kind, sizeBytes])).toEqual(
            complete.logs.map(({ kind, sizeBytes }) => [kind, sizeBytes]),
          );
        }
        expect(cut.summary.ledger.notUnderstood).toBeLessThanOrEqual(whole.summary.ledger.notUnderstood + 1);
      }
    });
  }
});

const event = (stamp: string, device = 'a') =>
  `              nc-177     [002] b.... ${stamp}: swiotlb_bounced: dev_name: ${device} dma_mask=ffffffff dev_addr=1000 size=54 FORCE`;

describe('strange bytes', () => {
  it('CRLF line ends change nothing', () => {
    const lines = [event('1.000001'), event('1.000002')];
    const { events, summary } = collect(`${lines.join('\r\n')}\r\n`);
    expect(events).toHaveLength(2);
    expect(summary.ledger).toMatchObject({ lines: 2, understood: 2 });
  });

  it('a carriage return alone ends a line, as in an editor, and any cut gives the same', () => {
    // A classic Mac, consoles that print more returns than they should, a progress bar before the line.
    const text = `${event('1.000001')}\r${event('1.000002')}\r\r\n${event('1.000003')}\r\n\r 12%\r 99%\r${event('1.000004')}\n`;
    const whole = collect(text);
    expect(
      whole.events.map(({ line, byteOffset }) => [line, text.slice(byteOffset as number).indexOf('nc-177')]),
    ).toEqual([1, 2, 4, 8].map((line) => [line, 14]));
    expect(whole.summary.ledger.lines).toBe(8);
    for (let cut = 1; cut < text.length; cut++) {
      expect(collect(text, { cuts: [cut] })).toEqual(whole);
    }
  });

  it('log lines that end in carriage returns keep their columns', () => {
    const line =
      '[    1.000000] nvme 0000:00:05.0: swiotlb buffer is full (sz: 4096 bytes), total 4 (slots), used 4 (slots)';
    const plain = collect(`${line}\n${line}\n`).logs;
    const serial = collect(`${line}\r\r\n${line}\r`).logs;
    expect(serial.map(({ line: at, startColumn, endColumn, timeNs }) => [at, startColumn, endColumn, timeNs])).toEqual(
      plain.map(({ line: at, startColumn, endColumn, timeNs }) => [at === 1 ? 1 : 3, startColumn, endColumn, timeNs]),
    );
  });

  it('NUL bytes before a line are columns of it, a run of them alone is one binary line', () => {
    const nuls = '\0'.repeat(5000);
    const { logs, summary } = collect(
      `[ 1.0] a b: swiotlb buffer is full (sz: 1 bytes)\n${nuls}[ 2.0] a b: swiotlb buffer is full (sz: 2 bytes)\n${nuls}\n`,
    );
    expect(logs.map(({ line, startColumn }) => [line, startColumn])).toEqual([
      [1, 7],
      [2, 5007],
    ]);
    expect(summary.ledger.lines).toBe(3);
  });

  it('UTF-16 with a byte order mark is read as text', () => {
    const text = `${event('1.000001')}\n[    1.0] a größe: swiotlb buffer is full (sz: 4096 bytes)\n`;
    for (const littleEndian of [true, false]) {
      const bytes = new Uint8Array(2 + text.length * 2);
      const view = new DataView(bytes.buffer);
      view.setUint16(0, 0xfeff, littleEndian);
      for (let i = 0; i < text.length; i++) {
        view.setUint16(2 + i * 2, text.charCodeAt(i), littleEndian);
      }
      for (const cuts of [[], [1], [2], [3], [100]]) {
        const { events, logs } = collect(bytes, { cuts });
        expect(events).toHaveLength(1);
        expect(logs).toMatchObject([{ device: 'größe', sizeBytes: 4096 }]);
      }
    }
  });

  it('numbers above 2^64 and addresses above 2^53 are problems, not crashes', () => {
    const digits = 'f'.repeat(40);
    const { events, summary } = collect(
      `${event('1.000001').replace('dev_addr=1000', `dev_addr=${digits}`)}\n${event('1.000002').replace('size=54', `size=${'9'.repeat(40)}`)}\n`,
    );
    expect(events[0]['original']).toBeUndefined();
    expect(events[1]['sizeBytes']).toBe(0xffffffff);
    expect(summary.problems.map(({ code }) => code)).toEqual(['address-too-large', 'size-too-large']);
  });

  it('clocks going back are reported and give negative times', () => {
    const { events, summary } = collect(`${event('5.000000')}\n${event('1.000000')}\n`);
    expect(events[1]['timeNs']).toBe(-4e9);
    expect(summary.problems).toMatchObject([{ code: 'clock-backwards', line: 2 }]);
  });

  it('problems are listed a few times and then counted', () => {
    const line = `${event('5.000000').slice(0, 80)}\n`;
    const { summary } = collect(line.repeat(100));
    const bad = summary.problems.filter(({ code }) => code === 'bad-line');
    expect(bad.length).toBeLessThan(10);
    expect(bad.reduce((sum, { count }) => sum + count, 0)).toBe(100);
    expect(summary.ledger.notUnderstoodExamples.length).toBeLessThanOrEqual(10);
  });

  it('10^5 devices are kept apart', () => {
    const lines = Array.from({ length: 100_000 }, (_, index) => event(`${index}.000000`, `device.${index}`));
    const { events } = collect(`${lines.join('\n')}\n`);
    expect(new Set(events.map(({ device }) => device)).size).toBe(100_000);
  });

  it('any bytes at all never throw and the ledger adds up', () => {
    const words = [
      'swiotlb_bounced: ',
      'dma_map_sg: ',
      '[002] ',
      'b.... ',
      '1.000001: ',
      ' 2) ',
      '| ',
      '{0x',
      '}',
      '/* ',
      '*/',
      'CPU:2 [LOST ',
      'dev_name: ',
      'dma_addr=',
      'size=',
      'attrs=',
      '-1 ',
      '(swiotlb_tbl_map_single+0x4/0x8) ',
      '\n',
      '\r\n',
      '\0',
      '[    1.0] ',
      'swiotlb buffer is full (sz: ',
      ' bytes)',
      ', total ',
      'io_tlb_used:',
      'used,nslabs\n',
      '# tracer: ',
      '=20',
      '"',
      '\u001b[31m',
      'ÿ',
    ];
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 6 })), { maxLength: 60 }),
        fc.uint8Array({ maxLength: 40 }),
        (parts, tail) => {
          const text = new TextEncoder().encode(parts.join(''));
          const bytes = new Uint8Array(text.length + tail.length);
          bytes.set(text);
          bytes.set(tail, text.length);
          const { summary } = collect(bytes);
          if (bytes[0] !== 0xff && bytes[0] !== 0xfe) {
            expect(summary.ledger.lines).toBe(lineCountOf(bytes));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('inputs that are no trace', () => {
  const cases: readonly (readonly [what: string, input: string | Uint8Array, looksLike: RegExp, code: string])[] = [
    ['an empty file', '', /^empty$/, 'empty-input'],
    ['prose', 'Dear diary,\nnothing happened today.\n', /plain text/, 'not-a-trace'],
    ['JSON', '{"a": [1, 2]}\n', /JSON/, 'not-a-trace'],
    ['HTML', '<!doctype html><html></html>\n', /HTML/, 'not-a-trace'],
    ['a script', '#!/bin/sh\necho hello\n', /script/, 'not-a-trace'],
    [
      'ELF',
      Uint8Array.from({ length: 9000 }, (_, i) => (i < 4 ? [0x7f, 0x45, 0x4c, 0x46][i] : (i * 7) & 0xff)),
      /ELF/,
      'binary-input',
    ],
    [
      'gzip',
      Uint8Array.from({ length: 9000 }, (_, i) => (i < 2 ? [0x1f, 0x8b][i] : (i * 31) & 0xff)),
      /gzip/,
      'binary-input',
    ],
    ['NULs', new Uint8Array(100_000), /NUL/, 'binary-input'],
  ];
  for (const [what, input, looksLike, code] of cases) {
    it(`${what} is named`, () => {
      const { summary } = collect(input);
      expect(summary).toMatchObject({ recognised: false, hasField: false, format: 'unknown' });
      expect(summary.looksLike).toMatch(looksLike);
      expect(summary.problems.map((problem) => problem.code)).toContain(code);
    });
  }

  it('a log without failures is recognised', () => {
    const { summary } = collect('[    1.0] usb 1-1: new device\n');
    expect(summary).toMatchObject({ recognised: true, hasField: false, looksLike: '' });
  });
});

describe('memory', () => {
  it('a line of 100 MB is skipped, what follows is read', () => {
    const { events, summary } = collectChunks((push) => {
      const part = new Uint8Array(1 << 20).fill(0x61);
      push(new TextEncoder().encode(`${event('1.000000')}\n`));
      for (let i = 0; i < 100; i++) {
        push(part);
      }
      push(new TextEncoder().encode(`\n${event('2.000000')}\n`));
    });
    expect(events).toBe(2);
    expect(summary.ledger).toMatchObject({ lines: 3, notUnderstood: 1 });
    expect(summary.problems).toMatchObject([{ code: 'line-too-long', line: 2 }]);
  });

  it('a hole of 2 GiB is given up early, without holding it', () => {
    let pushed = 0;
    const { summary } = collectChunks((push) => {
      const zeros = new Uint8Array(1 << 22);
      while (pushed < 2 ** 31 && push(zeros)) {
        pushed += zeros.length;
      }
    });
    expect(pushed).toBeLessThan(2 ** 27);
    expect(summary.problems.map(({ code }) => code)).toContain('binary-input');
    expect(summary.looksLike).toMatch(/NUL/);
  });

  it('long runs of letters, dashes or blanks around a message word cost no more than their length', () => {
    const started = performance.now();
    for (const run of ['a', '-', ' ', 'a/', 'a: ', '[1', '"a":', '(', 'swiotlb ', '0x']) {
      const line = `${run.repeat(16_000 / run.length)}DMA swiotlb overflow`.slice(-16_000);
      collect(`${line}\n`.repeat(20));
    }
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('a line at the limit is still read', () => {
    const pad = ' '.repeat(maxLineBytes - event('1.0').length - 10);
    expect(collect(`${event('1.0')}${pad}\n`).events).toHaveLength(1);
  });
});

/** Feeds chunks without keeping events. `push` tells whether the reader wants more. */
function collectChunks(feed: (push: (chunk: Uint8Array) => boolean) => void): {
  events: number;
  summary: ReaderSummary;
} {
  let events = 0;
  const reader = createTraceReader({
    source: 0,
    path: 'x',
    strings: new StringTable(),
    sink: { event: () => events++, log: () => {}, sample: () => {}, lost: () => {} },
  });
  feed((chunk) => {
    reader.push(chunk);
    return reader.wantsMore();
  });
  reader.end();
  return { events, summary: reader.summary() };
}
