import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { captureKernels, captureKernelsFor } from '../../src/analysis/captureKernels';
import { captureScript } from '../../src/analysis/captureScript';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { buildCli, type Cli } from '../support/cli';
import { type MockKernel, MockTracefs, symbolsOf61, symbolsOf612 } from './mockTracefs';

const shells = ['dash', 'bash'] as const;
const release61 = '6.1.0-56-cloud-amd64';
const release612 = '6.12.117+deb12-cloud-amd64';
const device = 'dev=+0(+0($arg1)):string';
const mapArguments = `${device} orig=$arg2:x64 size=$arg3:u64 amask=$arg4:x32 dir=$arg5:s32 attrs=$arg6:x64`;
const oldMapArguments = `${device} orig=$arg2:x64 size=$arg3:u64 amask=$arg5:x32 dir=$arg6:s32`;
const unmapArguments = `${device} tlb=$arg2:x64 size=$arg3:u64`;
const refusesArgumentsAtReturn = '^(r:|f:[^ ]* [^ ]*%return).*[$]arg';

let mock: MockTracefs;
let cli: Cli;

beforeAll(async () => {
  cli = await buildCli();
});
afterAll(() => cli.remove());
afterEach(() => mock?.remove());

/** Writes the script for the mock's kernel (or another one) beside it. */
function writeScript(kernel: MockKernel, madeFor = kernel.release): string {
  mock = new MockTracefs(kernel);
  const file = path.join(mock.root, 'swiotlb-capture.sh');
  writeFileSync(file, captureScript({ kernels: captureKernelsFor(madeFor)!, seconds: 1 }));
  return file;
}

function start(file: string, args: readonly string[] = [], env: Record<string, string> = {}, shell = 'dash') {
  const { status, stdout, stderr } = spawnSync(shell, [file, ...args], {
    env: { ...mock.env, ...env },
    encoding: 'utf8',
  });
  return { code: status, out: stdout, err: stderr };
}

/** Runs a whole recording: it succeeds, leaves the kernel as it was, and made the probes given. Returns what it said. */
function check(
  kernel: MockKernel,
  probes: readonly string[],
  env: Record<string, string> = {},
  shell = 'dash',
): string {
  const file = writeScript(kernel);
  const before = mock.state();
  const { code, err } = start(file, [], env, shell);
  expect({ code, err }).toMatchObject({ code: 0 });
  expect(mock.state()).toEqual(before);
  expect(mock.exists('tracing/instances/swiotlb-lens')).toBe(false);
  expect(definitions().filter((text) => accepted(text))).toEqual(probes);
  return err;

  function accepted(text: string): boolean {
    return kernel.refuses === undefined || !new RegExp(kernel.refuses.replaceAll('[$]', '\\$')).test(text);
  }
}

/** Probe definitions in the order they were tried. */
function definitions(): string[] {
  return mock
    .writes()
    .flatMap((line) => /^(?:dynamic|kprobe)_events ([^-].*)$/.exec(line)?.[1] ?? [])
    .filter((text) => !text.startsWith('-:'));
}

describe('shellcheck', () => {
  const version = spawnSync('shellcheck', ['--version'], { encoding: 'utf8' });

  it.each(captureKernels.map((kernels) => [kernels.title, kernels] as const))('is content with %s', (_, kernels) => {
    if (version.status !== 0) {
      throw new Error('shellcheck is missing: apt-get install shellcheck');
    }
    const script = captureScript({ kernels, seconds: 30 });
    const { stdout } = spawnSync('shellcheck', ['-s', 'sh', '-'], { input: script, encoding: 'utf8' });
    expect(stdout).toBe('');
  });
});

describe.each(shells)('a recording with %s', (shell) => {
  it('of 6.1 defines an entry and a return probe, and puts everything back', () => {
    check(
      { release: release61 },
      [
        `p:swiotlb_lens/map swiotlb_tbl_map_single ${oldMapArguments}`,
        'r:swiotlb_lens/map_ret swiotlb_tbl_map_single tlb=$retval:x64',
        `p:swiotlb_lens/unmap swiotlb_tbl_unmap_single ${unmapArguments}`,
      ],
      {},
      shell,
    );
    const writes = mock.writes().map((line) => line.replace('instances/swiotlb-lens/', 'I/'));
    const at = (text: string) => {
      expect(writes).toContain(text);
      return writes.lastIndexOf(text);
    };
    // Everything is set up before the recording starts, and switched off before the probes go.
    expect(writes.indexOf('I/tracing_on 0')).toBeLessThan(at('I/trace_clock mono'));
    expect(at('I/buffer_size_kb 32768')).toBeLessThan(at('I/events/swiotlb/swiotlb_bounced/enable 1'));
    expect(at('I/events/swiotlb_lens/map_ret/enable 1')).toBeLessThan(at('I/tracing_on 1'));
    expect(at('I/events/printk/console/enable 1')).toBeLessThan(at('I/tracing_on 1'));
    expect(at('I/tracing_on 1')).toBeLessThan(at('I/tracing_on 0'));
    expect(at('I/events/swiotlb_lens/map/enable 0')).toBeLessThan(at('dynamic_events -:swiotlb_lens/map'));
    // Nothing of the system's own tracer is touched.
    expect(writes.filter((line) => !/^(I\/|dynamic_events|kprobe_events)/.test(line))).toEqual([]);
    expect(mock.read('tracing/kprobe_events')).toBe('p:other/mine do_sys_open\n');
    // The log gets the last marker of the trace: the mock keeps what was written last.
    expect(mock.read('kmsg')).toMatch(/^<6>swiotlb-lens stop mono=\d+\.\d{9} boot=\d+\.\d\d\n$/);
  });

  it('stops at Ctrl-C with a bundle, and puts everything back', async () => {
    const file = writeScript({ release: release612, hasFprobes: true, hasDmaEvents: true });
    const before = mock.state();
    const { code } = await interrupted(shell, file, ['SIGINT']);
    expect(code).toBe(0);
    expect(mock.state()).toEqual(before);
    expect(mock.exists('tracing/instances/swiotlb-lens')).toBe(false);
    expect(readdirSync(mock.unpack())).toContain('trace.txt');
  });
});

/** Starts an endless recording and sends the signals once it runs. */
async function interrupted(
  shell: string,
  file: string,
  signals: readonly NodeJS.Signals[],
): Promise<{ code: number | null }> {
  const child = spawn(shell, [file, '--seconds', '100000'], {
    env: { ...mock.env, MOCK_SLEEP: '0.05' },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let said = '';
  let sent = false;
  child.stderr.on('data', (bytes) => {
    said += bytes;
    if (!sent && said.includes('recording 100000 s')) {
      sent = true;
      setTimeout(() => {
        for (const signal of signals) {
          // Like a terminal: to everything the script has started, too.
          process.kill(-child.pid!, signal);
        }
      }, 300);
    }
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  if (!sent) {
    throw new Error(`the recording did not start: ${said}`);
  }
  return { code };
}

describe('the probes', () => {
  const unmap612 = `unmap __swiotlb_tbl_unmap_single ${unmapArguments}`;

  it('of 6.12 are fprobes where the kernel has them, with all dma events beside', () => {
    check({ release: release612, hasFprobes: true, hasDmaEvents: true }, [
      `f:swiotlb_lens/map_ret swiotlb_tbl_map_single%return ${mapArguments} tlb=$retval:x64`,
      `f:swiotlb_lens/${unmap612}`,
    ]);
    expect(mock.writes()).toContain('instances/swiotlb-lens/events/dma/dma_map_phys/enable 1');
    expect(mock.writes()).toContain('instances/swiotlb-lens/events/dma/dma_unmap_phys/enable 1');
  });

  it('of 6.12 without fprobes are kprobes that read the arguments at the return', () => {
    check({ release: release612, hasDmaEvents: true }, [
      `r:swiotlb_lens/map_ret swiotlb_tbl_map_single ${mapArguments} tlb=$retval:x64`,
      `p:swiotlb_lens/${unmap612}`,
    ]);
  });

  it('are a pair where the return probe cannot read arguments, and nothing of the attempt stays', () => {
    const oldUnmap = `unmap swiotlb_tbl_unmap_single ${unmapArguments}`;
    const kernel = { release: '6.8.12', symbols: symbolsOf61, refuses: refusesArgumentsAtReturn };
    check({ ...kernel, hasFprobes: true }, [
      `f:swiotlb_lens/map swiotlb_tbl_map_single ${oldMapArguments}`,
      'f:swiotlb_lens/map_ret swiotlb_tbl_map_single%return tlb=$retval:x64',
      `f:swiotlb_lens/${oldUnmap}`,
    ]);
    mock.remove();
    check(kernel, [
      `p:swiotlb_lens/map swiotlb_tbl_map_single ${oldMapArguments}`,
      'r:swiotlb_lens/map_ret swiotlb_tbl_map_single tlb=$retval:x64',
      `p:swiotlb_lens/${oldUnmap}`,
    ]);
  });

  it('read the alignment mask where 6.10 moved it to', () => {
    const kernel = { hasFprobes: true, symbols: symbolsOf61 };
    check({ ...kernel, release: '6.9.3' }, [
      `f:swiotlb_lens/map_ret swiotlb_tbl_map_single%return ${oldMapArguments} tlb=$retval:x64`,
      `f:swiotlb_lens/unmap swiotlb_tbl_unmap_single ${unmapArguments}`,
    ]);
    mock.remove();
    check({ ...kernel, release: '6.10.1' }, [
      `f:swiotlb_lens/map_ret swiotlb_tbl_map_single%return ${mapArguments} tlb=$retval:x64`,
      `f:swiotlb_lens/unmap swiotlb_tbl_unmap_single ${unmapArguments}`,
    ]);
  });

  it('follow the pools of a dynamic kernel, whatever the compiler appended to the names', () => {
    const symbols = [...symbolsOf612, 't swiotlb_dyn_alloc', 't swiotlb_dyn_free', 't swiotlb_alloc_pool.isra.0'];
    const kernel = { release: '6.12.1', hasFprobes: true, symbols };
    const map = `f:swiotlb_lens/map_ret swiotlb_tbl_map_single%return ${mapArguments} tlb=$retval:x64`;
    check(kernel, [
      map,
      `f:swiotlb_lens/${unmap612}`,
      'p:swiotlb_lens/pool_worker swiotlb_dyn_alloc',
      'r:swiotlb_lens/pool_added swiotlb_dyn_alloc',
      'r:swiotlb_lens/pool_new swiotlb_alloc_pool.isra.0 start=+0($retval):x64 end=+8($retval):x64 nslabs=+24($retval):u64 nareas=+36($retval):u32',
      'p:swiotlb_lens/pool_free swiotlb_dyn_free start=-80($arg1):x64 end=-72($arg1):x64',
    ]);
    mock.remove();
    // Offsets of 6.12 are not used on a kernel on which nobody checked them; fields by name may be refused.
    const said = check({ ...kernel, release: '6.18.1', refuses: 'retval->' }, [
      map,
      `f:swiotlb_lens/${unmap612}`,
      'p:swiotlb_lens/pool_worker swiotlb_dyn_alloc',
      'r:swiotlb_lens/pool_added swiotlb_dyn_alloc',
    ]);
    expect(said).toMatch(/new pools are not probed/);
  });

  it('are left out with a word when the functions are inlined, refused, or the machine has 32 bits', () => {
    const inlined = check({ release: release612, hasFprobes: true, symbols: ['T swiotlb_map'] }, []);
    expect(inlined).toMatch(/results of mappings are not probed/);
    expect(inlined).toMatch(/ends of mappings are not probed/);
    mock.remove();
    expect(
      check({ release: release612, hasFprobes: true, symbols: symbolsOf612, refuses: 'swiotlb_tbl_map_single' }, [
        `f:swiotlb_lens/${unmap612}`,
      ]),
    ).toMatch(/results of mappings are not probed/);
    mock.remove();
    expect(check({ release: release612, machine: 'armv7l' }, [])).toMatch(/64-bit machines only/);
  });

  it('do not exist before 6.0: events only', () => {
    check({ release: '5.15.0-91-generic', hasFprobes: true }, []);
    expect(mock.writes()).toContain('instances/swiotlb-lens/events/swiotlb/swiotlb_bounced/enable 1');
  });
});

describe('the tracer', () => {
  const kernel: MockKernel = { release: release61 };

  it('is shared when there can be no instance, and gets its settings back', () => {
    const file = writeScript({ ...kernel, hasInstances: false });
    const before = { ...mock.state(), 'tracing/buffer_size_kb': '1408' };
    const { code, err } = start(file);
    expect(code).toBe(0);
    expect(err).toMatch(/shared tracer/);
    expect(mock.state()).toEqual(before);
    expect(mock.writes()).toContain('trace_clock local');
    expect(mock.writes().at(-1)).toMatch(/-:swiotlb_lens/);
    mock.unpack();
  });

  it('is mounted for the recording where it is not, and the counters too', () => {
    const file = writeScript(kernel);
    const before = mock.state();
    mkdirSync(path.join(mock.root, 'sys', 'kernel'));
    writeFileSync(path.join(mock.root, 'proc', 'mounts'), 'proc /proc proc rw 0 0\n');
    const { code, err } = start(file, [], { TRACEFS: '', DEBUGFS: '' });
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(mock.read('mounts.log')).toBe('');
    expect(readdirSync(path.join(mock.root, 'sys', 'kernel'))).toEqual([]);
    expect(mock.state()).toEqual(before);
    expect(readFileSync(path.join(mock.unpack(), 'debugfs.csv'), 'utf8')).toMatch(/,512,259,/);
  });

  it('is left alone when somebody uses it', () => {
    const file = writeScript({ ...kernel, hasInstances: false });
    writeFileSync(path.join(mock.tracefs, 'current_tracer'), 'function\n');
    const { code, err } = start(file);
    expect(code).toBe(1);
    expect(err).toMatch(/tracer is in use/);
    expect(mock.writes()).toEqual([]);
    expect(readdirSync(mock.output)).toEqual([]);
  });

  it('gets smaller buffers when memory is short', () => {
    const said = check({ ...kernel, largestBufferKb: 9000 }, expect.anything());
    expect(said).toMatch(/trace buffer: 8192 KiB on each of 2 CPUs/);
    mock.remove();
    expect(check(kernel, expect.anything(), { BUFFER_KB: '999999999' })).toMatch(/trace buffer: 187500 KiB/);
  });

  it('does not read a slow hardware clock for every event', () => {
    check({ ...kernel, clocksource: 'hpet' }, expect.anything());
    expect(mock.writes()).toContain('instances/swiotlb-lens/trace_clock global');
    const folder = mock.unpack();
    expect(readFileSync(path.join(folder, 'debugfs.csv'), 'utf8')).toMatch(
      /^boot_s,pool,nslabs,used,used_hiwater,transient_nslabs\n100\.\d\d,,512,259,,\n/,
    );
    expect(readFileSync(path.join(folder, 'trace.txt'), 'utf8')).toMatch(/swiotlb-lens start boot=100\.\d\d\n/);
  });

  it('is cleaned up after a recording that was killed', async () => {
    const file = writeScript(kernel);
    const before = mock.state();
    await interrupted('dash', file, ['SIGKILL']);
    expect(mock.exists('tracing/instances/swiotlb-lens')).toBe(true);
    const second = start(file);
    expect(second.code).toBe(1);
    expect(second.err).toMatch(/another recording is running, or one was killed/);
    expect(mock.exists('tracing/instances/swiotlb-lens')).toBe(true);
    expect(start(file, ['--cleanup']).code).toBe(0);
    expect(mock.state()).toEqual(before);
    expect(mock.exists('tracing/instances/swiotlb-lens')).toBe(false);
  });
});

describe('a bundle', () => {
  it.each([
    { kernel: { release: release61 }, name: '6.1', generation: '6.1', poolStart: '0x7fda5000', failures: 2 },
    {
      kernel: { release: release612, hasFprobes: true, hasDmaEvents: true },
      name: '6.12',
      generation: '6.12',
      poolStart: '0x7fdb2000',
      failures: 1,
    },
  ])('of $name opens as one capture, everything joined', ({ kernel, name, generation, poolStart, failures }) => {
    const files = { trace: `trace-${name}.txt`, log: `dmesg-${name}.txt` };
    check({ ...kernel, ...files }, expect.anything());
    const folder = mock.unpack();

    // The log is whole again, although the kernel had dropped its first lines by the end.
    expect(readFileSync(path.join(folder, 'dmesg.txt'), 'utf8')).toBe(mock.read('dmesg.fixture'));
    const csv = readFileSync(path.join(folder, 'debugfs.csv'), 'utf8').trim().split('\n');
    expect(csv.slice(0, 3)).toEqual([
      'mono_s,boot_s,pool,nslabs,used,used_hiwater,transient_nslabs',
      '100.200000000,100.20,,512,259,,',
      '100.200000000,100.20,restricted@0,128,7,,',
    ]);
    expect(readFileSync(path.join(folder, 'buddyinfo.txt'), 'utf8')).toMatch(
      /^# mono=(100\.\d\d)\d{7} boot=\1\nNode 0, zone/,
    );
    expect(readFileSync(path.join(folder, 'uname.txt'), 'utf8').trim()).toBe(kernel.release);
    expect(readFileSync(path.join(folder, 'devices.txt'), 'utf8')).toMatch(/^0000:00:01\.0 {2}64$/m);
    expect(readFileSync(path.join(folder, 'ring_stats.txt'), 'utf8')).toMatch(/^== cpu0\nentries: 12\n/);
    expect(readFileSync(path.join(folder, 'dynamic_events.txt'), 'utf8')).toMatch(/swiotlb_lens\/unmap/);
    expect(readFileSync(path.join(folder, 'dynamic_events.txt'), 'utf8')).not.toMatch(/other\/mine/);
    // Names of functions, not where the kernel lies.
    expect(readFileSync(path.join(folder, 'kallsyms_swiotlb.txt'), 'utf8')).toMatch(/^(0{16} [tT] \w+(\.cold)?\n)+$/);

    // The markers put the counters on the trace's clock.
    const sources = analyse(folder, ['trace.txt', 'debugfs.csv']).tables.sources;
    expect(sources[1]).toMatchObject({ clock: 'mono' });
    expect(sources[1]!.offsetErrorNs).toBeLessThan(1e7);

    const bundle = path.join(mock.output, readdirSync(mock.output)[0]!);
    const info = cli.json(['info', bundle]) as unknown as InfoShape;
    expect(info.requests).toBeGreaterThan(30);
    expect(info.ledger.notUnderstood).toBe(0);
    expect(info.geometry.kernel).toBe(generation);
    expect(info.geometry.pools[0]).toMatchObject({ start: poolStart, slots: 512, areas: 2 });
    expect(info.geometry.evidence['pools[0].start']!.file).toMatch(/dmesg\.txt$/);
    const diagnosis = cli.json(['diagnose', bundle]) as unknown as { failures: { line: number; totalSlots: number }[] };
    // Trace, console event and log line of one failure are one failure.
    expect(diagnosis.failures.length).toBe(failures);
    expect(diagnosis.failures.every((failure) => failure.totalSlots === 512)).toBe(true);
  });
});

function analyse(folder: string, names: readonly string[]) {
  const builder = createAnalysis();
  for (const name of names) {
    const source = builder.openSource({ path: name });
    source.push(readFileSync(path.join(folder, name)));
    source.end();
  }
  return builder.snapshot({});
}

interface InfoShape {
  readonly requests: number;
  readonly geometry: {
    readonly kernel: string;
    readonly pools: readonly object[];
    readonly evidence: Readonly<Record<string, { readonly file: string }>>;
  };
  readonly ledger: { readonly notUnderstood: number };
}

describe('the script refuses', () => {
  it('a kernel it is not for, unless forced', () => {
    const file = writeScript({ release: release61 }, '6.12');
    const { code, err } = start(file);
    expect(code).toBe(1);
    expect(err).toMatch(/is for Linux 6\.12 to 6\.17 and this is 6\.1\.0.*capture --kernel 6\.1/);
    expect(mock.writes()).toEqual([]);
    expect(start(file, [], { FORCE: '1' }).code).toBe(0);
  });

  it('a user who is not root', () => {
    const file = writeScript({ release: release61 });
    writeFileSync(path.join(mock.root, 'bin', 'id'), '#!/bin/sh\necho 1000\n');
    const { code, err } = start(file, [], { TRACEFS: '' });
    expect(code).toBe(1);
    expect(err).toMatch(/run this script as root/);
  });

  it('a system without tracefs, and a kernel without the events', () => {
    const file = writeScript({ release: release61 });
    const nowhere = start(file, [], { TRACEFS: '', SYS: path.join(mock.root, 'nowhere') });
    expect(nowhere.code).toBe(1);
    expect(nowhere.err).toMatch(/no tracefs/);
    spawnSync('rm', ['-r', path.join(mock.tracefs, 'events', 'swiotlb')]);
    const before = mock.state();
    const empty = start(file);
    expect(empty.code).toBe(1);
    expect(empty.err).toMatch(/neither swiotlb nor dma events/);
    expect(mock.state()).toEqual(before);
    expect(readdirSync(mock.output)).toEqual([]);
  });

  it('wrong usage', () => {
    const file = writeScript({ release: release61 });
    expect(start(file, ['--seconds', 'long']).code).toBe(2);
    expect(start(file, ['--seconds']).code).toBe(2);
    expect(start(file, ['everything']).code).toBe(2);
    expect(start(file, ['--help'])).toMatchObject({ code: 0 });
    expect(mock.writes()).toEqual([]);
  });
});
