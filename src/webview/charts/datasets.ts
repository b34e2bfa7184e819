import type { ChartDataset, ScatterDataPoint } from 'chart.js';
import type { SamplesView, SeriesView } from '../../protocol/views';
import { causeMark } from './causeMarks';
import { frontOf, marksFailures, type Plot, type ShownRun, type TimelineModel } from './model';
import { poolRows } from './poolRows';
import { clusterMarks, type MarkCluster, type Range, stepAt, valueAt } from './scale';
import { type ChartTheme, withAlpha } from './theme';

export type Point = ScatterDataPoint;
export type Dataset = ChartDataset<'line', Point[]>;

/** A failure mark on the slots chart. */
export interface MarkPoint extends Point {
  cluster: MarkCluster;
}

type Column = keyof Omit<SeriesView, 'timeNs'>;

/** What a chart draws, the topmost first. `widthPixels` is that of the time axis. */
export function datasetsOf(plot: Plot, model: TimelineModel, theme: ChartTheme, widthPixels: number): Dataset[] {
  // The front run is drawn last, on top.
  const runs = [...model.runs].sort((a, b) => Number(a.isFront) - Number(b.isFront));
  switch (plot) {
    case 'slots':
      return slotsDatasets(runs, model, theme, widthPixels).reverse();
    case 'pools':
      return poolDatasets(model, theme);
    case 'transient':
      return levels(runs, 'transientSlots', model, theme).reverse();
    case 'memory':
      return levels(runs, 'memoryBytes', model, theme).reverse();
    case 'stalls':
      return levels(
        runs.filter((run) => run.series?.stalledNs.some((value) => value !== null) === true),
        'stalledNs',
        model,
        theme,
      ).reverse();
  }
}

function levels(runs: readonly ShownRun[], column: Column, { range }: TimelineModel, theme: ChartTheme): Dataset[] {
  return runs.flatMap((run) =>
    run.series === null
      ? []
      : [line(run, points(run.series, column, range), run.isFront ? 1.75 : 1.25, run.isFront, theme)],
  );
}

function slotsDatasets(
  runs: readonly ShownRun[],
  model: TimelineModel,
  theme: ChartTheme,
  widthPixels: number,
): Dataset[] {
  const { range, samples } = model;
  const datasets = band(model, theme);
  for (const run of runs) {
    if (run.series !== null) {
      datasets.push(...slotsOfRun(run, run.series, range, theme));
    }
  }
  if (samples !== null) {
    datasets.push(sampleDots(samples, range, theme, widthPixels));
  }
  for (const run of runs) {
    if (run.series !== null && marksFailures(run)) {
      datasets.push(marks(run, run.series, range, widthPixels, theme));
    }
  }
  return datasets;
}

function slotsOfRun(run: ShownRun, series: SeriesView, range: Range, theme: ChartTheme): Dataset[] {
  const used = line(run, points(series, 'usedSlots', range), run.isFront ? 2 : 1.5, run.isFront, theme);
  if (!marksFailures(run)) {
    return [used];
  }
  const level = (column: Column, width: number, borderDash: number[]): Dataset => ({
    ...line(run, points(series, column, range), width, false, theme),
    borderDash,
  });
  return [level('capacitySlots', 1.5, [1, 3]), level('hiwaterSlots', 1, [8, 3]), used];
}

function band(model: TimelineModel, theme: ChartTheme): Dataset[] {
  const front = frontOf(model);
  if (model.band === null || front === undefined) {
    return [];
  }
  const [low, high] = model.band.map((series) =>
    line(front, points(series, 'usedSlots', model.range), 0.75, false, theme),
  );
  const edge = { borderColor: withAlpha(colourOf(front, theme), 0.5), borderDash: [] };
  return [
    { ...low!, ...edge },
    { ...high!, ...edge, fill: '+1', backgroundColor: withAlpha(colourOf(front, theme), 0.18) },
  ];
}

function line(run: ShownRun, data: Point[], width: number, filled: boolean, theme: ChartTheme): Dataset {
  const colour = colourOf(run, theme);
  return {
    data,
    borderColor: colour,
    borderWidth: theme.highContrast ? width + 0.5 : width,
    borderDash: [...run.style.dash],
    stepped: 'before',
    pointRadius: 0,
    fill: filled && !theme.highContrast ? 'origin' : false,
    backgroundColor: withAlpha(colour, 0.14),
  };
}

/** Marks of the usual size would hide the line of a chart that is narrower. */
const smallPixels = 340;

/** Failures by cause; those of the recording are hollow. */
function marks(run: ShownRun, series: SeriesView, range: Range, widthPixels: number, theme: ChartTheme): Dataset {
  const scale = widthPixels < smallPixels ? 0.55 : 1;
  const perPixelNs = (range.toNs - range.fromNs) / widthPixels;
  const data: MarkPoint[] = clusterMarks(run.run.failures, range.fromNs, range.toNs, perPixelNs * 5).map((cluster) => ({
    x: cluster.timeNs,
    y: valueAt(series, 'usedSlots', cluster.timeNs) ?? 0,
    cluster,
  }));
  return {
    data,
    showLine: false,
    clip: 8,
    pointStyle: data.map(({ cluster }) => causeMark(cluster.first.cause).point),
    pointRadius: data.map(({ cluster }) => scale * Math.min(10, 5.5 + Math.log2(cluster.count))),
    pointBorderColor: theme.error,
    pointBackgroundColor: run.isFront ? withAlpha(theme.error, 0.55) : theme.background,
    pointBorderWidth: 2,
  };
}

function sampleDots(samples: SamplesView, range: Range, theme: ChartTheme, widthPixels: number): Dataset {
  const data: Point[] = [];
  for (let i = 0; i < samples.timeNs.length; i++) {
    const x = samples.timeNs[i]!;
    if (range.fromNs <= x && x <= range.toNs) {
      data.push({ x, y: samples.usedSlots[i]! });
    }
  }
  return {
    data,
    showLine: false,
    pointStyle: 'circle',
    // So many that they touch would hide the lines they are to be compared with.
    pointRadius: widthPixels < data.length * 5 ? 0.75 : 1.75,
    pointBorderWidth: 1,
    pointBorderColor: theme.text,
    pointBackgroundColor: theme.background,
  };
}

/** A bar per pool of the run in front, from when it was added until it went. */
function poolDatasets(model: TimelineModel, theme: ChartTheme): Dataset[] {
  const front = frontOf(model);
  if (front === undefined) {
    return [];
  }
  const colour = colourOf(front, theme);
  return poolRows(front.run, model.whole).map(({ kind, spans }, y) => ({
    data: spans.flatMap(({ fromNs, toNs }) => [
      { x: fromNs, y },
      { x: toNs, y },
      { x: toNs, y: Number.NaN },
    ]),
    borderColor: kind === 'single' ? withAlpha(colour, 0.55) : colour,
    borderWidth: kind === 'single' ? 8 : 5,
    borderCapStyle: 'butt',
    // The ends show even when a pool lived for less than a pixel.
    pointStyle: 'line',
    pointRotation: 90,
    pointRadius: spans.flatMap(() => (kind === 'single' ? [4, 0, 0] : [3, 0, 0])),
    pointBorderColor: colour,
    pointBorderWidth: kind === 'single' ? 2 : 1,
    fill: false,
    stepped: false,
  }));
}

export function colourOf(run: ShownRun, theme: ChartTheme): string {
  return theme.series[run.style.series] ?? theme.text;
}

/** The steps of the visible range as points; the level on entry comes first, the last one is held until the right end. */
function points(series: SeriesView, column: Column, { fromNs, toNs }: Range): Point[] {
  const values = series[column];
  const first = Math.max(0, stepAt(series.timeNs, fromNs));
  // One step beyond the right end: while the window of a new range is on its way, an old and longer one is drawn.
  const end = Math.min(series.timeNs.length, stepAt(series.timeNs, toNs) + 2);
  const steps: Point[] = [];
  for (let index = first; index < end; index++) {
    steps.push({ x: series.timeNs[index]!, y: values[index] ?? Number.NaN });
  }
  if (first < end && series.timeNs[end - 1]! < toNs) {
    steps.push({ x: toNs, y: values[end - 1] ?? Number.NaN });
  }
  return steps;
}
