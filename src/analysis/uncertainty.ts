import { ContextBit, isAtomic } from '../model/events';
import type {
  AttributeVariant,
  ClassVariant,
  ContextVariant,
  LifetimeSensitivity,
  UncertaintyReport,
  VariantNumbers,
} from '../model/reports';
import type { ParamSettings } from '../replay/settings';
import type { Analysis } from './analysis';
import { replayReport } from './replay';
import { deviceClassesFrom, policyOf, type ReplayRequest } from './replaySetup';

/** Quantiles of known lifetimes, and factors on every assumed one. */
export const lifetimeVariants: readonly { readonly name: string; readonly set: ParamSettings }[] = [
  { name: '25th percentile', set: { lifetimeQuantile: 0.25 } },
  { name: 'median', set: { lifetimeQuantile: 0.5 } },
  { name: '75th percentile', set: { lifetimeQuantile: 0.75 } },
  { name: '0.1 ×', set: { lifetimeScale: 0.1 } },
  { name: '10 ×', set: { lifetimeScale: 10 } },
];

/** What a replay hangs on: up to eleven more replays, of totals only. */
export function uncertaintyReport(analysis: Analysis, request: ReplayRequest): UncertaintyReport {
  return {
    sensitivity: lifetimeSensitivity(analysis, request),
    classVariants: classVariants(analysis, request),
    contextVariants: contextVariants(analysis, request),
    attributeVariants: attributeVariants(analysis, request),
  };
}

function lifetimeSensitivity(analysis: Analysis, request: ReplayRequest): LifetimeSensitivity | null {
  const variants: LifetimeSensitivity['variants'][number][] = [];
  let assumedLifetimes = 0;
  for (const { name, set } of lifetimeVariants) {
    const { lifetimes, ...numbers } = replayed(analysis, request, set);
    assumedLifetimes = Math.max(assumedLifetimes, lifetimes);
    if (assumedLifetimes === 0) {
      return null;
    }
    variants.push({ name, set, ...numbers });
  }
  return { assumedLifetimes, variants };
}

function classVariants(analysis: Analysis, request: ReplayRequest): readonly ClassVariant[] | null {
  return asksForUnknownClass(analysis, request)
    ? (['other', 'block'] as const).map((unknownClass) => ({
        unknownClass,
        ...numbersOf(analysis, request, { unknownClass }),
      }))
    : null;
}

function contextVariants(analysis: Analysis, request: ReplayRequest): readonly ContextVariant[] | null {
  return asksWhoMaySleep(analysis, request)
    ? (['fromFlags', 'alwaysAtomic'] as const).map((context) => ({
        context,
        ...numbersOf(analysis, request, { context }),
      }))
    : null;
}

function attributeVariants(analysis: Analysis, request: ReplayRequest): readonly AttributeVariant[] | null {
  return asksForAttribute(analysis, request)
    ? (['shared', 'private'] as const).map((devicesNeed) => ({
        devicesNeed,
        ...numbersOf(analysis, request, privateDevicesOf[devicesNeed]),
      }))
    : null;
}

/** What all devices needing one kind of memory means in settings. */
export const privateDevicesOf = {
  shared: { privateDevices: '' },
  private: { privateDevices: '*' },
} as const;

/** The policy treats block devices differently, and of some device nothing tells what it is. */
export function asksForUnknownClass(
  analysis: Analysis,
  { policy, set, overrides }: Pick<ReplayRequest, 'policy' | 'set' | 'overrides'>,
): boolean {
  const given = new Map([
    ...Object.entries(overrides?.deviceClass ?? {}),
    ...(deviceClassesFrom(analysis, set ?? {}) ?? []),
  ]);
  return (
    policyOf(policy).params.some((param) => param.name === 'unknownClass') &&
    set?.['unknownClass'] === undefined &&
    hasRequests(analysis) &&
    analysis.geometry.devices.some(
      (device) => device.name !== '' && device.deviceClass.value === 'unknown' && !given.has(device.name),
    )
  );
}

/** The policy may block, and the flags of some map do not forbid it. */
export function asksWhoMaySleep(analysis: Analysis, { policy, set }: Pick<ReplayRequest, 'policy' | 'set'>): boolean {
  if (policyOf(policy).asksWhoMaySleep !== true || set?.['context'] !== undefined) {
    return false;
  }
  const { columns, length } = analysis.tables.requests;
  for (let row = 0; row < length; row++) {
    if ((columns.context[row]! & ContextBit.known) !== 0 && !isAtomic(columns.context[row]!)) {
      return true;
    }
  }
  return false;
}

/** The policy asks which memory a device needs, and nobody has said. */
export function asksForAttribute(analysis: Analysis, { policy, set }: Pick<ReplayRequest, 'policy' | 'set'>): boolean {
  return (
    policyOf(policy).params.some((param) => param.name === 'privateDevices') &&
    set?.['privateDevices'] === undefined &&
    hasRequests(analysis)
  );
}

function hasRequests({ tables }: Analysis): boolean {
  return tables.requests.length > 0;
}

function numbersOf(analysis: Analysis, request: ReplayRequest, set: ParamSettings): VariantNumbers {
  const { lifetimes: _, ...numbers } = replayed(analysis, request, set);
  return numbers;
}

function replayed(
  analysis: Analysis,
  request: ReplayRequest,
  set: ParamSettings,
): VariantNumbers & { readonly lifetimes: number } {
  const { report } = replayReport(analysis, { ...request, set: { ...request.set, ...set }, totalsOnly: true });
  const { failed, stalls, usedHighWaterSlots, memory, assumed } = report;
  return { failed, stalls, usedHighWaterSlots, peakBytes: memory.peakBytes, lifetimes: assumed.lifetimes };
}
