import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../src/base/random';
import { ContextBit } from '../../../src/model/events';
import { generations } from '../../../src/model/geometry';
import {
  createRequestTable,
  EvidenceBit,
  Outcome,
  Pairing,
  packUnmapWhere,
  type TraceTables,
} from '../../../src/model/tables';
import { verify } from '../../../src/replay/verify/verify';
import { appendRequest, geometryOf, tablesOf } from '../../support/replayTables';
import { SequentialSlots } from '../../support/sequentialSlots';

const start = 0x7da8b000;
const minAlignMasks = [0, 0xfff, 0x1ff, 0, 0xffff];
const geometry = geometryOf({ start, slots: 512, areas: 4, minAlignMasks });
const evidence =
  EvidenceBit.bounced |
  EvidenceBit.probeEnter |
  EvidenceBit.probeReturn |
  EvidenceBit.probeUnmapEnter |
  EvidenceBit.probeUnmapReturn;

/**
 * Four CPUs that map and unmap at once. Every operation takes effect at one moment inside its interval, in an
 * allocator of its own; the trace shows only the intervals and the results.
 */
function history(seed: number, operations: number): TraceTables {
  const random = createRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const slots = new SequentialSlots([{ start, slots: 512, areas: 4 }]);
  const table = createRequestTable();
  const columns = () => table.columns;
  const live: { row: number; first: number; count: number; end: number }[] = [];
  const busyUntil = [0, 0, 0, 0];
  let now = 100;
  for (let at = 0; at < operations; at++) {
    now += 10;
    const idle = [0, 1, 2, 3].filter((cpu) => busyUntil[cpu] < now);
    if (idle.length === 0) {
      continue;
    }
    const cpu = idle[below(idle.length)];
    const begin = Math.max(busyUntil[cpu] + 1, now - 1 - below(45));
    const end = now + 1 + below(45);
    const ended = live.filter((mapping) => mapping.end < begin);
    if (ended.length > 0 && below(100) < 45) {
      const mapping = ended[below(ended.length)];
      live.splice(live.indexOf(mapping), 1);
      slots.pools[0].used.fill(0, mapping.first, mapping.first + mapping.count);
      columns().unmapLine[mapping.row] = begin;
      columns().unmapExitLine[mapping.row] = end;
      columns().unmapWhere[mapping.row] = packUnmapWhere(cpu, ContextBit.known);
      columns().pairing[mapping.row] = Pairing.exact;
      busyUntil[cpu] = end;
      continue;
    }
    const device = below(5);
    const sizeBytes = 1 + below([512, 2048, 4096, 16384, 65536, 200000][below(6)]);
    const original = 0x200000000 + below(0x100000) * (below(2) === 0 ? 4096 : 1);
    const request = { original, sizeBytes, alignMask: 0, minAlignMask: minAlignMasks[device] };
    let found = -1;
    for (let offset = 0; offset < 4 && found < 0; offset++) {
      found = slots.find(0, (cpu + offset) & 3, request);
    }
    const count = slots.slotsOf(request);
    const offset = (original % 2048) & request.minAlignMask;
    const row = appendRequest(table, {
      device,
      cpu,
      sizeBytes,
      original,
      outcome: found < 0 ? Outcome.failed : Outcome.served,
      recordedBounce: found < 0 ? Number.NaN : start + found * 2048 + offset,
      enterLine: begin,
      mapLine: end,
      evidence,
    });
    busyUntil[cpu] = end;
    if (found >= 0) {
      slots.pools[0].used.fill(1, found, found + count);
      const after = found - Math.floor(found / 128) * 128 + count;
      slots.pools[0].index[Math.floor(found / 128)] = after >= 128 ? 0 : after;
      live.push({ row, first: found, count, end });
    }
  }
  return tablesOf(table);
}

describe('random histories of four CPUs', () => {
  it('are explained to the last address, with nothing learned', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (seed) => {
        const tables = history(seed, 160);
        const result = verify(tables, geometry);
        expect(result.exact).toBe(tables.requests.length);
      }),
      { numRuns: 150 },
    );
  });

  it('are not explained when one address is moved by a slot', () => {
    let found = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const tables = history(seed, 160);
      const { recordedBounce } = tables.requests.columns;
      let row = Math.floor(tables.requests.length / 2);
      while (Number.isNaN(recordedBounce[row])) {
        row++;
      }
      recordedBounce[row] += 4096;
      const result = verify(tables, geometry);
      found += result.exact < tables.requests.length ? 1 : 0;
    }
    expect(found).toBeGreaterThanOrEqual(38);
  });
});

describe('geometries that no kernel has', () => {
  it('never throw', () => {
    const tables = history(7, 60);
    for (const [slots, areas] of [
      [512, 3],
      [515, 4],
      [100, 1],
      [0, 0],
      [2 ** 40, 4],
      [512, 64],
      [640, 4],
    ]) {
      const result = verify(tables, geometryOf({ start, slots, areas, minAlignMasks }));
      expect(result.requests).toBe(tables.requests.length);
    }
  });
});

describe('tables that make no sense', () => {
  it('never throw, and the counts add up', () => {
    const row = fc.record({
      device: fc.nat(4),
      cpu: fc.integer({ min: -1, max: 9 }),
      sizeBytes: fc.constantFrom(0, 1, 2048, 5000, 262144, 300000, 4000000000),
      original: fc.constantFrom(Number.NaN, 0, 0x200000123, 2 ** 52),
      recordedBounce: fc.constantFrom(
        Number.NaN,
        0,
        start,
        start + 0x800,
        start + 0x40123,
        start + 0xff800,
        start + 0x2000000,
        2 ** 45,
      ),
      outcome: fc.nat(3),
      enterLine: fc.nat(60),
      mapLine: fc.nat(60),
      unmapLine: fc.nat(60),
      evidence: fc.nat(0xffff),
      pairing: fc.nat(5),
      allocAlignBits: fc.constantFrom(0, 12, 16),
    });
    const machine = fc.record({
      dynamic: fc.boolean(),
      generation: fc.constantFrom(...generations),
      slots: fc.constantFrom(0, 128, 512),
    });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), machine, (rows, { dynamic, generation, slots }) => {
        const base = geometryOf({ start, slots, areas: 4, minAlignMasks, dynamic });
        const result = verify(tablesOf(rows), { ...base, generation: { ...base.generation, value: generation } });
        const skipped = Object.values(result.skipped).reduce((sum, count) => sum + count, 0);
        expect(result.checked + skipped).toBe(result.requests);
      }),
      { numRuns: 400 },
    );
  });
});
