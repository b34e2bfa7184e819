import type { Policy } from '../policy';
import { resolveParams } from './boot';
import { IoTlbInstance } from './ioTlbInstance';
import { poolParams } from './params';

/** policies.md (a). */
export const fixedPolicy: Policy = {
  id: 'fixed',
  title: 'Fixed pool',
  explanation:
    'One pool, reserved at boot and never changed; every area is searched in turn, beginning with that of the CPU. ' +
    'It fails when the pool is full, when no segment has a run long enough although slots are free, when the pool lies ' +
    'above what the device can reach, and always for mappings above 256 KiB. Its memory is held from boot, used or not.',
  params: poolParams,
  source: 'kernel/dma/swiotlb.c without CONFIG_SWIOTLB_DYNAMIC',
  create: (geometry, params, environment) =>
    new IoTlbInstance(geometry, params, environment, { dynamic: false, grows: false }),
  resolveParams: (geometry, settings) => resolveParams(poolParams, geometry, settings),
};
