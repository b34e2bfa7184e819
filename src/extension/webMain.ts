import type * as vscode from 'vscode';
import { activateIn, deactivate as end } from './extension';
import { webHost } from './webHost';

/** `browser` of package.json: windows without a machine behind them (vscode.dev, github.dev). */
export function activate(context: vscode.ExtensionContext): void {
  activateIn(webHost, context);
}

export function deactivate(): Promise<void> {
  return end();
}
