import { describe, expect, it } from 'vitest';
import { revivedData, runThreadJob, verifyData } from '../../src/analysis/threadJobs';
import { verifyReport } from '../../src/analysis/verify';
import { analyseFolder } from '../support/captureSummary';
import { fixtureUrl } from '../support/fixtures';

describe('verifying on another thread', () => {
  it('gives the same report from a clone of its data', () => {
    const analysis = analyseFolder(fixtureUrl('captures/ctl_dyn_1area_seedA/'));
    const report = verifyReport(analysis);
    expect(report.checked).toBeGreaterThan(100);
    expect(runThreadJob(revivedData(structuredClone(verifyData(analysis))), null)).toEqual(report);
  });
});
