import * as vscode from 'vscode';
import {
  type BaseLanguageClient,
  CloseAction,
  ConnectionError,
  ErrorAction,
  ErrorCodes,
  type ErrorHandler,
  type LanguageClientOptions,
  LSPErrorCodes,
  type Middleware,
  ResponseError,
  State,
} from 'vscode-languageclient';
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
import { type Failure, FailureError, type Result } from '../protocol/result';
import { languageId } from './detect';
import type { GeometryEdits } from './geometryEdits';
import type { Host } from './host';
import { Lifeline } from './lifeline';

/** The language server, as the rest of the extension sees it. */
export interface Server {
  /**
   * Asks; rejects with `FailureError` when the server has a reason. A question whose answer was lost because the server
   * ended unexpectedly is asked once more of the next one.
   */
  ask<P, R>(request: RequestName<P, Result<R>>, params: P, token?: vscode.CancellationToken): Promise<R>;
  /** Tells; what is lost because the server ended has to be told anew after `onRestarted`. */
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
  host: Host,
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
  edits: GeometryEdits,
): Promise<Server> {
  const analysed = new vscode.EventEmitter<AnalysedParams>();
  const reading = new vscode.EventEmitter<ReadingParams>();
  const analysisFailed = new vscode.EventEmitter<AnalysisFailedParams>();
  const sizeProgress = new vscode.EventEmitter<SizeProgressParams>();
  const life = new Lifeline(isLost);
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
    errorHandler: restartWithOneMessage(() => client, life),
    // Rejects `start`, which is enough; without this the client shows a message of its own.
    initializationFailedHandler: () => false,
  };
  const { client, stop }: { client: BaseLanguageClient; stop: () => Promise<void> } = await host.createClient(
    context,
    options,
  );
  const { error } = client;
  // What the client has to say itself goes to the log: the user reads a sentence of this extension, or none.
  client.error = (message, data) => error.call(client, message, data, false);
  Object.assign(options.middleware as Middleware, keepTextOnDisk(client, host), geometryOf(edits));
  client.onNotification(analysedNotification.method, (params: AnalysedParams) => analysed.fire(asWritten(params)));
  client.onNotification(analysisFailedNotification.method, (params: AnalysisFailedParams) =>
    analysisFailed.fire(asWritten(params)),
  );
  client.onNotification(readingNotification.method, (params: ReadingParams) => reading.fire(asWritten(params)));
  client.onNotification(sizeProgressNotification.method, (params: SizeProgressParams) => sizeProgress.fire(params));
  const restarted = new vscode.EventEmitter<void>();
  const replayed = new vscode.EventEmitter<string>();
  const notify = (method: string, params: unknown) =>
    life.tell(() => client.sendNotification(method, params as object));
  await client.start();
  life.up();
  context.subscriptions.push(
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Running) {
        // Documents are told to the new server first.
        void client.start().then(
          () => {
            life.up();
            restarted.fire();
          },
          () => undefined,
        );
      } else if (newState === State.StartFailed) {
        // A server that ended while it came up is started again at once.
        setTimeout(() => {
          if (client.state === State.StartFailed) {
            endForGood(life);
          }
        });
      }
    }),
    // Where the settings come from does not matter to the server: it asks again.
    edits.onDidChange(() => void notify('workspace/didChangeConfiguration', { settings: null })),
  );
  return {
    ask: async (request, params, token) => {
      // A token that is undefined would be sent as a second parameter.
      const rest = token === undefined ? [] : [token];
      const send = () => client.sendRequest<Result<never>>(request.method, params, ...rest);
      const result = await life.ask(send, givenUp()).catch((error: unknown) => {
        throw isCancelled(error) ? new FailureError({ kind: 'cancelled', message: error.message }) : error;
      });
      if (!result.ok) {
        throw new FailureError(result.error);
      }
      if (request.method === runRequest.method) {
        replayed.fire((params as RunParams).uri);
      }
      return result.value;
    },
    notify,
    onAnalysed: analysed.event,
    onAnalysisFailed: analysisFailed.event,
    onSizeProgress: sizeProgress.event,
    onReading: reading.event,
    onRestarted: restarted.event,
    onReplayed: replayed.event,
    stop: () => {
      life.gone({ kind: 'cancelled', message: 'The extension was stopped.' });
      return stop();
    },
  };
}

/** Codes with which the client rejects what never reached the server, or was never answered by it. */
const lostCodes: readonly number[] = [
  ErrorCodes.PendingResponseRejected,
  ErrorCodes.ConnectionInactive,
  ErrorCodes.MessageWriteError,
  ErrorCodes.MessageReadError,
];

function isLost(error: unknown): boolean {
  return error instanceof ConnectionError || (error instanceof ResponseError && lostCodes.includes(error.code));
}

function isCancelled(error: unknown): error is ResponseError<unknown> {
  const codes: readonly number[] = [LSPErrorCodes.RequestCancelled, LSPErrorCodes.ServerCancelled];
  return error instanceof ResponseError && codes.includes(error.code);
}

function givenUp(): Failure {
  return {
    kind: 'unavailable',
    message: vscode.l10n.t('The analysis ended unexpectedly twice on the way to an answer.'),
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
function restartWithOneMessage(client: () => BaseLanguageClient, life: Lifeline): ErrorHandler {
  let made: ErrorHandler | undefined;
  const usual = (): ErrorHandler => {
    made ??= client().createDefaultErrorHandler();
    return made;
  };
  return {
    // What is written to a server that has just ended fails. The client would say so each time, and after a few times not
    // start another one.
    error: () => ({ action: ErrorAction.Continue, handled: true }),
    closed: async () => {
      if (!life.hasBegun) {
        // `start` rejects, and whoever called it may call it again.
        return { action: CloseAction.DoNotRestart, handled: true };
      }
      life.down();
      const { action } = await usual().closed();
      if (action !== CloseAction.Restart) {
        return { action, message: endForGood(life), handled: true };
      }
      const message = vscode.l10n.t('The analysis of SWIOTLB Lens ended unexpectedly and starts again.');
      void vscode.window.showWarningMessage(message);
      // The client's own message would be a second one.
      return { action, message, handled: true };
    },
  };
}

/** There will be no other server. Returns what the user reads. */
function endForGood(life: Lifeline): string {
  const message = vscode.l10n.t(
    'The analysis of SWIOTLB Lens keeps ending unexpectedly. Its log says more; reload the window to try again.',
  );
  void vscode.window.showWarningMessage(message);
  life.gone({ kind: 'unavailable', message });
  return message;
}

/**
 * Documents that are clean files go without their text: the server reads the bytes itself, so that a 49 MB trace is not
 * copied through two JSON messages. The first change of such a document carries all of it.
 */
function keepTextOnDisk(client: BaseLanguageClient, host: Host): Middleware {
  const isCleanFile = (document: vscode.TextDocument) => host.isOnDisk(document.uri) && !document.isDirty;
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
