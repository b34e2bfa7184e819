// What the UI tests know about the custom editor of traces.
import { expectEventually } from '../harness/until.mjs';

/** The frame of the custom editor in front, once it shows a line with this text. */
export function editorWith(page, text) {
  return expectEventually(async () => {
    for (const frame of page.frames()) {
      const row = frame.locator('#view .row .text').filter({ hasText: text }).first();
      if (await row.isVisible().catch(() => false)) return frame;
    }
    return undefined;
  }, `an editor with ${text}`);
}

/** One-based line of its cursor. */
export async function cursorOf(frame) {
  return Number(await frame.locator('#view .row.cursor').first().getAttribute('data-line'));
}

/** The line of the cursor, once it is another one: an answer of the server moves it. */
export function cursorAfter(frame, line, what) {
  return expectEventually(async () => {
    const now = await cursorOf(frame);
    return now !== line && now;
  }, what);
}

export function untilCursor(frame, line) {
  return expectEventually(async () => (await cursorOf(frame)) === line, `the cursor on line ${line}`);
}
