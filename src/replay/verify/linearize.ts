import { AreaSearch } from '../../allocator/search/areaSearch';
import type { GenerationRules } from '../../allocator/search/rules';
import { maskOfBits } from '../../base/address';
import type { Geometry } from '../../model/geometry';
import { EvidenceBit, type TraceTables } from '../../model/tables';
import { SEGMENT_BYTES, SLOT_BYTES } from '../../model/units';
import { AreaKnowledge } from './areaKnowledge';
import {
  type Configuration,
  clone,
  createConfiguration,
  emit,
  keyOf,
  type OrderStep,
  setIndex,
  type Trail,
} from './configuration';
import { EVENT_KINDS, EventCode, orderedEvents } from './eventOrder';
import { type Operations, OpKind } from './operations';
import type { PaddedRequest } from './paddedRequest';
import { NO_OWNER, PHANTOM, SlotState } from './slotState';

/** What became of one operation. */
export const Verdict = {
  /** Not checked. */
  none: 0,
  exact: 1,
  /** Explained once state from before the trace was learned. */
  learned: 2,
  undecided: 3,
  mismatched: 4,
} as const;

export interface LinearizeOptions {
  /** Configurations kept at most. */
  readonly maxConfigurations: number;
  /** Nodes of one search at most. */
  readonly maxNodes: number;
  /** Keep the order found. */
  readonly certificate: boolean;
  /** Stop there; the rest stays without a verdict. */
  readonly stopAfterMismatches: number;
  readonly onMismatch: (op: number, modelled: string, why: string) => void;
}

/** Progress of a map: pass (area offset), list head of the pass + 1 (0: not read yet), pools done in the pass. */
const DONE = -1;
const HEAD_UNIT = 4096;
const PASS_UNIT = 4096 * 4096;

/** Result of walking the attempts of a map that are no state changes. */
const Walk = { blocked: 0, atRecorded: 1, done: 2, dead: 3, needsHead: 4, refusal: 5 } as const;

/** Just-in-time linearisation of the operations of a trace (spec: linearizability rules 5–15). */
export class Linearizer {
  readonly verdicts: Uint8Array;
  readonly states: readonly SlotState[];
  inferredReleases = 0;
  /** Maps that need a release before them which no event tells. */
  assumedReleases = 0;
  learnedByIndex = 0;
  learnedByOccupancy = 0;
  /** Most configurations at once. */
  peakConfigurations = 1;

  private readonly operations: Operations;
  private readonly rules: GenerationRules;
  private readonly options: LinearizeOptions;
  private readonly search: AreaSearch;
  private readonly tables: TraceTables;
  private readonly dynamic: boolean;
  private readonly areaBound: number;
  private readonly addressLimit: Float64Array;
  private readonly known: AreaKnowledge;
  /** Per operation: mark of the area where it was placed, when it began. */
  private readonly markAtBegin: Int32Array;
  private readonly releaseOpen: Uint8Array;
  private readonly releaseApplied: Uint8Array;
  private readonly mapApplied: Uint8Array;
  private configurations: Configuration[];
  private open: number[] = [];
  private additionsBegun = 0;
  private additionsDone = 0;
  /** 1: an order that matters for the area may have been dropped at a limit. */
  private readonly incomplete: Uint8Array;
  private mismatches = 0;
  private nodes = 0;
  /** Mappings seen only by their unmap, waiting for the end of the operation that was recorded in their slots. */
  private readonly postponed = new Map<number, number[]>();
  private readonly scratchFound = { pool: -1, area: -1, slot: -1 };

  constructor(
    tables: TraceTables,
    geometry: Geometry,
    rules: GenerationRules,
    operations: Operations,
    options: LinearizeOptions,
  ) {
    this.tables = tables;
    this.operations = operations;
    this.rules = rules;
    this.options = options;
    this.dynamic = geometry.dynamic.value;
    const pageSize = geometry.pageSize.value;
    this.search = new AreaSearch(rules, pageSize);
    this.states = operations.pools.map((spec, id) => new SlotState(id, spec, rules, pageSize));
    this.known = new AreaKnowledge(this.states);
    const { areas } = this.known;
    this.areaBound = this.dynamic ? geometry.defaultAreas.value : (this.states[0]?.pool.areas ?? 1);
    this.incomplete = new Uint8Array(areas);
    const count = operations.table.length;
    this.markAtBegin = new Int32Array(count);
    this.verdicts = new Uint8Array(count);
    this.releaseOpen = new Uint8Array(count);
    this.releaseApplied = new Uint8Array(count);
    this.mapApplied = new Uint8Array(count);
    this.configurations = [createConfiguration(areas)];
    this.addressLimit = addressLimits(tables, geometry);
    this.noteLastUse();
  }

  /** Walks every entry and return in order. */
  run(): void {
    const { table, additions, gaps } = this.operations;
    const ops = table.columns;
    for (let op = 0; op < table.length; op++) {
      if (ops.kind[op] === OpKind.older && ops.end[op] === Number.NEGATIVE_INFINITY) {
        this.beginOlder(op);
      }
    }
    for (const event of orderedEvents(this.operations)) {
      if (this.mismatches >= this.options.stopAfterMismatches) {
        return;
      }
      const kind = event % EVENT_KINDS;
      const id = Math.floor(event / EVENT_KINDS);
      switch (kind) {
        case EventCode.mapEnter:
          this.enterMap(id);
          break;
        case EventCode.mapReturn:
          if (ops.kind[id] === OpKind.older) {
            this.beginOlder(id);
          } else {
            this.returnMap(id);
          }
          break;
        case EventCode.releaseEnter:
          this.releaseOpen[id] = 1;
          break;
        case EventCode.releaseReturn:
          this.returnRelease(id);
          break;
        case EventCode.poolEnter:
          this.additionsBegun++;
          break;
        case EventCode.gapEnter:
          this.known.enterGap(id, gaps[id].cpu);
          break;
        case EventCode.gapReturn:
          this.known.leaveGap(id);
          break;
        default:
          this.returnPool(additions[id].pool);
      }
    }
  }

  /** The order found, oldest first; empty unless asked for. */
  certificate(): OrderStep[] {
    const steps: OrderStep[] = [];
    for (let at: Trail | null = this.configurations[0].trail; at !== null; at = at.before) {
      steps.push(at.step);
    }
    return steps.reverse();
  }

  /** area.index of every area of a pool in a surviving configuration. */
  areaIndices(pool: number): number[] {
    const base = this.known.bases[pool];
    return Array.from(this.configurations[0].index.subarray(base, base + this.states[pool].pool.areas));
  }

  private noteLastUse(): void {
    const { table } = this.operations;
    const { kind, pool, slot, slots, end } = table.columns;
    for (let op = 0; op < table.length; op++) {
      if (kind[op] === OpKind.placed && slot[op] >= 0) {
        const { lastUse } = this.states[pool[op]];
        const until = Math.min(lastUse.length, slot[op] + slots[op]);
        for (let at = slot[op]; at < until; at++) {
          lastUse[at] = Math.max(lastUse[at], end[op]);
        }
      }
    }
  }

  /** A mapping seen only by its unmap holds its slots from the start, as far as nobody else is recorded in them before. */
  private beginOlder(op: number): void {
    const { pool, slot, slots } = this.operations.table.columns;
    const state = this.states[pool[op]];
    if (slot[op] < 0 || slot[op] + slots[op] > state.pool.slots) {
      this.releaseApplied[op] = 1;
      return;
    }
    for (let at = slot[op]; at < slot[op] + slots[op]; at++) {
      if (state.held[at] > 0) {
        this.releaseApplied[op] = 1;
        return;
      }
    }
    state.take(slot[op], slots[op]);
    state.own(slot[op], slots[op], op);
    this.mapApplied[op] = 1;
  }

  private enterMap(op: number): void {
    this.open.push(op);
    const { kind, pool, slot } = this.operations.table.columns;
    if (kind[op] === OpKind.placed && slot[op] >= 0) {
      this.markAtBegin[op] = this.known.mark(this.known.areaAt(pool[op], slot[op]));
    }
    const look = !this.firstAttemptIsRecorded(op);
    for (const configuration of this.configurations) {
      configuration.progress.push(0);
      if (look) {
        this.applyDeltas(configuration, 0, 1);
        this.walk(configuration, this.open.length - 1);
        this.applyDeltas(configuration, 0, -1);
      }
    }
  }

  /** With one fixed pool and the recorded area first in line there is nothing to look at on entry. */
  private firstAttemptIsRecorded(op: number): boolean {
    const { kind, pool, slot, row } = this.operations.table.columns;
    if (this.dynamic || (kind[op] !== OpKind.placed && kind[op] !== OpKind.unplaced)) {
      return false;
    }
    if (kind[op] === OpKind.unplaced) {
      return true;
    }
    const state = this.states[pool[op]].pool;
    const cpu = this.tables.requests.columns.cpu[row[op]];
    return cpu < 0 || state.areas === 1 || state.areaOf(slot[op]) === (cpu & (state.areas - 1));
  }

  private returnMap(op: number): void {
    const position = this.open.indexOf(op);
    const { kind } = this.operations.table.columns;
    if (kind[op] === OpKind.unplaced) {
      this.placeByModel(op, position);
    } else {
      this.advanceTo(op, position);
    }
    this.fold(op, position);
  }

  /** Moves every configuration on until the operation is done, and keeps those that got there. */
  private advanceTo(op: number, position: number): void {
    const single = this.configurations[0];
    if (this.configurations.length === 1 && this.open.length === 1 && this.additionsBegun === single.head) {
      if (this.stepAlone(single, op)) {
        this.verdicts[op] = this.explained(op);
        return;
      }
      this.learn(op, position);
      return;
    }
    const survivors = this.explore(op, position);
    if (survivors.length > 0) {
      this.configurations = survivors;
      this.verdicts[op] = this.explained(op);
      return;
    }
    this.learn(op, position);
  }

  /**
   * Explained as recorded, or with a mask that had to be found out. Where the trace holds no release at all, a map into
   * used slots only shows that they had been released: where else there was room, nobody knows.
   */
  private explained(op: number): number {
    const { table, hasLearnedMask, releasesMissing } = this.operations;
    if (hasLearnedMask(table.columns.row[op])) {
      return Verdict.learned;
    }
    if (releasesMissing === 'all' && this.wasUsed(op)) {
      this.assumedReleases++;
      return Verdict.undecided;
    }
    return Verdict.exact;
  }

  /** Somebody was recorded in the slots before. */
  private wasUsed(op: number): boolean {
    const { kind, pool, slot, slots } = this.operations.table.columns;
    if (kind[op] !== OpKind.placed) {
      return false;
    }
    const { seen } = this.states[pool[op]];
    for (let at = Math.max(0, slot[op]); at < slot[op] + slots[op]; at++) {
      if (seen[at] > 0) {
        return true;
      }
    }
    return false;
  }

  /** The sequential fast path: one open map, one configuration. */
  private stepAlone(configuration: Configuration, op: number): boolean {
    const result = this.walk(configuration, 0);
    if (result === Walk.done) {
      return true;
    }
    if (result === Walk.refusal) {
      this.refuse(configuration, 0);
      return true;
    }
    if (result !== Walk.atRecorded || !this.matches(configuration, op)) {
      return false;
    }
    this.place(configuration, 0);
    this.commit(configuration);
    const { pool, slot } = this.operations.table.columns;
    this.incomplete[this.known.areaAt(pool[op], slot[op])] = 0;
    return true;
  }

  /**
   * Passes every attempt that finds nothing (reading changes nothing, so the earliest moment is the best) up to the
   * recorded one.
   */
  private walk(configuration: Configuration, position: number): number {
    const op = this.open[position];
    const ops = this.operations.table.columns;
    const kind = ops.kind[op];
    let progress = configuration.progress[position];
    if (progress === DONE) {
      return Walk.done;
    }
    const row = ops.row[op];
    const request = this.operations.pad(row);
    const restricted = this.restrictedPool(op);
    if (kind === OpKind.failed && this.refusedEarly(request)) {
      configuration.progress[position] = DONE;
      return Walk.done;
    }
    const cpu = this.tables.requests.columns.cpu[row];
    const recordedPool = kind === OpKind.placed ? ops.pool[op] : -1;
    const recordedArea = recordedPool < 0 ? -1 : this.states[recordedPool].pool.areaOf(ops.slot[op]);
    for (;;) {
      let head = Math.floor(progress / HEAD_UNIT) % HEAD_UNIT;
      if (head === 0) {
        if (this.dynamic && this.additionPending(configuration, op)) {
          configuration.progress[position] = progress;
          return Walk.needsHead;
        }
        head = configuration.head + 1;
        progress += head * HEAD_UNIT;
      }
      const attempt = this.attempt(progress, head - 1, cpu, restricted);
      if (attempt === ATTEMPTS_OVER) {
        configuration.progress[position] = progress;
        if (kind === OpKind.placed) {
          return Walk.dead;
        }
        configuration.progress[position] = DONE;
        if (kind === OpKind.transient) {
          this.log(configuration, 'transient', row, -1, -1, -1, request.slots);
        }
        return Walk.done;
      }
      if (attempt === PASS_OVER) {
        progress = this.nextPass(progress);
        continue;
      }
      if (attempt !== SKIP_POOL) {
        const pool = Math.floor(attempt / MAX_AREAS);
        const area = attempt % MAX_AREAS;
        if (pool === recordedPool && (area === recordedArea || cpu < 0)) {
          configuration.progress[position] = progress;
          return Walk.atRecorded;
        }
        const slot = this.find(configuration, pool, area, request);
        if (slot >= 0 && !(cpu < 0 && pool === recordedPool)) {
          configuration.progress[position] = progress;
          if (kind === OpKind.failed && this.unreachable(op, pool, slot, request)) {
            this.scratchFound.pool = pool;
            this.scratchFound.area = area;
            this.scratchFound.slot = slot;
            return Walk.refusal;
          }
          this.scratchFound.pool = pool;
          this.scratchFound.area = area;
          this.scratchFound.slot = slot;
          return Walk.blocked;
        }
        this.log(configuration, 'miss', row, pool, area, -1, request.slots);
      }
      progress++;
    }
  }

  /** Pool * MAX_AREAS + area of the attempt that a progress stands before. */
  private attempt(progress: number, head: number, cpu: number, restricted: number): number {
    const pass = Math.floor(progress / PASS_UNIT);
    const position = progress % HEAD_UNIT;
    if (restricted >= 0) {
      return pass === 0 && position === 0 ? restricted * MAX_AREAS : ATTEMPTS_OVER;
    }
    if (this.operations.firstRestricted === 0) {
      return ATTEMPTS_OVER;
    }
    const start = Math.max(0, cpu);
    if (this.rules.poolMajor && this.dynamic) {
      // 6.6: pass counts pools, position counts areas.
      if (pass > head) {
        return ATTEMPTS_OVER;
      }
      const pool = head - pass;
      const areas = this.states[pool].pool.areas;
      return position >= areas ? PASS_OVER : pool * MAX_AREAS + ((start + position) & (areas - 1));
    }
    if (pass >= this.areaBound) {
      return ATTEMPTS_OVER;
    }
    if (position > head) {
      return PASS_OVER;
    }
    const pool = head - position;
    const areas = this.states[pool].pool.areas;
    if (pass >= areas) {
      return SKIP_POOL;
    }
    return pool * MAX_AREAS + ((start + pass) & (areas - 1));
  }

  private nextPass(progress: number): number {
    const pass = Math.floor(progress / PASS_UNIT);
    const head = Math.floor(progress / HEAD_UNIT) % HEAD_UNIT;
    // 6.6 walks the pools once; later kernels read the list anew for every area offset.
    return (pass + 1) * PASS_UNIT + (this.rules.poolMajor ? head * HEAD_UNIT : 0);
  }

  /** A grown pool may yet become visible while the map runs. */
  private additionPending(configuration: Configuration, op: number): boolean {
    const { additions, table } = this.operations;
    const next = additions[configuration.head];
    return next !== undefined && next.begin < table.columns.end[op];
  }

  private restrictedPool(op: number): number {
    const { kind, pool, row } = this.operations.table.columns;
    if (kind[op] === OpKind.placed) {
      return pool[op] >= this.operations.firstRestricted ? pool[op] : -1;
    }
    return this.operations.restrictedOf.get(this.tables.requests.columns.device[row[op]]) ?? -1;
  }

  private refusedEarly(request: PaddedRequest): boolean {
    return this.dynamic && this.rules.refusesOversize && request.sizeBytes > SEGMENT_BYTES;
  }

  /** swiotlb_map gives the slots back when the device cannot reach them; the direct callers do not look. */
  private unreachable(op: number, pool: number, slot: number, request: PaddedRequest): boolean {
    const row = this.operations.table.columns.row[op];
    const requests = this.tables.requests.columns;
    if ((requests.evidence[row] & EvidenceBit.bounced) === 0) {
      return false;
    }
    const address = this.states[pool].pool.start + (slot + request.pad) * SLOT_BYTES + request.offset;
    return address + requests.sizeBytes[row] - 1 > this.addressLimit[requests.device[row]];
  }

  private find(configuration: Configuration, pool: number, area: number, request: PaddedRequest): number {
    return this.search.find(this.states[pool].pool, area, configuration.index[this.known.bases[pool] + area], request);
  }

  /** Would the map get exactly the recorded slot now? Releases that are under way and in its way are applied. */
  private matches(configuration: Configuration, op: number): boolean {
    const { pool, slot, row } = this.operations.table.columns;
    const at = pool[op];
    const mark = configuration.deltas.length;
    if (!this.clearWay(configuration, op)) {
      this.undoTo(configuration, mark);
      return false;
    }
    const area = this.states[at].pool.areaOf(slot[op]);
    const found = this.find(configuration, at, area, this.operations.pad(row[op]));
    if (found !== slot[op]) {
      this.undoTo(configuration, mark);
      return false;
    }
    return true;
  }

  /** Applies the open releases of mappings in the recorded run. False when somebody else holds a slot of it. */
  private clearWay(configuration: Configuration, op: number): boolean {
    const { pool, slot, slots } = this.operations.table.columns;
    const state = this.states[pool[op]];
    const end = slot[op] + slots[op];
    if (slot[op] < 0 || end > state.pool.slots) {
      return false;
    }
    for (let at = slot[op]; at < end; at++) {
      if (state.held[at] <= 0) {
        continue;
      }
      const owner = state.owner[at];
      if (
        owner < 0 ||
        this.releaseOpen[owner] === 0 ||
        this.releaseApplied[owner] === 1 ||
        configuration.deltas.includes(~owner)
      ) {
        return false;
      }
      this.applyRelease(configuration, owner);
      if (state.held[at] > 0) {
        return false;
      }
    }
    return true;
  }

  private applyRelease(configuration: Configuration, op: number): void {
    const { pool, slot, slots, row } = this.operations.table.columns;
    this.states[pool[op]].release(slot[op], slots[op]);
    configuration.deltas.push(~op);
    this.log(
      configuration,
      'release',
      row[op],
      pool[op],
      this.states[pool[op]].pool.areaOf(slot[op]),
      slot[op],
      slots[op],
    );
  }

  /** Takes the recorded run for an open map. */
  private place(configuration: Configuration, position: number): void {
    const op = this.open[position];
    const { pool, slot, slots, row } = this.operations.table.columns;
    const state = this.states[pool[op]];
    const area = state.pool.areaOf(slot[op]);
    state.take(slot[op], slots[op]);
    configuration.deltas.push(op);
    configuration.progress[position] = DONE;
    this.moveIndex(configuration, pool[op], area, this.search.indexAfter(state.pool, area, slot[op], slots[op]));
    this.log(configuration, 'take', row[op], pool[op], area, slot[op], slots[op]);
  }

  /** A map whose slots the device cannot reach: only the area's index moves. */
  private refuse(configuration: Configuration, position: number): void {
    const op = this.open[position];
    const { pool, area, slot } = this.scratchFound;
    const row = this.operations.table.columns.row[op];
    const count = this.operations.pad(row).slots;
    this.moveIndex(configuration, pool, area, this.search.indexAfter(this.states[pool].pool, area, slot, count));
    configuration.progress[position] = DONE;
    this.log(configuration, 'refused', row, pool, area, slot, count);
  }

  private moveIndex(configuration: Configuration, pool: number, area: number, index: number): void {
    setIndex(configuration, this.known.bases[pool] + area, index);
  }

  private log(
    configuration: Configuration,
    kind: OrderStep['kind'],
    row: number,
    pool: number,
    area: number,
    slot: number,
    slots: number,
  ): void {
    if (this.options.certificate) {
      configuration.trail = { step: { kind, row, pool, area, slot, slots }, before: configuration.trail };
    }
  }

  /** Applies (1) or takes back (-1) the deltas from a position on. */
  private applyDeltas(configuration: Configuration, from: number, sign: number): void {
    const { pool, slot, slots } = this.operations.table.columns;
    for (let at = from; at < configuration.deltas.length; at++) {
      const delta = configuration.deltas[at];
      const op = delta < 0 ? ~delta : delta;
      if (delta >= 0 === sign > 0) {
        this.states[pool[op]].take(slot[op], slots[op]);
      } else {
        this.states[pool[op]].release(slot[op], slots[op]);
      }
    }
  }

  private undoTo(configuration: Configuration, mark: number): void {
    this.applyDeltas(configuration, mark, -1);
    if (this.options.certificate) {
      for (let at = mark; at < configuration.deltas.length; at++) {
        configuration.trail = configuration.trail?.before ?? null;
      }
    }
    configuration.deltas.length = mark;
  }

  /**
   * All configurations in which the target is done: a map (position in `open`), a release (position -1, op) or a pool
   * addition (position -2). Searches over steps of the other open operations before it.
   */
  private explore(target: number, position: number): Configuration[] {
    const found = new Map<string, Configuration>();
    const visited = new Set<string>();
    this.nodes = 0;
    for (const configuration of this.configurations) {
      this.applyDeltas(configuration, 0, 1);
      this.exploreFrom(configuration, { target, position, visited, found }, false);
      this.applyDeltas(configuration, 0, -1);
      if (this.nodes > this.options.maxNodes) {
        this.incomplete.fill(1);
        break;
      }
    }
    const survivors = [...found.values()];
    if (survivors.length > this.options.maxConfigurations) {
      survivors.length = this.options.maxConfigurations;
      this.incomplete.fill(1);
    }
    this.peakConfigurations = Math.max(this.peakConfigurations, survivors.length);
    return survivors;
  }

  /**
   * The slot states are as the configuration sees them. `redundant`: the last step could as well come after the target,
   * so ending here would only double a configuration.
   */
  private exploreFrom(at: Configuration, goal: Goal, redundant: boolean): void {
    let needless = redundant;
    if (++this.nodes > this.options.maxNodes) {
      return;
    }
    const { target, position, visited, found } = goal;
    for (let other = 0; other < this.open.length; other++) {
      const before = at.progress[other];
      if (before !== DONE && !(before === 0 && this.firstAttemptIsRecorded(this.open[other]))) {
        this.walk(at, other);
        if (at.progress[other] !== before) {
          // The last step let another map pass an area: after the target it might not.
          needless = false;
        }
      }
    }
    const key = keyOf(at);
    if (visited.has(key)) {
      return;
    }
    visited.add(key);
    const commutes: boolean[] = new Array(this.open.length).fill(false);
    if (position >= 0) {
      if (at.progress[position] === DONE) {
        emit(at, found);
        return;
      }
      const child = this.child(at, position);
      if (child !== null) {
        if (!needless) {
          emit(child, found);
        }
        for (let other = 0; other < this.open.length; other++) {
          commutes[other] =
            other !== position && this.otherArea(this.open[other], target) && this.canStep(child, other);
        }
        this.undoTo(child, at.deltas.length);
      }
    } else if (position === RELEASE_TARGET) {
      if (!needless) {
        emit(at, found);
      }
      this.commuteWithRelease(at, target, commutes);
    } else if (at.head >= target) {
      emit(at, found);
      return;
    }
    for (let other = 0; other < this.open.length; other++) {
      if (at.progress[other] === DONE) {
        continue;
      }
      const reader = this.readHead(at, other);
      if (reader !== null) {
        this.exploreFrom(reader, goal, false);
        continue;
      }
      const child = other === position ? null : this.child(at, other);
      if (child !== null) {
        this.exploreFrom(child, goal, commutes[other]);
        this.undoTo(child, at.deltas.length);
      }
    }
    if (at.head < this.additionsBegun) {
      const grown = clone(at);
      const pool = this.operations.additions[at.head].pool;
      grown.head++;
      this.log(grown, 'pool', pool, pool, -1, -1, this.states[pool].pool.slots);
      this.exploreFrom(grown, goal, false);
    }
  }

  /** Which open maps would get their slot after the release, too. */
  private commuteWithRelease(at: Configuration, release: number, commutes: boolean[]): void {
    const { pool, slot, slots } = this.operations.table.columns;
    if (at.deltas.includes(~release)) {
      return;
    }
    const state = this.states[pool[release]];
    state.release(slot[release], slots[release]);
    at.deltas.push(~release);
    for (let other = 0; other < this.open.length; other++) {
      commutes[other] = at.progress[other] !== DONE && this.canStep(at, other);
    }
    at.deltas.pop();
    state.take(slot[release], slots[release]);
  }

  private canStep(at: Configuration, position: number): boolean {
    if (at.progress[position] === DONE) {
      return false;
    }
    const child = this.child(at, position);
    if (child !== null) {
      this.undoTo(child, at.deltas.length);
    }
    return child !== null;
  }

  /** Two maps that were served from different areas do not move each other's index. */
  private otherArea(one: number, other: number): boolean {
    const { kind, pool, slot } = this.operations.table.columns;
    if (kind[one] !== OpKind.placed || kind[other] !== OpKind.placed) {
      return false;
    }
    return (
      pool[one] !== pool[other] ||
      this.states[pool[one]].pool.areaOf(slot[one]) !== this.states[pool[other]].pool.areaOf(slot[other])
    );
  }

  /** The configuration after the next step of an open map, with the slot states moved on; null when it cannot step. */
  private child(at: Configuration, position: number): Configuration | null {
    const probe = clone(at);
    const result = this.walk(probe, position);
    if (result === Walk.refusal) {
      this.refuse(probe, position);
      return probe;
    }
    if (result !== Walk.atRecorded || !this.matches(probe, this.open[position])) {
      return null;
    }
    this.place(probe, position);
    return probe;
  }

  /** The map reads the pool list now, although a pool may still be added while it runs. */
  private readHead(at: Configuration, position: number): Configuration | null {
    const progress = at.progress[position];
    if (
      !this.dynamic ||
      Math.floor(progress / HEAD_UNIT) % HEAD_UNIT !== 0 ||
      !this.additionPending(at, this.open[position])
    ) {
      return null;
    }
    const reader = clone(at);
    reader.progress[position] = progress + (at.head + 1) * HEAD_UNIT;
    return reader;
  }

  private returnRelease(op: number): void {
    const { table } = this.operations;
    const { pool, slot, slots, kind } = table.columns;
    this.releaseOpen[op] = 0;
    if (this.mapApplied[op] === 0) {
      // Nothing is held: a transient pool, or a map that waits for others to end.
      this.releaseApplied[op] = 1;
      return;
    }
    if (kind[op] === OpKind.transient || kind[op] === OpKind.failed || slot[op] < 0 || this.releaseApplied[op] === 1) {
      return;
    }
    if (this.open.length > 0 && this.configurations.some((one) => one.progress.some((progress) => progress !== DONE))) {
      this.releaseOpen[op] = 1;
      const early = this.configurations.filter((one) => one.deltas.includes(~op));
      const late = this.configurations.filter((one) => !one.deltas.includes(~op));
      this.configurations = late;
      const survivors = late.length === 0 ? [] : this.explore(op, RELEASE_TARGET);
      // Always something: the release may come first. Nothing only when the search was cut short.
      this.configurations = [...early, ...(survivors.length === 0 ? late : survivors)];
      this.releaseOpen[op] = 0;
    }
    this.states[pool[op]].release(slot[op], slots[op]);
    this.states[pool[op]].disown(slot[op], slots[op], op);
    this.releaseApplied[op] = 1;
    const row = table.columns.row[op];
    this.resumeOlder(op);
    for (const configuration of this.configurations) {
      const at = configuration.deltas.indexOf(~op);
      if (at >= 0) {
        configuration.deltas.splice(at, 1);
      } else {
        this.log(
          configuration,
          'release',
          row,
          pool[op],
          this.states[pool[op]].pool.areaOf(slot[op]),
          slot[op],
          slots[op],
        );
      }
    }
    this.settle();
  }

  private returnPool(pool: number): void {
    const wanted = this.operations.additions.findIndex((addition) => addition.pool === pool) + 1;
    this.additionsDone = Math.max(this.additionsDone, wanted);
    if (this.configurations.every((one) => one.head >= wanted)) {
      return;
    }
    const survivors = this.explore(wanted, POOL_TARGET);
    if (survivors.length > 0) {
      this.configurations = survivors;
      return;
    }
    for (const configuration of this.configurations) {
      configuration.head = Math.max(configuration.head, wanted);
    }
  }

  /** The map has returned: what it took belongs to every configuration now. */
  private fold(op: number, position: number): void {
    const { kind, pool, slot, slots, row } = this.operations.table.columns;
    this.open.splice(position, 1);
    if (
      kind[op] === OpKind.unplaced ||
      (this.tables.requests.columns.evidence[row[op]] & EvidenceBit.inferredOutcome) !== 0
    ) {
      this.known.doubtAll();
    }
    for (const configuration of this.configurations) {
      configuration.progress.splice(position, 1);
    }
    if (kind[op] === OpKind.placed || kind[op] === OpKind.unplaced) {
      if (slot[op] >= 0 && this.mapApplied[op] === 0) {
        const state = this.states[pool[op]];
        state.take(slot[op], slots[op]);
        this.mapApplied[op] = 1;
      }
      if (slot[op] >= 0) {
        this.states[pool[op]].own(slot[op], slots[op], op);
        if (kind[op] === OpKind.placed) {
          this.known.show(this.known.areaAt(pool[op], slot[op]), this.markAtBegin[op]);
        }
      }
      for (const configuration of this.configurations) {
        const at = configuration.deltas.indexOf(op);
        if (at >= 0) {
          configuration.deltas.splice(at, 1);
        }
      }
    }
    this.settle();
  }

  /** With one configuration left its steps are facts. */
  private settle(): void {
    if (this.configurations.length !== 1) {
      return;
    }
    const only = this.configurations[0];
    if (only.deltas.length === 0) {
      return;
    }
    this.applyDeltas(only, 0, 1);
    this.commit(only);
  }

  /** The only configuration's deltas, which are applied, become facts. */
  private commit(only: Configuration): void {
    const { pool, slot, slots } = this.operations.table.columns;
    for (const delta of only.deltas) {
      if (delta >= 0) {
        this.mapApplied[delta] = 1;
        continue;
      }
      const op = ~delta;
      this.releaseApplied[op] = 1;
      this.states[pool[op]].disown(slot[op], slots[op], op);
      this.resumeOlder(op);
    }
    only.deltas.length = 0;
  }

  /** No order explains the record: learn what was so before the trace, or adopt the record. */
  private learn(op: number, position: number): void {
    const only = this.configurations[0];
    this.configurations = [only];
    this.applyDeltas(only, 0, 1);
    this.commit(only);
    const { kind } = this.operations.table.columns;
    const problem =
      kind[op] === OpKind.placed ? this.learnPlaced(only, op, position) : this.learnMiss(only, op, position);
    if (problem === null) {
      this.verdicts[op] = Verdict.learned;
    } else if (this.limitMatters(op) || this.gapMatters(op)) {
      this.verdicts[op] = Verdict.undecided;
    } else {
      this.verdicts[op] = Verdict.mismatched;
      this.mismatches++;
      this.options.onMismatch(op, problem.modelled, problem.why);
    }
    if (only.progress[position] !== DONE) {
      this.adopt(only, op, position);
    }
    this.commit(only);
  }

  /**
   * The right order may have been dropped for an area the operation looked at, or a map that the trace's end cuts off
   * may have been in its way.
   */
  private limitMatters(op: number): boolean {
    const { kind, pool, slot, end } = this.operations.table.columns;
    if (end[op] > this.operations.cutOffFrom) {
      return true;
    }
    if (kind[op] === OpKind.placed && slot[op] >= 0 && slot[op] < this.states[pool[op]].pool.slots) {
      return this.incomplete[this.known.areaAt(pool[op], slot[op])] === 1;
    }
    return this.incomplete.includes(1);
  }

  /** Something unseen happened in its area, or for a failure in any, while the operation was under way: nobody knows in which order. */
  private gapMatters(op: number): boolean {
    const { kind, pool, slot } = this.operations.table.columns;
    if (kind[op] !== OpKind.placed || slot[op] < 0 || slot[op] >= this.states[pool[op]].pool.slots) {
      return this.known.hasOpenGap;
    }
    return !this.known.isUndisturbed(this.known.areaAt(pool[op], slot[op]), this.markAtBegin[op]);
  }

  private learnPlaced(only: Configuration, op: number, position: number): Disagreement | null {
    const { pool, slot, row } = this.operations.table.columns;
    const state = this.states[pool[op]];
    if (this.otherMask(only, op, position)) {
      return null;
    }
    const clash = this.evict(only, op);
    if (clash !== null) {
      return clash;
    }
    const area = state.pool.areaOf(slot[op]);
    const key = this.known.bases[pool[op]] + area;
    const near = (this.tables.requests.columns.evidence[row[op]] & EvidenceBit.nearLoss) !== 0;
    for (;;) {
      const result = this.walk(only, position);
      if (result === Walk.needsHead) {
        only.head = Math.max(only.head, this.headFor(pool[op]));
        only.progress[position] += (only.head + 1) * HEAD_UNIT;
        continue;
      }
      if (result === Walk.dead) {
        return { modelled: 'failed', why: 'the search never comes to the recorded area' };
      }
      if (result === Walk.blocked || result === Walk.refusal) {
        const found = this.scratchFound;
        if (this.occupy(found.pool, found.slot, this.operations.pad(row[op]).slots, op)) {
          continue;
        }
        return this.foundElsewhere(found.pool, found.area, found.slot, op);
      }
      const request = this.operations.pad(row[op]);
      const found = this.find(only, pool[op], area, request);
      if (found === slot[op]) {
        this.place(only, position);
        return null;
      }
      if ((!this.known.isShown(key) || near) && this.tryIndex(only, op, slot[op] - area * state.pool.areaSlots)) {
        this.learnedByIndex++;
        continue;
      }
      if (
        found >= 0 &&
        this.liesBehind(only.index[key], found, slot[op], area, state) &&
        this.occupy(pool[op], found, request.slots, op)
      ) {
        continue;
      }
      if (this.lostMapMovedIndex(only, op)) {
        this.learnedByIndex++;
        continue;
      }
      if (found < 0) {
        return { modelled: 'failed', why: 'the recorded run breaks the alignment or segment rules of the search' };
      }
      return this.foundElsewhere(pool[op], area, found, op);
    }
  }

  /** The list head from which a pool is in the list, where it can have been added by now; else 0. */
  private headFor(pool: number): number {
    const head = this.operations.additions.findIndex((addition) => addition.pool === pool) + 1;
    return head <= this.additionsBegun ? head : 0;
  }

  /** A failure, or a transient pool: nothing listed may have had room. */
  private learnMiss(only: Configuration, op: number, position: number): Disagreement | null {
    const row = this.operations.table.columns.row[op];
    for (;;) {
      const result = this.walk(only, position);
      if (result === Walk.done) {
        return null;
      }
      if (result === Walk.needsHead) {
        only.progress[position] += (only.head + 1) * HEAD_UNIT;
        continue;
      }
      const { pool, area, slot } = this.scratchFound;
      if (result === Walk.blocked && this.occupy(pool, slot, this.operations.pad(row).slots, op)) {
        continue;
      }
      return this.foundElsewhere(pool, area, slot, op);
    }
  }

  private foundElsewhere(pool: number, area: number, slot: number, op: number): Disagreement {
    const state = this.states[pool].pool;
    const request = this.operations.pad(this.operations.table.columns.row[op]);
    const address = state.start + (slot + request.pad) * SLOT_BYTES + request.offset;
    return {
      modelled: `0x${address.toString(16)}`,
      why: `the search finds slot ${slot} of area ${area} in the ${state.kind} pool first`,
    };
  }

  /**
   * Slots that a search must have passed although the model thinks them free were in use since before the trace, if
   * the trace has not yet shown them. One that a mapping of the trace gets later must have been released in between:
   * that is believed only where releases are known to be missing.
   */
  private occupy(pool: number, slot: number, count: number, op: number): boolean {
    const state = this.states[pool];
    if (this.widen(pool, slot, count)) {
      return true;
    }
    const now = this.operations.table.columns.end[op];
    for (const usedLater of this.operations.releasesMissing === 'none' ? [false] : [false, true]) {
      let done = false;
      for (let at = slot; at < slot + count; at++) {
        if (state.isUnknown(at) && state.held[at] === 0 && state.lastUse[at] > now === usedLater) {
          state.take(at, 1);
          state.owner[at] = PHANTOM;
          done = true;
        }
      }
      if (done) {
        this.learnedByOccupancy++;
        return true;
      }
    }
    return false;
  }

  /** A search passed free slots beside a mapping whose alloc_align_mask is not recorded: its mask took them too. */
  private widen(pool: number, from: number, count: number): boolean {
    const { unsure, table } = this.operations;
    const { slot, slots } = table.columns;
    const state = this.states[pool];
    for (let at = from; at < from + count && unsure.size > 0; at++) {
      for (const beside of [at - 1, at + 1]) {
        const op = state.owner[beside] ?? NO_OWNER;
        const run = op < 0 || this.releaseApplied[op] === 1 ? undefined : unsure.get(op)?.widest;
        if (run === undefined || state.held[at] > 0 || at < run.first || at >= run.end) {
          continue;
        }
        state.take(at, 1);
        state.own(at, 1, op);
        slot[op] = Math.min(slot[op], at);
        slots[op]++;
        this.learnedByOccupancy++;
        return true;
      }
    }
    return false;
  }

  /** Places a mapping of unrecorded alloc_align_mask with the first mask that gives its address, if one does. */
  private otherMask(only: Configuration, op: number, position: number): boolean {
    const { pool, slot, slots, row } = this.operations.table.columns;
    const state = this.states[pool[op]];
    const { allocAlignMask } = this.operations.pad(row[op]);
    const own = { mask: allocAlignMask, first: slot[op], slots: slots[op], cost: 0 };
    const progress = only.progress[position];
    for (const candidate of this.operations.unsure.get(op)?.candidates ?? []) {
      this.operations.choose(op, candidate);
      only.progress[position] = progress;
      let result = this.walk(only, position);
      if (result === Walk.needsHead) {
        only.progress[position] += (only.head + 1) * HEAD_UNIT;
        result = this.walk(only, position);
      }
      const area = state.pool.areaOf(slot[op]);
      if (result === Walk.atRecorded && this.find(only, pool[op], area, this.operations.pad(row[op])) === slot[op]) {
        this.place(only, position);
        return true;
      }
    }
    this.operations.choose(op, own);
    only.progress[position] = progress;
    return false;
  }

  /** A mapping was recorded in a slot that its holder, of unrecorded alloc_align_mask, need not have taken. */
  private narrow(pool: number, at: number, op: number): boolean {
    const run = this.operations.unsure.get(op)?.narrowest;
    const { slot, slots } = this.operations.table.columns;
    const atEdge = at === slot[op] || at === slot[op] + slots[op] - 1;
    if (run === undefined || !atEdge || (run.first <= at && at < run.end)) {
      return false;
    }
    const state = this.states[pool];
    state.release(at, 1);
    state.owner[at] = NO_OWNER;
    slot[op] += at === slot[op] ? 1 : 0;
    slots[op]--;
    this.learnedByOccupancy++;
    return true;
  }

  /** Frees the recorded run of holders that cannot be there any more; a disagreement when somebody surely is. */
  private evict(only: Configuration, op: number): Disagreement | null {
    const { pool, slot, slots, releaseEnd, kind, row } = this.operations.table.columns;
    const state = this.states[pool[op]];
    const end = slot[op] + slots[op];
    if (slot[op] < 0 || end > state.pool.slots) {
      return { modelled: 'failed', why: 'the recorded run leaves the pool' };
    }
    for (let at = slot[op]; at < end; at++) {
      if (state.held[at] <= 0) {
        continue;
      }
      const owner = state.owner[at];
      if (owner === PHANTOM) {
        state.release(at, 1);
        state.owner[at] = NO_OWNER;
      } else if (owner >= 0 && this.releaseApplied[owner] === 0) {
        if (this.narrow(pool[op], at, owner)) {
          continue;
        }
        if (this.releaseOpen[owner] === 1) {
          this.applyRelease(only, owner);
          continue;
        }
        if (kind[owner] === OpKind.older) {
          // Its map was lost in the middle of the trace: it comes back when this mapping ends.
          this.postponed.set(op, [...(this.postponed.get(op) ?? []), owner]);
          this.mapApplied[owner] = 0;
        } else if (releaseEnd[owner] === Number.POSITIVE_INFINITY || this.lossBetween(owner, op)) {
          this.inferredReleases++;
          this.releaseApplied[owner] = 1;
        } else {
          const line = this.tables.requests.columns.mapLine[row[owner]];
          return { modelled: 'failed', why: `the mapping of line ${line} still holds slot ${at}` };
        }
        state.release(slot[owner], slots[owner]);
        state.disown(slot[owner], slots[owner], owner);
        this.log(only, 'release', row[owner], pool[owner], state.pool.areaOf(slot[owner]), slot[owner], slots[owner]);
      } else {
        return { modelled: 'failed', why: `slot ${at} is taken by a mapping made at the same time` };
      }
    }
    return null;
  }

  /** Events were lost after a mapping and before (or while) another was made: its release may be among them. */
  private lossBetween(mapping: number, later: number): boolean {
    const { end } = this.operations.table.columns;
    return this.operations.gaps.some(
      ({ isLoss, begin: from, end: to }) => isLoss && end[mapping] < to && from <= end[later],
    );
  }

  /** Mappings seen only by their unmap whose map was lost while `op` was in their slots. */
  private resumeOlder(op: number): void {
    const waiting = this.postponed.get(op);
    if (waiting === undefined) {
      return;
    }
    this.postponed.delete(op);
    for (const older of waiting) {
      if (this.releaseApplied[older] === 0) {
        this.beginOlder(older);
      }
    }
  }

  private tryIndex(only: Configuration, op: number, index: number): boolean {
    const { pool, slot, row } = this.operations.table.columns;
    const area = this.states[pool[op]].pool.areaOf(slot[op]);
    const before = only.index[this.known.bases[pool[op]] + area];
    this.moveIndex(only, pool[op], area, index);
    if (this.find(only, pool[op], area, this.operations.pad(row[op])) === slot[op]) {
      return true;
    }
    this.moveIndex(only, pool[op], area, before);
    return false;
  }

  /** In walk order from the area's index, `found` comes before the recorded slot. */
  private liesBehind(index: number, found: number, recorded: number, area: number, state: SlotState): boolean {
    const length = state.pool.areaSlots;
    const base = area * length;
    const distance = (slot: number): number => (slot - base - index + length) % length;
    return distance(found) < distance(recorded);
  }

  /** A mapping seen only by its unmap lies in the area: its lost map may have moved the index. */
  private lostMapMovedIndex(only: Configuration, op: number): boolean {
    const { pool, slot, slots, kind } = this.operations.table.columns;
    const state = this.states[pool[op]];
    const area = state.pool.areaOf(slot[op]);
    const start = area * state.pool.areaSlots;
    for (let at = start; at < start + state.pool.areaSlots; ) {
      const owner = state.owner[at];
      if (owner < 0 || kind[owner] !== OpKind.older) {
        at++;
        continue;
      }
      const index = this.search.indexAfter(state.pool, area, slot[owner], slots[owner]);
      if (this.tryIndex(only, op, index)) {
        return true;
      }
      at = Math.max(at + 1, slot[owner] + slots[owner]);
    }
    return false;
  }

  /** Takes over what was recorded, whether the model agrees or not. */
  private adopt(only: Configuration, op: number, position: number): void {
    const { kind, pool, slot, slots } = this.operations.table.columns;
    if (kind[op] === OpKind.placed && slot[op] >= 0 && slot[op] + slots[op] <= this.states[pool[op]].pool.slots) {
      this.place(only, position);
    }
    only.progress[position] = DONE;
  }

  /** A served request without a recorded place: the model's own answer stands in for it. */
  private placeByModel(op: number, position: number): void {
    const only = this.configurations[0];
    this.configurations = [only];
    this.applyDeltas(only, 0, 1);
    this.commit(only);
    const ops = this.operations.table.columns;
    let result = this.walk(only, position);
    while (result === Walk.needsHead) {
      only.progress[position] += (only.head + 1) * HEAD_UNIT;
      result = this.walk(only, position);
    }
    if (result === Walk.blocked) {
      ops.pool[op] = this.scratchFound.pool;
      ops.slot[op] = this.scratchFound.slot;
      this.place(only, position);
      this.commit(only);
    }
    only.progress[position] = DONE;
  }
}

/** Highest address each device can reach: min_not_zero(DMA mask, bus limit). */
export function addressLimits(tables: TraceTables, geometry: Geometry): Float64Array {
  const limits = new Float64Array(tables.devices.length).fill(Number.POSITIVE_INFINITY);
  for (const device of geometry.devices) {
    const bus = device.busLimitBits.value;
    limits[device.device] = Math.min(
      maskOfBits(device.dmaMaskBits.value),
      bus > 0 ? maskOfBits(bus) : Number.POSITIVE_INFINITY,
    );
  }
  return limits;
}

interface Disagreement {
  readonly modelled: string;
  readonly why: string;
}

interface Goal {
  /** The operation, or for a pool addition the list head that must be reached. */
  readonly target: number;
  /** Position of the target in `open`, RELEASE_TARGET or POOL_TARGET. */
  readonly position: number;
  readonly visited: Set<string>;
  readonly found: Map<string, Configuration>;
}

const RELEASE_TARGET = -1;
const POOL_TARGET = -2;

/** `attempt` codes besides pool * MAX_AREAS + area. */
const MAX_AREAS = 4096;
const ATTEMPTS_OVER = -1;
const PASS_OVER = -2;
const SKIP_POOL = -3;
