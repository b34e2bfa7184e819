import type { Nanoseconds } from '../../model/units';
import type { MapRequest, MapResult, Policy, PolicyParam } from '../policy';
import { dynamicGeneration, resolveParams } from './boot';
import { IoTlbInstance } from './ioTlbInstance';
import { poolParams, transientParams } from './params';

const params: readonly PolicyParam[] = [
  ...poolParams,
  ...transientParams.filter((param) => param.name === 'maxPageOrder'),
  {
    name: 'periodNs',
    title: 'How often the thread looks at the utilisation',
    unit: 'ns',
    default: 10e6,
    defaultSteps: 200,
    source: 'assumption: a few scheduler ticks',
    min: 1,
  },
  {
    name: 'growAt',
    title: 'Share of slots in use above which the thread adds a table',
    unit: '',
    default: 0.7,
    source: 'assumption',
    min: 0,
    max: 1,
  },
];

/** policies.md (e), alternative A: a separate thread watches the utilisation. */
class WatcherInstance extends IoTlbInstance {
  private startNs = Number.NaN;
  /** The next look that could change anything; looks that find little in use are skipped. */
  private nextLookNs = Number.POSITIVE_INFINITY;

  override map(request: MapRequest): MapResult {
    if (Number.isNaN(this.startNs)) {
      this.startNs = request.nowNs;
    }
    const result = super.map(request);
    if (this.nextLookNs === Number.POSITIVE_INFINITY && this.isAboveMark()) {
      const periods = Math.floor((this.nowNs - this.startNs) / this.periodNs()) + 1;
      this.nextLookNs = this.startNs + periods * this.periodNs();
    }
    return result;
  }

  override nextEventAt(): Nanoseconds {
    return Math.min(super.nextEventAt(), this.nextLookNs);
  }

  override runEvent(): void {
    if (super.nextEventAt() < this.nextLookNs) {
      super.runEvent();
      return;
    }
    this.nowNs = Math.max(this.nowNs, this.nextLookNs);
    if (this.isAboveMark()) {
      this.growNow();
    }
    this.nextLookNs = this.isAboveMark() ? this.nextLookNs + this.periodNs() : Number.POSITIVE_INFINITY;
  }

  private isAboveMark(): boolean {
    return this.tlb.totalUsed > Number(this.params.get('growAt')) * this.tlb.totalSlots;
  }

  private periodNs(): Nanoseconds {
    return Math.max(1, Number(this.params.get('periodNs')));
  }
}

export const watcherPolicy: Policy = {
  id: 'watcher',
  title: 'Watching thread (alternative A)',
  explanation:
    'The map path stays as it is; a kernel thread looks at the utilisation every so often and adds a table when it is ' +
    'above a mark. Nothing helps the mapping that does not fit in between: bursts shorter than the period fail as with ' +
    'a fixed pool. Tables are limited to 4 MiB and are never given back.',
  params,
  source: 'alternative A in the cover letter discussion of the dynamic swiotlb RFC (2023); no code was posted',
  create: (geometry, values, environment) =>
    new WatcherInstance(geometry, values, environment, { dynamic: true, grows: false, canGrow: false }),
  resolveParams: (geometry, settings) =>
    resolveParams(params, geometry, settings, { generation: dynamicGeneration(geometry) }),
};
