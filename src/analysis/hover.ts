import type { ReplayResult } from '../model/replayResult';
import type { HoverCard, ShownFinding } from '../model/reports';
import type { Analysis } from './analysis';
import { logCard } from './hoverLog';
import { mappingCard, scatterlistCard, slotsOfRequest } from './hoverMapping';
import { otherEventCard } from './hoverOther';
import { tokenAt, tokenCard, tokenLines } from './hoverToken';
import { requestsOfLine } from './lineCompanions';
import type { LineEntry } from './lineIndex';
import { LineRole } from './lineIndex';

export interface HoverQuery {
  /** Row of the source table. */
  readonly source: number;
  /** One-based. */
  readonly line: number;
  readonly lineText: string;
  /** Zero-based UTF-16 column. */
  readonly character: number;
  /** A replay to compare with; its answers are marked as modelled. */
  readonly replay?: ReplayResult | null;
  /** Replay of the recorded policy and geometry, for the cause of a failure. */
  readonly recorded?: ReplayResult | null;
  /** The finding that the editor shows beside the card: the card does not say it again. */
  readonly finding?: ShownFinding | null;
}

/**
 * What there is to say about a place in a trace or log; null when nothing.
 * The word under the cursor comes first where it has a meaning of its own (flags, masks, parameters), then the
 * request the line belongs to, then the kernel message, then plain numbers (addresses, sizes).
 */
export function hoverAt(analysis: Analysis, query: HoverQuery): HoverCard | null {
  const token = tokenAt(query.lineText, query.character);
  const own = tokenCard(analysis, token, query);
  if (own !== null && (token?.kind === 'flags' || token?.kind === 'mask' || token?.kind === 'parameter')) {
    return own;
  }
  const entries = requestsOfLine(analysis, query.source, query.line, query.lineText);
  if (entries.length > 0) {
    const card =
      entries.length === 1
        ? mappingCard(analysis, entries[0], query)
        : cardOfMany(analysis, entries, query, token?.value ?? Number.NaN);
    const said = entries.length === 1 ? slotsOfRequest(analysis, entries[0].row) : null;
    return { ...card, lines: [...card.lines, ...tokenLines(analysis, token, said)] };
  }
  const other = otherEventCard(analysis, query);
  if (other !== null) {
    return token?.kind === 'device'
      ? { ...other, lines: [...other.lines, ...tokenLines(analysis, token, null)] }
      : other;
  }
  return logCard(analysis, query) ?? own;
}

/** A scatterlist line: the element under the cursor when its address is there, else the list as a whole. */
function cardOfMany(analysis: Analysis, entries: readonly LineEntry[], query: HoverQuery, address: number): HoverCard {
  const { columns } = analysis.tables.requests;
  const element = entries.find(
    (entry) => columns.recordedBounce[entry.row] === address || columns.original[entry.row] === address,
  );
  if (element !== undefined) {
    return mappingCard(analysis, element, query);
  }
  const begun = entries.filter((entry) => (entry.roles & LineRole.enter) !== 0);
  const own = begun[0];
  if (own !== undefined && begun.length === 1) {
    return mappingCard(analysis, own, query);
  }
  const mapped = entries.filter((entry) => (entry.roles & (LineRole.map | LineRole.enter)) !== 0);
  const sameList = entries.every((entry) => columns.sgGroup[entry.row] === columns.sgGroup[entries[0].row]);
  if (!sameList) {
    return mappingCard(analysis, mapped[0] ?? entries[0], query);
  }
  return scatterlistCard(analysis, entries, query);
}
