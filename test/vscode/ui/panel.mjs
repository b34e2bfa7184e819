// What the UI tests know about the replay panel; its ids are documented in src/webview/README.md.
import { expectEventually } from '../harness/until.mjs';
import { webviewFrame } from '../harness/workbench.mjs';

/** The panel's frame, once it has drawn. A frame that goes away meanwhile was of a panel that was closed. */
export async function panelReady(page) {
  let says = 'nothing';
  return expectEventually(
    async () => {
      const frame = await webviewFrame(page, '#verdict');
      const status = frame.locator('#status');
      if ((await status.getAttribute('data-state', { timeout: 5000 })) === 'ready') return frame;
      says = `"${await status.innerText({ timeout: 5000 })}"`;
      return undefined;
    },
    () => `the panel, which says ${says}`,
  );
}

/**
 * Reloads the window and returns the panel's frame, restored.
 * A browser's VS Code writes its layout every few seconds, and nothing when the page is left: a window that is reloaded
 * before shows what was open earlier. `remembered` is a piece of what the panel has to have written.
 */
export async function panelAfterReload(page, remembered = '"runs"') {
  await expectEventually(async () => {
    // It writes in idle moments only, and nobody but this test reads along.
    await page.waitForTimeout(1000);
    const written = await workbenchState(page);
    return (
      written.get('memento/workbench.parts.editor')?.includes('swiotlbLens.replay') &&
      written.get('swiotlb-lens.swiotlb-lens')?.includes(remembered)
    );
  }, `VS Code to write that the panel is open and remembers ${remembered}`);
  await page.reload();
  return panelReady(page);
}

/** What the workbench of the page has written so far, by key. */
export async function workbenchState(page) {
  return new Map(
    await page.evaluate(async () => {
      const done = (request) =>
        new Promise((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const entries = [];
      for (const { name } of await indexedDB.databases()) {
        if (!name.startsWith('vscode-web-state-db')) continue;
        const db = await done(indexedDB.open(name));
        const store = db.transaction('ItemTable').objectStore('ItemTable');
        const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
        entries.push(...keys.map((key, index) => [key, String(values[index])]));
        db.close();
      }
      return entries;
    }),
  );
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
