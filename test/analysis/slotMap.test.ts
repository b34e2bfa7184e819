import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { diagnose } from '../../src/analysis/diagnose';
import { recordedUse } from '../../src/analysis/recordedUse';
import { replayReport } from '../../src/analysis/replay';
import {
  deviceShares,
  largestHole,
  neighbourStep,
  type SlotsAt,
  slotsAt,
  stepAtTime,
  stepOfLine,
} from '../../src/analysis/slotMap';
import { MoveKind, type SlotTimeline } from '../../src/analysis/slotMoves';
import { modelledSlots, recordedSlots } from '../../src/analysis/slotTimeline';
import { upperBound } from '../../src/base/bisect';
import { ReplayOutcome } from '../../src/model/replayResult';
import { Pairing } from '../../src/model/tables';
import { handMade } from '../support/analysis';
import { readFixture } from '../support/fixtures';
import { geometryOf } from '../support/replayTables';
import { anyWorkload, type WorkloadOptions, workload } from '../support/workload';

/** What holds each slot, by pool and slot; throws where two mappings hold one. */
function ownersOf(timeline: SlotTimeline, at: SlotsAt): Map<string, number> {
  const { moves } = timeline;
  const owners = new Map<string, number>();
  for (const move of at.live) {
    for (let slot = moves.firstSlot[move]; slot < moves.firstSlot[move] + moves.slots[move]; slot++) {
      const key = `${moves.pool[move]}/${slot}`;
      if (owners.has(key)) {
        throw new Error(`slot ${key} is held twice at step ${at.step}`);
      }
      owners.set(key, move);
    }
  }
  return owners;
}

/** The same from the beginning, one move after the other. */
function walkTo(timeline: SlotTimeline, step: number): Set<number> {
  const live = new Set<number>();
  for (let move = 0; move < step; move++) {
    if (timeline.moves.kind[move] === MoveKind.taken) {
      live.add(move);
    } else if (timeline.moves.kind[move] === MoveKind.released) {
      live.delete(timeline.moves.partner[move]);
    }
  }
  return live;
}

function analysisOf(options: WorkloadOptions, slots: number, areas: number): Analysis {
  const base = handMade({});
  return { ...base, tables: workload(options), geometry: geometryOf({ slots, areas, dynamic: false }) };
}

function captureOf(folder: string, files: readonly string[]): Analysis {
  const builder = createAnalysis();
  for (const name of files) {
    const source = builder.openSource({ path: name });
    source.push(readFixture(`captures/${folder}/${name}`));
    source.end();
  }
  return builder.snapshot();
}

function sample(): Analysis {
  const builder = createAnalysis();
  for (const name of ['trace.txt', 'dmesg.txt', 'debugfs.csv']) {
    const source = builder.openSource({ path: name });
    source.push(readFileSync(new URL(`../../media/samples/full-1MiB/${name}`, import.meta.url)));
    source.end();
  }
  return builder.snapshot();
}

const anyPool = fc.constantFrom([128, 1], [512, 1], [512, 4], [1024, 8]);
const anyPolicy = fc.constantFrom('fixed', 'transient', 'dynamic', 'may-sleep', 'throttle', 'restricted', 'rfc-v2');

describe('the slots of a replay', () => {
  it('are those that the placements of its requests add up to, at any time', () => {
    fc.assert(
      fc.property(anyWorkload, anyPool, fc.constantFrom('fixed', 'restricted'), (options, [slots, areas], policy) => {
        const analysis = analysisOf({ ...options, closes: true }, slots, areas);
        const { result } = replayReport(analysis, { policy });
        const timeline = modelledSlots(analysis, { policy });
        const { enterNs, unmapEnterNs } = analysis.tables.requests.columns;
        const times = [...enterNs.slice(0, options.requests)];
        for (const timeNs of times.filter((_, index) => index % 7 === 0)) {
          const expected = new Set<string>();
          for (let row = 0; row < options.requests; row++) {
            const isHeld =
              result.requests.outcome[row] === ReplayOutcome.served &&
              enterNs[row] <= timeNs &&
              timeNs < unmapEnterNs[row];
            for (let slot = 0; isHeld && slot < result.requests.slots[row]; slot++) {
              expected.add(`0/${result.requests.slot[row] + slot}`);
            }
          }
          const at = slotsAt(timeline, stepAtTime(timeline, timeNs));
          expect([...ownersOf(timeline, at).keys()].sort()).toEqual([...expected].sort());
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are never held twice, agree with the series, and are the same however one gets there', () => {
    fc.assert(
      fc.property(anyWorkload, anyPool, anyPolicy, fc.integer(), (options, [slots, areas], policy, seed) => {
        const analysis = analysisOf({ ...options, closes: seed % 2 === 0 }, slots, areas);
        const { result } = replayReport(analysis, { policy });
        const timeline = modelledSlots(analysis, { policy });
        const { moves } = timeline;
        expect(timeline.failures).toHaveLength(result.failed);
        for (let step = timeline.firstStep; step <= moves.length; step += 1 + (Math.abs(seed) % 13)) {
          const at = slotsAt(timeline, step);
          expect(new Set(at.live)).toEqual(walkTo(timeline, step));
          const owners = ownersOf(timeline, at);
          for (const move of at.live) {
            const pool = timeline.pools[moves.pool[move]];
            expect(at.pools).toContain(moves.pool[move]);
            expect(moves.firstSlot[move] + moves.slots[move]).toBeLessThanOrEqual(pool.slots);
          }
          // Between two times the series and the map have made the same moves.
          if (step === moves.length || at.timeNs < moves.timeNs[step]) {
            const index = upperBound(result.series.timeNs, at.timeNs, result.series.length) - 1;
            expect(owners.size).toBe(result.series.usedSlots[index]);
          }
        }
      }),
      { numRuns: 120 },
    );
  });

  it('name the largest hole as the allocator does when a request fails', () => {
    let failures = 0;
    fc.assert(
      fc.property(
        anyWorkload,
        fc.constantFrom([128, 1], [256, 1], [512, 4]),
        fc.constantFrom('fixed', 'restricted', 'transient'),
        (options, [slots, areas], policy) => {
          const analysis = analysisOf({ ...options, largest: 300_000 }, slots, areas);
          const timeline = modelledSlots(analysis, { policy });
          for (const failure of timeline.failures) {
            if (failure.largestHole >= 0) {
              const at = slotsAt(timeline, failure.move + 1);
              expect(largestHole(timeline, at)?.slots ?? 0).toBe(failure.largestHole);
              failures++;
            }
          }
        },
      ),
      { numRuns: 60 },
    );
    expect(failures).toBeGreaterThan(100);
  });

  it('have room for what only samples show in use, from the start and to nobody', () => {
    const analysis = captureOf('a1_fixed_bounced_only', ['trace.txt', 'debugfs.csv', 'dmesg.txt']);
    const { result } = replayReport(analysis, { policy: 'fixed' });
    const timeline = modelledSlots(analysis, { policy: 'fixed' });
    const start = slotsAt(timeline, 0);
    const held = [...start.live].filter((move) => timeline.moves.row[move] < 0);
    expect(start.step).toBe(timeline.firstStep);
    expect(held.reduce((sum, move) => sum + timeline.moves.slots[move], 0)).toBe(result.assumed.baselineSlots);
    expect(result.assumed.baselineSlots).toBeGreaterThan(0);
  });
});

describe('steps', () => {
  const timeline = modelledSlots(analysisOf({ seed: 3, requests: 200, live: 60, largest: 300_000 }, 128, 1), {
    policy: 'fixed',
  });

  it('go through every event, and stop at both ends', () => {
    let step: number | null = timeline.firstStep;
    let count = 0;
    while (step !== null && count <= timeline.moves.length) {
      step = neighbourStep(timeline, step, 'event', 1);
      count++;
    }
    expect(count).toBe(timeline.moves.length - timeline.firstStep + 1);
    expect(neighbourStep(timeline, timeline.firstStep, 'event', -1)).toBeNull();
  });

  it('go through the failures in both directions, each just after it happened', () => {
    const forth: number[] = [];
    for (let step = neighbourStep(timeline, 0, 'failure', 1); step !== null; ) {
      forth.push(step);
      step = neighbourStep(timeline, step, 'failure', 1);
    }
    const back: number[] = [];
    for (let step = neighbourStep(timeline, timeline.moves.length + 1, 'failure', -1); step !== null; ) {
      back.push(step);
      step = neighbourStep(timeline, step, 'failure', -1);
    }
    expect(forth).toEqual(timeline.failures.map((failure) => failure.move + 1));
    expect(back.reverse()).toEqual(forth);
    expect(forth.length).toBeGreaterThan(10);
    for (const step of forth) {
      expect(timeline.moves.kind[step - 1]).toBe(MoveKind.failed);
    }
  });
});

describe('the slots of a recording', () => {
  it('stand where the bounce addresses are, and leave when another mapping comes', () => {
    const base = 0x10000000;
    const analysis = handMade({
      requests: [
        { device: 0, sizeBytes: 4096, recordedBounce: base, enterLine: 2, unmapLine: 9 },
        { device: 1, sizeBytes: 2048, recordedBounce: base + 4096, enterLine: 3, unmapLine: 5 },
        // Printed before the release above it: the slot was free all the same.
        { device: 2, sizeBytes: 2048, recordedBounce: base + 4096, enterLine: 4, unmapLine: 8 },
        { device: 3, sizeBytes: 2048, recordedBounce: base + 20480, pairing: Pairing.unseenMap, unmapLine: 6 },
      ],
      geometry: { slots: 512 },
    });
    const timeline = recordedSlots(analysis, diagnose(analysis));
    const shown = (timeNs: number) =>
      [...slotsAt(timeline, stepAtTime(timeline, timeNs)).live].map((move) => [
        timeline.moves.row[move],
        timeline.moves.firstSlot[move],
        timeline.moves.slots[move],
      ]);
    expect(shown(0)).toEqual([[3, 10, 1]]);
    expect(shown(3000)).toEqual([
      [0, 0, 2],
      [1, 2, 1],
      [3, 10, 1],
    ]);
    expect(shown(5000)).toEqual([
      [0, 0, 2],
      [2, 2, 1],
      [3, 10, 1],
    ]);
    expect(shown(8500)).toEqual([[0, 0, 2]]);
    expect(timeline).toMatchObject({ firstStep: 1, displaced: 1, basis: 'recorded' });
    expect(timeline.moves.timeNs[0]).toBe(0);
  });

  it('add up to the recorded use of a real capture, and a line leads to its moment', () => {
    const analysis = sample();
    const report = diagnose(analysis);
    const use = recordedUse(analysis, report)!;
    const timeline = recordedSlots(analysis, report);
    expect(timeline.failures).toHaveLength(use.failed);
    const { moves } = timeline;
    for (let step = timeline.firstStep; step < moves.length; step += 97) {
      const at = slotsAt(timeline, step);
      expect(new Set(at.live)).toEqual(walkTo(timeline, step));
      const used = ownersOf(timeline, at).size;
      if (at.timeNs < moves.timeNs[step] && timeline.displaced === 0) {
        expect(used).toBe(use.series.usedSlots[upperBound(use.series.timeNs, at.timeNs, use.series.length) - 1]);
      }
    }
    const failure = timeline.failures[5];
    const line = analysis.tables.requests.columns.mapLine[failure.row];
    expect(stepOfLine(timeline, analysis, 0, line)).toBe(failure.move + 1);
    const { unmapLine } = analysis.tables.requests.columns;
    const message = analysis.tables.logFailures.find(({ request }) => request === failure.row)!;
    expect(stepOfLine(timeline, analysis, message.record.source, message.record.line)).toBe(failure.move + 1);
    const row = unmapLine.findIndex((at, index) => at > 0 && moves.row.includes(index));
    const step = stepOfLine(timeline, analysis, 0, unmapLine[row])!;
    expect([moves.kind[step - 1], moves.row[step - 1]]).toEqual([MoveKind.released, row]);
  });

  it('of kernels with dynamic pools have those pools, each mapping inside its own', () => {
    const analysis = captureOf('ctl_conc_dyn_4area_seedA', ['trace.txt', 'dmesg.txt']);
    const timeline = recordedSlots(analysis, diagnose(analysis));
    const kinds = new Set(timeline.pools.map((pool) => pool.kind));
    expect(kinds).toEqual(new Set(['boot', 'grown', 'transient']));
    for (let step = timeline.firstStep; step < timeline.moves.length; step += 11) {
      const at = slotsAt(timeline, step);
      ownersOf(timeline, at);
      const { moves, pools } = timeline;
      expect(
        [...at.live].every((move) => moves.firstSlot[move] + moves.slots[move] <= pools[moves.pool[move]].slots),
      ).toBe(true);
    }
  });
});

describe('shares of the devices', () => {
  const analysis = analysisOf({ seed: 11, requests: 250, live: 80 }, 1024, 4);
  const timeline = modelledSlots(analysis, { policy: 'fixed' });
  const { timeNs } = timeline.moves;
  const range = { fromNs: timeNs[0], toNs: timeNs[timeline.moves.length - 1] };

  it('add up to the slots in use, whoever is counted among the others', () => {
    for (const most of [0, 2, 5]) {
      const shares = deviceShares(timeline, analysis, range, 1000, most);
      expect(shares.devices).toHaveLength(Math.min(most, 5) + (most < 5 ? 1 : 0));
      shares.timeNs.slice(1).forEach((at, index) => {
        const step = stepAtTime(timeline, at);
        if (shares.timeNs[index + 2] !== at) {
          const used = [...slotsAt(timeline, step).live].reduce((sum, move) => sum + timeline.moves.slots[move], 0);
          expect(shares.devices.reduce((sum, device) => sum + device.slots[index + 1], 0)).toBe(used);
        }
      });
    }
  });

  it('keep the rank of a device in every run', () => {
    const ranks = (policy: string, slots: number) => {
      const tight = { ...analysis, geometry: geometryOf({ slots, areas: 1 }) };
      const ranked = modelledSlots(tight, { policy }).devices.map(({ device, rank }) => `${device}:${rank}`);
      return ranked.sort().join(' ');
    };
    expect(ranks('fixed', 128)).toBe(ranks('dynamic', 128));
    expect(new Set(timeline.devices.map(({ rank }) => rank)).size).toBe(timeline.devices.length);
  });

  it('keep the peak in few stretches', () => {
    const top = (buckets: number) => {
      const shares = deviceShares(timeline, analysis, range, buckets, 3);
      return Math.max(...shares.timeNs.map((_, i) => shares.devices.reduce((sum, device) => sum + device.slots[i], 0)));
    };
    expect(top(8)).toBe(top(10_000));
  });
});
