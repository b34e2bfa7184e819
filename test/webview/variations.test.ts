import { describe, expect, it } from 'vitest';
import { bandOf } from '../../src/webview/charts/model';
import { variationRows } from '../../src/webview/sections/variations';
import { mockRun } from './mockTrace';

const assumed = (lifetimes: number) => ({ ...mockRun().assumed, lifetimes });

describe('what a run depends on', () => {
  const numbers = { failed: 3, stalls: { count: 0, totalNs: 0, maxNs: 0 }, usedHighWaterSlots: 9, peakBytes: 1 };

  it('is nothing where nothing was assumed', () => {
    expect(
      variationRows({ sensitivity: null, classVariants: null, contextVariants: null, attributeVariants: null }),
    ).toEqual([]);
  });

  it('is named in words, lifetimes first, without the one that is shown', () => {
    const rows = variationRows({
      sensitivity: {
        assumedLifetimes: 5,
        variants: [
          { ...numbers, name: '25th percentile', set: {} },
          { ...numbers, name: 'median', set: {} },
          { ...numbers, name: '10 ×', set: {} },
        ],
      },
      classVariants: [{ ...numbers, unknownClass: 'block' }],
      contextVariants: [{ ...numbers, context: 'alwaysAtomic' }],
      attributeVariants: [{ ...numbers, devicesNeed: 'private' }],
    });
    expect(rows.map(({ name }) => name)).toEqual([
      'lifetimes at the 25th percentile',
      'lifetimes × 10',
      'devices of unknown class are block devices',
      'no mapping may sleep',
      'all devices need private memory',
    ]);
  });
});

describe('the band around a run', () => {
  const run = (lifetimes: number) =>
    mockRun({ basis: 'modelled', requests: 1003, served: 1000, failed: 3, assumed: assumed(lifetimes) });

  it('spans a tenth to ten times where every lifetime is assumed', () => {
    expect(bandOf(run(1000), { samples: null })).toBe('scaled');
    expect(bandOf(run(1000), { samples: { timeNs: [0], usedSlots: [1], total: 1 } })).toBeNull();
  });

  it('spans the quartiles where a part is assumed, and is left out where hardly any is', () => {
    expect(bandOf(run(500), { samples: null })).toBe('quartiles');
    expect(bandOf(run(9), { samples: null })).toBeNull();
    expect(bandOf({ ...run(500), basis: 'recorded' }, { samples: null })).toBeNull();
  });
});
