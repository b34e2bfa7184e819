// VS Code ends a line at a carriage return alone; what the extension says of a line has to stand on the line it shows.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { expectEventually } from '../harness/until.mjs';
import { goToLine, hoverText, openFile } from '../harness/workbench.mjs';
import { openSession } from './session.mjs';

const boot = '[    0.000000] Linux version 6.6.0';
const failure =
  '[   12.000000] nvme 0000:00:05.0: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used 32768 (slots)';
/** A serial console, a progress bar, and lines of an old Mac: every return is a line of its own here, and none in bytes. */
const lines = [boot, '', 'loading', '', ' 10%', ' 50%', '100%', failure, '[   13.000000] the end'];
const text = `${boot}\r\r\nloading\r\n\r 10%\r 50%\r100%\r${failure}\r[   13.000000] the end\r\n`;

let session;
before(
  async () => {
    session = await openSession({
      prepare: (folder) => fs.writeFileSync(path.join(folder, 'serial-dmesg.txt'), text),
    });
  },
  { timeout: 180_000 },
);
after(() => session?.close());

test('the card and the finding stand on the line of the message', { timeout: 60_000 }, async () => {
  const { page } = session;
  await openFile(page, 'serial-dmesg.txt');
  await goToLine(page, lines.indexOf(failure) + 1);
  const card = await hoverText(page, 'swiotlb buffer is full', 'buffer', 'Failed');
  assert.match(card, /Pool full/i);
  // The squiggle is drawn over the message and not over another line.
  const squiggle = page
    .locator('.editor-group-container.active .squiggly-error, .editor-group-container.active .squiggly-warning')
    .first();
  await squiggle.waitFor();
  const line = page
    .locator('.editor-group-container.active .view-line')
    .filter({ hasText: 'swiotlb buffer is full' })
    .first();
  // Lenses that come later move both, one after the other.
  await expectEventually(async () => {
    const [mark, shown] = [await squiggle.boundingBox(), await line.boundingBox()];
    return shown.y - 2 <= mark.y && mark.y + mark.height <= shown.y + shown.height + 2;
  }, 'the squiggle on the line of the message');
  await session.shot('line-ends');
  assert.deepEqual(session.problems(), []);
});
