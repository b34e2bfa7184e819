/** One step of the order that was found: a certificate that another allocator can follow. */
export interface OrderStep {
  readonly kind: 'miss' | 'take' | 'release' | 'pool' | 'transient' | 'refused';
  /** Row of the request table; for 'pool' the index of the pool. */
  readonly row: number;
  readonly pool: number;
  readonly area: number;
  readonly slot: number;
  readonly slots: number;
}

export interface Trail {
  readonly step: OrderStep;
  readonly before: Trail | null;
}

/**
 * One way the operations so far can have been ordered. Everything that all configurations share (returned operations)
 * is in the slot states; a configuration holds what is its own.
 */
export interface Configuration {
  /** area.index of every area of every pool; shared between configurations until one changes it. */
  index: Int32Array;
  ownsIndex: boolean;
  /** Incremental hash of `index`. */
  hash: number;
  /** Listed grown pools. */
  head: number;
  /** Progress of each open map, parallel to `open`. */
  progress: number[];
  /** Steps of open operations that are not in the slot states: op for its map, ~op for its release. */
  deltas: number[];
  trail: Trail | null;
}

/** Keeps sums of `mix` exact. */
const HASH_MODULUS = 2 ** 52;

/** A configuration in which nothing has happened yet. */
export function createConfiguration(areas: number): Configuration {
  return {
    index: new Int32Array(areas),
    ownsIndex: true,
    hash: 0,
    head: 0,
    progress: [],
    deltas: [],
    trail: null,
  };
}

/** Sets area.index of one area. */
export function setIndex(at: Configuration, area: number, index: number): void {
  if (!at.ownsIndex) {
    at.index = at.index.slice();
    at.ownsIndex = true;
  }
  const sum = at.hash - mix(area, at.index[area]) + mix(area, index);
  at.hash = sum < 0 ? sum + HASH_MODULUS : sum % HASH_MODULUS;
  at.index[area] = index;
}

export function clone(at: Configuration): Configuration {
  at.ownsIndex = false;
  return {
    index: at.index,
    ownsIndex: false,
    hash: at.hash,
    head: at.head,
    progress: at.progress.slice(),
    deltas: at.deltas.slice(),
    trail: at.trail,
  };
}

export function emit(at: Configuration, found: Map<string, Configuration>): void {
  const key = keyOf(at);
  if (!found.has(key)) {
    found.set(key, clone(at));
  }
}

export function keyOf(at: Configuration): string {
  return `${at.hash},${at.head},${at.progress.join()}`;
}

/** A 52-bit contribution of one area's index to the hash of all. Sums of these commute. */
function mix(area: number, index: number): number {
  let low = Math.imul(area + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b);
  low = Math.imul(low ^ (low >>> 15), 0x2c1b3c6d);
  low = Math.imul(low ^ (low >>> 12), 0x297a2d39);
  let high = Math.imul(low ^ index, 0xc2b2ae35) ^ Math.imul(area + 7, 0x27d4eb2f);
  high ^= high >>> 13;
  return (high & 0xfffff) * 4294967296 + ((low ^ (low >>> 15)) >>> 0);
}
