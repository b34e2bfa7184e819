import { platform } from '#platform';
import type { FileStatus } from '../base/platform';
import { failureOf } from '../node/decompress';
import { containerOf, openInput } from '../node/input';

/** Bytes to analyse, or the sentence that says why there are none. */
export type ByteSource =
  | {
      readonly ok: true;
      /** As the analysis names the source. */
      readonly path: string;
      /** Lines can be read back from the file at `path`. */
      readonly isFile: boolean;
      readonly stamp: string;
      /** Packed, binary, UTF-16 or inside an archive: lines cannot be read back by byte offset. Known after the first chunk. */
      readonly isPacked: () => boolean;
      /** Never throws: damaged or vanishing input ends early, see `failure`. */
      readonly chunks: AsyncIterable<Uint8Array>;
      /** Share of the input that was read, 0 to 1. */
      readonly done: () => number;
      /** After the chunks: why they ended early, else null. */
      readonly failure: () => string | null;
    }
  | { readonly ok: false; readonly message: string };

/** A file of this machine, unpacked on the way; an archive is the files of the capture in it, which is never none. */
export async function openFile(path: string): Promise<readonly ByteSource[]> {
  try {
    const status = await platform.disk.status(path);
    const input = await openInput(path);
    if (!input.ok) {
      return [{ ok: false, message: `${path}: ${input.failure.message}` }];
    }
    return input.parts.map((part) => ({
      ok: true,
      path: part.path,
      isFile: true,
      stamp: stampOf(status),
      isPacked: () => input.isBundle || part.compression() !== 'none' || part.isUtf16(),
      chunks: part.chunks,
      done: () => (part.sizeBytes === 0 ? 1 : Math.min(1, part.bytesRead() / part.sizeBytes)),
      failure: () => part.failure()?.message ?? input.damage?.message ?? null,
    }));
  } catch (error) {
    return [{ ok: false, message: `${path}: ${failureOf(error).message}` }];
  }
}

/** Differs when the file was written since; '' when it is gone. */
export async function fileStamp(path: string): Promise<string> {
  // A member of an archive changes with the archive.
  const container = await containerOf(path);
  const found = container === null ? null : await platform.disk.status(container.path).catch(() => null);
  return found === null ? '' : stampOf(found);
}

/** Of a file as it is now. */
export function stampOf({ sizeBytes, mtimeMs }: FileStatus): string {
  return `${sizeBytes} ${mtimeMs}`;
}
