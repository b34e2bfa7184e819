import { createRandom } from '../../src/base/random';
import { listFixtures, readFixture } from '../support/fixtures';

/** One input and the name it would have on disk. */
export interface FuzzInput {
  readonly kind: string;
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A value that has hurt parsers before. */
const nasty = [
  '0',
  '-1',
  '1',
  '4294967295',
  '4294967296',
  '18446744073709551615',
  '18446744073709551616',
  '9'.repeat(40),
  'ffffffffffffffff',
  '0xffffffffffffffff',
  `0x${'f'.repeat(40)}`,
  '1e400',
  'NaN',
  '',
  '0x',
  '.',
  '-',
  '(null)',
  '(fault)',
  '{}',
  '{0x0}',
  `{${'0x1000,'.repeat(300)}`,
  '2147483648.999999999',
  '00000000000000000000001',
  '__proto__',
  'constructor',
  '%n%s',
  'é€😀',
];
const glue = [
  '\0',
  '\r\n',
  '\r',
  '\r\r\n',
  '\n\n',
  '\t',
  '\u001b[31m',
  '\ufeff',
  '> ',
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  '(',
  ')',
  '=',
  ',',
  ':',
  ' ',
  '|',
  '/*',
  '*/',
  '#',
];

type Random = () => number;

const encoder = new TextEncoder();
const decoder = new TextDecoder('latin1');

/** Samples of one parser: real lines, and lines after the printed forms of formats nobody recorded here. */
interface Corpus {
  readonly kind: string;
  readonly path: string;
  readonly lines: readonly string[];
}

const written: Readonly<Record<string, string>> = {
  perf: `fio  4211/4215 [003] d..2.  1021.334455: swiotlb:swiotlb_bounced: dev_name: 0000:00:05.0 dma_mask=ffffffffffffffff dev_addr=101cec286 size=54 FORCE
my app 1-42  4211 [003]  1021.334455123:          1 dma:dma_map_page: 0000:00:05.0 dir=TO_DEVICE dma_addr=7cb8e000 size=54 phys_addr=101ae6286 attrs=
        ffffffff8111aabb swiotlb_map+0x1b ([kernel.kallsyms])

PERF_RECORD_LOST lost 12`,
  journal: `{"__REALTIME_TIMESTAMP":"1669","__MONOTONIC_TIMESTAMP":"5140900","MESSAGE":"nvme 0000:00:05.0: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used 12 (slots)"}
{"MESSAGE":[115,119,105],"_HOSTNAME":"a","PRIORITY":"4"}
__MONOTONIC_TIMESTAMP=5140900
MESSAGE=software IO TLB: mapped [mem 0x000000007da8e000-0x000000007db8e000] (1MB)`,
  pretty: `[
	{
		"PRIORITY" : "4",
		"MESSAGE" : "nvme 0000:00:05.0: swiotlb buffer is full (sz: 4096 bytes), total 9 (slots), used 9 (slots)",
		"_SOURCE_MONOTONIC_TIMESTAMP" : "5140900"
	}, {
		"MESSAGE" : [
			115,
			119
		],
		"__MONOTONIC_TIMESTAMP" : "5140901"
	}
]
[{"MESSAGE":"swiotlb buffer is full"},{"msg":"nvme a: swiotlb buffer is full (sz: 4096 bytes)","time":1.5}]
data: {"MESSAGE":"swiotlb buffer is full (sz: 1 bytes)"}
\u001e{"MESSAGE":"software IO TLB: area num 4."}`,
  'no header': Array.from({ length: 40 }, (_, row) => `${100 + row / 10},32768,${(row * 7) % 50},${50 + row},0`).join(
    '\n',
  ),
  old: `            fio-1  [003] d..1  1021.334455: swiotlb_bounced: dev_name: a dma_mask=ffffffff dev_addr=1000 size=54 
            fio-1  [003] d..1  1021.334456: swiotlb_bounced: dev_name: a dma_mask=ffffffff dev_addr=1000 size=54 swiotlb_force
            fio-1  [003] d..2. 1021.334457: swiotlb_bounced: dev_name=a dma_mask=0xffffffff (-1) dev_addr=0x1000 (4096) size=0x36 (54) force=0x1 (1)
\`\`\`
&lt;4&gt;[ 1.0] nvme a: swiotlb buffer is full (sz:&nbsp;4096 bytes)
[32m[ 1.0] [0mnvme a: swiotlb buffer is full (sz: 4096 bytes)`,
  buddy: `Node 0, zone      DMA      1      1      1      0      2      1      1      0      1      1      3
Node 0, zone   Normal      4      3      2      1      0      1      1      0      1      1    200`,
  raw: `            wget-179   [002]     5.761699: dma_map_sg:           [FAILED TO PARSE] device=0000:00:07.0 dir=1 full_nents=2 truncated=0 phys_addrs=ARRAY[00, 10] attrs=0x0
CPU:3 [1234 EVENTS DROPPED]
cpus=4
version = 7`,
  console: `            fio-1  [000] d..1.     1.000001: console: [    1.0] a 1: swiotlb buffer is full (sz: 4096 bytes), total 4 (slots), used 4 (slots)
            fio-1  [000] .....     1.000002: mm_page_alloc: page=0x1 pfn=0x1 order=9 migratetype=0 gfp_flags=GFP_NOWAIT
            fio-1  [000] .....     1.000003: workqueue_queue_work: work struct=00000000 function=swiotlb_dyn_alloc workqueue=events req_cpu=2 cpu=2
            fio-1  [000] .....     1.000004: workqueue_execute_start: work struct 00000000: function swiotlb_dyn_alloc
     <stack trace>
 => swiotlb_map`,
};

let known: readonly Corpus[] | undefined;

function corpora(): readonly Corpus[] {
  if (known === undefined) {
    const files = listFixtures('trace')
      .filter((name) => /\.(?:txt|csv)(?:\.gz)?$/.test(name))
      .map((name) => `trace/${name.replace(/\.gz$/, '')}`);
    const real = [...files, 'logs/dmesg-full.txt', 'logs/dmesg-overflow.txt', 'logs/flood-console.txt'].map(
      (path): Corpus => {
        const lines = decoder.decode(readFixture(path)).split('\n');
        const step = Math.max(1, Math.floor(lines.length / 300));
        return {
          kind: path,
          path: path.replace(/^.*\//, ''),
          lines: lines.filter((line, index) => line.length < 1500 && (index < 60 || index % step === 0)),
        };
      },
    );
    const made = Object.entries(written).map(([kind, text]) => ({
      kind,
      path: `${kind}.txt`,
      lines: text.split('\n'),
    }));
    known = [...real, ...made];
  }
  return known;
}

const dats = ['v6', 'v7none', 'v7zlib', 'v7zstd'];

/** The input of one number; the same for ever. `onlyBinary`: of another sequence, a trace.dat every time. */
export function inputOf(seed: number, run: number, onlyBinary = false): FuzzInput {
  const random = createRandom((seed ^ Math.imul(run + 1, 0x9e3779b1)) >>> 0);
  const upTo = (count: number): number => Math.floor(random() * count);
  // A binary trace takes as long as a thousand text inputs.
  return onlyBinary || upTo(1000) === 0 ? damagedDat(random, upTo) : damagedText(random, upTo);
}

/** A few lines of one sample (now and then of two), with one to four things changed. */
function damagedText(random: Random, upTo: (count: number) => number): FuzzInput {
  const corpus = pick(corpora(), upTo);
  const other = upTo(6) === 0 ? pick(corpora(), upTo) : corpus;
  const count = 1 + upTo(8);
  const from = upTo(corpus.lines.length);
  const lines: string[] = upTo(3) === 0 ? corpus.lines.slice(0, 3) : [];
  for (let i = 0; i < count; i++) {
    lines.push(upTo(5) === 0 ? pick(other.lines, upTo) : (corpus.lines[(from + i) % corpus.lines.length] as string));
  }
  for (let changes = 1 + upTo(4); changes > 0; changes--) {
    const at = upTo(lines.length);
    lines[at] = changeLine(lines[at] as string, other, upTo);
    if (upTo(10) === 0) {
      lines.splice(at, 1, lines[at] as string, lines[at] as string);
    }
    if (upTo(10) === 0) {
      lines.splice(upTo(lines.length), 0, lines.splice(at, 1)[0] as string);
    }
  }
  let text = lines.join(upTo(12) === 0 ? '\r\n' : '\n');
  if (upTo(2) === 0) {
    text += '\n';
  }
  if (upTo(20) === 0) {
    text = text.slice(0, upTo(text.length + 1));
  }
  const path = upTo(8) === 0 ? pick(['cmdline.txt', 'version.txt', 'config.txt', 'x.csv', ''], upTo) : corpus.path;
  const bytes = upTo(60) === 0 ? utf16(text, upTo(2) === 0) : latin1(text);
  if (upTo(15) === 0 && bytes.length > 0) {
    bytes[upTo(bytes.length)] = Math.floor(random() * 256);
  }
  return { kind: corpus.kind, path, bytes };
}

function changeLine(line: string, other: Corpus, upTo: (count: number) => number): string {
  switch (upTo(9)) {
    case 0:
      return replaceNth(line, /\d+/g, upTo, () => pick(nasty, upTo));
    case 1:
      return replaceNth(line, /(?:0x)?[0-9a-f]{4,}/g, upTo, () => pick(nasty, upTo));
    case 2:
      return replaceNth(line, /\w+=\S*/g, upTo, (word) => pick(['', word + word, `${word} ${word}`, `${word}=`], upTo));
    case 3:
      return replaceNth(line, /[^\s]+/g, upTo, () => pick([...nasty, ...glue], upTo));
    case 4:
      return line.slice(0, upTo(line.length + 1));
    case 5:
      return line.slice(upTo(line.length + 1));
    case 6: {
      const splice = pick(other.lines, upTo);
      return line.slice(0, upTo(line.length + 1)) + splice.slice(upTo(splice.length + 1));
    }
    case 7: {
      const at = upTo(line.length + 1);
      return line.slice(0, at) + pick(glue, upTo) + line.slice(at);
    }
    default:
      return replaceNth(line, /[[\](){}:=,|<>-]/g, upTo, () => pick(glue, upTo));
  }
}

function replaceNth(
  line: string,
  what: RegExp,
  upTo: (count: number) => number,
  by: (found: string) => string,
): string {
  const found = [...line.matchAll(what)];
  if (found.length === 0) {
    return line;
  }
  const match = pick(found, upTo);
  return line.slice(0, match.index) + by(match[0]) + line.slice(match.index + match[0].length);
}

const numbers = [0, 1, 2, 3, 4, 8, 15, 16, 255, 4095, 65535, 2 ** 20, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

/** A trace.dat with bytes, words or texts of its structure changed, cut or repeated. */
function damagedDat(random: Random, upTo: (count: number) => number): FuzzInput {
  const variant = pick(dats, upTo);
  const original = readFixture(`trace/trace-${variant}.dat`);
  let bytes = Uint8Array.from(original);
  const view = new DataView(bytes.buffer);
  for (let changes = 1 + upTo(4); changes > 0; changes--) {
    // Half of the changes hit the headers, where lengths and offsets are.
    const at = upTo(2) === 0 ? upTo(Math.min(600, bytes.length - 8)) : upTo(bytes.length - 8);
    switch (upTo(6)) {
      case 0:
        bytes[at] = Math.floor(random() * 256);
        break;
      case 1:
        view.setUint32(at, pick(numbers, upTo), true);
        break;
      case 2:
        view.setBigUint64(at, BigInt(pick(numbers, upTo)), true);
        break;
      case 3:
        view.setUint16(at, upTo(24), true);
        break;
      case 4:
        changeDigits(bytes, at, upTo);
        break;
      default:
        bytes.copyWithin(at, upTo(bytes.length), upTo(bytes.length));
    }
  }
  if (upTo(4) === 0) {
    bytes = bytes.slice(0, upTo(bytes.length));
  }
  return { kind: `trace-dat ${variant}`, path: 'trace.dat', bytes };
}

/** Offsets and sizes of the format files are decimal text. */
function changeDigits(bytes: Uint8Array, from: number, upTo: (count: number) => number): void {
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte >= 0x30 && byte <= 0x39) {
      for (; (bytes[at] as number) >= 0x30 && (bytes[at] as number) <= 0x39; at++) {
        bytes[at] = 0x30 + upTo(10);
      }
      return;
    }
  }
}

function pick<T>(values: readonly T[], upTo: (count: number) => number): T {
  return values[upTo(values.length)] as T;
}

function latin1(text: string): Uint8Array {
  // Characters above 0xff came from the lists above and are meant as UTF-8.
  return /[^\0-\xff]/.test(text) ? encoder.encode(text) : Uint8Array.from(Buffer.from(text, 'latin1'));
}

function utf16(text: string, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(2 + text.length * 2);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xfeff, littleEndian);
  for (let i = 0; i < text.length; i++) {
    view.setUint16(2 + i * 2, text.charCodeAt(i), littleEndian);
  }
  return bytes;
}
