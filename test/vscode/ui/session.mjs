// One VS Code with the package installed, one browser, one folder of captures: what a file of UI tests needs.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startBrowser } from '../harness/browser.mjs';
import { whatIsOnScreen } from '../harness/screen.mjs';
import { startVscode } from '../harness/startVscode.mjs';
import { openWindow } from '../harness/workbench.mjs';
import { makeWorkspace } from '../harness/workspace.mjs';

const artifacts = fileURLToPath(new URL('../artifacts', import.meta.url));
/** The session of this file; a file has one at a time. */
let current;

// A test that failed says what was on the screen then: hooks of this module are hooks of every file that imports it.
afterEach(async (context) => {
  if (current === undefined || context.passed !== false) return;
  const name = `failed-${context.name.replace(/[^a-z0-9]+/gi, '-').slice(0, 60)}`;
  const shot = current.shot(name).then(
    () => `Picture: test/vscode/artifacts/${name}.png`,
    (error) => `No picture: ${error.message}`,
  );
  context.diagnostic(`On the screen when "${context.name}" failed:`);
  for (const line of [...(await whatIsOnScreen(current)), await shot]) context.diagnostic(line);
});

/**
 * `prepare` is given the folder before VS Code opens it, `beforeWindow` the running VS Code before its window opens.
 * `settings` come on top of those of all tests. `asksForTrust`: folders are not trusted until somebody says so.
 */
export async function openSession({ prepare, beforeWindow, settings: more = {}, asksForTrust = false } = {}) {
  if (!process.env.VSIX) throw new Error('VSIX names no package: run these tests through npm run test:vscode');
  fs.mkdirSync(artifacts, { recursive: true });
  const workspace = makeWorkspace(fs.mkdtempSync(path.join(os.tmpdir(), 'ws-')));
  prepare?.(workspace);
  const settings = { 'editor.hover.delay': 100, 'workbench.colorTheme': 'Light Modern', ...more };
  let vscode;
  let browser;
  const close = async () => {
    current = undefined;
    await browser?.close();
    await vscode?.close();
    fs.rmSync(workspace, { recursive: true, force: true });
  };
  try {
    vscode = await startVscode({ workspace, vsix: [process.env.VSIX], settings, asksForTrust });
    beforeWindow?.(vscode);
    browser = await startBrowser();
  } catch (error) {
    await close();
    throw error;
  }
  const { page } = browser;
  const problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    // The workbench writes warnings of its own; ours come from the extension host or a webview and name us.
    if (message.type() === 'error' && /swiotlb/i.test(message.text())) problems.push(message.text());
  });
  const session = {
    page,
    vscode,
    workspace,
    close,
    /** What went wrong in the page so far: uncaught errors, and errors that name this extension. */
    problems: () => problems,
    shot: (name) => page.screenshot({ path: path.join(artifacts, `${name}.png`), timeout: 15_000 }),
  };
  current = session;
  await openWindow(page, vscode.url(), 'notes.txt');
  return session;
}
