import { type RunKey, runId, type TraceView } from '../../protocol/views';
import { type RunStyle, runStyle } from '../charts/theme';
import { h, svg } from '../dom';
import { poolSizeChoices, poolSlotsParam, recordedSlots, withDefaults } from '../fixedSizes';
import { policyLabel } from '../words';

/** Policies that always have a button; the others appear when they are shown. */
const usual = ['dynamic', 'transient', 'fixed'];

export interface PolicyBar {
  readonly trace: TraceView;
  readonly recorded: RunKey;
  readonly shown: readonly RunKey[];
  readonly front: string;
  readonly press: (key: RunKey) => void;
  readonly choose: (key: RunKey) => void;
  readonly addPolicy: () => void;
}

export function policyBar(bar: PolicyBar): (HTMLElement | null)[] {
  const { trace, shown } = bar;
  const known = usual.filter((id) => trace.policies.some((policy) => policy.id === id));
  const more = trace.policies.some((policy) => !usual.includes(policy.id));
  return [
    button(bar, bar.recorded),
    ...known.map((policy) =>
      button(bar, shown.find((key) => key.policy === policy) ?? withDefaults(trace, { policy, set: {} })),
    ),
    ...shown.filter((key) => !known.includes(key.policy)).map((key) => button(bar, key)),
    more
      ? h(
          'button',
          {
            type: 'button',
            class: 'policy add',
            title: 'Replay with another policy',
            'aria-label': 'Replay with another policy',
            click: bar.addPolicy,
          },
          '+',
        )
      : null,
    fixedSize(bar),
  ];
}

/** The style a policy has in this panel. */
export function styleOf(policy: string, shown: readonly RunKey[]): RunStyle {
  const others = shown.filter((key) => !usual.includes(key.policy));
  const position = others.findIndex((key) => key.policy === policy);
  return runStyle(policy, Math.max(0, position));
}

function button({ trace, shown, front, press }: PolicyBar, key: RunKey): HTMLElement {
  const id = runId(key);
  const policy = trace.policies.find((candidate) => candidate.id === key.policy);
  const isShown = key.policy === 'recorded' || shown.some((other) => runId(other) === id);
  const isFront = front === id;
  const hint = key.policy === 'recorded' ? 'What the trace itself shows' : (policy?.explanation ?? '');
  return h(
    'button',
    {
      type: 'button',
      class: `policy ${isFront ? 'front' : ''}`,
      'data-policy': key.policy,
      'aria-pressed': isShown ? 'true' : 'false',
      'aria-current': isFront ? 'true' : undefined,
      title: hint,
      click: () => press(key),
    },
    swatch(styleOf(key.policy, shown), isShown),
    policyLabel(key.policy, policy?.title ?? key.policy),
  );
}

/** The line style of a policy, so that telling them apart does not rest on colour. */
export function swatch(style: RunStyle, isShown: boolean): SVGElement {
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

function fixedSize({ trace, shown, choose }: PolicyBar): HTMLElement | null {
  const key = shown.find((candidate) => candidate.policy === 'fixed');
  if (key === undefined) {
    return null;
  }
  const chosen = Number(key.set[poolSlotsParam] ?? recordedSlots(trace) ?? 0);
  const select = h(
    'select',
    {
      id: 'fixed-size',
      'aria-label': 'Size of the fixed pool',
      change: () => choose({ policy: 'fixed', set: { ...key.set, [poolSlotsParam]: Number(select.value) } }),
    },
    poolSizeChoices(recordedSlots(trace), chosen).map(({ slots, label }) =>
      h('option', { value: slots, selected: slots === chosen }, label),
    ),
  );
  return h('label', { class: 'fixed-size' }, 'Fixed pool ', select);
}
