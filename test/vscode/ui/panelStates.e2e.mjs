// The panel where something is missing, broken or taken up again: a log alone, a trace that cannot be read yet, a window
// that is reloaded.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { expectEventually } from '../harness/until.mjs';
import { closeEditors, goToLine, openFile, pickTheme, pressOn, runCommand } from '../harness/workbench.mjs';
import { panelReady, workbenchState } from './panel.mjs';
import { openSession } from './session.mjs';

const timeout = 180_000;
let session;
let page;

before(
  async () => {
    session = await openSession();
    page = session.page;
  },
  { timeout },
);
after(() => session?.close());

const inView = (element) =>
  element.evaluate((found) => {
    const { top } = found.getBoundingClientRect();
    return -1 <= top && top < window.innerHeight;
  });

test('a log alone answers every command with what it proves, and never with an error', { timeout }, async () => {
  await openFile(page, 'console-log-only.txt');
  await runCommand(page, 'SWIOTLB Lens: Replay with dynamic pools');
  const frame = await panelReady(page);
  for (const [command, place] of [
    ['Find the pool size', '#guidance'],
    ['Dry run for a confidential VM', '#guidance'],
    ['Show slot map at cursor', '#guidance'],
    ['Verify against the recorded addresses', '#ledger'],
  ]) {
    await frame.evaluate(() => window.scrollTo(0, 0));
    await runCommand(page, `SWIOTLB Lens: ${command}`);
    await expectEventually(() => inView(frame.locator(place)), `${place} in view after ${command}`);
    assert.equal(await frame.locator('#status').getAttribute('data-state'), 'ready', command);
  }
  await page.locator('.tabs-container .tab').filter({ hasText: 'console-log-only.txt' }).first().click();
  await goToLine(page, 2);
  // Tall enough for every theme to be in the list.
  await page.setViewportSize({ width: 1100, height: 1500 });
  for (const theme of ['Dark High Contrast', 'Light Modern']) {
    const before = await themeOf(frame);
    await pickTheme(page, theme);
    await expectEventually(async () => (await themeOf(frame)) !== before, theme);
  }
  await page.setViewportSize({ width: 1400, height: 900 });
  assert.equal(await frame.locator('#status').innerText(), '');
  assert.equal(await frame.locator('#status').getAttribute('data-state'), 'ready');
  await session.shot('panel-log-only');
  await closeEditors(page);
});

test('the class of a device is set in the panel, and the replay follows', { timeout }, async () => {
  fs.writeFileSync(path.join(session.workspace, 'large.txt'), largeRequests());
  await openFile(page, 'large.txt');
  await runCommand(page, 'SWIOTLB Lens: Dry run for a confidential VM');
  const frame = await panelReady(page);
  const failed = frame.locator('#summary td[data-run^="dynamic"][data-metric="failed"]');
  await expectEventually(async () => (await failed.getAttribute('data-value')) === '2', 'failures');
  const block = frame.locator('details[data-group="classes"]');
  await pressOn(block.locator('summary'), 'Enter');
  const field = frame.getByLabel('0000:00:09.0', { exact: true });
  assert.equal(await field.inputValue(), 'unknown');
  // The first of the choices, by keyboard alone.
  await pressOn(field, 'Home');
  await expectEventually(async () => (await field.inputValue()) === 'block', 'a block device');
  // A row of what is zero in every run is left out: before, there was none.
  const served = frame.locator('#summary td[data-run^="dynamic"][data-metric="served"]');
  await expectEventually(
    async () => 0 < (await served.count()) && 0 < Number(await served.getAttribute('data-value')),
    'requests that the block layer splits',
  );
  await expectEventually(() => field.evaluate((found) => found === document.activeElement), 'the focus where it was');
  assert.match(await block.innerText(), /Classes of the devices \(1 set by you\)/);
  await block.evaluate((element) => element.scrollIntoView());
  await session.shot('device-classes');
});

function themeOf(frame) {
  return frame.locator('body').getAttribute('data-vscode-theme-id');
}

/** Two mappings above 256 KiB of a device whose driver no line names: only the block layer would split them. */
function largeRequests() {
  const lines = ['# tracer: nop', '#'];
  for (let index = 0; index < 2; index++) {
    const at = (us) => `    x-1       [000] .....     1.00${index}${String(us).padStart(3, '0')}: `;
    const address = (0x100000000 + index * 0x100000).toString(16);
    lines.push(
      `${at(1)}dma_map_page: 0000:00:09.0 dir=TO_DEVICE dma_addr=${address} size=524288 phys_addr=${address} attrs=`,
      `${at(9)}dma_unmap_page: 0000:00:09.0 dir=TO_DEVICE dma_addr=${address} size=524288 attrs=`,
    );
  }
  return `${lines.join('\n')}\n`;
}

test('the class and the slot map are remembered for a reload of the window', { timeout }, async () => {
  await frameOf('large.txt');
  const frame = await panelReady(page);
  await frame.locator('#slot-map').evaluate((element) => element.scrollIntoView());
  const moment = () => panelReady(page).then((found) => found.locator('#map-event .map-at').innerText());
  await frame.locator('#map-colour').selectOption('direction');
  await pressOn(frame.locator('#slot-scrubber'), 'End');
  const last = await expectEventually(async () => {
    const now = await moment();
    return /1\.00[12]/.test(now) && now;
  }, 'the last moment');
  // That a reload takes it up is tested with the exports: here VS Code would have to write its layout anew, and may put that off.
  await expectEventually(async () => {
    const kept = JSON.parse((await workbenchState(page)).get('swiotlb-lens.swiotlb-lens') ?? '{}');
    const panel = Object.entries(kept).find(([key]) => key.endsWith('large.txt'))?.[1];
    return (
      panel?.slotMap?.colouring === 'direction' &&
      panel.slotMap.atNs !== null &&
      panel.assumptions.deviceClass === '0000:00:09.0=block'
    );
  }, `the extension to remember the map at ${last}`);
});

/** The panel of a document in front. */
async function frameOf(name) {
  await page
    .locator('.tabs-container .tab')
    .filter({ hasText: `Replay: ${name}` })
    .first()
    .click();
}

test('every chart has a name, a table and keys', { timeout }, async () => {
  await closeEditors(page);
  await page.locator('.explorer-folders-view').getByText('capture', { exact: true }).click();
  await openFile(page, 'trace.txt');
  await runCommand(page, 'SWIOTLB Lens: Replay with dynamic pools');
  const frame = await panelReady(page);
  await frame.locator('#size-go').click();
  await frame.locator('#size[data-state="done"]').waitFor({ timeout: 60_000 });
  for (const id of ['slot-map', 'device-use', 'size']) {
    await frame.locator(`#${id}`).evaluate((section) => section.scrollIntoView());
    await frame.locator(`#${id} canvas`).first().waitFor();
  }
  await frame.locator('#map-event .map-at').waitFor();
  await frame.locator('#device-table').waitFor();

  const charts = frame.locator('canvas[role]:visible');
  const found = await charts.evaluateAll((all) =>
    all.map((canvas) => [canvas.id || canvas.className || 'small', canvas.getAttribute('role')]),
  );
  assert.ok(found.length >= 12, JSON.stringify(found));
  for (const [index, [id, role]] of found.entries()) {
    const chart = charts.nth(index);
    assert.ok((await chart.getAttribute('aria-label')).length > 10, `${id} has a name`);
    if (role === 'img') continue;
    // The strip below the slots shows the whole trace: there is nowhere to move before it shows a part.
    await pressOn(chart, ...(id === 'overview' ? ['+'] : []), 'Home');
    const said = () =>
      role === 'slider' ? chart.getAttribute('aria-valuetext') : frame.locator('#slot-map [aria-live]').innerText();
    const before = await said();
    await pressOn(chart, 'ArrowRight');
    await expectEventually(async () => {
      const now = await said();
      return now !== before && now.length > 5;
    }, `what ${id} says after a key, other than "${before}"`);
  }

  for (const name of ['slots', 'pools', 'transient', 'memory', 'device-shares', 'lifetimes', 'sizes', 'slot-map']) {
    const summary = frame.locator(`details[data-table="${name}"] > summary`);
    // A chart that has nothing to draw is not there.
    if (!(await summary.isVisible())) continue;
    await pressOn(summary, 'Enter');
    await expectEventually(
      async () => (await frame.locator(`details[data-table="${name}"] tbody tr`).count()) > 0,
      `rows in the table of ${name}`,
    );
  }
  assert.ok((await frame.locator('table#size-curve tbody tr').count()) > 3);
});

test('nothing went wrong on the way', () => {
  assert.deepEqual(session.problems(), []);
});
