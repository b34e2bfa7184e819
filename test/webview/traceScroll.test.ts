import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clampTop,
  maxScrollHeight,
  maxTop,
  pageRows,
  scrollHeight,
  scrollTopOf,
  topOfScroll,
  topToShow,
  visibleRows,
} from '../../src/webview/traceView/scroll';

const geometries = fc.record({
  rowCount: fc.oneof(fc.nat(200), fc.integer({ min: 0, max: 2 ** 32 })),
  rowHeight: fc.integer({ min: 14, max: 60 }),
  viewHeight: fc.integer({ min: 60, max: 2200 }),
});

describe('positions in a long list', () => {
  it('never need an element that browsers cannot make', () => {
    const geometry = { rowCount: 20_000_000, rowHeight: 20, viewHeight: 800 };
    expect(scrollHeight(geometry)).toBe(maxScrollHeight);
    expect(scrollHeight({ ...geometry, rowCount: 100 })).toBe(2000);
    expect(scrollHeight({ ...geometry, rowCount: 1 })).toBe(800);
  });

  it('the scrollbar at its ends is the list at its ends', () => {
    fc.assert(
      fc.property(geometries, (geometry) => {
        expect(topOfScroll(geometry, 0)).toBe(0);
        const end = scrollHeight(geometry) - geometry.viewHeight;
        expect(topOfScroll(geometry, end)).toBeCloseTo(maxTop(geometry), 5);
        const { first, last } = visibleRows(geometry, maxTop(geometry));
        expect(last).toBe(geometry.rowCount - 1);
        expect(first).toBeLessThanOrEqual(Math.max(0, geometry.rowCount - 1));
      }),
    );
  });

  it('every row can be reached, and the scrollbar agrees with the list', () => {
    fc.assert(
      fc.property(geometries, fc.double({ min: 0, max: 1, noNaN: true }), (geometry, share) => {
        const row = Math.floor(share * Math.max(0, geometry.rowCount - 1));
        const top = topToShow(geometry, 0, row, true);
        expect(clampTop(geometry, top)).toBe(top);
        const { first, last } = visibleRows(geometry, top);
        if (0 < geometry.rowCount) {
          expect(first).toBeLessThanOrEqual(row);
          expect(last).toBeGreaterThanOrEqual(row);
        }
        // Within a row, wherever a row is less than a pixel of the scrollbar; exact to the last bits elsewhere.
        const back = topOfScroll(geometry, scrollTopOf(geometry, top));
        expect(Math.abs(back - top)).toBeLessThan(1e-6 * Math.max(1, geometry.rowCount));
      }),
    );
  });

  it('showing a row moves as little as possible', () => {
    const geometry = { rowCount: 1000, rowHeight: 20, viewHeight: 200 };
    expect(topToShow(geometry, 50, 55, false)).toBe(50);
    expect(topToShow(geometry, 50, 60, false)).toBe(51);
    expect(topToShow(geometry, 50, 49, false)).toBe(49);
    expect(topToShow(geometry, 50, 500, true)).toBe(495);
    expect(topToShow(geometry, 50, 999, true)).toBe(990);
    expect(pageRows(geometry)).toBe(9);
  });

  it('an empty list has no rows', () => {
    const { first, last } = visibleRows({ rowCount: 0, rowHeight: 20, viewHeight: 200 }, 0);
    expect(last).toBeLessThan(first);
  });
});
