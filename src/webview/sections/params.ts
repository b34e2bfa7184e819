import { formatHex } from '../../base/address';
import { formatBytes, formatCount, formatDuration, formatSlotsAndBytes } from '../../base/format';
import { SLOT_BYTES } from '../../model/units';
import type { PolicyParamView, PolicyView, RunKey, RunView } from '../../protocol/views';
import { h } from '../dom';

type Value = number | string | boolean;

export interface ParamsBlock {
  readonly policy: PolicyView;
  readonly key: RunKey;
  /** Null while it is made, or when its settings were refused. */
  readonly run: RunView | null;
  readonly choose: (key: RunKey) => void;
}

/** Every parameter of a replay with its value, where that comes from, and a field to change it. */
export function paramsBlock(block: ParamsBlock): HTMLElement[] {
  const { policy, key, choose } = block;
  const changed = policy.params.filter(({ name }) => name in key.set);
  return [
    h(
      'div',
      { class: 'params' },
      policy.params.map((param) => field(block, param)),
    ),
    h(
      'button',
      {
        type: 'button',
        class: 'link',
        id: 'reset-params',
        disabled: changed.length === 0,
        click: () => choose(withSettings(key, (name) => !changed.some((param) => param.name === name))),
      },
      'Reset all',
    ),
  ];
}

/** The key with one parameter set; null or an empty text takes it out again: the policy's default. */
export function withParam(key: RunKey, name: string, value: Value | null): RunKey {
  const rest = withSettings(key, (other) => other !== name);
  return value === null || value === '' ? rest : { ...rest, set: { ...rest.set, [name]: value } };
}

function withSettings(key: RunKey, keeps: (name: string) => boolean): RunKey {
  return { ...key, set: Object.fromEntries(Object.entries(key.set).filter(([name]) => keeps(name))) };
}

function field({ key, run, choose }: ParamsBlock, param: PolicyParamView): HTMLElement {
  const used = run?.params[param.name];
  return paramField({
    id: `param-${param.name}`,
    param,
    value: key.set[param.name] ?? used?.value ?? param.default,
    isSet: param.name in key.set,
    source: used?.source ?? param.source,
    set: (next) => choose(withParam(key, param.name, next)),
  });
}

export interface ParamField {
  /** Of the input element. */
  readonly id: string;
  readonly param: PolicyParamView;
  readonly value: Value;
  /** By the user. */
  readonly isSet: boolean;
  /** Where the value comes from when the user did not set it. */
  readonly source: string;
  /** An empty text: back to the default. */
  readonly set: (next: Value) => void;
}

/** A parameter's label, its value to change, what that is in other units, and where it comes from. */
export function paramField({ id, param, value, isSet, source, set }: ParamField): HTMLElement {
  const from = isSet ? 'set by you' : source;
  const limits = limitsOf(param);
  return h(
    'div',
    { class: `param ${isSet ? 'set' : ''}`, title: `${param.title}. ${from}` },
    h('label', { for: id }, param.title),
    h('span', { class: 'param-value' }, input(id, param, value, set), h('span', { class: 'unit' }, ` ${param.unit}`)),
    h(
      'span',
      { class: 'muted param-note' },
      [readable(param, value), limits, from].filter((part) => part !== '').join(' · '),
    ),
  );
}

/** `1 to 64`, `at least 0`; nothing where only negative numbers are out. */
function limitsOf({ min, max, unit, default: value }: PolicyParamView): string {
  if (typeof value !== 'number' || unit === 'address' || (max === null && (min === null || min === 0))) {
    return '';
  }
  if (max === null) {
    return `at least ${formatCount(min!)}`;
  }
  return min === null ? `at most ${formatCount(max)}` : `${formatCount(min)} to ${formatCount(max)}`;
}

function input(id: string, param: PolicyParamView, value: Value, set: (next: Value) => void): HTMLElement {
  if (typeof value === 'boolean') {
    const box = h('input', { id, 'data-param': param.name, type: 'checkbox', change: () => set(box.checked) });
    box.checked = value;
    return box;
  }
  if (param.choices !== null) {
    const list = param.choices.includes(String(value)) ? param.choices : [String(value), ...param.choices];
    const select = h(
      'select',
      { id, 'data-param': param.name, change: () => set(select.value) },
      list.map((word) => h('option', { value: word, selected: word === String(value) }, word)),
    );
    return select;
  }
  if (param.unit === 'address') {
    const box = h('input', {
      id,
      'data-param': param.name,
      type: 'text',
      spellcheck: 'false',
      pattern: '\\s*(0[xX][0-9a-fA-F]+|[0-9]+)\\s*',
      value: typeof value === 'number' ? formatHex(value) : value,
      change: () => set(addressFrom(box.value)),
    });
    return box;
  }
  const isNumber = typeof value === 'number';
  const box = h('input', {
    id,
    'data-param': param.name,
    type: isNumber ? 'number' : 'text',
    step: 'any',
    min: isNumber ? (param.min ?? undefined) : undefined,
    max: isNumber ? (param.max ?? undefined) : undefined,
    value,
    change: () => set(isNumber && box.value.trim() !== '' ? Number(box.value) : box.value),
  });
  return box;
}

/** As typed where it is no address: the answer says what is wrong. */
function addressFrom(text: string): number | string {
  const typed = text.trim();
  return typed !== '' && Number.isFinite(Number(typed)) ? Number(typed) : typed;
}

function readable(param: PolicyParamView, value: Value): string {
  if (typeof value !== 'number') {
    return '';
  }
  switch (param.unit) {
    case 'ns':
      return formatDuration(value);
    case 'slots':
      return formatSlotsAndBytes(value);
    case 'bytes':
      return formatBytes(value);
    case 'segments':
      return formatBytes(value * 128 * SLOT_BYTES);
    default:
      return '';
  }
}
