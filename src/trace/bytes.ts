/** Byte-level helpers of the tokenizers: the hot path never builds strings. */

export const Byte = {
  tab: 9,
  lineFeed: 10,
  carriageReturn: 13,
  space: 32,
  quote: 34,
  hash: 35,
  apostrophe: 39,
  open: 40,
  close: 41,
  star: 42,
  plus: 43,
  comma: 44,
  dash: 45,
  dot: 46,
  slash: 47,
  zero: 48,
  nine: 57,
  colon: 58,
  less: 60,
  equals: 61,
  greater: 62,
  openBracket: 91,
  closeBracket: 93,
  underscore: 95,
  backtick: 96,
  openBrace: 123,
  bar: 124,
  closeBrace: 125,
} as const;

export function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

export function isBlank(byte: number): boolean {
  return byte === 32 || byte === 9;
}

/** Letters, digits and underscore. */
export function isWord(byte: number): boolean {
  return (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90) || (byte >= 48 && byte <= 57) || byte === 95;
}

/** Value of a hex digit, -1 for any other byte. */
export function hexDigit(byte: number): number {
  return hexDigits[byte];
}

/** The same as a table, for the hot loops. */
export const hexDigits = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) {
  const character = digit.toString(16);
  hexDigits[character.charCodeAt(0)] = digit;
  hexDigits[character.toUpperCase().charCodeAt(0)] = digit;
}

export function skipBlanks(buffer: Uint8Array, position: number, end: number): number {
  while (position < end && (buffer[position] === 32 || buffer[position] === 9)) {
    position++;
  }
  return position;
}

/** ASCII text to bytes, for constants. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    bytes[i] = text.charCodeAt(i);
  }
  return bytes;
}

export function startsWithAt(buffer: Uint8Array, position: number, end: number, prefix: Uint8Array): boolean {
  if (position + prefix.length > end) {
    return false;
  }
  for (let i = 0; i < prefix.length; i++) {
    if (buffer[position + i] !== prefix[i]) {
      return false;
    }
  }
  return true;
}

/**
 * UTF-8 to text, ill-formed bytes become U+FFFD as editors show them, so that string indices are editor columns.
 * Written out because this layer has neither DOM nor Node types.
 */
export function decodeUtf8(buffer: Uint8Array, start: number, end: number): string {
  let ascii = true;
  for (let i = start; i < end; i++) {
    if (buffer[i] >= 128) {
      ascii = false;
      break;
    }
  }
  let text = '';
  if (ascii) {
    for (let i = start; i < end; i += 4096) {
      text += String.fromCharCode.apply(null, buffer.subarray(i, Math.min(end, i + 4096)) as unknown as number[]);
    }
    return text;
  }
  const units: number[] = [];
  let i = start;
  while (i < end) {
    const lead = buffer[i++];
    if (lead < 128) {
      units.push(lead);
    } else {
      i = decodeMultiByte(buffer, i, end, lead, units);
    }
    if (units.length > 4096) {
      text += String.fromCharCode.apply(null, units);
      units.length = 0;
    }
  }
  return text + String.fromCharCode.apply(null, units);
}

/** Decodes the sequence whose lead byte was just read; returns the position after it. */
function decodeMultiByte(buffer: Uint8Array, position: number, end: number, lead: number, units: number[]): number {
  let needed = 0;
  let lower = 0x80;
  let upper = 0xbf;
  let code = 0;
  if (lead >= 0xc2 && lead <= 0xdf) {
    needed = 1;
    code = lead & 0x1f;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    needed = 2;
    code = lead & 0x0f;
    lower = lead === 0xe0 ? 0xa0 : 0x80;
    upper = lead === 0xed ? 0x9f : 0xbf;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    needed = 3;
    code = lead & 0x07;
    lower = lead === 0xf0 ? 0x90 : 0x80;
    upper = lead === 0xf4 ? 0x8f : 0xbf;
  }
  if (needed === 0) {
    units.push(0xfffd);
    return position;
  }
  for (let i = 0; i < needed; i++) {
    const byte = position < end ? buffer[position] : -1;
    if (byte < lower || byte > upper) {
      units.push(0xfffd);
      return position;
    }
    code = (code << 6) | (byte & 0x3f);
    lower = 0x80;
    upper = 0xbf;
    position++;
  }
  if (code >= 0x10000) {
    units.push(0xd800 + ((code - 0x10000) >> 10), 0xdc00 + ((code - 0x10000) & 0x3ff));
  } else {
    units.push(code);
  }
  return position;
}

/**
 * Byte strings to small numbers 0, 1, 2, … without building a JavaScript string per look-up.
 * Open addressing; the bytes of every key are copied into one arena.
 */
export class ByteMap {
  private slots = new Int32Array(64).fill(-1);
  private hashes = new Int32Array(32);
  private offsets = new Int32Array(33);
  private arena = new Uint8Array(512);
  private count = 0;
  private readonly limit: number;

  /** Keys beyond `limit` are refused (-1), which bounds the memory for hostile input. */
  constructor(limit = 1 << 20) {
    this.limit = limit;
  }

  get size(): number {
    return this.count;
  }

  static of(texts: readonly string[]): ByteMap {
    const map = new ByteMap();
    for (const text of texts) {
      const bytes = asciiBytes(text);
      map.add(bytes, 0, bytes.length);
    }
    return map;
  }

  /** Index of the key, or -1 when it was never added. */
  find(buffer: Uint8Array, start: number, end: number): number {
    return this.findHashed(buffer, start, end, hashBytes(buffer, start, end));
  }

  findHashed(buffer: Uint8Array, start: number, end: number, hash: number): number {
    const mask = this.slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const index = this.slots[slot];
      if (index < 0) {
        return -1;
      }
      if (this.hashes[index] === hash && this.equals(index, buffer, start, end)) {
        return index;
      }
    }
  }

  /** Index of the key, added when it is new; -1 when the map is full. `size` tells whether it grew. */
  add(buffer: Uint8Array, start: number, end: number): number {
    return this.addHashed(buffer, start, end, hashBytes(buffer, start, end));
  }

  /** As `add`, for callers that computed the hash with `hashStep` and `hashEnd` while they scanned the key. */
  addHashed(buffer: Uint8Array, start: number, end: number, hash: number): number {
    const found = this.findHashed(buffer, start, end, hash);
    if (found >= 0 || this.count >= this.limit) {
      return found;
    }
    if (this.count * 2 >= this.slots.length) {
      this.rehash();
    }
    const index = this.count++;
    const offset = this.offsets[index];
    this.reserve(offset + end - start);
    for (let i = start; i < end; i++) {
      this.arena[offset + i - start] = buffer[i];
    }
    this.offsets[index + 1] = offset + end - start;
    this.hashes[index] = hash;
    this.place(index, hash);
    return index;
  }

  private equals(index: number, buffer: Uint8Array, start: number, end: number): boolean {
    const offset = this.offsets[index];
    const length = this.offsets[index + 1] - offset;
    if (length !== end - start) {
      return false;
    }
    for (let i = 0; i < length; i++) {
      if (this.arena[offset + i] !== buffer[start + i]) {
        return false;
      }
    }
    return true;
  }

  private place(index: number, hash: number): void {
    const mask = this.slots.length - 1;
    let slot = hash & mask;
    while (this.slots[slot] >= 0) {
      slot = (slot + 1) & mask;
    }
    this.slots[slot] = index;
  }

  private rehash(): void {
    const capacity = this.slots.length;
    this.slots = new Int32Array(capacity * 2).fill(-1);
    this.hashes = copyInto(new Int32Array(capacity), this.hashes);
    this.offsets = copyInto(new Int32Array(capacity + 1), this.offsets);
    for (let index = 0; index < this.count; index++) {
      this.place(index, this.hashes[index]);
    }
  }

  private reserve(length: number): void {
    if (length > this.arena.length) {
      const grown = new Uint8Array(Math.max(length, this.arena.length * 2));
      grown.set(this.arena);
      this.arena = grown;
    }
  }
}

function copyInto(target: Int32Array<ArrayBuffer>, from: Int32Array): Int32Array<ArrayBuffer> {
  target.set(from.subarray(0, Math.min(from.length, target.length)));
  return target;
}

/** Start of an incremental hash. */
export const hashStart = 0x811c9dc5 | 0;

export function hashStep(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 16777619);
}

export function hashEnd(hash: number): number {
  return hash ^ (hash >>> 15);
}

function hashBytes(buffer: Uint8Array, start: number, end: number): number {
  let hash = hashStart;
  for (let i = start; i < end; i++) {
    hash = hashStep(hash, buffer[i]);
  }
  return hashEnd(hash);
}

/** 1 for letters, digits and underscore: one look-up instead of four comparisons in the hot loops. */
export const wordBytes = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  wordBytes[byte] = isWord(byte) ? 1 : 0;
}
