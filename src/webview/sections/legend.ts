import type { TraceView } from '../../protocol/views';
import { causeMark } from '../charts/causeMarks';
import { bandOf, frontOf, marksFailures, type TimelineModel } from '../charts/model';
import { h, svg } from '../dom';
import { sortedCauses } from '../verdict';
import { causeWords } from '../words';

/** What the lines and marks of the slots chart mean. */
export function legend(trace: TraceView, model: TimelineModel): HTMLElement[] {
  const { runs, band } = model;
  const entries = [line('', 2, 'in use'), line('8 3', 1, 'high water'), line('1 3', 1.5, 'capacity')];
  entries.push(...failureSigns(runs).map(({ sign, label }) => h('li', { class: 'failure-key' }, `${sign} ${label}`)));
  if (band !== null) {
    const front = frontOf(model);
    const isScaled = front !== undefined && bandOf(front.run, trace) === 'scaled';
    entries.push(h('li', null, isScaled ? '▒ lifetimes 0.1× to 10×' : '▒ lifetimes 25th to 75th percentile'));
  }
  if (trace.samples !== null) {
    entries.push(h('li', null, '○ debugfs sample'));
  }
  return entries;
}

/** The shapes of the failures that are drawn, each with the causes it stands for. */
export function failureSigns(runs: TimelineModel['runs']): { readonly sign: string; readonly label: string }[] {
  const labels = new Map<string, Set<string>>();
  for (const shown of runs.filter(marksFailures)) {
    for (const [cause] of sortedCauses(shown.run.failuresByCause)) {
      const { sign } = causeMark(cause);
      labels.set(sign, (labels.get(sign) ?? new Set()).add(causeWords[cause].label));
    }
  }
  return [...labels].map(([sign, names]) => ({ sign, label: [...names].join(', ') }));
}

function line(dash: string, width: number, label: string): HTMLElement {
  const attributes = { x1: 1, y1: 4, x2: 21, y2: 4, 'stroke-width': width, 'stroke-dasharray': dash };
  const swatch = svg(
    'svg',
    { class: 'swatch neutral', width: 22, height: 8, 'aria-hidden': 'true' },
    svg('line', attributes),
  );
  return h('li', null, swatch, label);
}
