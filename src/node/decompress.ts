import { Decompress, ZstdErrorCode } from 'fzstd';
import { XzReadableStream } from 'xz-decompress';
import { platform } from '#platform';

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz';

/** What the outside world refused: the message is for people, without advice. */
export interface InputFailure {
  readonly code:
    | 'not-found'
    | 'not-permitted'
    | 'read-failed'
    | 'decompress-failed'
    | 'archive-damaged'
    | 'nothing-found';
  readonly message: string;
}

/** Compressed bytes handed to a decompressor at once: bounds what one step can expand to. */
const stepBytes = 1 << 16;

/** The longest signature of `compressionOf`. */
export const signatureBytes = 6;

/** Known by the first bytes; the name of a file may lie. */
export function compressionOf(first: Uint8Array): Compression {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = first;
  if (a === 0x1f && b === 0x8b) {
    return 'gzip';
  }
  if (a === 0xfd && b === 0x37 && c === 0x7a && d === 0x58 && e === 0x5a && f === 0) {
    return 'xz';
  }
  const zstdFrame = a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd;
  // A skippable frame, as pzstd writes it first.
  const skippable = a >= 0x50 && a <= 0x5f && b === 0x2a && c === 0x4d && d === 0x18;
  return zstdFrame || skippable ? 'zstd' : 'none';
}

export interface Unpacked {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Why the chunks ended early; null while all is well. Ask after the last chunk. */
  failure(): InputFailure | null;
  /** Known after the first chunk. */
  compression(): Compression;
}

/**
 * Unpacks gzip, zstd and xz as a stream, several members one after the other too; anything else passes unchanged.
 * The chunks never throw: damaged data ends them after what could be read, and `failure` says so.
 */
export function unpack(source: AsyncIterable<Uint8Array>): Unpacked {
  let failure: InputFailure | null = null;
  let compression: Compression = 'none';

  async function* run(): AsyncIterable<Uint8Array> {
    try {
      const input = steps(source);
      const head = await readHead(input);
      compression = compressionOf(head);
      const rest = prepend(head, input);
      if (compression === 'none') {
        yield* rest;
      } else {
        yield* unpackers[compression](rest);
      }
    } catch (error) {
      failure = toFailure(error, compression);
    }
  }

  return { chunks: run(), failure: () => failure, compression: () => compression };
}

async function* steps(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  for await (const chunk of source) {
    for (let start = 0; start < chunk.length; start += stepBytes) {
      yield chunk.subarray(start, start + stepBytes);
    }
  }
  return undefined;
}

/** The first bytes or all there are, however small the chunks of a pipe. */
async function readHead(input: AsyncGenerator<Uint8Array, undefined>): Promise<Uint8Array> {
  let head = new Uint8Array(0);
  while (head.length < signatureBytes) {
    const next = await input.next();
    if (next.done === true) {
      break;
    }
    const joined = new Uint8Array(head.length + next.value.length);
    joined.set(head);
    joined.set(next.value, head.length);
    head = joined;
  }
  return head;
}

async function* prepend(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  if (first.length > 0) {
    yield first;
  }
  yield* rest;
}

async function* unzstd(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let ready: Uint8Array[] = [];
  const stream = new Decompress((chunk) => {
    if (chunk.length > 0) {
      ready.push(chunk);
    }
  });
  let broken: unknown = null;
  for await (const chunk of chunks) {
    try {
      stream.push(chunk);
    } catch (error) {
      broken = error;
    }
    yield* ready;
    ready = [];
    if (broken !== null) {
      throw broken;
    }
  }
  try {
    stream.push(new Uint8Array(0), true);
  } catch (error) {
    broken = error;
  }
  yield* ready;
  if (broken !== null) {
    throw broken;
  }
}

async function* unxz(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const input = chunks[Symbol.asyncIterator]();
  const packed = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await input.next();
      if (next.done === true) {
        controller.close();
      } else {
        controller.enqueue(next.value);
      }
    },
    async cancel() {
      await input.return?.();
    },
  });
  const reader = new XzReadableStream(packed).getReader();
  try {
    for (;;) {
      const next = await reader.read();
      if (next.done) {
        return;
      }
      yield next.value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
    await input.return?.();
  }
}

const unpackers: Readonly<
  Record<Exclude<Compression, 'none'>, (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>>
> = { gzip: platform.gunzip, zstd: unzstd, xz: unxz };

function toFailure(error: unknown, compression: Compression): InputFailure {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const text = error instanceof Error ? error.message : String(error);
  if (code === 'ENOENT') {
    return { code: 'not-found', message: 'no such file or folder' };
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return { code: 'not-permitted', message: 'permission denied' };
  }
  if (compression === 'none') {
    return { code: 'read-failed', message: `cannot be read (${text})` };
  }
  if (compression === 'zstd' && code === ZstdErrorCode.WindowSizeTooLarge) {
    return { code: 'decompress-failed', message: 'the zstd data uses a window above 32 MiB, which is not supported' };
  }
  return { code: 'decompress-failed', message: `the ${compression} data is damaged or cut off (${text})` };
}

/** The failure of an operation on a file that has nothing to do with its content. */
export function failureOf(error: unknown): InputFailure {
  return toFailure(error, 'none');
}
