import { type Known, known } from '../model/evidence';
import type { Geometry, GeometryOverrides, PoolGeometry } from '../model/geometry';
import { PoolKind, poolKindNames, type TraceTables } from '../model/tables';
import { SLOT_BYTES } from '../model/units';
import { alignmentEvidence, settleMasks } from './geometryAlignment';
import { inferDevices } from './geometryDevices';
import { type BootFacts, collectBootFacts, placeOf } from './geometryFacts';
import { inferDynamic, inferGeneration } from './geometryKernel';
import { firstOutside, inferBootPool, inferGrownPools } from './geometryPools';
import { settleBootPool, settleGeneration } from './geometryTrial';

/**
 * The kernel a trace was recorded on. Every field carries where it comes from:
 * the user > boot line, probes, debugfs > command line through boot sizing > the recorded addresses > a default.
 */
export function inferGeometry(tables: TraceTables, overrides: GeometryOverrides): Geometry {
  const facts = collectBootFacts(tables);
  const generation = inferGeneration(tables, facts, overrides);
  const pageSize = inferPageSize(facts, overrides);
  const cpus = inferCpus(tables, facts, overrides);
  const boot = inferBootPool(tables, facts, overrides, {
    generation: generation.value,
    pageSize: pageSize.value,
    cpus,
  });
  const dynamic = inferDynamic(tables, facts, overrides, generation.value);
  const pools = boot.pool === null ? [] : [boot.pool];
  const found: Geometry = {
    generation,
    dynamic,
    pageSize,
    cpus,
    pools: [...pools, ...restrictedPools(tables, facts, pools.length)],
    recordedPools: recordedPools(tables),
    defaultSlots: boot.defaultSlots,
    defaultAreas: boot.defaultAreas,
    physLimit: known(2 ** 32 - 1, 'default', 'Grown pools come from below 4 GiB on most machines.'),
    devices: inferDevices(tables, facts, overrides),
  };
  const alignment = alignmentEvidence(tables);
  const placed = settleOutside(tables, settleBootPool(tables, found, alignment));
  return settleGeneration(tables, (guess) => {
    const geometry = guess === null ? placed : { ...placed, generation: known(guess, 'assumed', '') };
    const masks = settleMasks(tables, geometry, alignment);
    const devices = geometry.devices.map((device) => ({
      ...device,
      minAlignMask: masks.get(device.device) ?? device.minAlignMask,
    }));
    return { ...geometry, devices };
  });
}

/** Bounce addresses outside the boot pool: only a dynamic kernel has them, and without probes they show its grown pools. */
function settleOutside(tables: TraceTables, geometry: Geometry): Geometry {
  const boot = geometry.pools[0];
  if (boot === undefined || boot.kind !== 'boot' || Number.isNaN(boot.start.value)) {
    return geometry;
  }
  const row = firstOutside(tables, geometry.pools);
  let { dynamic, recordedPools: pools } = geometry;
  if (row >= 0 && dynamic.evidence.level === 'default') {
    const { source, mapLine, unmapLine } = tables.requests.columns;
    const at = { source: source[row], line: mapLine[row] || unmapLine[row] };
    dynamic = known(true, 'derived', 'A bounce address lies outside the boot pool.', at);
  }
  if (row >= 0 && dynamic.value && !pools.some((pool) => pool.kind === 'grown')) {
    const defaults = {
      slots: geometry.defaultSlots.value,
      areas: geometry.defaultAreas.value,
      pageSize: geometry.pageSize.value,
    };
    pools = [...pools, ...inferGrownPools(tables, boot, defaults)];
  }
  return { ...geometry, dynamic, recordedPools: pools };
}

function inferPageSize(facts: BootFacts, overrides: GeometryOverrides): Known<number> {
  if (overrides.pageSize !== undefined) {
    return known(overrides.pageSize, 'user', 'Given by the user.');
  }
  const shift = facts.config('CONFIG_PAGE_SHIFT');
  if (shift !== undefined && /^\d+$/.test(shift.value)) {
    return known(2 ** Number(shift.value), 'recorded', 'The kernel config has CONFIG_PAGE_SHIFT.', shift.at);
  }
  for (const [name, bytes] of pageSizeConfigs) {
    const config = facts.config(name);
    if (config?.value === 'y') {
      return known(bytes, 'recorded', `The kernel config has ${name}.`, config.at);
    }
  }
  return known(4096, 'default', 'Pages are 4 KiB unless the kernel config says otherwise.');
}

const pageSizeConfigs: readonly (readonly [string, number])[] = [
  ['CONFIG_ARM64_64K_PAGES', 65536],
  ['CONFIG_ARM64_16K_PAGES', 16384],
  ['CONFIG_PAGE_SIZE_64KB', 65536],
  ['CONFIG_PAGE_SIZE_16KB', 16384],
  ['CONFIG_PPC_64K_PAGES', 65536],
];

function inferCpus(tables: TraceTables, facts: BootFacts, overrides: GeometryOverrides): Known<number> {
  if (overrides.cpus !== undefined) {
    return known(overrides.cpus, 'user', 'Given by the user.');
  }
  const line = facts.last('cpus');
  if (line !== undefined && line.count > 0) {
    return known(line.count, 'recorded', `The kernel log names ${line.count} possible CPUs.`, placeOf(line));
  }
  for (const source of tables.sources) {
    if (source.cpusOnline !== undefined && source.cpusOnline > 0) {
      const at = { source: source.id, line: 1 };
      return known(source.cpusOnline, 'derived', `The trace header names ${source.cpusOnline} online CPUs.`, at);
    }
  }
  const cpu = tables.requests.columns.cpu;
  let highest = -1;
  for (let row = 0; row < tables.requests.length; row++) {
    if (cpu[row] > highest) {
      highest = cpu[row];
    }
  }
  if (highest >= 0) {
    return known(
      highest + 1,
      'derived',
      `The highest CPU that mapped is ${highest}, so there are at least ${highest + 1}.`,
    );
  }
  return known(1, 'assumed', 'Nothing in the input tells the number of CPUs.');
}

function restrictedPools(tables: TraceTables, facts: BootFacts, firstId: number): PoolGeometry[] {
  const found: PoolGeometry[] = [];
  for (const record of facts.all('restricted-pool')) {
    const bytes = Number.isNaN(record.end) ? record.sizeBytes : record.end - record.start;
    const slots = bytes > 0 ? Math.floor(bytes / SLOT_BYTES) : 0;
    const at = placeOf(record);
    found.push({
      id: firstId + found.length,
      kind: 'restricted',
      start: known(record.start, 'recorded', 'The kernel log names the restricted pool.', at),
      slots: known(slots, 'recorded', 'The kernel log names the restricted pool and its size.', at),
      areas: known(1, 'recorded', 'Restricted pools have one area.', at),
    });
  }
  const pools = tables.pools.columns;
  for (let row = 0; row < tables.pools.length; row++) {
    if (pools.kind[row] !== PoolKind.restricted || found.some((pool) => pool.start.value === pools.start[row])) {
      continue;
    }
    const at = { source: pools.source[row], line: pools.allocLine[row] };
    found.push({
      id: firstId + found.length,
      kind: 'restricted',
      start: known(pools.start[row], 'recorded', 'The trace names the restricted pool.', at),
      slots: known(pools.slots[row], 'recorded', 'The trace names the restricted pool.', at),
      areas: known(1, 'recorded', 'Restricted pools have one area.', at),
    });
  }
  return found;
}

/** Grown and transient pools that probes of the recording name. */
function recordedPools(tables: TraceTables): PoolGeometry[] {
  const found: PoolGeometry[] = [];
  const pools = tables.pools.columns;
  for (let row = 0; row < tables.pools.length; row++) {
    const kind = poolKindNames[pools.kind[row]];
    if (kind !== 'grown' && kind !== 'transient') {
      continue;
    }
    const at = { source: pools.source[row], line: pools.allocLine[row] || pools.addedLine[row] };
    const areas = pools.areas[row];
    found.push({
      id: row,
      kind,
      start: known(pools.start[row], 'recorded', 'A probe on the pool allocation names it.', at),
      slots: known(pools.slots[row], 'recorded', 'A probe on the pool allocation names it.', at),
      areas:
        areas > 0
          ? known(areas, 'recorded', 'A probe on the pool allocation names it.', at)
          : known(1, 'assumed', 'The probe does not name the number of areas.', at),
    });
  }
  return found;
}
