// Who uses the pool, as a user reads it: shares, lifetimes, sizes, and a device that never gives its slots back.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { root } from '../harness/package.mjs';
import { expectEventually } from '../harness/until.mjs';
import { cursorLine, focusOn, openFile, pickTheme, runCommand } from '../harness/workbench.mjs';
import { inkEventually, panelReady } from './panel.mjs';
import { openSession } from './session.mjs';

const timeout = 180_000;
let session;
let page;

before(
  async () => {
    session = await openSession();
    page = session.page;
    fs.writeFileSync(path.join(session.workspace, 'leak.txt'), leakTrace());
    await page.locator('.explorer-folders-view').getByText('capture', { exact: true }).click();
    await openFile(page, 'trace.txt');
  },
  { timeout },
);
after(() => session?.close());

/** A driver that unmaps every second buffer only; its name is markup. */
function leakTrace() {
  const name = '<img/src=x/onerror=window.pwned=1>';
  const lines = ['# tracer: nop', '#'];
  for (let index = 0; index < 200; index++) {
    const us = 1000 + index * 40;
    const at = (offset) => `    x-1       [000] .....     1.${String(us + offset).padStart(6, '0')}: `;
    const [original, bounce] = [0x100000000 + index * 4096, 0x7da00000 + index * 2048].map((place) =>
      place.toString(16),
    );
    lines.push(`${at(0)}swiotlb_bounced: dev_name: ${name} dma_mask=ffffffff dev_addr=${original} size=2048 FORCE`);
    lines.push(`${at(1)}dma_map_page: ${name} dir=TO_DEVICE dma_addr=${bounce} size=2048 phys_addr=${original} attrs=`);
    if (index % 2 === 1)
      lines.push(`${at(5)}dma_unmap_page: ${name} dir=TO_DEVICE dma_addr=${bounce} size=2048 attrs=`);
  }
  return `${lines.join('\n')}\n`;
}

async function section() {
  const frame = await panelReady(page);
  const element = frame.locator('#device-use');
  await element.evaluate((found) => found.scrollIntoView());
  return { frame, element };
}

test('the charts have ink and the table has the numbers of the command line', { timeout }, async () => {
  await runCommand(page, 'SWIOTLB Lens: Replay with dynamic pools');
  const { frame } = await section();
  for (const chart of ['#chart-device-shares', '#chart-lifetimes', '#chart-sizes']) {
    await inkEventually(frame.locator(chart));
  }
  const input = path.join(session.workspace, 'capture');
  const output = execFileSync(process.execPath, [path.join(root, 'dist/cli.js'), 'devices', input, '--json'], {
    encoding: 'utf8',
  });
  const devices = JSON.parse(output).devices.filter((device) => device.requests > 0);
  const rows = await frame
    .locator('#device-table tbody tr')
    .evaluateAll((found) => found.map((row) => [...row.children].map((cell) => cell.textContent)));
  assert.equal(rows.length, devices.length);
  rows.forEach((row, index) => {
    assert.ok(row[0].startsWith(devices[index].name));
    const numbers = [1, 2, 3, 9].map((column) => Number(row[column].replaceAll(',', '')));
    const { requests, failed, peakSlots, openAtEnd } = devices[index];
    assert.deepEqual(numbers, [requests, failed, peakSlots, openAtEnd]);
  });
  assert.match(await frame.locator('#device-findings').innerText(), /Rounding to slots of 2 KiB takes/);
});

test('arrow keys read the histograms bar by bar, and a device can be picked', { timeout }, async () => {
  const { frame } = await section();
  await focusOn(frame.locator('#chart-lifetimes'));
  const spoken = () => frame.locator('#chart-lifetimes').getAttribute('aria-valuetext');
  await page.keyboard.press('End');
  const last = await expectEventually(spoken, 'the last class');
  await page.keyboard.press('ArrowLeft');
  await expectEventually(async () => (await spoken()) !== last, 'the class before');
  assert.match(await spoken(), /to .*: [\d,]+ mappings?$/);
  const rows = frame.locator('details[data-table="sizes"] tbody tr');
  const all = await rows.allTextContents();
  await frame.locator('#device-filter').selectOption({ index: 1 });
  await expectEventually(async () => (await rows.allTextContents()).join() !== all.join(), 'the sizes of one device');
  await frame.locator('#device-filter').selectOption({ index: 0 });
});

test('the shares follow the cursor of the charts', { timeout }, async () => {
  const { frame } = await section();
  await focusOn(frame.locator('#chart-device-shares'));
  const text = () => frame.locator('#device-shares-text').innerText();
  const before = await text();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  await expectEventually(async () => (await text()) !== before, 'other shares');
});

test('it follows the theme', { timeout }, async () => {
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  await page.setViewportSize({ width: 1900, height: 1300 });
  for (const [name, theme] of [
    ['high-contrast', 'Dark High Contrast'],
    ['dark', 'Dark Modern'],
  ]) {
    const { frame } = await section();
    const corner = () =>
      frame.locator('#chart-sizes').evaluate((element) => {
        const middle = Math.round(element.width / 2);
        return [...element.getContext('2d').getImageData(0, 0, middle, element.height).data].join().length;
      });
    const earlier = await corner();
    await pickTheme(page, theme);
    await expectEventually(async () => (await corner()) !== earlier, `the ${name} theme`);
    await (await section()).element.evaluate((found) => found.scrollIntoView());
    await session.shot(`devices-${name}`);
  }
});

test('a leak leads to its oldest mapping, and a name that is markup stays text', { timeout }, async () => {
  await page.setViewportSize({ width: 1400, height: 900 });
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  await openFile(page, 'leak.txt');
  await runCommand(page, 'SWIOTLB Lens: Replay with a fixed pool');
  const frame = await expectEventually(async () => {
    for (const candidate of page.frames()) {
      const body = candidate.locator('#device-use');
      await body.evaluate((found) => found.scrollIntoView(), undefined, { timeout: 500 }).catch(() => undefined);
      const found = await candidate
        .locator('[data-leak-line]')
        .count()
        .catch(() => 0);
      if (found > 0) return candidate;
    }
    return undefined;
  }, 'the suspected leak');
  assert.match(
    await frame.locator('#device-findings').innerText(),
    /leak suspected.*<img\/src=x.*100 mappings of 200/s,
  );
  assert.equal(await frame.locator('#device-use img').count(), 0);
  assert.equal(await frame.evaluate(() => window.pwned), undefined);
  const button = frame.locator('[data-leak-line]').first();
  const line = Number(await button.getAttribute('data-leak-line'));
  await button.click();
  await expectEventually(async () => (await cursorLine(page)) === line, `the cursor on line ${line}`);
});

test('nothing went wrong on the way', () => {
  assert.deepEqual(session.problems(), []);
});
