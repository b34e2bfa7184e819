import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatRange,
  formatSize,
  formatSlotsAndBytes,
  formatTimeRange,
  joinWords,
  plural,
} from '../../src/base/format';

describe('numbers as people read them', () => {
  function check(pairs: readonly (readonly [string, string])[]): void {
    for (const [got, expected] of pairs) {
      expect(got).toBe(expected);
    }
  }

  it('separates thousands', () =>
    check([
      [formatCount(0), '0'],
      [formatCount(999), '999'],
      [formatCount(1242), '1,242'],
      [formatCount(-1234567), '-1,234,567'],
      [formatCount(Number.NaN), 'unknown'],
    ]));

  it('picks the unit of bytes', () =>
    check([
      [formatBytes(1), '1 byte'],
      [formatBytes(1023), '1,023 bytes'],
      [formatBytes(2048), '2 KiB'],
      [formatBytes(33484), '32.7 KiB'],
      [formatBytes(1048575), '1 MiB'],
      [formatBytes(1000.5 * 1024), '1,000.5 KiB'],
      [formatBytes(-1023 * 1024), '-1,023 KiB'],
      [formatBytes(2 ** 30), '1 GiB'],
      [formatSize(524276), '512 KiB, 524,276 bytes'],
      [formatSize(524288), '512 KiB'],
      [formatSlotsAndBytes(4), '4 slots · 8 KiB'],
      [formatSlotsAndBytes(1), '1 slot · 2 KiB'],
    ]));

  it('keeps four digits of a duration', () =>
    check([
      [formatDuration(850), '850 ns'],
      [formatDuration(1_204_000), '1.204 ms'],
      [formatDuration(12_340), '12.34 µs'],
      [formatDuration(2_500_000_000), '2.5 s'],
      [formatTimeRange(4.1e9, 9.8e9), '4.1–9.8 s'],
    ]));

  it('never rounds a share to all or nothing', () =>
    check([
      [formatPercent(0), '0 %'],
      [formatPercent(1), '100 %'],
      [formatPercent(0.5), '50 %'],
      [formatPercent(0.9999), '99.99 %'],
      [formatPercent(0.99999), '> 99.99 %'],
      [formatPercent(0.004), '0.4 %'],
      [formatPercent(0.0005), '0.1 %'],
      [formatPercent(0.00048), '0.05 %'],
      [formatPercent(0.912), '91 %'],
      [formatPercent(0.00001), '< 0.01 %'],
    ]));

  it('joins words and ranges', () =>
    check([
      [formatRange(2304, 2320), '2,304–2,320'],
      [formatRange(7, 7), '7'],
      [joinWords(['a', 'b', 'c']), 'a, b and c'],
      [joinWords(['a']), 'a'],
      [plural(1, 'retry', 'retries'), '1 retry'],
      [plural(2, 'retry', 'retries'), '2 retries'],
    ]));
});
