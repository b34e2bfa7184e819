// The custom editor: binary, packed and very large traces, read, searched, filtered, copied and replayed like text.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expectEventually } from '../harness/until.mjs';
import { closeEditors, focusOn, openFile, pickTheme, runCommand } from '../harness/workbench.mjs';
import { panelReady } from './panel.mjs';
import { openSession } from './session.mjs';
import { cursorAfter, editorWith, untilCursor } from './traceView.mjs';

const fixtures = fileURLToPath(new URL('../../fixtures', import.meta.url));
const packedTrace = path.join(fixtures, 'vscode/trace.txt.gz');
const limitBytes = 50 * 1024 * 1024;

const boot = '[    1.100000] software IO TLB: mapped [mem 0x0000000076000000-0x000000007a000000] (64MB)\n';
const full = (seconds) =>
  `[${seconds.toFixed(6).padStart(12)}] nvme 0000:05:00.0: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used 32768 (slots)\n`;

let session;
let page;
/** Lines of the packed trace; element 0 is line 1. */
let lines;
/** So often it is in the big one. */
let copies;

function prepare(workspace) {
  fs.copyFileSync(packedTrace, path.join(workspace, 'trace-packed.txt.gz'));
  const binary = gunzipSync(fs.readFileSync(path.join(fixtures, 'trace/trace-v7zlib.dat.gz')));
  fs.writeFileSync(path.join(workspace, 'trace.dat'), binary);
  fs.copyFileSync(path.join(fixtures, 'bundle/capture.tar.xz'), path.join(workspace, 'run.tar.xz'));
  fs.writeFileSync(path.join(workspace, 'growing.log'), boot);
  fs.writeFileSync(path.join(workspace, 'slow.log'), `${boot}${'a'.repeat(60)}b\n${boot.repeat(2000)}`);
  const text = gunzipSync(fs.readFileSync(packedTrace));
  lines = text.toString().split('\n').slice(0, -1);
  const big = fs.openSync(path.join(workspace, 'big-trace.txt'), 'w');
  copies = Math.ceil((limitBytes + 1) / text.length);
  for (let copy = 0; copy < copies; copy++) fs.writeSync(big, text);
  fs.closeSync(big);
}

before(
  async () => {
    session = await openSession({ prepare });
    page = session.page;
    // A window that never saw the extension opens files without it until it is registered, part by part.
    await page.locator('.activitybar').getByRole('tab', { name: 'SWIOTLB Lens' }).first().waitFor();
    const refusal = page.locator('.monaco-editor-pane-placeholder');
    await expectEventually(async () => {
      await openFile(page, 'trace-packed.txt.gz');
      await refusal.or(page.locator('iframe.webview')).first().waitFor();
      if (!(await refusal.isVisible())) return true;
      await closeEditors(page);
      return false;
    }, 'the custom editor for packed traces');
  },
  { timeout: 180_000 },
);
after(() => session?.close());

const editorOf = (text) => editorWith(page, text);

const numbersOf = (pattern) => lines.flatMap((text, index) => (pattern.test(text) ? [index + 1] : []));
const rowCount = async (frame) => Number(await frame.locator('#view').getAttribute('aria-rowcount'));
const untilRows = (frame, count) => expectEventually(async () => (await rowCount(frame)) === count, `${count} rows`);

async function goTo(frame, line) {
  await focusOn(frame.locator('#view'));
  await page.keyboard.press('Control+g');
  await frame.locator('#go-to-line').fill(String(line));
  await page.keyboard.press('Enter');
  await untilCursor(frame, line);
}

const untilFacts = (frame, text) =>
  expectEventually(async () => (await frame.locator('#facts').innerText()).includes(text), text);

test('a packed trace opens with its lines, colours and findings', { timeout: 180_000 }, async () => {
  await openFile(page, 'trace-packed.txt.gz');
  const frame = await editorOf('# tracer: nop');
  await untilRows(frame, lines.length);
  await frame.locator('#next-failure').waitFor();
  await frame.locator('.t-event').first().waitFor();
  assert.ok((await frame.locator('#view .row').count()) < 200, 'rows in the page');
  await session.shot('editor-light');
});

test('n and p go through the failures; the card says why, its link leads to the retry', {
  timeout: 180_000,
}, async () => {
  const frame = await editorOf('# tracer: nop');
  await focusOn(frame.locator('#view'));
  await page.keyboard.press('n');
  const first = await cursorAfter(frame, 1, 'a failure');
  await page.keyboard.press('n');
  const second = await cursorAfter(frame, first, 'the next');
  assert.ok(second > first);
  await page.keyboard.press('p');
  await untilCursor(frame, first);
  assert.match(lines[first - 1], /ffffffffffffffff|swiotlb buffer is full|swiotlb_bounced/);
  await page.keyboard.press('h');
  await frame
    .locator('#card')
    .getByText(/^Failed · /)
    .waitFor();
  await session.shot('editor-card');
  await page.keyboard.press('Escape');

  const text = frame.locator(`#line-${first} .text .t-event`).first();
  await text.hover();
  await frame
    .locator('#card')
    .getByText(/^Failed · /)
    .waitFor();
  await page.keyboard.press('Escape');
});

test('Enter leads from a map to its unmap and back', { timeout: 180_000 }, async () => {
  const frame = await editorOf('swiotlb_bounced');
  const map = lines.findIndex((line) => / dma_map_page: .* size=86 /.test(line)) + 1;
  await goTo(frame, map);
  await page.keyboard.press('Enter');
  const unmap = await cursorAfter(frame, map, 'the unmap');
  const address = /dma_addr=(\w+)/.exec(lines[map - 1])[1];
  assert.match(lines[unmap - 1], new RegExp(`dma_unmap_page: .* dma_addr=${address} `));
});

test('the whole file is searched with an expression, and the matches are walked', { timeout: 180_000 }, async () => {
  const frame = await editorOf('dma_unmap_page');
  await goTo(frame, 1);
  await page.keyboard.press('Control+f');
  await frame.locator('#find button[aria-label="Regular expression"]').click();
  await frame.locator('#find-text').fill('size=(86|54)\\b');
  const expected = numbersOf(/size=(86|54)\b/);
  await frame.locator('#find-count').getByText(`1 of ${expected.length}`, { exact: true }).waitFor();
  await untilCursor(frame, expected[0]);
  await frame.locator('.match').first().waitFor();
  await frame.locator('#find-text').press('Enter');
  await untilCursor(frame, expected[1]);
  await frame.locator('#find-text').fill('(');
  await frame
    .locator('#find-count')
    .getByText(/Invalid regular expression/)
    .waitFor();
  await page.keyboard.press('Escape');
});

test('a filter leaves only its lines, says so, and what is selected is copied', { timeout: 180_000 }, async () => {
  const frame = await editorOf('dma_');
  await focusOn(frame.locator('#view'));
  await page.keyboard.press('f');
  await frame.locator('#filter-device').selectOption('0000:00:05.0');
  await frame.locator('#filter-event').selectOption('dma_map_page');
  const expected = numbersOf(/: dma_map_page: 0000:00:05\.0 /);
  await untilRows(frame, expected.length);
  await frame.locator('#chips').getByText('Device: 0000:00:05.0').waitFor();
  await session.shot('editor-filter');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Home');
  await untilCursor(frame, expected[0]);
  await page.keyboard.press('Shift+End');
  await page.keyboard.press('Control+c');
  await frame.locator('.flash').getByText(`Copied ${expected.length} lines`).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, expected.map((line) => lines[line - 1]).join('\n'));
  await page.keyboard.press('o');
  await untilRows(frame, lines.length);
  await frame.getByRole('button', { name: 'Clear' }).click();
  await frame.locator('#chips').waitFor({ state: 'hidden' });
});

test('a replay starts from it, and a failure in the panel leads back to its line', { timeout: 180_000 }, async () => {
  const frame = await editorOf('dma_');
  await focusOn(frame.locator('#view'));
  await runCommand(page, 'SWIOTLB Lens: Replay with dynamic pools');
  const panel = await panelReady(page);
  const button = panel.locator('#why button[data-failure-line]').first();
  const line = Number(await button.getAttribute('data-failure-line'));
  await button.click();
  await untilCursor(frame, line);
  await session.shot('editor-and-panel');
  await closeEditors(page);
});

test('the menu of a line copies its finding', { timeout: 180_000 }, async () => {
  await openFile(page, 'trace-packed.txt.gz');
  const frame = await editorOf('# tracer: nop');
  await frame.locator('#next-failure').waitFor();
  await focusOn(frame.locator('#view'));
  await page.keyboard.press('n');
  const line = await cursorAfter(frame, 1, 'a failure');
  await frame.locator(`#line-${line} .text`).click({ button: 'right' });
  await clickMenu('Copy finding as Markdown');
  await expectEventually(
    async () => /trace-packed\.txt\.gz, line /.test(await page.evaluate(() => navigator.clipboard.readText())),
    'the finding on the clipboard',
  );
  await closeEditors(page);
});

test('it is legible in dark and high contrast', { timeout: 180_000 }, async () => {
  await openFile(page, 'trace-packed.txt.gz');
  await editorOf('# tracer: nop');
  for (const theme of ['Dark Modern', 'Dark High Contrast', 'Light High Contrast']) {
    await pickTheme(page, theme);
    const frame = await editorOf('dma_');
    await focusOn(frame.locator('#view'));
    await page.keyboard.press('n');
    await frame.locator('#view .row.cursor').first().waitFor();
    await session.shot(`editor-${theme.toLowerCase().replaceAll(' ', '-')}`);
  }
  await pickTheme(page, 'Light Modern');
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  for (const width of [400, 2560]) {
    await page.setViewportSize({ width, height: 900 });
    const frame = await editorOf('dma_');
    await frame.locator('#view .row.cursor .text').first().waitFor();
    assert.ok(await frame.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
    await session.shot(`editor-${width}`);
  }
  await page.setViewportSize({ width: 1400, height: 900 });
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  await closeEditors(page);
});

test('a binary trace opens as lines', { timeout: 180_000 }, async () => {
  await openFile(page, 'trace.dat');
  const frame = await editorOf('swiotlb_bounced');
  assert.ok((await rowCount(frame)) > 50);
  await session.shot('editor-dat');
  await closeEditors(page);
});

/** The explorer's menu of a file. */
async function openWith(name) {
  await page.locator('.explorer-folders-view').getByText(name, { exact: true }).click({ button: 'right' });
  await clickMenu('Open with SWIOTLB Lens');
}

async function clickMenu(label) {
  const item = page.locator('.monaco-menu').getByText(label, { exact: true });
  await item.waitFor();
  // A menu takes no click right after it appeared.
  await expectEventually(async () => {
    await item.click({ timeout: 1000 }).catch(() => undefined);
    return !(await item.isVisible());
  }, 'the menu to take the click');
}

test('the explorer opens any file in it; an archive shows its files by choice', { timeout: 180_000 }, async () => {
  await openWith('run.tar.xz');
  const frame = await editorOf('dma_map_page');
  const members = await frame.locator('#member option').allInnerTexts();
  assert.ok(
    members.some((name) => name.includes('dmesg')),
    members.join(),
  );
  await frame.locator('#member').selectOption(members.find((name) => name.includes('dmesg')));
  await frame.locator('#view .row .text').filter({ hasText: 'software IO TLB' }).first().waitFor();
  await session.shot('editor-archive');
  await closeEditors(page);
});

test('an expression that never ends is given up, and the lines are still there', { timeout: 180_000 }, async () => {
  await openWith('slow.log');
  const frame = await editorOf('software IO TLB');
  await focusOn(frame.locator('#view'));
  await page.keyboard.press('Control+f');
  await frame.locator('#find button[aria-label="Regular expression"]').click();
  await frame.locator('#find-text').fill('^(a+)+$');
  await frame.locator('#find-count').getByText('This expression takes too long.').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('End');
  await frame.locator('#line-2002 .text').getByText('software IO TLB').waitFor();
  await closeEditors(page);
});

test('nothing of a file becomes markup', { timeout: 180_000 }, async () => {
  await openWith('hostile.txt');
  const frame = await editorOf('<img/src=x/onerror=window.pwned=1>');
  await frame.locator('#next-failure').waitFor();
  await focusOn(frame.locator('#view'));
  await page.keyboard.press('n');
  await page.keyboard.press('h');
  await frame.locator('#card').waitFor();
  assert.equal(await frame.locator('img').count(), 0);
  assert.equal(await frame.evaluate(() => window.pwned), undefined);
  await page.keyboard.press('Escape');
  await closeEditors(page);
});

test('a growing file is followed, and its failures appear', { timeout: 180_000 }, async () => {
  const file = path.join(session.workspace, 'growing.log');
  await openWith('growing.log');
  const frame = await editorOf('software IO TLB');
  await untilFacts(frame, '1 line · no failure');
  await frame.locator('#follow').click();
  for (let step = 1; step <= 3; step++) {
    fs.appendFileSync(
      file,
      `[${(step * 10).toFixed(6).padStart(12)}] usb 1-1: new device\n`.repeat(40) + full(step * 10 + 5),
    );
    await untilRows(frame, 1 + step * 41);
    await untilCursor(frame, 1 + step * 41);
    await frame.locator('#next-failure').getByText(`${step} failure`).waitFor();
  }
  await session.shot('editor-live');
  fs.writeFileSync(file, boot);
  await untilRows(frame, 1);
  await untilFacts(frame, '1 line · no failure');
  await closeEditors(page);
});

test('text above 50 MB is taken over, and goes back to text when asked to', { timeout: 180_000 }, async () => {
  await page.locator('.explorer-folders-view').getByText('big-trace.txt', { exact: true }).dblclick();
  const frame = await editorOf('# tracer: nop');
  await untilRows(frame, lines.length * copies);
  assert.equal(await page.locator('.tabs-container .tab').count(), 1);
  await focusOn(frame.locator('#view'));
  await page.keyboard.press('End');
  await frame.locator('#view .row.cursor .t-event').first().waitFor();
  await session.shot('editor-big');
  await frame.locator('#as-text').click();
  await page.locator('.editor-group-container.active .monaco-editor .view-line').first().waitFor();
  await frame
    .locator('#view')
    .waitFor({ state: 'detached' })
    .catch(() => undefined);
  assert.equal(await page.locator('.tabs-container .tab').count(), 1);
  await runCommand(page, 'SWIOTLB Lens: Open with SWIOTLB Lens');
  await editorOf('# tracer: nop');
  await closeEditors(page);
});
