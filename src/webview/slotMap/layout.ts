import { SEGMENT_SLOTS } from '../../model/units';
import type { SlotPoolView } from '../../protocol/slots';

/** One pool, or all transient pools: a heading and a row per segment. CSS pixels from the top of the whole map. */
export interface PoolBlock {
  readonly firstPool: number;
  /** More than one only for transient pools: a row each. */
  readonly pools: number;
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
/** Transient pools that get a row; a flood of them would hide the pool it is about. */
export const mostTransientRows = 64;

export interface LayoutOptions {
  readonly width: number;
  /** Of the visible part. */
  readonly height: number;
  /** 1: everything is visible at once, if it need be with several segments in a pixel; each 2 × doubles the rows. */
  readonly zoom: number;
}

export function layoutMap(pools: readonly SlotPoolView[], { width, height, zoom }: LayoutOptions): MapLayout {
  const groups: { firstPool: number; pools: number; rows: number }[] = [];
  pools.forEach((pool, index) => {
    const last = groups[groups.length - 1];
    if (pool.kind !== 'transient') {
      groups.push({ firstPool: index, pools: 1, rows: Math.ceil(pool.slots / SEGMENT_SLOTS) });
    } else if (last !== undefined && pools[last.firstPool]!.kind === 'transient') {
      last.pools++;
      last.rows = Math.min(last.rows + 1, mostTransientRows);
    } else {
      groups.push({ firstPool: index, pools: 1, rows: 1 });
    }
  });
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  const headings = groups.length * (headingHeight + gap);
  const fitted = Math.min(tallestRow, Math.max(40, height - headings) / Math.max(1, rows));
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
  const isTransient = pools[block.firstPool]!.kind === 'transient';
  const pool = isTransient ? block.firstPool + row : block.firstPool;
  const slot = isTransient ? column : row * SEGMENT_SLOTS + column;
  return slot < pools[pool]!.slots ? { pool, slot } : null;
}

/** Where a slot is drawn: the top left corner; null for transient pools without a row. */
export function placeOf(
  { blocks, rowHeight, left, slotWidth }: MapLayout,
  pools: readonly SlotPoolView[],
  pool: number,
  slot: number,
): { readonly x: number; readonly y: number; readonly row: number } | null {
  const block = blocks.find((candidate) => candidate.firstPool <= pool && pool < candidate.firstPool + candidate.pools);
  if (block === undefined) {
    return null;
  }
  const isTransient = pools[block.firstPool]!.kind === 'transient';
  const row = isTransient ? pool - block.firstPool : Math.floor(slot / SEGMENT_SLOTS);
  const column = isTransient ? Math.min(slot, SEGMENT_SLOTS - 1) : slot % SEGMENT_SLOTS;
  return row < block.rows ? { x: left + column * slotWidth, y: block.rowsTop + row * rowHeight, row } : null;
}
