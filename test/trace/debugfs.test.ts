import { describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { ledgerOf } from '../../src/analysis/ledger';
import { listFixtures, readFixture, readFixtureText } from '../support/fixtures';
import { type Collected, collect } from './collect';

/** The samples as [time in ns, pool, nslabs, used, hiwater, transient]. */
function rows({ samples }: Collected): unknown[] {
  return samples.map(({ timeNs, pool, nslabs, used, hiwater, transient }) => [
    timeNs,
    pool,
    nslabs,
    used,
    hiwater,
    transient,
  ]);
}

describe('a table of samples', () => {
  it('of the capture script is read to the last row', () => {
    const text = readFixtureText('trace/debugfs.csv');
    const collected = collect(text, { path: 'debugfs.csv' });
    expect(collected.summary).toMatchObject({ format: 'debugfs-csv', clock: 'mono', timeUnit: 'ns', hasField: true });
    expect(collected.summary.ledger.notUnderstood).toBe(0);
    expect(collected.samples).toHaveLength(text.trimEnd().split('\n').length - 1);
    const [mono, , nslabs, used, hiwater] = text.split('\n')[2].split(',');
    expect(collected.samples[1]).toMatchObject({
      line: 3,
      nslabs: Number(nslabs),
      used: Number(used),
      hiwater: Number(hiwater),
      transient: -1,
    });
    const [first] = text.split('\n')[1].split(',');
    expect(collected.samples[1].timeNs).toBe(Math.round((Number(mono) - Number(first)) * 1e9));
  });

  const tables: Record<string, string> = {
    'comma, seconds': 'time_s,io_tlb_used,io_tlb_nslabs,io_tlb_used_hiwater\n1.5,10,512,20\n1.500000001,11,512,20\n',
    'semicolon, nanoseconds, other order':
      'used;nslabs;used_hiwater;time_ns\n10;512;20;1500000000\n11;512;20;1500000001\n',
    tab: 'ts\tused\tnslabs\thiwater\n1.500000000\t10\t512\t20\n1.500000001\t11\t512\t20\n',
    'quoted, blanks, CRLF':
      '"time","used","nslabs","used_hiwater"\r\n"1.500000000"," 10 ","512","20"\r\n"1.500000001","11","512","20"\r\n',
    'paths as names':
      'mono_s,/sys/kernel/debug/swiotlb/io_tlb_used,/sys/kernel/debug/swiotlb/io_tlb_nslabs,x/io_tlb_used_hiwater\n1.5,10,512,20\n1.500000001,11,512,20\n',
    'nanoseconds without a unit':
      'timestamp,used,nslabs,used_hiwater\n1500000000000,10,512,20\n1500000000001,11,512,20\n',
    'microseconds would lose a digit, so milliseconds':
      'time_ms,used,nslabs,used_hiwater\n1500,10,512,20\n1500.000001,11,512,20\n',
    'unknown columns': 'host,time_s,used,foo,nslabs,used_hiwater\na,1.5,10,x,512,20\na,1.500000001,11,y,512,20\n',
    'units in words': 'Time (ms), Used (slots), Total, used_hiwater\n1500, 10, 512, 20\n1500.000001, 11, 512, 20\n',
    'units in brackets': 'elapsed [us],slots_used,slots_total,hiwater\n1500000,10,512,20\n1500000.001,11,512,20\n',
    'a commented header': '# nanoseconds,used,nslabs,hiwater\n1500000000,10,512,20\n1500000001,11,512,20\n',
    'the unit as the name': 'seconds_since_boot,used,nslabs,hiwater\n1.5,10,512,20\n1.500000001,11,512,20\n',
    pipe: 'time_s|used|nslabs|used_hiwater\n1.5|10|512|20\n1.500000001|11|512|20\n',
  };
  for (const [what, table] of Object.entries(tables)) {
    it(`with ${what} is understood`, () => {
      const collected = collect(table, { path: 'x.csv' });
      expect(rows(collected)).toEqual([
        [0, '', 512, 10, 20, -1],
        [1, '', 512, 11, 20, -1],
      ]);
    });
  }

  const captured = listFixtures('captures').filter((name) => /^[^/]+\/debugfs\.csv(?:\.gz)?$/.test(name));

  it.each(captured.map((name) => name.replace(/\.gz$/, '')))(
    'of %s is the same without its header, or said not to be clear',
    (name) => {
      const text = readFixtureText(`captures/${name}`);
      const [header = '', ...body] = text.split('\n');
      const whole = collect(text, { path: 'x.csv' });
      const bare = body.join('\n');
      const collected = collect(bare, { path: 'x.csv' });
      const codes = collected.summary.problems.map(({ code }) => code);
      if (collected.samples.length === 0) {
        expect(codes).toEqual(['csv-no-header']);
        // Nothing tells them apart: the use never went down, or there was no pool.
        const used = whole.samples.map((sample) => sample.used);
        expect(used.some((value, row) => row > 0 && value < (used[row - 1] as number))).toBe(false);
        return;
      }
      expect(codes).toContain('csv-columns-inferred');
      expect(header).toMatch(/nslabs,.*used/);
      const facts = ({ samples }: Collected, by: number) =>
        samples.map(({ line, timeNs, nslabs, used, hiwater }) => [line + by, timeNs, nslabs, used, hiwater]);
      expect(facts(collected, 1)).toEqual(facts(whole, 0));
      for (const cuts of [[1], [100, 101, 500], Array.from({ length: bare.length - 1 }, (_, index) => index + 1)]) {
        expect(collect(bare, { path: 'x.csv', cuts })).toEqual(collected);
      }
    },
  );

  const time = (row: number) => (100 + row / 10).toFixed(3);
  const shapes: Record<string, { readonly row: (row: number) => string; readonly expected: unknown[] | null }> = {
    'any order, tabs': {
      row: (row) => `${10 + ((row * 7) % 5)}\t${time(row)}\t20\t512`,
      expected: [1e8, 512, 12, 20],
    },
    'aligned with blanks': {
      row: (row) => `  ${time(row)}   32768   ${String(10 + ((row * 7) % 5)).padStart(5)}`,
      expected: [1e8, 32768, 12, -1],
    },
    'semicolons, decimal commas, quotes': {
      row: (row) => `"${time(row).replace('.', ',')}";"512";"${10 + ((row * 7) % 5)}";"20";"0"`,
      expected: [1e8, 512, 12, 20],
    },
    'nanoseconds since the epoch': {
      row: (row) => `${1_700_000_000 + row}500000000,512,${10 + ((row * 7) % 5)},20`,
      expected: [1e9, 512, 12, 20],
    },
    'milliseconds since the epoch, told by their steps': {
      row: (row) => `${1_700_000_000_000 + row * 100},512,${10 + ((row * 7) % 5)},20`,
      expected: [1e8, 512, 12, 20],
    },
    'a time without a known unit': {
      row: (row) => `${5000 + row * 100},512,${10 + ((row * 7) % 5)},20`,
      expected: [Number.NaN, 512, 12, 20],
    },
    'the number of the row before the time': {
      row: (row) => `${row},${time(row)},512,${10 + ((row * 7) % 5)},20`,
      expected: [1e8, 512, 12, 20],
    },
    'an idle machine': { row: (row) => `${time(row)},512,0,20,0`, expected: [1e8, 512, 0, 20] },
    'two columns that may both be in use': {
      row: (row) => `${time(row)},512,${10 + ((row * 7) % 5)},${11 + ((row * 3) % 4)}`,
      expected: null,
    },
    'no size of a pool': { row: (row) => `${time(row)},500,${10 + ((row * 7) % 5)},20`, expected: null },
    'a use above the pool': { row: (row) => `${time(row)},512,${500 + ((row * 7) % 50)},20`, expected: null },
    'no time': { row: (row) => `512,${10 + ((row * 7) % 5)},20`, expected: null },
    'a use that only rises': { row: (row) => `${time(row)},512,${row >> 2}`, expected: null },
  };
  it.each(Object.entries(shapes))('without a header: %s', (_what, { row, expected }) => {
    const text = Array.from({ length: 40 }, (_, index) => `${row(index)}\n`).join('');
    const { samples, summary } = collect(text);
    if (expected === null) {
      expect(samples).toEqual([]);
      expect(summary.problems).toEqual([
        expect.objectContaining({
          code: 'csv-no-header',
          message: expect.stringMatching(/time_s,nslabs,used,used_hiwater/),
        }),
      ]);
    } else {
      expect(samples).toHaveLength(40);
      const { timeNs, nslabs, used, hiwater } = samples[1] as (typeof samples)[0];
      expect([Math.round(timeNs), nslabs, used, hiwater]).toEqual(expected);
      expect(summary.ledger.understoodByName).toEqual({ 'debugfs sample, columns inferred': 40 });
      expect(summary.problems[0]).toMatchObject({ code: 'csv-columns-inferred', line: 1 });
    }
  });

  it('what was inferred is in the ledger, and what is not there is no evidence of the kernel', () => {
    const builder = createAnalysis();
    const source = builder.openSource({ path: 'x.csv' });
    source.push(Buffer.from(Array.from({ length: 40 }, (_, row) => `${time(row)},512,${row % 7}\n`).join('')));
    source.end();
    const analysis = builder.snapshot();
    expect(ledgerOf(analysis).notes).toContainEqual({
      level: 'derived',
      count: 40,
      text: expect.stringMatching(/no header.*time_s,nslabs,used/),
    });
    expect(analysis.geometry.generation.evidence.level).not.toBe('derived');
    expect(analysis.geometry.dynamic.evidence.level).toBe('default');
  });

  it('rows before a trace are none of its lines', () => {
    const event =
      '     nc-177     [002] b.... 1.000001: swiotlb_bounced: dev_name: a dma_mask=ffffffff dev_addr=1000 size=54 FORCE';
    const { events, samples, summary } = collect(`1.5,512,10\n1.6,512,9\n${event}\n${event}\n`);
    expect([events.length, samples.length, summary.ledger.lines]).toEqual([2, 0, 4]);
  });

  it('prefers the monotonic clock to the boot clock, whatever the order', () => {
    for (const head of ['mono_s,boot_s,used,nslabs\n1.0,9.0,1,2\n', 'boot_s,mono_s,used,nslabs\n9.0,1.0,1,2\n']) {
      expect(collect(head).summary.origin).toEqual({ seconds: 1, nanoseconds: 0 });
    }
  });

  it('counts rows that do not fit, and a cut last row', () => {
    const { samples, summary } = collect('time_s,used,nslabs\n1.0,5,6\n1.1,five,6\n1.2,7,8\n1.3,7');
    expect(samples).toHaveLength(2);
    expect(summary.ledger).toMatchObject({ lines: 5, understood: 3, notUnderstood: 2 });
    expect(summary.problems.map(({ code, line }) => [code, line])).toContainEqual(['csv-bad-row', 3]);
  });

  it('without values says that there is no pool', () => {
    const { samples, summary } = collect('mono_s,boot_s,nslabs,used,used_hiwater,transient_nslabs\n3.5,3.6,,,,\n');
    expect(samples).toEqual([]);
    expect(summary.ledger).toMatchObject({ understood: 2, notUnderstood: 0 });
  });

  it('is not found in prose with commas', () => {
    expect(collect('used, but good\n1,2\n').samples).toEqual([]);
  });
});

describe('counters one per line', () => {
  it('of grep become one sample per pass', () => {
    const pass = (used: number) =>
      `io_tlb_nslabs:512\nio_tlb_transient_nslabs:0\nio_tlb_used:${used}\nio_tlb_used_hiwater:300\n`;
    const collected = collect(pass(10) + pass(12));
    expect(collected.summary).toMatchObject({ format: 'debugfs', hasField: true, timeUnit: 'order' });
    expect(rows(collected)).toEqual([
      [Number.NaN, '', 512, 10, 300, 0],
      [Number.NaN, '', 512, 12, 300, 0],
    ]);
    expect(collected.samples.map(({ line }) => line)).toEqual([1, 5]);
  });

  it('with full paths keep restricted pools apart', () => {
    const collected = collect(
      '/sys/kernel/debug/swiotlb/io_tlb_nslabs:512\n/sys/kernel/debug/swiotlb/io_tlb_used:1\n/sys/kernel/debug/swiotlb/wifi@c0000000/io_tlb_nslabs:64\n/sys/kernel/debug/swiotlb/wifi@c0000000/io_tlb_used:2\n',
    );
    expect(rows(collected)).toEqual([
      [Number.NaN, '', 512, 1, -1, -1],
      [Number.NaN, 'wifi@c0000000', 64, 2, -1, -1],
    ]);
  });

  it('with a stamp before the name have a time', () => {
    const collected = collect('1.5 io_tlb_used 7\n1.5 io_tlb_nslabs 512\n2.5 io_tlb_used 8\n2.5 io_tlb_nslabs 512\n');
    expect(rows(collected)).toEqual([
      [0, '', 512, 7, -1, -1],
      [1e9, '', 512, 8, -1, -1],
    ]);
  });

  it('of the capture script are two samples, before and after', () => {
    const collected = collect(readFixture('trace/debugfs_snap.txt'));
    expect(collected.samples).toHaveLength(2);
    expect(collected.summary.ledger.notUnderstood).toBe(0);
  });
});

describe('a log and a trace in one file', () => {
  it('both deliver', () => {
    const { events, logs, samples, summary } = collect(
      [
        '[    1.000000] software IO TLB: mapped [mem 0x7d78e000-0x7db8e000] (4MB)',
        '# tracer: nop',
        '              nc-177     [002] b....     4.583553: swiotlb_bounced: dev_name: 0000:00:07.0 dma_mask=ffffffffffffffff dev_addr=1016ea506 size=54 FORCE',
        'io_tlb_used:5',
        '[    5.000000] nvme 0000:00:05.0: swiotlb buffer is full (sz: 8192 bytes), total 512 (slots), used 496 (slots)',
        '',
      ].join('\n'),
    );
    expect([events.length, logs.length, samples.length]).toEqual([1, 2, 1]);
    expect(logs.map(({ timeNs }) => timeNs)).toEqual([0, 4e9]);
    expect(events[0]['timeNs']).toBe(3583553000);
    expect(summary.ledger.notUnderstood).toBe(0);
  });
});

describe('files of one value each', () => {
  it('as head and tail print them are one sample for each pass', () => {
    const pass = (used: number): string =>
      `==> /sys/kernel/debug/swiotlb/io_tlb_nslabs <==\n512\n\n==> /sys/kernel/debug/swiotlb/io_tlb_used <==\n${used}\n\n`;
    const collected = collect(pass(10) + pass(11));
    expect(rows(collected).map((row) => (row as unknown[]).slice(1))).toEqual([
      ['', 512, 10, -1, -1],
      ['', 512, 11, -1, -1],
    ]);
    expect(collected.summary.ledger.notUnderstood).toBe(0);
  });
});

describe('size classes of cc-swiotlb', () => {
  it('are samples of a pool each, in slots, whatever the order of the files', () => {
    const folder = '/sys/kernel/debug/swiotlb';
    const pass = (free2k: number) => [
      `${folder}/io_tlb_free_16k:1000`,
      `${folder}/io_tlb_free_2k:${free2k}`,
      `${folder}/io_tlb_free_512b:100`,
      `${folder}/io_tlb_total_16k:1024`,
      `${folder}/io_tlb_total_2k:16384`,
      `${folder}/io_tlb_total_512b:256`,
    ];
    const collected = collect([...pass(16000), ...pass(1), ''].join('\n'));
    expect(collected.samples.map(({ pool, nslabs, used }) => [pool, nslabs, used])).toEqual([
      ['cc-swiotlb 16k', 8192, 192],
      ['cc-swiotlb 2k', 16384, 384],
      ['cc-swiotlb 512b', 64, 39],
      ['cc-swiotlb 16k', 8192, 192],
      ['cc-swiotlb 2k', 16384, 16383],
      ['cc-swiotlb 512b', 64, 39],
    ]);
    expect(collected.summary.ledger).toMatchObject({ lines: 12, understood: 12 });
  });
});

describe('free pages by order', () => {
  const zones = [
    'Node 0, zone      DMA      1      0      0      1      2      1      1      0      1      1      3 ',
    'Node 0, zone   Normal      4      3      2      1      0      1      1      0      1      1    200 ',
  ];

  it('have the time of the mark before them and the clock it names', () => {
    const text = ['# mono=12.500000000 boot=12.600000000', ...zones, '# mono=13.5 boot=13.6', ...zones, ''].join('\n');
    const collected = collect(text, { path: 'buddyinfo.txt' });
    expect(collected.summary).toMatchObject({ format: 'buddyinfo', clock: 'mono', timeUnit: 'ns' });
    expect(collected.summary.ledger).toMatchObject({ lines: 6, understood: 6 });
    expect(collected.freePages.map(({ timeNs, node, zone }) => [timeNs, node, zone])).toEqual([
      [0, 0, 'DMA'],
      [0, 0, 'Normal'],
      [1e9, 0, 'DMA'],
      [1e9, 0, 'Normal'],
    ]);
    expect(collected.freePages[3]?.free).toEqual([4, 3, 2, 1, 0, 1, 1, 0, 1, 1, 200]);
  });

  it('have the boot clock where the mark has no other, a stamp of their own, or no time', () => {
    const boot = collect(['# mono= boot=7.25', ...zones, ''].join('\n'));
    expect(boot.summary).toMatchObject({ clock: 'boot', origin: { seconds: 7, nanoseconds: 250000000 } });
    const stamped = collect(`[    3.500000] ${zones[0]}\n[    4.000000] ${zones[1]}\n`);
    expect(stamped.freePages.map(({ timeNs }) => timeNs)).toEqual([0, 5e8]);
    const bare = collect(zones.join('\n'));
    expect(bare.freePages.map(({ timeNs, zone }) => [timeNs, zone])).toEqual([[Number.NaN, 'DMA']]);
  });

  it('become rows of the table', () => {
    const builder = createAnalysis();
    const source = builder.openSource({ path: 'buddyinfo.txt' });
    source.push(new TextEncoder().encode(['# mono=1.0 boot=1.0', ...zones, ''].join('\n')));
    source.end();
    const { freePages, strings } = builder.snapshot().tables;
    expect(freePages?.length).toBe(22);
    const last = 21;
    expect(strings.get(freePages?.columns.zone[last] ?? 0)).toBe('Normal');
    expect([freePages?.columns.order[last], freePages?.columns.blocks[last]]).toEqual([10, 200]);
  });
});
