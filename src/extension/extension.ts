import * as vscode from 'vscode';
import { type Server, startServer } from './client';
import { guarded, pickPolicy, registerCommands } from './commands';
import { compareWith } from './compareWith';
import { languageId, watchDocuments } from './detect';
import { FrontTrace } from './frontTrace';
import { GeometryEdits } from './geometryEdits';
import type { Host } from './host';
import { registerLanguageCommands, sendFronts, sendIgnored } from './language';
import { EditorChoice } from './openWith';
import { PanelMemories } from './panelMemories';
import { panelViewType, ReplayPanels } from './replayPanel';
import { openSample } from './samples';
import { traceEditorOptionViewType, traceEditorViewType } from './showLine';
import { CursorStatus, showLogCommand } from './statusBar';
import { TraceEditorProvider } from './traceEditor';
import { TraceEditors } from './traceEditors';
import { SideViews } from './views/sideViews';

let running: Promise<Server> | undefined;

/** Both entries, `nodeMain.ts` and `webMain.ts`, begin here. */
export function activateIn(host: Host, context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('SWIOTLB Lens', { log: true });
  const editors = new TraceEditors();
  const edits = new GeometryEdits(context.workspaceState);
  /** Starts the server once, when the first trace or command needs it. */
  const server = (): Promise<Server> => {
    running ??= startServer(host, context, log, edits).then((started) => {
      sendIgnored(context, started);
      context.subscriptions.push(
        started.onAnalysed((params) => {
          panels.analysed(params);
          status.analysed(params);
          views.analysed(params);
        }),
        started.onAnalysisFailed(({ uri, message }) => status.analysisFailed(uri, message)),
        started.onReplayed((uri) => views.replayed(uri)),
        started.onRestarted(() => {
          views.refresh();
          sendIgnored(context, started);
          void sendFronts(panels, server);
          for (const uri of panels.uris()) {
            panels.reload(uri);
          }
          status.refresh();
        }),
        started.onSizeProgress(({ uri, replays }) => panels.sizeProgress(uri, replays)),
      );
      return started;
    });
    running.catch((error: unknown) => {
      running = undefined;
      // VS Code says nothing by itself when a server does not start.
      log.error(error instanceof Error ? error : String(error));
      void vscode.window.showErrorMessage(
        vscode.l10n.t('SWIOTLB Lens could not start its analysis; the log says why.'),
      );
    });
    return running;
  };
  const panels: ReplayPanels = new ReplayPanels({
    extensionUri: context.extensionUri,
    log,
    editors,
    server,
    addPolicy: (uri) => pickPolicy({ panels, server }, uri),
    openSample: () => openSample(context.extensionUri, editors),
    memories: new PanelMemories(context.workspaceState),
    compareWith: (uri) => compareWith(panels, editors, uri),
    verified: (uri, view) => status.verified(uri, view),
    frontChanged: () => {
      status.refresh();
      void sendFronts(panels, server);
    },
  });
  const choice = new EditorChoice(host, context, log);
  const provider = new TraceEditorProvider({
    machine: host,
    extensionUri: context.extensionUri,
    log,
    editors,
    server,
    openAsText: (uri, column) => choice.openAsText(uri, column),
  });
  context.subscriptions.push(
    ...[traceEditorViewType, traceEditorOptionViewType].map((viewType) =>
      vscode.window.registerCustomEditorProvider(viewType, provider, {
        // The reading thread lives as long as the editor: coming back to its tab costs nothing.
        webviewOptions: { retainContextWhenHidden: true },
        supportsMultipleEditorsPerDocument: true,
      }),
    ),
    log,
    ...registerLanguageCommands({ context, log, editors, server }),
    ...registerCommands({ extensionUri: context.extensionUri, log, panels, editors, choice, server }),
    vscode.commands.registerCommand(showLogCommand, () => log.show()),
    vscode.window.registerWebviewPanelSerializer(panelViewType, panels),
  );
  const front = new FrontTrace(context, panels, editors);
  const status = new CursorStatus(context, panels, editors, front, server);
  const views = new SideViews(context, {
    front,
    log,
    panels,
    editors,
    edits,
    server,
    guarded: (action) => guarded({ log }, action),
  });
  const startFor = (document: vscode.TextDocument) => {
    if (document.languageId === languageId) {
      // What went wrong is said by `server` itself.
      server().catch(() => undefined);
    }
  };
  context.subscriptions.push(vscode.workspace.onDidOpenTextDocument(startFor));
  vscode.workspace.textDocuments.forEach(startFor);
  watchDocuments(context);
  if (host.isDemo) {
    void demo(context.extensionUri, editors, log);
  }
}

export async function deactivate(): Promise<void> {
  const server = await running?.catch(() => undefined);
  await server?.stop();
}

/** What `npm start` shows: the bundled trace, replayed. */
async function demo(extensionUri: vscode.Uri, editors: TraceEditors, log: vscode.LogOutputChannel): Promise<void> {
  try {
    await openSample(extensionUri, editors, 'full-1MiB');
    await vscode.commands.executeCommand('swiotlbLens.replayDynamic');
  } catch (error) {
    log.error(error instanceof Error ? error : String(error));
  }
}
