import { type CodeAction, CodeActionKind, type CodeActionParams, CodeActionTriggerKind } from 'vscode-languageserver';
import { poolSizeCauses } from '../analysis/codeLenses';
import { requestsOfLine } from '../analysis/lineCompanions';
import { type PlaceUse, partnersOf } from '../analysis/navigation';
import { causeTitle } from '../analysis/verdict';
import { formatBytes, formatCount, plural } from '../base/format';
import type { FailureReport } from '../model/reports';
import { languageCommands } from '../protocol/language';
import { docPageOf } from './docs';
import { failureAt } from './finding';
import { episodeKey } from './ignored';
import { knownSize } from './size';
import { diagnosticSource } from './toLsp';
import type { Trace } from './trace';

/**
 * What can be done about a line. By itself an editor is told only of failures and warnings: a bulb on every line of a
 * trace would be noise; asked by the user, mappings have actions too.
 */
export function codeActionsAt(trace: Trace, lineText: string, params: CodeActionParams): CodeAction[] {
  const { uri } = params.textDocument;
  const line = params.range.start.line + 1;
  const source = trace.sourceOf(uri);
  const failure = failureAt(trace, uri, line);
  const isAsked = params.context.triggerKind !== CodeActionTriggerKind.Automatic;
  const actions = new Actions(params);
  if (failure !== undefined) {
    addFailureActions(trace, uri, actions, failure);
  } else {
    addWarningActions(actions, params);
  }
  const isMapping = requestsOfLine(trace.analysis, source, line, lineText).length > 0;
  if (failure !== undefined || (isAsked && isMapping)) {
    for (const place of partnersOf(trace.analysis, source, line, lineText).slice(0, 3)) {
      const member = trace.members[place.source];
      if (member !== undefined) {
        const title = `Go to the ${placeNames[place.use]} at line ${formatCount(place.line)}`;
        actions.add(title, languageCommands.goToLine, [member.uri, place.line]);
      }
    }
    if (trace.hasRequests) {
      // On a kernel message in the log it is the line of the trace that counts.
      const of = failure === undefined ? undefined : trace.memberOfPath(failure.file)?.uri;
      const place = failure === undefined || of === undefined ? [uri, line] : [of, failure.line];
      actions.add('Show slot map here', languageCommands.runAtLine, [...place, 'swiotlbLens.showSlotMap']);
      actions.add('Who held the slots', languageCommands.whoHeld, place);
    }
    actions.addAtLine('Copy finding as Markdown', 'swiotlbLens.copyFinding');
  }
  if (failure !== undefined || isAsked) {
    addCaptureAction(trace, actions);
  }
  return actions.found;
}

const placeNames: Readonly<Record<PlaceUse, string>> = {
  attempt: 'attempt',
  map: 'map',
  unmap: 'unmap',
  message: 'kernel message',
  retry: 'retry',
  pool: 'line that set up the pool',
  device: 'device',
};

class Actions {
  readonly found: CodeAction[] = [];
  private readonly params: CodeActionParams;

  constructor(params: CodeActionParams) {
    this.params = params;
  }

  add(title: string, command: string, args: unknown[]): void {
    const own = this.params.context.diagnostics.filter(({ source }) => source === diagnosticSource);
    const { only } = this.params.context;
    const kind = own.length === 0 ? CodeActionKind.Empty : CodeActionKind.QuickFix;
    if (only === undefined || only.some((wanted) => wanted === '' || kind.startsWith(wanted))) {
      const about = own.length === 0 ? {} : { diagnostics: own };
      this.found.push({ title, kind, ...about, command: { title, command, arguments: args } });
    }
  }

  /** A command of the palette, which asks where the cursor is. */
  addAtLine(title: string, command: string): void {
    const { textDocument, range } = this.params;
    this.add(title, languageCommands.runAtLine, [textDocument.uri, range.start.line + 1, command]);
  }
}

function addFailureActions(trace: Trace, uri: string, actions: Actions, failure: FailureReport): void {
  const episode = trace.diagnose().episodes[failure.episode];
  actions.add(`Explain: ${causeTitle(failure.cause)}`, languageCommands.explain, [docPageOf(failure.cause)]);
  if (trace.hasRequests) {
    actions.addAtLine('Replay with dynamic pools', 'swiotlbLens.replayDynamic');
    actions.addAtLine('Replay with policy…', 'swiotlbLens.replayPolicy');
    if (poolSizeCauses.has(failure.cause)) {
      actions.add(parameterTitle(trace), languageCommands.copyParameter, [uri]);
    }
  }
  if (episode !== undefined) {
    const title =
      episode.count === 1 ? 'Ignore this failure' : `Ignore this episode (${plural(episode.count, 'failure')})`;
    actions.add(title, languageCommands.ignoreEpisode, [
      trace.memberOfPath(failure.file)?.uri ?? uri,
      episodeKey(episode),
    ]);
  }
}

function parameterTitle(trace: Trace): string {
  const fixed = knownSize(trace)?.smallest.find(({ policy }) => policy === 'fixed');
  if (fixed === undefined || fixed.bootParameter === null) {
    return 'Find the smallest pool and copy its swiotlb=';
  }
  const size = fixed.bytesAfterRounding === null ? '' : ` (${formatBytes(fixed.bytesAfterRounding)} after rounding)`;
  return `Copy ${fixed.bootParameter}${size}`;
}

function addWarningActions(actions: Actions, { context }: CodeActionParams): void {
  for (const { source, code } of context.diagnostics) {
    if (source === diagnosticSource && typeof code === 'string') {
      actions.add(`Explain: ${code.replaceAll('-', ' ')}`, languageCommands.explain, [docPageOf(code)]);
    }
  }
}

/** Offered where a better recording would tell more; the parts are named. */
function addCaptureAction(trace: Trace, actions: Actions): void {
  const missing = trace.info().ledger.completeness.parts.filter(({ howToImprove }) => howToImprove !== null);
  if (missing.length > 0) {
    const names = missing.slice(0, 3).map(({ name }) => name.toLowerCase());
    const more = missing.length > names.length ? ', …' : '';
    actions.addAtLine(`Create capture script (missing: ${names.join(', ')}${more})`, 'swiotlbLens.createCaptureScript');
  }
}
