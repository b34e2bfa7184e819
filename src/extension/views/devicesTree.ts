import * as vscode from 'vscode';
import { formatBytes, formatCount, formatDuration, formatSlots, formatSlotsAndBytes, plural } from '../../base/format';
import type { DevicesView, DeviceUseView } from '../../protocol/devices';
import type { TraceView } from '../../protocol/views';
import type { TreeNode } from './node';
import { showLineOf } from './place';

/** Who uses the pool, the largest user first. */
export function deviceNodes(trace: TraceView, { devices }: DevicesView): readonly TreeNode[] {
  return devices.map((device) => deviceNode(trace, device));
}

function deviceNode(trace: TraceView, device: DeviceUseView): TreeNode {
  const command = showLineOf(trace, device.first?.file ?? null, device.first?.line ?? null);
  const name = device.name === '' ? vscode.l10n.t('unknown device') : device.name;
  const facts = [
    device.driver,
    device.requests === 0 ? null : plural(device.requests, 'mapping'),
    device.peakSlots === null || device.peakSlots === 0
      ? null
      : vscode.l10n.t('peak {0}', formatSlots(device.peakSlots)),
    device.failed === 0 ? null : vscode.l10n.t('{0} failed', formatCount(device.failed)),
    device.leakSuspected ? vscode.l10n.t('leak suspected') : null,
  ].filter((fact) => fact !== null);
  return {
    id: device.name,
    label: name,
    description: facts.join(' · '),
    tooltip: [name, ...facts],
    icon: deviceIcon(device),
    ...(command === undefined ? {} : { command }),
    children: details(device),
  };
}

function details(device: DeviceUseView): TreeNode[] {
  const unknown = vscode.l10n.t('unknown');
  const total = device.bytes + device.wasteBytes;
  const waste = total === 0 ? '' : ` (${Math.round((device.wasteBytes / total) * 100)} %)`;
  const rows: readonly (readonly [string, string, string | null])[] = [
    [vscode.l10n.t('Mappings that bounced'), formatCount(device.requests - device.failed), null],
    [vscode.l10n.t('Failed'), formatCount(device.failed), null],
    [vscode.l10n.t('Mappings without bounce'), formatCount(device.direct), null],
    [
      vscode.l10n.t('Most slots at once'),
      device.peakSlots === null ? unknown : formatSlotsAndBytes(device.peakSlots),
      vscode.l10n.t('Unknown where the trace does not tell when mappings end.'),
    ],
    [vscode.l10n.t('Bytes mapped'), formatBytes(device.bytes), null],
    [
      vscode.l10n.t('Lost to rounding'),
      `${formatBytes(device.wasteBytes)}${waste}`,
      vscode.l10n.t('Mappings take whole slots of 2 KiB; this is what they did not need.'),
    ],
    [
      vscode.l10n.t('Median lifetime'),
      device.medianLifetimeNs === null ? unknown : formatDuration(device.medianLifetimeNs),
      null,
    ],
    [vscode.l10n.t('Still mapped at the end'), formatCount(device.openAtEnd), null],
    [vscode.l10n.t('DMA mask'), device.dmaMaskBits === null ? unknown : `${device.dmaMaskBits} bits`, null],
    ['min_align_mask', device.minAlignMask ?? unknown, null],
  ];
  return rows.map(([label, description, tooltip]) => ({
    id: `${device.name}/${label}`,
    label,
    description,
    ...(tooltip === null ? {} : { tooltip: [tooltip] }),
  }));
}

function deviceIcon(device: DeviceUseView): vscode.ThemeIcon {
  if (0 < device.failed) {
    return new vscode.ThemeIcon('error', new vscode.ThemeColor('list.errorForeground'));
  }
  if (device.leakSuspected) {
    return new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'));
  }
  return new vscode.ThemeIcon('plug');
}
