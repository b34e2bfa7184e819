import { formatBytes } from '../base/format';
import { MIN_POOL_SLOTS, SLOT_BYTES } from '../model/units';

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
