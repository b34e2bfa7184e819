import * as vscode from 'vscode';
import { formatCount, formatSize } from '../../base/format';
import type { EpisodeView, FailureView, TraceView } from '../../protocol/views';
import type { TreeNode } from './node';
import { showLineOf } from './place';

/** Failures that are loaded at once. */
const pageSize = 200;

/** Gives failures of an episode; see `EpisodeParams`. */
export type LoadFailures = (episode: number, skip: number, count: number) => Promise<readonly FailureView[]>;

/** Episodes, each with its failures. */
export function failureNodes(trace: TraceView, load: LoadFailures): readonly TreeNode[] {
  return trace.episodes.map((episode, index) => episodeNode(trace, episode, index, load));
}

function episodeNode(trace: TraceView, episode: EpisodeView, index: number, load: LoadFailures): TreeNode {
  const command = showLineOf(trace, episode.file, episode.firstLine);
  const [title, rest] = splitMessage(episode.message);
  const where =
    episode.count < 2
      ? vscode.l10n.t('line {0}', formatCount(episode.firstLine))
      : vscode.l10n.t(
          '{0} times, lines {1}–{2}',
          formatCount(episode.count),
          formatCount(episode.firstLine),
          formatCount(episode.lastLine),
        );
  return {
    id: `episode${index}`,
    label: title,
    description: [episode.device ?? vscode.l10n.t('unknown device'), where].join(' · '),
    tooltip: [rest, ...episode.advice, ...marksText(episode.marks)].filter((text) => text !== ''),
    icon: new vscode.ThemeIcon('error', new vscode.ThemeColor('list.errorForeground')),
    ...(command === undefined ? {} : { command }),
    ...(episode.count < 2 ? {} : { children: () => page(trace, index, 0, episode.count, load) }),
  };
}

async function page(
  trace: TraceView,
  episode: number,
  skip: number,
  total: number,
  load: LoadFailures,
): Promise<readonly TreeNode[]> {
  const failures = await load(episode, skip, pageSize);
  const nodes = failures.map((failure, index) => failureNode(trace, failure, `episode${episode}/${skip + index}`));
  const next = skip + failures.length;
  if (failures.length === 0 || total <= next) {
    return nodes;
  }
  const more: TreeNode = {
    id: `episode${episode}/from${next}`,
    label: vscode.l10n.t('{0} more', formatCount(total - next)),
    icon: new vscode.ThemeIcon('ellipsis'),
    children: () => page(trace, episode, next, total, load),
  };
  return [...nodes, more];
}

function failureNode(trace: TraceView, failure: FailureView, id: string): TreeNode {
  const command = showLineOf(trace, failure.file, failure.line);
  const [title, rest] = splitMessage(failure.message);
  const parts = [
    failure.sizeBytes === null ? null : formatSize(failure.sizeBytes),
    failure.device,
    failure.totalSlots === null || failure.usedSlots === null
      ? null
      : vscode.l10n.t('{0} of {1} slots used', formatCount(failure.usedSlots), formatCount(failure.totalSlots)),
  ];
  return {
    id,
    label: vscode.l10n.t('line {0}', formatCount(failure.line)),
    description: [title, ...parts.filter((part) => part !== null)].join(' · '),
    tooltip: [rest, ...failure.advice, ...marksText(failure.marks)].filter((text) => text !== ''),
    icon: new vscode.ThemeIcon('circle-small-filled'),
    ...(command === undefined ? {} : { command }),
  };
}

/** The cause's name in front of the colon, and the whole sentence. */
function splitMessage(message: string): readonly [string, string] {
  const at = message.indexOf(':');
  return at < 1 ? [message, ''] : [message.slice(0, at), message];
}

function marksText(marks: readonly string[]): string[] {
  return marks.includes('leak-suspected')
    ? [vscode.l10n.t('A leak is suspected: a holder only ever takes slots.')]
    : [];
}
