import type { Cause } from '../model/cause';
import { causes } from '../model/cause';
import type { LogRecord } from '../model/log';
import type { ReplayResult } from '../model/replayResult';
import { ReplayOutcome } from '../model/replayResult';
import { Outcome } from '../model/tables';
import { SEGMENT_BYTES, SLOT_BYTES } from '../model/units';
import type { Analysis } from './analysis';
import type { FailureFacts } from './occupancy';
import { failureFactsOf, minAlignMaskOf, requestPaddedBytes } from './occupancy';
import type { FailureNumbers } from './verdict';
import { judgeLine, numbersOfLine } from './verdict';

/** Why a recorded request failed, and the numbers that show it. */
export interface Verdict {
  readonly cause: Cause;
  readonly numbers: FailureNumbers;
}

/** Kinds of messages that name the cause by themselves, whatever the pool looked like. */
const decisiveKinds: ReadonlySet<LogRecord['kind']> = new Set([
  'overflow',
  'no-pool',
  'bounce-inactive',
  'atomic-pool-exhausted',
]);

/**
 * Why a failed request of the trace got no slots.
 * In order: its size; a message that names the cause; the slots the recorded addresses leave free; the counters of the
 * joined message; and where all that says nothing, the replay of the recorded kernel when it failed there too.
 */
export function judgeRequest(
  analysis: Analysis,
  row: number,
  joined: LogRecord | null,
  replay: ReplayResult | null,
): Verdict {
  const facts = failureFactsOf(analysis).get(row);
  const numbers = numbersOfRequest(analysis, row, joined, facts);
  if (numbers.sizeBytes > SEGMENT_BYTES) {
    return { cause: 'over-size', numbers };
  }
  if (joined !== null && decisiveKinds.has(joined.kind)) {
    return { cause: judgeLine(joined), numbers };
  }
  if (isOutOfReach(analysis, row)) {
    return { cause: 'address-limit', numbers };
  }
  const cause = judgeByState(analysis, row, numbers, facts, joined);
  const modelled = cause === 'unknown' && replay !== null ? modelledVerdict(row, replay, numbers) : null;
  return modelled ?? { cause, numbers: consistent(analysis, cause, numbers) };
}

/** A hole that would have been enough proves that unseen mappings lay in it: its size is no finding then. */
function consistent(analysis: Analysis, cause: Cause, numbers: FailureNumbers): FailureNumbers {
  if (analysis.geometry.dynamic.value) {
    return { ...numbers, transientTried: true };
  }
  return cause === 'fragmented' && numbers.largestHole >= numbers.neededSlots
    ? { ...numbers, largestHole: -1 }
    : numbers;
}

function numbersOfRequest(
  analysis: Analysis,
  row: number,
  joined: LogRecord | null,
  facts: FailureFacts | undefined,
): FailureNumbers {
  const sizeBytes = requestPaddedBytes(analysis, row);
  const neededSlots = Math.max(1, Math.ceil(sizeBytes / SLOT_BYTES));
  if (joined !== null && joined.totalSlots >= 0) {
    const printed = numbersOfLine(joined);
    // Mappings the trace does not show hold slots too: then the largest hole by the recorded addresses is too large.
    const complete = facts !== undefined && facts.usedSlots >= printed.usedSlots;
    const proves = facts !== undefined && facts.largestHole >= 0 && (complete || facts.largestHole < neededSlots);
    return {
      ...printed,
      alone: false,
      sizeBytes,
      neededSlots,
      largestHole: proves ? facts.largestHole : -1,
      holeAtMost: !complete,
    };
  }
  if (facts === undefined || facts.totalSlots < 0 || facts.usedSlots > facts.totalSlots) {
    return { sizeBytes, neededSlots, totalSlots: -1, usedSlots: -1, largestHole: -1, level: 'derived' };
  }
  return {
    sizeBytes,
    neededSlots,
    totalSlots: facts.totalSlots,
    usedSlots: Math.min(facts.totalSlots, facts.usedSlots + slotsOfEarlierElements(analysis, row)),
    // A hole that would have been enough shows that mappings are unseen, so its size proves nothing.
    largestHole: facts.placeable ? -1 : facts.largestHole,
    level: 'derived',
  };
}

/** Every pool lies above the device's mask, or the mapping never reached the bounce buffers although they are traced. */
function isOutOfReach(analysis: Analysis, row: number): boolean {
  const { tables, geometry } = analysis;
  const { columns } = tables.requests;
  const bits = tables.devices[columns.device[row]]?.dmaMaskBits ?? -1;
  const pools = geometry.pools.filter((pool) => pool.slots.value > 0 && Number.isFinite(pool.start.value));
  if (bits > 0 && bits < 64 && pools.length > 0 && !geometry.dynamic.value) {
    return pools.every((pool) => pool.start.value >= 2 ** bits);
  }
  return false;
}

function modelledVerdict(row: number, replay: ReplayResult, numbers: FailureNumbers): Verdict | null {
  const { requests } = replay;
  if (requests.outcome[row] !== ReplayOutcome.failed) {
    return null;
  }
  const cause = causes[requests.cause[row]];
  if (cause === undefined || cause === 'unknown') {
    return null;
  }
  const hole = requests.largestHole[row];
  if (numbers.totalSlots >= 0 && numbers.level === 'recorded') {
    return { cause, numbers: { ...numbers, largestHole: numbers.largestHole >= 0 ? numbers.largestHole : hole } };
  }
  const free = requests.freeSlots[row];
  const capacity = replay.capacityPeakSlots;
  if (free < 0 || capacity < free) {
    return { cause, numbers: { ...numbers, largestHole: hole >= 0 ? hole : numbers.largestHole } };
  }
  return {
    cause,
    numbers: { ...numbers, totalSlots: capacity, usedSlots: capacity - free, largestHole: hole, level: 'modelled' },
  };
}

/** Without a model: counting free slots and runs, and what must then have gone wrong in a dynamic kernel. */
function judgeByState(
  analysis: Analysis,
  row: number,
  numbers: FailureNumbers,
  facts: FailureFacts | undefined,
  joined: LogRecord | null,
): Cause {
  if (analysis.geometry.dynamic.value && numbers.totalSlots > 0) {
    // Every pool was searched in vain and a pool of just that size cannot serve it: only an earlier growth could have.
    return transientPoolCannotMatch(analysis, row) ? 'growth-too-late' : 'allocation-failed';
  }
  if (numbers.totalSlots === 0) {
    return 'no-pool';
  }
  if (numbers.totalSlots > 0 && numbers.totalSlots - numbers.usedSlots < numbers.neededSlots) {
    return 'pool-full';
  }
  if (facts !== undefined && facts.totalSlots > 0) {
    if (facts.largestHole < numbers.neededSlots) {
      return 'fragmented';
    }
    if (facts.misaligned && facts.usedSlots >= numbers.usedSlots) {
      return 'alignment';
    }
    // The earlier elements of the list lay somewhere in the room that the recorded addresses show.
    if (slotsOfEarlierElements(analysis, row) > 0) {
      return 'fragmented';
    }
  }
  return joined === null ? 'unknown' : judgeLine(joined);
}

/**
 * Slots of the elements of the same scatterlist that were served before this one failed. They were given back at once
 * and no event names their addresses, but while this element was searched for they were taken.
 */
function slotsOfEarlierElements(analysis: Analysis, row: number): number {
  const { columns } = analysis.tables.requests;
  const group = columns.sgGroup[row];
  let slots = 0;
  for (let other = group; group >= 0 && other < row; other++) {
    const isEarlier = columns.sgGroup[other] === group && columns.outcome[other] === Outcome.rolledBack;
    if (isEarlier && Number.isNaN(columns.recordedBounce[other])) {
      slots += Math.ceil(requestPaddedBytes(analysis, other) / SLOT_BYTES);
    }
  }
  return slots;
}

/**
 * In a dynamic kernel a request fails only when its transient pool fails too. That pool has exactly the slots needed
 * and a naturally aligned base, so a buffer whose offset reaches into the bits from 2 KiB up never fits (allocator.md 6.2).
 */
function transientPoolCannotMatch(analysis: Analysis, row: number): boolean {
  const { columns } = analysis.tables.requests;
  const original = columns.original[row];
  if (Number.isNaN(original)) {
    return false;
  }
  const highBits = minAlignMaskOf(analysis.geometry, columns.device[row]) & ~(SLOT_BYTES - 1);
  return ((original % 4294967296) & highBits) !== 0;
}
