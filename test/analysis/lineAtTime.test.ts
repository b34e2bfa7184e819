import { describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { lineAtTime, stepOfRequest } from '../../src/analysis/lineAtTime';

function analysisOf(header: string, stamps: readonly string[]) {
  const event = (stamp: string, text: string) => `   fio-7     [000] .....  ${stamp}: ${text}\n`;
  const map = 'd dir=TO_DEVICE dma_addr=7da00000 size=2048 phys_addr=100000000 attrs=';
  const texts = [
    'swiotlb_bounced: dev_name: d dma_mask=ffffffffffffffff dev_addr=100000000 size=2048 FORCE',
    `dma_map_page: ${map}`,
    'dma_unmap_page: d dir=TO_DEVICE dma_addr=7da00000 size=2048 attrs=',
    'swiotlb_bounced: dev_name: d dma_mask=ffffffffffffffff dev_addr=100000000 size=2048 FORCE',
    `dma_map_page: ${map}`,
  ];
  const builder = createAnalysis();
  const source = builder.openSource({ path: 'trace.txt' });
  source.push(new TextEncoder().encode(header + texts.map((text, index) => event(stamps[index]!, text)).join('')));
  source.end();
  return builder.snapshot();
}

describe('the line at a time', () => {
  const analysis = analysisOf('# tracer: nop\n#\n', ['1.000010', '1.000012', '1.000030', '1.000050', '1.000052']);

  it('is the nearest map or unmap', () => {
    // The first map is at 0 (lines 3 and 4), the unmap at 20 µs (line 5), the second map at 40 µs (lines 6 and 7).
    expect(lineAtTime(analysis, 0)).toEqual({ source: 0, line: 4 });
    expect(lineAtTime(analysis, 14_000)).toEqual({ source: 0, line: 5 });
    expect(lineAtTime(analysis, 31_000)).toEqual({ source: 0, line: 7 });
    expect(lineAtTime(analysis, -1e9)?.line).toBe(4);
    expect(lineAtTime(analysis, 1e18)?.line).toBe(7);
  });

  it('counts steps when the clock gives order only', () => {
    const counted = analysisOf('# tracer: nop\n# clock: counter\n', ['1', '2', '3', '4', '5']);
    const lines = [0, 1, 2].map((step) => lineAtTime(counted, step)?.line);
    expect(lines).toEqual([4, 5, 7]);
    expect([
      stepOfRequest(counted, 0, true),
      stepOfRequest(counted, 0, false),
      stepOfRequest(counted, 1, true),
    ]).toEqual([0, 1, 2]);
  });

  it('is nothing in a trace without requests', () => {
    expect(lineAtTime(createAnalysis().snapshot(), 5)).toBeNull();
  });
});
