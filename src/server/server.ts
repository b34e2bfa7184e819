import { DiagnosticSeverity, type Hover, type InitializeResult, TextDocumentSyncKind } from 'vscode-languageserver';
import { connection } from '#connection';
import { platform } from '#platform';
import { hoverAt } from '../analysis/hover';
import { policiesReport } from '../analysis/replay';
import {
  type FrontRunParams,
  frontRunNotification,
  type IgnoredEpisodesParams,
  type InitializationOptions,
  ignoredEpisodesNotification,
} from '../protocol/language';
import {
  type AnalysedParams,
  type AnalysisFailedParams,
  analysedNotification,
  analysisFailedNotification,
  type CardParams,
  cancelAnalysisNotification,
  cardRequest,
  closeFileNotification,
  type DocumentParams,
  openFileNotification,
  type ReadingParams,
  readingNotification,
  type SizeProgressParams,
  sizeProgressNotification,
  textOnDiskNotification,
} from '../protocol/lsp';
import { FailureError, type Result } from '../protocol/result';
import { integer, object, text, type Validator } from '../protocol/validate';
import type { RunKey } from '../protocol/views';
import { diagnosticsOf } from './diagnostics';
import { docLink } from './docs';
import { Documents } from './documents';
import { cardView } from './editorViews';
import { shownFindingAt } from './finding';
import { IgnoredEpisodes } from './ignored';
import { languageCapabilities, registerLanguage } from './language';
import { lineReader } from './lineText';
import { LiveFiles } from './liveFiles';
import { Progress, Reading } from './progress';
import { Refresh } from './refresh';
import { prepareFindings } from './replays';
import { answer, registerRequests } from './requests';
import { SettingsStore } from './settings';
import { cardActionLink, toHover } from './toLsp';
import type { Trace } from './trace';
import { TraceStore } from './traceStore';

/** A hover that is answered later than this is not looked at any more. */
const hoverPatienceMs = 400;

/** After typing stops for so long, a changed document is analysed again. */
const quietMs = 300;

const cardParams: Validator<CardParams> = object({
  uri: text(8192),
  line: integer(1, 2 ** 31),
  column: integer(0, 2 ** 31),
  text: text(100_000),
});

const documents = new Documents();
const ignored = new IgnoredEpisodes();
const settings = new SettingsStore({
  ask: (uri) => connection.workspace.getConfiguration({ scopeUri: uri, section: 'swiotlbLens' }),
  policyIds: policiesReport().policies.map(({ id }) => id),
  onProblem: (problem) => connection.console.warn(problem),
});
let link = docLink(undefined);
const progress = new Progress(connection, (uri) => store.cancel(uri));
const refresh = new Refresh(connection);
const reading = new Reading(
  (params) => void connection.sendNotification(readingNotification.method, params satisfies ReadingParams),
);
const store = new TraceStore({
  documents,
  settings: (uri) => settings.of(uri),
  onPartial: async (uri, trace) => {
    if (documents.get(uri) !== undefined) {
      const failureCount = await sendFindings(uri, trace);
      reading.found(uri, failureCount);
    }
  },
  onProgress: (uri, done) => {
    readShare.set(uri, done);
    if (documents.isViewed(uri)) {
      reading.report(uri, done);
    } else {
      progress.report(uri, done);
    }
  },
});
/** By document: where its findings went, one place per file of an archive. */
const published = new Map<string, readonly string[]>();
/** Lines with a finding that the editor shows, by file; true: as a quiet mark only. */
const findingLines = new Map<string, ReadonlyMap<number, boolean>>();
const live = new LiveFiles({
  documents,
  store,
  onChanged: (uris) => {
    for (const uri of uris) {
      if (documents.get(uri) !== undefined) {
        schedule(uri, 0);
      }
    }
  },
});
/** How much of a document was read; kept after the end, as it may be read again. */
const readShare = new Map<string, number>();
/** By document: the run that its panel shows. */
const fronts = new Map<string, RunKey>();
let hasCommands = false;
const timers = new Map<string, ReturnType<typeof setTimeout>>();

connection.onInitialize((params): InitializeResult => {
  progress.isSupported = params.capabilities.window?.workDoneProgress === true;
  const options = params.initializationOptions as InitializationOptions | null | undefined;
  const canLink = params.capabilities.textDocument?.publishDiagnostics?.codeDescriptionSupport === true;
  link = docLink(canLink ? options?.explainLink : undefined);
  hasCommands = options?.hasCommands === true;
  refresh.supports(params.capabilities.workspace ?? {});
  settings.canAsk = params.capabilities.workspace?.configuration === true;
  return {
    capabilities: {
      textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental, save: { includeText: false } },
      hoverProvider: true,
      ...languageCapabilities,
    },
    serverInfo: { name: 'SWIOTLB Lens' },
  };
});

connection.onDidChangeConfiguration(async ({ settings: pushed }) => {
  settings.changed((pushed as { swiotlbLens?: unknown } | null | undefined)?.swiotlbLens);
  for (const uri of await store.reconfigure()) {
    if (documents.get(uri) === undefined) {
      // A panel may show it all the same.
      void tellAnalysed(uri);
    } else {
      schedule(uri, 0);
    }
  }
  refresh.all();
});

connection.onNotification(ignoredEpisodesNotification.method, ({ uri, episodes }: IgnoredEpisodesParams) => {
  ignored.set(uri, episodes);
  // Other files of the capture show the same failures.
  for (const open of documents.uris()) {
    schedule(open, 0);
  }
});

connection.onNotification(frontRunNotification.method, ({ uri, run }: FrontRunParams) => {
  if (run === null) {
    fronts.delete(uri);
  } else {
    fronts.set(uri, run);
  }
});

connection.onNotification(textOnDiskNotification.method, ({ uri }: { uri: string }) => {
  const before = documents.get(uri);
  documents.setOnDisk(uri);
  if (before?.text === null) {
    // The editor read the file again: what it has more is taken.
    void live.look(uri);
  } else if (before !== undefined) {
    changedDocument(uri);
  }
});

connection.onDidOpenTextDocument(async ({ textDocument: { uri, languageId, version, text } }) => {
  documents.open(uri, languageId, version, text);
  store.resume(uri);
  if (documents.get(uri)?.text) {
    store.invalidate(uri);
  } else {
    // The capture may have been analysed already, for another of its files.
    await store.refresh(uri);
  }
  if (documents.get(uri) !== undefined) {
    schedule(uri, 0);
  }
});

connection.onDidChangeTextDocument(({ textDocument: { uri, version }, contentChanges }) => {
  documents.change(uri, version, contentChanges);
  changedDocument(uri);
});

connection.onDidCloseTextDocument(({ textDocument: { uri } }) => {
  const hadText = documents.get(uri)?.text !== null;
  documents.close(uri);
  clearTimeout(timers.get(uri));
  timers.delete(uri);
  if (hadText) {
    store.invalidate(uri);
  }
  if (documents.isViewed(uri)) {
    // Another editor shows the file as it is on disk.
    schedule(uri, 0);
  } else {
    unpublish(uri);
  }
});

connection.onNotification(openFileNotification.method, async ({ uri }: DocumentParams) => {
  documents.view(uri);
  store.resume(uri);
  await store.refresh(uri);
  if (documents.get(uri) !== undefined) {
    schedule(uri, 0);
  }
});

connection.onNotification(closeFileNotification.method, ({ uri }: DocumentParams) => {
  if (documents.unview(uri) && documents.get(uri) === undefined) {
    clearTimeout(timers.get(uri));
    timers.delete(uri);
    store.abandon(uri);
    unpublish(uri);
  }
});

connection.onNotification(cancelAnalysisNotification.method, ({ uri }: DocumentParams) => {
  store.cancel(uri);
});

connection.onHover(async ({ textDocument: { uri }, position }): Promise<Hover | null> => {
  try {
    const trace = await Promise.race([store.get(uri), later(hoverPatienceMs)]);
    if (trace === null) {
      return readingCard(uri);
    }
    trace.front = fronts.get(uri) ?? null;
    const source = trace.sourceOf(uri);
    const line = position.line + 1;
    const lineText = await lineReader(trace.members[source], documents).line(line);
    const card = hoverAt(trace.analysis, {
      source,
      line,
      lineText,
      character: position.character,
      recorded: trace.recordedNow(),
      replay: trace.comparison(),
      finding: findingLines.get(uri)?.has(line) === true ? shownFindingAt(trace, uri, line) : null,
    });
    const actionLink = hasCommands ? cardActionLink({ uri, line }, (file) => trace.memberOfPath(file)?.uri) : null;
    return card === null ? null : toHover(card, (file, at) => linkTo(trace, file, at), actionLink);
  } catch (error) {
    report('hover', error);
    return null;
  }
});

connection.onRequest<Result<unknown>, unknown>(cardRequest.method, (raw: unknown) =>
  answer(
    cardRequest.method,
    async () => {
      const params = cardParams(raw);
      const trace = await store.get(params.uri);
      trace.front = fronts.get(params.uri) ?? null;
      const { uri, line } = params;
      // The page shows no quiet mark where there is a card.
      return cardView(
        trace,
        params,
        findingLines.get(uri)?.get(line) === false ? shownFindingAt(trace, uri, line) : null,
      );
    },
    report,
  ),
);

registerLanguage({ connection, documents, store, ignored, report });
registerRequests(
  (method, handler) => connection.onRequest<Result<unknown>, unknown>(method, handler),
  store,
  report,
  (uri, replays) =>
    void connection.sendNotification(sizeProgressNotification.method, { uri, replays } satisfies SizeProgressParams),
);

connection.onShutdown(() => {
  live.stop();
  timers.forEach(clearTimeout);
  timers.clear();
});

connection.listen();

/** Every open document that is analysed together with this one is out of date. */
function changedDocument(uri: string): void {
  for (const concerned of store.invalidate(uri)) {
    if (documents.get(concerned) !== undefined) {
      schedule(concerned, quietMs);
    }
  }
}

function schedule(uri: string, delayMs: number): void {
  clearTimeout(timers.get(uri));
  timers.set(
    uri,
    setTimeout(() => {
      timers.delete(uri);
      void publish(uri);
    }, delayMs),
  );
}

/** Analyses a document and tells the editor what was found. */
async function publish(uri: string): Promise<void> {
  let readAt = Number.NaN;
  try {
    const trace = await store.get(uri);
    readAt = performance.now();
    if (documents.get(uri) === undefined || trace.membersIn(uri).length === 0) {
      return;
    }
    await prepareFindings(trace);
    await sendFindings(uri, trace);
    await tellAnalysed(uri);
    refresh.all();
  } catch (error) {
    report('diagnostics', error);
    unpublish(uri);
    if (error instanceof FailureError && error.failure.kind === 'unavailable' && platform.pathOf(uri) !== null) {
      live.lost(uri);
    }
    const message =
      error instanceof FailureError
        ? error.message
        : 'The analysis failed because of a defect in SWIOTLB Lens; its log has the details.';
    await connection.sendNotification(analysisFailedNotification.method, {
      uri,
      message,
    } satisfies AnalysisFailedParams);
  } finally {
    live.rest(uri, performance.now() - readAt);
    progress.end(uri);
  }
}

/** Publishes the findings of a document, or of the files of an archive; tells how many failures there are. */
async function sendFindings(uri: string, trace: Trace): Promise<number> {
  const members = trace.membersIn(uri);
  const options = { ignored: ignored.of(trace.uris, trace.diagnose()), link };
  const diagnostics = await Promise.all(members.map((member) => diagnosticsOf(trace, member, documents, options)));
  published.set(
    uri,
    members.map((member) => member.uri),
  );
  for (const [index, member] of members.entries()) {
    const own = diagnostics[index] ?? [];
    findingLines.set(
      member.uri,
      new Map(own.map(({ range, severity }) => [range.start.line + 1, severity === DiagnosticSeverity.Hint])),
    );
    await connection.sendDiagnostics({ uri: member.uri, diagnostics: own });
  }
  return trace.diagnose().failures.length;
}

/** Takes back the findings of a document, or of the files in an archive. */
function unpublish(uri: string): void {
  for (const place of new Set([uri, ...(published.get(uri) ?? [])])) {
    findingLines.delete(place);
    void connection.sendDiagnostics({ uri: place, diagnostics: [] });
  }
  published.delete(uri);
}

async function tellAnalysed(uri: string): Promise<void> {
  const trace = await store.get(uri);
  const params: AnalysedParams = {
    uri,
    reading: trace.reading,
    failureCount: trace.diagnose().failures.length,
    requests: trace.info().requests,
    readBytes: store.readBytes,
    completeness: trace.info().ledger.completeness.score,
  };
  await connection.sendNotification(analysedNotification.method, params);
}

function later(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(resolve, ms, null));
}

/** A hover on a trace that is not read yet says so. */
function readingCard(uri: string): Hover {
  const share = readShare.get(uri) ?? 0;
  const percent = share > 0 && share < 1 ? `: ${Math.floor(share * 100)} %` : '';
  return { contents: { kind: 'markdown', value: `_Still reading${percent}_` } };
}

/** A link that opens a line: only files can be addressed like that. */
function linkTo(trace: Trace, file: string, line: number): string | null {
  const uri = trace.memberOfPath(file)?.uri;
  return uri !== undefined && platform.pathOf(uri) !== null ? `${uri}#L${line}` : null;
}

/** The outside world says no in one sentence; a bug of ours leaves its stack in the log. */
function report(feature: string, error: unknown): void {
  if (error instanceof FailureError) {
    connection.console.warn(`${feature}: ${error.message}`);
    return;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  connection.console.error(`${feature} failed: ${detail}`);
}
