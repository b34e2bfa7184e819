import { upperBound } from '../../base/bisect';
import type { SlotsView } from '../../protocol/slots';

/** A `SlotsView` with its columns as numbers. */
export interface MapData {
  readonly view: SlotsView;
  readonly count: number;
  readonly move: Int32Array;
  readonly pool: Int32Array;
  readonly firstSlot: Int32Array;
  readonly slots: Int32Array;
  readonly device: Int32Array;
  readonly direction: Uint8Array;
  readonly bornNs: Float64Array;
  /** First mapping of each pool; one more than there are pools. */
  readonly poolStart: Int32Array;
}

export function mapData(view: SlotsView): MapData {
  const { mappings, pools } = view;
  const pool = new Int32Array(bytesOf(mappings.pool).buffer);
  const poolStart = new Int32Array(pools.length + 1);
  for (let index = 0; index <= pools.length; index++) {
    poolStart[index] = upperBound(pool, index - 1, mappings.count);
  }
  return {
    view,
    count: mappings.count,
    move: new Int32Array(bytesOf(mappings.move).buffer),
    pool,
    firstSlot: new Int32Array(bytesOf(mappings.firstSlot).buffer),
    slots: new Int32Array(bytesOf(mappings.slots).buffer),
    device: new Int32Array(bytesOf(mappings.device).buffer),
    direction: bytesOf(mappings.direction),
    bornNs: new Float64Array(bytesOf(mappings.bornNs).buffer),
    poolStart,
  };
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) {
    bytes[i] = binary.charCodeAt(i);
  }
  return bytes;
}

/** A mapping, or the free slots between two of them. */
export interface SlotRun {
  readonly pool: number;
  readonly firstSlot: number;
  readonly slots: number;
  /** Position of the mapping; null: free. */
  readonly mapping: number | null;
}

/** What covers a slot; null outside of the pools. */
export function runAt(data: MapData, pool: number, slot: number): SlotRun | null {
  const size = data.view.pools[pool]?.slots;
  if (size === undefined || slot < 0 || size <= slot) {
    return null;
  }
  const begin = data.poolStart[pool]!;
  const end = data.poolStart[pool + 1]!;
  const slots = data.firstSlot.subarray(begin, end);
  const index = begin + upperBound(slots, slot) - 1;
  if (begin <= index && slot < data.firstSlot[index]! + data.slots[index]!) {
    return { pool, firstSlot: data.firstSlot[index]!, slots: data.slots[index]!, mapping: index };
  }
  const from = begin <= index ? data.firstSlot[index]! + data.slots[index]! : 0;
  const to = index + 1 < end ? data.firstSlot[index + 1]! : size;
  return { pool, firstSlot: from, slots: to - from, mapping: null };
}

/** The run before or after one, over the borders of pools; null at both ends. */
export function neighbourRun(data: MapData, run: SlotRun, direction: 1 | -1): SlotRun | null {
  const slot = direction === 1 ? run.firstSlot + run.slots : run.firstSlot - 1;
  const within = runAt(data, run.pool, slot);
  if (within !== null) {
    return within;
  }
  const pool = run.pool + direction;
  const size = data.view.pools[pool]?.slots;
  return size === undefined ? null : runAt(data, pool, direction === 1 ? 0 : size - 1);
}

/** Area of a slot; null where the pool has one only. */
export function areaOf(data: MapData, pool: number, slot: number): number | null {
  const { areas, slots } = data.view.pools[pool]!;
  return areas < 2 ? null : Math.min(areas - 1, Math.floor(slot / Math.floor(slots / areas)));
}
