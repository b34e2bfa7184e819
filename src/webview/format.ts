import { formatBytes, formatCount, formatDuration } from '../base/format';
import type { TraceView } from '../protocol/views';

/** Byte-seconds of held memory: `6.5 MiB·s`. */
export function formatByteSeconds(byteSeconds: number): string {
  return `${formatBytes(byteSeconds)}·s`;
}

/** How times of one trace are written; `spanNs` is the visible range and decides the decimals. */
export interface TimeFormat {
  /** As the trace prints it: `5.128637 s`, or `event 1,204` for clocks that give order only. */
  absolute(timeNs: number, spanNs: number): string;
  /** Since the first event: `+1.204 ms`. */
  relative(timeNs: number): string;
  /** Without the unit, for axis ticks. */
  tick(timeNs: number, spanNs: number): string;
  /** What the clock's fraction of a second read at time 0. */
  readonly originNs: number;
  /** Name of the axis with its unit. */
  readonly axisTitle: string;
}

export function timeFormat(trace: Pick<TraceView, 'hasTime' | 'origin'>): TimeFormat {
  if (!trace.hasTime) {
    const event = (timeNs: number) => formatCount(Math.round(timeNs));
    return {
      absolute: (timeNs) => `event ${event(timeNs)}`,
      relative: (timeNs) => `event ${event(timeNs)}`,
      tick: event,
      originNs: 0,
      axisTitle: 'event number (this clock gives order only)',
    };
  }
  const origin = trace.origin ?? { seconds: 0, nanoseconds: 0 };
  const tick = (timeNs: number, spanNs: number) => clockReading(origin, timeNs, decimalsFor(spanNs));
  return {
    absolute: (timeNs, spanNs) => `${tick(timeNs, spanNs)} s`,
    relative: (timeNs) => `${timeNs < 0 ? '' : '+'}${formatDuration(timeNs)}`,
    tick,
    originNs: origin.nanoseconds,
    axisTitle: 'trace time (s)',
  };
}

/** Decimals of a second that tell two neighbouring pixels apart. */
function decimalsFor(spanNs: number): number {
  const seconds = Math.max(spanNs, 1) / 1e9;
  return Math.min(9, Math.max(1, Math.ceil(-Math.log10(seconds / 100))));
}

function clockReading(origin: { seconds: number; nanoseconds: number }, timeNs: number, decimals: number): string {
  const totalNs = origin.nanoseconds + Math.round(timeNs);
  const carry = Math.floor(totalNs / 1e9);
  const fraction = (totalNs - carry * 1e9) / 1e9;
  // Rounding the fraction may carry once more: 0.9999 to three decimals.
  const rounded = fraction.toFixed(decimals);
  const seconds = origin.seconds + carry + (rounded.startsWith('1') ? 1 : 0);
  return `${formatCount(seconds)}${rounded.slice(1)}`;
}
