import { describe, expect, it } from 'vitest';
import { bootTimeOf, lineStamp } from '../../src/analysis/lineStamp';

const boot = (seconds: number, nanoseconds: number) => ({ clock: 'boot', seconds, nanoseconds });

describe('the stamp of a line', () => {
  it.each([
    ['             fio-181     [003] b.s..     4.224273: dma_map_page: 0000:00:07.0 size=86', boot(4, 224_273_000)],
    [' kworker/u8:0-11    [001] d.h1.   12.000000001: swiotlb_bounced: dev_name: x', boot(12, 1)],
    ['    fio-181   (    181) [003] ..s..     4.222378: dma_unmap_page: x', boot(4, 222_378_000)],
    ['[   12.345678] nvme 0000:05:00.0: swiotlb buffer is full', boot(12, 345_678_000)],
    ['<4>[   12.345678][  T123] software IO TLB', boot(12, 345_678_000)],
    ['Aug 21 10:11:12 host kernel: [   12.345678] x', boot(12, 345_678_000)],
    ['  bash-12     0d..1.  143us : dma_map_page: x', boot(0, 143_000)],
    ['  12.345678 |   1)  bash-12  |   0.5 us  |  f();', boot(12, 345_678_000)],
    ['  bash-12      [000] .....  4711: dma_map_page: x', { clock: 'count', seconds: 4711, nanoseconds: 0 }],
    [
      '2026-08-21T10:11:12.500000+02:00 host kernel: x',
      { clock: 'wall', seconds: 1_787_299_872, nanoseconds: 500_000_000 },
    ],
    ['[Fri Aug 21 10:11:12 2026] x', { clock: 'wall', seconds: 1_787_307_072, nanoseconds: 0 }],
  ])('%s', (text, stamp) => {
    expect(lineStamp(text)).toEqual(stamp);
  });

  it('is none where there is none, or no year', () => {
    for (const text of ['', '# tracer: nop', 'Aug 21 10:11:12 host systemd[1]: started', 'hello [world]']) {
      expect(lineStamp(text)).toBeNull();
    }
  });
});

describe('the time of boot', () => {
  it('is what the kernel says when it sets its clock', () => {
    const line = '[    1.500000] rtc_cmos 00:04: setting system clock to 2026-08-21T10:11:12 UTC (1787307072)';
    expect(bootTimeOf(line)).toBe(1_787_307_070.5);
    expect(bootTimeOf('[    1.500000] something else (1787307072)')).toBeNull();
  });
});
