import type { Placement } from '../allocator/types';
import type { Cause } from '../model/cause';
import type { EvidenceLevel } from '../model/evidence';
import type { ReplayPool } from '../model/replayResult';
import { Pairing } from '../model/tables';
import { type Address, bytesToSlots, type Nanoseconds, type Slots } from '../model/units';
import type { Analysis } from './analysis';
import { devicesReport } from './devices';

export const MoveKind = { taken: 0, released: 1, failed: 2 } as const;

/** What happened to the slots, in order; one row per change. */
export interface SlotMoves {
  /** MoveKind. */
  readonly kind: Uint8Array;
  /** Non-decreasing; steps of the replay for clocks that give order only. */
  readonly timeNs: Float64Array;
  /** Row of the request table; -1: taken because samples show it in use, nobody knows by whom. */
  readonly row: Int32Array;
  /** Position in `SlotTimeline.pools`; -1 for failures. */
  readonly pool: Int32Array;
  /** First slot inside the pool, padding included. */
  readonly firstSlot: Int32Array;
  readonly slots: Int32Array;
  /** The bounce address; NaN for failures. */
  readonly address: Float64Array;
  /** Taken: move of the release, `noMove` when there is none. Released: move of the taking. Failed: position in `failures`. */
  readonly partner: Int32Array;
  readonly length: number;
}

/** Partner of slots that are never given back. */
export const noMove = 2 ** 31 - 1;

export interface SlotPool {
  readonly kind: ReplayPool['kind'];
  /** NaN unknown. */
  readonly start: Address;
  readonly startLevel: EvidenceLevel;
  readonly slots: Slots;
  readonly areas: number;
  /** -Infinity: from the start. Infinity: unknown, there while something is mapped in it. */
  readonly addedNs: Nanoseconds;
  /** Infinity: to the end. */
  readonly removedNs: Nanoseconds;
}

/** A request that got no slots. */
export interface SlotFailure {
  /** Position in `moves`. */
  readonly move: number;
  readonly row: number;
  readonly cause: Cause;
  readonly neededSlots: Slots;
  /** Longest free run that the search could have used; -1 unknown. */
  readonly largestHole: Slots;
  /** Free slots of listed pools; -1 unknown. */
  readonly freeSlots: Slots;
}

export interface RankedDevice {
  /** Row of the device table. */
  readonly device: number;
  /** Place among all devices of the trace, whatever the run: by most slots ever held, then by what was asked for. */
  readonly rank: number;
}

/** Everything that happened to the slots of one run, with places to start from. */
export interface SlotTimeline {
  /** `recorded`: from the bounce addresses of the trace. `modelled`: from a replay. */
  readonly basis: 'recorded' | 'modelled';
  readonly hasTime: boolean;
  readonly pools: readonly SlotPool[];
  readonly moves: SlotMoves;
  readonly failures: readonly SlotFailure[];
  /** Moves that were made before the trace begins. */
  readonly firstStep: number;
  /** Recorded mappings that left early because another one was recorded in their place. */
  readonly displaced: number;
  /** Devices that take slots in this run, by rank. */
  readonly devices: readonly RankedDevice[];
  /** Every so often the takings that are in force, so that no moment is far from one; ascending by `step`. */
  readonly checkpoints: readonly { readonly step: number; readonly live: Int32Array }[];
}

/** Collects moves; a checkpoint costs as much as it lists, so the longer the list the rarer it is. */
export class MovesBuilder {
  private readonly analysis: Analysis;
  private columns: SlotMoves;
  private length = 0;
  private readonly failures: SlotFailure[] = [];
  /** Takings in force, in no order, and per move where in that list it stands. */
  private readonly live: number[] = [];
  private position: Int32Array;
  private readonly takenByRow = new Map<number, number>();
  private readonly takenByPlacement = new Map<Placement, number>();
  private readonly checkpoints: { step: number; live: Int32Array }[] = [{ step: 0, live: new Int32Array(0) }];
  private sinceCheckpoint = 0;
  private displaced = 0;

  constructor(analysis: Analysis) {
    this.analysis = analysis;
    this.columns = emptyMoves(1024);
    this.position = new Int32Array(1024);
  }

  placed(row: number, placement: Placement, pool: number, timeNs: Nanoseconds): void {
    const { firstSlot, slots, address } = placement;
    this.takenByPlacement.set(placement, this.take(row, pool, firstSlot, slots, address, timeNs));
  }

  released(placement: Placement, timeNs: Nanoseconds): void {
    const taken = this.takenByPlacement.get(placement);
    if (taken !== undefined) {
      this.takenByPlacement.delete(placement);
      this.give(taken, timeNs);
    }
  }

  taken(row: number, pool: number, firstSlot: number, slots: Slots, address: Address, timeNs: Nanoseconds): void {
    this.takenByRow.set(row, this.take(row, pool, firstSlot, slots, address, timeNs));
  }

  /** Does nothing for a row that holds nothing (any more). */
  releasedRow(row: number, timeNs: Nanoseconds): void {
    const taken = this.takenByRow.get(row);
    if (taken !== undefined) {
      this.takenByRow.delete(row);
      this.give(taken, timeNs);
    }
  }

  displacedRow(row: number, timeNs: Nanoseconds): void {
    this.displaced += this.takenByRow.has(row) ? 1 : 0;
    this.releasedRow(row, timeNs);
  }

  failed(row: number, timeNs: Nanoseconds, failure: Omit<SlotFailure, 'move' | 'row'>): void {
    const move = this.add(MoveKind.failed, row, timeNs);
    this.columns.pool[move] = -1;
    this.columns.address[move] = Number.NaN;
    this.columns.partner[move] = this.failures.length;
    this.failures.push({ move, row, ...failure });
  }

  finish(basis: SlotTimeline['basis'], hasTime: boolean, pools: readonly SlotPool[]): SlotTimeline {
    const { length } = this;
    const moves = trimmed(this.columns, length);
    const devices = rankedDevices(this.analysis, moves);
    const firstStep = this.firstStep(moves);
    backfill(moves, firstStep);
    const { failures, displaced, checkpoints } = this;
    return { basis, hasTime, pools, moves, failures, firstStep, displaced, devices, checkpoints };
  }

  private firstStep(moves: SlotMoves): number {
    const { pairing } = this.analysis.tables.requests.columns;
    let step = 0;
    while (
      step < moves.length &&
      moves.kind[step] === MoveKind.taken &&
      (moves.row[step] < 0 || pairing[moves.row[step]] === Pairing.unseenMap)
    ) {
      step++;
    }
    return step;
  }

  private take(row: number, pool: number, firstSlot: number, slots: Slots, address: Address, timeNs: number): number {
    const move = this.add(MoveKind.taken, row, timeNs);
    this.columns.pool[move] = pool;
    this.columns.firstSlot[move] = firstSlot;
    this.columns.slots[move] = slots;
    this.columns.address[move] = address;
    this.columns.partner[move] = noMove;
    this.position[move] = this.live.length;
    this.live.push(move);
    return move;
  }

  private give(taken: number, timeNs: Nanoseconds): void {
    const { columns } = this;
    const move = this.add(MoveKind.released, columns.row[taken], timeNs);
    for (const column of ['pool', 'firstSlot', 'slots', 'address'] as const) {
      this.columns[column][move] = this.columns[column][taken];
    }
    this.columns.partner[move] = taken;
    this.columns.partner[taken] = move;
    const last = this.live.pop()!;
    if (last !== taken) {
      this.live[this.position[taken]] = last;
      this.position[last] = this.position[taken];
    }
  }

  private add(kind: number, row: number, timeNs: Nanoseconds): number {
    if (this.sinceCheckpoint >= checkpointMoves && this.sinceCheckpoint >= this.live.length) {
      this.checkpoints.push({ step: this.length, live: Int32Array.from(this.live) });
      this.sinceCheckpoint = 0;
    }
    this.sinceCheckpoint++;
    if (this.length === this.position.length) {
      this.columns = resized(this.columns, 2 * this.length);
      const position = new Int32Array(2 * this.length);
      position.set(this.position);
      this.position = position;
    }
    const move = this.length++;
    this.columns.kind[move] = kind;
    this.columns.row[move] = row;
    this.columns.timeNs[move] = timeNs;
    return move;
  }
}

const ranks = new WeakMap<Analysis, Int32Array>();

/** Rank per row of the device table, the same in every run: a device keeps its colour. */
function deviceRanks(analysis: Analysis): Int32Array {
  let rankOf = ranks.get(analysis);
  if (rankOf === undefined) {
    const { devices, requests } = analysis.tables;
    const peaks = new Map(devicesReport(analysis).devices.map(({ name, peakSlots }) => [name, peakSlots ?? 0]));
    const asked = new Float64Array(devices.length);
    for (let row = 0; row < requests.length; row++) {
      asked[requests.columns.device[row]] += bytesToSlots(requests.columns.sizeBytes[row]);
    }
    const peakOf = (row: number) => peaks.get(devices[row].name) ?? 0;
    const order = devices.map((_, row) => row);
    order.sort((a, b) => peakOf(b) - peakOf(a) || asked[b] - asked[a] || a - b);
    rankOf = new Int32Array(devices.length);
    for (let rank = 0; rank < order.length; rank++) {
      rankOf[order[rank]] = rank;
    }
    ranks.set(analysis, rankOf);
  }
  return rankOf;
}

function rankedDevices(analysis: Analysis, { kind, row, length }: SlotMoves): readonly RankedDevice[] {
  const { device } = analysis.tables.requests.columns;
  const rankOf = deviceRanks(analysis);
  const found = new Set<number>();
  for (let move = 0; move < length; move++) {
    if (kind[move] === MoveKind.taken && row[move] >= 0) {
      found.add(device[row[move]]);
    }
  }
  return [...found].map((id) => ({ device: id, rank: rankOf[id] })).sort((a, b) => a.rank - b.rank);
}

const checkpointMoves = 4096;

function emptyMoves(length: number): SlotMoves {
  return {
    kind: new Uint8Array(length),
    timeNs: new Float64Array(length),
    row: new Int32Array(length),
    pool: new Int32Array(length),
    firstSlot: new Int32Array(length),
    slots: new Int32Array(length),
    address: new Float64Array(length),
    partner: new Int32Array(length),
    length,
  };
}

function resized(moves: SlotMoves, length: number): SlotMoves {
  const grown = emptyMoves(length);
  for (const column of columnNames) {
    grown[column].set(moves[column]);
  }
  return grown;
}

function trimmed(moves: SlotMoves, length: number): SlotMoves {
  const cut: Record<string, unknown> = { length };
  for (const column of columnNames) {
    cut[column] = moves[column].slice(0, length);
  }
  return cut as unknown as SlotMoves;
}

const columnNames = ['kind', 'timeNs', 'row', 'pool', 'firstSlot', 'slots', 'address', 'partner'] as const;

/** What existed before the trace is taken at the time of the first move in it, and never after time 0. */
function backfill({ timeNs, length }: SlotMoves, firstStep: number): void {
  const startNs = Math.min(0, firstStep < length ? timeNs[firstStep] : 0);
  for (let move = 0; move < length && timeNs[move] === Number.NEGATIVE_INFINITY; move++) {
    timeNs[move] = startNs;
  }
}
