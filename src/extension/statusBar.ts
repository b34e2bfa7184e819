import * as vscode from 'vscode';
import { formatCount, formatPercent } from '../base/format';
import { cursorRequest } from '../protocol/lsp';
import { type CursorView, exactShare, type RunKey, type VerifyView } from '../protocol/views';
import type { Server } from './client';
import type { ReplayPanels } from './replayPanel';
import { activePlace } from './target';
import type { TraceEditors } from './traceEditors';

/** Not in the palette: *Output: Show Output Channels…* does the same there. */
export const showLogCommand = 'swiotlbLens.internal.showLog';

const recorded: RunKey = { policy: 'recorded', set: {} };

/** The pool at the cursor, for the status bar and the panel's cursor mark. Hidden when no trace is in front. */
export class CursorStatus {
  private readonly item: vscode.StatusBarItem;
  private readonly panels: ReplayPanels;
  private readonly editors: TraceEditors;
  private readonly server: () => Promise<Server>;
  private timer: NodeJS.Timeout | undefined;
  private asked = 0;
  /** By document: how much of the recorded addresses the model reproduced. */
  private readonly fidelity = new Map<string, string>();
  /** By document: why it could not be analysed. */
  private readonly failures = new Map<string, string>();

  constructor(
    context: vscode.ExtensionContext,
    panels: ReplayPanels,
    editors: TraceEditors,
    server: () => Promise<Server>,
  ) {
    this.panels = panels;
    this.editors = editors;
    this.server = server;
    this.item = vscode.window.createStatusBarItem('swiotlbLens.status', vscode.StatusBarAlignment.Right, 90);
    this.item.name = 'SWIOTLB Lens';
    context.subscriptions.push(
      this.item,
      vscode.window.onDidChangeActiveTextEditor(() => this.later(0)),
      vscode.window.onDidChangeTextEditorSelection(() => this.later(150)),
      editors.onDidChange(() => this.later(150)),
    );
    this.later(0);
  }

  analysed(uri: string): void {
    this.failures.delete(uri);
    this.later(0);
  }

  /** The document has no findings because it was not analysed: that must not look like a clean bill. */
  analysisFailed(uri: string, message: string): void {
    this.failures.set(uri, message);
    this.later(0);
  }

  /** Asks again, e.g. after another run came to the front. */
  refresh(): void {
    this.later(0);
  }

  verified(uri: vscode.Uri, view: VerifyView): void {
    if (0 < view.checked) {
      this.fidelity.set(uri.toString(), exactShare(view));
      this.later(0);
    }
  }

  private later(delayMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.update(), delayMs);
  }

  private async update(): Promise<void> {
    const place = activePlace(this.editors);
    if (place === undefined) {
      this.item.hide();
      return;
    }
    const mine = ++this.asked;
    const { uri, line } = place;
    const failure = this.failures.get(uri.toString());
    if (failure !== undefined) {
      this.showFailure(failure);
      return;
    }
    const front = this.panels.front(uri);
    let at: CursorView | null = null;
    try {
      at = await (await this.server()).ask(cursorRequest, {
        uri: uri.toString(),
        line,
        run: front?.run ?? recorded,
      });
    } catch {
      // The log has it; a status bar item is not the place for an error.
    }
    if (mine === this.asked) {
      this.show(line, at, front?.label, this.fidelity.get(uri.toString()));
      this.panels.cursor(uri, line, at);
    }
  }

  private showFailure(message: string): void {
    this.item.text = `$(warning) ${vscode.l10n.t('SWIOTLB: not analysed')}`;
    this.item.tooltip = vscode.l10n.t('{0}\nClick: show log.', message);
    this.item.backgroundColor = new vscode.ThemeColor('statusBarItem.warningBackground');
    this.item.command = showLogCommand;
    this.item.show();
  }

  private show(line: number, at: CursorView | null, policy: string | undefined, exact: string | undefined): void {
    this.item.command = 'swiotlbLens.replayDynamic';
    this.item.backgroundColor = undefined;
    if (at === null || at.capacitySlots === 0) {
      this.item.text = '$(graph-line) SWIOTLB';
      this.item.tooltip = vscode.l10n.t('Replay with dynamic pools');
    } else {
      const fill = formatPercent(at.usedSlots / at.capacitySlots);
      const parts = [`SWIOTLB ${fill}`, policy, exact === undefined ? undefined : `Exact ${exact}`];
      this.item.text = `$(graph-line) ${parts.filter((part) => part !== undefined).join(' · ')}`;
      this.item.tooltip = vscode.l10n.t(
        '{0} of {1} slots in use at line {2} ({3}).\nClick: replay with dynamic pools.',
        formatCount(at.usedSlots),
        formatCount(at.capacitySlots),
        formatCount(line),
        policy ?? vscode.l10n.t('recorded'),
      );
    }
    this.item.show();
  }
}
