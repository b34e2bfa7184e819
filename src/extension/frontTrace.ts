import * as vscode from 'vscode';
import { languageId } from './detect';
import type { ReplayPanels } from './replayPanel';
import { activePlace } from './target';
import type { TraceEditors } from './traceEditors';

/**
 * The trace that views and status bar are about: the one in the active editor or panel, else one on screen,
 * else the one before while it is open anywhere.
 */
export class FrontTrace {
  private readonly panels: ReplayPanels;
  private readonly editors: TraceEditors;
  private readonly changed = new vscode.EventEmitter<void>();
  /** Another trace is in front, or none. */
  readonly onDidChange = this.changed.event;
  private current: vscode.Uri | undefined;

  constructor(context: vscode.ExtensionContext, panels: ReplayPanels, editors: TraceEditors) {
    this.panels = panels;
    this.editors = editors;
    context.subscriptions.push(
      vscode.window.onDidChangeActiveTextEditor(() => this.follow()),
      vscode.window.tabGroups.onDidChangeTabs(() => this.follow()),
      editors.onDidChange(() => this.follow()),
      // The language of a document may be found out after it was shown.
      vscode.workspace.onDidOpenTextDocument(() => this.follow()),
    );
    this.follow();
  }

  get uri(): vscode.Uri | undefined {
    return this.current;
  }

  private follow(): void {
    const uri = this.find();
    if (uri?.toString() !== this.current?.toString()) {
      this.current = uri;
      void vscode.commands.executeCommand('setContext', 'swiotlbLens.hasTrace', uri !== undefined);
      this.changed.fire();
    }
  }

  private find(): vscode.Uri | undefined {
    const shown = vscode.window.visibleTextEditors.find(({ document }) => document.languageId === languageId);
    return (
      activePlace(this.editors)?.uri ??
      this.panels.activeUri() ??
      shown?.document.uri ??
      this.editors.visible()?.uri ??
      (this.isStillOpen() ? this.current : undefined)
    );
  }

  private isStillOpen(): boolean {
    const uri = this.current?.toString();
    const isOpen = (other: vscode.Uri) => other.toString() === uri;
    return (
      uri !== undefined &&
      (this.panels.uris().some(isOpen) ||
        this.editors.uris().some(isOpen) ||
        vscode.window.tabGroups.all
          .flatMap((group) => group.tabs)
          .some(({ input }) => input instanceof vscode.TabInputText && isOpen(input.uri)))
    );
  }
}
