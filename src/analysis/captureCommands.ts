import type { Generation } from '../model/geometry';
import type { Analysis } from './analysis';
import { requestArguments, unmapArguments } from './captureKernels';

/** Shell commands that record a trace this program can replay, and one sentence on what they give. */
export interface CaptureCommands {
  readonly kernel: string;
  readonly commands: readonly string[];
  readonly gives: string;
}

const enter = 'cd /sys/kernel/tracing';
const prepare = 'echo 0 > tracing_on; echo > trace; echo 32768 > buffer_size_kb';
const swiotlbEvents = 'echo 1 > events/swiotlb/enable; echo 1 > events/printk/console/enable';
const dmaEvents = 'echo 1 > events/dma/enable';
const record = 'echo 1 > tracing_on; sleep 10; echo 0 > tracing_on';
const save = 'cat trace > ~/swiotlb.trace.txt; dmesg > ~/dmesg.txt; grep . /sys/kernel/debug/swiotlb/* > ~/debugfs.txt';

/** An entry and a return probe: older kernels cannot read entry arguments when the function returns. */
const probePair: readonly string[] = [
  `echo 'p:swl/map swiotlb_tbl_map_single ${requestArguments}' >> kprobe_events`,
  `echo 'r:swl/map_ret swiotlb_tbl_map_single tlb=$retval:x64' >> kprobe_events`,
  `echo 'p:swl/unmap swiotlb_tbl_unmap_single ${unmapArguments}' >> kprobe_events`,
];

/** The functions and argument registers differ by version; each set was tried on the version it is for unless said. */
const probesByGeneration: Readonly<Record<Generation, readonly string[]>> = {
  '6.12': [
    `echo 'f:swl/map_ret swiotlb_tbl_map_single%return ${requestArguments} tlb=$retval:x64' >> dynamic_events`,
    `echo 'f:swl/unmap __swiotlb_tbl_unmap_single ${unmapArguments}' >> dynamic_events`,
  ],
  '6.8': probePair,
  '6.6': probePair,
  '6.1': probePair,
  '4.18': [],
};

/** An entry and a return probe: older kernels cannot read entry arguments when the function returns. */
export function captureCommandsFor(analysis: Analysis): CaptureCommands {
  const { generation } = analysis.geometry;
  const told = generation.evidence.level !== 'default' && generation.evidence.level !== 'assumed';
  return told ? captureCommands(generation.value) : captureCommands(null);
}

/** Run as root. The probes give the bounce address and the end of each mapping, which the event alone does not have. */
export function captureCommands(generation: Generation | null): CaptureCommands {
  if (generation === null) {
    return {
      kernel: 'any kernel',
      commands: [`${enter}; ${prepare}; ${swiotlbEvents}; [ -d events/dma ] && ${dmaEvents}`, record, save],
      gives: 'every bounced mapping; from Linux 6.12 also its address and its end',
    };
  }
  const probes = probesByGeneration[generation];
  const enableProbes = probes.length > 0 ? ['echo 1 > events/swl/enable'] : [];
  return {
    kernel: kernelNames[generation],
    commands: [
      `${enter}; ${prepare}`,
      ...probes,
      [swiotlbEvents, ...(generation === '6.12' ? [dmaEvents] : []), ...enableProbes].join('; '),
      record,
      save,
    ],
    gives:
      probes.length > 0
        ? 'every mapping with its bounce address and its end: enough for an exact replay'
        : 'every attempt to bounce; its end is assumed',
  };
}

const kernelNames: Readonly<Record<Generation, string>> = {
  '6.12':
    'Linux 6.9 and later (needs CONFIG_FPROBE_EVENTS; without it write r: and p: to kprobe_events instead of f: to dynamic_events)',
  '6.8': 'Linux 6.8',
  '6.6': 'Linux 6.3 to 6.7',
  '6.1': 'Linux 6.0 to 6.2',
  '4.18': 'Linux before 6.0',
};
