import { describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { diagnose } from '../../src/analysis/diagnose';
import { readFixtureText } from '../support/fixtures';

interface PostedLine {
  readonly id: string;
  readonly kind: 'failure' | 'boot' | 'trace';
  readonly text: string;
  readonly causes?: readonly string[];
}

const posted = readFixtureText('logs/kernel-lines.jsonl')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as PostedLine);

function diagnoseText(text: string) {
  const builder = createAnalysis();
  const source = builder.openSource({ path: 'dmesg.txt' });
  source.push(new TextEncoder().encode(`${text}\n`));
  source.end();
  return diagnose(builder.snapshot());
}

describe('lines that people posted', () => {
  it.each(posted.filter((line) => line.kind === 'failure'))('$id is one failure with a right cause', (line) => {
    const report = diagnoseText(line.text);
    expect(report.failures).toHaveLength(1);
    const [failure] = report.failures;
    expect(line.causes).toContain(failure!.cause);
    expect(failure!.advice.length).toBeGreaterThan(0);
    if (failure!.cause === 'over-size' || failure!.cause === 'address-limit') {
      expect(failure!.advice.join(' ')).not.toMatch(/swiotlb=\d|Enlarge|larger pool/);
    }
    if (failure!.cause === 'unknown') {
      expect(failure!.message).toMatch(/no counters/);
    }
  });

  it.each(posted.filter((line) => line.kind === 'boot'))('$id is a fact about boot, not a failure', (line) => {
    const report = diagnoseText(line.text);
    expect(report.failures).toHaveLength(0);
    expect(report.boot).toHaveLength(1);
  });

  it('all in one log are as many failures as there were, second messages joined to the first', () => {
    const failures = posted.filter((line) => line.kind === 'failure');
    const report = diagnoseText(failures.map((line) => line.text).join('\n'));
    const lines = new Set(
      report.failures.flatMap((found) => [found.line, ...found.related.map((place) => place.line)]),
    );
    expect(lines.size).toBe(failures.length);
    const second = failures.filter((line) => /Out of SW-IOMMU|coherent allocation failed/.test(line.text));
    expect(report.failures.length).toBeGreaterThanOrEqual(failures.length - second.length);
    expect(report.failures.length).toBeLessThan(failures.length);
  });

  it('of cc-swiotlb: a warning and its message are one failure, classes are no slots', () => {
    const device = 'nvme 0000:00:05.0: ';
    const report = diagnoseText(
      [
        `[    5.140900] ${device}Fail to alloc cc swiotlb slot`,
        `[    5.140920] ${device}No memory for cc-swiotlb buffer (sz: 8192 bytes)`,
        `[    5.240920] ${device}No memory for cc-swiotlb buffer (sz: 1048576 bytes)`,
        '[    6.300000] cc-swiotlb: No memory for cc swiotlb!',
        '[    7.100000] virtio_net virtio0: Fail to alloc cc swiotlb slot',
        `[    8.100000] ${device}Fail to insert index with error 0xfffffff4`,
        `[    8.100010] ${device}No memory for cc-swiotlb buffer (sz: 4096 bytes)`,
        `[    9.100000] ${device}Fail to insert index with error 0xfffffff4`,
      ].join('\n'),
    );
    expect(report.failures.map(({ line, cause, device: name }) => [line, cause, name])).toEqual([
      [2, 'class-empty', '0000:00:05.0'],
      [3, 'over-size', '0000:00:05.0'],
      [5, 'class-empty', 'virtio0'],
      [7, 'allocation-failed', '0000:00:05.0'],
      [8, 'allocation-failed', '0000:00:05.0'],
    ]);
    expect(report.failures[3].message).toMatch(/index/);
    expect(report.failures[0].related.map((place) => place.line)).toEqual([1]);
    expect(report.failures[0].message).toMatch(/8 KiB.*16 KiB/);
    expect(report.failures[1].message).toContain('512 KiB per mapping');
    expect(report.failures[0].advice.join(' ')).toContain('cc_swiotlb=');
    // It has neither transient pools nor segments of 128 slots.
    for (const { advice } of report.failures) {
      expect(advice.join(' ')).not.toMatch(/transient|128 slots|[^_]swiotlb=/);
    }
  });

  it('a flood of a whole boot is one episode, suppressed messages counted once', () => {
    const report = diagnoseText(readFixtureText('logs/flood-console.txt'));
    const printed = readFixtureText('logs/flood-console.txt').split('swiotlb buffer is full').length - 1;
    expect(report.failures.length).toBe(printed);
    expect(report.episodes.length).toBe(1);
    const suppressed = [...readFixtureText('logs/flood-console.txt').matchAll(/single: (\d+) callbacks/g)];
    expect(report.episodes[0]!.suppressed).toBe(suppressed.reduce((sum, match) => sum + Number(match[1]), 0));
  });

  it('a log that begins inside a flood says how many messages it lacks', () => {
    const full = 'nvme 0000:00:05.0: swiotlb buffer is full (sz: 4096 bytes), total 512 (slots), used 512 (slots)';
    const report = diagnoseText(`[  9.1] swiotlb_tbl_map_single: 1144 callbacks suppressed\n[  9.2] ${full}`);
    expect(report.warnings.map(({ code, line }) => [code, line])).toEqual([['suppressed-messages', 1]]);
    expect(report.episodes[0]).toMatchObject({ count: 1, suppressed: 0 });
    expect(report.ledger.lost).toBe(1144);
  });
});
