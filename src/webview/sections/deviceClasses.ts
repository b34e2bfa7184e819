import type { EvidenceLevel } from '../../model/evidence';
import type { PolicySettings, TraceView } from '../../protocol/views';

/** The parameter that holds the classes the user gives: `DEVICE=block,DEVICE=net`. */
export const deviceClassParam = 'deviceClass';

const givenClasses = ['block', 'net', 'other'] as const;
type GivenClass = (typeof givenClasses)[number];
export type DeviceClass = GivenClass | 'unknown';

/** One device with its class: what replays take, what the trace says, and why. */
export interface ClassField {
  readonly name: string;
  readonly value: DeviceClass;
  readonly found: DeviceClass;
  readonly isSet: boolean;
  /** What can be chosen: nobody can make a known class unknown. */
  readonly choices: readonly DeviceClass[];
  readonly level: EvidenceLevel;
  readonly text: string;
}

/** Devices with a field of their own; more would bury the rest, and the parameter takes any. */
const mostFields = 64;

/** The devices of a trace with the classes that the panel's settings give them. */
export function classFields({ geometry }: Pick<TraceView, 'geometry'>, settings: PolicySettings): ClassField[] {
  const given = classesIn(geometry, settings);
  return geometry.devices.slice(0, mostFields).map(({ name, deviceClass: found, classEvidence }) => ({
    name,
    value: given.get(name) ?? found,
    found,
    isSet: given.has(name),
    choices: found === 'unknown' ? [...givenClasses, found] : givenClasses,
    ...classEvidence,
  }));
}

/** The parameter's text with one device's class changed; the class that was found takes the device out again. */
export function withClass(
  { geometry }: Pick<TraceView, 'geometry'>,
  settings: PolicySettings,
  name: string,
  value: DeviceClass,
): string {
  const given = new Map(classesIn(geometry, settings));
  const found = geometry.devices.find((device) => device.name === name)?.deviceClass;
  if (value === 'unknown' || value === found) {
    given.delete(name);
  } else {
    given.set(name, value);
  }
  return [...given].map(([device, word]) => `${device}=${word}`).join(',');
}

/** The settings without classes of devices that the trace does not have. */
export function withKnownDevices({ geometry }: Pick<TraceView, 'geometry'>, settings: PolicySettings): PolicySettings {
  if (settings[deviceClassParam] === undefined) {
    return settings;
  }
  const { [deviceClassParam]: _, ...rest } = settings;
  const text = [...classesIn(geometry, settings)].map(([name, word]) => `${name}=${word}`).join(',');
  return text === '' ? rest : { ...rest, [deviceClassParam]: text };
}

/** Only devices of the trace: a memory may be of an earlier recording under the same name. */
function classesIn({ devices }: TraceView['geometry'], settings: PolicySettings): ReadonlyMap<string, GivenClass> {
  const given = new Map<string, GivenClass>();
  for (const [, name, word] of String(settings[deviceClassParam] ?? '').matchAll(
    /\s*(\S+?)=(block|net|other)\s*(?:,|$)/g,
  )) {
    const known = givenClasses.find((candidate) => candidate === word);
    if (known !== undefined && devices.some((device) => device.name === name)) {
      given.set(name!, known);
    }
  }
  return given;
}
