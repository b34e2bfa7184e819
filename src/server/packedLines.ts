import { binaryTraceLines, isBinaryTrace } from '../analysis/binaryTrace';
import { type LineSource, openLineSource } from '../node/lineSource';

/** A trace.dat is shown as the lines its records would print: those the analysis reads it through. */
export const binaryRenderer = { matches: isBinaryTrace, lines: binaryTraceLines };

/** Unpacked text that nobody asked for so long is given up. */
const idleMs = 20_000;

interface Unpacked {
  readonly source: Promise<LineSource | null>;
  timer: ReturnType<typeof setTimeout>;
}

const unpacked = new Map<string, Unpacked>();

/** Lines of a packed or binary file, unpacked once for all the questions that follow each other. `stamp`: its state. */
export async function packedLines(
  path: string,
  stamp: string,
  first: number,
  count: number,
): Promise<readonly string[]> {
  const source = await open(path, stamp);
  await source?.waitFor(first + count - 1);
  return (await source?.lines(first, first + count)) ?? [];
}

function open(path: string, stamp: string): Promise<LineSource | null> {
  const key = `${stamp} ${path}`;
  const known = unpacked.get(key);
  if (known !== undefined) {
    clearTimeout(known.timer);
    known.timer = closeLater(key, known.source);
    return known.source;
  }
  const source = openLineSource(path, { renderer: binaryRenderer }).then((opened) =>
    opened.ok ? opened.source : null,
  );
  unpacked.set(key, { source, timer: closeLater(key, source) });
  return source;
}

function closeLater(key: string, source: Unpacked['source']): Unpacked['timer'] {
  const timer = setTimeout(() => {
    unpacked.delete(key);
    void source.then((open) => open?.close());
  }, idleMs);
  // In Node: a server with nothing else to do may end.
  timer.unref?.();
  return timer;
}
