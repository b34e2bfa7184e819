// What leaves the panel: pictures, tables, the report, the panel itself beside the trace; and that it comes back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { expectEventually } from '../harness/until.mjs';
import { focusOn, openFile, runCommand } from '../harness/workbench.mjs';
import { inkEventually, panelAfterReload, panelReady } from './panel.mjs';
import { openSession } from './session.mjs';

const timeout = 180_000;
const picker = '.quick-input-widget';
let session;
let page;

before(
  async () => {
    session = await openSession();
    page = session.page;
    await page.locator('.explorer-folders-view').getByText('capture', { exact: true }).click();
    await openFile(page, 'trace.txt');
    await page.setViewportSize({ width: 1600, height: 1300 });
    await runCommand(page, 'SWIOTLB Lens: Replay with dynamic pools');
    await panelReady(page);
  },
  { timeout },
);
after(() => session?.close());

const inCapture = (name) => path.join(session.workspace, 'capture', name);

const exportByPalette = () => runCommand(page, 'SWIOTLB Lens: Export…');

/** Picks what to export, takes the proposed name, and returns the file's bytes. */
async function exported(filter, row, file, begin = exportByPalette) {
  // What takes the focus closes a list: it is opened again.
  await expectEventually(async () => {
    await begin();
    try {
      await page.locator(`${picker} .monaco-list-row`).first().waitFor({ timeout: 10_000 });
      await page.locator(`${picker} .quick-input-box input`).fill(filter, { timeout: 3000 });
      await page.locator(`${picker} .monaco-list-row`).filter({ hasText: row }).first().click({ timeout: 3000 });
      return true;
    } catch (error) {
      await page.keyboard.press('Escape');
      throw error;
    }
  }, `the list of what can be exported, with ${filter}`);
  // VS Code's own file dialog, with the proposed name in it.
  const name = page.locator(`${picker} .quick-input-box input`);
  await expectEventually(async () => (await name.inputValue()).endsWith(file), `the name ${file}`);
  await page.locator(`${picker} .quick-input-action .monaco-button, ${picker} a.monaco-button`).first().click();
  const written = inCapture(file);
  await expectEventually(() => fs.existsSync(written) && fs.statSync(written).size > 0, `${file} is written`);
  const toast = page.locator('.notification-toast').filter({ hasText: `Exported to capture/${file}` });
  await toast.getByRole('button', { name: 'Open', exact: true }).waitFor();
  await toast
    .locator('.codicon-notifications-clear')
    .click({ force: true })
    .catch(() => undefined);
  return fs.readFileSync(written);
}

test('a chart is exported as a picture of twice its size', { timeout }, async () => {
  const frame = await panelReady(page);
  const shown = await frame.locator('#chart-slots').evaluate((canvas) => canvas.clientWidth);
  const png = await exported('Slots in use over time', 'PNG', 'trace-slots.png');
  assert.deepEqual([...png.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  // The chart and a margin; the width of the page need not be whole.
  assert.ok(Math.abs(png.readUInt32BE(16) - 2 * (shown + 32)) <= 2, `${png.readUInt32BE(16)} pixels for ${shown}`);
  // The chart on the page is as sharp as before.
  await inkEventually(frame.locator('#chart-slots'));
});

test('a table is exported with the numbers behind its words', { timeout }, async () => {
  const frame = await panelReady(page);
  const byButton = () => frame.locator('#export').dispatchEvent('click');
  const json = await exported('Comparison of policies', 'JSON', 'trace-comparison-of-policies.json', byButton);
  const text = json.toString('utf8');
  const rows = JSON.parse(text);
  const failed = rows.find((row) => Object.values(row).includes('Failed mappings'));
  assert.equal(failed.Recorded, 1);
  assert.equal(failed.Dynamic, 0);
});

test('the report is one page that loads nothing', { timeout }, async () => {
  const html = (await exported('whole report', 'HTML', 'trace-report.html')).toString('utf8');
  assert.match(html, /<!doctype html>/i);
  assert.match(html, /dynamic: at most 924 slots/);
  assert.doesNotMatch(html, /<script|src=|href="http/);
});

test('the size curve is exported as a drawing', { timeout }, async () => {
  const frame = await panelReady(page);
  await frame.locator('#size-go').dispatchEvent('click');
  await frame.locator('#size[data-state="done"]').waitFor({ state: 'attached', timeout: 60_000 });
  // The chart is drawn anew when the answer is complete, and a key before that is lost.
  await expectEventually(async () => {
    await focusOn(frame.locator('#chart-size'));
    await page.keyboard.press('Home');
    return /1 MiB: Fixed .* failed/.test(await frame.locator('#size-readout').innerText());
  }, 'the sizes one by one');
  const svg = (await exported('Requests that fail by pool size', 'SVG', 'trace-size-curve.svg')).toString('utf8');
  assert.match(svg, /^<svg xmlns/);
  assert.match(svg, new RegExp(`>${await frame.locator('#size-parameter').innerText()}<`));
});

test('the panel is saved beside the trace and comes back with it', { timeout }, async () => {
  const frame = await panelReady(page);
  await frame.locator('button[data-policy="transient"]').dispatchEvent('click');
  await frame.locator('#summary th[data-run="transient"]').waitFor();
  await frame.locator('#notes-text').fill('the burst at the end');
  await frame.locator('#time-mode').selectOption('relative');
  await frame.locator('#save').dispatchEvent('click');
  await frame.locator('#save-status', { hasText: 'Saved to trace.txt.swiotlb-lens.json' }).waitFor();
  const saved = JSON.parse(fs.readFileSync(inCapture('trace.txt.swiotlb-lens.json'), 'utf8'));
  assert.equal(saved.notes, 'the burst at the end');
  assert.deepEqual(
    saved.runs.map((run) => run.policy),
    ['dynamic', 'transient'],
  );
  const tab = page.locator('.tabs-container .tab').filter({ hasText: 'Replay: trace.txt' });
  await tab.click({ button: 'middle' });
  await page.locator('.tabs-container .tab').filter({ hasText: 'Replay: trace.txt' }).waitFor({ state: 'detached' });
  await page.locator('.tabs-container .tab').filter({ hasText: 'trace.txt' }).first().click();
  await runCommand(page, 'SWIOTLB Lens: Verify against the recorded addresses');
  const again = await panelReady(page);
  await again.locator('#summary th[data-run="transient"]').waitFor();
  assert.equal(await again.locator('#notes-text').inputValue(), 'the burst at the end');
  assert.equal(await again.locator('#time-mode').inputValue(), 'relative');
  assert.equal(await again.locator('button[aria-current]').getAttribute('data-policy'), 'transient');
});

test('after a reload of the window the panel goes on where it was', { timeout }, async () => {
  const frame = await panelReady(page);
  await frame.locator('button[data-policy="dynamic"]').dispatchEvent('click');
  await panelReady(page);
  await focusOn(frame.locator('#chart-slots'));
  await page.keyboard.press('Home');
  await page.keyboard.press('+');
  const range = await expectEventually(async () => {
    const text = await frame.locator('#range').innerText();
    return /^0\.0.*–0\.[5-9]/.test(text) && text;
  }, 'the first half');
  const again = await panelAfterReload(page, '"range":{');
  await again.locator('#summary th[data-run="transient"]').waitFor();
  await expectEventually(async () => (await again.locator('#range').innerText()) === range, `the range ${range}`);
  assert.equal(await again.locator('button[aria-current]').getAttribute('data-policy'), 'dynamic');
});

test('nothing went wrong on the way', () => {
  assert.deepEqual(session.problems(), []);
});
