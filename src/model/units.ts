/**
 * Units of plain numbers. The aliases document a signature; names of plain numbers carry the unit too (`sizeBytes`).
 * Conversions exist only here.
 */
export type Bytes = number;
/** Unit of the software IO TLB: 2 KiB (IO_TLB_SIZE). */
export type Slots = number;
/** Nanoseconds since the first event of the analysis; NaN when the clock gives order only. */
export type Nanoseconds = number;
/** Physical or DMA address, exact below 2^53. NaN when unknown. */
export type Address = number;
/** One-based line of a source's text, as editors show it; 0 when there is none. */
export type LineNumber = number;

/** IO_TLB_SHIFT. */
export const SLOT_SHIFT = 11;
/** IO_TLB_SIZE: 2 KiB. */
export const SLOT_BYTES: Bytes = 2048;
/** IO_TLB_SEGSIZE: the longest run one mapping may take, 256 KiB. */
export const SEGMENT_SLOTS: Slots = 128;
export const SEGMENT_BYTES: Bytes = SEGMENT_SLOTS * SLOT_BYTES;
/** IO_TLB_DEFAULT_SIZE in slots: 64 MiB. */
export const DEFAULT_POOL_SLOTS: Slots = 32768;
/** IO_TLB_MIN_SLABS: 1 MiB. */
export const MIN_POOL_SLOTS: Slots = 512;

/** nr_slots: slots needed for so many bytes. */
export function bytesToSlots(sizeBytes: Bytes): Slots {
  return Math.ceil(sizeBytes / SLOT_BYTES);
}

export function slotsToBytes(slots: Slots): Bytes {
  return slots * SLOT_BYTES;
}
