import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { compareReport, compareTraces } from '../../src/analysis/compare';
import { policiesReport, replayReport, requestsCsv, seriesCsv, seriesWindow } from '../../src/analysis/replay';
import { type ReplayRequest, ReplaySettingError } from '../../src/analysis/replaySetup';
import { uncertaintyReport } from '../../src/analysis/uncertainty';
import type { ReplaySeries } from '../../src/model/replayResult';
import { EvidenceBit, Outcome, Pairing, type TraceTables } from '../../src/model/tables';
import {
  type GeometryOptions,
  geometryOf,
  hardIrqContext,
  processContext,
  type RequestRow,
  tablesOf,
} from '../support/replayTables';

function analysisOf(tables: TraceTables, geometry: GeometryOptions = {}, file = 'trace.txt'): Analysis {
  return { tables, geometry: geometryOf(geometry), overrides: {}, sourceLedgers: [], problems: [], file };
}

function check(requests: readonly RequestRow[], request: ReplayRequest, geometry: GeometryOptions = {}) {
  return replayReport(analysisOf(tablesOf(requests), geometry), request);
}

const page = 4096;

describe('replayReport', () => {
  it('has every field of the contract, and numbers that add up', () => {
    const { report } = check([{ sizeBytes: 64 * page }, { sizeBytes: page, unmapLine: 9 }], { policy: 'dynamic' });
    expect(report).toMatchObject({
      file: 'trace.txt',
      policy: 'dynamic',
      replayable: true,
      missing: [],
      requests: 2,
      served: 2,
      failed: 0,
      failuresByCause: {},
      transient: { count: 1, peakSlots: 2, failed: 0 },
      workerRuns: 0,
    });
    expect(report.pools[0]).toMatchObject({ kind: 'boot', start: '0x10000000', slots: 128, areas: 1, addedAtNs: null });
    expect(report.params['workerDelayNs']).toMatchObject({ unit: 'ns', level: 'default' });
    expect(report.params['poolSlots']).toMatchObject({ value: 128, level: 'user' });
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it('says what is missing when there is nothing to replay', () => {
    const { report, result } = check([], { policy: 'fixed' });
    expect(report.replayable).toBe(false);
    expect(report.missing.length).toBeGreaterThan(0);
    expect(seriesWindow(result.series, 0, 100, 10).timeNs).toEqual([]);
  });

  it('lets requests sleep as the flags say, not at all, or by device where no flag forbids it', () => {
    const requests = [
      { device: 1, sizeBytes: page, context: processContext },
      { device: 1, sizeBytes: page, context: hardIrqContext },
      { device: 1, sizeBytes: page, context: 0 },
      { device: 2, sizeBytes: page, context: processContext },
    ];
    const stalls = (set: Record<string, string>) => check(requests, { policy: 'rfc-v2', set }).report.stalls.count;
    expect(stalls({ context: 'fromFlags' })).toBe(2);
    expect(stalls({ context: 'alwaysAtomic' })).toBe(0);
    expect(stalls({ context: 'perDevice' })).toBe(0);
    expect(stalls({ context: 'perDevice', sleepableDevices: 'dev1' })).toBe(2);
    expect(stalls({ context: 'perDevice', sleepableDevices: 'dev1, dev2' })).toBe(3);
  });

  it('takes parameters as text', () => {
    const { report } = check([{}], { policy: 'fixed', set: { poolSlots: '0x100', areas: '2', dropRetries: 'false' } });
    expect(report.pools[0]).toMatchObject({ slots: 256, areas: 2 });
    expect(report.params['poolSlots']).toMatchObject({ value: 256, level: 'user' });
    expect(report.params['dropRetries']).toMatchObject({ value: false, level: 'user' });
  });

  it('takes masks of devices where the trace tells others', () => {
    const rows = [{ original: 0x20000800, sizeBytes: 512 }];
    const name = tablesOf(rows).devices[0].name;
    const slotWith = (set: ReplayRequest['set']) => check(rows, { policy: 'fixed', set }).result.requests.slot[0];
    expect(slotWith({})).toBe(0);
    // Bit 11 of the buffer's address must come back in the bounce address: an odd slot.
    expect(slotWith({ minAlign: `${name}=0xfff` })).toBe(1);
    expect(check(rows, { policy: 'fixed', set: { dmaMask: `${name}=0xffff` } }).report.failuresByCause).toEqual({
      'address-limit': 1,
    });
    expect(() => slotWith({ minAlign: 'nobody=0xfff' })).toThrow(/no device of this trace/);
    expect(() => slotWith({ minAlign: name })).toThrow(/DEVICE=0x/);
  });

  it('takes the class of single devices', () => {
    // In a dry run the block layer splits what is too large for one mapping; other drivers fail.
    const large = { sizeBytes: 1 << 20, evidence: EvidenceBit.direct | EvidenceBit.dmaMap };
    const rows = [
      { ...large, device: 1 },
      { ...large, device: 2 },
    ];
    const [first, second] = tablesOf(rows)
      .devices.slice(1)
      .map(({ name }) => name);
    const failed = (deviceClass: string) =>
      check(rows, { policy: 'fixed', bounceAll: true, set: { deviceClass } }, { slots: 4096 }).report.failed;
    expect(failed('')).toBe(2);
    expect(failed(`${first}=block`)).toBe(1);
    expect(failed(`${first}=block, ${second}=block`)).toBe(0);
    expect(failed(`${first}=net,${second}=other`)).toBe(2);
    expect(() => failed(`${first}=blocks`)).toThrow(/DEVICE=block, net or other/);
    expect(() => failed(`${first}=block,,${second}=block`)).toThrow(ReplaySettingError);
    expect(() => failed('constructor=block')).toThrow(/no device of this trace/);
  });

  it('begins searches where the user says', () => {
    const slotWith = (set: ReplayRequest['set']) =>
      check([{ sizeBytes: 2048 }], { policy: 'fixed', set }).result.requests.slot[0];
    expect(slotWith({})).toBe(0);
    expect(slotWith({ startIndex: 70 })).toBe(70);
    expect(() => slotWith({ startIndex: -2 })).toThrow(/'startIndex' must be in -1/);
  });

  it('fewer slots than the recorded areas need: areas are lowered, as the kernel does', () => {
    const { report } = check([{}], { policy: 'fixed', set: { poolSlots: 256 } }, { slots: 1024, areas: 8 });
    expect(report.pools[0]).toMatchObject({ slots: 256, areas: 2 });
    expect(report.params['areas']).toMatchObject({ value: 2, level: 'derived' });
  });

  it.each<[ReplayRequest, RegExp]>([
    [{ policy: 'magic' }, /'magic' is no policy; there are fixed/],
    [{ policy: 'fixed', set: { workerDelayNs: 1 } }, /policy 'fixed' has no parameter 'workerDelayNs'/],
    [{ policy: 'fixed', set: { areas: 'many' } }, /'areas' is a number, not 'many'/],
    [{ policy: 'fixed', set: { areas: '' } }, /'areas' is a number/],
    [{ policy: 'fixed', set: { areas: 0 } }, /'areas' must be in 1/],
    [{ policy: 'fixed', set: { dropRetries: 'maybe' } }, /'dropRetries' is true or false/],
  ])('refuses %j', (request, message) => {
    expect(() => check([{}], request)).toThrow(ReplaySettingError);
    expect(() => check([{}], request)).toThrow(message);
  });

  it('tells in the ledger what was assumed', () => {
    const { report } = check([{ outcome: Outcome.failed }, { outcome: Outcome.served, retryOf: 0, unmapLine: 4 }], {
      policy: 'fixed',
    });
    expect(report.assumed).toMatchObject({ lifetimes: 1, retriesDropped: 1, counterfactual: 1 });
    const texts = report.ledger.notes.map((note) => note.text).join('\n');
    expect(texts).toContain('lifetimes are assumed');
    expect(texts).toContain('Retries left out');
  });

  it('replays direct mappings only in a dry run', () => {
    const direct = [{ evidence: EvidenceBit.direct | EvidenceBit.dmaMap }];
    expect(check(direct, { policy: 'fixed' }).report.replayable).toBe(false);
    expect(check(direct, { policy: 'fixed', bounceAll: true }).report.served).toBe(1);
  });

  it('sees rows that were added or patched since the last replay', () => {
    const tables = tablesOf([{}]);
    const analysis = analysisOf(tables);
    expect(replayReport(analysis, { policy: 'fixed' }).result.series.usedSlots.at(-1)).toBe(1);
    tables.requests.columns.unmapLine[0] = 7;
    tables.requests.version++;
    expect(replayReport(analysis, { policy: 'fixed' }).result.series.usedSlots.at(-1)).toBe(0);
  });
});

describe('uncertaintyReport', () => {
  it('shows how far a result depends on assumed lifetimes', () => {
    const bounced: RequestRow[] = Array.from({ length: 30 }, (_, row) => ({
      sizeBytes: 16 * page,
      enterLine: row + 1,
      enterNs: row * 200_000,
      pairing: Pairing.assumed,
      outcome: Outcome.unknown,
    }));
    const { sensitivity } = uncertaintyReport(analysisOf(tablesOf(bounced)), { policy: 'fixed' });
    const failed = Object.fromEntries(sensitivity!.variants.map((variant) => [variant.name, variant.failed]));
    expect(failed['0.1 ×']).toBe(0);
    expect(failed['median']).toBeGreaterThan(0);
    expect(failed['10 ×']).toBeGreaterThan(failed['median']!);
  });

  it('is null where every lifetime is recorded', () => {
    expect(uncertaintyReport(analysisOf(tablesOf([{ unmapLine: 3 }])), { policy: 'fixed' })).toEqual({
      sensitivity: null,
      classVariants: null,
      contextVariants: null,
      attributeVariants: null,
    });
  });

  it('gives both results where a class is unknown and the policy asks for it', () => {
    // Two block requests that a full pool makes wait, one after the other.
    const rows: RequestRow[] = Array.from({ length: 8 }, (_, row) => ({
      context: processContext,
      sizeBytes: 30 * 2048,
      enterLine: row + 1,
      unmapLine: 20 + row,
    }));
    const ask = (deviceClass: GeometryOptions['deviceClass'], request: Partial<ReplayRequest> = {}) =>
      uncertaintyReport(analysisOf(tablesOf(rows), { deviceClass: deviceClass! }), { policy: 'throttle', ...request });
    const { classVariants } = ask('unknown');
    expect(classVariants!.map(({ unknownClass }) => unknownClass)).toEqual(['other', 'block']);
    expect(classVariants![0]!.stalls.count).toBe(0);
    expect(classVariants![1]!.stalls.count).toBeGreaterThan(0);
    expect(ask('block').classVariants).toBeNull();
    expect(ask('unknown', { set: { unknownClass: 'block' } }).classVariants).toBeNull();
    expect(ask('unknown', { policy: 'fixed' }).classVariants).toBeNull();
  });

  it('gives both results where flags allow sleeping and the policy may block', () => {
    const rows: RequestRow[] = [
      { sizeBytes: 128 * 2048, context: processContext },
      { sizeBytes: 2048, context: processContext },
    ];
    const analysis = analysisOf(tablesOf(rows));
    const { contextVariants } = uncertaintyReport(analysis, { policy: 'may-sleep' });
    expect(contextVariants!.map(({ context, stalls }) => [context, stalls.count])).toEqual([
      ['fromFlags', 1],
      ['alwaysAtomic', 0],
    ]);
    expect(uncertaintyReport(analysis, { policy: 'lend' }).contextVariants).toHaveLength(2);
    expect(uncertaintyReport(analysis, { policy: 'dynamic' }).contextVariants).toBeNull();
    const atomic = rows.map((row) => ({ ...row, context: hardIrqContext }));
    expect(uncertaintyReport(analysisOf(tablesOf(atomic)), { policy: 'may-sleep' }).contextVariants).toBeNull();
  });

  it('gives both results where no event tells which memory a device needs', () => {
    const analysis = analysisOf(tablesOf([{ sizeBytes: 2048 }, { sizeBytes: 2048 }]));
    const ask = (request: Partial<ReplayRequest> = {}) =>
      uncertaintyReport(analysis, { policy: 'private-shared', ...request }).attributeVariants;
    expect(ask()!.map(({ devicesNeed, failed }) => [devicesNeed, failed])).toEqual([
      ['shared', 0],
      ['private', 2],
    ]);
    expect(ask({ set: { poolIs: 'private' } })!.map(({ failed }) => failed)).toEqual([2, 0]);
    expect(ask({ set: { privateDevices: '' } })).toBeNull();
    expect(ask({ policy: 'dynamic' })).toBeNull();
  });
});

describe('compareReport', () => {
  it('names the best by failures and by memory, and gives parameters to those that have them', () => {
    const analysis = analysisOf(tablesOf([{ sizeBytes: 64 * page }, { sizeBytes: page }]));
    const { report } = compareReport(analysis, {
      policies: ['fixed', 'transient', 'dynamic'],
      set: { rcuDelayNs: 5, poolSlots: 128 },
    });
    expect(report.results.map((result) => [result.policy, result.failed])).toEqual([
      ['fixed', 1],
      ['transient', 0],
      ['dynamic', 0],
    ]);
    expect(report.best).toEqual({ fewestFailures: 'transient', leastMemory: 'fixed' });
    expect(() => compareReport(analysis, { policies: ['fixed'], set: { rcuDelayNs: 5 } })).toThrow(ReplaySettingError);
  });

  it('compares one policy on two traces', () => {
    const before = analysisOf(tablesOf([{ sizeBytes: 64 * page }, {}]), {}, 'before.txt');
    const after = analysisOf(tablesOf([{ sizeBytes: page }, {}]), {}, 'after.txt');
    const { report } = compareTraces([before, after], { policy: 'fixed' });
    expect(report.results.map((result) => result.failed)).toEqual([1, 0]);
    expect(report.best.fewestFailures).toBe('after.txt');
  });

  it('nothing replayable, no winner', () => {
    expect(compareReport(analysisOf(tablesOf([])), { policies: ['fixed'] }).report.best).toEqual({
      fewestFailures: null,
      leastMemory: null,
    });
  });
});

describe('tables for other programs', () => {
  it('requests: one row per replayed request, in trace order', () => {
    const analysis = analysisOf(
      tablesOf(
        [{ sizeBytes: 300_000 }, { evidence: EvidenceBit.direct }, { sizeBytes: 100, enterLine: 3, mapLine: 4 }],
        {
          devices: ['a,b', 'dev1'],
        },
      ),
    );
    const { result } = replayReport(analysis, { policy: 'fixed' });
    expect(requestsCsv(analysis, result)).toBe(
      'line,timeNs,device,sizeBytes,outcome,cause,pool,poolKind,slot,bounceAddress\n' +
        '1,1000,"a,b",300000,failed,over-size,,,,\n' +
        '4,3000,"a,b",100,served,,0,boot,0,0x10000000\n',
    );
  });

  it('series: one row per change', () => {
    const { result } = check([{ unmapLine: 2 }], { policy: 'fixed' });
    expect(seriesCsv(result)).toBe(
      'time,policy,used,capacity,transient,failures\n1000,fixed,0,128,0,0\n1000,fixed,1,128,0,0\n2000,fixed,0,128,0,0\n',
    );
    expect(seriesCsv([result, result]).split('\n')).toHaveLength(8);
  });
});

describe('seriesWindow', () => {
  function seriesOf(used: readonly number[]): ReplaySeries {
    const zeros = new Float64Array(used.length);
    return {
      timeNs: Float64Array.from(used, (_, index) => index),
      usedSlots: Float64Array.from(used),
      hiwaterSlots: zeros,
      capacitySlots: zeros,
      transientSlots: zeros,
      memoryBytes: zeros,
      stalledNs: zeros,
      failures: zeros,
      length: used.length,
    };
  }

  it('keeps every peak and every valley', () => {
    const used = Array.from({ length: 10_000 }, (_, index) => (index === 4321 ? 999 : index === 7777 ? -5 : index % 7));
    const window = seriesWindow(seriesOf(used), 0, 9999, 50);
    expect(window.usedSlots).toContain(999);
    expect(window.usedSlots).toContain(-5);
    expect(window.timeNs.length).toBeLessThan(50 * 8 + 2);
    expect([...window.timeNs].sort((a, b) => a - b)).toEqual(window.timeNs);
  });

  it('gives short stretches whole, with the level on entry', () => {
    const window = seriesWindow(seriesOf([5, 6, 7, 8, 9]), 1.5, 3, 100);
    expect(window).toMatchObject({ timeNs: [1.5, 2, 3], usedSlots: [6, 7, 8] });
  });

  it('a window beyond the end has the last level', () => {
    expect(seriesWindow(seriesOf([5, 6]), 10, 20, 4)).toMatchObject({ timeNs: [10], usedSlots: [6] });
  });
});

it('every policy is described: title, explanation, source, and parameters with unit and default', () => {
  const { policies } = policiesReport();
  expect(policies.map((policy) => policy.id)).toEqual(expect.arrayContaining(['fixed', 'transient', 'dynamic']));
  for (const policy of policies) {
    expect(policy.explanation.length).toBeGreaterThan(80);
    expect(policy.source).not.toBe('');
    const names = policy.params.map((param) => param.name);
    expect(new Set(names).size).toBe(names.length);
    for (const param of policy.params) {
      expect(param).toMatchObject({
        name: expect.any(String),
        source: expect.stringMatching(/./),
        unit: expect.any(String),
      });
    }
  }
});
