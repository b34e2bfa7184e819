import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface CliRun {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Cli {
  /** A fresh folder for files of the test. */
  readonly folder: string;
  run(args: readonly string[], options?: { input?: string | Uint8Array; env?: Record<string, string> }): CliRun;
  /** The JSON object of a command; fails when there is not exactly one line. */
  json(args: readonly string[], input?: string): Record<string, never> & { [field: string]: unknown };
  remove(): void;
}

/** Bundles the command line as it is shipped, in a package of its own, and runs it as a process. */
export async function buildCli(): Promise<Cli> {
  const folder = mkdtempSync(path.join(tmpdir(), 'swiotlb-lens-cli-'));
  const bundle = path.join(folder, 'package', 'dist', 'cli.js');
  mkdirSync(path.dirname(bundle), { recursive: true });
  copyFileSync(path.join(root, 'package.json'), path.join(folder, 'package', 'package.json'));
  symlinkSync(path.join(root, 'media'), path.join(folder, 'package', 'media'));
  await build({
    absWorkingDir: root,
    entryPoints: ['src/cli/main.ts'],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'error',
  });
  const run: Cli['run'] = (args, options = {}) => {
    const settings: SpawnSyncOptions = {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      input: options.input ?? '',
      env: { ...process.env, ...options.env },
    };
    const { status, stdout, stderr } = spawnSync(process.execPath, [bundle, ...args], settings);
    return { code: status, out: String(stdout), err: String(stderr) };
  };
  return {
    folder,
    run,
    json(args, input) {
      const { out, err } = run([...args, '--json'], input === undefined ? {} : { input });
      const lines = out.trimEnd().split('\n');
      if (lines.length !== 1) {
        throw new Error(`expected one line of JSON, got ${lines.length}: ${out.slice(0, 200)} ${err}`);
      }
      return JSON.parse(lines[0]!);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
