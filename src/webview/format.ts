import { formatBytes, formatCount, formatDuration } from '../base/format';
import type { TraceView } from '../protocol/views';

/** Byte-seconds of held memory: `6.5 MiB·s`. */
export function formatByteSeconds(byteSeconds: number): string {
  return `${formatBytes(byteSeconds)}·s`;
}

/** How times are written: as the trace prints them, since its first event, or as hours since the machine started. */
export const timeModes = ['clock', 'relative', 'sinceBoot'] as const;
export type TimeMode = (typeof timeModes)[number];

/** How times of one trace are written; `spanNs` is the visible range and decides the decimals. */
export interface TimeFormat {
  /** With its unit: `5.128637 s`, `1 d 2:03:05.128 since boot`, or `event 1,204` for clocks that give order only. */
  absolute(timeNs: number, spanNs: number): string;
  /** Since the first event: `+1.204 ms`. */
  relative(timeNs: number): string;
  /** Without the unit, for axis ticks. */
  tick(timeNs: number, spanNs: number): string;
  /** What the clock's fraction of a second read at time 0. */
  readonly originNs: number;
  /** Name of the axis with its unit. */
  readonly axisTitle: string;
  /** After a range of ticks: ` s`, or nothing. */
  readonly unit: string;
  /** Room that a tick needs. */
  readonly tickPixels: number;
}

/** Clocks of ftrace and of kernel logs whose zero is the start of the machine; unnamed ones are ftrace's own, local. */
const bootClocks = new Set(['', 'local', 'global', 'perf', 'mono', 'mono_raw', 'boot', 'dmesg']);

/** The ways in which times of this trace can be written; none to choose from when the clock gives order only. */
export function timeModesOf({ hasTime, sources }: Pick<TraceView, 'hasTime' | 'sources'>): readonly TimeMode[] {
  if (!hasTime) {
    return [];
  }
  const isSinceBoot = sources.some(({ clock }) => bootClocks.has(clock));
  return timeModes.filter((mode) => mode !== 'sinceBoot' || isSinceBoot);
}

export function timeFormat(trace: Pick<TraceView, 'hasTime' | 'origin'>, mode: TimeMode = 'clock'): TimeFormat {
  if (!trace.hasTime) {
    const event = (timeNs: number) => formatCount(Math.round(timeNs));
    return {
      absolute: (timeNs) => `event ${event(timeNs)}`,
      relative: (timeNs) => `event ${event(timeNs)}`,
      tick: event,
      originNs: 0,
      axisTitle: 'event number (this clock gives order only)',
      unit: '',
      tickPixels: 90,
    };
  }
  const origin = mode === 'relative' || trace.origin === null ? { seconds: 0, nanoseconds: 0 } : trace.origin;
  const relative = (timeNs: number) => `${timeNs < 0 ? '' : '+'}${formatDuration(timeNs)}`;
  const reading = (timeNs: number, spanNs: number) => clockReading(origin, timeNs, decimalsFor(spanNs));
  // Round seconds need them; more of them than this would cost nanoseconds.
  const base = { relative, originNs: (origin.seconds % 1e6) * 1e9 + origin.nanoseconds };
  switch (mode) {
    case 'clock':
      return {
        ...base,
        absolute: (timeNs, spanNs) => `${formatReading(reading(timeNs, spanNs))} s`,
        tick: (timeNs, spanNs) => formatReading(reading(timeNs, spanNs)),
        axisTitle: 'trace time (s)',
        unit: ' s',
        tickPixels: 90,
      };
    case 'relative':
      return {
        ...base,
        absolute: (timeNs, spanNs) => `${timeNs < 0 ? '−' : '+'}${formatReading(reading(Math.abs(timeNs), spanNs))} s`,
        tick: (timeNs, spanNs) => `${timeNs < 0 ? '−' : ''}${formatReading(reading(Math.abs(timeNs), spanNs))}`,
        axisTitle: 'time since the first event (s)',
        unit: ' s',
        tickPixels: 90,
      };
    case 'sinceBoot':
      return {
        ...base,
        absolute: (timeNs, spanNs) => `${hoursOf(reading(timeNs, spanNs))} since boot`,
        tick: (timeNs, spanNs) => hoursOf(reading(timeNs, spanNs)),
        axisTitle: 'time since boot (h:min:s)',
        unit: '',
        tickPixels: 110,
      };
  }
}

/** Decimals of a second that tell two neighbouring pixels apart. */
function decimalsFor(spanNs: number): number {
  const seconds = Math.max(spanNs, 1) / 1e9;
  return Math.min(9, Math.max(1, Math.ceil(-Math.log10(seconds / 100))));
}

/** Whole seconds and `.123`. */
interface Reading {
  readonly seconds: number;
  readonly fraction: string;
}

function clockReading(
  origin: { readonly seconds: number; readonly nanoseconds: number },
  timeNs: number,
  decimals: number,
): Reading {
  const totalNs = origin.nanoseconds + Math.round(timeNs);
  const carry = Math.floor(totalNs / 1e9);
  const fraction = (totalNs - carry * 1e9) / 1e9;
  // Rounding the fraction may carry once more: 0.9999 to three decimals.
  const rounded = fraction.toFixed(decimals);
  const seconds = origin.seconds + carry + (rounded.startsWith('1') ? 1 : 0);
  return { seconds, fraction: rounded.slice(1) };
}

function formatReading({ seconds, fraction }: Reading): string {
  return `${formatCount(seconds)}${fraction}`;
}

/** `1 d 2:03:05.128`, `0:00:05.128`. */
function hoursOf({ seconds, fraction }: Reading): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const days = Math.floor(seconds / 86_400);
  const clock = `${Math.floor(seconds / 3600) % 24}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${fraction}`;
  return days <= 0 ? clock : `${formatCount(days)} d ${clock}`;
}
