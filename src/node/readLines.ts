import { platform } from '#platform';
import { concatBytes } from '../base/bytes';
import { LineBreaks } from '../base/lineBreaks';
import type { OpenFile } from '../base/platform';
import { compressionOf, signatureBytes } from './decompress';
import { containerOf, openPart } from './input';

const blockBytes = 1 << 16;
/** A byte order mark is a character of the line. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
/** No more than this of one line is returned. */
export const maxShownBytes = 1 << 16;

/** One line as an editor shows it. */
export interface FileLine {
  /** Offset of its first byte in the uncompressed file. */
  readonly byteOffset: number;
  readonly text: string;
}

/**
 * Reads `count` lines of a file: skips `skip` lines from `byteOffset` on (the start of a line, see
 * ReaderSummary.lineOffsets). Packed files and members of archives are unpacked up to there. Missing lines are left out;
 * a file that cannot be read gives none.
 */
export async function readLines(file: string, byteOffset: number, skip: number, count: number): Promise<FileLine[]> {
  const collector = new LineCollector(byteOffset, skip, count);
  let handle: OpenFile | null = null;
  try {
    const container = await containerOf(file);
    const isMember = container !== null && container.member !== '';
    handle = await platform.disk.open(container?.path ?? file);
    const head = new Uint8Array(signatureBytes);
    await handle.read(0, head);
    if (!isMember && compressionOf(head) === 'none') {
      const block = new Uint8Array(blockBytes);
      for (let position = byteOffset; !collector.done; ) {
        const bytesRead = await handle.read(position, block);
        if (bytesRead === 0) {
          break;
        }
        collector.push(block.subarray(0, bytesRead));
        position += bytesRead;
      }
    } else {
      let position = 0;
      for await (const chunk of openPart(file, 0).chunks) {
        const start = Math.max(0, byteOffset - position);
        if (start < chunk.length) {
          collector.push(chunk.subarray(start));
        }
        position += chunk.length;
        if (collector.done) {
          break;
        }
      }
    }
  } catch {
    // The file went away or changed: the lines read so far are all there is to show.
  } finally {
    await handle?.close();
  }
  return collector.finish();
}

class LineCollector {
  private readonly lines: FileLine[] = [];
  private readonly breaks = new LineBreaks();
  private position: number;
  private lineStart: number;
  private skip: number;
  private readonly count: number;
  private parts: Uint8Array[] = [];
  private partBytes = 0;

  constructor(byteOffset: number, skip: number, count: number) {
    this.position = byteOffset;
    this.lineStart = byteOffset;
    this.skip = skip;
    this.count = count;
  }

  get done(): boolean {
    return this.lines.length >= this.count;
  }

  push(chunk: Uint8Array): void {
    const { breaks } = this;
    let start: number = breaks.begin(chunk);
    this.position += start;
    this.lineStart += start;
    while (start < chunk.length && !this.done) {
      const found = breaks.find(start);
      const end = found < 0 ? chunk.length : found;
      if (this.skip === 0 && this.partBytes < maxShownBytes) {
        const part = chunk.slice(start, Math.min(end, start + maxShownBytes - this.partBytes));
        this.parts.push(part);
        this.partBytes += part.length;
      }
      this.position += end - start;
      if (found < 0) {
        return;
      }
      this.position += breaks.next - end;
      this.closeLine();
      start = breaks.next;
    }
  }

  finish(): FileLine[] {
    if (!this.done && this.skip === 0 && this.partBytes > 0) {
      this.closeLine();
    }
    return this.lines;
  }

  private closeLine(): void {
    if (this.skip > 0) {
      this.skip--;
    } else {
      const text = utf8.decode(concatBytes(this.parts));
      this.lines.push({ byteOffset: this.lineStart, text });
    }
    this.parts = [];
    this.partBytes = 0;
    this.lineStart = this.position;
  }
}
