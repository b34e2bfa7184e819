import { Channel } from '../protocol/channel';
import {
  type HostMethods,
  type PanelFocus,
  type PanelMemory,
  type PanelMethods,
  type PanelStart,
  panelMethods,
} from '../protocol/panel';
import {
  type LineRef,
  type PolicySettings,
  type RunKey,
  runId,
  type SizeView,
  type TraceView,
} from '../protocol/views';
import { ChartBlock } from './chartBlock';
import { clampRange, type Range } from './charts/scale';
import { readTheme, watchTheme } from './charts/theme';
import { byId, fill } from './dom';
import { Exports } from './exporting';
import { poolSlotsParam } from './fixedSizes';
import { type TimeMode, timeFormat, timeModesOf } from './format';
import { labelOf } from './labels';
import { OtherBlock } from './otherBlock';
import { buildPage } from './page';
import { panelExports } from './panelExports';
import { placeOf, returnTo } from './place';
import { Runs } from './runs';
import { SectionHolder } from './sectionHolder';
import { panelSections } from './sections';
import { Multiples } from './sections/multiples';
import { Variations } from './sections/variations';
import { recommendedSlots } from './sizeCurve';
import { Sizing } from './sizing';
import { frontKey, initialState, isWhole, type PanelState, shownKeys, wholeRange } from './state';
import { sentenceOf, setStatus, showError } from './status';
import { dryRunVerdict } from './verdict';
import { View } from './view';
import { policyLabel } from './words';

declare function acquireVsCodeApi(): { postMessage(message: unknown): void; setState(state: unknown): void };

const api = acquireVsCodeApi();
const state: PanelState = initialState();
const channel = new Channel<PanelMethods, HostMethods>({
  methods: panelMethods,
  handlers: {
    show: ({ runs: wanted, focus, other, line }) => {
      for (const key of wanted) {
        choose(key);
      }
      state.other = other ?? state.other;
      if (state.trace === null) {
        first = { focus, line };
      } else {
        void loaded.then(() => turnTo(focus, line));
      }
      return null;
    },
    exportOffers: async () => {
      await loaded;
      return exports.offers();
    },
    exportOne: ({ id, format }) => exports.make(id, format),
    sizeProgress: ({ replays }) => {
      sizing?.replaysDone(replays);
      return null;
    },
    reload: () => {
      reload();
      return null;
    },
    cursor: ({ line, at }) => {
      charts.setEditorCursor(at === null ? null : at.timeNs);
      for (const section of sections) {
        section.editorAt(line);
      }
      return null;
    },
  },
  post: (message) => api.postMessage(message),
  onBug: (name, error) => fail(`'${name}' failed.`, error),
});
const exports = new Exports();
const runs = new Runs(state, (run) => channel.call('run', { run }));
const charts = new ChartBlock({
  state,
  askSeries: (run, { fromNs, toNs }, buckets) => channel.call('series', { run, fromNs, toNs, buckets }),
  reveal,
  revealTime: (timeNs) => {
    channel.call('revealTime', { timeNs }).catch((error: unknown) => fail('The line could not be shown.', error));
  },
  failed: fail,
  drawn: () => {
    view.renderMultiples();
    updateSections();
  },
  cursor: () => {
    const timeNs = charts.cursorNs();
    view.multiples?.setCursor(timeNs);
    for (const section of sections) {
      section.onCursor(timeNs, charts.cursorSource());
    }
  },
  ranged: rememberSoon,
});
const view = new View(state, charts, {
  reveal,
  press,
  choose,
  addPolicy: () => void channel.call('command', { command: 'addPolicy' }),
  dryRun: () => void turnTo('dryRun', null),
  assume,
  cancelWork,
  front: tellFront,
});

let documentUri = '';
/** How the panel looked before it was closed; taken over with the first trace. */
let memory: PanelMemory | null = null;
let sizing: Sizing | null = null;
let other: OtherBlock | null = null;
let sections: readonly SectionHolder[] = [];
/** What was last told about the run in front. */
let toldFront = '';
/** Grows with every load; answers to questions of an earlier one are dropped. */
let generation = 0;
/** The page shows an earlier reading than the newest, which failed: that stays said, whatever else goes on. */
let isOutdated = false;
/** Done when the page shows the trace, for better or worse. */
let loaded: Promise<void> = Promise.resolve();
/** What the panel was opened for, or a command wanted since; done with the first trace. */
let first: Pick<PanelStart, 'focus' | 'line'> = { focus: 'replay', line: null };
/** Why the file beside the trace was not read; said as soon as there is a page. */
let memoryProblem: string | null = null;
let resizeTimer = 0;
let rememberTimer = 0;

window.addEventListener('message', (event) => void channel.receive(event.data));
window.addEventListener('error', (event) => fail('The panel ran into a defect.', event.error));
window.addEventListener('unhandledrejection', (event) => fail('The panel ran into a defect.', event.reason));
window.addEventListener('resize', () => {
  window.clearTimeout(resizeTimer);
  resizeTimer = window.setTimeout(() => void charts.refresh(), 120);
});
document.addEventListener('keydown', (event) => {
  // Keys of the time axis work wherever nothing else has the focus.
  if (!event.defaultPrevented && (event.target === document.body || event.target === document.documentElement)) {
    charts.key(event);
  }
});
watchTheme(() => {
  const theme = readTheme();
  charts.setTheme(theme);
  view.multiples?.setTheme(theme);
  other?.setTheme(theme);
  sizing?.setTheme(theme);
  for (const section of sections) {
    section.onTheme(theme);
  }
});
loaded = start();

async function start(): Promise<void> {
  let begun: PanelStart;
  try {
    begun = await channel.call('ready', null);
  } catch (error) {
    showError('The panel could not be opened.', error, () => {
      loaded = start();
    });
    return;
  }
  first = begun;
  memoryProblem = begun.memoryProblem;
  documentUri = begun.uri;
  memory = begun.memory;
  state.other = begun.other;
  state.assumptions = memory?.assumptions ?? {};
  state.notes = memory?.notes ?? '';
  state.timeMode = memory?.timeMode ?? 'clock';
  state.slotMap = memory?.slotMap ?? null;
  runs.begin([...(memory?.runs ?? []), ...begun.runs]);
  if (begun.runs.length === 0) {
    state.front = memory?.front ?? state.front;
  }
  await load();
}

/** Whoever waits for the trace waits for the newest reading of it. */
function reload(): void {
  loaded = load();
}

/**
 * Brings what a command is about into view, and makes it when it is not there yet. Where a trace has no requests there
 * is nothing to make: what it proves and how to record one come into view instead.
 */
async function turnTo(focus: PanelFocus, line: number | null): Promise<void> {
  if (focus === 'replay' || state.trace === null) {
    return;
  }
  if (state.trace.requests === 0 && focus !== 'verify' && focus !== 'other') {
    (document.getElementById('guidance') ?? document.getElementById('ledger'))?.scrollIntoView();
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

/** The size is found: in a dry run the pool that would be set is replayed, too. */
async function sizeFound(found: SizeView): Promise<void> {
  const slots = recommendedSlots(found.smallest[0]);
  if (!found.bounceAll || slots === null || state.trace === null) {
    sizing?.setVerdict('');
    return;
  }
  const keys = runs.add([
    { policy: 'dynamic', set: {} },
    { policy: 'fixed', set: { [poolSlotsParam]: slots } },
  ]);
  runs.choose(keys[1]!);
  await showFront();
  const [grown, set] = keys.map((key) => state.runs.get(runId(key)));
  if (grown !== undefined && set !== undefined) {
    sizing?.setVerdict(dryRunVerdict(found, set, grown));
  }
}

async function loadOther(): Promise<void> {
  const { trace } = state;
  if (trace !== null && state.other !== null) {
    const key = frontKey(state);
    const run = state.runs.get(runId(key)) ?? null;
    const label = run === null ? 'Recorded' : labelOf(key, run, state.assumptions);
    await other?.show({ trace, run }, state.other, key, label);
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
    const wasWhole = isFirst ? (memory?.range ?? null) === null : isWhole(state);
    const range = isFirst ? (memory?.range ?? state.range) : state.range;
    runs.reset(trace);
    state.verify = 'none';
    if (!timeModesOf(trace).includes(state.timeMode)) {
      state.timeMode = 'clock';
    }
    state.time = timeFormat(trace, state.timeMode);
    const place = isFirst ? null : placeOf(byId('content'));
    newPage(trace);
    if (0 < trace.requests) {
      setStatus('loading', 'Replaying …', cancelWork);
      await runs.loadMissing();
    }
    if (mine !== generation) {
      return;
    }
    state.range = wasWhole ? wholeRange(state) : clampRange(range, wholeRange(state));
    await render();
    if (mine !== generation) {
      return;
    }
    isOutdated = false;
    setStatus('ready', '');
    if (memoryProblem !== null) {
      byId('save-status').textContent = memoryProblem;
      memoryProblem = null;
    }
    if (isFirst) {
      void turnTo(first.focus, first.line);
    }
    if (place !== null) {
      returnTo(place, byId('content'));
    }
    if (0 < trace.bounced) {
      void loadVerify();
    }
  } catch (error) {
    if (mine === generation) {
      isOutdated = true;
      fail('The trace could not be analysed.', error);
    }
  }
}

/** Puts up the empty blocks and what looks after them. */
function newPage(trace: TraceView): void {
  charts.clear();
  sizing?.destroy();
  sizing = null;
  other?.destroy();
  view.multiples?.destroy();
  view.multiples = null;
  for (const section of sections) {
    section.destroy();
  }
  sections = [];
  exports.clear();
  buildPage(
    trace,
    { timeMode: state.timeMode, notes: state.notes },
    {
      reveal,
      copy,
      showAll: () => charts.setRange(wholeRange(state)),
      tableToggled: (kind) => charts.fillTable(kind),
      timeMode: setTimeMode,
      exportSomething: () => void channel.call('command', { command: 'export' }),
      notesChanged: (notes) => {
        state.notes = notes;
        rememberSoon();
      },
      save: () => void save(),
    },
  );
  other = new OtherBlock(byId('other'), {
    ask: (uri, run) => channel.call('other', { uri, run }),
    series: ({ fromNs, toNs }, run) => channel.call('series', { run, fromNs, toNs, buckets: 400 }),
    otherSeries: (uri, { fromNs, toNs }, run) => channel.call('otherSeries', { uri, run, fromNs, toNs, buckets: 400 }),
  });
  if (0 < trace.requests) {
    charts.create();
    view.variations = new Variations(byId('variations-holder'), (run) => channel.call('uncertainty', { run }));
    view.multiples = new Multiples(byId('multiples'), (run) => press(run.run.key));
    createSizing(trace);
    createSections();
    for (const item of panelExports(state, charts)) {
      exports.offer(item);
    }
  }
}

async function loadVerify(): Promise<void> {
  const mine = generation;
  const set = (verify: PanelState['verify']) => {
    if (mine === generation) {
      state.verify = verify;
      view.renderFidelity();
    }
  };
  set('running');
  try {
    set(await channel.call('verify', null));
  } catch (error) {
    set({ error: sentenceOf(error) });
  }
}

/** Switches every replay of the panel between the trace as recorded and the dry run. */
async function setDryRun(bounceAll: boolean): Promise<void> {
  if (bounceAll !== state.bounceAll) {
    runs.setDryRun(bounceAll);
    sizing?.setBounceAll(bounceAll);
    await showFront();
  }
}

/** The replays and the verification under way. */
function cancelWork(): void {
  void channel.call('cancelWork', null);
}

function choose(key: RunKey): void {
  runs.choose(key);
  void showFront();
}

function press(key: RunKey): void {
  runs.press(key);
  void showFront();
}

function assume(assumptions: PolicySettings): void {
  runs.assume(assumptions);
  void showFront();
  sizing?.again();
}

/** Brings the run in front before the reader, with what else is missing. */
async function showFront(): Promise<void> {
  const { trace } = state;
  const mine = generation;
  if (trace === null) {
    return;
  }
  if (0 < trace.requests && shownKeys(state).some((key) => runs.isMissing(key))) {
    if (!isOutdated) {
      setStatus('loading', 'Replaying …', cancelWork);
    }
    view.renderPolicies(trace);
    await runs.loadMissing();
  }
  if (mine === generation) {
    await render();
  }
  // A new reading of the trace shows the same runs when it is done.
  if (mine === generation && !isOutdated) {
    setStatus('ready', '');
  }
}

async function render(): Promise<void> {
  runs.prune();
  remember();
  if (state.other !== null) {
    void loadOther();
  }
  await view.render();
}

/** What the panel shows, to be shown again. */
function memoryOf(): PanelMemory {
  const { shown, front, range, timeMode, assumptions, notes, slotMap } = state;
  return { runs: shown, front, range: isWhole(state) ? null : range, timeMode, assumptions, notes, slotMap };
}

/** For a reload of the window: VS Code writes its own state late, so the extension keeps it, too. */
function remember(): void {
  window.clearTimeout(rememberTimer);
  const kept = memoryOf();
  api.setState({ uri: documentUri, ...kept });
  channel.call('remember', kept).catch(() => undefined);
}

function rememberSoon(): void {
  window.clearTimeout(rememberTimer);
  rememberTimer = window.setTimeout(remember, 400);
}

async function save(): Promise<void> {
  const status = byId('save-status');
  try {
    const { file } = await channel.call('save', memoryOf());
    status.textContent = `Saved to ${file}.`;
  } catch (error) {
    status.textContent = sentenceOf(error);
  }
}

function setTimeMode(mode: TimeMode): void {
  if (state.trace !== null) {
    state.timeMode = mode;
    state.time = timeFormat(state.trace, mode);
    void render();
  }
}

/** The status bar names the run in front. */
function tellFront(key: RunKey, label: string): void {
  const told = `${runId(key)} ${label}`;
  if (told !== toldFront) {
    toldFront = told;
    channel.call('front', { run: key, label: label.slice(0, 200) }).catch(() => {
      toldFront = '';
    });
  }
}

function createSizing(trace: TraceView): void {
  const titles = new Map(trace.policies.map((policy) => [policy.id, policy.title]));
  const pool = trace.geometry.pools.find((candidate) => candidate.kind === 'boot' && candidate.slots !== null);
  sizing = new Sizing(byId('size'), {
    ask: (question) => channel.call('size', question),
    cancel: () => void channel.call('cancelSize', null),
    today: pool?.slots ?? null,
    cpus: trace.geometry.cpus,
    assumptions: () => state.assumptions,
    policyName: (policy) => policyLabel(policy, titles.get(policy) ?? policy),
    replay: (policy, slots) => {
      choose({ policy, set: { [poolSlotsParam]: slots } });
      byId('charts').scrollIntoView();
    },
    copy,
    exportable: (item) => exports.offer(item),
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
        setCursor: (timeNs) => charts.setCursor(timeNs),
        setRange: (range: Range) => charts.setRange(range),
        theme: readTheme,
        slotMap: () => state.slotMap,
        keepSlotMap: (shown) => {
          state.slotMap = shown;
          rememberSoon();
        },
        exportable: (item) => exports.offer(item),
      }),
  );
  fill(
    byId('sections'),
    sections.map((section) => section.element),
  );
}

function updateSections(): void {
  const { trace, range, time } = state;
  if (trace === null) {
    return;
  }
  const shown = charts.shownRuns();
  const front = shown.find((run) => run.isFront) ?? null;
  for (const section of sections) {
    section.update({ trace, runs: shown, front, range, whole: wholeRange(state), time, cursorNs: charts.cursorNs() });
  }
}

function reveal({ file, line }: LineRef): void {
  channel.call('reveal', { file, line }).catch((error: unknown) => fail('The line could not be shown.', error));
}

function copy(text: string, button: HTMLElement): void {
  channel.call('copy', { text }).then(
    () => {
      button.textContent = 'Copied';
    },
    (error: unknown) => fail('Copying failed.', error),
  );
}

function fail(title: string, error: unknown): void {
  showError(title, error, reload);
}
