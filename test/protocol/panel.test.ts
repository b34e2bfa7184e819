import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exportData, exportOffers, hostMethods, panelMethods } from '../../src/protocol/panel';
import { settings, ValidationError } from '../../src/protocol/validate';
import { exactShare, runId } from '../../src/protocol/views';

function check(validate: (value: unknown) => unknown, good: readonly unknown[], bad: readonly unknown[]): void {
  for (const value of good) {
    expect(validate(value)).toEqual(value);
  }
  for (const value of bad) {
    expect(() => validate(value), JSON.stringify(value)).toThrow(ValidationError);
  }
}

const run = { policy: 'fixed', set: { poolSlots: 32768 } };

describe('messages of the panel', () => {
  it('takes only lines and files that could be real', () => {
    check(
      hostMethods.reveal.params,
      [{ file: 'trace.txt', line: 1 }],
      [{ file: 'trace.txt', line: 0 }, { file: 'trace.txt', line: 1.5 }, { file: 1, line: 1 }, { line: 1 }, []],
    );
  });

  it('takes runs and ranges with finite numbers', () => {
    check(
      hostMethods.series.params,
      [{ run, fromNs: 0, toNs: 1e9, buckets: 800 }],
      [
        { run, fromNs: Number.NaN, toNs: 1, buckets: 800 },
        { run, fromNs: 0, toNs: 1, buckets: 0 },
        { run, fromNs: 0, toNs: 1, buckets: 1e9 },
        { run: { policy: 'fixed', set: { poolSlots: {} } }, fromNs: 0, toNs: 1, buckets: 1 },
        { run: { policy: 'x'.repeat(65), set: {} }, fromNs: 0, toNs: 1, buckets: 1 },
      ],
    );
  });

  it('knows only its own commands', () => {
    check(hostMethods.command.params, [{ command: 'addPolicy' }], [{ command: 'workbench.action.quit' }, {}]);
  });

  it('takes only questions about sizes that can be answered', () => {
    check(
      hostMethods.size.params,
      [
        { bounceAll: false, cpus: null, headroom: 0.2, set: {} },
        { bounceAll: true, cpus: 8, headroom: 0, set: { seed: 2 } },
      ],
      [
        { bounceAll: 'yes', cpus: null, headroom: 0.2, set: {} },
        { bounceAll: false, cpus: 0, headroom: 0.2, set: {} },
        { bounceAll: false, cpus: null, headroom: -1, set: {} },
      ],
    );
  });

  it('takes only times, memories and traces that could be real', () => {
    check(hostMethods.revealTime.params, [{ timeNs: 1.5 }], [{ timeNs: Number.NaN }, { timeNs: 1e19 }, {}]);
    const memory = { runs: [run], front: null, range: null, timeMode: null, assumptions: {}, notes: '', slotMap: null };
    for (const method of [hostMethods.remember, hostMethods.save]) {
      check(
        method.params,
        [memory, { ...memory, timeMode: 'sinceBoot', range: { fromNs: 0, toNs: 1 } }],
        [
          { ...memory, notes: 'x'.repeat(20_001) },
          { ...memory, uri: 'file:///etc/passwd' },
          { ...memory, timeMode: 'never' },
          { ...memory, runs: Array.from({ length: 21 }, () => run) },
        ],
      );
    }
    check(
      hostMethods.otherSeries.params,
      [{ uri: 'file:///a', run, fromNs: 0, toNs: 1, buckets: 400 }],
      [{ run, fromNs: 0, toNs: 1, buckets: 400 }],
    );
  });

  it('takes from the panel only files that it offered and could write', () => {
    check(
      exportOffers,
      [[{ id: 'slots', title: 'Slots', formats: ['png', 'csv'] }]],
      [[{ id: 'x', title: 'x', formats: ['exe'] }], {}],
    );
    check(
      exportData,
      [{ encoding: 'utf8', data: 'a' }],
      [{ encoding: 'file', data: '/etc/passwd' }, { data: 'a' }, 'a'],
    );
    check(
      panelMethods.exportOne.params,
      [{ id: 'slots', format: 'png' }],
      [
        { id: 'slots', format: 'html' },
        { id: 5, format: 'png' },
      ],
    );
  });

  it('validates the other direction too', () => {
    check(
      panelMethods.show.params,
      [
        { runs: [run], focus: 'size', other: null, line: null },
        { runs: [], focus: 'other', other: 'file:///a/trace.txt', line: 7 },
      ],
      [
        { runs: [{ policy: 'fixed' }], focus: 'replay', other: null },
        { runs: 'fixed', focus: 'replay', other: null },
        { runs: [run], focus: 'format', other: null },
        { runs: [run], focus: 'replay', other: null, line: 0 },
      ],
    );
    check(
      panelMethods.cursor.params,
      [
        { line: 4, at: { timeNs: 1, usedSlots: 2, capacitySlots: 3 } },
        { line: null, at: null },
      ],
      [
        { line: -1, at: null },
        { line: 1, at: { timeNs: 'now' } },
      ],
    );
  });

  it('does not take settings that are not plain', () => {
    check(settings, [{}, { a: 1, b: 'x', c: true }], [null, [], { a: null }, { a: Number.POSITIVE_INFINITY }]);
    expect(Object.getPrototypeOf(settings(JSON.parse('{"__proto__": 1}')))).toBe(Object.prototype);
  });
});

/** What a page that was taken over could post: anything that structured cloning carries. */
const posted: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>(
      undefined,
      null,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      -0,
      -1,
      2 ** 53,
      '',
      'fixed',
      'next',
      'failure',
      '__proto__',
      new Date(0),
      new Map([['a', 1]]),
      new Uint8Array(3),
      new Array(3),
      JSON.parse('{"__proto__": {"policy": "fixed"}, "constructor": 1}'),
      10n,
    ),
    fc.double(),
    fc.string({ size: 'medium' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ maxLength: 8 }), tie('value'), { maxKeys: 4 }),
  ),
})).value;

describe('any message', () => {
  const methods = { ...hostMethods, ...panelMethods };

  it('is taken or refused with a sentence, whatever it holds', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(methods)), posted, (name, value) => {
        try {
          methods[name as keyof typeof methods].params(value);
        } catch (error) {
          expect(error).toBeInstanceOf(ValidationError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('with one wrong field is refused, and nothing is inherited', () => {
    const good: Partial<Record<keyof typeof methods, object>> = {
      run: { run },
      series: { run, fromNs: 0, toNs: 1, buckets: 10 },
      slotStep: { run, step: 0, kind: 'event', direction: 'next' },
      remember: { runs: [run], front: 'fixed', range: { fromNs: 0, toNs: 1 } },
      size: { bounceAll: false, cpus: 1, headroom: 0, set: {} },
      front: { run, label: 'Fixed' },
    };
    for (const [name, message] of Object.entries(good)) {
      const { params } = methods[name as keyof typeof methods];
      expect(() => params(message), name).not.toThrow();
      for (const field of Object.keys(message)) {
        for (const wrong of [Number.NaN, Symbol('x'), () => 1, [[]], JSON.parse('{"__proto__": {}}')]) {
          expect(() => params({ ...message, [field]: wrong }), `${name}.${field}`).toThrow(ValidationError);
        }
      }
      // The fields of an object's prototype are not its own.
      expect(() => params(Object.create(message)), name).toThrow(ValidationError);
    }
  });

  it('cannot bring lists with holes, or more settings than a policy could have', () => {
    const memory = { runs: [], front: null, range: null, timeMode: null, assumptions: {}, notes: '' };
    expect(() => hostMethods.remember.params({ ...memory, runs: new Array(3) })).toThrow(ValidationError);
    expect(() => hostMethods.remember.params({ ...memory, runs: { length: 1, 0: run } })).toThrow(ValidationError);
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`p${index}`, index]));
    for (const set of [many, { areas: 'x'.repeat(1e6) }, { areas: [1] }, { ['x'.repeat(65)]: 1 }]) {
      expect(() => hostMethods.run.params({ run: { policy: 'fixed', set } })).toThrow(ValidationError);
    }
  });
});

describe('runId', () => {
  it('does not take one text for two settings', () => {
    const one = runId({ policy: 'fixed', set: { dmaMask: 'a=0xff,minAlign=b=0xfff' } });
    const two = runId({ policy: 'fixed', set: { dmaMask: 'a=0xff', minAlign: 'b=0xfff' } });
    expect(one).not.toBe(two);
    expect(runId({ policy: 'fixed', set: { context: 'perDevice' } })).toBe('fixed(context=perDevice)');
  });

  it('is the same for the same settings in any order, and differs for others', () => {
    const a = runId({ policy: 'fixed', set: { poolSlots: 1, areas: 2 } });
    expect(a).toBe(runId({ policy: 'fixed', set: { areas: 2, poolSlots: 1 } }));
    expect(a).not.toBe(runId({ policy: 'fixed', set: { areas: 2 } }));
    expect(runId({ policy: 'dynamic', set: {} })).toBe('dynamic');
  });
});

describe('exactShare', () => {
  it('is never rounded up', () => {
    expect(exactShare({ exact: 14418, checked: 14419, undecided: 0 })).toBe('99.99 %');
    expect(exactShare({ exact: 7, checked: 7, undecided: 0 })).toBe('100 %');
    expect(exactShare({ exact: 6, checked: 7, undecided: 0 })).toBe('85.71 %');
    expect(exactShare({ exact: 99, checked: 100, undecided: 1 })).toBe('99 %');
    expect(exactShare({ exact: 584, checked: 11815, undecided: 11230 })).toBe('4.94 % · 95 % undecided');
  });
});
