import { formatBytes } from '../base/format';
import { MIN_POOL_SLOTS, SLOT_BYTES } from '../model/units';
import type { RunKey, TraceView } from '../protocol/views';

/** Name of the fixed policy's parameter for the size of its pool. */
export const poolSlotsParam = 'poolSlots';

/** Pool sizes to choose from: powers of two from the smallest pool to 8 GiB, and the recorded one. */
export function poolSizeChoices(
  recordedSlots: number | null,
  chosen: number | null,
): { slots: number; label: string }[] {
  const sizes = new Set<number>();
  for (let slots = MIN_POOL_SLOTS; slots * SLOT_BYTES <= 2 ** 33; slots *= 2) {
    sizes.add(slots);
  }
  for (const slots of [recordedSlots, chosen]) {
    if (slots !== null) {
      sizes.add(slots);
    }
  }
  return [...sizes]
    .sort((a, b) => a - b)
    .map((slots) => ({
      slots,
      label: `${formatBytes(slots * SLOT_BYTES)}${slots === recordedSlots ? ' (as recorded)' : ''}`,
    }));
}

/** A fixed pool of no named size would be the recorded one over again: it gets the size offered first. */
export function withDefaults(trace: TraceView, key: RunKey): RunKey {
  const isBare = key.policy === 'fixed' && key.set[poolSlotsParam] === undefined;
  return isBare ? { policy: 'fixed', set: { ...key.set, [poolSlotsParam]: defaultFixedSlots(trace) } } : key;
}

/** Twice the recorded pool, or the kernel's 64 MiB when that is more. */
function defaultFixedSlots(trace: TraceView): number {
  return Math.max(32768, 2 * (recordedSlots(trace) ?? 0));
}

/** Slots of the recorded pool; null when nothing tells. */
export function recordedSlots(trace: TraceView): number | null {
  return trace.geometry.pools.find((pool) => pool.slots !== null)?.slots ?? null;
}
