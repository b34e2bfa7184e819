import { platform } from '#platform';
import type { Documents } from './documents';
import { fileStamp } from './files';
import type { TraceStore } from './traceStore';

/** An analysis that takes long to make anew is not made all the time: it rests for this share of the time that took. */
const restFactor = 1;

export interface LiveFilesOptions {
  readonly documents: Documents;
  readonly store: TraceStore;
  /** Files of these documents were written: their findings have to be made anew. */
  readonly onChanged: (uris: ReadonlySet<string>) => void;
}

/**
 * Follows the files behind open documents while other programs write them (a trace being recorded, `dmesg --follow`).
 * Looking is a `stat` per file: that works for every file system, watching does not.
 */
export class LiveFiles {
  private readonly options: LiveFilesOptions;
  private readonly timer: ReturnType<typeof setInterval>;
  private readonly restUntil = new Map<string, number>();
  private readonly growthMs = new Map<string, number>();
  /** Documents whose file was not there when it was last read. */
  private readonly gone = new Set<string>();
  private isLooking = false;

  constructor(options: LiveFilesOptions) {
    this.options = options;
    this.timer = setInterval(() => void this.lookAtAll(), platform.lookEveryMs);
    // In Node: a server with nothing else to do may end.
    this.timer.unref?.();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Looks at one document's files now. */
  async look(uri: string): Promise<void> {
    if (this.gone.has(uri)) {
      const path = platform.pathOf(uri);
      if (path !== null && (await fileStamp(path)) !== '') {
        this.gone.delete(uri);
        this.options.onChanged(new Set([uri]));
      }
      return;
    }
    const startedAt = performance.now();
    const changed = await this.options.store.follow(uri);
    if (0 < changed.size) {
      this.growthMs.set(uri, performance.now() - startedAt);
      this.options.onChanged(changed);
    }
  }

  /** The file could not be read: when it is back, it is read anew. */
  lost(uri: string): void {
    this.gone.add(uri);
  }

  /** Making findings took so long (NaN: there are none), beside reading what is new: the next ones come after a rest. */
  rest(uri: string, tookMs: number): void {
    const workMs = (this.growthMs.get(uri) ?? 0) + (tookMs || 0);
    this.restUntil.set(uri, Date.now() + workMs * restFactor);
  }

  private async lookAtAll(): Promise<void> {
    if (this.isLooking) {
      return;
    }
    this.isLooking = true;
    try {
      for (const uri of this.options.documents.uris()) {
        const isFile = this.options.documents.get(uri)?.text === null && platform.pathOf(uri) !== null;
        if (isFile && (this.restUntil.get(uri) ?? 0) <= Date.now()) {
          await this.look(uri);
        }
      }
    } finally {
      this.isLooking = false;
    }
  }
}
