import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { diagnose } from '../../src/analysis/diagnose';
import { info } from '../../src/analysis/info';
import { replayReport } from '../../src/analysis/replay';
import { verifyReport } from '../../src/analysis/verify';
import { readFixture } from '../support/fixtures';

/** One sample of every parser, and what is formatted by nobody's machine here. */
const samples: Readonly<Record<string, string>> = {
  ftrace: head('trace/default-dma.txt'),
  latency: head('trace/latency.txt'),
  verbose: head('trace/verbose-tsc.txt'),
  'no context': head('trace/no-context.txt'),
  'function graph': head('trace/function-graph.txt'),
  probes: head('trace/kprobes-dynamic.txt'),
  report: head('trace/trace-cmd-report.txt'),
  log: `${head('logs/flood-console.txt', 200)}[ 99.0] nvme 0000:00:05.0: swiotlb buffer is full (sz: 4096 bytes), total 4 (slots), used 4 (slots)\n`,
  'samples table': head('trace/debugfs.csv'),
  samples: '/sys/kernel/debug/swiotlb/io_tlb_nslabs:512\n/sys/kernel/debug/swiotlb/io_tlb_used:12\n'.repeat(20),
  perf: 'fio  4211/4215 [003]  1021.334455: swiotlb:swiotlb_bounced: dev_name: a dma_mask=ffffffff dev_addr=101cec286 size=54 FORCE\n'.repeat(
    20,
  ),
  journal:
    '{"__MONOTONIC_TIMESTAMP":"5140900","MESSAGE":"nvme a: swiotlb buffer is full (sz: 4096 bytes), total 9 (slots), used 9 (slots)"}\n'.repeat(
      20,
    ),
};

function head(path: string, lines = 60): string {
  return `${new TextDecoder('latin1').decode(readFixture(path)).split('\n').slice(0, lines).join('\n')}\n`;
}

/** Told, not found by trying: what is tested here is the reading. */
const bootLines = `[0.0] Linux version 6.12.0
[0.0] software IO TLB: area num 4.
[0.0] software IO TLB: mapped [mem 0x0000000079b8e000-0x000000007db8e000] (64MB)
`;

/** Everything an editor would ask about it, once. */
function ask(chunks: Iterable<Uint8Array>, path = 'input.txt'): Analysis {
  const builder = createAnalysis();
  const source = builder.openSource({ path });
  for (const chunk of chunks) {
    source.push(chunk);
  }
  source.end();
  const log = builder.openSource({ path: 'dmesg.txt' });
  log.push(bytesOf(bootLines));
  log.end();
  const analysis = builder.snapshot();
  for (const { lines, understood, counted, notUnderstood } of analysis.sourceLedgers) {
    expect(understood + counted + notUnderstood).toBe(lines);
  }
  JSON.stringify([info(analysis), diagnose(analysis), verifyReport(analysis)]);
  return analysis;
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** What may not change when only the clothing of the text changes. */
function contentOf({ tables, sourceLedgers }: Analysis): unknown {
  return [
    tables.counts,
    tables.samples.length,
    tables.logs.map(({ kind, sizeBytes }) => [kind, sizeBytes]),
    sourceLedgers[0].understood,
  ];
}

function utf16(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(`\ufeff${text}`, 'utf16le'));
}

describe.each(Object.entries(samples))('%s', (_, text) => {
  const plain = contentOf(ask([bytesOf(text)]));

  it('is worth testing', () => {
    expect(plain).not.toEqual(contentOf(ask([bytesOf('Dear diary,\n')])));
  });

  it('with CRLF line ends gives the same tables', () => {
    expect(contentOf(ask([bytesOf(text.replaceAll('\n', '\r\n'))]))).toEqual(plain);
  });

  it('in UTF-16 gives the same tables', () => {
    expect(contentOf(ask([utf16(text)]))).toEqual(plain);
  });

  it('in chunks of any size gives the same tables', () => {
    const bytes = bytesOf(text);
    for (const size of [1, 7, 64, 1000]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.slice(i * size, (i + 1) * size),
      );
      expect(contentOf(ask(chunks))).toEqual(plain);
    }
  });

  it('with NUL bytes, torn and reversed lines, and numbers beyond everything is survived', () => {
    const lines = text.split('\n');
    ask([bytesOf(lines.map((line) => `\0\0${line}`).join('\n'))]);
    ask([bytesOf(text.replaceAll(' ', '\0'))]);
    ask([bytesOf(lines.reverse().join('\n'))]);
    ask([bytesOf(lines.map((line, i) => line.slice(0, (i * 37) % (line.length + 1))).join('\n'))]);
    for (const number of ['9'.repeat(30), '18446744073709551615', '0', '4294967296']) {
      ask([bytesOf(text.replace(/\d+/g, (found, at) => (at % 3 === 0 ? number : found)))]);
    }
    ask([bytesOf(text.replace(/[0-9a-f]{8,}/g, 'f'.repeat(40)))]);
  });
});

describe('size', () => {
  const mebibyte = new Uint8Array(1 << 20).fill(0x61);

  it.each(['ftrace', 'log', 'samples table', 'function graph'])('a line of 100 MB in %s is one line', (name) => {
    const text = bytesOf(samples[name]);
    const whole = ask([text]);
    const before = process.memoryUsage().arrayBuffers;
    const { sourceLedgers } = ask(
      (function* () {
        yield text;
        for (let i = 0; i < 100; i++) {
          yield mebibyte;
        }
        yield bytesOf('\n');
      })(),
    );
    expect(sourceLedgers[0].understood).toBe(whole.sourceLedgers[0].understood);
    expect(sourceLedgers[0].lines).toBe(whole.sourceLedgers[0].lines + 1);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 << 20);
  });

  it.each([
    [
      'events',
      (i: number) =>
        `            a-1       [000] .....  ${i}.000001: swiotlb_bounced: dev_name: d${i} dma_mask=ffffffff dev_addr=1000 size=54 FORCE`,
    ],
    [
      'log lines',
      (i: number) => `[${i}.0] d d${i}: swiotlb buffer is full (sz: 4096 bytes), total 9 (slots), used 9 (slots)`,
    ],
    ['restricted pools', (i: number) => `/sys/kernel/debug/swiotlb/p${i}/io_tlb_used:${i}`],
  ])('10^5 devices in %s are survived', (_, line) => {
    const lines = Array.from({ length: 100_000 }, (_unused, i) => line(i));
    ask([bytesOf(`${lines.join('\n')}\n`)]);
  });

  it('a machine of four thousand million CPUs, or a task on CPU 65535, is survived', () => {
    for (const cpu of ['4294967295', '65535', '32768', '99999999999999999999']) {
      const text = samples['ftrace'].replace(/#P:\d+/, `#P:${cpu}`).replace(/\[00\d\]/, `[${cpu}]`);
      const log = `[0.0] smpboot: Allowing ${cpu} CPUs, 0 hotplug CPUs\n[0.0] software IO TLB: area num ${cpu}.\n`;
      const analysis = ask([bytesOf(text + log)]);
      replayReport(analysis, { policy: 'fixed' });
    }
  });
});
