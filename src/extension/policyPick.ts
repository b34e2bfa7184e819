import * as vscode from 'vscode';
import type { PolicyView } from '../protocol/views';

interface PolicyItem extends vscode.QuickPickItem {
  readonly id?: string;
}

/** Policies of released kernels, and those whose code was posted; every other one was only talked about. */
const merged = new Set(['fixed', 'transient', 'dynamic', 'restricted']);
const posted = new Set(['dynamic-v4', 'rfc-v1', 'rfc-v2', 'may-sleep', 'cc-swiotlb', 'throttle', 'private-shared']);

/** A quick pick over all policies, grouped by how real they are, each with its explanation. */
export async function choosePolicy(policies: readonly PolicyView[]): Promise<string | undefined> {
  const picked = await vscode.window.showQuickPick(itemsOf(policies), {
    placeHolder: vscode.l10n.t('Replay with which policy?'),
    matchOnDescription: true,
    matchOnDetail: true,
  });
  return picked?.id;
}

function itemsOf(policies: readonly PolicyView[]): PolicyItem[] {
  const group = (title: string, isIn: (id: string) => boolean): PolicyItem[] => {
    const members = policies.filter(({ id }) => isIn(id));
    return members.length === 0
      ? []
      : [
          { label: title, kind: vscode.QuickPickItemKind.Separator },
          ...members.map(({ id, title: label, explanation }) => ({ label, description: id, detail: explanation, id })),
        ];
  };
  return [
    ...group(vscode.l10n.t('In the kernel'), (id) => merged.has(id)),
    ...group(vscode.l10n.t('Posted as patches'), (id) => posted.has(id)),
    ...group(vscode.l10n.t('Proposed in discussions'), (id) => !merged.has(id) && !posted.has(id)),
  ];
}
