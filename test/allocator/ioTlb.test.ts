import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIoTlb, type IoTlb, isFailure, TlbDevice } from '../../src/allocator/ioTlb';
import { Pool } from '../../src/allocator/pool';
import type { AllocatorPort, DeviceMasks, IoTlbSpec, Placement } from '../../src/allocator/types';
import { type Generation, generations } from '../../src/model/geometry';
import { endlessMemory } from '../support/walkthrough';

const MIB = 2 ** 20;

function device(masks: Partial<DeviceMasks> = {}): TlbDevice {
  return new TlbDevice({
    dmaMask: Infinity,
    busDmaLimit: 0,
    minAlignMask: 0,
    segBoundaryMask: Infinity,
    forceUnencrypted: false,
    ...masks,
  });
}

function spec(changes: Partial<IoTlbSpec> = {}): IoTlbSpec {
  return {
    generation: '6.12',
    dynamic: true,
    canGrow: true,
    pageSize: 4096,
    maxPageOrder: 10,
    defaultSlots: 512,
    defaultAreas: 1,
    physLimit: 2 ** 39,
    zoneDmaLimit: 0xffffff,
    boot: { kind: 'boot', start: 0x10000000, slots: 128, areas: 1 },
    ...changes,
  };
}

/** Memory that notes what was asked, and refuses what `refuse` names. */
function notedMemory(refuse: readonly string[] = []): AllocatorPort & { readonly asked: string[] } {
  const memory = endlessMemory();
  const asked: string[] = [];
  const note = (what: string): boolean => {
    asked.push(what);
    return !refuse.some((name) => what.startsWith(name));
  };
  return {
    asked,
    allocatePages: (order, zone, canBlock) =>
      note(`pages ${order} ${zone}${canBlock ? ' block' : ''}`) ? memory.allocatePages(order, zone, canBlock) : null,
    freePages: (_, order) => void note(`free ${order}`),
    allocateAtomic: (bytes) => (note(`atomic ${bytes}`) ? 0x20000000 : null),
    freeAtomic: (_, bytes) => void note(`free atomic ${bytes}`),
    allocateMeta: (bytes) => note(`meta ${bytes}`),
    allocateSlotArray: (order) => note(`array ${order}`),
  };
}

function mapped(tlb: IoTlb, on: TlbDevice, sizeBytes: number, original = 0x200000000): Placement {
  const result = tlb.map(0, on, original, sizeBytes, 0, true);
  if (isFailure(result)) {
    throw new Error(`map of ${sizeBytes} failed: ${result.cause}`);
  }
  return result;
}

function causeOf(tlb: IoTlb, on: TlbDevice, sizeBytes: number, original = 0x200000000): string {
  const result = tlb.map(0, on, original, sizeBytes, 0, true);
  return isFailure(result) ? result.cause : 'served';
}

describe('growth', () => {
  it('queues the worker on the first miss and lists the pool only when the worker is done', () => {
    const memory = notedMemory();
    const tlb = createIoTlb(spec(), memory);
    const nic = device();
    mapped(tlb, nic, 262144);
    expect(tlb.pendingWork).toBe(false);
    const transient = mapped(tlb, nic, 3000);
    expect(transient).toMatchObject({ pool: 1, transient: true, slots: 2 });
    expect(tlb.pendingWork).toBe(true);

    const prepared = tlb.startWorker();
    expect(tlb.pendingWork).toBe(false);
    expect(mapped(tlb, nic, 3000)).toMatchObject({ pool: 3, transient: true });
    expect(tlb.pendingWork).toBe(true);
    expect(tlb.totalSlots).toBe(128);
    tlb.finishWorker(prepared as NonNullable<typeof prepared>);
    expect(tlb.totalSlots).toBe(640);
    expect(mapped(tlb, nic, 3000)).toMatchObject({ pool: 2, slot: 0, transient: false });
    expect(memory.asked.filter((line) => line.endsWith('block'))).toEqual(['pages 8 NORMAL block']);
  });

  it('halves the pool down to 1 MiB, then gives up', () => {
    const memory = notedMemory(['pages']);
    const tlb = createIoTlb(spec({ defaultSlots: 32768, defaultAreas: 32 }), memory);
    expect(tlb.runWorker()).toBeNull();
    expect(memory.asked).toEqual(['meta 352', 'pages 10 NORMAL block', 'pages 9 NORMAL block', 'pages 8 NORMAL block']);
    expect(tlb.workerFailed).toBe(1);
  });

  it('caps a pool at the largest page block, and its areas with it', () => {
    const tlb = createIoTlb(spec({ defaultSlots: 32768, defaultAreas: 32 }), endlessMemory());
    expect(tlb.runWorker()).toMatchObject({ slots: 2048, areas: 16, kind: 'grown' });
  });

  it('retries lower zones while the block ends above the limit, and gives the block back', () => {
    const memory = notedMemory();
    const tlb = createIoTlb(spec(), memory);
    mapped(tlb, device(), 262144);
    expect(causeOf(tlb, device({ dmaMask: 2 ** 36 - 1, busDmaLimit: 2 ** 30 - 1 }), 3000)).toBe('allocation-failed');
    expect(memory.asked).toEqual(['meta 112', 'pages 0 DMA32', 'free 0', 'pages 0 DMA', 'free 0']);
    expect(tlb.pageAllocationsFailed).toBe(1);

    memory.asked.length = 0;
    expect(causeOf(tlb, device({ dmaMask: 2 ** 32 }), 3000)).toBe('allocation-failed');
    expect(memory.asked).toEqual([
      'meta 112',
      'pages 0 NORMAL',
      'free 0',
      'pages 0 DMA32',
      'free 0',
      'pages 0 DMA',
      'free 0',
    ]);
  });
});

describe('transient pools', () => {
  it('leave the counters at the unmap and the memory after the grace period', () => {
    const memory = notedMemory();
    const tlb = createIoTlb(spec(), memory);
    const nic = device();
    mapped(tlb, nic, 262144);
    const before = tlb.memoryBytes;
    const placement = mapped(tlb, nic, 20000);
    expect([tlb.totalUsed, tlb.transientSlots, tlb.transientCount]).toEqual([138, 10, 1]);
    expect(tlb.memoryBytes - before).toBe(32768);
    expect(tlb.roundingWasteBytes).toBe(32768 - 20480);
    tlb.unmap(nic, placement);
    expect([tlb.totalUsed, tlb.transientSlots, tlb.rcuPending]).toEqual([128, 0, 1]);
    expect(tlb.memoryBytes - before).toBe(32768);
    expect(tlb.freeNextTransient()).toBe(true);
    expect(tlb.freeNextTransient()).toBe(false);
    expect([tlb.memoryBytes, tlb.roundingWasteBytes]).toEqual([before, 0]);
    expect(memory.asked.at(-1)).toBe('free 3');
    expect(tlb.hiwater).toBe(138);
  });

  it('of encrypted guests come from the atomic pool', () => {
    const memory = notedMemory();
    const tlb = createIoTlb(spec(), memory);
    const nic = device({ forceUnencrypted: true });
    mapped(tlb, nic, 262144);
    expect(mapped(tlb, nic, 5000)).toMatchObject({ address: 0x20000000, transient: true });
    expect(memory.asked).toEqual(['meta 112', 'atomic 6144', 'array 0']);
    const empty = createIoTlb(spec(), notedMemory(['atomic']));
    mapped(empty, nic, 262144);
    expect(causeOf(empty, nic, 5000)).toBe('atomic-pool-empty');
  });
});

describe('causes of failures', () => {
  it('names what no pool size can help', () => {
    const tlb = createIoTlb(spec({ dynamic: false, canGrow: false }), endlessMemory());
    expect(causeOf(tlb, device(), 262145)).toBe('over-size');
    expect(causeOf(tlb, device({ minAlignMask: 0xfff }), 262144, 0x200000001)).toBe('over-size');
    expect(causeOf(tlb, device({ dmaMask: 0xffffff }), 100)).toBe('address-limit');
    expect(tlb.totalUsed).toBe(0);
    expect(causeOf(tlb, device({ segBoundaryMask: 0xffff }), 65537)).toBe('alignment');
    expect(causeOf(createIoTlb(spec({ boot: null }), endlessMemory()), device(), 100)).toBe('no-pool');
  });

  it('tells a full pool from a fragmented one, with its largest hole', () => {
    const tlb = createIoTlb(spec({ dynamic: false, canGrow: false }), endlessMemory());
    const nic = device();
    const placements = Array.from({ length: 64 }, () => mapped(tlb, nic, 4096));
    expect(tlb.map(0, nic, 0x200000000, 2048, 0, true)).toEqual({
      cause: 'pool-full',
      printedBytes: 2048,
      freeSlots: 0,
      largestHole: 0,
    });
    for (const index of [3, 20, 21, 40]) {
      tlb.unmap(nic, placements[index]);
    }
    expect(tlb.map(0, nic, 0x200000000, 10000, 0, true)).toEqual({
      cause: 'fragmented',
      printedBytes: 10000,
      freeSlots: 8,
      largestHole: 4,
    });
    expect(causeOf(tlb, nic, 16385)).toBe('pool-full');
  });

  it('reports the endless search of 6.1 and goes on', () => {
    const tlb = createIoTlb(spec({ generation: '6.1', dynamic: false, canGrow: false }), endlessMemory());
    const nvme = device({ minAlignMask: 0xfff });
    const placements = [32768, 32768, 32768, 163840].map((sizeBytes) => mapped(tlb, nvme, sizeBytes));
    tlb.unmap(nvme, placements[0]);
    tlb.unmap(nvme, placements[2]);
    mapped(tlb, nvme, 2048);
    expect(causeOf(tlb, nvme, 32768, 0x200000800)).toBe('lockup');
    tlb.unmap(nvme, placements[1]);
    expect(mapped(tlb, nvme, 32768, 0x200000800)).toMatchObject({ slot: 5, slots: 16 });
  });
});

describe('look-ups', () => {
  it('cost nothing but the call until a device has bounced', () => {
    const tlb = createIoTlb(spec(), endlessMemory());
    const nic = device();
    const other = device();
    tlb.runWorker();
    mapped(tlb, nic, 262144);
    expect(tlb.lookup(other, 0x500000000)).toBeNull();
    expect([tlb.cost.lookups, tlb.cost.listSteps]).toEqual([1, 0]);
    expect(tlb.lookup(nic, 0x500000000)).toBeNull();
    expect([tlb.cost.lookups, tlb.cost.listSteps]).toEqual([2, 2]);
    expect(tlb.lookup(nic, 0x10000800)?.id).toBe(0);
    expect([tlb.cost.lookups, tlb.cost.listSteps]).toEqual([3, 4]);
  });

  it('walk listed pools, then the device’s transient pools', () => {
    const tlb = createIoTlb(spec(), endlessMemory());
    const nic = device();
    mapped(tlb, nic, 262144);
    const placements = [1, 2, 3].map(() => mapped(tlb, nic, 3000));
    const steps = tlb.cost.listSteps;
    tlb.unmap(nic, placements[0]);
    expect(tlb.cost.listSteps - steps).toBe(4);
  });
});

describe('restricted pools', () => {
  it('allocate page aligned memory and free it', () => {
    const boot = { kind: 'restricted', start: 0x60000000, slots: 198, areas: 1 } as const;
    const tlb = createIoTlb(spec({ boot, canGrow: false, dynamic: false }), endlessMemory());
    const fresh = tlb.pool(0).listHash();
    const first = tlb.allocate(0, device(), 4096);
    const second = tlb.allocate(0, device(), 12288);
    expect([first, second]).toMatchObject([
      { slot: 0, slots: 2 },
      { slot: 8, slots: 6 },
    ]);
    expect(tlb.unmapAddress(device(), 0x60004000)).toBe(true);
    expect(tlb.unmapAddress(device(), 0x60004000)).toBe(false);
    expect(tlb.unmapAddress(device(), 0x70000000)).toBe(false);
    tlb.unmap(device(), first as Placement);
    expect(tlb.pool(0).listHash()).toBe(fresh);
  });

  it('never serve anybody in a dynamic kernel whose default pool was not set up', () => {
    const boot = { kind: 'restricted', start: 0x60000000, slots: 512, areas: 1 } as const;
    const tlb = createIoTlb(spec({ boot, canGrow: false, defaultAreas: 0 }), endlessMemory());
    expect(causeOf(tlb, device(), 2048)).not.toBe('served');
  });
});

describe('messages', () => {
  it('are the kernel’s', () => {
    const lines: string[] = [];
    const messages = { message: (level: string, text: string) => void lines.push(`${level}: ${text}`) };
    const tlb = createIoTlb(spec({ canGrow: false }), endlessMemory(), { messages });
    causeOf(tlb, device({ minAlignMask: 0xfff }), 262144, 0x200000200);
    causeOf(createIoTlb(spec({ generation: '4.18', dynamic: false }), endlessMemory(), { messages }), device(), 262145);
    causeOf(createIoTlb(spec({ boot: null }), endlessMemory(), { messages }), device(), 1);
    expect(lines).toEqual([
      'warn: swiotlb buffer is full (sz: 262656 bytes), total 128 (slots), used 0 (slots)',
      'warn: swiotlb buffer is full (sz: 262145 bytes)',
      "warn: Can not allocate SWIOTLB buffer earlier and can't now provide you with the DMA bounce buffer",
    ]);
  });
});

interface Run {
  generation: Generation;
  dynamic: boolean;
  pageSize: number;
  areas: number;
  base: number;
  failing: number;
  ops: number[][];
}

const runs: fc.Arbitrary<Run> = fc.record({
  generation: fc.constantFrom(...generations),
  dynamic: fc.boolean(),
  pageSize: fc.constantFrom(4096, 16384, 65536),
  areas: fc.constantFrom(1, 2, 4),
  base: fc.nat(20),
  failing: fc.constantFrom(0, 3, 7),
  ops: fc.array(fc.tuple(fc.nat(9), fc.nat(999), fc.nat(9), fc.nat(999), fc.nat(4095), fc.nat(9)), {
    minLength: 10,
    maxLength: 120,
    size: 'max',
  }),
});

describe('invariants over random sequences', () => {
  it('no overlap, inside a segment, alignment kept, counters right, and everything freed is as new', () => {
    fc.assert(
      fc.property(runs, (run) => {
        checkInvariants(run);
      }),
      { numRuns: 250 },
    );
  });
});

function checkInvariants({ generation, dynamic, pageSize, areas, base, failing, ops }: Run): void {
  const overruns = generation === '4.18' || generation === '6.1' || generation === '6.6';
  const hasDynamic = dynamic && (generation === '6.6' || generation === '6.8' || generation === '6.12');
  const memory = endlessMemory();
  let allocations = 0;
  const tlb = createIoTlb(
    spec({
      generation,
      dynamic: hasDynamic,
      canGrow: hasDynamic,
      pageSize,
      defaultSlots: 512,
      defaultAreas: areas,
      boot: { kind: 'boot', start: 0x10000000 + base * pageSize, slots: 512, areas },
    }),
    {
      ...memory,
      allocatePages: (...request) =>
        failing > 0 && ++allocations % failing === 0 ? null : memory.allocatePages(...request),
    },
  );
  const devices = [0, 0, 0x1ff, 0xfff, 0x3fff, 0xffff].map((minAlignMask) =>
    device({ minAlignMask, segBoundaryMask: minAlignMask === 0xfff ? 2 ** 32 - 1 : Infinity }),
  );
  const live: { on: TlbDevice; placement: Placement }[] = [];
  const occupied = new Set<string>();
  let used = 0;

  const end = (index: number): void => {
    const [{ on, placement }] = live.splice(index, 1);
    for (let slot = placement.firstSlot; slot < placement.firstSlot + placement.slots; slot++) {
      occupied.delete(`${placement.pool}:${slot}`);
    }
    used -= placement.transient ? tlb.pool(placement.pool).slots : placement.slots;
    tlb.unmap(on, placement);
  };

  for (const [kind, cpu, which, size, original, align] of ops) {
    if (kind < 3 && live.length > 0) {
      end(size % live.length);
    } else if (kind === 3) {
      if (tlb.pendingWork) {
        tlb.runWorker();
      }
    } else if (kind === 4) {
      tlb.freeNextTransient();
    } else {
      const on = devices[which % devices.length];
      const minAlignMask = on.masks.minAlignMask;
      const sizeBytes = size < 400 ? 1 + size * 8 : size < 800 ? 4096 + size * 20 : size * 262;
      const orig = 0x200000000 + original * 16;
      const alignMask = align === 0 ? 0xfff : 0;
      const result = tlb.map(cpu, on, orig, sizeBytes, alignMask, false);
      if (!isFailure(result)) {
        live.push({ on, placement: result });
        const { pool: id, firstSlot, slot, slots, pad, address } = result;
        const pool = tlb.pool(id);
        expect(firstSlot >> 7).toBe((firstSlot + slots - 1) >> 7);
        expect(slot).toBe(firstSlot + pad);
        expect(firstSlot + slots <= pool.slots || overruns).toBe(true);
        expect(address).toBeGreaterThanOrEqual(pool.start + slot * 2048);
        expect((slots - pad) * 2048).toBeGreaterThanOrEqual(sizeBytes + (address % 2048));
        let shared = 0;
        for (let at = firstSlot; at < firstSlot + slots; at++) {
          shared += occupied.has(`${id}:${at}`) || pool.isFree(at) ? 1 : 0;
          occupied.add(`${id}:${at}`);
        }
        expect(shared).toBe(0);
        if (generation !== '4.18') {
          const kept = generation === '6.1' ? minAlignMask & (~alignMask | 0x7ff) : minAlignMask;
          expect((address & kept) >>> 0).toBe((orig & kept) >>> 0);
        }
        if (generation === '6.12') {
          expect(((pool.start + firstSlot * 2048) & alignMask) >>> 0).toBe(0);
          if (minAlignMask === 0 && alignMask === 0 && sizeBytes >= pageSize) {
            expect(address % pageSize).toBe(0);
          }
        }
        used += result.transient ? pool.slots : slots;
      }
    }
    expect(tlb.totalUsed).toBe(used);
    expect(tlb.hiwater).toBeGreaterThanOrEqual(tlb.totalUsed);
    expect(tlb.totalSlots).toBe(tlb.listed.reduce((sum, pool) => sum + pool.slots, 0));
  }

  while (live.length > 0) {
    end(0);
  }
  expect(tlb.totalUsed).toBe(0);
  expect(tlb.transientSlots).toBe(0);
  for (const pool of tlb.listed) {
    const fresh = new Pool(0, pool, { pageSlots: pageSize / 2048, tailOverrun: overruns });
    expect(pool.listHash()).toBe(fresh.listHash());
  }
  while (tlb.freeNextTransient()) {
    // Every grace period ends.
  }
  const held = tlb.listed.reduce((sum, pool) => sum + pool.slots * 2048, 0);
  expect(tlb.memoryBytes - tlb.roundingWasteBytes).toBe(held);
  expect(tlb.memoryBytes).toBeLessThan(64 * MIB);
}
