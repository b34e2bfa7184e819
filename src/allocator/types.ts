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

/** Zones as ZONE_DMA, ZONE_DMA32 and ZONE_NORMAL of x86-64. */
export type Zone = 'DMA' | 'DMA32' | 'NORMAL';

/**
 * What the allocator asks of the machine around it, in the kernel's order.
 * An implementation decides about failures and addresses; the allocator checks limits and retries other zones itself.
 */
export interface AllocatorPort {
  /** alloc_pages: 2^order pages, naturally aligned; null when there are none. `canBlock`: GFP_KERNEL, else GFP_NOWAIT. */
  allocatePages(order: number, zone: Zone, canBlock: boolean): Address | null;
  freePages(start: Address, order: number): void;
  /** dma_alloc_from_pool: the atomic coherent pool of encrypted guests; null when it is exhausted. */
  allocateAtomic(bytes: Bytes): Address | null;
  freeAtomic(start: Address, bytes: Bytes): void;
  /** The pool descriptor with its areas (kzalloc). */
  allocateMeta(bytes: Bytes, canBlock: boolean): boolean;
  /** The array of slot descriptors, 2^order pages. */
  allocateSlotArray(order: number, canBlock: boolean): boolean;
}

/** Lines the kernel would log, rate limiting off. `WARN`: a WARN_ONCE, given every time. */
export interface MessageSink {
  message(level: 'info' | 'warn' | 'WARN', text: string): void;
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
  /** The first pool: boot or restricted. null: swiotlb is not initialised. */
  readonly boot: PoolSpec | null;
  /** CONFIG_DEBUG_FS; absent: on. Off, `used` leaves out transient pools and there is no high-water mark. */
  readonly debugFs?: boolean;
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
