import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { diagnose } from '../../src/analysis/diagnose';
import { info } from '../../src/analysis/info';
import { readFixture } from '../support/fixtures';

/** Files as they stand in the fixtures; each is cut to keep the test quick. */
const files = [
  'captures/c1_full_1MiB/trace.txt',
  'captures/c1_full_1MiB/dmesg.txt',
  'captures/e1_kprobes_fixed/trace.txt',
  'captures/d2_dynamic_1MiB_kprobes/trace.txt',
  'trace/trace-pipe-lost.txt',
  'captures/b1_fixed_dma_events/debugfs.csv',
];
const maxBytes = 200_000;

function head(name: string): Uint8Array {
  const bytes = readFixture(name).subarray(0, maxBytes);
  return bytes.slice(0, bytes.lastIndexOf(10) + 1);
}

/** Everything of the analysis that reports and replays are made from. */
function facts(analysis: Analysis): unknown {
  const { tables } = analysis;
  const { columns, length } = tables.requests;
  return {
    info: info(analysis),
    failures: diagnose(analysis, { recorded: null }).failures,
    counts: tables.counts,
    columns: Object.fromEntries(
      Object.entries(columns).map(([name, column]) => [name, Array.from((column as Float64Array).subarray(0, length))]),
    ),
    problems: analysis.problems,
  };
}

describe('an input that grows', () => {
  it.each(files)('%s gives the same analysis in pieces, with snapshots between, as at once', (name) => {
    const bytes = head(name);
    const whole = createAnalysis();
    const source = whole.openSource({ path: name });
    source.push(bytes);
    source.end();
    const expected = facts(whole.snapshot());
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 6 }), (cuts) => {
        const builder = createAnalysis();
        const growing = builder.openSource({ path: name });
        let from = 0;
        for (const to of [...cuts.sort((a, b) => a - b), bytes.length]) {
          growing.push(bytes.subarray(from, to));
          growing.pause();
          builder.snapshot();
          from = to;
        }
        expect(facts(builder.snapshot())).toEqual(expected);
      }),
      { numRuns: 8 },
    );
  });
});
