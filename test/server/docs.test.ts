import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { causes } from '../../src/model/cause';
import { docLink, docPageOf } from '../../src/server/docs';

const folder = new URL('../../media/docs/causes/', import.meta.url);
const warnings = readFileSync(new URL('../../src/analysis/warnings.ts', import.meta.url), 'utf8');
const parameters = readFileSync(new URL('../../src/analysis/bootParameter.ts', import.meta.url), 'utf8');
const warningCodes = [
  ...warnings.matchAll(/(?:code: |^ +)'([a-z]+(?:-[a-z]+)+)',$/gm),
  ...parameters.matchAll(/code: '([a-z-]+)'/g),
].map((match) => match[1]!);

describe('pages that explain findings', () => {
  it('are there for every cause and every warning', () => {
    expect(warningCodes.length).toBeGreaterThan(8);
    for (const code of [...causes, ...warningCodes]) {
      expect(existsSync(new URL(`${docPageOf(code)}.md`, folder)), code).toBe(true);
    }
  });

  it('link only to pages that are there', () => {
    for (const name of readdirSync(folder)) {
      for (const [, target] of readFileSync(new URL(name, folder), 'utf8').matchAll(/\]\(([^)]+)\)/g)) {
        expect(existsSync(new URL(target!, folder)), `${name}: ${target}`).toBe(true);
      }
    }
  });

  it('are named in links the way the client wants it, and not at all for other clients', () => {
    expect(docLink('command:explain?')('parameter-suffix')).toBe('command:explain?%5B%22parameter%22%5D');
    expect(docLink(undefined)('over-size')).toBeNull();
  });
});
