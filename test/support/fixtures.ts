import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { decompress } from 'fzstd';

const fixturesRoot = new URL('../fixtures/', import.meta.url);

/**
 * The bytes of `test/fixtures/<path>`, unpacked.
 * A name is looked up as it is, then with `.gz`, then with `.zst`.
 */
export function readFixture(path: string): Uint8Array {
  for (const suffix of ['', '.gz', '.zst']) {
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(new URL(path + suffix, fixturesRoot));
    } catch {
      continue;
    }
    return unpackBytes(bytes);
  }
  throw new Error(`no fixture '${path}' (also tried .gz and .zst)`);
}

/** The fixture as text (UTF-8). */
export function readFixtureText(path: string): string {
  return new TextDecoder().decode(readFixture(path));
}

/** File names directly inside `test/fixtures/<folder>`, sorted, compressed ones with their suffix. */
export function listFixtures(folder: string): string[] {
  return readdirSync(new URL(`${folder}/`, fixturesRoot)).sort();
}

/** Absolute file name of a fixture, for tests that open files themselves. */
export function fixturePath(path: string): string {
  return decodeURIComponent(new URL(path, fixturesRoot).pathname);
}

/** A fixture or, with a slash at the end, a folder of fixtures. */
export function fixtureUrl(path: string): URL {
  return new URL(path, fixturesRoot);
}

/** Bytes as they are, or what a gzip or zstd file holds. */
export function unpackBytes(bytes: Uint8Array): Uint8Array {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    return gunzipSync(bytes);
  }
  if (bytes[0] === 0x28 && bytes[1] === 0xb5 && bytes[2] === 0x2f && bytes[3] === 0xfd) {
    return decompress(bytes);
  }
  return bytes;
}
