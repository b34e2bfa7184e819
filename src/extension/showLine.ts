import * as vscode from 'vscode';
import { FailureError } from '../protocol/result';
import { baseName } from './baseName';
import type { TraceEditorHandle, TraceEditors } from './traceEditors';

/** The custom editor for files that VS Code cannot, or need not, show as text. */
export const traceEditorViewType = 'swiotlbLens.traceEditor';
/** The same editor where it is only one of the choices: a type of editor has one priority. */
export const traceEditorOptionViewType = 'swiotlbLens.traceEditorOption';

/** Names that package.json gives the custom editor as their default one. */
const defaultNames =
  /^(?:trace|trace_pipe|dmesg|kern\.log)[\w.-]*\.(?:gz|zst|xz|dat)$|\.(?:trace\.dat|(?:ftrace|dmesg)\.(?:gz|zst|xz))$/;

/** The type under which VS Code knows the custom editor for a file: so it names it as the user does. */
export function viewTypeOf(uri: vscode.Uri): string {
  return defaultNames.test(baseName(uri.path)) ? traceEditorViewType : traceEditorOptionViewType;
}

/** How long a custom editor may take to appear after it was asked for. */
const appearMs = 10_000;

/**
 * Shows a one-based line in whichever editor has the file; what VS Code cannot show as text (packed, binary, above its
 * limit, a member of an archive) opens in the custom editor. `column` counts where no editor of the file is on screen.
 */
export async function showLine(
  editors: TraceEditors,
  uri: vscode.Uri,
  line: number,
  column: vscode.ViewColumn = vscode.ViewColumn.Active,
): Promise<void> {
  const custom = editors.of(uri);
  if (custom !== undefined) {
    if (!custom.panel.active) {
      custom.panel.reveal(custom.panel.viewColumn, false);
    }
    await custom.goTo(uri, line);
    return;
  }
  const open = vscode.window.visibleTextEditors.find(({ document }) => document.uri.toString() === uri.toString());
  try {
    const document = open?.document ?? (await vscode.workspace.openTextDocument(uri));
    const position = new vscode.Position(Math.min(line, document.lineCount) - 1, 0);
    const selection = new vscode.Range(position, position);
    const editor = await vscode.window.showTextDocument(document, {
      viewColumn: open?.viewColumn ?? column,
      selection,
      preview: true,
    });
    editor.revealRange(selection, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  } catch (error) {
    await showInCustomEditor(editors, uri, line, column, error);
  }
}

async function showInCustomEditor(
  editors: TraceEditors,
  uri: vscode.Uri,
  line: number,
  column: vscode.ViewColumn,
  reason: unknown,
): Promise<void> {
  const file = await fileOf(uri);
  if (file === undefined) {
    const why = reason instanceof Error ? reason.message : String(reason);
    throw new FailureError({
      kind: 'unavailable',
      message: vscode.l10n.t('VS Code cannot show this file as text: {0}', why),
    });
  }
  await vscode.commands.executeCommand('vscode.openWith', file, viewTypeOf(file), column);
  const editor = await appeared(editors, file);
  await editor?.goTo(uri, line);
}

/** The file itself, or the archive on the way to it. */
async function fileOf(uri: vscode.Uri): Promise<vscode.Uri | undefined> {
  for (let at = uri; at.path.length > 1; at = vscode.Uri.joinPath(at, '..')) {
    try {
      const { type } = await vscode.workspace.fs.stat(at);
      return (type & vscode.FileType.File) === 0 ? undefined : at;
    } catch {
      // No such file: perhaps the folder above is an archive.
    }
  }
  return undefined;
}

/** The custom editor of a file as soon as there is one; undefined when it does not come. */
function appeared(editors: TraceEditors, file: vscode.Uri): Promise<TraceEditorHandle | undefined> {
  const found = editors.of(file);
  if (found !== undefined) {
    return Promise.resolve(found);
  }
  return new Promise((resolve) => {
    const finish = (editor: TraceEditorHandle | undefined) => {
      clearTimeout(timer);
      listening.dispose();
      resolve(editor);
    };
    const timer = setTimeout(() => finish(undefined), appearMs);
    const listening = editors.onDidChange(() => {
      const editor = editors.of(file);
      if (editor !== undefined) {
        finish(editor);
      }
    });
  });
}
