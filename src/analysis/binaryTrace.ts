import { startsWithAt } from '../trace/bytes';
import { openTraceDat, traceDatMagic } from '../trace/dat/container';
import { shareOut, textLines } from '../trace/dat/textLines';

/** Whether the first bytes of a file (ten are enough) are those of a trace.dat. */
export function isBinaryTrace(head: Uint8Array): boolean {
  return startsWithAt(head, 0, head.length, traceDatMagic);
}

/**
 * A trace.dat as the lines the analysis reads it through: line n here is line n of every answer.
 * Never throws; ends early where the file is damaged, and is empty when it is no trace.dat.
 */
export function* binaryTraceLines(chunks: readonly Uint8Array[]): Generator<string, void> {
  const dat = openTraceDat(joinBytes(chunks));
  if (dat !== null) {
    yield* textLines(dat, shareOut(dat, ignore), ignore);
  }
}

function ignore(): void {}

function joinBytes(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let length = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, length);
    length += chunk.length;
  }
  return bytes;
}
