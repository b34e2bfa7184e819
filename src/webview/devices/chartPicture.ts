import type { Chart } from 'chart.js';

/** A chart at twice its size on the screen, on an opaque background. */
export function chartPicture(
  chart: Pick<Chart, 'options' | 'resize' | 'canvas'>,
  background: string,
): HTMLCanvasElement {
  const picture = document.createElement('canvas');
  const before = chart.options.devicePixelRatio;
  chart.options.devicePixelRatio = 2;
  chart.resize();
  try {
    picture.width = chart.canvas.width;
    picture.height = chart.canvas.height;
    const context = picture.getContext('2d');
    if (context !== null) {
      context.fillStyle = background;
      context.fillRect(0, 0, picture.width, picture.height);
      context.drawImage(chart.canvas, 0, 0);
    }
  } finally {
    chart.options.devicePixelRatio = before ?? window.devicePixelRatio;
    chart.resize();
  }
  return picture;
}
