// The language server is killed under the user's hands: one message, and everything comes back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { expectEventually } from '../harness/until.mjs';
import { goToLine, hoverText, openFile, runCommand } from '../harness/workbench.mjs';
import { panelReady } from './panel.mjs';
import { openSession } from './session.mjs';

let session;
let page;
const failingLine = 35_092;

before(
  async () => {
    session = await openSession();
    page = session.page;
    await page.locator('.explorer-folders-view').getByText('capture', { exact: true }).click();
    await openFile(page, 'trace.txt');
    await goToLine(page, failingLine);
    await page
      .locator('.editor-group-container.active')
      .locator('.squiggly-error, .squiggly-warning')
      .first()
      .waitFor();
    await runCommand(page, 'SWIOTLB Lens: Replay with dynamic pools');
    await panelReady(page);
  },
  { timeout: 180_000 },
);
after(() => session?.close());

/** Process ids of the language servers of this VS Code. */
function serverPids() {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return command.includes(session.vscode.extensionsDir) && /dist\/server\.js/.test(command);
      } catch {
        return false; // It has ended.
      }
    })
    .map(Number);
}

test('the user reads one sentence, and findings, hover and panel come back', { timeout: 120_000 }, async () => {
  const [before, ...more] = serverPids();
  assert.ok(before !== undefined && more.length === 0);
  process.kill(before, 'SIGKILL');
  await expectEventually(() => serverPids().some((pid) => pid !== before), 'another server');

  const toasts = page.locator('.notification-toast');
  await toasts.filter({ hasText: 'ended unexpectedly and starts again' }).first().waitFor({ timeout: 15_000 });
  await page.locator('.tabs-container .tab').filter({ hasText: 'trace.txt' }).first().click();
  await page.locator('.editor-group-container.active').locator('.squiggly-error, .squiggly-warning').first().waitFor();
  const text = await hoverText(page, 'dma_addr=ffffffffffffffff', '126976', 'Failed');
  assert.match(text, /Fragmented/);
  await runCommand(page, 'SWIOTLB Lens: Replay with transient pools');
  const frame = await panelReady(page);
  await frame.locator('#summary td[data-run="transient"]').first().waitFor();
  assert.equal(await toasts.count(), 1, 'one message');
  await session.shot('crash');
});
