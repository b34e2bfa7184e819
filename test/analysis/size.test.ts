import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { replayReport } from '../../src/analysis/replay';
import { ReplaySettingError } from '../../src/analysis/replaySetup';
import { type SizeRequest, sizeReport } from '../../src/analysis/size';
import { EvidenceBit, Outcome, type TraceTables } from '../../src/model/tables';
import { mirrorMinAlign, readMirrorTrace } from '../support/mirror';
import { type GeometryOptions, geometryOf, hardIrqContext, type RequestRow, tablesOf } from '../support/replayTables';
import { workload } from '../support/workload';

function analysisOf(tables: TraceTables, geometry: GeometryOptions): Analysis {
  return { tables, geometry: geometryOf(geometry), overrides: {}, sourceLedgers: [], problems: [], file: 'trace.txt' };
}

function check(requests: readonly RequestRow[], geometry: GeometryOptions, request: SizeRequest) {
  return sizeReport(analysisOf(tablesOf(requests), geometry), request);
}

/** So many whole segments held at once. */
const segments = (count: number): RequestRow[] =>
  Array.from({ length: count }, (_, row) => ({ sizeBytes: 262_144, enterLine: row + 1, unmapLine: 1000 + row }));

describe('sizeReport', () => {
  it('finds the smallest pool, adds headroom and says what the kernel makes of it', () => {
    const report = check(segments(5), { slots: 8192, areas: 1 }, { policies: ['fixed'], cpus: 1, headroom: 0.2 });
    expect(report.curve.map((point) => [point.slots, point.failed]).slice(0, 3)).toEqual([
      [512, 1],
      [1024, 0],
      [2048, 0],
    ]);
    // Five segments are 640 slots; with 20 % 768, which the kernel rounds to 1024.
    expect(report.smallest).toEqual([
      {
        policy: 'fixed',
        slots: 640,
        bootParameter: 'swiotlb=1024',
        bytesAfterRounding: 2 * 2 ** 20,
        areas: 1,
        headroom: 0.2,
        variants: [],
        kneeSlots: 1024,
      },
    ]);
    expect(report.unusedBytes).toBe((8192 - 1024) * 2048);
    expect(report.advice.join('\n')).toContain('set swiotlb=1024');
    expect(report.advice.join('\n')).toContain('14 MiB of today');
  });

  it('headroom that does not fit into the rounded size doubles it', () => {
    const report = check(segments(7), { slots: 8192, areas: 1 }, { policies: ['fixed'], cpus: 1, headroom: 0.5 });
    expect(report.smallest[0]).toMatchObject({ slots: 896, bootParameter: 'swiotlb=2048' });
  });

  it('no size helps a mapping above 256 KiB, and the advice says so', () => {
    const report = check([{ sizeBytes: 300_000 }, {}], { slots: 512 }, { policies: ['fixed', 'dynamic'], cpus: 1 });
    expect(report.curve.every((point) => point.failed === 1)).toBe(true);
    expect(report.smallest[0]).toMatchObject({ slots: 512 });
    expect(report.advice.join('\n')).toContain('1 request fails at any size');
  });

  it('an alignment that leaves no place in a segment is no reason for a larger pool', () => {
    // 250 KiB behind an offset of 32 KiB: with 64 KiB of alignment no segment of 256 KiB holds it.
    const rows: RequestRow[] = [
      { sizeBytes: 250 * 1024, original: 0x200008000, unmapLine: 100 },
      ...segments(5).map((row, index) => ({ ...row, enterLine: index + 2 })),
    ];
    const report = sizeReport(analysisOf(tablesOf(rows), { slots: 8192, minAlignMasks: [0xffff] }), {
      policies: ['fixed'],
      cpus: 1,
    });
    expect(report.curve.every((point) => point.failed >= 1)).toBe(true);
    expect(report.smallest[0]).toMatchObject({ slots: 640, bootParameter: 'swiotlb=1024' });
    expect(report.advice.join('\n')).toMatch(/1 request fails at any size/);
  });

  it('what a policy keeps back is no reason to call a request hopeless', () => {
    // Lends all but 128 slots: a burst in interrupt context is faster than the migration back, at any size.
    const rows = segments(8).map((row) => ({ ...row, context: hardIrqContext, enterNs: 1000 }));
    const { smallest, curve } = sizeReport(analysisOf(tablesOf(rows), { slots: 8192 }), {
      policies: ['lend'],
      cpus: 1,
      set: { reserveSlots: 128 },
    });
    expect(curve.every((point) => point.failed > 0)).toBe(true);
    expect(smallest[0]).toMatchObject({ policy: 'lend', slots: null });
  });

  it('tries one area beside the CPUs’ own number for a fixed pool', () => {
    const report = check(segments(2), { slots: 512, areas: 4 }, { policies: ['fixed'], cpus: 4 });
    expect([...new Set(report.curve.map((point) => point.areas))]).toEqual([4, 1]);
  });

  it('says what fewer areas would cost: the same requests served, more CPUs at one lock', () => {
    const analysis = analysisOf(workload({ seed: 5, requests: 2000, live: 40 }), { slots: 2048, areas: 4 });
    const { areas, smallest } = sizeReport(analysis, { policies: ['fixed'], cpus: 4 });
    const slots = smallest[0]!.bytesAfterRounding! / 2048;
    expect(areas.map((entry) => entry.bootParameter)).toEqual([1, 2, 4].map((count) => `swiotlb=${slots},${count}`));
    expect(areas.every(({ failed, areaLocks }) => failed === 0 && areaLocks >= 4000)).toBe(true);
    expect(areas[0]!.contendedLocks).toBeGreaterThan(areas[2]!.contendedLocks);
    // As the whole replay of that pool counts them.
    const { cost } = replayReport(analysis, { policy: 'fixed', set: { poolSlots: slots, areas: 2 } }).report;
    expect(areas[1]).toMatchObject({ areaLocks: cost.areaLocks, contendedLocks: cost.contendedLocks });
    expect(sizeReport(analysis, { policies: ['fixed'], cpus: 1 }).areas).toEqual([]);
    expect(sizeReport(analysis, { policies: ['dynamic'], cpus: 4 }).areas).toEqual([]);
  });

  it('replays the sizes that are proven equal only once, and they are equal', () => {
    const analysis = analysisOf(workload({ seed: 5, requests: 400, live: 40 }), { slots: 2048, areas: 4 });
    const sizes = [512, 2048, 8192, 32768, 65536];
    const report = sizeReport(analysis, { policies: ['fixed', 'dynamic'], cpus: 4, sizes });
    expect(report.curve.some((point) => point.proven)).toBe(true);
    for (const point of report.curve.filter(({ proven }) => proven)) {
      const alone = sizeReport(analysis, { policies: [point.policy], cpus: point.areas, sizes: [point.slots] })
        .curve[0]!;
      expect(alone).toEqual({ ...point, proven: false });
    }
  });

  it('a trace without requests, and policies without a pool, give no curve', () => {
    expect(check([], {}, {})).toMatchObject({ replayable: false, curve: [], smallest: [], unusedBytes: null });
    expect(check([{}], {}, { policies: ['cc-swiotlb'] }).curve).toEqual([]);
    expect(() => check([{}], {}, { policies: ['magic'] })).toThrow(ReplaySettingError);
  });

  it('sizes the pool of a confidential VM from a machine that does not bounce', () => {
    const direct = segments(5).map((row) => ({ ...row, evidence: EvidenceBit.direct, outcome: Outcome.served }));
    expect(check(direct, {}, { policies: ['fixed'], cpus: 1 }).replayable).toBe(false);
    const report = check(direct, {}, { policies: ['fixed'], cpus: 1, bounceAll: true });
    expect(report.smallest[0]).toMatchObject({ slots: 640 });
  });

  it('the mirror load: 16 MiB in two areas failed on the real kernel, so more is asked for', () => {
    const analysis = readMirrorTrace('mirror-fix-64MiB-4area.trace.txt');
    const report = sizeReport(analysis, {
      policies: ['fixed', 'dynamic'],
      cpus: 4,
      overrides: { minAlign: mirrorMinAlign },
      sizes: [2048, 8192, 16384, 32768],
    });
    const fixed = report.curve.filter((point) => point.policy === 'fixed' && point.areas === 4);
    expect(fixed[0]!.failed).toBe(1817);
    expect(fixed.at(-1)!.failed).toBe(32);
    expect(report.smallest[0]!.slots).toBeGreaterThan(6849);
    expect(report.smallest[0]!.slots).toBeLessThanOrEqual(16384);
  });
});
