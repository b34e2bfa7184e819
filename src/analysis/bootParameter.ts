import { formatCount, formatSlotsAndBytes } from '../base/format';
import { DEFAULT_POOL_SLOTS, SEGMENT_SLOTS } from '../model/units';

/**
 * What the kernel reads out of a `swiotlb=` value. Its parser goes by position, not by keyword (setup_io_tlb_npages):
 * a number, a comma, a number, a comma, and then the whole rest must be `force` or `noforce`.
 */
export interface BootParameter {
  /** Slots as written, before any rounding; null when the value does not begin with a number. */
  readonly slots: number | null;
  /** Areas as written (Linux 6.0 and later); null when absent. */
  readonly areas: number | null;
  readonly force: boolean;
  readonly noforce: boolean;
  /** What is left over and has no effect; '' when everything was understood. */
  readonly ignored: string;
}

export function readBootParameter(value: string): BootParameter {
  let rest = value.trim();
  const slots = takeNumber(rest);
  rest = skipComma(rest.slice(slots.length));
  const areas = takeNumber(rest);
  rest = skipComma(rest.slice(areas.length));
  const keyword = rest === 'force' || rest === 'noforce';
  return {
    slots: slots.value,
    areas: areas.value,
    force: rest === 'force',
    noforce: rest === 'noforce',
    ignored: keyword ? '' : rest,
  };
}

/** Why a value does not do what its author meant; null when it does. Each answer says what to write instead. */
export function misreadParameter(value: string, encrypted: boolean): { code: string; message: string } | null {
  const read = readBootParameter(value);
  const shown = `swiotlb=${value}`;
  if (read.ignored !== '' && read.slots !== null && /^[kmg]/i.test(read.ignored)) {
    return {
      code: 'parameter-suffix',
      message: `${shown} means ${formatSlotsAndBytes(roundToSegment(read.slots))}: the number counts slots of 2 KiB and the kernel ignores "${read.ignored}". ${suggestForBytes(read.slots, read.ignored)}`,
    };
  }
  if (read.ignored !== '') {
    const wanted = rewrite(value);
    const instead = wanted === null ? '' : ` Write ${wanted}.`;
    const effect = read.slots === null && read.areas === null ? 'has no effect at all' : `ignores "${read.ignored}"`;
    return {
      code: 'parameter-ignored',
      message: `${shown} ${effect}: the kernel reads slots, areas and then force or noforce, in this order.${instead}`,
    };
  }
  if (read.slots === DEFAULT_POOL_SLOTS && read.areas === null && encrypted) {
    return {
      code: 'parameter-default',
      message: `${shown} is the built-in default, so an encrypted guest takes it as not given and sizes the pool by its memory. Any other number is kept.`,
    };
  }
  if (read.slots !== null && read.slots > 0 && read.slots < 512) {
    return {
      code: 'parameter-small',
      message: `${shown} asks for ${formatSlotsAndBytes(roundToSegment(read.slots))} only: the number counts slots of 2 KiB, not MiB. 64 MiB are swiotlb=32768.`,
    };
  }
  if (read.slots !== null && read.slots >= 2 ** 21) {
    return {
      code: 'parameter-large',
      message: `${shown} asks for ${formatSlotsAndBytes(roundToSegment(read.slots))}: the number counts slots of 2 KiB, not bytes.${read.slots % 2048 === 0 ? ` If bytes were meant, write swiotlb=${read.slots / 2048}.` : ''}`,
    };
  }
  return null;
}

function roundToSegment(slots: number): number {
  return Math.ceil(slots / SEGMENT_SLOTS) * SEGMENT_SLOTS;
}

/** `128k` was meant as bytes: say how many slots that is, and what `128M` needs. */
function suggestForBytes(number: number, suffix: string): string {
  const scale = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[suffix[0].toLowerCase()] ?? 1;
  const slots = Math.max(1, (number * scale) / 2048);
  return `For that many bytes write swiotlb=${slots} (${formatCount(slots)} slots).`;
}

/** Puts the words of a value into the order the kernel reads; null when they cannot be told. */
function rewrite(value: string): string | null {
  const words = value.split(',').map((word) => word.trim());
  const numbers = words.filter((word) => /^(0x[0-9a-f]+|\d+)$/i.test(word));
  const keyword = words.find((word) => word === 'force' || word === 'noforce');
  const others = words.filter((word) => word !== '' && word !== keyword && !numbers.includes(word));
  if (others.length > 0 || keyword === undefined || numbers.length === 0) {
    return null;
  }
  const [first] = numbers;
  if (numbers.length === 1 && words[0] === keyword) {
    return `swiotlb=${first},${keyword} for ${first} slots or swiotlb=,${first},${keyword} for ${first} areas`;
  }
  return `swiotlb=${[...numbers, keyword].join(',')}`;
}

/** simple_strtoul with base 0: 0x is hexadecimal, a leading 0 is octal. `length` counts the characters used. */
function takeNumber(text: string): { value: number | null; length: number } {
  const match = /^(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)/i.exec(text);
  if (match === null) {
    return { value: null, length: 0 };
  }
  const digits = match[0];
  const base = /^0x/i.test(digits) ? 16 : digits.length > 1 && digits.startsWith('0') ? 8 : 10;
  return { value: Number.parseInt(base === 16 ? digits.slice(2) : digits, base), length: digits.length };
}

function skipComma(text: string): string {
  return text.startsWith(',') ? text.slice(1) : text;
}
