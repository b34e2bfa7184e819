import { low32 } from '../../src/base/address';
import type { OrderStep } from '../../src/replay/verify/configuration';

/** A request as this allocator needs it. */
export interface SequentialRequest {
  readonly original: number;
  readonly sizeBytes: number;
  readonly alignMask: number;
  readonly minAlignMask: number;
}

interface SequentialPool {
  readonly start: number;
  readonly slots: number;
  readonly areas: number;
  readonly used: Uint8Array;
  readonly index: number[];
}

/**
 * The search of 6.9 and later, one candidate after the other over an array of bytes: no list, no index over free runs,
 * no code shared with the shipped allocator. Follows an order of steps and says which step it would have done otherwise.
 */
export class SequentialSlots {
  readonly pools: SequentialPool[];

  constructor(pools: readonly { readonly start: number; readonly slots: number; readonly areas: number }[]) {
    this.pools = pools.map((pool) => ({
      ...pool,
      used: new Uint8Array(pool.slots),
      index: new Array<number>(pool.areas).fill(0),
    }));
  }

  /** Slots of a request, padding included. */
  slotsOf(request: SequentialRequest): number {
    const kept = request.alignMask | 0x7ff;
    const offset = (low32(request.original) & request.minAlignMask & kept) >>> 0;
    const unit = request.alignMask + 1;
    const bytes = Math.ceil((request.sizeBytes + offset) / unit) * unit;
    return Math.ceil(bytes / 2048);
  }

  /** First slot the area has for the request; -1 none. */
  find(poolIndex: number, area: number, request: SequentialRequest): number {
    const pool = this.pools[poolIndex];
    const length = pool.slots / pool.areas;
    const base = area * length;
    const count = this.slotsOf(request);
    let align = request.alignMask;
    const padded = this.paddedBytes(request);
    if (align === 0 && request.minAlignMask === 0 && padded >= 4096) {
      align = 4095;
    }
    align |= 0x7ff;
    const copied = (request.minAlignMask & ~align) >>> 0;
    const stride = (Math.max(align, copied) >>> 11) + 1;
    let index = pool.index[area];
    for (let checked = 0; checked < length; ) {
      const address = low32(pool.start + (base + index) * 2048);
      const matches = (address & align) === 0 && (address & copied) === (low32(request.original) & copied);
      if (!matches) {
        index = index + 1 >= length ? 0 : index + 1;
        checked++;
        continue;
      }
      if (this.isFree(pool, base + index, count)) {
        return base + index;
      }
      index = index + stride >= length ? 0 : index + stride;
      checked += stride;
    }
    return -1;
  }

  /** Does one step; a sentence when this allocator disagrees with it, else ''. */
  follow(step: OrderStep, request: SequentialRequest | null): string {
    const pool = this.pools[step.pool];
    switch (step.kind) {
      case 'pool':
      case 'transient':
        return '';
      case 'release':
        pool.used.fill(0, step.slot, step.slot + step.slots);
        return '';
      default: {
        const found = request === null ? -1 : this.find(step.pool, step.area, request);
        if (found !== step.slot) {
          return `${step.kind} of row ${step.row}: ${found} instead of ${step.slot} in area ${step.area} of pool ${step.pool}`;
        }
        if (found >= 0) {
          const length = pool.slots / pool.areas;
          const after = found - step.area * length + step.slots;
          pool.index[step.area] = after >= length ? 0 : after;
        }
        if (step.kind === 'take') {
          pool.used.fill(1, step.slot, step.slot + step.slots);
        }
        return '';
      }
    }
  }

  private paddedBytes(request: SequentialRequest): number {
    const kept = request.alignMask | 0x7ff;
    const offset = (low32(request.original) & request.minAlignMask & kept) >>> 0;
    const unit = request.alignMask + 1;
    return Math.ceil((request.sizeBytes + offset) / unit) * unit;
  }

  private isFree(pool: SequentialPool, slot: number, count: number): boolean {
    if ((slot % 128) + count > 128) {
      return false;
    }
    for (let at = slot; at < slot + count; at++) {
      if (pool.used[at] !== 0) {
        return false;
      }
    }
    return true;
  }
}
