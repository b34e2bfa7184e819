import * as vscode from 'vscode';
import { formatCount, formatPercent, formatSlotsAndBytes } from '../base/format';
import { type AnalysedParams, cursorRequest, verifyRequest } from '../protocol/lsp';
import { type CursorView, exactShare, type RunKey, type VerifyView } from '../protocol/views';
import type { Server } from './client';
import type { FrontTrace } from './frontTrace';
import type { ReplayPanels } from './replayPanel';
import { cursorLineOf } from './target';
import type { TraceEditors } from './traceEditors';

/** Not in the palette: *Output: Show Output Channels…* does the same there. */
export const showLogCommand = 'swiotlbLens.internal.showLog';
/** What a click on the item offers. */
const statusActionsCommand = 'swiotlbLens.internal.statusActions';

const recorded: RunKey = { policy: 'recorded', set: {} };

/** Verification of so many requests takes well under a second, so that nobody has to ask for it. */
const quickRequests = 30_000;
/** What the user asks about goes first. */
const verifyDelayMs = 1500;

/** What is known of a document. */
interface Known {
  readonly reading: string;
  readonly requests: number;
  readonly completeness: number;
  /** How much of the recorded addresses the model reproduced; undefined: not compared, or nothing to compare. */
  exact?: string;
  /** Why it could not be analysed. */
  failure?: string;
}

/**
 * The pool at the cursor, for the status bar and the panel's cursor mark: fill, policy, completeness, fidelity.
 * Hidden when no trace is open.
 */
export class CursorStatus {
  private readonly item: vscode.StatusBarItem;
  private readonly panels: ReplayPanels;
  private readonly editors: TraceEditors;
  private readonly front: FrontTrace;
  private readonly server: () => Promise<Server>;
  private timer: NodeJS.Timeout | undefined;
  private verifyTimer: NodeJS.Timeout | undefined;
  private asked = 0;
  private readonly known = new Map<string, Known>();

  constructor(
    context: vscode.ExtensionContext,
    panels: ReplayPanels,
    editors: TraceEditors,
    front: FrontTrace,
    server: () => Promise<Server>,
  ) {
    this.panels = panels;
    this.editors = editors;
    this.front = front;
    this.server = server;
    this.item = vscode.window.createStatusBarItem('swiotlbLens.status', vscode.StatusBarAlignment.Right, 90);
    this.item.name = 'SWIOTLB Lens';
    context.subscriptions.push(
      this.item,
      vscode.commands.registerCommand(statusActionsCommand, pickAction),
      front.onDidChange(() => this.later(0)),
      vscode.window.onDidChangeTextEditorSelection(() => this.later(150)),
      editors.onDidChange(() => this.later(150)),
    );
    this.later(0);
  }

  analysed({ uri, reading, requests, completeness }: AnalysedParams): void {
    if (this.known.get(uri)?.reading !== reading) {
      this.known.set(uri, { reading, requests, completeness });
    }
    this.later(0);
  }

  /** The document has no findings because it was not analysed: that must not look like a clean bill. */
  analysisFailed(uri: string, failure: string): void {
    this.known.set(uri, { reading: '', requests: 0, completeness: 0, failure });
    this.later(0);
  }

  /** Asks again, e.g. after another run came to the front. */
  refresh(): void {
    this.later(0);
  }

  verified(uri: vscode.Uri, view: VerifyView): void {
    const known = this.known.get(uri.toString());
    if (known !== undefined && 0 < view.checked) {
      known.exact = exactShare(view);
      this.later(0);
    }
  }

  private later(delayMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.update(), delayMs);
  }

  private async update(): Promise<void> {
    const { uri } = this.front;
    clearTimeout(this.verifyTimer);
    if (uri === undefined) {
      this.item.hide();
      return;
    }
    const mine = ++this.asked;
    const line = this.hasEditor(uri) ? cursorLineOf(uri, this.editors) : null;
    const known = this.known.get(uri.toString());
    if (known?.failure !== undefined) {
      this.showFailure(known.failure);
      return;
    }
    const front = this.panels.front(uri);
    let at: CursorView | null = null;
    try {
      const { ask } = await this.server();
      at = line === null ? null : await ask(cursorRequest, { uri: uri.toString(), line, run: front?.run ?? recorded });
    } catch {
      // The log has it; a status bar item is not the place for an error.
    }
    if (mine === this.asked) {
      this.show(line, at, front?.label, known);
      this.panels.cursor(uri, line, at);
      this.verifyLater(uri, known);
    }
  }

  private hasEditor(uri: vscode.Uri): boolean {
    return (
      this.editors.of(uri) !== undefined ||
      vscode.window.visibleTextEditors.some(({ document }) => document.uri.toString() === uri.toString())
    );
  }

  private verifyLater(uri: vscode.Uri, known: Known | undefined): void {
    if (known !== undefined && known.exact === undefined && 0 < known.requests && known.requests <= quickRequests) {
      this.verifyTimer = setTimeout(() => void this.verify(uri, known), verifyDelayMs);
    }
  }

  private async verify(uri: vscode.Uri, known: Known): Promise<void> {
    try {
      const view = await (await this.server()).ask(verifyRequest, { uri: uri.toString() });
      // Nothing to compare must not be asked again.
      known.exact = view.checked === 0 ? '' : exactShare(view);
      this.later(0);
    } catch {
      // The log has it; the panel's badge says why.
    }
  }

  private showFailure(message: string): void {
    this.item.text = `$(warning) ${vscode.l10n.t('SWIOTLB: not analysed')}`;
    this.item.tooltip = vscode.l10n.t('{0}\nClick: show log.', message);
    this.item.backgroundColor = new vscode.ThemeColor('statusBarItem.warningBackground');
    this.item.command = showLogCommand;
    this.item.accessibilityInformation = { label: `${vscode.l10n.t('SWIOTLB: not analysed')}. ${message}` };
    this.item.show();
  }

  private show(line: number | null, at: CursorView | null, policy: string | undefined, known: Known | undefined): void {
    this.item.command = statusActionsCommand;
    this.item.backgroundColor = undefined;
    const run = policy ?? vscode.l10n.t('recorded');
    const hasPool = at !== null && line !== null && 0 < at.capacitySlots;
    const exact = known?.exact === undefined || known.exact === '' ? null : known.exact;
    const parts = [
      hasPool
        ? vscode.l10n.t('SWIOTLB {0} at line {1}', formatPercent(at.usedSlots / at.capacitySlots), formatCount(line))
        : 'SWIOTLB',
      policy ?? null,
      exact === null ? null : vscode.l10n.t('Exact {0}', exact),
    ];
    this.item.text = `$(graph-line) ${parts.filter((part) => part !== null).join(' · ')}`;
    const lines = [
      hasPool
        ? vscode.l10n.t(
            'At line {0}: {1} in use of {2}',
            formatCount(line),
            formatSlotsAndBytes(at.usedSlots),
            formatSlotsAndBytes(at.capacitySlots),
          )
        : vscode.l10n.t('How full the pool is here is not known.'),
      vscode.l10n.t('Policy: {0}', run),
      ...(known === undefined ? [] : [vscode.l10n.t('Completeness: {0} of 100', known.completeness)]),
      exact === null
        ? vscode.l10n.t('Fidelity: not compared with the recorded addresses')
        : vscode.l10n.t('Fidelity: {0} of the recorded addresses reproduced', exact),
      vscode.l10n.t('Click: what to do with this trace.'),
    ];
    this.item.tooltip = lines.join('\n');
    this.item.accessibilityInformation = { label: lines.join('. '), role: 'button' };
    this.item.show();
  }
}

/** The commands on the trace in front. */
async function pickAction(): Promise<void> {
  const items: readonly (vscode.QuickPickItem & { readonly command: string })[] = [
    {
      label: vscode.l10n.t('Replay with dynamic pools'),
      iconPath: icon('graph-line'),
      command: 'swiotlbLens.replayDynamic',
    },
    { label: vscode.l10n.t('Replay with policy…'), iconPath: icon('library'), command: 'swiotlbLens.replayPolicy' },
    { label: vscode.l10n.t('Compare policies'), iconPath: icon('split-horizontal'), command: 'swiotlbLens.compare' },
    { label: vscode.l10n.t('Find the pool size'), iconPath: icon('graph'), command: 'swiotlbLens.findPoolSize' },
    {
      label: vscode.l10n.t('Verify against the recorded addresses'),
      iconPath: icon('verified'),
      command: 'swiotlbLens.verify',
    },
    { label: vscode.l10n.t('Copy finding as Markdown'), iconPath: icon('copy'), command: 'swiotlbLens.copyFinding' },
    { label: vscode.l10n.t('Show the views'), iconPath: icon('list-tree'), command: 'swiotlbLens.trace.focus' },
    { label: vscode.l10n.t('Show the log'), iconPath: icon('output'), command: showLogCommand },
  ];
  const picked = await vscode.window.showQuickPick(items, {
    placeHolder: vscode.l10n.t('What to do with this trace?'),
  });
  if (picked !== undefined) {
    await vscode.commands.executeCommand(picked.command);
  }
}

function icon(name: string): vscode.ThemeIcon {
  return new vscode.ThemeIcon(name);
}
