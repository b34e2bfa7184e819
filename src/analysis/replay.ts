import { formatHex } from '../base/address';
import { lowerBound, upperBound } from '../base/bisect';
import { causes } from '../model/cause';
import type { EvidenceLevel } from '../model/evidence';
import { ReplayOutcome, type ReplayResult, type ReplaySeries } from '../model/replayResult';
import type { LedgerReport, PoliciesReport, ReplayReport, SeriesWindow } from '../model/reports';
import type { Nanoseconds } from '../model/units';
import { commonParams } from '../replay/commonParams';
import { costModelFrom } from '../replay/costModel';
import { createModelEnvironment, type EnvironmentSettings } from '../replay/environment';
import { policies } from '../replay/policies';
import type { Policy } from '../replay/policy';
import { replay } from '../replay/replay';
import type { ParamSettings } from '../replay/settings';
import type { Analysis } from './analysis';
import { ledgerOf } from './ledger';
import {
  checkedSettings,
  environmentSettings,
  geometryFor,
  optionsFrom,
  planOf,
  policyOf,
  type ReplayRequest,
} from './replaySetup';

export interface ReplayAnswer {
  readonly report: ReplayReport;
  readonly result: ReplayResult;
}

/** Replays the trace under a policy. Throws ReplaySettingError for settings that no policy has. */
export function replayReport(analysis: Analysis, request: ReplayRequest): ReplayAnswer {
  const policy = policyOf(request.policy);
  const settings = checkedSettings(policy, request.set ?? {});
  const { tables } = analysis;
  const geometry = geometryFor(analysis, request.overrides, settings);
  const options = { ...optionsFrom(settings, request), costModel: costModelFrom(tables, settings) };
  const machine = environmentSettings(tables, geometry, settings);
  const result = replay(
    tables,
    geometry,
    policy,
    settings,
    createModelEnvironment(machine),
    options,
    planOf(tables, options.bounceAll),
  );
  return { result, report: reportOf(analysis, policy, settings, machine, result) };
}

/** Every policy with its parameters; those that every replay has come last. */
export function policiesReport(): PoliciesReport {
  return {
    policies: policies.values().map((policy) => ({
      id: policy.id,
      title: policy.title,
      explanation: policy.explanation,
      source: policy.source,
      params: [...policy.params, ...commonParams].map(
        ({ name, title, unit, default: value, source, min, max, choices }) => ({
          name,
          title,
          unit,
          default: value,
          source,
          min: min ?? null,
          max: max ?? null,
          choices: choices ?? null,
        }),
      ),
    })),
  };
}

function reportOf(
  analysis: Analysis,
  policy: Policy,
  settings: ParamSettings,
  machine: EnvironmentSettings,
  result: ReplayResult,
): ReplayReport {
  const params: Record<string, ReplayReport['params'][string]> = {};
  for (const { name, value, unit, evidence } of result.params) {
    params[name] = { value, unit, level: evidence.level, source: evidence.text };
  }
  for (const param of commonParams) {
    const given = settings[param.name];
    params[param.name] = {
      value: given ?? param.default,
      unit: param.unit,
      level: given === undefined ? 'default' : 'user',
      source: given === undefined ? param.source : 'given by the user',
    };
  }
  for (const [order, { value, evidence }] of machine.successByOrder) {
    params[`successOfOrder${order}`] = { value, unit: '', level: evidence.level, source: evidence.text };
  }
  for (const { name, value, unit, evidence } of result.costModel) {
    params[name] = { value, unit, level: evidence.level, source: evidence.text };
  }
  return {
    file: analysis.file,
    policy: policy.id,
    title: policy.title,
    params,
    replayable: result.replayable,
    missing: result.missing,
    requests: result.requestCount,
    served: result.served,
    failed: result.failed,
    failuresByCause: result.failuresByCause,
    usedHighWaterSlots: result.usedHighWaterSlots,
    capacityPeakSlots: result.capacityPeakSlots,
    transient: result.transient,
    pools: result.pools.map((pool) => ({
      id: pool.id,
      kind: pool.kind,
      start: formatHex(pool.start),
      slots: pool.slots,
      areas: pool.areas,
      addedAtNs: pool.addedAtNs,
      removedAtNs: pool.removedAtNs,
    })),
    memory: result.memory,
    copiedBytes: result.copiedBytes,
    stalls: result.stalls,
    workerRuns: result.workerRuns,
    cost: result.cost,
    assumed: result.assumed,
    ledger: ledgerWith(ledgerOf(analysis), result, isRecordedKernel(analysis, policy, result)),
  };
}

/** The replay should repeat the recording: same policy, same pool. */
function isRecordedKernel({ geometry }: Analysis, policy: Policy, { params }: ReplayResult): boolean {
  const recorded = geometry.dynamic.value ? 'dynamic' : 'fixed';
  return policy.id === recorded && params.every(({ evidence }) => evidence.level !== 'user');
}

const sameKernelDiffers =
  'Requests whose outcome differs from the recording, though kernel and pool are the recorded ones: lines tell when a ' +
  'result was printed, not in which order CPUs took the locks, and one other placement changes those after it ' +
  '(verify tries the possible orders)';

/** The trace's ledger with what this replay assumed on top. */
function ledgerWith(ledger: LedgerReport, result: ReplayResult, isRecorded: boolean): LedgerReport {
  const { assumed } = result;
  const differs = isRecorded ? sameKernelDiffers : 'Requests whose outcome differs from the recording';
  const counts: readonly (readonly [EvidenceLevel, number, string])[] = [
    ['assumed', assumed.lifetimes, 'Requests whose end the trace does not say: their lifetimes are assumed'],
    ['modelled', assumed.counterfactual, differs],
    ['modelled', assumed.retriesDropped, 'Retries left out because the first attempt is served now'],
    ['assumed', assumed.splits, 'Requests above the largest mapping, split as the block layer would'],
    ['assumed', assumed.movedFromBefore, 'Mappings from before the trace that are not at their recorded address'],
  ];
  return {
    ...ledger,
    notes: [
      ...ledger.notes,
      ...counts.filter(([, count]) => count > 0).map(([level, count, text]) => ({ level, count, text })),
      ...result.notes.map((text) => ({ level: 'modelled' as const, count: 0, text })),
    ],
  };
}

/** One row per replayed request in trace order: header `line,timeNs,device,sizeBytes,outcome,cause,pool,poolKind,slot,bounceAddress`. */
export function requestsCsv(analysis: Analysis, result: ReplayResult): string {
  const { requests, devices } = analysis.tables;
  const columns = requests.columns;
  const kinds = new Map(result.pools.map((pool) => [pool.id, pool.kind]));
  const lines = ['line,timeNs,device,sizeBytes,outcome,cause,pool,poolKind,slot,bounceAddress'];
  for (let row = 0; row < result.requests.outcome.length; row++) {
    const outcome = result.requests.outcome[row];
    if (outcome !== ReplayOutcome.served && outcome !== ReplayOutcome.failed) {
      continue;
    }
    const isServed = outcome === ReplayOutcome.served;
    const timeNs = columns.enterNs[row]!;
    const pool = result.requests.pool[row]!;
    lines.push(
      [
        columns.mapLine[row]! || columns.enterLine[row]!,
        Number.isNaN(timeNs) ? '' : timeNs,
        csvCell(devices[columns.device[row]!]?.name ?? ''),
        columns.sizeBytes[row],
        isServed ? 'served' : 'failed',
        isServed ? '' : (causes[result.requests.cause[row]!] ?? 'unknown'),
        isServed ? pool : '',
        isServed ? (kinds.get(pool) ?? '') : '',
        isServed ? result.requests.slot[row] : '',
        isServed ? formatHex(result.requests.bounceAddress[row]!) : '',
      ].join(','),
    );
  }
  return `${lines.join('\n')}\n`;
}

/** `time,policy,used,capacity,transient,failures`, one row per change; time in nanoseconds, or steps without a clock. */
export function seriesCsv(results: ReplayResult | readonly ReplayResult[]): string {
  const lines = ['time,policy,used,capacity,transient,failures'];
  for (const { policy, series } of Array.isArray(results)
    ? (results as readonly ReplayResult[])
    : [results as ReplayResult]) {
    for (let i = 0; i < series.length; i++) {
      lines.push(
        `${series.timeNs[i]},${policy},${series.usedSlots[i]},${series.capacitySlots[i]},${series.transientSlots[i]},${series.failures[i]}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * The series between two times in at most `buckets` stretches.
 * Of each stretch the points with the least and the most of every level stay, so that no peak is lost; the first point
 * carries the levels on entry, the last one those at the end.
 */
export function seriesWindow(
  series: ReplaySeries,
  fromNs: Nanoseconds,
  toNs: Nanoseconds,
  buckets: number,
): SeriesWindow {
  const first = Math.max(0, upperBound(series.timeNs, fromNs, series.length) - 1);
  const end = Math.max(first, upperBound(series.timeNs, toNs, series.length));
  const picked = end - first <= buckets * 2 ? range(first, end) : pickPeaks(series, first, end, fromNs, toNs, buckets);
  const column = (values: Float64Array): number[] => picked.map((index) => values[index]!);
  const timeNs = column(series.timeNs);
  if (timeNs.length > 0 && timeNs[0]! < fromNs) {
    timeNs[0] = fromNs;
  }
  return {
    timeNs,
    usedSlots: column(series.usedSlots),
    hiwaterSlots: column(series.hiwaterSlots),
    capacitySlots: column(series.capacitySlots),
    transientSlots: column(series.transientSlots),
    memoryBytes: column(series.memoryBytes),
    failures: column(series.failures),
    stalledNs: column(series.stalledNs).map((value) => (Number.isNaN(value) ? null : value)),
  };
}

function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index);
}

function pickPeaks(
  series: ReplaySeries,
  first: number,
  end: number,
  fromNs: Nanoseconds,
  toNs: Nanoseconds,
  buckets: number,
): number[] {
  const picked: number[] = [first];
  const levels = [series.usedSlots, series.transientSlots, series.memoryBytes];
  let start = first + 1;
  for (let bucket = 0; bucket < buckets && start < end; bucket++) {
    const untilNs = fromNs + ((toNs - fromNs) * (bucket + 1)) / buckets;
    const stop = bucket === buckets - 1 ? end : Math.min(end, lowerBound(series.timeNs, untilNs, series.length));
    if (stop <= start) {
      continue;
    }
    const chosen = new Set<number>([start, stop - 1]);
    for (const level of levels) {
      let least = start;
      let most = start;
      for (let i = start; i < stop; i++) {
        if (level[i]! < level[least]!) {
          least = i;
        }
        if (level[i]! > level[most]!) {
          most = i;
        }
      }
      chosen.add(least).add(most);
    }
    picked.push(...[...chosen].sort((a, b) => a - b));
    start = stop;
  }
  return picked;
}
