// `npm start`, as a new user runs it: without desktop VS Code, and with a stand-in for it on the PATH.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startBrowser } from '../harness/browser.mjs';
import { root } from '../harness/package.mjs';
import { expectEventually } from '../harness/until.mjs';
import { panelReady } from './panel.mjs';

let scratch;
before(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'start-'));
});
after(() => fs.rmSync(scratch, { recursive: true, force: true }));

/** Runs start.mjs with `bin` first on the PATH; `output()` is what it has printed so far. */
function start(bin, env = {}) {
  const child = spawn(process.execPath, [path.join(root, 'test/vscode/start.mjs')], {
    cwd: root,
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}`, ...env },
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return { child, ended, output: () => text };
}

/** A folder with a `code` that is a shell script. */
function fakeCode(name, script) {
  const bin = path.join(scratch, name);
  fs.mkdirSync(bin);
  fs.writeFileSync(path.join(bin, 'code'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return bin;
}

test('without desktop VS Code it prints an address where the sample is open and replayed', {
  timeout: 180_000,
}, async () => {
  // A `code` that does not work must not stop it either.
  const { child, ended, output } = start(fakeCode('broken', 'exit 1'));
  const browser = await startBrowser();
  try {
    const address = await expectEventually(
      () => /http:\/\/127\.0\.0\.1:\S+/.exec(output())?.[0],
      'the address',
      120_000,
    );
    await browser.page.goto(address);
    await browser.page
      .locator('.tabs-container .tab')
      .filter({ hasText: 'trace.txt' })
      .first()
      .waitFor({ timeout: 180_000 });
    const frame = await panelReady(browser.page);
    assert.match(await frame.locator('#verdict').innerText(), /Dynamic pools/i);
  } finally {
    await browser.close();
    child.kill('SIGINT');
    assert.equal(await ended, 0, output());
  }
});

test('with desktop VS Code it installs the package and opens the sample there', { timeout: 180_000 }, async () => {
  const log = path.join(scratch, 'calls.txt');
  const bin = fakeCode('working', `echo "demo=$SWIOTLB_LENS_DEMO $*" >> '${log}'`);
  const { ended, output } = start(bin, { VSCODE_IPC_HOOK_CLI: '' });
  assert.equal(await ended, 0, output());
  const calls = fs.readFileSync(log, 'utf8');
  assert.match(calls, /--install-extension \S+\.vsix --force/);
  assert.match(calls, /demo=1 .*--new-window .*\/samples\/full-1MiB \S+\/samples\/full-1MiB\/trace\.txt/);
});
