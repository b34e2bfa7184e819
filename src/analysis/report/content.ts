import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatSetting,
  formatSlotsAndBytes,
  formatTime,
  plural,
} from '../../base/format';
import type { Cause } from '../../model/cause';
import type { ReplaySeries } from '../../model/replayResult';
import type {
  DiagnoseReport,
  InfoReport,
  ReplayReport,
  SizeReport,
  UncertaintyReport,
  VerifyReport,
} from '../../model/reports';
import type { Analysis } from '../analysis';
import { devicesReport } from '../devices';
import { info } from '../info';
import { ledgerLine } from '../ledger';
import { type RecordedUse, recordedNumbers } from '../recordedUse';
import type { ReplayAnswer } from '../replay';
import { describeCauseCounts, describeNoFailure } from '../verdict';
import type { ReportBlock, ReportDocument, ReportSection } from './blocks';
import { deviceTable } from './deviceTable';

/** What a report shows besides what the trace itself says; absent parts are left out of it. */
export interface ReportParts {
  readonly diagnosis: DiagnoseReport;
  /** In the order of display. */
  readonly runs: readonly ReportRun[];
  readonly size: SizeReport | null;
  readonly verify: VerifyReport | null;
  /** Some run or the sizing is a dry run for a confidential VM. */
  readonly isDryRun: boolean;
}

/** One line of the charts and one row of the table of policies. */
export interface ReportRun {
  /** `recorded`, or the policy's id and the settings that differ from its defaults. */
  readonly name: string;
  /** `recorded`: outcomes and slots are those of the trace; the costs come from a replay of the recorded policy. */
  readonly basis: 'recorded' | 'modelled';
  readonly report: ReplayReport;
  readonly series: ReplaySeries;
  readonly hasTime: boolean;
  /** Null: it hangs on nothing, as what is recorded. */
  readonly uncertainty: UncertaintyReport | null;
}

export function modelledRun(
  name: string,
  { report, result }: ReplayAnswer,
  uncertainty: UncertaintyReport | null,
): ReportRun {
  return { name, basis: 'modelled', report, series: result.series, hasTime: result.hasTime, uncertainty };
}

/** What the trace shows of itself; only the costs come from a replay of the recorded policy. */
export function recordedRun(use: RecordedUse | null, replayed: ReplayAnswer): ReportRun {
  const run = modelledRun('recorded', replayed, null);
  if (use === null) {
    return run;
  }
  return {
    ...run,
    basis: 'recorded',
    series: use.series,
    report: {
      ...run.report,
      ...recordedNumbers(use),
    },
  };
}

/** A report is read by people: the rest is in the JSON of the command line. */
const mostEpisodes = 40;
const mostDevices = 30;
const mostWarnings = 20;
const mostMismatches = 20;

/** The whole report as plain texts, tables and charts. */
export function reportContent(analysis: Analysis, parts: ReportParts): ReportDocument {
  const facts = info(analysis);
  const { diagnosis } = parts;
  const isUnread = diagnosis.guidance?.kind === 'empty' || diagnosis.guidance?.kind === 'not-a-trace';
  const sections: ReportSection[] = [
    { title: 'Why it failed', blocks: failureBlocks(diagnosis) },
    { title: 'What to do next', blocks: guidanceBlocks(diagnosis) },
    { title: 'Policies', blocks: [...dryRunBlocks(parts), ...policyBlocks(parts.runs)] },
    { title: 'Pool size', blocks: sizeBlocks(parts.size) },
    { title: 'Devices', blocks: deviceBlocks(analysis) },
    { title: 'Kernel and pool', blocks: isUnread ? [] : geometryBlocks(facts) },
    { title: 'Fidelity', blocks: verifyBlocks(parts.verify) },
    { title: 'Ledger', blocks: isUnread ? [] : ledgerBlocks(facts, parts.runs) },
  ];
  return {
    title: `SWIOTLB report: ${nameOf(diagnosis.file)}`,
    lead: isUnread ? (diagnosis.guidance?.title ?? '') : verdictOf(diagnosis),
    tone: diagnosis.failures.length > 0 ? 'bad' : isUnread || diagnosis.unknownResults > 0 ? 'neutral' : 'good',
    sections: sections.filter((section) => section.blocks.length > 0),
  };
}

function nameOf(file: string): string {
  return file === '-' || file === '' ? 'standard input' : file.replace(/[/\\]+$/, '').replace(/^.*[/\\]/, '');
}

function verdictOf({ failures, episodes, unknownResults }: DiagnoseReport): string {
  if (failures.length === 0) {
    return `${describeNoFailure(unknownResults)}.`;
  }
  const counts = new Map<Cause, number>();
  for (const { cause } of failures) {
    counts.set(cause, (counts.get(cause) ?? 0) + 1);
  }
  const suppressed = episodes.reduce((sum, episode) => sum + episode.suppressed, 0);
  const more = suppressed > 0 ? ` (and ${formatCount(suppressed)} more whose message was suppressed)` : '';
  return `${plural(failures.length, 'mapping')} failed: ${describeCauseCounts(counts)}${more}.`;
}

function failureBlocks({ failures, episodes, warnings }: DiagnoseReport): ReportBlock[] {
  const firsts = new Map<number, DiagnoseReport['failures'][number]>();
  for (const failure of failures) {
    if (!firsts.has(failure.episode)) {
      firsts.set(failure.episode, failure);
    }
  }
  const rows = episodes.slice(0, mostEpisodes).map((episode, index) => {
    const first = firsts.get(index);
    return [
      `${nameOf(episode.file)}:${episode.firstLine}`,
      first?.timeNs == null ? '–' : formatTime(first.timeNs),
      formatCount(episode.count),
      [episode.device, first?.driver].filter((part) => part != null && part !== '').join(' ') || '–',
      [episode.cause, ...(first?.marks ?? [])].join(', '),
      first?.message ?? episode.message,
    ];
  });
  const blocks: ReportBlock[] = [];
  if (rows.length > 0) {
    const caption =
      episodes.length > mostEpisodes
        ? `Failures, grouped: the first ${mostEpisodes} of ${formatCount(episodes.length)} groups`
        : 'Failures, grouped';
    const header = ['first line', '>time', '>failures', 'device', 'cause', 'what happened first'];
    blocks.push({ kind: 'table', caption, header, rows });
    const advice = [...new Set(episodes.flatMap((_, index) => firsts.get(index)?.advice ?? []))];
    if (advice.length > 0) {
      blocks.push({ kind: 'text', text: 'What helps:' }, { kind: 'list', items: advice });
    }
  }
  if (warnings.length > 0) {
    const items = warnings
      .slice(0, mostWarnings)
      .map((warning) => `${nameOf(warning.file)}:${warning.line} ${warning.message}`);
    const hidden = warnings.length - items.length;
    blocks.push(
      { kind: 'text', text: 'Warnings:' },
      { kind: 'list', items: hidden > 0 ? [...items, `… and ${formatCount(hidden)} more`] : items },
    );
  }
  return blocks;
}

function guidanceBlocks({ guidance }: DiagnoseReport): ReportBlock[] {
  return guidance === null
    ? []
    : [
        { kind: 'text', text: guidance.found },
        { kind: 'text', text: guidance.next },
        ...(guidance.commands.length === 0 ? [] : [{ kind: 'commands' as const, lines: guidance.commands }]),
      ];
}

function dryRunBlocks({ isDryRun }: ReportParts): ReportBlock[] {
  const text =
    'Dry run for a confidential VM: every DMA mapping of the trace is replayed as if it had to bounce, whatever it did on ' +
    'the recorded machine.';
  return isDryRun ? [{ kind: 'text', text }] : [];
}

function policyBlocks(runs: readonly ReportRun[]): ReportBlock[] {
  const shown = runs.filter((run) => run.report.replayable);
  if (shown.length === 0) {
    const missing = [...new Set(runs.flatMap((run) => run.report.missing))];
    return missing.length === 0
      ? []
      : [
          { kind: 'text', text: 'No request of this trace can be replayed. Missing:' },
          { kind: 'list', items: missing },
        ];
  }
  const rows = shown.map(({ name, basis, report }) => [
    name,
    basis,
    formatCount(report.failed),
    formatCount(report.served),
    formatSlotsAndBytes(report.usedHighWaterSlots),
    formatSlotsAndBytes(report.capacityPeakSlots),
    formatBytes(report.memory.peakBytes),
    formatCount(report.transient.count),
    formatCount(report.workerRuns),
    report.stalls.count === 0 ? '–' : formatDuration(report.stalls.totalNs),
  ]);
  const header = [
    'policy',
    'basis',
    '>failed',
    '>served',
    '>peak used',
    '>capacity peak',
    '>memory peak',
    '>transient pools',
    '>worker runs',
    '>stalls',
  ];
  const costs = shown.map(({ name, report: { cost, copiedBytes } }) => [
    name,
    formatCount(cost.areaLocks),
    cost.contendedLocks === null ? '–' : formatCount(cost.contendedLocks),
    formatCount(cost.probes),
    formatCount(cost.lookups),
    formatCount(cost.listSteps),
    formatCount(cost.pageAllocations),
    formatCount(cost.conversions),
    formatBytes(copiedBytes),
    cost.estimatedNs === null ? '–' : formatDuration(cost.estimatedNs),
  ]);
  const costHeader = [
    'policy',
    '>area locks',
    '>contended',
    '>probes',
    '>look-ups',
    '>list steps',
    '>page allocations',
    '>conversions',
    '>copied',
    '>estimated time',
  ];
  const blocks: ReportBlock[] = [];
  const hasTime = shown.every((run) => run.hasTime);
  if (shown.some((run) => run.series.length > 1)) {
    const chart = { kind: 'slots' as const, title: 'Slots in use', runs: shown, hasTime };
    blocks.push({ kind: 'chart', chart });
  }
  blocks.push({
    kind: 'table',
    caption: shown.some((run) => run.basis === 'recorded')
      ? 'Recorded: what the trace shows. Modelled: the same requests replayed.'
      : 'The requests of the trace, replayed',
    header,
    rows,
  });
  blocks.push({ kind: 'table', caption: 'What it costs, modelled', header: costHeader, rows: costs });
  const causes = shown.flatMap(({ name, report }) =>
    report.failed === 0
      ? []
      : [`${name}: ${describeCauseCounts(new Map(Object.entries(report.failuresByCause) as [Cause, number][]))}`],
  );
  if (causes.length > 0) {
    blocks.push({ kind: 'text', text: 'Why requests fail under each:' }, { kind: 'list', items: causes });
  }
  const otherwise = shown.flatMap(({ name, uncertainty }) => uncertaintyRows(name, uncertainty));
  if (otherwise.length > 0) {
    const caption = 'Where what had to be assumed is otherwise';
    const header = ['policy', 'assumed otherwise', '>failed', '>stalls', '>peak used', '>memory peak'];
    blocks.push({ kind: 'table', caption, header, rows: otherwise });
  }
  const params = paramRows(shown);
  if (params.length > 0) {
    const caption = 'Parameters that are not defaults';
    blocks.push({
      kind: 'table',
      caption,
      header: ['parameter', 'value', 'from', 'because', 'policies'],
      rows: params,
    });
  }
  return blocks;
}

function uncertaintyRows(policy: string, uncertainty: UncertaintyReport | null): string[][] {
  if (uncertainty === null) {
    return [];
  }
  const { sensitivity, classVariants, contextVariants, attributeVariants } = uncertainty;
  const lifetimes = sensitivity?.variants.map((variant) => [`lifetimes: ${variant.name}`, variant] as const) ?? [];
  const classes = classVariants?.map((variant) => [`unknown devices: ${variant.unknownClass}`, variant] as const) ?? [];
  const contexts = contextVariants?.map((variant) => [`who may sleep: ${variant.context}`, variant] as const) ?? [];
  const attributes =
    attributeVariants?.map((variant) => [`devices need: ${variant.devicesNeed} memory`, variant] as const) ?? [];
  return [...lifetimes, ...classes, ...contexts, ...attributes].map(
    ([name, { failed, stalls, usedHighWaterSlots, peakBytes }]) => [
      policy,
      name,
      formatCount(failed),
      stalls.count === 0 ? '–' : formatDuration(stalls.totalNs),
      formatSlotsAndBytes(usedHighWaterSlots),
      formatBytes(peakBytes),
    ],
  );
}

/** Policies that share a value share its row. */
function paramRows(runs: readonly ReportRun[]): string[][] {
  const rows = new Map<string, { readonly cells: string[]; readonly names: string[] }>();
  for (const { name, basis, report } of runs) {
    for (const [param, { value, unit, level, source }] of basis === 'recorded' ? [] : Object.entries(report.params)) {
      if (level === 'default') {
        continue;
      }
      const cells = [param, formatSetting(value, unit), level, source];
      const row = rows.get(cells.join('\n')) ?? { cells, names: [] };
      row.names.push(name);
      rows.set(cells.join('\n'), row);
    }
  }
  return [...rows.values()].map(({ cells, names }) => [...cells, names.join(', ')]);
}

function sizeBlocks(size: SizeReport | null): ReportBlock[] {
  if (size === null || !size.replayable) {
    return [];
  }
  const lines = new Map<string, { bytes: number; failed: number }[]>();
  const areaCounts = new Map<string, Set<number>>();
  for (const { policy, areas } of size.curve) {
    areaCounts.set(policy, (areaCounts.get(policy) ?? new Set()).add(areas));
  }
  for (const point of size.curve) {
    const isOneArea = point.areas === 1 && (areaCounts.get(point.policy)?.size ?? 0) > 1;
    const name = isOneArea ? `${point.policy}, 1 area` : point.policy;
    const line = lines.get(name) ?? [];
    line.push({ bytes: point.bytes, failed: point.failed });
    lines.set(name, line);
  }
  const sizes = [...new Set(size.curve.map((point) => point.bytes))].sort((a, b) => a - b);
  const fixed = size.smallest.find((entry) => entry.policy === 'fixed') ?? size.smallest[0];
  const chart = {
    kind: 'sizes' as const,
    title: 'Requests that fail, by size of the boot pool',
    lines: [...lines].map(([name, points]) => ({ name, points })),
    recommendedBytes: fixed?.bytesAfterRounding ?? null,
  };
  return [
    { kind: 'list', items: size.advice },
    { kind: 'chart', chart },
    {
      kind: 'table',
      caption: 'The smallest pool without avoidable failures',
      header: ['policy', '>slots', 'parameter', '>after rounding', '>areas', '>headroom', '>knee'],
      rows: size.smallest.map((entry) => [
        entry.policy,
        entry.slots === null ? 'none of the sizes' : formatSlotsAndBytes(entry.slots),
        entry.bootParameter ?? '–',
        entry.bytesAfterRounding === null ? '–' : formatBytes(entry.bytesAfterRounding),
        entry.areas === null ? '–' : formatCount(entry.areas),
        formatPercent(entry.headroom),
        entry.kneeSlots === null ? '–' : formatSlotsAndBytes(entry.kneeSlots),
      ]),
    },
    ...(size.areas.length < 2
      ? []
      : [
          {
            kind: 'table' as const,
            caption: 'The recommended fixed pool with fewer areas; contention is a proxy',
            header: ['>areas', 'parameter', '>failed', '>area locks', '>contended'],
            rows: size.areas.map(({ areas, bootParameter, failed, areaLocks, contendedLocks }) => [
              formatCount(areas),
              bootParameter,
              formatCount(failed),
              formatCount(areaLocks),
              formatCount(contendedLocks),
            ]),
          },
        ]),
    ...(size.smallest.every(({ variants }) => variants.length === 0)
      ? []
      : [
          {
            kind: 'table' as const,
            caption: 'The same pools where what had to be assumed is otherwise',
            header: ['policy', 'parameter', 'assumed otherwise', '>failed', '>avoidable', '>memory peak'],
            rows: size.smallest.flatMap(({ policy, bootParameter, variants }) =>
              variants.map(({ name, failed, avoidable, peakBytes }) => [
                policy,
                bootParameter ?? '–',
                name,
                formatCount(failed),
                formatCount(avoidable),
                formatBytes(peakBytes),
              ]),
            ),
          },
        ]),
    {
      kind: 'table',
      caption: 'Requests that fail, by size of the boot pool',
      header: ['>size', ...[...lines.keys()].map((name) => `>${name}`)],
      rows: sizes.map((bytes) => [
        formatBytes(bytes),
        ...[...lines.values()].map((points) => {
          const failed = points.filter((point) => point.bytes === bytes).map((point) => point.failed);
          return failed.length === 0 ? '–' : formatCount(Math.min(...failed));
        }),
      ]),
    },
  ];
}

function deviceBlocks(analysis: Analysis): ReportBlock[] {
  const { devices } = devicesReport(analysis);
  if (devices.length === 0) {
    return [];
  }
  const { header, rows } = deviceTable(devices.slice(0, mostDevices));
  const hidden = devices.length - rows.length;
  const caption = hidden > 0 ? `Largest ${mostDevices} of ${formatCount(devices.length)} devices` : 'Who uses the pool';
  return [{ kind: 'table', caption, header, rows }];
}

function geometryBlocks({ geometry, sources }: InfoReport): ReportBlock[] {
  const rows = Object.entries(geometry.evidence).map(([name, { level, text, file, line }]) => [
    name,
    level,
    file === undefined ? text : `${text} (${nameOf(file)}${line === undefined ? '' : `:${line}`})`,
  ]);
  const pools = geometry.pools
    .filter((pool) => pool.kind !== 'transient')
    .slice(0, 16)
    .map(
      (pool) =>
        `${pool.kind} pool: ${pool.slots === null ? 'size unknown' : formatSlotsAndBytes(pool.slots)}` +
        `${pool.start === null ? '' : ` at ${pool.start}`}${pool.areas === null ? '' : `, ${plural(pool.areas, 'area')}`}`,
    );
  const kernel = [
    geometry.kernel === null ? 'kernel unknown' : `allocator of ${geometry.kernel}`,
    geometry.dynamic === null ? null : geometry.dynamic ? 'dynamic' : 'fixed pool',
    geometry.cpus === null ? null : plural(geometry.cpus, 'CPU'),
  ].filter((part) => part !== null);
  const inputs = sources.map((source) => [
    nameOf(source.file),
    source.format,
    formatCount(source.lines),
    source.clock || '–',
  ]);
  return [
    { kind: 'list', items: [kernel.join(', '), ...pools] },
    { kind: 'table', caption: 'Inputs', header: ['file', 'format', '>lines', 'clock'], rows: inputs },
    ...(rows.length === 0
      ? []
      : [{ kind: 'table' as const, caption: 'How it is known', header: ['field', 'from', 'because'], rows }]),
  ];
}

function verifyBlocks(verify: VerifyReport | null): ReportBlock[] {
  if (verify === null) {
    return [];
  }
  if (verify.checked === 0) {
    return [{ kind: 'text', text: 'Nothing can be checked: no request has a recorded bounce address.' }];
  }
  const good = verify.exact + verify.learned;
  const decided = verify.checked - verify.undecided;
  const blocks: ReportBlock[] = [
    {
      kind: 'text',
      text:
        `The model reproduces ${formatCount(good)} of ${plural(decided, 'recorded result')}` +
        `${decided === 0 ? '' : ` (${formatPercent(good / decided)})`}, generation ${verify.generation}; ` +
        `${formatCount(verify.undecided)} undecided.`,
    },
  ];
  if (verify.mismatched.length > 0) {
    blocks.push({
      kind: 'table',
      caption: `Results that differ: ${formatCount(verify.mismatchedCount)}`,
      header: ['>line', 'recorded', 'modelled', 'why'],
      rows: verify.mismatched
        .slice(0, mostMismatches)
        .map(({ line, recorded, modelled, why }) => [formatCount(line), recorded, modelled, why]),
    });
  }
  return blocks;
}

function ledgerBlocks({ ledger }: InfoReport, runs: readonly ReportRun[]): ReportBlock[] {
  const notes = ledger.notes.map((note) => [note.level, formatCount(note.count), note.text]);
  const ofRuns = runs.flatMap((run) =>
    // The report of a run repeats the trace's own notes first.
    run.report.ledger.notes
      .slice(ledger.notes.length)
      .map((note) => [note.level, note.count === 0 ? '' : formatCount(note.count), `${run.name}: ${note.text}`]),
  );
  const improvements = ledger.completeness.parts.flatMap(({ name, howToImprove }) =>
    howToImprove === null ? [] : [`${name}: ${howToImprove}`],
  );
  const rows = [...notes, ...ofRuns];
  return [
    {
      kind: 'text',
      text:
        `Lines: ${formatCount(ledger.understood)} understood, ${formatCount(ledger.counted)} counted only, ` +
        `${formatCount(ledger.notUnderstood)} not understood. Requests: ${ledgerLine(ledger)}.`,
    },
    ...(rows.length === 0
      ? []
      : [
          {
            kind: 'table' as const,
            caption: 'What was derived, assumed, modelled or lost',
            header: ['level', '>count', 'what'],
            rows,
          },
        ]),
    { kind: 'text', text: `Completeness of the input: ${ledger.completeness.score} of 100.` },
    ...(improvements.length === 0 ? [] : [{ kind: 'list' as const, items: improvements }]),
  ];
}
