import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

/** First argument of every `l10n.t('…')` of the extension. */
function usedStrings(): string[] {
  const files = readdirSync(fileURLToPath(new URL('src/extension', root)), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) =>
      [...read(`src/extension/${file}`).matchAll(/l10n\.t\(\s*'((?:[^'\\]|\\.)*)'/g)].map((match) =>
        match[1].replaceAll('\\n', '\n').replaceAll("\\'", "'"),
      ),
    );
}

describe('texts', () => {
  it('are all in the bundle that translations start from, and nothing else is', () => {
    const bundle = Object.keys(JSON.parse(read('l10n/bundle.l10n.json')));
    expect(bundle.sort()).toEqual([...new Set(usedStrings())].sort());
  });

  it('of the manifest are all there, and none is left over', () => {
    const manifest = read('package.json');
    const used = new Set([...manifest.matchAll(/"%([\w.]+)%"/g)].map((match) => match[1]));
    expect(Object.keys(JSON.parse(read('package.nls.json'))).sort()).toEqual([...used].sort());
  });

  it.each(['package.nls', 'l10n/bundle.l10n'])(
    'of the German %s are those of the original, with the same places',
    (name) => {
      const original: Record<string, string> = JSON.parse(read(`${name}.json`));
      const german: Record<string, string> = JSON.parse(read(`${name}.de.json`));
      const places = (text: string) => (text.match(/\{\d\}|\(command:[^)]*\)/g) ?? []).sort();
      for (const [key, text] of Object.entries(german)) {
        expect(original, key).toHaveProperty([key]);
        expect(places(text), key).toEqual(places(original[key]));
      }
      // What is new is shown in English until somebody translates it.
      expect(Object.keys(german).length).toBeGreaterThan(0.8 * Object.keys(original).length);
    },
  );
});
