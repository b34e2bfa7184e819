import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { policyOf } from '../../src/analysis/replaySetup';
import { contextOf, sizingData } from '../../src/analysis/sizeJobs';
import type { ReplayResult } from '../../src/model/replayResult';
import { alwaysServedFrom, isAlwaysServed } from '../../src/replay/alwaysServed';
import { createReplayPlan } from '../../src/replay/plan';
import { replay } from '../../src/replay/replay';
import type { SizingContext } from '../../src/replay/sizing';
import { analyseFolder } from '../support/captureSummary';
import { fixtureUrl } from '../support/fixtures';
import { environmentOf } from '../support/replayRun';
import { geometryOf } from '../support/replayTables';
import { anyWorkload, workload } from '../support/workload';

function replayed(context: SizingContext, policy: string, slots: number, areas: number, summaryOnly: boolean) {
  const set = { ...context.set, poolSlots: slots, areas };
  const options = { ...context.options, keepSeries: false, summaryOnly };
  const environment = context.createEnvironment();
  return replay(context.tables, context.geometry, policyOf(policy), set, environment, options, context.plan);
}

describe('sizes that need no replay', () => {
  const start = 0x3a000000;
  const contexts = fc.record({
    load: anyWorkload,
    areas: fc.constantFrom(1, 2, 4),
    mask: fc.constantFrom(0, 0x1ff, 0xfff, 0x3fff, 0xffff),
  });

  function contextFor(load: Parameters<typeof workload>[0], mask: number): SizingContext {
    const tables = workload(load);
    const geometry = geometryOf({ start, minAlignMasks: [0, mask, 0, mask, 0] });
    const data = sizingData(
      { tables, geometry, overrides: {}, sourceLedgers: [], problems: [], file: 'made up' },
      [policyOf('fixed')],
      {},
    );
    return { ...contextOf(data, 'fixed'), createEnvironment: () => environmentOf() };
  }

  /** The smallest pool that is said to be enough. */
  function smallestProven(context: SizingContext, areas: number): number {
    const facts = alwaysServedFrom(context);
    let slots = 128 * areas;
    while (!isAlwaysServed(facts, slots, areas)) {
      slots += 128 * areas;
    }
    return slots;
  }

  it('miss nothing that can be served at all', () => {
    fc.assert(
      fc.property(contexts, ({ load, areas, mask }) => {
        const context = contextFor(load, mask);
        const { failed } = replayed(context, 'fixed', smallestProven(context, areas), areas, false);
        // With thousands of empty segments only what fits into none of them fails.
        expect(failed).toBe(replayed(context, 'fixed', 4096 * 128, areas, false).failed);
      }),
      { numRuns: 150 },
    );
  });

  it('begin far below one segment per mapping where requests are small', () => {
    const context = contextFor({ seed: 1, requests: 2000, live: 400, largest: 8192 }, 0);
    const proven = smallestProven(context, 1);
    expect(proven).toBeLessThan(400 * 128 * 0.2);
    expect(replayed(context, 'fixed', proven / 4, 1, false).failed).toBeGreaterThan(0);
  });

  it('are none where an address above the pool cannot be reached, or a boundary cuts it', () => {
    const context = contextFor({ seed: 1, requests: 200, live: 10 }, 0);
    const facts = alwaysServedFrom(context);
    expect(isAlwaysServed(facts, 65536, 1)).toBe(true);
    expect(isAlwaysServed({ ...facts, addressLimit: start + 65536 * 2048 - 1 }, 65536, 1)).toBe(false);
    expect(isAlwaysServed({ ...facts, boundaryBytes: [0x1000000] }, 65536, 1)).toBe(false);
    const samples = { ...context.tables.samples, length: 1 };
    const assumed = { ...context.tables, samples } as SizingContext['tables'];
    assumed.requests.columns.pairing[7] = 5;
    expect(alwaysServedFrom({ ...context, tables: assumed }).segments).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('the short way of a sizing', () => {
  const totals = ({ requestCount, served, failed, memory, transient, workerRuns, assumed }: ReplayResult) => ({
    requestCount,
    served,
    failed,
    peakBytes: memory.peakBytes,
    transient,
    workerRuns,
    assumed,
  });

  // Scatterlists and retries, a growing pool, assumed lifetimes fitted to samples, order-only clock, a dry run.
  it.each([
    ['c1_full_1MiB', false],
    ['g2_tracecmd_dyn_full', false],
    ['a1_fixed_bounced_only', false],
    ['h8_clock_counter', false],
    ['i2_default_no_force', true],
  ])('gives the totals of the whole replay: %s', (name, bounceAll) => {
    const analysis = analyseFolder(fixtureUrl(`captures/${name}/`));
    const chosen = ['fixed', 'transient', 'dynamic'];
    const data = sizingData(analysis, chosen.map(policyOf), { bounceAll });
    expect(data.plan.requestCount).toBe(createReplayPlan(analysis.tables, { bounceAll }).requestCount);
    for (const policy of chosen) {
      for (const [slots, areas] of [
        // What existed before the trace does not fit into so little.
        [128, 1],
        [512, 4],
        [1024, 1],
        [8192, 4],
      ] as const) {
        const context = contextOf(data, policy);
        const short = totals(replayed(context, policy, slots, areas, true));
        expect(short).toEqual(totals(replayed(context, policy, slots, areas, false)));
      }
    }
  });
});
