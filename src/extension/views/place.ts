import * as vscode from 'vscode';
import type { TraceView } from '../../protocol/views';

/** Not in the palette: it needs to know where to go. */
export const showLineCommand = 'swiotlbLens.internal.showLine';

/** A command that shows a line of one of a trace's files; undefined where there is none. */
export function showLineOf(
  trace: Pick<TraceView, 'sources'>,
  file: string | null,
  line: number | null,
): vscode.Command | undefined {
  const source = trace.sources.find((candidate) => candidate.file === file);
  return source === undefined || line === null || line < 1
    ? undefined
    : { command: showLineCommand, title: vscode.l10n.t('Show the line'), arguments: [source.uri, line] };
}
