import { formatBytes, formatCount, formatDuration } from '../../base/format';
import { SLOT_BYTES } from '../../model/units';
import { frontOf, marksFailures, type Plot, type TimelineModel } from './model';
import { poolRows } from './poolRows';
import { powerOfTwoScale, roundScale, slotsScale, ticksOf, timeTicks, type VerticalScale } from './scale';
import type { ChartTheme } from './theme';

/** Space for `262,144` and `1,023 MiB`. */
const axisWidth = 62;

/** No room for a second axis below that; the bytes stay in the line under the title. */
const narrowPixels = 440;

/** The vertical extent of the slots chart and what it leaves out. */
export interface SlotsExtent extends VerticalScale {
  readonly capacityHidden: boolean;
  readonly capacitySlots: number;
}

export interface AxesOptions {
  readonly theme: ChartTheme;
  readonly slots: SlotsExtent;
  /** Of the whole figure, axes included. */
  readonly widthPixels: number;
  /** The chart at the bottom carries the title of the time axis. */
  readonly isLast: boolean;
}

export function axesOf(plot: Plot, model: TimelineModel, options: AxesOptions) {
  const { theme, widthPixels } = options;
  const font = { family: theme.font, size: theme.fontSize };
  const isNarrow = widthPixels < narrowPixels;
  const x = timeAxis(plot, model, options);
  const vertical = extentOf(plot, model, options.slots);
  const axis = (format: (value: number) => string, unit: number, position: 'left' | 'right') => ({
    type: 'linear' as const,
    position,
    min: plot === 'pools' ? -0.7 : 0,
    max: vertical.max * unit,
    reverse: plot === 'pools',
    // Fixed widths keep the time axes of all charts under each other.
    afterFit: (scale: { width: number }) => {
      scale.width = isNarrow ? (position === 'left' ? axisWidth - 14 : 8) : axisWidth;
    },
    afterBuildTicks: (scale: { ticks: { value: number }[] }) => {
      scale.ticks = plot === 'pools' ? [] : ticksOf(vertical).map((value) => ({ value: value * unit }));
    },
    grid: { color: theme.grid, drawTicks: false, drawOnChartArea: position === 'left' },
    border: { display: false },
    ticks: {
      color: theme.muted,
      font,
      padding: 6,
      autoSkip: false,
      display: position === 'left' || !isNarrow,
      callback: (value: number | string) => format(Number(value)),
    },
  });
  const nothing = () => '';
  switch (plot) {
    case 'memory':
      return { x, y: axis(formatBytes, 1, 'left'), right: axis(nothing, 1, 'right') };
    case 'stalls':
      return { x, y: axis(formatDuration, 1, 'left'), right: axis(nothing, 1, 'right') };
    case 'pools':
      return { x, y: axis(nothing, 1, 'left'), right: axis(nothing, 1, 'right') };
    default:
      return { x, y: axis(formatCount, 1, 'left'), right: axis(formatBytes, SLOT_BYTES, 'right') };
  }
}

function timeAxis(plot: Plot, model: TimelineModel, { theme, isLast }: AxesOptions) {
  const font = { family: theme.font, size: theme.fontSize };
  const spanNs = model.range.toNs - model.range.fromNs;
  return {
    type: 'linear' as const,
    min: model.range.fromNs,
    max: model.range.toNs,
    grid: { color: theme.grid, drawTicks: false },
    border: { color: theme.grid },
    ticks: {
      display: isLast || plot === 'slots',
      color: theme.muted,
      font,
      maxRotation: 0,
      autoSkip: false,
      padding: 6,
      callback: (value: number | string) => model.time.tick(Number(value), spanNs),
    },
    afterBuildTicks: (scale: { width: number; ticks: { value: number }[] }) => {
      const count = Math.max(2, Math.floor(scale.width / model.time.tickPixels));
      scale.ticks = timeTicks(model.range, model.time.originNs, count).map((value) => ({ value }));
    },
    title: { display: isLast, text: model.time.axisTitle, color: theme.muted, font },
  };
}

export function slotsExtent(model: TimelineModel): SlotsExtent {
  let used = model.band === null ? 0 : Math.max(...model.band.map((series) => highest(series.usedSlots)));
  let capacitySlots = 0;
  for (const run of model.runs) {
    if (run.series !== null) {
      used = Math.max(used, highest(run.series.usedSlots));
      if (marksFailures(run)) {
        used = Math.max(used, highest(run.series.hiwaterSlots));
        capacitySlots = Math.max(capacitySlots, highest(run.series.capacitySlots));
      }
    }
  }
  return { ...slotsScale(used, capacitySlots, model.showCapacity), capacitySlots };
}

function extentOf(plot: Plot, model: TimelineModel, slots: SlotsExtent): VerticalScale {
  const top = (column: 'memoryBytes' | 'transientSlots' | 'stalledNs') =>
    Math.max(0, ...model.runs.map(({ series }) => (series === null ? 0 : highest(series[column]))));
  switch (plot) {
    case 'slots':
      return slots;
    case 'memory':
      return powerOfTwoScale(top('memoryBytes'), 3);
    case 'transient':
      return powerOfTwoScale(top('transientSlots'), 3);
    case 'stalls':
      return roundScale(top('stalledNs'), 3);
    case 'pools': {
      const front = frontOf(model);
      const rows = front === undefined ? 1 : Math.max(1, poolRows(front.run, model.whole).length);
      return { max: rows - 0.3, step: 1 };
    }
  }
}

function highest(values: readonly (number | null)[]): number {
  let top = 0;
  for (const value of values) {
    if (value !== null && top < value) {
      top = value;
    }
  }
  return top;
}
