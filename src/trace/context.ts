import type { StringTable } from '../base/stringTable';
import {
  createTraceEvent,
  type EventKindCode,
  resetTraceEvent,
  type TraceEvent,
  type TraceSink,
} from '../model/events';
import { type Problem, type ProblemCode, problemCatalogue } from '../model/problem';
import { ByteMap, decodeUtf8, startsWithAt } from './bytes';
import type { ProbeArguments } from './probeArguments';

/**
 * What a line turned out to be.
 * `notMine` lets the next format try; `held` means the line waits for the next one (a wrapped log line).
 */
export const Verdict = { notMine: 0, understood: 1, counted: 2, bad: 3, text: 4, held: 5 } as const;
export type VerdictCode = (typeof Verdict)[keyof typeof Verdict];

/** Counters of one event (or message) name. */
export interface NameCounter {
  readonly name: string;
  understood: number;
  counted: number;
}

const problemsListedPerCode = 5;
const maxNames = 4096;
const maxComms = 1 << 16;
const maxExamples = 10;
/** CONFIG_NR_CPUS of distribution kernels; first times of further CPUs are not kept. */
const maxCpus = 8192;
const clockToleranceNs = { trace: 1e6, log: 1e8 } as const;

/** Where the flag columns stand; -1 where the legend has none. */
export interface FlagColumns {
  /** Columns of the legend, 0 without one. */
  readonly count: number;
  readonly irqs: number;
  readonly resched: number;
  readonly interrupt: number;
  readonly preempt: number;
}

export function flagColumnsOf(legend: readonly string[]): FlagColumns {
  return {
    count: legend.length,
    irqs: legend.indexOf('irqs'),
    resched: legend.indexOf('resched'),
    interrupt: legend.indexOf('interrupt'),
    preempt: legend.indexOf('preempt'),
  };
}

/** Absolute stamps of two families that cannot be subtracted from each other. */
export type ClockFamily = 'boot' | 'wall';

/** So many keys of an event's text are predicted from the line of that name before. */
export const maxPredictedKeys = 16;

/** Everything the format parsers of one source share: the current line, the reused event, time, names, problems. */
export class ReaderContext {
  readonly source: number;
  readonly strings: StringTable;
  readonly sink: TraceSink;
  readonly event: TraceEvent = createTraceEvent();

  /** One-based number, start and end state of the line being parsed. */
  line = 0;
  byteOffset = 0;
  terminated = true;
  /** NUL bytes dropped before the line's first byte (they still count as columns). */
  skippedNuls = 0;

  /** Keys (by index) in the order of the last line of the same event: fields.ts tries them first. */
  keyOrder: Uint8Array = new Uint8Array(maxPredictedKeys);

  /** Header of the event line being parsed. */
  readonly header = {
    cpu: -1,
    pid: -1,
    commStart: 0,
    commEnd: 0,
    /** Index of the task's name where it does not stand on the line. */
    comm: 0,
    context: 0,
    timeNs: Number.NaN,
  };

  /** The order of the flag columns when the file's own legend tells, see ftraceText. */
  flagColumns: FlagColumns = flagColumnsOf([]);
  pendingLegend: string[] = [];
  /** Definitions of probes in this and earlier sources; null where nobody collects them. */
  probes: ProbeArguments | null = null;
  /** Names of devices by identifier, of this and earlier sources. */
  deviceNames = new Map<string, string>();
  tracer = '';
  cpusOnline = -1;
  entriesInBuffer = -1;
  entriesWritten = -1;
  release = '';
  clock = '';

  /**
   * Whether swiotlb_bounced ends in a word. 'always': since 4.10, so that a line without it was cut; 'none': kernels before
   * that print `swiotlb_force` or nothing; 'unknown' before the first such line that is not continued on the next.
   */
  lastWord: 'unknown' | 'always' | 'none' = 'unknown';

  /** Set once a stamp without a fraction was used as an event time. */
  orderOnly = false;
  origin: { seconds: number; nanoseconds: number } | null = null;
  private originFamily: ClockFamily = 'boot';
  private readonly firstNsByCpu = new Float64Array(maxCpus).fill(Number.NaN);
  private readonly lastNs = { trace: Number.NaN, log: Number.NaN };

  /** Where the line being parsed begins in its buffer. */
  lineStart = 0;
  readonly tally = { understood: 0, counted: 0, notUnderstood: 0, text: 0 };
  private readonly examples: { line: number; text: string }[] = [];
  private readonly textExamples: { line: number; text: string }[] = [];

  hasField = false;
  readonly lost = { total: 0, byCpu: new Map<string, number>() };

  private readonly names = new Map<string, NameCounter>();
  private readonly problemsByCode = new Map<
    ProblemCode,
    { listed: { line: number; message: string }[]; total: number }
  >();
  private readonly comms = new ByteMap(maxComms);
  private readonly commStrings: number[] = [];
  private readonly devices = new ByteMap();
  private readonly deviceStrings: number[] = [];
  private lastDevice: Uint8Array | null = null;
  private lastDeviceString = 0;

  constructor(source: number, strings: StringTable, sink: TraceSink) {
    this.source = source;
    this.strings = strings;
    this.sink = sink;
  }

  /**
   * Nanoseconds of an absolute stamp relative to the source's origin; the first stamp becomes the origin.
   * Seconds and nanoseconds are integers, so nothing is lost even for epoch stamps.
   */
  relativeNs(seconds: number, nanoseconds: number, family: ClockFamily): number {
    if (this.origin === null) {
      this.origin = { seconds, nanoseconds };
      this.originFamily = family;
    }
    if (family !== this.originFamily) {
      return Number.NaN;
    }
    return (seconds - this.origin.seconds) * 1e9 + (nanoseconds - this.origin.nanoseconds);
  }

  /** Reports time going back by more than CPU skew (trace) or printk's caller order (log) explains. */
  noteTime(timeNs: number, lane: 'trace' | 'log'): void {
    const { cpu } = this.header;
    if (lane === 'trace' && cpu >= 0 && cpu < maxCpus && Number.isNaN(this.firstNsByCpu[cpu])) {
      this.firstNsByCpu[cpu] = timeNs;
    }
    const last = this.lastNs[lane];
    if (timeNs < last - clockToleranceNs[lane]) {
      this.problem('clock-backwards', `The time goes back by ${((last - timeNs) / 1e9).toFixed(6)} s.`);
    }
    if (!Number.isNaN(timeNs)) {
      this.lastNs[lane] = timeNs;
    }
  }

  /** The first time of every CPU that had an event. */
  firstTimes(): { firstTimeByCpu?: Record<string, number> } {
    const firstTimeByCpu: Record<string, number> = {};
    this.firstNsByCpu.forEach((timeNs, cpu) => {
      if (!Number.isNaN(timeNs)) {
        firstTimeByCpu[cpu] = timeNs;
      }
    });
    return Object.keys(firstTimeByCpu).length === 0 ? {} : { firstTimeByCpu };
  }

  /** Counts a line once it is decided. `text` is only asked for lines that become examples. */
  count(verdict: VerdictCode, line: number, text: () => string): void {
    switch (verdict) {
      case Verdict.understood:
        this.tally.understood++;
        return;
      case Verdict.counted:
        this.tally.counted++;
        return;
      case Verdict.text:
        this.tally.text++;
        if (this.textExamples.length < maxExamples) {
          this.textExamples.push({ line, text: text() });
        }
        return;
      case Verdict.bad:
        this.tally.notUnderstood++;
        if (this.examples.length < maxExamples) {
          this.examples.push({ line, text: text() });
        }
        return;
      default:
        return;
    }
  }

  /** First lines that were not understood; lines of plain text only when they count as such. */
  notUnderstoodExamples(withText: boolean): { line: number; text: string }[] {
    const all = withText ? [...this.examples, ...this.textExamples] : this.examples;
    return [...all].sort((a, b) => a.line - b.line).slice(0, maxExamples);
  }

  /** Clears the shared event and fills it from the line's header. */
  beginEvent(kind: EventKindCode, buffer: Uint8Array): TraceEvent {
    const event = resetTraceEvent(this.event);
    const header = this.header;
    event.kind = kind;
    event.source = this.source;
    event.line = this.line;
    event.byteOffset = this.byteOffset;
    event.timeNs = header.timeNs;
    event.cpu = header.cpu;
    event.pid = header.pid;
    event.context = header.context;
    event.comm =
      header.commEnd > header.commStart ? this.internComm(buffer, header.commStart, header.commEnd) : header.comm;
    return event;
  }

  emit(event: TraceEvent): void {
    this.hasField = true;
    this.sink.event(event);
  }

  internDevice(buffer: Uint8Array, start: number, end: number): number {
    // Most events name the device of the event before.
    const last = this.lastDevice;
    if (last !== null && last.length === end - start && startsWithAt(buffer, start, end, last)) {
      return this.lastDeviceString;
    }
    this.lastDeviceString = internInto(this.devices, this.deviceStrings, this.strings, buffer, start, end);
    this.lastDevice = buffer.slice(start, end);
    return this.lastDeviceString;
  }

  internComm(buffer: Uint8Array, start: number, end: number): number {
    return internInto(this.comms, this.commStrings, this.strings, buffer, start, end);
  }

  /** The counter of a name; beyond a limit all new names share one. */
  name(name: string): NameCounter {
    let counter = this.names.get(name);
    if (counter === undefined) {
      if (this.names.size >= maxNames) {
        name = '(other names)';
        counter = this.names.get(name);
        if (counter !== undefined) {
          return counter;
        }
      }
      counter = { name, understood: 0, counted: 0 };
      this.names.set(name, counter);
    }
    return counter;
  }

  counters(): IterableIterator<NameCounter> {
    return this.names.values();
  }

  problem(code: ProblemCode, message: string, line = this.line): void {
    let entry = this.problemsByCode.get(code);
    if (entry === undefined) {
      entry = { listed: [], total: 0 };
      this.problemsByCode.set(code, entry);
    }
    entry.total++;
    if (entry.listed.length < problemsListedPerCode) {
      entry.listed.push({ line, message });
    }
  }

  /** The last listed problem of a code carries the count of those not listed. */
  problems(): Problem[] {
    const problems: Problem[] = [];
    for (const [code, { listed, total }] of this.problemsByCode) {
      listed.forEach(({ line, message }, index) => {
        const count = index === listed.length - 1 ? total - listed.length + 1 : 1;
        problems.push({ code, severity: problemCatalogue[code].severity, message, source: this.source, line, count });
      });
    }
    return problems;
  }

  lostEvents(cpu: number, count: number): void {
    this.sink.lost({ source: this.source, line: this.line, cpu, count });
    const key = cpu < 0 ? 'unknown' : String(cpu);
    this.lost.byCpu.set(key, (this.lost.byCpu.get(key) ?? 0) + Math.max(count, 0));
    this.lost.total += Math.max(count, 0);
    const many = count < 0 ? 'an unknown number of events' : `${count} events`;
    this.problem('lost-events', cpu < 0 ? `The kernel lost ${many}.` : `The kernel lost ${many} of CPU ${cpu}.`);
  }
}

function internInto(
  map: ByteMap,
  indices: number[],
  strings: StringTable,
  buffer: Uint8Array,
  start: number,
  end: number,
): number {
  const before = map.size;
  const index = map.add(buffer, start, end);
  if (index < 0) {
    return 0;
  }
  if (index === before) {
    // `<idle>` copied out of a page's source.
    indices.push(strings.intern(decodeUtf8(buffer, start, end).replace(/^&lt;(.*)&gt;$/, '<$1>')));
  }
  return indices[index];
}
