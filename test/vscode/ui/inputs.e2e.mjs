// Other things people open: the sample, a log alone, a paste, a hostile file, a file that is no trace.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { expectEventually } from '../harness/until.mjs';
import { closeEditors, goToLine, openFile, runCommand } from '../harness/workbench.mjs';
import { inkEventually, panelReady } from './panel.mjs';
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

function untilLanguage(name) {
  return page.locator('.statusbar-item').filter({ hasText: name }).first().waitFor();
}

test('a log alone shows what it proves and how to record more, and no empty chart', { timeout: 180_000 }, async () => {
  await openFile(page, 'console-log-only.txt');
  await untilLanguage('SWIOTLB trace');
  await runCommand(page, 'SWIOTLB Lens: Replay with dynamic pools');
  const frame = await panelReady(page);
  assert.match(await frame.locator('#verdict').innerText(), /mappings failed: fragmented/);
  assert.match(await frame.locator('#proven').innerText(), /512 slots/);
  assert.match(await frame.locator('#guidance').innerText(), /tracing/);
  assert.equal(await frame.locator('canvas').count(), 0);
  // The panel is told where the cursor of the editor is, whether it has charts to show that or not.
  await page.locator('.tabs-container .tab').filter({ hasText: 'console-log-only.txt' }).first().click();
  await goToLine(page, 2);
  await page.waitForTimeout(500);
  await panelReady(page);
  await session.shot('log-only');
  await closeEditors(page);
});

test('a hostile device name is shown as text', { timeout: 180_000 }, async () => {
  await openFile(page, 'hostile.txt');
  await untilLanguage('SWIOTLB trace');
  await runCommand(page, 'SWIOTLB Lens: Replay with dynamic pools');
  const frame = await panelReady(page);
  await expectEventually(
    async () => (await frame.locator('#why').innerText()).includes('<img/src=x/onerror=window.pwned=1>'),
    'the device name',
  );
  assert.equal(await frame.locator('#content img').count(), 0);
  assert.equal(await frame.evaluate(() => window.pwned), undefined);
  await session.shot('hostile');
  await closeEditors(page);
});

test('text pasted into an empty tab becomes a trace', { timeout: 180_000 }, async () => {
  await runCommand(page, 'Create: New File...');
  await page.locator('.quick-input-list .monaco-list-row').filter({ hasText: 'Text File' }).first().click();
  const editor = page.locator('.editor-group-container.active .monaco-editor').first();
  await editor.waitFor();
  await page.locator('.tabs-container .tab.active').filter({ hasText: 'Untitled' }).waitFor();
  await page.evaluate(
    (text) => navigator.clipboard.writeText(text),
    '[   12.345678] nvme 0000:05:00.0: swiotlb buffer is full (sz: 524288 bytes), total 32768 (slots), used 3 (slots)\n',
  );
  await editor.click();
  await page.keyboard.press('Control+v');
  await untilLanguage('SWIOTLB trace');
  await page.locator('.editor-group-container.active').locator('.squiggly-error, .squiggly-warning').first().waitFor();
  await session.shot('pasted');
  await runCommand(page, 'View: Revert and Close Editor');
});

test('the sample is one command away', { timeout: 180_000 }, async () => {
  await runCommand(page, 'SWIOTLB Lens: Open sample trace');
  await page.locator('.quick-input-widget .monaco-list-row').filter({ hasText: '512 slots' }).first().click();
  await page.locator('.tabs-container .tab').filter({ hasText: 'trace.txt' }).first().waitFor();
  await untilLanguage('SWIOTLB trace');
  await runCommand(page, 'SWIOTLB Lens: Compare policies');
  const frame = await panelReady(page);
  await inkEventually(frame.locator('#chart-slots'));
  const columns = await frame.locator('#summary thead th[data-run]').count();
  assert.ok(columns >= 3, `${columns} policies side by side`);
  await session.shot('sample');
  await closeEditors(page);
});

test('nothing went wrong on the way', () => {
  assert.deepEqual(session.problems(), []);
});
