import { describe, expect, it } from 'vitest';
import { createAnalysis } from '../../src/analysis/createAnalysis';
import type { Source } from '../../src/model/tables';

/** Analyses texts by file name and gives the source of the last one: where its clock stands against the first. */
function joined(files: Readonly<Record<string, string>>): Source {
  const builder = createAnalysis();
  for (const [path, text] of Object.entries(files)) {
    const source = builder.openSource({ path });
    source.push(new TextEncoder().encode(text));
    source.end();
  }
  const { sources } = builder.snapshot().tables;
  return sources[sources.length - 1];
}

const stamp = (ms: number): string => (ms / 1000).toFixed(6);
const bounced = (ms: number): string =>
  `     fio-7       [001] ..... ${stamp(ms)}: swiotlb_bounced: dev_name: 0000:00:05.0 dma_mask=ffffffff dev_addr=1000 size=4096 FORCE`;
const console = (ms: number, text: string): string => `     fio-7       [001] d.... ${stamp(ms)}: console: ${text}`;
const marker = (ms: number, text: string): string =>
  `     sh-9       [002] ..... ${stamp(ms)}: tracing_mark_write: ${text}`;
const log = (ms: number, text: string): string => `[${stamp(ms).padStart(12)}] ${text}`;
const text = (...lines: string[]): string => `${lines.join('\n')}\n`;

/** The trace begins at 5 s on its own clock; the log's clock is 700 ms behind. */
const begin = 5000;
const behind = 700;
const words = ['nvme 0000:00:05.0: frozen state', 'usb 1-1: new device', 'eth0: link is up', 'random: init done'];

/** Offset that the joined log should have: its first line is at 0. */
const expectedNs = (behind - begin) * 1e6;

describe('joining the clocks of a log and a trace', () => {
  const trace = text(bounced(begin), ...words.map((word, index) => console(begin + 100 * index * index + 0.03, word)));
  const lines = words.map((word, index) => log(begin - behind + 100 * index * index, word));

  it('by messages that both have, whatever they are about', () => {
    const source = joined({ 'trace.txt': trace, 'dmesg.txt': text(log(0, 'Linux version 6.12.1'), ...lines) });
    expect(Math.abs(source.offsetNs - expectedNs)).toBeLessThan(100_000);
    expect(source.offsetErrorNs).toBeLessThan(200_000);
    expect(Math.abs(source.offsetNs - expectedNs)).toBeLessThanOrEqual(source.offsetErrorNs);
  });

  it('whatever stands before the messages', () => {
    for (const prefix of ['Nov 20 12:00:01 host kernel: ', '<6>', 'kern  :info  : ']) {
      const source = joined({
        'trace.txt': trace,
        'dmesg.txt': text(...[log(0, 'Linux version 6.12.1'), ...lines].map((line) => prefix + line)),
      });
      expect(Math.abs(source.offsetNs - expectedNs), prefix).toBeLessThan(100_000);
    }
    const callers = lines.map((line) => line.replace('] ', '][  T123] '));
    const source = joined({ 'trace.txt': trace, 'dmesg.txt': text(log(0, 'Linux version 6.12.1'), ...callers) });
    expect(Math.abs(source.offsetNs - expectedNs)).toBeLessThan(100_000);
  });

  it('one message says less than several, and says so', () => {
    const one = joined({ 'trace.txt': trace, 'dmesg.txt': text(log(0, 'Linux version 6.12.1'), lines[2]) });
    const all = joined({ 'trace.txt': trace, 'dmesg.txt': text(log(0, 'Linux version 6.12.1'), ...lines) });
    expect(one.offsetErrorNs).toBeGreaterThanOrEqual(150_000);
    expect(all.offsetErrorNs).toBeLessThan(one.offsetErrorNs);
  });

  it('a line that fits at several places says no more than between which', () => {
    const twice = text(bounced(begin), console(begin + 10, words[0]), console(begin + 900, words[0]));
    const source = joined({ 'trace.txt': twice, 'dmesg.txt': text(log(0, 'Linux version 6'), log(begin, words[0])) });
    expect(source.offsetErrorNs).toBeGreaterThanOrEqual(890e6);
  });

  it('messages that agree win over one that stands elsewhere by chance', () => {
    const odd = text(...trace.trimEnd().split('\n'), console(begin + 2000, 'ata1: slow to respond'));
    const source = joined({
      'trace.txt': odd,
      'dmesg.txt': text(log(0, 'Linux version 6.12.1'), log(3000, 'ata1: slow to respond'), ...lines),
    });
    expect(Math.abs(source.offsetNs - expectedNs)).toBeLessThan(100_000);
  });

  it('by the marker of the capture that the log has, too', () => {
    const note = 'swiotlb-lens start mono=4.310000 boot=4.31';
    const source = joined({
      'trace.txt': text(bounced(begin), marker(begin + 10.05, note)),
      'dmesg.txt': text(log(0, 'Linux version 6.12.1'), log(begin - behind + 10, note)),
    });
    expect(Math.abs(source.offsetNs - expectedNs)).toBeLessThanOrEqual(source.offsetErrorNs);
    expect(source.offsetErrorNs).toBeLessThan(1e6);
  });

  it('by CLOCK_MONOTONIC: a tenth of a second, no closer', () => {
    const source = joined({
      'trace.txt': text(bounced(begin), marker(begin + 10, 'x start mono=4.310000000 boot=4.311')),
      'dmesg.txt': text(log(0, 'Linux version 6.12.1'), log(4000, 'nothing in common')),
    });
    expect(source.offsetNs).toBeCloseTo(-4300e6, -3);
    expect(source.offsetErrorNs).toBeGreaterThan(99e6);
    expect(source.offsetErrorNs).toBeLessThan(110e6);
  });

  it('the clock that trace_clock names is the one of the log, or is not', () => {
    const files = (clocks: string) => ({
      'trace.txt': text(bounced(begin)),
      'trace_clock.txt': `${clocks}\n`,
      'dmesg.txt': text(log(0, 'Linux version 6.12.1')),
    });
    const global = joined(files('local [global] counter uptime perf mono mono_raw boot x86-tsc'));
    expect(global).toMatchObject({ offsetNs: -begin * 1e6, offsetErrorNs: 1000 });
    const mono = joined(files('local global counter uptime perf [mono] mono_raw boot x86-tsc'));
    expect(mono.offsetNs).toBe(-begin * 1e6);
    expect(mono.offsetErrorNs).toBeGreaterThan(99e6);
    const local = joined(files('[local] global counter uptime perf mono mono_raw boot x86-tsc'));
    expect(local.offsetErrorNs).toBeNaN();
  });

  it('what the trace shows wins over a clock that was written down at another time', () => {
    const source = joined({
      'trace.txt': trace,
      'trace_clock.txt': 'local [global] counter uptime perf mono mono_raw boot x86-tsc\n',
      'dmesg.txt': text(log(0, 'Linux version 6.12.1'), ...lines),
    });
    expect(Math.abs(source.offsetNs - expectedNs)).toBeLessThan(100_000);
  });
});

describe('joining the clock of samples and a trace', () => {
  const samples = text('mono_s,boot_s,nslabs,used', '4.0,4.0,512,10', '4.1,4.1,512,20');
  const start = (delaysMs: readonly number[]) =>
    text(
      bounced(begin),
      ...delaysMs.map((delay, index) =>
        marker(begin + index * 1000 + delay, `lab tick mono=${stamp(begin - behind + index * 1000)}000`),
      ),
    );
  const expected = (4000 + behind - begin) * 1e6;

  it('a single marker is not exact', () => {
    const source = joined({ 'trace.txt': start([0.2]), 'debugfs.csv': samples });
    expect(Math.abs(source.offsetNs - expected)).toBeLessThanOrEqual(source.offsetErrorNs);
    expect(source.offsetErrorNs).toBe(500_000);
  });

  it('of several that agree the earliest counts, and one far off does not', () => {
    for (const outlier of [-900, 0, 80]) {
      const source = joined({ 'trace.txt': start([0.2, 0.05, outlier, 0.3, 0.1]), 'debugfs.csv': samples });
      expect(Math.abs(source.offsetNs - expected), `${outlier}`).toBeLessThanOrEqual(source.offsetErrorNs);
      expect(source.offsetErrorNs, `${outlier}`).toBeLessThan(1e6);
    }
  });

  it('two that contradict each other leave the difference open', () => {
    const source = joined({ 'trace.txt': start([0.2, 110]), 'debugfs.csv': samples });
    expect(source.offsetErrorNs).toBeGreaterThan(109e6);
  });

  it('a clock printed in hundredths is no better than that', () => {
    const coarse = text(
      bounced(begin),
      marker(begin, 'lab start boot=4.30'),
      marker(begin + 1000, 'lab stop boot=5.30'),
    );
    const source = joined({ 'trace.txt': coarse, 'debugfs.csv': text('boot_s,nslabs,used', '4.00,512,10') });
    expect(source.offsetErrorNs).toBe(10_000_000);
  });

  it('a trace on CLOCK_MONOTONIC needs no marker', () => {
    const source = joined({
      'trace.txt': text(bounced(begin)),
      'trace_clock.txt': 'local global counter uptime perf [mono] mono_raw boot x86-tsc\n',
      'debugfs.csv': samples,
    });
    expect(source).toMatchObject({ offsetNs: (4000 - begin) * 1e6, offsetErrorNs: 1000 });
  });
});
