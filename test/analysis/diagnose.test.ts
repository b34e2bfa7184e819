import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/analysis/diagnose';
import { failureFactsOf, holdersAt } from '../../src/analysis/occupancy';
import { judgeNumbers } from '../../src/analysis/verdict';
import { Outcome, Pairing } from '../../src/model/tables';
import { bufferFull, type HandMade, handMade, logRecord } from '../support/analysis';
import type { RequestRow } from '../support/replayTables';

const base = 0x10000000;

/** A served mapping at a slot, alive from its line to `until` (0: to the end). */
function at(slot: number, slots: number, until = 0, more: RequestRow = {}): RequestRow {
  return {
    sizeBytes: slots * 2048,
    recordedBounce: base + slot * 2048,
    ...(until > 0 ? { unmapLine: until } : {}),
    ...more,
  };
}

function failing(sizeBytes: number, more: RequestRow = {}): RequestRow {
  return { sizeBytes, outcome: Outcome.failed, ...more };
}

function check(input: HandMade, expected: { cause: string; message?: RegExp; failures?: number }) {
  const report = diagnose(handMade(input));
  expect(report.failures.length).toBe(expected.failures ?? 1);
  const failure = report.failures[report.failures.length - 1]!;
  expect(failure.cause).toBe(expected.cause);
  if (expected.message !== undefined) {
    expect(failure.message).toMatch(expected.message);
  }
  return report;
}

describe('a bare line is judged by its own numbers', () => {
  it.each([
    [262145, 32768, 0, 'over-size'],
    [262145, -1, -1, 'over-size'],
    [262144, 32768, 0, 'fragmented'],
    [4096, 0, 0, 'no-pool'],
    [3776, 32768, 32767, 'pool-full'],
    [3776, 32768, 32766, 'fragmented'],
    [8192, 32768, 32764, 'fragmented'],
    [2048, 512, 600, 'pool-full'],
    [4096, -1, -1, 'unknown'],
    [-1, 32768, 5, 'unknown'],
    [4096, 32768, 2 ** 63, 'unknown'],
  ] as const)('sz %d, total %d, used %d is %s', (size, total, used, cause) => {
    expect(judgeNumbers(size, total, used)).toBe(cause);
  });

  it('says that one line cannot tell holes, areas and alignment apart', () => {
    const report = check(
      { logFailures: [bufferFull({ sizeBytes: 3776, totalSlots: 32768, usedSlots: 31415, device: '0000:01:00.0' })] },
      { cause: 'fragmented', message: /^Fragmented: needs 2 slots .* 1,353 of 32,768 are free.*cannot tell holes/ },
    );
    expect(report.failures[0]).toMatchObject({ source: 'log', totalSlots: 32768, usedSlots: 31415, request: null });
  });

  it('never proposes a larger pool for an over-size request', () => {
    const report = check(
      { logFailures: [bufferFull({ sizeBytes: 524276, totalSlots: 32768, usedSlots: 0 })] },
      { cause: 'over-size', message: /512 KiB \(524,276 bytes\) cannot be bounced, at any pool size.*100 % free/ },
    );
    expect(report.failures[0]!.advice.join(' ')).not.toMatch(/swiotlb=\d/);
    expect(report.failures[0]!.advice[0]).toMatch(/^No swiotlb= value helps/);
  });

  it('names a size after rounding, that it counts slots, and where to write it when the pool is full', () => {
    const report = check(
      { logFailures: [bufferFull({ sizeBytes: 2048, totalSlots: 32768, usedSlots: 32768 })] },
      { cause: 'pool-full' },
    );
    const advice = report.failures[0]!.advice.join('\n');
    expect(advice).toMatch(/swiotlb=65536 is the next step \(65,536 slots · 128 MiB after the kernel's rounding/);
    expect(advice).toMatch(/slots of 2 KiB, not bytes.*areas.*only from Linux 6\.0/);
    expect(advice).toMatch(/GRUB.*cmdline\.txt.*cloud/s);
  });

  it('does not propose a size for a bounce buffer above the mask', () => {
    const overflow = logRecord('overflow', {
      text: 'swiotlb addr 0x00000009de654000+16384 overflow (mask ffffffff, bus limit 0).',
      maskBits: 32,
    });
    const report = check(
      { logFailures: [{ record: overflow, request: -1, device: -1, suppressed: 0 }] },
      { cause: 'address-limit', message: /bounce buffer itself lies above.*32-bit DMA mask, up to 4 GiB/ },
    );
    expect(report.failures[0]!.advice.join(' ')).not.toMatch(/swiotlb=\d/);
  });

  it('reports a stuck search as lock-up', () => {
    check({ logs: [logRecord('lockup', { line: 9, text: 'watchdog: BUG: soft lockup' })] }, { cause: 'lockup' });
  });
});

describe('messages of one failure', () => {
  it('joins the second message of old kernels to the first', () => {
    const first = bufferFull({ line: 1, sizeBytes: 9100, device: '0000:02:00.0', timeNs: 0 });
    const second = {
      record: logRecord('out-of-space', { line: 2, sizeBytes: 9100, device: '0000:02:00.0', timeNs: 2000 }),
      request: -1,
      device: -1,
      suppressed: 0,
    };
    const report = check({ logFailures: [first, second] }, { cause: 'unknown' });
    expect(report.failures[0]!.related).toEqual([
      { file: 'hand-made', line: 2, message: 'The kernel message of this failure.' },
    ]);
  });

  it('keeps a second message that belongs to nothing', () => {
    const alone = {
      record: logRecord('coherent-failed', { line: 2, sizeBytes: 16777216 }),
      request: -1,
      device: -1,
      suppressed: 0,
    };
    check({ logFailures: [alone] }, { cause: 'over-size' });
  });

  it('does not count a line that joined an event', () => {
    const report = check(
      {
        requests: [at(0, 128), failing(2048)],
        logFailures: [
          bufferFull({ line: 40, request: 1, sizeBytes: 2048, totalSlots: 128, usedSlots: 128, suppressed: 7 }),
        ],
      },
      { cause: 'pool-full' },
    );
    expect(report.failures[0]).toMatchObject({
      source: 'trace',
      line: 2,
      totalSlots: 128,
      usedSlots: 128,
      suppressed: 7,
    });
    expect(report.episodes[0]).toMatchObject({ count: 1, suppressed: 0 });
    expect(report.failures[0]!.related.map((place) => place.line)).toContain(40);
  });
});

describe('a failure in a trace is judged by the recorded addresses', () => {
  it('is full when too few slots are free', () => {
    check(
      { requests: [at(0, 127), failing(4096)] },
      { cause: 'pool-full', message: /needs 2 slots \(4 KiB\), 1 of 128 is free/ },
    );
  });

  it('is fragmented when no run is long enough, and names the largest', () => {
    check(
      { requests: [at(0, 40), at(50, 60), failing(20 * 2048)] },
      { cause: 'fragmented', message: /needs 20 slots \(40 KiB\) in a row; 28 of 128 are free, largest run 18/ },
    );
  });

  it('does not join runs of two segments', () => {
    check(
      { requests: [at(0, 100), at(156, 100), failing(50 * 2048)], geometry: { slots: 256 } },
      { cause: 'fragmented', message: /largest run 28/ },
    );
  });

  it('is alignment when only the start is wrong', () => {
    // Slot 3 to 127 is taken but for slots 1 and 2: two slots, not on a page.
    check(
      { requests: [at(0, 1), at(3, 125), failing(4096)] },
      { cause: 'alignment', message: /largest run 2, but no run starts/ },
    );
  });

  it('is over-size by the padded size', () => {
    check(
      { requests: [failing(262144, { original: 0x200000800 })], geometry: { minAlignMasks: [0xfff] } },
      { cause: 'alignment' },
    );
    check(
      { requests: [failing(262144, { original: 0x200000400 })], geometry: { minAlignMasks: [0xfff] } },
      { cause: 'over-size' },
    );
  });

  it('is an address limit when the device cannot reach the pool', () => {
    const analysis = handMade({ requests: [failing(2048)], geometry: { start: 2 ** 33 } });
    const device = analysis.tables.devices[0] as { dmaMaskBits: number };
    device.dmaMaskBits = 32;
    const [failure] = diagnose(analysis).failures;
    expect(failure!.cause).toBe('address-limit');
    expect(failure!.advice[0]).toMatch(/its place does/);
  });

  it('sees slots that were released before', () => {
    check(
      { requests: [at(0, 128, 2), failing(2048, { enterLine: 3 })] },
      { cause: 'unknown', message: /By the recorded addresses there was room/ },
    );
  });

  it('counts mappings from before the trace', () => {
    check(
      {
        requests: [{ ...at(0, 128, 9), pairing: Pairing.unseenMap }, failing(2048, { enterLine: 4 })],
      },
      { cause: 'pool-full' },
    );
  });

  it('says in a dynamic kernel why the transient pool failed, too', () => {
    check(
      {
        requests: [at(0, 128), failing(4096, { original: 0x200000800 })],
        geometry: { dynamic: true, minAlignMasks: [0xfff] },
      },
      { cause: 'growth-too-late', message: /can never match the buffer's offset/ },
    );
    check({ requests: [at(0, 128), failing(4096)], geometry: { dynamic: true } }, { cause: 'allocation-failed' });
  });

  it('agrees with a naive count of free slots', () => {
    const analysis = handMade({ requests: [at(0, 10), at(20, 5, 3), failing(2048), at(40, 8), failing(2048)] });
    const facts = failureFactsOf(analysis);
    expect([...facts.values()].map((fact) => fact.usedSlots)).toEqual([10, 18]);
    expect([...facts.values()].map((fact) => fact.largestHole)).toEqual([118, 80]);
  });

  it('counts the earlier elements of its scatterlist, which were given back at once', () => {
    const list = { sgGroup: 1, sgCount: 2 };
    const first = { sizeBytes: 60 * 2048, outcome: Outcome.rolledBack, ...list };
    const requests = (size: number) => [at(0, 10), first, failing(size * 2048, { ...list, sgIndex: 1, enterLine: 3 })];
    check({ requests: requests(60) }, { cause: 'pool-full', message: /58 of 128 are free/ });
    check({ requests: requests(50) }, { cause: 'fragmented', message: /58 of 128 are free, but none where/ });
  });

  it('names who holds the slots', () => {
    const requests = [at(0, 100, 0, { device: 1 }), at(100, 28, 0, { device: 2 }), failing(2048)];
    expect(holdersAt(handMade({ requests }), 0, 3).map(({ device, slots }) => [device, slots])).toEqual([
      [1, 100],
      [2, 28],
    ]);
    check({ requests }, { cause: 'pool-full', message: /78 % of the pool is held by dev1\.$/ });
  });
});

describe('the state at a failure', () => {
  /** The literal way: an array of slots, and every run counted from scratch. */
  function naive(rows: readonly RequestRow[], failedAt: number, slots: number): { used: number; hole: number } {
    const taken = new Array<boolean>(slots).fill(false);
    for (const [i, row] of rows.entries()) {
      const alive = i < failedAt && row.recordedBounce !== undefined && (row.unmapLine ?? Infinity) > failedAt + 1;
      for (let slot = 0; alive && slot < row.sizeBytes! / 2048; slot++) {
        taken[(row.recordedBounce! - base) / 2048 + slot] = true;
      }
    }
    let hole = 0;
    for (let segment = 0; segment < slots; segment += 128) {
      let run = 0;
      for (let slot = segment; slot < segment + 128; slot++) {
        run = taken[slot] ? 0 : run + 1;
        hole = Math.max(hole, run);
      }
    }
    return { used: taken.filter(Boolean).length, hole };
  }

  it('equals the literal count for any order of maps, unmaps and failures', () => {
    const step = fc.record({
      segment: fc.nat(1),
      first: fc.nat(99),
      slots: fc.integer({ min: 1, max: 28 }),
      fails: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 30 }),
        fc.array(fc.nat(60), { maxLength: 30 }),
        (steps, ends) => {
          const owner = new Map<number, number>();
          const rows = steps.map((one, i): RequestRow => {
            const start = one.segment * 128 + one.first;
            const free = Array.from({ length: one.slots }, (_, k) => start + k).every(
              (slot) => (owner.get(slot) ?? -1) < 2 * i + 1,
            );
            if (one.fails || !free) {
              // Larger than any hole: the state is never looked at twice.
              return failing(262144, { enterLine: 2 * i + 1 });
            }
            const end = 2 * (i + 1 + (ends[i] ?? 99));
            for (let k = 0; k < one.slots; k++) {
              owner.set(start + k, end);
            }
            return at(start, one.slots, end, { enterLine: 2 * i + 1 });
          });
          const facts = failureFactsOf(handMade({ requests: rows, geometry: { slots: 256 } }));
          for (const [row, found] of facts) {
            const alive = rows.map((one, i) =>
              i < row && (one.unmapLine ?? Infinity) <= 2 * row + 1 ? { ...one, recordedBounce: undefined } : one,
            );
            const expected = naive(
              alive.map((one) => ({ ...one, unmapLine: undefined })),
              row,
              256,
            );
            if (found.largestHole < 128) {
              expect({ used: found.usedSlots, hole: found.largestHole }).toEqual(expected);
            }
          }
        },
      ),
    );
  });
});

describe('floods', () => {
  const flood = (count: number, more: { device?: string; gapNs?: number; fromLine?: number; fromNs?: number } = {}) =>
    Array.from({ length: count }, (_, i) =>
      bufferFull({
        line: (more.fromLine ?? 1) + i,
        timeNs: (more.fromNs ?? 0) + i * (more.gapNs ?? 1e6),
        device: more.device ?? 'a',
        sizeBytes: 2048,
        totalSlots: 512,
        usedSlots: 512,
      }),
    );

  it('are one episode with a count', () => {
    const report = diagnose(handMade({ logFailures: flood(20000) }));
    expect(report.failures.length).toBe(20000);
    expect(report.episodes).toEqual([
      expect.objectContaining({ firstLine: 1, lastLine: 20000, count: 20000, cause: 'pool-full', device: 'a' }),
    ]);
    expect(report.episodes[0]!.message).toBe('… and 19,999 more like this until line 20,000 (a, +0.0–20.0 s).');
  });

  it('end with a pause', () => {
    const both = [...flood(3), ...flood(2, { fromLine: 10, fromNs: 60e9 })];
    expect(diagnose(handMade({ logFailures: both })).episodes.map((episode) => episode.count)).toEqual([3, 2]);
  });

  it('are kept apart by device even when their lines interleave', () => {
    const both = [...flood(4, { device: 'a' }), ...flood(4, { device: 'b' })].sort(
      (x, y) => x.record.line - y.record.line,
    );
    const report = diagnose(handMade({ logFailures: both }));
    expect(report.episodes.map(({ device, count }) => [device, count])).toEqual([
      ['a', 4],
      ['b', 4],
    ]);
    expect(report.failures.every((failure) => report.episodes[failure.episode]!.device === failure.device)).toBe(true);
  });

  it('stay one episode without a clock', () => {
    expect(diagnose(handMade({ logFailures: flood(5, { gapNs: Number.NaN }) })).episodes.length).toBe(1);
  });

  it('add suppressed messages once, to the episode', () => {
    const lines = flood(3);
    lines[2]!.suppressed = 1154;
    const report = diagnose(handMade({ logFailures: lines }));
    expect(report.episodes[0]).toMatchObject({ count: 3, suppressed: 1154 });
    expect(report.failures.map((failure) => failure.suppressed)).toEqual([0, 0, 1154]);
    expect(report.ledger.lost).toBe(1154);
  });
});

describe('warnings', () => {
  const commandLine = (value: string) => [logRecord('command-line', { line: 2, value, text: `swiotlb=${value}` })];
  const codes = (input: HandMade) => diagnose(handMade(input)).warnings.map((warning) => warning.code);

  it.each([
    [
      'force,4',
      'parameter-ignored',
      /has no effect at all.*Write swiotlb=4,force for 4 slots or swiotlb=,4,force for 4 areas/,
    ],
    ['512,force,4', 'parameter-ignored', /ignores "force,4".*Write swiotlb=512,4,force/],
    ['128k', 'parameter-suffix', /128 slots · 256 KiB.*swiotlb=64/],
    ['64', 'parameter-small', /not MiB/],
    ['67108864', 'parameter-large', /swiotlb=32768/],
  ])('explain swiotlb=%s', (value, code, message) => {
    const [warning] = diagnose(handMade({ logs: commandLine(value) })).warnings;
    expect(warning).toMatchObject({ code, line: 2 });
    expect(warning!.message).toMatch(message);
  });

  it.each(['65536', '65536,4', '512,4,force', 'force', 'noforce', ',4', ',,force', '32768,', '0x8000'])(
    'leave swiotlb=%s alone',
    (value) => {
      expect(codes({ logs: commandLine(value) })).toEqual([]);
    },
  );

  it('tell that the default number is taken as not given in an encrypted guest', () => {
    const logs = [...commandLine('32768'), logRecord('memory-encryption', { line: 3 })];
    expect(codes({ logs })).toEqual(['parameter-default']);
    expect(codes({ logs: commandLine('32768') })).toEqual([]);
  });

  it('tell that the kernel shrank the pool', () => {
    expect(codes({ logs: [logRecord('slabs-adjusted', { count: 16384 })] })).toEqual(['pool-shrunk']);
    const mapped = logRecord('pool-mapped', { line: 9, start: 0x7f000000, end: 0x7f400000 });
    expect(codes({ logs: [...commandLine('65536'), mapped] })).toEqual(['pool-shrunk']);
  });

  it('tell of events the kernel dropped', () => {
    expect(codes({ lostEvents: 137 })).toEqual(['lost-events']);
  });
});

describe('leaks', () => {
  /** Every fourth mapping is never unmapped, or only those of the last part. */
  function workload(leaks: (i: number) => boolean): RequestRow[] {
    return Array.from({ length: 400 }, (_, i) => ({
      device: 1,
      sizeBytes: 2048,
      recordedBounce: base + (i % 512) * 2048,
      enterLine: i * 2 + 1,
      ...(leaks(i) ? {} : { unmapLine: i * 2 + 2 }),
    }));
  }
  const codes = (requests: RequestRow[], more: HandMade = {}) =>
    diagnose(handMade({ requests, geometry: { slots: 512 }, ...more })).warnings.map((warning) => warning.code);

  it('are suspected when open mappings only grow', () => {
    expect(codes(workload((i) => i % 4 === 0))).toEqual(['leak-suspected']);
  });

  it('are not suspected for a receive ring or requests in flight', () => {
    expect(codes(workload((i) => i < 64))).toEqual([]);
    expect(codes(workload((i) => i >= 336))).toEqual([]);
    expect(codes(workload((i) => i < 32 || i >= 368))).toEqual([]);
  });

  it('are not suspected without unmap events or with lost ones', () => {
    expect(
      codes(
        workload((i) => i % 4 === 0),
        { evidence: 1 },
      ),
    ).toEqual([]);
    expect(
      codes(
        workload((i) => i % 4 === 0),
        { lostEvents: 3 },
      ),
    ).toEqual(['lost-events']);
  });

  it('mark the failures of the device', () => {
    const requests = [...workload((i) => i % 2 === 0), failing(4096, { device: 1, enterLine: 900 })];
    const report = diagnose(handMade({ requests, geometry: { slots: 512 } }));
    expect(report.failures[0]!.marks).toEqual(['leak-suspected']);
  });
});
