import type { GenerationRules } from '../../allocator/search/rules';
import type { SearchRequest } from '../../allocator/search/searchPlan';
import { low32 } from '../../base/address';
import { type Address, type Bytes, bytesToSlots, SLOT_BYTES, SLOT_SHIFT } from '../../model/units';

/** A request as the search sees it, and how its bounce address follows from the first slot. Reused. */
export interface PaddedRequest extends SearchRequest {
  /** pad_slots: slots before the one the bounce address lies in. */
  pad: number;
  /** Offset of the bounce address inside its slot. */
  offset: Bytes;
}

export function createPaddedRequest(): PaddedRequest {
  return {
    slots: 0,
    sizeBytes: 0,
    original: 0,
    minAlignMask: 0,
    allocAlignMask: 0,
    segBoundaryMask: Number.POSITIVE_INFINITY,
    pad: 0,
    offset: 0,
  };
}

/** Masks and arguments of one attempt to map. */
export interface MapArguments {
  readonly original: Address;
  readonly sizeBytes: Bytes;
  readonly allocAlignMask: number;
  readonly minAlignMask: number;
  readonly segBoundaryMask: Address;
}

/**
 * Padding as swiotlb_tbl_map_single applies it: from 6.9 the offset covers alloc_align_mask and the size is rounded up
 * to it; before, only the offset inside a slot is kept and the search is told the caller's size.
 */
export function padRequest(into: PaddedRequest, rules: GenerationRules, given: MapArguments): PaddedRequest {
  const mask = rules.deviceMask ? given.minAlignMask : 0;
  const kept = rules.prePadding ? given.allocAlignMask | 0x7ff : 0x7ff;
  const offset = (low32(given.original) & mask & kept) >>> 0;
  let padded = given.sizeBytes + offset;
  if (rules.prePadding && given.allocAlignMask > 0) {
    const unit = given.allocAlignMask + 1;
    padded = Math.ceil(padded / unit) * unit;
  }
  into.slots = bytesToSlots(padded);
  into.sizeBytes = rules.prePadding ? padded : given.sizeBytes;
  into.original = given.original;
  into.minAlignMask = mask;
  into.allocAlignMask = given.allocAlignMask;
  into.segBoundaryMask = given.segBoundaryMask;
  into.pad = offset >>> SLOT_SHIFT;
  into.offset = offset % SLOT_BYTES;
  return into;
}
