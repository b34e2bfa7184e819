import { describe, expect, it } from 'vitest';
import { replayReport } from '../../src/analysis/replay';
import { replayData, revivedData, runThreadJob, verifyData } from '../../src/analysis/threadJobs';
import { verifyReport } from '../../src/analysis/verify';
import { analyseFolder } from '../support/captureSummary';
import { fixtureUrl } from '../support/fixtures';

describe('work on another thread', () => {
  it('verifies with the same report from a clone of its data', () => {
    const analysis = analyseFolder(fixtureUrl('captures/ctl_dyn_1area_seedA/'));
    const report = verifyReport(analysis);
    expect(report.checked).toBeGreaterThan(100);
    expect(runThreadJob(revivedData(structuredClone(verifyData(analysis))), null)).toEqual(report);
  });

  it.each(['c1_full_1MiB', 'g2_tracecmd_dyn_full'])('replays %s with the same answer', (name) => {
    const analysis = analyseFolder(fixtureUrl(`captures/${name}/`));
    const answer = replayReport(analysis, { policy: 'dynamic' });
    expect(answer.report.requests).toBeGreaterThan(100);
    const data = revivedData(structuredClone(replayData(analysis)));
    expect(structuredClone(runThreadJob(data, { policy: 'dynamic' }))).toEqual(answer);
  });
});
