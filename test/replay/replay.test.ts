import { describe, expect, it } from 'vitest';
import { causes } from '../../src/model/cause';
import { Direction, DmaAttribute } from '../../src/model/events';
import { ReplayOutcome, type ReplayResult } from '../../src/model/replayResult';
import { CallKind, EvidenceBit, Outcome, Pairing } from '../../src/model/tables';
import { environmentOf, type RunOptions, run } from '../support/replayRun';
import { geometryOf, type RequestRow, type TablesOptions, tablesOf } from '../support/replayTables';

const outcomeNames = ['served', 'failed', 'dropped', 'direct', 'before', 'skipped'];

/** One word per request, e.g. `served@0` or `failed:pool-full`. */
function words(result: ReplayResult): string[] {
  const { outcome, slot, cause } = result.requests;
  return Array.from(outcome, (code, row) => {
    switch (code) {
      case ReplayOutcome.served:
      case ReplayOutcome.existedBefore:
        return `${outcomeNames[code]}@${slot[row]}`;
      case ReplayOutcome.failed:
        return `failed:${causes[cause[row]]}`;
      default:
        return outcomeNames[code];
    }
  });
}

function check(
  requests: readonly RequestRow[],
  expected: readonly string[],
  policy = 'fixed',
  options: RunOptions & TablesOptions = {},
): ReplayResult {
  const { devices, samples, timeUnit, ...rest } = options;
  const tableOptions: TablesOptions = {
    ...(devices === undefined ? {} : { devices }),
    ...(samples === undefined ? {} : { samples }),
    ...(timeUnit === undefined ? {} : { timeUnit }),
  };
  const result = run(tablesOf(requests, tableOptions), policy, rest);
  expect(words(result)).toEqual(expected);
  expect(result.served + result.failed).toBe(result.requestCount);
  return result;
}

const pages = (count: number) => count * 4096;

describe('order of the steps', () => {
  it('follows the lines, and frees an address before it is mapped again at the same line', () => {
    check(
      [
        { sizeBytes: pages(64), enterLine: 1, unmapLine: 5 },
        { sizeBytes: pages(64), enterLine: 5, unmapLine: 9 },
        { sizeBytes: pages(64), enterLine: 3 },
      ],
      ['served@0', 'served@0', 'failed:pool-full'],
    );
  });

  it('does not depend on the order of the rows', () => {
    const result = check(
      [
        { sizeBytes: 2048, enterLine: 2 },
        { sizeBytes: 2048, enterLine: 1 },
      ],
      ['served@1', 'served@0'],
    );
    expect(result.usedHighWaterSlots).toBe(2);
  });

  it('keeps the order of lines where the time stamps of two CPUs step back', () => {
    const result = check(
      [
        { enterLine: 1, enterNs: 5000 },
        { enterLine: 2, enterNs: 4000 },
      ],
      ['served@0', 'served@1'],
    );
    expect(Array.from(result.series.timeNs)).toEqual([5000, 5000, 5000]);
  });

  it('takes an end without a line at its time', () => {
    check(
      [
        { sizeBytes: pages(64), enterLine: 1, unmapEnterNs: 2500, pairing: Pairing.reused },
        { sizeBytes: pages(64), enterLine: 2 },
        { sizeBytes: pages(64), enterLine: 3 },
      ],
      ['served@0', 'failed:pool-full', 'served@0'],
    );
  });
});

describe('what is not replayed', () => {
  it('leaves direct mappings out and counts the look-up of their unmap', () => {
    const result = check(
      [{ evidence: EvidenceBit.direct | EvidenceBit.dmaMap, unmapLine: 3 }, {}],
      ['direct', 'served@0'],
    );
    expect(result.requestCount).toBe(1);
    expect(result.cost.lookups).toBe(1);
  });

  it('replays them in a dry run, except memory-mapped I/O of a peer', () => {
    const evidence = EvidenceBit.direct | EvidenceBit.dmaMap;
    check([{ evidence }, { evidence, attributes: DmaAttribute.mmio }], ['served@0', 'direct'], 'fixed', {
      bounceAll: true,
    });
  });

  it('says what is missing when nothing bounced, and when there is nothing at all', () => {
    const direct = run(tablesOf([{ evidence: EvidenceBit.direct }]), 'fixed');
    expect(direct.replayable).toBe(false);
    expect(direct.missing[0]).toContain('dry run');
    const empty = run(tablesOf([]), 'dynamic');
    expect(empty.replayable).toBe(false);
    expect(empty.missing).toHaveLength(1);
    expect(empty.series.length).toBe(0);
  });
});

describe('mappings from before the trace', () => {
  const before = { pairing: Pairing.unseenMap, sizeBytes: pages(2), unmapLine: 4 } as const;

  it('take their recorded slots from the start and free them at their unmap', () => {
    const result = check(
      [
        { ...before, recordedBounce: 0x10000000 },
        { sizeBytes: pages(62), enterLine: 2 },
        { sizeBytes: pages(2), enterLine: 3 },
        { sizeBytes: pages(2), enterLine: 5 },
      ],
      ['before@0', 'served@4', 'failed:pool-full', 'served@0'],
    );
    expect(result.requestCount).toBe(3);
    expect(result.assumed.movedFromBefore).toBe(0);
  });

  it('are mapped like others when the recorded address lies outside the replayed pool', () => {
    const result = check([{ ...before, recordedBounce: 0x20000000 }, { enterLine: 2 }], ['before@0', 'served@4']);
    expect(result.assumed.movedFromBefore).toBe(1);
  });
});

describe('failures that are served now', () => {
  const failed = { outcome: Outcome.failed, sizeBytes: pages(1), original: 0x200000000 } as const;

  it('live as long as their retry did, and the retry is left out', () => {
    const result = check(
      [
        { ...failed, enterLine: 1 },
        { ...failed, outcome: Outcome.served, enterLine: 3, unmapLine: 7, retryOf: 0 },
        { enterLine: 9 },
      ],
      ['served@0', 'dropped', 'served@2'],
    );
    expect(result.assumed).toMatchObject({ retriesDropped: 1, lifetimes: 1, counterfactual: 1 });
    expect(result.requestCount).toBe(2);
    // Served at 1 µs for the retry's 4 µs: gone at 5 µs.
    const freedAt = result.series.usedSlots.indexOf(0, 2);
    expect(result.series.timeNs[freedAt]).toBe(5000);
  });

  it('a chain of retries is left out as a whole', () => {
    check(
      [
        { ...failed, enterLine: 1 },
        { ...failed, enterLine: 2, retryOf: 0 },
        { ...failed, outcome: Outcome.served, enterLine: 3, retryOf: 1 },
      ],
      ['served@0', 'dropped', 'dropped'],
    );
  });

  it('retries stay when the option says so', () => {
    check(
      [
        { ...failed, enterLine: 1 },
        { ...failed, outcome: Outcome.served, enterLine: 3, retryOf: 0 },
      ],
      ['served@0', 'served@2'],
      'fixed',
      { dropRetries: false },
    );
  });

  it('else live as long as the median of their device, direction and size class', () => {
    const served = (lifetime: number, line: number): RequestRow => ({
      sizeBytes: pages(1),
      enterLine: line,
      unmapEnterNs: (line + lifetime) * 1000,
      unmapLine: line + lifetime,
    });
    const lifetimes = [1, 2, 3, 4, 50, 60, 70, 80, 90];
    const requests = lifetimes.map((lifetime, index) => served(lifetime, 1000 + index * 100));
    const result = run(tablesOf([{ ...failed, enterLine: 1 }, ...requests]), 'fixed');
    expect(result.series.timeNs[2]).toBe(51_000);
  });

  it('are held to the end when most of their kind were', () => {
    const requests: RequestRow[] = Array.from({ length: 8 }, (_, index) => ({ enterLine: 10 + index }));
    const result = run(tablesOf([{ ...failed, sizeBytes: 2048, enterLine: 1 }, ...requests]), 'fixed');
    expect(result.series.usedSlots.at(-1)).toBe(9);
  });
});

describe('scatterlists', () => {
  const list = (row: number, index: number, count: number) => ({ sgGroup: row, sgIndex: index, sgCount: count });

  it('a failing element releases those before it, and those after it are not attempted', () => {
    const result = check(
      [
        { sizeBytes: pages(32), ...list(0, 0, 3), unmapLine: 9 },
        { sizeBytes: pages(33), ...list(0, 1, 3), unmapLine: 9 },
        { sizeBytes: pages(1), ...list(0, 2, 3), unmapLine: 9 },
        { sizeBytes: pages(1), enterLine: 4 },
      ],
      ['served@0', 'failed:pool-full', 'skipped', 'served@64'],
    );
    expect(result.series.usedSlots.at(-1)).toBe(2);
    expect(result.requestCount).toBe(3);
  });

  it('what the kernel rolled back stays when the failing element is served now', () => {
    const result = check(
      [
        { sizeBytes: pages(1), ...list(0, 0, 2), outcome: Outcome.rolledBack, unmapLine: 2 },
        { sizeBytes: pages(1), ...list(0, 1, 2), outcome: Outcome.failed },
        { sizeBytes: pages(1), ...list(2, 0, 2), retryOf: 0, enterLine: 3, unmapLine: 8 },
        { sizeBytes: pages(1), ...list(2, 1, 2), retryOf: 1, enterLine: 4, unmapLine: 9 },
      ],
      ['served@0', 'served@2', 'dropped', 'dropped'],
    );
    expect(Math.max(...result.series.usedSlots)).toBe(4);
    expect(result.assumed.lifetimes).toBe(2);
  });

  it('a recorded failure that fails again releases the same elements', () => {
    const result = check(
      [
        { sizeBytes: pages(60), ...list(0, 0, 2), outcome: Outcome.rolledBack, unmapLine: 2 },
        { sizeBytes: pages(8), ...list(0, 1, 2), outcome: Outcome.failed },
        { sizeBytes: pages(1), enterLine: 3 },
      ],
      ['served@0', 'failed:pool-full', 'served@120'],
    );
    expect(result.assumed.counterfactual).toBe(0);
  });
});

describe('traces without unmap evidence', () => {
  const bounced = { pairing: Pairing.assumed, outcome: Outcome.unknown, evidence: EvidenceBit.bounced } as const;

  it('assume one lifetime, scaled by the sensitivity factor', () => {
    const requests = [1, 2, 3000].map((line) => ({ ...bounced, enterLine: line, enterNs: line * 1000 }));
    const result = check(requests, ['served@0', 'served@1', 'served@2']);
    expect(result.assumed.lifetimes).toBe(3);
    expect(Array.from(result.series.usedSlots)).toEqual([0, 1, 2, 1, 0, 1]);
    expect(result.series.timeNs[3]).toBe(1_001_000);
    const longer = check(requests, ['served@0', 'served@1', 'served@2'], 'fixed', { lifetimeScale: 10 });
    expect(longer.usedHighWaterSlots).toBe(3);
    expect(longer.notes.join(' ')).toContain('assumed to live 10 ms');
  });

  it('fit one lifetime per size class to the samples, and find what was in use before', () => {
    const lifetimeNs = { small: 3.2e6, large: 100e6 };
    const requests: RequestRow[] = [];
    const used = (timeNs: number) =>
      10 +
      requests
        .filter((request) => {
          const lifetime = request.sizeBytes === 2048 ? lifetimeNs.small : lifetimeNs.large;
          return request.enterNs! <= timeNs && timeNs < request.enterNs! + lifetime;
        })
        .reduce((sum, request) => sum + request.sizeBytes! / 2048, 0);
    let enterNs = 0;
    for (let i = 0; i < 2000; i++) {
      const isBurst = Math.floor(i / 100) % 2 === 0;
      const isLarge = i % 5 === 0 && Math.floor(i / 300) % 2 === 0;
      enterNs += isBurst ? 1e5 : 1e6;
      requests.push({ ...bounced, sizeBytes: isLarge ? pages(8) : 2048, enterLine: i + 1, enterNs });
    }
    const samples = Array.from({ length: 100 }, (_, index) => ({ timeNs: index * 10e6 + 5e6, used: 0 })).map(
      ({ timeNs }) => ({ timeNs, used: used(timeNs) }),
    );
    const result = run(tablesOf(requests, { samples }), 'fixed', { geometry: geometryOf({ slots: 32768, areas: 4 }) });
    expect(result.assumed.baselineSlots).toBeGreaterThanOrEqual(8);
    expect(result.assumed.baselineSlots).toBeLessThanOrEqual(12);
    const note = result.notes.find((text) => text.includes('debugfs samples'))!;
    const error = Number(/is (\d+\.\d) slots off/.exec(note)![1]);
    expect(error).toBeLessThan(8);
    expect(result.assumed.lifetimes).toBe(2000);
  });
});

describe('clocks without time', () => {
  it('count steps, and say nothing about byte-seconds', () => {
    const result = check(
      [{ enterNs: Number.NaN, unmapEnterNs: Number.NaN, unmapLine: 3 }, { enterNs: Number.NaN }],
      ['served@0', 'served@1'],
      'dynamic',
      { timeUnit: 'order' },
    );
    expect(result.hasTime).toBe(false);
    expect(result.memory.byteSeconds).toBeNull();
    expect(Array.from(result.series.timeNs)).toEqual([0, 0, 1, 2]);
    expect(result.notes.join(' ')).toContain('order only');
    expect(result.params.find((param) => param.name === 'workerDelayNs')).toMatchObject({ value: 2, unit: 'steps' });
  });

  it('growth is some steps late', () => {
    const requests = Array.from({ length: 6 }, (_, index) => ({
      enterNs: Number.NaN,
      enterLine: index + 1,
      sizeBytes: pages(64),
    }));
    const result = run(tablesOf(requests, { timeUnit: 'order' }), 'dynamic');
    expect(words(result)[0]).toBe('served@0');
    expect(result.pools.map((pool) => pool.kind)).toContain('grown');
  });
});

describe('dynamic pools', () => {
  const fill = { sizeBytes: pages(64), enterLine: 1 } as const;

  it('a miss is served from a transient pool while the worker adds one', () => {
    const result = check(
      [fill, { sizeBytes: 3000, enterLine: 2 }, { sizeBytes: 3000, enterLine: 3, enterNs: 10e6 }],
      ['served@0', 'served@0', 'served@0'],
      'dynamic',
    );
    expect(result.pools.map(({ kind, slots }) => ({ kind, slots }))).toEqual([
      { kind: 'boot', slots: 128 },
      { kind: 'transient', slots: 2 },
      { kind: 'grown', slots: 128 },
    ]);
    expect(result.workerRuns).toBe(1);
    expect(result.transient).toMatchObject({ count: 1, peakSlots: 2, failed: 0 });
    expect(result.capacityPeakSlots).toBe(256);
  });

  it('an alignment that a transient pool cannot give fails because growth came too late', () => {
    const geometry = geometryOf({ minAlignMasks: [0, 0xfff] });
    const requests = [fill, { device: 1, sizeBytes: 4096, original: 0x200000800, enterLine: 2 }];
    check(requests, ['served@0', 'failed:growth-too-late'], 'dynamic', { geometry });
    check(requests, ['served@0', 'failed:alignment'], 'transient', { geometry });
  });

  it('without free blocks there is neither a transient pool nor growth', () => {
    const requests = [fill, { sizeBytes: pages(8), enterLine: 2 }];
    const environment = () => environmentOf({ fragmentation: 1 });
    check(requests, ['served@0', 'failed:allocation-failed'], 'transient', { environment: environment() });
    const dynamic = check(
      [...requests, { enterLine: 3, enterNs: 1e9 }],
      ['served@0', 'failed:allocation-failed', 'served@0'],
      'dynamic',
      {
        environment: environment(),
      },
    );
    expect(dynamic.pools.map((pool) => pool.kind)).toEqual(['boot', 'transient']);
    expect(dynamic.workerRuns).toBe(1);
  });

  it('an encrypted guest takes transient buffers from the coherent pool until it is empty', () => {
    const requests = [fill, { sizeBytes: pages(1), enterLine: 2 }];
    check(requests, ['served@0', 'failed:atomic-pool-empty'], 'dynamic', { set: { encrypted: true } });
  });

  it('frees transient memory only after the grace period', () => {
    const result = run(
      tablesOf([
        fill,
        { sizeBytes: 3000, enterLine: 2, unmapLine: 3 },
        { evidence: EvidenceBit.direct, enterLine: 3, unmapLine: 4, unmapEnterNs: 50e6 },
      ]),
      'transient',
      { set: { rcuDelayNs: 1e6 } },
    );
    const transient = result.pools.find((pool) => pool.kind === 'transient')!;
    expect(transient).toMatchObject({ addedAtNs: 2000, removedAtNs: 1_003_000 });
    expect(result.memory.peakBytes).toBe(128 * 2048 + 4096);
    expect(result.series.memoryBytes.at(-1)).toBe(128 * 2048);
  });
});

describe('causes under a fixed pool', () => {
  const fragmenting: RequestRow[] = [
    { sizeBytes: pages(20), unmapLine: 3 },
    { sizeBytes: pages(1) },
    { sizeBytes: pages(50), enterLine: 4, mapLine: 3 },
  ];

  it.each<[string, RequestRow[], string, Parameters<typeof geometryOf>[0]]>([
    ['over-size', [{ sizeBytes: 300_000 }], 'failed:over-size', { slots: 1024 }],
    ['pool-full', [{ sizeBytes: pages(64) }, { sizeBytes: 2048 }], 'failed:pool-full', {}],
    ['fragmented', fragmenting, 'failed:fragmented', {}],
    ['address-limit', [{ device: 1 }], 'failed:address-limit', { start: 0x100000000, dmaMaskBits: [64, 32] }],
    ['no-pool', [{}], 'failed:no-pool', { slots: 0 }],
  ])('%s', (name, requests, expected, geometry) => {
    const result = run(tablesOf(requests), 'fixed', { geometry: geometryOf(geometry) });
    expect(words(result).at(-1)).toBe(expected);
    expect(result.failuresByCause).toEqual({ [name]: result.failed });
    expect(result.failures.at(-1)).toMatchObject({ cause: name, request: requests.length - 1, line: requests.length });
  });

  it('names the largest hole and the free slots', () => {
    const result = run(tablesOf([{ sizeBytes: pages(1) }, { sizeBytes: pages(64) }]), 'fixed');
    expect(result.requests.largestHole[1]).toBe(126);
    expect(result.requests.freeSlots[1]).toBe(126);
  });
});

describe('cost', () => {
  it('copies on map, and back on unmap of what the device wrote', () => {
    const result = run(
      tablesOf([
        { sizeBytes: 1000, direction: Direction.toDevice, unmapLine: 5 },
        { sizeBytes: 100, direction: Direction.fromDevice, unmapLine: 5 },
        { sizeBytes: 10, direction: Direction.bidirectional, unmapLine: 5 },
        { sizeBytes: 1, direction: Direction.fromDevice, attributes: DmaAttribute.skipCpuSync, unmapLine: 5 },
      ]),
      'fixed',
    );
    expect(result.copiedBytes).toBe(1111 + 110);
  });

  it('counts syncs: a look-up each, and a copy for those that bounced', () => {
    const tables = tablesOf([{ unmapLine: 5 }]);
    const row = tables.calls.addRow();
    tables.calls.columns.kind[row] = CallKind.syncForCpu;
    tables.calls.columns.timeNs[row] = 2000;
    tables.calls.columns.count[row] = 10;
    tables.calls.columns.bounced[row] = 4;
    tables.calls.columns.bytes[row] = 5000;
    const result = run(tables, 'fixed');
    expect(result.copiedBytes).toBe(2048 + 2000);
    // Ten syncs and the unmap.
    expect(result.cost.lookups).toBe(11);
  });

  it('integrates the memory held over the trace', () => {
    const result = run(tablesOf([{ enterNs: 0 }, { enterNs: 2e9 }]), 'fixed');
    expect(result.memory).toMatchObject({ peakBytes: 262144, byteSeconds: 524288 });
  });
});

describe('dry run of block devices', () => {
  it('splits what exceeds the largest mapping, as the block layer would', () => {
    const geometry = geometryOf({ slots: 1024, minAlignMasks: [0xfff], deviceClass: 'block' });
    const result = run(
      tablesOf([
        { sizeBytes: 512 * 1024, evidence: EvidenceBit.direct, unmapLine: 4 },
        { enterLine: 6, enterNs: 6000 },
      ]),
      'fixed',
      { geometry, bounceAll: true },
    );
    expect(words(result)).toEqual(['served@0', 'served@260']);
    expect(result.assumed.splits).toBe(1);
    expect(result.requests.slots[0]).toBe(256);
    expect(result.series.usedSlots.at(-1)).toBe(1);
  });

  it('other classes get no such help', () => {
    check([{ sizeBytes: 512 * 1024, evidence: EvidenceBit.direct }], ['failed:over-size'], 'fixed', {
      geometry: geometryOf({ slots: 1024, deviceClass: 'net' }),
      bounceAll: true,
    });
  });
});
