import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FailOnError, parseFailOn } from '../../src/cli/failOn';

const report = {
  failed: 3,
  served: 97,
  usedHighWaterSlots: 500,
  capacityPeakSlots: 512,
  memory: { peakBytes: 1048576, byteSeconds: null },
  failures: [{ line: 4 }, { line: 9 }],
  failuresByCause: { 'pool-full': 3 },
  results: [{ failed: 3 }, { failed: 0 }],
  replayable: true,
  policy: 'fixed',
};

function check(expression: string, failed: boolean): void {
  expect(parseFailOn(expression)(report).failed, expression).toBe(failed);
}

describe('--fail-on', () => {
  it('compares fields and numbers', () => {
    check('failed>0', true);
    check('failed > 3', false);
    check('failed >= 3', true);
    check('failed == 3', true);
    check('failed != 3', false);
    check('usedHighWaterSlots>0.8*capacityPeakSlots', true);
    check('usedHighWaterSlots > 0.99 * capacityPeakSlots', false);
  });

  it('follows the usual precedence', () => {
    check('1 + 2 * 3 == 7', true);
    check('(1 + 2) * 3 == 9', true);
    check('10 - 4 - 3 == 3', true);
    check('8 / 4 / 2 == 1', true);
    check('-failed < -2', true);
    check('failed > 5 or served > 5 and failed > 0', true);
    check('(failed > 5 or served > 5) and failed > 100', false);
  });

  it('reaches into objects and lists', () => {
    check('failures.length > 1', true);
    check('results.1.failed > 0', false);
    check('memory.peakBytes-48576 == 1000000', true);
    check('replayable', true);
  });

  it('counts a cause that did not occur as 0', () => {
    check('failuresByCause.pool-full > 2', true);
    check('failuresByCause.over-size > 0', false);
  });

  it('knows the causes, so that a wrong one is no gate that always passes', () => {
    expect(() => parseFailOn('failuresByCause.pool-fool > 0')(report)).toThrow(/causes are over-size/);
    expect(parseFailOn('skipped.whatever > 0')({ skipped: {} }).failed).toBe(false);
  });

  it('cannot decide what a division by zero gives, nor what a list does not hold', () => {
    expect(parseFailOn('failed / 0 < 1')(report)).toEqual({ failed: true, unknown: ['a division by zero'] });
    expect(parseFailOn('0 / 0 > 1 and failed > 100')(report).failed).toBe(false);
    expect(parseFailOn('failures.9.line > 0')(report)).toEqual({ failed: true, unknown: ['failures.9.line'] });
  });

  it('does not pass a gate that cannot be decided', () => {
    expect(parseFailOn('memory.byteSeconds > 1')(report)).toEqual({ failed: true, unknown: ['memory.byteSeconds'] });
    check('memory.byteSeconds > 1 and failed > 100', false);
    check('memory.byteSeconds > 1 or failed > 0', true);
  });

  it.each(['', 'failed >', '> 3', '(failed > 0', 'failed 3', 'failed > 0)', 'failed & 1', '"x" > 1', 'and', '1 +* 2'])(
    'refuses %j',
    (text) => {
      expect(() => parseFailOn(text)).toThrow(FailOnError);
    },
  );

  it.each(['fialed > 0', 'policy > 0', 'memory > 0', 'failures.last.line > 0', 'constructor.length > 0'])(
    'has no number for %j',
    (text) => {
      expect(() => parseFailOn(text)(report)).toThrow(FailOnError);
    },
  );

  it('computes what JavaScript computes', () => {
    const apply = {
      '+': (a: number, b: number) => a + b,
      '-': (a: number, b: number) => a - b,
      '*': (a: number, b: number) => a * b,
    };
    const leaf = fc.integer({ min: 0, max: 999 }).map((value) => ({ text: String(value), value }));
    const { expression } = fc.letrec<{ expression: { text: string; value: number } }>((tie) => ({
      expression: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc
          .tuple(tie('expression'), fc.constantFrom('+' as const, '-' as const, '*' as const), tie('expression'))
          .map(([a, operator, b]) => ({
            text: `(${a.text} ${operator} ${b.text})`,
            value: apply[operator](a.value, b.value),
          })),
      ),
    }));
    fc.assert(
      fc.property(expression, fc.integer({ min: -1000, max: 1000 }), ({ text, value }, limit) => {
        expect(parseFailOn(`${text} > ${limit}`)(report).failed).toBe(value > limit);
      }),
    );
  });

  it('refuses any text without crashing', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseFailOn(text)(report);
        } catch (error) {
          expect(error).toBeInstanceOf(FailOnError);
        }
      }),
    );
  });
});
