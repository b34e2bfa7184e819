import type { MapFailure, Placement } from '../allocator/types';
import type { Cause } from '../model/cause';
import type { EvidenceLevel } from '../model/evidence';
import type { DiagnoseReport } from '../model/reports';
import { EvidenceBit, Outcome, Pairing, PoolKind } from '../model/tables';
import { type Address, bytesToSlots, type Nanoseconds, type Slots } from '../model/units';
import type { MoveWatch } from '../replay/replay';
import type { Analysis } from './analysis';
import { allPools, failureFactsOf, slotRangeOf } from './occupancy';
import { recordedPolicy } from './recorded';
import { replayReport } from './replay';
import type { ReplayRequest } from './replaySetup';
import { MoveKind, MovesBuilder, noMove, type SlotPool, type SlotTimeline } from './slotMoves';

/** What the recorded bounce addresses show; only for traces where `recordedUse` is not null. */
export function recordedSlots(analysis: Analysis, report: DiagnoseReport): SlotTimeline {
  const { tables } = analysis;
  const pools = allPools(analysis.geometry);
  const changes = new Changes(2 * tables.requests.length + report.failures.length);
  addMappings(analysis, changes);
  const causeOf = new Map<number, Cause>();
  for (const { request, timeNs, line, cause } of report.failures) {
    if (request !== null && timeNs !== null) {
      causeOf.set(request, cause);
      changes.add(MoveKind.failed, timeNs, line, request);
    }
  }
  const facts = causeOf.size === 0 ? null : failureFactsOf(analysis);
  const builder = new MovesBuilder(analysis);
  // A map may be printed before the release that made room for it: the older mapping has gone then.
  const owners = pools.map((pool) => new Int32Array(Math.min(pool.slots.value, mostSlots)).fill(-1));
  for (const change of changes.sorted()) {
    const row = changes.rows[change];
    const timeNs = changes.times[change];
    switch (changes.kinds[change]) {
      case MoveKind.failed: {
        const known = facts?.get(row);
        builder.failed(row, timeNs, {
          cause: causeOf.get(row) ?? 'unknown',
          neededSlots: known?.neededSlots ?? neededSlots(analysis, row),
          largestHole: known?.largestHole ?? -1,
          freeSlots: known === undefined || known.totalSlots < 0 ? -1 : known.totalSlots - known.usedSlots,
        });
        break;
      }
      case MoveKind.released:
        builder.releasedRow(row, timeNs);
        break;
      default: {
        const range = slotRangeOf(analysis, row)!;
        const owner = owners[range.poolIndex];
        const first = Math.max(0, range.firstSlot);
        const end = Math.min(owner.length, range.firstSlot + range.slots);
        for (let slot = first; slot < end; slot++) {
          if (owner[slot] >= 0) {
            builder.displacedRow(owner[slot], timeNs);
          }
          owner[slot] = row;
        }
        const address = tables.requests.columns.recordedBounce[row];
        builder.taken(row, range.poolIndex, first, Math.max(1, end - first), address, timeNs);
      }
    }
  }
  return builder.finish(
    'recorded',
    true,
    pools.map((pool): SlotPool => {
      const { start, slots, areas, kind } = pool;
      const isListed = kind === 'boot' || kind === 'restricted';
      return {
        kind,
        start: start.value,
        startLevel: start.evidence.level,
        slots: slots.value,
        areas: Math.max(1, areas.value),
        addedNs: isListed ? Number.NEGATIVE_INFINITY : kind === 'grown' ? addedAt(analysis, start.value) : never,
        removedNs: never,
      };
    }),
  );
}

/** What a replay does with the slots; the replay is made again, with somebody watching. */
export function modelledSlots(analysis: Analysis, request: ReplayRequest): SlotTimeline {
  const builder = new MovesBuilder(analysis);
  const positions = new Map<number, number>();
  const watch: MoveWatch = {
    taken: (row, placement, timeNs) => builder.placed(row, placement, positionOf(positions, placement), timeNs),
    released: (_row, placement, timeNs) => builder.released(placement, timeNs),
    failed: (row, failure: MapFailure, timeNs) =>
      builder.failed(row, timeNs, {
        cause: failure.cause,
        neededSlots: Math.max(1, bytesToSlots(failure.printedBytes)),
        largestHole: failure.largestHole,
        freeSlots: failure.freeSlots,
      }),
  };
  const { result } = replayReport(analysis, { ...request, keepSeries: false, watch });
  const pools: SlotPool[] = [];
  // Empty pools have no position yet; every pool of the run is shown while it is there.
  const list = result.pools.slice(0, mostPools);
  for (const pool of list) {
    pools[positions.get(pool.id) ?? takePosition(positions, pool.id)] = {
      kind: pool.kind,
      start: pool.start,
      startLevel: pool.kind === 'boot' && sameStart(analysis, pool.start) ? bootLevel(analysis) : 'modelled',
      slots: pool.slots,
      areas: Math.max(1, pool.areas),
      addedNs: pool.addedAtNs ?? Number.NEGATIVE_INFINITY,
      removedNs: pool.removedAtNs ?? never,
    };
  }
  for (let position = 0; position < positions.size; position++) {
    pools[position] ??= unknownPool;
  }
  return builder.finish('modelled', result.hasTime, pools);
}

/** The replay that stands in for the recording where `recordedUse` is null. */
export function recordedModelSlots(analysis: Analysis): SlotTimeline {
  return modelledSlots(analysis, { policy: recordedPolicy(analysis) });
}

/** More transient pools than this over a whole run are not kept apart. */
const mostPools = 2 ** 20;
/** Larger pools than 8 GiB are cut: no kernel makes them. */
const mostSlots = 2 ** 22;
const never = Number.POSITIVE_INFINITY;
const unknownPool: SlotPool = {
  kind: 'transient',
  start: Number.NaN,
  startLevel: 'modelled',
  slots: 1,
  areas: 1,
  addedNs: never,
  removedNs: never,
};

function positionOf(positions: Map<number, number>, { pool }: Placement): number {
  return positions.get(pool) ?? takePosition(positions, pool);
}

function takePosition(positions: Map<number, number>, pool: number): number {
  const position = positions.size;
  positions.set(pool, position);
  return position;
}

function sameStart(analysis: Analysis, start: Address): boolean {
  return analysis.geometry.pools.some((pool) => pool.kind === 'boot' && pool.start.value === start);
}

function bootLevel(analysis: Analysis): EvidenceLevel {
  return analysis.geometry.pools.find((pool) => pool.kind === 'boot')?.start.evidence.level ?? 'modelled';
}

/** When a probe shows a grown pool being added; else it is there from its first mapping on. */
function addedAt(analysis: Analysis, start: Address): Nanoseconds {
  const { columns, length } = analysis.tables.pools;
  for (let row = 0; row < length; row++) {
    if (columns.kind[row] === PoolKind.grown && columns.start[row] === start && !Number.isNaN(columns.addedNs[row])) {
      return columns.addedNs[row] + (analysis.tables.sources[columns.source[row]]?.offsetNs ?? 0);
    }
  }
  return never;
}

function neededSlots(analysis: Analysis, row: number): Slots {
  return Math.max(1, bytesToSlots(analysis.tables.requests.columns.sizeBytes[row]));
}

/** Births and ends of mappings with a recorded place, at the times that `recordedUse` counts them. */
function addMappings(analysis: Analysis, changes: Changes): void {
  const { columns, length } = analysis.tables.requests;
  for (let row = 0; row < length; row++) {
    const isPlaced =
      columns.outcome[row] === Outcome.served &&
      columns.pairing[row] !== Pairing.assumed &&
      (columns.evidence[row] & EvidenceBit.direct) === 0;
    if (!isPlaced || slotRangeOf(analysis, row) === null) {
      continue;
    }
    const { offsetNs } = analysis.tables.sources[columns.source[row]];
    const isBefore = columns.pairing[row] === Pairing.unseenMap;
    const bornNs = isBefore
      ? Number.NEGATIVE_INFINITY
      : columns.enterNs[row] + orZero(columns.mapDurationNs[row]) + offsetNs;
    if (Number.isNaN(bornNs)) {
      continue;
    }
    const bornLine = isBefore ? 0 : columns.mapLine[row] || columns.enterLine[row];
    changes.add(MoveKind.taken, bornNs, bornLine, row);
    const endNs = columns.unmapEnterNs[row] + orZero(columns.unmapDurationNs[row]) + offsetNs;
    if (!Number.isNaN(endNs)) {
      const endLine = columns.unmapExitLine[row] || columns.unmapLine[row] || noMove;
      changes.add(MoveKind.released, Math.max(bornNs, endNs), Math.max(bornLine, endLine), row);
    }
  }
}

function orZero(durationNs: number): number {
  return Number.isNaN(durationNs) ? 0 : durationNs;
}

/** Changes in the order they are found, to be put into the order of time and, inside a time, of lines. */
class Changes {
  readonly kinds: Uint8Array;
  readonly times: Float64Array;
  readonly rows: Int32Array;
  private readonly lines: Float64Array;
  private length = 0;

  constructor(capacity: number) {
    this.kinds = new Uint8Array(capacity);
    this.times = new Float64Array(capacity);
    this.rows = new Int32Array(capacity);
    this.lines = new Float64Array(capacity);
  }

  add(kind: number, timeNs: Nanoseconds, line: number, row: number): void {
    const at = this.length++;
    this.kinds[at] = kind;
    this.times[at] = timeNs;
    this.lines[at] = line;
    this.rows[at] = row;
  }

  sorted(): Uint32Array {
    const { times, lines } = this;
    const order = Uint32Array.from({ length: this.length }, (_, index) => index);
    // A mapping is added before its own end: where both tie, the order of adding decides.
    return order.sort((a, b) => (times[a] === times[b] ? lines[a] - lines[b] || a - b : times[a] < times[b] ? -1 : 1));
  }
}
