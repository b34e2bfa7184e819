import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { listMembers, type SkippedFile } from './captureFolder';
import { type Compression, failureOf, type InputFailure, unpack } from './decompress';

/** One file or standard input: a stream of uncompressed bytes. */
export interface InputPart {
  /** As shown to people; '-' for standard input. */
  readonly path: string;
  /** Size on disk, compressed as it is; 0 unknown. */
  readonly sizeBytes: number;
  /** The uncompressed bytes, once. Never throws; `failure` tells afterwards why they ended early. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Bytes read from disk so far. */
  bytesRead(): number;
  failure(): InputFailure | null;
  /** Known after the first chunk. A 'none' file can be read back by offset. */
  compression(): Compression;
}

export type OpenedInput =
  | {
      readonly ok: true;
      readonly isFolder: boolean;
      /** In reading order; the main trace first. */
      readonly parts: readonly InputPart[];
      /** Files of the folder that were left out, and why. */
      readonly skipped: readonly SkippedFile[];
    }
  | { readonly ok: false; readonly failure: InputFailure };

const readBytes = 1 << 20;

/** Opens a file, a capture folder or '-' (standard input). gzip and zstd are unpacked on the way. */
export async function openInput(target: string): Promise<OpenedInput> {
  if (target === '-') {
    return { ok: true, isFolder: false, parts: [createPart('-', 0, process.stdin)], skipped: [] };
  }
  try {
    const found = await stat(target);
    if (!found.isDirectory()) {
      return { ok: true, isFolder: false, parts: [openPart(target, found.size)], skipped: [] };
    }
    const { members, skipped } = listMembers(await readdir(target));
    if (members.length === 0) {
      return {
        ok: false,
        failure: {
          code: 'nothing-found',
          message: 'the folder holds no trace, log or samples (trace.txt, dmesg.txt, debugfs.csv, …)',
        },
      };
    }
    const parts: InputPart[] = [];
    for (const name of members) {
      const file = path.join(target, name);
      const { size } = await stat(file);
      parts.push(openPart(file, size));
    }
    return { ok: true, isFolder: true, parts, skipped };
  } catch (error) {
    return { ok: false, failure: failureOf(error) };
  }
}

/** One file, opened when its chunks are first asked for. */
export function openPart(file: string, sizeBytes: number): InputPart {
  return createPart(file, sizeBytes, readFile(file));
}

async function* readFile(file: string): AsyncIterable<Uint8Array> {
  yield* createReadStream(file, { highWaterMark: readBytes }) as AsyncIterable<Buffer>;
}

function createPart(name: string, sizeBytes: number, stream: AsyncIterable<Uint8Array | string>): InputPart {
  let read = 0;
  async function* counted(): AsyncIterable<Uint8Array> {
    for await (const chunk of stream) {
      const bytes = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
      read += bytes.length;
      yield bytes;
    }
  }
  const unpacked = unpack(counted());
  return {
    path: name,
    sizeBytes,
    chunks: unpacked.chunks,
    bytesRead: () => read,
    failure: unpacked.failure,
    compression: unpacked.compression,
  };
}
