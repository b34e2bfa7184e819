import { type Bytes, SEGMENT_SLOTS, type Slots } from '../model/units';

/** limit_nareas: every area has at least one segment. */
export function limitAreas(areas: number, slots: Slots): number {
  return slots < areas * SEGMENT_SLOTS ? Math.floor(slots / SEGMENT_SLOTS) : areas;
}

/** get_order: the smallest order with 2^order pages holding the bytes. */
export function pageOrder(bytes: Bytes, pageSize: Bytes): number {
  let order = 0;
  for (let size = pageSize; size < bytes; size *= 2) {
    order++;
  }
  return order;
}

/** Slots rounded up to whole segments. */
export function roundUpToSegment(slots: Slots): Slots {
  return Math.ceil(slots / SEGMENT_SLOTS) * SEGMENT_SLOTS;
}
