import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { ledgerOf } from '../../src/analysis/ledger';
import { fixturePath, readFixture } from '../support/fixtures';

function analyse(sources: Readonly<Record<string, string | Uint8Array>>): Analysis {
  const builder = createAnalysis();
  for (const [name, content] of Object.entries(sources)) {
    const source = builder.openSource({ path: name });
    source.push(typeof content === 'string' ? new TextEncoder().encode(content) : content);
    source.end();
  }
  return builder.snapshot();
}

const ledger = (sources: Readonly<Record<string, string | Uint8Array>>) => ledgerOf(analyse(sources));

/** Every file of the fixtures that a user could open, without the suffix of its compression. */
function inputs(): string[] {
  return ['bundle/capture', 'logs', 'reports', 'timeline', 'trace'].flatMap((folder) =>
    readdirSync(fixturePath(folder))
      .filter((name) => name !== 'README.md' && statSync(path.join(fixturePath(folder), name)).size < 1_000_000)
      .map((name) => `${folder}/${name.replace(/\.(?:gz|zst)$/, '')}`),
  );
}

const head = '# tracer: nop\n#\n# entries-in-buffer/entries-written: 4/10   #P:2\n#\n';
const event = (cpu: number, time: string) =>
  `   a-1   [00${cpu}] d....   ${time}: swiotlb_bounced: dev_name: d dma_mask=ffffffff dev_addr=100000000 size=512 FORCE\n`;
const overwritten = head + event(0, '1.000000') + event(0, '1.500000') + event(1, '1.750000') + event(0, '2.000000');

describe('ledger', () => {
  it.each(inputs())('%s: parts add up to the lines, examples lie within, shares to the score', (name) => {
    const base = path.basename(name);
    const report = ledger({ [base]: readFixture(name) });
    const [source] = report.sources;
    expect(source.understood + source.counted + source.notUnderstood).toBe(source.lines);
    expect([report.understood, report.counted, report.notUnderstood]).toEqual([
      source.understood,
      source.counted,
      source.notUnderstood,
    ]);
    expect(Object.values(source.countedByName).reduce((sum, count) => sum + count, 0)).toBe(source.counted);
    expect(source.notUnderstoodExamples.length).toBe(Math.min(10, source.notUnderstood));
    expect(source.notUnderstoodExamples.every(({ line }) => line >= 1 && line <= source.lines)).toBe(true);
    const { score, parts } = report.completeness;
    expect(parts.reduce((sum, { weight }) => sum + weight, 0)).toBe(100);
    expect(score).toBe(Math.floor(parts.reduce((sum, { got }) => sum + got, 0) + 1e-9));
    for (const { got, weight, howToImprove } of parts) {
      expect(got >= 0 && got <= weight).toBe(true);
      expect(howToImprove === null).toBe(got === weight);
    }
  });

  it('counts what kprobes missed, of probes on bounce buffer functions only', () => {
    const profile = (name: string, missed: number) =>
      `  ${name.padEnd(44)} ${'100'.padStart(15)} ${`${missed}`.padStart(15)}\n`;
    const definitions = 'p:swl/unmap __swiotlb_tbl_unmap_single tlb=$arg2:x64\np:mine/other vfs_read\n';
    const statistics = profile('unmap', 20) + profile('other', 7);
    const report = ledger({ 'kprobe_events.txt': definitions, 't.txt': overwritten, 'kprobe_profile.txt': statistics });
    expect(report.probeLosses).toEqual([
      {
        probe: 'unmap',
        symbol: '__swiotlb_tbl_unmap_single',
        hits: 100,
        missed: 20,
        file: 'kprobe_profile.txt',
        line: 1,
      },
    ]);
    const all = ledger({ 't.txt': overwritten, 'kprobe_profile.txt': statistics });
    expect(all.probeLosses.map(({ missed }) => missed)).toEqual([20, 7]);
    expect(report.lost - ledger({ 't.txt': overwritten }).lost).toBe(20);
  });

  it('counts losses of the ring buffer once, whoever names them', () => {
    const stats = (overrun: number, dropped: number) =>
      `== cpu0\nentries: 3\noverrun: ${overrun}\ncommit overrun: 0\ndropped events: ${dropped}\n== cpu1\noverrun: 0\n`;
    const trace = ledger({ 't.txt': overwritten });
    expect(trace.lost).toBe(6);
    expect(ledger({ 't.txt': overwritten, 'ring_stats.txt': stats(6, 0) }).lost).toBe(6);
    const more = ledger({ 't.txt': overwritten, 'ring_stats.txt': stats(6, 2) });
    expect(more.lost).toBe(8);
    expect(more.ringLosses).toEqual([{ cpu: 0, overwritten: 6, dropped: 2, file: 'ring_stats.txt', line: 3 }]);
    const grep = 'per_cpu/cpu1/stats:overrun: 5\nper_cpu/cpu1/stats:bytes: 5\n';
    expect(ledger({ 't.txt': overwritten, 'stats.txt': grep }).ringLosses).toMatchObject([{ cpu: 1, overwritten: 5 }]);
  });

  it('knows from when on all CPUs are in the trace', () => {
    expect(ledger({ 't.txt': overwritten }).earliestCommonTimeNs).toBe(0.75e9);
    // CPU 1 lost nothing, so it had nothing to say before.
    const stats = '== cpu0\noverrun: 6\n== cpu1\noverrun: 0\n';
    expect(ledger({ 't.txt': overwritten, 'ring_stats.txt': stats }).earliestCommonTimeNs).toBe(0);
    expect(ledger({ 't.txt': overwritten.replace('4/10', '4/4') }).earliestCommonTimeNs).toBeNull();
    const ticks = overwritten.replace(/ (\d)\.(\d{6}):/g, ' $1$2:');
    expect(ledger({ 't.txt': ticks }).earliestCommonTimeNs).toBeNull();
  });

  it('names lost events by CPU, jumps of the clock, cut lists and held-back messages', () => {
    const text =
      event(0, '5.000000') +
      'CPU:1 [LOST 137 EVENTS]\n' +
      event(1, '3.000000') +
      '   a-1   [000] d....   6.000000: dma_map_sg: d dir=TO_DEVICE nents=2/200 ents=2/200 [TRUNCATED] dma_addrs={0x7da8e000,0x7da8f000} sizes={0x1000,0x1000} phys_addrs={0x1000,0x2000} attrs=\n';
    const report = ledger({
      't.txt': text,
      'dmesg.txt': '[    5.0] swiotlb_tbl_map_single: 49 callbacks suppressed\n',
    });
    expect(report.sources[0]).toMatchObject({
      lostEvents: 137,
      lostByCpu: { 1: 137 },
      clockJumps: 1,
      firstClockJumpLine: 3,
      overwritten: null,
    });
    expect(report.truncatedLists).toBe(1);
    expect(report.suppressedMessages).toBe(49);
    expect(report.notes.map(({ text: note }) => note).join(' ')).toMatch(/128 at most/);
  });
});

describe('completeness', () => {
  const score = (sources: Readonly<Record<string, string | Uint8Array>>) => ledger(sources).completeness.score;
  const boot = readFixture('timeline/full.dmesg.txt');

  it('rises with what is recorded', () => {
    const log = score({ 'dmesg.txt': boot });
    const attempts = score({ 't.txt': readFixture('trace/debian61-bounced.txt') });
    const events = score({ 't.txt': readFixture('timeline/full.trace.txt') });
    const both = score({ 't.txt': readFixture('timeline/full.trace.txt'), 'dmesg.txt': boot });
    expect(log).toBeLessThan(attempts);
    expect(attempts).toBeLessThan(events);
    expect(events).toBeLessThanOrEqual(both);
    expect(both).toBeGreaterThan(90);
    expect(score({ 't.txt': '' })).toBe(0);
  });

  it('falls with what was lost', () => {
    const whole = score({ 't.txt': overwritten.replace('4/10', '4/4') });
    expect(score({ 't.txt': overwritten })).toBeLessThan(whole);
  });
});
