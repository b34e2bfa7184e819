import { Registry } from '../base/registry';

/** A format the reader recognises by content. `FORMATS.md` beside this file documents each id. */
export interface TraceFormat {
  readonly id: string;
  readonly title: string;
  /** Traces hold events line by line; in logs and samples other text is normal. */
  readonly family: 'trace' | 'log' | 'samples';
  /** One line as it looks. */
  readonly sample: string;
}

export const formats = new Registry<TraceFormat>([
  {
    id: 'ftrace',
    title: 'ftrace text (trace, trace_pipe)',
    family: 'trace',
    sample:
      '     kworker/1:1H-213     [001] d..2.  1021.334455: swiotlb_bounced: dev_name: 0000:01:00.0 dma_mask=ffffffffffffffff dev_addr=10000abc000 size=4096 FORCE',
  },
  {
    id: 'trace-cmd',
    title: 'trace-cmd report',
    family: 'trace',
    sample:
      '            wget-179   [002]     5.761699: dma_map_page:         0000:00:07.0 dir=TO_DEVICE dma_addr=7cb8e000 size=54 phys_addr=101ae6286 attrs=',
  },
  {
    id: 'trace-dat',
    title: 'trace.dat of trace-cmd (binary, versions 6 and 7)',
    family: 'trace',
    sample:
      '            wget-179     [002] .....      5.761481123: swiotlb_bounced: dev_name: 0000:00:07.0 dma_mask=ffffffffffffffff dev_addr=101ae6286 size=54 FORCE',
  },
  {
    id: 'perf',
    title: 'perf script',
    family: 'trace',
    sample:
      'fio  4211 [003]  1021.334455: swiotlb:swiotlb_bounced: dev_name: 0000:00:05.0 dma_mask=ffffffffffffffff dev_addr=101cec286 size=54 FORCE',
  },
  {
    id: 'ftrace-latency',
    title: 'ftrace text, latency format',
    family: 'trace',
    sample:
      '      nc-181       1b.... 701781us+: swiotlb_bounced: dev_name: 0000:00:07.0 dma_mask=ffffffffffffffff dev_addr=101c078be size=1526 FORCE',
  },
  {
    id: 'ftrace-nocontext',
    title: 'ftrace text without context columns',
    family: 'trace',
    sample: 'swiotlb_bounced: dev_name: 0000:00:07.0 dma_mask=ffffffffffffffff dev_addr=102cae286 size=54 FORCE',
  },
  {
    id: 'function-graph',
    title: 'function_graph',
    family: 'trace',
    sample: ' 2) # 5734.963 us |  } /* swiotlb_map = 0x7db2a000 */',
  },
  {
    id: 'memveil',
    title: 'capture of memveil (events.ndjson)',
    family: 'trace',
    sample:
      '{"schema_version": "0.1.1", "session_id": "cap-1", "seq": "0", "ts_ns": "6067992159", "kind": "bounce_attempt", "source": {"hook": "swiotlb:swiotlb_bounced", "backend": "tracepoint", "profile_id": "p", "measurement": "observed", "correlation": "direct"}, "data": {"device_id": "d000001", "requested_bytes": "98", "forced": false, "operation_id": "op0"}}',
  },
  {
    id: 'kernel-log',
    title: 'kernel log',
    family: 'log',
    sample:
      '[ 1582.784369] mt7615e 0000:01:00.0: swiotlb buffer is full (sz: 3776 bytes), total 32768 (slots), used 31415 (slots)',
  },
  {
    id: 'debugfs-csv',
    title: 'samples of debugfs counters, a table',
    family: 'samples',
    sample: 'mono_s,boot_s,nslabs,used,used_hiwater,transient_nslabs',
  },
  {
    id: 'debugfs',
    title: 'debugfs counters, one per line',
    family: 'samples',
    sample: '/sys/kernel/debug/swiotlb/io_tlb_used:256',
  },
  {
    id: 'buddyinfo',
    title: 'free pages by order (/proc/buddyinfo)',
    family: 'samples',
    sample: 'Node 0, zone   Normal      4      3      2      1      0      1      1      0      1      1    200',
  },
  {
    id: 'probe-definitions',
    title: 'definitions of probes (kprobe_events, dynamic_events)',
    family: 'samples',
    sample: 'p:swl/unmap __swiotlb_tbl_unmap_single dev=+0(+0($arg1)):string tlb=$arg2:x64 size=$arg3:u64',
  },
  {
    id: 'probe-profile',
    title: 'statistics of probes (kprobe_profile)',
    family: 'samples',
    sample: '  unmap                                                  10503              20',
  },
  {
    id: 'ring-stats',
    title: 'statistics of the ring buffer (per_cpu/cpu*/stats)',
    family: 'samples',
    sample: 'overrun: 9279',
  },
  {
    id: 'kallsyms',
    title: 'symbols of the kernel (/proc/kallsyms)',
    family: 'samples',
    sample: 'ffffffff810e9180 t swiotlb_dyn_alloc',
  },
  {
    id: 'iomem',
    title: 'physical memory (/proc/iomem)',
    family: 'samples',
    sample: '00100000-7ffd1fff : System RAM',
  },
  {
    id: 'trace-clock',
    title: 'clocks of the tracer (trace_clock)',
    family: 'samples',
    sample: '[local] global counter uptime perf mono mono_raw boot x86-tsc',
  },
  {
    id: 'devices',
    title: 'list of devices of the capture script',
    family: 'samples',
    sample: '0000:00:05.0 nvme 64',
  },
]);
