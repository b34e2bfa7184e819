import { type RunKey, runId, type SeriesView } from '../protocol/views';
import type { Range } from './charts/scale';

/** Windows that are kept; one of a thousand points is some 50 KB. */
const keptWindows = 200;
/** More points than pixels help nobody. */
const maxBuckets = 2000;

export type AskSeries = (key: RunKey, range: Range, buckets: number) => Promise<SeriesView>;

/** Decimated windows of the runs' series, by range and width. */
export class SeriesCache {
  private readonly windows = new Map<string, SeriesView>();
  /** What a run showed last: drawn until the wanted window is there. */
  private readonly latest = new Map<string, SeriesView>();
  private readonly ask: AskSeries;
  private generation = 0;

  constructor(ask: AskSeries) {
    this.ask = ask;
  }

  /** The trace changed: nothing of the old one may be shown. */
  clear(): void {
    this.generation++;
    this.windows.clear();
    this.latest.clear();
  }

  /** The window when it is there, else what the run showed last. */
  get(id: string, range: Range, width: number): SeriesView | null {
    return this.exact(id, range, width) ?? this.latest.get(id) ?? null;
  }

  exact(id: string, range: Range, width: number): SeriesView | null {
    return this.windows.get(keyOf(id, range, width)) ?? null;
  }

  async fetch(key: RunKey, range: Range, width: number, isVisible: boolean): Promise<void> {
    const id = runId(key);
    const windowKey = keyOf(id, range, width);
    let series = this.windows.get(windowKey);
    if (series === undefined) {
      const { generation } = this;
      series = await this.ask(key, range, Math.min(maxBuckets, width));
      if (generation !== this.generation) {
        return;
      }
      if (keptWindows <= this.windows.size) {
        this.windows.clear();
      }
      this.windows.set(windowKey, series);
    }
    if (isVisible) {
      this.latest.set(id, series);
    }
  }
}

function keyOf(id: string, range: Range, width: number): string {
  return `${id} ${range.fromNs} ${range.toNs} ${width}`;
}
