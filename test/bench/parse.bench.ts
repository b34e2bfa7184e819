/**
 * The trace reader against a parser as one would write it first: split into lines, one regular expression for the
 * columns, one per event. `npm run bench -- parse`.
 * Input: the fixture test/fixtures/trace/default-dma.txt and its probes, repeated to about 50 MB with the stamps as they are.
 * Both count the same events and sum the same sizes and addresses; they take turns in one run, the best of each counts.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { StringTable } from '../../src/base/stringTable';
import { EventKind } from '../../src/model/events';
import { createTraceReader } from '../../src/trace/reader';

const megabyte = 1e6;
const targetBytes = 50 * megabyte;
const chunkBytes = 1 << 20;
const rounds = 5;

interface Totals {
  events: number;
  sizes: number;
  addresses: number;
}

function readInput(): Uint8Array {
  const folder = path.join(process.cwd(), 'test', 'fixtures', 'trace');
  const once = Buffer.concat(
    ['default-dma.txt.gz', 'fprobe.txt.gz'].map((name) => gunzipSync(readFileSync(path.join(folder, name)))),
  );
  const copies = Math.ceil(targetBytes / once.length);
  return new Uint8Array(Buffer.concat(Array.from({ length: copies }, () => once)));
}

function readerUnderTest(input: Uint8Array): Totals {
  const totals: Totals = { events: 0, sizes: 0, addresses: 0 };
  const reader = createTraceReader({
    source: 0,
    path: 'trace.txt',
    strings: new StringTable(),
    sink: {
      event(event) {
        if (event.kind === EventKind.marker) {
          return;
        }
        totals.events++;
        totals.sizes += Math.max(event.sizeBytes, 0);
        totals.addresses += Number.isNaN(event.dma) ? 0 : event.dma % 65536;
      },
      log() {},
      sample() {},
      lost() {},
    },
  });
  for (let start = 0; start < input.length; start += chunkBytes) {
    reader.push(input.subarray(start, start + chunkBytes));
  }
  reader.end();
  if (reader.summary().ledger.notUnderstood > 0) {
    throw new Error('the reader did not understand its own fixture');
  }
  return totals;
}

const line = /^(.{16,}?)-(\d+)\s+(?:\(\s*[\d-]+\)\s+)?\[(\d{3,})\]\s+(?:(\S{4,6})\s+)?(\d+)\.(\d+): (\w+): (.*)$/;
const dmaFields = /^(\S+) dir=(\w+) dma_addr=([0-9a-f]+) size=(\d+)(?: phys_addr=([0-9a-f]+))? attrs=(\S*)$/;
const bouncedFields = /^dev_name: (\S+) dma_mask=([0-9a-f]+) dev_addr=([0-9a-f]+) size=(\d+) (\w+)$/;
const probeFields =
  /^\((?:\S+ <- )?(\w+)(?:\+\w+\/\w+)?\) dev="([^"]*)"(?: orig=0x([0-9a-f]+))?(?: tlb=0x([0-9a-f]+))? size=(\d+)(?: tlb=0x([0-9a-f]+))?$/;
const listFields = /^(\S+) dir=(\w+).* phys_addrs=\{(.*)\} attrs=(\S*)$/;

/** The opponent: regular expressions on strings, one object per event. */
function regexPerLine(input: Uint8Array): Totals {
  const totals: Totals = { events: 0, sizes: 0, addresses: 0 };
  const decoder = new TextDecoder();
  let rest = '';
  for (let start = 0; start < input.length; start += chunkBytes) {
    const lines = (rest + decoder.decode(input.subarray(start, start + chunkBytes), { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) {
      const match = line.exec(text);
      if (match === null) {
        continue;
      }
      const event = {
        comm: match[1].trim(),
        pid: Number(match[2]),
        cpu: Number(match[3]),
        flags: match[4],
        timeNs: Number(match[5]) * 1e9 + Number(match[6]) * 1e3,
        name: match[7],
        device: '',
        sizeBytes: -1,
        dma: Number.NaN,
        original: Number.NaN,
      };
      const fields = match[8];
      if (event.name === 'swiotlb_bounced') {
        const found = bouncedFields.exec(fields);
        if (found !== null) {
          event.device = found[1];
          event.original = Number.parseInt(found[3], 16);
          event.sizeBytes = Number(found[4]);
        }
      } else if (fields.startsWith('(')) {
        const found = probeFields.exec(fields);
        if (found !== null) {
          event.device = found[2];
          event.dma = Number.parseInt(found[4] ?? found[6], 16);
          event.sizeBytes = Number(found[5]);
        }
      } else if (event.name.endsWith('_sg')) {
        const found = listFields.exec(fields);
        event.device = found?.[1] ?? '';
      } else {
        const found = dmaFields.exec(fields);
        if (found !== null) {
          event.device = found[1];
          event.dma = found[3] === 'ffffffffffffffff' ? Number.NaN : Number.parseInt(found[3], 16);
          event.sizeBytes = Number(found[4]);
          event.original = Number.parseInt(found[5] ?? '', 16);
        } else if (event.name.startsWith('dma_')) {
          event.sizeBytes = Number(/ size=(\d+)/.exec(fields)?.[1] ?? -1);
          event.dma = Number.parseInt(/ dma_addr=([0-9a-f]+)/.exec(fields)?.[1] ?? '', 16);
        }
      }
      if (event.name === 'tracing_mark_write') {
        continue;
      }
      totals.events++;
      totals.sizes += Math.max(event.sizeBytes, 0);
      totals.addresses += Number.isNaN(event.dma) ? 0 : event.dma % 65536;
    }
  }
  return totals;
}

const input = readInput();
const contestants = [
  { name: 'trace reader', run: readerUnderTest, best: Number.POSITIVE_INFINITY },
  { name: 'regex per line', run: regexPerLine, best: Number.POSITIVE_INFINITY },
];
let expected = '';
for (let round = 0; round < rounds; round++) {
  for (const contestant of contestants) {
    const before = performance.now();
    const totals = JSON.stringify(contestant.run(input));
    contestant.best = Math.min(contestant.best, performance.now() - before);
    expected = expected === '' ? totals : expected;
    if (totals !== expected) {
      throw new Error(`${contestant.name} counted ${totals} instead of ${expected}`);
    }
  }
}
console.log(`${(input.length / megabyte).toFixed(1)} MB, ${expected}, best of ${rounds}`);
for (const { name, best } of contestants) {
  console.log(`${name.padEnd(16)} ${(input.length / 1000 / best).toFixed(0).padStart(5)} MB/s`);
}
console.log(`ratio            ${(contestants[1].best / contestants[0].best).toFixed(1).padStart(5)} ×`);
