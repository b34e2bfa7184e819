import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Analysis, AnalysisBuilder } from '../analysis/analysis';
import { createAnalysis } from '../analysis/createAnalysis';
import { formatBytes, formatPercent } from '../base/format';
import type { GeometryOverrides } from '../model/geometry';
import { failureOf } from '../node/decompress';
import { type InputPart, openInput, openPart } from '../node/input';
import type { Terminal } from './terminal';

export type Loaded =
  | {
      readonly ok: true;
      readonly analysis: Analysis;
      /** What the person should know about the reading, such as a damaged archive. */
      readonly notes: readonly string[];
    }
  | { readonly ok: false; readonly error: string };

/** Reads one input completely: a file, `-` for standard input, or a folder or archive whose files belong together. */
export async function loadAnalysis(file: string, overrides: GeometryOverrides, terminal: Terminal): Promise<Loaded> {
  const input = await openInput(file);
  if (!input.ok) {
    return { ok: false, error: `${file}: ${input.failure.message}` };
  }
  const builder = createAnalysis();
  const notes: string[] = [];
  if (input.damage !== null) {
    notes.push(`${file}: ${input.damage.message}; what could be read was analysed`);
  }
  for (const part of input.parts) {
    const read = await readPart(part, builder, terminal);
    if (read.failure !== null && read.bytes === 0 && !input.isBundle) {
      return { ok: false, error: `${file}: ${read.failure}` };
    }
    if (read.failure !== null) {
      notes.push(`${part.path}: ${read.failure}; what came before was analysed`);
    }
  }
  terminal.progress('');
  const analysis = builder.snapshot(overrides);
  // Reports name the input as the user did: the folder or archive, not the trace inside it.
  return { ok: true, analysis: input.isBundle ? { ...analysis, file } : analysis, notes };
}

/** Small inputs are read before anybody could read the line. */
const progressBytes = 16 * 2 ** 20;

async function readPart(
  part: InputPart,
  builder: AnalysisBuilder,
  terminal: Terminal,
): Promise<{ readonly bytes: number; readonly failure: string | null }> {
  const source = builder.openSource({ path: part.path });
  let bytes = 0;
  let shown = 0;
  for await (const chunk of part.chunks) {
    source.push(chunk);
    bytes += chunk.length;
    if (!source.wantsMore()) {
      break;
    }
    if (bytes - shown < progressBytes) {
      continue;
    }
    shown = bytes;
    const share = part.sizeBytes > 0 ? ` (${formatPercent(part.bytesRead() / part.sizeBytes)})` : '';
    terminal.progress(`reading ${part.path}: ${formatBytes(bytes)}${share}`);
  }
  source.end();
  return { bytes, failure: part.failure()?.message ?? null };
}

/** Vector files of a folder, or the file itself. */
export async function listVectorFiles(
  target: string,
): Promise<{ readonly ok: true; readonly files: readonly string[] } | { readonly ok: false; readonly error: string }> {
  try {
    if (!(await stat(target)).isDirectory()) {
      return { ok: true, files: [target] };
    }
    const names = (await readdir(target)).filter((name) => /\.jsonl(\.(gz|zst|xz))?$/.test(name)).sort();
    return names.length === 0
      ? { ok: false, error: `${target}: no vector file (*.jsonl, also .gz, .zst and .xz) in this folder` }
      : { ok: true, files: names.map((name) => path.join(target, name)) };
  } catch (error) {
    return { ok: false, error: `${target}: ${failureOf(error).message}` };
  }
}

/** A whole text file, unpacked when it is gzip, zstd or xz. */
export async function readTextFile(
  file: string,
): Promise<{ readonly ok: true; readonly text: string } | { readonly ok: false; readonly error: string }> {
  const part = openPart(file, 0);
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of part.chunks) {
    text += decoder.decode(chunk, { stream: true });
  }
  const failure = part.failure();
  return failure === null ? { ok: true, text } : { ok: false, error: `${file}: ${failure.message}` };
}
