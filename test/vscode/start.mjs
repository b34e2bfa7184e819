// npm start: builds and packages the extension and shows it on the bundled sample trace, replayed with dynamic pools.
// In desktop VS Code when `code` is on the PATH, else in the embedded one, whose address is printed.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { packageExtension, root } from './harness/package.mjs';
import { setUpVscode } from './harness/setup.mjs';

const sample = 'media/samples/full-1MiB';
/** The extension then opens its sample and replays it, as if the two commands had been picked from the palette. */
const environment = { SWIOTLB_LENS_DEMO: '1' };

console.log('Building and packaging the extension …');
const vsix = packageExtension();
console.log(`Packaged ${path.basename(vsix)}.`);

if (process.env.SWIOTLB_LENS_EMBEDDED !== '1' && hasDesktopVscode()) startDesktop();
else await startEmbedded();

function hasDesktopVscode() {
  // In a terminal of a remote window `code` talks to that window and knows no profiles of its own.
  return !process.env.VSCODE_IPC_HOOK_CLI && spawnSync('code', ['--version'], { stdio: 'ignore' }).status === 0;
}

/** A window with user data of its own: the person's VS Code stays as it is, and the environment arrives. */
function startDesktop() {
  const home = path.join(root, 'test/vscode/artifacts/desktop');
  const extensions = path.join(home, 'extensions');
  const profile = ['--user-data-dir', path.join(home, 'user'), '--extensions-dir', extensions];
  run('code', [...profile, '--install-extension', vsix, '--force']);
  const quiet = ['--disable-workspace-trust', '--skip-welcome', '--skip-release-notes'];
  const folder = sampleFolder(extensions);
  run('code', [...profile, ...quiet, '--new-window', folder, path.join(folder, 'trace.txt')]);
  console.log('SWIOTLB Lens is open in desktop VS Code on the sample trace, replayed with dynamic pools.');
  console.log(`That window has a profile of its own, in ${path.relative(root, home)}.`);
}

/** The sample inside the installed package: the same file that *Open sample trace* opens. */
function sampleFolder(extensions) {
  const { publisher, name, version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  return path.join(extensions, `${publisher}.${name}-${version}`, sample);
}

function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...environment } });
  if (status !== 0) throw new Error(`${command} ended with ${status}`);
}

async function startEmbedded() {
  setUpVscode();
  const { startVscode } = await import('./harness/startVscode.mjs');
  const vscode = await startVscode({ vsix: [vsix], env: environment });
  const folder = sampleFolder(vscode.extensionsDir);
  const url = vscode.url({ openFile: vscode.remoteUri(path.join(folder, 'trace.txt')) }, folder);
  console.log(
    '\nSWIOTLB Lens is open on the sample trace, replayed with dynamic pools. Open this address in a browser:',
  );
  console.log(`\n  ${url}\n`);
  console.log('Stop with Ctrl-C.');
  const stop = async () => {
    await vscode.close();
    process.exit(0);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}
