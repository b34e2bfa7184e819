// The folder the tests open: real captures and logs from the fixtures.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const fixtures = fileURLToPath(new URL('../../fixtures/vscode', import.meta.url));

/** Fills `folder` and returns it. */
export function makeWorkspace(folder) {
  const capture = path.join(folder, 'capture');
  fs.mkdirSync(capture);
  fs.writeFileSync(path.join(capture, 'trace.txt'), gunzipSync(fs.readFileSync(path.join(fixtures, 'trace.txt.gz'))));
  for (const name of ['dmesg.txt', 'debugfs.csv', 'cmdline.txt', 'version.txt']) copy(name, path.join(capture, name));
  // Names the language does not know: found by their first lines.
  copy('console-6.1.log.txt', path.join(folder, 'console-log-only.txt'));
  copy('hostile.txt', path.join(folder, 'hostile.txt'));
  fs.writeFileSync(path.join(folder, 'notes.txt'), 'Nothing of a kernel in here.\nJust notes.\n');
  return folder;
}

function copy(name, to) {
  fs.copyFileSync(path.join(fixtures, name), to);
}
