import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatSlots,
  formatSlotsAndBytes,
  plural,
} from '../base/format';
import { SLOT_BYTES } from '../model/units';
import { Channel } from '../protocol/channel';
import { type HostMethods, type PanelMethods, panelMethods } from '../protocol/panel';
import type { FailureMark, LineRef, RunKey, RunView, SeriesView, TraceView } from '../protocol/views';
import { runId } from '../protocol/views';
import { Overview } from './charts/overview';
import { clampRange, type Range, valueAt } from './charts/scale';
import { readTheme, runStyle, watchTheme } from './charts/theme';
import { readout, type ShownRun, Timeline, type TimelineModel } from './charts/timeline';
import { byId, fill, h, svg } from './dom';
import { poolSizeChoices, poolSlotsParam } from './fixedSizes';
import { type TimeFormat, timeFormat } from './format';
import { guidanceSection, provenSection } from './sections/guidance';
import { fidelity, ledgerSection } from './sections/ledger';
import { summaryTable } from './sections/summary';
import { causeBars, episodeList, failureTable } from './sections/why';
import { initialState, type PanelState, pressed, recordedKey, withRun } from './state';
import { subjectOf, verdict } from './verdict';
import { policyLabel } from './words';

declare function acquireVsCodeApi(): { postMessage(message: unknown): void };

const api = acquireVsCodeApi();
const state: PanelState = initialState();
const channel = new Channel<PanelMethods, HostMethods>({
  methods: panelMethods,
  handlers: {
    show: ({ runs }) => {
      for (const run of runs) {
        bringToFront(run);
      }
      return null;
    },
    reload: () => {
      void load();
      return null;
    },
    cursor: ({ at }) => {
      timeline?.setEditorCursor(at === null ? null : at.timeNs);
      return null;
    },
  },
  post: (message) => api.postMessage(message),
  onBug: (name, error) => showError(`'${name}' failed.`, error),
});

let timeline: Timeline | null = null;
let overview: Overview | null = null;
let time: TimeFormat = timeFormat({ hasTime: true, origin: null });
const seriesCache = new Map<string, SeriesView>();
let generation = 0;

window.addEventListener('message', (event) => void channel.receive(event.data));
window.addEventListener('error', (event) => showError('The panel ran into a defect.', event.error));
window.addEventListener('unhandledrejection', (event) => showError('The panel ran into a defect.', event.reason));
void start();

async function start(): Promise<void> {
  const { runs, focus } = await channel.call('ready', null);
  for (const run of runs) {
    state.shown = withRun(state.shown, run);
    state.front = runId(run);
  }
  await load();
  if (focus === 'verify') {
    byId('ledger').scrollIntoView();
  }
}

/** Reads the trace (again) and every shown replay. */
async function load(): Promise<void> {
  const mine = ++generation;
  setStatus('loading', state.trace === null ? 'Reading the trace …' : 'The trace changed, reading it again …');
  try {
    const trace = await channel.call('trace', null);
    if (mine !== generation) {
      return;
    }
    const whole = wholeRange();
    const wasWhole = state.trace === null || (state.range.fromNs === whole.fromNs && state.range.toNs === whole.toNs);
    state.trace = trace;
    state.runs.clear();
    state.failed.clear();
    seriesCache.clear();
    state.verify = 'none';
    time = timeFormat(trace);
    buildSkeleton(trace);
    if (0 < trace.requests) {
      await Promise.all([recordedKey, ...state.shown].map((key) => loadRun(key, mine)));
    }
    if (mine !== generation) {
      return;
    }
    if (wasWhole) {
      state.range = wholeRange();
    }
    render();
    setStatus('ready', '');
    if (0 < trace.bounced) {
      void loadVerify(mine);
    }
  } catch (error) {
    if (mine === generation) {
      showError('The trace could not be analysed.', error);
    }
  }
}

async function loadRun(key: RunKey, mine = generation): Promise<void> {
  const id = runId(key);
  try {
    const run = await channel.call('run', { run: key });
    if (mine === generation) {
      state.runs.set(id, run);
    }
  } catch (error) {
    if (mine === generation) {
      state.failed.set(id, sentenceOf(error));
    }
  }
}

async function loadVerify(mine: number): Promise<void> {
  state.verify = 'running';
  renderBadges();
  try {
    const view = await channel.call('verify', null);
    if (mine === generation) {
      state.verify = view;
    }
  } catch (error) {
    if (mine === generation) {
      state.verify = { error: sentenceOf(error) };
    }
  }
  if (mine === generation) {
    renderBadges();
    renderFidelity();
  }
}

/** Shows a replay, making it first when it is not there yet. */
function bringToFront(key: RunKey): void {
  state.shown = withRun(state.shown, key);
  state.front = runId(key);
  void ensureFront(key);
}

async function ensureFront(key: RunKey): Promise<void> {
  if (state.trace === null) {
    return;
  }
  if (0 < state.trace.requests && !state.runs.has(runId(key)) && !state.failed.has(runId(key))) {
    setStatus('loading', `Replaying …`);
    renderPolicies();
    await loadRun(key);
  }
  render();
  setStatus('ready', '');
}

// ---------------------------------------------------------------------------------------------------------------------
// The page

function buildSkeleton(trace: TraceView): void {
  const hasRequests = 0 < trace.requests;
  byId('content').className = hasRequests ? 'with-charts' : '';
  fill(
    byId('content'),
    h(
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
    ),
    hasRequests ? h('div', { id: 'policies', role: 'toolbar', 'aria-label': 'Policies' }) : null,
    hasRequests ? h('div', { id: 'run-errors' }) : null,
    hasRequests ? h('dl', { id: 'figures' }) : null,
    hasRequests ? chartsSection() : null,
    h('section', { id: 'why', 'aria-labelledby': 'why-title' }),
    hasRequests
      ? h(
          'section',
          { id: 'compare', 'aria-labelledby': 'compare-title' },
          h('h2', { id: 'compare-title' }, 'Comparison'),
          h('div', { id: 'summary-holder', class: 'scroll' }),
        )
      : null,
    hasRequests ? null : provenSection(trace, reveal),
    trace.guidance === null ? null : guidanceSection(trace.guidance, (text) => void copy(text)),
    h(
      'section',
      { id: 'ledger', 'aria-labelledby': 'ledger-title' },
      h('h2', { id: 'ledger-title' }, 'What this rests on'),
      h('div', { id: 'fidelity' }),
      h('div', { id: 'ledger-body' }),
    ),
  );
  if (hasRequests) {
    createCharts();
  }
}

function chartsSection(): HTMLElement {
  const chart = (id: string, label: string) =>
    h('canvas', { id, role: 'slider', tabindex: 0, 'aria-label': label, 'aria-orientation': 'horizontal' });
  return h(
    'section',
    { id: 'charts', 'aria-label': 'Charts' },
    h(
      'div',
      { class: 'figure-head' },
      h('h2', null, 'Slots in use'),
      h('ul', { id: 'legend', 'aria-label': 'Legend' }),
      h('span', { class: 'spacer' }),
      h('span', { id: 'range' }),
      h(
        'button',
        { id: 'reset-range', type: 'button', class: 'link', hidden: true, click: () => setRange(wholeRange()) },
        'Show all',
      ),
    ),
    h('p', { id: 'readout', 'aria-live': 'off' }),
    h('div', { class: 'plot plot-slots' }, chart('chart-slots', 'Slots in use over time')),
    h('canvas', {
      id: 'overview',
      tabindex: 0,
      'aria-label': 'Whole trace; arrow keys move the visible range',
      role: 'img',
    }),
    h('p', { id: 'capacity-note', hidden: true }),
    dataTable('slots', 'Slots as a table'),
    h(
      'div',
      { id: 'transient-block' },
      h('div', { class: 'figure-head' }, h('h2', null, 'Slots in transient pools')),
      h('div', { class: 'plot plot-small' }, chart('chart-transient', 'Slots in transient pools over time')),
    ),
    h('div', { class: 'figure-head' }, h('h2', null, 'Memory held')),
    h('div', { class: 'plot plot-small plot-last' }, chart('chart-memory', 'Memory held over time')),
    dataTable('memory', 'Memory as a table'),
    h(
      'details',
      { id: 'keys' },
      h('summary', null, 'Keys'),
      h(
        'dl',
        { class: 'keys' },
        keyHelp('← →', 'move the time cursor (Shift: faster)'),
        keyHelp(', .', 'previous, next change'),
        keyHelp('p n', 'previous, next failure'),
        keyHelp('Enter', 'go to the line of the nearest failure'),
        keyHelp('+ −', 'zoom around the cursor (also Ctrl + wheel, or drag)'),
        keyHelp('0', 'show the whole trace (also double click)'),
        keyHelp('?', 'this list'),
      ),
    ),
  );
}

function keyHelp(keys: string, meaning: string): HTMLElement[] {
  return [
    h(
      'dt',
      null,
      keys.split(' ').flatMap((key) => [h('kbd', null, key), ' ']),
    ),
    h('dd', null, meaning),
  ];
}

function dataTable(kind: 'slots' | 'memory', title: string): HTMLElement {
  const body = h('div', { class: 'scroll' });
  const details = h(
    'details',
    { class: 'data-table', 'data-table': kind, toggle: () => fillDataTable(kind) },
    h('summary', null, title),
    body,
  );
  return details;
}

function createCharts(): void {
  const theme = readTheme();
  timeline = new Timeline(
    { slots: byId('chart-slots'), transient: byId('chart-transient'), memory: byId('chart-memory') },
    theme,
    {
      range: (range) => setRange(range),
      cursor: showReadout,
      reveal: (mark: FailureMark) => reveal(mark),
      capacityHidden: showCapacityNote,
      help: () => {
        const keys = byId<HTMLDetailsElement>('keys');
        keys.open = !keys.open;
      },
    },
  );
  overview = new Overview(byId('overview'), theme, (range) => setRange(range));
}

watchTheme(() => {
  const theme = readTheme();
  timeline?.setTheme(theme);
  overview?.setTheme(theme);
});

let resizeTimer = 0;
window.addEventListener('resize', () => {
  window.clearTimeout(resizeTimer);
  resizeTimer = window.setTimeout(() => {
    if (state.trace !== null && timeline !== null) {
      void fetchSeries();
    }
  }, 120);
});

// ---------------------------------------------------------------------------------------------------------------------
// Rendering

function render(): void {
  const { trace } = state;
  if (trace === null) {
    return;
  }
  renderHeader(trace);
  renderBadges();
  renderWhy(trace);
  renderFidelity();
  const runs = shownRuns();
  fill(
    byId('ledger-body'),
    ledgerSection(
      trace,
      runs.map((shown) => shown.run),
      reveal,
    ),
  );
  if (trace.requests === 0) {
    return;
  }
  renderPolicies();
  renderFigures(runs);
  renderErrors();
  fill(byId('summary-holder'), runs.length === 0 ? null : summaryTable(runs));
  byId('transient-block').hidden = runs.every((shown) => shown.run.transient.count === 0);
  renderRange();
  void fetchSeries();
}

function renderHeader(trace: TraceView): void {
  const recorded = state.runs.get(runId(recordedKey)) ?? null;
  const front = state.runs.get(state.front) ?? recorded;
  const words = verdict(trace, recorded, front);
  const title = byId('verdict');
  title.textContent = words.headline;
  title.dataset['tone'] = words.tone;
  byId('verdict-detail').textContent = words.detail;
  byId('trace-facts').textContent = traceFacts(trace).join(' · ');
}

function traceFacts(trace: TraceView): string[] {
  const facts: string[] = [];
  const pool = trace.geometry.pools.find((candidate) => candidate.slots !== null);
  if (pool !== undefined && pool.slots !== null) {
    const size = formatBytes(pool.slots * SLOT_BYTES);
    const areas = pool.areas === null ? '' : `, ${plural(pool.areas, 'area')}`;
    facts.push(`recorded: ${trace.recordedPolicy === 'dynamic' ? 'dynamic, from' : 'fixed'} ${size}${areas}`);
  }
  if (trace.geometry.kernel !== null) {
    facts.push(`Linux ${trace.geometry.kernel}`);
  }
  if (0 < trace.bounced) {
    facts.push(plural(trace.bounced, 'bounced mapping'));
  } else {
    facts.push(plural(trace.lines, 'line'));
  }
  if (trace.hasTime && trace.lastTimeNs !== null && 0 < trace.lastTimeNs && 0 < trace.requests) {
    facts.push(formatDuration(trace.lastTimeNs));
  }
  return facts;
}

function renderBadges(): void {
  const { trace, verify } = state;
  if (trace === null) {
    return;
  }
  const badges: HTMLElement[] = [];
  const go = () => byId('ledger').scrollIntoView({ behavior: 'smooth', block: 'start' });
  if (verify === 'running') {
    badges.push(h('button', { type: 'button', class: 'badge', id: 'fidelity-badge', click: go }, 'Verifying …'));
  } else if (verify !== 'none' && 'error' in verify) {
    badges.push(
      h(
        'button',
        { type: 'button', class: 'badge', id: 'fidelity-badge', title: verify.error, click: go },
        'Not verified',
      ),
    );
  } else if (verify !== 'none' && 0 < verify.checked) {
    badges.push(
      h(
        'button',
        {
          type: 'button',
          class: `badge ${verify.mismatchedCount === 0 ? 'good' : 'mixed'}`,
          id: 'fidelity-badge',
          title: 'How many recorded addresses the model reproduced; details below',
          click: go,
        },
        `${verify.mismatchedCount === 0 ? '✓ ' : ''}Exact ${formatPercent(verify.exact / verify.checked)}`,
      ),
    );
  }
  if (0 < trace.ledger.assumed) {
    badges.push(
      h('button', { type: 'button', class: 'badge', click: go }, `Assumed ${formatCount(trace.ledger.assumed)}`),
    );
  }
  if (0 < trace.ledger.lost) {
    badges.push(
      h('button', { type: 'button', class: 'badge mixed', click: go }, `Lost ${formatCount(trace.ledger.lost)}`),
    );
  }
  fill(byId('badges'), badges);
}

function renderPolicies(): void {
  const trace = state.trace!;
  const known = ['dynamic', 'transient', 'fixed'].filter((id) => trace.policies.some((policy) => policy.id === id));
  const others = state.shown.filter((key) => !known.includes(key.policy));
  const buttons = [
    policyButton(recordedKey),
    ...known.map((policy) => policyButton(state.shown.find((key) => key.policy === policy) ?? defaultKey(policy))),
    ...others.map((key) => policyButton(key)),
  ];
  const others2 = trace.policies.some((policy) => !['dynamic', 'transient', 'fixed'].includes(policy.id));
  fill(
    byId('policies'),
    buttons,
    others2
      ? h(
          'button',
          {
            type: 'button',
            class: 'policy add',
            title: 'Replay with another policy',
            'aria-label': 'Replay with another policy',
            click: () => void channel.call('command', { command: 'addPolicy' }),
          },
          '+',
        )
      : null,
    fixedSizeChoice(),
  );
}

function policyButton(key: RunKey): HTMLElement {
  const id = runId(key);
  const trace = state.trace!;
  const policy = trace.policies.find((candidate) => candidate.id === key.policy);
  const isShown = key.policy === 'recorded' || state.shown.some((other) => runId(other) === id);
  const isFront = state.front === id;
  const hint =
    key.policy === 'recorded'
      ? 'The recorded policy and pool, replayed; dots are debugfs samples'
      : (policy?.explanation ?? '');
  return h(
    'button',
    {
      type: 'button',
      class: `policy ${isFront ? 'front' : ''}`,
      'data-policy': key.policy,
      'aria-pressed': isShown ? 'true' : 'false',
      'aria-current': isFront ? 'true' : undefined,
      title: hint,
      click: () => {
        const next = pressed(state.shown, state.front, key);
        state.shown = next.shown;
        state.front = next.front;
        void ensureFront([recordedKey, ...state.shown].find((other) => runId(other) === state.front) ?? recordedKey);
      },
    },
    swatch(key.policy, isShown),
    policyLabel(key.policy, policy?.title ?? key.policy),
  );
}

/** The line style of a policy, so that the legend does not rest on colour. */
function swatch(policy: string, isShown: boolean): SVGElement {
  const style = styleOf(policy);
  return svg(
    'svg',
    { class: `swatch series-${style.series}`, width: 22, height: 8, 'aria-hidden': 'true' },
    svg('line', {
      x1: 1,
      y1: 4,
      x2: 21,
      y2: 4,
      'stroke-width': isShown ? 2.5 : 1.5,
      'stroke-dasharray': style.dash.join(' '),
    }),
  );
}

function styleOf(policy: string) {
  const others = state.shown.filter((key) => !['dynamic', 'transient', 'fixed'].includes(key.policy));
  return runStyle(
    policy,
    Math.max(
      0,
      others.findIndex((key) => key.policy === policy),
    ),
  );
}

function defaultKey(policy: string): RunKey {
  return policy === 'fixed' ? { policy, set: { [poolSlotsParam]: defaultFixedSlots() } } : { policy, set: {} };
}

/** Twice the recorded pool, or the kernel's 64 MiB when that is more. */
function defaultFixedSlots(): number {
  return Math.max(32768, 2 * (recordedSlots() ?? 0));
}

function recordedSlots(): number | null {
  return state.trace?.geometry.pools.find((pool) => pool.slots !== null)?.slots ?? null;
}

function fixedSizeChoice(): HTMLElement | null {
  const key = state.shown.find((candidate) => candidate.policy === 'fixed');
  if (key === undefined) {
    return null;
  }
  const chosen = Number(key.set[poolSlotsParam] ?? recordedSlots() ?? 0);
  const select = h(
    'select',
    {
      id: 'fixed-size',
      'aria-label': 'Size of the fixed pool',
      change: () => bringToFront({ policy: 'fixed', set: { ...key.set, [poolSlotsParam]: Number(select.value) } }),
    },
    poolSizeChoices(recordedSlots(), chosen).map(({ slots, label }) =>
      h('option', { value: slots, selected: slots === chosen }, label),
    ),
  );
  return h('label', { class: 'fixed-size' }, 'Fixed pool ', select);
}

function renderFigures(runs: readonly ShownRun[]): void {
  const recorded = runs.find((shown) => shown.isRecorded)?.run;
  const front = runs.find((shown) => shown.isFront)?.run;
  if (recorded === undefined || front === undefined) {
    fill(byId('figures'));
    return;
  }
  const figure = (
    label: string,
    value: (run: RunView) => number,
    format: (value: number) => string,
    unit: string,
    extra?: (run: RunView) => string,
  ) => {
    const before = value(recorded);
    const after = value(front);
    const notes = [extra?.(front) ?? '', recorded === front || before === after ? '' : `recorded ${format(before)}`];
    const note = notes.filter((part) => part !== '').join(' · ');
    return h(
      'div',
      { class: 'figure' },
      h('dt', null, label),
      h(
        'dd',
        null,
        h('span', { class: 'value' }, format(after)),
        unit === '' ? null : h('span', { class: 'unit' }, ` ${unit}`),
        h('span', { class: 'note' }, note),
      ),
    );
  };
  fill(
    byId('figures'),
    figure(
      'Failed',
      (run) => run.failed,
      formatCount,
      '',
      (run) => `of ${formatCount(run.requests)}`,
    ),
    figure(
      'Peak in use',
      (run) => run.usedHighWaterSlots,
      formatCount,
      'slots',
      (run) => formatBytes(run.usedHighWaterSlots * SLOT_BYTES),
    ),
    figure('Peak memory held', (run) => run.memory.peakBytes, formatBytes, ''),
    figure(
      'Worker runs',
      (run) => run.workerRuns,
      formatCount,
      '',
      (run) => (run.transient.count === 0 ? '' : plural(run.transient.count, 'transient pool')),
    ),
    figure(
      'Stalls',
      (run) => run.stalls.count,
      formatCount,
      '',
      (run) => (run.stalls.count === 0 ? '' : `${formatDuration(run.stalls.totalNs)} in total`),
    ),
  );
}

function renderErrors(): void {
  fill(
    byId('run-errors'),
    [...state.failed].map(([id, message]) => h('p', { class: 'error', role: 'alert' }, `${id}: ${message}`)),
  );
}

function renderWhy(trace: TraceView): void {
  const section = byId('why');
  const recorded = state.runs.get(runId(recordedKey));
  const front = state.runs.get(state.front);
  const parts: (HTMLElement | null)[] = [];
  if (0 < trace.episodes.length) {
    parts.push(h('h2', { id: 'why-title' }, 'Why it failed'), episodeList(trace, reveal));
  }
  if (recorded !== undefined && 0 < recorded.failed) {
    parts.push(runFailures('Every failing mapping as recorded', recorded));
  }
  if (front !== undefined && front !== recorded && 0 < front.failed) {
    parts.push(
      h('h2', null, `Why ${lowerFirst(subjectOf(front))} would still fail`),
      causeBars(front.failuresByCause),
      runFailures(`Every failing mapping: ${front.title}`, front),
    );
  }
  if (0 < trace.warnings.length) {
    parts.push(
      h('h2', null, 'Worth a look'),
      h(
        'ul',
        { class: 'plain warnings' },
        trace.warnings
          .slice(0, 30)
          .map((warning) =>
            h(
              'li',
              null,
              h(
                'button',
                { class: 'link', type: 'button', click: () => reveal(warning) },
                `line ${formatCount(warning.line)}`,
              ),
              ' ',
              warning.message,
            ),
          ),
      ),
    );
  }
  section.hidden = parts.length === 0;
  fill(section, parts);
}

function runFailures(title: string, run: RunView): HTMLElement {
  const holder = h('div', null);
  return h(
    'details',
    {
      class: 'all-failures',
      toggle: () => {
        if (holder.childElementCount === 0) {
          holder.append(failureTable(run, time, wholeRange().toNs - wholeRange().fromNs, reveal));
        }
      },
    },
    h('summary', null, `${title} (${formatCount(run.failed)})`),
    holder,
  );
}

function renderFidelity(): void {
  const { verify } = state;
  const holder = document.getElementById('fidelity');
  if (holder === null) {
    return;
  }
  if (verify === 'none' || verify === 'running') {
    fill(
      holder,
      verify === 'running' ? h('p', { class: 'muted' }, 'Comparing the model with the recorded addresses …') : null,
    );
  } else if ('error' in verify) {
    fill(holder, h('p', { class: 'muted' }, `The model was not compared with the recorded addresses: ${verify.error}`));
  } else {
    fill(holder, fidelity(verify, reveal));
  }
}

function renderRange(): void {
  const whole = wholeRange();
  const { range } = state;
  const spanNs = range.toNs - range.fromNs;
  const isWhole = range.fromNs === whole.fromNs && range.toNs === whole.toNs;
  const unit = state.trace?.hasTime === true ? ' s' : '';
  byId('range').textContent = `${time.tick(range.fromNs, spanNs)}–${time.tick(range.toNs, spanNs)}${unit}`;
  byId('reset-range').hidden = isWhole;
}

function renderLegend(runs: readonly ShownRun[]): void {
  const entry = (content: (SVGElement | string)[]) => h('li', null, content);
  const line = (dash: string, width: number) =>
    svg(
      'svg',
      { class: 'swatch neutral', width: 22, height: 8, 'aria-hidden': 'true' },
      svg('line', { x1: 1, y1: 4, x2: 21, y2: 4, 'stroke-width': width, 'stroke-dasharray': dash }),
    );
  fill(
    byId('legend'),
    entry([line('', 2), 'in use']),
    entry([line('8 3', 1), 'high water']),
    entry([line('1 3', 1.5), 'capacity']),
    runs.some((shown) => 0 < shown.run.failed)
      ? h('li', { class: 'failure-key' }, '✕ ▲ failures (click: go to the line)')
      : null,
    state.trace?.samples === null ? null : entry(['○ debugfs sample']),
  );
}

function showReadout(timeNs: number | null): void {
  const element = document.getElementById('readout');
  if (element === null) {
    return;
  }
  const model = timelineModel();
  if (timeNs === null || model === null) {
    element.replaceChildren(h('span', { class: 'muted' }, 'Point at the chart, or focus it and press ? for keys.'));
    return;
  }
  const spanNs = model.range.toNs - model.range.fromNs;
  const relative = model.hasTime ? ` (${time.relative(timeNs)})` : '';
  fill(
    element,
    h('strong', null, time.absolute(timeNs, spanNs / 100)),
    h('span', { class: 'muted' }, relative),
    `   ${readout(model, timeNs)}`,
  );
}

function showCapacityNote(hidden: boolean, capacitySlots: number): void {
  const note = byId('capacity-note');
  note.hidden = !hidden && !state.showCapacity;
  const toggle = (label: string) =>
    h(
      'button',
      {
        type: 'button',
        class: 'link',
        click: () => {
          state.showCapacity = !state.showCapacity;
          drawCharts();
        },
      },
      label,
    );
  if (hidden) {
    fill(note, `The capacity, ${formatSlotsAndBytes(capacitySlots)}, is above the chart. `, toggle('Show it'));
  } else if (state.showCapacity) {
    fill(note, toggle('Fit to the slots in use'));
  }
}

function fillDataTable(kind: 'slots' | 'memory'): void {
  const details = document.querySelector<HTMLDetailsElement>(`details[data-table="${kind}"]`);
  const holder = details?.querySelector('.scroll');
  const model = timelineModel();
  if (details === null || !details.open || !holder || model === null) {
    return;
  }
  const columns =
    kind === 'slots'
      ? (['usedSlots', 'hiwaterSlots', 'capacitySlots', 'transientSlots'] as const)
      : (['memoryBytes'] as const);
  const names: Readonly<Record<(typeof columns)[number], string>> = {
    usedSlots: 'in use',
    hiwaterSlots: 'high water',
    capacitySlots: 'capacity',
    transientSlots: 'transient',
    memoryBytes: 'memory',
  } as Record<(typeof columns)[number], string>;
  const rows = 40;
  const spanNs = model.range.toNs - model.range.fromNs;
  fill(
    holder,
    h(
      'table',
      { class: 'data' },
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          h('th', { scope: 'col' }, 'Time'),
          model.runs.flatMap((run) =>
            columns.map((column) => h('th', { scope: 'col' }, `${run.label}: ${names[column]}`)),
          ),
        ),
      ),
      h(
        'tbody',
        null,
        Array.from({ length: rows + 1 }, (_, index) => {
          const at = model.range.fromNs + (spanNs * index) / rows;
          return h(
            'tr',
            null,
            h('th', { scope: 'row' }, time.absolute(at, spanNs)),
            model.runs.flatMap((run) =>
              columns.map((column) => {
                const value = run.series === null ? null : valueAt(run.series, column, at);
                return h(
                  'td',
                  { class: 'number' },
                  value === null ? '–' : column === 'memoryBytes' ? formatBytes(value) : formatSlots(value),
                );
              }),
            ),
          );
        }),
      ),
    ),
  );
}

// ---------------------------------------------------------------------------------------------------------------------
// Series and range

function shownRuns(): ShownRun[] {
  return [recordedKey, ...state.shown].flatMap((key) => {
    const id = runId(key);
    const run = state.runs.get(id);
    if (run === undefined || !run.replayable) {
      return [];
    }
    const size = key.set[poolSlotsParam];
    const label = policyLabel(key.policy, run.title);
    return [
      {
        id,
        label:
          key.policy === 'fixed' && typeof size === 'number' ? `${label} ${formatBytes(size * SLOT_BYTES)}` : label,
        run,
        style: styleOf(key.policy),
        isFront: state.front === id || (key.policy === 'recorded' && !state.runs.has(state.front)),
        isRecorded: key.policy === 'recorded',
        series: seriesCache.get(seriesKey(id, state.range)) ?? lastSeries.get(id) ?? null,
      },
    ];
  });
}

const lastSeries = new Map<string, SeriesView>();

function seriesKey(id: string, range: Range): string {
  return `${id} ${range.fromNs} ${range.toNs} ${timeline?.plotWidth() ?? 0}`;
}

function wholeRange(): Range {
  let fromNs = Number.POSITIVE_INFINITY;
  let toNs = Number.NEGATIVE_INFINITY;
  for (const run of state.runs.values()) {
    if (run.replayable) {
      fromNs = Math.min(fromNs, run.fromNs);
      toNs = Math.max(toNs, run.toNs);
    }
  }
  return fromNs < toNs ? { fromNs, toNs } : { fromNs: 0, toNs: 1 };
}

let rangeTimer = 0;
function setRange(range: Range): void {
  state.range = clampRange(range, wholeRange());
  renderRange();
  drawCharts();
  window.clearTimeout(rangeTimer);
  rangeTimer = window.setTimeout(() => void fetchSeries(), 60);
}

/** Asks for the visible window of every shown run that is not there yet, then draws. */
async function fetchSeries(): Promise<void> {
  const mine = generation;
  const whole = wholeRange();
  drawCharts();
  const wanted = [recordedKey, ...state.shown].filter((key) => state.runs.get(runId(key))?.replayable === true);
  await Promise.all(wanted.flatMap((key) => [fetchWindow(key, state.range, true), fetchWindow(key, whole, false)]));
  if (mine === generation) {
    drawCharts();
    fillDataTable('slots');
    fillDataTable('memory');
  }
}

async function fetchWindow(key: RunKey, range: Range, isVisible: boolean): Promise<void> {
  const id = runId(key);
  const cacheKey = seriesKey(id, range);
  let series = seriesCache.get(cacheKey);
  if (series === undefined) {
    const mine = generation;
    const buckets = Math.min(2000, timeline?.plotWidth() ?? 800);
    series = await channel.call('series', { run: key, fromNs: range.fromNs, toNs: range.toNs, buckets });
    if (mine !== generation) {
      return;
    }
    if (200 < seriesCache.size) {
      seriesCache.clear();
    }
    seriesCache.set(cacheKey, series);
  }
  if (isVisible) {
    lastSeries.set(id, series);
  }
}

function timelineModel(): TimelineModel | null {
  const { trace } = state;
  if (trace === null || timeline === null) {
    return null;
  }
  return {
    runs: shownRuns(),
    samples: trace.samples,
    range: state.range,
    whole: wholeRange(),
    time,
    hasTime: trace.hasTime,
    showCapacity: state.showCapacity,
  };
}

function drawCharts(): void {
  const model = timelineModel();
  if (model === null) {
    return;
  }
  timeline!.show(model);
  renderLegend(model.runs);
  showReadout(null);
  const whole = wholeRange();
  overview!.show({
    whole,
    range: state.range,
    runs: model.runs.map((shown) => ({
      series: seriesCache.get(seriesKey(shown.id, whole)) ?? null,
      style: shown.style,
      isFront: shown.isFront,
    })),
    failureTimesNs: (model.runs.find((shown) => shown.isFront)?.run.failures ?? []).map((mark) => mark.timeNs),
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Talking to the extension

function reveal(place: LineRef): void {
  channel
    .call('reveal', { file: place.file, line: place.line })
    .catch((error: unknown) => showError('The line could not be shown.', error));
}

async function copy(text: string): Promise<void> {
  await channel.call('copy', { text });
  const button = byId('copy-commands');
  button.textContent = 'Copied';
}

function setStatus(kind: 'loading' | 'ready' | 'error', message: string): void {
  const status = byId('status');
  status.dataset['state'] = kind;
  status.textContent = message;
  document.body.dataset['state'] = kind;
}

function showError(title: string, error: unknown): void {
  setStatus('error', '');
  fill(
    byId('status'),
    h('strong', null, title),
    ' ',
    sentenceOf(error),
    ' ',
    h('button', { type: 'button', class: 'secondary', click: () => void load() }, 'Try again'),
  );
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
