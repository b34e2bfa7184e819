import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCli, type Cli } from '../support/cli';
import { fixturePath } from '../support/fixtures';

const root = fileURLToPath(new URL('../../', import.meta.url));
const sample = path.join(root, 'media', 'samples', 'full-1MiB');
const sampleTrace = path.join(sample, 'trace.txt');

let cli: Cli;
beforeAll(async () => {
  cli = await buildCli();
});
afterAll(() => {
  cli.remove();
});

function file(name: string, content: string | Uint8Array): string {
  const target = path.join(cli.folder, name);
  writeFileSync(target, content);
  return target;
}

const fullLine =
  '[    5.075738] nvme 0000:00:05.0: swiotlb buffer is full (sz: 57344 bytes), total 512 (slots), used 494 (slots)\n';
const bootLine = '[    0.888804] software IO TLB: mapped [mem 0x000000007da8e000-0x000000007db8e000] (1MB)\n';

describe('the main job', () => {
  it('diagnoses a log from a pipe without being told to', () => {
    const { code, out, err } = cli.run([], { input: bootLine + fullLine });
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toMatch(/^1 mapping failed in standard input: pool full\.\n/);
    expect(out).toMatch(/Pool full: needs 28 slots \(56 KiB\), 18 of 512 are free/);
    expect(out).toMatch(/swiotlb=1024/);
    expect(out).not.toContain('\u001b');
  });

  it('takes a file for diagnose', () => {
    const { code, out } = cli.run([file('dmesg.txt', bootLine + fullLine)]);
    expect(code).toBe(0);
    expect(out).toMatch(/^1 mapping failed in .*dmesg\.txt/);
  });

  it('reads a capture folder as one input', () => {
    const report = cli.json(['diagnose', sample]);
    const failures = report['failures'] as { source: string; file: string; cause: string }[];
    expect(report['file']).toBe(sample);
    expect(failures.length).toBeGreaterThan(10);
    expect(failures.every((failure) => failure.source === 'trace')).toBe(true);
    expect((report['boot'] as { kind: string }[]).some((line) => line.kind === 'pool-mapped')).toBe(true);
  });

  it('replays and compares the sample', () => {
    const fixed = cli.json(['replay', sample, '--policy', 'fixed']);
    const dynamic = cli.json(['replay', sample, '--policy', 'dynamic']);
    expect(fixed['failed']).toBeGreaterThan(0);
    expect(dynamic['failed']).toBeLessThan(fixed['failed'] as number);
    expect(fixed['requests']).toBe((fixed['served'] as number) + (fixed['failed'] as number));
    const compared = cli.json(['compare', sample, '--policies', 'fixed,transient,dynamic']);
    expect((compared['results'] as { policy: string; failed: number }[]).map(({ policy }) => policy)).toEqual([
      'fixed',
      'transient',
      'dynamic',
    ]);
    expect((compared['results'] as { failed: number }[])[0]!.failed).toBe(fixed['failed']);
    const text = cli.run(['replay', sample, '--policy', 'dynamic']).out;
    expect(text).toMatch(/^dynamic: /);
    expect(text).toMatch(/slots in use\n/);
  });

  it('refuses sizes that no machine has, and takes those that no kernel would', () => {
    for (const option of [
      ['--pool-slots', '99999999999'],
      ['--set', 'poolSlots=1e12'],
      ['--areas', '1000000'],
      ['--cpus', '100000'],
      ['--pool-start', '0xffffffffffffffffff'],
    ]) {
      const { code, err } = cli.run(['replay', sample, '--policy', 'fixed', ...option]);
      expect([code, option[0]]).toEqual([2, option[0]]);
      expect(err).toMatch(/at most|must be in/);
    }
    for (const option of [
      ['--set', 'poolSlots=3'],
      ['--pool-slots', '100'],
      ['--set', 'poolSlots=0'],
      ['--areas', '3'],
    ]) {
      expect(cli.run(['replay', sample, '--policy', 'dynamic', ...option]).code).toBe(0);
    }
  });

  it('serves everything from a larger pool', () => {
    const report = cli.json(['replay', sample, '--policy', 'fixed', '--pool-slots', '65536', '--areas', '4']);
    expect(report['failed']).toBe(0);
    expect((report['params'] as Record<string, { value: number; level: string }>)['poolSlots']).toMatchObject({
      value: 65536,
      level: 'user',
    });
  });

  it('finds the pool size', () => {
    const report = cli.json(['size', sample, '--policies', 'fixed', '--headroom', '20%']);
    const [fixed] = report['smallest'] as { slots: number; bootParameter: string }[];
    expect(fixed!.slots).toBeGreaterThan(512);
    expect(fixed!.bootParameter).toMatch(/^swiotlb=\d+$/);
    const larger = cli.json(['replay', sample, '--policy', 'fixed', '--pool-slots', String(fixed!.slots)]);
    expect(larger['failed']).toBe(0);
    const text = cli.run(['size', sample, '--policies', 'fixed']).out;
    expect(text).toMatch(/The smallest pool for/);
    expect(text).toContain(fixed!.bootParameter);
    expect(cli.run(['size', sample, '--headroom', 'much']).code).toBe(2);
  });

  it('verifies the sample', () => {
    const report = cli.json(['verify', sample]) as Record<string, number>;
    expect(report['checked']).toBeGreaterThan(0);
    expect((report['exact']! + report['learned']!) / report['checked']!).toBeGreaterThan(0.99);
  });

  it('shows the main job as a demo', () => {
    const { code, out } = cli.run(['demo']);
    expect(code).toBe(0);
    expect(out).toMatch(/mappings failed in/);
    expect(out).toMatch(/slots in use/);
    expect(out).toMatch(/Fewest failures: /);
  });
});

describe('JSON', () => {
  it('is one object for one input and one line each for several', () => {
    const log = file('one.log', fullLine);
    expect(cli.json(['info', log])['file']).toBe(log);
    const { out } = cli.run(['info', '--json', log, log]);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).file),
    ).toEqual([log, log]);
  });

  it('has the fields of the contract, null where unknown', () => {
    const report = cli.json(['diagnose'], fullLine);
    expect((report['failures'] as unknown[])[0]).toMatchObject({
      source: 'log',
      line: 1,
      timeNs: 0,
      device: '0000:00:05.0',
      driver: 'nvme',
      sizeBytes: 57344,
      totalSlots: 512,
      usedSlots: 494,
      suppressed: 0,
      cause: 'pool-full',
      request: null,
    });
    expect(report['episodes']).toMatchObject([{ firstLine: 1, lastLine: 1, count: 1, cause: 'pool-full' }]);
    const old = cli.json(['diagnose'], 'rtl8821ae 0000:02:00.0: swiotlb buffer is full (sz: 9100 bytes)\n');
    expect((old['failures'] as unknown[])[0]).toMatchObject({
      timeNs: null,
      totalSlots: null,
      usedSlots: null,
      cause: 'unknown',
    });
  });

  it('adds up in info', () => {
    const report = cli.json(['info', sampleTrace]);
    const ledger = report['ledger'] as Record<string, number>;
    expect(ledger['understood']! + ledger['counted']! + ledger['notUnderstood']!).toBe(report['lines']);
    expect(report['lines']).toBe(readFileSync(sampleTrace, 'utf8').trimEnd().split('\n').length);
  });

  it('is SARIF on demand, one result per episode', () => {
    const { code, out } = cli.run(['diagnose', '--sarif'], { input: fullLine.repeat(20) });
    expect(code).toBe(0);
    const { version, runs } = JSON.parse(out);
    expect(version).toBe('2.1.0');
    expect(runs[0].results.length).toBe(1);
    expect(runs[0].results[0]).toMatchObject({ ruleId: 'pool-full', level: 'error', occurrenceCount: 20 });
    const { region } = runs[0].results[0].locations[0].physicalLocation;
    expect(fullLine.slice(region.startColumn - 1, region.endColumn - 1)).toMatch(/swiotlb buffer is full/);
  });

  it('is SARIF that names every input: odd names as references, those without results as not looked at', () => {
    const odd = file('0000:00:05.0 #1?.txt', fullLine);
    const { code, out } = cli.run(['diagnose', '--sarif', path.basename(odd), 'absent.txt', file('none.txt', '')]);
    expect(code).toBe(3);
    const [run] = JSON.parse(out).runs;
    const { uri } = run.results[0].locations[0].physicalLocation.artifactLocation;
    expect(new URL(uri, 'file:///base/').href).toBe('file:///base/0000%3A00%3A05.0%20%231%3F.txt');
    expect(run.columnKind).toBe('utf16CodeUnits');
    expect(run.invocations[0].executionSuccessful).toBe(false);
    const notes = run.invocations[0].toolExecutionNotifications.map(({ message }: { message: { text: string } }) =>
      message.text.replace(`${cli.folder}/`, ''),
    );
    expect(notes).toEqual(['absent.txt: no such file or folder', 'none.txt: Nothing to read']);
  });

  it('has nulls where nothing was replayed, and a gate on them is not passed', () => {
    const log = file('only.log', fullLine);
    const report = cli.json(['replay', log, '--policy', 'dynamic']);
    expect(report).toMatchObject({
      replayable: false,
      requests: 0,
      usedHighWaterSlots: null,
      capacityPeakSlots: null,
      memory: { peakBytes: null },
      cost: { probes: null },
      pools: [],
    });
    const { results } = cli.json(['compare', log, '--policies', 'fixed,dynamic']) as unknown as { results: object[] };
    expect(results[1]).toMatchObject({ capacityPeakSlots: null, stalls: { count: null } });
    const gate = 'usedHighWaterSlots > 0.8 * capacityPeakSlots';
    expect(cli.run(['replay', log, '--policy', 'dynamic', '--fail-on', gate])).toMatchObject({
      code: 1,
      err: expect.stringContaining('unknown: usedHighWaterSlots'),
    });
  });

  it('writes series and requests as CSV', () => {
    const series = path.join(cli.folder, 'series.csv');
    const requests = path.join(cli.folder, 'requests.csv');
    const report = cli.json(['replay', sample, '--policy', 'fixed', '--series', series, '--requests', requests]);
    expect(readFileSync(series, 'utf8')).toMatch(/^time,policy,used,capacity,transient,failures\n/);
    const rows = readFileSync(requests, 'utf8').trimEnd().split('\n');
    expect(rows[0]).toBe('line,timeNs,device,sizeBytes,outcome,cause,pool,poolKind,slot,bounceAddress');
    expect(rows.length - 1).toBe(report['requests']);
    expect(rows.filter((row) => row.split(',')[4] === 'failed').length).toBe(report['failed']);
  });
});

describe('exit codes', () => {
  function check(args: readonly string[], code: number, says: RegExp, input = ''): void {
    const run = cli.run(args, { input });
    expect(run.code, run.err).toBe(code);
    expect(run.err + run.out).toMatch(says);
    expect(run.err + run.out).not.toMatch(/\bat \w+.*\.js:\d+/);
  }

  it('0 for a log without failures and for a trace of something else', () => {
    check(['-'], 0, /No mapping failed/, bootLine);
    check(['-'], 0, /A trace without swiotlb events/, '   a-1   [000] .....     1.000000: sched_switch: a=b\n');
  });

  it('1 when a gate fails', () => {
    check(['diagnose', '--fail-on', 'failures.length > 0'], 1, /gate failed: failures\.length > 0/, fullLine);
    check(['diagnose', '--fail-on', 'failures.length > 1'], 0, /1 mapping failed/, fullLine);
    check(
      ['replay', sample, '--policy', 'fixed', '--fail-on', 'failed>0 and capacityPeakSlots==512'],
      1,
      /gate failed/,
    );
    check(['replay', sample, '--policy', 'dynamic', '--fail-on', 'failuresByCause.pool-full > 0'], 0, /dynamic/);
    // Every field of the object, those of other assumptions included.
    const args = ['replay', sample, '--policy', 'fixed', '--fail-on'];
    check([...args, 'sensitivity.assumedLifetimes > 0'], 1, /gate failed/);
    check(['policies', '--fail-on', 'policies.length > 1'], 1, /gate failed/);
  });

  it('2 for wrong usage', () => {
    check(['replay', sampleTrace], 2, /required option '--policy <id>'/);
    check(['replay', sampleTrace, '--policy', 'nonsense'], 2, /'nonsense' is no policy; there are fixed/);
    check(['replay', sampleTrace, '--policy', 'fixed', '--set', 'nonsense=1'], 2, /has no parameter 'nonsense'/);
    check(['replay', sampleTrace, '--policy', 'fixed', '--set', 'nonsense'], 2, /name=value/);
    check(['diagnose', '--nonsense'], 2, /unknown option '--nonsense'/);
    check(['info'], 2, /missing required argument 'file'/);
    check(['diagnose', '--fail-on', 'failures >', '-'], 2, /--fail-on/, fullLine);
    check(['diagnose', '--fail-on', 'fialures.length > 0', '-'], 2, /no field 'fialures\.length'/, fullLine);
    check(
      ['diagnose', '--kernel', '5.4', '-'],
      2,
      /Allowed choices are 4\.18.* Linux 5\.4 has that of 4\.18/,
      fullLine,
    );
    check(['diagnose', '--kernel', 'new', '-'], 2, /Allowed choices are 4\.18[^L]*$/m, fullLine);
    const replay = ['replay', sampleTrace, '--policy', 'may-sleep'];
    check([...replay, '--set', 'gfp=ATOMIC'], 2, /'gfp' is one of NOIO, KERNEL, not 'ATOMIC'/);
    check([...replay, '--set', 'context=sometimes'], 2, /'context' is one of fromFlags/);
    check([...replay, '--set', 'poolSlots=0.5'], 2, /'poolSlots' is a whole number/);
    check([...replay, '--set', 'poolSlots=1e300'], 2, /'poolSlots' must be in 0 … 16777216/);
    check([...replay, '--series', '-'], 2, /name of a file/);
    const ccSwiotlb = ['replay', sampleTrace, '--policy', 'cc-swiotlb', '--set'];
    check([...ccSwiotlb, 'classes=many'], 2, /'classes' is whole numbers separated by commas, not 'many'/);
    const dynamic = ['replay', sampleTrace, '--policy', 'dynamic', '--set'];
    check([...dynamic, 'addedPools=here'], 2, /'addedPools' is START:SLOTS:AREAS@#N/);
    check(['boot', 'swiotlb=65536', '--cpus', '99999999999'], 2, /at most 8192/);
    check(['compare', sampleTrace, '--policies', ','], 2, /names separated by commas/);
    check(['diagnose', '--fail-on', 'failures.0.line > 9', '-'], 1, /unknown: failures\.0\.line/, bootLine);
    check(['diagnose', '--min-align', '0xfff', '-'], 2, /DEVICE=VALUE/, fullLine);
    check(
      ['replay', sampleTrace, '--policy', 'fixed', '--min-align', '0000:99:00.0=0xfff'],
      2,
      /no device '0000:99:00\.0' in .*there are .*0000:00:05\.0/,
    );
    check(['replay', sampleTrace, '--policy', 'fixed', '--min-align', '0000:00:05.0=0xfff'], 0, /fixed/);
    check(['compare', sampleTrace, sampleTrace, '--policies', 'fixed,dynamic'], 2, /several policies on one input/);
  });

  it('4 with --strict when data was lost', () => {
    const lossy =
      '   a-1   [000] .....     1.000000: swiotlb_bounced: dev_name: d dma_mask=ff dev_addr=1000 size=512 FORCE\nCPU:0 [LOST 12 EVENTS]\n';
    check(['diagnose', '--strict'], 4, /strict: 12 lost/, lossy);
    check(['diagnose'], 0, /12/, lossy);
    check(['diagnose', '--strict'], 0, /1 mapping failed/, fullLine);
    // Whole lines, and then a member of which only the beginning is there.
    const packed = gzipSync(fullLine);
    const cut = file('cut.gz', Buffer.concat([packed, packed.subarray(0, 12)]));
    check(['diagnose', cut, '--strict'], 4, /damaged or cut off/);
    check(['diagnose', cut], 0, /1 mapping failed/);
    check(['compare', sampleTrace, file('lossy.txt', lossy), '--policies', 'fixed', '--strict'], 4, /strict: 12 lost/);
  });

  it('0 for help and version', () => {
    check(['--help'], 0, /dmesg \| swiotlb-lens/);
    check(['--version'], 0, new RegExp(JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version));
    check(['replay', '--help'], 0, /--bounce-all/);
  });
});

describe('bad input gets a sentence and exit code 3', () => {
  function check(input: string, says: RegExp): void {
    for (const command of ['diagnose', 'info']) {
      const { code, out, err } = cli.run([command, input]);
      expect(code, `${command} ${err}`).toBe(3);
      expect(out + err).toMatch(says);
      expect(out + err).not.toMatch(/a bug, please report|\bat \w+.*\.js:\d+/);
    }
  }

  it('no such file', () => check(path.join(cli.folder, 'nothing'), /nothing: no such file/));

  it('an empty file', () => check(file('empty', ''), /The input is empty[\s\S]*tracing_on/));

  it('a binary file', () => {
    const bytes = Uint8Array.from({ length: 200000 }, (_, i) => (i * 7919 + (i >> 3) * 31) & 255);
    check(file('binary', bytes), /Not a swiotlb trace[\s\S]*tracing_on/);
  });

  it('text of something else', () =>
    check(file('letter', 'Dear all,\nhello\n'), /Not a swiotlb trace[\s\S]*tracing_on/));

  it('a file of one 100 MB line', () => {
    const target = path.join(cli.folder, 'longline');
    const handle = openSync(target, 'w');
    const chunk = Buffer.alloc(1 << 20, 'x');
    for (let i = 0; i < 100; i++) {
      writeSync(handle, chunk);
    }
    closeSync(handle);
    check(target, /Not a swiotlb trace/);
  });

  it('a sparse file of 2 GB', () => {
    const target = path.join(cli.folder, 'sparse');
    const handle = openSync(target, 'w');
    ftruncateSync(handle, 2 ** 31);
    closeSync(handle);
    check(target, /Not a swiotlb trace/);
  });

  it('a folder without any of the files', () => {
    const folder = path.join(cli.folder, 'folder');
    mkdirSync(folder);
    check(folder, /no trace, log or samples/);
  });

  it('a damaged archive keeps what could be read', () => {
    const packed = gzipSync(fullLine.repeat(5000));
    const { code, out, err } = cli.run([file('cut.txt.gz', packed.subarray(0, packed.length - 40))]);
    expect(code).toBe(0);
    expect(err).toMatch(/damaged.*what came before was analysed/);
    expect(out).toMatch(/mappings failed/);
  });

  it('tells of the others and goes on with those that can be read', () => {
    const { code, out, err } = cli.run([path.join(cli.folder, 'nothing'), file('good.txt', fullLine)]);
    expect(code).toBe(3);
    expect(err).toMatch(/no such file/);
    expect(out).toMatch(/1 mapping failed/);
  });
});

describe('inputs', () => {
  it('may be compressed, whatever their name', () => {
    expect(cli.json(['diagnose', file('packed.txt', gzipSync(fullLine))])['failures']).toHaveLength(1);
    expect(cli.json(['diagnose', fixturePath('reports/buffer-full.txt.zst')])['failures']).toHaveLength(1);
    const { out } = cli.run(['diagnose', '--json'], { input: gzipSync(fullLine) });
    expect(JSON.parse(out).failures).toHaveLength(1);
  });

  it('stand apart in text', () => {
    const first = file('first.log', fullLine);
    const second = file('second.log', bootLine);
    for (const command of ['info', 'diagnose', 'devices', 'verify']) {
      const [one, two] = [first, second].map((log) => cli.run([command, log]).out);
      expect(cli.run([command, first, second]).out).toBe(`${one}\n${two}`);
    }
  });

  it('cannot send control characters to the terminal', () => {
    const evil =
      'x\u001b]0;owned\u0007 0000:00:05.0: swiotlb buffer is full (sz: 57344 bytes), total 512 (slots), used 512 (slots)\n';
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
    expect(cli.run([], { input: evil }).out).not.toMatch(/[\u0000-\u0008\u000b-\u001f]/);
  });
});

describe('other commands', () => {
  it('devices shows who uses the pool', () => {
    const { devices } = cli.json(['devices', sample]) as unknown as {
      devices: { name: string; requests: number; failed: number; peakSlots: number }[];
    };
    const report = cli.json(['diagnose', sample]);
    expect(devices.reduce((sum, device) => sum + device.failed, 0)).toBe((report['failures'] as unknown[]).length);
    expect(devices.map((device) => device.name)).toEqual(expect.arrayContaining(['0000:00:05.0', '0000:00:07.0']));
    expect(devices.every((device) => device.peakSlots <= 512)).toBe(true);
    expect(cli.run(['devices', sample]).out).toMatch(/^3 devices in /);
  });

  it('boot says what the kernel makes of a parameter', () => {
    expect(cli.json(['boot', 'swiotlb=128k', '--cpus', '8', '--mem', '16G'])).toMatchObject({
      nslabs: 1024,
      areas: 8,
      bytes: 2097152,
      force: false,
    });
    expect(cli.json(['boot', '--cpus', '2', '--mem', '10995116278', '--encrypted'])).toMatchObject({ nslabs: 524288 });
    expect(cli.json(['boot', 'quiet swiotlb=512,4,force', '--cpus', '4', '--mem', '2G'])).toMatchObject({
      nslabs: 512,
      areas: 4,
      force: true,
    });
    expect(cli.json(['boot', '--cpus', '4', '--mem', '2G'])).toMatchObject({ nslabs: 0, bytes: 0 });
  });

  it('policies lists what replay takes', () => {
    const { policies } = cli.json(['policies']) as unknown as {
      policies: { id: string; params: { name: string }[] }[];
    };
    expect(policies.map((policy) => policy.id)).toEqual(expect.arrayContaining(['fixed', 'transient', 'dynamic']));
    const ids = policies.map((policy) => policy.id);
    const { results } = cli.json(['compare', sampleTrace, '--policies', ids.join(',')]) as unknown as {
      results: { policy: string }[];
    };
    expect(results.map((result) => result.policy)).toEqual(ids);
  });

  it('vectors runs files and folders', () => {
    const folder = path.join(root, 'test', 'fixtures', 'vectors');
    const report = cli.json(['vectors', folder]);
    expect(report['disagree']).toBe(0);
    expect(report['operations']).toBeGreaterThan(1000);
    expect(report['first']).toBeNull();
  });

  it('vectors takes nothing else for a vector file', () => {
    const { code, out, err } = cli.run(['vectors', '--json', file('no.jsonl', fullLine)]);
    expect([code, JSON.parse(out)]).toEqual([3, expect.objectContaining({ files: 0, operations: 0, first: null })]);
    expect(err).toContain('not a vector file');
  });

  it('says where it cannot write, and what is no input', () => {
    const nowhere = path.join('no', 'such', 'folder');
    for (const args of [
      ['replay', sampleTrace, '--policy', 'fixed', '--series', nowhere],
      ['report', sampleTrace, '--no-size', '-o', nowhere],
      ['anonymize', sampleTrace, '-o', nowhere],
    ]) {
      expect(cli.run(args)).toMatchObject({ code: 3, err: expect.stringMatching(`^swiotlb-lens: ${nowhere}: `) });
    }
    expect(cli.run(['anonymize', 'absent.txt', '-o', 'copy.txt']).err).toBe(
      'swiotlb-lens: absent.txt: no such file or folder\n',
    );
    const { code, err } = cli.run(['verify', '--json', file('junk.bin', new Uint8Array(5000).fill(7))]);
    expect([code, err]).toEqual([3, expect.stringMatching(/junk\.bin: The input is binary data/)]);
  });
});
