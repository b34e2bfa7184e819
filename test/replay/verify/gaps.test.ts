import { describe, expect, it } from 'vitest';
import { type GenerationRules, generationRules } from '../../../src/allocator/search/rules';
import { inferGeometry } from '../../../src/analysis/geometry';
import type { Geometry } from '../../../src/model/geometry';
import type { TraceTables } from '../../../src/model/tables';
import { verify } from '../../../src/replay/verify/verify';
import { readFixture } from '../../support/fixtures';
import { recorded, tablesOfSources } from '../../support/verifyRun';

/** A capture of test/fixtures/captures: its trace and its log. */
function capture(name: string, trace: string): { tables: TraceTables; geometry: Geometry } {
  const folder = `captures/${name}`;
  const tables = tablesOfSources([
    [trace, readFixture(`${folder}/${trace}`)],
    ['dmesg.txt', readFixture(`${folder}/dmesg.txt`)],
  ]);
  return { tables, geometry: inferGeometry(tables, {}) };
}

const lossy = () => capture('h1_lost_events', 'trace_pipe.txt');
const mapsOnly = () => capture('f2_fgraph_dyn', 'trace.txt');

/** Searches every area from its beginning. */
const firstFit: GenerationRules = {
  ...generationRules['6.12'],
  plan: (plan, pool, area, _index, request, pageSize) =>
    generationRules['6.12'].plan(plan, pool, area, 0, request, pageSize),
};

describe('a trace that does not tell the whole state', () => {
  it('with lost events: what follows a loss is learned, no place contradicts the model', () => {
    const { tables, geometry } = lossy();
    expect(tables.losses?.length).toBeGreaterThan(10);
    const result = verify(tables, geometry);
    expect(result.mismatchedCount).toBe(0);
    expect(result.checked).toBe(result.exact + result.learned);
    // Every loss leaves the index of one area open, and hardly more.
    expect(result.learned).toBeLessThan(3 * tables.losses!.length);
  });

  it('with lost events: another search is rejected all the same', () => {
    const { tables, geometry } = lossy();
    expect(verify(tables, geometry, { rules: firstFit }).mismatchedCount).toBeGreaterThan(100);
  });

  it('without any release: places in slots that were used before are undecided, none contradicts the model', () => {
    const { tables, geometry } = mapsOnly();
    const result = verify(tables, geometry);
    expect(result.mismatchedCount).toBe(0);
    expect(result.exact).toBeGreaterThan(400);
    expect(result.undecided).toBe(result.assumedReleases);
    expect(result.checked).toBe(result.exact + result.learned + result.undecided);
  });

  it('without any release: another search explains less all the same', () => {
    const { tables, geometry } = mapsOnly();
    const explained = verify(tables, geometry).exact;
    expect(verify(tables, geometry, { rules: firstFit }).exact).toBeLessThan(0.5 * explained);
  });

  it('an attempt whose result is not recorded leaves its area open', () => {
    // The results of some attempts are cut out of the trace.
    let kept = 0;
    const cut = (lines: string[]): string[] => lines.filter((line) => !/map_ret: /.test(line) || kept++ % 40 !== 7);
    const { tables, geometry } = recorded('concurrent', { edit: cut });
    expect(tables.counts.unknownOutcome).toBeGreaterThan(50);
    const result = verify(tables, geometry, { widen: false });
    expect(result.mismatchedCount).toBeLessThan(0.002 * result.checked);
    expect(result.exact).toBeGreaterThan(0.98 * result.checked);
  });
});
