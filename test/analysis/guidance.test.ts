import { describe, expect, it } from 'vitest';
import { captureCommands } from '../../src/analysis/captureCommands';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import { diagnose } from '../../src/analysis/diagnose';
import { guidanceFor, isRecognised } from '../../src/analysis/guidance';
import { generations } from '../../src/model/geometry';

function analysisOf(text: string | Uint8Array) {
  const builder = createAnalysis();
  const source = builder.openSource({ path: 'input' });
  source.push(typeof text === 'string' ? new TextEncoder().encode(text) : text);
  source.end();
  return builder.snapshot();
}

/** Every guidance says what was found, what to do, and gives commands. */
function check(text: string | Uint8Array, expected: { title: string; found?: RegExp; recognised: boolean }): void {
  const analysis = analysisOf(text);
  const guidance = guidanceFor(analysis);
  expect(guidance?.title).toBe(expected.title);
  expect(guidance!.found).toMatch(expected.found ?? /./);
  expect(guidance!.next).toMatch(/\.|:$/);
  expect(guidance!.commands.join('\n')).toMatch(/tracing_on/);
  expect(isRecognised(analysis)).toBe(expected.recognised);
}

const event = (name: string, fields: string) =>
  `             cat-100     [000] d..1.     1.000000: ${name}: ${fields}\n`;

describe('inputs that cannot answer get a next step', () => {
  it('empty', () => check('', { title: 'Nothing to read', found: /empty/, recognised: false }));

  it('binary', () => {
    const bytes = Uint8Array.from({ length: 70000 }, (_, i) => (i * 7919 + (i >> 3)) & 255);
    check(bytes, { title: 'Not a swiotlb trace', recognised: false });
  });

  it('a table without a header whose columns cannot be told', () => {
    const rows = Array.from({ length: 20 }, (_, row) => `${100 + row / 10},${row % 3},${row % 5}\n`);
    check(rows.join(''), {
      title: 'A table without a header',
      found: /time_s,nslabs,used,used_hiwater/,
      recognised: false,
    });
  });

  it('text of something else', () =>
    check('Dear all,\nplease find attached the minutes.\n', { title: 'Not a swiotlb trace', recognised: false }));

  it('a log without failures', () =>
    check('[    0.000000] software IO TLB: mapped [mem 0x6e42a000-0x7242a000] (64MB)\n', {
      title: 'No failure in this log',
      found: /The pool has 32,768 slots/,
      recognised: true,
    }));

  it('a log with failures', () =>
    check(
      '[    5.075738] nvme 0000:00:05.0: swiotlb buffer is full (sz: 57344 bytes), total 512 (slots), used 494 (slots)\n',
      {
        title: 'A log without a trace',
        found: /1 failure line/,
        recognised: true,
      },
    ));

  it('function_graph without events: what it is good for, and what to record', () => {
    const call = (name: string) => ` 1) + 15.293 us   |  ${name}();\n`;
    check(`# tracer: function_graph\n#\n${call('swiotlb_bounce')}${call('swiotlb_bounce')}${call('swiotlb_map')}`, {
      title: 'Durations without mappings',
      found: /times 3 calls of swiotlb functions \(swiotlb_bounce 2, swiotlb_map 1\)/,
      recognised: true,
    });
    // What stands beside it does not hide what it is.
    const builder = createAnalysis();
    for (const [path, text] of Object.entries({ 'trace.txt': call('swiotlb_map'), 'dmesg.txt': '[    1.0] x: y\n' })) {
      const source = builder.openSource({ path });
      source.push(new TextEncoder().encode(text));
      source.end();
    }
    expect(guidanceFor(builder.snapshot())?.kind).toBe('durations');
  });

  it('a trace without events of the field', () =>
    check(event('sched_switch', 'prev_comm=a').repeat(3), {
      title: 'A trace without swiotlb events',
      found: /3 sched_switch/,
      recognised: true,
    }));

  it('nothing for a trace with mappings', () => {
    const text = event(
      'swiotlb_bounced',
      'dev_name: 0000:00:05.0 dma_mask=ffffffff dev_addr=100000000 size=512 NORMAL',
    );
    expect(guidanceFor(analysisOf(text))).toBeNull();
  });
});

describe('commands that record a trace', () => {
  it('are three on an unknown kernel', () => {
    expect(captureCommands(null).commands.length).toBe(3);
  });

  it.each(generations)('exist for %s, start clean and save everything', (generation) => {
    const { commands } = captureCommands(generation);
    const text = commands.join('\n');
    expect(text).toMatch(/events\/swiotlb\/enable/);
    expect(text).toMatch(/dmesg/);
    expect(text).toMatch(/debug\/swiotlb/);
    expect(commands.every((command) => (command.match(/'/g) ?? []).length % 2 === 0)).toBe(true);
  });

  it('use probes of the function each kernel has', () => {
    expect(captureCommands('6.12').commands.join('\n')).toMatch(/f:swl\/unmap __swiotlb_tbl_unmap_single/);
    expect(captureCommands('6.1').commands.join('\n')).toMatch(/p:swl\/unmap swiotlb_tbl_unmap_single/);
  });

  it('are those of the kernel the log names', () => {
    const analysis = analysisOf('[    0.000000] Linux version 6.1.0-56-cloud-amd64 (x@y) #1 SMP\n');
    expect(guidanceFor(analysis)!.commands).toEqual(captureCommands('6.1').commands);
  });
});

describe('the ledger', () => {
  const served = (line: number) =>
    event(
      'swiotlb_bounced',
      `dev_name: d dma_mask=ffffffff dev_addr=${(line * 4096 + 2 ** 33).toString(16)} size=512 FORCE`,
    );

  it('counts every line and every request once', () => {
    const text = `${served(1)}${served(2)}garbage that is no event\n${event('sched_switch', 'a=b')}`;
    const { ledger } = diagnose(analysisOf(text));
    expect(ledger.understood + ledger.counted + ledger.notUnderstood).toBe(4);
    expect(ledger.countedByName['sched_switch']).toBe(1);
    expect(ledger.exact + ledger.derived + ledger.assumed).toBe(2);
  });

  it('says that lifetimes are assumed when nothing tells the end', () => {
    const { ledger } = diagnose(analysisOf(served(1)));
    expect(ledger.assumed).toBe(1);
    expect(ledger.notes.map((note) => note.text).join('\n')).toMatch(/Lifetimes are assumed/);
  });

  it('counts dropped events as lost', () => {
    const { ledger, warnings } = diagnose(analysisOf(`${served(1)}CPU:2 [LOST 1234 EVENTS]\n${served(2)}`));
    expect(ledger.lost).toBe(1234);
    expect(warnings.map((warning) => [warning.code, warning.line])).toEqual([['lost-events', 2]]);
  });
});
