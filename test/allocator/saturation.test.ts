import { describe, expect, it } from 'vitest';
import { createIoTlb, TlbDevice } from '../../src/allocator/ioTlb';
import { createRandom } from '../../src/base/random';
import { WalkPool, WalkTlb } from '../support/walk';
import { endlessMemory } from '../support/walkthrough';

const SLOTS = 32768;
const AREAS = 4;
const START = 0x3a005000;

/** Keeps a 64 MiB pool at a fill level and compares every result and the total cost with the literal walk. */
function checkAtFill(fill: number, pageSize: number, operations: number): void {
  const tlb = createIoTlb(
    {
      generation: '6.12',
      dynamic: false,
      canGrow: false,
      pageSize,
      maxPageOrder: 10,
      defaultSlots: SLOTS,
      defaultAreas: AREAS,
      physLimit: 2 ** 32 - 1,
      zoneDmaLimit: 0xffffff,
      boot: { kind: 'boot', start: START, slots: SLOTS, areas: AREAS },
    },
    endlessMemory(),
  );
  const walk = new WalkTlb(new WalkPool('6.12', START, SLOTS, AREAS, pageSize));
  const masks = [0, 0xfff, 0, 0x3fff].map((minAlignMask, index) => ({
    dmaMask: Infinity,
    busDmaLimit: 0,
    minAlignMask,
    segBoundaryMask: index === 2 ? 0xffff : Infinity,
    forceUnencrypted: false,
  }));
  const devices = masks.map((mask) => new TlbDevice(mask));
  const random = createRandom(pageSize + fill * 100);
  const live: { device: number; address: number; firstSlot: number; offset: number }[] = [];
  let differing = 0;
  let failed = 0;
  for (let operation = 0; operation < operations; operation++) {
    if (tlb.totalUsed >= SLOTS * fill) {
      const [mapping] = live.splice(Math.floor(random() * live.length), 1);
      tlb.unmapAddress(devices[mapping.device], mapping.address);
      walk.unmap(mapping.firstSlot, mapping.offset);
      continue;
    }
    const device = Math.floor(random() * devices.length);
    const kind = random();
    const sizeBytes =
      kind < 0.6 ? 1 + Math.floor(random() * 4096) : kind < 0.9 ? 4096 * (1 + Math.floor(random() * 8)) : 65536;
    const original = 0x100000000 + Math.floor(random() * 0x10000) * 512;
    const cpu = Math.floor(random() * 8);
    const address = tlb.mapAddress(cpu, devices[device], original, sizeBytes, 0, true);
    const expected = walk.map(cpu, masks[device], original, sizeBytes, 0);
    differing += address === (expected?.address ?? -1) ? 0 : 1;
    if (expected === null) {
      failed++;
    } else {
      live.push({ device, address, firstSlot: expected.firstSlot, offset: expected.offset });
    }
  }
  expect(differing).toBe(0);
  expect(tlb.cost).toMatchObject({ areaLocks: walk.areaLocks, probes: walk.probes });
  expect([tlb.totalUsed, tlb.hiwater]).toEqual([walk.totalUsed, walk.hiwater]);
  expect(failed > 0).toBe(fill > 0.9);
}

describe('a 64 MiB pool, searched over the index and literally', () => {
  it.each([
    [0.5, 4096],
    [0.98, 4096],
    [0.99, 16384],
    [0.97, 65536],
  ])('same results and cost at fill %d with pages of %d bytes', (fill, pageSize) =>
    checkAtFill(fill, pageSize, 16_000),
  );
});
