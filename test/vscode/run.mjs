// npm run test:vscode: the packaged extension in a real VS Code, from inside (API) and from outside (UI).
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findChromium } from './harness/chromium.mjs';
import { packageExtension } from './harness/package.mjs';
import { setUpVscode } from './harness/setup.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const artifacts = path.join(here, 'artifacts');

const counts = { passed: 0, failed: 0 };
try {
  findChromium();
  setUpVscode();
  fs.mkdirSync(artifacts, { recursive: true });
  for (const file of fs.readdirSync(artifacts)) {
    if (file.startsWith('failed-')) fs.rmSync(path.join(artifacts, file));
  }
  const vsix = process.env.VSIX ?? packageExtension();
  await hostTests(vsix);
  uiTests(vsix);
} catch (error) {
  console.error(error.message);
  counts.failed++;
}
console.log(`In VS Code: ${counts.passed} passed, ${counts.failed} failed`);
if (process.env.COUNTS_FILE) fs.writeFileSync(process.env.COUNTS_FILE, JSON.stringify(counts));
process.exitCode = counts.failed ? 1 : 0;

async function hostTests(vsix) {
  const { runInHost } = await import('./harness/runInHost.mjs');
  const { makeWorkspace } = await import('./harness/workspace.mjs');
  const workspace = makeWorkspace(fs.mkdtempSync(path.join(os.tmpdir(), 'ws-')));
  try {
    const { passes, failures, text } = await runInHost({ tests: path.join(here, 'host'), workspace, vsix: [vsix] });
    console.log(text);
    counts.passed += passes;
    counts.failed += failures;
  } finally {
    fs.rmSync(workspace, { recursive: true, force: true });
  }
}

/**
 * One file after the other: each has a VS Code and a browser of its own. A file that fails is run once more, in a new
 * VS Code, and says so: what was on the screen is above, and there is a race to be found, in the test or in the product.
 */
function uiTests(vsix) {
  const files = fs.readdirSync(path.join(here, 'ui')).filter((file) => file.endsWith('.e2e.mjs'));
  const again = [];
  for (const file of files.sort()) {
    let result = uiFile(vsix, file);
    if (result.failed > 0) {
      console.log(`\n${file}: ${result.failed} failed, once more`);
      again.push(file);
      result = uiFile(vsix, file);
    }
    counts.passed += result.passed;
    counts.failed += result.failed;
  }
  if (again.length > 0) console.log(`Run twice: ${again.join(', ')}`);
}

function uiFile(vsix, file) {
  const tap = path.join(artifacts, `${file}.tap`);
  fs.rmSync(tap, { force: true });
  const reporters = [
    ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
    ...['--test-reporter=tap', `--test-reporter-destination=${tap}`],
  ];
  const { status } = spawnSync(process.execPath, ['--test', ...reporters, path.join(here, 'ui', file)], {
    stdio: 'inherit',
    env: { ...process.env, VSIX: vsix },
  });
  const text = fs.existsSync(tap) ? fs.readFileSync(tap, 'utf8') : '';
  const total = (name) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  const failed = total('fail') + total('cancelled') + total('skipped');
  return { passed: total('pass'), failed: status === 0 ? failed : Math.max(failed, 1) };
}
