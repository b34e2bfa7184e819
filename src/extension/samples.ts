import * as vscode from 'vscode';
import { showLine } from './showLine';
import type { TraceEditors } from './traceEditors';

interface Sample extends vscode.QuickPickItem {
  /** Folder below media/samples. */
  readonly id: string;
  readonly file: string;
  /** Where the story begins; one-based. */
  readonly line: number;
}

/** Bundled recordings; media/samples/README.md says where they come from. */
function samples(): readonly Sample[] {
  return [
    {
      id: 'full-1MiB',
      file: 'trace.txt',
      line: 11_376,
      label: vscode.l10n.t('A pool of 1 MiB runs full'),
      description: 'ftrace · Linux 6.12',
      detail: vscode.l10n.t('NVMe, virtio-blk and virtio-net share 512 slots; 89 mappings fail.'),
    },
    {
      id: 'growth',
      file: 'trace.txt',
      line: 267,
      label: vscode.l10n.t('Dynamic pools grow, too late for some'),
      description: 'ftrace · Linux 6.12',
      detail: vscode.l10n.t('1 MiB grows five times while mappings wait for it.'),
    },
    {
      id: 'posted',
      file: 'messages.txt',
      line: 1,
      label: vscode.l10n.t('Kernel messages as people post them'),
      description: 'dmesg',
      detail: vscode.l10n.t('Raspberry Pi and others: over-size, fragmented, address limit.'),
    },
    {
      id: 'trace-cmd',
      file: 'trace.dat',
      line: 1,
      label: vscode.l10n.t('A binary trace of trace-cmd'),
      description: 'trace.dat · Linux 6.12',
      detail: vscode.l10n.t('Shown as the lines that its records print.'),
    },
  ];
}

/** Asks which one, unless `id` says it, and opens it in place; nothing is copied. */
export async function openSample(extensionUri: vscode.Uri, editors: TraceEditors, id?: string): Promise<void> {
  const all = samples();
  const sample =
    all.find((candidate) => candidate.id === id) ??
    (await vscode.window.showQuickPick(all, { placeHolder: vscode.l10n.t('Which recording?') }));
  if (sample === undefined) {
    return;
  }
  const uri = vscode.Uri.joinPath(extensionUri, 'media', 'samples', sample.id, sample.file);
  if (sample.file.endsWith('.dat')) {
    await vscode.commands.executeCommand('vscode.open', uri, vscode.ViewColumn.One);
    return;
  }
  await showLine(editors, uri, sample.line, vscode.ViewColumn.One);
}
