import { describe, expect, it } from 'vitest';
import { lifetimeStats, sizeClassOf } from '../../src/analysis/lifetimeStats';
import { EvidenceBit, Outcome, Pairing } from '../../src/model/tables';
import { handMade } from '../support/analysis';
import type { RequestRow } from '../support/replayTables';

const stats = (requests: readonly RequestRow[]) =>
  lifetimeStats(handMade({ requests, geometry: { slots: 4096 }, devices: ['nvme', 'net'] }));

/** A mapping of `slots` slots that lives so many nanoseconds. */
const mapping = (slots: number, lifetimeNs: number, more: RequestRow = {}): RequestRow => ({
  sizeBytes: slots * 2048 - 48,
  recordedBounce: 0x10000000,
  enterNs: 1000,
  unmapEnterNs: 1000 + lifetimeNs,
  unmapLine: 9,
  ...more,
});

describe('lifetimes', () => {
  it('stand between the borders of their class', () => {
    const { devices, lifetimeEdgesNs } = stats([mapping(1, 50), mapping(1, 99_999), mapping(1, 100_000)]);
    const classes = devices[0].lifetimes!;
    const at = classes.flatMap((count, index) => (count === 0 ? [] : [index]));
    const range = (index: number) => [lifetimeEdgesNs![index - 1], lifetimeEdgesNs![index]];
    expect(at[0]).toBe(0);
    expect(lifetimeEdgesNs![0]).toBe(100);
    expect(range(at[1])[0]).toBeLessThan(99_999);
    expect(range(at[1])[1]).toBeCloseTo(100_000);
    expect(range(at[2])[0]).toBeCloseTo(100_000);
    expect(at).toHaveLength(3);
    expect(classes).toHaveLength(lifetimeEdgesNs!.length + 1);
  });

  it('have quantiles by nearest rank', () => {
    const rows = Array.from({ length: 100 }, (_, index) => mapping(1, (index + 1) * 1000));
    expect(stats(rows).devices[0].quantilesNs).toEqual({
      shortest: 1000,
      median: 50_500,
      p90: 90_000,
      p99: 99_000,
      longest: 100_000,
    });
  });

  it('count as short below 10 µs, with the bytes that were copied for them', () => {
    const { devices, shortNs } = stats([mapping(2, 9_999), mapping(2, 10_000), mapping(4, 1)]);
    expect(shortNs).toBe(10_000);
    expect(devices[0].short).toEqual({ mappings: 2, bytes: 2 * 2048 - 48 + 4 * 2048 - 48, ofMappings: 3 });
  });

  it('are unknown when nothing shows an end, and an open or unseen mapping has none', () => {
    const open = { ...mapping(1, 10), pairing: Pairing.open };
    const unseen = { ...mapping(1, 10), pairing: Pairing.unseenMap, enterNs: Number.NaN };
    const found = stats([open, unseen, { ...open, pairing: Pairing.assumed, outcome: Outcome.unknown }]);
    expect(found.lifetimeEdgesNs).toBeNull();
    expect(found.devices[0]).toMatchObject({ lifetimes: null, quantilesNs: null, short: null });
  });
});

describe('sizes', () => {
  it('stand in the class of the slots they take', () => {
    const { sizeClasses } = stats([]);
    for (let slots = 1; slots <= 300; slots++) {
      const { fromSlots, toSlots } = sizeClasses[sizeClassOf(slots)];
      expect(fromSlots <= slots && (toSlots === null || slots <= toSlots)).toBe(true);
    }
    sizeClasses.slice(1).forEach((size, index) => {
      expect(size.fromSlots).toBe(sizeClasses[index].toSlots! + 1);
    });
  });

  it('count what rounding to slots adds, and failures apart', () => {
    const { devices } = stats([
      mapping(1, 1),
      mapping(3, 1),
      { sizeBytes: 8192, outcome: Outcome.failed },
      mapping(1, 1, { device: 1, evidence: EvidenceBit.dmaMap | EvidenceBit.direct }),
    ]);
    expect(devices.map((device) => device.name)).toEqual(['nvme']);
    expect(devices[0].sizes[sizeClassOf(1)]).toEqual({ mappings: 1, failed: 0, bytes: 2000, wasteBytes: 48 });
    expect(devices[0].sizes[sizeClassOf(3)]).toEqual({ mappings: 1, failed: 1, bytes: 6096, wasteBytes: 48 });
  });
});

describe('a suspected leak', () => {
  it('names the oldest mapping that is still open', () => {
    const rows = Array.from(
      { length: 200 },
      (_, index): RequestRow => ({
        device: 1,
        sizeBytes: 2048,
        recordedBounce: 0x10000000 + index * 2048,
        enterLine: 2 * index + 1,
        ...(index % 2 === 0 ? {} : { unmapLine: 2 * index + 2 }),
      }),
    );
    const { devices } = stats(rows);
    expect(devices[0].leak).toMatchObject({ open: 100, mapped: 200, oldest: { file: 'hand-made', line: 1 } });
  });
});
