import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StringTable } from '../../src/base/stringTable';
import { createTraceEvent, EventKind, resetTraceEvent, type TraceEvent } from '../../src/model/events';
import { EvidenceBit, Outcome, Pairing, type TraceTables } from '../../src/model/tables';
import { createTimeline, type Timeline } from '../../src/timeline/timeline';

type Draft = Partial<TraceEvent> & { readonly lose?: boolean };

const kinds = Object.values(EventKind);
const addresses = [0x70000000, 0x70000800, 0x70001000, 0x101000, Number.NaN];
/** Few values, so that everything collides with everything. */
const draft: fc.Arbitrary<Draft> = fc.record({
  kind: fc.constantFrom(...kinds),
  cpu: fc.integer({ min: -1, max: 2 }),
  pid: fc.integer({ min: -1, max: 2 }),
  context: fc.constantFrom(0, 1, 1 | 4, 1 | 8, 1 | 16),
  device: fc.integer({ min: 0, max: 2 }),
  sizeBytes: fc.constantFrom(-1, 512, 4096, 2 ** 40),
  original: fc.constantFrom(0x1000, 0x2000, 0x8000000001000, Number.NaN),
  dma: fc.constantFrom(...addresses),
  failed: fc.boolean(),
  forced: fc.boolean(),
  sgCount: fc.integer({ min: 0, max: 3 }),
  sgTotal: fc.constantFrom(-1, 2, 5),
  poolStart: fc.constantFrom(Number.NaN, 0x70000000, 0x101000),
  poolEnd: fc.constantFrom(Number.NaN, 0x70100000, 0x102000),
  poolSlots: fc.constantFrom(-1, 2, 512),
  transient: fc.constantFrom(-1, 0, 1),
  timeNs: fc.constantFrom(Number.NaN, 0, 1),
  lose: fc.boolean().map((value) => value),
});

function feed(timeline: Timeline, drafts: readonly Draft[], snapshotEvery: number): TraceTables {
  timeline.openSource('trace.txt');
  const event = createTraceEvent();
  for (const [index, { lose, ...fields }] of drafts.entries()) {
    resetTraceEvent(event);
    Object.assign(event, fields, { line: index + 1, timeNs: (fields.timeNs ?? 0) + index * 1000 });
    if (event.failed) {
      event.dma = Number.NaN;
    }
    for (let i = 0; i < event.sgCount; i++) {
      event.sgDma[i] = addresses[(index + i) % 4];
      event.sgSizes[i] = i % 2 === 0 ? 512 : 4096;
      event.sgOriginal[i] = 0x1000 * (1 + ((index + i) % 3));
    }
    timeline.event(event);
    if (lose && index % 7 === 0) {
      timeline.lost({ source: 0, line: index + 1, cpu: event.cpu, count: -1 });
    }
    if (index % snapshotEvery === 0) {
      timeline.snapshot();
    }
  }
  return timeline.snapshot();
}

function newTimeline(): Timeline {
  const strings = new StringTable();
  strings.intern('d1');
  strings.intern('d2');
  return createTimeline(strings);
}

describe('any sequence of events', () => {
  it('never throws, loses no attempt and keeps its books', () => {
    fc.assert(
      fc.property(fc.array(draft, { maxLength: 120 }), fc.integer({ min: 1, max: 200 }), (drafts, snapshotEvery) => {
        const tables = feed(newTimeline(), drafts, snapshotEvery);
        const { columns, length } = tables.requests;
        let withBounced = 0;
        let served = 0;
        for (let row = 0; row < length; row++) {
          const evidence = columns.evidence[row];
          withBounced += (evidence & EvidenceBit.bounced) !== 0 ? 1 : 0;
          served += columns.outcome[row] === Outcome.served ? 1 : 0;
          expect(evidence).not.toBe(0);
          expect(columns.retryOf[row]).toBeLessThan(row);
          if (columns.pairing[row] === Pairing.unseenMap) {
            expect(columns.enterLine[row]).toBe(0);
          } else {
            expect(columns.enterLine[row]).toBeGreaterThan(0);
            expect(columns.mapLine[row]).toBeGreaterThanOrEqual(columns.enterLine[row]);
          }
          if (columns.pairing[row] === Pairing.exact || columns.pairing[row] === Pairing.reused) {
            expect(columns.unmapLine[row]).toBeGreaterThan(0);
          }
          if (columns.sgGroup[row] >= 0) {
            expect(columns.sgGroup[row]).toBeLessThan(length);
          }
        }
        const { counts } = tables;
        expect(withBounced).toBe(drafts.filter((fields) => fields.kind === EventKind.bounced).length);
        expect(counts.requests).toBe(served + counts.failed + counts.rolledBack + counts.unknownOutcome);
        expect(counts.bounced + counts.direct).toBe(counts.requests);
      }),
      { numRuns: 400 },
    );
  });

  it('a snapshot changes nothing', () => {
    fc.assert(
      fc.property(fc.array(draft, { maxLength: 80 }), (drafts) => {
        const timeline = newTimeline();
        const first = feed(timeline, drafts, 1000);
        const again = timeline.snapshot();
        expect(again.counts).toEqual(first.counts);
        expect(again.requests.length).toBe(first.requests.length);
      }),
      { numRuns: 100 },
    );
  });
});

describe('size', () => {
  it('more devices than the device column can number share a row', () => {
    const strings = new StringTable();
    const timeline = createTimeline(strings);
    timeline.openSource('trace.txt');
    const event = createTraceEvent();
    for (let i = 0; i < 70_000; i++) {
      resetTraceEvent(event);
      event.kind = EventKind.mapPage;
      event.line = i + 1;
      event.device = strings.intern(`device-${i}`);
      event.sizeBytes = 512;
      event.dma = i * 4096;
      event.original = i * 4096;
      timeline.event(event);
    }
    const tables = timeline.snapshot();
    expect(tables.devices.length).toBe(65536);
    expect(tables.requests.columns.device[69_999]).toBe(65535);
    expect(tables.requests.length).toBe(70_000);
  });

  it('attempts that never end do not pile up', () => {
    const timeline = newTimeline();
    timeline.openSource('trace.txt');
    const event = createTraceEvent();
    const before = performance.now();
    for (let i = 0; i < 50_000; i++) {
      resetTraceEvent(event);
      event.kind = i % 2 === 0 ? EventKind.bounced : EventKind.probeMapReturn;
      event.line = i + 1;
      event.device = 1;
      event.pid = 1;
      event.cpu = 0;
      event.context = 1;
      event.sizeBytes = 512 + (i % 3);
      event.original = 0x1000 + i;
      event.dma = Number.NaN;
      event.failed = true;
      timeline.event(event);
    }
    expect(timeline.snapshot().requests.length).toBeGreaterThan(25_000 - 1);
    expect(performance.now() - before).toBeLessThan(20_000);
  });
});
