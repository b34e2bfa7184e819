import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/model/log';
import { readFixture, readFixtureText } from '../support/fixtures';
import { collect } from './collect';

interface CorpusLine {
  readonly id: string;
  readonly kind: 'failure' | 'boot' | 'trace';
  readonly text: string;
}

const corpus = readFixtureText('logs/kernel-lines.jsonl')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as CorpusLine);

/** What each corpus line says, written down by hand from its text. */
const facts: Record<string, Partial<LogRecord>> = {
  B1: { kind: 'pool-mapped', sizeBytes: 64 << 20, start: Number.NaN },
  B2: { kind: 'pool-mapped', start: 0xc6a85000, end: 0xcaa85000 },
  B4: { kind: 'pool-mapped', start: 0xf7fff000, end: 0xfffff000, sizeBytes: 128 << 20 },
  B5: { kind: 'software-bounce' },
  B6: { kind: 'pool-mapped', start: 0x6e42a000, end: 0x7242a000 },
  B7: { kind: 'memory-encryption' },
  B8: { kind: 'size-adjusted', sizeBytes: 1024 * 1048576 },
  B9: { kind: 'area-num', count: 128 },
  B10: { kind: 'pool-mapped', start: 0x32600000, end: 0x72600000 },
  B11: { kind: 'pool-mapped', start: 0x1fb9c00000, end: 0x1ff9c00000 },
  B13: { kind: 'restricted-pool', start: 0x180000000, sizeBytes: 14 << 20 },
  B14: { kind: 'area-num', count: 2 },
  B17: { kind: 'area-num', count: 8 },
  B18: { kind: 'size-roundup', sizeBytes: 16 << 20 },
  B19: { kind: 'pool-alloc-failed' },
  B21: { kind: 'pool-alloc-failed' },
  B22: { kind: 'size-reduced', sizeBytes: 4 << 20 },
  B23: { kind: 'pool-mapped', start: 0x7f000000, end: 0x7f400000 },
  B24: { kind: 'pool-torn-down' },
  B25: { kind: 'no-low-mem' },
  F1: { kind: 'out-of-space', sizeBytes: 4224, device: '0000:0b:00.0', driver: '' },
  F2: { kind: 'buffer-full', sizeBytes: 9100, device: '0000:02:00.0', driver: 'rtl8821ae', totalSlots: -1 },
  F3: { kind: 'out-of-space', sizeBytes: 9100, device: '0000:02:00.0' },
  F4: { kind: 'buffer-full', sizeBytes: 4096, device: '0000:00:05.0', driver: 'ipu3-imgu' },
  F5: { kind: 'out-of-space', sizeBytes: 4096, device: '0000:00:05.0' },
  F8: { kind: 'buffer-full', sizeBytes: 16777216, device: '0000:00:03.0', driver: 'ntb_hw_intel' },
  F9: { kind: 'coherent-failed', sizeBytes: 16777216, device: '0000:00:03.0' },
  F10: { kind: 'buffer-full', sizeBytes: 2097152, device: '0000:01:00.0', driver: 'nouveau' },
  F11: { kind: 'coherent-failed', sizeBytes: 2097152, device: '0000:01:00.0', driver: 'nouveau' },
  F13: { kind: 'coherent-failed', sizeBytes: 4096, device: '0000:02:00.0', driver: 'iwlwifi' },
  F14: { kind: 'buffer-full', sizeBytes: 65536, device: 'fe340000.emmc2', driver: 'sdhci-iproc' },
  F15: { kind: 'out-of-space', sizeBytes: 65536, device: 'fe340000.emmc2', driver: 'sdhci-iproc' },
  F16: { kind: 'buffer-full', sizeBytes: 16384, device: '38200000.dwc3', driver: 'dwc3' },
  F17: { kind: 'out-of-space', sizeBytes: 16384, device: '38200000.dwc3', driver: 'dwc3' },
  F18: { kind: 'buffer-full', sizeBytes: 299008, device: '0000:00:03.0', driver: 'qxl' },
  F20: {
    kind: 'overflow',
    sizeBytes: 8,
    device: '0000:00:1a.0',
    driver: 'ehci-pci',
    start: 0xa1c8f9a60,
    maskBits: 32,
    busLimit: 0,
  },
  F21: {
    kind: 'buffer-full',
    sizeBytes: 3776,
    device: '0000:01:00.0',
    driver: 'mt7615e',
    totalSlots: 32768,
    usedSlots: 31415,
  },
  F23: {
    kind: 'buffer-full',
    sizeBytes: 8192,
    device: '0000:00:1d.2',
    driver: 'stmmaceth',
    totalSlots: 32768,
    usedSlots: 32764,
  },
  F24: {
    kind: 'buffer-full',
    sizeBytes: 524276,
    device: 'fe007000.dma-controller',
    driver: 'bcm2835-dma',
    totalSlots: 32768,
    usedSlots: 0,
  },
  F26: {
    kind: 'overflow',
    sizeBytes: 8192,
    device: 'fe340000.emmc2',
    driver: 'sdhci-iproc',
    maskBits: 32,
    busLimit: 0xffffffff,
  },
  F27: { kind: 'overflow', sizeBytes: 708608, device: 'gpu', driver: 'vc4-drm', start: 0x1a7296000 },
  F29: {
    kind: 'overflow',
    sizeBytes: 16384,
    device: '9e5064000.framebuffer',
    driver: 'simple-framebuffer',
    start: 0x9de654000,
    busLimit: 0,
  },
  F31: { kind: 'buffer-full', sizeBytes: 2097152, device: '2-1.4:1.0', driver: 'udl', totalSlots: 65536, usedSlots: 1 },
  F32: {
    kind: 'buffer-full',
    sizeBytes: 3145728,
    device: '0000:07:00.0',
    driver: 'ast',
    totalSlots: 32768,
    usedSlots: 0,
  },
  F34: {
    kind: 'buffer-full',
    sizeBytes: 1048576,
    device: 'c0230000.vi',
    driver: 'spacemit-k1xvi',
    totalSlots: 65536,
    usedSlots: 498,
  },
  F35: { kind: 'buffer-full', sizeBytes: 1048576, device: '', driver: '', totalSlots: 32768, usedSlots: 4 },
  F37: { kind: 'buffer-full', sizeBytes: 2097152, device: '', driver: '', totalSlots: 524288, usedSlots: 515875 },
};

/** The message as the kernel printed it, without the prefix the poster's tool added. */
function bareText(text: string): string {
  return text.replace(/^(?:[A-Z][a-z]{2} +\d+ [\d:]+ \S+ kernel: )?(?:<\d+>)?(?:\[[^\]]*\])*\s*/, '');
}

const escapeCharacter = String.fromCharCode(27);

const colour = new RegExp(`${escapeCharacter}\\[\\d*m`, 'g');

/** Every prefix and disguise of the corpus notes and of the format notes. */
const disguises: Record<string, (bare: string) => string> = {
  none: (bare) => bare,
  dmesg: (bare) => `[    1.234567] ${bare}`,
  'dmesg copied': (bare) => `[ 1.234567] ${bare}`,
  caller: (bare) => `[    1.234567][    T1] ${bare}`,
  'caller apart': (bare) => `[    1.234567] [   T1] ${bare}`,
  'cpu caller': (bare) => `[12345.234567][   C2] ${bare}`,
  level: (bare) => `<6>[    1.234567] ${bare}`,
  syslog: (bare) => `Nov 20 11:30:53 my-host kernel: [    1.234567] ${bare}`,
  'syslog one-digit day': (bare) => `Nov  2 11:30:53 my-host kernel: [    1.234567] ${bare}`,
  journal: (bare) => `Nov 20 11:30:53 my-host kernel: ${bare}`,
  'journal precise': (bare) => `Nov 20 11:30:53.123456 my-host kernel: ${bare}`,
  'journal iso': (bare) => `2026-11-20T11:30:53+0000 my-host kernel: ${bare}`,
  'journal monotonic': (bare) => `[    1.234567] my-host kernel: ${bare}`,
  rsyslog: (bare) => `2026-11-20T11:30:53.123456+01:00 my-host kernel: [    1.234567] ${bare}`,
  'dmesg iso': (bare) => `2026-11-20T11:30:53,123456+00:00 ${bare}`,
  'dmesg -T': (bare) => `[Fri Nov 20 11:30:53 2026] ${bare}`,
  'dmesg -T localised': (bare) => `[ven. nov. 20 11:30:53 2026] ${bare}`,
  'dmesg -x': (bare) => `kern  :warn  : [    1.234567] ${bare}`,
  'dmesg -d': (bare) => `[    1.234567 <    0.000012>] ${bare}`,
  'dmesg delta': (bare) => `[<    0.000012>] ${bare}`,
  reltime: (bare) => `[Nov20 11:30] ${bare}`,
  'reltime delta': (bare) => `[  +0.000012] ${bare}`,
  kmsg: (bare) => `4,339,1234567,-;${bare}`,
  logger: (bare) => `[2026-11-20 11:30:53.123] [    1.234567] ${bare}`,
  'logger alone': (bare) => `[2026-11-20 11:30:53.123] ${bare}`,
  'iso logger': (bare) => `2026-11-20T11:30:53.123Z [    1.234567] ${bare}`,
  qemu: (bare) => `(qemu) [    1.234567] ${bare}`,
  'qemu bare': (bare) => `(qemu) ${bare}`,
  quote: (bare) => `> [    1.234567] ${bare}`,
  'quote bare': (bare) => `> ${bare}`,
  'quoted twice': (bare) => `> > [    1.234567] ${bare}`,
  'quoted-printable': (bare) => `[    1.234567] ${bare}=20`,
  json: (bare) => `    "[    1.234567] ${bare}",`,
  'json member': (bare) => `{"MESSAGE":"${bare}","_HOSTNAME":"my-host"}`,
  'journalctl json': (bare) =>
    `{"_TRANSPORT":"kernel","PRIORITY":"4","__MONOTONIC_TIMESTAMP":"1234567","MESSAGE":"${bare}","_HOSTNAME":"my-host"}`,
  'docker json': (bare) => `{"log":"[    1.234567] ${bare}\\n","stream":"stdout","time":"2026-11-20T11:30:53Z"}`,
  bullet: (bare) => `- [    1.234567] ${bare}`,
  'bullet code': (bare) => `- \`${bare}\``,
  star: (bare) => `* ${bare}`,
  numbered: (bare) => `1. [    1.234567] ${bare}`,
  backticks: (bare) => `\`[    1.234567] ${bare}\``,
  grep: (bare) => `dmesg.txt:[    1.234567] ${bare}`,
  'grep bare': (bare) => `dmesg.txt:${bare}`,
  'grep -n': (bare) => `/var/log/kern.log:123:Nov 20 11:30:53 my-host kernel: [    1.234567] ${bare}`,
  'grep of journal': (bare) => `logs/syslog.1:Nov 20 11:30:53 my-host kernel: ${bare}`,
  coloured: (bare) =>
    `${escapeCharacter}[32m[    1.234567] ${escapeCharacter}[0m${escapeCharacter}[33m${bare}${escapeCharacter}[0m`,
  'coloured device': (bare) =>
    `${escapeCharacter}[32m[    1.234567] ${escapeCharacter}[0m${escapeCharacter}[33m${bare.replace(/: /, `: ${escapeCharacter}[0m`)}`,
  crlf: (bare) => `[    1.234567] ${bare}\r`,
  indented: (bare) => `    [    1.234567] ${bare}  `,
  tab: (bare) => `\t[    1.234567] ${bare}`,
};

function check(line: string, expected: Partial<LogRecord>): LogRecord {
  const { logs } = collect(`${line}\n`, { path: 'log.txt' });
  expect(logs, line).toHaveLength(1);
  expect(logs[0], line).toMatchObject(expected);
  return logs[0];
}

describe('kernel lines people posted', () => {
  for (const { id, kind, text } of corpus) {
    if (kind === 'trace') {
      continue;
    }
    it(`${id} is understood as it was posted`, () => {
      check(text, facts[id]);
    });
    it(`${id} is understood under every prefix and disguise`, () => {
      for (const disguise of Object.values(disguises)) {
        const line = disguise(bareText(text));
        const record = check(line, facts[id]);
        // The columns point at the message: what they cut out is the text without colours.
        const shown = line.slice(record.startColumn, record.endColumn);
        expect(shown.replaceAll(colour, ''), line).toBe(record.text);
        check(disguise(text), facts[id]);
      }
    });
  }

  it('knows the facts of every line of the corpus', () => {
    expect(corpus.filter(({ kind }) => kind !== 'trace').map(({ id }) => id)).toEqual(Object.keys(facts));
  });
});

describe('wrapped lines', () => {
  const full = 'ast 0000:07:00.0: swiotlb buffer is full (sz: 3145728 bytes), total 32768 (slots), used 0 (slots)';
  const wraps: Record<string, string> = {
    'after "bytes),"': full.replace('bytes), ', 'bytes),\n'),
    'after the device name': full.replace('0: swiotlb', '0:\nswiotlb'),
    'in a mail quote': `> [   12.1] ${full.replace('bytes), ', 'bytes),\n> ')}`,
    'quoted-printable soft break': full.replace('bytes), ', 'bytes), =\n'),
    'inside the size': full.replace('(sz: 3145728 bytes)', '(sz: 3145728\nbytes)'),
    'after "is full"': full.replace('is full ', 'is full\n'),
    'with indent': `[   12.1] ${full.replace('bytes), ', 'bytes),\n      ')}`,
  };
  for (const [where, text] of Object.entries(wraps)) {
    it(`joins a message wrapped ${where}`, () => {
      const { logs, summary } = collect(`first\n${text}\nlast line\n`, { path: 'mail.txt' });
      expect(logs).toHaveLength(1);
      expect(logs[0]).toMatchObject({
        kind: 'buffer-full',
        driver: 'ast',
        device: '0000:07:00.0',
        sizeBytes: 3145728,
        totalSlots: 32768,
        usedSlots: 0,
        line: 2,
      });
      expect(summary.ledger).toMatchObject({ lines: 4, understood: 2, counted: 2 });
    });
  }

  it('does not join a message that another stamped line follows', () => {
    const { logs } = collect(
      '[ 1.0] foo 0000:01:00.0: swiotlb buffer is full (sz: 9100 bytes)\n[ 1.1] foo 0000:01:00.0: swiotlb buffer is full (sz: 9200 bytes), total 4 (slots), used 4 (slots)\n',
    );
    expect(logs.map(({ sizeBytes, totalSlots }) => [sizeBytes, totalSlots])).toEqual([
      [9100, -1],
      [9200, 4],
    ]);
  });
});

describe('times of log lines', () => {
  const message = 'software IO TLB: area num 8.';
  it('keeps the first stamp as origin and the others relative to it, without losing digits', () => {
    const { logs, summary } = collect(`[12345678.000001] ${message}\n[12345678.000002] ${message}\n`);
    expect(summary.origin).toEqual({ seconds: 12345678, nanoseconds: 1000 });
    expect(logs.map(({ timeNs }) => timeNs)).toEqual([0, 1000]);
    expect(summary.timeUnit).toBe('ns');
  });
  it('prefers the boot stamp to the wall clock of the same line', () => {
    const { summary } = collect(`Nov 20 11:30:53 host kernel: [    1.500000] ${message}\n`);
    expect(summary.origin).toEqual({ seconds: 1, nanoseconds: 500000000 });
  });
  it('reads ISO stamps with their offset', () => {
    const { logs, summary } = collect(
      `2026-11-20T11:30:53,250000+01:00 ${message}\n2026-11-20T10:30:54,500000+00:00 ${message}\n`,
    );
    expect(summary.origin).toEqual({ seconds: Date.UTC(2026, 10, 20, 10, 30, 53) / 1000, nanoseconds: 250000000 });
    expect(logs[1].timeNs).toBe(1.25e9);
  });
  it('gives NaN to a stamp of another clock family', () => {
    const { logs } = collect(`[    1.500000] ${message}\nNov 20 11:30:53 host kernel: ${message}\n`);
    expect(logs[1].timeNs).toBeNaN();
  });
  const full = 'nvme 0000:00:05.0: swiotlb buffer is full (sz: 57344 bytes), total 512 (slots), used 494 (slots)';
  const entry = {
    __REALTIME_TIMESTAMP: '1763638200000000',
    __MONOTONIC_TIMESTAMP: '5075738',
    _SOURCE_MONOTONIC_TIMESTAMP: '5070000',
    PRIORITY: '4',
  };

  it('takes the message of a journal entry that is a list of bytes', () => {
    const bytes = [...new TextEncoder().encode(`\u001b[33m${full}\u001b[0m`)];
    const line = JSON.stringify({ ...entry, MESSAGE: bytes, _TRANSPORT: 'kernel' });
    const { logs, summary } = collect(`${line}\n`);
    expect(logs).toEqual([expect.objectContaining({ kind: 'buffer-full', device: '0000:00:05.0', usedSlots: 494 })]);
    expect(summary.origin).toEqual({ seconds: 5, nanoseconds: 70_000_000 });
    // The whole list is what an editor marks.
    expect(line.slice(logs[0].startColumn, logs[0].endColumn)).toBe(JSON.stringify(bytes));
  });

  it('prefers the stamp of the kernel to the one of the journal, and finds either over several lines', () => {
    const { summary } = collect(`${JSON.stringify({ ...entry, MESSAGE: full })}\n`);
    expect(summary.origin).toEqual({ seconds: 5, nanoseconds: 70_000_000 });
    const pretty = collect(`${JSON.stringify({ ...entry, MESSAGE: full }, null, '\t')}\n`);
    expect(pretty.logs).toEqual([expect.objectContaining({ kind: 'buffer-full', line: 6, timeNs: 0 })]);
    expect(pretty.summary.origin).toEqual({ seconds: 5, nanoseconds: 70_000_000 });
  });

  it.each(['Fri 2026-11-20 11:30:50 UTC host kernel: ', '<4>1 2026-11-20T11:30:50+00:00 host kernel - - - '])(
    'takes the time before %s',
    (prefix) => {
      const { logs, summary } = collect(`${prefix}${full}\n`);
      expect(logs).toEqual([expect.objectContaining({ kind: 'buffer-full', device: '0000:00:05.0', driver: 'nvme' })]);
      expect(summary.origin?.seconds).toBe(Date.UTC(2026, 10, 20, 11, 30, 50) / 1000);
    },
  );

  it.each([
    '[    5.075738] c3 ',
    '[    5.075738] c3   1234 ',
    '11-20 11:30:53.123     0     0 W KERNEL  : [    5.075738] ',
    '<p>[    5.075738] ',
    '[    5.075738]\u00a0',
  ])('sees through %j', (prefix) => {
    const { logs, summary } = collect(`${prefix}${full}\n`);
    expect(logs).toEqual([expect.objectContaining({ kind: 'buffer-full', device: '0000:00:05.0', driver: 'nvme' })]);
    expect(summary.origin).toEqual({ seconds: 5, nanoseconds: 75_738_000 });
    expect(logs[0].startColumn).toBe(prefix.length);
  });

  it('takes hard blanks for blanks, in columns of the line as it is', () => {
    const { logs } = collect(`[    5.075738] ${full}\n`.replaceAll(' ', '\u00a0'));
    expect(logs).toEqual([expect.objectContaining({ kind: 'buffer-full', sizeBytes: 57_344, usedSlots: 494 })]);
    expect(logs[0]).toMatchObject({ startColumn: 15, endColumn: 15 + full.length });
  });

  it('takes the stamp of journal entries from their own fields', () => {
    const json = `{"MESSAGE":"${message}","__MONOTONIC_TIMESTAMP":"1500000"}\n{"__MONOTONIC_TIMESTAMP":"2500001","MESSAGE":"${message}"}\n`;
    const plain = `__MONOTONIC_TIMESTAMP=1500000\n_TRANSPORT=kernel\nMESSAGE=${message}\n\n__MONOTONIC_TIMESTAMP=2500001\nMESSAGE=${message}\n`;
    for (const input of [json, plain]) {
      const { logs, summary } = collect(input);
      expect(summary.origin).toEqual({ seconds: 1, nanoseconds: 500000000 });
      expect(logs.map(({ timeNs }) => timeNs)).toEqual([0, 1000001000]);
    }
  });
  it('has no time without stamps', () => {
    const { logs, summary } = collect(`${message}\n`);
    expect(logs[0].timeNs).toBeNaN();
    expect(summary).toMatchObject({ timeUnit: 'order', origin: null });
  });
});

describe('messages beside the corpus', () => {
  const cases: readonly (readonly [string, Partial<LogRecord>])[] = [
    [
      'swiotlb_tbl_map_single: 1184 callbacks suppressed',
      { kind: 'suppressed', count: 1184, value: 'swiotlb_tbl_map_single' },
    ],
    [
      'Command line: BOOT_IMAGE=/vmlinuz root=/dev/sda1 swiotlb=65536,4,force quiet',
      { kind: 'command-line', value: '65536,4,force' },
    ],
    ['Kernel command line: console=ttyS0 swiotlb=noforce', { kind: 'command-line', value: 'noforce' }],
    ['Command line: console=ttyS0', { kind: 'command-line', value: '' }],
    ['Linux version 6.12.117-labdyn (root@vm) (gcc) #1 SMP', { kind: 'kernel-version', value: '6.12.117-labdyn' }],
    ['smpboot: Allowing 8 CPUs, 4 hotplug CPUs', { kind: 'cpus', count: 8 }],
    ['CPU topo: Allowing 2 present CPUs plus 6 hotplug CPUs', { kind: 'cpus', count: 8 }],
    ['setup_percpu: NR_CPUS:8192 nr_cpumask_bits:8 nr_cpu_ids:8 nr_node_ids:1', { kind: 'cpus', count: 8 }],
    [
      'software IO TLB: SWIOTLB bounce buffer size adjusted 65536 -> 32768 slabs',
      { kind: 'slabs-adjusted', count: 32768 },
    ],
    [
      'software IO TLB [mem 0xbb13d000-0xbf13d000] (64MB) mapped at [ffff8800bb13d000-ffff8800bf13cfff]',
      { kind: 'pool-mapped', start: 0xbb13d000, end: 0xbf13d000 },
    ],
    ['software IO TLB: mapped [mem 0xbb13d000-0xbf13cfff] (64MB)', { kind: 'pool-mapped', end: 0xbf13d000 }],
    ['software IO TLB: only able to allocate 8 MB', { kind: 'size-reduced', sizeBytes: 8 << 20 }],
    ['software IO TLB: Failed to allocate new pool', { kind: 'grow-failed' }],
    [
      "nvme 0000:00:05.0: Can not allocate SWIOTLB buffer earlier and can't now provide you with the DMA bounce buffer",
      { kind: 'no-pool', device: '0000:00:05.0', driver: 'nvme' },
    ],
    [
      'usb 1-1: DMA bounce buffers are inactive, unable to map unaligned transaction.',
      { kind: 'bounce-inactive', device: '1-1', driver: 'usb' },
    ],
    ['DMA pool exhausted for 0000:00:05.0', { kind: 'atomic-pool-exhausted', device: '0000:00:05.0' }],
    [
      'DMA: preallocated 512 KiB GFP_KERNEL|GFP_DMA32 pool for atomic allocations',
      { kind: 'atomic-pool', sizeBytes: 512 * 1024 },
    ],
    [
      'platform swlab.4: DMA addr 0x00000001b258e000+8192 overflow (mask 3fffffff, bus limit 0).',
      { kind: 'overflow', maskBits: 30, device: 'swlab.4', driver: 'platform' },
    ],
    ['# CONFIG_SWIOTLB_DYNAMIC is not set', { kind: 'config', value: 'CONFIG_SWIOTLB_DYNAMIC=n' }],
    ['CONFIG_SWIOTLB_DYNAMIC=y', { kind: 'config', value: 'CONFIG_SWIOTLB_DYNAMIC=y' }],
    [
      'Memory Encryption Features active: AMD SEV SEV-ES SEV-SNP',
      { kind: 'memory-encryption', value: 'AMD SEV SEV-ES SEV-SNP' },
    ],
  ];
  for (const [text, expected] of cases) {
    it(`understands '${text.slice(0, 60)}'`, () => {
      check(text, expected);
      if (!text.startsWith('#')) {
        check(`[    1.234567] ${text}`, expected);
      }
    });
  }

  it('counts other log lines by name and invents nothing', () => {
    const { logs, summary } = collect(
      '[    1.0] usb 1-1: new device\n[    2.0] e1000: DMA engine started\n[ 3.0] foo: 3 callbacks suppressed\n',
    );
    expect(logs).toEqual([]);
    expect(summary).toMatchObject({ format: 'kernel-log', recognised: true, hasField: false });
    expect(summary.ledger).toMatchObject({ counted: 3, notUnderstood: 0, countedByName: { 'kernel log': 3 } });
  });

  it('reports a lockup only when its stack names a swiotlb function', () => {
    const header = '[   64.1] watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [kworker/3:1H:74]';
    const frame = '[   64.1] RIP: 0010:swiotlb_tbl_map_single+0x1f4/0x730';
    const { logs } = collect(`${header}\n[   64.1] Modules linked in: nvme\n${frame}\n`);
    expect(logs).toMatchObject([{ kind: 'lockup', line: 1, value: 'swiotlb_tbl_map_single', startColumn: 10 }]);
    expect(collect(`${header}\n[   64.1] RIP: 0010:nvme_irq+0x1/0x2\n`).logs).toEqual([]);
    const stall = '[  100.5] rcu: INFO: rcu_preempt self-detected stall on CPU\n[  100.5]  ? swiotlb_map+0x5c/0x230\n';
    expect(collect(stall).logs).toMatchObject([{ kind: 'lockup', line: 1 }]);
  });

  it('reads columns in UTF-16 units', () => {
    const line =
      'größe 🙂 [    1.0] nvme 0000:00:05.0: swiotlb buffer is full (sz: 4096 bytes), total 4 (slots), used 4 (slots)';
    const { logs } = collect(`${line}\n`);
    expect(line.slice(logs[0].startColumn, logs[0].endColumn)).toBe(line.slice(line.indexOf('nvme')));
  });
});

describe('logs of real kernels', () => {
  it('reads a dmesg with failures', () => {
    const { logs, summary } = collect(readFixture('logs/dmesg-full.txt'));
    const kinds = new Set(logs.map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(
      [
        'area-num',
        'buffer-full',
        'command-line',
        'cpus',
        'kernel-version',
        'memory',
        'pool-mapped',
        'software-bounce',
      ].sort(),
    );
    expect(logs.filter(({ kind }) => kind === 'buffer-full')).toHaveLength(10);
    expect(summary.header.release).toBe('6.12.117-labfix');
    expect(summary.ledger.notUnderstood).toBe(0);
  });
  it('finds the overflow warning', () => {
    const { logs } = collect(readFixture('logs/dmesg-overflow.txt'));
    expect(logs.filter(({ kind }) => kind === 'overflow')).toMatchObject([{ driver: 'platform', maskBits: 30 }]);
  });
  it('reads a flood with its suppressed callbacks', () => {
    const { logs } = collect(readFixture('logs/flood-console.txt'));
    const suppressed = logs.filter(({ kind }) => kind === 'suppressed');
    expect(suppressed).toHaveLength(35);
    expect(suppressed[0].count).toBe(1184);
    expect(logs.filter(({ kind }) => kind === 'buffer-full')).toHaveLength(360);
  });
});
