import type { Connection, WorkDoneProgressServerReporter } from 'vscode-languageserver';
import type { ReadingParams } from '../protocol/lsp';

/** Work shorter than this is not announced. */
const announceAfterMs = 200;

interface Work {
  readonly startedAt: number;
  reporter: WorkDoneProgressServerReporter | 'pending' | undefined;
  percent: number;
  isDone: boolean;
}

/** "Analysing trace.txt" in the status bar with a way to stop it, for captures that take a while. */
export class Progress {
  isSupported = false;
  private readonly connection: Connection;
  private readonly onCancel: (uri: string) => void;
  private readonly works = new Map<string, Work>();

  /** `onCancel`: the user does not want to wait for a document any more. */
  constructor(connection: Connection, onCancel: (uri: string) => void) {
    this.connection = connection;
    this.onCancel = onCancel;
  }

  report(uri: string, done: number): void {
    if (!this.isSupported) {
      return;
    }
    let work = this.works.get(uri);
    if (work === undefined) {
      work = { startedAt: Date.now(), reporter: undefined, percent: 0, isDone: false };
      this.works.set(uri, work);
    }
    work.percent = Math.round(done * 100);
    if (work.reporter === undefined && announceAfterMs < Date.now() - work.startedAt) {
      work.reporter = 'pending';
      void this.announce(uri, work);
    } else if (work.reporter !== undefined && work.reporter !== 'pending') {
      work.reporter.report(work.percent);
    }
  }

  end(uri: string): void {
    const work = this.works.get(uri);
    this.works.delete(uri);
    if (work !== undefined) {
      work.isDone = true;
      if (work.reporter !== undefined && work.reporter !== 'pending') {
        work.reporter.done();
      }
    }
  }

  private async announce(uri: string, work: Work): Promise<void> {
    const reporter = await this.connection.window.createWorkDoneProgress();
    const name = decodeURIComponent(uri.slice(uri.lastIndexOf('/') + 1));
    reporter.begin('SWIOTLB Lens', work.percent, `analysing ${name}`, true);
    reporter.token.onCancellationRequested(() => this.onCancel(uri));
    if (work.isDone) {
      reporter.done();
    } else {
      work.reporter = reporter;
    }
  }
}

/** How often an editor is told how far its file has been read. */
const tellEveryMs = 100;

/** How far files are read, for editors that show it themselves. */
export class Reading {
  private readonly tell: (params: ReadingParams) => void;
  private readonly told = new Map<
    string,
    { readonly at: number; readonly done: number; readonly failureCount: number }
  >();

  constructor(tell: (params: ReadingParams) => void) {
    this.tell = tell;
  }

  report(uri: string, done: number): void {
    const now = Date.now();
    const before = this.told.get(uri);
    // Less than before: it is read anew.
    const isAnew = before === undefined || done < before.done;
    if (isAnew || tellEveryMs <= now - before.at) {
      const failureCount = isAnew ? 0 : before.failureCount;
      this.told.set(uri, { at: now, done, failureCount });
      this.tell({ uri, done, failureCount });
    }
  }

  /** So many failures in what was read so far. */
  found(uri: string, failureCount: number): void {
    const { at = 0, done = 0 } = this.told.get(uri) ?? {};
    this.told.set(uri, { at, done, failureCount });
    this.tell({ uri, done, failureCount });
  }
}
