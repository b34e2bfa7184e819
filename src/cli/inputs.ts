import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';

/** A part of an input: one file, or standard input. */
export interface InputPart {
  /** As shown to people and written to reports; `-` for standard input. */
  readonly name: string;
  /** 0: unknown. */
  readonly sizeBytes: number;
  /** The uncompressed bytes. Damaged archives end early with an InputError after what could be read. */
  chunks(progress: (readBytes: number) => void): AsyncIterable<Uint8Array>;
}

/** The outside world said no: the message is for people. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** Files of a capture folder that hold a part of the story; ground truth and binary traces do not. */
const members: readonly RegExp[] = [
  /^trace.*\.txt$/,
  /^trace(_pipe)?$/,
  /^trace.*\.log$/,
  /^dmesg(\.txt|\.log)?$/,
  /^console(\.txt|\.log)?$/,
  /^kern\.log$/,
  /^journal.*\.(txt|log)$/,
  /^debugfs.*\.(csv|txt)$/,
  /^cmdline\.txt$/,
  /^config(\.txt)?$/,
  /^version\.txt$/,
];
const notMembers = /^(trace_cmd_report|trace_clock|trace_options|tracer|debugfs_snap)/;
const packed = /\.(gz|zst)$/;

/** The parts of an input. A folder is a capture bundle; of a file and its packed copy only the plain one is read. */
export async function listParts(file: string): Promise<readonly InputPart[]> {
  if (file === '-') {
    return [{ name: '-', sizeBytes: 0, chunks: (progress) => unpack(process.stdin, '-', progress) }];
  }
  const found = await stat(file).catch((error: unknown) => {
    throw new InputError(describeError(file, error));
  });
  if (!found.isDirectory()) {
    return [partOf(file, found.size)];
  }
  const names = (await readdir(file)).sort();
  const chosen = names.filter((name) => isMember(name) && !(packed.test(name) && names.includes(plainName(name))));
  if (chosen.length === 0) {
    throw new InputError(`${file}: no trace, log or samples in this folder (trace.txt, dmesg.txt, debugfs.csv …)`);
  }
  return Promise.all(
    chosen.map(async (name) => {
      const whole = path.join(file, name);
      return partOf(whole, (await stat(whole)).size);
    }),
  );
}

function partOf(file: string, sizeBytes: number): InputPart {
  return {
    name: file,
    sizeBytes,
    chunks: (progress) => unpack(createReadStream(file, { highWaterMark: 1 << 20 }), file, progress),
  };
}

function isMember(name: string): boolean {
  const plain = plainName(name);
  return !notMembers.test(plain) && members.some((pattern) => pattern.test(plain));
}

function plainName(name: string): string {
  return name.replace(packed, '');
}

/** gzip and zstd are known by their first bytes, whatever the name says. */
async function* unpack(
  stream: NodeJS.ReadableStream,
  name: string,
  progress: (readBytes: number) => void,
): AsyncIterable<Uint8Array> {
  try {
    const counted = count(stream as AsyncIterable<Uint8Array>, progress);
    const first = await counted.next();
    if (first.done === true) {
      return;
    }
    const rest = prepend(first.value, counted);
    if (first.value[0] === 0x1f && first.value[1] === 0x8b) {
      yield* gunzip(rest);
    } else if (
      first.value[0] === 0x28 &&
      first.value[1] === 0xb5 &&
      first.value[2] === 0x2f &&
      first.value[3] === 0xfd
    ) {
      yield* unzstd(rest);
    } else {
      yield* rest;
    }
  } catch (error) {
    throw error instanceof InputError ? error : new InputError(describeError(name, error));
  }
}

async function* count(chunks: AsyncIterable<Uint8Array>, progress: (readBytes: number) => void) {
  let read = 0;
  for await (const chunk of chunks) {
    read += chunk.length;
    progress(read);
    yield chunk;
  }
}

async function* prepend(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const stream = createGunzip({ chunkSize: 1 << 20 });
  const feeding = (async () => {
    for await (const chunk of chunks) {
      if (!stream.write(chunk)) {
        await new Promise<void>((resolve) => {
          stream.once('drain', resolve);
          stream.once('close', resolve);
        });
      }
      if (stream.destroyed) {
        return;
      }
    }
    stream.end();
  })();
  feeding.catch((error: unknown) => stream.destroy(error as Error));
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    yield chunk;
  }
  await feeding;
}

async function* unzstd(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let ready: Uint8Array[] = [];
  const stream = new Decompress((chunk) => ready.push(chunk));
  for await (const chunk of chunks) {
    stream.push(chunk);
    yield* ready;
    ready = [];
  }
  stream.push(new Uint8Array(0), true);
  yield* ready;
}

function describeError(name: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or folder',
    EACCES: 'permission denied',
    EISDIR: 'is a folder',
  };
  if (known[code] !== undefined) {
    return `${name}: ${known[code]}`;
  }
  const message = error instanceof Error ? error.message : String(error);
  return `${name}: the data is damaged or cannot be read (${message})`;
}
