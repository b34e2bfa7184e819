// A new user: from the empty view to the walkthrough, and from there to a sample.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { expectEventually } from '../harness/until.mjs';
import { cursorLine, pickTheme, runCommand } from '../harness/workbench.mjs';
import { openSession } from './session.mjs';

let session;
let page;

before(
  async () => {
    session = await openSession();
    page = session.page;
  },
  { timeout: 180_000 },
);
after(() => session?.close());

const view = () => page.locator('#workbench\\.view\\.extension\\.swiotlbLens');
const step = (title) => page.locator('.getting-started-step').filter({ hasText: title });

test('the welcome view leads to the walkthrough', { timeout: 60_000 }, async () => {
  await page.locator('.activitybar .action-label[aria-label^="SWIOTLB Lens"]').click();
  await view().locator('.welcome-view').getByText('walkthrough').click();
  await step('Record a trace').first().waitFor();
  await session.shot('walkthrough-capture');
  for (const [theme, title, name] of [
    ['Dark Modern', 'Replay it under another policy', 'walkthrough-replay-dark'],
    ['Dark High Contrast', 'Find the pool size', 'walkthrough-size-contrast'],
    ['Light Modern', 'Share what you found', 'walkthrough-share'],
  ]) {
    await pickTheme(page, theme);
    await step(title).first().click();
    await expectEventually(async () => (await step(title).first().getAttribute('class')).includes('expanded'), title);
    await session.shot(name);
  }
});

test('a step opens a sample of the choice at the line where its story begins', { timeout: 60_000 }, async () => {
  await step('Or look at a bundled recording').first().click();
  await page.getByRole('button', { name: 'Open sample trace' }).last().click();
  const rows = page.locator('.quick-input-widget .monaco-list-row');
  await rows.filter({ hasText: 'A binary trace of trace-cmd' }).waitFor();
  await session.shot('samples');
  await rows.filter({ hasText: 'Dynamic pools grow' }).click();
  await page.locator('.tabs-container .tab').filter({ hasText: 'trace.txt' }).first().waitFor();
  await expectEventually(async () => (await cursorLine(page)) === 267, 'the cursor on the first failure');
  await page.locator('.editor-group-container.active .squiggly-error').first().waitFor();
});

test('views and status bar follow the editor of a binary trace', { timeout: 60_000 }, async () => {
  await runCommand(page, 'SWIOTLB Lens: Open sample trace');
  await page.locator('.quick-input-widget .monaco-list-row').filter({ hasText: 'A binary trace of trace-cmd' }).click();
  await page.locator('.tabs-container .tab.active').filter({ hasText: 'trace.dat' }).waitFor();
  await view().locator('.monaco-list-row').filter({ hasText: 'No mapping failed' }).waitFor();
  await page.locator('.statusbar-item#swiotlb-lens\\.swiotlb-lens\\.swiotlbLens\\.status').waitFor();
  await session.shot('views-trace-dat');
});

test('nothing of ours went wrong on the way', () => {
  // The welcome page of VS Code itself complains about a null when its steps are clicked fast.
  const problems = session.problems().filter((problem) => problem !== 'Found unexpected null');
  assert.deepEqual(problems, []);
});
