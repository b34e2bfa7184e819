import { describe, expect, it } from 'vitest';
import { type GenerationRules, generationRules } from '../../../src/allocator/search/rules';
import { createRandom } from '../../../src/base/random';
import type { Geometry } from '../../../src/model/geometry';
import { Outcome, type TraceTables } from '../../../src/model/tables';
import { Verdict } from '../../../src/replay/verify/linearize';
import { type VerifyResult, verify } from '../../../src/replay/verify/verify';
import { SequentialSlots } from '../../support/sequentialSlots';
import { type Recorded, recorded, truthIndices } from '../../support/verifyRun';

interface Expectation {
  /** Lower bound of (exact + learned) / (checked - undecided). */
  readonly explained: number;
  readonly learnedAtMost: number;
  /** Upper bound of skipped / requests. */
  readonly skippedAtMost?: number;
  readonly requests: number;
  readonly undecidedAtMost?: number;
}

function check(given: Recorded, expected: Expectation): VerifyResult {
  const result = verify(given.tables, given.geometry, { certificate: true });
  const skipped = Object.values(result.skipped).reduce((sum, count) => sum + count, 0);
  expect(result.requests).toBe(expected.requests);
  expect(result.requests).toBe(result.checked + skipped);
  expect(result.checked).toBe(result.exact + result.learned + result.undecided + result.mismatchedCount);
  expect(result.learned).toBeLessThanOrEqual(expected.learnedAtMost);
  const decided = result.checked - result.undecided;
  expect(result.undecided).toBeLessThanOrEqual(expected.undecidedAtMost ?? 0);
  expect((result.exact + result.learned) / decided).toBeGreaterThanOrEqual(expected.explained);
  expect(skipped / result.requests).toBeLessThanOrEqual(expected.skippedAtMost ?? 0);
  return result;
}

/** Lets an allocator that shares no code with ours follow the order found, step by step. */
function followCertificate({ tables, geometry }: Recorded, result: VerifyResult): SequentialSlots {
  const pools = [geometry.pools[0], ...geometry.recordedPools.filter((pool) => pool.kind === 'grown')];
  const allocator = new SequentialSlots(
    pools.map(({ start, slots, areas }) => ({ start: start.value, slots: slots.value, areas: areas.value })),
  );
  const columns = tables.requests.columns;
  const masks = new Map(geometry.devices.map((device) => [device.device, device.minAlignMask.value]));
  const complaints: string[] = [];
  for (const step of result.order) {
    const needsRequest = step.kind === 'take' || step.kind === 'miss' || step.kind === 'refused';
    const request = needsRequest
      ? {
          original: columns.original[step.row],
          sizeBytes: columns.sizeBytes[step.row],
          alignMask: 2 ** columns.allocAlignBits[step.row] - 1,
          minAlignMask: masks.get(columns.device[step.row]) ?? 0,
        }
      : null;
    const complaint = allocator.follow(step, request);
    if (complaint !== '') {
      complaints.push(complaint);
    }
  }
  expect(complaints.slice(0, 5)).toEqual([]);
  return allocator;
}

function expectTrueIndices(
  name: string,
  { geometry }: Recorded,
  allocator: SequentialSlots,
  result: VerifyResult,
): void {
  const truth = truthIndices(name);
  const starts = [geometry.pools[0], ...geometry.recordedPools.filter((pool) => pool.kind === 'grown')].map(
    (pool) => pool.start.value,
  );
  for (const [pool, start] of starts.entries()) {
    const recordedIndices = truth.get(start);
    if (recordedIndices !== undefined) {
      expect(allocator.pools[pool].index).toEqual(recordedIndices);
      expect(result.finalIndices[pool]).toEqual(recordedIndices);
    }
  }
}

describe('captures with one operation at a time', () => {
  it('gives every address and failure of a fixed pool, and the final indices', () => {
    const given = recorded('serial');
    const result = check(given, { explained: 1, learnedAtMost: 0, requests: 4583 });
    const allocator = followCertificate(given, result);
    expectTrueIndices('serial', given, allocator, result);
  });

  it('gives every address of a growing pool; bases come from the record and are counted', () => {
    const given = recorded('async');
    const result = check(given, { explained: 1, learnedAtMost: 0, requests: 6351 });
    expect(result.givenBase).toBeGreaterThan(5000);
    const allocator = followCertificate(given, result);
    expectTrueIndices('async', given, allocator, result);
  });

  it('follows slots that are given back because the device cannot reach them', () => {
    const given = recorded('mask30');
    check(given, { explained: 1, learnedAtMost: 0, requests: 454 });
    const { outcome } = given.tables.requests.columns;
    const failures = Array.from(outcome.subarray(0, given.tables.requests.length)).filter(
      (one) => one === Outcome.failed,
    );
    expect(failures.length).toBeGreaterThan(250);
  });

  it('mismatches such maps when the device could have reached the slots', () => {
    const { tables, geometry } = recorded('mask30');
    const devices = geometry.devices.map((device) => ({
      ...device,
      dmaMaskBits: { ...device.dmaMaskBits, value: 64 },
    }));
    const result = verify(tables, { ...geometry, devices });
    expect(result.mismatchedCount).toBeGreaterThan(250);
  });
});

describe('traces that start in the middle of life', () => {
  it('learns indices and slots in use from before the trace', () => {
    check(recorded('full'), { explained: 0.998, learnedAtMost: 8, skippedAtMost: 0.02, requests: 14477 });
  });

  it('follows a pool that grew without a probe to name it', () => {
    const given = recorded('grown');
    const result = check(given, { explained: 0.998, learnedAtMost: 8, skippedAtMost: 0.02, requests: 12879 });
    expect(result.givenBase).toBeGreaterThan(2000);
  });

  it('follows the search of 6.1', () => {
    const result = check(recorded('debian61'), { explained: 0.999, learnedAtMost: 4, requests: 3205 });
    expect(result.generation).toBe('6.1');
  });
});

describe('captures of four CPUs at once', () => {
  it('finds an order that explains everything, and another allocator confirms it', () => {
    const given = recorded('concurrent');
    const result = check(given, { explained: 1, learnedAtMost: 0, requests: 6468 });
    expect(result.peakConfigurations).toBeGreaterThan(1);
    const allocator = followCertificate(given, result);
    expectTrueIndices('concurrent', given, allocator, result);
  });

  it('does so while pools are added', () => {
    const given = recorded('concurrent-dynamic');
    const requests = given.tables.counts.requests;
    // The fixture is cut: maps that were under way at its end may have taken slots.
    const result = check(given, { explained: 1, learnedAtMost: 0, skippedAtMost: 0.002, undecidedAtMost: 3, requests });
    followCertificate(given, result);
  });

  it('explains at least 99.9 % from map returns and unmap entries alone', () => {
    for (const name of ['concurrent', 'concurrent-dynamic', 'async']) {
      const given = recorded(name, { edit: oneProbeEach });
      check(given, {
        explained: 0.999,
        learnedAtMost: 6,
        skippedAtMost: 0.002,
        undecidedAtMost: 4,
        requests: given.tables.counts.requests,
      });
    }
  });

  it('finds out alignment masks that no probe prints, and counts them as learned', () => {
    for (const name of ['serial', 'concurrent']) {
      const { tables, geometry } = recorded(name, { edit: withoutEntries });
      const result = verify(tables, geometry, { widen: false });
      // Taking every mask as 0 explains 93 % at most.
      expect((result.exact + result.learned) / result.checked).toBeGreaterThan(0.985);
      // Three of eight devices of the driver call swiotlb_tbl_map_single directly, many with a mask.
      expect(result.learned / result.checked).toBeGreaterThan(0.04);
    }
  });

  it('says undecided, not mismatched, when too few orders are kept', () => {
    const { tables, geometry } = recorded('concurrent-dynamic');
    const result = verify(tables, geometry, { maxConfigurations: 1 });
    expect(result.undecided).toBeGreaterThan(0);
    expect(result.mismatchedCount + result.undecided).toBeLessThan(0.1 * result.checked);
  });
});

describe('clocks that disagree between CPUs', () => {
  it('widens the intervals and says by how much', () => {
    const given = recorded('concurrent', { edit: (lines) => skewed(lines, 1, 5) });
    const narrow = verify(given.tables, given.geometry, { widen: false });
    expect(narrow.mismatchedCount).toBeGreaterThan(0.001 * narrow.checked);
    const result = check(given, { explained: 0.999, learnedAtMost: 20, undecidedAtMost: 20, requests: 6468 });
    expect(result.widenedNs).toBeGreaterThan(0);
  });

  it('leaves them alone when all is explained', () => {
    const { tables, geometry } = recorded('concurrent');
    expect(verify(tables, geometry).widenedNs).toBe(0);
  });
});

describe('what must be rejected', () => {
  it('first fit instead of next fit', () => {
    expectRejected(
      'concurrent',
      {
        plan: (plan, pool, area, _index, request, pageSize) =>
          generationRules['6.12'].plan(plan, pool, area, 0, request, pageSize),
      },
      0.8,
    );
  });

  it('page alignment from two pages up instead of one', () => {
    expectRejected(
      'concurrent',
      {
        plan: (plan, pool, area, index, request, pageSize) =>
          generationRules['6.12'].plan(plan, pool, area, index, request, 2 * pageSize),
      },
      0.998,
    );
  });

  it.each([
    ['', (lines: string[]) => lines],
    // The state of one area is unknown for a moment, not for the rest of the trace.
    [' where events were lost', (lines: string[]) => lines.toSpliced(1000, 0, 'CPU:1 [LOST 7 EVENTS]')],
  ])('most swapped pairs of addresses%s', (_, edit) => {
    const given = recorded('concurrent', { edit });
    const random = createRandom(20260801);
    let found = 0;
    for (let trial = 0; trial < 20; trial++) {
      found += swapIsFound(given, random) ? 1 : 0;
    }
    expect(found).toBeGreaterThanOrEqual(17);
  });

  it('the wrong number of areas', () => {
    const { tables, geometry } = recorded('full');
    const pool = geometry.pools[0];
    const wrong: Geometry = { ...geometry, pools: [{ ...pool, areas: { ...pool.areas, value: 2 } }] };
    expect(verify(tables, wrong).exact).toBeLessThan(0.5 * verify(tables, geometry).exact);
  });
});

/** One CPU's clock goes ahead by some microseconds; the lines are in the order of the printed times. */
function skewed(lines: string[], cpu: number, microseconds: number): string[] {
  const stamped: { time: number; line: string }[] = [];
  const comments: string[] = [];
  for (const line of lines) {
    const stamp = /\[(\d+)\] \S+ +(\d+)\.(\d{6}):/.exec(line);
    if (stamp === null) {
      comments.push(line);
      continue;
    }
    const time = Number(stamp[2]) * 1e6 + Number(stamp[3]) + (Number(stamp[1]) === cpu ? microseconds : 0);
    const printed = `${Math.floor(time / 1e6)}.${String(time % 1e6).padStart(6, '0')}:`;
    stamped.push({ time, line: line.replace(/\d+\.\d{6}:/, printed) });
  }
  stamped.sort((a, b) => a.time - b.time);
  return [...comments.filter((line) => line.startsWith('#')), ...stamped.map(({ line }) => line), ''];
}

/** Drops entry probes of maps, which print the alignment mask, and return probes of unmaps. */
function withoutEntries(lines: string[]): string[] {
  return lines.filter((line) => !/: (map|unmap_ret): \(/.test(line));
}

/** Keeps one line per map (its return, with the alignment of its entry) and one per unmap (its entry). */
function oneProbeEach(lines: string[]): string[] {
  const masks = new Map<string, string>();
  const kept: string[] = [];
  for (const line of lines) {
    const probe = /\[(\d+)\].*?: (map|map_ret|unmap): \(/.exec(line);
    if (probe === null) {
      if (line.startsWith('#') || /: (alloc_pool|dyn_)/.test(line)) {
        kept.push(line);
      }
      continue;
    }
    const call = `${probe[1]} ${/orig=\S+ size=\d+/.exec(line)?.[0]}`;
    if (probe[2] === 'map') {
      masks.set(call, /amask=\S+/.exec(line)?.[0] ?? '');
    } else {
      kept.push(probe[2] === 'map_ret' ? `${line} ${masks.get(call) ?? ''}` : line);
    }
  }
  return kept;
}

function expectRejected(name: string, change: Partial<GenerationRules>, explainedAtMost: number): void {
  const { tables, geometry } = recorded(name);
  const rules = { ...generationRules[geometry.generation.value], ...change };
  const result = verify(tables, geometry, { rules, widen: false });
  expect(result.exact / result.checked).toBeLessThan(explainedAtMost);
}

/** Exchanges the addresses of two maps of the same size that are close to each other, verifies, and puts them back. */
function swapIsFound({ tables, geometry }: Recorded, random: () => number): boolean {
  const [one, other] = similarPair(tables, random);
  const { recordedBounce } = tables.requests.columns;
  const swap = (): void => {
    const address = recordedBounce[one];
    recordedBounce[one] = recordedBounce[other];
    recordedBounce[other] = address;
  };
  swap();
  const result = verify(tables, geometry, { widen: false });
  swap();
  return result.mismatchedCount > 0 || result.verdicts[one] !== Verdict.exact;
}

function similarPair(tables: TraceTables, random: () => number): [number, number] {
  const { outcome, sizeBytes, recordedBounce, device } = tables.requests.columns;
  const served = (row: number): boolean => outcome[row] === Outcome.served && !Number.isNaN(recordedBounce[row]);
  for (;;) {
    const one = Math.floor(random() * (tables.requests.length - 40));
    for (let other = one + 1; other < one + 40 && served(one); other++) {
      if (served(other) && sizeBytes[other] === sizeBytes[one] && device[other] === device[one]) {
        return [one, other];
      }
    }
  }
}
