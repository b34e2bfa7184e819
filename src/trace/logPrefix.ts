import { decodeUtf8 } from './bytes';
import type { ClockFamily } from './context';

/** What stood before a kernel message. */
export interface LogPrefix {
  /** Index of the first character behind all prefixes. */
  readonly cursor: number;
  /** A kernel, syslog or logger stamp or level was there: this is a log line and not a continuation. */
  readonly stamped: boolean;
  /** Absolute stamp; the boot clock wins over a wall clock on the same line. NaN when there is none. */
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly family: ClockFamily;
}

type Stamp = { seconds: number; nanoseconds: number; family: ClockFamily } | null;

interface PrefixRule {
  readonly pattern: RegExp;
  /** The rule proves a log line. */
  readonly stamps: boolean;
  /** Only tried when a stamp came before. */
  readonly afterStamp?: boolean;
  readonly stamp?: (match: RegExpExecArray) => Stamp;
}

const nul = String.fromCharCode(0);
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** Syslog stamps have no year; a leap year keeps 29 February. */
const yearOfYearless = 1972;

/** Eight bytes, the lowest first. */
const messageLength = new RegExp(`[^${nul}]{1,2}${nul}{6,7}`, 'y');

const rules: readonly PrefixRule[] = [
  { pattern: /[\s\ufeff]+/y, stamps: false },
  { pattern: /(?:>+|\|)/y, stamps: false },
  { pattern: /(?:[-*+•·–]|\d{1,3}[.)])\s+/y, stamps: false },
  { pattern: /(?:```|\*\*|[`"'“”])/y, stamps: false },
  { pattern: /\(qemu\)|crash>/y, stamps: false },
  // Lines of a listing, a table or a difference.
  { pattern: /(?:\d{1,9}\s*[→|]?|[+-])\s*(?=(?:<\d{1,3}>)?\[\s*\d+\.\d)/y, stamps: false },
  // rsyslog, where it does not write what it wrote before.
  { pattern: /message repeated \d+ times: \[\s?/y, stamps: true },
  // The hypervisor's console.
  { pattern: /\((?:XEN|d\d{1,5}(?:v\d{1,4})?)\)/y, stamps: false },
  // Seconds since the start and since the last line, of grabserial.
  { pattern: /\[\d{1,6}\.\d{6} \d{1,6}\.\d{6}\]/y, stamps: true },
  // A comment, as people make of lines in scripts and messages.
  { pattern: /#+(?=\s+(?:<\d{1,3}>)?\[\s*\d+\.\d)/y, stamps: false },
  // RFC 5424 has a version behind the priority.
  { pattern: /<\d{1,3}>(?:1 (?=\d{4}-))?/y, stamps: true },
  // dmesg: [    1.234567], with -d [    1.234567 <    0.000012>], some vendors [    1.234567,0].
  {
    pattern: /\[\s*(\d{1,12})\.(\d{1,9})(?:,\d+)?(?:\s*<\s*[+-]?\d+\.\d+\s*>)?\s*\]/y,
    stamps: true,
    stamp: ([, seconds, fraction]) => secondsStamp(seconds, fraction),
  },
  { pattern: /\[\s*<?\s*[+-]?\s*\d+\.\d+\s*>?\s*\]/y, stamps: true },
  { pattern: /\[\s*[TC]\d+\]/y, stamps: true },
  {
    // journalctl -o short-full has the day of the week before.
    pattern:
      /\[?(?:[A-Z][a-z]{2} )?(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s*(Z|UTC|[+-]\d\d:?\d\d)?\]?/y,
    stamps: true,
    stamp: ([, year, month, day, hour, minute, second, fraction, zone]) =>
      wallStamp(Number(year), Number(month) - 1, day, hour, minute, second, fraction, zone),
  },
  {
    pattern:
      /\[[A-Z][a-z]{2}\s+([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:\s+[A-Z]{2,5})?\s+(\d{4})\]/y,
    stamps: true,
    stamp: ([, month, day, hour, minute, second, fraction, year]) =>
      wallStamp(Number(year), monthIndex(month), day, hour, minute, second, fraction, undefined),
  },
  // The same with localised names, whose order of day and month varies: no time, but a stamp.
  { pattern: /\[[^\][]{2,16}\d{1,2}[^\][]{0,16}\d\d:\d\d:\d\d[^\][]{0,10}\]/y, stamps: true },
  { pattern: /\[[A-Z][a-z]{2}\s*\d{1,2} \d\d:\d\d(?::\d\d(?:[.,]\d+)?)?\]/y, stamps: true },
  {
    pattern: /([A-Z][a-z]{2})\s+(\d{1,2})\s+(?:(\d{4})\s+)?(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?=\s|$)/y,
    stamps: true,
    stamp: ([, month, day, year, hour, minute, second, fraction]) =>
      wallStamp(
        year === undefined ? yearOfYearless : Number(year),
        monthIndex(month),
        day,
        hour,
        minute,
        second,
        fraction,
        undefined,
      ),
  },
  { pattern: /\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?(?=\s)/y, stamps: true },
  {
    pattern: /(\d{9,12})\.(\d{1,9}):?(?=\s)/y,
    stamps: true,
    stamp: ([, seconds, fraction]) => secondsStamp(seconds, fraction),
  },
  // dmesg -x and /dev/kmsg.
  {
    pattern:
      /(?:kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|local[0-7])\s*:(?:emerg|alert|crit|err|warn|notice|info|debug)\s*:/y,
    stamps: true,
  },
  {
    // netconsole may put the release before it.
    pattern: /(?:\d+\.\d+[\w.+-]*,)?\d{1,7},\d+,(\d{1,16}),[^;\s]*;/y,
    stamps: true,
    stamp: ([, microseconds]) => microsecondStamp(microseconds, 'boot'),
  },
  { pattern: /[\w.-]+\s+kernel(?:\[\d+\])?:/y, stamps: true, afterStamp: true },
  // Android: the CPU, maybe the task, before the message; and logcat's own columns.
  { pattern: /c\d{1,2}\s+(?:\d{1,7}\s+)?(?=\S+ \S+:)/y, stamps: false, afterStamp: true },
  { pattern: /\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\s+\d+\s+\d+ [VDIWEF] [\w-]{1,32}\s*: /y, stamps: true },
  // Copied out of a page's source.
  { pattern: /<\/?[a-z][a-z0-9]{0,9}(?:\s[^<>]{0,120})?>/y, stamps: false },
  // RFC 5424: host, program, process, message id, data.
  { pattern: /[\w.-]+ kernel (?:-|\d+) \S{1,32} (?:-|\[[^\]]{0,200}\]) /y, stamps: true, afterStamp: true },
  { pattern: /kernel(?:\[\d+\])?:/y, stamps: true },
  // grep FILE: and grep -n FILE:12:, with - instead of : on context lines.
  {
    pattern:
      /(?:\.{0,2}\/)?(?:[\w.~+@%-]+\/)*[\w.~+@%-]+[:-](?:\d+[:-])?(?=\s*\[|\s*<\d|[A-Z][a-z]{2}\s+\d|\d{4}-\d\d-\d\d[T ]|\d+,\d+,\d+,|kern\s*:|software IO|swiotlb (?:buffer|addr)|CONFIG_|#\s*CONFIG_|\s{2,}\S)/y,
    stamps: false,
  },
  { pattern: /\d+[:-](?=\s*\[\s*\d+\.\d)/y, stamps: false },
  // journalctl -o export and -o verbose; the message of an entry with odd bytes has its length before it.
  { pattern: /MESSAGE=/y, stamps: true },
  { pattern: messageLength, stamps: true },
  // JSON members before the message, then the key of the message.
  { pattern: /[{,]?\s*"[\w.@-]{1,40}"\s*:\s*(?:"[^"\\]{0,60}"|[\d.]+|true|false|null)\s*,/y, stamps: false },
  { pattern: /[{,]?\s*"[\w.@-]{1,40}"\s*:\s*"/y, stamps: false },
];

/** Words of the messages: a JSON member that holds one is the message and not a prefix. */
const messageWords = /swiotlb|SW-IOMMU|IO TLB|SWIOTLB|DMA|Linux version|ommand line|overflow/;

/** Removes every known prefix, again and again, in any order. */
export function stripPrefix(text: string): LogPrefix {
  let cursor = 0;
  let stamped = false;
  let boot: Stamp = null;
  let wall: Stamp = null;
  const entry = text.includes('{') ? journalEntry.exec(text) : null;
  if (entry !== null) {
    // journalctl -o json and other loggers: the message is one member among many.
    cursor = entry[0].length;
    stamped = true;
    // The kernel's own stamp, else when the journal got the message.
    boot = microsecondStamp(/"_SOURCE_MONOTONIC_TIMESTAMP"\s*:\s*"?(\d{1,16})/.exec(text)?.[1], 'boot');
    boot ??= dmesgStamp(/"time"\s*:\s*(\d{1,12}\.\d{1,9})\s*[,}]/.exec(text)?.[1]);
    boot ??= microsecondStamp(/"__MONOTONIC_TIMESTAMP"\s*:\s*"?(\d{1,16})/.exec(text)?.[1], 'boot');
    wall = microsecondStamp(/"__REALTIME_TIMESTAMP"\s*:\s*"?(\d{1,17})/.exec(text)?.[1], 'wall');
  }
  for (let round = 0; round < 24 && cursor < text.length; round++) {
    const before = cursor;
    for (const rule of rules) {
      if (rule.afterStamp === true && !stamped) {
        continue;
      }
      rule.pattern.lastIndex = cursor;
      const match = rule.pattern.exec(text);
      if (match === null || (match[0].includes('"') && match[0].includes(':') && messageWords.test(match[0]))) {
        continue;
      }
      cursor += match[0].length;
      stamped = stamped || rule.stamps;
      const stamp = rule.stamp?.(match) ?? null;
      if (stamp !== null) {
        if (stamp.family === 'boot') {
          boot = boot ?? stamp;
        } else {
          wall = wall ?? stamp;
        }
      }
      break;
    }
    if (cursor === before) {
      break;
    }
  }
  const stamp = boot ?? wall;
  return {
    cursor,
    stamped,
    seconds: stamp?.seconds ?? Number.NaN,
    nanoseconds: stamp?.nanoseconds ?? Number.NaN,
    family: stamp?.family ?? 'boot',
  };
}

/** `{ … "MESSAGE" : "` up to where the message begins. */
const journalEntry = /^[^{]{0,40}\{(?:.*?[{,\s])?"(?:MESSAGE|message|msg|log)"\s*:\s*"/;

function microsecondStamp(digits: string | undefined, family: ClockFamily): Stamp {
  if (digits === undefined) {
    return null;
  }
  const total = Number(digits);
  const seconds = Math.floor(total / 1e6);
  return { seconds, nanoseconds: (total - seconds * 1e6) * 1000, family };
}

/** Of `dmesg --json`. */
function dmesgStamp(time: string | undefined): Stamp {
  const [seconds, fraction] = time?.split('.') ?? [];
  return seconds === undefined || fraction === undefined ? null : secondsStamp(seconds, fraction);
}

function secondsStamp(seconds: string, fraction: string): Stamp {
  // Ten digits before the dot are an epoch, no machine has been up for 30 years.
  return {
    seconds: Number(seconds),
    nanoseconds: fractionNs(fraction),
    family: seconds.length >= 10 ? 'wall' : 'boot',
  };
}

function fractionNs(fraction: string | undefined): number {
  return fraction === undefined ? 0 : Number(fraction.slice(0, 9).padEnd(9, '0'));
}

function monthIndex(name: string): number {
  return months.indexOf(name.toLowerCase());
}

function wallStamp(
  year: number,
  month: number,
  day: string,
  hour: string,
  minute: string,
  second: string,
  fraction: string | undefined,
  zone: string | undefined,
): Stamp {
  if (month < 0 || month > 11) {
    return null;
  }
  let seconds = Date.UTC(year, month, Number(day), Number(hour), Number(minute), Number(second)) / 1000;
  const offset = /^([+-])(\d\d):?(\d\d)$/.exec(zone ?? '');
  if (offset !== null) {
    seconds -= (offset[1] === '-' ? -1 : 1) * (Number(offset[2]) * 3600 + Number(offset[3]) * 60);
  }
  return { seconds, nanoseconds: fractionNs(fraction), family: 'wall' };
}

const escapeCharacter = String.fromCharCode(27);
const bell = String.fromCharCode(7);
const backspace = String.fromCharCode(8);
const disguised = new RegExp(`[=&^\\\\${escapeCharacter}${bell}${backspace}]|\\[\\d[\\d;]*m`);
/** Terminal colours as they are, as JSON and `cat -v` write them, and without the escape, which web pages drop; quoted-printable; HTML. */
const disguise = new RegExp(
  `(?:${escapeCharacter}|\\^\\[)\\[[0-9;?]*[A-Za-z]|${escapeCharacter}\\][^${bell}]{0,200}${bell}|[${bell}${backspace}]|\\\\u001b\\[[0-9;]*m|\\[[0-9]{1,3}(?:;[0-9]{1,3})*m|=3D|=09|=20(?=[a-z([]|\\s*$)|&(?:lt|gt|amp|quot|nbsp|apos|#\\d{1,4});`,
  'g',
);
const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', nbsp: ' ', apos: "'" };

function plain(found: string): string {
  if (found.startsWith('&')) {
    const name = found.slice(1, -1);
    return name.startsWith('#') ? String.fromCharCode(Number(name.slice(1))) : (entities[name] ?? ' ');
  }
  return found === '=3D' ? '=' : found.startsWith('=') ? ' ' : '';
}

/** journalctl prints messages with control characters as lists of bytes; all columns of such a line are those of the list. */
export function messageOfBytes(original: string): CleanLine | null {
  const match = /("MESSAGE"\s*:\s*)\[([\d,\s]{2,})\]/.exec(original);
  if (match === null) {
    return null;
  }
  const bytes = Uint8Array.from(match[2].split(','), Number);
  const list = match.index + match[1].length;
  const end = match.index + match[0].length;
  const message = cleanLine(decodeUtf8(bytes, 0, bytes.length)).text;
  const text = `${original.slice(0, list)}${JSON.stringify(message)}${original.slice(end)}`;
  const lastInside = list + text.length - original.length + match[0].length - match[1].length - 2;
  return {
    text,
    column: (index) => {
      if (index <= list) {
        return index;
      }
      return index < lastInside ? list : end - 1 + index - Math.min(index, lastInside + 1);
    },
  };
}

/** A line without terminal colours and quoted-printable escapes, with the way back to its columns. */
export interface CleanLine {
  readonly text: string;
  /** Column in the original line of a position in `text`. */
  column(index: number): number;
}

export function cleanLine(original: string): CleanLine {
  if (!disguised.test(original)) {
    return { text: original, column: (index) => index };
  }
  let text = '';
  let last = 0;
  const cuts: { at: number; removed: number }[] = [];
  let removed = 0;
  for (const match of original.matchAll(disguise)) {
    // `swiotlb=20` at the end of a command line is a parameter, not an escape.
    if (
      match[0] === '=20' &&
      original.slice(0, match.index).endsWith('swiotlb') &&
      !/[a-z]/.test(original[match.index + 3] ?? '')
    ) {
      continue;
    }
    const replacement = plain(match[0]);
    text += original.slice(last, match.index) + replacement;
    last = match.index + match[0].length;
    removed += match[0].length - replacement.length;
    cuts.push({ at: text.length, removed });
  }
  if (cuts.length === 0) {
    return { text: original, column: (index) => index };
  }
  text += original.slice(last);
  return {
    text,
    column(index) {
      let shift = 0;
      for (const cut of cuts) {
        if (cut.at <= index) {
          shift = cut.removed;
        }
      }
      return index + shift;
    },
  };
}

/** The text without trailing characters of a set. A regular expression would take quadratic time on long runs. */
export function trimEndOf(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text[end - 1])) {
    end--;
  }
  return text.slice(0, end);
}
