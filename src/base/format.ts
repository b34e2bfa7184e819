import { formatHex } from './address';

/**
 * Numbers as people read them: thousands separators, units, slots beside bytes.
 * Pure and locale-free, so the terminal, the editor and the panel print the same text.
 */

/** A count or address distance with thousands separators: `32,768`. Unknown (NaN, infinite) gives `unknown`. */
export function formatCount(value: number): string {
  if (!Number.isFinite(value)) {
    return 'unknown';
  }
  const sign = value < 0 ? '-' : '';
  return sign + groupDigits(Math.abs(Math.round(value)).toFixed(0));
}

const byteUnits = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Bytes in the largest binary unit that keeps the number above 1: `8 KiB`, `32.7 KiB`, `1 byte`. */
export function formatBytes(sizeBytes: number): string {
  if (!Number.isFinite(sizeBytes)) {
    return 'unknown';
  }
  let value = Math.abs(sizeBytes);
  let unit = 0;
  while (value >= 1024 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  // 1,048,575 bytes are not 1024.0 KiB: move up when rounding would reach the next unit.
  if (unit > 0 && unit < byteUnits.length - 1 && Number(value.toFixed(1)) >= 1024) {
    value /= 1024;
    unit++;
  }
  const sign = sizeBytes < 0 ? '-' : '';
  if (unit === 0) {
    return `${sign}${formatCount(value)} ${value === 1 ? 'byte' : 'bytes'}`;
  }
  const [whole, fraction] = trimZero(value.toFixed(1)).split('.');
  return `${sign}${formatCount(Number(whole))}${fraction === undefined ? '' : `.${fraction}`} ${byteUnits[unit]}`;
}

/** A size for a sentence: exact binary sizes alone (`512 KiB`), others with their bytes (`32.7 KiB, 33,484 bytes`). */
export function formatSize(sizeBytes: number): string {
  if (!Number.isFinite(sizeBytes) || sizeBytes < 1024 || sizeBytes % 1024 === 0) {
    return formatBytes(sizeBytes);
  }
  return `${formatBytes(sizeBytes)}, ${formatCount(sizeBytes)} bytes`;
}

/** The same in running text: `512 KiB`, `32.7 KiB (33,484 bytes)`. */
export function formatSizeInText(sizeBytes: number): string {
  const [size, bytes] = formatSize(sizeBytes).split(', ');
  return bytes === undefined ? size : `${size} (${bytes})`;
}

/** `1 slot`, `4 slots`. */
export function formatSlots(slots: number): string {
  return plural(slots, 'slot');
}

/** Slots beside bytes: `4 slots · 8 KiB`. One slot is 2 KiB. */
export function formatSlotsAndBytes(slots: number): string {
  return `${formatSlots(slots)} · ${formatBytes(slots * 2048)}`;
}

/** A stretch of time after the first event, coarse: `+4.1–9.8 s`. */
export function formatTimeSpan(fromNs: number, toNs: number): string {
  return `+${formatTimeRange(fromNs, toNs)}`;
}

/** A count with its noun: `1 mapping`, `1,242 mappings`. The plural adds an s unless given. */
export function plural(count: number, singular: string, many = `${singular}s`): string {
  return `${formatCount(count)} ${count === 1 ? singular : many}`;
}

/** A duration in the unit that suits it, four significant digits: `1.204 ms`, `850 ns`, `2.5 s`. */
export function formatDuration(durationNs: number): string {
  if (!Number.isFinite(durationNs)) {
    return 'unknown';
  }
  const magnitude = Math.abs(durationNs);
  if (magnitude < 1000) {
    return `${formatCount(durationNs)} ns`;
  }
  if (magnitude < 1e6) {
    return `${significant(durationNs / 1e3)} µs`;
  }
  if (magnitude < 1e9) {
    return `${significant(durationNs / 1e6)} ms`;
  }
  return `${significant(durationNs / 1e9)} s`;
}

/** A parameter's value in the unit that reads best: `0x7da8e000`, `640 µs`, `512 KiB`, `order 10`, `512 slots`. */
export function formatSetting(value: number | string | boolean, unit: string): string {
  if (typeof value !== 'number') {
    return value === '' ? '–' : String(value);
  }
  switch (unit) {
    case 'address':
      return formatHex(value);
    case 'ns':
      return formatDuration(value);
    case 'bytes':
      return formatBytes(value);
    case 'order':
      return `order ${value}`;
    default: {
      const number = Number.isInteger(value) ? formatCount(value) : String(value);
      return unit === '' ? number : `${number} ${unit}`;
    }
  }
}

/** A point in time in seconds with microseconds, as the kernel prints it: `5.075738 s`. */
export function formatTime(timeNs: number): string {
  return Number.isFinite(timeNs) ? `${(timeNs / 1e9).toFixed(6)} s` : 'unknown';
}

/** A stretch of time, coarse: `4.1–9.8 s`. */
export function formatTimeRange(fromNs: number, toNs: number): string {
  const from = (fromNs / 1e9).toFixed(1);
  const to = (toNs / 1e9).toFixed(1);
  return from === to ? `${from} s` : `${from}–${to} s`;
}

/** A share of 1: `83 %`, `0.4 %`, `99.99 %`. Never rounds something to 0 % or 100 % that is not. */
export function formatPercent(share: number): string {
  if (!Number.isFinite(share)) {
    return 'unknown';
  }
  const percent = share * 100;
  if (percent === 0 || percent === 100) {
    return `${percent} %`;
  }
  if (percent < 0.01 && percent > 0) {
    return '< 0.01 %';
  }
  if (percent > 99.99 && percent < 100) {
    return '> 99.99 %';
  }
  for (let digits = 0; digits < 2; digits++) {
    const text = percent.toFixed(digits);
    if (Number(text) !== 0 && Number(text) !== 100 && (percent >= 1 || digits > 0)) {
      return `${trimZero(text)} %`;
    }
  }
  return `${trimZero(percent.toFixed(2))} %`;
}

/** An inclusive range of whole numbers: `2,304–2,320`; one number when both are equal. */
export function formatRange(first: number, last: number): string {
  return first === last ? formatCount(first) : `${formatCount(first)}–${formatCount(last)}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function joinWords(words: readonly string[]): string {
  if (words.length < 2) {
    return words.join('');
  }
  return `${words.slice(0, -1).join(', ')} and ${words[words.length - 1]}`;
}

function groupDigits(digits: string): string {
  let grouped = '';
  for (let end = digits.length; end > 0; end -= 3) {
    const group = digits.slice(Math.max(0, end - 3), end);
    grouped = grouped === '' ? group : `${group},${grouped}`;
  }
  return grouped;
}

function significant(value: number): string {
  const magnitude = Math.abs(value);
  const digits = magnitude >= 1000 ? 0 : magnitude >= 100 ? 1 : magnitude >= 10 ? 2 : 3;
  const text = value.toFixed(digits);
  return digits === 0 ? groupDigits(text) : text.replace(/\.?0+$/, '');
}

function trimZero(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}
