import { unreachable } from '../base/assert';
import {
  formatBytes,
  formatCount,
  formatPercent,
  formatSize,
  formatSizeInText,
  formatSlots,
  formatSlotsAndBytes,
  joinWords,
  plural,
} from '../base/format';
import type { Cause } from '../model/cause';
import type { LogRecord } from '../model/log';
import { bytesToSlots, SEGMENT_BYTES, SEGMENT_SLOTS } from '../model/units';

/**
 * The numbers a verdict rests on. Unknown numbers are -1.
 * `level` says where the pool's counters come from: a printed line, the recorded addresses, or the model.
 */
export interface FailureNumbers {
  /** As printed or recorded; padded when the kernel prints it so (6.9+). */
  readonly sizeBytes: number;
  readonly neededSlots: number;
  readonly totalSlots: number;
  readonly usedSlots: number;
  readonly largestHole: number;
  /** Mappings the trace does not show may lie in that hole. */
  readonly holeAtMost?: boolean;
  readonly level: 'recorded' | 'derived' | 'modelled';
  /** A dynamic kernel tried a transient pool of exactly the slots needed, too. */
  readonly transientTried?: boolean;
  /** A log line alone: nothing but its own numbers is known. */
  readonly alone?: boolean;
}

/** Counters above this are a negative number printed unsigned (6.6 to 6.8 zero the counter during boot). */
const WRAPPED_COUNTER = 2 ** 52;

/** Size classes of cc-swiotlb, and so its largest mapping. */
const CLASS_BYTES = [512, 2048, 4096, 16384, 524288];
const LARGEST_CLASS_BYTES = 524288;

/** Why a lone log line failed, by its own numbers only (design.md "Causes of a failure"). */
export function judgeLine(record: LogRecord): Cause {
  switch (record.kind) {
    case 'overflow':
      return 'address-limit';
    case 'no-pool':
      return 'no-pool';
    case 'bounce-inactive':
      return 'bounce-disabled';
    case 'atomic-pool-exhausted':
      return 'atomic-pool-empty';
    case 'lockup':
      return 'lockup';
    case 'index-failed':
      return 'allocation-failed';
    case 'class-empty':
      return record.sizeBytes > LARGEST_CLASS_BYTES ? 'over-size' : 'class-empty';
    default:
      return judgeNumbers(record.sizeBytes, record.totalSlots, record.usedSlots);
  }
}

/** The rule for lines with counters; -1 where the line has none. */
export function judgeNumbers(sizeBytes: number, totalSlots: number, usedSlots: number): Cause {
  if (sizeBytes > SEGMENT_BYTES) {
    return 'over-size';
  }
  if (totalSlots === 0) {
    return 'no-pool';
  }
  if (sizeBytes < 0 || totalSlots < 0 || usedSlots < 0 || usedSlots > WRAPPED_COUNTER) {
    return 'unknown';
  }
  return totalSlots - usedSlots < bytesToSlots(sizeBytes) ? 'pool-full' : 'fragmented';
}

/** The numbers of a log line. */
export function numbersOfLine(record: LogRecord): FailureNumbers {
  const wrapped = record.usedSlots > WRAPPED_COUNTER;
  return {
    sizeBytes: record.sizeBytes,
    neededSlots: record.sizeBytes >= 0 ? Math.max(1, bytesToSlots(record.sizeBytes)) : -1,
    totalSlots: record.totalSlots,
    usedSlots: wrapped ? -1 : record.usedSlots,
    largestHole: -1,
    level: 'recorded',
    alone: true,
  };
}

/** Short name of a cause at the start of a sentence. */
export function causeTitle(cause: Cause): string {
  return causeTitles[cause];
}

const causeTitles: Readonly<Record<Cause, string>> = {
  'over-size': 'Over-size',
  'no-pool': 'No pool',
  'bounce-disabled': 'Bouncing disabled',
  'pool-full': 'Pool full',
  fragmented: 'Fragmented',
  alignment: 'Alignment',
  'address-limit': 'Address limit',
  'growth-too-late': 'Growth too late',
  'allocation-failed': 'Allocation failed',
  'atomic-pool-empty': 'Atomic pool empty',
  'class-empty': 'Size class empty',
  'attribute-mismatch': 'Attribute mismatch',
  lockup: 'Lock-up',
  deadlock: 'Deadlock',
  unknown: 'Cause unknown',
};

/** The verdict as one or two sentences: what happened, and whether a bigger pool can help. */
export function describeFailure(cause: Cause, numbers: FailureNumbers, record: LogRecord | null): string {
  return `${causeTitle(cause)}: ${explain(cause, numbers, record)}`;
}

function explain(cause: Cause, numbers: FailureNumbers, record: LogRecord | null): string {
  switch (cause) {
    case 'over-size':
      return explainOverSize(numbers, record?.kind === 'class-empty' ? LARGEST_CLASS_BYTES : SEGMENT_BYTES);
    case 'no-pool':
      return 'the kernel has no bounce buffer pool (0 slots), so nothing can be bounced.';
    case 'bounce-disabled':
      return 'bounce buffers are switched off on this kernel, and this mapping needs one.';
    case 'pool-full':
      return `needs ${need(numbers)}, ${freeOf(numbers)}.`;
    case 'fragmented':
      return explainFragmented(numbers);
    case 'alignment':
      return `needs ${need(numbers)} at an aligned start; ${freeOf(numbers)}${holeText(numbers)}, but no run starts where the device's alignment allows.`;
    case 'address-limit':
      return explainAddressLimit(numbers, record);
    case 'growth-too-late':
      return numbers.transientTried === true
        ? `needs ${need(numbers)}; the pools had no place, a transient pool of just that size can never match the buffer's offset (min_align_mask), and the pool grows only after a miss.`
        : `needs ${need(numbers)}; the pool had no place and the new pool was still being allocated.`;
    case 'allocation-failed':
      if (isCcSwiotlb(record)) {
        return 'a slot of its size class was free, but the kernel got no memory for the entry in its index without waiting.';
      }
      return `needs ${need(numbers)}; the pool had no place and the kernel could not allocate memory for another one without waiting.`;
    case 'atomic-pool-empty':
      return 'the pool for atomic coherent allocations is exhausted; swiotlb= does not change its size.';
    case 'class-empty':
      return explainClassEmpty(numbers);
    case 'attribute-mismatch':
      return 'the memory of the pool does not have the encryption attribute this mapping needs.';
    case 'lockup':
      return 'a CPU did not come back from the search for free slots.';
    case 'deadlock':
      return 'the mapping waits for memory that only this I/O could free.';
    case 'unknown':
      return explainUnknown(numbers, record);
    default:
      return unreachable(cause);
  }
}

/** cc-swiotlb takes the first class that fits size and alignment, and never a larger one when that is empty. */
function explainClassEmpty(numbers: FailureNumbers): string {
  const size = CLASS_BYTES.find((bytes) => bytes >= numbers.sizeBytes);
  if (numbers.sizeBytes < 0 || size === undefined) {
    return 'a size class of cc-swiotlb had no free buffer left.';
  }
  return `needs a buffer for ${formatSizeInText(numbers.sizeBytes)}; the size class that fits (${formatBytes(size)}, or a larger one where alignment asks for it) has none left, and no other class stands in.`;
}

function explainOverSize(numbers: FailureNumbers, limitBytes: number): string {
  const limit = `limit ${formatBytes(limitBytes)} per mapping`;
  const pool =
    numbers.totalSlots > 0 && numbers.usedSlots >= 0 && numbers.usedSlots <= numbers.totalSlots
      ? `; the pool is ${formatPercent((numbers.totalSlots - numbers.usedSlots) / numbers.totalSlots)} free`
      : '';
  return `${formatSizeInText(numbers.sizeBytes)} cannot be bounced, at any pool size (${limit}${pool}).`;
}

function explainFragmented(numbers: FailureNumbers): string {
  const wanted = numbers.neededSlots > 1 ? `${need(numbers)} in a row` : need(numbers);
  if (numbers.largestHole >= 0) {
    return `needs ${wanted}; ${freeOf(numbers)}${holeText(numbers)}.`;
  }
  const but = `needs ${wanted}; ${freeOf(numbers)}, but none where the search may take them`;
  return numbers.alone === true ? `${but}. One line cannot tell holes, areas and alignment apart.` : `${but}.`;
}

function explainAddressLimit(numbers: FailureNumbers, record: LogRecord | null): string {
  const reach = record === null ? '' : reachText(record);
  if (record === null || isBounceOverflow(record)) {
    const what = record === null ? 'the pool' : 'the bounce buffer itself';
    return `${what} lies above what the device can address${reach}; a bigger pool does not help.`;
  }
  if (record.text.includes('DMA addr')) {
    return `the buffer lies above what the device can address${reach} and there was no pool to bounce it; the size of the pool is not the problem.`;
  }
  const tooLarge =
    numbers.sizeBytes > SEGMENT_BYTES
      ? ` With ${formatSizeInText(numbers.sizeBytes)} it is also over the ${formatBytes(SEGMENT_BYTES)} that can be bounced.`
      : '';
  return `the buffer lies above what the device can address${reach} and was not bounced.${tooLarge}`;
}

/** The smaller of DMA mask and bus limit, in words; '' when neither limits. */
function reachText(record: LogRecord): string {
  const mask = record.maskBits > 0 && record.maskBits < 64 ? 2 ** record.maskBits : Number.POSITIVE_INFINITY;
  const bus = record.busLimit > 0 ? record.busLimit + 1 : Number.POSITIVE_INFINITY;
  if (bus < mask) {
    return ` (the bus reaches up to ${formatBytes(bus)})`;
  }
  return mask < Number.POSITIVE_INFINITY ? ` (${record.maskBits}-bit DMA mask, up to ${formatBytes(mask)})` : '';
}

/** A message that only cc-swiotlb prints. */
export function isCcSwiotlb(record: LogRecord | null): boolean {
  return record?.kind === 'class-empty' || record?.kind === 'index-failed';
}

/** `swiotlb addr …` names the bounce buffer; the other overflow messages name the buffer itself. */
export function isBounceOverflow(record: LogRecord): boolean {
  return record.kind === 'overflow' && record.text.includes('swiotlb addr');
}

function explainUnknown(numbers: FailureNumbers, record: LogRecord | null): string {
  const what = numbers.neededSlots > 0 ? `${need(numbers)} could not be had. ` : 'no bounce buffer could be had. ';
  if (record !== null && record.usedSlots > WRAPPED_COUNTER) {
    return `${what}The counter of used slots is broken in this kernel (it went below zero), so full and fragmented cannot be told apart.`;
  }
  if (record !== null && record.kind === 'coherent-failed') {
    return `${what}A coherent allocation failed and the message has no counters, so it cannot be told why.`;
  }
  if (numbers.alone === true && numbers.totalSlots < 0) {
    return `${what}This message has no counters, so a full pool, fragmentation and alignment cannot be told apart.`;
  }
  return `${what}By the recorded addresses there was room: other CPUs may have held the slots for a moment, or mappings that the trace does not show.`;
}

function need(numbers: FailureNumbers): string {
  if (numbers.neededSlots < 0) {
    return 'slots';
  }
  if (numbers.neededSlots > SEGMENT_SLOTS) {
    return formatSlotsAndBytes(numbers.neededSlots);
  }
  return `${formatSlots(numbers.neededSlots)} (${formatSize(numbers.sizeBytes)})`;
}

function freeOf(numbers: FailureNumbers): string {
  if (numbers.totalSlots < 0 || numbers.usedSlots < 0) {
    return 'the number of free slots is not known';
  }
  const free = Math.max(0, numbers.totalSlots - numbers.usedSlots);
  return `${formatCount(free)} of ${formatCount(numbers.totalSlots)} ${free === 1 ? 'is' : 'are'} free`;
}

function holeText(numbers: FailureNumbers): string {
  if (numbers.largestHole < 0) {
    return '';
  }
  return `, largest run ${numbers.holeAtMost === true ? 'at most ' : ''}${formatCount(numbers.largestHole)}`;
}

/** Where no failure was found: that there was none can be said only if every result is known. */
export function describeNoFailure(unknownResults: number): string {
  return unknownResults === 0
    ? 'No mapping failed'
    : `No failure is recorded, but the trace does not tell the result of ${plural(unknownResults, 'attempt')}`;
}

/** `61 fragmented and 17 pool full`: causes by frequency; a single cause needs no count. */
export function describeCauseCounts(counts: ReadonlyMap<Cause, number>): string {
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  const [only] = sorted;
  if (only !== undefined && sorted.length === 1) {
    return causeTitle(only[0]).toLowerCase();
  }
  return joinWords(sorted.map(([cause, count]) => `${formatCount(count)} ${causeTitle(cause).toLowerCase()}`));
}
