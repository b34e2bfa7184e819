/** So many texts are kept: of a log the last ones, it may go back many boots; of a trace the first ones. */
const maxLogMarks = 1 << 16;
const maxTraceMarks = 1 << 13;

/** Texts of one source with their times, as numbers: what a log and a trace may have in common. */
export class ClockMarks {
  readonly texts: number[] = [];
  readonly timesNs: number[] = [];
  /** The oldest one, once there is no room for more. */
  private next = 0;

  add(text: number, timeNs: number, viaTrace: boolean): void {
    if (this.texts.length < (viaTrace ? maxTraceMarks : maxLogMarks)) {
      this.texts.push(text);
      this.timesNs.push(timeNs);
    } else if (!viaTrace) {
      this.texts[this.next] = text;
      this.timesNs[this.next] = timeNs;
      this.next = (this.next + 1) % maxLogMarks;
    }
  }
}
