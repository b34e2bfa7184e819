import { LineBreaks } from '../base/lineBreaks';
import { Byte } from './bytes';

/** Lines longer than this are skipped and counted, never held in memory. */
export const maxLineBytes = 1 << 20;

export interface LineHandler {
  /**
   * One line without its line end; the bytes are only valid during the call.
   * `terminated` is false for a last line without line end. `skipped` NUL bytes stood before `start` on the same line.
   */
  line(
    buffer: Uint8Array,
    start: number,
    end: number,
    byteOffset: number,
    terminated: boolean,
    skippedNuls: number,
  ): void;
  /** A line above the limit; its bytes were dropped. */
  tooLong(byteOffset: number, byteLength: number): void;
}

/** Cuts a byte stream into lines. Only an unfinished line is ever copied. */
export class LineSplitter {
  /** Bytes seen so far. */
  total = 0;
  private readonly breaks = new LineBreaks();
  private carry = new Uint8Array(4096);
  private carryLength = 0;
  private lineOffset = 0;
  /** Leading NUL bytes of the unfinished line, dropped so that a hole in a file costs no memory. */
  private nuls = 0;
  private overlong = 0;
  private readonly handler: LineHandler;

  constructor(handler: LineHandler) {
    this.handler = handler;
  }

  push(chunk: Uint8Array): void {
    const { breaks } = this;
    let start: number = breaks.begin(chunk);
    // Nothing of the line under way was seen before its first byte turned out to be the rest of a line end.
    this.lineOffset += start;
    // Most traces have none: one look at all of the chunk is cheaper than a second one at every line.
    const hasReturns = chunk.includes(Byte.carriageReturn);
    while (start < chunk.length) {
      const end = hasReturns ? breaks.find(start) : chunk.indexOf(Byte.lineFeed, start);
      if (end < 0) {
        this.keep(chunk, start, chunk.length);
        break;
      }
      this.finish(chunk, start, end);
      start = hasReturns ? breaks.next : end + 1;
      this.lineOffset = this.total + start;
    }
    this.total += chunk.length;
  }

  end(): void {
    if (this.overlong > 0) {
      this.handler.tooLong(this.lineOffset, this.overlong);
    } else if (this.carryLength > 0 || this.nuls > 0) {
      this.emit(this.carry, 0, this.carryLength, false);
    }
    this.reset();
    this.lineOffset = this.total;
  }

  private finish(chunk: Uint8Array, start: number, newline: number): void {
    if (this.overlong > 0) {
      this.handler.tooLong(this.lineOffset, this.overlong + newline - start);
    } else if (this.carryLength === 0) {
      if (newline - start > maxLineBytes) {
        const nuls = countNuls(chunk, start, newline);
        if (newline - start - nuls > maxLineBytes) {
          this.handler.tooLong(this.lineOffset, newline - start);
          this.reset();
          return;
        }
      }
      this.emit(chunk, start, newline, true);
    } else {
      this.keep(chunk, start, newline);
      if (this.overlong > 0) {
        this.handler.tooLong(this.lineOffset, this.overlong);
      } else {
        this.emit(this.carry, 0, this.carryLength, true);
      }
    }
    this.reset();
  }

  private emit(buffer: Uint8Array, start: number, end: number, terminated: boolean): void {
    if (buffer === this.carry) {
      // Parsers look one byte ahead: it must be a line end here as it is in the chunk, not a byte of an older line.
      buffer[end] = Byte.lineFeed;
    }
    const nuls = countNuls(buffer, start, end);
    this.handler.line(buffer, start + nuls, end, this.lineOffset, terminated, this.nuls + nuls);
  }

  private keep(chunk: Uint8Array, start: number, end: number): void {
    if (this.overlong > 0) {
      this.overlong += end - start;
      return;
    }
    if (this.carryLength === 0) {
      const nuls = countNuls(chunk, start, end);
      this.nuls += nuls;
      start += nuls;
    }
    const length = end - start;
    if (this.carryLength + length > maxLineBytes) {
      this.overlong = this.nuls + this.carryLength + length;
      this.carryLength = 0;
      return;
    }
    // One byte more for the mark that `emit` sets.
    if (this.carryLength + length + 1 > this.carry.length) {
      const grown = new Uint8Array(Math.max(this.carry.length * 2, this.carryLength + length + 1));
      grown.set(this.carry.subarray(0, this.carryLength));
      this.carry = grown;
    }
    this.carry.set(chunk.subarray(start, end), this.carryLength);
    this.carryLength += length;
  }

  private reset(): void {
    this.carryLength = 0;
    this.nuls = 0;
    this.overlong = 0;
  }
}

function countNuls(buffer: Uint8Array, start: number, end: number): number {
  let position = start;
  while (position < end && buffer[position] === 0) {
    position++;
  }
  return position - start;
}
