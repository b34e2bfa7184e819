import { formatBytes, formatCount, formatDuration, plural } from '../../base/format';
import type { DevicesView, SharesView } from '../../protocol/devices';
import { h } from '../dom';
import type { ExportTable } from '../sections/section';

const mostDevices = 50;

/** How the devices of a stack are called; null: those that share its last band. */
export function nameOf(name: string | null, { others }: SharesView): string {
  if (name === null) {
    return others === 0 ? 'unknown' : plural(others, 'other device');
  }
  return name === '' ? 'device without a name' : name;
}

/** Who uses the pool, largest holder first. */
export function deviceTable(view: DevicesView): readonly (HTMLElement | null)[] {
  const bouncing = view.devices.filter((device) => 0 < device.requests);
  const devices = bouncing.slice(0, mostDevices);
  if (devices.length === 0) {
    return [h('p', { class: 'muted' }, 'No mapping of this trace bounced.')];
  }
  const unknown = '–';
  const rows = devices.map((device) => [
    `${device.name === '' ? 'device without a name' : device.name}${device.driver === null ? '' : ` (${device.driver})`}`,
    formatCount(device.requests),
    formatCount(device.failed),
    device.peakSlots === null ? unknown : formatCount(device.peakSlots),
    formatBytes(device.bytes),
    formatBytes(device.wasteBytes),
    device.quantilesNs === null ? unknown : formatDuration(device.quantilesNs.median),
    device.quantilesNs === null ? unknown : formatDuration(device.quantilesNs.p99),
    device.short === null ? unknown : formatCount(device.short.mappings),
    formatCount(device.openAtEnd),
  ]);
  const titles = [
    'Device',
    'Requests',
    'Failed',
    'Peak slots',
    'Asked for',
    'Lost to rounding',
    'Median lifetime',
    '99th percentile',
    `Below ${formatDuration(view.shortNs)}`,
    'Open at the end',
  ];
  const made = table('Devices', titles, rows);
  made.id = 'device-table';
  return [
    made,
    devices.length < bouncing.length
      ? h(
          'p',
          { class: 'muted' },
          `The ${formatCount(devices.length)} devices with most slots of ${formatCount(bouncing.length)}; the export has all.`,
        )
      : null,
  ];
}

/** The first column names the row; the others are numbers. */
export function table(
  label: string,
  titles: readonly string[],
  rows: readonly (readonly string[])[],
): HTMLTableElement {
  return h(
    'table',
    { class: 'data', 'aria-label': label },
    h(
      'thead',
      null,
      h(
        'tr',
        null,
        titles.map((title, index) => h('th', { scope: 'col', class: index === 0 ? '' : 'number' }, title)),
      ),
    ),
    h(
      'tbody',
      null,
      rows.map(([first, ...rest]) =>
        h(
          'tr',
          null,
          h('th', { scope: 'row' }, first ?? ''),
          rest.map((cell) => h('td', { class: 'number' }, cell)),
        ),
      ),
    ),
  );
}

/** Slots of each device at the moments of the chart. */
export function shareExport(shares: SharesView | null): ExportTable {
  return shares === null
    ? { columns: [], rows: [] }
    : {
        columns: ['timeNs', ...shares.devices.map(({ name }) => nameOf(name, shares))],
        rows: shares.timeNs.map((timeNs, index) => [timeNs, ...shares.devices.map(({ slots }) => slots[index]!)]),
      };
}

/** Classes of lifetimes that occur, per device. */
export function lifetimeExport(view: DevicesView | null): ExportTable {
  const edges = view?.lifetimeEdgesNs ?? [];
  return {
    columns: ['device', 'fromNs', 'toNs', 'mappings'],
    rows: (view?.devices ?? []).flatMap(({ name, lifetimes }) =>
      (lifetimes ?? []).flatMap((mappings, index) => {
        const to = edges[index];
        const row = [name, Math.round(edges[index - 1] ?? 0), to === undefined ? null : Math.round(to), mappings];
        return mappings === 0 ? [] : [row];
      }),
    ),
  };
}

/** Classes of sizes that occur, per device. */
export function sizeExport(view: DevicesView | null): ExportTable {
  return {
    columns: ['device', 'fromSlots', 'toSlots', 'mappings', 'failed', 'bytes', 'wasteBytes'],
    rows: (view?.devices ?? []).flatMap(({ name, sizes }) =>
      sizes.flatMap(({ mappings, failed, bytes, wasteBytes }, index) => {
        const { fromSlots, toSlots } = view!.sizeClasses[index]!;
        return mappings + failed === 0 ? [] : [[name, fromSlots, toSlots, mappings, failed, bytes, wasteBytes]];
      }),
    ),
  };
}

/** All devices, with the names of the command line. */
export function deviceExport(view: DevicesView | null): ExportTable {
  const columns = [
    'name',
    'driver',
    'requests',
    'failed',
    'direct',
    'peakSlots',
    'bytes',
    'wasteBytes',
    'medianLifetimeNs',
    'openAtEnd',
    'leakSuspected',
  ] as const;
  return {
    columns,
    rows: (view?.devices ?? []).map((device) => columns.map((column) => device[column])),
  };
}
