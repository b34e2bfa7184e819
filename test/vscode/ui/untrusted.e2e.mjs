// A folder that nobody trusts yet: everything works, and its settings change no more than what is shown.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { goToLine, openFile, runCommand } from '../harness/workbench.mjs';
import { inkEventually, panelReady } from './panel.mjs';
import { openSession } from './session.mjs';

let session;
let page;

/** What somebody may put into a folder that others open: values of other types, text that wants to be markup. */
const hostile = {
  'swiotlbLens.hover.policy': '<img src=x onerror=window.pwned=1>',
  'swiotlbLens.geometry': { poolStart: 'javascript:alert(1)', areas: -1, boot: '$(reboot)', cpus: 1e9 },
  'swiotlbLens.deviceClasses': { __proto__: 'block', '<b>': 'net' },
  'swiotlbLens.replay.assumedLifetimeMs': 'never',
  'swiotlbLens.captureFolders': 'yes',
};

before(
  async () => {
    session = await openSession({
      asksForTrust: true,
      settings: { 'security.workspace.trust.startupPrompt': 'never' },
      prepare: (workspace) => {
        fs.mkdirSync(path.join(workspace, '.vscode'));
        fs.writeFileSync(path.join(workspace, '.vscode/settings.json'), JSON.stringify(hostile));
      },
    });
    page = session.page;
  },
  { timeout: 180_000 },
);
after(() => session?.close());

test('findings and a replay in restricted mode, whatever the settings of the folder say', {
  timeout: 180_000,
}, async () => {
  await page.locator('.statusbar-item').filter({ hasText: 'Restricted Mode' }).first().waitFor();
  const trace = fs.readFileSync(path.join(session.workspace, 'capture/trace.txt'), 'utf8').split('\n');
  await page.locator('.explorer-folders-view').getByText('capture', { exact: true }).click();
  await openFile(page, 'trace.txt');
  await goToLine(page, trace.findIndex((line) => line.includes('dma_addr=ffffffffffffffff')) + 1);
  await page.locator('.editor-group-container.active').locator('.squiggly-error, .squiggly-warning').first().waitFor();
  await runCommand(page, 'SWIOTLB Lens: Replay with dynamic pools');
  const frame = await panelReady(page);
  await inkEventually(frame.locator('#chart-slots'));
  assert.equal(await frame.evaluate(() => window.pwned), undefined);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  await session.shot('untrusted');
});
