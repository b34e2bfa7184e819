import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { replayReport } from '../../src/analysis/replay';
import { ContentionCounter } from '../../src/replay/costModel';
import { readFixture } from '../support/fixtures';
import { geometryOf, type RequestRow, tablesOf } from '../support/replayTables';

function analysisOf(requests: readonly RequestRow[], timeUnit: 'ns' | 'order' = 'ns'): Analysis {
  const tables = tablesOf(requests, { timeUnit });
  return { tables, geometry: geometryOf({ slots: 512 }), overrides: {}, sourceLedgers: [], problems: [], file: 'x' };
}

describe('ContentionCounter', () => {
  it('counts another CPU within the window, at the same area', () => {
    const counter = new ContentionCounter(100);
    counter.take(0, 0, 1, 0);
    counter.take(0, 0, 1, 10);
    expect(counter.contended).toBe(0);
    counter.take(0, 0, 2, 110);
    expect(counter.contended).toBe(1);
    counter.take(0, 1, 1, 111);
    counter.take(1, 0, 1, 112);
    counter.take(0, 0, 1, 211);
    counter.take(0, 0, -1, 212);
    counter.take(0, 0, 2, 213);
    expect(counter.contended).toBe(1);
  });
});

describe('estimated cost', () => {
  const set = { searchNs: 10, releaseNs: 1000, poolAllocationNs: 100_000 };

  it('adds searches, releases and allocations at the times given', () => {
    const { report } = replayReport(analysisOf([{ unmapLine: 10 }, {}, {}]), { policy: 'fixed', set });
    expect(report.cost.estimatedNs).toBe(3 * 10 + 1000);
    expect(report.params['searchNs']).toMatchObject({ value: 10, level: 'user' });
    const big = Array.from({ length: 6 }, (): RequestRow => ({ sizeBytes: 262_144 }));
    const { report: transient } = replayReport(analysisOf(big), { policy: 'transient', set });
    expect(transient.cost.pageAllocations).toBe(2);
    expect(transient.cost.estimatedNs).toBe(transient.cost.areaLocks * 10 + 200_000);
  });

  it('says where its times come from: the trace’s own function durations where it has them', () => {
    const defaults = replayReport(analysisOf([{}]), { policy: 'fixed' }).report;
    expect(defaults.params['searchNs']).toMatchObject({ value: 1062, level: 'default' });
    const builder = createAnalysis();
    const source = builder.openSource({ path: 'graph' });
    source.push(readFixture('trace/function-graph.txt'));
    source.end();
    const analysis = builder.snapshot({ poolStart: 0x70000000, poolSlots: 512, areas: 1 });
    const { params } = replayReport(analysis, { policy: 'fixed' }).report;
    expect(params['searchNs']).toMatchObject({ level: 'recorded' });
    expect(params['releaseNs']).toMatchObject({ level: 'recorded' });
    expect(params['searchNs']!.value).toBeGreaterThan(100);
    expect(params['searchNs']!.value).toBeLessThan(100_000);
  });

  it('contention is unknown without a clock', () => {
    const nothingTimed = [{ enterNs: Number.NaN, unmapEnterNs: Number.NaN }];
    expect(replayReport(analysisOf(nothingTimed, 'order'), { policy: 'fixed' }).report.cost.contendedLocks).toBeNull();
    expect(replayReport(analysisOf([{}]), { policy: 'dynamic' }).report.cost.contendedLocks).toBe(0);
  });

  it('contention is that of the locks a policy has', () => {
    // Two CPUs map for two devices within the search time: page buffers of the RFC, slots of two classes.
    const contended = (policy: string, sizes: readonly [number, number]) =>
      replayReport(
        analysisOf(sizes.map((sizeBytes, row) => ({ device: row, cpu: row, sizeBytes, enterNs: row * 100 }))),
        { policy, set: { searchNs: 1000 } },
      ).report.cost.contendedLocks;
    expect(contended('rfc-v1', [8192, 8192])).toBe(1);
    expect(contended('rfc-v2', [8192, 8192])).toBe(0);
    // The xarray of live slots has one lock, each class another.
    expect(contended('cc-swiotlb', [4096, 4096])).toBe(2);
    expect(contended('cc-swiotlb', [4096, 512])).toBe(1);
  });
});
