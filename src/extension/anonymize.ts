import * as vscode from 'vscode';
import { anonymizeRequest } from '../protocol/anonymize';
import { traceRequest } from '../protocol/lsp';
import { FailureError } from '../protocol/result';
import { baseName } from './baseName';
import type { Server } from './client';
import { languageId } from './detect';
import { showLine } from './showLine';
import type { TraceEditors } from './traceEditors';

const archive = /\.(?:tar(?:\.\w+)?|tgz)$/;

/** Writes a copy of a trace beside it that can be given away, opens it and says what was replaced. */
export async function anonymize(uri: vscode.Uri, editors: TraceEditors, server: () => Promise<Server>): Promise<void> {
  const document = vscode.workspace.textDocuments.find((open) => open.uri.toString() === uri.toString());
  if (document !== undefined && (document.isDirty || uri.scheme !== 'file')) {
    await anonymizeText(document, server);
    return;
  }
  const { ask } = await server();
  const uris = await filesToCopy(uri, server);
  if (uris === undefined) {
    return;
  }
  const target = await freeTarget(uri, uris.length > 1 || archive.test(uri.path));
  const title = vscode.l10n.t('Anonymising {0}', baseName(uri.path));
  try {
    const { uris: written, sentences } = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title, cancellable: true },
      (_, token) => ask(anonymizeRequest, { uris, target: target.toString(), text: null }, token),
    );
    const [first] = written;
    if (first !== undefined) {
      await showLine(editors, vscode.Uri.parse(first, true), 1);
    }
    tell(sentences);
  } catch (error) {
    if (!(error instanceof FailureError && error.failure.kind === 'cancelled')) {
      throw error;
    }
  }
}

async function anonymizeText(document: vscode.TextDocument, server: () => Promise<Server>): Promise<void> {
  const { ask } = await server();
  const { text, sentences } = await ask(anonymizeRequest, { uris: [], target: '', text: document.getText() });
  const copy = await vscode.workspace.openTextDocument({ language: languageId, content: text ?? '' });
  await vscode.window.showTextDocument(copy, { preview: false });
  tell(sentences);
}

/** The file alone, or all files of its capture, so that names stay the same between them; undefined: neither. */
async function filesToCopy(uri: vscode.Uri, server: () => Promise<Server>): Promise<readonly string[] | undefined> {
  const { ask } = await server();
  const { sources } = await ask(traceRequest, { uri: uri.toString() });
  const files = sources.map((source) => source.uri).filter((source) => source.startsWith('file:'));
  const stats = await Promise.all(files.map((file) => isFile(vscode.Uri.parse(file, true))));
  // Members of an archive are not files: the archive is copied as a whole.
  if (files.length < 2 || !stats.every(Boolean)) {
    return [uri.toString()];
  }
  const all = vscode.l10n.t('All {0} files of the capture', String(files.length));
  const picked = await vscode.window.showQuickPick(
    [
      { label: all, detail: vscode.l10n.t('Into a folder beside; the same names in every file.'), uris: files },
      { label: vscode.l10n.t('This file only'), detail: baseName(uri.path), uris: [uri.toString()] },
    ],
    { placeHolder: vscode.l10n.t('What shall be copied with other names and addresses?') },
  );
  return picked?.uris;
}

/** A name beside the trace that nothing has yet. */
async function freeTarget(uri: vscode.Uri, isFolder: boolean): Promise<vscode.Uri> {
  const folder = vscode.Uri.joinPath(uri, '..');
  const name = baseName(uri.path)
    .replace(/\.(?:gz|zst|xz)$/, '')
    .replace(/\.(?:txt|log|dat|tar)$/, '');
  for (let number = 1; ; number++) {
    const suffix = number === 1 ? '' : `-${number}`;
    const file = isFolder
      ? `${archive.test(uri.path) ? `${name}-` : ''}anonymised${suffix}`
      : `${name}.anonymised${suffix}.txt`;
    const target = vscode.Uri.joinPath(folder, file);
    if (!(await exists(target))) {
      return target;
    }
  }
}

async function exists(uri: vscode.Uri): Promise<boolean> {
  return vscode.workspace.fs.stat(uri).then(
    () => true,
    () => false,
  );
}

async function isFile(uri: vscode.Uri): Promise<boolean> {
  return vscode.workspace.fs.stat(uri).then(
    ({ type }) => (type & vscode.FileType.File) !== 0,
    () => false,
  );
}

function tell(sentences: readonly string[]): void {
  const advice = vscode.l10n.t('Look through the copy before you give it away.');
  void vscode.window.showInformationMessage([...sentences, advice].join(' '));
}
