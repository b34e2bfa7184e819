import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { diagnose } from '../../src/analysis/diagnose';
import { type ReplayAnswer, replayReport } from '../../src/analysis/replay';
import { sizeReport } from '../../src/analysis/size';
import type { ParamSettings } from '../../src/replay/settings';
import { ccRequestMix, createScenarios, generatedMark, hotplugAtNs, type Scenario } from '../support/scenarios';

const scenarios = new Map(createScenarios().map((scenario) => [scenario.id, scenario]));

function read(id: string): { scenario: Scenario; analysis: Analysis } {
  const scenario = scenarios.get(id)!;
  const builder = createAnalysis();
  const source = builder.openSource({ path: `${id}.txt` });
  source.push(new TextEncoder().encode(scenario.text));
  source.end();
  return { scenario, analysis: builder.snapshot({ poolStart: 0x70000000 }) };
}

function dryRun(id: string, policy: string, set: ParamSettings = {}): ReplayAnswer {
  const { scenario, analysis } = read(id);
  const { slots, areas, cpus } = scenario;
  const given = policy === 'cc-swiotlb' ? set : { poolSlots: slots, areas, ...set };
  return replayReport(analysis, { policy, bounceAll: true, set: given, overrides: { poolStart: 0x70000000, cpus } });
}

describe('scenarios', () => {
  it.each([...scenarios.keys()])('%s: bundled as generated, marked as such, and read without loss', async (id) => {
    const { scenario, analysis } = read(id);
    await expect(scenario.text).toMatchFileSnapshot(`../../media/samples/scenarios/${id}.txt`);
    expect(scenario.text.split('\n')[1]).toBe(generatedMark);
    expect(scenario.text.length).toBeLessThan(200 * 1024);
    const { lines, understood, notUnderstood, counted } = analysis.sourceLedgers[0]!;
    expect(notUnderstood).toBe(0);
    expect(understood + counted).toBe(lines);
    expect(analysis.problems).toEqual([]);
  });

  it('raspberry-pi-video: over-size, and no size helps', () => {
    const { analysis } = read('raspberry-pi-video');
    const { failures } = diagnose(analysis);
    expect(failures).toHaveLength(8);
    expect(new Set(failures.map((failure) => failure.cause))).toEqual(new Set(['over-size']));
    expect(failures[0]!.advice.join(' ')).not.toMatch(/raise swiotlb=/i);
    const { report } = dryRun('raspberry-pi-video', 'fixed', { poolSlots: 1 << 20 });
    expect(report.failuresByCause).toEqual({ 'over-size': 8 });
  });

  it('sev-guest-6-percent: 64 MiB run full in the burst, the next size does not', () => {
    const small = dryRun('sev-guest-6-percent', 'fixed').report;
    expect(small.failed).toBeGreaterThan(0);
    expect(dryRun('sev-guest-6-percent', 'fixed', { poolSlots: 65536 }).report.failed).toBe(0);
    expect(dryRun('sev-guest-6-percent', 'dynamic').report.failed).toBeLessThan(small.failed);
  });

  it('small-arm: a few hundred KiB of the 64 MiB are ever used', () => {
    const { analysis } = read('small-arm');
    const report = sizeReport(analysis, { policies: ['fixed'], bounceAll: true, cpus: 2 });
    expect(report.smallest[0]!.bytesAfterRounding).toBeLessThanOrEqual(2 * 2 ** 20);
    expect(dryRun('small-arm', 'fixed', { poolSlots: 1024 }).report.failed).toBe(0);
  });

  it('disk-hotplug: nothing fails before the disks come; growth helps after', () => {
    const fixed = dryRun('disk-hotplug', 'fixed');
    expect(fixed.result.failures.length).toBeGreaterThan(50);
    expect(Math.min(...fixed.result.failures.map((failure) => failure.timeNs!))).toBeGreaterThanOrEqual(hotplugAtNs);
    const dynamic = dryRun('disk-hotplug', 'dynamic');
    expect(dynamic.report.failed).toBe(0);
    expect(dynamic.report.pools.some((pool) => pool.kind === 'grown' && pool.addedAtNs! > hotplugAtNs)).toBe(true);
  });

  it('parallel-areas: with one area the CPUs meet at its lock', () => {
    const many = dryRun('parallel-areas', 'fixed', { searchNs: 1000 }).report;
    const one = dryRun('parallel-areas', 'fixed', { searchNs: 1000, areas: 1 }).report;
    expect(many.failed).toBe(0);
    expect(one.failed).toBe(0);
    expect(many.cost.contendedLocks).toBe(0);
    expect(one.cost.contendedLocks).toBeGreaterThan(100);
  });

  it('cc-swiotlb-mix: the sizes have the published shares, and the classes serve them', () => {
    const { analysis } = read('cc-swiotlb-mix');
    const { sizeBytes } = analysis.tables.requests.columns;
    const count = analysis.tables.requests.length;
    for (const { upToBytes, share } of ccRequestMix) {
      const below = sizeBytes.subarray(0, count).filter((size) => size <= upToBytes).length;
      // Four hundred draws: three standard deviations.
      expect(Math.abs(below / count - share)).toBeLessThan(3 * Math.sqrt(0.25 / count));
    }
    expect(dryRun('cc-swiotlb-mix', 'cc-swiotlb').report.failed).toBe(0);
  });

  it('iops-700k: 350 requests in half a millisecond', () => {
    const { report } = dryRun('iops-700k', 'fixed');
    expect(report.requests).toBe(350);
    expect(report.failed).toBe(0);
  });
});
