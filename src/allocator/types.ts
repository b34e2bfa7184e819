import type { Cause } from '../model/cause';
import type { Generation } from '../model/geometry';
import type { Address, Bytes, Slots } from '../model/units';

/** Masks of a device as the allocator sees them. */
export interface DeviceMasks {
  /** *dma_mask as an address: Infinity for all ones. */
  readonly dmaMask: Address;
  /** bus_dma_limit; 0 none. */
  readonly busDmaLimit: Address;
  /** dma_get_min_align_mask: contiguous low bits below 2^32. */
  readonly minAlignMask: number;
  /** dma_get_seg_boundary; Infinity for all ones. */
  readonly segBoundaryMask: Address;
  /** SEV/TDX/CCA: non-blocking allocations come from the atomic coherent pool only. */
  readonly forceUnencrypted: boolean;
}

export interface PoolSpec {
  readonly kind: 'boot' | 'grown' | 'transient' | 'restricted';
  readonly start: Address;
  readonly slots: Slots;
  readonly areas: number;
}

export interface IoTlbSpec {
  readonly generation: Generation;
  /** CONFIG_SWIOTLB_DYNAMIC. */
  readonly dynamic: boolean;
  /** can_grow: growth and transient pools allowed. */
  readonly canGrow: boolean;
  readonly pageSize: Bytes;
  /** MAX_PAGE_ORDER. */
  readonly maxPageOrder: number;
  readonly defaultSlots: Slots;
  readonly defaultAreas: number;
  readonly physLimit: Address;
  /** zone_dma_limit, 0xffffff on x86. */
  readonly zoneDmaLimit: Address;
  readonly boot: PoolSpec | null;
}

/** Running totals; the vectors' `cost` is the difference over one operation. */
export interface AllocatorCost {
  areaLocks: number;
  probes: number;
  poolsVisited: number;
  lookups: number;
  listSteps: number;
}

/** Where slots of a mapping are. Pool ids count up in order of creation and are never reused. */
export interface Placement {
  readonly pool: number;
  /** Slot of the bounce address: first allocated slot plus pre-padding. */
  readonly slot: number;
  /** First allocated slot. */
  readonly firstSlot: number;
  readonly slots: Slots;
  readonly address: Address;
  /** pad_slots. */
  readonly pad: number;
  readonly transient: boolean;
}

export interface MapFailure {
  readonly cause: Cause;
  /** Padded size as the kernel prints it in "buffer is full". */
  readonly printedBytes: Bytes;
  /** Free slots in listed pools, and the longest run inside one segment of one area; -1 when not determined. */
  readonly freeSlots: Slots;
  readonly largestHole: Slots;
}
