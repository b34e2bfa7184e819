import { describe, expect, it } from 'vitest';
import { ContextBit } from '../../src/model/events';
import { readFixture, readFixtureText } from '../support/fixtures';
import { collect, countKinds, type PlainEvent } from './collect';

/** Reads one event line (with a line before it, so that its time is relative to 1.000000 s) and returns the event. */
function only(line: string): PlainEvent {
  const { events, summary } = collect(`${line}\n`);
  expect(events, `${line}\n${JSON.stringify(summary.problems)}`).toHaveLength(1);
  return events[0];
}

const bounced = 'swiotlb_bounced: dev_name: 0000:00:07.0 dma_mask=ffffffffffffffff dev_addr=1016ea506 size=54 FORCE';
const bouncedFields = {
  kind: 'bounced',
  device: '0000:00:07.0',
  original: 0x1016ea506,
  sizeBytes: 54,
  forced: true,
  dmaMaskBits: 64,
};

describe('the columns before the event', () => {
  const columns: readonly (readonly [what: string, text: string, fields: Record<string, unknown>])[] = [
    [
      'default layout',
      '              nc-177     [002] b....     4.583553: ',
      { comm: 'nc', pid: 177, cpu: 2, context: ContextBit.known | ContextBit.bhOff },
    ],
    [
      'four flag columns',
      '              nc-177     [002] d.s2     4.583553: ',
      { cpu: 2, context: ContextBit.known | ContextBit.irqsOff | ContextBit.softIrq | ContextBit.preemptOff },
    ],
    [
      'six flag columns of lazy kernels',
      '              nc-177     [002] d..h1.     4.583553: ',
      { context: ContextBit.known | ContextBit.irqsOff | ContextBit.hardIrq | ContextBit.preemptOff },
    ],
    ['no flags', '              nc-177     [002]     4.583553: ', { cpu: 2, comm: 'nc' }],
    ['tgid', '            wget-176     (    176) [003] b....     4.145781: ', { comm: 'wget', pid: 176, cpu: 3 }],
    [
      'unknown tgid',
      '            wget-176     (-------) [003] b....     4.145781: ',
      { comm: 'wget', pid: 176, cpu: 3 },
    ],
    [
      'blank and dash in the name',
      '     my app-1-42-1234567 [128] .....  1021.334455: ',
      { comm: 'my app-1-42', pid: 1234567, cpu: 128 },
    ],
    ['digits and dash', '     kworker/1:1H-213     [001] d..2.  1021.334455: ', { comm: 'kworker/1:1H', pid: 213 }],
    ['brackets', '     a [001] 1.0: b-7       [003] .....     4.583553: ', { comm: 'a [001] 1.0: b', pid: 7, cpu: 3 }],
    ['parentheses', '        (sd-pam)-99      [000] .....     4.583553: ', { comm: '(sd-pam)', pid: 99 }],
    [
      'idle',
      '          <idle>-0       [003] bNs..     4.241757: ',
      {
        comm: '<idle>',
        pid: 0,
        context: ContextBit.known | ContextBit.bhOff | ContextBit.needResched | ContextBit.softIrq,
      },
    ],
    [
      'name not recorded',
      '           <...>-1234    [000] D....     4.241757: ',
      { comm: '<...>', context: ContextBit.known | ContextBit.irqsOff | ContextBit.bhOff },
    ],
    ['name without padding', 'insmod-1871    [002] .....   285.655295: ', { comm: 'insmod', pid: 1871 }],
    [
      'name with trailing dash',
      'disp_eng_share_-1439    [000] .....   197.644246: ',
      { comm: 'disp_eng_share_', pid: 1439 },
    ],
    ['tabs', '\tnc-177\t[002]\tb....\t4.583553: ', { comm: 'nc', pid: 177, cpu: 2 }],
    ['trace-cmd report', '            wget-179   [002]     5.761481: ', { comm: 'wget', pid: 179 }],
    ['perf script', 'kworker/3:1 H    43 [003]     5.763091: ', { comm: 'kworker/3:1 H', pid: 43, cpu: 3 }],
    ['perf script with pid/tid', 'fio  4211/4215  [003]  1021.334455123: ', { comm: 'fio', pid: 4215 }],
    [
      'nmi in hardirq',
      '              nc-177     [002] d.Z..     4.583553: ',
      { context: ContextBit.known | ContextBit.irqsOff | ContextBit.nmi },
    ],
    [
      'hardirq in softirq',
      '              nc-177     [002] d.H..     4.583553: ',
      { context: ContextBit.known | ContextBit.irqsOff | ContextBit.hardIrq | ContextBit.softIrq },
    ],
  ];
  for (const [what, text, fields] of columns) {
    it(`understands ${what}`, () => {
      expect(only(text + bounced)).toMatchObject({ ...bouncedFields, ...fields });
    });
  }

  it('takes the order of the flags from the legend of the file', () => {
    const legend = [
      '#                                _-----=> irqs-off',
      '#                               / _----=> need-resched',
      '#                              | / _---=> need-resched_lazy',
      '#                              || / _--=> hardirq/softirq',
      '#                              ||| / _-=> preempt-depth',
      '#                              |||| /     delay',
    ];
    const { events } = collect(`${legend.join('\n')}\n              nc-177     [002] ..Ls1     4.583553: ${bounced}\n`);
    expect(events[0]['context']).toBe(ContextBit.known | ContextBit.softIrq | ContextBit.preemptOff);
  });

  it('keeps microseconds and nanoseconds exactly, relative to the first stamp', () => {
    const at = (stamp: string) => `              nc-177     [002] b.... ${stamp}: ${bounced}\n`;
    const { events, summary } = collect(
      at('1700000000.000001') + at('1700000000.000003001') + at('1699999999.999999999'),
    );
    expect(summary.origin).toEqual({ seconds: 1700000000, nanoseconds: 1000 });
    expect(events.map(({ timeNs }) => timeNs)).toEqual([0, 2001, -1001]);
  });

  it('takes integer stamps as order only', () => {
    const { events, summary } = collect(`              nc-177     [002] b....        12345: ${bounced}\n`);
    expect(events[0]).toMatchObject({ ...bouncedFields, cpu: 2 });
    expect(events[0]['timeNs']).toBeUndefined();
    expect(summary).toMatchObject({ timeUnit: 'order', origin: null });
  });

  it('removes what people put before a pasted line', () => {
    const line = `insmod-1871    [002] .....   285.655295: ${bounced}`;
    const disguises = [
      `> ${line}`,
      `> > ${line}`,
      `- ${line}`,
      `* \`${line}\``,
      `(qemu) ${line}`,
      `    "${line}",`,
      `${line}=20`,
      `${line}\r`,
    ];
    for (const disguised of disguises) {
      expect(only(disguised), disguised).toMatchObject({ ...bouncedFields, comm: 'insmod', pid: 1871, cpu: 2 });
    }
    for (const prefix of [
      'trace.txt:',
      '[    1.234567] ',
      'Nov 20 11:30:53 host kernel: [    1.234567] ',
      '<6>[    1.2] ',
    ]) {
      expect(only(prefix + line), prefix).toMatchObject({ ...bouncedFields, comm: 'insmod', pid: 1871, cpu: 2 });
    }
  });
});

describe('the fields of each event', () => {
  const prefix = '             fio-189     [000] .....     5.365434: ';
  const cases: readonly (readonly [text: string, fields: Record<string, unknown>])[] = [
    [
      'swiotlb_bounced: dev_name: d4280800.sdh dma_mask=3fffffff dev_addr=ffffffffffffffff size=4 NORMAL',
      { kind: 'bounced', device: 'd4280800.sdh', dmaMaskBits: 30, sizeBytes: 4 },
    ],
    [
      'swiotlb_bounced: dev_name: a dma_mask=0 dev_addr=8000001016ea size=4 NO_FORCE',
      { kind: 'bounced', dmaMaskBits: 0, original: 0x8000001016ea },
    ],
    [
      'dma_map_page: 0000:00:07.0 dir=TO_DEVICE dma_addr=79b92000 size=54 phys_addr=101f62286 attrs=',
      { kind: 'mapPage', device: '0000:00:07.0', direction: 1, dma: 0x79b92000, sizeBytes: 54, original: 0x101f62286 },
    ],
    [
      'dma_map_phys: a dir=BIDIRECTIONAL dma_addr=ffffffffffffffff size=4096 phys_addr=1000 attrs=SKIP_CPU_SYNC|NO_WARN|0x400',
      { kind: 'mapPage', failed: true, direction: 3, attributes: (1 << 5) | (1 << 8) | 0x400, original: 0x1000 },
    ],
    [
      'dma_map_resource: a dir=FROM_DEVICE dma_addr=ffffffff size=8 phys_addr=2000 attrs=',
      { kind: 'mapPage', failed: true, direction: 2 },
    ],
    [
      'dma_map_page: a attrs=PRIVILEGED size=8 phys_addr=2000 dma_addr=3000 dir=NONE',
      { kind: 'mapPage', dma: 0x3000, attributes: 1 << 9 },
    ],
    [
      'dma_unmap_page: 0000:00:07.0 dir=TO_DEVICE dma_addr=79b92000 size=54 attrs=',
      { kind: 'unmapPage', dma: 0x79b92000, sizeBytes: 54 },
    ],
    ['dma_unmap_phys: a dir=TO_DEVICE dma_addr=1000 size=8 attrs=MMIO', { kind: 'unmapPage', attributes: 1 << 10 }],
    [
      'dma_map_sg: 0000:00:05.0 dir=FROM_DEVICE nents=2/2 ents=2/2 dma_addrs={0x7da13000,0x7da15000} sizes={0x1000,0xb000} phys_addrs={0x10ca00000,0x10ca91000} attrs=NO_WARN',
      {
        kind: 'mapSg',
        sgDma: [0x7da13000, 0x7da15000],
        sgSizes: [0x1000, 0xb000],
        sgOriginal: [0x10ca00000, 0x10ca91000],
        sgCount: 2,
        sgTotal: 2,
        attributes: 1 << 8,
      },
    ],
    [
      'dma_map_sg: a dir=FROM_DEVICE dma_addrs={0x1000} sizes={0x2000} phys_addrs={0x3000,0x4000} attrs=',
      { kind: 'mapSg', sgDma: [0x1000], sgOriginal: [0x3000, 0x4000], sgCount: 2 },
    ],
    [
      'dma_map_sg: a dir=TO_DEVICE nents=1/256 ents=1/256 [TRUNCATED] dma_addrs={0x1000} sizes={0x2000} phys_addrs={0x3000} attrs=',
      { kind: 'mapSg', sgTruncated: true, sgTotal: 256 },
    ],
    [
      'dma_unmap_sg: a dir=TO_DEVICE phys_addrs={0x3000,0x4000} attrs=',
      { kind: 'unmapSg', sgOriginal: [0x3000, 0x4000], sgCount: 2 },
    ],
    [
      'dma_map_sg_err: a dir=TO_DEVICE dma_addrs={0x3000} err=-5 attrs=',
      { kind: 'mapSgError', sgOriginal: [0x3000], error: -5 },
    ],
    [
      'dma_sync_single_for_cpu: a dir=FROM_DEVICE dma_addr=7da13000 size=1536',
      { kind: 'sync', dma: 0x7da13000, sizeBytes: 1536 },
    ],
    ['dma_sync_single_for_device: a dir=FROM_DEVICE dma_addr=7da13000 size=1536', { kind: 'sync', toDevice: true }],
    [
      'dma_sync_sg_for_device: a dir=TO_DEVICE dma_addrs={0x1000,0x2000} sizes={0x10,0x20}',
      { kind: 'syncSg', toDevice: true, sgDma: [0x1000, 0x2000], sgSizes: [0x10, 0x20] },
    ],
    [
      'dma_alloc: a dir=BIDIRECTIONAL dma_addr=101f62000 size=4096 virt_addr=00000000c0ffee00 flags=GFP_KERNEL|__GFP_ZERO attrs=',
      { kind: 'coherentAlloc', sizeBytes: 4096, dma: 0x101f62000 },
    ],
    [
      'dma_free: a dma_addr=101f62000 size=4096 virt_addr=00000000c0ffee00 attrs=',
      { kind: 'coherentFree', sizeBytes: 4096 },
    ],
    [
      'tracing_mark_write: swlab-sampler start mono=4.264348219 boot=4.264643831',
      { kind: 'marker', text: 'swlab-sampler start mono=4.264348219 boot=4.264643831' },
    ],
    [
      'swiotlb:swiotlb_bounced: dev_name: a dma_mask=ffffffff dev_addr=1000 size=4 FORCE',
      { kind: 'bounced', device: 'a' },
    ],
    [
      'mm_page_alloc: page=0x1234 pfn=0x1234 order=6 migratetype=0 gfp_flags=GFP_KERNEL',
      { kind: 'pageAlloc', order: 6 },
    ],
    ['workqueue_execute_start: work struct 00000000abcd: function swiotlb_dyn_alloc', { kind: 'workqueue', phase: 1 }],
  ];
  for (const [text, fields] of cases) {
    it(`reads ${text.slice(0, 70)}`, () => {
      expect(only(prefix + text)).toMatchObject(fields);
    });
  }
  it('delivers console events as log records with the CPU, task and columns of the event', () => {
    const line = `${prefix}console: nvme 0000:00:05.0: swiotlb buffer is full (sz: 8192 bytes), total 512 (slots), used 496 (slots)`;
    const { logs } = collect(`${line}\n`);
    expect(logs).toMatchObject([
      {
        kind: 'buffer-full',
        viaTrace: true,
        cpu: 0,
        pid: 189,
        driver: 'nvme',
        device: '0000:00:05.0',
        timeNs: 0,
        totalSlots: 512,
      },
    ]);
    expect(line.slice(logs[0].startColumn, logs[0].endColumn)).toBe(logs[0].text);
    expect(logs[0].text.startsWith('nvme')).toBe(true);
  });
});

describe('probes', () => {
  const prefix = '            init-1       [003] .....    12.598000: ';
  const cases: readonly (readonly [text: string, fields: Record<string, unknown>])[] = [
    [
      'map: (swiotlb_tbl_map_single+0x4/0x440) dev="swlab.0" orig=0x7f400000 size=262144 amask=0xfff dir=1 attrs=0x20',
      {
        kind: 'probeMapEnter',
        device: 'swlab.0',
        original: 0x7f400000,
        sizeBytes: 262144,
        allocAlignMask: 0xfff,
        direction: 1,
        attributes: 0x20,
      },
    ],
    [
      'anything: (swiotlb_tbl_map_single+0x0/0x440) dev_name="a" orig_addr=0x1000 mapping_size=0x600 alloc_size=4096 alloc_align_mask=0x0',
      { kind: 'probeMapEnter', original: 0x1000, sizeBytes: 1536, allocAlignMask: 0 },
    ],
    [
      'r: (swiotlb_map+0x5f/0x240 <- swiotlb_tbl_map_single) dev="a" orig=0x1000 size=54 tlb=0x7da8b000',
      { kind: 'probeMapReturn', dma: 0x7da8b000, original: 0x1000, sizeBytes: 54 },
    ],
    [
      'r: (do_op+0x5f/0x240 [swlab] <- swiotlb_tbl_map_single) tlb=0xffffffffffffffff',
      { kind: 'probeMapReturn', failed: true },
    ],
    [
      'r: (swiotlb_map+0x5f/0x240 <- swiotlb_tbl_map_single) arg1=0x7da8b000',
      { kind: 'probeMapReturn', dma: 0x7da8b000 },
    ],
    [
      'unmap: (__swiotlb_tbl_unmap_single+0x4/0x250) dev="a" tlb=0x7da8b000 size=54 dir=2 attrs=0x20 pool_start=0x7d78b000 pool_end=0x7db8b000 transient=0',
      {
        kind: 'probeUnmapEnter',
        dma: 0x7da8b000,
        poolStart: 0x7d78b000,
        poolEnd: 0x7db8b000,
        transient: 0,
        direction: 2,
      },
    ],
    [
      'unmap: (swiotlb_tbl_unmap_single+0x0/0x250) dev="a" tlb_addr=0x7da8b000 size=54',
      { kind: 'probeUnmapEnter', dma: 0x7da8b000 },
    ],
    [
      'unmap_ret: (dma_unmap_page_attrs+0x1b5/0x1f0 <- __swiotlb_tbl_unmap_single) tlb=0x7da8b000',
      { kind: 'probeUnmapReturn', dma: 0x7da8b000 },
    ],
    [
      'x: (swiotlb_alloc_pool.isra.0+0x0/0x2e0) minslabs=2 nslabs=2 nareas=1 phys_limit=0xffffffffffffffff gfp=0x2800',
      { kind: 'probePoolAllocEnter', poolSlots: 2, poolAreas: 1 },
    ],
    [
      'x: (swiotlb_tbl_map_single+0x288/0x440 <- swiotlb_alloc_pool.isra.0) pool=0xff110001009c6380 start=0x102a05000 end=0x102a06000 nslabs=2 nareas=1',
      { kind: 'probePoolAllocReturn', poolStart: 0x102a05000, poolEnd: 0x102a06000, poolSlots: 2, poolAreas: 1 },
    ],
    [
      'x: (swiotlb_dyn_alloc+0x28/0x440 <- swiotlb_alloc_pool) pool=0x0 start=(fault) end=(fault) nslabs=(fault) nareas=(fault)',
      { kind: 'probePoolAllocReturn', failed: true },
    ],
    ['x: (swiotlb_dyn_alloc+0x0/0x90)', { kind: 'probeWorkerEnter' }],
    ['x: (process_one_work+0x1d0/0x3f0 <- swiotlb_dyn_alloc)', { kind: 'probeWorkerReturn' }],
    [
      'x: (swiotlb_dyn_free+0x0/0x90) start=0x102a05000 end=0x102a06000 nslabs=2 transient=1',
      { kind: 'probePoolFree', poolStart: 0x102a05000, transient: 1 },
    ],
    [
      'area: (swiotlb_tbl_map_single+0x104/0x440 <- swiotlb_search_pool_area) dev="a" pool_start=0x7da8e000 area=2 alloc_size=54 amask=0x0 index=-1',
      { kind: 'probeOther', symbol: 'swiotlb_search_pool_area', poolStart: 0x7da8e000 },
    ],
    ['mid: (swiotlb_tbl_map_single+0x104/0x440) orig=0x1000', { kind: 'probeOther', symbol: 'swiotlb_tbl_map_single' }],
    [
      'probe:swiotlb_tbl_map_single__return: (ffffffff81234567 <- ffffffff81234500) ret=0x7da8b000',
      { kind: 'probeMapReturn', dma: 0x7da8b000 },
    ],
  ];
  for (const [text, fields] of cases) {
    it(`reads ${text.slice(0, 80)}`, () => {
      expect(only(prefix + text)).toMatchObject(fields);
    });
  }
  it('counts probes on other functions by their name', () => {
    const { events, summary } = collect(`${prefix}myprobe: (do_sys_open+0x0/0x20) file=1\n`);
    expect(events).toEqual([]);
    expect(summary.ledger.countedByName).toEqual({ myprobe: 1 });
  });
});

describe('what is not an event of the field', () => {
  const prefix = '             fio-189     [000] .....     5.365434: ';
  it('counts other events by name', () => {
    const { summary } = collect(
      `${prefix}block_rq_issue: 259,0 R 4096 () 1 + 8 [fio]\n${prefix}block_rq_issue: 259,0 R 4096 () 1 + 8 [fio]\n${prefix}sched_switch: prev_comm=a\n${prefix}nvme_irq <-__handle_irq_event_percpu\n`,
    );
    expect(summary.ledger).toMatchObject({
      lines: 4,
      counted: 4,
      countedByName: { block_rq_issue: 2, sched_switch: 1, 'function tracer': 1 },
    });
    expect(summary).toMatchObject({ recognised: true, hasField: false });
  });
  it('counts stack traces, system calls and call chains', () => {
    const text = [
      `${prefix}<stack trace>`,
      ' => swiotlb_map',
      ' => dma_map_page_attrs',
      `${prefix}sys_openat(dfd: ffffff9c, filename: 7f)`,
      `${prefix}sys_openat -> 0x3`,
      'fio  4211 [003]  1021.334455: block:block_rq_issue: 259,0 R',
      '\tffffffff81234567 swiotlb_map+0x5c ([kernel.kallsyms])',
      '',
    ];
    const { summary } = collect(`${text.join('\n')}\n`);
    expect(summary.ledger.notUnderstood).toBe(0);
    expect(summary.ledger.countedByName).toEqual({ 'stack trace': 4, sys_openat: 2, block_rq_issue: 1 });
  });
  it('reads a first line behind a UTF-8 mark', () => {
    const { summary } = collect(`\ufeff# tracer: nop\n${prefix}${bounced}\n`);
    expect(summary.header.tracer).toBe('nop');
    expect(summary.ledger.understood).toBe(2);
  });
  it('counts events by name when the trace has no context columns', () => {
    const { summary, events } = collect(`${bounced}\nirq_handler_entry: irq=24 name=nvme0q0\n`);
    expect(events).toHaveLength(1);
    expect(summary).toMatchObject({ format: 'ftrace-nocontext', timeUnit: 'order' });
    expect(summary.ledger.countedByName).toEqual({ irq_handler_entry: 1 });
  });
  it('does not take prose for a trace without context columns', () => {
    const { summary, events } = collect('print: hello\nconsole: none\n');
    expect(events).toEqual([]);
    expect(summary).toMatchObject({ recognised: false });
  });
  it('reads the header of perf script', () => {
    const { summary } = collect('# ========\n# os release : 6.12.0-test\n# nrcpus online : 8\n# ========\n');
    expect(summary.header).toMatchObject({ release: '6.12.0-test', cpusOnline: 8 });
  });
  it('reports lost events with their CPU', () => {
    const { lost, summary } = collect(
      'CPU:2 [LOST 137 EVENTS]\nCPU:3 [LOST EVENTS]\nCPU:1 [12 EVENTS DROPPED]\n##### CPU 2 buffer started ####\n',
    );
    expect(lost).toEqual([
      { cpu: 2, count: 137, line: 1 },
      { cpu: 3, count: -1, line: 2 },
      { cpu: 1, count: 12, line: 3 },
    ]);
    expect(summary.ledger).toMatchObject({ lostEvents: 149, lostByCpu: { 1: 12, 2: 137, 3: 0 }, understood: 4 });
    expect(summary.problems.filter(({ code }) => code === 'lost-events')).toHaveLength(3);
  });
  it('does not take torn and glued lines for events', () => {
    const torn = [
      `${prefix}dma_map_page: 0000:00:07.0 dir=TO_DEVICE dma_addr=79b9`,
      `${prefix}dma_map_page: 0000:00:07.0 dir=TO_DEVICE dma_addr=79b9 ${prefix}dma_map_page: 0000:00:07.0 dir=TO_DEVICE dma_addr=79b92000 size=54 phys_addr=101f62286 attrs=`,
      `${prefix}swiotlb_bounced: ...`,
      `${prefix}swiotlb_bounced: dev_name: a dma_mask=ffffffff dev_addr=1000 size=4`,
      `${prefix}dma_map_sg: a dir=TO_DEVICE dma_addrs={0x1000,0x20 sizes={0x2000} phys_addrs={0x3000} attrs=`,
      `${prefix}dma_map_page: a dir=TO_DEVICE dma_addr=79bfio-2 size=54 phys_addr=101f62286 attrs=`,
    ];
    const { events, summary } = collect(`${torn.join('\n')}\n`);
    expect(events).toEqual([]);
    expect(summary.ledger).toMatchObject({ lines: 6, notUnderstood: 6 });
    expect(summary.ledger.notUnderstoodExamples.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe('event lines wrapped by a mail program', () => {
  const line = `              nc-177     [002] b....     4.583553: ${bounced}`;
  const next = `              nc-178     [003] b....     4.583554: ${bounced}`;
  const wraps: Record<string, string> = {
    'behind the time': line.replace(': swiotlb', ':\nswiotlb'),
    'behind the device name': line.replace('07.0 dma', '07.0\ndma'),
    'behind dev_name': line.replace('dev_name: ', 'dev_name:\n'),
    'twice, in a mail quote': `> ${line.trimStart().replace('dev_name: ', 'dev_name:\n> ').replace(' size', '\n> size')}`,
    'before FORCE': line.replace(' FORCE', '\nFORCE'),
  };
  for (const [where, text] of Object.entries(wraps)) {
    it(`${where} are joined`, () => {
      const { events, summary } = collect(`${next}\n${text}\n${next}\n`);
      expect(events).toMatchObject([
        { pid: 178, line: 1 },
        { ...bouncedFields, pid: 177, cpu: 2, line: 2 },
        { pid: 178 },
      ]);
      expect(summary.ledger).toMatchObject({ notUnderstood: 0, lines: text.split('\n').length + 2 });
      expect(summary.problems).toEqual([]);
    });
  }
  it('a torn line does not swallow the line behind it', () => {
    const { events, summary } = collect(`${line.slice(0, 90)}\n${next}\n${line.slice(0, 90)}\nsome text\n${next}\n`);
    expect(events.map(({ line: at }) => at)).toEqual([2, 5]);
    expect(summary.ledger).toMatchObject({ lines: 5, understood: 2, notUnderstood: 3 });
  });
});

describe('traces of real kernels', () => {
  const fixtures: readonly (readonly [name: string, format: string, kinds: Record<string, number>])[] = [
    ['default-dma.txt', 'ftrace', {}],
    ['debian61-bounced.txt', 'ftrace', {}],
    ['kprobes-dynamic.txt', 'ftrace', {}],
    ['kprobes-debian61.txt', 'ftrace', {}],
    ['kprobes-area-search.txt', 'ftrace', {}],
    ['fprobe.txt', 'ftrace', {}],
    ['function-graph-options.txt', 'function-graph', {}],
    ['function-graph.txt', 'function-graph', {}],
    ['function-graph-default.txt', 'function-graph', {}],
    ['trace-cmd-report.txt', 'trace-cmd', {}],
    ['trace-cmd-report-raw.txt', 'trace-cmd', {}],
    ['trace-pipe-lost.txt', 'ftrace', {}],
    ['no-irq-info.txt', 'ftrace', {}],
    ['no-context.txt', 'ftrace-nocontext', {}],
    ['tgid.txt', 'ftrace', {}],
    ['latency.txt', 'ftrace-latency', {}],
    ['clock-uptime.txt', 'ftrace', {}],
    ['clock-counter.txt', 'ftrace', {}],
    ['verbose-tsc.txt', 'ftrace-latency', {}],
    ['overwritten.txt', 'ftrace', {}],
    ['big-lists.txt', 'ftrace', {}],
  ];
  for (const [name, format] of fixtures) {
    it(`understands every line of ${name}`, () => {
      const { events, logs, lost, summary } = collect(readFixture(`trace/${name}`));
      expect(summary.format).toBe(format);
      expect(summary.ledger.notUnderstood, JSON.stringify(summary.ledger.notUnderstoodExamples)).toBe(0);
      expect(summary.ledger.counted).toBe(0);
      expect({
        ...countKinds(events),
        logs: logs.length,
        lost: lost.length,
        lines: summary.ledger.lines,
      }).toMatchSnapshot();
    });
  }

  it('delivers as many events as the text has lines of that name', () => {
    for (const name of [
      'default-dma.txt',
      'fprobe.txt',
      'trace-pipe-lost.txt',
      'tgid.txt',
      'no-irq-info.txt',
      'big-lists.txt',
    ]) {
      const text = readFixtureText(`trace/${name}`);
      const kinds = countKinds(collect(text).events);
      const lines = (word: string) => text.split('\n').filter((line) => line.includes(`: ${word}: `)).length;
      expect(kinds['bounced'] ?? 0, name).toBe(lines('swiotlb_bounced'));
      expect(kinds['mapPage'] ?? 0, name).toBe(lines('dma_map_page'));
      expect(kinds['unmapPage'] ?? 0, name).toBe(lines('dma_unmap_page'));
      expect(kinds['mapSg'] ?? 0, name).toBe(lines('dma_map_sg'));
      expect(kinds['unmapSg'] ?? 0, name).toBe(lines('dma_unmap_sg'));
    }
  });

  it('reads the same events from a trace-cmd report and its raw form', () => {
    const strip = ({ byteOffset: _, forced: __, ...event }: PlainEvent) => event;
    const report = collect(readFixture('trace/trace-cmd-report.txt')).events.map(strip);
    const raw = collect(readFixture('trace/trace-cmd-report-raw.txt')).events.map(strip);
    expect(report.length).toBe(121);
    expect(raw).toEqual(report);
  });

  it('reads header and overwritten start', () => {
    const { summary } = collect(readFixture('trace/overwritten.txt'));
    expect(summary.header).toMatchObject({
      tracer: 'nop',
      cpusOnline: 4,
      entriesInBuffer: 3691,
      entriesWritten: 29077,
    });
    expect(summary.ledger.overwritten).toBe(29077 - 3691);
    expect(summary.problems.map(({ code }) => code)).toContain('overwritten-start');
  });

  it('takes the cut last line as torn', () => {
    const { summary } = collect(readFixture('trace/cut-off.txt'));
    expect(summary.ledger.notUnderstood).toBe(1);
    expect(summary.problems).toMatchObject([{ code: 'torn-line' }]);
  });

  it('knows lists of more than 128 entries as truncated', () => {
    const { events } = collect(readFixture('trace/big-lists.txt'));
    const cut = events.filter(({ sgTruncated }) => sgTruncated === true);
    expect(cut.map(({ sgTotal }) => sgTotal)).toContain(256);
    for (const event of cut) {
      expect(event['sgDma']).toHaveLength(128);
    }
  });

  it('reads release, CPU and context of the latency formats', () => {
    const latency = collect(readFixture('trace/latency.txt'));
    expect(latency.summary.header.release).toBe('6.12.117-labfix');
    expect(latency.summary.timeUnit).toBe('ns');
    const verbose = collect(readFixture('trace/verbose-tsc.txt'));
    expect(verbose.summary).toMatchObject({ timeUnit: 'order' });
    expect(verbose.events[0]).toMatchObject({
      kind: 'bounced',
      comm: 'wget',
      pid: 177,
      cpu: 3,
      context: ContextBit.known | ContextBit.bhOff,
    });
  });

  it('takes page allocations and the growth worker as facts, in the words of all printers', () => {
    const { events, summary } = collect(
      [
        'workqueue_queue_work: work struct=00000000deadbeef function=swiotlb_dyn_alloc workqueue=events req_cpu=8192 cpu=1',
        'workqueue_execute_start: work struct 00000000deadbeef: function swiotlb_dyn_alloc',
        'workqueue_execute_end: work struct 00000000deadbeef: function swiotlb_dyn_alloc',
        'workqueue_execute_start: work struct 00000000deadbeef: function vmstat_update',
        'mm_page_alloc: page=00000000f0f0f0f0 pfn=0x1234 order=9 migratetype=0 gfp_flags=GFP_ATOMIC|__GFP_NOWARN',
        'mm_page_alloc: page=0000000000000000 pfn=0x0 order=4 migratetype=0 gfp_flags=GFP_NOWAIT',
        'mm_page_alloc: page=(nil) pfn=0 order=4 migratetype=0 gfp_flags=GFP_NOWAIT',
        'mm_page_alloc: page=          (null) pfn=18446744073709551615 order=10 migratetype=0 gfp_flags=GFP_NOWAIT',
        '',
      ]
        .map((text, index) =>
          text === '' ? '' : `     kworker/1:1H-213     [001] d..2.  1021.3344${10 + index}: ${text}`,
        )
        .join('\n'),
    );
    expect(events.map(({ kind, phase, order, failed }) => [kind, phase ?? order, failed ?? false])).toEqual([
      ['workqueue', 0, false],
      ['workqueue', 1, false],
      ['workqueue', 2, false],
      ['pageAlloc', 9, false],
      ['pageAlloc', 4, true],
      ['pageAlloc', 4, true],
      ['pageAlloc', 10, true],
    ]);
    expect(summary.ledger).toMatchObject({ lines: 8, understood: 8 });
  });

  it('takes periods and lost records of perf script, and the header lines of trace-cmd report', () => {
    const bounced = 'dev_name: 0000:00:05.0 dma_mask=ffffffffffffffff dev_addr=101cec286 size=54 FORCE';
    const perf = collect(
      [
        `fio  4211/4215 [003]  1021.334455123:          1 swiotlb:swiotlb_bounced: ${bounced}`,
        'fio  4211/4215 [003]  1021.334456123: PERF_RECORD_LOST lost 17',
        '',
      ].join('\n'),
    );
    expect(countKinds(perf.events)).toEqual({ bounced: 1 });
    expect(perf.lost).toEqual([{ cpu: 3, count: 17, line: 2 }]);
    const report = collect(
      `cpus=4\nversion = 7\nCPU 3 is empty\n           fio-4211  [003] 1021.334455: swiotlb_bounced:      ${bounced}\n`,
    );
    expect(report.summary.ledger).toMatchObject({ lines: 4, understood: 4 });
  });

  it('takes the name of a trace instance before a task of trace-cmd report for no part of the name', () => {
    const event = 'dma_unmap_page:       0000:00:07.0 dir=TO_DEVICE dma_addr=7cb8e000 size=54 attrs=';
    const { events } = collect(
      [
        'cpus=4',
        ...['', 'inst:'].map((name) => `${name.padEnd(11)}kworker/3:1-43    [003]     5.763091: ${event}`),
        '',
      ].join('\n'),
    );
    expect(events.map(({ comm, pid, cpu }) => [comm, pid, cpu])).toEqual([
      ['kworker/3:1', 43, 3],
      ['kworker/3:1', 43, 3],
    ]);
  });

  it('reads results of function_graph and the tasks its CPUs switched to', () => {
    const { events } = collect(
      [
        '# tracer: function_graph',
        ' 2)   nc-177       =>   kworker-9   ',
        ' 2)               |  swiotlb_map() {',
        ' 2)               |  /* swiotlb_bounced: dev_name: 0000:00:07.0 dma_mask=ffffffffffffffff dev_addr=101cec286 size=54 FORCE */',
        ' 2)               |    swiotlb_tbl_map_single() {',
        ' 2)   3.115 us    |      swiotlb_search_pool_area(); /* = -1 */',
        ' 2) ! 236.604 us  |    } /* swiotlb_tbl_map_single = 0x7db2a000 */',
        ' 2) # 5734.963 us |  } /* swiotlb_map ret=0xffffffffffffffff */',
        ' 3)   1.912 us    |  __swiotlb_tbl_unmap_single();',
        '',
      ].join('\n'),
    );
    expect(events.map(({ kind, pid, comm, symbol, dma, failed }) => [kind, pid, comm, symbol, dma, failed])).toEqual([
      ['bounced', 9, 'kworker', undefined, undefined, undefined],
      ['functionDuration', 9, 'kworker', 'swiotlb_search_pool_area', undefined, true],
      ['functionDuration', 9, 'kworker', 'swiotlb_tbl_map_single', 0x7db2a000, undefined],
      ['functionDuration', 9, 'kworker', 'swiotlb_map', undefined, true],
      ['functionDuration', undefined, undefined, '__swiotlb_tbl_unmap_single', undefined, undefined],
    ]);
  });

  it('reads durations of function_graph with their function', () => {
    const { events } = collect(readFixture('trace/function-graph-default.txt'));
    const first = events.filter(({ kind }) => kind === 'functionDuration').slice(0, 3);
    expect(first).toMatchObject([
      { symbol: 'swiotlb_bounce', durationNs: 72508, cpu: 0 },
      { symbol: 'swiotlb_tbl_map_single', durationNs: 252718 },
      { symbol: 'swiotlb_map', durationNs: 540208 },
    ]);
  });

  it('offers a byte offset for every 256th line', () => {
    const bytes = readFixture('trace/default-dma.txt');
    const { summary } = collect(bytes);
    const starts = [0];
    bytes.forEach((byte, index) => {
      if (byte === 10) {
        starts.push(index + 1);
      }
    });
    expect(summary.lineOffsets).toEqual([starts[0], starts[256]]);
  });
});

it('a trace with hard blanks, as web pages copy it, is the same trace', () => {
  const line =
    '             fio-4211    [003] d..1.  1021.334455: swiotlb_bounced: dev_name: 0000:00:05.0 dma_mask=ffffffff dev_addr=1000 size=54 FORCE\n';
  expect(collect(line.replaceAll(' ', '\u00a0')).events).toEqual(collect(line).events);
});

describe('fewer or more columns than usual', () => {
  const fields = 'dev_name: 0000:00:05.0 dma_mask=ffffffffffffffff dev_addr=101cec286 size=54 FORCE';
  it.each([
    ['perf script without CPU', 'fio  4211  1021.334455: swiotlb:swiotlb_bounced: ', { pid: 4211, comm: 'fio' }],
    ['perf script without task', '[003]  1021.334455: swiotlb:swiotlb_bounced: ', { cpu: 3 }],
    [
      'perf script without time',
      'Web Content  4211/4212 [003] swiotlb:swiotlb_bounced: ',
      { cpu: 3, pid: 4212, comm: 'Web Content' },
    ],
    ['perf script with nothing else', 'swiotlb:swiotlb_bounced: ', {}],
    [
      'trace-cmd report -l',
      '     fio-4211    3d..1  1021.334455: swiotlb_bounced:      ',
      { cpu: 3, pid: 4211, comm: 'fio' },
    ],
    [
      'trace-cmd report --ts-diff',
      '             fio-4211  [003]  1021.334455: (+12)  swiotlb_bounced:      ',
      { cpu: 3, pid: 4211 },
    ],
  ])('%s', (_, head, expected) => {
    const { events, summary } = collect(`${head}${fields}\n${head.replace('.334455', '.334457')}${fields}\n`);
    const event = { kind: 'bounced', device: '0000:00:05.0', sizeBytes: 54, original: 0x101cec286, ...expected };
    expect(events).toEqual([expect.objectContaining(event), expect.objectContaining(event)]);
    expect(summary.ledger.notUnderstood).toBe(0);
    if (head.includes('1021')) {
      expect(events[1]['timeNs']).toBe(2000);
      expect(summary.origin).toEqual({ seconds: 1021, nanoseconds: 334_455_000 });
    } else {
      expect(summary.timeUnit).toBe('order');
    }
  });
});
