import { platform } from '#platform';
import type { AnalysisBuilder } from '../analysis/analysis';
import { isBinaryTrace } from '../analysis/binaryTrace';
import { createAnalysis } from '../analysis/createAnalysis';
import { containerOf } from '../node/input';
import { FailureError } from '../protocol/result';
import { captureMembers } from './captureFolder';
import type { Documents } from './documents';
import { Feed } from './feed';
import { type ByteSource, fileStamp, openFile } from './files';
import { LineOffsets } from './lineOffsets';
import type { DocumentSettings } from './settings';
import { type Member, Trace } from './trace';

export interface TraceStoreOptions {
  readonly documents: Documents;
  readonly settings: (uri: string) => Promise<DocumentSettings>;
  /** Told now and then while a capture is read; `done` is 0 to 1. */
  readonly onProgress: (uri: string, done: number) => void;
  /** What is known while a long capture is still being read, a few times. */
  readonly onPartial?: (uri: string, trace: Trace) => Promise<void>;
  /** The first time it is told; nobody waits for findings of a capture that is read in less. */
  readonly firstPartialMs?: number;
}

interface Entry {
  /** The document that was asked about first: its settings count. */
  readonly uri: string;
  readonly members: ReadonlySet<string>;
  trace: Promise<Trace>;
  /** A newer version of a member exists; nobody gets this one any more. */
  isStale: boolean;
  /** The files were read. */
  isDone: boolean;
  capture: Capture | null;
  /** Growing one after the other. */
  growing: Promise<unknown>;
}

/** The open end of a capture's analysis: more bytes of its files can follow. */
interface Capture {
  readonly builder: AnalysisBuilder;
  /** By member. */
  readonly feeds: readonly Feed[];
}

interface Opened {
  readonly opened: ByteSource;
  readonly memberUri: string;
  /** What the user asked about: without it there is no analysis. */
  readonly isFirst: boolean;
}

/** Bytes of a text that are analysed at once. */
const chunkBytes = 1 << 20;

/** Analyses of captures without an open document that are kept: a panel may still show one. */
const keptClosed = 3;

/** Analyses by document; documents of one capture folder share one. */
export class TraceStore {
  private readonly options: TraceStoreOptions;
  private readonly entries = new Map<string, Entry>();
  /** Bytes of files that went into analyses so far: a file that grows costs its new bytes only. */
  readBytes = 0;
  private readonly cancelled = new Set<string>();
  /** Files that were seen to grow. */
  private readonly growing = new Set<string>();
  private readonly starting = new Map<string, Promise<Entry>>();

  constructor(options: TraceStoreOptions) {
    this.options = options;
  }

  /** The analysis of a document, or of a file that is not open. Rejects with `FailureError` when it cannot be read. */
  async get(asked: string): Promise<Trace> {
    const uri = await this.fileOf(asked);
    for (;;) {
      if (this.cancelled.has(uri)) {
        throw new FailureError({
          kind: 'cancelled',
          message: 'The analysis was cancelled; open the file again to go on.',
        });
      }
      const entry = this.entries.get(uri) ?? (await this.start(uri));
      try {
        return await entry.trace;
      } catch (error) {
        // Superseded while it was read: the newer one answers.
        if (!entry.isStale || !(error instanceof SupersededError)) {
          throw error;
        }
      }
    }
  }

  /** The analyses that are there, without waiting for those under way. */
  async loaded(): Promise<readonly Trace[]> {
    const later = platform.nextTurn().then(() => null);
    const entries = [...new Set(this.entries.values())];
    const traces = await Promise.all(entries.map(({ trace }) => Promise.race([trace.catch(() => null), later])));
    return traces.filter((trace) => trace !== null);
  }

  /** A document changed: what was analysed with it is out of date. Returns the documents concerned. */
  invalidate(uri: string): ReadonlySet<string> {
    const concerned = new Set([uri]);
    for (const [key, entry] of this.entries) {
      if (key === uri || entry.members.has(uri)) {
        entry.isStale = true;
        this.entries.delete(key);
        for (const member of entry.members) {
          concerned.add(member);
        }
      }
    }
    return concerned;
  }

  /**
   * Looks whether files of a document's analysis were written since, and takes what they have more; where they were cut
   * or replaced, the analysis is dropped and the next question starts anew. Returns the documents concerned.
   */
  async follow(uri: string): Promise<ReadonlySet<string>> {
    const entry = this.entryOf(uri);
    if (entry === undefined) {
      return new Set();
    }
    const next = entry.growing.then(() => this.grow(entry));
    entry.growing = next.catch(() => undefined);
    return next;
  }

  private async grow(entry: Entry): Promise<ReadonlySet<string>> {
    const { capture } = entry;
    const before = await entry.trace.catch(() => undefined);
    if (entry.isStale || before === undefined || capture === null) {
      return new Set();
    }
    const members: Member[] = [];
    let isChanged = false;
    for (const [index, member] of before.members.entries()) {
      const feed = capture.feeds[index];
      if (feed === undefined || (await isUnchanged(member)) || !member.isFile) {
        members.push(member);
        continue;
      }
      const had = feed.length;
      const growth = await feed.grow(member.path);
      if (growth === 'replaced') {
        this.growing.add(member.path);
        return this.invalidate(entry.uri);
      }
      members.push({ ...member, stamp: feed.stamp === '' ? member.stamp : feed.stamp });
      isChanged ||= growth === 'grown';
      this.readBytes += feed.length - had;
    }
    if (!isChanged || entry.isStale) {
      return new Set();
    }
    entry.trace = Promise.resolve(
      new Trace(capture.builder.snapshot(before.settings.geometry), members, before.settings),
    );
    return new Set(entry.members);
  }

  private entryOf(uri: string): Entry | undefined {
    return this.entries.get(uri) ?? [...this.entries.values()].find((other) => other.members.has(uri));
  }

  /** Like `invalidate`, but keeps an analysis whose files are as they were read, or went on from there. */
  async refresh(uri: string): Promise<ReadonlySet<string>> {
    const known = this.entryOf(uri);
    if (known?.isDone === true && sameSet(known.members, new Set(await this.membersOf(uri)))) {
      await this.follow(uri);
    }
    const entry = this.entryOf(uri);
    const trace = await entry?.trace.catch(() => undefined);
    const isFresh =
      trace !== undefined &&
      sameSet(entry!.members, new Set(await this.membersOf(uri))) &&
      (await Promise.all(trace.members.map((member) => isUnchanged(member)))).every(Boolean);
    return isFresh ? new Set() : this.invalidate(uri);
  }

  /**
   * Settings may be others now: traces they concern are interpreted anew, without reading their files again.
   * Returns the documents concerned.
   */
  async reconfigure(): Promise<ReadonlySet<string>> {
    const concerned = new Set<string>();
    await Promise.all([...new Set(this.entries.values())].map((entry) => this.reconfigureEntry(entry, concerned)));
    return concerned;
  }

  private async reconfigureEntry(entry: Entry, concerned: Set<string>): Promise<void> {
    const before = await entry.trace.catch(() => undefined);
    const settings = await this.options.settings(entry.uri);
    if (before === undefined || entry.isStale || JSON.stringify(before.settings) === JSON.stringify(settings)) {
      return;
    }
    if (before.settings.captureFolders !== settings.captureFolders) {
      this.invalidate(entry.uri);
    } else {
      entry.trace = Promise.resolve(before.withSettings(settings));
    }
    for (const uri of entry.members) {
      concerned.add(uri);
    }
  }

  /** Stops reading; nobody gets an analysis until `resume`. One that is finished stays. */
  cancel(uri: string): void {
    if (this.entries.get(uri)?.isDone !== true) {
      this.cancelled.add(uri);
      this.invalidate(uri);
    }
  }

  resume(uri: string): void {
    this.cancelled.delete(uri);
  }

  /** Nobody looks at the file any more: if it is still being read, that ends. Whoever asks again starts it anew. */
  abandon(uri: string): void {
    this.cancelled.delete(uri);
    const entry = this.entries.get(uri);
    const isOpen = [...(entry?.members ?? [])].some((member) => this.options.documents.get(member) !== undefined);
    if (entry !== undefined && !entry.isDone && !isOpen) {
      this.invalidate(uri);
    }
  }

  /** The archive that a location is inside of, by the name it was asked for first; other locations as they are. */
  private async fileOf(uri: string): Promise<string> {
    const path = platform.pathOf(uri);
    if (path === null || this.entries.has(uri) || this.options.documents.get(uri) !== undefined) {
      return uri;
    }
    const container = await containerOf(path);
    if (container === null || container.member === '') {
      return uri;
    }
    const known = [...this.entries.keys()].find((key) => platform.pathOf(key) === container.path);
    return known ?? platform.uriOf(container.path);
  }

  private start(uri: string): Promise<Entry> {
    let starting = this.starting.get(uri);
    if (starting === undefined) {
      starting = this.begin(uri).finally(() => this.starting.delete(uri));
      this.starting.set(uri, starting);
    }
    return starting;
  }

  private async begin(uri: string): Promise<Entry> {
    const members = await this.membersOf(uri);
    const shared = members.map((member) => this.entries.get(member)).find((entry) => entry?.members.has(uri));
    if (shared !== undefined && !shared.isStale) {
      this.entries.set(uri, shared);
      return shared;
    }
    const entry: Entry = {
      uri,
      members: new Set(members),
      isStale: false,
      isDone: false,
      capture: null,
      growing: Promise.resolve(),
      trace: Promise.resolve().then(() => this.analyse(entry, members)),
    };
    this.entries.set(uri, entry);
    this.forgetOldest();
    entry.trace.then(
      () => {
        entry.isDone = true;
      },
      () => {
        // The next question tries again: the file may be back.
        if (this.entries.get(uri) === entry) {
          this.entries.delete(uri);
        }
      },
    );
    return entry;
  }

  /** Analyses hold a lot of memory: of those nobody has open, only the newest stay. */
  private forgetOldest(): void {
    const isOpen = (entry: Entry) =>
      [...entry.members].some((member) => this.options.documents.get(member) !== undefined);
    const closed = [...new Set(this.entries.values())].filter((entry) => !isOpen(entry));
    const forgotten = new Set(closed.slice(0, Math.max(0, closed.length - keptClosed)));
    for (const [uri, entry] of this.entries) {
      if (forgotten.has(entry)) {
        this.entries.delete(uri);
      }
    }
  }

  /** Documents and files to read together, the one asked about first. */
  private async membersOf(uri: string): Promise<readonly string[]> {
    const { disk, paths } = platform;
    const file = platform.pathOf(uri);
    if (file === null || !(await this.options.settings(uri)).captureFolders) {
      return [uri];
    }
    const folder = paths.dirname(file);
    const siblings = await disk.list(folder).catch(() => []);
    return captureMembers(paths.basename(file), siblings).map((name, index) =>
      index === 0 ? uri : platform.uriOf(paths.join(folder, name)),
    );
  }

  private async analyse(entry: Entry, uris: readonly string[]): Promise<Trace> {
    const { uri } = entry;
    const settings = await this.options.settings(uri);
    const builder = createAnalysis();
    const members: Member[] = [];
    const feeds: Feed[] = [];
    const partial = new PartialTimes(this.options.firstPartialMs ?? 1500);
    for (const { opened, memberUri, isFirst } of await this.openAll(uris)) {
      if (!opened.ok) {
        if (isFirst) {
          throw new FailureError({ kind: 'unavailable', message: opened.message });
        }
        // A companion that cannot be read is left out; the capture stands without it.
        continue;
      }
      const lineOffsets = new LineOffsets();
      const feed = new Feed(builder.openSource({ path: opened.path }), lineOffsets);
      let isBinary = false;
      for await (const chunk of opened.chunks) {
        if (entry.isStale) {
          throw new SupersededError();
        }
        isBinary ||= feed.length === 0 && isBinaryTrace(chunk);
        this.readBytes += chunk.length;
        const wantsMore = feed.push(chunk);
        this.options.onProgress(uri, opened.done());
        if (!wantsMore) {
          break;
        }
        if (partial.isDue() && this.options.onPartial !== undefined) {
          const { path: name, isFile, stamp } = opened;
          const isPacked = isBinary || opened.isPacked();
          const soFar = [
            ...members,
            { uri: memberUri, path: name, lineOffsets, isFile, isPacked, stamp, failure: null },
          ];
          const { onPartial } = this.options;
          await partial.measure(() =>
            onPartial(uri, Trace.partial(builder.snapshot(settings.geometry), soFar, settings)),
          );
        }
      }
      const isPacked = isBinary || opened.isPacked();
      await feed.end(opened.isFile && !isPacked ? opened.path : null, this.growing.has(opened.path));
      const stamp = feed.stamp === '' ? opened.stamp : feed.stamp;
      feeds.push(feed);
      const failure = opened.failure();
      if (failure !== null && isFirst && opened.done() === 0) {
        throw new FailureError({ kind: 'unavailable', message: `${opened.path}: ${failure}` });
      }
      members.push({
        uri: memberUri,
        path: opened.path,
        lineOffsets,
        isFile: opened.isFile,
        isPacked,
        stamp,
        failure,
      });
    }
    entry.capture = { builder, feeds };
    return new Trace(builder.snapshot(settings.geometry), members, settings);
  }

  /** Every document and file; an archive as the files in it, each with a location of its own. */
  private async openAll(uris: readonly string[]): Promise<Opened[]> {
    const all: Opened[] = [];
    for (const [index, uri] of uris.entries()) {
      const sources = await this.open(uri);
      for (const [at, opened] of sources.entries()) {
        const memberUri = opened.ok && sources.length > 1 ? platform.uriOf(opened.path) : uri;
        all.push({ opened, memberUri, isFirst: index === 0 && at === 0 });
      }
    }
    return all;
  }

  private async open(uri: string): Promise<readonly ByteSource[]> {
    const document = this.options.documents.get(uri);
    if (document?.text) {
      return [textSource(uri, document.text.getText())];
    }
    const path = platform.pathOf(uri);
    return path === null
      ? [{ ok: false, message: `${uri} is not open and not a file on this machine.` }]
      : openFile(path);
  }
}

/** When to look at what was read so far: ever more seldom, so that looking takes a small part of the time. */
class PartialTimes {
  private readonly startedAt = performance.now();
  private nextMs: number;

  constructor(firstMs: number) {
    this.nextMs = firstMs;
  }

  isDue(): boolean {
    return this.nextMs <= performance.now() - this.startedAt;
  }

  async measure(look: () => Promise<void>): Promise<void> {
    const before = performance.now();
    await look();
    const now = performance.now();
    this.nextMs = 2 * (now - this.startedAt) + 4 * (now - before);
  }
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((member) => b.has(member));
}

async function isUnchanged(member: Member): Promise<boolean> {
  return member.isFile && (await fileStamp(member.path)) === member.stamp;
}

/** A newer version of the document is being read. */
class SupersededError extends Error {
  override readonly name = 'SupersededError';
}

/** The text of a dirty, untitled or remote document, encoded once. */
function textSource(uri: string, text: string): ByteSource {
  return {
    ok: true,
    path: platform.pathOf(uri) ?? decodeURIComponent(uri.replace(/^[^:]*:(?:\/\/[^/]*)?/, '')),
    isFile: false,
    stamp: '',
    isPacked: () => false,
    chunks: (async function* () {
      const bytes = new TextEncoder().encode(text);
      yield bytes.subarray(0, chunkBytes);
      for (let start = chunkBytes; start < bytes.length; start += chunkBytes) {
        // Hovers are answered in between.
        await platform.nextTurn();
        yield bytes.subarray(start, start + chunkBytes);
      }
    })(),
    done: () => 1,
    failure: () => null,
  };
}
