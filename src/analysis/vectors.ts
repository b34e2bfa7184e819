import type { VectorResult } from '../replay/vectors';
import { runVectors } from '../replay/vectors';

/** The JSON of the `vectors` command. */
export interface VectorsReport {
  readonly files: number;
  readonly operations: number;
  readonly agree: number;
  readonly disagree: number;
  /** The first disagreement in the order of the files; null when all agree. */
  readonly first: {
    readonly file: string;
    readonly line: number;
    readonly expected: string;
    readonly got: string;
  } | null;
  readonly perFile: readonly { readonly file: string; readonly operations: number; readonly disagree: number }[];
}

/** Collects the results of allocator vector files; the caller reads them one at a time. */
export class VectorsRun {
  private readonly perFile: { file: string; operations: number; agree: number; disagree: number }[] = [];
  private first: VectorsReport['first'] = null;

  /** False: not one line is an operation or a header, so the file holds something else. */
  add(file: string, text: string): boolean {
    const result: VectorResult = runVectors(text);
    if (!result.isVectors) {
      return false;
    }
    this.perFile.push({ file, operations: result.operations, agree: result.agree, disagree: result.disagree });
    if (this.first === null && result.first !== null) {
      this.first = { file, ...result.first };
    }
    return true;
  }

  report(): VectorsReport {
    const sum = (pick: (entry: (typeof this.perFile)[number]) => number) =>
      this.perFile.reduce((total, entry) => total + pick(entry), 0);
    return {
      files: this.perFile.length,
      operations: sum((entry) => entry.operations),
      agree: sum((entry) => entry.agree),
      disagree: sum((entry) => entry.disagree),
      first: this.first,
      perFile: this.perFile.map(({ file, operations, disagree }) => ({ file, operations, disagree })),
    };
  }
}
