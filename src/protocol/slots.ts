import type { Cause } from '../model/cause';
import type { EvidenceLevel } from '../model/evidence';
import type { RequestName, RunParams } from './lsp';
import type { Result } from './result';
import type { LineRef, RunKey } from './views';

/** What the colour of a mapping can tell. */
export const slotColourings = ['device', 'age', 'size', 'direction'] as const;
export type SlotColouring = (typeof slotColourings)[number];

/** The slots of a run at one moment. */
export interface SlotsView {
  readonly run: RunKey;
  /** `recorded`: from the bounce addresses of the trace. `modelled`: from a replay. */
  readonly basis: 'recorded' | 'modelled';
  readonly hasTime: boolean;
  /** Changes of the slots so far; `firstStep` is the start of the trace, `lastStep` its end. */
  readonly step: number;
  readonly firstStep: number;
  readonly lastStep: number;
  readonly timeNs: number;
  /** Permanent ones first. */
  readonly pools: readonly SlotPoolView[];
  readonly mappings: SlotMappingsView;
  /** Devices that hold slots now, the one that ever held most first. */
  readonly devices: readonly SlotDeviceView[];
  /** In pools that the kernel lists: all but transient ones. */
  readonly freeSlots: number;
  /** Longest free run inside one segment; null when no slot is free. */
  readonly largestHole: SlotHoleView | null;
  /** What the last step did; null at the start. */
  readonly event: SlotEventView | null;
  /** Slots in use by counters, by mappings that the trace never shows: nobody knows where. */
  readonly unseenSlots: number;
  /** Recorded mappings that left early because another one was recorded in their place, in the whole run. */
  readonly displaced: number;
  readonly failures: number;
}

export interface SlotPoolView {
  readonly kind: 'boot' | 'grown' | 'transient' | 'restricted';
  readonly start: string | null;
  readonly startLevel: EvidenceLevel;
  readonly slots: number;
  readonly areas: number;
  readonly usedSlots: number;
  /** Null: there from the start, or nobody knows. */
  readonly addedNs: number | null;
}

/** Columns of little-endian numbers in base64, by pool and slot; a mapping that was split has a row per part. */
export interface SlotMappingsView {
  readonly count: number;
  /** Int32: names the mapping in `slotDetailRequest`. */
  readonly move: string;
  /** Int32: position in `pools`. */
  readonly pool: string;
  /** Int32. */
  readonly firstSlot: string;
  /** Int32. */
  readonly slots: string;
  /** Int32: row of the device table, -1 unknown. */
  readonly device: string;
  /** Uint8: 0 none, 1 to the device, 2 from the device, 3 bidirectional, 255 unknown. */
  readonly direction: string;
  /** Float64; NaN: before the trace. */
  readonly bornNs: string;
}

export interface SlotDeviceView {
  readonly device: number;
  /** Place among all devices of the trace, by most slots ever held: a device keeps its colour, whatever the run. */
  readonly rank: number;
  readonly name: string;
  readonly slots: number;
}

export interface SlotHoleView {
  /** Position in `SlotsView.pools`. */
  readonly pool: number;
  readonly firstSlot: number;
  readonly slots: number;
}

export interface SlotEventView {
  readonly kind: 'taken' | 'released' | 'failed';
  /** Null: slots that only samples show in use. */
  readonly place: LineRef | null;
  readonly device: string | null;
  readonly sizeBytes: number | null;
  readonly slots: number;
  /** Where it is or was; null for failures. */
  readonly pool: number | null;
  readonly firstSlot: number | null;
  readonly failure: SlotFailureView | null;
}

export interface SlotFailureView {
  readonly cause: Cause;
  readonly neededSlots: number;
  /** As the search met it; null unknown. May be less than the map shows, when attempts of other CPUs were on their way. */
  readonly largestHole: number | null;
  readonly freeSlots: number | null;
}

/** What a card says about a mapping. */
export interface SlotDetailView {
  readonly device: string | null;
  readonly driver: string | null;
  readonly direction: string | null;
  readonly sizeBytes: number | null;
  readonly slots: number;
  readonly firstSlot: number;
  readonly pool: SlotPoolView['kind'];
  readonly area: number | null;
  readonly original: string | null;
  readonly bounce: string | null;
  /** Null: before the trace. */
  readonly bornNs: number | null;
  /** Null: still there at the end. */
  readonly endNs: number | null;
  /** How sure the end is; null without one. */
  readonly endLevel: EvidenceLevel | null;
  /** Null: mapped before the trace, or unknown. */
  readonly map: LineRef | null;
  readonly unmap: LineRef | null;
}

export interface SlotsParams extends RunParams {
  /** The last step at or before this time is shown. */
  readonly timeNs: number;
}
export interface SlotStepParams extends RunParams {
  readonly step: number;
  readonly kind: 'event' | 'failure';
  readonly direction: 'next' | 'previous';
}
export interface SlotLineParams extends RunParams {
  readonly line: number;
}
export interface SlotDetailParams extends RunParams {
  readonly move: number;
}

export const slotsRequest: RequestName<SlotsParams, Result<SlotsView>> = { method: 'swiotlbLens/slots' };
/** Null: there is no such step. */
export const slotStepRequest: RequestName<SlotStepParams, Result<SlotsView | null>> = {
  method: 'swiotlbLens/slotStep',
};
/** After what a line tells; null when no request is at or before it. */
export const slotLineRequest: RequestName<SlotLineParams, Result<SlotsView | null>> = {
  method: 'swiotlbLens/slotLine',
};
export const slotDetailRequest: RequestName<SlotDetailParams, Result<SlotDetailView>> = {
  method: 'swiotlbLens/slotDetail',
};
