import { decompress } from 'fzstd';
import { asciiBytes, decodeUtf8, startsWithAt } from '../bytes';
import { type EventFormat, parseEventFormat, parseFields } from './eventFormat';
import { inflateZlib } from './inflate';

/** Ring buffer data of one CPU, packed in pieces of whole pages. */
export interface CpuData {
  readonly cpu: number;
  /** Number of pieces. */
  readonly pieces: number;
  /** Unpacks one piece; null when it is damaged. */
  piece(index: number): Uint8Array | null;
}

/** The ring buffer of the top folder or of a trace instance. */
export interface TraceBuffer {
  /** '' for the top one. */
  readonly name: string;
  readonly clock: string;
  /** CPUs with data. */
  readonly cpus: readonly CpuData[];
}

export interface TraceDat {
  readonly version: number;
  readonly littleEndian: boolean;
  readonly longBytes: number;
  readonly pageBytes: number;
  readonly compression: string;
  /** Offsets inside a ring buffer page. */
  readonly commitOffset: number;
  readonly dataOffset: number;
  readonly formats: ReadonlyMap<number, EventFormat>;
  readonly comms: ReadonlyMap<number, string>;
  /** Function addresses, sorted, with their names. */
  readonly symbolAddresses: readonly bigint[];
  readonly symbolNames: readonly string[];
  readonly clock: string;
  readonly uname: string;
  /** The top buffer first, then the trace instances. */
  readonly buffers: readonly TraceBuffer[];
  /** CPUs of the machine; 0 unknown. */
  readonly cpuCount: number;
  /** Sentences about parts that could not be read. */
  readonly damage: readonly string[];
}

/** The first ten bytes of every trace.dat. */
export const traceDatMagic = Uint8Array.from([0x17, 0x08, 0x44, ...asciiBytes('tracing')]);

const Option = {
  done: 0,
  buffer: 3,
  traceClock: 4,
  uname: 5,
  cpuCount: 8,
  headerInfo: 16,
  ftraceEvents: 17,
  eventFormats: 18,
  kallsyms: 19,
  printk: 20,
  commandLines: 21,
} as const;

/** Thrown inside this file only: the file ends where more was promised. */
class ShortRead extends Error {}

/** Reads numbers and strings at a position. */
class Cursor {
  position = 0;
  private readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly littleEndian: boolean;

  constructor(bytes: Uint8Array, littleEndian: boolean, position = 0) {
    this.bytes = bytes;
    this.littleEndian = littleEndian;
    this.position = position;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.bytes[this.advance(1)];
  }

  u16(): number {
    return this.view.getUint16(this.advance(2), this.littleEndian);
  }

  u32(): number {
    return this.view.getUint32(this.advance(4), this.littleEndian);
  }

  /** Sizes and offsets: far below 2^53. */
  u64(): number {
    return Number(this.view.getBigUint64(this.advance(8), this.littleEndian));
  }

  text(): string {
    const end = this.bytes.indexOf(0, this.position);
    if (end < 0) {
      throw new ShortRead('a text has no end');
    }
    const text = decodeUtf8(this.bytes, this.position, end);
    this.position = end + 1;
    return text;
  }

  take(length: number): Uint8Array {
    const start = this.advance(length);
    return this.bytes.subarray(start, start + length);
  }

  private advance(length: number): number {
    const start = this.position;
    if (length < 0 || start + length > this.bytes.length) {
      throw new ShortRead(`the file ends at byte ${this.bytes.length}, ${length} bytes at ${start} were promised`);
    }
    this.position = start + length;
    return start;
  }
}

interface Draft {
  commitOffset: number;
  dataOffset: number;
  clock: string;
  uname: string;
  readonly formats: Map<number, EventFormat>;
  readonly comms: Map<number, string>;
  symbolAddresses: bigint[];
  symbolNames: string[];
  readonly buffers: TraceBuffer[];
  cpuCount: number;
  readonly damage: string[];
}

/** Reads a whole trace.dat (versions 6 and 7, see trace-cmd.dat(5)); null when it is none. Damaged parts are named, not thrown. */
export function openTraceDat(bytes: Uint8Array): TraceDat | null {
  if (!startsWithAt(bytes, 0, bytes.length, traceDatMagic)) {
    return null;
  }
  const draft: Draft = {
    commitOffset: 8,
    dataOffset: 16,
    clock: '',
    uname: '',
    formats: new Map(),
    comms: new Map(),
    symbolAddresses: [],
    symbolNames: [],
    buffers: [],
    cpuCount: 0,
    damage: [],
  };
  let version = 0;
  let littleEndian = true;
  let longBytes = 8;
  let pageBytes = 4096;
  let compression = 'none';
  try {
    const start = new Cursor(bytes, true, traceDatMagic.length);
    version = Number.parseInt(start.text(), 10);
    littleEndian = start.u8() === 0;
    longBytes = start.u8();
    const cursor = new Cursor(bytes, littleEndian, start.position);
    pageBytes = cursor.u32();
    if (version >= 7) {
      compression = cursor.text();
      cursor.text();
      readOptionSections(draft, cursor, compression, longBytes, pageBytes);
    } else {
      readVersion6(draft, cursor, longBytes, pageBytes);
    }
  } catch (error) {
    if (!(error instanceof ShortRead) && !(error instanceof RangeError)) {
      throw error;
    }
    draft.damage.push(`The file is cut off: ${error.message}.`);
  }
  return { version, littleEndian, longBytes, pageBytes, compression, ...draft };
}

/** Version 7: a chain of option sections, each option names the section that holds its data. */
function readOptionSections(
  draft: Draft,
  cursor: Cursor,
  compression: string,
  longBytes: number,
  pageBytes: number,
): void {
  const visited = new Set<number>();
  for (let offset = cursor.u64(); offset > 0 && !visited.has(offset); ) {
    visited.add(offset);
    const options = readSection(draft, cursor, offset, compression);
    offset = 0;
    while (options !== null && options.position < options.bytes.length) {
      const id = options.u16();
      const size = options.u32();
      const data = new Cursor(options.take(size), cursor.littleEndian);
      if (id === Option.done) {
        offset = size >= 8 ? data.u64() : 0;
        break;
      }
      if (id === Option.buffer) {
        readBufferOption(draft, data, cursor, compression, pageBytes);
      } else if (id >= Option.headerInfo && id <= Option.commandLines && size >= 8) {
        const section = readSection(draft, cursor, data.u64(), compression);
        if (section !== null) {
          readInfo(draft, id, section, longBytes);
        }
      } else {
        readCommonOption(draft, id, data);
      }
    }
  }
}

/** A section: id, flags, name, size, then its bytes, packed when flag 1 is set. */
function readSection(draft: Draft, cursor: Cursor, offset: number, compression: string): Cursor | null {
  cursor.position = offset;
  cursor.u16();
  const flags = cursor.u16();
  cursor.u32();
  const size = cursor.u64();
  if ((flags & 1) === 0) {
    return new Cursor(cursor.take(size), cursor.littleEndian);
  }
  const packedBytes = cursor.u32();
  const plainBytes = cursor.u32();
  const plain = unpackBlock(compression, cursor.take(packedBytes), plainBytes);
  if (plain === null) {
    draft.damage.push(`A section compressed with ${compression} at byte ${offset} cannot be unpacked.`);
    return null;
  }
  return new Cursor(plain, cursor.littleEndian);
}

const maxBlockBytes = 1 << 28;

function unpackBlock(compression: string, packed: Uint8Array, plainBytes: number): Uint8Array | null {
  if (plainBytes > maxBlockBytes) {
    return null;
  }
  if (compression === 'zlib') {
    return inflateZlib(packed, plainBytes);
  }
  if (compression !== 'zstd') {
    return null;
  }
  try {
    const plain = decompress(packed, new Uint8Array(plainBytes));
    return plain.length === plainBytes ? plain : null;
  } catch {
    return null;
  }
}

function readBufferOption(draft: Draft, data: Cursor, file: Cursor, compression: string, pageBytes: number): void {
  const offset = data.u64();
  const name = data.text();
  const clock = data.text() || draft.clock;
  if (name === '') {
    draft.clock = clock;
  }
  data.u32();
  const count = data.u32();
  file.position = offset;
  file.u16();
  const isPacked = (file.u16() & 1) !== 0;
  const cpus: CpuData[] = [];
  draft.buffers.push({ name, clock, cpus });
  for (let i = 0; i < count; i++) {
    const cpu = data.u32();
    const start = data.u64();
    const size = data.u64();
    if (size === 0) {
      continue;
    }
    if (start + size > file.bytes.length) {
      draft.damage.push(`The file ends within the data of CPU ${cpu}.`);
    }
    cpus.push(
      isPacked
        ? packedCpu(cpu, file, start, compression)
        : plainCpu(cpu, file.bytes.subarray(start, start + size), pageBytes),
    );
  }
}

const plainPieceBytes = 1 << 20;

function plainCpu(cpu: number, bytes: Uint8Array, pageBytes: number): CpuData {
  const pieceBytes = Math.max(pageBytes, Math.floor(plainPieceBytes / pageBytes) * pageBytes);
  return {
    cpu,
    pieces: Math.ceil(bytes.length / pieceBytes),
    piece: (index) => bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes),
  };
}

function packedCpu(cpu: number, file: Cursor, start: number, compression: string): CpuData {
  const cursor = new Cursor(file.bytes, file.littleEndian, start);
  const blocks: { packed: Uint8Array; plainBytes: number }[] = [];
  const count = cursor.u32();
  for (let i = 0; i < count; i++) {
    const packedBytes = cursor.u32();
    const plainBytes = cursor.u32();
    blocks.push({ packed: cursor.take(packedBytes), plainBytes });
  }
  return {
    cpu,
    pieces: blocks.length,
    piece: (index) => unpackBlock(compression, blocks[index].packed, blocks[index].plainBytes),
  };
}

function readInfo(draft: Draft, id: number, section: Cursor, longBytes: number): void {
  if (id === Option.headerInfo) {
    readHeaderInfo(draft, section, longBytes);
  } else if (id === Option.ftraceEvents) {
    readFormats(draft, section, 'ftrace', section.u32(), longBytes);
  } else if (id === Option.eventFormats) {
    readEventSystems(draft, section, longBytes);
  } else if (id === Option.kallsyms) {
    readKallsyms(draft, section.take(section.u32()));
  } else if (id === Option.commandLines) {
    readCommandLines(draft, section.take(section.u64()));
  }
}

function readCommonOption(draft: Draft, id: number, data: Cursor): void {
  const text = decodeUtf8(data.bytes, 0, data.bytes.length).replace(/\0.*$/s, '');
  if (id === Option.traceClock) {
    draft.clock = /\[([\w-]+)\]/.exec(text)?.[1] ?? text.trim();
  } else if (id === Option.cpuCount && data.bytes.length >= 4) {
    draft.cpuCount = data.u32();
  } else if (id === Option.uname) {
    draft.uname = text.trim();
  }
}

function readHeaderInfo(draft: Draft, section: Cursor, longBytes: number): void {
  section.text();
  const page = section.take(section.u64());
  for (const field of parseFields(decodeUtf8(page, 0, page.length), longBytes)) {
    if (field.name === 'commit') {
      draft.commitOffset = field.offset;
    } else if (field.name === 'data') {
      draft.dataOffset = field.offset;
    }
  }
  section.text();
  section.take(section.u64());
}

function readEventSystems(draft: Draft, section: Cursor, longBytes: number): void {
  const systems = section.u32();
  for (let i = 0; i < systems; i++) {
    const system = section.text();
    readFormats(draft, section, system, section.u32(), longBytes);
  }
}

function readFormats(draft: Draft, section: Cursor, system: string, count: number, longBytes: number): void {
  for (let i = 0; i < count; i++) {
    const file = section.take(section.u64());
    const format = parseEventFormat(decodeUtf8(file, 0, file.length), system, longBytes);
    if (format !== null) {
      draft.formats.set(format.id, format);
    }
  }
}

/** `pid name` lines. */
function readCommandLines(draft: Draft, bytes: Uint8Array): void {
  for (const line of decodeUtf8(bytes, 0, bytes.length).split('\n')) {
    const match = /^(\d+) (.*)$/.exec(line);
    if (match !== null) {
      draft.comms.set(Number(match[1]), match[2]);
    }
  }
}

/** Only functions of the field are ever named: keep the addresses of all, the names of those. */
function readKallsyms(draft: Draft, bytes: Uint8Array): void {
  const symbols: { address: bigint; name: string }[] = [];
  for (const line of decodeUtf8(bytes, 0, bytes.length).split('\n')) {
    const match = /^([0-9a-f]{8,16}) \w (\S+)/.exec(line);
    if (match !== null) {
      symbols.push({ address: BigInt(`0x${match[1]}`), name: match[2] });
    }
  }
  symbols.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  draft.symbolAddresses = symbols.map(({ address }) => address);
  draft.symbolNames = symbols.map(({ name }) => name);
}

/** Version 6: everything in one fixed order, never packed. */
function readVersion6(draft: Draft, cursor: Cursor, longBytes: number, pageBytes: number): void {
  readHeaderInfo(draft, cursor, longBytes);
  readFormats(draft, cursor, 'ftrace', cursor.u32(), longBytes);
  readEventSystems(draft, cursor, longBytes);
  readKallsyms(draft, cursor.take(cursor.u32()));
  cursor.take(cursor.u32());
  readCommandLines(draft, cursor.take(cursor.u64()));
  draft.cpuCount = cursor.u32();
  const instances: Instance[] = [];
  for (;;) {
    const word = cursor.take(10);
    const mark = decodeUtf8(word, 0, 10).replace(/\0.*$/s, '').trim();
    if (mark === 'options') {
      for (let id = cursor.u16(); id !== 0; id = cursor.u16()) {
        const data = new Cursor(cursor.take(cursor.u32()), cursor.littleEndian);
        if (id === Option.buffer) {
          instances.push(readInstance(data, draft.cpuCount));
        } else {
          readCommonOption(draft, id, data);
        }
      }
    } else if (mark === 'flyrecord') {
      break;
    } else {
      draft.damage.push(`The data of this file is of kind '${mark}', which holds no events.`);
      return;
    }
  }
  draft.buffers.push({ name: '', clock: draft.clock, cpus: readCpuTable(draft, cursor, draft.cpuCount, pageBytes) });
  for (const { name, offset, cpuCount } of instances) {
    cursor.position = offset;
    cursor.take(10);
    const cpus = readCpuTable(draft, cursor, cpuCount, pageBytes);
    const clockText = cursor.take(cursor.u64());
    const clock = /\[([\w-]+)\]/.exec(decodeUtf8(clockText, 0, clockText.length))?.[1] ?? draft.clock;
    draft.buffers.push({ name, clock, cpus });
  }
}

/** A trace instance of version 6: where its part begins, and its CPUs where they differ from the machine's. */
interface Instance {
  readonly name: string;
  readonly offset: number;
  readonly cpuCount: number;
}

function readInstance(data: Cursor, cpuCount: number): Instance {
  const offset = data.u64();
  const name = data.text();
  return { name, offset, cpuCount: data.position + 4 <= data.bytes.length ? data.u32() : cpuCount };
}

/** Version 6: offset and size for each CPU. */
function readCpuTable(draft: Draft, cursor: Cursor, count: number, pageBytes: number): CpuData[] {
  const cpus: CpuData[] = [];
  for (let cpu = 0; cpu < count; cpu++) {
    const start = cursor.u64();
    const size = cursor.u64();
    if (start + size > cursor.bytes.length) {
      draft.damage.push(`The file ends within the data of CPU ${cpu}.`);
    }
    if (size > 0) {
      cpus.push(plainCpu(cpu, cursor.bytes.subarray(start, start + size), pageBytes));
    }
  }
  return cpus;
}
