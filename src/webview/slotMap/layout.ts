import { SEGMENT_SLOTS } from '../../model/units';
import type { SlotPoolView } from '../../protocol/slots';

/** Where a transient pool stands in the rows of its block. */
export interface Spot {
  readonly row: number;
  readonly column: number;
}

/** One pool, or all transient pools: a heading and a row per segment. CSS pixels from the top of the whole map. */
export interface PoolBlock {
  readonly firstPool: number;
  /** More than one only for transient pools. */
  readonly pools: number;
  /** Transient pools only, as many as are drawn: one after the other, a slot apart, row by row. */
  readonly spots: readonly Spot[] | null;
  readonly top: number;
  readonly rowsTop: number;
  readonly rows: number;
  readonly bottom: number;
}

export interface MapLayout {
  readonly blocks: readonly PoolBlock[];
  readonly height: number;
  readonly rowHeight: number;
  /** Left end of slot 0 of a segment. */
  readonly left: number;
  readonly slotWidth: number;
}

/** Room for the heading, and for a failed request above the first row. */
export const headingHeight = 34;
const gap = 10;
/** Taller rows show nothing more. */
const tallestRow = 28;
const scrolledRow = 6;
/** Rows of transient pools; a flood of them would hide the pool it is about. */
export const mostTransientRows = 64;

export interface LayoutOptions {
  readonly width: number;
  /** Of the visible part. */
  readonly height: number;
  /** 1: everything is visible at once, if it need be with several segments in a pixel; each 2 × doubles the rows. */
  readonly zoom: number;
  /** Pools of the map beside: rows are as high in both, so that they can be compared. */
  readonly beside?: readonly SlotPoolView[];
}

interface Group {
  readonly firstPool: number;
  readonly pools: number;
  readonly rows: number;
  readonly spots: readonly Spot[] | null;
}

export function layoutMap(pools: readonly SlotPoolView[], options: LayoutOptions): MapLayout {
  const { width, height, zoom, beside } = options;
  const groups = groupsOf(pools);
  const own = fittedRow(groups, height);
  const other = beside === undefined ? own : fittedRow(groupsOf(beside), height);
  // A map of hundreds of rows beside one of four would leave nothing of the four.
  const fitted = other < own / 4 ? own : Math.min(own, other);
  // Whole pixels where there is one: uneven rows would look like different ones.
  const scaled = Math.min(Math.max(tallestRow, fitted), fitted * zoom);
  const rowHeight = scaled < 1 ? scaled : Math.floor(scaled);
  const left = width < 480 ? 30 : 62;
  const slotWidth = Math.max(1, (width - left - 2) / SEGMENT_SLOTS);
  const blocks: PoolBlock[] = [];
  let top = 0;
  for (const group of groups) {
    const rowsTop = top + headingHeight;
    const bottom = rowsTop + group.rows * rowHeight;
    blocks.push({ ...group, top, rowsTop, bottom });
    top = bottom + gap;
  }
  return { blocks, height: Math.max(0, top - gap), rowHeight, left, slotWidth };
}

/** Row height at which all rows are visible at once. */
function fittedRow(groups: readonly Group[], height: number): number {
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  const room = height - groups.length * (headingHeight + gap);
  const fitted = Math.max(40, room) / Math.max(1, rows);
  // Where headings alone fill the view, it is scrolled anyway.
  return Math.min(tallestRow, room < height / 3 ? Math.max(scrolledRow, fitted) : fitted);
}

/** Transient pools come last and share a group. */
function groupsOf(pools: readonly SlotPoolView[]): readonly Group[] {
  const groups: Group[] = [];
  const transientFrom = pools.findIndex((pool) => pool.kind === 'transient');
  const permanent = transientFrom < 0 ? pools.length : transientFrom;
  for (let index = 0; index < permanent; index++) {
    const rowCount = Math.ceil(pools[index]!.slots / SEGMENT_SLOTS);
    groups.push({ firstPool: index, pools: 1, rows: rowCount, spots: null });
  }
  if (permanent < pools.length) {
    const spots = spotsOf(pools.slice(permanent));
    const rowCount = (spots[spots.length - 1]?.row ?? 0) + 1;
    groups.push({ firstPool: permanent, pools: pools.length - permanent, rows: rowCount, spots });
  }
  return groups;
}

/** Small pools share a row, a slot apart; those that no row is left for have no spot. */
function spotsOf(pools: readonly SlotPoolView[]): readonly Spot[] {
  const spots: Spot[] = [];
  let row = 0;
  let column = 0;
  for (const { slots } of pools) {
    const width = Math.min(slots, SEGMENT_SLOTS);
    if (SEGMENT_SLOTS < column + width) {
      row++;
      column = 0;
    }
    if (row === mostTransientRows) {
      break;
    }
    spots.push({ row, column });
    column += width + 1;
  }
  return spots;
}

/** Zooming in further changes nothing. */
export function isLargest({ rowHeight }: MapLayout): boolean {
  return tallestRow <= rowHeight;
}

/** The slot at a place of the whole map; null beside the pools. */
export function slotAt(
  { blocks, rowHeight, left, slotWidth }: MapLayout,
  pools: readonly SlotPoolView[],
  x: number,
  y: number,
): { readonly pool: number; readonly slot: number } | null {
  const block = blocks.find((candidate) => candidate.rowsTop <= y && y < candidate.bottom);
  const column = Math.floor((x - left) / slotWidth);
  if (block === undefined || column < 0 || SEGMENT_SLOTS <= column) {
    return null;
  }
  const row = Math.min(block.rows - 1, Math.floor((y - block.rowsTop) / rowHeight));
  const { spots, firstPool } = block;
  if (spots === null) {
    const slot = row * SEGMENT_SLOTS + column;
    return slot < pools[firstPool]!.slots ? { pool: firstPool, slot } : null;
  }
  const at = spots.findIndex(
    (spot, index) =>
      spot.row === row && spot.column <= column && column < spot.column + pools[firstPool + index]!.slots,
  );
  return at < 0 ? null : { pool: firstPool + at, slot: column - spots[at]!.column };
}

/** Where a slot is drawn: the top left corner; null for transient pools without a spot. */
export function placeOf(
  { blocks, rowHeight, left, slotWidth }: MapLayout,
  pool: number,
  slot: number,
): { readonly x: number; readonly y: number; readonly row: number } | null {
  const block = blocks.find((candidate) => candidate.firstPool <= pool && pool < candidate.firstPool + candidate.pools);
  if (block === undefined) {
    return null;
  }
  if (block.spots === null) {
    const row = Math.floor(slot / SEGMENT_SLOTS);
    const x = left + (slot % SEGMENT_SLOTS) * slotWidth;
    return { x, y: block.rowsTop + row * rowHeight, row };
  }
  const spot = block.spots[pool - block.firstPool];
  const column = spot === undefined ? 0 : Math.min(spot.column + slot, SEGMENT_SLOTS - 1);
  return spot === undefined
    ? null
    : { x: left + column * slotWidth, y: block.rowsTop + spot.row * rowHeight, row: spot.row };
}
