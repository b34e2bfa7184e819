import type { VerifyReport } from '../model/reports';
import { verify } from '../replay/verify/verify';
import type { Analysis } from './analysis';

/**
 * Replays the recorded policy and geometry and compares every bounce address and every failure with the record.
 * The `verify` object of the command line.
 */
export function verifyReport(analysis: Pick<Analysis, 'tables' | 'geometry' | 'file'>): VerifyReport {
  const result = verify(analysis.tables, analysis.geometry);
  return {
    file: analysis.file,
    generation: result.generation,
    requests: result.requests,
    checked: result.checked,
    exact: result.exact,
    learned: result.learned,
    givenBase: result.givenBase,
    undecided: result.undecided,
    mismatched: result.mismatched.map(({ line, recorded, modelled, why }) => ({ line, recorded, modelled, why })),
    mismatchedCount: result.mismatchedCount,
    widenedNs: result.widenedNs,
    skipped: result.skipped,
  };
}
