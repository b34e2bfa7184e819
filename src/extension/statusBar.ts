import * as vscode from 'vscode';
import { formatCount, formatPercent } from '../base/format';
import { cursorRequest } from '../protocol/lsp';
import { type CursorView, exactShare, type VerifyView } from '../protocol/views';
import type { Server } from './client';
import { languageId } from './detect';
import type { ReplayPanels } from './replayPanel';

/** The pool at the cursor, for the status bar and the panel's cursor mark. Hidden when no trace is in front. */
export class CursorStatus {
  private readonly item: vscode.StatusBarItem;
  private readonly panels: ReplayPanels;
  private readonly server: () => Promise<Server>;
  private timer: NodeJS.Timeout | undefined;
  private asked = 0;
  /** By document: how much of the recorded addresses the model reproduced. */
  private readonly fidelity = new Map<string, string>();

  constructor(context: vscode.ExtensionContext, panels: ReplayPanels, server: () => Promise<Server>) {
    this.panels = panels;
    this.server = server;
    this.item = vscode.window.createStatusBarItem('swiotlbLens.status', vscode.StatusBarAlignment.Right, 90);
    this.item.name = 'SWIOTLB Lens';
    this.item.command = 'swiotlbLens.replayDynamic';
    context.subscriptions.push(
      this.item,
      vscode.window.onDidChangeActiveTextEditor(() => this.later(0)),
      vscode.window.onDidChangeTextEditorSelection(() => this.later(150)),
    );
    this.later(0);
  }

  /** Asks again, e.g. after a new analysis. */
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
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined || editor.document.languageId !== languageId) {
      this.item.hide();
      return;
    }
    const mine = ++this.asked;
    const { uri } = editor.document;
    const line = editor.selection.active.line + 1;
    let at: CursorView | null = null;
    try {
      at = await (await this.server()).ask(cursorRequest, { uri: uri.toString(), line });
    } catch {
      // The log has it; a status bar item is not the place for an error.
    }
    if (mine === this.asked) {
      this.show(line, at, this.fidelity.get(uri.toString()));
      this.panels.cursor(uri, line, at);
    }
  }

  private show(line: number, at: CursorView | null, exact: string | undefined): void {
    if (at === null || at.capacitySlots === 0) {
      this.item.text = '$(graph-line) SWIOTLB';
      this.item.tooltip = vscode.l10n.t('Replay with dynamic pools');
    } else {
      const fill = formatPercent(at.usedSlots / at.capacitySlots);
      this.item.text = `$(graph-line) SWIOTLB ${fill}${exact === undefined ? '' : ` · Exact ${exact}`}`;
      this.item.tooltip = vscode.l10n.t(
        '{0} of {1} slots in use at line {2}.\nClick: replay with dynamic pools.',
        formatCount(at.usedSlots),
        formatCount(at.capacitySlots),
        formatCount(line),
      );
    }
    this.item.show();
  }
}
