import { type LineRef, type PolicySettings, type RunKey, type RunView, runId, type TraceView } from '../protocol/views';
import type { ChartBlock } from './chartBlock';
import { byId, fill, h, refocus } from './dom';
import { labelOf } from './labels';
import { showAssumptions } from './sections/assumptions';
import { badges, figures, traceFacts } from './sections/header';
import { fidelity, ledgerSection } from './sections/ledger';
import type { Multiples } from './sections/multiples';
import { paramsBlock } from './sections/params';
import { policyBar } from './sections/policies';
import { summaryTable } from './sections/summary';
import type { Variations } from './sections/variations';
import { whySection } from './sections/why';
import { frontKey, type PanelState, recordedKeyOf, wholeRange } from './state';
import { cancelButton } from './status';
import { verdict } from './verdict';
import { policyLabel } from './words';

export interface ViewActions {
  readonly reveal: (place: LineRef) => void;
  readonly press: (key: RunKey) => void;
  readonly choose: (key: RunKey) => void;
  readonly addPolicy: () => void;
  readonly dryRun: () => void;
  readonly assume: (assumptions: PolicySettings) => void;
  /** Ends replays and the comparison with the recorded addresses. */
  readonly cancelWork: () => void;
  /** The run in front has this name. */
  readonly front: (key: RunKey, label: string) => void;
}

/** Fills the blocks of the page from the state. */
export class View {
  private readonly state: PanelState;
  private readonly charts: ChartBlock;
  private readonly actions: ViewActions;
  /** Made anew with every page. */
  multiples: Multiples | null = null;
  variations: Variations | null = null;

  constructor(state: PanelState, charts: ChartBlock, actions: ViewActions) {
    this.state = state;
    this.charts = charts;
    this.actions = actions;
  }

  /** Brings the whole page in line with the state; done when the charts are drawn. */
  async render(): Promise<void> {
    const { state, charts, actions } = this;
    const { trace, time } = state;
    if (trace === null) {
      return;
    }
    const { reveal } = actions;
    const recorded = this.recorded();
    const front = state.runs.get(state.front) ?? recorded;
    const words = verdict(trace, recorded, front);
    byId('verdict').textContent = words.headline;
    byId('verdict').dataset['tone'] = words.tone;
    byId('verdict-detail').textContent = words.detail;
    byId('trace-facts').textContent = traceFacts(trace).join(' · ');
    this.renderFidelity();
    const whole = wholeRange(state);
    const why = whySection({ trace, recorded, front, time, wholeNs: whole.toNs - whole.fromNs, reveal });
    byId('why').hidden = why.length === 0;
    fill(byId('why'), why);
    const runs = charts.shownRuns();
    const ledger = ledgerSection(
      trace,
      runs.map((shown) => shown.run),
      reveal,
    );
    fill(byId('ledger-body'), ledger);
    this.tellFront();
    if (trace.requests === 0) {
      return;
    }
    this.renderPolicies(trace);
    this.renderParams(trace);
    showAssumptions(byId('assumptions'), {
      trace,
      assumptions: state.assumptions,
      run: state.runs.get(runId(recordedKeyOf(state))) ?? null,
      change: actions.assume,
    });
    fill(byId('figures'), recorded === null || front === null ? null : figures(recorded, front));
    fill(
      byId('run-errors'),
      [...state.failed].map(([id, message]) => h('p', { class: 'error', role: 'alert' }, `${id}: ${message}`)),
    );
    this.renderUnreplayable(runs.length === 0);
    fill(byId('summary-holder'), runs.length === 0 ? null : summaryTable(runs));
    const ofFront = runs.find((run) => run.isFront);
    if (ofFront !== undefined) {
      this.variations?.show(ofFront.run, ofFront.label);
    }
    charts.showRange();
    await charts.refresh();
  }

  /** The charts were drawn: the small ones show the same runs. */
  renderMultiples(): void {
    const { state, charts, multiples } = this;
    const runs = charts.shownRuns();
    byId('multiples').hidden = runs.length < 2;
    if (1 < runs.length) {
      multiples?.show({
        runs: runs.map((run) => ({ ...run, series: charts.overviewOf(run.id) })),
        whole: wholeRange(state),
        time: state.time,
        hasTime: state.trace?.hasTime === true,
      });
    }
  }

  renderPolicies(trace: TraceView): void {
    const { state, actions } = this;
    const { press, choose, addPolicy } = actions;
    const focused = document.activeElement?.getAttribute('data-policy');
    const recorded = recordedKeyOf(state);
    const { shown, front } = state;
    fill(byId('policies'), policyBar({ trace, recorded, shown, front, press, choose, addPolicy }));
    if (focused) {
      refocus(document.querySelector<HTMLElement>(`#policies [data-policy="${CSS.escape(focused)}"]`));
    }
  }

  renderFidelity(): void {
    const { trace, verify } = this.state;
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
      const cancel = cancelButton(this.actions.cancelWork);
      fill(byId('fidelity'), h('p', { class: 'muted' }, 'Comparing the model with the recorded addresses …', cancel));
    } else if ('error' in verify) {
      fill(byId('fidelity'), muted(`The model was not compared with the recorded addresses: ${verify.error}`));
    } else {
      fill(byId('fidelity'), fidelity(verify, this.actions.reveal));
    }
  }

  /** Where none of the runs can be made, what is missing stands in place of empty charts. */
  private renderUnreplayable(isNone: boolean): void {
    const missing = new Set([...this.state.runs.values()].flatMap((run) => run.missing));
    for (const id of ['charts', 'compare', 'figures', 'sections']) {
      byId(id).hidden = isNone;
    }
    const block = byId('unreplayable');
    block.hidden = !isNone || missing.size === 0;
    fill(
      block,
      h('p', null, h('strong', null, 'There is nothing to replay. '), 'The trace does not have:'),
      h(
        'ul',
        null,
        [...missing].map((fact) => h('li', null, fact)),
      ),
      this.state.bounceAll
        ? null
        : h(
            'button',
            { type: 'button', class: 'secondary', id: 'go-dry-run', click: this.actions.dryRun },
            'Dry run for a confidential VM',
          ),
    );
  }

  private recorded(): RunView | null {
    return this.state.runs.get(runId(recordedKeyOf(this.state))) ?? null;
  }

  /** The parameters of the run in front; what was recorded has none to change. */
  private renderParams(trace: TraceView): void {
    const { state } = this;
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
    const run = state.runs.get(runId(key)) ?? null;
    const isInside = byId('params').contains(document.activeElement);
    fill(byId('params-body'), paramsBlock({ policy, key, run, choose: this.actions.choose }));
    if (focused && isInside) {
      refocus(document.querySelector<HTMLElement>(`#params [data-param="${CSS.escape(focused)}"]`));
    }
  }

  private tellFront(): void {
    const key = frontKey(this.state);
    const run = this.state.runs.get(runId(key));
    const label = run === undefined ? policyLabel(key.policy, key.policy) : labelOf(key, run, this.state.assumptions);
    this.actions.front(key, label);
  }
}
