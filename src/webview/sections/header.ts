import { formatBytes, formatCount, formatDuration, plural } from '../../base/format';
import { SLOT_BYTES } from '../../model/units';
import { exactShare, isLargelyUndecided, type RunView, type TraceView } from '../../protocol/views';
import { h } from '../dom';
import type { PanelState } from '../state';

/** What was recorded, in one line. */
export function traceFacts(trace: TraceView): string[] {
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
  facts.push(0 < trace.bounced ? plural(trace.bounced, 'bounced mapping') : plural(trace.lines, 'line'));
  if (trace.hasTime && trace.lastTimeNs !== null && 0 < trace.lastTimeNs && 0 < trace.requests) {
    facts.push(formatDuration(trace.lastTimeNs));
  }
  return facts;
}

/** How far the numbers can be trusted; each badge leads to the section that says why. */
export function badges(trace: TraceView, verify: PanelState['verify'], goToLedger: () => void): HTMLElement[] {
  const badge = (label: string, kind: string, hint: string, id?: string) =>
    h('button', { type: 'button', class: `badge ${kind}`, id, title: hint, click: goToLedger }, label);
  const found: HTMLElement[] = [];
  if (verify === 'running') {
    found.push(badge('Verifying …', '', 'Comparing the model with the recorded addresses', 'fidelity-badge'));
  } else if (verify !== 'none' && 'error' in verify) {
    found.push(badge('Not verified', '', verify.error, 'fidelity-badge'));
  } else if (verify !== 'none' && 0 < verify.checked) {
    const isClean = verify.mismatchedCount === 0 && !isLargelyUndecided(verify);
    const exact = `${isClean ? '✓ ' : ''}Exact ${exactShare(verify)}`;
    const hint = 'How many recorded addresses and failures the model reproduced; details below';
    found.push(badge(exact, isClean ? 'good' : 'mixed', hint, 'fidelity-badge'));
  }
  if (0 < trace.ledger.assumed) {
    found.push(
      badge(`Assumed ${formatCount(trace.ledger.assumed)}`, '', 'Requests with a fact that the trace does not say'),
    );
  }
  if (0 < trace.ledger.lost) {
    found.push(badge(`Lost ${formatCount(trace.ledger.lost)}`, 'mixed', 'What never reached the file'));
  }
  return found;
}

/** The key figures of the run in front, with the recorded value where it differs. */
export function figures(recorded: RunView, front: RunView): HTMLElement[] {
  const figure = (
    label: string,
    value: (run: RunView) => number,
    format: (value: number) => string,
    unit: string,
    extra?: (run: RunView) => string,
  ) => {
    const before = value(recorded);
    const after = value(front);
    const was = recorded === front || before === after ? '' : `recorded ${format(before)}`;
    const note = [extra?.(front) ?? '', was].filter((part) => part !== '').join(' · ');
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
        label === 'Failed' ? h('span', { class: 'note', id: 'failed-range' }) : null,
      ),
    );
  };
  const peakBytes = (run: RunView) => formatBytes(run.usedHighWaterSlots * SLOT_BYTES);
  const transient = (run: RunView) => (run.transient.count === 0 ? '' : plural(run.transient.count, 'transient pool'));
  const stalled = (run: RunView) => (run.stalls.count === 0 ? '' : `${formatDuration(run.stalls.totalNs)} in total`);
  return [
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
      front.usedHighWaterSlots === 1 ? 'slot' : 'slots',
      peakBytes,
    ),
    figure('Peak memory held', (run) => run.memory.peakBytes, formatBytes, ''),
    figure('Worker runs', (run) => run.workerRuns, formatCount, '', transient),
    figure('Stalls', (run) => run.stalls.count, formatCount, '', stalled),
  ];
}
