/** A mapped scatterlist whose dma_unmap_sg was not seen yet. */
export interface MappedList {
  readonly device: number;
  /** Original addresses as dma_map_sg printed them (at most 128 when the kernel cut the list). */
  readonly originals: readonly number[];
  /** Entries the list really has. */
  readonly total: number;
  readonly rows: readonly number[];
}

/** Tells whether a request has ended by other evidence: its dma_unmap_sg line was lost. */
type IsEnded = (row: number) => boolean;

/** Live scatterlists: dma_unmap_sg names them by the original addresses only. */
export class MappedLists {
  private readonly byFirst = new Map<number, MappedList[]>();

  add(list: MappedList, isEnded: IsEnded): void {
    const first = list.originals[0];
    const known = this.byFirst.get(first);
    this.byFirst.set(first, known === undefined ? [list] : [...known.filter((other) => isLive(other, isEnded)), list]);
  }

  /** Takes the oldest list of this device with these addresses out; undefined when there is none. */
  take(device: number, originals: readonly number[], count: number, isEnded: IsEnded): MappedList | undefined {
    const known = this.byFirst.get(originals[0]);
    if (known === undefined) {
      return undefined;
    }
    const candidates = known.filter((list) => isLive(list, isEnded));
    const at = candidates.findIndex((list) => list.device === device && isSameList(list, originals, count));
    const list = at < 0 ? undefined : candidates.splice(at, 1)[0];
    if (candidates.length === 0) {
      this.byFirst.delete(originals[0]);
    } else {
      this.byFirst.set(originals[0], candidates);
    }
    return list;
  }
}

function isLive(list: MappedList, isEnded: IsEnded): boolean {
  return !isEnded(list.rows[0]) || !isEnded(list.rows[list.rows.length - 1]);
}

function isSameList(list: MappedList, originals: readonly number[], count: number): boolean {
  // A driver may pass the number of mapped entries instead of the number it mapped: a prefix is the same list.
  const common = Math.min(list.originals.length, count);
  for (let i = 1; i < common; i++) {
    if (list.originals[i] !== originals[i]) {
      return false;
    }
  }
  return true;
}
