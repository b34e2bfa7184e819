// What a failing test saw: the workbench, every webview and the extension's log, in a few lines.
import fs from 'node:fs';
import path from 'node:path';

const patienceMs = 5000;

/** Lines of text. Never rejects: who asks is in trouble already. */
export async function whatIsOnScreen({ page, vscode, problems }) {
  const parts = await Promise.all([
    inTime('workbench', page.evaluate(readWorkbench)),
    ...page
      .frames()
      .filter((frame) => /\/fake\.html\?/.test(frame.url()))
      .map((frame) => inTime('webview', frame.evaluate(readWebview))),
  ]);
  return [...parts, ...problems().map((problem) => `error in the page: ${problem}`), ...logOf(vscode)];
}

async function inTime(what, reading) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, patienceMs, 'does not answer');
  });
  const found = await Promise.race([reading, late]).catch((error) => `could not be read: ${error.message}`);
  clearTimeout(timer);
  return `${what}: ${typeof found === 'string' ? found : JSON.stringify(found)}`;
}

/** Runs in the workbench's page. */
function readWorkbench() {
  const texts = (selector) =>
    [...document.querySelectorAll(selector)]
      .filter((element) => element.checkVisibility())
      .map((element) => element.innerText.replace(/\s+/g, ' ').trim());
  const picker = document.querySelector('.quick-input-widget');
  const isPicking = picker?.checkVisibility() === true;
  const { tagName, id, className } = document.activeElement ?? {};
  return {
    notifications: texts('.notification-toast'),
    tabs: texts('.tabs-container .tab'),
    activeTab: texts('.tabs-container .tab.active'),
    picker: isPicking
      ? { input: picker.querySelector('input')?.value, rows: texts('.quick-input-list .monaco-list-row').slice(0, 6) }
      : null,
    statusBar: texts('.statusbar-item').join(' | '),
    focus: `${tagName} ${id} ${className}`,
    hasFocus: document.hasFocus(),
  };
}

/** Runs in the page of a panel or custom editor. */
function readWebview() {
  const text = (selector) => document.querySelector(selector)?.innerText.replace(/\s+/g, ' ').trim().slice(0, 200);
  const { tagName, id } = document.activeElement ?? {};
  return {
    title: document.title,
    state: document.body?.dataset.state,
    status: text('#status'),
    verdict: text('#verdict'),
    range: text('#range'),
    readout: text('#readout .time'),
    facts: text('#facts'),
    focus: `${tagName} ${id}`,
    hasFocus: document.hasFocus(),
  };
}

/** The last lines of what the extension wrote into its log. */
function logOf({ userDataDir }) {
  try {
    const logs = path.join(userDataDir, 'logs');
    const ours = fs
      .readdirSync(logs, { recursive: true })
      .filter((file) => /SWIOTLB Lens\.log$/.test(file))
      .map((file) => fs.readFileSync(path.join(logs, file), 'utf8'));
    const lines = ours.join('\n').trimEnd().split('\n').slice(-25);
    return lines.map((line) => `log of the extension: ${line}`);
  } catch (error) {
    return [`no log of the extension: ${error.message}`];
  }
}
