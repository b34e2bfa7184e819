import * as vscode from 'vscode';
import { captureScriptsRequest } from '../protocol/lsp';
import type { Server } from './client';

/** Asks for the kernel and opens the script that records a capture there; nothing is saved or run. */
export async function createCaptureScript(server: () => Promise<Server>): Promise<void> {
  const { ask } = await server();
  const scripts = await ask(captureScriptsRequest, {});
  const items = scripts.map(({ title, tried, script }) => ({ label: title, detail: tried, script })).reverse();
  const picked = await vscode.window.showQuickPick(items, {
    placeHolder: vscode.l10n.t('Which kernel will it run on? uname -r tells.'),
  });
  if (picked === undefined) {
    return;
  }
  const document = await vscode.workspace.openTextDocument({ language: 'shellscript', content: picked.script });
  await vscode.window.showTextDocument(document, { preview: false });
}
