import { Pool } from '../../allocator/pool';
import type { GenerationRules } from '../../allocator/search/rules';
import type { PoolSpec } from '../../allocator/types';
import { type Bytes, SEGMENT_SLOTS, type Slots } from '../../model/units';

const SEGMENT_MASK = SEGMENT_SLOTS - 1;

/** `owner` of a slot nobody of the trace is known to hold. */
export const NO_OWNER = -1;
/** `owner` of a slot that must have been in use since before the trace: a search passed it. */
export const PHANTOM = -2;

/**
 * A pool whose slots carry a counter: a slot is free iff its counter is not above zero.
 * With that, taking and releasing runs commute, so steps of concurrent operations can be applied and undone in any order.
 */
export class SlotState {
  readonly pool: Pool;
  /** How many operations hold the slot. */
  readonly held: Int8Array;
  /** The operation that holds the slot, NO_OWNER or PHANTOM. */
  readonly owner: Int32Array;
  /**
   * When the trace last showed what happens to this slot, counted in gaps of the trace; 0 never. What it has not shown
   * may have been in use since before the trace.
   */
  readonly seen: Uint32Array;
  /** Gaps of the trace so far, plus one: what `seen` becomes. */
  now = 1;
  /** Per area: a slot that was not seen after this may be in use by a mapping that the trace does not show. */
  readonly unseenUntil: Uint32Array;
  /** When the last recorded mapping of the whole trace gets this slot, as an order key; 0 none does. */
  readonly lastUse: Float64Array;

  constructor(id: number, spec: PoolSpec, rules: GenerationRules, pageSize: Bytes) {
    this.pool = new Pool(id, spec, { pageSlots: pageSize / 2048, tailOverrun: rules.tailOverrun });
    this.held = new Int8Array(spec.slots);
    this.owner = new Int32Array(spec.slots).fill(NO_OWNER);
    this.seen = new Uint32Array(spec.slots);
    this.unseenUntil = new Uint32Array(this.pool.areas);
    this.lastUse = new Float64Array(spec.slots);
  }

  /** The trace does not tell whether somebody took the slot. */
  isUnknown(slot: number): boolean {
    return this.seen[slot] <= this.unseenUntil[this.pool.areaOf(slot)];
  }

  take(slot: number, count: Slots): void {
    const held = this.held;
    const end = slot + count;
    let from = slot;
    for (let at = slot; at <= end; at++) {
      const changes = at < end && ++held[at] === 1;
      if (changes && (at === from || (at & SEGMENT_MASK) !== 0)) {
        continue;
      }
      if (at > from) {
        this.pool.take(from, at - from, 0);
      }
      from = changes ? at : at + 1;
    }
  }

  release(slot: number, count: Slots): void {
    const held = this.held;
    const end = slot + count;
    let from = slot;
    for (let at = slot; at <= end; at++) {
      const changes = at < end && --held[at] === 0;
      if (changes && (at === from || (at & SEGMENT_MASK) !== 0)) {
        continue;
      }
      if (at > from) {
        this.pool.release(from, at - from, 0);
      }
      from = changes ? at : at + 1;
    }
  }

  own(slot: number, count: Slots, owner: number): void {
    this.owner.fill(owner, slot, slot + count);
    this.seen.fill(this.now, slot, slot + count);
  }

  /** Forgets `owner`; slots that a later mapping was recorded in stay with that one. */
  disown(slot: number, count: Slots, owner: number): void {
    for (let at = slot; at < slot + count; at++) {
      if (this.owner[at] === owner) {
        this.owner[at] = NO_OWNER;
      }
      this.seen[at] = this.now;
    }
  }
}
