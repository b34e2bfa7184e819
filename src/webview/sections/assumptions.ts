import type { PolicyParamView, PolicySettings, RunView, TraceView } from '../../protocol/views';
import { fill, h, refocus } from '../dom';
import { levelWords } from '../words';
import { type ClassField, classFields, deviceClassParam, withClass } from './deviceClasses';
import { disclosure } from './ledger';
import { paramField } from './params';

/** Settings by what they are about; those that a trace's policies have and nothing here names come last. */
const groups: readonly { readonly title: string; readonly names: readonly string[]; readonly isOpen: boolean }[] = [
  {
    title: 'What replays assume where the trace is silent',
    names: ['assumedLifetimeNs', 'lifetimeScale', 'lifetimeQuantile', 'context', 'unknownClass', 'dropRetries'],
    isOpen: true,
  },
  {
    title: 'Kernel, pool and devices',
    names: ['generation', 'poolStart', 'startIndex', 'areas', 'cpus', 'minAlign', 'dmaMask', 'encrypted'],
    isOpen: false,
  },
];

export interface Assumption {
  readonly param: PolicyParamView;
  readonly group: number;
}

/** Parameters that concern the trace and the machine rather than one policy: those that every policy has, and the groups' own. */
export function assumptionsOf(trace: Pick<TraceView, 'policies'>): Assumption[] {
  const found = new Map<string, { readonly param: PolicyParamView; count: number }>();
  for (const policy of trace.policies) {
    for (const param of policy.params) {
      const known = found.get(param.name);
      if (known === undefined) {
        found.set(param.name, { param, count: 1 });
      } else {
        known.count++;
      }
    }
  }
  return [...found.values()].flatMap(({ param, count }) => {
    if (param.name === deviceClassParam) {
      // Has a block of its own, with a field per device.
      return [];
    }
    const group = groups.findIndex(({ names }) => names.includes(param.name));
    return 0 <= group || count === trace.policies.length ? [{ param, group: group < 0 ? groups.length : group }] : [];
  });
}

/** Every assumption with its value, where that comes from, and a field to change it for all runs of the panel. */
export function showAssumptions(
  holder: HTMLElement,
  view: {
    readonly trace: TraceView;
    readonly assumptions: PolicySettings;
    /** Says what the values are; null before there is one. */
    readonly run: RunView | null;
    readonly change: (next: PolicySettings) => void;
  },
): void {
  const { trace, assumptions, run, change } = view;
  const all = assumptionsOf(trace);
  const isOpen = new Map(
    [...holder.querySelectorAll('details')].map((details) => [details.dataset['group'], details.open]),
  );
  const focused = holder.contains(document.activeElement) ? document.activeElement?.id : undefined;
  const blocks = [...groups, { title: 'The machine around the allocator', names: [], isOpen: false }].map(
    (group, index) => {
      const members = all
        .filter((entry) => entry.group === index)
        .sort((a, b) => group.names.indexOf(a.param.name) - group.names.indexOf(b.param.name));
      if (members.length === 0) {
        return null;
      }
      const changed = members.filter(({ param }) => param.name in assumptions).length;
      const block = disclosure(
        `${group.title}${changed === 0 ? '' : ` (${changed} set by you)`}`,
        h(
          'div',
          { class: 'params' },
          members.map(({ param }) =>
            paramField({
              id: `assume-${param.name}`,
              param,
              value: assumptions[param.name] ?? run?.params[param.name]?.value ?? param.default,
              isSet: param.name in assumptions,
              source: run?.params[param.name]?.source ?? param.source,
              set: (value) => change(withSetting(assumptions, param.name, value)),
            }),
          ),
        ),
      );
      block.dataset['group'] = String(index);
      block.toggleAttribute('open', isOpen.get(String(index)) ?? group.isOpen);
      return block;
    },
  );
  fill(
    holder,
    h('h3', null, 'Adjust'),
    h('p', { class: 'muted' }, 'A change here holds for every replay of this panel; the charts follow.'),
    blocks,
    classBlock(classFields(trace, assumptions), isOpen.get(classGroup) ?? false, (field, value) =>
      change(withSetting(assumptions, deviceClassParam, withClass(trace, assumptions, field.name, value))),
    ),
    h(
      'button',
      {
        type: 'button',
        class: 'link',
        id: 'reset-assumptions',
        hidden: Object.keys(assumptions).length === 0,
        click: () => change({}),
      },
      'Reset all',
    ),
  );
  if (focused) {
    refocus(document.getElementById(focused));
  }
}

const classGroup = 'classes';

/** What each device is: whether the block layer splits its requests and who is throttled depends on it. */
function classBlock(
  fields: readonly ClassField[],
  isOpen: boolean,
  set: (field: ClassField, value: ClassField['value']) => void,
): HTMLElement | null {
  if (fields.length === 0) {
    return null;
  }
  const changed = fields.filter(({ isSet }) => isSet).length;
  const block = disclosure(
    `Classes of the devices${changed === 0 ? '' : ` (${changed} set by you)`}`,
    h(
      'div',
      { class: 'params' },
      fields.map((field, index) => {
        const id = `assume-class-${index}`;
        const select = h(
          'select',
          { id, 'data-device': field.name, change: () => set(field, select.value as ClassField['value']) },
          field.choices.map((word) => h('option', { value: word, selected: word === field.value }, word)),
        );
        return h(
          'div',
          { class: `param ${field.isSet ? 'set' : ''}` },
          h('label', { for: id }, field.name),
          h('span', { class: 'param-value' }, select),
          h(
            'span',
            { class: 'muted param-note' },
            field.isSet ? `set by you · found: ${field.found}. ` : `${levelWords[field.level]} · `,
            field.text,
          ),
        );
      }),
    ),
  );
  block.dataset['group'] = classGroup;
  block.toggleAttribute('open', isOpen);
  return block;
}

/** The settings with one of them changed; an empty text takes it out again. */
function withSetting(settings: PolicySettings, name: string, value: number | string | boolean): PolicySettings {
  const { [name]: _, ...rest } = settings;
  return value === '' ? rest : { ...rest, [name]: value };
}
