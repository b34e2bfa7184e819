import type { AllocatorCost, MapFailure, Placement } from '../allocator/types';
import type { Cause } from '../model/cause';
import type { Geometry } from '../model/geometry';
import type { ReplayParam, ReplayPool } from '../model/replayResult';
import type { Address, Bytes, Nanoseconds, Slots } from '../model/units';
import type { Environment } from './environment';

/** One attempt to map, as a policy sees it. The engine reuses the object. */
export interface MapRequest {
  /** Row of the request table. */
  request: number;
  nowNs: Nanoseconds;
  device: number;
  cpu: number;
  /** Sleeping is possible (only meaningful for policies that may block). */
  maySleep: boolean;
  original: Address;
  sizeBytes: Bytes;
  allocAlignMask: number;
  direction: number;
  /** Position in its scatterlist, 0 for single mappings. */
  sgIndex: number;
}

/** `stallNs`: how long the caller was held up before it got the answer. */
export type MapResult =
  | { readonly ok: true; readonly placement: Placement; readonly stallNs: Nanoseconds }
  | { readonly ok: false; readonly failure: MapFailure; readonly stallNs: Nanoseconds }
  /** The caller sleeps until the policy lets it go on: the answer comes later from `takeResumed`. */
  | { readonly ok: null };

/** The late answer to a request that was blocked. */
export interface ResumedMap {
  readonly request: number;
  readonly result: Exclude<MapResult, { readonly ok: null }>;
}

/** What the engine samples after each step; running totals and levels. The policy keeps one object up to date. */
export interface PolicyState {
  readonly usedSlots: Slots;
  readonly hiwaterSlots: Slots;
  /** mem.nslabs: slots of listed pools. */
  readonly capacitySlots: Slots;
  readonly transientSlots: Slots;
  /** Bytes of memory taken from the system, 2^order rounding included. */
  readonly memoryBytes: Bytes;
  readonly roundingWasteBytes: Bytes;
  readonly transientCount: number;
  readonly transientFailed: number;
  readonly workerRuns: number;
  readonly pageAllocations: number;
  readonly conversions: number;
  readonly cost: Readonly<AllocatorCost>;
}

/**
 * The same work for replays that want totals only: no object per mapping, no record per transient pool.
 * Placement, outcome and memory are those of `map` and `unmap`; nothing stalls, nothing blocks, and `cost` is not kept.
 */
export interface SummaryInstance {
  /** True: served, `found` tells where until the next call. */
  mapSummary(request: MapRequest): boolean;
  readonly found: {
    readonly pool: number;
    readonly firstSlot: number;
    readonly slots: Slots;
    readonly pad: Slots;
    readonly transient: boolean;
  };
  /** Why the last request failed; `fragmented` stands for `alignment`, too. */
  failureCause(): Cause;
  /** True: `nextEventAt` may have changed. */
  unmapSummary(pool: number, firstSlot: number, slots: Slots, pad: Slots, device: number, nowNs: Nanoseconds): boolean;
}

export interface PolicyInstance {
  /** Calls back at each acquisition of the lock of an area; policies without areas leave it out. */
  watchLocks?(watch: (pool: number, area: number) => void): void;
  /** Absent or null: only whole replays are possible. Once asked for, only its methods map and unmap. */
  summary?(): SummaryInstance | null;
  map(request: MapRequest): MapResult;
  /**
   * Puts a mapping that existed before the trace where it was recorded.
   * Null when that address lies in no pool of the replay or is taken.
   */
  adopt(request: MapRequest, bounceAddress: Address): Placement | null;
  /**
   * Where the kernel's searches stood when the trace began: called before the first request, with recorded placements in
   * the order of the trace; the first one of an area says where its first search begins (true). Policies without areas
   * leave it out.
   */
  beginAt?(request: MapRequest, bounceAddress: Address): boolean;
  /** Ends a mapping that `map` placed. */
  unmap(placement: Placement, device: number, nowNs: Nanoseconds): void;
  /** So many look-ups of addresses that were never bounced (unmap and sync of direct mappings): cost only. */
  lookup(device: number, count: number): void;
  /** Time of the policy's next own work (worker done, RCU free, timer), Infinity when none. */
  nextEventAt(): Nanoseconds;
  runEvent(): void;
  /** Blocked requests that got their answer since the last call; policies that never block leave it out. */
  takeResumed?(): ResumedMap[];
  /** Every pool that ever existed, by id. */
  pools(): readonly ReplayPool[];
  state(): PolicyState;
}

export interface PolicyParam {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly default: number | string | boolean;
  /** Default of a time (`unit` ns) for clocks that give order only, in steps of the replay. */
  readonly defaultSteps?: number;
  /** Where the default comes from: kernel constant, patch, measurement. */
  readonly source: string;
  readonly min?: number;
  readonly max?: number;
  /** The number counts something: there is no half of it. */
  readonly isWhole?: boolean;
  /** The words it takes; absent: any number or text. */
  readonly choices?: readonly string[];
  /** How a text must look, and that in words; absent: any text. */
  readonly form?: { readonly pattern: RegExp; readonly words: string };
}

/** A rule set for serving requests: one file under policies/, one line in policies/index.ts. */
export interface Policy {
  readonly id: string;
  readonly title: string;
  /** One paragraph: what it does and how it fails. */
  readonly explanation: string;
  readonly params: readonly PolicyParam[];
  /** Patch series, kernel version or thread it comes from. */
  readonly source: string;
  /**
   * Does nothing a fixed pool would not do until a search finds no slot: where a fixed pool of the same size and areas
   * misses nothing, the results are the same.
   */
  readonly actsOnlyOnMiss?: boolean;
  /** Does something else for maps that may sleep. */
  readonly asksWhoMaySleep?: boolean;
  create(
    geometry: Geometry,
    params: ReadonlyMap<string, number | string | boolean>,
    environment: Environment,
  ): PolicyInstance;
  /** Params as used, defaults resolved against geometry, for the result. */
  resolveParams(geometry: Geometry, set: Readonly<Record<string, number | string | boolean>>): readonly ReplayParam[];
}
