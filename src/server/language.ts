import {
  CodeActionKind,
  type CodeLens,
  type Connection,
  type DocumentHighlight,
  DocumentHighlightKind,
  type DocumentSymbol,
  type FoldingRange,
  FoldingRangeKind,
  type InlayHint,
  type Location,
  type Position,
  SemanticTokensBuilder,
  type ServerCapabilities,
  SymbolKind,
  uinteger,
  type WorkspaceSymbol,
} from 'vscode-languageserver';
import { type CodeLensReport, codeLensesOf } from '../analysis/codeLenses';
import { inlayHintsOf } from '../analysis/inlayHints';
import { type LineTokenKind, lineTokens } from '../analysis/lineTokens';
import {
  definitionsAt,
  devicesNamed,
  heldAt,
  type LinePlace,
  linesOfMapping,
  type PlaceQuery,
  type PlaceUse,
  referencesAt,
} from '../analysis/navigation';
import { foldingOf, symbolsOf, type TraceSymbol } from '../analysis/outline';
import { type LineParams, maxHeldPlaces, semanticTokenTypes, type WhoHeldView } from '../protocol/language';
import { codeActionsAt } from './codeActions';
import { commandFor } from './commands';
import type { Documents } from './documents';
import type { IgnoredEpisodes } from './ignored';
import { lineReader, messageColumn } from './lineText';
import { prepareFindings } from './replays';
import { toRange } from './toLsp';
import type { Trace } from './trace';
import type { TraceStore } from './traceStore';

export interface LanguageHost {
  readonly connection: Connection;
  readonly documents: Documents;
  readonly store: TraceStore;
  readonly ignored: IgnoredEpisodes;
  /** Logs what went wrong; the feature answers with nothing. */
  readonly report: (feature: string, error: unknown) => void;
}

/** What `registerLanguage` answers. */
export const languageCapabilities: ServerCapabilities = {
  definitionProvider: true,
  referencesProvider: true,
  documentHighlightProvider: true,
  documentSymbolProvider: true,
  workspaceSymbolProvider: true,
  foldingRangeProvider: true,
  codeLensProvider: {},
  codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix, CodeActionKind.Empty] },
  inlayHintProvider: true,
  semanticTokensProvider: { legend: { tokenTypes: [...semanticTokenTypes], tokenModifiers: [] }, range: true },
};

/** Columns are looked up for so many places; further ones point at the line as a whole. */
const placesWithColumns = 50;
/** Lines that are coloured or get hints at a time; an editor asks for what it shows. */
const maxStretchLines = 5000;
/** VS Code takes no more by default. */
const defaultFoldLimit = 5000;
const maxHeaderLines = 100;
const maxWorkspaceSymbols = 200;

/** Navigation, outline, folding, lenses, hints and colours of traces and logs. */
export function registerLanguage(host: LanguageHost): void {
  const { connection } = host;
  /** A bug in one feature leaves the others alone, and the editor without an answer instead of an error. */
  const guarded =
    <P extends { textDocument: { uri: string } }, R>(
      feature: string,
      fallback: R,
      make: (document: TraceDocument, params: P) => R | Promise<R>,
    ) =>
    async (params: P): Promise<R> => {
      try {
        return await make(await documentOf(host, params.textDocument.uri), params);
      } catch (error) {
        host.report(feature, error);
        return fallback;
      }
    };
  connection.onDefinition(
    guarded('definition', [], async (document, { position }) =>
      locationsOf(document, definitionsAt(document.trace.analysis, await queryAt(document, position))),
    ),
  );
  connection.onReferences(
    guarded('references', [], async (document, { position }) =>
      locationsOf(document, referencesAt(document.trace.analysis, await queryAt(document, position))),
    ),
  );
  connection.onDocumentHighlight(
    guarded('highlight', [], (document, { position }) => highlightsOf(document, position.line + 1)),
  );
  connection.onDocumentSymbol(
    guarded('outline', [], ({ trace, source }) =>
      symbolsOf(trace.analysis, trace.diagnose(), source).map(toDocumentSymbol),
    ),
  );
  connection.onFoldingRanges(guarded('folding', [], (document) => foldsOf(document)));
  connection.onWorkspaceSymbol(async ({ query }) => {
    try {
      const traces = await host.store.loaded();
      return traces.flatMap((trace) => deviceSymbols(trace, query)).slice(0, maxWorkspaceSymbols);
    } catch (error) {
      host.report('symbols', error);
      return [];
    }
  });
  connection.onCodeLens(
    guarded('lenses', [], ({ trace, source, uri }) => {
      const report = trace.diagnose();
      const lenses = codeLensesOf(trace.analysis, report, source, host.ignored.of(trace.uris, report));
      return lenses.map((lens) => toCodeLens(uri, trace.uris, lens));
    }),
  );
  connection.onCodeAction(
    guarded('actions', [], async ({ trace, reader }, params) =>
      codeActionsAt(trace, await reader.line(params.range.start.line + 1), params),
    ),
  );
  connection.languages.inlayHint.on(
    guarded('hints', [] as InlayHint[], (document, { range }) =>
      hintsOf(document, range.start.line + 1, range.end.line + 1),
    ),
  );
  connection.languages.semanticTokens.onRange(
    guarded('colours', { data: [] as number[] }, async ({ reader }, { range }) => {
      const builder = new SemanticTokensBuilder();
      const count = Math.min(maxStretchLines, range.end.line - range.start.line + 1);
      const texts = await reader.lines(range.start.line + 1, count);
      for (const [index, text] of texts.entries()) {
        for (const { start, length, kind } of lineTokens(text)) {
          builder.push(range.start.line + index, start, length, tokenTypes[kind], 0);
        }
      }
      return builder.build();
    }),
  );
}

/** A document as one file of an analysed capture. */
interface TraceDocument {
  readonly uri: string;
  readonly trace: Trace;
  /** Row of the source table. */
  readonly source: number;
  readonly reader: ReturnType<typeof lineReader>;
  readonly documents: Documents;
}

async function documentOf({ store, documents }: LanguageHost, uri: string): Promise<TraceDocument> {
  const trace = await store.get(uri);
  await prepareFindings(trace);
  const source = trace.sourceOf(uri);
  return { uri, trace, source, reader: lineReader(trace.members[source], documents), documents };
}

async function queryAt({ source, reader }: TraceDocument, { line, character }: Position): Promise<PlaceQuery> {
  return { source, line: line + 1, lineText: await reader.line(line + 1), character };
}

async function locationsOf({ trace, documents }: TraceDocument, places: readonly LinePlace[]): Promise<Location[]> {
  const locations: Location[] = [];
  for (const [index, { source, line }] of places.entries()) {
    const member = trace.members[source];
    if (member !== undefined) {
      const text = index < placesWithColumns ? await lineReader(member, documents).line(line) : '';
      locations.push({ uri: member.uri, range: messageRange(line, text) });
    }
  }
  return locations;
}

function messageRange(line: number, text: string): Location['range'] {
  const startColumn = messageColumn(text);
  return toRange({ line, startColumn, endColumn: Math.max(startColumn, text.trimEnd().length) });
}

/** The event or the words of failure: a mark on all of the line would hide what it says. */
function nameRange(line: number, text: string): Location['range'] {
  const name = lineTokens(text).find(({ kind }) => kind === 'event' || kind === 'failure' || kind === 'function');
  return name === undefined
    ? messageRange(line, text)
    : toRange({ line, startColumn: name.start, endColumn: name.start + name.length });
}

const highlightKinds: Readonly<Record<PlaceUse, DocumentHighlightKind>> = {
  attempt: DocumentHighlightKind.Write,
  map: DocumentHighlightKind.Write,
  unmap: DocumentHighlightKind.Read,
  message: DocumentHighlightKind.Text,
  retry: DocumentHighlightKind.Text,
  pool: DocumentHighlightKind.Text,
  device: DocumentHighlightKind.Text,
};

async function highlightsOf({ trace, source, reader }: TraceDocument, line: number): Promise<DocumentHighlight[]> {
  const places = linesOfMapping(trace.analysis, source, line, await reader.line(line)).filter(
    (place) => place.source === source,
  );
  return Promise.all(
    places.slice(0, placesWithColumns).map(async (place) => ({
      range: nameRange(place.line, await reader.line(place.line)),
      kind: highlightKinds[place.use],
    })),
  );
}

const symbolKinds: Readonly<Record<TraceSymbol['kind'], SymbolKind>> = {
  group: SymbolKind.Namespace,
  phase: SymbolKind.Module,
  pool: SymbolKind.Array,
  episode: SymbolKind.Event,
  device: SymbolKind.Class,
};

function toDocumentSymbol(symbol: TraceSymbol): DocumentSymbol {
  const firstLine = Math.max(0, symbol.firstLine - 1);
  const start = { line: firstLine, character: 0 };
  return {
    name: symbol.name,
    detail: symbol.detail,
    kind: symbolKinds[symbol.kind],
    range: { start, end: { line: Math.max(firstLine, symbol.lastLine - 1), character: uinteger.MAX_VALUE } },
    selectionRange: { start, end: start },
    children: symbol.children.map(toDocumentSymbol),
  };
}

async function foldsOf({ trace, source, reader }: TraceDocument): Promise<FoldingRange[]> {
  const head = await reader.lines(1, maxHeaderLines);
  const found = head.findIndex((text) => !text.startsWith('#'));
  const headerLines = found === -1 ? head.length : found;
  const header: FoldingRange[] =
    headerLines > 1 ? [{ startLine: 0, endLine: headerLines - 1, kind: FoldingRangeKind.Comment }] : [];
  const folds = foldingOf(trace.analysis, trace.diagnose(), source, defaultFoldLimit - header.length);
  return [
    ...header,
    ...folds.map(({ firstLine, lastLine }) => ({
      startLine: firstLine - 1,
      endLine: lastLine - 1,
      kind: FoldingRangeKind.Region,
    })),
  ];
}

function deviceSymbols(trace: Trace, query: string): WorkspaceSymbol[] {
  return devicesNamed(trace.analysis, query).flatMap(({ name, driver, source, line }) => {
    const member = trace.members[source];
    if (member === undefined) {
      return [];
    }
    return [
      {
        name: driver === '' ? name : `${name} ${driver}`,
        kind: SymbolKind.Class,
        containerName: member.path.slice(member.path.lastIndexOf('/') + 1),
        location: { uri: member.uri, range: toRange({ line, startColumn: 0, endColumn: 0 }) },
      },
    ];
  });
}

function toCodeLens(uri: string, uris: readonly string[], { line, title, action, cause }: CodeLensReport): CodeLens {
  return {
    range: toRange({ line, startColumn: 0, endColumn: 0 }),
    command: action === null ? { title, command: '' } : { title, ...commandFor(action, { uri, uris, line, cause }) },
  };
}

async function hintsOf({ trace, source, reader }: TraceDocument, first: number, last: number): Promise<InlayHint[]> {
  const mode = trace.settings.inlayHints;
  if (mode === 'off') {
    return [];
  }
  const texts = await reader.lines(first, Math.min(maxStretchLines, last - first + 1));
  return inlayHintsOf(trace.analysis, { source, firstLine: first, texts, mode }).map(
    ({ line, column, text, tooltip }) => ({
      position: { line: line - 1, character: column },
      label: text,
      tooltip,
      paddingLeft: true,
    }),
  );
}

const tokenTypes: Readonly<Record<LineTokenKind, number>> = {
  time: semanticTokenTypes.indexOf('traceTime'),
  cpu: semanticTokenTypes.indexOf('traceCpu'),
  task: semanticTokenTypes.indexOf('traceTask'),
  flags: semanticTokenTypes.indexOf('traceFlags'),
  event: semanticTokenTypes.indexOf('traceEvent'),
  function: semanticTokenTypes.indexOf('traceFunction'),
  device: semanticTokenTypes.indexOf('traceDevice'),
  field: semanticTokenTypes.indexOf('traceField'),
  address: semanticTokenTypes.indexOf('traceAddress'),
  size: semanticTokenTypes.indexOf('traceSize'),
  keyword: semanticTokenTypes.indexOf('traceKeyword'),
  number: semanticTokenTypes.indexOf('traceNumber'),
  failure: semanticTokenTypes.indexOf('traceFailure'),
  comment: semanticTokenTypes.indexOf('traceComment'),
};

/** Who has the slots just before a line. */
export function whoHeldView(trace: Trace, { uri, line }: LineParams): WhoHeldView {
  const { analysis } = trace;
  const held = heldAt(analysis, trace.sourceOf(uri), line);
  const byDevice = new Map<number, { slots: number; mappings: number; oldestLine: number | null }>();
  for (const { device, slots, mapLine } of held) {
    const known = byDevice.get(device);
    if (known === undefined) {
      byDevice.set(device, { slots, mappings: 1, oldestLine: mapLine === 0 ? null : mapLine });
    } else {
      known.slots += slots;
      known.mappings++;
    }
  }
  const nameOf = (device: number) => analysis.tables.devices[device]?.name ?? '';
  const inTrace = held.filter(({ mapLine }) => mapLine > 0);
  return {
    line,
    slots: held.reduce((sum, { slots }) => sum + slots, 0),
    devices: [...byDevice]
      .map(([device, use]) => ({
        name: nameOf(device),
        driver: analysis.tables.devices[device]?.driver || null,
        ...use,
      }))
      .sort((a, b) => b.slots - a.slots),
    places: inTrace
      .slice(0, maxHeldPlaces)
      .map(({ mapLine, slots, device }) => ({ line: mapLine, slots, device: nameOf(device) })),
    beforeTrace: held.length - inTrace.length,
  };
}
