/**
 * The shipped search against the literal walk: `npm run bench -- allocator`.
 * One operation is one map or one unmap. 64 MiB pool, 4 areas, 6.12, sizes 40 % 0.5–2 KiB, 40 % 4 KiB, 10 % 16 KiB,
 * 10 % 64 KiB. Free-running: below the fill target the next operation is a map, at or above it a random live mapping
 * ends; a map that fails counts as an operation.
 */

import { createIoTlb, TlbDevice } from '../../src/allocator/ioTlb';
import type { AllocatorPort } from '../../src/allocator/types';
import { createRandom } from '../../src/base/random';
import { WalkPool, WalkTlb } from '../support/walk';

const SLOTS = 32768;
const AREAS = 4;
const BASE = 0x3a000000;
const REQUESTS = 1 << 16;

interface Workload {
  readonly cpu: Uint8Array;
  readonly sizeBytes: Int32Array;
  readonly original: Float64Array;
  /** Which of the live mappings ends, as a fraction. */
  readonly victim: Float64Array;
}

interface Machine {
  /** Runs so many operations, returns how many maps failed. */
  run(operations: number): number;
  used(): number;
  /** Changes with every placement, so that both machines can be compared. */
  checksum(): number;
  cost(): readonly [number, number];
}

function createWorkload(seed: number): Workload {
  const random = createRandom(seed);
  const workload: Workload = {
    cpu: new Uint8Array(REQUESTS),
    sizeBytes: new Int32Array(REQUESTS),
    original: new Float64Array(REQUESTS),
    victim: new Float64Array(REQUESTS),
  };
  for (let i = 0; i < REQUESTS; i++) {
    const kind = random();
    workload.cpu[i] = Math.floor(random() * AREAS);
    workload.sizeBytes[i] =
      kind < 0.4 ? 512 + Math.floor(random() * 1537) : kind < 0.8 ? 4096 : kind < 0.9 ? 16384 : 65536;
    workload.original[i] = 0x100000000 + Math.floor(random() * 0x100000) * 4096;
    workload.victim[i] = random();
  }
  return workload;
}

const noMemory: AllocatorPort = {
  allocatePages: () => null,
  freePages: () => {},
  allocateAtomic: () => null,
  freeAtomic: () => {},
  allocateMeta: () => false,
  allocateSlotArray: () => false,
};

function indexed(workload: Workload, target: number): Machine {
  const tlb = createIoTlb(
    {
      generation: '6.12',
      dynamic: false,
      canGrow: false,
      pageSize: 4096,
      maxPageOrder: 10,
      defaultSlots: SLOTS,
      defaultAreas: AREAS,
      physLimit: 2 ** 32 - 1,
      zoneDmaLimit: 0xffffff,
      boot: { kind: 'boot', start: BASE, slots: SLOTS, areas: AREAS },
    },
    noMemory,
  );
  const device = new TlbDevice({
    dmaMask: Infinity,
    busDmaLimit: 0,
    minAlignMask: 0,
    segBoundaryMask: Infinity,
    forceUnencrypted: false,
  });
  const live = new Float64Array(SLOTS);
  let liveCount = 0;
  const limit = Math.floor(SLOTS * target);
  let next = 0;
  let sum = 0;
  return {
    run(operations) {
      let failed = 0;
      for (let i = 0; i < operations; i++) {
        const at = next++ & (REQUESTS - 1);
        if (tlb.totalUsed < limit) {
          const address = tlb.mapAddress(
            workload.cpu[at],
            device,
            workload.original[at],
            workload.sizeBytes[at],
            0,
            true,
          );
          if (address < 0) {
            failed++;
          } else {
            live[liveCount++] = address;
            sum = (sum * 31 + (address - BASE) / 2048) | 0;
          }
        } else {
          const victim = Math.floor(workload.victim[at] * liveCount);
          tlb.unmapAddress(device, live[victim]);
          live[victim] = live[--liveCount];
        }
      }
      return failed;
    },
    used: () => tlb.totalUsed,
    checksum: () => sum,
    cost: () => [tlb.cost.areaLocks, tlb.cost.probes],
  };
}

function walking(workload: Workload, target: number): Machine {
  const tlb = new WalkTlb(new WalkPool('6.12', BASE, SLOTS, AREAS, 4096));
  const device = { minAlignMask: 0, segBoundaryMask: Infinity };
  const live = new Int32Array(SLOTS);
  let liveCount = 0;
  const limit = Math.floor(SLOTS * target);
  let next = 0;
  let sum = 0;
  return {
    run(operations) {
      let failed = 0;
      for (let i = 0; i < operations; i++) {
        const at = next++ & (REQUESTS - 1);
        if (tlb.totalUsed < limit) {
          const result = tlb.map(workload.cpu[at], device, workload.original[at], workload.sizeBytes[at], 0);
          if (result === null) {
            failed++;
          } else {
            live[liveCount++] = result.firstSlot;
            sum = (sum * 31 + result.firstSlot + result.pad) | 0;
          }
        } else {
          const victim = Math.floor(workload.victim[at] * liveCount);
          tlb.unmap(live[victim], 0);
          live[victim] = live[--liveCount];
        }
      }
      return failed;
    },
    used: () => tlb.totalUsed,
    checksum: () => sum,
    cost: () => [tlb.areaLocks, tlb.probes],
  };
}

interface Rates {
  walk: number;
  index: number;
  failed: number;
}

/** Operations per second of CPU time, the best of several rounds; the two take turns, so a busy computer slows both. */
function measure(fill: number, walkOperations: number, rounds: number): Rates {
  const workload = createWorkload(1);
  const walk = walking(workload, fill);
  const index = indexed(workload, fill);
  const indexOperations = 200_000;
  walk.run(150_000);
  index.run(10 * indexOperations);
  const rates: Rates = { walk: 0, index: 0, failed: 0 };
  for (let round = 0; round < rounds; round++) {
    rates.walk = Math.max(rates.walk, rateOf(walk, walkOperations));
    rates.index = Math.max(rates.index, rateOf(index, indexOperations));
  }
  rates.failed = index.run(indexOperations) / indexOperations;
  return rates;
}

function rateOf(machine: Machine, operations: number): number {
  const start = process.cpuUsage();
  machine.run(operations);
  const { user, system } = process.cpuUsage(start);
  return (operations / (user + system)) * 1e6;
}

/** Both must do the same to the slot, or the comparison means nothing. */
function assertSame(target: number): void {
  const workload = createWorkload(7);
  const a = indexed(workload, target);
  const b = walking(workload, target);
  a.run(150_000);
  b.run(150_000);
  if (a.checksum() !== b.checksum() || a.used() !== b.used() || String(a.cost()) !== String(b.cost())) {
    throw new Error(`index and walk differ at fill ${target}`);
  }
}

const targets = [
  { fill: 0.5, least: 0.9, walkOperations: 200_000 },
  { fill: 0.9, least: 20, walkOperations: 6_000 },
  { fill: 0.98, least: 30, walkOperations: 6_000 },
];
console.log('| fill | walk, M op/s | index, M op/s | ratio | target | maps failed |');
console.log('| ---: | ---: | ---: | ---: | ---: | ---: |');
for (const { fill, least, walkOperations } of targets) {
  assertSame(fill);
  const rates = measure(fill, walkOperations, 60);
  const ratio = rates.index / rates.walk;
  const million = (rate: number): string => (rate / 1e6).toFixed(2);
  const failed = `${(rates.failed * 100).toFixed(1)} %`;
  console.log(
    `| ${fill * 100} % | ${million(rates.walk)} | ${million(rates.index)} | ${ratio.toFixed(1)} | ≥ ${least} | ${failed} |`,
  );
  if (ratio < least) {
    console.log(`MISSED: ${ratio.toFixed(2)} < ${least}`);
    process.exitCode = 1;
  }
}
