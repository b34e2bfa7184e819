import { bitsOfMask } from '../base/address';
import { type Known, known } from '../model/evidence';
import type { Geometry, GeometryOverrides } from '../model/geometry';
import type { TraceTables } from '../model/tables';
import { slotsToBytes } from '../model/units';
import { commonParams } from '../replay/commonParams';
import {
  calibrateFromFacts,
  createModelEnvironment,
  type Environment,
  type EnvironmentSettings,
  successFromFreePages,
} from '../replay/environment';
import { createReplayPlan, type ReplayPlan } from '../replay/plan';
import { policies } from '../replay/policies';
import type { Policy, PolicyParam } from '../replay/policy';
import { defaultReplayOptions, type MoveWatch, type ReplayOptions } from '../replay/replay';
import type { ParamSettings } from '../replay/settings';
import type { Analysis } from './analysis';
import { inferGeometry } from './geometry';

/** What to replay. Everything but the policy has a default. */
export interface ReplayRequest {
  readonly policy: string;
  /** Parameters by name; texts are understood as the parameter's own type. */
  readonly set?: ParamSettings;
  /** The replayed kernel where it differs from the recorded one. */
  readonly overrides?: GeometryOverrides;
  /** Dry run for a confidential VM. */
  readonly bounceAll?: boolean;
  /** False: without the series and the list of failures. */
  readonly keepSeries?: boolean;
  /** Outcomes, levels and memory only: no series, no costs. */
  readonly totalsOnly?: boolean;
  /** Hears of every change of the slots. */
  readonly watch?: MoveWatch;
}

/** A policy or parameter that does not exist, or a value it cannot take. The message names what is possible. */
export class ReplaySettingError extends Error {
  override readonly name = 'ReplaySettingError';
}

/** The policy of that id. Throws ReplaySettingError when there is none. */
export function policyOf(id: string): Policy {
  const policy = policies.tryGet(id);
  if (policy === undefined) {
    throw new ReplaySettingError(`'${id}' is no policy; there are ${policies.ids().join(', ')}`);
  }
  return policy;
}

function paramsOf(policy: Policy): readonly PolicyParam[] {
  return [...policy.params, ...commonParams];
}

/** Of the settings those that a policy has. */
export function settingsFor(policyId: string, set: ParamSettings): ParamSettings {
  const names = new Set(paramsOf(policyOf(policyId)).map((param) => param.name));
  return Object.fromEntries(Object.entries(set).filter(([name]) => names.has(name)));
}

/** Throws ReplaySettingError for a parameter that none of the policies has. */
export function checkSomePolicyTakes(policyIds: readonly string[], set: ParamSettings): void {
  const names = new Set(policyIds.flatMap((id) => paramsOf(policyOf(id)).map((param) => param.name)));
  for (const name of Object.keys(set)) {
    if (!names.has(name)) {
      throw new ReplaySettingError(`none of ${policyIds.join(', ')} has a parameter '${name}'`);
    }
  }
}

/** Settings with the type their parameter has. */
export function checkedSettings(policy: Policy, set: ParamSettings): ParamSettings {
  const checked: Record<string, number | string | boolean> = {};
  for (const [name, value] of Object.entries(set)) {
    const param = paramsOf(policy).find((candidate) => candidate.name === name);
    if (param === undefined) {
      const names = paramsOf(policy).map((candidate) => candidate.name);
      throw new ReplaySettingError(`policy '${policy.id}' has no parameter '${name}'; it has ${names.join(', ')}`);
    }
    checked[name] = checkedValue(param, value);
  }
  return checked;
}

function checkedValue(param: PolicyParam, value: number | string | boolean): number | string | boolean {
  switch (typeof param.default) {
    case 'boolean': {
      if (typeof value === 'boolean') {
        return value;
      }
      if (value === 'true' || value === 'false') {
        return value === 'true';
      }
      throw new ReplaySettingError(`'${param.name}' is true or false, not '${value}'`);
    }
    case 'number': {
      const number = typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value);
      if (!Number.isFinite(number) || typeof value === 'boolean') {
        throw new ReplaySettingError(`'${param.name}' is a number, not '${value}'`);
      }
      if (number < (param.min ?? Number.NEGATIVE_INFINITY) || number > (param.max ?? Number.POSITIVE_INFINITY)) {
        const range = `${param.min ?? 'any'} … ${param.max ?? 'any'}`;
        throw new ReplaySettingError(`'${param.name}' must be in ${range}, ${number} is not`);
      }
      if (param.isWhole === true && !Number.isInteger(number)) {
        throw new ReplaySettingError(`'${param.name}' is a whole number, ${number} is not`);
      }
      return number;
    }
    default:
      if (param.choices?.includes(String(value)) === false) {
        throw new ReplaySettingError(`'${param.name}' is one of ${param.choices.join(', ')}, not '${value}'`);
      }
      if (param.form?.pattern.test(String(value).trim()) === false) {
        throw new ReplaySettingError(`'${param.name}' is ${param.form.words}, not '${value}'`);
      }
      return String(value);
  }
}

function contextFrom(value: number | string | boolean | undefined): ReplayOptions['context'] {
  return value === 'alwaysAtomic' || value === 'perDevice' ? value : 'fromFlags';
}

/** `DEVICE,DEVICE` */
function namesFrom(value: number | string | boolean | undefined): readonly string[] {
  return String(value ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** The switches of a replay that belong to no policy. */
export function optionsFrom(settings: ParamSettings, request: ReplayRequest): ReplayOptions {
  const number = (name: string, fallback: number): number => Number(settings[name] ?? fallback);
  const lifetime = settings['assumedLifetimeNs'];
  return {
    bounceAll: request.bounceAll ?? false,
    dropRetries: settings['dropRetries'] !== false,
    assumedLifetimeNs: number('assumedLifetimeNs', defaultReplayOptions.assumedLifetimeNs),
    assumedLifetimeSteps: Number(lifetime ?? defaultReplayOptions.assumedLifetimeSteps),
    lifetimeQuantile: number('lifetimeQuantile', defaultReplayOptions.lifetimeQuantile),
    lifetimeScale: number('lifetimeScale', defaultReplayOptions.lifetimeScale),
    context: contextFrom(settings['context']),
    sleepableDevices: namesFrom(settings['sleepableDevices']),
    keepSeries: request.totalsOnly !== true && (request.keepSeries ?? true),
    summaryOnly: request.totalsOnly === true,
    ...(request.watch === undefined ? {} : { watch: request.watch }),
  };
}

/**
 * The replayed kernel: what the user gives, else what was recorded.
 * Devices stay those of the recording: their masks show in the recorded addresses, not in the pool to be tried.
 */
export function geometryFor(
  analysis: Analysis,
  given: GeometryOverrides | undefined,
  settings: ParamSettings,
): Geometry {
  const geometry = geometryWith(analysis, withDeviceMasks(analysis, given, settings));
  const classes = deviceClassesFrom(analysis, settings);
  // Nothing else is inferred from a class.
  return classes === null
    ? geometry
    : {
        ...geometry,
        devices: geometry.devices.map((device) => {
          const given = classes.get(device.name);
          return given === undefined ? device : { ...device, deviceClass: known(given, 'user', 'Given by the user.') };
        }),
      };
}

function geometryWith(analysis: Analysis, overrides: GeometryOverrides | undefined): Geometry {
  if (overrides === undefined || Object.keys(overrides).length === 0) {
    return analysis.geometry;
  }
  let known = geometries.get(analysis);
  if (known === undefined) {
    known = new Map();
    geometries.set(analysis, known);
  }
  const key = JSON.stringify(overrides);
  const geometry = known.get(key) ?? overriddenGeometry(analysis, overrides);
  known.set(key, geometry);
  return geometry;
}

/** The parameters minAlign and dmaMask say the same as overrides of the geometry. */
function withDeviceMasks(
  analysis: Analysis,
  given: GeometryOverrides | undefined,
  settings: ParamSettings,
): GeometryOverrides | undefined {
  const minAlign = byDevice(analysis, settings, 'minAlign', mask);
  const dmaMasks = byDevice(analysis, settings, 'dmaMask', mask);
  if (minAlign === null && dmaMasks === null) {
    return given;
  }
  const bits = [...(dmaMasks ?? [])].map(([name, value]) => [name, bitsOfMask(value)]);
  return {
    ...given,
    minAlign: { ...given?.minAlign, ...Object.fromEntries(minAlign ?? []) },
    dmaMaskBits: { ...given?.dmaMaskBits, ...Object.fromEntries(bits) },
  };
}

/** Classes by device name that the parameter deviceClass gives; null when it is not given. */
export function deviceClassesFrom(
  analysis: Analysis,
  settings: ParamSettings,
): ReadonlyMap<string, 'block' | 'net' | 'other'> | null {
  return byDevice(analysis, settings, 'deviceClass', deviceClass);
}

/** How the value of one device is written, and what it is. */
interface DeviceValue<T> {
  readonly form: string;
  readonly words: RegExp;
  readonly read: (word: string) => T;
}

const mask: DeviceValue<number> = { form: '0x…', words: /0x[0-9a-f]+|\d+/i, read: Number };
const deviceClass: DeviceValue<'block' | 'net' | 'other'> = {
  form: 'block, net or other',
  words: /block|net|other/,
  read: (word) => (word === 'block' || word === 'net' ? word : 'other'),
};

/** `DEVICE=value` entries of a setting; null when it is not given. Names may contain commas, but no blanks. */
function byDevice<T>(
  analysis: Analysis,
  settings: ParamSettings,
  setting: string,
  { form, words, read }: DeviceValue<T>,
): ReadonlyMap<string, T> | null {
  const text = String(settings[setting] ?? '').trim();
  if (text === '') {
    return null;
  }
  const values = new Map<string, T>();
  const entry = new RegExp(`\\s*(\\S+?)=(${words.source})\\s*(?:,|$)`, `y${words.flags}`);
  for (let at = 0; at < text.length; at = entry.lastIndex) {
    entry.lastIndex = at;
    const [, name, word] = entry.exec(text) ?? [];
    if (name === undefined || word === undefined) {
      throw new ReplaySettingError(
        `'${setting}' is DEVICE=${form}, several with commas, not '${text.slice(at).trim().slice(0, 80)}'`,
      );
    }
    if (!analysis.tables.devices.some((device) => device.name === name)) {
      const names = analysis.tables.devices.map((device) => device.name).filter((known) => known !== '');
      throw new ReplaySettingError(
        `'${setting}' names no device of this trace: '${name}'; there are ${names.join(', ')}`,
      );
    }
    values.set(name, read(word));
  }
  return values;
}

/** Inference looks at every request: policies compared on one kernel share its result. */
const geometries = new WeakMap<Analysis, Map<string, Geometry>>();

function overriddenGeometry(analysis: Analysis, overrides: GeometryOverrides): Geometry {
  const recorded = analysis.geometry;
  const givenMasks = overrides.minAlign ?? {};
  const masks = Object.fromEntries(recorded.devices.map((device) => [device.name, device.minAlignMask.value]));
  // What the recorded addresses say about kernel and devices is known already. Asking again with another pool would
  // hold those addresses against a pool they never came from.
  const geometry = inferGeometry(analysis.tables, {
    ...analysis.overrides,
    generation: recorded.generation.value,
    dynamic: recorded.dynamic.value,
    ...overrides,
    minAlign: { ...masks, ...givenMasks },
  });
  return {
    ...geometry,
    generation: overrides.generation === undefined ? recorded.generation : geometry.generation,
    dynamic: overrides.dynamic === undefined ? recorded.dynamic : geometry.dynamic,
    recordedPools: recorded.recordedPools,
    devices: geometry.devices.map((device) => {
      const known = recorded.devices.find((candidate) => candidate.device === device.device);
      return known === undefined || Object.hasOwn(givenMasks, device.name)
        ? device
        : { ...device, minAlignMask: known.minAlignMask };
    }),
  };
}

/** MAX_PAGE_ORDER of x86-64 and arm64 with 4 KiB pages. */
const maxPageOrder = 10;

/** The machine of the replay: calibrated from the trace's facts, else the seeded model. */
export function environmentFrom(tables: TraceTables, geometry: Geometry, settings: ParamSettings): Environment {
  return createModelEnvironment(environmentSettings(tables, geometry, settings));
}

/** As plain data, for threads that make their own machine. */
export function environmentSettings(
  tables: TraceTables,
  geometry: Geometry,
  settings: ParamSettings,
): EnvironmentSettings {
  const setting = (name: string) => {
    const given = settings[name];
    const param = commonParams.find((candidate) => candidate.name === name)!;
    return given === undefined
      ? known(Number(param.default), 'default', param.source)
      : known(Number(given), 'user', 'given by the user');
  };
  const { successByOrder: recorded, calibrated } = calibrateFromFacts(tables.facts, tables.pools);
  // Tried and failed tells more than free or not; the user's own fragmentation replaces both.
  const successByOrder =
    settings['fragmentation'] === undefined
      ? new Map([...successFromFreePages(tables, maxPageOrder), ...recorded])
      : new Map<number, Known<number>>();
  return {
    seed: setting('seed').value,
    fragmentation: setting('fragmentation'),
    atomicPoolBytes: setting('coherentPoolBytes'),
    pageSize: geometry.pageSize.value,
    maxPageOrder,
    reserved: geometry.pools
      .filter((pool) => Number.isFinite(pool.start.value))
      .map((pool) => ({ start: pool.start.value, end: pool.start.value + slotsToBytes(pool.slots.value) })),
    successByOrder,
    calibrated: new Map([...calibrated, ...guestEncryption(tables)]),
  };
}

/** The parameter `encrypted`, when the kernel log says that guest memory is. */
function guestEncryption(tables: TraceTables): [string, Known<boolean>][] {
  const line = tables.logs.find((record) => record.kind === 'memory-encryption');
  return line === undefined
    ? []
    : [['encrypted', known(true, 'recorded', 'The kernel log says that memory encryption is active.', line)]];
}

const plans = new WeakMap<TraceTables, Map<boolean, { readonly key: string; readonly plan: ReplayPlan }>>();

/** The order of all steps depends on the trace alone: built once and shared by its replays. */
export function planOf(tables: TraceTables, bounceAll: boolean): ReplayPlan {
  let byMode = plans.get(tables);
  if (byMode === undefined) {
    byMode = new Map();
    plans.set(tables, byMode);
  }
  const key = `${tables.requests.length}/${tables.requests.version}`;
  const cached = byMode.get(bounceAll);
  if (cached !== undefined && cached.key === key) {
    return cached.plan;
  }
  const plan = createReplayPlan(tables, { bounceAll });
  byMode.set(bounceAll, { key, plan });
  return plan;
}
