import { type BootSizing, sizeBootPool } from '../allocator/bootSizing';
import { createIoTlb, type IoTlb, isFailure, TlbDevice } from '../allocator/ioTlb';
import type { AllocatorPort, MapFailure, Placement, PoolSpec, Zone } from '../allocator/types';
import { formatHex } from '../base/address';
import { assert } from '../base/assert';
import type { Generation } from '../model/geometry';

/** What running a vector file found. `operations` = agree + disagree; operations without a recorded answer are not counted. */
export interface VectorResult {
  readonly operations: number;
  readonly agree: number;
  readonly disagree: number;
  /** Some line is a JSON object: everything else is not a vector file at all. */
  readonly isVectors: boolean;
  /** The first operation that differs: one-based line of the file and the differing fields as JSON. */
  readonly first: { readonly line: number; readonly expected: string; readonly got: string } | null;
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Row = { [key: string]: Json };

/**
 * Runs one file of allocator vectors (JSON lines, first line the header) through the model and compares every field:
 * placements, padding, counters, cost, messages, requests to the environment in their order, new pools, list hashes,
 * lock-ups, and the boot cases. Bad input is a disagreement, never an exception.
 */
export function runVectors(text: string): VectorResult {
  const lines = text.split('\n');
  const tally = new Tally();
  let run: ((row: Row) => Row) | null = null;
  for (let index = 0; index < lines.length; index++) {
    if (lines[index].trim() === '') {
      continue;
    }
    const row = parseRow(lines[index]);
    if (row === null) {
      tally.disagree(index + 1, 'a JSON object', lines[index].slice(0, 80));
      continue;
    }
    tally.isVectors = true;
    try {
      if (row['type'] === 'header') {
        run = row['scenario'] === 'boot' ? runBoot : createRunner(row);
        continue;
      }
      if (run === null) {
        tally.disagree(index + 1, 'a header', 'an operation');
        return tally.result();
      }
      tally.compare(index + 1, row, run(row));
    } catch (error) {
      tally.disagree(index + 1, JSON.stringify(row), String(error));
    }
  }
  return tally.result();
}

class Tally {
  isVectors = false;
  private agreed = 0;
  private disagreed = 0;
  private first: VectorResult['first'] = null;

  /** Every recorded field besides the operation's inputs must be in `got` with the same value, and nothing else. */
  compare(line: number, row: Row, got: Row): void {
    const expected: Row = {};
    for (const key in row) {
      if (!inputs.has(key)) {
        expected[key] = row[key];
      }
    }
    for (const key of new Set([...Object.keys(expected), ...Object.keys(got)])) {
      if (canonical(expected[key]) !== canonical(got[key])) {
        const differing = [...new Set([...Object.keys(expected), ...Object.keys(got)])].filter(
          (name) => canonical(expected[name]) !== canonical(got[name]),
        );
        this.disagree(line, JSON.stringify(pick(expected, differing)), JSON.stringify(pick(got, differing)));
        return;
      }
    }
    this.agreed++;
  }

  disagree(line: number, expected: string, got: string): void {
    this.disagreed++;
    this.first ??= { line, expected, got };
  }

  result(): VectorResult {
    return {
      operations: this.agreed + this.disagreed,
      agree: this.agreed,
      disagree: this.disagreed,
      isVectors: this.isVectors,
      first: this.first,
    };
  }
}

const inputs = new Set([
  'type',
  'i',
  'op',
  'dev',
  'cpu',
  'orig',
  'size',
  'alignMask',
  'allocSize',
  'h',
  'param',
  'possibleCpus',
  'archAdjustBytes',
]);

/** One memory (struct io_tlb_mem) and how its pools are numbered in the file. */
interface Memory {
  readonly tlb: IoTlb;
  readonly ids: Map<number, number>;
}

/** Plays operations against the model; the environment's answers come from the operation's own `env`. */
function createRunner(header: Row): (row: Row) => Row {
  const config = header['config'] as Row;
  const generation = generationOf(header['kernel'] as string);
  const script = new Script();
  const messages: string[] = [];
  const sink = { message: (level: string, text: string) => messages.push(`${level}:${text}`) };
  const specs = header['pools'] as Row[];
  const deviceRows = header['devices'] as Row[];
  let nextId = specs.length;

  const memories = specs.map((pool): Memory => {
    const restricted = deviceRows.some((device) => device['pool'] === pool['id'] && device['restricted'] === true);
    const boot: PoolSpec = {
      kind: restricted ? 'restricted' : 'boot',
      start: address(pool['start']),
      slots: pool['nslabs'] as number,
      areas: pool['nareas'] as number,
    };
    const tlb = createIoTlb(
      {
        generation,
        dynamic: config['SWIOTLB_DYNAMIC'] === true,
        canGrow: header['canGrow'] === true && !restricted,
        pageSize: header['pageSize'] as number,
        maxPageOrder: header['maxPageOrder'] as number,
        defaultSlots: header['defaultNslabs'] as number,
        defaultAreas: header['defaultNareas'] as number,
        physLimit: header['physLimit'] === null ? Number.POSITIVE_INFINITY : address(header['physLimit']),
        zoneDmaLimit: address(header['zoneDmaLimit']),
        boot,
        debugFs: config['DEBUG_FS'] === true,
      },
      script,
      { messages: sink },
    );
    return { tlb, ids: new Map([[0, pool['id'] as number]]) };
  });
  const devices = deviceRows.map(
    (device) =>
      new TlbDevice({
        dmaMask: address(device['dmaMask']),
        busDmaLimit: address(device['busDmaLimit']),
        minAlignMask: address(device['minAlignMask']),
        segBoundaryMask: address(device['segBoundaryMask']),
        forceUnencrypted: device['forceUnencrypted'] === true,
      }),
  );
  const main = memories[memories.length - 1];
  const memoryOf = (device: number): Memory => memories[deviceRows[device]['pool'] as number];
  const live = new Map<number, Placement>();
  let locked = false;

  return (row) => {
    assert(!locked, 'operations after a lock-up have no answer');
    const op = row['op'] as string;
    const deviceIndex = (row['dev'] as number | undefined) ?? -1;
    // The worker is the default pool's; counters of operations without a device are those of the first device.
    const shown = memoryOf(Math.max(0, deviceIndex));
    const memory = op === 'work' ? main : shown;
    const { tlb } = memory;
    const device = devices[Math.max(0, deviceIndex)];
    const cpu = row['cpu'] as number;
    const poolsBefore = new Set(memory.ids.keys());
    script.load((row['env'] as Row[] | undefined) ?? []);
    messages.length = 0;
    const locks = tlb.cost.areaLocks;
    const probes = tlb.cost.probes;
    const got: Row = {};

    let placed: Placement | MapFailure | null = null;
    switch (op) {
      case 'map':
        placed = tlb.map(cpu, device, address(row['orig']), row['size'] as number, 0, true);
        break;
      case 'tblMap':
        placed = tlb.map(
          cpu,
          device,
          address(row['orig']),
          row['size'] as number,
          address(row['alignMask']),
          false,
          row['allocSize'] as number | undefined,
        );
        break;
      case 'alloc':
        placed = tlb.allocate(cpu, device, row['size'] as number);
        break;
      case 'unmap':
      case 'free': {
        const placement = live.get(row['h'] as number);
        assert(placement !== undefined, `operation ${row['h']} is no live mapping`);
        live.delete(row['h'] as number);
        assert(tlb.unmapAddress(device, placement.address), 'the bounce address is mapped');
        break;
      }
      case 'work': {
        got['ran'] = tlb.pendingWork;
        if (tlb.pendingWork) {
          tlb.runWorker();
        }
        break;
      }
      case 'dump':
        got['pools'] = tlb.dump(device).map((pool) => ({ ...pool, id: memory.ids.get(pool.id) ?? -1 }));
        break;
      case 'hiwaterReset':
        tlb.hiwaterReset();
        break;
      default:
        throw new Error(`unknown operation '${op}'`);
    }
    while (tlb.freeNextTransient()) {
      // The recording runs RCU callbacks at the end of each operation.
    }

    if (placed !== null && isFailure(placed) && placed.cause === 'lockup') {
      locked = true;
      return { r: 'lockup' };
    }
    const added = [...tlb.listed, ...device.transientPools].filter((pool) => !memory.ids.has(pool.id));
    for (const pool of added) {
      memory.ids.set(pool.id, nextId++);
    }
    if (placed !== null) {
      got['r'] = null;
      if (!isFailure(placed)) {
        live.set(row['i'] as number, placed);
        const pool = tlb.pool(placed.pool);
        got['r'] = {
          pool: memory.ids.get(placed.pool) ?? -1,
          slot: placed.slot,
          off: placed.address - pool.start,
          addr: formatHex(placed.address),
          pad: placed.pad,
        };
      }
    }
    if (script.asked.length > 0) {
      got['env'] = script.asked;
    }
    if (messages.length > 0) {
      got['msg'] = [...messages];
    }
    got['st'] = counters(shown.tlb);
    got['cost'] = [tlb.cost.areaLocks - locks, tlb.cost.probes - probes];
    if (main.tlb.pendingWork) {
      got['pending'] = true;
    }
    if (memory.ids.size > poolsBefore.size) {
      got['newPools'] = added.map((pool) => ({
        id: memory.ids.get(pool.id) ?? -1,
        start: formatHex(pool.start),
        nslabs: pool.slots,
        nareas: pool.areas,
        transient: pool.kind === 'transient',
      }));
    }
    return got;
  };
}

/** io_tlb_nslabs, io_tlb_used, io_tlb_used_hiwater, io_tlb_transient_nslabs; 0 for a file the kernel does not have. */
function counters(tlb: IoTlb): number[] {
  const debugFs = tlb.spec.debugFs !== false;
  return [
    tlb.totalSlots,
    tlb.used,
    debugFs && tlb.rules.hasHiwater ? tlb.hiwater : 0,
    debugFs && tlb.rules.hasTransientCounter ? tlb.transientSlots : 0,
  ];
}

/** Answers requests from an operation's recorded `env` and notes what was asked, in the file's form. */
class Script implements AllocatorPort {
  asked: Row[] = [];
  private answers: readonly Row[] = [];
  private next = 0;

  load(answers: readonly Row[]): void {
    this.answers = answers;
    this.next = 0;
    this.asked = [];
  }

  allocatePages(order: number, zone: Zone, canBlock: boolean): number | null {
    const phys = this.answer('phys', null);
    this.asked.push({ k: 'tlb', order, zone, gfp: gfpName(canBlock), phys });
    return phys === null ? null : address(phys);
  }

  freePages(start: number, order: number): void {
    this.next++;
    this.asked.push({ k: 'free', order, phys: formatHex(start) });
  }

  allocateAtomic(bytes: number): number | null {
    const phys = this.answer('phys', null);
    this.asked.push({ k: 'atomic_pool', bytes, phys });
    return phys === null ? null : address(phys);
  }

  freeAtomic(start: number, bytes: number): void {
    this.next++;
    this.asked.push({ k: 'free_atomic_pool', bytes, phys: formatHex(start) });
  }

  allocateMeta(bytes: number, canBlock: boolean): boolean {
    const ok = this.answer('ok', false) === true;
    this.asked.push({ k: 'meta', bytes, gfp: gfpName(canBlock), ok });
    return ok;
  }

  allocateSlotArray(order: number, canBlock: boolean): boolean {
    const ok = this.answer('ok', false) === true;
    this.asked.push({ k: 'slots', order, gfp: gfpName(canBlock), ok });
    return ok;
  }

  private answer(key: string, missing: Json): Json {
    const row = this.answers[this.next++];
    return row === undefined ? missing : (row[key] ?? missing);
  }
}

/** One boot case: parameter, CPUs and the architecture's wish in; pool, flags and messages out. */
function runBoot(row: Row): Row {
  const sized: BootSizing = sizeBootPool({
    parameter: row['param'] as string | null,
    possibleCpus: row['possibleCpus'] as number,
    archAdjustBytes: row['archAdjustBytes'] as number | null,
    addressingLimited: true,
    verbose: true,
  });
  return {
    pool:
      sized.pool === null
        ? null
        : { nslabs: sized.pool.slots, nareas: sized.pool.areas, areaNslabs: sized.pool.slots / sized.pool.areas },
    force: sized.force,
    noforce: sized.noforce,
    defaultNslabs: sized.defaultSlots,
    defaultNareas: sized.defaultAreas,
    msgs: sized.messages.map((text) => `info:${text}`),
  };
}

function generationOf(kernel: string): Generation {
  const version = /^v?(\d+)\.(\d+)/.exec(kernel);
  const major = Number(version?.[1]);
  const minor = Number(version?.[2]);
  if (major < 6) {
    return '4.18';
  }
  if (major > 6 || minor >= 9) {
    return '6.12';
  }
  return minor === 8 ? '6.8' : minor >= 3 ? '6.6' : '6.1';
}

function gfpName(canBlock: boolean): string {
  return canBlock ? 'KERNEL' : 'NOWAIT';
}

/** Hex strings of the file; all ones means no limit. */
function address(value: Json | undefined): number {
  return value === '0xffffffffffffffff' ? Number.POSITIVE_INFINITY : Number(value);
}

function parseRow(line: string): Row | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Row) : null;
  } catch {
    return null;
  }
}

/** JSON with sorted keys: the order of fields is no part of an answer. */
function canonical(value: Json | undefined): string {
  if (value === undefined) {
    return '';
  }
  if (typeof value !== 'object' || value === null) {
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map(canonical).join()}]`;
  }
  return `{${Object.keys(value)
    .sort()
    .map((key) => `${key}:${canonical(value[key])}`)
    .join()}}`;
}

function pick(row: Row, keys: readonly string[]): Row {
  const picked: Row = {};
  for (const key of keys) {
    if (row[key] !== undefined) {
      picked[key] = row[key];
    }
  }
  return picked;
}
