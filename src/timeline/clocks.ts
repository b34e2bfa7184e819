import type { LogRecord } from '../model/log';
import { Outcome, type RequestTable, type Source } from '../model/tables';
import type { DeviceTable } from './devices';
import { fitsPaddedSize } from './paddedSize';

/** What a source offers for joining its clock with another one. */
export interface ClockEvidence {
  readonly id: number;
  readonly meta: Pick<Source, 'format' | 'clock' | 'timeUnit' | 'origin'>;
  readonly requests: number;
  readonly samples: number;
  /** Failure lines, in file order. */
  readonly failures: readonly LogRecord[];
  /** Moments of which CLOCK_MONOTONIC and CLOCK_BOOTTIME are known (absolute), in the source's own relative time. */
  readonly markers: readonly { readonly timeNs: number; readonly monoNs: number; readonly bootNs: number }[];
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
/** Time stamps are printed in microseconds. */
const RESOLUTION_NS = 1000;
const MAX_LINES = 200;
const MAX_CANDIDATES = 5000;
/** Clocks whose first time stamps differ by more than this do not both count from boot. */
const SAME_BOOT_NS = 1e9 * 86400 * 3650;

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
  const guess = originDifference(source, reference);
  if (source.meta.timeUnit !== 'ns' || reference.meta.timeUnit !== 'ns') {
    return { offsetNs: 0, offsetErrorNs: Number.NaN, isComparable: false };
  }
  return (
    byMarkers(source, reference) ??
    bySameLines(source, reference) ??
    byFailures(source, reference, requests, devices) ??
    bySameClock(source, reference, guess) ?? {
      offsetNs: Number.isNaN(guess) ? 0 : guess,
      offsetErrorNs: Number.NaN,
      isComparable: !Number.isNaN(guess),
    }
  );
}

/** Both clocks counted from the same moment: the difference of their first time stamps. */
function originDifference(source: ClockEvidence, reference: ClockEvidence): number {
  const a = source.meta.origin;
  const b = reference.meta.origin;
  // The latency format counts from the start of the buffer.
  const isRelative = source.meta.format === 'ftrace-latency' || reference.meta.format === 'ftrace-latency';
  if (a === null || b === null || isRelative) {
    return Number.NaN;
  }
  const difference = (a.seconds - b.seconds) * 1e9 + (a.nanoseconds - b.nanoseconds);
  return Math.abs(difference) > SAME_BOOT_NS ? Number.NaN : difference;
}

function bySameClock(source: ClockEvidence, reference: ClockEvidence, guess: number): ClockOffset | undefined {
  const isSame = source.meta.clock !== '' && source.meta.clock === reference.meta.clock;
  return isSame && !Number.isNaN(guess)
    ? { offsetNs: guess, offsetErrorNs: RESOLUTION_NS, isComparable: true }
    : undefined;
}

/** Samples carry CLOCK_MONOTONIC (or CLOCK_BOOTTIME); the trace has lines that name both clocks of one moment. */
function byMarkers(source: ClockEvidence, reference: ClockEvidence): ClockOffset | undefined {
  const origin = source.meta.origin;
  if (source.samples === 0 || origin === null || reference.markers.length === 0) {
    return undefined;
  }
  const isBoot = source.meta.clock.includes('boot');
  const deltas: number[] = [];
  for (const marker of reference.markers) {
    const clockNs = isBoot ? marker.bootNs : marker.monoNs;
    const sourceNs = clockNs - origin.seconds * 1e9 - origin.nanoseconds;
    if (!Number.isNaN(sourceNs)) {
      deltas.push(marker.timeNs - sourceNs);
    }
  }
  if (deltas.length === 0) {
    return undefined;
  }
  // The clock is read before the line is written: the smallest difference is the nearest to the truth.
  const smallest = Math.min(...deltas);
  return {
    offsetNs: smallest,
    offsetErrorNs: Math.max(RESOLUTION_NS, Math.max(...deltas) - smallest),
    isComparable: true,
  };
}

/** The same messages in the log and as console events. */
function bySameLines(source: ClockEvidence, reference: ClockEvidence): ClockOffset | undefined {
  const deltas: Delta[] = [];
  const theirs = reference.failures.slice(0, MAX_LINES * 5);
  for (const [line, record] of source.failures.slice(0, MAX_LINES).entries()) {
    for (const other of theirs) {
      if (other.text === record.text) {
        deltas.push({ line, ns: other.timeNs - record.timeNs });
      }
    }
  }
  return offsetOf(densest(deltas), 1);
}

/** Failure lines against the failed requests (or, in a trace without results, the attempts) they can belong to. */
function byFailures(
  source: ClockEvidence,
  reference: ClockEvidence,
  requests: RequestTable,
  devices: DeviceTable,
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
  return offsetOf(densest(deltas), Math.max(3, Math.ceil(lines.length * 0.6)));
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
function densest(deltas: Delta[]): Cluster {
  const sorted = deltas.filter((delta) => !Number.isNaN(delta.ns)).sort((a, b) => a.ns - b.ns);
  const clusters = CLUSTERS_NS.map((widthNs) => densestWithin(sorted, widthNs));
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

function offsetOf(cluster: Cluster, needed: number): ClockOffset | undefined {
  if (cluster.lines === 0 || cluster.lines < needed) {
    return undefined;
  }
  const { deltas } = cluster;
  const offsetNs = deltas[deltas.length >>> 1];
  const spread = Math.max(offsetNs - deltas[0], deltas[deltas.length - 1] - offsetNs);
  return { offsetNs, offsetErrorNs: Math.max(RESOLUTION_NS, spread), isComparable: true };
}
