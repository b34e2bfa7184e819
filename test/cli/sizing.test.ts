import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCli, type Cli } from '../support/cli';

const samples = fileURLToPath(new URL('../../media/samples/scenarios/', import.meta.url));
const sample = (name: string) => path.join(samples, `${name}.txt`);
let cli: Cli;

beforeAll(async () => {
  cli = await buildCli();
});
afterAll(() => cli.remove());

function fullLine(bytes: number, total: number, used: number): string {
  return `[    1.000000] nvme 0000:00:05.0: swiotlb buffer is full (sz: ${bytes} bytes), total ${total} (slots), used ${used} (slots)\n`;
}

describe('size', () => {
  it('has the fields of the contract', () => {
    const report = cli.json([
      'size',
      sample('small-arm'),
      '--bounce-all',
      '--policies',
      'fixed,dynamic',
      '--cpus',
      '2',
    ]);
    expect((report['curve'] as object[])[0]).toMatchObject({
      policy: 'fixed',
      slots: 512,
      areas: 2,
      bytes: 2 ** 20,
      failed: expect.any(Number),
      failureRatio: expect.any(Number),
      peakBytes: expect.any(Number),
    });
    expect((report['smallest'] as object[])[0]).toMatchObject({
      policy: 'fixed',
      slots: expect.any(Number),
      bootParameter: expect.stringMatching(/^swiotlb=\d+$/),
      bytesAfterRounding: expect.any(Number),
      headroom: 0.2,
    });
    expect(report).toHaveProperty('unusedBytes');
    expect((report['advice'] as string[]).join(' ')).toContain('The number counts slots');
  });

  it('keeps what the parameter of today says beside the size', () => {
    const { advice } = cli.json(['size', path.join(samples, '../full-1MiB'), '--policies', 'fixed']);
    expect((advice as string[]).join(' ')).toContain("Today's swiotlb=512,4,force bounces everything: write ,force");
  });

  it('says that no size helps what is above 256 KiB', () => {
    const { out, code } = cli.run(['size', sample('raspberry-pi-video')]);
    expect(code).toBe(0);
    expect(out).toContain('no pool size helps');
    expect(out).toContain('dma_max_mapping_size');
  });

  it('gates', () => {
    const gate = (expression: string) =>
      cli.run(['size', sample('small-arm'), '--bounce-all', '--policies', 'fixed', '--fail-on', expression]).code;
    expect(gate('curve.length > 1000')).toBe(0);
    expect(gate('curve.length > 1')).toBe(1);
  });
});

describe('compare', () => {
  it('puts two logs side by side', () => {
    const before = path.join(cli.folder, 'before.log');
    const after = path.join(cli.folder, 'after.log');
    writeFileSync(before, fullLine(57344, 512, 494) + fullLine(4096, 512, 512));
    writeFileSync(after, fullLine(57344, 32768, 32760));
    const report = cli.json(['compare', before, after, '--policies', 'fixed']);
    expect(report['logs']).toMatchObject([
      { file: before, failures: 2, failuresByCause: { 'pool-full': 2 }, totalSlots: 512, peakUsedSlots: 512 },
      { file: after, failures: 1, failuresByCause: { 'pool-full': 1 }, totalSlots: 32768, peakUsedSlots: 32760 },
    ]);
    const { out } = cli.run(['compare', before, after, '--policies', 'fixed']);
    expect(out).toContain('These are logs without requests');
    expect(out).toMatch(/before\.log +2 .* 512 +512/);
  });

  it('puts two traces side by side as a dry run', () => {
    const files = [sample('disk-hotplug'), sample('small-arm')];
    const report = cli.json(['compare', ...files, '--policies', 'fixed', '--bounce-all', '--pool-slots', '1024']);
    expect((report['results'] as { failed: number }[]).map((result) => result.failed > 0)).toEqual([true, false]);
    expect(report['best']).toMatchObject({ fewestFailures: files[1] });
    expect(report['logs']).toBeNull();
  });
});

describe('replay', () => {
  it('shows how much hangs on lifetimes that were assumed', () => {
    const report = cli.json(['replay', sample('raspberry-pi-video'), '--policy', 'fixed']);
    expect(report['sensitivity']).toBeNull();
    const trace = path.join(cli.folder, 'bounced.txt');
    const line = (index: number) =>
      `          <idle>-0       [000] ..s1.     1.${String(100000 + index * 100)}: swiotlb_bounced: dev_name: 0000:00:07.0 dma_mask=ffffffffffffffff dev_addr=${(0x100000000 + index * 8192).toString(16)} size=2048 FORCE`;
    writeFileSync(trace, `# tracer: nop\n#\n${Array.from({ length: 200 }, (_, index) => line(index)).join('\n')}\n`);
    const assumed = cli.json(['replay', trace, '--policy', 'fixed', '--pool-slots', '128', '--areas', '1']);
    expect(assumed['sensitivity']).toMatchObject({ assumedLifetimes: 200 });
    const { out } = cli.run(['replay', trace, '--policy', 'fixed', '--pool-slots', '128', '--areas', '1']);
    expect(out).toContain('75th percentile');
    const long = cli.json([
      'replay',
      trace,
      '--policy',
      'fixed',
      '--pool-slots',
      '128',
      '--set',
      'assumedLifetimeNs=1e9',
    ]);
    expect(long['failed']).toBe(72);
  });

  it('gives both answers while the class of a device is unknown', () => {
    const args = [
      'replay',
      sample('sev-guest-6-percent'),
      '--policy',
      'throttle',
      '--bounce-all',
      '--pool-slots',
      '8192',
    ];
    const open = cli.json(args)['classVariants'] as { unknownClass: string; stalls: { count: number } }[];
    expect(open.map(({ unknownClass }) => unknownClass)).toEqual(['other', 'block']);
    expect(open[0]!.stalls.count).toBe(0);
    expect(open[1]!.stalls.count).toBeGreaterThan(0);
    expect(cli.run(args).out).toContain('--class DEV=block decides');
    const told = cli.json([...args, '--class', '0000:00:04.0=block']);
    expect(told['classVariants']).toBeNull();
    const set = cli.json([...args, '--set', 'deviceClass=0000:00:04.0=block']);
    expect({ ...set, params: told['params'] }).toEqual(told);
    expect(cli.json(['replay', sample('small-arm'), '--policy', 'fixed', '--bounce-all'])['classVariants']).toBeNull();
  });

  it('compares policies with what each hangs on', () => {
    const args = [
      'compare',
      sample('sev-guest-6-percent'),
      '--policies',
      'fixed,throttle',
      '--bounce-all',
      '--pool-slots',
      '8192',
    ];
    const { results } = cli.json(args) as unknown as {
      results: { failed: number; classVariants: { unknownClass: string; failed: number }[] | null }[];
    };
    expect(results[0]!.classVariants).toBeNull();
    const [other, block] = results[1]!.classVariants!;
    expect(other!.failed).toBe(results[1]!.failed);
    expect(block!.failed).not.toBe(other!.failed);
    const { out } = cli.run(args);
    const printed = (count: number) => String(count).replace(/\B(?=(\d{3})+$)/g, ',');
    expect(out).toMatch(/failed {2}.*unknown as block/);
    expect(out).toMatch(new RegExp(`throttle +${printed(other!.failed)} .*${printed(block!.failed)}`));
  });

  it('gives both answers where no event tells which memory devices need', () => {
    const trace = [sample('small-arm'), '--bounce-all'];
    const replayed = cli.json(['replay', ...trace, '--policy', 'private-shared']);
    const both = replayed['attributeVariants'] as { devicesNeed: string; failed: number }[];
    expect(both.map(({ devicesNeed }) => devicesNeed)).toEqual(['shared', 'private']);
    expect(both[0]!.failed).toBe(replayed['failed']);
    const told = cli.json(['replay', ...trace, '--policy', 'private-shared', '--set', 'privateDevices=*']);
    expect(both[1]!.failed).toBe(told['failed']);
    expect(told['failed']).toBeGreaterThan(both[0]!.failed);
    expect(told['attributeVariants']).toBeNull();
    const args = ['--policies', 'private-shared,dynamic'];
    expect(cli.run(['compare', ...trace, ...args]).out).toContain('all need private');
    const { smallest } = cli.json(['size', ...trace, ...args]) as unknown as {
      smallest: { policy: string; variants: { name: string; failed: number; avoidable: number }[] }[];
    };
    const { variants } = smallest.find(({ policy }) => policy === 'private-shared')!;
    const needing = variants.find(({ name }) => name.includes('private memory'))!;
    expect(needing).toMatchObject({ failed: told['failed'], avoidable: 0 });
    expect(smallest.find(({ policy }) => policy === 'dynamic')!.variants).not.toContainEqual(
      expect.objectContaining({ name: needing.name }),
    );
    expect(cli.run(['size', ...trace, ...args]).out).toContain(needing.name);
    expect(cli.run(['report', ...trace, '--no-size', '--format', 'md', ...args]).out).toContain(
      'devices need: private',
    );
  });

  it('says whether the recommended size rests on assumed lifetimes', () => {
    const line = (name: string, us: number, fields: string) =>
      `  fio-1  [000] d..1.     1.${String(us).padStart(6, '0')}: ${name}: 0000:00:05.0 dir=TO_DEVICE ${fields}`;
    // Short and long mappings in turn fill 1 MiB; what fails then has a lifetime between 1 us and 900 us.
    const lines: string[] = ['# tracer: nop'];
    for (let i = 0; i < 400; i++) {
      const original = (0x100000000 + i * 65536).toString(16);
      const failed = i >= 20 && i % 4 === 3;
      const address = failed ? 'ffffffffffffffff' : (0x7da8e000 + (i % 16) * 65536).toString(16);
      lines.push(
        `  fio-1  [000] d..1.     1.${String(i * 4).padStart(6, '0')}: swiotlb_bounced: dev_name: 0000:00:05.0 dma_mask=ffffffffffffffff dev_addr=${original} size=65536 FORCE`,
      );
      lines.push(line('dma_map_page', i * 4 + 1, `dma_addr=${address} size=65536 phys_addr=${original} attrs=`));
      if (!failed) {
        lines.push(line('dma_unmap_page', i * 4 + 2, `dma_addr=${address} size=65536 attrs=`));
      }
    }
    const trace = path.join(cli.folder, 'lifetimes.txt');
    writeFileSync(trace, `${lines.join('\n')}\n`);
    const args = ['size', trace, '--policies', 'fixed', '--areas', '1'];
    const report = cli.json(args) as unknown as { smallest: { variants: { name: string; failed: number }[] }[] };
    expect(report.smallest[0]!.variants.map(({ name }) => name)).toEqual([
      '25th percentile of known lifetimes',
      '75th percentile of known lifetimes',
    ]);
    expect(cli.run(args).out).toMatch(/They would do as well|assumed otherwise/);
  });
});
