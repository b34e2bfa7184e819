import { formatBytes, formatSlotsAndBytes } from '../base/format';
import { SLOT_BYTES } from '../model/units';
import { Channel } from '../protocol/channel';
import { type HostMethods, type PanelFocus, type PanelMethods, panelMethods } from '../protocol/panel';
import {
  bounceAllSetting,
  type LineRef,
  type RunKey,
  type RunView,
  runId,
  type SizeView,
  type TraceView,
} from '../protocol/views';
import { Overview } from './charts/overview';
import { clampRange, type Range } from './charts/scale';
import { readTheme, watchTheme } from './charts/theme';
import { type ShownRun, Timeline, type TimelineModel } from './charts/timeline';
import { byId, fill, h } from './dom';
import { poolSlotsParam } from './fixedSizes';
import { type TimeFormat, timeFormat } from './format';
import { buildPage, type TableKind } from './page';
import { SectionHolder } from './sectionHolder';
import { panelSections } from './sections';
import { dataTable } from './sections/dataTable';
import { badges, figures, traceFacts } from './sections/header';
import { fidelity, ledgerSection } from './sections/ledger';
import { legend } from './sections/legend';
import { otherSection } from './sections/other';
import { paramsBlock } from './sections/params';
import { policyBar, styleOf, withDefaults } from './sections/policies';
import { readoutRows } from './sections/readout';
import { summaryTable } from './sections/summary';
import { whySection } from './sections/why';
import { SeriesCache } from './series';
import { recommendedSlots } from './sizeCurve';
import { Sizing } from './sizing';
import { initialState, type PanelState, pressed, recordedKey, withDryRun, withRun } from './state';
import { dryRunVerdict, verdict } from './verdict';
import { policyLabel } from './words';

declare function acquireVsCodeApi(): { postMessage(message: unknown): void; setState(state: unknown): void };

const api = acquireVsCodeApi();
const state: PanelState = initialState();
const channel = new Channel<PanelMethods, HostMethods>({
  methods: panelMethods,
  handlers: {
    show: ({ runs, focus, other, line }) => {
      for (const run of runs) {
        choose(run);
      }
      state.other = other ?? state.other;
      if (state.trace !== null) {
        void turnTo(focus, line);
      }
      return null;
    },
    sizeProgress: ({ replays }) => {
      sizing?.replaysDone(replays);
      return null;
    },
    reload: () => {
      void load();
      return null;
    },
    cursor: ({ at }) => {
      editorNs = at === null ? null : at.timeNs;
      timeline?.setEditorCursor(editorNs);
      tellCursor();
      return null;
    },
  },
  post: (message) => api.postMessage(message),
  onBug: (name, error) => showError(`'${name}' failed.`, error),
});
const series = new SeriesCache((run, { fromNs, toNs }, buckets) =>
  channel.call('series', { run, fromNs, toNs, buckets }),
);

/** The overview is a strip: this many columns are enough at any width. */
const overviewBuckets = 600;

let documentUri = '';
let timeline: Timeline | null = null;
let overview: Overview | null = null;
let sizing: Sizing | null = null;
let sections: readonly SectionHolder[] = [];
/** Where the editor's cursor is; null when it is elsewhere. */
let editorNs: number | null = null;
/** What was last told about the run in front. */
let toldFront = '';
let time: TimeFormat = timeFormat({ hasTime: true, origin: null });
/** Grows with every load; answers to questions of an earlier one are dropped. */
let generation = 0;
let resizeTimer = 0;
let rangeTimer = 0;

window.addEventListener('message', (event) => void channel.receive(event.data));
window.addEventListener('error', (event) => showError('The panel ran into a defect.', event.error));
window.addEventListener('unhandledrejection', (event) => showError('The panel ran into a defect.', event.reason));
window.addEventListener('resize', () => {
  window.clearTimeout(resizeTimer);
  resizeTimer = window.setTimeout(() => void refreshCharts(), 120);
});
watchTheme(() => {
  const theme = readTheme();
  timeline?.setTheme(theme);
  overview?.setTheme(theme);
  sizing?.setTheme(theme);
  for (const section of sections) {
    section.onTheme(theme);
  }
});
void start();

async function start(): Promise<void> {
  const { uri, runs, focus, other, line } = await channel.call('ready', null);
  documentUri = uri;
  state.other = other;
  state.bounceAll = runs.some((run) => run.set[bounceAllSetting] === true);
  for (const run of runs) {
    state.shown = withRun(state.shown, run);
    state.front = runId(run);
  }
  await load();
  await turnTo(focus, line);
}

/** Brings what a command is about into view, and makes it when it is not there yet. */
async function turnTo(focus: PanelFocus, line: number | null): Promise<void> {
  if (focus === 'replay' || state.trace === null) {
    return;
  }
  if (focus === 'size' || focus === 'dryRun') {
    await setDryRun(focus === 'dryRun');
    document.getElementById('size')?.scrollIntoView();
    await sizing?.run();
    document.getElementById('size')?.scrollIntoView();
    return;
  }
  if (focus === 'slotMap') {
    const section = sections.find(({ element }) => element.id === 'slot-map');
    section?.element.scrollIntoView();
    section?.showLine(line);
    return;
  }
  if (focus === 'other') {
    await loadOther();
  }
  document.getElementById({ verify: 'ledger', compare: 'compare', other: 'other' }[focus])?.scrollIntoView();
}

/** Switches every replay of the panel between the trace as recorded and the dry run. */
async function setDryRun(bounceAll: boolean): Promise<void> {
  if (bounceAll === state.bounceAll) {
    return;
  }
  state.bounceAll = bounceAll;
  const front = [recordedKey, ...state.shown].find((key) => runId(key) === state.front) ?? recordedKey;
  const isBare = bounceAll && front.policy === 'recorded';
  state.shown = state.shown.map((key) => withDryRun(key, bounceAll));
  state.front = runId(withDryRun(front, bounceAll));
  sizing?.setBounceAll(bounceAll);
  for (const key of state.shown) {
    if (!state.runs.has(runId(key))) {
      await loadRun(key);
    }
  }
  if (isBare) {
    choose({ policy: 'dynamic', set: {} });
  } else {
    await render();
  }
}

/** The size is found: in a dry run the pool that would be set is replayed, too. */
async function sizeFound(view: SizeView): Promise<void> {
  const slots = recommendedSlots(view.smallest[0]);
  if (!view.bounceAll || slots === null || state.trace === null) {
    sizing?.setVerdict('');
    return;
  }
  const dynamic = prepared(state.trace, { policy: 'dynamic', set: {} });
  const fixed = prepared(state.trace, { policy: 'fixed', set: { [poolSlotsParam]: slots } });
  for (const key of [dynamic, fixed]) {
    state.shown = withRun(state.shown, key);
    if (!state.runs.has(runId(key))) {
      await loadRun(key);
    }
  }
  state.front = runId(fixed);
  await render();
  const [grown, set] = [dynamic, fixed].map((key) => state.runs.get(runId(key)));
  if (grown !== undefined && set !== undefined) {
    sizing?.setVerdict(dryRunVerdict(view, set, grown));
  }
}

async function loadOther(): Promise<void> {
  const { trace, other } = state;
  if (trace === null || other === null) {
    return;
  }
  const holder = byId('other');
  const front = [recordedKey, ...state.shown].find((key) => runId(key) === state.front) ?? recordedKey;
  const mine = `${generation} ${runId(front)} ${other}`;
  holder.hidden = false;
  if (holder.dataset['shows'] === mine) {
    return;
  }
  holder.dataset['shows'] = mine;
  try {
    const after = await channel.call('other', { uri: other, run: front });
    if (holder.dataset['shows'] === mine) {
      const run = state.runs.get(runId(front)) ?? null;
      fill(holder, otherSection({ trace, run }, after, run === null ? 'Recorded' : labelOf(front, run)));
    }
  } catch (error) {
    if (holder.dataset['shows'] === mine) {
      fill(holder, h('p', { class: 'error', role: 'alert' }, `The other trace cannot be shown: ${sentenceOf(error)}`));
    }
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
    const isFirst = state.trace === null;
    const wasWhole = isFirst || isWhole(state.range);
    state.trace = trace;
    const front = state.shown.find((key) => runId(key) === state.front);
    state.shown = state.shown.map((key) => prepared(trace, key));
    state.front = front === undefined ? state.front : runId(prepared(trace, front));
    state.runs.clear();
    state.failed.clear();
    state.verify = 'none';
    series.clear();
    time = timeFormat(trace);
    buildPage(trace, { reveal, copy, showAll: () => setRange(wholeRange()), tableToggled: fillTable });
    sizing?.destroy();
    sizing = null;
    for (const section of sections) {
      section.destroy();
    }
    sections = [];
    if (0 < trace.requests) {
      createCharts();
      createSizing(trace);
      createSections();
      await Promise.all([recordedKey, ...state.shown].map((key) => loadRun(key)));
    }
    if (mine !== generation) {
      return;
    }
    state.range = wasWhole ? wholeRange() : clampRange(state.range, wholeRange());
    await render();
    setStatus('ready', '');
    if (0 < trace.bounced) {
      void loadVerify();
    }
  } catch (error) {
    if (mine === generation) {
      showError('The trace could not be analysed.', error);
    }
  }
}

async function loadRun(key: RunKey): Promise<void> {
  const mine = generation;
  const id = runId(key);
  try {
    const run = await channel.call('run', { run: key });
    if (mine === generation) {
      // A dry run has steps where the recording has none: who sees the whole trace goes on doing so.
      const wasWhole = isWhole(state.range);
      state.runs.set(id, run);
      if (wasWhole) {
        state.range = wholeRange();
      }
    }
  } catch (error) {
    if (mine === generation) {
      state.failed.set(id, sentenceOf(error));
    }
  }
}

async function loadVerify(): Promise<void> {
  const mine = generation;
  const set = (verify: PanelState['verify']) => {
    if (mine === generation) {
      state.verify = verify;
      renderFidelity();
    }
  };
  set('running');
  try {
    set(await channel.call('verify', null));
  } catch (error) {
    set({ error: sentenceOf(error) });
  }
}

/** A run with the settings that this panel gives every one of its kind. */
function prepared(trace: TraceView, key: RunKey): RunKey {
  return withDryRun(withDefaults(trace, key), state.bounceAll);
}

/** Shows a replay in front, making it first when it is not there yet. */
function choose(wanted: RunKey): void {
  const key = state.trace === null ? wanted : prepared(state.trace, wanted);
  state.shown = withRun(state.shown, key);
  state.front = runId(key);
  void showFront(key);
}

function press(wanted: RunKey): void {
  const key = state.trace === null ? wanted : prepared(state.trace, wanted);
  const next = pressed(state.shown, state.front, key);
  state.shown = next.shown;
  state.front = next.front;
  void showFront([recordedKey, ...state.shown].find((other) => runId(other) === state.front) ?? recordedKey);
}

async function showFront(key: RunKey): Promise<void> {
  if (state.trace === null) {
    return;
  }
  if (0 < state.trace.requests && !state.runs.has(runId(key)) && !state.failed.has(runId(key))) {
    setStatus('loading', 'Replaying …');
    renderPolicies(state.trace);
    await loadRun(key);
  }
  await render();
  setStatus('ready', '');
}

/** Brings the whole page in line with the state; done when the charts are drawn. */
async function render(): Promise<void> {
  const { trace } = state;
  if (trace === null) {
    return;
  }
  remember();
  const recorded = state.runs.get(runId(recordedKey)) ?? null;
  const front = state.runs.get(state.front) ?? recorded;
  const words = verdict(trace, recorded, front);
  byId('verdict').textContent = words.headline;
  byId('verdict').dataset['tone'] = words.tone;
  byId('verdict-detail').textContent = words.detail;
  byId('trace-facts').textContent = traceFacts(trace).join(' · ');
  renderFidelity();
  const why = whySection({ trace, recorded, front, time, wholeNs: wholeRange().toNs - wholeRange().fromNs, reveal });
  byId('why').hidden = why.length === 0;
  fill(byId('why'), why);
  const runs = shownRuns();
  fill(
    byId('ledger-body'),
    ledgerSection(
      trace,
      runs.map((shown) => shown.run),
      reveal,
    ),
  );
  tellFront();
  if (state.other !== null) {
    void loadOther();
  }
  if (trace.requests === 0) {
    return;
  }
  renderPolicies(trace);
  renderParams(trace);
  for (const id of [...state.failed.keys()]) {
    if (!state.shown.some((key) => runId(key) === id) && id !== runId(recordedKey)) {
      state.failed.delete(id);
    }
  }
  fill(byId('figures'), recorded === null || front === null ? null : figures(recorded, front));
  fill(
    byId('run-errors'),
    [...state.failed].map(([id, message]) => h('p', { class: 'error', role: 'alert' }, `${id}: ${message}`)),
  );
  fill(byId('summary-holder'), runs.length === 0 ? null : summaryTable(runs));
  byId('transient-block').hidden = runs.every((shown) => shown.run.transient.count === 0);
  renderRange();
  await refreshCharts();
}

/** For a reload of the window: the run in front last. */
function remember(): void {
  const front = state.shown.filter((key) => runId(key) === state.front);
  const others = state.shown.filter((key) => runId(key) !== state.front);
  api.setState({ uri: documentUri, runs: [...others, ...front] });
}

function renderPolicies(trace: TraceView): void {
  const addPolicy = () => void channel.call('command', { command: 'addPolicy' });
  const focused = document.activeElement?.getAttribute('data-policy');
  fill(byId('policies'), policyBar({ trace, shown: state.shown, front: state.front, press, choose, addPolicy }));
  if (focused) {
    document.querySelector<HTMLElement>(`#policies [data-policy="${CSS.escape(focused)}"]`)?.focus();
  }
}

/** The parameters of the run in front; what was recorded has none to change. */
function renderParams(trace: TraceView): void {
  const key = state.shown.find((candidate) => runId(candidate) === state.front);
  const policy = trace.policies.find((candidate) => candidate.id === key?.policy);
  byId('params').hidden = key === undefined || policy === undefined;
  if (key === undefined || policy === undefined) {
    return;
  }
  const focused = document.activeElement?.getAttribute('data-param');
  const changed = policy.params.filter(({ name }) => name in key.set).length;
  byId('params-title').textContent =
    `Parameters: ${policyLabel(policy.id, policy.title)}${changed === 0 ? '' : ` (${changed} set by you)`}`;
  fill(byId('params-body'), paramsBlock({ policy, key, run: state.runs.get(runId(key)) ?? null, choose }));
  if (focused) {
    document.querySelector<HTMLElement>(`#params [data-param="${CSS.escape(focused)}"]`)?.focus();
  }
}

/** The status bar names the run in front. */
function tellFront(): void {
  const key = [recordedKey, ...state.shown].find((candidate) => runId(candidate) === state.front) ?? recordedKey;
  const run = state.runs.get(runId(key));
  const label = run === undefined ? policyLabel(key.policy, key.policy) : labelOf(key, run);
  const told = `${runId(key)} ${label}`;
  if (told !== toldFront) {
    toldFront = told;
    channel.call('front', { run: key, label: label.slice(0, 200) }).catch(() => {
      toldFront = '';
    });
  }
}

function renderFidelity(): void {
  const { trace, verify } = state;
  if (trace === null) {
    return;
  }
  fill(
    byId('badges'),
    badges(trace, verify, () => byId('ledger').scrollIntoView()),
  );
  const muted = (text: string) => h('p', { class: 'muted' }, text);
  if (verify === 'none') {
    fill(byId('fidelity'));
  } else if (verify === 'running') {
    fill(byId('fidelity'), muted('Comparing the model with the recorded addresses …'));
  } else if ('error' in verify) {
    fill(byId('fidelity'), muted(`The model was not compared with the recorded addresses: ${verify.error}`));
  } else {
    fill(byId('fidelity'), fidelity(verify, reveal));
  }
}

function renderRange(): void {
  const { range, trace } = state;
  const spanNs = range.toNs - range.fromNs;
  const unit = trace?.hasTime === true ? ' s' : '';
  byId('range').textContent = `${time.tick(range.fromNs, spanNs)}–${time.tick(range.toNs, spanNs)}${unit}`;
  byId('reset-range').hidden = isWhole(range);
}

function showReadout(timeNs: number | null): void {
  const model = timelineModel();
  fill(byId('readout'), model === null ? null : readoutRows(model, timeNs));
}

function showCapacityNote(isHidden: boolean, capacitySlots: number): void {
  const note = byId('capacity-note');
  note.hidden = !isHidden && !state.showCapacity;
  const toggle = (label: string) => {
    const click = () => {
      state.showCapacity = !state.showCapacity;
      drawCharts();
    };
    return h('button', { type: 'button', class: 'link', click }, label);
  };
  if (isHidden) {
    fill(note, `The capacity, ${formatSlotsAndBytes(capacitySlots)}, is above the chart. `, toggle('Show it'));
  } else if (state.showCapacity) {
    fill(note, toggle('Fit to the slots in use'));
  }
}

function fillTable(kind: TableKind): void {
  const details = document.querySelector<HTMLDetailsElement>(`details[data-table="${kind}"]`);
  const holder = details?.querySelector('.scroll');
  const model = timelineModel();
  if (details?.open === true && holder && model !== null) {
    fill(holder, dataTable(kind, model));
  }
}

function createCharts(): void {
  const theme = readTheme();
  timeline?.destroy();
  timeline = new Timeline(
    { slots: byId('chart-slots'), transient: byId('chart-transient'), memory: byId('chart-memory') },
    theme,
    {
      range: setRange,
      cursor: (timeNs) => {
        showReadout(timeNs);
        tellCursor();
      },
      reveal,
      capacityHidden: showCapacityNote,
      help: () => {
        const keys = byId<HTMLDetailsElement>('keys');
        keys.open = !keys.open;
      },
    },
  );
  overview = new Overview(byId('overview'), theme, setRange);
}

function createSizing(trace: TraceView): void {
  const titles = new Map(trace.policies.map((policy) => [policy.id, policy.title]));
  const pool = trace.geometry.pools.find((candidate) => candidate.kind === 'boot' && candidate.slots !== null);
  sizing = new Sizing(byId('size'), {
    ask: (question) => channel.call('size', question),
    cancel: () => void channel.call('cancelSize', null),
    today: pool?.slots ?? null,
    cpus: trace.geometry.cpus,
    policyName: (policy) => policyLabel(policy, titles.get(policy) ?? policy),
    replay: (policy, slots) => {
      choose({ policy, set: { [poolSlotsParam]: slots } });
      byId('charts').scrollIntoView();
    },
    copy,
    onAnswer: sizeFound,
    leaveDryRun: () => void setDryRun(false),
  });
  if (state.bounceAll) {
    sizing.setBounceAll(true);
  }
}

function createSections(): void {
  sections = panelSections.map(
    (create) =>
      new SectionHolder(create(), {
        ask: (name, params) => channel.call(name, params),
        reveal,
        setCursor: (timeNs) => timeline?.setCursor(timeNs),
        setRange,
        theme: readTheme,
        exportable: () => undefined,
      }),
  );
  fill(
    byId('sections'),
    sections.map((section) => section.element),
  );
}

function updateSections(): void {
  const { trace, range } = state;
  if (trace === null) {
    return;
  }
  const runs = shownRuns();
  const front = runs.find((run) => run.isFront) ?? null;
  for (const section of sections) {
    section.update({ trace, runs, front, range, whole: wholeRange(), time, cursorNs: cursorNs() });
  }
}

/** The pointer's or keyboard's place on the time axis, else the editor's. */
function cursorNs(): number | null {
  return timeline?.cursor() ?? editorNs;
}

function tellCursor(): void {
  for (const section of sections) {
    section.onCursor(cursorNs());
  }
}

function setRange(range: Range): void {
  state.range = clampRange(range, wholeRange());
  renderRange();
  drawCharts();
  window.clearTimeout(rangeTimer);
  rangeTimer = window.setTimeout(() => void refreshCharts(), 60);
}

/** Asks for the windows of every shown run that are not there yet, then draws. */
async function refreshCharts(): Promise<void> {
  if (timeline === null || state.runs.size === 0) {
    return;
  }
  const mine = generation;
  drawCharts();
  // The first drawing decides how wide the plot is.
  const width = timeline.plotWidth();
  const wanted = [recordedKey, ...state.shown].filter((key) => state.runs.get(runId(key))?.replayable === true);
  try {
    await Promise.all([
      ...wanted.map((key) => series.fetch(key, state.range, width, true)),
      ...wanted.map((key) => series.fetch(key, wholeRange(), overviewBuckets, false)),
      ...bandKeys().map((key) => series.fetch(key, state.range, width, true)),
    ]);
  } catch (error) {
    if (mine === generation) {
      showError('The charts could not be drawn.', error);
    }
    return;
  }
  if (mine === generation) {
    drawCharts();
    fillTable('slots');
    fillTable('memory');
    updateSections();
  }
}

function drawCharts(): void {
  const model = timelineModel();
  const { trace } = state;
  if (model === null || trace === null || timeline === null || overview === null) {
    return;
  }
  timeline.show(model);
  fill(byId('legend'), legend(trace, model));
  showReadout(timeline.cursor());
  const whole = wholeRange();
  overview.show({
    whole,
    range: state.range,
    runs: model.runs.map(({ id, style, isFront }) => ({
      series: series.exact(id, whole, overviewBuckets),
      style,
      isFront,
    })),
    failureTimesNs: model.runs.find((shown) => shown.isFront)?.run.failures.map((mark) => mark.timeNs) ?? [],
  });
}

/** The run in front with a tenth of and ten times the assumed lifetimes; none when the trace or its samples say more. */
function bandKeys(): RunKey[] {
  const key = [recordedKey, ...state.shown].find((other) => runId(other) === state.front);
  const run = state.runs.get(state.front);
  const isAssumed = run?.basis === 'modelled' && 0 < run.assumed.lifetimes && run.assumed.lifetimes === run.requests;
  return key === undefined || !isAssumed || state.trace?.samples !== null
    ? []
    : [0.1, 10].map((lifetimeScale) => ({ ...key, set: { ...key.set, lifetimeScale } }));
}

function band(): TimelineModel['band'] {
  const width = timeline?.plotWidth() ?? 0;
  const [low, high] = bandKeys().map((key) => series.get(runId(key), state.range, width));
  return low && high ? [low, high] : null;
}

function timelineModel(): TimelineModel | null {
  const { trace, range, showCapacity } = state;
  return trace === null || timeline === null
    ? null
    : {
        runs: shownRuns(),
        samples: trace.samples,
        band: band(),
        range,
        whole: wholeRange(),
        time,
        hasTime: trace.hasTime,
        showCapacity,
      };
}

function shownRuns(): ShownRun[] {
  const width = timeline?.plotWidth() ?? 0;
  return [recordedKey, ...state.shown].flatMap((key) => {
    const id = runId(key);
    const run = state.runs.get(id);
    if (run === undefined || !run.replayable) {
      return [];
    }
    const isRecorded = key.policy === 'recorded';
    return [
      {
        id,
        label: labelOf(key, run),
        run,
        style: styleOf(key.policy, state.shown),
        isFront: state.front === id || (isRecorded && !state.runs.has(state.front)),
        isRecorded,
        series: series.get(id, state.range, width),
      },
    ];
  });
}

function labelOf(key: RunKey, { title, basis }: RunView): string {
  const slots = key.set[poolSlotsParam];
  const label = policyLabel(key.policy, title);
  if (key.policy === 'recorded' && basis === 'modelled') {
    return `${label} (model)`;
  }
  const dry = key.set[bounceAllSetting] === true ? ', dry run' : '';
  const isChanged = Object.keys(key.set).some((name) => name !== bounceAllSetting && name !== poolSlotsParam);
  const size = typeof slots === 'number' ? ` ${formatBytes(slots * SLOT_BYTES)}` : '';
  return `${label}${size}${isChanged ? ' (changed)' : ''}${dry}`;
}

/** From the first step of any run to the last. */
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

function isWhole(range: Range): boolean {
  const whole = wholeRange();
  return range.fromNs === whole.fromNs && range.toNs === whole.toNs;
}

function reveal({ file, line }: LineRef): void {
  channel.call('reveal', { file, line }).catch((error: unknown) => showError('The line could not be shown.', error));
}

function copy(text: string, button: HTMLElement): void {
  channel.call('copy', { text }).then(
    () => {
      button.textContent = 'Copied';
    },
    (error: unknown) => showError('Copying failed.', error),
  );
}

function setStatus(kind: 'loading' | 'ready' | 'error', message: string): void {
  const status = byId('status');
  status.dataset['state'] = kind;
  status.textContent = message;
  document.body.dataset['state'] = kind;
}

function showError(title: string, error: unknown): void {
  setStatus('error', '');
  const again = h('button', { type: 'button', class: 'secondary', click: () => void load() }, 'Try again');
  fill(byId('status'), h('strong', null, title), ' ', sentenceOf(error), ' ', again);
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
