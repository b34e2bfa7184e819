import { platform } from '#platform';
import {
  deviceShares,
  endLevelOf,
  largestHole,
  neighbourStep,
  type SlotsAt,
  slotsAt,
  stepAtTime,
  stepOfLine,
} from '../analysis/slotMap';
import { MoveKind, noMove, type SlotPool, type SlotTimeline } from '../analysis/slotMoves';
import { modelledSlots, recordedModelSlots, recordedSlots } from '../analysis/slotTimeline';
import { formatHex } from '../base/address';
import { directionNames } from '../model/events';
import type { SharesParams, SharesView } from '../protocol/devices';
import { FailureError } from '../protocol/result';
import type {
  SlotDetailParams,
  SlotDetailView,
  SlotEventView,
  SlotLineParams,
  SlotMappingsView,
  SlotPoolView,
  SlotStepParams,
  SlotsParams,
  SlotsView,
} from '../protocol/slots';
import { bounceAllSetting, type LineRef, type RunKey, runId } from '../protocol/views';
import type { Trace } from './trace';

/** Runs whose slots are kept per trace: two that stand side by side, and the one in front. */
const keptTimelines = 3;
const timelines = new WeakMap<Trace, Map<string, SlotTimeline>>();

/** Devices with a colour of their own in a stacked chart. */
const namedDevices = 7;

export function slotsView(trace: Trace, { run, timeNs }: SlotsParams): SlotsView {
  const timeline = timelineOf(trace, run);
  return viewAt(trace, run, timeline, stepAtTime(timeline, timeNs));
}

export function slotStepView(trace: Trace, { run, step, kind, direction }: SlotStepParams): SlotsView | null {
  const timeline = timelineOf(trace, run);
  const next = neighbourStep(timeline, step, kind, direction === 'next' ? 1 : -1);
  return next === null ? null : viewAt(trace, run, timeline, next);
}

export function slotLineView(trace: Trace, { uri, run, line }: SlotLineParams): SlotsView | null {
  const source = trace.sourceOf(uri);
  const timeline = timelineOf(trace, run);
  const step = source < 0 ? null : stepOfLine(timeline, trace.analysis, source, line);
  return step === null ? null : viewAt(trace, run, timeline, step);
}

export function slotDetailView(trace: Trace, { run, move }: SlotDetailParams): SlotDetailView {
  const timeline = timelineOf(trace, run);
  const { moves } = timeline;
  if (moves.length <= move || moves.kind[move] !== MoveKind.taken) {
    throw new FailureError({ kind: 'invalid', message: 'There is no such mapping.' });
  }
  const { tables } = trace.analysis;
  const { columns } = tables.requests;
  const row = moves.row[move]!;
  const pool = timeline.pools[moves.pool[move]!]!;
  const device = row < 0 ? undefined : tables.devices[columns.device[row]!];
  const end = moves.partner[move]!;
  return {
    device: device?.name || null,
    driver: device?.driver || null,
    direction: row < 0 ? null : (directionNames[columns.direction[row]!] ?? null),
    sizeBytes: row < 0 ? null : columns.sizeBytes[row]!,
    slots: moves.slots[move]!,
    firstSlot: moves.firstSlot[move]!,
    pool: pool.kind,
    area: pool.kind === 'transient' ? null : areaOf(pool, moves.firstSlot[move]!),
    original: row < 0 ? null : hexOrNull(columns.original[row]!),
    bounce: hexOrNull(moves.address[move]!),
    bornNs: move < timeline.firstStep ? null : moves.timeNs[move]!,
    endNs: end === noMove ? null : moves.timeNs[end]!,
    endLevel: endLevelOf(timeline, trace.analysis, move),
    map: row < 0 ? null : placeOf(trace, row, columns.mapLine[row]! || columns.enterLine[row]!),
    unmap: row < 0 ? null : placeOf(trace, row, columns.unmapLine[row]!),
  };
}

export function sharesView(trace: Trace, { run, fromNs, toNs, buckets }: SharesParams): SharesView {
  const { devices } = trace.analysis.tables;
  const timeline = timelineOf(trace, run);
  const shares = deviceShares(timeline, trace.analysis, { fromNs, toNs }, buckets, namedDevices);
  return {
    basis: timeline.basis,
    timeNs: shares.timeNs,
    devices: shares.devices.map(({ device, rank, slots }) => ({
      name: device < 0 ? null : (devices[device]?.name ?? ''),
      rank,
      slots,
    })),
    others: timeline.devices.filter(({ rank }) => namedDevices <= rank).length,
  };
}

function timelineOf(trace: Trace, key: RunKey): SlotTimeline {
  let known = timelines.get(trace);
  if (known === undefined) {
    known = new Map();
    timelines.set(trace, known);
  }
  const id = runId(key);
  const made = known.get(id) ?? makeTimeline(trace, key);
  // The one asked for last is forgotten last.
  known.delete(id);
  known.set(id, made);
  const [oldest] = known.keys();
  if (keptTimelines < known.size && oldest !== undefined) {
    known.delete(oldest);
  }
  return made;
}

function makeTimeline(trace: Trace, key: RunKey): SlotTimeline {
  if (key.policy === 'recorded') {
    return trace.recordedUse() === null
      ? recordedModelSlots(trace.analysis)
      : recordedSlots(trace.analysis, trace.diagnose());
  }
  const { [bounceAllSetting]: bounceAll, ...set } = key.set;
  return modelledSlots(trace.analysis, { policy: key.policy, set, bounceAll: bounceAll === true });
}

function viewAt(trace: Trace, run: RunKey, timeline: SlotTimeline, step: number): SlotsView {
  const at = slotsAt(timeline, step);
  const { pools, moves } = timeline;
  const used = usedByPool(timeline, at);
  const poolViews = at.pools.map((pool): SlotPoolView => {
    const { kind, start, startLevel, slots, areas, addedNs } = pools[pool]!;
    return {
      kind,
      start: hexOrNull(start),
      startLevel,
      slots,
      areas,
      usedSlots: used.get(pool) ?? 0,
      addedNs: Number.isFinite(addedNs) ? addedNs : null,
    };
  });
  const hole = largestHole(timeline, at);
  return {
    run,
    basis: timeline.basis,
    hasTime: timeline.hasTime,
    step: at.step,
    firstStep: timeline.firstStep,
    lastStep: moves.length,
    timeNs: at.timeNs,
    pools: poolViews,
    mappings: mappingsView(trace, timeline, at),
    devices: deviceViews(trace, timeline, at),
    freeSlots: poolViews.reduce(
      (sum, pool) => sum + (pool.kind === 'transient' ? 0 : Math.max(0, pool.slots - pool.usedSlots)),
      0,
    ),
    largestHole: hole === null ? null : { ...hole, pool: at.pools.indexOf(hole.pool) },
    event: at.step <= timeline.firstStep ? null : eventView(trace, timeline, at),
    unseenSlots: run.policy === 'recorded' ? (trace.recordedUse()?.baselineSlots ?? 0) : 0,
    displaced: timeline.displaced,
    failures: timeline.failures.length,
  };
}

function usedByPool({ moves }: SlotTimeline, at: SlotsAt): Map<number, number> {
  const used = new Map<number, number>();
  for (const move of at.live) {
    const pool = moves.pool[move]!;
    used.set(pool, (used.get(pool) ?? 0) + moves.slots[move]!);
  }
  return used;
}

function mappingsView(trace: Trace, timeline: SlotTimeline, at: SlotsAt): SlotMappingsView {
  const { moves, firstStep } = timeline;
  const { columns } = trace.analysis.tables.requests;
  const count = at.live.length;
  const positions = new Map(at.pools.map((pool, index) => [pool, index]));
  const pool = new Int32Array(count);
  const firstSlot = new Int32Array(count);
  const slots = new Int32Array(count);
  const device = new Int32Array(count);
  const direction = new Uint8Array(count);
  const bornNs = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    const move = at.live[index]!;
    const row = moves.row[move]!;
    pool[index] = positions.get(moves.pool[move]!) ?? 0;
    firstSlot[index] = moves.firstSlot[move]!;
    slots[index] = moves.slots[move]!;
    device[index] = row < 0 ? -1 : columns.device[row]!;
    direction[index] = row < 0 ? 255 : columns.direction[row]!;
    bornNs[index] = move < firstStep ? Number.NaN : moves.timeNs[move]!;
  }
  return {
    count,
    move: base64(at.live),
    pool: base64(pool),
    firstSlot: base64(firstSlot),
    slots: base64(slots),
    device: base64(device),
    direction: base64(direction),
    bornNs: base64(bornNs),
  };
}

/** Every machine that runs the extension is little-endian. */
function base64(column: Int32Array | Uint8Array | Float64Array): string {
  return platform.base64(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
}

function deviceViews(trace: Trace, { moves, devices }: SlotTimeline, at: SlotsAt): SlotsView['devices'] {
  const { tables } = trace.analysis;
  const held = new Map<number, number>();
  for (const move of at.live) {
    const row = moves.row[move]!;
    if (0 <= row) {
      const device = tables.requests.columns.device[row]!;
      held.set(device, (held.get(device) ?? 0) + moves.slots[move]!);
    }
  }
  return devices.flatMap(({ device, rank }) => {
    const slots = held.get(device);
    return slots === undefined ? [] : [{ device, rank, name: tables.devices[device]?.name ?? '', slots }];
  });
}

function eventView(trace: Trace, { moves, failures }: SlotTimeline, at: SlotsAt): SlotEventView {
  const move = at.step - 1;
  const row = moves.row[move]!;
  const kind = moves.kind[move]!;
  const { devices, requests } = trace.analysis.tables;
  const { columns } = requests;
  const failure = kind === MoveKind.failed ? failures[moves.partner[move]!]! : null;
  const mapLine = row < 0 ? 0 : columns.mapLine[row]! || columns.enterLine[row]!;
  const position = at.pools.indexOf(moves.pool[move]!);
  return {
    kind: kind === MoveKind.failed ? 'failed' : kind === MoveKind.taken ? 'taken' : 'released',
    place:
      row < 0 ? null : placeOf(trace, row, kind === MoveKind.released ? columns.unmapLine[row]! || mapLine : mapLine),
    device: row < 0 ? null : devices[columns.device[row]!]?.name || null,
    sizeBytes: row < 0 ? null : columns.sizeBytes[row]!,
    slots: failure?.neededSlots ?? moves.slots[move]!,
    pool: position < 0 ? null : position,
    firstSlot: failure === null ? moves.firstSlot[move]! : null,
    failure:
      failure === null
        ? null
        : {
            cause: failure.cause,
            neededSlots: failure.neededSlots,
            largestHole: failure.largestHole < 0 ? null : failure.largestHole,
            freeSlots: failure.freeSlots < 0 ? null : failure.freeSlots,
          },
  };
}

function placeOf(trace: Trace, row: number, line: number): LineRef | null {
  const { sources, requests } = trace.analysis.tables;
  return line === 0 ? null : { file: sources[requests.columns.source[row]!]?.path ?? trace.analysis.file, line };
}

function areaOf({ slots, areas }: SlotPool, slot: number): number {
  return Math.min(areas - 1, Math.floor(slot / Math.max(1, Math.floor(slots / areas))));
}

function hexOrNull(address: number): string | null {
  return Number.isFinite(address) ? formatHex(address) : null;
}
