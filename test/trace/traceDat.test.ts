import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inflateZlib } from '../../src/trace/dat/inflate';
import { readFixture } from '../support/fixtures';
import { type Collected, collect, type PlainEvent } from './collect';

const variants = ['v6', 'v7none', 'v7zlib', 'v7zstd'];
const read = (variant: string): Collected => collect(readFixture(`trace/trace-${variant}.dat`), { path: 'trace.dat' });

/** What both a binary trace and its report know: trace-cmd prints neither flags nor the same offsets. */
function shared({ line: _, byteOffset: __, context: ___, ...event }: PlainEvent): Record<string, unknown> {
  return event;
}

describe('trace.dat', () => {
  const expected = collect(readFixture('trace/trace-dat-report-t.txt'));

  for (const variant of variants) {
    it(`${variant} equals the nanosecond report event by event`, () => {
      const { events, summary } = read(variant);
      expect(events.length).toBe(281);
      expect(events.map(shared)).toEqual(expected.events.map(shared));
      expect(summary).toMatchObject({
        format: 'trace-dat',
        clock: 'local',
        timeUnit: 'ns',
        recognised: true,
        hasField: true,
        origin: expected.summary.origin,
      });
      expect(summary.header).toMatchObject({ cpusOnline: 4, release: '6.12.117-labfix' });
      expect(summary.ledger).toMatchObject({ notUnderstood: 0, counted: 0 });
      expect(summary.problems).toEqual([]);
    });
  }

  it('equals the plain and the raw report, which round to microseconds', () => {
    const exact = read('v7zstd');
    for (const name of ['trace-dat-report.txt', 'trace-dat-report-R.txt']) {
      const report = collect(readFixture(`trace/${name}`));
      expect(report.events).toHaveLength(exact.events.length);
      report.events.forEach((event, index) => {
        const { timeNs, ...fields } = shared(event);
        const { timeNs: exactNs, ...exactFields } = shared(exact.events[index]);
        expect(fields).toEqual(exactFields);
        expect(Math.abs((timeNs as number) - (exactNs as number))).toBeLessThanOrEqual(1000);
      });
    }
  });

  it('carries the context flags that reports leave out', () => {
    const { events } = read('v6');
    expect(events.every(({ context }) => ((context as number) & 1) === 1)).toBe(true);
    expect(new Set(events.map(({ context }) => context)).size).toBeGreaterThan(2);
  });

  it('gives the same however its bytes arrive', () => {
    const bytes = readFixture('trace/trace-v7zstd.dat');
    const { byteOffset: _, ...whole } = { byteOffset: 0, ...collect(bytes) };
    for (const cuts of [[1], [3, 9], [10], [100, 5000]]) {
      expect(collect(bytes, { cuts })).toEqual(whole);
    }
  });

  it('cut off anywhere gives events from the start or a sentence, never an exception', () => {
    for (const variant of variants) {
      const bytes = readFixture(`trace/trace-${variant}.dat`);
      for (let end = 1; end < bytes.length; end += Math.ceil(bytes.length / 150)) {
        const { events, summary } = collect(bytes.subarray(0, end), { path: 'trace.dat' });
        expect(events.length).toBeLessThanOrEqual(281);
        expect(events.length > 0 || summary.problems.length > 0, `${variant} cut at ${end}`).toBe(true);
      }
    }
  });

  it('with damaged bytes never throws', () => {
    for (const variant of variants) {
      const bytes = readFixture(`trace/trace-${variant}.dat`);
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
          (changes) => {
            const damaged = Uint8Array.from(bytes);
            for (const [at, value] of changes) {
              damaged[at] = value;
            }
            collect(damaged, { path: 'trace.dat' });
          },
        ),
        { numRuns: 25 },
      );
    }
  });
});

describe('inflate', () => {
  it('unpacks what zlib packs, at every level', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(9), fc.nat(40), (part, level, copies) => {
        const plain = new Uint8Array(part.length * (copies + 1));
        for (let i = 0; i <= copies; i++) {
          plain.set(part, i * part.length);
        }
        const packed = new Uint8Array(deflateSync(plain, { level }));
        expect(inflateZlib(packed, plain.length)).toEqual(plain);
      }),
      { numRuns: 100 },
    );
  });
  it('gives null for damaged data and for a wrong size', () => {
    const packed = new Uint8Array(deflateSync(new Uint8Array(1000)));
    expect(inflateZlib(packed, 999)).toBeNull();
    expect(inflateZlib(packed, 1001)).toBeNull();
    expect(inflateZlib(packed.subarray(0, packed.length - 8), 1000)).toBeNull();
    expect(inflateZlib(new Uint8Array(20), 1000)).toBeNull();
  });
});
