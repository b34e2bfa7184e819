import { upperBound } from './bisect';

/** Bytes that grow, in the pieces in which they came. */
export class HeldBytes {
  length = 0;
  readonly parts: Uint8Array[] = [];
  /** Where each piece begins. */
  private readonly starts: number[] = [];

  /** The bytes are copied. */
  append(bytes: Uint8Array): void {
    this.parts.push(Uint8Array.from(bytes));
    this.starts.push(this.length);
    this.length += bytes.length;
  }

  /** Fills `target` from `position` on and tells how many bytes there were. */
  read(position: number, target: Uint8Array): number {
    let filled = 0;
    const { parts, starts } = this;
    for (
      let index = Math.max(0, upperBound(starts, position) - 1);
      index < parts.length && filled < target.length;
      index++
    ) {
      const part = parts[index]!;
      const from = position + filled - starts[index]!;
      if (from < part.length) {
        const piece = part.subarray(from, from + target.length - filled);
        target.set(piece, filled);
        filled += piece.length;
      }
    }
    return filled;
  }
}
