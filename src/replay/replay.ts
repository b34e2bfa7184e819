import type { MapFailure, Placement } from '../allocator/types';
import { assert } from '../base/assert';
import { type Cause, causeCode } from '../model/cause';
import { ContextBit, Direction, DmaAttribute, isAtomic } from '../model/events';
import type { Geometry } from '../model/geometry';
import {
  type ReplayFailure,
  ReplayOutcome,
  type ReplayParam,
  type ReplayRequests,
  type ReplayResult,
} from '../model/replayResult';
import { EvidenceBit, Outcome, Pairing, type TraceTables, unmapCpuOf } from '../model/tables';
import { type Bytes, type Nanoseconds, SEGMENT_BYTES, SLOT_BYTES, type Slots } from '../model/units';
import { ContentionCounter, type CostModel, costParams } from './costModel';
import type { Environment } from './environment';
import { EventHeap } from './eventHeap';
import { createLifetimes, type Lifetimes } from './lifetimes';
import { createReplayPlan, type ReplayPlan, StepKind } from './plan';
import type { MapRequest, MapResult, Policy, PolicyInstance, SummaryInstance } from './policy';
import { SeriesRecorder } from './series';
import type { ParamSettings } from './settings';

/** Switches of a replay that belong to no policy. */
export interface ReplayOptions {
  /** Dry run for a confidential VM: every DMA mapping is replayed as if it had to bounce. */
  readonly bounceAll: boolean;
  /** Leave out attempts that only repeat a request which is served now. */
  readonly dropRetries: boolean;
  /** Lifetime of mappings when the trace has neither unmaps nor samples: nanoseconds. */
  readonly assumedLifetimeNs: Nanoseconds;
  /** The same for clocks that give order only: steps. */
  readonly assumedLifetimeSteps: number;
  /** Which quantile of known lifetimes stands in for unknown ones; 0.5 is the median. */
  readonly lifetimeQuantile: number;
  /** Multiplies assumed lifetimes (sensitivity: 0.1 and 10). */
  readonly lifetimeScale: number;
  /** Which requests may sleep: as the context flags say, none, or those of `sleepableDevices` where no flag speaks against it. */
  readonly context: 'fromFlags' | 'alwaysAtomic' | 'perDevice';
  /** Names of devices, for `perDevice`. */
  readonly sleepableDevices?: readonly string[];
  /** Keep the series and the list of failures; sizing runs do without both. */
  readonly keepSeries: boolean;
  /**
   * Only outcomes, causes, levels and memory, at less work: where the policy has a short way, the columns of requests
   * stay empty, and costs, copies and notes of single requests are not kept.
   */
  readonly summaryOnly?: boolean;
  /** Times of single steps; absent: no estimate and no contention. */
  readonly costModel?: CostModel;
  /** Hears of every change of the slots; whole replays only, not with `summaryOnly`. */
  readonly watch?: MoveWatch;
}

/** Changes of the slots in the order in which they happen, at the times of the series. */
export interface MoveWatch {
  /** Row of the request table; -1: slots that samples show in use all along. A split request comes once per part. */
  taken(row: number, placement: Placement, timeNs: Nanoseconds): void;
  released(row: number, placement: Placement, timeNs: Nanoseconds): void;
  failed(row: number, failure: MapFailure, timeNs: Nanoseconds): void;
}

export const defaultReplayOptions: ReplayOptions = {
  bounceAll: false,
  dropRetries: true,
  assumedLifetimeNs: 1e6,
  assumedLifetimeSteps: 64,
  lifetimeQuantile: 0.5,
  lifetimeScale: 1,
  context: 'fromFlags',
  keepSeries: true,
};

/** dma_direct_max_mapping_size of a device whose mappings bounce (allocator.md 3.4). */
export function maxMappingBytes(minAlignMask: number): Bytes {
  return SEGMENT_BYTES - Math.ceil(minAlignMask / SLOT_BYTES) * SLOT_BYTES;
}

/** Why the tables cannot be replayed; empty when they can. */
export function missingForReplay(plan: ReplayPlan): readonly string[] {
  if (plan.requestCount > 0) {
    return [];
  }
  return plan.directCount > 0
    ? [
        'bounced mappings: every mapping of this trace went directly to its buffer; a dry run can replay them as if they had to bounce',
      ]
    : [
        'mapping events: the input has no request to map a buffer (swiotlb_bounced, dma_map_* or a probe on swiotlb_tbl_map_single)',
      ];
}

/**
 * Serves the requests of a trace again under a policy.
 * Same inputs and the same environment seed give the same bytes. Knows no policy by name.
 * `plan` may be shared by the replays of one trace; it must come from the same tables and the same `bounceAll`.
 */
export function replay(
  tables: TraceTables,
  geometry: Geometry,
  policy: Policy,
  settings: ParamSettings,
  environment: Environment,
  options: ReplayOptions = defaultReplayOptions,
  plan: ReplayPlan = createReplayPlan(tables, { bounceAll: options.bounceAll }),
): ReplayResult {
  const params = policy
    .resolveParams(geometry, settings)
    .map((param) => calibrated(param, policy, environment, plan.hasTime));
  const values = new Map(params.map((param) => [param.name, param.value]));
  const instance = policy.create(geometry, values, environment);
  const replayer = new Replayer(tables, geometry, instance, options, plan);
  const missing = missingForReplay(plan);
  if (missing.length === 0) {
    replayer.run();
  }
  return replayer.result(policy.id, params, missing);
}

/** A default gives way to what the trace says about this machine; without a clock, times count steps. */
function calibrated(param: ReplayParam, policy: Policy, environment: Environment, hasTime: boolean): ReplayParam {
  if (!hasTime && param.unit === 'ns') {
    const steps = policy.params.find((candidate) => candidate.name === param.name)?.defaultSteps;
    return param.evidence.level === 'default' && steps !== undefined
      ? { ...param, value: steps, unit: 'steps' }
      : { ...param, unit: 'steps' };
  }
  const found = environment.calibrated.get(param.name);
  return param.evidence.level === 'default' && found !== undefined
    ? { ...param, value: found.value, evidence: found.evidence }
    : param;
}

class Replayer {
  private readonly tables: TraceTables;
  private readonly columns: TraceTables['requests']['columns'];
  private readonly instance: PolicyInstance;
  private readonly options: ReplayOptions;
  private readonly plan: ReplayPlan;
  private readonly lifetimes: Lifetimes;
  private readonly series: SeriesRecorder;
  private readonly requests: ReplayRequests;
  private readonly contention: ContentionCounter | null;
  /** Who takes the locks now, -1 unknown. */
  private lockCpu = -1;
  private releases = 0;
  private readonly placements: (Placement | undefined)[];
  /** The short way, where it is possible: mappings are then kept in `summaryPool` and so on. */
  private readonly summary: SummaryInstance | null;
  /** Per row: pool of the live mapping, -1 none. */
  private readonly summaryPool: Int32Array;
  private readonly summarySlot: Int32Array;
  /** Slots and padding (slots · 65536 + pad). */
  private readonly summaryShape: Int32Array;
  /** Further placements of a request that was split. */
  private readonly parts = new Map<number, Placement[]>();
  /** Ends that the trace does not say. */
  private readonly ends = new EventHeap();
  /** Recorded ends, later by what the map was held up. */
  private readonly stalledEnds = new EventHeap();
  private readonly isRecordedPool: boolean;
  private begunAreas = 0;
  /** Since when requests wait for a policy that blocks. */
  private readonly blockedSince = new Map<number, Nanoseconds>();
  /** Per row: how long its map was held up. Allocated when the first stall happens. */
  private stallNs: Float64Array | null = null;
  private readonly groupFailed: Uint8Array;
  /** Recorded as failed (or repeated such a request), and served now: its retries are dropped. */
  private readonly rescued: Uint8Array;
  private readonly blockMaxBytes: Float64Array;
  private readonly request: MapRequest;
  private readonly failures: ReplayFailure[] = [];
  private readonly failuresByCause: Partial<Record<Cause, number>> = {};
  private nowNs: Nanoseconds;
  private nextSync = 0;
  private served = 0;
  private failed = 0;
  private copiedBytes = 0;
  private retriesDropped = 0;
  private lifetimesAssumed = 0;
  private contextsAssumed = 0;
  /** Rows of `sleepableDevices`. */
  private readonly sleepable: ReadonlySet<number>;
  private counterfactual = 0;
  private splits = 0;
  private movedFromBefore = 0;
  private baselineSlots: Slots = 0;
  private stallCount = 0;
  private stallTotalNs = 0;
  private stallMaxNs = 0;

  constructor(
    tables: TraceTables,
    geometry: Geometry,
    instance: PolicyInstance,
    options: ReplayOptions,
    plan: ReplayPlan,
  ) {
    const rows = tables.requests.length;
    this.tables = tables;
    this.columns = tables.requests.columns;
    this.instance = instance;
    this.options = options;
    const named = new Set(options.sleepableDevices ?? []);
    this.sleepable = new Set(tables.devices.filter((device) => named.has(device.name)).map((device) => device.id));
    this.plan = plan;
    this.nowNs = plan.startNs;
    this.lifetimes = createLifetimes(tables, plan, {
      assumedLifetime: plan.hasTime ? options.assumedLifetimeNs : options.assumedLifetimeSteps,
      quantile: options.lifetimeQuantile,
      scale: options.lifetimeScale,
    });
    this.series = new SeriesRecorder(plan.startNs, plan.endNs, options.keepSeries);
    this.isRecordedPool = hasRecordedPool(instance, geometry);
    this.blockMaxBytes = blockMaxBytesByDevice(tables, geometry);
    const mayTakeShortWay =
      options.summaryOnly === true && !(options.bounceAll && this.blockMaxBytes.some((b) => b > 0));
    this.summary = mayTakeShortWay ? (instance.summary?.() ?? null) : null;
    this.contention = this.watchContention();
    const kept = this.summary === null ? rows : 0;
    const short = rows - kept;
    this.placements = new Array(kept);
    this.summaryPool = new Int32Array(short).fill(-1);
    this.summarySlot = new Int32Array(short);
    this.summaryShape = new Int32Array(short);
    this.groupFailed = new Uint8Array(rows);
    this.rescued = new Uint8Array(rows);
    this.requests = {
      outcome: new Uint8Array(rows).fill(ReplayOutcome.notReplayed),
      cause: new Uint8Array(kept).fill(255),
      pool: new Int32Array(kept).fill(-1),
      slot: new Int32Array(kept).fill(-1),
      bounceAddress: new Float64Array(kept).fill(Number.NaN),
      slots: new Uint32Array(kept),
      largestHole: new Int32Array(kept).fill(-1),
      freeSlots: new Int32Array(kept).fill(-1),
    };
    this.request = {
      request: -1,
      nowNs: this.nowNs,
      device: 0,
      cpu: 0,
      maySleep: false,
      original: 0,
      sizeBytes: 0,
      allocAlignMask: 0,
      direction: Direction.none,
      sgIndex: 0,
    };
  }

  run(): void {
    const { stepCount, stepKind, stepRow, stepNs } = this.plan;
    this.placeWhatExistedBefore();
    this.record();
    if (this.summary !== null) {
      this.runSummary(this.summary);
      return;
    }
    for (let step = 0; step < stepCount; step++) {
      const row = stepRow[step];
      this.advance(stepNs[step]);
      switch (stepKind[step]) {
        case StepKind.birth:
          this.birth(row);
          break;
        case StepKind.death:
          this.death(row);
          break;
        default:
          this.lockCpu = unmapCpuOf(this.columns.unmapWhere[row]);
          this.instance.lookup(this.columns.device[row], 1);
      }
    }
    this.advance(this.plan.endNs);
    this.countSyncsUntil(Number.POSITIVE_INFINITY);
    while (this.stalledEnds.length > 0) {
      this.advance(this.stalledEnds.nextAt());
    }
    this.leaveBlocked();
  }

  /** As `run`, where rows about which there is nothing special take the shortest way. */
  private runSummary(summary: SummaryInstance): void {
    const { stepCount, stepKind, stepRow, stepNs, isPlain } = this.plan;
    const { device, cpu, original, recordedBounce, sizeBytes, allocAlignBits } = this.columns;
    const { request, summaryPool, summarySlot, summaryShape } = this;
    const { outcome } = this.requests;
    const { found } = summary;
    let quietUntilNs = Number.NEGATIVE_INFINITY;
    for (let step = 0; step < stepCount; step++) {
      const row = stepRow[step];
      const nowNs = stepNs[step];
      if (nowNs >= quietUntilNs) {
        this.advance(nowNs);
        quietUntilNs = this.quietUntil();
      } else {
        this.nowNs = nowNs;
      }
      const kind = stepKind[step];
      if (kind === StepKind.lookup) {
        continue;
      }
      if (isPlain[row] === 0) {
        if (kind === StepKind.birth) {
          this.birth(row);
        } else {
          this.death(row);
        }
        quietUntilNs = Number.NEGATIVE_INFINITY;
      } else if (kind === StepKind.birth) {
        request.request = row;
        request.nowNs = nowNs;
        request.device = device[row];
        request.cpu = Math.max(0, cpu[row]);
        const address = original[row];
        request.original = Number.isNaN(address) ? recordedBounce[row] || 0 : address;
        request.sizeBytes = sizeBytes[row];
        request.allocAlignMask = allocAlignBits[row] === 0 ? 0 : 2 ** allocAlignBits[row] - 1;
        if (!summary.mapSummary(request)) {
          this.countFailed(row, summary.failureCause());
          quietUntilNs = Number.NEGATIVE_INFINITY;
          continue;
        }
        summaryPool[row] = found.pool;
        summarySlot[row] = found.firstSlot;
        summaryShape[row] = found.slots * 65536 + found.pad;
        outcome[row] = ReplayOutcome.served;
        this.served++;
        if (found.transient) {
          this.record();
          quietUntilNs = Number.NEGATIVE_INFINITY;
        }
      } else if (summaryPool[row] >= 0) {
        const shape = summaryShape[row];
        const pool = summaryPool[row];
        summaryPool[row] = -1;
        if (summary.unmapSummary(pool, summarySlot[row], shape >>> 16, shape & 0xffff, device[row], nowNs)) {
          quietUntilNs = Number.NEGATIVE_INFINITY;
        }
      }
    }
    this.advance(this.plan.endNs);
  }

  private quietUntil(): Nanoseconds {
    return Math.min(this.instance.nextEventAt(), this.ends.nextAt(), this.stalledEnds.nextAt());
  }

  private watchContention(): ContentionCounter | null {
    const { costModel } = this.options;
    if (
      costModel === undefined ||
      !this.plan.hasTime ||
      this.summary !== null ||
      this.instance.watchLocks === undefined
    ) {
      return null;
    }
    const contention = new ContentionCounter(costModel.searchNs.value);
    this.instance.watchLocks((pool, area) => contention.take(pool, area, this.lockCpu, this.nowNs));
    return contention;
  }

  /** Null without a calibration. */
  private estimatedNs(areaLocks: number, pageAllocations: number): Nanoseconds | null {
    const { costModel } = this.options;
    if (costModel === undefined) {
      return null;
    }
    const searches = Math.max(0, areaLocks - this.releases);
    return Math.round(
      searches * costModel.searchNs.value +
        this.releases * costModel.releaseNs.value +
        pageAllocations * costModel.poolAllocationNs.value,
    );
  }

  private costModelParams(): ReplayParam[] {
    const { costModel } = this.options;
    return costModel === undefined
      ? []
      : costParams.map(({ name, unit }) => ({
          name,
          unit,
          value: costModel[name].value,
          evidence: costModel[name].evidence,
        }));
  }

  result(policy: string, params: ReplayResult['params'], missing: readonly string[]): ReplayResult {
    const state = this.instance.state();
    const { hasTime } = this.plan;
    return {
      policy,
      params,
      replayable: missing.length === 0,
      missing,
      requestCount: this.served + this.failed,
      served: this.served,
      failed: this.failed,
      failuresByCause: this.failuresByCause,
      usedHighWaterSlots: Math.max(this.series.usedPeakSlots, state.hiwaterSlots),
      capacityPeakSlots: this.series.capacityPeakSlots,
      transient: {
        count: state.transientCount,
        peakSlots: this.series.transientPeakSlots,
        failed: state.transientFailed,
      },
      pools: this.instance.pools(),
      memory: {
        peakBytes: this.series.memoryPeakBytes,
        byteSeconds: hasTime ? this.series.byteSeconds() : null,
        roundingWasteBytes: state.roundingWasteBytes,
      },
      copiedBytes: this.copiedBytes,
      stalls: { count: this.stallCount, totalNs: this.stallTotalNs, maxNs: this.stallMaxNs },
      workerRuns: state.workerRuns,
      cost: {
        areaLocks: state.cost.areaLocks,
        probes: state.cost.probes,
        poolsVisited: state.cost.poolsVisited,
        lookups: state.cost.lookups,
        listSteps: state.cost.listSteps,
        pageAllocations: state.pageAllocations,
        conversions: state.conversions,
        contendedLocks: this.contention?.contended ?? null,
        estimatedNs: this.estimatedNs(state.cost.areaLocks, state.pageAllocations),
      },
      costModel: this.costModelParams(),
      assumed: {
        lifetimes: this.lifetimesAssumed,
        retriesDropped: this.retriesDropped,
        contexts: this.contextsAssumed,
        counterfactual: this.counterfactual,
        splits: this.splits,
        movedFromBefore: this.movedFromBefore,
        baselineSlots: this.baselineSlots,
      },
      notes: this.notes(),
      requests: this.requests,
      series: this.series.finish(),
      failures: this.failures,
      hasTime,
    };
  }

  /** Runs the policy's own work, and ends that are not steps of the plan, up to that time. */
  private advance(untilNs: Nanoseconds): void {
    for (;;) {
      const policyAt = this.instance.nextEventAt();
      const stalledAt = this.stalledEnds.nextAt();
      const endAt = Math.min(this.ends.nextAt(), stalledAt);
      if (policyAt > untilNs && endAt > untilNs) {
        break;
      }
      if (policyAt <= endAt) {
        this.nowNs = Math.max(this.nowNs, policyAt);
        this.countSyncsUntil(this.nowNs);
        this.instance.runEvent();
        this.deliverResumed();
      } else {
        this.nowNs = Math.max(this.nowNs, endAt);
        this.release(endAt === stalledAt ? this.stalledEnds.pop() : this.ends.pop(), true);
      }
      this.record();
    }
    this.nowNs = Math.max(this.nowNs, untilNs);
    this.countSyncsUntil(this.nowNs);
  }

  private birth(row: number): void {
    const { sgGroup, retryOf, evidence } = this.columns;
    const group = sgGroup[row];
    if (group >= 0 && group !== row && this.groupFailed[group] === 1) {
      this.requests.outcome[row] = ReplayOutcome.notAttempted;
      return;
    }
    if (this.options.dropRetries && retryOf[row] >= 0 && this.rescued[retryOf[row]] === 1) {
      this.requests.outcome[row] = ReplayOutcome.droppedRetry;
      this.rescued[row] = 1;
      this.retriesDropped++;
      this.releaseRolledBack(row);
      return;
    }
    if ((evidence[row] & EvidenceBit.contextAssumed) !== 0) {
      this.contextsAssumed++;
    }
    this.fillRequest(row);
    this.lockCpu = this.columns.cpu[row];
    if (this.summary !== null) {
      this.birthInSummary(row, this.summary);
      return;
    }
    const maxBytes = this.options.bounceAll ? this.blockMaxBytes[this.request.device] : 0;
    let result: MapResult;
    if (maxBytes > 0 && this.request.sizeBytes > maxBytes) {
      this.splits++;
      result = this.mapInParts(row, maxBytes);
    } else {
      result = this.instance.map(this.request);
    }
    this.settle(row, result);
    // Without the series only levels of memory matter, and those change with buffers of their own and with stalls.
    if (this.options.keepSeries || result.ok !== true || result.placement.transient || result.stallNs > 0) {
      this.record();
    }
  }

  private birthInSummary(row: number, summary: SummaryInstance): void {
    if (summary.mapSummary(this.request)) {
      this.keepSummary(row, summary);
      this.countServed(row);
      if (summary.found.transient) {
        this.record();
      }
    } else {
      this.countFailed(row, summary.failureCause());
    }
  }

  private keepSummary(row: number, { found }: SummaryInstance): void {
    this.summaryPool[row] = found.pool;
    this.summarySlot[row] = found.firstSlot;
    this.summaryShape[row] = found.slots * 65536 + found.pad;
    this.requests.outcome[row] = ReplayOutcome.served;
  }

  private isHeld(row: number): boolean {
    return this.summary === null ? this.placements[row] !== undefined : this.summaryPool[row] >= 0;
  }

  /** Keeps the answer to a request, now or when it comes after a block. */
  private settle(row: number, result: MapResult): void {
    if (result.ok === null) {
      this.blockedSince.set(row, this.nowNs);
      return;
    }
    this.countStall(row, result.stallNs);
    if (result.ok) {
      this.serve(row, result.placement);
    } else {
      this.fail(row, result.failure);
    }
  }

  private serve(row: number, placement: Placement): void {
    this.place(row, placement);
    this.countServed(row);
  }

  private countServed(row: number): void {
    const { outcome, pairing, sizeBytes } = this.columns;
    this.served++;
    // swiotlb_tbl_map_single copies in every direction, so that partial device writes leave the rest intact.
    this.copiedBytes += sizeBytes[row];
    const recorded = outcome[row];
    if (recorded === Outcome.failed) {
      this.counterfactual++;
      this.rescued[row] = 1;
      this.assumeEnd(row, this.lifetimes.counterfactual(row));
      this.keepRestOfList(row);
    } else if (recorded !== Outcome.rolledBack && pairing[row] === Pairing.assumed) {
      this.assumeEnd(row, this.lifetimes.withoutEvidence(row));
    }
  }

  private fail(row: number, failure: MapFailure): void {
    this.requests.cause[row] = causeCode[failure.cause];
    this.requests.largestHole[row] = failure.largestHole;
    this.requests.freeSlots[row] = failure.freeSlots;
    this.options.watch?.failed(row, failure, this.nowNs);
    this.countFailed(row, failure.cause);
  }

  private countFailed(row: number, cause: Cause): void {
    const { outcome, source, mapLine, enterLine } = this.columns;
    this.failed++;
    this.requests.outcome[row] = ReplayOutcome.failed;
    this.failuresByCause[cause] = (this.failuresByCause[cause] ?? 0) + 1;
    if (this.options.keepSeries) {
      this.failures.push({
        request: row,
        line: mapLine[row] || enterLine[row],
        source: source[row],
        timeNs: this.plan.hasTime ? this.nowNs : null,
        cause,
      });
    }
    if (outcome[row] === Outcome.served || outcome[row] === Outcome.rolledBack) {
      this.counterfactual++;
    }
    this.rollBackList(row);
  }

  /** The elements of a failed list before the failing one are released in order, without a copy back. */
  private rollBackList(row: number): void {
    const { sgGroup } = this.columns;
    const group = sgGroup[row];
    if (group < 0) {
      return;
    }
    this.groupFailed[group] = 1;
    for (let element = group; element < row; element++) {
      if (sgGroup[element] === group && this.isHeld(element)) {
        this.release(element, false);
      }
    }
  }

  /** The recorded failure of a list is left out as a retry: what it rolled back is released here all the same. */
  private releaseRolledBack(row: number): void {
    const { sgGroup, outcome } = this.columns;
    if (sgGroup[row] < 0 || outcome[row] !== Outcome.failed) {
      return;
    }
    for (let element = sgGroup[row]; element < row; element++) {
      if (sgGroup[element] === sgGroup[row] && outcome[element] === Outcome.rolledBack) {
        this.release(element, false);
      }
    }
  }

  /** Elements that the kernel rolled back stay as long as the element that is served now. */
  private keepRestOfList(row: number): void {
    const { sgGroup, outcome } = this.columns;
    const group = sgGroup[row];
    if (group < 0) {
      return;
    }
    const lifetime = this.lifetimes.counterfactual(row);
    for (let element = group; element < row; element++) {
      if (sgGroup[element] === group && outcome[element] === Outcome.rolledBack) {
        this.rescued[element] = 1;
        this.assumeEnd(element, lifetime);
      }
    }
  }

  private assumeEnd(row: number, lifetime: Nanoseconds): void {
    this.lifetimesAssumed++;
    if (Number.isFinite(lifetime)) {
      this.ends.push(this.nowNs + this.stallOf(row) + lifetime, row);
    }
  }

  private death(row: number): void {
    if (!this.isHeld(row) || !this.hasRecordedEnd(row)) {
      return;
    }
    const { outcome } = this.columns;
    const stallNs = this.stallOf(row);
    if (stallNs > 0) {
      this.stalledEnds.push(this.nowNs + stallNs, row);
      return;
    }
    // On the short way memory changes at the end of the grace period only, which is an event of the policy.
    const isTransient = this.summary === null && this.placements[row]?.transient === true;
    this.release(row, outcome[row] !== Outcome.rolledBack);
    if (this.options.keepSeries || isTransient) {
      this.record();
    }
  }

  /** False for requests whose end is assumed: a step for them in the plan says nothing. */
  private hasRecordedEnd(row: number): boolean {
    const { outcome, pairing } = this.columns;
    return outcome[row] === Outcome.rolledBack || (outcome[row] !== Outcome.failed && pairing[row] !== Pairing.assumed);
  }

  private release(row: number, copiesBack: boolean): void {
    if (!this.isHeld(row)) {
      return;
    }
    const { device, direction, attributes, sizeBytes, unmapWhere } = this.columns;
    this.releases++;
    this.lockCpu = unmapCpuOf(unmapWhere[row]);
    const isFromDevice = direction[row] === Direction.fromDevice || direction[row] === Direction.bidirectional;
    if (copiesBack && isFromDevice && (attributes[row] & DmaAttribute.skipCpuSync) === 0) {
      this.copiedBytes += sizeBytes[row];
    }
    if (this.summary !== null) {
      const shape = this.summaryShape[row];
      const pool = this.summaryPool[row];
      this.summaryPool[row] = -1;
      this.summary.unmapSummary(pool, this.summarySlot[row], shape >>> 16, shape & 0xffff, device[row], this.nowNs);
      return;
    }
    const placement = this.placements[row] as Placement;
    this.placements[row] = undefined;
    this.instance.unmap(placement, device[row], this.nowNs);
    this.options.watch?.released(row, placement, this.nowNs);
    const parts = this.parts.size > 0 ? this.parts.get(row) : undefined;
    if (parts !== undefined) {
      this.parts.delete(row);
      for (const part of parts) {
        this.instance.unmap(part, device[row], this.nowNs);
        this.options.watch?.released(row, part, this.nowNs);
      }
    }
    this.deliverResumed();
  }

  /** A request above the device's largest mapping, split as the block layer splits its bios. */
  private mapInParts(row: number, maxBytes: Bytes): MapResult {
    const { original, sizeBytes } = this.columns;
    const placed: Placement[] = [];
    let stallNs = 0;
    for (let offset = 0; offset < sizeBytes[row]; offset += maxBytes) {
      this.request.original = original[row] + offset;
      this.request.sizeBytes = Math.min(maxBytes, sizeBytes[row] - offset);
      const result = this.instance.map(this.request);
      assert(result.ok !== null, 'a split request cannot be blocked between its parts');
      stallNs += result.stallNs;
      if (!result.ok) {
        for (const placement of placed) {
          this.instance.unmap(placement, this.request.device, this.nowNs);
        }
        return { ok: false, failure: result.failure, stallNs };
      }
      placed.push(result.placement);
    }
    const [first, ...rest] = placed;
    this.parts.set(row, rest);
    return { ok: true, placement: first, stallNs };
  }

  private placeWhatExistedBefore(): void {
    const { recordedBounce } = this.columns;
    for (const row of this.plan.startRows) {
      this.fillRequest(row);
      let placement = Number.isNaN(recordedBounce[row]) ? null : this.instance.adopt(this.request, recordedBounce[row]);
      if (placement === null) {
        this.movedFromBefore++;
        const result = this.instance.map(this.request);
        placement = result.ok ? result.placement : null;
      }
      this.requests.outcome[row] = ReplayOutcome.existedBefore;
      if (placement !== null) {
        this.place(row, placement);
        this.requests.outcome[row] = ReplayOutcome.existedBefore;
      }
    }
    this.placeBaseline(this.lifetimes.fit?.baselineSlots ?? 0);
    this.beginWhereRecorded();
  }

  /** In the pool of the recording: its searches did not begin at the first slots when the trace began. */
  private beginWhereRecorded(): void {
    const { recordedBounce, outcome, evidence } = this.columns;
    const { stepCount, stepKind, stepRow } = this.plan;
    if (this.instance.beginAt === undefined || !this.isRecordedPool) {
      return;
    }
    const areas = this.instance.pools()[0]?.areas ?? 0;
    for (let step = 0; step < stepCount && this.begunAreas < areas; step++) {
      const row = stepRow[step];
      // A failure with an address had its slots for a moment, and the search went on behind them.
      const isPlaced =
        (outcome[row] === Outcome.served || outcome[row] === Outcome.failed) &&
        (evidence[row] & EvidenceBit.direct) === 0;
      if (stepKind[step] === StepKind.birth && isPlaced && !Number.isNaN(recordedBounce[row])) {
        this.fillRequest(row);
        this.begunAreas += this.instance.beginAt(this.request, recordedBounce[row]) ? 1 : 0;
      }
    }
  }

  /** Slots that the samples show in use all along, though no event tells whose: taken as single pages. */
  private placeBaseline(slots: Slots): void {
    const slotsPerPage = 2;
    for (let taken = 0; taken + slotsPerPage <= slots; taken += slotsPerPage) {
      this.request.request = -1;
      this.request.nowNs = this.nowNs;
      this.request.cpu = (taken / slotsPerPage) % 4;
      this.request.sizeBytes = slotsPerPage * SLOT_BYTES;
      this.request.original = this.request.sizeBytes * (1 + taken);
      const result = this.instance.map(this.request);
      if (result.ok !== true) {
        return;
      }
      this.options.watch?.taken(-1, result.placement, this.nowNs);
      this.baselineSlots += slotsPerPage;
    }
  }

  private place(row: number, placement: Placement): void {
    this.requests.outcome[row] = ReplayOutcome.served;
    if (this.summary !== null) {
      this.summaryPool[row] = placement.pool;
      this.summarySlot[row] = placement.firstSlot;
      this.summaryShape[row] = placement.slots * 65536 + placement.pad;
      return;
    }
    this.placements[row] = placement;
    this.options.watch?.taken(row, placement, this.nowNs);
    this.requests.pool[row] = placement.pool;
    this.requests.slot[row] = placement.slot;
    this.requests.bounceAddress[row] = placement.address;
    let slots = placement.slots;
    if (this.parts.size > 0) {
      for (const part of this.parts.get(row) ?? []) {
        this.options.watch?.taken(row, part, this.nowNs);
        slots += part.slots;
      }
    }
    this.requests.slots[row] = slots;
  }

  private maySleep(device: number, context: number): boolean {
    switch (this.options.context) {
      case 'fromFlags':
        return (context & ContextBit.known) !== 0 && !isAtomic(context);
      case 'perDevice':
        return this.sleepable.has(device) && !isAtomic(context);
      case 'alwaysAtomic':
        return false;
    }
  }

  private fillRequest(row: number): void {
    const columns = this.columns;
    const context = columns.context[row];
    const original = columns.original[row];
    this.request.request = row;
    this.request.nowNs = this.nowNs;
    this.request.device = columns.device[row];
    this.request.cpu = Math.max(0, columns.cpu[row]);
    this.request.maySleep = this.maySleep(columns.device[row], context);
    // The bounce address repeats the low bits of the original one; 0 means "no alignment to keep" to the allocator.
    this.request.original = Number.isNaN(original) ? columns.recordedBounce[row] || 0 : original;
    this.request.sizeBytes = columns.sizeBytes[row];
    this.request.allocAlignMask = columns.allocAlignBits[row] === 0 ? 0 : 2 ** columns.allocAlignBits[row] - 1;
    this.request.direction = columns.direction[row];
    this.request.sgIndex = columns.sgGroup[row] < 0 ? 0 : columns.sgIndex[row];
  }

  /** Answers to requests that were blocked. Their recorded end may have passed meanwhile. */
  private deliverResumed(): void {
    if (this.blockedSince.size === 0) {
      return;
    }
    for (const { request: row, result } of this.instance.takeResumed?.() ?? []) {
      this.blockedSince.delete(row);
      this.settle(row, result);
      const endNs = this.plan.deathNs[row];
      if (this.placements[row] !== undefined && endNs <= this.nowNs && this.hasRecordedEnd(row)) {
        this.stalledEnds.push(Math.max(this.nowNs, endNs + this.stallOf(row)), row);
      }
    }
  }

  private leaveBlocked(): void {
    for (const [row, sinceNs] of this.blockedSince) {
      this.requests.outcome[row] = ReplayOutcome.stillBlocked;
      this.countStall(row, this.nowNs - sinceNs);
    }
    if (0 < this.blockedSince.size) {
      this.record();
    }
  }

  private countStall(row: number, stallNs: Nanoseconds): void {
    if (stallNs <= 0) {
      return;
    }
    this.stallCount++;
    this.stallTotalNs += stallNs;
    this.stallMaxNs = Math.max(this.stallMaxNs, stallNs);
    this.stallNs ??= new Float64Array(this.requests.outcome.length);
    this.stallNs[row] = stallNs;
  }

  private stallOf(row: number): Nanoseconds {
    return this.stallNs === null ? 0 : this.stallNs[row];
  }

  /** Each sync of a bounced mapping copies once; each sync looks its address up. */
  private countSyncsUntil(untilNs: Nanoseconds): void {
    const { syncRows } = this.plan;
    const { device, timeNs, count, bytes, bounced } = this.tables.calls.columns;
    while (this.nextSync < syncRows.length) {
      const row = syncRows[this.nextSync];
      if (timeNs[row] > untilNs || (Number.isNaN(timeNs[row]) && untilNs !== Number.POSITIVE_INFINITY)) {
        return;
      }
      this.nextSync++;
      this.lockCpu = -1;
      this.instance.lookup(device[row], count[row]);
      if (count[row] > 0) {
        const copying = this.options.bounceAll ? count[row] : bounced[row];
        this.copiedBytes += Math.round((bytes[row] * copying) / count[row]);
      }
    }
  }

  private record(): void {
    this.series.record(this.nowNs, this.instance.state(), this.failed, this.stallTotalNs);
  }

  private notes(): string[] {
    const { fit } = this.lifetimes;
    if (this.plan.requestCount === 0) {
      return [];
    }
    const notes: string[] = [
      'Arrival times are those of the recording: a policy that stalls or fails would change what comes next.',
    ];
    if (!this.plan.hasTime) {
      notes.push('The clock gives order only: times, delays and lifetimes count steps (one map or one unmap each).');
    }
    if (fit !== null) {
      notes.push(
        `Lifetimes were fitted to ${fit.samples} debugfs samples, one per size class; the modelled use is ${fit.meanErrorSlots.toFixed(1)} slots off on average.`,
      );
    } else if (this.lifetimesAssumed > 0 && this.columns.pairing.includes(Pairing.assumed)) {
      const assumed = this.plan.hasTime
        ? `${(this.options.assumedLifetimeNs * this.options.lifetimeScale) / 1e6} ms`
        : `${this.options.assumedLifetimeSteps * this.options.lifetimeScale} steps`;
      notes.push(`The trace has no unmap events: mappings are assumed to live ${assumed}.`);
    }
    if (this.begunAreas > 0) {
      notes.push(
        this.begunAreas === 1
          ? 'The first search of the area begins where its first recorded mapping was found.'
          : `The first searches of ${this.begunAreas} areas begin where the first recorded mapping of each was found.`,
      );
    }
    if (this.baselineSlots > 0) {
      notes.push(
        `The samples show about ${this.baselineSlots} slots in use before the trace: they are taken from the start.`,
      );
    }
    if (this.blockedSince.size > 0) {
      notes.push(
        `${this.blockedSince.size} requests were still waiting when the trace ended: they count as neither served nor failed.`,
      );
    }
    if (this.splits > 0) {
      notes.push(
        `${this.splits} requests above the largest mapping of their device were split as the block layer would.`,
      );
    }
    return notes;
  }
}

/** The replayed pool is the one that the input tells of; one that the user gives may be another. */
function hasRecordedPool(instance: PolicyInstance, { pools }: Geometry): boolean {
  const replayed = instance.pools().find((pool) => pool.kind === 'boot');
  const recorded = pools.find((pool) => pool.kind === 'boot');
  return (
    replayed !== undefined &&
    recorded !== undefined &&
    recorded.slots.evidence.level !== 'user' &&
    replayed.start === recorded.start.value &&
    replayed.slots === recorded.slots.value &&
    replayed.areas === recorded.areas.value
  );
}

/** Largest mapping per device of class block, 0 for devices whose driver does not split. */
function blockMaxBytesByDevice(tables: TraceTables, geometry: Geometry): Float64Array {
  const bytes = new Float64Array(tables.devices.length + 1);
  for (const device of geometry.devices) {
    if (device.deviceClass.value === 'block' && device.device < bytes.length) {
      bytes[device.device] = maxMappingBytes(device.minAlignMask.value);
    }
  }
  return bytes;
}
