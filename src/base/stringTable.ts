/** Append-only interning of strings; index 0 is always the empty string. */
export class StringTable {
  private readonly byText = new Map<string, number>([['', 0]]);
  private readonly texts: string[] = [''];

  get length(): number {
    return this.texts.length;
  }

  intern(text: string): number {
    const known = this.byText.get(text);
    if (known !== undefined) {
      return known;
    }
    const index = this.texts.length;
    this.texts.push(text);
    this.byText.set(text, index);
    return index;
  }

  get(index: number): string {
    return this.texts[index] ?? '';
  }

  /** The index of a string that was interned before, or -1. */
  indexOf(text: string): number {
    return this.byText.get(text) ?? -1;
  }
}
