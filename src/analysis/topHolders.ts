import type { Cause } from '../model/cause';
import type { Analysis } from './analysis';
import { suspectedLeaks } from './leaks';
import { holdersAt } from './occupancy';

/** Causes where it matters who has the slots. */
export const slotCauses: ReadonlySet<Cause> = new Set<Cause>([
  'pool-full',
  'fragmented',
  'alignment',
  'growth-too-late',
  'allocation-failed',
]);

export interface TopHolder {
  readonly name: string;
  readonly driver: string;
  readonly slots: number;
  /** Of the pool, 0 to 1; of the slots in use where the size of the pool is not known. */
  readonly share: number;
  /** Line of its oldest mapping that is still held; 0 when all are from before the trace. */
  readonly oldestLine: number;
  readonly leaks: boolean;
}

/** The devices with the most slots just before a line, at most three; `totalSlots` -1: not known. */
export function topHolders(
  analysis: Analysis,
  place: { readonly source: number; readonly line: number },
  totalSlots: number,
): readonly TopHolder[] {
  const leaks = suspectedLeaks(analysis);
  const holders = holdersAt(analysis, place.source, place.line);
  const held = holders.reduce((sum, holder) => sum + holder.slots, 0);
  // Grown pools may have come after the last printed total.
  const total = Math.max(totalSlots, held);
  return holders.slice(0, 3).map((holder) => ({
    name: analysis.tables.devices[holder.device]?.name ?? '',
    driver: analysis.tables.devices[holder.device]?.driver ?? '',
    share: total > 0 ? Math.min(1, holder.slots / total) : 0,
    slots: holder.slots,
    oldestLine: holder.oldestLine,
    leaks: leaks.some((leak) => leak.device === holder.device),
  }));
}
