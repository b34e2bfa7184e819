import { describe, expect, it } from 'vitest';
import { recordedPolicy } from '../../src/analysis/recorded';
import { replayReport } from '../../src/analysis/replay';
import { ReplayOutcome } from '../../src/model/replayResult';
import { Outcome } from '../../src/model/tables';
import { analyseFolder } from '../support/captureSummary';
import { fixtureUrl } from '../support/fixtures';

/**
 * Windows of real captures: mappings were live and searches stood anywhere when they began. The others of the fixtures
 * miss something that no trace tells: the order of locks among CPUs, or slots held by mappings that never appear.
 */
const captures = [
  'b1_fixed_dma_events',
  'b2_debian612_dma_events',
  'ctl_bigs_fixed_16MiB',
  'ctl_bigs_fixed_64MiB',
  'ctl_dyn_4area_seedA',
  'ctl_fixed_1area_seedA',
  'ctl_fixed_4area_seedA',
  'ctl_mask30_fixed',
  'ctl_normal_himem_fixed_seedA',
  'd2_dynamic_1MiB_kprobes',
  'e1_kprobes_fixed',
  'e3_debian61_kprobes',
  'e5_fprobe_debian612',
  'f2_fgraph_dyn',
  'g1_tracecmd',
  'g2_tracecmd_dyn_full',
  'h10_clock_x86tsc_verbose',
  'h2_no_irq_info',
  'h4_record_tgid',
  'h5_latency_format',
  'h6_clock_mono',
  'h7_clock_uptime',
  'h8_clock_counter',
  'h9_truncated_midline',
  'i3_normal_bounce_e1000',
  'j_recipe_deb612',
  'mirror_dmaonly_fix_4MiB_4area_seedC',
  'mirror_dmaonly_fix_64MiB_4area_seedC',
  'mirror_dyn_64MiB_4area_seedC',
  'mirror_fix_16MiB_2area_seedC',
  'mirror_fix_4MiB_1area_seedC',
  'mirror_fix_4MiB_4area_seedC',
  'large_L1_mixed_workload',
  'mirror_fix_64MiB_4area_seedC',
];

describe('a replay of the recorded kernel', () => {
  it.each(captures)('repeats every recorded address and failure: %s', (name) => {
    const analysis = analyseFolder(fixtureUrl(`captures/${name}/`));
    const { result } = replayReport(analysis, { policy: recordedPolicy(analysis) });
    const { outcome, recordedBounce, mapLine } = analysis.tables.requests.columns;
    const different: string[] = [];
    let compared = 0;
    for (let row = 0; row < analysis.tables.requests.length; row++) {
      const replayed = result.requests.outcome[row];
      const isServed = outcome[row] === Outcome.served && !Number.isNaN(recordedBounce[row]);
      if ((isServed || outcome[row] === Outcome.failed) && replayed !== ReplayOutcome.notReplayed) {
        compared++;
        const isSame = isServed
          ? result.requests.bounceAddress[row] === recordedBounce[row] || replayed === ReplayOutcome.existedBefore
          : replayed === ReplayOutcome.failed;
        if (!isSame) {
          different.push(`line ${mapLine[row]}`);
        }
      }
    }
    expect(different).toEqual([]);
    expect(compared).toBeGreaterThan(100);
  });
});
