import { open } from 'node:fs/promises';

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

  /** The bytes that hold a one-based line, and how many lines to skip in them. */
  place(line: number): { readonly start: number; readonly end: number; readonly skip: number } {
    const entry = Math.floor((line - 1) / stride);
    return {
      start: this.offsets[entry] ?? this.length,
      end: this.offsets[entry + 1] ?? this.length,
      skip: (line - 1) % stride,
    };
  }
}

/** Text of a line in a stretch of bytes that begins at a line. */
export function lineIn(text: string, skip: number): string {
  let start = 0;
  for (let i = 0; i < skip; i++) {
    const end = text.indexOf('\n', start);
    if (end === -1) {
      return '';
    }
    start = end + 1;
  }
  const end = text.indexOf('\n', start);
  return text.slice(start, end === -1 ? undefined : end).replace(/\r$/, '');
}

/** No line worth a hover is longer. */
const maxStretch = 4 * 1024 * 1024;

export async function readLine(path: string, offsets: LineOffsets, line: number): Promise<string> {
  const { start, end, skip } = offsets.place(line);
  const length = Math.min(end - start, maxStretch);
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start);
    return lineIn(buffer.toString('utf8', 0, bytesRead), skip);
  } finally {
    await file.close();
  }
}
