import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { replayReport } from '../../src/analysis/replay';
import { formatBytes, formatCount } from '../../src/base/format';
import type { GeometryOverrides } from '../../src/model/geometry';
import { policies } from '../../src/replay/policies';
import type { ParamSettings } from '../../src/replay/settings';
import { mirrorMinAlign, readMirrorTrace } from '../support/mirror';

interface Capture {
  readonly title: string;
  readonly analysis: Analysis;
  readonly bounceAll: boolean;
  readonly overrides: GeometryOverrides;
}

function readSample(): Analysis {
  const builder = createAnalysis();
  const source = builder.openSource({ path: 'trace.txt' });
  source.push(readFileSync(new URL('../../media/samples/full-1MiB/trace.txt', import.meta.url)));
  source.end();
  return builder.snapshot();
}

const smallPool: GeometryOverrides = { poolStart: 0x7d98a000, poolSlots: 1024, areas: 4, minAlign: mirrorMinAlign };
const captures: readonly Capture[] = [
  {
    title: 'mirror-fix-64MiB-4area on 2 MiB: one load of 10,085 mappings, Linux 6.12.117',
    analysis: readMirrorTrace('mirror-fix-64MiB-4area.trace.txt'),
    bounceAll: false,
    overrides: smallPool,
  },
  {
    title: 'mirror-dmaonly-direct on 2 MiB, as a dry run: the same load where nothing bounced',
    analysis: readMirrorTrace('mirror-dmaonly-direct.trace.txt'),
    bounceAll: true,
    overrides: smallPool,
  },
  {
    title: 'full-1MiB, the bundled sample, on 1 MiB: fio and network under Linux 6.12.117, 89 recorded failures',
    analysis: readSample(),
    bounceAll: false,
    overrides: { poolSlots: 512, areas: 4 },
  },
];

interface Row {
  readonly policy: string;
  readonly set: ParamSettings;
}

const defaults: readonly Row[] = policies.ids().map((policy) => ({ policy, set: {} }));

/** What shows where policies differ that are alike by default: block devices, memory that is hard to get. */
const tight = { unknownClass: 'block', fragmentation: 0.6 };
const telling: readonly Row[] = [
  { policy: 'rfc-v1', set: tight },
  { policy: 'rfc-v2', set: tight },
  { policy: 'may-sleep', set: tight },
  { policy: 'may-sleep', set: { ...tight, gfp: 'KERNEL' } },
  { policy: 'throttle', set: { unknownClass: 'block' } },
  { policy: 'lend', set: { poolSlots: 8192, reserveSlots: 512 } },
  { policy: 'lend', set: { poolSlots: 8192, reserveSlots: 512, context: 'alwaysAtomic' } },
];

function tableOf({ title, analysis, bounceAll, overrides }: Capture, rows: readonly Row[]): string {
  const lines = [
    `## ${title}`,
    '',
    '| policy | served | failed | causes | used peak, slots | memory peak | copied | stalls | worker runs | area locks | contended | probes | list steps | page allocations |',
    '| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
  ];
  for (const { policy, set } of rows) {
    const { report } = replayReport(analysis, { policy, set, bounceAll, overrides, keepSeries: false });
    const settings = Object.entries(set).map(([name, value]) => `${name}=${value}`);
    const causes = Object.entries(report.failuresByCause)
      .sort()
      .map(([cause, count]) => `${cause} ${count}`)
      .join(', ');
    const { areaLocks, contendedLocks, probes, listSteps } = report.cost;
    const counts = [report.stalls.count, report.workerRuns, areaLocks, contendedLocks ?? Number.NaN, probes, listSteps];
    lines.push(
      `| ${[policy, ...settings].join(' ')} | ${formatCount(report.served)} | ${formatCount(report.failed)} | ${causes} | ` +
        `${formatCount(report.usedHighWaterSlots)} | ${formatBytes(report.memory.peakBytes)} | ${formatBytes(report.copiedBytes)} | ` +
        `${counts.map(formatCount).join(' | ')} | ${formatCount(report.cost.pageAllocations)} |`,
    );
  }
  return `${lines.join('\n')}\n`;
}

describe('all policies on three captures', () => {
  it('keep their numbers', async () => {
    const head =
      '# All policies on three captures\n\n' +
      'Written by `test/replay/goldenTable.test.ts` (`npx vitest run test/replay/goldenTable.test.ts -u`), every parameter at its default but in the last table.\n\n';
    const last = { ...captures[0]!, title: `${captures[0]!.title}, with settings that show the differences` };
    const tables = [...captures.map((capture) => tableOf(capture, defaults)), tableOf(last, telling)];
    await expect(head + tables.join('\n')).toMatchFileSnapshot('../golden/policies.md');
  });
});
