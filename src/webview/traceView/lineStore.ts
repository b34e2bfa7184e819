import type { ShownLine } from '../../protocol/traceEditor';

/** Lines kept: some hundred screens. */
const keptLines = 20_000;
/** Lines asked for at once, and beyond what is visible. */
const batch = 400;

/** Lines that were fetched; what is missing is asked for in batches, the newest question first. */
export class LineStore {
  private readonly fetch: (lines: readonly number[]) => Promise<readonly ShownLine[]>;
  private readonly onLines: () => void;
  private readonly lines = new Map<number, ShownLine>();
  private wanted: readonly number[] = [];
  private isBusy = false;
  private generation = 0;

  constructor(fetch: (lines: readonly number[]) => Promise<readonly ShownLine[]>, onLines: () => void) {
    this.fetch = fetch;
    this.onLines = onLines;
  }

  get(line: number): ShownLine | undefined {
    return this.lines.get(line);
  }

  /** The file is another one now. */
  clear(): void {
    this.generation++;
    this.lines.clear();
    this.wanted = [];
    this.isBusy = false;
  }

  /** The last line of a growing file may have been half a line. */
  forget(line: number): void {
    this.lines.delete(line);
  }

  /** These lines are needed now, in this order; questions for others are forgotten. */
  want(lines: readonly number[]): void {
    this.wanted = lines.filter((line) => !this.lines.has(line)).slice(0, batch);
    void this.next();
  }

  private async next(): Promise<void> {
    if (this.isBusy || this.wanted.length === 0) {
      return;
    }
    const mine = this.generation;
    const asked = this.wanted;
    this.wanted = [];
    this.isBusy = true;
    try {
      const fetched = await this.fetch(asked);
      if (mine !== this.generation) {
        return;
      }
      this.keep(fetched);
      if (0 < fetched.length) {
        this.onLines();
      }
    } catch {
      // The lines stay empty; scrolling asks again.
    } finally {
      if (mine === this.generation) {
        this.isBusy = false;
        void this.next();
      }
    }
  }

  private keep(fetched: readonly ShownLine[]): void {
    for (const line of fetched) {
      this.lines.delete(line.line);
      this.lines.set(line.line, line);
    }
    for (const old of this.lines.keys()) {
      if (this.lines.size <= keptLines) {
        return;
      }
      this.lines.delete(old);
    }
  }
}
