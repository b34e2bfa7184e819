import type { EvidenceLevel } from '../model/evidence';
import type { ReplayReport } from '../model/reports';
import type { DeviceField, GeometryField } from './geometrySettings';
import type { DocumentParams, RequestName } from './lsp';
import type { Result } from './result';
import type { FailureView, RunKey } from './views';

/** What the views in the side bar ask for beyond `traceRequest` and `devicesRequest`. */

/** One fact about the recorded kernel; see `GeometryRow` of the analysis. */
export interface GeometryRowView {
  /** Where it can be set; `pool` for pools that cannot. */
  readonly field: GeometryField | DeviceField | 'pool';
  readonly device: string | null;
  readonly value: string | null;
  readonly shown: string | null;
  readonly level: EvidenceLevel;
  readonly why: string;
  readonly file: string | null;
  readonly line: number | null;
}

export interface EpisodeParams extends DocumentParams {
  readonly episode: number;
  /** Failures of the episode to leave out, and how many to give then. */
  readonly skip: number;
  readonly count: number;
}

/** A replay that was made already; numbers are those of the panel. */
export interface FinishedRunView
  extends Pick<
    ReplayReport,
    'title' | 'replayable' | 'requests' | 'served' | 'failed' | 'usedHighWaterSlots' | 'capacityPeakSlots'
  > {
  readonly key: RunKey;
  readonly basis: 'recorded' | 'modelled';
  readonly peakBytes: number;
  /** Some values of it are assumed: how many requests. */
  readonly assumedLifetimes: number;
}

export const geometryRowsRequest: RequestName<DocumentParams, Result<readonly GeometryRowView[]>> = {
  method: 'swiotlbLens/geometryRows',
};
export const episodeFailuresRequest: RequestName<EpisodeParams, Result<readonly FailureView[]>> = {
  method: 'swiotlbLens/episodeFailures',
};
/** Makes no replay. */
export const finishedRunsRequest: RequestName<DocumentParams, Result<readonly FinishedRunView[]>> = {
  method: 'swiotlbLens/finishedRuns',
};
