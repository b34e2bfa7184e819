// The folder the tests open: real captures and logs from the fixtures.
import fs from 'node:fs';
import path from 'node:path';

/** Fills `folder` and returns it. */
export function makeWorkspace(folder) {
  fs.writeFileSync(path.join(folder, 'notes.md'), '# Notes\n');
  return folder;
}
