// The views of the side bar, as a user walks through them: nothing open, a trace open, a fact corrected, a policy replayed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { expectEventually } from '../harness/until.mjs';
import { cursorLine, openFile, pickTheme, runCommand } from '../harness/workbench.mjs';
import { panelReady } from './panel.mjs';
import { openSession } from './session.mjs';

let session;
let page;

before(
  async () => {
    session = await openSession();
    page = session.page;
    await page.setViewportSize({ width: 1400, height: 1500 });
  },
  { timeout: 180_000 },
);
after(() => session?.close());

const container = () => page.locator('#workbench\\.view\\.extension\\.swiotlbLens');
const pane = (title) =>
  container()
    .locator('.pane')
    .filter({ has: page.locator(`.pane-header[aria-label^="${title}"]`) });
const rows = (title) => pane(title).locator('.monaco-list-row');
const row = (title, text) => rows(title).filter({ hasText: text }).first();
const text = async (title) => (await rows(title).allInnerTexts()).map((each) => each.replace(/\s+/g, ' ')).join('\n');

test('without a trace the view says what to do, with buttons', { timeout: 60_000 }, async () => {
  await page.locator('.activitybar .action-label[aria-label^="SWIOTLB Lens"]').click();
  const welcome = container().locator('.welcome-view');
  await welcome.getByRole('button', { name: 'Open sample trace' }).waitFor();
  await welcome.getByRole('button', { name: 'Create capture script' }).first().waitFor();
  await session.shot('views-welcome');
});

test('with a trace in front it shows verdict, failures, devices and policies', { timeout: 60_000 }, async () => {
  await runCommand(page, 'View: Show Explorer');
  await page.locator('.explorer-folders-view').getByText('capture', { exact: true }).click();
  await openFile(page, 'trace.txt');
  await runCommand(page, 'View: Show SWIOTLB Lens');
  await row('Trace', '1 failure').waitFor();
  assert.match(await text('Trace'), /Completeness \d+ of 100/);
  await row('Failures', '0000:00:05.0').waitFor();
  assert.match(await text('Failures'), /Fragmented ?0000:00:05\.0 \(nvme\) · line [\d,]+/);
  await row('Devices', '0000:00:05.0').waitFor();
  assert.match(await text('Devices'), /nvme · [\d,]+ mappings · peak [\d,]+ slots · \d+ failed/);
  await row('Policies', 'Replay another policy').waitFor();
  await expectEventually(
    async () => /\d/.test(await page.locator('.activitybar .action-item.checked .badge').first().innerText()),
    'the badge with the number of failures',
  );
});

test('a failure leads to its line', { timeout: 60_000 }, async () => {
  const episode = row('Failures', '0000:00:05.0');
  const line = Number(/lines? ([\d,]+)/.exec(await episode.innerText())[1].replaceAll(',', ''));
  await episode.locator('.monaco-icon-label').click();
  await expectEventually(async () => (await cursorLine(page)) === line, `the cursor on line ${line}`);
});

test('the status bar tells the fill at the cursor and how exact the model is, and offers what to do', {
  timeout: 60_000,
}, async () => {
  const item = page.locator('.statusbar-item#swiotlb-lens\\.swiotlb-lens\\.swiotlbLens\\.status');
  await expectEventually(
    async () => /SWIOTLB \d+ % at line 35,092 · Exact [\d.]+ %/.test(await item.innerText()),
    'fill, line and fidelity in the status bar',
  );
  await item.click();
  const picker = page.locator('.quick-input-widget');
  await picker.getByText('Find the pool size').waitFor();
  await session.shot('views-status');
  await page.keyboard.press('Escape');
});

test('a fact can be corrected, everything follows, and it can be taken back', { timeout: 60_000 }, async () => {
  const cpus = row('Trace', 'CPUs');
  await cpus.scrollIntoViewIfNeeded();
  const before = await cpus.innerText();
  await cpus.hover();
  await cpus.getByRole('button', { name: 'Set value' }).click();
  const input = page.locator('.quick-input-widget input').first();
  await input.fill('many');
  await page.locator('.quick-input-widget').getByText('Expected a value like 8').waitFor();
  await input.fill('16');
  await page.keyboard.press('Enter');
  await row('Trace', '16 CPUs (given by you)').waitFor();
  await session.shot('views-light');
  await row('Trace', '16 CPUs').hover();
  await row('Trace', '16 CPUs').getByRole('button', { name: 'Take back' }).click();
  await expectEventually(async () => (await row('Trace', 'CPUs').innerText()) === before, 'the fact as it was');
});

test('a policy is replayed in place, and shown in the panel by a click', { timeout: 60_000 }, async () => {
  const policy = row('Policies', 'transient');
  await policy.scrollIntoViewIfNeeded();
  await policy.hover();
  await policy.getByRole('button', { name: 'Replay', exact: true }).click();
  const result = rows('Policies')
    .filter({ hasText: /\d+ failed · peak/ })
    .filter({ hasText: /ransient/ })
    .first();
  await result.waitFor();
  await result.locator('.monaco-icon-label').click();
  const frame = await panelReady(page);
  await frame.locator('#summary td[data-run="transient"]').first().waitFor();
});

test('it is readable in every theme', { timeout: 60_000 }, async () => {
  for (const [name, theme] of [
    ['dark', 'Dark Modern'],
    ['high-contrast', 'Dark High Contrast'],
    ['light-2', 'Light Modern'],
  ]) {
    await pickTheme(page, theme);
    await row('Trace', '1 failure').waitFor();
    await session.shot(`views-${name}`);
  }
});

test('nothing went wrong on the way', () => {
  assert.deepEqual(session.problems(), []);
});
