import { Direction, type DirectionCode, DmaAttribute, type TraceEvent } from '../model/events';
import {
  asciiBytes,
  Byte,
  ByteMap,
  hashEnd,
  hashStart,
  hashStep,
  hexDigit,
  hexDigits,
  isBlank,
  isDigit,
  isWord,
  skipBlanks,
  startsWithAt,
  wordBytes,
} from './bytes';
import { maxPredictedKeys, type ReaderContext } from './context';

/** Which fields of an event's text were there and whole. */
export const Seen = {
  device: 1 << 0,
  direction: 1 << 1,
  dma: 1 << 2,
  size: 1 << 3,
  original: 1 << 4,
  attributes: 1 << 5,
  sgDma: 1 << 6,
  sgSizes: 1 << 7,
  sgOriginal: 1 << 8,
  /** FORCE, NORMAL or NO_FORCE (or force= of raw reports): the last word of swiotlb_bounced. */
  forceWord: 1 << 9,
  error: 1 << 10,
  mask: 1 << 11,
  deviceAddress: 1 << 12,
  /** A key came twice, a word stands where none belongs, or a number runs into other text: two lines glued together or a cut. */
  torn: 1 << 13,
  allocSize: 1 << 14,
  alignMask: 1 << 15,
  poolStart: 1 << 16,
  poolEnd: 1 << 17,
  poolSlots: 1 << 18,
  poolAreas: 1 << 19,
  transient: 1 << 20,
  pool: 1 << 21,
  /** The all-ones value of `dma`. */
  dmaAllOnes: 1 << 22,
  /** A value printed as (fault). */
  fault: 1 << 23,
  /** The pool pointer was null. */
  nullPool: 1 << 24,
  order: 1 << 25,
  page: 1 << 26,
  work: 1 << 27,
} as const;

/** Dense numbers, so that the switch in the hot loop is a jump table. */
const Meaning = {
  direction: 0,
  dma: 1,
  size: 2,
  original: 3,
  attributes: 4,
  sgDma: 5,
  sgSizes: 6,
  sgOriginal: 7,
  error: 8,
  mask: 9,
  deviceAddress: 10,
  force: 11,
  device: 12,
  nents: 13,
  allocSize: 14,
  alignMask: 15,
  poolStart: 16,
  poolEnd: 17,
  poolSlots: 18,
  poolAreas: 19,
  transient: 20,
  pool: 21,
  order: 22,
  page: 23,
  pfn: 24,
  work: 25,
  argument: 26,
} as const;
type KeyMeaning = keyof typeof Meaning;

/** The Seen bit of each meaning; 0 where it does not matter whether the field was there. */
const bitOfMeaning = Int32Array.from(Object.keys(Meaning), (meaning) => {
  const name = meaning === 'force' ? 'forceWord' : meaning;
  return name in Seen ? Seen[name as keyof typeof Seen] : 0;
});

/** Field keys of all events, several spellings to one meaning. */
const keyMeanings: readonly (readonly [meaning: KeyMeaning, keys: readonly string[]])[] = [
  ['direction', ['dir', 'direction']],
  ['dma', ['dma_addr', 'tlb', 'tlb_addr', 'ret', 'retval', 'bounce', 'bounce_addr', 'dma', 'addr']],
  ['size', ['size', 'mapping_size', 'map_size', 'len', 'sz', 'bytes']],
  ['original', ['phys_addr', 'orig', 'orig_addr', 'original', 'phys', 'paddr', 'orig_phys']],
  ['attributes', ['attrs', 'attr']],
  ['sgDma', ['dma_addrs']],
  ['sgSizes', ['sizes', 'lengths']],
  ['sgOriginal', ['phys_addrs', 'addrs']],
  ['error', ['err', 'error']],
  ['mask', ['dma_mask']],
  ['deviceAddress', ['dev_addr']],
  ['force', ['force', 'swiotlb_force']],
  ['device', ['device', 'dev', 'dev_name', 'name', 'devname']],
  ['nents', ['nents', 'full_nents']],
  ['allocSize', ['alloc_size', 'asize']],
  ['alignMask', ['amask', 'align', 'align_mask', 'alloc_align', 'alloc_align_mask', 'alignmask']],
  ['poolStart', ['start', 'pool_start']],
  ['poolEnd', ['end', 'pool_end']],
  ['poolSlots', ['nslabs', 'pool_nslabs', 'slots']],
  ['poolAreas', ['nareas', 'areas', 'pool_nareas']],
  ['transient', ['transient', 'is_transient']],
  ['pool', ['pool']],
  ['order', ['order']],
  ['page', ['page']],
  ['pfn', ['pfn']],
  ['work', ['function', 'func']],
  ['argument', ['arg1', 'arg2', 'arg3', 'arg4', 'arg5', 'arg6']],
];

const keys = ByteMap.of(keyMeanings.flatMap(([, names]) => names));
const meaningOfKey = Uint8Array.from(keyMeanings.flatMap(([meaning, names]) => names.map(() => Meaning[meaning])));

/** What a key of an event's text means; null for unknown keys. */
export function meaningOfKeyName(name: string): string | null {
  return keyMeanings.find(([, names]) => names.includes(name))?.[0] ?? null;
}

/** All keys with their `=`, one after the other, to compare a predicted key without hashing. */
const keyOffsets = new Int32Array(keyMeanings.reduce((sum, [, names]) => sum + names.length, 1));
const keyText = asciiBytes(
  keyMeanings
    .flatMap(([, names]) => names)
    .map((name, index) => {
      keyOffsets[index + 1] = keyOffsets[index] + name.length + 1;
      return `${name}=`;
    })
    .join(''),
);

function startsWithKey(key: number, buffer: Uint8Array, position: number, end: number): boolean {
  const first = keyOffsets[key];
  const length = keyOffsets[key + 1] - first;
  if (position + length > end) {
    return false;
  }
  for (let i = 0; i < length; i++) {
    if (buffer[position + i] !== keyText[first + i]) {
      return false;
    }
  }
  return true;
}

const attributeNames: readonly (readonly [string, number])[] = [
  ['WEAK_ORDERING', DmaAttribute.weakOrdering],
  ['WRITE_COMBINE', DmaAttribute.writeCombine],
  ['NO_KERNEL_MAPPING', DmaAttribute.noKernelMapping],
  ['SKIP_CPU_SYNC', DmaAttribute.skipCpuSync],
  ['FORCE_CONTIGUOUS', DmaAttribute.forceContiguous],
  ['ALLOC_SINGLE_PAGES', DmaAttribute.allocSinglePages],
  ['NO_WARN', DmaAttribute.noWarn],
  ['PRIVILEGED', DmaAttribute.privileged],
  ['MMIO', DmaAttribute.mmio],
  // Known names of later kernels without a bit of their own here.
  ['DEBUGGING_IGNORE_CACHELINES', 0],
  ['CACHELINES_OVERLAP', 0],
  ['CPU_CACHE_CLEAN', 0],
  ['REQUIRE_COHERENT', 0],
  ['CC_SHARED', 0],
];
const attributes = ByteMap.of(attributeNames.map(([name]) => name));

const wordForce = asciiBytes('FORCE');
/** 3.12 to 4.9; without it they print nothing there. */
const wordSwiotlbForce = asciiBytes('swiotlb_force');
const upperHalf = asciiBytes('ffff');
const wordNormal = asciiBytes('NORMAL');
const wordNoForce = asciiBytes('NO_FORCE');
const wordForceOff = asciiBytes('FORCEOFF');
const wordTruncated = asciiBytes('[TRUNCATED]');
const wordDevName = asciiBytes('dev_name:');
const wordFailedToParse = asciiBytes('[FAILED TO PARSE]');
const wordArray = asciiBytes('ARRAY[');
const wordFault = asciiBytes('(fault)');

const maxListEntries = 4096;
const maxExact = 2 ** 53;
const maxSizeBytes = 0xffffffff;

/** Result of the last number read; one object instead of a result per number. */
const number = { value: 0, end: 0, digits: 0, allOnes: false };

/** Reads hex digits, with or without 0x. */
function readHex(buffer: Uint8Array, position: number, end: number): void {
  if (buffer[position] === Byte.zero && position + 1 < end && (buffer[position + 1] | 32) === 120) {
    position += 2;
  }
  const start = position;
  // Seven digits fit a small integer; the rest is added as a float.
  const smallEnd = Math.min(end, position + 7);
  let small = 0;
  let ones = 15;
  let digit = 0;
  while (position < smallEnd) {
    digit = hexDigits[buffer[position]];
    if (digit < 0) {
      break;
    }
    small = (small << 4) | digit;
    ones &= digit;
    position++;
  }
  let value = small;
  if (digit >= 0) {
    while (position < end) {
      digit = hexDigits[buffer[position]];
      if (digit < 0) {
        break;
      }
      value = value * 16 + digit;
      ones &= digit;
      position++;
    }
  }
  const digits = position - start;
  number.value = value;
  number.end = position;
  number.digits = digits;
  number.allOnes = ones === 15 && (digits === 16 || digits === 8);
}

/** Reads decimal digits, or hex when 0x says so. A leading minus is accepted. */
function readNumber(buffer: Uint8Array, position: number, end: number): void {
  if (buffer[position] === Byte.zero && position + 1 < end && (buffer[position + 1] | 32) === 120) {
    readHex(buffer, position, end);
    return;
  }
  const negative = buffer[position] === Byte.dash;
  if (negative) {
    position++;
  }
  let value = 0;
  let digits = 0;
  while (position < end && isDigit(buffer[position])) {
    value = value * 10 + buffer[position] - 48;
    digits++;
    position++;
  }
  number.value = negative ? -value : value;
  number.end = position;
  number.digits = digits;
  number.allOnes = false;
}

/**
 * Reads `KEY=VALUE` pairs and bare words from `position` to `end` into the event, by key, in any order.
 * Unknown keys are skipped. Words before the first key are the device name.
 * Returns the Seen set.
 */
export function readFields(
  context: ReaderContext,
  event: TraceEvent,
  buffer: Uint8Array,
  position: number,
  end: number,
): number {
  let seen = 0;
  let deviceStart = -1;
  let deviceEnd = -1;
  let argument = Number.NaN;
  let argumentAllOnes = false;
  clearList(event.sgDma);
  clearList(event.sgSizes);
  clearList(event.sgOriginal);
  const lastByteAmbiguous = !context.terminated;
  const order = context.keyOrder;
  let ordinal = 0;
  if (startsWithAt(buffer, position, end, wordFailedToParse)) {
    // trace-cmd could not format the event and lists its raw fields.
    position += wordFailedToParse.length;
  }

  while (position < end) {
    if (isBlank(buffer[position])) {
      position++;
      continue;
    }
    // The key, or a bare word.
    const start = position;
    let key = order[ordinal];
    if (!startsWithKey(key, buffer, start, end)) {
      key = -1;
    }
    if (key >= 0) {
      position += keyOffsets[key + 1] - keyOffsets[key] - 1;
    }
    let hash = hashStart;
    while (key < 0 && position < end && wordBytes[buffer[position]] === 1) {
      hash = hashStep(hash, buffer[position]);
      position++;
    }
    if (position >= end || buffer[position] !== Byte.equals || position === start) {
      while (position < end && !isBlank(buffer[position])) {
        position++;
      }
      if (isForceWord(buffer, start, position)) {
        seen |= (seen & Seen.forceWord) === 0 ? Seen.forceWord : Seen.torn;
        event.forced = isForced(buffer, start, position);
      } else if (startsWithAt(buffer, start, position, wordTruncated)) {
        event.sgTruncated = true;
      } else if (startsWithAt(buffer, start, position, wordDevName)) {
        if (deviceStart >= 0) {
          seen |= Seen.torn;
        }
      } else if ((seen & ~Seen.device) === 0) {
        deviceStart = deviceStart < 0 ? start : deviceStart;
        deviceEnd = position;
        seen |= Seen.device;
      } else if (isCodeAddress(buffer, start, position)) {
        // `perf script -F ip,sym` prints where the event is behind its text.
        break;
      } else if (hasWordByte(buffer, start, position) && !isDecimal(buffer, start, position)) {
        seen |= Seen.torn;
      }
      continue;
    }

    if (key < 0) {
      key = keys.findHashed(buffer, start, position, hashEnd(hash));
      order[ordinal] = Math.max(key, 0);
    }
    if (ordinal < maxPredictedKeys - 1) {
      ordinal++;
    }
    position++;
    const valueStart = position;
    if (key < 0) {
      // `FORCE=20`: quoted-printable glued to the last word.
      if (isForceWord(buffer, start, position - 1)) {
        seen |= Seen.forceWord;
        event.forced = isForced(buffer, start, position - 1);
      }
      position = skipValue(buffer, position, end);
      continue;
    }
    const meaning = meaningOfKey[key];
    let bit = bitOfMeaning[meaning];
    let isNumber = true;
    switch (meaning) {
      case Meaning.dma:
        readHex(buffer, position, end);
        event.dma = number.allOnes ? Number.NaN : usableAddress(context);
        seen |= number.allOnes ? Seen.dmaAllOnes : 0;
        break;
      case Meaning.original:
      case Meaning.deviceAddress:
        readHex(buffer, position, end);
        event.original = usableAddress(context);
        break;
      case Meaning.size:
        readNumber(buffer, position, end);
        event.sizeBytes = usableSize(context);
        break;
      case Meaning.direction:
        isNumber = false;
        event.direction = readDirection(buffer, position, end);
        position = skipValue(buffer, position, end);
        seen |= lastByteAmbiguous && position === end ? Seen.torn : 0;
        break;
      case Meaning.attributes:
        isNumber = false;
        position = readAttributes(event, buffer, position, end);
        if (position < 0) {
          // An unknown name or a number: whole only when something follows.
          position = skipValue(buffer, valueStart, end);
          seen |= lastByteAmbiguous && position === end ? Seen.torn : 0;
        }
        break;
      case Meaning.mask:
        readHex(buffer, position, end);
        event.dmaMaskBits = number.allOnes && number.digits === 16 ? 64 : bitLength(number.value);
        break;
      case Meaning.sgDma:
      case Meaning.sgSizes:
      case Meaning.sgOriginal: {
        isNumber = false;
        const list =
          meaning === Meaning.sgDma ? event.sgDma : meaning === Meaning.sgSizes ? event.sgSizes : event.sgOriginal;
        position = readList(context, list, buffer, position, end, meaning === Meaning.sgSizes ? 4 : 8);
        if (position < 0) {
          seen |= Seen.torn;
          position = end;
        }
        break;
      }
      case Meaning.device: {
        isNumber = false;
        position = skipValue(buffer, position, end);
        if ((seen & Seen.device) !== 0) {
          break;
        }
        const quoted = buffer[valueStart] === Byte.quote;
        deviceStart = quoted ? valueStart + 1 : valueStart;
        deviceEnd = position;
        if (quoted) {
          // A name cut before its closing quote would invent a device.
          if (position - 1 > valueStart && buffer[position - 1] === Byte.quote) {
            deviceEnd = position - 1;
          } else {
            seen |= Seen.torn;
          }
        }
        break;
      }
      case Meaning.nents:
        isNumber = false;
        readNumber(buffer, position, end);
        event.sgTotal = number.value;
        if (buffer[number.end] === Byte.slash) {
          const traced = number.value;
          readNumber(buffer, number.end + 1, end);
          event.sgTotal = number.value;
          event.sgTruncated ||= traced < number.value;
        }
        position = skipValue(buffer, position, end);
        break;
      case Meaning.work:
        isNumber = false;
        position = skipValue(buffer, position, end);
        break;
      case Meaning.page:
        position = skipBlanks(buffer, position, end);
        if (buffer[position] === Byte.open) {
          // (nil) of trace-cmd, (null) of older kernels.
          isNumber = false;
          event.failed = true;
          position = skipValue(buffer, position, end);
        } else {
          readHex(buffer, position, end);
          event.failed ||= number.digits > 0 && number.value === 0;
        }
        break;
      case Meaning.pool:
        // A kernel pointer: only null or not matters.
        readHex(buffer, position, end);
        seen |= number.digits > 0 && number.value === 0 ? Seen.nullPool : 0;
        break;
      case Meaning.argument:
        readHex(buffer, position, end);
        argument = number.value;
        argumentAllOnes = number.allOnes;
        break;
      case Meaning.allocSize:
        readNumber(buffer, position, end);
        if ((seen & Seen.size) === 0) {
          event.sizeBytes = usableSize(context);
        }
        break;
      case Meaning.poolStart:
        readHex(buffer, position, end);
        event.poolStart = usableAddress(context);
        break;
      case Meaning.poolEnd:
        readHex(buffer, position, end);
        event.poolEnd = usableAddress(context);
        break;
      default:
        readNumber(buffer, position, end);
        setCount(event, meaning, number.value);
        break;
    }
    if (isNumber) {
      position = number.end;
      if (number.digits === 0) {
        if (startsWithAt(buffer, valueStart, end, wordFault)) {
          seen |= Seen.fault;
          bit = 0;
          position = valueStart + wordFault.length;
        } else {
          seen |= Seen.torn;
        }
      } else if (position === end) {
        // A number at a cut-off end may lack digits.
        seen |= lastByteAmbiguous ? Seen.torn : 0;
      } else if (!isBlank(buffer[position]) && hasWordByte(buffer, position, skipValue(buffer, position, end))) {
        seen |= Seen.torn;
      }
      position = skipValue(buffer, position, end);
    }
    if ((seen & bit) !== 0) {
      seen |= Seen.torn;
    }
    seen |= bit;
  }

  if (deviceStart >= 0) {
    event.device = context.internDevice(buffer, deviceStart, deviceEnd);
  }
  if ((seen & Seen.dma) === 0 && !Number.isNaN(argument)) {
    // Probes defined without argument names: the only value of a return probe is its result.
    event.dma = argumentAllOnes ? Number.NaN : argument;
    seen |= Seen.dma | (argumentAllOnes ? Seen.dmaAllOnes : 0);
  }
  return seen;
}

/** Fields that are plain numbers. */
function setCount(event: TraceEvent, meaning: number, value: number): void {
  switch (meaning) {
    case Meaning.error:
      event.error = value;
      break;
    case Meaning.force:
      // Of the enumeration of 4.10 to 5.19, 2 is NO_FORCE.
      event.forced = value === 1;
      break;
    case Meaning.alignMask:
      event.allocAlignMask = value;
      break;
    case Meaning.poolSlots:
      event.poolSlots = value;
      break;
    case Meaning.poolAreas:
      event.poolAreas = value;
      break;
    case Meaning.transient:
      event.transient = value === 0 ? 0 : 1;
      break;
    case Meaning.order:
      event.order = value;
      break;
    default:
      break;
  }
}

function isForceWord(buffer: Uint8Array, start: number, end: number): boolean {
  return (
    startsWithAt(buffer, start, end, wordForce) ||
    startsWithAt(buffer, start, end, wordNormal) ||
    startsWithAt(buffer, start, end, wordNoForce) ||
    startsWithAt(buffer, start, end, wordSwiotlbForce)
  );
}

/** `(54)`: the option `fields` of the tracer prints every number a second time. */
function isDecimal(buffer: Uint8Array, start: number, end: number): boolean {
  const first = buffer[start + 1] === Byte.dash ? start + 2 : start + 1;
  if (buffer[start] !== Byte.open || buffer[end - 1] !== Byte.close || first >= end - 1) {
    return false;
  }
  for (let i = first; i < end - 1; i++) {
    if (!isDigit(buffer[i])) {
      return false;
    }
  }
  return true;
}

/** Of the upper half of the address space, where the kernel is. */
function isCodeAddress(buffer: Uint8Array, start: number, end: number): boolean {
  if (end - start !== 16 || !startsWithAt(buffer, start, end, upperHalf)) {
    return false;
  }
  for (let i = start; i < end; i++) {
    if (hexDigit(buffer[i]) < 0) {
      return false;
    }
  }
  return true;
}

/** FORCE, but not FORCEOFF. */
function isForced(buffer: Uint8Array, start: number, end: number): boolean {
  return (
    (startsWithAt(buffer, start, end, wordForce) && !startsWithAt(buffer, start, end, wordForceOff)) ||
    startsWithAt(buffer, start, end, wordSwiotlbForce)
  );
}

/** Setting a length costs even when nothing changes. */
function clearList(list: number[]): void {
  if (list.length > 0) {
    list.length = 0;
  }
}

function hasWordByte(buffer: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if (isWord(buffer[i])) {
      return true;
    }
  }
  return false;
}

/** End of a value: the next blank, or past the closing quote of a string. */
function skipValue(buffer: Uint8Array, position: number, end: number): number {
  if (buffer[position] === Byte.quote && position < end) {
    for (let i = position + 1; i < end; i++) {
      if (buffer[i] === Byte.quote) {
        return i + 1;
      }
    }
    return end;
  }
  while (position < end && !isBlank(buffer[position])) {
    position++;
  }
  return position;
}

function usableAddress(context: ReaderContext): number {
  if (number.digits === 0 || (number.allOnes && number.digits === 16)) {
    return Number.NaN;
  }
  return checkAddress(context, number.value) ? number.value : Number.NaN;
}

function checkAddress(context: ReaderContext, value: number): boolean {
  if (value <= maxExact) {
    return true;
  }
  context.problem(
    'address-too-large',
    `An address above 2^53 (about ${value.toExponential(3)}) cannot be kept exactly.`,
  );
  return false;
}

function usableSize(context: ReaderContext): number {
  if (number.value > maxSizeBytes) {
    context.problem('size-too-large', `A size of about ${number.value.toExponential(3)} bytes was taken as 4 GiB − 1.`);
    return maxSizeBytes;
  }
  return number.value;
}

/** Bits of a contiguous low mask: 0xffffffff is 32, 0 is 0. */
export function bitLength(mask: number): number {
  let bits = 0;
  while (mask >= 1) {
    mask = Math.floor(mask / 2);
    bits++;
  }
  return Math.min(bits, 64);
}

/** Printed names, or the kernel's numbers (0 bidirectional, 1 to device, 2 from device, 3 none). */
function readDirection(buffer: Uint8Array, position: number, end: number): DirectionCode {
  if (position >= end) {
    return Direction.none;
  }
  switch (buffer[position]) {
    case 84:
    case 49:
      return Direction.toDevice;
    case 70:
    case 50:
      return Direction.fromDevice;
    case 66:
      return Direction.bidirectional;
    case 48: {
      // Zero, or the start of 0x1.
      if (position + 1 < end && (buffer[position + 1] | 32) === 120) {
        return readDirection(buffer, position + 2, end);
      }
      return Direction.bidirectional;
    }
    default:
      return Direction.none;
  }
}

/** Names joined by `|`, or a number. Returns the end, or -1 when a part may lack its end: a number or an unknown name. */
function readAttributes(event: TraceEvent, buffer: Uint8Array, position: number, end: number): number {
  let known = true;
  while (position < end && !isBlank(buffer[position])) {
    const start = position;
    if (isDigit(buffer[position])) {
      readHex(buffer, position, end);
      event.attributes |= number.value & 0xffff;
      position = number.end;
      known = false;
    } else {
      while (position < end && isWord(buffer[position])) {
        position++;
      }
      const index = attributes.find(buffer, start, position);
      if (index >= 0) {
        event.attributes |= attributeNames[index][1];
      } else {
        known = known && position === start;
      }
    }
    if (position < end && buffer[position] === Byte.bar) {
      position++;
    } else {
      break;
    }
  }
  while (position < end && !isBlank(buffer[position])) {
    position++;
  }
  return known ? position : -1;
}

/**
 * `{0x…,0x…}` into the list, or `ARRAY[00, a0, …]`: the bytes of little-endian numbers that trace-cmd prints when it
 * cannot format an event. Returns the end, or -1 when the closing brace is missing.
 */
function readList(
  context: ReaderContext,
  list: number[],
  buffer: Uint8Array,
  position: number,
  end: number,
  elementBytes: number,
): number {
  if (startsWithAt(buffer, position, end, wordArray)) {
    return readRawList(context, list, buffer, position + wordArray.length, end, elementBytes);
  }
  if (buffer[position] !== Byte.openBrace) {
    return -1;
  }
  position++;
  while (position < end && buffer[position] !== Byte.closeBrace) {
    readHex(buffer, position, end);
    if (number.digits === 0) {
      return -1;
    }
    pushAddress(context, list, number.value, number.allOnes && number.digits === 16);
    position = number.end;
    if (position < end && buffer[position] === Byte.comma) {
      position++;
    }
  }
  return position < end ? position + 1 : -1;
}

function readRawList(
  context: ReaderContext,
  list: number[],
  buffer: Uint8Array,
  position: number,
  end: number,
  elementBytes: number,
): number {
  let value = 0;
  let scale = 1;
  let bytes = 0;
  let allOnes = true;
  while (position < end && buffer[position] !== Byte.closeBracket) {
    readHex(buffer, position, end);
    if (number.digits === 0) {
      return -1;
    }
    value += number.value * scale;
    scale *= 256;
    allOnes = allOnes && number.value === 255;
    if (++bytes === elementBytes) {
      pushAddress(context, list, value, allOnes && elementBytes === 8);
      value = 0;
      scale = 1;
      bytes = 0;
      allOnes = true;
    }
    position = number.end;
    while (position < end && (buffer[position] === Byte.comma || buffer[position] === Byte.space)) {
      position++;
    }
  }
  return position < end ? position + 1 : -1;
}

function pushAddress(context: ReaderContext, list: number[], value: number, sentinel: boolean): void {
  if (list.length < maxListEntries) {
    list.push(sentinel || !checkAddress(context, value) ? Number.NaN : value);
  }
}
