import type { LogRecord } from '../model/log';
import { Outcome, type RequestTable, type Source } from '../model/tables';
import type { ClockMarks } from './clockMarks';
import type { DeviceTable } from './devices';
import { fitsPaddedSize } from './paddedSize';

/** A clock as a text gives it. */
export interface ClockReading {
  readonly ns: number;
  /** The last digit that was printed. */
  readonly stepNs: number;
}

/** An event that tells CLOCK_MONOTONIC or CLOCK_BOOTTIME of its moment (absolute); null where it does not. */
export interface ClockMarker {
  /** In the source's own relative time. */
  readonly timeNs: number;
  readonly mono: ClockReading | null;
  readonly boot: ClockReading | null;
}

/** What a source offers for joining its clock with another one. */
export interface ClockEvidence {
  readonly id: number;
  readonly meta: Pick<Source, 'format' | 'clock' | 'timeUnit' | 'origin'>;
  readonly requests: number;
  readonly samples: number;
  /** Failure lines, in file order. */
  readonly failures: readonly LogRecord[];
  readonly markers: readonly ClockMarker[];
  /** Texts of log lines, and of console events and markers. */
  readonly logMarks: ClockMarks;
  readonly eventMarks: ClockMarks;
}

export interface ClockOffset {
  readonly offsetNs: number;
  /** NaN: a guess from the clocks' origins only. */
  readonly offsetErrorNs: number;
  /** False: not even a guess, the clocks cannot be compared. */
  readonly isComparable: boolean;
}

/** Lines of one message and its event lie this close once the offset is right; the narrowest that fits is taken. */
const CLUSTERS_NS = [20_000, 200_000, 2_000_000];
/** The same for a log that only prints whole seconds. */
const COARSE_CLUSTERS_NS = [1_100_000_000];
/** Time stamps are printed in microseconds. */
const RESOLUTION_NS = 1000;
/**
 * From reading a clock to the line that tells it: measured 0.04 and 0.37 ms where the trace clock is CLOCK_MONOTONIC.
 * What one line leaves open, several narrow down.
 */
const MARKER_DELAY_NS = 500_000;
/** From the stamp of a log line to its console event: measured up to 0.16 ms. */
const CONSOLE_DELAY_NS = 200_000;
/**
 * The log's clock against CLOCK_MONOTONIC: measured over 20 boots -83 to +32 ms. They drift apart, too: CLOCK_MONOTONIC
 * is corrected by NTP.
 */
const LOG_TO_MONOTONIC_NS = 100_000_000;
const DRIFT_PER_NS = 1e-4;
/** A guess by the clocks' origins is not further off (measured: up to 1.9 s); evidence beyond is a coincidence. */
const GUESS_REACH_NS = 10_000_000_000;
/** An error below this is exact enough to need no further evidence. */
const EXACT_NS = 1_000_000;
const MAX_LINES = 200;
const MAX_CANDIDATES = 5000;
/** Partners of one text: a flood of equal lines proves no more than some of them. */
const MAX_PARTNERS = 64;
/** Clocks whose first time stamps differ by more than this do not both count from boot. */
const SAME_BOOT_NS = 1e9 * 86400 * 3650;
/** `global` and `perf` are the clock that printk stamps its lines with; `local` (the default) is not: it knows no offset between boots of the clock source. */
const LOG_CLOCKS: ReadonlySet<string> = new Set(['dmesg', 'global', 'perf']);
const PLAIN_TRACES: ReadonlySet<string> = new Set([
  'ftrace',
  'ftrace-latency',
  'ftrace-nocontext',
  'function-graph',
  'trace-cmd',
]);

/** A trace in a text that does not name its clock. */
export function isPlainTrace(format: string): boolean {
  return PLAIN_TRACES.has(format);
}

/** The source whose clock the others are compared with: the one with the requests, else the first that has time. */
export function chooseReference(sources: readonly ClockEvidence[]): number {
  let best = -1;
  for (const source of sources) {
    if (source.meta.timeUnit === 'order' && source.requests === 0) {
      continue;
    }
    if (best < 0 || source.requests > sources[best].requests) {
      best = source.id;
    }
  }
  return Math.max(best, 0);
}

/** Finds what to add to a source's times to get the reference's times. */
export function joinClocks(
  source: ClockEvidence,
  reference: ClockEvidence,
  requests: RequestTable,
  devices: DeviceTable,
): ClockOffset {
  if (source.id === reference.id) {
    return { offsetNs: 0, offsetErrorNs: 0, isComparable: true };
  }
  if (source.meta.timeUnit !== 'ns' || reference.meta.timeUnit !== 'ns') {
    return { offsetNs: 0, offsetErrorNs: Number.NaN, isComparable: false };
  }
  const known = byClock(source, reference);
  const guess = originDifference(source, reference);
  const near: Expected = { offsetNs: known?.offsetNs ?? guess, reachNs: GUESS_REACH_NS };
  const bySame = bySameTexts(source, reference, near);
  if (bySame !== undefined) {
    // Settings are written down before or after the trace: what it shows itself wins where the two differ.
    const differenceNs = Math.abs((known?.offsetNs ?? Number.NaN) - bySame.offsetNs);
    const isConfirmed = known !== null && differenceNs <= known.offsetErrorNs + bySame.offsetErrorNs;
    return isConfirmed && known.offsetErrorNs < bySame.offsetErrorNs ? known : bySame;
  }
  if (known !== null && known.offsetErrorNs <= EXACT_NS) {
    return known;
  }
  const expected = known === null ? near : { ...near, reachNs: 2 * known.offsetErrorNs };
  return (
    byFailures(source, reference, requests, devices, expected) ??
    known ?? {
      offsetNs: Number.isNaN(guess) ? 0 : guess,
      offsetErrorNs: Number.NaN,
      isComparable: !Number.isNaN(guess),
    }
  );
}

/** Where the offset must lie; NaN: anywhere. */
interface Expected {
  readonly offsetNs: number;
  readonly reachNs: number;
}

/** Both clocks counted from the same moment: the difference of their first time stamps. */
function originDifference(source: ClockEvidence, reference: ClockEvidence): number {
  const difference = originNs(source) - originNs(reference);
  return Math.abs(difference) > SAME_BOOT_NS ? Number.NaN : difference;
}

/** Absolute time of the source's first stamp; NaN where it is not counted from boot (or another fixed moment). */
function originNs({ meta: { origin, format } }: ClockEvidence): number {
  // The latency format counts from the start of the buffer.
  return origin === null || format === 'ftrace-latency' ? Number.NaN : origin.seconds * 1e9 + origin.nanoseconds;
}

/** The clock's name; '' unknown. */
function clockOf(source: ClockEvidence): string {
  const { clock, format } = source.meta;
  if (clock !== '') {
    return LOG_CLOCKS.has(clock) ? 'dmesg' : clock;
  }
  return format === 'kernel-log' && originNs(source) < SAME_BOOT_NS ? 'dmesg' : '';
}

/** Moment zero of a clock, in the relative time of a source. */
interface Zero {
  readonly ns: number;
  readonly errorNs: number;
}

/** Both sources name their clocks, and it is known how these relate. */
function byClock(source: ClockEvidence, reference: ClockEvidence): ClockOffset | null {
  const clock = clockOf(source);
  const isUnnamed = clock === '' && (source.samples > 0 || source.meta.format === 'perf');
  // A column that is just called time, or perf script: some clock that counts from boot.
  const zero = isUnnamed ? withError(zeroOf('mono', reference), LOG_TO_MONOTONIC_NS) : zeroOf(clock, reference);
  const origin = originNs(source);
  if (zero === null || !(origin < SAME_BOOT_NS) || Number.isNaN(zero.ns)) {
    return null;
  }
  return { offsetNs: zero.ns + origin, offsetErrorNs: zero.errorNs, isComparable: true };
}

function zeroOf(clock: string, reference: ClockEvidence): Zero | null {
  const own = clockOf(reference);
  const origin = originNs(reference);
  if (clock === '') {
    return null;
  }
  if (clock === own && !Number.isNaN(origin)) {
    return { ns: -origin, errorNs: RESOLUTION_NS };
  }
  if (clock === 'mono' || clock === 'boot') {
    const printed = zeroByMarkers(reference.markers, clock);
    if (printed !== null) {
      return printed;
    }
  }
  const driftNs = LOG_TO_MONOTONIC_NS + (Number.isNaN(origin) ? 0 : origin * DRIFT_PER_NS);
  if (clock === 'mono' && own === 'dmesg') {
    return withError(zeroOf('dmesg', reference), driftNs);
  }
  if (clock === 'dmesg' && (own === 'mono' || reference.markers.some(({ mono }) => mono !== null))) {
    return withError(zeroOf('mono', reference), driftNs);
  }
  return null;
}

function withError(zero: Zero | null, errorNs: number): Zero | null {
  return zero === null ? null : { ns: zero.ns, errorNs: zero.errorNs + errorNs };
}

/**
 * Zero of CLOCK_MONOTONIC or CLOCK_BOOTTIME by events that tell it. The clock is read before the event is written, so
 * of those that agree the earliest is the nearest to the truth.
 */
function zeroByMarkers(markers: readonly ClockMarker[], clock: 'mono' | 'boot'): Zero | null {
  const deltas: number[] = [];
  let stepNs = RESOLUTION_NS;
  for (const marker of markers) {
    const reading = marker[clock];
    if (reading !== null) {
      deltas.push(marker.timeNs - reading.ns);
      stepNs = Math.max(stepNs, reading.stepNs);
    }
  }
  if (deltas.length === 0) {
    return null;
  }
  deltas.sort((a, b) => a - b);
  const middle = deltas[deltas.length >>> 1];
  const distances = deltas.map((delta) => Math.abs(delta - middle)).sort((a, b) => a - b);
  // Two that differ contradict each other, and nobody knows which is right.
  const reachNs = deltas.length < 3 ? Number.POSITIVE_INFINITY : Math.max(EXACT_NS, 5 * distances[deltas.length >>> 1]);
  const kept = deltas.filter((delta) => Math.abs(delta - middle) <= reachNs);
  const spread = kept[kept.length - 1] - kept[0];
  return { ns: kept[0], errorNs: Math.max(stepNs, spread, MARKER_DELAY_NS / kept.length) };
}

/** The same texts in the log and as console events or markers. */
function bySameTexts(source: ClockEvidence, reference: ClockEvidence, expected: Expected): ClockOffset | undefined {
  const deltas: Delta[] = [];
  const theirs = reference.failures.slice(0, MAX_LINES * 5);
  for (const [line, record] of source.failures.slice(0, MAX_LINES).entries()) {
    for (const other of theirs) {
      if (other.text === record.text) {
        deltas.push({ line, ns: other.timeNs - record.timeNs });
      }
    }
  }
  const first = source.failures.length;
  pairTexts(source.logMarks, reference.eventMarks, (line, ns) => deltas.push({ line: first + line, ns }));
  pairTexts(reference.logMarks, source.eventMarks, (line, ns) => deltas.push({ line: -1 - line, ns: -ns }));
  return offsetOf(deltas, 1, expected, isCoarse(source) ? COARSE_CLUSTERS_NS : CLUSTERS_NS);
}

/** Every line of the log with every event of the same text: `ns` is what the event is later. */
function pairTexts(lines: ClockMarks, events: ClockMarks, visit: (line: number, ns: number) => void): void {
  const times = new Map<number, number[]>();
  for (const [index, text] of events.texts.entries()) {
    const known = times.get(text);
    if (known === undefined) {
      times.set(text, [events.timesNs[index]]);
    } else if (known.length < MAX_PARTNERS) {
      known.push(events.timesNs[index]);
    }
  }
  const visits = new Map<number, number>();
  for (const [line, text] of lines.texts.entries()) {
    const partners = times.get(text);
    const visited = visits.get(text) ?? 0;
    if (partners !== undefined && visited < MAX_PARTNERS) {
      visits.set(text, visited + 1);
      for (const timeNs of partners) {
        visit(line, timeNs - lines.timesNs[line]);
      }
    }
  }
}

/** A log with stamps in whole seconds. */
function isCoarse({ failures, logMarks, meta }: ClockEvidence): boolean {
  const times = [...failures.map(({ timeNs }) => timeNs), ...logMarks.timesNs].filter((timeNs) => timeNs > 0);
  return meta.origin?.nanoseconds === 0 && times.length > 0 && times.every((timeNs) => timeNs % 1e9 === 0);
}

/** Failure lines against the failed requests (or, in a trace without results, the attempts) they can belong to. */
function byFailures(
  source: ClockEvidence,
  reference: ClockEvidence,
  requests: RequestTable,
  devices: DeviceTable,
  expected: Expected,
): ClockOffset | undefined {
  const lines = source.failures.filter((record) => record.kind === 'buffer-full').slice(0, MAX_LINES);
  if (lines.length === 0) {
    return undefined;
  }
  const wanted = hasFailedRow(reference.id, requests) ? Outcome.failed : Outcome.unknown;
  const { outcome, source: sources, sizeBytes, enterNs, device } = requests.columns;
  const candidates: number[] = [];
  for (let row = 0; row < requests.length; row++) {
    if (sources[row] === reference.id && outcome[row] === wanted) {
      candidates.push(row);
    }
  }
  const deltas: Delta[] = [];
  for (const [line, record] of lines.entries()) {
    const deviceRow = devices.findName(record.device);
    let found = 0;
    for (const row of candidates) {
      if (device[row] === deviceRow && fitsPaddedSize(sizeBytes[row], record.sizeBytes) && found < MAX_CANDIDATES) {
        deltas.push({ line, ns: enterNs[row] - record.timeNs });
        found++;
      }
    }
  }
  const clusters = isCoarse(source) ? COARSE_CLUSTERS_NS : CLUSTERS_NS;
  return offsetOf(deltas, Math.max(3, Math.ceil(lines.length * 0.6)), expected, clusters);
}

function hasFailedRow(source: number, requests: RequestTable): boolean {
  const { outcome, source: sources } = requests.columns;
  for (let row = 0; row < requests.length; row++) {
    if (outcome[row] === Outcome.failed && sources[row] === source) {
      return true;
    }
  }
  return false;
}

interface Delta {
  readonly line: number;
  readonly ns: number;
}

interface Cluster {
  readonly lines: number;
  readonly deltas: readonly number[];
}

/** The narrowest stretch in which (nearly) as many lines have a partner as in the widest. */
function densest(sorted: readonly Delta[], widths: readonly number[]): Cluster {
  const clusters = widths.map((widthNs) => densestWithin(sorted, widthNs));
  const most = clusters[clusters.length - 1].lines;
  return clusters.find((cluster) => cluster.lines >= 0.9 * most) as Cluster;
}

/** The stretch of that width in which most lines have a partner. `sorted` is in order of time. */
function densestWithin(sorted: readonly Delta[], widthNs: number): Cluster {
  const inside = new Map<number, number>();
  let best: { lines: number; from: number; to: number } = { lines: 0, from: 0, to: 0 };
  let from = 0;
  for (let to = 0; to < sorted.length; to++) {
    inside.set(sorted[to].line, (inside.get(sorted[to].line) ?? 0) + 1);
    while (sorted[to].ns - sorted[from].ns > widthNs) {
      const left = inside.get(sorted[from].line) as number;
      if (left === 1) {
        inside.delete(sorted[from].line);
      } else {
        inside.set(sorted[from].line, left - 1);
      }
      from++;
    }
    if (inside.size > best.lines) {
      best = { lines: inside.size, from, to: to + 1 };
    }
  }
  return { lines: best.lines, deltas: sorted.slice(best.from, best.to).map((delta) => delta.ns) };
}

function offsetOf(
  deltas: readonly Delta[],
  needed: number,
  expected: Expected,
  widths: readonly number[],
): ClockOffset | undefined {
  const isNear = ({ ns }: Delta): boolean => !(Math.abs(ns - expected.offsetNs) > expected.reachNs);
  const sorted = deltas.filter((delta) => !Number.isNaN(delta.ns) && isNear(delta)).sort((a, b) => a.ns - b.ns);
  const cluster = densest(sorted, widths);
  if (cluster.lines === 0 || cluster.lines < needed) {
    return undefined;
  }
  // One line that fits at several places says no more than between which.
  const agreeing = cluster.lines === 1 ? sorted.map(({ ns }) => ns) : cluster.deltas;
  const offsetNs = agreeing[agreeing.length >>> 1];
  const spread = Math.max(offsetNs - agreeing[0], agreeing[agreeing.length - 1] - offsetNs);
  return {
    offsetNs,
    offsetErrorNs: Math.max(RESOLUTION_NS, spread, CONSOLE_DELAY_NS / cluster.lines),
    isComparable: true,
  };
}
