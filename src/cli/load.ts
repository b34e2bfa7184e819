import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Analysis } from '../analysis/analysis';
import { createAnalysis } from '../analysis/createAnalysis';
import { formatBytes, formatPercent } from '../base/format';
import type { GeometryOverrides } from '../model/geometry';
import { InputError, type InputPart, listParts } from './inputs';
import type { Terminal } from './terminal';

export type Loaded =
  | {
      readonly ok: true;
      readonly analysis: Analysis;
      /** What the person should know about the reading, such as a damaged archive. */
      readonly notes: readonly string[];
    }
  | { readonly ok: false; readonly error: string };

/** Reads one input completely: a file, `-` for standard input, or a folder whose files belong together. */
export async function loadAnalysis(file: string, overrides: GeometryOverrides, terminal: Terminal): Promise<Loaded> {
  try {
    const parts = await listParts(file);
    const builder = createAnalysis();
    const notes: string[] = [];
    for (const part of parts) {
      const source = builder.openSource({ path: part.name });
      try {
        const zeros = new ZeroRun();
        for await (const chunk of part.chunks((read) => showProgress(part, read, terminal))) {
          source.push(chunk);
          if (zeros.isHopeless(chunk)) {
            notes.push(
              `${part.name}: nothing but zero bytes in the first ${formatBytes(zeros.bytes)}; stopped reading`,
            );
            break;
          }
        }
      } catch (error) {
        if (!(error instanceof InputError)) {
          throw error;
        }
        notes.push(`${error.message}; what came before was analysed`);
      }
      source.end();
    }
    terminal.progress('');
    const analysis = builder.snapshot(overrides);
    // Reports name the input as the user did: the folder, not the trace inside it.
    return { ok: true, analysis: parts.length > 1 ? { ...analysis, file } : analysis, notes };
  } catch (error) {
    if (error instanceof InputError) {
      return { ok: false, error: error.message };
    }
    throw error;
  }
}

/** A sparse or erased file has gigabytes of zeros: it is not read to its end. */
class ZeroRun {
  bytes = 0;
  private onlyZeros = true;

  isHopeless(chunk: Uint8Array): boolean {
    this.onlyZeros &&= chunk.every((byte) => byte === 0);
    this.bytes += chunk.length;
    return this.onlyZeros && this.bytes >= 64 * 2 ** 20;
  }
}

function showProgress(part: InputPart, readBytes: number, terminal: Terminal): void {
  const share = part.sizeBytes > 0 ? ` (${formatPercent(readBytes / part.sizeBytes)})` : '';
  terminal.progress(`reading ${part.name}: ${formatBytes(readBytes)}${share}`);
}

/** Vector files of a folder, or the file itself. */
export async function listVectorFiles(
  target: string,
): Promise<{ readonly ok: true; readonly files: readonly string[] } | { readonly ok: false; readonly error: string }> {
  try {
    if (!(await stat(target)).isDirectory()) {
      return { ok: true, files: [target] };
    }
    const names = (await readdir(target)).filter((name) => /\.jsonl(\.gz)?$/.test(name)).sort();
    return names.length === 0
      ? { ok: false, error: `${target}: no vector file (*.jsonl, *.jsonl.gz) in this folder` }
      : { ok: true, files: names.map((name) => path.join(target, name)) };
  } catch (error) {
    return { ok: false, error: `${target}: ${(error as Error).message}` };
  }
}

/** A whole small text file, unpacked when it is gzip. */
export async function readTextFile(
  file: string,
): Promise<{ readonly ok: true; readonly text: string } | { readonly ok: false; readonly error: string }> {
  try {
    const bytes = await readFile(file);
    const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
    return { ok: true, text: plain.toString('utf8') };
  } catch (error) {
    return { ok: false, error: `${file}: ${(error as Error).message}` };
  }
}
