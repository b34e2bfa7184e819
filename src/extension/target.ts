import * as vscode from 'vscode';
import { languageId } from './detect';
import type { ReplayPanels } from './replayPanel';

/** The trace a command is about: the active editor or panel, else the only thing on screen that is a trace. */
export function targetTrace(panels: ReplayPanels): vscode.Uri | undefined {
  const active = vscode.window.activeTextEditor?.document;
  if (active?.languageId === languageId) {
    return active.uri;
  }
  const ofPanel = panels.activeUri();
  if (ofPanel !== undefined) {
    return ofPanel;
  }
  const visible = vscode.window.visibleTextEditors.find((editor) => editor.document.languageId === languageId);
  if (visible !== undefined) {
    return visible.document.uri;
  }
  if (active !== undefined) {
    // The user is looking at this text and asks about it, whatever its language.
    return active.uri;
  }
  // Above 50 MB VS Code gives extensions no document, but the tab says which file it is.
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  return input instanceof vscode.TabInputText ? input.uri : undefined;
}
