import type { Pool } from '../../allocator/pool';
import { createRandom } from '../../base/random';
import type { Geometry } from '../../model/geometry';
import { type Nanoseconds, SEGMENT_SLOTS, SLOT_BYTES, type Slots } from '../../model/units';
import type { Environment } from '../environment';
import type { MapRequest, MapResult, Policy, PolicyParam, PolicyState } from '../policy';
import { type ParamValues, resolveParams } from './boot';
import { IoTlbInstance } from './ioTlbInstance';
import { poolParams } from './params';

const params: readonly PolicyParam[] = [
  ...poolParams,
  {
    name: 'reserveSlots',
    title: 'Free slots kept ready for bouncing; the rest is lent to movable memory',
    unit: 'slots',
    default: 2048,
    source: 'assumption: 4 MiB',
    min: 0,
    isWhole: true,
  },
  {
    name: 'occupancy',
    title: 'Share of the lent pages that are in use and must be migrated',
    unit: '',
    default: 0.5,
    source: 'assumption',
    min: 0,
    max: 1,
  },
  {
    name: 'pinned',
    title: 'Probability that a lent unit holds a page that cannot be migrated',
    unit: '',
    default: 0.02,
    source: 'assumption; CMA users report pinned pages as the usual failure',
    min: 0,
    max: 1,
  },
  {
    name: 'migrateNs',
    title: 'Time to migrate one page',
    unit: 'ns',
    default: 2e3,
    defaultSteps: 0,
    source: 'assumption: copy of 4 KiB and page table changes',
    min: 0,
  },
  {
    name: 'refillNs',
    title: 'How soon the background thread takes a unit back when the reserve runs low',
    unit: 'ns',
    default: 500e3,
    defaultSteps: 4,
    source: 'as the growth worker',
    min: 0,
  },
  {
    name: 'lendBackNs',
    title: 'How long a surplus lasts before a unit is lent again',
    unit: 'ns',
    default: 100e6,
    defaultSteps: 1000,
    source: 'assumption',
    min: 0,
  },
];

/** What one map may take back before it gives up. */
const mostUnitsPerMap = 8;
const never = Number.POSITIVE_INFINITY;

/** policies.md (f): lent units are segments of 256 KiB, taken out of the pool while somebody else uses them. */
class LendInstance extends IoTlbInstance {
  private readonly pool: Pool | undefined;
  private readonly random = createRandom(0x6c656e64);
  /** First slots of lent segments; those lent last come back first. */
  private readonly lent: number[] = [];
  private readonly reserve: Slots;
  private refillAt = never;
  private lendAt = never;
  private migratedPages = 0;
  private refills = 0;

  constructor(geometry: Geometry, values: ParamValues, environment: Environment) {
    super(geometry, values, environment, { dynamic: false, grows: false });
    this.pool = this.tlb.listed[0];
    this.reserve = Number(values.get('reserveSlots'));
    while (this.readyFree() - SEGMENT_SLOTS >= this.reserve && this.lendOne()) {
      // Everything above the reserve is lent from the start.
    }
  }

  override map(request: MapRequest): MapResult {
    let result = super.map(request);
    let stallNs = 0;
    if (result.ok === false && this.lent.length > 0 && isForWantOfSpace(result.failure.cause)) {
      if (!request.maySleep) {
        result = { ...result, failure: { ...result.failure, cause: 'growth-too-late' } };
      }
      for (let tries = 0; request.maySleep && result.ok === false && tries < mostUnitsPerMap; tries++) {
        if (!this.takeBack()) {
          break;
        }
        stallNs += this.migrationNs();
        result = super.map(request);
      }
    }
    this.balance();
    return result.ok === null ? result : { ...result, stallNs };
  }

  override unmap(...args: Parameters<IoTlbInstance['unmap']>): void {
    super.unmap(...args);
    this.balance();
  }

  override nextEventAt(): Nanoseconds {
    return Math.min(this.refillAt, this.lendAt);
  }

  override runEvent(): void {
    this.nowNs = Math.max(this.nowNs, this.nextEventAt());
    if (this.refillAt <= this.lendAt) {
      this.refillAt = never;
      this.refills++;
      this.takeBack();
    } else {
      this.lendAt = never;
      this.lendOne();
    }
    this.balance();
  }

  override state(): PolicyState {
    const lentSlots = this.lent.length * SEGMENT_SLOTS;
    const state = super.state();
    return {
      ...state,
      capacitySlots: state.capacitySlots - lentSlots,
      memoryBytes: state.memoryBytes - lentSlots * SLOT_BYTES,
      workerRuns: this.refills,
      // Each migrated page needs another page to go to.
      pageAllocations: this.migratedPages,
    };
  }

  private readyFree(): Slots {
    return this.tlb.totalSlots - this.lent.length * SEGMENT_SLOTS - this.tlb.totalUsed;
  }

  private migrationNs(): Nanoseconds {
    return this.pagesPerUnit() * Number(this.params.get('migrateNs'));
  }

  private pagesPerUnit(): number {
    return Math.ceil(((SEGMENT_SLOTS * SLOT_BYTES) / this.pageSize) * Number(this.params.get('occupancy')));
  }

  /** Moves somebody else's pages out of a lent unit. False when every try met a pinned page. */
  private takeBack(): boolean {
    for (let tries = 0; tries < this.lent.length; tries++) {
      const first = this.lent.pop();
      if (first === undefined) {
        return false;
      }
      if (this.random() < Number(this.params.get('pinned'))) {
        this.lent.unshift(first);
        continue;
      }
      this.migratedPages += this.pagesPerUnit();
      this.pool?.release(first, SEGMENT_SLOTS, 0);
      return true;
    }
    return false;
  }

  /** Lends the last segment that is free as a whole. */
  private lendOne(): boolean {
    const { pool } = this;
    if (pool === undefined) {
      return false;
    }
    for (let first = pool.slots - SEGMENT_SLOTS; first >= 0; first -= SEGMENT_SLOTS) {
      if (pool.fits(first, SEGMENT_SLOTS)) {
        pool.take(first, SEGMENT_SLOTS, 0);
        this.lent.push(first);
        return true;
      }
    }
    return false;
  }

  /** Decides what the background thread has to do. */
  private balance(): void {
    const free = this.readyFree();
    const isShort = free < this.reserve && this.lent.length > 0;
    this.refillAt = isShort ? Math.min(this.refillAt, this.nowNs + Number(this.params.get('refillNs'))) : never;
    const hasSurplus = free - 2 * SEGMENT_SLOTS >= this.reserve;
    this.lendAt = hasSurplus ? Math.min(this.lendAt, this.nowNs + Number(this.params.get('lendBackNs'))) : never;
  }
}

function isForWantOfSpace(cause: string): boolean {
  return cause === 'pool-full' || cause === 'fragmented' || cause === 'alignment';
}

export const lendPolicy: Policy = {
  id: 'lend',
  title: 'A large pool lent to movable memory (alternative B)',
  explanation:
    'One big pool whose unused part is lent to normal movable allocations, as CMA does, and migrated back when bounce ' +
    'space is needed. A reserve stays ready for atomic contexts, which cannot wait for migration and fail when it is ' +
    'used up; a map that may sleep stalls for the migration. A pinned page keeps its unit. A background thread refills ' +
    'the reserve and lends what is left over.',
  params,
  source:
    'alternative B in the discussion of the dynamic swiotlb RFC, with Christoph Hellwig (2023); no code was posted',
  asksWhoMaySleep: true,
  create: (geometry, values, environment) => new LendInstance(geometry, values, environment),
  resolveParams: (geometry, settings) => resolveParams(params, geometry, settings),
};
