import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readBootParameter } from '../../src/analysis/bootParameter';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { diagnose } from '../../src/analysis/diagnose';
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

  it('show lines that are found to be what the page explains', () => {
    let shown = 0;
    for (const name of readdirSync(folder)) {
      const text = readFileSync(new URL(name, folder), 'utf8');
      const example = /## What it looks like\n\n```text\n(.*?)\n```/s.exec(text)?.[1];
      for (const line of example?.split('\n') ?? []) {
        const builder = createAnalysis();
        const source = builder.openSource({ path: 'dmesg.txt' });
        source.push(new TextEncoder().encode(`${line}\n`));
        source.end();
        const report = diagnose(builder.snapshot());
        const codes = [...report.failures.map(({ cause }) => cause), ...report.warnings.map(({ code }) => code)];
        expect(codes.map(docPageOf), line).toEqual([name.replace('.md', '')]);
        shown++;
      }
    }
    expect(shown).toBeGreaterThan(8);
  });

  it('say of parameters what the kernel reads out of them', () => {
    const text = readFileSync(new URL('parameter.md', folder), 'utf8');
    const rows = [...text.matchAll(/^\| (`swiotlb=.*?) \| (.*) \|$/gm)];
    expect(rows.length).toBeGreaterThan(6);
    for (const [, written, meaning] of rows) {
      const slots = [...meaning!.matchAll(/([\d,]+) slots/g)].map(([, number]) => Number(number!.replaceAll(',', '')));
      const values = [...written!.matchAll(/`swiotlb=([^`]*)`/g)].map(([, value]) => readBootParameter(value!));
      for (const [index, number] of slots.entries()) {
        expect(values[index]!.slots, written).toBe(number);
      }
      expect(
        values.every(({ ignored }) => ignored === ''),
        written,
      ).toBe(!/ignored|nothing at all/.test(meaning!));
    }
  });

  it('are named in links the way the client wants it, and not at all for other clients', () => {
    expect(docLink('command:explain?')('parameter-suffix')).toBe('command:explain?%5B%22parameter%22%5D');
    expect(docLink(undefined)('over-size')).toBeNull();
  });
});
