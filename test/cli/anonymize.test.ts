import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildCli, type Cli } from '../support/cli';
import { fixturePath } from '../support/fixtures';

const sample = fileURLToPath(new URL('../../media/samples/full-1MiB', import.meta.url));
let cli: Cli;
let folder: string;

beforeAll(async () => {
  cli = await buildCli();
  folder = mkdtempSync(path.join(tmpdir(), 'anonymize-'));
});
afterAll(() => {
  cli.remove();
  rmSync(folder, { recursive: true });
});

it('anonymize writes a capture folder that verifies like the original', () => {
  const out = path.join(folder, 'capture');
  const { code, out: text } = cli.run(['anonymize', sample, '-o', out]);
  expect(code).toBe(0);
  expect(text).toMatch(/Replaced: \d+ device names?, \d+ task names?/);
  expect(readdirSync(out).sort()).toEqual(['cmdline.txt', 'debugfs.csv', 'dmesg.txt', 'trace.txt']);
  const { file: _a, ...before } = cli.json(['verify', sample]);
  const { file: _b, ...after } = cli.json(['verify', out]);
  expect(after).toEqual(before);
});

it('anonymize unpacks its input, packs a .gz, and tells numbers as JSON', () => {
  const out = path.join(folder, 'trace.txt.gz');
  const report = cli.json(['anonymize', fixturePath('trace/kprobes-dynamic.txt.gz'), '--output', out]);
  expect(report).toMatchObject({ files: [out], isRendered: false });
  expect(gunzipSync(readFileSync(out)).toString()).toContain('dev="0000:01:00.0"');
});

it('anonymize never writes over its input, and leaves nothing behind when it fails', () => {
  const file = path.join(folder, 'mine.txt');
  writeFileSync(file, '[ 1.0] software IO TLB: area num 4.\n');
  expect(cli.run(['anonymize', file, '-o', file]).code).toBe(3);
  expect(readFileSync(file, 'utf8')).toContain('area num 4.');
  const missing = path.join(folder, 'none.txt');
  expect(cli.run(['anonymize', missing, '-o', path.join(folder, 'out.txt')]).code).toBe(3);
  expect(existsSync(path.join(folder, 'out.txt'))).toBe(false);
  expect(cli.run(['anonymize', '-', '-o', path.join(folder, 'out.txt')]).code).toBe(2);
});
