import { known } from '../../model/evidence';
import type { Policy } from '../policy';
import { resolveParams } from './boot';
import { IoTlbInstance } from './ioTlbInstance';
import { poolParams, transientParams, workerParams } from './params';

const params = [...poolParams, ...transientParams, ...workerParams];
/** Without the cap of the merged code the worker first asks for the boot pool's size, whatever order that is. */
const uncappedOrder = 20;

/** policies.md (c) and (d) as posted in v4 7/8; allocator.md 6.8, first column. */
export const dynamicV4Policy: Policy = {
  id: 'dynamic-v4',
  title: 'Dynamic pools as posted (v4)',
  explanation:
    'The patch series of July 2023 before it was merged. Each pool is searched with all its areas before the next one, ' +
    'so a CPU takes remote locks early. Mappings above 256 KiB are searched for, wake the worker and try a transient ' +
    'pool, all in vain. The worker first asks for a pool as large as the boot pool, which no page allocation can give, ' +
    'and halves from there.',
  params,
  source: 'Petr Tesarik, swiotlb: allocate a new memory pool when existing pools are full, v4 7/8 (July 2023)',
  create: (geometry, values, environment) =>
    new IoTlbInstance(geometry, values, environment, {
      dynamic: true,
      grows: true,
      spec: { maxPageOrder: uncappedOrder },
    }),
  resolveParams: (geometry, settings) =>
    resolveParams(params, geometry, settings, {
      generation: known('6.6', 'default', 'The series was written against 6.5; 6.6 has its search.'),
    }),
};
