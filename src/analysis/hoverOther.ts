import { formatHex } from '../base/address';
import { formatBytes, formatCount, formatDuration, formatPercent, formatSlotsAndBytes } from '../base/format';
import type { HoverCard, HoverLine } from '../model/reports';
import { EvidenceBit, Outcome, PoolKind, poolKindNames } from '../model/tables';
import { SLOT_BYTES } from '../model/units';
import type { Analysis } from './analysis';
import { type MappingQuery, mappingCard, wholeLine } from './hoverMapping';
import { LineRole } from './lineIndex';

/** Cards of events that neither map nor unmap. */

interface OtherQuery extends MappingQuery {
  readonly source: number;
}

/** The card of a line about coherent memory, copying in between, a pool or the counters; null when it is none of these. */
export function otherEventCard(analysis: Analysis, query: OtherQuery): HoverCard | null {
  return coherentCard(query) ?? syncCard(analysis, query) ?? poolCard(analysis, query) ?? sampleCard(analysis, query);
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

const workerStart = /: \(swiotlb_dyn_alloc\+/;

function poolName(kind: number): string {
  const name = `${poolKindNames[kind]} pool`;
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** A line on which the kernel adds or removes a pool. */
function poolCard(analysis: Analysis, query: OtherQuery): HoverCard | null {
  const { pools, sources } = analysis.tables;
  const { columns, length } = pools;
  const file = sources[query.source]?.path ?? analysis.file;
  for (let row = 0; row < length; row++) {
    const removed = columns.removedLine[row];
    const added = columns.addedLine[row] || columns.allocLine[row];
    const isAdded = columns.allocLine[row] === query.line || columns.addedLine[row] === query.line;
    // Pools of the boot log have a card of their own.
    const isBoot = columns.kind[row] === PoolKind.boot || columns.kind[row] === PoolKind.restricted;
    if (isBoot || columns.source[row] !== query.source || (!isAdded && removed !== query.line)) {
      continue;
    }
    const lived = columns.removedNs[row] - columns.addedNs[row];
    const other = isAdded ? removed : added;
    const label = `${isAdded ? 'removed' : 'added'} at line ${formatCount(other)}`;
    const lives = Number.isFinite(lived) ? `Lives ${formatDuration(lived)}` : 'Lifetime unknown';
    return {
      range: wholeLine(query),
      verdict: `${poolName(columns.kind[row])} ${isAdded ? 'added' : 'removed'} · ${formatSlotsAndBytes(columns.slots[row])}`,
      tone: 'info',
      badge: Number.isFinite(columns.start[row]) ? formatHex(columns.start[row]) : null,
      lines:
        other > 0
          ? [{ level: 'recorded', text: `${lives} → ${label}`, links: [{ label, file, line: other }] }]
          : isAdded
            ? [said('recorded', 'Still there when the trace ends')]
            : [],
    };
  }
  return workerStart.test(query.lineText)
    ? {
        range: wholeLine(query),
        verdict: 'The worker begins to add a pool',
        tone: 'info',
        badge: null,
        lines: [
          said('derived', 'A mapping missed before: until the pool is there, requests depend on transient pools.'),
        ],
      }
    : null;
}

/** The counters of debugfs at one moment. */
function sampleCard(analysis: Analysis, query: OtherQuery): HoverCard | null {
  const { columns, length } = analysis.tables.samples;
  for (let row = 0; row < length; row++) {
    if (columns.source[row] !== query.source || columns.line[row] !== query.line || columns.used[row] < 0) {
      continue;
    }
    const [used, slots, most, transient] = [
      columns.used[row],
      columns.nslabs[row],
      columns.hiwater[row],
      columns.transient[row],
    ];
    const share = slots > 0 ? ` of ${formatCount(slots)} slots used (${formatPercent(used / slots)})` : ' slots used';
    return {
      range: wholeLine(query),
      verdict: `Sample · ${formatCount(used)}${share}`,
      tone: 'info',
      badge: null,
      lines: [
        said('derived', `${formatBytes(used * SLOT_BYTES)} in use`),
        ...(most >= 0 ? [said('recorded', `Most so far: ${formatSlotsAndBytes(most)}`)] : []),
        ...(transient > 0 ? [said('recorded', `Of these in transient pools: ${formatSlotsAndBytes(transient)}`)] : []),
      ],
    };
  }
  return null;
}

function said(level: HoverLine['level'], text: string): HoverLine {
  return { level, text, links: [] };
}
