// The charts of the panel, as a user moves about in them: keys, mouse, times, lines, assumptions, small multiples.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { expectEventually } from '../harness/until.mjs';
import {
  closeEditors,
  cursorLine,
  focusOn,
  goToLine,
  openFile,
  pressOn,
  runCommand,
  webviewFrame,
} from '../harness/workbench.mjs';
import { inkEventually, panelReady } from './panel.mjs';
import { openSession } from './session.mjs';

const timeout = 180_000;
let session;
let page;
/** One-based line of the event that failed. */
let failingLine;

before(
  async () => {
    session = await openSession();
    page = session.page;
    const trace = fs.readFileSync(path.join(session.workspace, 'capture/trace.txt'), 'utf8').split('\n');
    failingLine = trace.findIndex((line) => line.includes('dma_addr=ffffffffffffffff')) + 1;
    await page.locator('.explorer-folders-view').getByText('capture', { exact: true }).click();
    await openFile(page, 'trace.txt');
    await page.setViewportSize({ width: 1600, height: 1400 });
    await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
    await runCommand(page, 'SWIOTLB Lens: Compare policies');
    await panelReady(page);
  },
  { timeout },
);
after(() => session?.close());

/** The cursor of the charts as a screen reader gets it. */
function spoken(frame, chart = '#chart-slots') {
  return frame.locator(chart).getAttribute('aria-valuetext');
}

async function showTrace() {
  await page.locator('.tabs-container .tab').filter({ hasText: 'trace.txt' }).first().click();
}

const rangeOf = (frame) => frame.locator('#range').innerText();

test('every chart has ink, a name, and a table or numbers beside it', { timeout }, async () => {
  const frame = await panelReady(page);
  for (const chart of ['slots', 'pools', 'transient', 'memory']) {
    const canvas = frame.locator(`#chart-${chart}`);
    await inkEventually(canvas);
    assert.match(await canvas.getAttribute('aria-label'), /over time/);
    assert.match(await canvas.getAttribute('role'), /slider/);
  }
  await frame.locator('details[data-table="pools"] summary').click();
  const rows = frame.locator('details[data-table="pools"] tbody tr');
  await rows.first().waitFor();
  assert.match(await rows.first().innerText(), /boot/);
  await frame.locator('header').evaluate((element) => element.scrollIntoView());
  await session.shot('charts');
});

test('one small chart per policy, on the same axes', { timeout }, async () => {
  const frame = await panelReady(page);
  const small = frame.locator('#multiples canvas');
  await expectEventually(async () => (await small.count()) === 3, 'three small charts');
  for (let index = 0; index < 3; index++) await inkEventually(small.nth(index));
  assert.match(await small.first().getAttribute('aria-label'), /Recorded: 1 failure/);
  await frame.locator('#compare').evaluate((section) => section.scrollIntoView());
  await session.shot('multiples');
});

test('the keyboard walks through changes and failures, zooms, moves and lists its keys', { timeout }, async () => {
  const frame = await panelReady(page);
  const whole = await rangeOf(frame);
  await focusOn(frame.locator('#chart-slots'));
  await page.keyboard.press('Home');
  const first = await spoken(frame);
  await page.keyboard.press('.');
  const second = await spoken(frame);
  assert.notEqual(first, second);
  await page.keyboard.press(',');
  await page.keyboard.press('n');
  await expectEventually(async () => /fails here: fragmented, line 35,09/.test(await spoken(frame)), 'the failure');
  await page.keyboard.press('+');
  await page.keyboard.press('+');
  await expectEventually(async () => (await rangeOf(frame)) !== whole, 'a shorter range');
  const zoomed = await rangeOf(frame);
  await page.keyboard.press('a');
  await expectEventually(async () => (await rangeOf(frame)) !== zoomed, 'an earlier range');
  await page.keyboard.press('0');
  await expectEventually(async () => (await rangeOf(frame)) === whole, 'the whole trace');
  await page.keyboard.press('?');
  await frame.locator('#keys[open]').waitFor();
  await page.keyboard.press('?');
  await pressOn(frame.locator('#overview'), '+');
  await expectEventually(async () => (await rangeOf(frame)) !== whole, 'the overview zooms');
  assert.match(await frame.locator('#overview').getAttribute('aria-valuetext'), /s to .* s/);
  await page.keyboard.press('0');
});

test('the mouse selects a stretch, moves it and zooms', { timeout }, async () => {
  const frame = await panelReady(page);
  const whole = await rangeOf(frame);
  const canvas = frame.locator('#chart-slots');
  await canvas.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await canvas.boundingBox();
  const drag = async (from, to) => {
    await page.mouse.move(x + width * from, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width * to, y + height / 2, { steps: 4 });
    await page.mouse.up();
  };
  const changed = (earlier, what) =>
    expectEventually(async () => {
      const now = await rangeOf(frame);
      return now !== earlier && now;
    }, what);
  await drag(0.4, 0.6);
  const selected = await changed(whole, 'the selected stretch');
  await page.keyboard.down('Shift');
  await drag(0.6, 0.4);
  await page.keyboard.up('Shift');
  const moved = await changed(selected, 'a later stretch');
  assert.ok(Number.parseFloat(selected) < Number.parseFloat(moved), `${selected}, then ${moved}`);
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -100);
  await page.keyboard.up('Control');
  await changed(moved, 'a shorter stretch');
  await frame.locator('#reset-range').dispatchEvent('click');
  await expectEventually(async () => (await rangeOf(frame)) === whole, 'the whole trace');
});

test('a click anywhere on a chart goes to the nearest line, the cursor of the editor comes back', {
  timeout,
}, async () => {
  const frame = await panelReady(page);
  await frame.locator('#charts').evaluate((section) => section.scrollIntoView());
  const canvas = frame.locator('#chart-memory');
  const { width, height } = await canvas.boundingBox();
  await canvas.click({ position: { x: width / 2, y: height / 2 } });
  const line = await expectEventually(async () => {
    const now = await cursorLine(page);
    return now !== null && now > 1000 && now !== failingLine && now;
  }, 'a line in the middle of the trace');
  const text = fs.readFileSync(path.join(session.workspace, 'capture/trace.txt'), 'utf8').split('\n')[line - 1];
  assert.match(text, /dma_(map|unmap)_/);

  await goToLine(page, failingLine);
  await expectEventually(
    async () => /^5\.44\d.*editor/.test(await frame.locator('#readout .time').innerText()),
    "the time of the editor's line",
  );
});

test('the visible range follows the cursor of the editor', { timeout }, async () => {
  const frame = await panelReady(page);
  await goToLine(page, 20);
  await expectEventually(
    async () => /4\.232.*editor/.test(await frame.locator('#readout .time').innerText()),
    'the first lines',
  );
  await pressOn(frame.locator('#chart-slots'), 'Escape', '+', '+', '+', '+', 'End');
  await expectEventually(async () => /^4\..*–4\./.test(await rangeOf(frame)), 'the beginning of the trace alone');
  await showTrace();
  await goToLine(page, failingLine);
  await expectEventually(async () => /–5\.[45]/.test(await rangeOf(frame)), 'the range around the failure');
  await session.shot('follows-editor');
  await frame.locator('#reset-range').dispatchEvent('click');
});

test('another editor of the same trace leaves the panel as it is', { timeout }, async () => {
  const frame = await panelReady(page);
  const chart = await frame.locator('#chart-slots').elementHandle();
  await showTrace();
  // Its findings are sent again for this editor.
  await runCommand(page, 'SWIOTLB Lens: Open with SWIOTLB Lens');
  const editor = await webviewFrame(page, '#next-failure');
  await editor.locator('#next-failure').waitFor();
  await pressOn(editor.locator('#view'), 'End');
  await expectEventually(
    async () => /^5\.49.*editor/.test(await frame.locator('#readout .time').innerText()),
    'the time of the last line',
  );
  assert.ok(await chart.evaluate((element) => element.isConnected), 'the chart that was there');
});

test('times are written in three ways', { timeout }, async () => {
  const frame = await panelReady(page);
  const select = frame.locator('#time-mode');
  await select.selectOption('relative');
  await expectEventually(async () => /^0\.0/.test(await rangeOf(frame)), 'the range since the first event');
  await select.selectOption('sinceBoot');
  await expectEventually(async () => /^0:00:04\.1/.test(await rangeOf(frame)), 'the range since boot');
  await session.shot('since-boot');
  await select.selectOption('clock');
});

test('an assumption is changed in place and every replay follows', { timeout }, async () => {
  const frame = await panelReady(page);
  const block = frame.locator('#assumptions');
  await block.locator('summary', { hasText: 'machine around' }).click();
  const field = frame.locator('#assume-fragmentation');
  await field.fill('1');
  await field.press('Enter');
  await frame.locator('#summary th[data-run="transient(fragmentation=1)"]').waitFor();
  await expectEventually(
    async () =>
      (await frame
        .locator('#summary td[data-run="transient(fragmentation=1)"][data-metric="failed"]')
        .getAttribute('data-value')) === '1',
    'no transient pool where no page can be had',
  );
  await frame.locator('#ledger').evaluate((section) => section.scrollIntoView());
  await session.shot('assumptions');
  await frame.locator('#reset-assumptions').dispatchEvent('click');
  await frame.locator('#summary th[data-run="transient"]').waitFor();
});

test('a trace in which nothing bounced offers the dry run in place of empty charts', { timeout }, async () => {
  const event = (at, text) => `     disk-7       [000] .....   1.${String(at).padStart(6, '0')}: ${text}`;
  const lines = ['# tracer: nop', '#'];
  for (let i = 0; i < 40; i++) {
    const address = (0x100000000 + i * 0x1000).toString(16);
    const common = `0000:00:05.0 dir=TO_DEVICE dma_addr=${address} size=4096`;
    lines.push(event(i * 100, `dma_map_page: ${common} phys_addr=${address} attrs=`));
    lines.push(event(i * 100 + 50, `dma_unmap_page: ${common} attrs=`));
  }
  fs.writeFileSync(path.join(session.workspace, 'direct.ftrace'), `${lines.join('\n')}\n`);
  await closeEditors(page);
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  await openFile(page, 'direct.ftrace');
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  await runCommand(page, 'SWIOTLB Lens: Replay with dynamic pools');
  const frame = await panelReady(page);
  await frame.locator('#unreplayable', { hasText: 'a dry run can replay them' }).waitFor();
  assert.equal(await frame.locator('#chart-slots').isVisible(), false);
  await session.shot('unreplayable');
  await frame.locator('#go-dry-run').click();
  await frame.locator('#size-parameter').waitFor({ timeout: 60_000 });
  await frame.locator('#charts').evaluate((section) => section.scrollIntoView());
  await inkEventually(frame.locator('#chart-slots'));
});

test('everything that can be seen or used has a name', { timeout }, async () => {
  const frame = await panelReady(page);
  await frame.locator('#size-parameter').waitFor();
  const nameless = await frame.locator('body').evaluate((body) => {
    const nameOf = (element) =>
      element.getAttribute('aria-label') ||
      [...(element.labels ?? [])].map((label) => label.textContent).join('') ||
      document.getElementById(element.getAttribute('aria-labelledby') ?? '')?.textContent ||
      (element.tagName === 'BUTTON' || element.tagName === 'SUMMARY' ? element.textContent : '');
    const isShown = (element) => element.checkVisibility() && element.closest('[aria-hidden="true"]') === null;
    return [...body.querySelectorAll('canvas, button, summary, input, select, textarea, table, section')]
      .filter((element) => isShown(element) && !nameOf(element)?.trim())
      .map((element) => `${element.tagName} ${element.id || element.className}`);
  });
  assert.deepEqual(nameless, []);
  const drawings = await frame
    .locator('canvas:not([aria-hidden])')
    .evaluateAll((all) => all.map((one) => one.getAttribute('role')));
  assert.deepEqual(
    drawings.filter((role) => role === null),
    [],
  );
});

test('nothing went wrong on the way', () => {
  assert.deepEqual(session.problems(), []);
});
