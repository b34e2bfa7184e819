import { formatBytes, formatSlots } from '../../base/format';
import { valueAt } from '../charts/scale';
import type { TimelineModel } from '../charts/timeline';
import { h } from '../dom';

const rowCount = 40;

const columns = {
  slots: [
    ['usedSlots', 'in use', formatSlots],
    ['hiwaterSlots', 'high water', formatSlots],
    ['capacitySlots', 'capacity', formatSlots],
    ['transientSlots', 'transient', formatSlots],
  ],
  memory: [['memoryBytes', 'memory', formatBytes]],
} as const;

/** The visible range of a chart as numbers, at even steps. */
export function dataTable(kind: keyof typeof columns, model: TimelineModel): HTMLElement {
  const { range, runs, time } = model;
  const spanNs = range.toNs - range.fromNs;
  const times = Array.from({ length: rowCount + 1 }, (_, index) => range.fromNs + (spanNs * index) / rowCount);
  return h(
    'table',
    { class: 'data' },
    h(
      'thead',
      null,
      h(
        'tr',
        null,
        h('th', { scope: 'col' }, 'Time'),
        runs.flatMap((run) => columns[kind].map(([, name]) => h('th', { scope: 'col' }, `${run.label}: ${name}`))),
      ),
    ),
    h(
      'tbody',
      null,
      times.map((at) =>
        h(
          'tr',
          null,
          h('th', { scope: 'row' }, time.absolute(at, spanNs)),
          runs.flatMap((run) =>
            columns[kind].map(([column, , format]) => {
              const value = run.series === null ? null : valueAt(run.series, column, at);
              return h('td', { class: 'number' }, value === null ? '–' : format(value));
            }),
          ),
        ),
      ),
    ),
  );
}
