/**
 * Events into the timeline: `npm run bench -- timeline`.
 * A made-up disk and network load on four CPUs: every mapping gives swiotlb_bounced, its dma event and its unmap, one in
 * seven is a scatterlist of eight. Three runs over the same events: handing them to a sink that ignores them (the cost
 * of the loop), to the timeline, and to a straightforward pairing with a Map of objects.
 */

import { createRandom } from '../../src/base/random';
import { StringTable } from '../../src/base/stringTable';
import { createTraceEvent, EventKind, resetTraceEvent, type TraceEvent } from '../../src/model/events';
import { createTimeline } from '../../src/timeline/timeline';

const EVENTS = 2_000_000;
const POOL = 0x7a000000;
const SLOTS = 32768;

/** The events as columns: objects for all of them would measure the garbage collector. */
interface Recording {
  readonly length: number;
  readonly kind: Uint8Array;
  readonly cpu: Uint8Array;
  readonly device: Uint8Array;
  readonly sizeBytes: Int32Array;
  readonly original: Float64Array;
  readonly dma: Float64Array;
  readonly list: (readonly number[])[];
}

function record(devices: readonly number[]): Recording {
  const random = createRandom(7);
  const recording: Recording = {
    length: EVENTS,
    kind: new Uint8Array(EVENTS),
    cpu: new Uint8Array(EVENTS),
    device: new Uint8Array(EVENTS),
    sizeBytes: new Int32Array(EVENTS),
    original: new Float64Array(EVENTS),
    dma: new Float64Array(EVENTS),
    list: new Array(EVENTS),
  };
  let at = 0;
  let next = 0;
  const live: { cpu: number; device: number; list: number[]; originals: number[]; size: number }[] = [];
  const put = (kind: number, cpu: number, device: number, size: number, original: number, dma: number): number => {
    recording.kind[at] = kind;
    recording.cpu[at] = cpu;
    recording.device[at] = device;
    recording.sizeBytes[at] = size;
    recording.original[at] = original;
    recording.dma[at] = dma;
    return at++;
  };
  while (at < EVENTS - 64) {
    if (live.length > 500) {
      const [mapping] = live.splice(Math.floor(random() * live.length), 1);
      if (mapping.list.length === 1) {
        put(EventKind.unmapPage, mapping.cpu, mapping.device, mapping.size, Number.NaN, mapping.list[0]);
      } else {
        recording.list[put(EventKind.unmapSg, mapping.cpu, mapping.device, -1, Number.NaN, Number.NaN)] =
          mapping.originals;
      }
    }
    const cpu = Math.floor(random() * 4);
    const device = devices[Math.floor(random() * devices.length)];
    const size = 512 << Math.floor(random() * 5);
    const count = random() < 1 / 7 ? 8 : 1;
    const mapping = { cpu, device, list: [] as number[], originals: [] as number[], size };
    for (let i = 0; i < count; i++) {
      const original = 0x100000000 + Math.floor(random() * 0x40000) * 4096;
      mapping.originals.push(original);
      mapping.list.push(POOL + (next % SLOTS) * 2048);
      next += 4;
      put(EventKind.bounced, cpu, device, size, original, Number.NaN);
    }
    if (count === 1) {
      put(EventKind.mapPage, cpu, device, size, mapping.originals[0], mapping.list[0]);
    } else {
      const index = put(EventKind.mapSg, cpu, device, size, Number.NaN, Number.NaN);
      recording.list[index] = [...mapping.originals, ...mapping.list];
    }
    live.push(mapping);
  }
  return { ...recording, length: at };
}

function play(recording: Recording, sink: (event: TraceEvent) => void): void {
  const event = createTraceEvent();
  for (let i = 0; i < recording.length; i++) {
    resetTraceEvent(event);
    event.kind = recording.kind[i] as TraceEvent['kind'];
    event.line = i + 1;
    event.timeNs = i * 500;
    event.cpu = recording.cpu[i];
    event.pid = 100 + event.cpu;
    event.context = 1;
    event.device = recording.device[i];
    event.sizeBytes = recording.sizeBytes[i];
    event.original = recording.original[i];
    event.dma = recording.dma[i];
    const list = recording.list[i];
    if (list !== undefined) {
      const isMap = event.kind === EventKind.mapSg;
      event.sgCount = isMap ? list.length / 2 : list.length;
      for (let k = 0; k < event.sgCount; k++) {
        event.sgOriginal[k] = list[k];
        event.sgSizes[k] = event.sizeBytes;
        event.sgDma[k] = list[event.sgCount + k] ?? Number.NaN;
      }
    }
    sink(event);
  }
}

/** What one would write first: a Map by device and address, an object per request. */
function createNaivePairing(): { event(event: TraceEvent): void; requests(): number } {
  const live = new Map<string, object>();
  const pending = new Map<string, object[]>();
  const requests: object[] = [];
  const keyOf = (device: number, address: number): string => `${device}:${address}`;
  return {
    requests: () => requests.length,
    event(event) {
      const task = `${event.cpu}:${event.pid}`;
      if (event.kind === EventKind.bounced) {
        const request = {
          device: event.device,
          cpu: event.cpu,
          pid: event.pid,
          sizeBytes: event.sizeBytes,
          original: event.original,
          bounce: Number.NaN,
          enterNs: event.timeNs,
          exitNs: Number.NaN,
          unmapNs: Number.NaN,
          enterLine: event.line,
          mapLine: 0,
          unmapLine: 0,
        };
        requests.push(request);
        const waiting = pending.get(task);
        if (waiting === undefined) {
          pending.set(task, [request]);
        } else {
          waiting.push(request);
        }
      } else if (event.kind === EventKind.mapPage || event.kind === EventKind.mapSg) {
        const waiting = pending.get(task) ?? [];
        for (const [index, request] of waiting.entries()) {
          const bounce = event.kind === EventKind.mapPage ? event.dma : event.sgDma[index];
          Object.assign(request, { bounce, exitNs: event.timeNs, mapLine: event.line });
          live.set(keyOf(event.device, event.kind === EventKind.mapPage ? bounce : event.sgOriginal[index]), request);
        }
        pending.set(task, []);
      } else {
        const count = event.kind === EventKind.unmapPage ? 1 : event.sgCount;
        for (let i = 0; i < count; i++) {
          const key = keyOf(event.device, event.kind === EventKind.unmapPage ? event.dma : event.sgOriginal[i]);
          const request = live.get(key);
          if (request !== undefined) {
            Object.assign(request, { unmapNs: event.timeNs, unmapLine: event.line });
            live.delete(key);
          }
        }
      }
    },
  };
}

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  const wall = performance.now();
  work();
  const used = process.cpuUsage(before);
  return Math.min(performance.now() - wall, (used.user + used.system) / 1000);
}

const strings = new StringTable();
const devices = ['0000:00:05.0', '0000:00:06.0', '0000:00:07.0'].map((name) => strings.intern(name));
const recording = record(devices);
let seen = 0;
const best = { loop: Number.POSITIVE_INFINITY, timeline: Number.POSITIVE_INFINITY, naive: Number.POSITIVE_INFINITY };
for (let round = 0; round < 4; round++) {
  best.loop = Math.min(
    best.loop,
    cpuMs(() => play(recording, (event) => (seen += event.kind))),
  );
  const timeline = createTimeline(strings);
  timeline.openSource('trace.txt');
  best.timeline = Math.min(
    best.timeline,
    cpuMs(() => play(recording, (event) => timeline.event(event))),
  );
  const naive = createNaivePairing();
  best.naive = Math.min(
    best.naive,
    cpuMs(() => play(recording, (event) => naive.event(event))),
  );
  const { counts } = timeline.snapshot();
  if (counts.requests !== naive.requests() || counts.unseenMaps > 0 || counts.unknownOutcome > 64) {
    throw new Error(`the two pairings differ: ${JSON.stringify(counts)}, ${naive.requests()} requests`);
  }
}
const rate = (ms: number): string => `${(recording.length / (ms - best.loop) / 1000).toFixed(2)} M events/s`;
console.log(`${recording.length} events (checksum ${seen})`);
console.log(`loop alone      ${best.loop.toFixed(0)} ms`);
console.log(`timeline        ${best.timeline.toFixed(0)} ms, ${rate(best.timeline)}`);
console.log(`Map of objects  ${best.naive.toFixed(0)} ms, ${rate(best.naive)}`);
console.log(`ratio           ${((best.naive - best.loop) / (best.timeline - best.loop)).toFixed(2)}`);
