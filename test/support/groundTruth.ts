import { Outcome, Pairing, type TraceTables } from '../../src/model/tables';

/** What the test driver wrote down about one operation. */
export interface DriverOp {
  readonly seq: number;
  readonly t0Ns: number;
  readonly t1Ns: number;
  readonly cpu: number;
  readonly op: string;
  readonly device: string;
  readonly api: string;
  readonly direction: string;
  readonly mapSeq: number;
  readonly original: number;
  readonly sizeBytes: number;
  /** NaN when the map failed. */
  readonly dma: number;
}

export function parseOps(csv: string): DriverOp[] {
  const [head, ...rows] = csv.trim().split('\n');
  const names = head.split(',');
  const column = (name: string): number => names.indexOf(name);
  return rows.map((row) => {
    const cells = row.split(',');
    const cell = (name: string): string => cells[column(name)];
    return {
      seq: Number(cell('seq')),
      t0Ns: Number(cell('t0_ns')),
      t1Ns: Number(cell('t1_ns')),
      cpu: Number(cell('cpu')),
      op: cell('op'),
      device: cell('dev'),
      api: cell('api'),
      direction: cell('dir'),
      mapSeq: Number(cell('map_seq')),
      original: Number.parseInt(cell('orig_phys'), 16),
      sizeBytes: Number(cell('size')),
      dma: cell('dma_addr') === 'ffffffffffffffff' ? Number.NaN : Number.parseInt(cell('dma_addr'), 16),
    };
  });
}

export interface Comparison {
  readonly maps: number;
  readonly unmaps: number;
  /** One sentence per difference. */
  readonly differences: string[];
}

const directionOf = ['NONE', 'TO_DEVICE', 'FROM_DEVICE', 'BIDIRECTIONAL'];
/** Trace time stamps are cut to microseconds. */
const SLACK_NS = 2000;

/**
 * Compares the requests of a trace with what the driver did, operation by operation.
 * `isVisible` says which operations the trace can show; `hasDirection`: the trace has dma events.
 */
export function compareWithDriver(
  tables: TraceTables,
  ops: readonly DriverOp[],
  isVisible: (op: DriverOp) => boolean = () => true,
  hasDirection = true,
): Comparison {
  const columns = tables.requests.columns;
  const differences: string[] = [];
  const byKey = new Map<string, number[]>();
  for (let row = 0; row < tables.requests.length; row++) {
    const key = keyOf(
      columns.cpu[row],
      tables.devices[columns.device[row]].name,
      columns.original[row],
      columns.sizeBytes[row],
    );
    byKey.set(key, [...(byKey.get(key) ?? []), row]);
  }
  const rowOfSeq = new Map<number, number>();
  const used = new Set<number>();
  const maps = ops.filter((op) => op.op === 'M' && isVisible(op));
  for (const op of maps) {
    const candidates = (byKey.get(keyOf(op.cpu, op.device, op.original, op.sizeBytes)) ?? []).filter(
      (row) =>
        !used.has(row) && columns.enterNs[row] >= op.t0Ns - SLACK_NS && columns.enterNs[row] <= op.t1Ns + SLACK_NS,
    );
    if (candidates.length !== 1) {
      differences.push(`map ${op.seq}: ${candidates.length} requests`);
      continue;
    }
    const [row] = candidates;
    used.add(row);
    rowOfSeq.set(op.seq, row);
    const failed = Number.isNaN(op.dma);
    if (failed !== (columns.outcome[row] === Outcome.failed)) {
      differences.push(`map ${op.seq}: outcome ${columns.outcome[row]}`);
    }
    if (!failed && columns.recordedBounce[row] !== op.dma) {
      differences.push(`map ${op.seq}: address ${columns.recordedBounce[row].toString(16)}`);
    }
    if (hasDirection && op.api === 'dma' && directionOf[columns.direction[row]] !== op.direction) {
      differences.push(`map ${op.seq}: direction ${columns.direction[row]}`);
    }
  }
  const ended = new Set<number>();
  const unmaps = ops.filter((op) => op.op === 'U' && isVisible(op));
  for (const op of unmaps) {
    const row = rowOfSeq.get(op.mapSeq);
    if (row === undefined) {
      differences.push(`unmap ${op.seq}: map ${op.mapSeq} unknown`);
      continue;
    }
    const timeNs = columns.unmapEnterNs[row];
    const isInside = timeNs >= op.t0Ns - SLACK_NS && timeNs <= op.t1Ns + SLACK_NS;
    if (!isInside || columns.pairing[row] !== Pairing.exact) {
      differences.push(`unmap ${op.seq} of map ${op.mapSeq}: at ${timeNs}, pairing ${columns.pairing[row]}`);
    }
    ended.add(row);
  }
  // Nothing may be made up: every end belongs to an unmap of the driver, as far as it was written down.
  const lastNs = Math.max(...ops.map((op) => op.t1Ns));
  for (const row of used) {
    const isEnded = columns.unmapLine[row] !== 0 && columns.outcome[row] === Outcome.served;
    if (isEnded && !ended.has(row) && columns.unmapEnterNs[row] < lastNs) {
      differences.push(`request ${row}: ended without an unmap of the driver`);
    }
  }
  return { maps: maps.length, unmaps: unmaps.length, differences };
}

function keyOf(cpu: number, device: string, original: number, sizeBytes: number): string {
  return `${cpu} ${device} ${original.toString(16)} ${sizeBytes}`;
}
