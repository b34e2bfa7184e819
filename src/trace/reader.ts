import type { StringTable } from '../base/stringTable';
import { createUtf16Decoder, type Utf16Decoder } from '../base/utf16';
import type { TraceSink } from '../model/events';
import { type Problem, type ProblemCode, problemCatalogue } from '../model/problem';
import type { SourceLedger } from '../model/tables';
import { BuddyInfo } from './buddyInfo';
import { BundleFiles } from './bundleFiles';
import { asciiBytes, Byte, decodeUtf8, hexDigit, isBlank, isDigit, isWord, startsWithAt } from './bytes';
import { ReaderContext, Verdict, type VerdictCode } from './context';
import { openTraceDat, traceDatMagic } from './dat/container';
import { shareOut, textLines } from './dat/textLines';
import { DebugfsCsv, headerReach } from './debugfsCsv';
import { DebugfsText, maxClockLine } from './debugfsText';
import { EventText } from './eventText';
import { formats } from './formats';
import { FtraceText, parseComment, parseLostEvents, skipDecoration } from './ftraceText';
import { FunctionGraph } from './functionGraph';
import { type EntryLine, JournalEntries } from './journalEntries';
import { KernelMessages, type LogHint } from './kernelLog';
import { LatencyFormat } from './latencyFormat';
import { LineSplitter, maxLineBytes } from './lineSplitter';
import { LogDevices } from './logDevices';
import { ByteStatistics, describeBytes } from './looksLike';
import { Memveil } from './memveil';
import type { ProbeArguments } from './probeArguments';

export interface TraceReaderOptions {
  /** Index of the source in the source table; copied into every event, record and problem. */
  readonly source: number;
  /** As the user named it; only its base name is used, and only as a weak hint (a `.csv` or a bare debugfs value). */
  readonly path: string;
  readonly strings: StringTable;
  readonly sink: TraceSink;
  /** Definitions of probes, shared by the sources of one analysis. */
  readonly probes?: ProbeArguments;
  /** Names of devices by the identifiers of a capture of memveil, shared likewise: its session.json has them. */
  readonly deviceNames?: Map<string, string>;
}

/** Turns bytes into events. Never throws for bad input; memory does not grow with the input. */
export interface TraceReader {
  /** The next bytes, split anywhere. The array is not kept. */
  push(chunk: Uint8Array): void;
  /**
   * No more bytes for now: what waits for a following line is decided, as at the end, but a line without its end waits on.
   * The input may be continued by `push`. Does nothing for a binary trace, which is read at its end.
   */
  pause(): void;
  /** No more bytes: the unfinished last line is read as a line. */
  end(): void;
  /** May be asked at any time; covers everything read so far. */
  summary(): ReaderSummary;
  /** False once it is sure that nothing will be recognised (binary data): the caller may stop reading. */
  wantsMore(): boolean;
}

/** What the header of an ftrace file says; -1 or '' where it does not. */
export interface TraceHeader {
  readonly tracer: string;
  readonly cpusOnline: number;
  readonly entriesInBuffer: number;
  readonly entriesWritten: number;
  /** Kernel release from a latency header, a trace.dat or a perf header. */
  readonly release: string;
}

export interface ReaderSummary {
  /** Id of the dominant format, see trace/formats.ts; 'unknown' when nothing was recognised. */
  readonly format: string;
  /** Clock name when the input tells ('counter', 'uptime', 'dmesg', …), else ''. */
  readonly clock: string;
  /** 'order': time stamps only give the order of events. */
  readonly timeUnit: 'ns' | 'order';
  /** First time stamp of the source, on its own clock; null when there was none. */
  readonly origin: { readonly seconds: number; readonly nanoseconds: number } | null;
  readonly header: TraceHeader;
  readonly ledger: SourceLedger;
  readonly problems: readonly Problem[];
  /** Byte offset of every 256th line: element i is the start of line 256 i + 1. In a trace.dat, whose lines are rendered (dat/textLines), line numbers instead. */
  readonly lineOffsets: readonly number[];
  /** The samples are of a table without a header. */
  readonly areColumnsInferred: boolean;
  /** Anything of a trace, a kernel log or debugfs samples was found. */
  readonly recognised: boolean;
  /** Any swiotlb or dma event, sample or log line was found. */
  readonly hasField: boolean;
  /** Plain words for what an unrecognised input is: 'gzip archive', 'JSON', 'plain text without kernel messages', 'empty', …; '' when recognised. */
  readonly looksLike: string;
}

/** A reader for one source. The format is found by content, line by line: a log and a trace in one file both work. */
export function createTraceReader(options: TraceReaderOptions): TraceReader {
  return new TextReader(options);
}

const linesPerOffset = 256;
/** A trace.dat is held in memory whole. */
const maxBinaryBytes = 2 ** 30;
/** Binary data in which nothing was recognised so far is given up after so many bytes, a hole (only NULs) later. */
const binaryGiveUpBytes = 1 << 20;
const holeGiveUpBytes = 1 << 26;

type FormatId = string;

class TextReader implements TraceReader {
  private readonly context: ReaderContext;
  private readonly splitter: LineSplitter;
  private readonly messages: KernelMessages;
  private readonly events: EventText;
  private readonly ftrace: FtraceText;
  private readonly latency: LatencyFormat;
  private readonly graph: FunctionGraph;
  private readonly csv: DebugfsCsv;
  private readonly debugfs: DebugfsText;
  private readonly bundle: BundleFiles;
  private readonly devices: LogDevices;
  private readonly memveil: Memveil;
  private readonly buddy: BuddyInfo;
  private readonly journal: JournalEntries;
  private readonly lineOffsets: number[] = [0];
  private readonly linesByFormat = new Map<FormatId, number>();
  /** Consecutive lines of one format, so that a long trace costs no map look-up per line. */
  private readonly run = { id: '', lines: 0 };
  private readonly statistics = new ByteStatistics();
  private utf16: Utf16Decoder | null = null;
  /** First bytes that may still become the magic of a trace.dat. */
  private held = new Uint8Array(0);
  private binary: { chunks: Uint8Array[]; bytes: number } | null = null;
  private firstByte = -1;
  /** An event line that lacks its end: the next lines may bring it. */
  private partial: PartialLines | null = null;
  /** Text copied from web pages and chats has blanks that are none. */
  private mayHaveHardBlanks = false;
  private noContextLines = 0;
  private preferLatency = false;
  private stopped = false;
  private ended = false;
  private paused = false;

  constructor(options: TraceReaderOptions) {
    this.context = new ReaderContext(options.source, options.strings, options.sink);
    this.context.probes = options.probes ?? null;
    this.context.deviceNames = options.deviceNames ?? new Map();
    this.messages = new KernelMessages(this.context, hintOf(options.path));
    this.events = new EventText(this.context, this.messages);
    this.ftrace = new FtraceText(this.context, this.events);
    this.latency = new LatencyFormat(this.context, this.events);
    this.graph = new FunctionGraph(this.context, this.events);
    this.csv = new DebugfsCsv(this.context);
    this.debugfs = new DebugfsText(this.context);
    this.bundle = new BundleFiles(this.context);
    this.devices = new LogDevices(this.context);
    this.memveil = new Memveil(this.context);
    this.buddy = new BuddyInfo(this.context);
    this.journal = new JournalEntries(this.context, this.messages);
    this.splitter = new LineSplitter({
      line: (buffer, start, end, byteOffset, terminated, skippedNuls) =>
        this.line(buffer, start, end, byteOffset, terminated, skippedNuls),
      tooLong: (byteOffset, byteLength) => this.tooLong(byteOffset, byteLength),
    });
  }

  push(chunk: Uint8Array): void {
    if (this.stopped || this.ended || chunk.length === 0) {
      return;
    }
    if (this.binary !== null) {
      this.keepBinary(chunk);
      return;
    }
    const first = this.statistics.total === 0;
    this.statistics.add(chunk);
    if (first) {
      if (chunk.length === 1) {
        // Too short for a byte order mark: wait for the next byte.
        if (chunk[0] === 0xff || chunk[0] === 0xfe) {
          this.firstByte = chunk[0];
          return;
        }
      } else {
        this.utf16 = createUtf16Decoder(chunk[0], chunk[1]);
      }
    } else if (this.firstByte >= 0) {
      const joined = new Uint8Array(chunk.length + 1);
      joined[0] = this.firstByte;
      joined.set(chunk, 1);
      this.firstByte = -1;
      chunk = joined;
      this.utf16 = createUtf16Decoder(chunk[0], chunk[1]);
    }
    if (this.held.length + chunk.length < traceDatMagic.length && mayBeTraceDat(this.held, chunk)) {
      // Too short to tell.
      this.held = concat([this.held, chunk]);
      return;
    }
    if (this.held.length > 0) {
      chunk = concat([this.held, chunk]);
      this.held = new Uint8Array(0);
    }
    if (this.splitter.total === 0 && startsWithAt(chunk, 0, chunk.length, traceDatMagic)) {
      this.binary = { chunks: [], bytes: 0 };
      this.keepBinary(chunk);
      return;
    }
    const text = this.utf16 === null ? chunk : this.utf16.decode(chunk);
    this.mayHaveHardBlanks ||= text.includes(hardBlank[0]);
    this.splitter.push(text);
    this.giveUp();
  }

  /** A trace.dat is read at its end: its parts refer to each other by offset. */
  private keepBinary(chunk: Uint8Array): void {
    const { binary } = this;
    if (binary === null) {
      return;
    }
    binary.bytes += chunk.length;
    if (binary.bytes > maxBinaryBytes) {
      this.stopped = true;
      this.context.problem('line-too-long', `A trace.dat above ${maxBinaryBytes / 2 ** 20} MiB is not read.`, 0);
      return;
    }
    binary.chunks.push(chunk.slice());
  }

  /** Reads a trace.dat through the lines its records would print. */
  private readBinary(chunks: readonly Uint8Array[]): void {
    const { context } = this;
    const dat = openTraceDat(concat(chunks));
    if (dat === null) {
      return;
    }
    const onDamage = (text: string) => context.problem('decompress-failed', text, 0);
    dat.damage.forEach(onDamage);
    context.release = /^\S+ \S+ (\S+)/.exec(dat.uname)?.[1] ?? '';
    const plan = shareOut(dat, (text) => context.problem('instance-left-out', text, 0));
    context.clock = plan.clock;
    this.ftrace.layout = 'trace-dat';
    this.lineOffsets.length = 1;
    for (const text of textLines(dat, plan, onDamage)) {
      const bytes = encodeLatin1(text);
      this.line(bytes, 0, bytes.length, context.line, true, 0);
    }
    context.cpusOnline = Math.max(context.cpusOnline, dat.cpuCount);
  }

  end(): void {
    if (this.ended) {
      return;
    }
    this.ended = true;
    if (this.firstByte >= 0) {
      this.splitter.push(Uint8Array.of(this.firstByte));
    }
    if (this.held.length > 0) {
      this.splitter.push(this.held);
    }
    if (this.binary !== null && !this.stopped) {
      this.readBinary(this.binary.chunks);
      this.binary = { chunks: [], bytes: 0 };
    } else if (!this.stopped) {
      this.splitter.end();
    }
    this.messages.flush();
    this.flushHeld();
    this.decideTable(true);
    this.debugfs.flush();
  }

  pause(): void {
    if (this.ended || this.stopped || this.binary !== null) {
      return;
    }
    this.paused = true;
    this.messages.flush();
    this.flushHeld();
    this.debugfs.flush();
  }

  /** What can be said about the input as a whole, at its end; a file that grows may take it back. */
  private wholeProblems(): Problem[] {
    const { context } = this;
    const found: { readonly code: ProblemCode; readonly message: string; readonly line: number }[] = [];
    if (this.statistics.total === 0) {
      found.push({ code: 'empty-input', message: 'The input is empty.', line: 0 });
    } else if (!this.recognised() && !this.stopped) {
      const message = `The input is ${this.looksLike()}`;
      const { unclear } = this.csv;
      found.push(
        this.statistics.binary
          ? { code: 'binary-input', message: `${message}.`, line: 1 }
          : unclear !== null
            ? {
                code: 'csv-no-header',
                message: `A table of ${unclear.columns} columns of numbers without a header: which of them are the time, the slots of the pool and those in use cannot be told. Write the names above the first row, for example 'time_s,nslabs,used,used_hiwater' ('other' for columns that are none of these).`,
                line: unclear.line,
              }
            : {
                code: 'not-a-trace',
                message: `${message}: no event, log line or sample was found.`,
                line: 1,
              },
      );
    }
    if (context.orderOnly) {
      found.push({
        code: 'clock-order-only',
        message: 'The stamps of this trace count events or ticks: there is no time.',
        line: 0,
      });
    }
    return found.map((problem) => ({
      ...problem,
      severity: problemCatalogue[problem.code].severity,
      source: context.source,
      count: 1,
    }));
  }

  wantsMore(): boolean {
    return !this.stopped;
  }

  summary(): ReaderSummary {
    const { context } = this;
    const format = this.format();
    const isTrace = formats.tryGet(format)?.family === 'trace';
    const recognised = this.recognised();
    // Prose around log lines is normal; a stray line inside a trace, or in a file of nothing else, is not.
    const textIsNormal = recognised && !isTrace;
    const countedByName: Record<string, number> = {};
    const understoodByName: Record<string, number> = {};
    for (const { name, counted, understood } of context.counters()) {
      if (counted > 0) {
        countedByName[name] = counted;
      }
      if (understood > 0) {
        understoodByName[name] = understood;
      }
    }
    const { tally } = context;
    // Rows that are held until it is clear what they are.
    const text = tally.text + this.csv.heldRows;
    const counted = tally.counted + (textIsNormal ? text : 0);
    const notUnderstood = tally.notUnderstood + (textIsNormal ? 0 : text);
    if (textIsNormal && text > 0) {
      countedByName['other text'] = text;
    }
    const written = context.entriesWritten;
    const inBuffer = context.entriesInBuffer;
    return {
      format,
      clock: context.clock,
      timeUnit: context.orderOnly || context.origin === null ? 'order' : 'ns',
      origin: context.origin,
      header: {
        tracer: context.tracer,
        cpusOnline: context.cpusOnline,
        entriesInBuffer: inBuffer,
        entriesWritten: written,
        release: context.release,
      },
      ledger: {
        source: context.source,
        lines: tally.understood + counted + notUnderstood,
        understood: tally.understood,
        counted,
        notUnderstood,
        countedByName,
        understoodByName,
        notUnderstoodExamples: context.notUnderstoodExamples(!textIsNormal),
        lostEvents: context.lost.total,
        lostByCpu: Object.fromEntries(context.lost.byCpu),
        // With nothing left in the buffer the events were read from trace_pipe, not overwritten.
        overwritten: written < 0 || inBuffer === 0 ? -1 : Math.max(0, written - inBuffer),
        ...(context.orderOnly ? {} : context.firstTimes()),
      },
      problems: [...context.problems(), ...(this.ended || this.paused ? this.wholeProblems() : [])],
      lineOffsets: this.lineOffsets,
      areColumnsInferred: this.csv.isInferred,
      recognised,
      hasField: context.hasField,
      looksLike: recognised ? '' : this.looksLike(),
    };
  }

  private line(
    buffer: Uint8Array,
    start: number,
    end: number,
    byteOffset: number,
    terminated: boolean,
    skippedNuls: number,
  ): void {
    const { context } = this;
    this.startLine(byteOffset);
    if (context.line === 1 && startsWithAt(buffer, start, end, utf8Mark)) {
      // Editors do not show the mark, so it is no column either.
      start += utf8Mark.length;
    }
    if (this.mayHaveHardBlanks) {
      const plain = withPlainBlanks(buffer, start, end);
      if (plain !== null) {
        buffer = plain;
        start = 0;
        // Parsers look one byte ahead.
        end = plain.length - 1;
      }
    }
    context.lineStart = start;
    // A single line without line end is a paste and not a cut.
    context.terminated = terminated || context.line === 1;
    context.skippedNuls = skippedNuls;
    if (this.messages.hasHeld && this.messages.join(buffer, start, end)) {
      context.count(Verdict.understood, context.line, noText);
      return;
    }
    if (this.journal.isOpen) {
      if (this.journal.take(buffer, start, end) === 'taken') {
        if (this.journal.isWhole) {
          this.finishEntry();
        }
        return;
      }
      this.finishEntry();
    }
    if (this.csv.heldRows > 0) {
      if (context.terminated && this.csv.hold(buffer, start, end)) {
        if (this.csv.isDue) {
          this.decideTable(false);
        }
        return;
      }
      this.decideTable(true);
    }
    if (this.partial !== null && this.joinPartial(this.partial, buffer, start, end)) {
      return;
    }
    const verdict = this.dispatch(buffer, start, end);
    if (verdict === Verdict.bad && terminated && end - start <= maxWrappedBytes && this.mayWrap()) {
      // Mail programs wrap long event lines: the rest may follow.
      const bytes = buffer.slice(start, end);
      this.partial = { lines: [{ line: context.line, byteOffset, bytes }], joined: bytes };
      return;
    }
    this.settle(verdict, buffer, start, end, terminated);
  }

  /** Counts a line that is decided. */
  private settle(verdict: VerdictCode, buffer: Uint8Array, start: number, end: number, terminated: boolean): void {
    const { context } = this;
    if (verdict === Verdict.understood) {
      context.tally.understood++;
      return;
    }
    if (verdict === Verdict.bad && !this.csv.active) {
      context.problem(
        terminated ? 'bad-line' : 'torn-line',
        terminated ? 'The line looks like an event but lacks fields or has some twice.' : 'The last line is cut off.',
      );
    }
    context.count(verdict, context.line, () => decodeUtf8(buffer, start, Math.min(end, start + maxShownBytes)));
  }

  /** Only event lines are joined; tables and function_graph have no wrapped lines. */
  private mayWrap(): boolean {
    return !this.csv.active && this.run.id !== 'function-graph';
  }

  /** Tries the incomplete event line together with this one. False: the incomplete line is decided, this one is not. */
  private joinPartial(partial: PartialLines, buffer: Uint8Array, start: number, end: number): boolean {
    const { context } = this;
    const rest = skipDecoration(buffer, start, end);
    if (
      rest < end &&
      end - rest <= maxWrappedBytes &&
      !startsLine(buffer, rest, end) &&
      (partial.joined[partial.joined.length - 1] === Byte.colon || !this.isNoContext(buffer, rest, end))
    ) {
      const { line, byteOffset } = context;
      const joined = join(partial.joined, buffer, rest, end);
      this.at(partial.lines[0]);
      const verdict = this.dispatchEvent(joined, 0, joined.length);
      context.line = line;
      context.byteOffset = byteOffset;
      context.lineStart = start;
      if (verdict === Verdict.understood || verdict === Verdict.counted) {
        this.partial = null;
        for (let i = 0; i <= partial.lines.length; i++) {
          context.count(verdict, line, noText);
        }
        return true;
      }
      if (partial.lines.length < maxWrappedLines && context.terminated) {
        const lines = [...partial.lines, { line, byteOffset, bytes: buffer.slice(start, end) }];
        this.partial = { lines, joined };
        return true;
      }
    }
    this.flushPartial();
    return false;
  }

  /** What waits for the next line is decided without it. */
  private flushHeld(): void {
    this.flushPartial();
    while (this.journal.isOpen) {
      this.finishEntry();
    }
  }

  /** The incomplete event line stays incomplete; the lines tried with it are read for themselves. */
  private flushPartial(): void {
    const { partial } = this;
    if (partial === null) {
      return;
    }
    this.partial = null;
    this.readHeld(partial.lines, ({ bytes }, index) =>
      index === 0 ? this.withoutLastWord(bytes) : this.dispatch(bytes, 0, bytes.length),
    );
  }

  /** What the columns of a table without a header are. */
  private decideTable(isAll: boolean): void {
    const rows = this.csv.heldRows > 0 ? this.csv.decide(isAll) : null;
    if (rows !== null) {
      this.readAgain(rows);
    }
  }

  /** An entry of a journal over several lines is whole, or will not be. */
  private finishEntry(): void {
    const { context } = this;
    const { lines, message, verdict } = this.journal.finish();
    if (verdict === null) {
      this.readAgain(lines);
      return;
    }
    for (const [index, held] of lines.entries()) {
      const own = index === message || verdict === Verdict.text ? verdict : Verdict.counted;
      if (index !== message && own === Verdict.counted) {
        context.name('journal field').counted++;
      }
      this.countFormat('kernel-log', own);
      context.count(own, held.line, () => decodeUtf8(held.bytes, 0, Math.min(held.bytes.length, maxShownBytes)));
    }
  }

  /** Lines that were held as parts of an entry are lines of their own. */
  private readAgain(lines: readonly EntryLine[]): void {
    this.readHeld(lines, ({ bytes, skippedNuls }) => {
      this.context.skippedNuls = skippedNuls;
      return this.dispatch(bytes, 0, bytes.length, false);
    });
  }

  /** Reads lines from before the one under way, each to its end. */
  private readHeld<Held extends HeldLine>(
    lines: readonly Held[],
    read: (held: Held, index: number) => VerdictCode,
  ): void {
    const { context } = this;
    const { line, byteOffset, lineStart, terminated, skippedNuls } = context;
    context.terminated = true;
    for (const [index, held] of lines.entries()) {
      this.at(held);
      const verdict = read(held, index);
      if (verdict === Verdict.held) {
        this.messages.flush();
      } else {
        this.settle(verdict, held.bytes, 0, held.bytes.length, true);
      }
    }
    context.line = line;
    context.byteOffset = byteOffset;
    context.lineStart = lineStart;
    context.terminated = terminated;
    context.skippedNuls = skippedNuls;
  }

  /** An incomplete event that nothing continued: before 4.10 swiotlb_bounced ends with the size. */
  private withoutLastWord(bytes: Uint8Array): VerdictCode {
    const { context } = this;
    // They print a blank behind it, which a paste may lose, and four flags.
    const isOld = isBlank(bytes[bytes.length - 1]) || /\] +\S{4} +\d+\.\d+: /.test(decodeUtf8(bytes, 0, bytes.length));
    if (context.lastWord !== 'unknown' || !isOld) {
      return Verdict.bad;
    }
    context.lastWord = 'none';
    const verdict = this.dispatchEvent(bytes, 0, bytes.length);
    context.lastWord = verdict === Verdict.understood ? 'none' : 'unknown';
    return verdict === Verdict.understood ? verdict : Verdict.bad;
  }

  private at({ line, byteOffset }: Pick<HeldLine, 'line' | 'byteOffset'>): void {
    this.context.line = line;
    this.context.byteOffset = byteOffset;
    this.context.lineStart = 0;
  }

  private tooLong(byteOffset: number, byteLength: number): void {
    const { context } = this;
    this.startLine(byteOffset);
    this.messages.flush();
    this.flushHeld();
    this.decideTable(true);
    context.problem('line-too-long', `A line of ${byteLength} bytes was skipped; the limit is ${maxLineBytes}.`);
    context.count(Verdict.bad, context.line, () => `(a line of ${byteLength} bytes)`);
  }

  private startLine(byteOffset: number): void {
    const { context } = this;
    if (context.line % linesPerOffset === 0 && context.line > 0) {
      this.lineOffsets.push(byteOffset);
    }
    context.line++;
    context.byteOffset = byteOffset;
  }

  /** Tries the formats from the cheapest rejection to the most tolerant. */
  private dispatch(buffer: Uint8Array, start: number, end: number, mayHold = true): VerdictCode {
    const { context } = this;
    let first = start;
    while (first < end && isBlank(buffer[first])) {
      first++;
    }
    if (first === end) {
      if (this.debugfs.open) {
        this.debugfs.blank();
      }
      return context.skippedNuls > 0 ? Verdict.text : Verdict.understood;
    }
    if (buffer[first] === Byte.hash) {
      if (!this.csv.active && this.csv.parse(buffer, first, end) === Verdict.understood) {
        return this.countFormat('debugfs-csv', Verdict.understood);
      }
      if (startsWithAt(buffer, first, end, configComment) || isCommentedLog(buffer, first, end)) {
        return this.countFormat('kernel-log', this.messages.parse(buffer, start, end));
      }
      if (!this.buddy.mark(buffer, first, end)) {
        parseComment(context, buffer, first, end);
      }
      this.preferLatency = this.preferLatency || context.release !== '';
      return Verdict.understood;
    }
    if (this.csv.active) {
      const verdict = this.csv.parse(buffer, start, end);
      if (verdict !== Verdict.notMine) {
        return this.countFormat('debugfs-csv', verdict);
      }
    } else if (mayHold && context.line <= headerReach && this.csv.hold(buffer, start, end)) {
      return Verdict.held;
    }
    if (this.preferLatency) {
      const verdict = this.latency.parse(buffer, start, end);
      if (verdict !== Verdict.notMine) {
        return this.countFormat('ftrace-latency', verdict);
      }
    }
    const verdict = this.ftrace.parse(buffer, start, end);
    if (verdict !== Verdict.notMine) {
      return this.countFormat(this.ftrace.layout, verdict);
    }
    return this.dispatchRare(buffer, start, first, end, mayHold);
  }

  /** The formats of event lines only. */
  private dispatchEvent(buffer: Uint8Array, start: number, end: number): VerdictCode {
    let verdict = this.ftrace.parse(buffer, start, end);
    if (verdict !== Verdict.notMine) {
      return this.countFormat(this.ftrace.layout, verdict);
    }
    verdict = this.latency.parse(buffer, start, end);
    if (verdict !== Verdict.notMine) {
      return this.countFormat('ftrace-latency', verdict);
    }
    const text = skipDecoration(buffer, start, end);
    return this.isNoContext(buffer, text, end) ? this.parseNoContext(buffer, text, end) : Verdict.notMine;
  }

  private parseNoContext(buffer: Uint8Array, start: number, end: number): VerdictCode {
    const { context } = this;
    const { header } = context;
    header.cpu = -1;
    header.pid = -1;
    header.context = 0;
    header.commStart = 0;
    header.commEnd = 0;
    header.timeNs = Number.NaN;
    const verdict = this.events.parse(buffer, start, end);
    if (verdict === Verdict.understood) {
      context.orderOnly = true;
      this.noContextLines++;
    }
    return this.countFormat('ftrace-nocontext', verdict);
  }

  private dispatchRare(buffer: Uint8Array, start: number, first: number, end: number, mayHold: boolean): VerdictCode {
    const { context } = this;
    let verdict = this.memveil.parse(buffer, first, end);
    if (verdict !== Verdict.notMine) {
      return this.countFormat('memveil', verdict);
    }
    verdict = mayHold ? this.journal.parse(buffer, start, end) : Verdict.notMine;
    if (verdict === Verdict.held) {
      return verdict;
    }
    if (verdict !== Verdict.notMine) {
      return this.countFormat('kernel-log', verdict);
    }
    verdict = parseLostEvents(context, buffer, first, end);
    if (verdict !== Verdict.notMine) {
      return this.countFormat('ftrace', verdict);
    }
    verdict = this.graph.parse(buffer, start, end);
    if (verdict !== Verdict.notMine) {
      return this.countFormat('function-graph', verdict);
    }
    verdict = this.latency.parse(buffer, start, end);
    if (verdict !== Verdict.notMine) {
      return this.countFormat('ftrace-latency', verdict);
    }
    const text = skipDecoration(buffer, first, end);
    if (this.isNoContext(buffer, text, end)) {
      return this.parseNoContext(buffer, text, end);
    }
    verdict = this.ftrace.parseFewColumns(buffer, text, end);
    if (verdict !== Verdict.notMine) {
      return this.countFormat('perf', verdict);
    }
    if (end - first <= maxClockLine && this.debugfs.readClock(buffer, first, end)) {
      context.name('time of samples').counted++;
      return Verdict.counted;
    }
    verdict = this.debugfs.parse(buffer, start, end);
    if (verdict !== Verdict.notMine) {
      return this.countFormat('debugfs', verdict);
    }
    if (this.debugfs.open) {
      this.debugfs.flush();
    }
    if (!this.csv.active) {
      verdict = this.csv.parse(buffer, start, end);
      if (verdict !== Verdict.notMine) {
        return this.countFormat('debugfs-csv', verdict);
      }
    }
    verdict = this.buddy.parse(buffer, start, first, end);
    if (verdict !== Verdict.notMine) {
      return this.countFormat('buddyinfo', verdict);
    }
    const beside = this.bundle.parse(buffer, start, first, end);
    if (beside !== null) {
      return this.countFormat(beside.format, beside.verdict);
    }
    if (startsWithAt(buffer, first, end, cpusHeader) && end - first < 12) {
      const cpus = Number(decodeUtf8(buffer, first + cpusHeader.length, end));
      if (Number.isInteger(cpus)) {
        context.cpusOnline = cpus;
        this.ftrace.layout = 'trace-cmd';
        return Verdict.understood;
      }
    }
    if ((this.ftrace.layout === 'trace-cmd' || context.line < 3) && end - first < 40) {
      // Further lines of its header.
      if (/^(?:version = \d+|CPU \d+ is empty)\s*$/.test(decodeUtf8(buffer, first, end))) {
        return Verdict.understood;
      }
    }
    if (
      startsWithAt(buffer, first, end, framePrefix) ||
      (this.ftrace.layout === 'perf' && isCallChain(buffer, start, first, end))
    ) {
      context.name('stack trace').counted++;
      return Verdict.counted;
    }
    if (end - first < 40 && isFence(decodeUtf8(buffer, first, end))) {
      context.name('code fence').counted++;
      return Verdict.counted;
    }
    // A line that begins like an event of an established trace but is cut off.
    if (!context.terminated && this.isTraceSoFar()) {
      return Verdict.bad;
    }
    this.devices.look(buffer, start, end);
    return this.countFormat('kernel-log', this.messages.parse(buffer, start, end));
  }

  /** `NAME: FIELDS` alone: a known event or a probe; any event once the trace proved to be of this kind. */
  private isNoContext(buffer: Uint8Array, start: number, end: number): boolean {
    if (this.events.startsWithKnownName(buffer, start, end)) {
      return true;
    }
    let position = start;
    while (position < end && isWord(buffer[position])) {
      position++;
    }
    if (position === start || buffer[position] !== Byte.colon || buffer[position + 1] !== Byte.space) {
      return false;
    }
    if (this.noContextLines > 0 && this.messages.stampedLines === 0) {
      return true;
    }
    return buffer[position + 2] === Byte.open && containsSymbol(buffer, position + 3, end);
  }

  private isTraceSoFar(): boolean {
    return formats.tryGet(this.format())?.family === 'trace';
  }

  private countFormat(id: FormatId, verdict: VerdictCode): VerdictCode {
    if (verdict === Verdict.understood || verdict === Verdict.counted || verdict === Verdict.held) {
      if (id !== this.run.id) {
        this.closeRun();
        this.run.id = id;
      }
      this.run.lines++;
    }
    return verdict;
  }

  /** Adds the current run of lines of one format to the totals. */
  private closeRun(): void {
    const { id, lines } = this.run;
    if (lines > 0) {
      this.linesByFormat.set(id, (this.linesByFormat.get(id) ?? 0) + lines);
      this.run.lines = 0;
    }
  }

  private recognised(): boolean {
    this.closeRun();
    for (const [id, lines] of this.linesByFormat) {
      if (lines > 0 && (id !== 'kernel-log' || this.messages.records > 0 || this.messages.stampedLines > 0)) {
        return true;
      }
    }
    return this.context.tracer !== '' || this.context.entriesWritten >= 0;
  }

  /** The format of most recognised lines. */
  private format(): FormatId {
    if (!this.recognised()) {
      return 'unknown';
    }
    let best = this.context.tracer === 'function_graph' ? 'function-graph' : 'ftrace';
    let most = 0;
    for (const [id, lines] of this.linesByFormat) {
      if (lines > most) {
        best = id;
        most = lines;
      }
    }
    return best;
  }

  private looksLike(): string {
    return describeBytes(this.statistics);
  }

  private giveUp(): void {
    const { statistics } = this;
    if (!statistics.binary || this.recognised()) {
      return;
    }
    if (statistics.total >= (statistics.onlyNuls ? holeGiveUpBytes : binaryGiveUpBytes)) {
      this.stopped = true;
      this.context.problem(
        'binary-input',
        `The input is ${this.looksLike()}; its first ${Math.round(statistics.total / 1048576)} MiB hold no event or log line.`,
        1,
      );
    }
  }
}

interface HeldLine {
  readonly line: number;
  readonly byteOffset: number;
  readonly bytes: Uint8Array;
}

interface PartialLines {
  /** The incomplete event line and those that may continue it. */
  readonly lines: readonly HeldLine[];
  readonly joined: Uint8Array;
}

function join(first: Uint8Array, buffer: Uint8Array, start: number, end: number): Uint8Array {
  const joined = new Uint8Array(first.length + 1 + end - start);
  joined.set(first);
  joined[first.length] = Byte.space;
  joined.set(buffer.subarray(start, end), first.length + 1);
  return joined;
}

const maxWrappedBytes = 2000;
const maxWrappedLines = 3;
const maxShownBytes = 200;

/** Something that can only stand at the beginning of a line of a trace or log: no continuation. */
function startsLine(buffer: Uint8Array, start: number, end: number): boolean {
  if (buffer[start] === Byte.hash || startsWithAt(buffer, start, end, lostPrefix)) {
    return true;
  }
  for (let i = start; i + 3 < end; i++) {
    if (buffer[i] === Byte.openBracket) {
      let next = i + 1;
      while (next < end && (buffer[next] === Byte.space || buffer[next] === Byte.dot || isDigit(buffer[next]))) {
        next++;
      }
      if (next > i + 1 && buffer[next] === Byte.closeBracket) {
        return true;
      }
    }
  }
  return false;
}

const lostPrefix = asciiBytes('CPU:');
/** U+00A0 in UTF-8. */
const hardBlank = Uint8Array.of(0xc2, 0xa0);

/** The line and its end with ordinary blanks, one for one, so that columns stay; null when there is nothing to replace. */
function withPlainBlanks(buffer: Uint8Array, start: number, end: number): Uint8Array | null {
  const bytes = new Uint8Array(end - start + 1);
  let length = 0;
  for (let at = start; at < end; at++) {
    const isHard = buffer[at] === hardBlank[0] && at + 1 < end && buffer[at + 1] === hardBlank[1];
    bytes[length++] = isHard ? Byte.space : buffer[at];
    at += isHard ? 1 : 0;
  }
  if (length === end - start) {
    return null;
  }
  bytes[length] = Byte.lineFeed;
  return bytes.subarray(0, length + 1);
}
const configComment = asciiBytes('# CONFIG_');

/** What Markdown has around a pasted trace. */
function isFence(text: string): boolean {
  return /^(?:>\s*)*(?:```+|~~~+)[\w-]*\s*$/.test(text);
}

/** A line of a kernel log behind a hash, as in scripts and drafts of messages. */
function isCommentedLog(buffer: Uint8Array, start: number, end: number): boolean {
  return /^#+\s+(?:<\d{1,3}>)?\[\s*\d+\.\d{3,9}\]/.test(decodeUtf8(buffer, start, Math.min(end, start + 60)));
}

const utf8Mark = Uint8Array.of(0xef, 0xbb, 0xbf);
/** A frame of a stack trace of ftrace. */
const framePrefix = asciiBytes('=> ');
const cpusHeader = asciiBytes('cpus=');
const symbolWord = asciiBytes('swiotlb');

/** `\tffffffff81234567 symbol+0x1 ([kernel.kallsyms])` below an event of perf script. */
function isCallChain(buffer: Uint8Array, start: number, first: number, end: number): boolean {
  let digits = first;
  while (digits < end && hexDigit(buffer[digits]) >= 0) {
    digits++;
  }
  return first > start && digits - first >= 4 && buffer[digits] === Byte.space;
}

/** Whether the first bytes can still turn out to be a trace.dat. */
function mayBeTraceDat(held: Uint8Array, chunk: Uint8Array): boolean {
  const bytes = concat([held, chunk]);
  return bytes.every((byte, index) => byte === traceDatMagic[index]);
}

function concat(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let length = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, length);
    length += chunk.length;
  }
  return bytes;
}

function encodeLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    bytes[i] = text.charCodeAt(i);
  }
  return bytes;
}

function noText(): string {
  return '';
}

/** `(…swiotlb…` within the parenthesis of a probe. */
function containsSymbol(buffer: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end && buffer[i] !== Byte.close; i++) {
    if (startsWithAt(buffer, i, end, symbolWord)) {
      return true;
    }
  }
  return false;
}

function hintOf(path: string): LogHint {
  const base = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1).toLowerCase();
  if (/^(?:proc_)?cmdline(?:\.txt)?$/.test(base)) {
    return 'cmdline';
  }
  return /^(?:uname|version|release|osrelease)(?:\.txt)?$/.test(base) ? 'release' : '';
}
