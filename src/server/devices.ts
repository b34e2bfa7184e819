import { devicesReport } from '../analysis/devices';
import { lifetimeStats } from '../analysis/lifetimeStats';
import type { DevicesView } from '../protocol/devices';
import type { Trace } from './trace';

export function devicesView(trace: Trace): DevicesView {
  const { columns, length } = trace.analysis.tables.requests;
  const { enterNs } = columns;
  const { lifetimeEdgesNs, sizeClasses, shortNs, devices } = lifetimeStats(trace.analysis);
  const statsOf = new Map(devices.map((stats) => [stats.name, stats]));
  const rowOf = new Map(trace.analysis.tables.devices.map((device) => [device.name, device.id]));
  const empty = sizeClasses.map(() => ({ mappings: 0, failed: 0, bytes: 0, wasteBytes: 0 }));
  return {
    hasTime: enterNs.subarray(0, length).some((timeNs) => !Number.isNaN(timeNs)),
    lifetimeEdgesNs,
    sizeClasses,
    shortNs,
    devices: devicesReport(trace.analysis).devices.map((report) => {
      const stats = statsOf.get(report.name);
      return {
        ...report,
        device: rowOf.get(report.name) ?? -1,
        lifetimes: stats?.lifetimes ?? null,
        quantilesNs: stats?.quantilesNs ?? null,
        sizes: stats?.sizes ?? empty,
        short: stats?.short ?? null,
        leak: stats?.leak ?? null,
      };
    }),
  };
}
