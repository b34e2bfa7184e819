import { LineBreaks } from '../base/lineBreaks';
import { readLines } from '../node/readLines';

/** Lines per entry of the index. */
const stride = 256;

/** Where lines begin, sparsely: lets a hover read its line of a file without reading the file. */
export class LineOffsets {
  /** Byte offset of lines 1, 1 + stride, 1 + 2 · stride … */
  private readonly offsets: number[] = [0];
  private readonly breaks = new LineBreaks();
  private lines = 0;
  private length = 0;

  push(chunk: Uint8Array): void {
    const { breaks, offsets } = this;
    let start: number = breaks.begin(chunk);
    if (start === 1 && offsets[offsets.length - 1] === this.length) {
      // The last line end has one byte more.
      offsets[offsets.length - 1] = this.length + 1;
    }
    for (; breaks.find(start) >= 0; start = breaks.next) {
      this.lines++;
      if (this.lines % stride === 0) {
        offsets.push(this.length + breaks.next);
      }
    }
    this.length += chunk.length;
  }

  /** Where to begin reading for a one-based line, how many lines to skip from there, and how far the stretch goes. */
  place(line: number): { readonly start: number; readonly skip: number; readonly length: number } {
    const entry = Math.floor((line - 1) / stride);
    const start = this.offsets[entry] ?? this.length;
    return { start, skip: (line - 1) % stride, length: (this.offsets[entry + 1] ?? this.length) - start };
  }
}

/** Lines that are longer on average are not text anybody points at. */
const maxStretchBytes = stride * 65536;

/** A one-based line of a file; empty when the file is gone or shorter now. */
export async function readLine(path: string, offsets: LineOffsets, line: number): Promise<string> {
  const { start, skip, length } = offsets.place(line);
  if (maxStretchBytes < length) {
    return '';
  }
  const [found] = await readLines(path, start, skip, 1);
  return found?.text ?? '';
}
