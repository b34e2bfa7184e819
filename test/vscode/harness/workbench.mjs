// What the UI tests do to the workbench. Only roles, ids and class names VS Code has kept for years.
import { expectEventually } from './until.mjs';

const activeEditor = '.editor-group-container.active .monaco-editor';
const pickerInput = '.quick-input-widget .quick-input-box input';
/** Address of a webview's own document. */
const webviewDocument = /\/fake\.html\?/;

/** Opens a window and waits until the explorer is filled, that is: until the remote connection works. */
export async function openWindow(page, url, aFile) {
  await page.goto(url);
  await page.locator('.explorer-folders-view').getByText(aFile, { exact: true }).first().waitFor({ timeout: 60_000 });
}

/** Runs a command through the command palette. `title` is what the palette shows, e.g. "View: Toggle Terminal". */
export async function runCommand(page, title) {
  // Clicked by its whole name: the first row may be a longer one.
  const wholeName = new RegExp(`^${title.replace(/[^\w ]/g, '\\$&')}$`);
  const row = page
    .locator('.quick-input-widget .quick-input-list .monaco-highlighted-label')
    .filter({ hasText: wholeName })
    .first();
  const input = page.locator(pickerInput);
  await inPalette(page, 'F1', `>${title}`, async () => {
    await row.click({ timeout: 5000 });
    // Gone, or showing what the command asks for.
    await expectEventually(
      async () => !(await input.isVisible()) || !(await input.inputValue()).startsWith('>'),
      'the palette to take the click',
      5000,
    );
  });
}

/** Something that takes the focus closes the palette while it is being used: it is opened again. */
async function inPalette(page, key, text, choose) {
  const input = page.locator(pickerInput);
  await expectEventually(async () => {
    await page.keyboard.press(key);
    try {
      await input.fill(text, { timeout: 3000 });
      await choose();
      return true;
    } catch (error) {
      await page.keyboard.press('Escape');
      throw error;
    }
  }, `the palette to take "${text}"`);
}

/**
 * Gives an element of the workbench or of a webview the keyboard. The frame an element is in gets the focus some time
 * after the element has it there, and a list that closes gives it to the editor: keys pressed before that go elsewhere.
 */
export async function focusOn(locator) {
  await expectEventually(async () => {
    await locator.focus({ timeout: 5000 });
    return hasKeyboard(locator);
  }, `the keyboard on ${locator}`);
}

/** Presses keys on an element that may not have the keyboard yet. */
export async function pressOn(locator, ...keys) {
  for (const key of keys) {
    await focusOn(locator);
    await locator.page().keyboard.press(key);
  }
}

/** Still the same after the workbench had its turn to move the focus. */
async function hasKeyboard(locator) {
  return locator.evaluate(
    (element) =>
      new Promise((resolve) => {
        const has = () => document.hasFocus() && document.activeElement === element;
        if (!has()) resolve(false);
        else requestAnimationFrame(() => setTimeout(() => resolve(has())));
      }),
    undefined,
    { timeout: 5000 },
  );
}

/** Closes what is open, and waits until the webviews are gone, too: a frame about to go must not be taken for a new one. */
export async function closeEditors(page) {
  await runCommand(page, 'View: Close All Editors');
  await page.locator('.tabs-container .tab').first().waitFor({ state: 'detached' });
  await expectEventually(
    () => !page.frames().some((frame) => webviewDocument.test(frame.url())),
    'the webviews to be gone',
  );
}

/** Picks a colour theme by its name, e.g. "Dark Modern". */
export async function pickTheme(page, name) {
  const picker = page.locator('.quick-input-widget');
  const row = (text) => picker.locator('.monaco-list-row').filter({ hasText: text }).first();
  await expectEventually(async () => {
    await runCommand(page, 'Preferences: Color Theme');
    try {
      await row('Light Modern').waitFor({ timeout: 10_000 });
      await page.locator(pickerInput).fill(name, { timeout: 3000 });
      // The picker shows the theme at once and keeps it on Enter.
      await row(name).and(page.locator('.focused')).waitFor({ timeout: 10_000 });
      await page.keyboard.press('Enter');
      await picker.waitFor({ state: 'hidden', timeout: 10_000 });
      return true;
    } catch (error) {
      await page.keyboard.press('Escape');
      throw error;
    }
  }, `the theme ${name}`);
}

/** Opens a file by double click in the explorer (as its default editor, so custom editors too). */
export async function openFile(page, name) {
  const tab = page.locator('.tabs-container .tab.active').filter({ hasText: name });
  // A tree that fills in moves its rows under the pointer: another file may have taken the click.
  await expectEventually(async () => {
    await page.locator('.explorer-folders-view').getByText(name, { exact: true }).dblclick({ timeout: 10_000 });
    await tab.waitFor({ timeout: 10_000 });
    return true;
  }, `the file ${name} to open`);
}

/** Puts the cursor at a line of the active text editor, and waits until it is there and the editor has the keyboard. */
export async function goToLine(page, line) {
  await inPalette(page, 'Control+g', `:${line}`, async () => {
    // Enter counts once the picker has understood the number.
    const row = page.locator('.quick-input-list .monaco-list-row').filter({ hasText: `line ${line}` });
    await row.first().waitFor({ timeout: 5000 });
    await page.keyboard.press('Enter');
  });
  await expectEventually(async () => (await cursorLine(page)) === line, `the cursor on line ${line}`);
  // The picker gives the keyboard back a while after it has moved the cursor.
  await page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
  await page.locator(`${activeEditor}.focused`).first().waitFor();
}

/** Line of the cursor by the status bar, or null when no text editor is active. */
export async function cursorLine(page) {
  const text = await page
    .locator('.statusbar-item')
    .filter({ hasText: /^Ln [\d,]+, Col/ })
    .allInnerTexts();
  const found = /Ln ([\d,]+)/.exec(text[0] ?? '');
  return found ? Number(found[1].replaceAll(',', '')) : null;
}

/** Moves the mouse to a word of a visible line of the active text editor and returns the hover's text. */
export async function hoverText(page, lineText, word, expected) {
  const line = page.locator(`${activeEditor} .view-line`).filter({ hasText: lineText }).first();
  const target = line.locator('span > span').filter({ hasText: word }).last();
  const hover = page
    .locator('.monaco-editor .monaco-hover:not(.hidden), .monaco-resizable-hover .monaco-hover')
    .filter({ hasText: expected });
  await expectEventually(async () => {
    await page.mouse.move(5, 5); // A hover that was missed (server not up yet) comes only on a new movement.
    await target.hover();
    await hover.first().waitFor({ timeout: 2_000 });
    return true;
  }, `a hover with ${expected}`);
  return hover.first().innerText();
}

/**
 * The frame a webview's own document lives in. VS Code nests it twice:
 *   iframe.webview (VS Code's index.html, owns the service worker)  >  iframe#active-frame (fake.html, the extension's HTML)
 * and hangs the outer one on the workbench, not inside the editor group, so it is found by what it contains.
 */
export async function webviewFrame(page, selector) {
  return expectEventually(async () => {
    for (const frame of page.frames()) {
      if (!webviewDocument.test(frame.url())) continue;
      const found = await frame
        .locator(selector)
        .count()
        .catch(() => 0); // The frame went away while being asked.
      if (found) return frame;
    }
    return undefined;
  }, `a webview with ${selector}`);
}
