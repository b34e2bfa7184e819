import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { formats } from '../../src/trace/formats';

it('every format has its words in FORMATS.md', () => {
  const text = readFileSync(path.join(import.meta.dirname, '../../src/trace/FORMATS.md'), 'utf8');
  const headings = [...text.matchAll(/^#{2,3} (.*)$/gm)].map((match) => match[1]).join(' ');
  const missing = formats.values().filter(({ id }) => !headings.includes(id));
  expect(missing.map(({ id }) => id)).toEqual([]);
});
