import { ContextBit } from '../model/events';
import { asciiBytes, Byte, decodeUtf8, hexDigit, isBlank, isDigit, isWord, skipBlanks, startsWithAt } from './bytes';
import { type FlagColumns, flagColumnsOf, type ReaderContext, Verdict, type VerdictCode } from './context';
import type { EventText } from './eventText';
import { stripPrefix } from './logPrefix';

/** How far into a line the `[cpu]` column may start: 16 columns of name, pid, TGID and a pasted prefix. */
const anchorReach = 200;

/**
 * The default layout of ftrace (`comm-pid (tgid) [cpu] flags time: NAME: FIELDS`) with every column that options add
 * or remove, and the layouts of trace-cmd report and perf script, which share the `[cpu] time:` anchor.
 */
export class FtraceText {
  /** Format id of the lines this parser accepts: the layouts differ too little to be told apart line by line. */
  layout: 'ftrace' | 'trace-cmd' | 'perf' | 'trace-dat' = 'ftrace';
  private readonly context: ReaderContext;
  private readonly events: EventText;

  constructor(context: ReaderContext, events: EventText) {
    this.context = context;
    this.events = events;
  }

  parse(buffer: Uint8Array, start: number, end: number): VerdictCode {
    const text = this.parseHeader(buffer, start, end);
    if (text < 0) {
      return Verdict.notMine;
    }
    this.context.noteTime(this.context.header.timeNs, 'trace');
    return this.events.parse(buffer, text, end);
  }

  /**
   * perf script with fewer columns than usual (`-F`): `comm pid time: swiotlb:swiotlb_bounced: …`, each of them
   * optional. Found by the name of an event behind that of its subsystem.
   */
  parseFewColumns(buffer: Uint8Array, start: number, end: number): VerdictCode {
    const limit = Math.min(end, start + anchorReach);
    for (let at = start + 1; at < limit; at++) {
      if (
        buffer[at] !== Byte.colon ||
        !isWord(buffer[at - 1]) ||
        !this.events.startsWithKnownName(buffer, at + 1, end)
      ) {
        continue;
      }
      const columns = fewColumns.exec(decodeUtf8(buffer, start, at));
      if (columns === null) {
        return Verdict.notMine;
      }
      const [, comm = '', pid, tid, cpu, seconds, fraction] = columns;
      const { header } = this.context;
      header.cpu = cpu === undefined ? -1 : Number(cpu);
      header.pid = pid === undefined ? -1 : Number(tid ?? pid);
      header.context = 0;
      header.commStart = skipBlanks(buffer, start, end);
      header.commEnd = header.commStart + comm.length;
      if (seconds === undefined || fraction === undefined) {
        header.timeNs = Number.NaN;
        this.context.orderOnly = true;
      } else {
        header.timeNs = this.context.relativeNs(Number(seconds), Number(fraction.padEnd(9, '0')), 'boot');
        this.context.noteTime(header.timeNs, 'trace');
      }
      return this.events.parse(buffer, at + 1, end);
    }
    return Verdict.notMine;
  }

  /** Fills the context's header; returns where the event text starts, -1 when this is no event line. */
  private parseHeader(buffer: Uint8Array, start: number, end: number): number {
    // Unedited lines have the dash in column 16: no search is needed.
    const dash = start + 16;
    if (dash + 8 < end && buffer[dash] === Byte.dash && isDigit(buffer[dash + 1])) {
      let position = dash + 1;
      while (position < end && isDigit(buffer[position])) {
        position++;
      }
      position = skipBlanks(buffer, position, end);
      if (buffer[position] === Byte.open) {
        while (position < end && buffer[position] !== Byte.close) {
          position++;
        }
        position = skipBlanks(buffer, position + 1, end);
      }
      if (buffer[position] === Byte.openBracket) {
        const text = this.tryAnchor(buffer, start, position, end);
        if (text >= 0) {
          return text;
        }
      }
    }
    const limit = Math.min(end - 4, start + anchorReach);
    for (let position = start + 2; position < limit; position++) {
      if (buffer[position] === Byte.openBracket && isDigit(buffer[position + 1])) {
        const text = this.tryAnchor(buffer, start, position, end);
        if (text >= 0) {
          return text;
        }
      }
    }
    return -1;
  }

  /** Checks that `[cpu]` stands at `bracket`, a pid before it and a time behind it. */
  private tryAnchor(buffer: Uint8Array, start: number, bracket: number, end: number): number {
    let position = bracket + 1;
    let cpu = 0;
    while (position < end && isDigit(buffer[position])) {
      cpu = cpu * 10 + buffer[position] - 48;
      position++;
    }
    if (position >= end || buffer[position] !== Byte.closeBracket || position - bracket > 6) {
      return -1;
    }
    position++;

    // Before it: pid, maybe (tgid) behind the pid.
    let before = bracket - 1;
    while (before > start && isBlank(buffer[before])) {
      before--;
    }
    if (buffer[before] === Byte.close) {
      while (before > start && buffer[before] !== Byte.open) {
        before--;
      }
      before--;
      while (before > start && isBlank(buffer[before])) {
        before--;
      }
    }
    const pidEnd = before + 1;
    while (before >= start && isDigit(buffer[before])) {
      before--;
    }
    let pidStart = before + 1;
    if (pidStart === pidEnd || before < start) {
      return -1;
    }
    let separator = buffer[before];
    if (separator === Byte.slash) {
      // perf with pid/tid: the first number is the process, the second the thread, which is ftrace's pid.
      before--;
      while (before >= start && isDigit(buffer[before])) {
        before--;
      }
      separator = before >= start ? buffer[before] : 0;
    }
    if (separator !== Byte.dash && !isBlank(separator)) {
      return -1;
    }

    let text = this.parseStamp(buffer, position, end);
    if (text < 0) {
      return -1;
    }
    if (separator !== Byte.dash) {
      this.layout = 'perf';
      text = skipPeriod(buffer, text, end);
    }
    const header = this.context.header;
    header.cpu = cpu;
    let pid = 0;
    for (; pidStart < pidEnd; pidStart++) {
      pid = pid * 10 + buffer[pidStart] - 48;
    }
    header.pid = pid > 0x7fffffff ? -1 : pid;
    setTaskName(this.context, buffer, start, before);
    return text;
  }

  /** Optional flags, then `seconds.fraction:` or an integer stamp; returns the position behind the colon and blanks. */
  private parseStamp(buffer: Uint8Array, position: number, end: number): number {
    const header = this.context.header;
    position = skipBlanks(buffer, position, end);
    header.context = 0;
    let next = this.parseTime(buffer, position, end);
    if (next < 0) {
      const flagsStart = position;
      while (position < end && !isBlank(buffer[position])) {
        position++;
      }
      const isMode = isSampleMode(buffer, flagsStart, position);
      if (position - flagsStart > 8 || (position - flagsStart < 3 && !isMode)) {
        return -1;
      }
      const flags = isMode ? 0 : decodeFlags(buffer, flagsStart, position, this.context.flagColumns);
      position = skipBlanks(buffer, position, end);
      next = this.parseTime(buffer, position, end);
      if (next < 0) {
        return -1;
      }
      header.context = flags;
    }
    return skipDelta(buffer, skipBlanks(buffer, next, end), end);
  }

  private parseTime(buffer: Uint8Array, position: number, end: number): number {
    let seconds = 0;
    const start = position;
    while (position < end && isDigit(buffer[position])) {
      seconds = seconds * 10 + buffer[position] - 48;
      position++;
    }
    if (position === start || position >= end) {
      return -1;
    }
    if (buffer[position] === Byte.colon) {
      this.context.orderOnly = true;
      this.context.header.timeNs = Number.NaN;
      return position + 1;
    }
    if (buffer[position] !== Byte.dot || position - start > 15) {
      return -1;
    }
    position++;
    let nanoseconds = 0;
    const fraction = position;
    while (position < end && isDigit(buffer[position])) {
      if (position - fraction < 9) {
        nanoseconds = nanoseconds * 10 + buffer[position] - 48;
      }
      position++;
    }
    const digits = position - fraction;
    if (digits === 0 || digits > 9 || position >= end || buffer[position] !== Byte.colon) {
      return -1;
    }
    nanoseconds *= powersOfTen[9 - digits];
    this.context.header.timeNs = this.context.relativeNs(seconds, nanoseconds, 'boot');
    return position + 1;
  }
}

/** Task, process and thread, CPU, time, period, subsystem. */
const fewColumns =
  /^\s*(?:(\S(?:.{0,30}?\S)?)\s+)??(?:(\d{1,9})(?:\/(\d{1,9}))?\s+)??(?:\[(\d{1,5})\]\s+)?(?:(\d{1,12})\.(\d{1,9}):\s+)?(?:\d{1,12}\s+)?\w+$/;

/** trace-cmd report --ts-diff prints the time since the event before: `(+12)`. */
function skipDelta(buffer: Uint8Array, position: number, end: number): number {
  if (buffer[position] !== Byte.open || buffer[position + 1] !== Byte.plus) {
    return position;
  }
  let close = position + 2;
  while (close < end && (isDigit(buffer[close]) || buffer[close] === Byte.dot)) {
    close++;
  }
  return buffer[close] === Byte.close ? skipBlanks(buffer, close + 1, end) : position;
}

/** `K`, `Ue`, …: where the sample was taken, which `perf script -F misc` prints where ftrace has its flags. */
function isSampleMode(buffer: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if (sampleModes[buffer[i]] !== 1) {
      return false;
    }
  }
  return end > start && end - start < 3;
}

const sampleModes = new Uint8Array(256);
for (const letter of asciiBytes('KUHGgeEMSD')) {
  sampleModes[letter] = 1;
}

/** perf script prints the period of the sample before the event's name when asked to: `  1 dma:dma_map_page: `. */
function skipPeriod(buffer: Uint8Array, position: number, end: number): number {
  let next = position;
  while (next < end && isDigit(buffer[next])) {
    next++;
  }
  return next > position && next < end && isBlank(buffer[next]) ? skipBlanks(buffer, next, end) : position;
}

/** The task's name before its pid (`limit`), without what was pasted before the line. */
export function setTaskName({ header }: ReaderContext, buffer: Uint8Array, start: number, limit: number): void {
  let end = limit;
  while (end > start && isBlank(buffer[end - 1])) {
    end--;
  }
  header.commStart = skipDecoration(buffer, start, end);
  header.commEnd = end;
  if (end - header.commStart > maxCommBytes) {
    header.commStart = skipPastedPrefix(buffer, header.commStart, end);
  }
}

/** TASK_COMM_LEN without its NUL: a longer name has something pasted before it. */
const maxCommBytes = 15;

/** Removes a log prefix (a trace dumped into the kernel log) or grep's `FILE:` before a task name. */
function skipPastedPrefix(buffer: Uint8Array, start: number, end: number): number {
  const text = decodeUtf8(buffer, start, end);
  // `cat -n` and listings.
  const numbered = /^\d{1,9}\s{2,}(?=\S)/.exec(text)?.[0].length ?? 0;
  let cursor = numbered > 0 ? numbered : stripPrefix(text).cursor;
  while (text.length - cursor > maxCommBytes && text.includes(':', cursor)) {
    cursor = text.indexOf(':', cursor) + 1;
    // trace-cmd report pads the name behind `INSTANCE:`.
    while (text[cursor] === ' ') {
      cursor++;
    }
  }
  // Bytes and characters agree where the prefix is ASCII; otherwise the whole name stays.
  return text.length === end - start ? skipBlanks(buffer, start + cursor, end) : start;
}

const powersOfTen = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/** Blanks and what people put before a pasted line: mail quotes, bullets, back-ticks, quotes, the qemu prompt. */
export function skipDecoration(buffer: Uint8Array, position: number, end: number): number {
  for (;;) {
    position = skipBlanks(buffer, position, end);
    const byte = buffer[position];
    if (position >= end) {
      return end;
    }
    const beforeBlank = position + 1 < end && isBlank(buffer[position + 1]);
    if (byte === Byte.greater || byte === Byte.backtick || byte === Byte.quote) {
      position++;
    } else if ((byte === Byte.dash || byte === Byte.star || byte === Byte.plus || byte === Byte.bar) && beforeBlank) {
      position += 2;
    } else if (startsWithAt(buffer, position, end, qemuPrompt)) {
      position += qemuPrompt.length;
    } else {
      return position;
    }
  }
}

const qemuPrompt = asciiBytes('(qemu) ');

/**
 * ContextBit set of a flags column. Without a legend the order is irqs, resched, hardirq/softirq, preempt depth,
 * migrate disable (four to five columns); kernels with lazy rescheduling have one more before the interrupt column.
 */
export function decodeFlags(buffer: Uint8Array, start: number, end: number, legend: FlagColumns): number {
  const count = end - start;
  let irqs = 0;
  let resched = 1;
  let interrupt = 2;
  let preempt = 3;
  if (legend.count === count) {
    ({ irqs, resched, interrupt, preempt } = legend);
  } else if (count >= 6 && !isInterruptMark(buffer[start + 2]) && isInterruptOrDot(buffer[start + 3])) {
    interrupt = 3;
    preempt = 4;
  }
  let bits: number = ContextBit.known;
  switch (irqs >= 0 ? buffer[start + irqs] : 0) {
    case 100: // d
      bits |= ContextBit.irqsOff;
      break;
    case 68: // D
      bits |= ContextBit.irqsOff | ContextBit.bhOff;
      break;
    case 98: // b
      bits |= ContextBit.bhOff;
      break;
    default:
      break;
  }
  const reschedMark = resched >= 0 ? buffer[start + resched] : Byte.dot;
  if (reschedMark !== Byte.dot) {
    bits |= ContextBit.needResched;
  }
  switch (interrupt >= 0 ? buffer[start + interrupt] : 0) {
    case 104: // h
      bits |= ContextBit.hardIrq;
      break;
    case 72: // H: hard interrupt inside a soft interrupt
    case 42: // *: the same in very old kernels
      bits |= ContextBit.hardIrq | ContextBit.softIrq;
      break;
    case 115: // s
      bits |= ContextBit.softIrq;
      break;
    case 122: // z
    case 90: // Z
      bits |= ContextBit.nmi;
      break;
    default:
      break;
  }
  if (preempt >= 0 && hexDigit(buffer[start + preempt]) > 0) {
    bits |= ContextBit.preemptOff;
  }
  return bits;
}

function isInterruptMark(byte: number): boolean {
  return byte === 104 || byte === 72 || byte === 115 || byte === 122 || byte === 90 || byte === 42;
}

function isInterruptOrDot(byte: number): boolean {
  return byte === Byte.dot || isInterruptMark(byte);
}

const legendWords: readonly (readonly [string, string])[] = [
  ['CPU#', 'cpu'],
  ['irqs-off', 'irqs'],
  ['need-resched_lazy', 'lazy'],
  ['need-resched-lazy', 'lazy'],
  ['need-resched', 'resched'],
  ['hardirq/softirq', 'interrupt'],
  ['preempt-lazy-depth', 'lazyDepth'],
  ['preempt-depth', 'preempt'],
  ['migrate-disable', 'migrate'],
];

/** Lines that start with `#`: everything of an ftrace header is understood, other comments say nothing. */
export function parseComment(context: ReaderContext, buffer: Uint8Array, start: number, end: number): void {
  const text = decodeUtf8(buffer, start, Math.min(end, start + 300));
  const entries = /entries-in-buffer\/entries-written:\s*(\d+)\/(\d+)(?:\s+#P:(\d+))?/.exec(text);
  if (entries !== null) {
    context.entriesInBuffer = Number(entries[1]);
    context.entriesWritten = Number(entries[2]);
    if (entries[3] !== undefined) {
      context.cpusOnline = Number(entries[3]);
    }
    if (context.entriesInBuffer > 0 && context.entriesInBuffer < context.entriesWritten) {
      const gone = context.entriesWritten - context.entriesInBuffer;
      context.problem('overwritten-start', `The ring buffer overwrote its ${gone} oldest events before it was saved.`);
    }
    return;
  }
  const tracer = /^#\s*tracer:\s*(\S+)/.exec(text);
  if (tracer !== null) {
    context.tracer = tracer[1];
    return;
  }
  const latency = /^#\s*(\S+) latency trace v[\d.]+ on (\S+)/.exec(text);
  if (latency !== null) {
    context.release = latency[2];
    return;
  }
  // perf script --header.
  const release = /^#\s*os release\s*:\s*(\S+)/.exec(text);
  if (release !== null) {
    context.release = release[1];
    return;
  }
  const cpus = /#P:(\d+)\)|^#\s*nrcpus online\s*:\s*(\d+)/.exec(text);
  if (cpus !== null) {
    context.cpusOnline = Number(cpus[1] ?? cpus[2]);
    const counts = /#(\d+)\/(\d+), CPU#/.exec(text);
    if (counts !== null) {
      context.entriesInBuffer = Number(counts[1]);
      context.entriesWritten = Number(counts[2]);
    }
    return;
  }
  const legend = /=>\s*(\S+)/.exec(text);
  if (legend !== null) {
    const word = legendWords.find(([prefix]) => legend[1].startsWith(prefix));
    context.pendingLegend.push(word?.[1] ?? legend[1]);
    return;
  }
  if (context.pendingLegend.length > 0) {
    context.flagColumns = flagColumnsOf(context.pendingLegend.filter((word) => word !== 'cpu'));
    context.pendingLegend = [];
  }
}

/** `CPU:2 [LOST 137 EVENTS]`, `CPU:2 [LOST EVENTS]`, trace-cmd's `CPU:3 [12 EVENTS DROPPED]`. */
export function parseLostEvents(context: ReaderContext, buffer: Uint8Array, start: number, end: number): VerdictCode {
  start = skipDecoration(buffer, start, end);
  if (!startsWithAt(buffer, start, end, cpuColon) || end - start > 120) {
    return Verdict.notMine;
  }
  const match = /^CPU:\s*(\d+)\s+\[(?:LOST\s+(?:(\d+)\s+)?EVENTS|(\d+)\s+EVENTS\s+DROPPED|EVENTS\s+DROPPED)\]/.exec(
    decodeUtf8(buffer, start, end),
  );
  if (match === null) {
    return Verdict.notMine;
  }
  const count = match[2] ?? match[3];
  context.lostEvents(Number(match[1]), count === undefined ? -1 : Number(count));
  return Verdict.understood;
}

const cpuColon = asciiBytes('CPU:');
