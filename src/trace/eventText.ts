import { EventKind, type EventKindCode, type TraceEvent } from '../model/events';
import {
  asciiBytes,
  Byte,
  ByteMap,
  decodeUtf8,
  hashEnd,
  hashStart,
  hashStep,
  hexDigit,
  isBlank,
  isWord,
  skipBlanks,
  startsWithAt,
  wordBytes,
} from './bytes';
import { maxPredictedKeys, type NameCounter, type ReaderContext, Verdict, type VerdictCode } from './context';
import { readFields, Seen } from './fields';
import type { KernelMessages } from './kernelLog';
import { type Renaming, renameArguments } from './probeArguments';

/** How the text behind `NAME: ` is read. */
type EventParser = (text: EventText, buffer: Uint8Array, start: number, end: number) => boolean;

interface KnownName {
  readonly counter: NameCounter;
  readonly parser: EventParser | null;
  /** Probe arguments (Seen) that lines of this name had so far, by event kind: a line with fewer is cut. */
  readonly arguments: Int32Array;
  /** Keys in the order of the last line of this name. */
  readonly keyOrder: Uint8Array;
  /** Of a probe whose definition says that its argument names mean something else. */
  readonly renaming: Renaming | null;
}

function knownName(counter: NameCounter, parser: EventParser | null, renaming: Renaming | null = null): KnownName {
  return {
    counter,
    parser,
    renaming,
    arguments: new Int32Array(kindCount),
    keyOrder: new Uint8Array(maxPredictedKeys),
  };
}

const maxNames = 4096;
const kindCount = Object.keys(EventKind).length;

/**
 * Reads `NAME: FIELDS`, the part that every text format of ftrace, trace-cmd and perf shares.
 * Names seen before cost one hash look-up.
 */
export class EventText {
  readonly context: ReaderContext;
  readonly messages: KernelMessages;
  private readonly names = new ByteMap(maxNames);
  private readonly known: KnownName[] = [];
  private readonly otherNames: KnownName;
  readonly symbols = new SymbolTable();

  constructor(context: ReaderContext, messages: KernelMessages) {
    this.context = context;
    this.messages = messages;
    this.otherNames = knownName(context.name('(other names)'), null);
  }

  /** Parses from the name on and delivers the event; the line's header is in the context. */
  parse(buffer: Uint8Array, start: number, end: number): VerdictCode {
    let nameStart = start;
    let position = start;
    let hash = hashStart;
    // The name ends at a colon that a blank or the end follows; `system:name:` of perf has an inner colon.
    while (position < end) {
      const byte = buffer[position];
      if (byte === Byte.colon) {
        if (position + 1 >= end || isBlank(buffer[position + 1])) {
          break;
        }
        nameStart = position + 1;
        hash = hashStart;
      } else if (wordBytes[byte] === 0 && byte !== Byte.dash && byte !== Byte.dot) {
        return this.parseUnnamed(buffer, start, end);
      } else {
        hash = hashStep(hash, byte);
      }
      position++;
    }
    if (position === nameStart) {
      return Verdict.bad;
    }
    if (position >= end) {
      return this.parseUnnamed(buffer, start, end);
    }
    const name = this.lookUp(buffer, nameStart, position, hashEnd(hash));
    const fields = skipBlanks(buffer, position + 1, end);
    this.context.keyOrder = name.keyOrder;
    if (name.parser !== null) {
      if (name.parser(this, buffer, fields, end)) {
        name.counter.understood++;
        return Verdict.understood;
      }
      return Verdict.bad;
    }
    if (buffer[fields] === Byte.open) {
      const verdict = this.parseProbe(name, buffer, nameStart, position, fields, end);
      if (verdict !== Verdict.notMine) {
        if (verdict === Verdict.understood) {
          name.counter.understood++;
        }
        return verdict;
      }
    }
    name.counter.counted++;
    return Verdict.counted;
  }

  /** True when the bytes at `start` begin with the name of an event of the field, a colon behind it. */
  startsWithKnownName(buffer: Uint8Array, start: number, end: number): boolean {
    let position = start;
    while (position < end && isWord(buffer[position])) {
      position++;
    }
    if (position === start || position >= end || buffer[position] !== Byte.colon) {
      return false;
    }
    if (position + 1 < end && !isBlank(buffer[position + 1])) {
      return false;
    }
    return knownNames.find(buffer, start, position) >= 0;
  }

  /** Text without `NAME:`: function tracer, stack traces, system calls; or a name that was cut. */
  private parseUnnamed(buffer: Uint8Array, start: number, end: number): VerdictCode {
    for (let i = start; i + 1 < end; i++) {
      if (buffer[i] === Byte.less && buffer[i + 1] === Byte.dash) {
        return this.countOther('function tracer');
      }
    }
    if (startsWithAt(buffer, start, end, wordStackTrace) || startsWithAt(buffer, start, end, wordUserStackTrace)) {
      return this.countOther('stack trace');
    }
    let position = start;
    while (position < end && wordBytes[buffer[position]] === 1) {
      position++;
    }
    const next = buffer[position];
    if (position === start || position >= end || (next !== Byte.open && !isBlank(next))) {
      return Verdict.bad;
    }
    const word = decodeUtf8(buffer, start, position);
    if (word.startsWith('PERF_RECORD_LOST')) {
      return this.perfLost(word, buffer, position, end);
    }
    for (const name of parsers.keys()) {
      if (name.startsWith(word)) {
        return Verdict.bad;
      }
    }
    return this.countOther(word);
  }

  /** `PERF_RECORD_LOST lost 17` of perf script --show-lost-events. */
  private perfLost(word: string, buffer: Uint8Array, position: number, end: number): VerdictCode {
    const { context } = this;
    const count = /^\s+lost (\d{1,15})\s*$/.exec(decodeUtf8(buffer, position, Math.min(end, position + 60)));
    if (count === null || !context.terminated) {
      return Verdict.bad;
    }
    context.lostEvents(context.header.cpu, Number(count[1]));
    context.name(word.slice(0, 64)).understood++;
    return Verdict.understood;
  }

  private countOther(name: string): VerdictCode {
    this.context.name(name).counted++;
    return Verdict.counted;
  }

  private lookUp(buffer: Uint8Array, start: number, end: number, hash: number): KnownName {
    const before = this.names.size;
    const index = this.names.addHashed(buffer, start, end, hash);
    if (index < 0) {
      return this.otherNames;
    }
    if (index === before) {
      const text = decodeUtf8(buffer, start, end);
      this.known.push(
        knownName(this.context.name(text), parsers.get(text) ?? null, this.context.probes?.of(text) ?? null),
      );
    }
    return this.known[index];
  }

  /** `(symbol+0x4/0x440) args` or `(caller+0x5c/0x230 <- symbol) args`: the symbol says what it is, not the event's name. */
  private parseProbe(
    name: KnownName,
    buffer: Uint8Array,
    nameStart: number,
    nameEnd: number,
    start: number,
    end: number,
  ): VerdictCode {
    let close = start + 1;
    let arrow = -1;
    while (close < end && buffer[close] !== Byte.close) {
      if (buffer[close] === Byte.less && buffer[close + 1] === Byte.dash) {
        arrow = close;
      }
      close++;
    }
    if (close >= end) {
      return Verdict.notMine;
    }
    const isReturn = arrow >= 0;
    let symbolStart = isReturn ? skipBlanks(buffer, arrow + 2, close) : start + 1;
    let symbolEnd = symbolStart;
    while (symbolEnd < close && (isWord(buffer[symbolEnd]) || buffer[symbolEnd] === Byte.dot)) {
      symbolEnd++;
    }
    let offset = 0;
    if (buffer[symbolEnd] === Byte.plus) {
      for (let i = symbolEnd + 3; i < close && hexDigit(buffer[i]) >= 0; i++) {
        offset = offset * 16 + hexDigit(buffer[i]);
      }
    } else if (hexDigit(buffer[symbolStart]) >= 0 && isAddress(buffer, symbolStart, symbolEnd)) {
      // perf and sym-addr print only addresses: fall back to the probe's own name, which perf takes from the function.
      symbolStart = nameStart;
      symbolEnd = nameEnd;
    }
    const symbol = this.symbols.lookUp(this.context, buffer, symbolStart, symbolEnd);
    if (symbol === null) {
      return Verdict.notMine;
    }
    // An offset beyond the function's entry sequence is a probe in the middle of it.
    const kind =
      !isReturn && offset > maxEntryOffset ? EventKind.probeOther : isReturn ? symbol.onReturn : symbol.onEntry;
    const event = this.context.beginEvent(kind, buffer);
    event.symbol = symbol.name;
    let seen: number;
    if (name.renaming === null) {
      seen = readFields(this.context, event, buffer, close + 1, end);
    } else {
      const renamed = renameArguments(name.renaming, buffer, close + 1, end);
      seen = readFields(this.context, event, renamed, 0, renamed.length);
    }
    const missing = name.arguments[kind] & ~seen & probeArguments;
    const cut =
      (missing !== 0 && (seen & Seen.fault) === 0) || (!this.context.terminated && name.arguments[kind] === 0);
    if (cut || (seen & Seen.torn) !== 0 || !completeProbe(event, kind, seen)) {
      return Verdict.bad;
    }
    name.arguments[kind] |= seen & probeArguments;
    this.context.emit(event);
    return Verdict.understood;
  }
}

const probeArguments =
  Seen.device |
  Seen.direction |
  Seen.dma |
  Seen.size |
  Seen.original |
  Seen.attributes |
  Seen.allocSize |
  Seen.alignMask |
  Seen.poolStart |
  Seen.poolEnd |
  Seen.poolSlots |
  Seen.poolAreas |
  Seen.transient;

/** Entry probes report up to this offset: endbr64, BTI, the ftrace call site. */
const maxEntryOffset = 16;

function isAddress(buffer: Uint8Array, start: number, end: number): boolean {
  const digits = buffer[start] === Byte.zero && (buffer[start + 1] | 32) === 120 ? start + 2 : start;
  if (end - digits < 8) {
    return false;
  }
  for (let i = digits; i < end; i++) {
    if (hexDigit(buffer[i]) < 0) {
      return false;
    }
  }
  return true;
}

/** Moves values to where each kind of probe keeps them; false when the line lacks what the kind is about. */
function completeProbe(event: TraceEvent, kind: EventKindCode, seen: number): boolean {
  switch (kind) {
    case EventKind.probeMapEnter:
      return true;
    case EventKind.probeMapReturn:
      // A probe that records no result cannot say whether the mapping was served.
      event.failed = (seen & Seen.dmaAllOnes) !== 0;
      return (seen & Seen.dma) !== 0;
    case EventKind.probeUnmapEnter:
    case EventKind.probeUnmapReturn:
      return true;
    case EventKind.probePoolAllocReturn:
      event.failed =
        (seen & (Seen.nullPool | Seen.fault)) !== 0 ||
        ((seen & Seen.dma) !== 0 && event.dma === 0) ||
        event.poolStart === 0;
      event.dma = Number.NaN;
      if (event.failed) {
        event.poolStart = Number.NaN;
        event.poolEnd = Number.NaN;
      }
      return true;
    default:
      return true;
  }
}

interface ProbedSymbol {
  /** Index in the string table. */
  readonly name: number;
  readonly onEntry: EventKindCode;
  readonly onReturn: EventKindCode;
}

/** Probed functions by name, compiler suffixes (.isra.0, .constprop.0, …) removed. */
class SymbolTable {
  private readonly map = new ByteMap(1 << 14);
  private readonly entries: (ProbedSymbol | null)[] = [];

  lookUp(context: ReaderContext, buffer: Uint8Array, start: number, end: number): ProbedSymbol | null {
    const before = this.map.size;
    const index = this.map.add(buffer, start, end);
    if (index < 0) {
      return null;
    }
    if (index === before) {
      this.entries.push(classifySymbol(context, decodeUtf8(buffer, start, end)));
    }
    return this.entries[index];
  }
}

function classifySymbol(context: ReaderContext, text: string): ProbedSymbol | null {
  const cold = text.includes('.cold');
  const base = text.replace(/\..*$/, '').replace(/__return$|_return$/, '');
  if (!/swiotlb/.test(base)) {
    return null;
  }
  const name = context.strings.intern(base);
  const kinds = cold ? undefined : symbolKinds.get(base);
  return {
    name,
    onEntry: kinds?.[0] ?? EventKind.probeOther,
    onReturn: kinds?.[1] ?? EventKind.probeOther,
  };
}

const symbolKinds: ReadonlyMap<string, readonly [EventKindCode, EventKindCode]> = new Map([
  ['swiotlb_tbl_map_single', [EventKind.probeMapEnter, EventKind.probeMapReturn]],
  ['swiotlb_tbl_unmap_single', [EventKind.probeUnmapEnter, EventKind.probeUnmapReturn]],
  ['__swiotlb_tbl_unmap_single', [EventKind.probeUnmapEnter, EventKind.probeUnmapReturn]],
  ['swiotlb_alloc_pool', [EventKind.probePoolAllocEnter, EventKind.probePoolAllocReturn]],
  ['swiotlb_dyn_alloc', [EventKind.probeWorkerEnter, EventKind.probeWorkerReturn]],
  ['swiotlb_dyn_free', [EventKind.probePoolFree, EventKind.probeOther]],
]);

const bounced = bouncedParser(EventKind.bounced);
const mapPage = dmaParser(EventKind.mapPage, Seen.device | Seen.dma | Seen.size | Seen.attributes, (event, seen) => {
  event.failed = (seen & Seen.dmaAllOnes) !== 0;
});
const unmapPage = dmaParser(EventKind.unmapPage, Seen.device | Seen.dma | Seen.size | Seen.attributes);
const mapSg = dmaParser(
  EventKind.mapSg,
  Seen.device | Seen.sgDma | Seen.sgSizes | Seen.sgOriginal | Seen.attributes,
  (event) => {
    event.sgCount = event.sgOriginal.length;
  },
);
const unmapSg = dmaParser(EventKind.unmapSg, Seen.device | Seen.sgOriginal | Seen.attributes, (event) => {
  event.sgCount = event.sgOriginal.length;
});
const mapSgError = dmaParser(EventKind.mapSgError, Seen.device | Seen.sgDma | Seen.error | Seen.attributes, (event) => {
  // The kernel prints the physical addresses under the name dma_addrs.
  for (const address of event.sgDma) {
    event.sgOriginal.push(address);
  }
  event.sgDma.length = 0;
  event.sgCount = event.sgOriginal.length;
});
const coherentAlloc = dmaParser(EventKind.coherentAlloc, Seen.device | Seen.size, (event, seen) => {
  event.failed = (seen & Seen.dmaAllOnes) !== 0;
});
const coherentFree = dmaParser(EventKind.coherentFree, Seen.device | Seen.size);

const parsers: ReadonlyMap<string, EventParser> = new Map<string, EventParser>([
  ['swiotlb_bounced', bounced],
  ['pswiotlb_bounced', bounced],
  ['swiotlb_unbounced', bouncedParser(EventKind.unbounced)],
  ['dma_map_page', mapPage],
  ['dma_map_phys', mapPage],
  ['dma_map_resource', mapPage],
  ['dma_unmap_page', unmapPage],
  ['dma_unmap_phys', unmapPage],
  ['dma_unmap_resource', unmapPage],
  ['dma_map_sg', mapSg],
  ['dma_unmap_sg', unmapSg],
  ['dma_map_sg_err', mapSgError],
  ['dma_sync_single_for_cpu', syncParser(false)],
  ['dma_sync_single_for_device', syncParser(true)],
  ['dma_sync_sg_for_cpu', syncSgParser(false)],
  ['dma_sync_sg_for_device', syncSgParser(true)],
  ['dma_alloc', coherentAlloc],
  ['dma_alloc_pages', coherentAlloc],
  ['dma_alloc_sgt', coherentAlloc],
  ['dma_alloc_sgt_err', coherentAlloc],
  ['dma_free', coherentFree],
  ['dma_free_pages', coherentFree],
  ['dma_free_sgt', coherentFree],
  ['console', parseConsole],
  ['tracing_mark_write', parseMarker],
  ['print', parseMarker],
  ['bprint', parseMarker],
  ['bputs', parseMarker],
  ['mm_page_alloc', parsePageAlloc],
  ['workqueue_queue_work', workqueueParser(0)],
  ['workqueue_execute_start', workqueueParser(1)],
  ['workqueue_execute_end', workqueueParser(2)],
]);

/** Names that identify a line without context columns; words such as `print:` begin lines of prose too. */
const knownNames = ByteMap.of([...parsers.keys()].filter((name) => /^(?:p?swiotlb|dma|tracing)_/.test(name)));

function bouncedParser(kind: EventKindCode): EventParser {
  const required = Seen.device | Seen.deviceAddress | Seen.size;
  return (text, buffer, start, end) => {
    const { context } = text;
    const event = context.beginEvent(kind, buffer);
    const seen = readFields(context, event, buffer, start, end);
    if ((seen & required) !== required || (seen & Seen.torn) !== 0) {
      return false;
    }
    const hasWord = (seen & Seen.forceWord) !== 0;
    if (!hasWord && !(context.lastWord === 'none' && context.terminated)) {
      return false;
    }
    if (hasWord && context.lastWord !== 'always') {
      context.lastWord = startsWithAt(buffer, end - wordSwiotlbForce.length, end, wordSwiotlbForce) ? 'none' : 'always';
    }
    context.emit(event);
    return true;
  };
}

function dmaParser(
  kind: EventKindCode,
  required: number,
  finish?: (event: TraceEvent, seen: number) => void,
): EventParser {
  return (text, buffer, start, end) => {
    const event = text.context.beginEvent(kind, buffer);
    const seen = readFields(text.context, event, buffer, start, end);
    if ((seen & required) !== required || (seen & Seen.torn) !== 0) {
      return false;
    }
    finish?.(event, seen);
    if (event.sgTruncated) {
      text.context.problem('truncated-list', `A list of ${event.sgTotal} entries was printed with ${event.sgCount}.`);
    }
    text.context.emit(event);
    return true;
  };
}

function syncParser(toDevice: boolean): EventParser {
  return dmaParser(EventKind.sync, Seen.device | Seen.dma | Seen.size, (event) => {
    event.toDevice = toDevice;
  });
}

function syncSgParser(toDevice: boolean): EventParser {
  return dmaParser(EventKind.syncSg, Seen.device | Seen.sgDma | Seen.sgSizes, (event) => {
    event.toDevice = toDevice;
    event.sgCount = event.sgDma.length;
  });
}

/** A kernel message inside the trace: handed to the log parser with the event's CPU, task and time. */
function parseConsole(text: EventText, buffer: Uint8Array, start: number, end: number): boolean {
  return text.messages.parseConsole(buffer, start, end);
}

function parseMarker(text: EventText, buffer: Uint8Array, start: number, end: number): boolean {
  if (!text.context.terminated) {
    // Free text: nobody can tell where a cut was.
    return false;
  }
  const event = text.context.beginEvent(EventKind.marker, buffer);
  event.text = decodeUtf8(buffer, start, Math.min(end, start + 4096));
  text.context.sink.event(event);
  text.messages.markEvent(buffer, start, end);
  return true;
}

/** kmem:mm_page_alloc: `page=… pfn=… order=N migratetype=… gfp_flags=…`; page 0 when it failed. */
function parsePageAlloc(text: EventText, buffer: Uint8Array, start: number, end: number): boolean {
  const event = text.context.beginEvent(EventKind.pageAlloc, buffer);
  const seen = readFields(text.context, event, buffer, start, end);
  if ((seen & Seen.order) === 0 || (seen & Seen.torn) !== 0) {
    return false;
  }
  text.context.sink.event(event);
  return true;
}

const wordStackTrace = asciiBytes('<stack trace>');
const wordUserStackTrace = asciiBytes('<user stack trace>');
const wordSwiotlbForce = asciiBytes('swiotlb_force');
const wordDynAlloc = asciiBytes('swiotlb_dyn_alloc');
const wordFunction = asciiBytes('function');

/** workqueue:*: only the growth worker's items are events, the others are counted as understood lines. */
function workqueueParser(phase: number): EventParser {
  return (text, buffer, start, end) => {
    for (let i = start; i + wordFunction.length < end; i++) {
      if (!startsWithAt(buffer, i, end, wordFunction)) {
        continue;
      }
      let value = i + wordFunction.length;
      while (value < end && (buffer[value] === Byte.equals || isBlank(buffer[value]))) {
        value++;
      }
      if (startsWithAt(buffer, value, end, wordDynAlloc)) {
        const event = text.context.beginEvent(EventKind.workqueue, buffer);
        event.phase = phase;
        event.symbol = text.context.strings.intern('swiotlb_dyn_alloc');
        text.context.emit(event);
      }
      return true;
    }
    // workqueue_execute_end of older kernels names no function.
    return phase === 2;
  };
}
