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

  add(list: MappedList): void {
    const first = list.originals[0];
    const known = this.byFirst.get(first);
    if (known === undefined) {
      this.byFirst.set(first, [list]);
    } else {
      known.push(list);
    }
  }

  /** Takes the oldest list of this device with these addresses out; undefined when there is none. */
  take(device: number, originals: readonly number[], count: number): MappedList | undefined {
    const candidates = this.byFirst.get(originals[0]);
    if (candidates === undefined) {
      return undefined;
    }
    const at = candidates.findIndex((list) => list.device === device && isSameList(list, originals, count));
    if (at < 0) {
      return undefined;
    }
    const [list] = candidates.splice(at, 1);
    if (candidates.length === 0) {
      this.byFirst.delete(originals[0]);
    }
    return list;
  }
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
