import * as vscode from 'vscode';
import { Channel } from '../protocol/channel';
import { devicesRequest, sharesRequest } from '../protocol/devices';
import {
  type AnalysedParams,
  lineAtRequest,
  reportRequest,
  runRequest,
  seriesRequest,
  sizeRequest,
  traceRequest,
  uncertaintyRequest,
  verifyRequest,
} from '../protocol/lsp';
import {
  exportData,
  exportOffers,
  type HostMethods,
  hostMethods,
  type PanelFocus,
  type PanelMemory,
  type PanelMethods,
  type PanelStart,
  panelState,
  type SizeQuestion,
} from '../protocol/panel';
import { FailureError } from '../protocol/result';
import { slotDetailRequest, slotLineRequest, slotStepRequest, slotsRequest } from '../protocol/slots';
import type { CursorView, RunKey, SizeView, SourceView, VerifyView } from '../protocol/views';
import { baseName } from './baseName';
import type { Server } from './client';
import { exportSomething } from './exportPanel';
import { createNonce } from './nonce';
import { readPanelFile, writePanelFile } from './panelFile';
import { panelHtml } from './panelHtml';
import type { PanelMemories } from './panelMemories';
import { showLine } from './showLine';
import type { TraceEditors } from './traceEditors';

export const panelViewType = 'swiotlbLens.replay';

/** What a panel needs from the rest of the extension. */
export interface PanelHost {
  readonly extensionUri: vscode.Uri;
  readonly log: vscode.LogOutputChannel;
  readonly editors: TraceEditors;
  readonly server: () => Promise<Server>;
  readonly addPolicy: (uri: vscode.Uri) => Promise<void>;
  readonly openSample: () => Promise<void>;
  readonly compareWith: (uri: vscode.Uri) => Promise<void>;
  readonly memories: PanelMemories;
  /** A panel compared its trace with the model. */
  readonly verified: (uri: vscode.Uri, view: VerifyView) => void;
  /** Another run is in front in a panel. */
  readonly frontChanged: () => void;
}

/** The run in front of a panel, with the name the panel gives it. */
export interface FrontRun {
  readonly run: RunKey;
  readonly label: string;
}

/** One panel per document. */
export class ReplayPanels implements vscode.WebviewPanelSerializer<unknown> {
  private readonly panels = new Map<string, ReplayPanel>();
  private readonly host: PanelHost;

  constructor(host: PanelHost) {
    this.host = host;
  }

  /** Shows the runs in the document's panel, opening it beside the editor when there is none. */
  show(
    uri: vscode.Uri,
    runs: readonly RunKey[],
    focus: PanelFocus,
    { other = null, line = null }: { readonly other?: vscode.Uri | null; readonly line?: number | null } = {},
  ): void {
    const open = this.panels.get(uri.toString());
    if (open !== undefined) {
      open.show(runs, focus, other?.toString() ?? null, line);
      return;
    }
    const isEditing = vscode.window.activeTextEditor !== undefined || this.host.editors.active() !== undefined;
    const column = isEditing ? vscode.ViewColumn.Beside : vscode.ViewColumn.Active;
    const webview = vscode.window.createWebviewPanel(panelViewType, titleOf(uri), column, this.options());
    this.adopt(webview, uri, {
      uri: uri.toString(),
      runs,
      focus,
      other: other?.toString() ?? null,
      line,
      memory: null,
      memoryProblem: null,
    });
    if (this.host.memories.of(uri.toString()) === null) {
      // Until the page itself tells what it shows.
      void this.host.memories.keep(uri.toString(), { ...nothingShown, runs });
    }
  }

  /** Opens the panel of the document when there is none, and asks what of it to export. */
  async export(uri: vscode.Uri): Promise<void> {
    if (!this.panels.has(uri.toString())) {
      this.show(uri, [], 'replay');
    }
    await this.panels.get(uri.toString())?.export();
  }

  /** After a reload of the window: the same trace with the same policies. */
  async deserializeWebviewPanel(webview: vscode.WebviewPanel, memory: unknown): Promise<void> {
    try {
      const { uri, ...written } = memory === undefined ? this.forgotten(webview.title) : panelState(memory);
      webview.webview.options = this.options();
      const kept = this.host.memories.of(uri) ?? written;
      const start: PanelStart = {
        uri,
        runs: [],
        focus: 'replay',
        other: null,
        line: null,
        memory: kept,
        memoryProblem: null,
      };
      this.adopt(webview, vscode.Uri.parse(uri, true), start);
    } catch (error) {
      // Written by another version, or of a trace that nobody remembers: nothing to restore.
      this.host.log.info(`a panel could not be restored: ${String(error)}`);
      webview.dispose();
    }
  }

  /**
   * Which trace a panel is of that comes back without a word about it: VS Code wrote its layout between the opening of the
   * panel and its first words. The title tells, and which panels are remembered.
   */
  private forgotten(title: string): { readonly uri: string } & PanelMemory {
    const known = this.host.memories
      .uris()
      .filter((uri) => !this.panels.has(uri) && titleOf(vscode.Uri.parse(uri, true)) === title);
    const inTabs = new Set(openDocuments());
    const uri = known.find((candidate) => inTabs.has(candidate)) ?? known.at(-1);
    if (uri === undefined) {
      throw new Error(`no trace is remembered for "${title}"`);
    }
    return { uri, ...nothingShown };
  }

  private options(): vscode.WebviewPanelOptions & vscode.WebviewOptions {
    const { extensionUri } = this.host;
    return {
      enableScripts: true,
      localResourceRoots: [vscode.Uri.joinPath(extensionUri, 'dist'), vscode.Uri.joinPath(extensionUri, 'media')],
      // Zoom, open tables and the scroll position outlive a change of tabs.
      retainContextWhenHidden: true,
    };
  }

  private adopt(webview: vscode.WebviewPanel, uri: vscode.Uri, start: PanelStart): void {
    const panel = new ReplayPanel(webview, uri, start, this.host);
    this.panels.set(uri.toString(), panel);
    webview.onDidDispose(() => {
      if (this.panels.get(uri.toString()) === panel) {
        this.panels.delete(uri.toString());
      }
      panel.close();
      this.host.frontChanged();
    });
  }

  /** The trace of the panel that has the focus. */
  activeUri(): vscode.Uri | undefined {
    return [...this.panels.values()].find((panel) => panel.isActive())?.uri;
  }

  /** The run in front of the document's panel; undefined when there is no panel or none in front yet. */
  front(uri: vscode.Uri): FrontRun | undefined {
    return this.panels.get(uri.toString())?.front;
  }

  sizeProgress(uri: string, replays: number): void {
    this.panels.get(uri)?.sizeProgress(replays);
  }

  /** Documents that have a panel. */
  uris(): vscode.Uri[] {
    return [...this.panels.values()].map((panel) => panel.uri);
  }

  analysed({ uri, reading }: AnalysedParams): void {
    this.panels.get(uri)?.analysed(reading);
  }

  /** Shows the document's trace anew. */
  reload(uri: vscode.Uri): void {
    this.panels.get(uri.toString())?.reload();
  }

  cursor(uri: vscode.Uri, line: number | null, at: CursorView | null): void {
    this.panels.get(uri.toString())?.cursor(line, at);
  }
}

class ReplayPanel {
  readonly uri: vscode.Uri;
  front: FrontRun | undefined;
  private readonly panel: vscode.WebviewPanel;
  private readonly host: PanelHost;
  private readonly channel: Channel<HostMethods, PanelMethods>;
  /** What to show first; commands that come before the panel's script is up change it. */
  private start: PanelStart;
  /** Traces the user picked to compare with: the panel may ask about these and no others. */
  private readonly others = new Set<string>();
  private sizing: vscode.CancellationTokenSource | undefined;
  /** Replays and comparisons under way. */
  private readonly working = new Set<vscode.CancellationTokenSource>();
  private isReady = false;
  private becomeReady: () => void = () => undefined;
  private readonly whenReady = new Promise<void>((resolve) => {
    this.becomeReady = resolve;
  });
  /** The last question about sizes that was answered: its answer is known, and belongs to a report. */
  private sized: SizeQuestion | null = null;
  /** Runs of the panel beside the recorded one. */
  private shown: readonly RunKey[] = [];
  /** The reading of the trace that the panel shows. */
  private reading = '';
  /** One that the server told of and nobody looked at yet. */
  private newest: string | null = null;
  /** Questions about the trace without an answer. */
  private asking = 0;
  /** Files the panel may ask to show: those of its trace. */
  private sources: readonly SourceView[] = [];

  constructor(panel: vscode.WebviewPanel, uri: vscode.Uri, start: PanelStart, host: PanelHost) {
    this.panel = panel;
    this.uri = uri;
    this.host = host;
    this.start = start;
    this.allow(start.other);
    panel.iconPath = {
      light: vscode.Uri.joinPath(host.extensionUri, 'media', 'icons', 'trace-light.svg'),
      dark: vscode.Uri.joinPath(host.extensionUri, 'media', 'icons', 'trace-dark.svg'),
    };
    this.channel = this.createChannel();
    panel.webview.onDidReceiveMessage((message: unknown) => this.channel.receive(message));
    panel.webview.html = this.html();
  }

  isActive(): boolean {
    return this.panel.active;
  }

  show(runs: readonly RunKey[], focus: PanelFocus, other: string | null, line: number | null): void {
    this.panel.reveal(undefined, false);
    this.allow(other);
    if (this.isReady) {
      this.send(this.channel.call('show', { runs, focus, other, line }));
    } else {
      const { runs: earlier, other: known } = this.start;
      this.start = { ...this.start, runs: [...earlier, ...runs], focus, other: other ?? known, line };
    }
  }

  async export(): Promise<void> {
    await this.whenReady;
    const uri = this.uri.toString();
    await exportSomething({
      trace: this.uri,
      offers: exportOffers(await this.channel.call('exportOffers', null)),
      report: async (format) => {
        const runs: readonly RunKey[] = [{ policy: 'recorded', set: {} }, ...this.shown];
        const server = await this.host.server();
        return (await server.ask(reportRequest, { uri, runs, format, size: this.sized })).text;
      },
      item: async (id, format) => exportData(await this.channel.call('exportOne', { id, format })),
    });
  }

  sizeProgress(replays: number): void {
    if (this.isReady && this.sizing !== undefined) {
      this.send(this.channel.call('sizeProgress', { replays }));
    }
  }

  /** There is another reading of the trace. A panel that has it, or gets it in a moment, stays as it is. */
  analysed(reading: string): void {
    this.newest = reading;
    this.catchUp();
  }

  private catchUp(): void {
    const { newest } = this;
    if (newest !== null && this.asking === 0) {
      this.newest = null;
      if (newest !== this.reading) {
        this.reload();
      }
    }
  }

  reload(): void {
    this.sized = null;
    if (this.isReady) {
      this.send(this.channel.call('reload', null));
    }
  }

  cursor(line: number | null, at: CursorView | null): void {
    if (this.isReady) {
      this.send(this.channel.call('cursor', { line, at }));
    }
  }

  close(): void {
    this.sizing?.cancel();
    this.cancelWork();
    this.channel.close();
  }

  private send(call: Promise<unknown>): void {
    call.catch((error: unknown) => {
      if (!(error instanceof FailureError && error.failure.kind === 'cancelled')) {
        this.host.log.warn(`panel of ${this.uri.toString()}: ${String(error)}`);
      }
    });
  }

  private cancelWork(): void {
    for (const source of this.working) {
      source.cancel();
    }
  }

  /** A question that may take seconds; `cancelWork` ends it. */
  private readonly askLong: Server['ask'] = async (request, params) => {
    const source = new vscode.CancellationTokenSource();
    this.working.add(source);
    try {
      return await (await this.host.server()).ask(request, params, source.token);
    } finally {
      this.working.delete(source);
      source.dispose();
    }
  };

  private createChannel(): Channel<HostMethods, PanelMethods> {
    const uri = this.uri.toString();
    const ask: Server['ask'] = async (request, params) => (await this.host.server()).ask(request, params);
    return new Channel<HostMethods, PanelMethods>({
      methods: hostMethods,
      post: (message) => void this.panel.webview.postMessage(message),
      onBug: (method, error) =>
        this.host.log.error(`panel asked '${method}'`, error instanceof Error ? error : String(error)),
      handlers: {
        ready: async () => {
          // After a reload of the window the panel goes on where it was.
          const found = this.start.memory === null ? await readPanelFile(this.uri) : null;
          this.isReady = true;
          this.becomeReady();
          return found === null ? this.start : { ...this.start, memory: found.memory, memoryProblem: found.problem };
        },
        remember: async (memory) => {
          this.shown = memory.runs;
          // VS Code loads the script anew when the panel moves to another window.
          this.start = { ...this.start, runs: [], focus: 'replay', memory };
          await this.host.memories.keep(uri, memory);
          return null;
        },
        save: async (memory) => ({ file: await writePanelFile(this.uri, memory) }),
        otherSeries: ({ uri: other, ...params }) => ask(seriesRequest, { uri: this.picked(other), ...params }),
        trace: async () => {
          this.asking++;
          try {
            const trace = await ask(traceRequest, { uri });
            this.sources = trace.sources;
            this.reading = trace.reading;
            return trace;
          } finally {
            this.asking--;
            this.catchUp();
          }
        },
        run: ({ run }) => this.askLong(runRequest, { uri, run }),
        devices: () => ask(devicesRequest, { uri }),
        shares: (params) => ask(sharesRequest, { uri, ...params }),
        slots: (params) => ask(slotsRequest, { uri, ...params }),
        slotStep: (params) => ask(slotStepRequest, { uri, ...params }),
        slotLine: (params) => ask(slotLineRequest, { uri, ...params }),
        slotDetail: (params) => ask(slotDetailRequest, { uri, ...params }),
        uncertainty: ({ run }) => this.askLong(uncertaintyRequest, { uri, run }),
        series: (params) => ask(seriesRequest, { uri, ...params }),
        verify: async () => {
          const view = await this.askLong(verifyRequest, { uri });
          this.host.verified(this.uri, view);
          return view;
        },
        reveal: async ({ file, line }) => {
          await this.reveal(file, line);
          return null;
        },
        revealTime: async ({ timeNs }) => {
          const place = await ask(lineAtRequest, { uri, timeNs });
          if (place !== null) {
            await this.reveal(place.file, place.line);
          }
          return place !== null;
        },
        copy: async ({ text }) => {
          await vscode.env.clipboard.writeText(text);
          return null;
        },
        command: async ({ command }) => {
          const { addPolicy, openSample, compareWith } = this.host;
          await { addPolicy, openSample, compareWith, export: () => this.export() }[command](this.uri);
          return null;
        },
        size: (question) => this.size(question),
        cancelSize: () => {
          this.sizing?.cancel();
          return null;
        },
        cancelWork: () => {
          this.cancelWork();
          return null;
        },
        other: async ({ uri: other, run }) => {
          const trace = await ask(traceRequest, { uri: this.picked(other) });
          return { trace, run: trace.requests === 0 ? null : await ask(runRequest, { uri: other, run }) };
        },
        front: (front) => {
          this.front = front;
          this.host.frontChanged();
          return null;
        },
      },
    });
  }

  /** The user picked that trace to compare with, else the panel may not ask about it. */
  private picked(other: string): string {
    if (!this.others.has(other)) {
      throw new FailureError({ kind: 'invalid', message: 'That trace was not picked for a comparison.' });
    }
    return other;
  }

  private allow(other: string | null): void {
    if (other !== null) {
      this.others.add(other);
    }
  }

  /** One at a time: a new question ends the one before. */
  private async size(question: SizeQuestion): Promise<SizeView> {
    this.sizing?.cancel();
    const mine = new vscode.CancellationTokenSource();
    this.sizing = mine;
    try {
      const server = await this.host.server();
      const view = await server.ask(sizeRequest, { uri: this.uri.toString(), ...question }, mine.token);
      this.sized = question;
      return view;
    } finally {
      if (this.sizing === mine) {
        this.sizing = undefined;
      }
      mine.dispose();
    }
  }

  private async reveal(file: string, line: number): Promise<void> {
    const source = this.sources.find((candidate) => candidate.file === file);
    if (source === undefined) {
      throw new FailureError({ kind: 'unavailable', message: `${file} is not part of this trace.` });
    }
    await showLine(this.host.editors, vscode.Uri.parse(source.uri, true), line, otherColumn(this.panel.viewColumn));
  }

  private html(): string {
    const { webview } = this.panel;
    const at = (...parts: string[]) =>
      webview.asWebviewUri(vscode.Uri.joinPath(this.host.extensionUri, ...parts)).toString();
    const nonce = createNonce();
    return panelHtml({
      cspSource: webview.cspSource,
      scriptUri: at('dist', 'webview.js'),
      styleUri: at('media', 'panel.css'),
      nonce,
      language: vscode.env.language,
      title: titleOf(this.uri),
    });
  }
}

/** Beside the panel, not on top of it. */
function otherColumn(panelColumn: vscode.ViewColumn | undefined): vscode.ViewColumn {
  return panelColumn === undefined || panelColumn === vscode.ViewColumn.One
    ? vscode.ViewColumn.Beside
    : vscode.ViewColumn.One;
}

const nothingShown: PanelMemory = {
  runs: [],
  front: null,
  range: null,
  timeMode: null,
  assumptions: null,
  notes: null,
  slotMap: null,
};

/** Documents that have a tab. */
function openDocuments(): string[] {
  return vscode.window.tabGroups.all
    .flatMap((group) => group.tabs)
    .flatMap(({ input }) =>
      input instanceof vscode.TabInputText || input instanceof vscode.TabInputCustom ? [input.uri.toString()] : [],
    );
}

function titleOf(uri: vscode.Uri): string {
  const name = baseName(uri.path);
  return vscode.l10n.t('Replay: {0}', name);
}
