import { type Bytes, DEFAULT_POOL_SLOTS, MIN_POOL_SLOTS, SEGMENT_SLOTS, SLOT_BYTES, type Slots } from '../model/units';
import { limitAreas, roundUpToSegment } from './sizes';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

export interface BootRequest {
  /** Value of `swiotlb=`; null when the command line has none. */
  readonly parameter: string | null;
  /** num_possible_cpus. */
  readonly possibleCpus: number;
  /** Size the architecture asks for (swiotlb_adjust_size), see `encryptedGuestBytes` and `unalignedBounceBytes`; null none. */
  readonly archAdjustBytes: Bytes | null;
  /** The machine needs bouncing without `force`: memory above the DMA limit, or an encrypted guest. */
  readonly addressingLimited: boolean;
  /** SWIOTLB_VERBOSE: the `mapped` line is printed. */
  readonly verbose: boolean;
  /** Largest pool memory can be found for; absent: every allocation succeeds. */
  readonly largestAllocation?: Bytes;
}

export interface BootSizing {
  /** null: no pool is set up. */
  readonly pool: { readonly slots: Slots; readonly areas: number } | null;
  readonly force: boolean;
  readonly noforce: boolean;
  /** default_nslabs and default_nareas afterwards: what the growth worker will ask for. */
  readonly defaultSlots: Slots;
  readonly defaultAreas: number;
  /** What happened, in order, one sentence each. */
  readonly steps: readonly string[];
  /** The kernel's log lines, without the prefix `software IO TLB: `. Addresses are START and END. */
  readonly messages: readonly string[];
}

/** What the kernel makes of a `swiotlb=` parameter at boot (kernel/dma/swiotlb.c, 6.12; the parser is the same in 6.1). */
export function sizeBootPool(request: BootRequest): BootSizing {
  const boot = new BootState();
  if (request.parameter !== null) {
    boot.parse(request.parameter);
  }
  if (request.archAdjustBytes !== null) {
    boot.adjustSize(request.archAdjustBytes);
  }
  const pool = boot.init(request);
  return {
    pool,
    force: boot.force,
    noforce: boot.noforce,
    defaultSlots: boot.slots,
    defaultAreas: boot.areas,
    steps: boot.steps,
    messages: boot.messages,
  };
}

/**
 * swiotlb_init_late: page allocator, downwards in powers of two while above 1 MiB.
 * `largestAllocation`: the largest block of pages there is, in bytes. null: nothing could be allocated.
 */
export function sizeLatePool(
  sizeBytes: Bytes,
  possibleCpus: number,
  pageSize: Bytes,
  largestAllocation: Bytes,
): { slots: Slots; areas: number; messages: string[] } | null {
  const wanted = roundUpToSegment(Math.floor(sizeBytes / SLOT_BYTES));
  const full = powerOfTwo(Math.max(wanted, pageSize / SLOT_BYTES));
  for (let slots = full; slots > MIN_POOL_SLOTS; slots /= 2) {
    if (slots * SLOT_BYTES > largestAllocation) {
      continue;
    }
    const messages = slots === full ? [] : [`only able to allocate ${Math.floor((slots * SLOT_BYTES) / MIB)} MB`];
    return { slots, areas: limitAreas(powerOfTwo(possibleCpus), slots), messages };
  }
  return null;
}

/** SEV and TDX guests: 6 % of memory, at least 64 MiB, at most 1 GiB (mem_encrypt_setup_arch). */
export function encryptedGuestBytes(memoryBytes: Bytes): Bytes {
  return Math.min(Math.max(Math.floor((memoryBytes * 6) / 100), DEFAULT_POOL_SLOTS * SLOT_BYTES), GIB);
}

/** arm64 without an addressing limit, pool only for unaligned kmalloc buffers: 1 MiB per GiB, at most the default. */
export function unalignedBounceBytes(memoryBytes: Bytes): Bytes {
  return Math.min(DEFAULT_POOL_SLOTS * SLOT_BYTES, Math.ceil(memoryBytes / 1024));
}

/** default_nslabs, default_nareas and the flags, as the steps of boot change them. */
class BootState {
  slots: Slots = DEFAULT_POOL_SLOTS;
  /** 0: unset. */
  areas = 0;
  force = false;
  noforce = false;
  readonly steps: string[] = [];
  readonly messages: string[] = [];

  /** setup_io_tlb_npages: by position, not by keyword; what is left over must be a whole keyword. */
  parse(parameter: string): void {
    let rest = parameter;
    if (startsWithDigit(rest)) {
      const [value, length] = parseNumber(rest);
      rest = rest.slice(length);
      this.slots = roundUpToSegment(value);
      this.steps.push(
        value === this.slots
          ? `The parameter asks for ${value} slots.`
          : `The parameter asks for ${value} slots, rounded up to whole segments: ${this.slots}.`,
      );
    }
    if (rest.startsWith(',')) {
      rest = rest.slice(1);
    }
    if (startsWithDigit(rest)) {
      const [value, length] = parseNumber(rest);
      rest = rest.slice(length);
      // swiotlb_adjust_nareas takes an unsigned int.
      this.adjustAreas(value >>> 0, 'The parameter asks');
    }
    if (rest.startsWith(',')) {
      rest = rest.slice(1);
    }
    if (rest === 'force') {
      this.force = true;
      this.steps.push('force: every mapping bounces.');
    } else if (rest === 'noforce') {
      this.noforce = true;
      this.steps.push('noforce: no pool is set up.');
    } else if (rest !== '') {
      this.steps.push(`"${rest}" is ignored: the parameter is read by position, <slots>,<areas>,force|noforce.`);
    }
  }

  /** swiotlb_adjust_size: only while the size is the default, given explicitly or not. */
  adjustSize(bytes: Bytes): void {
    if (this.slots !== DEFAULT_POOL_SLOTS) {
      this.steps.push(`The size the architecture asks for (${inMiB(bytes)} MB) is ignored: the size was set.`);
      return;
    }
    let size = Math.ceil(bytes / SLOT_BYTES) * SLOT_BYTES;
    this.slots = roundUpToSegment(size / SLOT_BYTES);
    this.steps.push(`The architecture asks for ${inMiB(size)} MB: ${this.slots} slots.`);
    if (this.roundUp(null)) {
      size = this.slots * SLOT_BYTES;
    }
    this.messages.push(`SWIOTLB bounce buffer size adjusted to ${inMiB(size)}MB`);
  }

  /** swiotlb_init_remap. */
  init(request: BootRequest): BootSizing['pool'] {
    if (!request.addressingLimited && !this.force) {
      this.steps.push('No pool: all memory is in reach of every device and bouncing is not forced.');
      return null;
    }
    if (this.noforce) {
      return null;
    }
    if (this.areas === 0) {
      this.adjustAreas(
        request.possibleCpus,
        request.possibleCpus === 1 ? '1 possible CPU asks' : `${request.possibleCpus} possible CPUs ask`,
      );
    }
    const largest = request.largestAllocation ?? Number.POSITIVE_INFINITY;
    let slots = this.slots;
    let areas = limitAreas(this.areas, slots);
    while (slots * SLOT_BYTES > largest) {
      this.messages.push(`swiotlb_memblock_alloc: Failed to allocate ${slots * SLOT_BYTES} bytes tlb structure`);
      if (slots <= MIN_POOL_SLOTS) {
        this.steps.push('No pool: there was no memory for the smallest one.');
        return null;
      }
      slots = roundUpToSegment(slots / 2);
      areas = limitAreas(areas, slots);
    }
    if (slots !== this.slots) {
      this.messages.push(`SWIOTLB bounce buffer size adjusted ${this.slots} -> ${slots} slabs`);
      this.steps.push(`There was memory for ${slots} of ${this.slots} slots.`);
      this.slots = slots;
    }
    if (request.verbose) {
      this.messages.push(`mapped [mem START-END] (${inMiB(slots * SLOT_BYTES)}MB)`);
    }
    this.steps.push(
      `The pool has ${slots} slots (${slots * SLOT_BYTES} bytes) in ${areas} ${areas === 1 ? 'area' : 'areas'}.`,
    );
    return { slots, areas };
  }

  /** swiotlb_adjust_nareas. */
  private adjustAreas(wanted: number, who: string): void {
    this.areas = powerOfTwo(Math.max(1, wanted));
    this.steps.push(
      `${who} for ${wanted} ${wanted === 1 ? 'area' : 'areas'}${this.areas === wanted ? '' : `, rounded up to ${this.areas}`}.`,
    );
    this.messages.push(`area num ${this.areas}.`);
    const text = (): string => `SWIOTLB bounce buffer size roundup to ${inMiB(this.slots * SLOT_BYTES)}MB`;
    this.roundUp(text);
  }

  /** round_up_default_nslabs: a segment for every area, and a power of two. */
  private roundUp(message: (() => string) | null): boolean {
    if (this.areas === 0) {
      return false;
    }
    const before = this.slots;
    this.slots = powerOfTwo(Math.max(before, this.areas * SEGMENT_SLOTS));
    if (this.slots === before) {
      return false;
    }
    this.steps.push(
      before < this.areas * SEGMENT_SLOTS
        ? `Each area needs a segment of ${SEGMENT_SLOTS} slots: ${this.slots} slots.`
        : `The size is rounded up to a power of two: ${this.slots} slots.`,
    );
    if (message !== null) {
      this.messages.push(message());
    }
    return true;
  }
}

/** simple_strtoul with base 0: 0x hexadecimal, leading 0 octal, otherwise decimal; and how many characters it took. */
function parseNumber(text: string): [number, number] {
  const match = /^0[xX][0-9a-fA-F]+/.exec(text) ?? /^0[0-7]*/.exec(text) ?? /^[1-9][0-9]*/.exec(text);
  const digits = match?.[0] ?? '';
  const isOctal = digits.length > 1 && digits.startsWith('0') && !/^0x/i.test(digits);
  return [isOctal ? Number.parseInt(digits, 8) : Number(digits), digits.length];
}

function startsWithDigit(text: string): boolean {
  return /^[0-9]/.test(text);
}

function powerOfTwo(value: number): number {
  let power = 1;
  while (power < value) {
    power *= 2;
  }
  return power;
}

function inMiB(bytes: Bytes): number {
  return Math.floor(bytes / MIB);
}
