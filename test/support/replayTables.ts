import { GrowableTable } from '../../src/base/columns';
import { StringTable } from '../../src/base/stringTable';
import { ContextBit, Direction } from '../../src/model/events';
import { known } from '../../src/model/evidence';
import type { Geometry } from '../../src/model/geometry';
import {
  callColumns,
  createRequestTable,
  EvidenceBit,
  factColumns,
  Outcome,
  Pairing,
  poolColumns,
  type RequestTable,
  sampleColumns,
  type TraceTables,
} from '../../src/model/tables';

/** One request of a hand-made trace. Everything has a plain default; lines default to the order of the list. */
export interface RequestRow {
  device?: number;
  cpu?: number;
  context?: number;
  direction?: number;
  attributes?: number;
  sizeBytes?: number;
  allocAlignBits?: number;
  original?: number;
  recordedBounce?: number;
  outcome?: number;
  enterNs?: number;
  unmapEnterNs?: number;
  sgGroup?: number;
  sgIndex?: number;
  sgCount?: number;
  enterLine?: number;
  mapLine?: number;
  unmapLine?: number;
  evidence?: number;
  pairing?: number;
  retryOf?: number;
}

export const processContext = ContextBit.known;
export const hardIrqContext = ContextBit.known | ContextBit.hardIrq;

export function appendRequest(table: RequestTable, request: RequestRow): number {
  const row = table.addRow();
  const columns = table.columns;
  const isUnseen = request.pairing === Pairing.unseenMap;
  columns.device[row] = request.device ?? 0;
  columns.cpu[row] = request.cpu ?? 0;
  columns.context[row] = request.context ?? processContext;
  columns.direction[row] = request.direction ?? Direction.toDevice;
  columns.attributes[row] = request.attributes ?? 0;
  columns.sizeBytes[row] = request.sizeBytes ?? 2048;
  columns.allocAlignBits[row] = request.allocAlignBits ?? 0;
  columns.original[row] = request.original ?? 0x200000000 + row * 0x100000;
  columns.recordedBounce[row] = request.recordedBounce ?? Number.NaN;
  columns.outcome[row] = request.outcome ?? Outcome.served;
  columns.enterNs[row] = request.enterNs ?? (isUnseen ? Number.NaN : (request.enterLine ?? row + 1) * 1000);
  columns.unmapEnterNs[row] =
    request.unmapEnterNs ?? (request.unmapLine === undefined ? Number.NaN : request.unmapLine * 1000);
  columns.unmapDurationNs[row] = 0;
  columns.sgGroup[row] = request.sgGroup ?? -1;
  columns.sgIndex[row] = request.sgIndex ?? 0;
  columns.sgCount[row] = request.sgCount ?? 0;
  columns.enterLine[row] = request.enterLine ?? (isUnseen ? 0 : row + 1);
  columns.mapLine[row] = request.mapLine ?? columns.enterLine[row];
  columns.unmapLine[row] = request.unmapLine ?? 0;
  columns.unmapExitLine[row] = request.unmapLine ?? 0;
  columns.evidence[row] = request.evidence ?? EvidenceBit.probeReturn;
  columns.pairing[row] = request.pairing ?? (request.unmapLine === undefined ? Pairing.open : Pairing.exact);
  columns.retryOf[row] = request.retryOf ?? -1;
  return row;
}

export interface TablesOptions {
  readonly devices?: readonly string[];
  readonly samples?: readonly { readonly timeNs: number; readonly used: number }[];
  readonly timeUnit?: 'ns' | 'order';
}

/** Tables as the timeline would leave them. */
export function tablesOf(requests: readonly RequestRow[] | RequestTable, options: TablesOptions = {}): TraceTables {
  const table = Array.isArray(requests) ? createRequestTable() : (requests as RequestTable);
  if (Array.isArray(requests)) {
    for (const request of requests) {
      appendRequest(table, request);
    }
  }
  const samples = new GrowableTable(sampleColumns);
  for (const sample of options.samples ?? []) {
    const row = samples.addRow();
    samples.columns.timeNs[row] = sample.timeNs;
    samples.columns.used[row] = sample.used;
    samples.columns.nslabs[row] = 32768;
    samples.columns.hiwater[row] = -1;
    samples.columns.transient[row] = -1;
  }
  const devices = (options.devices ?? ['dev0', 'dev1', 'dev2', 'dev3', 'dev4']).map((name, id) => ({
    id,
    name,
    driver: '',
    dmaMaskBits: 64,
    dmaMaskLine: 0,
    dmaMaskSource: 0,
    forced: true,
    dmaOffset: Number.NaN,
  }));
  return {
    strings: new StringTable(),
    sources: [
      {
        id: 0,
        path: 'hand-made',
        format: 'ftrace',
        clock: 'local',
        timeUnit: options.timeUnit ?? 'ns',
        offsetNs: 0,
        offsetErrorNs: 0,
        origin: { seconds: 0, nanoseconds: 0 },
      },
    ],
    devices,
    requests: table,
    pools: new GrowableTable(poolColumns),
    samples,
    facts: new GrowableTable(factColumns),
    calls: new GrowableTable(callColumns),
    logs: [],
    logFailures: [],
    evidence: 0,
    firstTimeNs: 0,
    lastTimeNs: 0,
    counts: {
      requests: table.length,
      bounced: table.length,
      direct: 0,
      failed: 0,
      rolledBack: 0,
      unknownOutcome: 0,
      open: 0,
      unseenMaps: 0,
      unpairedUnmaps: 0,
      reused: 0,
      sizeMismatch: 0,
      retries: 0,
      inferredUnmaps: 0,
    },
  } as TraceTables;
}

export interface GeometryOptions {
  readonly start?: number;
  readonly slots?: number;
  readonly areas?: number;
  readonly dynamic?: boolean;
  readonly physLimit?: number;
  /** Per device, in the order of the device table. */
  readonly minAlignMasks?: readonly number[];
  readonly dmaMaskBits?: readonly number[];
  readonly deviceClass?: 'block' | 'net' | 'other' | 'unknown';
}

/** A 6.12 machine with one boot pool. */
export function geometryOf(options: GeometryOptions = {}): Geometry {
  const slots = options.slots ?? 128;
  const areas = options.areas ?? 1;
  const given = <T>(value: T) => known(value, 'user', 'given by the test');
  return {
    generation: given('6.12'),
    dynamic: given(options.dynamic ?? false),
    pageSize: given(4096),
    cpus: given(4),
    pools: [
      {
        id: 0,
        kind: 'boot',
        start: given(options.start ?? 0x10000000),
        slots: given(slots),
        areas: given(areas),
      },
    ],
    recordedPools: [],
    defaultSlots: given(slots),
    defaultAreas: given(areas),
    physLimit: given(options.physLimit ?? 0xffffffff),
    devices: Array.from({ length: 5 }, (_, device) => ({
      device,
      name: `dev${device}`,
      dmaMaskBits: given(options.dmaMaskBits?.[device] ?? 64),
      busLimitBits: given(0),
      minAlignMask: given(options.minAlignMasks?.[device] ?? 0),
      segBoundaryBits: given(64),
      deviceClass: given(options.deviceClass ?? 'unknown'),
    })),
  };
}
