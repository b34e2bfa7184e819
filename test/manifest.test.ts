import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { generations } from '../src/model/geometry';
import { deviceFieldRules, geometryFieldRules, kernelGenerations } from '../src/protocol/geometrySettings';
import { policies } from '../src/replay/policies';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const readJson = (name: string) => JSON.parse(fs.readFileSync(path.join(root, name), 'utf8'));
const manifest = readJson('package.json');
const contributes = manifest.contributes;
const commandIds: readonly string[] = contributes.commands.map((command: { command: string }) => command.command);

/** Buttons of the views: they need to know their row, so the palette does not show them. */
const isInternal = (id: string) => id.startsWith('swiotlbLens.internal.');

/** The palette shows what design promises; a command that is contributed works, and one that works is contributed. */
const promisedCommands: readonly string[] = [
  'Replay with dynamic pools',
  'Replay with transient pools',
  'Replay with a fixed pool',
  'Replay with policy…',
  'Compare policies',
  'Compare with another trace…',
  'Find the pool size',
  'Dry run for a confidential VM',
  'Show slot map at cursor',
  'Copy finding as Markdown',
  'Export…',
  'Verify against the recorded addresses',
  'Anonymise…',
  'Open sample trace',
  'Create capture script',
  'Open with SWIOTLB Lens',
];

function sourcesOf(layer: string): string {
  const folder = path.join(root, 'src', layer);
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  return names.map((name) => fs.readFileSync(path.join(folder, name), 'utf8')).join('\n');
}

const extensionSources = () => sourcesOf('extension');

/** Every %key% of the manifest, with or without a description around it. */
function placeholders(value: unknown): readonly string[] {
  if (typeof value === 'string') return /^%(.+)%$/.exec(value)?.slice(1) ?? [];
  return value && typeof value === 'object' ? Object.values(value).flatMap(placeholders) : [];
}

/** The commands a welcome text links to. */
const linked = (text: string) => [...text.matchAll(/\(command:(swiotlbLens\.\w+)\)/g)].map(([, id]) => id!);

describe('manifest', () => {
  it('contributes the promised commands, all in one category', () => {
    const texts = readJson('package.nls.json');
    const shown = contributes.commands.filter((command: { command: string }) => !isInternal(command.command));
    const titles = shown.map((command: { title: string }) => texts[command.title.replaceAll('%', '')]);
    expect(titles.sort()).toEqual([...promisedCommands].sort());
    for (const command of contributes.commands) expect(command.category).toBe('SWIOTLB Lens');
  });

  it('keeps the buttons of the views out of the palette', () => {
    const hidden = contributes.menus.commandPalette.filter(({ when }: { when: string }) => when === 'false');
    expect(hidden.map(({ command }: { command: string }) => command).sort()).toEqual(
      commandIds.filter(isInternal).sort(),
    );
  });

  it('contributes exactly the commands that the extension registers', () => {
    const registered = [...extensionSources().matchAll(/['"](swiotlbLens\.[\w.]+)['"]/g)].map(([, id]) => id!);
    expect(commandIds.filter((id) => !registered.includes(id))).toEqual([]);
  });

  it('menus and key bindings name contributed commands', () => {
    const uses = [...Object.values(contributes.menus ?? {}).flat(), ...(contributes.keybindings ?? [])] as {
      command: string;
    }[];
    expect(uses.map((use) => use.command).filter((id) => !commandIds.includes(id))).toEqual([]);
  });

  it('welcome texts link to contributed commands', () => {
    const used = Object.values<string>(readJson('package.nls.json')).flatMap(linked);
    expect(used.length).toBeGreaterThan(2);
    expect(used.filter((id) => !commandIds.includes(id))).toEqual([]);
  });

  it('the walkthrough leads from capturing to sizing, by commands and pictures that exist', () => {
    const [walkthrough] = contributes.walkthroughs;
    expect(walkthrough.steps.map(({ id }: { id: string }) => id)).toEqual([
      'capture',
      'sample',
      'replay',
      'size',
      'share',
    ]);
    for (const { media, completionEvents } of walkthrough.steps) {
      const picture = fs.readFileSync(path.join(root, media.svg), 'utf8');
      expect(picture).toContain('var(--vscode-');
      expect(picture).not.toMatch(/<script|href=|url\(/);
      for (const event of completionEvents) expect(commandIds).toContain(event.replace('onCommand:', ''));
    }
  });

  it('every setting has a type, a default and a description', () => {
    for (const [name, setting] of Object.entries<Record<string, unknown>>(contributes.configuration.properties)) {
      expect(name).toMatch(/^swiotlbLens\./);
      expect(setting, name).toHaveProperty('type');
      expect(setting, name).toHaveProperty('default');
      expect(String(setting['markdownDescription'] ?? setting['description'] ?? ''), name).not.toBe('');
      const values = setting['enum'] as unknown[] | undefined;
      // The values of <id>.trace.server are vscode-languageclient's, the same in every extension.
      if (values && !['swiotlbLens.trace.server', 'swiotlbLens.hover.policy'].includes(name))
        expect((setting['enumDescriptions'] as unknown[]).length, name).toBe(values.length);
    }
  });

  it('every setting is read by the extension or the server', () => {
    const sources = extensionSources() + sourcesOf('server');
    for (const name of Object.keys(contributes.configuration.properties)) {
      // vscode-languageclient reads <id>.trace.server by itself.
      if (name === 'swiotlbLens.trace.server') continue;
      expect(sources.includes(`'${name.replace('swiotlbLens.', '')}'`), name).toBe(true);
    }
  });

  it('offers every policy for hovers', () => {
    const { enum: values } = contributes.configuration.properties['swiotlbLens.hover.policy'];
    expect(values).toEqual(['none', ...policies.ids()]);
  });

  it('offers every field of the geometry, with the versions of the kernel that the model knows', () => {
    const { properties } = contributes.configuration.properties['swiotlbLens.geometry'];
    const { deviceClass: _, ...deviceFields } = deviceFieldRules;
    expect(Object.keys(properties).sort()).toEqual(Object.keys({ ...geometryFieldRules, ...deviceFields }).sort());
    expect(properties.kernel.enum).toEqual([...generations]);
    expect([...kernelGenerations]).toEqual([...generations]);
  });

  it('knows the usual names of traces and kernel logs', () => {
    const language = contributes.languages.find((entry: { id: string }) => entry.id === 'swiotlb-trace');
    for (const name of ['trace', 'trace_pipe', 'trace.txt', 'dmesg', 'dmesg.txt', 'kern.log']) {
      expect(language.filenames).toContain(name);
    }
    expect(manifest.activationEvents).toEqual(expect.arrayContaining(['onLanguage:plaintext', 'onLanguage:log']));
  });

  it('the texts of package.nls.json are those the manifest asks for', () => {
    expect(Object.keys(readJson('package.nls.json')).sort()).toEqual([...new Set(placeholders(manifest))].sort());
  });

  it('runs in untrusted workspaces and sends nothing', () => {
    expect(manifest.capabilities.untrustedWorkspaces.supported).toBe(true);
    expect(manifest.dependencies).toBeUndefined();
  });
});
