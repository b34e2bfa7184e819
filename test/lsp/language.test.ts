import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type {
  CodeAction,
  CodeLens,
  Diagnostic,
  DocumentHighlight,
  DocumentSymbol,
  FoldingRange,
  InlayHint,
  Location,
  MarkupContent,
  SemanticTokens,
  WorkspaceSymbol,
} from 'vscode-languageserver/node';
import {
  frontRunNotification,
  ignoredEpisodesNotification,
  languageCommands,
  semanticTokenTypes,
  whoHeldRequest,
} from '../../src/protocol/language';
import { sizeRequest } from '../../src/protocol/lsp';
import { LspServer } from '../support/lsp';

const sample = fileURLToPath(new URL('../../media/samples/full-1MiB/', import.meta.url));
const traceUri = pathToFileURL(path.join(sample, 'trace.txt')).href;
const dmesgUri = pathToFileURL(path.join(sample, 'dmesg.txt')).href;
const traceLines = readFileSync(path.join(sample, 'trace.txt'), 'utf8').split('\n');
const dmesgLines = readFileSync(path.join(sample, 'dmesg.txt'), 'utf8').split('\n');
/** Zero-based lines. */
const failing = traceLines.findIndex((text) => text.includes('dma_addr=ffffffffffffffff'));
const mapping = traceLines.findIndex((text) => /dma_map_page: .* dma_addr=7d/.test(text));

let server: LspServer;

beforeAll(async () => {
  server = await LspServer.start();
  await server.openFromDisk(traceUri);
  await server.openFromDisk(dmesgUri);
}, 60_000);

afterAll(() => server.stop());

afterEach(() => {
  expect(server.isAlive()).toBe(true);
  expect(server.errors).toEqual([]);
});

const at = (uri: string, line: number, character: number) => ({
  textDocument: { uri },
  position: { line, character },
});

describe('navigation', () => {
  it('goes from a map to its unmap and back', async () => {
    const column = traceLines[mapping]!.indexOf('dma_map_page') + 2;
    const [unmap] = await server.request<Location[]>('textDocument/definition', at(traceUri, mapping, column));
    const text = traceLines[unmap!.range.start.line]!;
    const address = /dma_addr=(\w+)/.exec(traceLines[mapping]!)![1];
    expect(text).toContain(`dma_addr=${address}`);
    expect(text.slice(unmap!.range.start.character)).toMatch(/^dma_unmap_page: /);
    const back = await server.request<Location[]>(
      'textDocument/definition',
      at(traceUri, unmap!.range.start.line, unmap!.range.start.character + 2),
    );
    expect(back.map(({ uri, range }) => [uri, range.start.line])).toEqual([[traceUri, mapping]]);
  });

  it('goes from a bounce address to the boot line of its pool in the log beside the trace', async () => {
    const column = traceLines[mapping]!.indexOf('dma_addr=') + 12;
    const [boot] = await server.request<Location[]>('textDocument/definition', at(traceUri, mapping, column));
    expect(boot!.uri).toBe(dmesgUri);
    expect(dmesgLines[boot!.range.start.line]).toMatch(/software IO TLB: mapped \[mem/);
  });

  it('lists all lines of a failed mapping, its kernel messages in both files too', async () => {
    const column = traceLines[failing]!.indexOf('dma_map_page') + 2;
    const found = await server.request<Location[]>('textDocument/references', {
      ...at(traceUri, failing, column),
      context: { includeDeclaration: true },
    });
    const lines = found.map(({ uri, range }) => (uri === traceUri ? traceLines : dmesgLines)[range.start.line]!);
    expect(lines.some((text) => text.includes('swiotlb_bounced'))).toBe(true);
    expect(lines.some((text) => text.includes('swiotlb buffer is full'))).toBe(true);
  });

  it('highlights the lines of the mapping under the cursor', async () => {
    const found = await server.request<DocumentHighlight[]>(
      'textDocument/documentHighlight',
      at(traceUri, mapping, 60),
    );
    const names = found.map(({ range: { start, end } }) =>
      traceLines[start.line]!.slice(start.character, end.character),
    );
    expect(names).toEqual(['swiotlb_bounced', 'dma_map_page', 'dma_unmap_page']);
    expect(await server.request('textDocument/documentHighlight', at(traceUri, 0, 0))).toEqual([]);
  });

  it('finds devices in all open traces', async () => {
    const found = await server.request<WorkspaceSymbol[]>('workspace/symbol', { query: '00:05' });
    expect(found.map(({ name }) => name)).toEqual(['0000:00:05.0 nvme']);
    expect(await server.request('workspace/symbol', { query: 'no such device' })).toEqual([]);
  });

  it('says who held the slots', async () => {
    const answer = await server.ask(whoHeldRequest, { uri: traceUri, line: failing + 1 });
    if (!answer.ok) {
      throw new Error(answer.error.message);
    }
    const { devices, slots, places, beforeTrace } = answer.value;
    expect(devices.reduce((sum, device) => sum + device.slots, 0)).toBe(slots);
    expect(devices.reduce((sum, device) => sum + device.mappings, 0)).toBe(places.length + beforeTrace);
    for (const { line } of places) {
      expect(line).toBeLessThanOrEqual(failing);
      expect(traceLines[line - 1]).toMatch(/dma_map/);
    }
  });
});

describe('outline, folds, lenses, hints and colours', () => {
  it('has an outline', async () => {
    const found = await server.request<DocumentSymbol[]>('textDocument/documentSymbol', {
      textDocument: { uri: traceUri },
    });
    expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining(['Failures', 'Devices']));
    const check = (symbol: DocumentSymbol): void => {
      expect(symbol.range.start.line).toBeLessThanOrEqual(symbol.selectionRange.start.line);
      expect(symbol.range.end.line).toBeGreaterThanOrEqual(symbol.selectionRange.end.line);
      symbol.children?.forEach(check);
    };
    found.forEach(check);
  });

  it('folds the header and floods', async () => {
    const folds = await server.request<FoldingRange[]>('textDocument/foldingRange', {
      textDocument: { uri: traceUri },
    });
    const header = traceLines.findIndex((text) => !text.startsWith('#'));
    expect(folds[0]).toMatchObject({ startLine: 0, endLine: header - 1, kind: 'comment' });
    expect(folds.length).toBeGreaterThan(5);
    expect(folds.length).toBeLessThanOrEqual(5000);
  });

  it('has lenses at the top and at episodes, with commands of the client', async () => {
    const lenses = await server.request<CodeLens[]>('textDocument/codeLens', { textDocument: { uri: traceUri } });
    const top = lenses.filter(({ range }) => range.start.line === 0).map(({ command }) => command!.title);
    expect(top[0]).toMatch(/^\d+ of [\d,]+ bounced requests failed: \d+ /);
    expect(top.slice(1)).toEqual(['Replay with dynamic pools', 'Find the pool size', 'Show slot map']);
    const held = lenses.find(({ command }) => command!.title === 'Who held the slots')!;
    expect(held.range.start.line).toBeGreaterThan(0);
    expect(held.command).toMatchObject({
      command: languageCommands.whoHeld,
      arguments: [traceUri, held.range.start.line + 1],
    });
  });

  it('hints at slots and at how full the pool was', async () => {
    const hints = await server.request<InlayHint[]>('textDocument/inlayHint', {
      textDocument: { uri: traceUri },
      range: { start: { line: failing - 20, character: 0 }, end: { line: failing + 20, character: 0 } },
    });
    const size = Number(/ size=(\d+)/.exec(traceLines[failing]!)![1]);
    const own = hints.filter(({ position }) => position.line === failing).map(({ label }) => label);
    expect(own).toEqual([
      `= ${Math.ceil(size / 2048)} slots`,
      expect.stringMatching(/^← \d+( or more)? of 512 slots used$/),
    ]);
    const boot = dmesgLines.findIndex((text) => text.includes('software IO TLB: mapped'));
    const onBoot = await server.request<InlayHint[]>('textDocument/inlayHint', {
      textDocument: { uri: dmesgUri },
      range: { start: { line: boot, character: 0 }, end: { line: boot, character: 0 } },
    });
    expect(onBoot.map(({ label }) => label)).toEqual(['= 512 slots']);
  });

  it('colours the lines that are asked for', async () => {
    const { data } = await server.request<SemanticTokens>('textDocument/semanticTokens/range', {
      textDocument: { uri: traceUri },
      range: { start: { line: failing, character: 0 }, end: { line: failing, character: 0 } },
    });
    const tokens: string[] = [];
    for (let i = 0, column = 0; i < data.length; i += 5) {
      column = data[i] === 0 ? column + data[i + 1]! : data[i + 1]!;
      tokens.push(`${semanticTokenTypes[data[i + 3]!]} ${traceLines[failing]!.slice(column, column + data[i + 2]!)}`);
    }
    expect(data[0]).toBe(failing);
    expect(tokens).toEqual(
      expect.arrayContaining(['traceEvent dma_map_page', 'traceFailure ffffffffffffffff', 'traceDevice 0000:00:05.0']),
    );
  });

  const actionsAt = (uri: string, line: number, triggerKind: number, diagnostics: readonly Diagnostic[] = []) =>
    server.request<CodeAction[]>('textDocument/codeAction', {
      textDocument: { uri },
      range: { start: { line, character: 0 }, end: { line, character: 0 } },
      context: { triggerKind, diagnostics },
    });

  it('offers actions on a failing line, each a command of the client', async () => {
    const found = await server.diagnosticsOf(traceUri, (diagnostics) => diagnostics.length > 0);
    const own = found.filter(({ range }) => range.start.line === failing);
    const actions = await actionsAt(traceUri, failing, 2, own);
    expect(actions.map(({ title }) => title)).toEqual([
      expect.stringMatching(/^Explain: (Fragmented|Pool full)$/),
      'Replay with dynamic pools',
      'Replay with policy…',
      'Find the smallest pool and copy its swiotlb=',
      expect.stringMatching(/^Ignore this (failure|episode \(\d+ failures\))$/),
      expect.stringMatching(/^Go to the kernel message at line [\d,]+$/),
      expect.stringMatching(/^Go to the kernel message at line [\d,]+$/),
      'Show slot map here',
      'Who held the slots',
      'Copy finding as Markdown',
      expect.stringMatching(/^Create capture script \(missing: /),
    ]);
    const commands: readonly string[] = Object.values(languageCommands);
    for (const action of actions) {
      expect(action.kind).toBe('quickfix');
      expect(action.diagnostics).toEqual(own);
      expect(commands).toContain(action.command!.command);
    }
  });

  it('asks about the line of the trace where the kernel message stands in the log', async () => {
    const message = dmesgLines.findIndex((text) => text.includes('swiotlb buffer is full'));
    const held = (await actionsAt(dmesgUri, message, 2)).find(({ title }) => title === 'Who held the slots')!;
    const [uri, line] = held.command!.arguments as [string, number];
    expect(uri).toBe(traceUri);
    expect(traceLines[line - 1]).toMatch(/dma_addr=ffffffffffffffff|swiotlb_bounced/);
  });

  it('shows no bulb on an ordinary mapping, but has actions when asked', async () => {
    expect(await actionsAt(traceUri, mapping, 2)).toEqual([]);
    const titles = (await actionsAt(traceUri, mapping, 1)).map(({ title }) => title);
    expect(titles).toEqual(
      expect.arrayContaining([expect.stringMatching(/^Go to the unmap at line/), 'Who held the slots']),
    );
  });

  it('names the smallest parameter once it is known', async () => {
    const size = await server.ask(sizeRequest, { uri: traceUri, bounceAll: false, cpus: null, headroom: 0.2, set: {} });
    expect(size.ok).toBe(true);
    const parameter = size.ok ? size.value.smallest.find(({ policy }) => policy === 'fixed')!.bootParameter : '';
    const titles = (await actionsAt(traceUri, failing, 2)).map(({ title }) => title);
    expect(titles).toContainEqual(expect.stringContaining(`Copy ${parameter} (`));
  });

  it('leaves ignored episodes out and counts them at the top', async () => {
    const before = await server.diagnosticsOf(traceUri, (found) => found.length > 0);
    const errors = before.filter(({ severity, data }) => severity !== 4 && data !== undefined);
    const key = (errors[0]!.data as { episode: string }).episode;
    await server.notify(ignoredEpisodesNotification.method, { uri: traceUri, episodes: [key] });
    const after = await server.diagnosticsOf(traceUri, (found) => found.length < before.length);
    expect(after.some(({ data }) => (data as { episode?: string } | undefined)?.episode === key)).toBe(false);
    const lenses = await server.request<CodeLens[]>('textDocument/codeLens', { textDocument: { uri: traceUri } });
    expect(lenses.map(({ command }) => command!.title)).toContainEqual(
      expect.stringMatching(/^1 episode ignored \(\d+ failures?\): show again$/),
    );
    await server.notify(ignoredEpisodesNotification.method, { uri: traceUri, episodes: [] });
    await server.diagnosticsOf(traceUri, (found) => found.length === before.length);
  });
});

describe('a hover on a failing line', () => {
  const card = async (uri: string, line: number, column: number) =>
    ((await server.hover(uri, line + 1, column))!.contents as MarkupContent).value;

  it('does not repeat the finding that the editor shows with it, in the trace and in the log', async () => {
    await server.diagnosticsOf(traceUri, (found) => found.length > 0);
    await server.diagnosticsOf(dmesgUri, (found) => found.length > 0);
    const message = dmesgLines.findIndex((text) => text.includes('swiotlb buffer is full'));
    for (const text of [await card(traceUri, failing, 60), await card(dmesgUri, message, 40)]) {
      const [verdict] = text.split('\n');
      expect(verdict).toMatch(/^\*\*Failed · (Pool full|Fragmented) · \d+ slots · \d+ KiB\*\*/);
      expect(text).not.toMatch(/swiotlb=\d|Holders now/);
    }
  });

  it('has the whole verdict where the editor shows no finding', async () => {
    const before = await server.diagnosticsOf(traceUri, (found) => found.length > 0);
    const own = before.find(({ range }) => range.start.line === failing)!;
    const { episode } = own.data as { episode: string };
    await server.notify(ignoredEpisodesNotification.method, { uri: traceUri, episodes: [episode] });
    await server.diagnosticsOf(traceUri, (found) => !found.some(({ range }) => range.start.line === failing));
    expect(await card(traceUri, failing, 60)).toMatch(/^\*\*Failed · (Pool full|Fragmented): needs \d+ slots/);
    await server.notify(ignoredEpisodesNotification.method, { uri: traceUri, episodes: [] });
    await server.diagnosticsOf(traceUri, (found) => found.length === before.length);
  });
});

describe('a finding in another file of the capture', () => {
  it('says of which file its line numbers are, and names one place per thing', async () => {
    const [first] = await server.diagnosticsOf(dmesgUri, (found) => found.length > 0);
    expect(first!.message).toMatch(/more like this until line [\d,]+ of trace\.txt \(/);
    const said = first!.relatedInformation!.map(({ message }) => message);
    expect(said.filter((message) => message === 'The kernel message of this failure.')).toEqual([]);
    const inTrace = (await server.diagnosticsOf(traceUri, (found) => found.length > 0))[0]!;
    expect(inTrace.message).toMatch(/more like this until line [\d,]+ \(/);
    expect(
      inTrace.relatedInformation!.filter(({ message }) => message === 'The kernel message of this failure.'),
    ).toHaveLength(1);
  });
});

describe('a client with commands', () => {
  it('gets links to them in cards and findings, the policy of its panel, and an answer while a trace is read', async () => {
    let letRead: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      letRead = resolve;
    });
    const client = {
      capabilities: {
        workspace: { configuration: true },
        textDocument: { publishDiagnostics: { codeDescriptionSupport: true } },
      },
      initializationOptions: { explainLink: 'command:explain?', hasCommands: true },
    };
    const editor = await LspServer.start(async () => {
      await asked;
      return {};
    }, client);
    try {
      await editor.openFromDisk(traceUri);
      const column = traceLines[failing]!.indexOf('dma_map_page') + 2;
      const cardNow = async () =>
        ((await editor.hover(traceUri, failing + 1, column))!.contents as MarkupContent).value;
      expect(await cardNow()).toMatch(/^_Still reading/);
      letRead();
      const found = await editor.diagnosticsOf(traceUri, (diagnostics) => diagnostics.length > 0);
      expect(found[0]!.codeDescription!.href).toMatch(/^command:explain\?%5B%22(fragmented|pool-full)%22%5D$/);
      expect(await cardNow()).toContain(`[Who held the slots](command:${languageCommands.whoHeld}?`);
      expect(await cardNow()).toMatch(/_modelled:_ dynamic/);
      await editor.notify(frontRunNotification.method, { uri: traceUri, run: { policy: 'transient', set: {} } });
      expect(await cardNow()).toMatch(/_modelled:_ transient/);
    } finally {
      await editor.stop();
    }
  });
});
