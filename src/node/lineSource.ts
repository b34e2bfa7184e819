import { platform } from '#platform';
import { concatBytes, sameBytes } from '../base/bytes';
import { LineBreaks } from '../base/lineBreaks';
import type { ByteStore, OpenFile, Spool } from '../base/platform';
import { createUtf16Decoder } from '../base/utf16';
import { compressionOf, failureOf, type InputFailure } from './decompress';
import { containerOf, openPart } from './input';

/**
 * The lines of one input as an editor shows them, read at any place. The numbers are those of the analysis: text is
 * unpacked, UTF-16 is UTF-8, a binary trace is the lines it was rendered to.
 * Memory is bounded whatever the size: one offset per 256 lines, the text stays on disk.
 */
export interface LineSource {
  /** As it was opened. */
  readonly path: string;
  /** Lines known so far; grows until `isComplete`. */
  readonly lineCount: number;
  /** The end was reached. More may follow after `refresh`. */
  readonly isComplete: boolean;
  /** Share of the input that was read, 0 to 1. */
  readonly done: number;
  /** Why the lines end early; null while all is well. */
  readonly failure: InputFailure | null;
  /** Resolves when the (one-based) line is known, or the end. */
  waitFor(line: number): Promise<void>;
  /** Resolves at the end. */
  whenComplete(): Promise<void>;
  /** Text of the lines `from` to `to` - 1 (one-based), without their ends; those not known yet are left out. */
  lines(from: number, to: number): Promise<string[]>;
  /** The same one stretch after the other, for a search: leave the loop to end it. Waits for lines not known yet. */
  stretches(from: number, to?: number): AsyncGenerator<Stretch, undefined>;
  /** Looks whether the file on disk changed, and reads what is new. */
  refresh(): Promise<'same' | 'grown' | 'restarted'>;
  close(): Promise<void>;
}

export interface Stretch {
  /** One-based number of the first line. */
  readonly first: number;
  readonly texts: readonly string[];
}

/** Shows a binary format as lines. */
export interface LineRenderer {
  /** The first bytes say that it is this format; up to `headBytes` of them are given. */
  matches(head: Uint8Array): boolean;
  /** Lines of the whole file, which is given in pieces. */
  lines(chunks: readonly Uint8Array[]): Iterable<string>;
}

export interface LineSourceOptions {
  readonly renderer?: LineRenderer;
  /** Every byte of the input on the way, unpacked but as it is (also of a binary format), so that it need not be read twice. Not kept. */
  readonly onBytes?: (chunk: Uint8Array) => void;
  /** The file was replaced or cut: what `onBytes` got is void, it begins again. */
  readonly onRestart?: () => void;
}

/** Lines per entry of the index. */
const stride = 256;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const readBytes = 1 << 20;
const { disk } = platform;
const encoder = new TextEncoder();
/** A byte order mark is a character of the line. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
/** No more of one line is shown. */
const shownBytes = 1 << 16;
/** Bytes a renderer sees of a file. */
export const headBytes = 64;
/** The event loop gets a turn after so much unpacked text. */
const turnBytes = 8 << 20;
/** A binary format is rendered from memory. */
const maxRenderedBytes = 2 ** 30;
/** A small packed file may unpack to anything. */
const maxSpoolBytes = 2 ** 34;

/** Opens a file, packed or not, or a member of an archive (as in `InputPart.path`). Rejects only where nothing can be read at all. */
export async function openLineSource(
  path: string,
  options: LineSourceOptions = {},
): Promise<
  { readonly ok: true; readonly source: LineSource } | { readonly ok: false; readonly failure: InputFailure }
> {
  const source = new FileLines(path, options);
  const failure = await source.start();
  return failure === null ? { ok: true, source } : { ok: false, failure };
}

/** Where lines begin, sparsely. */
class LineIndex {
  /** Byte offset of lines 1, 1 + stride, 1 + 2 · stride … */
  private readonly offsets: number[] = [0];
  private readonly breaks = new LineBreaks();
  /** Lines with their end. */
  private whole = 0;
  /** Where the line behind them begins. */
  private lineStart = 0;
  length = 0;

  get lineCount(): number {
    return this.whole + (this.length > this.lineStart ? 1 : 0);
  }

  push(chunk: Uint8Array): void {
    const { breaks, offsets } = this;
    let start: number = breaks.begin(chunk);
    if (start === 1) {
      // The last line end has one byte more.
      this.lineStart++;
      if (offsets[offsets.length - 1] === this.length) {
        offsets[offsets.length - 1] = this.lineStart;
      }
    }
    for (; breaks.find(start) >= 0; start = breaks.next) {
      this.whole++;
      this.lineStart = this.length + breaks.next;
      if (this.whole % stride === 0) {
        offsets.push(this.lineStart);
      }
    }
    this.length += chunk.length;
  }

  /** The indexed line at or before a one-based line. */
  before(line: number): { readonly line: number; readonly offset: number } {
    const entry = Math.min(Math.floor((line - 1) / stride), this.offsets.length - 1);
    return { line: entry * stride + 1, offset: this.offsets[entry] ?? 0 };
  }
}

class FileLines implements LineSource {
  readonly path: string;
  failure: InputFailure | null = null;
  isComplete = false;
  done = 0;
  private readonly options: LineSourceOptions;
  private index = new LineIndex();
  private store: ByteStore | null = null;
  /** The open file when its bytes are shown as they are, else null. */
  private direct: OpenFile | null = null;
  /** The last bytes that were read of it: a file that was cut and written anew has others there. */
  private tail = new Uint8Array(0);
  /** Size, time and place of the file on disk when it was last looked at. */
  private stamp = '';
  private reading: Promise<void> = Promise.resolve();
  private refreshing: Promise<unknown> = Promise.resolve();
  private waiting: { readonly line: number; readonly wake: () => void }[] = [];
  /** Raised by `close` and by a restart: the reading under way belongs to nobody. */
  private turn = 0;
  private isClosed = false;

  constructor(path: string, options: LineSourceOptions) {
    this.path = path;
    this.options = options;
  }

  get lineCount(): number {
    return this.index.lineCount;
  }

  /** Finds out what the file is and begins to read it; the reason when it cannot be opened. */
  async start(): Promise<InputFailure | null> {
    try {
      const container = await containerOf(this.path);
      if (container === null) {
        return { code: 'not-found', message: 'no such file or folder' };
      }
      this.stamp = await stampOf(container.path);
      const handle = await disk.open(container.path);
      const head = new Uint8Array(headBytes);
      const bytesRead = await handle.read(0, head);
      const first = head.subarray(0, bytesRead);
      const isDirect =
        container.member === '' &&
        compressionOf(first) === 'none' &&
        createUtf16Decoder(first[0] ?? 0, first[1] ?? 0) === null &&
        this.options.renderer?.matches(first) !== true;
      if (isDirect) {
        this.direct = handle;
        this.store = handle;
        this.begin((turn) => this.readDirect(handle, turn));
      } else {
        const { sizeBytes } = await handle.status();
        await handle.close();
        const spool = platform.createSpool();
        this.store = spool;
        this.begin((turn) => this.readPacked(spool, sizeBytes, turn));
      }
      return null;
    } catch (error) {
      return failureOf(error);
    }
  }

  async waitFor(line: number): Promise<void> {
    if (this.isComplete || this.isClosed || line <= this.knownLines()) {
      return;
    }
    await new Promise<void>((wake) => {
      this.waiting.push({ line, wake });
    });
  }

  whenComplete(): Promise<void> {
    return this.waitFor(Number.POSITIVE_INFINITY);
  }

  async lines(from: number, to: number): Promise<string[]> {
    const texts: string[] = [];
    for await (const stretch of this.read(from, Math.min(to, this.lineCount + 1))) {
      // Not all at once: a stretch may have more lines than a call takes arguments.
      for (const text of stretch.texts) {
        texts.push(text);
      }
    }
    return texts;
  }

  async *stretches(from: number, to = Number.POSITIVE_INFINITY): AsyncGenerator<Stretch, undefined> {
    for (let line = Math.max(1, from); line < to && !this.isClosed; ) {
      await this.waitFor(line);
      const end = Math.min(to, (this.isComplete ? this.lineCount : this.knownLines()) + 1);
      if (end <= line) {
        return undefined;
      }
      yield* this.read(line, end);
      line = end;
    }
    return undefined;
  }

  refresh(): Promise<'same' | 'grown' | 'restarted'> {
    const next = this.refreshing.then(() => this.look());
    this.refreshing = next.catch(() => undefined);
    return next;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.turn++;
    this.wake();
    await this.reading;
    await this.refreshing;
    await this.store?.close();
    this.store = null;
    this.direct = null;
  }

  /** Lines that will not change any more: the last one may be unfinished until the end. */
  private knownLines(): number {
    return this.isComplete ? this.index.lineCount : this.index.lineCount - 1;
  }

  private begin(read: (turn: number) => Promise<void>): void {
    const { turn } = this;
    this.isComplete = false;
    this.reading = read(turn)
      .catch((error: unknown) => {
        if (turn === this.turn) {
          this.failure = failureOf(error);
        }
      })
      .then(() => {
        if (turn === this.turn) {
          this.isComplete = true;
          this.done = 1;
        }
        this.wake();
      });
  }

  private wake(): void {
    const known = this.isComplete || this.isClosed ? Number.POSITIVE_INFINITY : this.knownLines();
    const ready = this.waiting.filter(({ line }) => line <= known);
    if (ready.length > 0) {
      this.waiting = this.waiting.filter(({ line }) => known < line);
      for (const { wake } of ready) {
        wake();
      }
    }
  }

  private async readDirect(handle: OpenFile, turn: number): Promise<void> {
    const block = new Uint8Array(readBytes);
    const { sizeBytes } = await handle.status();
    for (;;) {
      const bytesRead = await handle.read(this.index.length, block);
      if (bytesRead === 0 || turn !== this.turn) {
        return;
      }
      const chunk = block.subarray(0, bytesRead);
      this.options.onBytes?.(chunk);
      this.index.push(chunk);
      this.tail = chunk.slice(-headBytes);
      this.done = sizeBytes === 0 ? 1 : Math.min(1, this.index.length / sizeBytes);
      this.wake();
    }
  }

  private async readPacked(spool: Spool, sizeBytes: number, turn: number): Promise<void> {
    const part = openPart(this.path, sizeBytes);
    let decoder: ReturnType<typeof createUtf16Decoder> = null;
    let binary: Uint8Array[] | null = null;
    let bytes = 0;
    let sinceTurn = 0;
    for await (const chunk of atLeast(part.chunks, headBytes)) {
      if (turn !== this.turn) {
        return;
      }
      this.options.onBytes?.(chunk);
      if (bytes === 0) {
        decoder = createUtf16Decoder(chunk[0] ?? 0, chunk[1] ?? 0);
        binary = this.options.renderer?.matches(chunk.subarray(0, headBytes)) === true ? [] : null;
      }
      bytes += chunk.length;
      this.done = sizeBytes === 0 ? 0 : Math.min(1, part.bytesRead() / sizeBytes);
      if (binary === null) {
        await this.append(spool, decoder === null ? chunk : decoder.decode(chunk));
      } else if (bytes <= maxRenderedBytes) {
        binary.push(Uint8Array.from(chunk));
      }
      if (maxSpoolBytes < spool.length) {
        this.failure = {
          code: 'read-failed',
          message: `the text is longer than ${maxSpoolBytes / 2 ** 30} GiB; the rest is not shown`,
        };
        return;
      }
      sinceTurn += chunk.length;
      if (turnBytes < sinceTurn) {
        sinceTurn = 0;
        await platform.nextTurn();
      }
    }
    this.failure = part.failure();
    if (binary !== null && this.options.renderer !== undefined) {
      await this.render(spool, this.options.renderer.lines(binary), turn);
    }
  }

  private async render(spool: Spool, lines: Iterable<string>, turn: number): Promise<void> {
    let batch: string[] = [];
    let length = 0;
    for (const line of lines) {
      batch.push(line);
      length += line.length;
      if (readBytes < length) {
        await this.append(spool, encoder.encode(`${batch.join('\n')}\n`));
        await platform.nextTurn();
        if (turn !== this.turn) {
          return;
        }
        batch = [];
        length = 0;
      }
    }
    if (batch.length > 0) {
      await this.append(spool, encoder.encode(`${batch.join('\n')}\n`));
    }
  }

  private async append(spool: Spool, chunk: Uint8Array): Promise<void> {
    // First the text, then the index: a line that is known can be read.
    await spool.append(chunk);
    this.index.push(chunk);
    this.wake();
  }

  /** Known lines, one stretch after the other. */
  private async *read(from: number, to: number): AsyncGenerator<Stretch, undefined> {
    const { store, index, turn } = this;
    const start = index.before(Math.max(1, from));
    const cutter = new LineCutter(start.line);
    let position = start.offset;
    let first = Math.max(1, from);
    // A few lines need no large block.
    const block = new Uint8Array(to - from <= stride ? readBytes / 16 : readBytes);
    while (store !== null && first < to && turn === this.turn) {
      const room = Math.min(block.length, index.length - position);
      const filled = await store.read(position, block.subarray(0, room)).catch(() => 0);
      position += filled;
      const cut = filled === 0 ? cutter.end() : cutter.push(block.subarray(0, filled));
      const texts = cut.texts.slice(Math.max(0, first - cut.first), Math.max(0, to - cut.first));
      if (texts.length > 0) {
        yield { first, texts };
        first += texts.length;
      }
      if (filled === 0) {
        return undefined;
      }
    }
    return undefined;
  }

  private async look(): Promise<'same' | 'grown' | 'restarted'> {
    await this.reading;
    const container = this.isClosed ? null : await containerOf(this.path);
    const stamp = container === null ? '' : await stampOf(container.path);
    if (this.isClosed || container === null || stamp === this.stamp) {
      return 'same';
    }
    const { direct } = this;
    if (direct !== null && (await this.onlyGrew(direct, container.path))) {
      this.stamp = stamp;
      const before = this.index.length;
      this.begin((turn) => this.readDirect(direct, turn));
      await this.reading;
      return this.index.length === before ? 'same' : 'grown';
    }
    this.turn++;
    await this.store?.close();
    this.store = null;
    this.direct = null;
    this.index = new LineIndex();
    this.tail = new Uint8Array(0);
    this.failure = null;
    this.done = 0;
    this.options.onRestart?.();
    this.failure = await this.start();
    this.isComplete = this.failure !== null;
    return 'restarted';
  }

  /** Whether the path is still the open file and holds what was read of it. */
  private async onlyGrew(handle: OpenFile, path: string): Promise<boolean> {
    const [opened, found] = await Promise.all([handle.status(), disk.status(path)]);
    if (opened.identity !== found.identity || found.sizeBytes < this.index.length) {
      return false;
    }
    const now = new Uint8Array(this.tail.length);
    await handle.read(this.index.length - now.length, now);
    return sameBytes(now, this.tail);
  }
}

/** Cuts blocks into lines; of a line longer than `shownBytes` only the beginning is kept. */
class LineCutter {
  private rest: Uint8Array[] = [];
  private restBytes = 0;
  /** The last block ended in a CR: an LF at the start of the next one belongs to it. */
  private endsInReturn = false;
  private line: number;

  constructor(line: number) {
    this.line = line;
  }

  push(block: Uint8Array): Stretch {
    if (this.endsInReturn && block[0] === lineFeed) {
      block = block.subarray(1);
    }
    this.endsInReturn = block[block.length - 1] === carriageReturn;
    const last = Math.max(block.lastIndexOf(lineFeed), block.lastIndexOf(carriageReturn));
    if (last < 0) {
      this.keep(block);
      return { first: this.line, texts: [] };
    }
    // Up to the last line end; a CR LF there would leave an empty text behind it.
    const isPair = block[last] === lineFeed && block[last - 1] === carriageReturn;
    const end = isPair ? last - 1 : last;
    const texts = utf8.decode(block.subarray(0, end)).split(lineEnds);
    if (this.rest.length > 0) {
      const first = block.subarray(0, last + 1).findIndex((byte) => byte === lineFeed || byte === carriageReturn);
      this.keep(block.subarray(0, first));
      texts[0] = this.take();
    }
    this.keep(block.subarray(last + 1));
    return this.number(texts.map(shown));
  }

  /** The last line, when it has no end. */
  end(): Stretch {
    return this.number(this.rest.length > 0 ? [this.take()] : []);
  }

  private number(texts: string[]): Stretch {
    const first = this.line;
    if (first === 1 && texts[0]?.startsWith('\ufeff')) {
      texts[0] = texts[0].slice(1);
    }
    this.line += texts.length;
    return { first, texts };
  }

  private keep(part: Uint8Array): void {
    if (part.length > 0 && this.restBytes < shownBytes) {
      const kept = Uint8Array.from(part.subarray(0, shownBytes - this.restBytes));
      this.rest.push(kept);
      this.restBytes += kept.length;
    }
  }

  private take(): string {
    const text = shown(utf8.decode(concatBytes(this.rest)));
    this.rest = [];
    this.restBytes = 0;
    return text;
  }
}

function shown(text: string): string {
  return text.length > shownBytes ? text.slice(0, shownBytes) : text;
}

const lineEnds = /\r\n?|\n/;

/** Differs when the file was written, replaced or cut. */
async function stampOf(path: string): Promise<string> {
  const { identity, sizeBytes, mtimeMs } = await disk.status(path);
  return `${identity} ${sizeBytes} ${mtimeMs}`;
}

/** The same bytes; the first chunk has at least so many of them, if there are. */
async function* atLeast(chunks: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array, undefined> {
  let head: Uint8Array | null = new Uint8Array(0);
  for await (const chunk of chunks) {
    if (head === null) {
      yield chunk;
      continue;
    }
    head = concatBytes([head, chunk]);
    if (bytes <= head.length) {
      yield head;
      head = null;
    }
  }
  if (head !== null && head.length > 0) {
    yield head;
  }
  return undefined;
}
