import { SEGMENT_SLOTS } from '../../model/units';
import type { Classes } from './classes';
import type { MapLayout } from './layout';
import type { MapData } from './mapData';

/** What each drawn slot is: `free`, `noSlot`, else one more than its class. Rows of one segment each. */
export interface MapCells {
  readonly kind: Uint8Array;
  /** 1: a mapping begins here. */
  readonly begins: Uint8Array;
  /** Per block of the layout its first row. */
  readonly firstRow: readonly number[];
}

export const free = 0;
/** Behind the end of a pool that is no multiple of a segment. */
export const noSlot = 255;

export function mapCells(data: MapData, { classOf }: Classes, { blocks }: MapLayout): MapCells {
  const rows = blocks.reduce((sum, block) => sum + block.rows, 0);
  const kind = new Uint8Array(rows * SEGMENT_SLOTS).fill(noSlot);
  const begins = new Uint8Array(rows * SEGMENT_SLOTS);
  const firstRow: number[] = [];
  let row = 0;
  for (const block of blocks) {
    firstRow.push(row);
    const shown = block.spots?.length ?? 1;
    for (let index = 0; index < shown; index++) {
      const spot = block.spots?.[index] ?? { row: 0, column: 0 };
      const room = block.spots === null ? block.rows * SEGMENT_SLOTS : SEGMENT_SLOTS - spot.column;
      const start = (row + spot.row) * SEGMENT_SLOTS + spot.column;
      const pool = block.firstPool + index;
      const slots = Math.min(room, data.view.pools[pool]!.slots);
      kind.fill(free, start, start + slots);
      for (let mapping = data.poolStart[pool]!; mapping < data.poolStart[pool + 1]!; mapping++) {
        const first = data.firstSlot[mapping]!;
        const end = Math.min(slots, first + data.slots[mapping]!);
        if (first < end) {
          kind.fill(classOf[mapping]! + 1, start + first, start + end);
          begins[start + first] = 1;
        }
      }
    }
    row += block.rows;
  }
  return { kind, begins, firstRow };
}
