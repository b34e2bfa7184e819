import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exampleBlocks, playExample } from '../support/walkthrough';

const markdown = readFileSync(new URL('../../src/allocator/ALGORITHM.md', import.meta.url), 'utf8');
const blocks = exampleBlocks(markdown);

describe('the worked examples of ALGORITHM.md', () => {
  it.each(blocks)('%s', (block) => {
    for (const step of playExample(block)) {
      expect(`${step.line}: ${step.got}`).toBe(`${step.line}: ${step.expected}`);
    }
  });

  it('shows every generation', () => {
    expect(new Set(blocks.map((block) => block.split(' ')[0]))).toEqual(new Set(['4.18', '6.1', '6.6', '6.12']));
    expect(blocks.length).toBeGreaterThan(14);
  });

  it('would notice a wrong slot', () => {
    const wrong = playExample(blocks[0].replace('slot 2', 'slot 1'));
    expect(wrong.filter((step) => step.got !== step.expected)).toHaveLength(1);
  });
});
