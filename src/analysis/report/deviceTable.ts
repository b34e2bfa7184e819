import { formatBytes, formatCount, formatDuration, formatSlotsAndBytes } from '../../base/format';
import type { DeviceReport } from '../../model/reports';

/** Who uses the pool, a row per device; a `>` marks columns of numbers. */
export function deviceTable(devices: readonly DeviceReport[]): {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
} {
  return {
    header: [
      'device',
      'driver',
      'class',
      '>bounced',
      '>failed',
      '>direct',
      '>peak',
      '>bytes',
      '>waste',
      '>median lifetime',
      '>open at end',
    ],
    rows: devices.map((device) => [
      device.name === '' ? '(unknown)' : device.name,
      device.driver ?? '–',
      device.class ?? 'unknown',
      formatCount(device.requests),
      formatCount(device.failed),
      formatCount(device.direct),
      device.peakSlots === null ? '–' : formatSlotsAndBytes(device.peakSlots),
      formatBytes(device.bytes),
      formatBytes(device.wasteBytes),
      device.medianLifetimeNs === null ? '–' : formatDuration(device.medianLifetimeNs),
      `${formatCount(device.openAtEnd)}${device.leakSuspected ? ' (leak?)' : ''}`,
    ]),
  };
}
