import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { diagnose } from '../../src/analysis/diagnose';
import { geometryReport, info } from '../../src/analysis/info';
import { ledgerOf } from '../../src/analysis/ledger';
import { Outcome } from '../../src/model/tables';
import { listMembers } from '../../src/node/captureFolder';
import { fixturePath, readFixture, readFixtureText } from '../support/fixtures';

/** One analysis of several texts, in that order. */
function analyse(sources: Readonly<Record<string, string | Uint8Array>>): Analysis {
  const builder = createAnalysis();
  for (const [path, content] of Object.entries(sources)) {
    const source = builder.openSource({ path });
    source.push(typeof content === 'string' ? new TextEncoder().encode(content) : content);
    source.end();
  }
  return builder.snapshot();
}

const folder = 'bundle/capture';
function members(): Record<string, Uint8Array> {
  const names = listMembers(readdirSync(fixturePath(folder))).members.map((name) => name.replace(/\.gz$/, ''));
  return Object.fromEntries(names.map((name) => [name, readFixture(`${folder}/${name}`)]));
}

const boot = [
  '[    0.000000] Linux version 6.12.117 (x@y) #1 SMP',
  '[    0.000000] software IO TLB: area num 4.',
  '[    0.888804] software IO TLB: mapped [mem 0x000000007da8e000-0x000000007db8e000] (1MB)',
  '',
].join('\n');

describe('files of a bundle', () => {
  const frame = { schema_version: '0.1.1', session_id: 'cap-1' };
  const session = JSON.stringify({
    ...frame,
    device_catalog: { devices: [{ device_id: 'd000001', name: '0000:00:0c.0', driver: 'virtio-pci' }] },
  });
  const attempt = JSON.stringify({
    ...frame,
    ts_ns: '1000',
    kind: 'bounce_attempt',
    data: { device_id: 'd000001', requested_bytes: '98', forced: true, operation_id: 'op0' },
  });

  it('session.json and events.ndjson of memveil belong together, the names are read first', () => {
    const { members: found } = listMembers(['events.ndjson', 'session.json', 'dmesg.txt']);
    expect(found).toEqual(['session.json', 'events.ndjson', 'dmesg.txt']);
    const { tables } = analyse({ 'session.json': `${session}\n`, 'events.ndjson': `${attempt}\n` });
    const { device } = tables.requests.columns;
    expect(tables.devices[device[0]]).toMatchObject({ name: '0000:00:0c.0', driver: 'virtio-pci' });
  });

  const bounced =
    '     fio-7       [001] .....  5.000000: swiotlb_bounced: dev_name: 0000:00:05.0 dma_mask=ffffffff dev_addr=1000 size=4096 FORCE\n';

  it('an empty or strange one is no error beside a trace, and one when it stands alone', () => {
    const severities = (files: Readonly<Record<string, string>>) => analyse(files).problems.map((p) => p.severity);
    expect(severities({ 'trace.txt': bounced, 'config.txt': '', 'tracecmd.log': '' })).toEqual(['info', 'info']);
    expect(severities({ 'trace.txt': bounced, 'notes.txt': 'nothing of interest here\n' })).toEqual(['info']);
    expect(severities({ 'config.txt': '' })).toEqual(['error']);
    expect(severities({ 'config.txt': '', 'notes.txt': '' })).toEqual(['error', 'error']);
  });

  it('iomem.txt tells the RAM, and the pool where it is listed by name', () => {
    const ram = '00001000-0009fbff : System RAM\n00100000-7fffffff : System RAM\n  01000000-019fffff : Kernel code\n';
    const above = '100000000-13fffffff : System RAM\n';
    const report = (iomem: string) => geometryReport(analyse({ 'trace.txt': bounced, 'iomem.txt': iomem }));
    const { evidence } = report(ram + above);
    expect(evidence['memory']).toMatchObject({ level: 'recorded', file: 'iomem.txt', line: 1 });
    expect(evidence['memory']?.text).toContain('1 GiB above');
    expect(report(ram).evidence['memory']?.text).toContain('none above');
    expect(report('00000000-00000000 : System RAM\n').evidence).not.toHaveProperty('memory');
    expect(report(`${ram}  7a000000-7dffffff : software IO TLB\n`).pools).toEqual([
      expect.objectContaining({ kind: 'boot', start: '0x7a000000', slots: 32_768 }),
    ]);
  });

  it('a pool is known by its size where nothing tells its place', () => {
    const samples = 'mono_s,nslabs,used\n1.0,16384,255\n';
    const { pools } = geometryReport(analyse({ 'trace.txt': bounced, 'debugfs.csv': samples }));
    expect(pools).toEqual([expect.objectContaining({ kind: 'boot', start: null, slots: 16_384 })]);
    expect(geometryReport(analyse({ 'trace.txt': bounced })).pools).toEqual([]);
  });
});

describe('a bundle', () => {
  it('is one analysis whose facts name the file and line they come from', () => {
    const { evidence, ...geometry } = geometryReport(analyse(members()));
    expect(geometry).toMatchObject({ kernel: '6.12', dynamic: true, cpus: 4 });
    expect(evidence.kernel).toMatchObject({ file: 'uname.txt', line: 1 });
    expect(evidence.dynamic).toMatchObject({ file: 'config.txt', level: 'recorded' });
    expect(evidence['pools[0].start']).toMatchObject({ file: 'dmesg.txt' });
  });

  it('every file of it adds up to its lines', () => {
    const files = members();
    for (const source of ledgerOf(analyse(files)).sources) {
      const lines = Buffer.from(files[source.file]).toString().trimEnd().split('\n').length;
      expect(source.lines, source.file).toBe(lines);
      expect(source.understood + source.counted + source.notUnderstood, source.file).toBe(lines);
      expect(source.notUnderstood, source.file).toBe(0);
    }
  });

  it('gives the pool its size from cmdline.txt when nothing else names it', () => {
    const { 'cmdline.txt': cmdline } = members();
    const { evidence } = geometryReport(
      analyse({ 'cmdline.txt': cmdline, 'trace.txt': readFixture('trace/debian61-bounced.txt') }),
    );
    expect(evidence.defaultSlots).toMatchObject({
      file: 'cmdline.txt',
      line: 1,
      text: expect.stringMatching(/swiotlb=/),
    });
  });

  it('says whether the kernel is dynamic: by config, else by symbols, else by the probes', () => {
    const { 'config.txt': config, 'kallsyms_swiotlb.txt': symbols, 'kprobe_events.txt': probes } = members();
    const dynamic = (sources: Record<string, string | Uint8Array>) => {
      const report = geometryReport(analyse({ 'uname.txt': '6.12.1\n', ...sources }));
      return { dynamic: report.dynamic, file: report.evidence.dynamic.file, text: report.evidence.dynamic.text };
    };
    expect(dynamic({ 'config.txt': config, 'kallsyms.txt': symbols })).toMatchObject({
      dynamic: true,
      file: 'config.txt',
    });
    expect(dynamic({ 'kallsyms.txt': symbols })).toMatchObject({
      dynamic: true,
      file: 'kallsyms.txt',
      text: expect.stringMatching(/has the function swiotlb_dyn_alloc/),
    });
    expect(dynamic({ 'kprobe_events.txt': probes })).toMatchObject({
      dynamic: true,
      file: 'kprobe_events.txt',
      text: expect.stringMatching(/probe was set on the function swiotlb_dyn_alloc/),
    });
    const without = Buffer.from(symbols)
      .toString()
      .replace(/.*dyn_alloc.*\n/g, '');
    expect(dynamic({ 'kallsyms.txt': without })).toMatchObject({
      dynamic: false,
      file: 'kallsyms.txt',
      text: expect.stringMatching(/no swiotlb_dyn_alloc/),
    });
    // A list cut down to other names proves nothing.
    expect(dynamic({ 'kallsyms.txt': 'ffffffff81000000 T swiotlb_print_info\n' }).dynamic).toBeNull();
  });

  it('tells the generation by the symbols where no release is named', () => {
    const { kernel, evidence } = geometryReport(
      analyse({ 'kallsyms.txt': '0000000000000000 T __swiotlb_tbl_unmap_single\n' }),
    );
    expect([kernel, evidence.kernel.level]).toEqual(['6.12', 'derived']);
  });

  it('names drivers beside PCI addresses, from the log and from the list of devices', () => {
    const named = (sources: Record<string, string | Uint8Array>) =>
      Object.fromEntries(analyse(sources).tables.devices.map(({ name, driver }) => [name, driver]));
    const bounced = (device: string) =>
      `   a-1   [000] d....   1.000000: swiotlb_bounced: dev_name: ${device} dma_mask=ffffffff dev_addr=100000000 size=512 FORCE\n`;
    const trace = bounced('0000:00:05.0') + bounced('0000:00:06.0');
    const { 'dmesg.txt': dmesg, 'devices.txt': devices } = members();
    expect(named({ 'trace.txt': trace })['0000:00:05.0']).toBe('');
    expect(named({ 'trace.txt': trace, 'dmesg.txt': dmesg })['0000:00:05.0']).toBe('nvme');
    expect(named({ 'trace.txt': trace, 'devices.txt': devices })['0000:00:06.0']).toBe('virtio-pci');
    const log = [
      '[    1.0] pci 0000:00:05.0: [1b36:0010] type 00 class 0x010802',
      '[    1.1] e1000 0000:00:05.0 eth0: (PCI:33MHz:32-bit) 52:54:00:12:34:56',
      '',
    ].join('\n');
    expect(named({ 'trace.txt': trace, 'dmesg.txt': log })['0000:00:05.0']).toBe('e1000');
  });

  it('devices that only the log names do not become devices of the trace', () => {
    const { 'trace.txt': trace, 'dmesg.txt': dmesg } = members();
    const names = (analysis: Analysis) => analysis.tables.devices.map(({ name }) => name).sort();
    expect(names(analyse({ 'trace.txt': trace, 'dmesg.txt': dmesg }))).toEqual(names(analyse({ 'trace.txt': trace })));
  });

  it('shows how its clocks were joined', () => {
    const sources = info(
      analyse({
        'trace.txt': readFixture('timeline/full.trace.txt'),
        'dmesg.txt': readFixture('timeline/full.dmesg.txt'),
        'debugfs.csv': readFixture('timeline/full.debugfs.csv'),
        'cmdline.txt': 'swiotlb=512,4,force\n',
      }),
    ).sources;
    const [trace, dmesg, samples, cmdline] = sources;
    expect(trace).toMatchObject({ offsetNs: 0, offsetErrorNs: 0 });
    expect(dmesg.offsetErrorNs).toBeLessThan(1e6);
    expect(samples).toMatchObject({ file: 'debugfs.csv', offsetErrorNs: null });
    expect(samples.offsetNs).not.toBeNull();
    expect(cmdline).toMatchObject({ offsetNs: null, offsetErrorNs: null });
  });
});

/** What must not depend on how the events are printed. */
function outcomes(analysis: Analysis) {
  const { columns, length } = analysis.tables.requests;
  const names = ['outcome', 'original', 'recordedBounce', 'pairing', 'mapLine', 'unmapLine', 'sgGroup'] as const;
  return {
    counts: analysis.tables.counts,
    rows: names.map((name) => Array.from(columns[name].subarray(0, length))),
    failures: diagnose(analysis).failures.map(({ line, cause, device }) => [line, cause, device]),
  };
}

function change(text: string, key: string, to: (address: bigint) => bigint): string {
  return text.replace(new RegExp(`\\b${key}=([0-9a-f]+)`, 'g'), (whole, digits: string) =>
    /^f{16}$/.test(digits) ? whole : `${key}=${to(BigInt(`0x${digits}`)).toString(16)}`,
  );
}

describe('the same trace, printed by other kernels', () => {
  const trace = readFixtureText('timeline/full.trace.txt');
  const plain = outcomes(analyse({ 'dmesg.txt': boot, 'trace.txt': trace }));

  it('has failures, mappings and lists', () => {
    expect(plain.counts.failed).toBeGreaterThan(0);
    expect(plain.rows[0].filter((outcome) => outcome === Outcome.served).length).toBeGreaterThan(300);
    expect(plain.rows[6].some((group) => group >= 0)).toBe(true);
  });

  it('6.18: dma_map_phys and dma_unmap_phys', () => {
    const renamed = trace.replace(/\bdma_(un)?map_page:/g, 'dma_$1map_phys:');
    expect(renamed).not.toBe(trace);
    expect(outcomes(analyse({ 'dmesg.txt': boot, 'trace.txt': renamed }))).toEqual(plain);
  });

  it.each([47n, 51n])('memory encryption: bit %s in the address of swiotlb_bounced', (bit) => {
    const encrypted = change(trace, 'dev_addr', (address) => address | (1n << bit));
    expect(outcomes(analyse({ 'dmesg.txt': boot, 'trace.txt': encrypted }))).toEqual(plain);
  });

  it('a bus offset: DMA addresses are not the physical ones', () => {
    const shifted = change(
      change(trace, 'dev_addr', (address) => address + 0x80000000n),
      'dma_addr',
      (address) => address + 0x80000000n,
    ).replace(/dma_addrs=\{([^}]*)\}/g, (_, list: string) => {
      const moved = list.split(',').map((entry) => `0x${(BigInt(entry) + 0x80000000n).toString(16)}`);
      return `dma_addrs={${moved.join(',')}}`;
    });
    const moved = outcomes(analyse({ 'dmesg.txt': boot, 'trace.txt': shifted }));
    expect(moved.failures).toEqual(plain.failures);
    // Attempts that no dma event follows keep the bus address, so their repetitions are not known as such.
    expect({ ...moved.counts, retries: 0 }).toEqual({ ...plain.counts, retries: 0 });
    expect(moved.rows.filter((_, column) => column !== 1)).toEqual(plain.rows.filter((_, column) => column !== 1));
  });
});

describe('definitions of probes', () => {
  const trace = readFixtureText('trace/fprobe.txt');
  /** The arguments of both probes under names that say nothing. */
  const renamed = trace.replace(
    /(?<=: \((?:\S+ <- )?(?:__)?swiotlb_\S*\).*|: \(\S+ <- swiotlb\S*\).*)\b(dev|orig|size|tlb)=/g,
    'x_$1=',
  );
  const definitions = [
    'f:swl/map_ret swiotlb_tbl_map_single%return x_dev=+0(+0($arg1)):string x_orig=$arg2:x64 x_size=$arg3:u64 x_tlb=$retval:x64',
    'f:swl/unmap __swiotlb_tbl_unmap_single x_dev=+0(+0($arg1)):string x_tlb=$arg2:x64 x_size=$arg3:u64',
    '',
  ].join('\n');
  const plain = outcomes(analyse({ 'trace.txt': trace }));

  it('say what freely chosen argument names mean', () => {
    expect(renamed).toMatch(/x_tlb=/);
    expect(outcomes(analyse({ 'dynamic_events.txt': definitions, 'trace.txt': renamed }))).toEqual(plain);
    expect(outcomes(analyse({ 'trace.txt': renamed })).rows).not.toEqual(plain.rows);
  });

  it('by registers, too', () => {
    const registers = definitions
      .replace(/\$arg1/g, '%di')
      .replace(/\$arg2/g, '%si')
      .replace(/\$arg3/g, '%dx')
      .replace(/\$retval/g, '%ax');
    expect(outcomes(analyse({ 'dynamic_events.txt': registers, 'trace.txt': renamed }))).toEqual(plain);
  });

  it('an argument with a known name that is something else does not count', () => {
    const text = (fields: string) =>
      `   a-1   [000] d....   1.000000: mapped: (swiotlb_map+0x5c/0x230 <- swiotlb_tbl_map_single) ${fields}\n`;
    const analysis = analyse({
      'kprobe_events.txt': 'r:x/mapped swiotlb_tbl_map_single size=$arg4:u64 bytes=$arg3:u64 ret=$retval:x64\n',
      'trace.txt': text('size=0 bytes=4096 ret=0x7da8e000'),
    });
    expect(analysis.tables.requests.columns.sizeBytes[0]).toBe(4096);
  });
});
