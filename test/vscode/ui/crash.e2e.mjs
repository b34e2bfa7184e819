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

/** Everything the user was told, also what has left the screen by itself. */
async function notifications() {
  await runCommand(page, 'Notifications: Show Notifications');
  const found = page.locator('.notifications-center .notification-list-item-message');
  await found.first().waitFor();
  const texts = await found.allInnerTexts();
  await runCommand(page, 'Notifications: Clear All Notifications');
  await found.first().waitFor({ state: 'detached' });
  return texts;
}

const oneSentence = ['The analysis of SWIOTLB Lens ended unexpectedly and starts again.'];

async function killed(pid) {
  process.kill(pid, 'SIGKILL');
  await expectEventually(() => serverPids().some((other) => other !== pid), 'another server');
}

test('the user reads one sentence, and findings, hover and panel come back', { timeout: 120_000 }, async () => {
  const [before, ...more] = serverPids();
  assert.ok(before !== undefined && more.length === 0);
  await killed(before);
  await page.locator('.tabs-container .tab').filter({ hasText: 'trace.txt' }).first().click();
  await page.locator('.editor-group-container.active').locator('.squiggly-error, .squiggly-warning').first().waitFor();
  const text = await hoverText(page, 'dma_addr=ffffffffffffffff', '126976', 'Failed');
  assert.match(text, /Fragmented/);
  await runCommand(page, 'SWIOTLB Lens: Replay with transient pools');
  const frame = await panelReady(page);
  await frame.locator('#summary td[data-run="transient"]').first().waitFor();
  await session.shot('crash');
  assert.deepEqual(await notifications(), oneSentence);
});

test('what was asked of a server that ends is answered by the next one', { timeout: 120_000 }, async () => {
  await page.locator('.tabs-container .tab').filter({ hasText: 'trace.txt' }).first().click();
  await goToLine(page, failingLine);
  const frame = await panelReady(page);
  await page.evaluate(() => navigator.clipboard.writeText('nothing yet'));
  const [before] = serverPids();
  // It takes questions and answers none.
  process.kill(before, 'SIGSTOP');
  await runCommand(page, 'SWIOTLB Lens: Copy finding as Markdown');
  await runCommand(page, 'SWIOTLB Lens: Replay with a fixed pool');
  await frame.locator('#status[data-state="loading"]').waitFor();
  await killed(before);
  await expectEventually(
    async () => /Fragmented/i.test(await page.evaluate(() => navigator.clipboard.readText())),
    'the finding on the clipboard',
  );
  await panelReady(page);
  await frame.locator('#summary td[data-run^="fixed"]').first().waitFor();
  assert.deepEqual(await notifications(), oneSentence);
});
