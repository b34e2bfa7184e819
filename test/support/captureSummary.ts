import { readdirSync, readFileSync } from 'node:fs';
import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { diagnose } from '../../src/analysis/diagnose';
import { verifyReport } from '../../src/analysis/verify';
import type { Known } from '../../src/model/evidence';
import { listMembers } from '../../src/node/captureFolder';
import { unpackBytes } from './fixtures';

/** Reads a folder as the command line does: the same members in the same order. */
export function analyseFolder(folder: URL): Analysis {
  const builder = createAnalysis();
  for (const name of listMembers(readdirSync(folder)).members) {
    const source = builder.openSource({ path: name.replace(/\.(?:gz|zst)$/, '') });
    source.push(unpackBytes(readFileSync(new URL(encodeURIComponent(name), folder))));
    source.end();
  }
  return builder.snapshot();
}

/** What an analysis found, in lines that a person can check against the capture. */
export function summarize(analysis: Analysis): string {
  return [
    ...sourceLines(analysis),
    ...requestLines(analysis),
    ...geometryLines(analysis),
    ...failureLines(analysis),
    ...verifyLines(analysis),
    ...analysis.problems.map(
      ({ code, severity, source, line, count }) =>
        `problem: ${code} (${severity}) ${analysis.tables.sources[source]?.path}:${line}, ${count} in all`,
    ),
    '',
  ].join('\n');
}

function sourceLines(analysis: Analysis): string[] {
  const lines: string[] = [];
  for (const ledger of analysis.sourceLedgers) {
    const source = analysis.tables.sources[ledger.source];
    lines.push(
      `${source.path}: ${source.format}, ${source.clock === '' ? 'no clock named' : `clock ${source.clock}`}, ${source.timeUnit}, ${ledger.lines} lines = ${ledger.understood} understood + ${ledger.counted} counted + ${ledger.notUnderstood} not understood`,
      ...counts('understood', ledger.understoodByName),
      ...counts('counted', ledger.countedByName),
      ...ledger.notUnderstoodExamples.map(({ line, text }) => `  not understood: ${line}: ${text.slice(0, 100)}`),
    );
    if (ledger.lostEvents > 0) {
      lines.push(`  lost: ${ledger.lostEvents} (${pairs(ledger.lostByCpu)})`);
    }
    if (ledger.overwritten > 0) {
      lines.push(`  overwritten: ${ledger.overwritten}`);
    }
    // A file without time stamps has no clock to join.
    const hasTime = source.origin !== null && source.timeUnit === 'ns';
    if (hasTime && (source.offsetNs !== 0 || Number.isNaN(source.offsetErrorNs))) {
      lines.push(
        Number.isNaN(source.offsetErrorNs)
          ? '  clock not joined'
          : `  clock joined: ${(source.offsetNs / 1e6).toFixed(3)} ms ± ${(source.offsetErrorNs / 1e6).toFixed(3)} ms`,
      );
    }
  }
  return lines;
}

function requestLines({ tables }: Analysis): string[] {
  const { requests, ...others } = tables.counts;
  const facts = new Map<number, number>();
  for (let row = 0; row < tables.facts.length; row++) {
    const kind = tables.facts.columns.kind[row];
    facts.set(kind, (facts.get(kind) ?? 0) + 1);
  }
  const outcome = tables.logFailures.filter(({ request }) => request >= 0).length;
  return [
    `requests: ${requests} (${pairs(others)})`,
    `log failures: ${tables.logFailures.length}, joined ${outcome}`,
    `samples ${tables.samples.length}, facts ${tables.facts.length}, log records ${tables.logs.length}, pools named ${tables.pools.length}`,
  ];
}

function geometryLines({ geometry }: Analysis): string[] {
  const show = <T>(known: Known<T>, text: (value: T) => string = String): string =>
    `${text(known.value)} [${known.evidence.level}: ${known.evidence.text}]`;
  const hex = (value: number) => (Number.isFinite(value) ? `0x${value.toString(16)}` : 'unknown');
  const grown = geometry.recordedPools.filter(({ kind }) => kind === 'grown');
  return [
    `generation ${show(geometry.generation)}`,
    `dynamic ${show(geometry.dynamic)}`,
    `cpus ${show(geometry.cpus)}`,
    ...geometry.pools.flatMap(({ kind, start, slots, areas }) => [
      `${kind} pool at ${show(start, hex)}`,
      `  slots ${show(slots)}`,
      `  areas ${show(areas)}`,
    ]),
    `recorded pools: ${grown.length} grown, ${geometry.recordedPools.length - grown.length} others`,
    ...geometry.devices
      .filter(({ name }) => name !== '')
      .map(
        ({ name, dmaMaskBits, minAlignMask }) =>
          `device ${name}: mask ${show(dmaMaskBits)}, min_align ${show(minAlignMask, hex)}`,
      ),
  ];
}

function failureLines(analysis: Analysis): string[] {
  const report = diagnose(analysis);
  const causes: Record<string, number> = {};
  for (const { cause, source } of report.failures) {
    const key = `${cause} (${source})`;
    causes[key] = (causes[key] ?? 0) + 1;
  }
  return [
    `failures: ${report.failures.length}${report.failures.length === 0 ? '' : ` = ${pairs(causes)}`}`,
    ...report.episodes.map(
      ({ cause, device, count, suppressed, firstLine, lastLine }) =>
        `  episode: ${cause}, ${device ?? 'no device'}, ${count}, suppressed ${suppressed}, lines ${firstLine}-${lastLine}`,
    ),
    ...report.warnings.map(({ code, line }) => `warning: ${code} at ${line}`),
    ...(report.guidance === null ? [] : [`guidance: ${report.guidance.kind}: ${report.guidance.title}`]),
  ];
}

function verifyLines(analysis: Analysis): string[] {
  const { mismatched, skipped, generation, requests, ...numbers } = verifyReport(analysis);
  const { file: _, ...counted } = numbers;
  return [
    `verify ${generation}: ${requests} requests, ${pairs(counted)}`,
    ...Object.entries(skipped).map(([why, count]) => `  skipped: ${why}: ${count}`),
    ...mismatched
      .slice(0, 5)
      .map(({ line, recorded, modelled, why }) => `  mismatch: ${line}: ${recorded}, model ${modelled}: ${why}`),
  ];
}

function counts(what: string, byName: Readonly<Record<string, number>>): string[] {
  return Object.keys(byName).length === 0 ? [] : [`  ${what}: ${pairs(byName)}`];
}

function pairs(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
