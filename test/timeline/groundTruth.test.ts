import { describe, expect, it } from 'vitest';
import type { TraceTables } from '../../src/model/tables';
import { readFixtureText } from '../support/fixtures';
import { compareWithDriver, type DriverOp, parseOps } from '../support/groundTruth';
import { createFeeder } from '../support/timelineDsl';

/** Ways a user may have recorded the same run: which lines are there, and what they carry. */
const variants: Record<string, (line: string) => string> = {
  'all events': (line) => line,
  'tracepoints only': (line) => (/ (dma_|swiotlb_bounced|console)/.test(line) ? line : ''),
  'dma events only': (line) => (/ (dma_|console)/.test(line) ? line : ''),
  'probes only': (line) => (/: (un)?map(_ret)?: /.test(line) ? line : ''),
  'map return and unmap entry only': (line) => (/: (unmap|map_ret): /.test(line) ? line : ''),
  'return probes without arguments (6.1)': (line) => line.replace(/(map_ret: \(.*?\)).*(tlb=\S+)/, '$1 $2'),
  'fprobe recipe': (line) => (/ (dma_|swiotlb_bounced|console|unmap:|map_ret:)/.test(line) ? line : ''),
  'probes and swiotlb_bounced': (line) => (/ (swiotlb_bounced|unmap:|map:|map_ret:)/.test(line) ? line : ''),
  'without flags': (line) => line.replace(/(\[\d+\]) \S{5} /, '$1 '),
};
const withoutProbes = new Set(['tracepoints only', 'dma events only']);
const withoutDma = new Set(['probes only', 'map return and unmap entry only', 'probes and swiotlb_bounced']);

function load(name: string, variant: string): TraceTables {
  const feeder = createFeeder();
  const source = feeder.open('trace.txt');
  feeder.feed(source, readFixtureText(`timeline/${name}.trace.txt`).split('\n').map(variants[variant]).join('\n'));
  return feeder.tables();
}

function check(name: string, variant: string): void {
  const tables = load(name, variant);
  const isVisible = (op: DriverOp): boolean => op.api === 'dma' || !withoutProbes.has(variant);
  const comparison = compareWithDriver(
    tables,
    parseOps(readFixtureText(`timeline/${name}.ops.csv`)),
    isVisible,
    !withoutDma.has(variant),
  );
  expect(comparison.differences.slice(0, 10)).toEqual([]);
  expect(comparison.maps).toBeGreaterThan(200);
}

describe('requests equal what the driver did', () => {
  for (const variant of Object.keys(variants)) {
    it(`serial, ${variant}`, () => check('serial', variant));
    it(`concurrent, ${variant}`, () => check('concurrent', variant));
  }
  it('growing pools', () => check('dynamic', 'all events'));
  it('a machine that does not bounce', () => check('direct', 'all events'));
  it('addresses refused by dma_capable', () => check('mask30', 'all events'));
});

describe('the comparison itself', () => {
  it('notices a swapped address, a lost unmap and a wrong outcome', () => {
    const ops = parseOps(readFixtureText('timeline/serial.ops.csv'));
    const tables = load('serial', 'all events');
    const served = ops.findIndex((op) => op.op === 'M' && !Number.isNaN(op.dma));
    const changed = ops.map((op, index) => (index === served ? { ...op, dma: op.dma + 2048 } : op));
    expect(compareWithDriver(tables, changed).differences).toHaveLength(1);
    const failed = ops.map((op, index) => (index === served ? { ...op, dma: Number.NaN } : op));
    expect(compareWithDriver(tables, failed).differences).toHaveLength(1);
    const unmap = ops.findIndex((op) => op.op === 'U');
    expect(compareWithDriver(tables, ops.toSpliced(unmap, 1)).differences).toHaveLength(1);
  });
});
