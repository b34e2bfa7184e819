import { formatBytes, formatCount, formatDuration, formatSlots } from '../../base/format';
import type { SeriesView } from '../../protocol/views';
import { frontOf, type TimelineModel } from '../charts/model';
import { type Range, stepAt } from '../charts/scale';
import { h } from '../dom';
import type { TableKind } from '../page';
import type { ExportTable } from './section';

const rowCount = 40;

type Column = keyof Omit<SeriesView, 'timeNs'>;
type LevelKind = Exclude<TableKind, 'pools'>;

const columns: Readonly<Record<LevelKind, readonly (readonly [Column, string, (value: number) => string])[]>> = {
  slots: [
    ['usedSlots', 'in use', formatSlots],
    ['hiwaterSlots', 'high water', formatSlots],
    ['capacitySlots', 'capacity', formatSlots],
  ],
  transient: [['transientSlots', 'in transient pools', formatSlots]],
  memory: [['memoryBytes', 'memory', formatBytes]],
  stalls: [['stalledNs', 'stalled', formatDuration]],
};

const tableNames: Readonly<Record<LevelKind, string>> = {
  slots: 'Slots: the most of each step of the visible range',
  transient: 'Slots in transient pools: the most of each step of the visible range',
  memory: 'Memory held: the most of each step of the visible range',
  stalls: 'Stalls by the end of each step of the visible range',
};

/** The visible range of a chart as numbers, in even steps; the pools one by one. */
export function dataTable(kind: TableKind, model: TimelineModel): HTMLElement {
  return kind === 'pools' ? poolTable(model) : levelTable(kind, model);
}

function levelTable(kind: LevelKind, model: TimelineModel): HTMLElement {
  const { range, runs, time } = model;
  const spanNs = range.toNs - range.fromNs;
  const columnsOfRuns = runs.flatMap((run) => columns[kind].map((column) => [run, column] as const));
  const levels = columnsOfRuns.map(([{ series }, [column]]) =>
    series === null ? null : highestOfSteps(series, column, range, rowCount),
  );
  return h(
    'table',
    { class: 'data', 'aria-label': tableNames[kind] },
    headOf(['From', ...columnsOfRuns.map(([run, [, name]]) => `${run.label}: ${name}`)]),
    h(
      'tbody',
      null,
      Array.from({ length: rowCount }, (_, row) =>
        h(
          'tr',
          null,
          h('th', { scope: 'row' }, time.absolute(range.fromNs + (spanNs * row) / rowCount, spanNs)),
          columnsOfRuns.map(([, [, , format]], index) => {
            const value = levels[index]?.[row] ?? null;
            return h('td', { class: 'number' }, value === null ? '–' : format(value));
          }),
        ),
      ),
    ),
  );
}

/** The highest level of each of so many equal steps of a range, so that no peak is lost; null where nothing is known. */
export function highestOfSteps(series: SeriesView, column: Column, range: Range, steps: number): (number | null)[] {
  const levels = series[column];
  const spanNs = range.toNs - range.fromNs;
  return Array.from({ length: steps }, (_, step) => {
    const last = stepAt(series.timeNs, range.fromNs + (spanNs * (step + 1)) / steps);
    let highest: number | null = null;
    for (let at = Math.max(0, stepAt(series.timeNs, range.fromNs + (spanNs * step) / steps)); at <= last; at++) {
      const level = levels[at] ?? null;
      if (level !== null && (highest === null || highest < level)) {
        highest = level;
      }
    }
    return highest;
  });
}

/** Most pools that are listed; the command line lists all. */
const listedPools = 200;

function poolTable(model: TimelineModel): HTMLElement {
  const { time, whole } = model;
  const pools = frontOf(model)?.run.pools ?? [];
  const spanNs = (whole.toNs - whole.fromNs) / 100;
  const at = (timeNs: number | null, otherwise: string) =>
    timeNs === null ? otherwise : time.absolute(timeNs, spanNs);
  return h(
    'div',
    null,
    h(
      'table',
      { class: 'data', 'aria-label': 'Pools' },
      headOf(['Pool', 'Kind', 'Start', 'Slots', 'Areas', 'Added', 'Removed']),
      h(
        'tbody',
        null,
        pools
          .slice(0, listedPools)
          .map((pool) =>
            h(
              'tr',
              null,
              h('th', { scope: 'row' }, formatCount(pool.id)),
              h('td', null, pool.kind),
              h('td', null, h('code', null, pool.start)),
              h('td', { class: 'number' }, formatCount(pool.slots)),
              h('td', { class: 'number' }, formatCount(pool.areas)),
              h('td', { class: 'number' }, at(pool.addedAtNs, 'from the start')),
              h('td', { class: 'number' }, at(pool.removedAtNs, 'never')),
            ),
          ),
      ),
    ),
    listedPools < pools.length
      ? h('p', { class: 'muted' }, `The first ${formatCount(listedPools)} of ${formatCount(pools.length)}.`)
      : null,
  );
}

function headOf(titles: readonly string[]): HTMLElement {
  return h(
    'thead',
    null,
    h(
      'tr',
      null,
      titles.map((title) => h('th', { scope: 'col' }, title)),
    ),
  );
}

/** Every step of the visible range, as drawn: a row per run and step, in plain numbers. */
export function seriesTable(model: Pick<TimelineModel, 'runs' | 'hasTime'>): ExportTable {
  const names = ['usedSlots', 'hiwaterSlots', 'capacitySlots', 'transientSlots', 'memoryBytes', 'stalledNs'] as const;
  return {
    columns: ['run', model.hasTime ? 'timeNs' : 'event', ...names],
    rows: model.runs.flatMap(({ label, series }) =>
      series === null
        ? []
        : series.timeNs.map((timeNs, index) => [label, timeNs, ...names.map((name) => series[name][index] ?? null)]),
    ),
  };
}

/** The pools of the run in front in plain numbers. */
export function poolExport(model: TimelineModel): ExportTable {
  return {
    columns: ['pool', 'kind', 'start', 'slots', 'areas', 'addedAtNs', 'removedAtNs'],
    rows: (frontOf(model)?.run.pools ?? []).map((pool) => [
      pool.id,
      pool.kind,
      pool.start,
      pool.slots,
      pool.areas,
      pool.addedAtNs,
      pool.removedAtNs,
    ]),
  };
}
