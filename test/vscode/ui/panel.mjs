// What the UI tests know about the replay panel; its ids are documented in src/webview/README.md.
import { expectEventually } from '../harness/until.mjs';
import { webviewFrame } from '../harness/workbench.mjs';

/** The panel's frame, once it has drawn. */
export async function panelReady(page) {
  const frame = await webviewFrame(page, '#verdict');
  const status = frame.locator('#status');
  await frame
    .locator('#status[data-state="ready"]')
    .waitFor({ state: 'attached' })
    .catch(async (error) => {
      throw new Error(`the panel is not ready, it says "${await status.innerText({ timeout: 1000 })}"`, {
        cause: error,
      });
    });
  return frame;
}

/**
 * Reloads the window and returns the panel's frame, restored.
 * A browser's VS Code now and then leaves a webview blank that is asked about while it is being restored, so it is left
 * alone for a while first, and gets a second chance.
 */
export async function panelAfterReload(page) {
  await page.reload();
  await page.waitForTimeout(6000);
  return panelReady(page).catch(async () => {
    await page.reload();
    await page.waitForTimeout(6000);
    return panelReady(page);
  });
}

/** Pixels of a canvas that are not transparent, and how many colours they have. */
export function inkOf(canvas) {
  return canvas.evaluate((element) => {
    const { data } = element.getContext('2d').getImageData(0, 0, element.width, element.height);
    const colours = new Set();
    let ink = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] === 0) continue;
      ink++;
      colours.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
    }
    return { ink, colours: colours.size, pixels: data.length / 4 };
  });
}

/** Waits until a canvas has been drawn. */
export function inkEventually(canvas) {
  return expectEventually(async () => {
    const found = await inkOf(canvas);
    return found.ink > found.pixels / 200 && found;
  }, 'ink on the chart');
}
