import { describe, expect, it } from 'vitest';
import { codeLensesOf, summaryOf } from '../../src/analysis/codeLenses';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { diagnose } from '../../src/analysis/diagnose';
import { type InlayHintMode, inlayHintsOf } from '../../src/analysis/inlayHints';
import { isRecovered } from '../../src/analysis/navigation';
import { describeNoFailure } from '../../src/analysis/verdict';
import { Outcome } from '../../src/model/tables';

const boot = [
  '[    0.000000] Command line: console=ttyS0 swiotlb=512,4,force',
  '[    0.000000] software IO TLB: area num 4.',
  '[    0.888804] software IO TLB: mapped [mem 0x0000000010000000-0x0000000010100000] (1MB)',
];
const full = (second: number, bytes: number, used: number) =>
  `[    ${second}.000000] nvme 0000:00:05.0: swiotlb buffer is full (sz: ${bytes} bytes), total 512 (slots), used ${used} (slots)`;
const head = (time: string) => `             fio-100     [003] d.h2.     ${time}: `;
const bounced = (time: string, original: string, size: number) =>
  `${head(time)}swiotlb_bounced: dev_name: 0000:00:05.0 dma_mask=ffffffff dev_addr=${original} size=${size} FORCE`;
const mapped = (time: string, original: string, size: number, dma: string) =>
  `${head(time)}dma_map_page: 0000:00:05.0 dir=TO_DEVICE dma_addr=${dma} size=${size} phys_addr=${original} attrs=`;

const trace = [
  bounced('1.000000', '200000000', 4096),
  mapped('1.000010', '200000000', 4096, '10040000'),
  bounced('1.000020', '200002000', 262144),
  mapped('1.000030', '200002000', 262144, 'ffffffffffffffff'),
  bounced('1.002000', '200002000', 262144),
  mapped('1.002010', '200002000', 262144, '10080000'),
  bounced('1.003000', '300000000', 131072),
  mapped('1.003010', '300000000', 131072, 'ffffffffffffffff'),
];

function analysisOf(...sources: readonly (readonly string[])[]) {
  const builder = createAnalysis();
  for (const [index, lines] of sources.entries()) {
    const source = builder.openSource({ path: `${index}.txt` });
    source.push(new TextEncoder().encode(`${lines.join('\n')}\n`));
    source.end();
  }
  return builder.snapshot();
}

describe('lenses', () => {
  it('say at the top what a trace holds, and at each episode what it is and what can be done', () => {
    const analysis = analysisOf(trace, boot);
    const report = diagnose(analysis);
    expect(summaryOf(analysis, report)).toMatch(/^2 of 4 bounced requests failed: /);
    const lenses = codeLensesOf(analysis, report, 0);
    expect(lenses.filter(({ line }) => line === 1).map(({ action }) => action)).toEqual([
      'problems',
      'replay',
      'size',
      'slotMap',
    ]);
    const first = report.episodes[0]!;
    const own = lenses.filter(({ line }) => line === first.firstLine);
    expect(own[0]).toMatchObject({ action: 'explain', cause: first.cause });
    expect(own.map(({ action }) => action)).toContain('slotMap');
    expect(codeLensesOf(analysis, report, 1).every(({ line }) => line === 1)).toBe(true);
  });

  it('offer no pool size where none helps, and no replay of a log', () => {
    const overSize = analysisOf([...boot, full(5, 524288, 3)]);
    const lenses = codeLensesOf(overSize, diagnose(overSize), 0);
    expect(lenses.map(({ action }) => action)).toEqual(['problems', 'capture', 'explain']);
    expect(lenses[0]!.title).toBe('1 mapping failed: over-size');
    expect(lenses[2]!.title).toBe('Over-size · 0000:00:05.0');
  });

  it('do not say that nothing failed where the trace does not tell', () => {
    const attempts = analysisOf([trace[0]!, trace[2]!], boot);
    const report = diagnose(attempts);
    expect(report.unknownResults).toBe(2);
    expect(codeLensesOf(attempts, report, 0)[0]!.title).toBe(
      '2 attempts to bounce: the trace does not tell whether any failed',
    );
    // The last attempt of a CPU was under way when the trace ended.
    expect(diagnose(analysisOf([...trace.slice(0, 2), trace[2]!], boot)).unknownResults).toBe(0);
    expect(describeNoFailure(report.unknownResults)).toMatch(/^No failure is recorded, but .* result of 2 attempts$/);
    expect(describeNoFailure(diagnose(analysisOf(trace.slice(0, 2), boot)).unknownResults)).toBe('No mapping failed');
  });

  it('say that nothing failed, and nothing about a file without requests', () => {
    const fine = analysisOf(trace.slice(0, 2), boot);
    expect(codeLensesOf(fine, diagnose(fine), 0)[0]).toMatchObject({
      title: '1 bounced request, none failed',
      action: null,
    });
    const empty = analysisOf(boot);
    expect(codeLensesOf(empty, diagnose(empty), 0)).toEqual([]);
  });

  it('leave ignored episodes out and say how many there are', () => {
    const log = analysisOf([...boot, full(5, 524288, 3), full(6, 4096, 512)]);
    const report = diagnose(log);
    expect(report.episodes.length).toBe(2);
    const lenses = codeLensesOf(log, report, 0, new Set([0]));
    expect(lenses.map(({ title }) => title)).toEqual(
      expect.arrayContaining(['1 episode ignored (1 failure): show again']),
    );
    expect(lenses.some(({ cause }) => cause === report.episodes[0]!.cause)).toBe(false);
    expect(lenses.some(({ cause }) => cause === report.episodes[1]!.cause)).toBe(true);
  });
});

describe('hints', () => {
  /** Each line with its hints in place, in brackets. */
  function hinted(
    lines: readonly string[],
    source: number,
    mode: InlayHintMode,
    ...sources: (readonly string[])[]
  ): string[] {
    const hints = inlayHintsOf(analysisOf(...sources), { source, firstLine: 1, texts: lines, mode });
    return lines.map((text, index) =>
      hints
        .filter(({ line }) => line === index + 1)
        .sort((a, b) => b.column - a.column)
        .reduce((shown, hint) => `${shown.slice(0, hint.column)}[${hint.text}]${shown.slice(hint.column)}`, text),
    );
  }

  it('say slots behind sizes, on failing lines or on all', () => {
    const failures = hinted(trace, 0, 'failures', trace, boot);
    expect(failures[1]).toBe(trace[1]);
    expect(failures[3]).toMatch(/size=262144\[= 128 slots\] .*attrs=\[← 2 or more of 512 slots used\]$/);
    expect(hinted(trace, 0, 'all', trace, boot)[1]).toContain('size=4096[= 2 slots]');
  });

  it('say what boot lines and messages come to', () => {
    const log = [...boot, full(5, 262144, 500)];
    expect(hinted(log, 0, 'failures', log)).toEqual([
      '[    0.000000] Command line: console=ttyS0 swiotlb=512,4,force[= 1 MiB]',
      '[    0.000000] software IO TLB: area num 4.[128 slots each]',
      '[    0.888804] software IO TLB: mapped [mem 0x0000000010000000-0x0000000010100000] (1MB)[= 512 slots]',
      '[    5.000000] nvme 0000:00:05.0: swiotlb buffer is full (sz: 262144 bytes[= 128 slots]), total 512 (slots)[= 1 MiB], used 500 (slots)[12 free]',
    ]);
  });
});

describe('a failed request', () => {
  it('is recovered when a later attempt got slots', () => {
    const analysis = analysisOf(trace, boot);
    const { outcome } = analysis.tables.requests.columns;
    const failed = [0, 1, 2, 3].filter((row) => outcome[row] === Outcome.failed);
    expect(failed.map((row) => isRecovered(analysis, row))).toEqual([true, false]);
  });
});
