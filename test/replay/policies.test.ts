import { describe, expect, it } from 'vitest';
import { type Cause, causes } from '../../src/model/cause';
import { ReplayOutcome, type ReplayResult } from '../../src/model/replayResult';
import type { Environment } from '../../src/replay/environment';
import type { ParamSettings } from '../../src/replay/settings';
import { environmentOf, run } from '../support/replayRun';
import { type GeometryOptions, geometryOf, hardIrqContext, type RequestRow, tablesOf } from '../support/replayTables';

interface CheckOptions {
  readonly set?: ParamSettings;
  readonly geometry?: GeometryOptions;
  readonly environment?: Environment;
}

/** One word per request: the kind of pool that served it, or the cause of its failure. */
function words(result: ReplayResult): string[] {
  const kinds = new Map(result.pools.map((pool) => [pool.id, pool.kind as string]));
  return Array.from(result.requests.outcome, (outcome, row) => {
    switch (outcome) {
      case ReplayOutcome.served:
        return kinds.get(result.requests.pool[row]) ?? 'nowhere';
      case ReplayOutcome.failed:
        return causes[result.requests.cause[row]] satisfies Cause;
      case ReplayOutcome.stillBlocked:
        return 'blocked';
      default:
        return `outcome ${outcome}`;
    }
  });
}

function check(
  policy: string,
  requests: readonly RequestRow[],
  expected: readonly string[],
  options: CheckOptions = {},
) {
  const result = run(tablesOf(requests), policy, {
    set: options.set ?? {},
    geometry: geometryOf(options.geometry ?? {}),
    environment: options.environment ?? environmentOf(),
  });
  expect(words(result)).toEqual(expected);
  return result;
}

const pages = (count: number) => count * 4096;
const atomic = { context: hardIrqContext } as const;
/** Takes the whole boot pool of 128 slots. */
const fill: RequestRow = { sizeBytes: pages(64), enterLine: 1 };
const late = 1e9;

/** Atomic allocations find nothing; blocking ones succeed after reclaim. */
function tightMachine(): Environment {
  const none = { value: 0, evidence: { level: 'user' as const, text: '' } };
  return environmentOf({ successByOrder: new Map(Array.from({ length: 11 }, (_, order) => [order, none])) });
}

describe('dynamic-v4', () => {
  it('a mapping above 256 KiB wakes the worker in vain; the merged code refuses it at once', () => {
    const requests = [{ sizeBytes: 300_000 }, { enterLine: 2, enterNs: late }];
    expect(check('dynamic-v4', requests, ['over-size', 'grown']).workerRuns).toBe(1);
    expect(check('dynamic', requests, ['over-size', 'boot']).workerRuns).toBe(0);
  });

  it('asks for a pool as large as the boot pool first, and halves', () => {
    const requests = [{ sizeBytes: 300_000 }, { enterLine: 2, enterNs: late }];
    const result = check('dynamic-v4', requests, ['over-size', 'grown'], { geometry: { slots: 32768, areas: 4 } });
    // Orders 14, 13, 12 and 11 cannot be had, order 10 can; before that the vain transient pool.
    expect(result.cost.pageAllocations).toBe(6);
    expect(result.pools.find((pool) => pool.kind === 'grown')!.slots).toBe(2048);
  });
});

describe('rfc-v1 and rfc-v2', () => {
  it('give a page or more its own pages, up to 4 MiB, and leave the rest to the fixed pool', () => {
    const requests = [
      { sizeBytes: 4095 },
      { sizeBytes: 4096 },
      { sizeBytes: 3_000_000 },
      { sizeBytes: 8_000_000 },
      { device: 1, sizeBytes: 8192 },
      { sizeBytes: 4096, allocAlignBits: 12 },
    ];
    for (const policy of ['rfc-v1', 'rfc-v2']) {
      const words = ['boot', 'transient', 'transient', 'over-size', 'boot', 'boot'];
      check(policy, requests, words, { geometry: { minAlignMasks: [0, 0xfff] } });
    }
  });

  it('v1 deadlocks when reclaim needs the block I/O that is being mapped; v2 stalls', () => {
    const requests = [{ sizeBytes: pages(4) }];
    const geometry = { deviceClass: 'block' } as const;
    check('rfc-v1', requests, ['deadlock'], { geometry, environment: tightMachine() });
    const v2 = check('rfc-v2', requests, ['transient'], { geometry, environment: tightMachine() });
    expect(v2.stalls).toMatchObject({ count: 1, maxNs: 5e6 });
    check('rfc-v1', requests, ['transient'], { environment: tightMachine() });
    check('rfc-v1', requests, ['deadlock'], { environment: tightMachine(), set: { unknownClass: 'block' } });
  });

  it('fall back to the fixed pool where pages cannot be had in atomic context', () => {
    const result = check('rfc-v2', [{ ...atomic, sizeBytes: pages(4) }], ['boot'], { environment: tightMachine() });
    expect(result.transient.failed).toBe(1);
  });

  it('convert pages twice per mapping in an encrypted guest', () => {
    const result = check('rfc-v2', [{ sizeBytes: pages(4), unmapLine: 3 }, { enterLine: 4 }], ['transient', 'boot'], {
      set: { encrypted: true },
    });
    expect(result.cost.conversions).toBe(64 + 2 * 4);
    expect(result.series.memoryBytes.at(-1)).toBe(128 * 2048);
  });

  it('a stalled map shifts its own unmap', () => {
    const requests = [{ sizeBytes: pages(4), enterNs: 1000, unmapLine: 2, unmapEnterNs: 2000 }];
    const result = check('rfc-v2', requests, ['transient'], { environment: tightMachine() });
    expect(result.series.timeNs.at(-1)).toBe(2000 + 5e6);
    expect(result.series.usedSlots.at(-1)).toBe(0);
  });

  it('v2 walks the list of the device, v1 a tree of all buffers', () => {
    const requests: RequestRow[] = Array.from({ length: 8 }, (_, row) => ({
      sizeBytes: 4096,
      enterLine: row + 1,
      unmapLine: 20 + row,
    }));
    const expected = requests.map(() => 'transient');
    // Oldest first: each is the last of what is left.
    expect(check('rfc-v2', requests, expected).cost.listSteps).toBe(8 + 7 + 6 + 5 + 4 + 3 + 2 + 1);
    expect(check('rfc-v1', requests, expected).cost.listSteps).toBe(4 + 3 + 3 + 3 + 3 + 2 + 2 + 1);
  });
});

describe('may-sleep', () => {
  const requests = [fill, { sizeBytes: pages(2), enterLine: 2 }];

  it('allocates a pool itself and waits for it', () => {
    const result = check('may-sleep', requests, ['boot', 'grown']);
    expect(result.stalls).toEqual({ count: 1, totalNs: 170e3, maxNs: 170e3 });
    expect(result.transient.count).toBe(0);
  });

  it('in atomic context is no better than dynamic', () => {
    check('may-sleep', [fill, { ...atomic, sizeBytes: pages(2), enterLine: 2 }], ['boot', 'transient']);
  });

  it('with GFP_KERNEL deadlocks in block I/O under memory pressure, with GFP_NOIO waits for reclaim', () => {
    const geometry = { deviceClass: 'block' } as const;
    check('may-sleep', requests, ['boot', 'deadlock'], {
      geometry,
      environment: tightMachine(),
      set: { gfp: 'KERNEL' },
    });
    const result = check('may-sleep', requests, ['boot', 'grown'], { geometry, environment: tightMachine() });
    expect(result.stalls.maxNs).toBe(5e6 + 170e3);
  });
});

describe('grow-early', () => {
  it('has the next pool before the first one is full', () => {
    const requests = [
      { sizeBytes: pages(60), enterLine: 1 },
      { sizeBytes: pages(30), enterLine: 2, enterNs: late },
    ];
    const early = check('grow-early', requests, ['boot', 'grown']);
    expect(early).toMatchObject({ workerRuns: 1, transient: { count: 0 } });
    check('dynamic', requests, ['boot', 'transient']);
  });

  it('a burst that outruns the worker fares as with dynamic', () => {
    check('grow-early', [{ sizeBytes: pages(60) }, { sizeBytes: pages(30), enterLine: 2 }], ['boot', 'transient']);
  });
});

describe('shrink', () => {
  const wave: RequestRow[] = [
    fill,
    { sizeBytes: 2048, enterLine: 2, unmapLine: 3 },
    { sizeBytes: pages(4), enterLine: 4, enterNs: 10e6, unmapLine: 5, unmapEnterNs: 20e6 },
    { sizeBytes: pages(4), enterLine: 6, enterNs: late },
  ];

  it('frees a grown pool that stays empty, and its memory after the grace period', () => {
    const result = check('shrink', wave, ['boot', 'transient', 'grown', 'transient']);
    const grown = result.pools.find((pool) => pool.kind === 'grown')!;
    expect(grown.removedAtNs).toBe(20e6 + 100e6 + 15e6);
    expect(Math.max(...result.series.memoryBytes)).toBeGreaterThan(2 * 128 * 2048 - 1);
    expect(check('dynamic', wave, ['boot', 'transient', 'grown', 'grown']).workerRuns).toBe(1);
  });

  it('one long-lived mapping keeps the pool', () => {
    const kept = wave.with(2, { ...wave[2], unmapLine: undefined, unmapEnterNs: undefined });
    check('shrink', kept, ['boot', 'transient', 'grown', 'grown']);
  });
});

describe('watcher', () => {
  it('adds a table at its next look, too late for a burst', () => {
    const requests = [fill, { enterLine: 2 }, { enterLine: 3, enterNs: 20e6 }];
    const result = check('watcher', requests, ['boot', 'pool-full', 'grown']);
    expect(result.workerRuns).toBe(1);
    expect(result.pools[1].addedAtNs).toBe(1000 + 10e6);
  });

  it('does nothing while little is in use', () => {
    expect(check('watcher', [{}, { enterLine: 2, enterNs: late }], ['boot', 'boot']).workerRuns).toBe(0);
  });
});

describe('lend', () => {
  const geometry = { slots: 1024, areas: 1 } as const;
  const set = { reserveSlots: 128, pinned: 0 };
  const second = { sizeBytes: pages(64), enterLine: 2, enterNs: 2000 } as const;

  it('an atomic map has only the reserve, a sleeping one waits for migration', () => {
    check('lend', [fill, { ...second, ...atomic }], ['boot', 'growth-too-late'], { geometry, set });
    const result = check('lend', [fill, second], ['boot', 'boot'], { geometry, set });
    // Half of the 64 pages of a unit, 2 µs each.
    expect(result.stalls).toMatchObject({ count: 1, maxNs: 64_000 });
    expect(result.cost.pageAllocations).toBe(32);
  });

  it('the background thread refills the reserve, and lends the surplus again', () => {
    const requests = [
      { ...fill, unmapLine: 3, unmapEnterNs: 5e6 },
      { ...second, ...atomic, enterNs: 2e6, unmapLine: 4, unmapEnterNs: 6e6 },
      { enterLine: 5, enterNs: late },
    ];
    const result = check('lend', requests, ['boot', 'boot', 'boot'], { geometry, set: { ...set, reserveSlots: 100 } });
    expect(result.workerRuns).toBe(2);
    const held = result.series.memoryBytes;
    expect([held[0], Math.max(...held), held.at(-1)]).toEqual([1, 3, 2].map((units) => units * 128 * 2048));
  });

  it('pinned pages keep their unit', () => {
    check('lend', [fill, second], ['boot', 'pool-full'], { geometry, set: { ...set, pinned: 1 } });
  });
});

describe('cc-swiotlb', () => {
  const set = { classes: '512,2048,4096,16384,524288', watermarks: '4,4,4,4,4' };
  const four: RequestRow[] = Array.from({ length: 4 }, (_, row) => ({ sizeBytes: 4096, enterLine: row + 1 }));

  it('fails when the class is empty although larger slots are free', () => {
    const result = check(
      'cc-swiotlb',
      [...four, { sizeBytes: 4096, enterLine: 5 }],
      ['boot', 'boot', 'boot', 'boot', 'class-empty'],
      { set },
    );
    expect(result.requests.freeSlots[4]).toBeGreaterThan(1000);
    expect(result.requests.largestHole[4]).toBe(256);
  });

  it('the thread fills every class that is not above its mark', () => {
    const requests = [...four, { sizeBytes: 4096, enterLine: 5, enterNs: late }];
    const result = check('cc-swiotlb', requests, ['boot', 'boot', 'boot', 'boot', 'grown'], { set });
    expect(result.workerRuns).toBe(1);
    expect(result.pools.filter((pool) => pool.kind === 'grown').map((pool) => pool.slots)).toEqual([1, 4, 8, 32, 1024]);
  });

  it('fails while the thread is starved, and when bandwidth outruns it', () => {
    const requests = [...four, { sizeBytes: 4096, enterLine: 5, enterNs: 50e6 }];
    const starved = { ...set, starvedNs: 100e6 };
    check('cc-swiotlb', requests, ['boot', 'boot', 'boot', 'boot', 'class-empty'], { set: starved });
    const flood: RequestRow[] = Array.from({ length: 40 }, (_, row) => ({
      sizeBytes: 4096,
      enterLine: row + 1,
      enterNs: row * 100e3,
    }));
    const outrun = run(tablesOf(flood), 'cc-swiotlb', { set });
    expect(outrun.failuresByCause['class-empty']).toBeGreaterThan(10);
    expect(outrun.served).toBeGreaterThan(4);
  });

  it('alignment excludes classes: a small request of an NVMe device takes a page', () => {
    const geometry = { minAlignMasks: [0xfff] };
    const at = (offset: number) => 0x200000000 + offset;
    const requests = [
      { sizeBytes: 512, original: at(0), enterLine: 1 },
      { sizeBytes: 4096, original: at(0x200), enterLine: 2 },
    ];
    const result = check('cc-swiotlb', requests, ['boot', 'boot'], { geometry, set });
    expect(Array.from(result.requests.slots)).toEqual([2, 8]);
    expect(result.requests.bounceAddress[1] % 4096).toBe(0x200);
    check('cc-swiotlb', [{ sizeBytes: 600_000 }], ['over-size'], { set });
  });

  it('reuses the slot freed last', () => {
    const requests = [
      { sizeBytes: 2048, enterLine: 1, unmapLine: 3 },
      { sizeBytes: 2048, enterLine: 2 },
      { sizeBytes: 2048, enterLine: 4 },
    ];
    const { bounceAddress } = check('cc-swiotlb', requests, ['boot', 'boot', 'boot'], { set }).requests;
    expect(bounceAddress[2]).toBe(bounceAddress[0]);
  });
});

describe('restricted', () => {
  it('has one area for all CPUs, and a size that is not rounded', () => {
    const requests = [
      { sizeBytes: pages(64), cpu: 3 },
      { sizeBytes: 4096, cpu: 1, enterLine: 2 },
      { sizeBytes: 2048, enterLine: 3 },
    ];
    const result = check('restricted', requests, ['restricted', 'restricted', 'pool-full'], {
      set: { poolSlots: 130 },
    });
    expect(result.pools).toMatchObject([{ kind: 'restricted', slots: 130, areas: 1 }]);
    expect(Array.from(result.requests.slot)).toEqual([0, 128, -1]);
  });
});

describe('throttle', () => {
  const geometry = { deviceClass: 'block' } as const;
  const requests: RequestRow[] = [
    { sizeBytes: pages(48), enterLine: 1, unmapLine: 9 },
    { sizeBytes: pages(2), enterLine: 2, unmapLine: 4 },
    { sizeBytes: pages(2), enterLine: 3, unmapLine: 6 },
    { ...atomic, sizeBytes: pages(2), enterLine: 5, unmapLine: 8 },
  ];

  it('above the mark block requests that may sleep follow one another, from map to unmap', () => {
    const result = check('throttle', requests, ['boot', 'boot', 'boot', 'boot'], { geometry });
    // The third waits from 3 to 4 µs for the second, so its unmap moves from 6 to 7 µs.
    expect(result.stalls).toEqual({ count: 1, totalNs: 1000, maxNs: 1000 });
    expect(Array.from(result.series.timeNs)).toContain(7000);
    expect(result.series.usedSlots.at(-1)).toBe(0);
  });

  it('devices of other classes are not throttled', () => {
    expect(check('throttle', requests, ['boot', 'boot', 'boot', 'boot']).stalls.count).toBe(0);
  });

  it('who waits for a mapping that never ends, waits still', () => {
    const held = [requests[0], { ...requests[1], unmapLine: undefined }, requests[2], requests[3]];
    const result = check('throttle', held, ['boot', 'boot', 'blocked', 'boot'], { geometry });
    expect(result.requestCount).toBe(3);
    expect(result.notes.join(' ')).toContain('1 requests were still waiting');
  });

  it('the end of a request that got its slots after its recorded end still comes', () => {
    const short = requests
      .with(2, { ...requests[2], enterLine: 3, unmapLine: 3.5 })
      .with(1, { ...requests[1], unmapLine: 7 });
    const result = check('throttle', short, ['boot', 'boot', 'boot', 'boot'], { geometry });
    expect(result.series.usedSlots.at(-1)).toBe(0);
  });
});

describe('private-shared', () => {
  it('a device that needs the other kind of memory cannot be served', () => {
    const requests = [{}, { device: 1 }];
    check('private-shared', requests, ['boot', 'attribute-mismatch'], { set: { privateDevices: 'dev1, dev7' } });
    check('private-shared', requests, ['attribute-mismatch', 'attribute-mismatch'], { set: { privateDevices: '*' } });
    check('private-shared', requests, ['attribute-mismatch', 'boot'], {
      set: { privateDevices: 'dev1', poolIs: 'private' },
    });
  });
});
