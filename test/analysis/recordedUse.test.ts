import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { diagnose } from '../../src/analysis/diagnose';
import { recordedUse } from '../../src/analysis/recordedUse';

const boot = '[    0.888804] software IO TLB: mapped [mem 0x000000007da00000-0x000000007db00000] (1MB)\n';
const sample = new URL('../../media/samples/full-1MiB/', import.meta.url);

/** An event of the device d at so many microseconds. */
function at(us: number, event: string): string {
  return `   fio-7     [000] .....     1.${String(us).padStart(6, '0')}: ${event}\n`;
}
const bounced = (us: number, original: string, size: number) =>
  at(us, `swiotlb_bounced: dev_name: d dma_mask=ffffffffffffffff dev_addr=${original} size=${size} FORCE`);
const map = (us: number, address: string, size: number, original: string) =>
  bounced(us, original, size) +
  at(us + 1, `dma_map_page: d dir=TO_DEVICE dma_addr=${address} size=${size} phys_addr=${original} attrs=`);
const unmap = (us: number, address: string, size: number) =>
  at(us, `dma_unmap_page: d dir=TO_DEVICE dma_addr=${address} size=${size} attrs=`);

function use(trace: string, ...others: readonly [string, string][]) {
  const builder = createAnalysis();
  for (const [path, text] of [['trace.txt', `# tracer: nop\n#\n${trace}`], ...others] as const) {
    const source = builder.openSource({ path });
    source.push(new TextEncoder().encode(text));
    source.end();
  }
  const analysis = builder.snapshot();
  return recordedUse(analysis, diagnose(analysis));
}

describe('what the trace itself shows', () => {
  it('follows the slots of the recorded addresses', () => {
    const found = use(
      map(10, '7da00000', 2048, '100000000') +
        map(20, '7da00800', 6144, '100001000') +
        unmap(30, '7da00000', 2048) +
        map(40, 'ffffffffffffffff', 262144, '100002000') +
        unmap(50, '7da00800', 6144),
      ['dmesg.txt', boot],
    );
    expect(found).not.toBeNull();
    const { series } = found!;
    expect([...series.usedSlots].filter((value, i, all) => value !== all[i - 1])).toEqual([1, 4, 3, 0]);
    expect(Math.max(...series.hiwaterSlots)).toBe(4);
    expect(found).toMatchObject({
      requests: 3,
      served: 2,
      failed: 1,
      capacityPeakSlots: 512,
      memoryPeakBytes: 1 << 20,
    });
    expect(series.failures[series.length - 1]).toBe(1);
    expect(found!.failures).toHaveLength(1);
  });

  it('holds from the start what was only unmapped', () => {
    const found = use(
      map(10, '7da00000', 2048, '100000000') + unmap(20, '7da08000', 4096) + unmap(30, '7da00000', 2048),
      ['dmesg.txt', boot],
    );
    const { series } = found!;
    expect(series.usedSlots[0]).toBe(2);
    expect(Math.max(...series.usedSlots)).toBe(3);
    expect(found!.requests).toBe(1);
  });

  it('adds what the kernel counts and the trace never shows', () => {
    const message = 'd: swiotlb buffer is full (sz: 262144 bytes), total 512 (slots), used 400 (slots)';
    const found = use(
      map(10, '7da00000', 2048, '100000000') +
        bounced(40, '100002000', 262144) +
        at(41, `console: ${message}`) +
        at(42, 'dma_map_page: d dir=TO_DEVICE dma_addr=ffffffffffffffff size=262144 phys_addr=100002000 attrs=') +
        unmap(50, '7da00000', 2048),
      ['dmesg.txt', boot],
    );
    expect(found).toMatchObject({ baselineSlots: 399, baselineFrom: 'log' });
    expect(found!.series.usedSlots[0]).toBe(400);
  });

  it('is unknown without ends, without addresses or without a clock', () => {
    expect(use(bounced(10, '100000000', 2048) + bounced(20, '100001000', 2048), ['dmesg.txt', boot])).toBeNull();
    const counter = (map(10, '7da00000', 2048, '100000000') + unmap(20, '7da00000', 2048)).replace(
      /1\.0000(\d\d):/g,
      '   $1:',
    );
    expect(use(counter, ['dmesg.txt', boot])).toBeNull();
    expect(use('', ['dmesg.txt', boot])).toBeNull();
  });

  it('counts memory over the time of the requests, as a replay does', () => {
    // One mapping is older than the trace, whose first event comes half a second before the first request.
    const found = use(
      at(0, 'tracing_mark_write: begin') +
        map(500_000, '7da00000', 2048, '100000000') +
        unmap(750_000, '7da08000', 4096) +
        unmap(999_999, '7da00000', 2048),
      ['dmesg.txt', boot],
    );
    expect(found?.byteSeconds).toBeCloseTo((1 << 20) * 0.499_999, 0);
  });

  it('agrees with the counters of a real kernel', () => {
    const read = (name: string) => readFileSync(new URL(name, sample), 'utf8');
    const found = use(
      read('trace.txt').split('\n').slice(2).join('\n'),
      ['debugfs.csv', read('debugfs.csv')],
      ['dmesg.txt', read('dmesg.txt')],
    )!;
    const last = read('debugfs.csv').trimEnd().split('\n').at(-1)!.split(',');
    expect(found.usedHighWaterSlots).toBe(Number(last[4]));
    expect(found.series.usedSlots[found.series.length - 1]).toBe(Number(last[3]));
    expect(found.baselineSlots).toBe(0);
  });
});
