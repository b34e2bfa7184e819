import { lowerBound } from '../base/bisect';
import type { Analysis } from './analysis';
import { type LineEntry, LineRole, lineIndexOf, requestsOnLine } from './lineIndex';

/** So many entries of the index are looked through: the events of one call stand together, those of other CPUs between. */
const nearEntries = 512;

/**
 * The requests a line belongs to, like `requestsOnLine`, and those it only tells of again: a request keeps its best
 * evidence, so where a probe recorded the mapping, the dma event of the same call is no line of it. Such a line is
 * known by what it prints.
 */
export function requestsOfLine(
  analysis: Analysis,
  source: number,
  line: number,
  lineText: string,
): readonly LineEntry[] {
  const entries = requestsOnLine(analysis, source, line);
  return entries.length > 0 ? entries : repeatedOn(analysis, source, line, lineText);
}

interface RepeatedEvent {
  readonly isUnmap: boolean;
  /** The best evidence comes after this line, not before it. */
  readonly isBefore: boolean;
  readonly bounces: ReadonlySet<number>;
  readonly originals: ReadonlySet<number>;
}

const dmaEvent = /\bdma_(un)?map_(?:page|phys|resource|(sg)): \S/;
/** Entry of the function that takes slots; the return, which has the result, follows. */
const searchEntry = /: \(swiotlb_tbl_map_single\+/;
const bounceField = /\b(?:dma_addrs?|tlb|tlb_addr)=(\S+)/;
const originalField = /\b(?:phys_addrs?|orig|orig_addr)=(\S+)/;

function repeatedOn(analysis: Analysis, source: number, line: number, lineText: string): readonly LineEntry[] {
  const event = eventOf(lineText);
  if (event === null) {
    return [];
  }
  const index = lineIndexOf(analysis, source);
  const { columns } = analysis.tables.requests;
  const wantedRoles = event.isUnmap ? LineRole.unmap | LineRole.unmapExit : LineRole.enter | LineRole.map;
  const wanted = Math.max(1, event.originals.size, event.bounces.size);
  const rows = new Set<number>();
  const step = event.isBefore ? 1 : -1;
  let at = lowerBound(index.lines, line) - (event.isBefore ? 0 : 1);
  for (
    let seen = 0;
    seen < nearEntries && at >= 0 && at < index.rows.length && rows.size < wanted;
    seen++, at += step
  ) {
    const row = index.rows[at];
    if (
      (index.roles[at] & wantedRoles) === 0 ||
      !lineText.includes(analysis.tables.devices[columns.device[row]]?.name ?? '')
    ) {
      continue;
    }
    const bounce = columns.recordedBounce[row];
    const isBounce = event.bounces.size === 0 || Number.isNaN(bounce) || event.bounces.has(bounce);
    const isOriginal = event.originals.size === 0 || event.originals.has(columns.original[row]);
    if (isBounce && isOriginal) {
      rows.add(row);
    }
  }
  const roles = event.isUnmap ? LineRole.unmap : LineRole.map;
  return [...rows].sort((a, b) => a - b).map((row) => ({ row, roles }));
}

function eventOf(lineText: string): RepeatedEvent | null {
  const event = dmaEvent.exec(lineText);
  if (event === null && !searchEntry.test(lineText)) {
    return null;
  }
  const isUnmap = event?.[1] !== undefined;
  const bounces = addresses(bounceField.exec(lineText)?.[1]);
  const originals = addresses(originalField.exec(lineText)?.[1]);
  return bounces.size + originals.size === 0
    ? null
    : // The kernel prints dma_unmap_sg before it gives the slots back, the other events after the call.
      { isUnmap, isBefore: isUnmap && event?.[2] !== undefined, bounces, originals };
}

/** Numbers of `7cb77000`, `0x7cb77000` or `{0x1000,0x2000}`; all ones is the mark of a failure, not an address. */
function addresses(text: string | undefined): ReadonlySet<number> {
  const found = (text ?? '').match(/[0-9a-f]{4,}(?![x0-9a-f])/g) ?? [];
  return new Set(found.filter((digits) => !/^f{16}$/.test(digits)).map((digits) => Number.parseInt(digits, 16)));
}
