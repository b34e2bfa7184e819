import { describe, expect, it } from 'vitest';
import { isModelled, metricRows } from '../../src/webview/metrics';
import { mockRun } from './mockTrace';

const recorded = mockRun();
const dynamic = mockRun({
  key: { policy: 'dynamic', set: {} },
  policy: 'dynamic',
  failed: 0,
  served: 14477,
  failuresByCause: {},
  memory: { peakBytes: 5_000_000, byteSeconds: null, roundingWasteBytes: 4096 },
});

describe('the comparison', () => {
  it('puts what differs first', () => {
    const rows = metricRows([recorded, dynamic]);
    const firstSame = rows.findIndex((row) => !row.differs);
    expect(rows.slice(firstSame).every((row) => !row.differs)).toBe(true);
    expect(rows[0].metric.id).toBe('failed');
  });

  it('leaves out what is zero everywhere, but never the failures', () => {
    const ids = metricRows([dynamic]).map((row) => row.metric.id);
    expect(ids).toContain('failed');
    expect(ids).not.toContain('workerRuns');
    expect(ids).not.toContain('failed.lockup');
  });

  it('marks the best value, and nothing where no way is better or most are equal', () => {
    const best = (id: string, runs = [recorded, dynamic]) => metricRows(runs).find((row) => row.metric.id === id)?.best;
    expect(best('failed')).toEqual([1]);
    expect(best('memory.peakBytes')).toEqual([0]);
    expect(best('usedHighWaterSlots')).toEqual([]);
    expect(best('failed', [recorded, dynamic, dynamic])).toEqual([]);
    // A hair less memory reads the same.
    const hair = { ...recorded, memory: { ...recorded.memory, peakBytes: recorded.memory.peakBytes - 1 } };
    expect(best('memory.peakBytes', [recorded, hair])).toEqual([]);
  });

  it('keeps an unknown value unknown and never calls it best', () => {
    const row = metricRows([recorded, dynamic]).find((candidate) => candidate.metric.id === 'memory.byteSeconds');
    expect(row?.values[1]).toBeNull();
    expect(row?.best).toEqual([]);
  });

  it('says which numbers of the recorded run are modelled', () => {
    const modelled = metricRows([recorded, dynamic])
      .filter((row) => isModelled(row.metric, recorded))
      .map((row) => row.metric.id);
    expect(modelled).toContain('cost.probes');
    expect(modelled).not.toContain('failed');
    expect(isModelled(metricRows([dynamic])[0].metric, dynamic)).toBe(false);
  });
});
