import { describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { info } from '../../src/analysis/info';

function infoOf(text: string) {
  const builder = createAnalysis();
  const source = builder.openSource({ path: 'input.txt' });
  source.push(new TextEncoder().encode(text));
  source.end();
  return info(builder.snapshot());
}

const log = [
  '[    0.000000] Linux version 6.1.0-56-cloud-amd64 (x@y) #1 SMP',
  '[    0.000000] software IO TLB: area num 4.',
  '[    0.888804] software IO TLB: mapped [mem 0x000000007da8e000-0x000000007db8e000] (1MB)',
  '[    1.000000] random: crng init done',
  '',
].join('\n');

describe('info', () => {
  it('counts lines so that the parts add up', () => {
    const report = infoOf(log);
    expect(report.lines).toBe(4);
    expect(report.ledger.understood + report.ledger.counted + report.ledger.notUnderstood).toBe(report.lines);
    expect(report).toMatchObject({ file: 'input.txt', format: 'kernel-log', events: 0, requests: 0, bounced: 0 });
  });

  it('names the pool with its evidence', () => {
    const { geometry } = infoOf(log);
    expect(geometry.pools).toEqual([{ start: '0x7da8e000', slots: 512, areas: 4, kind: 'boot' }]);
    expect(geometry.kernel).toBe('6.1');
    expect(geometry.evidence['pools[0].start']).toMatchObject({ level: 'recorded', line: 3, file: 'input.txt' });
  });

  it('leaves null what nothing tells', () => {
    const { geometry, firstTimeNs } = infoOf('plain text\n');
    expect(geometry.kernel).toBeNull();
    expect(geometry.cpus).toBeNull();
    expect(geometry.pools.every((pool) => pool.start === null)).toBe(true);
    expect(firstTimeNs).toBeNull();
  });

  it('counts events, understood or not, but no log lines', () => {
    const line = (name: string, fields: string) => `   a-1   [000] .....     1.000000: ${name}: ${fields}\n`;
    const report = infoOf(
      line('swiotlb_bounced', 'dev_name: d dma_mask=ffffffff dev_addr=100000000 size=512 FORCE') +
        line('sched_switch', 'a=b') +
        '# comment\n' +
        log,
    );
    expect(report.events).toBe(2);
    expect(report.requests).toBe(1);
  });
});
