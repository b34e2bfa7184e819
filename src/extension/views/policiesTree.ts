import * as vscode from 'vscode';
import { formatBytes, formatCount, formatSlots } from '../../base/format';
import type { FinishedRunView } from '../../protocol/sideViews';
import { bounceAllSetting, type RunKey, runId, type TraceView } from '../../protocol/views';
import type { TreeNode } from './node';

/** Not in the palette: it needs to know the trace and the replay. */
export const showRunCommand = 'swiotlbLens.internal.showRun';

/** What the buttons of a policy need. */
export interface RunTarget {
  readonly uri: string;
  readonly run: RunKey;
}

/** Replays of the trace so far, and the policies that were not tried yet. */
export function policyNodes(trace: TraceView, runs: readonly FinishedRunView[]): readonly TreeNode[] {
  if (trace.requests === 0) {
    return [];
  }
  const tried = new Set(runs.map(({ key }) => key.policy));
  const others = trace.policies.filter(({ id }) => !tried.has(id));
  const isFirst = ({ key }: FinishedRunView) => (key.policy === 'recorded' ? 0 : 1);
  return [
    ...[...runs].sort((a, b) => isFirst(a) - isFirst(b)).map((run) => runNode(trace, run)),
    {
      id: 'others',
      label: vscode.l10n.t('Replay another policy'),
      description: formatCount(others.length),
      icon: new vscode.ThemeIcon('library'),
      isOpen: runs.length < 3,
      children: others.map(({ id, title, explanation }) => ({
        id: `others/${id}`,
        label: title,
        description: id,
        tooltip: [explanation],
        icon: new vscode.ThemeIcon('circle-outline'),
        context: 'policy',
        data: { uri: trace.uri, run: { policy: id, set: {} } } satisfies RunTarget,
      })),
    },
  ];
}

function runNode(trace: TraceView, run: FinishedRunView): TreeNode {
  const isRecorded = run.key.policy === 'recorded';
  const isDryRun = run.key.set[bounceAllSetting] === true;
  const set = Object.entries(run.key.set).filter(([name]) => name !== bounceAllSetting);
  const label = [
    isRecorded ? vscode.l10n.t('Recorded') : run.title,
    ...(isDryRun ? [vscode.l10n.t('dry run')] : []),
    ...set.map(([name, value]) => `${name}=${value}`),
  ].join(' · ');
  const description = !run.replayable
    ? vscode.l10n.t('cannot be replayed')
    : [
        vscode.l10n.t('{0} failed', formatCount(run.failed)),
        vscode.l10n.t('peak {0}', formatSlots(run.usedHighWaterSlots)),
        formatBytes(run.peakBytes),
        ...(run.assumedLifetimes === 0 ? [] : [vscode.l10n.t('lifetimes assumed')]),
      ].join(' · ');
  const basis =
    run.basis === 'recorded'
      ? vscode.l10n.t('Recorded: as the trace itself shows it.')
      : vscode.l10n.t('Modelled: what the model of the allocator says.');
  return {
    id: `run/${runId(run.key)}`,
    label,
    description,
    tooltip: [
      label,
      vscode.l10n.t('{0} of {1} requests served', formatCount(run.served), formatCount(run.requests)),
      vscode.l10n.t(
        'Most slots in use: {0} of {1}',
        formatCount(run.usedHighWaterSlots),
        formatCount(run.capacityPeakSlots),
      ),
      vscode.l10n.t('Memory held at most: {0}', formatBytes(run.peakBytes)),
      basis,
    ],
    icon: runIcon(run),
    context: 'run',
    command: {
      command: showRunCommand,
      title: vscode.l10n.t('Show in the panel'),
      arguments: [{ uri: trace.uri, run: run.key } satisfies RunTarget],
    },
    data: { uri: trace.uri, run: run.key } satisfies RunTarget,
  };
}

function runIcon(run: FinishedRunView): vscode.ThemeIcon {
  if (!run.replayable) {
    return new vscode.ThemeIcon('circle-slash');
  }
  if (0 < run.failed) {
    return new vscode.ThemeIcon('error', new vscode.ThemeColor('list.errorForeground'));
  }
  return new vscode.ThemeIcon('pass', new vscode.ThemeColor('testing.iconPassed'));
}
