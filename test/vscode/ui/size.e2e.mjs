// What to set, as a user finds it out: the size curve, the dry run, other parameters, another trace, a finding to paste.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { root } from '../harness/package.mjs';
import { expectEventually } from '../harness/until.mjs';
import { goToLine, openFile, pickTheme, runCommand } from '../harness/workbench.mjs';
import { inkEventually, panelAfterReload, panelReady } from './panel.mjs';
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
  },
  { timeout },
);
after(() => session?.close());

function byCommandLine(...args) {
  const input = path.join(session.workspace, 'capture');
  const [command, ...rest] = args;
  const output = execFileSync(process.execPath, [path.join(root, 'dist/cli.js'), command, input, ...rest, '--json'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(output);
}

async function showTrace() {
  await page.locator('.tabs-container .tab').filter({ hasText: 'trace.txt' }).first().click();
}

async function sizeFound() {
  const frame = await panelReady(page);
  await frame.locator('#size[data-state="done"]').waitFor({ state: 'attached', timeout: 60_000 });
  return frame;
}

/** The number of a run's cell in the comparison; rows that are zero for every policy are left out. */
async function metricOf(frame, run, metric) {
  const value = await frame
    .locator(`#summary td[data-run="${run}"][data-metric="${metric}"]`)
    .getAttribute('data-value', { timeout: 2_000 })
    .catch(() => '0');
  return Number(value);
}

test('the size curve and its recommendation are those of the command line', { timeout }, async () => {
  await runCommand(page, 'SWIOTLB Lens: Find the pool size');
  const frame = await sizeFound();
  const report = byCommandLine('size');
  assert.equal(await frame.locator('#size-parameter').innerText(), report.smallest[0].bootParameter);
  const shown = await frame
    .locator('#size-curve td[data-policy]')
    .evaluateAll((cells) =>
      cells.map(({ dataset }) => [dataset.policy, dataset.slots, dataset.areas, dataset.value].join(' ')),
    );
  const expected = report.curve.map((point) => [point.policy, point.slots, point.areas, point.failed].join(' '));
  assert.deepEqual(shown.sort(), expected.sort());
  await inkEventually(frame.locator('#chart-size'));
  assert.match(await frame.locator('#size-shrink').innerText(), /^Shrink: nothing of today's 2 MiB is spare/);
  await frame.locator('#how-to-apply summary').click();
  assert.match(await frame.locator('#how-to-apply').innerText(), /GRUB_CMDLINE_LINUX/);
});

test('the parameter is copied, and other CPUs change it', { timeout }, async () => {
  const frame = await sizeFound();
  const parameter = await frame.locator('#size-parameter').innerText();
  await frame.locator('#copy-parameter').click();
  await frame.locator('#copy-parameter', { hasText: 'Copied' }).waitFor();
  assert.match(parameter, /^swiotlb=\d+$/);
  await frame.locator('#size-cpus').fill('64');
  await frame.locator('#size-cpus').press('Enter');
  const meaning = await expectEventually(async () => {
    const text = await frame.locator('#size-meaning').innerText();
    return text.includes('64 CPUs') && text;
  }, 'the answer for 64 CPUs');
  assert.match(meaning, /64 areas/);
  await frame.locator('#size-cpus').fill('4');
  await frame.locator('#size-cpus').press('Enter');
  await frame.locator('#size-parameter', { hasText: new RegExp(`^${parameter}$`) }).waitFor();
});

test('the size curve follows the theme', { timeout }, async () => {
  await page.setViewportSize({ width: 1800, height: 1300 });
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  const frame = await sizeFound();
  for (const [name, theme] of [
    ['dark', 'Dark Modern'],
    ['high-contrast', 'Dark High Contrast'],
    ['light', 'Light Modern'],
  ]) {
    await pickTheme(page, theme);
    const isWanted = name === 'light' ? /vscode-light/ : name === 'dark' ? /vscode-dark/ : /vscode-high-contrast/;
    await expectEventually(
      async () => isWanted.test(await frame.locator('body').getAttribute('class')),
      `the ${name} theme`,
    );
    await inkEventually(frame.locator('#chart-size'));
    await frame.locator('#size').evaluate((section) => section.scrollIntoView());
    await session.shot(`size-${name}`);
  }
});

test('a parameter is changed in place and the numbers follow', { timeout }, async () => {
  await showTrace();
  await runCommand(page, 'SWIOTLB Lens: Replay with a fixed pool');
  const frame = await panelReady(page);
  await frame.locator('#params-title', { hasText: 'Fixed' }).click();
  const field = frame.locator('#params input[data-param="poolSlots"]');
  await field.fill('1024');
  await field.press('Enter');
  const run = 'fixed(poolSlots=1024)';
  await frame.locator(`#summary th[data-run="${run}"]`).waitFor();
  const report = byCommandLine('replay', '--policy', 'fixed', '--set', 'poolSlots=1024');
  assert.equal(await metricOf(frame, run, 'failed'), report.failed);
  assert.equal(await metricOf(frame, run, 'served'), report.served);
  await session.shot('params');

  const areas = frame.locator('#params input[data-param="areas"]');
  await areas.fill('0');
  await areas.press('Enter');
  await frame.locator('#run-errors .error').filter({ hasText: "'areas' must be in 1" }).waitFor();
  await frame.locator('#reset-params').dispatchEvent('click');
  await expectEventually(async () => (await frame.locator('#run-errors .error').count()) === 0, 'no error any more');
});

test('the status bar names the policy in front', { timeout }, async () => {
  await showTrace();
  await goToLine(page, failingLine);
  await page
    .locator('.statusbar-item')
    .filter({ hasText: /SWIOTLB .*%.* · Fixed 64 MiB/ })
    .waitFor();
  const frame = await panelReady(page);
  await frame.locator('button[data-policy="dynamic"]').dispatchEvent('click');
  await panelReady(page);
  await showTrace();
  await page
    .locator('.statusbar-item')
    .filter({ hasText: /SWIOTLB .*%.* · Dynamic/ })
    .waitFor();
});

test('the finding at the cursor is copied as Markdown', { timeout }, async () => {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await showTrace();
  await goToLine(page, failingLine);
  await runCommand(page, 'SWIOTLB Lens: Copy finding as Markdown');
  const text = await expectEventually(async () => {
    const found = await page.evaluate(() => navigator.clipboard.readText());
    return found.includes('SWIOTLB Lens') && found;
  }, 'a finding on the clipboard');
  assert.match(text, /^\*\*Fragmented: needs 62 slots/);
  assert.match(text, new RegExp(`trace\\.txt, line ${failingLine.toLocaleString('en-US')} · device`));
});

test('every policy is offered, in groups', { timeout }, async () => {
  await showTrace();
  await runCommand(page, 'SWIOTLB Lens: Replay with policy…');
  const picker = page.locator('.quick-input-widget');
  for (const group of ['In the kernel', 'Posted as patches', 'Proposed in discussions']) {
    await picker.locator('.quick-input-box input').fill('');
    await expectEventually(async () => {
      await page.keyboard.press('PageDown');
      return (await picker.getByText(group, { exact: true }).count()) > 0;
    }, group);
  }
  await picker.locator('.quick-input-box input').fill('cc-swiotlb');
  await picker.locator('.monaco-list-row').filter({ hasText: 'cc-swiotlb' }).first().click();
  const frame = await panelReady(page);
  await frame.locator('#summary th[data-run="cc-swiotlb"]').waitFor();
});

test('the dry run says what a confidential VM needs', { timeout }, async () => {
  await showTrace();
  await runCommand(page, 'SWIOTLB Lens: Dry run for a confidential VM');
  const frame = await sizeFound();
  await frame.locator('#dry-run-verdict', { hasText: 'at its peak' }).waitFor();
  const report = byCommandLine('size', '--bounce-all');
  const { bootParameter, bytesAfterRounding } = report.smallest[0];
  assert.equal(await frame.locator('#size-parameter').innerText(), bootParameter);
  const slots = bytesAfterRounding / 2048;
  const run = `fixed(bounceAll=true,poolSlots=${slots})`;
  const replay = byCommandLine('replay', '--policy', 'fixed', '--set', `poolSlots=${slots}`, '--bounce-all');
  assert.equal(await metricOf(frame, run, 'usedHighWaterSlots'), replay.usedHighWaterSlots);
  assert.equal(await metricOf(frame, run, 'failed'), replay.failed);
  await frame.locator('#size').evaluate((section) => section.scrollIntoView());
  await session.shot('dry-run');
  await frame.locator('#leave-dry-run').dispatchEvent('click');
  await expectEventually(
    async () => (await frame.locator('#summary th[data-run*="bounceAll"]').count()) === 0,
    'no dry run',
  );
});

test('two traces are compared under the policy in front', { timeout }, async () => {
  const frame = await panelReady(page);
  await frame.locator('button[data-policy="recorded"]').dispatchEvent('click');
  await showTrace();
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  await openFile(page, 'console-log-only.txt');
  await showTrace();
  await runCommand(page, 'SWIOTLB Lens: Compare with another trace…');
  await page
    .locator('.quick-input-widget .monaco-list-row')
    .filter({ hasText: 'console-log-only.txt' })
    .first()
    .click();
  const table = frame.locator('#other-table');
  await table.waitFor();
  const cells = await table
    .locator('tr[data-metric="failures"] td[data-side]')
    .evaluateAll((found) => found.map(({ dataset }) => Number(dataset.value)));
  assert.equal(cells[0], byCommandLine('diagnose').failures.length);
  assert.ok(cells[1] > 0);
  await frame.locator('#other').evaluate((section) => section.scrollIntoView());
  await session.shot('other');
});

test('the panel comes back with its trace after a reload of the window', { timeout }, async () => {
  await runCommand(page, 'SWIOTLB Lens: Replay with transient pools');
  await panelReady(page);
  // Which of its policies come back depends on when the workbench last wrote the panel's state: in a browser now and then.
  const frame = await panelAfterReload(page);
  assert.equal(await frame.locator('#trace-name').innerText(), 'capture / trace.txt');
  await inkEventually(frame.locator('#chart-slots'));
});

test('nothing went wrong on the way', () => {
  assert.deepEqual(session.problems(), []);
});
