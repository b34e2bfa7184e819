import { type AddressShift, type Pseudonyms, pciPattern } from './anonymizeNames';
import { findMessage, lockupFrame, lockupHeader } from './logMessages';
import { cleanLine, stripPrefix } from './logPrefix';

export interface LogRewriter {
  readonly names: Pseudonyms;
  readonly addresses: AddressShift;
}

/** A line of a kernel log: stamps and the messages of the field stay, everything else goes. `isLog`: one for sure. */
export function anonymizeLog(
  original: string,
  rewriter: LogRewriter,
): { readonly text: string; readonly isLog: boolean } {
  const { text } = cleanLine(original);
  const prefix = stripPrefix(text);
  const stamps = safePrefix(text.slice(0, prefix.cursor), prefix, rewriter);
  const message = messageOf(text, prefix.cursor, rewriter);
  if (message !== null) {
    return { text: stamps + message, isLog: true };
  }
  const removed = rewriter.names.text(text.slice(prefix.cursor).trim());
  return { text: prefix.stamped ? stamps + removed : removed, isLog: prefix.stamped };
}

/** The message of the field in a text, with other names; null when there is none. */
function messageOf(text: string, cursor: number, rewriter: LogRewriter): string | null {
  const found = findMessage(text, cursor);
  if (found !== null) {
    const before = found.deviceMessage ? driverAndDevice(text.slice(cursor, found.index), rewriter) : '';
    return before + rewriteMessage(found.facts.kind, text.slice(found.index, found.endIndex), text, rewriter);
  }
  const rest = text.slice(cursor);
  if (lockupHeader.test(rest)) {
    return lockup(rest, rewriter);
  }
  const frame = /(RIP: \S{1,6}:|pc : |PC is at |\]\s+)?\b(\w*swiotlb\w*\+0x[0-9a-f]+\/0x[0-9a-f]+)/.exec(rest);
  if (frame !== null && lockupFrame.test(rest)) {
    return ` ${frame[1]?.trim() ?? ''} ${frame[2]}`.replace(/\s+/g, ' ');
  }
  return driverLine(rest, rewriter);
}

/** `nvme 0000:05:00.0: ` before a message. */
function driverAndDevice(text: string, { names }: LogRewriter): string {
  const [, driver, device] = /([\w.-]+) (\S+?)(?: \S{1,20})?: ?$/.exec(text) ?? [];
  // `host kernel: ` without a stamp before it names no driver.
  return driver === undefined || device === undefined || device === 'kernel'
    ? ''
    : `${driver} ${names.device(device)}: `;
}

const byDriver = new RegExp(
  `(?:^|[\\s\\]:>])([A-Za-z][\\w-]{1,31}) (${pciPattern})(?: [\\w.@-]{1,20})?(?: \\([^)]{1,40}\\))?: `,
);
const byFunction = new RegExp(`(?:^|[\\s\\]:>])([A-Za-z][\\w-]{1,31}) [\\w-]{1,20}: pci function (${pciPattern})`);

/** Any line in which a driver names its device says which driver the device has. */
function driverLine(text: string, { names }: LogRewriter): string | null {
  const match = byFunction.exec(text) ?? byDriver.exec(text);
  return match === null
    ? null
    : `${match[1]} ${names.device(match[2]!)}: ${names.text(text.slice(match.index + match[0].length).trim())}`;
}

function lockup(text: string, { names }: LogRewriter): string {
  const [header] = lockupHeader.exec(text)!;
  return header
    .replace(/task (\S+?):(\d+) /i, (_, task: string, pid: string) => `task ${names.task(task)}:${names.pid(pid)} `)
    .replace(/\[[^\]]*\]/g, '[x]')
    .replace(/(stuck for \d+s!?).*/, '$1')
    .replace(/(hard LOCKUP on cpu \d+).*/, '$1')
    .replace(/(stalls? on CPUs?).*/i, '$1');
}

/** Devices and addresses inside a message; what the kernel adds of its own build goes. */
function rewriteMessage(kind: string, message: string, whole: string, { names, addresses }: LogRewriter): string {
  switch (kind) {
    case 'command-line':
      return commandLine(/[Cc]ommand line: /.test(message) ? message : whole);
    case 'kernel-version': {
      const release = /(\d+\.\d+[\w.+~-]*)/.exec(message)?.[1] ?? '';
      return `Linux version ${safeRelease(release)} (x)`;
    }
    case 'cpus': {
      const ids = /nr_cpu_ids:(\d+)/.exec(message);
      return ids === null ? message : `setup_percpu: nr_cpu_ids:${ids[1]}`;
    }
    case 'no-pool':
      return "Can't allocate SWIOTLB buffer earlier!";
    case 'memory-encryption':
      return message.replace(/[A-Za-z]\w*/g, (word) => (encryptionWords.test(word) ? word : 'x'));
    case 'config':
      return message.replace(/=(?!y$|m$|n$|-?\d+$|0x[0-9a-f]+$).*/, '="x"');
    case 'pool-mapped':
      return poolMapped(message, addresses);
    case 'restricted-pool':
      return message.replace(/ at (0x)?([0-9a-f]+)/, (_, sign = '', at: string) => ` at ${sign}${addresses.hex(at)}`);
    case 'overflow':
      return overflow(message, addresses);
    default:
      return message.replace(
        /((?:at|for) device |exhausted for )([^\s,"'`\\]+)/,
        (_, before: string, device: string) => {
          const end = /[:,;.]+$/.exec(device)?.[0] ?? '';
          return `${before}${names.device(device.slice(0, device.length - end.length))}${end}`;
        },
      );
  }
}

const encryptionWords =
  /^(?:AMD|Intel|memory|encryption|features|is|active|SEV|SME|TDX|ES|SNP|secure|encrypted|virtualization|guest|detected|initialized|software|IO|TLB|and|system|using|DMA|SWIOTLB|bounce|buffers)$/i;

function poolMapped(message: string, addresses: AddressShift): string {
  const placing = /^(Placing .*between )(?:0x)?([0-9a-f]+) - (?:0x)?([0-9a-f]+)/.exec(message);
  if (placing !== null) {
    // Addresses of the kernel's own map: only their distance is a fact.
    const bytes = Number.parseInt(placing[3]!.slice(-12), 16) - Number.parseInt(placing[2]!.slice(-12), 16);
    return `${placing[1]}ffff880000000000 - ffff88${bytes.toString(16).padStart(10, '0')}`;
  }
  return message
    .replace(/ mapped at \[[^\]]*\]/, '')
    .replace(
      /(0x)?([0-9a-f]{5,})( ?- ?)(0x)?([0-9a-f]{5,})/,
      (_, a = '', from: string, dash: string, b = '', to: string) => {
        const [start, end] = addresses.range(from, to);
        return `${a}${start}${dash}${b}${end}`;
      },
    );
}

function overflow(message: string, addresses: AddressShift): string {
  for (const [, mask] of message.matchAll(/mask (?:= )?(?:0x)?([0-9a-f]+)/g)) {
    addresses.mask(mask!);
  }
  return message
    .replace(/^(?!swiotlb|DMA|overflow|hwdev)\w+: /, '')
    .replace(
      /(addr |overflow |dev_addr = )(0x)?([0-9a-f]+)/,
      (_, before: string, sign = '', at: string) => `${before}${sign}${addresses.hex(at)}`,
    );
}

const keptParameter =
  /^(?:swiotlb|iommu|intel_iommu|amd_iommu|iommu\.\w+|mem_encrypt|coherent_pool|cma|mem|maxcpus|nr_cpus|possible_cpus|swiotlb\.\w+)=[\w,.@:+-]*$/;

/** Parameters of the field; paths, names and identifiers of the machine go. */
function commandLine(text: string): string {
  const words = text.replace(/^.*?[Cc]ommand line: /, '').split(/[\s"']+/);
  const kept = words.filter((word) => keptParameter.test(word));
  return `Kernel command line: ${['BOOT_IMAGE=x', ...kept].join(' ')}`;
}

/** Numbers, and the words that distributions put there. */
export function safeRelease(release: string): string {
  return release.replace(/[A-Za-z][A-Za-z_]*/g, (word) =>
    /^(?:rc|el|fc|deb|bpo|generic|amd|arm|x|aarch|default|lts|azure|aws|gcp|cloud|rt|lp|sles|v|raspi|rpi|pve)$/i.test(
      word,
    )
      ? word
      : 'x',
  );
}

const safeStamp =
  /<\d{1,3}>|\[\s*\d{1,12}\.\d{1,9}(?:\s*<\s*[+-]?\d+\.\d+>)?\s*\]|\[\s*<?\s*[+-]?\s*\d+\.\d+\s*>?\s*\]|\[\s*[TC]\d+\]|\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\s*(?:Z|UTC|[+-]\d\d:?\d\d)?\]?|\[?(?:[A-Z][a-z]{2}\s+)?[A-Z][a-z]{2}\s*\d{1,2}\s+(?:\d{4}\s+)?\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?:\s+\d{4})?\]?|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?|\d{9,12}\.\d{1,9}:?|(?:kern|user|daemon|syslog)\s*:(?:emerg|alert|crit|err|warn|notice|info|debug)\s*:|\d{1,7},\d+,\d{1,16},[^;\s]{1,3};|kernel(?:\[\d+\])?:/g;

/** The stamps of a prefix, one blank between; a syslog line keeps a host, which is nobody's. */
function safePrefix(
  text: string,
  { seconds, nanoseconds, family }: { readonly seconds: number; readonly nanoseconds: number; readonly family: string },
  { names }: LogRewriter,
): string {
  if (text.includes('{') || /MESSAGE=/.test(text)) {
    if (!Number.isFinite(seconds)) {
      return '';
    }
    const micros = String(Math.floor((nanoseconds || 0) / 1000)).padStart(6, '0');
    return family === 'boot' ? `[${String(seconds).padStart(5)}.${micros}] ` : `${seconds}.${micros}: `;
  }
  const stamps = (text.match(safeStamp) ?? []).map((stamp) =>
    stamp
      .replace(/^kernel(?:\[\d+\])?:$/, 'host kernel:')
      .replace(/^\[(\s*)T(\d+)\]$/, (_, blank: string, pid: string) => `[${blank}T${names.pid(pid)}]`),
  );
  if (stamps.length === 1 && stamps[0] === 'host kernel:') {
    return 'kernel: ';
  }
  return stamps.length === 0 ? '' : `${stamps.join(' ')} `.replace(/\] \[(\s*)([TC])/, ']$1[$2');
}
