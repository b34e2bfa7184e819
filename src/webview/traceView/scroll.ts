/**
 * Positions in a list of any length. A browser's element cannot be higher than some ten million pixels, so the
 * scrollbar is a scaled picture of the list; the list itself moves by rows, also by fractions of one.
 */
export interface ScrollGeometry {
  readonly rowCount: number;
  readonly rowHeight: number;
  /** Height of the visible part, in pixels. */
  readonly viewHeight: number;
}

/** Firefox gives up above 17.8 million pixels, others above 33 million; device pixel ratios take their share. */
export const maxScrollHeight = 6_000_000;

/** Height of what the scrollbar scrolls. */
export function scrollHeight({ rowCount, rowHeight, viewHeight }: ScrollGeometry): number {
  return Math.max(viewHeight, Math.min(maxScrollHeight, rowCount * rowHeight));
}

/** The topmost row that the list can begin with, so that its last row stands at the lower edge. */
export function maxTop({ rowCount, rowHeight, viewHeight }: ScrollGeometry): number {
  return Math.max(0, rowCount - viewHeight / rowHeight);
}

export function clampTop(geometry: ScrollGeometry, top: number): number {
  return Math.min(Math.max(0, top), maxTop(geometry));
}

/** Where the scrollbar stands when `top` (a row, with its fraction) is at the upper edge. */
export function scrollTopOf(geometry: ScrollGeometry, top: number): number {
  const most = maxTop(geometry);
  return most === 0 ? 0 : (clampTop(geometry, top) / most) * (scrollHeight(geometry) - geometry.viewHeight);
}

/** The row at the upper edge when the user put the scrollbar at `scrollTop`. */
export function topOfScroll(geometry: ScrollGeometry, scrollTop: number): number {
  const range = scrollHeight(geometry) - geometry.viewHeight;
  return range <= 0 ? 0 : clampTop(geometry, (scrollTop / range) * maxTop(geometry));
}

/** Rows that are at least partly visible; `last` is included. Empty lists have `last` before `first`. */
export function visibleRows(geometry: ScrollGeometry, top: number): { readonly first: number; readonly last: number } {
  const first = Math.floor(clampTop(geometry, top));
  const rows = Math.ceil(geometry.viewHeight / geometry.rowHeight) + 1;
  return { first, last: Math.min(geometry.rowCount, first + rows) - 1 };
}

/** Rows that are wholly visible: what a page key moves by. */
export function pageRows({ rowHeight, viewHeight }: ScrollGeometry): number {
  return Math.max(1, Math.floor(viewHeight / rowHeight) - 1);
}

/** The least movement that shows `row` wholly; with `isCentred` a row out of sight comes to the middle. */
export function topToShow(geometry: ScrollGeometry, top: number, row: number, isCentred: boolean): number {
  const rows = geometry.viewHeight / geometry.rowHeight;
  const isVisible = top <= row && row + 1 <= top + rows;
  if (isVisible) {
    return clampTop(geometry, top);
  }
  if (isCentred) {
    return clampTop(geometry, Math.floor(row - rows / 2));
  }
  return clampTop(geometry, row < top ? row : row + 1 - rows);
}
