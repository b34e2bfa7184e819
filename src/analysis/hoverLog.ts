import { formatHex } from '../base/address';
import { formatBytes, formatCount, formatSlotsAndBytes } from '../base/format';
import type { LogRecord } from '../model/log';
import { failureLogKinds } from '../model/log';
import type { ReplayResult } from '../model/replayResult';
import type { HoverCard, HoverLine } from '../model/reports';
import { SLOT_BYTES } from '../model/units';
import { adviceFor } from './advice';
import type { Analysis } from './analysis';
import { isEncrypted } from './boot';
import { mappingCard } from './hoverMapping';
import { LineRole } from './lineIndex';
import { recordAt, requestOfRecord } from './recordIndex';
import { describeFailure, isBounceOverflow, isCcSwiotlb, judgeLine, numbersOfLine } from './verdict';

interface LogQuery {
  readonly source: number;
  readonly line: number;
  readonly lineText: string;
  readonly replay?: ReplayResult | null;
  readonly recorded?: ReplayResult | null;
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
    return failureCard(analysis, record);
  }
  const fact = describeFact(record);
  return fact === null ? null : { range: rangeOf(record), tone: 'info', badge: null, ...fact };
}

function rangeOf(record: LogRecord): HoverCard['range'] {
  return { line: record.line, startColumn: record.startColumn, endColumn: record.endColumn };
}

function failureCard(analysis: Analysis, record: LogRecord): HoverCard {
  const cause = judgeLine(record);
  const numbers = numbersOfLine(record);
  const who = [record.device, record.driver].filter((part) => part !== '').join(' ');
  const advice = adviceFor(cause, {
    numbers,
    geometry: analysis.geometry,
    driver: record.driver,
    bounceOverflow: isBounceOverflow(record),
    ccSwiotlb: isCcSwiotlb(record),
    encrypted: isEncrypted(analysis),
    leak: false,
  });
  return {
    range: rangeOf(record),
    verdict: `Failed · ${describeFailure(cause, numbers, record)}`,
    tone: 'failed',
    badge: null,
    lines: [...(who === '' ? [] : [line('recorded', who)]), ...advice.map((text) => line('derived', text))],
    actions: ['explain'],
    cause,
  };
}

/** Boot and configuration messages in plain words. */
function describeFact(record: LogRecord): { readonly verdict: string; readonly lines: readonly HoverLine[] } | null {
  switch (record.kind) {
    case 'pool-mapped': {
      const bytes = record.end - record.start;
      const size = bytes > 0 ? formatSlotsAndBytes(Math.floor(bytes / SLOT_BYTES)) : 'of unknown size';
      return {
        verdict: `Boot pool: ${size}`,
        lines: [
          line('recorded', `From ${formatHex(record.start)} up to, not including, ${formatHex(record.end)}`),
          ...(record.end > 2 ** 32
            ? [line('derived', 'It reaches above 4 GiB: devices with a 32-bit mask cannot use that part.')]
            : []),
        ],
      };
    }
    case 'restricted-pool':
      return {
        verdict: `Restricted pool${record.sizeBytes >= 0 ? `: ${formatSlotsAndBytes(Math.floor(record.sizeBytes / SLOT_BYTES))}` : ''}`,
        lines: [line('derived', 'Only the devices that name it use it; it has one area and never grows.')],
      };
    case 'area-num':
      return {
        verdict: `${formatCount(record.count)} areas`,
        lines: [
          line(
            'derived',
            'Each area is a part of the pool with its own lock; a CPU begins its search in its own area.',
          ),
        ],
      };
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

function line(level: HoverLine['level'], text: string): HoverLine {
  return { level, text, links: [] };
}
