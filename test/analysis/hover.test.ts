import { describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { hoverAt } from '../../src/analysis/hover';
import { partnersOf } from '../../src/analysis/navigation';
import type { ReplayResult } from '../../src/model/replayResult';
import { ReplayOutcome } from '../../src/model/replayResult';
import type { HoverCard } from '../../src/model/reports';

const boot = [
  '[    0.000000] Linux version 6.12.1 (x@y) #1',
  '[    0.000000] Command line: console=ttyS0 swiotlb=512,4,force',
  '[    0.000000] software IO TLB: area num 4.',
  '[    0.888804] software IO TLB: mapped [mem 0x0000000010000000-0x0000000010100000] (1MB)',
];
const flags = 'fio-100     [003] d.h2.     1.000000: ';
const bounced = (time: string, original: string, size: number) =>
  `             fio-100     [003] d.h2.     ${time}: swiotlb_bounced: dev_name: 0000:00:05.0 dma_mask=ffffffff dev_addr=${original} size=${size} FORCE`;
const mapped = (time: string, original: string, size: number, dma: string) =>
  `             fio-100     [003] d.h2.     ${time}: dma_map_page: 0000:00:05.0 dir=TO_DEVICE dma_addr=${dma} size=${size} phys_addr=${original} attrs=`;
const unmapped = (time: string, size: number, dma: string) =>
  `             fio-100     [003] d.h2.     ${time}: dma_unmap_page: 0000:00:05.0 dir=TO_DEVICE dma_addr=${dma} size=${size} attrs=`;

const trace = [
  '# tracer: nop',
  bounced('1.000000', '200000000', 4096),
  mapped('1.000010', '200000000', 4096, '10040000'),
  bounced('1.000020', '200002000', 262144),
  mapped('1.000030', '200002000', 262144, 'ffffffffffffffff'),
  unmapped('1.001204', 4096, '10040000'),
  bounced('1.002000', '200002000', 262144),
  mapped('1.002010', '200002000', 262144, '10080000'),
  `             fio-100     [003] d.h2.     1.003000: dma_map_page: 0000:00:06.0 dir=FROM_DEVICE dma_addr=300000000 size=512 phys_addr=300000000 attrs=`,
];

function analysisOf(traceLines: readonly string[], logLines: readonly string[]) {
  const builder = createAnalysis();
  for (const [path, lines] of [
    ['trace.txt', traceLines],
    ['dmesg.txt', logLines],
  ] as const) {
    const source = builder.openSource({ path });
    source.push(new TextEncoder().encode(`${lines.join('\n')}\n`));
    source.end();
  }
  return builder.snapshot();
}

const analysis = analysisOf(trace, boot);

/** Hovers over a word of a line; the text of the card, one line per block. */
function check(
  source: 0 | 1,
  line: number,
  word: string,
  expected: readonly RegExp[],
  replay?: ReplayResult,
): HoverCard {
  const lineText = (source === 0 ? trace : boot)[line - 1]!;
  const character = lineText.indexOf(word) + Math.floor(word.length / 2);
  const card = hoverAt(analysis, { source, line, lineText, character, ...(replay === undefined ? {} : { replay }) });
  expect(card).not.toBeNull();
  const text = [card!.verdict, ...card!.lines.map((part) => `${part.level}: ${part.text}`)].join('\n');
  for (const pattern of expected) {
    expect(text).toMatch(pattern);
  }
  return card!;
}

describe('hover on a mapping', () => {
  it('says where it lies, whose it is, how long it lives', () => {
    const card = check(0, 3, 'dma_map_page', [
      /^Served · 2 slots \(4 KiB\) in boot pool, area 1, slots 128–129$/m,
      /^recorded: 0000:00:05\.0.* · to device · CPU 3, hard irq · 4 KiB of 4 KiB used$/m,
      /^recorded: Lives 1\.204 ms → unmapped at line 6$/m,
      /^derived: Copied 4 KiB once$/m,
    ]);
    expect(card.badge).toBe('0x10040000');
    expect(card.tone).toBe('served');
    expect(card.lines.flatMap((line) => line.links)).toContainEqual({
      label: 'unmapped at line 6',
      file: 'trace.txt',
      line: 6,
    });
  });

  it('is the same mapping on its first line and on its unmap line', () => {
    expect(check(0, 2, 'swiotlb_bounced', [/^Served · 2 slots/m]).badge).toBe('0x10040000');
    check(0, 6, 'dma_unmap_page', [/^Released · 2 slots .* slots 128–129$/m, /Lived 1\.204 ms → mapped at line 3/]);
    check(0, 6, 'dma_unmap_page', [/^recorded: Original address 0x200000000$/m]);
  });

  it('does not repeat what the line itself shows', () => {
    const card = check(0, 3, 'dma_map_page', [/^Served/m]);
    const text = card.lines.map((part) => part.text).join('\n');
    expect(text).not.toMatch(/200000000|10040000/);
  });

  it('leads on to the slot map and to whoever holds the slots', () => {
    expect(check(0, 3, 'dma_map_page', []).actions).toEqual(['slotMap', 'whoHeld']);
    const failed = check(0, 5, 'dma_map_page', []);
    expect(failed.actions).toEqual(expect.arrayContaining(['slotMap', 'whoHeld', 'explain']));
    expect(failed.cause).toBeDefined();
    expect(check(0, 9, 'dma_map_page', []).actions).toBeUndefined();
  });

  it('explains a failure, who holds the slots and the retry that succeeded', () => {
    const card = check(0, 5, 'dma_map_page', [
      /^Failed · Fragmented|^Failed · Cause unknown/m,
      /^derived: Holders now: 0000:00:05\.0 2 slots \(0\.4 %, oldest from line 3\)$/m,
      /^derived: Retry at line 8 succeeded/m,
    ]);
    expect(card.tone).toBe('failed');
  });

  it('says that a mapping did not bounce', () => {
    check(0, 9, 'dma_map_page', [
      /^Direct · 512 bytes, not bounced/m,
      /from device/,
      /Still mapped when the trace ends/,
    ]);
  });

  it('marks what a replay says as modelled', () => {
    const rows = analysis.tables.requests.length;
    const replay = {
      policy: 'dynamic',
      replayable: true,
      pools: [{ id: 7, kind: 'transient', start: 0x20000000, slots: 2, areas: 1, addedAtNs: 0, removedAtNs: null }],
      requests: {
        outcome: new Uint8Array(rows).fill(ReplayOutcome.served),
        cause: new Uint8Array(rows),
        pool: new Int32Array(rows).fill(7),
        slot: new Int32Array(rows),
        bounceAddress: new Float64Array(rows).fill(0x20000000),
      },
    } as unknown as ReplayResult;
    check(
      0,
      3,
      'dma_map_page',
      [/^modelled: dynamic: another place \(a transient pool of 2 slots · 4 KiB\)$/m],
      replay,
    );
    check(0, 5, 'dma_map_page', [/^modelled: dynamic: would have served it/m], replay);
  });
});

describe('hover on a scatterlist', () => {
  const list = [
    bounced('1.000000', '200000000', 4096),
    bounced('1.000001', '200004000', 2048),
    `             fio-100     [003] d.h2.     1.000010: dma_map_sg: 0000:00:05.0 dir=FROM_DEVICE nents=2/2 ents=2/2 dma_addrs={0x10040000,0x10041000} sizes={0x1000,0x800} phys_addrs={0x200000000,0x200004000} attrs=`,
    `             fio-100     [003] d.h2.     1.001010: dma_unmap_sg: 0000:00:05.0 dir=FROM_DEVICE phys_addrs={0x200000000,0x200004000} attrs=`,
  ];
  const lists = analysisOf(list, boot);
  const hover = (line: number, word: string) =>
    hoverAt(lists, { source: 0, line, lineText: list[line - 1]!, character: list[line - 1]!.indexOf(word) + 2 })!;

  it('sums the list on its event and lists the elements', () => {
    const card = hover(3, 'dma_map_sg');
    expect(card.verdict).toBe('Scatterlist · 2 elements, 3 slots · 6 KiB for 6 KiB');
    expect(card.lines.map((part) => part.text)).toContain('2: 2 KiB at 0x10041000, slot 130');
    expect(hover(4, 'dma_unmap_sg').verdict).toMatch(/^Scatterlist released · 2 elements/);
  });

  it('shows one element on its own line and under its address', () => {
    expect(hover(2, 'swiotlb_bounced').verdict).toMatch(/^Served · 1 slot \(2 KiB\) in boot pool, area 1, slot 130$/);
    expect(hover(3, '0x10040000').verdict).toMatch(/slots 128–129$/);
    expect(hover(3, '0x10041000').lines.map((part) => part.text)).toContain('Copied 2 KiB twice (in and back)');
  });
});

describe('hover on a word', () => {
  it('decodes the flags column', () => {
    const card = check(0, 2, 'd.h2.', [
      /^Context: atomic/m,
      /d: interrupts off/,
      /h: in a hard interrupt/,
      /2: preemption disabled 2 deep/,
    ]);
    expect(trace[1]!.slice(card.range.startColumn, card.range.endColumn)).toBe('d.h2.');
  });

  it('explains masks, sizes and addresses', () => {
    check(0, 2, 'dma_mask=ffffffff', [/^32-bit DMA mask: up to 4 GiB$/m]);
    check(0, 9, 'size=512', [/512 bytes take 1 slot · 2 KiB, 1\.5 KiB of it unused/]);
    check(0, 3, 'dma_addr=10040000', [/^derived: Segment 1, slot 0 of its 128\.$/m]);
    check(0, 7, 'dev_name: 0000:00:05.0', [/^derived: 0000:00:05\.0: 32-bit DMA mask \(up to 4 GiB\)/m]);
    check(0, 2, 'FORCE', [/^derived: FORCE: bounced whatever its address/m]);
  });

  it('explains a parameter on a command line', () => {
    check(1, 2, 'swiotlb=512,4,force', [
      /^Asks for 512 slots · 1 MiB$/m,
      /4 areas/,
      /force: every DMA mapping is bounced/,
      /This kernel set up 512 slots · 1 MiB in 4 areas/,
    ]);
    const alone = analysisOf(
      [],
      ['[    0.000000] Command line: swiotlb=1000', '[    0.000000] smpboot: Allowing 8 CPUs, 0 hotplug CPUs'],
    );
    const lineText = '[    0.000000] Command line: swiotlb=1000';
    const card = hoverAt(alone, { source: 1, line: 1, lineText, character: 34 })!;
    expect(card.lines.map((part) => part.text)).toContainEqual(
      expect.stringMatching(/^With 8 CPUs the kernel makes that 1,024 slots · 2 MiB in 8 areas\.$/),
    );
  });

  it('decodes the flags of the latency format, and no numbers for flags', () => {
    const latency =
      '    wget-177       1b.s.. 99090us!: swiotlb_bounced: dev_name: d dma_mask=ff dev_addr=1 size=54 FORCE';
    const card = hoverAt(analysis, { source: 7, line: 1, lineText: latency, character: latency.indexOf('b.s') + 1 })!;
    expect(card.lines.map((part) => part.text)).toEqual(['b: bottom halves off', 's: in a soft interrupt']);
    const verbose =
      '   wget     177   3 128 00000000 00000000 [00000004f05e1640] 339262664 (+1031108): swiotlb_bounced: x';
    expect(
      hoverAt(analysis, { source: 7, line: 1, lineText: verbose, character: verbose.indexOf('128 0') + 5 }),
    ).toBeNull();
  });
});

describe('hover on events that only tell of a mapping again', () => {
  const probe = (time: string, text: string) => `             fio-100     [003] ..... ${time}: ${text}`;
  const probed = [
    '# tracer: nop',
    probe('1.000000', 'swiotlb_bounced: dev_name: 0000:00:05.0 dma_mask=ffffffff dev_addr=200000100 size=4096 FORCE'),
    probe(
      '1.000001',
      'map: (swiotlb_tbl_map_single+0x4/0x730) dev="0000:00:05.0" orig=0x200000100 size=4096 amask=0x0',
    ),
    probe(
      '1.000002',
      'map_ret: (swiotlb_map+0x5c/0x230 <- swiotlb_tbl_map_single) dev="0000:00:05.0" orig=0x200000100 size=4096 tlb=0x10040000',
    ),
    probe(
      '1.000003',
      'dma_map_page: 0000:00:05.0 dir=FROM_DEVICE dma_addr=10040000 size=4096 phys_addr=200000100 attrs=',
    ),
    probe('1.000004', 'dma_sync_single_for_cpu: 0000:00:05.0 dir=FROM_DEVICE dma_addr=10040800 size=64'),
    probe(
      '1.000005',
      'dma_alloc: 0000:00:05.0 dir=BIDIRECTIONAL dma_addr=300000000 size=8192 virt_addr=0 flags=GFP_ATOMIC attrs=',
    ),
    probe('1.001000', 'unmap: (__swiotlb_tbl_unmap_single+0x4/0x60) dev="0000:00:05.0" tlb=0x10040000 size=4096'),
    probe('1.001001', 'unmap_ret: (dma_unmap_page_attrs+0xfb/0x1c0 <- __swiotlb_tbl_unmap_single) tlb=0x10040000'),
    probe('1.001002', 'dma_unmap_page: 0000:00:05.0 dir=FROM_DEVICE dma_addr=10040000 size=4096 attrs='),
  ];
  const told = analysisOf(probed, boot);
  const hover = (line: number, word: string) => {
    const lineText = probed[line - 1]!;
    return hoverAt(told, { source: 0, line, lineText, character: lineText.indexOf(word) + 2 });
  };

  it('shows the mapping also on the dma event and the probe entry beside the probe that has the result', () => {
    for (const line of [2, 3, 4, 5]) {
      expect(hover(line, ': ')?.verdict, probed[line - 1]).toMatch(/^Served · 2 slots \(4 KiB\) in boot pool/);
    }
    for (const line of [8, 9, 10]) {
      expect(hover(line, ': ')?.verdict, probed[line - 1]).toMatch(/^Released · 2 slots/);
    }
  });

  it('leads from the dma event to the other end', () => {
    const at = (line: number) => partnersOf(told, 0, line, probed[line - 1]!).map((place) => [place.line, place.use]);
    expect(at(5)).toEqual([[8, 'unmap']]);
    expect(at(10)).toEqual([[4, 'map']]);
  });

  it('says what a sync copies, and that coherent memory takes no slots', () => {
    const sync = hover(6, 'dma_sync')!;
    expect(sync.verdict).toBe('Synced for the CPU · copied back to the original buffer');
    expect(sync.lines.map(({ text }) => text).join('\n')).toMatch(/Served · 2 slots.*\n.*\n?.*unmapped at line 8/s);
    const coherent = hover(7, 'size=8192')!;
    expect(coherent.verdict).toBe('Coherent allocation · 8 KiB, never bounced');
    expect(coherent.lines.map(({ text }) => text).join()).not.toMatch(/8,192 bytes take/);
  });

  it('speaks of the mapping only where the flags are those of a mapping', () => {
    expect(hover(4, '.....')?.verdict).toBe('Context: ordinary, the mapping may be allowed to sleep');
    expect(hover(8, '.....')?.verdict).toBe('Context: ordinary');
  });
});

describe('hover on pools and counters', () => {
  const lines = [
    '# tracer: nop',
    '             fio-196     [002] .N...     9.265871: alloc_pool_ret: (swiotlb_tbl_map_single+0x288/0x440 <- swiotlb_alloc_pool.isra.0) pool=0xff110001009ffc80 start=0x101a00000 end=0x101a1d000',
    '     kworker/2:1-43      [002] .....     9.266025: dyn_alloc: (swiotlb_dyn_alloc+0x4/0xa0)',
    '             fio-196     [002] ..s..     9.286235: dyn_free: (swiotlb_dyn_free+0x4/0x70) start=0x101a00000 end=0x101a1d000 nslabs=58 transient=1',
  ];
  const pools = analysisOf(lines, boot);
  const hover = (line: number) => hoverAt(pools, { source: 0, line, lineText: lines[line - 1]!, character: 75 })!;

  it('names the pool that comes and goes, and its other end', () => {
    expect(hover(2).verdict).toBe('Transient pool added · 58 slots · 116 KiB');
    expect(hover(2).lines[0]).toMatchObject({ text: 'Lives 20.36 ms → removed at line 4', links: [{ line: 4 }] });
    expect(hover(4).lines[0]).toMatchObject({ text: 'Lives 20.36 ms → added at line 2', links: [{ line: 2 }] });
    expect(hover(3).verdict).toBe('The worker begins to add a pool');
  });

  it('reads a sample of the counters', () => {
    const samples = [
      'mono_s,boot_s,nslabs,used,used_hiwater,transient_nslabs',
      '4.363132755,4.363145214,32768,256,261,',
    ];
    const builder = createAnalysis();
    const source = builder.openSource({ path: 'debugfs.csv' });
    source.push(new TextEncoder().encode(`${samples.join('\n')}\n`));
    source.end();
    const card = hoverAt(builder.snapshot(), { source: 0, line: 2, lineText: samples[1]!, character: 3 })!;
    expect(card.verdict).toBe('Sample · 256 of 32,768 slots used (0.8 %)');
    expect(card.lines.map(({ text }) => text)).toEqual(['512 KiB in use', 'Most so far: 261 slots · 522 KiB']);
  });
});

describe('hover beside a finding', () => {
  const episode = {
    file: 'trace.txt',
    firstLine: 2,
    lastLine: 9,
    count: 3,
    cause: 'unknown' as const,
    device: null,
    suppressed: 0,
    message: '',
  };
  const lineText = trace[4]!;
  const hover = (isFirst: boolean) =>
    hoverAt(analysis, { source: 0, line: 5, lineText, character: 60, finding: { isFirst, episode } })!;

  it('does not say again what the finding says', () => {
    const card = hover(true);
    expect(card.lines[0]!.text).toMatch(/ · 256 KiB asked for$/);
    expect(card.verdict).toBe('Failed · Cause unknown · 128 slots · 256 KiB');
    const text = card.lines.map((part) => part.text).join('\n');
    expect(text).not.toMatch(/Holders now|Kernel message|One of/);
    expect(text).toMatch(/Retry at line 8 succeeded/);
  });

  it('says on a further line of a flood which one it belongs to', () => {
    const card = hover(false);
    expect(card.lines).toContainEqual({
      level: 'derived',
      text: 'One of 3 like this, from line 2 to line 9',
      links: [{ label: 'line 2', file: 'trace.txt', line: 2 }],
    });
    expect(card.lines.map((part) => part.text).join('\n')).toMatch(/Holders now/);
  });

  it('gives a kernel message no advice twice', () => {
    const line =
      '[   46.291378] nvme 0000:05:00.0: swiotlb buffer is full (sz: 16384 bytes), total 512 (slots), used 128 (slots)';
    const alone = analysisOf([], [line]);
    const card = hoverAt(alone, {
      source: 1,
      line: 1,
      lineText: line,
      character: 60,
      finding: { isFirst: true, episode: null },
    })!;
    expect(card.verdict).toBe('Failed · Fragmented · 8 slots · 16 KiB');
    expect(card.lines.map((part) => part.text)).toEqual(['25 % of the pool in use']);
  });
});

describe('hover on a log', () => {
  it('explains boot lines', () => {
    check(1, 3, 'area num', [/^4 areas of 128 slots · 256 KiB each$/m]);
    check(1, 4, 'mapped', [
      /^Boot pool: 512 slots · 1 MiB in 4 areas$/m,
      /^derived: Devices with a DMA mask of 29 bits or more reach all of it\.$/m,
    ]);
  });

  it('explains a failure line alone', () => {
    const line =
      '[   46.291378] bcm2835-dma fe007000.dma-controller: swiotlb buffer is full (sz: 524276 bytes), total 32768 (slots), used 0 (slots)';
    const alone = analysisOf([], [line]);
    const card = hoverAt(alone, { source: 1, line: 1, lineText: line, character: 60 })!;
    expect(card.verdict).toMatch(/^Failed · Over-size: 512 KiB \(524,276 bytes\) cannot be bounced/);
    expect(line.slice(card.range.startColumn, card.range.endColumn)).toMatch(
      /swiotlb buffer is full.*used 0 \(slots\)$/,
    );
    expect(card.lines.map((part) => part.text).join('\n')).toMatch(/No swiotlb= value helps/);
  });

  it('says what the lines around the pool mean', () => {
    const lines = [
      '[    0.536774] PCI-DMA: Using software bounce buffering for IO (SWIOTLB)',
      '[    0.000000] smpboot: Allowing 8 CPUs, 0 hotplug CPUs',
    ];
    const alone = analysisOf([], lines);
    const verdicts = lines.map(
      (lineText, at) => hoverAt(alone, { source: 1, line: at + 1, lineText, character: 30 })!.verdict,
    );
    expect(verdicts).toEqual(['Bounce buffers in use: no IOMMU translates for the devices', '8 possible CPUs']);
  });

  it('does not invent where a pool lies', () => {
    const line = '[    1.498900] Placing 64MB software IO TLB between ffff8800c6a85000 - ffff8800caa85000';
    const alone = analysisOf([], [line]);
    const card = hoverAt(alone, { source: 1, line: 1, lineText: line, character: 40 })!;
    expect(card.verdict).toBe('Boot pool: 32,768 slots · 64 MiB');
    expect(card.lines.map((part) => part.text)).toEqual([
      'These are virtual addresses: where the pool lies is not known.',
    ]);
  });

  it('has nothing to say about other lines', () => {
    expect(hoverAt(analysis, { source: 0, line: 1, lineText: trace[0]!, character: 3 })).toBeNull();
    expect(hoverAt(analysis, { source: 1, line: 999, lineText: '', character: 0 })).toBeNull();
    expect(hoverAt(analysis, { source: 7, line: 1, lineText: flags, character: 400 })).toBeNull();
  });
});
