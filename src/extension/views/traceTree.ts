import * as vscode from 'vscode';
import { formatCount, plural } from '../../base/format';
import type { EvidenceLevel } from '../../model/evidence';
import type { GeometryRowView } from '../../protocol/sideViews';
import type { TraceView } from '../../protocol/views';
import { baseName } from '../baseName';
import type { TreeNode } from './node';
import { showLineOf } from './place';

/** What the buttons of a geometry row need. */
export interface GeometryTarget {
  readonly uris: readonly string[];
  readonly row: GeometryRowView;
}

/** The trace at a glance: verdict, files, how complete it is, what was counted, and the kernel with its evidence. */
export function traceNodes(trace: TraceView, rows: readonly GeometryRowView[]): readonly TreeNode[] {
  return [verdict(trace), files(trace), completeness(trace), ledger(trace), geometry(trace, rows), ...notices(trace)];
}

function verdict(trace: TraceView): TreeNode {
  const counts = [
    plural(trace.lines, 'line'),
    ...(trace.requests === 0 ? [] : [plural(trace.requests, 'request')]),
    ...(trace.bounced === 0 || trace.bounced === trace.requests ? [] : [`${formatCount(trace.bounced)} bounced`]),
  ].join(' · ');
  if (0 < trace.failureCount) {
    const [first] = trace.episodes;
    const command = showLineOf(trace, first?.file ?? null, first?.firstLine ?? null);
    return {
      id: 'verdict',
      label: failuresText(trace.failureCount),
      description: counts,
      icon: errorIcon,
      tooltip: [...trace.episodes.slice(0, 5).map((episode) => episode.message), ...(first?.advice ?? [])],
      ...(command === undefined ? {} : { command }),
    };
  }
  const { guidance } = trace;
  if (guidance === null && 0 < trace.unknownResults) {
    return {
      id: 'verdict',
      label: vscode.l10n.t('No failure is recorded'),
      description: counts,
      icon: infoIcon,
      tooltip: [vscode.l10n.t('Results the trace does not tell: {0}', formatCount(trace.unknownResults))],
    };
  }
  return guidance === null
    ? { id: 'verdict', label: vscode.l10n.t('No mapping failed'), description: counts, icon: goodIcon }
    : {
        id: 'verdict',
        label: guidance.title,
        description: counts,
        icon: infoIcon,
        tooltip: [guidance.found, guidance.next],
      };
}

function files(trace: TraceView): TreeNode {
  return {
    id: 'files',
    label: vscode.l10n.t('Files'),
    description: formatCount(trace.sources.length),
    icon: new vscode.ThemeIcon('files'),
    children: trace.sources.map((source) => {
      const command = showLineOf(trace, source.file, 1);
      const clock = source.clock === '' ? [] : [vscode.l10n.t('clock {0}', source.clock)];
      return {
        id: `files/${source.uri}`,
        label: baseName(source.file),
        description: [source.format, plural(source.lines, 'line'), ...clock].join(' · '),
        tooltip: [source.file],
        icon: new vscode.ThemeIcon('file'),
        ...(command === undefined ? {} : { command }),
      };
    }),
  };
}

function completeness({ ledger: { completeness: report } }: TraceView): TreeNode {
  return {
    id: 'completeness',
    label: vscode.l10n.t('Completeness {0} of 100', report.score),
    icon: report.score < 70 ? warningIcon : goodIcon,
    tooltip: [vscode.l10n.t('How much of what a trace can tell this one tells. Below: what is missing.')],
    isOpen: report.parts.some((part) => part.howToImprove !== null),
    children: report.parts.map((part) => ({
      id: `completeness/${part.name}`,
      label: part.name,
      description: `${part.got}/${part.weight} · ${part.text}`,
      tooltip: part.howToImprove === null ? [part.text] : [part.text, part.howToImprove],
      icon: part.howToImprove === null ? goodIcon : warningIcon,
    })),
  };
}

function ledger(trace: TraceView): TreeNode {
  const { ledger: report } = trace;
  const count = (id: string, label: string, value: number, icon: vscode.ThemeIcon): TreeNode => ({
    id: `ledger/${id}`,
    label,
    description: formatCount(value),
    icon,
  });
  const examples = report.notUnderstoodExamples.map((example, index): TreeNode => {
    const command = showLineOf(trace, example.file, example.line);
    return {
      id: `ledger/example${index}`,
      label: vscode.l10n.t('Line {0} was not understood', formatCount(example.line)),
      description: example.text,
      icon: warningIcon,
      ...(command === undefined ? {} : { command }),
    };
  });
  return {
    id: 'ledger',
    label: vscode.l10n.t('Ledger'),
    description: [
      `${formatCount(report.exact)} ${vscode.l10n.t('exact')}`,
      ...(report.assumed === 0 ? [] : [`${formatCount(report.assumed)} ${vscode.l10n.t('assumed')}`]),
      ...(report.lost === 0 ? [] : [`${formatCount(report.lost)} ${vscode.l10n.t('lost')}`]),
    ].join(' · '),
    tooltip: [vscode.l10n.t('How much of the analysis is exact, derived, assumed or lost.')],
    icon: new vscode.ThemeIcon('checklist'),
    children: [
      count('exact', vscode.l10n.t('exact'), report.exact, goodIcon),
      count('derived', vscode.l10n.t('derived'), report.derived, levelIcon('derived')),
      count('assumed', vscode.l10n.t('assumed'), report.assumed, levelIcon('assumed')),
      count('lost', vscode.l10n.t('lost'), report.lost, report.lost === 0 ? goodIcon : warningIcon),
      ...report.notes.map((note, index) => ({
        id: `ledger/note${index}`,
        label: note.text,
        description: [note.count === 0 ? '' : formatCount(note.count), levelWord(note.level)]
          .filter(Boolean)
          .join(' · '),
        tooltip: [note.text],
        icon: note.level === 'lost' ? warningIcon : levelIcon(note.level),
      })),
      ...examples,
    ],
  };
}

function geometry(trace: TraceView, rows: readonly GeometryRowView[]): TreeNode {
  const uris = trace.sources.map((source) => source.uri);
  const row = (one: GeometryRowView): TreeNode => geometryNode(trace, uris, one);
  const devices = [...new Set(rows.map(({ device }) => device).filter((device) => device !== null))];
  const assumed = rows.filter(({ device, level }) => device === null && isAssumed(level)).length;
  return {
    id: 'geometry',
    label: vscode.l10n.t('Geometry'),
    description: assumed === 0 ? vscode.l10n.t('known') : vscode.l10n.t('{0} assumed', formatCount(assumed)),
    tooltip: [
      vscode.l10n.t(
        'The recorded kernel and its pool, each fact with its evidence. The pencil sets what you know better.',
      ),
    ],
    icon: new vscode.ThemeIcon('circuit-board'),
    isOpen: true,
    context: rows.some(({ level }) => level === 'user') ? 'geometry.edited' : 'geometry',
    data: uris,
    children: [
      ...rows.filter(({ device }) => device === null).map(row),
      ...devices.map((device) => ({
        id: `geometry/${device}`,
        label: device,
        description: rows
          .filter((one) => one.device === device && !isAssumed(one.level) && one.shown !== null)
          .map((one) => one.shown)
          .join(' · '),
        icon: new vscode.ThemeIcon('plug'),
        children: rows.filter((one) => one.device === device).map(row),
      })),
    ],
  };
}

function geometryNode(trace: TraceView, uris: readonly string[], row: GeometryRowView): TreeNode {
  const command = showLineOf(trace, row.file, row.line);
  const title = fieldTitle(row.field);
  const shown = row.shown ?? vscode.l10n.t('unknown');
  const level = levelWord(row.level);
  return {
    id: `geometry/${row.device ?? ''}/${row.field}/${row.shown ?? ''}`,
    label: title,
    description: isAssumed(row.level) || row.level === 'user' ? `${shown} (${level})` : shown,
    spoken: `${title}: ${shown}, ${level}`,
    tooltip: [`${title}: ${shown} (${level})`, row.why],
    icon: levelIcon(row.level),
    ...(row.field === 'pool' ? {} : { context: row.level === 'user' ? 'geometryField.edited' : 'geometryField' }),
    data: { uris, row } satisfies GeometryTarget,
    ...(command === undefined ? {} : { command }),
  };
}

function notices(trace: TraceView): TreeNode[] {
  const warnings = trace.warnings.map((warning, index): TreeNode => {
    const command = showLineOf(trace, warning.file, warning.line);
    return {
      id: `notices/warning${index}`,
      label: warning.message,
      description: vscode.l10n.t('line {0}', formatCount(warning.line)),
      tooltip: [warning.message],
      icon: warningIcon,
      ...(command === undefined ? {} : { command }),
    };
  });
  const problems = trace.problems.map(
    (problem, index): TreeNode => ({
      id: `notices/problem${index}`,
      label: problem,
      tooltip: [problem],
      icon: warningIcon,
    }),
  );
  const all = [...warnings, ...problems];
  return all.length === 0
    ? []
    : [
        {
          id: 'notices',
          label: vscode.l10n.t('Worth knowing'),
          description: formatCount(all.length),
          icon: warningIcon,
          children: all,
        },
      ];
}

export function failuresText(count: number): string {
  return count === 1 ? vscode.l10n.t('1 failure') : vscode.l10n.t('{0} failures', formatCount(count));
}

/** The fact's name, also for the input box. */
export function fieldTitle(field: GeometryRowView['field']): string {
  switch (field) {
    case 'kernel':
      return vscode.l10n.t('Allocator of Linux');
    case 'dynamic':
      return vscode.l10n.t('Dynamic pools');
    case 'pageSize':
      return vscode.l10n.t('Page size');
    case 'cpus':
      return vscode.l10n.t('CPUs');
    case 'boot':
      return vscode.l10n.t('Boot parameter');
    case 'poolStart':
      return vscode.l10n.t('Pool start');
    case 'poolSlots':
      return vscode.l10n.t('Pool size');
    case 'areas':
      return vscode.l10n.t('Areas');
    case 'pool':
      return vscode.l10n.t('Pool');
    case 'deviceClass':
      return vscode.l10n.t('Class');
    case 'dmaMaskBits':
      return vscode.l10n.t('DMA mask');
    case 'minAlign':
      return 'min_align_mask';
    case 'segBoundaryBits':
      return vscode.l10n.t('Segment boundary');
  }
}

function isAssumed(level: EvidenceLevel): boolean {
  return level === 'assumed' || level === 'default';
}

function levelWord(level: EvidenceLevel | 'lost'): string {
  switch (level) {
    case 'user':
      return vscode.l10n.t('given by you');
    case 'recorded':
      return vscode.l10n.t('recorded');
    case 'derived':
      return vscode.l10n.t('derived');
    case 'modelled':
      return vscode.l10n.t('modelled');
    case 'default':
    case 'assumed':
      return vscode.l10n.t('assumed');
    case 'lost':
      return vscode.l10n.t('lost');
  }
}

const errorIcon = new vscode.ThemeIcon('error', new vscode.ThemeColor('list.errorForeground'));
const warningIcon = new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'));
const goodIcon = new vscode.ThemeIcon('pass');
const infoIcon = new vscode.ThemeIcon('info');

/** Recorded, derived, modelled and assumed never look the same. */
function levelIcon(level: EvidenceLevel): vscode.ThemeIcon {
  switch (level) {
    case 'user':
      return new vscode.ThemeIcon('edit');
    case 'recorded':
      return new vscode.ThemeIcon('record');
    case 'derived':
      return new vscode.ThemeIcon('symbol-operator');
    case 'modelled':
      return new vscode.ThemeIcon('beaker');
    case 'default':
    case 'assumed':
      return new vscode.ThemeIcon('question');
  }
}
