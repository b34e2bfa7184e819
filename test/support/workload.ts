import fc from 'fast-check';
import { createRandom } from '../../src/base/random';
import { createRequestTable, EvidenceBit, Outcome, type TraceTables } from '../../src/model/tables';
import { appendRequest, hardIrqContext, processContext, tablesOf } from './replayTables';

export interface WorkloadOptions {
  readonly seed: number;
  readonly requests: number;
  /** Mean slots in use when the pool is large enough. */
  readonly live: number;
  readonly cpus?: number;
  readonly devices?: number;
  /** Largest request in bytes. */
  readonly largest?: number;
  /** Every mapping ends inside the trace. */
  readonly closes?: boolean;
}

/** A seeded, made-up workload: requests of mixed sizes whose lifetimes keep about `live` of them mapped. */
export function workload(options: WorkloadOptions): TraceTables {
  const random = createRandom(options.seed);
  const { requests, live, cpus = 4, devices = 5, largest = 65536, closes = true } = options;
  const table = createRequestTable(requests);
  const events: { atNs: number; row: number }[] = [];
  let nowNs = 0;
  for (let row = 0; row < requests; row++) {
    nowNs += Math.floor(random() * 2000);
    const lifetimeNs = Math.floor(random() * 2 * live * 1000);
    const isSmall = random() < 0.5;
    appendRequest(table, {
      device: Math.floor(random() * devices),
      cpu: Math.floor(random() * cpus),
      context: random() < 0.5 ? processContext : hardIrqContext,
      direction: 1 + Math.floor(random() * 3),
      sizeBytes: 1 + Math.floor(random() * (isSmall ? 4096 : largest)),
      original: 0x40000000 + Math.floor(random() * 65536) * 512,
      outcome: Outcome.served,
      enterNs: nowNs,
      evidence: EvidenceBit.probeReturn,
    });
    table.columns.unmapEnterNs[row] = nowNs + lifetimeNs;
    events.push({ atNs: nowNs, row }, { atNs: nowNs + lifetimeNs + 0.5, row: -row - 1 });
  }
  events.sort((a, b) => a.atNs - b.atNs);
  const lastArrivalNs = nowNs;
  events.forEach(({ atNs, row }, index) => {
    if (row >= 0) {
      table.columns.enterLine[row] = index + 1;
      table.columns.mapLine[row] = index + 1;
    } else if (closes || atNs <= lastArrivalNs) {
      table.columns.unmapLine[-row - 1] = index + 1;
      table.columns.unmapExitLine[-row - 1] = index + 1;
      table.columns.pairing[-row - 1] = 1;
    } else {
      table.columns.unmapEnterNs[-row - 1] = Number.NaN;
    }
  });
  return tablesOf(table);
}

/** Workloads of different shapes for property tests. */
export const anyWorkload: fc.Arbitrary<WorkloadOptions> = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
  requests: fc.integer({ min: 1, max: 250 }),
  live: fc.integer({ min: 1, max: 120 }),
  cpus: fc.constantFrom(1, 2, 4, 7),
  largest: fc.constantFrom(4096, 65536, 300_000),
});
