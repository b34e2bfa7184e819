import type { Placement } from '../../allocator/types';
import type { Geometry } from '../../model/geometry';
import type { Nanoseconds } from '../../model/units';
import type { Environment } from '../environment';
import type { MapRequest, MapResult, Policy, PolicyParam, ResumedMap } from '../policy';
import { blockDevices, blockIoParams } from './blockIo';
import { type ParamValues, resolveParams } from './boot';
import { IoTlbInstance } from './ioTlbInstance';
import { poolParams } from './params';

const params: readonly PolicyParam[] = [
  ...poolParams,
  ...blockIoParams,
  {
    name: 'highPercent',
    title: 'Use above which mappings that may block wait for each other',
    unit: '%',
    default: 70,
    source: 'the series: nslabs * 70 / 100',
    min: 0,
    max: 100,
  },
  {
    name: 'lowPercent',
    title: 'Use below which nobody waits any more',
    unit: '%',
    default: 65,
    source: 'the series: nslabs * 65 / 100',
    min: 0,
    max: 100,
  },
];

/**
 * policies.md (j1). The semaphore has a count of one: above the mark one throttled mapping lives at a time, from its
 * map to its unmap; the others queue in order.
 */
class ThrottleInstance extends IoTlbInstance {
  private readonly block: ReadonlySet<number>;
  private readonly high: number;
  private readonly low: number;
  /** The mapping that holds the semaphore; null when it is free. */
  private holder: Placement | null = null;
  private isTaken = false;
  private readonly waiting: MapRequest[] = [];
  private readonly resumed: ResumedMap[] = [];

  constructor(geometry: Geometry, values: ParamValues, environment: Environment) {
    super(geometry, values, environment, { dynamic: false, grows: false });
    this.block = blockDevices(geometry, values);
    this.high = Math.floor((this.tlb.totalSlots * Number(values.get('highPercent'))) / 100);
    this.low = Math.floor((this.tlb.totalSlots * Number(values.get('lowPercent'))) / 100);
  }

  override map(request: MapRequest): MapResult {
    if (!this.isThrottled(request)) {
      return super.map(request);
    }
    if (this.isTaken) {
      this.waiting.push({ ...request });
      return { ok: null };
    }
    return this.mapHolding(request);
  }

  override unmap(placement: Placement, device: number, nowNs: Nanoseconds): void {
    super.unmap(placement, device, nowNs);
    if (placement === this.holder) {
      this.release(nowNs);
    }
  }

  takeResumed(): ResumedMap[] {
    return this.resumed.splice(0);
  }

  private isThrottled(request: MapRequest): boolean {
    // MAY_BLOCK is an attribute of the caller; a map in atomic context cannot carry it. Of a list only entry 0 waits.
    if (!request.maySleep || request.sgIndex > 0 || !this.block.has(request.device)) {
      return false;
    }
    const used = this.tlb.totalUsed;
    return used > this.high || (used > this.low && this.isTaken);
  }

  private mapHolding(request: MapRequest): MapResult {
    this.isTaken = true;
    const result = super.map(request);
    this.holder = result.ok === true ? result.placement : null;
    if (this.holder === null) {
      this.isTaken = false;
    }
    return result;
  }

  /** up(): the first of the queue goes on at once. */
  private release(nowNs: Nanoseconds): void {
    this.holder = null;
    this.isTaken = false;
    for (;;) {
      const next = this.waiting.shift();
      if (next === undefined) {
        return;
      }
      const stallNs = nowNs - next.nowNs;
      const result = this.mapHolding({ ...next, nowNs });
      if (result.ok !== null) {
        this.resumed.push({ request: next.request, result: { ...result, stallNs } });
      }
      if (result.ok === true) {
        return;
      }
    }
  }
}

export const throttlePolicy: Policy = {
  id: 'throttle',
  title: 'Throttling',
  explanation:
    'A fixed pool in which block requests that may sleep wait for each other once the pool is 70 % full: one at a time, ' +
    'each from map to unmap, in order, until use falls below 65 %. The rest of the pool stays for those that cannot ' +
    'wait. Network drivers are not covered, and a slow disk that holds the semaphore delays a fast one. A trace cannot ' +
    'answer back: later requests arrive as recorded although their submitters would be asleep.',
  params,
  source: 'Michael Kelley, Introduce swiotlb throttling, RFC (August 2024)',
  asksWhoMaySleep: true,
  create: (geometry, values, environment) => new ThrottleInstance(geometry, values, environment),
  resolveParams: (geometry, settings) => resolveParams(params, geometry, settings),
};
