import { describe, expect, it } from 'vitest';
import { GrowableTable } from '../../src/base/columns';
import { StringTable } from '../../src/base/stringTable';
import { FactKind, factColumns, freePageColumns } from '../../src/model/tables';
import { calibrateFromFacts, successFromFreePages } from '../../src/replay/environment';
import { environmentOf } from '../support/replayRun';

describe('page allocations', () => {
  it('are naturally aligned, inside their zone, and clear of reserved ranges', () => {
    const reserved = [{ start: 0x7da8a000, end: 0x7db8a000 }];
    const environment = environmentOf({ reserved });
    const seen: { start: number; end: number }[] = [...reserved];
    for (let i = 0; i < 400; i++) {
      const order = (i * 7) % 11;
      const start = environment.allocatePages(order, 'DMA32', true)!;
      const bytes = 4096 * 2 ** order;
      expect(start % bytes).toBe(0);
      expect(start).toBeGreaterThanOrEqual(0x1000000);
      expect(start + bytes).toBeLessThanOrEqual(0x80000000);
      expect(seen.some((range) => start < range.end && range.start < start + bytes)).toBe(false);
      seen.push({ start, end: start + bytes });
    }
  });

  it('uses freed blocks of the order again, newest first', () => {
    const environment = environmentOf();
    const first = environment.allocatePages(3, 'NORMAL', false)!;
    const second = environment.allocatePages(3, 'NORMAL', false)!;
    environment.freePages(first, 3);
    environment.freePages(second, 3);
    expect(environment.allocatePages(2, 'NORMAL', false)).not.toBe(second);
    expect(environment.allocatePages(3, 'NORMAL', false)).toBe(second);
    expect(environment.allocatePages(3, 'NORMAL', false)).toBe(first);
  });

  it('runs out with its zone', () => {
    const environment = environmentOf();
    let blocks = 0;
    while (environment.allocatePages(10, 'DMA', true) !== null) {
      blocks++;
    }
    expect(blocks).toBe(3);
  });

  it.each([
    [0, 10, false, 1],
    [0.5, 1, false, 0.5],
    [0.5, 3, false, 0.125],
    [0.5, 1, true, 0.75],
    [1, 0, false, 1],
    [1, 1, true, 0],
  ])('fragmentation %d, order %d, may block %s: %d succeed', (fragmentation, order, canBlock, share) => {
    const environment = environmentOf({ fragmentation, seed: 7 });
    let ok = 0;
    for (let i = 0; i < 4000; i++) {
      const start = environment.allocatePages(order, 'NORMAL', canBlock);
      if (start !== null) {
        ok++;
        environment.freePages(start, order);
      }
    }
    expect(ok / 4000).toBeCloseTo(share, 1);
  });

  it('never gives more than the largest order', () => {
    expect(environmentOf().allocatePages(11, 'NORMAL', true)).toBeNull();
  });
});

describe('the atomic coherent pool', () => {
  it('gives blocks at their own power of two, and merges what comes back', () => {
    const environment = environmentOf({ atomicPoolBytes: 65536 });
    const small = environment.allocateAtomic(4096)!;
    const large = environment.allocateAtomic(32768)!;
    expect(large % 32768).toBe(0);
    expect(environment.allocateAtomic(65536)).toBeNull();
    environment.freeAtomic(small, 4096);
    environment.freeAtomic(large, 32768);
    expect(environment.allocateAtomic(65536)).not.toBeNull();
  });
});

describe('calibration from the facts of a trace', () => {
  it('takes medians of worker delays and success ratios by order, once there are enough', () => {
    const facts = new GrowableTable(factColumns);
    const add = (kind: number, timeNs: number, order = -1, ok = 0) => {
      const row = facts.addRow();
      facts.columns.kind[row] = kind;
      facts.columns.timeNs[row] = timeNs;
      facts.columns.order[row] = order;
      facts.columns.ok[row] = ok;
    };
    [10, 30, 20].forEach((delay, index) => {
      const start = index * 1000;
      add(FactKind.workerQueued, start);
      add(FactKind.workerStarted, start + delay);
      add(FactKind.workerDone, start + delay + 5);
    });
    for (let i = 0; i < 16; i++) {
      add(FactKind.pageAllocation, 9000 + i, 9, i < 4 ? 1 : 0);
    }
    add(FactKind.pageAllocation, 9999, 3, 0);
    const { calibrated, successByOrder } = calibrateFromFacts(facts);
    expect(calibrated.get('workerDelayNs')).toMatchObject({ value: 20, evidence: { level: 'recorded' } });
    expect(calibrated.get('workerRunNs')!.value).toBe(5);
    expect(successByOrder.get(9)!.value).toBe(0.25);
    expect(successByOrder.has(3)).toBe(false);
  });
});

describe('successFromFreePages', () => {
  const strings = new StringTable();
  function check(lines: readonly { zone: string; blocks: readonly number[] }[]) {
    const freePages = new GrowableTable(freePageColumns);
    for (const [index, { zone, blocks }] of lines.entries()) {
      for (const [order, count] of blocks.entries()) {
        const row = freePages.addRow();
        freePages.columns.line[row] = index + 1;
        freePages.columns.zone[row] = strings.intern(zone);
        freePages.columns.order[row] = order;
        freePages.columns.blocks[row] = count;
      }
    }
    return successFromFreePages({ freePages, strings }, 3);
  }

  it('takes a larger block for a smaller order, and the better zone', () => {
    const success = check([
      { zone: 'DMA', blocks: [9, 9, 9, 9] },
      { zone: 'DMA32', blocks: [0, 0, 1, 0] },
      { zone: 'DMA32', blocks: [7, 0, 0, 0] },
      { zone: 'Normal', blocks: [3, 2, 0, 0] },
    ]);
    expect([...success].map(([order, { value }]) => [order, value])).toEqual([
      [0, 1],
      [1, 1],
      [2, 0.5],
      [3, 0],
    ]);
    expect(success.get(2)!.evidence).toMatchObject({ level: 'derived', text: expect.stringContaining('1 of 2 lines') });
  });

  it('says nothing without snapshots', () => {
    expect(check([]).size).toBe(0);
    expect(check([{ zone: 'DMA', blocks: [1, 1, 1, 1] }]).size).toBe(0);
  });
});
