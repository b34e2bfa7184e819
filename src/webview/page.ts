import type { TraceView } from '../protocol/views';
import { keyHelp } from './charts/keys';
import { byId, fill, h } from './dom';
import { type TimeMode, timeModesOf } from './format';
import { guidanceSection, provenSection } from './sections/guidance';
import type { Reveal } from './sections/why';

/** What the page's own controls do. */
export interface PageEvents {
  readonly reveal: Reveal;
  readonly copy: (text: string, button: HTMLElement) => void;
  readonly showAll: () => void;
  readonly tableToggled: (kind: TableKind) => void;
  readonly timeMode: (mode: TimeMode) => void;
  readonly exportSomething: () => void;
  readonly notesChanged: (notes: string) => void;
  readonly save: () => void;
}

export const tableKinds = ['slots', 'pools', 'transient', 'memory', 'stalls'] as const;
export type TableKind = (typeof tableKinds)[number];

/** Puts up the blocks a trace gets; view.ts fills them. A log without requests gets no chart, not an empty one. */
export function buildPage(
  trace: TraceView,
  { timeMode, notes }: { readonly timeMode: TimeMode; readonly notes: string },
  events: PageEvents,
): void {
  const hasRequests = 0 < trace.requests;
  const content = byId('content');
  content.className = hasRequests ? 'with-charts' : '';
  fill(
    content,
    header(trace, events),
    hasRequests
      ? [
          h('div', { id: 'policies', role: 'toolbar', 'aria-label': 'Policies' }),
          h('div', { id: 'run-errors' }),
          h(
            'details',
            { id: 'params', hidden: true },
            h('summary', { id: 'params-title' }, 'Parameters'),
            h('div', { id: 'params-body' }),
          ),
          h('section', { id: 'unreplayable', 'aria-label': 'Nothing to replay', hidden: true }),
          h('dl', { id: 'figures' }),
          chartsSection(trace, timeMode, events),
        ]
      : null,
    h('section', { id: 'why', 'aria-label': 'Why it failed' }),
    hasRequests
      ? h(
          'section',
          { id: 'compare', 'aria-labelledby': 'compare-title' },
          h('h2', { id: 'compare-title' }, 'Comparison'),
          h('div', { id: 'multiples' }),
          h('div', {
            id: 'summary-holder',
            class: 'scroll',
            tabindex: 0,
            role: 'group',
            'aria-label': 'Comparison of the policies as a table',
          }),
          h('div', { id: 'variations-holder' }),
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
      hasRequests ? h('div', { id: 'assumptions' }) : null,
    ),
    notesSection(notes, events),
  );
}

function header(trace: TraceView, events: PageEvents): HTMLElement {
  return h(
    'header',
    null,
    h(
      'div',
      { class: 'context' },
      h('span', { id: 'trace-name' }, trace.name),
      h('span', { id: 'trace-facts' }),
      h('span', { class: 'spacer' }),
      h(
        'span',
        { class: 'header-actions' },
        h('span', { id: 'badges' }),
        h('button', { id: 'export', type: 'button', class: 'link', click: events.exportSomething }, 'Export…'),
      ),
    ),
    h('h1', { id: 'verdict' }),
    h('p', { id: 'verdict-detail' }),
  );
}

function chartsSection(trace: TraceView, timeMode: TimeMode, events: PageEvents): HTMLElement {
  const head = (title: string, ...more: (HTMLElement | null)[]) =>
    h('div', { class: 'figure-head' }, h('h2', null, title), more);
  return h(
    'section',
    { id: 'charts', 'aria-label': 'Charts' },
    head(
      'Slots in use',
      h('ul', { id: 'legend', 'aria-label': 'Legend' }),
      h('span', { class: 'spacer' }),
      h(
        'span',
        { class: 'range' },
        timeSwitch(trace, timeMode, events),
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
      role: 'slider',
      'aria-orientation': 'horizontal',
      'aria-label': 'Visible part of the trace; arrow keys move it, plus and minus change its length',
    }),
    h('p', { id: 'capacity-note', hidden: true }),
    dataTable('slots', 'Slots as a table', events),
    h(
      'div',
      { id: 'pools-block', class: 'chart-block' },
      head('Pools', h('span', { id: 'pools-readout', class: 'muted' })),
      plot('pools', 'Pools over time', 'plot-pools'),
      dataTable('pools', 'Pools as a table', events),
    ),
    h(
      'div',
      { id: 'transient-block', class: 'chart-block' },
      head('Slots in transient pools'),
      plot('transient', 'Slots in transient pools over time', 'plot-small'),
      dataTable('transient', 'Slots in transient pools as a table', events),
    ),
    h(
      'div',
      { id: 'memory-block', class: 'chart-block' },
      head('Memory held'),
      plot('memory', 'Memory held over time', 'plot-small'),
      dataTable('memory', 'Memory as a table', events),
    ),
    h(
      'div',
      { id: 'stalls-block', class: 'chart-block' },
      head('Stalls', h('span', { class: 'muted' }, 'time that mappings were held up, added up')),
      plot('stalls', 'Time that mappings were held up, added up', 'plot-small'),
      dataTable('stalls', 'Stalls as a table', events),
    ),
    keys(),
  );
}

const timeWords: Readonly<Record<TimeMode, string>> = {
  clock: 'as the trace prints it',
  relative: 'since the first event',
  sinceBoot: 'since boot',
};

/** Clocks that give order only have one way to be written. */
function timeSwitch(trace: TraceView, chosen: TimeMode, events: PageEvents): HTMLElement | null {
  const modes = timeModesOf(trace);
  if (modes.length < 2) {
    return null;
  }
  const select = h(
    'select',
    { id: 'time-mode', change: () => events.timeMode(select.value as TimeMode) },
    modes.map((mode) => h('option', { value: mode, selected: mode === chosen }, timeWords[mode])),
  );
  return h('label', { class: 'time-mode' }, 'Time ', select);
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
    // Browsers before Chromium 130 do not let the keyboard scroll what holds nothing to focus.
    h('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': title }),
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
      keyHelp.flatMap(([names, meaning]) => [
        h(
          'dt',
          null,
          names.split(' ').flatMap((name) => [h('kbd', null, name), ' ']),
        ),
        h('dd', null, meaning),
      ]),
    ),
  );
}

function notesSection(notes: string, events: PageEvents): HTMLElement {
  const area = h('textarea', {
    id: 'notes-text',
    rows: 3,
    maxlength: 20_000,
    'aria-labelledby': 'notes-title',
    placeholder: 'What you found out about this trace.',
    input: () => events.notesChanged(area.value),
  });
  area.value = notes;
  return h(
    'section',
    { id: 'notes', 'aria-labelledby': 'notes-title' },
    h('h2', { id: 'notes-title' }, 'Notes'),
    area,
    h(
      'p',
      { class: 'save' },
      h('button', { id: 'save', type: 'button', class: 'secondary', click: events.save }, 'Save beside the trace'),
      h(
        'span',
        { id: 'save-status', class: 'muted', role: 'status' },
        'Policies, settings, the visible range and these notes; picked up when the trace is opened again.',
      ),
    ),
  );
}
