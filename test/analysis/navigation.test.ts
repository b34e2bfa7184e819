import { describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { diagnose } from '../../src/analysis/diagnose';
import {
  definitionsAt,
  devicesNamed,
  heldAt,
  linesOfMapping,
  partnersOf,
  referencesAt,
} from '../../src/analysis/navigation';
import { foldingOf, symbolsOf } from '../../src/analysis/outline';
import { analyseFolder } from '../support/captureSummary';
import { fixtureUrl } from '../support/fixtures';

const boot = [
  '[    0.000000] Linux version 6.12.1 (x@y) #1',
  '[    0.000000] Command line: console=ttyS0 swiotlb=512,4,force',
  '[    0.888804] software IO TLB: mapped [mem 0x0000000010000000-0x0000000010100000] (1MB)',
  '[    1.000031] nvme 0000:00:05.0: swiotlb buffer is full (sz: 262144 bytes), total 512 (slots), used 2 (slots)',
];
const head = (time: string) => `             fio-100     [003] d.h2.     ${time}: `;
const bounced = (time: string, original: string, size: number, device = '0000:00:05.0') =>
  `${head(time)}swiotlb_bounced: dev_name: ${device} dma_mask=ffffffff dev_addr=${original} size=${size} FORCE`;
const mapped = (time: string, original: string, size: number, dma: string, device = '0000:00:05.0') =>
  `${head(time)}dma_map_page: ${device} dir=TO_DEVICE dma_addr=${dma} size=${size} phys_addr=${original} attrs=`;
const unmapped = (time: string, size: number, dma: string, device = '0000:00:05.0') =>
  `${head(time)}dma_unmap_page: ${device} dir=TO_DEVICE dma_addr=${dma} size=${size} attrs=`;

const trace = [
  '# tracer: nop',
  bounced('1.000000', '200000000', 4096),
  mapped('1.000010', '200000000', 4096, '10040000'),
  bounced('1.000020', '200002000', 262144),
  mapped('1.000030', '200002000', 262144, 'ffffffffffffffff'),
  unmapped('1.001204', 4096, '10040000'),
  bounced('1.002000', '200002000', 262144),
  mapped('1.002010', '200002000', 262144, '10080000'),
  bounced('4.000000', '300000000', 512, '0000:00:06.0'),
  mapped('4.000010', '300000000', 512, '10000000', '0000:00:06.0'),
];

function analysisOf(sources: Readonly<Record<string, readonly string[]>>) {
  const builder = createAnalysis();
  for (const [path, lines] of Object.entries(sources)) {
    const source = builder.openSource({ path });
    source.push(new TextEncoder().encode(`${lines.join('\n')}\n`));
    source.end();
  }
  return builder.snapshot();
}

const analysis = analysisOf({ 'trace.txt': trace, 'dmesg.txt': boot });

/** Places as `source:line use`. */
function places(found: readonly { source: number; line: number; use: string }[]): string[] {
  return found.map(({ source, line, use }) => `${source}:${line} ${use}`);
}

function at(source: 0 | 1, line: number, word: string) {
  const lineText = (source === 0 ? trace : boot)[line - 1]!;
  return { source, line, lineText, character: lineText.indexOf(word) + 1 };
}

describe('definitions', () => {
  it('lead from map to unmap and back', () => {
    expect(places(definitionsAt(analysis, at(0, 2, 'swiotlb_bounced')))).toEqual(['0:6 unmap']);
    expect(places(definitionsAt(analysis, at(0, 3, 'dma_map_page')))).toEqual(['0:6 unmap']);
    expect(places(definitionsAt(analysis, at(0, 6, 'dma_unmap_page')))).toEqual(['0:3 map']);
    expect(places(definitionsAt(analysis, at(0, 6, '10040000')))).toEqual(['0:3 map']);
  });

  it('lead from a failure to its kernel message and back', () => {
    expect(places(definitionsAt(analysis, at(0, 5, 'dma_map_page')))).toEqual(['1:4 message']);
    expect(places(definitionsAt(analysis, at(1, 4, 'swiotlb buffer')))).toEqual(['0:5 map']);
  });

  it('lead from a bounce address to the line that set up its pool, from a device to its first line', () => {
    expect(places(definitionsAt(analysis, at(0, 3, '10040000')))).toEqual(['1:3 pool']);
    expect(places(definitionsAt(analysis, at(0, 10, '0000:00:06.0')))).toEqual(['0:9 device']);
  });

  it('are none where nothing is known', () => {
    expect(definitionsAt(analysis, at(0, 1, 'tracer'))).toEqual([]);
    expect(partnersOf(analysis, 0, 10, '')).toEqual([]);
    expect(definitionsAt(analysis, { source: 0, line: 99999, lineText: '', character: 3 })).toEqual([]);
  });

  it('of a message without events are the boot line', () => {
    const alone = analysisOf({ 'dmesg.txt': boot });
    expect(places(partnersOf(alone, 0, 4, ''))).toEqual(['0:3 pool']);
  });
});

describe('references', () => {
  it('are all lines of the mapping, with message and retries', () => {
    const whole = ['0:4 attempt', '0:5 map', '0:8 retry', '1:4 message'];
    expect(places(referencesAt(analysis, at(0, 5, 'dma_map_page')))).toEqual(whole);
    expect(places(linesOfMapping(analysis, 1, 4, ''))).toEqual(whole);
    expect(places(referencesAt(analysis, at(0, 6, '4096')))).toEqual(['0:2 attempt', '0:3 map', '0:6 unmap']);
  });

  it('of a device are its lines, of the boot line the failures of the pool', () => {
    expect(places(referencesAt(analysis, at(0, 9, '0000:00:06.0')))).toEqual(['0:9 map', '0:10 map']);
    expect(places(referencesAt(analysis, at(1, 3, 'mapped')))).toEqual(['1:3 pool', '1:4 message', '0:5 map']);
  });

  it('finds devices by a part of their name', () => {
    expect(devicesNamed(analysis, '06.0').map(({ name, line }) => [name, line])).toEqual([['0000:00:06.0', 9]]);
    expect(devicesNamed(analysis, '').length).toBe(2);
    expect(devicesNamed(analysis, 'virtio')).toEqual([]);
  });
});

describe('who held the slots', () => {
  it('names the mappings that are alive just before a line, the oldest first', () => {
    expect(heldAt(analysis, 0, 5).map(({ mapLine, slots }) => [mapLine, slots])).toEqual([[3, 2]]);
    expect(heldAt(analysis, 0, 10).map(({ mapLine, slots }) => [mapLine, slots])).toEqual([[8, 128]]);
    expect(heldAt(analysis, 0, 2)).toEqual([]);
  });

  it('counts exactly the slots that the kernel printed, where the trace has every mapping', () => {
    const real = analyseFolder(fixtureUrl('captures/ctl_fixed_1area_seedA/'));
    const failed = real.tables.logFailures.filter(({ record }) => record.viaTrace && record.usedSlots > 0);
    expect(failed.length).toBeGreaterThan(0);
    for (const { record } of failed.slice(0, 10)) {
      const slots = heldAt(real, record.source, record.line).reduce((sum, held) => sum + held.slots, 0);
      expect(slots).toBe(record.usedSlots);
    }
  });
});

describe('outline', () => {
  it('has episodes, pools, devices and phases', () => {
    const report = diagnose(analysis);
    const names = symbolsOf(analysis, report, 0).map(({ name, children }) => [
      name,
      children.map((child) => child.name),
    ]);
    expect(names).toEqual([
      ['Failures', [expect.stringMatching(/^(Fragmented|Alignment|Cause unknown)/)]],
      ['Devices', ['0000:00:05.0 nvme', '0000:00:06.0']],
      ['Phases', ['+0.0 s', '+3.0 s']],
    ]);
    expect(symbolsOf(analysis, report, 1).map(({ name, children }) => [name, children[0]?.detail])).toEqual([
      ['Pools', '512 slots · 1 MiB'],
    ]);
  });

  it('of a real flood folds it, and nests or separates all ranges', () => {
    const real = analyseFolder(fixtureUrl('captures/c1_full_1MiB/'));
    const report = diagnose(real);
    for (const source of real.tables.sources) {
      const folds = foldingOf(real, report, source.id, 500);
      expect(folds.length).toBeLessThanOrEqual(500);
      for (const [index, fold] of folds.entries()) {
        expect(fold.lastLine).toBeGreaterThan(fold.firstLine);
        for (const other of folds.slice(index + 1)) {
          const apart = other.firstLine > fold.lastLine;
          const inside = other.firstLine > fold.firstLine && other.lastLine <= fold.lastLine;
          expect(apart || inside).toBe(true);
        }
      }
    }
    const folds = foldingOf(real, report, 0, 5000);
    const flood = report.episodes.find((episode) => episode.count > 3 && episode.file.endsWith('trace.txt'));
    expect(flood).toBeDefined();
    expect(folds.some((fold) => fold.firstLine <= flood!.firstLine && fold.lastLine >= flood!.firstLine)).toBe(true);
  });

  it('folds adjacent messages of one device', () => {
    const line = (i: number) =>
      `[    2.00000${i}] mt7615e 0000:01:00.0: swiotlb buffer is full (sz: 3776 bytes), total 32768 (slots), used 32768 (slots)`;
    const log = analysisOf({ 'dmesg.txt': ['[    1.0] x', ...[0, 1, 2, 3, 4].map(line), '[    3.0] y'] });
    expect(foldingOf(log, diagnose(log), 0, 10)).toEqual([{ firstLine: 2, lastLine: 6 }]);
  });
});
