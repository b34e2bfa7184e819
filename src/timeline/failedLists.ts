import { EvidenceBit, Outcome, Pairing, packUnmapWhere } from '../model/tables';
import type { Attempt, Context, Contexts } from './contexts';
import type { SourceState } from './sourceState';
import type { UnmapPairing } from './unmapPairing';

/** Lists longer than this may have had a dma_map_sg line that did not fit the ring buffer (kernels before [TRUNCATED]). */
const MAX_PRINTABLE_LIST = 128;
const MAX_UNDECIDED = 16384;
const MAX_UNREPEATED = 4096;
/** A failed list that was given up may share buffers with others later: only what comes soon repeats it. */
const MAX_LINES_APART = 20_000;

interface FailedElement {
  readonly rows: readonly number[];
  readonly index: number;
}

/**
 * Scatterlists that failed: dma_map_sg prints only success, and the rollback prints nothing.
 * What is left of them is a run of attempts without a dma event.
 */
export class FailedLists {
  private readonly state: SourceState;
  private readonly contexts: Contexts;
  private readonly unmaps: UnmapPairing;
  /** Lists that wait for a sign that this trace records dma_map_sg at all. */
  private undecided: (readonly number[])[] = [];
  /**
   * Failed lists that were not repeated with success yet, by the original address of each element: what is repeated
   * later shows where they began and how long they are.
   */
  private readonly unrepeated = new Map<number, FailedElement>();

  constructor(state: SourceState, contexts: Contexts, unmaps: UnmapPairing) {
    this.state = state;
    this.contexts = contexts;
    this.unmaps = unmaps;
  }

  /** dma_map_sg or dma_unmap_sg was seen: lists are recorded. */
  note(): void {
    if (!this.state.hasScatterlists) {
      this.state.hasScatterlists = true;
      for (const rows of this.undecided) {
        this.failList(rows);
      }
      this.undecided = [];
    }
  }

  /**
   * Something else happens in this context: the attempts that wait for their dma event got none.
   * dma_map_page prints failures, so these are elements of lists that failed (dma_map_sg prints only success).
   */
  close(context: Context): void {
    const attempts = context.attempts;
    if (attempts.length === 0) {
      return;
    }
    if (this.state.hasDmaMap) {
      let first = 0;
      for (let at = 1; at <= attempts.length; at++) {
        if (at === attempts.length || this.startsNewList(attempts, first, at)) {
          this.closeList(attempts, first, at);
          first = at;
        }
      }
    }
    this.contexts.dropRange(context, 0, attempts.length);
  }

  /** An event that a task or interrupt cannot print while it maps a list. */
  closeOnOther(context: Context): void {
    if (context.isExact && context.attempts.length > 0) {
      this.close(context);
    }
  }

  /**
   * Before a snapshot: every list but the newest of a context is over, and the newest when its failure was printed.
   */
  settle(context: Context): void {
    const attempts = context.attempts;
    let first = 0;
    for (let at = 1; at < attempts.length; at++) {
      if (this.startsNewList(attempts, first, at)) {
        this.closeList(attempts, first, at);
        first = at;
      }
    }
    if (attempts.length - first > 1 && attempts[attempts.length - 1].failed) {
      this.closeList(attempts, first, attempts.length);
      first = attempts.length;
    }
    this.contexts.dropRange(context, 0, first);
  }

  private closeList(attempts: readonly Attempt[], from: number, to: number): void {
    const last = attempts[to - 1];
    const rows: number[] = [];
    for (let at = from; at < to; at++) {
      if ((attempts[at].seen & EvidenceBit.bounced) === 0) {
        return;
      }
      rows.push(attempts[at].row);
    }
    const isRecorded = last.failed;
    if (!isRecorded && ((last.seen & EvidenceBit.probeReturn) !== 0 || rows.length > MAX_PRINTABLE_LIST)) {
      return;
    }
    this.learnFromHead(rows[0], -1);
    if (isRecorded || this.state.hasScatterlists) {
      this.failList(rows);
    } else if (this.undecided.length < MAX_UNDECIDED) {
      this.undecided.push(rows);
    }
  }

  /**
   * A list begins with this row: a run of failed attempts that has it inside was two lists.
   * `total` is its length when it succeeded, -1 when it failed as well.
   */
  private learnFromHead(row: number, total: number): void {
    if (this.unrepeated.size === 0) {
      return;
    }
    const { original, sizeBytes, device, enterLine } = this.state.shared.requests.columns;
    const known = this.unrepeated.get(original[row]);
    if (known === undefined || known.rows[known.index] === row) {
      return;
    }
    const { rows, index } = known;
    if (enterLine[row] - enterLine[rows[0]] > MAX_LINES_APART) {
      return;
    }
    if (device[rows[index]] !== device[row] || sizeBytes[rows[index]] !== sizeBytes[row]) {
      return;
    }
    const cut = index > 0 ? index : total;
    if (cut > 0 && cut < rows.length) {
      this.failList(rows.slice(0, cut));
      this.failList(rows.slice(cut));
    }
  }

  /** These elements were mapped at last: their buffers may be used for other lists from now on. */
  noteMapped(rows: readonly number[]): void {
    if (this.unrepeated.size === 0) {
      return;
    }
    this.learnFromHead(rows[0], rows.length);
    const { original } = this.state.shared.requests.columns;
    for (const row of rows) {
      this.unrepeated.delete(original[row]);
    }
  }

  private remember(rows: readonly number[]): void {
    const { original } = this.state.shared.requests.columns;
    for (const [index, row] of rows.entries()) {
      this.unrepeated.delete(original[row]);
      this.unrepeated.set(original[row], { rows, index });
    }
    for (const oldest of this.unrepeated.keys()) {
      if (this.unrepeated.size <= MAX_UNREPEATED) {
        break;
      }
      this.unrepeated.delete(oldest);
    }
  }

  /** Attempts [first, at) are one list; does attempt `at` belong to another one? */
  private startsNewList(attempts: readonly Attempt[], first: number, at: number): boolean {
    const head = attempts[first];
    const attempt = attempts[at];
    if (
      attempts[at - 1].failed ||
      attempt.device !== head.device ||
      (attempt.original === head.original && attempt.sizeBytes === head.sizeBytes)
    ) {
      return true;
    }
    // The first element of a list that failed before: that list is tried again.
    const known = this.unrepeated.get(attempt.original);
    const { sizeBytes, device } = this.state.shared.requests.columns;
    return (
      known?.index === 0 && sizeBytes[known.rows[0]] === attempt.sizeBytes && device[known.rows[0]] === attempt.device
    );
  }

  private failList(rows: readonly number[]): void {
    this.remember(rows);
    const { columns } = this.state.shared.requests;
    const failed = rows[rows.length - 1];
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      columns.sgGroup[row] = rows[0];
      columns.sgIndex[row] = Math.min(i, 65535);
      columns.sgCount[row] = Math.min(rows.length, 65535);
      columns.evidence[row] |= EvidenceBit.scatterlist;
      if (columns.outcome[row] === Outcome.unknown) {
        columns.evidence[row] |= EvidenceBit.inferredOutcome;
      }
      if ((columns.evidence[row] & EvidenceBit.inferredUnmap) !== 0) {
        // Taken for an element of a longer list before.
        columns.evidence[row] &= ~EvidenceBit.inferredUnmap;
        columns.pairing[row] = Pairing.open;
        this.state.setReleased(row, Number.NaN, 0, 0);
      }
      if (row === failed) {
        columns.outcome[row] = Outcome.failed;
        continue;
      }
      columns.outcome[row] = Outcome.rolledBack;
      if (columns.unmapLine[row] === 0) {
        const bounce = columns.recordedBounce[row];
        const entry = this.unmaps.live.find(bounce, row);
        if (entry >= 0) {
          this.unmaps.live.remove(bounce, entry);
        }
        columns.pairing[row] = Pairing.exact;
        columns.evidence[row] |= EvidenceBit.inferredUnmap;
        columns.unmapEnterNs[row] = columns.enterNs[failed];
        columns.unmapDurationNs[row] = 0;
        columns.unmapLine[row] = columns.mapLine[failed];
        columns.unmapExitLine[row] = columns.mapLine[failed];
        columns.unmapWhere[row] = packUnmapWhere(columns.cpu[failed], columns.context[failed]);
      }
    }
    this.state.shared.requests.version++;
  }
}
