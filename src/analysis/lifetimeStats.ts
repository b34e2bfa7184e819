import { upperBound } from '../base/bisect';
import type { DeviceLifetimes, LifetimeStats, SizeClass } from '../model/lifetimes';
import { EvidenceBit, Outcome, Pairing } from '../model/tables';
import type { Nanoseconds, Slots } from '../model/units';
import { SEGMENT_SLOTS, SLOT_BYTES } from '../model/units';
import type { Analysis } from './analysis';
import { suspectedLeaks } from './leaks';
import { requestPaddedBytes } from './occupancy';

/** 100 ns to 1,000 s. */
const lowestDecade = 2;
const decades = 10;
const perDecade = 4;
const edgesNs: readonly Nanoseconds[] = Array.from(
  { length: decades * perDecade + 1 },
  (_, index) => 10 ** (lowestDecade + index / perDecade),
);

const sizeClasses: readonly SizeClass[] = [
  { fromSlots: 1, toSlots: 1 },
  ...Array.from({ length: Math.log2(SEGMENT_SLOTS) }, (_, power) => ({
    fromSlots: 2 ** power + 1,
    toSlots: 2 ** (power + 1),
  })),
  { fromSlots: SEGMENT_SLOTS + 1, toSlots: null },
];

const shortNs: Nanoseconds = 10_000;

/** Position in `LifetimeStats.sizeClasses` of a mapping that takes so many slots. */
export function sizeClassOf(slots: Slots): number {
  return slots <= 1 ? 0 : Math.min(sizeClasses.length - 1, Math.ceil(Math.log2(slots)));
}

interface Tally {
  readonly lifetimesNs: number[];
  readonly sizes: { mappings: number; failed: number; bytes: number; wasteBytes: number }[];
  shortMappings: number;
  shortBytes: number;
}

const cache = new WeakMap<Analysis, LifetimeStats>();

/** Computed once per analysis. Direct mappings and attempts without a known size do not count. */
export function lifetimeStats(analysis: Analysis): LifetimeStats {
  let stats = cache.get(analysis);
  if (stats === undefined) {
    stats = measure(analysis);
    cache.set(analysis, stats);
  }
  return stats;
}

function measure(analysis: Analysis): LifetimeStats {
  const { tables } = analysis;
  const tallies = tallyMappings(analysis);
  const hasLifetimes = [...tallies.values()].some((tally) => tally.lifetimesNs.length > 0);
  const leaks = new Map(suspectedLeaks(analysis).map((leak) => [leak.device, leak]));
  const devices = [...tallies].map(([device, tally]): DeviceLifetimes => {
    const leak = leaks.get(device);
    return {
      device,
      name: tables.devices[device]?.name ?? '',
      lifetimes: hasLifetimes ? countByClass(tally.lifetimesNs) : null,
      quantilesNs: quantilesOf(tally.lifetimesNs),
      sizes: tally.sizes,
      short: hasLifetimes
        ? { mappings: tally.shortMappings, bytes: tally.shortBytes, ofMappings: tally.lifetimesNs.length }
        : null,
      leak:
        leak === undefined
          ? null
          : {
              open: leak.open,
              openSlots: leak.openSlots,
              mapped: leak.mapped,
              oldest: { file: tables.sources[leak.source]?.path ?? analysis.file, line: leak.firstLine },
            },
    };
  });
  devices.sort((a, b) => a.device - b.device);
  return { lifetimeEdgesNs: hasLifetimes ? edgesNs : null, sizeClasses, shortNs, devices };
}

function tallyMappings(analysis: Analysis): Map<number, Tally> {
  const { columns, length } = analysis.tables.requests;
  const tallies = new Map<number, Tally>();
  for (let row = 0; row < length; row++) {
    const isDirect = (columns.evidence[row] & EvidenceBit.direct) !== 0;
    const isFailed = columns.outcome[row] === Outcome.failed;
    const isCounted = columns.outcome[row] === Outcome.served || isFailed || columns.outcome[row] === Outcome.unknown;
    if (isDirect || !isCounted || columns.pairing[row] === Pairing.unseenMap || columns.sizeBytes[row] === 0) {
      continue;
    }
    const tally = tallyOf(tallies, columns.device[row]);
    const sizeBytes = columns.sizeBytes[row];
    const slots = Math.max(1, Math.ceil(requestPaddedBytes(analysis, row) / SLOT_BYTES));
    const size = tally.sizes[sizeClassOf(slots)];
    if (isFailed) {
      size.failed++;
      continue;
    }
    size.mappings++;
    size.bytes += sizeBytes;
    size.wasteBytes += slots * SLOT_BYTES - sizeBytes;
    const pairing = columns.pairing[row];
    const lifetimeNs = columns.unmapEnterNs[row] - columns.enterNs[row];
    if ((pairing === Pairing.exact || pairing === Pairing.sizeMismatch) && Number.isFinite(lifetimeNs)) {
      tally.lifetimesNs.push(Math.max(0, lifetimeNs));
      if (lifetimeNs < shortNs) {
        tally.shortMappings++;
        tally.shortBytes += sizeBytes;
      }
    }
  }
  return tallies;
}

function tallyOf(tallies: Map<number, Tally>, device: number): Tally {
  let tally = tallies.get(device);
  if (tally === undefined) {
    tally = {
      lifetimesNs: [],
      sizes: sizeClasses.map(() => ({ mappings: 0, failed: 0, bytes: 0, wasteBytes: 0 })),
      shortMappings: 0,
      shortBytes: 0,
    };
    tallies.set(device, tally);
  }
  return tally;
}

function countByClass(lifetimesNs: readonly number[]): number[] {
  const counts = new Array<number>(edgesNs.length + 1).fill(0);
  for (const lifetimeNs of lifetimesNs) {
    counts[upperBound(edgesNs, lifetimeNs)]++;
  }
  return counts;
}

/** Nearest rank; between two middle ones lies the median, as in the report of the devices. */
function quantilesOf(lifetimesNs: readonly number[]): DeviceLifetimes['quantilesNs'] {
  if (lifetimesNs.length === 0) {
    return null;
  }
  const sorted = Float64Array.from(lifetimesNs).sort();
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  return {
    shortest: sorted[0],
    median: (sorted[(sorted.length - 1) >>> 1] + sorted[sorted.length >>> 1]) / 2,
    p90: at(0.9),
    p99: at(0.99),
    longest: sorted[sorted.length - 1],
  };
}
