/** A mapped scatterlist whose dma_unmap_sg was not seen yet. */
export interface MappedList {
  readonly device: number;
  /** Original addresses as dma_map_sg printed them (at most 128 when the kernel cut the list). */
  readonly originals: readonly number[];
  /** Entries the list really has. */
  readonly total: number;
  readonly rows: readonly number[];
}

/** Live scatterlists: dma_unmap_sg names them by the original addresses only. */
export class MappedLists {
  private readonly byFirst = new Map<number, MappedList[]>();
  private readonly isEnded: (list: MappedList) => boolean;

  /** `isEnded` tells whether a list has ended by other evidence: its dma_unmap_sg line was lost. */
  constructor(isEnded: (list: MappedList) => boolean) {
    this.isEnded = isEnded;
  }

  add(list: MappedList): void {
    const first = list.originals[0];
    const known = this.byFirst.get(first);
    this.byFirst.set(first, known === undefined ? [list] : [...known.filter((other) => !this.isEnded(other)), list]);
  }

  /** Takes the oldest list of this device with these addresses out; undefined when there is none. */
  take(device: number, originals: readonly number[], count: number): MappedList | undefined {
    const known = this.byFirst.get(originals[0]);
    if (known === undefined) {
      return undefined;
    }
    const live = known.filter((list) => !this.isEnded(list));
    const same = live.filter((list) => list.device === device && isSameList(list, originals, count));
    // A driver may pass the number of mapped entries instead of the number it mapped: then a prefix has to do.
    const list = same.find((candidate) => candidate.total === count) ?? same[0];
    const rest = live.filter((other) => other !== list);
    if (rest.length === 0) {
      this.byFirst.delete(originals[0]);
    } else {
      this.byFirst.set(originals[0], rest);
    }
    return list;
  }
}

function isSameList(list: MappedList, originals: readonly number[], count: number): boolean {
  const common = Math.min(list.originals.length, count);
  for (let i = 1; i < common; i++) {
    if (list.originals[i] !== originals[i]) {
      return false;
    }
  }
  return true;
}
