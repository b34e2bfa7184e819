import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

/** Bytes to analyse, or the sentence that says why there are none. */
export type ByteSource =
  | {
      readonly ok: true;
      /** As the analysis names the source. */
      readonly path: string;
      /** Lines can be read back from the file at `path`. */
      readonly isPlainFile: boolean;
      readonly chunks: AsyncIterable<Uint8Array>;
      /** Share of the input that was read, 0 to 1. */
      readonly done: () => number;
    }
  | { readonly ok: false; readonly message: string };

export async function openFile(path: string): Promise<ByteSource> {
  try {
    const { size } = await stat(path);
    let read = 0;
    const stream = createReadStream(path, { highWaterMark: 1 << 20 });
    return {
      ok: true,
      path,
      isPlainFile: true,
      chunks: (async function* () {
        for await (const chunk of stream as AsyncIterable<Buffer>) {
          read += chunk.length;
          yield chunk;
        }
      })(),
      done: () => (size === 0 ? 1 : read / size),
    };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}
