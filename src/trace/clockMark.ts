import { Byte, isDigit, skipBlanks } from './bytes';

/** A kernel's own stamp on a log line. */
export interface KernelStamp {
  readonly seconds: number;
  readonly nanoseconds: number;
  /** Where the message begins. */
  readonly messageStart: number;
}

/** A stamp is looked for in so many bytes: before it stand the date, the host and `kernel:`. */
const stampReach = 96;

/** `[   12.345678] `, `[   12.345678][  T123] `, wherever it begins; null without one. */
export function kernelStampIn(buffer: Uint8Array, start: number, end: number): KernelStamp | null {
  const limit = Math.min(end, start + stampReach);
  for (let open = start; open < limit; open++) {
    if (buffer[open] === Byte.openBracket) {
      const found = stampAt(buffer, open, end);
      if (found !== null) {
        return found;
      }
    }
  }
  return null;
}

function stampAt(buffer: Uint8Array, open: number, end: number): KernelStamp | null {
  let at = skipBlanks(buffer, open + 1, end);
  let seconds = 0;
  const first = at;
  while (at < end && isDigit(buffer[at]) && at - first < 12) {
    seconds = seconds * 10 + buffer[at++] - Byte.zero;
  }
  if (at === first || buffer[at] !== Byte.dot) {
    return null;
  }
  at++;
  let nanoseconds = 0;
  const fraction = at;
  while (at < end && isDigit(buffer[at]) && at - fraction < 9) {
    nanoseconds = nanoseconds * 10 + buffer[at++] - Byte.zero;
  }
  if (at - fraction < 3 || buffer[at] !== Byte.closeBracket) {
    return null;
  }
  nanoseconds *= 10 ** (9 - (at - fraction));
  at++;
  at = callerEnd(buffer, at, end);
  return { seconds, nanoseconds, messageStart: skipBlanks(buffer, at, end) };
}

/** Behind `[  T123]` or `[   C1]`, which CONFIG_PRINTK_CALLER adds; `start` where there is none. */
function callerEnd(buffer: Uint8Array, start: number, end: number): number {
  let at = skipBlanks(buffer, start, end);
  if (buffer[at] !== Byte.openBracket) {
    return start;
  }
  at = skipBlanks(buffer, at + 1, end);
  if (buffer[at] !== letterT && buffer[at] !== letterC) {
    return start;
  }
  const digits = at + 1;
  let close = digits;
  while (close < end && isDigit(buffer[close])) {
    close++;
  }
  return close > digits && buffer[close] === Byte.closeBracket ? close + 1 : start;
}

const letterT = 84;
const letterC = 67;

/** The same number for the same text (53 bits), blanks at its end aside; 0 for texts too short to be told apart. */
export function textHash(buffer: Uint8Array, start: number, end: number): number {
  while (end > start && buffer[end - 1] <= Byte.space) {
    end--;
  }
  if (end - start < minTextBytes) {
    return 0;
  }
  let high = 0x811c9dc5;
  let low = 0x9747b28c;
  for (let at = start; at < end; at++) {
    high = Math.imul(high ^ buffer[at], 0x01000193);
    low = Math.imul(low + buffer[at], 0x5bd1e995) ^ (low >>> 15);
  }
  return (high >>> 0) * 2 ** 21 + (low >>> 11) + 1;
}

const minTextBytes = 8;
