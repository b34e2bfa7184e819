import { createUtf16Decoder, type Utf16Decoder } from '../base/utf16';
import { anonymizeEvent } from './anonymizeEvent';
import { anonymizeLog, safeRelease } from './anonymizeLog';
import { AddressShift, Pseudonyms, type Shifts } from './anonymizeNames';
import { asciiBytes, decodeUtf8, startsWithAt } from './bytes';
import { inferColumns } from './csvColumns';
import { openTraceDat, traceDatMagic } from './dat/container';
import { shareOut, textLines } from './dat/textLines';
import { headerReach, isNumbersOnly, mostRows, numberCells } from './debugfsCsv';
import { clockReading } from './debugfsText';
import { entriesOnLine } from './journalEntries';
import { LineSplitter } from './lineSplitter';

/** What was replaced. */
export interface AnonymizeReport {
  readonly lines: number;
  /** Lines that say nothing of the field: their text was removed, the lines are still there. */
  readonly removedLines: number;
  readonly devices: number;
  readonly tasks: number;
  readonly processes: number;
  readonly addresses: number;
  readonly shifts: Shifts;
  /** A trace.dat became the text that its records print. */
  readonly isRendered: boolean;
}

/** One file, in chunks split anywhere. */
export interface AnonymizeSource {
  /** Gives the finished lines of the output; nothing in the first pass. */
  push(chunk: Uint8Array): Uint8Array;
  end(): Uint8Array;
}

/**
 * Makes traces and logs that can be given away: the same events with other names and addresses.
 * Two passes over the same files, in the same order: the first one finds out how far addresses can move.
 * Memory grows with the number of names, not of lines (a trace.dat is held whole).
 */
export interface Anonymizer {
  /** `path` is a hint only: its base name. */
  survey(path: string): AnonymizeSource;
  /** After every file was surveyed. */
  rewrite(path: string): AnonymizeSource;
  report(): AnonymizeReport;
}

export function createAnonymizer(): Anonymizer {
  const names = new Pseudonyms();
  const addresses = new AddressShift();
  const counts = { lines: 0, removed: 0, isRendered: false };
  const tables = new Map<string, NumberTable>();
  const open = (path: string, isOutput: boolean): AnonymizeSource => {
    const table = tables.get(path) ?? new NumberTable();
    tables.set(path, table);
    return new Source(new LineRewriter(names, addresses, path, table), isOutput ? counts : null);
  };
  return {
    survey: (path) => open(path, false),
    rewrite: (path) => {
      addresses.plan();
      return open(path, true);
    },
    report: () => ({
      lines: counts.lines,
      removedLines: counts.removed,
      ...names.counts,
      addresses: addresses.replaced,
      shifts: addresses.plan(),
      isRendered: counts.isRendered,
    }),
  };
}

interface Counts {
  lines: number;
  removed: number;
  isRendered: boolean;
}

class Source implements AnonymizeSource {
  private readonly rewriter: LineRewriter;
  private readonly counts: Counts | null;
  private readonly splitter: LineSplitter;
  private output: string[] = [];
  private utf16: Utf16Decoder | null = null;
  private head: Uint8Array | null = new Uint8Array(0);
  private binary: Uint8Array[] | null = null;

  constructor(rewriter: LineRewriter, counts: Counts | null) {
    this.rewriter = rewriter;
    this.counts = counts;
    this.splitter = new LineSplitter({
      line: (buffer, start, end, _offset, terminated) => this.line(decodeUtf8(buffer, start, end), terminated),
      tooLong: () => this.write('(text removed)', true),
    });
  }

  push(chunk: Uint8Array): Uint8Array {
    if (this.binary !== null) {
      this.binary.push(chunk.slice());
      return nothing;
    }
    if (this.head !== null) {
      // Enough bytes to tell what it is.
      this.head = concat(this.head, chunk);
      if (this.head.length < traceDatMagic.length) {
        return nothing;
      }
      return this.begin();
    }
    this.splitter.push(this.utf16 === null ? chunk : this.utf16.decode(chunk));
    return this.take();
  }

  end(): Uint8Array {
    if (this.head !== null) {
      const first = this.begin();
      return concat(first, this.end());
    }
    if (this.binary !== null) {
      this.render(this.binary);
    } else {
      this.splitter.end();
    }
    if (this.counts === null) {
      this.rewriter.surveyed();
    }
    return this.take();
  }

  private begin(): Uint8Array {
    const head = this.head ?? nothing;
    this.head = null;
    if (startsWithAt(head, 0, head.length, traceDatMagic)) {
      this.binary = [head];
      return nothing;
    }
    this.utf16 = head.length < 2 ? null : createUtf16Decoder(head[0], head[1]);
    return this.push(head);
  }

  private render(chunks: readonly Uint8Array[]): void {
    const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    const dat = openTraceDat(bytes);
    if (dat === null) {
      return;
    }
    if (this.counts !== null) {
      this.counts.isRendered = true;
    }
    this.write(`cpus=${dat.cpuCount}`, true);
    const ignore = () => undefined;
    for (const text of textLines(dat, shareOut(dat, ignore), ignore)) {
      this.line(text, true);
    }
  }

  private line(text: string, terminated: boolean): void {
    this.write(this.rewriter.rewrite(text), terminated);
  }

  private write(text: string, terminated: boolean): void {
    if (this.counts !== null) {
      this.counts.lines++;
      this.counts.removed += /\(text (?:\d+ )?removed\)/.test(text) ? 1 : 0;
      // Every letter that is not ASCII is part of somebody's text.
      this.output.push(text.replace(/[^\x20-\x7e\t]/g, '?'), terminated ? '\n' : '');
    }
  }

  private take(): Uint8Array {
    if (this.output.length === 0) {
      return nothing;
    }
    const bytes = asciiBytes(this.output.join(''));
    this.output = [];
    return bytes;
  }
}

const nothing = new Uint8Array(0);

/** Words of headers and of the small files beside a trace. Lines of these and numbers stay. */
const headerWords = new Set(
  `tracer nop function function_graph latency trace entries in buffer written irqs off BH disabled need resched hardirq
  softirq preempt depth migrate disable lazy delay TASK PID TGID CPU TIMESTAMP FUNCTION DURATION CALLS REL TIME ABS cmd
  pid time caller started LOST EVENTS us M desktop server VP KP SP HP P task uid nice policy rt_prio cpu cpus version is
  empty DROPPED entries overrun commit bytes oldest event ts now ts dropped events read hits misses local global counter
  uptime perf mono mono_raw boot tai x86 tsc CONFIG not set name driver dma_mask_bits mono_s boot_s time_s nslabs used
  used_hiwater hiwater transient_nslabs transient io_tlb_nslabs io_tlb_used io_tlb_used_hiwater io_tlb_transient_nslabs
  cpu0 cpu1 cpu2 cpu3 cpu4 cpu5 cpu6 cpu7 Node zone DMA DMA32 Normal Movable Device order x v`.split(/\s+/),
);

/** Rows of numbers alone at the start of a file, gathered in the first pass: they stay where they are samples for sure. */
class NumberTable {
  private readonly rows: string[][] = [];
  private isSamples: boolean | null = null;

  /** Whether the line is a row of samples; in the first pass, when nobody asks for the text, it is only taken down. */
  has(line: string, lineNumber: number): boolean {
    if (this.isSamples === null) {
      if (lineNumber <= headerReach + this.rows.length && this.rows.length < mostRows && isNumbersOnly(line)) {
        const cells = numberCells(line);
        if (this.rows.length === 0 || cells.length === this.rows[0]?.length) {
          this.rows.push(cells);
        }
      }
      return false;
    }
    return this.isSamples && isNumbersOnly(line) && numberCells(line).length === this.rows[0]?.length;
  }

  /** The first pass is over. */
  decide(): void {
    this.isSamples ??= inferColumns(this.rows, true) !== null;
  }
}

const entrySigns = /^[\s[\]{},]*$/;
const stampMember =
  /^\s*"(?:__MONOTONIC_TIMESTAMP|_SOURCE_MONOTONIC_TIMESTAMP|__REALTIME_TIMESTAMP|time)"\s*:\s*"?[\d.]+"?\s*,?$/;
const messageMember = /^(\s*"(?:MESSAGE|message|msg|log)"\s*:\s*)"/;
const otherMember = /^\s*"[^"\\]{1,80}"\s*:\s*(\[?)/;

/** Rewrites lines one by one; remembers what kind of file it is in. */
class LineRewriter {
  private readonly names: Pseudonyms;
  private readonly addresses: AddressShift;
  private readonly isRelease: boolean;
  private readonly isProfile: boolean;
  private readonly table: NumberTable;
  private lineNumber = 0;
  /** Inside of a journal's entry of many lines. */
  private isEntry = false;
  private isSamples = false;
  private isDeviceList = false;

  constructor(names: Pseudonyms, addresses: AddressShift, path: string, table: NumberTable) {
    this.table = table;
    this.names = names;
    this.addresses = addresses;
    this.isProfile = /(?:^|\/)[kuf]?probe_profile[^/]*$/.test(path);
    this.isRelease = /(?:^|\/)(?:uname|version|release|osrelease)[^/]*$/.test(path);
  }

  rewrite(line: string): string {
    this.lineNumber++;
    if (/^\s*$/.test(line)) {
      return line;
    }
    if (this.table.has(line, this.lineNumber) || clockReading(line.trim()) !== null) {
      return line;
    }
    return this.besides(line) ?? this.journal(line) ?? this.event(line) ?? this.log(line);
  }

  /** The first pass over the file is over. */
  surveyed(): void {
    this.table.decide();
  }

  /** Entries of a journal as JSON, several on a line or one over many; null for everything else. */
  private journal(line: string): string | null {
    const entries = entriesOnLine(line);
    if (entries.length > 0) {
      return entries.map((entry) => JSON.stringify({ MESSAGE: this.log(entry) })).join(' ');
    }
    if (entrySigns.test(line)) {
      this.isEntry = /\{\s*$/.test(line) || (this.isEntry && !line.includes('}'));
      return line;
    }
    if (!this.isEntry) {
      return null;
    }
    if (stampMember.test(line)) {
      return line;
    }
    if (messageMember.test(line)) {
      return `"MESSAGE" : ${JSON.stringify(this.log(line))},`;
    }
    const member = otherMember.exec(line);
    return member === null ? '0,' : `"x" : ${member[1] === '[' ? '[' : '0,'}`;
  }

  private event(line: string): string | null {
    const { names, addresses } = this;
    return anonymizeEvent(line, {
      names,
      addresses,
      message: (text) => anonymizeLog(text, { names, addresses }).text,
    });
  }

  private log(line: string): string {
    const { names, addresses } = this;
    const { text, isLog } = anonymizeLog(line, { names, addresses });
    return isLog || !isHeader(line) ? text : line;
  }

  /** Headers, samples and the other small files around a trace; null for everything else. */
  private besides(line: string): string | null {
    if (this.isSamples && /^[\d.,;\t -]+$/.test(line)) {
      return line;
    }
    if (/^[\w.]+([,;\t][\w.]+){2,}$/.test(line) && /nslabs|used/.test(line) && isHeader(line)) {
      this.isSamples = true;
      return line;
    }
    if (/^name driver/.test(line) && isHeader(line)) {
      this.isDeviceList = true;
      return line;
    }
    const device = this.isDeviceList ? /^(\S+) (\S*) (\d{0,3})$/.exec(line) : null;
    if (device !== null) {
      return `${this.names.device(device[1])} ${device[2]} ${device[3]}`;
    }
    this.isDeviceList = false;
    const debugfs = /^(?:\S*\/)?(io_tlb_\w+)([:\s]+)(\d+)\s*$/.exec(line);
    if (debugfs !== null) {
      const pool = /\/swiotlb\/([^/]+)\/io_tlb/.exec(line)?.[1];
      return `/sys/kernel/debug/swiotlb/${pool === undefined ? '' : `${this.names.device(pool)}/`}${debugfs[1]}:${debugfs[3]}`;
    }
    const symbol = /^([0-9a-f]{8,16}) ([A-Za-z]) (\S+)/.exec(line);
    if (symbol !== null) {
      return `${'0'.repeat(symbol[1].length)} ${symbol[2]} ${/swiotlb/i.test(symbol[3]) ? symbol[3] : 'x'}`;
    }
    if (
      /^[prf]\d*:\S+ \S*(?:swiotlb|dma)\S*(?: [\w$@%+()*:,=.-]+)*\s*$/i.test(line) ||
      (this.isProfile && /^\s+[\w.-]+\s+\d+\s+\d+\s*$/.test(line))
    ) {
      return line;
    }
    if (this.isRelease && /^\d+\.\d+[\w.+~-]*$/.test(line)) {
      return safeRelease(line);
    }
    return /^\s*#|^CPU:\d+ \[LOST|^cpus=|^== cpu/.test(line) && !/CONFIG_/.test(line)
      ? isHeader(line)
        ? line
        : `# ${this.names.text(line)}`
      : null;
  }
}

/** Nothing but words of headers, short numbers and signs. */
function isHeader(line: string): boolean {
  const words = line.match(/[A-Za-z_][A-Za-z0-9_]*/g) ?? [];
  // Signs alone are legends and rulers; numbers alone may be anything.
  return (
    words.every((word) => headerWords.has(word)) && (0 < words.length || !/\d/.test(line)) && !longNumber.test(line)
  );
}

/** Addresses of networks, serial numbers. */
const longNumber = /\d{12}|\d+\.\d+\.\d+\.\d+|(?:[0-9a-f]{2}:){5}/i;

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
