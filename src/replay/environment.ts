import type { Evidence } from '../model/evidence';
import type { Address, Nanoseconds } from '../model/units';

export type Zone = 'DMA' | 'DMA32' | 'NORMAL';

/** What the machine around the allocator answers. Implementations: seeded model, facts of the trace, recorded script. */
export interface Environment {
  /** Pages of 2^order; null when the allocation fails. `limit` is the highest address allowed. */
  allocatePages(order: number, zone: Zone, canBlock: boolean, nowNs: Nanoseconds): Address | null;
  freePages(start: Address, order: number): void;
  /** The atomic coherent pool of encrypted guests; null when empty. */
  allocateAtomic(bytes: number): Address | null;
  freeAtomic(start: Address, bytes: number): void;
  /** Metadata and slot arrays. */
  allocateMeta(bytes: number, canBlock: boolean): boolean;
  /** Time from queueing the growth worker to the pool being usable. */
  workerDelayNs(nowNs: Nanoseconds): Nanoseconds;
  rcuDelayNs(): Nanoseconds;
  /** Each value with where it comes from. */
  readonly evidence: Readonly<Record<string, Evidence>>;
}
