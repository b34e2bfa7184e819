import { type Known, known } from '../model/evidence';
import { FactKind, type TraceTables } from '../model/tables';
import type { Nanoseconds } from '../model/units';
import type { PolicyParam } from './policy';

/**
 * What single steps of the allocator take. Medians of function_graph captures of Linux 6.12.117 in an emulated guest:
 * they compare policies with one another, and say little about the time on other hardware.
 */
export interface CostModel {
  /** One area searched under its lock. */
  readonly searchNs: Known<Nanoseconds>;
  /** One mapping released, copy included. */
  readonly releaseNs: Known<Nanoseconds>;
  /** Pages of a pool allocated and set up. */
  readonly poolAllocationNs: Known<Nanoseconds>;
}

interface CostParam extends PolicyParam {
  readonly name: keyof CostModel;
  readonly default: number;
  /** Kernel functions whose duration this is. */
  readonly functions: readonly string[];
}

export const costParams: readonly CostParam[] = [
  {
    name: 'searchNs',
    title: 'One area searched under its lock; also how long its lock counts as taken for the contention proxy',
    unit: 'ns',
    default: 1062,
    source:
      'measured: median of 11,828 calls of swiotlb_search_pool_area (Linux 6.12.117, emulated, with function_graph)',
    min: 0,
    functions: ['swiotlb_search_pool_area', 'swiotlb_area_find_slots', 'swiotlb_pool_find_slots'],
  },
  {
    name: 'releaseNs',
    title: 'One mapping released',
    unit: 'ns',
    default: 1282,
    source:
      'measured: median of 11,847 calls of __swiotlb_tbl_unmap_single (Linux 6.12.117, emulated, with function_graph)',
    min: 0,
    functions: ['__swiotlb_tbl_unmap_single', 'swiotlb_tbl_unmap_single'],
  },
  {
    name: 'poolAllocationNs',
    title: 'Memory of a pool allocated and set up',
    unit: 'ns',
    default: 100_736,
    source: 'measured: median of 4 calls of swiotlb_alloc_pool (Linux 6.12.117, emulated, with function_graph)',
    min: 0,
    functions: ['swiotlb_alloc_pool'],
  },
];

/** Fewer recorded calls than this say nothing. */
const fewestCalls = 8;

/** The user's values, else medians of the trace's own function durations, else the defaults. */
export function costModelFrom(tables: TraceTables, given: Readonly<Record<string, unknown>>): CostModel {
  const durations = durationsByFunction(tables);
  const model = Object.fromEntries(
    costParams.map((param) => {
      const user = given[param.name];
      return [
        param.name,
        user === undefined ? measured(param, durations) : known(Number(user), 'user', 'given by the user'),
      ];
    }),
  );
  return model as unknown as CostModel;
}

function measured(param: CostParam, durations: ReadonlyMap<string, number[]>): Known<Nanoseconds> {
  for (const name of param.functions) {
    const values = durations.get(name) ?? [];
    if (values.length >= fewestCalls) {
      values.sort((a, b) => a - b);
      const text = `median of ${values.length} calls of ${name} in this trace`;
      return known(values[Math.floor(values.length / 2)], 'recorded', text);
    }
  }
  return known(param.default, 'default', param.source);
}

/** Compilers add suffixes such as `.isra.0` to names. */
function durationsByFunction({ facts, strings }: TraceTables): Map<string, number[]> {
  const durations = new Map<string, number[]>();
  const lists = new Map<number, number[]>();
  const { kind, symbol, durationNs } = facts.columns;
  for (let row = 0; row < facts.length; row++) {
    if (kind[row] !== FactKind.functionDuration || Number.isNaN(durationNs[row])) {
      continue;
    }
    let list = lists.get(symbol[row]);
    if (list === undefined) {
      const name = strings.get(symbol[row]).replace(/\..*$/, '');
      list = durations.get(name) ?? [];
      durations.set(name, list);
      lists.set(symbol[row], list);
    }
    list.push(durationNs[row]);
  }
  return durations;
}

/**
 * How often an area's lock was taken by another CPU so shortly after the last time that it would have waited.
 * A proxy: the replay serves one request after the other.
 */
export class ContentionCounter {
  contended = 0;
  private readonly windowNs: Nanoseconds;
  /** Per pool and area: time and CPU of the last acquisition. */
  private readonly last = new Map<number, { atNs: Nanoseconds; cpu: number }>();

  constructor(windowNs: Nanoseconds) {
    this.windowNs = windowNs;
  }

  /** `cpu`: -1 unknown, which never counts. */
  take(pool: number, area: number, cpu: number, nowNs: Nanoseconds): void {
    const key = pool * 4096 + area;
    const last = this.last.get(key);
    if (last === undefined) {
      this.last.set(key, { atNs: nowNs, cpu });
      return;
    }
    if (cpu >= 0 && last.cpu >= 0 && cpu !== last.cpu && nowNs - last.atNs <= this.windowNs) {
      this.contended++;
    }
    last.atNs = nowNs;
    last.cpu = cpu;
  }
}
