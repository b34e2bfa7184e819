import { formatCount } from '../../base/format';
import { causes } from '../../model/cause';
import type { RunView, TraceView } from '../../protocol/views';
import { h } from '../dom';
import { metricRows } from '../metrics';
import { causeWords } from '../words';

/** One side of a comparison of two traces. */
export interface Side {
  readonly trace: TraceView;
  /** Null for a log without requests. */
  readonly run: RunView | null;
}

export interface OtherRow {
  readonly id: string;
  readonly label: string;
  readonly values: readonly (number | null)[];
  readonly format: (value: number) => string;
  /** Change from the first to the second: better, worse, or neither. */
  readonly tone: 'good' | 'bad' | '';
}

/** Before and after: replayed numbers where both traces have requests, else what the logs count. */
export function otherRows(before: Side, after: Side): OtherRow[] {
  if (before.run?.replayable === true && after.run?.replayable === true) {
    return metricRows([before.run, after.run]).map(({ metric, values }) => ({
      id: metric.id,
      label: metric.label,
      values,
      format: metric.format,
      tone: metric.better === 'less' ? toneOf(values) : '',
    }));
  }
  const row = (id: string, label: string, count: (trace: TraceView) => number): OtherRow => {
    const values = [count(before.trace), count(after.trace)];
    return { id, label, values, format: formatCount, tone: toneOf(values) };
  };
  return [
    row('failures', 'Failures in the file', (trace) => trace.failureCount),
    ...causes.map((cause) =>
      row(`failures.${cause}`, `… ${causeWords[cause].label}`, (trace) => trace.failuresByCause[cause] ?? 0),
    ),
  ].filter((candidate) => candidate.id === 'failures' || candidate.values.some((value) => value !== 0));
}

function toneOf([before, after]: readonly (number | null)[]): OtherRow['tone'] {
  if (before == null || after == null || before === after) {
    return '';
  }
  return after < before ? 'good' : 'bad';
}

export function otherSection(
  before: Side,
  after: Side,
  label: string,
  charts: HTMLElement | null,
): (HTMLElement | null)[] {
  const names = sideNames(before.trace, after.trace);
  const isReplayed = before.run?.replayable === true && after.run?.replayable === true;
  return [
    h('h2', null, `Before and after: ${names.join(' and ')}`),
    h(
      'p',
      { class: 'muted' },
      isReplayed
        ? `Both under the run in front: ${label}. Choose another policy above to compare with it.`
        : 'One of them has no requests to replay: what the files themselves say is compared.',
    ),
    charts,
    h(
      'div',
      { class: 'scroll' },
      h(
        'table',
        { id: 'other-table', 'aria-label': 'Comparison of two traces' },
        h(
          'thead',
          null,
          h(
            'tr',
            null,
            ['Measure', ...names, 'Change'].map((title, index) =>
              h('th', { scope: 'col', class: index === 0 ? '' : 'number' }, title),
            ),
          ),
        ),
        h(
          'tbody',
          null,
          otherRows(before, after).map((row) =>
            h(
              'tr',
              { 'data-metric': row.id },
              h('th', { scope: 'row' }, row.label),
              row.values.map((value, side) =>
                h(
                  'td',
                  { class: 'number', 'data-side': side === 0 ? 'before' : 'after', 'data-value': value ?? '' },
                  value === null ? '–' : row.format(value),
                ),
              ),
              h('td', { class: `number change ${row.tone}` }, changeOf(row)),
            ),
          ),
        ),
      ),
    ),
  ];
}

function changeOf({ values: [before, after], format, tone }: OtherRow): string {
  if (before == null || after == null) {
    return '–';
  }
  if (before === after) {
    return 'same';
  }
  const sign = after < before ? '−' : '+';
  const word = tone === '' ? '' : tone === 'good' ? ' ✓' : ' ✗';
  return `${sign}${format(Math.abs(after - before))}${word}`;
}

/** Names that tell the two apart: with their folders when the files are called the same. */
export function sideNames(a: TraceView, b: TraceView): [string, string] {
  if (a.name !== b.name) {
    return [a.name, b.name];
  }
  const longer = ({ uri }: TraceView) => decodeURIComponent(uri).split('/').slice(-2).join(' / ');
  return longer(a) === longer(b) ? [`${a.name} (1)`, `${b.name} (2)`] : [longer(a), longer(b)];
}
