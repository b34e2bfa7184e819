/**
 * The trace reader against a parser as one would write it first: split into lines, one regular expression for the
 * columns, one per event. `npm run bench -- parse`.
 * Input: the fixture test/fixtures/trace/default-dma.txt and its probes, repeated to about 50 MB with the stamps as they are.
 * Both extract the same fields of every event and sum them up to the same totals; they take turns in one run, the best
 * of each counts, in CPU time.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { StringTable } from '../../src/base/stringTable';
import { ContextBit, DmaAttribute, EventKind } from '../../src/model/events';
import { createTraceReader } from '../../src/trace/reader';

const megabyte = 1e6;
const targetBytes = 50 * megabyte;
const chunkBytes = 1 << 20;
const rounds = 5;

interface Totals {
  events: number;
  sizes: number;
  addresses: number;
  originals: number;
  lists: number;
  contexts: number;
  directions: number;
  attributes: number;
  forced: number;
  maskBits: number;
}

function noTotals(): Totals {
  return {
    events: 0,
    sizes: 0,
    addresses: 0,
    originals: 0,
    lists: 0,
    contexts: 0,
    directions: 0,
    attributes: 0,
    forced: 0,
    maskBits: 0,
  };
}

/** Addresses as they are would lose digits in a sum. */
function low(address: number): number {
  return Number.isNaN(address) ? 0 : address % 65536;
}

function sumOf(list: readonly number[]): number {
  let sum = 0;
  for (const value of list) {
    sum += low(value);
  }
  return sum;
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
  const totals = noTotals();
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
        totals.addresses += low(event.dma);
        totals.originals += low(event.original);
        totals.lists += sumOf(event.sgDma) + sumOf(event.sgSizes) + sumOf(event.sgOriginal);
        totals.contexts += event.context;
        totals.directions += event.direction;
        totals.attributes += event.attributes;
        totals.forced += event.forced ? 1 : 0;
        totals.maskBits += Math.max(event.dmaMaskBits, 0);
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
const listFields =
  /^(\S+) dir=(\w+)(?: nents=\d+\/\d+ ents=\d+\/\d+(?: \[TRUNCATED\])?)?(?: dma_addrs=\{([^}]*)\})?(?: sizes=\{([^}]*)\})?(?: phys_addrs=\{([^}]*)\})?(?: attrs=(\S*))?$/;
const otherFields = /^(\S+) dir=(\w+) dma_addr=([0-9a-f]+) size=(\d+)/;

const directionCodes: Readonly<Record<string, number>> = { TO_DEVICE: 1, FROM_DEVICE: 2, BIDIRECTIONAL: 3, NONE: 0 };
const attributeBits: Readonly<Record<string, number>> = {
  WEAK_ORDERING: DmaAttribute.weakOrdering,
  WRITE_COMBINE: DmaAttribute.writeCombine,
  NO_KERNEL_MAPPING: DmaAttribute.noKernelMapping,
  SKIP_CPU_SYNC: DmaAttribute.skipCpuSync,
  FORCE_CONTIGUOUS: DmaAttribute.forceContiguous,
  ALLOC_SINGLE_PAGES: DmaAttribute.allocSinglePages,
  NO_WARN: DmaAttribute.noWarn,
  PRIVILEGED: DmaAttribute.privileged,
};

function contextOf(flags: string | undefined): number {
  if (flags === undefined) {
    return 0;
  }
  let bits: number = ContextBit.known;
  if (flags[0] === 'd' || flags[0] === 'D') {
    bits |= ContextBit.irqsOff;
  }
  if (flags[0] === 'b' || flags[0] === 'D') {
    bits |= ContextBit.bhOff;
  }
  if (flags[1] !== '.') {
    bits |= ContextBit.needResched;
  }
  if (flags[2] === 'h' || flags[2] === 'H') {
    bits |= ContextBit.hardIrq;
  }
  if (flags[2] === 's' || flags[2] === 'H') {
    bits |= ContextBit.softIrq;
  }
  if (flags[2] === 'z' || flags[2] === 'Z') {
    bits |= ContextBit.nmi;
  }
  return Number.parseInt(flags[3], 16) > 0 ? bits | ContextBit.preemptOff : bits;
}

function addressOf(digits: string | undefined): number {
  return digits === undefined || digits === 'ffffffffffffffff' ? Number.NaN : Number.parseInt(digits, 16);
}

function listOf(text: string | undefined): number[] {
  return text === undefined || text === '' ? [] : text.split(',').map(Number);
}

function attributesOf(text: string | undefined): number {
  let bits = 0;
  for (const name of (text ?? '').split('|')) {
    bits |= attributeBits[name] ?? 0;
  }
  return bits;
}

function maskBitsOf(digits: string): number {
  return digits === 'ffffffffffffffff' ? 64 : Math.ceil(Math.log2(Number.parseInt(digits, 16) + 1));
}

const noList: number[] = [];

/** The opponent: regular expressions on strings, one object per event. */
function regexPerLine(input: Uint8Array): Totals {
  const totals = noTotals();
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
        context: contextOf(match[4]),
        timeNs: Number(match[5]) * 1e9 + Number(match[6]) * 1e3,
        name: match[7],
        device: '',
        sizeBytes: -1,
        dma: Number.NaN,
        original: Number.NaN,
        direction: 0,
        attributes: 0,
        forced: false,
        maskBits: -1,
        sgDma: noList,
        sgSizes: noList,
        sgOriginal: noList,
      };
      const fields = match[8];
      if (event.name === 'swiotlb_bounced') {
        const found = bouncedFields.exec(fields);
        if (found !== null) {
          event.device = found[1];
          event.maskBits = maskBitsOf(found[2]);
          event.original = addressOf(found[3]);
          event.sizeBytes = Number(found[4]);
          event.forced = found[5] === 'FORCE';
        }
      } else if (fields.startsWith('(')) {
        const found = probeFields.exec(fields);
        if (found !== null) {
          event.device = found[2];
          event.original = addressOf(found[3]);
          event.dma = addressOf(found[4] ?? found[6]);
          event.sizeBytes = Number(found[5]);
        }
      } else if (/_sg(?:$|_)/.test(event.name)) {
        const found = listFields.exec(fields);
        if (found !== null) {
          event.device = found[1];
          event.direction = directionCodes[found[2]] ?? 0;
          event.sgDma = listOf(found[3]);
          event.sgSizes = listOf(found[4]);
          event.sgOriginal = listOf(found[5]);
          event.attributes = attributesOf(found[6]);
        }
      } else {
        const found = dmaFields.exec(fields);
        if (found !== null) {
          event.device = found[1];
          event.direction = directionCodes[found[2]] ?? 0;
          event.dma = addressOf(found[3]);
          event.sizeBytes = Number(found[4]);
          event.original = addressOf(found[5]);
          event.attributes = attributesOf(found[6]);
        } else if (event.name.startsWith('dma_')) {
          const other = otherFields.exec(fields);
          event.device = other?.[1] ?? '';
          event.direction = directionCodes[other?.[2] ?? ''] ?? 0;
          event.dma = addressOf(other?.[3]);
          event.sizeBytes = Number(other?.[4] ?? -1);
          event.attributes = attributesOf(/ attrs=(\S*)/.exec(fields)?.[1]);
        }
      }
      if (event.name === 'tracing_mark_write') {
        continue;
      }
      totals.events++;
      totals.sizes += Math.max(event.sizeBytes, 0);
      totals.addresses += low(event.dma);
      totals.originals += low(event.original);
      totals.lists += sumOf(event.sgDma) + sumOf(event.sgSizes) + sumOf(event.sgOriginal);
      totals.contexts += event.context;
      totals.directions += event.direction;
      totals.attributes += event.attributes;
      totals.forced += event.forced ? 1 : 0;
      totals.maskBits += Math.max(event.maskBits, 0);
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
    const before = process.cpuUsage();
    const totals = JSON.stringify(contestant.run(input));
    const { user, system } = process.cpuUsage(before);
    contestant.best = Math.min(contestant.best, (user + system) / 1000);
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
