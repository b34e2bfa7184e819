import { sizeBootPool } from '../allocator/bootSizing';
import { formatBytes, plural } from '../base/format';
import type { GeometryOverrides } from '../model/geometry';
import type { SizeReport, SizeVariant } from '../model/reports';
import { SEGMENT_SLOTS, SLOT_BYTES, type Slots, slotsToBytes } from '../model/units';
import { alwaysServedFrom } from '../replay/alwaysServed';
import type { Policy } from '../replay/policy';
import type { ParamSettings } from '../replay/settings';
import {
  type CurveSpec,
  defaultSizes,
  hopelessIn,
  isSizable,
  kneeOf,
  runSizing,
  runSizingInParallel,
  type SizeJob,
  type SizePoint,
  type Sizing,
  sizeCurves,
  smallestPools,
  withoutHopeless,
} from '../replay/sizing';
import { forceAdvice, howToApply } from './advice';
import type { Analysis } from './analysis';
import { bootParameterOf } from './boot';
import { policyOf } from './replaySetup';
import { contextOf, runSizeJob, type SizingData, sizingData } from './sizeJobs';
import {
  asksForAttribute,
  asksForUnknownClass,
  asksWhoMaySleep,
  lifetimeVariants,
  privateDevicesOf,
} from './uncertainty';

/** What to size. */
export interface SizeRequest {
  /** Policies with a boot pool; absent: fixed, transient and dynamic. */
  readonly policies?: readonly string[];
  /** Share to add to the smallest size, e.g. 0.2. */
  readonly headroom?: number;
  /** CPUs of the machine that will run the load; absent: as recorded. */
  readonly cpus?: number;
  readonly set?: ParamSettings;
  readonly overrides?: GeometryOverrides;
  readonly bounceAll?: boolean;
  /** Slots to try, ascending; absent: 1 MiB to 2 GiB. */
  readonly sizes?: readonly Slots[];
}

const defaultPolicies = ['fixed', 'transient', 'dynamic'];
const defaultHeadroom = 0.2;

/** Which pool size this trace needs, under each policy. */
export function sizeReport(analysis: Analysis, request: SizeRequest = {}): SizeReport {
  const plan = planSizing(analysis, request);
  return plan === null ? emptyReport(analysis) : runSizing(plan.sizing, (job) => runSizeJob(plan.data, job));
}

/** Where the replays of a sizing run: threads that were given its data. */
export interface SizeRunner {
  run(job: SizeJob): Promise<SizePoint>;
  /** Called when nothing more will be asked for, also after an error. */
  close(): Promise<void> | void;
}

/** As `sizeReport`, the replays on other threads. The same answer, whatever their number. */
export async function sizeReportOn(
  analysis: Analysis,
  request: SizeRequest,
  start: (data: SizingData) => SizeRunner,
): Promise<SizeReport> {
  const plan = planSizing(analysis, request);
  if (plan === null) {
    return emptyReport(analysis);
  }
  const runner = start(plan.data);
  try {
    return await runSizingInParallel(plan.sizing, (job) => runner.run(job));
  } finally {
    await runner.close();
  }
}

/** Null without requests or without a policy whose pool has a size. */
function planSizing(
  analysis: Analysis,
  request: SizeRequest,
): { readonly data: SizingData; readonly sizing: Sizing<SizeReport> } | null {
  const chosen = (request.policies ?? defaultPolicies).map(policyOf).filter(isSizable);
  if (chosen.length === 0) {
    return null;
  }
  const data = sizingData(analysis, chosen, request);
  if (data.plan.requestCount === 0) {
    return null;
  }
  return { data, sizing: sizingOf(analysis, request, chosen, data) };
}

function* sizingOf(
  analysis: Analysis,
  request: SizeRequest,
  chosen: readonly Policy[],
  data: SizingData,
): Sizing<SizeReport> {
  const headroom = request.headroom ?? defaultHeadroom;
  const cpus = request.cpus ?? data.geometry.cpus.value;
  const sizes = request.sizes ?? defaultSizes;
  const specs: CurveSpec[] = [];
  for (const policy of chosen) {
    specs.push({ policy, areas: powerOfTwoFrom(cpus) });
    if (policy.id === 'fixed' && cpus > 1) {
      // Fewer areas waste less memory at their ends, and more CPUs meet at one lock.
      specs.push({ policy, areas: 1 });
    }
  }
  const facts = { geometry: data.geometry, alwaysServed: alwaysServedFrom(contextOf(data, chosen[0]!.id)) };
  const replayed = yield* sizeCurves(specs, sizes, facts);
  // Other policies keep part of the pool back: what fails under them at the largest size may be their doing.
  const hopeless = replayed.map((curve, index) => {
    const { id, actsOnlyOnMiss } = specs[index]!.policy;
    return id === 'fixed' || actsOnlyOnMiss === true ? hopelessIn(curve, facts.alwaysServed) : 0;
  });
  const curves = replayed.map((curve, index) => curve.map((point) => withoutHopeless(point, hopeless[index]!)));
  const main = specs.flatMap((spec, index) => (cpus === 1 || spec.areas > 1 ? [index] : []));
  const needed = yield* smallestPools(
    main.map((index) => specs[index]!.policy.id),
    main.map((index) => curves[index]!),
    main.map((index) => hopeless[index]!),
  );
  const recommended = main.map((index, position) => recommend(specs[index]!.policy, needed[position]!, headroom, cpus));
  const variants = yield* variantsOf(
    analysis,
    request,
    recommended,
    needed,
    main.map((index) => hopeless[index]!),
  );
  // Kernels before 6.0 have one area and take no second number.
  const areas = data.geometry.generation.value === '4.18' ? [] : yield* areasOf(recommended);
  const smallest = main.map((index, position) => ({
    ...recommended[position]!,
    kneeSlots: kneeOf(curves[index]!)?.slots ?? null,
    variants: variants[position]!,
  }));
  const curve = curves.flat();
  const unusedBytes = unusedOf(analysis, curve);
  return {
    file: analysis.file,
    replayable: true,
    curve: curve.map((point) => ({
      policy: point.policy,
      slots: point.slots,
      areas: point.areas,
      bytes: slotsToBytes(point.slots),
      failed: point.failed,
      failureRatio: point.requests === 0 ? 0 : point.failed / point.requests,
      peakBytes: point.peakBytes,
      proven: point.proven,
    })),
    smallest,
    areas,
    unusedBytes,
    advice: adviceFor(curve, smallest, unusedBytes, cpus, bootParameterOf(analysis)),
  };
}

/** What the recommended pools would do where something is otherwise than assumed. */
function* variantsOf(
  analysis: Analysis,
  { set, overrides }: SizeRequest,
  recommended: readonly Recommended[],
  needed: readonly (SizePoint | null)[],
  hopeless: readonly number[],
): Sizing<SizeVariant[][]> {
  const jobs: SizeJob[] = [];
  const names: { readonly position: number; readonly name: string; readonly set: ParamSettings }[] = [];
  for (const [position, { policy, bytesAfterRounding, areas }] of recommended.entries()) {
    const point = needed[position] ?? null;
    if (point === null || bytesAfterRounding === null || areas === null) {
      continue;
    }
    const asked = { policy, ...(set === undefined ? {} : { set }), ...(overrides === undefined ? {} : { overrides }) };
    const others = [
      ...(point.assumedLifetimes > 0 && set?.['lifetimeQuantile'] === undefined ? lifetimeQuartiles : []),
      ...(asksForUnknownClass(analysis, asked) ? [unknownAsBlock] : []),
      ...(asksWhoMaySleep(analysis, asked) ? [noneMaySleep] : []),
      ...(asksForAttribute(analysis, asked) ? [allNeedPrivate] : []),
    ];
    for (const other of others) {
      jobs.push({ policy, slots: bytesAfterRounding / SLOT_BYTES, areas, set: other.set });
      names.push({ position, ...other });
    }
  }
  const variants: SizeVariant[][] = recommended.map(() => []);
  for (const [job, point] of (jobs.length === 0 ? [] : yield jobs).entries()) {
    const { position, name, set: otherwise } = names[job]!;
    const { failed, avoidable, peakBytes } = withoutHopeless(point, hopeless[position]!);
    variants[position]!.push({ name, set: otherwise, failed, avoidable, peakBytes });
  }
  return variants;
}

/** The recommended fixed pool with 1, 2, 4 … areas: fewer may serve as well, and more CPUs then meet at one lock. */
function* areasOf(recommended: readonly Recommended[]): Sizing<SizeReport['areas'][number][]> {
  const fixed = recommended.find(({ policy }) => policy === 'fixed');
  if (fixed === undefined || fixed.bytesAfterRounding === null || fixed.areas === null || fixed.areas === 1) {
    return [];
  }
  const slots = fixed.bytesAfterRounding / SLOT_BYTES;
  const counts: number[] = [];
  for (let areas = 1; areas <= fixed.areas && counts.length < mostAreaCounts; areas *= 2) {
    counts.push(areas);
  }
  const points = yield counts.map((areas) => ({ policy: 'fixed', slots, areas, countsLocks: true }));
  return points.flatMap(({ areas, failed, locks }) =>
    locks === null
      ? []
      : [
          {
            areas,
            bootParameter: `swiotlb=${slots},${areas}`,
            failed,
            areaLocks: locks.taken,
            contendedLocks: locks.contended,
          },
        ],
  );
}

/** Each is a whole replay. */
const mostAreaCounts = 6;

const lifetimeQuartiles = lifetimeVariants
  .filter(({ name }) => name.endsWith('th percentile'))
  .map(({ name, set }) => ({ name: `${name} of known lifetimes`, set }));
const unknownAsBlock = { name: 'unknown devices as block devices', set: { unknownClass: 'block' } };
const noneMaySleep = { name: 'no map may sleep', set: { context: 'alwaysAtomic' } };
const allNeedPrivate = { name: 'all devices need private memory', set: privateDevicesOf.private };

function emptyReport(analysis: Analysis): SizeReport {
  return {
    file: analysis.file,
    replayable: false,
    curve: [],
    areas: [],
    smallest: [],
    unusedBytes: null,
    advice: ['There are no requests to replay, so no size can be tried: record a trace of the load.'],
  };
}

function powerOfTwoFrom(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, count)));
}

type Recommended = Omit<SizeReport['smallest'][number], 'kneeSlots' | 'variants'>;

/** The parameter that gives the needed size and the headroom on a machine with so many CPUs. */
function recommend(policy: Policy, needed: SizePoint | null, headroom: number, cpus: number): Recommended {
  if (needed === null) {
    return { policy: policy.id, slots: null, bootParameter: null, bytesAfterRounding: null, areas: null, headroom };
  }
  const wanted = Math.ceil((needed.slots * (1 + headroom)) / SEGMENT_SLOTS) * SEGMENT_SLOTS;
  const pool = bootPool(String(wanted), cpus);
  return {
    policy: policy.id,
    slots: needed.slots,
    // The rounded number says what one gets; the kernel would come to it anyway.
    bootParameter: pool === null ? null : `swiotlb=${pool.slots}`,
    bytesAfterRounding: pool === null ? null : slotsToBytes(pool.slots),
    areas: pool?.areas ?? null,
    headroom,
  };
}

function bootPool(parameter: string, possibleCpus: number): { slots: Slots; areas: number } | null {
  return sizeBootPool({ parameter, possibleCpus, archAdjustBytes: null, addressingLimited: true, verbose: false }).pool;
}

/** How much of the recorded pool the smallest sufficient fixed pool of the curve does not need. */
function unusedOf(analysis: Analysis, curve: readonly SizePoint[]): number | null {
  const boot = analysis.geometry.pools.find((pool) => pool.kind === 'boot');
  if (boot === undefined || boot.slots.evidence.level === 'assumed') {
    return null;
  }
  const areas = Math.max(...curve.filter((point) => point.policy === 'fixed').map((point) => point.areas), 0);
  const fixed = curve.filter((point) => point.policy === 'fixed' && (areas === 1 || point.areas > 1));
  const enough = fixed.findIndex((_, index) => fixed.slice(index).every((point) => point.avoidable === 0));
  return enough < 0 ? null : Math.max(0, slotsToBytes(boot.slots.value - fixed[enough]!.slots));
}

function adviceFor(
  curve: readonly SizePoint[],
  smallest: SizeReport['smallest'],
  unusedBytes: number | null,
  cpus: number,
  parameter: string | null,
): string[] {
  const advice: string[] = [];
  const fixed = smallest.find((entry) => entry.policy === 'fixed');
  if (fixed?.bootParameter != null && fixed.slots !== null && fixed.bytesAfterRounding !== null) {
    advice.push(
      `A fixed pool of ${formatBytes(slotsToBytes(fixed.slots))} serves every request of this trace that can be served; ` +
        `with ${Math.round(fixed.headroom * 100)} % headroom set ${fixed.bootParameter}, which ${cpus} CPUs turn into ` +
        `${formatBytes(fixed.bytesAfterRounding)} with ${fixed.areas} areas. The number counts slots of 2 KiB.`,
    );
    advice.push(howToApply, ...forceAdvice(parameter));
  } else if (fixed !== undefined) {
    advice.push('No fixed pool of the sizes tried serves this load.');
  }
  for (const { name, avoidable } of fixed?.variants ?? []) {
    if (avoidable > 0) {
      advice.push(
        `That rests on assumptions. Assumed otherwise (${name}), ${plural(avoidable, 'request')} would fail even with the headroom: take more.`,
      );
    }
  }
  if (unusedBytes !== null && unusedBytes > 0) {
    advice.push(
      `${formatBytes(unusedBytes)} of today's pool were never needed: the replay with less fails nothing more.`,
    );
  }
  const hopeless = Math.min(...curve.map((point) => point.failed - point.avoidable));
  if (hopeless > 0 && Number.isFinite(hopeless)) {
    advice.push(
      `${plural(hopeless, 'request')} ${hopeless === 1 ? 'fails' : 'fail'} at any size: no pool size helps a mapping above 256 KiB, one that its alignment ` +
        "leaves no place for in a segment of 256 KiB, or a pool above the device's reach. " +
        'The driver must respect dma_max_mapping_size and its segment limits, or allocate for the most restricted device.',
    );
  }
  if (fixed?.bytesAfterRounding === slotsToBytes(32768)) {
    advice.push(
      'An encrypted guest ignores exactly swiotlb=32768 (it cannot tell it from the default) and takes 6 % of its memory instead.',
    );
  }
  return advice;
}
