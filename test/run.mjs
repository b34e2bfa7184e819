// npm test: type check, lint, unit tests, tests in a real VS Code. All of them run, then one line says how it went.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'swiotlb-lens-test-'));
const vitestCounts = path.join(scratch, 'vitest.json');
const vscodeCounts = path.join(scratch, 'vscode.json');
// The same everywhere: no time zone, no locale.
const env = { ...process.env, TZ: 'UTC', LC_ALL: 'C', COUNTS_FILE: vscodeCounts };

const results = [
  step('Type check', 'npx', ['tsc', '-b']),
  step('Lint and format', 'npx', ['biome', 'ci', '--error-on-warnings']),
  countedStep(
    'Unit tests',
    'npx',
    ['vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${vitestCounts}`],
    readVitest,
  ),
  countedStep('Tests in VS Code', process.execPath, ['test/vscode/run.mjs'], readVscode),
];
fs.rmSync(scratch, { recursive: true, force: true });

const passed = sum((result) => result.passed);
const failed = sum((result) => result.failed);
console.log();
for (const { title, passed: ok, failed: not, seconds } of results) {
  console.log(`${title.padEnd(17)} ${ok} passed, ${not} failed (${seconds.toFixed(0)} s)`);
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;

function sum(count) {
  return results.reduce((total, result) => total + count(result), 0);
}

function run(title, command, args) {
  console.log(`\n# ${title}`);
  const start = performance.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env });
  return { ok: status === 0, seconds: (performance.now() - start) / 1000 };
}

/** A check without counts of its own counts as one. */
function step(title, command, args) {
  const { ok, seconds } = run(title, command, args);
  return { title, seconds, passed: ok ? 1 : 0, failed: ok ? 0 : 1 };
}

function countedStep(title, command, args, read) {
  const { ok, seconds } = run(title, command, args);
  const counts = read();
  // A runner that fails without a failed test (it crashed, or found no tests) is a failure too.
  const failures = ok ? counts.failed : Math.max(counts.failed, 1);
  return { title, seconds, passed: counts.passed, failed: failures };
}

function readVitest() {
  if (!fs.existsSync(vitestCounts)) return { passed: 0, failed: 0 };
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
    fs.readFileSync(vitestCounts, 'utf8'),
  );
  return { passed: numPassedTests, failed: numFailedTests + numPendingTests + numTodoTests };
}

function readVscode() {
  return fs.existsSync(vscodeCounts) ? JSON.parse(fs.readFileSync(vscodeCounts, 'utf8')) : { passed: 0, failed: 0 };
}
