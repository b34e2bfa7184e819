import { formatBytes, formatCount, formatPercent, formatSlotsAndBytes, plural } from '../../base/format';
import { SLOT_BYTES } from '../../model/units';
import type { SizeView } from '../../protocol/views';
import { runStyle } from '../charts/theme';
import { h } from '../dom';
import { ratioAt, recommendedSlots, type SizePointView, type SizeSeries, sizeSeries } from '../sizeCurve';
import { swatch } from './policies';

export interface SizeActions {
  readonly policyName: (policy: string) => string;
  /** Replays a policy with a pool of that size. */
  readonly replay: (policy: string, slots: number) => void;
  /** Copies, and says so on the button. */
  readonly copy: (text: string, button: HTMLElement) => void;
}

/** The answer: the parameter to set, what it gives, and how sure that is. */
export function sizeAnswer(view: SizeView, today: number | null, actions: SizeActions): HTMLElement[] {
  const best = view.smallest[0];
  const slots = recommendedSlots(best);
  const parts: HTMLElement[] = [];
  if (best?.bootParameter != null && slots !== null) {
    const parameter = best.bootParameter;
    const button: HTMLElement = h(
      'button',
      { type: 'button', class: 'secondary', id: 'copy-parameter', click: () => actions.copy(parameter, button) },
      'Copy',
    );
    const failing = ratioAt(sizeSeries(view.curve)[0]?.points ?? [], slots);
    const fails = failing === 0 ? '0 failures' : `only what no size can serve fails (${formatPercent(failing ?? 0)})`;
    parts.push(
      h(
        'p',
        { class: 'recommendation' },
        h('code', { id: 'size-parameter' }, parameter),
        button,
        h(
          'span',
          { id: 'size-meaning' },
          `${formatBytes(slots * SLOT_BYTES)} after rounding on ${plural(view.cpus, 'CPU')}, ${plural(best.areas ?? 1, 'area')}: `,
          `${fails} on this trace, at least ${formatPercent(best.headroom)} headroom above the smallest pool that does it `,
          `(${formatSlotsAndBytes(best.slots ?? slots)}).`,
        ),
      ),
      h('details', { id: 'how-to-apply' }, h('summary', null, 'How to apply'), h('p', null, view.howToApply)),
    );
  } else {
    parts.push(h('p', { id: 'size-meaning' }, 'No fixed pool of the sizes tried serves this load.'));
  }
  if (!view.bounceAll) {
    parts.push(h('p', { id: 'size-shrink' }, shrinkAnswer(view.unusedBytes, today)));
  }
  const varied = best?.variants.filter(({ avoidable }) => 0 < avoidable) ?? [];
  if (best !== undefined && 0 < best.variants.length) {
    parts.push(
      h(
        'p',
        { id: 'size-variants' },
        varied.length === 0
          ? 'The same pool is enough with every other assumption that was tried.'
          : `It would not be enough with other assumptions: ${varied.map(({ name, avoidable }) => `${name}: ${plural(avoidable, 'avoidable failure')}`).join(', ')}.`,
      ),
    );
  }
  const more = view.advice.filter((line) => !line.startsWith('A fixed pool of ') && !line.includes("of today's pool"));
  if (0 < more.length) {
    parts.push(
      h(
        'ul',
        { class: 'plain size-advice' },
        more.map((line) => h('li', null, line)),
      ),
    );
  }
  return parts;
}

function shrinkAnswer(unusedBytes: number | null, today: number | null): string {
  if (unusedBytes === null || today === null) {
    return "How much of today's pool is spare cannot be said: its size is not recorded, or no size of the curve is enough.";
  }
  const pool = formatBytes(today * SLOT_BYTES);
  return 0 < unusedBytes
    ? `Shrink: ${formatBytes(unusedBytes)} of today's ${pool} were never needed; proven by replay.`
    : `Shrink: nothing of today's ${pool} is spare.`;
}

export function seriesLabel(series: SizeSeries, actions: SizeActions): string {
  const name = actions.policyName(series.policy);
  return series.isSingleArea ? `${name}, 1 area` : name;
}

/** Every policy at one size, in a sentence. */
export function sizeReadout(all: readonly SizeSeries[], slots: number, actions: SizeActions): string {
  const parts = all.flatMap((series) => {
    const point = series.points.find((candidate) => candidate.slots === slots);
    const fails = point === undefined || point.failed === 0 ? '' : ` (${formatPercent(point.failureRatio)})`;
    return point === undefined ? [] : [`${seriesLabel(series, actions)} ${formatCount(point.failed)}${fails}`];
  });
  return `${formatSlotsAndBytes(slots)}: ${parts.join(', ')} failed`;
}

/** Which line is which, and what the rings mean. */
export function sizeLegend(view: SizeView, today: number | null, actions: SizeActions): HTMLElement[] {
  return [
    ...sizeSeries(view.curve).map((series, index) =>
      h(
        'li',
        null,
        swatch(
          series.isSingleArea ? { ...runStyle(series.policy, index), dash: [1, 3] } : runStyle(series.policy, index),
          true,
        ),
        seriesLabel(series, actions),
      ),
    ),
    h('li', null, '◎ recommended'),
    h('li', null, '○ knee: larger saves little'),
    ...(today === null ? [] : [h('li', null, `┆ today ${formatBytes(today * SLOT_BYTES)}`)]),
  ];
}

/** Sizes as rows, policies as columns; each size replays. */
export function sizeTable(view: SizeView, today: number | null, actions: SizeActions): HTMLElement {
  const series = sizeSeries(view.curve);
  const sizes = [...new Set(view.curve.map((point) => point.slots))].sort((a, b) => a - b);
  return h(
    'table',
    { id: 'size-curve', 'aria-label': 'Failed requests by pool size' },
    h(
      'thead',
      null,
      h(
        'tr',
        null,
        h('th', { scope: 'col' }, 'Pool'),
        series.map((one) => h('th', { scope: 'col', class: 'number' }, seriesLabel(one, actions))),
      ),
    ),
    h(
      'tbody',
      null,
      sizes.map((slots) =>
        h(
          'tr',
          { class: slots === recommendedSlots(view.smallest[0]) ? 'recommended' : slots === today ? 'today' : '' },
          h(
            'th',
            { scope: 'row' },
            h(
              'button',
              {
                type: 'button',
                class: 'link',
                title: `${formatCount(slots)} slots: replay with a fixed pool of this size`,
                click: () => actions.replay('fixed', slots),
              },
              formatBytes(slots * SLOT_BYTES),
            ),
          ),
          series.map((one) => sizeCell(one.points.find((point) => point.slots === slots))),
        ),
      ),
    ),
  );
}

function sizeCell(point: SizePointView | undefined): HTMLElement {
  if (point === undefined) {
    return h('td', null, '–');
  }
  return h(
    'td',
    {
      class: `number ${point.proven ? 'muted' : ''}`,
      'data-policy': point.policy,
      'data-slots': point.slots,
      'data-areas': point.areas,
      'data-value': point.failed,
      title: point.proven
        ? 'not replayed: proven to fail the same requests as a smaller pool or as the fixed one'
        : `peak ${formatBytes(point.peakBytes)}, ${plural(point.areas, 'area')}`,
    },
    point.failed === 0 ? '0' : `${formatCount(point.failed)} · ${formatPercent(point.failureRatio)}`,
  );
}

/** Per policy the smallest pool that serves what can be served, and the parameter for it. */
export function smallestTable(view: SizeView, actions: SizeActions): HTMLElement {
  return h(
    'table',
    { id: 'size-smallest', 'aria-label': 'Smallest pool by policy' },
    h(
      'thead',
      null,
      h(
        'tr',
        null,
        ['Policy', 'Smallest pool', 'Knee', 'Parameter', 'After rounding'].map((title) =>
          h('th', { scope: 'col' }, title),
        ),
      ),
    ),
    h(
      'tbody',
      null,
      view.smallest.map((entry) =>
        h(
          'tr',
          { 'data-policy': entry.policy },
          h('th', { scope: 'row' }, actions.policyName(entry.policy)),
          h('td', null, entry.slots === null ? 'none of these' : formatSlotsAndBytes(entry.slots)),
          h('td', null, entry.kneeSlots === null ? '–' : formatBytes(entry.kneeSlots * SLOT_BYTES)),
          h('td', null, entry.bootParameter === null ? '–' : h('code', null, entry.bootParameter)),
          h('td', null, entry.bytesAfterRounding === null ? '–' : formatBytes(entry.bytesAfterRounding)),
        ),
      ),
    ),
  );
}
