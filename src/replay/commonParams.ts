import { costParams } from './costModel';
import type { PolicyParam } from './policy';

/** Parameters of every replay, whatever the policy: what is assumed, and the machine around the allocator. */
export const commonParams: readonly PolicyParam[] = [
  {
    name: 'assumedLifetimeNs',
    title: 'Lifetime of mappings when the trace has neither unmaps nor debugfs samples',
    unit: 'ns',
    default: 1e6,
    defaultSteps: 64,
    source: 'assumption: a typical block request takes about a millisecond',
    min: 0,
  },
  {
    name: 'lifetimeQuantile',
    title: 'Which quantile of known lifetimes stands in for unknown ones',
    unit: '',
    default: 0.5,
    source: 'the median; 0.25 and 0.75 show how much depends on it',
    min: 0,
    max: 1,
  },
  {
    name: 'lifetimeScale',
    title: 'Factor on every assumed lifetime',
    unit: '',
    default: 1,
    source: 'sensitivity: 0.1 and 10',
    min: 0,
  },
  {
    name: 'dropRetries',
    title: 'Leave out attempts that only repeat a request which is served now',
    unit: '',
    default: true,
    source: 'the driver would not have tried again',
  },
  {
    name: 'context',
    title: 'Who may sleep: fromFlags (as the trace says), alwaysAtomic (nobody) or perDevice (see sleepableDevices)',
    unit: '',
    default: 'fromFlags',
    source: 'ftrace flags; preempt-count is invisible on kernels without preemption',
  },
  {
    name: 'sleepableDevices',
    title: 'With context perDevice: devices whose requests may sleep unless their flags forbid it, with commas',
    unit: '',
    default: '',
    source: 'empty: no device',
  },
  {
    name: 'seed',
    title: 'Seed of the environment model',
    unit: '',
    default: 1,
    source: 'same seed, same result',
    min: 0,
  },
  {
    name: 'fragmentation',
    title:
      'Memory fragmentation: an atomic allocation of order k succeeds with probability (1 - f)^k, a blocking one with (1 - f²)^k',
    unit: '',
    default: 0,
    source: 'model; 0 lets every allocation up to the largest order succeed',
    min: 0,
    max: 1,
  },
  {
    name: 'coherentPoolBytes',
    title: 'Size of the atomic coherent pool that encrypted guests take transient buffers from',
    unit: 'bytes',
    default: 524288,
    source: 'kernel/dma/pool.c: 128 KiB per GiB of memory, here 4 GiB',
    min: 0,
  },
  {
    name: 'minAlign',
    title: 'min_align_mask of devices where the trace tells another: DEVICE=0x…, several with commas',
    unit: '',
    default: '',
    source: 'empty: as found from the recorded addresses',
  },
  {
    name: 'dmaMask',
    title: 'DMA mask of devices where the trace tells another: DEVICE=0x…, several with commas',
    unit: '',
    default: '',
    source: 'empty: as swiotlb_bounced prints it',
  },
  ...costParams,
];
