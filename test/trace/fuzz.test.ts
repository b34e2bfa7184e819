import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/base/random';
import { listFixtures, readFixture } from '../support/fixtures';
import { collect } from './collect';

/** Short in every run; `FUZZ_INPUTS=1000000 FUZZ_SEED=7 npx vitest run test/trace/fuzz.test.ts` for more. */
const inputs = Number(process.env['FUZZ_INPUTS'] ?? 1500);
const seed = Number(process.env['FUZZ_SEED'] ?? 1);

const words = [
  'attrs=',
  '{',
  '}',
  '0x',
  '|',
  '(',
  ')',
  '[002]',
  '\n',
  '\r\n',
  '\0',
  '"',
  '/* ',
  '*/',
  '-1',
  '=',
  '  ',
  ': ',
  '99999999999999999999',
  'ffffffffffffffff',
  '<-',
  '#',
  ',',
  'total ',
  'é',
  'CPU:1 [LOST',
  '=20',
  '[    1.0] ',
].map((word) => new TextEncoder().encode(word));

/** Parts of real inputs, and whole binary traces. */
function readSeeds(random: () => number): Uint8Array[] {
  const seeds: Uint8Array[] = [];
  for (const folder of ['trace', 'logs']) {
    for (const name of listFixtures(folder)) {
      const bytes = readFixture(`${folder}/${name.replace(/\.gz$/, '')}`);
      if (name.includes('.dat')) {
        seeds.push(bytes);
        continue;
      }
      for (let part = 0; part < 4; part++) {
        const start = bytes.indexOf(10, Math.floor(random() * bytes.length)) + 1;
        seeds.push(bytes.subarray(start, start + 900));
      }
    }
  }
  return seeds;
}

/** One to six edits: cut out, insert a word, change a byte, splice in a part of another seed, cut off. */
function mutate(seeds: readonly Uint8Array[], random: () => number): Uint8Array {
  const below = (limit: number) => Math.floor(random() * limit);
  let bytes = seeds[below(seeds.length)];
  for (let edit = 1 + below(6); edit > 0; edit--) {
    const at = below(bytes.length + 1);
    const kind = below(5);
    if (kind === 0) {
      bytes = splice(bytes, at, 1 + below(20), new Uint8Array(0));
    } else if (kind === 1) {
      bytes = splice(bytes, at, 0, words[below(words.length)]);
    } else if (kind === 2) {
      bytes = splice(bytes, at, 1, Uint8Array.of(below(256)));
    } else if (kind === 3) {
      const other = seeds[below(seeds.length)];
      const start = below(other.length);
      bytes = splice(bytes, at, 0, other.subarray(start, start + below(200)));
    } else {
      bytes = bytes.subarray(0, at);
    }
  }
  return bytes;
}

function splice(bytes: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array {
  const rest = bytes.subarray(Math.min(bytes.length, at + removed));
  const result = new Uint8Array(at + inserted.length + rest.length);
  result.set(bytes.subarray(0, at));
  result.set(inserted, at);
  result.set(rest, at + inserted.length);
  return result;
}

describe('mutated real inputs', () => {
  it(`${inputs} of seed ${seed}: no throw, the ledger adds up, chunks do not matter, columns lie in the line`, () => {
    const random = createRandom(seed);
    const seeds = readSeeds(random);
    for (let run = 0; run < inputs; run++) {
      const bytes = mutate(seeds, random);
      const cut = Math.floor(random() * (bytes.length + 1));
      const shown = `seed ${seed}, input ${run}, cut at ${cut}: ${JSON.stringify(Buffer.from(bytes.subarray(0, 2000)).toString('latin1'))}`;
      const whole = collect(bytes);
      expect(collect(bytes, { cuts: [cut] }), shown).toEqual(whole);
      for (const { startColumn, endColumn, line } of whole.logs) {
        expect(startColumn >= 0 && endColumn >= startColumn && line >= 1, shown).toBe(true);
      }
    }
  });
});
