import { describe, expect, it } from 'vitest';
import { analyseFolder, summarize } from '../support/captureSummary';
import { fixtureUrl, listFixtures } from '../support/fixtures';

/**
 * What the whole program finds in every kind of capture, as a text to read beside the capture.
 * A change here is a change of what people are told: look at it before accepting it with `vitest -u`.
 */
async function check(name: string): Promise<void> {
  const analysis = analyseFolder(fixtureUrl(`captures/${name}/`));
  for (const { lines, understood, counted, notUnderstood } of analysis.sourceLedgers) {
    expect(understood + counted + notUnderstood).toBe(lines);
  }
  await expect(summarize(analysis)).toMatchFileSnapshot(`../golden/captures/${name}.txt`);
}

describe('captures', () => {
  it.each(listFixtures('captures').filter((name) => name !== 'README.md'))('%s', check);
});
