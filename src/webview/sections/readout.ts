import { formatBytes, formatCount, formatSlots } from '../../base/format';
import { SLOT_BYTES } from '../../model/units';
import { causeMark } from '../charts/causeMarks';
import { valueAt } from '../charts/scale';
import { failuresNear, type ShownRun, type TimelineModel } from '../charts/timeline';
import { h } from '../dom';
import { causeWords } from '../words';
import { swatch } from './policies';

/**
 * The levels of every run at the cursor, one line each; the same lines without numbers when there is no cursor.
 * `isEditor`: the cursor is that of the editor.
 */
export function readoutRows(model: TimelineModel, timeNs: number | null, isEditor = false): HTMLElement[] {
  return [timeLine(model, timeNs, isEditor), ...model.runs.flatMap((run) => runLine(model, run, timeNs))];
}

function timeLine({ range, time, hasTime }: TimelineModel, timeNs: number | null, isEditor: boolean): HTMLElement {
  if (timeNs === null) {
    return h('span', { class: 'time muted' }, 'Point at the chart, or focus it and press ? for keys.');
  }
  const spanNs = range.toNs - range.fromNs;
  return h(
    'span',
    { class: 'time' },
    h('strong', null, time.absolute(timeNs, spanNs / 100)),
    hasTime ? h('span', { class: 'muted' }, ` (${time.relative(timeNs)})`) : null,
    isEditor ? h('span', { class: 'muted' }, ", the editor's cursor") : null,
  );
}

function runLine(model: TimelineModel, shown: ShownRun, timeNs: number | null): HTMLElement[] {
  const { series } = shown;
  const at = (column: 'usedSlots' | 'capacitySlots') =>
    series === null || timeNs === null ? null : valueAt(series, column, timeNs);
  const used = at('usedSlots');
  const capacity = at('capacitySlots');
  const near = timeNs === null ? [] : failuresNear(model, shown, timeNs);
  const first = near[0];
  const more = near.length < 2 ? '' : ` and ${formatCount(near.length - 1)} more`;
  const fails =
    first === undefined
      ? ''
      : `${causeMark(first.cause).sign} ${causeWords[first.cause].label}, line ${formatCount(first.line)}${more}`;
  return [
    h('span', null, swatch(shown.style, true), shown.label),
    h('span', { class: 'number' }, used === null ? '–' : formatSlots(used)),
    h('span', { class: 'number muted bytes' }, used === null ? '' : formatBytes(used * SLOT_BYTES)),
    h('span', { class: 'muted' }, capacity === null ? '' : `of ${formatCount(capacity)}`),
    h('span', { class: 'fails', title: fails }, fails),
  ];
}
