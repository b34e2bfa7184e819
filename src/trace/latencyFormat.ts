import { ContextBit } from '../model/events';
import { Byte, hexDigit, isBlank, isDigit, skipBlanks } from './bytes';
import { type ReaderContext, Verdict, type VerdictCode } from './context';
import type { EventText } from './eventText';
import { decodeFlags, setTaskName } from './ftraceText';

const reach = 160;

/**
 * `latency-format`: `comm-pid cpu+flags relative-us+mark: NAME: FIELDS`, and its verbose form
 * `comm pid cpu flags preempt index [stamp] relative (+delta): NAME: FIELDS` (kernel/trace/trace_output.c, 6.12).
 */
export class LatencyFormat {
  private readonly context: ReaderContext;
  private readonly events: EventText;

  constructor(context: ReaderContext, events: EventText) {
    this.context = context;
    this.events = events;
  }

  parse(buffer: Uint8Array, start: number, end: number): VerdictCode {
    let text = this.parseShort(buffer, start, end);
    if (text < 0) {
      text = this.parseVerbose(buffer, start, end);
    }
    if (text < 0) {
      return Verdict.notMine;
    }
    this.context.noteTime(this.context.header.timeNs, 'trace');
    return this.events.parse(buffer, text, end);
  }

  private parseShort(buffer: Uint8Array, start: number, end: number): number {
    // `-pid` then blanks, cpu glued to the flags.
    const limit = Math.min(end - 8, start + reach);
    for (let dash = start + 1; dash < limit; dash++) {
      if (buffer[dash] === Byte.dash && isDigit(buffer[dash + 1])) {
        const text = this.tryShort(buffer, start, dash, end);
        if (text >= 0) {
          return text;
        }
      }
    }
    return -1;
  }

  private tryShort(buffer: Uint8Array, start: number, dash: number, end: number): number {
    let position = dash + 1;
    let pid = 0;
    while (position < end && isDigit(buffer[position])) {
      pid = pid * 10 + buffer[position] - 48;
      position++;
    }
    if (position >= end || !isBlank(buffer[position])) {
      return -1;
    }
    position = skipBlanks(buffer, position, end);
    let cpu = 0;
    const cpuStart = position;
    while (position < end && isDigit(buffer[position])) {
      cpu = cpu * 10 + buffer[position] - 48;
      position++;
    }
    if (position === cpuStart || position - cpuStart > 5) {
      return -1;
    }
    const flagsStart = position;
    while (position < end && !isBlank(buffer[position])) {
      position++;
    }
    const flagCount = position - flagsStart;
    if (flagCount < 4 || flagCount > 8) {
      return -1;
    }
    const context = decodeFlags(buffer, flagsStart, position, this.context.flagColumns);
    position = skipBlanks(buffer, position, end);
    const timeStart = position;
    let stamp = 0;
    while (position < end && isDigit(buffer[position])) {
      stamp = stamp * 10 + buffer[position] - 48;
      position++;
    }
    if (position === timeStart || position - timeStart > 15) {
      return -1;
    }
    const micro = buffer[position] === 117 && buffer[position + 1] === 115;
    const point = position;
    let fraction = 0;
    if (buffer[position] === Byte.dot) {
      // trace-cmd report -l prints seconds.
      for (position++; position < end && isDigit(buffer[position]) && position - point <= 9; position++) {
        fraction = fraction * 10 + buffer[position] - 48;
      }
    }
    const digits = position - point - 1;
    if (micro) {
      position += 2;
      // One delay mark or a blank, then the colon.
      if (position < end && buffer[position] !== Byte.colon) {
        position++;
      }
    }
    if (position >= end || buffer[position] !== Byte.colon) {
      return -1;
    }
    this.setHeader(buffer, start, dash, pid, cpu, context);
    if (micro) {
      this.context.header.timeNs = this.microseconds(stamp);
    } else if (digits > 0) {
      this.context.header.timeNs = this.context.relativeNs(stamp, fraction * 10 ** (9 - digits), 'boot');
    } else {
      this.context.orderOnly = true;
      this.context.header.timeNs = Number.NaN;
    }
    return skipBlanks(buffer, position + 1, end);
  }

  /** The verbose form has no dash: six numbers follow the task name. */
  private parseVerbose(buffer: Uint8Array, start: number, end: number): number {
    let open = -1;
    const limit = Math.min(end, start + reach);
    for (let i = start + 16; i < limit; i++) {
      if (buffer[i] === Byte.openBracket && hexDigit(buffer[i + 1]) >= 0) {
        open = i;
        break;
      }
    }
    if (open < 0) {
      return -1;
    }
    // Backwards: index, preempt count, flags, cpu, pid.
    const tokens = previousTokens(buffer, start, open, 5);
    if (tokens === null) {
      return -1;
    }
    const [pidToken, cpuToken, flagsToken, preemptToken] = tokens;
    let position = open + 1;
    let absolute = 0;
    while (position < end && hexDigit(buffer[position]) >= 0) {
      absolute = absolute * 16 + hexDigit(buffer[position]);
      position++;
    }
    if (buffer[position] !== Byte.closeBracket) {
      return -1;
    }
    let colon = position;
    let milliseconds = false;
    while (colon < end && buffer[colon] !== Byte.colon) {
      milliseconds = milliseconds || (buffer[colon] === 109 && buffer[colon + 1] === 115);
      colon++;
    }
    if (colon >= end || buffer[colon - 1] !== Byte.close) {
      return -1;
    }
    const flags = decimal(buffer, flagsToken.start, flagsToken.end);
    let context: number = ContextBit.known;
    context |= (flags & 1) !== 0 ? ContextBit.irqsOff : 0;
    context |= (flags & 4) !== 0 ? ContextBit.needResched : 0;
    context |= (flags & 8) !== 0 ? ContextBit.hardIrq : 0;
    context |= (flags & 16) !== 0 ? ContextBit.softIrq : 0;
    context |= (flags & 64) !== 0 ? ContextBit.nmi : 0;
    context |= (flags & 128) !== 0 ? ContextBit.bhOff : 0;
    // The low digit is the preempt depth, the next one migrate-disable.
    context |= hexDigit(buffer[preemptToken.end - 1]) > 0 ? ContextBit.preemptOff : 0;
    this.setHeader(
      buffer,
      start,
      pidToken.start,
      decimal(buffer, pidToken.start, pidToken.end),
      decimal(buffer, cpuToken.start, cpuToken.end),
      context,
    );
    if (milliseconds) {
      this.context.header.timeNs = this.microseconds(absolute);
    } else {
      this.context.orderOnly = true;
      this.context.header.timeNs = Number.NaN;
    }
    return skipBlanks(buffer, colon + 1, end);
  }

  private microseconds(stamp: number): number {
    const seconds = Math.floor(stamp / 1e6);
    return this.context.relativeNs(seconds, (stamp - seconds * 1e6) * 1000, 'boot');
  }

  private setHeader(
    buffer: Uint8Array,
    start: number,
    commLimit: number,
    pid: number,
    cpu: number,
    context: number,
  ): void {
    const header = this.context.header;
    header.pid = pid;
    header.cpu = cpu;
    header.context = context;
    setTaskName(this.context, buffer, start, commLimit);
  }
}

interface Token {
  readonly start: number;
  readonly end: number;
}

/** The last `count` tokens before `end`, in order; all must be hex digits. */
function previousTokens(buffer: Uint8Array, start: number, end: number, count: number): Token[] | null {
  const tokens: Token[] = [];
  let position = end;
  while (tokens.length < count) {
    while (position > start && isBlank(buffer[position - 1])) {
      position--;
    }
    const tokenEnd = position;
    while (position > start && hexDigit(buffer[position - 1]) >= 0) {
      position--;
    }
    if (position === tokenEnd || position <= start || !isBlank(buffer[position - 1])) {
      return null;
    }
    tokens.unshift({ start: position, end: tokenEnd });
  }
  return tokens;
}

function decimal(buffer: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) {
    value = value * 10 + buffer[i] - 48;
  }
  return value;
}
