import * as path from 'node:path';
import * as vscode from 'vscode';
import {
  CloseAction,
  type ErrorHandler,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
  State,
  TransportKind,
} from 'vscode-languageclient/node';
import { cardCommands, type InitializationOptions, languageCommands } from '../protocol/language';
import type {
  AnalysedParams,
  AnalysisFailedParams,
  DocumentParams,
  ReadingParams,
  RequestName,
  RunParams,
  SizeProgressParams,
} from '../protocol/lsp';
import {
  analysedNotification,
  analysisFailedNotification,
  readingNotification,
  runRequest,
  sizeProgressNotification,
  textOnDiskNotification,
} from '../protocol/lsp';
import { FailureError, type Result } from '../protocol/result';
import { languageId } from './detect';
import type { GeometryEdits } from './geometryEdits';

/** The language server, as the rest of the extension sees it. */
export interface Server {
  /** Asks; rejects with `FailureError` when the server has a reason, or with the transport's error. */
  ask<P, R>(request: RequestName<P, Result<R>>, params: P, token?: vscode.CancellationToken): Promise<R>;
  notify<P>(method: string, params: P): Promise<void>;
  readonly onAnalysed: vscode.Event<AnalysedParams>;
  readonly onAnalysisFailed: vscode.Event<AnalysisFailedParams>;
  readonly onSizeProgress: vscode.Event<SizeProgressParams>;
  /** How far a file of the custom editor was read. */
  readonly onReading: vscode.Event<ReadingParams>;
  /** It ended unexpectedly and is up again: what was asked before has to be asked anew. */
  readonly onRestarted: vscode.Event<void>;
  /** Something a replay was asked for is there now. */
  readonly onReplayed: vscode.Event<string>;
  stop(): Promise<void>;
}

export async function startServer(
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
  edits: GeometryEdits,
): Promise<Server> {
  const module = context.asAbsolutePath(path.join('dist', 'server.js'));
  const analysed = new vscode.EventEmitter<AnalysedParams>();
  const reading = new vscode.EventEmitter<ReadingParams>();
  const analysisFailed = new vscode.EventEmitter<AnalysisFailedParams>();
  const sizeProgress = new vscode.EventEmitter<SizeProgressParams>();
  const options: LanguageClientOptions = {
    documentSelector: [{ language: languageId }],
    outputChannel: log,
    // The server asks for the settings of each document when it reads it, and again when it hears of a change.
    synchronize: { configurationSection: 'swiotlbLens' },
    middleware: {},
    initializationOptions: {
      explainLink: `command:${languageCommands.explain}?`,
      hasCommands: true,
    } satisfies InitializationOptions,
    // Cards link to these commands only; text of a trace in them is escaped.
    markdown: { isTrusted: { enabledCommands: cardCommands } },
    errorHandler: restartWithOneMessage(() => client),
  };
  const client: LanguageClient = new LanguageClient(
    'swiotlbLens',
    'SWIOTLB Lens',
    {
      run: { module, transport: TransportKind.ipc },
      debug: { module, transport: TransportKind.ipc, options: { execArgv: ['--nolazy', '--inspect=6011'] } },
    },
    options,
  );
  Object.assign(options.middleware as Middleware, keepTextOnDisk(client), geometryOf(edits));
  client.onNotification(analysedNotification.method, (params: AnalysedParams) => analysed.fire(asWritten(params)));
  client.onNotification(analysisFailedNotification.method, (params: AnalysisFailedParams) =>
    analysisFailed.fire(asWritten(params)),
  );
  client.onNotification(readingNotification.method, (params: ReadingParams) => reading.fire(asWritten(params)));
  client.onNotification(sizeProgressNotification.method, (params: SizeProgressParams) => sizeProgress.fire(params));
  const restarted = new vscode.EventEmitter<void>();
  const replayed = new vscode.EventEmitter<string>();
  await client.start();
  context.subscriptions.push(
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Running) {
        restarted.fire();
      }
    }),
    // Where the settings come from does not matter to the server: it asks again.
    edits.onDidChange(() => void client.sendNotification('workspace/didChangeConfiguration', { settings: null })),
  );
  return {
    ask: async (request, params, token) => {
      // A token that is undefined would be sent as a second parameter.
      const rest = token === undefined ? [] : [token];
      const result = await client.sendRequest<Result<never>>(request.method, params, ...rest);
      if (!result.ok) {
        throw new FailureError(result.error);
      }
      if (request.method === runRequest.method) {
        replayed.fire((params as RunParams).uri);
      }
      return result.value;
    },
    notify: (method, params) => client.sendNotification(method, params as object),
    onAnalysed: analysed.event,
    onAnalysisFailed: analysisFailed.event,
    onSizeProgress: sizeProgress.event,
    onReading: reading.event,
    onRestarted: restarted.event,
    onReplayed: replayed.event,
    stop: () => client.stop(),
  };
}

/** The server may write a location in another way than VS Code does. */
function asWritten<P extends DocumentParams>(params: P): P {
  return { ...params, uri: vscode.Uri.parse(params.uri).toString() };
}

/** What the user said about the kernel of one trace comes with the settings of that trace. */
function geometryOf(edits: GeometryEdits): Middleware {
  return {
    workspace: {
      configuration: async (params, token, next) => {
        const found = await next(params, token);
        return Array.isArray(found)
          ? found.map((section, index) => edits.withEdits(section, params.items[index]?.scopeUri ?? ''))
          : found;
      },
    },
  };
}

/** One sentence for the user; panels and diagnostics come back by themselves. */
function restartWithOneMessage(client: () => LanguageClient): ErrorHandler {
  let made: ErrorHandler | undefined;
  const usual = (): ErrorHandler => {
    made ??= client().createDefaultErrorHandler();
    return made;
  };
  return {
    error: (error, message, count) => usual().error(error, message, count),
    closed: async () => {
      const { action } = await usual().closed();
      const message =
        action === CloseAction.Restart
          ? vscode.l10n.t('The analysis of SWIOTLB Lens ended unexpectedly and starts again.')
          : vscode.l10n.t(
              'The analysis of SWIOTLB Lens keeps ending unexpectedly. Its log says more; reload the window to try again.',
            );
      void vscode.window.showWarningMessage(message);
      // The client's own message would be a second one.
      return { action, message, handled: true };
    },
  };
}

/**
 * Documents that are clean files go without their text: the server reads the bytes itself, so that a 49 MB trace is not
 * copied through two JSON messages. The first change of such a document carries all of it.
 */
function keepTextOnDisk(client: LanguageClient): Middleware {
  const onDisk = new Set<string>();
  const announce = async (document: vscode.TextDocument) => {
    onDisk.add(document.uri.toString());
    await client.sendNotification(textOnDiskNotification.method, { uri: document.uri.toString() });
  };
  return {
    didOpen: async (document, next) => {
      if (!isCleanFile(document)) {
        return next(document);
      }
      await announce(document);
      return next(Object.create(document, { getText: { value: () => '' } }) as vscode.TextDocument);
    },
    didChange: async (event, next) => {
      const { document } = event;
      if (isCleanFile(document)) {
        // Changed on disk and read again, or undone back to what is saved.
        return announce(document);
      }
      if (!onDisk.delete(document.uri.toString())) {
        return next(event);
      }
      const whole = { range: new vscode.Range(0, 0, 0, 0), rangeOffset: 0, rangeLength: 0, text: document.getText() };
      return next({ document, reason: event.reason, contentChanges: [whole] } as vscode.TextDocumentChangeEvent);
    },
    didSave: async (document, next) => {
      await next(document);
      if (isCleanFile(document)) {
        await announce(document);
      }
    },
    didClose: (document, next) => {
      onDisk.delete(document.uri.toString());
      return next(document);
    },
  };
}

function isCleanFile(document: vscode.TextDocument): boolean {
  return document.uri.scheme === 'file' && !document.isDirty;
}
