import { formatBytes } from '../base/format';
import type { HoverCard, HoverLine } from '../model/reports';
import { EvidenceBit, Outcome } from '../model/tables';
import type { Analysis } from './analysis';
import { type MappingQuery, mappingCard, wholeLine } from './hoverMapping';
import { LineRole } from './lineIndex';

/** Cards of events that neither map nor unmap. */

interface OtherQuery extends MappingQuery {
  readonly source: number;
}

/** The card of a line about coherent memory or about copying in between; null when the line is neither. */
export function otherEventCard(analysis: Analysis, query: OtherQuery): HoverCard | null {
  return coherentCard(query) ?? syncCard(analysis, query);
}

const coherentEvent = /\bdma_(alloc|free)(?:_pages|_sgt)?: .*?\bsize=(\d+)\b/;

function coherentCard(query: OtherQuery): HoverCard | null {
  const event = coherentEvent.exec(query.lineText);
  if (event === null) {
    return null;
  }
  const what = event[1] === 'alloc' ? 'Coherent allocation' : 'Coherent memory freed';
  return {
    range: wholeLine(query),
    verdict: `${what} · ${formatBytes(Number(event[2]))}, never bounced`,
    tone: 'info',
    badge: null,
    lines: [said('derived', 'It takes no slots: only a device with a restricted pool gets such memory from a pool.')],
  };
}

const syncEvent = /\bdma_sync_(single|sg)_for_(cpu|device): .*?\bdir=(\w+) dma_addrs?=\{?(?:0x)?([0-9a-f]+)/;

/** A sync copies as the unmap and the map would: to the CPU what the device wrote, to the device what the CPU wrote. */
function syncCard(analysis: Analysis, query: OtherQuery): HoverCard | null {
  const event = syncEvent.exec(query.lineText);
  const row = event === null ? -1 : mappingOf(analysis, query, Number.parseInt(event[4], 16));
  if (event === null || row < 0) {
    return null;
  }
  const forCpu = event[2] === 'cpu';
  const copies = event[3] === 'BIDIRECTIONAL' || event[3] === (forCpu ? 'FROM_DEVICE' : 'TO_DEVICE');
  const isDirect = (analysis.tables.requests.columns.evidence[row] & EvidenceBit.direct) !== 0;
  const copied = forCpu ? 'copied back to the original buffer' : 'copied into the slots again';
  const effect = isDirect ? 'not bounced: nothing to copy' : copies ? copied : 'nothing to copy in this direction';
  const card = mappingCard(analysis, { row, roles: LineRole.map }, query);
  return {
    ...card,
    verdict: `Synced for the ${forCpu ? 'CPU' : 'device'} · ${effect}`,
    lines: [...(isDirect ? [] : [said('derived', card.verdict)]), ...card.lines],
  };
}

/** The mapping that was alive on a line and has an address inside; -1 when the trace shows none. */
function mappingOf(analysis: Analysis, { source, line }: OtherQuery, address: number): number {
  const { columns, length } = analysis.tables.requests;
  for (let row = length - 1; row >= 0; row--) {
    const start = columns.recordedBounce[row];
    const isInside = start <= address && address < start + Math.max(1, columns.sizeBytes[row]);
    if (
      isInside &&
      columns.source[row] === source &&
      columns.outcome[row] === Outcome.served &&
      columns.mapLine[row] < line &&
      (columns.unmapLine[row] === 0 || columns.unmapLine[row] > line)
    ) {
      return row;
    }
  }
  return -1;
}

function said(level: HoverLine['level'], text: string): HoverLine {
  return { level, text, links: [] };
}
