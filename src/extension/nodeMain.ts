import type * as vscode from 'vscode';
import { activateIn, deactivate as end } from './extension';
import { nodeHost } from './nodeHost';

/** `main` of package.json: VS Code on a desktop, and on the other end of a remote connection. */
export function activate(context: vscode.ExtensionContext): void {
  activateIn(nodeHost, context);
}

export function deactivate(): Promise<void> {
  return end();
}
