import { formatCount, plural } from '../../base/format';
import { h } from '../dom';
import type { ExportTable } from '../sections/section';
import { ageText, deviceName } from './describe';
import type { MapData } from './mapData';

const mostRows = 400;

/** The mappings of a moment as rows; `follow` leads to the line of one. */
export function mapTable(data: MapData, follow: (move: number) => void): readonly (HTMLElement | null)[] {
  const shown = Math.min(data.count, mostRows);
  const rows = Array.from({ length: shown }, (_, index) =>
    h(
      'tr',
      { 'data-slots': data.slots[index]! },
      h('td', null, data.view.pools[data.pool[index]!]!.kind),
      h('td', { class: 'number' }, formatCount(data.firstSlot[index]!)),
      h('td', { class: 'number' }, formatCount(data.slots[index]!)),
      h('td', { class: 'device' }, deviceName(data, index)),
      h('td', { class: 'number' }, ageText(data, index)),
      h(
        'td',
        null,
        h('button', { type: 'button', class: 'link', click: () => follow(data.move[index]!) }, 'go to line'),
      ),
    ),
  );
  const titles = ['Pool', 'First slot', 'Slots', 'Device', 'Age', 'Line'];
  return [
    h(
      'table',
      { id: 'map-table', 'aria-label': 'Mappings at this moment' },
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          titles.map((title) => h('th', { scope: 'col' }, title)),
        ),
      ),
      h('tbody', null, rows),
    ),
    shown < data.count
      ? h(
          'p',
          { class: 'muted' },
          `The first ${formatCount(shown)} of ${plural(data.count, 'mapping')}; the export has all.`,
        )
      : null,
  ];
}

/** All of them, for a file. */
export function mapTableExport(data: MapData | null): ExportTable {
  const columns = ['pool', 'poolStart', 'firstSlot', 'slots', 'device', 'bornNs'];
  if (data === null) {
    return { columns, rows: [] };
  }
  return {
    columns,
    rows: Array.from({ length: data.count }, (_, index) => {
      const pool = data.view.pools[data.pool[index]!]!;
      const bornNs = data.bornNs[index]!;
      return [
        pool.kind,
        pool.start,
        data.firstSlot[index]!,
        data.slots[index]!,
        data.device[index]! < 0 ? null : deviceName(data, index),
        Number.isNaN(bornNs) ? null : bornNs,
      ];
    }),
  };
}
