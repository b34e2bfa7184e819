import { EvidenceBit, Outcome, Pairing } from '../model/tables';
import { SLOT_BYTES } from '../model/units';
import type { Analysis } from './analysis';
import { requestPaddedBytes } from './occupancy';

/** A device whose count of held mappings only grows. */
export interface LeakSuspicion {
  /** Row of the device table. */
  readonly device: number;
  /** Mappings still open at the end of the trace. */
  readonly open: number;
  /** Bounce slots they hold; 0 when they are direct mappings. */
  readonly openSlots: number;
  readonly mapped: number;
  readonly source: number;
  /** Line of the oldest mapping that is still open. */
  readonly firstLine: number;
}

/** Without its start a trace does not show what new mappings replace: a receive ring looks like a leak until it is full. */
const smallestLeakWithoutStart = 4096;

/** The span of a device's maps is cut into so many equal parts. */
const parts = 8;
/** A queue that is busy at the end leaves open mappings in the last part, a receive ring also in the first. */
const partsThatMustGrow = 6;
const smallestLeak = 16;

const cache = new WeakMap<Analysis, readonly LeakSuspicion[]>();

/**
 * Devices that map and do not unmap: their open mappings are spread over the whole trace, not only its beginning
 * (a receive ring) or its end (requests in flight). Needs unmap evidence; with lost events an unmap may simply be missing.
 */
export function suspectedLeaks(analysis: Analysis): readonly LeakSuspicion[] {
  let leaks = cache.get(analysis);
  if (leaks === undefined) {
    leaks = findLeaks(analysis);
    cache.set(analysis, leaks);
  }
  return leaks;
}

interface DeviceSpan {
  readonly device: number;
  readonly source: number;
  firstLine: number;
  lastLine: number;
  mapped: number;
}

function findLeaks(analysis: Analysis): readonly LeakSuspicion[] {
  const { tables } = analysis;
  const unmapEvidence = EvidenceBit.dmaUnmap | EvidenceBit.probeUnmapEnter | EvidenceBit.probeUnmapReturn;
  const lost = analysis.sourceLedgers.some((ledger) => ledger.lostEvents > 0);
  if ((tables.evidence & unmapEvidence) === 0 || lost) {
    return [];
  }
  const spans = new Map<number, DeviceSpan>();
  const { columns, length } = tables.requests;
  for (let row = 0; row < length; row++) {
    if (columns.outcome[row] !== Outcome.served || columns.mapLine[row] === 0) {
      continue;
    }
    const key = columns.source[row] * 65536 + columns.device[row];
    const span = spans.get(key);
    if (span === undefined) {
      spans.set(key, {
        device: columns.device[row],
        source: columns.source[row],
        firstLine: columns.mapLine[row],
        lastLine: columns.mapLine[row],
        mapped: 1,
      });
    } else {
      span.lastLine = Math.max(span.lastLine, columns.mapLine[row]);
      span.mapped++;
    }
  }
  return measureOpen(analysis, spans);
}

interface OpenMappings {
  /** Mappings made in a part that are never unmapped. */
  readonly counts: Int32Array;
  /** Mappings from before the trace that end in a part. */
  readonly replaced: Int32Array;
  slots: number;
  firstLine: number;
  total: number;
}

function measureOpen(analysis: Analysis, spans: ReadonlyMap<number, DeviceSpan>): readonly LeakSuspicion[] {
  const { columns, length } = analysis.tables.requests;
  const openByPart = new Map<number, OpenMappings>();
  for (let row = 0; row < length; row++) {
    const key = columns.source[row] * 65536 + columns.device[row];
    const span = spans.get(key);
    if (span === undefined || columns.outcome[row] !== Outcome.served) {
      continue;
    }
    let open = openByPart.get(key);
    if (open === undefined) {
      open = { counts: new Int32Array(parts), replaced: new Int32Array(parts), slots: 0, firstLine: 0, total: 0 };
      openByPart.set(key, open);
    }
    const partOf = (line: number) =>
      Math.max(
        0,
        Math.min(parts - 1, Math.floor(((line - span.firstLine) * parts) / (span.lastLine - span.firstLine + 1))),
      );
    if (columns.pairing[row] === Pairing.unseenMap) {
      open.replaced[partOf(columns.unmapLine[row])]++;
    }
    // The kernel drops dma_unmap_sg events of very long lists, so their ends are not seen even when they happen.
    if (columns.pairing[row] !== Pairing.open || columns.mapLine[row] === 0 || columns.sgCount[row] >= 128) {
      continue;
    }
    open.firstLine ||= columns.mapLine[row];
    open.total++;
    open.counts[partOf(columns.mapLine[row])]++;
    if ((columns.evidence[row] & EvidenceBit.direct) === 0) {
      open.slots += Math.ceil(requestPaddedBytes(analysis, row) / SLOT_BYTES);
    }
  }
  const smallest = analysis.sourceLedgers.some((ledger) => ledger.overwritten > 0)
    ? smallestLeakWithoutStart
    : smallestLeak;
  const leaks: LeakSuspicion[] = [];
  for (const [key, open] of openByPart) {
    const span = spans.get(key);
    // A receive ring gives one old mapping back for each new one it keeps.
    const grown = open.counts.map((count, part) => count - open.replaced[part]);
    const before = grown.subarray(0, parts - 1);
    const growing = before.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0);
    const old = before.reduce((sum, count) => sum + count, 0);
    if (span !== undefined && growing >= partsThatMustGrow && old >= smallest) {
      leaks.push({
        device: span.device,
        open: open.total,
        openSlots: open.slots,
        mapped: span.mapped,
        source: span.source,
        firstLine: open.firstLine,
      });
    }
  }
  return leaks.sort((a, b) => b.openSlots - a.openSlots || b.open - a.open);
}
