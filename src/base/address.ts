/**
 * Addresses are Float64 (exact below 2^53), so the 32-bit operators of JavaScript cannot be used on them directly.
 * Masks of the allocator are contiguous low bits below 2^32.
 */

/** The low 32 bits of an address as an unsigned number, ready for `&` and `>>>`. */
export function low32(address: number): number {
  return (address % 4294967296) >>> 0;
}

/** `0x…` with no padding; the form used everywhere in text output. NaN and infinities give an empty string. */
export function formatHex(value: number): string {
  return Number.isFinite(value) ? `0x${value.toString(16)}` : '';
}

/** 2^bits - 1 for a mask of that many bits; 64 bits and more (all ones) give Infinity, 0 gives 0. */
export function maskOfBits(bits: number): number {
  return bits < 64 ? 2 ** bits - 1 : Number.POSITIVE_INFINITY;
}

/** The other way round: bits of a mask of contiguous low bits. All ones of 64 bits is 64. */
export function bitsOfMask(mask: number): number {
  return mask >= 2 ** 63 ? 64 : Math.round(Math.log2(mask + 1));
}
