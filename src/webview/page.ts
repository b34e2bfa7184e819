import type { TraceView } from '../protocol/views';
import { byId, fill, h } from './dom';
import { guidanceSection, provenSection } from './sections/guidance';
import type { Reveal } from './sections/why';

/** What the page's own controls do. */
export interface PageEvents {
  readonly reveal: Reveal;
  readonly copy: (text: string, button: HTMLElement) => void;
  readonly showAll: () => void;
  readonly tableToggled: (kind: TableKind) => void;
}

export type TableKind = 'slots' | 'memory';

/** Puts up the blocks a trace gets; panel.ts fills them. A log without requests gets no chart, not an empty one. */
export function buildPage(trace: TraceView, events: PageEvents): void {
  const hasRequests = 0 < trace.requests;
  const content = byId('content');
  content.className = hasRequests ? 'with-charts' : '';
  fill(
    content,
    header(trace),
    hasRequests
      ? [
          h('div', { id: 'policies', role: 'toolbar', 'aria-label': 'Policies' }),
          h(
            'details',
            { id: 'params', hidden: true },
            h('summary', { id: 'params-title' }, 'Parameters'),
            h('div', { id: 'params-body' }),
          ),
          h('div', { id: 'run-errors' }),
          h('dl', { id: 'figures' }),
          chartsSection(events),
        ]
      : null,
    h('section', { id: 'why', 'aria-label': 'Why it failed' }),
    hasRequests
      ? h(
          'section',
          { id: 'compare', 'aria-labelledby': 'compare-title' },
          h('h2', { id: 'compare-title' }, 'Comparison'),
          h('div', { id: 'summary-holder', class: 'scroll' }),
        )
      : provenSection(trace, events.reveal),
    h('section', { id: 'other', 'aria-label': 'Comparison with another trace', hidden: true }),
    hasRequests ? h('div', { id: 'sections' }) : null,
    hasRequests ? h('section', { id: 'size', 'aria-labelledby': 'size-title' }) : null,
    trace.guidance === null ? null : guidanceSection(trace.guidance, events.copy),
    h(
      'section',
      { id: 'ledger', 'aria-labelledby': 'ledger-title' },
      h('h2', { id: 'ledger-title' }, 'What this rests on'),
      h('div', { id: 'fidelity' }),
      h('div', { id: 'ledger-body' }),
    ),
  );
}

function header(trace: TraceView): HTMLElement {
  return h(
    'header',
    null,
    h(
      'div',
      { class: 'context' },
      h('span', { id: 'trace-name' }, trace.name),
      h('span', { id: 'trace-facts' }),
      h('span', { class: 'spacer' }),
      h('span', { id: 'badges' }),
    ),
    h('h1', { id: 'verdict' }),
    h('p', { id: 'verdict-detail' }),
  );
}

function chartsSection(events: PageEvents): HTMLElement {
  return h(
    'section',
    { id: 'charts', 'aria-label': 'Charts' },
    h(
      'div',
      { class: 'figure-head' },
      h('h2', null, 'Slots in use'),
      h('ul', { id: 'legend', 'aria-label': 'Legend' }),
      h('span', { class: 'spacer' }),
      h(
        'span',
        { class: 'range' },
        h('span', { id: 'range' }),
        h(
          'button',
          { id: 'reset-range', type: 'button', class: 'link', hidden: true, click: events.showAll },
          'Show all',
        ),
      ),
    ),
    h('div', { id: 'readout' }),
    plot('slots', 'Slots in use over time', 'plot-slots'),
    h('canvas', {
      id: 'overview',
      tabindex: 0,
      role: 'img',
      'aria-label': 'The whole trace; arrow keys move the visible range',
    }),
    h('p', { id: 'capacity-note', hidden: true }),
    dataTable('slots', 'Slots as a table', events),
    h(
      'div',
      { id: 'transient-block' },
      h('div', { class: 'figure-head' }, h('h2', null, 'Slots in transient pools')),
      plot('transient', 'Slots in transient pools over time', 'plot-small'),
    ),
    h('div', { class: 'figure-head' }, h('h2', null, 'Memory held')),
    plot('memory', 'Memory held over time', 'plot-small plot-last'),
    dataTable('memory', 'Memory as a table', events),
    keys(),
  );
}

/** The canvas is the slider of the time cursor: arrow keys move it, its value text reads the levels. */
function plot(name: string, label: string, classes: string): HTMLElement {
  return h(
    'div',
    { class: `plot ${classes}` },
    h('canvas', {
      id: `chart-${name}`,
      role: 'slider',
      tabindex: 0,
      'aria-label': label,
      'aria-orientation': 'horizontal',
    }),
  );
}

function dataTable(kind: TableKind, title: string, events: PageEvents): HTMLElement {
  return h(
    'details',
    { class: 'data-table', 'data-table': kind, toggle: () => events.tableToggled(kind) },
    h('summary', null, title),
    h('div', { class: 'scroll' }),
  );
}

function keys(): HTMLElement {
  return h(
    'details',
    { id: 'keys' },
    h('summary', null, 'Keys'),
    h(
      'dl',
      { class: 'keys' },
      key('← →', 'move the time cursor (Shift: faster)'),
      key(', .', 'previous, next change'),
      key('p n', 'previous, next failure'),
      key('Enter', 'go to the line of the nearest failure'),
      key('+ −', 'zoom around the cursor (also Ctrl + wheel, or drag)'),
      key('0', 'show the whole trace (also double click)'),
      key('?', 'this list'),
    ),
  );
}

function key(names: string, meaning: string): HTMLElement[] {
  return [
    h(
      'dt',
      null,
      names.split(' ').flatMap((name) => [h('kbd', null, name), ' ']),
    ),
    h('dd', null, meaning),
  ];
}
