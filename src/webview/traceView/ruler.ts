import { lowerBound } from '../../base/bisect';

export interface RulerModel {
  readonly rowCount: number;
  /** Rows (from 0), sorted, of one kind of mark; later kinds are drawn over earlier ones. */
  readonly marks: readonly { readonly kind: 'match' | 'warning' | 'error'; readonly rows: ArrayLike<number> }[];
  readonly cursorRow: number;
}

/** Where each kind stands across the strip (from, to as shares of its width): told apart without colour, too. */
const lanes = { match: [0, 0.5], warning: [0.3, 0.8], error: [0.5, 1] } as const;
const markHeight = 3;

/** Draws the strip beside the scrollbar: one mark per pixel row at most, so millions of matches cost nothing. */
export function drawRuler(canvas: HTMLCanvasElement, model: RulerModel): void {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const context = canvas.getContext('2d');
  if (context === null || model.rowCount === 0) {
    return;
  }
  context.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  for (const { kind, rows } of model.marks) {
    context.fillStyle = style.getPropertyValue(`--lens-${kind}`).trim() || 'gray';
    const [from, to] = lanes[kind];
    for (let y = 0, at = 0; y < height && at < rows.length; y++) {
      const end = lowerBound(rows, ((y + 1) / height) * model.rowCount);
      if (at < end) {
        context.fillRect(width * from, Math.min(y, height - markHeight), width * (to - from), markHeight);
        at = end;
      }
    }
  }
  context.fillStyle = style.getPropertyValue('--lens-cursor').trim() || 'gray';
  const y = Math.min((model.cursorRow / model.rowCount) * height, height - 2);
  context.fillRect(0, y, width, 2);
}

/** The row at a height of the strip. */
export function rowAtRuler(canvas: HTMLCanvasElement, clientY: number, rowCount: number): number {
  const { top, height } = canvas.getBoundingClientRect();
  return Math.min(Math.max(0, Math.floor(((clientY - top) / height) * rowCount)), Math.max(0, rowCount - 1));
}
