import { formatBytes, formatCount, formatDuration, formatSlotsAndBytes } from '../base/format';
import { causes } from '../model/cause';
import type { RunView } from '../protocol/views';
import { formatByteSeconds } from './format';
import { causeWords } from './words';

/** One row of the comparison: a number per run, and which way is better. */
export interface Metric {
  readonly id: string;
  readonly label: string;
  /** Null when the run cannot know it. */
  readonly value: (run: RunView) => number | null;
  readonly format: (value: number) => string;
  readonly better: 'less' | 'neither';
  readonly hint: string;
}

const count = formatCount;

export const metrics: readonly Metric[] = [
  metric('failed', 'Failed mappings', (run) => run.failed, count, 'less', 'requests that got no slots'),
  ...causes.map((cause) =>
    metric(
      `failed.${cause}`,
      `… ${causeWords[cause].label}`,
      (run) => run.failuresByCause[cause] ?? 0,
      count,
      'neither',
      causeWords[cause].meaning,
    ),
  ),
  metric(
    'served',
    'Served mappings',
    (run) => run.served,
    count,
    'neither',
    'requests that got slots; retries of a request that is served are not asked again',
  ),
  metric(
    'usedHighWaterSlots',
    'Peak in use',
    (run) => run.usedHighWaterSlots,
    formatSlotsAndBytes,
    'neither',
    'most slots in use at one moment',
  ),
  metric(
    'capacityPeakSlots',
    'Peak capacity',
    (run) => run.capacityPeakSlots,
    formatSlotsAndBytes,
    'neither',
    'most slots in listed pools',
  ),
  metric(
    'memory.peakBytes',
    'Peak memory held',
    (run) => run.memory.peakBytes,
    formatBytes,
    'less',
    'taken from the system, rounding included',
  ),
  metric(
    'memory.byteSeconds',
    'Memory × time',
    (run) => run.memory.byteSeconds,
    formatByteSeconds,
    'less',
    'memory held, summed over time',
  ),
  metric(
    'memory.roundingWasteBytes',
    'Rounding waste',
    (run) => run.memory.roundingWasteBytes,
    formatBytes,
    'less',
    'lost to 2^order rounding',
  ),
  metric(
    'transient.count',
    'Transient pools',
    (run) => run.transient.count,
    count,
    'neither',
    'pools made for one mapping',
  ),
  metric(
    'transient.peakSlots',
    '… most at once',
    (run) => run.transient.peakSlots,
    formatSlotsAndBytes,
    'neither',
    'slots in transient pools',
  ),
  metric(
    'transient.failed',
    '… not allocated',
    (run) => run.transient.failed,
    count,
    'less',
    'transient pools whose pages could not be had',
  ),
  metric('workerRuns', 'Worker runs', (run) => run.workerRuns, count, 'neither', 'runs of the growth worker'),
  metric('stalls.count', 'Stalls', (run) => run.stalls.count, count, 'less', 'mappings that had to wait'),
  metric('stalls.totalNs', '… in total', (run) => run.stalls.totalNs, formatDuration, 'less', 'time mappings waited'),
  metric('stalls.maxNs', '… longest', (run) => run.stalls.maxNs, formatDuration, 'less', 'longest wait of one mapping'),
  metric('copiedBytes', 'Bytes copied', (run) => run.copiedBytes, formatBytes, 'less', 'by map, unmap and sync'),
  metric(
    'cost.pageAllocations',
    'Page allocations',
    (run) => run.cost.pageAllocations,
    count,
    'less',
    'asked of the page allocator',
  ),
  metric(
    'cost.conversions',
    'Encryption changes',
    (run) => run.cost.conversions,
    count,
    'less',
    'pages decrypted or encrypted again',
  ),
  metric(
    'cost.areaLocks',
    'Area locks taken',
    (run) => run.cost.areaLocks,
    count,
    'less',
    'each search takes one per area it looks at',
  ),
  metric(
    'cost.contendedLocks',
    '… of them contended',
    (run) => run.cost.contendedLocks,
    count,
    'less',
    'another CPU took the same area within the time of a search: a proxy, the trace shows no waiting',
  ),
  metric('cost.probes', 'Slots probed', (run) => run.cost.probes, count, 'less', 'candidates looked at by the search'),
  metric(
    'cost.poolsVisited',
    'Pools visited',
    (run) => run.cost.poolsVisited,
    count,
    'less',
    'pools the search went through',
  ),
  metric(
    'cost.lookups',
    'Address look-ups',
    (run) => run.cost.lookups,
    count,
    'less',
    'by unmap and sync, also for devices that never bounce',
  ),
  metric(
    'cost.listSteps',
    '… list entries walked',
    (run) => run.cost.listSteps,
    count,
    'less',
    'pools passed before the right one',
  ),
  metric(
    'cost.estimatedNs',
    'Estimated CPU time',
    (run) => run.cost.estimatedNs,
    formatDuration,
    'less',
    'from the cost calibration',
  ),
];

/** In a recorded run these come from a replay of the recorded policy: the trace itself cannot show them. */
export function isModelled(row: Metric, run: RunView): boolean {
  return run.basis === 'recorded' && /^(?:cost|stalls)\.|^copiedBytes$|^workerRuns$/.test(row.id);
}

export interface MetricRow {
  readonly metric: Metric;
  readonly values: readonly (number | null)[];
  readonly differs: boolean;
  /** Columns that are best; empty when no way is better or all are equal. */
  readonly best: readonly number[];
}

/** Rows for the runs: those that differ first, rows that are zero or unknown everywhere left out. */
export function metricRows(runs: readonly RunView[]): readonly MetricRow[] {
  const rows = metrics
    .map((row) => rowOf(row, runs))
    .filter((row) => row.metric.id === 'failed' || row.values.some((value) => value !== null && value !== 0));
  return [...rows.filter((row) => row.differs), ...rows.filter((row) => !row.differs)];
}

function rowOf(row: Metric, runs: readonly RunView[]): MetricRow {
  const values = runs.map((run) => row.value(run));
  const differs = values.some((value) => value !== values[0]);
  return { metric: row, values, differs, best: differs ? bestColumns(values, row) : [] };
}

function bestColumns(values: readonly (number | null)[], { better, format }: Metric): number[] {
  const numbers = values.filter((value) => value !== null);
  if (better === 'neither' || numbers.length < 2) {
    return [];
  }
  // Values that read alike are alike: a mark on one of two equal texts would puzzle.
  const best = format(Math.min(...numbers));
  const columns = values.flatMap((value, column) => (value !== null && format(value) === best ? [column] : []));
  // A mark that most columns carry says nothing.
  return columns.length * 2 <= values.length ? columns : [];
}

function metric(
  id: string,
  label: string,
  value: Metric['value'],
  format: Metric['format'],
  better: Metric['better'],
  hint: string,
): Metric {
  return { id, label, value, format, better, hint };
}
