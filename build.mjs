// Bundles the extension host, the language server, the command line and the panel with esbuild.
//
//   node build.mjs             development build with source maps
//   node build.mjs --minify    what is packaged
//   node build.mjs --watch     rebuild on change
//   node build.mjs --bench [name…]   bundle and run test/bench/*.bench.ts
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as esbuild from 'esbuild';

const root = path.dirname(fileURLToPath(import.meta.url));
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minify: { type: 'boolean', default: false },
    watch: { type: 'boolean', default: false },
    bench: { type: 'boolean', default: false },
  },
});

// The oldest Node that runs the bundles: the extension host of VS Code 1.91 and the `engines` of package.json.
const node = { platform: 'node', format: 'cjs', target: 'node20' };
const browser = { platform: 'browser', format: 'iife', target: 'es2022' };

// tar-stream's streams are event emitters of Node; they have others for hosts without Node, but do not know a browser.
const nodeEvents = { 'events-universal': 'bare-events' };

const bundles = [
  { from: 'src/extension/nodeMain.ts', to: 'dist/extension.js', ...node, external: ['vscode'] },
  { from: 'src/extension/webMain.ts', to: 'dist/webExtension.js', ...browser, format: 'cjs', external: ['vscode'] },
  { from: 'src/web/worker.ts', to: 'dist/webWorker.js', ...browser, alias: nodeEvents },
  { from: 'src/server/server.ts', to: 'dist/server.js', ...node },
  { from: 'src/server/lineThread.ts', to: 'dist/lines.js', ...node },
  { from: 'src/cli/main.ts', to: 'dist/cli.js', ...node, banner: { js: '#!/usr/bin/env node' }, executable: true },
  { from: 'src/cli/worker.ts', to: 'dist/worker.js', ...node },
  { from: 'src/webview/panel.ts', to: 'dist/webview.js', ...browser },
  { from: 'src/webview/traceView/traceView.ts', to: 'dist/traceView.js', ...browser },
];

const noticesFile = 'dist/THIRD-PARTY-LICENSES.txt';

if (flags.bench) process.exit(await bench(positionals));
if (flags.watch) await watch();
else await buildOnce().catch(failed);

/** esbuild has printed what is wrong with our source; anything else is worth its stack. */
function failed(error) {
  if (!Array.isArray(error.errors)) throw error;
  process.exit(1);
}

function optionsOf({ from, to, executable: _, ...rest }) {
  return {
    ...rest,
    absWorkingDir: root,
    entryPoints: [from],
    outfile: to,
    bundle: true,
    minify: flags.minify,
    sourcemap: flags.minify ? false : 'linked',
    metafile: true,
    legalComments: 'none', // All of them are in `notices`.
    logLevel: 'warning',
    define: { 'process.env.NODE_ENV': flags.minify ? '"production"' : '"development"' },
  };
}

async function buildOnce() {
  const built = await Promise.all(
    bundles.map(async (bundle) => ({ bundle, result: await esbuild.build(optionsOf(bundle)) })),
  );
  for (const { bundle, result } of built) {
    if (bundle.executable) fs.chmodSync(path.join(root, bundle.to), 0o755);
    report(bundle, result.metafile);
  }
  const outputs = built.flatMap(({ result }) => Object.entries(result.metafile.outputs));
  fs.writeFileSync(path.join(root, noticesFile), notices(outputs.flatMap(([, { inputs }]) => Object.entries(inputs))));
  removeStale([...outputs.map(([name]) => name), noticesFile]);
}

/** Names, versions and licences of the packages that are in the bundles: their licences ask for that. */
function notices(inputs) {
  const folders = new Set();
  for (const [input, { bytesInOutput }] of inputs) {
    const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
    if (folder !== undefined && bytesInOutput > 0) folders.add(path.join(root, folder));
  }
  const texts = [...folders].map((folder) => {
    const { name, version, license, author, homepage } = JSON.parse(
      fs.readFileSync(path.join(folder, 'package.json'), 'utf8'),
    );
    const files = fs.readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
    const licences = files.sort().map((file) => fs.readFileSync(path.join(folder, file), 'utf8').trim());
    const from = [author?.name ?? author, homepage].filter(Boolean).join(', ');
    if (!licences.length) licences.push(`The package holds no text of its licence. It is by ${from}.`);
    return `${name} ${version} (${license})\n\n${licences.join('\n\n')}\n`;
  });
  return `SWIOTLB Lens contains parts of these packages.\n\n${texts.sort().join(`\n${'-'.repeat(80)}\n\n`)}`;
}

/** What an earlier build left behind must not be packaged. */
function removeStale(outputs) {
  const dist = path.join(root, 'dist');
  const kept = new Set(outputs.map((output) => path.join(root, output)));
  for (const name of fs.existsSync(dist) ? fs.readdirSync(dist) : []) {
    const file = path.join(dist, name);
    if (!kept.has(file)) fs.rmSync(file, { recursive: true });
  }
}

/** One line per bundle: its size and the three packages that weigh most. */
function report(bundle, metafile) {
  const output = metafile.outputs[bundle.to];
  const sizes = new Map();
  for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
    const owner = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? 'own code';
    sizes.set(owner, (sizes.get(owner) ?? 0) + bytesInOutput);
  }
  const heaviest = [...sizes].sort((a, b) => b[1] - a[1]).slice(0, 3);
  const parts = heaviest.map(([owner, bytes]) => `${owner} ${kib(bytes)}`).join(', ');
  console.log(`${bundle.to.padEnd(18)} ${kib(output.bytes).padStart(9)}   ${parts}`);
}

function kib(bytes) {
  return `${(bytes / 1024).toFixed(0)} KiB`;
}

async function watch() {
  for (const bundle of bundles) {
    const context = await esbuild.context({ ...optionsOf(bundle), logLevel: 'info' });
    await context.watch();
  }
}

/** Runs the benchmarks one after the other: they measure, so nothing else may run beside them. */
async function bench(names) {
  const folder = path.join(root, 'test', 'bench');
  const files = fs.existsSync(folder) ? fs.readdirSync(folder).filter((file) => file.endsWith('.bench.ts')) : [];
  const chosen = files.filter((file) => !names.length || names.some((name) => file.startsWith(name))).sort();
  if (!chosen.length) {
    console.error(`no benchmark ${names.length ? `named ${names.join(', ')}` : 'in test/bench'}`);
    return 2;
  }
  const out = fs.mkdtempSync(path.join(os.tmpdir(), 'swiotlb-lens-bench-'));
  try {
    let worst = 0;
    for (const file of chosen) {
      const outfile = path.join(out, file.replace(/\.ts$/, '.mjs'));
      await esbuild.build({
        entryPoints: [path.join(folder, file)],
        outfile,
        bundle: true,
        platform: 'node',
        format: 'esm',
        target: 'node20',
        logLevel: 'warning',
        // CommonJS packages inside an ES module bundle still ask for require.
        banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
      });
      console.log(`\n${file}`);
      const { status } = spawnSync(process.execPath, ['--expose-gc', outfile], { cwd: root, stdio: 'inherit' });
      worst = Math.max(worst, status ?? 1);
    }
    return worst;
  } finally {
    fs.rmSync(out, { recursive: true, force: true });
  }
}
