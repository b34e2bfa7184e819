import { asciiBytes, decodeUtf8, startsWithAt } from './bytes';
import { type ClockFamily, type ReaderContext, Verdict, type VerdictCode } from './context';
import { stripPrefix } from './logPrefix';

const needle = asciiBytes('io_tlb_');
const reach = 300;

interface Pass {
  readonly line: number;
  readonly pool: string;
  readonly stamp: string;
  readonly timeNs: number;
  nslabs: number;
  used: number;
  hiwater: number;
  transient: number;
}

/** A clock's line above a pass is its time; so many lines further it is no more. */
const clockReach = 40;
/** No line of a clock is longer. */
export const maxClockLine = 40;
const slotBytes = 2048;
const maxOpenClasses = 64;
const unitBytes: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1 << 20 };

type Counter = 'nslabs' | 'used' | 'hiwater' | 'transient';

/**
 * Files of /sys/kernel/debug/swiotlb as `grep . *`, `FILE:VALUE` or `FILE VALUE` print them, one counter per line.
 * Lines of one pass become one sample; a repeated counter or another directory starts the next.
 */
export class DebugfsText {
  private readonly context: ReaderContext;
  private pass: Pass | null = null;
  /** Path that `head` or `tail` printed above a file of one value; '' none. */
  private heading = '';
  private hasHeadings = false;
  /** Size classes of which only one of free and total was seen yet. */
  private readonly classes = new Map<string, { readonly half: string; readonly count: number }>();
  /** What `date` or `cat /proc/uptime` printed above the files. */
  private clock: (ClockReading & { readonly line: number }) | null = null;
  samples = 0;

  constructor(context: ReaderContext) {
    this.context = context;
  }

  get open(): boolean {
    return this.pass !== null;
  }

  parse(buffer: Uint8Array, start: number, end: number): VerdictCode {
    if (this.heading !== '') {
      const text = `${this.heading}:${decodeUtf8(buffer, start, Math.min(end, start + reach)).trim()}`;
      this.heading = '';
      const verdict = this.parseLine(text);
      if (verdict !== Verdict.notMine) {
        return verdict;
      }
    }
    const limit = Math.min(end, start + reach) - needle.length;
    for (let i = start; i <= limit; i++) {
      if (buffer[i] === 105 && startsWithAt(buffer, i, end, needle)) {
        return this.parseLine(decodeUtf8(buffer, start, Math.min(end, start + reach)));
      }
    }
    return Verdict.notMine;
  }

  /** A line that is nothing but a time, as loops print it above each pass. */
  readClock(buffer: Uint8Array, start: number, end: number): boolean {
    const reading = clockReading(decodeUtf8(buffer, start, end).trim());
    if (reading !== null) {
      this.flush();
      this.clock = { ...reading, line: this.context.line };
    }
    return reading !== null;
  }

  private parseLine(text: string): VerdictCode {
    const heading = /^==> (\S*io_tlb_\w+) <==$/.exec(text.trim());
    if (heading !== null) {
      this.heading = heading[1];
      this.hasHeadings = true;
      return this.taken();
    }
    const match = /^[\s>|*`-]*(?:(\S+)[\s,;]+)?((?:[^\s:=]*\/)?)io_tlb_(\w+)\s*[:=\s,]\s*"?(\d{1,15})["\s`]*$/.exec(
      text,
    );
    if (match === null) {
      return Verdict.notMine;
    }
    const [, stamp = '', path, name, digits] = match;
    const sizeClass = /^(free|total)_(\d+)([bkm])$/.exec(name);
    if (sizeClass !== null) {
      return this.sizeClass(sizeClass, stamp, Number(digits));
    }
    const counter = counterNames.get(name);
    if (counter === undefined) {
      this.context.name(`debugfs: io_tlb_${name}`).counted++;
      this.context.hasField = true;
      return Verdict.counted;
    }
    const folder =
      path
        .split('/')
        .filter((part) => part !== '')
        .pop() ?? '';
    const pool = folder === 'swiotlb' || folder === '.' ? '' : folder;
    if (this.pass === null || this.pass.pool !== pool || this.pass.stamp !== stamp || this.pass[counter] >= 0) {
      this.flush();
      this.pass = {
        line: this.context.line,
        pool,
        stamp,
        timeNs: this.time(stamp),
        nslabs: -1,
        used: -1,
        hiwater: -1,
        transient: -1,
      };
    }
    this.pass[counter] = Number(digits);
    return this.taken();
  }

  /**
   * `io_tlb_free_4k`, `io_tlb_total_4k` of cc-swiotlb: buffers of one size. A class becomes a pool of its own, in slots
   * of 2 KiB; the files of all classes come one after the other, so each keeps its half until the other one is there.
   */
  private sizeClass([, half, size, unit]: RegExpExecArray, stamp: string, count: number): VerdictCode {
    this.flush();
    const pool = `cc-swiotlb ${size}${unit}`;
    const key = `${stamp} ${pool}`;
    const known = this.classes.get(key);
    if (known === undefined || known.half === half) {
      if (this.classes.size >= maxOpenClasses) {
        this.classes.clear();
      }
      this.classes.set(key, { half, count });
      return this.taken();
    }
    this.classes.delete(key);
    const [free, total] = half === 'free' ? [count, known.count] : [known.count, count];
    const slots = (Number(size) * unitBytes[unit]) / slotBytes;
    this.samples++;
    this.context.sink.sample({
      source: this.context.source,
      line: this.context.line,
      timeNs: this.time(stamp),
      pool,
      nslabs: Math.ceil(total * slots),
      used: Math.ceil(Math.max(0, total - free) * slots),
      hiwater: -1,
      transient: -1,
    });
    return this.taken();
  }

  private taken(): VerdictCode {
    this.context.hasField = true;
    this.context.name('debugfs sample').understood++;
    return Verdict.understood;
  }

  /** An empty line ends a pass, except where it stands between files. */
  blank(): void {
    if (!this.hasHeadings) {
      this.flush();
    }
  }

  /** Delivers the pass that is being collected. */
  flush(): void {
    const pass = this.pass;
    if (pass === null) {
      return;
    }
    this.pass = null;
    this.samples++;
    const { line, pool, timeNs, nslabs, used, hiwater, transient } = pass;
    this.context.sink.sample({ source: this.context.source, line, timeNs, pool, nslabs, used, hiwater, transient });
  }

  private time(stamp: string): number {
    const { clock, context } = this;
    if (stamp === '' && clock !== null && context.line - clock.line <= clockReach) {
      return context.relativeNs(clock.seconds, clock.nanoseconds, clock.family);
    }
    const match = /^\[?(\d{1,12})[.,](\d{1,9})\]?:?$/.exec(stamp);
    if (match === null) {
      return Number.NaN;
    }
    const family = match[1].length >= 10 ? 'wall' : 'boot';
    return context.relativeNs(Number(match[1]), Number(match[2].padEnd(9, '0')), family);
  }
}

interface ClockReading {
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly family: ClockFamily;
}

/** `date` in its usual forms, `date +%s.%N`, the two numbers of /proc/uptime. */
export function clockReading(text: string): ClockReading | null {
  const number = /^(\d{1,10})(?:\.(\d{1,9}))?(?: \d+\.\d\d)?$/.exec(text);
  if (number !== null && (number[1].length === 10 || number[2] !== undefined)) {
    const family = number[1].length === 10 ? 'wall' : 'boot';
    return { seconds: Number(number[1]), nanoseconds: Number((number[2] ?? '').padEnd(9, '0')), family };
  }
  // The same without the day of the week, and with the zone where kernel logs have none.
  const iso = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?$/.test(text);
  const words =
    /^[A-Z][a-z]{2} +([A-Z][a-z]{2}) +(\d{1,2}) +(\d\d:\d\d:\d\d)(?: +[A-Z]{1,5})? +(\d{4})$/.exec(text) ??
    /^[A-Z][a-z]{2} +(?<day>\d{1,2}) +(?<month>[A-Z][a-z]{2}) +(?<year>\d{4}) +(?<clock>\d\d:\d\d:\d\d)(?: +[A-Z]{1,5})?$/.exec(
      text,
    );
  if (!iso && words === null) {
    return null;
  }
  const [, month, day, clock, year] = words ?? [];
  const named = words?.groups;
  const plain = iso
    ? text
    : named === undefined
      ? `[Mon ${month} ${day} ${clock} ${year}]`
      : `[Mon ${named['month']} ${named['day']} ${named['clock']} ${named['year']}]`;
  const { seconds, nanoseconds, family } = stripPrefix(`${plain} `);
  return Number.isNaN(seconds) ? null : { seconds, nanoseconds, family };
}

const counterNames: ReadonlyMap<string, Counter> = new Map<string, Counter>([
  ['nslabs', 'nslabs'],
  ['used', 'used'],
  ['used_hiwater', 'hiwater'],
  ['transient_nslabs', 'transient'],
]);
