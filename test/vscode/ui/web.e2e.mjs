// A window without a machine behind the extension (vscode.dev, github.dev): everything in workers of the browser.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expectEventually } from '../harness/until.mjs';
import { focusOn, goToLine, hoverText, openFile, runCommand } from '../harness/workbench.mjs';
import { inkEventually, panelReady } from './panel.mjs';
import { openSession } from './session.mjs';
import { cursorAfter, editorWith } from './traceView.mjs';

const fixtures = fileURLToPath(new URL('../../fixtures', import.meta.url));

let session;
let page;
/** One-based line of the event that failed. */
let failingLine;

function prepare(workspace) {
  fs.copyFileSync(path.join(fixtures, 'vscode/trace.txt.gz'), path.join(workspace, 'trace-packed.txt.gz'));
  fs.copyFileSync(path.join(fixtures, 'bundle/capture.tar.xz'), path.join(workspace, 'run.tar.xz'));
  const trace = gunzipSync(fs.readFileSync(path.join(fixtures, 'vscode/trace.txt.gz')));
  for (let copy = 0; copy < 4; copy++) fs.appendFileSync(path.join(workspace, 'large.txt'), trace);
  const binary = gunzipSync(fs.readFileSync(path.join(fixtures, 'trace/trace-v7zlib.dat.gz')));
  fs.writeFileSync(path.join(workspace, 'trace.dat'), binary);
}

/** The proof that no part of the extension runs in Node: what would, is not there. */
function removeNodeBundles({ extensionsDir }) {
  const folders = fs.readdirSync(extensionsDir).filter((name) => name.startsWith('swiotlb-lens.'));
  assert.equal(folders.length, 1);
  for (const name of ['extension', 'server', 'lines', 'worker', 'cli']) {
    fs.rmSync(path.join(extensionsDir, folders[0], 'dist', `${name}.js`));
  }
}

before(
  async () => {
    session = await openSession({
      prepare,
      beforeWindow: removeNodeBundles,
      settings: { 'remote.extensionKind': { 'swiotlb-lens.swiotlb-lens': ['web'] } },
    });
    page = session.page;
    const trace = fs.readFileSync(path.join(session.workspace, 'capture/trace.txt'), 'utf8').split('\n');
    failingLine = trace.findIndex((line) => line.includes('dma_addr=ffffffffffffffff')) + 1;
    await page.locator('.activitybar').getByRole('tab', { name: 'SWIOTLB Lens' }).first().waitFor();
  },
  { timeout: 180_000 },
);
after(() => session?.close());

const editorOf = (text) => editorWith(page, text);

test('findings, with the log beside the trace, and a hover', { timeout: 180_000 }, async () => {
  await page.locator('.explorer-folders-view').getByText('capture', { exact: true }).click();
  await openFile(page, 'trace.txt');
  await goToLine(page, failingLine);
  await page.locator('.editor-group-container.active').locator('.squiggly-error, .squiggly-warning').first().waitFor();
  const text = await hoverText(page, 'dma_addr=ffffffffffffffff', '126976', 'Failed');
  assert.match(text, /Fragmented: needs 62 slots \(124 KiB\) in a row/);
  // The file beside the trace was read, too.
  assert.match(text, /dmesg\.txt\(247, 1\): The pool was set up here/);
  await session.shot('web-hover');
  await page.keyboard.press('Escape');
});

test('a replay draws its charts', { timeout: 180_000 }, async () => {
  await runCommand(page, 'SWIOTLB Lens: Replay with dynamic pools');
  const frame = await panelReady(page);
  assert.match(await frame.locator('#verdict').innerText(), /Dynamic pools/i);
  for (const chart of ['#chart-slots', '#chart-memory', '#overview']) await inkEventually(frame.locator(chart));
  await session.shot('web-panel');
  await runCommand(page, 'View: Close All Editors');
});

test('packed, binary and archived traces open in the custom editor', { timeout: 180_000 }, async () => {
  await openFile(page, 'trace-packed.txt.gz');
  const packed = await editorOf('# tracer: nop');
  await packed.locator('#next-failure').waitFor();
  await focusOn(packed.locator('#view'));
  await page.keyboard.press('n');
  await cursorAfter(packed, 1, 'a failure');
  await page.keyboard.press('h');
  await packed
    .locator('#card')
    .getByText(/^Failed · /)
    .waitFor();
  await session.shot('web-packed');
  await runCommand(page, 'View: Close All Editors');

  await openFile(page, 'trace.dat');
  await editorOf(/swiotlb_bounced|dma_map/);
  await session.shot('web-binary');
  await runCommand(page, 'View: Close All Editors');

  await page.locator('.explorer-folders-view').getByText('run.tar.xz', { exact: true }).click({ button: 'right' });
  const item = page.locator('.monaco-menu').getByText('Open with SWIOTLB Lens', { exact: true });
  await item.waitFor();
  // A menu takes no click right after it appeared.
  await expectEventually(async () => {
    await item.click({ timeout: 1000 }).catch(() => undefined);
    return !(await item.isVisible());
  }, 'the menu to take the click');
  const archive = await editorOf('dma_map_page');
  const members = await archive.locator('#member option').allInnerTexts();
  await archive.locator('#member').selectOption(members.find((name) => name.includes('dmesg')));
  await archive.locator('#view .row .text').filter({ hasText: 'software IO TLB' }).first().waitFor();
  await session.shot('web-archive');
  await runCommand(page, 'View: Close All Editors');
});

test('a bundled recording opens', { timeout: 180_000 }, async () => {
  await runCommand(page, 'SWIOTLB Lens: Open sample trace');
  await page.locator('.quick-input-list').getByText('A binary trace of trace-cmd').first().click();
  await editorOf(/swiotlb_bounced|dma_map/);
  await runCommand(page, 'View: Close All Editors');
});

// Where an analysis has fifty thousand requests, its replays run on more workers, which this one starts.
test('the pool size of a large trace is found', { timeout: 180_000 }, async () => {
  await openFile(page, 'large.txt');
  await page.locator('.statusbar-item').filter({ hasText: 'SWIOTLB trace' }).first().waitFor();
  await runCommand(page, 'SWIOTLB Lens: Find the pool size');
  const frame = await panelReady(page);
  await frame.locator('#size[data-state="done"]').waitFor({ state: 'attached', timeout: 100_000 });
  await session.shot('web-size');
});

test('nothing went wrong on the way', () => {
  assert.deepEqual(session.problems(), []);
});
