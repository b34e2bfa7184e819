import * as vscode from 'vscode';
import { type PanelMemory, savedPanel } from '../protocol/panel';
import { FailureError } from '../protocol/result';
import { baseName } from './baseName';

/** A saved panel is small; a file of that name that is not gets no attention. */
const maxBytes = 256 * 1024;

/** What was saved beside a trace, or why it was not read; both null when there is nothing. */
export interface FoundPanel {
  readonly memory: PanelMemory | null;
  readonly problem: string | null;
}

/** Where the panel of a trace is saved. */
export function panelFileOf(trace: vscode.Uri): vscode.Uri {
  return trace.with({ path: `${trace.path}.swiotlb-lens.json` });
}

export async function readPanelFile(trace: vscode.Uri): Promise<FoundPanel> {
  const file = panelFileOf(trace);
  const nothing: FoundPanel = { memory: null, problem: null };
  if (trace.scheme === 'untitled') {
    return nothing;
  }
  let size: number;
  try {
    ({ size } = await vscode.workspace.fs.stat(file));
  } catch {
    return nothing;
  }
  const name = baseName(file.path);
  if (!vscode.workspace.isTrusted) {
    return { memory: null, problem: vscode.l10n.t('{0} was not read: this workspace is not trusted.', name) };
  }
  try {
    if (maxBytes < size) {
      throw new Error(vscode.l10n.t('it is too large'));
    }
    const { version: _, ...memory } = savedPanel(
      JSON.parse(new TextDecoder().decode(await vscode.workspace.fs.readFile(file))),
    );
    return { memory, problem: null };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { memory: null, problem: vscode.l10n.t('{0} was not read: {1}.', name, reason) };
  }
}

/** Returns the file's name. Rejects with a sentence where nothing can be written. */
export async function writePanelFile(trace: vscode.Uri, memory: PanelMemory): Promise<string> {
  const file = panelFileOf(trace);
  const refuse = (message: string) => new FailureError({ kind: 'unavailable', message });
  if (trace.scheme === 'untitled') {
    throw refuse(vscode.l10n.t('Save the trace first: there is no file to save the panel beside.'));
  }
  if (!vscode.workspace.isTrusted) {
    throw refuse(vscode.l10n.t('This workspace is not trusted: nothing is written beside its files.'));
  }
  if (vscode.workspace.fs.isWritableFileSystem(trace.scheme) === false) {
    throw refuse(vscode.l10n.t('Files of kind {0} cannot be written: use Export… instead.', trace.scheme));
  }
  const text = `${JSON.stringify({ version: 1, ...memory }, null, 2)}\n`;
  try {
    await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(text));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw refuse(vscode.l10n.t('{0} could not be written: {1}', baseName(file.path), reason));
  }
  return baseName(file.path);
}
