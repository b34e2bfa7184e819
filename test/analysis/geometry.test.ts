import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inferGeometry } from '../../src/analysis/geometry';
import { alignmentEvidence, candidateMasks } from '../../src/analysis/geometryAlignment';
import { generationOfRelease, parseRelease } from '../../src/analysis/geometryKernel';
import type { Geometry, GeometryOverrides } from '../../src/model/geometry';
import { createRequestTable, EvidenceBit } from '../../src/model/tables';
import { appendRequest, tablesOf } from '../support/replayTables';
import { recorded, tablesOfSources } from '../support/verifyRun';

function masksOf(geometry: Geometry): Record<string, string> {
  return Object.fromEntries(
    geometry.devices
      .filter((device) => device.name !== '')
      .map((device) => [device.name, device.minAlignMask.value.toString(16)]),
  );
}

function bootOf(geometry: Geometry): string {
  const { start, slots, areas } = geometry.pools[0];
  return `${start.value.toString(16)} ${slots.value} ${areas.value}`;
}

/** Geometry of a log alone. */
function ofLog(text: string, overrides: GeometryOverrides = {}): Geometry {
  return inferGeometry(tablesOfSources([['dmesg.txt', new TextEncoder().encode(text)]]), overrides);
}

const bootLines = [
  '[    0.000000] Linux version 6.12.117 (builder@host) (gcc 12.2.0) #1 SMP',
  '[    0.000000] Command line: console=ttyS0 swiotlb=4096,2,force',
  '[    0.000000] software IO TLB: area num 2.',
  '[    0.793698] software IO TLB: mapped [mem 0x000000007d38b000-0x000000007db8b000] (8MB)',
].join('\n');

describe('generation and release', () => {
  it('knows the generation of every release', () => {
    const expected: Record<string, string> = {
      '4.19.300': '4.18',
      '5.15.0-105-generic': '4.18',
      '6.0.1': '6.1',
      '6.1.192': '6.1',
      '6.3.0': '6.6',
      '6.6.30-1': '6.6',
      '6.8.12': '6.8',
      '6.9.0-rc1': '6.12',
      '6.12.117-labfix': '6.12',
      '7.2.0': '6.12',
    };
    for (const [text, generation] of Object.entries(expected)) {
      const release = parseRelease(text);
      expect(release === null ? null : generationOfRelease(release), text).toBe(generation);
    }
    expect(parseRelease('no release at all')).toBeNull();
  });

  it('warns of back-ports in 6.6 stable', () => {
    const { generation } = ofLog('[    0.000000] Linux version 6.6.30 (a@b) (gcc) #1 SMP\n');
    expect(generation.value).toBe('6.6');
    expect(generation.evidence.text).toContain('6.6.24');
  });

  it('tells dynamic kernels by config, probes, release and addresses, and says which', () => {
    const config = (line: string): Geometry => ofLog(`${bootLines}\n${line}\n`);
    expect(config('CONFIG_SWIOTLB_DYNAMIC=y').dynamic).toMatchObject({ value: true, evidence: { level: 'recorded' } });
    expect(config('# CONFIG_SWIOTLB_DYNAMIC is not set').dynamic).toMatchObject({
      value: false,
      evidence: { level: 'recorded' },
    });
    expect(recorded('async').geometry.dynamic.evidence.text).toContain('probe');
    expect(recorded('grown').geometry.dynamic.evidence.text).toContain('outside the boot pool');
    expect(recorded('debian61').geometry.dynamic.evidence.text).toContain('6.6');
    expect(recorded('full').geometry.dynamic.value).toBe(false);
  });
});

describe('boot pool', () => {
  it('comes from the boot line, with its line', () => {
    const geometry = ofLog(bootLines);
    expect(bootOf(geometry)).toBe('7d38b000 4096 2');
    expect(geometry.pools[0].start.evidence).toMatchObject({ level: 'recorded', line: 4 });
    expect(geometry.pools[0].areas.evidence).toMatchObject({ level: 'recorded', line: 3 });
  });

  it('takes the last boot of a log that holds several', () => {
    const earlier = bootLines.replaceAll('7d38b000', '6d38b000').replaceAll('7db8b000', '6db8b000');
    expect(bootOf(ofLog(`${earlier}\n${bootLines}\n`))).toBe('7d38b000 4096 2');
  });

  it('lets the user override every part', () => {
    const overrides = {
      poolStart: 0x1000000,
      poolSlots: 1024,
      areas: 4,
      generation: '6.1',
      dynamic: true,
      cpus: 3,
    } as const;
    const geometry = ofLog(bootLines, overrides);
    expect(bootOf(geometry)).toBe('1000000 1024 4');
    expect([geometry.generation.value, geometry.dynamic.value, geometry.cpus.value]).toEqual(['6.1', true, 3]);
    expect(geometry.pools[0].slots.evidence.level).toBe('user');
  });

  it('runs a given parameter through boot sizing', () => {
    const geometry = ofLog(bootLines, { boot: 'swiotlb=600,4,force', cpus: 4 });
    // 600 is rounded up to 640, and to a power of two since the areas are given.
    expect(bootOf(geometry)).toBe('7d38b000 1024 4');
  });

  it('limits areas to one segment each, but keeps the default number for the worker', () => {
    const log = bootLines.replace('area num 2', 'area num 64').replace('7d38b000', '7da8b000');
    const geometry = ofLog(log);
    expect(bootOf(geometry)).toBe('7da8b000 512 4');
    expect(geometry.defaultAreas.value).toBe(64);
  });

  it('is found from the addresses alone', () => {
    for (const name of ['concurrent', 'full', 'serial', 'debian61']) {
      const shape = (geometry: Geometry): string => bootOf(geometry).replace(/^\S+ /, '');
      const traceOnly = recorded(name, { traceOnly: true }).geometry;
      expect(shape(traceOnly), name).toBe(shape(recorded(name).geometry));
      // Known only where no other size explains the trace as well.
      const { level } = traceOnly.pools[0].slots.evidence;
      expect(level === 'assumed', name).toBe(name === 'debian61');
    }
    const { generation } = recorded('debian61', { traceOnly: true }).geometry;
    expect(generation).toMatchObject({ value: '6.1', evidence: { level: 'derived' } });
  });
});

it('a few addresses do not tell a pool: what other values explain as well is assumed', () => {
  const lines = [0, 1].map(
    (index) =>
      `             fio-7       [000] .....  1.00000${index}: dma_map_page: d0 dir=TO_DEVICE dma_addr=7d00${index}000 size=4096 phys_addr=10000${index}000 attrs=`,
  );
  const bounced = lines.map((line, index) =>
    line.replace(
      /dma_map_page.*/,
      `swiotlb_bounced: dev_name: d0 dma_mask=ffffffff dev_addr=10000${index}000 size=4096 FORCE`,
    ),
  );
  const text = [bounced[0], lines[0], bounced[1], lines[1], ''].join('\n');
  const tables = tablesOfSources([['trace.txt', new TextEncoder().encode(text)]]);
  const [pool] = inferGeometry(tables, {}).pools;
  expect([pool.start, pool.slots].map(({ evidence }) => evidence.level)).toEqual(['assumed', 'assumed']);
});

describe('pools that grew', () => {
  it('come from probes', () => {
    const { recordedPools } = recorded('async').geometry;
    const grown = recordedPools.filter((pool) => pool.kind === 'grown');
    expect(grown.length).toBe(30);
    expect(grown.every((pool) => pool.slots.value === 512 && pool.areas.value === 4)).toBe(true);
    expect(grown[0].start.evidence.level).toBe('recorded');
  });

  it('are inferred from addresses where no probe names them, and say so', () => {
    const { recordedPools } = recorded('grown').geometry;
    expect(recordedPools.map((pool) => pool.kind)).toEqual(['grown', 'grown']);
    expect(recordedPools[0].start.evidence).toMatchObject({ level: 'derived' });
    expect(recordedPools[0].start.evidence.text).toContain('Inferred');
  });
});

describe('min_align_mask', () => {
  it('is what the driver had set', () => {
    // The driver's own parameters: swlab.0 to .5.
    const truth = {
      'swlab.0': '0',
      'swlab.1': 'fff',
      'swlab.2': '1ff',
      'swlab.3': '0',
      'swlab.4': 'ffff',
      'swlab.5': 'fff',
    };
    expect(masksOf(recorded('concurrent').geometry)).toEqual(truth);
    expect(masksOf(recorded('async').geometry)).toEqual(truth);
  });

  it('says when the trace cannot tell', () => {
    const { devices } = recorded('full').geometry;
    const nvme = devices.find((device) => device.name === '0000:00:05.0');
    expect(nvme?.minAlignMask.evidence.text).toMatch(/^undetermined \(0 … 0xfff\), no effect on this trace/);
    expect(nvme?.minAlignMask.evidence.level).toBe('assumed');
  });

  it('counts a bit inside a slot only where the original has it', () => {
    const check = (pairs: readonly (readonly [number, number])[]): string => {
      const table = createRequestTable();
      for (const [original, recordedBounce] of pairs) {
        appendRequest(table, { original, recordedBounce, sizeBytes: 512, evidence: EvidenceBit.bounced });
      }
      return candidateMasks(alignmentEvidence(tablesOf(table))[0])
        .map(({ low, high }) => (low === high ? low.toString(16) : `${low.toString(16)}-${high.toString(16)}`))
        .join(' ');
    };
    // Set in both: the bits up to it are needed. The next one is refuted at 0x400.
    expect(
      check([
        [0x200000200, 0x10000200],
        [0x200000400, 0x10000000],
      ]),
    ).toBe('3ff');
    // Set in the original only, from the lowest bit on: no mask at all.
    expect(check([[0x2000007ff, 0x10000000]])).toBe('0');
    // Nothing set below 2 KiB: no evidence; bit 11 and bit 12 agree, bit 13 does not.
    expect(
      check([
        [0x200001800, 0x10001800],
        [0x200002000, 0x10000000],
      ]),
    ).toBe('0 1-7ff fff 1fff');
  });

  it('is what the user says', () => {
    const { tables } = recorded('mask30');
    const geometry = inferGeometry(tables, { minAlign: { 'swlab.1': 0x1fff } });
    const device = geometry.devices.find((one) => one.name === 'swlab.1');
    expect(device?.minAlignMask).toMatchObject({ value: 0x1fff, evidence: { level: 'user' } });
  });
});

describe('devices', () => {
  it('have the mask that the events print', () => {
    const { devices } = recorded('mask30').geometry;
    expect(devices.find((one) => one.name === 'swlab.0')?.dmaMaskBits).toMatchObject({
      value: 30,
      evidence: { level: 'recorded' },
    });
  });

  it('have the segment boundary of their bus', () => {
    expect(recorded('full').geometry.devices.find((one) => one.name === '0000:00:05.0')?.segBoundaryBits.value).toBe(
      32,
    );
    expect(recorded('mask30').geometry.devices.find((one) => one.name === 'swlab.0')?.segBoundaryBits.value).toBe(64);
  });
});

describe('tables that make no sense', () => {
  it('give some geometry, never an exception', () => {
    const row = fc.record({
      device: fc.nat(4),
      cpu: fc.integer({ min: -1, max: 300 }),
      sizeBytes: fc.constantFrom(0, 1, 2048, 5000, 262144, 4000000000),
      original: fc.constantFrom(Number.NaN, 0, 0x200000123, 2 ** 52),
      recordedBounce: fc.oneof(fc.constantFrom(Number.NaN, 0, 2 ** 45), fc.nat(2 ** 25)),
      outcome: fc.nat(3),
      enterLine: fc.nat(60),
      unmapLine: fc.nat(60),
      evidence: fc.nat(0xffff),
      pairing: fc.nat(5),
    });
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 30 }),
        fc.constantFrom({}, { boot: 'swiotlb=x,,' }, { areas: 3 }),
        (rows, overrides) => {
          const geometry = inferGeometry(tablesOf(rows), overrides);
          expect(geometry.devices.length).toBe(5);
        },
      ),
      { numRuns: 8 },
    );
  });
});
