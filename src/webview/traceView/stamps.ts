import type { Stamp } from '../../protocol/traceEditor';

/** What the time column shows. */
export const timeModes = ['absolute', 'boot', 'start', 'delta'] as const;
export type TimeMode = (typeof timeModes)[number];

export interface StampContext {
  /** First stamp of the file. */
  readonly first: Stamp | null;
  /** Of the row above the line. */
  readonly previous: Stamp | null;
  /** Seconds since 1970 at boot; null when the trace does not tell. */
  readonly bootSeconds: number | null;
}

/** The time column's text for a line; '' where nothing can be said. */
export function stampText(mode: TimeMode, stamp: Stamp | null, context: StampContext): string {
  if (stamp === null) {
    return '';
  }
  switch (mode) {
    case 'absolute':
      return absolute(stamp, context.bootSeconds);
    case 'boot':
      return sinceBoot(stamp, context.bootSeconds);
    case 'start':
      return difference(stamp, context.first);
    case 'delta':
      return difference(stamp, context.previous);
  }
}

/** Date and time in UTC where the trace tells them, else the stamp as it is printed. */
function absolute(stamp: Stamp, bootSeconds: number | null): string {
  if (stamp.clock === 'wall') {
    return dateText(stamp.seconds, stamp.nanoseconds, stamp.nanoseconds === 0 ? 0 : 6);
  }
  if (stamp.clock === 'count' || bootSeconds === null) {
    return plain(stamp);
  }
  const microseconds = Math.round(bootSeconds * 1e6) + stamp.seconds * 1e6 + Math.floor(stamp.nanoseconds / 1000);
  const seconds = Math.floor(microseconds / 1e6);
  return dateText(seconds, (microseconds - seconds * 1e6) * 1000, 6);
}

function sinceBoot(stamp: Stamp, bootSeconds: number | null): string {
  if (stamp.clock !== 'wall') {
    return plain(stamp);
  }
  if (bootSeconds === null) {
    return '';
  }
  return (stamp.seconds - bootSeconds + stamp.nanoseconds / 1e9).toFixed(6);
}

function plain({ clock, seconds, nanoseconds }: Stamp): string {
  return clock === 'count' ? `${seconds}` : `${seconds}.${fraction(nanoseconds)}`;
}

/** Six digits, nine where the stamp has nanoseconds. */
function fraction(nanoseconds: number): string {
  const digits = String(nanoseconds).padStart(9, '0');
  return digits.endsWith('000') ? digits.slice(0, 6) : digits;
}

function difference(stamp: Stamp, other: Stamp | null): string {
  if (other === null || other.clock !== stamp.clock) {
    return '';
  }
  let seconds = stamp.seconds - other.seconds;
  if (stamp.clock === 'count') {
    return signed(seconds < 0, String(Math.abs(seconds)));
  }
  let nanoseconds = stamp.nanoseconds - other.nanoseconds;
  const isNegative = seconds < 0 || (seconds === 0 && nanoseconds < 0);
  if (isNegative) {
    seconds = -seconds;
    nanoseconds = -nanoseconds;
  }
  if (nanoseconds < 0) {
    seconds--;
    nanoseconds += 1e9;
  }
  return signed(isNegative, `${seconds}.${fraction(nanoseconds)}`);
}

function signed(isNegative: boolean, text: string): string {
  return isNegative ? `−${text}` : `+${text}`;
}

function dateText(seconds: number, nanoseconds: number, digits: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) {
    return '';
  }
  const text = date.toISOString().slice(0, 19).replace('T', ' ');
  return digits === 0 ? text : `${text}.${String(Math.floor(nanoseconds / 10 ** (9 - digits))).padStart(digits, '0')}`;
}
