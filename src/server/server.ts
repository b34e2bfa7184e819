import {
  createConnection,
  type Hover,
  type InitializeResult,
  ProposedFeatures,
  TextDocumentSyncKind,
} from 'vscode-languageserver/node';
import { hoverAt } from '../analysis/hover';
import { policiesReport } from '../analysis/replay';
import {
  type IgnoredEpisodesParams,
  type InitializationOptions,
  ignoredEpisodesNotification,
} from '../protocol/language';
import {
  type AnalysedParams,
  type AnalysisFailedParams,
  analysedNotification,
  analysisFailedNotification,
  type SizeProgressParams,
  sizeProgressNotification,
  textOnDiskNotification,
} from '../protocol/lsp';
import { FailureError, type Result } from '../protocol/result';
import { diagnosticsOf } from './diagnostics';
import { docLink } from './docs';
import { Documents } from './documents';
import { IgnoredEpisodes } from './ignored';
import { languageCapabilities, registerLanguage } from './language';
import { lineReader } from './lineText';
import { Progress } from './progress';
import { Refresh } from './refresh';
import { registerRequests } from './requests';
import { SettingsStore } from './settings';
import { toHover } from './toLsp';
import type { Trace } from './trace';
import { TraceStore } from './traceStore';

/** After typing stops for so long, a changed document is analysed again. */
const quietMs = 300;

const connection = createConnection(ProposedFeatures.all);
const documents = new Documents();
const ignored = new IgnoredEpisodes();
const settings = new SettingsStore({
  ask: (uri) => connection.workspace.getConfiguration({ scopeUri: uri, section: 'swiotlbLens' }),
  policyIds: policiesReport().policies.map(({ id }) => id),
  onProblem: (problem) => connection.console.warn(problem),
});
let link = docLink(undefined);
const progress = new Progress(connection);
const refresh = new Refresh(connection);
const store = new TraceStore({
  documents,
  settings: (uri) => settings.of(uri),
  onProgress: (uri, done) => progress.report(uri, done),
});
const timers = new Map<string, NodeJS.Timeout>();

connection.onInitialize((params): InitializeResult => {
  progress.isSupported = params.capabilities.window?.workDoneProgress === true;
  const options = params.initializationOptions as InitializationOptions | null | undefined;
  const canLink = params.capabilities.textDocument?.publishDiagnostics?.codeDescriptionSupport === true;
  link = docLink(canLink ? options?.explainLink : undefined);
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

connection.onNotification(textOnDiskNotification.method, ({ uri }: { uri: string }) => {
  const wasOpen = documents.get(uri) !== undefined;
  documents.setOnDisk(uri);
  if (wasOpen) {
    changedDocument(uri);
  }
});

connection.onDidOpenTextDocument(async ({ textDocument: { uri, languageId, version, text } }) => {
  documents.open(uri, languageId, version, text);
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
  void connection.sendDiagnostics({ uri, diagnostics: [] });
});

connection.onHover(async ({ textDocument: { uri }, position }): Promise<Hover | null> => {
  try {
    const trace = await store.get(uri);
    const source = trace.sourceOf(uri);
    const line = position.line + 1;
    const lineText = await lineReader(trace.members[source], documents).line(line);
    const card = hoverAt(trace.analysis, {
      source,
      line,
      lineText,
      character: position.character,
      recorded: trace.recorded(),
      replay: trace.comparison(),
    });
    return card === null ? null : toHover(card, (file, at) => linkTo(trace, file, at));
  } catch (error) {
    report('hover', error);
    return null;
  }
});

registerLanguage({ connection, documents, store, ignored, report });
registerRequests(
  (method, handler) => connection.onRequest<Result<unknown>, unknown>(method, handler),
  store,
  report,
  (uri, replays) =>
    void connection.sendNotification(sizeProgressNotification.method, { uri, replays } satisfies SizeProgressParams),
);

connection.onShutdown(() => {
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
  try {
    const trace = await store.get(uri);
    const member = trace.members[trace.sourceOf(uri)];
    if (documents.get(uri) === undefined || member === undefined) {
      return;
    }
    const diagnostics = await diagnosticsOf(trace, member, documents, {
      ignored: ignored.of(trace.uris, trace.diagnose()),
      link,
    });
    await connection.sendDiagnostics({ uri, diagnostics });
    await tellAnalysed(uri);
    refresh.all();
  } catch (error) {
    report('diagnostics', error);
    await connection.sendDiagnostics({ uri, diagnostics: [] });
    const message =
      error instanceof FailureError
        ? error.message
        : 'The analysis failed because of a defect in SWIOTLB Lens; its log has the details.';
    await connection.sendNotification(analysisFailedNotification.method, {
      uri,
      message,
    } satisfies AnalysisFailedParams);
  } finally {
    progress.end(uri);
  }
}

async function tellAnalysed(uri: string): Promise<void> {
  const trace = await store.get(uri);
  const params: AnalysedParams = {
    uri,
    failureCount: trace.diagnose().failures.length,
    requests: trace.info().requests,
    completeness: trace.info().ledger.completeness.score,
  };
  await connection.sendNotification(analysedNotification.method, params);
}

/** A link that opens a line: only files can be addressed like that. */
function linkTo(trace: Trace, file: string, line: number): string | null {
  const uri = trace.memberOfPath(file)?.uri;
  return uri?.startsWith('file:') ? `${uri}#L${line}` : null;
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
