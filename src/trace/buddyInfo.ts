import { asciiBytes, Byte, decodeUtf8, startsWithAt } from './bytes';
import { type ReaderContext, Verdict, type VerdictCode } from './context';
import { stripPrefix } from './logPrefix';

const nodeWord = asciiBytes('Node ');
/** A stamp may stand before the zone. */
const reach = 64;
const maxLineBytes = 600;

/**
 * `/proc/buddyinfo`: free blocks of 2^order pages, per zone. Repeated with a time before each pass
 * (`# mono=… boot=…` of the capture script, or a stamp before the lines) it is a series of samples.
 */
export class BuddyInfo {
  private readonly context: ReaderContext;
  /** Of the pass being read; NaN when nothing tells. */
  private passNs = Number.NaN;

  constructor(context: ReaderContext) {
    this.context = context;
  }

  parse(buffer: Uint8Array, start: number, first: number, end: number): VerdictCode {
    if (end - first > maxLineBytes) {
      return Verdict.notMine;
    }
    const limit = Math.min(first + reach, end - nodeWord.length);
    for (let i = first; i <= limit; i++) {
      if (buffer[i] === nodeWord[0] && startsWithAt(buffer, i, end, nodeWord)) {
        return this.zone(decodeUtf8(buffer, start, end), i - start);
      }
    }
    return Verdict.notMine;
  }

  /** A comment that tells the time of what follows; true when it does. */
  mark(buffer: Uint8Array, first: number, end: number): boolean {
    if (buffer[first] !== Byte.hash || end - first > maxLineBytes) {
      return false;
    }
    const text = decodeUtf8(buffer, first, end);
    const match = /^#+\s*(?:(mono)=(\d+\.\d+)\b|(?:mono=\S*\s+)?(boot)=(\d+\.\d+)\b|(?:t|time|ts)=(\d+\.\d+)\b)/.exec(
      text,
    );
    if (match === null) {
      return false;
    }
    const [seconds, fraction] = (match[2] ?? match[4] ?? match[5]).split('.');
    this.context.clock ||= match[1] ?? match[3] ?? '';
    this.passNs = this.context.relativeNs(Number(seconds), nanoseconds(fraction), 'boot');
    return true;
  }

  private zone(text: string, at: number): VerdictCode {
    const match = /^Node\s+(\d{1,5}), zone\s+(\w{1,32})((?:\s+\d{1,10})+)\s*$/.exec(text.slice(at));
    if (match === null) {
      return Verdict.notMine;
    }
    const { context } = this;
    const free = match[3].trim().split(/\s+/).map(Number);
    if (!context.terminated) {
      // The last number may lack digits, and numbers may be missing.
      return Verdict.bad;
    }
    const prefix = at > 0 ? stripPrefix(text.slice(0, at)) : null;
    const timeNs =
      prefix === null || Number.isNaN(prefix.seconds)
        ? this.passNs
        : context.relativeNs(prefix.seconds, prefix.nanoseconds, prefix.family);
    context.name('buddyinfo').understood++;
    context.sink.freePages?.({
      source: context.source,
      line: context.line,
      timeNs,
      node: Number(match[1]),
      zone: match[2],
      free,
    });
    return Verdict.understood;
  }
}

function nanoseconds(fraction: string): number {
  return Number(fraction.slice(0, 9).padEnd(9, '0'));
}
