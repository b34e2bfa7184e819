import { describe, expect, it } from 'vitest';
import { table } from '../../src/cli/table';

const same = (text: string) => text;
const style = { bold: same, dim: same, bad: same, good: same, warn: same };

/** The lines of a table on a terminal of so many columns. */
function lines(header: readonly string[], rows: readonly (readonly string[])[], columns: number): string[] {
  const printed = table(header, rows, { style, columns }).split('\n');
  expect(printed.filter((line) => line.length > columns)).toEqual([]);
  return printed;
}

const numbers = ['policy', '>failed', '>median lifetime', '>open at end'];
const rows = [
  ['fixed', '89', '13.03 ms', '242'],
  ['throttle', '1', '404 µs', '0'],
];

describe('a table', () => {
  it('is one line per row where there is room, and in a file', () => {
    const expected = [
      'policy    failed  median lifetime  open at end',
      'fixed         89         13.03 ms          242',
      'throttle       1           404 µs            0',
    ];
    expect(lines(numbers, rows, 46)).toEqual(expected);
    expect(lines(numbers, rows, Number.POSITIVE_INFINITY)).toEqual(expected);
  });

  it('breaks its headers, no more than it must', () => {
    expect(lines(numbers, rows, 38)).toEqual([
      '                    median    open',
      'policy    failed  lifetime  at end',
      'fixed         89  13.03 ms     242',
      'throttle       1    404 µs       0',
    ]);
  });

  it('comes in blocks where even that is too wide', () => {
    expect(lines(numbers, rows, 28)).toEqual([
      '                    median',
      'policy    failed  lifetime',
      'fixed         89  13.03 ms',
      'throttle       1    404 µs',
      '',
      '            open',
      'policy    at end',
      'fixed        242',
      'throttle       0',
    ]);
  });

  it('wraps a last column of words', () => {
    expect(lines(['field', 'because'], [['cpus', 'The kernel log names four possible CPUs.']], 34)).toEqual([
      'field  because',
      'cpus   The kernel log names four',
      '       possible CPUs.',
    ]);
  });
});
