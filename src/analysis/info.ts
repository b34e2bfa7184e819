import { formatHex } from '../base/address';
import { formatBytes } from '../base/format';
import type { MemoryRange } from '../model/bundle';
import type { Evidence } from '../model/evidence';
import type { PoolGeometry } from '../model/geometry';
import type { GeometryReport, InfoReport } from '../model/reports';
import type { Source } from '../model/tables';
import { formats } from '../trace/formats';
import type { Analysis } from './analysis';
import { guidanceFor } from './guidance';
import { ledgerOf } from './ledger';

/** What an input is: its format, how much of it was understood, and the kernel it was recorded on. */
export function info(analysis: Analysis): InfoReport {
  const { tables } = analysis;
  const ledger = ledgerOf(analysis);
  const bySource = new Map(analysis.sourceLedgers.map((entry) => [entry.source, entry]));
  return {
    file: analysis.file,
    format: mainFormat(analysis),
    lines: analysis.sourceLedgers.reduce((sum, entry) => sum + entry.lines, 0),
    events: countEvents(analysis),
    requests: tables.counts.requests,
    bounced: tables.counts.bounced,
    firstTimeNs: finiteOrNull(tables.firstTimeNs),
    lastTimeNs: finiteOrNull(tables.lastTimeNs),
    geometry: geometryReport(analysis),
    ledger,
    sources: tables.sources.map((source) => ({
      file: source.path,
      format: source.format,
      lines: bySource.get(source.id)?.lines ?? 0,
      clock: source.clock,
      ...clockOffset(source),
    })),
    guidance: guidanceFor(analysis),
    problems: analysis.problems,
  };
}

/** What to add to a source's times; a guess has no uncertainty, and clocks that cannot be compared have no offset. */
function clockOffset(source: Source): { readonly offsetNs: number | null; readonly offsetErrorNs: number | null } {
  const isGuess = Number.isNaN(source.offsetErrorNs);
  const isNothing = source.origin === null || source.timeUnit === 'order' || (isGuess && source.offsetNs === 0);
  return {
    offsetNs: isNothing && isGuess ? null : source.offsetNs,
    offsetErrorNs: isGuess ? null : source.offsetErrorNs,
  };
}

/** The format of the source with the most lines; traces before logs, logs before what lies beside them. */
function mainFormat(analysis: Analysis): string {
  let format = 'unknown';
  let most = -1;
  let bestRank = Number.POSITIVE_INFINITY;
  for (const ledger of analysis.sourceLedgers) {
    const found = formats.tryGet(analysis.tables.sources[ledger.source]?.format ?? '');
    const rank = found === undefined ? Number.POSITIVE_INFINITY : familyRank[found.family];
    if (found !== undefined && (rank < bestRank || (rank === bestRank && ledger.lines > most))) {
      format = found.id;
      most = ledger.lines;
      bestRank = rank;
    }
  }
  return format;
}

const familyRank = { trace: 0, log: 1, samples: 2 } as const;

/** Lines that are events, of the field or only counted: comments, headers and log lines are not. */
function countEvents(analysis: Analysis): number {
  let events = 0;
  for (const ledger of analysis.sourceLedgers) {
    for (const [name, count] of Object.entries(ledger.understoodByName)) {
      events += isEventName(name) ? count : 0;
    }
    for (const [name, count] of Object.entries(ledger.countedByName)) {
      events += isEventName(name) ? count : 0;
    }
  }
  return events;
}

/** Kernel log lines, samples and other text are lines of the input but no events. */
function isEventName(name: string): boolean {
  return !/^(kernel log|other text|debugfs|comment|header|blank|samples?|lost)/i.test(name);
}

/** The recorded kernel with the evidence of every field. */
export function geometryReport(analysis: Analysis): GeometryReport {
  const { geometry } = analysis;
  const evidence: Record<string, GeometryReport['evidence'][string]> = {};
  const add = (name: string, from: Evidence) => {
    evidence[name] = evidenceReport(analysis, from);
  };
  add('kernel', geometry.generation.evidence);
  add('dynamic', geometry.dynamic.evidence);
  add('pageSize', geometry.pageSize.evidence);
  add('cpus', geometry.cpus.evidence);
  add('defaultSlots', geometry.defaultSlots.evidence);
  add('defaultAreas', geometry.defaultAreas.evidence);
  const memory = memoryEvidence(analysis);
  if (memory !== null) {
    add('memory', memory);
  }
  geometry.pools.forEach((pool, index) => {
    add(`pools[${index}].start`, pool.start.evidence);
    add(`pools[${index}].slots`, pool.slots.evidence);
    add(`pools[${index}].areas`, pool.areas.evidence);
  });
  return {
    kernel: isTold(geometry.generation.evidence) ? geometry.generation.value : null,
    dynamic: isTold(geometry.dynamic.evidence) ? geometry.dynamic.value : null,
    pools: [...geometry.pools, ...geometry.recordedPools].map(poolReport),
    cpus: isTold(geometry.cpus.evidence) ? geometry.cpus.value : null,
    evidence,
    devices: geometry.devices
      .filter((device) => device.name !== '')
      .map((device) => ({
        name: device.name,
        driver: analysis.tables.devices[device.device]?.driver || null,
        dmaMaskBits:
          isTold(device.dmaMaskBits.evidence) && device.dmaMaskBits.value >= 0 ? device.dmaMaskBits.value : null,
        minAlignMask: isTold(device.minAlignMask.evidence) ? formatHex(device.minAlignMask.value) : null,
        evidence: device.minAlignMask.evidence.text,
      })),
  };
}

/** RAM below and above 4 GiB by `/proc/iomem`: what lies above is what devices with a short mask cannot reach. */
function memoryEvidence({ tables }: Analysis): Evidence | null {
  let low = 0;
  let high = 0;
  let first: MemoryRange | undefined;
  for (const fact of tables.bundleFacts ?? []) {
    if (fact.kind === 'memory-range' && !fact.isPool) {
      first ??= fact;
      low += Math.max(0, Math.min(fact.end, 2 ** 32) - fact.start);
      high += Math.max(0, fact.end - Math.max(fact.start, 2 ** 32));
    }
  }
  if (first === undefined) {
    return null;
  }
  const above = high === 0 ? 'none' : formatBytes(high);
  const text = `The machine has ${formatBytes(low)} of RAM below 4 GiB and ${above} above.`;
  return { level: 'recorded', text, source: first.source, line: first.line };
}

function poolReport(pool: PoolGeometry): GeometryReport['pools'][number] {
  return {
    start: isTold(pool.start.evidence) && Number.isFinite(pool.start.value) ? formatHex(pool.start.value) : null,
    slots: isTold(pool.slots.evidence) && pool.slots.value > 0 ? pool.slots.value : null,
    areas: isTold(pool.areas.evidence) && pool.areas.value > 0 ? pool.areas.value : null,
    kind: pool.kind,
  };
}

/** A default or an assumption is not knowledge: such fields are null in the report. */
function isTold(evidence: Evidence): boolean {
  return evidence.level !== 'default' && evidence.level !== 'assumed';
}

function evidenceReport(analysis: Analysis, evidence: Evidence): GeometryReport['evidence'][string] {
  const source = evidence.source === undefined ? undefined : analysis.tables.sources[evidence.source];
  return {
    level: evidence.level,
    text: evidence.text,
    ...(evidence.line !== undefined && evidence.line > 0 ? { line: evidence.line } : {}),
    ...(source !== undefined ? { file: source.path } : {}),
  };
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
