import { unreachable } from '../base/assert';
import { formatBytes, formatSlotsAndBytes } from '../base/format';
import type { Cause } from '../model/cause';
import type { Geometry } from '../model/geometry';
import { MIN_POOL_SLOTS, SEGMENT_BYTES, SEGMENT_SLOTS, slotsToBytes } from '../model/units';
import { readBootParameter } from './bootParameter';
import type { FailureNumbers } from './verdict';

/** What advice needs to know besides the cause. */
export interface AdviceContext {
  readonly numbers: FailureNumbers;
  readonly geometry: Geometry;
  readonly driver: string;
  /** The overflow names the bounce buffer, not the buffer of the driver. */
  readonly bounceOverflow: boolean;
  /** The message is one of cc-swiotlb: size classes instead of slots, and no transient pools. */
  readonly ccSwiotlb: boolean;
  /** Memory encryption or `swiotlb=force` is known from the input. */
  readonly encrypted: boolean;
  /** Other lines show that the device only takes slots and never returns them. */
  readonly leak: boolean;
  /** The failure is an event of a trace, so a replay can tell which size would do. */
  readonly replayable: boolean;
  /** Value of `swiotlb=` today; null when it is not known. */
  readonly parameter: string | null;
}

/** Pool size and the kernel's own rounding of it. */
export interface PoolSuggestion {
  readonly parameter: string;
  readonly slots: number;
}

/** A contiguous pool this large is hard to find below 4 GiB. */
const LARGE_POOL_SLOTS = 2 ** 20;

/** What helps against a failure, best first. Never a larger pool where no pool size can help. */
export function adviceFor(cause: Cause, context: AdviceContext): readonly string[] {
  switch (cause) {
    case 'over-size':
      return overSizeAdvice(context);
    case 'no-pool':
      return [
        'Find out why there is no pool: the boot log says "No low mem", "Cannot allocate buffer" or swiotlb=noforce, or the machine was taken not to need one.',
        'Remove swiotlb=noforce, iommu=off and memory limits that leave no free memory below 4 GiB; an encrypted guest cannot do DMA without a pool.',
        'If the device can address all memory, let its driver set a wider DMA mask: then nothing has to bounce.',
      ];
    case 'bounce-disabled':
      return [
        'Remove swiotlb=noforce from the kernel command line; the size of the pool does not matter while it is off.',
        'Or avoid the bounce: align the buffer to the cache line, or let the driver use coherent memory.',
      ];
    case 'pool-full':
      return poolFullAdvice(context);
    case 'fragmented':
      return fragmentedAdvice(context);
    case 'alignment':
      return [
        'More free slots do not help by themselves: the run must begin where the low address bits match the buffer (min_align_mask) or at a page.',
        'Use page-aligned buffers or smaller requests in the driver, so that any run fits.',
        ...largerPoolAdvice(context, 'A larger pool has more aligned runs'),
      ];
    case 'address-limit':
      return addressLimitAdvice(context);
    case 'growth-too-late':
      return [
        'The pool grows only after a mapping has missed, too late for that mapping. Start with a boot pool that covers the usual load.',
        ...largerPoolAdvice(context, 'A larger boot pool avoids the wait'),
      ];
    case 'allocation-failed':
      return allocationFailedAdvice(context);
    case 'atomic-pool-empty':
      return [
        'Raise coherent_pool= on the kernel command line (for example coherent_pool=4M); swiotlb= has no effect on this pool.',
        'Or allocate from a context that may sleep, so that the driver does not need the atomic pool.',
      ];
    case 'class-empty':
      return ['Raise the watermark of that size class in cc_swiotlb=, or make requests smaller.'];
    case 'attribute-mismatch':
      return [
        'Check which memory the device is given: shared (decrypted) memory must come from the pool or from the DMA API.',
      ];
    case 'lockup':
      return [
        'Update the kernel: the search of 6.0 to 6.2 (and of the 6.1 long-term kernels) can run for ever when the device sets min_align_mask and the pool is nearly full. 6.3 and later end it.',
        ...largerPoolAdvice(context, 'A pool that never gets nearly full avoids it until then'),
      ];
    case 'deadlock':
      return [
        'Do not allocate with reclaim inside the I/O path: allow sleeping only with GFP_NOIO, or keep enough slots ready.',
      ];
    case 'unknown':
      return unknownAdvice(context);
    default:
      return unreachable(cause);
  }
}

/** What was allocated depends on the kernel: a transient pool where there are some, a small entry in cc-swiotlb. */
function allocationFailedAdvice(context: AdviceContext): string[] {
  if (context.ccSwiotlb) {
    return [
      'A larger cc_swiotlb= does not help: a buffer of the class was free. What failed is a small allocation that may not wait, so the machine was nearly out of memory: raise vm.min_free_kbytes, or find what takes the memory.',
    ];
  }
  if (!context.geometry.dynamic.value) {
    return [
      'The kernel needed memory at once, without waiting. Keep memory free: raise vm.min_free_kbytes, or make requests smaller.',
      ...largerPoolAdvice(context, 'A larger boot pool makes it unnecessary'),
    ];
  }
  return [
    'The emergency buffer (transient pool) needs contiguous pages at once. Keep memory free: raise vm.min_free_kbytes, or make requests smaller.',
    ...(context.encrypted
      ? ['In an encrypted guest it comes from the atomic pool: set coherent_pool= (for example coherent_pool=4M).']
      : []),
    ...largerPoolAdvice(context, 'A larger boot pool makes it unnecessary'),
  ];
}

function overSizeAdvice(context: AdviceContext): string[] {
  const advice = [
    context.ccSwiotlb
      ? 'No cc_swiotlb= value helps: the largest size class is 512 KiB.'
      : `No swiotlb= value helps: one mapping takes at most ${SEGMENT_SLOTS} slots in a row (${formatBytes(SEGMENT_BYTES)}, less with min_align_mask), in every kernel version.`,
  ];
  if (isBlockDriver(context.driver)) {
    advice.push(
      'Limit the request size: the driver must honour dma_max_mapping_size(); until it does, set max_sectors_kb of the disk (/sys/block/…/queue/max_sectors_kb) to 128.',
    );
  } else {
    advice.push('In the driver: split the transfer by dma_max_mapping_size() and limit the scatterlist segment size.');
  }
  advice.push(
    'Allocate such a buffer where the device reaches it directly: dma_alloc_coherent() or dma_alloc_noncontiguous() for the device with the smallest mask, also for buffers that several devices share (dma-buf).',
    'Avoid the bounce altogether: an IOMMU in front of the device, or a wider DMA mask if the hardware has one.',
  );
  return advice;
}

function poolFullAdvice(context: AdviceContext): string[] {
  const advice: string[] = [];
  if (context.leak) {
    advice.push(
      'Look for the leak first: a larger pool only delays it. Check that every dma_map_* of the driver has its dma_unmap_*.',
    );
  }
  advice.push(...largerPoolAdvice(context, 'Enlarge the pool'));
  if (!context.leak) {
    advice.push(
      'Or lower the demand: shorter queues, fewer receive buffers, smaller requests, or a wider DMA mask so that less is bounced.',
    );
  }
  return advice;
}

function fragmentedAdvice(context: AdviceContext): string[] {
  const advice: string[] = [];
  if (context.numbers.neededSlots > 8) {
    advice.push(
      isBlockDriver(context.driver)
        ? 'Smaller requests need shorter runs: lower /sys/block/…/queue/max_sectors_kb, for example to 64.'
        : 'Smaller requests need shorter runs: limit the segment size of the driver.',
    );
  }
  advice.push(...largerPoolAdvice(context, 'A larger pool keeps longer runs free'));
  if (!context.geometry.dynamic.value) {
    advice.push(
      `A kernel with CONFIG_SWIOTLB_DYNAMIC (6.6 and later) serves such a request from a transient pool when memory allows; ${context.replayable ? 'replay with "dynamic" to see' : 'a recorded trace shows it when replayed with "dynamic"'}.`,
    );
  }
  return advice;
}

function addressLimitAdvice(context: AdviceContext): string[] {
  if (context.bounceOverflow) {
    return [
      'The size of the pool does not matter here: its place does. The device needs a pool below its DMA mask.',
      'Give the device a restricted pool (restricted-dma-pool in the device tree) or coherent memory in its reach, or let the driver set a wider mask if the hardware has one.',
      'Put the device behind an IOMMU.',
    ];
  }
  return [
    'The buffer had to be bounced and could not: the pool was not there (no memory below 4 GiB in use at boot, iommu=off, swiotlb=noforce). Look at the boot lines of "software IO TLB".',
    'swiotlb=force creates the pool at boot, and makes every mapping bounce; its size is not the problem.',
    'Or let the driver set a wider DMA mask if the hardware has one, allocate the buffer with GFP_DMA32 or dma_alloc_coherent(), or use an IOMMU.',
  ];
}

function unknownAdvice(context: AdviceContext): string[] {
  const advice = [
    'Read the counters while it happens: grep . /sys/kernel/debug/swiotlb/* (io_tlb_used against io_tlb_nslabs). Used near the total means full; far below means fragmented or aligned badly.',
    'Record a trace to see who holds the slots (swiotlb-lens info prints the commands for your kernel).',
  ];
  if (context.numbers.totalSlots < 0) {
    advice.push('Kernels since 5.1 print the counters in the message itself.');
  }
  return advice;
}

/** A new size in place of a value with `force` would take more than the size away; `parameter` is today's value. */
export function forceAdvice(parameter: string | null): string[] {
  return parameter !== null && readBootParameter(parameter).force
    ? [`Today's swiotlb=${parameter} bounces everything: write ,force behind the number to keep that.`]
    : [];
}

/** Sentences that name a size, what the kernel makes of it, and how to set it. */
function largerPoolAdvice(context: AdviceContext, why: string): string[] {
  const suggestion = suggestPool(context);
  const keepForce = forceAdvice(context.parameter);
  if (suggestion === null) {
    return [
      `${why}: set swiotlb=N on the kernel command line, N in slots of 2 KiB (65536 is 128 MiB).`,
      slotsNotBytes,
      ...keepForce,
      howToApply,
    ];
  }
  const rounded = `${formatSlotsAndBytes(suggestion.slots)} after the kernel's rounding`;
  const today = `today ${formatSlotsAndBytes(currentSlots(context))}`;
  // Twice today's pool is a guess; where the requests are known, the sizing knows.
  const advice = [`${why}: ${suggestion.parameter} is the next step (${rounded}; ${today}).`];
  if (context.replayable) {
    advice.push('"Find the pool size" (swiotlb-lens size) tells how much is enough.');
  }
  if (suggestion.slots > LARGE_POOL_SLOTS) {
    advice.push(
      `A pool of ${formatBytes(slotsToBytes(suggestion.slots))} must be contiguous and usually below 4 GiB: check the boot log that the kernel got it.`,
    );
  }
  return [...advice, slotsNotBytes, ...keepForce, howToApply];
}

const slotsNotBytes =
  'The number counts slots of 2 KiB, not bytes, and takes no k or M; the second number (areas) exists only from Linux 6.0.';

/** Where a kernel parameter goes. */
export const howToApply =
  'How to apply: Debian, Ubuntu: GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub; Fedora, RHEL: grubby --update-kernel=ALL --args="swiotlb=…"; Raspberry Pi: the single line of /boot/firmware/cmdline.txt; cloud images: a file in /etc/default/grub.d/ or the kernel arguments of the VM (with measured boot the launch measurement changes). Then reboot.';

/** Twice today's pool, rounded as the kernel would; null when today's size is unknown. */
export function suggestPool(context: Pick<AdviceContext, 'numbers' | 'geometry'>): PoolSuggestion | null {
  const current = currentSlots(context);
  if (current <= 0) {
    return null;
  }
  const areas = context.geometry.cpus.evidence.level === 'assumed' ? 1 : powerOfTwoAtLeast(context.geometry.cpus.value);
  const slots = Math.max(MIN_POOL_SLOTS, SEGMENT_SLOTS * areas, powerOfTwoAtLeast(2 * current));
  return { parameter: `swiotlb=${slots}`, slots };
}

function currentSlots(context: Pick<AdviceContext, 'numbers' | 'geometry'>): number {
  if (context.numbers.totalSlots > 0) {
    return context.numbers.totalSlots;
  }
  const boot = context.geometry.pools.find((pool) => pool.kind === 'boot');
  return boot !== undefined && boot.slots.evidence.level !== 'assumed' && boot.slots.evidence.level !== 'default'
    ? boot.slots.value
    : -1;
}

function powerOfTwoAtLeast(value: number): number {
  let power = 1;
  while (power < value) {
    power *= 2;
  }
  return power;
}

/** Drivers that the block layer splits requests for. */
function isBlockDriver(driver: string): boolean {
  return /^(nvme|virtio_?blk|virtio_?scsi|ahci|ata_|sdhci|mmc|sd$|ufs|mpt|megaraid|hpsa|usb-storage|uas)/.test(driver);
}
