// A trace reads like code: lenses, hints, folds, definitions, actions, explanations, in three themes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { expectEventually } from '../harness/until.mjs';
import { cursorLine, goToLine, hoverText, openFile, pickTheme, runCommand } from '../harness/workbench.mjs';
import { openSession } from './session.mjs';

let session;
let page;
let lines;
/** One-based line of the event that failed. */
let failingLine;
/** One-based line of a mapping that is unmapped later, shortly before the failure. */
let mapLine;

before(
  async () => {
    session = await openSession();
    page = session.page;
    lines = fs.readFileSync(path.join(session.workspace, 'capture/trace.txt'), 'utf8').split('\n');
    failingLine = lines.findIndex((line) => line.includes('dma_addr=ffffffffffffffff')) + 1;
    mapLine = lines.findLastIndex((line, index) => index < failingLine - 1 && isUnmappedLater(line, index)) + 1;
    await page.locator('.explorer-folders-view').getByText('capture', { exact: true }).click();
    await openFile(page, 'trace.txt');
    // Lines of a trace are long.
    await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  },
  { timeout: 180_000 },
);
after(() => session?.close());

function isUnmappedLater(line, index) {
  const address = /dma_map_page: .* dma_addr=(7\w+) /.exec(line)?.[1];
  return address !== undefined && unmapOf(address, index) > 0;
}

/** Index of the line that unmaps an address after a line. */
function unmapOf(address, after) {
  return lines.findIndex(
    (line, index) => index > after && line.includes(`dma_addr=${address} `) && line.includes('unmap'),
  );
}

const lens = (text) => page.locator('.codelens-decoration a').filter({ hasText: text });
/** A line of the editor with a hint in it; blanks of the editor are non-breaking. */
const hint = (text) => page.locator('.view-lines .view-line').filter({ hasText: text });

/** Brings the trace's editor to the front again, by the mouse: a preview may have taken the keyboard. */
async function showTrace() {
  await page.locator('.tabs-container .tab').filter({ hasText: 'trace.txt' }).first().click();
  await page.locator('.tabs-container .tab.active').filter({ hasText: 'trace.txt' }).waitFor();
}

test('the top of the file says what it holds, and a click leads on', { timeout: 120_000 }, async () => {
  await lens(/^\d+ of [\d,]+ bounced requests failed: /).waitFor();
  await lens('Find the pool size').first().waitFor();
  await session.shot('language-top-light');
});

test('the outline names failures and devices', { timeout: 120_000 }, async () => {
  await runCommand(page, 'Go to Symbol in Editor...');
  const rows = page.locator('.quick-input-list .monaco-list-row');
  await rows
    .filter({ hasText: /Fragmented/ })
    .first()
    .waitFor();
  await rows
    .filter({ hasText: /0000:00:05\.0 nvme/ })
    .first()
    .waitFor();
  await session.shot('language-outline');
  await page.keyboard.press('Escape');
});

test('an episode has a lens, the failing line has hints', { timeout: 120_000 }, async () => {
  await goToLine(page, failingLine);
  await hint(/size=\d+\s*=\s\d+\sslots/)
    .first()
    .waitFor();
  await hint(/of\s1,024\sslots\sused/)
    .first()
    .waitFor();
  await lens('Who held the slots').first().waitFor();
  // The hint behind the line is beyond the right edge.
  await page.keyboard.press('End');
  await session.shot('language-failure-light');
  for (const [theme, name] of [
    ['Dark Modern', 'dark'],
    ['Dark High Contrast', 'contrast'],
  ]) {
    await pickTheme(page, theme);
    await hint(/of\s1,024\sslots\sused/)
      .first()
      .waitFor();
    await session.shot(`language-failure-${name}`);
  }
  await pickTheme(page, 'Light Modern');
});

test('go to definition leads to the unmap and back', { timeout: 120_000 }, async () => {
  await goToLine(page, mapLine);
  const address = /dma_addr=(\w+)/.exec(lines[mapLine - 1])[1];
  const unmapLine = unmapOf(address, mapLine - 1) + 1;
  await runCommand(page, 'Go to Definition');
  await expectEventually(
    async () => (await cursorLine(page)) === unmapLine,
    `the cursor on the unmap, line ${unmapLine}`,
  );
  await runCommand(page, 'Go to Definition');
  await expectEventually(async () => (await cursorLine(page)) === mapLine, `the cursor on the map, line ${mapLine}`);
  await session.shot('language-highlight');
});

test('the failing line has actions, and one of them explains the cause', { timeout: 120_000 }, async () => {
  await goToLine(page, failingLine);
  await expectEventually(async () => {
    await runCommand(page, 'Quick Fix...');
    return page
      .locator('.action-widget')
      .filter({ hasText: 'Explain: Fragmented' })
      .waitFor({ timeout: 3_000 })
      .then(
        () => true,
        () => false,
      );
  }, 'the actions of the line');
  await session.shot('language-actions');
  await page
    .locator('.action-widget .action-item, .action-widget .monaco-list-row')
    .filter({ hasText: 'Explain: Fragmented' })
    .first()
    .click();
  await page.locator('.tabs-container .tab.active').filter({ hasText: 'fragmented.md' }).waitFor();
  await expectEventually(async () => {
    for (const frame of page.frames()) {
      if (
        await frame
          .getByText('it is the longest run that counts', { exact: false })
          .count()
          .catch(() => 0)
      )
        return true;
    }
    return false;
  }, 'the page about fragmentation');
  await session.shot('language-explain');
  await showTrace();
});

test('the code of a finding in the Problems view opens the same page', { timeout: 120_000 }, async () => {
  await runCommand(page, 'Problems: Focus on Problems View');
  const code = page.locator('.markers-panel a').filter({ hasText: 'fragmented' }).first();
  await code.waitFor();
  await session.shot('language-problems');
  // A link of the Problems view opens with the modifier of the editor.
  await code.click({ modifiers: ['Control'] });
  await page.locator('.tabs-container .tab.active').filter({ hasText: 'fragmented.md' }).waitFor();
  await showTrace();
  await runCommand(page, 'View: Toggle Panel Visibility');
});

test('the card of a failure leads on, and who held the slots is a list of devices', { timeout: 120_000 }, async () => {
  await goToLine(page, failingLine);
  const text = await hoverText(page, 'dma_addr=ffffffffffffffff', 'dma_map_page', 'Failed');
  assert.match(text, /Show slot map · Who held the slots · Find the pool size · Explain/);
  await session.shot('language-hover');
  await page.locator('.monaco-hover a').filter({ hasText: 'Who held the slots' }).first().click();
  const rows = page.locator('.quick-input-list .monaco-list-row');
  await rows
    .filter({ hasText: /0000:00:05\.0 nvme/ })
    .first()
    .waitFor();
  await session.shot('language-who-held');
  await page.keyboard.press('Enter');
  await page.locator('.peekview-widget').waitFor();
  await session.shot('language-who-held-peek');
  await page.keyboard.press('Escape');
  assert.deepEqual(session.problems(), []);
});
