import { EventKind } from '../model/events';
import { asciiBytes, Byte, ByteMap, decodeUtf8, isBlank, isDigit, isWord, skipBlanks, startsWithAt } from './bytes';
import { type ReaderContext, Verdict, type VerdictCode } from './context';
import type { EventText } from './eventText';

const commentOpen = asciiBytes('/* ');
const commentClose = asciiBytes('*/');
const dashes = asciiBytes('-------');
const maxDepth = 64;
const maxCpus = 8192;

interface Task {
  readonly pid: number;
  /** Index in the string table. */
  readonly comm: number;
}

/** Functions whose result is the bounce address; all ones when there is none. */
const mapFunctions = new Set(['swiotlb_tbl_map_single', 'swiotlb_map']);

/**
 * function_graph: `[time |] CPU) [task |] [mark duration us |] body`. Events stand inside as comments.
 * A function's duration is printed on its line when it calls nothing, else on its closing brace, whose name is
 * printed (option funcgraph-tail) or follows from the open functions of that CPU.
 */
export class FunctionGraph {
  private readonly context: ReaderContext;
  private readonly events: EventText;
  private readonly names = new ByteMap(1 << 14);
  private readonly nameStrings: number[] = [];
  /** Open functions per CPU, as string-table indices (0: unknown). */
  private readonly open = new Map<number, number[]>();
  /** The task a CPU switched to, for lines without a task column. */
  private readonly tasks = new Map<number, Task>();
  /** Return values are printed. */
  private hasResults = false;
  lines = 0;

  constructor(context: ReaderContext, events: EventText) {
    this.context = context;
    this.events = events;
  }

  parse(buffer: Uint8Array, start: number, end: number): VerdictCode {
    const verdict = this.parseLine(buffer, start, end);
    this.context.header.comm = 0;
    return verdict;
  }

  private parseLine(buffer: Uint8Array, start: number, end: number): VerdictCode {
    const { context } = this;
    let position = skipBlanks(buffer, start, end);
    if (startsWithAt(buffer, position, end, dashes) && this.lines > 0) {
      return Verdict.understood;
    }
    const header = context.header;
    header.cpu = -1;
    header.pid = -1;
    header.context = 0;
    header.commStart = 0;
    header.commEnd = 0;
    header.timeNs = Number.NaN;

    // `seconds.fraction |`
    const time = this.time(buffer, position, end);
    if (time > 0) {
      position = skipBlanks(buffer, time, end);
    }
    // `CPU)`
    let digits = position;
    while (digits < end && isDigit(buffer[digits])) {
      digits++;
    }
    if (digits === position || digits - position > 5 || buffer[digits] !== Byte.close) {
      return Verdict.notMine;
    }
    header.cpu = Number(decodeUtf8(buffer, position, digits));
    position = digits + 1;
    const task = this.tasks.get(header.cpu);
    if (task !== undefined) {
      header.pid = task.pid;
      header.comm = task.comm;
    }

    // Columns up to the last bar before the body; the body begins with two blanks at depth 0.
    let durationNs = Number.NaN;
    let bars = 0;
    for (;;) {
      const bar = findBar(buffer, position, end);
      if (bar < 0) {
        break;
      }
      const parsed = this.column(buffer, position, bar);
      if (parsed === undefined) {
        break;
      }
      durationNs = parsed ?? durationNs;
      position = bar + 1;
      bars++;
    }
    if (bars === 0) {
      return this.taskSwitch(buffer, position, end);
    }
    this.lines++;
    if (time < 0) {
      context.orderOnly = true;
    }
    return this.body(buffer, skipBlanks(buffer, position, end), end, durationNs);
  }

  /** ` 1)  sampler-154   =>    wget-157   `: the open functions now belong to another task. */
  private taskSwitch(buffer: Uint8Array, position: number, end: number): VerdictCode {
    for (let i = position; i + 1 < end; i++) {
      if (buffer[i] === Byte.equals && buffer[i + 1] === Byte.greater) {
        const { cpu } = this.context.header;
        this.open.delete(cpu);
        this.switchTo(buffer, skipBlanks(buffer, i + 2, end), Math.min(end, i + 80), cpu);
        this.lines++;
        return Verdict.understood;
      }
    }
    return Verdict.notMine;
  }

  private switchTo(buffer: Uint8Array, start: number, end: number, cpu: number): void {
    const task = /^(.*)-(\d{1,9})\s*$/.exec(decodeUtf8(buffer, start, end));
    if (task === null) {
      this.tasks.delete(cpu);
    } else if (this.tasks.size < maxCpus) {
      const comm = this.context.internComm(buffer, start, start + task[1].length);
      this.tasks.set(cpu, { pid: Number(task[2]), comm });
    }
  }

  private time(buffer: Uint8Array, position: number, end: number): number {
    let seconds = 0;
    const start = position;
    while (position < end && isDigit(buffer[position])) {
      seconds = seconds * 10 + buffer[position++] - 48;
    }
    if (position === start || position - start > 12 || buffer[position] !== Byte.dot) {
      return -1;
    }
    let fraction = 0;
    let digits = 0;
    for (position++; position < end && isDigit(buffer[position]) && digits < 9; digits++) {
      fraction = fraction * 10 + buffer[position++] - 48;
    }
    position = skipBlanks(buffer, position, end);
    if (digits === 0 || buffer[position] !== Byte.bar) {
      return -1;
    }
    this.context.header.timeNs = this.context.relativeNs(seconds, fraction * 10 ** (9 - digits), 'boot');
    return position + 1;
  }

  /** A column between bars: a duration (its nanoseconds), a task or blanks (null); undefined when it is neither. */
  private column(buffer: Uint8Array, start: number, end: number): number | null | undefined {
    const text = decodeUtf8(buffer, start, end);
    const duration = /^\s*[$@*#!+]?\s*(\d+)(?:\.(\d{1,3}))?\s+(us|ms|s)\s*$/.exec(text);
    if (duration !== null) {
      const unit = duration[3] === 'us' ? 1e3 : duration[3] === 'ms' ? 1e6 : 1e9;
      const fraction = (duration[2] ?? '').padEnd(3, '0');
      return Number(duration[1]) * unit + (Number(fraction) * unit) / 1e3;
    }
    if (/^\s*$/.test(text) || /^\s*(?:[$@*#!+])?\s*$/.test(text)) {
      return null;
    }
    const task = /^\s*(.*?)-(\d+)\s*(?:[\w.]{4,6}\s*)?$/.exec(text);
    if (task !== null) {
      this.context.header.pid = Number(task[2]);
      this.context.header.commStart = skipBlanks(buffer, start, end);
      this.context.header.commEnd = this.context.header.commStart + task[1].length;
      return null;
    }
    return /^\s*[\w.]{4,6}\s*$/.test(text) ? null : undefined;
  }

  private body(buffer: Uint8Array, start: number, end: number, durationNs: number): VerdictCode {
    const { context } = this;
    if (startsWithAt(buffer, start, end, commentOpen)) {
      let close = end;
      while (close > start && isBlank(buffer[close - 1])) {
        close--;
      }
      if (!startsWithAt(buffer, close - 2, end, commentClose)) {
        return Verdict.bad;
      }
      close -= 2;
      while (close > start && isBlank(buffer[close - 1])) {
        close--;
      }
      const text = start + commentOpen.length;
      if (this.isNamed(buffer, text, close)) {
        return this.events.parse(buffer, text, close);
      }
      // Text written to trace_marker appears without a name here.
      const event = context.beginEvent(EventKind.marker, buffer);
      event.text = decodeUtf8(buffer, text, close);
      context.sink.event(event);
      context.name('tracing_mark_write').understood++;
      return Verdict.understood;
    }
    const stack = this.stack(context.header.cpu);
    if (buffer[start] === Byte.closeBrace) {
      let symbol = stack.pop() ?? 0;
      const comment = skipBlanks(buffer, start + 1, end);
      if (startsWithAt(buffer, comment, end, commentOpen)) {
        if (!context.terminated && buffer[end - 1] !== Byte.slash) {
          return Verdict.bad;
        }
        const name = this.name(buffer, comment + commentOpen.length, end);
        symbol = name === 0 ? symbol : name;
      }
      return this.duration(buffer, symbol, durationNs, comment, end);
    }
    let position = start;
    while (position < end && (isWord(buffer[position]) || buffer[position] === Byte.dot)) {
      position++;
    }
    if (position === start) {
      return Verdict.bad;
    }
    const symbol = this.name(buffer, start, end);
    while (position < end && buffer[position] !== Byte.close) {
      position++;
    }
    if (position >= end) {
      return Verdict.bad;
    }
    position = skipBlanks(buffer, position + 1, end);
    if (buffer[position] === Byte.openBrace) {
      if (stack.length < maxDepth) {
        stack.push(symbol);
      }
      context.name('function_graph').understood++;
      return Verdict.understood;
    }
    return this.duration(buffer, symbol, durationNs, position, end);
  }

  /** Only durations of the allocator's own functions are facts; the others are read and counted as lines. */
  private duration(buffer: Uint8Array, symbol: number, durationNs: number, position: number, end: number): VerdictCode {
    const { context } = this;
    const result = returnValue(buffer, position, end);
    this.hasResults ||= result !== '';
    if (!context.terminated && this.hasResults && !startsWithAt(buffer, end - 2, end, commentClose)) {
      // The result is missing or lacks digits.
      return Verdict.bad;
    }
    context.name('function_graph').understood++;
    const name = context.strings.get(symbol);
    if (!Number.isNaN(durationNs) && name.includes('swiotlb')) {
      const event = context.beginEvent(EventKind.functionDuration, buffer);
      event.symbol = symbol;
      event.durationNs = durationNs;
      event.failed = isFailure(result);
      if (mapFunctions.has(name) && !event.failed && result.startsWith('0x')) {
        const address = Number(result);
        event.dma = address <= 2 ** 53 ? address : Number.NaN;
      }
      context.emit(event);
    }
    return Verdict.understood;
  }

  private isNamed(buffer: Uint8Array, start: number, end: number): boolean {
    let position = start;
    while (position < end && isWord(buffer[position])) {
      position++;
    }
    return (
      position > start && buffer[position] === Byte.colon && (position + 1 === end || isBlank(buffer[position + 1]))
    );
  }

  private name(buffer: Uint8Array, start: number, end: number): number {
    let position = start;
    while (position < end && (isWord(buffer[position]) || buffer[position] === Byte.dot)) {
      position++;
    }
    if (position === start) {
      return 0;
    }
    const before = this.names.size;
    const index = this.names.add(buffer, start, position);
    if (index < 0) {
      return 0;
    }
    if (index === before) {
      this.nameStrings.push(this.context.strings.intern(decodeUtf8(buffer, start, position).replace(/\..*$/, '')));
    }
    return this.nameStrings[index];
  }

  private stack(cpu: number): number[] {
    let stack = this.open.get(cpu);
    if (stack === undefined) {
      stack = [];
      if (this.open.size < maxCpus) {
        this.open.set(cpu, stack);
      }
    }
    return stack;
  }
}

/** Option funcgraph-retval: `/* = 0x12b *\/`, `/* name = -12 *\/`, later `ret=`; '' when there is none. */
function returnValue(buffer: Uint8Array, position: number, end: number): string {
  for (let i = end - 1; i > position; i--) {
    if (buffer[i] === Byte.equals) {
      let stop = skipBlanks(buffer, i + 1, end);
      const start = stop;
      while (stop < end && (isWord(buffer[stop]) || buffer[stop] === Byte.dash)) {
        stop++;
      }
      return decodeUtf8(buffer, start, stop);
    }
  }
  return '';
}

/** A negative number, which the kernel prints in decimal, or all ones. */
function isFailure(result: string): boolean {
  return /^(?:-\d+|0xf{8}|0xf{16})$/.test(result);
}

/** The next bar within the columns; event text may hold bars too, so only so far. */
function findBar(buffer: Uint8Array, position: number, end: number): number {
  const limit = Math.min(end, position + 40);
  for (let i = position; i < limit; i++) {
    if (buffer[i] === Byte.bar) {
      return i;
    }
    if (buffer[i] === Byte.openBrace || buffer[i] === Byte.slash || buffer[i] === Byte.open) {
      return -1;
    }
  }
  return -1;
}
