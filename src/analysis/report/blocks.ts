import type { ReplaySeries } from '../../model/replayResult';

/** A document as data, before it is HTML or Markdown. All texts are plain: the writers escape them. */
export interface ReportDocument {
  readonly title: string;
  /** The verdict: first thing under the title. */
  readonly lead: string;
  readonly tone: 'bad' | 'good' | 'neutral';
  readonly sections: readonly ReportSection[];
}

export interface ReportSection {
  readonly title: string;
  readonly blocks: readonly ReportBlock[];
}

export type ReportBlock =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  /** Shell commands, to copy. */
  | { readonly kind: 'commands'; readonly lines: readonly string[] }
  | ReportTable
  | { readonly kind: 'chart'; readonly chart: ReportChart };

/** A column whose name begins with `>` holds numbers. */
export interface ReportTable {
  readonly kind: 'table';
  readonly caption: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export type ReportChart =
  | {
      readonly kind: 'slots';
      readonly title: string;
      readonly runs: readonly { readonly name: string; readonly series: ReplaySeries }[];
      /** False: the axis counts steps. */
      readonly hasTime: boolean;
    }
  | {
      readonly kind: 'sizes';
      readonly title: string;
      readonly lines: readonly {
        readonly name: string;
        readonly points: readonly { readonly bytes: number; readonly failed: number }[];
      }[];
      /** Bytes to ring on the axis, null none. */
      readonly recommendedBytes: number | null;
    };
