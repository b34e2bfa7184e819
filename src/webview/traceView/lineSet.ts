import { lowerBound, upperBound } from '../../base/bisect';

/** Sorted numbers of lines that come in steps. */
export class LineSet {
  private lines = new Uint32Array(1024);
  length = 0;

  /** All of `more` are above what is there. */
  append(more: Uint32Array): void {
    if (this.lines.length < this.length + more.length) {
      const grown = new Uint32Array(Math.max(this.lines.length * 2, this.length + more.length));
      grown.set(this.lines.subarray(0, this.length));
      this.lines = grown;
    }
    this.lines.set(more, this.length);
    this.length += more.length;
  }

  clear(): void {
    this.length = 0;
  }

  /** All of them; valid until the next change. */
  view(): Uint32Array {
    return this.lines.subarray(0, this.length);
  }

  at(index: number): number {
    return this.lines[index] ?? 0;
  }

  has(line: number): boolean {
    const at = lowerBound(this.lines, line, this.length);
    return at < this.length && this.lines[at] === line;
  }

  /** How many are below `line`: the index of `line` when it is in the set. */
  countBelow(line: number): number {
    return lowerBound(this.lines, line, this.length);
  }

  /** The next line after `line`, beginning again at the top; 0 when there is none. */
  after(line: number): number {
    const at = upperBound(this.lines, line, this.length);
    return this.length === 0 ? 0 : this.at(at === this.length ? 0 : at);
  }

  /** The line before `line`, beginning again at the bottom; 0 when there is none. */
  before(line: number): number {
    const at = lowerBound(this.lines, line, this.length) - 1;
    return this.length === 0 ? 0 : this.at(at < 0 ? this.length - 1 : at);
  }
}
