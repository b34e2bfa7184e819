import { Byte, decodeUtf8, hexDigit } from './bytes';
import type { ReaderContext } from './context';

/** Messages beyond this are not looked at: the device stands in the first words. */
const reach = 160;
/** So many devices are remembered; a machine has a few hundred. */
const maxDevices = 4096;

/** Words that stand where a driver's name stands and are none. */
const noDrivers: ReadonlySet<string> = new Set([
  'pci',
  'PCI',
  'platform',
  'iommu',
  'DMAR',
  'AMD-Vi',
  'ACPI',
  'acpi',
  'vgaarb',
  'xen',
  'of',
  'OF',
  'usb',
]);

const pciAddress = '[0-9a-f]{4,5}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]';
const vmbusGuid = '[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}';
/** `DRIVER DEV: …`, as dev_printk writes it; network drivers add the interface. */
const byDriver = new RegExp(
  `(?:^|[\\s\\]:>])([A-Za-z][\\w-]{1,31}) (${pciAddress}|${vmbusGuid})(?: [\\w.@-]{1,20})?(?: \\([^)]{1,40}\\))?: `,
);
/** `nvme nvme0: pci function DEV`. */
const byFunction = new RegExp(`(?:^|[\\s\\]:>])([A-Za-z][\\w-]{1,31}) [\\w-]{1,20}: pci function (${pciAddress})`);

/** Learns from any line of a kernel log which driver a device has. */
export class LogDevices {
  private readonly context: ReaderContext;
  private readonly known = new Set<string>();

  constructor(context: ReaderContext) {
    this.context = context;
  }

  look(buffer: Uint8Array, start: number, end: number): void {
    const limit = Math.min(end, start + reach);
    if (!hasAddress(buffer, start, limit) || this.known.size >= maxDevices) {
      return;
    }
    const text = decodeUtf8(buffer, start, limit);
    const match = byFunction.exec(text) ?? byDriver.exec(text);
    if (match === null || noDrivers.has(match[1]) || this.known.has(match[2])) {
      return;
    }
    const { context } = this;
    this.known.add(match[2]);
    context.sink.bundleFact?.({
      kind: 'device-driver',
      device: match[2],
      driver: match[1],
      dmaMaskBits: -1,
      source: context.source,
      line: context.line,
    });
  }
}

/** `:xx.x` of a PCI address or `-xxxx-` of a GUID: rare enough in other lines. */
function hasAddress(buffer: Uint8Array, start: number, end: number): boolean {
  for (let i = start + 7; i < end - 4; i++) {
    const byte = buffer[i];
    if (byte === Byte.colon && buffer[i + 3] === Byte.dot && buffer[i - 3] === Byte.colon) {
      return true;
    }
    if (
      byte === Byte.dash &&
      buffer[i + 5] === Byte.dash &&
      hexDigit(buffer[i + 1]) >= 0 &&
      hexDigit(buffer[i - 1]) >= 0
    ) {
      return true;
    }
  }
  return false;
}
