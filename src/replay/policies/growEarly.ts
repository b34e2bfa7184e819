import type { MapRequest, MapResult, Policy, PolicyParam } from '../policy';
import { dynamicGeneration, resolveParams } from './boot';
import { IoTlbInstance } from './ioTlbInstance';
import { poolParams, transientParams, workerParams } from './params';

const params: readonly PolicyParam[] = [
  ...poolParams,
  ...transientParams,
  ...workerParams,
  {
    name: 'growAt',
    title: 'Share of slots in use that wakes the growth worker',
    unit: '',
    default: 0.8,
    source: 'assumption: 0.75 to 0.9 were discussed; no code was posted',
    min: 0,
    max: 1,
  },
];

/** policies.md (e), second plan: a new pool before the existing ones are full. */
class GrowEarlyInstance extends IoTlbInstance {
  override map(request: MapRequest): MapResult {
    const result = super.map(request);
    // One run at a time: while the worker is queued or running, crossing the mark again changes nothing.
    if (this.tlb.totalUsed > Number(this.params.get('growAt')) * this.tlb.totalSlots) {
      this.tlb.pendingWork = true;
      this.queueWorker();
    }
    return result;
  }
}

export const growEarlyPolicy: Policy = {
  id: 'grow-early',
  title: 'Dynamic pools, grown before they are full',
  explanation:
    'As dynamic, and the worker is also woken when the share of slots in use crosses a mark, so that the next pool is ' +
    'there before it is needed. It hides the worker’s delay while load rises slowly; a burst that outruns the worker, ' +
    'and fragmentation of free slots below the mark, fail as before. It may add a pool that is never used.',
  params,
  source: 'Petr Tesarik, plans in the v3/v4 discussion (2023); no code was posted',
  create: (geometry, values, environment) =>
    new GrowEarlyInstance(geometry, values, environment, { dynamic: true, grows: true }),
  resolveParams: (geometry, settings) =>
    resolveParams(params, geometry, settings, { generation: dynamicGeneration(geometry) }),
};
