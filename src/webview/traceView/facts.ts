import { formatPercent, plural } from '../../base/format';
import type { AnalysisState, FileState } from '../../protocol/traceEditor';
import { h } from '../dom';

export interface FactsEvents {
  readonly nextFailure: () => void;
  readonly analysis: (action: 'cancel' | 'start') => void;
}

/** How many lines and failures there are, and how far reading and the analysis are. Its buttons stay while they count. */
export class Facts {
  readonly work: HTMLElement;
  readonly facts: HTMLElement;
  readonly progress: HTMLElement;
  private readonly workText = h('span', null);
  private readonly cancel: HTMLButtonElement;
  private readonly start: HTMLButtonElement;
  private readonly lines = h('span', null);
  private readonly noFailure = h('span', { hidden: true }, ' · no failure');
  private readonly failures: HTMLElement;
  private readonly failureButton: HTMLButtonElement;

  constructor(events: FactsEvents) {
    const button = (id: string, title: string, click: () => void) =>
      h('button', { id, type: 'button', class: 'link', title, click });
    this.cancel = button('cancel-analysis', 'Stop the analysis', () => events.analysis('cancel'));
    this.cancel.textContent = 'Cancel';
    this.start = button('start-analysis', 'Analyse this file', () => events.analysis('start'));
    this.failureButton = button('next-failure', 'Next failure (n)', events.nextFailure);
    this.failures = h('span', { hidden: true }, ' · ', this.failureButton);
    this.work = h('span', { id: 'work' }, this.workText, ' ', this.cancel, this.start);
    this.facts = h('span', { id: 'facts' }, this.lines, this.noFailure, this.failures);
    this.progress = h('div', { id: 'progress', role: 'progressbar', 'aria-label': 'Reading', hidden: true });
  }

  show(state: FileState, analysis: AnalysisState): void {
    const isReading = !state.isComplete;
    const { phase, failureCount } = analysis;
    const done = isReading ? state.done : analysis.done;
    this.progress.hidden = !isReading && phase !== 'reading';
    this.progress.style.setProperty('--done', String(done));
    this.progress.setAttribute('aria-valuenow', String(Math.round(done * 100)));
    this.lines.textContent = `${plural(state.lineCount, 'line')}${isReading ? ' …' : ''}`;
    // Several lines may tell of one failure: this counts failures.
    this.failures.hidden = failureCount === 0;
    this.failureButton.textContent = `${plural(failureCount, 'failure')}${phase === 'reading' ? ' so far' : ''}`;
    this.noFailure.hidden = phase !== 'done' || 0 < failureCount;
    this.work.hidden = phase === 'done';
    this.work.title = analysis.message;
    this.cancel.hidden = phase !== 'reading';
    this.start.hidden = phase === 'reading';
    this.start.textContent = phase === 'cancelled' ? 'Analyse' : 'Try again';
    this.workText.textContent =
      phase !== 'reading'
        ? 'Not analysed'
        : analysis.done < 1
          ? `Analysing ${formatPercent(analysis.done)}`
          : 'Analysing …';
  }
}
