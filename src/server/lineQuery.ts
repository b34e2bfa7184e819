import type { LineQuery } from '../protocol/traceEditor';

/** Whether a line is one of those looked for. */
export type LineMatcher = (text: string) => boolean;

/** The conditions on a line's text; null where there are none. Throws `SyntaxError` for a broken expression. */
export function lineMatcher(query: LineQuery): LineMatcher | null {
  const conditions: LineMatcher[] = [];
  if (query.device !== null) {
    conditions.push(containsWord(query.device));
  }
  if (query.event !== null) {
    const name = `${query.event}:`;
    conditions.push((text) => wordAt(text, name) !== -1);
  }
  if (query.text !== '') {
    conditions.push(textCondition(query));
  }
  const [first, ...rest] = conditions;
  if (first === undefined) {
    return null;
  }
  return rest.length === 0 ? first : (text) => conditions.every((condition) => condition(text));
}

function textCondition({ text, isRegex, matchCase }: LineQuery): LineMatcher {
  if (isRegex) {
    const pattern = new RegExp(text, matchCase ? 'u' : 'iu');
    return (line) => pattern.test(line);
  }
  if (matchCase) {
    return (line) => line.includes(text);
  }
  // Faster than lower-casing every line.
  const pattern = new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'), 'i');
  return (line) => pattern.test(line);
}

/** `0000:00:05.0` but not `10000:00:05.0`. */
function containsWord(word: string): LineMatcher {
  return (text) => {
    for (let at = wordAt(text, word); at !== -1; at = wordAt(text, word, at + 1)) {
      if (!isNameCharacter(text.charCodeAt(at + word.length))) {
        return true;
      }
    }
    return false;
  };
}

/** Where `word` stands with nothing of a name before it; -1. */
function wordAt(text: string, word: string, from = 0): number {
  for (let at = text.indexOf(word, from); at !== -1; at = text.indexOf(word, at + 1)) {
    if (at === 0 || !isNameCharacter(text.charCodeAt(at - 1))) {
      return at;
    }
  }
  return -1;
}

/** Letters, digits and `_`. */
function isNameCharacter(code: number): boolean {
  return (48 <= code && code <= 57) || (65 <= code && code <= 90) || (97 <= code && code <= 122) || code === 95;
}
