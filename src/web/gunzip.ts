import { nextTurn } from './turn';

/** One step at a time, so that output made before an error is never lost with the stream's buffers. */
export async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  const { readable, writable } = new DecompressionStream('gzip');
  const writer = writable.getWriter();
  const reader = readable.getReader();
  let ready: Uint8Array[] = [];
  let broken: unknown = null;
  const reading = (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      ready.push(value);
    }
  })().catch((error: unknown) => {
    broken = error;
  });
  try {
    for await (const chunk of chunks) {
      await writer.write(Uint8Array.from(chunk)).catch(() => undefined);
      await nextTurn();
      yield* ready;
      ready = [];
      if (broken !== null) {
        throw broken;
      }
    }
    await writer.close().catch(() => undefined);
    await reading;
    yield* ready;
    if (broken !== null) {
      throw broken;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
    await writer.abort().catch(() => undefined);
  }
  return undefined;
}
