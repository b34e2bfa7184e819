import type { Policy } from '../policy';
import { resolveParams } from './boot';
import { RfcInstance, rfcParams } from './rfc';

/** policies.md (b), second version. */
export const rfcV2Policy: Policy = {
  id: 'rfc-v2',
  title: 'One allocation per mapping (RFC v2)',
  explanation:
    'As RFC v1, with a list of buffers per device, most recently used first, instead of one tree, so that devices that ' +
    'never bounce pay little. Where sleeping is possible it allocates with GFP_NOIO: no deadlock, but it stalls, or ' +
    'fails where only I/O could have freed memory. Long lists make unmaps of busy devices slow.',
  params: rfcParams,
  source: 'Petr Tesarik, Allow dynamic allocation of software IO TLB bounce buffers, v2 (May 2023)',
  asksWhoMaySleep: true,
  create: (geometry, values, environment) =>
    new RfcInstance(geometry, values, environment, { gfp: 'NOIO', index: 'list' }),
  resolveParams: (geometry, settings) => resolveParams(rfcParams, geometry, settings),
};
