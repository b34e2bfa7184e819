import { describe, expect, it } from 'vitest';
import { devicesReport } from '../../src/analysis/devices';
import { EvidenceBit, Outcome, Pairing } from '../../src/model/tables';
import { handMade } from '../support/analysis';
import type { RequestRow } from '../support/replayTables';

const base = 0x10000000;

function check(requests: readonly RequestRow[], expected: readonly Record<string, unknown>[]): void {
  expect(devicesReport(handMade({ requests, geometry: { slots: 512 } })).devices).toMatchObject(expected);
}

describe('devices', () => {
  it('are counted with their peak, waste and median lifetime, the largest user first', () => {
    check(
      [
        { device: 1, sizeBytes: 100, recordedBounce: base, enterLine: 1, unmapLine: 4 },
        { device: 1, sizeBytes: 2048, recordedBounce: base + 2048, enterLine: 2, unmapLine: 3 },
        { device: 2, sizeBytes: 8192, recordedBounce: base + 8192, enterLine: 5, unmapLine: 6 },
        { device: 2, sizeBytes: 4096, outcome: Outcome.failed, enterLine: 7 },
      ],
      [
        {
          name: 'dev2',
          requests: 2,
          failed: 1,
          peakSlots: 4,
          bytes: 8192,
          wasteBytes: 0,
          openAtEnd: 0,
          first: { line: 5 },
        },
        {
          name: 'dev1',
          first: { line: 1 },
          requests: 2,
          failed: 0,
          peakSlots: 2,
          bytes: 2148,
          wasteBytes: 1948,
          medianLifetimeNs: 2000,
        },
      ],
    );
  });

  it('hold what they had before the trace', () => {
    check(
      [
        { sizeBytes: 4096, recordedBounce: base, pairing: Pairing.unseenMap, unmapLine: 9 },
        { sizeBytes: 2048, recordedBounce: base + 8192, enterLine: 2 },
      ],
      [{ requests: 1, peakSlots: 3, bytes: 2048, openAtEnd: 1 }],
    );
  });

  it('take no slots for direct mappings', () => {
    check(
      [{ sizeBytes: 4096, evidence: EvidenceBit.dmaMap | EvidenceBit.direct, unmapLine: 3 }],
      [{ requests: 0, direct: 1, peakSlots: 0, bytes: 0 }],
    );
  });

  it('have no peak and no lifetime when nothing tells the end', () => {
    check(
      [{ sizeBytes: 4096, outcome: Outcome.unknown, pairing: Pairing.assumed }],
      [{ requests: 1, peakSlots: null, medianLifetimeNs: null }],
    );
  });

  it('are suspected of a leak when their open mappings only grow', () => {
    const requests = Array.from(
      { length: 200 },
      (_, i): RequestRow => ({
        sizeBytes: 2048,
        recordedBounce: base + i * 2048,
        enterLine: 2 * i + 1,
        ...(i % 2 === 0 ? {} : { unmapLine: 2 * i + 2 }),
      }),
    );
    check(requests, [{ leakSuspected: true, openAtEnd: 100 }]);
  });
});
