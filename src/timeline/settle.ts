import { Direction } from '../model/events';
import {
  type Device,
  EvidenceBit,
  isOriginalDerived,
  Outcome,
  Pairing,
  type RequestTable,
  type TimelineCounts,
} from '../model/tables';
import { SEGMENT_BYTES, SLOT_BYTES } from '../model/units';
import { type DeviceTable, isBusOffset, withoutEncryption } from './devices';
import type { PoolTracker } from './pools';

const saidToBounce =
  EvidenceBit.bounced |
  EvidenceBit.probeEnter |
  EvidenceBit.probeReturn |
  EvidenceBit.probeUnmapEnter |
  EvidenceBit.probeUnmapReturn;

/**
 * Makes addresses physical that were printed before a dma event of their device told how its addresses differ:
 * original addresses with the encryption bit or behind a bus offset (those of failed attempts, which no dma event follows),
 * and bounce addresses behind a bus offset. Done again, it changes nothing.
 */
export function settleAddresses(requests: RequestTable, pools: PoolTracker, devices: DeviceTable): void {
  const { original, recordedBounce, device, evidence } = requests.columns;
  if (!devices.rows.some(({ dmaOffset }) => dmaOffset > 0 || dmaOffset < 0)) {
    return;
  }
  const unsettled = devices.takeUnsettled();
  for (let row = 0; row < requests.length; row++) {
    const { dmaOffset: offset } = devices.rows[device[row]];
    const isBehind = row < unsettled[device[row]] && isOriginalDerived(evidence[row], offset);
    const physical = isBehind ? original[row] - offset : withoutEncryption(original[row], offset);
    if (physical !== original[row] && !Number.isNaN(physical)) {
      original[row] = physical;
      requests.version++;
    }
    const bounce = recordedBounce[row];
    if (isBusOffset(offset) && !pools.contains(bounce) && pools.contains(bounce - offset)) {
      recordedBounce[row] = bounce - offset;
      requests.version++;
    }
  }
}

/** Mappings of which only dma events are known bounced iff their address lies in a known pool. Pools may be named late. */
export function markDirect(requests: RequestTable, pools: PoolTracker, devices: readonly Device[]): void {
  const { evidence, recordedBounce, original, pairing, device } = requests.columns;
  const hasRanges = pools.hasRanges();
  for (let row = 0; row < requests.length; row++) {
    const bits = evidence[row];
    const address = recordedBounce[row];
    if ((bits & saidToBounce) !== 0) {
      // An unmap probe may say so after the map did not.
      if ((bits & EvidenceBit.direct) !== 0) {
        evidence[row] = bits & ~EvidenceBit.direct;
        requests.version++;
      }
      continue;
    }
    if (Number.isNaN(address)) {
      continue;
    }
    // A device that is forced to bounce did so before the trace and where its swiotlb_bounced line is missing, too.
    const isUnseen = pairing[row] === Pairing.unseenMap;
    const isMoved = isUnseen || address !== original[row];
    const isBounced =
      pools.contains(address) ||
      (isMoved && devices[device[row]].forced) ||
      (isUnseen && !hasRanges && pools.isNearBounced(address));
    const wanted = isBounced ? bits & ~EvidenceBit.direct : bits | EvidenceBit.direct;
    if (wanted !== bits) {
      evidence[row] = wanted;
      requests.version++;
    }
  }
}

/**
 * Ends open mappings whose slots another mapping got later: their unmap was lost (kprobes lose hits silently).
 * The same address is seen when it is mapped; this finds other addresses in the same slots.
 */
export function closeOverlapped(requests: RequestTable, sources: readonly SourceFacts[]): void {
  const { evidence, recordedBounce, sizeBytes, pairing, outcome, source, mapLine } = requests.columns;
  /** Slot number to the open row that holds it. */
  const holders = new Map<number, number>();
  for (let row = 0; row < requests.length; row++) {
    const address = recordedBounce[row];
    const isOpen = pairing[row] === Pairing.open && outcome[row] === Outcome.served && sources[source[row]].hasUnmaps;
    if (Number.isNaN(address) || (holders.size === 0 && !isOpen)) {
      continue;
    }
    if (pairing[row] === Pairing.unseenMap || (evidence[row] & EvidenceBit.direct) !== 0) {
      continue;
    }
    const first = Math.floor(address / SLOT_BYTES);
    // No mapping takes more than a segment, with the slot it begins in the middle of.
    const bytes = Math.min(SEGMENT_BYTES + SLOT_BYTES, Math.max(1, sizeBytes[row]));
    const end = Math.ceil((address + bytes) / SLOT_BYTES);
    for (let slot = first; slot < end; slot++) {
      const holder = holders.get(slot);
      if (
        holder !== undefined &&
        pairing[holder] === Pairing.open &&
        source[holder] === source[row] &&
        mapLine[row] > mapLine[holder]
      ) {
        endAtReuse(requests, holder, row);
        holders.delete(slot);
      }
      if (isOpen) {
        holders.set(slot, row);
      }
    }
  }
}

/** The mapping of `row` ended when `by` got its slots: after its own map had returned, before that of `by` did. */
export function endAtReuse(requests: RequestTable, row: number, by: number): void {
  const columns = requests.columns;
  const line = Math.max(columns.mapLine[row], columns.enterLine[by]);
  columns.pairing[row] = Pairing.reused;
  columns.evidence[row] |= EvidenceBit.inferredUnmap;
  columns.unmapEnterNs[row] = Math.max(columns.enterNs[row] + columns.mapDurationNs[row], columns.enterNs[by]);
  columns.unmapDurationNs[row] = Number.isNaN(columns.unmapEnterNs[row]) ? Number.NaN : 0;
  columns.unmapLine[row] = line;
  columns.unmapExitLine[row] = line;
  columns.unmapWhere[row] = 0;
  requests.version++;
}

/**
 * Marks attempts that repeat an earlier one: same device, original address, size and direction, after that one got no
 * slots (or gave them back in a failed list) and with no success between. Rows are in line order.
 */
export function markRetries(requests: RequestTable): number {
  const { device, original, sizeBytes, direction, outcome, retryOf, source, evidence } = requests.columns;
  /** Original address to the newest attempts that failed there. */
  const failed = new Map<number, number[]>();
  let retries = 0;
  for (let row = 0; row < requests.length; row++) {
    const address = original[row];
    const isFailure = outcome[row] === Outcome.failed || outcome[row] === Outcome.rolledBack;
    if ((!isFailure && failed.size === 0) || Number.isNaN(address) || (evidence[row] & EvidenceBit.direct) !== 0) {
      continue;
    }
    const rows = failed.get(address);
    const at =
      rows === undefined
        ? -1
        : rows.findIndex(
            (earlier) =>
              device[earlier] === device[row] &&
              sizeBytes[earlier] === sizeBytes[row] &&
              source[earlier] === source[row] &&
              isSameDirection(direction[earlier], direction[row]) &&
              isSamePlace(requests, earlier, row),
          );
    const wanted = at < 0 ? -1 : (rows as number[])[at];
    if (retryOf[row] !== wanted) {
      retryOf[row] = wanted;
      requests.version++;
    }
    retries += wanted >= 0 ? 1 : 0;
    if (isFailure) {
      if (rows === undefined) {
        failed.set(address, [row]);
      } else if (at >= 0) {
        rows[at] = row;
      } else {
        rows.push(row);
      }
    } else if (at >= 0 && outcome[row] === Outcome.served) {
      (rows as number[]).splice(at, 1);
      if ((rows as number[]).length === 0) {
        failed.delete(address);
      }
    }
  }
  return retries;
}

/**
 * A repeated list has the same elements in the same order. Where it failed, the elements after are not known:
 * the repetition has at least as many when it succeeds.
 */
function isSamePlace(requests: RequestTable, earlier: number, row: number): boolean {
  const { sgGroup, sgIndex, sgCount, outcome } = requests.columns;
  if (sgGroup[earlier] < 0 || sgGroup[row] < 0) {
    return sgGroup[earlier] === sgGroup[row];
  }
  return sgIndex[earlier] === sgIndex[row] && (outcome[row] !== Outcome.served || sgCount[row] >= sgCount[earlier]);
}

/** Failed lists print no direction. */
function isSameDirection(a: number, b: number): boolean {
  return a === b || a === Direction.none || b === Direction.none;
}

export interface SourceFacts {
  readonly hasUnmaps: boolean;
  readonly lastLossLine: number;
  readonly unpairedUnmaps: number;
}

/** Sets `open` or `assumed` by whether the source shows unmaps at all, marks losses, and counts. */
export function countRequests(
  requests: RequestTable,
  sources: readonly SourceFacts[],
  retries: number,
): TimelineCounts {
  const { evidence, outcome, pairing, source, enterLine } = requests.columns;
  const byOutcome = [0, 0, 0, 0];
  let direct = 0;
  let open = 0;
  let unseenMaps = 0;
  let reused = 0;
  let sizeMismatch = 0;
  let inferredUnmaps = 0;
  for (let row = 0; row < requests.length; row++) {
    const bits = evidence[row];
    const result = outcome[row];
    byOutcome[result]++;
    direct += (bits & EvidenceBit.direct) !== 0 ? 1 : 0;
    inferredUnmaps += (bits & EvidenceBit.inferredUnmap) !== 0 && result === Outcome.served ? 1 : 0;
    switch (pairing[row]) {
      case Pairing.open:
      case Pairing.assumed: {
        if (result === Outcome.failed) {
          break;
        }
        open++;
        const { hasUnmaps, lastLossLine } = sources[source[row]];
        const wanted = hasUnmaps ? Pairing.open : Pairing.assumed;
        if (pairing[row] !== wanted) {
          pairing[row] = wanted;
          requests.version++;
        }
        if (lastLossLine > enterLine[row] && (bits & EvidenceBit.nearLoss) === 0) {
          evidence[row] |= EvidenceBit.nearLoss;
          requests.version++;
        }
        break;
      }
      case Pairing.unseenMap:
        unseenMaps++;
        break;
      case Pairing.reused:
        reused++;
        break;
      case Pairing.sizeMismatch:
        sizeMismatch++;
        break;
      default:
    }
  }
  return {
    requests: requests.length,
    bounced: requests.length - direct,
    direct,
    failed: byOutcome[Outcome.failed],
    rolledBack: byOutcome[Outcome.rolledBack],
    unknownOutcome: byOutcome[Outcome.unknown],
    open,
    unseenMaps,
    unpairedUnmaps: sources.reduce((sum, facts) => sum + facts.unpairedUnmaps, 0),
    reused,
    sizeMismatch,
    retries,
    inferredUnmaps,
  };
}
