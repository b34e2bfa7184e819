import { platform } from '#platform';
import type { SourceInput } from '../analysis/analysis';
import { concatBytes, sameBytes } from '../base/bytes';
import type { OpenFile } from '../base/platform';
import { stampOf } from './files';
import type { LineOffsets } from './lineOffsets';

/** What a file that was written since it was read turned out to be. */
export type Growth = 'same' | 'grown' | 'replaced';

/** So much of both ends of what was read is compared: a file that was cut and written anew has other bytes there. */
const comparedBytes = 4096;
const readBytes = 1 << 20;

/**
 * The way of one file's bytes into an analysis. Where the file goes on after its end was reached, only the new bytes
 * are read. A file that was cut, replaced or is packed has to be read again from its start.
 */
export class Feed {
  /** Bytes taken so far. */
  length = 0;
  /** Size and time of the file when its end was exactly what was read; '' when that is not known. */
  stamp = '';
  private readonly source: SourceInput;
  private readonly lineOffsets: LineOffsets;
  private head = new Uint8Array(0);
  private tail = new Uint8Array(0);
  /** Tells the file from another one that took its name. */
  private identity = '';
  private canGrow = false;

  constructor(source: SourceInput, lineOffsets: LineOffsets) {
    this.source = source;
    this.lineOffsets = lineOffsets;
  }

  /** False when no more bytes are of use. */
  push(chunk: Uint8Array): boolean {
    this.source.push(chunk);
    this.lineOffsets.push(chunk);
    this.length += chunk.length;
    if (this.head.length < comparedBytes) {
      this.head = concatBytes([this.head, chunk.subarray(0, comparedBytes - this.head.length)]);
    }
    this.tail =
      comparedBytes <= chunk.length
        ? chunk.slice(-comparedBytes)
        : concatBytes([this.tail, chunk]).subarray(-comparedBytes);
    return this.source.wantsMore();
  }

  /**
   * The end, for now. `path`: the file whose bytes these are, as they are; null when there is none to grow.
   * A last line without its end counts as a line, unless the file is known to grow: then the rest of it is to come.
   */
  async end(path: string | null, isGrowing: boolean): Promise<void> {
    const isWhole = this.tail.length === 0 || isLineEnd(this.tail[this.tail.length - 1]);
    if (path !== null && (isWhole || isGrowing) && this.source.wantsMore()) {
      await withFile(path, async (handle) => {
        const found = await handle.status();
        this.identity = found.identity;
        this.canGrow = this.length <= found.sizeBytes;
        this.stamp = found.sizeBytes === this.length ? stampOf(found) : '';
      });
    }
    if (this.canGrow) {
      this.source.pause();
    } else {
      this.source.end();
    }
  }

  /** Takes what the file has more. After 'replaced' the analysis is void: the file has to be read from its start. */
  async grow(path: string): Promise<Growth> {
    if (!this.canGrow) {
      return 'replaced';
    }
    return (await withFile(path, (handle) => this.readOn(handle))) ?? 'replaced';
  }

  private async readOn(handle: OpenFile): Promise<Growth> {
    const before = this.length;
    const found = await handle.status();
    if (stampOf(found) === this.stamp) {
      return 'same';
    }
    // Written again without being longer: its content may be any.
    const isRewritten = found.sizeBytes === this.length && this.stamp !== '';
    if (
      isRewritten ||
      found.sizeBytes < this.length ||
      found.identity !== this.identity ||
      !(await this.isPrefixOf(handle))
    ) {
      return 'replaced';
    }
    const block = new Uint8Array(readBytes);
    for (;;) {
      const bytesRead = await handle.read(this.length, block);
      if (0 < bytesRead) {
        this.push(block.subarray(0, bytesRead));
        continue;
      }
      const now = await handle.status();
      if (now.sizeBytes <= this.length) {
        this.stamp = now.sizeBytes === this.length ? stampOf(now) : '';
        break;
      }
    }
    if (this.length === before) {
      return 'same';
    }
    this.source.pause();
    return 'grown';
  }

  private async isPrefixOf(handle: OpenFile): Promise<boolean> {
    for (const [known, position] of [
      [this.head, 0],
      [this.tail, this.length - this.tail.length],
    ] as const) {
      const now = new Uint8Array(known.length);
      await handle.read(position, now);
      if (!sameBytes(now, known)) {
        return false;
      }
    }
    return true;
  }
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === 0x0a || byte === 0x0d;
}

/** Undefined when the file cannot be opened or read. */
async function withFile<T>(path: string, use: (handle: OpenFile) => Promise<T>): Promise<T | undefined> {
  const handle = await platform.disk.open(path).catch(() => undefined);
  try {
    return handle === undefined ? undefined : await use(handle);
  } catch {
    return undefined;
  } finally {
    await handle?.close();
  }
}
