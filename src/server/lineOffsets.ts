import { readLines } from '../node/readLines';

/** Lines per entry of the index. */
const stride = 256;
const newline = 0x0a;

/** Where lines begin, sparsely: lets a hover read its line of a file without reading the file. */
export class LineOffsets {
  /** Byte offset of lines 1, 1 + stride, 1 + 2 · stride … */
  private readonly offsets: number[] = [0];
  private lines = 0;
  private length = 0;

  push(chunk: Uint8Array): void {
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, at + 1)) {
      this.lines++;
      if (this.lines % stride === 0) {
        this.offsets.push(this.length + at + 1);
      }
    }
    this.length += chunk.length;
  }

  /** Where to begin reading for a one-based line, and how many lines to skip from there. */
  place(line: number): { readonly start: number; readonly skip: number } {
    return { start: this.offsets[Math.floor((line - 1) / stride)] ?? this.length, skip: (line - 1) % stride };
  }
}

/** A one-based line of a file; empty when the file is gone or shorter now. */
export async function readLine(path: string, offsets: LineOffsets, line: number): Promise<string> {
  const { start, skip } = offsets.place(line);
  const [found] = await readLines(path, start, skip, 1);
  return found?.text ?? '';
}
