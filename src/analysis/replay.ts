import { formatHex } from '../base/address';
import { lowerBound, upperBound } from '../base/bisect';
import { causes } from '../model/cause';
import type { EvidenceLevel } from '../model/evidence';
import { known } from '../model/evidence';
import type { Geometry, GeometryOverrides } from '../model/geometry';
import { ReplayOutcome, type ReplayResult, type ReplaySeries } from '../model/replayResult';
import type { TraceTables } from '../model/tables';
import { type Nanoseconds, slotsToBytes } from '../model/units';
import { commonParams } from '../replay/commonParams';
import { calibrateFromFacts, createModelEnvironment, type Environment } from '../replay/environment';
import { createReplayPlan, type ReplayPlan } from '../replay/plan';
import { policies } from '../replay/policies';
import type { Policy, PolicyParam } from '../replay/policy';
import { defaultReplayOptions, type ReplayOptions, replay } from '../replay/replay';
import type { ParamSettings } from '../replay/settings';
import type { Analysis } from './analysis';
import { inferGeometry } from './geometry';
import { ledgerOf } from './ledger';
import type { CompareReport, LedgerReport, ReplayReport } from './reports';

/** What to replay. Everything but the policy has a default. */
export interface ReplayRequest {
  readonly policy: string;
  /** Parameters by name; texts are understood as the parameter's own type. */
  readonly set?: ParamSettings;
  /** The replayed kernel where it differs from the recorded one. */
  readonly overrides?: GeometryOverrides;
  /** Dry run for a confidential VM. */
  readonly bounceAll?: boolean;
  /** Sizing runs do without the series. */
  readonly keepSeries?: boolean;
}

export interface ReplayAnswer {
  readonly report: ReplayReport;
  readonly result: ReplayResult;
}

/** A policy or parameter that does not exist, or a value it cannot take. The message names what is possible. */
export class ReplaySettingError extends Error {
  override readonly name = 'ReplaySettingError';
}

/** Replays the trace under a policy. Throws ReplaySettingError for settings that no policy has. */
export function replayReport(analysis: Analysis, request: ReplayRequest): ReplayAnswer {
  const policy = policyOf(request.policy);
  const settings = checkedSettings(policy, request.set ?? {});
  const { tables } = analysis;
  const geometry = geometryFor(analysis, request.overrides);
  const options = optionsFrom(settings, request);
  const result = replay(
    tables,
    geometry,
    policy,
    settings,
    environmentFrom(tables, geometry, settings),
    options,
    planOf(tables, options.bounceAll),
  );
  return { result, report: reportOf(analysis, policy, settings, result) };
}

export interface CompareRequest extends Omit<ReplayRequest, 'policy'> {
  readonly policies: readonly string[];
}

export interface CompareAnswer {
  readonly report: CompareReport;
  readonly results: readonly ReplayResult[];
}

/** The same trace under several policies. A parameter is given to the policies that have it. */
export function compareReport(analysis: Analysis, request: CompareRequest): CompareAnswer {
  checkSomePolicyTakes(request.policies, request.set ?? {});
  const answers = request.policies.map((policy) =>
    replayReport(analysis, { ...request, policy, set: settingsFor(policy, request.set ?? {}) }),
  );
  return compareAnswers(answers, (answer) => answer.report.policy);
}

/** One policy on several traces (before and after a change). The winner is named by its file. */
export function compareTraces(analyses: readonly Analysis[], request: ReplayRequest): CompareAnswer {
  return compareAnswers(
    analyses.map((analysis) => replayReport(analysis, request)),
    (answer) => answer.report.file,
  );
}

function compareAnswers(answers: readonly ReplayAnswer[], nameOf: (answer: ReplayAnswer) => string): CompareAnswer {
  const replayable = answers.filter((answer) => answer.report.replayable);
  const byFailures = [...replayable].sort(
    (a, b) => a.report.failed - b.report.failed || a.report.memory.peakBytes - b.report.memory.peakBytes,
  );
  const byMemory = [...replayable].sort(
    (a, b) =>
      a.report.memory.peakBytes - b.report.memory.peakBytes ||
      (a.report.memory.byteSeconds ?? 0) - (b.report.memory.byteSeconds ?? 0) ||
      a.report.failed - b.report.failed,
  );
  return {
    results: answers.map((answer) => answer.result),
    report: {
      results: answers.map((answer) => answer.report),
      best: {
        fewestFailures: byFailures[0] === undefined ? null : nameOf(byFailures[0]),
        leastMemory: byMemory[0] === undefined ? null : nameOf(byMemory[0]),
      },
    },
  };
}

export interface PoliciesReport {
  readonly policies: readonly {
    readonly id: string;
    readonly title: string;
    readonly explanation: string;
    readonly source: string;
    readonly params: readonly Pick<PolicyParam, 'name' | 'title' | 'unit' | 'default' | 'source'>[];
  }[];
}

/** Every policy with its parameters; those that every replay has come last. */
export function policiesReport(): PoliciesReport {
  return {
    policies: policies.values().map((policy) => ({
      id: policy.id,
      title: policy.title,
      explanation: policy.explanation,
      source: policy.source,
      params: [...policy.params, ...commonParams].map(({ name, title, unit, default: value, source }) => ({
        name,
        title,
        unit,
        default: value,
        source,
      })),
    })),
  };
}

function policyOf(id: string): Policy {
  const policy = policies.tryGet(id);
  if (policy === undefined) {
    throw new ReplaySettingError(`'${id}' is no policy; there are ${policies.ids().join(', ')}`);
  }
  return policy;
}

function paramsOf(policy: Policy): readonly PolicyParam[] {
  return [...policy.params, ...commonParams];
}

function settingsFor(policyId: string, set: ParamSettings): ParamSettings {
  const names = new Set(paramsOf(policyOf(policyId)).map((param) => param.name));
  return Object.fromEntries(Object.entries(set).filter(([name]) => names.has(name)));
}

function checkSomePolicyTakes(policyIds: readonly string[], set: ParamSettings): void {
  const names = new Set(policyIds.flatMap((id) => paramsOf(policyOf(id)).map((param) => param.name)));
  for (const name of Object.keys(set)) {
    if (!names.has(name)) {
      throw new ReplaySettingError(`none of ${policyIds.join(', ')} has a parameter '${name}'`);
    }
  }
}

/** Settings with the type their parameter has. */
function checkedSettings(policy: Policy, set: ParamSettings): ParamSettings {
  const checked: Record<string, number | string | boolean> = {};
  for (const [name, value] of Object.entries(set)) {
    const param = paramsOf(policy).find((candidate) => candidate.name === name);
    if (param === undefined) {
      const names = paramsOf(policy).map((candidate) => candidate.name);
      throw new ReplaySettingError(`policy '${policy.id}' has no parameter '${name}'; it has ${names.join(', ')}`);
    }
    checked[name] = checkedValue(param, value);
  }
  return checked;
}

function checkedValue(param: PolicyParam, value: number | string | boolean): number | string | boolean {
  switch (typeof param.default) {
    case 'boolean': {
      if (typeof value === 'boolean') {
        return value;
      }
      if (value === 'true' || value === 'false') {
        return value === 'true';
      }
      throw new ReplaySettingError(`'${param.name}' is true or false, not '${value}'`);
    }
    case 'number': {
      const number = typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value);
      if (!Number.isFinite(number) || typeof value === 'boolean') {
        throw new ReplaySettingError(`'${param.name}' is a number, not '${value}'`);
      }
      if (number < (param.min ?? Number.NEGATIVE_INFINITY) || number > (param.max ?? Number.POSITIVE_INFINITY)) {
        const range = `${param.min ?? 'any'} … ${param.max ?? 'any'}`;
        throw new ReplaySettingError(`'${param.name}' must be in ${range}, ${number} is not`);
      }
      return number;
    }
    default:
      return String(value);
  }
}

function optionsFrom(settings: ParamSettings, request: ReplayRequest): ReplayOptions {
  const number = (name: string, fallback: number): number => Number(settings[name] ?? fallback);
  const lifetime = settings['assumedLifetimeNs'];
  return {
    bounceAll: request.bounceAll ?? false,
    dropRetries: settings['dropRetries'] !== false,
    assumedLifetimeNs: number('assumedLifetimeNs', defaultReplayOptions.assumedLifetimeNs),
    assumedLifetimeSteps: Number(lifetime ?? defaultReplayOptions.assumedLifetimeSteps),
    lifetimeQuantile: number('lifetimeQuantile', defaultReplayOptions.lifetimeQuantile),
    lifetimeScale: number('lifetimeScale', defaultReplayOptions.lifetimeScale),
    context: settings['context'] === 'alwaysAtomic' ? 'alwaysAtomic' : 'fromFlags',
    keepSeries: request.keepSeries ?? true,
  };
}

/**
 * The replayed kernel: what the user gives, else what was recorded.
 * Devices stay those of the recording: their masks show in the recorded addresses, not in the pool to be tried.
 */
function geometryFor(analysis: Analysis, overrides: GeometryOverrides | undefined): Geometry {
  if (overrides === undefined || Object.keys(overrides).length === 0) {
    return analysis.geometry;
  }
  const recorded = analysis.geometry.devices;
  const givenMasks = overrides.minAlign ?? {};
  const masks = Object.fromEntries(recorded.map((device) => [device.name, device.minAlignMask.value]));
  const geometry = inferGeometry(analysis.tables, {
    ...analysis.overrides,
    ...overrides,
    // Masks that are given are not inferred again, which is the costly part.
    minAlign: { ...masks, ...givenMasks },
  });
  return {
    ...geometry,
    devices: geometry.devices.map((device) => {
      const known = recorded.find((candidate) => candidate.device === device.device);
      return known === undefined || device.name in givenMasks
        ? device
        : { ...device, minAlignMask: known.minAlignMask };
    }),
  };
}

/** The machine of the replay: calibrated from the trace's facts, else the seeded model. */
function environmentFrom(tables: TraceTables, geometry: Geometry, settings: ParamSettings): Environment {
  const setting = (name: string) => {
    const given = settings[name];
    const param = commonParams.find((candidate) => candidate.name === name)!;
    return given === undefined
      ? known(Number(param.default), 'default', param.source)
      : known(Number(given), 'user', 'given by the user');
  };
  return createModelEnvironment({
    seed: setting('seed').value,
    fragmentation: setting('fragmentation'),
    atomicPoolBytes: setting('coherentPoolBytes'),
    pageSize: geometry.pageSize.value,
    maxPageOrder: 10,
    reserved: geometry.pools
      .filter((pool) => Number.isFinite(pool.start.value))
      .map((pool) => ({ start: pool.start.value, end: pool.start.value + slotsToBytes(pool.slots.value) })),
    ...calibrateFromFacts(tables.facts),
  });
}

const plans = new WeakMap<TraceTables, Map<boolean, { readonly key: string; readonly plan: ReplayPlan }>>();

/** The order of all steps depends on the trace alone: built once and shared by its replays. */
function planOf(tables: TraceTables, bounceAll: boolean): ReplayPlan {
  let byMode = plans.get(tables);
  if (byMode === undefined) {
    byMode = new Map();
    plans.set(tables, byMode);
  }
  const key = `${tables.requests.length}/${tables.requests.version}`;
  const cached = byMode.get(bounceAll);
  if (cached !== undefined && cached.key === key) {
    return cached.plan;
  }
  const plan = createReplayPlan(tables, { bounceAll });
  byMode.set(bounceAll, { key, plan });
  return plan;
}

function reportOf(analysis: Analysis, policy: Policy, settings: ParamSettings, result: ReplayResult): ReplayReport {
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
    ledger: ledgerWith(ledgerOf(analysis), result),
  };
}

/** The trace's ledger with what this replay assumed on top. */
function ledgerWith(ledger: LedgerReport, result: ReplayResult): LedgerReport {
  const { assumed } = result;
  const counts: readonly (readonly [EvidenceLevel, number, string])[] = [
    ['assumed', assumed.lifetimes, 'requests whose end the trace does not say: their lifetimes are assumed'],
    ['modelled', assumed.counterfactual, 'requests whose outcome differs from the recording'],
    ['modelled', assumed.retriesDropped, 'retries left out because the first attempt is served now'],
    ['assumed', assumed.splits, 'requests above the largest mapping, split as the block layer would'],
    ['assumed', assumed.movedFromBefore, 'mappings from before the trace that are not at their recorded address'],
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

/** A part of a series for a chart: all columns share the times. */
export interface SeriesWindow {
  readonly timeNs: readonly number[];
  readonly usedSlots: readonly number[];
  readonly hiwaterSlots: readonly number[];
  readonly capacitySlots: readonly number[];
  readonly transientSlots: readonly number[];
  readonly memoryBytes: readonly number[];
  readonly failures: readonly number[];
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
