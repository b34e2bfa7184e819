import { css, type MapTheme, mix } from './mapTheme';
import { isSecond } from './pixels';

/** The pattern of a class as something a canvas can fill with. */
export function classPattern(theme: MapTheme, index: number): CanvasPattern | string {
  const colour = theme.classes[index % theme.classes.length]!;
  const canvas = document.createElement('canvas');
  // A common multiple of the patterns' periods (see `isSecond`), so that tiles join.
  canvas.width = [1, 6, 6, 5, 4, 4, 7, 6][index] ?? 1;
  canvas.height = canvas.width;
  const context = canvas.getContext('2d');
  if (context === null) {
    return css(colour);
  }
  drawClass(context, theme, index, canvas.width, canvas.height);
  return context.createPattern(canvas, 'repeat') ?? css(colour);
}

/** Fills a rectangle as the map fills mappings of a class. */
export function drawClass(
  context: CanvasRenderingContext2D,
  theme: MapTheme,
  index: number,
  width: number,
  height: number,
): void {
  const colour = theme.classes[index]!;
  context.fillStyle = css(colour);
  context.fillRect(0, 0, width, height);
  context.fillStyle = css(mix(colour, theme.background, 0.4));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (isSecond(index, x, y)) {
        context.fillRect(x, y, 1, 1);
      }
    }
  }
}
