import { platform } from '#platform';
import { isBinaryTrace } from '../analysis/binaryTrace';
import { lineStamp } from '../analysis/lineStamp';
import { lineTokens } from '../analysis/lineTokens';
import { compressionOf } from '../node/decompress';
import { openInput } from '../node/input';
import { headBytes, type LineSource, openLineSource } from '../node/lineSource';
import {
  type CopyRange,
  type FileState,
  type Found,
  type LineQuery,
  type QuerySlot,
  type ShownLine,
  tokenKinds,
} from '../protocol/traceEditor';
import { lineMatcher } from './lineQuery';
import { binaryRenderer } from './packedLines';

/** Of a longer line the editor draws the beginning. */
const shownCharacters = 5000;
/** How often the editor is told how far reading and looking are. */
const tellEveryMs = 100;
/** How often a file is looked at for new lines. */
const watchEveryMs = 2 * platform.lookEveryMs;
/** A screen of lines. */
const firstLines = 200;
/** A list of more lines is of no use to anybody, and takes memory in three places. */
const maxFound = 5_000_000;
/** The clipboard is text in one piece. */
const maxCopiedLines = 200_000;
const maxCopiedCharacters = 32 << 20;

const kindNumbers: ReadonlyMap<string, number> = new Map(tokenKinds.map((kind, index) => [kind, index]));

export interface LineEvents {
  readonly state: (state: FileState) => void;
  readonly found: (found: Found) => void;
}

interface Query {
  readonly id: number;
  readonly query: LineQuery;
  readonly among: Uint32Array | null;
  scannedTo: number;
  /** All lines found, for copying; in steps as they were sent. */
  readonly found: Uint32Array[];
  count: number;
  isRunning: boolean;
  isCancelled: boolean;
}

/**
 * The lines of one file for the custom editor: drawn, searched and copied without the analysis. Runs in a thread of its
 * own (lineThread.ts), so that a long analysis or search never holds up scrolling.
 */
export class EditorLines {
  private readonly file: string;
  private readonly events: LineEvents;
  private source: LineSource | null = null;
  private members: readonly string[] = [];
  private member = '';
  private isPacked = false;
  private generation = 0;
  private openFailure: string | null = null;
  private told = '';
  private watching: ReturnType<typeof setInterval> | undefined;
  private telling: ReturnType<typeof setInterval> | undefined;
  private readonly queries = new Map<QuerySlot, Query>();

  constructor(file: string, events: LineEvents) {
    this.file = file;
    this.events = events;
  }

  /** Opens the file; an archive with its largest member, which is the trace where there is one. */
  async open(): Promise<void> {
    const input = await openInput(this.file);
    if (input.ok && input.isBundle) {
      const parts = [...input.parts].sort((a, b) => b.sizeBytes - a.sizeBytes);
      this.members = input.parts.map((part) => platform.paths.relative(this.file, part.path));
      this.member = parts[0] === undefined ? '' : platform.paths.relative(this.file, parts[0].path);
      this.isPacked = true;
    }
    this.isPacked ||= await isPackedFile(this.file);
    await this.openSource();
    this.telling = setInterval(() => this.tell(), tellEveryMs);
    this.watching = setInterval(() => void this.look(), watchEveryMs);
  }

  async showMember(name: string): Promise<void> {
    if (this.members.includes(name) && name !== this.member) {
      this.member = name;
      await this.openSource();
    }
  }

  async close(): Promise<void> {
    clearInterval(this.telling);
    clearInterval(this.watching);
    this.queries.forEach(cancel);
    await this.source?.close();
  }

  /** The lines asked for that exist, in any order; waits for none. */
  async lines(wanted: readonly number[]): Promise<ShownLine[]> {
    const { source } = this;
    if (source === null) {
      return [];
    }
    const shown: ShownLine[] = [];
    for (const [from, to] of runsOf(wanted)) {
      const texts = await source.lines(from, to);
      for (const [index, text] of texts.entries()) {
        shown.push(toShown(from + index, text));
      }
    }
    return shown;
  }

  /** Looks for lines; null ends it. `among`: only these may match. */
  query(slot: QuerySlot, id: number, query: LineQuery | null, among: Uint32Array | null): void {
    const old = this.queries.get(slot);
    if (old !== undefined) {
      cancel(old);
      this.queries.delete(slot);
    }
    if (query !== null) {
      const next = { id, query, among, scannedTo: 0, found: [], count: 0, isRunning: false, isCancelled: false };
      this.queries.set(slot, next);
      void this.run(slot, next);
    }
  }

  /** The text of a range, as far as the clipboard takes it. */
  async text({ from, to, ofFilter }: CopyRange): Promise<{ readonly text: string; readonly lines: number }> {
    const { source } = this;
    if (source === null) {
      return { text: '', lines: 0 };
    }
    const wanted = ofFilter ? this.foundLines(from, to) : null;
    const runs: Iterable<readonly [number, number]> = wanted === null ? [[from, to + 1]] : runsOf(wanted);
    const texts: string[] = [];
    let characters = 0;
    for (const [start, end] of runs) {
      for await (const stretch of source.stretches(start, Math.min(end, source.lineCount + 1))) {
        for (const text of stretch.texts) {
          if (texts.length === maxCopiedLines || maxCopiedCharacters < characters) {
            return { text: texts.join('\n'), lines: texts.length };
          }
          texts.push(text);
          characters += text.length + 1;
        }
      }
    }
    return { text: texts.join('\n'), lines: texts.length };
  }

  private async openSource(): Promise<void> {
    await this.source?.close();
    this.source = null;
    this.openFailure = null;
    this.generation++;
    const target = this.member === '' ? this.file : platform.paths.join(this.file, this.member);
    const opened = await openLineSource(target, { renderer: binaryRenderer });
    if (opened.ok) {
      this.source = opened.source;
    } else {
      this.openFailure = opened.failure.message;
    }
    this.told = '';
    this.tell();
    // The first screen does not wait for the next tick.
    void this.source?.waitFor(firstLines).then(() => this.tell());
    this.restartQueries();
  }

  /** Reads what a growing file has more; a file that was cut or replaced begins again. */
  private async look(): Promise<void> {
    const { source } = this;
    if (source === null || !source.isComplete) {
      return;
    }
    const before = source.lineCount;
    const change = await source.refresh().catch(() => 'same' as const);
    if (source !== this.source || change === 'same') {
      return;
    }
    if (change === 'restarted') {
      this.generation++;
      this.restartQueries();
    } else {
      for (const [slot, query] of this.queries) {
        // The last line may have been half a line.
        query.scannedTo = Math.min(query.scannedTo, before - 1);
        void this.run(slot, query);
      }
    }
    this.tell();
  }

  private restartQueries(): void {
    for (const [slot, { id, query, among, isCancelled }] of [...this.queries]) {
      if (!isCancelled) {
        this.query(slot, id, query, among);
      }
    }
  }

  private tell(): void {
    const { source } = this;
    const state: FileState = {
      lineCount: source?.lineCount ?? 0,
      isComplete: source?.isComplete ?? true,
      done: source?.done ?? 1,
      generation: this.generation,
      failure: this.openFailure ?? source?.failure?.message ?? null,
      members: this.members,
      member: this.member,
      isPacked: this.isPacked,
    };
    const text = JSON.stringify(state);
    if (text !== this.told) {
      this.told = text;
      this.events.state(state);
    }
  }

  private async run(slot: QuerySlot, query: Query): Promise<void> {
    if (query.isRunning || query.isCancelled || this.source === null) {
      return;
    }
    query.isRunning = true;
    const tell = (lines: number[], isDone: boolean, error: string | null = null) => {
      const step = Uint32Array.from(lines);
      query.found.push(step);
      query.count += step.length;
      this.events.found({
        slot,
        id: query.id,
        lines: step,
        scannedTo: query.scannedTo,
        isDone,
        isFull: maxFound <= query.count,
        error,
      });
    };
    try {
      await this.scan(this.source, query, tell);
    } catch (error) {
      if (!query.isCancelled) {
        tell([], true, error instanceof SyntaxError ? error.message : 'The file could not be read.');
      }
    } finally {
      query.isRunning = false;
    }
  }

  private async scan(
    source: LineSource,
    query: Query,
    tell: (lines: number[], isDone: boolean) => void,
  ): Promise<void> {
    const matches = lineMatcher(query.query);
    const { among } = query;
    let lines: number[] = [];
    let toldAt = performance.now();
    let nextAmong = 0;
    const last = query.found.at(-1)?.at(-1) ?? 0;
    if (matches === null) {
      const all = among === null ? [] : Array.from(among.filter((line) => last < line));
      query.scannedTo = source.lineCount;
      tell(all.slice(0, maxFound - query.count), true);
      return;
    }
    for await (const { first, texts } of source.stretches(query.scannedTo + 1)) {
      for (const [index, text] of texts.entries()) {
        const line = first + index;
        if (among !== null) {
          while (nextAmong < among.length && (among[nextAmong] ?? 0) < line) {
            nextAmong++;
          }
          if (among[nextAmong] !== line) {
            continue;
          }
        }
        if (last < line && matches(text)) {
          lines.push(line);
        }
      }
      query.scannedTo = first + texts.length - 1;
      const isFull = maxFound <= query.count + lines.length;
      if (tellEveryMs < performance.now() - toldAt || isFull) {
        tell(lines, isFull);
        lines = [];
        toldAt = performance.now();
        // Questions for lines, and the word that this is cancelled, come in between.
        await platform.nextTurn();
      }
      if (query.isCancelled || isFull) {
        return;
      }
    }
    tell(lines, true);
  }

  /** Lines of the filter by index, both ends included. */
  private foundLines(from: number, to: number): number[] {
    const lines: number[] = [];
    let at = 0;
    for (const step of this.queries.get('filter')?.found ?? []) {
      for (let index = Math.max(0, from - at); index < step.length && at + index <= to; index++) {
        lines.push(step[index] ?? 0);
        if (maxCopiedLines <= lines.length) {
          return lines;
        }
      }
      at += step.length;
    }
    return lines;
  }
}

function cancel(query: Query): void {
  query.isCancelled = true;
}

function toShown(line: number, text: string): ShownLine {
  const shown = text.length > shownCharacters ? text.slice(0, shownCharacters) : text;
  const tokens: number[] = [];
  for (const { start, length, kind } of lineTokens(shown)) {
    tokens.push(start, length, kindNumbers.get(kind) ?? -1);
  }
  return { line, text: shown, cut: text.length - shown.length, tokens, stamp: lineStamp(text) };
}

/** Whether the first bytes say that the file is packed or binary. */
async function isPackedFile(file: string): Promise<boolean> {
  const handle = await platform.disk.open(file).catch(() => null);
  if (handle === null) {
    return false;
  }
  const head = new Uint8Array(headBytes);
  await handle.read(0, head).catch(() => 0);
  await handle.close();
  return compressionOf(head) !== 'none' || isBinaryTrace(head);
}

/** Half-open ranges of lines that follow each other; a few lines between two ranges are read with them. */
function* runsOf(lines: readonly number[]): Generator<readonly [number, number]> {
  let from = 0;
  let to = 0;
  for (const line of lines) {
    if (line === to) {
      to++;
      continue;
    }
    if (from < to) {
      yield [from, to];
    }
    from = line;
    to = line + 1;
  }
  if (from < to) {
    yield [from, to];
  }
}
