import type { Known } from './evidence';
import type { Address, Bytes, Slots } from './units';

/**
 * Version of the kernel's allocator, named after the first release that has it:
 * `4.18` one lock and one index (until 5.19); `6.1` areas (6.0–6.2); `6.6` (6.3–6.7, dynamic is pool-major);
 * `6.8` (area-major, early refusal over 256 KiB); `6.12` (6.9 and later).
 */
export const generations = ['4.18', '6.1', '6.6', '6.8', '6.12'] as const;
export type Generation = (typeof generations)[number];

export interface DeviceGeometry {
  /** Row of the device table. */
  readonly device: number;
  readonly name: string;
  /** Bits of the DMA mask: 64 all ones, 0 none. */
  readonly dmaMaskBits: Known<number>;
  /** Bits of the bus limit: 0 none. */
  readonly busLimitBits: Known<number>;
  /** min_align_mask, e.g. 0xfff for NVMe. */
  readonly minAlignMask: Known<number>;
  /** Bits of the segment boundary mask: 64 none. */
  readonly segBoundaryBits: Known<number>;
  readonly deviceClass: Known<'block' | 'net' | 'other' | 'unknown'>;
}

export interface PoolGeometry {
  readonly id: number;
  readonly kind: 'boot' | 'grown' | 'transient' | 'restricted';
  /** NaN unknown: the boot pool of a trace without one bounce address. */
  readonly start: Known<Address>;
  readonly slots: Known<Slots>;
  readonly areas: Known<number>;
}

/** The kernel a trace was recorded on, or the one a replay pretends. */
export interface Geometry {
  readonly generation: Known<Generation>;
  /** CONFIG_SWIOTLB_DYNAMIC. */
  readonly dynamic: Known<boolean>;
  readonly pageSize: Known<Bytes>;
  /** Possible CPUs. */
  readonly cpus: Known<number>;
  /** Boot pool first; restricted pools after it. Grown and transient pools of the recording are in `recordedPools`. */
  readonly pools: readonly PoolGeometry[];
  readonly recordedPools: readonly PoolGeometry[];
  /** default_nslabs and default_nareas of the kernel: what the growth worker asks for. */
  readonly defaultSlots: Known<Slots>;
  readonly defaultAreas: Known<number>;
  /** Top of the memory grown pools may come from. */
  readonly physLimit: Known<Address>;
  readonly devices: readonly DeviceGeometry[];
}

/** What the user may override; everything else stays as found. Keys of maps are device names. */
export interface GeometryOverrides {
  readonly generation?: Generation;
  readonly dynamic?: boolean;
  readonly pageSize?: Bytes;
  readonly cpus?: number;
  readonly poolStart?: Address;
  readonly poolSlots?: Slots;
  readonly areas?: number;
  /** Value of a `swiotlb=` parameter, run through boot sizing. */
  readonly boot?: string;
  readonly minAlign?: Readonly<Record<string, number>>;
  readonly dmaMaskBits?: Readonly<Record<string, number>>;
  readonly segBoundaryBits?: Readonly<Record<string, number>>;
  readonly deviceClass?: Readonly<Record<string, 'block' | 'net' | 'other'>>;
}
