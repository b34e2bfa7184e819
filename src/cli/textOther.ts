import type { BootSizeReport } from '../analysis/bootSize';
import { ledgerLine, ledgerNote } from '../analysis/ledger';
import { deviceTable } from '../analysis/report/deviceTable';
import type { VectorsReport } from '../analysis/vectors';
import {
  formatCount,
  formatDuration,
  formatPercent,
  formatSlotsAndBytes,
  formatTimeRange,
  plural,
} from '../base/format';
import type {
  CompletenessReport,
  DevicesReport,
  Guidance,
  InfoReport,
  PoliciesReport,
  PolicyParamReport,
  VerifyReport,
} from '../model/reports';
import { table } from './table';
import type { Terminal } from './terminal';
import { labelled, printable, wrap } from './terminal';
import { guidanceText } from './textDiagnose';

/** What an input is and how well it was understood. */
export function infoText(report: InfoReport, terminal: Terminal): string {
  const { style, width } = terminal;
  const { geometry } = report;
  if (report.guidance?.kind === 'empty' || report.guidance?.kind === 'not-a-trace') {
    // Nothing was understood: tables of unknowns would only bury the sentence that helps.
    return `${guidanceText(report.guidance, terminal)}\n`;
  }
  const lines = [
    style.bold(
      `${report.file === '-' ? 'standard input' : printable(report.file)}: ${report.format}, ${plural(report.lines, 'line')}, ${plural(report.events, 'event')}`,
    ),
    `${style.dim('requests'.padEnd(10))}${formatCount(report.requests)}, ${formatCount(report.bounced)} bounced`,
  ];
  if (report.firstTimeNs !== null && report.lastTimeNs !== null) {
    lines.push(`${style.dim('time'.padEnd(10))}${formatTimeRange(report.firstTimeNs, report.lastTimeNs)}`);
  }
  const kernel = geometry.kernel === null ? 'unknown' : `allocator of ${geometry.kernel}`;
  const dynamic = geometry.dynamic === null ? '' : geometry.dynamic ? ', dynamic' : ', fixed pool';
  const cpus = geometry.cpus === null ? '' : `, ${plural(geometry.cpus, 'CPU')}`;
  lines.push(`${style.dim('kernel'.padEnd(10))}${kernel}${dynamic}${cpus}`);
  const lasting = geometry.pools.filter((pool) => pool.kind !== 'transient');
  for (const pool of lasting.slice(0, 16)) {
    const size = pool.slots === null ? 'size unknown' : formatSlotsAndBytes(pool.slots);
    const areas = pool.areas === null ? '' : `, ${plural(pool.areas, 'area')}`;
    lines.push(
      `${style.dim('pool'.padEnd(10))}${pool.kind}, ${size}${pool.start === null ? '' : ` at ${pool.start}`}${areas}`,
    );
  }
  for (const device of geometry.devices.slice(0, 16)) {
    const mask = device.dmaMaskBits === null ? '' : `, ${device.dmaMaskBits}-bit mask`;
    const align = device.minAlignMask === null ? '' : `, min_align_mask ${device.minAlignMask}`;
    const driver = device.driver === null ? '' : ` (${printable(device.driver)})`;
    lines.push(`${style.dim('device'.padEnd(10))}${printable(device.name)}${driver}${mask}${align}`);
  }
  if (geometry.devices.length > 16) {
    lines.push(`${' '.repeat(10)}… and ${plural(geometry.devices.length - 16, 'more device')}`);
  }
  lines.push(...sourceLines(report, terminal));
  const told = Object.entries(geometry.evidence).map(([name, { level, text, file, line }]) => [
    name,
    level,
    file === undefined ? text : `${text} (${placeName(report, file)}${line === undefined ? '' : `:${line}`})`,
  ]);
  const counted = Object.entries(report.ledger.countedByName)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 6)
    .map(([name, count]) => `${formatCount(count)} ${printable(name)}`);
  const blocks = [
    lines.join('\n'),
    told.length === 0 ? '' : table(['field', 'from', 'because'], told, terminal),
    [
      labelled(
        'Lines',
        10,
        `${formatCount(report.ledger.understood)} understood, ${formatCount(report.ledger.counted)} counted only${counted.length === 0 ? '' : ` (${counted.join(', ')})`}, ${formatCount(report.ledger.notUnderstood)} not understood`,
        terminal,
      ),
      labelled('Requests', 10, ledgerLine(report.ledger), terminal),
      ...report.ledger.notes.map((note) => wrap(ledgerNote(note), width, '    ', '  • ')),
      ...report.ledger.notUnderstoodExamples
        .slice(0, 5)
        .map((example) =>
          `    ${placeName(report, example.file)}:${example.line}: ${printable(example.text)}`.slice(0, width),
        ),
    ].join('\n'),
    completenessText(report.ledger.completeness, terminal),
    report.guidance === null ? '' : guidanceText(report.guidance, terminal),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** The files of a capture, each with its lines and how its clock was joined. */
function sourceLines(report: InfoReport, { style }: Terminal): string[] {
  if (report.sources.length < 2) {
    return [];
  }
  return report.sources.map(({ file, format, lines, offsetNs, offsetErrorNs }) => {
    const clock =
      offsetNs === null || (offsetNs === 0 && offsetErrorNs === 0)
        ? ''
        : `, clock ${offsetNs < 0 ? '−' : '+'}${formatDuration(Math.abs(offsetNs))}${offsetErrorNs === null ? ' (a guess)' : ` ± ${formatDuration(offsetErrorNs)}`}`;
    return `${style.dim('file'.padEnd(10))}${placeName(report, file)}: ${format}, ${plural(lines, 'line')}${clock}`;
  });
}

/** Within a capture the base name is enough: its files lie in one folder. */
function placeName(report: InfoReport, file: string): string {
  return printable(
    report.sources.length < 2 ? file : file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1),
  );
}

/** The score, and for every part that is not whole what would raise it. */
function completenessText({ score, parts }: CompletenessReport, { style, width }: Terminal): string {
  const rows = parts.map(({ name, weight, got, text, howToImprove }) => {
    const head = `  ${name.padEnd(18)}${`${got}`.padStart(4)} of ${`${weight}`.padStart(2)}  `;
    const told = wrap(`${text}${howToImprove === null ? '' : ` ${howToImprove}`}`, width, ' '.repeat(head.length));
    return `${style.dim(head)}${told.trimStart()}`;
  });
  return [style.bold(`Completeness ${score} of 100`), ...rows].join('\n');
}

/** Who uses the pool, the largest user first. */
export function devicesText(report: DevicesReport, guidance: Guidance | null, terminal: Terminal): string {
  const { style } = terminal;
  const file = report.file === '-' ? 'standard input' : printable(report.file);
  if (report.devices.length === 0) {
    const next = guidance === null ? '' : `\n${guidanceText(guidance, terminal)}\n`;
    return `${style.bold(`No mapping of any device in ${file}.`)}\n${next}`;
  }
  const { header, rows } = deviceTable(report.devices);
  const cells = rows.map((row) => row.map(printable));
  return `${style.bold(`${plural(report.devices.length, 'device')} in ${file}`)}\n\n${table(header, cells, terminal)}\n`;
}

/** How much of the recording the model reproduces. */
export function verifyText(report: VerifyReport, terminal: Terminal): string {
  const { style, width } = terminal;
  const file = report.file === '-' ? 'standard input' : printable(report.file);
  const good = report.exact + report.learned;
  const decided = report.checked - report.undecided;
  const share = decided === 0 ? '' : ` (${formatPercent(good / decided)})`;
  const open =
    report.undecided === 0
      ? ''
      : ` ${formatCount(report.undecided)} cannot be decided: the trace does not tell enough of what was in use.`;
  const verdict =
    report.checked === 0
      ? `Nothing in ${file} can be checked: no request has a recorded bounce address.`
      : `${formatCount(good)} of ${plural(decided, 'address', 'addresses')} reproduced${share} in ${file}, generation ${report.generation}.${open}`;
  const lines = [
    wrap(verdict, width)
      .split('\n')
      .map(report.mismatchedCount === 0 ? style.bold : style.bad)
      .join('\n'),
  ];
  const rows: [string, number][] = [
    ['exact', report.exact],
    ['learned', report.learned],
    ['given base', report.givenBase],
    ['undecided', report.undecided],
    ['mismatched', report.mismatchedCount],
  ];
  for (const [name, count] of rows) {
    lines.push(`${style.dim(name.padEnd(12))}${formatCount(count)}`);
  }
  for (const [reason, count] of Object.entries(report.skipped)) {
    lines.push(labelled('skipped', 12, `${formatCount(count)} ${reason}`, terminal));
  }
  if (report.mismatched.length > 0) {
    lines.push('');
    lines.push(
      table(
        ['>line', 'recorded', 'modelled', 'why'],
        report.mismatched.slice(0, 10).map((miss) => [String(miss.line), miss.recorded, miss.modelled, miss.why]),
        terminal,
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}

export function vectorsText(report: VectorsReport, terminal: Terminal): string {
  const { style } = terminal;
  const summary = `${formatCount(report.agree)} of ${plural(report.operations, 'operation')} agree in ${plural(report.files, 'file')}.`;
  if (report.first === null) {
    return `${style.good(summary)}\n`;
  }
  const { file, line, expected, got } = report.first;
  return [
    style.bad(`${summary} ${formatCount(report.disagree)} disagree.`),
    `First: ${printable(file)}:${line}`,
    `  expected ${expected}`,
    `  got      ${got}`,
    '',
  ].join('\n');
}

/** Each policy with its own parameters; those that all of them take come once, at the end. */
export function policiesText({ policies }: PoliciesReport, terminal: Terminal): string {
  const { style, width } = terminal;
  const isCommon = ({ name }: PolicyParamReport) =>
    policies.every(({ params }) => params.some((param) => param.name === name));
  const paramTable = (params: readonly PolicyParamReport[]) =>
    table(
      ['  parameter', 'default', 'meaning'],
      params.map((param) => [
        `  ${param.name}`,
        `${param.default}${param.unit === '' ? '' : ` ${param.unit}`}`,
        param.title,
      ]),
      terminal,
    );
  const blocks = policies.map(({ id, title, explanation, source, params }) => {
    const own = params.filter((param) => !isCommon(param));
    return [
      `${style.bold(id)}  ${title}`,
      wrap(explanation, width, '  '),
      style.dim(wrap(source, width, '  ')),
      ...(own.length === 0 ? [] : [paramTable(own)]),
    ].join('\n');
  });
  const common = policies[0]?.params.filter(isCommon) ?? [];
  return `${[...blocks, [style.bold('Every policy takes'), paramTable(common)].join('\n')].join('\n\n')}\n`;
}

/** What a kernel makes of a parameter: the result first, then how it got there. */
export function bootText(report: BootSizeReport, terminal: Terminal): string {
  const { style, width } = terminal;
  const verdict =
    report.nslabs === 0
      ? 'This kernel sets up no bounce buffer pool.'
      : `${formatSlotsAndBytes(report.nslabs)} in ${plural(report.areas, 'area')}${report.force ? ', every mapping bounced' : ''}.`;
  return [
    style.bold(verdict),
    ...report.steps.map((step) => wrap(step, width, '    ', '  • ')),
    '',
    style.dim('The kernel log then has'),
    ...report.messages.map((message) => `  ${message}`),
    '',
  ].join('\n');
}
