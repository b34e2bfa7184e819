import type { Policy } from '../policy';
import { resolveParams } from './boot';
import { RfcInstance, rfcParams } from './rfc';

/** policies.md (b), first version. */
export const rfcV1Policy: Policy = {
  id: 'rfc-v1',
  title: 'One allocation per mapping (RFC v1)',
  explanation:
    'Each mapping of a page or more, from a device without alignment needs, gets pages of its own, up to 4 MiB; the ' +
    'fixed pool serves the rest. All buffers are found through one tree under one lock, which every unmap and sync ' +
    'takes, also of devices that never bounce. Where sleeping is possible it allocates with GFP_KERNEL: a deadlock when ' +
    'reclaim needs the very I/O that is being mapped. Encrypted guests convert pages twice per mapping.',
  params: rfcParams,
  source: 'Petr Tesarik, Allow dynamic allocation of software IO TLB bounce buffers, RFC v1 (20 March 2023)',
  asksWhoMaySleep: true,
  create: (geometry, values, environment) =>
    new RfcInstance(geometry, values, environment, { gfp: 'KERNEL', index: 'tree' }),
  resolveParams: (geometry, settings) => resolveParams(rfcParams, geometry, settings),
};
