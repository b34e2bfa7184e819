import { type Known, known } from '../model/evidence';
import type { Generation, Geometry, PoolGeometry } from '../model/geometry';
import { EvidenceBit, Outcome, type TraceTables } from '../model/tables';
import { SEGMENT_BYTES, SEGMENT_SLOTS, SLOT_BYTES } from '../model/units';
import { plausibility, verify } from '../replay/verify/verify';
import { type AlignmentEvidence, candidateMasks } from './geometryAlignment';

/** Requests of one trial. */
const TRIAL_ROWS = 1024;
/** Requests of the trial among the best guesses, and how many of those there are. */
const SECOND_TRIAL_ROWS = 8192;
const FINALISTS = 4;
/** A guess that gives so many wrong places more than the best one so far is out. */
const HOPELESS = 60;
/** Larger pools than this do not exist: the kernel's own sizing stops at 1 GiB. */
const MAX_SLOTS = 2 ** 19;

/**
 * What neither logs nor probes tell about the boot pool, settled by the model: start, size, areas. Of the guesses the one under which most recorded addresses come out exactly.
 */
export function settleBootPool(
  tables: TraceTables,
  geometry: Geometry,
  evidence: readonly AlignmentEvidence[],
): Geometry {
  const boot = geometry.pools[0];
  const hasPlace = boot !== undefined && boot.kind === 'boot' && !Number.isNaN(boot.start.value);
  if (!hasPlace || !evidence.some((entry) => entry.requests > 0)) {
    return geometry;
  }
  const devices = geometry.devices.map((device) => {
    const entry = evidence[device.device];
    const open = entry !== undefined && entry.requests > 0 && device.minAlignMask.evidence.level !== 'user';
    return open ? { ...device, minAlignMask: { ...device.minAlignMask, value: candidateMasks(entry)[0].low } } : device;
  });
  const base: Geometry = { ...geometry, devices };
  const guesses = poolGuesses(tables, geometry, boot);
  let settled = base;
  if (guesses.length > 1) {
    const candidates = guesses.map((guess) => withPool(base, boot, guess));
    const first = contest(tables, candidates, TRIAL_ROWS);
    const finalists = first.order.slice(0, FINALISTS);
    const last = contest(
      tables,
      finalists.map((index) => candidates[index]),
      SECOND_TRIAL_ROWS,
    );
    const winner = finalists[last.order[0]];
    const tolerance = FIRST_PLACES * guesses[winner].areas;
    const rivals = guesses.filter((_, index) => {
      const place = finalists.indexOf(index);
      const isEqual = place < 0 || last.scores[place] >= last.scores[last.order[0]] - tolerance;
      return isEqual && first.scores[index] >= first.scores[winner] - tolerance;
    });
    const enough = last.scores[last.order[0]] - tolerance;
    const elsewhere = otherPools(tables, base, boot, guesses[winner], enough);
    settled = explainPool(candidates[winner], guesses[winner], [...rivals, ...elsewhere], boot);
  }
  return { ...settled, devices: geometry.devices };
}

/**
 * Where nothing names the kernel: the generation under which most addresses come out. `settle` gives the geometry of a
 * generation with its masks, which were tried with that generation's rules.
 */
export function settleGeneration(tables: TraceTables, settle: (generation: Generation | null) => Geometry): Geometry {
  const first = settle(null);
  if (first.generation.evidence.level !== 'assumed' || first.pools.length === 0) {
    return first;
  }
  const candidates = [first, ...generationGuesses.map(settle)];
  const winner = candidates[contest(tables, candidates, SECOND_TRIAL_ROWS).order[0]];
  if (winner === first) {
    return first;
  }
  const text = `Nothing names the kernel; with this allocator the model gives more of the recorded addresses than with others.`;
  return { ...winner, generation: known(winner.generation.value, 'derived', text) };
}

const generationGuesses: readonly Generation[] = ['6.6', '6.1'];

interface PoolGuess {
  readonly start: number;
  readonly slots: number;
  readonly areas: number;
}

function poolGuesses(tables: TraceTables, geometry: Geometry, boot: PoolGeometry): PoolGuess[] {
  const seen = new Set<string>();
  const guesses: PoolGuess[] = [];
  const add = (start: number, slots: number, areas: number): void => {
    const key = `${start},${slots},${areas}`;
    if (!seen.has(key) && areas * SEGMENT_SLOTS <= slots && start >= 0) {
      seen.add(key);
      guesses.push({ start, slots, areas });
    }
  };
  const areaGuesses = openAreas(geometry, boot);
  if (boot.start.evidence.level !== 'assumed') {
    for (const areas of areaGuesses) {
      add(boot.start.value, boot.slots.value, areas);
    }
    return guesses;
  }
  const slotsKnown = boot.slots.evidence.level === 'recorded' || boot.slots.evidence.level === 'user';
  for (const cluster of clusters(tables)) {
    const phase = segmentPhase(tables, cluster);
    const start = Math.floor((cluster.low - phase) / SEGMENT_BYTES) * SEGMENT_BYTES + phase;
    const spanned = Math.max(SEGMENT_SLOTS, Math.ceil((cluster.high - start) / SLOT_BYTES));
    const fitting = 2 ** Math.ceil(Math.log2(spanned));
    const sizes = slotsKnown ? [boot.slots.value] : [Math.max(512, fitting), Math.max(512, fitting * 2)];
    for (const slots of sizes) {
      for (const areas of areaGuesses) {
        add(start, slots, areas);
      }
    }
  }
  const lowest = lowestByCpu(tables);
  for (const areas of areaGuesses) {
    const sizes = slotsKnown ? [boot.slots.value] : Array.from({ length: 11 }, (_, power) => 512 * 2 ** power);
    for (const slots of sizes) {
      const start = startByCpu(tables, lowest, (slots / areas) * SLOT_BYTES, areas);
      if (start !== null && spanOf(tables, start) <= slots * SLOT_BYTES) {
        add(start, slots, areas);
        break;
      }
    }
  }
  return guesses.slice(0, 48);
}

/** Lowest bounce address that each CPU mapped. */
function lowestByCpu(tables: TraceTables): Map<number, number> {
  const { recordedBounce, evidence, outcome, cpu, mapLine } = tables.requests.columns;
  const lowest = new Map<number, number>();
  for (let row = 0; row < tables.requests.length; row++) {
    const address = recordedBounce[row];
    const direct = (evidence[row] & EvidenceBit.direct) !== 0;
    if (Number.isNaN(address) || direct || outcome[row] === Outcome.failed || mapLine[row] === 0 || cpu[row] < 0) {
      continue;
    }
    lowest.set(cpu[row], Math.min(address, lowest.get(cpu[row]) ?? Number.POSITIVE_INFINITY));
  }
  return lowest;
}

/** A start under which every CPU's lowest address lies in its own area; null when the areas cannot be that long. */
function startByCpu(
  tables: TraceTables,
  lowest: ReadonlyMap<number, number>,
  areaBytes: number,
  areas: number,
): number | null {
  let start = Number.POSITIVE_INFINITY;
  let highest = 0;
  for (const [cpu, address] of lowest) {
    const own = address - (cpu & (areas - 1)) * areaBytes;
    start = Math.min(start, own);
    highest = Math.max(highest, own);
  }
  start = Math.floor(start / 4096) * 4096;
  if (!Number.isFinite(start) || start < 0 || highest - start >= areaBytes) {
    return null;
  }
  // Mappings from before the trace may lie a little lower in their area.
  let below = 0;
  forBounced(tables, (address) => {
    const into = (((address - start) % areaBytes) + areaBytes) % areaBytes;
    if (areaBytes - into <= SEGMENT_BYTES && areaBytes > 4 * SEGMENT_BYTES) {
      below = Math.max(below, areaBytes - into);
    }
  });
  return start - Math.ceil(below / 4096) * 4096;
}

/** From the start to the end of the highest mapping; Infinity when one lies below the start. */
function spanOf(tables: TraceTables, start: number): number {
  let high = start;
  let low = Number.POSITIVE_INFINITY;
  forBounced(tables, (address, sizeBytes) => {
    high = Math.max(high, address + sizeBytes);
    low = Math.min(low, address);
  });
  return low < start ? Number.POSITIVE_INFINITY : high - start;
}

/** Areas that are possible: what was found, unless a line says so; powers of two up to twice the CPUs seen. */
function openAreas(geometry: Geometry, boot: PoolGeometry): number[] {
  const { level } = boot.areas.evidence;
  if (level === 'user' || level === 'recorded' || geometry.generation.value === '4.18') {
    return [boot.areas.value];
  }
  const areas = [boot.areas.value];
  for (let count = 1; count <= 2 * geometry.cpus.value && areas.length < 8; count *= 2) {
    areas.push(count);
  }
  return areas;
}

interface Cluster {
  readonly low: number;
  readonly high: number;
}

/** Groups of bounce addresses with no gap of so many bytes inside; of each grouping the busiest one. */
function clusters(tables: TraceTables): Cluster[] {
  const blocks = new Map<number, number>();
  forBounced(tables, (address) => {
    const block = Math.floor(address / SEGMENT_BYTES);
    blocks.set(block, (blocks.get(block) ?? 0) + 1);
  });
  const sorted = [...blocks.keys()].sort((a, b) => a - b);
  const found: Cluster[] = [];
  for (const gap of [4, 128, 1024]) {
    let best = { first: 0, last: -1, count: -1 };
    let current = { first: sorted[0] ?? 0, last: sorted[0] ?? 0, count: 0 };
    for (const block of sorted) {
      if (block - current.last > gap || block - current.first >= MAX_SLOTS / SEGMENT_SLOTS) {
        current = { first: block, last: block, count: 0 };
      }
      current.last = block;
      current.count += blocks.get(block) ?? 0;
      if (current.count > best.count) {
        best = { ...current };
      }
    }
    let low = Number.POSITIVE_INFINITY;
    let high = 0;
    forBounced(tables, (address, sizeBytes) => {
      const block = Math.floor(address / SEGMENT_BYTES);
      if (block >= best.first && block <= best.last) {
        low = Math.min(low, Math.floor(address / SLOT_BYTES) * SLOT_BYTES);
        high = Math.max(high, address + sizeBytes);
      }
    });
    if (low < high && !found.some((other) => other.low === low && other.high === high)) {
      found.push({ low, high });
    }
  }
  return found;
}

/** No mapping crosses a segment: the page offset modulo 256 KiB that fewest mappings cross is where segments begin. */
function segmentPhase(tables: TraceTables, cluster: Cluster): number {
  const pages = SEGMENT_BYTES / 4096;
  const crossed = new Uint32Array(pages);
  forBounced(tables, (address, sizeBytes) => {
    if (address < cluster.low || address >= cluster.high) {
      return;
    }
    const first = Math.floor(Math.floor(address / SLOT_BYTES) / 2) + 1;
    const last = Math.ceil((address + sizeBytes) / 4096) - 1;
    for (let page = first; page <= last && page < first + pages; page++) {
      crossed[page % pages]++;
    }
  });
  let best = Math.floor(cluster.low / 4096) % pages;
  for (let page = 0; page < pages; page++) {
    if (crossed[page] < crossed[best]) {
      best = page;
    }
  }
  return best * 4096;
}

function forBounced(tables: TraceTables, visit: (address: number, sizeBytes: number) => void): void {
  const { recordedBounce, evidence, outcome, sizeBytes } = tables.requests.columns;
  for (let row = 0; row < tables.requests.length; row++) {
    if (
      Number.isNaN(recordedBounce[row]) ||
      (evidence[row] & EvidenceBit.direct) !== 0 ||
      outcome[row] === Outcome.failed
    ) {
      continue;
    }
    visit(recordedBounce[row], sizeBytes[row]);
  }
}

function withPool(base: Geometry, boot: PoolGeometry, guess: PoolGuess): Geometry {
  const pool: PoolGeometry = {
    ...boot,
    start: { ...boot.start, value: guess.start },
    slots: { ...boot.slots, value: guess.slots },
    areas: { ...boot.areas, value: guess.areas },
  };
  return {
    ...base,
    pools: [pool, ...base.pools.slice(1)],
    defaultSlots: { ...base.defaultSlots, value: guess.slots },
    defaultAreas: { ...base.defaultAreas, value: guess.areas },
  };
}

/** What the first place in an area may cost: the index before the trace is known under no guess. */
const FIRST_PLACES = 1.5;

/** Pools like the one that was found, a page or half a segment away or twice as large, that explain the trace as well. */
function otherPools(
  tables: TraceTables,
  base: Geometry,
  boot: PoolGeometry,
  guess: PoolGuess,
  enough: number,
): PoolGuess[] {
  const shifts = boot.start.evidence.level === 'assumed' ? [-SEGMENT_BYTES / 2, -4096, 4096] : [];
  const others = [
    ...shifts.map((shift) => ({ ...guess, start: guess.start + shift })),
    ...(boot.slots.evidence.level === 'assumed' && 2 * guess.slots <= MAX_SLOTS
      ? [{ ...guess, slots: 2 * guess.slots }]
      : []),
  ];
  const { scores } = contest(
    tables,
    others.map((other) => withPool(base, boot, other)),
    SECOND_TRIAL_ROWS,
  );
  return others.filter((_, index) => scores[index] >= enough);
}

/** How plausible each geometry is by the first requests, and their indices, the most plausible one first. */
function contest(
  tables: TraceTables,
  candidates: readonly Geometry[],
  rows: number,
): { readonly order: readonly number[]; readonly scores: readonly number[] } {
  let fewest = Number.POSITIVE_INFINITY;
  const scores = candidates.map((candidate) => {
    const result = verify(tables, candidate, {
      rows: { from: 0, to: rows },
      stopAfterMismatches: fewest + HOPELESS,
      maxConfigurations: 4,
      maxNodes: 200,
    });
    fewest = Math.min(fewest, result.mismatchedCount);
    return plausibility(result);
  });
  return { order: [...candidates.keys()].sort((a, b) => scores[b] - scores[a] || a - b), scores };
}

/** `rivals`: guesses that explain the trace equally well, the winner among them. What they do not agree on is not known. */
function explainPool(geometry: Geometry, guess: PoolGuess, rivals: readonly PoolGuess[], boot: PoolGeometry): Geometry {
  const explain = (field: keyof PoolGuess, before: Known<number>): Known<number> => {
    const value = guess[field];
    const { level } = before.evidence;
    if (level === 'user' || level === 'recorded' || (level === 'derived' && value === before.value)) {
      return before;
    }
    return rivals.every((rival) => rival[field] === value)
      ? known(value, 'derived', 'No line says so; with this the model gives most of the recorded addresses.')
      : known(value, 'assumed', 'No line says so, and other values explain the recorded addresses as well.');
  };
  const slots = explain('slots', boot.slots);
  const areas = explain('areas', boot.areas);
  const pool: PoolGeometry = { ...boot, start: explain('start', boot.start), slots, areas };
  return { ...geometry, pools: [pool, ...geometry.pools.slice(1)], defaultSlots: slots, defaultAreas: areas };
}
