import { type Known, known } from '../model/evidence';
import type { DeviceGeometry, GeometryOverrides } from '../model/geometry';
import type { Device, TraceTables } from '../model/tables';
import { type BootFacts, placeOf } from './geometryFacts';

/** Masks and class of every device of the trace. */
export function inferDevices(tables: TraceTables, facts: BootFacts, overrides: GeometryOverrides): DeviceGeometry[] {
  return tables.devices.map((device) => ({
    device: device.id,
    name: device.name,
    dmaMaskBits: inferDmaMask(device, overrides),
    busLimitBits: inferBusLimit(device, facts),
    minAlignMask: inferMinAlign(device, overrides),
    segBoundaryBits: inferBoundary(device, overrides),
    deviceClass: inferClass(device, overrides),
  }));
}

/** Names come from traces: `constructor` may be one. */
function givenFor<T>(device: Device, byName: Readonly<Record<string, T>> | undefined): T | undefined {
  return byName !== undefined && Object.hasOwn(byName, device.name) ? byName[device.name] : undefined;
}

function inferDmaMask(device: Device, overrides: GeometryOverrides): Known<number> {
  const given = givenFor(device, overrides.dmaMaskBits);
  if (given !== undefined) {
    return known(given, 'user', 'Given by the user.');
  }
  if (device.dmaMaskBits >= 0) {
    const at = device.dmaMaskLine > 0 ? { source: device.dmaMaskSource, line: device.dmaMaskLine } : undefined;
    return known(device.dmaMaskBits, 'recorded', `The trace prints a DMA mask of ${device.dmaMaskBits} bits.`, at);
  }
  return known(64, 'default', 'No line names the DMA mask; taken as 64 bits.');
}

function inferBusLimit(device: Device, facts: BootFacts): Known<number> {
  for (const record of facts.all('overflow')) {
    if (record.device === device.name && record.busLimit >= 0) {
      const bits = record.busLimit === 0 ? 0 : Math.round(Math.log2(record.busLimit + 1));
      return known(bits, 'recorded', 'An overflow message names the bus limit.', placeOf(record));
    }
  }
  return known(0, 'default', 'No line names a bus limit; most buses have none.');
}

function inferBoundary(device: Device, overrides: GeometryOverrides): Known<number> {
  const given = givenFor(device, overrides.segBoundaryBits);
  if (given !== undefined) {
    return known(given, 'user', 'Given by the user.');
  }
  if (/^[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(device.name)) {
    return known(32, 'default', 'PCI devices start with a segment boundary of 4 GiB - 1.');
  }
  return known(64, 'default', 'Devices without DMA parameters have no segment boundary.');
}

const driverClasses: readonly (readonly [RegExp, 'block' | 'net'])[] = [
  [/^(nvme|virtio_blk|virtio_scsi|ahci|sd|xhci_hcd|ufshcd|mpt3sas|megaraid|sdhci|mmc|usb-storage|uas)/, 'block'],
  [/^(virtio_net|e1000|igb|ixgbe|i40e|ice|mlx|bnxt|ena|r8169|tg3|bge|ath|iwl|brcm|hns|mt76)/, 'net'],
];

function inferClass(device: Device, overrides: GeometryOverrides): Known<'block' | 'net' | 'other' | 'unknown'> {
  const given = givenFor(device, overrides.deviceClass);
  if (given !== undefined) {
    return known(given, 'user', 'Given by the user.');
  }
  for (const [pattern, deviceClass] of driverClasses) {
    if (pattern.test(device.driver)) {
      return known(deviceClass, 'derived', `The driver is ${device.driver}.`);
    }
  }
  return known('unknown', 'default', 'No line names the driver.');
}

function inferMinAlign(device: Device, overrides: GeometryOverrides): Known<number> {
  const given = givenFor(device, overrides.minAlign);
  if (given !== undefined) {
    return known(given, 'user', 'Given by the user.');
  }
  return known(
    0,
    'default',
    'No recorded bounce address of this device; drivers set no alignment mask unless they need one.',
  );
}
