import type { DeviceLifetimes, LifetimeStats } from '../model/lifetimes';
import type { DeviceReport } from '../model/reports';
import type { DocumentParams, RequestName, RunParams } from './lsp';
import type { Result } from './result';

/** Who uses the pool, for how long and how well: recorded, no replay takes part. Largest user first. */
export interface DevicesView extends Pick<LifetimeStats, 'lifetimeEdgesNs' | 'sizeClasses' | 'shortNs'> {
  /** False: the clock gives order only, so that nothing has a duration. */
  readonly hasTime: boolean;
  readonly devices: readonly DeviceUseView[];
}

/** Names are those of the command line's `devices` object, with sizes and lifetimes beside them. */
export interface DeviceUseView
  extends DeviceReport,
    Pick<DeviceLifetimes, 'lifetimes' | 'quantilesNs' | 'sizes' | 'short' | 'leak'> {
  /** Row of the device table; the slot map names devices by it. */
  readonly device: number;
}

/** Whom the slots in use belong to over time; the columns of a stacked chart. */
export interface SharesView {
  readonly basis: 'recorded' | 'modelled';
  readonly timeNs: readonly number[];
  /** By rank (see `SlotDeviceView`); what is beyond the first ones comes last, under the name null. */
  readonly devices: readonly {
    readonly name: string | null;
    readonly rank: number;
    readonly slots: readonly number[];
  }[];
  /** Devices that share the last entry; 0 when every device has its own. */
  readonly others: number;
}

export interface SharesParams extends RunParams {
  readonly fromNs: number;
  readonly toNs: number;
  readonly buckets: number;
}

export const devicesRequest: RequestName<DocumentParams, Result<DevicesView>> = { method: 'swiotlbLens/devices' };
/** Levels of each stretch at the moment when most slots were in use, so that peaks stay and the parts add up. */
export const sharesRequest: RequestName<SharesParams, Result<SharesView>> = { method: 'swiotlbLens/deviceShares' };
