import * as vscode from 'vscode';
import type { ExportData, ExportFormat, ExportOffers } from '../protocol/panel';
import { baseName } from './baseName';

/** What the user chose to export. */
type Choice =
  | { readonly kind: 'report'; readonly format: 'html' | 'md' }
  | { readonly kind: 'item'; readonly id: string; readonly format: ExportFormat };

interface ChoiceItem extends vscode.QuickPickItem {
  readonly choice?: Choice;
}

export interface ExportSource {
  readonly trace: vscode.Uri;
  readonly offers: ExportOffers;
  readonly report: (format: 'html' | 'md') => Promise<string>;
  readonly item: (id: string, format: ExportFormat) => Promise<ExportData>;
}

const formatNames: Readonly<Record<ExportFormat, string>> = { png: 'PNG', svg: 'SVG', csv: 'CSV', json: 'JSON' };

/** Asks what, as what and where to, writes it and says where it is. */
export async function exportSomething(source: ExportSource): Promise<void> {
  const picked = await vscode.window.showQuickPick(choicesOf(source.offers), {
    placeHolder: vscode.l10n.t('What do you want to export?'),
    matchOnDescription: true,
  });
  const choice = picked?.choice;
  if (choice === undefined) {
    return;
  }
  const target = await vscode.window.showSaveDialog({
    ...defaultTarget(source.trace, choice),
    filters: { [choice.format.toUpperCase()]: [choice.format] },
    title: vscode.l10n.t('Export'),
  });
  if (target === undefined) {
    return;
  }
  const progress = { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Exporting …') };
  await vscode.window.withProgress(progress, async () => {
    await vscode.workspace.fs.writeFile(target, await contentOf(source, choice));
  });
  const open = vscode.l10n.t('Open');
  const where = vscode.workspace.asRelativePath(target);
  if ((await vscode.window.showInformationMessage(vscode.l10n.t('Exported to {0}', where), open)) === open) {
    await vscode.commands.executeCommand('vscode.open', target);
  }
}

function choicesOf(offers: ExportOffers): ChoiceItem[] {
  const separator = (label: string): ChoiceItem => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const report = (format: 'html' | 'md', description: string): ChoiceItem => ({
    label: vscode.l10n.t('The whole report'),
    description,
    choice: { kind: 'report', format },
  });
  const items = (formats: readonly ExportFormat[]): ChoiceItem[] =>
    offers.flatMap(({ id, title, formats: offered }) =>
      formats
        .filter((format) => offered.includes(format))
        .map((format) => ({ label: title, description: formatNames[format], choice: { kind: 'item', id, format } })),
    );
  return [
    separator(vscode.l10n.t('Report')),
    report('html', vscode.l10n.t('HTML, one page that loads nothing')),
    report('md', vscode.l10n.t('Markdown')),
    separator(vscode.l10n.t('Pictures')),
    ...items(['png', 'svg']),
    separator(vscode.l10n.t('Tables')),
    ...items(['csv', 'json']),
  ];
}

/** Beside the trace, else where VS Code thinks. */
function defaultTarget(trace: vscode.Uri, choice: Choice): { defaultUri?: vscode.Uri } {
  const name = baseName(trace.path).replace(/\.(?:txt|log|dat|gz|zst|xz)$/i, '');
  const file = `${name}-${choice.kind === 'report' ? 'report' : choice.id}.${choice.format}`;
  const folder =
    trace.scheme === 'untitled' || vscode.workspace.fs.isWritableFileSystem(trace.scheme) === false
      ? vscode.workspace.workspaceFolders?.[0]?.uri
      : vscode.Uri.joinPath(trace, '..');
  return folder === undefined ? {} : { defaultUri: vscode.Uri.joinPath(folder, file) };
}

async function contentOf(source: ExportSource, choice: Choice): Promise<Uint8Array> {
  if (choice.kind === 'report') {
    return new TextEncoder().encode(await source.report(choice.format));
  }
  const { encoding, data } = await source.item(choice.id, choice.format);
  return encoding === 'base64'
    ? Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))
    : new TextEncoder().encode(data);
}
