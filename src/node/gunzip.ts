import { createGunzip } from 'node:zlib';

/** One step at a time, so that output made before an error is never lost with the stream's buffers. */
export async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const stream = createGunzip({ chunkSize: 1 << 18 });
  let ready: Uint8Array[] = [];
  let broken: Error | null = null;
  stream.on('data', (chunk: Buffer) => ready.push(chunk));
  stream.on('error', (error) => {
    broken = error;
  });
  try {
    for await (const chunk of chunks) {
      await new Promise<void>((resolve) => {
        stream.once('error', () => resolve());
        stream.write(chunk, () => resolve());
      });
      stream.removeAllListeners('error');
      stream.on('error', (error) => {
        broken = error;
      });
      yield* ready;
      ready = [];
      if (broken !== null) {
        throw broken;
      }
    }
    await new Promise<void>((resolve) => {
      stream.once('end', resolve);
      stream.once('close', resolve);
      stream.once('error', () => resolve());
      stream.end();
    });
    yield* ready;
    if (broken !== null) {
      throw broken;
    }
  } finally {
    stream.destroy();
  }
}
