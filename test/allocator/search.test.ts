import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pool } from '../../src/allocator/pool';
import { AreaSearch, LOCKUP, NOT_FOUND } from '../../src/allocator/search/areaSearch';
import { generationRules } from '../../src/allocator/search/rules';
import { WALK_LOCKUP, WALK_NOT_FOUND, type WalkGeneration, WalkPool } from '../support/walk';

const generations: WalkGeneration[] = ['4.18', '6.1', '6.6', '6.8', '6.12'];
const minAlignMasks = [0, 0, 0x1ff, 0x7ff, 0xfff, 0xfff, 0x3fff, 0xffff, 0xe00, 0x5800];
const boundaries = [Infinity, Infinity, 2 ** 32 - 1, 0x3ffff, 0xffff, 0x1fff, 0xfff, 0x7ff];
const alignMasks = [0, 0, 0, 0x7ff, 0xfff, 0x1fff, 0x3fff, 0xffff, 0x3ffff];

interface Scenario {
  generation: WalkGeneration;
  pageSize: number;
  start: number;
  slots: number;
  areas: number;
  ops: number[][];
}

/** Operations are plain numbers, so that fast-check shrinks them: [kind, area or victim, device, size, original, alignment]. */
const scenarios: fc.Arbitrary<Scenario> = fc
  .record({
    generation: fc.constantFrom(...generations),
    pageSize: fc.constantFrom(4096, 4096, 16384, 65536),
    base: fc.nat(40),
    high: fc.constantFrom(0x10000000, 0xfff00000, 0x1_fff0_0000, 2 ** 40),
    areas: fc.constantFrom(1, 1, 2, 4),
    segments: fc.constantFrom(1, 2, 3, 17, 34),
    cut: fc.constantFrom(0, 0, 1, 57, 64, 127),
    ops: fc.array(fc.tuple(fc.nat(9), fc.nat(255), fc.nat(99), fc.nat(999), fc.nat(65535), fc.nat(99)), {
      minLength: 20,
      maxLength: 160,
      size: 'max',
    }),
  })
  .map(({ generation, pageSize, base, high, areas, segments, cut, ops }) => {
    const single = generation === '4.18' || areas === 1;
    return {
      generation,
      pageSize,
      start: high + base * pageSize,
      slots: segments * 128 * (single ? 1 : areas) - (single ? cut : 0),
      areas: single ? 1 : areas,
      ops,
    };
  });

function sizeOf(choice: number): number {
  const unit = choice % 10;
  const rest = Math.floor(choice / 10);
  if (unit < 4) {
    return 1 + rest * 40;
  }
  if (unit < 7) {
    return 4096 + rest * 41;
  }
  return unit < 9 ? 2048 * (1 + rest) + 7 : 65536 + rest * 2200;
}

/** Runs a scenario in both; the callback sees the pool after every step. */
function runBoth(
  { generation, pageSize, start, slots, areas, ops }: Scenario,
  after: (pool: Pool, walk: WalkPool) => void,
): void {
  const rules = generationRules[generation];
  const pool = new Pool(
    0,
    { kind: 'boot', start, slots, areas },
    { pageSlots: pageSize / 2048, tailOverrun: rules.tailOverrun },
  );
  const search = new AreaSearch(rules, pageSize);
  const walk = new WalkPool(generation, start, slots, areas, pageSize);
  const live: { slot: number; slots: number; offset: number }[] = [];
  for (const [kind, which, deviceChoice, sizeChoice, original, alignChoice] of ops) {
    if (kind < 3 && live.length > 0) {
      const [run] = live.splice(which % live.length, 1);
      pool.release(run.slot, run.slots, 0);
      walk.release(run.slot, run.offset);
      after(pool, walk);
      continue;
    }
    const device = {
      minAlignMask: generation === '4.18' ? 0 : minAlignMasks[deviceChoice % minAlignMasks.length],
      segBoundaryMask: boundaries[Math.floor(deviceChoice / 10) % boundaries.length],
    };
    const alignMask = generation === '4.18' ? 0 : alignMasks[alignChoice % alignMasks.length];
    const orig = original % 13 === 0 ? 0 : 2 ** 33 + original * 8;
    const offset = orig & device.minAlignMask & 0x7ff;
    const sizeBytes = sizeOf(sizeChoice) + offset;
    const area = which % areas;
    const index = pool.areaIndex[area];
    const expected = walk.search(area, walk.index[area], device, orig, sizeBytes, alignMask);
    const got = search.find(pool, area, index, {
      slots: Math.ceil(sizeBytes / 2048),
      sizeBytes,
      original: orig,
      minAlignMask: device.minAlignMask,
      allocAlignMask: alignMask,
      segBoundaryMask: device.segBoundaryMask,
    });
    expect(got).toBe(expected === WALK_LOCKUP ? LOCKUP : expected === WALK_NOT_FOUND ? NOT_FOUND : expected);
    if (expected !== WALK_LOCKUP) {
      expect(search.probes).toBe(walk.probes);
    }
    if (expected >= 0) {
      const count = Math.ceil(sizeBytes / 2048);
      pool.take(got, count, 0);
      pool.areaIndex[area] = search.indexAfter(pool, area, got, count);
      walk.take(area, expected, sizeBytes, offset);
      live.push({ slot: got, slots: count, offset });
    }
    after(pool, walk);
  }
}

function expectSameLists(pool: Pool, walk: WalkPool): void {
  expect(Array.from({ length: pool.slots }, (_, slot) => pool.list(slot))).toEqual([
    ...walk.list.subarray(0, pool.slots),
  ]);
}

describe('search over the index of free runs', () => {
  it('finds the slots and counts the probes of the literal walk, in every generation', () => {
    fc.assert(
      fc.property(scenarios, (scenario) => {
        runBoth(scenario, (pool, walk) => {
          expect([...pool.areaIndex]).toEqual([...walk.index]);
          expect([...pool.areaUsed]).toEqual([...walk.used]);
        });
      }),
      { numRuns: 800 },
    );
  });

  it('keeps the free counts that the kernel keeps in slot.list', () => {
    fc.assert(
      fc.property(scenarios, (scenario) => {
        let step = 0;
        runBoth(scenario, (pool, walk) => {
          if (++step % 8 === 0) {
            expectSameLists(pool, walk);
          }
        });
      }),
      { numRuns: 200 },
    );
  });

  it('knows the largest free run of an area', () => {
    fc.assert(
      fc.property(scenarios, (scenario) => {
        let step = 0;
        runBoth(scenario, (pool, walk) => {
          if (++step % 8 !== 0) {
            return;
          }
          for (let area = 0; area < pool.areas; area++) {
            const lists = walk.list.subarray(area * pool.areaSlots, (area + 1) * pool.areaSlots);
            expect(pool.largestFreeRun(area, 0)).toBe(lists.reduce((best, list) => Math.max(best, list), 0));
          }
        });
      }),
      { numRuns: 200 },
    );
  });

  it('searches from any index without changing anything', () => {
    const rules = generationRules['6.12'];
    const pool = new Pool(
      0,
      { kind: 'boot', start: 0x10000000, slots: 512, areas: 2 },
      { pageSlots: 2, tailOverrun: false },
    );
    const search = new AreaSearch(rules, 4096);
    pool.take(256, 10, 0);
    const before = pool.listHash();
    const request = {
      slots: 2,
      sizeBytes: 4096,
      original: 0x1000,
      minAlignMask: 0,
      allocAlignMask: 0,
      segBoundaryMask: Infinity,
    };
    expect([0, 3, 10, 255].map((index) => search.find(pool, 1, index, request))).toEqual([266, 266, 266, 266]);
    expect(search.find(pool, 0, 255, request)).toBe(0);
    expect(pool.listHash()).toBe(before);
    expect([...pool.areaIndex]).toEqual([0, 0]);
  });
});
