import {
  type Diagnostic,
  type DiagnosticRelatedInformation,
  DiagnosticSeverity,
  type Hover,
  MarkupKind,
  type Range,
} from 'vscode-languageserver';
import { escapeMarkdown } from '../base/escape';
import type { EvidenceLevel } from '../model/evidence';
import type { FailureReport, HoverAction, HoverCard, LineRange } from '../model/reports';
import { commandFor } from './commands';

/** Lines are one-based in reports and zero-based in the protocol; columns are zero-based UTF-16 in both. */
export function toRange(range: LineRange): Range {
  const line = Math.max(0, range.line - 1);
  return { start: { line, character: range.startColumn }, end: { line, character: range.endColumn } };
}

export const diagnosticSource = 'swiotlb';

/** The panel has all of the advice; a finding in the editor has room for the first of it. */
const advicePerFinding = 2;

/** The finding of a failure: the sentence first, then what helps, one line each. */
export function toDiagnostic(
  failure: Pick<FailureReport, 'cause' | 'marks' | 'message' | 'advice'>,
  range: LineRange,
  options: {
    /** Continuation of the sentence for a flood: "… and 1,242 more like this until line 90,114." */
    readonly episode: string;
    readonly severity: DiagnosticSeverity;
    readonly related: readonly DiagnosticRelatedInformation[];
    /** Comes back with questions about the finding. */
    readonly data?: FindingData;
    /** Link to the page that explains the cause. */
    readonly href?: string | null;
  },
): Diagnostic {
  // A flood gets a line of its own; what became of a single failure goes on in its line: hovers have little room.
  const isFlood = options.episode.startsWith('…');
  const head = isFlood ? [failure.message, options.episode] : [`${failure.message} ${options.episode}`.trimEnd()];
  const lines = [...head, ...failure.advice.slice(0, advicePerFinding)];
  return {
    range: toRange(range),
    severity: options.severity,
    source: diagnosticSource,
    code: [failure.cause, ...failure.marks].join(', '),
    message: lines.join('\n'),
    relatedInformation: [...options.related],
    ...(options.data === undefined ? {} : { data: options.data }),
    ...codeDescription(options.href),
  };
}

export interface FindingData {
  /** See `episodeKey`. */
  readonly episode: string;
}

function codeDescription(href: string | null | undefined): Pick<Diagnostic, 'codeDescription'> {
  return href === null || href === undefined ? {} : { codeDescription: { href } };
}

/** What the recording lacks is no fault of the machine. */
const informationCodes: ReadonlySet<string> = new Set(['overwritten-start', 'suppressed-messages']);

export function toWarning(
  warning: LineRange & { readonly code: string; readonly message: string },
  href: string | null = null,
): Diagnostic {
  return {
    range: toRange(warning),
    severity: informationCodes.has(warning.code) ? DiagnosticSeverity.Information : DiagnosticSeverity.Warning,
    source: diagnosticSource,
    code: warning.code,
    message: warning.message,
    ...codeDescription(href),
  };
}

/** Recorded facts stand plain; everything else says what it is. */
export const levelPrefix: Readonly<Record<EvidenceLevel, string>> = {
  user: 'set',
  recorded: '',
  derived: '',
  modelled: 'modelled',
  default: 'default',
  assumed: 'assumed',
};

/** A card as Markdown: verdict in bold, the address at its right, then a line per fact. */
export function toHover(
  card: HoverCard,
  linkFor: (file: string, line: number) => string | null,
  actionLink: ((action: HoverAction, card: HoverCard) => string) | null = null,
): Hover {
  const badge = card.badge === null ? '' : ` · \`${card.badge.replaceAll('`', '')}\``;
  const lines = card.lines.map((line) => {
    const prefix = levelPrefix[line.level];
    const isSaid = prefix === '' || line.text.toLowerCase().startsWith(prefix);
    return `${isSaid ? '' : `_${prefix}:_ `}${withLinks(line, linkFor)}`;
  });
  return {
    contents: {
      kind: MarkupKind.Markdown,
      value: [`**${escapeMarkdown(card.verdict)}**${badge}`, ...lines, ...actionsLine(card, actionLink)].join('  \n'),
    },
    range: toRange(card.range),
  };
}

export const actionNames: Readonly<Record<HoverAction, string>> = {
  slotMap: 'Show slot map',
  whoHeld: 'Who held the slots',
  size: 'Find the pool size',
  explain: 'Explain',
};

/** Links to commands, where the client has them. */
function actionsLine(
  card: HoverCard,
  actionLink: ((action: HoverAction, card: HoverCard) => string) | null,
): readonly string[] {
  if (actionLink === null || card.actions === undefined || card.actions.length === 0) {
    return [];
  }
  return [card.actions.map((action) => `[${actionNames[action]}](${actionLink(action, card)})`).join(' · ')];
}

/** Links to the commands of the client, for the line a card is about. */
export function cardActionLink(
  here: { readonly uri: string; readonly line: number },
  uriOf: (file: string) => string | undefined,
): (action: HoverAction, card: HoverCard) => string {
  return (action, card) => {
    const placeUri = card.place === undefined ? undefined : uriOf(card.place.file);
    const { uri, line } =
      card.place === undefined || placeUri === undefined ? here : { uri: placeUri, line: card.place.line };
    const { command, arguments: args } = commandFor(action, { uri, uris: [uri], line, cause: card.cause ?? null });
    return `command:${command}?${encodeURIComponent(JSON.stringify(args)).replace(/[()]/g, escapeParenthesis)}`;
  };
}

/** A closing one would end the link. */
function escapeParenthesis(character: string): string {
  return character === '(' ? '%28' : '%29';
}

/** Words of the text that are a link's label become the link; other links follow. */
function withLinks(line: HoverCard['lines'][number], linkFor: (file: string, line: number) => string | null): string {
  let rest = line.text;
  let text = '';
  const following: string[] = [];
  for (const link of line.links) {
    const target = linkFor(link.file, link.line);
    const label = escapeMarkdown(link.label);
    const markup = target === null ? label : `[${label}](${target})`;
    const at = rest.indexOf(link.label);
    if (at < 0) {
      following.push(markup);
    } else {
      text += escapeMarkdown(rest.slice(0, at)) + markup;
      rest = rest.slice(at + link.label.length);
    }
  }
  return [text + escapeMarkdown(rest), ...following].filter((part) => part !== '').join(' · ');
}
