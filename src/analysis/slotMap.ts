import { lowerBound, upperBound } from '../base/bisect';
import type { EvidenceLevel } from '../model/evidence';
import { Outcome, Pairing } from '../model/tables';
import { type Nanoseconds, SEGMENT_SLOTS, type Slots } from '../model/units';
import type { Analysis } from './analysis';
import { LineRole, lineIndexOf } from './lineIndex';
import { MoveKind, noMove, type SlotPool, type SlotTimeline } from './slotMoves';

/** The slots of a run at one moment. */
export interface SlotsAt {
  /** Moves that were made so far: `SlotTimeline.firstStep` … `moves.length`. */
  readonly step: number;
  readonly timeNs: Nanoseconds;
  /** Positions in `SlotTimeline.pools` of the pools that are there: by kind (permanent ones first), then by position. */
  readonly pools: readonly number[];
  /** Moves that took the slots in use, by pool (in the order of `pools`) and slot. */
  readonly live: Int32Array;
}

/** A run of free slots inside one segment. */
export interface SlotHole {
  /** Position in `SlotTimeline.pools`. */
  readonly pool: number;
  readonly firstSlot: number;
  readonly slots: Slots;
}

/** The last step at or before a time; at least `firstStep`. */
export function stepAtTime(timeline: SlotTimeline, timeNs: Nanoseconds): number {
  return Math.max(timeline.firstStep, upperBound(timeline.moves.timeNs, timeNs, timeline.moves.length));
}

/** The next or previous step of a kind; null when there is none. A failure's step is the one just after it. */
export function neighbourStep(
  timeline: SlotTimeline,
  step: number,
  kind: 'event' | 'failure',
  direction: 1 | -1,
): number | null {
  if (kind === 'event') {
    const next = step + direction;
    return timeline.firstStep <= next && next <= timeline.moves.length ? next : null;
  }
  const steps = timeline.failures.map((failure) => failure.move + 1);
  const found = direction === 1 ? steps[upperBound(steps, step)] : steps[lowerBound(steps, step) - 1];
  return found ?? null;
}

/** The slots after so many moves. Costs as much as there are mappings in force, not as the way there. */
export function slotsAt(timeline: SlotTimeline, wanted: number): SlotsAt {
  const { moves, checkpoints, firstStep } = timeline;
  const step = Math.min(Math.max(Math.floor(wanted), firstStep), moves.length);
  const timeNs = timeOfStep(timeline, step);
  const checkpoint =
    checkpoints[
      upperBound(
        checkpoints.map((point) => point.step),
        step,
      ) - 1
    ];
  const live: number[] = [];
  for (const move of checkpoint.live) {
    if (step <= moves.partner[move]) {
      live.push(move);
    }
  }
  for (let move = checkpoint.step; move < step; move++) {
    if (moves.kind[move] === MoveKind.taken && step <= moves.partner[move]) {
      live.push(move);
    }
  }
  const pools = poolsAt(timeline, timeNs, live);
  const rank = new Int32Array(timeline.pools.length).fill(-1);
  pools.forEach((pool, index) => {
    rank[pool] = index;
  });
  const { pool, firstSlot } = moves;
  live.sort((a, b) => rank[pool[a]] - rank[pool[b]] || firstSlot[a] - firstSlot[b] || a - b);
  return { step, timeNs, pools, live: Int32Array.from(live) };
}

/** When the step was reached. */
export function timeOfStep({ moves, firstStep }: SlotTimeline, step: number): Nanoseconds {
  return step > 0 ? moves.timeNs[step - 1] : firstStep < moves.length ? moves.timeNs[firstStep] : 0;
}

const kindOrder: Readonly<Record<SlotPool['kind'], number>> = { boot: 0, restricted: 1, grown: 2, transient: 3 };

function poolsAt({ pools, moves }: SlotTimeline, timeNs: Nanoseconds, live: readonly number[]): number[] {
  const isThere = new Uint8Array(pools.length);
  pools.forEach(({ addedNs, removedNs }, position) => {
    isThere[position] = addedNs <= timeNs && timeNs < removedNs ? 1 : 0;
  });
  for (const move of live) {
    isThere[moves.pool[move]] = 1;
  }
  const present: number[] = [];
  isThere.forEach((is, position) => {
    if (is === 1) {
      present.push(position);
    }
  });
  return present.sort((a, b) => kindOrder[pools[a].kind] - kindOrder[pools[b].kind] || a - b);
}

/**
 * The longest free run inside one segment of the pools that the kernel searches; the first one of that length, null
 * when no slot is free. Of two moments with the same slots in use it is the allocator's own number.
 */
export function largestHole(timeline: SlotTimeline, at: SlotsAt): SlotHole | null {
  let best: SlotHole | null = null;
  const { moves } = timeline;
  let next = 0;
  for (const pool of at.pools) {
    const { kind, slots } = timeline.pools[pool];
    let free = 0;
    const look = (end: number) => {
      best = kind === 'transient' ? best : longerHole(best, pool, free, end);
    };
    for (; next < at.live.length && moves.pool[at.live[next]] === pool; next++) {
      const move = at.live[next];
      look(moves.firstSlot[move]);
      free = Math.max(free, moves.firstSlot[move] + moves.slots[move]);
    }
    look(slots);
  }
  return best;
}

/** Of the free slots from `first` up to `end` the longest run in one segment, if it beats the best so far. */
function longerHole(best: SlotHole | null, pool: number, first: number, end: number): SlotHole | null {
  let found = best;
  let from = first;
  while (from < end) {
    const border = Math.min(end, (Math.floor(from / SEGMENT_SLOTS) + 1) * SEGMENT_SLOTS);
    if (found === null || found.slots < border - from) {
      found = { pool, firstSlot: from, slots: border - from };
    }
    // Whole segments are all alike.
    from = found.slots === SEGMENT_SLOTS ? end : border;
  }
  return found;
}

/** Where a line of the trace stands in a run: after what it tells. Null when the run knows no request at or before it. */
export function stepOfLine(timeline: SlotTimeline, analysis: Analysis, source: number, line: number): number | null {
  const message = analysis.tables.logFailures.find(({ record }) => record.source === source && record.line === line);
  const failed =
    message === undefined || message.request < 0 ? null : lastMoveOf(timeline, message.request, failedOnly);
  if (failed !== null) {
    return failed + 1;
  }
  const index = lineIndexOf(analysis, source);
  const { moves } = timeline;
  const { columns } = analysis.tables.requests;
  for (let at = upperBound(index.lines, line) - 1; at >= 0 && index.lines[at] > line - linesBack; at--) {
    const row = index.rows[at];
    const isEnd = (index.roles[at] & (LineRole.unmap | LineRole.unmapExit)) !== 0;
    const wanted = isEnd ? [MoveKind.released] : [MoveKind.taken, MoveKind.failed];
    const move = lastMoveOf(timeline, row, wanted);
    if (move !== null) {
      return Math.max(timeline.firstStep, move + 1);
    }
    const { offsetNs } = analysis.tables.sources[source];
    const timeNs = (isEnd ? columns.unmapEnterNs[row] : columns.enterNs[row]) + offsetNs;
    if (timeline.hasTime && !Number.isNaN(timeNs) && moves.length > 0) {
      return stepAtTime(timeline, timeNs);
    }
  }
  return null;
}

const failedOnly = [MoveKind.failed, MoveKind.taken];

/** Lines before the one asked for that are looked at. */
const linesBack = 10_000;

function lastMoveOf({ moves }: SlotTimeline, row: number, kinds: readonly number[]): number | null {
  const at = moves.row.lastIndexOf(row);
  for (let move = at; move >= 0; move = moves.row.lastIndexOf(row, move - 1)) {
    if (kinds.includes(moves.kind[move])) {
      return move;
    }
    if (move === 0) {
      break;
    }
  }
  return null;
}

/** How sure the end of a mapping is in a run; null: it has none, or not yet. */
export function endLevelOf(timeline: SlotTimeline, analysis: Analysis, move: number): EvidenceLevel | null {
  const row = timeline.moves.row[move];
  if (timeline.moves.partner[move] === noMove || row < 0) {
    return null;
  }
  const { pairing, outcome } = analysis.tables.requests.columns;
  const isKnown = outcome[row] === Outcome.served && pairing[row] !== Pairing.assumed && pairing[row] !== Pairing.open;
  return isKnown ? 'recorded' : 'assumed';
}

/** Slots in use of each device over time; a stack whose top is what is in use. */
export interface DeviceShares {
  readonly timeNs: readonly Nanoseconds[];
  /** By rank; device -1 stands for all others and what only samples show, and comes last. */
  readonly devices: readonly { readonly device: number; readonly rank: number; readonly slots: readonly Slots[] }[];
}

/**
 * The shares between two times, in at most `buckets` stretches: of each the moment with most slots in use, so that peaks
 * stay and the parts add up. The first point tells the shares on entry, the last those at the end.
 */
export function deviceShares(
  timeline: SlotTimeline,
  analysis: Analysis,
  range: { readonly fromNs: Nanoseconds; readonly toNs: Nanoseconds },
  buckets: number,
  most: number,
): DeviceShares {
  const { moves } = timeline;
  const { device } = analysis.tables.requests.columns;
  const named = timeline.devices.filter(({ rank }) => rank < most);
  const entryOf = new Map(named.map((entry, index) => [entry.device, index]));
  const others = timeline.devices.length > named.length || moves.row.some((row) => row < 0) ? 1 : 0;
  const held = new Int32Array(named.length + 1);
  const points: { timeNs: number; slots: Int32Array }[] = [];
  const { fromNs, toNs } = range;
  const start = stepAtTime(timeline, fromNs);
  const end = stepAtTime(timeline, toNs);
  const apply = (move: number) => {
    if (moves.kind[move] !== MoveKind.failed) {
      const row = moves.row[move];
      const entry = row < 0 ? named.length : (entryOf.get(device[row]) ?? named.length);
      held[entry] += moves.kind[move] === MoveKind.taken ? moves.slots[move] : -moves.slots[move];
    }
  };
  for (const move of slotsAt(timeline, start).live) {
    apply(move);
  }
  const keep = (timeNs: number) => points.push({ timeNs, slots: held.slice() });
  keep(fromNs);
  const isSparse = end - start <= 2 * buckets;
  let move = start;
  for (let bucket = 0; bucket < buckets && move < end; bucket++) {
    const untilNs = fromNs + ((toNs - fromNs) * (bucket + 1)) / buckets;
    let top = -1;
    let used = 0;
    let best: { timeNs: number; slots: Int32Array } | null = null;
    for (; move < end && (bucket === buckets - 1 || moves.timeNs[move] < untilNs); move++) {
      apply(move);
      if (isSparse) {
        keep(moves.timeNs[move]);
        continue;
      }
      used = held.reduce((sum, slots) => sum + slots, 0);
      if (used > top) {
        top = used;
        best = { timeNs: moves.timeNs[move], slots: held.slice() };
      }
    }
    if (best !== null) {
      points.push(best);
    }
  }
  keep(toNs);
  const entries = [...named, ...(others === 1 ? [{ device: -1, rank: -1 }] : [])];
  return {
    timeNs: points.map((point) => point.timeNs),
    devices: entries.map((entry, index) => ({ ...entry, slots: points.map((point) => point.slots[index]) })),
  };
}
