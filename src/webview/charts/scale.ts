import { upperBound } from '../../base/bisect';
import type { FailureMark, SeriesView } from '../../protocol/views';

/** From 0 to `max`, with a tick every `step`. */
export interface VerticalScale {
  readonly max: number;
  readonly step: number;
}

/** Steps of a power of two, so that slots and bytes are both round; at most `steps` of them. */
export function powerOfTwoScale(top: number, steps = 6): VerticalScale {
  if (top <= 0) {
    return { max: 4, step: 4 };
  }
  // A little head room keeps the highest line off the frame.
  const wanted = top * 1.04;
  const step = 2 ** Math.max(0, Math.ceil(Math.log2(wanted / steps)));
  return { max: Math.ceil(wanted / step) * step, step };
}

/** Steps of 1, 2 or 5 times a power of ten, for times; at most `steps` of them. */
export function roundScale(top: number, steps = 6): VerticalScale {
  if (top <= 0) {
    return { max: 1, step: 1 };
  }
  const rough = (top * 1.04) / steps;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => rough <= candidate) ?? 10 * power;
  return { max: Math.ceil((top * 1.04) / step) * step, step };
}

/** Multiples of the step from 0 to max. */
export function ticksOf(scale: VerticalScale): number[] {
  return Array.from({ length: Math.round(scale.max / scale.step) + 1 }, (_, index) => index * scale.step);
}

/**
 * Times of the axis ticks: round readings of the trace's own clock, not round distances from its first event.
 * `originNs` is what the clock's fraction of a second read at time 0.
 */
export function timeTicks(range: Range, originNs: number, count: number): number[] {
  const spanNs = range.toNs - range.fromNs;
  const rough = Math.max(spanNs / Math.max(count, 1), 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const steps = [10, 5, 2, 1, 0.5, 0.2].map((factor) => factor * power).filter((step) => 1 <= step);
  const wide = steps.filter((step) => rough <= step).length - 1;
  // A single tick tells no distance: rather a finer step, as long as it is round and whole.
  let ticks: number[] = [];
  for (let at = Math.max(0, wide); at < steps.length && ticks.length < 2; at++) {
    ticks = ticksEvery(steps[at]!, range, originNs);
  }
  return ticks;
}

function ticksEvery(step: number, range: Range, originNs: number): number[] {
  const ticks: number[] = [];
  for (let k = Math.ceil((range.fromNs + originNs) / step); k * step - originNs <= range.toNs; k++) {
    ticks.push(k * step - originNs);
  }
  return ticks;
}

/** The vertical extent of the slots chart; `capacityHidden` when the capacity would flatten everything else. */
export function slotsScale(
  usedTop: number,
  capacityTop: number,
  showCapacity: boolean,
): VerticalScale & { readonly capacityHidden: boolean } {
  const wanted = Math.max(usedTop, 1);
  const hidden = !showCapacity && wanted * 4 < capacityTop;
  return { ...powerOfTwoScale(hidden ? wanted : Math.max(wanted, capacityTop)), capacityHidden: hidden };
}

/** Index of the step that holds at a time, -1 before the first. */
export function stepAt(timesNs: readonly number[], timeNs: number): number {
  return upperBound(timesNs, timeNs) - 1;
}

export function valueAt(series: SeriesView, column: keyof Omit<SeriesView, 'timeNs'>, timeNs: number): number | null {
  const index = stepAt(series.timeNs, timeNs);
  return index < 0 ? null : (series[column][index] ?? null);
}

/** Failures that would be drawn on the same pixels, as one mark. */
export interface MarkCluster {
  readonly first: FailureMark;
  readonly count: number;
  readonly timeNs: number;
}

/** One cluster per `widthNs` and cause; failures come in time order. */
export function clusterMarks(
  marks: readonly FailureMark[],
  fromNs: number,
  toNs: number,
  widthNs: number,
): MarkCluster[] {
  const clusters: { first: FailureMark; count: number; timeNs: number }[] = [];
  const latest = new Map<string, (typeof clusters)[number]>();
  for (const mark of marks) {
    if (mark.timeNs < fromNs || toNs < mark.timeNs) {
      continue;
    }
    const last = latest.get(mark.cause);
    if (last !== undefined && mark.timeNs - last.timeNs < widthNs) {
      last.count++;
    } else {
      const cluster = { first: mark, count: 1, timeNs: mark.timeNs };
      clusters.push(cluster);
      latest.set(mark.cause, cluster);
    }
  }
  return clusters;
}

export interface Range {
  readonly fromNs: number;
  readonly toNs: number;
}

/** Zooms around a point and stays inside the whole; the factor shrinks (below 1) or widens the range. */
export function zoomRange(range: Range, whole: Range, centreNs: number, factor: number): Range {
  const span = Math.min(whole.toNs - whole.fromNs, Math.max((range.toNs - range.fromNs) * factor, minSpanNs(whole)));
  const share = (centreNs - range.fromNs) / Math.max(range.toNs - range.fromNs, 1);
  return clampRange({ fromNs: centreNs - span * share, toNs: centreNs + span * (1 - share) }, whole);
}

/** Moves a range by a share of its length; it stays inside the whole. */
export function panRange(range: Range, whole: Range, share: number): Range {
  const delta = (range.toNs - range.fromNs) * share;
  return clampRange({ fromNs: range.fromNs + delta, toNs: range.toNs + delta }, whole);
}

/** Keeps the length and moves the range inside the whole. */
export function clampRange(range: Range, whole: Range): Range {
  if (range.toNs <= range.fromNs) {
    // From a file that somebody edited.
    return whole;
  }
  const wholeNs = whole.toNs - whole.fromNs;
  const span = Math.min(Math.max(range.toNs - range.fromNs, minSpanNs(whole)), wholeNs);
  const fromNs = Math.min(Math.max(range.fromNs, whole.fromNs), whole.toNs - span);
  return { fromNs, toNs: fromNs + span };
}

function minSpanNs(whole: Range): number {
  return Math.max((whole.toNs - whole.fromNs) * 1e-6, 1);
}
