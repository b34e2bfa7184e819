import type { Pool } from '../../allocator/pool';
import type { Placement } from '../../allocator/types';
import type { Nanoseconds } from '../../model/units';
import type { MapRequest, MapResult, Policy, PolicyParam } from '../policy';
import { dynamicGeneration, resolveParams } from './boot';
import { IoTlbInstance } from './ioTlbInstance';
import { poolParams, transientParams, workerParams } from './params';

const params: readonly PolicyParam[] = [
  ...poolParams,
  ...transientParams,
  ...workerParams,
  {
    name: 'idleNs',
    title: 'How long a grown pool must be empty before it is freed',
    unit: 'ns',
    default: 100e6,
    defaultSteps: 1000,
    source: 'assumption: long against a burst, short against a day',
    min: 0,
  },
];

/** policies.md (e), third plan: unused pools are freed. */
class ShrinkInstance extends IoTlbInstance {
  private readonly idleSince = new Map<Pool, Nanoseconds>();

  override map(request: MapRequest): MapResult {
    const result = super.map(request);
    if (result.ok === true && this.idleSince.size > 0 && !result.placement.transient) {
      this.idleSince.delete(this.tlb.pool(result.placement.pool));
    }
    return result;
  }

  override unmap(placement: Placement, device: number, nowNs: Nanoseconds): void {
    const pool = this.tlb.pool(placement.pool);
    super.unmap(placement, device, nowNs);
    this.watch(pool);
  }

  override nextEventAt(): Nanoseconds {
    return Math.min(super.nextEventAt(), this.dueAt());
  }

  override runEvent(): void {
    const dueAt = this.dueAt();
    if (dueAt < super.nextEventAt()) {
      this.nowNs = Math.max(this.nowNs, dueAt);
      const [pool] = this.idleSince.keys();
      this.idleSince.delete(pool);
      this.removePool(pool);
      return;
    }
    super.runEvent();
    // A pool nobody needs any more may arrive late and stay empty.
    this.watch(this.tlb.listed[0]);
  }

  private watch(pool: Pool | undefined): void {
    if (pool?.kind === 'grown' && !this.idleSince.has(pool) && pool.usedSlots() === 0) {
      this.idleSince.set(pool, this.nowNs);
    }
  }

  /** Pools enter in the order of time, so the first one is due first. */
  private dueAt(): Nanoseconds {
    for (const since of this.idleSince.values()) {
      return since + Number(this.params.get('idleNs'));
    }
    return Number.POSITIVE_INFINITY;
  }
}

export const shrinkPolicy: Policy = {
  id: 'shrink',
  title: 'Dynamic pools that shrink',
  explanation:
    'As dynamic, and a grown pool that stays empty for a while is freed. Only completely empty pools can go: one ' +
    'long-lived mapping keeps 4 MiB. Newest pools are searched first, so older ones drain. A load that comes in waves ' +
    'pays for growth again each time, and encrypted guests convert the pages twice.',
  params,
  source: 'Petr Tesarik, plans in the v3/v4 discussion (2023); no code was posted',
  actsOnlyOnMiss: true,
  create: (geometry, values, environment) =>
    new ShrinkInstance(geometry, values, environment, { dynamic: true, grows: true }),
  resolveParams: (geometry, settings) =>
    resolveParams(params, geometry, settings, { generation: dynamicGeneration(geometry) }),
};
