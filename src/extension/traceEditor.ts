import * as vscode from 'vscode';
import { Channel } from '../protocol/channel';
import {
  cancelAnalysisNotification,
  cardRequest,
  closeFileNotification,
  marksRequest,
  openFileNotification,
  outcomeRequest,
} from '../protocol/lsp';
import { FailureError } from '../protocol/result';
import {
  type AnalysisState,
  type CardView,
  type EditorHostMethods,
  type EditorMethods,
  editorHostMethods,
  type FileState,
  type LineFinding,
  type LineQuery,
  type LineReaderEvents,
  type LineReaderMethods,
  lineReaderEvents,
  type OutcomeChoice,
  type QuerySlot,
  type ShownLine,
  type TraceMarks,
  unreadFile,
} from '../protocol/traceEditor';
import { baseName } from './baseName';
import type { Server } from './client';
import type { Host, LineReaderThread } from './host';
import { createNonce } from './nonce';
import { panelHtml } from './panelHtml';
import { showLine } from './showLine';
import type { TraceEditorHandle, TraceEditors } from './traceEditors';

/** What an editor needs from the rest of the extension. */
export interface TraceEditorHost {
  readonly machine: Host;
  readonly extensionUri: vscode.Uri;
  readonly log: vscode.LogOutputChannel;
  readonly server: () => Promise<Server>;
  readonly editors: TraceEditors;
  /** Shows the file in VS Code's text editor instead. */
  readonly openAsText: (uri: vscode.Uri, column: vscode.ViewColumn | undefined) => Promise<void>;
}

interface TraceDocument extends vscode.CustomDocument {
  readonly uri: vscode.Uri;
}

/** The read-only editor for traces of any size, packed or binary: it reads the file itself, line by line as needed. */
export class TraceEditorProvider implements vscode.CustomReadonlyEditorProvider<TraceDocument> {
  private readonly host: TraceEditorHost;

  constructor(host: TraceEditorHost) {
    this.host = host;
  }

  openCustomDocument(uri: vscode.Uri): TraceDocument {
    return { uri, dispose: () => undefined };
  }

  resolveCustomEditor(document: TraceDocument, panel: vscode.WebviewPanel): void {
    const { extensionUri } = this.host;
    panel.webview.options = {
      enableScripts: true,
      localResourceRoots: [vscode.Uri.joinPath(extensionUri, 'dist'), vscode.Uri.joinPath(extensionUri, 'media')],
    };
    const editor = new TraceEditor(document.uri, panel, this.host);
    panel.onDidDispose(() => editor.close());
  }
}

/** Severities of the finding's squiggle. */
const severities = ['error', 'warning', 'info', 'hint'] as const;
/** Findings of this extension carry this source. */
const findingSource = 'swiotlb';
/** A page is told at most so often that findings changed. */
const findingsDelayMs = 50;
/** The thread that reads lines answers or tells something long before. */
const stuckMs = 5000;

class TraceEditor implements TraceEditorHandle {
  readonly fileUri: vscode.Uri;
  readonly panel: vscode.WebviewPanel;
  line = 1;
  private readonly host: TraceEditorHost;
  private readonly page: Channel<EditorHostMethods, EditorMethods>;
  private readonly reader: Channel<LineReaderEvents, LineReaderMethods>;
  private worker: LineReaderThread | null;
  /** Questions whose answer is not complete. */
  private readonly asking = new Map<QuerySlot, number>();
  /** When the thread was heard of last. */
  private heardAt = Date.now();
  private readonly disposables: vscode.Disposable[] = [];
  /** Places that cards linked to: the page may ask to show these and no others. */
  private readonly offered = new Set<string>();
  private actions: CardView['actions'] = [];
  private state: FileState = unreadFile;
  private analysis: AnalysisState = { phase: 'reading', done: 0, message: '', failureCount: 0 };
  private marks: TraceMarks | null = null;
  private isReady = false;
  private isClosed = false;
  private isCancelled = false;
  /** A line that was asked for before the page was up. */
  private pendingLine: number | null = null;
  private findingsTimer: NodeJS.Timeout | undefined;
  private stuckTimer: NodeJS.Timeout | undefined;

  constructor(fileUri: vscode.Uri, panel: vscode.WebviewPanel, host: TraceEditorHost) {
    this.fileUri = fileUri;
    this.panel = panel;
    this.host = host;
    this.page = this.createPage();
    this.reader = this.createReader();
    panel.webview.onDidReceiveMessage((message: unknown) => this.page.receive(message));
    panel.webview.html = this.html();
    this.worker = host.machine.canRead(fileUri) ? this.startWorker() : null;
    if (this.worker === null) {
      const failure = host.machine.refusal();
      this.state = { ...this.state, isComplete: true, done: 1, failure };
    }
    this.disposables.push(
      host.editors.add(this),
      panel.onDidChangeViewState(() => host.editors.fire()),
      vscode.languages.onDidChangeDiagnostics(({ uris }) => {
        if (uris.some((uri) => uri.toString() === this.uri.toString())) {
          this.laterFindings();
        }
      }),
    );
    void this.followServer();
  }

  /** The file, or the member of an archive with several. */
  get uri(): vscode.Uri {
    const { members, member } = this.state;
    return members.length < 2 ? this.fileUri : this.memberUri(member);
  }

  async goTo(uri: vscode.Uri, line: number): Promise<void> {
    const inside = uri.path.startsWith(`${this.fileUri.path}/`) ? uri.path.slice(this.fileUri.path.length + 1) : '';
    if (inside !== '' && inside !== this.state.member && this.state.members.includes(inside)) {
      await this.showMember(inside);
    }
    this.line = line;
    if (this.isReady) {
      await this.page.call('goTo', { line }).catch(() => undefined);
    } else {
      this.pendingLine = line;
    }
    this.host.editors.fire();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.findingsTimer);
    clearTimeout(this.stuckTimer);
    this.disposables.forEach((disposable) => void disposable.dispose());
    this.page.close();
    void this.stopWorker();
    void this.notify(closeFileNotification.method);
  }

  private async notify(method: string): Promise<void> {
    try {
      await (await this.host.server()).notify(method, { uri: this.fileUri.toString() });
    } catch (error) {
      this.host.log.warn(`${method}: ${String(error)}`);
    }
  }

  private memberUri(member: string): vscode.Uri {
    return vscode.Uri.joinPath(this.fileUri, ...member.split('/'));
  }

  // The thread that reads lines ------------------------------------------------

  private startWorker(): LineReaderThread {
    const { extensionUri, machine } = this.host;
    return machine.startLineReader(extensionUri, this.fileUri, {
      onMessage: (message) => {
        this.heardAt = Date.now();
        void this.reader.receive(message);
      },
      onDeath: (error) => {
        this.host.log.error(error);
        this.reader.close();
        this.setState({
          ...this.state,
          isComplete: true,
          failure: vscode.l10n.t(
            'Reading this file failed because of a defect in SWIOTLB Lens; its log has the details.',
          ),
        });
      },
    });
  }

  /** An expression that takes forever on one line keeps the thread from everything else: then another takes over. */
  private watchReader(): void {
    clearTimeout(this.stuckTimer);
    if (this.isClosed || this.asking.size === 0) {
      return;
    }
    const leftMs = this.heardAt + stuckMs - Date.now();
    if (0 < leftMs) {
      this.stuckTimer = setTimeout(() => this.watchReader(), leftMs + 1);
    } else {
      this.replaceReader();
    }
  }

  private replaceReader(): void {
    const asked = [...this.asking];
    this.asking.clear();
    this.host.log.warn(`${this.fileUri.toString()}: a search was given up`);
    void this.worker?.terminate();
    this.reader.close();
    this.worker = this.startWorker();
    this.heardAt = Date.now();
    for (const [slot, id] of asked) {
      const error = vscode.l10n.t('This expression takes too long.');
      const none = { lines: new Uint32Array(0), scannedTo: 0, isFull: false };
      this.tell(this.page.call('found', { slot, id, ...none, isDone: true, error }));
    }
  }

  private async stopWorker(): Promise<void> {
    await Promise.race([
      this.reader.call('close', null).catch(() => undefined),
      new Promise((resolve) => setTimeout(resolve, 1000)),
    ]);
    this.reader.close();
    await this.worker?.terminate();
  }

  private createReader(): Channel<LineReaderEvents, LineReaderMethods> {
    return new Channel<LineReaderEvents, LineReaderMethods>({
      methods: lineReaderEvents,
      handlers: {
        state: (state) => {
          this.setState(state);
          return null;
        },
        found: (found) => {
          if (found.isDone && this.asking.get(found.slot) === found.id) {
            this.asking.delete(found.slot);
          }
          this.tell(this.page.call('found', found));
          return null;
        },
      },
      post: (message) => this.worker?.post(message),
      onBug: (name, error) =>
        this.host.log.error(`lines told '${name}'`, error instanceof Error ? error : String(error)),
    });
  }

  private setState(state: FileState): void {
    const isOther = state.member !== this.state.member;
    this.state = state;
    if (this.isReady) {
      this.tell(this.page.call('state', state));
    }
    if (isOther) {
      this.laterFindings();
      void this.updateMarks();
      this.host.editors.fire();
    }
  }

  // The analysis ------------------------------------------------------------------

  private async followServer(): Promise<void> {
    if (!this.host.machine.canRead(this.fileUri)) {
      this.setAnalysis({ ...this.analysis, phase: 'failed' });
      return;
    }
    const mine = this.fileUri.toString();
    try {
      const server = await this.host.server();
      if (this.isClosed) {
        return;
      }
      this.disposables.push(
        server.onReading(({ uri, done, failureCount }) => {
          if (uri === mine && this.analysis.phase === 'reading') {
            this.setAnalysis({ ...this.analysis, done, failureCount });
          }
        }),
        server.onAnalysed(({ uri, failureCount }) => {
          if (uri === mine) {
            this.setAnalysis({ phase: 'done', done: 1, message: '', failureCount });
            this.laterFindings();
            void this.updateMarks();
          }
        }),
        server.onAnalysisFailed(({ uri, message }) => {
          if (uri === mine) {
            const phase = this.isCancelled ? 'cancelled' : 'failed';
            this.setAnalysis({ phase, done: 0, message, failureCount: 0 });
          }
        }),
        server.onRestarted(() => this.analyse()),
      );
      this.analyse();
    } catch {
      // The extension has said that the server does not start.
      this.setAnalysis({ ...this.analysis, phase: 'failed' });
    }
  }

  private analyse(): void {
    this.isCancelled = false;
    this.setAnalysis({ phase: 'reading', done: 0, message: '', failureCount: 0 });
    void this.notify(openFileNotification.method);
  }

  private setAnalysis(analysis: AnalysisState): void {
    this.analysis = analysis;
    if (this.isReady) {
      this.tell(this.page.call('analysis', analysis));
    }
  }

  private async updateMarks(): Promise<void> {
    if (this.analysis.phase !== 'done') {
      return;
    }
    const uri = this.uri.toString();
    try {
      const marks = await (await this.host.server()).ask(marksRequest, { uri });
      if (uri === this.uri.toString()) {
        this.marks = marks;
        if (this.isReady) {
          this.tell(this.page.call('marks', marks));
        }
      }
    } catch (error) {
      this.host.log.warn(`marks of ${uri}: ${String(error)}`);
    }
  }

  private laterFindings(): void {
    clearTimeout(this.findingsTimer);
    this.findingsTimer = setTimeout(() => {
      if (this.isReady) {
        this.tell(this.page.call('findings', { findings: this.findings() }));
      }
    }, findingsDelayMs);
  }

  private findings(): LineFinding[] {
    return vscode.languages
      .getDiagnostics(this.uri)
      .filter(({ source }) => source === findingSource)
      .map(({ range, severity, message, code }) => ({
        line: range.start.line + 1,
        startColumn: range.start.character,
        endColumn: range.end.character,
        severity: severities[severity] ?? 'info',
        message,
        code: String(typeof code === 'object' ? code.value : (code ?? '')),
      }));
  }

  // The page ------------------------------------------------------------------------

  private tell(call: Promise<unknown>): void {
    call.catch((error: unknown) => {
      if (!(error instanceof FailureError && error.failure.kind === 'cancelled')) {
        this.host.log.warn(`editor of ${this.fileUri.toString()}: ${String(error)}`);
      }
    });
  }

  private createPage(): Channel<EditorHostMethods, EditorMethods> {
    return new Channel<EditorHostMethods, EditorMethods>({
      methods: editorHostMethods,
      post: (message) => void this.panel.webview.postMessage(message),
      onBug: (name, error) =>
        this.host.log.error(`editor asked '${name}'`, error instanceof Error ? error : String(error)),
      handlers: {
        ready: () => {
          this.isReady = true;
          const line = this.pendingLine;
          this.pendingLine = null;
          return {
            name: baseName(this.fileUri.path),
            state: this.state,
            analysis: this.analysis,
            findings: this.findings(),
            marks: this.marks,
            line,
          };
        },
        lines: (params) => this.reader.call('lines', params),
        query: ({ slot, id, query }) => this.query(slot, id, query),
        card: ({ line, column }) => this.card(line, column),
        act: async ({ index }) => {
          const action = this.actions[index];
          if (action !== undefined) {
            await vscode.commands.executeCommand(action.command, ...action.arguments);
          }
          return null;
        },
        show: async ({ uri, line }) => {
          if (!this.offered.has(uri)) {
            throw new FailureError({ kind: 'invalid', message: 'That place was not offered.' });
          }
          await showLine(this.host.editors, vscode.Uri.parse(uri, true), line);
          return null;
        },
        copy: async (range) => {
          const { text, lines } = await this.reader.call('text', range);
          await vscode.env.clipboard.writeText(text);
          return { lines };
        },
        cursor: ({ line }) => {
          this.line = line;
          this.host.editors.fire();
          return null;
        },
        member: async ({ name }) => {
          await this.showMember(name);
          return null;
        },
        analysis: async ({ action }) => {
          if (action === 'cancel') {
            this.isCancelled = true;
            await this.notify(cancelAnalysisNotification.method);
          } else {
            this.analyse();
            // It was opened twice now; editors count.
            await this.notify(closeFileNotification.method);
          }
          return null;
        },
        openAsText: async () => {
          await this.host.openAsText(this.fileUri, this.panel.viewColumn);
          this.panel.dispose();
          return null;
        },
      },
    });
  }

  private async showMember(name: string): Promise<void> {
    await this.reader.call('member', { name });
  }

  private async query(slot: QuerySlot, id: number, query: LineQuery | null): Promise<null> {
    const outcome = query?.outcome ?? null;
    const among = outcome === null ? null : Uint32Array.from(await this.linesOf(outcome));
    if (query === null) {
      this.asking.delete(slot);
    } else {
      this.asking.set(slot, id);
      // What it told before says nothing about this question.
      this.heardAt = Date.now();
      this.watchReader();
    }
    return this.reader.call('query', { slot, id, query, among });
  }

  private async linesOf(outcome: OutcomeChoice): Promise<readonly number[]> {
    if (outcome === 'finding') {
      return [...new Set(this.findings().map(({ line }) => line))].sort((a, b) => a - b);
    }
    return (await this.host.server()).ask(outcomeRequest, { uri: this.uri.toString(), outcome });
  }

  private async card(line: number, column: number): Promise<CardView | null> {
    const [shown]: readonly (ShownLine | undefined)[] = await this.reader.call('lines', { lines: [line] });
    if (shown === undefined || this.analysis.phase !== 'done') {
      return null;
    }
    const server = await this.host.server();
    const card = await server.ask(cardRequest, { uri: this.uri.toString(), line, column, text: shown.text });
    this.actions = card?.actions ?? [];
    for (const { links } of card?.lines ?? []) {
      for (const { uri } of links) {
        this.offered.add(uri);
      }
    }
    return card;
  }

  private html(): string {
    const { webview } = this.panel;
    const at = (...parts: string[]) =>
      webview.asWebviewUri(vscode.Uri.joinPath(this.host.extensionUri, ...parts)).toString();
    return panelHtml({
      cspSource: webview.cspSource,
      scriptUri: at('dist', 'traceView.js'),
      styleUri: at('media', 'traceView.css'),
      nonce: createNonce(),
      language: vscode.env.language,
      title: baseName(this.fileUri.path),
    });
  }
}
