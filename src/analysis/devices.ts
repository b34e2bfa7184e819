import { formatHex } from '../base/address';
import type { DeviceGeometry } from '../model/geometry';
import type { DevicesReport } from '../model/reports';
import { EvidenceBit, Outcome, Pairing } from '../model/tables';
import { SLOT_BYTES } from '../model/units';
import type { Analysis } from './analysis';
import { suspectedLeaks } from './leaks';
import { LineRole, lineIndexOf } from './lineIndex';
import { requestPaddedBytes } from './occupancy';

interface Tally {
  firstSource: number;
  /** 0: none yet. */
  firstLine: number;
  requests: number;
  failed: number;
  direct: number;
  bytes: number;
  wasteBytes: number;
  openAtEnd: number;
  heldSlots: number;
  peakSlots: number;
  ended: boolean;
  readonly lifetimesNs: number[];
}

export function devicesReport(analysis: Analysis): DevicesReport {
  const { tables, geometry } = analysis;
  const tallies = tallyRequests(analysis);
  measurePeaks(analysis, tallies);
  const leaks = new Set(suspectedLeaks(analysis).map((leak) => leak.device));
  const geometryOf = new Map(geometry.devices.map((device) => [device.device, device]));
  const devices = [...tallies].map(([row, tally]) => {
    const device = tables.devices[row];
    const known = geometryOf.get(row);
    return {
      name: device?.name ?? '',
      driver: device?.driver || null,
      class: known === undefined || known.deviceClass.value === 'unknown' ? null : known.deviceClass.value,
      requests: tally.requests,
      failed: tally.failed,
      direct: tally.direct,
      peakSlots: tally.ended || tally.requests === 0 ? tally.peakSlots : null,
      bytes: tally.bytes,
      wasteBytes: tally.wasteBytes,
      medianLifetimeNs: median(tally.lifetimesNs),
      openAtEnd: tally.openAtEnd,
      leakSuspected: leaks.has(row),
      dmaMaskBits: (device?.dmaMaskBits ?? -1) >= 0 ? (device?.dmaMaskBits ?? null) : null,
      minAlignMask: alignMaskText(known),
      first:
        tally.firstLine === 0
          ? null
          : { file: tables.sources[tally.firstSource]?.path ?? analysis.file, line: tally.firstLine },
    };
  });
  devices.sort(
    (a, b) => (b.peakSlots ?? 0) - (a.peakSlots ?? 0) || b.requests - a.requests || (a.name < b.name ? -1 : 1),
  );
  return { file: analysis.file, devices };
}

function tallyRequests(analysis: Analysis): Map<number, Tally> {
  const { columns, length } = analysis.tables.requests;
  const tallies = new Map<number, Tally>();
  for (let row = 0; row < length; row++) {
    const tally = tallyOf(tallies, columns.device[row]);
    if (tally.firstLine === 0) {
      tally.firstSource = columns.source[row];
      tally.firstLine = firstLineOf(columns, row);
    }
    const served = columns.outcome[row] === Outcome.served;
    const pairing = columns.pairing[row];
    tally.openAtEnd += served && pairing === Pairing.open ? 1 : 0;
    tally.ended ||= served && pairing !== Pairing.assumed;
    if ((columns.evidence[row] & EvidenceBit.direct) !== 0) {
      tally.direct++;
      continue;
    }
    // Mapped before the trace: it holds slots, but no attempt of it is in the trace.
    if (pairing !== Pairing.unseenMap) {
      tally.requests++;
    }
    tally.failed += columns.outcome[row] === Outcome.failed ? 1 : 0;
    if (served && pairing !== Pairing.unseenMap) {
      tally.bytes += columns.sizeBytes[row];
      tally.wasteBytes += slotsOf(analysis, row) * SLOT_BYTES - columns.sizeBytes[row];
    }
    const lifetime = columns.unmapEnterNs[row] - columns.enterNs[row];
    if (served && (pairing === Pairing.exact || pairing === Pairing.sizeMismatch) && Number.isFinite(lifetime)) {
      tally.lifetimesNs.push(lifetime);
    }
  }
  return tallies;
}

/** Slots held over the lines of each source; mappings from before the trace are held from its start. */
function measurePeaks(analysis: Analysis, tallies: Map<number, Tally>): void {
  const { tables } = analysis;
  const { columns, length } = tables.requests;
  for (let row = 0; row < length; row++) {
    if (columns.pairing[row] === Pairing.unseenMap && (columns.evidence[row] & EvidenceBit.direct) === 0) {
      hold(tallyOf(tallies, columns.device[row]), slotsOf(analysis, row));
    }
  }
  for (const source of tables.sources) {
    const index = lineIndexOf(analysis, source.id);
    for (let i = 0; i < index.rows.length; i++) {
      const row = index.rows[i];
      const bounced = (columns.evidence[row] & EvidenceBit.direct) === 0;
      if (!bounced || columns.outcome[row] !== Outcome.served) {
        continue;
      }
      const tally = tallyOf(tallies, columns.device[row]);
      if ((index.roles[i] & LineRole.map) !== 0) {
        hold(tally, slotsOf(analysis, row));
      }
      if ((index.roles[i] & LineRole.unmap) !== 0) {
        hold(tally, -slotsOf(analysis, row));
      }
    }
  }
}

/** Requests of the log alone have no line of an event. */
function firstLineOf(columns: Analysis['tables']['requests']['columns'], row: number): number {
  const { enterLine, mapLine, unmapLine, consoleLine } = columns;
  return [enterLine[row], mapLine[row], unmapLine[row], consoleLine[row]].find((line) => 0 < line) ?? 0;
}

function hold(tally: Tally, slots: number): void {
  tally.heldSlots += slots;
  tally.peakSlots = Math.max(tally.peakSlots, tally.heldSlots);
}

function slotsOf(analysis: Analysis, row: number): number {
  return Math.max(1, Math.ceil(requestPaddedBytes(analysis, row) / SLOT_BYTES));
}

function tallyOf(tallies: Map<number, Tally>, device: number): Tally {
  let tally = tallies.get(device);
  if (tally === undefined) {
    tally = {
      firstSource: -1,
      firstLine: 0,
      requests: 0,
      failed: 0,
      direct: 0,
      bytes: 0,
      wasteBytes: 0,
      openAtEnd: 0,
      heldSlots: 0,
      peakSlots: 0,
      ended: false,
      lifetimesNs: [],
    };
    tallies.set(device, tally);
  }
  return tally;
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) {
    return null;
  }
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A default or an assumption is not knowledge. */
function alignMaskText(device: DeviceGeometry | undefined): string | null {
  const level = device?.minAlignMask.evidence.level;
  return device === undefined || level === 'default' || level === 'assumed'
    ? null
    : formatHex(device.minAlignMask.value);
}
