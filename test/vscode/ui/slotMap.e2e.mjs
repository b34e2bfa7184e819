// Who has which slot, as a user finds it out: at the failing line, step by step, by mouse and by keyboard, side by side.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { expectEventually } from '../harness/until.mjs';
import { cursorLine, focusOn, goToLine, openFile, pickTheme, runCommand } from '../harness/workbench.mjs';
import { panelReady } from './panel.mjs';
import { openSession } from './session.mjs';

const timeout = 180_000;
let session;
let page;
let trace;
/** One-based line of the event that failed first. */
let failingLine;

before(
  async () => {
    session = await openSession();
    page = session.page;
    trace = fs.readFileSync(path.join(session.workspace, 'capture/trace.txt'), 'utf8').split('\n');
    failingLine = trace.findIndex((line) => line.includes('dma_addr=ffffffffffffffff')) + 1;
    await page.locator('.explorer-folders-view').getByText('capture', { exact: true }).click();
    await openFile(page, 'trace.txt');
  },
  { timeout },
);
after(() => session?.close());

/** The map's frame, once the moment on it belongs to that line. */
async function mapAt(line) {
  const frame = await panelReady(page);
  await frame.locator(`#map-event [data-map-line="${line}"]`).waitFor({ timeout: 30_000 });
  return frame;
}

const event = (frame) => frame.locator('#map-event').innerText();
const firstMap = (frame) => frame.locator('.map-canvas').first();

/** The colour of a pixel of a canvas at CSS coordinates. */
function pixelOf(canvas, x, y) {
  return canvas.evaluate(
    (element, [left, top]) => {
      const ratio = element.width / element.clientWidth;
      const { data } = element.getContext('2d').getImageData(Math.round(left * ratio), Math.round(top * ratio), 1, 1);
      return [...data].slice(0, 3).join();
    },
    [x, y],
  );
}

test('the command shows the moment of the failing line, with the request that failed', { timeout }, async () => {
  await goToLine(page, failingLine);
  await runCommand(page, 'SWIOTLB Lens: Show slot map at cursor');
  const frame = await mapAt(failingLine);
  const size = Number(/size=(\d+)/.exec(trace[failingLine - 1])[1]);
  assert.match(await event(frame), new RegExp(`Failed: .* needs ${Math.ceil(size / 2048)} slots, largest hole \\d+`));
  await session.shot('slot-map-light');
});

test('slots have the colours of the legend, and what failed is drawn in the colour of errors', {
  timeout,
}, async () => {
  const frame = await panelReady(page);
  const canvas = firstMap(frame);
  const colours = await expectEventually(async () => {
    const found = await canvas.evaluate((element) => {
      const { data } = element.getContext('2d').getImageData(0, 0, element.width, element.height);
      const counts = new Map();
      for (let at = 0; at < data.length; at += 4) {
        const colour = `${data[at]},${data[at + 1]},${data[at + 2]}`;
        counts.set(colour, (counts.get(colour) ?? 0) + 1);
      }
      return [...counts];
    });
    return found.length > 4 && new Map(found);
  }, 'a drawn map');
  const swatches = frame.locator('#map-legend .map-swatch');
  assert.ok((await swatches.count()) >= 3);
  for (let index = 0; index < (await swatches.count()); index++) {
    const swatch = await pixelOf(swatches.nth(index), 4, 1);
    assert.ok(colours.get(swatch) > 50, `${swatch} of the legend is on the map`);
  }
  const error = await frame.locator('body').evaluate((body) => {
    const probe = document.createElement('canvas').getContext('2d');
    probe.fillStyle = getComputedStyle(body).getPropertyValue('--lens-error').trim();
    probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3).join();
  });
  assert.ok(colours.get(error) > 50, 'the failed request');
});

test('keys step to the next failure, back, and through events', { timeout }, async () => {
  const frame = await panelReady(page);
  await focusOn(firstMap(frame));
  const steps = async () => Number(/step ([\d,]+) of/.exec(await event(frame))[1].replaceAll(',', ''));
  const start = await steps();
  await page.keyboard.press('.');
  await expectEventually(async () => (await steps()) === start + 1, 'the next event');
  await page.keyboard.press(',');
  await expectEventually(async () => (await steps()) === start, 'the event before');
  await page.keyboard.press('p');
  await expectEventually(
    async () => /Recorded: no failure before/.test(await frame.locator('#map-notice').innerText()),
    'the news that there is no earlier failure',
  );
  const failing = trace.flatMap((line, index) => (line.includes('dma_addr=ffffffffffffffff') ? [index + 1] : []));
  if (failing.length > 1) {
    await page.keyboard.press('n');
    await expectEventually(async () => start < (await steps()), 'the next failure');
    assert.match(await event(frame), /Failed/);
    await page.keyboard.press('p');
    await expectEventually(async () => (await steps()) === start, 'the failure before');
  }
});

test('the slider is on the time axis of the charts and moves their cursor', { timeout }, async () => {
  const frame = await panelReady(page);
  const slider = frame.locator('#slot-scrubber');
  await focusOn(slider);
  await page.keyboard.press('Home');
  await expectEventually(
    async () => /step 0 of|step \d+ of/.test(await event(frame)) && !/Failed/.test(await event(frame)),
    'the start of the trace',
  );
  const [box, chart] = [await slider.boundingBox(), await frame.locator('#chart-slots').boundingBox()];
  assert.ok(Math.abs(box.x - chart.x - 62) < 3 && Math.abs(box.width - (chart.width - 124)) < 8, 'the same axis');
  const before = await frame.locator('#readout').innerText();
  await page.keyboard.press('ArrowRight');
  await expectEventually(
    async () => (await frame.locator('#readout').innerText()) !== before,
    'the cursor of the charts',
  );
});

test('a card tells about the mapping under the pointer, and a click leads to its line', { timeout }, async () => {
  await page.locator('.tabs-container .tab').filter({ hasText: 'trace.txt' }).first().click();
  await goToLine(page, failingLine);
  await runCommand(page, 'SWIOTLB Lens: Show slot map at cursor');
  const frame = await mapAt(failingLine);
  const canvas = firstMap(frame);
  await canvas.scrollIntoViewIfNeeded();
  const place = await expectEventually(
    () =>
      canvas.evaluate((element) => {
        const { left, top, width, height } = element.getBoundingClientRect();
        for (let y = 40; y < height - 4; y += 6) {
          for (let x = 70; x < width - 4; x += 6) {
            element.dispatchEvent(
              new PointerEvent('pointermove', { clientX: left + x, clientY: top + y, bubbles: true }),
            );
            if (element.classList.contains('on-mark')) return { x, y };
          }
        }
        return null;
      }),
    'a mapping on the map',
  );
  await canvas.hover({ position: place });
  const card = frame.locator('.map-card').first();
  const text = await expectEventually(async () => {
    const found = await card.innerText();
    return /Line [\d,]+: click/.test(found) && found;
  }, 'the whole card');
  const bounce = /bounce 0x([0-9a-f]+)/.exec(text)[1];
  const line = Number(/Line ([\d,]+): click/.exec(text)[1].replaceAll(',', ''));
  assert.match(text, /slots? [\d,–]+/);
  assert.ok(trace[line - 1].includes(`=${bounce} `), `${bounce} is on line ${line}`);
  await session.shot('slot-map-card');
  const moment = await event(frame);
  const readout = () => frame.locator('#readout').innerText();
  const before = await readout();
  await canvas.click({ position: place });
  await expectEventually(async () => (await cursorLine(page)) === line, `the cursor on line ${line}`);
  await expectEventually(async () => (await readout()) !== before, 'charts at that line');
  assert.equal(await event(frame), moment, 'the moment stays while its mappings are looked at');
});

test('the map follows the cursor of the editor, line by line', { timeout }, async () => {
  const frame = await panelReady(page);
  await page.locator('.tabs-container .tab').filter({ hasText: 'trace.txt' }).first().click();
  const map = trace.findIndex((line, index) => index > 30_000 && /dma_map_page: .*dma_addr=[0-9a-e]/.test(line)) + 1;
  // Until then the editor's cursor may still be the answer to the click above.
  await expectEventually(async () => {
    await goToLine(page, map + 40);
    await goToLine(page, map);
    return (await frame.locator(`#map-event [data-map-line="${map}"]`).count()) === 1;
  }, `the map at line ${map}`);
  assert.match(await event(frame), /Mapped/);
  await goToLine(page, failingLine);
  await mapAt(failingLine);
  assert.match(await event(frame), /Failed/);
});

test('arrow keys select slots, and Enter leads to the line', { timeout }, async () => {
  const frame = await panelReady(page);
  await focusOn(firstMap(frame));
  const spoken = frame.locator('#slot-map [aria-live]');
  const seen = new Set();
  for (let press = 0; press < 6; press++) {
    const earlier = await spoken.innerText();
    await page.keyboard.press(press === 3 ? 'ArrowDown' : 'ArrowRight');
    await expectEventually(async () => (await spoken.innerText()) !== earlier || press === 0, 'another selection');
    seen.add(await spoken.innerText());
  }
  assert.ok(seen.size >= 5 && [...seen].every((text) => /slots? [\d,–]+/.test(text)), [...seen].join('\n'));
  while (/^Free/.test(await spoken.innerText())) {
    await page.keyboard.press('ArrowRight');
  }
  const before = await cursorLine(page);
  await page.keyboard.press('Enter');
  await expectEventually(async () => (await cursorLine(page)) !== before, 'the line of the selected mapping');
});

test('two policies stand side by side at one moment', { timeout }, async () => {
  await page.locator('.tabs-container .tab').filter({ hasText: 'trace.txt' }).first().click();
  await runCommand(page, 'SWIOTLB Lens: Replay with dynamic pools');
  const frame = await panelReady(page);
  // The command takes the focus to the panel: a palette that opens before would close.
  await frame.locator('select.map-run[data-side="1"] option[value="dynamic"]').waitFor({ state: 'attached' });
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  await frame.locator('select.map-run[data-side="0"]').selectOption('recorded');
  await frame.locator('select.map-run[data-side="1"]').selectOption('dynamic');
  await focusOn(firstMap(frame));
  await page.keyboard.press('n');
  await page.keyboard.press('p');
  const titles = frame.locator('#slot-map .map-title');
  await expectEventually(async () => {
    const texts = await titles.allInnerTexts();
    return /^Recorded: .*in use/.test(texts[0]) && /^Dynamic: .*in use/.test(texts[1]);
  }, 'two maps');
  const second = frame.locator('.map-canvas').nth(1);
  assert.ok((await second.boundingBox()).width > 200);
});

test('it follows the theme and fits every width', { timeout }, async () => {
  const frame = await panelReady(page);
  await page.setViewportSize({ width: 2000, height: 1300 });
  await frame.locator('#slot-map').scrollIntoViewIfNeeded();
  for (const [name, theme] of [
    ['dark', 'Dark Modern'],
    ['high-contrast', 'Dark High Contrast'],
    ['light', 'Light Modern'],
  ]) {
    const earlier = await pixelOf(firstMap(frame), 2, 2);
    await pickTheme(page, theme);
    await expectEventually(async () => (await pixelOf(firstMap(frame), 2, 2)) !== earlier, `the ${name} theme`);
    await frame.locator('#slot-map').evaluate((element) => element.scrollIntoView());
    await session.shot(`slot-map-${name}`);
  }
  for (const [name, width, height] of [
    ['wide', 3840, 1400],
    ['narrow', 700, 1400],
  ]) {
    await page.setViewportSize({ width, height });
    await expectEventually(async () => {
      const room = await frame.locator('body').evaluate((body) => [body.scrollWidth, window.innerWidth]);
      const box = await firstMap(frame).boundingBox();
      return room[0] <= room[1] + 1 && box !== null && box.width <= room[1];
    }, `the ${name} layout`);
    await frame.locator('#slot-map').evaluate((element) => element.scrollIntoView());
    await session.shot(`slot-map-${name}`);
  }
  await page.setViewportSize({ width: 1400, height: 900 });
});

test('a device whose name is markup is shown as text', { timeout }, async () => {
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  await openFile(page, 'hostile.txt');
  await runCommand(page, 'SWIOTLB Lens: Show slot map at cursor');
  const frame = await expectEventually(async () => {
    for (const candidate of page.frames()) {
      const found = await candidate
        .locator('#map-legend')
        .filter({ hasText: '<img/src=x' })
        .count()
        .catch(() => 0);
      if (found > 0) return candidate;
    }
    return undefined;
  }, 'the map of the hostile trace');
  assert.equal(await frame.locator('#slot-map img').count(), 0);
  assert.equal(await frame.evaluate(() => window.pwned), undefined);
});

test('nothing went wrong on the way', () => {
  assert.deepEqual(session.problems(), []);
});
