// Builds the package that the tests and `npm start` install.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Builds minified bundles and packs them; returns the path of the .vsix. */
export function packageExtension() {
  const { name, version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  const file = path.join(root, `${name}-${version}.vsix`);
  fs.rmSync(file, { force: true });
  const { status, stdout, stderr } = spawnSync('npm', ['run', 'package'], { cwd: root, encoding: 'utf8' });
  if (status !== 0 || !fs.existsSync(file)) throw new Error(`npm run package failed:\n${stdout}\n${stderr}`);
  return file;
}
