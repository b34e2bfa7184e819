import { asciiBytes, Byte, decodeUtf8, skipBlanks } from './bytes';
import { type ReaderContext, Verdict, type VerdictCode } from './context';
import type { KernelMessages } from './kernelLog';

/** A line that is kept until the entry it belongs to is whole. */
export interface EntryLine {
  readonly line: number;
  readonly byteOffset: number;
  readonly skippedNuls: number;
  readonly bytes: Uint8Array;
}

/** No entry has more fields or bytes; messages that are lists of bytes have one line per byte. */
const maxLines = 4096;
const maxBytes = 1 << 16;

/** A line that only opens an object: of an array, of a stream of events (`data: {`), of a record (RS), or as a member. */
const opening = /^[\s[\],}]*(?:data:\s*)?(?:"[^"\\]{0,60}"\s*:\s*)?\{\s*$/;
const closing = /^\s*\}/;
const memberLine = /^\s*(?:"|\]|-?\d|null\b|true\b|false\b)/;
const messageMember = /^\s*"(?:MESSAGE|message|msg|log)"\s*:/;
const messageKeys = ['"MESSAGE"', '"message"', '"msg"', '"log"'].map(asciiBytes);

/**
 * Entries of a journal or of another logger as JSON, where an entry is not just one line: several on a line (an array,
 * concatenated objects), or one over many lines (`journalctl -o json-pretty`, jq), whose stamp may stand behind the message.
 */
export class JournalEntries {
  private readonly context: ReaderContext;
  private readonly messages: KernelMessages;
  private lines: EntryLine[] = [];
  private bytes = 0;
  private messageAt = -1;

  constructor(context: ReaderContext, messages: KernelMessages) {
    this.context = context;
    this.messages = messages;
  }

  /** Lines are kept: the next one goes to `take`. */
  get isOpen(): boolean {
    return this.lines.length > 0;
  }

  /** A line that opens an entry is held; a line of several entries, or of one behind other characters, is read. */
  parse(buffer: Uint8Array, start: number, end: number): VerdictCode {
    const first = skipBlanks(buffer, start, end);
    const lead = buffer[first];
    if (
      lead !== Byte.openBrace &&
      lead !== Byte.openBracket &&
      lead !== Byte.closeBrace &&
      lead !== recordSeparator &&
      lead !== Byte.comma &&
      lead !== Byte.quote &&
      lead !== letterD
    ) {
      return Verdict.notMine;
    }
    if (end - first < 100 && opens(decodeUtf8(buffer, start, end))) {
      this.keep(buffer, start, end);
      return Verdict.held;
    }
    const pieces = lead === Byte.quote ? [] : entriesOf(buffer, first, end);
    if (pieces.length === 0 || (pieces.length === 1 && lead === Byte.openBrace)) {
      return Verdict.notMine;
    }
    let best: VerdictCode = Verdict.text;
    let column = this.context.skippedNuls;
    let at = this.context.lineStart;
    for (const [from, to] of pieces) {
      column += decodeUtf8(buffer, at, from).length;
      at = from;
      const verdict = this.messages.parseEntry(decodeUtf8(buffer, from, to), { column, end: Number.POSITIVE_INFINITY });
      best = verdict === Verdict.understood || best === Verdict.text ? verdict : best;
    }
    return best;
  }

  /**
   * The next line while an entry is open. 'taken': kept, or the entry is whole and `entry` has its lines and what they are.
   * 'left': no part of an entry; the lines kept so far, if there are any, are to be read one by one, then this one.
   */
  take(buffer: Uint8Array, start: number, end: number): 'taken' | 'left' {
    const text = end - start > maxBytes ? '' : decodeUtf8(buffer, start, end);
    if (opens(text) && !closing.test(text)) {
      return 'left';
    }
    if (closing.test(text)) {
      this.keep(buffer, start, end);
      return 'taken';
    }
    if (!memberLine.test(text) || this.lines.length >= maxLines || this.bytes + end - start > maxBytes) {
      return 'left';
    }
    if (this.messageAt < 0 && messageMember.test(text)) {
      this.messageAt = this.lines.length;
    }
    this.keep(buffer, start, end);
    return 'taken';
  }

  /** The last line that was taken ended the entry. */
  get isWhole(): boolean {
    const last = this.lines[this.lines.length - 1];
    return this.lines.length > 1 && last !== undefined && closing.test(textOf(last));
  }

  /** Ends the entry. Its lines, and the verdict of the message among them; null when there is none and they mean nothing together. */
  finish(): { readonly lines: readonly EntryLine[]; readonly message: number; readonly verdict: VerdictCode | null } {
    const { context, messageAt: message } = this;
    // `}, {`: the end of this one and the beginning of the next one.
    const isBoth = this.isWhole && opens(textOf(this.lines[this.lines.length - 1]));
    const lines = isBoth ? this.lines.slice(0, -1) : this.lines;
    this.lines = isBoth ? this.lines.slice(-1) : [];
    this.bytes = 0;
    this.messageAt = -1;
    if (message < 0) {
      return { lines, message, verdict: null };
    }
    // One line as other programs print it, but with the message and its bytes at the end: columns count from there.
    let behind = message + 1;
    while (behind < lines.length && !/^\s*["}]/.test(textOf(lines[behind]))) {
      behind++;
    }
    const own = textOf(lines[message]);
    const fields = [...lines.slice(1, message), ...lines.slice(behind)].map(textOf);
    const members = fields.filter((text) => !closing.test(text)).map((text) => text.replace(/,?\s*$/, ','));
    const before = `{${members.join('')}`;
    const joined = `${before}${lines.slice(message, behind).map(textOf).join('')}}`;
    const { line, byteOffset, lineStart } = context;
    const held = lines[message];
    context.line = held.line;
    context.byteOffset = held.byteOffset;
    context.lineStart = 0;
    const verdict = this.messages.parseEntry(joined, {
      column: held.skippedNuls - before.length,
      end: held.skippedNuls + own.length,
    });
    context.line = line;
    context.byteOffset = byteOffset;
    context.lineStart = lineStart;
    return { lines, message, verdict };
  }

  private keep(buffer: Uint8Array, start: number, end: number): void {
    const { line, byteOffset, skippedNuls } = this.context;
    this.lines.push({ line, byteOffset, skippedNuls, bytes: buffer.slice(start, end) });
    this.bytes += end - start;
  }
}

function opens(text: string): boolean {
  return opening.test(text.charCodeAt(0) === recordSeparator ? text.slice(1) : text);
}

function textOf({ bytes }: EntryLine): string {
  return decodeUtf8(bytes, 0, bytes.length);
}

const recordSeparator = 0x1e;
const letterD = 100;
const backslash = 92;

/** The entries on a line of several; empty for a line of one. */
export function entriesOnLine(text: string): string[] {
  // Only signs and keys matter here, and those are ASCII: one byte for every unit of the string.
  const bytes = Uint8Array.from(text, (unit) => Math.min(unit.charCodeAt(0), 255));
  const pieces = /^[\s[{]/.test(text) ? entriesOf(bytes, 0, bytes.length) : [];
  return pieces.length < 2 ? [] : pieces.map(([from, to]) => text.slice(from, to));
}

/** The innermost objects of a line that have a member with a message; where they begin and end. */
function entriesOf(buffer: Uint8Array, start: number, end: number): (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  const open: { readonly at: number; hasMessage: boolean }[] = [];
  for (let at = start; at < end; at++) {
    const byte = buffer[at];
    if (byte === Byte.quote) {
      const from = at;
      for (at++; at < end && buffer[at] !== Byte.quote; at++) {
        at += buffer[at] === backslash ? 1 : 0;
      }
      const innermost = open[open.length - 1];
      if (innermost !== undefined && at + 1 - from <= 9 && isMessageKey(buffer, from, at + 1, end)) {
        innermost.hasMessage = true;
      }
    } else if (byte === Byte.openBrace) {
      open.push({ at, hasMessage: false });
    } else if (byte === Byte.closeBrace) {
      const last = open.pop();
      if (last?.hasMessage === true) {
        found.push([last.at, at + 1]);
      }
    }
  }
  return found;
}

function isMessageKey(buffer: Uint8Array, start: number, end: number, lineEnd: number): boolean {
  return (
    buffer[skipBlanks(buffer, end, lineEnd)] === Byte.colon &&
    messageKeys.some((key) => key.length === end - start && key.every((byte, index) => buffer[start + index] === byte))
  );
}
