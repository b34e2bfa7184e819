import type { Policy } from '../policy';
import { dynamicGeneration, resolveParams } from './boot';
import { IoTlbInstance } from './ioTlbInstance';
import { poolParams, transientParams, workerParams } from './params';

const params = [...poolParams, ...transientParams, ...workerParams];

/** policies.md (c) and (d) as merged. */
export const dynamicPolicy: Policy = {
  id: 'dynamic',
  title: 'Dynamic pools',
  explanation:
    'CONFIG_SWIOTLB_DYNAMIC: every search that finds no slot queues a worker that adds a pool of up to 4 MiB, and is ' +
    'itself served from a transient pool meanwhile. Pools are searched newest first and never freed. It fails when a ' +
    'burst is faster than the worker and the transient pool cannot be had, when fragmentation leaves no large block, ' +
    'and always for mappings above 256 KiB. Searches may take one lock per pool and area.',
  params,
  source: 'swiotlb: allocate a new memory pool when existing pools are full (Linux 6.6; area-major search since 6.8)',
  actsOnlyOnMiss: true,
  create: (geometry, values, environment) =>
    new IoTlbInstance(geometry, values, environment, { dynamic: true, grows: true }),
  resolveParams: (geometry, settings) =>
    resolveParams(params, geometry, settings, { generation: dynamicGeneration(geometry) }),
};
