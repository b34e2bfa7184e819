import type { LogKind } from '../model/log';
import { bitLength } from './fields';

/** Facts of one message; what it does not say is left out. */
export interface MessageFacts {
  readonly kind: LogKind;
  /** The device name stands inside the message itself. */
  readonly device?: string;
  readonly sizeBytes?: number;
  readonly totalSlots?: number;
  readonly usedSlots?: number;
  readonly count?: number;
  readonly start?: number;
  readonly end?: number;
  readonly maskBits?: number;
  readonly busLimit?: number;
  readonly value?: string;
}

export interface FoundMessage {
  readonly facts: MessageFacts;
  /** Where the message begins and ends in the text, without `DRIVER DEV: `. */
  readonly index: number;
  readonly endIndex: number;
  /** `DRIVER DEV: ` may stand before it. */
  readonly deviceMessage: boolean;
}

interface MessageRule {
  readonly pattern: RegExp;
  readonly deviceMessage: boolean;
  /** Null when the match says nothing of the field after all. */
  readonly facts: (match: RegExpExecArray, text: string) => MessageFacts | null;
}

const mebi = 1024 * 1024;

/** Message texts of all kernel generations (spec of the formats; 2.6 to 6.18). The first rule that matches wins. */
const rules: readonly MessageRule[] = [
  // kernel/dma/swiotlb.c; counters since 5.1.
  {
    pattern:
      /\w{0,32}swiotlb buffer is full(?: \(sz: (\d+) bytes\))?(?:,\s*total (\d+) \(slots\))?(?:,\s*used (\d+) \(slots\))?/,
    deviceMessage: true,
    facts: ([, size, total, used]) => ({
      kind: 'buffer-full',
      sizeBytes: optional(size),
      totalSlots: optional(total),
      usedSlots: optional(used),
    }),
  },
  // cc-swiotlb (RFC of January 2023): the second one once per boot, before the first.
  {
    pattern: /No memory for cc-swiotlb buffer \(sz: (\d+) bytes\)|Fail to alloc cc swiotlb slot/,
    deviceMessage: true,
    facts: ([, size]) => ({ kind: 'class-empty', sizeBytes: optional(size) }),
  },
  {
    pattern: /Fail to insert index with error (?:0x)?[0-9a-f]+/,
    deviceMessage: true,
    facts: () => ({ kind: 'index-failed' }),
  },
  // lib/swiotlb.c until 4.20.
  {
    pattern: /(?:(?:PCI-)?DMA: )?Out of SW-IOMMU space for (\d+) bytes(?: at device ([^\s"'`\\]+))?/,
    deviceMessage: true,
    facts: ([, size, device]) => ({ kind: 'out-of-space', sizeBytes: Number(size), ...deviceOf(device) }),
  },
  {
    pattern: /swiotlb: coherent allocation failed(?: for device ([^\s,"'`\\]+))?,?\s+size=(\d+)/,
    deviceMessage: true,
    facts: ([, device, size]) => ({ kind: 'coherent-failed', sizeBytes: Number(size), ...deviceOf(device) }),
  },
  // 5.3 and later: swiotlb addr …; since 5.x DMA addr …
  {
    pattern:
      /(?:swiotlb|DMA) addr (?:0x)?([0-9a-f]+)\+(\d+) overflow \(mask (?:0x)?([0-9a-f]+),\s*bus limit (?:0x)?([0-9a-f]+)\)\.?/,
    deviceMessage: true,
    facts: ([, address, size, mask, limit]) => overflow(address, size, mask, limit),
  },
  // 4.18 to 5.7; `device mask` and a caller's name before.
  {
    pattern:
      /(?:(?:nommu_\w{1,64}|(?<=: )\w{1,64}): )?overflow (?:0x)?([0-9a-f]+)\+(\d+) of (?:DMA|device) mask (?:0x)?([0-9a-f]+)(?: bus (?:limit|mask) (?:0x)?([0-9a-f]+))?/,
    deviceMessage: true,
    facts: ([, address, size, mask, limit]) => overflow(address, size, mask, limit),
  },
  {
    pattern: /hwdev DMA mask = 0x([0-9a-f]+), dev_addr = 0x([0-9a-f]+)/,
    deviceMessage: true,
    facts: ([, mask, address]) => overflow(address, undefined, mask, undefined),
  },
  {
    pattern: /Can(?: not|not) allocate SWIOTLB buffer earlier[^"`]*?(?:!|$)/,
    deviceMessage: true,
    facts: () => ({ kind: 'no-pool' }),
  },
  {
    pattern: /DMA bounce buffers are inactive(?:, unable to map unaligned transaction)?\.?/,
    deviceMessage: true,
    facts: () => ({ kind: 'bounce-inactive' }),
  },
  {
    pattern: /DMA pool exhausted for ([^\s"'`\\]+)/,
    deviceMessage: false,
    facts: ([, device]) => ({ kind: 'atomic-pool-exhausted', device: trimName(device) }),
  },
  {
    pattern:
      /(?:software IO TLB: )?Failed to allocate new pool|(?:cc-swiotlb: )?No memory for cc swiotlb(?: metadata)?!/i,
    deviceMessage: false,
    facts: () => ({ kind: 'grow-failed' }),
  },
  {
    pattern: /(\w{1,64}): (\d+) callbacks suppressed/,
    deviceMessage: false,
    facts: ([, caller, count]) =>
      /swiotlb|dma|report_addr|iommu/i.test(caller)
        ? { kind: 'suppressed', count: Number(count), value: caller }
        : null,
  },
  // Pool placement: 3.x to 4.17, 2.6, and since 4.18.
  {
    pattern:
      /software IO TLB:? (?:mapped )?\[mem (?:0x)?([0-9a-f]+)-(?:0x)?([0-9a-f]+)\](?: \((\d+)\s*MB\))?(?: mapped at \[[^\]]*\])?/,
    deviceMessage: false,
    facts: ([, start, end, megabytes]) => mapped(start, end, megabytes),
  },
  {
    pattern: /Placing (?:(\d+)\s*MB )?software IO TLB between (?:0x)?([0-9a-f]+) - (?:0x)?([0-9a-f]+)/,
    deviceMessage: false,
    // The addresses are kernel virtual ones: only the size is a fact.
    facts: ([, megabytes, start, end]) => ({
      kind: 'pool-mapped',
      sizeBytes:
        megabytes === undefined
          ? Number.parseInt(end.slice(-12), 16) - Number.parseInt(start.slice(-12), 16)
          : Number(megabytes) * mebi,
    }),
  },
  {
    pattern: /software IO TLB at phys (?:0x)?([0-9a-f]+) - (?:0x)?([0-9a-f]+)/,
    deviceMessage: false,
    facts: ([, start, end]) => mapped(start, end, undefined),
  },
  {
    pattern: /(?:software IO TLB: )?(?:SWIOTLB )?area num (\d+)\.?/,
    deviceMessage: false,
    facts: ([, areas], text) =>
      /software IO TLB|swiotlb/i.test(text) || /^\W*area num/.test(text)
        ? { kind: 'area-num', count: Number(areas) }
        : null,
  },
  {
    pattern: /(?:software IO TLB: )?SWIOTLB bounce buffer size roundup to (\d+)\s*MB/,
    deviceMessage: false,
    facts: ([, megabytes]) => ({ kind: 'size-roundup', sizeBytes: Number(megabytes) * mebi }),
  },
  {
    pattern: /(?:software IO TLB: )?SWIOTLB bounce buffer size adjusted (\d+) -> (\d+) slabs/,
    deviceMessage: false,
    facts: ([, from, to]) => ({ kind: 'slabs-adjusted', count: Number(to), value: from }),
  },
  {
    pattern: /(?:software IO TLB: )?SWIOTLB bounce buffer size adjusted to (\d+)\s*MB/,
    deviceMessage: false,
    facts: ([, megabytes]) => ({ kind: 'size-adjusted', sizeBytes: Number(megabytes) * mebi }),
  },
  {
    pattern:
      /(?:software IO TLB: |xen:swiotlb_xen: |swiotlb_xen: )?(?:Warning: )?only able to allocate (\d+)\s*MB(?: for software IO TLB)?/i,
    deviceMessage: false,
    facts: ([match, megabytes], text) =>
      /IO TLB|swiotlb/i.test(match) || /IO TLB|swiotlb/i.test(text)
        ? { kind: 'size-reduced', sizeBytes: Number(megabytes) * mebi }
        : null,
  },
  { pattern: /software IO TLB: No low mem/, deviceMessage: false, facts: () => ({ kind: 'no-low-mem' }) },
  {
    pattern:
      /(?:software IO TLB: )?(?:\w{1,64}: )?(?:(?:Failed|Unable) to allocate (?:(\d+) bytes )?(?:for )?(?:tlb structure|SWIOTLB|swiotlb)|Cannot allocate (?:(?:Xen-)?SWIOTLB )?buffer)\w*|(?:Xen-SWIOTLB: )?Failed to get contiguous memory for DMA from Xen!?/i,
    deviceMessage: false,
    facts: ([match, size], text) =>
      /IO TLB|swiotlb|tlb structure|from Xen/i.test(match + text)
        ? { kind: 'pool-alloc-failed', sizeBytes: optional(size) }
        : null,
  },
  {
    pattern:
      /(?:software IO TLB: )?Memory encryption is active and (?:system )?is using (?:DMA|SWIOTLB) bounce buffers/i,
    deviceMessage: false,
    facts: () => ({ kind: 'memory-encryption' }),
  },
  {
    pattern:
      /(?:AMD |Intel )?Memory Encryption (?:Features )?(?:is )?active:?(?: ((?:AMD |Intel )?(?:SEV|SME|TDX|SEV-ES|SEV-SNP)[\w /-]*))?|AMD Secure (?:Memory Encryption \(SME\)|Encrypted Virtualization \(SEV\)) active|tdx: Guest (?:detected|initialized)/i,
    deviceMessage: false,
    facts: ([, features]) => ({ kind: 'memory-encryption', value: (features ?? '').trim() }),
  },
  {
    pattern: /(?:software IO TLB: )?tearing down default memory pool/,
    deviceMessage: false,
    facts: () => ({ kind: 'pool-torn-down' }),
  },
  {
    pattern:
      /(?:software IO TLB: )?(?:Reserved memory: )?created restricted DMA pool at (?:0x)?([0-9a-f]+), size (\d+) (MiB|MB|KiB|kB)/,
    deviceMessage: false,
    facts: ([, start, size, unit]) => {
      const sizeBytes = Number(size) * (unit.startsWith('M') ? mebi : 1024);
      const first = Number.parseInt(start, 16);
      return { kind: 'restricted-pool', start: first, end: first + sizeBytes, sizeBytes };
    },
  },
  {
    pattern: /(?:PCI-DMA: )?Using software bounce buffering for IO \(SWIOTLB\)/,
    deviceMessage: false,
    facts: () => ({ kind: 'software-bounce' }),
  },
  {
    pattern: /(?:Kernel )?[Cc]ommand line: .*/,
    deviceMessage: false,
    facts: ([line]) => ({ kind: 'command-line', value: swiotlbParameter(line) }),
  },
  {
    pattern: /Linux version (\d+\.\d+[^\s"'`\\]*).*/,
    deviceMessage: false,
    facts: ([, release]) => ({ kind: 'kernel-version', value: release }),
  },
  {
    // uname -a.
    pattern: /Linux (?!version)[\w.-]+ (\d+\.\d+[\w.+-]*) #\d.*/,
    deviceMessage: false,
    facts: ([, release]) => ({ kind: 'kernel-version', value: release }),
  },
  {
    // /proc/cmdline as it is.
    pattern: /(?:BOOT_IMAGE|root|console|panic)=\S+.*/,
    deviceMessage: false,
    facts: ([match], text) =>
      /(?:^|\s)swiotlb=/.test(text) || match.startsWith('BOOT_IMAGE=')
        ? { kind: 'command-line', value: swiotlbParameter(text) }
        : null,
  },
  {
    pattern: /Allowing (\d+) (?:present )?CPUs(?: plus (\d+) hotplug CPUs)?(?:, \d+ hotplug CPUs)?/,
    deviceMessage: false,
    facts: ([, present, hotplug]) => ({ kind: 'cpus', count: Number(present) + Number(hotplug ?? 0) }),
  },
  {
    pattern: /setup_percpu: .*?nr_cpu_ids:(\d+)(?: nr_node_ids:\d+)?/,
    deviceMessage: false,
    facts: ([, count]) => ({ kind: 'cpus', count: Number(count) }),
  },
  {
    pattern: /(?:rcu: )?\s*RCU restricting CPUs from NR_CPUS=\d+ to nr_cpu_ids=(\d+)\.?/,
    deviceMessage: false,
    facts: ([, count]) => ({ kind: 'cpus', count: Number(count) }),
  },
  {
    pattern: /(?:DMA: )?preallocated (\d+) KiB (\S+) pool for atomic (?:coherent )?allocations/,
    deviceMessage: false,
    facts: ([, kibi, flags]) => ({ kind: 'atomic-pool', sizeBytes: Number(kibi) * 1024, value: flags }),
  },
  {
    pattern:
      /#?\s*(CONFIG_(?:SWIOTLB\w*|DMA_RESTRICTED_POOL|DEBUG_FS|FPROBE_EVENTS|KPROBE_EVENTS|NR_CPUS|HZ|AMD_MEM_ENCRYPT|INTEL_TDX_GUEST|ARM64_\d+K_PAGES|PAGE_SIZE_\d+KB|ARM_LPAE|64BIT))(?:=([^\s"'`]+)| is not set)/,
    deviceMessage: false,
    facts: ([, name, value]) => ({ kind: 'config', value: `${name}=${value ?? 'n'}` }),
  },
  {
    pattern: /Memory: (\d+)K\/(\d+)K available/,
    deviceMessage: false,
    facts: ([, , total]) => ({ kind: 'memory', sizeBytes: Number(total) * 1024 }),
  },
];

/** Line that begins a report of a stuck CPU; what follows decides whether swiotlb is in it. */
export const lockupHeader =
  /(?:watchdog: )?BUG: soft lockup - CPU#\d+ stuck for \d+s!?.*|soft lockup - CPU#\d+ stuck.*|rcu: INFO: \S+ (?:self-)?detected (?:expedited )?stalls? on CPUs?.*|INFO: rcu\S* (?:self-)?detected (?:expedited )?stalls? on CPUs?.*|(?:NMI )?[Ww]atchdog detected hard LOCKUP on cpu \d+.*|INFO: task \S+ blocked for more than \d+ seconds.*/i;

/** A stack line or RIP that names a swiotlb function. */
export const lockupFrame =
  /(?:RIP: \S+:|pc : |PC is at |NIP |\]\s|^\s*\??\s*)?\w{0,64}swiotlb\w{0,64}\+0x[0-9a-f]+\/0x[0-9a-f]+/;

export function findMessage(text: string, cursor: number): FoundMessage | null {
  const message = text.slice(cursor);
  for (const rule of rules) {
    const match = rule.pattern.exec(message);
    if (match === null) {
      continue;
    }
    const facts = rule.facts(match, message);
    if (facts !== null) {
      return {
        facts,
        index: cursor + match.index,
        endIndex: cursor + match.index + match[0].trimEnd().length,
        deviceMessage: rule.deviceMessage,
      };
    }
  }
  return null;
}

/** The last `swiotlb=` parameter of a kernel command line, '' when there is none. */
export function swiotlbParameter(line: string): string {
  let value = '';
  for (const match of line.matchAll(/(?:^|[\s"'])swiotlb=([^\s"'`\\]*)/g)) {
    value = match[1];
  }
  return value;
}

function optional(digits: string | undefined): number {
  return digits === undefined ? -1 : Number(digits);
}

function trimName(name: string): string {
  return name.replace(/[:,;.]+$/, '');
}

function deviceOf(name: string | undefined): { readonly device?: string } {
  return name === undefined ? {} : { device: trimName(name) };
}

function overflow(address: string, size: string | undefined, mask: string, limit: string | undefined): MessageFacts {
  return {
    kind: 'overflow',
    start: exactHex(address),
    sizeBytes: optional(size),
    maskBits: /^f{16}$/i.test(mask) ? 64 : bitLength(Number.parseInt(mask, 16)),
    busLimit:
      limit === undefined ? Number.NaN : /^f{16}$/i.test(limit) ? Number.POSITIVE_INFINITY : Number.parseInt(limit, 16),
  };
}

function exactHex(digits: string): number {
  const value = Number.parseInt(digits, 16);
  return value <= 2 ** 53 ? value : Number.NaN;
}

/** The end is exclusive; a few old kernels printed the last byte. */
function mapped(start: string, end: string, megabytes: string | undefined): MessageFacts {
  const first = exactHex(start);
  let last = exactHex(end);
  if (last % 2 === 1) {
    last++;
  }
  const sizeBytes = last > first ? last - first : megabytes === undefined ? -1 : Number(megabytes) * mebi;
  return { kind: 'pool-mapped', start: first, end: last, sizeBytes };
}
