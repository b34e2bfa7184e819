import type { SizeView } from '../protocol/views';

export type SizePointView = SizeView['curve'][number];

/** The points of one policy on one number of areas, sizes ascending. */
export interface SizeSeries {
  readonly policy: string;
  /** True for the second series of a policy, with a single area. */
  readonly isSingleArea: boolean;
  readonly points: readonly SizePointView[];
}

/** The flat curve of the report, cut where another policy begins or the sizes start again. */
export function sizeSeries(curve: SizeView['curve']): SizeSeries[] {
  const groups: SizePointView[][] = [];
  let group: SizePointView[] = [];
  for (const point of curve) {
    const last = group[group.length - 1];
    if (last === undefined || last.policy !== point.policy || point.slots <= last.slots) {
      group = [];
      groups.push(group);
    }
    group.push(point);
  }
  return groups.map((points, index) => {
    const policy = points[0]!.policy;
    return { policy, isSingleArea: groups.slice(0, index).some((earlier) => earlier[0]!.policy === policy), points };
  });
}

/** Slots of the pool the kernel makes of a recommendation; null when no size of the curve serves the load. */
export function recommendedSlots(entry: SizeView['smallest'][number] | undefined): number | null {
  const bytes = entry?.bytesAfterRounding ?? null;
  return bytes === null ? null : bytes / 2048;
}

/** The failure ratio at a size that may lie between the points: that of the next smaller one. */
export function ratioAt(points: readonly SizePointView[], slots: number): number | null {
  const at = points.filter((point) => point.slots <= slots);
  return at[at.length - 1]?.failureRatio ?? null;
}

/**
 * Height of a ratio on a logarithmic scale whose lowest line stands for "none fails".
 * Decades above that line: 0 for none, 1 for the smallest ratio's decade.
 */
export interface RatioScale {
  readonly top: number;
  height(ratio: number): number;
  label(height: number): string;
}

export function ratioScale(curve: readonly Pick<SizePointView, 'failureRatio'>[]): RatioScale {
  const ratios = curve.map((point) => point.failureRatio).filter((ratio) => 0 < ratio);
  const lowest = ratios.length === 0 ? -1 : Math.floor(Math.log10(Math.min(...ratios)));
  const floor = Math.min(lowest, -1) - 1;
  return {
    top: -floor,
    height: (ratio) => (ratio <= 0 ? 0 : Math.log10(ratio) - floor),
    label: (height) => (height === 0 ? 'none' : `${Number((10 ** (height + floor) * 100).toPrecision(1))} %`),
  };
}
