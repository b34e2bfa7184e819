import { describe, expect, it } from 'vitest';
import { GrowableTable } from '../../src/base/columns';
import {
  EvidenceBit,
  FactKind,
  isOriginalDerived,
  Outcome,
  Pairing,
  PoolKind,
  requestColumns,
  type TraceTables,
} from '../../src/model/tables';
import { createFeeder } from '../support/timelineDsl';

const outcomes = ['unknown', 'served', 'failed', 'rolledBack'];
const pairings = ['open', 'exact', 'sizeMismatch', 'reused', 'unseenMap', 'assumed'];

function read(text: string): TraceTables {
  const feeder = createFeeder();
  feeder.feed(feeder.open(), text.replace(/^\n/, ''));
  return feeder.tables();
}

/** One line per request: `device size @bounce outcome pairing [lines] evidence`. */
function describeRows(tables: TraceTables): string[] {
  const columns = tables.requests.columns;
  return Array.from({ length: tables.requests.length }, (_, row) => {
    const bounce = columns.recordedBounce[row];
    const bits = Object.entries(EvidenceBit)
      .filter(([, bit]) => (columns.evidence[row] & bit) !== 0)
      .map(([name]) => name);
    return [
      tables.devices[columns.device[row]].name,
      columns.sizeBytes[row],
      Number.isNaN(bounce) ? '-' : `@${bounce.toString(16)}`,
      outcomes[columns.outcome[row]],
      pairings[columns.pairing[row]],
      `${columns.enterLine[row]}-${columns.mapLine[row]}..${columns.unmapLine[row]}-${columns.unmapExitLine[row]}`,
      bits.join('+'),
    ].join(' ');
  });
}

function check(text: string, expected: string[]): TraceTables {
  const tables = read(text);
  expect(describeRows(tables)).toEqual(expected);
  return tables;
}

describe('evidence of one attempt becomes one request', () => {
  it('tracepoints and probes', () => {
    const tables = check(
      `
  fio-7  [001] .....  1.000010: swiotlb_bounced: dev_name: d0 dma_mask=ffffffff dev_addr=1000 size=4096 FORCE
  fio-7  [001] .....  1.000011: map: (swiotlb_tbl_map_single+0x4/0x730) dev="d0" orig=0x1000 size=4096 amask=0xfff
  fio-7  [001] .....  1.000015: map_ret: (swiotlb_map+0x5c/0x230 <- swiotlb_tbl_map_single) dev="d0" orig=0x1000 size=4096 tlb=0x70001000
  fio-7  [001] .....  1.000016: dma_map_page: d0 dir=TO_DEVICE dma_addr=70001000 size=4096 phys_addr=1000 attrs=
  fio-7  [002] d.h..  1.000020: unmap: (__swiotlb_tbl_unmap_single+0x4/0x60) dev="d0" tlb=0x70001000 size=4096
  fio-7  [002] d.h..  1.000021: unmap_ret: (dma_unmap_page_attrs+0xfb/0x1c0 <- __swiotlb_tbl_unmap_single) tlb=0x70001000
  fio-7  [002] d.h..  1.000022: dma_unmap_page: d0 dir=TO_DEVICE dma_addr=70001000 size=4096 attrs=`,
      [
        'd0 4096 @70001000 served exact 1-3..5-6 bounced+dmaMap+probeEnter+probeReturn+dmaUnmap+probeUnmapEnter+probeUnmapReturn+forced+alignPrinted',
      ],
    );
    const columns = tables.requests.columns;
    expect(columns.enterNs[0]).toBe(1_000_010_000);
    expect(columns.mapDurationNs[0]).toBe(5000);
    expect(columns.unmapEnterNs[0]).toBe(1_000_020_000);
    expect(columns.unmapDurationNs[0]).toBe(1000);
    expect(columns.allocAlignBits[0]).toBe(12);
    expect(columns.direction[0]).toBe(1);
    expect(tables.devices[columns.device[0]]).toMatchObject({ dmaMaskBits: 32, forced: true });
    expect(tables.counts).toMatchObject({ requests: 1, bounced: 1, direct: 0, open: 0 });
  });

  it('nested interrupts on the same CPU, with and without flags', () => {
    const text = `
  fio-7  [001] .....  1.000010: swiotlb_bounced: dev_name: d0 dma_mask=ffffffff dev_addr=1000 size=4096 NORMAL
  fio-7  [001] d.h..  1.000011: swiotlb_bounced: dev_name: d0 dma_mask=ffffffff dev_addr=5000 size=4096 NORMAL
  fio-7  [001] d.h..  1.000012: dma_map_page: d0 dir=TO_DEVICE dma_addr=70005000 size=4096 phys_addr=5000 attrs=
  fio-7  [001] .....  1.000016: dma_map_page: d0 dir=TO_DEVICE dma_addr=70001000 size=4096 phys_addr=1000 attrs=
  fio-7  [001] .....  1.000017: dma_unmap_page: d0 dir=TO_DEVICE dma_addr=70001000 size=4096 attrs=
  fio-7  [001] .....  1.000018: dma_unmap_page: d0 dir=TO_DEVICE dma_addr=70005000 size=4096 attrs=`;
    check(text, [
      'd0 4096 @70001000 served exact 1-4..5-5 bounced+dmaMap+dmaUnmap',
      'd0 4096 @70005000 served exact 2-3..6-6 bounced+dmaMap+dmaUnmap',
    ]);
    check(text.replaceAll(/ \S{5} {2}1\./g, '   1.'), [
      'd0 4096 @70001000 served exact 1-4..5-5 bounced+dmaMap+dmaUnmap+contextAssumed',
      'd0 4096 @70005000 served exact 2-3..6-6 bounced+dmaMap+dmaUnmap+contextAssumed',
    ]);
  });

  it('a direct call of swiotlb_tbl_map_single inside a scatterlist is no element of it', () => {
    check(
      `
  a-7  [001] .....  1.000010: swiotlb_bounced: dev_name: d0 dma_mask=ffffffff dev_addr=1000 size=4096 NORMAL
  a-7  [001] .....  1.000012: map_ret: (swiotlb_map+0x5c/0x230 <- swiotlb_tbl_map_single) dev="d0" orig=0x1000 size=4096 tlb=0x70001000
  a-7  [001] ..s..  1.000013: map_ret: (do_op+0x183/0x1f0 [x] <- swiotlb_tbl_map_single) dev="d1" orig=0x9000 size=512 tlb=0x70009000
  a-7  [001] .....  1.000014: swiotlb_bounced: dev_name: d0 dma_mask=ffffffff dev_addr=3000 size=4096 NORMAL
  a-7  [001] .....  1.000015: map_ret: (swiotlb_map+0x5c/0x230 <- swiotlb_tbl_map_single) dev="d0" orig=0x3000 size=4096 tlb=0x70003000
  a-7  [001] .....  1.000016: dma_map_sg: d0 dir=TO_DEVICE nents=2/2 ents=2/2 dma_addrs={0x70001000,0x70003000} sizes={0x1000,0x1000} phys_addrs={0x1000,0x3000} attrs=`,
      [
        'd0 4096 @70001000 served assumed 1-2..0-0 bounced+dmaMap+probeReturn+scatterlist',
        'd1 512 @70009000 served assumed 3-3..0-0 probeReturn',
        'd0 4096 @70003000 served assumed 4-5..0-0 bounced+dmaMap+probeReturn+scatterlist',
      ],
    );
  });

  it('the encryption bit and bus offsets in swiotlb_bounced', () => {
    const tables = read(`
  a-7  [001] .....  1.000010: swiotlb_bounced: dev_name: d0 dma_mask=ffffffffffffffff dev_addr=8000000001000 size=4096 FORCE
  a-7  [001] .....  1.000016: dma_map_page: d0 dir=TO_DEVICE dma_addr=70001000 size=4096 phys_addr=1000 attrs=
  a-7  [001] .....  1.000020: swiotlb_bounced: dev_name: pi dma_mask=ffffffffffffffff dev_addr=400001000 size=4096 NORMAL
  a-7  [001] .....  1.000026: dma_map_page: pi dir=TO_DEVICE dma_addr=430005000 size=4096 phys_addr=1000 attrs=
  a-7  [001] .....  1.000027: dma_unmap_page: pi dir=TO_DEVICE dma_addr=430005000 size=4096 attrs=
  a-7  [001] .....  1.000028: dma_unmap_page: d0 dir=TO_DEVICE dma_addr=70001000 size=4096 attrs=`);
    const columns = tables.requests.columns;
    expect([...columns.original.slice(0, 2)]).toEqual([0x1000, 0x1000]);
    expect([...columns.recordedBounce.slice(0, 2)]).toEqual([0x70001000, 0x30005000]);
    expect([...columns.pairing.slice(0, 2)]).toEqual([Pairing.exact, Pairing.exact]);
  });

  it('attempts behind a bus offset that no dma event follows are physical too, and marked as derived', () => {
    const attempt = (micro: number, address: string, device = 'pi', pid = 7): string =>
      `  a-${pid}  [001] .....  1.0000${micro}: swiotlb_bounced: dev_name: ${device} dma_mask=ffffffffffffffff dev_addr=${address} size=4096 NORMAL`;
    const mapped = (micro: number, original: string): string =>
      `  a-7  [001] .....  1.0000${micro}: dma_map_page: pi dir=TO_DEVICE dma_addr=430005000 size=4096 phys_addr=${original} attrs=`;
    const feeder = createFeeder();
    const trace = feeder.open();
    // Before the offset is known, while it is, and of a device that never tells.
    const early = [attempt(10, '400009000'), attempt(11, '400001000'), mapped(16, '1000')];
    feeder.feed(trace, [...early, attempt(20, '40000a000'), attempt(21, '40000b000', 'other', 8)].join('\n'));
    const originals = (): number[] => [...feeder.tables().requests.columns.original.slice(0, 4)];
    expect(originals()).toEqual([0x9000, 0x1000, 0xa000, 0x40000b000]);
    expect(originals()).toEqual([0x9000, 0x1000, 0xa000, 0x40000b000]);
    const { requests, devices } = feeder.tables();
    const { evidence, device } = requests.columns;
    const isDerived = (row: number): boolean => isOriginalDerived(evidence[row], devices[device[row]].dmaOffset);
    expect([0, 1, 2, 3].map(isDerived)).toEqual([true, false, true, false]);
    // The event that follows late tells the same address.
    feeder.feed(trace, mapped(30, 'a000'));
    expect(originals()).toEqual([0x9000, 0x1000, 0xa000, 0x40000b000]);
    expect(feeder.tables().requests.columns.outcome[2]).toBe(Outcome.served);
  });

  it('an attempt whose return was lost does not take the next result', () => {
    check(
      `
  a-7  [001] .....  1.000010: map: (swiotlb_tbl_map_single+0x4/0x730) dev="d0" orig=0x1000 size=4096
  a-7  [001] .....  1.000020: map: (swiotlb_tbl_map_single+0x4/0x730) dev="d0" orig=0x2000 size=4096
  a-7  [001] .....  1.000021: map_ret: (swiotlb_map+0x6f/0x260 <- swiotlb_tbl_map_single) tlb=0x70002000`,
      [
        'd0 4096 - unknown assumed 1-1..0-0 probeEnter',
        'd0 4096 @70002000 served assumed 2-3..0-0 probeEnter+probeReturn',
      ],
    );
  });
});

describe('which mappings bounced', () => {
  it('a dma event alone bounced iff its address lies in a pool, wherever the pool is named', () => {
    const feeder = createFeeder();
    const trace = feeder.open();
    feeder.feed(
      trace,
      `  a-7  [001] .....  1.000010: dma_map_page: d0 dir=TO_DEVICE dma_addr=70001000 size=4096 phys_addr=1000 attrs=
  a-7  [001] .....  1.000011: dma_map_page: d0 dir=TO_DEVICE dma_addr=2000 size=4096 phys_addr=2000 attrs=
  a-7  [001] .....  1.000012: dma_unmap_page: d0 dir=TO_DEVICE dma_addr=70008000 size=4096 attrs=
  a-7  [001] .....  1.000013: dma_map_page: d0 dir=TO_DEVICE dma_addr=ffffffffffffffff size=4096 phys_addr=3000 attrs=`,
    );
    expect(feeder.tables().counts).toMatchObject({ direct: 3, bounced: 1 });
    const log = feeder.open('dmesg.txt');
    feeder.feed(
      log,
      '[    0.100000] software IO TLB: area num 4.\n[    0.800000] software IO TLB: mapped [mem 0x0000000070000000-0x0000000070100000] (1MB)',
    );
    const tables = feeder.tables();
    expect(describeRows(tables)).toEqual([
      'd0 4096 @70001000 served open 1-1..0-0 dmaMap',
      'd0 4096 @2000 served open 2-2..0-0 dmaMap+direct',
      'd0 4096 @70008000 served unseenMap 0-0..3-3 dmaUnmap',
      'd0 4096 - failed open 4-4..0-0 dmaMap',
    ]);
    expect(tables.pools.columns.areas[0]).toBe(4);
    expect(tables.pools.columns.slots[0]).toBe(512);
  });

  it('mixed scatterlists: elements with a bounced event and direct ones', () => {
    const tables = check(
      `
  a-7  [001] .....  1.000010: swiotlb_bounced: dev_name: d0 dma_mask=ffffffff dev_addr=100003000 size=4096 NORMAL
  a-7  [001] .....  1.000016: dma_map_sg: d0 dir=FROM_DEVICE nents=3/3 ents=3/3 dma_addrs={0x1000,0x70003000,0x5000} sizes={0x1000,0x1000,0x800} phys_addrs={0x1000,0x100003000,0x5000} attrs=
  a-7  [001] d.h..  1.000020: dma_unmap_sg: d0 dir=FROM_DEVICE phys_addrs={0x1000,0x100003000,0x5000} attrs=`,
      [
        'd0 4096 @70003000 served exact 1-2..3-3 bounced+dmaMap+dmaUnmap+scatterlist',
        'd0 4096 @1000 served exact 2-2..3-3 dmaMap+dmaUnmap+scatterlist+direct',
        'd0 2048 @5000 served exact 2-2..3-3 dmaMap+dmaUnmap+scatterlist+direct',
      ],
    );
    const { sgGroup, sgIndex, sgCount } = tables.requests.columns;
    expect([...sgIndex.slice(0, 3)]).toEqual([1, 0, 2]);
    expect([...sgCount.slice(0, 3)]).toEqual([3, 3, 3]);
    expect(new Set(sgGroup.slice(0, 3))).toEqual(new Set([1]));
  });

  it('the same buffer mapped twice without bouncing ends twice', () => {
    check(
      `
  a-7  [001] .....  1.000010: dma_map_page: d0 dir=TO_DEVICE dma_addr=1000 size=4096 phys_addr=1000 attrs=
  a-7  [001] .....  1.000011: dma_map_page: d0 dir=TO_DEVICE dma_addr=1000 size=4096 phys_addr=1000 attrs=
  a-7  [001] .....  1.000012: dma_unmap_page: d0 dir=TO_DEVICE dma_addr=1000 size=4096 attrs=
  a-7  [001] .....  1.000013: dma_unmap_page: d0 dir=TO_DEVICE dma_addr=1000 size=4096 attrs=`,
      [
        'd0 4096 @1000 served exact 1-1..3-3 dmaMap+dmaUnmap+direct',
        'd0 4096 @1000 served exact 2-2..4-4 dmaMap+dmaUnmap+direct',
      ],
    );
  });
});

describe('failures', () => {
  const full = (size: number): string =>
    `nvme d0: swiotlb buffer is full (sz: ${size} bytes), total 512 (slots), used 494 (slots)`;

  it('printed results and the console line inside the attempt', () => {
    const tables = check(
      `
  a-7  [001] .....  1.000010: swiotlb_bounced: dev_name: d0 dma_mask=ffffffff dev_addr=1200 size=4096 NORMAL
  a-7  [001] d....  1.000011: console: ${full(4608)}
  a-7  [001] .....  1.000016: dma_map_page: d0 dir=TO_DEVICE dma_addr=ffffffffffffffff size=4096 phys_addr=1200 attrs=`,
      ['d0 4096 - failed open 1-3..0-0 bounced+dmaMap+console'],
    );
    expect(tables.requests.columns.consoleLine[0]).toBe(2);
    expect(tables.logFailures).toMatchObject([{ request: 0, suppressed: 0 }]);
    expect(tables.devices[tables.requests.columns.device[0]].driver).toBe('nvme');
  });

  it('a console line before the only event of its request', () => {
    const tables = check(
      `
  a-7  [001] d....  1.000011: console: ${full(4096)}
  a-7  [001] .....  1.000016: dma_map_page: d0 dir=TO_DEVICE dma_addr=ffffffffffffffff size=4096 phys_addr=1000 attrs=`,
      ['d0 4096 - failed open 2-2..0-0 dmaMap+console'],
    );
    expect(tables.logFailures).toMatchObject([{ request: 0 }]);
  });

  it('lines without a request stand alone; suppressed ones are kept apart; old kernels print two lines', () => {
    const feeder = createFeeder();
    feeder.feed(
      feeder.open('dmesg'),
      `[   10.000000] ${full(4096)}
[   10.000100] DMA: Out of SW-IOMMU space for 4096 bytes at device d0
[   15.000000] swiotlb_tbl_map_single: 78 callbacks suppressed
[   15.000001] ${full(8192)}`,
    );
    expect(feeder.tables().logFailures).toMatchObject([
      { request: -1, suppressed: 78, record: { line: 1 } },
      { request: -1, suppressed: 0, record: { line: 4 } },
    ]);
  });

  it('a log with its own clock: one failure, told twice', () => {
    const feeder = createFeeder();
    const lines: string[] = [];
    const log: string[] = [];
    for (let i = 0; i < 6; i++) {
      const stamp = (base: number, micro: number): string => (base + (i * i * 1000 + micro) / 1e6).toFixed(6);
      const at = `  a-7  [001] .....  ${stamp(5, 10)}`;
      lines.push(`${at}: swiotlb_bounced: dev_name: d0 dma_mask=ffffffff dev_addr=${i}000 size=4096 NORMAL`);
      lines.push(`${at}: dma_map_page: d0 dir=TO_DEVICE dma_addr=ffffffffffffffff size=4096 phys_addr=${i}000 attrs=`);
      log.push(`[    ${stamp(3.7, 12)}] ${full(4096)}`);
    }
    feeder.feed(feeder.open('trace.txt', { origin: { seconds: 0, nanoseconds: 0 } }), lines.join('\n'));
    feeder.feed(feeder.open('dmesg.txt', { origin: { seconds: 0, nanoseconds: 0 } }), log.join('\n'));
    const tables = feeder.tables();
    expect(tables.logFailures.map((failure) => failure.request)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(tables.counts).toMatchObject({ requests: 6, failed: 6 });
    expect(Math.abs(tables.sources[1].offsetNs - 1_300_000_000)).toBeLessThan(20_000);
    expect(tables.sources[1].offsetErrorNs).toBeLessThan(40_000);
  });
});

describe('failed scatterlists', () => {
  const bounced = (micro: number, address: string, pid = 7): string =>
    `  a-${pid}  [001] .....  1.${String(micro).padStart(6, '0')}: swiotlb_bounced: dev_name: d0 dma_mask=ffffffff dev_addr=${address} size=4096 NORMAL`;
  const mapped = (micro: number): string =>
    `  a-7  [001] .....  1.${String(micro).padStart(6, '0')}: dma_map_sg: d0 dir=TO_DEVICE nents=3/3 ents=3/3 dma_addrs={0x70001000,0x70002000,0x70003000} sizes={0x1000,0x1000,0x1000} phys_addrs={0x1000,0x2000,0x3000} attrs=`;

  it('a repeated first address starts a new attempt; the last element failed, the others were rolled back', () => {
    const tables = check(
      [
        bounced(10, '1000'),
        bounced(11, '2000'),
        bounced(20, '1000'),
        bounced(21, '2000'),
        bounced(22, '3000'),
        mapped(23),
      ].join('\n'),
      [
        'd0 4096 - rolledBack exact 1-1..2-2 bounced+scatterlist+inferredOutcome+inferredUnmap',
        'd0 4096 - failed open 2-2..0-0 bounced+scatterlist+inferredOutcome',
        'd0 4096 @70001000 served assumed 3-6..0-0 bounced+dmaMap+scatterlist',
        'd0 4096 @70002000 served assumed 4-6..0-0 bounced+dmaMap+scatterlist',
        'd0 4096 @70003000 served assumed 5-6..0-0 bounced+dmaMap+scatterlist',
      ],
    );
    expect([...tables.requests.columns.retryOf.slice(0, 5)]).toEqual([-1, -1, 0, 1, -1]);
    expect(tables.counts).toMatchObject({ failed: 1, rolledBack: 1, retries: 2 });
  });

  it('lists that fail one after the other: what is repeated later shows where each began', () => {
    const outcomesOf = (lines: string[]): string[] =>
      describeRows(read([mapped(1), ...lines].join('\n')))
        .slice(3)
        .map((line) => line.split(' ')[3]);
    const end =
      '  a-7  [001] .....  1.000090: dma_map_page: d0 dir=TO_DEVICE dma_addr=9000 size=512 phys_addr=9000 attrs=';
    const run = [bounced(10, 'a000'), bounced(11, 'b000'), bounced(12, 'c000'), bounced(13, 'd000'), end];
    expect(outcomesOf(run)).toEqual(['rolledBack', 'rolledBack', 'rolledBack', 'failed', 'served']);
    // The third element begins a list of its own later.
    expect(outcomesOf([...run, bounced(91, 'c000'), bounced(92, 'd000'), end]).slice(0, 4)).toEqual([
      'rolledBack',
      'failed',
      'rolledBack',
      'failed',
    ]);
    // It did before.
    expect(outcomesOf([bounced(2, 'c000'), bounced(3, 'd000'), end, ...run]).slice(3, 7)).toEqual([
      'rolledBack',
      'failed',
      'rolledBack',
      'failed',
    ]);
    // The first list succeeds later and is two elements long.
    const success =
      '  a-7  [001] .....  1.000093: dma_map_sg: d0 dir=TO_DEVICE nents=2/2 ents=2/2 dma_addrs={0x70001000,0x70002000} sizes={0x1000,0x1000} phys_addrs={0xa000,0xb000} attrs=';
    expect(outcomesOf([...run, bounced(91, 'a000'), bounced(92, 'b000'), success]).slice(0, 4)).toEqual([
      'rolledBack',
      'failed',
      'rolledBack',
      'failed',
    ]);
  });

  it('cut off: the newest list stays unknown', () => {
    check(
      [
        bounced(10, '1000'),
        bounced(11, '2000'),
        bounced(12, '3000'),
        mapped(13),
        bounced(20, '1000'),
        bounced(21, '2000'),
      ].join('\n'),
      [
        'd0 4096 @70001000 served assumed 1-4..0-0 bounced+dmaMap+scatterlist',
        'd0 4096 @70002000 served assumed 2-4..0-0 bounced+dmaMap+scatterlist',
        'd0 4096 @70003000 served assumed 3-4..0-0 bounced+dmaMap+scatterlist',
        'd0 4096 - unknown assumed 5-5..0-0 bounced',
        'd0 4096 - unknown assumed 6-6..0-0 bounced',
      ],
    );
  });

  it('lost events: unknown, and marked', () => {
    check([bounced(10, '1000'), 'CPU:1 [LOST 3 EVENTS]', bounced(20, '2000'), mapped(30)].join('\n'), [
      'd0 4096 - unknown assumed 1-1..0-0 bounced+nearLoss',
      'd0 4096 @70002000 served assumed 3-4..0-0 bounced+dmaMap+scatterlist',
      'd0 4096 @70001000 served assumed 4-4..0-0 dmaMap+scatterlist+direct',
      'd0 4096 @70003000 served assumed 4-4..0-0 dmaMap+scatterlist+direct',
    ]);
  });

  it('another event of the task ends the list; its outcome waits for a sign that lists are recorded', () => {
    const single =
      '  a-7  [001] .....  1.000030: dma_map_page: d0 dir=TO_DEVICE dma_addr=9000 size=512 phys_addr=9000 attrs=';
    const before = [bounced(10, '1000'), bounced(11, '2000'), single].join('\n');
    expect(describeRows(read(before)).map((line) => line.split(' ')[3])).toEqual(['unknown', 'unknown', 'served']);
    const unmapSg = '  a-9  [002] .....  1.000040: dma_unmap_sg: d1 dir=TO_DEVICE phys_addrs={0x77000} attrs=';
    const tables = read([before, unmapSg].join('\n'));
    expect(describeRows(tables).map((line) => line.split(' ')[3])).toEqual(['rolledBack', 'failed', 'served']);
    expect(tables.counts.unpairedUnmaps).toBe(1);
  });

  it('interrupts do not end the list of the task they interrupt', () => {
    const irq = (micro: number): string =>
      `  a-7  [001] d.h..  1.${String(micro).padStart(6, '0')}: dma_unmap_page: d0 dir=TO_DEVICE dma_addr=70009000 size=512 attrs=`;
    const tables = read(
      [bounced(10, '1000'), irq(11), bounced(12, '2000'), irq(13), bounced(14, '3000'), irq(15), mapped(16)].join('\n'),
    );
    expect(tables.counts).toMatchObject({ failed: 0, rolledBack: 0, unseenMaps: 3, unknownOutcome: 0 });
  });
});

describe('unmaps', () => {
  const map = (micro: number, address: string, size = 4096, cpu = 1, device = 'd0'): string =>
    `  a-${cpu}0  [00${cpu}] .....  1.${String(micro).padStart(6, '0')}: swiotlb_bounced: dev_name: ${device} dma_mask=ffffffff dev_addr=${micro}000 size=${size} FORCE
  a-${cpu}0  [00${cpu}] .....  1.${String(micro).padStart(6, '0')}: dma_map_page: ${device} dir=TO_DEVICE dma_addr=${address} size=${size} phys_addr=${micro}000 attrs=`;
  const unmap = (micro: number, address: string, size = 4096, cpu = 1, device = 'd0'): string =>
    `  a-${cpu}0  [00${cpu}] .....  1.${String(micro).padStart(6, '0')}: dma_unmap_page: ${device} dir=TO_DEVICE dma_addr=${address} size=${size} attrs=`;

  it('printed after another CPU took the address', () => {
    const tables = check(
      [map(10, '70001000'), map(20, '70001000', 4096, 2), unmap(21, '70001000'), unmap(30, '70001000', 4096, 2)].join(
        '\n',
      ),
      [
        'd0 4096 @70001000 served exact 1-2..3-5 bounced+dmaMap+dmaUnmap+forced',
        'd0 4096 @70001000 served exact 3-4..6-6 bounced+dmaMap+dmaUnmap+forced',
      ],
    );
    const { unmapEnterNs, unmapDurationNs, enterNs } = tables.requests.columns;
    expect(unmapEnterNs[0]).toBeLessThanOrEqual(enterNs[1]);
    expect(Math.round((unmapEnterNs[0] + unmapDurationNs[0]) / 1000)).toBe(1_000_021);
  });

  it('a lost unmap: the second mapping keeps its own', () => {
    const tables = check(
      [
        map(10, '70001000'),
        map(20, '70001000'),
        unmap(21, '70001000'),
        map(30, '70001000'),
        unmap(31, '70001000'),
      ].join('\n'),
      [
        'd0 4096 @70001000 served reused 1-2..3-3 bounced+dmaMap+forced+inferredUnmap',
        'd0 4096 @70001000 served exact 3-4..5-5 bounced+dmaMap+dmaUnmap+forced',
        'd0 4096 @70001000 served exact 6-7..8-8 bounced+dmaMap+dmaUnmap+forced',
      ],
    );
    expect(tables.counts).toMatchObject({ reused: 1, inferredUnmaps: 1, open: 0 });
  });

  it('a lost unmap, found by a mapping that overlaps', () => {
    check([map(10, '70001000', 8192), map(20, '70002000'), unmap(25, '70002000')].join('\n'), [
      'd0 8192 @70001000 served reused 1-2..3-3 bounced+dmaMap+forced+inferredUnmap',
      'd0 4096 @70002000 served exact 3-4..5-5 bounced+dmaMap+dmaUnmap+forced',
    ]);
  });

  it('without a map: existed before the trace', () => {
    const tables = check([unmap(10, '70001000'), map(20, '70001000')].join('\n'), [
      'd0 4096 @70001000 served unseenMap 0-0..1-1 dmaUnmap',
      'd0 4096 @70001000 served open 2-3..0-0 bounced+dmaMap+forced',
    ]);
    expect(tables.requests.columns.enterNs[0]).toBeNaN();
    expect(tables.counts).toMatchObject({ unseenMaps: 1, open: 1 });
  });

  it('another size', () => {
    check([map(10, '70001000'), unmap(20, '70001000', 2048)].join('\n'), [
      'd0 4096 @70001000 served sizeMismatch 1-2..3-3 bounced+dmaMap+dmaUnmap+forced',
    ]);
  });

  it('no unmaps at all: assumed', () => {
    const tables = check(map(10, '70001000'), ['d0 4096 @70001000 served assumed 1-2..0-0 bounced+dmaMap+forced']);
    expect(tables.counts.open).toBe(1);
  });

  it('no unmaps at all: an address that comes round again is no lifetime, until an unmap shows', () => {
    const twice = [map(10, '70001000'), map(20, '70001000')].join('\n');
    check(twice, [
      'd0 4096 @70001000 served assumed 1-2..0-0 bounced+dmaMap+forced',
      'd0 4096 @70001000 served assumed 3-4..0-0 bounced+dmaMap+forced',
    ]);
    check([twice, unmap(30, '70009000')].join('\n'), [
      'd0 4096 @70001000 served reused 1-2..3-3 bounced+dmaMap+forced+inferredUnmap',
      'd0 4096 @70001000 served open 3-4..0-0 bounced+dmaMap+forced',
      'd0 4096 @70009000 served unseenMap 0-0..5-5 dmaUnmap',
    ]);
  });

  it('clocks without time may print an unmap before its map', () => {
    const untimed = (text: string): string => text.replaceAll(/\d+\.\d+:/g, '4711:');
    check(untimed([unmap(10, '70001000'), map(20, '70001000'), unmap(30, '70009000')].join('\n')), [
      'd0 4096 @70001000 served exact 2-3..3-3 bounced+dmaMap+dmaUnmap+forced+inferredUnmap',
      'd0 4096 @70009000 served unseenMap 0-0..4-4 dmaUnmap',
    ]);
  });

  it('a probe and the dma line of one release count once, also when the address is taken in between', () => {
    check(
      [
        map(10, '70001000'),
        '  a-10  [001] .....  1.000015: unmap: (__swiotlb_tbl_unmap_single+0x4/0x60) dev="d0" tlb=0x70001000 size=4096',
        map(20, '70001000', 4096, 2),
        unmap(21, '70001000'),
        '  a-20  [002] .....  1.000025: unmap: (__swiotlb_tbl_unmap_single+0x4/0x60) dev="d0" tlb=0x70001000 size=4096',
        unmap(26, '70001000', 4096, 2),
      ].join('\n'),
      [
        'd0 4096 @70001000 served exact 1-2..3-6 bounced+dmaMap+dmaUnmap+probeUnmapEnter+forced',
        'd0 4096 @70001000 served exact 4-5..7-8 bounced+dmaMap+dmaUnmap+probeUnmapEnter+forced',
      ],
    );
  });

  it('behind an IOMMU: the bounce address from the probe, the DMA address in the dma events', () => {
    const once = (micro: number, slot: string): string => `
  a-7  [001] .....  1.${micro}1: swiotlb_bounced: dev_name: d0 dma_mask=ffffffff dev_addr=1000 size=512 NORMAL
  a-7  [001] .....  1.${micro}2: map_ret: (iommu_dma_map_page+0x5c/0x230 <- swiotlb_tbl_map_single) dev="d0" orig=0x1000 size=512 tlb=0x${slot}
  a-7  [001] .....  1.${micro}3: dma_map_page: d0 dir=TO_DEVICE dma_addr=fffff000 size=512 phys_addr=1000 attrs=
  a-7  [001] .....  1.${micro}4: unmap: (__swiotlb_tbl_unmap_single+0x4/0x60) dev="d0" tlb=0x${slot} size=512
  a-7  [001] .....  1.${micro}5: dma_unmap_page: d0 dir=TO_DEVICE dma_addr=fffff000 size=512 attrs=`;
    check(once(10000, '70001000') + once(20000, '70003000'), [
      'd0 512 @70001000 served exact 1-2..4-5 bounced+dmaMap+probeReturn+dmaUnmap+probeUnmapEnter',
      'd0 512 @70003000 served exact 6-7..9-10 bounced+dmaMap+probeReturn+dmaUnmap+probeUnmapEnter',
    ]);
  });

  it('a list whose dma_unmap_sg never came does not take the next one', () => {
    const list = (micro: number, slot: string): string =>
      `  a-7  [001] .....  1.00${micro}: dma_map_sg: d0 dir=TO_DEVICE nents=1/1 ents=1/1 dma_addrs={0x${slot}} sizes={0x1000} phys_addrs={0x1000} attrs=`;
    const tables = read(
      [
        '[    0.800000] software IO TLB: mapped [mem 0x0000000070000000-0x0000000070100000] (1MB)',
        unmap(1, '70009000'),
        list(1000, '70001000'),
        list(1001, '70001000'),
        '  a-7  [001] .....  1.001002: dma_unmap_sg: d0 dir=TO_DEVICE phys_addrs={0x1000} attrs=',
      ].join('\n'),
    );
    expect([...tables.requests.columns.pairing.slice(0, 3)]).toEqual([
      Pairing.unseenMap,
      Pairing.reused,
      Pairing.exact,
    ]);
  });

  it('cut lists: elements that were not printed end with their list', () => {
    const cut = (micro: number): string => `
  a-7  [001] .....  1.${micro}1: swiotlb_bounced: dev_name: d0 dma_mask=ffffffff dev_addr=1000 size=4096 FORCE
  a-7  [001] .....  1.${micro}2: swiotlb_bounced: dev_name: d0 dma_mask=ffffffff dev_addr=2000 size=4096 FORCE
  a-7  [001] .....  1.${micro}3: dma_map_sg: d0 dir=TO_DEVICE nents=1/2 ents=1/2 [TRUNCATED] dma_addrs={0x70001000} sizes={0x1000} phys_addrs={0x1000} attrs=`;
    check(
      `${cut(10000)}${cut(20000)}
  a-7  [001] .....  1.300000: dma_unmap_sg: d0 dir=TO_DEVICE phys_addrs={0x1000,0x2000} attrs=`,
      [
        'd0 4096 @70001000 served reused 1-3..4-4 bounced+dmaMap+scatterlist+forced+inferredUnmap',
        'd0 4096 - served reused 2-3..4-4 bounced+dmaMap+scatterlist+inferredOutcome+forced+inferredUnmap',
        'd0 4096 @70001000 served exact 4-6..7-7 bounced+dmaMap+dmaUnmap+scatterlist+forced',
        'd0 4096 - served exact 5-6..7-7 bounced+dmaMap+dmaUnmap+scatterlist+inferredOutcome+forced',
      ],
    );
  });

  it('a scatterlist: the dma line first, the probes after it', () => {
    check(
      `
  a-7  [001] .....  1.000016: dma_map_sg: d0 dir=TO_DEVICE nents=2/2 ents=2/2 dma_addrs={0x70001000,0x70003000} sizes={0x1000,0x1000} phys_addrs={0x1000,0x3000} attrs=
  a-7  [001] .....  1.000018: unmap: (__swiotlb_tbl_unmap_single+0x4/0x60) dev="d1" tlb=0x70009000 size=4096
  a-7  [001] .....  1.000020: dma_unmap_sg: d0 dir=TO_DEVICE phys_addrs={0x1000,0x3000} attrs=
  a-7  [001] .....  1.000021: unmap: (__swiotlb_tbl_unmap_single+0x4/0x60) dev="d0" tlb=0x70001000 size=4096
  a-7  [001] .....  1.000022: unmap_ret: (dma_direct_unmap_sg+0xda/0x190 <- __swiotlb_tbl_unmap_single) tlb=0x70001000
  a-7  [001] .....  1.000023: unmap: (__swiotlb_tbl_unmap_single+0x4/0x60) dev="d0" tlb=0x70003000 size=4096
  a-7  [001] .....  1.000024: unmap_ret: (dma_direct_unmap_sg+0xda/0x190 <- __swiotlb_tbl_unmap_single) tlb=0x70003000`,
      [
        'd0 4096 @70001000 served exact 1-1..4-5 dmaMap+dmaUnmap+probeUnmapEnter+probeUnmapReturn+scatterlist',
        'd0 4096 @70003000 served exact 1-1..6-7 dmaMap+dmaUnmap+probeUnmapEnter+probeUnmapReturn+scatterlist',
        'd1 4096 @70009000 served unseenMap 0-0..2-2 probeUnmapEnter',
      ].map((line) => line.replace('dmaMap+dmaUnmap+probeUnmapEnter', 'dmaMap+dmaUnmap+probeUnmapEnter')),
    );
  });
});

describe('pools and facts from probes', () => {
  it('transient pools die with their mapping, grown ones count from the worker on', () => {
    const tables = read(`
  fio-1  [002] .N...  9.265667: alloc_pool: (swiotlb_alloc_pool.isra.0+0x0/0x2e0) minslabs=58 nslabs=58 nareas=1
  fio-1  [002] .N...  9.265871: alloc_pool_ret: (swiotlb_tbl_map_single+0x288/0x440 <- swiotlb_alloc_pool.isra.0) pool=0xff11 start=0x101a00000 end=0x101a1d000 nslabs=58 nareas=1
  kworker/2:1-43  [002] .....  9.266025: dyn_alloc: (swiotlb_dyn_alloc+0x4/0xa0)
  kworker/2:1-43  [002] .....  9.266289: alloc_pool_ret: (swiotlb_dyn_alloc+0x34/0xa0 <- swiotlb_alloc_pool.isra.0) pool=0xff12 start=0x7f400000 end=0x7f500000 nslabs=512 nareas=2
  kworker/2:1-43  [002] .....  9.266319: dyn_alloc_ret: (process_one_work+0x14b/0x300 <- swiotlb_dyn_alloc)
  fio-1  [002] ..s..  9.286235: dyn_free: (swiotlb_dyn_free+0x4/0x70) start=0x101a00000 end=0x101a1d000 nslabs=58 transient=1
  kworker/2:1-43  [002] .....  9.366289: alloc_pool_ret: (swiotlb_dyn_alloc+0x34/0xa0 <- swiotlb_alloc_pool.isra.0) pool=0x0 start=(fault) end=(fault)`);
    const { kind, slots, areas, allocLine, addedLine, removedLine, addedNs, removedNs } = tables.pools.columns;
    expect(tables.pools.length).toBe(2);
    expect([...kind.slice(0, 2)]).toEqual([PoolKind.transient, PoolKind.grown]);
    expect([...slots.slice(0, 2)]).toEqual([58, 512]);
    expect([...areas.slice(0, 2)]).toEqual([1, 2]);
    expect([...allocLine.slice(0, 2)]).toEqual([3, 5].map((line) => line - 1));
    expect([...addedLine.slice(0, 2)]).toEqual([2, 5]);
    expect([...removedLine.slice(0, 2)]).toEqual([6, 0]);
    expect(addedNs[1]).toBe(9_266_319_000);
    expect(removedNs[0]).toBe(9_286_235_000);
    expect([...tables.facts.columns.kind.slice(0, tables.facts.length)]).toEqual([
      FactKind.workerStarted,
      FactKind.workerDone,
    ]);
  });

  it('pool columns of unmap probes name the boot pool', () => {
    const tables = read(
      '  a-1  [002] .....  9.2: unmap: (__swiotlb_tbl_unmap_single+0x4/0x60) dev="d0" tlb=0x7da8f000 size=4096 pool_start=0x7da8e000 pool_end=0x7db8e000',
    );
    expect(tables.pools.columns.kind[0]).toBe(PoolKind.boot);
    expect(tables.pools.columns.slots[0]).toBe(512);
  });
});

describe('tables', () => {
  it('a request takes at most 96 bytes', () => {
    expect(new GrowableTable(requestColumns).bytesPerRow()).toBeLessThanOrEqual(96);
  });

  it('a snapshot does not grow; a later unmap bumps the version', () => {
    const feeder = createFeeder();
    const source = feeder.open();
    feeder.feed(
      source,
      '  a-7  [001] .....  1.000010: dma_map_page: d0 dir=TO_DEVICE dma_addr=1000 size=4096 phys_addr=1000 attrs=',
    );
    const before = feeder.tables();
    feeder.feed(
      source,
      '  a-7  [001] .....  1.000011: dma_map_page: d0 dir=TO_DEVICE dma_addr=2000 size=4096 phys_addr=2000 attrs=\n  a-7  [001] .....  1.000012: dma_unmap_page: d0 dir=TO_DEVICE dma_addr=1000 size=4096 attrs=',
    );
    const after = feeder.tables();
    expect(before.requests.length).toBe(1);
    expect(after.requests.length).toBe(2);
    expect(after.requests.version).toBeGreaterThan(before.requests.version);
    expect(after.requests.columns.outcome[0]).toBe(Outcome.served);
  });

  it('an empty timeline', () => {
    expect(createFeeder().tables().counts.requests).toBe(0);
  });
});
