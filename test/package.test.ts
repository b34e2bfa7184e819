import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ZipEntry, zipEntries } from './support/zip';

/** What a user downloads: more than this is a mistake, or a decision that raises the number. */
const packedLimitBytes = 3 * 1024 * 1024;

const wanted: readonly RegExp[] = [
  /^\[Content_Types\]\.xml$/,
  /^extension\.vsixmanifest$/,
  /^extension\/(package\.json|package\.nls(?:\.\w+)?\.json|readme\.md|changelog\.md|LICENSE\.txt)$/,
  /^extension\/dist\/(extension|server|cli|worker|lines|traceView|webview|webExtension|webWorker)\.js$/,
  /^extension\/dist\/THIRD-PARTY-LICENSES\.txt$/,
  /^extension\/l10n\/[\w.-]+\.json$/,
  /^extension\/media\/([\w-]+\/)*[\w.-]+\.(png|svg|css|md|txt|csv|dat)$/,
  /^extension\/syntaxes\/[\w.-]+\.json$/,
];

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
let folder: string;
let file: string;
let entries: readonly ZipEntry[];

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'swiotlb-lens-package-'));
  file = path.join(folder, 'package.vsix');
  const { status, stdout, stderr } = spawnSync('npm', ['run', 'package', '--', '--out', file], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`npm run package failed:\n${stdout}\n${stderr}`);
  entries = zipEntries(fs.readFileSync(file));
}, 120_000);

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('the package', () => {
  it('holds nothing but bundles, media, grammar and documents', () => {
    const strange = entries.map((entry) => entry.name).filter((name) => !wanted.some((pattern) => pattern.test(name)));
    expect(strange).toEqual([]);
  });

  it('holds every file that its manifest names', () => {
    const manifest = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
    const named = [...JSON.stringify(manifest).matchAll(/"(?:\.\/)?((?:dist|media|syntaxes)\/[^"]+)"/g)].map(
      ([, name]) => name!,
    );
    expect(named).toContain('dist/extension.js');
    const names = new Set(entries.map((entry) => entry.name));
    expect(named.filter((name) => !names.has(`extension/${name}`))).toEqual([]);
  });

  it('holds the bundles that are started by name, the sample and the documents', () => {
    const names = entries.map((entry) => entry.name);
    expect(names).toEqual(
      expect.arrayContaining([
        'extension/dist/server.js',
        'extension/dist/cli.js',
        'extension/dist/webview.js',
        'extension/dist/lines.js',
        'extension/dist/traceView.js',
        'extension/dist/webWorker.js',
        'extension/media/samples/full-1MiB/trace.txt',
        'extension/readme.md',
        'extension/changelog.md',
        'extension/LICENSE.txt',
      ]),
    );
  });

  it('names the packages it contains, with their licences', () => {
    const text = fs.readFileSync(path.join(root, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8');
    for (const name of ['chart.js', 'commander', 'papaparse', 'vscode-languageclient', 'vscode-languageserver']) {
      expect(text).toMatch(new RegExp(`^${name} [\\d.]+ \\(\\S+\\)\\n\\n[^-]*Copyright`, 'm'));
    }
    expect(text).not.toMatch(/\(undefined\)|by \./);
    expect(entries.map((entry) => entry.name)).toContain('extension/dist/THIRD-PARTY-LICENSES.txt');
  });

  it('stays small', () => {
    expect(fs.statSync(file).size).toBeLessThan(packedLimitBytes);
  });

  it('names no folder of the machine it was built on', () => {
    for (const name of fs.readdirSync(path.join(root, 'dist')).filter((name) => name.endsWith('.js'))) {
      expect(fs.readFileSync(path.join(root, 'dist', name), 'utf8').includes(root), name).toBe(false);
    }
  });
});
