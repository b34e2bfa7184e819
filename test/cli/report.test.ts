import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCli, type Cli } from '../support/cli';

const sample = fileURLToPath(new URL('../../media/samples/full-1MiB', import.meta.url));

let cli: Cli;
let page: string;

beforeAll(async () => {
  cli = await buildCli();
  const target = path.join(cli.folder, 'report.html');
  const { code, out, err } = cli.run(['report', sample, '-o', target]);
  expect([code, out, err]).toEqual([0, '', '']);
  page = readFileSync(target, 'utf8');
});
afterAll(() => {
  cli.remove();
});

/** Numbers as the report prints them. */
const printed = (value: unknown): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

describe('summarize', () => {
  const rowsOf = (out: string) =>
    out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it('gives a row per input, also for what cannot be read', () => {
    const log = path.join(cli.folder, 'dmesg.txt');
    writeFileSync(
      log,
      '[    5.075738] nvme 0000:00:05.0: swiotlb buffer is full (sz: 57344 bytes), total 512 (slots), used 494 (slots)\n',
    );
    const absent = path.join(cli.folder, 'absent.txt');
    const { code, out } = cli.run(['summarize', sample, absent, log]);
    const [capture, missing, logOnly] = rowsOf(out);
    expect(code).toBe(3);
    expect(capture).toMatchObject({ file: sample, poolSlots: 512, poolAreas: 4, cpus: 4, kernel: '6.12' });
    expect(missing).toMatchObject({ file: absent, error: expect.stringContaining('absent.txt') });
    expect(logOnly).toMatchObject({
      file: log,
      failed: 1,
      failuresByCause: { 'pool-full': 1 },
      largestFailedBytes: 57344,
      durationNs: 0,
      usedHighWaterSlots: null,
    });
  });

  it('agrees with the other commands', () => {
    const [row] = rowsOf(cli.run(['summarize', sample]).out);
    const { failures, episodes } = cli.json(['diagnose', sample]) as unknown as Record<string, object[]>;
    expect(row).toMatchObject({ failed: failures!.length, episodes: episodes!.length });
    const facts = cli.json(['info', sample]);
    expect(row).toMatchObject({ lines: facts['lines'], requests: facts['requests'], bounced: facts['bounced'] });
    const { devices } = cli.json(['devices', sample]) as unknown as { devices: { name: string; peakSlots: number }[] };
    expect(row).toMatchObject({ largestHolder: devices[0]!.name, largestHolderSlots: devices[0]!.peakSlots });
    expect(row!['understood']).toBeGreaterThan(0);
  });

  it('has the gates of the others', () => {
    expect(cli.run(['summarize', sample, '--fail-on', 'failed > 0']).code).toBe(1);
    expect(cli.run(['summarize', sample, '--fail-on', 'usedHighWaterSlots > capacityPeakSlots']).code).toBe(0);
  });

  it('writes the same rows as Parquet: typed, unknown as null, unreadable inputs with their error', async () => {
    const log = path.join(cli.folder, 'boot.txt');
    writeFileSync(log, '[    0.888804] software IO TLB: mapped [mem 0x000000007da8e000-0x000000007db8e000] (1MB)\n');
    const target = path.join(cli.folder, 'fleet.parquet');
    const { code, out } = cli.run(['summarize', sample, 'absent.txt', log, '--parquet', target]);
    expect(code).toBe(3);
    const { buffer } = new Uint8Array(readFileSync(target));
    const told = rowsOf(out);
    const read = await parquetReadObjects({ file: buffer });
    expect(read).toHaveLength(told.length);
    for (const [index, { failuresByCause, ...row }] of told.entries()) {
      const flat = Object.fromEntries(
        Object.entries(failuresByCause ?? {}).map(([cause, count]) => [`failuresByCause.${cause}`, count]),
      );
      const known = Object.fromEntries(
        Object.entries(read[index]!)
          .map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value] as const)
          .filter(([name, value]) => value !== null && (!name.startsWith('failuresByCause.') || value !== 0)),
      );
      expect(known).toEqual(
        Object.fromEntries(Object.entries({ ...row, ...flat }).filter(([, value]) => value !== null)),
      );
    }
    // What an input does not tell is null, also where it is a count; what cannot be read knows nothing at all.
    expect(read[2]).toMatchObject({ usedHighWaterSlots: null, largestHolder: null, error: null, failed: 0n });
    expect(read[1]).toMatchObject({ failed: null, requests: null, 'failuresByCause.pool-full': null, warnings: null });
    const typeOf = new Map(parquetMetadata(buffer).schema.map((column) => [column.name, column.type]));
    expect(typeOf.get('requests')).toBe('INT64');
    expect(typeOf.get('durationNs')).toBe('DOUBLE');
    expect(typeOf.get('dynamic')).toBe('BOOLEAN');
    expect(typeOf.get('largestHolder')).toBe('BYTE_ARRAY');
  });

  it('has the same Parquet columns whatever could be read, and wants a file for them', () => {
    const columns = (name: string) => {
      const { buffer } = new Uint8Array(readFileSync(path.join(cli.folder, name)));
      return parquetMetadata(buffer).schema.map((column) => [column.name, column.type]);
    };
    cli.run(['summarize', sample, '--parquet', 'one.parquet']);
    cli.run(['summarize', 'absent.txt', '--parquet', 'other.parquet']);
    expect(columns('other.parquet')).toEqual(columns('one.parquet'));
    expect(cli.run(['summarize', sample, '--parquet', '-']).code).toBe(2);
    const { code, err } = cli.run(['summarize', sample, '--parquet', 'no-such-folder/out.parquet']);
    expect([code, err]).toEqual([3, expect.stringContaining('no-such-folder')]);
  });
});

describe('report', () => {
  it('is one page that loads nothing and runs nothing', () => {
    expect(page).toMatch(/^<!DOCTYPE html>/);
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(page).not.toMatch(/<(script|link|img|iframe|object|embed|base|form)\b|\bon\w+=|javascript:|@import|url\(/i);
    expect(page).not.toMatch(/\b(src|href)=/);
    expect(page).not.toMatch(/https?:\/\//);
  });

  it('says what the other commands say', () => {
    const { failures } = cli.json(['diagnose', sample]) as unknown as { failures: object[] };
    expect(page).toContain(`${printed(failures.length)} mappings failed:`);
    const compared = cli.json(['compare', sample, '--policies', 'fixed,transient,dynamic']) as unknown as {
      results: { policy: string; failed: number; served: number }[];
    };
    for (const { policy, failed, served } of compared.results) {
      const row = `<td>${policy}</td><td>modelled</td><td class="n">${printed(failed)}</td><td class="n">${printed(served)}</td>`;
      expect(page).toContain(row);
    }
    const size = cli.json(['size', sample]) as unknown as { smallest: { bootParameter: string }[] };
    expect(page).toContain(`<td>${size.smallest[0]!.bootParameter}</td>`);
    const verify = cli.json(['verify', sample]) as unknown as { checked: number };
    expect(page).toContain(`of ${printed(verify.checked)} recorded results`);
  });

  it('draws the use of the pool and the failures by size', () => {
    expect(page.match(/<svg viewBox="0 0 960 /g)).toHaveLength(2);
    expect(page.match(/class="area /g)).toHaveLength(4);
    expect(page.match(/class="mark"/g)!.length).toBeGreaterThan(0);
    expect(page).not.toMatch(/NaN|Infinity|undefined|\bnull\b/);
  });

  it('is the same each time', () => {
    expect(cli.run(['report', sample]).out).toBe(page);
  });

  it('shows markup of a trace as text', () => {
    const event = 'swiotlb_bounced: dev_name: <script>alert(1)</script> dma_mask=ffffffff dev_addr=1000 size=512 FORCE';
    const trace = path.join(cli.folder, '<img src=x onerror=y>.txt');
    writeFileSync(trace, `# tracer: nop\n          <idle>-0       [000] d..1.     1.000000: ${event}\n`);
    const html = cli.run(['report', trace]).out;
    expect(html).toContain('&lt;img src=x onerror=y&gt;.txt');
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(html).not.toContain('<img');
    expect(html).not.toContain('<script');
    const markdown = cli.run(['report', trace, '--format', 'md']).out;
    expect(markdown).not.toMatch(/(?<!\\)<(img|script)/);
  });

  it('is Markdown where the name says so', () => {
    const target = path.join(cli.folder, 'report.md');
    const { code, out } = cli.run(['report', sample, '--no-size', '--policies', 'dynamic', '-o', target, '--json']);
    const text = readFileSync(target, 'utf8');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ format: 'md', output: target, policies: ['recorded', 'dynamic'] });
    expect(text).toMatch(/^# SWIOTLB report: full-1MiB\n\n\*\*\d+ mappings failed: /);
    expect(text).not.toContain('## Pool size');
    expect(text).toMatch(/\n\| dynamic \| modelled \| 0 \| /);
  });

  it('tells what a log proves, and how to record more', () => {
    const { code, out } = cli.run(['report', '-'], {
      input:
        '[    5.075738] nvme 0000:00:05.0: swiotlb buffer is full (sz: 57344 bytes), total 512 (slots), used 494 (slots)\n',
    });
    expect(code).toBe(0);
    expect(out).toContain('<h2>Why it failed</h2>');
    expect(out).toContain('<h2>What to do next</h2>');
    expect(out).not.toContain('<h2>Policies</h2>');
  });

  it('says what a trace without bounced mappings lacks, and shows it as a dry run', () => {
    const direct = path.join(path.dirname(sample), 'scenarios', 'small-arm.txt');
    const plain = cli.run(['report', direct, '--no-size', '--format', 'md']).out;
    expect(plain).toContain('No request of this trace can be replayed');
    expect(plain).toContain('a dry run can replay them');
    const dry = cli.run(['report', direct, '--no-size', '--format', 'md', '--bounce-all', '--policies', 'fixed']).out;
    expect(dry).toMatch(/\| fixed \| modelled \| \d/);
    expect(dry).not.toContain('| recorded | recorded |');
    expect(dry).toContain('Dry run for a confidential VM');
    expect(plain).not.toContain('Dry run for a confidential VM');
  });

  it('keeps the exit codes of the other commands', () => {
    expect(cli.run(['report', path.join(cli.folder, 'absent.txt')]).code).toBe(3);
    expect(cli.run(['report', sample, '--no-size', '--fail-on', 'failures.length > 0']).code).toBe(1);
    expect(cli.run(['report', sample, '--json']).code).toBe(2);
    expect(cli.run(['report', sample, '-o', path.join(cli.folder, 'no', 'such', 'folder.html')]).code).toBe(3);
  });
});
