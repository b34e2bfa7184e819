import { isFailure } from '../../allocator/ioTlb';
import type { Geometry } from '../../model/geometry';
import type { Environment } from '../environment';
import type { MapRequest, MapResult, Policy, PolicyParam } from '../policy';
import { type ReclaimWatch, watchReclaim } from '../reclaim';
import { blockDevices, blockIoParams } from './blockIo';
import { dynamicGeneration, type ParamValues, resolveParams } from './boot';
import { IoTlbInstance } from './ioTlbInstance';
import { poolParams, transientParams, workerParams } from './params';

const params: readonly PolicyParam[] = [
  ...poolParams,
  ...transientParams,
  ...workerParams.filter((param) => param.name !== 'addedPools'),
  ...blockIoParams,
  {
    name: 'gfp',
    title: 'How a sleeping map allocates: NOIO (no reclaim through I/O) or KERNEL',
    unit: '',
    default: 'NOIO',
    source: 'v2 used GFP_NOIO after v1’s GFP_KERNEL was found to deadlock',
    choices: ['NOIO', 'KERNEL'],
  },
  {
    name: 'reclaimNs',
    title: 'What reclaim adds to a blocking allocation',
    unit: 'ns',
    default: 5e6,
    defaultSteps: 50,
    source: 'assumption: some page write-outs',
    min: 0,
  },
];

/** policies.md (e), first plan: a map that may sleep allocates a pool itself. */
class MaySleepInstance extends IoTlbInstance {
  private readonly block: ReadonlySet<number>;
  private readonly watch: ReclaimWatch;

  constructor(geometry: Geometry, values: ParamValues, environment: Environment) {
    const watch = watchReclaim(environment);
    super(geometry, values, watch.environment, { dynamic: true, grows: true });
    this.watch = watch;
    this.block = blockDevices(geometry, values);
  }

  override map(request: MapRequest): MapResult {
    if (!request.maySleep) {
      return super.map(request);
    }
    this.nowNs = request.nowNs;
    const { cpu, original, sizeBytes, allocAlignMask } = request;
    const device = this.device(request.device);
    this.spec.canGrow = false;
    const first = this.tlb.map(cpu, device, original, sizeBytes, allocAlignMask, allocAlignMask === 0);
    this.spec.canGrow = true;
    if (!isFailure(first) || first.cause === 'over-size' || first.cause === 'address-limit') {
      return this.answer(first, 0);
    }
    this.watch.reset();
    const hasGrown = this.growNow();
    const reclaims = this.watch.reclaims();
    if (reclaims > 0 && this.params.get('gfp') === 'KERNEL' && this.block.has(request.device)) {
      return { ok: false, failure: { ...first, cause: 'deadlock' }, stallNs: 0 };
    }
    const stallNs = this.workerRunNs + (reclaims > 0 ? Number(this.params.get('reclaimNs')) : 0);
    const second = this.tlb.map(cpu, device, original, sizeBytes, allocAlignMask, allocAlignMask === 0);
    if (!hasGrown) {
      this.queueWorker();
    }
    return this.answer(second, stallNs);
  }
}

export const maySleepPolicy: Policy = {
  id: 'may-sleep',
  title: 'Blocking allocation where sleeping is possible',
  explanation:
    'As dynamic, but a map that may sleep allocates the next pool itself and waits for it, so that it needs no ' +
    'transient buffer and no coherent pool. Interrupt context gains nothing. With GFP_KERNEL a map inside block I/O ' +
    'deadlocks when reclaim needs the very I/O that is being mapped; GFP_NOIO stalls or fails instead. Flags only show ' +
    'where sleeping is impossible: "may sleep" is an upper bound.',
  params,
  source: 'SWIOTLB_MAY_SLEEP of the dynamic swiotlb RFC v2, and plans in the v3/v4 discussion (2023)',
  actsOnlyOnMiss: true,
  asksWhoMaySleep: true,
  create: (geometry, values, environment) => new MaySleepInstance(geometry, values, environment),
  resolveParams: (geometry, settings) =>
    resolveParams(params, geometry, settings, { generation: dynamicGeneration(geometry) }),
};
