import type { TraceView } from '../../protocol/views';
import type { TimelineModel } from '../charts/timeline';
import { h, svg } from '../dom';

const markSigns = { crossRot: '✕', triangle: '▲', rectRot: '◆', star: '✳' } as const;

/** What the lines and marks of the slots chart mean. */
export function legend(trace: TraceView, { runs, band }: TimelineModel): HTMLElement[] {
  const entries = [line('', 2, 'in use'), line('8 3', 1, 'high water'), line('1 3', 1.5, 'capacity')];
  const failing = runs.filter((shown) => (shown.isFront || shown.isRecorded) && 0 < shown.run.failed);
  if (0 < failing.length) {
    const signs = failing.map((shown) => markSigns[shown.style.mark]).join(' ');
    entries.push(h('li', { class: 'failure-key' }, `${signs} failures (click: go to the line)`));
  }
  if (band !== null) {
    entries.push(h('li', null, '▒ lifetimes 0.1× to 10×'));
  }
  if (trace.samples !== null) {
    entries.push(h('li', null, '○ debugfs sample'));
  }
  return entries;
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
