import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { devicesReport } from '../../src/analysis/devices';
import { diagnose } from '../../src/analysis/diagnose';
import { info } from '../../src/analysis/info';
import { replayReport } from '../../src/analysis/replay';
import { verifyReport } from '../../src/analysis/verify';
import { type AnonymizeReport, createAnonymizer } from '../../src/trace/anonymize';
import { listFixtures, readFixture } from '../support/fixtures';

interface File {
  readonly name: string;
  readonly bytes: Uint8Array;
}

function anonymized(files: readonly File[], chunkBytes = 1 << 16): { files: File[]; report: AnonymizeReport } {
  const anonymizer = createAnonymizer();
  const pass = (name: string, bytes: Uint8Array, open: typeof anonymizer.survey): Buffer => {
    const source = open(name);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      parts.push(source.push(bytes.subarray(at, at + chunkBytes)));
    }
    parts.push(source.end());
    return Buffer.concat(parts);
  };
  for (const { name, bytes } of files) pass(name, bytes, anonymizer.survey);
  const out = files.map(({ name, bytes }) => ({ name, bytes: pass(name, bytes, anonymizer.rewrite) }));
  return { files: out, report: anonymizer.report() };
}

function analyse(files: readonly File[]): Analysis {
  const builder = createAnalysis();
  for (const { name, bytes } of files) {
    const source = builder.openSource({ path: name });
    source.push(bytes);
    source.end();
  }
  return builder.snapshot();
}

function capture(folder: string): File[] {
  const wanted = /^(trace|dmesg|debugfs|cmdline|version|uname|config|kprobe|ring_stats|devices|kallsyms)/;
  return listFixtures(folder)
    .filter((name) => wanted.test(name))
    .map((name) => ({ name: name.replace(/\.(zst|gz)$/, ''), bytes: readFixture(`${folder}/${name}`) }))
    .sort((a, b) => (a.name.startsWith('trace') ? -1 : b.name.startsWith('trace') ? 1 : a.name < b.name ? -1 : 1));
}

/** Everything that must not depend on names and addresses. */
function numbers(analysis: Analysis) {
  const { generation, requests, checked, exact, learned, undecided, mismatchedCount, skipped } = verifyReport(analysis);
  const found = diagnose(analysis);
  const { lines, events, bounced, geometry } = info(analysis);
  const runs = ['fixed', 'transient', 'dynamic'].map((policy) => {
    const { report } = replayReport(analysis, { policy });
    const { served, failed, failuresByCause, usedHighWaterSlots, memory, copiedBytes, transient, assumed } = report;
    return { policy, served, failed, failuresByCause, usedHighWaterSlots, memory, copiedBytes, transient, assumed };
  });
  return {
    verify: { generation, requests, checked, exact, learned, undecided, mismatchedCount, skipped },
    failures: found.failures.map(({ line, cause, sizeBytes, usedSlots, totalSlots }) => ({
      line,
      cause,
      sizeBytes,
      usedSlots,
      totalSlots,
    })),
    episodes: found.episodes.map(({ firstLine, lastLine, count, cause }) => ({ firstLine, lastLine, count, cause })),
    info: { lines, events, bounced, kernel: geometry.kernel, dynamic: geometry.dynamic, cpus: geometry.cpus },
    devices: devicesReport(analysis)
      .devices.map(({ requests, failed, peakSlots, bytes, wasteBytes, driver, dmaMaskBits, minAlignMask }) =>
        JSON.stringify({ requests, failed, peakSlots, bytes, wasteBytes, driver, dmaMaskBits, minAlignMask }),
      )
      .sort(),
    runs,
  };
}

describe('anonymised captures', () => {
  // One of each kind of recording.
  const folders = listFixtures('captures').filter((name) =>
    /^(a2|b1|c[14]|ctl_(bigs_dyn|mask30|conc_fixed_4)|d1|e[35]|f1|g2|h[1358]_|h11|i3|mirror_dyn_64)/.test(name),
  );
  it.each(folders)('%s: the same numbers', (folder) => {
    const files = capture(`captures/${folder}`);
    const { files: out } = anonymized(files);
    expect(numbers(analyse(out))).toEqual(numbers(analyse(files)));
  });
});

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
const file = (name: string, content: string): File => ({ name, bytes: Buffer.from(content) });
const lineOf = (content: string, name = 'dmesg.txt') => text(anonymized([file(name, content)]).files[0].bytes);

describe('names and addresses', () => {
  const files = capture('captures/c1_full_1MiB');
  const { files: out, report } = anonymized(files);

  it('of devices, tasks and the pool are all gone', () => {
    const { tables, geometry } = analyse(files);
    const all = out.map(({ bytes }) => text(bytes)).join('\n');
    const names = tables.devices.map(({ name }) => name).filter((name) => name !== '');
    expect(names.length).toBeGreaterThan(1);
    const taskNames = new Set(
      [...text(files[0].bytes).matchAll(/^\s*(\w[\w/:-]*)-\d+\s+\[/gm)].map(([, task]) => task),
    );
    expect(taskNames.size).toBeGreaterThan(3);
    for (const name of [...names, ...taskNames]) {
      expect(all.includes(` ${name} `) || all.includes(` ${name}-`) || all.includes(` ${name}:`), name).toBe(
        /^(ksoftirqd|swapper|migration)/.test(name),
      );
    }
    for (const field of ['dma_addr', 'phys_addr', 'dev_addr']) {
      const original = new Set(
        [...text(files[0].bytes).matchAll(new RegExp(`${field}=([0-9a-f]{7,9})\\b`, 'g'))].map(([, a]) => a),
      );
      const moved = [...text(out[0].bytes).matchAll(new RegExp(`${field}=([0-9a-f]{7,9})\\b`, 'g'))].map(([, a]) => a);
      expect(moved.length).toBeGreaterThan(100);
      expect(text(out[0].bytes)).not.toBe(text(files[0].bytes));
      expect(original.size).toBe(new Set(moved).size);
    }
    expect(all).not.toContain(geometry.pools[0].start.value.toString(16));
  });

  it('are counted', () => {
    expect(report).toMatchObject({ isRendered: false });
    expect(report.addresses).toBeGreaterThan(4000);
    expect(report.devices).toBeGreaterThan(2);
    expect(report.lines).toBe(files.reduce((sum, { bytes }) => sum + text(bytes).split('\n').length - 1, 0));
  });

  it('stay on their side of 4 GiB and of every mask, by the same distance', () => {
    const at = (address: string, mask = 'ffffffffffffffff') =>
      `  a-1 [000] d..1. 1.000000: swiotlb_bounced: dev_name: x dma_mask=${mask} dev_addr=${address} size=54 FORCE\n`;
    const addresses = (content: string) =>
      [...lineOf(content, 'trace.txt').matchAll(/dev_addr=([0-9a-f]+)/g)].map(([, hex]) => Number.parseInt(hex, 16));
    const [a, b] = addresses(at('fffff000') + at('fbfff800'));
    expect(a - b).toBe(0xfffff000 - 0xfbfff800);
    expect(a).toBeLessThan(2 ** 32);
    expect(a).not.toBe(0xfffff000);
    expect(a % 2 ** 21).toBe(0xfffff000 % 2 ** 21);
    const [low, high] = addresses(at('3fe00000', '3fffffff') + at('40200000', '3fffffff'));
    expect(low).toBeLessThan(2 ** 30);
    expect(high).toBeGreaterThanOrEqual(2 ** 30);
    // Nowhere to go between two neighbours of the mask: they stay.
    expect(addresses(at('3ffff000', '3fffffff') + at('40000000', '3fffffff'))).toEqual([0x3ffff000, 0x40000000]);
    expect(addresses(at('0') + at('ffffffffffffffff'))).toEqual([0, 2 ** 64]);
  });

  it('of the same name are the same in every file', () => {
    const [trace, log] = anonymized([
      file(
        'trace.txt',
        ' fio-7 [000] d..1. 1.000000: dma_map_page: 0000:05:00.0 dir=TO_DEVICE dma_addr=7da2b000 size=54 phys_addr=101bb0286 attrs=\n',
      ),
      file(
        'dmesg.txt',
        '[ 1.0] software IO TLB: mapped [mem 0x000000007da28000-0x000000007db28000] (1MB)\n[ 2.0] nvme 0000:05:00.0: swiotlb buffer is full (sz: 4096 bytes), total 512 (slots), used 511 (slots)\n',
      ),
    ]).files.map(({ bytes }) => text(bytes));
    const device = /dma_map_page: (\S+) /.exec(trace)![1];
    expect(log).toContain(
      `nvme ${device}: swiotlb buffer is full (sz: 4096 bytes), total 512 (slots), used 511 (slots)`,
    );
    const dma = Number.parseInt(/dma_addr=([0-9a-f]+)/.exec(trace)![1], 16);
    const start = Number.parseInt(/mem 0x([0-9a-f]+)/.exec(log)![1], 16);
    expect(dma - start).toBe(0x3000);
  });
});

describe('texts', () => {
  it.each([
    [
      'Nov 20 11:30:53 build-host.example kernel: [ 9.5] usb 1-1: SerialNumber: 4C530001',
      /^Nov 20 11:30:53 host kernel: \[ 9\.5\] \(text \d+ removed\)$/,
    ],
    [
      '[ 1.2] r8169 0000:03:00.0 eth0: RTL8168h, 00:1b:21:aa:bb:cc, IRQ 35',
      /^\[ 1\.2\] r8169 0000:01:00\.0: \(text \d+ removed\)$/,
    ],
    [
      '[ 0.0] Linux version 5.14.0-427.el9.x86_64 (mockbuild@build.example) (gcc) #1 SMP',
      /^\[ 0\.0\] Linux version 5\.14\.0-427\.el9\.x86_64 \(x\)$/,
    ],
    [
      '[ 0.0] Command line: BOOT_IMAGE=/boot/vmlinuz root=UUID=8f-22 swiotlb=65536,force quiet user=jane',
      /^\[ 0\.0\] Kernel command line: BOOT_IMAGE=x swiotlb=65536,force$/,
    ],
    [
      '{"_HOSTNAME":"secret","__MONOTONIC_TIMESTAMP":"2000001","MESSAGE":"swiotlb: secret"}',
      /^\[ {4}2\.000001\] \(text \d+ removed\)$/,
    ],
  ])('of %s', (line, expected) => {
    expect(lineOf(`${line}\n`).trimEnd()).toMatch(expected);
  });

  it('keep what posted kernel messages prove, line by line', () => {
    const lines = text(readFixture('logs/kernel-lines.jsonl')).trimEnd().split('\n');
    for (const { text: line } of lines.map((json) => JSON.parse(json) as { text: string })) {
      const before = analyse([file('dmesg.txt', `${line}\n`)]);
      const after = analyse([file('dmesg.txt', lineOf(`${line}\n`))]);
      const facts = ({ tables }: Analysis) =>
        tables.logs.map(({ kind, sizeBytes, totalSlots, usedSlots, count, maskBits, busLimit }) => ({
          kind,
          sizeBytes,
          totalSlots,
          usedSlots,
          count,
          maskBits,
          busLimit,
        }));
      expect(facts(after), line).toEqual(facts(before));
    }
  });

  it.each([
    '192.168.17.5',
    'cpu 192.168.17.5',
    '4C530001230706117',
    '00:1b:21:aa:bb:cc',
    '8f2c6e1a-1d3b-4c5d-9e8f-0a1b2c3d4e5f',
    '555 0199 42',
  ])('that are numbers go as well: %s', (line) => {
    expect(lineOf(`${line}\n`)).toMatch(/^\(text \d+ removed\)\n$/);
  });

  it('that somebody wrote do not survive, wherever they stand', () => {
    const secret = fc.stringMatching(/^[b-df-hj-np-tv-z]{9,14}$/);
    const places = [
      (s: string) => `${s}\n`,
      (s: string) => `# ${s}\n`,
      (s: string) => `[ 1.5] ${s}: probe of ${s} failed\n`,
      (s: string) => `Nov 20 11:30:53 ${s} kernel: [ 9.5] usb 1-1: SerialNumber: ${s}\n`,
      (s: string) => `Nov 20 11:30:53 ${s} systemd[1]: Started ${s}.\n`,
      (s: string) => `[ 0.0] Linux version 6.1.0-${s} (${s}@${s}) #1\n`,
      (s: string) => `[ 0.0] Command line: root=/dev/${s} swiotlb=65536 ${s}=1\n`,
      (s: string) =>
        ` ${s}-12 [001] d..1. 2.000000: dma_map_page: ${s} dir=TO_DEVICE dma_addr=7da2b000 size=54 phys_addr=101bb0286 attrs=\n`,
      (s: string) => ` ${s}-12 [001] d..1. 2.000000: sched_switch: prev_comm=${s} next_comm=${s}\n`,
      (s: string) => ` a-12 [001] d..1. 2.000000: tracing_mark_write: ${s} mono=1.5\n`,
      (s: string) => ` a-12 [001] d..1. 2.000000: console: [ 2.0] ${s} ${s}: ${s}\n`,
      (s: string) =>
        `${s} 42 [000] 2.000000: swiotlb:swiotlb_bounced: dev_name: ${s} dma_mask=ff dev_addr=1 size=5 FORCE\n`,
      (s: string) => ` 1)  ${s}-12  |  ${s}() { /* ${s} */\n`,
      (s: string) => `{"MESSAGE":"nvme 0000:00:01.0: swiotlb buffer is full (sz: 4096 bytes)","_HOSTNAME":"${s}"}\n`,
      (s: string) => `MESSAGE=${s}\n_HOSTNAME=${s}\n`,
      (s: string) => `/sys/kernel/debug/swiotlb/${s}/io_tlb_used:5\n`,
      (s: string) => `CONFIG_${s.toUpperCase()}="${s}"\nCONFIG_SWIOTLB="${s}"\n`,
      (s: string) => `ffffffff810e8110 T ${s}\n`,
      (s: string) => `[ 9.0] INFO: task ${s}:77 blocked for more than 120 seconds.\n`,
      (s: string) => `DMA pool exhausted for ${s}\n`,
      (s: string) => `${s} kernel: swiotlb buffer is full (sz: 4096 bytes)\n`,
      (s: string) => `  ${s}   12   34\n`,
      (s: string) => `${s}: ${s}, 1, 2\n${s},nslabs,used\n`,
    ];
    fc.assert(
      fc.property(
        fc.array(fc.tuple(secret, fc.nat(places.length - 1)), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 99 }),
        (planted, chunkBytes) => {
          const input = file('notes.txt', planted.map(([word, at]) => places[at](word)).join(''));
          const output = text(anonymized([input], chunkBytes).files[0].bytes);
          expect(output.split('\n')).toHaveLength(text(input.bytes).split('\n').length);
          for (const [word] of planted) {
            expect(output.toLowerCase()).not.toContain(word);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('other inputs', () => {
  it('a trace.dat becomes the text of its records, with the same numbers', () => {
    const dat = { name: 'trace.dat', bytes: readFixture('trace/trace-v7zstd.dat') };
    const { files: out, report } = anonymized([dat]);
    expect(report.isRendered).toBe(true);
    expect(text(out[0].bytes)).toMatch(/^cpus=4\n/);
    const { verify, failures, devices, runs } = numbers(analyse([{ name: 'trace.txt', bytes: out[0].bytes }]));
    expect({ verify, failures, devices, runs }).toEqual(
      (({ verify, failures, devices, runs }) => ({ verify, failures, devices, runs }))(numbers(analyse([dat]))),
    );
  });

  it('chunks of any size give the same bytes', () => {
    const [{ name, bytes }] = capture('captures/f1_fgraph_options_dyn');
    const files = [{ name, bytes: bytes.subarray(0, 30_000) }];
    const whole = anonymized(files).files[0].bytes;
    for (const chunkBytes of [1, 7, 4093]) {
      expect(Buffer.compare(anonymized(files, chunkBytes).files[0].bytes, whole)).toBe(0);
    }
  });

  const entries = [
    ['1000000', 'nvme 0000:00:05.0: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used 32760 (slots)'],
    ['1500000', 'user secretuser logged in from 10.1.2.3'],
    ['2000000', 'nvme 0000:00:05.0: swiotlb buffer is full (sz: 8192 bytes), total 32768 (slots), used 32760 (slots)'],
  ].map(([at, message]) => ({ _HOSTNAME: 'secrethost', MESSAGE: message, __MONOTONIC_TIMESTAMP: at, _X: ['secret'] }));
  const old =
    '            secretd-1234  [003] d..1  1021.334455: swiotlb_bounced: dev_name: 0000:00:05.0 dma_mask=ffffffff';
  const shapes: Record<string, string> = {
    'a journal, an entry over many lines': entries.map((entry) => `${JSON.stringify(entry, null, '\t')}\n`).join(''),
    'a journal, an array on a line': `${JSON.stringify(entries)}\n`,
    'a journal, an array over many lines': `${JSON.stringify(entries, null, 2)}\n`,
    'a table without a header': Array.from(
      { length: 40 },
      (_, row) => `${100 + row / 10},512,${10 + ((row * 7) % 5)},20\n`,
    ).join(''),
    'times above counters': [12, 14]
      .map((used) => `Fri Nov 20 11:30:${used} UTC 2026\n/sys/kernel/debug/swiotlb/io_tlb_used:${used}\n`)
      .join(''),
    'a trace of 4.9': `${old} dev_addr=101cec286 size=54 \n${old} dev_addr=101cec386 size=54 swiotlb_force\n`,
    'carriage returns': `[    1.0] ${entries[0]?.MESSAGE}\rsecret\r\r\n[    2.0] ${entries[2]?.MESSAGE}\r`,
  };
  it.each(Object.entries(shapes))('%s: the same answers, and no more', (_what, content) => {
    const input = file('x.txt', content);
    const { files: out } = anonymized([input]);
    const facts = (analysis: Analysis) => ({
      failures: diagnose(analysis).failures.map(({ line, cause, sizeBytes, timeNs }) => ({
        line,
        cause,
        sizeBytes,
        timeNs,
      })),
      requests: analysis.tables.requests.length,
      samples: analysis.tables.samples.length,
      info: (({ lines, format, firstTimeNs, lastTimeNs }) => ({ lines, format, firstTimeNs, lastTimeNs }))(
        info(analysis),
      ),
    });
    const expected = facts(analyse([input]));
    expect(expected.failures.length + expected.requests + expected.samples).toBeGreaterThan(1);
    expect(facts(analyse(out))).toEqual(expected);
    expect(text(out[0].bytes)).not.toMatch(/secret|10\.1\.2\.3/);
  });

  it('the option fields of the tracer does not keep the addresses as decimals', () => {
    const line = lineOf(
      '  fio-1 [003] d..2. 1021.334455: swiotlb_bounced: dev_name=0000:00:05.0 dma_mask=0xffffffffffffffff (-1) dev_addr=0x101cec286 (4325294726) size=0x36 (54) force=0x1 (1)\n',
      'trace.txt',
    );
    expect(line).toMatch(/size=0x36 +force=0x1/);
    expect(line).not.toContain('4325294726');
    expect(analyse([file('trace.txt', line)]).tables.requests.length).toBe(1);
  });

  it('numbers that are no samples go', () => {
    expect(lineOf('555,123,4567\n555,987,6543\n555,111,2222\n', 'x.csv')).not.toMatch(/4567|6543/);
  });

  it('bytes that are nothing do no harm', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        anonymized([{ name: 'x', bytes }]);
      }),
    );
  });
});
