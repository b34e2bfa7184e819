import type { SlotState } from './slotState';

/**
 * What the trace has shown of every area so far. A map of unknown place or outcome, and a gap of the trace, may have
 * moved the area's index and taken free slots: until the trace shows them again, both are unknown.
 * Areas have one number over all pools: `base` of the pool plus the area in it.
 */
export class AreaKnowledge {
  /** Number of a pool's first area. */
  readonly bases: readonly number[];
  readonly areas: number;
  private readonly states: readonly SlotState[];
  /** 1: the index is known. */
  private readonly shown: Uint8Array;
  /** Gaps that are under way, and how often one began or ended. */
  private readonly open: Int32Array;
  private readonly passed: Int32Array;
  /** Areas that a gap under way concerns. */
  private readonly concernedBy = new Map<number, readonly number[]>();

  constructor(states: readonly SlotState[]) {
    this.states = states;
    const bases: number[] = [];
    let areas = 0;
    for (const { pool } of states) {
      bases.push(areas);
      areas += pool.areas;
    }
    this.bases = bases;
    this.areas = areas;
    this.shown = new Uint8Array(areas);
    this.open = new Int32Array(areas);
    this.passed = new Int32Array(areas);
  }

  /** Number of the area that holds a slot. */
  areaAt(pool: number, slot: number): number {
    return this.bases[pool] + this.states[pool].pool.areaOf(slot);
  }

  isShown(area: number): boolean {
    return this.shown[area] === 1;
  }

  /** A recorded place shows the index. `mark` was taken as the map began: something unseen since then may have come later. */
  show(area: number, mark: number): void {
    if (this.isUndisturbed(area, mark)) {
      this.shown[area] = 1;
    }
  }

  /** To be compared later: has a gap concerned the area since? */
  mark(area: number): number {
    return this.passed[area];
  }

  isUndisturbed(area: number, mark: number): boolean {
    return this.open[area] === 0 && this.passed[area] === mark;
  }

  get hasOpenGap(): boolean {
    return this.concernedBy.size > 0;
  }

  /** Attempts of which the trace shows neither the result nor all elements may have moved any area's index. */
  doubtAll(): void {
    this.shown.fill(0);
  }

  /** The gap concerns the area of its CPU (-1: any), and others where that one may have had no room. */
  enterGap(id: number, cpu: number): void {
    const concerned: number[] = [];
    for (const [index, { pool }] of this.states.entries()) {
      const own = cpu & (pool.areas - 1);
      const isOnly = cpu >= 0 && 2 * pool.areaUsed[own] < pool.areaSlots;
      for (let area = 0; area < pool.areas; area++) {
        if (!isOnly || area === own) {
          concerned.push(this.bases[index] + area);
          this.open[this.bases[index] + area]++;
        }
      }
    }
    this.concernedBy.set(id, concerned);
    this.forget(concerned);
  }

  leaveGap(id: number): void {
    const concerned = this.concernedBy.get(id) ?? [];
    this.concernedBy.delete(id);
    for (const area of concerned) {
      this.open[area]--;
    }
    this.forget(concerned);
  }

  private forget(areas: readonly number[]): void {
    const concerned = new Set(areas);
    for (const [index, state] of this.states.entries()) {
      for (let area = 0; area < state.pool.areas; area++) {
        const key = this.bases[index] + area;
        if (concerned.has(key)) {
          this.shown[key] = 0;
          this.passed[key]++;
          state.unseenUntil[area] = state.now;
        }
      }
      state.now++;
    }
  }
}
