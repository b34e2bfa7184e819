import type { ReplayReport } from '../model/reports';
import type { Analysis } from './analysis';
import { replayReport } from './replay';
import { policyOf, type ReplayRequest } from './replaySetup';

/** What a device of unknown class would mean for a policy that treats block devices differently. */
export interface ClassVariant {
  readonly unknownClass: 'block' | 'other';
  readonly failed: number;
  readonly stalls: ReplayReport['stalls'];
  readonly usedHighWaterSlots: number;
  readonly peakBytes: number;
}

/**
 * The replay with devices of unknown class as block devices, and as others.
 * Null where the policy does not ask, every device's class is known, or the user has chosen.
 */
export function classVariants(analysis: Analysis, request: ReplayRequest): readonly ClassVariant[] | null {
  const asks = policyOf(request.policy).params.some((param) => param.name === 'unknownClass');
  if (!asks || request.set?.['unknownClass'] !== undefined) {
    return null;
  }
  const given = request.overrides?.deviceClass ?? {};
  const isOpen = analysis.geometry.devices.some(
    (device) => device.name !== '' && device.deviceClass.value === 'unknown' && given[device.name] === undefined,
  );
  if (!isOpen) {
    return null;
  }
  return (['other', 'block'] as const).map((unknownClass) => {
    const set = { ...request.set, unknownClass };
    const { report } = replayReport(analysis, { ...request, set, keepSeries: false });
    const { failed, stalls, usedHighWaterSlots, memory } = report;
    return { unknownClass, failed, stalls, usedHighWaterSlots, peakBytes: memory.peakBytes };
  });
}
