import { low32 } from '../base/address';
import { type Known, known } from '../model/evidence';
import type { Geometry } from '../model/geometry';
import { EvidenceBit, Pairing, type TraceTables } from '../model/tables';
import { plausibility, verify } from '../replay/verify/verify';

/** Bits 0 to 17: a mask of a segment and more would leave no slot to choose from. */
const MASK_BITS = 18;
/** Bits of an address inside a slot. */
const SLOT_BITS = 11;

/** What the recorded addresses of one device say about each low bit of its min_align_mask. */
export interface AlignmentEvidence {
  /** Requests whose bounce address repeats the bit of the original address. */
  readonly agree: Uint32Array;
  /** Requests that contradict the bit. */
  readonly against: Uint32Array;
  requests: number;
}

/**
 * Per device and bit: for and against. Below 2 KiB only requests whose original address has the bit say anything,
 * since a slot begins with these bits clear. From 2 KiB up a difference speaks against the bit; agreement may come from
 * the page alignment of larger requests or from chance, and is settled by the model.
 */
export function alignmentEvidence(tables: TraceTables): AlignmentEvidence[] {
  const found: AlignmentEvidence[] = tables.devices.map(() => ({
    agree: new Uint32Array(MASK_BITS),
    against: new Uint32Array(MASK_BITS),
    requests: 0,
  }));
  const { device, original, recordedBounce, evidence, pairing } = tables.requests.columns;
  for (let row = 0; row < tables.requests.length; row++) {
    const from = original[row];
    const to = recordedBounce[row];
    const entry = found[device[row]];
    if (
      entry === undefined ||
      (evidence[row] & EvidenceBit.direct) !== 0 ||
      pairing[row] === Pairing.unseenMap ||
      Number.isNaN(from) ||
      Number.isNaN(to)
    ) {
      continue;
    }
    entry.requests++;
    const wanted = low32(from);
    const differs = wanted ^ low32(to);
    for (let bit = 0; bit < MASK_BITS; bit++) {
      if (bit < SLOT_BITS && ((wanted >>> bit) & 1) === 0) {
        continue;
      }
      if (((differs >>> bit) & 1) === 0) {
        entry.agree[bit]++;
      } else {
        entry.against[bit]++;
      }
    }
  }
  return found;
}

/** Masks that no recorded address tells apart: from the smallest to the largest; the model behaves the same for all. */
export interface MaskRange {
  readonly low: number;
  readonly high: number;
}

/**
 * Contiguous masks that the recorded addresses leave possible, smallest first. Masks inside a slot differ only in the
 * bits they keep, which the addresses show or nobody needs: those from 1 to 0x7ff make one range.
 */
export function candidateMasks(evidence: AlignmentEvidence): MaskRange[] {
  const refuted = (bit: number): boolean => evidence.against[bit] * 1000 > evidence.agree[bit];
  let low = 0;
  let high = 0;
  for (let bit = 0; bit < SLOT_BITS && !refuted(bit); bit++) {
    high = 2 ** (bit + 1) - 1;
    if (evidence.agree[bit] > 0) {
      low = high;
    }
  }
  const found: MaskRange[] = low === 0 ? [{ low: 0, high: 0 }] : [];
  if (high > 0) {
    found.push({ low: Math.max(1, low), high });
  }
  for (let bit = SLOT_BITS; bit < MASK_BITS && high >= 2 ** SLOT_BITS - 1 && !refuted(bit); bit++) {
    found.push({ low: 2 ** (bit + 1) - 1, high: 2 ** (bit + 1) - 1 });
  }
  return found;
}

/** Devices whose masks are tried on the model: the busiest ones. */
const MAX_TRIED_DEVICES = 12;
/** Requests of one trial, around requests that tell the masks apart. */
const WINDOW_ROWS = 1024;
/** A mask that gives so many wrong places more than the best one so far is out. */
const HOPELESS = 20;
/** A lead of so few places is no decision while another window can be tried. */
const CLOSE = 3;
/** Windows tried per device and round: at the first, the last and further telling requests. */
const MAX_WINDOWS = 4;

/**
 * Settles the masks that the bits leave open: the one under which the model places most requests exactly.
 * Returns the devices' masks, by row of the device table.
 */
export function settleMasks(
  tables: TraceTables,
  geometry: Geometry,
  evidence: readonly AlignmentEvidence[],
): ReadonlyMap<number, Known<number>> {
  const settled = new Map<number, Known<number>>();
  const open: OpenDevice[] = [];
  for (const device of geometry.devices) {
    const entry = evidence[device.device];
    if (device.minAlignMask.evidence.level === 'user' || entry === undefined || entry.requests === 0) {
      continue;
    }
    const candidates = candidateMasks(entry);
    settled.set(device.device, fromBits(candidates, entry.requests));
    if (candidates.length > 1) {
      open.push({ device: device.device, candidates, requests: entry.requests });
    }
  }
  if (geometry.pools.length === 0) {
    return settled;
  }
  open.sort((a, b) => b.requests - a.requests);
  open.length = Math.min(open.length, MAX_TRIED_DEVICES);
  // Masks of other devices matter a little, as a wrong one moves the areas' indices: a second round settles that.
  for (let round = open.length > 1 ? 0 : 1; round < 2; round++) {
    for (const entry of open) {
      const winners = contest(tables, geometry, entry, settled);
      const driver = tables.devices[entry.device]?.driver ?? '';
      settled.set(entry.device, winners.length === 1 ? fromModel(winners[0], entry) : fromTie(winners, driver));
    }
  }
  return settled;
}

interface OpenDevice {
  readonly device: number;
  readonly candidates: readonly MaskRange[];
  readonly requests: number;
}

/** Tries the candidates of one device on windows of the trace; several are left when nothing tells them apart. */
function contest(
  tables: TraceTables,
  geometry: Geometry,
  entry: OpenDevice,
  settled: ReadonlyMap<number, Known<number>>,
): MaskRange[] {
  let left = [...entry.candidates];
  const scores = new Map(left.map((candidate) => [candidate, 0]));
  for (let window = 0; window < MAX_WINDOWS && left.length > 1; window++) {
    const row = tellingRow(tables, geometry, entry.device, left, window);
    if (row < 0) {
      break;
    }
    const from = Math.max(0, row - WINDOW_ROWS / 4);
    let fewest = Number.POSITIVE_INFINITY;
    for (const candidate of left) {
      const devices = geometry.devices.map((other) => {
        const value =
          other.device === entry.device
            ? candidate.low
            : (settled.get(other.device)?.value ?? other.minAlignMask.value);
        return { ...other, minAlignMask: { ...other.minAlignMask, value } };
      });
      const result = verify(
        tables,
        { ...geometry, devices },
        {
          rows: { from, to: from + WINDOW_ROWS },
          stopAfterMismatches: fewest + HOPELESS,
          maxConfigurations: 8,
          maxNodes: 500,
        },
      );
      fewest = Math.min(fewest, result.mismatchedCount);
      scores.set(candidate, (scores.get(candidate) ?? 0) + plausibility(result));
    }
    const best = Math.max(...left.map((candidate) => scores.get(candidate) ?? 0));
    left = left.filter((candidate) => (scores.get(candidate) ?? 0) >= best - CLOSE);
  }
  const best = Math.max(...left.map((candidate) => scores.get(candidate) ?? 0));
  return left.filter((candidate) => (scores.get(candidate) ?? 0) === best);
}

/**
 * A request that the candidate masks treat differently: for window 0 the first, for window 1 the last, then ones in
 * between; -1 when there is none (or no further one).
 */
function tellingRow(
  tables: TraceTables,
  geometry: Geometry,
  device: number,
  candidates: readonly MaskRange[],
  window: number,
): number {
  const columns = tables.requests.columns;
  const pageSize = geometry.pageSize.value;
  const rows = tables.requests.length;
  const tells = (row: number): boolean => {
    if (
      columns.device[row] !== device ||
      (columns.evidence[row] & EvidenceBit.direct) !== 0 ||
      Number.isNaN(columns.recordedBounce[row])
    ) {
      return false;
    }
    const first = ruleOf(candidates[0].low, columns.original[row], columns.sizeBytes[row], pageSize);
    for (let at = 1; at < candidates.length; at++) {
      if (ruleOf(candidates[at].low, columns.original[row], columns.sizeBytes[row], pageSize) !== first) {
        return true;
      }
    }
    return false;
  };
  if (window === 1) {
    for (let row = rows - 1; row >= 0; row--) {
      if (tells(row)) {
        return row;
      }
    }
    return -1;
  }
  for (let row = Math.floor((rows * Math.max(0, window - 1)) / MAX_WINDOWS); row < rows; row++) {
    if (tells(row)) {
      return row;
    }
  }
  return -1;
}

/** Which slots a search would accept, as one number: the bits it compares and what they must be. */
function ruleOf(mask: number, original: number, sizeBytes: number, pageSize: number): number {
  const page = mask === 0 && sizeBytes >= pageSize ? pageSize - 1 : 0;
  const tested = (page | mask) >>> SLOT_BITS;
  const wanted = page > 0 ? 0 : (low32(original) & mask) >>> SLOT_BITS;
  return tested * 2 ** 21 + wanted;
}

function fromBits(candidates: readonly MaskRange[], requests: number): Known<number> {
  const [only] = candidates;
  if (candidates.length > 1 || only.low !== only.high) {
    return fromTie(candidates);
  }
  return known(only.low, 'derived', `The low bits of ${requests} bounce addresses allow only ${hex(only.low)}.`);
}

function fromModel(winner: MaskRange, entry: OpenDevice): Known<number> {
  const others = entry.candidates.filter((one) => one !== winner).map((one) => hex(one.low));
  const range = winner.low === winner.high ? hex(winner.low) : `${hex(winner.low)} … ${hex(winner.high)}`;
  return known(
    winner.low,
    'derived',
    `With ${range} the model gives more of the recorded addresses than with ${others.join(', ')}.`,
  );
}

/** Of masks that tie the smallest, or the one that the driver is known to set. */
function fromTie(candidates: readonly MaskRange[], driver = ''): Known<number> {
  const range = `${hex(candidates[0].low)} … ${hex(candidates[candidates.length - 1].high)}`;
  const text = `undetermined (${range}), no effect on this trace`;
  const usual = driverMasks[driver];
  if (usual !== undefined && candidates.some(({ low, high }) => usual >= low && usual <= high)) {
    return known(usual, 'assumed', `${text}; the ${driver} driver sets ${hex(usual)}`);
  }
  return known(candidates[0].low, 'assumed', text);
}

/** dma_set_min_align_mask of drivers that set one for every device (nvme: NVME_CTRL_PAGE_SIZE - 1). */
const driverMasks: Readonly<Record<string, number>> = { nvme: 0xfff };

function hex(mask: number): string {
  return mask === 0 ? '0' : `0x${mask.toString(16)}`;
}
