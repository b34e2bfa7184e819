import * as vscode from 'vscode';
import { FailureError } from '../protocol/result';
import { baseName } from './baseName';
import type { Host } from './host';
import { viewTypeOf } from './showLine';
import { isTraceName, looksLikeTrace, sniffLength } from './sniff';

/** Above this VS Code gives an extension no document: no findings by the language server, no hover, no commands. */
const documentLimitBytes = 50 * 2 ** 20;

/** Moves files between VS Code's text editor and the custom editor. */
export class EditorChoice {
  private readonly host: Host;
  private readonly log: vscode.LogOutputChannel;
  /** Files the user asked to see as text: they stay text. */
  private readonly asText = new Set<string>();
  private readonly considering = new Set<string>();

  constructor(host: Host, context: vscode.ExtensionContext, log: vscode.LogOutputChannel) {
    this.host = host;
    this.log = log;
    context.subscriptions.push(
      vscode.window.tabGroups.onDidChangeTabs(({ opened, changed, closed }) => {
        for (const tab of [...opened, ...changed]) {
          void this.consider(tab);
        }
        for (const { input } of closed) {
          this.forget(input);
        }
      }),
    );
    for (const { tabs } of vscode.window.tabGroups.all) {
      tabs.forEach((tab) => void this.consider(tab));
    }
  }

  /** *Open with SWIOTLB Lens*: a file of the explorer, else the one in front, whose text tab it replaces. */
  async openWith(asked: vscode.Uri | undefined): Promise<void> {
    const active = vscode.window.tabGroups.activeTabGroup.activeTab;
    const uri = asked ?? uriOf(active?.input) ?? (await pickFile());
    if (uri === undefined) {
      return;
    }
    if (!this.host.canRead(uri)) {
      throw new FailureError({
        kind: 'unavailable',
        message: this.host.refusal(),
      });
    }
    const isInFront = active?.input instanceof vscode.TabInputText && active.input.uri.toString() === uri.toString();
    await vscode.commands.executeCommand('vscode.openWith', uri, viewTypeOf(uri));
    if (isInFront && active?.isDirty === false) {
      await vscode.window.tabGroups.close(active);
    }
  }

  async openAsText(uri: vscode.Uri, column: vscode.ViewColumn | undefined): Promise<void> {
    this.asText.add(uri.toString());
    await vscode.commands.executeCommand('vscode.openWith', uri, 'default', column ?? vscode.ViewColumn.Active);
  }

  /** Text that is too big for VS Code's documents goes to the custom editor, when it is a trace and the user lets it. */
  private async consider(tab: vscode.Tab): Promise<void> {
    const { input } = tab;
    if (!(input instanceof vscode.TabInputText) || !this.host.canRead(input.uri) || tab.isDirty) {
      return;
    }
    const { uri } = input;
    const key = uri.toString();
    const isOn = vscode.workspace.getConfiguration('swiotlbLens', uri).get('takeOverLargeFiles', true);
    if (!isOn || this.asText.has(key) || this.considering.has(key)) {
      return;
    }
    this.considering.add(key);
    try {
      const { size } = await vscode.workspace.fs.stat(uri);
      if (documentLimitBytes < size && (await isTrace(this.host, uri))) {
        await vscode.commands.executeCommand('vscode.openWith', uri, viewTypeOf(uri), {
          viewColumn: tab.group.viewColumn,
          preserveFocus: !tab.isActive,
          preview: tab.isPreview,
        });
        await this.closeText(key);
      }
    } catch (error) {
      this.log.warn(`${key} was left to the text editor: ${String(error)}`);
    } finally {
      this.considering.delete(key);
    }
  }

  private async closeText(key: string): Promise<void> {
    const tabs = vscode.window.tabGroups.all
      .flatMap((group) => group.tabs)
      .filter(({ input }) => input instanceof vscode.TabInputText && input.uri.toString() === key);
    await vscode.window.tabGroups.close(tabs, true);
  }

  /** A text tab that was closed by hand: the next time the file opens as any other. */
  private forget(input: unknown): void {
    if (input instanceof vscode.TabInputText) {
      this.asText.delete(input.uri.toString());
    }
  }
}

async function isTrace(host: Host, uri: vscode.Uri): Promise<boolean> {
  const name = baseName(uri.path);
  if (isTraceName(name)) {
    return true;
  }
  return looksLikeTrace(new TextDecoder().decode(await host.readHead(uri, sniffLength)));
}

function uriOf(input: unknown): vscode.Uri | undefined {
  return input instanceof vscode.TabInputText || input instanceof vscode.TabInputCustom ? input.uri : undefined;
}

async function pickFile(): Promise<vscode.Uri | undefined> {
  const picked = await vscode.window.showOpenDialog({ canSelectMany: false });
  return picked?.[0];
}
