import { stat } from 'node:fs/promises';
import { failureOf } from '../node/decompress';
import { openPart } from '../node/input';

/** Bytes to analyse, or the sentence that says why there are none. */
export type ByteSource =
  | {
      readonly ok: true;
      /** As the analysis names the source. */
      readonly path: string;
      /** Lines can be read back from the file at `path`. */
      readonly isFile: boolean;
      readonly stamp: string;
      /** Never throws: damaged or vanishing input ends early, see `failure`. */
      readonly chunks: AsyncIterable<Uint8Array>;
      /** Share of the input that was read, 0 to 1. */
      readonly done: () => number;
      /** After the chunks: why they ended early, else null. */
      readonly failure: () => string | null;
    }
  | { readonly ok: false; readonly message: string };

/** A file of this machine, unpacked on the way. */
export async function openFile(path: string): Promise<ByteSource> {
  try {
    const { size, mtimeMs } = await stat(path);
    const part = openPart(path, size);
    return {
      ok: true,
      path,
      isFile: true,
      stamp: stampOf(size, mtimeMs),
      chunks: part.chunks,
      done: () => (size === 0 ? 1 : Math.min(1, part.bytesRead() / size)),
      failure: () => part.failure()?.message ?? null,
    };
  } catch (error) {
    return { ok: false, message: `${path}: ${failureOf(error).message}` };
  }
}

/** Differs when the file was written since; '' when it is gone. */
export async function fileStamp(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  return found === null ? '' : stampOf(found.size, found.mtimeMs);
}

function stampOf(size: number, mtimeMs: number): string {
  return `${size} ${mtimeMs}`;
}
