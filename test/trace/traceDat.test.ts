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

  it('reads a trace instance where the top buffer is empty, and nothing twice where it is not', () => {
    const instance = withInstance(readFixture('trace/trace-v7none.dat'), true);
    const only = collect(instance, { path: 'trace.dat' });
    expect(only.events.map(shared)).toEqual(expected.events.map(shared));
    expect(only.summary.clock).toBe('local');
    const both = collect(withInstance(readFixture('trace/trace-v7none.dat'), false), { path: 'trace.dat' });
    expect(both.events.map(shared)).toEqual(expected.events.map(shared));
    expect(both.summary.problems.map(({ code }) => code)).toEqual(['instance-left-out']);
    const otherClock = withInstance(readFixture('trace/trace-v7none.dat'), false, 'monot');
    expect(collect(otherClock).summary.problems[0]?.message).toMatch(/its clock is monot, not local/);
  });

  it('reads a trace instance of version 6', () => {
    const { events, summary } = collect(readFixture('trace/trace-v6-instance.dat'), { path: 'trace.dat' });
    expect(events.map(shared)).toEqual(expected.events.map(shared));
    expect(summary.problems.map(({ code }) => code)).toEqual(['instance-left-out']);
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

/**
 * A trace.dat of version 7 with one more section of options, which names the data of the top buffer a second time, as
 * that of an instance. `emptyTop` removes it from the top buffer.
 */
function withInstance(file: Uint8Array, emptyTop: boolean, clock = 'local'): Uint8Array {
  const bytes = new Uint8Array(file.length + 1024);
  bytes.set(file);
  const view = new DataView(bytes.buffer);
  // Magic, version, order, word size, page size, compression and its version, each text with its NUL.
  let position = 10;
  const skipText = () => {
    position = bytes.indexOf(0, position) + 1;
  };
  skipText();
  position += 6;
  skipText();
  skipText();
  const section = Number(view.getBigUint64(position, true));
  let option = section + 16;
  let buffer = new Uint8Array();
  while (view.getUint16(option, true) !== 0) {
    const size = view.getUint32(option + 2, true);
    if (view.getUint16(option, true) === 3) {
      buffer = bytes.slice(option + 6, option + 6 + size);
      // Offset, name, clock, page size, number of CPUs.
      const cpus = bytes.indexOf(0, bytes.indexOf(0, option + 14) + 1) + 5;
      if (emptyTop) {
        view.setUint32(cpus, 0, true);
      }
    }
    option += 6 + size;
  }
  view.setBigUint64(option + 6, BigInt(file.length), true);
  const name = new TextEncoder().encode(`inst\0${clock}\0`);
  const rest = buffer.subarray(buffer.indexOf(0, 9) + 1);
  const size = 8 + name.length + rest.length;
  view.setBigUint64(file.length + 8, BigInt(6 + size + 14), true);
  view.setUint16(file.length + 16, 3, true);
  view.setUint32(file.length + 18, size, true);
  bytes.set(buffer.subarray(0, 8), file.length + 22);
  bytes.set(name, file.length + 30);
  bytes.set(rest, file.length + 30 + name.length);
  view.setUint32(file.length + 22 + size + 2, 8, true);
  return bytes.subarray(0, file.length + 22 + size + 14);
}
