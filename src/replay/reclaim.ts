import type { Environment } from './environment';

/** What a blocking allocation may do when there is no free block at once. */
export type ReclaimMode = 'NOIO' | 'KERNEL';

/**
 * An environment that tells whether a blocking allocation had to reclaim memory first.
 * Reclaim may have to write pages out; with GFP_KERNEL in the middle of block I/O that waits for itself.
 */
export interface ReclaimWatch {
  readonly environment: Environment;
  /** Blocking allocations that found no block at once, since `reset`. */
  reclaims(): number;
  reset(): void;
}

export function watchReclaim(environment: Environment): ReclaimWatch {
  let reclaims = 0;
  return {
    environment: {
      ...environment,
      allocatePages(order, zone, canBlock) {
        const start = environment.allocatePages(order, zone, false);
        if (start !== null || !canBlock) {
          return start;
        }
        reclaims++;
        return environment.allocatePages(order, zone, true);
      },
    },
    reclaims: () => reclaims,
    reset: () => {
      reclaims = 0;
    },
  };
}
