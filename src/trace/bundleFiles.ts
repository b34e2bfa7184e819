import type { BundleFact, ProbeArgument, ProbeDefinition } from '../model/bundle';
import { asciiBytes, Byte, decodeUtf8, hexDigit, isDigit, startsWithAt } from './bytes';
import { type ReaderContext, Verdict, type VerdictCode } from './context';

/** No line of these files is longer. */
const maxLineBytes = 2000;

/** A line of one of the files beside a trace, and the format it belongs to. */
export interface BundleVerdict {
  readonly format:
    | 'probe-definitions'
    | 'probe-profile'
    | 'ring-stats'
    | 'kallsyms'
    | 'devices'
    | 'trace-clock'
    | 'iomem';
  readonly verdict: VerdictCode;
}

/**
 * The files beside a trace that say how it was recorded: definitions and statistics of probes, statistics of the ring
 * buffer, symbols of the kernel, the list of devices. Each is recognised by its lines.
 */
export class BundleFiles {
  private readonly context: ReaderContext;
  /** CPU of the last heading of ring buffer statistics, -1 none. */
  private ringCpu = -1;
  private inDeviceList = false;

  constructor(context: ReaderContext) {
    this.context = context;
  }

  /** Null when the line belongs to none of the files. */
  parse(buffer: Uint8Array, start: number, first: number, end: number): BundleVerdict | null {
    if (end - first > maxLineBytes) {
      return null;
    }
    if (isSymbolLine(buffer, start, end)) {
      return { format: 'kallsyms', verdict: this.symbol(decodeUtf8(buffer, start, end)) };
    }
    if (isDefinitionStart(buffer, first, end)) {
      const verdict = this.definition(decodeUtf8(buffer, first, end).trimEnd());
      if (verdict !== Verdict.notMine) {
        return { format: 'probe-definitions', verdict };
      }
    }
    if (first >= start + 2 && end - start >= profileBytes && isDigit(lastByte(buffer, first, end))) {
      const verdict = this.profile(decodeUtf8(buffer, start, end));
      if (verdict !== Verdict.notMine) {
        return { format: 'probe-profile', verdict };
      }
    }
    if (mayBeRing(buffer, first, end)) {
      const verdict = this.ring(decodeUtf8(buffer, first, end).trimEnd());
      if (verdict !== Verdict.notMine) {
        return { format: 'ring-stats', verdict };
      }
    }
    if (isRangeLine(buffer, first, end)) {
      const verdict = this.range(decodeUtf8(buffer, first, end).trimEnd());
      if (verdict !== Verdict.notMine) {
        return { format: 'iomem', verdict };
      }
    }
    if (startsAsClocks(buffer, first, end)) {
      const verdict = this.clocks(decodeUtf8(buffer, first, end).trimEnd());
      if (verdict !== Verdict.notMine) {
        return { format: 'trace-clock', verdict };
      }
    }
    if (this.inDeviceList || startsWithAt(buffer, first, end, deviceHeading)) {
      const verdict = this.device(decodeUtf8(buffer, start, end).trimEnd());
      if (verdict !== Verdict.notMine) {
        return { format: 'devices', verdict };
      }
    }
    return null;
  }

  /** `ffffffff810e9180 t swiotlb_dyn_alloc` with a module's name behind it, or without. */
  private symbol(text: string): VerdictCode {
    const symbol = text.split(/\s+/)[2] ?? '';
    if (!/swiotlb/i.test(symbol)) {
      this.context.name('kernel symbol').counted++;
      return Verdict.counted;
    }
    return this.understood('kernel symbol', { kind: 'kernel-symbol', symbol });
  }

  /** `p:swl/unmap __swiotlb_tbl_unmap_single tlb=$arg2:x64`, `r10:…`, and fprobes with `%return` behind the function. */
  private definition(text: string): VerdictCode {
    const match = /^([prfte])(\d*):(?:[\w.-]+\/)?([\w.-]+)\s+(\S+)(.*)$/.exec(text);
    if (match === null) {
      return Verdict.notMine;
    }
    const [, type, , event, place, rest] = match;
    if (type === 't' || type === 'e') {
      // Probes on trace points and on other events name no function.
      this.context.name('probe definition').counted++;
      return Verdict.counted;
    }
    const symbol = place
      .replace(/^[^:]*:/, '')
      .replace(/%\w+$/, '')
      .replace(/\+(?:0x)?[0-9a-f]+$/i, '');
    const found: WithoutPlace<ProbeDefinition> = {
      kind: 'probe-definition',
      event,
      symbol,
      isReturn: type === 'r' || /%return$/.test(place),
      arguments: argumentsOf(rest),
    };
    this.context.probes?.define({ ...found, source: this.context.source, line: this.context.line });
    return this.understood('probe definition', found);
  }

  /** Name, hits and misses in the columns of kprobe_profile. */
  private profile(text: string): VerdictCode {
    const match = /^ {2}(\S+) +(\d{1,15}) +(\d{1,15})\s*$/.exec(text);
    if (match === null) {
      return Verdict.notMine;
    }
    return this.understood('probe statistics', {
      kind: 'probe-profile',
      event: match[1],
      hits: Number(match[2]),
      missed: Number(match[3]),
    });
  }

  /** `overrun: 228` below a heading that names the CPU, or with the file's name before it as grep prints it. */
  private ring(text: string): VerdictCode {
    const heading = /^(?:==>|==|--)?\s*(?:\S*\/)?cpu(\d{1,5})(?:\/stats)?\s*(?:<==|==|:)?$/.exec(text);
    if (heading !== null) {
      this.ringCpu = Number(heading[1]);
      this.context.name('ring buffer statistics').understood++;
      return Verdict.understood;
    }
    const match =
      /^(?:(?:\S*\/)?cpu(\d{1,5})\/stats:)?(entries|overrun|commit overrun|bytes|oldest event ts|now ts|dropped events|read events): +(\d[\d.]*)$/.exec(
        text,
      );
    if (match === null) {
      return Verdict.notMine;
    }
    const [, cpu, counter, count] = match;
    if (counter === 'overrun' || counter === 'commit overrun' || counter === 'dropped events') {
      return this.understood('ring buffer statistics', {
        kind: 'ring-counter',
        cpu: cpu === undefined ? this.ringCpu : Number(cpu),
        counter,
        count: Number(count),
      });
    }
    this.context.name('ring buffer statistics').understood++;
    return Verdict.understood;
  }

  /** `00100000-7ffd1fff : System RAM`, all zeros where the reader had no right to see it. */
  private range(text: string): VerdictCode {
    const match = /^([0-9a-f]{8,16})-([0-9a-f]{8,16}) : (\S.*)$/.exec(text);
    if (match === null) {
      return Verdict.notMine;
    }
    const start = Number.parseInt(match[1], 16);
    const end = Number.parseInt(match[2], 16) + 1;
    const isPool = /software io tlb|swiotlb/i.test(match[3]);
    if ((!isPool && match[3] !== 'System RAM') || end <= start + 1 || !Number.isSafeInteger(end)) {
      this.context.name('memory range').counted++;
      return Verdict.counted;
    }
    return this.understood('memory range', { kind: 'memory-range', isPool, start, end });
  }

  /** `[local] global counter uptime perf mono …`: the chosen one is in brackets. */
  private clocks(text: string): VerdictCode {
    const words = text.split(/\s+/);
    const chosen = words.filter((word) => word.startsWith('[')).map((word) => word.slice(1, -1));
    const isList = words.every((word) => /^(?:\w[\w-]*|\[\w[\w-]*\])$/.test(word));
    if (!isList || chosen.length !== 1 || !words.some((word) => /^\[?(?:local|global)\]?$/.test(word))) {
      return Verdict.notMine;
    }
    return this.understood('trace clock', { kind: 'trace-clock', clock: chosen[0] });
  }

  /** Rows of `name driver dma_mask_bits`, as the capture script writes them. */
  private device(text: string): VerdictCode {
    if (text.startsWith('name driver dma_mask_bits')) {
      this.inDeviceList = true;
      this.context.name('device list').understood++;
      return Verdict.understood;
    }
    const match = /^(\S+) (\S*) (\d{0,3})$/.exec(text);
    if (match === null) {
      this.inDeviceList = false;
      return Verdict.notMine;
    }
    const bits = Number(match[3]);
    return this.understood('device list', {
      kind: 'device-driver',
      device: match[1],
      driver: match[2],
      dmaMaskBits: match[3] !== '' && bits <= 64 ? bits : -1,
    });
  }

  private understood(name: string, fact: WithoutPlace<BundleFact>): VerdictCode {
    const { context } = this;
    context.name(name).understood++;
    context.sink.bundleFact?.({ ...fact, source: context.source, line: context.line });
    return Verdict.understood;
  }
}

type WithoutPlace<Fact> = Fact extends BundleFact ? Omit<Fact, 'source' | 'line'> : never;

function argumentsOf(text: string): ProbeArgument[] {
  const found: ProbeArgument[] = [];
  for (const word of text.split(/\s+/)) {
    if (word !== '') {
      const equals = word.indexOf('=');
      // Arguments without a name are printed as arg1, arg2, …
      const name = equals > 0 ? word.slice(0, equals) : `arg${found.length + 1}`;
      found.push({ name, value: word.slice(equals + 1) });
    }
  }
  return found;
}

/** `  %-44s %15lu %15lu` of kernel/trace/trace_kprobe.c. */
const profileBytes = 2 + 44 + 1 + 15 + 1 + 15;
const deviceHeading = asciiBytes('name driver dma_mask_bits');

/** Sixteen or eight hex digits, the letter of the type and a name. */
function isSymbolLine(buffer: Uint8Array, start: number, end: number): boolean {
  let digits = start;
  while (digits < end && hexDigit(buffer[digits]) >= 0) {
    digits++;
  }
  const length = digits - start;
  const letter = buffer[digits + 1] | 32;
  return (
    (length === 16 || length === 8) &&
    digits + 3 < end &&
    buffer[digits] === Byte.space &&
    letter >= 97 &&
    letter <= 122 &&
    buffer[digits + 2] === Byte.space
  );
}

/** Eight or more hex digits, a dash, as many again. */
function isRangeLine(buffer: Uint8Array, first: number, end: number): boolean {
  let digits = first;
  while (digits < end && hexDigit(buffer[digits]) >= 0) {
    digits++;
  }
  const length = digits - first;
  return 8 <= length && length <= 16 && buffer[digits] === Byte.dash && digits + length + 3 < end;
}

/** The letter of a kind of probe, digits, a colon. */
function isDefinitionStart(buffer: Uint8Array, first: number, end: number): boolean {
  if (!definitionLetters.has(buffer[first])) {
    return false;
  }
  let position = first + 1;
  while (position < end && isDigit(buffer[position])) {
    position++;
  }
  return buffer[position] === Byte.colon && position + 1 < end && buffer[position + 1] !== Byte.space;
}

const definitionLetters: ReadonlySet<number> = new Set(asciiBytes('prfte'));

function lastByte(buffer: Uint8Array, first: number, end: number): number {
  while (end > first && (buffer[end - 1] === Byte.space || buffer[end - 1] === 13)) {
    end--;
  }
  return buffer[end - 1];
}

/** The list of trace clocks begins with local, chosen or not. */
function startsAsClocks(buffer: Uint8Array, first: number, end: number): boolean {
  return (
    end - first < 200 &&
    (startsWithAt(buffer, first, end, localClock) || startsWithAt(buffer, first, end, localClockChosen))
  );
}

const localClock = asciiBytes('local ');
const localClockChosen = asciiBytes('[local] ');
const ringStarts = ['==', '--', 'cpu', 'per_cpu', 'entries:', 'overrun:', 'commit overrun:', 'bytes:'].map(asciiBytes);
const ringStartsMore = ['oldest event ts:', 'now ts:', 'dropped events:', 'read events:', '/sys/kernel/'].map(
  asciiBytes,
);

function mayBeRing(buffer: Uint8Array, first: number, end: number): boolean {
  if (end - first > 200) {
    return false;
  }
  for (const prefix of ringStarts) {
    if (startsWithAt(buffer, first, end, prefix)) {
      return true;
    }
  }
  for (const prefix of ringStartsMore) {
    if (startsWithAt(buffer, first, end, prefix)) {
      return true;
    }
  }
  return false;
}
