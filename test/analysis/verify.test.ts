import { describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { verifyReport } from '../../src/analysis/verify';
import { readFixture } from '../support/fixtures';

describe('verify report', () => {
  it('adds up and is plain data', () => {
    const builder = createAnalysis();
    for (const path of ['mask30.trace.txt', 'mask30.dmesg.txt']) {
      const source = builder.openSource({ path });
      source.push(readFixture(`verify/${path}`));
      source.end();
    }
    const report = verifyReport(builder.snapshot());
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    expect(report).toMatchObject({
      generation: '6.12',
      requests: 454,
      checked: 454,
      exact: 454,
      learned: 0,
      undecided: 0,
      mismatched: [],
      mismatchedCount: 0,
      skipped: {},
    });
  });

  it('names line, record and model of a mismatch', () => {
    const text = new TextDecoder().decode(readFixture('verify/mask30.trace.txt'));
    const lines = text.split('\n');
    // Not among the first ones: those show where the areas' indices stand.
    const at = lines.findIndex((line, index) => index > 600 && / map_ret: .*swlab\.3.* tlb=0x/.test(line));
    const wrong = lines[at].replace(
      /tlb=0x([0-9a-f]+)/,
      (_, address) => `tlb=0x${(Number.parseInt(address, 16) + 0x40000).toString(16)}`,
    );
    const builder = createAnalysis();
    const source = builder.openSource({ path: 'trace.txt' });
    source.push(new TextEncoder().encode(lines.with(at, wrong).join('\n')));
    source.end();
    const dmesg = builder.openSource({ path: 'dmesg.txt' });
    dmesg.push(readFixture('verify/mask30.dmesg.txt'));
    dmesg.end();
    const report = verifyReport(builder.snapshot());
    expect(report.mismatchedCount).toBeGreaterThan(0);
    expect(report.mismatched[0]).toMatchObject({ line: at + 1, recorded: /tlb=(0x[0-9a-f]+)/.exec(wrong)?.[1] });
    expect(report.mismatched[0].why).toContain('the search finds slot');
  });
});
