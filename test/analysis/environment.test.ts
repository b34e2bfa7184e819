import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { policiesReport, replayReport } from '../../src/analysis/replay';
import type { ParamSettings } from '../../src/replay/settings';
import { analyseFolder } from '../support/captureSummary';
import { fixtureUrl } from '../support/fixtures';

const capture = (name: string): Analysis => analyseFolder(fixtureUrl(`captures/${name}/`));

/** Where a parameter's value comes from. */
function levels(
  analysis: Analysis,
  names: readonly string[],
  set: ParamSettings = {},
): Record<string, string | undefined> {
  const { params } = replayReport(analysis, { policy: 'dynamic', set }).report;
  return Object.fromEntries(names.map((name) => [name, params[name]?.level]));
}

describe('the machine of a replay, from real captures', () => {
  const names = ['workerDelayNs', 'workerRunNs', 'searchNs', 'releaseNs', 'fragmentation'];

  it('probes of the growth worker tell its run time, and from the misses before it its delay follows', () => {
    const analysis = capture('ctl_conc_dyn_4area_seedA');
    expect(levels(analysis, names)).toEqual({
      workerDelayNs: 'derived',
      workerRunNs: 'recorded',
      searchNs: 'default',
      releaseNs: 'default',
      fragmentation: 'default',
    });
    const { params } = replayReport(analysis, { policy: 'dynamic' }).report;
    expect(params['workerDelayNs']!.source).toMatch(/^median of \d+ derived: from a miss/);
    // The recording needed between tenths of a millisecond and some tens of them.
    expect(params['workerDelayNs']!.value).toBeGreaterThan(100e3);
    expect(params['workerDelayNs']!.value).toBeLessThan(50e6);
  });

  it('the function graph tells what searches and releases take', () => {
    expect(levels(capture('f2_fgraph_dyn'), names)).toEqual({
      workerDelayNs: 'default',
      workerRunNs: 'default',
      searchNs: 'recorded',
      releaseNs: 'recorded',
      fragmentation: 'default',
    });
  });

  it('a trace of fixed pools tells nothing of it, and the user has the last word', () => {
    const analysis = capture('c1_full_1MiB');
    expect(new Set(Object.values(levels(analysis, names)))).toEqual(new Set(['default']));
    const set = { workerDelayNs: 5, searchNs: 7, fragmentation: 0.1 };
    expect(levels(analysis, ['workerDelayNs', 'searchNs', 'fragmentation'], set)).toEqual({
      workerDelayNs: 'user',
      searchNs: 'user',
      fragmentation: 'user',
    });
    expect(levels(capture('f2_fgraph_dyn'), ['searchNs'], { searchNs: 7 })).toEqual({ searchNs: 'user' });
  });
});

/** No capture has these events: the lines are as the kernel's format strings print them (TP_printk of 6.12). */
function traced(lines: readonly string[]): Analysis {
  const builder = createAnalysis();
  const source = builder.openSource({ path: 'trace.txt' });
  const mapped = 'swiotlb_bounced: dev_name: 0000:00:05.0 dma_mask=ffffffffffffffff dev_addr=100000000 size=4096 FORCE';
  const text = [mapped, ...lines].map(
    (event, index) =>
      `     kworker/1:1-213     [001] d..2.  1021.${String(1000 + index * 50).padStart(6, '0')}: ${event}`,
  );
  source.push(new TextEncoder().encode(`# tracer: nop\n#\n${text.join('\n')}\n`));
  source.end();
  return builder.snapshot();
}

describe('the machine of a replay, from events', () => {
  it('kmem:mm_page_alloc tells how often allocations of an order succeed', () => {
    const lines = Array.from({ length: 20 }, (_, index) =>
      index % 4 === 0
        ? 'mm_page_alloc: page=0000000000000000 pfn=0x0 order=4 migratetype=0 gfp_flags=GFP_NOWAIT'
        : `mm_page_alloc: page=00000000f0f0f0f0 pfn=0x${(0x1200 + index).toString(16)} order=4 migratetype=0 gfp_flags=GFP_NOWAIT`,
    );
    const { params } = replayReport(traced(lines), { policy: 'dynamic' }).report;
    expect(params['successOfOrder4']).toMatchObject({ value: 0.75, level: 'recorded' });
    expect(params['successOfOrder5']).toBeUndefined();
  });

  it('workqueue:* tells how long the growth worker waits and runs', () => {
    const lines = Array.from({ length: 4 }, () => [
      'workqueue_queue_work: work struct=00000000deadbeef function=swiotlb_dyn_alloc workqueue=events req_cpu=8192 cpu=1',
      'workqueue_execute_start: work struct 00000000deadbeef: function swiotlb_dyn_alloc',
      'mm_page_alloc: page=00000000f0f0f0f0 pfn=0x1234 order=9 migratetype=0 gfp_flags=GFP_KERNEL',
      'workqueue_execute_end: work struct 00000000deadbeef: function swiotlb_dyn_alloc',
    ]).flat();
    const { params } = replayReport(traced(lines), { policy: 'dynamic' }).report;
    expect(params['workerDelayNs']).toMatchObject({ value: 50_000, level: 'recorded' });
    expect(params['workerRunNs']).toMatchObject({ value: 100_000, level: 'recorded' });
  });
});

describe('limits of parameters', () => {
  it('no number may be negative, and shares end at 1', () => {
    for (const { id, params } of policiesReport().policies) {
      for (const { name, default: value, min, max } of params) {
        if (typeof value === 'number') {
          expect([id, name, min]).not.toEqual([id, name, null]);
          // -1 is no number there: the place that the trace tells.
          expect([id, name, min! >= (name === 'startIndex' ? -1 : 0)]).toEqual([id, name, true]);
          expect(value).toBeGreaterThanOrEqual(min!);
          expect(value).toBeLessThanOrEqual(max ?? Number.POSITIVE_INFINITY);
        }
        if (['lifetimeQuantile', 'fragmentation', 'occupancy', 'pinned'].includes(name)) {
          expect(max).toBe(1);
        }
      }
    }
  });
});
