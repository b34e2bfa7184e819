/**
 * UTF-16 text (as Windows editors and PowerShell save it) to UTF-8 bytes, in chunks split anywhere.
 * Returns null when the input has no UTF-16 byte order mark.
 */
export function createUtf16Decoder(first: number, second: number): Utf16Decoder | null {
  if (first === 0xff && second === 0xfe) {
    return new Utf16Decoder(true);
  }
  return first === 0xfe && second === 0xff ? new Utf16Decoder(false) : null;
}

export class Utf16Decoder {
  private readonly littleEndian: boolean;
  private oddByte = -1;
  private highSurrogate = 0;

  constructor(littleEndian: boolean) {
    this.littleEndian = littleEndian;
  }

  decode(chunk: Uint8Array): Uint8Array {
    const out = new Uint8Array((chunk.length + 2) * 3);
    let length = 0;
    for (const byte of chunk) {
      if (this.oddByte < 0) {
        this.oddByte = byte;
        continue;
      }
      const unit = this.littleEndian ? this.oddByte | (byte << 8) : (this.oddByte << 8) | byte;
      this.oddByte = -1;
      if (unit === 0xfeff) {
        continue;
      }
      if (unit >= 0xd800 && unit < 0xdc00) {
        this.highSurrogate = unit;
        continue;
      }
      let code = unit;
      if (unit >= 0xdc00 && unit < 0xe000) {
        code = this.highSurrogate === 0 ? 0xfffd : 0x10000 + ((this.highSurrogate - 0xd800) << 10) + (unit - 0xdc00);
      }
      this.highSurrogate = 0;
      length = encode(code, out, length);
    }
    return out.subarray(0, length);
  }
}

function encode(code: number, out: Uint8Array, position: number): number {
  if (code < 0x80) {
    out[position++] = code;
  } else if (code < 0x800) {
    out[position++] = 0xc0 | (code >> 6);
    out[position++] = 0x80 | (code & 63);
  } else if (code < 0x10000) {
    out[position++] = 0xe0 | (code >> 12);
    out[position++] = 0x80 | ((code >> 6) & 63);
    out[position++] = 0x80 | (code & 63);
  } else {
    out[position++] = 0xf0 | (code >> 18);
    out[position++] = 0x80 | ((code >> 12) & 63);
    out[position++] = 0x80 | ((code >> 6) & 63);
    out[position++] = 0x80 | (code & 63);
  }
  return position;
}
