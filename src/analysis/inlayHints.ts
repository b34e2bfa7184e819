import { formatBytes, formatCount, formatSlots } from '../base/format';
import type { LogRecord } from '../model/log';
import { EvidenceBit, Outcome } from '../model/tables';
import { bytesToSlots, type LineNumber, SLOT_BYTES } from '../model/units';
import type { Analysis } from './analysis';
import { readBootParameter } from './bootParameter';
import { requestsOfLine } from './lineCompanions';
import { type LineEntry, LineRole } from './lineIndex';
import { failureFactsOf, requestPaddedBytes } from './occupancy';
import { messagesOf, recordAt } from './recordIndex';

/** A few words behind a number of a line, or behind the line. */
export interface InlayHintReport {
  readonly line: LineNumber;
  /** Zero-based UTF-16 column that the hint stands before. */
  readonly column: number;
  readonly text: string;
  /** Where it comes from, for people. */
  readonly tooltip: string;
}

/** Which lines get hints: failing ones and boot lines, or every map and unmap line too. */
export type InlayHintMode = 'failures' | 'all';

/** Hints for adjacent lines, the first of which is `firstLine`. */
export function inlayHintsOf(
  analysis: Analysis,
  query: {
    readonly source: number;
    readonly firstLine: LineNumber;
    readonly texts: readonly string[];
    readonly mode: InlayHintMode;
  },
): readonly InlayHintReport[] {
  const { source, firstLine, texts, mode } = query;
  return texts.flatMap((text, index) => {
    const line = firstLine + index;
    const entries = requestsOfLine(analysis, source, line, text);
    const record = recordAt(analysis, source, line);
    return [
      ...(entries.length > 0 ? requestHints(analysis, entries, line, text, mode) : []),
      ...(record === null ? [] : recordHints(analysis, record, text)),
    ];
  });
}

const sizeField = /\bsize=(\d+)\b/;

function requestHints(
  analysis: Analysis,
  entries: readonly LineEntry[],
  line: LineNumber,
  text: string,
  mode: InlayHintMode,
): InlayHintReport[] {
  const { columns } = analysis.tables.requests;
  const bounced = entries.filter(({ row }) => (columns.evidence[row] & EvidenceBit.direct) === 0);
  const failed = bounced.find(
    ({ row, roles }) => columns.outcome[row] === Outcome.failed && (roles & (LineRole.enter | LineRole.map)) !== 0,
  );
  const hints: InlayHintReport[] = [];
  const size = sizeField.exec(text);
  const only = bounced.length === 1 ? bounced[0] : failed;
  if (size !== null && only !== undefined && (mode === 'all' || failed !== undefined)) {
    const slots = Math.max(1, bytesToSlots(requestPaddedBytes(analysis, only.row)));
    hints.push({
      line,
      column: size.index + size[0].length,
      text: `= ${formatSlots(slots)}`,
      tooltip: `${formatBytes(slots * SLOT_BYTES)} of the pool, with the padding for min_align_mask`,
    });
  }
  const isResult = failed !== undefined && (failed.roles & LineRole.map) !== 0;
  return isResult ? [...hints, ...usedHint(analysis, failed.row, line, text)] : hints;
}

/** How full the pool was, behind the line of a failure; the arrow keeps it apart from the last field. */
function usedHint(analysis: Analysis, row: number, line: LineNumber, text: string): InlayHintReport[] {
  const column = text.trimEnd().length;
  const printed = messagesOf(analysis, row).find(({ record }) => record.totalSlots >= 0)?.record;
  if (printed !== undefined) {
    const used = `← ${formatCount(printed.usedSlots)} of ${formatCount(printed.totalSlots)} slots used`;
    return [{ line, column, text: used, tooltip: 'Recorded: the kernel message of this failure says so' }];
  }
  const facts = failureFactsOf(analysis).get(row);
  if (facts === undefined || facts.totalSlots < 0 || facts.usedSlots < 0) {
    return [];
  }
  const used = `← ${formatCount(facts.usedSlots)} or more of ${formatCount(facts.totalSlots)} slots used`;
  return [{ line, column, text: used, tooltip: 'Derived from the mappings of the trace that were alive here' }];
}

/** What the numbers of a kernel message come to. */
function recordHints(analysis: Analysis, record: LogRecord, text: string): InlayHintReport[] {
  const hints: InlayHintReport[] = [];
  const behind = (pattern: RegExp, hint: (captured: string) => string | null, tooltip: string) => {
    const match = pattern.exec(text);
    const words = match === null ? null : hint(match[1] ?? '');
    if (match !== null && words !== null) {
      hints.push({ line: record.line, column: match.index + match[0].length, text: words, tooltip });
    }
  };
  switch (record.kind) {
    case 'buffer-full':
      behind(
        /\bsz: (\d+) bytes/,
        (bytes) => `= ${formatSlots(Math.max(1, bytesToSlots(Number(bytes))))}`,
        'One slot is 2 KiB',
      );
      behind(/\btotal (\d+) \(slots\)/, (slots) => `= ${formatBytes(Number(slots) * SLOT_BYTES)}`, 'Size of the pool');
      if (record.totalSlots >= 0 && record.usedSlots >= 0) {
        const free = formatCount(Math.max(0, record.totalSlots - record.usedSlots));
        behind(/\bused \d+ \(slots\)/, () => `${free} free`, 'Free slots, in a row or not');
      }
      break;
    case 'command-line':
      behind(/(?<![\w.])swiotlb=([^\s"']+)/, describeParameter, 'Before the rounding that kernels with areas do');
      break;
    case 'pool-mapped':
      if (record.end > record.start) {
        const slots = Math.floor((record.end - record.start) / SLOT_BYTES);
        behind(/\S(?=\s*$)/, () => `= ${formatSlots(slots)}`, 'One slot is 2 KiB');
      }
      break;
    case 'area-num': {
      const pool = analysis.geometry.pools[0];
      const areas = pool?.areas.value ?? 0;
      if (pool !== undefined && areas > 0) {
        const each = formatSlots(Math.floor(pool.slots.value / areas));
        behind(/\barea num \d+\.?/, () => `${each} each`, 'A search begins in the area of its CPU');
      }
      break;
    }
    case 'size-adjusted':
    case 'size-roundup':
    case 'restricted-pool':
    case 'size-reduced':
      if (record.sizeBytes >= SLOT_BYTES) {
        behind(/\S(?=\s*$)/, () => `= ${formatSlots(Math.floor(record.sizeBytes / SLOT_BYTES))}`, 'One slot is 2 KiB');
      }
      break;
    case 'slabs-adjusted':
      if (record.count > 0) {
        behind(/\S(?=\s*$)/, () => `= ${formatBytes(record.count * SLOT_BYTES)}`, 'Size of the pool');
      }
      break;
    default:
  }
  return hints;
}

function describeParameter(value: string): string | null {
  const { slots, noforce } = readBootParameter(value);
  if (noforce) {
    return '= no pool';
  }
  return slots === null || slots === 0 ? null : `= ${formatBytes(slots * SLOT_BYTES)}`;
}
