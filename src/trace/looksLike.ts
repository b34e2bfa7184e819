import { asciiBytes, decodeUtf8, startsWithAt } from './bytes';

const headBytes = 512;
const sampleBytes = 1 << 16;

/** What the first bytes of an input are like; a bounded look. */
export class ByteStatistics {
  total = 0;
  readonly head = new Uint8Array(headBytes);
  headLength = 0;
  private sampled = 0;
  private nuls = 0;
  private controls = 0;

  add(chunk: Uint8Array): void {
    if (this.headLength < headBytes) {
      const part = chunk.subarray(0, headBytes - this.headLength);
      this.head.set(part, this.headLength);
      this.headLength += part.length;
    }
    const limit = Math.min(chunk.length, sampleBytes - this.sampled);
    for (let i = 0; i < limit; i++) {
      const byte = chunk[i];
      if (byte === 0) {
        this.nuls++;
      } else if (byte < 32 && byte !== 9 && byte !== 10 && byte !== 13 && byte !== 12 && byte !== 27 && byte !== 30) {
        this.controls++;
      }
    }
    this.sampled += Math.max(limit, 0);
    this.total += chunk.length;
  }

  /** Far more control bytes than any text has. UTF-16 with a byte order mark is text. */
  get binary(): boolean {
    if (this.sampled === 0 || isUtf16(this.head)) {
      return false;
    }
    return this.nuls > this.sampled / 50 || this.controls > this.sampled / 50;
  }

  get onlyNuls(): boolean {
    return this.sampled > 0 && this.nuls === this.sampled;
  }
}

function isUtf16(head: Uint8Array): boolean {
  return (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff);
}

const magics: readonly (readonly [bytes: readonly number[], words: string])[] = [
  [[0x1f, 0x8b], 'a gzip archive'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'a zstd archive'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], 'an xz archive'],
  [[0x42, 0x5a, 0x68], 'a bzip2 archive'],
  [[0x04, 0x22, 0x4d, 0x18], 'an lz4 archive'],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive'],
  [[0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], 'a 7z archive'],
  [[0x7f, 0x45, 0x4c, 0x46], 'an ELF executable'],
  [[0x25, 0x50, 0x44, 0x46], 'a PDF document'],
  [[0x89, 0x50, 0x4e, 0x47], 'a PNG picture'],
  [[0xff, 0xd8, 0xff], 'a JPEG picture'],
  [[0x47, 0x49, 0x46, 0x38], 'a GIF picture'],
  [[0xd4, 0xc3, 0xb2, 0xa1], 'a packet capture'],
  [[0x0a, 0x0d, 0x0d, 0x0a], 'a packet capture'],
  [[0x17, 0x08, 0x44, 0x74, 0x72, 0x61, 0x63, 0x69, 0x6e, 0x67], 'a binary trace.dat of trace-cmd'],
];
const perfMagic = asciiBytes('PERFILE2');
const sqliteMagic = asciiBytes('SQLite format 3');
const journalMagic = asciiBytes('LPKSHHRH');
const journalExport = asciiBytes('__CURSOR=');

/** Plain words for what an input is that was not recognised. */
export function describeBytes(statistics: ByteStatistics): string {
  const { head, headLength, total } = statistics;
  if (total === 0) {
    return 'empty';
  }
  for (const [bytes, words] of magics) {
    if (headLength >= bytes.length && bytes.every((byte, index) => head[index] === byte)) {
      return words;
    }
  }
  if (startsWithAt(head, 0, headLength, perfMagic)) {
    return 'a binary perf.data file';
  }
  if (startsWithAt(head, 0, headLength, sqliteMagic)) {
    return 'an SQLite database';
  }
  if (startsWithAt(head, 0, headLength, journalMagic)) {
    return 'a binary systemd journal';
  }
  if (headLength > 262 && startsWithAt(head, 257, headLength, asciiBytes('ustar'))) {
    return 'a tar archive';
  }
  if (statistics.onlyNuls) {
    return 'a file of NUL bytes only';
  }
  if (statistics.binary) {
    return 'binary data';
  }
  if (startsWithAt(head, 0, headLength, journalExport)) {
    return 'a systemd journal export without kernel messages of the field';
  }
  const text = decodeUtf8(head, 0, headLength).trimStart();
  if (text === '') {
    return 'blank';
  }
  if (/^(?:<!doctype|<html|<\?xml|<svg)/i.test(text)) {
    return text.toLowerCase().startsWith('<?xml') ? 'an XML document' : 'an HTML page';
  }
  if (/^[{[]\s*(?:["{[\]}]|-?\d|true|false|null)/.test(text)) {
    return 'JSON';
  }
  if (/^#!/.test(text)) {
    return 'a script';
  }
  return 'plain text without kernel messages';
}
