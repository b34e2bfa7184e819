import { platform } from '#platform';
import { failureOf } from './decompress';
import { type InputPart, openInput } from './input';

const { disk, paths } = platform;

/** One file being rewritten. */
export interface RewriteSource {
  push(chunk: Uint8Array): Uint8Array;
  end(): Uint8Array;
}

/** Looks at every file first and rewrites them then; `path` is as the input names it. */
export interface Rewriter {
  survey(path: string): RewriteSource;
  rewrite(path: string): RewriteSource;
}

/** A file for one input; a folder for several, and for folders and archives, whose files keep their names. */
export interface RewriteTarget {
  readonly path: string;
  readonly isFolder: boolean;
}

export interface RewriteOptions {
  /** Told now and then; `done` is 0 to 1 over both passes. */
  readonly onProgress?: (done: number) => void;
  readonly isCancelled?: () => boolean;
}

export type Rewritten =
  | { readonly ok: true; readonly files: readonly string[]; readonly notes: readonly string[] }
  | { readonly ok: false; readonly message: string; readonly isCancelled: boolean };

class CancelledError extends Error {
  override readonly name = 'CancelledError';
}

/** Rewrites files, capture folders or archives in two passes. What was written is removed again when it fails. */
export async function rewriteInputs(
  inputs: readonly string[],
  target: RewriteTarget,
  rewriter: Rewriter,
  options: RewriteOptions = {},
): Promise<Rewritten> {
  const written: string[] = [];
  try {
    const opened = await openParts(inputs);
    const isFolder = target.isFolder || opened.isBundle;
    const sizes = opened.parts.reduce((sum, part) => sum + part.sizeBytes, 0);
    const progress = progressOf(2 * sizes, options);
    for (const part of opened.parts) {
      await pass(part, rewriter.survey(part.path), () => undefined, progress);
    }
    if (isFolder) {
      await disk.createFolder(target.path);
    }
    const again = await openParts(inputs);
    const notes: string[] = [];
    const taken = new Set<string>();
    for (const part of again.parts) {
      const file = isFolder ? paths.join(target.path, freeName(part.path, taken)) : target.path;
      if (await isSameFile(file, inputs)) {
        return { ok: false, message: `${file} is the input; name another file for the copy.`, isCancelled: false };
      }
      written.push(file);
      await writeFile(file, part, rewriter.rewrite(part.path), progress);
      const failure = part.failure();
      if (failure !== null) {
        notes.push(`${part.path}: ${failure.message}; what came before was written`);
      }
    }
    return { ok: true, files: written, notes };
  } catch (error) {
    await Promise.all(written.map((file) => disk.remove(file)));
    return {
      ok: false,
      message: messageOf(error, target.path),
      isCancelled: error instanceof CancelledError,
    };
  }
}

/** What was thrown here says enough; errors of the system came from writing. */
function messageOf(error: unknown, target: string): string {
  return error instanceof Error && !('code' in error) ? error.message : `${target}: ${failureOf(error).message}`;
}

async function openParts(
  inputs: readonly string[],
): Promise<{ readonly parts: readonly InputPart[]; readonly isBundle: boolean }> {
  const parts: InputPart[] = [];
  let isBundle = false;
  for (const input of inputs) {
    const opened = await openInput(input);
    if (!opened.ok) {
      throw new Error(`${input}: ${opened.failure.message}`);
    }
    parts.push(...opened.parts);
    isBundle ||= opened.isBundle;
  }
  return { parts, isBundle };
}

type Progress = (part: InputPart) => Promise<void>;

function progressOf(total: number, { onProgress, isCancelled }: RewriteOptions): Progress {
  const seen = new Map<InputPart, number>();
  let chunks = 0;
  return async (part) => {
    if (isCancelled?.() === true) {
      throw new CancelledError('cancelled');
    }
    seen.set(part, part.bytesRead());
    if (++chunks % 16 === 0) {
      onProgress?.(total === 0 ? 0 : Math.min(1, [...seen.values()].reduce((sum, bytes) => sum + bytes, 0) / total));
      // Somebody may want to cancel.
      await platform.nextTurn();
    }
  };
}

async function pass(
  part: InputPart,
  source: RewriteSource,
  take: (bytes: Uint8Array) => void,
  progress: Progress,
): Promise<void> {
  for await (const chunk of part.chunks) {
    take(source.push(chunk));
    await progress(part);
  }
  take(source.end());
}

async function writeFile(file: string, part: InputPart, source: RewriteSource, progress: Progress): Promise<void> {
  const chunks = async function* () {
    for await (const chunk of part.chunks) {
      const bytes = source.push(chunk);
      await progress(part);
      if (bytes.length > 0) {
        yield bytes;
      }
    }
    yield source.end();
  };
  await disk.write(file, chunks());
}

/** Output is plain text, whatever the input was packed with. */
function freeName(partPath: string, taken: Set<string>): string {
  const plain = paths
    .basename(partPath)
    .replace(/\.(?:gz|zst|xz)$/, '')
    .replace(/\.dat$/, '.txt');
  let name = plain;
  for (let number = 2; taken.has(name); number++) {
    name = `${number}-${plain}`;
  }
  taken.add(name);
  return name;
}

async function isSameFile(file: string, inputs: readonly string[]): Promise<boolean> {
  const real = await disk.realPath(file).catch(() => null);
  const reals = await Promise.all(inputs.map((input) => disk.realPath(input).catch(() => null)));
  return real !== null && reals.includes(real);
}
