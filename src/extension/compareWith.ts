import * as vscode from 'vscode';
import { baseName } from './baseName';
import { languageId } from './detect';
import type { ReplayPanels } from './replayPanel';
import type { TraceEditors } from './traceEditors';

interface TraceItem extends vscode.QuickPickItem {
  /** Undefined: ask for a file. */
  readonly uri: vscode.Uri | undefined;
}

/** Picks the other trace among what is open, or a file, and shows both side by side in the first one's panel. */
export async function compareWith(panels: ReplayPanels, editors: TraceEditors, uri: vscode.Uri): Promise<void> {
  const other = await pickTrace(panels, editors, uri);
  if (other !== undefined) {
    panels.show(uri, [], 'other', { other });
  }
}

async function pickTrace(
  panels: ReplayPanels,
  editors: TraceEditors,
  uri: vscode.Uri,
): Promise<vscode.Uri | undefined> {
  const items = openTraces(panels, editors)
    .filter((candidate) => candidate.toString() !== uri.toString())
    .map((candidate) => itemOf(candidate));
  const file: TraceItem = {
    label: vscode.l10n.t('Open a file…'),
    iconPath: new vscode.ThemeIcon('folder-opened'),
    uri: undefined,
  };
  if (items.length === 0) {
    return pickFile(uri);
  }
  const placeHolder = vscode.l10n.t('Compare {0} with which trace?', baseName(uri.path));
  const picked = await vscode.window.showQuickPick([...items, file], { placeHolder, matchOnDescription: true });
  return picked === undefined || picked.uri !== undefined ? picked?.uri : pickFile(uri);
}

async function pickFile(uri: vscode.Uri): Promise<vscode.Uri | undefined> {
  const title = vscode.l10n.t('Compare {0} with which trace?', baseName(uri.path));
  const near = uri.scheme === 'file' ? { defaultUri: vscode.Uri.joinPath(uri, '..') } : {};
  const picked = await vscode.window.showOpenDialog({ ...near, title, canSelectMany: false });
  return picked?.[0];
}

/** Documents in the trace language, in tabs or as panels, text or custom. */
function openTraces(panels: ReplayPanels, editors: TraceEditors): vscode.Uri[] {
  const found = new Map<string, vscode.Uri>();
  const documents = vscode.workspace.textDocuments.filter((document) => document.languageId === languageId);
  for (const uri of [...documents.map((document) => document.uri), ...editors.uris(), ...panels.uris()]) {
    found.set(uri.toString(), uri);
  }
  return [...found.values()];
}

function itemOf(uri: vscode.Uri): TraceItem {
  const folder = vscode.workspace.asRelativePath(vscode.Uri.joinPath(uri, '..'));
  return { label: baseName(uri.path), description: uri.scheme === 'untitled' ? '' : folder, uri };
}
