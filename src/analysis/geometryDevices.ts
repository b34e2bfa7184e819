import { low32 } from '../base/address';
import { type Known, known } from '../model/evidence';
import type { DeviceGeometry, GeometryOverrides } from '../model/geometry';
import { type Device, EvidenceBit, Outcome, type TraceTables } from '../model/tables';
import { type BootFacts, placeOf } from './geometryFacts';

/** Masks and class of every device of the trace. */
export function inferDevices(tables: TraceTables, facts: BootFacts, overrides: GeometryOverrides): DeviceGeometry[] {
  const alignment = alignmentEvidence(tables);
  return tables.devices.map((device) => ({
    device: device.id,
    name: device.name,
    dmaMaskBits: inferDmaMask(device, overrides),
    busLimitBits: inferBusLimit(device, facts),
    minAlignMask: inferMinAlign(device, alignment[device.id], overrides),
    segBoundaryBits: inferBoundary(device, overrides),
    deviceClass: inferClass(device, overrides),
  }));
}

function inferDmaMask(device: Device, overrides: GeometryOverrides): Known<number> {
  const given = overrides.dmaMaskBits?.[device.name];
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
  const given = overrides.segBoundaryBits?.[device.name];
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
  const given = overrides.deviceClass?.[device.name];
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

/** Bits 0 to 20: larger masks would leave no room in a segment. */
const MASK_BITS = 18;

/** What the recorded addresses of one device say about each low bit of its min_align_mask. */
export interface AlignmentEvidence {
  /** Requests in which the original has the bit and the bounce address repeats it (above 2 KiB: both values count). */
  readonly agree: Uint32Array;
  /** Requests that contradict the bit. */
  readonly against: Uint32Array;
  /** First request that contradicts each bit, -1 none. */
  readonly againstRow: Int32Array;
  requests: number;
}

/**
 * Per device and bit: for and against. Below 2 KiB only requests whose original address has the bit say anything,
 * since a slot begins with these bits clear. From 2 KiB up, small requests (whose slots are not forced to a page) show a
 * difference against; agreement there may be chance and is settled by the model.
 */
export function alignmentEvidence(tables: TraceTables): AlignmentEvidence[] {
  const found: AlignmentEvidence[] = tables.devices.map(() => ({
    agree: new Uint32Array(MASK_BITS),
    against: new Uint32Array(MASK_BITS),
    againstRow: new Int32Array(MASK_BITS).fill(-1),
    requests: 0,
  }));
  const { device, original, recordedBounce, evidence, outcome, pairing } = tables.requests.columns;
  for (let row = 0; row < tables.requests.length; row++) {
    if (outcome[row] !== Outcome.served && outcome[row] !== Outcome.rolledBack) {
      continue;
    }
    if (
      (evidence[row] & EvidenceBit.direct) !== 0 ||
      Number.isNaN(original[row]) ||
      Number.isNaN(recordedBounce[row])
    ) {
      continue;
    }
    const entry = found[device[row]];
    if (entry === undefined || pairing[row] === 4) {
      continue;
    }
    entry.requests++;
    const from = low32(original[row]);
    const to = low32(recordedBounce[row]);
    for (let bit = 0; bit < MASK_BITS; bit++) {
      const inOriginal = (from >>> bit) & 1;
      const inBounce = (to >>> bit) & 1;
      if (bit < 11 && inOriginal === 0) {
        continue;
      }
      if (inOriginal === inBounce) {
        entry.agree[bit]++;
      } else {
        entry.against[bit]++;
        if (entry.againstRow[bit] < 0) {
          entry.againstRow[bit] = row;
        }
      }
    }
  }
  return found;
}

/** Candidate masks (contiguous low bits, smallest first) that no recorded address contradicts. */
export function candidateMasks(evidence: AlignmentEvidence): number[] {
  const masks: number[] = [];
  let required = 0;
  for (let bit = 0; bit < 11; bit++) {
    if (evidence.agree[bit] > 0 && evidence.against[bit] === 0) {
      required = 2 ** (bit + 1) - 1;
    }
  }
  for (let bits = 0; bits <= MASK_BITS; bits++) {
    const mask = 2 ** bits - 1;
    if (bits > 0 && evidence.against[bits - 1] > 0) {
      break;
    }
    if (mask >= required) {
      masks.push(mask);
    }
  }
  return masks;
}

function inferMinAlign(
  device: Device,
  evidence: AlignmentEvidence | undefined,
  overrides: GeometryOverrides,
): Known<number> {
  const given = overrides.minAlign?.[device.name];
  if (given !== undefined) {
    return known(given, 'user', 'Given by the user.');
  }
  if (evidence === undefined || evidence.requests === 0) {
    return known(
      0,
      'default',
      'No recorded bounce address of this device; drivers set no alignment mask unless they need one.',
    );
  }
  const masks = candidateMasks(evidence);
  const mask = masks[0] ?? 0;
  return known(mask, 'derived', `Low bits of ${evidence.requests} bounce addresses agree with the original addresses.`);
}
