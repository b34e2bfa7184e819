/**
 * A hash map from addresses (Float64, exact integers below 2^53) to non-negative integers.
 * A `Map` would box every key above 2^31; millions of lookups go through here.
 */
export class AddressMap {
  private keys = new Float64Array(1024).fill(Number.NaN);
  private values = new Int32Array(1024);
  private mask = 1023;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** The value, or -1 when the address was never set. */
  get(address: number): number {
    const keys = this.keys;
    let at = hashOf(address) & this.mask;
    for (;;) {
      const key = keys[at];
      if (key === address) {
        return this.values[at];
      }
      if (Number.isNaN(key)) {
        return -1;
      }
      at = (at + 1) & this.mask;
    }
  }

  /** NaN is not an address and is ignored. */
  set(address: number, value: number): void {
    if (Number.isNaN(address)) {
      return;
    }
    const keys = this.keys;
    let at = hashOf(address) & this.mask;
    for (;;) {
      const key = keys[at];
      if (key === address) {
        this.values[at] = value;
        return;
      }
      if (Number.isNaN(key)) {
        keys[at] = address;
        this.values[at] = value;
        this.count++;
        if (this.count * 2 > this.mask) {
          this.grow();
        }
        return;
      }
      at = (at + 1) & this.mask;
    }
  }

  private grow(): void {
    const oldKeys = this.keys;
    const oldValues = this.values;
    const capacity = oldKeys.length * 2;
    this.keys = new Float64Array(capacity).fill(Number.NaN);
    this.values = new Int32Array(capacity);
    this.mask = capacity - 1;
    for (let i = 0; i < oldKeys.length; i++) {
      const key = oldKeys[i];
      if (!Number.isNaN(key)) {
        let at = hashOf(key) & this.mask;
        while (!Number.isNaN(this.keys[at])) {
          at = (at + 1) & this.mask;
        }
        this.keys[at] = key;
        this.values[at] = oldValues[i];
      }
    }
  }
}

/** Addresses differ mostly in bits 9 to 40: fold the high word in, then mix. */
function hashOf(address: number): number {
  const high = Math.floor(address / 4294967296);
  let hash = (address - high * 4294967296) | 0;
  hash = Math.imul(hash ^ (high * 0x9e3779b1), 0x85ebca6b);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 13);
}
