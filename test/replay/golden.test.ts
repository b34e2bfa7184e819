import { describe, expect, it } from 'vitest';
import { replayReport } from '../../src/analysis/replay';
import { ReplayOutcome, type ReplayResult } from '../../src/model/replayResult';
import { policies } from '../../src/replay/policies';
import type { ParamSettings } from '../../src/replay/settings';
import { mirrorMinAlign, readMirrorTrace } from '../support/mirror';

/** The numbers of a replay, one per line. A change here is a change of a policy: look at it before accepting it. */
function golden(result: ReplayResult): string {
  const { cost, memory, transient, stalls, assumed } = result;
  const byKind = new Map<string, number>();
  for (const { kind } of result.pools) {
    byKind.set(kind, (byKind.get(kind) ?? 0) + 1);
  }
  const lines: [string, unknown][] = [
    ['requests', result.requestCount],
    ['served', result.served],
    ['failed', result.failed],
    ...Object.entries(result.failuresByCause)
      .sort()
      .map(([cause, count]): [string, unknown] => [`failed: ${cause}`, count]),
    ['used high water, slots', result.usedHighWaterSlots],
    ['capacity peak, slots', result.capacityPeakSlots],
    ...[...byKind].map(([kind, count]): [string, unknown] => [`pools: ${kind}`, count]),
    ['transient buffers', transient.count],
    ['transient peak, slots', transient.peakSlots],
    ['transient failed', transient.failed],
    ['memory peak, bytes', memory.peakBytes],
    ['memory, byte-seconds', memory.byteSeconds === null ? 'unknown' : Math.round(memory.byteSeconds)],
    ['rounding waste, bytes', memory.roundingWasteBytes],
    ['copied, bytes', result.copiedBytes],
    ['still blocked', result.requests.outcome.filter((outcome) => outcome === ReplayOutcome.stillBlocked).length],
    ['stalls', stalls.count],
    ['stalled, ns', Math.round(stalls.totalNs)],
    ['worker runs', result.workerRuns],
    ['area locks', cost.areaLocks],
    ['probes', cost.probes],
    ['pools visited', cost.poolsVisited],
    ['look-ups', cost.lookups],
    ['list steps', cost.listSteps],
    ['page allocations', cost.pageAllocations],
    ['conversions', cost.conversions],
    ['assumed lifetimes', assumed.lifetimes],
    ['retries dropped', assumed.retriesDropped],
    ['outcomes unlike the recording', assumed.counterfactual],
  ];
  return `${lines.map(([name, value]) => `${name}: ${value}`).join('\n')}\n`;
}

/** What makes a policy show what it is about, where its defaults would not on this machine. */
const settings: Readonly<Record<string, ParamSettings>> = {
  'may-sleep': { unknownClass: 'block' },
  lend: { poolSlots: 8192, reserveSlots: 512 },
  throttle: { unknownClass: 'block' },
  'private-shared': { privateDevices: 'swlab.2' },
};
const overrides = { poolStart: 0x7d98a000, poolSlots: 1024, areas: 4, minAlign: mirrorMinAlign };

describe.each([
  ['mirror', false, readMirrorTrace('mirror-fix-64MiB-4area.trace.txt')],
  ['dryRun', true, readMirrorTrace('mirror-dmaonly-direct.trace.txt')],
] as const)('numbers of %s on a boot pool of 2 MiB', (name, bounceAll, analysis) => {
  it.each(policies.ids())('%s', async (policy) => {
    const { result } = replayReport(analysis, { policy, overrides, bounceAll, set: settings[policy] ?? {} });
    await expect(golden(result)).toMatchFileSnapshot(`../golden/${name}.${policy}.txt`);
  });
});
