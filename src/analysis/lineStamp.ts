/** The time stamp of one line, as printed. */
export interface LineStamp {
  /** `boot`: since boot or on a clock of the tracer. `wall`: since 1970. `count`: an order without time. */
  readonly clock: 'boot' | 'wall' | 'count';
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
}

/** `task-pid [cpu] flags 12.345678: event:`; a stamp without a fraction counts events or ticks. */
const eventStamp =
  /^\s*\S.{0,31}?[- ] *-?\d+(?:\/\d+)?\s+(?:\([^)]*\)\s+)?\[\d{1,4}\]\s+(?:\S{4,8}\s+)?(\d+)(?:\.(\d+))?:\s/;
/** The latency format counts microseconds from its first event. */
const latencyStamp = /^\s*\S.{0,15}?-\d+\s+\d{1,4}[.a-zA-Z#!]{2,3}[.0-9a-f]{1,3}\s+(\d+)us/;
const graphStamp = /^\s*(\d+)\.(\d+) \|/;
/** `[   12.345678]` of the kernel log, wherever a date or a level stands before it. */
const kernelStamp = /^[^[]{0,80}(?:<\d{1,3}>)?\[\s*(\d+)\.(\d{3,9})\]/;
const isoStamp = /^\[?(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:?\d\d)?/;
const longStamp = /^\[[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})\]/;
const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** The stamp of a line of any format; null where there is none. A date without a year is no stamp. */
export function lineStamp(text: string): LineStamp | null {
  const head = text.length > 200 ? text.slice(0, 200) : text;
  const event = eventStamp.exec(head);
  if (event !== null) {
    const [, whole = '', fraction] = event;
    return fraction === undefined ? { clock: 'count', seconds: Number(whole), nanoseconds: 0 } : boot(whole, fraction);
  }
  const latency = latencyStamp.exec(head);
  if (latency !== null) {
    const microseconds = Number(latency[1]);
    return {
      clock: 'boot',
      seconds: Math.floor(microseconds / 1e6),
      nanoseconds: (microseconds % 1e6) * 1000,
    };
  }
  const plain = graphStamp.exec(head) ?? kernelStamp.exec(head);
  if (plain !== null) {
    return boot(plain[1] ?? '', plain[2] ?? '');
  }
  return wallStamp(head);
}

/**
 * Seconds since 1970 at boot, from the line in which the kernel sets its clock, e.g.
 * `[    1.2] rtc_cmos 00:04: setting system clock to 2026-08-21T10:11:12 UTC (1787307072)`; null for other lines.
 * Right to about a second: the clock of the machine tells whole ones.
 */
export function bootTimeOf(text: string): number | null {
  const set = /setting system clock to .*\((\d{8,11})\)/.exec(text);
  const stamp = set === null ? null : lineStamp(text);
  if (set === null || stamp?.clock !== 'boot') {
    return null;
  }
  return Number(set[1]) - stamp.seconds - stamp.nanoseconds / 1e9;
}

function boot(whole: string, fraction: string): LineStamp {
  return { clock: 'boot', seconds: Number(whole), nanoseconds: Number(fraction.slice(0, 9).padEnd(9, '0')) };
}

function wallStamp(head: string): LineStamp | null {
  const iso = isoStamp.exec(head);
  if (iso !== null) {
    const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = iso;
    return wall(
      Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second)) / 1000 -
        zoneSeconds(zone),
      fraction,
    );
  }
  const long = longStamp.exec(head);
  if (long !== null) {
    const [, month = '', day, hour, minute, second, year] = long;
    const at = months.indexOf(month);
    return at < 0
      ? null
      : wall(Date.UTC(Number(year), at, Number(day), Number(hour), Number(minute), Number(second)) / 1000, '');
  }
  return null;
}

function wall(seconds: number, fraction: string): LineStamp {
  return { clock: 'wall', seconds, nanoseconds: Number(fraction.slice(0, 9).padEnd(9, '0')) };
}

function zoneSeconds(zone: string): number {
  const found = /^([+-])(\d\d):?(\d\d)$/.exec(zone);
  if (found === null) {
    return 0;
  }
  const seconds = Number(found[2]) * 3600 + Number(found[3]) * 60;
  return found[1] === '-' ? -seconds : seconds;
}
