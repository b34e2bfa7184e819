import { createRandom } from '../../src/base/random';
import type { Cause } from '../../src/model/cause';
import type { FailureMark, LedgerView, PolicyView, RunView, SeriesView, TraceView } from '../../src/protocol/views';

/** A ledger with nothing in it. */
export const emptyLedger: LedgerView = {
  understood: 0,
  counted: 0,
  notUnderstood: 0,
  exact: 0,
  derived: 0,
  assumed: 0,
  lost: 0,
  countedByName: {},
  notUnderstoodExamples: [],
  notes: [],
  completeness: { score: 0, parts: [] },
};

/** A made-up trace of a 1 MiB pool; tests change what they are about. */
export function mockTrace(changes: Partial<TraceView> = {}): TraceView {
  return {
    uri: 'file:///captures/storage/trace.txt',
    reading: 'first',
    name: 'storage',
    sources: [
      { file: 'trace.txt', uri: 'file:///captures/storage/trace.txt', format: 'ftrace', lines: 42994, clock: 'local' },
    ],
    lines: 42994,
    events: 42982,
    requests: 14477,
    bounced: 14477,
    hasTime: true,
    origin: { seconds: 4, nanoseconds: 36146000 },
    lastTimeNs: 1.255e9,
    recordedPolicy: 'fixed',
    geometry: {
      kernel: '6.12',
      dynamic: false,
      cpus: 4,
      pools: [{ kind: 'boot', start: '0x7da8e000', slots: 512, areas: 4 }],
      evidence: {
        'boot pool': {
          level: 'recorded',
          text: 'The boot log says "mapped [mem 0x7da8e000-0x7db8e000] (1MB)".',
          file: 'dmesg.txt',
          line: 244,
        },
        areas: { level: 'recorded', text: 'The boot log says "area num 4".', file: 'dmesg.txt', line: 14 },
        'min_align_mask of 0000:00:05.0': {
          level: 'derived',
          text: '0xfff: every placement keeps these bits.',
          file: null,
          line: null,
        },
      },
      devices: [
        {
          name: '0000:00:05.0',
          dmaMaskBits: 64,
          minAlignMask: '0xfff',
          evidence: 'placements',
          deviceClass: 'block',
          classEvidence: { level: 'derived', text: 'The driver is nvme.' },
        },
      ],
    },
    ledger: {
      ...emptyLedger,
      understood: 42990,
      counted: 4,
      exact: 14310,
      derived: 164,
      assumed: 3,
      notes: [
        { level: 'derived', count: 164, text: 'The mapping existed before the trace: only its unmap was seen.' },
        { level: 'assumed', count: 3, text: 'No flags column: treated as atomic.' },
      ],
    },
    guidance: null,
    failuresByCause: {},
    failureCount: 78,
    unknownResults: 0,
    failures: [],
    episodes: [
      {
        file: 'trace.txt',
        firstLine: 41515,
        lastLine: 41593,
        count: 61,
        suppressed: 0,
        cause: 'fragmented',
        device: '0000:00:05.0 (nvme)',
        message:
          'Fragmented: needs 28 slots in a row; 18 of 512 are free, largest run 9. A 2 MiB pool would have served it.',
        advice: [
          'swiotlb=1024 (2 MiB after rounding on 4 CPUs) serves every failure of this trace; areas only from 6.0.',
          'Apply it in GRUB_CMDLINE_LINUX and run update-grub.',
        ],
        marks: [],
      },
      {
        file: 'trace.txt',
        firstLine: 41700,
        lastLine: 41820,
        count: 17,
        suppressed: 0,
        cause: 'pool-full',
        device: '0000:00:05.0 (nvme)',
        message: 'Pool full: needs 52 slots, 0 of 512 free. 91 % of the pool is held by 0000:00:07.0 (virtio-net).',
        advice: ['Raise the pool; virtio-net keeps 252 slots for its receive ring.'],
        marks: ['leak-suspected'],
      },
    ],
    boot: [
      {
        file: 'dmesg.txt',
        line: 244,
        kind: 'pool-mapped',
        text: 'software IO TLB: mapped [mem 0x7da8e000-0x7db8e000] (1MB)',
      },
    ],
    warnings: [],
    policies: [
      mockPolicy('fixed', [], 'Fixed pool'),
      mockPolicy('transient', [], 'Transient pools'),
      mockPolicy('dynamic', [], 'Dynamic pools'),
    ],
    samples: {
      timeNs: Array.from({ length: 60 }, (_, i) => i * 2e7),
      usedSlots: Array.from({ length: 60 }, (_, i) => 240 + ((i * 37) % 90)),
      total: 60,
    },
    problems: [],
    ...changes,
  };
}

/** A policy with parameters of these names. */
export function mockPolicy(id: string, names: readonly string[], title = id): PolicyView {
  const param = (name: string) => ({
    name,
    title: name,
    unit: '',
    default: 0,
    source: '',
    min: null,
    max: null,
    choices: null,
  });
  const explanation = `${title}: what it does and how it fails.`;
  return { id, title, explanation, params: names.map(param), source: 'kernel' };
}

export function mockRun(changes: Partial<RunView> = {}): RunView {
  return {
    key: { policy: 'recorded', set: {} },
    basis: changes.policy === undefined ? 'recorded' : 'modelled',
    policy: 'fixed',
    title: 'Fixed pool',
    params: {},
    replayable: true,
    missing: [],
    requests: 14477,
    served: 14399,
    failed: 78,
    failuresByCause: { fragmented: 61, 'pool-full': 17 },
    usedHighWaterSlots: 512,
    capacityPeakSlots: 512,
    transient: { count: 0, peakSlots: 0, failed: 0 },
    pools: [],
    memory: { peakBytes: 1048576, byteSeconds: 1315964, roundingWasteBytes: 0 },
    copiedBytes: 812_000_000,
    stalls: { count: 0, totalNs: 0, maxNs: 0 },
    workerRuns: 0,
    cost: {
      areaLocks: 14790,
      probes: 182_004,
      poolsVisited: 14477,
      lookups: 28_954,
      listSteps: 0,
      pageAllocations: 0,
      conversions: 0,
      contendedLocks: null,
      estimatedNs: null,
    },
    assumed: { lifetimes: 0, retriesDropped: 0, contexts: 3, counterfactual: 0 },
    unseenSlots: 0,
    notes: [],
    failures: mockFailures(78),
    fromNs: 0,
    toNs: 1.255e9,
    ...changes,
  };
}

export function mockFailures(count: number): FailureMark[] {
  const causes: Cause[] = ['fragmented', 'pool-full'];
  return Array.from({ length: count }, (_, i) => ({
    file: 'trace.txt',
    line: 41515 + i * 4,
    timeNs: 1.09e9 + i * 4e5,
    cause: causes[i % 2],
    device: '0000:00:05.0',
    sizeBytes: 57344,
  }));
}

/** A random walk with a burst near the end. */
export function mockSeries(seed: number, top: number, buckets: number, fromNs: number, toNs: number): SeriesView {
  const random = createRandom(seed);
  const series = {
    timeNs: [] as number[],
    usedSlots: [] as number[],
    hiwaterSlots: [] as number[],
    capacitySlots: [] as number[],
    transientSlots: [] as number[],
    memoryBytes: [] as number[],
    stalledNs: [] as (number | null)[],
  };
  let high = 0;
  for (let i = 0; i < buckets; i++) {
    const at = i / buckets;
    const burst = at < 0.8 ? 0 : Math.sin((at - 0.8) * 5 * Math.PI);
    const used = Math.round(Math.min(top, 250 + random() * 40 + burst * top * 0.6));
    high = Math.max(high, used);
    series.timeNs.push(fromNs + (toNs - fromNs) * at);
    series.usedSlots.push(used);
    series.hiwaterSlots.push(high);
    series.capacitySlots.push(top <= 512 || at < 0.82 ? 512 : top * 1.2);
    series.transientSlots.push(512 < top && 0 < burst && random() < 0.4 ? Math.round(random() * 64) : 0);
    series.stalledNs.push(0);
    series.memoryBytes.push((top <= 512 || at < 0.82 ? 512 : top * 1.2) * 2048);
  }
  return series;
}
