import { describe, expect, it } from 'vitest';
import { checkInput, fuzz } from '../fuzz/run';
import { listFixtures, readFixture } from '../support/fixtures';

/** `FUZZ_RUNS=1000000 npm run fuzz`; `FUZZ_SEED` for another sequence. */
const runs = Number(process.env['FUZZ_RUNS'] ?? 3000);
const seed = Number(process.env['FUZZ_SEED'] ?? 1);
const runsPerTest = 50_000;
/** In a long run the analyses would take nearly all of the time. */
const analysedEvery = runs > runsPerTest ? 1000 : 50;

describe(`damaged inputs, seed ${seed}`, () => {
  for (let from = 0; from < runs; from += runsPerTest) {
    const count = Math.min(runsPerTest, runs - from);
    it(`${from} to ${from + count - 1} are read without exception, hang or lost line`, { timeout: 3_600_000 }, () => {
      expect(fuzz(seed, count, { from, analysedEvery })).toEqual([]);
    });
  }
});

describe('inputs that once were too much', () => {
  it.each(listFixtures('crash').filter((name) => name !== 'README.md'))('%s', (name) => {
    const path = name.replace(/\.(?:gz|zst)$/, '');
    expect(
      checkInput({ path: path.endsWith('.dat') ? 'trace.dat' : path, bytes: readFixture(`crash/${path}`) }),
    ).toBeNull();
  });
});
