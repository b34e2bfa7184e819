import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReplayOutcome, type ReplayResult } from '../../src/model/replayResult';
import { policies } from '../../src/replay/policies';
import { environmentOf, run } from '../support/replayRun';
import { geometryOf } from '../support/replayTables';
import { anyWorkload, type WorkloadOptions, workload } from '../support/workload';

const shapes = fc.record({
  load: anyWorkload,
  policy: fc.constantFrom(...policies.ids()),
  slots: fc.constantFrom(128, 256, 512, 2048),
  areas: fc.constantFrom(1, 2, 4),
  fragmentation: fc.constantFrom(0, 0.05, 0.5),
});

function replayed(
  load: WorkloadOptions,
  policy: string,
  slots: number,
  areas: number,
  fragmentation: number,
): ReplayResult {
  return run(workload(load), policy, {
    geometry: geometryOf({ slots, areas: Math.min(areas, slots / 128), minAlignMasks: [0, 0xfff, 0x1ff, 0, 0xffff] }),
    environment: environmentOf({ fragmentation, seed: load.seed }),
  });
}

/** Everything of a result as one text. */
function dump(result: ReplayResult): string {
  return JSON.stringify(result, (_, value: unknown) =>
    ArrayBuffer.isView(value) ? Array.from(value as Float64Array, String).join() : value,
  );
}

describe('every policy, on any workload', () => {
  it('serves or fails each request once, holds what it serves, and gives everything back', () => {
    fc.assert(
      fc.property(shapes, ({ load, policy, slots, areas, fragmentation }) => {
        const result = replayed(load, policy, slots, areas, fragmentation);
        const served = result.requests.outcome.filter((outcome) => outcome === ReplayOutcome.served).length;
        expect(result.served + result.failed).toBe(load.requests);
        expect(served).toBe(result.served);
        expect(Object.values(result.failuresByCause).reduce((sum, count) => sum + count, 0)).toBe(result.failed);
        expect(result.failures).toHaveLength(result.failed);
        const { series } = result;
        for (let i = 0; i < series.length; i++) {
          expect(series.usedSlots[i]).toBeLessThanOrEqual(series.capacitySlots[i] + series.transientSlots[i]);
          expect(series.hiwaterSlots[i]).toBeGreaterThanOrEqual(series.usedSlots[i]);
          expect(i === 0 || series.timeNs[i] >= series.timeNs[i - 1]).toBe(true);
          expect(i === 0 || series.failures[i] >= series.failures[i - 1]).toBe(true);
        }
        expect(series.usedSlots[series.length - 1]).toBe(0);
        expect(result.memory.peakBytes).toBe(Math.max(...series.memoryBytes));
        expect(result.usedHighWaterSlots).toBe(Math.max(...series.hiwaterSlots));
      }),
      { numRuns: 150 },
    );
  });

  it('gives the same bytes for the same seed', () => {
    fc.assert(
      fc.property(shapes, ({ load, policy, slots, areas, fragmentation }) => {
        const first = dump(replayed(load, policy, slots, areas, fragmentation));
        expect(dump(replayed(load, policy, slots, areas, fragmentation))).toBe(first);
      }),
      { numRuns: 40 },
    );
  });

  it('never gives one slot to two live mappings, and keeps them inside their pools', () => {
    fc.assert(
      fc.property(shapes, ({ load, policy, slots, areas, fragmentation }) => {
        const tables = workload(load);
        const result = replayed(load, policy, slots, areas, fragmentation);
        const { enterLine, unmapLine } = tables.requests.columns;
        const events: { line: number; row: number; isBirth: boolean }[] = [];
        for (let row = 0; row < load.requests; row++) {
          if (result.requests.outcome[row] === ReplayOutcome.served) {
            events.push({ line: enterLine[row], row, isBirth: true }, { line: unmapLine[row], row, isBirth: false });
          }
        }
        events.sort((a, b) => a.line - b.line);
        const poolById = new Map(result.pools.map((pool) => [pool.id, pool]));
        const owner = new Map<string, number>();
        for (const { row, isBirth } of events) {
          const pool = poolById.get(result.requests.pool[row])!;
          expect(pool).toBeDefined();
          const address = result.requests.bounceAddress[row];
          expect(address).toBeGreaterThanOrEqual(pool.start);
          expect(address + tables.requests.columns.sizeBytes[row]).toBeLessThanOrEqual(pool.start + pool.slots * 2048);
          for (let offset = 0; offset < result.requests.slots[row]; offset++) {
            const slot = `${pool.id}/${result.requests.slot[row] + offset}`;
            if (isBirth) {
              expect(owner.has(slot)).toBe(false);
              owner.set(slot, row);
            } else {
              owner.delete(slot);
            }
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
