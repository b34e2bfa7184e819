import { formatBytes, formatCount, formatPercent, formatSlotsAndBytes, plural } from '../base/format';
import type { LogRecord } from '../model/log';
import { failureLogKinds } from '../model/log';
import type { ReplayResult } from '../model/replayResult';
import type { HoverCard, HoverLine, ShownFinding } from '../model/reports';
import { SLOT_BYTES } from '../model/units';
import { adviceFor } from './advice';
import type { Analysis } from './analysis';
import { bootParameterOf, isEncrypted } from './boot';
import { episodeLines, mappingCard, shortVerdict } from './hoverMapping';
import { LineRole } from './lineIndex';
import { recordAt, requestOfRecord } from './recordIndex';
import { describeFailure, isBounceOverflow, isCcSwiotlb, judgeLine, numbersOfLine } from './verdict';

interface LogQuery {
  readonly source: number;
  readonly line: number;
  readonly lineText: string;
  readonly replay?: ReplayResult | null;
  readonly recorded?: ReplayResult | null;
  /** See `HoverQuery.finding`. */
  readonly finding?: ShownFinding | null;
}

/** The card of a kernel message; null when the line is none. */
export function logCard(analysis: Analysis, query: LogQuery): HoverCard | null {
  const record = recordAt(analysis, query.source, query.line);
  if (record === null) {
    return null;
  }
  const row = requestOfRecord(analysis, record);
  if (row >= 0) {
    const card = mappingCard(analysis, { row, roles: LineRole.map }, query);
    return { ...card, range: rangeOf(record) };
  }
  if (failureLogKinds.has(record.kind) || record.kind === 'lockup') {
    return failureCard(analysis, record, query);
  }
  const fact = describeFact(analysis, record);
  return fact === null ? null : { range: rangeOf(record), tone: 'info', badge: null, ...fact };
}

function rangeOf(record: LogRecord): HoverCard['range'] {
  return { line: record.line, startColumn: record.startColumn, endColumn: record.endColumn };
}

function failureCard(analysis: Analysis, record: LogRecord, { lineText, finding = null }: LogQuery): HoverCard {
  const cause = judgeLine(record);
  const numbers = numbersOfLine(record);
  const who = [record.device, record.driver].filter((part) => part !== '' && !lineText.includes(part)).join(' ');
  const isFull = record.totalSlots > 0 && record.usedSlots >= 0 && record.usedSlots <= record.totalSlots;
  const used = isFull ? `${formatPercent(record.usedSlots / record.totalSlots)} of the pool in use` : '';
  const advice =
    finding !== null
      ? []
      : adviceFor(cause, {
          numbers,
          geometry: analysis.geometry,
          driver: record.driver,
          bounceOverflow: isBounceOverflow(record),
          ccSwiotlb: isCcSwiotlb(record),
          encrypted: isEncrypted(analysis),
          leak: false,
          replayable: false,
          parameter: bootParameterOf(analysis),
        });
  return {
    range: rangeOf(record),
    verdict:
      finding === null
        ? `Failed · ${describeFailure(cause, numbers, record)}`
        : shortVerdict(cause, Math.max(0, numbers.neededSlots)),
    tone: 'failed',
    badge: null,
    lines: [
      ...(who === '' ? [] : [line('recorded', who)]),
      ...(used === '' ? [] : [line('derived', used)]),
      ...episodeLines({ finding }),
      ...advice.map((text) => line('derived', text)),
    ],
    actions: ['explain'],
    cause,
  };
}

/** Boot and configuration messages in plain words. */
function describeFact(
  analysis: Analysis,
  record: LogRecord,
): { readonly verdict: string; readonly lines: readonly HoverLine[] } | null {
  switch (record.kind) {
    case 'pool-mapped':
      return poolFact(analysis, record);
    case 'restricted-pool':
      return {
        verdict: `Restricted pool${record.sizeBytes >= 0 ? `: ${formatSlotsAndBytes(Math.floor(record.sizeBytes / SLOT_BYTES))}` : ''}`,
        lines: [line('derived', 'Only the devices that name it use it; it has one area and never grows.')],
      };
    case 'area-num': {
      const slots = analysis.geometry.pools.find(({ kind }) => kind === 'boot')?.slots;
      const isKnown = slots !== undefined && slots.evidence.level === 'recorded' && record.count > 0;
      const each = isKnown ? ` of ${formatSlotsAndBytes(Math.floor(slots.value / record.count))} each` : '';
      return {
        verdict: `${plural(record.count, 'area')}${each}`,
        lines: [
          line(
            'derived',
            'Each area is a part of the pool with its own lock; a CPU begins its search in its own area.',
          ),
        ],
      };
    }
    case 'size-roundup':
      return {
        verdict: `Pool rounded up${record.sizeBytes >= 0 ? ` to ${formatBytes(record.sizeBytes)}` : ''}`,
        lines: [line('derived', 'With areas the pool is always a power of two, at least 256 KiB per area.')],
      };
    case 'size-adjusted':
      return {
        verdict: `Pool sized by the architecture${record.sizeBytes >= 0 ? `: ${formatBytes(record.sizeBytes)}` : ''}`,
        lines: [
          line(
            'derived',
            'An encrypted guest takes 6 % of its memory, 64 MiB to 1 GiB, unless swiotlb= gives another number.',
          ),
        ],
      };
    case 'slabs-adjusted':
      return {
        verdict: `Pool shrunk${record.count > 0 ? ` to ${formatSlotsAndBytes(record.count)}` : ''}`,
        lines: [line('derived', 'The kernel found no contiguous memory for the size it wanted.')],
      };
    case 'size-reduced':
      return {
        verdict: `Pool shrunk${record.sizeBytes >= 0 ? ` to ${formatSlotsAndBytes(Math.floor(record.sizeBytes / SLOT_BYTES))}` : ''}`,
        lines: [line('derived', 'The kernel found no contiguous memory for the size it wanted.')],
      };
    case 'software-bounce':
      return { verdict: 'Bounce buffers in use: no IOMMU translates for the devices', lines: [] };
    case 'cpus':
      return {
        verdict: plural(record.count, 'possible CPU'),
        lines: [
          line(
            'derived',
            'Unless swiotlb= says otherwise, the pool gets an area per CPU, rounded up to a power of two (Linux 6.0 and later).',
          ),
        ],
      };
    case 'memory-encryption':
      return { verdict: 'Encrypted guest: every DMA mapping is bounced', lines: [] };
    case 'suppressed':
      return {
        verdict: `${formatCount(record.count)} more messages were suppressed`,
        lines: [
          line('derived', 'The kernel prints ten per five seconds: count the failures as at least this many more.'),
        ],
      };
    case 'grow-failed':
      return {
        verdict: 'The pool could not grow',
        lines: [
          line(
            'derived',
            'No contiguous memory for another pool, not even 1 MiB; mappings that miss fail until one succeeds.',
          ),
        ],
      };
    case 'no-low-mem':
    case 'pool-alloc-failed':
      return {
        verdict: 'No bounce buffer pool',
        lines: [line('derived', 'Also printed with swiotlb=noforce. Mappings that need a bounce buffer will fail.')],
      };
    case 'pool-torn-down':
      return { verdict: 'The pool was given back: no device needs it', lines: [] };
    default:
      return null;
  }
}

/** What the pool's place means for devices; the line itself says where it is. */
function poolFact(analysis: Analysis, record: LogRecord): { verdict: string; lines: HoverLine[] } {
  const isPlaced = record.end > record.start;
  const bytes = isPlaced ? record.end - record.start : record.sizeBytes;
  const verdict = bytes > 0 ? `Boot pool: ${formatSlotsAndBytes(Math.floor(bytes / SLOT_BYTES))}` : 'Boot pool';
  if (!isPlaced) {
    return { verdict, lines: [line('derived', 'These are virtual addresses: where the pool lies is not known.')] };
  }
  const bits = Math.ceil(Math.log2(record.end));
  const { areas } = analysis.geometry.pools.find(({ kind }) => kind === 'boot') ?? {};
  const isDivided = areas !== undefined && areas.evidence.level === 'recorded' && areas.value > 1;
  return {
    verdict: `${verdict}${isDivided ? ` in ${formatCount(areas.value)} areas` : ''}`,
    lines: [
      line(
        'derived',
        record.end > 2 ** 32
          ? 'It reaches above 4 GiB: devices with a 32-bit mask cannot use that part.'
          : `Devices with a DMA mask of ${bits} bits or more reach all of it.`,
      ),
    ],
  };
}

function line(level: HoverLine['level'], text: string): HoverLine {
  return { level, text, links: [] };
}
