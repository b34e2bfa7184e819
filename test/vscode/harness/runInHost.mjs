// Runs mocha test files inside the extension host of a real VS Code, with the real `vscode` module.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBrowser } from './browser.mjs';
import { startVscode } from './startVscode.mjs';

const driver = path.join(path.dirname(fileURLToPath(import.meta.url)), 'hostDriver');

/**
 * @param {object} options
 * @param {string} options.tests        folder with *.test.cjs
 * @param {string} options.workspace
 * @param {string[]} options.vsix       the packaged extension under test
 * @param {Record<string, unknown>} [options.settings]
 * @param {Record<string, string>} [options.env]  what the tests find in process.env
 * @param {number} [options.timeoutMs]  of the whole run
 * @returns {Promise<{passes: number, failures: number, text: string}>}
 */
export async function runInHost({ tests, workspace, vsix, settings, env = {}, timeoutMs = 300_000 }) {
  const out = fs.mkdtempSync(path.join(os.tmpdir(), 'vsr-'));
  const resultFile = path.join(out, 'result.json');
  let vscode;
  let browser;
  let timer;
  try {
    vscode = await startVscode({
      workspace,
      vsix,
      settings,
      forTests: true,
      env: { ...env, HARNESS_TESTS: path.resolve(tests), HARNESS_RESULT: resultFile },
    });
    browser = await startBrowser();
    let done;
    const exited = new Promise((resolve) => {
      done = resolve;
    });
    const timedOut = new Promise((resolve) => {
      timer = setTimeout(resolve, timeoutMs, -1);
    });
    await browser.page.exposeFunction('codeAutomationExit', done); // VS Code calls it when the suite has ended.
    await browser.page.goto(
      vscode.url({
        extensionDevelopmentPath: vscode.remoteUri(driver),
        extensionTestsPath: vscode.remoteUri(path.join(driver, 'index.cjs')),
      }),
    );
    const exitCode = await Promise.race([exited, timedOut]);
    // After a crash of the extension host VS Code still says 0: only a result file counts.
    if (!fs.existsSync(resultFile)) {
      const why = exitCode === -1 ? `no result after ${timeoutMs} ms` : 'the suite ended without a result';
      return { passes: 0, failures: 1, text: `${why}\n${vscode.log().slice(-3000)}` };
    }
    const { stats, failures, error, text } = JSON.parse(fs.readFileSync(resultFile, 'utf8'));
    return { passes: stats?.passes ?? 0, failures, text: [text, error].filter(Boolean).join('\n') };
  } finally {
    clearTimeout(timer);
    await browser?.close();
    await vscode?.close();
    fs.rmSync(out, { recursive: true, force: true });
  }
}
