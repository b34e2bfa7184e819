const lineFeed = 10;
const carriageReturn = 13;
/** Behind every piece; a small integer, because a field that also holds infinity costs an allocation per line. */
const none = 0x3fffffff;

/**
 * Where lines end in bytes that come in pieces: at LF, CR LF or a CR alone. An editor counts lines like this, so a
 * serial console's `\r\r\n` is two ends.
 */
export class LineBreaks {
  /** Where the line behind the end that `find` returned last begins. */
  next = 0;
  private piece: Uint8Array = new Uint8Array(0);
  /** First LF and CR at or behind the last place that was asked for; `none` when the piece has no more of them. */
  private feed = -1;
  private return = -1;
  private endsInReturn = false;

  /** Takes the next piece. Returns where the line under way goes on: at 1 when its first byte still belongs to the last end, else at 0. */
  begin(piece: Uint8Array): 0 | 1 {
    const goesOn = this.endsInReturn && piece[0] === lineFeed ? 1 : 0;
    if (piece.length > 0) {
      this.endsInReturn = piece[piece.length - 1] === carriageReturn;
    }
    this.piece = piece;
    this.feed = -1;
    this.return = -1;
    return goesOn;
  }

  /** Where the line that goes on at `start` ends, its line end left out; -1 when that is not in this piece. */
  find(start: number): number {
    if (this.feed < start) {
      this.feed = at(this.piece, lineFeed, start);
    }
    if (this.return < start) {
      this.return = at(this.piece, carriageReturn, start);
    }
    if (this.feed < this.return) {
      this.next = this.feed + 1;
      return this.feed;
    }
    if (this.return === none) {
      return -1;
    }
    this.next = this.return + (this.feed === this.return + 1 ? 2 : 1);
    return this.return;
  }
}

function at(piece: Uint8Array, byte: number, start: number): number {
  const found = piece.indexOf(byte, start);
  return found < 0 ? none : found;
}
