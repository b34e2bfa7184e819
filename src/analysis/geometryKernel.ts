import { type Known, known } from '../model/evidence';
import type { Generation, GeometryOverrides } from '../model/geometry';
import { EvidenceBit, PoolKind, type TraceTables } from '../model/tables';
import { type BootFacts, collectSymbolFacts, placeOf } from './geometryFacts';

/** Release as numbers; null when the text holds none. */
export interface Release {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  readonly text: string;
}

/** The first `x.y[.z]` of a release string such as `6.12.117-labdyn` or `Linux version 6.1.0-56-cloud-amd64`. */
export function parseRelease(text: string): Release | null {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  if (match === null) {
    return null;
  }
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3] ?? '0'), text };
}

/** Allocator generation of a mainline release. */
export function generationOfRelease(release: Release): Generation {
  const { major, minor } = release;
  if (major < 6) {
    return '4.18';
  }
  if (major > 6 || minor >= 9) {
    return '6.12';
  }
  if (minor === 8) {
    return '6.8';
  }
  return minor >= 3 ? '6.6' : '6.1';
}

/** Which allocator the recording kernel ran: user, release string, event names, debugfs files, log forms, in that order. */
export function inferGeneration(
  tables: TraceTables,
  facts: BootFacts,
  overrides: GeometryOverrides,
): Known<Generation> {
  if (overrides.generation !== undefined) {
    return known(overrides.generation, 'user', 'Given by the user.');
  }
  const version = facts.last('kernel-version');
  const release = version === undefined ? null : parseRelease(version.value);
  if (version !== undefined && release !== null) {
    const generation = generationOfRelease(release);
    return known(
      generation,
      'recorded',
      `The kernel release is ${release.text}.${releaseCaveat(release, generation)}`,
      placeOf(version),
    );
  }
  const lateUnmap = collectSymbolFacts(tables).find('__swiotlb_tbl_unmap_single');
  if (lateUnmap !== undefined) {
    return known('6.12', 'derived', `${lateUnmap.how}, which came with 6.11.`, lateUnmap);
  }
  if ((tables.evidence & (EvidenceBit.dmaMap | EvidenceBit.dmaUnmap)) !== 0) {
    return known('6.12', 'derived', 'The trace has dma:* events, which exist since 6.12.');
  }
  const samples = tables.samples.columns;
  for (let row = 0; row < tables.samples.length; row++) {
    if (samples.transient[row] >= 0) {
      const at = { source: samples.source[row], line: samples.line[row] };
      return known(
        '6.12',
        'derived',
        'debugfs has io_tlb_transient_nslabs, which came after 6.6; taken as 6.9 or later.',
        at,
      );
    }
  }
  const area = facts.first('area-num');
  for (let row = 0; row < tables.samples.length; row++) {
    const at = { source: samples.source[row], line: samples.line[row] };
    if (samples.hiwater[row] >= 0) {
      return known('6.12', 'derived', 'debugfs has io_tlb_used_hiwater (6.5 or later); taken as 6.9 or later.', at);
    }
    if (samples.used[row] >= 0 && tables.sources[samples.source[row]]?.areColumnsInferred !== true) {
      return known(
        '6.1',
        'derived',
        'debugfs has no io_tlb_used_hiwater, so the kernel is older than 6.5; taken as 6.0-6.2.',
        at,
      );
    }
  }
  if (area !== undefined) {
    return known('6.12', 'assumed', 'The "area num" line says 6.0 or later; taken as 6.9 or later.', placeOf(area));
  }
  const mapped = facts.last('pool-mapped');
  if (mapped !== undefined) {
    return known(
      '4.18',
      'derived',
      'The pool was set up without an "area num" line, so the kernel is older than 6.0.',
      placeOf(mapped),
    );
  }
  return known('6.12', 'assumed', 'Nothing in the input tells the kernel version; taken as 6.9 or later.');
}

function releaseCaveat(release: Release, generation: Generation): string {
  if (generation === '6.6' && release.major === 6 && release.minor === 6 && release.patch >= 24) {
    return ' 6.6.24 and later stable releases carry a part of the 6.9 alignment change; try the 6.12 generation when addresses differ.';
  }
  if (generation === '6.8' && release.patch >= 3) {
    return ' Late 6.8 stable releases carry a part of the 6.9 alignment change; try the 6.12 generation when addresses differ.';
  }
  if (generation === '4.18' && release.major === 5 && release.minor >= 12) {
    return ' 5.12 to 5.19 know min_align_mask, which this model applies only approximately.';
  }
  return '';
}

/** CONFIG_SWIOTLB_DYNAMIC: user, config, debugfs files, probes, release, behaviour; without any of them off, as distributions build. */
export function inferDynamic(
  tables: TraceTables,
  facts: BootFacts,
  overrides: GeometryOverrides,
  generation: Generation,
): Known<boolean> {
  if (overrides.dynamic !== undefined) {
    return known(overrides.dynamic, 'user', 'Given by the user.');
  }
  const config = facts.config('CONFIG_SWIOTLB_DYNAMIC');
  if (config !== undefined) {
    const on = config.value === 'y';
    return known(on, 'recorded', `The kernel config has CONFIG_SWIOTLB_DYNAMIC ${on ? 'set' : 'not set'}.`, config.at);
  }
  const pools = tables.pools.columns;
  for (let row = 0; row < tables.pools.length; row++) {
    if (pools.kind[row] === PoolKind.grown || pools.kind[row] === PoolKind.transient) {
      const line = pools.allocLine[row] || pools.addedLine[row];
      return known(true, 'recorded', 'A probe shows a pool being allocated at run time.', {
        source: pools.source[row],
        line,
      });
    }
  }
  const symbols = collectSymbolFacts(tables);
  const worker = symbols.find('swiotlb_dyn_alloc');
  if (worker !== undefined) {
    return known(true, 'recorded', `${worker.how}, which only CONFIG_SWIOTLB_DYNAMIC builds.`, worker);
  }
  if (generation === '4.18' || generation === '6.1') {
    return known(false, 'derived', 'Dynamic pools exist since 6.6.');
  }
  if (symbols.isListed) {
    const at = symbols.find('swiotlb_tbl_map_single');
    return known(
      false,
      'derived',
      'The list of kernel symbols has no swiotlb_dyn_alloc, so CONFIG_SWIOTLB_DYNAMIC is not set.',
      at,
    );
  }
  return inferDynamicFromSamples(tables, facts);
}

function inferDynamicFromSamples(tables: TraceTables, facts: BootFacts): Known<boolean> {
  const samples = tables.samples.columns;
  let smallest = Number.POSITIVE_INFINITY;
  let hiwaterRow = -1;
  for (let row = 0; row < tables.samples.length; row++) {
    if (samples.pool[row] !== 0) {
      // Restricted pools and size classes of cc-swiotlb are others, not this one grown.
      continue;
    }
    const at = { source: samples.source[row], line: samples.line[row] };
    if (samples.transient[row] >= 0) {
      return known(true, 'recorded', 'debugfs has io_tlb_transient_nslabs, which only dynamic kernels have.', at);
    }
    if (samples.nslabs[row] > smallest) {
      return known(true, 'derived', `io_tlb_nslabs grew from ${smallest} to ${samples.nslabs[row]} slots.`, at);
    }
    if (samples.nslabs[row] >= 0) {
      smallest = Math.min(smallest, samples.nslabs[row]);
    }
    const isInferred = tables.sources[samples.source[row]]?.areColumnsInferred === true;
    if (samples.hiwater[row] >= 0 && hiwaterRow < 0 && !isInferred) {
      hiwaterRow = row;
    }
  }
  const failed = facts.first('grow-failed');
  if (failed !== undefined) {
    return known(
      true,
      'derived',
      'The kernel reported "Failed to allocate new pool", which only dynamic kernels do.',
      placeOf(failed),
    );
  }
  if (hiwaterRow >= 0) {
    const at = { source: samples.source[hiwaterRow], line: samples.line[hiwaterRow] };
    return known(false, 'derived', 'debugfs has io_tlb_used_hiwater but no io_tlb_transient_nslabs.', at);
  }
  return known(
    false,
    'default',
    'No sign of dynamic pools; distribution kernels are built without CONFIG_SWIOTLB_DYNAMIC.',
  );
}
