import { hoverAt } from '../analysis/hover';
import { LineRole, lineIndexOf } from '../analysis/lineIndex';
import { bootTimeOf } from '../analysis/lineStamp';
import type { ShownFinding } from '../model/reports';
import { Outcome, Pairing } from '../model/tables';
import { readLines } from '../node/readLines';
import type { CardParams } from '../protocol/lsp';
import type { CardView, OutcomeChoice, TraceMarks } from '../protocol/traceEditor';
import { commandFor } from './commands';
import { actionNames, levelPrefix } from './toLsp';
import type { Trace } from './trace';

/** The custom editor's questions about an analysed file: a card, where the failures are, lines by outcome. */

/** Lists for filters; a trace with more devices than this is filtered by text. */
const maxChoices = 1000;
/** The kernel sets its clock early: within so many lines of its log. */
const bootLines = 5000;
const maxLines = 1_000_000;

/** The card of a place, with the links as locations; `finding`: what the editor shows of the line above the card. */
export function cardView(
  trace: Trace,
  { uri, line, column, text }: CardParams,
  finding: ShownFinding | null,
): CardView | null {
  const card = hoverAt(trace.analysis, {
    source: trace.sourceOf(uri),
    line,
    lineText: text,
    character: column,
    recorded: trace.recordedNow(),
    replay: trace.comparison(),
    finding,
  });
  if (card === null) {
    return null;
  }
  const place = { uri, uris: [uri], line, cause: card.cause ?? null };
  return {
    actions: (card.actions ?? []).map((action) => ({ title: actionNames[action], ...commandFor(action, place) })),
    verdict: card.verdict,
    tone: card.tone,
    badge: card.badge,
    lines: card.lines.map(({ level, text: said, links }) => {
      const prefix = levelPrefix[level];
      return {
        level: prefix === '' || said.toLowerCase().startsWith(prefix) ? '' : prefix,
        text: said,
        links: links.flatMap(({ label, file, line: at }) => {
          const target = trace.memberOfPath(file)?.uri;
          return target === undefined ? [] : [{ label, uri: target, line: at }];
        }),
      };
    }),
  };
}

export async function marksView(trace: Trace, uri: string): Promise<TraceMarks> {
  const { tables, sourceLedgers } = trace.analysis;
  const ledger = sourceLedgers.find((candidate) => candidate.source === trace.sourceOf(uri));
  const events = Object.entries({ ...ledger?.countedByName, ...ledger?.understoodByName })
    .filter(([name, count]) => 0 < count && /^\w+$/.test(name))
    .map(([name]) => name);
  return {
    failures: failureLines(trace, uri),
    devices: tables.devices
      .map(({ name }) => name)
      .filter((name) => name !== '')
      .sort()
      .slice(0, maxChoices),
    events: [...new Set(events)].sort().slice(0, maxChoices),
    bootSeconds: await bootSecondsOf(trace),
  };
}

/** Lines of a file, sorted, with a request of this outcome; a request's lines are those of its map and its unmap. */
export function outcomeLines(trace: Trace, uri: string, outcome: OutcomeChoice): readonly number[] {
  if (outcome === 'failed') {
    return failureLines(trace, uri);
  }
  const { columns } = trace.analysis.tables.requests;
  const { lines, rows, roles } = lineIndexOf(trace.analysis, trace.sourceOf(uri));
  const found: number[] = [];
  for (let at = 0; at < lines.length && found.length < maxLines; at++) {
    const row = rows[at] ?? 0;
    const isServed = columns.outcome[row] === Outcome.served;
    const isWanted =
      outcome === 'served'
        ? isServed && ((roles[at] ?? 0) & LineRole.map) !== 0
        : isServed && columns.pairing[row] === Pairing.open;
    if (isWanted && found.at(-1) !== lines[at]) {
      found.push(lines[at] ?? 0);
    }
  }
  return found;
}

/** Every failure of the file, also where a flood is one finding; kernel messages about one too. */
function failureLines(trace: Trace, uri: string): number[] {
  const source = trace.sourceOf(uri);
  const path = trace.members[source]?.path;
  const lines = new Set<number>();
  for (const { record } of trace.analysis.tables.logFailures) {
    if (record.source === source) {
      lines.add(record.line);
    }
  }
  for (const failure of trace.diagnose().failures) {
    if (failure.file === path) {
      lines.add(failure.line);
    }
  }
  return [...lines]
    .filter((line) => 0 < line)
    .sort((a, b) => a - b)
    .slice(0, maxLines);
}

/** From the kernel's own word in any log of the capture. */
async function bootSecondsOf(trace: Trace): Promise<number | null> {
  for (const [index, { path, isFile }] of trace.members.entries()) {
    if (isFile && trace.analysis.tables.sources[index]?.format === 'kernel-log') {
      for (const { text } of await readLines(path, 0, 0, bootLines)) {
        const seconds = bootTimeOf(text);
        if (seconds !== null) {
          return seconds;
        }
      }
    }
  }
  return null;
}
