import { describe, expect, it } from 'vitest';
import { isTraceName, looksLikeTrace } from '../../src/extension/sniff';

const yes = (text: string) => expect(looksLikeTrace(text), text).toBe(true);
const no = (text: string) => expect(looksLikeTrace(text), text).toBe(false);

describe('what is taken for a trace', () => {
  it('is a pasted failure, with any prefix', () => {
    yes('nvme 0000:05:00.0: swiotlb buffer is full (sz: 524288 bytes), total 32768 (slots), used 3 (slots)');
    yes('> Mar 16 18:11:41 host kernel: DMA: Out of SW-IOMMU space for 9100 bytes at device 0000:02:00.0');
    yes('software IO TLB: mapped [mem 0x7f000000-0x7f400000] (4MB)');
  });

  it('is ftrace text, with and without its header', () => {
    yes('# tracer: nop\n#\n');
    yes('# entries-in-buffer/entries-written: 1/1   #P:4\n');
    yes(' fio-1 [000] ..... 1.000000: dma_map_page: d dir=TO_DEVICE dma_addr=1 size=1');
    yes(' a-1 [000] ..... 1.000000: sched_switch: x\n b-2 [001] d.h.. 1.000001: sched_wakeup: y\n');
  });

  it('is a kernel log', () => {
    yes(Array.from({ length: 5 }, (_, i) => `[    0.00000${i}] BIOS-e820: something`).join('\n'));
    yes(Array.from({ length: 5 }, (_, i) => `Mar 16 18:11:41 host kernel: [ 4851.94703${i}] usb 1-1: x`).join('\n'));
  });

  it('is not an ordinary text or log', () => {
    no('');
    no('Meeting notes\n\nWe talked about dmesg and traces.\n');
    no('2026-11-20 13:31:00 INFO server started\n'.repeat(50));
    no('[    12.345] (II) Xorg module loaded\n'.repeat(50));
    no('[1] first footnote\n[2] second\n[3] third\n[4] 4\n[5] 5\n');
    no(`${'x'.repeat(8192)} swiotlb`);
  });
});

describe('the name of a large file', () => {
  it.each([
    'trace',
    'trace.txt',
    'trace-2.txt',
    'trace_pipe.txt',
    'dmesg',
    'dmesg.0',
    'kern.log',
    'kern.log.1',
    'run.ftrace',
  ])('%s says enough', (name) => expect(isTraceName(name)).toBe(true));
  it.each(['traceroute.log', 'tracer', 'app.log', 'notes.txt', 'dmesgs', 'core'])('%s does not', (name) =>
    expect(isTraceName(name)).toBe(false),
  );
});
