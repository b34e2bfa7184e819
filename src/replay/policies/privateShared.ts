import type { Geometry } from '../../model/geometry';
import type { Environment } from '../environment';
import type { MapRequest, MapResult, Policy, PolicyParam } from '../policy';
import { dynamicGeneration, type ParamValues, resolveParams } from './boot';
import { IoTlbInstance } from './ioTlbInstance';
import { poolParams, transientParams, workerParams } from './params';

const params: readonly PolicyParam[] = [
  ...poolParams,
  ...transientParams,
  ...workerParams,
  {
    name: 'poolIs',
    title: 'What the pool’s memory is: shared (decrypted) or private',
    unit: '',
    default: 'shared',
    source: 'today’s boot pool of an encrypted guest is shared',
    choices: ['shared', 'private'],
  },
  {
    name: 'privateDevices',
    title: 'Devices that need private memory (trusted devices), by name, separated by commas; * for all',
    unit: '',
    default: '',
    source: 'no event carries the attribute: none',
  },
];

/** policies.md (j2): a mapping fails when the pool's attribute is not what the device needs. */
class PrivateSharedInstance extends IoTlbInstance {
  private readonly privateRows: ReadonlySet<number>;
  private readonly needsAll: boolean;

  constructor(geometry: Geometry, values: ParamValues, environment: Environment) {
    super(geometry, values, environment, { dynamic: true, grows: true });
    const names = String(values.get('privateDevices'))
      .split(',')
      .map((name) => name.trim());
    this.needsAll = names.includes('*');
    this.privateRows = new Set(
      geometry.devices.filter((device) => names.includes(device.name)).map((device) => device.device),
    );
  }

  override map(request: MapRequest): MapResult {
    const needsPrivate = this.needsAll || this.privateRows.has(request.device);
    // Grown and transient pools inherit the attribute of the first one, so no pool can be right.
    if (needsPrivate !== (this.params.get('poolIs') === 'private')) {
      this.nowNs = request.nowNs;
      const printedBytes = request.sizeBytes;
      const failure = { cause: 'attribute-mismatch', printedBytes, freeSlots: -1, largestHole: -1 } as const;
      return { ok: false, failure, stallNs: 0 };
    }
    return super.map(request);
  }
}

export const privateSharedPolicy: Policy = {
  id: 'private-shared',
  title: 'Private and shared pools',
  explanation:
    'As dynamic, and every pool is either shared with the host or private to the guest; grown and transient pools are ' +
    'like the first one. A mapping fails when its device needs the other kind. This counts who would fail; which ' +
    'devices are trusted with private memory is not in any event and must be given.',
  params,
  source: 'DMA_ATTR_CC_SHARED and io_tlb_mem.unencrypted, Aneesh Kumar K.V (2026)',
  create: (geometry, values, environment) => new PrivateSharedInstance(geometry, values, environment),
  resolveParams: (geometry, settings) =>
    resolveParams(params, geometry, settings, { generation: dynamicGeneration(geometry) }),
};
