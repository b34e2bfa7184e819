import { describe, expect, it } from 'vitest';
import { collect } from './collect';

/**
 * Lines as people paste them, written after the printed forms of the programs named (nobody's recordings): what every
 * one says is the same, and stands beside it.
 */
const bounced = 'swiotlb_bounced: dev_name: 0000:00:05.0 dma_mask=ffffffffffffffff dev_addr=101cec286 size=54 FORCE';
const full = 'nvme 0000:00:05.0: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used 32760 (slots)';
const rest = full.slice('nvme 0000:00:05.0: '.length);

const nul = '\0'.repeat(7);
const boot = { seconds: 1582, nanoseconds: 784_369_000 };
const wall = { seconds: Date.UTC(2026, 10, 20, 11, 30, 53) / 1000, nanoseconds: 0 };

const logs: Record<string, { readonly text: string; readonly origin: unknown }> = {
  'netconsole with the release': { text: `6.8.0-rc1,4,339,1582784369,-;${full}`, origin: boot },
  'netconsole with the caller': { text: `4,339,1582784369,-,caller=T77;${full}`, origin: boot },
  'dmesg --json': {
    text: `{\n   "dmesg": [\n      {\n         "pri": 4,\n         "time":  1582.784369,\n         "msg": "${full}"\n      }\n   ]\n}`,
    origin: boot,
  },
  'dmesg --json, the second one': {
    text: `{\n   "dmesg": [\n      {\n         "fac": "kern",\n         "time":  1.5,\n         "msg": "hello"\n      },{\n         "time":  1582.784369,\n         "caller": "T77",\n         "msg": "${full}"\n      }\n   ]\n}`,
    origin: boot,
  },
  'the log of crash': { text: `crash> log -T\n[Fri Nov 20 11:30:53 UTC 2026] ${full}`, origin: wall },
  'the console of Xen': { text: `(XEN) [ 1582.784369] ${full}`, origin: boot },
  'the console of a domain of Xen': { text: `(d12v0) [ 1582.784369] ${full}`, origin: boot },
  grabserial: { text: `[0.123456 0.000012] [ 1582.784369] ${full}`, origin: boot },
  'a comment': { text: `# [ 1582.784369] ${full}`, origin: boot },
  'journalctl -o short-delta': { text: `[ 1582.784369 <    0.000010 >] host kernel: ${full}`, origin: boot },
  'journalctl -o verbose': {
    text: `Fri 2026-11-20 11:30:53.123456 UTC [s=ab;i=1;b=2;m=${(1_582_784_369).toString(16)};t=5;x=6]\n    PRIORITY=4\n    MESSAGE=${full}`,
    origin: boot,
  },
  'journalctl -o export with odd bytes': {
    text: `__CURSOR=s=1\n__MONOTONIC_TIMESTAMP=1582784369\nMESSAGE\n\x63${nul}${full}\n_TRANSPORT=kernel`,
    origin: boot,
  },
  'a listing': { text: `   12  [ 1582.784369] ${full}`, origin: boot },
  'a listing with arrows': { text: `    12→[ 1582.784369] ${full}`, origin: boot },
  'a difference': { text: `+[ 1582.784369] ${full}`, origin: boot },
  'a terminal with a title and a bell': { text: `\u001b]0;host\u0007\u0007[ 1582.784369] ${full}`, origin: boot },
  'escaped HTML': { text: `&lt;4&gt;[ 1582.784369] ${full}`, origin: boot },
  'hard blanks of HTML': { text: `[ 1582.784369]&nbsp;${full.replaceAll(' ', '&nbsp;')}`, origin: boot },
  'tags with attributes': { text: `<span class="t">[ 1582.784369]</span> ${full}`, origin: boot },
  'colours as cat -v shows them': {
    text: `^[[32m[ 1582.784369] ^[[0m^[[33mnvme 0000:00:05.0: ^[[0m${rest}^[[0m`,
    origin: boot,
  },
  'colours without their escapes': {
    text: `[32m[ 1582.784369] [0m[33mnvme 0000:00:05.0: [0m[1m${rest}[0m`,
    origin: boot,
  },
};

describe('kernel messages', () => {
  it.each(Object.entries(logs))('of %s', (_program, { text, origin }) => {
    const collected = collect(`${text}\n`);
    expect(collected.logs).toEqual([
      expect.objectContaining({
        kind: 'buffer-full',
        device: '0000:00:05.0',
        driver: 'nvme',
        sizeBytes: 4096,
        totalSlots: 32768,
        usedSlots: 32760,
      }),
    ]);
    const { line, startColumn, endColumn, timeNs } = collected.logs[0] as (typeof collected.logs)[0];
    const where = (text.split('\n')[line - 1] as string).slice(startColumn, endColumn);
    expect(where).toMatch(/^(?:\[\d+m|\^\[\[\d+m)?nvme.*\(slots\)$/);
    expect({ timeNs, origin: collected.summary.origin }).toEqual(
      text.includes('hello')
        ? { timeNs: 1_581_284_369_000, origin: { seconds: 1, nanoseconds: 500_000_000 } }
        : { timeNs: 0, origin },
    );
  });

  it('of a device that is none names no device', () => {
    expect(collect('[    1.0] (NULL device *): swiotlb buffer is full (sz: 4096 bytes)\n').logs).toEqual([
      expect.objectContaining({ kind: 'buffer-full', device: '', driver: '' }),
    ]);
  });

  it.each(['Cannot allocate Xen-SWIOTLB buffer', 'Failed to get contiguous memory for DMA from Xen!'])('%s', (text) => {
    expect(collect(`[    0.1] ${text}\n`).logs).toEqual([expect.objectContaining({ kind: 'pool-alloc-failed', text })]);
  });
});

describe('what only looks like a message', () => {
  it.each(['Subject: swiotlb buffer is full', 'I see "swiotlb buffer is full" now and then.'])('%s', (text) => {
    const { logs: found, summary } = collect(`${text}\n[    1.0] ${full}\n`);
    expect(found).toHaveLength(1);
    expect(summary.ledger).toMatchObject({ understood: 1, counted: 1 });
    expect(collect(`${text}\n`).logs).toEqual([]);
  });

  it('old kernels print no more than these words behind a device or a stamp', () => {
    expect(
      collect('[    1.0] nvme: swiotlb buffer is full\nnvme 0000:00:05.0: swiotlb buffer is full\n').logs,
    ).toHaveLength(2);
  });
});

describe('messages that rsyslog did not repeat', () => {
  it.each(['', '[ 1582.784369] '])('are counted, with a stamp inside %j', (stamp) => {
    const { logs: found } = collect(`Nov 20 11:30:53 host kernel: message repeated 5 times: [ ${stamp}${full}]\n`);
    expect(found.map(({ kind, count, device, sizeBytes }) => [kind, count, device, sizeBytes])).toEqual([
      ['buffer-full', -1, '0000:00:05.0', 4096],
      ['suppressed', 4, '0000:00:05.0', -1],
    ]);
  });
});

describe('counters below a time', () => {
  const pass = (used: number) =>
    `/sys/kernel/debug/swiotlb/io_tlb_nslabs:32768\n/sys/kernel/debug/swiotlb/io_tlb_used:${used}\n`;
  const clocks: Record<string, readonly [string, string]> = {
    date: ['Fri Nov 20 11:30:53 UTC 2026', 'Fri Nov 20 11:30:55 UTC 2026'],
    'date, one digit': ['Thu Jan  1 00:00:09 2026', 'Thu Jan  1 00:00:11 2026'],
    'date in a newer locale': ['Fri 20 Nov 2026 11:30:53 CET', 'Fri 20 Nov 2026 11:30:55 CET'],
    'date -Is': ['2026-11-20T11:30:53+01:00', '2026-11-20T11:30:55+01:00'],
    'date +%s.%N': ['1795174253.123456789', '1795174255.123456789'],
    '/proc/uptime': ['1582.78 3000.12', '1584.78 3004.12'],
  };
  it.each(Object.entries(clocks))('of %s', (_what, [first, second]) => {
    const { samples, summary } = collect(`${first}\n${pass(12)}${second}\n${pass(13)}`);
    expect(samples.map(({ timeNs, used, nslabs }) => [timeNs, used, nslabs])).toEqual([
      [0, 12, 32768],
      [2e9, 13, 32768],
    ]);
    expect(summary.ledger.countedByName).toEqual({ 'time of samples': 2 });
  });

  it('have none when it stands far above', () => {
    const { samples } = collect(`Fri Nov 20 11:30:53 UTC 2026\n${'text\n'.repeat(50)}${pass(12)}`);
    expect(samples.map(({ timeNs }) => timeNs)).toEqual([Number.NaN]);
  });
});

const header = '            fio-1234    [003] d..2.  1021.334455: ';
const expected = {
  kind: 'bounced',
  cpu: 3,
  pid: 1234,
  comm: 'fio',
  device: '0000:00:05.0',
  sizeBytes: 54,
  original: 0x101cec286,
  dmaMaskBits: 64,
  forced: true,
};

const events: Record<string, string> = {
  'perf script -F …,misc': `fio  1234 [003] K  1021.334455: swiotlb:${bounced}`,
  'perf script -F …,ip,sym': `fio  1234 [003]  1021.334455: swiotlb:${bounced} ffffffff8111aabb swiotlb_map+0x1b ([kernel.kallsyms])`,
  'the option fields of the tracer (6.4)': `${header}swiotlb_bounced: dev_name=0000:00:05.0 dma_mask=0xffffffffffffffff (-1) dev_addr=0x101cec286 (4325294726) size=0x36 (54) force=0x1 (1)`,
  'kernels 3.12 to 4.9': `            fio-1234  [003] d..1  1021.334455: ${bounced.replace('FORCE', 'swiotlb_force')}`,
  'a raw report of kernels 3.12 to 5.19': `             fio-1234  [003]  1021.334455: swiotlb_bounced:      dev_name=0000:00:05.0 dma_mask=0xffffffffffffffff dev_addr=0x101cec286 size=54 swiotlb_force=1`,
  'a listing': `   12 ${header}${bounced}`,
  'a page of code': `\`\`\`text\n${header}${bounced}\n\`\`\``,
};

describe('events', () => {
  it.each(Object.entries(events))('of %s', (_program, text) => {
    const collected = collect(`${text}\n`);
    expect(collected.events).toEqual([expect.objectContaining(expected)]);
    expect(collected.summary.ledger.notUnderstood).toBe(0);
  });

  it('whose task was escaped for HTML', () => {
    const { events: found } = collect(`          &lt;idle&gt;-0       [003] d.s2.  1021.334455: ${bounced}\n`);
    expect(found).toEqual([expect.objectContaining({ comm: '<idle>', pid: 0 })]);
  });

  it('with a stack of user space behind them', () => {
    const { summary } = collect(`${header}${bounced}\n${header}<user stack trace>\n =>  <00007f2b3c44aabb>\n`);
    expect(summary.ledger).toMatchObject({ understood: 1, counted: 2, notUnderstood: 0 });
  });

  describe('of kernels 3.12 to 4.9, which print nothing where bouncing was not forced', () => {
    const old = '            fio-1234  [003] d..1  1021.334455: ';
    const bare = bounced.replace('FORCE', '');

    it('with or without the last blank', () => {
      const { events: found, summary } = collect(
        `${old}${bare}\n${old}${bare.trimEnd()}\n${old}${bare}swiotlb_force\n${old}${bare}\n`,
      );
      expect(found.map(({ sizeBytes, forced }) => [sizeBytes, forced])).toEqual([
        [54, undefined],
        [54, undefined],
        [54, true],
        [54, undefined],
      ]);
      expect(summary.ledger).toMatchObject({ understood: 4, notUnderstood: 0 });
      expect(collect(`${old}${bare.trimEnd()}\n${old}${bare}\n`).events).toHaveLength(2);
    });

    it('but not when the line is the last one, or others end in a word: then it was cut', () => {
      expect(collect(`${old}${bare}\n${old}${bare.trimEnd()}`).events).toHaveLength(1);
      for (const lines of [
        [bounced, bare],
        [bounced, bare, bounced],
      ]) {
        expect(collect(lines.map((text) => `${old}${text}\n`).join('')).events).toHaveLength(
          lines.filter((text) => text === bounced).length,
        );
      }
      expect(collect(`${header}${bare.trimEnd()}\n`).events).toEqual([]);
    });

    it('and the word on the next line belongs to it', () => {
      expect(collect(`${old}${bare}\nFORCE\n${old}${bounced}\n`).events.map(({ forced }) => forced)).toEqual([
        true,
        true,
      ]);
    });
  });
});
