import { low32 } from '../base/address';
import { type Known, known } from '../model/evidence';
import type { Geometry } from '../model/geometry';
import { EvidenceBit, Pairing, type TraceTables } from '../model/tables';
import { verify } from '../replay/verify/verify';

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

/** Masks (contiguous low bits, smallest first) that the recorded addresses leave possible. */
export function candidateMasks(evidence: AlignmentEvidence): number[] {
  const refuted = (bit: number): boolean => evidence.against[bit] * 1000 > evidence.agree[bit];
  let required = 0;
  for (let bit = 0; bit < SLOT_BITS; bit++) {
    if (evidence.agree[bit] > 0 && !refuted(bit)) {
      required = 2 ** (bit + 1) - 1;
    }
  }
  const masks: number[] = [];
  for (let bits = 0; bits < MASK_BITS; bits++) {
    if (bits > 0 && refuted(bits - 1)) {
      break;
    }
    masks.push(2 ** bits - 1);
  }
  const left = masks.filter((mask) => mask >= required);
  return left.length > 0 ? left : [masks[masks.length - 1]];
}

/** Devices whose masks are tried on the model: the busiest ones. */
const MAX_TRIED_DEVICES = 12;
/** Requests of the first trial; ties are tried on four times as many until all are in or the limit is reached. */
const FIRST_TRIAL = 4096;
const LAST_TRIAL = 65536;

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
      open.push({ device: device.device, name: device.name, candidates, requests: entry.requests });
    }
  }
  if (geometry.pools.length === 0) {
    return settled;
  }
  open.sort((a, b) => b.requests - a.requests);
  open.length = Math.min(open.length, MAX_TRIED_DEVICES);
  let rows = FIRST_TRIAL;
  let left = open;
  while (left.length > 0) {
    left = tryMasks(tables, geometry, left, settled, rows);
    if (rows >= tables.requests.length || rows >= LAST_TRIAL) {
      break;
    }
    rows *= 4;
  }
  return settled;
}

interface OpenDevice {
  readonly device: number;
  readonly name: string;
  candidates: number[];
  readonly requests: number;
}

/** Tries every candidate of every open device on the first rows; returns the devices whose masks still tie. */
function tryMasks(
  tables: TraceTables,
  geometry: Geometry,
  open: readonly OpenDevice[],
  settled: Map<number, Known<number>>,
  rows: number,
): OpenDevice[] {
  const score = (device: number, mask: number): number => {
    const devices = geometry.devices.map((entry) => {
      const value = entry.device === device ? mask : (settled.get(entry.device)?.value ?? entry.minAlignMask.value);
      return { ...entry, minAlignMask: { ...entry.minAlignMask, value } };
    });
    const result = verify(tables, { ...geometry, devices }, { maxRequests: rows });
    return result.exact - result.mismatchedCount - 0.5 * result.learned;
  };
  const tied: OpenDevice[] = [];
  // Masks of other devices matter a little: a wrong one moves the areas' indices. Two rounds settle that.
  for (const round of [1, 2]) {
    tied.length = 0;
    for (const entry of open) {
      const scores = entry.candidates.map((mask) => score(entry.device, mask));
      const best = Math.max(...scores);
      const winners = entry.candidates.filter((_, index) => scores[index] === best);
      const sole = winners.length === 1;
      settled.set(entry.device, sole ? fromModel(winners[0], entry) : fromTie(winners));
      if (round === 2 && !sole) {
        entry.candidates = winners;
        tied.push(entry);
      }
    }
    if (open.length === 1 && round === 1) {
      const only = open[0];
      return settled.get(only.device)?.evidence.level === 'assumed' ? [only] : [];
    }
  }
  return tied;
}

function fromBits(candidates: readonly number[], requests: number): Known<number> {
  if (candidates.length === 1) {
    return known(
      candidates[0],
      'derived',
      `The low bits of ${requests} bounce addresses allow only ${hex(candidates[0])}.`,
    );
  }
  return fromTie(candidates);
}

function fromModel(mask: number, entry: OpenDevice): Known<number> {
  const others = entry.candidates.filter((one) => one !== mask).map(hex);
  return known(
    mask,
    'derived',
    `With ${hex(mask)} the model gives more of the recorded addresses than with ${others.join(', ')}.`,
  );
}

function fromTie(masks: readonly number[]): Known<number> {
  const range = `${hex(masks[0])} … ${hex(masks[masks.length - 1])}`;
  return known(masks[0], 'assumed', `undetermined (${range}), no effect on this trace`);
}

function hex(mask: number): string {
  return mask === 0 ? '0' : `0x${mask.toString(16)}`;
}
