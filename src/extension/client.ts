import * as path from 'node:path';
import * as vscode from 'vscode';
import { LanguageClient, type LanguageClientOptions, type Middleware, TransportKind } from 'vscode-languageclient/node';
import type { AnalysedParams, AnalysisFailedParams, RequestName, SizeProgressParams } from '../protocol/lsp';
import {
  analysedNotification,
  analysisFailedNotification,
  sizeProgressNotification,
  textOnDiskNotification,
} from '../protocol/lsp';
import { FailureError, type Result } from '../protocol/result';
import { languageId } from './detect';

/** The language server, as the rest of the extension sees it. */
export interface Server {
  /** Asks; rejects with `FailureError` when the server has a reason, or with the transport's error. */
  ask<P, R>(request: RequestName<P, Result<R>>, params: P, token?: vscode.CancellationToken): Promise<R>;
  readonly onAnalysed: vscode.Event<AnalysedParams>;
  readonly onAnalysisFailed: vscode.Event<AnalysisFailedParams>;
  readonly onSizeProgress: vscode.Event<SizeProgressParams>;
  stop(): Promise<void>;
}

export async function startServer(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<Server> {
  const module = context.asAbsolutePath(path.join('dist', 'server.js'));
  const analysed = new vscode.EventEmitter<AnalysedParams>();
  const analysisFailed = new vscode.EventEmitter<AnalysisFailedParams>();
  const sizeProgress = new vscode.EventEmitter<SizeProgressParams>();
  const options: LanguageClientOptions = {
    documentSelector: [{ language: languageId }],
    outputChannel: log,
    // Later changes come by didChangeConfiguration; the first analysis must not wait for one.
    initializationOptions: {
      captureFolders: vscode.workspace.getConfiguration('swiotlbLens').get('captureFolders', true),
    },
    synchronize: { configurationSection: 'swiotlbLens' },
    middleware: {},
  };
  const client = new LanguageClient(
    'swiotlbLens',
    'SWIOTLB Lens',
    {
      run: { module, transport: TransportKind.ipc },
      debug: { module, transport: TransportKind.ipc, options: { execArgv: ['--nolazy', '--inspect=6011'] } },
    },
    options,
  );
  Object.assign(options.middleware as Middleware, keepTextOnDisk(client));
  client.onNotification(analysedNotification.method, (params: AnalysedParams) => analysed.fire(params));
  client.onNotification(analysisFailedNotification.method, (params: AnalysisFailedParams) =>
    analysisFailed.fire(params),
  );
  client.onNotification(sizeProgressNotification.method, (params: SizeProgressParams) => sizeProgress.fire(params));
  await client.start();
  return {
    ask: async (request, params, token) => {
      // A token that is undefined would be sent as a second parameter.
      const rest = token === undefined ? [] : [token];
      const result = await client.sendRequest<Result<never>>(request.method, params, ...rest);
      if (!result.ok) {
        throw new FailureError(result.error);
      }
      return result.value;
    },
    onAnalysed: analysed.event,
    onAnalysisFailed: analysisFailed.event,
    onSizeProgress: sizeProgress.event,
    stop: () => client.stop(),
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
