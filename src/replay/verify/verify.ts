import { Pool } from '../../allocator/pool';
import { AreaSearch } from '../../allocator/search/areaSearch';
import { type GenerationRules, generationRules } from '../../allocator/search/rules';
import type { Geometry } from '../../model/geometry';
import { Outcome, type TraceTables } from '../../model/tables';
import { type LineNumber, type Nanoseconds, SEGMENT_SLOTS, SLOT_BYTES } from '../../model/units';
import type { OrderStep } from './configuration';
import { addressLimits, Linearizer, Verdict } from './linearize';
import {
  buildOperations,
  type Operations,
  OpKind,
  type RowRange,
  SkipReason,
  shrinkToPoints,
  skipTexts,
  transientPools,
} from './operations';
import { WIDTHS_NS, widenIntervals } from './widen';

export interface VerifyOptions {
  /** Rules other than those of the geometry's generation: mutated models must be rejected (tests). */
  readonly rules?: GenerationRules;
  /** Keep the order that was found. */
  readonly certificate?: boolean;
  /** Orders of overlapping operations kept at most; default 1024 with both probes, else 256. */
  readonly maxConfigurations?: number;
  /** Steps of one search at most; default 50000 with both probes, else 5000. */
  readonly maxNodes?: number;
  /** Give up after so many mismatches: the geometry tries several masks and only wants to know the best. */
  readonly stopAfterMismatches?: number;
  /** false: never widen the intervals (trials, and tests of what must be rejected). */
  readonly widen?: boolean;
  /** Check a part of the request table only; all by default. */
  readonly rows?: RowRange;
}

export interface Mismatch {
  /** Row of the request table. */
  readonly request: number;
  readonly source: number;
  readonly line: LineNumber;
  readonly recorded: string;
  readonly modelled: string;
  readonly why: string;
}

/** Counts of one verification. requests = checked + the sum of skipped; checked = exact + learned + undecided + mismatchedCount. */
export interface VerifyResult {
  readonly generation: string;
  /** Attempts to map that bounced, or tried to. */
  readonly requests: number;
  readonly checked: number;
  /** The model gave the recorded address, or the recorded failure. */
  readonly exact: number;
  /** Explained after learning state from before the trace or from lost events. */
  readonly learned: number;
  /** Of the undecided: in slots that were used before, where the trace holds no release at all. */
  readonly assumedReleases: number;
  /** Of the checked: the base of a grown or transient pool was taken from the record. */
  readonly givenBase: number;
  /** A limit of the search was reached, the trace does not tell enough of the state, or a map that the end of the trace cuts off may have been in the way. */
  readonly undecided: number;
  readonly mismatchedCount: number;
  /** First 100. */
  readonly mismatched: readonly Mismatch[];
  /** Reason → requests. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Releases that the trace lost and the addresses prove. */
  readonly inferredReleases: number;
  /** Most orders of overlapping operations that were possible at one time. */
  readonly peakConfigurations: number;
  /** Intervals were widened by so much on both sides, because the recorded ones left more than 0.1 % unexplained; 0 not. */
  readonly widenedNs: Nanoseconds;
  /** Both the entry and the return of every call are in the trace. */
  readonly bothProbes: boolean;
  /** Verdict per row of the request table. */
  readonly verdicts: Uint8Array;
  /** The order found, oldest first; empty unless asked for. */
  readonly order: readonly OrderStep[];
  /** area.index of every area of the listed pools at the end, boot pool first. */
  readonly finalIndices: readonly (readonly number[])[];
}

const MISMATCHES_KEPT = 100;

/**
 * How well a geometry explains a trace, to compare geometries on the same part of it: places that had to be learned
 * speak against it, contradictions even more.
 */
export function plausibility({ exact, learned, assumedReleases, mismatchedCount }: VerifyResult): number {
  return exact + assumedReleases - learned / 2 - mismatchedCount;
}

/**
 * Compares every recorded bounce address and failure with what the allocator model gives, operation by operation.
 * Operations that overlap in time may have taken effect in any order inside their intervals; an order must exist that
 * explains all of them. After a mismatch the record is adopted.
 */
export function verify(tables: TraceTables, geometry: Geometry, options: VerifyOptions = {}): VerifyResult {
  const searched = verifyWith(tables, geometry, options, { widenedNs: 0, atPoints: false });
  const tryOneOrder = searched.undecided > 0 && options.rows === undefined;
  const narrow = tryOneOrder ? withOneOrder(searched, tables, geometry, options) : searched;
  if (!needsWidening(narrow) || options.rows !== undefined || options.widen === false) {
    return narrow;
  }
  for (const widthNs of WIDTHS_NS) {
    const wide = verifyWith(tables, geometry, options, { widenedNs: widthNs, atPoints: false });
    if (!needsWidening(wide)) {
      return wide;
    }
  }
  return narrow;
}

/**
 * Where the search for an order reached a limit, the one order of returns and release entries is tried: it lies inside
 * every interval, so what it explains is explained. It replaces the search only when it leaves less open.
 */
function withOneOrder(
  searched: VerifyResult,
  tables: TraceTables,
  geometry: Geometry,
  options: VerifyOptions,
): VerifyResult {
  const ordered = verifyWith(tables, geometry, options, { widenedNs: 0, atPoints: true });
  const open = (result: VerifyResult): number => result.undecided + result.mismatchedCount;
  return ordered.mismatchedCount <= searched.mismatchedCount && open(ordered) < open(searched) ? ordered : searched;
}

/** More than 0.1 % stay unexplained although the intervals of several CPUs are recorded. */
function needsWidening(result: VerifyResult): boolean {
  return result.mismatchedCount > 0.001 * result.checked;
}

function verifyWith(
  tables: TraceTables,
  geometry: Geometry,
  options: VerifyOptions,
  { widenedNs, atPoints }: { readonly widenedNs: Nanoseconds; readonly atPoints: boolean },
): VerifyResult {
  const rules = options.rules ?? generationRules[geometry.generation.value];
  const rows = options.rows ?? { from: 0, to: Number.POSITIVE_INFINITY };
  const operations = buildOperations(tables, geometry, rules, rows);
  if (widenedNs > 0) {
    widenIntervals(tables, operations.table, widenedNs);
  }
  if (atPoints) {
    shrinkToPoints(operations.table);
  }
  const mismatched: Mismatch[] = [];
  const note = (op: number, modelled: string, why: string): void => {
    if (mismatched.length < MISMATCHES_KEPT) {
      mismatched.push(describe(tables, operations.table.columns.row[op], modelled, why));
    }
  };
  const linearizer = new Linearizer(tables, geometry, rules, operations, {
    maxConfigurations: options.maxConfigurations ?? (operations.bothProbes ? 1024 : 256),
    maxNodes: options.maxNodes ?? (operations.bothProbes ? 50_000 : 5000),
    certificate: options.certificate ?? false,
    stopAfterMismatches: options.stopAfterMismatches ?? Number.POSITIVE_INFINITY,
    onMismatch: note,
  });
  linearizer.run();
  checkRefusals(tables, geometry, operations, linearizer, note);
  checkTransients(tables, geometry, rules, operations, linearizer, note);
  return { ...summarize(tables, rules, operations, linearizer, mismatched), widenedNs };
}

function describe(tables: TraceTables, row: number, modelled: string, why: string): Mismatch {
  const columns = tables.requests.columns;
  const address = columns.recordedBounce[row];
  return {
    request: row,
    source: columns.source[row],
    line: columns.mapLine[row] || columns.enterLine[row],
    recorded: Number.isNaN(address) ? 'failed' : `0x${address.toString(16)}`,
    modelled,
    why,
  };
}

/** A map that got slots and yet failed: the model must find them out of the device's reach. */
function checkRefusals(
  tables: TraceTables,
  geometry: Geometry,
  operations: Operations,
  linearizer: Linearizer,
  note: (op: number, modelled: string, why: string) => void,
): void {
  const { outcome, recordedBounce, device, sizeBytes } = tables.requests.columns;
  const limits = addressLimits(tables, geometry);
  const { row: rows, kind } = operations.table.columns;
  for (let op = 0; op < operations.table.length; op++) {
    const row = rows[op];
    if (
      kind[op] !== OpKind.placed ||
      outcome[row] !== Outcome.failed ||
      linearizer.verdicts[op] === Verdict.mismatched
    ) {
      continue;
    }
    if (recordedBounce[row] + sizeBytes[row] - 1 <= limits[device[row]]) {
      linearizer.verdicts[op] = Verdict.mismatched;
      note(op, `0x${recordedBounce[row].toString(16)}`, 'the device can reach the slots, so the model serves it');
    }
  }
}

/** The base of a transient pool is the record's; the place inside it must be what a search of the fresh pool finds. */
function checkTransients(
  tables: TraceTables,
  geometry: Geometry,
  rules: GenerationRules,
  operations: Operations,
  linearizer: Linearizer,
  note: (op: number, modelled: string, why: string) => void,
): void {
  const ops = operations.table.columns;
  const pools = transientPools(tables);
  const pageSize = geometry.pageSize.value;
  const search = new AreaSearch(rules, pageSize);
  const columns = tables.requests.columns;
  for (let op = 0; op < operations.table.length; op++) {
    if (ops.kind[op] !== OpKind.transient || linearizer.verdicts[op] === Verdict.mismatched) {
      continue;
    }
    const row = ops.row[op];
    const address = columns.recordedBounce[row];
    const request = operations.pad(row);
    let start = Math.floor(address / pageSize) * pageSize;
    for (const pool of pools) {
      if (pool.line <= columns.mapLine[row] && address >= pool.start && address < pool.end) {
        start = pool.start;
      }
    }
    const spec = { kind: 'transient', start, slots: request.slots, areas: 1 } as const;
    const pool = new Pool(0, spec, { pageSlots: pageSize / SLOT_BYTES, tailOverrun: rules.tailOverrun });
    const slot = request.slots > SEGMENT_SLOTS ? -1 : search.find(pool, 0, 0, request);
    const modelled = start + (slot + request.pad) * SLOT_BYTES + request.offset;
    if (slot < 0 || modelled !== address) {
      linearizer.verdicts[op] = Verdict.mismatched;
      note(op, slot < 0 ? 'failed' : `0x${modelled.toString(16)}`, 'a transient pool of that size gives another place');
    }
  }
}

function summarize(
  tables: TraceTables,
  rules: GenerationRules,
  operations: Operations,
  linearizer: Linearizer,
  mismatched: readonly Mismatch[],
): Omit<VerifyResult, 'widenedNs'> {
  const ops = operations.table.columns;
  const counts = [0, 0, 0, 0, 0];
  const skipped: Record<string, number> = {};
  const verdicts = new Uint8Array(tables.requests.length);
  let givenBase = 0;
  for (let op = 0; op < operations.table.length; op++) {
    if (ops.kind[op] === OpKind.older) {
      continue;
    }
    if (ops.skip[op] !== SkipReason.none) {
      const reason = skipTexts[ops.skip[op]];
      skipped[reason] = (skipped[reason] ?? 0) + 1;
      continue;
    }
    // Without a verdict: the trace ends before the operation surely has.
    const verdict = linearizer.verdicts[op] === Verdict.none ? Verdict.undecided : linearizer.verdicts[op];
    counts[verdict]++;
    verdicts[ops.row[op]] = verdict;
    const grown = ops.kind[op] === OpKind.placed && operations.pools[ops.pool[op]].kind === 'grown';
    givenBase += grown || ops.kind[op] === OpKind.transient ? 1 : 0;
  }
  for (let reason = 1; reason < skipTexts.length; reason++) {
    if (operations.leftOut[reason] > 0) {
      skipped[skipTexts[reason]] = (skipped[skipTexts[reason]] ?? 0) + operations.leftOut[reason];
    }
  }
  return {
    generation: rules.generation,
    requests: operations.requests,
    checked: counts[Verdict.exact] + counts[Verdict.learned] + counts[Verdict.undecided] + counts[Verdict.mismatched],
    exact: counts[Verdict.exact],
    learned: counts[Verdict.learned],
    assumedReleases: linearizer.assumedReleases,
    givenBase,
    undecided: counts[Verdict.undecided],
    mismatchedCount: counts[Verdict.mismatched],
    mismatched,
    skipped,
    inferredReleases: linearizer.inferredReleases,
    peakConfigurations: linearizer.peakConfigurations,
    bothProbes: operations.bothProbes,
    verdicts,
    order: linearizer.certificate(),
    finalIndices: linearizer.states.map((_, pool) => linearizer.areaIndices(pool)),
  };
}
