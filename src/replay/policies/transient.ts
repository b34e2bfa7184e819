import type { Policy } from '../policy';
import { dynamicGeneration, resolveParams } from './boot';
import { IoTlbInstance } from './ioTlbInstance';
import { poolParams, transientParams } from './params';

const params = [...poolParams, ...transientParams];

/** policies.md (c): the state after v3 4/7, without the growth worker. */
export const transientPolicy: Policy = {
  id: 'transient',
  title: 'Transient pools',
  explanation:
    'When no slot is found, a pool of exactly the wanted size is allocated for this one mapping and freed after its ' +
    'unmap; nothing grows. It fails when the atomic page allocation fails, when the coherent pool of an encrypted guest ' +
    'is empty, and for alignments that an exactly sized pool cannot give (min_align_mask bits from 2 KiB up, segment ' +
    'boundaries). Each use costs page allocations, rounds up to a power of two, and waits for RCU to free.',
  params,
  source: 'swiotlb: if swiotlb is full, fall back to a transient memory pool (Linux 6.6)',
  actsOnlyOnMiss: true,
  create: (geometry, values, environment) =>
    new IoTlbInstance(geometry, values, environment, { dynamic: true, grows: false }),
  resolveParams: (geometry, settings) =>
    resolveParams(params, geometry, settings, { generation: dynamicGeneration(geometry) }),
};
