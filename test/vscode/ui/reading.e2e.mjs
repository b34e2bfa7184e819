// What a reader sees of a failing line: the finding and the card in one hover, without saying anything twice.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { goToLine, hoverText, openFile, pickTheme, runCommand } from '../harness/workbench.mjs';
import { openSession } from './session.mjs';

let session;
let page;

before(
  async () => {
    session = await openSession();
    page = session.page;
    await page.setViewportSize({ width: 1500, height: 900 });
  },
  { timeout: 180_000 },
);
after(() => session?.close());

const times = (text, pattern) => [...text.matchAll(pattern)].length;

test('the hover on a kernel message says the verdict once and what helps once', { timeout: 60_000 }, async () => {
  await openFile(page, 'console-log-only.txt');
  const lines = fs.readFileSync(path.join(session.workspace, 'console-log-only.txt'), 'utf8').split('\n');
  const at = lines.findIndex((line) => line.includes('swiotlb buffer is full')) + 1;
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  await goToLine(page, at);
  const text = await hoverText(page, 'swiotlb buffer is full', 'buffer', 'Failed');
  assert.equal(times(text, /needs 52 slots/g), 1, text);
  assert.equal(times(text, /queue\/max_sectors_kb/g), 1, text);
  assert.match(text, /Failed · Fragmented · 52 slots · 104 KiB/);
  await session.shot('reading-log-hover');
  await page.mouse.move(5, 5);
  // A further line of the flood leads to its first one.
  const next = lines.findIndex((line, index) => index > at && line.includes('swiotlb buffer is full')) + 1;
  await goToLine(page, next);
  const used = /used \d+/.exec(lines[next - 1])[0];
  const further = await hoverText(page, used, 'buffer', 'One of');
  assert.match(further, new RegExp(`One of \\d+ like this, from line ${at} to line [\\d,]+`));
});

test('the hover on a failed mapping keeps what its finding does not say in sight', { timeout: 60_000 }, async () => {
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  await page.locator('.explorer-folders-view').getByText('capture', { exact: true }).click();
  await openFile(page, 'trace.txt');
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  const lines = fs.readFileSync(path.join(session.workspace, 'capture/trace.txt'), 'utf8').split('\n');
  await goToLine(page, lines.findIndex((line) => line.includes('dma_addr=ffffffffffffffff')) + 1);
  const text = await hoverText(page, 'dma_addr=ffffffffffffffff', 'dma_map_page', 'Failed');
  assert.equal(times(text, /needs 62 slots/g), 1, text);
  assert.equal(times(text, /The kernel message of this failure/g), 1, text);
  assert.match(text, /Retry at line 35,094 succeeded/);
  await session.shot('reading-trace-hover-light');
  for (const [theme, name] of [
    ['Dark Modern', 'dark'],
    ['Dark High Contrast', 'contrast'],
  ]) {
    await page.mouse.move(5, 5);
    await pickTheme(page, theme);
    await hoverText(page, 'dma_addr=ffffffffffffffff', 'dma_map_page', 'Failed');
    await session.shot(`reading-trace-hover-${name}`);
  }
  assert.deepEqual(session.problems(), []);
});
