import type { GenerationRules } from '../../allocator/search/rules';
import type { PoolSpec } from '../../allocator/types';
import { low32 } from '../../base/address';
import { EvidenceBit } from '../../model/tables';
import { type Bytes, SEGMENT_SLOTS, SLOT_BYTES, SLOT_SHIFT, type Slots } from '../../model/units';
import { createPaddedRequest, type MapArguments, padRequest } from './paddedRequest';

/** A mapping in a listed pool whose alloc_align_mask no line prints. */
export interface Unprinted {
  /** Its place among `placed`. */
  readonly at: number;
  readonly given: MapArguments;
  /** Slot of the bounce address. */
  readonly addressSlot: number;
}

/** A mapping at a recorded place, in the order of the results. */
export interface Placed {
  readonly pool: number;
  readonly area: number;
  first: number;
  slots: Slots;
  readonly given: MapArguments;
  /** Lines of the result and of the release; Infinity when it is never released. */
  readonly mapLine: number;
  readonly unmapLine: number;
}

/** Consecutive slots of a pool; `end` is the one after the last. */
export interface SlotRun {
  readonly first: number;
  readonly end: number;
}

/** What the places around a mapping say of its alloc_align_mask. */
export interface Settled {
  readonly mask: number;
  /** Every slot that one of the possible masks takes. */
  readonly widest: SlotRun;
  /** The slots that all of them take. */
  readonly narrowest: SlotRun;
  readonly candidates: readonly Candidate[];
}

export interface Candidate {
  readonly mask: number;
  readonly first: number;
  readonly slots: Slots;
  /** How badly the places around speak against it. */
  cost: number;
}

/**
 * The row's alloc_align_mask is not known: only a probe that does not print it saw the call. What comes through
 * swiotlb_map prints swiotlb_bounced and has none; swiotlb_tbl_map_single is also called directly, with a mask.
 */
export function isAlignUnprinted(evidence: number): boolean {
  const probes = EvidenceBit.probeEnter | EvidenceBit.probeReturn;
  const others = EvidenceBit.bounced | EvidenceBit.dmaMap | EvidenceBit.alignPrinted;
  return (evidence & probes) !== 0 && (evidence & others) === 0;
}

/**
 * Settles unknown alloc_align_masks from the places around a mapping: the run a mask implies must be aligned, may not
 * overlap runs that are held, is what the search finds from the end of the area's previous mapping (next fit), and
 * its end is where the search for the next one begins. Each mapping is decided when the next one of its area is seen.
 * Masks tried: none, one slot, one page.
 *
 * @returns by place in `placed`, whose `first` and `slots` are set to match.
 */
export function settleAlignments(
  unprinted: readonly Unprinted[],
  placed: readonly Placed[],
  pools: readonly PoolSpec[],
  rules: GenerationRules,
  pageSize: Bytes,
): Map<number, Settled> {
  const options = new Map<number, Candidate[]>();
  for (const one of unprinted) {
    options.set(one.at, candidates(one, pools[placed[one.at].pool], rules, pageSize));
  }
  const masks = new Map<number, Settled>();
  const owners = pools.map((pool) => new Int32Array(pool.slots).fill(-1));
  const pending = new Map<number, Undecided>();
  const decide = ({ at, left }: Undecided): Candidate => {
    const choice = left.reduce((best, candidate) => (candidate.cost < best.cost ? candidate : best));
    placed[at].first = choice.first;
    placed[at].slots = choice.slots;
    if (options.has(at)) {
      const firsts = left.map((candidate) => candidate.first);
      const ends = left.map((candidate) => candidate.first + candidate.slots);
      masks.set(at, {
        mask: choice.mask,
        widest: { first: Math.min(...firsts), end: Math.max(...ends) },
        narrowest: { first: Math.max(...firsts), end: Math.min(...ends) },
        candidates: left,
      });
    }
    owners[placed[at].pool].fill(at, choice.first, choice.first + choice.slots);
    return choice;
  };
  placed.forEach((one, at) => {
    const pool = pools[one.pool];
    const areaSlots = pool.slots / pool.areas;
    const site: Site = {
      pool,
      owner: owners[one.pool],
      placed,
      line: one.mapLine,
      area: one.area,
      areaSlots,
      pageSize,
    };
    const own = options.get(at) ?? [];
    const left =
      own.length > 0 ? own : [{ mask: one.given.allocAlignMask, first: one.first, slots: one.slots, cost: 0 }];
    const area = one.pool * MAX_AREAS + one.area;
    const before = pending.get(area);
    if (before !== undefined && (before.left.length > 1 || left.length > 1)) {
      for (const theirs of before.left) {
        const gone = placed[before.at].unmapLine <= one.mapLine;
        theirs.cost += Math.min(...left.map((mine) => transition(site, theirs, gone, mine, one.given)));
      }
      const chosen = decide(before);
      for (const mine of left) {
        mine.cost += transition(site, chosen, placed[before.at].unmapLine <= one.mapLine, mine, one.given);
      }
    } else if (before !== undefined) {
      decide(before);
    }
    pending.set(area, { at, left });
  });
  for (const undecided of pending.values()) {
    decide(undecided);
  }
  return masks;
}

const MAX_AREAS = 4096;
/** Steps of a search before it says nothing either way. */
const SEARCH_STEPS = 512;
/** A rarer mask must be worth it. */
const MASK_COST = 0.01;

interface Undecided {
  readonly at: number;
  readonly left: readonly Candidate[];
}

/** Where and when a mapping is placed. */
interface Site {
  readonly pool: PoolSpec;
  /** Last mapping placed in each slot, as far as decided. */
  readonly owner: Int32Array;
  readonly placed: readonly Placed[];
  readonly line: number;
  readonly area: number;
  readonly areaSlots: Slots;
  readonly pageSize: Bytes;
}

/** 0 when a search from the end of `before` finds `mine`, 1 when it finds another place, between when it cannot tell. */
function transition(site: Site, before: Candidate, gone: boolean, mine: Candidate, given: MapArguments): number {
  const { owner, placed, line, area, areaSlots } = site;
  const base = area * areaSlots;
  const isFree = (slot: number): boolean => {
    const at = owner[slot];
    const mineHeld = !gone && before.first <= slot && slot < before.first + before.slots;
    // Records that make no sense may point outside of the pool.
    return !mineHeld && slot >= 0 && slot < owner.length && (at < 0 || placed[at].unmapLine <= line);
  };
  let slot = before.first + before.slots - base;
  for (let step = 0; step < Math.min(areaSlots, SEARCH_STEPS); step++, slot++) {
    const candidate = base + (slot >= areaSlots ? (slot -= areaSlots) : slot);
    if (!fits(candidate, mine.mask, given, site.pool, site.pageSize)) {
      continue;
    }
    let run = 0;
    while (run < mine.slots && (run === 0 || (candidate + run) % SEGMENT_SLOTS !== 0) && isFree(candidate + run)) {
      run++;
    }
    if (run === mine.slots) {
      return candidate === mine.first ? 0 : 1;
    }
  }
  return 0.5;
}

/** The masks under which the recorded address is possible at all, smallest first, each with the run it implies. */
function candidates(
  { given, addressSlot }: Unprinted,
  pool: PoolSpec,
  rules: GenerationRules,
  pageSize: Bytes,
): Candidate[] {
  const found: Candidate[] = [];
  const padded = createPaddedRequest();
  for (const mask of [0, SLOT_BYTES - 1, pageSize - 1]) {
    const request = padRequest(padded, rules, { ...given, allocAlignMask: mask });
    const first = addressSlot - request.pad;
    const slots = request.slots;
    if (first >= 0 && (first % SEGMENT_SLOTS) + slots <= SEGMENT_SLOTS && fits(first, mask, given, pool, pageSize)) {
      found.push({ mask, first, slots, cost: mask > 0 ? MASK_COST : 0 });
    }
  }
  return found;
}

/** Whether a run may begin at a slot (allocator.md 4: the tests of a candidate). */
function fits(slot: number, mask: number, given: MapArguments, pool: PoolSpec, pageSize: Bytes): boolean {
  const wholePage = mask === 0 && given.minAlignMask === 0 && given.sizeBytes >= pageSize;
  const aligned = ((wholePage ? pageSize - 1 : mask) | (SLOT_BYTES - 1)) >>> 0;
  const kept = (given.minAlignMask & ~aligned) >>> 0;
  const address = low32(pool.start + slot * 2 ** SLOT_SHIFT);
  return (address & aligned) === 0 && (given.original === 0 || ((address ^ low32(given.original)) & kept) === 0);
}
