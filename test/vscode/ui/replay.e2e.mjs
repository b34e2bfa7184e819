// The main job, as a user does it: open a capture that fails, read why, replay it, compare, go back to a line.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { root } from '../harness/package.mjs';
import { expectEventually } from '../harness/until.mjs';
import { cursorLine, focusOn, goToLine, hoverText, openFile, pickTheme, runCommand } from '../harness/workbench.mjs';
import { inkEventually, inkOf, panelReady } from './panel.mjs';
import { openSession } from './session.mjs';

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
  },
  { timeout: 180_000 },
);
after(() => session?.close());

function replayByCommandLine(policy) {
  const input = path.join(session.workspace, 'capture');
  const output = execFileSync(
    process.execPath,
    [path.join(root, 'dist/cli.js'), 'replay', input, '--policy', policy, '--json'],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  return JSON.parse(output);
}

/** Brings the trace's editor to the front again. */
async function showTrace() {
  await page.locator('.tabs-container .tab').filter({ hasText: 'trace.txt' }).first().click();
}

test('the failing line has a squiggle and the Problems view names the cause', { timeout: 180_000 }, async () => {
  await goToLine(page, failingLine);
  const squiggle = '.squiggly-error, .squiggly-warning';
  await page.locator('.editor-group-container.active').locator(squiggle).first().waitFor();
  await runCommand(page, 'Problems: Focus on Problems View');
  const problem = page
    .locator('.markers-panel')
    .getByText(/^(Fragmented|Pool full|Alignment)/)
    .first();
  await problem.waitFor();
  await session.shot('problems');
});

test('the hover says why it failed and what would have served it', { timeout: 180_000 }, async () => {
  await showTrace();
  await goToLine(page, failingLine);
  const text = await hoverText(page, 'dma_addr=ffffffffffffffff', '126976', 'Failed');
  assert.match(text, /Fragmented: needs 62 slots \(124 KiB\) in a row/);
  assert.match(text, /0000:00:05\.0 nvme · to device/);
  assert.match(text, /Retry at line 35,094 succeeded/);
  await session.shot('hover-failure');
  await page.keyboard.press('Escape');
});

test('the palette command opens the panel with ink on its charts', { timeout: 180_000 }, async () => {
  await runCommand(page, 'SWIOTLB Lens: Replay with dynamic pools');
  const frame = await panelReady(page);
  assert.match(await frame.locator('#verdict').innerText(), /Dynamic pools/i);
  for (const chart of ['#chart-slots', '#chart-memory', '#overview']) {
    const { colours } = await inkEventually(frame.locator(chart));
    assert.ok(colours > 3, `${chart} has ${colours} colours`);
  }
  await session.shot('panel');
});

test('the summary has the numbers of the command line', { timeout: 180_000 }, async () => {
  const frame = await panelReady(page);
  const report = replayByCommandLine('dynamic');
  assert.ok(report.replayable && report.requests > 1000, JSON.stringify(report).slice(0, 500));
  const cells = await frame
    .locator('#summary td[data-run="dynamic"]')
    .evaluateAll((found) => found.map((cell) => [cell.dataset.metric, cell.dataset.value]));
  const shown = new Map(cells);
  for (const metric of [
    'failed',
    'served',
    'usedHighWaterSlots',
    'capacityPeakSlots',
    'memory.peakBytes',
    'copiedBytes',
  ]) {
    const expected = metric.split('.').reduce((value, key) => value[key], report);
    // The table leaves out rows that are zero for every policy.
    assert.equal(Number(shown.get(metric) ?? 0), expected, metric);
  }
});

test('the ledger shows the masks of the devices and why', { timeout: 180_000 }, async () => {
  const frame = await panelReady(page);
  const rows = await frame.locator('table.evidence tbody tr').allTextContents();
  assert.ok(
    rows.some((row) => /^0000:00:05\.0.*64-bit mask.*min_align_mask (0x[0-9a-f]+|undetermined): ./.test(row)),
    rows.join('\n'),
  );
});

test('a failure in the list leads to its line', { timeout: 180_000 }, async () => {
  const frame = await panelReady(page);
  const button = frame.locator('#why button[data-failure-line]').first();
  const line = Number(await button.getAttribute('data-failure-line'));
  await button.click();
  await expectEventually(async () => (await cursorLine(page)) === line, `the cursor on line ${line}`);
});

test('a failure mark in the chart leads to its line, by mouse and by keyboard', { timeout: 180_000 }, async () => {
  const frame = await panelReady(page);
  const lines = await frame
    .locator('#why button[data-failure-line]')
    .evaluateAll((buttons) => buttons.map((button) => Number(button.dataset.failureLine)));

  await goToLine(page, 1);
  await focusOn(frame.locator('#chart-slots'));
  await page.keyboard.press('Home');
  await page.keyboard.press('n');
  await page.keyboard.press('Enter');
  await expectEventually(async () => lines.includes(await cursorLine(page)), `the cursor on one of ${lines}`);

  await goToLine(page, 1);
  const canvas = frame.locator('#chart-slots');
  await canvas.scrollIntoViewIfNeeded();
  const mark = await findMark(canvas);
  await canvas.click({ position: mark });
  await expectEventually(async () => lines.includes(await cursorLine(page)), `the cursor on one of ${lines}`);
});

/** The middle of a failure mark: the panel shows a pointing hand all around it. */
function findMark(canvas) {
  return canvas.evaluate((element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    const isMark = (x, y) => {
      element.dispatchEvent(new PointerEvent('pointermove', { clientX: left + x, clientY: top + y, bubbles: true }));
      return element.classList.contains('on-mark');
    };
    for (let y = 4; y < height; y += 4) {
      for (let x = 4; x < width; x += 4) {
        if (!isMark(x, y)) continue;
        let below = y;
        while (isMark(x, below + 1)) below++;
        return { x, y: Math.floor((y + below) / 2) };
      }
    }
    throw new Error('no failure mark on the chart');
  });
}

test('the recorded policy and the replay differ on the chart', { timeout: 180_000 }, async () => {
  const frame = await panelReady(page);
  const canvas = frame.locator('#chart-slots');
  const before = await inkOf(canvas);
  await frame.locator('button[data-policy="transient"]').dispatchEvent('click');
  await panelReady(page);
  await frame.locator('#summary td[data-run="transient"]').first().waitFor();
  await expectEventually(async () => (await inkOf(canvas)).ink !== before.ink, 'another line on the chart');
});

test('it follows the theme and fits every width', { timeout: 180_000 }, async () => {
  await runCommand(page, 'View: Hide Panel');
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  const frame = await panelReady(page);
  const canvas = frame.locator('#chart-slots');
  const backgrounds = new Set();
  await page.setViewportSize({ width: 1800, height: 1500 });
  for (const [name, theme] of [
    ['high-contrast', 'Dark High Contrast'],
    ['high-contrast-light', 'Light High Contrast'],
    ['dark', 'Dark Modern'],
    ['light', 'Light Modern'],
  ]) {
    const earlier = await backgroundOf(frame);
    await pickTheme(page, theme);
    const background = await expectEventually(async () => {
      const now = await backgroundOf(frame);
      return now !== earlier && now;
    }, `the ${name} theme`);
    backgrounds.add(background);
    await inkEventually(canvas);
    await session.shot(`theme-${name}`);
  }
  // Both light kinds are white.
  assert.equal(backgrounds.size, 3);

  for (const [name, width, height] of [
    ['wide', 2400, 1300],
    ['narrow', 720, 1600],
  ]) {
    await page.setViewportSize({ width, height });
    await expectEventually(async () => {
      const { widest, room } = await frame
        .locator('body')
        .evaluate((body) => ({ widest: body.scrollWidth, room: window.innerWidth }));
      return widest <= room + 1 && room < width / 2 && (await canvas.boundingBox()).width <= room;
    }, `the ${name} layout`);
    await inkEventually(canvas);
    await session.shot(`layout-${name}`);
  }
});

function backgroundOf(frame) {
  return frame
    .locator('body')
    .evaluate((body) => getComputedStyle(body).getPropertyValue('--vscode-editor-background'));
}

test('nothing went wrong on the way', () => {
  assert.deepEqual(session.problems(), []);
});
