import { tokenKinds } from '../../protocol/traceEditor';

/** A stretch of a line to be drawn with these classes. */
export interface Segment {
  readonly text: string;
  readonly classes: string;
}

/** Something over the tokens: a finding, a match of the search. Columns, the end not included. */
export interface Overlay {
  readonly start: number;
  readonly end: number;
  readonly className: string;
}

/** Kinds of the columns before a line's message. */
const headKinds: ReadonlySet<string> = new Set(['time', 'cpu', 'task', 'flags']);

/** Column where the message begins, behind task, CPU, flags and time; 0 where a line has no such columns. */
export function headLength(text: string, tokens: readonly number[]): number {
  let end = 0;
  for (let i = 0; i + 2 < tokens.length && headKinds.has(tokenKinds[tokens[i + 2]!] ?? ''); i += 3) {
    end = tokens[i]! + tokens[i + 1]!;
  }
  return end === 0 ? 0 : end + (/^:?\s*/.exec(text.slice(end))?.[0].length ?? 0);
}

/** Cuts a line where a token or an overlay begins or ends. `tokens` are triples of column, length and kind. */
export function segments(text: string, tokens: readonly number[], overlays: readonly Overlay[]): Segment[] {
  const cuts = new Set([0, headLength(text, tokens), text.length]);
  const cut = (at: number) => cuts.add(Math.min(Math.max(0, at), text.length));
  for (let i = 0; i + 2 < tokens.length; i += 3) {
    cut(tokens[i]!);
    cut(tokens[i]! + tokens[i + 1]!);
  }
  for (const { start, end } of overlays) {
    cut(start);
    cut(end);
  }
  const sorted = [...cuts].sort((a, b) => a - b);
  const found: Segment[] = [];
  let token = 0;
  for (let i = 0; i + 1 < sorted.length; i++) {
    const start = sorted[i]!;
    while (token + 2 < tokens.length && tokens[token]! + tokens[token + 1]! <= start) {
      token += 3;
    }
    const isInToken = token + 2 < tokens.length && tokens[token]! <= start;
    const kind = isInToken ? tokenKinds[tokens[token + 2]!] : undefined;
    const classes = [
      ...(kind === undefined ? [] : [`t-${kind}`]),
      ...overlays.filter((overlay) => overlay.start <= start && start < overlay.end).map(({ className }) => className),
    ];
    found.push({ text: text.slice(start, sorted[i + 1]), classes: [...new Set(classes)].join(' ') });
  }
  return found;
}

/** Columns of all matches of an expression in a line. */
export function matchesIn(text: string, pattern: RegExp | null, className: string): Overlay[] {
  if (pattern === null) {
    return [];
  }
  const found: Overlay[] = [];
  pattern.lastIndex = 0;
  for (const match of text.matchAll(pattern)) {
    if (match[0] !== '') {
      found.push({ start: match.index, end: match.index + match[0].length, className });
    }
    if (maxMatches <= found.length) {
      break;
    }
  }
  return found;
}

const maxMatches = 200;

/** The expression that the reading thread used, to show where in a line it matched; null where there is none. */
export function patternOf(query: { text: string; isRegex: boolean; matchCase: boolean } | null): RegExp | null {
  if (query === null || query.text === '') {
    return null;
  }
  const source = query.isRegex ? query.text : query.text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  try {
    return new RegExp(source, `g${query.matchCase ? '' : 'i'}${query.isRegex ? 'u' : ''}`);
  } catch {
    return null;
  }
}
