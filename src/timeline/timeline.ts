import { GrowableTable } from '../base/columns';
import type { StringTable } from '../base/stringTable';
import type { BundleFact, DeviceDriver } from '../model/bundle';
import type { TraceSink } from '../model/events';
import { failureLogKinds, type LogRecord } from '../model/log';
import { type Device, type LossTable, lossColumns, type Source, type TraceTables } from '../model/tables';
import { ClockMarks } from './clockMarks';
import { type ClockEvidence, type ClockOffset, chooseReference, isPlainTrace, joinClocks } from './clocks';
import { FailureLog, toLogFailures } from './logJoin';
import { closeOverlapped, countRequests, markDirect, markRetries, settleAddresses } from './settle';
import { createSharedTables } from './shared';
import { SourceTimeline } from './sourceTimeline';

/** What is known about a source once its reader has ended (or so far). */
export type SourceMeta = Pick<
  Source,
  'format' | 'clock' | 'timeUnit' | 'origin' | 'cpusOnline' | 'release' | 'areColumnsInferred'
>;

/**
 * Turns events into requests (design.md "From events to requests").
 * Sources may be fed one after the other or interleaved; events of one source come in file order.
 */
export interface Timeline extends TraceSink {
  /** Adds a row to the source table and returns its index: the `source` of every event, record and sample. */
  openSource(path: string): number;
  /** Tells what the reader learnt. May be called again while a file grows; `snapshot` works before it, too. */
  closeSource(id: number, meta: SourceMeta): void;
  /**
   * The tables as of now; attempts and failed lists that still wait for evidence stay `unknown` and may be completed
   * by later input. Rows are append-only; `requests.version` grows when an older row was patched.
   * Times of rows are relative to their source: add `sources[row.source].offsetNs` to compare sources.
   */
  snapshot(): TraceTables;
}

interface SourceEntry {
  readonly id: number;
  readonly path: string;
  readonly pairing: SourceTimeline;
  /** Texts of log lines, and of console events and markers: a file may hold both. */
  readonly logMarks: ClockMarks;
  readonly eventMarks: ClockMarks;
  meta: SourceMeta;
  samples: number;
  firstTimeNs: number;
  lastTimeNs: number;
}

/** Days of samples once per second; a file of nothing else must not fill the memory. */
const maxFreePageRows = 1 << 22;

/** So many places are kept; a trace with more of them proves little anyway. */
const maxLosses = 1 << 20;

const unknownMeta: SourceMeta = { format: 'unknown', clock: '', timeUnit: 'ns', origin: null };

export function createTimeline(strings: StringTable): Timeline {
  const shared = createSharedTables(strings);
  const sources: SourceEntry[] = [];
  const logs: LogRecord[] = [];
  const bundleFacts: BundleFact[] = [];
  const losses: LossTable = new GrowableTable(lossColumns);
  const failureLog = new FailureLog(shared.devices);
  // Row 0: "no device named".
  shared.devices.rowOf(0);

  function noteTime(entry: SourceEntry, timeNs: number): void {
    if (!Number.isNaN(timeNs)) {
      entry.firstTimeNs = least(entry.firstTimeNs, timeNs);
      entry.lastTimeNs = -least(-entry.lastTimeNs, -timeNs);
    }
  }

  function noteDriver(record: LogRecord): void {
    if (record.device !== '') {
      const device = shared.devices.rows[shared.devices.rowOfName(record.device)];
      device.driver ||= record.driver;
      if (device.dmaMaskBits < 0 && record.maskBits >= 0) {
        device.dmaMaskBits = record.maskBits;
        device.dmaMaskLine = record.line;
        device.dmaMaskSource = record.source;
      }
    }
  }

  /** The settings of the tracer name the clock of text that does not say it itself. */
  function metaOf({ meta }: SourceEntry): SourceMeta {
    const fact = bundleFacts.find((candidate) => candidate.kind === 'trace-clock');
    return fact === undefined || meta.clock !== '' || !isPlainTrace(meta.format)
      ? meta
      : { ...meta, clock: fact.clock };
  }

  function clockEvidence(): ClockEvidence[] {
    return sources.map((entry) => ({
      id: entry.id,
      meta: metaOf(entry),
      requests: entry.pairing.state.requests,
      samples: entry.samples,
      failures: failureLog.ofSource(entry.id),
      markers: entry.pairing.markers,
      logMarks: entry.logMarks,
      eventMarks: entry.eventMarks,
    }));
  }

  return {
    openSource(path) {
      const id = sources.length;
      sources.push({
        id,
        path,
        pairing: new SourceTimeline(id, shared),
        logMarks: new ClockMarks(),
        eventMarks: new ClockMarks(),
        meta: unknownMeta,
        samples: 0,
        firstTimeNs: Number.NaN,
        lastTimeNs: Number.NaN,
      });
      return id;
    },

    closeSource(id, meta) {
      sources[id].meta = meta;
    },

    event(event) {
      sources[event.source].pairing.event(event);
    },

    log(record) {
      const entry = sources[record.source];
      noteTime(entry, record.timeNs);
      logs.push(record);
      shared.pools.onLog(record);
      noteDriver(record);
      if (record.kind === 'suppressed') {
        failureLog.addSuppressed(record);
      } else if (failureLogKinds.has(record.kind)) {
        const isInside = record.viaTrace && record.kind === 'buffer-full';
        failureLog.add(record, isInside ? entry.pairing.joinConsole(record) : -1);
      }
    },

    sample(record) {
      const entry = sources[record.source];
      noteTime(entry, record.timeNs);
      entry.samples++;
      const row = shared.samples.addRow();
      const columns = shared.samples.columns;
      columns.source[row] = record.source;
      columns.line[row] = record.line;
      columns.timeNs[row] = record.timeNs;
      columns.pool[row] = strings.intern(record.pool);
      columns.nslabs[row] = record.nslabs;
      columns.used[row] = record.used;
      columns.hiwater[row] = record.hiwater;
      columns.transient[row] = record.transient;
    },

    freePages(record) {
      const entry = sources[record.source];
      const { freePages } = shared;
      if (freePages.length >= maxFreePageRows) {
        return;
      }
      noteTime(entry, record.timeNs);
      entry.samples++;
      const zone = strings.intern(record.zone);
      for (const [order, blocks] of record.free.entries()) {
        const row = freePages.addRow();
        const { columns } = freePages;
        columns.source[row] = record.source;
        columns.line[row] = record.line;
        columns.timeNs[row] = record.timeNs;
        columns.node[row] = record.node;
        columns.zone[row] = zone;
        columns.order[row] = order;
        columns.blocks[row] = blocks;
      }
    },

    clockMark({ source, text, timeNs, viaTrace }) {
      const { logMarks, eventMarks } = sources[source];
      (viaTrace ? eventMarks : logMarks).add(text, timeNs, viaTrace);
    },

    bundleFact(fact) {
      bundleFacts.push(fact);
    },

    lost(record) {
      sources[record.source].pairing.lost(record.line, record.cpu);
      if (losses.length < maxLosses) {
        const row = losses.addRow();
        losses.columns.source[row] = record.source;
        losses.columns.line[row] = record.line;
        losses.columns.cpu[row] = record.cpu > 32767 ? -1 : record.cpu;
      }
    },

    snapshot() {
      const { requests } = shared;
      for (const { pairing } of sources) {
        pairing.settle();
      }
      settleAddresses(requests, shared.pools, shared.devices);
      markDirect(requests, shared.pools, shared.devices.rows);
      const evidence = clockEvidence();
      const reference = chooseReference(evidence);
      const offsets: ClockOffset[] = evidence.map((source) =>
        joinClocks(source, evidence[reference], requests, shared.devices),
      );
      failureLog.join(requests, reference, offsets);
      const states = sources.map(({ pairing }) => pairing.state);
      closeOverlapped(requests, states);
      const retries = markRetries(requests);
      const counts = countRequests(requests, states, retries);
      const span = timeSpan(sources, offsets, reference);
      return {
        strings,
        sources: sources.map((entry, id) => ({
          id,
          path: entry.path,
          ...metaOf(entry),
          offsetNs: offsets[id].offsetNs,
          offsetErrorNs: offsets[id].offsetErrorNs,
        })),
        devices: withDrivers(shared.devices.rows, bundleFacts),
        requests: requests.view(),
        pools: shared.pools.table.view(),
        samples: shared.samples.view(),
        facts: shared.facts.view(),
        ...(shared.freePages.length > 0 ? { freePages: shared.freePages.view() } : {}),
        calls: shared.calls.table.view(),
        ...(losses.length > 0 ? { losses: losses.view() } : {}),
        logs: logs.slice(),
        bundleFacts: bundleFacts.slice(),
        logFailures: toLogFailures(failureLog.failures),
        evidence: evidenceOf(requests.columns.evidence, requests.length),
        ...span,
        counts,
      };
    },
  };
}

/** The devices of the trace, with what a log or a list of devices says about those that no event describes. */
function withDrivers(devices: readonly Device[], facts: readonly BundleFact[]): Device[] {
  const named = new Map<string, DeviceDriver>();
  for (const fact of facts) {
    if (fact.kind === 'device-driver' && !named.has(fact.device)) {
      named.set(fact.device, fact);
    }
  }
  return devices.map((device) => {
    const fact = named.get(device.name);
    if (fact === undefined) {
      return { ...device };
    }
    const isMaskNew = device.dmaMaskBits < 0 && fact.dmaMaskBits >= 0;
    return {
      ...device,
      driver: device.driver || fact.driver,
      ...(isMaskNew ? { dmaMaskBits: fact.dmaMaskBits, dmaMaskLine: fact.line, dmaMaskSource: fact.source } : {}),
    };
  });
}

/** Times of the reference source; without any, of the first source that has them. */
function timeSpan(
  sources: readonly SourceEntry[],
  offsets: readonly ClockOffset[],
  reference: number,
): Pick<TraceTables, 'firstTimeNs' | 'lastTimeNs'> {
  const first = (entry: SourceEntry): number => least(entry.pairing.firstTimeNs, entry.firstTimeNs);
  const last = (entry: SourceEntry): number => -least(-entry.pairing.lastTimeNs, -entry.lastTimeNs);
  const withTime =
    sources[reference] !== undefined && !Number.isNaN(first(sources[reference]))
      ? sources[reference]
      : sources.find((entry) => !Number.isNaN(first(entry)));
  if (withTime === undefined) {
    return { firstTimeNs: Number.NaN, lastTimeNs: Number.NaN };
  }
  const { offsetNs } = offsets[withTime.id];
  return { firstTimeNs: first(withTime) + offsetNs, lastTimeNs: last(withTime) + offsetNs };
}

/** The smaller one; NaN only when both are. */
function least(a: number, b: number): number {
  return a <= b || Number.isNaN(b) ? a : b;
}

function evidenceOf(column: Uint16Array, length: number): number {
  let bits = 0;
  for (let row = 0; row < length; row++) {
    bits |= column[row];
  }
  return bits;
}
