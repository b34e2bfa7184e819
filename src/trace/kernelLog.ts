import { emptyLogRecord, type LogRecord } from '../model/log';
import { asciiBytes, Byte, decodeUtf8, isBlank, isDigit, skipBlanks, startsWithAt } from './bytes';
import { kernelStampIn, textHash } from './clockMark';
import { type ReaderContext, Verdict, type VerdictCode } from './context';
import { skipDecoration } from './ftraceText';
import { type FoundMessage, findMessage, lockupFrame, lockupHeader, swiotlbParameter } from './logMessages';
import { type CleanLine, cleanLine, type LogPrefix, messageOfBytes, stripPrefix, trimEndOf } from './logPrefix';

/** What the file name says about bare lines: a copy of /proc/cmdline or of uname. */
export type LogHint = 'cmdline' | 'release' | '';

/** A log line that may continue on the next one. */
interface HeldLine {
  readonly line: number;
  readonly byteOffset: number;
  readonly clean: CleanLine;
  readonly baseColumn: number;
  readonly prefix: LogPrefix;
  readonly found: FoundMessage | null;
  readonly verdict: VerdictCode;
  readonly timeNs: number;
}

interface PendingLockup {
  readonly record: Omit<LogRecord, 'value'>;
  readonly lastLine: number;
}

/** A stack trace is looked for in so many lines behind the lockup line. */
const lockupReach = 120;
/** Lines above this are not decoded: no kernel message is that long. */
const maxLogLine = 16384;

/** Where a text stands on the line that the context has. */
export interface TextPlace {
  /** Column of its first character; negative when the text begins with what stands elsewhere. */
  readonly column: number;
  /** Length of the line. */
  readonly end: number;
}

/** Kernel messages of one source: plain log lines, lines wrapped by mail programs, console events of a trace. */
export class KernelMessages {
  private readonly context: ReaderContext;
  private readonly hint: LogHint;
  private held: HeldLine | null = null;
  private lockup: PendingLockup | null = null;
  /** Stamp of the journal entry being read; -1 unknown. */
  private journalSeconds = -1;
  private journalNanoseconds = 0;
  private fullWithTotals = 0;
  private fullWithoutTotals = 0;
  /** Records delivered and stamped lines seen: what makes the source a log. */
  records = 0;
  stampedLines = 0;

  constructor(context: ReaderContext, hint: LogHint) {
    this.context = context;
    this.hint = hint;
  }

  get hasHeld(): boolean {
    return this.held !== null;
  }

  parse(buffer: Uint8Array, start: number, end: number): VerdictCode {
    const context = this.context;
    if (end - start > maxLogLine) {
      return Verdict.text;
    }
    const field = skipBlanks(buffer, start, end);
    if (startsWithAt(buffer, field, end, journalStamp) || startsWithAt(buffer, field, end, journalMember)) {
      // journalctl -o export and -o json-pretty print one field per line; the stamp precedes the message.
      const digits = /\d{1,16}/.exec(decodeUtf8(buffer, field + journalStamp.length, end));
      const microseconds = Number(digits?.[0] ?? Number.NaN);
      this.journalSeconds = Math.floor(microseconds / 1e6);
      this.journalNanoseconds = (microseconds % 1e6) * 1000;
      return Verdict.text;
    }
    if (buffer[end - 1] === Byte.closeBracket && end - start < 400) {
      // The line above the fields of journalctl -o verbose.
      const microseconds = Number.parseInt(verboseCursor.exec(decodeUtf8(buffer, start, end))?.[1] ?? '', 16);
      if (!Number.isNaN(microseconds)) {
        this.journalSeconds = Math.floor(microseconds / 1e6);
        this.journalNanoseconds = (microseconds % 1e6) * 1000;
        return Verdict.text;
      }
    }
    const isByteList = containsByteList(buffer, start, end);
    const wanted =
      isByteList ||
      this.hint !== '' ||
      (context.origin === null && looksStamped(buffer, start, end)) ||
      hasTrigger(buffer, start, end) ||
      endsWithColon(buffer, start, end) ||
      this.lockup !== null;
    if (!wanted) {
      if (looksStamped(buffer, start, end)) {
        this.stampedLines++;
        this.markLine(buffer, start, end);
        context.name('kernel log').counted++;
        return Verdict.counted;
      }
      return Verdict.text;
    }

    return this.read(decodeUtf8(buffer, start, end), isByteList, null, buffer, start, end);
  }

  /** One entry of a journal as JSON, which may be a part of a line or made of several. */
  parseEntry(text: string, place: TextPlace): VerdictCode {
    return text.length > maxLogLine ? Verdict.text : this.read(text, byteListMember.test(text), place);
  }

  private read(
    text: string,
    isByteList: boolean,
    place: TextPlace | null,
    buffer: Uint8Array = nothing,
    start = 0,
    end = 0,
  ): VerdictCode {
    const { context } = this;
    const clean = placed((isByteList ? messageOfBytes(text) : null) ?? cleanLine(text), place);
    const baseColumn = place === null ? context.skippedNuls : 0;
    const prefix = stripPrefix(clean.text);
    const timeNs = this.timeOf(prefix, clean.text);
    if (prefix.stamped) {
      this.stampedLines++;
      this.markLine(buffer, start, end);
    }
    const found = this.find(clean.text, prefix);
    const lone = prefix.stamped ? Verdict.counted : Verdict.text;
    this.followLockup(clean, prefix, timeNs, baseColumn);
    if (found === null) {
      if (place === null && context.terminated && mayContinue(clean.text, prefix.cursor)) {
        this.hold(clean, prefix, null, lone, timeNs);
        return Verdict.held;
      }
      if (lone === Verdict.counted) {
        context.name('kernel log').counted++;
      }
      return lone;
    }
    if (isProse(found, prefix, clean.text)) {
      return Verdict.text;
    }
    if (found.facts.kind === 'buffer-full' && completeness(found) < 3) {
      const rest = clean.text.slice(found.endIndex).trim();
      if (place === null && this.cutOff(found, rest)) {
        return Verdict.bad;
      }
      // A break where the rest of the message is still to come; old kernels print no more than the size.
      if (place === null && context.terminated && /^(?:[,\s=]*|\(sz.*|,\s*total.*|,\s*used.*)$/.test(rest)) {
        this.hold(clean, prefix, found, Verdict.understood, timeNs);
        return Verdict.held;
      }
    }
    const record = this.record(clean, baseColumn, prefix, found, timeNs);
    this.deliver(record);
    const repeated = record.kind === 'buffer-full' ? repeats.exec(clean.text.slice(0, prefix.cursor)) : null;
    if (repeated !== null) {
      // This line is one of them.
      const count = Math.min(Number(repeated[1]), maxRepeats) - 1;
      this.deliver({ ...record, ...noNumbers, kind: 'suppressed', count, value: 'swiotlb', text: repeated[0] });
    }
    return Verdict.understood;
  }

  /** True when the line continues the held one; both are then delivered as one message. Otherwise the held line is decided. */
  join(buffer: Uint8Array, start: number, end: number): boolean {
    const held = this.held;
    if (held === null) {
      return false;
    }
    const next = end - start > maxLogLine ? '' : cleanLine(decodeUtf8(buffer, start, end)).text;
    const nextPrefix = stripPrefix(next);
    if (next !== '' && !nextPrefix.stamped) {
      const first = trimEndOf(held.clean.text, ' \t\r=');
      const joined = `${first} ${next.slice(nextPrefix.cursor)}`;
      const found = this.find(joined, held.prefix);
      const better = held.found === null || completeness(found) > completeness(held.found);
      if (found !== null && better && found.endIndex > first.length + 1) {
        this.held = null;
        const joinedClean: CleanLine = {
          text: joined,
          column: (index) => held.clean.column(Math.min(index, first.length)),
        };
        const record = this.record(joinedClean, held.baseColumn, held.prefix, found, held.timeNs);
        this.deliver({ ...record, line: held.line, byteOffset: held.byteOffset });
        this.context.count(Verdict.understood, held.line, () => held.clean.text);
        return true;
      }
    }
    this.flush();
    return false;
  }

  /** Decides the held line without its continuation. */
  flush(): void {
    const held = this.held;
    if (held === null) {
      return;
    }
    this.held = null;
    if (held.found !== null) {
      const record = this.record(held.clean, held.baseColumn, held.prefix, held.found, held.timeNs);
      this.deliver({ ...record, line: held.line, byteOffset: held.byteOffset });
    } else if (held.verdict === Verdict.counted) {
      this.context.name('kernel log').counted++;
    }
    this.context.count(held.verdict, held.line, () => held.clean.text);
  }

  /** The text of a printk:console event; header and line are in the context. False when the message is cut off. */
  parseConsole(buffer: Uint8Array, start: number, end: number): boolean {
    const context = this.context;
    this.markEvent(buffer, start, end);
    if (end - start > maxLogLine || (!hasTrigger(buffer, start, end) && this.lockup === null)) {
      return true;
    }
    const before = context.skippedNuls + decodeUtf8(buffer, context.lineStart, start).length;
    const clean = cleanLine(decodeUtf8(buffer, start, end));
    const prefix = stripPrefix(clean.text);
    const { cpu, pid, timeNs } = context.header;
    this.followLockup(clean, prefix, timeNs, before, { cpu, pid });
    const found = this.find(clean.text, prefix);
    if (found !== null) {
      const partial = found.facts.kind === 'buffer-full' && completeness(found) < 3;
      if (partial && this.cutOff(found, clean.text.slice(found.endIndex).trim())) {
        return false;
      }
      this.deliver({ ...this.record(clean, before, prefix, found, timeNs), viaTrace: true, cpu, pid });
    }
    return true;
  }

  /** A text in a trace (a console event, a marker) may stand in the log, too. */
  markEvent(buffer: Uint8Array, start: number, end: number): void {
    const { source, sink, header } = this.context;
    if (sink.clockMark === undefined || Number.isNaN(header.timeNs)) {
      return;
    }
    // Old kernels print the log's own stamp into the event.
    const from =
      buffer[start] === Byte.openBracket ? (kernelStampIn(buffer, start, end)?.messageStart ?? start) : start;
    const text = textHash(buffer, from, end);
    if (text !== 0) {
      sink.clockMark({ source, timeNs: header.timeNs, text, viaTrace: true });
    }
  }

  private markLine(buffer: Uint8Array, start: number, end: number): void {
    const { context } = this;
    const { source, sink } = context;
    const stamp = sink.clockMark === undefined ? null : kernelStampIn(buffer, start, end);
    if (stamp !== null) {
      const timeNs = context.relativeNs(stamp.seconds, stamp.nanoseconds, 'boot');
      const text = textHash(buffer, stamp.messageStart, end);
      if (text !== 0 && !Number.isNaN(timeNs)) {
        sink.clockMark?.({ source, timeNs, text, viaTrace: false });
      }
    }
  }

  private find(text: string, prefix: LogPrefix): FoundMessage | null {
    const found = findMessage(text, prefix.cursor);
    if (found !== null || this.hint === '') {
      return found;
    }
    const rest = text.slice(prefix.cursor).trimEnd();
    const span = { index: prefix.cursor, endIndex: prefix.cursor + rest.length, deviceMessage: false };
    if (this.hint === 'cmdline' && rest !== '') {
      return { ...span, facts: { kind: 'command-line', value: swiotlbParameter(rest) } };
    }
    const release = /^(\d+\.\d+[\w.+-]*)/.exec(rest);
    return release === null ? null : { ...span, facts: { kind: 'kernel-version', value: release[1] } };
  }

  private hold(
    clean: CleanLine,
    prefix: LogPrefix,
    found: FoundMessage | null,
    verdict: VerdictCode,
    timeNs: number,
  ): void {
    const { line, byteOffset, skippedNuls } = this.context;
    this.held = { line, byteOffset, clean, baseColumn: skippedNuls, prefix, found, verdict, timeNs };
  }

  /** The last line of a file that ends within a message: a part is not a failure of its own. */
  private cutOff(found: FoundMessage, rest: string): boolean {
    if (this.context.terminated) {
      return false;
    }
    // Where all other lines have the counters, a line that stops before them was cut and is not of an old kernel.
    const othersHaveTotals = this.fullWithTotals > 0 && this.fullWithoutTotals === 0;
    return (found.facts.sizeBytes ?? -1) < 0 || /^(?:,|\(sz)/.test(rest) || (rest === '' && othersHaveTotals);
  }

  private timeOf(prefix: LogPrefix, text: string): number {
    const { context } = this;
    let timeNs = Number.NaN;
    if (!Number.isNaN(prefix.seconds)) {
      timeNs = context.relativeNs(prefix.seconds, prefix.nanoseconds, prefix.family);
    } else if (this.journalSeconds >= 0 && (/^\s*(?:MESSAGE=|"MESSAGE"\s*:)/.test(text) || text.startsWith(nuls, 2))) {
      timeNs = context.relativeNs(this.journalSeconds, this.journalNanoseconds, 'boot');
    } else {
      return Number.NaN;
    }
    context.noteTime(timeNs, 'log');
    return timeNs;
  }

  private record(
    clean: CleanLine,
    baseColumn: number,
    prefix: LogPrefix,
    found: FoundMessage,
    timeNs: number,
  ): LogRecord {
    const { context } = this;
    const named = found.deviceMessage ? deviceBefore(clean.text, prefix, found.index) : null;
    const startIndex = named?.start ?? found.index;
    const { facts } = found;
    // All fields by name: objects of one shape are made quickly, and floods have many.
    return {
      kind: facts.kind,
      viaTrace: false,
      cpu: -1,
      pid: -1,
      sizeBytes: facts.sizeBytes ?? -1,
      totalSlots: facts.totalSlots ?? -1,
      usedSlots: facts.usedSlots ?? -1,
      count: facts.count ?? -1,
      start: facts.start ?? Number.NaN,
      end: facts.end ?? Number.NaN,
      maskBits: facts.maskBits ?? -1,
      busLimit: facts.busLimit ?? Number.NaN,
      value: facts.value ?? '',
      source: context.source,
      line: context.line,
      byteOffset: context.byteOffset,
      startColumn: baseColumn + clean.column(startIndex),
      endColumn: baseColumn + clean.column(found.endIndex - 1) + 1,
      timeNs,
      device: facts.device ?? named?.device ?? '',
      driver: named?.driver ?? '',
      text: clean.text.slice(startIndex, found.endIndex),
    };
  }

  private deliver(record: LogRecord): void {
    this.records++;
    if (record.kind === 'buffer-full') {
      if (record.totalSlots >= 0) {
        this.fullWithTotals++;
      } else {
        this.fullWithoutTotals++;
      }
    }
    if (!neutralKinds.has(record.kind)) {
      this.context.hasField = true;
    }
    if (record.kind === 'kernel-version' && this.context.release === '') {
      this.context.release = record.value;
    }
    this.context.name(`kernel log: ${record.kind}`).understood++;
    this.context.sink.log(record);
  }

  /** Remembers a lockup line, and reports it once a stack line behind it names a swiotlb function. */
  private followLockup(
    clean: CleanLine,
    prefix: LogPrefix,
    timeNs: number,
    baseColumn: number,
    via?: { readonly cpu: number; readonly pid: number },
  ): void {
    const { context } = this;
    const header = lockupHeader.exec(clean.text);
    if (header !== null) {
      const text = trimEndOf(header[0], `"'\`, \t`);
      const start = Math.max(header.index, prefix.cursor);
      this.lockup = {
        lastLine: context.line + lockupReach,
        record: {
          ...emptyLogRecord,
          kind: 'lockup',
          source: context.source,
          line: context.line,
          byteOffset: context.byteOffset,
          startColumn: baseColumn + clean.column(start),
          endColumn: baseColumn + clean.column(header.index + text.length - 1) + 1,
          timeNs,
          text,
          ...(via === undefined ? {} : { viaTrace: true, cpu: via.cpu, pid: via.pid }),
        },
      };
      return;
    }
    if (this.lockup === null) {
      return;
    }
    if (context.line > this.lockup.lastLine) {
      this.lockup = null;
      return;
    }
    const frame = lockupFrame.exec(clean.text);
    if (frame !== null) {
      const name = /_*\w*swiotlb\w*/.exec(frame[0]);
      this.deliver({ ...this.lockup.record, value: name?.[0] ?? '' });
      this.lockup = null;
    }
  }
}

/** Facts about a machine that every boot log has: they do not make a log one of the field. */
const neutralKinds: ReadonlySet<string> = new Set([
  'kernel-version',
  'cpus',
  'memory',
  'command-line',
  'config',
  'atomic-pool',
]);

interface NamedDevice {
  readonly start: number;
  readonly driver: string;
  readonly device: string;
}

/** `DRIVER DEV: ` directly before a message (dev_printk); the device may stand alone. */
function deviceBefore(text: string, prefix: LogPrefix, index: number): NamedDevice | null {
  const before = text.slice(prefix.cursor, index);
  const colon = /:\s+$/.exec(before);
  if (colon === null) {
    return null;
  }
  const body = before.slice(0, colon.index);
  if (body.endsWith('(NULL device *)')) {
    return null;
  }
  const deviceStart = body.lastIndexOf(' ') + 1;
  const device = body.slice(deviceStart).replace(/^["'`([]+/, '');
  if (device === '' || device === 'kernel' || /["'{}]/.test(device)) {
    return null;
  }
  const rest = body.slice(0, deviceStart).trimEnd();
  let driver = rest;
  if (!prefix.stamped || rest.length > 48 || /[[\]{}"]/.test(rest)) {
    driver = rest.slice(rest.lastIndexOf(' ') + 1);
  }
  const afterColon = driver.lastIndexOf(': ');
  driver = afterColon < 0 ? driver : driver.slice(afterColon + 2);
  // grep glues FILE: to the first word; driver names hold no colon.
  driver = driver.slice(
    Math.max(driver.lastIndexOf(':'), driver.lastIndexOf(']'), driver.lastIndexOf('"'), driver.lastIndexOf('>')) + 1,
  );
  driver = driver.replace(/^[`'*(]+/, '').trim();
  const start = driver === '' ? prefix.cursor + deviceStart : prefix.cursor + rest.lastIndexOf(driver);
  return { start, driver, device };
}

/** How many of the three numbers of "buffer is full" were found. */
function completeness(found: FoundMessage | null): number {
  const { sizeBytes = -1, totalSlots = -1, usedSlots = -1 } = found?.facts ?? {};
  return (sizeBytes >= 0 ? 1 : 0) + (totalSlots >= 0 ? 1 : 0) + (usedSlots >= 0 ? 1 : 0);
}

/** The beginning of a message that a mail program wrapped: a lone `DRIVER DEV:`, or words of the field without a whole message. */
function mayContinue(text: string, cursor: number): boolean {
  const rest = text.slice(cursor).trimEnd();
  if (/^(?:\S+ ){0,4}\S+:$/.test(rest)) {
    return true;
  }
  return (
    /swiotlb|SW-IOMMU|software IO|IO TLB|overflow|coherent allocation|Out of|SWIOTLB/.test(rest) && rest.length < 300
  );
}

const triggers = [
  'swiotlb',
  'SWIOTLB',
  'SW-IOMMU',
  'IO TLB',
  'software IO',
  'overflow',
  'Out of',
  'DMA',
  'coherent allocation',
  'Linux ',
  'BOOT_IMAGE=',
  'ommand line',
  'Allowing',
  'nr_cpu_ids',
  'Memory',
  'AMD Secure',
  'tdx: ',
  'CONFIG_',
  'lockup',
  'LOCKUP',
  'stall',
  'blocked for more',
  'callbacks suppressed',
  'only able',
  'tlb structure',
  'allocate new pool',
  'allocate buffer',
  'insert index',
  'area num',
].map(asciiBytes);

/** Triggers by their first two bytes. */
const triggersByPair = new Map<number, Uint8Array[]>();
const pairMarks = new Uint8Array(65536);
for (const trigger of triggers) {
  const pair = (trigger[0] << 8) | trigger[1];
  pairMarks[pair] = 1;
  triggersByPair.set(pair, [...(triggersByPair.get(pair) ?? []), trigger]);
}

/** Whether the line holds a word that any message rule needs. */
function hasTrigger(buffer: Uint8Array, start: number, end: number): boolean {
  let previous = 0;
  for (let i = start; i < end; i++) {
    const pair = (previous << 8) | buffer[i];
    previous = buffer[i];
    if (pairMarks[pair] === 1) {
      for (const trigger of triggersByPair.get(pair) ?? []) {
        if (startsWithAt(buffer, i - 1, end, trigger)) {
          return true;
        }
      }
    }
  }
  return false;
}

function endsWithColon(buffer: Uint8Array, start: number, end: number): boolean {
  while (end > start && isBlank(buffer[end - 1])) {
    end--;
  }
  return end > start && buffer[end - 1] === Byte.colon && end - start < 300;
}

const monthWords = [
  'Jan ',
  'Feb ',
  'Mar ',
  'Apr ',
  'May ',
  'Jun ',
  'Jul ',
  'Aug ',
  'Sep ',
  'Oct ',
  'Nov ',
  'Dec ',
  'kern ',
].map(asciiBytes);
const kernelColon = asciiBytes('kern:');

/** A cheap look at the first bytes: a kernel, syslog or logger stamp. */
function looksStamped(buffer: Uint8Array, start: number, end: number): boolean {
  const position = skipDecoration(buffer, start, end);
  const first = buffer[position];
  if (position + 6 > end) {
    return false;
  }
  if (first === Byte.openBracket) {
    let next = position + 1;
    while (next < end && (isBlank(buffer[next]) || buffer[next] === Byte.less || buffer[next] === Byte.plus)) {
      next++;
    }
    let digits = next;
    while (digits < end && (isDigit(buffer[digits]) || buffer[digits] === Byte.dot || buffer[digits] === Byte.dash)) {
      digits++;
    }
    if (digits > next + 2) {
      return true;
    }
    // [Fri Nov 20 …] and [Nov20 …].
    return buffer[next] >= 65 && buffer[next] <= 90 && buffer[next + 1] >= 97 && buffer[next + 2] >= 97;
  }
  if (first === Byte.less) {
    return isDigit(buffer[position + 1]);
  }
  if (isDigit(first)) {
    // An ISO date, a kmsg record or an epoch.
    let digits = position;
    while (digits < end && isDigit(buffer[digits])) {
      digits++;
    }
    const after = buffer[digits];
    return (digits - position === 4 && after === Byte.dash) || (after === Byte.comma && isDigit(buffer[digits + 1]));
  }
  for (const word of monthWords) {
    if (startsWithAt(buffer, position, end, word)) {
      return true;
    }
  }
  return startsWithAt(buffer, position, end, kernelColon) || startsWithAt(buffer, position, end, kernelWord);
}

const journalStamp = asciiBytes('__MONOTONIC_TIMESTAMP=');
const journalMember = asciiBytes('"__MONOTONIC_TIMESTAMP"');
const journalMessage = asciiBytes('"MESSAGE"');

/** Of the length before a message in journalctl -o export. */
const nuls = String.fromCharCode(0, 0, 0, 0, 0, 0);
const verboseCursor = /\[s=[^\]]*;m=([0-9a-f]{1,13});[^\]]*\]$/;
const repeats = /message repeated (\d{1,9}) times/;
const maxRepeats = 1e6;
const noNumbers = { sizeBytes: -1, totalSlots: -1, usedSlots: -1 };

/** The words without a size, and nothing before them that a log would have: somebody writes about the message. */
function isProse({ facts, index }: FoundMessage, prefix: LogPrefix, text: string): boolean {
  const { kind, sizeBytes = -1 } = facts;
  return (
    kind === 'buffer-full' &&
    sizeBytes < 0 &&
    !prefix.stamped &&
    !/[\d.:]/.test(deviceBefore(text, prefix, index)?.device ?? '')
  );
}

const nothing = new Uint8Array(0);
const byteListMember = /"MESSAGE"\s*:\s*\[/;

function placed(clean: CleanLine, place: TextPlace | null): CleanLine {
  return place === null
    ? clean
    : { text: clean.text, column: (index) => Math.min(clean.column(index) + place.column, place.end - 1) };
}

/** A journal entry whose message is a list of bytes. */
function containsByteList(buffer: Uint8Array, start: number, end: number): boolean {
  if (buffer[skipBlanks(buffer, start, end)] !== Byte.openBrace) {
    return false;
  }
  for (let at = start; at + journalMessage.length < end; at++) {
    if (buffer[at] === Byte.quote && startsWithAt(buffer, at, end, journalMessage)) {
      const value = buffer.subarray(at + journalMessage.length, at + journalMessage.length + 4);
      return value.includes(Byte.openBracket);
    }
  }
  return false;
}
const kernelWord = asciiBytes('kernel:');
