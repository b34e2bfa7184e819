import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { EvidenceBit, Outcome, Pairing, PoolKind } from '../../src/model/tables';
import { readFixture } from '../support/fixtures';

function analyse(...files: string[]): Analysis {
  const builder = createAnalysis();
  for (const file of files) {
    const source = builder.openSource({ path: file });
    source.push(readFixture(`timeline/${file}`));
    source.end();
  }
  return builder.snapshot();
}

/** How many requests carry a bit; unseen maps count for unmap bits only. */
function withBit(analysis: Analysis, bit: number): number {
  const { evidence } = analysis.tables.requests.columns;
  let rows = 0;
  for (let row = 0; row < analysis.tables.requests.length; row++) {
    rows += (evidence[row] & bit) !== 0 ? 1 : 0;
  }
  return rows;
}

const countLines = (file: string, pattern: RegExp): number =>
  new TextDecoder()
    .decode(readFixture(`timeline/${file}`))
    .split('\n')
    .filter((line) => pattern.test(line)).length;

describe('every event belongs to one request', () => {
  for (const file of [
    'full.trace.txt',
    'transient.trace.txt',
    'serial.trace.txt',
    'concurrent.trace.txt',
    'biglists.trace.txt',
  ]) {
    it(file, () => {
      const analysis = analyse(file);
      expect(withBit(analysis, EvidenceBit.bounced)).toBe(countLines(file, / swiotlb_bounced: /));
      expect(withBit(analysis, EvidenceBit.probeEnter)).toBe(countLines(file, / map: \(swiotlb_tbl_map_single/));
      expect(withBit(analysis, EvidenceBit.probeReturn)).toBe(countLines(file, / map_ret: /));
      expect(withBit(analysis, EvidenceBit.probeUnmapEnter)).toBe(countLines(file, / unmap: /));
      const { columns, length } = analysis.tables.requests;
      let single = 0;
      let singleUnmaps = 0;
      for (let row = 0; row < length; row++) {
        const isList = (columns.evidence[row] & EvidenceBit.scatterlist) !== 0;
        single += !isList && (columns.evidence[row] & EvidenceBit.dmaMap) !== 0 ? 1 : 0;
        singleUnmaps += !isList && (columns.evidence[row] & EvidenceBit.dmaUnmap) !== 0 ? 1 : 0;
      }
      expect(single).toBe(countLines(file, / dma_map_page: /));
      expect(singleUnmaps).toBe(countLines(file, / dma_unmap_page: /));
      expect(rowsAddUp(analysis)).toBe(true);
    });
  }
});

/** Outcomes and pairings are total, times and lines in order, groups closed. */
function rowsAddUp(analysis: Analysis): boolean {
  const { columns, length } = analysis.tables.requests;
  const { counts } = analysis.tables;
  let served = 0;
  for (let row = 0; row < length; row++) {
    served += columns.outcome[row] === Outcome.served ? 1 : 0;
    const isUnseen = columns.pairing[row] === Pairing.unseenMap;
    expect(columns.enterLine[row] === 0).toBe(isUnseen);
    expect(columns.mapLine[row]).toBeGreaterThanOrEqual(columns.enterLine[row]);
    expect(columns.unmapExitLine[row]).toBeGreaterThanOrEqual(columns.unmapLine[row]);
    if (columns.unmapLine[row] !== 0 && !isUnseen) {
      expect(columns.unmapLine[row]).toBeGreaterThanOrEqual(columns.mapLine[row]);
      expect(columns.unmapEnterNs[row]).toBeGreaterThanOrEqual(columns.enterNs[row]);
    }
    if (columns.outcome[row] === Outcome.rolledBack) {
      expect(columns.unmapLine[row]).toBeGreaterThan(0);
    }
    if (columns.sgGroup[row] >= 0) {
      expect(columns.sgGroup[columns.sgGroup[row]]).toBe(columns.sgGroup[row]);
    }
    expect(columns.retryOf[row]).toBeLessThan(row);
  }
  return length === served + counts.failed + counts.rolledBack + counts.unknownOutcome;
}

describe('a capture folder', () => {
  const analysis = analyse('full.trace.txt', 'full.dmesg.txt', 'full.debugfs.csv');

  it('joins the clocks', () => {
    const [trace, log, samples] = analysis.tables.sources;
    expect(trace.offsetNs).toBe(0);
    // The capture's README: trace minus dmesg is constant within a run; the console events say 52.9 ms.
    const traceMinusLog = trace.origin!.seconds * 1e9 + trace.origin!.nanoseconds + log.offsetNs;
    const logOrigin = log.origin!.seconds * 1e9 + log.origin!.nanoseconds;
    expect(Math.abs(traceMinusLog - logOrigin - 52_900_000)).toBeLessThan(200_000);
    expect(log.offsetErrorNs).toBeLessThan(20_000);
    expect(samples.offsetErrorNs).toBeNaN();
  });

  it('joins every "buffer is full" line with the failure it belongs to', () => {
    const { logFailures, requests, sources } = analysis.tables;
    expect(logFailures).toHaveLength(20);
    const fromLog = logFailures.filter((failure) => failure.record.source === 1);
    const fromTrace = logFailures.filter((failure) => failure.record.source === 0);
    expect(fromLog.map((failure) => failure.request)).toEqual(fromTrace.map((failure) => failure.request));
    for (const { request, record } of fromTrace) {
      expect(requests.columns.outcome[request]).toBe(Outcome.failed);
      expect(requests.columns.sizeBytes[request]).toBe(record.sizeBytes);
      expect(record.line).toBeGreaterThan(requests.columns.enterLine[request]);
      expect(record.line).toBeLessThanOrEqual(requests.columns.mapLine[request]);
    }
    expect(sources[1].path).toBe('full.dmesg.txt');
  });

  it('names the pool, the devices and the main input', () => {
    const { pools, devices, samples } = analysis.tables;
    expect(pools.columns.kind[0]).toBe(PoolKind.boot);
    expect(pools.columns.start[0]).toBe(0x7da8e000);
    expect(pools.columns.slots[0]).toBe(512);
    expect(pools.columns.areas[0]).toBe(4);
    expect(samples.length).toBeGreaterThan(100);
    expect(devices.find((device) => device.name === '0000:00:05.0')).toMatchObject({ driver: 'nvme', dmaMaskBits: 64 });
    expect(analysis.file).toBe('full.trace.txt');
  });

  it('the order of the files does not matter', () => {
    const other = analyse('full.debugfs.csv', 'full.dmesg.txt', 'full.trace.txt');
    expect(other.tables.counts).toEqual(analysis.tables.counts);
    expect(other.tables.logFailures.map((failure) => failure.request)).toEqual(
      expect.arrayContaining(analysis.tables.logFailures.map((failure) => failure.request)),
    );
    expect(other.file).toBe('full.trace.txt');
  });
});

describe('pools from probes', () => {
  it('a transient pool, the worker and the pool it made', () => {
    const { pools, requests } = analyse('transient.trace.txt').tables;
    const kinds = [...pools.columns.kind.slice(0, pools.length)];
    expect(kinds.filter((kind) => kind === PoolKind.transient)).toHaveLength(1);
    expect(kinds.filter((kind) => kind === PoolKind.grown)).toHaveLength(1);
    const transient = kinds.indexOf(PoolKind.transient);
    const start = pools.columns.start[transient];
    const inside = [...requests.columns.recordedBounce.slice(0, requests.length)].filter(
      (address) => address >= start && address < start + pools.columns.slots[transient] * 2048,
    );
    expect(inside).toHaveLength(1);
    expect(pools.columns.removedLine[transient]).toBeGreaterThan(0);
  });
});

describe('lost events', () => {
  it('are no reason for failures', () => {
    const analysis = analyse('lost.trace_pipe.txt');
    const { counts } = analysis.tables;
    expect(counts.failed).toBe(0);
    expect(counts.rolledBack).toBe(0);
    expect(counts.unseenMaps).toBeGreaterThan(0);
    expect(withBit(analysis, EvidenceBit.nearLoss)).toBeGreaterThan(0);
    expect(analysis.sourceLedgers[0].lostEvents).toBeGreaterThan(0);
    expect(rowsAddUp(analysis)).toBe(true);
  });
});

describe('growing input', () => {
  it('snapshots on the way change nothing in the end', () => {
    const bytes = readFixture('timeline/full.trace.txt');
    const whole = analyse('full.trace.txt').tables;
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: bytes.length - 1 }), { minLength: 1, maxLength: 4 }), (cuts) => {
        const builder = createAnalysis();
        const source = builder.openSource({ path: 'trace.txt' });
        let from = 0;
        for (const cut of [...cuts].sort((a, b) => a - b)) {
          source.push(bytes.subarray(from, cut));
          builder.snapshot();
          from = cut;
        }
        source.push(bytes.subarray(from));
        source.end();
        const { requests, counts } = builder.snapshot().tables;
        expect(counts).toEqual(whole.counts);
        for (const name of ['outcome', 'pairing', 'unmapLine', 'retryOf', 'evidence'] as const) {
          expect([...requests.columns[name].slice(0, requests.length)]).toEqual([
            ...whole.requests.columns[name].slice(0, whole.requests.length),
          ]);
        }
      }),
      { numRuns: 6 },
    );
  });

  it('no input at all', () => {
    const analysis = createAnalysis().snapshot();
    expect(analysis.tables.counts.requests).toBe(0);
    expect(analysis.file).toBe('');
  });
});

describe('function_graph with return values', () => {
  const graph = (result: string, mapped = ''): string =>
    [
      '# tracer: function_graph',
      ' 2)               |  swiotlb_map() {',
      ' 2)               |  /* swiotlb_bounced: dev_name: 0000:00:05.0 dma_mask=ffffffffffffffff dev_addr=101cec286 size=54 FORCE */',
      ' 2)               |    swiotlb_tbl_map_single() {',
      ' 2)   1.528 us    |      swiotlb_bounce();',
      ` 2)   2.604 us    |    } /* swiotlb_tbl_map_single = ${result} */`,
      ` 2)   5.963 us    |  } /* swiotlb_map = ${result} */`,
      ...(mapped === '' ? [] : [mapped]),
      // A call that no attempt was seen of.
      ' 1)   2.604 us    |  swiotlb_tbl_map_single(); /* = 0x7db90000 */',
      '',
    ].join('\n');
  const requestsOf = (text: string) => {
    const builder = createAnalysis();
    const source = builder.openSource({ path: 'trace.txt' });
    source.push(new TextEncoder().encode(text));
    source.end();
    return builder.snapshot().tables.requests;
  };

  it('tells the result of the attempt, and makes no request of its own', () => {
    const { columns, length } = requestsOf(graph('0x7db2a000'));
    expect(length).toBe(1);
    expect(columns.outcome[0]).toBe(Outcome.served);
    expect(columns.recordedBounce[0]).toBe(0x7db2a000);
    expect([columns.enterLine[0], columns.mapLine[0]]).toEqual([3, 6]);
    for (const failure of ['-1', '0xffffffffffffffff']) {
      const failed = requestsOf(graph(failure)).columns;
      expect(failed.outcome[0]).toBe(Outcome.failed);
      expect(failed.recordedBounce[0]).toBeNaN();
    }
  });

  it('says the same as the dma event that follows', () => {
    const event =
      ' 2)               |  /* dma_map_page: 0000:00:05.0 dir=TO_DEVICE dma_addr=7db2a000 size=54 phys_addr=101cec286 attrs= */';
    const { columns, length } = requestsOf(graph('0x7db2a000', event));
    expect(length).toBe(1);
    expect(columns.outcome[0]).toBe(Outcome.served);
    expect(columns.recordedBounce[0]).toBe(0x7db2a000);
  });
});
