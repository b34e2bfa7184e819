import { assert } from './assert';

/** A keyed collection that refuses duplicates and keeps the order of registration. */
export class Registry<T extends { readonly id: string }> {
  private readonly entries = new Map<string, T>();

  constructor(items: readonly T[] = []) {
    for (const item of items) {
      this.register(item);
    }
  }

  register(item: T): void {
    assert(!this.entries.has(item.id), `'${item.id}' is registered twice`);
    this.entries.set(item.id, item);
  }

  /** The entry, or undefined when nobody registered it. */
  tryGet(id: string): T | undefined {
    return this.entries.get(id);
  }

  get(id: string): T {
    const item = this.entries.get(id);
    assert(item !== undefined, `'${id}' is not registered`);
    return item;
  }

  ids(): string[] {
    return [...this.entries.keys()];
  }

  values(): T[] {
    return [...this.entries.values()];
  }
}
