import * as vscode from 'vscode';
import { looksLikeTrace, sniffLength } from './sniff';

export const languageId = 'swiotlb-trace';

/** Languages whose documents may turn out to be traces. */
const candidates = new Set(['plaintext', 'log']);

/** Switches plain text, log and untitled documents to the trace language when their first 8 KiB say so. */
export function watchDocuments(context: vscode.ExtensionContext): void {
  /** Documents the user said no to, or that have been switched once: a manual change back stays. */
  const settled = new WeakSet<vscode.TextDocument>();
  const look = (document: vscode.TextDocument) => {
    if (candidates.has(document.languageId) && !settled.has(document) && document.uri.scheme !== 'output') {
      void consider(document, settled);
    }
  };
  context.subscriptions.push(
    vscode.workspace.onDidOpenTextDocument(look),
    // A paste into an empty tab arrives as a change; typing line by line is looked at too, which costs 8 KiB a key.
    vscode.workspace.onDidChangeTextDocument(({ document }) => {
      if (document.isUntitled) {
        look(document);
      }
    }),
  );
  vscode.workspace.textDocuments.forEach(look);
}

async function consider(document: vscode.TextDocument, settled: WeakSet<vscode.TextDocument>): Promise<void> {
  const mode = vscode.workspace.getConfiguration('swiotlbLens', document).get<string>('detect', 'auto');
  if (mode === 'never' || !looksLikeTrace(headOf(document))) {
    return;
  }
  settled.add(document);
  if (mode === 'ask') {
    const yes = vscode.l10n.t('Yes');
    const question = vscode.l10n.t('This looks like a kernel DMA trace or log. Show it with SWIOTLB Lens?');
    if ((await vscode.window.showInformationMessage(question, yes, vscode.l10n.t('No'))) !== yes) {
      return;
    }
  }
  await vscode.languages.setTextDocumentLanguage(document, languageId);
}

function headOf(document: vscode.TextDocument): string {
  return document.getText(new vscode.Range(document.positionAt(0), document.positionAt(sniffLength)));
}
