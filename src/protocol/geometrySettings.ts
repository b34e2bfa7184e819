import type { Generation, GeometryOverrides } from '../model/geometry';

/**
 * What a user says about the recorded kernel, as the settings and the editor keep it: names of the command line's
 * options, addresses and masks as texts like `0x7da8e000`. Keys of maps are device names.
 */
export interface GeometrySettings {
  readonly kernel?: Generation;
  readonly dynamic?: boolean;
  readonly pageSize?: number;
  readonly cpus?: number;
  readonly poolStart?: string;
  readonly poolSlots?: number;
  readonly areas?: number;
  /** Value of a `swiotlb=` parameter. */
  readonly boot?: string;
  readonly minAlign?: Readonly<Record<string, string>>;
  readonly dmaMaskBits?: Readonly<Record<string, number>>;
  readonly segBoundaryBits?: Readonly<Record<string, number>>;
  readonly deviceClass?: Readonly<Record<string, DeviceClassName>>;
}

export type DeviceClassName = 'block' | 'net' | 'other';

/** Same list as `generations` of the model, whose values this layer does not see; a test compares them. */
export const kernelGenerations = ['4.18', '6.1', '6.6', '6.8', '6.12'] as const satisfies readonly Generation[];

export const deviceClassNames: readonly DeviceClassName[] = ['block', 'net', 'other'];

/** Fields of `GeometrySettings` that hold one value, and those that hold one per device. */
export type GeometryField = Exclude<keyof GeometrySettings, DeviceField>;
export type DeviceField = 'minAlign' | 'dmaMaskBits' | 'segBoundaryBits' | 'deviceClass';

type Value = string | number | boolean;

/** Reads one value; null when it cannot be one of that field. Texts are what a person types. */
type Read = (value: unknown) => Value | null;

const count =
  (max: number): Read =>
  (value) => {
    const number =
      typeof value === 'string' && /^\s*\d[\d,]*\s*$/.test(value) ? Number(value.replaceAll(',', '')) : value;
    return typeof number === 'number' && Number.isSafeInteger(number) && 1 <= number && number <= max ? number : null;
  };

const bits: Read = (value) => {
  const number = typeof value === 'string' && /^\s*\d+\s*$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && 0 <= number && number <= 64 ? number : null;
};

const hex: Read = (value) => {
  const text = typeof value === 'string' ? value.trim().toLowerCase() : '';
  return /^0x[0-9a-f]{1,14}$/.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER ? text : null;
};

const powerOfTwo: Read = (value) => {
  const number = count(2 ** 20)(value);
  return typeof number === 'number' && 512 <= number && Number.isInteger(Math.log2(number)) ? number : null;
};

const oneOf =
  (names: readonly string[]): Read =>
  (value) =>
    typeof value === 'string' && names.includes(value.trim()) ? value.trim() : null;

const yesNo: Read = (value) => {
  const text = String(value).trim().toLowerCase();
  return ['true', 'yes', 'y'].includes(text) ? true : ['false', 'no', 'n'].includes(text) ? false : null;
};

const parameter: Read = (value) => {
  const text = typeof value === 'string' ? value.trim().replace(/^.*swiotlb=/, '') : '';
  return /^[\w,]{1,64}$/.test(text) ? text : null;
};

interface FieldRule {
  readonly read: Read;
  /** What a value looks like. */
  readonly example: string;
}

export const geometryFieldRules: Readonly<Record<GeometryField, FieldRule>> = {
  kernel: { read: oneOf(kernelGenerations), example: kernelGenerations.join(', ') },
  dynamic: { read: yesNo, example: 'yes, no' },
  pageSize: { read: powerOfTwo, example: '4096' },
  cpus: { read: count(8192), example: '8' },
  poolStart: { read: hex, example: '0x7da8e000' },
  poolSlots: { read: count(2 ** 31), example: '32768' },
  areas: { read: count(8192), example: '8' },
  boot: { read: parameter, example: '65536,force' },
};

export const deviceFieldRules: Readonly<Record<DeviceField, FieldRule>> = {
  minAlign: { read: hex, example: '0xfff' },
  dmaMaskBits: { read: bits, example: '32' },
  segBoundaryBits: { read: bits, example: '32' },
  deviceClass: { read: oneOf(deviceClassNames), example: deviceClassNames.join(', ') },
};

export interface CheckedGeometry {
  readonly settings: GeometrySettings;
  /** One sentence for each entry that was left out. */
  readonly problems: readonly string[];
}

/** Keeps what can be understood of settings that a person wrote. */
export function checkGeometrySettings(raw: unknown): CheckedGeometry {
  const problems: string[] = [];
  const settings: Record<string, unknown> = {};
  for (const [name, value] of entriesOf(raw)) {
    const rule = ownRule(geometryFieldRules, name);
    const deviceRule = ownRule(deviceFieldRules, name);
    if (rule !== undefined) {
      const read = rule.read(value);
      if (read === null) {
        problems.push(`geometry.${name} must be like ${rule.example}`);
      } else {
        settings[name] = read;
      }
    } else if (deviceRule !== undefined) {
      const byDevice: Record<string, Value> = {};
      for (const [device, one] of entriesOf(value)) {
        const read = deviceRule.read(one);
        if (read === null) {
          problems.push(`geometry.${name} of ${device} must be like ${deviceRule.example}`);
        } else {
          byDevice[device] = read;
        }
      }
      if (Object.keys(byDevice).length > 0) {
        settings[name] = byDevice;
      }
    } else {
      problems.push(`geometry.${name.slice(0, 40)} is no field of the geometry`);
    }
  }
  return { settings: settings as GeometrySettings, problems };
}

/** The second's values before the first's, device by device. */
export function mergeGeometrySettings(first: GeometrySettings, second: GeometrySettings): GeometrySettings {
  const merged: Record<string, unknown> = { ...first, ...second };
  for (const field of Object.keys(deviceFieldRules) as DeviceField[]) {
    if (first[field] !== undefined || second[field] !== undefined) {
      merged[field] = { ...first[field], ...second[field] };
    }
  }
  return merged as GeometrySettings;
}

/** As the analysis takes them. */
export function overridesFrom(settings: GeometrySettings): GeometryOverrides {
  const { kernel, poolStart, minAlign, ...rest } = settings;
  return {
    ...rest,
    ...(kernel === undefined ? {} : { generation: kernel }),
    ...(poolStart === undefined ? {} : { poolStart: Number(poolStart) }),
    ...(minAlign === undefined
      ? {}
      : { minAlign: Object.fromEntries(Object.entries(minAlign).map(([device, mask]) => [device, Number(mask)])) }),
  };
}

function ownRule<T>(rules: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(rules, name) ? rules[name] : undefined;
}

function entriesOf(raw: unknown): readonly (readonly [string, unknown])[] {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) ? Object.entries(raw) : [];
}
