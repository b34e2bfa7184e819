import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const folders = ['src', 'test', 'media', 'l10n', 'syntaxes', '.ci'];

function treeOf(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.includes('node_modules') && !name.includes('artifacts'))
    .map((name) => `/${folder}/${name.replaceAll('\\', '/')}`);
}

const tree = [...readdirSync(root).map((name) => `/${name}`), ...folders.flatMap(treeOf)];

/** Names in backticks that look like a file or folder of this project; what is built or written by users is none. */
function namedPaths(text: string): string[] {
  return [...text.matchAll(/`([\w./-]+)`/g)]
    .map(([, name]) => name!)
    .filter((name) => /\.(ts|mjs|md|json|css)$|^(src|test|media|l10n|syntaxes)\//.test(name))
    .filter((name) => !/^(dist|\/|\.\.)/.test(name) && !name.startsWith('test/vscode/artifacts'));
}

describe('documents for people who change the project', () => {
  it.each(['ARCHITECTURE.md', 'CONTRIBUTING.md', 'README.md', 'src/webview/README.md', 'test/vscode/README.md'])(
    '%s names only files and folders that are there',
    (document) => {
      const paths = namedPaths(readFileSync(`${root}${document}`, 'utf8'));
      expect(paths.length).toBeGreaterThan(0);
      expect(paths.filter((path) => !tree.some((file) => file.endsWith(`/${path.replace(/\/$/, '')}`)))).toEqual([]);
    },
  );
});
