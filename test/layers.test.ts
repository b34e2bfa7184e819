import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { describe, expect, it } from 'vitest';

/**
 * Who may import whom. A layer that is not named on the right may not be imported, neither by value nor by type;
 * `types` marks a layer from which only `import type` is allowed.
 */
const allowedLayers: Readonly<Record<string, readonly string[]>> = {
  base: [],
  model: ['base'],
  trace: ['base', 'model'],
  timeline: ['base', 'model'],
  allocator: ['base', 'model'],
  replay: ['base', 'model', 'allocator'],
  analysis: ['base', 'model', 'trace', 'timeline', 'allocator', 'replay'],
  protocol: ['base', 'model types'],
  node: ['base'],
  web: ['base', 'protocol', 'analysis', 'server'],
  server: ['base', 'model', 'analysis', 'node', 'protocol'],
  cli: ['base', 'model', 'analysis', 'node'],
  extension: ['base', 'model types', 'protocol'],
  webview: ['base', 'model types', 'protocol'],
};

/** Unit conversions and the list of causes exist once, so whoever may see the types of model may use these values too. */
const valuesForAll: readonly string[] = ['src/model/units', 'src/model/cause'];

/** Which packages a layer may import. `node:` stands for all of Node's own modules. */
const allowedPackages: Readonly<Record<string, readonly string[]>> = {
  base: [],
  model: [],
  trace: ['papaparse', 'fzstd'],
  timeline: [],
  allocator: [],
  replay: [],
  analysis: [],
  protocol: [],
  node: ['node:', '#platform', 'fzstd', 'tar-stream', 'xz-decompress'],
  web: [],
  server: ['node:', '#platform', '#connection', 'vscode-languageserver', 'vscode-languageserver-textdocument'],
  cli: ['node:', 'commander', 'hyparquet-writer'],
  extension: ['node:', 'vscode', 'vscode-languageclient'],
  webview: ['chart.js'],
};

/** Layers without IO, clock, randomness or log: the same bytes in give the same answer out, in Node and in a browser. */
const pureLayers = ['base', 'model', 'trace', 'timeline', 'allocator', 'replay', 'analysis'];
const impure: readonly (readonly [RegExp, string])[] = [
  [/\bMath\.random\b/, 'Math.random'],
  [/\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/, 'the clock'],
  [/\bconsole\.\w/, 'console'],
  [/\bprocess\.\w/, 'process'],
  [/\b(setTimeout|setInterval|setImmediate)\(/, 'a timer'],
  [/\bfetch\(/, 'the network'],
];

interface SourceFile {
  /** From the repository's root, e.g. `src/trace/reader.ts`. */
  readonly path: string;
  readonly text: string;
}

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

function sourceFiles(): readonly SourceFile[] {
  return fs
    .readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.posix.join('src', name.split(path.sep).join('/')))
    .sort()
    .map((name) => ({ path: name, text: fs.readFileSync(path.join(root, name), 'utf8') }));
}

function importsOf(text: string): readonly Import[] {
  const imports: Import[] = [];
  const statement = /^\s*(?:import|export)\s+(type\s)?(?:[^'"`;()]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
  for (const [, type, specifier] of text.matchAll(statement)) {
    imports.push({ specifier: specifier!, typeOnly: type !== undefined });
  }
  const call = /\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g;
  for (const [, specifier] of text.matchAll(call)) imports.push({ specifier: specifier!, typeOnly: false });
  return imports;
}

function layerOf(file: string): string {
  return file.split('/')[1]!;
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return 'node:';
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
}

/** What is wrong with the imports of one file; every sentence says what to do. */
function importViolations(file: SourceFile): readonly string[] {
  const layer = layerOf(file.path);
  const layers = allowedLayers[layer];
  if (!layers) return [`${file.path}: the layer "${layer}" is unknown; add it to the tables of test/layers.test.ts.`];
  const found: string[] = [];
  for (const { specifier, typeOnly } of importsOf(file.text)) {
    if (!specifier.startsWith('.')) {
      if (allowedPackages[layer]!.includes(packageOf(specifier))) continue;
      found.push(
        `${file.path}: ${layer} may not import the package "${specifier}". ` +
          `Move the code to a layer that may (${ownersOf(packageOf(specifier))}) and pass plain data.`,
      );
      continue;
    }
    const module = path.posix.join(path.posix.dirname(file.path), specifier);
    const target = layerOf(module);
    if (target === layer || layers.includes(target)) continue;
    if (layers.includes(`${target} types`)) {
      if (typeOnly || valuesForAll.includes(module)) continue;
      found.push(
        `${file.path}: ${layer} may import only types from ${target}; write \`import type\` for "${specifier}".`,
      );
      continue;
    }
    found.push(
      `${file.path}: ${layer} may not import ${target} ("${specifier}"). ` +
        `It may import ${layers.join(', ') || 'nothing'}; pass the data in, or move what both need down.`,
    );
  }
  return found;
}

function ownersOf(name: string): string {
  const owners = Object.keys(allowedPackages).filter((layer) => allowedPackages[layer]!.includes(name));
  return owners.join(', ') || 'none yet: name it in test/layers.test.ts first';
}

/** What a pure layer does besides computing. Comments and types are removed first. */
async function impurities(file: SourceFile): Promise<readonly string[]> {
  if (!pureLayers.includes(layerOf(file.path))) return [];
  const { code } = await transform(file.text, { loader: 'ts', legalComments: 'none' });
  return impure
    .filter(([pattern]) => pattern.test(code))
    .map(([, what]) => `${file.path}: ${layerOf(file.path)} is pure and may not use ${what}; take it as a parameter.`);
}

/** What of Node there is not in a browser, although the types of some layers know it. */
const nodeOnly = /\bBuffer\b|\bprocess\.\w|\bsetImmediate\b|\b__dirname\b|\brequire\(|\.unref\(|['"]node:/;

async function asksNode(file: SourceFile): Promise<readonly string[]> {
  const { code } = await transform(file.text, { loader: 'ts', legalComments: 'none' });
  const found = nodeOnly.exec(code);
  return found === null
    ? []
    : [`${file.path}: runs in a browser, too, where there is no ${found[0]}; ask #platform (src/base/platform.ts).`];
}

/** The files that are bundled with these: all that are imported by value, with what a browser takes for `#names`. */
function bundledWith(entries: readonly string[]): readonly SourceFile[] {
  const { imports } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  const files = new Map(sourceFiles().map((file) => [file.path, file]));
  const found = new Set<SourceFile>();
  const visit = (name: string) => {
    const file = files.get(name) ?? files.get(`${name}.ts`) ?? files.get(`${name}/index.ts`);
    if (file === undefined || found.has(file)) return;
    found.add(file);
    for (const { specifier, typeOnly } of importsOf(file.text)) {
      if (typeOnly) continue;
      if (specifier.startsWith('#')) visit(imports[specifier].browser.replace('./', ''));
      if (specifier.startsWith('.')) visit(path.posix.join(path.posix.dirname(file.path), specifier));
    }
  };
  entries.forEach(visit);
  return [...found];
}

function checkImports(file: string, text: string, expected: readonly RegExp[]) {
  const found = importViolations({ path: file, text });
  expect(found).toHaveLength(expected.length);
  for (const [index, pattern] of expected.entries()) expect(found[index]).toMatch(pattern);
}

describe('layers', () => {
  it('imports follow the table', () => {
    expect(sourceFiles().flatMap(importViolations)).toEqual([]);
  });

  it('layers up to analysis only compute', async () => {
    expect((await Promise.all(sourceFiles().map(impurities))).flat()).toEqual([]);
  });

  it('what runs in a browser asks nothing of Node', async () => {
    const files = bundledWith(['src/web/worker.ts', 'src/extension/webMain.ts']);
    const names = files.map((file) => file.path);
    expect(names).toEqual(expect.arrayContaining(['src/server/server.ts', 'src/web/disk.ts', 'src/node/input.ts']));
    expect(names).not.toContain('src/node/platform.ts');
    expect((await Promise.all(files.map(asksNode))).flat()).toEqual([]);
  });

  it('every layer of src is in the table, and nothing else', () => {
    const folders = fs
      .readdirSync(path.join(root, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory());
    expect(folders.map((entry) => entry.name).sort()).toEqual(Object.keys(allowedLayers).sort());
    expect(Object.keys(allowedPackages).sort()).toEqual(Object.keys(allowedLayers).sort());
  });

  it('the project references of each layer are those of the table', () => {
    for (const [layer, allowed] of Object.entries(allowedLayers)) {
      const config = JSON.parse(fs.readFileSync(path.join(root, 'src', layer, 'tsconfig.json'), 'utf8'));
      const references = config.references.map((reference: { path: string }) => path.basename(reference.path));
      const wanted = allowed.map((name) => name.replace(/ types$/, ''));
      expect({ layer, references: references.sort() }).toEqual({ layer, references: wanted.sort() });
    }
  });

  it('one file reads CSV with papaparse', () => {
    const users = sourceFiles().filter((file) =>
      importsOf(file.text).some(({ specifier }) => specifier === 'papaparse'),
    );
    expect(users.map((file) => file.path)).toHaveLength(1);
  });

  it('the replay engine names no policy', () => {
    const policies = path.join(root, 'src/replay/policies');
    const names = fs.readdirSync(policies).map((name) => name.replace(/\.ts$/, ''));
    const engine = sourceFiles().find((file) => file.path === 'src/replay/replay.ts');
    expect(engine).toBeDefined();
    const imported = importsOf(engine!.text).map(({ specifier }) => path.basename(specifier));
    expect(imported.filter((name) => names.includes(name))).toEqual([]);
  });
});

describe('the layer check itself', () => {
  it('catches a layer that imports upwards', () => {
    checkImports('src/trace/made.ts', "import { replay } from '../replay/replay';\n", [
      /trace may not import replay .*It may import base, model/,
    ]);
  });

  it('catches re-exports, side effects, type imports, dynamic imports and require', () => {
    const lines = [
      "export { a } from '../timeline/a';",
      "import '../timeline/a';",
      "import type { A } from '../timeline/a';",
      "const a = await import('../timeline/a');",
      "const b = require('../timeline/a');",
      'import {',
      '  type B,',
      "} from '../timeline/a';",
    ];
    checkImports('src/trace/made.ts', lines.join('\n'), Array(6).fill(/trace may not import timeline/));
  });

  it('catches a value import where only types are allowed', () => {
    checkImports('src/webview/made.ts', "import { Outcome } from '../model/tables';\n", [/only types from model/]);
    checkImports('src/webview/made.ts', "import type { Cause } from '../model/cause';\n", []);
    checkImports('src/webview/charts/made.ts', "import { SLOT_BYTES } from '../../model/units';\n", []);
  });

  it('catches vscode, LSP, chart.js and Node outside their layer', () => {
    checkImports('src/analysis/made.ts', "import * as vscode from 'vscode';\n", [
      /Move the code to a layer that may \(extension\)/,
    ]);
    checkImports('src/analysis/made.ts', "import { Hover } from 'vscode-languageserver/node';\n", [/\(server\)/]);
    checkImports('src/extension/made.ts', "import { Chart } from 'chart.js';\n", [/\(webview\)/]);
    checkImports('src/replay/made.ts', "import fs from 'node:fs';\n", [/may not import the package "node:fs"/]);
  });

  it('catches what a browser does not have', async () => {
    for (const text of [
      "import { open } from 'node:fs/promises';\nexport const a = open;\n",
      'export const a = Buffer.alloc(1);\n',
      'export const a = setTimeout(() => undefined, 1);\na.unref();\n',
    ]) {
      expect(await asksNode({ path: 'src/server/made.ts', text })).toEqual([expect.stringContaining('no ')]);
    }
    const fine = '// Buffer\nexport const a = setTimeout(() => undefined, 1);\na.unref?.();\n';
    expect(await asksNode({ path: 'src/server/made.ts', text: fine })).toEqual([]);
  });

  it('catches a layer nobody planned', () => {
    checkImports('src/helpers/made.ts', '', [/the layer "helpers" is unknown/]);
  });

  it('catches what is not computing, but not where a comment speaks of it', async () => {
    const text = '// console.log, Math.random\nexport const now = () => Date.now() + Math.random();\n';
    expect(await impurities({ path: 'src/replay/made.ts', text })).toEqual([
      expect.stringContaining('may not use Math.random'),
      expect.stringContaining('may not use the clock'),
    ]);
    expect(await impurities({ path: 'src/cli/made.ts', text })).toEqual([]);
  });
});
