import { known } from '../../model/evidence';
import type { Geometry } from '../../model/geometry';
import type { ReplayParam } from '../../model/replayResult';
import { type Address, SLOT_BYTES, type Slots } from '../../model/units';
import type { Policy, PolicyParam } from '../policy';
import { bootGeometry, resolveParams } from './boot';
import { IoTlbInstance } from './ioTlbInstance';
import { poolParams } from './params';

const params: readonly PolicyParam[] = poolParams.filter((param) => param.name !== 'areas');

/** The restricted pool of the recording, else one as large as its boot pool. */
function restrictedPool(geometry: Geometry): { start: ReplayParam['value']; slots: Slots; text: string } {
  const pool = geometry.pools.find((candidate) => candidate.kind === 'restricted');
  const boot = bootGeometry(geometry);
  return pool === undefined
    ? { start: boot.start.value, slots: boot.slots.value, text: 'The trace has no restricted pool: as the boot pool.' }
    : { start: pool.start.value, slots: pool.slots.value, text: pool.slots.evidence.text };
}

/** policies.md (h). */
export const restrictedPolicy: Policy = {
  id: 'restricted',
  title: 'Restricted pool',
  explanation:
    'A pool from the device tree, shared by the devices that name it: one area, so one lock for all CPUs, no growth and ' +
    'no transient buffers. Its size is not rounded; when it is no multiple of 256 KiB the last segment is short. It ' +
    'fails like a fixed pool, sooner because other areas cannot help.',
  params,
  source: 'kernel/dma/swiotlb.c, rmem_swiotlb_device_init (Linux 5.15)',
  create: (geometry, values, environment) => {
    const start: Address = Number(values.get('poolStart'));
    const slots: Slots = Math.floor(Number(values.get('poolSlots')));
    return new IoTlbInstance(geometry, values, environment, {
      dynamic: false,
      grows: false,
      spec: { boot: slots > 0 ? { kind: 'restricted', start, slots, areas: 1 } : null, defaultAreas: 1 },
    });
  },
  resolveParams: (geometry, settings) => {
    const { start, slots, text } = restrictedPool(geometry);
    return resolveParams(params, geometry, settings, {
      poolStart: known(start, 'derived', text),
      poolSlots: known(slots, 'derived', `${text} (${(slots * SLOT_BYTES) / 2 ** 20} MiB)`),
    });
  },
};
