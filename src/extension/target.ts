import * as vscode from 'vscode';
import { languageId } from './detect';
import type { ReplayPanels } from './replayPanel';
import type { TraceEditors, TracePlace } from './traceEditors';

/** The trace a command is about: the active editor or panel, else the only thing on screen that is a trace. */
export function targetTrace(panels: ReplayPanels, editors: TraceEditors): vscode.Uri | undefined {
  const place = activePlace(editors);
  if (place !== undefined) {
    return place.uri;
  }
  const ofPanel = panels.activeUri();
  if (ofPanel !== undefined) {
    return ofPanel;
  }
  const visible = vscode.window.visibleTextEditors.find((editor) => editor.document.languageId === languageId);
  const onScreen = visible?.document.uri ?? editors.visible()?.uri;
  if (onScreen !== undefined) {
    return onScreen;
  }
  const active = vscode.window.activeTextEditor?.document;
  if (active !== undefined) {
    // The user is looking at this text and asks about it, whatever its language.
    return active.uri;
  }
  // Above 50 MB VS Code gives extensions no document, but the tab says which file it is.
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  return input instanceof vscode.TabInputText ? input.uri : undefined;
}

/** The trace in the active editor, text or custom, and the line of its cursor; undefined when no trace is in front. */
export function activePlace(editors: TraceEditors): TracePlace | undefined {
  const custom = editors.active();
  if (custom !== undefined) {
    return { uri: custom.uri, line: custom.line };
  }
  const text = vscode.window.activeTextEditor;
  return text?.document.languageId === languageId
    ? { uri: text.document.uri, line: text.selection.active.line + 1 }
    : undefined;
}

/** The line the cursor of a trace's editor is on; 1 when no editor shows it. */
export function cursorLineOf(uri: vscode.Uri, editors: TraceEditors): number {
  const custom = editors.of(uri);
  if (custom?.uri.toString() === uri.toString()) {
    return custom.line;
  }
  const text = vscode.window.visibleTextEditors.find(({ document }) => document.uri.toString() === uri.toString());
  return (text?.selection.active.line ?? 0) + 1;
}
