import { createRequestTable, EvidenceBit, Outcome, type TraceTables } from '../../src/model/tables';
import { readFixtureText } from './fixtures';
import { appendRequest, hardIrqContext, processContext, tablesOf } from './replayTables';

/** Tables of a mirror capture, and the operation number of each request. */
export interface MirrorSource {
  readonly tables: TraceTables;
  /** Per request row: op_index of the plan. */
  readonly ops: readonly number[];
}

/** What a real kernel did with the same operations. */
export interface MirrorTarget {
  /** op_index of a map → bounce address, NaN when it failed. */
  readonly bounceByOp: ReadonlyMap<number, number>;
  readonly failed: number;
  /** Pools added during the run; `beforeOp` is the first map after which it could be used. */
  readonly added: readonly {
    readonly start: number;
    readonly slots: number;
    readonly areas: number;
    readonly beforeOp: number;
  }[];
}

/** Devices swlab.0 to swlab.4 of the controlled driver. */
export const mirrorMinAlignMasks = [0, 0xfff, 0x1ff, 0, 0xffff];

export function readMirrorSource(name: string, options: { readonly direct?: boolean } = {}): MirrorSource {
  const table = createRequestTable(16384);
  const rowOfOp = new Map<number, number>();
  const ops: number[] = [];
  const lines = readFixtureText(`replay/${name}`).trimEnd().split('\n').slice(1);
  lines.forEach((text, op) => {
    const [kind, cpu, context, device, mask, original, sizeBytes, direction, enterUs, , failed] = text.split(',');
    if (kind === 'M') {
      rowOfOp.set(op, table.length);
      ops.push(op);
      appendRequest(table, {
        device: Number(device),
        cpu: Number(cpu),
        context: context === 'p' ? processContext : hardIrqContext,
        direction: Number(direction),
        sizeBytes: Number(sizeBytes),
        allocAlignBits: Math.log2(Number.parseInt(mask, 16) + 1),
        original: Number.parseInt(original, 16),
        outcome: failed === 'F' ? Outcome.failed : Outcome.served,
        enterNs: Number(enterUs) * 1000,
        enterLine: op + 1,
        evidence: options.direct === true ? EvidenceBit.direct | EvidenceBit.dmaMap : EvidenceBit.probeReturn,
      });
    } else if (kind === 'U') {
      // The fourth column of an unmap is the operation of its map.
      const row = rowOfOp.get(Number(device))!;
      table.columns.unmapLine[row] = op + 1;
      table.columns.unmapExitLine[row] = op + 1;
      table.columns.unmapEnterNs[row] = Number(enterUs) * 1000;
      table.columns.pairing[row] = 1;
    }
  });
  return { tables: tablesOf(table, { devices: ['swlab.0', 'swlab.1', 'swlab.2', 'swlab.3', 'swlab.4'] }), ops };
}

export function readMirrorTarget(name: string): MirrorTarget {
  const bounceByOp = new Map<number, number>();
  const added: { start: number; slots: number; areas: number; beforeOp: number }[] = [];
  const waiting: { start: number; slots: number; areas: number }[] = [];
  let failed = 0;
  for (const text of readFixtureText(`replay/${name}`).trimEnd().split('\n').slice(1)) {
    const [op, value] = text.split(',');
    if (op === 'G') {
      const [start, slots, areas] = value.split(':');
      waiting.push({ start: Number.parseInt(start, 16), slots: Number(slots), areas: Number(areas) });
      continue;
    }
    for (const pool of waiting.splice(0)) {
      added.push({ ...pool, beforeOp: Number(op) });
    }
    const isFailure = value === '';
    failed += isFailure ? 1 : 0;
    bounceByOp.set(Number(op), isFailure ? Number.NaN : Number.parseInt(value, 16));
  }
  return { bounceByOp, failed, added };
}
