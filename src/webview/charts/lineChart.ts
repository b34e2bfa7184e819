import { Chart } from 'chart.js';
import type { Point } from './datasets';

/** An empty line chart that draws on demand only and leaves events to its owner; `afterDraw` adds marks on top. */
export function createLineChart(
  canvas: HTMLCanvasElement,
  padding: { readonly top: number; readonly right: number },
  afterDraw?: (chart: Chart<'line', Point[]>) => void,
): Chart<'line', Point[]> {
  return new Chart<'line', Point[]>(canvas, {
    type: 'line',
    data: { datasets: [] },
    options: {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      parsing: false,
      normalized: true,
      events: [],
      layout: { padding },
      scales: { x: { type: 'linear' }, y: { type: 'linear' } },
    },
    plugins:
      afterDraw === undefined
        ? []
        : [{ id: 'marks', afterDatasetsDraw: (chart) => afterDraw(chart as Chart<'line', Point[]>) }],
  });
}
