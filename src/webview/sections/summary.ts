import { plural } from '../../base/format';
import type { ShownRun } from '../charts/timeline';
import { h } from '../dom';
import { isModelled, type MetricRow, metricRows } from '../metrics';

/** Policies as columns, what differs first, the best value of a row marked. */
export function summaryTable(runs: readonly ShownRun[]): HTMLElement {
  const rows = metricRows(runs.map((shown) => shown.run));
  const differing = rows.filter((row) => row.differs);
  const same = rows.filter((row) => !row.differs);
  return h(
    'table',
    { id: 'summary', 'aria-label': 'Comparison of policies' },
    h(
      'thead',
      null,
      h(
        'tr',
        null,
        h('th', { scope: 'col' }, h('span', { class: 'visually-hidden' }, 'Measure')),
        runs.map((shown) =>
          h('th', { scope: 'col', 'data-run': shown.id, class: shown.isFront ? 'front' : '' }, shown.label),
        ),
      ),
    ),
    h(
      'tbody',
      null,
      differing.map((row) => rowOf(row, runs)),
    ),
    same.length === 0
      ? null
      : h(
          'tbody',
          { class: 'same' },
          1 < runs.length
            ? h(
                'tr',
                { class: 'divider' },
                h(
                  'th',
                  { scope: 'colgroup', colspan: runs.length + 1 },
                  `The same for ${plural(runs.length, 'policy', 'policies')}`,
                ),
              )
            : null,
          same.map((row) => rowOf(row, runs)),
        ),
  );
}

function rowOf(row: MetricRow, runs: readonly ShownRun[]): HTMLElement {
  return h(
    'tr',
    { 'data-metric': row.metric.id },
    h('th', { scope: 'row', title: row.metric.hint }, row.metric.label),
    row.values.map((value, column) => {
      const isBest = row.best.includes(column);
      const shown = runs[column]!;
      const modelled = isModelled(row.metric, shown.run);
      return h(
        'td',
        {
          'data-run': shown.id,
          'data-metric': row.metric.id,
          'data-value': value === null ? '' : value,
          class: [isBest ? 'best' : '', shown.isFront ? 'front' : '', modelled ? 'modelled' : ''].join(' '),
          title: modelled ? 'modelled: by a replay of the recorded policy' : undefined,
        },
        isBest
          ? h(
              'span',
              { class: 'best-mark', title: 'best of these' },
              '✓',
              h('span', { class: 'visually-hidden' }, ' best: '),
            )
          : null,
        value === null
          ? h('span', { class: 'unknown', title: 'this clock gives order only, or nothing measured it' }, '–')
          : row.metric.format(value),
      );
    }),
  );
}
