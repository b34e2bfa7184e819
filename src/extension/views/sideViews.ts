import * as vscode from 'vscode';
import { devicesRequest } from '../../protocol/devices';
import { type AnalysedParams, runRequest, traceRequest } from '../../protocol/lsp';
import { FailureError } from '../../protocol/result';
import { episodeFailuresRequest, finishedRunsRequest, geometryRowsRequest } from '../../protocol/sideViews';
import type { TraceView } from '../../protocol/views';
import type { Server } from '../client';
import type { FrontTrace } from '../frontTrace';
import type { GeometryEdits } from '../geometryEdits';
import type { ReplayPanels } from '../replayPanel';
import { showLine } from '../showLine';
import type { TraceEditors } from '../traceEditors';
import { deviceNodes } from './devicesTree';
import { failureNodes } from './failuresTree';
import { editGeometry, resetAll, resetField } from './geometryEdit';
import { NodeTree, type TreeNode } from './node';
import { showLineCommand } from './place';
import { policyNodes, type RunTarget, showRunCommand } from './policiesTree';
import { failuresText, type GeometryTarget, traceNodes } from './traceTree';

export interface SideViewsHost {
  readonly log: vscode.LogOutputChannel;
  readonly panels: ReplayPanels;
  readonly editors: TraceEditors;
  readonly front: FrontTrace;
  readonly edits: GeometryEdits;
  readonly server: () => Promise<Server>;
  /** A command's action, with the usual message when it fails. */
  readonly guarded: (action: () => Promise<void>) => Promise<void>;
}

/** As VS Code calls it: publisher, name and the id in package.json. */
const walkthroughId = 'swiotlb-lens.swiotlb-lens#start';

/** Changes within that time are shown together. */
const gatherMs = 80;

const names = ['trace', 'failures', 'devices', 'policies'] as const;
type ViewName = (typeof names)[number];

interface View {
  readonly tree: NodeTree;
  readonly view: vscode.TreeView<TreeNode>;
}

/** The four views in the side bar. They show the trace in front, and keep it while it is open anywhere. */
export class SideViews {
  private readonly host: SideViewsHost;
  private readonly views: Readonly<Record<ViewName, View>>;
  /** The files of the trace shown: an analysis of any of them is one of this trace. */
  private members: ReadonlySet<string> = new Set();
  private readonly failureCounts = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private isStale = true;
  private asked = 0;

  constructor(context: vscode.ExtensionContext, host: SideViewsHost) {
    this.host = host;
    this.views = {
      trace: view('trace'),
      failures: view('failures'),
      devices: view('devices'),
      policies: view('policies'),
    };
    context.subscriptions.push(
      ...Object.values(this.views).map((each) => each.view),
      ...Object.values(this.views).map((each) => each.view.onDidChangeVisibility(() => this.later())),
      host.front.onDidChange(() => this.refresh()),
      ...this.commands(),
    );
    this.refresh();
  }

  analysed({ uri, failureCount }: AnalysedParams): void {
    this.failureCounts.set(uri, failureCount);
    if (uri === this.host.front.uri?.toString() || this.members.has(uri)) {
      this.refresh();
    }
  }

  replayed(uri: string): void {
    if (uri === this.host.front.uri?.toString() || this.members.has(uri)) {
      this.refresh();
    }
  }

  refresh(): void {
    this.isStale = true;
    this.later();
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.update(), gatherMs);
  }

  private async update(): Promise<void> {
    this.showBadge();
    const isVisible = Object.values(this.views).some((each) => each.view.visible);
    if (!this.isStale || !isVisible) {
      return;
    }
    this.isStale = false;
    const { uri } = this.host.front;
    const mine = ++this.asked;
    if (uri === undefined) {
      this.members = new Set();
      this.clear('');
      return;
    }
    try {
      await vscode.window.withProgress({ location: { viewId: 'swiotlbLens.trace' } }, () => this.load(uri, mine));
    } catch (error) {
      if (mine === this.asked) {
        this.clear(error instanceof FailureError ? error.message : vscode.l10n.t('The log of SWIOTLB Lens says why.'));
      }
      this.host.log.warn(`views of ${uri.toString()}: ${String(error)}`);
    }
  }

  /** Each view as soon as its part is there. */
  private async load(uri: vscode.Uri, mine: number): Promise<void> {
    const params = { uri: uri.toString() };
    const { ask } = await this.host.server();
    const trace = await ask(traceRequest, params);
    if (mine !== this.asked) {
      return;
    }
    this.members = new Set(trace.sources.map((source) => source.uri));
    this.failureCounts.set(params.uri, trace.failureCount);
    this.showBadge();
    this.show(
      'failures',
      trace,
      failureNodes(trace, (episode, skip, count) => ask(episodeFailuresRequest, { ...params, episode, skip, count })),
    );
    const parts = [
      ask(geometryRowsRequest, params).then((rows) => this.showIf(mine, 'trace', trace, traceNodes(trace, rows))),
      ask(devicesRequest, params).then((found) => this.showIf(mine, 'devices', trace, deviceNodes(trace, found))),
      ask(finishedRunsRequest, params).then((runs) => this.showIf(mine, 'policies', trace, policyNodes(trace, runs))),
    ];
    await Promise.all(parts);
  }

  private showIf(mine: number, name: ViewName, trace: TraceView, nodes: readonly TreeNode[]): void {
    if (mine === this.asked) {
      this.show(name, trace, nodes);
    }
  }

  private show(name: ViewName, trace: TraceView, nodes: readonly TreeNode[]): void {
    const { tree, view: shown } = this.views[name];
    if (name === 'trace') {
      shown.description = trace.name;
    }
    shown.message = '';
    tree.show(nodes);
  }

  private clear(message: string): void {
    for (const each of Object.values(this.views)) {
      each.view.message = '';
      each.tree.show([]);
    }
    this.views.trace.view.message = message;
    this.views.trace.view.description = '';
  }

  private showBadge(): void {
    const count = this.failureCounts.get(this.host.front.uri?.toString() ?? '') ?? 0;
    const badge = count === 0 ? undefined : { value: count, tooltip: failuresText(count) };
    const { view: failures } = this.views.failures;
    if (failures.badge?.value !== badge?.value) {
      failures.badge = badge;
    }
  }

  private commands(): vscode.Disposable[] {
    const { edits, guarded, panels, editors, server } = this.host;
    const on = <T>(id: string, action: (argument: T) => Promise<void>) =>
      vscode.commands.registerCommand(id, (argument: T) => guarded(() => action(argument)));
    return [
      vscode.commands.registerCommand(showLineCommand, (uri: string, line: number) =>
        guarded(() => showLine(editors, vscode.Uri.parse(uri, true), line, vscode.ViewColumn.One)),
      ),
      on<RunTarget>(showRunCommand, async ({ uri, run }) => {
        panels.show(vscode.Uri.parse(uri, true), [run], 'replay');
      }),
      on<TreeNode>('swiotlbLens.internal.showPolicy', async ({ data }) => {
        const { uri, run } = data as RunTarget;
        panels.show(vscode.Uri.parse(uri, true), [run], 'replay');
      }),
      on<TreeNode>('swiotlbLens.internal.replayHere', async ({ data }) => {
        const { uri, run } = data as RunTarget;
        await vscode.window.withProgress({ location: { viewId: 'swiotlbLens.policies' } }, async () => {
          await (await server()).ask(runRequest, { uri, run });
        });
      }),
      on<TreeNode>('swiotlbLens.internal.editGeometry', ({ data }) => editGeometry(edits, data as GeometryTarget)),
      on<TreeNode>('swiotlbLens.internal.resetGeometryField', ({ data }) => resetField(edits, data as GeometryTarget)),
      on('swiotlbLens.internal.openWalkthrough', async () => {
        await vscode.commands.executeCommand('workbench.action.openWalkthrough', walkthroughId, false);
      }),
      on<TreeNode>('swiotlbLens.internal.resetGeometry', ({ data }) => resetAll(edits, data as readonly string[])),
    ];
  }
}

function view(name: ViewName): View {
  const tree = new NodeTree();
  return {
    tree,
    view: vscode.window.createTreeView(`swiotlbLens.${name}`, { treeDataProvider: tree, showCollapseAll: true }),
  };
}
